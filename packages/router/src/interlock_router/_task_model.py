"""The classifier's trained weights, and how they are added up: a table of whole numbers, no matrix library.

A feature's row is one integer that holds a field of 32 bits for each class; adding rows adds all classes at
once, and a prompt's score is one `sum` over the features that it has. The weights are fitted by
`tests/bench/classifier.py` on public data sets and prompts of our own; what they were made from, its licences
and the accuracy are published in `docs/routing.md`.

The file `tasks.weights`: a line of JSON (`classes`, `scale`, `bias`), the features a line each, and after an
empty line one signed byte a class for each.
"""

import json
import math
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final, cast

from interlock_core.jsontypes import Json, as_array, as_number, as_object
from interlock_router._cues import TASKS

_FILE: Final = Path(__file__).with_name("tasks.weights")
_FIELDS: Final = len(TASKS) + 1
_WIDTH: Final = 4 * _FIELDS
_UNPACK: Final = struct.Struct(f"<{_FIELDS}I").unpack
_MIDDLE: Final = 128


class TaskModel:
    """Weights for each of `TASKS` and for difficulty, by feature."""

    __slots__ = ("_bias", "_rows", "_scale")

    def __init__(self, features: Sequence[str], weights: bytes, scale: float, bias: Sequence[float]) -> None:
        """A model from signed bytes, a row of `len(TASKS) + 1` for each feature; a byte counts `scale`."""
        wide = bytearray(4 * len(weights))
        wide[::4] = bytes([(value + _MIDDLE) & 255 for value in weights])
        self._rows = {
            feature: int.from_bytes(wide[number * _WIDTH : (number + 1) * _WIDTH], "little")
            for number, feature in enumerate(features)
        }
        self._scale = scale
        self._bias = tuple(bias)

    def __contains__(self, feature: str) -> bool:
        """Whether the feature has weights."""
        return feature in self._rows

    def scores(self, seen: Iterable[str]) -> list[float]:
        """The evidence for each of `TASKS`, in their order, and for difficulty, in logits."""
        rows = self._rows
        found = [rows[feature] for feature in rows.keys() & seen]
        less = _MIDDLE * len(found)
        fields = _UNPACK(sum(found).to_bytes(_WIDTH, "little"))
        scale = self._scale
        return [(field - less) * scale + bias for field, bias in zip(fields, self._bias, strict=True)]


def softmax(scores: Sequence[float]) -> list[float]:
    """The scores as probabilities."""
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


@cache
def shipped() -> TaskModel:
    """The weights that come with the package; read once, when they are first needed."""
    head, _, weights = _FILE.read_bytes().partition(b"\n\n")
    first, *features = head.decode("utf-8").split("\n")
    told = as_object(cast("Json", json.loads(first)))
    bias = [as_number(value) or 0.0 for value in as_array(told.get("bias"))]
    return TaskModel(features, weights, as_number(told.get("scale")) or 0.0, bias)
