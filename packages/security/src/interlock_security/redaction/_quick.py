"""Whether a text can hold anything to hide: quick, and never wrong with a no.

Most texts hold nothing. The shape of a key stands within one long run, without blanks, quotes and brackets:
only such runs are searched for the anchors of shapes, in lower case, and only where an anchor stands is its
pattern tried. Personal data by number needs digits that stand close together, in one of a few ways; that
they do not is first seen from the classes of the characters alone, and only lines that have them are looked
at more closely.
`packages/security/tests/redaction/test_quick.py` holds all this against what really finds.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from interlock_security.redaction._matcher import Matcher
from interlock_security.redaction._personal import COUNTRIES
from interlock_security.redaction._runs import Runs
from interlock_security.redaction._shapes import LEAST_SHAPE, anchors, holds_shape_at, may_hold_unanchored

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


# Each character's class: a digit, a capital letter, a small one, what may stand in a number, the end of a
# line, or anything else.
_KEPT = b".:@ /()+-\n"
_CLASSES = bytes(
    code
    if code in _KEPT
    else ord("0" if chr(code) in "0123456789" else "x")
    if code >= 128 or not chr(code).isalpha()
    else ord("A" if chr(code).isupper() else "a")
    for code in range(256)
)
# What may stand between two digits of one number, and more.
_GAPS = b"A ./()+-"
# Each begins with what stands in few texts, so that most of a text is passed over at once.
_ACCOUNT = re.compile(rb"00(?<=[^0Aa][Aa]{2}00)")
_V6 = re.compile(r":(?<=[23][0-9A-Fa-f]{3}:)")


def may_hold_shapes(runs: Runs) -> bool:
    """Whether a text may hold the shape of a secret: each stands within one run.

    Args:
        runs: The runs of the text.
    """
    return runs.reach(LEAST_SHAPE) and _holds_shape(runs.long(LEAST_SHAPE))


def _holds_shape(text: str) -> bool:
    matcher, words = _words()
    lower = text.lower()
    for found in matcher.find(lower):
        for anchor in words[found.name]:
            # Some capital letters are two letters when they are small: places are then not the same.
            if len(lower) != len(text) or holds_shape_at(text, found.start, anchor):
                return True
    return may_hold_unanchored(text)


def numbered_lines(text: str) -> Iterator[str]:
    """The lines of a text in which personal data can stand."""
    position = 0
    while match := _NUMBERS.search(text, position):
        at = match.start()
        end = text.find("\n", at)
        yield text[text.rfind("\n", 0, at) + 1 : end if end >= 0 else len(text)]
        if end < 0:
            return
        position = end


def may_hold_numbers(text: str) -> bool:
    """Whether a text may have such lines; no in ASCII is sure, from what costs little to look for."""
    if "@" in text or not text.isascii():
        return True
    lines = text.encode().translate(_CLASSES).split(b"\n")
    classes = b"\n".join([line for line in lines if b"0" in line])
    if b"0.0" in classes or ((b"0:" in classes or b"a:" in classes or b"A:" in classes) and _V6.search(text)):
        return True
    if (
        b"aa00" in classes or b"AA00" in classes or b"aA00" in classes or b"Aa00" in classes
    ) and _ACCOUNT.search(b"x" + classes):
        return True
    if b"AAAAA0000A" in classes:
        return True
    near = classes.translate(None, _GAPS)
    return b"0000000" in near or (b"00000" in near and (b"A0" in classes or b"A 0" in classes))


@cache
def _words() -> tuple[Matcher, Mapping[str, list[str]]]:
    """The matcher of all anchors in lower case, and the anchors that each may be."""
    words: dict[str, list[str]] = {}
    for anchor in anchors():
        words.setdefault(anchor.lower(), []).append(anchor)
    return Matcher({word: word for word in words}), words
