"""How often a judge that is asked after every outcome is wrong: measured on made-up traffic.

By default 400 experiments of 1,000 outcomes a kind of traffic; 2,000 of 5,000 when the environment says
`INTERLOCK_FULL=1`. A rate may pass its bound by three standard errors of the number of experiments.
"""

import os
from math import sqrt
from typing import Final

import numpy as np
import pytest

from interlock_router.experiments import UnitTally
from interlock_router.experiments.analysis import MISMATCH_ALPHA, mismatch_p_value
from interlock_router.experiments.simulation import Draw, Plan, clustered, independent, watch, watch_once

FULL: Final = os.environ.get("INTERLOCK_FULL") == "1"
EXPERIMENTS, OUTCOMES = (2_000, 5_000) if FULL else (400, 1_000)
ALPHA: Final = 0.05
AT_MOST: Final = ALPHA + 3 * sqrt(ALPHA * (1 - ALPHA) / EXPERIMENTS)

TRAFFIC: Final[dict[str, tuple[Draw, Plan]]] = {
    "scores": (
        lambda random, shape: random.normal(0.6, 0.4, shape),
        Plan(experiments=EXPERIMENTS, observations=OUTCOMES),
    ),
    "successes of 7 in 10": (
        lambda random, shape: (random.random(shape) < 0.7).astype(np.float64),
        Plan(experiments=EXPERIMENTS, observations=OUTCOMES, bounds=(0.0, 1.0)),
    ),
    "successes of 49 in 50": (
        lambda random, shape: (random.random(shape) < 0.98).astype(np.float64),
        Plan(experiments=EXPERIMENTS, observations=OUTCOMES, bounds=(0.0, 1.0), effect=0.02),
    ),
    "skew costs": (
        lambda random, shape: random.lognormal(0.0, 1.0, shape),
        Plan(experiments=EXPERIMENTS, observations=OUTCOMES, effect=0.25),
    ),
}


@pytest.mark.promise("R4")
@pytest.mark.parametrize("name", TRAFFIC)
def test_peeking_after_every_outcome_finds_no_difference_that_is_not_there(name: str) -> None:
    """Wrong winners and losers together stay below alpha, and so do intervals that leave the truth out."""
    draw, plan = TRAFFIC[name]
    found = watch(plan, independent(plan, draw))
    assert found.decided <= AT_MOST * EXPERIMENTS
    assert found.uncovered <= AT_MOST * EXPERIMENTS


@pytest.mark.promise("R4")
def test_a_test_made_for_one_look_is_often_wrong_when_peeked_at() -> None:
    """The same outcomes, the usual interval: far above alpha, so the bound above can be broken."""
    draw, plan = TRAFFIC["scores"]
    assert watch_once(plan, independent(plan, draw)).decided > 3 * ALPHA * EXPERIMENTS


@pytest.mark.promise("R4")
def test_intervals_hold_the_truth_at_all_looks_when_there_is_a_difference() -> None:
    """With a true lift, at most alpha of all intervals ever leave it out; one-look ones often do."""
    draw, _ = TRAFFIC["scores"]
    lifted = Plan(experiments=EXPERIMENTS, observations=OUTCOMES, lift=0.1, seed=2)
    assert watch(lifted, independent(lifted, draw)).uncovered <= AT_MOST * EXPERIMENTS
    assert watch_once(lifted, independent(lifted, draw)).uncovered > 3 * ALPHA * EXPERIMENTS


