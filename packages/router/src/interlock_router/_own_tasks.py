"""Classes of task of one's own, each named by a few examples: the nearest centroid of words.

Built in a few hundred microseconds, so that a change of the examples needs no training and no restart.
"""

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from interlock_router._features import features

_LEAST: Final = 0.12
_PART: Final = 0.35
_USUAL: Final = 0.35


class OwnTasks:
    """Which of one's own classes a prompt is like, if any.

    A class is taken when the prompt's likeness to its examples is at least a third of that which the examples
    have among themselves. Words that the built-in classes know weigh less than the names and terms of
    one's own field.
    """

    __slots__ = ("_centroids", "_known", "_least", "_names")

    def __init__(self, examples: Mapping[str, Sequence[str]], known: Container[str] = ()) -> None:
        """Classes by name, each with its examples; `known` are features that many prompts have.

        Raises:
            ValueError: A class has no name or no example with a word in it.
        """
        self._known = known
        self._names = tuple(examples)
        self._centroids: dict[str, list[tuple[int, float]]] = {}
        self._least: list[float] = []
        for number, (name, prompts) in enumerate(examples.items()):
            seen = [_words(prompt) for prompt in prompts]
            if not name or not any(seen):
                raise ValueError(f"the class of tasks {name!r} needs a name and examples with words in them")
            centroid = self._centroid(seen)
            self._least.append(max(_LEAST, _PART * self._among(seen)))
            for feature, weight in centroid.items():
                self._centroids.setdefault(feature, []).append((number, weight))

    def nearest(self, seen: AbstractSet[str]) -> tuple[str, float] | None:
        """The class that is like these features, and how like: 0 to 1. None when none is like enough."""
        likeness = [0.0] * len(self._names)
        for feature in self._centroids.keys() & seen:
            weight = self._weight(feature)
            for number, value in self._centroids[feature]:
                likeness[number] += weight * value
        length = self._length(feature for feature in seen if _is_word(feature))
        best = max(range(len(likeness)), key=likeness.__getitem__, default=None)
        if best is None or not length:
            return None
        like = likeness[best] / length
        return (self._names[best], min(1.0, like)) if like >= self._least[best] else None

    def _weight(self, feature: str) -> float:
        return _USUAL if feature in self._known else 1.0

    def _length(self, found: Iterable[str]) -> float:
        return math.sqrt(sum(self._weight(feature) ** 2 for feature in found))

    def _centroid(self, seen: Sequence[frozenset[str]]) -> dict[str, float]:
        counts = Counter(feature for one in seen for feature in one)
        values = {feature: count * self._weight(feature) for feature, count in counts.items()}
        length = math.sqrt(sum(value * value for value in values.values())) or 1.0
        return {feature: value / length for feature, value in values.items()}

    def _among(self, seen: Sequence[frozenset[str]]) -> float:
        """The mean likeness of an example to the others; of one alone, half."""
        if len(seen) < 2:
            return 0.5
        total = 0.0
        for number, one in enumerate(seen):
            centroid = self._centroid([*seen[:number], *seen[number + 1 :]])
            like = sum(self._weight(feature) * centroid.get(feature, 0.0) for feature in one)
            total += like / (self._length(one) or 1.0)
        return total / len(seen)


def _is_word(feature: str) -> bool:
    return feature[0] not in "#^" and feature[-1] != "$"


def _words(prompt: str) -> frozenset[str]:
    return frozenset(feature for feature in features(prompt) if _is_word(feature))
