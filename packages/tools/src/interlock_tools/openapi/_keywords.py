"""What becomes of each keyword of a document's schema in JSON Schema 2020-12.

A handler reads one keyword and writes what it means into the new schema. Keywords without a handler
(`xml`, `discriminator`, `externalDocs`, `x-…`) say nothing that a validator or a model needs.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from interlock_core.jsontypes import Json, JsonObject, as_int, as_number, as_object
from interlock_tools.openapi._enums import meanings
from interlock_tools.openapi._patterns import usable
from interlock_tools.openapi._plain import is_visible
from interlock_tools.openapi._prose import Prose, says_nothing


class Walk(Protocol):
    """The conversion under way, as handlers see it."""

    prose: Prose
    words: int

    def schema(self, raw: Json) -> Json:
        """Convert a schema that holds for the same value."""
        ...

    def within(self, raw: Json) -> Json:
        """Convert a schema that holds for a part of the value."""
        ...

    def hidden(self, raw: Json) -> bool:
        """Whether a property takes no part in this direction (`readOnly` in a request)."""
        ...


Handler: TypeAlias = Callable[[Walk, str, Json, JsonObject], None]
"""Reads a keyword's value and writes into the new schema."""

_TYPES = {
    "string": "string",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
    "null": "null",
    "int": "integer",
    "int32": "integer",
    "int64": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "bool": "boolean",
    "str": "string",
    "text": "string",
    "file": "string",
    "list": "array",
}
_FORMATS_OF_OTHER_TYPES = frozenset(
    {"string", "int32", "int64", "float", "double", "boolean", "array", "object"}
)
_LONGEST_EXAMPLE = 60
_LONGEST_DEFAULT = 200


