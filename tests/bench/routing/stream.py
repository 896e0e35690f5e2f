"""A table as a stream of requests: a learner chooses, and sees the outcome of its choice alone."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import numpy as np

from .tables import Reals, Table

FIRST: Final = 500
"""How many requests count as the beginning of a stream."""

QUIZ: Final = 30
"""How many requests a quiz has."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What a learner is told before the first request.

    Attributes:
        models: Whom it may choose.
        weight: What a learner is to make much of: utility is score - weight x cost ÷ scale.
        scale: Mean cost of the dearest model.
        prices: Mean cost of each model, as a list of prices would tell it.
        seed: Of whatever the learner draws.
        priors: Whether it may start from what is published of models with these names.
    """

    models: tuple[str, ...]
    weight: float
    scale: float
    prices: dict[str, float]
    seed: int
    priors: bool = True


class Learner(Protocol):
    """Chooses models and learns from what came of it."""

    def choose(self, prompt: str, task: str | None) -> str:
        """Name the model that shall answer; the task is None where nobody tells it."""
        ...

    def learn(
        self, prompt: str, task: str | None, model: str, score: float, cost: float, utility: float
    ) -> None:
        """Take in what came of one answer."""
        ...


Make: TypeAlias = Callable[[Problem], Learner]
"""Makes a learner that knows nothing yet."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What is different about a stream.

    Attributes:
        task: Whether learners are told the task of a prompt.
        renamed: Whether models carry names of which nobody has heard.
        quiz: How many of the first requests are answered by every model.
        priors: Whether a learner may start from what is published of a model.
    """

    task: bool = True
    renamed: bool = False
    quiz: int = 0
    priors: bool = True


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one stream.

    Attributes:
        utility: Of each request, in the order of the stream.
        choose_us: Processor time of a choice, mean, in microseconds.
        learn_us: Processor time of learning from one outcome, mean.
        spent_on_quiz: What the answers that nobody chose took from the sum of the utilities.
    """

    utility: Reals
    choose_us: float
    learn_us: float
    spent_on_quiz: float = 0.0

    def parts(self) -> tuple[float, float, float]:
        """Mean utility of all requests, of the last quarter, and of the first 500."""
        return parts(self.utility)


def parts(utility: Reals) -> tuple[float, float, float]:
    """Means of a stream: all of it, its last quarter, its first 500 requests."""
    last = utility[len(utility) - len(utility) // 4 :] if len(utility) >= 4 else utility
    return float(utility.mean()), float(last.mean()), float(utility[:FIRST].mean())


def run(table: Table, order: list[int], weight: float, make: Make, variant: Variant, seed: int) -> Run:
    """One learner over one stream.

    During the quiz every model answers: the request yields the score of the model that was chosen, and costs
    what all the answers cost together. The learner then sees them all.
    """
    shown = table.renamed() if variant.renamed else table
    models = shown.models
    learner = make(Problem(models, weight, table.dearest, shown.prices, seed, variant.priors))
    utilities = table.utilities(weight)
    column = {model: number for number, model in enumerate(models)}
    found = np.zeros(len(order))
    choosing = learning = answers = 0
    quizzed = 0.0
    for place, row in enumerate(order):
        prompt, task = shown.prompts[row], shown.tasks[row] if variant.task else None
        begun = time.thread_time_ns()
        chosen = column[learner.choose(prompt, task)]
        decided = time.thread_time_ns()
        seen = range(len(models)) if place < variant.quiz else (chosen,)
        outcomes = [
            (
                models[one],
                float(table.scores[row, one]),
                float(table.costs[row, one]),
                float(utilities[row, one]),
            )
            for one in seen
        ]
        resumed = time.thread_time_ns()
        for model, score, cost, utility in outcomes:
            learner.learn(prompt, task, model, score, cost, utility)
        learning += time.thread_time_ns() - resumed
        choosing += decided - begun
        answers += len(outcomes)
        more = (
            weight
            * (sum(cost for _, _, cost, _ in outcomes) - float(table.costs[row, chosen]))
            / table.dearest
        )
        quizzed += more
        found[place] = utilities[row, chosen] - more
    return Run(found, choosing / 1e3 / max(1, len(order)), learning / 1e3 / max(1, answers), quizzed)
