"""Finds out what a cell of the matrix is, by asking."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from interlock_core import Completion, CompletionRequest
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import InvalidRequestError, UpstreamRateLimitError
from interlock_core.jsontypes import JsonObject, as_object
from interlock_core.messages import Text, ToolResult, tool_results, user
from interlock_core.testing import Answer, LoopbackServer
from interlock_providers.testing import Failure, Say, SimulatedVendor, Thought, ToolUse

from .matrix_columns import Bench
from .matrix_features import ASKED, FEATURES, HELLO, PARIS, WEATHER, Feature
from .matrix_options import MORE
from .matrix_wire import Check, both, holds, wires

Form: TypeAlias = Literal["whole", "streamed"]
Verdict: TypeAlias = Literal["native", "emulated", "refused", "absent", "silent"]
"""What a cell is; `silent` is what none may be: asked for, and neither done nor said."""

ROWS: Mapping[str, Feature] = {**FEATURES, **MORE}
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell is.

    Attributes:
        verdict: In a word.
        sentences: What the caller is told: what was adapted, or why it was refused.
        bodies: What the vendor was sent.
    """

    verdict: Verdict
    sentences: tuple[str, ...] = ()
    bodies: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, and its bytes as they came.

    Attributes:
        completion: The answer.
        raw: The vendor's bytes.
    """

    completion: Completion
    raw: bytes


async def ask(bench: Bench, request: CompletionRequest, form: Form) -> Told:
    """Ask, whole or streamed; a stream is put together."""
    asked = replace(request, model=bench.column.id)
    if form == "whole":
        completion = await bench.provider.complete(asked)
        return Told(completion, completion.raw.body if completion.raw else b"")
    assembler = CompletionAssembler()
    raw: list[bytes] = []
    async with aclosing(bench.provider.stream(asked)) as chunks:
        async for chunk in chunks:
            assembler.feed(chunk)
            raw.append(chunk.raw.body if chunk.raw else b"")
    return Told(assembler.completion(created=0), b"".join(raw))


def server_of(bench: Bench) -> SimulatedVendor:
    """The simulated vendor."""
    assert bench.server is not None
    return bench.server


async def find(name: str, bench: Bench, form: Form) -> Cell:
    """What a cell of a vendor behind HTTP is."""
    server = server_of(bench)
    server.forget()
    before = len(server.requests)
    try:
        cell = await _SPECIAL[name](bench, form) if name in _SPECIAL else await _one(name, bench, form)
    except InvalidRequestError as error:
        # A vendor that was asked is no refusal of ours.
        silent = len(server.requests) > before or error.vendor_status is not None
        return Cell("silent" if silent else "refused", (str(error),))
    bodies = tuple(request.body for request in server.requests[before:])
    return replace(cell, bodies=cell.bodies or bodies)


async def _one(name: str, bench: Bench, form: Form) -> Cell:
    feature, column, server = ROWS[name], bench.column.name, server_of(bench)
    before = len(server.requests)
    server.then(feature.said_by.get(column, feature.said))
    told = await ask(bench, feature.by_column.get(column, feature.request), form)
    body = as_object(server.requests[-1].json())
    assert len(server.requests) == before + 1, "the vendor was asked more than once"
    return judged(feature, column, told, body)


def judged(feature: Feature, column: str, told: Told, body: JsonObject) -> Cell:
    """What the request and the answer show."""
    completion, adapted = told.completion, told.completion.adapted
    heard = feature.heard(completion)
    if feature.marker is not None and not heard:
        lost = feature.marker in told.raw or not told.raw
        return Cell("silent" if lost else "absent", (f"The answer is {completion.message}.",) if lost else ())
    if not heard:
        return Cell("silent", (f"The answer came back otherwise: {completion.message}.", *adapted))
    if adapted:
        other = feature.other.get(column)
        if other is not None and not other(body):
            return Cell("silent", ("It is said, and not done.", *adapted))
        return Cell("emulated", adapted)
    if feature.marker is None and column in feature.wire and feature.wire[column](body):
        return Cell("native")
    return Cell("native" if feature.marker is not None else "silent")


_BACK: Mapping[str, Check] = {
    **wires(
        responses=holds("input.*", {"type": "reasoning", "encrypted_content": "c2VhbGVk"}),
        anthropic=holds(
            "messages.1.content.0",
            {"type": "thinking", "thinking": "I thought.", "signature": "c2VhbGVk"},
        ),
        mistral=both(
            holds("messages.1.content.0", {"type": "thinking", "signature": "c2VhbGVk"}),
            holds("messages.1.content.0.thinking.0.text", "I thought."),
        ),
        cohere=holds("messages.1.content.0", {"type": "thinking", "thinking": "I thought."}),
    ),
    "compatible": holds("messages.1.reasoning_content", "I thought."),
}


async def _reasoning_back(bench: Bench, form: Form) -> Cell:
    """A turn in which the model thinks and calls, and the next, which takes both back."""
    server = server_of(bench)
    thought = Thought("I thought.", sealed="c2VhbGVk")
    server.then(Say(reasoning=(thought,), calls=(ToolUse("weather", PARIS),)), Say(HELLO))
    asked = replace(ASKED, tools=(WEATHER,))
    first = await ask(bench, asked, form)
    call = first.completion.message.tool_calls[0]
    result = ToolResult(call_id=call.id, name=call.name, content=(Text("21 degrees"),))
    said = (user("Say hello."), first.completion.message, tool_results([result]))
    told = await ask(bench, replace(asked, messages=said), form)
    wire = {bench.column.name: _BACK[bench.column.name]} if bench.column.name in _BACK else {}
    return judged(Feature(request=ASKED, wire=wire), bench.column.name, told, _body(server))


def _body(server: SimulatedVendor) -> JsonObject:
    return as_object(server.requests[-1].json())


async def _rate_limit(bench: Bench, form: Form) -> Cell:
    """The vendor's limit comes back as such, with the time that it named."""
    server_of(bench).then(Failure.rate_limit(retry_after=7))
    try:
        await ask(bench, ASKED, form)
    except UpstreamRateLimitError as error:
        right = (error.retry_after, error.status) == (7.0, 429)
        return Cell("native" if right else "silent", () if right else (str(error),))
    return Cell("silent", ("No error.",))


