"""Learn online over a table of known outcomes, as if its requests came in one after another.

The router sees a prompt, chooses a model, and learns only what that model made of it. What it would have
got with other choices is looked up afterwards, to compare.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import thread_time_ns
from typing import Final, NamedTuple

import numpy as np

from interlock_core.jsontypes import JsonObject
from interlock_router._classify import Classifier
from interlock_router._priors import DEFAULT, prior_quality
from interlock_router._table_file import Known, Row, models_of, read_rows
from interlock_router.evaluation import Logged, Option
from interlock_router.learning import (
    NEUTRAL,
    Allowance,
    AmountLearner,
    Draws,
    Hasher,
    Prompt,
    QualityLearner,
    Reals,
)

__all__ = ["Known", "Replay", "ReplayOptions", "ReplayReport", "Row", "Yield", "read_rows", "replay"]

_TOLD_EVERY: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """How a table is gone through.

    Attributes:
        policy: Name of the policy, for the report.
        cost_weight: Weight w of the cost: utility = score - w x cost ÷ mean cost of the dearest model.
        seed: Of the order of the requests and of the choices.
        in_order: Keep the table's own order.
        use_task: Show the router the class of the task where the table says it.
        use_priors: Start from what is published of models with these names.
        quiz: How many requests, the first ones, are answered by every model before the choosing begins.
            They are not part of the means; what they cost is part of the total cost.
        explore: Part of the requests that may go to another model than the one believed best.
        floor: Least likelihood, all models together, of a choice by chance; it lets a log judge any policy.
    """

    policy: str = "default"
    cost_weight: float = 0.0
    seed: int = 0
    in_order: bool = False
    use_task: bool = True
    use_priors: bool = True
    quiz: int = 0
    explore: float = 0.2
    floor: float = 0.0


@dataclass(frozen=True, slots=True)
class Yield:
    """What a way to choose brings.

    Attributes:
        mean_score: Mean score.
        mean_utility: Mean utility.
        model: The model, where it is always the same.
    """

    mean_score: float
    mean_utility: float
    model: str | None = None

    def as_json(self) -> JsonObject:
        """As JSON."""
        found: JsonObject = {"mean_score": self.mean_score, "mean_utility": self.mean_utility}
        return {"model": self.model, **found} if self.model is not None else found


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What came of a replay.

    Attributes:
        n: Requests that the router chose for.
        options: How it was done.
        ours: What the router brought.
        total_cost_usd: What its choices cost, those of the quiz included.
        quiz_cost_usd: What the quiz cost.
        best_fixed: The best single model, known only afterwards.
        oracle: The best model for every request, known only afterwards.
        random: A model by chance.
        share: Part of the requests that went to each model.
        decision_us: Median and 99th percentile of the CPU time of a decision, in microseconds.
        first_500: What the router brought in the first 500 requests.
        last_quarter: And in the last quarter.
    """

    n: int
    options: ReplayOptions
    ours: Yield
    total_cost_usd: float
    quiz_cost_usd: float
    best_fixed: Yield
    oracle: Yield
    random: Yield
    share: Mapping[str, float]
    decision_us: tuple[float, float]
    first_500: Yield
    last_quarter: Yield

    def as_json(self) -> JsonObject:
        """As JSON, in the order in which people read it."""
        return {
            "n": self.n,
            "policy": self.options.policy,
            "cost_weight": self.options.cost_weight,
            "seed": self.options.seed,
            "mean_score": self.ours.mean_score,
            "mean_utility": self.ours.mean_utility,
            "total_cost_usd": self.total_cost_usd,
            "quiz_cost_usd": self.quiz_cost_usd,
            "best_fixed": self.best_fixed.as_json(),
            "oracle": self.oracle.as_json(),
            "random": self.random.as_json(),
            "regret": {
                "best_fixed": self.best_fixed.mean_utility - self.ours.mean_utility,
                "oracle": self.oracle.mean_utility - self.ours.mean_utility,
            },
            "share": dict(self.share),
            "decision_us": {"p50": self.decision_us[0], "p99": self.decision_us[1]},
            "first_500": self.first_500.as_json(),
            "last_quarter": self.last_quarter.as_json(),
        }


