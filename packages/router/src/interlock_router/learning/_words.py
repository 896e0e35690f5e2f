"""A prompt as a set of hashed words and pairs of neighbouring words.

Sets, not counts: of two prompts the part of the set that they share is their likeness (the cosine of two
0/1 vectors), which is all that the learner asks. Nothing of the text can be read back from the numbers but
by guessing words, and many words share each number.
"""

import re
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
_DIGITS: Final = "0123456789"
_MOST_KNOWN: Final = 50_000
_FIRST: Final = np.uint32(0x9E3779B1)
_SECOND: Final = np.uint32(0x85EBCA6B)
_SHIFT: Final = np.uint32(17)
_MASK: Final = DIMENSIONS - 1


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
        found = np.concatenate((row & np.uint32(_MASK), pairs))
        found.sort()
        if found.size > 1:
            found = found[np.concatenate(([True], found[1:] != found[:-1]))]
        return found.astype(np.intp)

    def _code(self, token: str) -> int:
        code = self._known.get(token)
        if code is None:
            code = crc32(b"#" if token[0] in _DIGITS else token.encode())
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[token] = code
        return code
