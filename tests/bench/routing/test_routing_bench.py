"""The bench of routers measures what it says: references, streams, intervals and RouteLLM's measures."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from interlock_core.jsontypes import Json

from .comparison import BEST, OURS, VARIANTS, compare, learners
from .intervals import interval, paired
from .learners import FEATURES, ByChance, LinUCB, Thompson, ThompsonByTask, always, features
from .offline import after, by_task, folded, pair, recovered, without_reason
from .ours import Ours, gaps
from .stream import Make, Problem, Variant, parts, run
from .tables import Reals, Table, best_fixed, by_chance, oracle, read, task_oracle

TOLD = Variant()


def a_table(requests: int = 400, *, models: int = 3, seed: int = 1) -> Table:
    """Tasks `a` and `b` have a good model each, the last model is dear, and chance decides the rest."""
    random = np.random.default_rng(seed)
    tasks = ["ab"[number % 2] for number in range(requests)]
    chance = np.full((requests, models), 0.4)
    for row, task in enumerate(tasks):
        chance[row, "ab".index(task)] = 0.8
    costs = np.tile(np.linspace(0.001, 0.01, models), (requests, 1)) * random.uniform(0.5, 1.5, (requests, 1))
    return Table(
        "made",
        tuple(f"m{number}" for number in range(models)),
        tuple(f"{task} question {row}" for row, task in enumerate(tasks)),
        tuple(tasks),
        (random.random((requests, models)) < chance).astype(np.float64),
        costs,
    )


class Spy(ByChance):
    """Chooses by chance and writes down what it is told."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.chosen: list[tuple[str, str | None, str]] = []
        self.seen: list[tuple[str, str, float, float, float]] = []

    def choose(self, prompt: str, task: str | None) -> str:
        """By chance."""
        model = super().choose(prompt, task)
        self.chosen.append((prompt, task, model))
        return model

    def learn(
        self, prompt: str, task: str | None, model: str, score: float, cost: float, utility: float
    ) -> None:
        """Write it down."""
        self.seen.append((prompt, model, score, cost, utility))


def spied(table: Table, variant: Variant, weight: float = 0.0) -> Spy:
    """What a learner was told over one stream."""
    spies: list[Spy] = []

    def make(problem: Problem) -> Spy:
        spies.append(Spy(problem))
        return spies[-1]

    run(table, table.order(3), weight, make, variant, 3)
    return spies[0]


@pytest.mark.parametrize("weight", [0.0, 0.2])
def test_no_oracle_is_below_one_that_knows_less(weight: float) -> None:
    """Oracle, per-task oracle, best fixed model, chance: each knows all that the next one knows."""
    table = a_table()
    utilities = table.utilities(weight)
    found = [
        oracle(utilities).mean(),
        task_oracle(utilities, table.tasks).mean(),
        best_fixed(utilities).mean(),
        by_chance(utilities).mean(),
    ]
    assert found == sorted(found, reverse=True)
    assert found[1] > found[2] + 0.1


def test_with_one_task_the_per_task_oracle_is_the_best_fixed_model() -> None:
    """Row by row."""
    utilities = a_table().utilities(0.2)
    assert (task_oracle(utilities, ["one"] * len(utilities)) == best_fixed(utilities)).all()


@pytest.mark.parametrize("weight", [0.0, 0.2])
def test_a_learner_that_always_names_one_model_has_that_models_mean(weight: float) -> None:
    """Whatever the order."""
    table = a_table()
    for column, model in enumerate(table.models):
        found = run(table, table.order(5), weight, always(model), TOLD, 0).utility
        assert found.mean() == pytest.approx(table.utilities(weight)[:, column].mean())


def test_the_dearest_model_pays_the_whole_weight_in_the_mean() -> None:
    """Utility is score less weight x cost ÷ mean cost of the dearest."""
    table = a_table()
    lost = (table.scores - table.utilities(0.2)).mean(axis=0)
    assert lost[-1] == pytest.approx(0.2)
    assert lost[0] == pytest.approx(0.02)


def test_a_learner_sees_the_outcome_of_its_own_choice_and_no_other() -> None:
    """In the order of the stream."""
    table = a_table()
    spy = spied(table, TOLD, 0.2)
    assert [(prompt, model) for prompt, model, *_ in spy.seen] == [(p, m) for p, _, m in spy.chosen]
    column = {model: number for number, model in enumerate(table.models)}
    for row, (prompt, model, score, cost, utility) in zip(table.order(3), spy.seen, strict=True):
        assert prompt == table.prompts[row]
        assert (score, cost) == (table.scores[row, column[model]], table.costs[row, column[model]])
        assert utility == table.utilities(0.2)[row, column[model]]


def test_an_order_is_its_seeds_alone_and_holds_every_request_once() -> None:
    """So that all learners meet the same stream."""
    table = a_table()
    assert table.order(1) == table.order(1) != table.order(2)
    assert sorted(table.order(1)) == list(range(400))


