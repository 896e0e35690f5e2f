"""Answers that must have a form: native, by a forced tool, in words; always validated, over real sockets."""

from contextlib import aclosing
from dataclasses import replace

import pytest

from interlock_core import (
    CompletionRequest,
    FinishReason,
    Json,
    JsonObject,
    Provider,
    ResponseFormat,
    ToolChoice,
    ToolSpec,
    Usage,
)
from interlock_core.assembly import CompletionAssembler
from interlock_core.completion import Completion
from interlock_core.errors import AnswerFormatError, InvalidRequestError
from interlock_core.jsontypes import as_array, as_object
from interlock_core.messages import user
from interlock_providers.testing import Failure, OpenAIChatServer, Say, ToolUse

from .conftest import MakeProvider

SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
LIST: JsonObject = {"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}}
FORMED = CompletionRequest(
    model="vendor/sim-1", messages=(user("A number."),), response_format=ResponseFormat(schema=SCHEMA)
)
NO_FORM = Failure(status=400, param="response_format", message="This model does not know that format.")
LOOK = ToolSpec(name="look", parameters={"type": "object", "properties": {}})


async def feed(assembler: CompletionAssembler, provider: Provider, request: CompletionRequest) -> None:
    """Give all chunks of a stream to an assembler."""
    async with aclosing(provider.stream(request)) as chunks:
        async for chunk in chunks:
            assembler.feed(chunk)


async def streamed(provider: Provider, request: CompletionRequest) -> Completion:
    """The answer of a stream."""
    assembler = CompletionAssembler()
    await feed(assembler, provider, request)
    return assembler.completion()


async def answered(provider: Provider, request: CompletionRequest, *, stream: bool) -> Completion:
    """The answer, whichever way it comes."""
    return await (streamed(provider, request) if stream else provider.complete(request))


def body_of(vendor: OpenAIChatServer, index: int = -1) -> JsonObject:
    """What the vendor was asked."""
    return as_object(vendor.requests[index].json())


@pytest.mark.promise("P3")
async def test_an_answer_that_does_not_fit_is_asked_for_again_with_its_problem(
    make: MakeProvider, vendor: OpenAIChatServer
) -> None:
    """All attempts are counted and paid for."""
    vendor.then(Say("seven"), Say('{"n":"7"}'), Say('{"n":7}'))
    answer = await make(vendor.url).complete(FORMED)
    assert (answer.text, answer.attempts) == ('{"n":7}', 3)
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3
    assert any("attempt 3" in sentence for sentence in answer.adapted)
    again = str(as_object(as_array(body_of(vendor)["messages"])[-1])["content"])
    assert "/n: " in again
    assert body_of(vendor)["response_format"] == body_of(vendor, 0)["response_format"]


@pytest.mark.promise("P3")
async def test_an_answer_that_never_fits_is_an_error(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """It is not passed on as if it did."""
    vendor.then(*[Say("seven")] * 3)
    with pytest.raises(AnswerFormatError, match="in 3 attempts") as caught:
        await make(vendor.url).complete(FORMED)
    assert (caught.value.field, caught.value.retryable) == ("response_format", True)
    assert len(vendor.requests) == 3


@pytest.mark.promise("P3")
async def test_a_stream_that_does_not_fit_never_ends_well(
    make: MakeProvider, vendor: OpenAIChatServer
) -> None:
    """The text was passed on, its end mark was not, usage was, and the end is an error."""
    vendor.then(Say('{"n": "seven"}'))
    assembler = CompletionAssembler()
    with pytest.raises(AnswerFormatError, match="/n: "):
        await feed(assembler, make(vendor.url), FORMED)
    assert (assembler.text, assembler.finish) == ('{"n": "seven"}', None)
    assert assembler.usage == Usage(input_tokens=2, output_tokens=2)


@pytest.mark.promise("P3")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("schema", "arguments", "text"), [
    (SCHEMA, '{"n": 7}', '{"n": 7}'),
    (LIST, '{"answer": [1, 2]}', "[1,2]"),
])  # fmt: skip
async def test_a_model_without_forms_is_made_to_call_a_tool(
    make: MakeProvider, vendor: OpenAIChatServer, stream: bool, schema: JsonObject, arguments: str, text: str
) -> None:
    """Its arguments are the answer; the client sees no call, and is told how it was done."""
    request = replace(FORMED, response_format=ResponseFormat(schema=schema))
    vendor.then(NO_FORM, Say("Here:", calls=(ToolUse("answer", arguments),)))
    provider = make(vendor.url)
    answer = await answered(provider, request, stream=stream)
    assert (answer.text, answer.finish, answer.message.tool_calls) == (text, FinishReason.STOP, ())
    assert any("tool" in sentence for sentence in answer.adapted)
    asked = body_of(vendor)
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "answer"}}
    assert "response_format" not in asked
    # What the model turned out not to know is not asked of it again.
    vendor.then(Say(calls=(ToolUse("answer", arguments),)))
    assert (await answered(provider, request, stream=stream)).text == text
    assert len(vendor.requests) == 3


