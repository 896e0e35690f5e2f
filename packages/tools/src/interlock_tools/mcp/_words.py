"""What a mounted server says of its tools, made fit to be shown, and what is suspicious about it.

What is done, in this order:

1. Sequences that steer a terminal are taken out.
2. Characters that nobody sees, or that turn others around, are taken out.
3. Blank lines and ends are tidied, and what is too long is cut.
4. Words that name the tools of somebody else, and orders to the model, are told; they stay as they are.

Not covered: a lie in plain words. Nothing here proves that a description is honest; that is why it is pinned,
why results of untrusted servers taint a run, and why changes need approval.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

LONGEST_DESCRIPTION = 4_000
"""Most characters of a tool's description that are shown."""

_ESCAPES = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|\Z)"  # a command, with its end or without
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c|\Z)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
)
_BREAKS = re.compile(r"\r\n?|[\u2028\u2029]")
_UNSEEN_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_UNSEEN_KINDS = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_KEPT = frozenset("\n\t")
_SELECTORS = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
_BLANK = re.compile(r"[ \t]*\n[ \t]*(?:\n[ \t]*)+")
_ENDS = re.compile(r"[ \t]+\n")

_ORDERS = re.compile(
    r"</?\s*(?:important|system|secret|instructions?|critical|hidden)\s*>"
    r"|<\|[a-z_]+\|>|\[/?inst\]"
    r"|\b(?:ignore|disregard|forget|override)\s+(?:(?:all|any|the|your|every)\s+)*"
    r"(?:previous|prior|earlier|above|other|preceding)\b"
    r"|\b(?:do\s+not|don't|never|without)\s+(?:tell|telling|mention|mentioning|inform|informing|notify|notifying|"
    r"reveal|revealing|show|showing)\b[^.\n]{0,40}\bthe\s+user\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Said:
    """A text as it may be shown.

    Attributes:
        text: It.
        problems: What is suspicious: `hidden`, `escapes`, `long`, `shadows`, `instructs`.
    """

    text: str
    problems: tuple[str, ...] = ()


def fit_to_show(
    text: str, *, own: str = "", others: Collection[str] = (), longest: int = LONGEST_DESCRIPTION
) -> Said:
    """A text of a mounted server as it may be shown to a person and to a model.

    Args:
        text: What the server says.
        own: The server's namespace.
        others: The namespaces of everybody else.
        longest: Most characters.
    """
    problems: list[str] = []
    steered = _ESCAPES.sub("", text)
    if steered != text:
        problems.append("escapes")
    lined = _BREAKS.sub("\n", steered)
    seen = "".join(letter for letter in lined if is_seen(letter))
    if seen != lined:
        problems.append("hidden")
    tidy = _BLANK.sub("\n\n", _ENDS.sub("\n", seen)).strip()
    if len(tidy) > longest:
        problems.append("long")
        tidy = tidy[: longest - 1] + "…"
    if _shadows(seen, own, others):
        problems.append("shadows")
    if _ORDERS.search(seen):
        problems.append("instructs")
    return Said(tidy, tuple(problems))


def is_seen(letter: str) -> bool:
    """Whether a character is one that a reader sees, or a line end or tab."""
    if letter.isascii():
        return letter.isprintable() or letter in _KEPT
    if letter in _UNSEEN_LETTERS or unicodedata.category(letter) in _UNSEEN_KINDS:
        return False
    point = ord(letter)
    return not any(first <= point <= last for first, last in _SELECTORS)


def _shadows(text: str, own: str, others: Collection[str]) -> bool:
    """Whether a text speaks of the tools of another namespace."""
    names = [re.escape(name) for name in others if name and name != own]
    if not names:
        return False
    which = "|".join(sorted(names, key=len, reverse=True))
    pattern = (
        rf"(?<![\w./@-])(?:{which})\.(?:\*|(?!(?:com|org|net|io|dev)\b)[a-z0-9_])"
        rf"|mcp__(?:{which})__"
        rf"|(?<![\w./@-])[`'\"]?(?:{which})[`'\"]?\s+(?:tools?|server)\b"
        rf"|\b(?:tools?|server)\s+(?:of\s+|from\s+|called\s+|named\s+)?[`'\"]?(?:{which})[`'\"]?(?![\w./@-])"
    )
    return re.search(pattern, text, re.IGNORECASE) is not None
