"""Titles of issues: short, harmless, and each one its own."""

import re

from interlock_pipeline.spec_to_github._grounding import is_terse
from interlock_pipeline.spec_to_github._harmless import one_line
from interlock_pipeline.specification import Requirement

TITLE_LENGTH = 80
"""Most characters of a title."""

_MARKUP = re.compile(r"`|\*\*|__|<br\s*/?>|!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<![.\s][a-zA-Z])(?<!\betc)(?<!\bapprox)(?<!\bvs)(?<!\bno)[.!?](?=\s)")
_PLAIN_WORD = re.compile(r"[^\W\d_A-Z]+(?=[\s,]|$)")
_PREFIX = re.compile(r"^(?:requirement|issue|title)(?:\s*\d+)?\s*:\s*", re.IGNORECASE)
_TRAILING = ".:;, "
_SHORTEST = 3


def clean_title(text: str) -> str:
    """A title as GitHub should get it: one harmless line of at most 80 characters; it may be empty.

    A text of 80 characters and more was cut, here or by whoever held a model to that length.
    """
    title = without_prefix(one_line(text)).strip(_TRAILING)
    return _fitted(title if len(title) < TITLE_LENGTH else f"{title} …", "")


def plain_title(requirement: Requirement) -> str:
    """A title made of the requirement's own first words, at most 80 characters."""
    text = _MARKUP.sub(lambda found: found[1] or (" " if found[0].startswith("<") else ""), requirement.text)
    words = one_line(text)
    end = _SENTENCE_END.search(words)
    title = clean_title(words[: end.start()] if end else words)
    if any(map(str.isalnum, title)) and requirement.path and is_terse(title):
        return clean_title(f"{_section(requirement)}: {title}")
    title = capital(title, requirement)
    return title if any(map(str.isalnum, title)) else f"Requirement {requirement.id}"


def capital(title: str, requirement: Requirement) -> str:
    """The title with a capital letter at its start, unless it begins with code or has capitals of its own."""
    if _PLAIN_WORD.match(title) and not requirement.text.lstrip().startswith("`"):
        return title[0].upper() + title[1:]
    return title


def without_prefix(text: str) -> str:
    """The text without a word for what it is, such as `Requirement 1:`."""
    return _PREFIX.sub("", text)


class Titles:
    """Gives each issue of a run a title that no other one has."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def claim(self, title: str, requirement: Requirement) -> str:
        """The title itself, or when another issue has it, one that says which requirement it is."""
        section = _section(requirement)
        tried = [title, plain_title(requirement)]
        if len(section) >= _SHORTEST:
            tried.append(_fitted(title, f" ({section})"))
        tried.append(_fitted(title, f" ({requirement.id})"))
        number = 2
        while (free := next((each for each in tried if each.casefold() not in self._taken), None)) is None:
            tried = [_fitted(title, f" ({requirement.id}, {number})")]
            number += 1
        self._taken.add(free.casefold())
        return free


def _section(requirement: Requirement) -> str:
    section = one_line(requirement.path[-1]).strip(_TRAILING) if requirement.path else ""
    return _fitted(section, "", most=TITLE_LENGTH // 2)


def _fitted(title: str, ending: str, *, most: int = TITLE_LENGTH) -> str:
    """The title and its ending within the length, cut between words where it must be cut."""
    room = most - len(ending)
    if len(title) <= room:
        return title + ending
    cut = title[:room]
    words = cut[:-1].rsplit(" ", 1)[0].rstrip(_TRAILING)
    return f"{words or cut[:-1]}…{ending}"
