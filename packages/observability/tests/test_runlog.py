"""The log of runs says nothing until it is told where, and hides what must be hidden."""

import json

from interlock_core import Event, EventKind, Money, Outcome, Usage
from interlock_core.testing import FakeClock, PlainRedactor, make_call
from interlock_observability import RunLog

EVENT = Event(
    kind=EventKind.TOOL_STARTED, run="run_1", at=12.5, data={"tool": "git.issue", "token": "hunter2"}
)


def test_it_does_nothing_until_configured() -> None:
    """No file, no console, no cost."""
    log = RunLog()
    log.event(EVENT)
    log.record(make_call(), Outcome(ok=True))
    assert log.failed == 0


def test_each_event_and_each_call_is_one_line_of_json() -> None:
    """With the ids that join them."""
    lines: list[str] = []
    log = RunLog(lines.append, clock=FakeClock(now=20.0))
    log.event(EVENT)
    outcome = Outcome(
        ok=True, model="a/m", usage=Usage(input_tokens=3), cost=Money.usd("0.5"), duration_s=1.5
    )
    log.record(make_call("a/m"), outcome)
    log.record(make_call("git.issue"), Outcome(ok=False, error="overloaded"))
    event, call, failed = (json.loads(line) for line in lines)
    assert (event["event"], event["run"], event["at"]) == ("tool.started", "run_1", 12.5)
    assert (call["event"], call["model"], call["cost_usd"], call["input_tokens"], call["at"]) == (
        "call.model",
        "a/m",
        0.5,
        3,
        20.0,
    )
    assert (failed["ok"], failed["error"], failed["cost_usd"]) == (False, "overloaded", None)


def test_what_must_be_hidden_is_hidden_before_it_is_written() -> None:
    """The redactor sees every line."""
    lines: list[str] = []
    RunLog(lines.append, redactor=PlainRedactor("hunter2")).event(EVENT)
    assert "hunter2" not in lines[0]
    assert "[hidden]" in lines[0]


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    """A full disk, a number that JSON has not: counted."""

    def full(line: str) -> None:
        raise OSError("No space left.")

    log = RunLog(full)
    log.event(EVENT)
    RunLog(full).event(EVENT)
    assert log.failed == 1
    odd = RunLog(lambda line: None)
    odd.record(make_call(), Outcome(ok=True, duration_s=float("nan")))
    assert odd.failed == 1
