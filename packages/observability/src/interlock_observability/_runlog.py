"""A log of what happens, one JSON object a line; nothing is written until somebody says where."""

from collections.abc import Callable

from interlock_core import Call, Clock, Event, Outcome, Redactor, SystemClock
from interlock_core.jsontypes import Json, JsonObject, dump_json


class RunLog:
    """Writes each event of a run and each recorded call as a line of JSON.

    A `Recorder`. Without `write` it does nothing. Words of users and models are in it only as far as an
    event holds them; the redactor sees every line before it is written.

    Args:
        write: Takes a line, without its end; an `OSError` of it is counted, never raised.
        redactor: Hides what must not be seen.
        clock: Its wall time dates calls.

    Attributes:
        failed: Lines that could not be written.
    """

    def __init__(
        self,
        write: Callable[[str], None] | None = None,
        *,
        redactor: Redactor | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._write = write
        self._redactor = redactor
        self._clock = clock or SystemClock()
        self.failed = 0

    def event(self, event: Event) -> None:
        """Write one event of a run."""
        if self._write is not None:
            self._line({"at": event.at, "event": event.kind.value, "run": event.run, "data": event.data})

    def record(self, call: Call, outcome: Outcome) -> None:
        """Write one call that ended."""
        if self._write is not None:
            self._line(_call_json(call, outcome, self._clock.now()))

    def _line(self, value: JsonObject) -> None:
        assert self._write is not None
        hidden: Json = value if self._redactor is None else self._redactor.json(value)
        try:
            self._write(dump_json(hidden))
        except (OSError, ValueError):
            self.failed += 1


def _call_json(call: Call, outcome: Outcome, at: float) -> JsonObject:
    usage = outcome.usage
    return {
        "at": at,
        "event": f"call.{call.kind.value}",
        "run": call.run,
        "call": call.id,
        "trace": call.trace_id,
        "user": call.principal.user,
        "agent": call.agent,
        "name": call.name,
        "model": outcome.model,
        "task": outcome.task,
        "ok": outcome.ok,
        "error": outcome.error,
        "cancelled": outcome.cancelled,
        "duration_s": outcome.duration_s,
        "first_token_s": outcome.first_token_s,
        "attempts": outcome.attempts,
        "input_tokens": None if usage is None else usage.input_tokens,
        "output_tokens": None if usage is None else usage.output_tokens,
        "cost_usd": None if outcome.cost is None else outcome.cost.as_usd,
    }
