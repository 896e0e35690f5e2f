"""Documents at random: nothing in them crashes the converter, and what does not matter changes nothing."""

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import jsonschema_rs
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_object, dump_json
from interlock_tools import ConvertOptions, load_text, openapi_to_tool_specs

Strategy: TypeAlias = "st.SearchStrategy[Json]"
"""Makes JSON."""

NAMES = ("A", "B", "C")
WORDS: Strategy = st.text(alphabet="abc {}/-_.é\u202e|*`<", max_size=12)
FLAG: Strategy = st.booleans()


def of(*values: Json) -> Strategy:
    """One of some values."""
    return st.sampled_from(values)


def fields(given: Mapping[str, Strategy], **optional: Strategy) -> Strategy:
    """An object that has some members, and may have others; `_` behind a name is dropped."""
    named = {name.removesuffix("_"): strategy for name, strategy in optional.items()}
    return cast("Strategy", st.fixed_dictionaries(dict(given), optional=named))


def several(inner: Strategy, *, least: int = 0, most: int = 3) -> Strategy:
    """A list."""
    return cast("Strategy", st.lists(inner, min_size=least, max_size=most))


def named(names: Sequence[str], inner: Strategy, *, least: int = 0, most: int = 3) -> Strategy:
    """An object with some of these members."""
    return cast("Strategy", st.dictionaries(st.sampled_from(names), inner, min_size=least, max_size=most))


LINKS = fields({"$ref": of(*(f"#/components/schemas/{name}" for name in NAMES))})
LEAVES: Strategy = st.one_of(
    LINKS,
    fields(
        {"type": of("string", "integer", "boolean", "number")},
        nullable=FLAG,
        readOnly=FLAG,
        writeOnly=FLAG,
        description=WORDS,
        enum=several(of("a", 1, None, True)),
        default=of(None, 5),
        format=of("int32", "date", "binary", "odd"),
    ),
)


def combined(inner: Strategy) -> Strategy:
    """Schemas made of schemas."""
    properties = named(("a", "b", "properties", "kind"), inner)
    return st.one_of(
        fields(
            {"type": of("object"), "properties": properties},
            required=several(of("a", "b", "z")),
            additionalProperties=FLAG | inner,
            discriminator=of({"propertyName": "kind"}),
            nullable=FLAG,
        ),
        fields({"type": of("array"), "items": inner}),
        fields({"allOf": several(inner)}, properties=of({"own": {}})),
        fields({"oneOf": several(inner)}, nullable=FLAG),
        fields({"anyOf": several(inner)}, discriminator=of({"propertyName": "k"})),
    )


SCHEMAS: Strategy = st.recursive(LEAVES, combined, max_leaves=6)
PARAMETER = fields(
    {"name": of("a", "b", "X-A", "kind[]", "é"), "in": of("query", "header", "cookie"), "schema": SCHEMAS},
    required=FLAG,
    description=WORDS,
    explode=FLAG,
)
MEDIA_TYPES = ("application/json", "multipart/form-data", "text/plain", "*/*")
BODY = fields({"content": named(MEDIA_TYPES, fields({"schema": SCHEMAS}), least=1, most=2)}, required=FLAG)
OPERATION = fields(
    {"parameters": several(PARAMETER, most=2)}, requestBody=BODY, summary=WORDS, description=WORDS
)
OPERATIONS = cast("st.SearchStrategy[JsonObject]", OPERATION)
METHODS = named(("get", "post", "delete"), OPERATION, least=1, most=2)
PATHS = cast(
    "st.SearchStrategy[JsonObject]", named(("/a", "/a/b", "/a-b", "/a/{id}", "/é"), METHODS, least=1)
)
COMPONENTS = cast("st.SearchStrategy[JsonObject]", fields(dict.fromkeys(NAMES, SCHEMAS)))


def document(paths: JsonObject, schemas: JsonObject, version: str = "3.0.3") -> JsonObject:
    """The document; every operation gets an id of its own."""
    return {"openapi": version, "info": {"title": "T"}, "paths": paths, "components": {"schemas": schemas}}