def test_a_task_that_is_not_told_is_not_seen() -> None:
    """Neither when choosing nor later."""
    assert {task for _, task, _ in spied(a_table(), Variant(task=False)).chosen} == {None}
    assert {task for _, task, _ in spied(a_table(), TOLD).chosen} == {"a", "b"}


def test_renamed_models_yield_the_same_under_names_that_nobody_knows() -> None:
    """The outcomes stay with their columns."""
    table = a_table()
    named = {model for *_, model in spied(table, Variant(renamed=True)).chosen}
    assert len(named) == 3
    assert not named & set(table.models)
    assert (table.renamed().scores == table.scores).all()


def test_a_quiz_is_seen_whole_and_paid_whole() -> None:
    """Every model's answer is told, and every answer's cost is taken from the utility."""
    table = a_table()
    spy = spied(table, Variant(quiz=30))
    assert len(spy.seen) == 30 * 3 + 370
    assert {model for _, model, *_ in spy.seen[:3]} == set(table.models)
    order = table.order(0)
    plain = run(table, order, 0.2, always("m0"), TOLD, 0)
    quizzed = run(table, order, 0.2, always("m0"), Variant(quiz=30), 0)
    extra = 0.2 * table.costs[order[:30], 1:].sum() / table.dearest
    assert plain.utility.sum() - quizzed.utility.sum() == pytest.approx(extra)
    assert (plain.spent_on_quiz, quizzed.spent_on_quiz) == (0.0, pytest.approx(extra))


def test_the_parts_of_a_stream_are_all_the_last_quarter_and_the_first_500() -> None:
    """A short stream is its own beginning."""
    stream: Reals = np.arange(1_000, dtype=np.float64)
    assert parts(stream) == (499.5, 874.5, 249.5)
    assert parts(stream[:3]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("make", "above"), [(Thompson, 0.03), (ThompsonByTask, 0.12), (LinUCB, 0.03), (Ours, 0.12)]
)
@pytest.mark.parametrize("weight", [0.0, 0.2])
def test_every_learner_learns(make: Make, above: float, weight: float) -> None:
    """The last quarter is above chance, by more for those that hear the task where tasks matter."""
    table = a_table(1_600)
    order = table.order(1)
    found = run(table, order, weight, make, TOLD, 1)
    assert found.parts()[1] > parts(by_chance(table.utilities(weight))[order])[1] + above


def test_chance_as_drawn_comes_near_its_expectation() -> None:
    """Within four standard errors."""
    table = a_table(4_000)
    found = run(table, table.order(1), 0.0, ByChance, TOLD, 1)
    assert found.parts()[0] == pytest.approx(by_chance(table.scores).mean(), abs=4 * 0.5 / math.sqrt(4_000))


def test_a_text_has_24_features_of_bounded_size() -> None:
    """Also an empty one and a long one."""
    assert FEATURES == 24
    for text in ("", "def f(x): return x + 1", "What is 2 + 2?\nA. 3\nB. 4\n" * 1_000):
        assert features(text).shape == (24,)
        assert (np.abs(features(text)) <= 2.0).all()
    assert (features("Why?") != features("When?")).any()


def test_an_interval_is_students() -> None:
    """Of two runs, 12.706 standard errors; of one, not a number; of none, no interval."""
    assert interval([1.0, 3.0]) == (2.0, pytest.approx(12.706, rel=1e-3))
    assert math.isnan(interval([1.0]).half)
    with pytest.raises(ValueError, match="no values"):
        interval([])


def test_a_difference_is_taken_run_by_run() -> None:
    """What moves both learners alike does not widen it."""
    lead = paired([1.0, 5.0, 9.0], [0.9, 4.9, 8.9])
    assert lead.mean == pytest.approx(0.1)
    assert lead.above
    assert not lead.below
    assert paired([0.0, 0.1], [1.0, 1.2]).below
    assert not interval([1.0]).above


def test_every_row_of_a_comparison_stands_beside_our_router() -> None:
    """Learners and references, over each variant; those that a variant does not move are run once."""
    made = 0

    def counting(problem: Problem) -> Thompson:
        nonlocal made
        made += 1
        return Thompson(problem)

    makes: dict[str, Make] = {OURS: Ours, "counted": counting, "by task": ThompsonByTask}
    table = a_table(120)
    blocks = compare(table, 0.2, VARIANTS, makes, [table.order(0), table.order(1)])
    assert [block.variant for block in blocks] == list(VARIANTS)
    assert made == 2 * 2
    for block in blocks:
        rows = {row.name: row for row in block.rows}
        assert rows.pop(OURS).lead is None
        assert ("by task" in rows) is (block.variant != "task not told")
        ours = block.rows[0].values[0].mean
        for row in rows.values():
            assert row.lead is not None
            assert row.lead[0].mean == pytest.approx(ours - row.values[0].mean)
        assert rows["oracle"].values[0] > rows["per-task oracle"].values[0] > rows[BEST].values[0]
    assert [bool(block.quiz) for block in blocks] == [False, False, False, False, True]


