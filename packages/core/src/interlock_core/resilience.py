"""One retry and one breaker for the whole house, both on a clock that tests own.

Whoever calls the other side owns its retries: layers that each retry multiply their attempts.
"""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias, TypeVar

from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import InterlockError, OverloadedError, UpstreamError
from interlock_core.record import record

T = TypeVar("T")

BreakerState: TypeAlias = Literal["closed", "open", "half_open"]
"""Closed lets calls through, open lets none, half-open lets a few through to see."""


@record(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and when to try again.

    Attributes:
        attempts: Most calls in all, the first included.
        base_delay_s: Seconds before the second attempt; doubled for each further one.
        max_delay_s: Longest of these delays.
        jitter: Part by which a delay is drawn longer or shorter, 0 to 1.
        max_retry_after_s: A `retry_after` above this ends the retries: whoever asked should know now.
    """

    attempts: int = 3
    base_delay_s: float = 0.5
    max_delay_s: float = 8.0
    jitter: float = 0.25
    max_retry_after_s: float = 120.0

    def delay(self, attempt: int, draw: float = 0.5) -> float:
        """Seconds to wait after the given attempt (from 1) failed.

        Args:
            attempt: Which attempt failed.
            draw: A number from 0 to 1 that places the delay within its jitter.
        """
        plain = min(self.max_delay_s, self.base_delay_s * 2.0 ** min(attempt - 1, 64))
        return plain * (1 + self.jitter * (2 * draw - 1))


class RetryBudget:
    """Keeps retries a part of the calls, so that they cannot drown a service that is in trouble already.

    Each call earns a share of a retry; each retry costs one. What is earned is kept up to a burst, which
    is also what there is at first. The idea is that of the retry budgets of Finagle and gRPC.

    Args:
        ratio: Retries for each call.
        burst: Most retries that are kept.
    """

    __slots__ = ("_burst", "_kept", "_ratio")

    def __init__(self, *, ratio: float = 0.2, burst: int = 20) -> None:
        self._ratio = ratio
        self._burst = float(burst)
        self._kept = float(burst)

    def earn(self) -> None:
        """A call was made."""
        self._kept = min(self._kept + self._ratio, self._burst)

    def spend(self) -> bool:
        """Take one retry; False when there is none left."""
        if self._kept < 1:
            return False
        self._kept -= 1
        return True


def _draw() -> float:
    return int.from_bytes(os.urandom(4), "big") / 0xFFFF_FFFF


async def _sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


def _says_retryable(error: InterlockError) -> bool:
    return error.retryable


async def retry(
    operation: Callable[[int], Awaitable[T]],
    *,
    policy: RetryPolicy | None = None,
    clock: Clock | None = None,
    sleep: Callable[[float], Awaitable[None]] = _sleep,
    deadline: float | None = None,
    retryable: Callable[[InterlockError], bool] | None = None,
    budget: RetryBudget | None = None,
    draw: Callable[[], float] = _draw,
) -> T:
    """Call until it succeeds, the error is none to retry, or attempts or time run out.

    Args:
        operation: Called with the number of the attempt, from 1.
        policy: How often and when.
        clock: Its monotonic time is what `deadline` is compared with.
        sleep: Waits that many seconds.
        deadline: Point of the monotonic clock after which no further attempt may start.
        retryable: Says which errors to retry; by default those whose class says so. Whether the
            operation may be repeated at all is the caller's to know.
        budget: Shared by all calls of the same other side; None sets no bound on their retries together.
        draw: Random numbers from 0 to 1 for the jitter.

    Returns:
        What the first successful attempt returned.

    Raises:
        InterlockError: The last attempt's error. Errors of other kinds pass through at once.
    """
    policy = policy or RetryPolicy()
    clock = clock or SystemClock()
    judge = retryable or _says_retryable
    attempt = 0
    if budget is not None:
        budget.earn()
    while True:
        attempt += 1
        try:
            return await operation(attempt)
        except InterlockError as error:
            wanted = error.retry_after or 0.0
            if attempt >= policy.attempts or wanted > policy.max_retry_after_s or not judge(error):
                raise
            pause = max(policy.delay(attempt, draw()), wanted)
            late = deadline is not None and clock.monotonic() + pause >= deadline
            if late or (budget is not None and not budget.spend()):
                raise
        await sleep(pause)


class Breaker:
    """Stops calling what keeps failing, and looks now and then whether it is back.

    Closed until `failure_threshold` failures in a row; then open for `cooldown_s`; then half-open:
    `half_open_probes` calls may go through at a time, one success closes it, one failure opens it again.

    It covers one event loop or thread. It does not tell a late answer of an old call from a probe's.

    Args:
        failure_threshold: Failures in a row that open it.
        cooldown_s: Seconds that it stays open, and after which a probe that never reported is forgotten.
        half_open_probes: Most calls under way at once while half-open.
        clock: Its monotonic time is used.
        name: What it protects, for messages.
    """

    __slots__ = (
        "_clock",
        "_failures",
        "_most_probes",
        "_opened_at",
        "_probed_at",
        "_probes",
        "_threshold",
        "cooldown_s",
        "name",
    )

    def __init__(
        self,
        *,
        failure_threshold: int = 5,
        cooldown_s: float = 30.0,
        half_open_probes: int = 1,
        clock: Clock | None = None,
        name: str = "the other side",
    ) -> None:
        self.name = name
        self.cooldown_s = cooldown_s
        self._threshold = failure_threshold
        self._most_probes = half_open_probes
        self._clock = clock or SystemClock()
        self._failures = 0
        self._opened_at: float | None = None
        self._probes = 0
        self._probed_at = 0.0

    @property
    def state(self) -> BreakerState:
        """Where it stands now."""
        if self._opened_at is None:
            return "closed"
        return "open" if self._clock.monotonic() - self._opened_at < self.cooldown_s else "half_open"

    @property
    def retry_after(self) -> float:
        """Seconds until a call may be let through; 0 when one may be now."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self.cooldown_s - (self._clock.monotonic() - self._opened_at))

    def allow(self) -> bool:
        """Whether a call may be made. A yes is followed by `success`, `failure` or `abandon`."""
        state = self.state
        if state != "half_open":
            return state == "closed"
        now = self._clock.monotonic()
        if self._probes and now - self._probed_at >= self.cooldown_s:
            self._probes = 0
        if self._probes >= self._most_probes:
            return False
        self._probes += 1
        self._probed_at = now
        return True

    def success(self) -> None:
        """An allowed call did what it was for: closed, unless it comes late, while open."""
        if self.state == "open":
            return
        self._failures = 0
        self._opened_at = None
        self._probes = 0

    def failure(self) -> None:
        """An allowed call failed in a way that speaks against the other side."""
        state = self.state
        if state == "open":
            return
        self._failures += 1
        if state == "half_open" or self._failures >= self._threshold:
            self._opened_at = self._clock.monotonic()
            self._probes = 0

    def abandon(self) -> None:
        """An allowed call ended without saying anything about the other side, such as by cancellation."""
        self._probes = max(0, self._probes - 1)

    @asynccontextmanager
    async def guard(self) -> AsyncGenerator[None, None]:
        """Make one call inside.

        An `UpstreamError` counts against the other side; another error that came with its HTTP status
        counts for it, because it answered; everything else says nothing about it.

        Raises:
            OverloadedError: It is open; nothing was called. `retry_after` says when to come back.
        """
        if not self.allow():
            raise OverloadedError(
                f"{self.name} failed {self._failures} times in a row, so it is not called just now.",
                remedy="Wait, or choose another.",
                retry_after=self.retry_after,
            )
        try:
            yield
        except UpstreamError:
            self.failure()
            raise
        except InterlockError as error:
            if error.vendor_status is None:
                self.abandon()
            else:
                self.success()
            raise
        except BaseException:
            self.abandon()
            raise
        else:
            self.success()
