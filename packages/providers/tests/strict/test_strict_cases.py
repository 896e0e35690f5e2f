"""Strict mode, case by case: what the vendor is shown, and how arguments are written there."""

import pytest

from interlock_core import Json, JsonObject, ToolSpec
from interlock_core.jsontypes import as_array, as_object
from interlock_providers.codecs import Strictness, strictness
from interlock_providers.codecs._strict._fit import Fit, Grade, fit
from interlock_providers.codecs._strict._forms import UnfitError
from interlock_providers.codecs.anthropic_messages._strictness import STRICT_RULES as ANTHROPIC
from interlock_providers.codecs.cohere_chat._strictness import STRICT_RULES as COHERE
from interlock_providers.codecs.openai_chat._strictness import STRICT_RULES as OPENAI
from interlock_providers.testing import broken_strict_rules

ABSENT: Json = {"a": None}


def arguments(schema: Json, *, required: bool = False, **more: Json) -> JsonObject:
    """The schema of arguments of which `a` has that schema."""
    made: JsonObject = {"type": "object", "properties": {"a": schema}, **more}
    return {**made, "required": ["a"]} if required else made


def openai(schema: JsonObject) -> Fit:
    """The fit for OpenAI, which keeps every rule."""
    found = fit(schema, OPENAI)
    assert broken_strict_rules(found.schema, "openai") == []
    return found


def shown(found: Fit, name: str = "a") -> JsonObject:
    """What the vendor is shown of an argument."""
    return as_object(as_object(found.schema["properties"])[name])


def both_ways(found: Fit, value: Json, wire: Json) -> None:
    """The value is written so, and read back as it was."""
    form = found.form
    assert (value if form is None else form.encode(value)) == wire
    assert (wire if form is None else form.decode(wire)) == value


def wrapped(value: Json) -> Json:
    """A value where null says that there is none."""
    return {"a": {"value": value}}


