"""Schemas that must all hold, shown as one: never narrower than they are together."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from interlock_core import Json, JsonObject
from interlock_core.errors import InvalidRequestError
from interlock_core.schema import validator
from interlock_providers.codecs._strict._fit import Grade, fit
from interlock_providers.codecs._strict._merge import UnjoinableError, joined
from interlock_providers.codecs.openai_chat._strictness import STRICT_RULES as OPENAI

from .strict_schemas import DEFINITIONS, VALUES, schemas

TEXT: JsonObject = {"type": "string"}
WHOLE: JsonObject = {"type": "integer"}


def lookup(ref: str) -> Json:
    """The definitions of the tests."""
    return DEFINITIONS[ref.removeprefix("#/$defs/")]


def both(one: Json, other: Json) -> Json:
    """The two as one."""
    return joined(one, other, lookup)


JOINED: list[tuple[Json, Json, Json]] = [
    (True, TEXT, TEXT),
    (TEXT, {}, TEXT),
    (False, TEXT, False),
    (TEXT, WHOLE, False),
    ({"type": ["string", "null"]}, TEXT, TEXT),
    ({"type": "number"}, WHOLE, WHOLE),
    ({"type": ["number", "null"]}, {"type": ["integer", "null", "string"]}, {"type": ["integer", "null"]}),
    ({"minimum": 1, "maximum": 9}, {"minimum": 3, "maximum": 5}, {"minimum": 3, "maximum": 5}),
    ({"minimum": "x"}, {"minimum": 3}, {"minimum": "x"}),
    ({"enum": [1, 2, 3]}, {"const": 2}, {"enum": [2]}),
    ({"enum": [1]}, {"enum": [2]}, False),
    ({"enum": [1, True]}, {"enum": [True]}, {"enum": [True]}),
    ({"uniqueItems": False}, {"uniqueItems": True}, {"uniqueItems": True}),
    ({"description": ""}, {"description": "d"}, {"description": "d"}),
    ({"required": ["a"]}, {"required": ["b", "a"]}, {"required": ["a", "b"]}),
    ({"items": TEXT}, {"items": {"minLength": 1}}, {"items": {"minLength": 1, "type": "string"}}),
    (
        {"properties": {"a": TEXT}, "additionalProperties": False},
        {"properties": {"b": TEXT}},
        {"properties": {"b": False, "a": TEXT}, "additionalProperties": False},
    ),
    (
        {"additionalProperties": TEXT},
        {"properties": {"b": {"minLength": 1}}, "additionalProperties": {"maxLength": 2}},
        {
            "properties": {"b": {"minLength": 1, "type": "string"}},
            "additionalProperties": {"maxLength": 2, "type": "string"},
        },
    ),
    (
        {"allOf": [TEXT, {"minLength": 1}]},
        {"maxLength": 2},
        {"minLength": 1, "type": "string", "maxLength": 2},
    ),
    ({"anyOf": [TEXT]}, {"anyOf": [TEXT], "minLength": 1}, {"anyOf": [TEXT], "minLength": 1}),
]


@pytest.mark.parametrize(("one", "other", "whole"), JOINED)
def test_two_schemas_become_the_one_that_says_both(one: Json, other: Json, whole: Json) -> None:
    """The stricter bound, the common type and values, the properties of either."""
    assert both(one, other) == whole


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"anyOf": [TEXT]}, {"anyOf": [WHOLE]}),
        ({"prefixItems": [TEXT]}, {"prefixItems": [WHOLE]}),
        ({"patternProperties": {"a": TEXT}}, {"properties": {"a": WHOLE}}),
    ],
)
def test_what_one_schema_cannot_say_is_not_joined(one: Json, other: Json) -> None:
    """Rather than be said wrongly."""
    with pytest.raises(UnjoinableError):
        both(one, other)


def test_joining_without_an_end_is_given_up() -> None:
    """Two that each hold themselves."""
    loops: JsonObject = {
        "#one": {"properties": {"a": {"$ref": "#one"}}},
        "#other": {"properties": {"a": {"$ref": "#other"}}, "minProperties": 1},
    }
    with pytest.raises(UnjoinableError, match="deeply"):
        joined({"$ref": "#one"}, {"$ref": "#other"}, lambda ref: loops[ref])


@pytest.mark.promise("O5")
@settings(max_examples=80, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(one=schemas(), other=schemas(), data=st.data())
def test_what_fits_two_schemas_fits_the_one_made_of_them(
    one: object, other: object, data: st.DataObject
) -> None:
    """Nothing that a tool accepts is taken away by joining."""
    first, second = (getattr(made, "schema", {}) for made in (one, other))
    value = data.draw(VALUES | getattr(one, "values", VALUES))
    try:
        whole = both(first, second)
    except UnjoinableError:
        return
    parts: list[Json] = [{**first, "$defs": DEFINITIONS}, {**second, "$defs": DEFINITIONS}]
    assume(not any(validator(dict(part)).problems(value) for part in parts if isinstance(part, dict)))
    made: JsonObject = {"allOf": [whole], "$defs": DEFINITIONS}
    assert not validator(made).problems(value)


def test_patterns_of_names_are_joined_with_the_properties_that_they_take() -> None:
    """Within bounds of time, whatever pattern a document writes; one that is none takes nothing."""
    slow = "^(a+)+$"
    schema: JsonObject = {
        "type": "object",
        "properties": {"a" * 60 + "b": TEXT, "x1": {}, "y": TEXT},
        "patternProperties": {slow: TEXT, "^x": {"type": "integer"}, "(": TEXT, "^y": {"anyOf": [TEXT]}},
        "additionalProperties": False,
    }
    found = fit(schema, OPENAI)
    assert found.grade is Grade.LOSSLESS or "not" in found.reason
    properties = found.schema["properties"]
    assert isinstance(properties, dict)
    assert properties["x1"] == {"type": ["integer", "null"]}
    with pytest.raises(InvalidRequestError):
        validator(schema)
