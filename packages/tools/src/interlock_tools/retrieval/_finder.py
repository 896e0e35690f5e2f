"""Search over a registry: its index follows the documents, and only what is asked for is read."""

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json
from interlock_core.toolspec import Effect, ToolSpec
from interlock_tools.retrieval._index import SearchIndex
from interlock_tools.retrieval._meaning import Embed, Meanings
from interlock_tools.retrieval._segment import Card

_BY_WORDS = 200
_MEANING = 2.0
"""What the whole nearness of meaning weighs; the best sum of words weighs 1, the closer look some more."""


class Entry(Protocol):
    """A tool with whatever its registry keeps beside it."""

    @property
    def spec(self) -> ToolSpec:
        """The tool."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFilter:
    """Which tools may be found; what is None matters not. Names are compared without case.

    Attributes:
        namespace: Pattern of the document's namespace.
        category: Pattern of the category, or of one of the tags.
        effect: What a call may do.
    """

    namespace: str | None = None
    category: str | None = None
    effect: Effect | None = None

    def accepts(self, card: Card) -> bool:
        """Whether a tool may be found."""
        if self.effect is not None and card.effect is not self.effect:
            return False
        if self.namespace is not None and not _fits(card.namespace, self.namespace):
            return False
        groups = (card.category, *card.tags)
        return self.category is None or any(_fits(group, self.category) for group in groups)


@dataclass(frozen=True, slots=True)
class FoundTool:
    """A tool that was found.

    Attributes:
        tool: The tool.
        score: How well it fits; comparable within one answer only.
    """

    tool: ToolSpec
    score: float


class Shelf(Protocol):
    """Keeps the index of a group from one process to the next."""

    def get(self, key: str) -> Json:
        """What was kept of a group as it is now; None when there is nothing."""
        ...

    def put(self, key: str, data: Json) -> None:
        """Keep what is known of a group as it is now."""
        ...


class ToolFinder:
    """Finds tools in groups of entries, each group indexed when it is first searched.

    Args:
        shelf: Where indexes are kept; None for nowhere.
        embed: Makes vectors, so that tools are found by their meaning too; None for words alone.
    """

    __slots__ = ("_groups", "_index", "_meanings", "_shelf")

    def __init__(self, *, shelf: Shelf | None = None, embed: Embed | None = None) -> None:
        self._index = SearchIndex()
        self._groups: dict[str, Mapping[str, Entry]] = {}
        self._shelf = shelf
        self._meanings = None if embed is None else Meanings(embed)

    def forget(self, key: str) -> None:
        """Read a group anew at the next search: it was changed in place."""
        self._groups.pop(key, None)

    def search(
        self,
        groups: Mapping[str, Mapping[str, Entry]],
        query: str,
        *,
        limit: int,
        where: ToolFilter | None = None,
    ) -> list[FoundTool]:
        """The tools of these groups that fit best, best first.

        Args:
            groups: The tools by name, in groups by key. A group that is another object than at the last
                search is read anew; one that is not there any more is forgotten.
            query: What is wanted, in words.
            limit: Most tools.
            where: Which of them may be found.
        """
        for key in self._index.keys:
            if key not in groups:
                self._index.remove(key)
                self.forget(key)
        for key, entries in groups.items():
            if self._groups.get(key) is not entries:
                self._read(key, entries)
                self._groups[key] = entries
        accept = None if where is None else where.accepts
        if self._meanings is not None and limit > 0:
            return self._by_both(self._meanings, query, limit=limit, accept=accept)
        found = self._index.search(query, limit=limit, accept=accept)
        return [FoundTool(groups[match.key][match.name].spec, match.score) for match in found]

    def _by_both(
        self, meanings: Meanings, query: str, *, limit: int, accept: Callable[[Card], bool] | None
    ) -> list[FoundTool]:
        """By words and by meaning: a tool that has no word of the question may be near it all the same."""
        tools = {
            entry.spec.name: entry.spec
            for key, entries in self._groups.items()
            for card in self._index.cards(key)
            if (entry := entries[card.name]) and (accept is None or accept(card))
        }
        words = self._index.search(query, limit=_BY_WORDS, accept=accept)
        scores = {match.name: match.score for match in words}
        near = meanings.nearness(query, tools.values())
        found = [
            FoundTool(tool, scores.get(name, 0.0) + _MEANING * near[name]) for name, tool in tools.items()
        ]
        return heapq.nsmallest(limit, found, key=lambda each: (-each.score, each.tool.name))

    def _read(self, key: str, entries: Mapping[str, Entry]) -> None:
        """Take a group into the index, from the shelf where it stands there."""
        kept = self._shelf.get(key) if self._shelf is not None else None
        if kept is not None:
            try:
                self._index.load(key, kept)
            except InvalidRequestError:
                kept = None
            else:
                kept = kept if {card.name for card in self._index.cards(key)} == set(entries) else None
        if kept is None:
            self._index.add(key, [entry.spec for entry in entries.values()])
            if self._shelf is not None:
                self._shelf.put(key, self._index.dump(key))


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())
