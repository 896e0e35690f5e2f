"""Finds tools by words: BM25F over every field, then a closer look at the best of them.

First every tool that has a word of the question is weighed by where that word stands and how rare it is.
Then the best are looked at again: how much of a tool's name the question covers, whether it names one of the
tool's choices, and whether it brings the values that a call needs. Near-twins are told apart so.
"""

import heapq
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from interlock_core.jsontypes import Json, JsonObject
from interlock_core.toolspec import ToolSpec
from interlock_tools.retrieval._closer import Candidate, closer_look
from interlock_tools.retrieval._kin import KIN
from interlock_tools.retrieval._question import Question, read_question
from interlock_tools.retrieval._segment import CHOICE, SCALE, Card, Segment, loaded_segment, made_segment
from interlock_tools.retrieval._spelling import Spelling

_PAIR_WEIGHT = 0.5
_TYPO_WEIGHT = 0.5
_LOOKED_AT = 50
_COMMON = 8

_Group: TypeAlias = list[tuple[str, float]]
"""Words of which only the best counts, each with its weight."""


@dataclass(frozen=True, slots=True)
class Match:
    """A tool that was found.

    Attributes:
        key: The key of its segment.
        name: Its name.
        score: How well it fits; comparable within one answer only.
    """

    key: str
    name: str
    score: float


class SearchIndex:
    """An index over tools, in segments that come and go one by one.

    Args:
        tools: Tools to begin with, under the key `""`.
    """

    __slots__ = ("_demand", "_rarities", "_segments", "_spelling", "_total")

    def __init__(self, tools: Sequence[ToolSpec] = ()) -> None:
        self._segments: dict[str, Segment] = {}
        self._total = 0
        self._rarities: dict[str, float] = {}
        self._demand: Counter[str] | None = None
        self._spelling: Spelling | None = None
        if tools:
            self.add("", tools)

    def __len__(self) -> int:
        """How many tools it knows."""
        return self._total

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its segments."""
        return tuple(self._segments)

    def cards(self, key: str) -> tuple[Card, ...]:
        """What is known of the tools under a key, beside their words.

        Raises:
            KeyError: There is no such key.
        """
        return self._segments[key].cards

    def add(self, key: str, tools: Sequence[ToolSpec]) -> None:
        """Take the tools of one document, in place of those that were there under that key."""
        self._put(key, made_segment(tools))

    def remove(self, key: str) -> None:
        """Forget the tools under a key; one that is not there is forgotten already."""
        if self._segments.pop(key, None) is not None:
            self._changed()

    def dump(self, key: str) -> JsonObject:
        """The tools under a key as plain lists, to be kept beside their document.

        Raises:
            KeyError: There is no such key.
        """
        return self._segments[key].dump()

    def load(self, key: str, data: Json) -> None:
        """Take what `dump` gave, in place of what was there under that key.

        Raises:
            InvalidRequestError: It is no index, or one of another version.
        """
        self._put(key, loaded_segment(data))

    def search(
        self, query: str, *, limit: int = 10, accept: Callable[[Card], bool] | None = None
    ) -> list[Match]:
        """The tools that fit best, best first; ties go by name.

        Args:
            query: What is wanted, in words.
            limit: Most tools.
            accept: Tools that it says no to are left out; every tool may be asked about.
        """
        if limit <= 0 or not self._segments:
            return []
        question = read_question(query)
        found = self._best(self._sought(question), max(_LOOKED_AT, limit), accept)
        demand = self._demanded()
        looked = closer_look(
            question, found, rarity=self._rarity, demand=lambda name: demand[name] / self._total
        )
        matches = (Match(candidate.key, candidate.card.name, score) for candidate, score in looked)
        return heapq.nsmallest(limit, matches, key=lambda match: (-match.score, match.name))

    def _put(self, key: str, segment: Segment) -> None:
        self._segments.pop(key, None)
        self._segments[key] = segment
        self._changed()

    def _changed(self) -> None:
        self._total = sum(len(segment.cards) for segment in self._segments.values())
        self._demand = None
        self._spelling = None
        self._rarities.clear()

    def _rarity(self, term: str) -> float:
        """How much it says that a tool has this word; nothing of a word that no tool has."""
        known = self._rarities.get(term)
        if known is not None:
            return known
        having = sum(len(segment.numbers.get(term, ())) for segment in self._segments.values())
        if not having:
            return 0.0  # not remembered: there is no end of words that no tool has
        rarity = self._rarities[term] = math.log1p((self._total - having + 0.5) / (having + 0.5))
        return rarity

    def _demanded(self) -> Counter[str]:
        """How many tools cannot be called without an argument of this name."""
        if self._demand is None:
            self._demand = Counter(
                want.name
                for segment in self._segments.values()
                for card in segment.cards
                for want in card.wants
                if want.required
            )
        return self._demand

    def _spelled(self) -> Spelling:
        if self._spelling is None:
            self._spelling = Spelling(term for segment in self._segments.values() for term in segment.numbers)
        return self._spelling

    def _sought(self, question: Question) -> list[_Group]:
        """What is looked for, the rarest first: a word or one of its kin, whichever fits a tool best."""
        groups = [self._group(word, weight) for word, weight in question.words.items()]
        alone = dict.fromkeys(question.pairs, _PAIR_WEIGHT)
        alone |= {f"{CHOICE}{word}": weight for word, weight in question.raw.items()}
        for word, weight in alone.items():
            groups.append(self._known(word, weight))
        known = [group for group in groups if group]
        return sorted(known, key=lambda group: -max(weight for _, weight in group))

    def _group(self, word: str, weight: float) -> _Group:
        """A word and its kin; words that look like it, where no tool has any of them."""
        group = self._known(word, weight)
        if not group:
            for near, likeness in self._spelled().like(word):
                group.append((near, _TYPO_WEIGHT * likeness * weight * self._rarity(near)))
        return group

    def _known(self, word: str, weight: float) -> _Group:
        own = self._rarity(word)
        group = [(word, weight * own)] if own else []
        for kin, part in KIN.get(word, {}).items():
            if rarity := self._rarity(kin):
                group.append((kin, part * weight * (min(rarity, own) if own else rarity)))
        return group

    def _best(
        self, groups: list[_Group], count: int, accept: Callable[[Card], bool] | None
    ) -> list[Candidate]:
        """The tools with the highest sums, every segment's together."""
        best: list[Candidate] = []
        for key, segment in self._segments.items():
            scores = _scores(segment, groups, count)
            if accept is not None:
                scores = {number: score for number, score in scores.items() if accept(segment.cards[number])}
            top = heapq.nlargest(count, scores.items(), key=lambda item: (item[1], -item[0]))
            best.extend(Candidate(key, segment, number, score) for number, score in top)
        if len(self._segments) > 1:
            best = heapq.nsmallest(count, best, key=lambda found: (-found.score, found.card.name))
        return best


