"""Schemas that must all hold, as one schema."""

from collections.abc import Callable, Mapping

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_number, as_object, as_text
from interlock_providers.codecs._strict._forms import is_equal

Resolve = Callable[[str], Json]
"""What a reference leads to."""

_DEEPEST = 24
_LOWER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"})
_UPPER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"})
_CHOICES = ("anyOf", "oneOf", "allOf")
_OWN = frozenset({"type", "properties", "required", "enum", "const", "items", "additionalProperties"})
_SHAPING = frozenset({"patternProperties", "prefixItems", "unevaluatedProperties", "unevaluatedItems"})
_NOTES = frozenset({"description", "title", "default", "examples", "deprecated", "$comment", "format"})
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")


class UnjoinableError(ValueError):
    """No one schema says what all of them say."""


def joined(one: Json, other: Json, resolve: Resolve, depth: int = 0) -> Json:
    """The schema of what fits both, or of somewhat more where a constraint cannot be kept twice.

    Raises:
        UnjoinableError: There is none that keeps the shape of the values.
    """
    if depth > _DEEPEST:
        raise UnjoinableError("it joins schemas too deeply")
    if one is False or other is False:
        return False
    if not isinstance(one, dict) or not one or one == other:
        return other
    if not isinstance(other, dict) or not other:
        return one
    first, second = _resolved(one, resolve, depth), _resolved(other, resolve, depth)
    if not isinstance(first, dict) or not isinstance(second, dict):
        return joined(first, second, resolve, depth + 1)
    return _join(first, second, resolve, depth)


def _join(first: JsonObject, second: JsonObject, resolve: Resolve, depth: int) -> Json:
    for word in _SHAPING | {*_CHOICES}:
        if word in first and word in second and first[word] != second[word]:
            raise UnjoinableError(f"it joins schemas that each have {word}")
    made: JsonObject = {**second, **first}
    for word in made.keys() & first.keys() & second.keys():
        made[word] = _both(word, first[word], second[word])
    kinds = _kinds(first) & _kinds(second)
    if not kinds:
        return False
    if "type" in made:
        ordered: list[Json] = [kind for kind in _TYPES if kind in kinds and not _implied(kind, kinds)]
        made["type"] = ordered[0] if len(ordered) == 1 else ordered
    if _join_values(first, second, made) is False:
        return False
    _join_objects(first, second, made, resolve, depth)
    if "items" in first and "items" in second:
        made["items"] = joined(first["items"], second["items"], resolve, depth + 1)
    return made


def _resolved(schema: JsonObject, resolve: Resolve, depth: int) -> Json:
    """The schema with its reference and its `allOf` taken in."""
    ref = as_text(schema.get("$ref"))
    if ref is not None:
        rest: JsonObject = {name: part for name, part in schema.items() if name != "$ref"}
        return joined(rest, resolve(ref), resolve, depth + 1)
    parts = as_array(schema.get("allOf"))
    if not parts:
        return schema
    made: Json = {name: part for name, part in schema.items() if name != "allOf"}
    for part in parts:
        made = joined(made, part, resolve, depth + 1)
    return made


def _both(word: str, mine: Json, yours: Json) -> Json:
    """One constraint for two; where they cannot be kept both, the first."""
    if word in _LOWER or word in _UPPER:
        one, other = as_number(mine), as_number(yours)
        if one is not None and other is not None:
            mine_wins = one >= other if word in _LOWER else one <= other
            return mine if mine_wins else yours
    if word == "required":
        return [*dict.fromkeys(name for name in (*as_array(mine), *as_array(yours)) if isinstance(name, str))]
    if word in _NOTES:
        return mine or yours
    return True if word == "uniqueItems" and yours is True else mine


def _kinds(schema: Mapping[str, Json]) -> set[str]:
    told = schema.get("type")
    kinds = {told} if isinstance(told, str) else {kind for kind in as_array(told) if isinstance(kind, str)}
    kinds = kinds or {*_TYPES}
    return kinds | {"integer"} if "number" in kinds else kinds


def _implied(kind: str, kinds: set[str]) -> bool:
    return kind == "integer" and "number" in kinds


def _join_values(first: JsonObject, second: JsonObject, made: JsonObject) -> bool:
    """Keep the enumerated values that both allow; False when none is left."""
    mine, yours = _values(first), _values(second)
    if mine is None or yours is None:
        return True
    made.pop("const", None)
    kept: list[Json] = [value for value in mine if any(is_equal(value, known) for known in yours)]
    made["enum"] = kept
    return bool(kept)


def _values(schema: JsonObject) -> list[Json] | None:
    if "const" in schema:
        return [schema["const"]]
    return as_array(schema["enum"]) if "enum" in schema else None


def _join_objects(
    first: JsonObject, second: JsonObject, made: JsonObject, resolve: Resolve, depth: int
) -> None:
    mine, yours = as_object(first.get("properties")), as_object(second.get("properties"))
    further = ("additionalProperties", "patternProperties")
    if not mine and not yours and not any(word in first and word in second for word in further):
        return
    properties: JsonObject = {}
    for name in dict.fromkeys((*yours, *mine)):
        left = mine.get(name, _beyond(first))
        right = yours.get(name, _beyond(second))
        properties[name] = joined(left, right, resolve, depth + 1)
    if properties:
        made["properties"] = properties
    if "additionalProperties" in first and "additionalProperties" in second:
        pair = (first["additionalProperties"], second["additionalProperties"])
        made["additionalProperties"] = joined(*pair, resolve, depth + 1)


def _beyond(schema: JsonObject) -> Json:
    """The schema of a property that is not named."""
    if schema.get("patternProperties"):
        raise UnjoinableError("it joins schemas of which one names properties by patterns")
    return schema.get("additionalProperties", True)


def is_mere(schema: Json) -> bool:
    """Whether a schema only limits what another describes: it names no property, type or value."""
    return isinstance(schema, dict) and not schema.keys() & (_OWN | _SHAPING | {*_CHOICES, "$ref"}) - {
        "required"
    }
