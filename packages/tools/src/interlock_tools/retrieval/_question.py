"""What a question says: its words and how much each counts, and the values that it brings."""

import re
from dataclasses import dataclass
from itertools import pairwise

from interlock_tools.retrieval._literals import literals
from interlock_tools.retrieval._words import IDLE, raw_words, stem

_VALUE = re.compile(
    r"\"[^\"]{1,80}\"|(?<![A-Za-z0-9])'[^']{1,80}'(?![A-Za-z0-9])|[^\s@]{1,64}@\S{1,64}|https?://\S{1,400}"
    r"|[A-Za-z]:\\\S{0,200}|(?<!\w)/\w{1,60}(?:/\w{1,60})+"
)
_IN_A_VALUE = 0.6
_NUMBER = 0.3
_LONGEST = 4_000
_OWN = frozenset({"my", "mine", "myself"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question as it is searched for.

    Attributes:
        words: The weight of each stem, in their order.
        raw: The weight of each word as it stands.
        pairs: Neighbouring words written as one, such as `zipcode`.
        literals: The kinds of value that it holds.
        numbers: How many numbers it holds.
        about_oneself: It speaks of what is the asker's own.
    """

    words: dict[str, float]
    raw: dict[str, float]
    pairs: tuple[str, ...]
    literals: frozenset[str]
    numbers: int
    about_oneself: bool


def read_question(text: str) -> Question:
    """What a question says.

    A word within quotation marks, an address or a path is a value for an argument and seldom names a tool.
    """
    text = text[:_LONGEST]
    values = " ".join(_VALUE.findall(text))
    rest = _VALUE.sub(" ; ", text) if values else text
    weights: dict[str, float] = {}
    exact: dict[str, float] = {}
    raw = raw_words(rest)
    for word in raw:
        _put(weights, exact, word, 1.0)
    for word in raw_words(values):
        _put(weights, exact, word, _IN_A_VALUE)
    found, numbers = literals(text)
    return Question(
        words=weights,
        raw=exact,
        pairs=tuple(stem(one + two) for one, two in pairwise(raw)),
        literals=found,
        numbers=numbers,
        about_oneself=not _OWN.isdisjoint(raw),
    )


def _put(stems: dict[str, float], exact: dict[str, float], word: str, weight: float) -> None:
    if word in IDLE:
        return
    if len(word) == 1 or word.isdigit():
        weight *= _NUMBER
    own = stem(word)
    stems[own] = max(stems.get(own, 0.0), weight)
    exact[word] = max(exact.get(word, 0.0), weight)