@pytest.mark.promise("P3")
@pytest.mark.parametrize("stream", [False, True])
async def test_the_clients_own_tools_stay_beside_the_forced_one(
    make: MakeProvider, vendor: OpenAIChatServer, stream: bool
) -> None:
    """A call of them is a call; an answer that comes with it waits for its result."""
    both = (ToolUse("look", "{}", "c1"), ToolUse("answer", '{"n":1}', "c2"))
    vendor.then(NO_FORM, Say(calls=both[:1]))
    provider = make(vendor.url)
    answer = await answered(provider, replace(FORMED, tools=(LOOK,)), stream=stream)
    assert [call.name for call in answer.message.tool_calls] == ["look"]
    assert (answer.finish, answer.text) == (FinishReason.TOOL_CALLS, "")
    assert body_of(vendor)["tool_choice"] == "required"
    vendor.then(Say(calls=both))
    answer = await provider.complete(replace(FORMED, tools=(LOOK,)))
    assert [call.name for call in answer.message.tool_calls] == ["look"]


@pytest.mark.promise("P3")
async def test_a_tool_that_must_be_called_leaves_no_room_for_a_form(
    make: MakeProvider, vendor: OpenAIChatServer
) -> None:
    """The turn is a call, which has no form, and nothing is added to what the client asked."""
    vendor.then(NO_FORM, Say(calls=(ToolUse("look", "{}", "c1"),)))
    request = replace(FORMED, tools=(LOOK,), tool_choice=ToolChoice(mode="required"))
    answer = await make(vendor.url).complete(request)
    assert [call.name for call in answer.message.tool_calls] == ["look"]
    assert len(as_array(body_of(vendor)["tools"])) == 1


@pytest.mark.promise("P3")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_knows_neither_is_asked_in_words(
    make: MakeProvider, vendor: OpenAIChatServer, stream: bool
) -> None:
    """A fence around the JSON is taken off, a wrong answer is asked for again."""
    no_tools = Failure(status=400, param="tools", message="No tools either.")
    fenced = '```json\n{"n": 3}\n```'
    vendor.then(NO_FORM, no_tools, Say("three"), Say(fenced, reasoning="Hm."))
    answer = await answered(make(vendor.url), FORMED, stream=stream)
    assert (answer.text, answer.finish) == ('{"n": 3}', FinishReason.STOP)
    assert answer.usage is not None
    assert (answer.usage.output_tokens, answer.usage.reasoning_tokens) == (6, 1)
    asked: list[Json] = as_array(body_of(vendor)["messages"])
    assert '"additionalProperties":false' in str(as_object(asked[1])["content"])
    assert any("in words" in sentence for sentence in answer.adapted)


@pytest.mark.promise("P3")
@pytest.mark.parametrize("stream", [False, True])
async def test_refusals_and_cut_answers_are_passed_on_as_they_are(
    make: MakeProvider, vendor: OpenAIChatServer, stream: bool
) -> None:
    """Neither has a form, and each says why."""
    vendor.then(Say('{"n"', finish="length"), Say(refusal="I will not."))
    provider = make(vendor.url)
    assert (await answered(provider, FORMED, stream=stream)).finish is FinishReason.LENGTH
    assert (await answered(provider, FORMED, stream=stream)).finish is FinishReason.FILTERED
    assert len(vendor.requests) == 2


@pytest.mark.promise("P3")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_wrong_schema_is_refused_before_anybody_is_asked(
    make: MakeProvider, vendor: OpenAIChatServer, stream: bool
) -> None:
    """The message names the field."""
    request = replace(FORMED, response_format=ResponseFormat(schema={"type": "objekt"}))
    with pytest.raises(InvalidRequestError, match="schema") as caught:
        await answered(make(vendor.url), request, stream=stream)
    assert caught.value.field == "response_format.json_schema.schema"
    assert vendor.requests == []


@pytest.mark.promise("P3")
async def test_any_json_object_is_validated_too(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """A list is no object."""
    vendor.then(Say("[1]"), Say('{"a":1}'))
    request = replace(FORMED, response_format=ResponseFormat(kind="json_object"))
    assert (await make(vendor.url).complete(request)).text == '{"a":1}'