class Choice(NamedTuple):
    """A choice, with what was believed when it was made.

    Attributes:
        place: Place of the model that was chosen.
        probabilities: How likely each was.
        quality: Expected score of each, before what is hard for all is told.
    """

    place: int
    probabilities: Reals
    quality: Reals


class Replay:
    """The router's classifying, learning and choosing over named models, with nothing around it.

    Args:
        models: The models.
        scale_usd: What a cost is divided by before it is weighed, in dollars.
        options: How it is done.
    """

    def __init__(self, models: Sequence[str], *, scale_usd: float, options: ReplayOptions) -> None:
        self._models = tuple(models)
        self._weight = options.cost_weight / scale_usd if scale_usd > 0 else 0.0
        self._classifier = Classifier()
        self._hasher = Hasher()
        self._quality = QualityLearner(options.seed)
        priors = [_prior(model) if options.use_priors else NEUTRAL for model in models]
        self._quality.columns(self._models, priors)
        self._costs = AmountLearner()
        self._draws = Draws(options.seed)
        self._allowance = Allowance(options.explore)
        self._floor = options.floor

    def prompt(self, text: str, task: str | None) -> Prompt:
        """What is learned about a prompt; its class is found where none is given."""
        return Prompt(task or self._classifier.text(text).task, self._hasher.words(text))

    def choose(self, prompt: Prompt, length: int, among: Sequence[bool] | None = None) -> Choice:
        """The model to try for a prompt.

        Args:
            prompt: What is asked.
            length: Its length in characters.
            among: Which of the models can take it; None for all.
        """
        belief = self._quality.believe(prompt)
        utility = belief.mean
        if self._weight:
            utility = utility - self._weight * self.expected_costs(prompt, length)
        if among is not None:
            utility = np.where(among, utility, -np.inf)
        found = self._draws.probabilities(utility, belief.deviation, belief.seen)
        self._allowance.refill()
        found = self._allowance.hold(found, int(utility.argmax()))
        if self._floor:
            could = np.isfinite(utility)
            found = (1.0 - self._floor) * found + could * (self._floor / could.sum())
        return Choice(self._draws.pick(found), found, belief.mean)

    def logged(self, row: Row, prompt: Prompt, choice: Choice) -> Logged:
        """A choice with its outcome, as a log tells it."""
        costs = self.expected_costs(prompt, len(row.prompt))
        hard = self._quality.hardness(prompt)
        options = tuple(
            Option(model, float(likely), min(1.0, max(0.0, float(quality) + hard)), float(cost))
            for model, likely, quality, cost in zip(
                self._models, choice.probabilities, choice.quality, costs, strict=True
            )
            if model in row.outcomes
        )
        model = self._models[choice.place]
        place = next(number for number, option in enumerate(options) if option.model == model)
        known = row.outcomes[model]
        return Logged(row.id, place, known.score, known.cost_usd, options, prompt.task)

    def learn(self, model: str, prompt: Prompt, length: int, known: Known) -> None:
        """Take in what a model made of a prompt."""
        self._quality.learn(model, prompt, known.score)
        self._costs.learn(model, prompt.task, length, known.cost_usd)

    def expected_costs(self, prompt: Prompt, length: int) -> Reals:
        """What each model's answer will cost, in dollars; the mean of the others where nothing is known."""
        costs = self._costs.expect(self._models, prompt.task, length)
        unknown = np.isnan(costs)
        if unknown.any():
            costs[unknown] = 0.0 if unknown.all() else float(costs[~unknown].mean())
        return costs


