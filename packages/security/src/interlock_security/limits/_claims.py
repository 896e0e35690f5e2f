"""What a backend is asked and what it answers: the seam between limits and where they are counted.

The rules, the same for every backend:

1. A window counts what entered at t at every moment from t up to, and not including, t + span.
2. A call passes when every claim has room; then all are charged, otherwise none. An amount of 0 passes.
3. Time is the backend's own, one clock for every process, and never goes back for a claim.
4. A window keeps each entry with its moment while it holds no more than `MOST_EXACT`. Above that, what comes
   within a `MOST_EXACT`th of the span joins the newest entry, whose moment becomes the later one: memory
   stays bounded, more than the limit never passes, and room may come back late by that part of the span.
5. A slot is held until it is given back, or until its lease ends, whichever comes first.
"""

from collections.abc import Sequence
from typing import Protocol

from interlock_core.record import record

MOST_EXACT = 10_000
"""Entries that a window keeps one by one."""

WALK = 1_024
"""Entries that are looked at, beyond those that must be, to say when there will be room."""


@record(frozen=True, slots=True, kw_only=True)
class Claim:
    """One counter, and what a call wants of it.

    Attributes:
        key: Name of the counter.
        limit: Most units in the span, or most slots.
        span_us: Length of the window, or of a lease, in microseconds.
        amount: Units that are wanted; 0 or 1 of slots.
        slots: It counts calls at a time instead of units in a window.
    """

    key: str
    limit: int
    span_us: int
    amount: int = 1
    slots: bool = False


@record(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a counter stands after a call was passed or refused.

    Attributes:
        used: Units in the window, or slots held; at most what is true by entries that have just left.
        entry: Where the amount was charged, for a later correction; 0 when it was not.
        wait_us: Microseconds until there is room; 0 when there is, None when there never will be.
        reset_us: Microseconds until nothing is used.
    """

    used: int
    entry: int = 0
    wait_us: int | None = 0
    reset_us: int = 0


@record(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one call.

    Attributes:
        passed: Every counter had room, and all were charged.
        readings: One a claim, in order.
        at_us: The moment of the decision, in microseconds by the backend's clock.
    """

    passed: bool
    readings: tuple[Reading, ...]
    at_us: int = 0


@record(frozen=True, slots=True, kw_only=True)
class Correction:
    """A change of what was charged.

    Attributes:
        key: Name of the counter.
        entry: Where it was charged.
        delta: What is added; negative to give back.
    """

    key: str
    entry: int
    delta: int


class LimitBackend(Protocol):
    """Counts. All methods raise only errors of `interlock_core.errors`.

    What is corrected, renewed or given back after it left its window, or its lease ended, changes nothing.
    """

    async def take(self, claims: Sequence[Claim], holder: str) -> Answer:
        """Charge every claim, or none."""
        ...

    async def correct(self, corrections: Sequence[Correction]) -> None:
        """Change what was charged in windows."""
        ...

    async def renew(self, keys: Sequence[str], holder: str, lease_us: int) -> None:
        """Let the leases of a holder that are still running begin anew."""
        ...

    async def release(self, keys: Sequence[str], holder: str) -> None:
        """Give the slots of a holder back."""
        ...

    async def aclose(self) -> None:
        """Close it. Closing twice does nothing."""
        ...
