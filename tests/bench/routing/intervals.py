"""Means with their 95 % intervals, over few runs (Student's t)."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

_T: Final = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145),
    *(
        2.131,
        2.120,
        2.110,
        2.101,
        2.093,
        2.086,
        2.080,
        2.074,
        2.069,
        2.064,
        2.060,
        2.056,
        2.052,
        2.048,
        2.045,
    ),
)
"""The 97.5 % point of Student's t for 1 to 29 degrees of freedom."""
_NORMAL: Final = 1.960


class Interval(NamedTuple):
    """A mean, and half the width of its 95 % interval.

    Attributes:
        mean: Of all runs.
        half: Half the width; not a number for one run alone.
    """

    mean: float
    half: float

    @property
    def above(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.mean - self.half > 0

    @property
    def below(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.mean + self.half < 0


def interval(values: Sequence[float]) -> Interval:
    """The interval of the mean of independent runs.

    Raises:
        ValueError: There are none.
    """
    if not values:
        raise ValueError("no values, so no mean")
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return Interval(mean, math.nan)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    quantile = _T[count - 2] if count - 2 < len(_T) else _NORMAL
    return Interval(mean, quantile * deviation / math.sqrt(count))


def paired(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """The interval of the difference, run by run."""
    return interval([one - other for one, other in zip(ours, theirs, strict=True)])
