"""What an experiment is, who gets which arm, and what is counted."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from math import isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_core.errors import ConfigurationError, InvalidRequestError
from interlock_core.jsontypes import Json, dump_json, parse_json
from interlock_router.experiments import (
    Arm,
    ArmTally,
    Experiment,
    Guardrail,
    Metric,
    Moments,
    Sum,
    Tally,
    UnitTally,
    assign,
    point,
)

UNITS = [f"user-{number}" for number in range(20_000)]
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)

# Upper 0.1 % points of chi-square by degrees of freedom, from any table of it.
CHI_SQUARE = {1: 10.83, 2: 13.82, 3: 16.27, 9: 27.88}


def arms(**weights: float) -> tuple[Arm, ...]:
    """Arms of those weights, each a policy of its own name."""
    return tuple(Arm(name=name, weight=weight, policy=name) for name, weight in weights.items())


def experiment(name: str = "cheaper", /, **weights: float) -> Experiment:
    """An experiment with those arms; two halves, when none is named."""
    return Experiment(name=name, arms=arms(**weights or {"a": 0.5, "b": 0.5}), metric=Metric(name="score"))


def chosen(one: Experiment, units: list[str] = UNITS) -> list[str]:
    """The arm of each unit, or nothing for those that take no part."""
    return [found.arm.name if (found := assign(one, unit)) else "" for unit in units]


def chi_square(seen: Counter[str], expected: dict[str, float]) -> float:
    """How far counts are from their parts."""
    total = sum(seen.values())
    return sum((seen[name] - total * part) ** 2 / (total * part) for name, part in expected.items())


@pytest.mark.parametrize(
    ("change", "field", "remedy"),
    [
        ({"name": "a b"}, "name", "letters"),
        ({"arms": arms(a=1.0)}, "arms", "two arms"),
        ({"arms": arms(a=0.5, b=0.4)}, "arms", "sum to 0.9"),
        ({"arms": arms(a=1.5, b=-0.5)}, "arms.b.weight", "above 0"),
        ({"arms": (*arms(a=0.5), *arms(a=0.5))}, "arms", "another name"),
        ({"arms": (*arms(a=0.5), Arm(name="", weight=0.5, policy="b"))}, "arms..name", "letters"),
        ({"arms": (*arms(a=0.5), Arm(name="b", weight=0.5))}, "arms.b", "either a policy or a model"),
        (
            {"arms": (*arms(a=0.5), Arm(name="b", weight=0.5, policy="b", model="c/d"))},
            "arms.b",
            "not both",
        ),
        ({"control": "aa"}, "control", "mean a?"),
        ({"unit": "team"}, "unit", "user, key, conversation, request"),
        ({"alpha": 0.5}, "alpha", "0.05"),
        ({"alpha": float("nan")}, "alpha", "0.05"),
        ({"minimum": 1}, "minimum", "at least 2"),
        ({"traffic": 0.0}, "traffic", "above 0"),
        ({"start": NOON.replace(tzinfo=None)}, "start", "time zone"),
        ({"start": NOON, "stop": NOON}, "stop", "after start"),
        ({"metric": Metric(name="s c")}, "metric.name", "letters"),
        ({"metric": Metric(name="score", effect=0.0)}, "metric.effect", "above 0"),
        ({"metric": Metric(name="score", better="up")}, "metric.better", "higher or lower"),  # pyright: ignore[reportArgumentType] - what a file may say
        ({"metric": Metric(name="score", low=1, high=0)}, "metric.high", "above low"),
        ({"metric": Metric(name="score", low=float("nan"))}, "metric.low", "finite"),
        ({"guardrails": (Guardrail(name="score", tolerated=1),)}, "guardrails", "Name score once"),
        ({"guardrails": (Guardrail(name="cost", tolerated=0),)}, "guardrails.cost.tolerated", "above 0"),
    ],
)
def test_a_wrong_experiment_is_refused_with_the_field_and_the_remedy(
    change: dict[str, object], field: str, remedy: str
) -> None:
    """Each value that could not be judged, by its place in the configuration."""
    whole: dict[str, object] = {"name": "x", "arms": arms(a=0.5, b=0.5), "metric": Metric(name="score")}
    with pytest.raises(ConfigurationError) as caught:
        Experiment(**{**whole, **change})  # pyright: ignore[reportArgumentType] - wrong values are the test
    assert caught.value.field == f"experiments.{change.get('name', 'x')}.{field}"
    assert remedy in (caught.value.remedy or "")


def test_the_first_arm_is_the_control_unless_another_is_named() -> None:
    """And an arm that is not there is said, with what was probably meant."""
    one = experiment(old=0.5, new=0.25, other=0.25)
    assert one.baseline.name == "old"
    assert [arm.name for arm in replace(one, control="new").treated] == ["old", "other"]
    with pytest.raises(ConfigurationError, match="Did you mean other"):
        one.arm("othr")


def test_an_arm_asks_for_a_policy_or_a_model() -> None:
    """By the name that a request would have named."""
    assert Arm(name="a", weight=1, policy="cheap").asks_for == "auto/cheap"
    assert Arm(name="a", weight=1, model="openai/gpt-6-luna").asks_for == "openai/gpt-6-luna"


@pytest.mark.promise("R4")
def test_a_unit_keeps_its_arm_in_every_process() -> None:
    """Another process, with another seed of its own hashes, says the same of a thousand units."""
    script = (
        "from interlock_router.experiments import *\n"
        "arms = tuple(Arm(name=n, weight=w, policy=n) for n, w in (('a', .2), ('b', .3), ('c', .5)))\n"
        "one = Experiment(name='cheaper', arms=arms, metric=Metric(name='score'))\n"
        "print(','.join(assign(one, f'user-{n}').arm.name for n in range(1000)))"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7"},
    )
    assert elsewhere.stdout.strip().split(",") == chosen(experiment(a=0.2, b=0.3, c=0.5), UNITS[:1000])


def test_the_hash_of_a_unit_never_changes() -> None:
    """A release that moved every running experiment's units would be seen here."""
    found = chosen(experiment(a=0.2, b=0.3, c=0.5), UNITS[:24])
    assert "".join(found) == "cacbbbbabccccbcabcabbbcb"


