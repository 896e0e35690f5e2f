"""Learning online over a table of known outcomes."""

import json

import numpy as np
import pytest

from interlock_core.errors import InvalidRequestError
from interlock_router.replay import Known, ReplayOptions, Row, read_rows, replay

TASKS = {"writing": {"poet": 0.9, "clerk": 0.5}, "extraction": {"poet": 0.3, "clerk": 0.8}}
COSTS = {"poet": 0.01, "clerk": 0.001}


def table(count: int, seed: int = 0) -> list[Row]:
    """Requests of two classes, each of which suits another model."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(count):
        task = ("writing", "extraction")[number % 2]
        outcomes = {
            model: Known(float(random.random() < rate), COSTS[model]) for model, rate in TASKS[task].items()
        }
        rows.append(Row(str(number), f"Do {task} number {number}.", task, outcomes))
    return rows


def line(**fields: object) -> str:
    """One line of a table, right but for the fields given."""
    whole: dict[str, object] = {"id": "1", "prompt": "Hi", "outcomes": {"a": {"score": 1, "cost_usd": 0.1}}}
    return json.dumps(whole | fields)


def test_the_router_learns_whom_each_class_suits() -> None:
    """It ends above the best single model, and below the oracle."""
    report = replay(table(1_200), ReplayOptions())
    assert report.last_quarter.mean_score > report.best_fixed.mean_score + 0.1
    assert report.random.mean_score < report.ours.mean_score < report.oracle.mean_score
    assert report.n == 1_200
    assert sum(report.share.values()) == pytest.approx(1.0)


def test_without_the_class_it_goes_by_the_prompt() -> None:
    """The words tell the two kinds apart as well."""
    report = replay(table(1_200), ReplayOptions(use_task=False))
    assert report.last_quarter.mean_score > report.best_fixed.mean_score + 0.1


def test_what_it_brings_is_worked_out_from_the_table() -> None:
    """Costs, utilities and references equal what follows from the choices and the rows."""
    rows = [
        Row("1", "a", None, {"x": Known(1.0, 0.4), "y": Known(0.0, 0.1)}),
        Row("2", "b", None, {"x": Known(0.5, 0.6), "y": Known(0.5, 0.1)}),
    ]
    report = replay(rows, ReplayOptions(cost_weight=0.5, in_order=True))
    assert report.best_fixed.model == "x"
    assert report.best_fixed.mean_utility == pytest.approx(0.75 - 0.5 * 0.5 / 0.5)
    assert report.oracle.mean_utility == pytest.approx(((1 - 0.4) + (0.5 - 0.1)) / 2)
    assert report.random.mean_score == pytest.approx(0.5)
    spent = sum(row.outcomes[model].cost_usd for row in rows for model in "xy")
    both = replay([*rows, rows[0]], ReplayOptions(in_order=True, quiz=2))
    assert both.quiz_cost_usd == pytest.approx(spent)
    assert both.n == 1
    assert both.total_cost_usd == pytest.approx(spent + (0.4 if both.share["x"] == 1 else 0.1))


def test_a_dear_model_is_left_when_cost_weighs() -> None:
    """With a heavy weight the cheap one gets nearly all, and the total cost falls."""
    free, dear = (replay(table(1_500), ReplayOptions(cost_weight=weight)) for weight in (0.0, 2.0))
    assert dear.share["clerk"] > 0.9
    assert dear.total_cost_usd < free.total_cost_usd / 2


def test_the_same_seed_has_the_same_result_and_another_another() -> None:
    """Order and choices hang on the seed alone."""
    rows = table(400)
    reports = [replay(rows, ReplayOptions(seed=seed)).as_json() for seed in (1, 1, 2)]
    for report in reports:
        del report["decision_us"]
    assert reports[0] == reports[1]
    assert reports[0]["mean_score"] != reports[2]["mean_score"]


def test_a_policy_that_does_not_explore_keeps_to_what_it_believes_best() -> None:
    """From the first request, when a published prior says who that is."""
    rows = [
        Row(str(i), "Hi", None, {"gpt-4o": Known(0.5, 0.0), "mistral-7b-instruct": Known(0.5, 0.0)})
        for i in range(50)
    ]
    assert replay(rows, ReplayOptions(explore=0.0)).share["gpt-4o"] > 0.9
    assert replay(rows, ReplayOptions()).share["gpt-4o"] < 1.0


def test_a_row_may_know_of_some_models_only() -> None:
    """The others are not chosen for it."""
    rows = table(200)
    alone = [Row(f"only {i}", "Say hello.", "conversation", {"clerk": Known(0.7, 0.001)}) for i in range(200)]
    report = replay([*rows, *alone], ReplayOptions())
    assert report.n == 400
    assert report.share["clerk"] >= 0.5


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", "data"),
        ("[1]", "data"),
        (line(prompt=3), "prompt"),
        (line(task=3), "task"),
        (line(outcomes={}), "outcomes"),
        (line(outcomes={"a": 3}), "outcomes.a"),
        (line(outcomes={"a": {"score": 1.5, "cost_usd": 0}}), "outcomes.a.score"),
        (line(outcomes={"a": {"score": "1", "cost_usd": 0}}), "outcomes.a.score"),
        (line(outcomes={"a": {"score": 1}}), "outcomes.a.cost_usd"),
        (line(outcomes={"a": {"score": 1, "cost_usd": -1}}), "outcomes.a.cost_usd"),
        (line(outcomes={"a": {"score": 1, "cost_usd": float("nan")}}), "data"),
        (line(outcomes={"a": {"score": True, "cost_usd": 1}}), "outcomes.a.score"),
    ],
)
def test_a_wrong_line_is_named_with_its_number_and_field(text: str, field: str) -> None:
    """And with what to write there."""
    with pytest.raises(InvalidRequestError) as caught:
        read_rows([line(), "", text], source="t.jsonl")
    assert caught.value.field == field
    assert "t.jsonl, line 3" in str(caught.value)
    assert caught.value.remedy


def test_an_empty_table_is_refused() -> None:
    """It says what a line looks like."""
    with pytest.raises(InvalidRequestError, match="no request"):
        read_rows(["", "\n"])