CASES: list[tuple[str, JsonObject, list[tuple[Json, Json]]]] = [
    ("required", arguments({"type": "string"}, required=True), [({"a": "x"}, {"a": "x"})]),
    ("optional", arguments({"type": "string"}), [({"a": "x"}, {"a": "x"}), ({}, ABSENT)]),
    (
        "optional and nullable",
        arguments({"type": ["string", "null"]}),
        [({"a": "x"}, wrapped("x")), ({"a": None}, wrapped(None)), ({}, ABSENT)],
    ),
    (
        "free",
        arguments({}),
        [
            ({"a": {"b": 1}}, {"a": '{"b":1}'}),
            ({"a": "x"}, {"a": '"x"'}),
            ({"a": None}, {"a": "null"}),
            ({}, ABSENT),
        ],
    ),
    (
        "map",
        arguments({"type": "object", "additionalProperties": {"type": "integer"}}, required=True),
        [({"a": {"x": 1}}, {"a": [{"name": "x", "value": 1}]}), ({"a": {}}, {"a": []})],
    ),
    (
        "map of anything",
        arguments({"type": "object"}, required=True),
        [({"a": {"x": [1]}}, {"a": [{"name": "x", "value": "[1]"}]})],
    ),
    (
        "properties and more",
        arguments({"type": "string"}, required=True, additionalProperties={"type": "boolean"}),
        [({"a": "x", "b": True}, {"a": "x", "additional_properties": [{"name": "b", "value": True}]})],
    ),
    (
        "names by pattern",
        arguments({"type": "object", "patternProperties": {"^x-": {"type": "string"}}}, required=True),
        [({"a": {"x-b": "c"}}, {"a": [{"name": "x-b", "value": "c"}]})],
    ),
    (
        "tuple",
        arguments(
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False}
        ),
        [
            ({"a": ["x", 1]}, {"a": {"item_1": "x", "item_2": 1}}),
            ({"a": ["x"]}, {"a": {"item_1": "x", "item_2": None}}),
            ({"a": []}, {"a": {"item_1": None, "item_2": None}}),
        ],
    ),
    (
        "longer tuple",
        arguments({"type": "array", "prefixItems": [{"type": "string"}], "minItems": 1}, required=True),
        [({"a": ["x", 2]}, {"a": {"item_1": "x", "further_items": ["2"]}})],
    ),
    (
        "objects enumerated",
        arguments({"enum": [{"b": 1}, "x"]}, required=True),
        [({"a": {"b": 1}}, {"a": '{"b":1}'}), ({"a": "x"}, {"a": '"x"'})],
    ),
    (
        "all of",
        arguments(
            {
                "allOf": [
                    {"properties": {"b": {"type": "string"}}, "required": ["b"]},
                    {"type": "object", "properties": {"c": {"type": "integer"}}},
                ]
            },
            required=True,
        ),
        [({"a": {"b": "x"}}, {"a": {"c": None, "b": "x"}})],
    ),
    (
        "one of objects told apart by a word",
        arguments(
            {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {"k": {"const": "x"}, "n": {"type": "integer"}},
                        "required": ["k"],
                    },
                    {
                        "type": "object",
                        "properties": {"k": {"const": "y"}, "n": {"type": "null"}},
                        "required": ["k"],
                    },
                ]
            },
            required=True,
        ),
        [
            ({"a": {"k": "x"}}, {"a": {"k": "x", "n": None}}),
            ({"a": {"k": "y"}}, {"a": {"k": "y", "n": None}}),
        ],
    ),
    (
        "one of what looks the same",
        arguments({"oneOf": [{"type": "string", "title": "Word"}, {"type": "array"}, {}]}, required=True),
        [
            ({"a": "w"}, {"a": {"Word": "w"}}),
            ({"a": [1]}, {"a": ["1"]}),
            ({"a": 5}, {"a": {"option_3": "5"}}),
        ],
    ),
    (
        "arguments that are a choice",
        {"anyOf": [arguments({"type": "string"}, required=True), {"type": "object", "properties": {}}]},
        [({"a": "x"}, {"arguments": {"a": "x"}}), ({}, {"arguments": {}})],
    ),
    (
        "recursion",
        {
            "type": "object",
            "properties": {"a": {"$ref": "#"}, "b": {"type": "integer"}},
            "required": ["b"],
        },
        [({"b": 1, "a": {"b": 2}}, {"a": {"a": None, "b": 2}, "b": 1})],
    ),
    ("nothing", {"type": "object", "properties": {}}, [({}, {})]),
    ("an argument that cannot be", arguments(False), [({}, {})]),
]


@pytest.mark.promise("O5")
@pytest.mark.parametrize(("schema", "pairs"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_every_construct_is_written_for_openai_and_read_back(
    schema: JsonObject, pairs: list[tuple[Json, Json]]
) -> None:
    """Nothing lost, nothing ambiguous."""
    found = openai(schema)
    assert found.grade is Grade.LOSSLESS
    assert found.lost == ()
    for value, wire in pairs:
        both_ways(found, value, wire)


def test_a_schema_that_conforms_is_shown_as_it_stands() -> None:
    """The very same: nobody's own strict schema is touched."""
    schema = arguments({"type": ["string", "null"]}, required=True, additionalProperties=False)
    found = openai(schema)
    assert (found.schema, found.form, found.unenforced) == (schema, None, ())


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "string", "minLength": 1}, "minLength"),
        ({"type": "string", "pattern": "^(?!x)"}, "pattern"),
        ({"type": "string", "format": "uri"}, "format"),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, "uniqueItems"),
        ({"type": "object", "properties": {}, "minProperties": 1}, "minProperties"),
        ({"type": "string", "not": {"const": "x"}}, "not"),
        (
            {"type": "object", "properties": {"b": {"type": "string"}}, "anyOf": [{"required": ["b"]}]},
            "anyOf",
        ),
        ({"type": "array", "items": False}, "items"),
    ],
)
def test_what_is_not_enforced_is_listed_and_stays_in_words(part: JsonObject, words: str) -> None:
    """The model reads it in the description; the call is checked before it is made."""
    found = openai(arguments(part, required=True))
    assert found.grade is Grade.LOSSLESS
    assert found.unenforced[0] == f"{words} at /a"
    assert words in str(found.schema) or words in {"items", "anyOf"}


