"""What is said of an experiment, rule by rule."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_core.jsontypes import dump_json
from interlock_router.experiments import (
    Arm,
    ArmTally,
    Experiment,
    Guardrail,
    Metric,
    Moments,
    Tally,
    UnitTally,
    assign,
)
from interlock_router.experiments.analysis import estimate, half_width, mismatch_p_value, verdict

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
PLAIN = Experiment(
    name="cheaper",
    arms=(Arm(name="old", weight=0.5, policy="best"), Arm(name="new", weight=0.5, policy="cheap")),
    metric=Metric(name="score", low=0.0, high=1.0),
    guardrails=(Guardrail(name="cost_usd", tolerated=0.01),),
    stop=NOON,
)
THREE = replace(
    PLAIN,
    arms=(
        Arm(name="old", weight=0.5, policy="best"),
        Arm(name="new", weight=0.25, policy="cheap"),
        Arm(name="local", weight=0.25, policy="local-first"),
    ),
)


def moments(units: int, mean: float, deviation: float) -> Moments:
    """Of so many units with that mean and deviation."""
    return Moments(units, units * mean, units * (mean * mean + deviation * deviation))


def arm(units: int, score: float, cost: float = 0.05) -> ArmTally:
    """An arm whose scores spread by 0.4 and whose costs by 0.02."""
    return ArmTally(units, {"score": moments(units, score, 0.4), "cost_usd": moments(units, cost, 0.02)})


def seen(new: ArmTally, old: ArmTally) -> Tally:
    """A tally of two arms."""
    return Tally({"old": old, "new": new})


@pytest.mark.promise("R4")
@pytest.mark.parametrize(
    ("new", "old", "state", "winner", "words"),
    [
        (
            arm(4000, 0.66),
            arm(4000, 0.60),
            "win",
            "new",
            "Arm new is better than old: score changes by +0.06",
        ),
        (
            arm(4000, 0.54),
            arm(4000, 0.60),
            "lose",
            "old",
            "Arm new is worse than old: score changes by -0.06",
        ),
        (arm(6000, 0.60), arm(6000, 0.60), "futile", "old", "does not gain the 0.05 of score worth finding"),
        (arm(400, 0.62), arm(400, 0.60), "running", None, "not told apart from old yet"),
        (arm(90, 0.9), arm(90, 0.1), "running", None, "fewer than 100 units"),
        (arm(400, 0.62, 0.07), arm(400, 0.60), "guardrail", "old", "breaks a guard-rail"),
        (arm(400, 0.62, 0.055), arm(400, 0.60), "running", None, "not told apart"),
        (arm(10_400, 0.66), arm(9_600, 0.60), "mismatch", None, "find where units are lost"),
    ],
)
def test_each_rule_ends_an_experiment_with_its_reason(
    new: ArmTally, old: ArmTally, state: str, winner: str | None, words: str
) -> None:
    """Win, lose, futile, a broken guard-rail, shares that are not the weights, and none of them."""
    found = verdict(PLAIN, seen(new, old))
    assert (found.state, found.winner) == (state, winner)
    assert words in found.reason
    assert found.reason.endswith(".")


@pytest.mark.promise("R4")
def test_a_verdict_tells_means_effect_and_interval() -> None:
    """The interval holds the effect, is as wide on both sides, and the level agrees with it."""
    found = verdict(PLAIN, seen(arm(4000, 0.66), arm(4000, 0.60)))
    primary = found.arms[0].primary
    assert found.mean == pytest.approx({"old": 0.60, "new": 0.66})
    assert primary.low is not None
    assert primary.high is not None
    assert primary.effect == pytest.approx(0.06)
    assert 0 < primary.low < 0.06 < primary.high
    assert primary.high - 0.06 == pytest.approx(0.06 - primary.low)
    assert primary.p_value < 0.05
    assert '"winner":"new"' in dump_json(found.as_json())


def test_a_metric_that_is_better_lower_wins_by_falling() -> None:
    """The same counts the other way round; the effect keeps its sign."""
    lower = replace(PLAIN, metric=Metric(name="score", better="lower"))
    found = verdict(lower, seen(arm(4000, 0.54), arm(4000, 0.60)))
    assert (found.state, found.winner) == ("win", "new")
    assert found.arms[0].primary.effect == pytest.approx(-0.06)
    assert verdict(lower, seen(arm(4000, 0.66), arm(4000, 0.60))).state == "lose"


def test_time_that_is_over_ends_what_is_open_and_changes_no_verdict() -> None:
    """At its stop, not before; a winner stays one."""
    open_one, won = seen(arm(400, 0.62), arm(400, 0.60)), seen(arm(4000, 0.66), arm(4000, 0.60))
    assert verdict(PLAIN, open_one, NOON.replace(hour=11)).state == "running"
    assert verdict(PLAIN, open_one, NOON).state == "ended"
    assert verdict(PLAIN, won, NOON).state == "win"


@pytest.mark.parametrize(
    ("new", "local", "state", "winner"),
    [
        (arm(4000, 0.68), arm(4000, 0.72), "win", "local"),
        (arm(4000, 0.68), arm(4000, 0.61), "win", "new"),
        (arm(2000, 0.63), arm(2000, 0.52), "running", None),
        (arm(2000, 0.63), arm(2000, 0.60, 0.07), "guardrail", None),
        (arm(9000, 0.60), arm(9000, 0.50), "lose", "old"),
        (arm(9000, 0.60), arm(9000, 0.60), "futile", "old"),
    ],
)
def test_of_several_arms_one_winner_or_one_danger_is_enough(
    new: ArmTally, local: ArmTally, state: str, winner: str | None
) -> None:
    """The best of those that won; losers end nothing while another arm is open."""
    old = arm(new.units + local.units, 0.60)
    found = verdict(THREE, Tally({"old": old, "new": new, "local": local}))
    assert (found.state, found.winner) == (state, winner)


def test_more_arms_share_the_risk() -> None:
    """The same counts leave a wider interval when there is another arm to be wrong about."""
    two = verdict(PLAIN, seen(arm(1000, 0.66), arm(2000, 0.60)))
    three = verdict(THREE, Tally({"old": arm(2000, 0.6), "new": arm(1000, 0.66), "local": arm(1000, 0.6)}))
    narrow, wide = two.arms[0].primary, three.arms[0].primary
    assert narrow.low is not None
    assert wide.low is not None
    assert wide.low < narrow.low
    assert wide.p_value > narrow.p_value


def test_an_empty_experiment_is_open() -> None:
    """No outcomes, no means, no bounds, and JSON of it."""
    found = verdict(PLAIN, Tally(crossed=3))
    assert (found.state, found.mismatch, found.crossed) == ("running", 1.0, 3)
    assert found.mean == {"old": None, "new": None}
    assert '"low":null' in dump_json(found.as_json())


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_outcomes_that_are_all_alike_prove_nothing_without_bounds(score: float) -> None:
    """With the metric's bounds known they prove what so many can; without, there is no interval."""
    same = ArmTally(200, {"score": moments(200, score, 0.0)})
    bounded = verdict(PLAIN, seen(same, same)).arms[0].primary
    unbounded = verdict(replace(PLAIN, metric=Metric(name="score")), seen(same, same)).arms[0].primary
    assert bounded.low is not None
    assert bounded.low < 0
    assert unbounded.low is None
    assert unbounded.p_value == 1


