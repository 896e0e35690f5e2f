"""Answers in JSON: they parse and fit, whole or streamed, or they say why not."""

import json
from contextlib import aclosing
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock_core import CompletionRequest, FinishReason, JsonObject, ResponseFormat
from interlock_core.errors import InvalidRequestError, ProtocolError
from interlock_core.messages import user
from interlock_core.schema import validator
from interlock_providers.local import LocalProvider

EXAMPLE = CompletionRequest(
    model="local/smollm2-135m",
    messages=(user("Give a short example."),),
    temperature=0.0,
    seed=1,
    max_tokens=200,
)

SCHEMAS: dict[str, JsonObject] = {
    "texts and lists": {
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 3, "maxLength": 20},
            "labels": {"type": "array", "items": {"enum": ["bug", "docs"]}, "minItems": 1, "maxItems": 2},
        },
        "required": ["title", "labels"],
        "additionalProperties": False,
    },
    "distinct items": {
        "type": "array",
        "items": {"enum": ["x", "y", "z"]},
        "minItems": 2,
        "maxItems": 2,
        "uniqueItems": True,
    },
    "whole number": {"type": "integer", "minimum": 3, "maximum": 17},
    "number above": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "unbounded number": {"type": "number"},
    "date": {"type": "string", "format": "date"},
    "pattern": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
    "null or number": {"type": ["integer", "null"]},
    "constant": {"const": {"a": [1, None, 'q"']}},
    "one of": {"oneOf": [{"type": "integer"}, {"type": "boolean"}]},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer", "maximum": 9}}, "required": ["a"]},
            {"type": "object", "properties": {"b": {"type": "boolean"}}, "required": ["b"]},
        ]
    },
    "references": {
        "$defs": {"point": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}},
        "type": "object",
        "properties": {"at": {"$ref": "#/$defs/point"}},
        "required": ["at"],
    },
    "names with quotes": {
        "type": "object",
        "properties": {'a"b': {"type": "boolean"}, "ü": {"enum": ["é\n"]}},
        "required": ['a"b', "ü"],
    },
    "words for people only": {
        "type": "object",
        "title": "T",
        "properties": {"ok": {"type": "boolean", "description": "d", "default": True, "x-own": 1}},
        "required": ["ok"],
    },
    "a rule the decoder has not": {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "not": {"required": ["b"]},
    },
    "pairs": {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "null"}], "minItems": 2},
    "map": {"type": "object", "additionalProperties": {"type": "boolean"}, "minProperties": 1},
    "anything": {},
}


def wanting(schema: JsonObject | None) -> CompletionRequest:
    """The example in the form of a schema; None asks for any object."""
    kind = "json_object" if schema is None else "json_schema"
    return replace(EXAMPLE, response_format=ResponseFormat(kind=kind, schema=schema))


@pytest.mark.parametrize("name", SCHEMAS)
async def test_an_answer_fits_its_schema(provider: LocalProvider, name: str) -> None:
    """What ends well parses and validates."""
    answer = await provider.complete(wanting(SCHEMAS[name]))
    assert answer.finish is FinishReason.STOP
    assert validator(SCHEMAS[name]).problems(json.loads(answer.text)) == ()


async def test_json_mode_gives_an_object(provider: LocalProvider) -> None:
    """Without a schema."""
    answer = await provider.complete(wanting(None))
    assert isinstance(json.loads(answer.text), dict)


async def test_a_streamed_json_answer_comes_in_pieces_and_is_the_whole_one(provider: LocalProvider) -> None:
    """It is not held back when the grammar holds the whole schema."""
    request = wanting(SCHEMAS["texts and lists"])
    async with aclosing(provider.stream(request)) as chunks:
        pieces = [chunk.text async for chunk in chunks if chunk.text]
    assert len(pieces) > 3
    assert "".join(pieces) == (await provider.complete(request)).text


async def test_an_answer_that_was_cut_says_so_and_shows_what_there_is(provider: LocalProvider) -> None:
    """It does not parse, and does not claim to."""
    answer = await provider.complete(replace(wanting(SCHEMAS["texts and lists"]), max_tokens=5))
    assert answer.finish is FinishReason.LENGTH
    assert answer.text.startswith('{"title": "')
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text)


async def test_an_answer_that_was_held_back_is_shown_when_it_is_cut(provider: LocalProvider) -> None:
    """A schema that the grammar cannot hold whole."""
    answer = await provider.complete(replace(wanting(SCHEMAS["a rule the decoder has not"]), max_tokens=2))
    assert answer.finish is FinishReason.LENGTH
    assert answer.text.startswith("{")


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "https://example.com/other.json"}])
async def test_a_wrong_schema_is_refused_before_anything_runs(
    provider: LocalProvider, schema: JsonObject
) -> None:
    """Nothing is fetched either."""
    with pytest.raises(InvalidRequestError):
        await provider.complete(wanting(schema))


async def test_a_schema_that_nothing_fits_ends_in_a_typed_error(provider: LocalProvider) -> None:
    """Not in an answer that does not fit, and not in an endless run."""
    with pytest.raises(ProtocolError, match="did not manage"):
        await provider.complete(wanting({"type": "string", "minLength": 3, "maxLength": 2}))


SCALARS: st.SearchStrategy[JsonObject] = st.sampled_from(
    [
        {"type": "boolean"},
        {"type": "null"},
        {"enum": ["a", 1, None]},
        {"type": "integer", "minimum": -5, "maximum": 5},
        {"type": "string", "maxLength": 8},
        {"type": "number", "minimum": 0, "maximum": 2},
    ]
)


def an_object(properties: dict[str, JsonObject]) -> JsonObject:
    """All properties are needed."""
    return {"type": "object", "properties": dict(properties), "required": [*properties]}


def a_list(items: JsonObject) -> JsonObject:
    """Of up to two."""
    return {"type": "array", "items": items, "maxItems": 2}


def either(pair: tuple[JsonObject, JsonObject]) -> JsonObject:
    """One of two."""
    return {"anyOf": [*pair]}


def containers(inner: st.SearchStrategy[JsonObject]) -> st.SearchStrategy[JsonObject]:
    """Objects, lists and alternatives of these."""
    properties = st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=2)
    return properties.map(an_object) | inner.map(a_list) | st.tuples(inner, inner).map(either)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schema=st.recursive(SCALARS, containers, max_leaves=4))
async def test_any_answer_fits_any_small_schema(provider: LocalProvider, schema: JsonObject) -> None:
    """Nested at random."""
    answer = await provider.complete(wanting(schema))
    assert answer.finish is FinishReason.STOP
    assert validator(schema).problems(json.loads(answer.text)) == ()