async def _cancellation(bench: Bench, form: Form) -> Cell:
    """Whoever asks goes away while the vendor is silent: its connection closes."""
    if form == "streamed":
        server = server_of(bench)
        server.then(Say("Hello", hold=True))
        async with aclosing(bench.provider.stream(replace(ASKED, model=bench.column.id))) as chunks:
            async for chunk in chunks:
                if chunk.text:
                    break
        await asyncio.wait_for(server.client_left.wait(), PATIENCE)
        return Cell("native")
    came = asyncio.Event()

    async def silent(_: object) -> Answer:
        came.set()
        await asyncio.Event().wait()
        return Answer()

    async with LoopbackServer(silent) as mute:
        provider = bench.column.build(mute.url, bench.carrier)
        asking = asyncio.create_task(provider.complete(replace(ASKED, model=bench.column.id)))
        await came.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.wait_for(mute.client_left.wait(), PATIENCE)
        await provider.aclose()
    return Cell("native")


async def _embeddings(bench: Bench, form: Form) -> Cell:
    """Two texts, two vectors, counted and priced; vectors are never streamed."""
    if form == "streamed":
        return Cell("absent")
    made = await bench.provider.embed(f"{bench.column.provider}/{bench.column.embedding}", ["one", "two"])
    body = _body(server_of(bench))
    wire = wires(same=holds("input", ["one", "two"]), cohere=holds("texts", ["one", "two"]))
    right = len(made.vectors) == 2 and made.usage is not None and made.usage.input_tokens > 0
    priced = made.cost is not None and made.cost.micro_usd > 0
    return Cell("native" if right and priced and wire[bench.column.name](body) else "silent")


_SPECIAL: Mapping[str, Callable[[Bench, Form], Awaitable[Cell]]] = {
    "reasoning_back": _reasoning_back,
    "rate_limit": _rate_limit,
    "cancellation": _cancellation,
    "embeddings": _embeddings,
}
