"""What is usual at an hour: the median of hours like it, and how far such hours lie from it."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from interlock_observability.anomalies._model import Hour, Memory, values

_DAY: Final = 24
_WEEK: Final = 168
_NORMAL: Final = 1.4826
"""The median distance from the median is this much smaller than a standard deviation."""
_SATURDAY: Final = 5
# The first of January 1970 was a Thursday.
_FIRST_WEEKDAY: Final = 3


class Usual(NamedTuple):
    """What is usual.

    Attributes:
        middle: The median.
        spread: The usual deviation from it.
    """

    middle: float
    spread: float


def usual_at(memory: Memory, hour: int) -> Usual | None:
    """What is usual at an hour; None when too little is known.

    The hours that are looked at, the first kind of which there are enough: the same hour of the week and its
    neighbours in two weeks; the same hour of working days, or of weekends, on three of them; the last days
    whole, whose largest value is then taken for a usual deviation.

    Args:
        memory: What is remembered; hours that were odd say nothing.
        hour: Hours since 1970.
    """
    past = [each for each in memory.hours if not each.odd and each.number < hour]
    weekly = [each for each in past if _near(hour - each.number, _WEEK)]
    if len({round((hour - each.number) / _WEEK) for each in weekly}) >= 2:
        return _of(values(weekly))
    kind = _weekend(hour)
    daily = [each for each in past if _near(hour - each.number, _DAY) and _weekend(each.number) == kind]
    if len({round((hour - each.number) / _DAY) for each in daily}) >= 3:
        return _of(values(daily))
    return _of_all(past)


def _near(apart: int, period: int) -> bool:
    """Whether two hours lie a multiple of the period apart, or an hour more or less."""
    return apart > 1 and (apart + 1) % period <= 2


def _weekend(hour: int) -> bool:
    return (hour // _DAY + _FIRST_WEEKDAY) % 7 >= _SATURDAY


def _of(found: Sequence[float]) -> Usual:
    middle = _median(found)
    return Usual(middle, _NORMAL * _median(_distances(found, middle)))


def _of_all(past: Sequence[Hour]) -> Usual | None:
    recent = values(past[-7 * _DAY :])
    if len(recent) < _DAY:
        return None
    middle = _median(recent)
    return Usual(middle, max(max(recent) - middle, _of(recent).spread))


def _distances(found: Iterable[float], middle: float) -> list[float]:
    return [abs(value - middle) for value in found]


def _median(found: Sequence[float]) -> float:
    """The middle value, or the mean of both; `statistics` costs every command its import."""
    ordered, half = sorted(found), len(found) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
