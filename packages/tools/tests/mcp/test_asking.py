"""Approvals through the client that made the call: who is asked, what is shown, what an answer counts for."""

import pytest
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    InputResponses,
)

from interlock_core import (
    Call,
    CallKind,
    HttpRequest,
    Prepared,
    Principal,
    Text,
    ToolCall,
    ToolResult,
)
from interlock_core.errors import ApprovalDeniedError
from interlock_tools.mcp import Offer, ToolServer

from .serving import ERAS, HERE, WIPE, Era, OneExecutor, Person, client, house, text_of

pytestmark = pytest.mark.promise("O16", "T3")


YES = ElicitResult(action="accept", content={"approve": True})
NOES = (
    ElicitResult(action="accept", content={"approve": False}),
    ElicitResult(action="accept", content={}),
    ElicitResult(action="decline"),
    ElicitResult(action="cancel"),
)


@pytest.mark.parametrize("era", ERAS)
async def test_the_person_behind_the_client_is_asked(era: Era) -> None:
    """Exactly what would be sent is shown, and nothing in it that nobody sees."""
    asking = house({"notes.wipe": "wiped"}, wants_approval=frozenset({"notes.wipe"}))
    person = Person(YES)
    async with client(asking, era, elicitation_callback=person) as asked:
        assert text_of(await asked.call_tool("notes.wipe", {})) == "wiped"
    (shown,) = person.asked
    assert "notes.wipe (destructive)" in shown
    assert "DELETE https://notes.example/all" in shown
    assert "<U+001B>" in shown


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("no", NOES, ids=str)
async def test_anything_but_yes_means_no(era: Era, no: ElicitResult) -> None:
    """Nothing is done."""
    asking = house({"notes.wipe": "wiped"}, wants_approval=frozenset({"notes.wipe"}))
    async with client(asking, era, elicitation_callback=Person(no)) as asked:
        refused = await asked.call_tool("notes.wipe", {})
    assert refused.is_error
    assert "the user said no" in text_of(refused)
    assert asking.executor.executed == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_means_no(era: Era) -> None:
    """There is nobody to answer."""
    asking = house({"notes.wipe": "wiped"}, wants_approval=frozenset({"notes.wipe"}))
    async with client(asking, era) as asked:
        assert "cannot ask" in text_of(await asked.call_tool("notes.wipe", {}))
    assert asking.executor.executed == []


async def test_a_call_that_is_too_long_to_be_shown_whole_is_not_asked_about() -> None:
    """Nobody approves what they have not seen."""
    asking = house()
    person = Person(YES)
    long = HttpRequest(method="POST", url="https://notes.example", body=b"x" * 9_000)

    async def execute(call: ToolCall, context: Call) -> ToolResult:
        assert asking.approver is not None
        shown = Prepared(tool=WIPE, arguments={}, request=long)
        answer = await asking.approver.approve(context, shown)
        raise ApprovalDeniedError(answer.reason)

    offer = Offer(
        catalog=asking.catalog, executor=OneExecutor(execute), permit=asking.permit, asking=asking.asking
    )
    server = ToolServer(offer, visit=lambda context: asking.visit)
    async with Client(server.sdk, cache=None, elicitation_callback=person) as asked:
        assert "too long" in text_of(await asked.call_tool("notes.wipe", {}))
    assert person.asked == []


async def test_an_answer_counts_for_the_call_that_was_shown_and_for_no_other() -> None:
    """One that comes with another call, or without a question, is a question again."""
    asking = house({"notes.wipe": "wiped"}, wants_approval=frozenset({"notes.wipe"}))
    async with client(asking, elicitation_callback=Person(YES)) as asked:
        answered: InputResponses = {"approval": YES}
        first = await asked.session.call_tool(
            "notes.wipe", {}, input_responses=answered, request_state="0" * 64, allow_input_required=True
        )
        assert not isinstance(first, CallToolResult)
        again = await asked.session.call_tool(
            "notes.wipe",
            {},
            input_responses=answered,
            request_state=first.request_state,
            allow_input_required=True,
        )
        assert isinstance(again, CallToolResult)
        asking.visit.principal = Principal(user="mallory")
        other = await asked.session.call_tool(
            "notes.wipe",
            {},
            input_responses=answered,
            request_state=first.request_state,
            allow_input_required=True,
        )
        assert not isinstance(other, CallToolResult)
    assert len(asking.executor.executed) == 1