@pytest.mark.promise("R4")
@given(st.text(max_size=40), st.text(max_size=10))
@settings(deadline=None)
def test_any_unit_has_one_arm_whatever_the_order_of_the_arms(unit: str, salt: str) -> None:
    """Asked twice, and with the arms written the other way round."""
    one = replace(experiment(a=0.2, b=0.3, c=0.5), salt=salt)
    first = assign(one, unit)
    assert first is not None
    assert first == assign(one, unit) == assign(replace(one, arms=one.arms[::-1]), unit)


@pytest.mark.promise("R4")
@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.1, 0.9), (0.2, 0.3, 0.5), (0.01, 0.04, 0.15, 0.8)])
@pytest.mark.parametrize("salt", ["", "spring", "2"])
def test_arms_get_their_parts(weights: tuple[float, ...], salt: str) -> None:
    """Chi-square of 20,000 units stays below its upper 0.1 % point."""
    expected = {f"arm-{number}": weight for number, weight in enumerate(weights)}
    one = replace(experiment(**expected), salt=salt)
    assert chi_square(Counter(chosen(one)), expected) < CHI_SQUARE[len(weights) - 1]


def test_points_are_spread_evenly() -> None:
    """Ten equal parts of (0, 1), by chi-square; neighbours in name are no neighbours in place."""
    parts = Counter(str(int(point("x", unit) * 10)) for unit in UNITS)
    assert chi_square(parts, {str(number): 0.1 for number in range(10)}) < CHI_SQUARE[9]


def test_points_tell_where_one_part_ends() -> None:
    """The same letters cut in other places are another point."""
    assert len({point("ab", "c"), point("a", "bc"), point("abc"), point("abc", "")}) == 4


@pytest.mark.parametrize(
    ("before", "after", "least"),
    [
        ({"a": 0.5, "b": 0.5}, {"a": 0.6, "b": 0.4}, 0.1),
        ({"a": 0.9, "b": 0.1}, {"a": 0.5, "b": 0.5}, 0.4),
        ({"a": 0.5, "b": 0.5}, {"a": 0.4, "b": 0.4, "c": 0.2}, 0.2),
        ({"a": 0.2, "b": 0.3, "c": 0.5}, {"a": 0.4, "b": 0.6}, 0.5),
    ],
)
def test_changed_weights_move_as_few_units_as_can_be(
    before: dict[str, float], after: dict[str, float], least: float
) -> None:
    """Two arms, one more, one less: as many move as shares change, within the error of sampling."""
    pairs = list(zip(chosen(experiment(**before)), chosen(experiment(**after)), strict=True))
    assert sum(old != new for old, new in pairs) / len(pairs) == pytest.approx(least, abs=0.012)


