"""Markers: by them a second run finds the issue of a requirement.

A marker is made of the specification's name and the requirement's words, whatever their layout, so moving or
wrapping a requirement keeps its issue. Requirements with the same words are counted in their order.
"""

import hashlib
import re
from collections import Counter

from interlock_pipeline.specification import Requirement, Specification

_MARKER = re.compile(r"^<!-- interlock:requirement=[0-9a-f]{20} -->(?=[ \t]*\r?$)", re.MULTILINE)
_OPENING = re.compile(r"<!(?=--+\s*interlock:)", re.IGNORECASE)


def markers_of(specification: Specification) -> dict[str, str]:
    """The marker of each requirement by its id; no two are equal."""
    seen: Counter[str] = Counter()
    markers: dict[str, str] = {}
    for requirement in specification.requirements:
        words = _words(requirement)
        seen[words] += 1
        markers[requirement.id] = _marker(specification.name, words, seen[words])
    return markers


def marker_in(body: str) -> str | None:
    """The marker that an issue carries: the first line of that form.

    What we write holds no other before it, so a later one is in what people added.
    """
    found = _MARKER.search(body)
    return None if found is None else found[0]


def unmarked(text: str) -> str:
    """The text with anything that imitates a marker opened up, so that it is none."""
    return _OPENING.sub("<! ", text)


def _words(requirement: Requirement) -> str:
    return " ".join((requirement.text or requirement.source).split())


def _marker(specification: str, words: str, number: int) -> str:
    # The first of several equal requirements has the marker that it has alone.
    said = f"{specification}\n{words}" if number == 1 else f"{specification}\n{words}\n{number}"
    digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:20]
    return f"<!-- interlock:requirement={digest} -->"
