"""A clock that stands still until a test moves it."""


class FakeClock:
    """A `Clock` in a test's hands.

    Args:
        now: Wall time to begin with, in seconds since 1970.
        monotonic: Monotonic time to begin with, in seconds.
    """

    def __init__(self, now: float = 1_800_000_000.0, monotonic: float = 1_000.0) -> None:
        self._now = now
        self._monotonic = monotonic
        self.slept: list[float] = []

    def now(self) -> float:
        """Wall time in seconds since 1970."""
        return self._now

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks on."""
        self._now += seconds
        self._monotonic += seconds

    def set_now(self, now: float) -> None:
        """Set the wall clock, backward too, as an administrator may; the monotonic one does not notice."""
        self._now = now

    async def sleep(self, seconds: float) -> None:
        """Stand in for `asyncio.sleep`: note the seconds in `slept` and move on at once."""
        import asyncio

        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)
