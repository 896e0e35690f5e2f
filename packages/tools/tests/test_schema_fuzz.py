"""Whatever stands in a document, converting it ends, and what comes out compiles."""

from typing import cast

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import dump_json
from interlock_tools import openapi_to_tool_specs

VALUES: list[Json] = [{}, {"q": None}, {"q": "x"}, {"q": {"a": [{}]}}]
KEYWORDS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["string", "integer", "object", "array", "null", "odd", 5, ["string", "null"]]
        ),
        "nullable": st.booleans(),
        "enum": st.lists(st.none() | st.integers() | st.text(max_size=3), max_size=3),
        "minimum": st.integers() | st.text(max_size=3) | st.booleans(),
        "exclusiveMinimum": st.integers() | st.booleans(),
        "maxLength": st.integers() | st.none() | st.floats(allow_nan=False),
        "pattern": st.text(alphabet="()[]{}\\^$*+?|ab-", max_size=12),
        "required": st.lists(st.text(max_size=2), max_size=3) | st.booleans(),
        "default": st.none() | st.text(max_size=3),
        "description": st.text(max_size=30),
        "format": st.text(max_size=5),
        "$ref": st.sampled_from(["#/components/schemas/A", "#/components/schemas/B"]),
    },
)
SCHEMAS = cast(
    "st.SearchStrategy[Json]",
    st.recursive(
        KEYWORDS,
        lambda inner: st.fixed_dictionaries(
            {},
            optional={
                "allOf": st.lists(inner, max_size=2),
                "oneOf": st.lists(inner, max_size=2),
                "anyOf": st.lists(inner | st.booleans(), max_size=2),
                "not": inner,
                "items": inner | st.lists(inner, max_size=2),
                "properties": st.dictionaries(st.text(max_size=2), inner, max_size=2),
                "additionalProperties": inner | st.booleans(),
                "patternProperties": st.dictionaries(st.text(alphabet="a(*", max_size=3), inner, max_size=2),
                "nullable": st.booleans(),
                "type": st.sampled_from(["object", "array"]),
            },
        ),
        max_leaves=8,
    ),
)


@given(SCHEMAS, SCHEMAS, SCHEMAS, st.sampled_from(["3.0.0", "3.1.0"]))
def test_whatever_an_author_writes_compiles_and_ends(first: Json, a: Json, b: Json, version: str) -> None:
    """Any mix of keywords, references and circles gives a schema that compiles, or a reason."""
    document: JsonObject = {
        "openapi": version,
        "paths": {"/a": {"get": {"parameters": [{"name": "q", "in": "query", "schema": first}]}}},
        "components": {"schemas": {"A": a, "B": b}},
    }
    conversion = openapi_to_tool_specs(document)
    assert conversion.operations == 1
    for tool in conversion:
        compiled = jsonschema_rs.Draft202012Validator(dump_json(tool.parameters))
        for value in VALUES:
            assert compiled.is_valid(value) in {True, False}
