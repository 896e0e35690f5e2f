"""The guard times a call and records what became of it, whatever that is."""

import asyncio
from dataclasses import replace

import pytest

from interlock_core import Call, Guard, Outcome
from interlock_core.errors import OverloadedError, RateLimitedError
from interlock_core.testing import FakeClock, RecordingRecorder, make_call
from interlock_observability import MetricsGuard


def guarded() -> tuple[MetricsGuard, RecordingRecorder, FakeClock]:
    """A guard, its recorder and its clock."""
    recorder, clock = RecordingRecorder(), FakeClock()
    return MetricsGuard(recorder, clock=clock), recorder, clock


async def fail_within(guard: Guard, call: Call, clock: FakeClock, outcome: Outcome | None) -> None:
    """A call that takes two seconds, writes an outcome and fails."""
    async with guard.around(call):
        clock.advance(2)
        call.ending.outcome = outcome
        raise OverloadedError("Full.")


async def test_it_is_a_guard_like_any_other() -> None:
    """The runtime puts it among them."""
    guard: Guard = guarded()[0]
    async with guard.around(make_call()):
        assert guard is not None


@pytest.mark.promise("M1")
async def test_the_outcome_that_was_written_is_recorded_with_its_time() -> None:
    """The guard's own time where it has none."""
    guard, recorder, clock = guarded()
    for written, seconds in ((0.0, 3.0), (1.5, 1.5)):
        call = make_call()
        async with guard.around(call):
            clock.advance(3)
            call.ending.outcome = Outcome(ok=True, model="a/m", duration_s=written)
        recorded_call, outcome = recorder.records.pop()
        assert recorded_call is call
        assert (outcome.model, outcome.duration_s) == ("a/m", seconds)


@pytest.mark.promise("M1")
async def test_an_error_is_recorded_and_passes_through() -> None:
    """With what the maker of the call wrote of it, else by its class."""
    guard, recorder, clock = guarded()
    written = Outcome(ok=False, error="overloaded", model="a/m", attempts=3)
    for outcome, model in ((written, "a/m"), (None, None), (Outcome(ok=True), None)):
        call = make_call()
        with pytest.raises(OverloadedError):
            await fail_within(guard, call, clock, outcome)
        _, recorded = recorder.records.pop()
        assert (recorded.ok, recorded.error, recorded.model, recorded.duration_s) == (
            False,
            "overloaded",
            model,
            2.0,
        )


async def test_a_refusal_by_a_guard_further_in_is_recorded() -> None:
    """It never reached a model."""
    guard, recorder, _ = guarded()
    with pytest.raises(RateLimitedError):
        async with guard.around(make_call()):
            raise RateLimitedError("Too many.")
    assert recorder.records[0][1].error == "rate_limited"


@pytest.mark.promise("M1")
async def test_a_client_that_leaves_is_recorded_as_such() -> None:
    """Cancelled, not failed."""
    guard, recorder, _ = guarded()
    entered = asyncio.Event()

    async def work() -> None:
        async with guard.around(make_call()):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert recorder.records[0][1].cancelled


async def test_an_end_without_words_is_a_success_of_unknown_price() -> None:
    """Nobody said otherwise."""
    guard, recorder, clock = guarded()
    async with guard.around(make_call()):
        clock.advance(1)
    _, outcome = recorder.records[0]
    assert outcome == replace(Outcome(ok=True), duration_s=1.0)
