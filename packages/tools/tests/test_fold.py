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
    properties = as_object(converted(parameters, tokens=900).tools[0].parameters["properties"])
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
    assert definitions["List"] == {
        "type": "array",
        "items": {"type": "object", "description": "Folded; has l0, l1, l2, l3, l4, l5, l6, l7, l8"},
    }
    assert str(as_object(definitions["Kind"])["description"]).startswith("One of kind-0-")
    assert as_object(definitions["Either"]) == {
        "type": ["object", "null"],
        "description": f"Folded; has {first.replace('f', 'e')} …",
    }
    assert definitions["Bare"] == {"description": "Folded; one of 2 forms."}
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


def test_a_property_may_be_called_as_a_keyword_is() -> None:
    """`properties`, `default` or `$ref` inside `properties` are names, not keywords."""
    fields: JsonObject = {f"a{i}": {"type": "string", "description": LONG} for i in range(20)}
    near: JsonObject = {"type": "object", "properties": fields}
    link: Json = {"$ref": "#/components/schemas/Near"}
    wide: JsonObject = dict.fromkeys(("properties", "default", "items", "enum", "$ref"), link)
    one: JsonObject = {"one": {"type": "object", "properties": wide}}
    for parameters in (wide, one):
        conversion = converted(parameters, {"Near": near}, tokens=250)
        assert conversion.folded == 1
        assert "Near" in as_object(conversion.tools[0].parameters["$defs"])


def test_names_for_which_there_is_no_room_are_said_together() -> None:
    """Those that begin alike as one; each is still possible."""
    tails = [f"{side}_{unit}" for side in ("less", "more") for unit in ("day", "hour", "week")]
    names = [f"{field}__{tail}" for field in ("made_at", "sold_at", "sent_at") for tail in tails]
    parameters: JsonObject = {name: {"type": "string", "description": LONG} for name in [*names, "id"]}
    conversion = converted(parameters, tokens=160)
    rest = as_object(conversion.tools[0].parameters["additionalProperties"])
    assert "sold_at__{less_day, less_hour" in str(rest["description"])
    assert len(json.dumps(conversion.tools[0].parameters)) < 640
    assert as_object(conversion.entries[0].parameters["properties"]).keys() == {*names, "id"}


def test_when_not_even_all_names_fit_the_number_of_the_others_is_said() -> None:
    """And nothing overflows."""
    parameters: JsonObject = {f"{'x' * 30}{i}": {"type": "string", "description": LONG} for i in range(60)}
    shown = converted(parameters, tokens=150).tools[0].parameters
    assert " more." in str(as_object(shown["additionalProperties"])["description"])
    assert len(json.dumps(shown)) < 600


def test_long_lists_of_values_keep_the_type_that_all_of_them_have() -> None:
    """A list of several types keeps none, because each would be wrong for some."""
    lists: dict[str, list[Json]] = {
        "text": [f"value-{i}" for i in range(60)],
        "number": [*range(60)],
        "flag": [True, False] * 30,
        "mixed": [*range(30), *(f"value-{i}" for i in range(30))],
    }
    parameters: JsonObject = {name: {"enum": values} for name, values in lists.items()}
    parameters |= {f"p{i}": {"type": "string", "description": LONG} for i in range(8)}
    properties = as_object(converted(parameters, tokens=400).tools[0].parameters["properties"])
    assert as_object(properties["text"])["type"] == "string"
    assert as_object(properties["number"])["type"] == "number"
    assert as_object(properties["flag"]) == {"enum": [True, False]}
    assert "type" not in as_object(properties["mixed"])


def test_what_would_refuse_more_when_its_parts_are_folded_is_left_out() -> None:
    """Conditions go; exactly one of several becomes any of them; a short negation stays."""
    parts: Json = [{"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "integer"}]
    strange: JsonObject = {
        "anyOf": parts,
        "oneOf": parts,
        "not": {"const": 5},
        "if": {"minimum": 3},
        "then": {"maximum": 9},
    }
    parameters: JsonObject = {"strange": strange, "far": {"not": {"items": {"const": LONG * 9}}}}
    parameters |= {f"p{i}": {"type": "string", "description": LONG} for i in range(20)}
    shown = as_object(converted(parameters, tokens=900).tools[0].parameters["properties"])
    assert as_object(shown["strange"]).keys() == {"anyOf", "not", "allOf"}
    assert as_object(shown["strange"])["not"] == {"const": 5}
    assert shown["far"] == {}