@pytest.mark.parametrize("word", ["minimum", "maximum", "multipleOf"])
def test_ranges_and_plain_patterns_are_enforced_by_openai(word: str) -> None:
    """They are among the words that it publishes."""
    found = openai(arguments({"type": "integer", word: 3}, required=True))
    assert (shown(found)[word], found.unenforced) == (3, ())
    found = openai(arguments({"type": "string", "pattern": "^a+$", "format": "date"}))
    assert shown(found) == {"type": ["string", "null"], "pattern": "^a+$", "format": "date"}


def test_a_long_enumeration_becomes_words() -> None:
    """More values than a schema may hold: the type is enforced, the value is checked before the call."""
    found = openai(arguments({"enum": [f"value-{n}" for n in range(1_200)]}, required=True))
    assert found.grade is Grade.LOSSLESS
    assert found.unenforced == ("enum at /a",)
    assert "value-0" in str(shown(found)["description"])


def test_what_is_nested_too_deeply_is_written_as_json_text() -> None:
    """The shape below ten levels is not enforced any more, and that is said."""
    schema: Json = {"type": "string"}
    value: Json = "x"
    for _ in range(12):
        schema, value = arguments(schema, required=True), {"a": value}
    found = openai(as_object(schema))
    assert found.grade is Grade.APPROXIMATE
    assert found.lost[0].startswith("what is nested too deeply at /a/a/")
    form = found.form
    assert form is not None
    assert form.decode(form.encode(value)) == value


def test_schemas_that_cannot_be_joined_are_written_as_json_text() -> None:
    """Rather than be shown as something else."""
    one: JsonObject = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    other: JsonObject = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    found = openai(arguments({"allOf": [one, other]}, required=True))
    assert found.grade is Grade.APPROXIMATE
    both_ways(found, {"a": "x"}, {"a": '"x"'})
    found = openai(arguments({**one, "oneOf": [{"type": "string"}, {"type": "null"}]}, required=True))
    assert found.lost == ("anyOf beside oneOf at /a",)
    conditional: JsonObject = {"type": "object", "properties": {}, "then": {"properties": {"b": {}}}}
    assert openai(arguments(conditional)).lost == ("properties that only conditions name at /a",)


UNFIT: list[tuple[JsonObject, str]] = [
    ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "no arguments fit"),
    ({"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/$defs/x"}}}, "refers to itself"),
    (arguments({"$ref": "#/$defs/nowhere"}), "not there"),
    (arguments({"$ref": "https://example.org/"}), "outside itself"),
    ({"type": "string"}, ""),
    (arguments({"type": "object", "properties": {f"p{n}": {} for n in range(6_000)}}), ""),
    ({"type": "object", "properties": {f"p{n}": {} for n in range(6_000)}}, "more properties"),
]


@pytest.mark.parametrize(("schema", "reason"), UNFIT)
def test_what_cannot_be_strict_says_why(schema: JsonObject, reason: str) -> None:
    """And what is merely odd can be."""
    found = fit(schema, OPENAI)
    assert (found.grade is Grade.NONE) == bool(reason)
    assert reason in found.reason


def test_schemas_that_multiply_are_refused_in_bounded_time() -> None:
    """Thirty definitions, each twice the next: as a tree they are a billion."""
    definitions: JsonObject = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(30)
    }
    definitions["d30"] = arguments({"type": "string"})
    wide: JsonObject = {**arguments({"$ref": "#/$defs/d0"}), "$defs": definitions}
    assert fit(wide, OPENAI).reason == "its schema is too large"


