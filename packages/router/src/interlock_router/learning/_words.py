"""A prompt as a set of hashed words and pairs of neighbouring words.

Sets, not counts: of two prompts the part of the set that they share is their likeness (the cosine of two
0/1 vectors), which is all that the learner asks. How long a prompt is and how many numbers it holds are
told by steps that it has reached, each a member of the set like a word. Nothing of the text can be read
back from the numbers but by guessing words, and many words share each number.
"""

import re
from math import log2
from typing import Final, TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = NDArray[np.intp]
"""The numbers of a prompt's words and pairs, each once, below `DIMENSIONS`, in rising order."""

Reals: TypeAlias = NDArray[np.float64]
"""A row of numbers, one a model or one a sample."""

DIMENSIONS: Final = 1 << 15
"""How many numbers there are."""

HEAD: Final = 1_000
TAIL: Final = 400
"""Characters that are read of the beginning and of the end of a long prompt."""

_TOKEN: Final = re.compile(r"[^\W\d_]+|\d+|[^\s\w]")
_NUMBER: Final = crc32(b"#")
_MOST_KNOWN: Final = 50_000
_FIRST: Final = np.uint32(0x9E3779B1)
_SECOND: Final = np.uint32(0x85EBCA6B)
_SHIFT: Final = np.uint32(17)
_MASK: Final = DIMENSIONS - 1
_STEPS: Final = 64


def _steps(name: str) -> NDArray[np.uint32]:
    return np.array([crc32(f"{name} {step}".encode()) & _MASK for step in range(_STEPS)], dtype=np.uint32)


_LONG: Final = _steps("\0long")
_NUMEROUS: Final = _steps("\0numerous")


class Hasher:
    """Turns prompts into their words; remembers the numbers of words that it has seen."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def words(self, text: str) -> Words:
        """The words of a prompt: of its head and its tail when it is long; numbers count as one word."""
        short = text if len(text) <= HEAD + TAIL else f"{text[:HEAD]} {text[-TAIL:]}"
        tokens = _TOKEN.findall(short.lower())
        known = self._known
        try:
            codes = [known[token] for token in tokens]
        except KeyError:
            codes = [self._code(token) for token in tokens]
        row = np.array(codes, dtype=np.uint32)
        pairs = ((row[:-1] * _FIRST) ^ (row[1:] * _SECOND)) >> _SHIFT
        numbers = codes.count(_NUMBER)
        long = int(2 * log2(len(text))) if text else 0
        numerous = int(3 * log2(1 + numbers))
        found = np.concatenate((row & np.uint32(_MASK), pairs, _LONG[:long], _NUMEROUS[:numerous]))
        found.sort()
        if found.size > 1:
            found = found[np.concatenate(([True], found[1:] != found[:-1]))]
        return found.astype(np.intp)

    def _code(self, token: str) -> int:
        code = self._known.get(token)
        if code is None:
            code = _NUMBER if token[0].isdigit() else crc32(token.encode())
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[token] = code
        return code
