"""The detector: what one more hour says of cost, latency, failures and refusals.

The rules, for each measure:

1. A window with too few calls for a p95 or a share says nothing.
2. A value is odd where it is above the usual one of that hour of the week by `enter` usual deviations, and
   by the least amount that is worth a word. What is usual comes from medians, so that few odd hours do not
   change it, and never from hours of which something was told.
3. Odd at `lasts` looks in a row: told. Whole hours that are each a little above are summed up; the sum told
   as a drift.
4. What is told once is told again only as ended: when it was below `leave` for `calm` looks in a row, or
   `calm_slow` where it was no spike.
5. What still holds after `accepted_s` is usual from then on.

Not covered: what is too low (a gateway that nobody uses is for `/readyz` and its clients), what is odd from
the first day on, and which model it was: `interlock stats` tells.
"""

import math
from collections.abc import Iterator
from typing import Final

from interlock_observability.anomalies._baseline import Usual, usual_at
from interlock_observability.anomalies._model import (
    HOUR_S,
    Anomaly,
    AnomalyRules,
    Hour,
    Measure,
    Memory,
    Window,
)

_LONG_S: Final = 86_400
_MOST_AN_HOUR: Final = 4.0
"""The most that one hour adds to a drift: a spike is no drift."""


class AnomalyDetector:
    """Judges windows one by one. It keeps nothing itself.

    Args:
        rules: From when on something is an anomaly.
    """

    __slots__ = ("_rules",)

    def __init__(self, rules: AnomalyRules | None = None) -> None:
        self._rules = rules or AnomalyRules()

    def judge(self, window: Window, measure: Measure, memory: Memory) -> Anomaly | None:
        """Take a window into the memory of a measure, and say what is to be told of it now.

        Args:
            window: An hour; windows come a quarter of an hour apart, in order.
            measure: What is looked at.
            memory: What is remembered of it; it is changed.
        """
        value = self._value(window, measure)
        if value is None:
            return None
        hour = (window.end - HOUR_S // 2) // HOUR_S
        usual = usual_at(memory, hour)
        told = None
        if usual is not None:
            told = self._told(window, measure, memory, value, self._floored(usual, window, measure))
        if window.end % HOUR_S == 0:
            self._remember(Hour(hour, value, memory.since is not None or memory.odd > 0), memory)
        return told

    def _told(
        self, window: Window, measure: Measure, memory: Memory, value: float, usual: Usual
    ) -> Anomaly | None:
        score = (value - usual.middle) / usual.spread
        if memory.since is not None:
            if not self._ends(window, memory, score):
                return None
            since, slow, ended = memory.since, memory.slow, True
            memory.since, memory.odd, memory.drift = None, 0, 0.0
        else:
            worth = value - usual.middle >= self._least(measure, usual)
            slow = worth and self._drifts(window, memory, score)
            memory.odd = memory.odd + 1 if worth and score > self._rules.enter else 0
            if memory.odd < self._rules.lasts and not slow:
                return None
            slow = slow and memory.odd < self._rules.lasts
            since, ended = window.end - HOUR_S, False
            memory.since, memory.slow, memory.odd, memory.drift = since, slow, 0, 0.0
        return Anomaly(
            measure=measure,
            at=window.end,
            since=since,
            ended=ended,
            slow=slow,
            value=value,
            usual=usual.middle,
            score=score,
        )

    def _ends(self, window: Window, memory: Memory, score: float) -> bool:
        """Whether what was told is over."""
        since = memory.since or 0
        if window.end - since > self._rules.accepted_s:
            memory.hours = [each._replace(odd=False) for each in memory.hours if each.number * HOUR_S > since]
            return True
        memory.odd = memory.odd + 1 if score < self._rules.leave else 0
        long = memory.slow or window.end - since > _LONG_S
        return memory.odd >= (self._rules.calm_slow if long else self._rules.calm)

    def _drifts(self, window: Window, memory: Memory, score: float) -> bool:
        """Whether the last hours together are above what is usual; summed by the hour."""
        if window.end % HOUR_S == 0:
            memory.drift = max(memory.drift + min(score, _MOST_AN_HOUR) - self._rules.slack, 0.0)
        return memory.drift > self._rules.drift

    def _value(self, window: Window, measure: Measure) -> float | None:
        match measure:
            case Measure.COST:
                return window.cost_usd
            case Measure.REFUSALS:
                return float(window.refused)
            case Measure.FAILURES:
                enough = window.answerable >= self._rules.least_calls
                return window.failed / window.answerable if enough else None
            case Measure.LATENCY:
                enough = window.answerable - window.failed >= self._rules.least_calls
                return window.latency_p95_s if enough else None

    def _least(self, measure: Measure, usual: Usual) -> float:
        """What a value must be above its usual one by, to be worth a word."""
        rules = self._rules
        match measure:
            case Measure.COST:
                return max(rules.least_usd, usual.middle / 4)
            case Measure.REFUSALS:
                return float(rules.least_refusals)
            case Measure.FAILURES:
                return rules.least_share
            case Measure.LATENCY:
                return usual.middle / 4

    def _floored(self, usual: Usual, window: Window, measure: Measure) -> Usual:
        """The usual deviation, never smaller than chance alone makes it with so many calls."""
        return Usual(usual.middle, max(usual.spread, *_by_chance(usual.middle, window, measure)))

    def _remember(self, hour: Hour, memory: Memory) -> None:
        oldest = hour.number - self._rules.weeks * 7 * 24
        memory.hours = [each for each in memory.hours if each.number > oldest]
        memory.hours.append(hour)


def _by_chance(middle: float, window: Window, measure: Measure) -> Iterator[float]:
    """How far chance alone carries a value."""
    calls = max(window.answerable, 1)
    match measure:
        case Measure.COST:
            yield max(middle, 0.01) * (0.1 + 1 / math.sqrt(max(window.requests, 1)))
        case Measure.REFUSALS:
            yield math.sqrt(middle + 1)
        case Measure.FAILURES:
            yield 0.005 + math.sqrt(max(middle, 0.01) / calls)
        case Measure.LATENCY:
            yield max(middle, 0.001) * (0.08 + 1 / math.sqrt(calls))