def replay(
    rows: Sequence[Row],
    options: ReplayOptions,
    *,
    told: Callable[[int, int], None] | None = None,
    log: Callable[[Logged], None] | None = None,
) -> ReplayReport:
    """Go through a table.

    Args:
        rows: The table.
        options: How.
        told: Called now and then with how many requests are done, of how many.
        log: Called with each decision, its probabilities and its outcome.
    """
    models = models_of(rows)
    truth = _Truth(rows, models, options.cost_weight)
    order = list(range(len(rows)))
    if not options.in_order:
        order = np.random.default_rng(options.seed).permutation(len(rows)).tolist()
    router = Replay(models, scale_usd=truth.dearest, options=options)
    chosen: list[int] = []
    times: list[int] = []
    quiz_cost = 0.0
    for done, number in enumerate(order):
        row = rows[number]
        task = row.task if options.use_task else None
        began = thread_time_ns()
        prompt = router.prompt(row.prompt, task)
        if done < options.quiz:
            for model, known in row.outcomes.items():
                router.learn(model, prompt, len(row.prompt), known)
                quiz_cost += known.cost_usd
            continue
        choice = router.choose(prompt, len(row.prompt), truth.among(number))
        times.append(thread_time_ns() - began)
        chosen.append(choice.place)
        if log is not None:
            log(router.logged(row, prompt, choice))
        model = models[choice.place]
        router.learn(model, prompt, len(row.prompt), row.outcomes[model])
        if told is not None and done % _TOLD_EVERY == 0:
            told(done, len(order))
    return truth.report(order[options.quiz :], chosen, times, options, quiz_cost)


class _Truth:
    """All outcomes of a table, which the router does not see."""

    def __init__(self, rows: Sequence[Row], models: Sequence[str], weight: float) -> None:
        self._models = models
        unknown = Known(float("nan"), float("nan"))
        found = [[row.outcomes.get(model, unknown) for model in models] for row in rows]
        self._scores = np.array([[one.score for one in row] for row in found])
        self._costs = np.array([[one.cost_usd for one in row] for row in found])
        self.dearest = float(np.nanmean(self._costs, axis=0).max())
        scale = weight / self.dearest if self.dearest > 0 else 0.0
        self._utilities = self._scores - scale * self._costs
        self._known = ~np.isnan(self._scores)
        self._whole = bool(self._known.all())

    def among(self, number: int) -> "Sequence[bool] | None":
        """Which models a row knows of; None for all."""
        return None if self._whole else self._known[number].tolist()

    def report(
        self,
        order: Sequence[int],
        chosen: Sequence[int],
        times: Sequence[int],
        options: ReplayOptions,
        quiz_cost: float,
    ) -> ReplayReport:
        """What the choices brought, beside what others would have."""
        rows = np.array(order, dtype=np.intp)
        picks = np.array(chosen, dtype=np.intp)
        score, utility = self._scores[rows, picks], self._utilities[rows, picks]
        scores, utilities = self._scores[rows], self._utilities[rows]
        fixed = np.nanmean(utilities, axis=0)
        best = int(np.nanargmax(fixed))
        each = np.arange(rows.size)
        ideal = np.nanargmax(utilities, axis=1)
        quarter = rows.size - max(1, rows.size // 4)
        shares = np.bincount(picks, minlength=len(self._models)) / rows.size
        p50, p99 = np.percentile(np.array(times) / 1000, [50, 99])
        return ReplayReport(
            n=rows.size,
            options=options,
            ours=_mean(score, utility),
            total_cost_usd=float(self._costs[rows, picks].sum()) + quiz_cost,
            quiz_cost_usd=quiz_cost,
            best_fixed=Yield(float(np.nanmean(scores[:, best])), float(fixed[best]), self._models[best]),
            oracle=_mean(scores[each, ideal], utilities[each, ideal]),
            random=_mean(np.nanmean(scores, axis=1), np.nanmean(utilities, axis=1)),
            share={model: float(part) for model, part in zip(self._models, shares, strict=True)},
            decision_us=(float(p50), float(p99)),
            first_500=_mean(score[:500], utility[:500]),
            last_quarter=_mean(score[quarter:], utility[quarter:]),
        )


def _mean(score: Reals, utility: Reals) -> Yield:
    return Yield(float(score.mean()), float(utility.mean()))


def _prior(model: str) -> float:
    """Expected score of a model by its name: as far from neutral as what is published is from the mean."""
    return NEUTRAL + prior_quality(model, "") - DEFAULT
