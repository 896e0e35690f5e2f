"""The cost-quality curve: what a model's answers are worth at a class of task, and what they cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from interlock_core.jsontypes import Json, JsonObject
from interlock_observability.provider_metrics._intervals import Interval, mean_interval
from interlock_observability.provider_metrics._tally import Series, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One model at one class of task.

    Attributes:
        task: Class of task.
        model: The model.
        requests: All calls.
        judged: Calls with a score.
        quality: Their mean score, 0 to 1; None without any.
        interval: Of 95 % of the mean; None without any.
        cost_mean_usd: Dollars a call that did what it was for, of those whose price is known, what failed
            calls cost included; None when unknown.
        efficient: No other model at this task is at least as good and as cheap, and better in one of both.
    """

    task: str
    model: str
    requests: int
    judged: int
    quality: float | None
    interval: Interval | None
    cost_mean_usd: float | None
    efficient: bool = False

    def as_json(self) -> JsonObject:
        """As JSON."""
        return {
            "task": self.task,
            "model": self.model,
            "requests": self.requests,
            "judged": self.judged,
            "quality": self.quality,
            "low": None if self.interval is None else self.interval.low,
            "high": None if self.interval is None else self.interval.high,
            "cost_mean_usd": self.cost_mean_usd,
            "efficient": self.efficient,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The cost-quality curve of a range.

    Attributes:
        since: Start of the range after rounding; None for the beginning.
        until: Its end after rounding; None for now.
        points: By task, then from cheap to dear; those of unknown price last.
        complete: The store could be read.
    """

    since: float | None
    until: float | None
    points: tuple[CurvePoint, ...]
    complete: bool = True

    def as_json(self) -> JsonObject:
        """As JSON."""
        points: list[Json] = [point.as_json() for point in self.points]
        return {"since": self.since, "until": self.until, "complete": self.complete, "points": points}

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Headers and cells for a table of text."""
        headers = ("task", "model", "requests", "judged", "quality", "95 %", "mean cost", "efficient")
        return headers, [_cells(point) for point in self.points]


def curve_of(rows: Iterable[tuple[Series, Tally]], task: str | None) -> tuple[CurvePoint, ...]:
    """The points of some counts.

    Args:
        rows: Counts of calls to models, one a series.
        task: Only this class of task; None for each.
    """
    points = [_point(series, tally) for series, tally in rows if task in (None, series.task)]
    by_task: dict[str, list[CurvePoint]] = {}
    for point in points:
        by_task.setdefault(point.task, []).append(point)
    marked = [
        replace(point, efficient=_efficient(point, others)) for others in by_task.values() for point in others
    ]
    return tuple(sorted(marked, key=_place))


def _point(series: Series, tally: Tally) -> CurvePoint:
    known = tally.ok - tally.cost_unknown
    return CurvePoint(
        task=series.task,
        model=series.model,
        requests=tally.requests,
        judged=tally.judged,
        quality=tally.score / tally.judged if tally.judged else None,
        interval=mean_interval(tally.judged, tally.score, tally.score_squares) if tally.judged else None,
        cost_mean_usd=tally.cost_micro_usd / known / 1_000_000 if known > 0 else None,
    )


def _efficient(point: CurvePoint, others: Sequence[CurvePoint]) -> bool:
    if point.quality is None or point.cost_mean_usd is None:
        return False
    return not any(_beats(other, point.quality, point.cost_mean_usd) for other in others)


def _beats(other: CurvePoint, quality: float, cost: float) -> bool:
    if other.quality is None or other.cost_mean_usd is None:
        return False
    no_worse = other.quality >= quality and other.cost_mean_usd <= cost
    return no_worse and (other.quality > quality or other.cost_mean_usd < cost)


def _place(point: CurvePoint) -> tuple[str, bool, float, str]:
    cost = point.cost_mean_usd
    return point.task, cost is None, cost or 0.0, point.model


def _cells(point: CurvePoint) -> tuple[str, ...]:
    interval = point.interval
    return (
        *(point.task, point.model, f"{point.requests:,}", f"{point.judged:,}"),
        "-" if point.quality is None else f"{point.quality:.3f}",
        "-" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}",
        "-" if point.cost_mean_usd is None else f"${point.cost_mean_usd:.6f}",
        "yes" if point.efficient else "",
    )