def _type(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if isinstance(value, str):
        known = _TYPES.get(value) or _TYPES.get(value.lower())
        if known is not None:
            out["type"] = known
    elif isinstance(value, list):
        names: list[Json] = []
        for item in value:
            known = _TYPES.get(item) if isinstance(item, str) else None
            if known is not None and known not in names:
                names.append(known)
        if names:
            out["type"] = names if len(names) > 1 else names[0]


def _enum(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if isinstance(value, list) and value:
        unique: list[Json] = []
        for item in value:
            if not any(item == other and type(item) is type(other) for other in unique[-64:]):
                unique.append(item)
        out["enum"] = unique


def _as_is(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    out[key] = value


def _default(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    said = str(value)
    if value is not None and len(said) <= _LONGEST_DEFAULT and is_visible(said):
        out[key] = value


def _format(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if value not in _FORMATS_OF_OTHER_TYPES:
        _text(walk, key, value, out)


def _text(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    """A short name. What is no name could be anything: it is words of a stranger to the model."""
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_EXAMPLE and is_visible(value):
        out[key] = value


def _description(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if isinstance(value, str):
        short = walk.prose.short(value, walk.words)
        if short:
            out[key] = short


def _flag(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if value is True:
        out[key] = True


def _number(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    number = value if as_number(value) is not None else _written_number(value)
    if number is not None:
        out[key] = number


def _multiple(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    number = as_number(value)
    if number is not None and number > 0:
        out[key] = value


def _exclusive(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    """A number as it is; the boolean of draft 4 is kept until the bound that it sharpens is known."""
    if value is True or as_number(value) is not None:
        out[key] = value


def _count(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    number = as_int(value if not isinstance(value, str) else _written_number(value))
    if number is not None and number >= 0:
        out[key] = number


def _pattern(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if not isinstance(value, str) or not value:
        return
    if usable(value):
        out[key] = value
        return
    if is_visible(value):
        said = f"{out.get('description', '')} Must match {value[:100]} (not checked)."
        out["description"] = said.strip()


def _part(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if isinstance(value, dict | bool):
        out[key] = walk.within(value)


def _items(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if isinstance(value, list):
        if value:
            out["prefixItems"] = [walk.within(item) for item in value]
    elif isinstance(value, dict | bool):
        out[key] = walk.within(value)


def _open(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if isinstance(value, dict | bool):
        converted = walk.within(value)
        out[key] = True if converted == {} else converted


def _same(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if isinstance(value, dict | bool):
        out[key] = walk.schema(value)


def _alternatives(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if isinstance(value, list):
        converted = [walk.schema(item) for item in value if isinstance(item, dict | bool)]
        if converted:
            out[key] = converted


def _tuple(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if isinstance(value, list) and value:
        out[key] = [walk.within(item) for item in value]


def _properties(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    shown: JsonObject = {}
    for name, raw in as_object(value).items():
        if isinstance(raw, dict | bool) and not walk.hidden(raw):
            shown[name] = without_idle_words(walk.within(raw), name)
        elif raw is None:
            shown[name] = {}
    out[key] = shown


def _named_parts(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    named = as_object(value)
    kept = {name: raw for name, raw in named.items() if key != "patternProperties" or usable(name)}
    if kept:
        convert = walk.schema if key == "dependentSchemas" else walk.within
        out[key] = {name: convert(raw) for name, raw in kept.items()}


def _required(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    if isinstance(value, list):
        names: list[Json] = [*dict.fromkeys(name for name in value if isinstance(name, str))]
        if names:
            out[key] = names


def _dependent(walk: Walk, key: str, value: Json, out: JsonObject) -> None:
    named = as_object(value)
    kept: JsonObject = {
        name: [*dict.fromkeys(item for item in wanted if isinstance(item, str))]
        for name, wanted in named.items()
        if isinstance(wanted, list)
    }
    if kept:
        out[key] = kept


def _written_number(value: Json) -> int | float | None:
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        return int(value)
    except ValueError:
        pass
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < 1e308 else None


def without_idle_words(schema: Json, known: str) -> Json:
    """The schema without a description that only repeats what stands beside it."""
    if isinstance(schema, dict):
        said = schema.get("description")
        if isinstance(said, str) and says_nothing(said, known):
            return {key: value for key, value in schema.items() if key != "description"}
    return schema


HANDLERS: dict[str, Handler] = {
    "type": _type,
    "description": _description,
    "format": _format,
    "enum": _enum,
    "const": _as_is,
    "default": _default,
    "deprecated": _flag,
    "uniqueItems": _flag,
    "contentEncoding": _text,
    "contentMediaType": _text,
    "minimum": _number,
    "maximum": _number,
    "exclusiveMinimum": _exclusive,
    "exclusiveMaximum": _exclusive,
    "multipleOf": _multiple,
    "minLength": _count,
    "maxLength": _count,
    "minItems": _count,
    "maxItems": _count,
    "minProperties": _count,
    "maxProperties": _count,
    "minContains": _count,
    "maxContains": _count,
    "pattern": _pattern,
    "required": _required,
    "properties": _properties,
    "patternProperties": _named_parts,
    "dependentSchemas": _named_parts,
    "dependentRequired": _dependent,
    "additionalProperties": _open,
    "unevaluatedProperties": _open,
    "unevaluatedItems": _open,
    "propertyNames": _part,
    "items": _items,
    "prefixItems": _tuple,
    "contains": _part,
    "not": _same,
    "if": _same,
    "then": _same,
    "else": _same,
    "allOf": _alternatives,
    "anyOf": _alternatives,
    "oneOf": _alternatives,
}


def finish(raw: JsonObject, out: JsonObject) -> JsonObject:
    """Settle what depends on several keywords: bounds, implied types, null, examples."""
    _settle_bound(out, "exclusiveMinimum", "minimum")
    _settle_bound(out, "exclusiveMaximum", "maximum")
    if "type" not in out and "$ref" not in out:
        if "properties" in out:
            out["type"] = "object"
        elif "items" in out and "prefixItems" not in out:
            out["type"] = "array"
    if out.get("type") == "array" and "items" not in out and "prefixItems" not in out:
        out["items"] = {}
    _settle_enum(out)
    if "enum" in out:
        _tell_meanings(raw, out)
    if raw.get("type") == "file" and "format" not in out:
        out["format"] = "binary"
    if "example" in raw and not out.keys() & {"description", "enum", "default", "format", "properties"}:
        example = raw["example"]
        said = str(example)
        if isinstance(example, str | int | float) and len(said) <= _LONGEST_EXAMPLE and is_visible(said):
            out["examples"] = [example]
    if raw.get("nullable") is True or raw.get("x-nullable") is True:
        return with_null(out)
    return out


def _tell_meanings(raw: JsonObject, out: JsonObject) -> None:
    """What each value of an enumeration means, where an extension says so."""
    told = meanings(raw)
    if told:
        said = out.get("description")
        out["description"] = f"{said} {told}" if isinstance(said, str) else told


def with_null(schema: JsonObject) -> JsonObject:
    """The schema, accepting null as well."""
    kind = schema.get("type")
    if kind is None and not schema.keys() - {"description", "default", "examples", "deprecated"}:
        return schema
    if "null" in (kind if isinstance(kind, list) else [kind]):
        return _with_null_listed(schema)
    for key in ("anyOf", "oneOf"):
        options = schema.get(key)
        if isinstance(options, list) and kind is None and not schema.keys() - {key, "description", "default"}:
            return {**schema, key: options if {"type": "null"} in options else [*options, {"type": "null"}]}
    if kind is not None and not schema.keys() & {"allOf", "anyOf", "oneOf", "not", "if", "$ref", "const"}:
        kinds = kind if isinstance(kind, list) else [kind]
        return _with_null_listed({**schema, "type": [*kinds, "null"]})
    said = {key: schema[key] for key in ("description", "default", "deprecated") if key in schema}
    rest = {key: value for key, value in schema.items() if key not in said}
    return {"anyOf": [rest, {"type": "null"}], **said}


def _with_null_listed(schema: JsonObject) -> JsonObject:
    listed = schema.get("enum")
    if isinstance(listed, list) and None not in listed:
        return {**schema, "enum": [*listed, None]}
    return schema


def _settle_bound(out: JsonObject, exclusive: str, plain: str) -> None:
    if out.get(exclusive) is True:
        del out[exclusive]
        if plain in out:
            out[exclusive] = out.pop(plain)


def _settle_enum(out: JsonObject) -> None:
    """A type that no listed value has would refuse everything: the list is what the author meant."""
    listed, kind = out.get("enum"), out.get("type")
    if not isinstance(listed, list) or not isinstance(kind, str):
        return
    if not any(_is_of(value, kind) for value in listed):
        del out["type"]


def _is_of(value: Json, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return as_int(value) is not None
        case "number":
            return as_number(value) is not None
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return value is None