def _scores(segment: Segment, groups: list[_Group], count: int) -> dict[int, float]:
    """The sum of each tool of a segment that has a word of the question.

    A word that most tools have decides only between tools that were found by rarer ones.
    """
    scores: dict[int, float] = {}
    for group in groups:
        present = [(term, weight / SCALE) for term, weight in group if term in segment.numbers]
        if not present:
            continue
        wide = sum(len(segment.numbers[term]) for term, _ in present)
        if len(scores) >= count and wide > _COMMON * len(scores):
            _add_to_found(segment, present, scores)
            continue
        if len(present) == 1:
            term, weight = present[0]
            for number, said in zip(segment.numbers[term], segment.weights[term], strict=True):
                scores[number] = scores.get(number, 0.0) + weight * said
            continue
        for number, score in _best_of(segment, present).items():
            scores[number] = scores.get(number, 0.0) + score
    return scores


def _best_of(segment: Segment, present: _Group) -> dict[int, float]:
    best: dict[int, float] = {}
    for term, weight in present:
        for number, said in zip(segment.numbers[term], segment.weights[term], strict=True):
            score = weight * said
            if score > best.get(number, 0.0):
                best[number] = score
    return best


def _add_to_found(segment: Segment, present: _Group, scores: dict[int, float]) -> None:
    for number in scores:
        scores[number] += max(weight * segment.said(term, number) for term, weight in present)