def test_learners_are_chosen_by_parts_of_their_names_and_ours_is_always_there() -> None:
    """There is nothing to compare without it."""
    assert list(learners(["linucb"])) == [OURS, "LinUCB, 24 features"]
    assert len(learners()) >= 5


def a_line(number: int, *models: str) -> str:
    """One request as the corpus writes it."""
    outcomes: dict[str, Json] = {model: {"score": 1, "cost_usd": None} for model in models}
    return json.dumps({"id": str(number), "prompt": f"p{number}", "task": "t", "outcomes": outcomes})


def test_a_request_that_a_model_did_not_answer_is_left_out() -> None:
    """Nobody knows what it would have scored; a cost that is not known is none."""
    table = read("short", [a_line(1, "x", "y"), "", a_line(2, "x"), a_line(3, "y", "x")])
    assert (table.models, table.prompts) == (("x", "y"), ("p1", "p3"))
    assert table.scores.tolist() == [[1, 1], [1, 1]]
    assert table.dearest == 1.0


GAP: Reals = np.random.default_rng(4).choice([-1.0, 0.0, 0.0, 1.0, 1.0], 20_000)


def test_a_random_order_recovers_half_of_the_gap() -> None:
    """APGR 0.5, half the gap by half the calls; also when all prompts are tied."""
    for predicted in (np.random.default_rng(5).random(20_000), np.zeros(20_000)):
        found = recovered(predicted, GAP)
        assert found.apgr == pytest.approx(0.5, abs=0.05)
        assert found.cpt50 == pytest.approx(50, abs=6)
        assert found.cpt80 == pytest.approx(80, abs=6)


def test_the_true_gap_is_the_best_order_and_its_reverse_the_worst() -> None:
    """No order recovers more than the oracle."""
    best = recovered(GAP, GAP)
    assert best.apgr > 1.0
    assert best.cpt50 < best.cpt80 < 30
    assert recovered(-GAP, GAP).apgr == pytest.approx(1 - best.apgr)


def test_an_order_of_four_prompts_is_judged_as_by_hand() -> None:
    """Gaps 1, 0, 1, 0 in that order recover 0, ½, ½, 1, 1 of the gap with 0 to 4 calls."""
    found = recovered(np.array([4.0, 3.0, 2.0, 1.0]), np.array([1.0, 0.0, 1.0, 0.0]))
    assert found == (pytest.approx((0 / 2 + 0.5 + 0.5 + 1 + 1 / 2) / 4), 25.0, 75.0)


def two(requests: int = 1_000) -> Table:
    """Two models, the strong one dear and better at task `b` alone."""
    table = a_table(requests, models=2, seed=9)
    return pair(table)


def test_the_dear_model_of_a_pair_is_the_strong_one_and_three_are_no_pair() -> None:
    """Whichever column it was in."""
    table = two()
    swapped = pair(
        Table("x", ("m1", "m0"), table.prompts, table.tasks, table.scores[:, ::-1], table.costs[:, ::-1])
    )
    assert table.models == swapped.models == ("m0", "m1")
    assert (swapped.scores == table.scores).all()
    with pytest.raises(ValueError, match="3 models"):
        pair(a_table())


def test_no_prompt_is_ranked_by_who_has_seen_it() -> None:
    """Four folds are learned, the fifth is asked, and each prompt is asked once."""
    asked: list[str] = []

    def predict(train: Table, held: Table, seed: int) -> Reals:
        assert not set(train.prompts) & set(held.prompts)
        assert len(train.prompts) + len(held.prompts) == 1_000
        asked.extend(held.prompts)
        return np.zeros(len(held.prompts))

    ranks = folded(two(), predict, 0)
    assert sorted(asked) == sorted(two().prompts)
    assert ((ranks >= 0) & (ranks < 1)).all()


def ours(train: Table, held: Table, seed: int) -> Reals:
    """Our router, told the task."""
    return gaps(train, held, task=True, seed=seed)


@pytest.mark.parametrize("predict", [ours, by_task])
def test_outcomes_teach_which_prompts_need_the_strong_model(
    predict: Callable[[Table, Table, int], Reals],
) -> None:
    """Where the task decides it: near the share of the gap that the task explains, and never by shuffling."""
    table = a_table(500, models=2, seed=9)
    table = Table(
        "x", *(table.models, table.prompts, table.tasks), table.scores + np.array([0.0, 0.2]), table.costs
    )
    gap = table.scores[:, 1] - table.scores[:, 0]
    assert recovered(folded(table, predict, 0), gap).apgr > 0.8
    assert np.mean(after(table, predict, 100, 3)) > 0.7
    assert np.mean(without_reason(table, predict, 3)) == pytest.approx(0.5, abs=0.25)
