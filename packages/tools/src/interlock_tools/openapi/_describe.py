"""One part of a tool's schema, for a model that was shown less of it and asks for more."""

import contextlib

from interlock_core.errors import NotFoundError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, dump_json
from interlock_core.nearest import suggestion
from interlock_tools.openapi._fold import Folding, Listed, folded
from interlock_tools.openapi._stubs import referred, stub

_LONGEST_CHAIN = 32
_DEEPEST = 100
_CHARACTERS_PER_TOKEN = 4
_AROUND = 60
_PART = "part"


def described(schema: JsonObject, pointer: str, *, max_tokens: int) -> JsonObject:
    """The part of a schema that a pointer leads to, by itself, folded above a size.

    Args:
        schema: A self-contained schema with its definitions under `$defs`.
        pointer: JSON pointer; references on the way are followed. A step names a property where there is one
            of that name, so that `/filter/kind` leads to `/properties/filter/properties/kind`, and else a
            keyword; what leads nowhere so is read the other way round. Empty for the whole.
        max_tokens: About the most tokens, of four characters each.

    Raises:
        NotFoundError: The pointer leads nowhere; the remedy names what is there.
    """
    definitions = as_object(schema.get("$defs"))
    root = {key: value for key, value in schema.items() if key != "$defs"}
    part = _part(root, definitions, pointer)
    if not isinstance(part, dict):
        return {} if part is True else {"not": {}}
    limit = max(max_tokens, 100) * _CHARACTERS_PER_TOKEN - _AROUND
    source = Folding(Listed(definitions))
    combined = part.keys() & {"allOf", "anyOf", "oneOf"}
    if combined or not isinstance(part.get("properties"), dict):
        shown = folded({_PART: part}, referred(part), source, limit=limit)
        only = shown.properties.get(_PART)
        if isinstance(only, dict):
            return {**only, "$defs": shown.definitions} if shown.definitions else only
    return _object(part, source, limit=limit)


def _object(part: JsonObject, source: Folding, *, limit: int) -> JsonObject:
    """An object, with as many of its properties as there is room for."""
    declared = as_object(part.get("properties"))
    if not declared:
        return as_object(stub(part))
    around = {key: value for key, value in part.items() if key not in {"type", "properties", "required"}}
    required = [name for name in as_array(part.get("required")) if isinstance(name, str)]
    refs = referred(part)
    room = limit - len(dump_json(around)) - len(dump_json([*required]))
    shown = folded(declared, refs, source, limit=room, required=required)
    if not shown.folded:
        return {**around, **shown.schema(required)}
    said = {key: value for key, value in around.items() if key in {"description", "deprecated"}}
    return {**said, **shown.schema(required)}


def _part(root: JsonObject, definitions: JsonObject, pointer: str) -> Json:
    """What the pointer leads to, behind its references."""
    written = pointer.lstrip("#").strip("/").split("/")
    steps = [step.replace("~1", "/").replace("~0", "~") for step in written if step]
    if len(steps) > _DEEPEST:
        raise NotFoundError("The pointer is too long.", field="pointer", remedy=f"At most {_DEEPEST} steps.")
    part: Json = root
    if steps[:1] == ["$defs"] and "$defs" not in as_object(root.get("properties")):
        part, steps = definitions, steps[1:]
    try:
        return _walked(part, steps, definitions, pointer, named=True)
    except NotFoundError:
        with contextlib.suppress(NotFoundError):
            return _walked(part, steps, definitions, pointer, named=False)
        raise


def _walked(part: Json, steps: list[str], definitions: JsonObject, pointer: str, *, named: bool) -> Json:
    for step in steps:
        part = _step(_behind(part, definitions), step, pointer, named=named)
    return _behind(part, definitions)


def _step(part: Json, step: str, pointer: str, *, named: bool) -> Json:
    """One step; `named` says whether a name of a property goes before a keyword."""
    if isinstance(part, list) and step.isascii() and step.isdigit() and int(step) < len(part):
        return part[int(step)]
    known = as_object(part)
    properties = as_object(known.get("properties"))
    for place in (properties, known) if named else (known, properties):
        if step in place and isinstance(place[step], dict | list | bool):
            return place[step]
    there = [*properties] or [name for name, value in known.items() if isinstance(value, dict | list)]
    raise NotFoundError(
        f"{pointer[:200]!r} leads nowhere: there is no {step[:60]!r}.",
        field="pointer",
        remedy=suggestion(step, there),
    )


def _behind(part: Json, definitions: JsonObject) -> Json:
    """A schema behind references to definitions, with what stands beside them."""
    for _ in range(_LONGEST_CHAIN):
        if not isinstance(part, dict) or not isinstance(part.get("$ref"), str):
            return part
        target = definitions.get(str(part["$ref"]).removeprefix("#/$defs/"), {})
        beside = {key: value for key, value in part.items() if key != "$ref"}
        part = {**target, **beside} if isinstance(target, dict) else target
    return part
