"""Time, handed in, so that tests own it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time in the two ways that programs need."""

    def now(self) -> float:
        """Wall time in seconds since 1970, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean something."""
        ...


class SystemClock:
    """The machine's own clock."""

    __slots__ = ()

    def now(self) -> float:
        """Wall time in seconds since 1970, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()
