"""Two sequencers alive at once: whatever one of them still believes, the log has one order."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from interlock_core.call import Principal
from interlock_core.clock import SystemClock
from interlock_core.errors import AuditUnavailableError
from interlock_core.store import Database, Params, Row, Store, Transaction
from interlock_core.testing import postgres_database
from interlock_security import BRANCH, AuditLog

USER = Principal(user="u")


class Slow:
    """A store whose transactions stop before they write, as those of a process that was put to sleep.

    Args:
        inner: The store.
        lock: Under which lock it writes; another than the log's own is a fence that failed.
    """

    def __init__(self, inner: Store, *, lock: str | None = None) -> None:
        self.dialect: Literal["sqlite", "postgresql"] = inner.dialect
        self.asleep = asyncio.Event()
        self.woken = asyncio.Event()
        self._inner = inner
        self._lock = lock
        self.execute = inner.execute
        self.fetch_all = inner.fetch_all
        self.fetch_one = inner.fetch_one
        self.drift = inner.drift
        self.aclose = inner.aclose

    @asynccontextmanager
    async def transaction(self, *, lock: str = "store") -> AsyncGenerator[Transaction, None]:
        """A transaction that sleeps between what it read and what it writes."""
        async with self._inner.transaction(lock=self._lock or lock) as transaction:
            yield _SlowTransaction(transaction, self)


class _SlowTransaction:
    def __init__(self, inner: Transaction, slow: Slow) -> None:
        self._inner = inner
        self._slow = slow
        self.execute = inner.execute
        self.execute_many = inner.execute_many
        self.fetch_all = inner.fetch_all
        self.fetch_one = inner.fetch_one

    async def copy_rows(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Sleep, then write."""
        self._slow.asleep.set()
        await self._slow.woken.wait()
        await self._inner.copy_rows(table, columns, rows)


def slow_log(database: Database, home: Path) -> AuditLog:
    """A log on such a store."""
    return AuditLog(Store(database, clock=SystemClock()), home=home, witness=None)


@pytest.fixture
async def pg() -> AsyncGenerator[str, None]:
    """An empty PostgreSQL database with this part's tables."""
    async with postgres_database() as made:
        await (await Store.open(made, branches=[BRANCH])).aclose()
        yield made


TERMINATE = (
    "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle in transaction'"
)


@pytest.mark.promise("A2")
async def test_a_sleeper_whose_lock_was_taken_away_cannot_write_when_it_wakes(pg: str, home: Path) -> None:
    """The server gave its lock to another; what it wakes up to write is refused, and forks nothing."""
    store, other = await Store.open(pg, branches=[BRANCH]), await Store.open(pg, branches=[BRANCH])
    fresh = AuditLog(other, home=home, witness=None)
    await fresh.note("test.note", USER, {"n": 0})
    sleeper = Slow(store)
    stale = slow_log(sleeper, home)
    writing = asyncio.create_task(stale.note("test.stale", USER, {}))
    await sleeper.asleep.wait()
    assert len(await other.fetch_all(TERMINATE)) == 1
    for number in range(3):
        await fresh.note("test.note", USER, {"n": number})
    sleeper.woken.set()
    with pytest.raises(AuditUnavailableError):
        await writing
    assert (await stale.note("test.awake", USER, {})).index == 4
    report = await fresh.verify()
    assert (report.ok, report.records) == (True, 5)
    assert "test.stale" not in {record.kind for record in await fresh.tail(10)}
    await store.aclose()
    await other.aclose()


@pytest.mark.promise("A2")
async def test_two_sequencers_whose_lock_does_not_hold_do_not_fork_the_log(pg: str, home: Path) -> None:
    """Both read the same end and write at once: one is refused by the store itself."""
    first, second = await Store.open(pg, branches=[BRANCH]), await Store.open(pg, branches=[BRANCH])
    plain = AuditLog(second, home=home, witness=None)
    await plain.note("test.note", USER, {})
    stores = [Slow(first, lock="mine"), Slow(second, lock="yours")]
    logs = [slow_log(slow, home) for slow in stores]
    for _ in range(8):
        writing = [asyncio.create_task(log.note("test.twin", USER, {})) for log in logs]
        for slow in stores:
            await slow.asleep.wait()
        for slow in stores:
            slow.woken.set()
        results = await asyncio.gather(*writing, return_exceptions=True)
        assert sorted(isinstance(result, AuditUnavailableError) for result in results) == [False, True]
        for slow in stores:
            slow.asleep.clear()
            slow.woken.clear()
    report = await plain.verify()
    assert (report.ok, report.records) == (True, 9)
    await first.aclose()
    await second.aclose()


@pytest.mark.promise("A2")
async def test_a_sleeper_on_sqlite_keeps_the_lock_and_the_others_wait(store: Store, home: Path) -> None:
    """The file's lock ends with the process alone: nobody can pass a sleeper, and it forks nothing."""
    sleeper = Slow(store)
    stale = slow_log(sleeper, home)
    writing = asyncio.create_task(stale.note("test.first", USER, {}))
    await sleeper.asleep.wait()
    log = AuditLog(store, home=home, witness=None)
    waiting = asyncio.create_task(log.note("test.second", USER, {}))
    sleeper.woken.set()
    assert ((await writing).index, (await waiting).index) == (0, 1)
    assert (await log.verify()).ok


async def test_a_log_that_is_rolled_back_while_it_is_written_is_not_continued(
    store: Store, home: Path
) -> None:
    """The process remembers how far the log had come, without any witness."""
    log = AuditLog(store, home=home, witness=None)
    await log.note("test.note", USER, {})
    state = await store.fetch_one("SELECT size, nodes, leaf, checkpoint FROM audit_state")
    assert state is not None
    await log.note("test.note", USER, {})
    await store.execute("DELETE FROM audit_records WHERE idx = 1")
    await store.execute("UPDATE audit_state SET size = ?, nodes = ?, leaf = ?, checkpoint = ?", state)
    with pytest.raises(AuditUnavailableError, match="shorter"):
        await log.note("test.note", USER, {})
    await log.aclose()


async def test_a_state_that_was_set_back_under_a_writers_hands_is_not_continued(
    store: Store, home: Path
) -> None:
    """What it read is not what is there when it writes."""

    class Meddling(_SlowTransaction):
        """Somebody else writes in between."""

        async def copy_rows(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
            """Change the state row, as a process without the lock would."""
            await self._inner.copy_rows(table, columns, rows)
            await self._inner.execute("UPDATE audit_state SET size = size + 1", _NONE)

    class Meddler(Slow):
        """A store with such transactions."""

        @asynccontextmanager
        async def transaction(self, *, lock: str = "store") -> AsyncGenerator[Transaction, None]:
            """A transaction that is meddled with."""
            async with store.transaction(lock=lock) as transaction:
                yield Meddling(transaction, self)

    log = slow_log(Meddler(store), home)
    with pytest.raises(AuditUnavailableError, match="another process"):
        await log.note("test.note", USER, {})
    report = await AuditLog(store, home=home, witness=None).verify()
    assert (report.ok, report.records) == (True, 0)


_NONE: Params = ()
