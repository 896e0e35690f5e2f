"""Finds tools by words: BM25F, a name's words counting most."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from interlock_core.jsontypes import Json, as_object
from interlock_core.toolspec import ToolSpec

_WORD = re.compile(r"[A-Za-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_STOP = frozenset(
    {"a", "an", "the", "of", "for", "to", "in", "on", "by", "with", "and", "or", "is", "my", "me"}
)
_FIELDS = {
    "name": (5.0, 0.7),
    "summary": (2.5, 0.7),
    "tags": (1.0, 0.5),
    "path": (1.0, 0.5),
    "arguments": (0.5, 0.5),
    "description": (1.0, 0.5),
}
"""Weight of each field, and how far its length counts against it, 0 to 1."""
_K1 = 1.5
_KIN_WEIGHT = 0.5
_KIN = {
    "add": "create",
    "new": "create",
    "make": "create",
    "open": "create",
    "remove": "delete",
    "destroy": "delete",
    "edit": "update",
    "change": "update",
    "modify": "update",
    "patch": "update",
    "fetch": "get",
    "read": "get",
    "show": "get",
    "retrieve": "get",
    "find": "search",
    "lookup": "search",
    "repository": "repo",
    "organization": "org",
    "organisation": "org",
}

_KIN_OF: dict[str, tuple[str, ...]] = {
    group: (group, *(word for word, own in _KIN.items() if own == group)) for group in set(_KIN.values())
}


class SearchIndex:
    """An index over tools, made once.

    Args:
        tools: The tools.
    """

    __slots__ = ("_idf", "_names", "_postings")

    def __init__(self, tools: Sequence[ToolSpec]) -> None:
        self._names = [tool.name for tool in tools]
        counted = [_counts(tool) for tool in tools]
        mean = {
            field: max(sum(sum(counts[field].values()) for counts in counted) / (len(tools) or 1), 1.0)
            for field in _FIELDS
        }
        postings: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, counts in enumerate(counted):
            for word, weight in _weighted(counts, mean).items():
                postings[word].append((number, weight * (_K1 + 1) / (weight + _K1)))
        total = len(tools)
        self._postings = dict(postings)
        self._idf = {
            word: math.log(1 + (total - len(found) + 0.5) / (len(found) + 0.5))
            for word, found in postings.items()
        }

    def search(self, query: str, *, limit: int) -> list[str]:
        """Names of the tools that fit best, best first; ties go by name."""
        scores: defaultdict[int, float] = defaultdict(float)
        for word in set(words(query)):
            for number, score in self._scores(word).items():
                scores[number] += score
        best = sorted(scores, key=lambda number: (-scores[number], self._names[number]))
        return [self._names[number] for number in best[: max(limit, 0)]]

    def _scores(self, word: str) -> dict[int, float]:
        """What a word of a query gives each tool: itself, or less for another word for the same."""
        best: dict[int, float] = {}
        known = self._idf.get(word)
        for kin in {word, *_KIN_OF.get(_KIN.get(word, word), ())}:
            idf = self._idf.get(kin)
            if idf is None:
                continue
            weight = idf if kin == word else _KIN_WEIGHT * min(idf, known if known is not None else idf)
            for number, score in self._postings[kin]:
                best[number] = max(best.get(number, 0.0), weight * score)
        return best


def words(text: str) -> list[str]:
    """The words of a text as they are compared: lower case, without endings and idle words."""
    found = (raw.lower() for raw in _WORD.findall(_CAMEL.sub(" ", text)))
    return [_stem(word) for word in found if word not in _STOP]


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _counts(tool: ToolSpec) -> dict[str, Counter[str]]:
    """How often each word stands in each field."""
    texts = {
        "name": tool.name.partition(".")[2],
        "summary": tool.summary,
        "tags": " ".join((*tool.tags, tool.namespace)),
        "path": tool.endpoint or "",
        "arguments": " ".join(_argument_words(tool.parameters.get("properties"))),
        "description": tool.description,
    }
    return {field: Counter(words(text)) for field, text in texts.items()}


def _weighted(counts: dict[str, Counter[str]], mean: dict[str, float]) -> dict[str, float]:
    """How much each word says of a tool: more in a field that counts more, less in a longer one."""
    weighted: defaultdict[str, float] = defaultdict(float)
    for field, (weight, against) in _FIELDS.items():
        length = sum(counts[field].values())
        norm = weight / (1 - against + against * length / mean[field])
        for word, count in counts[field].items():
            weighted[word] += norm * count
    return weighted


def _argument_words(properties: Json) -> list[str]:
    found: list[str] = []
    for name, schema in as_object(properties).items():
        found.append(name)
        said = as_object(schema).get("description")
        if isinstance(said, str):
            found.append(said[:200])
    return found
