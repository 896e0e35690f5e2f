"""Schemas in requests of the dialect anthropic-messages: the part that is enforced, and the way into it."""

import json
from dataclasses import replace

import pytest
from anthropic import transform_schema
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy

from interlock_core import CompletionRequest, Json, JsonObject, ResponseFormat, ToolSpec
from interlock_core.jsontypes import as_array, as_object
from interlock_core.messages import user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("anthropic-messages")
TARGET = Target(provider="vendor", model="claude-nova-9")
ASKED = CompletionRequest(model="x", messages=(user("hi"),), max_tokens=100)


def asked(schema: JsonObject) -> Rendered:
    """The request for an answer of that schema."""
    return CODEC.render_request(
        replace(ASKED, response_format=ResponseFormat(schema=schema)), TARGET, stream=False
    )


def told(sent: Rendered) -> JsonObject:
    """The schema that the vendor is to enforce."""
    config = as_object(as_object(json.loads(sent.body))["output_config"])
    return as_object(as_object(config["format"])["schema"])


def properties(**parts: Json) -> JsonObject:
    """An object of these properties."""
    return {"type": "object", "properties": {**parts}}


CHANGED: list[tuple[Json, JsonObject, str]] = [
    ({"type": "integer", "minimum": 1}, {"type": "integer", "description": '{"minimum":1}'}, "minimum"),
    (
        {"type": "string", "pattern": "^a", "description": "A word."},
        {"type": "string", "description": 'A word.\n\n{"pattern":"^a"}'},
        "pattern",
    ),
    ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}, ""),
    (
        {"type": "string", "format": "iban"},
        {"type": "string", "description": '{"format":"iban"}'},
        "format",
    ),
    (
        {"oneOf": [{"type": "string"}, {"type": "null"}]},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "oneOf",
    ),
    ({"type": ["string", "null"]}, {"type": ["string", "null"]}, ""),
    ({"enum": ["a", 1, None]}, {"enum": ["a", 1, None]}, ""),
    ({"type": "string", "const": "a"}, {"type": "string", "const": "a"}, ""),
    (
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "",
    ),
    (
        {"items": {"type": "string"}, "minItems": 2},
        {"type": "array", "items": {"type": "string"}, "description": '{"minItems":2}'},
        "minItems",
    ),
    (
        {"properties": {"b": {"type": "null"}}, "additionalProperties": True, "required": ["b", "gone"]},
        {
            "type": "object",
            "properties": {"b": {"type": "null"}},
            "additionalProperties": False,
            "required": ["b"],
        },
        "additionalProperties",
    ),
    (
        {"allOf": [{"type": "string"}, {"enum": ["a"]}]},
        {"allOf": [{"type": "string"}, {"enum": ["a"]}]},
        "",
    ),
]


@pytest.mark.promise("P3")
@pytest.mark.parametrize(("part", "expected", "moved"), CHANGED)
def test_a_schema_changes_as_little_as_the_vendor_allows(
    part: Json, expected: JsonObject, moved: str
) -> None:
    """What is enforced stays; the rest stands in a description, and that is said."""
    sent = asked(properties(a=part))
    assert as_object(told(sent)["properties"])["a"] == expected
    assert [sentence.partition(" of ")[0] for sentence in sent.adapted] == ([moved] if moved else [])


def test_objects_that_must_hold_together_become_one() -> None:
    """Each alone would be closed to the properties of the others."""
    schema: JsonObject = {
        **properties(a={"allOf": [{"$ref": "#/$defs/x"}, properties(c={"type": "null"})], "title": "A"}),
        "$defs": {"x": {**properties(b={"type": "string"}), "required": ["b"]}},
    }
    assert as_object(told(asked(schema))["properties"])["a"] == {
        "title": "A",
        "type": "object",
        "properties": {"b": {"type": "string"}, "c": {"type": "null"}},
        "additionalProperties": False,
        "required": ["b"],
    }


def test_what_is_said_beside_a_reference_is_not_lost() -> None:
    """The reference becomes the one alternative of what is said beside it."""
    schema: JsonObject = {
        **properties(a={"$ref": "#/$defs/x", "description": "Which."}),
        "$defs": {"x": {"type": "string"}},
    }
    assert as_object(told(asked(schema))["properties"])["a"] == {
        "anyOf": [{"$ref": "#/$defs/x"}],
        "description": "Which.",
    }


def test_references_into_the_schema_stay() -> None:
    """Definitions are changed where they stand."""
    schema: JsonObject = {
        **properties(a={"$ref": "#/$defs/part~1s"}, b={"$ref": "#/$defs/part~1s"}),
        "$defs": {"part/s": properties(n={"type": "integer"})},
        "$schema": "https://json-schema.org/draft/2020-12/schema",
    }
    sent = asked(schema)
    assert as_object(told(sent)["$defs"])["part/s"] == {
        **properties(n={"type": "integer"}),
        "additionalProperties": False,
    }
    assert "$schema" not in told(sent)
    assert sent.adapted == ()


def nested(depth: int) -> JsonObject:
    """An object within an object within an object, so often."""
    made: JsonObject = properties()
    for _ in range(depth):
        made = properties(a=made)
    return made


