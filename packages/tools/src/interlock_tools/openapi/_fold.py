"""Schemas too long for a prompt are folded: what lies deepest becomes a stated open object.

The executor validates against the whole schema all the same; folding is about what a model is shown.
"""

from collections import deque
from collections.abc import Iterable

from interlock_core.jsontypes import Json, JsonObject, as_object, dump_json
from interlock_tools.openapi._schema import SchemaBuilder

_STUB_SIZE = 90
_NAMED = 10
_DEPTHS = (5, 4, 3, 2, 1)
_NESTING = ("items", "additionalProperties", "not", "contains", "if", "then", "else", "propertyNames")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "dependentSchemas")
_SHORT = 60


def folded(
    properties: JsonObject, refs: Iterable[str], builder: SchemaBuilder, *, limit: int
) -> tuple[JsonObject, dict[str, Json], bool]:
    """Properties and definitions in at most about `limit` characters.

    Returns:
        The properties, the definitions, and whether anything was folded.

    Raises:
        InvalidRequestError: A definition cannot be converted.
    """
    size = len(dump_json(properties))
    whole = builder.definitions_within(refs, limit - size)
    if whole is not None and size <= limit:
        return properties, whole, False
    shown = properties
    for depth in _DEPTHS:
        if size <= limit * 0.7:
            break
        shown = {name: _shallow(schema, depth) for name, schema in properties.items()}
        size = len(dump_json(shown))
    if size > limit:
        shown = {name: _terse(schema) for name, schema in shown.items()}
        size = len(dump_json(shown))
    return shown, _nearest(_referred(shown), builder, limit - size), True


def _nearest(refs: set[str], builder: SchemaBuilder, room: int) -> dict[str, Json]:
    """The nearest definitions that there is room for; the rest become stubs."""
    kept: dict[str, Json] = {}
    queue = deque(sorted(refs))
    while queue:
        name = queue.popleft()
        if name in kept:
            continue
        following = builder.refs_of(name)
        cost = builder.size_of(name) + _STUB_SIZE * len(following - kept.keys())
        if cost <= room:
            kept[name] = builder.schema_of(name)
            room -= cost
            queue.extend(sorted(following - kept.keys()))
        else:
            kept[name] = _stub(builder.schema_of(name))
            room -= _STUB_SIZE
    return kept


def _stub(schema: Json) -> Json:
    """An open schema of the same type that names what it stands for."""
    known = as_object(schema)
    if "enum" in known:
        kind = known.get("type", "string")
        listed = known["enum"]
        some = ", ".join(str(item)[:30] for item in listed[:_NAMED]) if isinstance(listed, list) else ""
        return {"type": kind, "description": f"One of {some} …"}
    kind = known.get("type")
    names = list(as_object(known.get("properties")))
    more = " …" if len(names) > _NAMED else ""
    said = f"Folded; has {', '.join(names[:_NAMED])}{more}" if names else "Folded."
    if kind is None or isinstance(kind, list):
        return {"description": said}
    return (
        {"type": kind, "items": {}, "description": said}
        if kind == "array"
        else {"type": kind, "description": said}
    )


def _shallow(schema: Json, depth: int) -> Json:
    """The schema with everything below `depth` levels folded."""
    if not isinstance(schema, dict) or "$ref" in schema:
        return schema
    if depth == 0 and (schema.keys() & {*_NESTING, *_LISTS, *_MAPS}):
        return _stub(schema)
    out: JsonObject = {}
    for key, value in schema.items():
        if key in _NESTING:
            out[key] = _shallow(value, depth - 1)
        elif key in _LISTS and isinstance(value, list):
            out[key] = [_shallow(item, depth - 1) for item in value]
        elif key in _MAPS and isinstance(value, dict):
            out[key] = {name: _shallow(item, depth - 1) for name, item in value.items()}
        else:
            out[key] = value
    return out


def _terse(schema: Json) -> Json:
    """The schema with a short description and without long lists of values."""
    if not isinstance(schema, dict):
        return schema
    out = dict(schema)
    said = out.get("description")
    if isinstance(said, str) and len(said) > _SHORT:
        out["description"] = said[: _SHORT - 1] + "…"
    listed = out.get("enum")
    if isinstance(listed, list) and len(listed) > _NAMED:
        return _stub(schema)
    return out


def _referred(value: Json) -> set[str]:
    found: set[str] = set()
    stack: list[Json] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            reference = item.get("$ref")
            if isinstance(reference, str):
                found.add(reference.removeprefix("#/$defs/"))
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return found
