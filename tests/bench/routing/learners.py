"""The learners of the textbooks: chance, Thompson's tables, and LinUCB over features of the text."""

import math
import re
from collections.abc import Callable
from random import Random
from typing import Final

import numpy as np

from .stream import Problem
from .tables import Reals

_ALPHA: Final = 0.25
_WORD: Final = re.compile(r"[^\W_]+")
_CODE: Final = re.compile(r"\b(?:def|class|import|return|function|python|code|assert|int|void)\b")
_OPTION: Final = re.compile(r"(?m)^\s*\(?[A-E][).:]\s")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_ASKED: Final = ("what", "which", "who", "when", "where", "why", "how")
_TOLD: Final = re.compile(
    r"^\s*(?:write|create|complete|given|find|solve|explain|generate|select|read)\b", re.I
)


class ByChance:
    """Names any model, each as likely as the others."""

    def __init__(self, problem: Problem) -> None:
        self._models = problem.models
        self._random = Random(problem.seed)

    def choose(self, prompt: str, task: str | None) -> str:
        """Any of them."""
        return self._models[int(self._random.random() * len(self._models))]

    def learn(
        self, prompt: str, task: str | None, model: str, score: float, cost: float, utility: float
    ) -> None:
        """Nothing is learned."""


def always(model: str) -> Callable[[Problem], "Always"]:
    """Makes a learner that names one model, whatever comes."""
    return lambda problem: Always(problem, model)


class Always(ByChance):
    """Names one model, whatever comes."""

    def __init__(self, problem: Problem, model: str) -> None:
        super().__init__(problem)
        self._model = model

    def choose(self, prompt: str, task: str | None) -> str:
        """That one."""
        return self._model


class Thompson:
    """Thompson sampling over one table of models.

    Where only scores count, a Beta belief of each; where costs count too, a normal one, whose standard
    deviation is 0.5 ÷ √(n + 1).
    """

    tasks = False

    def __init__(self, problem: Problem) -> None:
        self._models = problem.models
        self._beta = problem.weight == 0
        self._random = np.random.default_rng(problem.seed)
        self._cells: dict[str, tuple[Reals, Reals]] = {}
        self._columns = {model: number for number, model in enumerate(problem.models)}

    def choose(self, prompt: str, task: str | None) -> str:
        """The model whose drawn utility is highest."""
        count, total = self._cell(task)
        if self._beta:
            drawn = self._random.beta(1.0 + total, 1.0 + count - total)
        else:
            normal = self._random.standard_normal(len(count))
            drawn = (total + 0.5) / (count + 1.0) + normal * 0.5 / np.sqrt(count + 1.0)
        return self._models[int(drawn.argmax())]

    def learn(
        self, prompt: str, task: str | None, model: str, score: float, cost: float, utility: float
    ) -> None:
        """Count the utility in its cell; a score between 0 and 1 counts as part of a success."""
        count, total = self._cell(task)
        column = self._columns[model]
        count[column] += 1.0
        total[column] += min(1.0, max(0.0, score)) if self._beta else utility

    def _cell(self, task: str | None) -> tuple[Reals, Reals]:
        key = (task or "") if self.tasks else ""
        found = self._cells.get(key)
        if found is None:
            models = len(self._models)
            found = self._cells[key] = (np.zeros(models), np.zeros(models))
        return found


class ThompsonByTask(Thompson):
    """Thompson sampling with a table for each task."""

    tasks = True


class LinUCB:
    """A ridge regression for each model over 24 features of the text, and a bonus for what it does not know.

    Li, Chu, Langford and Schapire, A Contextual-Bandit Approach to Personalized News Article Recommendation,
    WWW 2010, algorithm 1.
    """

    def __init__(self, problem: Problem) -> None:
        self._models = problem.models
        self._columns = {model: number for number, model in enumerate(problem.models)}
        self._inverse = np.tile(np.eye(FEATURES), (len(problem.models), 1, 1))
        self._sums = np.zeros((len(problem.models), FEATURES))
        self._theta = np.zeros((len(problem.models), FEATURES))
        self._last: tuple[str, Reals] = ("", features(""))

    def choose(self, prompt: str, task: str | None) -> str:
        """The model whose upper bound is highest."""
        x = self._features(prompt)
        spread = np.sqrt(np.maximum(0.0, (self._inverse @ x) @ x))
        return self._models[int((self._theta @ x + _ALPHA * spread).argmax())]

    def learn(
        self, prompt: str, task: str | None, model: str, score: float, cost: float, utility: float
    ) -> None:
        """One step of the regression of that model."""
        x, column = self._features(prompt), self._columns[model]
        inverse = self._inverse[column]
        along = inverse @ x
        inverse -= np.outer(along, along) / (1.0 + float(x @ along))
        self._sums[column] += utility * x
        self._theta[column] = inverse @ self._sums[column]

    def _features(self, prompt: str) -> Reals:
        if self._last[0] != prompt:
            self._last = (prompt, features(prompt))
        return self._last[1]


def features(text: str) -> Reals:
    """The shape of a text in 24 numbers of about 0 to 1."""
    words = _WORD.findall(text)
    length = max(1, len(text))
    low = text.lower()
    opening, closing = low[:200], low[-200:]
    return np.array(
        [
            1.0,
            math.log1p(len(text)) / 8,
            math.log1p(len(words)) / 6,
            sum(map(len, words)) / max(1, len(words)) / 10,
            min(1.0, text.count("\n") / 20),
            min(1.0, 4 * sum(map(str.isdigit, text)) / length),
            min(1.0, 4 * sum(map(str.isupper, text)) / length),
            min(1.0, 10 * sum(map(text.count, ".,;:!")) / length),
            min(1.0, text.count("?") / 3),
            min(1.0, 20 * sum(map(text.count, "+-*/=<>^")) / length),
            min(1.0, 20 * sum(map(text.count, "{}[]")) / length),
            min(1.0, len(_CODE.findall(low)) / 4),
            min(1.0, (text.count("\\") + text.count("$")) / 10),
            min(1.0, len(_OPTION.findall(text)) / 4),
            min(1.0, len(_NUMBER.findall(text)) / 10),
            float(text.isascii()),
            *(float(word in opening or word in closing) for word in _ASKED),
            float(bool(_TOLD.match(text))),
        ]
    )


FEATURES: Final = len(features(""))
