"""How good each model's answer to a prompt will be, learned from the scores of answers past."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Self

import numpy as np

from interlock_router.learning._drift import Drift
from interlock_router.learning._keeping import floats, pack, texts, unpack
from interlock_router.learning._residual import Residual
from interlock_router.learning._table import Table
from interlock_router.learning._words import Reals, Words

NEUTRAL: Final = 0.6
"""Expected score of a model of which nothing is known."""

_NOISE: Final = 0.2
_NOISE_WEIGHT: Final = 10.0
_TRUST: Final = 0.5
_TRUST_WEIGHT: Final = 2.0
_STEADY: Final = 30.0
_AFTER_CHANGE: Final = 0.1


class Prompt(NamedTuple):
    """What is learned about a prompt.

    Attributes:
        task: Class of its task.
        words: Its words, hashed.
    """

    task: str
    words: Words


class Quality(NamedTuple):
    """What is believed of models' answers to one prompt.

    Attributes:
        mean: Expected score of each model; may lie a little outside 0 to 1.
        deviation: How unsure that is, as a standard deviation.
        seen: How many outcomes of each model are known.
    """

    mean: Reals
    deviation: Reals
    seen: Reals


class QualityLearner:
    """Learns scores, one outcome at a time.

    Each model is a column. A table by class of task is the base; the words of the prompt add to it as far
    as they have proven to foretell what the table left open.

    Args:
        seed: Of the order in which old outcomes are gone over again.
    """

    def __init__(self, seed: int = 0) -> None:
        self._table = Table()
        self._residual = Residual(seed)
        self._columns: dict[str, int] = {}
        self._drifts: list[Drift] = []
        self._seen: Reals = np.zeros(0)
        self._squares = 0.0
        self._outcomes = 0.0
        self._foretold = 0.0
        self._foretelling = 0.0

    @property
    def outcomes(self) -> float:
        """How many outcomes were learned, by weight."""
        return self._outcomes

    @property
    def noise(self) -> float:
        """Variance of a score about what was expected of it."""
        return max(1e-4, (self._squares + _NOISE * _NOISE_WEIGHT) / (self._outcomes + _NOISE_WEIGHT))

    @property
    def trust(self) -> float:
        """How far the words of a prompt are trusted, 0 to 1: the part of them that came true."""
        weight = _TRUST_WEIGHT * self.noise
        return min(1.0, max(0.0, (self._foretold + weight * _TRUST) / (self._foretelling + weight)))

    def columns(
        self, models: Sequence[str], priors: Iterable[float] | None = None
    ) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
        """The columns of models; those that are new are added.

        Args:
            models: Their names.
            priors: Expected score of each before any outcome; `NEUTRAL` when left out.
        """
        expected = list(priors) if priors is not None else [NEUTRAL] * len(models)
        fresh = [
            (model, prior)
            for model, prior in zip(models, expected, strict=True)
            if model not in self._columns
        ]
        for model, _ in fresh:
            self._columns[model] = len(self._columns)
            self._drifts.append(Drift())
        if fresh:
            self._seen = np.pad(self._seen, (0, len(fresh)))
            self._table.add_models([prior for _, prior in fresh])
            self._residual.add_models(len(fresh))
        return np.array([self._columns[model] for model in models], dtype=np.intp)

    def believe(self, prompt: Prompt) -> Quality:
        """What is believed of every column's answer to a prompt, without what is hard for all."""
        belief = self._table.believe(prompt.task)
        mean = belief.mean + self.trust * self._residual.suits(prompt.words)
        return Quality(mean, np.sqrt(self.noise * belief.variance), self._seen)

    def hardness(self, prompt: Prompt) -> float:
        """What a prompt adds to every model's score, below 0 for a hard one."""
        row = self._table.tasks.get(prompt.task)
        ease = 0.0 if row is None else self._table.ease(row)
        return ease + self._residual.hard(prompt.words)

    def learn(self, model: str, prompt: Prompt, score: float, weight: float = 1.0) -> bool:
        """Take the score of an answer in.

        Args:
            model: Whose answer it was.
            prompt: What was asked.
            score: 0 to 1.
            weight: How much it counts, above 0 and at most 1.

        Returns:
            Whether the model was found to have changed, so that most of what was known of it is forgotten.
        """
        column = int(self.columns([model])[0])
        noise, trust = self.noise, self.trust
        row = self._table.row(prompt.task)
        expected = self._table.expect(column, row)
        said = self._residual.said(prompt.words, column)
        left = score - expected - said.hard
        surprise = left - trust * said.suit
        self._foretold += weight * left * said.suit
        self._foretelling += weight * said.suit**2
        self._squares += weight * surprise**2
        self._outcomes += weight
        self._seen[column] += weight
        self._table.learn(column, row, score - said.hard - said.suit, weight)
        self._residual.learn(prompt.words, column, score - expected, weight)
        return self._check(column, surprise / noise**0.5)

    def to_bytes(self) -> bytes:
        """Everything that was learned."""
        sums = (self._squares, self._outcomes, self._foretold, self._foretelling)
        return pack(
            {
                "models": np.array(list(self._columns), dtype=np.str_),
                "drifts": np.array([(one.above, one.below) for one in self._drifts]).reshape(-1, 2),
                "seen": self._seen,
                "sums": np.array(sums),
                **self._table.arrays(),
                **self._residual.arrays(),
            }
        )

    @classmethod
    def from_bytes(cls, kept: bytes, seed: int = 0) -> Self:
        """What was learned before.

        Raises:
            InvalidRequestError: It is not what `to_bytes` made.
        """
        arrays = unpack(kept)
        names = texts(arrays, "models")
        made = cls(seed)
        made._columns = {model: column for column, model in enumerate(names)}
        made._drifts = [
            Drift(above, below) for above, below in floats(arrays, "drifts", (len(names), 2)).tolist()
        ]
        made._seen = floats(arrays, "seen", (len(names),))
        sums = floats(arrays, "sums", (4,)).tolist()
        made._squares, made._outcomes, made._foretold, made._foretelling = sums
        made._table.restore(arrays, len(names))
        made._residual.restore(arrays, len(names))
        return made

    def _check(self, column: int, surprise: float) -> bool:
        # What is expected of a model at first is a guess; a surprise then is no change.
        if self._seen[column] < _STEADY or not self._drifts[column].notice(surprise):
            return False
        self._table.forget(column, _AFTER_CHANGE)
        self._residual.forget(column, 0.0)
        self._seen[column] = 0.0
        return True