def test_no_unit_moves_to_an_arm_that_did_not_grow() -> None:
    """Three arms changed at once: the one that fell takes nobody, and hardly more move than must."""
    before, after = experiment(a=0.5, b=0.3, c=0.2), experiment(a=0.6, b=0.2, c=0.2)
    moved = [(old, new) for old, new in zip(chosen(before), chosen(after), strict=True) if old != new]
    assert {new for _, new in moved}.isdisjoint({"b"})
    assert 0.1 - 0.012 < len(moved) / len(UNITS) < 0.118 + 0.012


@pytest.mark.promise("R4")
def test_experiments_split_the_same_units_independently() -> None:
    """Of two experiments with the same arms, every pair has the product of its parts; of two salts too."""
    one = experiment(a=0.5, b=0.5)
    for other in (experiment("dearer", a=0.5, b=0.5), replace(one, salt="again")):
        pairs = Counter(old + new for old, new in zip(chosen(one), chosen(other), strict=True))
        assert chi_square(pairs, dict.fromkeys(("aa", "ab", "ba", "bb"), 0.25)) < CHI_SQUARE[3]


def test_more_traffic_only_adds_units() -> None:
    """Who takes part at a tenth does so at a half, in the same arm; the parts of the arms stay."""
    few, many = (chosen(replace(experiment(), traffic=traffic)) for traffic in (0.1, 0.5))
    assert all(old in {"", new} for old, new in zip(few, many, strict=True))
    assert sum(map(bool, few)) / len(UNITS) == pytest.approx(0.1, abs=0.01)
    assert sum(map(bool, many)) / len(UNITS) == pytest.approx(0.5, abs=0.015)
    assert chi_square(Counter(filter(None, few)), {"a": 0.5, "b": 0.5}) < CHI_SQUARE[1]


def test_nobody_is_assigned_outside_the_experiments_time() -> None:
    """From its start on, and before its stop."""
    one = replace(experiment(), start=NOON, stop=NOON.replace(hour=13))
    times = [NOON.replace(hour=11), NOON, NOON.replace(hour=12, minute=59), NOON.replace(hour=13)]
    assert [assign(one, "u", at) is not None for at in times] == [False, True, True, False]
    assert assign(one, "u") is not None


@pytest.mark.promise("R4")
def test_an_exposure_says_who_met_what_and_how_likely_that_was() -> None:
    """The entry of the log, as JSON."""
    found = assign(experiment(a=0.2, b=0.8), "user-1")
    assert found is not None
    assert found.exposure(NOON) == {
        "experiment": "cheaper",
        "unit": "user-1",
        "arm": found.arm.name,
        "asks_for": f"auto/{found.arm.name}",
        "probability": found.arm.weight,
        "at": "2026-12-01T12:00:00+00:00",
    }


def test_a_unit_counts_once_however_often_it_asks() -> None:
    """Its mean is the sample; an exposure is new once."""
    rows = UnitTally()
    assert rows.expose("u", "a")
    assert not rows.expose("u", "a")
    for value in (1.0, 0.0, 0.0, 1.0):
        rows.observe("u", "score", value)
    rows.expose("silent", "a")
    assert rows.tally() == Tally({"a": ArmTally(2, {"score": Moments(1, 0.5, 0.25)})})


def test_a_unit_that_met_two_arms_is_counted_in_none() -> None:
    """Weights were changed under way; it is told how many there are."""
    rows = UnitTally()
    rows.expose("u", "a")
    rows.observe("u", "score", 1.0)
    assert rows.expose("u", "b")
    assert not rows.expose("u", "a")
    assert rows.tally() == Tally({}, crossed=1)
    other = UnitTally()
    other.expose("v", "a")
    again = UnitTally()
    again.expose("v", "b")
    assert (other + again).tally() == Tally({}, crossed=1)


