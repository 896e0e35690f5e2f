"""A second opinion beside words: how near a question is to a tool in meaning, where somebody makes vectors.

Whoever makes them hands in one function, so that no model is chosen here and nothing is loaded unasked.
"""

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import mul
from typing import TypeAlias

from interlock_core.errors import UpstreamError
from interlock_core.toolspec import ToolSpec

Embed: TypeAlias = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""Makes one vector a text, all of the same length."""

_MOST_CHARACTERS = 400
_AT_ONCE = 64


class Meanings:
    """The vectors of tools, each made once while what the tool says stays the same.

    Args:
        embed: Makes vectors.
    """

    __slots__ = ("_embed", "_vectors")

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._vectors: dict[str, array[float]] = {}

    def nearness(self, query: str, tools: Iterable[ToolSpec]) -> Mapping[str, float]:
        """How near a question is to each tool, from -1 to 1, by name.

        Raises:
            UpstreamError: The vectors are not what they should be.
        """
        texts = {tool.name: _text(tool) for tool in tools}
        wanted = {*texts.values()}
        for text in self._vectors.keys() - wanted:
            del self._vectors[text]
        missing = sorted(wanted - self._vectors.keys())
        for start in range(0, len(missing), _AT_ONCE):
            part = missing[start : start + _AT_ONCE]
            self._vectors |= dict(zip(part, self._made(part), strict=True))
        (asked,) = self._made([query[:_MOST_CHARACTERS]])
        return {name: self._product(asked, self._vectors[text]) for name, text in texts.items()}

    def _made(self, texts: Sequence[str]) -> "list[array[float]]":
        made = [_unit(vector) for vector in self._embed(texts)]
        if len(made) != len(texts):
            raise UpstreamError(f"{len(texts)} texts were given {len(made)} vectors.")
        return made

    @staticmethod
    def _product(one: "array[float]", other: "array[float]") -> float:
        if len(one) != len(other):
            raise UpstreamError(f"A vector of {len(one)} numbers came after one of {len(other)}.")
        return sum(map(mul, one, other))


def _text(tool: ToolSpec) -> str:
    """What a tool is for, in a line."""
    name = tool.name.partition(".")[2] or tool.name
    said = tool.description if tool.summary in tool.description else f"{tool.summary}. {tool.description}"
    return f"{name.replace('_', ' ').replace('-', ' ')}: {said}"[:_MOST_CHARACTERS]


def _unit(vector: Sequence[float]) -> "array[float]":
    length = math.sqrt(sum(value * value for value in vector))
    if not math.isfinite(length):
        raise UpstreamError("A vector holds a number that is none.")
    return array("d", (value / length for value in vector) if length else vector)
