"""How much a principal does, held against its own hours before."""

from statistics import median

from interlock_security.alerts._memory import MOST_HOURS, Memory
from interlock_security.alerts._model import AlertRules, Observation

_SLICE_S = 300
_SLICES = 3600 // _SLICE_S
_HOUR_S = 3600
_FEWEST_HOURS = 24
# The median absolute deviation of a normal distribution, times this, is its standard deviation.
_DEVIATION = 1.4826
_DEVIATIONS = 10.0


def add(memory: Memory, seen: Observation, rules: AlertRules) -> None:
    """Count one call."""
    amounts = (1, seen.output_bytes, seen.cost_micro_usd)
    part, hour = int(seen.at) // _SLICE_S, int(seen.at) // _HOUR_S
    if not memory.slices or memory.slices[-1][0] < part:
        memory.slices.append([part, 0, 0, 0])
    memory.slices = [row for row in memory.slices if row[0] > part - _SLICES]
    if hour > memory.hour[0]:
        if memory.hour[1]:
            memory.usual = [*memory.usual, memory.hour[1:]][-MOST_HOURS:]
            memory.bounds = _bounds(memory, rules)
        memory.hour = [hour, 0, 0, 0]
    for place, amount in enumerate(amounts, start=1):
        memory.slices[-1][place] += amount
        memory.hour[place] += amount


def excess(memory: Memory) -> float:
    """How far the last hour's calls, bytes or cost are on the way to being suspicious: from 1 on they are.

    Nothing is, before there are enough hours to say what is usual.
    """
    sums = [sum(row[place] for row in memory.slices) for place in (1, 2, 3)]
    return max((amount / bound for amount, bound in zip(sums, memory.bounds, strict=False)), default=0.0)


def _bounds(memory: Memory, rules: AlertRules) -> list[float]:
    """From which volumes on an hour is suspicious: far above the median, and above what is always allowed."""
    if len(memory.usual) < _FEWEST_HOURS:
        return []
    bounds: list[float] = []
    for place, floor in enumerate((rules.volume_calls, rules.volume_bytes, rules.volume_micro_usd)):
        before = [row[place] for row in memory.usual]
        middle = median(before)
        spread = _DEVIATION * median(abs(value - middle) for value in before)
        bounds.append(max(floor, middle * rules.volume_factor, middle + _DEVIATIONS * spread))
    return bounds
