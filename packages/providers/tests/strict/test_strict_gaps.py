"""Strict mode: what a model writes beside the form is never made into something else without a word."""

import pytest

from interlock_core import Json, JsonObject
from interlock_core.schema import validator
from interlock_providers.codecs._strict._fit import Grade, fit
from interlock_providers.codecs._strict._rules import Rules
from interlock_providers.codecs.anthropic_messages._strictness import STRICT_RULES as ANTHROPIC
from interlock_providers.codecs.cohere_chat._strictness import STRICT_RULES as COHERE
from interlock_providers.codecs.mistral_chat._strictness import STRICT_RULES as MISTRAL
from interlock_providers.codecs.openai_chat._strictness import STRICT_RULES as OPENAI

pytestmark = pytest.mark.promise("O5")
VENDORS = pytest.mark.parametrize("rules", [OPENAI, ANTHROPIC, MISTRAL, COHERE], ids=lambda rules: rules.name)
TEXT: JsonObject = {"type": "string"}


def holding(schema: Json) -> JsonObject:
    """The schema of arguments of which `a` must be given and has that schema."""
    return {"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": False}


def decoded(schema: JsonObject, rules: Rules, wire: Json) -> Json:
    """What is read of something that the vendor lets through."""
    found = fit(schema, rules)
    assert found.form is not None
    return found.form.decode(wire)


@VENDORS
@pytest.mark.parametrize(
    "item",
    [{"type": ["string", "null"]}, {"type": "null"}, {"enum": [None, "a"]}, {"type": ["array", "null"]}, {}],
)
@pytest.mark.parametrize("value", [[], [None], [None, "b"]])
def test_a_first_place_that_may_be_null_is_told_apart_from_none(
    rules: Rules, item: JsonObject, value: list[Json]
) -> None:
    """Also where the vendor requires a property of every object."""
    tuples = holding({"type": "array", "prefixItems": [item, TEXT], "items": False})
    found = fit(tuples, rules)
    assert found.grade is Grade.LOSSLESS
    assert found.form is not None
    wire = found.form.encode({"a": value})
    assert not validator(found.schema).problems(wire)
    assert found.form.decode(wire) == {"a": value}


@VENDORS
@pytest.mark.parametrize(
    "wire",
    [
        {"item_1": None, "item_2": "b", "further_items": ["c"]},
        {"item_1": None, "item_2": None, "further_items": ["c"]},
        {"item_1": None, "item_2": "b", "further_items": []},
        {"item_1": "a", "item_2": "b", "further_items": "c"},
    ],
)
def test_a_list_with_a_gap_is_refused_and_not_cut(rules: Rules, wire: JsonObject) -> None:
    """What was written comes back as it was, which no list is; that it may happen is listed."""
    tuples = holding({"type": "array", "prefixItems": [TEXT, TEXT], "items": TEXT})
    told = decoded(tuples, rules, {"a": wire})
    # Where a place is left out by leaving it out, null is a wrong item of a list and refused as one.
    assert told == {"a": wire} or validator(tuples).problems(told)
    assert validator(tuples).problems(told)
    assert "prefixItems at /a" in fit(tuples, rules).unenforced


def test_a_list_that_cannot_have_gaps_is_held_to_its_form() -> None:
    """Nothing is listed for it, and a shorter one is no gap."""
    pair: JsonObject = {"type": "array", "prefixItems": [TEXT, TEXT], "items": False, "minItems": 1}
    assert "prefixItems at /a" not in fit(holding(pair), OPENAI).unenforced
    assert decoded(holding(pair), OPENAI, {"a": {"item_1": "x", "item_2": None}}) == {"a": ["x"]}


MAP: JsonObject = {"type": "object", "properties": {"b": TEXT}, "additionalProperties": TEXT}


def test_an_entry_named_like_a_property_that_is_left_out_is_that_property() -> None:
    """Nothing that a model wrote vanishes."""
    wire: JsonObject = {"b": None, "additional_properties": [{"name": "b", "value": "1"}]}
    assert decoded(holding(MAP), OPENAI, {"a": wire}) == {"a": {"b": "1"}}
    assert fit(holding(MAP), OPENAI).unenforced == ("additionalProperties at /a",)


def test_an_entry_named_like_a_property_that_is_given_is_refused() -> None:
    """Nobody knows which of the two is meant."""
    wire: JsonObject = {"b": "x", "additional_properties": [{"name": "b", "value": "1"}]}
    told = decoded(holding(MAP), OPENAI, {"a": wire})
    assert told == {"a": wire}
    assert validator(holding(MAP)).problems(told)


@VENDORS
def test_a_property_that_nothing_satisfies_does_not_come_back_unlisted(rules: Rules) -> None:
    """An entry of its name breaks the tool's schema, and that it may is said."""
    closed: JsonObject = {**MAP, "properties": {"b": TEXT, "never": False}}
    wire: JsonObject = {"b": "x", "additional_properties": [{"name": "never", "value": "1"}]}
    assert validator(holding(closed)).problems(decoded(holding(closed), rules, {"a": wire}))
    assert "additionalProperties at /a" in fit(holding(closed), rules).unenforced
    alone: JsonObject = {**MAP, "properties": {"never": False}}
    assert "additionalProperties at /a" in fit(holding(alone), rules).unenforced
