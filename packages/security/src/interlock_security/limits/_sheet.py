"""One transaction's work on counters in the store: read what calls need, decide, write what became of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from interlock_core.store import Row, Transaction
from interlock_security.limits._claims import MOST_EXACT, WALK, Answer, Claim, Reading

T = TypeVar("T")

_TOGETHER = 200
"""Counters in one statement."""

_COUNTERS = """
SELECT counter, used, entries, newest, first_at, last_at FROM limits_counters WHERE counter IN (?)
"""
_GONE = """
SELECT counter, COUNT(*), SUM(amount) FROM limits_events WHERE (counter = ? AND at <= ?) GROUP BY counter
"""
_ENDED = "DELETE FROM limits_slots WHERE counter IN (?) AND ends_at <= ?"
_HELD = """
SELECT counter, COUNT(*), MIN(ends_at), MAX(ends_at) FROM limits_slots WHERE counter IN (?) GROUP BY counter
"""
_SET_COUNTER = """
INSERT INTO limits_counters (counter, used, entries, newest, first_at, last_at, ends_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (counter) DO UPDATE SET used = excluded.used, entries = excluded.entries,
  newest = excluded.newest, first_at = excluded.first_at, last_at = excluded.last_at,
  ends_at = excluded.ends_at
"""
_SET_EVENT = """
INSERT INTO limits_events (counter, number, at, amount) VALUES (?, ?, ?, ?)
ON CONFLICT (counter, number) DO UPDATE SET at = excluded.at, amount = limits_events.amount + excluded.amount
"""


@dataclass(slots=True)
class _Window:
    """A window, as the transaction sees it."""

    span: int
    used: int = 0
    entries: int = 0
    newest: int = 0
    first: int = 0
    last: int = 0
    dirty: bool = False
    charged: dict[int, int] = field(default_factory=dict[int, int])
    log: list[tuple[int, int]] | None = None


@dataclass(slots=True)
class _Slots:
    """Slots, as the transaction sees them."""

    held: int = 0
    soonest: int = 0
    latest: int = 0


class Sheet:
    """The counters that some calls need, at one moment.

    Args:
        transaction: Reads and writes them.
        now: The moment, in microseconds.
    """

    def __init__(self, transaction: Transaction, now: int) -> None:
        self._transaction = transaction
        self._now = now
        self._windows: dict[str, _Window] = {}
        self._slots: dict[str, _Slots] = {}
        self._holds: list[tuple[str, str, int]] = []

    async def load(self, claims: Iterable[Claim]) -> None:
        """Read the counters, without what no longer counts."""
        for claim in claims:
            if claim.slots:
                self._slots[claim.key] = _Slots()
            else:
                self._windows[claim.key] = _Window(span=claim.span_us)
        await self._load_windows()
        await self._evict()
        await self._load_slots()

    async def answer(self, claims: Sequence[Claim], holder: str) -> Answer:
        """Let one call pass and charge it, or refuse it."""
        readings = [await self._reading(claim) for claim in claims]
        passed = all(reading.wait_us == 0 for reading in readings)
        if passed:
            readings = [self._charge(m, r, holder) for m, r in zip(claims, readings, strict=True)]
        return Answer(passed=passed, readings=tuple(readings), at_us=self._now)

    async def save(self) -> None:
        """Write what changed."""
        changed = [(key, window) for key, window in self._windows.items() if window.dirty]
        events = [(k, number, self._now, amount) for k, w in changed for number, amount in w.charged.items()]
        rows = [(k, w.used, w.entries, w.newest, w.first, w.last, w.last + w.span) for k, w in changed]
        if events:
            await self._transaction.execute_many(_SET_EVENT, events)
        if rows:
            await self._transaction.execute_many(_SET_COUNTER, rows)
        if self._holds:
            await self._transaction.execute_many(
                "INSERT INTO limits_slots (counter, holder, ends_at) VALUES (?, ?, ?)", self._holds
            )

    async def _load_windows(self) -> None:
        for keys in _portions(self._windows):
            for row in await self._transaction.fetch_all(_times(_COUNTERS, keys), keys):
                window = self._windows[str(row[0])]
                window.used, window.entries, window.newest, window.first, window.last = _numbers(row[1:])
                self._now = max(self._now, window.last)

    async def _evict(self) -> None:
        gone: list[tuple[str, int]] = []
        for keys in _portions(key for key, window in self._windows.items() if window.entries):
            ends = [self._now - self._windows[key].span for key in keys]
            values = [value for pair in zip(keys, ends, strict=True) for value in pair]
            for row in await self._transaction.fetch_all(_times(_GONE, keys), values):
                window, (count, amount) = self._windows[str(row[0])], _numbers(row[1:])
                window.used -= amount
                window.entries -= count
                window.dirty = True
                gone.append((str(row[0]), self._now - window.span))
        if gone:
            await self._transaction.execute_many(
                "DELETE FROM limits_events WHERE counter = ? AND at <= ?", gone
            )

    async def _load_slots(self) -> None:
        for keys in _portions(self._slots):
            await self._transaction.execute(_times(_ENDED, keys), [*keys, self._now])
            for row in await self._transaction.fetch_all(_times(_HELD, keys), keys):
                self._slots[str(row[0])] = _Slots(*_numbers(row[1:]))

    async def _reading(self, claim: Claim) -> Reading:
        if claim.slots:
            slots = self._slots[claim.key]
            wait: int | None = 0
            if claim.amount and slots.held + claim.amount > claim.limit:
                wait = None if claim.amount > claim.limit else slots.soonest - self._now
            reset = slots.latest - self._now if slots.held else 0
            return Reading(used=slots.held, wait_us=wait, reset_us=reset)
        window = self._windows[claim.key]
        reset = window.last + window.span - self._now if window.entries else 0
        return Reading(used=window.used, wait_us=await self._wait(claim, window), reset_us=reset)

    async def _wait(self, claim: Claim, window: _Window) -> int | None:
        over = window.used + claim.amount - claim.limit
        if claim.amount == 0 or over <= 0:
            return 0
        if claim.amount > claim.limit:
            return None
        if window.log is None:
            rows = await self._transaction.fetch_all(
                "SELECT at, amount FROM limits_events WHERE counter = ? ORDER BY at, number LIMIT ?",
                (claim.key, WALK),
            )
            window.log = [(at, amount) for at, amount in map(_numbers, rows)]
        wait = window.span
        for at, amount in window.log:
            over -= amount
            wait = at + window.span - self._now
            if over <= 0:
                return wait
        # What this very transaction let pass leaves last; a log that was cut off makes this the least.
        return wait if len(window.log) >= WALK else window.span

    def _charge(self, claim: Claim, reading: Reading, holder: str) -> Reading:
        if not claim.amount:
            return reading
        if claim.slots:
            slots, end = self._slots[claim.key], self._now + claim.span_us
            slots.soonest = min(slots.soonest, end) if slots.held else end
            slots.held += 1
            slots.latest = max(slots.latest, end)
            self._holds.append((claim.key, holder, end))
            return replace(reading, used=slots.held, reset_us=claim.span_us)
        window = self._windows[claim.key]
        full = window.entries >= MOST_EXACT
        joins = window.entries and (
            window.last == self._now or (full and self._now - window.first < window.span // MOST_EXACT)
        )
        if not joins:
            window.newest = max(window.newest + 1, self._now)
            window.entries += 1
            window.first = self._now
        window.used += claim.amount
        window.last = self._now
        window.dirty = True
        window.charged[window.newest] = window.charged.get(window.newest, 0) + claim.amount
        return replace(reading, used=window.used, entry=window.newest, reset_us=claim.span_us)


def _times(statement: str, keys: Sequence[str]) -> str:
    """A statement over so many counters: placeholders alone are added."""
    one = "(counter = ? AND at <= ?)"
    statement = statement.replace(one, f"({' OR '.join([one] * len(keys))})")
    return statement.replace("IN (?)", f"IN ({', '.join('?' * len(keys))})")


def _portions(keys: Iterable[T]) -> Iterator[list[T]]:
    left = iter(keys)
    while portion := list(islice(left, _TOGETHER)):
        yield portion


def _numbers(row: Row) -> list[int]:
    return [int(value or 0) for value in row]
