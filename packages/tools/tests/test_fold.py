"""Schemas too long for a prompt show what is nearest, and say what they leave out."""

import json

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_object
from interlock_tools import Conversion, ConvertOptions, openapi_to_tool_specs
from interlock_tools.openapi import Wording

LONG = "Many words that say what this is good for, one after the other, until the line is full of them."


def converted(parameters: JsonObject, schemas: JsonObject | None = None, *, tokens: int = 200) -> Conversion:
    """What becomes of an operation with these query parameters."""
    listed: Json = [{"name": name, "in": "query", "schema": schema} for name, schema in parameters.items()]
    document: JsonObject = {
        "openapi": "3.1.0",
        "paths": {"/a": {"get": {"operationId": "a", "parameters": listed}}},
        "components": {"schemas": schemas or {}},
    }
    options = ConvertOptions(max_tool_tokens=tokens, wording=Wording())
    conversion = openapi_to_tool_specs(document, options=options)
    assert conversion.skipped == ()
    shown = json.dumps(conversion.tools[0].parameters)
    names = {f"#/$defs/{name}" for name in as_object(conversion.tools[0].parameters.get("$defs"))}
    assert {part.partition('"')[0] for part in shown.split('"$ref": "')[1:]} == names
    return conversion


def test_many_arguments_lose_words_and_long_lists_before_they_lose_their_names() -> None:
    """Every argument stays, with its type."""
    parameters: JsonObject = {f"p{i}": {"type": "string", "description": LONG} for i in range(30)}
    parameters["kind"] = {"type": "string", "enum": [f"kind-{i}" for i in range(60)]}
    parameters["any"] = True
    properties = as_object(converted(parameters).tools[0].parameters["properties"])
    assert list(properties) == list(parameters)
    first = as_object(properties["p0"])
    assert first["type"] == "string"
    assert len(str(first["description"])) <= 60
    assert as_object(properties["kind"]) == {
        "type": "string",
        "description": "One of " + ", ".join(f"kind-{i}" for i in range(10)) + " …",
    }


def test_near_definitions_are_kept_and_far_ones_become_stubs_of_their_kind() -> None:
    """A stub names the type and the first fields, and refers to nothing."""

    def fields(name: str, count: int) -> JsonObject:
        return {f"{name}{i}": {"type": "string", "description": LONG} for i in range(count)}

    def link(name: str) -> Json:
        return {"$ref": f"#/components/schemas/{name}"}

    schemas: JsonObject = {
        "Near": {
            "type": "object",
            "properties": {
                "far": link("Far"),
                "list": link("List"),
                "kind": link("Kind"),
                "either": link("Either"),
                "none": link("Bare"),
            },
        },
        "Far": {"type": "object", "properties": {**fields("f", 20), "near": link("Near")}},
        "List": {"type": "array", "items": {"type": "object", "properties": fields("l", 9)}},
        "Kind": {"type": "string", "enum": [f"kind-{i}-{'x' * 30}" for i in range(40)]},
        "Either": {"type": ["object", "null"], "properties": fields("e", 20)},
        "Bare": {"oneOf": [{"type": "object", "properties": fields("o", 9)}, {"type": "string"}]},
    }
    conversion = converted({"q": link("Near")}, schemas, tokens=300)
    definitions = as_object(conversion.tools[0].parameters["$defs"])
    assert as_object(definitions["Near"])["properties"] == {
        "far": {"$ref": "#/$defs/Far"},
        "list": {"$ref": "#/$defs/List"},
        "kind": {"$ref": "#/$defs/Kind"},
        "either": {"$ref": "#/$defs/Either"},
        "none": {"$ref": "#/$defs/Bare"},
    }
    first = "f0, f1, f2, f3, f4, f5, f6, f7, f8, f9"
    assert definitions["Far"] == {"type": "object", "description": f"Folded; has {first} …"}
    assert definitions["List"] == {"type": "array", "items": {}, "description": "Folded."}
    assert str(as_object(definitions["Kind"])["description"]).startswith("One of kind-0-")
    assert as_object(definitions["Either"]) == {"description": f"Folded; has {first.replace('f', 'e')} …"}
    assert definitions["Bare"] == {"description": "Folded."}
    whole = as_object(conversion.entries[0].parameters["$defs"])
    assert as_object(as_object(whole["Far"])["properties"])["f19"] == {"type": "string", "description": LONG}


def test_deep_parts_are_folded_where_they_stand() -> None:
    """In lists, maps and alternatives alike; what is shallow stays."""
    deep: Json = {"type": "string", "description": LONG}
    for i in range(6):
        deep = {
            "type": "object",
            "properties": {f"level{i}": deep, f"other{i}": {"type": "array", "items": deep}},
        }
    parameters: JsonObject = {
        "deep": deep,
        "either": {"anyOf": [deep, {"type": "string"}]},
        "map": {"type": "object", "additionalProperties": deep, "patternProperties": {"^x": deep}},
        "plain": {"type": "string"},
    }
    conversion = converted(parameters, tokens=400)
    shown = json.dumps(conversion.tools[0].parameters)
    assert len(shown) < 1_600
    assert "Folded; has level" in shown
    assert as_object(conversion.tools[0].parameters["properties"])["plain"] == {"type": "string"}
    assert conversion.folded == 1
