"""What is kept of the tools of one document: plain arrays that can be written down and read back.

A segment knows nothing of other segments, so a document joins and leaves an index without the others being
read again. Lengths are judged against fixed ones for the same reason.
"""

import math
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_int, as_object, as_text
from interlock_core.toolspec import Effect, ToolSpec
from interlock_tools.retrieval._kin import METHOD_WORDS
from interlock_tools.retrieval._literals import kind_wanted
from interlock_tools.retrieval._words import raw_words, words

_VERSION = 2
"""Counted up with every change of what is kept or of what words weigh."""
_SATURATION = 1.2
CHOICE = "="
"""Stands before a word that is one of a tool's choices: `=closed` is no ending of `close`."""
SCALE = 1_000
"""A weight is a whole number: so many times itself."""

_FIELDS = {
    "name": (4.0, 0.5, 4),
    "summary": (2.0, 0.5, 6),
    "description": (2.0, 0.8, 14),
    "place": (1.0, 0.5, 6),
    "arguments": (0.8, 0.5, 6),
    "meanings": (0.5, 0.6, 30),
    "choices": (0.1, 0.6, 6),
}
"""Weight of each field, how far its length counts against it (0 to 1), and how many words it usually has."""

_MOST_ARGUMENTS = 120
_MOST_CHOICES = 60
_MOST_WORDS = 400
_MOST_CHARACTERS = 4_000
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Want:
    """One argument of a tool.

    Attributes:
        name: Its name.
        kind: The kind of value that it wants.
        required: Whether a call needs it.
    """

    name: str
    kind: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known of one tool beside its words.

    Attributes:
        name: The tool's name.
        namespace: Its document.
        category: Its category.
        tags: Its document's own tags for it.
        effect: What a call may do.
        deprecated: It should not be used.
        title: The stems of its name.
        wants: Its arguments, the outermost only.
    """

    name: str
    namespace: str
    category: str
    tags: tuple[str, ...]
    effect: Effect
    deprecated: bool
    title: tuple[str, ...]
    wants: tuple[Want, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The tools of one document, ready to be searched.

    Attributes:
        cards: One a tool.
        numbers: For each word, the tools that have it, ascending.
        weights: For each word, how much it says of each of them.
    """

    cards: tuple[Card, ...]
    numbers: dict[str, Sequence[int]]
    weights: dict[str, Sequence[int]]

    def said(self, term: str, number: int) -> int:
        """The weight of a word for one tool; 0 when the tool has it not."""
        numbers = self.numbers.get(term, ())
        at = bisect_left(numbers, number)
        return self.weights[term][at] if at < len(numbers) and numbers[at] == number else 0

    def dump(self) -> JsonObject:
        """The segment as JSON: plain lists, to be kept beside the document that it was made from."""
        terms = list(self.numbers)
        return {
            "version": _VERSION,
            "cards": [_card_json(card) for card in self.cards],
            "terms": [*terms],
            "sizes": [len(self.numbers[term]) for term in terms],
            "numbers": [number for term in terms for number in self.numbers[term]],
            "weights": [weight for term in terms for weight in self.weights[term]],
        }


def made_segment(tools: Sequence[ToolSpec]) -> Segment:
    """The segment of some tools."""
    numbers: defaultdict[str, array[int]] = defaultdict(lambda: array("L"))
    weights: defaultdict[str, array[int]] = defaultdict(lambda: array("L"))
    cards: list[Card] = []
    for number, tool in enumerate(tools):
        fields = _fields(tool)
        cards.append(_card(tool, fields["name"]))
        for word, weight in _weighted(fields).items():
            numbers[word].append(number)
            weights[word].append(round(weight * SCALE))
    return Segment(cards=tuple(cards), numbers=dict(numbers), weights=dict(weights))


def loaded_segment(data: Json) -> Segment:
    """A segment that was written down.

    Raises:
        InvalidRequestError: It is no segment, or one of another version.
    """
    kept = as_object(data)
    if kept.get("version") != _VERSION:
        raise InvalidRequestError(
            "This index was written by another version.", field="version", remedy="Make it anew."
        )
    try:
        cards = tuple(_loaded_card(card) for card in as_array(kept.get("cards")))
        numbers, weights = array("L", _whole(kept, "numbers")), array("L", _whole(kept, "weights"))
        by_number: dict[str, Sequence[int]] = {}
        by_weight: dict[str, Sequence[int]] = {}
        start = 0
        for term, size in zip(as_array(kept.get("terms")), _whole(kept, "sizes"), strict=True):
            by_number[str(term)] = numbers[start : start + size]
            by_weight[str(term)] = weights[start : start + size]
            start += size
        if start != len(numbers) or start != len(weights) or max(numbers, default=-1) >= len(cards):
            raise ValueError("its lists do not fit each other")
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidRequestError(
            f"This is no index: {error}.", field="index", remedy="Make it anew."
        ) from error
    return Segment(cards=cards, numbers=by_number, weights=by_weight)


