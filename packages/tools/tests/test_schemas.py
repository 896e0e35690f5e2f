"""Schemas of documents become self-contained JSON Schema 2020-12 that means the same."""

import jsonschema_rs
import pytest

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_object, dump_json
from interlock_tools import ConvertOptions, openapi_to_tool_specs
from interlock_tools.openapi import Wording

OPTIONS = ConvertOptions(max_tool_tokens=None, wording=Wording())


def converted(
    schema: Json, *, version: str = "3.0.3", schemas: Json = None, response: Json = None
) -> tuple[Json, JsonObject]:
    """What becomes of the schema of a query parameter, and the definitions beside it."""
    operation: JsonObject = {"parameters": [{"name": "q", "in": "query", "schema": schema}]}
    document: JsonObject = {
        "openapi": version,
        "paths": {"/a": {"get": operation}},
        "components": {"schemas": schemas if schemas is not None else {}},
    }
    conversion = openapi_to_tool_specs(document, options=OPTIONS)
    assert conversion.skipped == ()
    parameters = conversion.tools[0].parameters
    jsonschema_rs.Draft202012Validator(dump_json(parameters))
    return as_object(parameters["properties"])["q"], as_object(parameters.get("$defs"))


@pytest.mark.parametrize(
    ("given_schema", "expected"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        ({"type": "string", "x-nullable": True}, {"type": ["string", "null"]}),
        (
            {"type": "string", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        ({"enum": ["a"], "nullable": True}, {"anyOf": [{"enum": ["a"]}, {"type": "null"}]}),
        ({"nullable": True}, {}),
        ({"type": ["string", "null"], "nullable": True}, {"type": ["string", "null"]}),
        (
            {"oneOf": [{"type": "string"}, {"type": "integer"}], "nullable": True},
            {"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}], "nullable": True},
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        (
            {"type": "object", "oneOf": [{"required": ["a"]}, {}], "nullable": True, "description": "D"},
            {
                "anyOf": [{"type": "object", "oneOf": [{"required": ["a"]}, {}]}, {"type": "null"}],
                "description": "D",
            },
        ),
        (
            {"type": "integer", "minimum": 1, "exclusiveMinimum": True},
            {"type": "integer", "exclusiveMinimum": 1},
        ),
        ({"type": "integer", "maximum": 9, "exclusiveMaximum": False}, {"type": "integer", "maximum": 9}),
        ({"type": "integer", "exclusiveMaximum": True}, {"type": "integer"}),
        ({"type": "integer", "exclusiveMinimum": 3}, {"type": "integer", "exclusiveMinimum": 3}),
        ({"type": "string", "maxLength": "9", "minLength": -1}, {"type": "string", "maxLength": 9}),
        ({"type": "number", "minimum": "0.5", "multipleOf": 0}, {"type": "number", "minimum": 0.5}),
        ({"type": "number", "minimum": "x", "multipleOf": 2}, {"type": "number", "multipleOf": 2}),
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({"items": {"type": "string"}}, {"items": {"type": "string"}, "type": "array"}),
        (
            {"type": "array", "items": [{"type": "string"}]},
            {"type": "array", "prefixItems": [{"type": "string"}]},
        ),
        ({"type": "array", "items": []}, {"type": "array", "items": {}}),
        ({"properties": {"a": None, "b": 5}}, {"properties": {"a": {}}, "type": "object"}),
        ({"type": "String"}, {"type": "string"}),
        ({"type": "int"}, {"type": "integer"}),
        ({"type": "any"}, {}),
        ({"type": "file"}, {"type": "string", "format": "binary"}),
        ({"type": ["string", "string", "odd"]}, {"type": "string"}),
        ({"type": "boolean", "enum": ["true", "false"]}, {"enum": ["true", "false"]}),
        ({"type": "string", "enum": ["a", "a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"enum": [1, True, 1.0, "1"]}, {"enum": [1, True, 1.0, "1"]}),
        ({"type": "string", "enum": []}, {"type": "string"}),
        ({"oneOf": [], "anyOf": [], "allOf": []}, {}),
        ({"oneOf": [{"type": "string"}], "description": "D"}, {"type": "string", "description": "D"}),
        ({"allOf": [{"type": "string"}], "maxLength": 3}, {"type": "string", "maxLength": 3}),
        (
            {"allOf": [{"maxLength": 2}], "maxLength": 3},
            {"allOf": [{"maxLength": 2}], "maxLength": 3},
        ),
        ({"required": ["a", "a", 5], "type": "object"}, {"required": ["a"], "type": "object"}),
        ({"type": "string", "required": True}, {"type": "string"}),
        ({"type": "string", "pattern": "^[a-z]+$"}, {"type": "string", "pattern": "^[a-z]+$"}),
        ({"type": "string", "pattern": r"^\p{L}+$"}, {"type": "string", "pattern": r"^\p{L}+$"}),
        (
            {"type": "string", "pattern": "(?<!x"},
            {"type": "string", "description": "Must match (?<!x (not checked)."},
        ),
        (
            {"type": "string", "description": "Code.", "pattern": "[z-a]"},
            {"type": "string", "description": "Code. Must match [z-a] (not checked)."},
        ),
        ({"type": "string", "example": "abc"}, {"type": "string", "examples": ["abc"]}),
        ({"type": "string", "example": "abc", "enum": ["x"]}, {"type": "string", "enum": ["x"]}),
        ({"type": "string", "example": "x" * 99}, {"type": "string"}),
        ({"type": "string", "default": None, "title": "T"}, {"type": "string"}),
        ({"type": "string", "default": "d"}, {"type": "string", "default": "d"}),
        ({"type": "string", "default": "x" * 300}, {"type": "string"}),
        ({"type": "integer", "format": "int64"}, {"type": "integer"}),
        ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"type": "string", "deprecated": True, "readOnly": False}, {"type": "string", "deprecated": True}),
        ({"type": "object", "additionalProperties": {}}, {"type": "object", "additionalProperties": True}),
        (
            {"type": "object", "additionalProperties": False},
            {"type": "object", "additionalProperties": False},
        ),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1},
            {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1},
        ),
        ({"not": {"type": "string"}}, {"not": {"type": "string"}}),
        ({"xml": {"name": "x"}, "discriminator": {}, "externalDocs": {}, "x-own": 1}, {}),
        (
            {"properties": {"nullable": {"type": "string"}, "xml": {}}},
            {"properties": {"nullable": {"type": "string"}, "xml": {}}, "type": "object"},
        ),
    ],
)
def test_each_keyword_means_what_its_author_meant(given_schema: JsonObject, expected: Json) -> None:
    """Draft 4 and OpenAPI's own words in, 2020-12 out."""
    assert converted(given_schema)[0] == expected


@pytest.mark.parametrize(
    ("given_schema", "expected"),
    [
        (True, True),
        ({"type": "array", "items": False}, {"type": "array", "items": False}),
        ({"const": 5}, {"const": 5}),
        ({"type": ["string", "integer"]}, {"type": ["string", "integer"]}),
        (
            {
                "type": "array",
                "prefixItems": [{"const": 1}],
                "items": False,
                "contains": {"const": 1},
                "minContains": 1,
            },
            {
                "type": "array",
                "prefixItems": [{"const": 1}],
                "items": False,
                "contains": {"const": 1},
                "minContains": 1,
            },
        ),
        (
            {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": True},
            {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": True},
        ),
        (
            {"dependentRequired": {"a": ["b", "b"]}, "dependentSchemas": {"a": {"required": ["c"]}}},
            {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": {"required": ["c"]}}},
        ),
        (
            {"patternProperties": {"^x-": {"type": "string"}, "(": {}}, "propertyNames": {"maxLength": 5}},
            {"patternProperties": {"^x-": {"type": "string"}}, "propertyNames": {"maxLength": 5}},
        ),
        (
            {"unevaluatedProperties": False, "type": "object"},
            {"unevaluatedProperties": False, "type": "object"},
        ),
        (
            {"contentEncoding": "base64", "contentMediaType": "image/png", "type": "string"},
            {"contentEncoding": "base64", "contentMediaType": "image/png", "type": "string"},
        ),
    ],
)
def test_keywords_of_3_1_are_kept(given_schema: Json, expected: Json) -> None:
    """They are JSON Schema already."""
    assert converted(given_schema, version="3.1.0")[0] == expected


def test_all_of_of_plain_objects_is_one_object() -> None:
    """Inherited properties and requirements are gathered, those of the same name hold together."""
    schemas: Json = {
        "Base": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
        "Middle": {"allOf": [{"$ref": "#/components/schemas/Base"}], "properties": {"n": {"minimum": 1}}},
    }
    schema: Json = {
        "description": "Leaf",
        "allOf": [
            {"$ref": "#/components/schemas/Middle"},
            {"properties": {"n": {"maximum": 5}, "id": {"type": "string"}}, "required": ["n"]},
        ],
    }
    value, definitions = converted(schema, schemas=schemas)
    assert value == {
        "type": "object",
        "description": "Leaf",
        "properties": {"id": {"type": "string"}, "n": {"allOf": [{"minimum": 1}, {"maximum": 5}]}},
        "required": ["id", "n"],
    }
    assert definitions == {}


def test_all_of_with_one_reference_and_words_is_that_reference() -> None:
    """A definition that is recursive this way is not written out again and again."""
    node: Json = {
        "type": "object",
        "properties": {
            "not": {"allOf": [{"$ref": "#/components/schemas/Node"}, {"description": "What is not"}]},
            "and": {"allOf": [{"$ref": "#/components/schemas/Node"}, {"properties": {"x": {}}}]},
        },
    }
    value, definitions = converted(
        {"allOf": [{"$ref": "#/components/schemas/Node"}], "nullable": True}, schemas={"Node": node}
    )
    assert value == {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}
    inner = as_object(as_object(definitions["Node"])["properties"])
    assert inner["not"] == {"$ref": "#/$defs/Node", "description": "What is not"}
    assert inner["and"] == {"allOf": [{"$ref": "#/$defs/Node"}, {"properties": {"x": {}}, "type": "object"}]}


def test_inheritance_is_written_out_a_few_levels_only() -> None:
    """Twenty levels, each twice in the one before, would be a million."""
    schemas: JsonObject = {
        f"L{i}": {
            "type": "object",
            "properties": {
                side: {"allOf": [{"$ref": f"#/components/schemas/L{i + 1}"}, {"properties": {side: {}}}]}
                for side in ("a", "b")
            },
        }
        for i in range(20)
    }
    schemas["L20"] = {"type": "object", "properties": {"end": {"type": "string", "description": "x" * 500}}}
    value, definitions = converted({"$ref": "#/components/schemas/L0"}, schemas=schemas)
    assert value == {"$ref": "#/$defs/L0"}
    assert len(dump_json(definitions)) < 100_000


def test_a_tangle_of_many_links_is_cut_at_once() -> None:
    """Sixty definitions that are each one of all the others."""
    schemas: JsonObject = {
        f"T{i}": {"oneOf": [{"$ref": f"#/components/schemas/T{j}"} for j in range(30)], "title": "t"}
        for i in range(30)
    }
    value, definitions = converted({"$ref": "#/components/schemas/T0"}, schemas=schemas)
    compiled = jsonschema_rs.Draft202012Validator(dump_json({**as_object(value), "$defs": definitions}))
    assert compiled.is_valid({}) in {True, False}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "object", "additionalProperties": False},
        {"type": "object", "minProperties": 1},
        {"type": "string"},
        {"oneOf": [{"required": ["a"]}]},
        {"properties": []},
        {"nullable": True},
    ],
)
def test_all_of_with_anything_else_stays(part: JsonObject) -> None:
    """Merging it would change what is accepted."""
    value, _ = converted({"allOf": [part, {"type": "object", "properties": {"a": {}}}]})
    assert "allOf" in as_object(value)


def test_recursion_is_kept_by_definitions_of_what_is_used_only() -> None:
    """Nothing is unrolled, nothing unused is carried along."""
    node: Json = {
        "type": "object",
        "properties": {
            "next": {"$ref": "#/components/schemas/Node"},
            "leaf": {"$ref": "#/components/schemas/Leaf"},
        },
    }
    unused: Json = {"type": "object", "properties": {"x": {"$ref": "#/components/schemas/Node"}}}
    value, definitions = converted(
        {"$ref": "#/components/schemas/Node"},
        schemas={"Node": node, "Leaf": {"type": "integer", "minimum": 0}, "Unused": unused},
    )
    assert value == {"$ref": "#/$defs/Node"}
    assert definitions == {
        "Node": {
            "type": "object",
            "properties": {"next": {"$ref": "#/$defs/Node"}, "leaf": {"type": "integer", "minimum": 0}},
        }
    }


def test_definitions_of_one_name_stay_apart() -> None:
    """Dotted names are cut to their last word while that is free."""
    big: Json = {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/io.y.Spec"}}}
    value, definitions = converted(
        {"$ref": "#/components/schemas/io.x.Spec"},
        schemas={"io.x.Spec": big, "io.y.Spec": {**as_object(big), "description": "other"}},
    )
    assert value == {"$ref": "#/$defs/Spec"}
    assert set(definitions) == {"Spec", "io_y_Spec"}


@pytest.mark.parametrize(
    "reference",
    [
        "#/components/schemas/a~1b",
        "#/components/schemas/a%2Fb",
        "#/components/schemas/Alias",
        "#/paths/~1a/get/x-list/0/schema",
    ],
)
def test_references_go_to_any_place(reference: str) -> None:
    """Escaped, percent-encoded, through aliases, into paths and lists."""
    document: JsonObject = {
        "openapi": "3.0.0",
        "paths": {
            "/a": {
                "get": {
                    "x-list": [{"schema": {"type": "string", "minLength": 1}}],
                    "parameters": [{"name": "q", "in": "query", "schema": {"$ref": reference}}],
                }
            }
        },
        "components": {
            "schemas": {
                "a/b": {"type": "string", "minLength": 1},
                "Alias": {"$ref": "#/components/schemas/a~1b"},
            }
        },
    }
    tool = openapi_to_tool_specs(document).tools[0]
    assert as_object(tool.parameters["properties"])["q"] == {"type": "string", "minLength": 1}


@pytest.mark.parametrize("reference", ["#named", "other.json", "https://x.example/ids/note"])
def test_anchors_and_ids_are_references_too(reference: str) -> None:
    """As 3.1 allows, inside one file."""
    schema: Json = {"$anchor": "named", "$id": "https://x.example/ids/note", "type": "string", "minLength": 1}
    document: JsonObject = {
        "openapi": "3.1.0",
        "paths": {
            "/a": {"get": {"parameters": [{"name": "q", "in": "query", "schema": {"$ref": reference}}]}}
        },
        "components": {"schemas": {"A": schema}},
    }
    conversion = openapi_to_tool_specs(document)
    if reference == "other.json":
        assert "points to nothing" in conversion.skipped[0].reason
    else:
        assert as_object(conversion.tools[0].parameters["properties"])["q"] == {
            "type": "string",
            "minLength": 1,
        }


def test_a_dynamic_reference_goes_to_its_anchor() -> None:
    """The nearest static meaning."""
    schemas: Json = {"A": {"$dynamicAnchor": "node", "type": "integer"}}
    assert converted({"$dynamicRef": "#node"}, version="3.1.0", schemas=schemas)[0] == {"type": "integer"}


def test_definitions_inside_a_schema_are_found() -> None:
    """Authors write references as if the schema were the whole document."""
    schema: Json = {
        "$defs": {"Inner": {"type": "integer", "minimum": 2}},
        "type": "array",
        "items": {"$ref": "#/$defs/Inner"},
    }
    value, _ = converted(schema, version="3.1.0")
    assert value == {"type": "array", "items": {"type": "integer", "minimum": 2}}


@pytest.mark.parametrize(
    ("version", "beside", "expected"),
    [
        ("3.0.0", {"description": "D", "maxLength": 3}, {"type": "string", "description": "D"}),
        (
            "3.1.0",
            {"description": "D", "maxLength": 3},
            {"type": "string", "description": "D", "maxLength": 3},
        ),
        (
            "3.1.0",
            {"type": "string", "maxLength": 3},
            {"allOf": [{"type": "string"}, {"type": "string", "maxLength": 3}]},
        ),
        ("3.0.0", {"nullable": True}, {"type": ["string", "null"]}),
        ("3.0.0", {"default": "x"}, {"type": "string", "default": "x"}),
    ],
)
def test_what_stands_beside_a_reference_counts_as_its_version_says(
    version: str, beside: JsonObject, expected: Json
) -> None:
    """Annotations always, everything since 3.1."""
    schema: JsonObject = {"$ref": "#/components/schemas/A", **beside}
    assert converted(schema, version=version, schemas={"A": {"type": "string"}})[0] == expected


def test_a_reference_that_may_be_null_is_an_alternative() -> None:
    """A definition is shared, so it is not changed."""
    node: Json = {
        "type": "object",
        "properties": {"next": {"$ref": "#/components/schemas/Node", "nullable": True}},
    }
    _, definitions = converted({"$ref": "#/components/schemas/Node"}, schemas={"Node": node})
    following = as_object(as_object(definitions["Node"])["properties"])["next"]
    assert following == {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}


INHERITANCE: JsonObject = {
    "Pet": {
        "type": "object",
        "properties": {"kind": {"type": "string"}},
        "required": ["kind"],
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
        "discriminator": {"propertyName": "kind"},
    },
    "Cat": {
        "allOf": [{"$ref": "#/components/schemas/Pet"}, {"properties": {"claws": {"type": "integer"}}}],
        "required": ["claws"],
    },
    "Dog": {
        "allOf": [{"$ref": "#/components/schemas/Pet"}, {"properties": {"bark": {"type": "string"}}}],
        "required": ["bark"],
    },
}


def test_inheritance_in_a_circle_is_opened_and_can_be_validated() -> None:
    """A validator would never end on it; what the parent says of itself stays."""
    value, definitions = converted({"$ref": "#/components/schemas/Pet"}, schemas=INHERITANCE)
    compiled = jsonschema_rs.Draft202012Validator(dump_json({**as_object(value), "$defs": definitions}))
    assert compiled.is_valid({"kind": "cat", "claws": 4})
    assert not compiled.is_valid({"claws": 4})
    assert not compiled.is_valid({"kind": "cat"})


@pytest.mark.parametrize(
    "schemas",
    [
        {"A": {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "string"}]}},
        {"A": {"not": {"$ref": "#/components/schemas/B"}}, "B": {"if": {"$ref": "#/components/schemas/A"}}},
        {
            "A": {"description": "a", "$ref": "#/components/schemas/B", "type": "object"},
            "B": {
                "oneOf": [
                    {"$ref": "#/components/schemas/A"},
                    {"dependentSchemas": {"x": {"$ref": "#/components/schemas/A"}}},
                ]
            },
        },
        {"A": {"allOf": [{"$ref": "#/components/schemas/A"}]}},
    ],
)
def test_circles_through_one_value_never_run_for_ever(schemas: Json) -> None:
    """Whatever links them."""
    value, definitions = converted({"$ref": "#/components/schemas/A"}, version="3.1.0", schemas=schemas)
    compiled = jsonschema_rs.Draft202012Validator(dump_json({**as_object(value), "$defs": definitions}))
    assert compiled.is_valid({"x": 1}) in {True, False}


def test_a_schema_with_too_many_parts_costs_its_operation() -> None:
    """A thousand alternatives of a thousand alternatives are not written out."""
    inner: Json = {"oneOf": [{"type": "string", "maxLength": i} for i in range(300)]}
    schema: Json = {"oneOf": [inner for _ in range(300)]}
    document: JsonObject = {
        "openapi": "3.0.0",
        "paths": {"/a": {"get": {"parameters": [{"name": "q", "in": "query", "schema": schema}]}}},
    }
    assert "more than 50000 parts" in openapi_to_tool_specs(document).skipped[0].reason
