"""Secrets that nobody made known, by the shape that their vendor gives them.

Every kind begins with, or holds, letters that hardly stand anywhere else. All such anchors are found in one
pass (Aho-Corasick); only there is the kind's pattern tried, and each pattern reads a bounded stretch. So the
time is linear in the text, whatever an attacker writes into it, which backtracking over a whole text is not.

Where it comes from: the vendors' own documents of their key formats. What looks like a key but is a
placeholder (`sk-your-key-here`, `AKIAIOSFODNN7EXAMPLE`) is left alone.

Not covered: secrets without a shape, such as 32 hexadecimal digits, unless they stand under a secret name.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from interlock_security.redaction._matcher import Matcher, Span

_TABLE = Path(__file__).with_name("secret-kinds.tsv")
_PLACEHOLDERS = re.compile(
    r"(?i)example|placeholder|changeme|change-me|dummy|redacted|notareal|not-a-real|insert|replace"
    r"|your[_-]|[_-]your|(?<![a-z])your(?![a-z])|x{5}|\*{3}|\.{3}|0{8}|1{8}|a{8}|123456789|abcdefgh|[_-]here"
)
LEAST_SHAPE = 15
"""Fewest characters of a shape; none of them is a blank, a quote, a bracket or a comma."""
_WORDLIKE = re.compile(r"(?:[a-z]{2,}[_-]|[A-Z]{2,}[_-]){2,}(?:[a-z]+|[A-Z]+)")
_FEW = 7
_INSIDE = re.compile(r"[A-Za-z0-9]")
_BEFORE = re.compile(r"[A-Za-z0-9+]")


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of secret.

    Attributes:
        shown: What stands for one.
        before: How many characters before the anchor may belong to it.
        pattern: What it looks like from there.
    """

    shown: str
    before: int
    pattern: re.Pattern[str]


@cache
def _kinds() -> tuple[Matcher, dict[str, list[_Kind]]]:
    """The matcher of all anchors, and the kinds of each."""
    kinds: dict[str, list[_Kind]] = {}
    for line in _TABLE.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, before, anchors, pattern = line.split("\t")
        kind = _Kind(f"[redacted:{name}]", int(before), re.compile(pattern))
        for anchor in anchors.split(" "):
            kinds.setdefault(anchor, []).append(kind)
    return Matcher({anchor: anchor for anchor in kinds}), kinds


# Without letters that stand nowhere else; what each begins with is searched for by itself.
_WITHOUT_ANCHOR = (
    ("discord-token", re.compile(r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,45}(?![A-Za-z0-9_-])")),
    ("vault-token", re.compile(r"s\.(?=[a-zA-Z]{0,23}[0-9])[A-Za-z0-9]{24}(?![A-Za-z0-9])")),
    ("asana-token", re.compile(r"/[0-9]{10,20}:[0-9a-f]{32}(?![0-9a-f])")),
)


def is_placeholder(text: str) -> bool:
    """Whether a text that has a key's shape stands for a key and is none."""
    held = text if text.startswith("eyJ") else re.split(r"[:/|]", text)[-1]
    if _PLACEHOLDERS.search(held) or len(set(held[4:])) < _FEW:
        return True
    return _WORDLIKE.fullmatch(text) is not None


def shaped(text: str) -> Iterator[Span]:
    """Every stretch of a text that has the shape of a secret."""
    matcher, kinds = _kinds()
    for found in matcher.find(text):
        for kind in kinds[found.name]:
            span = _at(text, found.start, kind)
            if span is not None:
                yield span
    yield from _unanchored(text)


def anchors() -> Iterable[str]:
    """The letters by which the kinds are found."""
    return _kinds()[1]


def holds_shape_at(text: str, at: int, anchor: str) -> bool:
    """Whether an anchor stands at a place, and with it the shape of a secret."""
    return text.startswith(anchor, at) and any(_at(text, at, kind) for kind in _kinds()[1][anchor])


def may_hold_unanchored(text: str) -> bool:
    """Whether a text may hold the shape of a secret that has no anchor."""
    if "." not in text and "/" not in text:
        return False
    return any(pattern.search(text) for _, pattern in _WITHOUT_ANCHOR)


def _unanchored(text: str) -> Iterator[Span]:
    for name, pattern in _WITHOUT_ANCHOR:
        for match in pattern.finditer(text):
            if not is_placeholder(match[0]):
                yield Span(match.start(), match.end(), f"[redacted:{name}]")


def _at(text: str, anchor: int, kind: _Kind) -> Span | None:
    """The secret of a kind whose anchor stands here."""
    for start in range(max(0, anchor - kind.before), anchor + 1):
        if start and _INSIDE.match(text[start]) and _BEFORE.match(text[start - 1]):
            continue
        match = kind.pattern.match(text, start)
        if match and not is_placeholder(match[0]):
            return Span(match.start(), match.end(), kind.shown)
    return None