def test_very_small_and_very_large_numbers_are_judged() -> None:
    """Spreads near to none and outcomes near to the largest end in a verdict that is JSON."""
    plain = replace(PLAIN, metric=Metric(name="score"), guardrails=())
    for size in (1e-160, 1e-90, 1e90, 1e100):
        spread = {
            name: Moments(200, 200 * mean, 400 * size * size) for name, mean in (("old", 0), ("new", size))
        }
        found = verdict(plain, Tally({name: ArmTally(200, {"score": one}) for name, one in spread.items()}))
        assert dump_json(found.as_json())


@given(
    st.integers(2, 5000), st.integers(2, 5000), st.floats(-0.5, 0.5), st.floats(0.01, 2), st.floats(0.001, 1)
)
@settings(deadline=None)
def test_the_level_and_the_interval_agree(
    units: int, others: int, effect: float, deviation: float, scale: float
) -> None:
    """A level of at most alpha exactly when the interval leaves zero out."""
    plain = replace(PLAIN, metric=Metric(name="score", effect=scale), guardrails=(), minimum=2)
    old = ArmTally(others, {"score": moments(others, 0.5, deviation)})
    new = ArmTally(units, {"score": moments(units, 0.5 + effect, deviation)})
    found = verdict(plain, seen(new, old)).arms[0].primary
    if found.low is not None and found.high is not None and abs(found.p_value - 0.05) > 1e-9:
        assert (found.low > 0 or found.high < 0) == (found.p_value < 0.05)