def test_anthropic_keeps_what_is_optional_optional_as_far_as_it_takes_them() -> None:
    """Twenty-four in a request; null leaves the others out."""
    many: JsonObject = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(26)}}
    found = fit(many, ANTHROPIC)
    assert found.grade is Grade.LOSSLESS
    assert (found.size.optional, found.size.unions) == (24, 2)
    assert as_array(found.schema["required"]) == ["p24", "p25"]
    both_ways(found, {"p0": "x"}, {"p0": "x", "p24": None, "p25": None})


def test_anthropic_gets_what_recurs_as_json_text() -> None:
    """It enforces no recursion."""
    schema: JsonObject = {"type": "object", "properties": {"a": {"$ref": "#"}}}
    found = fit(schema, ANTHROPIC)
    assert found.lost == ("recursion at /a/a",)
    assert broken_strict_rules(found.schema, "anthropic-messages") == []


def test_cohere_requires_something_of_every_object() -> None:
    """The first property, which null leaves out, or one that means nothing."""
    found = fit(arguments({"type": "string"}), COHERE)
    both_ways(found, {}, {"a": None})
    found = fit({"type": "object", "properties": {}}, COHERE)
    both_ways(found, {}, {"called": True})
    nested = fit(arguments({"type": "array", "prefixItems": [{"type": "string"}], "items": False}), COHERE)
    both_ways(nested, {"a": []}, {"a": {"item_1": None}})
    assert broken_strict_rules(nested.schema, "cohere-chat") == []


@pytest.mark.promise("O5")
def test_each_tool_is_classified_for_each_vendor() -> None:
    """As JSON: its class, and lists where there is something to list."""
    plain = ToolSpec(name="a.b", parameters=arguments({"type": "string", "maxLength": 3}))
    odd = ToolSpec(name="c", parameters={"type": "object", "properties": {"a": False}, "required": ["a"]})
    for dialect in ("openai-chat", "openai-responses", "mistral-chat", "cohere-chat", "anthropic-messages"):
        first, second = strictness(dialect, (plain, odd))
        assert first == Strictness(name="a.b", grade="strict-lossless", unenforced=("maxLength at /a",))
        assert first.as_json() == {
            "name": "a.b",
            "class": "strict-lossless",
            "unenforced": ["maxLength at /a"],
        }
        assert second.as_json() == {"name": "c", "class": "not-strict", "reason": second.reason}
    deep = Strictness(name="d", grade="strict-approximate", lost=("recursion at /a",))
    assert deep.as_json()["lost"] == ["recursion at /a"]


def test_what_was_not_written_in_the_form_stays_as_it_is() -> None:
    """Models without strict mode write what they like; whoever checks the arguments judges it."""
    found = openai(
        arguments(
            {
                "type": "object",
                "properties": {
                    "map": {"type": "object"},
                    "tuple": {"type": "array", "prefixItems": [{}]},
                    "list": {"type": "array"},
                    "any": {},
                },
                "additionalProperties": True,
            }
        )
    )
    form = found.form
    assert form is not None
    odd_ones: list[Json] = [
        None,
        {"a": 5},
        {"a": {"map": {"x": 1}, "tuple": [1], "list": {"b": 2}, "any": 7}},
        {"a": {"map": [1], "any": "no json"}},
        {"a": {"unknown": 2, "additional_properties": 3}},
    ]
    for odd in odd_ones:
        assert form.decode(odd) == odd
    assert form.decode({"a": {"additional_properties": {"x": 1}}}) == {"a": {"x": 1}}


ODD: list[tuple[str, JsonObject, str]] = [
    ("nested too deeply", {"type": "array", "items": {}}, "its schema is nested too deeply"),
    ("no JSON", {"type": "object", "properties": {"a": {"const": float("nan")}}}, "its schema is no JSON"),
    ("defined by itself", {"anyOf": [{"$ref": "#"}]}, "no arguments fit its schema"),
    ("empty enumeration", arguments({"enum": []}, required=True), "no arguments fit its schema"),
    ("no alternative", arguments({"anyOf": [False]}, required=True), "no arguments fit its schema"),
    ("a step into a list", arguments({"$ref": "#/allOf/7"}), "it refers to something that is not there"),
]


