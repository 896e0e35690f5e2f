"""Counters in the memory of one process."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush

from interlock_core.clock import Clock, SystemClock
from interlock_security.limits._claims import MOST_EXACT, Answer, Claim, Correction, Reading

_SWEEP_EVERY = 1_024


@dataclass(slots=True)
class _Entry:
    """What entered a window: since when it is gathered, its moment, its amount."""

    first: int
    at: int
    amount: int
    number: int


@dataclass(slots=True)
class _Window:
    """The log of one window."""

    span: int = 0
    used: int = 0
    number: int = 0
    log: deque[_Entry] = field(default_factory=deque[_Entry])
    entries: dict[int, _Entry] = field(default_factory=dict[int, _Entry])

    def evict(self, now: int) -> None:
        while self.log and self.log[0].at + self.span <= now:
            entry = self.log.popleft()
            del self.entries[entry.number]
            self.used -= entry.amount

    def wait(self, now: int, limit: int, amount: int) -> int | None:
        over = self.used + amount - limit
        if amount == 0 or over <= 0:
            return 0
        if amount > limit:
            return None
        for entry in self.log:
            over -= entry.amount
            if over <= 0:
                return entry.at + self.span - now
        raise AssertionError("entries are as many as are used")  # pragma: no cover - see above

    def charge(self, now: int, amount: int) -> int:
        self.used += amount
        newest = self.log[-1] if self.log else None
        joins = newest is not None and (
            newest.at == now or (len(self.log) >= MOST_EXACT and now - newest.first < self.span // MOST_EXACT)
        )
        if newest is not None and joins:
            newest.at = now
            newest.amount += amount
            return newest.number
        self.number += 1
        entry = _Entry(now, now, amount, self.number)
        self.log.append(entry)
        self.entries[entry.number] = entry
        return entry.number


@dataclass(slots=True)
class _Slots:
    """Who holds a slot, and until when; the heap also holds ends that were put off or given back."""

    latest: int = 0
    ends: dict[str, int] = field(default_factory=dict[str, int])
    heap: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def evict(self, now: int) -> None:
        while self.heap:
            end, holder = self.heap[0]
            stands = self.ends.get(holder) == end
            if stands and end > now:
                return
            heappop(self.heap)
            if stands:
                del self.ends[holder]

    def hold(self, holder: str, end: int) -> None:
        self.ends[holder] = end
        self.latest = max(self.latest, end)
        heappush(self.heap, (end, holder))


class MemoryBackend:
    """Counts in this process alone.

    Args:
        clock: The time; the machine's unless given.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._windows: dict[str, _Window] = {}
        self._slots: dict[str, _Slots] = {}
        self._taken = 0
        self._last = 0

    async def take(self, claims: Sequence[Claim], holder: str) -> Answer:
        """Charge every claim, or none."""
        now = self._now()
        self._sweep(now)
        readings = [self._slots_at(m, now) if m.slots else self._window_at(m, now) for m in claims]
        passed = all(reading.wait_us == 0 for reading in readings)
        if passed:
            readings = [self._charge(m, r, holder, now) for m, r in zip(claims, readings, strict=True)]
        return Answer(passed=passed, readings=tuple(readings), at_us=now)

    async def correct(self, corrections: Sequence[Correction]) -> None:
        """Change what was charged in windows."""
        for correction in corrections:
            window = self._windows.get(correction.key)
            entry = window.entries.get(correction.entry) if window else None
            if window is not None and entry is not None:
                entry.amount += correction.delta
                window.used += correction.delta

    async def renew(self, keys: Sequence[str], holder: str, lease_us: int) -> None:
        """Let the leases of a holder that are still running begin anew."""
        now = self._now()
        for key in keys:
            slots = self._slots.get(key)
            if slots is not None and slots.ends.get(holder, 0) > now:
                slots.hold(holder, now + lease_us)

    async def release(self, keys: Sequence[str], holder: str) -> None:
        """Give the slots of a holder back."""
        for key in keys:
            if (slots := self._slots.get(key)) is not None:
                slots.ends.pop(holder, None)

    async def aclose(self) -> None:
        """Forget everything."""
        self._windows.clear()
        self._slots.clear()

    def _now(self) -> int:
        self._last = max(self._last, round(self._clock.now() * 1e6))
        return self._last

    def _window_at(self, claim: Claim, now: int) -> Reading:
        window = self._windows.get(claim.key)
        if window is None:
            window = self._windows[claim.key] = _Window()
            # Numbers begin at the time, so that none of a forgotten window means an entry of its successor.
            window.number = now
        window.span = claim.span_us
        window.evict(now)
        wait = window.wait(now, claim.limit, claim.amount)
        reset = window.log[-1].at + window.span - now if window.log else 0
        return Reading(used=window.used, wait_us=wait, reset_us=reset)

    def _slots_at(self, claim: Claim, now: int) -> Reading:
        slots = self._slots.setdefault(claim.key, _Slots())
        slots.evict(now)
        held = len(slots.ends)
        wait: int | None = 0
        if claim.amount and held + claim.amount > claim.limit:
            wait = slots.heap[0][0] - now if 0 < claim.amount <= claim.limit and slots.heap else None
        return Reading(used=held, wait_us=wait, reset_us=slots.latest - now if held else 0)

    def _charge(self, claim: Claim, reading: Reading, holder: str, now: int) -> Reading:
        if not claim.amount:
            return reading
        if claim.slots:
            slots = self._slots[claim.key]
            slots.hold(holder, now + claim.span_us)
            return replace(reading, used=len(slots.ends), reset_us=claim.span_us)
        window = self._windows[claim.key]
        entry = window.charge(now, claim.amount)
        return replace(reading, used=window.used, entry=entry, reset_us=claim.span_us)

    def _sweep(self, now: int) -> None:
        """Forget counters that hold nothing, now and then."""
        self._taken += 1
        if self._taken % _SWEEP_EVERY:
            return
        for window in self._windows.values():
            window.evict(now)
        for slots in self._slots.values():
            slots.evict(now)
        self._windows = {key: window for key, window in self._windows.items() if window.log}
        self._slots = {key: slots for key, slots in self._slots.items() if slots.ends}
