"""Whether the arms get the units that they were to get, by a test that may be looked at all the time.

A bug that loses units of one arm (a model that times out before its exposure is noted, a cache in front of
one arm) biases every comparison, and shows as shares that are not the weights: a sample-ratio mismatch. The
test is the sequential multinomial test of Lindon and Malek, Anytime-Valid Inference for Multinomial Count
Data, 2020 (NeurIPS 2022): the Bayes factor of a Dirichlet prior around the weights against the weights is a
martingale under them, so it exceeds 1/alpha at any look with a probability of at most alpha. This holds for
every number of units, not only for many.
"""

from collections.abc import Sequence
from math import exp, lgamma, log
from typing import Final

CONCENTRATION: Final = 600.0
"""How near to the weights wrong shares are expected: about two points in a hundred for halves."""


def mismatch_p_value(counts: Sequence[int], weights: Sequence[float]) -> float:
    """The always-valid level at which the counts do not come from the weights; 1 when nothing was seen.

    Args:
        counts: Units of each arm.
        weights: The part that each was to get, above 0.
    """
    total = sum(counts)
    factor = lgamma(CONCENTRATION) - lgamma(CONCENTRATION + total)
    for count, weight in zip(counts, weights, strict=True):
        before = CONCENTRATION * weight
        factor += lgamma(before + count) - lgamma(before) - count * log(weight)
    return exp(-max(factor, 0.0))
