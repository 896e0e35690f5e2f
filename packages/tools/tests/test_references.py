"""References lead to other files, into schemas with names of their own, and anywhere in a document."""

import json
from pathlib import Path

import pytest

from interlock_core import Json, JsonObject
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import as_object
from interlock_tools import load_document, load_file, load_object
from interlock_tools import openapi_to_tool_specs as converted
from interlock_tools.openapi import Conversion


def referring(schema: Json, *, version: str = "3.1.0", **more: Json) -> JsonObject:
    """A document whose operation takes one parameter `q` of this schema."""
    parameter: JsonObject = {"name": "q", "in": "query", "schema": schema}
    return {"openapi": version, "paths": {"/notes": {"get": {"parameters": [parameter]}}}, **more}


def taken(conversion: Conversion) -> Json:
    """The schema of `q` as a tool has it, behind its definition."""
    assert conversion.skipped == ()
    parameters = conversion.entries[0].parameters
    schema = as_object(as_object(parameters["properties"])["q"])
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    return as_object(parameters.get("$defs")).get(name, schema)


def written(folder: Path, name: str, value: Json) -> Path:
    """A file of JSON."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


@pytest.mark.promise("O2")
@pytest.mark.parametrize(
    ("reference", "where"),
    [
        ("#/components/schemas/a~1b", "a/b"),
        ("#/components/schemas/a%2Fb", "a/b"),
        ("#/components/schemas/c~0d%20e", "c~d e"),
        ("#/components/schemas/p%25", "p%"),
    ],
)
def test_pointers_are_read_with_their_escapes(reference: str, where: str) -> None:
    """Those of JSON pointers and those of addresses."""
    schemas: JsonObject = {where: {"type": "integer"}}
    assert taken(converted(referring({"$ref": reference}, components={"schemas": schemas}))) == {
        "type": "integer"
    }


def test_references_lead_into_paths_and_lists() -> None:
    """Anywhere in the document."""
    root = referring({"$ref": "#/paths/~1other/get/parameters/0/schema"})
    parameter: JsonObject = {"name": "x", "in": "query", "schema": {"type": "boolean"}}
    as_object(root["paths"])["/other"] = {"get": {"parameters": [parameter]}}
    assert taken(converted(root)) == {"type": "boolean"}


def test_folded_and_quoted_names_of_files_are_found(tmp_path: Path) -> None:
    """YAML may write a long reference on a line of its own, and names may hold spaces."""
    written(tmp_path, "my types.json", {"Q": {"type": "integer"}})
    path = tmp_path / "api.yaml"
    path.write_text(
        "openapi: 3.1.0\npaths:\n  /a:\n    get:\n      parameters:\n"
        "        - name: q\n          in: query\n          schema:\n            $ref: >-\n"
        "              ./my%20types.json#/Q\n"
        "  /b: {get: {parameters: [{name: q, in: query, schema: {$ref: 'my types.json#/Q'}}]}}\n"
    )
    conversion = converted(load_file(path))
    assert [str(tool.parameters["properties"]) for tool in conversion] == ["{'q': {'type': 'integer'}}"] * 2


def test_a_document_in_another_encoding_is_followed_too(tmp_path: Path) -> None:
    """What it points to is found whatever its bytes are."""
    written(tmp_path, "types.json", {"Q": {"type": "integer"}})
    path = tmp_path / "api.json"
    path.write_bytes(json.dumps(referring({"$ref": "types.json#/Q"})).encode("utf-16"))
    assert taken(converted(load_file(path))) == {"type": "integer"}
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidRequestError, match="no text"):
        load_file(path)


@pytest.mark.promise("O1")
@pytest.mark.parametrize(
    "reference", ["types.json#/Q", "https://api.example/v1/types.json#/Q", "/v1/types.json#/Q"]
)
def test_a_document_may_say_what_its_address_is(tmp_path: Path, reference: str) -> None:
    """References are seen from its `$self`; the files are those that lie beside it."""
    written(tmp_path, "types.json", {"Q": {"type": "integer"}})
    root = referring({"$ref": reference}, version="3.2.0")
    path = written(tmp_path, "api.json", {"$self": "https://api.example/v1/api.json", **root})
    assert taken(converted(load_file(path))) == {"type": "integer"}


def test_another_file_is_found_by_what_it_says_it_is(tmp_path: Path) -> None:
    """A file that is read is known by its `$self` as well as by its place."""
    written(tmp_path, "t.json", {"$self": "https://types.example/t", "Q": {"type": "integer"}})
    other: JsonObject = {"name": "r", "in": "query", "schema": {"$ref": "t.json#/Q"}}
    root = referring({"$ref": "https://types.example/t#/Q"}, version="3.2.0")
    as_object(root["paths"])["/other"] = {"get": {"parameters": [other]}}
    assert taken(converted(load_file(written(tmp_path, "api.json", root)))) == {"type": "integer"}


def test_a_schema_with_an_id_is_a_base_of_its_own() -> None:
    """References inside it are seen from it, and lead to it and its neighbours by their ids."""
    tag: JsonObject = {"$id": "https://x.example/tag", "type": "string", "minLength": 3}
    pet: JsonObject = {
        "$id": "https://x.example/pet",
        "type": "object",
        "properties": {"tag": {"$ref": "tag"}, "own": {"$ref": "#/$defs/own"}, "by": {"$ref": "#named"}},
        "$defs": {"own": {"type": "integer"}, "n": {"$anchor": "named", "type": "boolean"}},
    }
    schemas: JsonObject = {"Pet": pet, "Tag": tag}
    conversion = converted(referring({"$ref": "https://x.example/pet"}, components={"schemas": schemas}))
    shown = str(taken(conversion)) + str(conversion.entries[0].parameters)
    assert "'minLength': 3" in shown
    assert "'integer'" in shown
    assert "'boolean'" in shown


def test_inside_a_schema_with_an_id_the_document_is_meant_where_the_schema_has_no_such_place() -> None:
    """Many authors write it so."""
    schemas: JsonObject = {
        "A": {"$id": "https://x.example/a", "type": "array", "items": {"$ref": "#/components/schemas/B"}},
        "B": {"type": "integer"},
    }
    conversion = converted(referring({"$ref": "#/components/schemas/A"}, components={"schemas": schemas}))
    assert "integer" in str(conversion.entries[0].parameters)


def test_anchors_are_found_in_their_own_schema_first() -> None:
    """Two schemas may use the same word."""
    schemas: JsonObject = {
        "A": {
            "$id": "https://x.example/a",
            "type": "array",
            "items": {"$ref": "#item"},
            "$defs": {"i": {"$anchor": "item", "type": "integer"}},
        },
        "B": {"$id": "https://x.example/b", "$defs": {"i": {"$dynamicAnchor": "item", "type": "string"}}},
    }
    for reference, kind in (("https://x.example/a", "integer"), ("https://x.example/b#item", "string")):
        root = referring({"$ref": reference}, components={"schemas": schemas})
        assert kind in str(converted(root).entries[0].parameters)
    root = referring({"$dynamicRef": "#item"}, components={"schemas": schemas})
    assert taken(converted(root)) != {}


@pytest.mark.promise("O2")
@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("#", "whole document"),
        ("#/components/schemas/A", "leads in a circle"),
        ("https://x.example/absent", "no address to start from"),
        ("https://x.example/a#/nowhere", "no address to start from"),
        ("https://x.example/a#nowhere", "no address to start from"),
        ("http://[", "no address to start from"),
        ("#/components/schemas/C/5", "nothing at that place"),
    ],
)
def test_a_reference_to_nothing_costs_its_operation(reference: str, said: str) -> None:
    """With the place, the cause and what to do."""
    schemas: JsonObject = {
        "A": {"$ref": "#/components/schemas/B"},
        "B": {"$ref": "#/components/schemas/A"},
        "C": [{"$id": "https://x.example/a"}],
    }
    (skipped,) = converted(referring({"$ref": reference}, components={"schemas": schemas})).skipped
    assert said in skipped.reason
    assert "document#/paths/~1notes/get/parameters/0/schema" in skipped.reason


def test_an_object_in_memory_has_ids_only_where_schemas_do() -> None:
    """Before 3.1 `$id` is a word like any other."""
    assert load_object({"openapi": "3.0.3"}).with_ids == frozenset()
    assert load_object({"openapi": "3.1.0"}).with_ids == {""}


@pytest.mark.promise("O1")
def test_what_openapi_3_2_adds_is_read() -> None:
    """Further methods, query as a method, the whole query as a parameter, media types by reference."""
    media: JsonObject = {"schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}
    body: JsonObject = {"content": {"application/json": {"$ref": "#/components/mediaTypes/M"}}}
    whole: JsonObject = {
        "name": "all",
        "in": "querystring",
        "content": {"application/x-www-form-urlencoded": {"$ref": "#/components/mediaTypes/M"}},
    }
    item: JsonObject = {
        "query": {"operationId": "seek", "requestBody": body, "tags": ["books"]},
        "get": {"operationId": "whole", "parameters": [whole]},
        "additionalOperations": {"COPY": {"operationId": "copy"}, "GET": {}, "a b": {}, "notify": {}},
    }
    tags: list[Json] = [
        {"name": "books", "parent": "shop"},
        {"name": "shop", "parent": "all"},
        {"name": "all", "parent": "books"},
    ]
    root: JsonObject = {
        "openapi": "3.2.0",
        "tags": tags,
        "paths": {"/x": {"$ref": "#/components/pathItems/X"}},
        "components": {"mediaTypes": {"M": media}, "pathItems": {"X": item}},
        "webhooks": {"done": {"post": {}}},
    }
    conversion = converted(root)
    assert [tool.endpoint for tool in conversion] == ["GET /x", "QUERY /x", "COPY /x", "notify /x"]
    by_id = {tool.operation_id: tool for tool in conversion}
    assert as_object(by_id["seek"].parameters["properties"])["a"] == {"type": "integer"}
    assert "all" in as_object(by_id["whole"].parameters["properties"])
    assert by_id["seek"].tags == ("books", "shop", "all")
    assert by_id["seek"].category == "books"
    assert [problem.pointer for problem in conversion.problems] == [
        "/components/pathItems/X/additionalOperations/GET",
        "/components/pathItems/X/additionalOperations/a b",
    ]


async def test_a_folder_with_one_document_is_that_document(tmp_path: Path) -> None:
    """What it points to may lie anywhere in the folder; several are named."""
    written(tmp_path, "common/types.json", {"Q": {"type": "integer"}})
    path = written(tmp_path, "v1/api.json", referring({"$ref": "../common/types.json#/Q"}))
    assert taken(converted(await load_document(tmp_path))) == {"type": "integer"}
    other = written(tmp_path, "v2/api.json", {"openapi": "3.0.0"})
    with pytest.raises(InvalidRequestError, match="holds 2 OpenAPI documents") as caught:
        await load_document(str(tmp_path))
    assert f"{path}, {other}" in str(caught.value)
