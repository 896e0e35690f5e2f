"""Tables of known outcomes: what every model scored on every prompt, and what it cost.

They are read from the folder `routing/dev` of the corpus: `$INTERLOCK_CORPUS`, else `../shared/corpus` beside
the checkout. One request a line, `{"id", "prompt", "task", "outcomes": {model: {"score", "cost_usd"}}}`.
"""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from interlock_core.jsontypes import JsonObject, as_object

Reals: TypeAlias = NDArray[np.float64]
"""Numbers, one a request, or one a request and model."""

ROOT: Final = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of outcomes.

    Attributes:
        name: Of its file.
        models: Its models, a column each.
        prompts: Its prompts, a row each.
        tasks: The task of each prompt.
        scores: The score of each prompt and model, 0 to 1.
        costs: What each answer cost, in US dollars.
    """

    name: str
    models: tuple[str, ...]
    prompts: tuple[str, ...]
    tasks: tuple[str, ...]
    scores: Reals
    costs: Reals

    @property
    def prices(self) -> dict[str, float]:
        """What an answer of each model costs in the mean."""
        return {
            model: float(price) for model, price in zip(self.models, self.costs.mean(axis=0), strict=True)
        }

    @property
    def dearest(self) -> float:
        """Mean cost of an answer of the dearest model; 1 where nothing costs anything."""
        return float(self.costs.mean(axis=0).max()) or 1.0

    def utilities(self, weight: float) -> Reals:
        """Score less the weighted cost, in parts of what the dearest model costs in the mean."""
        return self.scores - weight * self.costs / self.dearest

    def order(self, seed: int) -> list[int]:
        """The rows in an order that the seed alone decides."""
        rows = list(range(len(self.prompts)))
        Random(seed).shuffle(rows)
        return rows

    def renamed(self) -> "Table":
        """The same outcomes by models of which nobody has heard."""
        return replace(self, models=tuple(f"vendor/unknown-{number}" for number in range(len(self.models))))

    def only(self, kept: Callable[[str], bool]) -> "Table":
        """The rows whose task is kept."""
        return self.rows([row for row, task in enumerate(self.tasks) if kept(task)])

    def rows(self, chosen: Sequence[int]) -> "Table":
        """These rows, in this order."""
        return replace(
            self,
            prompts=tuple(self.prompts[row] for row in chosen),
            tasks=tuple(self.tasks[row] for row in chosen),
            scores=self.scores[list(chosen)],
            costs=self.costs[list(chosen)],
        )


def folder() -> Path:
    """Where the tables are looked for."""
    return Path(os.environ.get("INTERLOCK_CORPUS", ROOT.parent / "shared" / "corpus")) / "routing" / "dev"


def names() -> list[str]:
    """The tables that are there."""
    return sorted(path.stem for path in folder().glob("*.jsonl"))


def load(name: str) -> Table:
    """One table of the corpus."""
    with (folder() / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return read(name, lines)


def read(name: str, lines: Iterable[str]) -> Table:
    """A table from its lines; a request that some model did not answer is left out."""
    requests = [as_object(json.loads(line)) for line in lines if line.strip()]
    outcomes = [as_object(request["outcomes"]) for request in requests]
    models = tuple(sorted({model for outcome in outcomes for model in outcome}))
    whole = [place for place, outcome in enumerate(outcomes) if len(outcome) == len(models)]
    return Table(
        name,
        models,
        prompts=tuple(str(requests[place]["prompt"]) for place in whole),
        tasks=tuple(str(requests[place].get("task") or "") for place in whole),
        scores=_column(outcomes, whole, models, "score"),
        costs=_column(outcomes, whole, models, "cost_usd"),
    )


def _column(outcomes: Sequence[JsonObject], rows: Sequence[int], models: Sequence[str], key: str) -> Reals:
    found = [
        [float(str(as_object(outcomes[row][model]).get(key) or 0.0)) for model in models] for row in rows
    ]
    return np.array(found, dtype=np.float64).reshape(len(rows), len(models))


def best_fixed(utilities: Reals) -> Reals:
    """What each request yields when one model serves all: the one that is best in the mean of them all."""
    return np.asarray(utilities[:, int(utilities.mean(axis=0).argmax())])


def task_oracle(utilities: Reals, tasks: Sequence[str]) -> Reals:
    """What each request yields when each task has its own model: the one that is best in its mean."""
    found = np.zeros(len(tasks))
    for task in set(tasks):
        rows = [row for row, named in enumerate(tasks) if named == task]
        found[rows] = best_fixed(utilities[rows])
    return found


def oracle(utilities: Reals) -> Reals:
    """What each request yields when it goes to the model that is best at it."""
    return np.asarray(utilities.max(axis=1))


def by_chance(utilities: Reals) -> Reals:
    """What each request yields in expectation when any model may get it."""
    return np.asarray(utilities.mean(axis=1))
