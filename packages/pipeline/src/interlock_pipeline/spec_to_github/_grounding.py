"""Keeps a model's words to what the specification says.

A sentence is grounded when everything in it stands in the source, but for the words that any issue may be
worded with (add, support, user). Compared are numbers by value and words by their stem; a word also counts
when the source has one of the same meaning from a short list, or a longer or shorter form of it. Negation
must be where the source has it: "Share passwords" is no title for "Passwords must not be shared".

This is a lexical check, made for English: it lets nothing new in, and turns some good wordings down. It does
not understand who does what to whom.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from interlock_pipeline.spec_to_github._words import FREE, REASONS, SAME, SPELLED

_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_SHORTEST = 3
_SHORTEST_FORM = 4
_SHORTEST_COMMON = 5
_COMMON_SHARE = 0.7
_TERSE = 3
_NAMING = 2
_FEW = 5

_NEGATION = re.compile(
    r"\b(?:not|never|no|none|nobody|nothing|neither|nor|cannot|without)\b|n['\u2019]t\b", re.IGNORECASE
)
_PREVENTION = re.compile(
    r"\b(?:(?:avoid|block|deny|denie|disallow|exclud|forbid|prevent|prohibit|refus|reject|stop)\w*|ban|bans|banned)\b",
    re.IGNORECASE,
)


def is_grounded(sentence: str, sources: Sequence[str]) -> bool:
    """Whether a sentence says only what the sources say.

    Args:
        sentence: A title or one sentence.
        sources: What was said; the first is what it is about, and decides about negation.
    """
    if not _WORD.search(sentence):
        return False
    source = _Source("\n".join(sources))
    if any(_value(number) not in source.numbers for number in _NUMBER.findall(sentence)):
        return False
    main = _SENTENCE_END.split(sources[0].strip(), maxsplit=1)[0] if sources else ""
    negated = bool(_NEGATION.search(main))
    denied = bool(_NEGATION.search(sentence)) or (negated and bool(_PREVENTION.search(sentence)))
    if negated != denied:
        return False
    own = _own_words(_PREVENTION.sub(" ", sentence) if negated else sentence)
    return bool(own) and all(map(source.says, own))


def is_terse(text: str) -> bool:
    """Whether a text has too few words of its own to be understood without what it stands under."""
    return len(_own_words(text)) < _TERSE


def names_it(title: str, text: str) -> bool:
    """Whether a title says what its requirement is about, rather than only where it stands.

    It does with three of the requirement's own words, or with two where there are no more than five.
    """
    source = _Source(text)
    own = {word.casefold() for word in _own_words(title) if source.says(word)}
    there = len({word.casefold() for word in _own_words(text)})
    return len(own) >= min(there, _NAMING if there <= _FEW else _NAMING + 1)


def adds_nothing(summary: str, text: str) -> bool:
    """Whether a summary is the very words of its requirement."""
    return _WORD.findall(summary.casefold()) == _WORD.findall(text.casefold())


def grounded_labels(labels: Sequence[str], sources: Sequence[str]) -> list[str]:
    """The labels that the sources give a reason for, in order, each once."""
    stems = set(map(_stem, _WORD.findall("\n".join(sources).casefold())))
    return [label for label in dict.fromkeys(labels) if label in REASONS and _has_reason(label, stems)]


def _has_reason(label: str, stems: set[str]) -> bool:
    reasons = REASONS[label]
    return not reasons or any(stem.startswith(reason) for reason in reasons for stem in stems)


def grounded_part(text: str, sources: Sequence[str]) -> str:
    """The sentences of a text that are grounded in the sources, in order, each once."""
    kept: dict[str, None] = {}
    for piece in _SENTENCE_END.split(text):
        sentence = piece.strip()
        if sentence and is_grounded(sentence, sources):
            kept.setdefault(sentence)
    return " ".join(kept)


class _Source:
    """What a source says, ready to be asked."""

    __slots__ = ("_stems", "_text", "_words", "numbers")

    def __init__(self, text: str) -> None:
        self._text = text.casefold()
        self._words = frozenset(_WORD.findall(self._text))
        self._stems = frozenset(map(_stem, self._words))
        spelled = (SPELLED[word] for word in self._words if word in SPELLED)
        self.numbers = {_value(number) for number in _NUMBER.findall(text)} | set(spelled)

    def says(self, word: str) -> bool:
        small = word.casefold()
        if small in self._words or _UNSPACED.search(small):
            return small in self._text
        if small in SPELLED:
            return SPELLED[small] in self.numbers
        if any(small in group and group & self._words for group in SAME):
            return True
        stem = _stem(small)
        return stem in self._stems or any(_is_form(stem, known) for known in self._stems)


def _own_words(text: str) -> list[str]:
    """The words of a text that say something of their own."""
    return [word for word in _WORD.findall(text) if word.casefold() not in FREE and _matters(word)]


def _matters(word: str) -> bool:
    """Whether a word is long enough to say something, as abbreviations and signs of words always are."""
    return len(word) >= _SHORTEST or (len(word) > 1 and word.isupper()) or bool(_UNSPACED.search(word))


def _value(number: str) -> str:
    return number.replace(",", "") if _THOUSANDS.match(number) else number


_ENDINGS = (
    ("ifications", "ify"),
    ("ification", "ify"),
    ("ations", "at"),
    ("ation", "at"),
    ("tions", "t"),
    ("tion", "t"),
    ("sions", "s"),
    ("sion", "s"),
    ("ments", ""),
    ("ment", ""),
    ("ities", ""),
    ("ity", ""),
    ("ies", "y"),
    ("ied", "y"),
    ("ings", ""),
    ("ing", ""),
    ("ed", ""),
    ("es", ""),
    ("s", ""),
    ("ly", ""),
    ("e", ""),
)


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    """A word without its endings of number, time and noun: deletion, deletes and deleted are all `delet`."""
    for ending, instead in _ENDINGS:
        shortest = _SHORTEST + (ending == "ly")
        if word.endswith(ending) and len(word) - len(ending) >= shortest and not word.endswith("ss"):
            word = word[: len(word) - len(ending)] + instead
            break
    doubled = len(word) > _SHORTEST and word[-1] == word[-2] and word[-1] not in "aeiouls"
    return word[:-1] if doubled else word.removesuffix("e") if len(word) > _SHORTEST else word


def _is_form(one: str, other: str) -> bool:
    """Whether two stems are forms of one word: most of their letters are shared, or one abbreviates."""
    shorter, longer = sorted((one, other), key=len)
    if (
        len(shorter) >= _SHORTEST_FORM
        and longer.startswith(shorter)
        and len(longer) - len(shorter) > _SHORTEST
    ):
        return True
    common = _common(shorter, longer)
    return common >= _SHORTEST_COMMON and common >= _COMMON_SHARE * len(longer)


def _common(one: str, other: str) -> int:
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length
