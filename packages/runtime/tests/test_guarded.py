"""Guards around providers and executors, and what is hidden inside them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest

from interlock_core import (
    Call,
    CallKind,
    Chunk,
    Completion,
    CompletionRequest,
    Effect,
    Embeddings,
    Image,
    Message,
    Principal,
    ResponseFormat,
    Secret,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
    WireBytes,
)
from interlock_core.errors import (
    ApprovalDeniedError,
    CredentialError,
    OverloadedError,
    PermissionDeniedError,
)
from interlock_core.messages import assistant, tool_results, user
from interlock_core.testing import RecordingGuard, ScriptedExecutor, ScriptedProvider, completion, make_call
from interlock_runtime._guarded import GuardedExecutor, GuardedProvider
from interlock_runtime._hidden import RedactingExecutor, RedactingProvider, hidden_request
from interlock_runtime._wrapped import DescribedProvider, LazyProvider
from interlock_runtime.settings import ModelSettings
from interlock_security import KnownSecretRedactor

CANARY = "canary-7f31c09b22"
NOBODY = Principal(user="nobody")
ASKED = CompletionRequest(model="scripted/model", messages=(user("hi"),))
TOOL = ToolSpec(name="shop.buy", effect=Effect.WRITE)


class Vectors(ScriptedProvider):
    """A provider that makes vectors, or fails to."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error
        self.texts: list[str] = []

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """One vector a text."""
        self.texts += texts
        if self.error is not None:
            raise self.error
        return Embeddings(
            model=model, vectors=tuple((1.0,) for _ in texts), usage=Usage(input_tokens=len(texts))
        )


class Slow(ScriptedProvider):
    """A provider whose stream says one thing and then nothing for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Never answers."""
        self.asked.set()
        await asyncio.Event().wait()
        return completion()

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """One word."""
        yield Chunk(text="one", usage=Usage(input_tokens=3, output_tokens=1), model="slow/model")
        await asyncio.Event().wait()


def redactor() -> KnownSecretRedactor:
    """One that knows the canary."""
    return KnownSecretRedactor([Secret(CANARY, name="acme")])


def outcome(guard: RecordingGuard) -> object:
    """What the guard saw of its last call."""
    return guard.left[-1][1]


async def test_guards_stand_in_their_order_and_see_the_outcome() -> None:
    """The first is outermost; both see tokens and duration."""
    log: list[str] = []
    outer, inner = RecordingGuard("outer", log=log), RecordingGuard("inner", log=log)
    provider = GuardedProvider(ScriptedProvider(["hello"]), [outer, inner], nobody=NOBODY)
    answer = await provider.complete(ASKED)
    assert answer.text == "hello"
    assert log == ["enter outer", "enter inner", "leave inner", "leave outer"]
    call, seen = outer.left[0]
    assert call.principal == NOBODY
    assert call.kind is CallKind.MODEL
    assert seen is not None
    assert seen.ok
    assert seen.model == answer.model


async def test_a_refusal_reaches_nobody() -> None:
    """The provider is not asked, and the outer guard sees the error."""
    inner = ScriptedProvider(["hello"] * 3)
    outer = RecordingGuard()
    refusing = RecordingGuard(refuse=PermissionDeniedError("No."))
    provider = GuardedProvider(inner, [outer, refusing], nobody=NOBODY)
    with pytest.raises(PermissionDeniedError):
        await provider.complete(ASKED)
    with pytest.raises(PermissionDeniedError):
        await anext(provider.stream(ASKED))
    with pytest.raises(PermissionDeniedError):
        await provider.embed("scripted/model", ["a"])
    assert inner.requests == []
    assert len(outer.errors) == 3


async def test_a_failure_is_an_outcome() -> None:
    """Its code and the vendor's status are told, whole and streamed."""
    error = OverloadedError("Later.", vendor_status=503)
    guard = RecordingGuard()
    provider = GuardedProvider(ScriptedProvider([error], repeat=True), [guard], nobody=NOBODY)
    with pytest.raises(OverloadedError):
        await provider.complete(ASKED, make_call())
    first = guard.left[-1][1]
    assert first is not None
    assert (first.ok, first.error, first.status) == (False, error.code, 503)
    with pytest.raises(OverloadedError):
        [chunk async for chunk in provider.stream(ASKED, make_call())]
    second = guard.left[-1][1]
    assert second is not None
    assert second.error == error.code


