"""Win rates: how often a model does better than another at a class of task."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from interlock_core.jsontypes import Json, JsonObject
from interlock_observability.provider_metrics._intervals import Interval, superiority, wilson
from interlock_observability.provider_metrics._sketch import Sketch
from interlock_observability.provider_metrics._tally import Series

Basis: TypeAlias = Literal["compared", "scores"]
"""What a win rate rests on: both models answered the same prompts, or each had scores of its own."""

Better: TypeAlias = Literal["first", "second", "tie"]
"""Which of two answers to the same prompt was the better one."""

ALL: Final = "*"
"""Stands for all other models."""


class Pair(NamedTuple):
    """Two models that were compared on a day.

    Attributes:
        day: Start of the day, in seconds since 1970, UTC.
        task: Class of task.
        first: The model whose name sorts first.
        second: The other one.
    """

    day: int
    task: str
    first: str
    second: str


class Score(NamedTuple):
    """How often the first of a pair did better, as well, worse.

    Attributes:
        wins: Better.
        ties: As well.
        losses: Worse.
    """

    wins: int = 0
    ties: int = 0
    losses: int = 0

    @property
    def number(self) -> int:
        """All comparisons."""
        return self.wins + self.ties + self.losses

    def plus(self, other: "Score") -> "Score":
        """Both together."""
        return Score(self.wins + other.wins, self.ties + other.ties, self.losses + other.losses)

    def turned(self) -> "Score":
        """As the second of the pair sees it."""
        return Score(self.losses, self.ties, self.wins)


NOTHING: Final = Score()


def pair_of(day: int, task: str, first: str, second: str, better: Better) -> tuple[Pair, Score]:
    """A comparison as it is counted: the pair in the order of names."""
    score = Score(int(better == "first"), int(better == "tie"), int(better == "second"))
    if first <= second:
        return Pair(day, task, first, second), score
    return Pair(day, task, second, first), score.turned()


@dataclass(frozen=True, slots=True, kw_only=True)
class WinRate:
    """How often one model did better than another, or than all others, at a class of task.

    Attributes:
        task: Class of task.
        model: The model.
        against: The other model; `*` for all others.
        basis: `compared`: both answered the same prompts. `scores`: the chance that a score of the one is
            above a score of the other, though their prompts differed; less is known from it.
        number: How many comparisons; of scores, the smaller of both numbers.
        rate: The part that it won, ties counting half.
        interval: Of 95 %.
        wins: Comparisons won; None for scores.
        ties: Comparisons without a winner; None for scores.
        losses: Comparisons lost; None for scores.
    """

    task: str
    model: str
    against: str
    basis: Basis
    number: int
    rate: float
    interval: Interval
    wins: int | None = None
    ties: int | None = None
    losses: int | None = None

    def as_json(self) -> JsonObject:
        """As JSON."""
        return {
            "task": self.task,
            "model": self.model,
            "against": self.against,
            "basis": self.basis,
            "number": self.number,
            "rate": self.rate,
            "low": self.interval.low,
            "high": self.interval.high,
            "wins": self.wins,
            "ties": self.ties,
            "losses": self.losses,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WinRates:
    """Win rates of a range.

    Attributes:
        since: Start of the range after rounding; None for the beginning.
        until: Its end after rounding; None for now.
        rows: By task, then model; against all others first, then against each.
        complete: The store could be read.
    """

    since: float | None
    until: float | None
    rows: tuple[WinRate, ...]
    complete: bool = True

    def as_json(self) -> JsonObject:
        """As JSON."""
        rows: list[Json] = [row.as_json() for row in self.rows]
        return {"since": self.since, "until": self.until, "complete": self.complete, "rows": rows}

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Headers and cells for a table of text."""
        headers = ("task", "model", "against", "from", "number", "win rate", "95 %")
        return headers, [
            (
                *(row.task, row.model, row.against, row.basis, f"{row.number:,}", f"{row.rate:.1%}"),
                f"{row.interval.low:.1%} to {row.interval.high:.1%}",
            )
            for row in self.rows
        ]


def win_rates(
    compared: Iterable[tuple[Pair, Score]], scores: Iterable[tuple[Series, Sketch]], task: str | None
) -> tuple[WinRate, ...]:
    """All win rates.

    Args:
        compared: Comparisons.
        scores: Scores by series.
        task: Only this class of task; None for each.
    """
    rows = [*_from_comparisons(compared), *_from_scores(scores)]
    chosen = (row for row in rows if task in (None, row.task))
    return tuple(
        sorted(chosen, key=lambda row: (row.task, row.basis, row.model, row.against != ALL, row.against))
    )


def _from_comparisons(compared: Iterable[tuple[Pair, Score]]) -> Iterable[WinRate]:
    found: defaultdict[tuple[str, str, str], Score] = defaultdict(Score)
    for pair, score in compared:
        for model, other, seen in (
            (pair.first, pair.second, score),
            (pair.second, pair.first, score.turned()),
        ):
            for against in (other, ALL):
                key = (pair.task, model, against)
                found[key] = found[key].plus(seen)
    for (task, model, against), score in found.items():
        rate = (score.wins + score.ties / 2) / score.number
        yield WinRate(
            task=task,
            model=model,
            against=against,
            basis="compared",
            number=score.number,
            rate=rate,
            interval=wilson(rate, score.number),
            wins=score.wins,
            ties=score.ties,
            losses=score.losses,
        )


def _from_scores(scores: Iterable[tuple[Series, Sketch]]) -> Iterable[WinRate]:
    by_task: defaultdict[str, dict[str, Sketch]] = defaultdict(dict)
    for series, sketch in scores:
        if sketch.count:
            by_task[series.task].setdefault(series.model, Sketch()).merge(sketch)
    for task, models in by_task.items():
        values = {model: _whole(sketch) for model, sketch in models.items()}
        for model, ours in values.items():
            others = {name: theirs for name, theirs in values.items() if name != model}
            for against, theirs in others.items():
                yield _by_scores(task, (model, against), ours, theirs)
            if others:
                yield _by_scores(task, (model, ALL), ours, _together(others))


def _by_scores(
    task: str, names: tuple[str, str], ours: Mapping[float, int], theirs: Mapping[float, int]
) -> WinRate:
    rate, interval = superiority(_rising(ours), _rising(theirs))
    number = min(sum(ours.values()), sum(theirs.values()))
    return WinRate(
        task=task,
        model=names[0],
        against=names[1],
        basis="scores",
        number=number,
        rate=rate,
        interval=interval,
    )


def _whole(sketch: Sketch) -> dict[float, int]:
    """How many scores are of each size; those within 1 % of each other are of one size, in every sketch."""
    zeros = sketch.count - sum(number for _, number in sketch.bins())
    sized: dict[float, int] = dict(sketch.bins())
    return {-math.inf: zeros, **sized} if zeros else sized


def _together(values: Mapping[str, Mapping[float, int]]) -> dict[float, int]:
    found: defaultdict[float, int] = defaultdict(int)
    for each in values.values():
        for value, number in each.items():
            found[value] += number
    return found


def _rising(values: Mapping[float, int]) -> Sequence[tuple[float, int]]:
    return sorted(values.items())
