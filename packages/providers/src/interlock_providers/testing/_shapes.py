"""What a simulated vendor knows of a request's fields, and what does not fit.

A vendor that refuses fields it does not know is half of what a client has to get right, so the simulated
ones hold tables of their fields; each says what is wrong in its own words.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from interlock_core import Json


@dataclass(frozen=True, slots=True)
class Shape:
    """An object.

    Attributes:
        fields: The fields that the vendor knows.
        required: Those that have to be there.
    """

    fields: "Mapping[str, Kind]"
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tagged:
    """An object of one of several shapes; one field says which.

    Attributes:
        tag: That field.
        shapes: The shapes by its value; the tag need not be among their fields.
    """

    tag: str
    shapes: Mapping[str, Shape]


@dataclass(frozen=True, slots=True)
class Many:
    """A list.

    Attributes:
        item: What each item is.
    """

    item: "Kind"


@dataclass(frozen=True, slots=True)
class Either:
    """One of several kinds.

    Attributes:
        kinds: The kinds; the first of the value's own JSON type says what is wrong.
    """

    kinds: "tuple[Kind, ...]"


Kind: TypeAlias = str | tuple[str, ...] | Shape | Tagged | Many | Either | None
"""A JSON type by its name, texts to choose from, something made of others, or None for anything at all."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that does not fit.

    Attributes:
        fault: A field that is not known or not there, a value of the wrong type or not to choose.
        path: Where, with the numbers of items and the tags on the way.
        names: Where, in names of fields alone.
        value: What is there.
        wanted: The JSON type that belongs there, or the texts to choose from.
    """

    fault: Literal["unknown", "missing", "type", "choice"]
    path: tuple[str | int, ...]
    names: tuple[str, ...]
    value: Json = None
    wanted: str | tuple[str, ...] = ""


@dataclass(frozen=True, slots=True)
class _Place:
    path: tuple[str | int, ...] = ()
    names: tuple[str, ...] = ()

    def field(self, name: str) -> "_Place":
        return _Place((*self.path, name), (*self.names, name))

    def step(self, step: str | int) -> "_Place":
        return _Place((*self.path, step), self.names)


def type_of(value: Json) -> str:
    """The JSON type of a value; whole numbers are integers."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def flaws(value: Json, kind: Kind) -> list[Flaw]:
    """Everything in a value that does not fit, in its order."""
    return list(_flaws(value, kind, _Place()))


def _flaws(value: Json, kind: Kind, at: _Place) -> Iterator[Flaw]:
    match kind:
        case None:
            return
        case str() | tuple():
            yield from _simple(value, kind, at)
        case Either():
            yield from _either(value, kind, at)
        case _ if type_of(value) != _wanted(kind):
            yield Flaw("type", at.path, at.names, value, _wanted(kind))
        case Many():
            for index, item in enumerate(value if isinstance(value, list) else []):
                yield from _flaws(item, kind.item, at.step(index))
        case Shape():
            yield from _object(value if isinstance(value, dict) else {}, kind, at)
        case Tagged():
            yield from _tagged(value if isinstance(value, dict) else {}, kind, at)


def _wanted(kind: Kind) -> str:
    """The JSON type of a kind."""
    match kind:
        case str():
            return kind
        case Many():
            return "array"
        case Shape() | Tagged():
            return "object"
        case _:
            return "string"


def _simple(value: Json, kind: str | tuple[str, ...], at: _Place) -> Iterator[Flaw]:
    if isinstance(kind, tuple):
        if value not in kind:
            yield Flaw("choice", at.path, at.names, value, kind)
    elif type_of(value) != kind and not (kind == "number" and type_of(value) == "integer"):
        yield Flaw("type", at.path, at.names, value, kind)


def _either(value: Json, kind: Either, at: _Place) -> Iterator[Flaw]:
    found = [list(_flaws(value, one, at)) for one in kind.kinds]
    if all(found):
        alike = (index for index, one in enumerate(kind.kinds) if _wanted(one) == type_of(value))
        yield from found[next(alike, 0)]


def _object(value: Mapping[str, Json], shape: Shape, at: _Place) -> Iterator[Flaw]:
    for name in sorted(shape.required - value.keys()):
        yield Flaw("missing", at.field(name).path, at.field(name).names, {**value})
    for name, item in value.items():
        if name not in shape.fields:
            yield Flaw("unknown", at.field(name).path, at.field(name).names, item)
        elif item is not None or name in shape.required:
            yield from _flaws(item, shape.fields[name], at.field(name))


def _tagged(value: Mapping[str, Json], kind: Tagged, at: _Place) -> Iterator[Flaw]:
    tag = value.get(kind.tag)
    shape = kind.shapes.get(tag) if isinstance(tag, str) else None
    if shape is None or not isinstance(tag, str):
        there = kind.tag in value
        place = at.field(kind.tag)
        yield Flaw(
            "choice" if there else "missing",
            place.path,
            place.names,
            tag if there else {**value},
            tuple(kind.shapes),
        )
        return
    rest = {name: item for name, item in value.items() if name != kind.tag}
    yield from _object(rest, shape, at.step(tag))
