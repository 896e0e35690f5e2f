"""Search by words and by meaning together, with vectors that somebody else makes."""

from collections.abc import Sequence

import pytest

from interlock_core import Effect
from interlock_core.errors import UpstreamError
from interlock_tools import ToolRegistry
from interlock_tools.retrieval import Meanings, ToolFilter

ANIMALS = ("cat", "feline", "kitten")
SHIPS = ("boat", "vessel", "canoe")


class Concepts:
    """Makes vectors of two numbers, how much of animals and how much of ships; counts what it was given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text."""
        self.given += texts
        return [[float(any(word in text for word in kind)) for kind in (ANIMALS, SHIPS)] for text in texts]


async def idle() -> str:
    """Nothing."""
    return ""


def shelf(concepts: Concepts) -> ToolRegistry:
    """A registry with something for each concept."""
    registry = ToolRegistry(embed=concepts)
    registry.register(idle, name="n.feed_cat", description="Feeds the cat", effect=Effect.WRITE)
    registry.register(idle, name="n.sail_boat", description="Sails the boat", effect=Effect.WRITE)
    registry.register(idle, name="n.count", description="Counts", effect=Effect.READ)
    return registry


def names(
    registry: ToolRegistry, query: str, *, limit: int = 10, where: ToolFilter | None = None
) -> list[str]:
    """Names of what is found."""
    return [found.tool.name for found in registry.find(query, limit=limit, where=where)]


@pytest.mark.promise("O7")
def test_a_question_without_a_common_word_finds_what_it_means() -> None:
    """By words alone it finds nothing."""
    registry = shelf(Concepts())
    assert names(registry, "kitten", limit=1) == ["n.feed_cat"]
    assert names(registry, "canoe", limit=1) == ["n.sail_boat"]
    assert names(registry, "canoe", limit=0) == []


def test_words_count_beside_meaning() -> None:
    """A tool that says the very word comes first among those that are as near."""
    registry = shelf(Concepts())
    registry.register(idle, name="n.wash_vessel", description="Washes a vessel", effect=Effect.WRITE)
    assert names(registry, "vessel", limit=2) == ["n.wash_vessel", "n.sail_boat"]


def test_filters_hold_for_meaning_too() -> None:
    """What is left out is not found by its nearness."""
    assert names(shelf(Concepts()), "kitten", where=ToolFilter(effect=Effect.READ)) == ["n.count"]


def test_each_text_is_given_once() -> None:
    """Until the tool says something else; what is gone is forgotten."""
    concepts = Concepts()
    registry = shelf(concepts)
    names(registry, "kitten")
    names(registry, "kitten")
    assert len(concepts.given) == 3 + 2
    registry.register(idle, name="n.row", description="Rows a canoe")
    names(registry, "kitten")
    assert len(concepts.given) == 5 + 2
    registry.remove("n")
    assert names(registry, "kitten") == []


@pytest.mark.parametrize(
    "vectors",
    [[], [[1.0], [1.0]], [[float("nan")]], [[float("inf"), 1.0]]],
    ids=["none", "too many", "no number", "no end"],
)
def test_vectors_that_are_none_are_refused(vectors: list[list[float]]) -> None:
    """In an error of the house."""
    with pytest.raises(UpstreamError):
        Meanings(lambda _: vectors).nearness("x", [])


def test_vectors_of_different_lengths_are_refused() -> None:
    """They cannot be compared."""
    registry = ToolRegistry(embed=lambda texts: [[1.0] * (1 + ("?" in text)) for text in texts])
    registry.register(idle, name="n.a")
    with pytest.raises(UpstreamError):
        registry.find("what?")
