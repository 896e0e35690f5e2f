"""The part of JSON Schema that the vendor enforces, and the narrowest change into it.

Enforced are types, properties, required, items, enum, const, anyOf, allOf, inner references, some string
formats, and `minItems` of 0 or 1; every object is closed. What else a schema says is moved into its
description, where the model reads it. A schema that would mean something else then is not fit at all:
one that recurs, that leaves a type open, or that is a map from free names to values.
"""

from dataclasses import dataclass, field

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text, dump_json

_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_PLAIN = ("title", "required", "type")
_MUTE = frozenset({"$schema", "$id", "$comment", "definitions", "$defs", "description", *_PLAIN})
_OBJECT = frozenset({"type", "properties", "required", "title", "description", "additionalProperties"})
_DATA = frozenset({"$defs", "definitions", "enum", "const", "default", "examples"})
_DEEPEST = 64


class UnfitError(ValueError):
    """The schema cannot be enforced; the text says why."""


@dataclass(slots=True)
class Fitted:
    """A schema in the vendor's part of the language.

    Attributes:
        whole: The schema as it was, which its references lead into.
        schema: The schema.
        moved: Keywords that are not enforced and stand in descriptions.
        optional: How many properties are optional.
        unions: How many places take more than one type.
    """

    whole: JsonObject = field(default_factory=dict[str, Json])
    schema: JsonObject = field(default_factory=dict[str, Json])
    moved: set[str] = field(default_factory=set[str])
    optional: int = 0
    unions: int = 0


def fit(schema: JsonObject) -> Fitted:
    """The schema as the vendor can enforce it.

    Raises:
        UnfitError: It cannot, without meaning something else.
    """
    fitted = Fitted(whole=schema)
    _References(schema).walk(schema)
    fitted.schema = _fit(schema, fitted, 0)
    return fitted


def _fit(value: Json, fitted: Fitted, depth: int) -> JsonObject:
    if not isinstance(value, dict):
        raise UnfitError("it leaves a type open")
    if depth > _DEEPEST:
        raise UnfitError("it is nested too deeply")
    made: JsonObject = {}
    for name in ("$defs", "definitions"):
        if name in value:
            inner = as_object(value[name])
            made[name] = {key: _fit(part, fitted, depth + 1) for key, part in inner.items()}
    if isinstance(value.get("$ref"), str):
        value = _referring(value)
        if "$ref" in value:
            return {**made, "$ref": value["$ref"]}
    value = _joined(value, fitted.whole)
    taken = set(_MUTE)
    made.update({name: value[name] for name in ("type", "title") if name in value})
    taken |= _fit_choices(value, made, fitted, depth)
    kinds = _kinds(value, made)
    if "object" in kinds:
        taken |= _fit_object(value, made, fitted, depth)
    if "array" in kinds:
        taken |= _fit_array(value, made, fitted, depth)
    if "string" in kinds and as_text(value.get("format")) in _FORMATS:
        made["format"] = value["format"]
        taken.add("format")
    _describe(value, made, taken, fitted)
    return made


def _referring(value: JsonObject) -> JsonObject:
    """A reference alone, or as the one alternative of what is said beside it: the vendor drops that else."""
    beside: JsonObject = {
        name: part for name, part in value.items() if name not in {"$ref", "$defs", "definitions", "$comment"}
    }
    reference: JsonObject = {"$ref": value["$ref"]}
    return {**beside, "anyOf": [reference]} if beside and "anyOf" not in beside else reference


def _joined(value: JsonObject, whole: JsonObject) -> JsonObject:
    """Objects that must all hold as one object: each alone would be closed to the others."""
    parts = value.get("allOf")
    if not isinstance(parts, list):
        return value
    branches = [_joined(_branch(whole, part), whole) for part in parts]
    rest: JsonObject = {name: part for name, part in value.items() if name != "allOf"}
    if not any("properties" in branch for branch in (rest, *branches)):
        return {**rest, "allOf": [*branches]}
    properties: JsonObject = {}
    required: list[Json] = []
    for branch in (rest, *branches):
        if branch is not rest and branch.keys() - _OBJECT:
            raise UnfitError("it joins objects with more than their properties")
        for name, part in as_object(branch.get("properties")).items():
            if properties.setdefault(name, part) != part:
                raise UnfitError("it joins objects that describe a property differently")
        required += [name for name in as_array(branch.get("required")) if name not in required]
    return {**rest, "type": "object", "properties": properties, "required": required}


