"""Counters in the store: for several processes of one machine on SQLite, or of many on PostgreSQL.

What waits together is settled in one transaction, at one moment, so that the disk is asked to be sure once
for many calls; those of one moment share one entry of a window.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from interlock_core.clock import Clock
from interlock_core.errors import StoreError
from interlock_core.store import Store, Transaction
from interlock_security.limits._claims import Answer, Claim, Correction
from interlock_security.limits._sheet import Sheet

_MOST_TOGETHER = 256
_CLEAN_EVERY_US = 60_000_000
_NOW = "SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000) AS BIGINT)"


@dataclass(slots=True, eq=False)
class _Take:
    """A call that wants to pass."""

    claims: Sequence[Claim]
    holder: str
    done: "asyncio.Future[Answer]"


@dataclass(slots=True, eq=False)
class _Change:
    """Corrections, or a holder's slots that are renewed or given back."""

    done: "asyncio.Future[None]"
    corrections: Sequence[Correction] = ()
    keys: Sequence[str] = ()
    holder: str = ""
    lease_us: int | None = None


class StoreBackend:
    """Counts in the tables of the store, by one clock: PostgreSQL's own, or this machine's on SQLite.

    Args:
        store: Holds the counters.
        clock: A time to be used in place of the database's, for tests.
    """

    def __init__(self, store: Store, *, clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock
        self._takes: list[_Take] = []
        self._changes: list[_Change] = []
        self._worker: asyncio.Task[None] | None = None
        self._cleaned = 0
        self._closed = False

    async def take(self, claims: Sequence[Claim], holder: str) -> Answer:
        """Charge every claim, or none."""
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._takes.append(_Take(claims, holder, done))
        self._start()
        return await done

    async def correct(self, corrections: Sequence[Correction]) -> None:
        """Change what was charged in windows."""
        await self._change(_Change(_future(), corrections=corrections))

    async def renew(self, keys: Sequence[str], holder: str, lease_us: int) -> None:
        """Let the leases of a holder that are still running begin anew."""
        await self._change(_Change(_future(), keys=keys, holder=holder, lease_us=lease_us))

    async def release(self, keys: Sequence[str], holder: str) -> None:
        """Give the slots of a holder back."""
        await self._change(_Change(_future(), keys=keys, holder=holder))

    async def aclose(self) -> None:
        """Finish what waits; what comes after is refused."""
        self._closed = True
        if self._worker is not None:
            await self._worker

    async def _change(self, change: _Change) -> None:
        self._changes.append(change)
        self._start()
        await change.done

    def _start(self) -> None:
        if self._closed:
            self._takes.clear()
            self._changes.clear()
            raise StoreError("The limits are closed.", remedy="Keep them open as long as they are used.")
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._takes or self._changes:
                takes, changes = self._takes[:_MOST_TOGETHER], self._changes[:_MOST_TOGETHER]
                del self._takes[:_MOST_TOGETHER], self._changes[:_MOST_TOGETHER]
                # Whoever left before its turn is not charged; whoever leaves later gives back what it got.
                await self._settle([take for take in takes if not take.done.done()], changes)
        finally:
            self._worker = None

    async def _settle(self, takes: Sequence[_Take], changes: Sequence[_Change]) -> None:
        try:
            async with self._store.transaction(lock="limits") as transaction:
                now = await self._now(transaction)
                for change in changes:
                    await _apply(transaction, change, now)
                answers = await self._answers(transaction, takes, now)
                await self._clean(transaction, now)
        except StoreError as error:
            for waiting in (*takes, *changes):
                if not waiting.done.done():
                    waiting.done.set_exception(error)
            return
        for take, answer in zip(takes, answers, strict=True):
            if not take.done.done():
                take.done.set_result(answer)
        for change in changes:
            if not change.done.done():
                change.done.set_result(None)

    async def _answers(self, transaction: Transaction, takes: Sequence[_Take], now: int) -> list[Answer]:
        if not takes:
            return []
        sheet = Sheet(transaction, now)
        await sheet.load(claim for take in takes for claim in take.claims)
        answers = [await sheet.answer(take.claims, take.holder) for take in takes]
        await sheet.save()
        return answers

    async def _now(self, transaction: Transaction) -> int:
        if self._clock is None and self._store.dialect == "postgresql":
            row = await transaction.fetch_one(_NOW)
            return int(row[0] or 0) if row else 0
        return round((self._clock or self._store.clock).now() * 1e6)

    async def _clean(self, transaction: Transaction, now: int) -> None:
        """Forget, now and then, counters in which nothing counts any more."""
        if now - self._cleaned < _CLEAN_EVERY_US:
            return
        self._cleaned = now
        await transaction.execute(
            "DELETE FROM limits_events WHERE counter IN "
            "(SELECT counter FROM limits_counters WHERE ends_at <= ?)",
            (now,),
        )
        await transaction.execute("DELETE FROM limits_counters WHERE ends_at <= ?", (now,))
        await transaction.execute("DELETE FROM limits_slots WHERE ends_at <= ?", (now,))


def _future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()


async def _apply(transaction: Transaction, change: _Change, now: int) -> None:
    for entry in change.corrections:
        found = await transaction.execute(
            "UPDATE limits_events SET amount = amount + ? WHERE counter = ? AND number = ?",
            (entry.delta, entry.key, entry.entry),
        )
        if found:
            await transaction.execute(
                "UPDATE limits_counters SET used = used + ? WHERE counter = ?", (entry.delta, entry.key)
            )
    for key in change.keys:
        if change.lease_us is None:
            await transaction.execute(
                "DELETE FROM limits_slots WHERE counter = ? AND holder = ?", (key, change.holder)
            )
        else:
            await transaction.execute(
                "UPDATE limits_slots SET ends_at = ? WHERE counter = ? AND holder = ? AND ends_at > ?",
                (now + change.lease_us, key, change.holder, now),
            )
