"""Judging a policy by the log of another."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.errors import InvalidRequestError
from interlock_router import Policy
from interlock_router.evaluation import Logged, Option, by_policy, evaluate, log_line, read_log

RATES = {"a": 0.8, "b": 0.5, "c": 0.3}


def made(count: int, seed: int, probabilities: tuple[float, ...], quality: tuple[float, ...]) -> list[Logged]:
    """A log of choices among three models by given probabilities, with given expectations."""
    random = np.random.default_rng(seed)
    options = tuple(
        Option(model, likely, expected, 0.01)
        for model, likely, expected in zip(RATES, probabilities, quality, strict=True)
    )
    log: list[Logged] = []
    for number in range(count):
        chosen = int(random.choice(3, p=probabilities))
        score = float(random.random() < RATES["abc"[chosen]])
        log.append(Logged(str(number), chosen, score, 0.01, options))
    return log


def always(place: int) -> "list[float]":
    """A policy that takes one option."""
    return [float(number == place) for number in range(3)]


@pytest.mark.parametrize("quality", [(0.8, 0.5, 0.3), (0.1, 0.9, 0.9)])
def test_the_intervals_hold_the_truth_as_often_as_they_say(quality: tuple[float, ...]) -> None:
    """Of 400 logs at least 93 % hold it, whether what was expected is right or far off."""
    held = 0
    for seed in range(400):
        found = evaluate(made(400, seed, (0.5, 0.3, 0.2), quality), lambda _: always(1))
        assert found.score is not None
        held += found.score.low <= 0.5 <= found.score.high
    assert held >= 372


def test_good_expectations_make_the_interval_narrower() -> None:
    """Doubly robust: what is expected rightly needs no correction."""
    random = np.random.default_rng(3)
    logs: dict[str, list[Logged]] = {"known": [], "guessed": []}
    for number in range(1_000):
        truth = float(random.random())
        chosen = int(random.integers(2))
        for name, expected in (("known", truth), ("guessed", 0.5)):
            options = (Option("a", 0.5, expected), Option("b", 0.5, expected))
            logs[name].append(Logged(str(number), chosen, truth, None, options))
    widths: dict[str, float] = {}
    for name, log in logs.items():
        found = evaluate(log, lambda _: [0.0, 1.0])
        assert found.score is not None
        widths[name] = found.score.high - found.score.low
    assert widths["known"] < 0.8 * widths["guessed"]


def test_judging_what_was_run_gives_what_came_of_it() -> None:
    """With the log's own probabilities every weight is 1."""
    log = made(500, 1, (0.5, 0.3, 0.2), (0.8, 0.5, 0.3))
    found = evaluate(log, lambda logged: [option.probability for option in logged.options])
    assert found.score is not None
    assert found.cost_usd is not None
    assert found.effective == pytest.approx(500)
    assert found.score.ips == pytest.approx(found.logged_score)
    assert found.score.snips == pytest.approx(found.logged_score)
    assert found.cost_usd.dr == pytest.approx(0.01)


def test_what_the_log_could_not_choose_is_not_judged() -> None:
    """No number, and the reason."""
    found = evaluate(made(500, 1, (0.7, 0.3, 0.0), (0.8, 0.5, 0.3)), lambda _: always(2))
    assert found.score is None
    assert found.supported == 0
    assert "could not have made 100.0%" in found.refused


def test_too_few_outcomes_are_not_judged() -> None:
    """An effective sample of less than fifty gives no number."""
    found = evaluate(made(200, 1, (0.9, 0.09, 0.01), (0.8, 0.5, 0.3)), lambda _: always(2))
    assert found.score is None
    assert "are needed" in found.refused


def test_outcomes_that_nobody_scored_are_counted_apart() -> None:
    """And a log of nothing else is not judged."""
    log = [Logged("1", 0, None, 0.1, (Option("a", 1.0, 0.5, 0.1),))] * 3
    found = evaluate(log, lambda _: [1.0])
    assert (found.n, found.unscored) == (0, 3)
    assert found.refused == "No decision in the log has a score."


def test_a_policy_chooses_by_its_weights() -> None:
    """The dear one when only quality counts, the cheap one when price does, none that is excluded."""
    options = (Option("x/dear", 0.5, 0.9, 1.0), Option("y/cheap", 0.5, 0.6, 0.0001))
    logged = Logged("1", 0, 1.0, 1.0, options)
    assert list(by_policy(Policy(name="q", price=0.0))(logged)) == [1.0, 0.0]
    assert list(by_policy(Policy(name="p", price=1.0))(logged)) == [0.0, 1.0]
    assert list(by_policy(Policy(name="e", price=0.0, exclude=("x/*",)))(logged)) == [0.0, 1.0]


@given(
    st.lists(st.floats(0.01, 1), min_size=1, max_size=5),
    st.floats(0, 1) | st.none(),
    st.floats(0, 100) | st.none(),
    st.text(max_size=20),
)
def test_a_log_is_read_as_it_was_written(
    parts: list[float], score: float | None, cost: float | None, task: str
) -> None:
    """Line by line, nothing lost."""
    options = tuple(Option(f"m{place}", part / sum(parts), 0.5, cost) for place, part in enumerate(parts))
    logged = Logged("one", len(parts) - 1, score, cost, options, task)
    assert read_log([log_line(logged), " "]) == [logged]


def broken(**fields: object) -> str:
    """A line of a log, right but for the fields given."""
    whole: dict[str, object] = {
        "id": "1",
        "chosen": "a",
        "score": 1,
        "cost_usd": 0.1,
        "options": [{"model": "a", "probability": 1, "quality": 0.5}],
    }
    return json.dumps(whole | fields)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("{", "log"),
        ("3", "log"),
        (broken(options=[]), "options"),
        (broken(options=[3]), "options[0].model"),
        (broken(options=[{"model": "a"}]), "options[0].probability"),
        (broken(options=[{"model": "a", "probability": 0.5}]), "options"),
        (broken(options=[{"model": "a", "probability": 1, "quality": "x"}]), "options[0].quality"),
        (broken(chosen="z"), "chosen"),
        (
            broken(options=[{"model": "a", "probability": 0}, {"model": "b", "probability": 1}]),
            "chosen",
        ),
        (broken(score=2), "score"),
        (broken(cost_usd=True), "cost_usd"),
    ],
)
def test_a_wrong_line_of_a_log_is_named(line: str, field: str) -> None:
    """With its number, the field and the remedy."""
    with pytest.raises(InvalidRequestError) as caught:
        read_log([broken(), line], source="d.jsonl")
    assert caught.value.field == field
    assert "d.jsonl, line 2" in str(caught.value)
    assert caught.value.remedy


def test_an_empty_log_is_refused() -> None:
    """It says how to get one."""
    with pytest.raises(InvalidRequestError, match="no decision"):
        read_log([])
