"""Answers are kept as HTTP's rules say, for whom they were given to, and never after a change."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Json, JsonObject, Secret, ToolCall, ToolResult
from interlock_core.call import Principal
from interlock_core.jsontypes import as_object
from interlock_core.testing import (
    Answer,
    FakeClock,
    LoopbackServer,
    MemorySecrets,
    ReceivedRequest,
    json_answer,
    make_call,
)
from interlock_tools import DocumentOptions, ExecutorLimits, ToolExecutor, ToolRegistry

from .cases_of_caching import CASES, NOW, Case, Headers

NAMES = ("cache-control", "pragma", "x-a", "x-b", "if-none-match", "range")
HEADERS: list[Json] = [{"name": name, "in": "header", "schema": {"type": "string"}} for name in NAMES]
PATHS: JsonObject = {
    "/x": {
        "get": {
            "operationId": "read",
            "parameters": [*HEADERS, {"name": "q", "in": "query", "schema": {"type": "string"}}],
        },
        "post": {"operationId": "add"},
        "head": {"operationId": "look"},
    },
    "/x/{id}": {
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
        "get": {"operationId": "read_one"},
        "delete": {"operationId": "remove_one"},
    },
    "/send": {"get": {"operationId": "send_it"}},
    "/find": {
        "get": {
            "operationId": "find",
            "requestBody": {
                "content": {
                    "application/json": {
                        "schema": {"type": "object", "properties": {"word": {"type": "string"}}}
                    }
                }
            },
        }
    },
}
ONE = Principal(user="one")
SAYS: Headers = (("Cache-Control", "max-age=60"),)


class Kept:
    """An executor with a clock of its own over a server.

    Args:
        url: Where the server is.
        limits: Bounds of calls.
        secrets: The credentials, the first of which is used.
    """

    def __init__(self, url: str, limits: ExecutorLimits | None = None, **secrets: str) -> None:
        self.clock = FakeClock(now=NOW)
        self.secrets = secrets
        self.registry = ToolRegistry()
        document: JsonObject = {"openapi": "3.1.0", "info": {"title": "K"}, "paths": PATHS}
        for namespace, secret in {"k": next(iter(secrets), None), "other": (*secrets, None, None)[1]}.items():
            options = DocumentOptions(base_url=url, credential=secret)
            self.registry.add_document(document, namespace=namespace, options=options)
        self.executor = ToolExecutor(
            self.registry,
            secrets=MemorySecrets(secrets),
            limits=limits,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    async def call(
        self, name: str, arguments: JsonObject | None = None, *, by: Principal = ONE
    ) -> ToolResult:
        """The result of a call."""
        full = name if "." in name else f"k.{name}"
        call = ToolCall(id="c", name=full, arguments=json.dumps(arguments or {}))
        return await self.executor.execute(call, replace(make_call(), principal=by))

    async def __aenter__(self) -> "Kept":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.executor.aclose()


def conditional(request: ReceivedRequest) -> bool:
    """Whether a request asks if something is still the same."""
    return any(request.header(name) is not None for name in ("if-none-match", "if-modified-since"))


def counting(*says: tuple[str, str], status: int = 200) -> Callable[[ReceivedRequest], Answer]:
    """A server that numbers its answers, and confirms a tag or a date that it knows."""
    count = 0

    def serve(request: ReceivedRequest) -> Answer:
        nonlocal count
        count += 1
        if count > 1 and conditional(request):
            return Answer(status=304, headers=says)
        return json_answer({"count": count}, status=status, headers=says)

    return serve


def arguments_of(headers: Headers) -> JsonObject:
    """Headers as arguments of the tool."""
    return dict(headers)


@pytest.mark.promise("O9")
@pytest.mark.parametrize("case", CASES, ids=[case.rule for case in CASES])
async def test_a_second_request_is_answered_as_the_rule_says(case: Case) -> None:
    """Kept, confirmed, or asked for anew."""
    own = any(name == "if-none-match" for name, _ in case.asks)
    seen: list[ReceivedRequest] = []

    def serve(request: ReceivedRequest) -> Answer:
        seen.append(request)
        if len(seen) > 1 and not own and conditional(request):
            return Answer(status=304)
        return Answer(
            status=case.status if len(seen) == 1 else 200,
            headers=(*case.says, ("content-type", "application/json")),
            body=b"" if case.status == 204 else json.dumps({"n": len(seen)}).encode(),
        )

    limits = ExecutorLimits(attempts=1, breaker_failures=99)
    async with LoopbackServer(serve) as server, Kept(server.url, limits) as bench:
        first = await bench.call("read", arguments_of(case.asked))
        bench.clock.advance(case.passes_s)
        second = await bench.call("read", arguments_of(case.asks))
        requests = server.requests[1:]
    conditions = [conditional(request) for request in requests]
    match case.then:
        case "kept":
            assert requests == []
        case "asked":
            assert len(requests) == 1
            assert conditions == [own]
        case "confirmed":
            assert conditions == [True]
    if case.then != "asked":
        assert (second.structured, second.text) == (first.structured, first.text)


@pytest.mark.promise("O9")
async def test_nobody_is_given_what_was_kept_for_another() -> None:
    """Another user, another key of the same user, another credential: each asks for itself."""
    async with (
        LoopbackServer(counting(*SAYS)) as server,
        Kept(server.url, None, mine="secret-mine", theirs="secret-theirs") as bench,
    ):
        for _ in range(2):
            counts = [
                as_object((await bench.call(name, by=by)).structured)["count"]
                for name, by in (
                    ("read", ONE),
                    ("read", Principal(user="two")),
                    ("read", Principal(user="one", key_id="key-2")),
                    ("other.read", ONE),
                )
            ]
            assert counts == [1, 2, 3, 4]


class Rotating:
    """A store whose secrets can be changed.

    Args:
        secrets: What it holds, read anew each time.
    """

    def __init__(self, secrets: dict[str, str]) -> None:
        self._secrets = secrets

    async def get(self, name: str) -> Secret:
        """One secret, as it is now."""
        return Secret(self._secrets[name], name=name)


@pytest.mark.promise("O9")
async def test_a_rotated_credential_is_given_nothing_old() -> None:
    """What one token saw, the next one may not be allowed to see."""
    secrets = {"mine": "first-secret"}
    async with LoopbackServer(counting(*SAYS)) as server, Kept(server.url, None, **secrets) as bench:
        executor = ToolExecutor(bench.registry, secrets=Rotating(secrets), clock=bench.clock)
        call = ToolCall(id="c", name="k.read")
        first = await executor.execute(call, make_call())
        again = await executor.execute(call, make_call())
        secrets["mine"] = "second-secret"
        rotated = await executor.execute(call, make_call())
        await executor.aclose()
    assert [as_object(result.structured)["count"] for result in (first, again, rotated)] == [1, 1, 2]


@pytest.mark.promise("O9")
@pytest.mark.parametrize(("tool", "arguments"), [("add", {}), ("remove_one", {"id": "7"})])
async def test_after_a_change_nothing_old_is_given(tool: str, arguments: JsonObject) -> None:
    """A list that was just added to is asked for anew, though it were fresh for an hour."""
    async with (
        LoopbackServer(counting(*SAYS, ("ETag", '"t"'))) as server,
        Kept(server.url) as bench,
    ):
        await bench.call("read", {"q": "list"})
        await bench.call("read", {"q": "list"})
        assert len(server.requests) == 1
        await bench.call(tool, arguments)
        await bench.call("read", {"q": "list"})
        changing = "POST" if tool == "add" else "DELETE"
        assert [request.method for request in server.requests] == ["GET", changing, "GET"]
        assert conditional(server.requests[-1])
        await bench.call("read", {"q": "list"})
        assert len(server.requests) == 3


@pytest.mark.promise("O9")
async def test_no_question_gets_the_answer_to_another() -> None:
    """Another body, and another value of a header, even one that `Vary` does not name."""

    def serve(request: ReceivedRequest) -> Answer:
        return json_answer({"body": request.body.decode(), "a": request.header("x-a")}, headers=SAYS)

    async with LoopbackServer(serve) as server, Kept(server.url) as bench:
        for word in ("one", "two"):
            found = as_object((await bench.call("find", {"word": word})).structured)
            assert found["body"] == json.dumps({"word": word}, separators=(",", ":"))
            assert as_object((await bench.call("read", {"x-a": word})).structured)["a"] == word
        await bench.call("find", {"word": "two"})
        assert len(server.requests) == 4


@pytest.mark.promise("O9")
async def test_a_get_that_does_something_makes_what_is_kept_stale_too() -> None:
    """What a call may do counts, not the method that its document has for it."""
    async with LoopbackServer(counting(*SAYS)) as server, Kept(server.url) as bench:
        for name in ("read", "send_it", "read"):
            await bench.call(name)
        assert [request.path for request in server.requests] == ["/x", "/send", "/x"]


@pytest.mark.promise("O9")
async def test_a_change_that_is_cancelled_makes_what_is_kept_stale_too() -> None:
    """It had arrived."""
    import asyncio

    arrived, never = asyncio.Event(), asyncio.Event()

    async def serve(request: ReceivedRequest) -> Answer:
        if request.method == "POST":
            arrived.set()
            await never.wait()
        return json_answer({}, headers=SAYS)

    async with LoopbackServer(serve) as server, Kept(server.url) as bench:
        await bench.call("read")
        changing = asyncio.create_task(bench.call("add"))
        await arrived.wait()
        changing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await changing
        never.set()
        await bench.call("read")
        assert [request.method for request in server.requests] == ["GET", "POST", "GET"]


async def test_headers_of_confirmations_count_as_memory() -> None:
    """An answer that grows with each 304 pushes others out as a large one does."""

    def serve(request: ReceivedRequest) -> Answer:
        if conditional(request):
            return Answer(status=304, headers=(("ETag", '"t"'), ("X-Pad", "x" * 9_000)))
        return json_answer({}, headers=(("ETag", '"t"'),))

    async with LoopbackServer(serve) as server, Kept(server.url, ExecutorLimits(cache_bytes=40_000)) as bench:
        for _ in range(2):
            for number in range(4):
                await bench.call("read", {"q": str(number)})
        assert [conditional(request) for request in server.requests[4:]] == [True, True, True, False]


async def test_the_address_that_was_changed_is_forgotten() -> None:
    """It is asked for whole, as RFC 9111 says, and so is one that the answer names."""

    def serve(request: ReceivedRequest) -> Answer:
        if request.method == "POST":
            return Answer(status=201, headers=(("Location", "/x/7"),))
        if request.method == "DELETE":
            return Answer(status=204)
        return json_answer({"at": request.path}, headers=(*SAYS, ("ETag", '"t"')))

    async with LoopbackServer(serve) as server, Kept(server.url) as bench:
        await bench.call("read_one", {"id": "7"})
        await bench.call("add")
        await bench.call("read_one", {"id": "7"})
        await bench.call("remove_one", {"id": "7"})
        await bench.call("read_one", {"id": "7"})
        reads = [request for request in server.requests if request.method == "GET"]
    assert [conditional(request) for request in reads] == [False, False, False]


async def test_a_change_of_unknown_fate_makes_everything_stale_too() -> None:
    """A server that failed may have done it; one that refused has not."""
    statuses = [500, 422]

    def serve(request: ReceivedRequest) -> Answer:
        if request.method == "POST":
            return json_answer({}, status=statuses.pop(0))
        return json_answer({}, headers=SAYS)

    async with LoopbackServer(serve) as server, Kept(server.url) as bench:
        for _ in range(2):
            await bench.call("read")
            await bench.call("add")
        await bench.call("read")
        assert [request.method for request in server.requests] == ["GET", "POST", "GET", "POST"]


async def test_an_answer_that_was_under_way_during_a_change_is_not_fresh() -> None:
    """It may show what was before."""
    import asyncio

    begun, go_on = asyncio.Event(), asyncio.Event()

    async def serve(request: ReceivedRequest) -> Answer:
        if request.method == "GET" and not begun.is_set():
            begun.set()
            await go_on.wait()
        return json_answer({}, headers=SAYS)

    async with LoopbackServer(serve) as server, Kept(server.url) as bench:
        reading = asyncio.create_task(bench.call("read"))
        await begun.wait()
        await bench.call("add")
        go_on.set()
        await reading
        await bench.call("read")
        assert [request.method for request in server.requests] == ["GET", "POST", "GET"]


@pytest.mark.promise("O9")
async def test_an_operator_can_switch_it_off() -> None:
    """For one document, by its own limits."""
    limits = ExecutorLimits(cache_bytes=0)
    async with LoopbackServer(counting(*SAYS, ("ETag", '"t"'))) as server, Kept(server.url, limits) as bench:
        await bench.call("read")
        await bench.call("read")
        assert [conditional(request) for request in server.requests] == [False, False]


@pytest.mark.parametrize("name", ["look", "send_it"])
async def test_what_is_no_plain_read_is_never_kept(name: str) -> None:
    """A HEAD, and a GET whose name says that it does something."""
    async with LoopbackServer(counting(*SAYS)) as server, Kept(server.url) as bench:
        await bench.call(name)
        await bench.call(name)
        assert len(server.requests) == 2


async def test_a_confirmation_renews_what_is_kept() -> None:
    """Its lifetime and its headers are those of the 304; the body is the one that was kept."""
    answers = [
        json_answer({"n": 1}, headers=(("Cache-Control", "max-age=10"), ("ETag", '"a"'))),
        Answer(status=304, headers=(("Cache-Control", "max-age=1000"), ("ETag", 'W/"a"'))),
    ]
    async with LoopbackServer(lambda _: answers.pop(0)) as server, Kept(server.url) as bench:
        for _ in range(3):
            assert (await bench.call("read")).structured == {"n": 1}
            bench.clock.advance(20)
        assert len(server.requests) == 2


async def test_a_confirmation_of_something_else_is_none() -> None:
    """Then the whole is asked for without a condition."""
    answers = [
        json_answer({"n": 1}, headers=(("ETag", '"a"'),)),
        Answer(status=304, headers=(("ETag", '"b"'),)),
        json_answer({"n": 2}, headers=(("ETag", '"b"'),)),
    ]
    async with LoopbackServer(lambda _: answers.pop(0)) as server, Kept(server.url) as bench:
        await bench.call("read")
        assert (await bench.call("read")).structured == {"n": 2}
        assert [conditional(request) for request in server.requests] == [False, True, False]


async def test_a_confirmation_that_says_no_store_is_the_last() -> None:
    """What was kept is given once more and forgotten."""
    answers = [
        json_answer({"n": 1}, headers=(("ETag", '"a"'),)),
        Answer(status=304, headers=(("Cache-Control", "no-store"),)),
        json_answer({"n": 2}),
    ]
    async with LoopbackServer(lambda _: answers.pop(0)) as server, Kept(server.url) as bench:
        given = [as_object((await bench.call("read")).structured)["n"] for _ in range(3)]
        assert not conditional(server.requests[2])
    assert given == [1, 1, 2]


async def test_a_refusal_takes_the_place_of_what_was_kept() -> None:
    """Who may not see it any more is not shown it."""
    answers = [
        json_answer({"n": 1}, headers=(("ETag", '"a"'),)),
        json_answer({}, status=403),
        json_answer({"n": 3}),
    ]
    async with LoopbackServer(lambda _: answers.pop(0)) as server, Kept(server.url) as bench:
        await bench.call("read")
        assert (await bench.call("read")).is_error
        await bench.call("read")
        assert [conditional(request) for request in server.requests] == [False, True, False]


@pytest.mark.promise("O9")
async def test_memory_is_bounded_and_the_least_used_goes_first() -> None:
    """One answer never takes more than a quarter of it."""
    limits = ExecutorLimits(cache_bytes=39_000)
    sizes = {"a": 6_000, "b": 6_000, "c": 6_000, "d": 6_000, "e": 6_000, "f": 6_000, "big": 30_000}

    def serve(request: ReceivedRequest) -> Answer:
        return json_answer("x" * sizes[dict(request.query)["q"]], headers=SAYS)

    async with LoopbackServer(serve) as server, Kept(server.url, limits) as bench:
        for name in ("a", "b", "a", "c", "d", "e", "a", "f", "big", "a", "f", "big", "b"):
            await bench.call("read", {"q": name})
        asked = [dict(request.query)["q"] for request in server.requests]
    assert asked == ["a", "b", "c", "d", "e", "f", "big", "big", "b"]


async def test_only_so_many_variants_of_an_address_are_kept() -> None:
    """An API that varies without end fills no memory."""
    says = (*SAYS, ("Vary", "x-a"))
    async with LoopbackServer(counting(*says)) as server, Kept(server.url) as bench:
        for number in [*range(10), 9, 0]:
            await bench.call("read", {"x-a": str(number)})
        assert len(server.requests) == 11


async def test_a_credential_in_the_query_is_in_no_key_that_can_be_read() -> None:
    """What is kept is found by digests."""
    async with LoopbackServer(counting(*SAYS)) as server:
        registry = ToolRegistry()
        registry.add_document(
            {"openapi": "3.1.0", "info": {"title": "K"}, "paths": PATHS},
            namespace="k",
            options=DocumentOptions(base_url=server.url, credentials={"query:api_key": "mine"}),
        )
        executor = ToolExecutor(registry, secrets=MemorySecrets({"mine": "very-secret-key"}))
        call = ToolCall(id="c", name="k.read")
        for _ in range(2):
            await executor.execute(call, make_call())
        await executor.aclose()
        assert dict(server.requests[0].query)["api_key"] == "very-secret-key"
        assert len(server.requests) == 1


@given(st.text(max_size=60), st.text(max_size=40), st.text(max_size=40))
def test_no_header_breaks_the_arithmetic(control: str, expires: str, age: str) -> None:
    """Whatever an API writes: a lifetime and an age are numbers, not errors."""
    from interlock_core.http import HttpResponse
    from interlock_tools.execution._freshness import age_of, directives, lifetime_of

    headers = (("Cache-Control", control), ("Expires", expires), ("Age", age), ("Date", expires))
    answer = HttpResponse(200, headers, b"")
    assert lifetime_of(answer, came_at=NOW) >= 0
    assert age_of(answer, asked_at=NOW, came_at=NOW + 1, now=NOW + 2) >= 0
    assert all(name == name.lower() for name in directives(answer))
