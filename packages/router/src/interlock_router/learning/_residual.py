"""What the words of a prompt say beyond the class of its task: how hard it is, and whom it suits.

A regression on hashed words with a normal prior, equal to a Gaussian process whose kernel is the cosine
of two sets of words: one part shared by all models (how hard), one a model (whom it suits). It is fitted
by coordinate ascent in the dual (Shalev-Shwartz and Zhang, Stochastic Dual Coordinate Ascent Methods,
JMLR 14, 2013): every new outcome is one exact step, and so are a few old ones, taken at random.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from interlock_router.learning._keeping import Arrays, floats, wrong
from interlock_router.learning._words import DIMENSIONS, Reals, Words

HARD: Final = 0.2
"""How much of a score the words may explain for all models alike: variance, in variances of the noise."""

SUIT: Final = 0.1125
"""How much they may explain for one model apart."""

_KEPT: Final = 4_096
_AGAIN: Final = 3


class Said(NamedTuple):
    """What the words of a prompt say of one model's score.

    Attributes:
        hard: The part shared by all models.
        suit: The part of this model.
    """

    hard: float
    suit: float


class Residual:
    """The regression.

    Args:
        seed: Of the choice of old outcomes that are gone over again.
    """

    def __init__(self, seed: int) -> None:
        self.shared: NDArray[np.float32] = np.zeros(DIMENSIONS, dtype=np.float32)
        self.own: NDArray[np.float32] = np.zeros((DIMENSIONS, 0), dtype=np.float32)
        self._kept: list[_Kept] = []
        self._next = 0
        self._random = np.random.default_rng(seed)
        self._draws: list[float] = []

    def add_models(self, more: int) -> None:
        """Make room for more models."""
        self.own = np.pad(self.own, ((0, 0), (0, more)))

    def suits(self, words: Words) -> Reals:
        """Whom the words suit: what they add to the score of each model."""
        if not words.size:
            return np.zeros(len(self.own[0]), dtype=np.float64)
        rows: NDArray[np.float32] = self.own[words]
        ones = np.full(words.size, words.size**-0.5, dtype=np.float32)
        return (ones @ rows).astype(np.float64)

    def hard(self, words: Words) -> float:
        """What the words say of every model's score alike."""
        return float(self.shared.take(words).sum()) * float(words.size) ** -0.5 if words.size else 0.0

    def said(self, words: Words, model: int) -> Said:
        """What the words say of one model's score."""
        if not words.size:
            return Said(0.0, 0.0)
        return Said(self.hard(words), float(self.own[words, model].sum()) * float(words.size) ** -0.5)

    def learn(self, words: Words, model: int, rest: float, weight: float) -> None:
        """Take in what the table did not explain of one score, and go over a few old outcomes again."""
        if not words.size:
            return
        fresh = _Kept(words, model, rest, 1.0 / weight)
        if len(self._kept) < _KEPT:
            self._kept.append(fresh)
        else:
            self._kept[self._next] = fresh
            self._next = (self._next + 1) % _KEPT
        self._step(fresh)
        for _ in range(_AGAIN):
            self._step(self._kept[int(self._draw() * len(self._kept))])

    def forget(self, model: int, kept: float) -> None:
        """Trust a part only of what was learned of a model."""
        self.own[:, model] *= kept
        self._kept = [one for one in self._kept if one.model != model]
        self._next = 0

    def arrays(self) -> Arrays:
        """What is kept of it."""
        return {
            "words.shared": self.shared,
            "words.own": self.own,
            "words.kept": np.concatenate([np.zeros(0, dtype=np.intp), *(one.words for one in self._kept)]),
            "words.sizes": np.array([float(one.words.size) for one in self._kept]),
            "words.facts": np.array(
                [(one.model, one.rest, one.noise, one.dual) for one in self._kept], dtype=np.float64
            ).reshape(len(self._kept), 4),
            "words.next": np.array([float(self._next)]),
        }

    def restore(self, arrays: Arrays, models: int) -> None:
        """Take up what was kept.

        Raises:
            InvalidRequestError: It is not whole.
        """
        self.shared = floats(arrays, "words.shared", (DIMENSIONS,)).astype(np.float32)
        self.own = floats(arrays, "words.own", (DIMENSIONS, models)).astype(np.float32)
        words = floats(arrays, "words.kept", (-1,)).astype(np.intp)
        sizes = floats(arrays, "words.sizes", (-1,)).astype(np.intp)
        facts = floats(arrays, "words.facts", (sizes.size, 4))
        if sizes.sum() != words.size or np.any(sizes < 0) or np.any((words < 0) | (words >= DIMENSIONS)):
            raise wrong("its words are not whole")
        if np.any((facts[:, 0] < 0) | (facts[:, 0] >= models)):
            raise wrong("it names a model that it does not know")
        pieces = np.split(words, np.cumsum(sizes)[:-1]) if sizes.size else []
        self._kept = []
        for piece, (model, rest, noise, dual) in zip(pieces, facts.tolist(), strict=True):
            one = _Kept(piece, int(model), rest, noise)
            one.dual = dual
            self._kept.append(one)
        self._next = int(floats(arrays, "words.next", (1,))[0]) % _KEPT

    def _draw(self) -> float:
        if not self._draws:
            self._draws = self._random.random(512).tolist()
        return self._draws.pop()

    def _step(self, one: "_Kept") -> None:
        words, model = one.words, one.model
        shared = self.shared.take(words)
        own = self.own[words, model]
        scale = float(words.size) ** -0.5
        explained = float((shared + own).sum()) * scale
        change = (one.rest - explained - one.noise * one.dual) / (HARD + SUIT + one.noise)
        one.dual += change
        self.shared[words] = shared + np.float32(HARD * scale * change)
        self.own[words, model] = own + np.float32(SUIT * scale * change)


class _Kept:
    """One outcome that is gone over again."""

    __slots__ = ("dual", "model", "noise", "rest", "words")

    def __init__(self, words: Words, model: int, rest: float, noise: float) -> None:
        self.words = words
        self.model = model
        self.rest = rest
        self.noise = noise
        self.dual = 0.0
