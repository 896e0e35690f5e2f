"""The guard around calls: intent before, outcome after, nothing without a record."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from interlock_core.call import Call, CallKind, Outcome
from interlock_core.errors import AuditUnavailableError, OverloadedError
from interlock_core.testing import make_call
from interlock_core.toolspec import Effect
from interlock_security import AuditGuard, AuditLog

WRITE = make_call("github.createIssue", kind=CallKind.TOOL, effect=Effect.WRITE)
READ = make_call("github.listIssues", kind=CallKind.TOOL, effect=Effect.READ)


def fresh(call: Call) -> Call:
    """The same call with an ending of its own."""
    return make_call(call.name, kind=call.kind, effect=call.effect)


def break_store(database: Path) -> None:
    """Take the log's table away."""
    with sqlite3.connect(database) as raw:
        raw.execute("ALTER TABLE audit_records RENAME TO audit_elsewhere")
    raw.close()


@pytest.mark.promise("A1")
@pytest.mark.parametrize("call", [WRITE, READ])
async def test_the_intent_is_durable_before_the_call_and_the_outcome_after(log: AuditLog, call: Call) -> None:
    """Reads are recorded as well."""
    call = fresh(call)
    async with AuditGuard(log).around(call):
        assert len(await log.open_intents()) == 1
        call.ending.outcome = Outcome(ok=True, summary="created 7")
    assert await log.open_intents() == ()
    outcome = (await log.tail(1))[0]
    assert (outcome.kind, outcome.data["summary"]) == ("outcome", "created 7")


async def test_a_call_that_says_nothing_of_its_end_ended_well(log: AuditLog) -> None:
    """It left without an error, and the guard took the time."""
    async with AuditGuard(log).around(fresh(WRITE)):
        pass
    assert (await log.tail(1))[0].data["ok"] is True


async def test_an_error_is_the_outcome_and_passes_through(log: AuditLog) -> None:
    """Also when the call had said that it was well."""
    for told in (None, Outcome(ok=True)):
        with pytest.raises(OverloadedError):
            await overloaded(log, told)
        record = (await log.tail(1))[0]
        assert (record.data["ok"], record.data["error"]) == (False, "overloaded")


async def overloaded(log: AuditLog, told: Outcome | None) -> None:
    """A call that fails, whatever it said of itself."""
    call = fresh(WRITE)
    async with AuditGuard(log).around(call):
        call.ending.outcome = told
        raise OverloadedError("busy")


async def test_models_are_recorded_only_when_asked_for(log: AuditLog) -> None:
    """By default there are no records of completions."""
    async with AuditGuard(log).around(make_call()):
        pass
    assert await log.tail(1) == ()
    async with AuditGuard(log, models=True).around(make_call()):
        pass
    assert len(await log.tail(5)) == 2


async def test_reads_can_be_left_out_and_writes_cannot(log: AuditLog) -> None:
    """`reads=False` is about reads alone."""
    guard = AuditGuard(log, reads=False)
    async with guard.around(fresh(READ)):
        pass
    assert await log.tail(1) == ()
    async with guard.around(fresh(WRITE)):
        pass
    assert len(await log.tail(5)) == 2


@pytest.mark.promise("A3")
@pytest.mark.parametrize(
    ("call", "fail_open", "made"),
    [(WRITE, False, False), (WRITE, True, False), (READ, False, False), (READ, True, True)],
)
async def test_without_a_record_nothing_with_side_effects_is_done(
    log: AuditLog, database: Path, call: Call, fail_open: bool, made: bool
) -> None:
    """Only a read goes on, and only where that is configured."""
    break_store(database)
    reached: list[str] = []
    try:
        async with AuditGuard(log, reads_fail_open=fail_open).around(fresh(call)):
            reached.append("made")
    except AuditUnavailableError:
        reached.append("refused")
    assert reached == (["made"] if made else ["refused"])


async def test_an_outcome_that_cannot_be_recorded_leaves_the_intent_open(
    log: AuditLog, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The call has happened: its caller gets its result, and the log tells the truth."""
    async with AuditGuard(log).around(fresh(WRITE)):
        break_store(database)
    with sqlite3.connect(database) as raw:
        raw.execute("ALTER TABLE audit_elsewhere RENAME TO audit_records")
    raw.close()
    assert "is not recorded" in caplog.text
    report = await log.verify()
    assert (report.ok, len(report.notices)) == (True, 1)


async def test_a_cancelled_call_has_an_outcome(log: AuditLog) -> None:
    """The client left in the middle."""
    inside = asyncio.Event()

    async def run() -> None:
        async with AuditGuard(log).around(fresh(WRITE)):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await log.aclose()
    record = (await log.tail(1))[0]
    assert (record.kind, record.data["cancelled"], record.data["ok"]) == ("outcome", True, False)


async def test_a_call_cancelled_before_it_was_made_is_said_never_to_have_been_made(log: AuditLog) -> None:
    """Its intent is durable by then; no open intent is left to wonder about."""
    reached: list[str] = []

    async def run() -> None:
        async with AuditGuard(log).around(fresh(WRITE)):
            reached.append("made")

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await log.aclose()
    assert reached == []
    assert await log.open_intents() == ()
    assert (await log.tail(1))[0].data["error"] == "never_made"


async def test_a_stream_that_is_closed_early_has_an_outcome(log: AuditLog) -> None:
    """Leaving `around` waits for the record even while a generator is being closed."""

    async def stream() -> AsyncGenerator[str, None]:
        async with AuditGuard(log, models=True).around(make_call()):
            yield "a"
            yield "b"

    async with aclosing(stream()) as chunks:
        async for _ in chunks:
            break
    assert (await log.tail(1))[0].data["cancelled"] is True
