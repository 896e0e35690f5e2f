"""What is watched, what is remembered of it, and from when on it is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Self

from interlock_core.jsontypes import (
    Json,
    JsonObject,
    as_array,
    as_int,
    as_number,
    as_object,
    dump_json,
    parse_json,
)

STEP_S: Final = 900
"""Seconds between two looks; each is at the hour before it."""

HOUR_S: Final = 3_600
"""Seconds of a window, and of what is remembered as one value."""


class Measure(StrEnum):
    """What is watched."""

    COST = "cost"
    LATENCY = "latency"
    FAILURES = "failures"
    REFUSALS = "refusals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What happened in one hour.

    Attributes:
        end: Its end, in seconds since 1970.
        requests: Calls.
        answerable: Those neither refused nor cancelled nor wrong.
        failed: Those of them that failed.
        refused: Calls that a rule refused.
        cost_usd: Dollars.
        latency_p95_s: 95 of 100 calls took at most this; None without any.
    """

    end: int
    requests: int = 0
    answerable: int = 0
    failed: int = 0
    refused: int = 0
    cost_usd: float = 0.0
    latency_p95_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyRules:
    """From when on something is an anomaly.

    Scores count in usual deviations from what is usual at that hour.

    Attributes:
        enter: Score above which a value is odd.
        leave: Score below which it is usual again; what lies between changes nothing.
        lasts: Looks in a row, a quarter of an hour apart, that must be odd before it is told.
        calm: Looks in a row that must be usual before its end is told.
        calm_slow: The same, of what was found by many hours that were each a little above, or lasts a day.
        drift: Sum of what hours are above their usual value by, beyond `slack` each, that is told as a drift.
        slack: What an hour may be above its usual value without being counted.
        least_calls: Fewest calls that a p95 or a share is worth looking at.
        least_usd: Dollars an hour that cost must be above its usual value by.
        least_refusals: Refusals an hour that they must be above theirs by.
        least_share: What the share of failures must be above its own by.
        accepted_s: Seconds after which what still holds is usual from then on.
        weeks: How many weeks are remembered.
    """

    enter: float = 6.0
    leave: float = 1.0
    lasts: int = 2
    calm: int = 12
    calm_slow: int = 48
    drift: float = 20.0
    slack: float = 1.75
    least_calls: int = 20
    least_usd: float = 0.5
    least_refusals: int = 15
    least_share: float = 0.05
    accepted_s: float = 7 * 86_400.0
    weeks: int = 5


class Hour(NamedTuple):
    """One hour as it is remembered.

    Attributes:
        number: Hours since 1970.
        value: What was measured.
        odd: Something was told of it, so that it says nothing of what is usual.
    """

    number: int
    value: float
    odd: bool


@dataclass(slots=True)
class Memory:
    """What is remembered of one measure.

    Attributes:
        hours: Past hours, the oldest first.
        odd: Looks in a row that were odd, while nothing is told; usual ones, while something is.
        drift: What the last hours were above their usual values by.
        since: When what is told began; None while nothing is.
        slow: It was found by many hours that were each a little above.
    """

    hours: list[Hour] = field(default_factory=list[Hour])
    odd: int = 0
    drift: float = 0.0
    since: int | None = None
    slow: bool = False

    def dump(self) -> str:
        """As text."""
        hours: list[Json] = [[hour.number, hour.value, int(hour.odd)] for hour in self.hours]
        rest: JsonObject = {"odd": self.odd, "drift": self.drift, "since": self.since, "slow": self.slow}
        return dump_json({"hours": hours, **rest})

    @classmethod
    def load(cls, text: str) -> Self:
        """From its text; an empty memory when it is none.

        Raises:
            ValueError: It is no JSON.
        """
        found = as_object(parse_json(text))
        rows = (as_array(row) for row in as_array(found.get("hours")))
        return cls(
            hours=[Hour(as_int(row[0]) or 0, as_number(row[1]) or 0.0, bool(row[2])) for row in rows],
            odd=as_int(found.get("odd")) or 0,
            drift=as_number(found.get("drift")) or 0.0,
            since=as_int(found.get("since")),
            slow=found.get("slow") is True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Something that is told: that it began, or that it ended.

    Attributes:
        measure: What was measured.
        at: When it was seen, in seconds since 1970.
        since: When it began.
        ended: It is usual again.
        slow: It was found by many hours that were each a little above.
        value: What was measured last.
        usual: What is usual at that hour.
        score: How many usual deviations lie between both.
        id: Its id; empty before it is kept.
    """

    measure: Measure
    at: int
    since: int
    ended: bool
    slow: bool
    value: float
    usual: float
    score: float
    id: str = ""

    @property
    def message(self) -> str:
        """One sentence."""
        name, value, usual = _NAMES[self.measure], shown(self.measure, self.value), self._usual
        if self.ended:
            return f"{name} is usual again: {value}, {usual} is usual at this hour."
        how = " for hours" if self.slow else ""
        return f"{name} is unusually high{how}: {value}, {usual} is usual at this hour."

    @property
    def _usual(self) -> str:
        return shown(self.measure, self.usual)

    def as_json(self) -> JsonObject:
        """As it is sent to webhooks: the fields of every alert, and the figures behind it."""
        return {
            "id": self.id,
            "kind": f"anomaly-{self.measure.value}",
            "subject": self.measure.value,
            "at": self.at,
            "message": self.message,
            "data": {
                "state": "ended" if self.ended else "began",
                "since": self.since,
                "slow": self.slow,
                "value": self.value,
                "usual": self.usual,
                "score": round(self.score, 2),
            },
        }


_NAMES: Final = {
    Measure.COST: "Cost an hour",
    Measure.LATENCY: "Latency (p95)",
    Measure.FAILURES: "The share of failures",
    Measure.REFUSALS: "The number of refusals an hour",
}


def shown(measure: Measure, value: float) -> str:
    """A value with its unit."""
    forms = {
        Measure.COST: f"${value:.2f}",
        Measure.LATENCY: f"{value:.2f} s",
        Measure.FAILURES: f"{value:.1%}",
        Measure.REFUSALS: f"{value:.0f}",
    }
    return forms[measure]


def values(hours: Sequence[Hour]) -> list[float]:
    """The values of hours."""
    return [hour.value for hour in hours]
