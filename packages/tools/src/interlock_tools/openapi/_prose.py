"""Descriptions made short: markup off, whole sentences first, within a number of characters."""

import re

_FENCE = re.compile(r"```.*?(?:```|$)", re.DOTALL)
_TAG = re.compile(r"<!--.*?(?:-->|$)|</?[a-zA-Z][^<>]{0,300}>", re.DOTALL)
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^\s{0,3}(?:#{1,6}|>|[*+-])\s+", re.MULTILINE)
_EMPHASIS = re.compile(r"(\*\*|__)(\S(?:.*?\S)?)\1")
_MARKUP = re.compile(r"[<\[`#*_>&\n]")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_ENTITIES = {"&quot;": '"', "&#39;": "'", "&lt;": "<", "&gt;": ">", "&nbsp;": " ", "&amp;": "&"}
_ELSEWHERE = re.compile(
    r"(?:^|(?<=[.!?] ))(?:For (?:more|further|additional|detailed)? ?(?:information|details|info|examples)\b"
    r"|(?:Read|Learn|Find out) more\b|See (?:also|the|our|https?:|\")|(?:Refer to|Please (?:see|refer))\b)"
    r"[^.!?]*(?:[.!?](?=\S)[^.!?]*)*(?:[.!?]+\"?|$) ?",
)
_CALLOUT = re.compile(r"\[!(?:NOTE|WARNING|TIP|IMPORTANT|CAUTION)\]\s*", re.IGNORECASE)
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


class Prose:
    """Shortens texts and remembers what it made of them."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], str] = {}

    def short(self, text: str, limit: int) -> str:
        """The text in at most `limit` characters, cut after a sentence where one ends, else at a word."""
        if limit <= 0:
            return ""
        if len(text) < min(40, limit) and text.isprintable() and not _MARKUP.search(text):
            return text.strip()
        key = (text, limit)
        known = self._known.get(key)
        if known is None:
            known = _cut(plain(text[: limit * _READ_AHEAD + 400]), limit)
            self._known[key] = known
        return known


def says_nothing(text: str, known: str) -> bool:
    """Whether a description only repeats words of what stands beside it, such as the argument's name."""
    if len(text) > 80:
        return False
    words = {_stem(word) for word in _WORD.findall(text.lower())}
    return not words - {_stem(word) for word in _WORD.findall(known.lower())} - _EMPTY_WORDS


def _stem(word: str) -> str:
    return word if word in _EMPTY_WORDS else word.removesuffix("s")


def plain(text: str) -> str:
    """The text on one line, without Markdown, HTML, invisible characters and idle sentences."""
    if _MARKUP.search(text):
        text = _FENCE.sub(" ", text)
        text = _TAG.sub(" ", text)
        text = _CALLOUT.sub("", _LINK.sub(r"\1", text))
        text = _HEADING.sub("", text)
        text = _EMPHASIS.sub(r"\2", text)
        if "&" in text:
            for entity, character in _ENTITIES.items():
                text = text.replace(entity, character)
    text = " ".join(text.split())
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable())
    return _ELSEWHERE.sub("", text).strip() or text


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    if limit <= 1:
        return ""
    ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, limit)]
    if ends and ends[-1] >= limit // 3:
        return text[: ends[-1]]
    head = text[: limit - 1]
    return head[: head.rfind(" ")].rstrip(",;: ") + "…" if " " in head else head + "…"
