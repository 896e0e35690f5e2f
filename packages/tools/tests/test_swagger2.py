"""Swagger 2.0 documents become the same kind of tools."""

import pytest

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_object
from interlock_tools import Conversion, openapi_to_tool_specs


def operation(value: JsonObject, *, path: str = "/notes", more: JsonObject | None = None) -> Conversion:
    """What becomes of one operation of a document that says more beside it."""
    paths: JsonObject = {path: {"post": value}}
    document: JsonObject = {"swagger": "2.0", "info": {"title": "N"}, "paths": paths, **(more or {})}
    return openapi_to_tool_specs(document)


def properties(conversion: Conversion) -> JsonObject:
    """Schemas of the arguments of the first tool."""
    return as_object(conversion.tools[0].parameters["properties"])


def test_parameters_carry_their_own_schema() -> None:
    """Type, format, limits and items stand in the parameter itself."""
    conversion = operation(
        {
            "parameters": [
                {
                    "name": "id",
                    "in": "path",
                    "required": True,
                    "type": "integer",
                    "format": "int64",
                    "minimum": 1,
                },
                {
                    "name": "tags",
                    "in": "query",
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Any of",
                },
                {"name": "odd", "in": "query", "schema": {"type": "boolean"}},
                {"$ref": "#/parameters/Shared"},
            ]
        },
        path="/notes/{id}",
        more={"parameters": {"Shared": {"name": "X-Run", "in": "header", "type": "string"}}},
    )
    assert properties(conversion) == {
        "id": {"type": "integer", "minimum": 1},
        "tags": {"type": "array", "items": {"type": "string"}, "description": "Any of"},
        "odd": {"type": "boolean"},
        "X-Run": {"type": "string"},
    }


@pytest.mark.parametrize(
    ("where", "collection", "style", "explode"),
    [
        ("query", None, "form", False),
        ("query", "csv", "form", False),
        ("query", "multi", "form", True),
        ("query", "ssv", "spaceDelimited", False),
        ("query", "tsv", "tabDelimited", False),
        ("query", "pipes", "pipeDelimited", False),
        ("header", "csv", "simple", False),
        ("header", "multi", "simple", False),
        ("header", "pipes", "pipeDelimited", False),
    ],
)
def test_collection_formats_are_styles(where: str, collection: str | None, style: str, explode: bool) -> None:
    """Each has its counterpart."""
    parameter: JsonObject = {"name": "q", "in": where, "type": "array", "items": {"type": "string"}}
    if collection is not None:
        parameter["collectionFormat"] = collection
    read = operation({"parameters": [parameter]}).entries[0].plan.slots[0].parameter
    assert (read.style, read.explode) == (style, explode)


def test_a_body_is_sent_in_a_media_type_that_the_operation_takes() -> None:
    """Its own list wins over the document's; its name is that of the argument when it stays whole."""
    body: Json = {"name": "note", "in": "body", "required": True, "schema": {"type": "array", "items": {}}}
    conversion = operation(
        {"consumes": ["text/json"], "parameters": [body]}, more={"consumes": ["application/xml"]}
    )
    plan = conversion.entries[0].plan.body
    assert plan is not None
    assert (plan.media_type, plan.required, plan.argument) == ("text/json", True, "note")
    plan = operation({"parameters": [body]}).entries[0].plan.body
    assert plan is not None
    assert plan.media_type == "application/json"


def test_form_fields_are_a_form_and_files_make_it_multipart() -> None:
    """Lists of fields follow their collection format."""
    fields: list[Json] = [
        {"name": "title", "in": "formData", "type": "string", "required": True},
        {
            "name": "tags",
            "in": "formData",
            "type": "array",
            "items": {"type": "string"},
            "collectionFormat": "pipes",
        },
    ]
    plan = operation({"parameters": fields}).entries[0].plan.body
    assert plan is not None
    assert plan.form == "form"
    assert plan.encoding["tags"].style == "pipeDelimited"
    with_file: list[Json] = [*fields, {"name": "upload", "in": "formData", "type": "file"}]
    conversion = operation({"consumes": ["application/x-www-form-urlencoded"], "parameters": with_file})
    plan = conversion.entries[0].plan.body
    assert plan is not None
    assert (plan.form, plan.files) == ("multipart", {"upload"})
    assert conversion.tools[0].parameters["required"] == ["title"]
    plan = operation({"consumes": ["multipart/form-data"], "parameters": fields}).entries[0].plan.body
    assert plan is not None
    assert plan.form == "multipart"


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ({"name": "q", "in": "cookie", "type": "string"}, "cannot be in 'cookie'"),
        ({"name": "f", "in": "formData", "type": "string"}, "both a body and form fields"),
    ],
)
def test_what_2_0_does_not_know_costs_the_operation(parameter: JsonObject, said: str) -> None:
    """With a reason."""
    body: Json = {"name": "note", "in": "body", "schema": {}}
    assert said in operation({"parameters": [body, parameter]}).skipped[0].reason


SERVERS: list[tuple[JsonObject, str]] = [
    ({"host": "api.example", "basePath": "/v1/", "schemes": ["http", "https"]}, "https://api.example/v1"),
    ({"host": "api.example", "schemes": ["http"]}, "http://api.example"),
    ({"host": "api.example", "schemes": ["ws", {}]}, "https://api.example"),
    ({"basePath": "/v1"}, "/v1"),
]


@pytest.mark.parametrize(("root", "url"), SERVERS)
def test_the_server_is_host_and_base_path(root: JsonObject, url: str) -> None:
    """The safe scheme where there is a choice."""
    assert operation({}, more=root).entries[0].document.servers[0].url == url


def test_no_host_and_no_base_path_name_no_server() -> None:
    """Then the operator has to."""
    assert operation({}).entries[0].document.servers == ()


def test_security_definitions_are_schemes() -> None:
    """Basic is an HTTP scheme; the rest is named as later versions name it."""
    conversion = operation(
        {"security": [{"basic": []}]},
        more={
            "securityDefinitions": {
                "basic": {"type": "basic"},
                "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
                "flow": {"type": "oauth2", "flow": "implicit"},
            }
        },
    )
    schemes = {scheme.name: scheme for scheme in conversion.entries[0].document.schemes}
    assert (schemes["basic"].kind, schemes["basic"].scheme) == ("http", "basic")
    assert (schemes["key"].location, schemes["key"].parameter) == ("header", "X-Key")
    assert schemes["flow"].kind == "oauth2"


def test_answers_say_what_they_are_written_in() -> None:
    """Schema and media types of 2.0 answers are known."""
    conversion = operation(
        {
            "produces": ["text/csv", "application/json"],
            "responses": {
                "200": {
                    "schema": {"type": "object", "properties": {"a": {"type": "string", "x-nullable": True}}}
                }
            },
        }
    )
    entry = conversion.entries[0]
    assert entry.responses.media_types(entry.plan.operation) == ("application/json", "text/csv")
    assert entry.responses.schema(entry.plan.operation, 200) == {
        "type": "object",
        "properties": {"a": {"type": ["string", "null"]}},
    }
