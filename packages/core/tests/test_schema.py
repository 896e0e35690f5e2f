"""JSON Schema validation through its public face."""

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.errors import InvalidRequestError, SchemaError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.schema import Validator, validator


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        ({"type": "integer"}, "x", '(root): value is not of type "integer" (got "x")'),
        ({"properties": {"a": {"minimum": 3}}}, {"a": 1}, "/a: value is less than the minimum of 3 (got 1)"),
        ({"required": ["z"]}, {}, '(root): "z" is a required property'),
        ({"format": "date"}, "tomorrow", '(root): value is not a "date" (got "tomorrow")'),
        ({"properties": {"a/b~c": {"type": "null"}}}, {"a/b~c": []}, '/a~1b~0c: value is not of type "null"'),
        (
            {"properties": {"a": True}, "additionalProperties": False},
            {"b": 1, "c": 2},
            "(root): has properties that the schema does not know: b, c",
        ),
        ({"additionalProperties": False}, {"b": 1}, "has properties that the schema does not know"),
        ({"propertyNames": {"maxLength": 1}}, {"long": 1}, "has a property whose name"),
        ({"contains": {"const": 5}}, [1], "has no item"),
        ({"not": {"type": "string"}}, "x", 'is what the schema forbids (got "x")'),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, 3, "fits more than one of the alternatives"),
        (
            {"anyOf": [{"type": "array"}, {"properties": {"q": {"type": "string"}}}]},
            {"q": 5},
            'fits none of 2 alternatives; nearest is number 2: /q: value is not of type "string"',
        ),
    ],
)
def test_a_problem_says_where_and_what(schema: JsonObject, value: Json, problem: str) -> None:
    """Each keyword's problem carries a JSON pointer and a readable sentence."""
    assert problem in validator(schema).problems(value)[0]


def test_a_value_that_fits_has_no_problems() -> None:
    """Nothing is said and nothing raised."""
    compiled = validator({"type": "object", "properties": {"a": {"type": "string", "format": "email"}}})
    assert compiled.problems({"a": "a@b.example"}) == ()
    compiled.check({"a": "a@b.example"}, what="answer")


def test_check_raises_one_error_with_every_problem() -> None:
    """The message names the first, `problems` has all."""
    compiled = validator({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}})
    with pytest.raises(
        SchemaError, match=r"The schema of arguments is not met: /a: .* \(and 1 more\)"
    ) as caught:
        compiled.check({"a": 1, "b": 2}, what="arguments")
    assert (len(caught.value.problems), caught.value.field) == (2, "/a")


def test_the_list_of_problems_is_bounded() -> None:
    """A thousand wrong items do not make a thousand lines."""
    problems = validator({"items": {"type": "string"}}).problems(list[Json](range(1000)))
    assert len(problems) == 21
    assert problems[-1] == "(root): has more problems than are listed"


@given(st.text(min_size=81, max_size=300))
def test_a_value_is_never_repeated_beyond_eighty_characters(text: str) -> None:
    """What is wrong may be logged; the data itself stays out."""
    schemas: list[JsonObject] = [
        {"type": "integer"},
        {"maxLength": 3},
        {"const": "x"},
        {"enum": ["x"]},
        {"not": {}},
        {"pattern": "^only this$"},
        {"anyOf": [{"const": 1}, {"const": 2}]},
    ]
    for schema in schemas:
        for problem in validator(schema).problems(text):
            assert text not in problem
    names: list[JsonObject] = [
        {"additionalProperties": False},
        {"properties": {"a": True}, "unevaluatedProperties": False},
        {"propertyNames": {"maxLength": 1}},
        {"additionalProperties": {"type": "string"}},
    ]
    for schema in names:
        for problem in validator(schema).problems({text: 1}):
            assert text not in problem


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "foo"},
        {"properties": {"a": {"type": 5}}},
        {"pattern": "("},
        {"$ref": "#/nowhere"},
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$schema": "http://example.com/own-draft"},
        {"maximum": float("nan")},
    ],
)
def test_a_wrong_schema_is_refused_by_name(schema: JsonObject) -> None:
    """A schema that is wrong, or points outside itself, cannot be compiled and nothing is fetched."""
    with pytest.raises(InvalidRequestError) as caught:
        Validator(schema)
    assert caught.value.field
    assert caught.value.remedy


def test_a_schema_that_contains_itself_is_refused() -> None:
    """A circle of Python objects is no JSON."""
    schema: JsonObject = {}
    schema["not"] = schema
    with pytest.raises(InvalidRequestError, match="not JSON"):
        validator(schema)


def test_a_pattern_that_backtracks_for_ever_ends() -> None:
    """A hostile pattern costs a bounded time and is a problem, not a hang."""
    problems = validator({"pattern": "^(?!b)(a|aa)+$(?=c)"}).problems("a" * 60 + "b")
    assert len(problems) == 1


def test_a_value_that_is_no_json_is_a_problem() -> None:
    """A value of another kind raises no foreign error."""
    value = cast("Json", {"a": object()})
    assert validator({"type": "array"}).problems(value)[0].startswith("(root): ")
    assert "is not JSON" in validator({"properties": {"a": {"type": "null"}}}).problems(value)[0]
