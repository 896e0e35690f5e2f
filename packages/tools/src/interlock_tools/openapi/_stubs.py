"""Stubs: what stands for a part that is folded. Each is open, short, and names what it stands for."""

import re
from collections.abc import Sequence

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_tools.openapi._plain import visible

NESTING = ("items", "additionalProperties", "contains", "propertyNames")
"""Keywords whose value is a schema."""

LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
"""Keywords whose value is a list of schemas."""

MAPS = ("properties", "patternProperties", "dependentSchemas")
"""Keywords whose value is a map of schemas."""

_HEAD = re.compile(r".*__(?=[^_])|.*[._-](?=[^._-])|[a-z]+(?=[A-Z])")
_NAMED = 10
_LONGEST_LIST = 240
_LONGEST_NAME = 40
_SHORT = 60
_DATA = frozenset({"enum", "const", "default", "examples", "required", "dependentRequired"})
_COMBINED = ("allOf", "anyOf", "oneOf")


def stub(schema: Json) -> Json:
    """An open schema of the same type that names what it stands for."""
    known = as_object(schema)
    out: JsonObject = {}
    kind = known.get("type")
    if "enum" in known:
        kind = kind or _common_type(as_array(known["enum"]))
        said = f"One of {_some(as_array(known['enum']))} …"
    else:
        said = _said(known)
    if kind is not None:
        out["type"] = kind
    if kind == "array" or (isinstance(kind, list) and "array" in kind):
        out["items"] = {}
    out["description"] = said
    return out


def open_to(names: Sequence[str], room: int) -> JsonObject:
    """Says in about `room` characters which further properties an object has that is shown in part."""
    if sum(map(len, names)) + 2 * len(names) > room:
        names = _grouped(names)
    listed: list[str] = []
    for name in names:
        room -= len(name) + 2
        if room < 0:
            break
        listed.append(name)
    more = f" and {len(names) - len(listed)} more" if len(listed) < len(names) else ""
    return {"description": visible(f"Folded; also has {', '.join(listed)}{more}.")}


def _grouped(names: Sequence[str]) -> list[str]:
    """Names that begin alike as one, such as `made_at__{gt, lt}`."""
    groups: dict[str, list[str]] = {}
    for name in names:
        head = _HEAD.match(name)
        groups.setdefault(head[0] if head else name, []).append(name)
    return [
        f"{head}{{{', '.join(name[len(head) :] for name in group)}}}" if len(group) > 1 else group[0]
        for head, group in groups.items()
    ]


def terse(schema: Json) -> Json:
    """The schema with a short description and without long lists of values."""
    if not isinstance(schema, dict):
        return schema
    out = dict(schema)
    said = out.get("description")
    if isinstance(said, str) and len(said) > _SHORT:
        out["description"] = said[: _SHORT - 1] + "…"
    listed = out.get("enum")
    if isinstance(listed, list) and (len(listed) > _NAMED or len(str(listed)) > _LONGEST_LIST):
        return stub(schema)
    return out


def referred(value: Json) -> set[str]:
    """Names of the definitions that a schema refers to; values that only look like references do not."""
    found: set[str] = set()
    stack: list[tuple[Json, bool]] = [(value, True)]
    while stack:
        item, is_schema = stack.pop()
        if isinstance(item, list):
            stack.extend((part, is_schema) for part in item)
        elif isinstance(item, dict):
            reference = item.get("$ref") if is_schema else None
            if isinstance(reference, str):
                found.add(reference.removeprefix("#/$defs/"))
            for key, part in item.items():
                if not (is_schema and key in _DATA) and isinstance(part, dict | list):
                    stack.append((part, not (is_schema and key in MAPS)))
    return found


def referred_by(properties: JsonObject) -> set[str]:
    """Names of the definitions that the schemas of properties refer to."""
    return {name for schema in properties.values() for name in referred(schema)}


def _said(known: JsonObject) -> str:
    for where, part in (("has", known), ("each has", as_object(known.get("items")))):
        names = list(as_object(part.get("properties")))
        if names:
            return f"Folded; {where} {_some(names)}{' …' if len(names) > _NAMED else ''}"
    for key in _COMBINED:
        options = known.get(key)
        if isinstance(options, list) and key != "allOf":
            return f"Folded; one of {len(options)} forms."
    return "Folded."


def _some(values: "list[str] | list[Json]") -> str:
    """The first values, as many as there is room for."""
    listed: list[str] = []
    room = _LONGEST_LIST
    for value in values[:_NAMED]:
        said = visible(str(value)[:_LONGEST_NAME])
        room -= len(said) + 2
        if room < 0:
            break
        listed.append(said)
    return ", ".join(listed)


def _common_type(values: list[Json]) -> str | None:
    """The type that all values have, if they have one and it is a simple one."""
    if all(isinstance(value, str) for value in values):
        return "string"
    if all(isinstance(value, bool) for value in values):
        return "boolean"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return "number"
    return None
