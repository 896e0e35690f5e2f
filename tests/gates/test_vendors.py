"""A vendor's name stands in its own modules and in its row, and nowhere else in the part of providers."""

import re

from house.tree import ROOT, Finding, assert_none, relative

PART = ROOT / "packages" / "providers" / "src" / "interlock_providers"
NAMES = re.compile(r"anthropic|mistral|cohere|claude", re.IGNORECASE)
OWN = re.compile(
    r"rows\.py|catalogue/|codecs/(anthropic_messages|mistral_chat|cohere_chat)/|carriers/sdk_\w+\.py"
    r"|tokens/\w+\.py|testing/"
)
REGISTER = re.compile(r'^    "[a-z-]+": "interlock_providers\.codecs\.\w+",$')
"""A line of the table of codecs, which names each module once."""


def test_no_vendor_is_named_outside_its_own_modules_and_its_row() -> None:
    """What is particular to one vendor would otherwise be found where nobody looks for it."""
    found: list[Finding] = []
    for path in sorted(PART.rglob("*.py")):
        inside = path.relative_to(PART).as_posix()
        if OWN.match(inside):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            code = line.partition("#")[0]
            if NAMES.search(code) and not REGISTER.match(line):
                found.append(Finding(relative(path), number, line.strip()))
    assert_none(found)
