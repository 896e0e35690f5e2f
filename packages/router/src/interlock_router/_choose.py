"""Step four: the order in which models are tried, with the likelihood of each first choice.

`BestFirst` is deterministic. A chooser that explores fills the same seam: it returns another order and
the probabilities that it drew from, and everything downstream logs and obeys them.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from interlock_router._entry import Entry
from interlock_router._policy import Policy
from interlock_router._score import Estimate


class Scored(NamedTuple):
    """A model that passed the filter, with its score.

    Attributes:
        entry: The model.
        estimate: What it is expected to bring.
        parts: The weighted parts of its score.
        score: Their sum.
    """

    entry: Entry
    estimate: Estimate
    parts: dict[str, float]
    score: float


class Choice(NamedTuple):
    """A model at its place in the order.

    Attributes:
        scored: The model.
        probability: How likely it was to be tried first.
    """

    scored: Scored
    probability: float


class Chooser(Protocol):
    """Orders models."""

    def order(self, scored: Sequence[Scored], *, policy: Policy, task: str) -> Sequence[Choice]:
        """Every model given, in the order in which to try them; the probabilities add up to 1."""
        ...


class BestFirst:
    """The highest score first; equal scores by name, so that the same question has the same answer."""

    __slots__ = ()

    def order(self, scored: Sequence[Scored], *, policy: Policy, task: str) -> Sequence[Choice]:
        """Every model by falling score; the first has probability 1."""
        ranked = sorted(scored, key=lambda one: (-one.score, one.entry.id))
        return [Choice(one, 0.0 if place else 1.0) for place, one in enumerate(ranked)]
