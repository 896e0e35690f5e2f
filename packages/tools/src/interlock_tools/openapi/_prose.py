"""Descriptions made short: words only, the most useful sentences first, within a number of characters."""

import re

from interlock_tools.openapi._plain import is_plain, plain

_BREAK = re.compile(
    r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!vs\.)(?<!cf\.)\s+(?=[^\sa-z(])|(?<=[\u3002\uff01\uff1f])"
)
_GRAVE = re.compile(
    r"cannot be (?:undone|reverted|reversed|recovered|restored)|can't be undone|irreversib|permanent"
    r"|\bdeprecated\b|\brequires?\b|\brequired\b|\bmust\b",
)
_TELLING = re.compile(
    r"\bonly\b|\bat most\b|\bat least\b|\bup to \d|\bmaximum\b|\bminimum\b|\blimited to\b|\bdefaults?\b"
    r"|\bin (?:milli|micro|nano)?seconds\b|\bin (?:minutes|hours|days|bytes|cents|pixels|percent|utc)\b"
    r"|\biso[ -]?\d|\bformat\b|\bcase[- ](?:in)?sensitive\b|\bformatted\b|\bunits?\b|\be\.g\.|\bexample\b",
)
_ADMISSION = re.compile(
    r"\b(?:oauth|access tokens?|bearer tokens?|api keys?|authenticat\w+|app tokens?)\b"
    r".*\b(?:scopes?|header|to use this)\b"
    r"|^to use this (?:endpoint|method|api)\b.*\b(?:tokens?|scopes?)\b",
)
_PRAISE = re.compile(
    r"\b(?:world[- ]class|powerful|easy[- ]to[- ]use|best[- ]in[- ]class|cutting[- ]edge|seamless(?:ly)?"
    r"|effortless(?:ly)?|blazing(?:ly)?|state[- ]of[- ]the[- ]art|award[- ]winning|industry[- ]leading)\b",
)
_HINT = re.compile(
    r"owerful|orld.class|asy.to.use|est.in.class|utting.edge|eamless|ffortless|lazing|tate.of.the|ward.winn"
    r"|ndustry.lead|[Tt]oken|OAuth|API key|uthenticat"
)
_WORD = re.compile(r"[A-Za-z0-9]+")
_EMPTY_WORDS = frozenset(
    (
        *(
            "a",
            "an",
            "the",
            "of",
            "for",
            "to",
            "in",
            "on",
            "by",
            "with",
            "and",
            "or",
            "is",
            "are",
            "be",
            "this",
        ),
        *("that", "which", "it", "its", "from", "as", "at", "into", "your", "you", "parameter", "argument"),
        *("value", "field", "property", "param", "identifier"),
    )
)
_READ_AHEAD = 6
_SHORT = 120


class Prose:
    """Shortens texts and remembers what it made of them."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], str] = {}

    def short(self, text: str, limit: int) -> str:
        """The text in at most `limit` characters: its first sentence, then those that tell most."""
        if limit <= 0:
            return ""
        if len(text) < min(40, limit) and is_plain(text):
            return text.strip()
        key = (text, limit)
        known = self._known.get(key)
        if known is None:
            known = _chosen(plain(text[: limit * _READ_AHEAD + 400]), limit)
            self._known[key] = known
        return known

    def rest(self, text: str, limit: int) -> str:
        """As `short`, of what stands after the first sentence."""
        key = (text, -limit)
        known = self._known.get(key)
        if known is None:
            sentences = _BREAK.split(plain(text[: limit * _READ_AHEAD + 400]))
            known = self._known[key] = _chosen(" ".join(sentences[1:]), limit)
        return known


def says_nothing(text: str, known: str) -> bool:
    """Whether a description only repeats words of what stands beside it, such as the argument's name."""
    if len(text) > 80:
        return False
    words = {_stem(word) for word in _WORD.findall(text.lower())}
    if not words and not text.isascii():
        return False
    return not words - {_stem(word) for word in _WORD.findall(known.lower())} - _EMPTY_WORDS


def _stem(word: str) -> str:
    return word if word in _EMPTY_WORDS else word.removesuffix("s")


def _chosen(text: str, limit: int) -> str:
    """The first sentence, then grave and telling ones wherever they stand, then those that follow."""
    if len(text) <= min(limit, _SHORT):
        return text
    idle = _HINT.search(text) and (_PRAISE.search(text.lower()) or _ADMISSION.search(text.lower()))
    if len(text) <= limit and not idle:
        return text
    sentences = [part for part in _BREAK.split(text) if part]
    if idle and len(sentences) > 1:
        sentences = _without_idle(sentences)
    if not sentences or len(sentences[0]) > limit:
        return _cut(sentences[0] if sentences else text, limit)
    chosen = _fitting(sentences, limit)
    said = " ".join(sentence for index, sentence in enumerate(sentences) if index in chosen)
    if len(said) < limit // 3 and len(chosen) < len(sentences):
        return _cut(" ".join(sentences), limit)
    return said


def _fitting(sentences: list[str], limit: int) -> set[int]:
    """Which sentences there is room for, beside the first."""
    chosen = {0}
    room = limit - len(sentences[0])
    for wanted in (_GRAVE, _TELLING):
        for index, sentence in enumerate(sentences):
            if index not in chosen and len(sentence) < room and wanted.search(sentence.lower()):
                chosen.add(index)
                room -= len(sentence) + 1
    for index, sentence in enumerate(sentences):
        if index not in chosen:
            if len(sentence) >= room:
                break
            chosen.add(index)
            room -= len(sentence) + 1
    return chosen


def _without_idle(sentences: list[str]) -> list[str]:
    """Without praise, and without words on how to be let in, which the caller sees to."""
    said = [sentence for sentence in sentences if not _PRAISE.search(sentence.lower())] or sentences
    return [
        sentence
        for index, sentence in enumerate(said)
        if index == 0 or not _ADMISSION.search(sentence.lower())
    ]


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    if limit <= 1:
        return ""
    head = text[: limit - 1]
    return head[: head.rfind(" ")].rstrip(",;: ") + "…" if " " in head else head + "…"
