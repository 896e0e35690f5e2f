"""All learners over the same streams, and what came of it beside our router."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .intervals import Interval, interval, paired
from .learners import ByChance, LinUCB, Thompson, ThompsonByTask
from .litellm_peer import LiteLLM, installed
from .ours import Ours
from .stream import FIRST, QUIZ, Make, Run, Variant, parts, run
from .tables import Reals, Table, best_fixed, by_chance, oracle, task_oracle

OURS: Final = "Interlock"
BEST: Final = "best fixed model"
PARTS: Final = ("mean", "last quarter", "first 500")

VARIANTS: Final = {
    "task told": Variant(),
    "task not told": Variant(task=False),
    "models renamed": Variant(renamed=True),
    "priors off": Variant(priors=False),
    "quiz of 30": Variant(quiz=QUIZ),
}
_UNMOVED: Final = {"task not told", "models renamed", "priors off"}
"""Where other learners do what they did before: names, priors and tasks are nothing to them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One learner or reference over all seeds.

    Attributes:
        name: Whose.
        values: Mean utility of all, of the last quarter and of the first 500, with intervals.
        lead: By how much our router is above it, seed by seed; None for our router itself.
        choose_us: Processor time of a choice; 0 for a reference.
        learn_us: Of learning from one outcome.
    """

    name: str
    values: tuple[Interval, ...]
    lead: tuple[Interval, ...] | None
    choose_us: float = 0.0
    learn_us: float = 0.0


@dataclass(frozen=True, slots=True)
class Block:
    """All rows of one table, weight of cost, and variant.

    Attributes:
        table: Its name.
        weight: Of cost.
        variant: Its name.
        requests: How long the stream is.
        seeds: How many streams there were.
        rows: Our router first, then learners, then references.
        quiz: What the answers of a quiz that nobody chose took from the mean of the first 500.
    """

    table: str
    weight: float
    variant: str
    requests: int
    seeds: int
    rows: tuple[Row, ...]
    quiz: float = 0.0


def learners(chosen: Sequence[str] = ()) -> dict[str, Make]:
    """Every learner that is there, our router first."""
    found: dict[str, Make] = {
        OURS: Ours,
        "chance, drawn": ByChance,
        "Thompson, one table": Thompson,
        "Thompson per true task": ThompsonByTask,
        "LinUCB, 24 features": LinUCB,
    }
    version = installed()
    if version is None:
        print("LiteLLM is left out: `.ci/peers routing` brings it into build/litellm.", file=sys.stderr)
    else:
        found[f"LiteLLM {version} adaptive"] = LiteLLM
    return {name: make for name, make in found.items() if name == OURS or not chosen or _any(chosen, name)}


def compare(
    table: Table,
    weight: float,
    variants: Mapping[str, Variant],
    makes: Mapping[str, Make],
    orders: Sequence[list[int]],
) -> list[Block]:
    """A block for each variant; learners that a variant does not move are not run again for it.

    Each order is one stream, the same for all learners. What is best is judged by the whole table.
    """
    plain: dict[str, list[Run]] = {}
    blocks: list[Block] = []
    for name, variant in variants.items():
        runs: dict[str, list[Run]] = {}
        for learner, make in makes.items():
            kept = learner != OURS and name in _UNMOVED
            if kept and make is ThompsonByTask and not variant.task:
                continue
            if kept and learner in plain:
                runs[learner] = plain[learner]
                continue
            runs[learner] = [
                run(table, order, weight, make, variant, seed) for seed, order in enumerate(orders)
            ]
        if not variant.quiz:
            plain = plain or runs
        blocks.append(_block(table, weight, name, runs, orders))
    return blocks


def _block(
    table: Table, weight: float, variant: str, runs: Mapping[str, list[Run]], orders: Sequence[list[int]]
) -> Block:
    ours = [one.parts() for one in runs[OURS]]
    rows = [
        Row(name, *_values([one.parts() for one in found], None if name == OURS else ours), *_spent(found))
        for name, found in runs.items()
    ]
    utilities = table.utilities(weight)
    references: dict[str, Reals] = {
        BEST: best_fixed(utilities),
        "per-task oracle": task_oracle(utilities, table.tasks),
        "oracle": oracle(utilities),
        "chance": by_chance(utilities),
    }
    rows += [
        Row(name, *_values([parts(yields[order]) for order in orders], ours))
        for name, yields in references.items()
    ]
    quiz = sum(one.spent_on_quiz for one in runs[OURS]) / len(orders) / min(FIRST, len(orders[0]))
    return Block(table.name, weight, variant, len(orders[0]), len(orders), tuple(rows), quiz)


def _values(
    found: Sequence[tuple[float, ...]], ours: Sequence[tuple[float, ...]] | None
) -> tuple[tuple[Interval, ...], tuple[Interval, ...] | None]:
    columns = list(zip(*found, strict=True))
    values = tuple(interval(column) for column in columns)
    if ours is None:
        return values, None
    mine = zip(*ours, strict=True)
    return values, tuple(paired(own, theirs) for own, theirs in zip(mine, columns, strict=True))


def _spent(runs: Sequence[Run]) -> tuple[float, float]:
    return sum(one.choose_us for one in runs) / len(runs), sum(one.learn_us for one in runs) / len(runs)


def _any(chosen: Sequence[str], name: str) -> bool:
    return any(one.lower() in name.lower() for one in chosen)