def _fit_choices(value: JsonObject, made: JsonObject, fitted: Fitted, depth: int) -> set[str]:
    """Alternatives, values and what must all hold; the keywords that were understood."""
    taken: set[str] = set()
    if all(_is_plain(item) for item in as_array(value.get("enum"))) and value.get("enum"):
        made["enum"] = value["enum"]
        taken.add("enum")
    if "const" in value and _is_plain(value["const"]):
        made["const"] = value["const"]
        taken.add("const")
    for name, wire in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
        parts = value.get(name)
        if not isinstance(parts, list) or wire in made:
            continue
        if wire == "anyOf" and "properties" in value:
            raise UnfitError("it has properties and alternatives at one place")
        made[wire] = [_fit(part, fitted, depth + 1) for part in parts]
        taken.add(name)
        if wire == "anyOf":
            fitted.unions += 1
        if name == "oneOf":
            fitted.moved.add("oneOf")
    return taken


def _kinds(value: JsonObject, made: JsonObject) -> set[str]:
    """The types that a schema allows; said aloud where they are only implied."""
    told = value.get("type")
    if isinstance(told, list):
        kinds = {kind for kind in told if isinstance(kind, str)}
    elif isinstance(told, str):
        kinds = {told}
    elif made.keys() & {"enum", "const", "anyOf", "allOf"}:
        return {"object"} if "properties" in value else set()
    elif "properties" in value or "items" in value:
        kinds = {"object" if "properties" in value else "array"}
        made["type"] = next(iter(kinds))
    else:
        raise UnfitError("it leaves a type open")
    if not kinds or not kinds <= _TYPES:
        raise UnfitError("it names a type that JSON Schema has not")
    return kinds


def _fit_object(value: JsonObject, made: JsonObject, fitted: Fitted, depth: int) -> set[str]:
    properties = as_object(value.get("properties"))
    more = value.get("additionalProperties")
    if value.get("patternProperties") or (not properties and (more is not False) and more is not None):
        raise UnfitError("it allows properties of any name")
    if not properties and more is None and "properties" not in value:
        raise UnfitError("it allows properties of any name")
    made["properties"] = {name: _fit(part, fitted, depth + 1) for name, part in properties.items()}
    made["additionalProperties"] = False
    required = [name for name in map(as_text, as_array(value.get("required"))) if name in properties]
    if required:
        made["required"] = [*required]
    fitted.optional += len(properties) - len(required)
    if more not in (None, False):
        fitted.moved.add("additionalProperties")
    return {"properties", "additionalProperties", "required"}


def _fit_array(value: JsonObject, made: JsonObject, fitted: Fitted, depth: int) -> set[str]:
    if "items" not in value:
        raise UnfitError("it leaves the items of an array open")
    made["items"] = _fit(value["items"], fitted, depth + 1)
    taken = {"items"}
    if value.get("minItems") in (0, 1):
        made["minItems"] = value["minItems"]
        taken.add("minItems")
    return taken


def _describe(value: JsonObject, made: JsonObject, taken: set[str], fitted: Fitted) -> None:
    """Tell the model in words what is not enforced."""
    if isinstance(value.get("type"), list):
        fitted.unions += 1
    left = {name: part for name, part in value.items() if name not in taken}
    said = value.get("description")
    texts = [said] if isinstance(said, str) and said else []
    if left:
        fitted.moved |= left.keys()
        texts.append(dump_json(left))
    if texts:
        made["description"] = "\n\n".join(texts)


def _is_plain(value: Json) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


@dataclass(slots=True)
class _References:
    """Follows the references of a schema: each must lead into it, and none back to where it stands."""

    schema: JsonObject
    finished: set[str] = field(default_factory=set[str])

    def walk(self, value: Json, within: frozenset[str] = frozenset(), depth: int = 0) -> None:
        if depth > 4 * _DEEPEST:
            raise UnfitError("it is nested too deeply")
        if isinstance(value, list):
            for item in value:
                self.walk(item, within, depth + 1)
            return
        members = as_object(value)
        ref = members.get("$ref")
        if isinstance(ref, str):
            self._follow(ref, within, depth)
        for name, part in members.items():
            if name not in _DATA:
                self.walk(part, within, depth + 1)

    def _follow(self, ref: str, within: frozenset[str], depth: int) -> None:
        if ref in within or ref == "#":
            raise UnfitError("it recurs")
        if ref not in self.finished:
            self.walk(_resolved(self.schema, ref), within | {ref}, depth + 1)
            self.finished.add(ref)


def _resolved(schema: JsonObject, ref: str) -> Json:
    if not ref.startswith("#/"):
        raise UnfitError("it refers to something outside itself")
    found: Json = schema
    for step in ref[2:].split("/"):
        found = as_object(found).get(step.replace("~1", "/").replace("~0", "~"))
    if found is None:
        raise UnfitError("it refers to something that is not there")
    return found


def _branch(schema: JsonObject, part: Json) -> JsonObject:
    """A part, or what it refers to."""
    ref = as_object(part).get("$ref")
    return as_object(_resolved(schema, ref) if isinstance(ref, str) else part)
