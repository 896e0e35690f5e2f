"""Which model to try, when it is worth something to find out: Thompson sampling with known probabilities.

Each model's utility is drawn many times from what is believed of it; a model is chosen as often as it
comes out best. So the probability of each choice is known exactly, is logged, and a policy that was never
run can be judged by the log (Thompson, On the likelihood that one unknown probability exceeds another,
Biometrika 25, 1933; Chapelle and Li, An Empirical Evaluation of Thompson Sampling, NIPS 2011, who find
that drawing from a narrower spread than believed does better).
"""

from typing import Final

import numpy as np

from interlock_router.learning._words import Reals

NARROWED: Final = 0.5
"""The part of a belief's deviation that is drawn from."""

WIDENED: Final = 0.8
"""What is added to that part for a model of which nothing was seen."""

_SOME: Final = 15.0

DRAWS: Final = 32
"""How often each utility is drawn; a probability is a multiple of 1/32 before the floor."""

_BLOCK: Final = 65_536


class Draws:
    """Draws choices.

    Args:
        seed: Of the draws; None for one that nobody knows.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._random = np.random.default_rng(seed)
        self._normals = np.zeros(0, dtype=np.float32)
        self._used = 0

    def probabilities(self, mean: Reals, deviation: Reals, seen: Reals, *, floor: float = 0.0) -> Reals:
        """How often each is best in what is drawn.

        A narrow spread alone gives up a good model for ever after two or three unlucky answers; so the
        spread narrows with what was seen.

        Args:
            mean: Expected utility of each.
            deviation: How unsure it is.
            seen: How many outcomes of each are known.
            floor: Least probability of them all together, shared out evenly.
        """
        models = mean.size
        spread = deviation * (NARROWED + WIDENED * np.exp(seen / -_SOME))
        drawn = self._standard(DRAWS * models).reshape(DRAWS, models) * spread + mean
        wins = np.bincount(drawn.argmax(axis=1), minlength=models)
        return np.asarray(wins * ((1.0 - floor) / DRAWS) + floor / models, dtype=np.float64)

    def pick(self, probabilities: Reals) -> int:
        """One of them, by its probability."""
        point = self._random.random() * float(probabilities.sum())
        return min(int(probabilities.cumsum().searchsorted(point, side="right")), probabilities.size - 1)

    def _standard(self, count: int) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
        # Made in blocks: a call for a few numbers costs more than the numbers.
        if self._used + count > self._normals.size:
            self._normals = self._random.standard_normal(max(_BLOCK, count), dtype=np.float32)
            self._used = 0
        found = self._normals[self._used : self._used + count]
        self._used += count
        return found


class Allowance:
    """How much may be spent on finding out.

    Args:
        share: Part of the requests that may go to another model than the one believed best, 0 to 1.
        ahead: For how many requests the share may be used up at once.
    """

    def __init__(self, share: float, ahead: float = 500.0) -> None:
        self.share = share
        self._most = share * (ahead + 1.0)
        self._left = share * ahead

    def refill(self) -> None:
        """One more request, or outcome, of whose like a share may be spent."""
        self._left = min(self._most, self._left + self.share)

    def hold(self, probabilities: Reals, best: int) -> Reals:
        """The probabilities as far as they are allowed, what is too much given to the best model.

        What is allowed is spent by expectation, so that it does not depend on luck.
        """
        elsewhere = 1.0 - float(probabilities[best])
        if elsewhere <= 0.0:
            return probabilities
        part = min(1.0, self._left / elsewhere)
        self._left -= part * elsewhere
        if part >= 1.0:
            return probabilities
        held = probabilities * part
        held[best] += 1.0 - float(held.sum())
        return held
