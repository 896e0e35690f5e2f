"""Interlock's router, as the benches drive it: online over a stream, and offline over folds."""

from random import Random

import numpy as np

from interlock_router.learning import Prompt, QualityLearner
from interlock_router.replay import Known, Replay, ReplayOptions

from .stream import Problem
from .tables import Reals, Table


class Ours:
    """Online: what `interlock route replay` drives, with its own defaults."""

    def __init__(self, problem: Problem) -> None:
        options = ReplayOptions(cost_weight=problem.weight, seed=problem.seed, use_priors=problem.priors)
        self._router = Replay(problem.models, scale_usd=problem.scale, options=options)
        self._models = problem.models
        self._last: tuple[str, Prompt] | None = None

    def choose(self, prompt: str, task: str | None) -> str:
        """The model to try."""
        self._last = (prompt, self._router.prompt(prompt, task))
        return self._models[self._router.choose(self._last[1], len(prompt)).place]

    def learn(
        self, prompt: str, task: str | None, model: str, score: float, cost: float, utility: float
    ) -> None:
        """Both what it was worth and what it took."""
        if self._last is None or self._last[0] != prompt:
            self._last = (prompt, self._router.prompt(prompt, task))
        self._router.learn(model, self._last[1], len(prompt), Known(score, cost))


def gaps(train: Table, asked: Table, *, task: bool, seed: int, passes: int = 1) -> Reals:
    """Offline: by how much the second model is expected to beat the first, for each prompt asked.

    Args:
        train: What is learned from, both models' scores of each prompt.
        asked: The prompts.
        task: Whether the task of a prompt is told.
        seed: Of the order.
        passes: How often the outcomes are gone over.
    """
    reader = Replay(train.models, scale_usd=1.0, options=ReplayOptions())
    learner = QualityLearner(seed)
    learner.columns(train.models)
    prompts = _read(reader, train, task=task)
    rows = list(range(len(prompts)))
    for number in range(passes):
        Random(seed + number).shuffle(rows)
        for row in rows:
            for column, model in enumerate(train.models):
                learner.learn(model, prompts[row], float(train.scores[row, column]))
    found = [learner.believe(prompt).mean for prompt in _read(reader, asked, task=task)]
    return np.array([mean[1] - mean[0] for mean in found])


def _read(reader: Replay, table: Table, *, task: bool) -> list[Prompt]:
    return [
        reader.prompt(text, named if task else None)
        for text, named in zip(table.prompts, table.tasks, strict=True)
    ]
