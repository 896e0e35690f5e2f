"""Schemas too long for a prompt are folded: what is deepest, or least needed, becomes a stated open object.

The executor validates against the whole schema all the same; folding is about what a model is shown. A
folded schema accepts whatever the whole one accepts, names what it leaves out, and keeps to its limit.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, dump_json
from interlock_tools.openapi._stubs import LISTS, MAPS, NESTING, open_to, referred, referred_by, stub, terse

_DEPTHS = (5, 4, 3, 2, 1)
_AMPLE = 0.7
_LESS_AND_LESS = (3, 1)
_LEAST_PART = 600
_LONGEST_NAME = 72
_AROUND_NAME = 8
_LONGEST_KEPT = 200
_SCALARS = ("string", "integer", "number", "boolean")
_DROPPED = frozenset({"if", "then", "else", "unevaluatedProperties", "unevaluatedItems", "maxContains"})


class Definitions(Protocol):
    """Definitions that schemas refer to, by name."""

    def definitions_within(self, refs: Iterable[str], room: int | None) -> dict[str, Json] | None:
        """All that the named ones reach; None when they have more than `room` characters."""
        ...

    def schema_of(self, name: str) -> Json:
        """One definition."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What is shown of the properties of an object.

    Attributes:
        properties: Those that are shown.
        definitions: What they refer to.
        rest: Says which ones are not shown, and possible all the same; None when there are none.
        folded: Less than the whole is shown.
    """

    properties: JsonObject
    definitions: dict[str, Json] = field(default_factory=dict[str, Json])
    rest: Json = None
    folded: bool = False

    def schema(self, required: Collection[str]) -> JsonObject:
        """The object whose properties they are."""
        schema: JsonObject = {"type": "object", "properties": self.properties}
        if required:
            schema["required"] = [*required]
        if self.rest is not None:
            schema["additionalProperties"] = self.rest
        if self.definitions:
            schema["$defs"] = self.definitions
        return schema


def folded(
    properties: JsonObject,
    refs: Iterable[str],
    folding: "Folding",
    *,
    limit: int,
    required: Collection[str] = (),
) -> Folded:
    """Properties and definitions in at most `limit` characters.

    Args:
        properties: Schema of each property.
        refs: Names of the definitions that they refer to.
        folding: The definitions.
        limit: Most characters of all that is shown, as JSON.
        required: Names of the properties that are shown before others.

    Raises:
        InvalidRequestError: A definition cannot be converted.
    """
    size = len(dump_json(properties))
    whole = folding.source.definitions_within(refs, limit - size)
    if whole is not None and size <= limit:
        return Folded(properties=properties, definitions=whole)
    return folding.properties(properties, limit=limit, required=required)


class Folding:
    """Folds schemas that refer to the same definitions, and remembers what it needs of each.

    Args:
        source: The definitions.
    """

    def __init__(self, source: Definitions) -> None:
        self.source = source
        self._stubs: dict[str, Json] = {}
        self._costs: dict[str, int] = {}
        self._loose: dict[str, _Part] = {}

    def properties(self, properties: JsonObject, *, limit: int, required: Collection[str]) -> Folded:
        loose: JsonObject = {name: _loosened(schema) for name, schema in properties.items()}
        shown, size = loose, len(dump_json(loose))
        for depth in _DEPTHS:
            if size <= limit * _AMPLE:
                break
            shown = {name: _shallow(schema, depth) for name, schema in loose.items()}
            size = len(dump_json(shown))
        rest: Json = None
        if size + self._stubs_of(referred_by(shown)) > limit:
            shown = {name: terse(schema) for name, schema in shown.items()}
            size = len(dump_json(shown))
        if size + self._stubs_of(referred_by(shown)) > limit:
            shown, rest = self._most_useful(shown, limit=limit, required=required)
            size = len(dump_json(shown)) + len(dump_json(rest))
        definitions = self._nearest(referred_by(shown), limit - size)
        return Folded(properties=shown, definitions=definitions, rest=rest, folded=True)

    def _most_useful(
        self, properties: JsonObject, *, limit: int, required: Collection[str]
    ) -> tuple[JsonObject, Json]:
        """The properties that there is room for, required and simple ones first; what names the others."""
        listing = max(limit * 3 // 4 - 80, 0)
        left = limit - len(dump_json(open_to([*properties], listing)))
        chosen: set[str] = set()
        reached: set[str] = set()
        for name in sorted(properties, key=lambda name: _rank(name, properties[name], required)):
            refs = referred(properties[name]) - reached
            cost = len(dump_json(properties[name])) + len(name) + _AROUND_NAME + self._stubs_of(refs)
            if cost <= left:
                left -= cost
                chosen.add(name)
                reached |= refs
        shown = {name: schema for name, schema in properties.items() if name in chosen}
        rest = [name for name in properties if name not in chosen]
        return shown, open_to(rest, listing) if rest else None

    def _nearest(self, refs: set[str], room: int) -> dict[str, Json]:
        """The nearest definitions that there is room for; the rest become smaller, or stubs."""
        kept: dict[str, Json] = {}
        queue = deque(sorted(refs))
        asked = set(refs)
        room -= self._stubs_of(refs)
        while queue:
            name = queue.popleft()
            room += self._cost(name)
            share = max(_LEAST_PART, room // (len(queue) + 1))
            part = self._fitting(self._loosened(name), room, share, asked)
            if part is None:
                kept[name] = self._stub(name)
                room -= self._cost(name)
                continue
            following = part.refs - asked
            kept[name] = part.schema
            room -= part.size + len(name) + _AROUND_NAME + self._stubs_of(following)
            asked |= following
            queue.extend(sorted(following))
        return kept

    def _fitting(self, part: "_Part", room: int, share: int, asked: set[str]) -> "_Part | None":
        """As much of a definition as there is room for; None when there is none."""
        if self._fits(part, room, asked):
            return part
        room = min(room, share)
        for shallow in part.shallow:
            if self._fits(shallow, room, asked):
                return shallow
        narrow = self._narrow(part.shallow[-1].schema, room)
        return narrow if narrow is not None and self._fits(narrow, room, asked) else None

    def _loosened(self, name: str) -> "_Part":
        if name not in self._loose:
            self._loose[name] = _Part(_loosened(self.source.schema_of(name)))
        return self._loose[name]

    def _narrow(self, schema: Json, room: int) -> "_Part | None":
        """An object with its most useful properties, the others named."""
        if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
            return None
        around = {key: value for key, value in schema.items() if key not in MAPS and key not in LISTS}
        needed = {name for name in as_array(around.get("required")) if isinstance(name, str)}
        terse_ones = {name: terse(item) for name, item in as_object(schema["properties"]).items()}
        limit = room - len(dump_json(around)) - 60
        shown, rest = self._most_useful(terse_ones, limit=limit, required=needed)
        if not shown:
            return None
        if rest is None:
            return _Part({**around, "properties": shown})
        return _Part({**around, "properties": shown, "additionalProperties": rest})

    def _fits(self, part: "_Part", room: int, asked: set[str]) -> bool:
        size = part.size + _LONGEST_NAME
        return size <= room and size + self._stubs_of(part.refs - asked) <= room

    def _stubs_of(self, names: Iterable[str]) -> int:
        return sum(self._cost(name) for name in names)

    def _cost(self, name: str) -> int:
        if name not in self._costs:
            self._costs[name] = len(dump_json(self._stub(name))) + len(name) + _AROUND_NAME
        return self._costs[name]

    def _stub(self, name: str) -> Json:
        if name not in self._stubs:
            self._stubs[name] = stub(self.source.schema_of(name))
        return self._stubs[name]


class _Part:
    """A schema with what it costs to show it, found out when it is asked for."""

    def __init__(self, schema: Json) -> None:
        self.schema = schema

    @cached_property
    def size(self) -> int:
        """Characters as JSON."""
        return len(dump_json(self.schema))

    @cached_property
    def refs(self) -> set[str]:
        """Names of the definitions that it refers to."""
        return referred(self.schema)

    @cached_property
    def shallow(self) -> "tuple[_Part, ...]":
        """The same with less and less depth."""
        return tuple(_Part(_shallow(self.schema, depth)) for depth in _LESS_AND_LESS)


def _rank(name: str, schema: Json, required: Collection[str]) -> tuple[bool, bool, bool]:
    """Required ones first, then those that are described, then simple ones."""
    known = as_object(schema)
    simple = known.get("type") in _SCALARS or "enum" in known
    return name not in required, "deprecated" in known, not ("description" in known or simple)


def _loosened(schema: Json) -> Json:
    """The schema without what would refuse more once its parts are folded."""
    if not isinstance(schema, dict):
        return schema
    out: JsonObject = {}
    for key, value in schema.items():
        if key in _DROPPED:
            continue
        if key == "not":
            if len(dump_json(value)) <= _LONGEST_KEPT and not referred(value) and not _has_parts(value):
                out[key] = value
        elif key in NESTING:
            out[key] = _loosened(value)
        elif key in LISTS and isinstance(value, list):
            out["anyOf" if key == "oneOf" and "anyOf" not in schema else key] = [_loosened(i) for i in value]
        elif key in MAPS and isinstance(value, dict):
            out[key] = {name: _loosened(item) for name, item in value.items()}
        else:
            out[key] = value
    return _without_both(out)


def _without_both(schema: JsonObject) -> JsonObject:
    """Where `anyOf` and `oneOf` stand together, the second is said by an `allOf`."""
    options = schema.pop("oneOf", None)
    if options is None:
        return schema
    parts = schema.get("allOf")
    return {**schema, "allOf": [*(parts if isinstance(parts, list) else []), {"anyOf": options}]}


def _has_parts(schema: Json) -> bool:
    return isinstance(schema, dict) and bool(schema.keys() & {*NESTING, *LISTS, *MAPS})


def _shallow(schema: Json, depth: int) -> Json:
    """The schema with everything below `depth` levels folded."""
    if not isinstance(schema, dict) or "$ref" in schema:
        return schema
    if depth == 0 and _has_parts(schema):
        return stub(schema)
    out: JsonObject = {}
    for key, value in schema.items():
        if key in NESTING:
            out[key] = _shallow(value, depth - 1)
        elif key in LISTS and isinstance(value, list):
            out[key] = [_shallow(item, depth - 1) for item in value]
        elif key in MAPS and isinstance(value, dict):
            out[key] = {name: _shallow(item, depth - 1) for name, item in value.items()}
        else:
            out[key] = value
    return out


class Listed:
    """Definitions as a schema lists them under `$defs`.

    Args:
        listed: Definitions by name.
    """

    def __init__(self, listed: Mapping[str, Json]) -> None:
        self._listed = listed

    def definitions_within(self, refs: Iterable[str], room: int | None) -> dict[str, Json] | None:
        """All that the named ones reach; None when they have more than `room` characters."""
        reached: dict[str, Json] = {}
        queue = deque(sorted(refs))
        while queue:
            name = queue.popleft()
            if name in reached:
                continue
            schema = reached[name] = self.schema_of(name)
            if room is not None:
                room -= len(dump_json(schema)) + len(name) + _AROUND_NAME
                if room < 0:
                    return None
            queue.extend(sorted(referred(schema) - reached.keys()))
        return reached

    def schema_of(self, name: str) -> Json:
        """One definition; one that is not listed says nothing."""
        return self._listed.get(name, {})
