"""What a provider behind HTTP is made of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from interlock_core import Clock, PriceBook, Secret, SystemClock
from interlock_core.resilience import RetryPolicy
from interlock_providers.rows import Vendor


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a provider waits.

    Attributes:
        answer_s: Seconds for a whole answer that does not stream, its retries included.
        first_s: Seconds until a stream says something, its retries included.
        stream_s: Seconds for a whole stream; None for no bound.
        idle_s: Seconds in which a stream may say nothing; None leaves it to the carrier, which waits 600.
    """

    answer_s: float = 600.0
    first_s: float = 600.0
    stream_s: float | None = None
    idle_s: float | None = None


async def _sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """What an `HttpProvider` is made of, beside its codec and carrier.

    Attributes:
        name: Name under which its models stand before the slash.
        vendor: The facts of its kind.
        base_url: Where it is, without a slash at the end.
        models: The vendor's names of its models; empty asks the vendor.
        secret: Its key, to hide it should the vendor repeat it; the carrier places it.
        prices: What its models cost; None knows no price.
        timeouts: How long it is waited for.
        retries: How often it is tried.
        clock: Tells the time.
        sleep: Waits between attempts.
    """

    name: str
    vendor: Vendor
    base_url: str
    models: tuple[str, ...] = ()
    secret: Secret | None = None
    prices: PriceBook | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=SystemClock)
    sleep: Callable[[float], Awaitable[None]] = _sleep
