"""How good each model is, in general and at each class of task: means, each shrunken toward a wider one.

The model behind it, for the score y of model m at a task of class c:

    y = level + difficulty(c) + skill(m) + fit(m, c) + noise

all normal. How far skills and fits lie apart is told as multiples of the noise: so the table means the same
for scores that hardly vary as for plain right or wrong, and what is believed of skill and fit is worked out
in closed form from counts and sums alone. Two tables are merged by adding, and old outcomes are forgotten
by scaling. (Gelman and Hill, Data Analysis Using Regression and Multilevel Models, 2007,
chapter 12, is the textbook form of partial pooling.)
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from interlock_router.learning._keeping import Arrays, floats, texts
from interlock_router.learning._words import Reals

SKILL: Final = 0.2
"""How far models lie apart before anything is known: variance of `skill`, in variances of the noise.

Its inverse is how many outcomes the prior is worth: five.
"""

FIT: Final = 0.0245
"""How far a model's strength at one class lies from its strength in general: some forty outcomes."""

_EASE_WEIGHT: Final = 8.0
_MOST_TASKS: Final = 256
_REST: Final = "other"


class Belief(NamedTuple):
    """What is believed of models.

    Attributes:
        mean: Expected score of each, without the difficulty of the task.
        variance: How unsure that is, in variances of one score about what is expected of it.
    """

    mean: Reals
    variance: Reals


class Table:
    """Counts and sums of scores by model and class of task, and what follows from them.

    Rows are classes of task, columns are models; both grow as they are met.
    """

    def __init__(self) -> None:
        self.count: NDArray[np.float64] = np.zeros((1, 0))
        self.total: NDArray[np.float64] = np.zeros((1, 0))
        self.ease_count: Reals = np.zeros(1)
        self.ease_total: Reals = np.zeros(1)
        self.prior: Reals = np.zeros(0)
        self.skill: Reals = np.zeros(0)
        self.skill_variance: Reals = np.zeros(0)
        self.tasks: dict[str, int] = {_REST: 0}

    def add_models(self, priors: Sequence[float]) -> None:
        """Make room for more models, with what is expected of each before any outcome."""
        more = len(priors)
        self.count = np.pad(self.count, ((0, 0), (0, more)))
        self.total = np.pad(self.total, ((0, 0), (0, more)))
        self.prior = np.concatenate((self.prior, priors))
        self.skill = np.concatenate((self.skill, priors))
        self.skill_variance = np.concatenate((self.skill_variance, np.full(more, SKILL)))

    def row(self, task: str) -> int:
        """The row of a class that is learned; the classes beyond the most that are kept share one."""
        found = self.tasks.get(task)
        if found is not None:
            return found
        if len(self.tasks) >= _MOST_TASKS:
            return 0
        self.tasks[task] = len(self.tasks)
        self.count = np.pad(self.count, ((0, 1), (0, 0)))
        self.total = np.pad(self.total, ((0, 1), (0, 0)))
        self.ease_count = np.append(self.ease_count, 0.0)
        self.ease_total = np.append(self.ease_total, 0.0)
        return self.tasks[task]

    def ease(self, row: int) -> float:
        """How much easier a class is than the mean of all, as far as known."""
        return float(self.ease_total[row]) / (float(self.ease_count[row]) + _EASE_WEIGHT)

    def believe(self, task: str) -> Belief:
        """What is believed of every model at a class of task.

        Args:
            task: The class; one that was never met is believed to suit all models alike.
        """
        row = self.tasks.get(task)
        spread = self.skill_variance + FIT
        if row is None:
            return Belief(self.skill, spread)
        count = self.count[row]
        precision = 1.0 / spread
        variance = 1.0 / (precision + count)
        return Belief(
            variance * (self.skill * precision + self.total[row] - count * self.ease(row)), variance
        )

    def expect(self, model: int, row: int) -> float:
        """What is expected of one model at one class, its ease included."""
        precision = 1.0 / (float(self.skill_variance[model]) + FIT)
        count = float(self.count[row, model])
        ease = self.ease(row)
        total = float(self.total[row, model]) - count * ease
        return (float(self.skill[model]) * precision + total) / (precision + count) + ease

    def learn(self, model: int, row: int, score: float, weight: float) -> None:
        """Take one score in.

        Args:
            model: Column of the model.
            row: Row of the class.
            score: The score, without what the words of the prompt explain.
            weight: How much it counts; 1 for a full outcome.
        """
        self.count[row, model] += weight
        self.total[row, model] += weight * score
        self.ease_count[row] += weight
        self.ease_total[row] += weight * (score - float(self.skill[model]))
        self._settle(model)

    def forget(self, model: int, kept: float) -> None:
        """Trust a part only of what is known of a model."""
        self.count[:, model] *= kept
        self.total[:, model] *= kept
        self._settle(model)

    def arrays(self) -> Arrays:
        """What is kept of it."""
        return {
            "table.count": self.count,
            "table.total": self.total,
            "table.ease_count": self.ease_count,
            "table.ease_total": self.ease_total,
            "table.prior": self.prior,
            "table.skill": self.skill,
            "table.skill_variance": self.skill_variance,
            "table.tasks": np.array(list(self.tasks)),
        }

    def restore(self, arrays: Arrays, models: int) -> None:
        """Take up what was kept.

        Raises:
            InvalidRequestError: It is not whole.
        """
        self.tasks = {task: row for row, task in enumerate(texts(arrays, "table.tasks"))}
        rows = len(self.tasks)
        self.count = floats(arrays, "table.count", (rows, models))
        self.total = floats(arrays, "table.total", (rows, models))
        self.ease_count = floats(arrays, "table.ease_count", (rows,))
        self.ease_total = floats(arrays, "table.ease_total", (rows,))
        self.prior = floats(arrays, "table.prior", (models,))
        self.skill = floats(arrays, "table.skill", (models,))
        self.skill_variance = floats(arrays, "table.skill_variance", (models,))

    def _settle(self, model: int) -> None:
        """Work out a model's skill again, from its classes, each by how sure it is."""
        count = self.count[:, model]
        ease = self.ease_total / (self.ease_count + _EASE_WEIGHT)
        sureness = 1.0 / (1.0 + count * FIT)
        gained = float((self.total[:, model] - count * ease) @ sureness)
        variance = 1.0 / (1.0 / SKILL + float(count @ sureness))
        self.skill[model] = variance * (float(self.prior[model]) / SKILL + gained)
        self.skill_variance[model] = variance
