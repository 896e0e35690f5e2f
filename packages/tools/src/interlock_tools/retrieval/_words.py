"""Words as they are compared: folded, cut at capitals and punctuation, without endings and idle words."""

import re
import unicodedata
from functools import lru_cache

_RUN = re.compile(r"[^\W\d_]{1,64}|\d{1,64}")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_VOWELS = frozenset("aeiouy")
_UNSPACED = 0x2E80
"""From this code point on, scripts stand that write words without spaces between them."""

_IDLE = """
a an the of for to in on by with and or is are was were be been being my me i we our us you your
it its this that these those there here what which who whom whose how when where why do does
did can could would should will shall may might must please tell give need want like as at from
into about if then than so such also not no any some all each both between have has had having
let just help know out s t ll ve re m
"""
IDLE = frozenset(_IDLE.split())
"""Words that say nothing of what is wanted."""

_LONG_ENDINGS = (
    *("ations", "ation", "itions", "ition", "ments", "ment", "ions", "ion", "ness", "ators", "ator"),
    *("able", "ee", "or", "er", "ly", "al", "ive", "ic"),
)


def words(text: str) -> list[str]:
    """The stems of a text's words in order, idle words left out."""
    return [stem(word) for word in raw_words(text) if word not in IDLE]


def raw_words(text: str) -> list[str]:
    """The words of a text in lower case, cut at capitals, digits and punctuation.

    Scripts without spaces come as pairs of neighbouring characters.
    """
    if text.isascii():
        return [word.lower() for word in _RUN.findall(_CAMEL.sub(" ", text))]
    folded = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    folded = unicodedata.normalize("NFC", folded)
    return [
        piece for word in _RUN.findall(_CAMEL.sub(" ", folded)) for piece in _pieces(word.casefold()) if piece
    ]


def _pieces(word: str) -> list[str]:
    if len(word) < 2 or all(ord(character) < _UNSPACED for character in word):
        return [word]
    return [word[at : at + 2] for at in range(len(word) - 1)]


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word in lower case without its ending: what is said of one thing and of many is one word."""
    if len(word) <= 3 or not word.isascii() or word.isdigit():
        return word
    return _tidied(_without_long_ending(_without_verb_ending(_singular(word))))


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _without_verb_ending(word: str) -> str:
    for ending in ("ing", "ed"):
        root = word.removesuffix(ending)
        if root != word and len(root) >= 3 and not _VOWELS.isdisjoint(root):
            doubled = len(root) > 3 and root[-1] == root[-2] and root[-1] not in "lsz"
            return root[:-1] if doubled else root
    return word


def _without_long_ending(word: str) -> str:
    for ending in _LONG_ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _tidied(word: str) -> str:
    if len(word) > 4 and word.endswith("e"):
        word = word[:-1]
    if len(word) > 4 and word.endswith("y"):
        word = f"{word[:-1]}i"
    return word[:-2] if len(word) > 5 and word.endswith("at") else word
