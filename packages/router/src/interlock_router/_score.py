"""Step three: what each model is likely to bring for this request: quality, price, time, success.

Quality starts at what is published elsewhere and moves to one's own outcomes as they come in: first the
model's in general, then the model's at this class of task, each shrunken toward what was believed before.
"""

from math import log1p
from typing import Final, NamedTuple

from interlock_core import Performance, PerformanceSource
from interlock_router._demand import Demand
from interlock_router._entry import Entry
from interlock_router._policy import Policy

_PRIOR_WEIGHT: Final = 20.0
_SUCCESS_WEIGHT: Final = 10.0
_ENOUGH: Final = 5
_PREFERRED: Final = 0.1
_LOCAL: Final = 10.0

_CHEAP_MICRO_USD: Final = 100.0
_PRICE_SPAN: Final = log1p(1_000_000 / _CHEAP_MICRO_USD)
_UNKNOWN_PRICE: Final = 1.0

_QUICK_S: Final = 0.25
_LATENCY_SPAN: Final = log1p(60 / _QUICK_S)
_UNKNOWN_LATENCY: Final = 0.5


class Estimate(NamedTuple):
    """What a model is expected to bring.

    Attributes:
        quality: 0 to 1.
        success: Likelihood that it answers at all.
        micro_usd: Likely price in micro-dollars; None when unknown.
        latency_s: Likely seconds to the whole answer; None when never measured.
        deviation: How unsure the quality is, as a standard deviation; 0 where nothing is learned.
        seen: How many outcomes it rests on.
    """

    quality: float
    success: float
    micro_usd: int | None
    latency_s: float | None
    deviation: float = 0.0
    seen: float = 0.0


def estimate(entry: Entry, demand: Demand, performance: PerformanceSource | None) -> Estimate:
    """What to expect of a model for a request."""
    quality = entry.priors.get(demand.task, entry.prior)
    price = entry.expected_micro_usd(demand.tokens_in, demand.tokens_out)
    overall = None if performance is None else performance.performance(entry.id)
    if performance is None or overall is None:
        return Estimate(quality, 1.0, price, None)
    cell = performance.performance(entry.id, demand.task)
    quality = _judged(_judged(quality, overall), cell)
    success = (_SUCCESS_WEIGHT + overall.success_rate * overall.requests) / (
        _SUCCESS_WEIGHT + overall.requests
    )
    return Estimate(quality, success, price, _latency(cell) or _latency(overall))


def _judged(believed: float, seen: Performance | None) -> float:
    if seen is None or seen.quality is None or not seen.judged:
        return believed
    return (believed * _PRIOR_WEIGHT + seen.quality * seen.judged) / (_PRIOR_WEIGHT + seen.judged)


def _latency(seen: Performance | None) -> float | None:
    if seen is None or seen.requests < _ENOUGH or seen.latency_p50_s <= 0:
        return None
    return seen.latency_p50_s


def parts(entry: Entry, estimated: Estimate, policy: Policy) -> dict[str, float]:
    """The weighted parts of a model's score under a policy; their sum is the score."""
    found = weighed(entry.id, estimated, policy)
    if policy.local_first and entry.info.local:
        found["local"] = _LOCAL
    return found


def weighed(model: str, estimated: Estimate, policy: Policy) -> dict[str, float]:
    """The parts of a score that follow from a model's name and what is expected of it."""
    found = {
        "quality": policy.quality * estimated.quality,
        "price": -policy.price * price_scale(estimated.micro_usd),
        "latency": -policy.latency * latency_scale(estimated.latency_s),
        "health": -0.5 * (1.0 - estimated.success),
    }
    if policy.prefer and policy.prefers(model):
        found["preferred"] = _PREFERRED
    return found


def price_scale(micro_usd: int | None) -> float:
    """A price on a logarithmic scale: 0 is free, 1 is a dollar or unknown, a tenfold price is a like step."""
    if micro_usd is None:
        return _UNKNOWN_PRICE
    return min(1.0, log1p(micro_usd / _CHEAP_MICRO_USD) / _PRICE_SPAN)


def latency_scale(seconds: float | None) -> float:
    """A time on a logarithmic scale: 0 is at once, 1 is a minute, unmeasured is the middle."""
    if seconds is None:
        return _UNKNOWN_LATENCY
    return min(1.0, log1p(seconds / _QUICK_S) / _LATENCY_SPAN)
