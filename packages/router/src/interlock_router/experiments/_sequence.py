"""Intervals for a difference of means that hold at every look at once.

The difference of two arms' means, divided by its variance, behaves like a Brownian motion whose time is the
information 1 / variance (Jennison and Turnbull 1997, for estimates that are refined while data come in).
Robbins' normal mixture bounds such a motion at all times at once (Robbins 1970), and with the variance
estimated it still does so asymptotically: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Time-uniform
central limit theory and asymptotic confidence sequences, 2021 (theorem 2.2). It is the inverse of the
mixture sequential probability ratio test of Johari, Pekelis and Walsh, Always Valid Inference, 2015, with
the width of the mixture set by the smallest effect worth finding.

What is not covered: the guarantee is asymptotic. It holds when the mean of the least number of units at
which anything is decided is near to normal; for very skew metrics that takes more units than the default.
"""

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Reals: TypeAlias = NDArray[np.float64]
"""Numbers, of any shape."""

Bounds: TypeAlias = tuple[float, float]
"""Least and greatest value of a metric."""

COUNT: Final = 0
TOTAL: Final = 1
SQUARES: Final = 2

_LEAST: Final = 1e-280
"""A variance below is none: its inverse is no number."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Differences of means, and how sure they are.

    Attributes:
        effect: Mean of the treated minus mean of the control.
        variance: Of the effect; infinite where there is too little to tell.
    """

    effect: Reals
    variance: Reals


def estimate(control: Reals, treated: Reals, bounds: Bounds | None = None) -> Estimate:
    """The difference of two arms' means, from their moments.

    Args:
        control: Count, sum and sum of squares, along the first axis.
        treated: The same of the other arm.
        bounds: Least and greatest value of the metric. When known, two more units, one at each, count
            towards the variance: while all outcomes are alike, their variance is not zero for that.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        effect = treated[TOTAL] / treated[COUNT] - control[TOTAL] / control[COUNT]
        variance = _variance(control, bounds) + _variance(treated, bounds)
    known = np.isfinite(variance) & np.isfinite(effect) & (variance > _LEAST)
    return Estimate(np.where(known, effect, 0.0), np.where(known, variance, np.inf))


def half_width(variance: Reals, *, alpha: float, effect: float) -> Reals:
    """How far the truth may lie from the estimate, at all looks together, but with probability alpha.

    Args:
        variance: Of the estimate, at each look.
        alpha: Probability that the truth is ever farther.
        effect: The width is least for its size, at the information that just finds such an effect.
    """
    prior = _prior(alpha, effect)
    known = np.isfinite(variance)
    finite = np.where(known, variance, 1.0)
    information = 1.0 / finite
    total = information + prior
    width = finite * np.sqrt(total * np.log(total / (prior * alpha * alpha)))
    return np.where(known, width, np.inf)


def p_value(effect: float, variance: float, *, alpha: float, scale: float) -> float:
    """The level at which the interval at this look just touches zero; may be looked at all the time.

    It is at most `alpha` exactly when the interval of `half_width` at `alpha` leaves zero out.

    Args:
        effect: The estimate.
        variance: Its variance.
        alpha: The level that the mixture is made for.
        scale: The smallest effect worth finding.
    """
    if not np.isfinite(variance):
        return 1.0
    prior = _prior(alpha, scale)
    information = 1.0 / variance
    total = information + prior
    return min(1.0, sqrt(total / prior) * exp(-information * effect * effect * (information / total) / 2))


def _prior(alpha: float, effect: float) -> float:
    # The information at which the interval is as wide as the effect, when the mixture is best for just
    # that information (Waudby-Smith and others 2021, appendix on choosing rho).
    ratio = -2 * log(alpha) + log(-2 * log(alpha)) + 1
    needed = (1 + 1 / ratio) * log((1 + ratio) / alpha**2) / effect**2
    return needed / ratio


def _variance(moments: Reals, bounds: Bounds | None) -> Reals:
    count, total, squares = moments[COUNT], moments[TOTAL], moments[SQUARES]
    more = 0
    if bounds is not None:
        more, middle = 2, (bounds[0] + bounds[1]) / 2
        half = (bounds[1] - bounds[0]) / 2
        # About the middle of the bounds the two units add nothing to the sum.
        total, squares = total - count * middle, squares - 2 * middle * total + count * middle**2
        squares = squares + 2 * half**2
    size = count + more
    spread = np.maximum(squares - total * total / size, 0.0) / (size - 1)
    return np.where(count >= 2, spread / count, np.inf)
