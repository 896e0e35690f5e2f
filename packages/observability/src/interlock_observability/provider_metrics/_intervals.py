"""Intervals of 95 %: for parts of a count, for means of scores, for the chance that one beats another."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

_Z: Final = 1.959963984540054


class Interval(NamedTuple):
    """An interval that holds the truth in 95 of 100 cases.

    Attributes:
        low: Its lower end, 0 to 1.
        high: Its upper end, 0 to 1.
    """

    low: float
    high: float


def wilson(part: float, number: float) -> Interval:
    """Wilson's interval of a part that was seen among so many.

    Args:
        part: What was seen, 0 to 1.
        number: Among how many; need not be whole.
    """
    if number <= 0:
        return Interval(0.0, 1.0)
    spread = _Z * _Z / number
    middle = (part + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(max(part * (1 - part) / number + spread / (4 * number), 0.0))
    low = 0.0 if part <= 0 else max(middle - half, 0.0)
    return Interval(low, 1.0 if part >= 1 else min(middle + half, 1.0))


def mean_interval(number: int, total: float, squares: float) -> Interval:
    """The interval of a mean of values from 0 to 1.

    Values of one mean are never spread more than zeros and ones, for which it is Wilson's; where they are
    spread less, each counts for more. One value more, spread like zeros and ones, keeps few equal values
    from being taken for certainty.

    Args:
        number: How many values.
        total: Their sum.
        squares: The sum of their squares.
    """
    if not number:
        return Interval(0.0, 1.0)
    mean = min(max(total / number, 0.0), 1.0)
    if squares >= total * (1 - 1e-9):
        return wilson(mean, number)
    # A mean of exactly 0 or 1 has no spread of its own; the middle of half a value more has.
    near = (total + 0.5) / (number + 1)
    widest = near * (1 - near)
    spread = (max(squares - total * mean, 0.0) + widest) / number
    return wilson(mean, number * min(max(widest / spread, 1.0), number))


def superiority(
    first: Sequence[tuple[float, int]], second: Sequence[tuple[float, int]]
) -> tuple[float, Interval]:
    """The chance that a value of the first is above one of the second, a tie counting half.

    Its variance is DeLong's; its interval is Wilson's for as many pairs as would vary as much.

    Args:
        first: Values, rising, each with how often it was seen; at least one.
        second: Likewise.
    """
    ours, theirs = sum(number for _, number in first), sum(number for _, number in second)
    placed = _placements(first, second, theirs)
    part = sum(number * place for number, place in placed) / ours
    others = [(number, 1 - place) for number, place in _placements(second, first, ours)]
    variance = _variance(placed, part, ours) + _variance(others, part, theirs)
    few = min(ours, theirs)
    if variance <= 0:
        return part, wilson(part, few)
    return part, wilson(part, min(max(part * (1 - part) / variance, 1.0), ours + theirs))


def _placements(
    values: Sequence[tuple[float, int]], others: Sequence[tuple[float, int]], number: int
) -> list[tuple[int, float]]:
    """For each value how often it was seen, and the part of the others that it is above."""
    found: list[tuple[int, float]] = []
    below, at = 0, 0
    for value, times in values:
        while at < len(others) and others[at][0] < value:
            below += others[at][1]
            at += 1
        same = others[at][1] if at < len(others) and others[at][0] == value else 0
        found.append((times, (below + same / 2) / number))
    return found


def _variance(placed: Sequence[tuple[int, float]], mean: float, number: int) -> float:
    """The variance of the mean of placements."""
    if number < 2:
        return 0.0
    return sum(times * (place - mean) ** 2 for times, place in placed) / (number - 1) / number
