"""Texts, numbers, enumerations: which of their constraints a vendor enforces."""

from collections.abc import Sequence

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_number, dump_json
from interlock_providers.codecs._strict._forms import JsonText, Plain, kind_of
from interlock_providers.codecs._strict._parts import (
    TYPES,
    Narrowing,
    Node,
    NothingError,
    Place,
    clipped,
    constraints,
    kinds_of,
    told,
)
from interlock_providers.codecs._strict._size import keeps

_TITLED = ("title",)


def scalar(narrower: Narrowing, schema: JsonObject, kind: str, place: Place) -> Node:
    """A text, a number, a boolean or null."""
    known = narrower.rules.keywords.get(kind, frozenset[str]())
    wire: JsonObject = {"type": kind, **titled(schema)}
    for word in sorted(known & schema.keys()):
        if _is_held(narrower, word, schema[word]):
            wire[word] = schema[word]
    left = constraints(schema) - wire.keys()
    narrower.findings.unheld(left, place)
    wire.update(told(schema, left | _remarks(schema, wire)))
    return Node(wire, Plain(frozenset({kind})))


def titled(schema: JsonObject) -> JsonObject:
    """The title, which every vendor takes."""
    return {word: schema[word] for word in _TITLED if isinstance(schema.get(word), str)}


def _is_held(narrower: Narrowing, word: str, value: Json) -> bool:
    if word in {"format", "pattern"}:
        return keeps({word: value}, narrower.rules)
    return as_number(value) is not None


def _remarks(schema: JsonObject, wire: JsonObject) -> set[str]:
    return {"format"} if "format" in schema and "format" not in wire else set()


def enumerated(narrower: Narrowing, schema: JsonObject, place: Place) -> Node:
    """One of some values.

    Raises:
        NothingError: None of them is of the type that the schema names.
    """
    kinds = kinds_of(schema) if "type" in schema else ()
    values = [schema["const"]] if "const" in schema else as_array(schema["enum"])
    values = [value for value in values if not kinds or _is_of(value, kinds)]
    if not values:
        raise NothingError("no value is left of the enumeration")
    left = constraints(schema) - {"enum", "const", "type"}
    narrower.findings.unheld(left, place)
    if any(isinstance(value, dict | list) for value in values):
        texts: list[Json] = [dump_json(value) for value in values]
        note = told(schema, left, "Written as JSON text.")
        return Node({"type": "string", "enum": texts, **note}, JsonText(tuple(values)))
    found = _kinds_among(values)
    most = narrower.most_values
    form = Plain(frozenset(found), tuple(values))
    if most is not None and len(values) > most:
        narrower.findings.unheld(["enum"], place)
        said = clipped("One of: " + ", ".join(dump_json(value) for value in values))
        return _typed(narrower, found, {}, told(schema, left, said), Plain(frozenset(found)))
    words: JsonObject = {"const": schema["const"]} if "const" in schema else {"enum": [*values]}
    return _typed(narrower, found, {**titled(schema), **words}, told(schema, left), form)


def _typed(
    narrower: Narrowing, kinds: Sequence[str], words: JsonObject, note: JsonObject, form: Plain
) -> Node:
    """The values with the type that vendors want to see, or the types one by one."""
    if len(kinds) == 1:
        return Node({"type": kinds[0], **words, **note}, form)
    if len(kinds) == 2 and "null" in kinds and narrower.rules.type_lists:
        return Node({"type": [*kinds], **words, **note}, form)
    listed = as_array(words.get("enum"))
    branches: list[Json] = []
    for kind in kinds:
        some = [value for value in listed if _is_of(value, (kind,))]
        branches.append({"type": kind, "enum": some} if some and kind != "null" else {"type": kind})
    return Node({"anyOf": branches, **note}, form)


def _kinds_among(values: Sequence[Json]) -> list[str]:
    found = {kind_of(value) for value in values}
    if "number" in found:
        found.discard("integer")
    return [kind for kind in TYPES if kind in found]


def _is_of(value: Json, kinds: Sequence[str]) -> bool:
    kind = kind_of(value)
    return kind in kinds or (kind == "integer" and "number" in kinds)
