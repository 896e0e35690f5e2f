"""What a small model may choose from: only what the tool allows anyway, and what the user can have meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Json, JsonObject, ToolSpec
from interlock_core.schema import validator
from interlock_providers.local._grounding import grounded
from interlock_providers.local._schema import Bounds, decodable

WORDS = st.sampled_from(
    ["acme", "notes", "open", "closed", "7", "12", "2.5", "Paris", "'two words'", "foo/bar", "the", "issue"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 20) | st.floats(-5, 5) | st.text(max_size=6) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
LEAVES: st.SearchStrategy[JsonObject] = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "minLength": 2, "maxLength": 9},
        {"type": "string", "enum": ["open", "closed"]},
        {"type": "integer"},
        {"type": "integer", "minimum": 5},
        {"type": "number", "maximum": 3},
        {"type": "boolean"},
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"description": "anything"},
    ]
)


@st.composite
def tools(draw: st.DrawFn) -> ToolSpec:
    """A tool with up to three parameters, some of them needed."""
    properties = draw(st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=3))
    needed = [name for name in properties if draw(st.booleans())]
    parameters: JsonObject = {"type": "object", "properties": dict(properties), "required": [*needed]}
    return ToolSpec(name="t", description="Do something.", parameters=parameters)


@given(tool=tools(), said=st.lists(WORDS, max_size=5), value=VALUES)
def test_what_fits_the_narrowed_parameters_fits_the_tools_own(
    tool: ToolSpec, said: list[str], value: Json
) -> None:
    """Narrowing takes away and never adds."""
    (narrow,) = grounded([tool], " ".join(said))
    if not validator(narrow.parameters).problems(value):
        assert validator(tool.parameters).problems(value) == ()


@given(leaf=LEAVES, properties=st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=2), value=VALUES)
def test_what_fits_an_exact_translation_fits_the_schema(
    leaf: JsonObject, properties: dict[str, JsonObject], value: Json
) -> None:
    """Bounded or not, alone or inside an object."""
    whole: JsonObject = {"type": "object", "properties": dict(properties)}
    for schema in (leaf, whole):
        for bounds in (None, Bounds()):
            made = decodable(schema, bounds=bounds)
            assert made.exact
            if not validator(made.schema).problems(value):
                assert validator(schema).problems(value) == ()


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"type": "string"}},
        {"type": "string", "format": "uri"},
        {"type": "string", "format": "date"},
        {"type": "string", "pattern": "^(?=a)"},
        {"oneOf": [{"type": "number"}, {"type": "integer"}]},
        {"type": "array", "contains": {"type": "integer"}},
        {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
        {"type": "object", "propertyNames": {"maxLength": 3}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "minProperties": 1},
        {"type": "object", "anyOf": [{"required": ["a"]}, {"maxProperties": 0}]},
    ],
)
def test_a_word_that_the_decoder_has_not_is_left_out_and_said(schema: JsonObject) -> None:
    """Then what comes is validated afterwards."""
    made = decodable(schema)
    assert not made.exact
    assert made.left
    assert (
        not {"not", "contains", "uniqueItems", "propertyNames", "oneOf", "minProperties"} & made.schema.keys()
    )


@pytest.mark.promise("O5")
@pytest.mark.parametrize(
    ("pattern", "held"),
    [
        ("^[a-z]+$", True),
        (r"^\^[$^]\$$", True),
        ("/^[0-9]{4}$/", False),
        ("a$b", False),
        (r"\R", False),
        ("a{,3}", False),
        ("(", False),
        ("[[:alpha:]]", False),
        ("(?!a)b", False),
    ],
)
def test_a_regular_expression_that_the_decoder_has_not_is_left_out(pattern: str, *, held: bool) -> None:
    """It knows `^` and `$` at the ends alone, and would drop the whole grammar for one in the middle."""
    made = decodable({"type": "string", "pattern": pattern})
    assert ("pattern" in made.schema) is held
    assert made.exact is held


def test_values_of_any_kind_are_scalars_for_a_small_model() -> None:
    """Which is less than the schema takes, and is said."""
    assert decodable({"type": "array"}, bounds=Bounds()).narrowed
    assert not decodable({"type": "array"}).narrowed


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("List the closed issues of 'my team' in octo", {"a": "my team", "b": "octo", "state": "closed"}),
        ("Which are open in acme/notes, tell bob", {"a": "acme", "b": "notes", "state": "open"}),
        ("open “first one” and `second one`", {"a": "first one", "b": "second one", "state": "open"}),
    ],
)
def test_quoted_and_joined_words_are_taken_first(said: str, arguments: JsonObject) -> None:
    """In the order in which they were said."""
    text: JsonObject = {"type": "string"}
    state: JsonObject = {"type": "string", "enum": ["open", "closed"]}
    parameters: JsonObject = {
        "type": "object",
        "properties": {"a": text, "b": text, "state": state},
        "required": ["a", "b"],
    }
    tool = ToolSpec(name="issues.list", description="List issues.", parameters=parameters)
    (narrow,) = grounded([tool], said)
    assert validator(narrow.parameters).problems(arguments) == ()
    assert validator(narrow.parameters).problems({**arguments, "a": "other"}) != ()
    assert validator(narrow.parameters).problems({"a": arguments["a"], "b": arguments["b"]}) != ()


def test_a_tool_whose_number_nobody_said_cannot_be_meant() -> None:
    """Unless there is no other."""
    number: JsonObject = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
    get, find = ToolSpec(name="get", parameters=number), ToolSpec(name="find")
    assert [tool.name for tool in grounded([get, find], "which one is it")] == ["find"]
    assert [tool.name for tool in grounded([get, find], "show number 3")] == ["get", "find"]
    assert [tool.name for tool in grounded([get], "which one is it")] == ["get"]
