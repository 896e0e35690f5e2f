"""What a schema accepts and refuses stays as the specification of its version says.

Each row is a schema as a document of some version writes it, values that are valid by that version's
specification and values that are not. Where the authors of real documents mean more than the specification
lets them say, the row says so: nothing that they mean to accept may be refused.
"""

from typing import NamedTuple, Protocol, cast

import jsonschema
import jsonschema_rs
import pytest

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import dump_json
from interlock_tools import ConvertOptions, openapi_to_tool_specs

PET: JsonObject = {
    "type": "object",
    "discriminator": {"propertyName": "kind", "mapping": {"cat": "Cat"}},
    "required": ["kind"],
    "properties": {"kind": {"type": "string"}},
}
COMPONENTS: JsonObject = {
    "Text": {"type": "string"},
    "MaybeText": {"type": "string", "nullable": True},
    "Closed": {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False},
    "Node": {
        "type": "object",
        "properties": {"next": {"$ref": "#/components/schemas/Node"}, "v": {"type": "integer"}},
    },
    "Pet": PET,
    "Cat": {
        "allOf": [
            {"$ref": "#/components/schemas/Pet"},
            {"type": "object", "required": ["claws"], "properties": {"claws": {"type": "integer"}}},
        ]
    },
    "Both": {
        "type": "object",
        "required": ["id", "name", "secret"],
        "properties": {
            "id": {"type": "integer", "readOnly": True},
            "name": {"type": "string"},
            "secret": {"type": "string", "writeOnly": True},
        },
    },
    "Nothing": False,
    "Tree": {
        "$dynamicAnchor": "node",
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$dynamicRef": "#node"}}},
    },
}
TEXT: JsonObject = {"$ref": "#/components/schemas/Text"}


class Row(NamedTuple):
    """A schema, and what is valid by it and what is not."""

    title: str
    schema: Json
    valid: tuple[Json, ...]
    invalid: tuple[Json, ...]
    versions: tuple[str, ...] = ("2.0", "3.0", "3.1")


OLD = ("2.0", "3.0")
V30 = ("3.0",)
V31 = ("3.1",)


def link(name: str, **beside: Json) -> Json:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}", **beside}


