"""Finds many texts at once (Aho-Corasick), also in a text that arrives in pieces.

Matches that overlap are one span: what two secrets share belongs to both, so neither shows its rest.
The span is named after the match that begins it, the longest of those that begin there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from interlock_security.redaction._runs import LONGEST, Runs, longest_run


class Span(NamedTuple):
    """A stretch of text to hide: `[start, end)`, and what it is called."""

    start: int
    end: int
    name: str


class Matcher:
    """An immutable set of texts to find.

    Args:
        names: What each text is called.
    """

    __slots__ = ("_automaton", "_firsts", "_longest", "_loose", "_solid", "names")

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = dict(names)
        self._automaton = _new_automaton()
        for text, name in self.names.items():
            self._automaton.add_word(text, (len(text), name))
        self._automaton.make_automaton()
        self._firsts = frozenset(text[0] for text in self.names)
        self._longest = max(map(len, self.names), default=0)
        reach = [longest_run(text) for text in self.names]
        # None is found where no run is as long as the longest of its own.
        self._solid = min((length for length, whole in reach if whole), default=LONGEST)
        self._loose = min((length for length, whole in reach if not whole), default=None)

    def find(self, text: str) -> list[Span]:
        """Every match, in no order, overlapping ones too."""
        if not self.names:
            return []
        return [
            Span(last + 1 - length, last + 1, name) for last, (length, name) in self._automaton.iter(text)
        ]

    def may_find(self, text: str, runs: Runs) -> bool:
        """Whether `find` could find something: quick where runs are short, and never wrong with a no.

        Args:
            text: The text.
            runs: Its runs.
        """
        if self._loose is not None and runs.reach(self._loose):
            return bool(self.find(text))
        return runs.reach(self._solid) and bool(self.find(runs.long(self._solid)))

    def unfinished(self, text: str) -> int:
        """Length of the longest end of `text` with which a longer match could begin."""
        start = max(0, len(text) - self._longest + 1)
        for at in range(start, len(text)):
            if text[at] in self._firsts and self._automaton.match(text[at:]):
                end = text[at:]
                if end not in self.names or self._continues(end):
                    return len(text) - at
        return 0

    def _continues(self, text: str) -> bool:
        return any(True for longer in self._automaton.keys(text) if len(longer) > len(text))


class _Automaton(Protocol):
    """What is used of pyahocorasick's class, which carries no types."""

    def add_word(self, key: str, value: tuple[int, str], /) -> bool: ...
    def make_automaton(self) -> None: ...
    def iter(self, text: str, /) -> Iterator[tuple[int, tuple[int, str]]]: ...
    def match(self, prefix: str, /) -> bool: ...
    def keys(self, prefix: str, /) -> Iterator[str]: ...


def _new_automaton() -> _Automaton:
    import ahocorasick

    factory: Callable[[], _Automaton] = vars(ahocorasick)["Automaton"]
    return factory()


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, overlapping ones as one; spans that only touch stay two."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda item: (item.start, -item.end, item.name)):
        if result and span.start < result[-1].end:
            last = result[-1]
            result[-1] = Span(last.start, max(last.end, span.end), last.name)
        else:
            result.append(span)
    return result