@pytest.mark.promise("R4")
def test_users_who_come_back_are_not_taken_for_many() -> None:
    """By means of users, wrong winners stay below alpha; by single outcomes, they do not."""
    experiments = EXPERIMENTS // 2
    plan = Plan(experiments=experiments, observations=OUTCOMES, minimum=50, seed=3)
    batches = list(clustered(plan, OUTCOMES // 4, between=0.3, within=0.3))
    at_most = ALPHA + 3 * sqrt(ALPHA * (1 - ALPHA) / experiments)
    assert watch(plan, (users for users, _, _ in batches)).decided <= at_most * experiments
    assert watch(plan, (outcomes for _, outcomes, _ in batches)).decided > 2 * at_most * experiments


@pytest.mark.promise("R4")
def test_a_difference_of_five_in_a_hundred_is_found_in_a_stated_number_of_outcomes() -> None:
    """Scores that spread by 0.4, outcomes of both arms: half find it by 2,200, nine in ten by 5,000."""
    experiments = 600 if FULL else 150
    plan = Plan(experiments=experiments, observations=5_000, lift=0.05, seed=4)
    found = watch(plan, independent(plan, TRAFFIC["scores"][0]))
    by = np.where(found.won > 0, found.won, plan.observations + 1)
    assert float(np.median(by)) <= 2_200
    assert np.count_nonzero(found.won) >= 0.9 * experiments
    assert np.count_nonzero(found.lost) <= 0.01 * experiments


def test_simulated_moments_of_users_are_those_that_are_counted() -> None:
    """The numbers that the simulation takes a short way to are what rows of units come to."""
    plan = Plan(experiments=1, observations=300, seed=6)
    ((control, treated), (plain, other), arms) = next(clustered(plan, 40, between=0.3, within=0.3))
    values = np.diff(plain[1, 0] + other[1, 0], prepend=0.0)
    assert control[0, 0, -1] + treated[0, 0, -1] <= 40
    assert plain[0, 0, -1] + other[0, 0, -1] == 300
    rows = UnitTally()
    steps = np.diff(control[:, 0] + treated[:, 0], axis=1, prepend=0.0)
    known: dict[int, tuple[int, float]] = {}
    for look, value in enumerate(values):
        unit = _who(steps[:, look], known, float(value))
        count, total = known.get(unit, (0, 0.0))
        known[unit] = count + 1, total + float(value)
        treats = bool(np.diff(other[0, 0], prepend=0.0)[look])
        rows.expose(str(unit), "new" if treats else "old")
        rows.observe(str(unit), "score", float(value))
    tally = rows.tally()
    assert tally.crossed == 0
    for name, moments in (("old", control), ("new", treated)):
        found = tally.of(name).of("score")
        assert [found.count, found.total, found.squares] == pytest.approx(moments[:, 0, -1].tolist())
    assert arms.shape == (1, 40)


def _who(
    step: np.ndarray[tuple[int], np.dtype[np.float64]], known: dict[int, tuple[int, float]], value: float
) -> int:
    """The unit whose mean an outcome moved by that step; a new one when it counts one more."""
    if step[0] == 1:
        return len(known)
    moved = {
        unit: abs((total + value) / (count + 1) - total / count - step[1])
        for unit, (count, total) in known.items()
    }
    return min(moved, key=moved.__getitem__)


def _mismatch_found(share: float, units: int, every: int, seed: int) -> int:
    """The number of units at which wrong shares are found, looking every so often; 0 when never."""
    first = np.random.default_rng(seed).random(units) < share
    for seen in range(every, units + 1, every):
        count = int(np.count_nonzero(first[:seen]))
        if mismatch_p_value([count, seen - count], [0.5, 0.5]) <= MISMATCH_ALPHA:
            return seen
    return 0


@pytest.mark.promise("R4")
def test_wrong_shares_are_found_and_right_ones_are_not() -> None:
    """52 to 48 by 25,000 units in nine of ten experiments; 50 to 50, looked at as often, next to never."""
    experiments = 400 if FULL else 100
    found = [_mismatch_found(0.52, 25_000, 100, seed) for seed in range(experiments)]
    silent = [_mismatch_found(0.50, 25_000, 100, seed + 10_000) for seed in range(experiments)]
    assert sum(map(bool, found)) >= 0.9 * experiments
    assert sum(map(bool, silent)) <= MISMATCH_ALPHA * experiments + 3 * sqrt(MISMATCH_ALPHA * experiments)
