"""The closer look at the tools that words have found: what tells near-twins apart."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from interlock_tools.retrieval._kin import KIN
from interlock_tools.retrieval._question import Question
from interlock_tools.retrieval._segment import CHOICE, Card, Segment
from interlock_tools.retrieval._words import stem

_NAME = 0.28
_CHOICE = 0.3
_MISSING = -0.17
_REQUIRED = -0.06
_NUMBERS = -0.08
_BROUGHT = 0.1
_DEPRECATED = -0.1
_DEPRECATED_WORD = stem("deprecated")
_OTHER_SCOPE = -0.06
_OWN = 0.12
_SAID = 0.5
_SCOPES = frozenset(
    stem(word)
    for word in (
        *(
            "organization",
            "org",
            "user",
            "team",
            "enterprise",
            "repository",
            "repo",
            "project",
            "environment",
        ),
        *("account", "workspace", "group", "namespace", "cluster"),
    )
)
_ONESELF = frozenset(stem(word) for word in ("authenticated", "me", "self", "current", "own", "my"))
_PLAIN_KINDS = frozenset({"", "choice"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tool that words have found.

    Attributes:
        key: The key of its segment.
        segment: Where it stands.
        number: Its number there.
        score: The sum of its words.
    """

    key: str
    segment: Segment
    number: int
    score: float

    @property
    def card(self) -> Card:
        """What is known of it."""
        return self.segment.cards[self.number]


def closer_look(
    question: Question,
    found: Sequence[Candidate],
    *,
    rarity: Callable[[str], float],
    demand: Callable[[str], float],
) -> Iterator[tuple[Candidate, float]]:
    """Each tool with its score.

    Args:
        question: What is wanted.
        found: The tools.
        rarity: How much a word says.
        demand: Which part of all tools needs an argument of a name.
    """
    best = max((candidate.score for candidate in found), default=0.0) or 1.0
    known: dict[str, float] = {}

    def rare(term: str) -> float:
        if term not in known:
            known[term] = rarity(term)
        return known[term]

    weights = {word: weight * rare(word) for word, weight in question.words.items()}
    covered = _covered(question)
    marked = {f"{CHOICE}{word}": weight for word, weight in question.raw.items()}
    choices = {word: weight * rare(word) for word, weight in marked.items() if rare(word)}
    whole = sum(weights.values()) + sum(choices.values()) or 1.0
    for candidate in found:
        card = candidate.card
        title = sum(rare(word) for word in card.title) or 1.0
        named = sum(covered.get(word, 0.0) * rare(word) for word in card.title) / title
        chosen = sum(
            weight for word, weight in choices.items() if candidate.segment.said(word, candidate.number)
        )
        score = candidate.score / best + _NAME * named + _CHOICE * chosen / whole
        score += _fit(question, card, demand) + _scope(question, card, covered)
        if card.deprecated and _DEPRECATED_WORD not in question.words:
            score += _DEPRECATED
        yield candidate, score


def _covered(question: Question) -> dict[str, float]:
    """How far a question says each word, itself or by its kin."""
    covered: dict[str, float] = {}
    for word, weight in question.words.items():
        for kin, part in ((word, 1.0), *KIN.get(word, {}).items()):
            covered[kin] = max(covered.get(kin, 0.0), part * weight)
    return covered


def _scope(question: Question, card: Card, covered: dict[str, float]) -> float:
    """Against a tool whose name says another scope than the question does; for one that is about oneself."""
    named = {word for word in card.title if word in _SCOPES}
    other = sum(covered.get(word, 0.0) < _SAID for word in named)
    own = _OWN if question.about_oneself and not _ONESELF.isdisjoint(card.title) else 0.0
    says = question.about_oneself or any(covered.get(word, 0.0) >= _SAID for word in _SCOPES)
    return own + (_OTHER_SCOPE * other if says else 0.0)


def _fit(question: Question, card: Card, demand: Callable[[str], float]) -> float:
    """How well the values that a question brings fit those that a call needs."""
    score = 0.0
    numbers = 0
    brought: set[str] = set()
    for want in card.wants:
        if want.required:
            # An argument that nearly every tool needs tells none of them apart.
            score += _REQUIRED * min(1.0, -math.log(max(demand(want.name), 1e-9)) / 7.5)
        if want.kind == "number":
            numbers += want.required
        elif want.kind in question.literals:
            brought.add(want.kind)
        elif want.required and want.kind not in _PLAIN_KINDS:
            score += _MISSING
    return score + _BROUGHT * len(brought) + _NUMBERS * max(0, numbers - question.numbers)