async def test_a_stream_that_is_left_early_is_a_cancelled_call_with_its_usage() -> None:
    """What was spent until then is not lost."""
    guard = RecordingGuard()
    provider = GuardedProvider(Slow(), [guard], nobody=NOBODY)
    async with aclosing(provider.stream(ASKED)) as chunks:
        assert (await anext(chunks)).text == "one"
    seen = guard.left[-1][1]
    assert seen is not None
    assert seen.cancelled
    assert seen.usage == Usage(input_tokens=3, output_tokens=1)
    assert seen.model == "slow/model"
    assert seen.first_token_s is not None


async def test_a_stream_to_its_end_counts() -> None:
    """The outcome is that of the whole answer."""
    guard = RecordingGuard()
    call = ToolCall(id="1", name="a.b")
    provider = GuardedProvider(ScriptedProvider([completion("hi", call)]), [guard], nobody=NOBODY)
    pieces = [chunk.text async for chunk in provider.stream(ASKED)]
    assert "".join(pieces) == "hi"
    seen = guard.left[-1][1]
    assert seen is not None
    assert (seen.ok, seen.tool_calls) == (True, 1)


async def test_a_cancelled_call_is_told_as_such() -> None:
    """The guards are left, and the outcome says why."""
    guard = RecordingGuard()
    slow = Slow()
    task = asyncio.create_task(GuardedProvider(slow, [guard], nobody=NOBODY).complete(ASKED))
    await slow.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    seen = guard.left[-1][1]
    assert seen is not None
    assert seen.cancelled


async def test_vectors_are_guarded_too() -> None:
    """Success and failure."""
    guard = RecordingGuard()
    provider = GuardedProvider(Vectors(), [guard], nobody=NOBODY)
    assert len((await provider.embed("v/m", ["a", "b"])).vectors) == 2
    seen = guard.left[-1][1]
    assert seen is not None
    assert seen.usage == Usage(input_tokens=2)
    failing = GuardedProvider(Vectors(OverloadedError("Later.")), [guard], nobody=NOBODY)
    with pytest.raises(OverloadedError):
        await failing.embed("v/m", ["a"])
    assert failing.name == "scripted"
    assert [model.id for model in await failing.models()] == ["scripted/model"]


async def test_an_executors_guards_see_the_checked_arguments_and_the_result() -> None:
    """A failing tool is an outcome that is not ok."""
    result = ToolResult(
        call_id="1", name=TOOL.name, content=(Text("gone"),), is_error=True, error_code="x", status=404
    )
    guard = RecordingGuard()
    executor = GuardedExecutor(ScriptedExecutor({TOOL.name: result}), [guard])
    call = ToolCall(id="1", name=TOOL.name, arguments='{"n": 1}')
    assert (await executor.prepare(call, make_call())).arguments == {"n": 1}
    assert await executor.execute(call, make_call(kind=CallKind.TOOL, name=TOOL.name)) == result
    seen_call, seen = guard.left[0]
    assert seen_call.arguments == {"n": 1}
    assert seen is not None
    assert (seen.ok, seen.error, seen.status, seen.summary) == (False, "x", 404, "gone")


async def test_an_executors_refusal_is_an_outcome_too() -> None:
    """The guards are left with the error."""
    guard = RecordingGuard()
    executor = GuardedExecutor(ScriptedExecutor({TOOL.name: ApprovalDeniedError("No.")}), [guard])
    with pytest.raises(ApprovalDeniedError):
        await executor.execute(
            ToolCall(id="1", name=TOOL.name), make_call(kind=CallKind.TOOL, name=TOOL.name)
        )
    assert getattr(outcome(guard), "ok", None) is False


def test_a_request_without_a_secret_passes_as_it_is() -> None:
    """The very same object, with the client's bytes."""
    request = CompletionRequest(
        model="a/b",
        messages=(user("hi", Image(data=b"\x00", media_type="image/png")),),
        original=WireBytes(dialect="openai-chat", body=b"{}"),
        extra={"store": True, "n": 3, "deep": [{"a": None}]},
    )
    assert hidden_request(request, redactor()) is request