@pytest.mark.parametrize(("kind", "schema", "reason"), ODD, ids=[case[0] for case in ODD])
def test_odd_schemas_are_refused_with_a_reason(kind: str, schema: JsonObject, reason: str) -> None:
    """Whatever a document or a server says."""
    if kind == "nested too deeply":
        for _ in range(200):
            schema = {"type": "array", "items": schema}
        schema = arguments(schema)
    assert fit(schema, OPENAI).reason == reason


def test_references_lead_anywhere_within_a_schema() -> None:
    """Into lists, through escapes, along chains, beside other words."""
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/x~1y/anyOf/0"},
            "b": {"$ref": "#/$defs/chain", "description": "B."},
            "c": {"$ref": "#/$defs/chain", "minLength": 1},
        },
        "required": ["a", "b", "c"],
        "$defs": {
            "x/y": {"anyOf": [{"type": "integer"}]},
            "chain": {"$ref": "#/$defs/end"},
            "end": {"type": "string"},
        },
    }
    found = openai(schema)
    assert shown(found, "b") == {"anyOf": [{"$ref": "#/$defs/end"}], "description": "B."}
    assert shown(found, "c") == {"type": "string", "description": '{"minLength":1}'}
    both_ways(found, {"a": 1, "b": "x", "c": "y"}, {"a": 1, "b": "x", "c": "y"})


def test_deep_parts_of_definitions_are_unrolled_and_then_folded() -> None:
    """A definition that is used at several depths is shown once for each."""
    schema: Json = {"$ref": "#/$defs/Node"}
    for _ in range(8):
        schema = arguments(schema, required=True)
    node = arguments(
        {"type": "object", "properties": {"m": {"type": "object"}}, "required": ["m"]}, required=True
    )
    whole: JsonObject = {**as_object(schema), "$defs": {"Node": {**node, "additionalProperties": {}}}}
    found = openai(whole)
    assert found.grade is Grade.APPROXIMATE
    value: Json = {"a": {"m": {"x": [1]}}, "more": {"y": 2}}
    for _ in range(8):
        value = {"a": value}
    form = found.form
    assert form is not None
    assert form.decode(form.encode(value)) == value


def test_what_a_form_cannot_write_is_refused() -> None:
    """So that a call of an earlier turn goes as it was."""
    tuples = arguments({"type": "array", "prefixItems": [{"type": "string"}], "items": False}, required=True)
    maps = arguments({"type": "object", "additionalProperties": {"enum": [[1]]}}, required=True)
    either = arguments({"oneOf": [{"type": "array"}, {"type": "object"}]}, required=True)
    refused: list[tuple[JsonObject, Json]] = [
        (tuples, {"a": "x"}),
        (tuples, {"a": ["x", 1]}),
        (maps, {"a": 5}),
        (maps, {"a": {"x": [2]}}),
        (either, {"a": "x"}),
        (arguments({}), {"unknown": 1}),
    ]
    for schema, value in refused:
        form = openai(schema).form
        assert form is not None
        with pytest.raises(UnfitError):
            form.encode(value)


def test_the_names_that_a_form_adds_never_meet_those_of_the_schema() -> None:
    """A property of the same name pushes the added one aside."""
    taken = arguments({"type": "string"}, required=True, additionalProperties={"type": "integer"})
    taken["properties"] = {**as_object(taken["properties"]), "additional_properties": {"type": "string"}}
    both_ways(
        openai(taken),
        {"a": "x", "b": 1},
        {"a": "x", "additional_properties": None, "additional_properties_": [{"name": "b", "value": 1}]},
    )
    tags: JsonObject = {
        "oneOf": [
            {"type": "string", "title": "t"},
            {"title": "t"},
            {"type": "object", "properties": {"t": {}}, "required": ["t"]},
        ]
    }
    found = openai(arguments(tags, required=True))
    both_ways(found, {"a": "x"}, {"a": {"t_": "x"}})
    both_ways(found, {"a": 5}, {"a": {"t__": "5"}})
