"""RouteLLM's test: which prompts should go to the strong of two models, learned from outcomes of others.

Five folds, in domain: all outcomes of four are learned, the fifth is ranked by the predicted gap between the
two models. With the share of calls to the strong model rising from none to all,

- APGR is the mean, over that share, of the part of the gap in performance that is recovered: 0.5 by chance;
- CPT(x) is the least share of calls, in percent, that recovers x percent of the gap.

(Ong and others, RouteLLM: Learning to Route LLMs with Preference Data, 2024. Its own routers were trained on
votes of other prompts, not in domain; their figures are printed beside.)
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from .tables import Reals, Table

FOLDS: Final = 5
LABELS: Final = (50, 100, 500, 1_500)

PUBLISHED: Final = {
    "RouteLLM matrix factorisation": {"mmlu": (0.597, 35.5, 71.4), "gsm8k": (0.565, 38.8, 72.6)},
    "RouteLLM BERT": {"mmlu": (0.572, 41.3, 72.2), "gsm8k": (0.531, 44.8, 79.1)},
    "RouteLLM similarity-weighted": {"mmlu": (0.603, 35.4, 71.6), "gsm8k": (0.568, 41.2, 72.2)},
    "RouteLLM causal LLM": {"mmlu": (0.600, 35.5, 70.3), "gsm8k": (0.622, 33.6, 63.3)},
}
"""APGR, CPT(50 %), CPT(80 %) as its authors published them, on all of its prompts."""

PUBLISHED_MT_BENCH: Final = {
    "RouteLLM matrix factorisation": (0.802, 13.4, 31.3),
    "RouteLLM BERT": (0.751, 19.6, 34.0),
    "RouteLLM similarity-weighted": (0.759, 23.2, 36.0),
    "RouteLLM causal LLM": (0.679, 31.5, 48.8),
}

Predict: TypeAlias = Callable[[Table, Table, int], Reals]
"""From what is learned, what is asked and a seed, the predicted gap of each prompt asked."""


class Recovered(NamedTuple):
    """How well a ranking finds the prompts that need the strong model.

    Attributes:
        apgr: Mean part of the gap recovered.
        cpt50: Calls that recover half of it, in percent.
        cpt80: Calls that recover four fifths of it, in percent.
    """

    apgr: float
    cpt50: float
    cpt80: float


@dataclass(frozen=True, slots=True)
class Judged:
    """One learner on one part of the test.

    Attributes:
        part: Whose prompts.
        name: Who ranked them.
        found: How well.
        spent_us: Processor time of a prompt that is learned or asked, mean, in microseconds.
    """

    part: str
    name: str
    found: Recovered
    spent_us: float = 0.0


def pair(table: Table) -> Table:
    """The table with the weak model's column first, the strong one's second.

    Raises:
        ValueError: It has not just two models.
    """
    if len(table.models) != 2:
        raise ValueError(f"{table.name} has {len(table.models)} models, and the test is of two")
    order = [0, 1] if table.prices[table.models[0]] <= table.prices[table.models[1]] else [1, 0]
    models = (table.models[order[0]], table.models[order[1]])
    return Table(
        table.name, models, table.prompts, table.tasks, table.scores[:, order], table.costs[:, order]
    )


def recovered(predicted: Reals, gap: Reals, seed: int = 0) -> Recovered:
    """Judge a ranking; ties are broken by chance.

    Args:
        predicted: By what the prompts are ranked, highest first.
        gap: What the strong model scores above the weak one, truly.
        seed: Of the chance.
    """
    chance = np.random.default_rng(seed).permutation(len(gap))
    order = chance[np.argsort(-predicted[chance], kind="stable")]
    gained = np.concatenate(([0.0], np.cumsum(gap[order]))) / float(gap.sum())
    apgr = float((gained[1:] + gained[:-1]).mean() / 2)
    return Recovered(apgr, _calls(gained, 0.5), _calls(gained, 0.8))


def folded(table: Table, predict: Predict, seed: int, *, shuffled: bool = False) -> Reals:
    """What is predicted for every prompt by the learner that did not see it, as ranks within its fold.

    Shuffled: the outcomes that are learned belong to other prompts than they are told with.
    """
    order = table.order(seed)
    ranks = np.zeros(len(order))
    for number in range(FOLDS):
        held = order[number::FOLDS]
        known = [row for place, row in enumerate(order) if place % FOLDS != number]
        train = table.rows(known)
        if shuffled:
            train = _mixed(train, seed)
        predicted = predict(train, table.rows(held), seed)
        ranks[held] = _ranks(predicted, seed)
    return ranks


def judge(part: str, name: str, table: Table, predict: Predict, seed: int = 0) -> Judged:
    """One learner by five folds."""
    begun = time.thread_time_ns()
    ranks = folded(table, predict, seed)
    spent = (time.thread_time_ns() - begun) / 1e3 / len(ranks) / FOLDS
    return Judged(part, name, recovered(ranks, _gap(table), seed), spent)


def after(table: Table, predict: Predict, labels: int, draws: int) -> list[float]:
    """APGR on a fifth of the prompts when so many others are known, once a draw."""
    found: list[float] = []
    for draw in range(draws):
        order = table.order(1_000 + draw)
        fifth = len(order) // FOLDS
        held, known = table.rows(order[:fifth]), table.rows(order[fifth : fifth + labels])
        found.append(recovered(predict(known, held, draw), _gap(held), draw).apgr)
    return found


def without_reason(table: Table, predict: Predict, draws: int) -> list[float]:
    """APGR when outcomes are learned with the wrong prompts, once a draw: 0.5, or something leaks."""
    return [
        recovered(folded(table, predict, draw, shuffled=True), _gap(table), draw).apgr
        for draw in range(draws)
    ]


def references(part: str, table: Table) -> Iterator[Judged]:
    """What needs no learning, and the plain table of a task."""
    gap = _gap(table)
    yield Judged(part, "oracle", recovered(gap, gap))
    lengths = np.array([float(len(prompt)) for prompt in table.prompts])
    yield Judged(part, "length of the prompt", recovered(lengths, gap))
    yield judge(part, "mean of the task", table, by_task)
    yield Judged(part, "chance", recovered(np.zeros(len(gap)), gap))


def by_task(train: Table, asked: Table, seed: int) -> Reals:
    """The mean gap of each task, shrunken a little toward that of all."""
    gap = _gap(train)
    base = float(gap.mean())
    sums: dict[str, tuple[float, int]] = {}
    for task, one in zip(train.tasks, gap.tolist(), strict=True):
        total, count = sums.get(task, (0.0, 0))
        sums[task] = (total + one, count + 1)
    found = [sums.get(task, (0.0, 0)) for task in asked.tasks]
    return np.array([(total + 10 * base) / (count + 10) for total, count in found])


def _gap(table: Table) -> Reals:
    return np.asarray(table.scores[:, 1] - table.scores[:, 0])


def _calls(gained: Reals, part: float) -> float:
    return 100.0 * int((gained >= part).argmax()) / (len(gained) - 1)


def _ranks(predicted: Reals, seed: int) -> Reals:
    chance = np.random.default_rng(seed).permutation(len(predicted))
    ranks = np.zeros(len(predicted))
    ranks[chance[np.argsort(predicted[chance], kind="stable")]] = np.arange(len(predicted)) / len(predicted)
    return ranks


def _mixed(table: Table, seed: int) -> Table:
    rows = list(range(len(table.prompts)))
    Random(seed).shuffle(rows)
    return Table(table.name, table.models, table.prompts, table.tasks, table.scores[rows], table.costs[rows])