@given(PATHS, COMPONENTS, st.sampled_from(["3.0.3", "3.1.0"]), st.sampled_from([60, 200, None]))
@settings(max_examples=80)
def test_every_operation_of_any_document_gives_valid_schemas_or_a_reason(
    paths: JsonObject, schemas: JsonObject, version: str, tokens: int | None
) -> None:
    """Whole and folded; closed in themselves; nothing left of what only OpenAPI knows."""
    conversion = openapi_to_tool_specs(
        document(paths, schemas, version), options=ConvertOptions(max_tool_tokens=tokens)
    )
    assert conversion.operations == sum(len(as_object(item)) for item in paths.values())
    assert all(item.reason for item in conversion.skipped)
    for entry in conversion.entries:
        for schema in (entry.spec.parameters, entry.parameters, entry.described(max_tokens=150)):
            jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
            jsonschema_rs.Draft202012Validator(dump_json(schema)).is_valid({})


@given(PATHS, COMPONENTS)
@settings(max_examples=30)
def test_the_order_of_paths_changes_no_name(paths: JsonObject, schemas: JsonObject) -> None:
    """Names of tools are names of operations, wherever those stand."""
    turned = dict(reversed(paths.items()))
    first = openapi_to_tool_specs(document(paths, schemas))
    second = openapi_to_tool_specs(document(turned, schemas))
    assert {tool.endpoint: tool.name for tool in first} == {tool.endpoint: tool.name for tool in second}


@given(PATHS, COMPONENTS, OPERATIONS)
@settings(max_examples=30)
def test_another_operation_changes_no_other_name(
    paths: JsonObject, schemas: JsonObject, operation: JsonObject
) -> None:
    """Only ids that are given twice would."""
    more: JsonObject = {**paths, "/new": {"get": {**operation, "operationId": "brandNew"}}}
    first = {tool.endpoint: tool.name for tool in openapi_to_tool_specs(document(paths, schemas))}
    second = {tool.endpoint: tool.name for tool in openapi_to_tool_specs(document(more, schemas))}
    assert second.items() >= first.items()


@given(PATHS, COMPONENTS)
@settings(max_examples=20)
def test_json_and_yaml_of_one_document_give_the_same_tools(paths: JsonObject, schemas: JsonObject) -> None:
    """How it is written does not matter."""
    whole = document(paths, schemas)
    first = openapi_to_tool_specs(load_text(json.dumps(whole)))
    second = openapi_to_tool_specs(load_text(yaml.safe_dump(whole, allow_unicode=True, sort_keys=False)))
    assert first.tools == second.tools


def translated(schema: Json) -> Json:
    """A schema of 3.0 as 3.1 writes it: null is a type, bounds are numbers, references stand alone."""
    if isinstance(schema, list):
        return [translated(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    out: JsonObject = {}
    for key, value in schema.items():
        if key in {"properties", "schemas"}:
            out[key] = {name: translated(item) for name, item in as_object(value).items()}
        elif key not in {"nullable", "enum", "default", "required", "discriminator"}:
            out[key] = translated(value)
        elif key != "nullable":
            out[key] = value
    if schema.get("nullable") is True and "type" in schema:
        out["type"] = [schema["type"], "null"]
    return out


PLAIN: Strategy = st.recursive(
    LINKS | fields({"type": of("string", "integer")}, nullable=FLAG, readOnly=FLAG, description=WORDS),
    lambda inner: st.one_of(
        fields({"type": of("object"), "properties": named("abc", inner)}, nullable=FLAG),
        fields({"type": of("array"), "items": inner}),
        fields({"allOf": several(inner, least=1, most=2)}),
    ),
    max_leaves=5,
)


@given(PLAIN, fields(dict.fromkeys(NAMES, PLAIN)))
@settings(max_examples=60)
def test_a_document_of_3_0_and_its_translation_give_equal_tools(schema: Json, schemas: Json) -> None:
    """The versions differ in writing, not in what they can mean here."""
    paths: JsonObject = {"/a": {"get": {"parameters": [{"name": "q", "in": "query", "schema": schema}]}}}
    new: JsonObject = {
        "/a": {"get": {"parameters": [{"name": "q", "in": "query", "schema": translated(schema)}]}}
    }
    old_ones = as_object(schemas)
    new_ones: JsonObject = {name: translated(item) for name, item in old_ones.items()}
    first = openapi_to_tool_specs(document(paths, old_ones))
    second = openapi_to_tool_specs(document(new, new_ones, "3.1.0"))
    assert first.tools == second.tools
    assert len(first.skipped) == len(second.skipped)