ROWS = [
    Row(
        "exclusive by a boolean",
        {"type": "number", "minimum": 1, "exclusiveMinimum": True},
        (1.5, 2),
        (1, 0),
        OLD,
    ),
    Row("not exclusive", {"type": "number", "maximum": 5, "exclusiveMaximum": False}, (5,), (6,), OLD),
    Row("exclusive by a number", {"type": "number", "exclusiveMinimum": 1}, (2,), (1,), V31),
    Row("both bounds", {"minimum": 2, "exclusiveMinimum": 1}, (2,), (1,), V31),
    Row("multiple of a fraction", {"type": "number", "multipleOf": 0.5}, (1.5, 2), (1.3,)),
    Row("may be null", {"type": "string", "nullable": True}, ("a", None), (1,), V30),
    Row("may be null, by an extension", {"type": "string", "x-nullable": True}, ("a", None), (1,), ("2.0",)),
    Row("may not be null", {"type": "string", "nullable": False}, ("a",), (None, 1), V30),
    Row("may be null, of no type", {"nullable": True}, (None, 1, "a", {}), (), V30),
    Row("null in a list of types", {"type": ["string", "null"]}, ("a", None), (1,), V31),
    Row("several types", {"type": ["string", "integer"]}, ("a", 1), (None, 1.5, []), V31),
    Row("listed values", {"type": "string", "enum": ["a", "b"]}, ("a", "b"), ("c", None)),
    Row("listed null", {"type": "string", "nullable": True, "enum": ["a", None]}, ("a", None), ("c",), V30),
    Row(
        "null meant beside listed values",
        {"type": "string", "nullable": True, "enum": ["a"]},
        ("a", None),
        ("c",),
        V30,
    ),
    Row("listed lists", {"type": "array", "enum": [[1]]}, ([1],), ([2], 1)),
    Row("listed objects", {"type": "object", "enum": [{"a": 1}]}, ({"a": 1},), ({}, 1)),
    Row("listed null alone", {"type": "null", "enum": [None]}, (None,), (0, ""), V31),
    Row("listed switches", {"type": "boolean", "enum": [True]}, (True,), (False, 1)),
    Row("listed numbers and texts", {"enum": [1, "1"]}, (1, "1"), (2, "2")),
    Row("one and true are two values", {"enum": [1, True]}, (1, True), (0, False)),
    Row("null meant beside a reference", link("Text", nullable=True), ("a", None), (1,), V30),
    Row("null meant around a reference", {"nullable": True, "allOf": [TEXT]}, ("a", None), (1,), V30),
    Row("null by an alternative", {"anyOf": [TEXT, {"type": "null"}]}, ("a", None), (1,), V31),
    Row("a reference to what may be null", link("MaybeText"), ("a", None), (1,), V30),
    Row("what stands beside a reference is ignored", link("Text", maxLength=1), ("abc",), (1,), OLD),
    Row("what stands beside a reference counts", link("Text", maxLength=1), ("a",), ("abc", 1), V31),
    Row("a constant", {"const": {"a": [1]}}, ({"a": [1]},), ({"a": 1}, None), V31),
    Row("a constant that is null", {"const": None}, (None,), (0, ""), V31),
    Row(
        "all of plain objects",
        {"allOf": [{"properties": {"a": {"type": "integer"}}}, {"required": ["a"]}]},
        ({"a": 1}, {"a": 1, "b": 2}),
        ({}, {"a": "x"}),
    ),
    Row(
        "all of with one closed",
        {"allOf": [link("Closed"), {"properties": {"b": {"type": "integer"}}}]},
        ({"a": 1}, {}),
        ({"b": 1}, {"a": 1, "b": 1}),
    ),
    Row("all of two bounds", {"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 5}]}, (3, 5), (2, 6)),
    Row(
        "all of the same property twice",
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "integer", "minimum": 2}}},
                {"type": "object", "properties": {"a": {"maximum": 4}}},
            ]
        },
        ({"a": 3},),
        ({"a": 1}, {"a": 5}, {"a": "x"}),
    ),
    Row(
        "all of with unevaluated closed",
        {"allOf": [{"properties": {"a": {}}}], "properties": {"b": {}}, "unevaluatedProperties": False},
        ({"a": 1, "b": 1},),
        ({"c": 1},),
        V31,
    ),
    Row(
        "inheritance",
        link("Cat"),
        ({"kind": "cat", "claws": 9},),
        ({"claws": 9}, {"kind": "cat"}, {"kind": "cat", "claws": "x"}),
    ),
    Row("one of nothing says nothing", {"type": "string", "oneOf": []}, ("a",), (1,), V30),
    Row("any of nothing says nothing", {"anyOf": []}, (1, None), (), V30),
    Row(
        "one of",
        {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 5}]},
        (1, 5.5),
        (7, "a"),
        ("3.0", "3.1"),
    ),
    Row(
        "any of",
        {"anyOf": [{"type": "integer"}, {"minimum": 5, "type": "number"}]},
        (1, 5.5, 7),
        (1.5,),
        ("3.0", "3.1"),
    ),
    Row("not", {"not": {"type": "string"}}, (1, None), ("a",), ("3.0", "3.1")),
    Row(
        "discriminator with mapping",
        {
            "oneOf": [link("Cat"), link("Closed")],
            "discriminator": {"propertyName": "kind", "mapping": {"c": "#/components/schemas/Cat"}},
        },
        ({"kind": "c", "claws": 1}, {"a": 1}),
        ({"kind": "c"}, 1),
        ("3.0", "3.1"),
    ),
    Row(
        "discriminator without mapping",
        {"anyOf": [link("Cat")], "discriminator": {"propertyName": "kind"}},
        ({"kind": "Cat", "claws": 1},),
        ({},),
        ("3.0", "3.1"),
    ),
    Row(
        "discriminator of Swagger",
        {
            "type": "object",
            "discriminator": "kind",
            "required": ["kind"],
            "properties": {"kind": {"type": "string"}},
        },
        ({"kind": "x"},),
        ({},),
        ("2.0",),
    ),
    Row(
        "what is read only is not asked for",
        link("Both"),
        ({"name": "n", "secret": "s"},),
        ({"name": "n"}, {"secret": "s"}),
    ),
    Row(
        "required twice",
        {"type": "object", "required": ["a", "a"], "properties": {"a": {}}},
        ({"a": 1},),
        ({},),
    ),
    Row("required without properties", {"type": "object", "required": ["a"]}, ({"a": 1},), ({}, 1)),
    Row(
        "required in a property is no list",
        {"type": "object", "properties": {"a": {"type": "string", "required": True}}},
        ({}, {"a": "x"}),
        ({"a": 1},),
        OLD,
    ),
    Row(
        "true and false as schemas",
        {"type": "object", "properties": {"a": True, "b": False}},
        ({"a": 1}, {}),
        ({"b": 1},),
        V31,
    ),
    Row(
        "false as a component",
        {"type": "object", "properties": {"a": link("Nothing")}},
        ({},),
        ({"a": 1},),
        V31,
    ),
    Row("the empty schema", {}, (1, None, [], {}), ()),
    Row("closed object", link("Closed"), ({}, {"a": 1}), ({"b": 1}, {"a": "x"})),
    Row(
        "map", {"type": "object", "additionalProperties": {"type": "integer"}}, ({}, {"x": 1}), ({"x": "y"},)
    ),
    Row("open by an empty schema", {"type": "object", "additionalProperties": {}}, ({"x": "y"},), ([],)),
    Row("map of references", {"type": "object", "additionalProperties": TEXT}, ({"x": "y"},), ({"x": 1},)),
    Row(
        "patterns of names",
        {"type": "object", "patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False},
        ({"x-a": 1},),
        ({"x-a": "y"}, {"y": 1}),
        V31,
    ),
    Row("names", {"propertyNames": {"pattern": "^[a-z]+$"}}, ({"a": 1},), ({"A": 1},), V31),
    Row(
        "recursion",
        link("Node"),
        ({"v": 1, "next": {"v": 2, "next": {}}},),
        ({"next": {"next": {"v": "x"}}}, {"next": 1}),
    ),
    Row(
        "dynamic reference",
        link("Tree"),
        ({"children": [{"children": []}]},),
        ({"children": [1]}, {"children": [{"children": 1}]}),
        V31,
    ),
    Row(
        "list",
        {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
        (["a"], ["a", "b"]),
        ([], ["a", "a"], [1]),
    ),
    Row("list of anything", {"type": "array"}, ([], [1, "a"]), ({}, "a"), ("3.0", "3.1")),
    Row(
        "tuple",
        {"prefixItems": [{"type": "integer"}], "items": False, "type": "array"},
        ([1], []),
        ([1, 2], ["a"]),
        V31,
    ),
    Row("contains", {"contains": {"const": 1}, "minContains": 2}, ([1, 1], [1, 2, 1]), ([1], []), V31),
    Row(
        "if and then",
        {"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}},
        ({"a": 1, "b": 1}, {"a": 2}),
        ({"a": 1},),
        V31,
    ),
    Row(
        "what depends on another",
        {"dependentRequired": {"a": ["b"]}},
        ({"a": 1, "b": 2}, {}),
        ({"a": 1},),
        V31,
    ),
    Row(
        "what depends by schema",
        {"dependentSchemas": {"a": {"required": ["b"]}}},
        ({"a": 1, "b": 2}, {}),
        ({"a": 1},),
        V31,
    ),
    Row("lengths", {"type": "string", "minLength": 2, "maxLength": 3}, ("ab", "äöü"), ("a", "abcd")),
    Row("a length without an end", {"type": "string", "maxLength": 2**63}, ("a",), (1,)),
    Row("a length that is none", {"type": "string", "maxLength": -1, "minLength": "x"}, ("a",), (1,)),
    Row("a pattern is found anywhere", {"type": "string", "pattern": "b+"}, ("abc", "b"), ("ac",)),
    Row("letters of Unicode", {"type": "string", "pattern": "^\\p{L}+$"}, ("äb",), ("1",)),
    Row("a named group of ECMAScript", {"type": "string", "pattern": "^(?<y>\\d{4})$"}, ("2024",), ("x",)),
    Row(
        "a pattern of another dialect is not checked",
        {"type": "string", "pattern": "(?<open>a)(?<-open>b)"},
        ("ab", "zz"),
        (1,),
    ),
    Row("a broken pattern is not checked", {"type": "string", "pattern": "["}, ("ab",), (1,)),
    Row(
        "a format that is known",
        {"type": "string", "format": "uuid"},
        ("123e4567-e89b-12d3-a456-426614174000",),
        ("x", 1),
    ),
    Row("a format of numbers", {"type": "integer", "format": "int64"}, (2**40,), (1.5, "1")),
    Row("a format that nobody knows", {"type": "string", "format": "odd"}, ("x",), (1,)),
    Row("a default of another type", {"type": "string", "default": 5}, ("x",), (5,)),
    Row("examples say nothing of validity", {"type": "integer", "example": "x"}, (1,), ("x",)),
    Row("several examples", {"type": "integer", "examples": ["x"]}, (1,), ("x",), V31),
    Row(
        "extensions say nothing",
        {"type": "integer", "x-minimum": 5, "x-y": {"$ref": "#/nowhere"}},
        (1,),
        ("x",),
    ),
    Row("a type in capitals is meant", {"type": "String"}, ("a",), (1,)),
    Row("a type that is none says nothing", {"type": "any"}, (1, "a", None), ()),
    Row("properties mean an object", {"properties": {"a": {"type": "integer"}}}, ({"a": 1},), ({"a": "x"},)),
    Row("type and listed values that disagree", {"type": "string", "enum": [1, 2]}, (1, 2), ("1", 3)),
    Row(
        "deep references",
        {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/Both/properties/name"}}},
        ({"a": "x"},),
        ({"a": 1},),
    ),
]


def document(version: str, schema: Json) -> JsonObject:
    """A document of a version whose one operation takes the schema as the property `x` of its body."""
    body: JsonObject = {"type": "object", "required": ["x"], "properties": {"x": schema}}
    if version == "2.0":
        parameters: Json = [{"in": "body", "name": "b", "required": True, "schema": body}]
        return {
            "swagger": "2.0",
            "paths": {"/a": {"post": {"consumes": ["application/json"], "parameters": parameters}}},
            "components": {"schemas": COMPONENTS},
        }
    content: Json = {"application/json": {"schema": body}}
    return {
        "openapi": f"{version}.0",
        "paths": {"/a": {"post": {"requestBody": {"required": True, "content": content}}}},
        "components": {"schemas": COMPONENTS},
    }


class Second(Protocol):
    """A validator that shares nothing with the first."""

    def is_valid(self, instance: object) -> bool:
        """Whether it accepts a value."""
        ...


def second_validator(schema: JsonObject) -> Second:
    """Formats checked."""
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return cast("Second", jsonschema.Draft202012Validator(schema, format_checker=checker))


@pytest.mark.promise("O4")
@pytest.mark.parametrize(
    ("version", "row"),
    [(version, row) for row in ROWS for version in row.versions],
    ids=lambda value: value if isinstance(value, str) else value.title.replace(" ", "-"),
)
def test_valid_values_stay_valid_and_invalid_ones_invalid(version: str, row: Row) -> None:
    """By the whole schema, for two validators."""
    conversion = openapi_to_tool_specs(document(version, row.schema))
    assert conversion.skipped == ()
    (entry,) = conversion.entries
    first = jsonschema_rs.Draft202012Validator(dump_json(entry.parameters), validate_formats=True)
    second = second_validator(entry.parameters)
    for value in row.valid:
        assert first.is_valid({"x": value}), value
    for value in row.invalid:
        assert not first.is_valid({"x": value}), value
    if "pattern" in row.title or "Unicode" in row.title or "group" in row.title:
        return
    for value in (*row.valid, *row.invalid):
        assert second.is_valid({"x": value}) is (value in row.valid and first.is_valid({"x": value})), value


@pytest.mark.promise("O4")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title.replace(" ", "-"))
def test_what_is_shown_in_part_accepts_whatever_is_valid(row: Row) -> None:
    """Folding hides; it never refuses."""
    for version in row.versions:
        for tokens in (20, 80, 120, 200):
            options = ConvertOptions(max_tool_tokens=tokens)
            (tool,) = openapi_to_tool_specs(document(version, row.schema), options=options)
            shown = jsonschema_rs.Draft202012Validator(dump_json(tool.parameters))
            for value in row.valid:
                assert shown.is_valid({"x": value}), (tokens, value, tool.parameters)


FORMS: list[tuple[JsonObject, JsonObject]] = [
    ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
    ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 1}),
    ({"type": "number", "maximum": 1, "exclusiveMaximum": True}, {"type": "number", "exclusiveMaximum": 1}),
    ({"type": "string", "format": "binary"}, {"type": "string", "format": "binary"}),
    ({"type": "string", "example": "e"}, {"type": "string", "example": "e"}),
    (
        {"type": "integer", "enum": [1, 2], "nullable": True},
        {"type": ["integer", "null"], "enum": [1, 2, None]},
    ),
]


@pytest.mark.parametrize(("old", "new"), FORMS)
def test_a_document_and_its_translation_to_3_1_give_equal_tools(old: JsonObject, new: JsonObject) -> None:
    """What changed between the versions is only how it is written."""
    (first,) = openapi_to_tool_specs(document("3.0", old))
    (second,) = openapi_to_tool_specs(document("3.1", new))
    assert first == second