def _whole(kept: JsonObject, field: str) -> list[int]:
    found = [as_int(value) for value in as_array(kept.get(field))]
    whole = [value for value in found if value is not None]
    if len(whole) != len(found):
        raise ValueError(f"{field} holds something that is no number")
    return whole


def _card(tool: ToolSpec, title: list[str]) -> Card:
    schema = as_object(tool.parameters)
    required = {name for name in as_array(schema.get("required")) if isinstance(name, str)}
    arguments = list(as_object(schema.get("properties")).items())[:_MOST_ARGUMENTS]
    return Card(
        name=tool.name,
        namespace=tool.namespace,
        category=tool.category,
        tags=tool.tags,
        effect=tool.effect,
        deprecated=tool.description.startswith("Deprecated"),
        title=tuple(dict.fromkeys(title)),
        wants=tuple(Want(name, kind_wanted(name, part), name in required) for name, part in arguments),
    )


def _card_json(card: Card) -> Json:
    return [
        card.name,
        card.namespace,
        card.category,
        [*card.tags],
        card.effect.value,
        card.deprecated,
        [*card.title],
        [[want.name, want.kind, want.required] for want in card.wants],
    ]


def _loaded_card(data: Json) -> Card:
    name, namespace, category, tags, effect, deprecated, title, wants = as_array(data)
    return Card(
        name=_text(name),
        namespace=_text(namespace),
        category=_text(category),
        tags=tuple(_text(tag) for tag in as_array(tags)),
        effect=Effect(_text(effect)),
        deprecated=deprecated is True,
        title=tuple(_text(word) for word in as_array(title)),
        wants=tuple(_loaded_want(want) for want in as_array(wants)),
    )


def _loaded_want(data: Json) -> Want:
    name, kind, required = as_array(data)
    return Want(_text(name), _text(kind), required is True)


def _text(value: Json) -> str:
    text = as_text(value)
    if text is None:
        raise ValueError(f"a text was expected, not {str(value)[:40]}")
    return text


def _fields(tool: ToolSpec) -> dict[str, list[str]]:
    """The words of each field of a tool."""
    method, _, path = (tool.endpoint or "").partition(" ")
    steps = [step for step in path.split("/") if step and not step.startswith("{")]
    texts: dict[str, list[str]] = {"arguments": [], "meanings": [], "choices": []}
    for field, text in _argument_texts(tool.parameters, 0):
        if len(texts[field]) < _MOST_ARGUMENTS:
            texts[field].append(text[:_MOST_CHARACTERS])
    own = " ".join((*steps, *tool.tags, tool.namespace, tool.category, METHOD_WORDS.get(method, "")))
    found = {
        "name": tool.name.partition(".")[2] or tool.name,
        "summary": tool.summary[:_MOST_CHARACTERS],
        "description": tool.description[:_MOST_CHARACTERS],
        "place": own[:_MOST_CHARACTERS],
        **{field: " ".join(parts) for field, parts in texts.items()},
    }
    fields = {field: words(text)[:_MOST_WORDS] for field, text in found.items()}
    return fields | {"choices": _choice_words(texts["choices"])}


def _choice_words(choices: list[str]) -> list[str]:
    """Choices of one word as they stand, each under its mark; the words of longer ones."""
    found: list[str] = []
    for choice in choices:
        raw = raw_words(choice)
        found += [f"{CHOICE}{raw[0]}"] if len(raw) == 1 else words(choice)
    return found[:_MOST_WORDS]


def _argument_texts(schema: JsonObject, depth: int) -> Iterator[tuple[str, str]]:
    """Names, meanings and choices of arguments, those within them too."""
    for name, part in list(as_object(schema.get("properties")).items())[:_MOST_ARGUMENTS]:
        facts = as_object(part)
        yield "arguments", name
        said = facts.get("description")
        if isinstance(said, str):
            yield "meanings", said
        within = as_object(facts.get("items"))
        for chosen in (*as_array(facts.get("enum")), *as_array(within.get("enum")))[:_MOST_CHOICES]:
            if isinstance(chosen, str):
                yield "choices", chosen
        if depth < _DEEPEST:
            yield from _argument_texts(facts, depth + 1)
            yield from _argument_texts(within, depth + 1)


def _weighted(fields: dict[str, list[str]]) -> dict[str, float]:
    """How much each word says of a tool: more in a field that counts more, less in a longer one.

    However often a word stands there, it never counts more than a certain amount: stuffing does not pay.
    """
    weighted: defaultdict[str, float] = defaultdict(float)
    for field, found in fields.items():
        weight, against, usual = _FIELDS[field]
        norm = weight / (1 - against + against * len(found) / usual)
        for word, count in Counter(found).items():
            weighted[word] += norm * (1.0 + math.log(count))
    return {word: weight * (_SATURATION + 1) / (weight + _SATURATION) for word, weight in weighted.items()}
