"""A guard that times each call and has it recorded."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from interlock_core import Call, Clock, Outcome, Recorder, SystemClock


class MetricsGuard:
    """Records what became of each call: good, failed, refused by a guard further in, or left by the client.

    It refuses nothing. Where whoever makes the call wrote an outcome, that is recorded, with the guard's own
    time if it has none; an error without one is recorded as such; an end without either as a success of
    unknown usage and price.

    Args:
        recorder: Takes the records.
        clock: Its monotonic time measures.
    """

    def __init__(self, recorder: Recorder, *, clock: Clock | None = None) -> None:
        self._recorder = recorder
        self._clock = clock or SystemClock()

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncGenerator[None, None]:
        """The context in which a call is made."""
        began = self._clock.monotonic()
        try:
            yield
        except BaseException as error:
            self._record(call, began, error)
            raise
        else:
            self._record(call, began, None)

    def _record(self, call: Call, began: float, error: BaseException | None) -> None:
        took = self._clock.monotonic() - began
        outcome = call.ending.outcome
        if outcome is None or (error is not None and outcome.ok):
            outcome = Outcome(ok=True) if error is None else Outcome.failure(error)
        if not outcome.duration_s:
            outcome = replace(outcome, duration_s=took)
        self._recorder.record(call, outcome)