OTHERS = (
    HttpRequest(method="DELETE", url="https://notes.example", headers=(("x-scope", "all"),), body=b"\xfe"),
    HttpRequest(method="DELETE", url="https://notes.example", headers=(("cookie", "a=b"),), body=b"\xfe"),
    HttpRequest(method="DELETE", url="https://notes.example", headers=(("x-scope", "one"),), body=b"\xff"),
)


@pytest.mark.parametrize("other", OTHERS, ids=str)
async def test_a_yes_to_one_header_cookie_or_byte_is_none_to_another(other: HttpRequest) -> None:
    """What was shown and what the answer counts for hold all that would be sent."""
    headers = (("x-scope", "one"),)
    sent = [HttpRequest(method="DELETE", url="https://notes.example", headers=headers, body=b"\xfe")]
    asking = house()

    async def execute(call: ToolCall, context: Call) -> ToolResult:
        assert asking.approver is not None
        shown = Prepared(tool=WIPE, arguments={}, request=sent[-1])
        return text_result(str((await asking.approver.approve(context, shown)).granted))

    offer = Offer(
        catalog=asking.catalog, executor=OneExecutor(execute), permit=asking.permit, asking=asking.asking
    )
    server = ToolServer(offer, visit=lambda context: asking.visit)
    async with Client(server.sdk, cache=None, elicitation_callback=Person(YES)) as asked:
        first = await asked.session.call_tool("notes.wipe", {}, allow_input_required=True)
        assert not isinstance(first, CallToolResult)
        assert "x-scope: one" in first.model_dump_json()
        sent.append(other)
        again = await asked.session.call_tool(
            "notes.wipe",
            {},
            input_responses={"approval": YES},
            request_state=first.request_state,
            allow_input_required=True,
        )
        assert not isinstance(again, CallToolResult)


async def test_a_client_that_can_only_open_addresses_cannot_be_asked() -> None:
    """A form is needed."""
    from mcp.types import ClientCapabilities, ElicitationCapability, UrlElicitationCapability

    from interlock_tools.mcp._asking import ClientApprover

    class Session:
        client_capabilities = ClientCapabilities(
            elicitation=ElicitationCapability(url=UrlElicitationCapability())
        )

    class Request:
        session = Session()
        protocol_version = "2026-07-28"

    approver = ClientApprover(Request(), answers=None, state=None)  # pyright: ignore[reportArgumentType] - all that is looked at
    call = Call(id="c", kind=CallKind.TOOL, name="notes.wipe", principal=Principal(user="alice"))
    answer = await approver.approve(call, Prepared(tool=WIPE, arguments={}))
    assert (answer.granted, answer.reason) == (False, "the client cannot ask its user")


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_that_runs_in_process_is_shown_with_its_arguments(era: Era) -> None:
    """There is no request to show."""
    person = Person(YES)
    asking = house()

    async def execute(call: ToolCall, context: Call) -> ToolResult:
        assert asking.approver is not None
        answer = await asking.approver.approve(context, Prepared(tool=HERE, arguments={"zone": "UTC"}))
        return text_result(str(answer.granted))

    offer = Offer(
        catalog=asking.catalog, executor=OneExecutor(execute), permit=asking.permit, asking=asking.asking
    )
    server = ToolServer(offer, visit=lambda context: asking.visit)
    async with Client(server.sdk, mode=era, cache=None, elicitation_callback=person) as asked:
        assert text_of(await asked.call_tool("here.now", {})) == "True"
    assert '"zone": "UTC"' in person.asked[0]


@pytest.mark.parametrize("era", ERAS)
async def test_an_answer_that_is_none_means_no(era: Era) -> None:
    """A client that fails while it asks has not been told yes."""

    async def broken(context: ClientRequestContext, params: ElicitRequestParams) -> ErrorData:
        return ErrorData(code=-1, message="no window")

    asking = house({"notes.wipe": "wiped"}, wants_approval=frozenset({"notes.wipe"}))
    async with Client(asking.server().sdk, mode=era, cache=None, elicitation_callback=broken) as asked:
        if era == "legacy":
            assert "gave no answer" in text_of(await asked.call_tool("notes.wipe", {}))
        else:
            with pytest.raises(MCPError, match="no window"):
                await asked.call_tool("notes.wipe", {})
    assert asking.executor.executed == []


def text_result(text: str) -> ToolResult:
    """An answer of one text."""
    return ToolResult(call_id="c", name="here.now", content=(Text(text),))
