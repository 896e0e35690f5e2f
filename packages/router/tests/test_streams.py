"""Streams: a fall back that nobody sees, and none after the first token."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest

from interlock_core import (
    Call,
    Chunk,
    CompletionRequest,
    FinishReason,
    ModelInfo,
    Money,
    Outcome,
    ToolCallDelta,
    ToolSpec,
    Usage,
)
from interlock_core.errors import InterlockError, InvalidRequestError, ProtocolError, UpstreamConnectionError
from interlock_core.testing import FakeClock, RecordingRecorder, ScriptedProvider, make_call
from interlock_router import MoERouter, Policy, RouterOptions
from interlock_router.testing import model_info, prompt

A, B = "a/m", "b/m"
BY_PRICE = RouterOptions(policies=(Policy(name="default", price=1),), failure_threshold=2)
ROLE = Chunk(model=A, id="1")
WORD = Chunk(text="Lima")
END = Chunk(finish=FinishReason.STOP, usage=Usage(input_tokens=5, output_tokens=1))
BREAK = UpstreamConnectionError("The connection broke.")


def fleet(
    *streams: list[Chunk | InterlockError] | InterlockError, recorder: RecordingRecorder | None = None
) -> tuple[MoERouter, list[ScriptedProvider]]:
    """Providers a, b …, each dearer than the one before, each with one stream."""
    providers = [
        ScriptedProvider([stream], name=name, models=[priced(f"{name}/m", number)], repeat=True)
        for number, (name, stream) in enumerate(zip("abc", streams, strict=False))
    ]
    return MoERouter(providers, options=BY_PRICE, recorder=recorder, clock=FakeClock()), providers


def priced(model: str, number: int) -> ModelInfo:
    """A model that is dearer the higher its number."""
    return model_info(model, usd=(10.0**number, 10.0**number))


async def drain(stream: AsyncGenerator[Chunk, None]) -> list[Chunk]:
    """Every chunk."""
    async with aclosing(stream) as chunks:
        return [chunk async for chunk in chunks]


def outcome(call: Call) -> Outcome:
    """What became of a call."""
    assert call.ending.outcome is not None
    return call.ending.outcome


async def test_a_stream_goes_through_with_the_decision_on_its_first_chunk() -> None:
    """The rest is passed on untouched, but for the price of its usage."""
    one, _ = fleet([ROLE, WORD, END])
    call = make_call("auto")
    chunks = await drain(one.stream(prompt(), call))
    assert [chunk.text for chunk in chunks] == ["", "Lima", ""]
    assert chunks[0].decision is not None
    assert chunks[0].decision.chosen == A
    assert chunks[0].model == A
    assert chunks[1] is WORD
    assert chunks[2].cost == Money(6)
    assert outcome(call) == Outcome(
        ok=True,
        model=A,
        task="question_answering",
        usage=Usage(input_tokens=5, output_tokens=1),
        cost=Money(6),
        first_token_s=0.0,
    )


@pytest.mark.promise("R3")
@pytest.mark.parametrize(
    "broken",
    [BREAK, [BREAK], [ROLE, BREAK], [ROLE], []],
    ids=["refused", "at once", "after role", "silent", "empty"],
)
async def test_a_stream_that_breaks_before_its_first_token_falls_back_unseen(
    broken: list[Chunk | InterlockError] | InterlockError,
) -> None:
    """Not even the first model's empty opening chunk is passed on; attempts are counted on every chunk."""
    recorder = RecordingRecorder()
    one, providers = fleet(broken, [WORD, END], recorder=recorder)
    call = make_call("auto")
    chunks = await drain(one.stream(prompt(), call))
    assert [chunk.text for chunk in chunks] == ["Lima", ""]
    assert {chunk.attempts for chunk in chunks} == {2}
    assert chunks[0].model == B
    assert chunks[0].decision is not None
    assert f"Fell back from {A}" in chunks[0].decision.reason
    assert (outcome(call).model, outcome(call).attempts, outcome(call).ok) == (B, 2, True)
    assert [record.model for _, record in recorder.records] == [A]
    assert len(providers[0].requests) == 1