def test_the_variance_is_the_one_of_two_samples() -> None:
    """Against numpy's own, and with bounds against numpy's over two more values, one at each."""
    random = np.random.default_rng(3)
    one, two = random.random(40), random.random(70) ** 2
    control, treated = (np.array([x.size, x.sum(), (x * x).sum()]) for x in (one, two))
    found = estimate(control, treated)
    assert float(found.effect) == pytest.approx(two.mean() - one.mean())
    assert float(found.variance) == pytest.approx(one.var(ddof=1) / 40 + two.var(ddof=1) / 70)
    bounded = estimate(control, treated, (-1.0, 3.0))
    more = [np.concatenate([x, [-1.0, 3.0]]) for x in (one, two)]
    # The two values lie about the middle of the bounds, where their own mean is, not about the sample's.
    spread = [(((x - 1) ** 2).sum() - (x - 1).sum() ** 2 / x.size) / (x.size - 1) for x in more]
    assert float(bounded.variance) == pytest.approx(spread[0] / 40 + spread[1] / 70)


def test_an_interval_is_narrowest_for_the_effect_that_it_is_made_for() -> None:
    """At the information that just finds 0.05, a mixture made for 0.02 or 0.2 is wider."""
    for effect in (0.02, 0.05, 0.2):
        variances = np.geomspace(1e-7, 1.0, 4_000)
        fits = variances[np.searchsorted(half_width(variances, alpha=0.05, effect=effect), effect)]
        others = [half_width(np.array(fits), alpha=0.05, effect=other) for other in (0.02, 0.05, 0.2)]
        assert float(half_width(np.array(fits), alpha=0.05, effect=effect)) == min(map(float, others))


def test_shares_that_fit_their_weights_are_no_mismatch() -> None:
    """Whatever the number of arms; nothing seen is no evidence, and evidence grows with numbers."""
    assert mismatch_p_value([0, 0], [0.5, 0.5]) == 1
    assert mismatch_p_value([10_000, 10_000], [0.5, 0.5]) == 1
    assert mismatch_p_value([1_000, 3_000, 6_000], [0.1, 0.3, 0.6]) == 1
    assert mismatch_p_value([10_400, 9_600], [0.5, 0.5]) < 0.001
    assert mismatch_p_value([10_400, 9_600], [0.52, 0.48]) == 1
    assert mismatch_p_value([1_040, 960], [0.5, 0.5]) > 0.1


def test_the_mismatch_test_is_the_bayes_factor_of_its_prior() -> None:
    """For halves and one unit, then two alike: by hand, 1 and 300/600 x 301/601 ÷ 1/4."""
    assert mismatch_p_value([1, 0], [0.5, 0.5]) == pytest.approx(1)
    assert mismatch_p_value([2, 0], [0.5, 0.5]) == pytest.approx(601 / 602)


@pytest.mark.promise("R4")
def test_an_experiment_runs_from_assignment_to_winner() -> None:
    """Users come back, each keeps its arm, outcomes are counted, and the better arm is found."""
    random = np.random.default_rng(5)
    rows = UnitTally()
    for number in range(20_000):
        unit = f"user-{int(random.integers(6_000))}"
        found = assign(PLAIN, unit)
        assert found is not None
        rows.expose(unit, found.arm.name)
        good = 0.70 if found.arm.name == "new" else 0.60
        rows.observe(unit, "score", float(random.random() < good))
        rows.observe(unit, "cost_usd", float(random.normal(0.05, 0.01)))
        if number == 200:
            assert verdict(PLAIN, rows.tally()).state == "running"
    found = verdict(PLAIN, Tally.from_json(rows.tally().as_json()))
    assert (found.state, found.winner, found.crossed) == ("win", "new", 0)
    assert 0 < found.units["new"] < 6_000