UNFIT: list[tuple[JsonObject, str]] = [
    ({}, "it leaves a type open"),
    (properties(a=True), "it leaves a type open"),
    (properties(a={"description": "any"}), "it leaves a type open"),
    (properties(a={"type": "array"}), "it leaves the items of an array open"),
    (properties(a={"type": "date"}), "it names a type that JSON Schema has not"),
    (properties(a={"type": "object"}), "it allows properties of any name"),
    (
        {"type": "object", "additionalProperties": {"type": "string"}, "properties": {}},
        "it allows properties of any name",
    ),
    (properties(a={"type": "object", "patternProperties": {"^x": {}}, "properties": {}}), "of any name"),
    (properties(next={"$ref": "#"}), "it recurs"),
    (
        {
            **properties(a={"$ref": "#/$defs/a"}),
            "$defs": {"a": properties(b={"type": "array", "items": {"$ref": "#/$defs/a"}})},
        },
        "it recurs",
    ),
    (properties(a={"$ref": "https://example.org/a.json"}), "it refers to something outside itself"),
    (properties(a={"$ref": "#/$defs/gone"}), "it refers to something that is not there"),
    (
        properties(a={"allOf": [properties(b={"type": "string"}), {"minProperties": 1}]}),
        "it joins objects with more than their properties",
    ),
    (
        properties(a={"allOf": [properties(b={"type": "string"}), properties(b={"type": "null"})]}),
        "it joins objects that describe a property differently",
    ),
    (
        properties(a={**properties(b={"type": "string"}), "anyOf": [properties(c={"type": "string"})]}),
        "it has properties and alternatives at one place",
    ),
    (nested(70), "it is nested too deeply"),
    (nested(400), "it is nested too deeply"),
]


@pytest.mark.promise("P3")
@pytest.mark.parametrize(("schema", "why"), UNFIT)
def test_a_schema_that_would_mean_something_else_is_asked_for_in_words(schema: JsonObject, why: str) -> None:
    """The answer keeps its form, though nobody enforces it; the reason is said."""
    sent = asked(schema)
    body = as_object(json.loads(sent.body))
    assert "output_config" not in body
    assert "JSON Schema" in str(body["system"])
    assert why in sent.adapted[0]


def test_no_more_is_enforced_than_one_request_may_hold() -> None:
    """Optional properties and unions are counted over all strict tools.

    The second tool has four optional properties left; null leaves out the others, which makes them unions.
    """
    text: Json = {"type": "string"}
    wide = properties(**{f"p{n}": text for n in range(20)})
    either: JsonObject = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    unions = properties(**{f"u{n}": either for n in range(17)})
    unions["required"] = [*as_object(unions["properties"])]
    tools = tuple(
        ToolSpec(name=name, parameters=schema, strict=True)
        for name, schema in (("a", wide), ("b", wide), ("b2", wide), ("c", unions), ("d", properties()))
    )
    sent = CODEC.render_request(replace(ASKED, tools=tools), TARGET, stream=False)
    listed = [as_object(tool) for tool in as_array(as_object(json.loads(sent.body))["tools"])]
    assert [tool.get("strict") for tool in listed] == [True, True, None, None, True]
    assert len(sent.adapted) == 2


LEAVES: list[JsonObject] = [
    {"type": "string"},
    {"type": "string", "format": "uuid", "title": "T"},
    {"type": "integer"},
    {"type": "number"},
    {"type": "boolean"},
    {"type": "null"},
    {"enum": ["a", "b"]},
    {"const": 3},
]


def wrapped(parts: dict[str, JsonObject]) -> JsonObject:
    """An object of these properties, the first of them required."""
    first: list[Json] = []
    first.extend([*parts][:1])
    return {**properties(**parts), "required": first} if parts else properties()


def listed(part: JsonObject) -> JsonObject:
    """An array of this."""
    return {"type": "array", "items": part}


def chosen(word: str, parts: list[JsonObject]) -> JsonObject:
    """Alternatives."""
    return {word: [*parts]}


PARTS: Strategy[JsonObject] = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.builds(wrapped, st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)),
        st.builds(listed, inner),
        st.builds(chosen, st.sampled_from(["anyOf", "oneOf"]), st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=6,
)


@given(PARTS)
def test_a_schema_becomes_what_the_official_sdk_would_send(part: JsonObject) -> None:
    """Where both can say it, the vendor is asked for the same."""
    ours = as_object(told(asked(properties(a=part)))["properties"])["a"]
    theirs: dict[str, object] = transform_schema({**part})
    assert ours == theirs


ODD: Strategy[Json] = st.recursive(
    st.sampled_from([None, True, 0, "object", "array", "a", "#/$defs/a"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "properties",
                    "required",
                    "items",
                    "anyOf",
                    "allOf",
                    "enum",
                    "format",
                    "$ref",
                    "$defs",
                    "a",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["type", "properties", "anyOf", "allOf", "required", "$defs"]), ODD))
def test_no_schema_makes_the_writer_fail(schema: JsonObject) -> None:
    """Enforced or in words, of the answer or of a strict tool: a request comes out."""
    assert as_object(json.loads(asked(schema).body))["messages"]
    tool = ToolSpec(name="f", parameters=schema, strict=True)
    sent = CODEC.render_request(replace(ASKED, tools=(tool,)), TARGET, stream=False)
    assert as_object(as_array(as_object(json.loads(sent.body))["tools"])[0])["name"] == "f"