@pytest.mark.promise("R3")
@pytest.mark.parametrize(
    "first",
    [
        WORD,
        Chunk(reasoning="Hm."),
        Chunk(refusal="No."),
        Chunk(tool_calls=(ToolCallDelta(index=0, id="1", name="t"),)),
        END,
    ],
    ids=["text", "reasoning", "refusal", "tool call", "end"],
)
async def test_after_the_first_token_there_is_no_fall_back(first: Chunk) -> None:
    """The caller has seen it; a second answer would be glued to the first."""
    one, providers = fleet([first, BREAK], [WORD, END])
    call = make_call("auto")
    stream = one.stream(prompt(), call)
    begun = await anext(stream)
    assert begun.decision is not None
    with pytest.raises(UpstreamConnectionError):
        await anext(stream)
    assert providers[1].requests == []
    assert (outcome(call).model, outcome(call).error) == (A, "upstream_connection")
    assert outcome(call).first_token_s == 0.0
    assert one.health() == {A: "closed"}


async def test_a_wrong_request_ends_a_stream_at_once() -> None:
    """As it ends a whole answer."""
    one, providers = fleet(InvalidRequestError("No such field."), [WORD, END])
    with pytest.raises(InvalidRequestError):
        await drain(one.stream(prompt()))
    assert providers[1].requests == []


async def test_a_named_models_silence_is_an_error() -> None:
    """There is no other to fall back to."""
    one, _ = fleet([ROLE])
    with pytest.raises(ProtocolError, match="ended its answer before it began"):
        await drain(one.stream(prompt(model=A)))


async def test_what_a_provider_sent_before_its_first_token_is_kept_in_order() -> None:
    """Held, not lost: a client may need the opening event."""
    opening = [replace(ROLE, id=str(number)) for number in range(3)]
    one, _ = fleet([*opening, WORD, END])
    chunks = await drain(one.stream(prompt()))
    assert [chunk.id for chunk in chunks] == ["0", "1", "2", "", ""]
    assert [chunk.decision is not None for chunk in chunks] == [True, False, False, False, False]


async def test_leaving_a_stream_early_closes_the_upstream_and_says_so() -> None:
    """The usage so far is kept; nobody's health suffers."""
    early = Chunk(text="Li", usage=Usage(input_tokens=5))
    one, providers = fleet([early, WORD, END])
    call = make_call("auto")
    async with aclosing(one.stream(prompt(), call)) as stream:
        await anext(stream)
    assert providers[0].closed_early == 1
    assert outcome(call).cancelled
    assert outcome(call).usage == Usage(input_tokens=5)
    assert one.health() == {}


async def test_cancelling_whoever_reads_closes_the_upstream() -> None:
    """While it waits for the next word."""
    closed, waiting = asyncio.Event(), asyncio.Event()

    class Endless(ScriptedProvider):
        async def stream(
            self, request: CompletionRequest, call: Call | None = None
        ) -> AsyncGenerator[Chunk, None]:
            try:
                yield WORD
                waiting.set()
                await asyncio.Event().wait()
            finally:
                closed.set()

    one = MoERouter([Endless(name="a", models=[model_info(A)])])
    call = make_call("auto")
    task = asyncio.ensure_future(drain(one.stream(prompt(), call)))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()
    assert outcome(call).cancelled
    assert outcome(call).first_token_s is not None


async def test_tool_calls_of_a_stream_are_put_together_and_checked() -> None:
    """Two calls whose pieces come mixed; one of them breaks its schema."""
    tool = ToolSpec(
        name="git.issue",
        parameters={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    )
    pieces: list[Chunk | InterlockError] = [
        Chunk(tool_calls=(ToolCallDelta(index=0, id="1", name="git.issue"),)),
        Chunk(tool_calls=(ToolCallDelta(index=1, id="2", name="git.issue", arguments='{"n"'),)),
        Chunk(
            tool_calls=(
                ToolCallDelta(index=0, arguments='{"n": 1}'),
                ToolCallDelta(index=1, arguments=': "x"}'),
            )
        ),
        END,
    ]
    one, _ = fleet(pieces)
    call = make_call("auto")
    await drain(one.stream(replace(prompt(), tools=(tool,)), call))
    assert (outcome(call).tool_calls, outcome(call).tool_calls_valid) == (2, 1)


async def test_attempts_that_a_provider_made_itself_are_added() -> None:
    """It retried twice before it streamed."""
    one, _ = fleet(BREAK, [replace(WORD, attempts=3), replace(END, attempts=3)])
    call = make_call("auto")
    chunks = await drain(one.stream(prompt(), call))
    assert {chunk.attempts for chunk in chunks} == {4}
    assert outcome(call).attempts == 4


async def test_a_price_that_the_provider_told_stays_on_its_chunk() -> None:
    """The router fills gaps; it does not correct."""
    one, _ = fleet([WORD, replace(END, cost=Money(99))])
    chunks = await drain(one.stream(prompt()))
    assert chunks[-1].cost == Money(99)
