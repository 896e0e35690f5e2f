"""The part of GitHub's issue search that its clients use: words, phrases and the common qualifiers.

All conditions must hold. Known qualifiers: `repo:`, `is:issue`, `is:open`, `is:closed`, `state:`, `label:`,
`in:title`, `in:body`, `author:`, `assignee:`, `milestone:` (a title), `no:label`, `no:milestone` and
`no:assignee`; a `-` before one turns it around. An unknown qualifier matches nothing, so that a test that
leans on it fails.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

from interlock_tools.testing._github_store import Issue, RepositoryStore

_TERM = re.compile(r'(-?)(?:([a-z-]+):)?(?:"([^"]*)"|(\S+))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Context:
    store: RepositoryStore
    repository: str
    author: str


def search(query: str, store: RepositoryStore, *, repository: str, author: str) -> list[Issue]:
    """The issues that a query finds, newest first.

    Args:
        query: The text of `q`.
        store: The records.
        repository: `owner/name` of the one repository there is.
        author: The login that wrote every issue.
    """
    context = _Context(store, repository.casefold(), author.casefold())
    places = {"title", "body"}
    tests: list[Callable[[Issue], bool]] = []
    words: list[tuple[bool, str]] = []
    for minus, name, phrase, bare in _TERM.findall(query):
        value = str(phrase or bare).casefold()
        negated = minus == "-"
        if not name:
            words.append((negated, value))
        elif name.casefold() == "in":
            places = {place.strip() for place in value.split(",")}
        else:
            tests.append(_qualifier(name.casefold(), value, negated, context))
    tests.extend(_contains(word, places, negated) for negated, word in words)
    found = [issue for issue in store.issues.values() if all(test(issue) for test in tests)]
    return sorted(found, key=lambda issue: -issue.number)


def _contains(word: str, places: set[str], negated: bool) -> Callable[[Issue], bool]:
    def test(issue: Issue) -> bool:
        texts = {"title": issue.title, "body": issue.body or ""}
        return any(word in text.casefold() for place, text in texts.items() if place in places) != negated

    return test


def _qualifier(name: str, value: str, negated: bool, context: _Context) -> Callable[[Issue], bool]:
    def test(issue: Issue) -> bool:
        return (value in _facts(name, issue, context)) != negated

    return test


def _facts(name: str, issue: Issue, context: _Context) -> set[str]:
    """What is true of an issue under one qualifier, in lower case."""
    milestone = None if issue.milestone is None else context.store.milestones.get(issue.milestone)
    title = [] if milestone is None else [milestone.title]
    known: dict[str, list[str]] = {
        "repo": [context.repository],
        "is": ["issue", issue.state],
        "type": ["issue"],
        "state": [issue.state],
        "author": [context.author],
        "label": list(issue.labels),
        "assignee": list(issue.assignees),
        "milestone": title,
    }
    if name == "no":
        return {fact for fact in ("label", "assignee", "milestone") if not known[fact]}
    return {fact.casefold() for fact in chain(known.get(name, []))}
