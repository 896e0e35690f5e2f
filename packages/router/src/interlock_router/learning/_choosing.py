"""Step four with experience: the models in the order in which to try them, some of them to find out."""

from collections.abc import Sequence

import numpy as np

from interlock_router._choose import BestFirst, Choice, Scored
from interlock_router._policy import Policy
from interlock_router.learning._draws import Draws
from interlock_router.learning._experience import Experience


class Exploring:
    """A `Chooser` that now and then tries another model than the one of the highest score.

    It does so as far as it is in doubt about them, as far as the policy's `explore` goes, and only while
    somebody says what answers were worth. Behind the first, models stand by falling score.

    Args:
        experience: What is believed, and what may still be tried.
        seed: Of the draws; None for one that nobody knows.
    """

    __slots__ = ("_best", "_draws", "_experience")

    def __init__(self, experience: Experience, *, seed: int | None = None) -> None:
        self._experience = experience
        self._draws = Draws(seed)
        self._best = BestFirst()

    def order(self, scored: Sequence[Scored], *, policy: Policy, task: str) -> Sequence[Choice]:
        """Every model given, the first by chance, the others by falling score; the chances of being first."""
        ranked = [choice.scored for choice in self._best.order(scored, policy=policy, task=task)]
        deviation = np.array([policy.quality * one.estimate.deviation for one in ranked])
        if len(ranked) < 2 or policy.explore == 0 or not deviation.any():
            return [Choice(one, 0.0 if place else 1.0) for place, one in enumerate(ranked)]
        mean = np.array([one.score for one in ranked])
        seen = np.array([one.estimate.seen for one in ranked])
        found = self._draws.probabilities(mean, deviation, seen)
        found = self._experience.allowance(policy.name, policy.explore).hold(found, 0)
        first = self._draws.pick(found)
        places = [first, *(place for place in range(len(ranked)) if place != first)]
        return [Choice(ranked[place], float(found[place])) for place in places]
