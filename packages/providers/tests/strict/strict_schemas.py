"""Schemas of every kind, each with values that fit it, and values that fit a narrowed schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from hypothesis.strategies import SearchStrategy as Strategy

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object

NAMES = st.sampled_from(["a", "b", "c", "$top", "filter[x]", "value", "name", "ä"])
TEXTS = st.text('ab1 "\\é', max_size=4)
NUMBERS = st.integers(-9, 9) | st.floats(-9, 9, allow_nan=False)
SCALARS: Strategy[Json] = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES: Strategy[Json] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
TREE: JsonObject = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "next": {"$ref": "#/$defs/Tree"},
        "many": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
        "either": {"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}]},
    },
    "required": ["name"],
}
CAT: JsonObject = {
    "type": "object",
    "properties": {"kind": {"const": "cat"}, "lives": {"type": ["integer", "null"]}},
    "required": ["kind"],
}
DOG: JsonObject = {
    "type": "object",
    "properties": {"kind": {"enum": ["dog", "wolf"]}, "lives": {"type": "integer"}},
    "required": ["kind"],
}
DEFINITIONS: JsonObject = {"Tree": TREE, "Cat": CAT, "Dog": DOG}


@dataclass(frozen=True, slots=True)
class Made:
    """A schema and what makes values that fit it, or nearly."""

    schema: JsonObject
    values: Strategy[Json]


def exact(
    required: Mapping[str, Strategy[Json]], optional: Mapping[str, Strategy[Json]] | None = None
) -> Strategy[Json]:
    """Objects with some of the optional properties."""
    return st.fixed_dictionaries({**required}, optional={**(optional or {})})


def trees() -> Strategy[Json]:
    """Values of the definition `Tree`."""
    return st.recursive(exact({"name": TEXTS}), _branches, max_leaves=4)


def _branches(inner: Strategy[Json]) -> Strategy[Json]:
    many: Strategy[Json] = st.lists(inner, max_size=2)
    return exact({"name": TEXTS}, {"next": inner, "many": many, "either": st.none() | inner})


def scalars() -> Strategy[Made]:
    """Schemas of scalar values."""
    texts: Strategy[Json] = TEXTS
    return st.sampled_from(
        [
            Made({"type": "string"}, texts),
            Made({"type": "string", "minLength": 1, "maxLength": 3, "description": "short"}, texts),
            Made({"type": "string", "pattern": "^a"}, texts),
            Made({"type": "string", "pattern": "^(?!a)"}, texts),
            Made({"type": "string", "format": "date"}, st.just("2026-11-23")),
            Made({"type": "string", "format": "uri"}, st.just("https://example.org/")),
            Made({"type": "integer", "minimum": 0, "default": 3}, st.integers(-2, 5)),
            Made({"type": "number"}, NUMBERS),
            Made({"type": "boolean"}, st.booleans()),
            Made({"type": "null"}, st.none()),
            Made({"type": ["string", "null"]}, st.none() | texts),
            Made({"type": ["integer", "string", "boolean"]}, st.integers() | texts | st.booleans()),
            Made({}, VALUES),
            Made({"minLength": 2}, VALUES),
            Made({"enum": ["a", "b", None]}, st.sampled_from(["a", "b", None])),
            Made({"enum": [1, 2.5, "a"]}, st.sampled_from([1, 2.5, "a"])),
            Made({"enum": [{"x": 1}, [1], "s"]}, st.sampled_from([{"x": 1}, [1], "s"])),
            Made({"const": "only"}, st.just("only")),
            Made({"const": True}, st.just(True)),
            Made({"type": "string", "enum": ["x"], "nullable": True}, st.just("x")),
        ]
    )


def referring() -> Strategy[Made]:
    """Schemas that refer to definitions."""
    cats = exact({"kind": st.just("cat")}, {"lives": st.none() | st.integers(0, 9)})
    dogs = exact({"kind": st.sampled_from(["dog", "wolf"])}, {"lives": st.integers(0, 9)})
    return st.sampled_from(
        [
            Made({"$ref": "#/$defs/Tree"}, trees()),
            Made({"$ref": "#/$defs/Tree", "description": "A tree."}, trees()),
            Made({"oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]}, cats | dogs),
            Made({"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Tree"}]}, cats | trees()),
            Made({"allOf": [{"$ref": "#/$defs/Cat"}, {"required": ["lives"]}]}, cats),
        ]
    )


@st.composite
def lists(draw: DrawFn, inner: Strategy[Made]) -> Made:
    """Lists of one kind, and lists whose first items differ."""
    item = draw(inner)
    made = draw(st.sampled_from(["plain", "bounded", "tuple", "open"]))
    if made == "plain":
        return Made({"type": "array", "items": item.schema}, st.lists(item.values, max_size=3))
    if made == "bounded":
        schema: JsonObject = {"type": "array", "items": item.schema, "minItems": 1, "uniqueItems": True}
        return Made(schema, st.lists(item.values, min_size=1, max_size=2))
    if made == "open":
        return Made({"type": "array"}, st.lists(VALUES, max_size=2))
    other = draw(inner)
    least = draw(st.integers(0, 2))
    schema = {"type": "array", "prefixItems": [item.schema, other.schema], "minItems": least}
    rest = draw(st.booleans())
    if not rest:
        schema["items"] = False
    whole: Strategy[Json] = st.tuples(item.values, other.values).map(lambda pair: [*pair])
    longer: Strategy[Json] = st.tuples(item.values, other.values, VALUES).map(lambda items: [*items])
    short: Strategy[Json] = item.values.map(lambda value: [value])
    return Made(schema, whole | (short if least < 2 else whole) | (longer if rest else whole))


@st.composite
def objects(draw: DrawFn, inner: Strategy[Made]) -> Made:
    """Objects of properties, maps, and both."""
    parts = draw(st.dictionaries(NAMES, inner, max_size=3))
    required = [name for name in parts if draw(st.booleans())]
    schema: JsonObject = {"type": "object", "properties": {name: made.schema for name, made in parts.items()}}
    if required:
        schema["required"] = [*required]
    values: Strategy[Json] = st.fixed_dictionaries(
        {name: parts[name].values for name in required},
        optional={name: made.values for name, made in parts.items() if name not in required},
    )
    more = draw(st.sampled_from(["none", "closed", "typed", "free", "patterns", "limits"]))
    if more == "closed":
        schema["additionalProperties"] = False
    if more == "limits":
        schema["minProperties"] = 1
        schema["propertyNames"] = {"maxLength": 3}
    if more not in {"typed", "free", "patterns"}:
        return Made(schema, values)
    beyond = draw(inner) if more != "free" else Made({}, VALUES)
    if more == "patterns":
        schema["patternProperties"] = {"^x-": beyond.schema}
        schema["additionalProperties"] = False
    else:
        schema["additionalProperties"] = beyond.schema if more == "typed" else True
    extra = st.dictionaries(st.sampled_from(["x-1", "x-ä"]), beyond.values, max_size=2)
    return Made(schema, st.tuples(values, extra).map(lambda pair: {**pair[1], **as_object(pair[0])}))


@st.composite
def choices(draw: DrawFn, inner: Strategy[Made]) -> Made:
    """Alternatives, and schemas that must all hold."""
    options = draw(st.lists(inner, min_size=1, max_size=3))
    word = draw(st.sampled_from(["anyOf", "oneOf"]))
    schema: JsonObject = {word: [option.schema for option in options], "description": "One of them."}
    return Made(schema, st.one_of([option.values for option in options]))


def schemas() -> Strategy[Made]:
    """Schemas of every kind."""
    return st.recursive(
        scalars() | referring(),
        lambda inner: lists(inner) | objects(inner) | choices(inner),
        max_leaves=5,
    )


@st.composite
def arguments(draw: DrawFn) -> tuple[JsonObject, Json]:
    """The schema of a tool's arguments, and arguments that fit it, or nearly."""
    made = draw(objects(schemas()) | choices(objects(schemas())))
    schema: JsonObject = {**made.schema, "$defs": DEFINITIONS}
    return schema, draw(made.values)


