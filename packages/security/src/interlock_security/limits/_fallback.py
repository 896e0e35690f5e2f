"""What happens when limits cannot be counted where they are shared: each process counts a part by itself."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import InterlockError
from interlock_security.limits._claims import Answer, Claim, Correction, LimitBackend
from interlock_security.limits._memory import MemoryBackend

_logger = logging.getLogger("interlock.security.limits")


class FallbackBackend:
    """Counts in a shared backend, and in this process alone while that one fails.

    Alone, each process lets a stated part of every limit pass. The shared backend is tried again after a
    while; what was taken here is not told to it.

    Args:
        shared: The backend that is meant.
        fraction: The part of each limit that a process lets pass alone, 0 to 1; 0 refuses everything.
        again_s: Seconds for which a backend that failed is left alone.
        on_change: Told whether the shared backend counts, whenever that changes.
        clock: The time; the machine's unless given.

    Attributes:
        local: Whether this process counts alone just now.
        fallbacks: How many calls were counted here alone.
    """

    def __init__(
        self,
        shared: LimitBackend,
        *,
        fraction: float,
        again_s: float = 1.0,
        on_change: Callable[[bool], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.local = False
        self.fallbacks = 0
        self._shared = shared
        self._fraction = fraction
        self._again_s = again_s
        self._on_change = on_change
        self._clock = clock or SystemClock()
        self._memory = MemoryBackend(self._clock)
        self._until = float("-inf")

    async def take(self, claims: Sequence[Claim], holder: str) -> Answer:
        """Charge every claim, or none."""
        if self._clock.monotonic() >= self._until:
            try:
                answer = await self._shared.take(claims, holder)
            except InterlockError as error:
                self._failed(error)
            else:
                self._back()
                return answer
        self.fallbacks += 1
        part = [replace(claim, limit=int(claim.limit * self._fraction)) for claim in claims]
        answer = await self._memory.take(part, holder)
        # Entries of this process are negative, so that a correction finds its way.
        return replace(
            answer, readings=tuple(replace(reading, entry=-reading.entry) for reading in answer.readings)
        )

    async def correct(self, corrections: Sequence[Correction]) -> None:
        """Change what was charged in windows."""
        here = [replace(entry, entry=-entry.entry) for entry in corrections if entry.entry < 0]
        await self._memory.correct(here)
        there = [entry for entry in corrections if entry.entry >= 0]
        if there:
            await self._tell(lambda: self._shared.correct(there))

    async def renew(self, keys: Sequence[str], holder: str, lease_us: int) -> None:
        """Let the leases of a holder that are still running begin anew."""
        await self._memory.renew(keys, holder, lease_us)
        await self._tell(lambda: self._shared.renew(keys, holder, lease_us))

    async def release(self, keys: Sequence[str], holder: str) -> None:
        """Give the slots of a holder back."""
        await self._memory.release(keys, holder)
        await self._tell(lambda: self._shared.release(keys, holder))

    async def aclose(self) -> None:
        """Close both."""
        await self._memory.aclose()
        await self._shared.aclose()

    async def _tell(self, call: Callable[[], Awaitable[None]]) -> None:
        """Tell the shared backend; what it does not hear ends by itself, with its window or its lease."""
        if self._clock.monotonic() < self._until:
            return
        try:
            await call()
        except InterlockError as error:
            self._failed(error)

    def _failed(self, error: InterlockError) -> None:
        self._until = self._clock.monotonic() + self._again_s
        if self.local:
            return
        self.local = True
        _logger.error(
            "limits are counted in this process alone, at %g of each: %s", self._fraction, error.message
        )
        if self._on_change is not None:
            self._on_change(False)

    def _back(self) -> None:
        if not self.local:
            return
        self.local = False
        _logger.warning("limits are counted together again")
        if self._on_change is not None:
            self._on_change(True)
