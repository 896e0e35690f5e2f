"""Whether a text can hold anything to hide: quick, and never wrong with a no.

Most texts hold nothing. The words that secret names, and the anchors that shapes of keys are made of, are
found in one pass together, in lower case; only where an anchor stands is its pattern tried. Personal data
by number needs digits that stand close together, in one of a few ways; that they do not is first seen from
the classes of the characters alone, and only lines that have them are looked at more closely.
`packages/security/tests/redaction/test_quick.py` holds all this against what really finds.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from interlock_security.redaction._fields import TRIGGERS, may_hold_keys, may_hold_ports
from interlock_security.redaction._matcher import Matcher
from interlock_security.redaction._personal import COUNTRIES
from interlock_security.redaction._shapes import anchors, holds_shape_at, may_hold_unanchored

# What may stand between two digits of one number, and more.
_GAPS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ ./()+-"
_GAP = r"[A-Z \u00a0./()+-]{0,7}"
_FORMS = (
    # Mail addresses.
    "(?<=@)",
    # Cards, phones, and national numbers: seven digits, the first not inside a word.
    rf"(?<![a-z0-9_][0-9])(?:{_GAP}[0-9]){{6}}",
    # National numbers that begin with letters: five digits, the first right behind a letter.
    rf"(?:(?<=[A-Z][0-9])|(?<=[A-Z] [0-9]))(?:{_GAP}[0-9]){{4}}",
    # India's PAN: four digits between letters.
    "(?<=[A-Z]{5}[0-9])[0-9]{3}[A-Z]",
    # IBAN: two letters, a country's, and two digits begin a word; then come eleven letters or digits.
    rf"[0-9](?<=(?<![A-Za-z0-9])[^\W\d_]{{2}}..)(?<=(?i:{'|'.join(COUNTRIES)})..)(?:[ -]?[^\W_]){{11}}",
    # IPv4, IPv6.
    r"[0-9]{0,2}(?:\.[0-9]{1,3}){3}",
    "(?<=[23])[0-9A-Fa-f]{3}:[0-9A-Fa-f]{0,4}:",
)
_NUMBERS = re.compile(f"[0-9@](?:{'|'.join(_FORMS)})")


# Where each character's class stands: a digit, a letter, or anything else.
_CLASSES = bytes(
    ord("0" if chr(code) in "0123456789" else "a" if code < 128 and chr(code).isalpha() else "x")
    for code in range(256)
)
# Each begins with what stands in few texts, so that most of a text is passed over at once.
_ACCOUNT = re.compile(rb"00(?<=xaa00)")
_V4 = re.compile(rb"\.(?<=[0-9]\.)[0-9]")
_V6 = re.compile(rb":(?<=[23][0-9A-Fa-f]{3}:)")
_LETTERED = re.compile(rb"[A-Z] ?[0-9]")


class Glance(NamedTuple):
    """What one pass over a text says.

    Attributes:
        fields: What stands under secret names may be there.
        shapes: Something has the shape of a secret.
    """

    fields: bool
    shapes: bool


def glance(text: str) -> Glance:
    """Look once over a text."""
    matcher, words = _words()
    lower = text.lower()
    fields = shapes = keys = False
    for found in matcher.find(lower):
        if found.name in TRIGGERS:
            fields = True
        elif found.name == "key":
            keys = True
        for anchor in words[found.name]:
            # Some capital letters are two letters when they are small: places are then not the same.
            shapes = shapes or len(lower) != len(text) or holds_shape_at(text, found.start, anchor)
    return Glance(
        fields=fields or (keys and may_hold_keys(lower)) or may_hold_ports(text),
        shapes=shapes or may_hold_unanchored(text),
    )


def numbered_lines(text: str) -> Iterator[str]:
    """The lines of a text in which personal data can stand."""
    if text.isascii() and not _numbered(text):
        return
    position = 0
    while match := _NUMBERS.search(text, position):
        at = match.start()
        end = text.find("\n", at)
        yield text[text.rfind("\n", 0, at) + 1 : end if end >= 0 else len(text)]
        if end < 0:
            return
        position = end


def _numbered(text: str) -> bool:
    """Whether `_NUMBERS` could match a text in ASCII: its forms, as far as they cost little to look for."""
    data = text.encode()
    if "@" in text or _V4.search(data) or _V6.search(data):
        return True
    near = data.translate(_CLASSES, _GAPS)
    classes = data.translate(_CLASSES)
    if b"0000000" in near or b"aaaaa0000a" in classes or _ACCOUNT.search(b"x" + classes):
        return True
    return b"00000" in near and _LETTERED.search(data) is not None


@cache
def _words() -> tuple[Matcher, Mapping[str, list[str]]]:
    """The matcher of all words in lower case, and the anchors that each may be."""
    words: dict[str, list[str]] = {word: [] for word in (*TRIGGERS, "key")}
    for anchor in anchors():
        words.setdefault(anchor.lower(), []).append(anchor)
    return Matcher({word: word for word in words}), words