def closed(schema: Json) -> Json:
    """The schema as it is read: an object that names properties has no others unless it says so."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made: JsonObject = {
        word: part if word in {"enum", "const", "default"} else closed(part) for word, part in schema.items()
    }
    for word in ("properties", "patternProperties", "$defs"):
        if word in schema:
            made[word] = {name: closed(part) for name, part in as_object(schema[word]).items()}
    if "properties" in schema and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def written(schema: JsonObject) -> Strategy[Json]:
    """What a model that is held to a narrowed schema may write; constraints are left to chance."""
    return _written(schema, as_object(schema.get("$defs")), 0)


def _written(schema: Json, definitions: JsonObject, depth: int) -> Strategy[Json]:
    node = as_object(schema)
    if "$ref" in node:
        target = definitions[str(node["$ref"]).removeprefix("#/$defs/")]
        return st.deferred(lambda: _written(target, definitions, depth + 1))
    if "anyOf" in node:
        # Beyond some depth the last alternative, which is null where there is one, ends the recursion.
        options = as_array(node["anyOf"])[-1:] if depth > 4 else as_array(node["anyOf"])
        return st.one_of([_written(option, definitions, depth) for option in options])
    if "enum" in node:
        return st.sampled_from(as_array(node["enum"]))
    if "const" in node:
        return st.just(node["const"])
    kinds = as_array(node["type"]) if isinstance(node["type"], list) else [node["type"]]
    return st.one_of([_of_kind(node, str(kind), definitions, depth) for kind in kinds])


def _of_kind(node: JsonObject, kind: str, definitions: JsonObject, depth: int) -> Strategy[Json]:
    if kind == "object":
        properties = as_object(node["properties"])
        needed: Sequence[Json] = as_array(node.get("required"))
        made = {name: _written(part, definitions, depth + 1) for name, part in properties.items()}
        optional = {name: part for name, part in made.items() if name not in needed and depth < 4}
        return st.fixed_dictionaries(
            {name: part for name, part in made.items() if name in needed}, optional=optional
        )
    if kind == "array":
        most = 2 if depth < 4 else 0
        return st.lists(_written(node["items"], definitions, depth + 1), max_size=most)
    plain: dict[str, Strategy[Json]] = {
        "string": TEXTS | VALUES.map(str) | st.just('{"a":1}'),
        "integer": st.integers(-9, 9),
        "number": NUMBERS,
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return plain[kind]
