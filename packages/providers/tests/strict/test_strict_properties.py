"""Strict mode: whatever fits a tool's schema can be written for every vendor and reads back the same."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_object
from interlock_core.schema import validator
from interlock_providers.codecs._strict._fit import Fit, Grade, fit
from interlock_providers.codecs._strict._forms import is_equal
from interlock_providers.codecs._strict._rules import Rules
from interlock_providers.codecs.anthropic_messages._strictness import STRICT_RULES as ANTHROPIC
from interlock_providers.codecs.cohere_chat._strictness import STRICT_RULES as COHERE
from interlock_providers.codecs.mistral_chat._strictness import STRICT_RULES as MISTRAL
from interlock_providers.codecs.openai_chat._strictness import STRICT_RULES as OPENAI
from interlock_providers.testing import broken_strict_rules

from .strict_schemas import arguments, closed, written

VENDORS = pytest.mark.parametrize(
    "rules",
    [OPENAI, ANTHROPIC, MISTRAL, COHERE],
    ids=lambda rules: str(getattr(rules, "name", "")),
)
ROUNDS = settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


def fitted(schema: JsonObject, rules: Rules) -> Fit:
    """The fit of a schema that can be enforced; others are no example."""
    found = fit(schema, rules)
    assume(found.grade is not Grade.NONE)
    return found


def encoded(found: Fit, value: Json) -> Json:
    """The value as a model is to write it."""
    return value if found.form is None else found.form.encode(value)


def decoded(found: Fit, wire: Json) -> Json:
    """The value that was written."""
    return wire if found.form is None else found.form.decode(wire)


@pytest.mark.promise("O5")
@VENDORS
@ROUNDS
@given(case=arguments())
def test_what_fits_a_schema_can_be_written_and_reads_back_the_same(
    case: tuple[JsonObject, Json], rules: Rules
) -> None:
    """Nothing that a tool accepts is out of a model's reach, and nothing changes on the way."""
    schema, value = case
    assume(not validator(schema).problems(value) and not validator(as_object(closed(schema))).problems(value))
    found = fitted(schema, rules)
    wire = encoded(found, value)
    assert not validator(found.schema).problems(wire)
    assert is_equal(decoded(found, wire), value)


@pytest.mark.promise("O5")
@VENDORS
@ROUNDS
@given(case=arguments(), data=st.data())
def test_what_a_vendor_lets_through_breaks_only_what_is_listed(
    case: tuple[JsonObject, Json], data: st.DataObject, rules: Rules
) -> None:
    """Arguments within the narrowed schema fit the tool's own, but for constraints that are named."""
    schema, _ = case
    found = fitted(schema, rules)
    wire = data.draw(written(found.schema))
    assume(not validator(found.schema).problems(wire))
    value = decoded(found, wire)
    if not found.unenforced and not found.lost:
        assert not validator(schema).problems(value)


@pytest.mark.promise("O5")
@VENDORS
@ROUNDS
@given(case=arguments())
def test_a_narrowed_schema_keeps_every_published_rule(case: tuple[JsonObject, Json], rules: Rules) -> None:
    """Judged by a checker of its own, written from what the vendors publish."""
    schema, _ = case
    found = fitted(schema, rules)
    assert broken_strict_rules(found.schema, rules.name) == []


@VENDORS
@ROUNDS
@given(schema=st.deferred(lambda: ANYTHING))
def test_no_schema_makes_the_narrowing_fail(schema: JsonObject, rules: Rules) -> None:
    """However odd: it is fitted, or there is a reason why not."""
    found = fit(schema, rules)
    assert (found.grade is Grade.NONE) == bool(found.reason)


WORDS = st.sampled_from(
    [
        *("type", "properties", "items", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "required"),
        *("additionalProperties", "patternProperties", "prefixItems", "format", "pattern", "minItems"),
        *("not", "if", "then", "description", "$defs", "default", "minimum"),
    ]
)
PLAIN: st.SearchStrategy[Json] = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from(["object", "array", "string", "null", "#", "#/$defs/a", "#/properties/a", "a", "(", ""])
)


def around(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Lists and objects of some values."""
    lists: st.SearchStrategy[Json] = st.lists(inner, max_size=3)
    objects: st.SearchStrategy[Json] = st.dictionaries(WORDS | st.just("a"), inner, max_size=4)
    return lists | objects


ODD: st.SearchStrategy[Json] = PLAIN | around(PLAIN | around(PLAIN | around(PLAIN)))
ANYTHING: st.SearchStrategy[JsonObject] = st.dictionaries(WORDS, ODD, max_size=5)