def test_a_secret_is_hidden_wherever_a_client_can_put_it() -> None:
    """Texts, calls, results, unknown fields of messages and requests, tools, schemas, metadata."""
    result = ToolResult(call_id="1", name="a.b", content=(Text(CANARY),), structured={"k": [CANARY]})
    request = CompletionRequest(
        model="a/b",
        messages=(
            user(f"my key is {CANARY}"),
            assistant(ToolCall(id="1", name="a.b", arguments=f'{{"k": "{CANARY}"}}')),
            tool_results([result]),
            Message("user", (Text("x"),), name=CANARY, extra={CANARY: {"deep": [CANARY]}}),
        ),
        tools=(ToolSpec(name="a.b", description=CANARY, parameters={"default": CANARY}),),
        response_format=ResponseFormat(schema={"const": CANARY}),
        stop=(CANARY,),
        metadata={"tag": CANARY},
        extra={"prompt_cache": CANARY},
        original=WireBytes(dialect="openai-chat", body=CANARY.encode()),
    )
    hidden = hidden_request(request, redactor())
    assert CANARY not in repr(hidden)
    assert hidden.original is None
    assert hidden.messages[0].text == "my key is [redacted:acme]"
    assert hidden.messages[1].tool_calls[0].arguments == '{"k": "[redacted:acme]"}'


async def test_a_provider_is_neither_told_a_secret_nor_heard_to_repeat_it() -> None:
    """Requests, texts for vectors, and the words of errors."""
    error = CredentialError(f"Incorrect key {CANARY}.", remedy=f"Change {CANARY}.")
    inner = ScriptedProvider(["hello", "streamed", error])
    provider = RedactingProvider(inner, redactor())
    request = CompletionRequest(model="scripted/model", messages=(user(CANARY),))
    await provider.complete(request)
    assert "".join([chunk.text async for chunk in provider.stream(request)]) == "streamed"
    with pytest.raises(CredentialError) as raised:
        await provider.complete(request)
    assert CANARY not in f"{raised.value!r}{raised.value}{raised.value.args}"
    assert all(CANARY not in repr(asked) for asked in inner.requests)
    assert provider.name == "scripted"
    assert len(await provider.models()) == 1
    await provider.aclose()
    assert inner.closed
    vectors = Vectors()
    await RedactingProvider(vectors, redactor()).embed("v/m", [CANARY])
    assert vectors.texts == ["[redacted:acme]"]


async def test_a_result_is_hidden_before_a_guard_sees_it() -> None:
    """Text and structure; other parts pass."""
    image = Image(url="https://example.org/x.png")
    result = ToolResult(
        call_id="1", name=TOOL.name, content=(Text(CANARY), image), structured={"token": [CANARY]}
    )
    tools = ScriptedExecutor({TOOL.name: result})
    inner = RedactingExecutor(tools, redactor())
    call, context = ToolCall(id="1", name=TOOL.name), make_call(kind=CallKind.TOOL, name=TOOL.name)
    shown = await inner.execute(call, context)
    assert shown.text == "[redacted:acme]"
    assert shown.content[1] == image
    assert shown.structured == {"token": ["[redacted:acme]"]}
    assert (await inner.prepare(call, context)).tool.name == TOOL.name
    tools.results[TOOL.name] = ApprovalDeniedError(f"No {CANARY}.")
    with pytest.raises(ApprovalDeniedError, match=r"No \[redacted:acme\]"):
        await inner.execute(call, context)


async def test_a_provider_is_made_once_however_many_ask_first() -> None:
    """Two tasks at the same moment share it; closing what was never made does nothing."""
    made: list[ScriptedProvider] = []

    async def make() -> ScriptedProvider:
        await asyncio.sleep(0)
        made.append(ScriptedProvider(["x"], repeat=True))
        return made[-1]

    lazy = LazyProvider("scripted", make)
    await lazy.aclose()
    await asyncio.gather(*(lazy.complete(ASKED) for _ in range(8)))
    assert len(made) == 1
    assert [chunk.text async for chunk in lazy.stream(ASKED)]
    assert len(await lazy.models()) == 1
    await lazy.aclose()
    assert made[0].closed


async def test_stated_facts_replace_what_a_provider_says() -> None:
    """Only those that are stated, only of that model."""
    inner = ScriptedProvider(["x", "y"])
    facts = {"scripted/model": ModelSettings(context_tokens=77), "scripted/other": ModelSettings()}
    provider = DescribedProvider(inner, facts)
    (model,) = await provider.models()
    assert model.context_tokens == 77
    assert (await DescribedProvider(inner, {}).models())[0].context_tokens != 77
    assert (await provider.complete(ASKED)).text == "x"
    assert [chunk.text async for chunk in provider.stream(ASKED)]
    vectors = Vectors()
    await DescribedProvider(vectors, facts).embed("v/m", ["a"])
    assert vectors.texts == ["a"]
    await provider.aclose()
    assert inner.closed
