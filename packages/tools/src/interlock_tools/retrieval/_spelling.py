"""Words that nobody writes so: a slip of the finger, or two words in one."""

from collections import Counter, defaultdict
from collections.abc import Iterable

_LEAST = 4
_ALIKE = 0.6
_LONGEST = 40
_TURNED = 0.8
"""How alike two words of the same letters are."""


class Spelling:
    """The words that are known, by their runs of three letters.

    Args:
        known: The words.
    """

    __slots__ = ("_by_run", "_known")

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(known)
        by_run: defaultdict[str, list[str]] = defaultdict(list)
        for word in sorted(self._known):
            if _LEAST <= len(word) <= _LONGEST and word.isalpha():
                for run in _runs(word):
                    by_run[run].append(word)
        self._by_run = dict(by_run)

    def like(self, word: str) -> list[tuple[str, float]]:
        """Known words that an unknown one may stand for, and how alike they are, up to 1."""
        if not _LEAST <= len(word) <= _LONGEST or not word.isalpha():
            return []
        for at in range(3, len(word) - 2):
            if word[:at] in self._known and word[at:] in self._known:
                return [(word[:at], 1.0), (word[at:], 1.0)]
        return self._misspelled(word)

    def _misspelled(self, word: str) -> list[tuple[str, float]]:
        runs = _runs(word)
        shared = Counter(other for run in runs for other in self._by_run.get(run, ()))
        letters = sorted(word)
        near: list[tuple[str, float]] = []
        for other, count in shared.items():
            alike = 2 * count / (len(runs) + len(_runs(other)))
            if sorted(other) == letters:
                alike = max(alike, _TURNED)
            if alike >= _ALIKE and abs(len(other) - len(word)) <= 2:
                near.append((other, alike))
        return sorted(near, key=lambda item: (-item[1], item[0]))[:2]


def _runs(word: str) -> set[str]:
    marked = f"<{word}>"
    return {marked[at : at + 3] for at in range(len(marked) - 2)}
