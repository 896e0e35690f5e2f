"""Experiments on made-up traffic, many at once, looked at after every outcome.

This is how the judge is judged (how often does it find a difference that is not there?), and how an
experiment is planned (how many outcomes will it take?). The moments go through the same `estimate` and
`half_width` that a verdict goes through.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from interlock_router.experiments._sequence import COUNT, Bounds, Reals, estimate, half_width

__all__ = ["Draw", "Plan", "Watched", "clustered", "independent", "watch", "watch_once"]

Draw: TypeAlias = Callable[[np.random.Generator, tuple[int, int]], Reals]
"""Draws outcomes, all with the same mean."""

Looks: TypeAlias = tuple[Reals, Reals]
"""Moments of the control and of the other arm: count, sum and squares by experiment by look."""

_BATCH: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is simulated.

    Attributes:
        experiments: How many.
        observations: Outcomes in each, both arms together; there is a look after every one.
        lift: By how much the other arm's outcomes are higher.
        minimum: Least units of each arm before a look decides.
        alpha: Level of the interval.
        effect: The smallest effect worth finding.
        bounds: Least and greatest outcome, if they are to be made use of.
        seed: Of everything drawn.
    """

    experiments: int
    observations: int
    lift: float = 0.0
    minimum: int = 100
    alpha: float = 0.05
    effect: float = 0.05
    bounds: Bounds | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Watched:
    """What came of many experiments; an entry each, counted in outcomes, 0 where it never came.

    Attributes:
        won: The first look at which the interval lay above no effect.
        lost: The first at which it lay below.
        missed: The first at which it left out the true effect.
    """

    won: NDArray[np.intp]
    lost: NDArray[np.intp]
    missed: NDArray[np.intp]

    @property
    def decided(self) -> int:
        """How many experiments ended with a winner or a loser."""
        return int(np.count_nonzero(self.won + self.lost))

    @property
    def uncovered(self) -> int:
        """How many intervals ever left out the truth."""
        return int(np.count_nonzero(self.missed))


def watch(plan: Plan, traffic: Iterator[Looks]) -> Watched:
    """Look at every outcome, with intervals that hold at every look."""
    return _watch(plan, traffic, lambda variance: half_width(variance, alpha=plan.alpha, effect=plan.effect))


def watch_once(plan: Plan, traffic: Iterator[Looks]) -> Watched:
    """Look at every outcome with a test that was made for one look, which is a mistake.

    This is the rival that must fail: the usual interval of a two-sample test at a fixed size.
    """
    quantile = NormalDist().inv_cdf(1 - plan.alpha / 2)
    return _watch(plan, traffic, lambda variance: quantile * np.sqrt(variance))


def independent(plan: Plan, draw: Draw) -> Iterator[Looks]:
    """Each outcome is a unit of its own, and goes to either arm by a coin."""
    random = np.random.default_rng(plan.seed)
    for size in _batches(plan.experiments):
        shape = (size, plan.observations)
        treated = random.random(shape) < 0.5
        values = draw(random, shape) + plan.lift * treated
        yield _moments(values, ~treated), _moments(values, treated)


def clustered(
    plan: Plan, users: int, *, between: float, within: float
) -> Iterator[tuple[Looks, Looks, NDArray[np.bool_]]]:
    """Users come back, some of them often, and each has a mean of its own.

    Args:
        plan: What is simulated.
        users: How many there are; the busiest make many times the requests of the median one.
        between: Standard deviation of the users' own means.
        within: Standard deviation of one user's outcomes.

    Returns:
        An iterator over batches: the moments of the means of users, the moments of single outcomes (which
        take a busy user for many), and which users have the other arm.
    """
    random = np.random.default_rng(plan.seed)
    for size in _batches(plan.experiments):
        shape = (size, plan.observations)
        busy = random.lognormal(0.0, 1.5, (size, users)).cumsum(axis=1)
        points = random.random(shape) * busy[:, -1:]
        who = _places(busy, points)
        arms = random.random((size, users)) < 0.5
        means = random.normal(0.5, between, (size, users)) + plan.lift * arms
        treated = np.take_along_axis(arms, who, axis=1)
        values = random.normal(np.take_along_axis(means, who, axis=1), within)
        steps = _unit_steps(who, values, users)
        by_user = tuple((steps * chosen).cumsum(axis=2) for chosen in (~treated, treated))
        by_outcome = _moments(values, ~treated), _moments(values, treated)
        yield (by_user[0], by_user[1]), by_outcome, arms


def _places(ends: Reals, points: Reals) -> NDArray[np.intp]:
    found = np.empty(points.shape, dtype=np.intp)
    for row in range(points.shape[0]):
        found[row] = np.searchsorted(ends[row], points[row])
    return found


def _watch(plan: Plan, traffic: Iterator[Looks], width: Callable[[Reals], Reals]) -> Watched:
    won: list[NDArray[np.intp]] = []
    lost: list[NDArray[np.intp]] = []
    missed: list[NDArray[np.intp]] = []
    for control, treated in traffic:
        found = estimate(control, treated, plan.bounds)
        half = width(found.variance)
        looked = np.minimum(control[COUNT], treated[COUNT]) >= plan.minimum
        above, below = looked & (found.effect > half), looked & (found.effect < -half)
        first = _first(above | below)
        won.append(np.where(_first(above) == first, first, 0))
        lost.append(np.where(_first(below) == first, first, 0))
        missed.append(_first(looked & (np.abs(found.effect - plan.lift) > half)))
    return Watched(np.concatenate(won), np.concatenate(lost), np.concatenate(missed))


def _first(hits: NDArray[np.bool_]) -> NDArray[np.intp]:
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)


def _moments(values: Reals, chosen: NDArray[np.bool_]) -> Reals:
    kept = values * chosen
    return np.stack([chosen, kept, kept * values]).cumsum(axis=2)


def _unit_steps(who: NDArray[np.intp], values: Reals, users: int) -> Reals:
    """What each outcome changes in count, sum and squares of the means of its experiment's users."""
    size, looks = values.shape
    offsets = np.arange(size, dtype=np.intp).reshape(size, 1) * users
    keys: NDArray[np.intp] = np.asarray(np.add(who, offsets), dtype=np.intp).reshape(-1)
    order = np.argsort(keys, kind="stable")
    sorted_keys, ordered = keys[order], values.ravel()[order]
    new = np.concatenate([[True], sorted_keys[1:] != sorted_keys[:-1]])
    starts = np.flatnonzero(new)[new.cumsum() - 1]
    number = np.arange(keys.size) - starts + 1
    sums = ordered.cumsum()
    mean = (sums - (sums[starts] - ordered[starts])) / number
    before = np.where(new, 0.0, np.concatenate([[0.0], mean[:-1]]))
    steps = np.empty((3, keys.size))
    steps[:, order] = np.stack([new, mean - before, mean * mean - before * before])
    return steps.reshape(3, size, looks)


def _batches(experiments: int) -> Iterator[int]:
    for start in range(0, experiments, _BATCH):
        yield min(_BATCH, experiments - start)
