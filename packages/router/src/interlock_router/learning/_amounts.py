"""How much an answer takes (money, tokens, seconds) by model, class of task and length of the prompt.

For a model whose amounts are known, what is expected is

    its mean x (1 + slope x (length ÷ its mean length - 1)) x factor of the class x factor of both

The slope is shared by all models, and both factors are shrunken toward 1, so that little data changes
little. Old amounts fade, so that a new price is learned.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from interlock_router.learning._words import Reals

_FADE: Final = 0.998
_SLOPE_WEIGHT: Final = 20.0
_FACTOR_WEIGHT: Final = 8.0
_MOST_RATIO: Final = 10.0
_MOST_SLOPE: Final = 1.5
_LEAST_FACTOR: Final = 0.05
_MOST_TASKS: Final = 256


class AmountLearner:
    """Learns amounts of one kind, one answer at a time."""

    def __init__(self) -> None:
        self._columns: dict[str, int] = {}
        self._tasks: dict[str, int] = {}
        # A column a model: count, amounts, lengths, squared lengths, amounts x lengths.
        self._sums: NDArray[np.float64] = np.zeros((5, 0))
        # A row a task, the first column for all models together: ratios to what was expected, and counts.
        self._ratio: NDArray[np.float64] = np.zeros((0, 1))
        self._count: NDArray[np.float64] = np.zeros((0, 1))
        self._slope = 0.0

    def learn(self, model: str, task: str, length: float, amount: float) -> None:
        """Take in what one answer took.

        Args:
            model: Who answered.
            task: Class of the task.
            length: Length of the prompt, in any unit that stays the same.
            amount: What it took, at least 0.
        """
        column = self._column(model)
        row = self._row(task)
        base = float(self._base(length)[column])
        if np.isfinite(base) and base > 0 and row is not None:
            self._learn_factors(row, column, min(amount / base, _MOST_RATIO))
        sums = self._sums[:, column]
        sums *= _FADE
        sums += (1.0, amount, length, length**2, amount * length)
        self._slope = self._fit_slope()

    def expect(self, models: Sequence[str], task: str, length: float) -> Reals:
        """What an answer of each model will take; `nan` for a model of which nothing is known."""
        found = self._base(length)
        row = self._tasks.get(task)
        if row is not None:
            shared = self._factor(row, 0)
            own = self._ratio[row, 1:] + _FACTOR_WEIGHT
            found = found * shared * own / (self._count[row, 1:] + _FACTOR_WEIGHT)
        columns = self._columns
        return np.array([found[columns[model]] if model in columns else np.nan for model in models])

    def _base(self, length: float) -> Reals:
        count, amount, lengths = self._sums[0], self._sums[1], self._sums[2]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = amount / count
            longer = length * count / lengths - 1.0
        grown = 1.0 + self._slope * np.where(np.isfinite(longer), longer, 0.0)
        return np.asarray(mean * np.maximum(_LEAST_FACTOR, grown))

    def _factor(self, row: int, column: int) -> float:
        return (float(self._ratio[row, column]) + _FACTOR_WEIGHT) / (
            float(self._count[row, column]) + _FACTOR_WEIGHT
        )

    def _learn_factors(self, row: int, column: int, ratio: float) -> None:
        rest = ratio / self._factor(row, 0)
        for place, value in ((0, ratio), (column + 1, rest)):
            self._ratio[row, place] = self._ratio[row, place] * _FADE + value
            self._count[row, place] = self._count[row, place] * _FADE + 1.0

    def _fit_slope(self) -> float:
        count, amount, lengths, squares, products = self._sums
        known = (amount > 0) & (lengths > 0)
        if not known.any():
            return 0.0
        count = count[known]
        covariance = products[known] * count**2 / (amount[known] * lengths[known]) - count
        variance = squares[known] * count**2 / lengths[known] ** 2 - count
        slope = float(covariance.sum()) / (float(variance.sum()) + _SLOPE_WEIGHT)
        return min(_MOST_SLOPE, max(0.0, slope))

    def _column(self, model: str) -> int:
        found = self._columns.get(model)
        if found is None:
            found = self._columns[model] = len(self._columns)
            self._sums = np.pad(self._sums, ((0, 0), (0, 1)))
            self._ratio = np.pad(self._ratio, ((0, 0), (0, 1)))
            self._count = np.pad(self._count, ((0, 0), (0, 1)))
        return found

    def _row(self, task: str) -> int | None:
        found = self._tasks.get(task)
        if found is None and len(self._tasks) < _MOST_TASKS:
            found = self._tasks[task] = len(self._tasks)
            self._ratio = np.pad(self._ratio, ((0, 1), (0, 0)))
            self._count = np.pad(self._count, ((0, 1), (0, 0)))
        return found