def test_an_outcome_that_cannot_be_counted_is_refused() -> None:
    """Of a unit that met no arm, and what is no number."""
    rows = UnitTally()
    with pytest.raises(InvalidRequestError, match="met no arm"):
        rows.observe("u", "score", 1.0)
    rows.expose("u", "a")
    for value in (float("nan"), float("inf"), -1e101):
        with pytest.raises(InvalidRequestError, match="is no number, or too large"):
            rows.observe("u", "score", value)


Events = list[tuple[int, str, float]]
EVENTS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["score", "cost"]), st.floats(-100, 100)), max_size=30
)


def counted(events: Events) -> UnitTally:
    """Rows of those events; even units have one arm, odd ones the other."""
    rows = UnitTally()
    for unit, metric, value in events:
        rows.expose(str(unit), "ab"[unit % 2])
        rows.observe(str(unit), metric, value)
    return rows


def alike(one: Tally, other: Tally) -> bool:
    """Whether two tallies agree but for the last digits."""
    return (
        one.arms.keys() == other.arms.keys()
        and one.crossed == other.crossed
        and all(
            one.of(arm).units == other.of(arm).units and close(one.of(arm).of(name), other.of(arm).of(name))
            for arm in one.arms
            for name in ("score", "cost")
        )
    )


def close(one: Moments, other: Moments) -> bool:
    """Whether two sets of moments agree but for the last digits."""
    return (
        one.count == other.count
        and isclose(one.total, other.total, abs_tol=1e-6)
        and isclose(one.squares, other.squares, rel_tol=1e-9, abs_tol=1e-6)
    )


@pytest.mark.promise("R4")
@given(EVENTS, EVENTS)
@settings(max_examples=60, deadline=None)
def test_counts_of_two_replicas_add_up(here: Events, there: Events) -> None:
    """Rows that were kept apart and added are the rows of everything, units in both included."""
    assert alike((counted(here) + counted(there)).tally(), counted(here + there).tally())


@given(EVENTS, EVENTS)
@settings(max_examples=60, deadline=None)
def test_tallies_of_different_units_add_up(here: Events, there: Events) -> None:
    """Moments add without their rows, where no unit is in both."""
    elsewhere = [(unit + 10, metric, value) for unit, metric, value in there]
    assert alike(counted(here).tally() + counted(elsewhere).tally(), counted(here + elsewhere).tally())


@given(EVENTS)
@settings(max_examples=60, deadline=None)
def test_a_store_can_move_moments_on_outcome_by_outcome(events: Events) -> None:
    """Taking a unit's old mean away and adding its new one ends where counting anew ends."""
    rows: dict[tuple[int, str], Sum] = {}
    running: dict[tuple[str, str], Moments] = {}
    for unit, metric, value in events:
        before = rows.get((unit, metric), Sum())
        rows[unit, metric] = after = before + Sum(1, value)
        key = "ab"[unit % 2], metric
        running[key] = running.get(key, Moments()) + (Moments.of(after) - Moments.of(before))
    whole = counted(events).tally()
    assert all(close(moments, whole.of(arm).of(metric)) for (arm, metric), moments in running.items())


@given(EVENTS)
@settings(max_examples=60, deadline=None)
def test_a_tally_comes_back_from_json(events: Events) -> None:
    """Names and numbers, nothing lost."""
    tally = counted(events).tally()
    assert Tally.from_json(parse_json(dump_json(tally.as_json()))) == tally


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([], "crossed"),
        ({"crossed": -1}, "crossed"),
        ({"crossed": 0, "arms": {"a": {"units": 1.5}}}, "arms.a.units"),
        ({"crossed": 0, "arms": {"a": {"units": 1, "metrics": {"s": {}}}}}, "arms.a.metrics.s.count"),
        (
            {"crossed": 0, "arms": {"a": {"units": 1, "metrics": {"s": {"count": 1, "total": "x"}}}}},
            "arms.a.metrics.s.total",
        ),
    ],
)
def test_what_is_no_tally_is_refused_with_its_place(value: Json, field: str) -> None:
    """Never counted as nothing."""
    with pytest.raises(InvalidRequestError) as caught:
        Tally.from_json(value)
    assert caught.value.field == field


def test_assigning_loads_no_numpy() -> None:
    """Only judging needs it, and a command that asks one question should not wait for it."""
    script = "import sys, interlock_router.experiments; print('numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
