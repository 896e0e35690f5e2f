"""Whether experiments are judged rightly: made-up traffic, looked at after every outcome.

Each row is a kind of traffic: how many experiments were tried, how many held (ended as they should), and what
part did. `--json` prints one document; FULL=1 the whole sizes (2,000 experiments of 5,000 outcomes).
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from interlock_router.experiments import Arm, Experiment, Metric, assign
from interlock_router.experiments.analysis import MISMATCH_ALPHA, mismatch_p_value
from interlock_router.experiments.simulation import Draw, Plan, clustered, independent, watch, watch_once

ALPHA = 0.05
TRAFFIC: dict[str, tuple[Draw, Plan]] = {
    "normal scores, sd 0.4": (
        lambda random, shape: random.normal(0.6, 0.4, shape),
        Plan(experiments=1, observations=1),
    ),
    "successes, 0.7": (
        lambda random, shape: (random.random(shape) < 0.7).astype(np.float64),
        Plan(experiments=1, observations=1, bounds=(0.0, 1.0)),
    ),
    "successes, 0.98": (
        lambda random, shape: (random.random(shape) < 0.98).astype(np.float64),
        Plan(experiments=1, observations=1, bounds=(0.0, 1.0), effect=0.02),
    ),
    "log-normal costs, sigma 1": (
        lambda random, shape: random.lognormal(0.0, 1.0, shape),
        Plan(experiments=1, observations=1, effect=0.25),
    ),
    "log-normal costs, sigma 2": (
        lambda random, shape: random.lognormal(0.0, 2.0, shape),
        Plan(experiments=1, observations=1, effect=2.0),
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """What was tried and how much of it held.

    Attributes:
        name: What was measured.
        tried: How many.
        held: How many ended as they should.
        bound: Least part that has to hold; None for a rival, which is shown and not judged.
    """

    name: str
    tried: int
    held: int
    bound: float | None

    @property
    def missed(self) -> bool:
        """Whether fewer held than had to."""
        return self.bound is not None and self.held < self.bound * self.tried

    def __str__(self) -> str:
        bound = "   rival" if self.bound is None else f"   at least {self.bound:.3f}"
        missed = "   MISSED" if self.missed else ""
        return f"{self.name:64}{self.tried:7}{self.held:7}{self.held / self.tried:8.4f}{bound}{missed}"


def rows(experiments: int, outcomes: int) -> Iterator[Row]:
    """Every measurement, in the order of the report."""
    for name, (draw, shape) in TRAFFIC.items():
        plan = replace(shape, experiments=experiments, observations=outcomes)
        found, rival = (look(plan, independent(plan, draw)) for look in (watch, watch_once))
        yield Row(f"no false winner: {name}", experiments, experiments - found.decided, 1 - ALPHA)
        yield Row("  a test for one look, peeked at", experiments, experiments - rival.decided, None)
        lifted = replace(plan, lift=2 * plan.effect, seed=2)
        covered = experiments - watch(lifted, independent(lifted, draw)).uncovered
        yield Row(f"truth covered at all looks: {name}", experiments, covered, 1 - ALPHA)
    yield from _users(experiments, outcomes)
    yield from _power(min(experiments, 1_000))
    yield from _shares(min(experiments, 400))
    yield from _assignment()


def _users(experiments: int, outcomes: int) -> Iterator[Row]:
    plan = Plan(experiments=experiments, observations=outcomes, seed=3)
    batches = list(clustered(plan, outcomes // 4, between=0.3, within=0.3))
    units = watch(plan, (users for users, _, _ in batches)).decided
    single = watch(plan, (each for _, each, _ in batches)).decided
    yield Row("no false winner: users who come back", experiments, experiments - units, 1 - ALPHA)
    yield Row("  each outcome taken for a unit", experiments, experiments - single, None)


def _power(experiments: int) -> Iterator[Row]:
    plan = Plan(experiments=experiments, observations=8_000, lift=0.05, seed=4)
    won = watch(plan, independent(plan, TRAFFIC["normal scores, sd 0.4"][0])).won
    for outcomes, bound in ((2_200, 0.5), (5_000, 0.9), (8_000, 0.98)):
        found = int(np.count_nonzero((won > 0) & (won <= outcomes)))
        yield Row(f"a lift of 0.05 at sd 0.4 found by {outcomes:,} outcomes", experiments, found, bound)


def _shares(experiments: int) -> Iterator[Row]:
    wrong = sum(_mismatch(0.52, seed) for seed in range(experiments))
    right = sum(_mismatch(0.5, seed) for seed in range(experiments))
    yield Row("shares of 52 to 48 found by 25,000 units", experiments, wrong, 0.9)
    yield Row("shares of 50 to 50 let alone over 25,000 units", experiments, experiments - right, 0.99)


def _mismatch(share: float, seed: int, units: int = 25_000, every: int = 100) -> bool:
    first: NDArray[np.intp] = (np.random.default_rng(seed).random(units) < share).cumsum()
    return any(
        mismatch_p_value([int(first[seen - 1]), seen - int(first[seen - 1])], [0.5, 0.5]) <= MISMATCH_ALPHA
        for seen in range(every, units + 1, every)
    )


def _assignment(units: int = 20_000) -> Iterator[Row]:
    arms = {"a": 0.5, "b": 0.3, "c": 0.2}
    old, again, changed = (
        [_arm(weights, f"user-{number}") for number in range(units)]
        for weights in (arms, dict(reversed(arms.items())), {"a": 0.6, "b": 0.2, "c": 0.2})
    )
    yield Row("units that keep their arm, arms listed in another order", units, _alike(old, again), 1.0)
    yield Row("units that keep their arm, a tenth of the shares moved", units, _alike(old, changed), 0.87)
    near = sum(abs(Counter(old)[name] / units - part) < 0.015 for name, part in arms.items())
    yield Row("arms within 0.015 of their weight", len(arms), near, 1.0)


def _arm(weights: dict[str, float], unit: str) -> str:
    arms = tuple(Arm(name=name, weight=weight, policy=name) for name, weight in weights.items())
    found = assign(Experiment(name="bench", arms=arms, metric=Metric(name="score")), unit)
    return found.arm.name if found is not None else ""


def _alike(one: list[str], other: list[str]) -> int:
    return sum(first == second for first, second in zip(one, other, strict=True))


def main(say: Callable[[str], None] = print) -> int:
    """Prints one row a measurement; fails when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    as_json = parser.parse_args().json
    sizes = (2_000, 5_000) if os.environ.get("FULL") == "1" else (400, 1_000)
    found: list[Row] = []
    if not as_json:
        say(f"{'of ' + format(sizes[1], ',') + ' outcomes each':64}{'tried':>7}{'held':>7}{'part':>8}")
    for row in rows(*sizes):
        found.append(row)
        if not as_json:
            say(str(row))
    if as_json:
        say(json.dumps([{**asdict(row), "missed": row.missed} for row in found], indent=1))
    return int(any(row.missed for row in found))


if __name__ == "__main__":
    sys.exit(main())
