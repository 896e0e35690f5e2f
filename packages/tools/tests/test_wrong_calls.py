"""What a model is told of a call that it got wrong: where, what, and what would be right, in few words.

The calls stand in `cases/wrong_calls.json`; they were written apart from the code.
"""

import json
from pathlib import Path
from typing import cast

import pytest

from interlock_core import Json, JsonObject, ToolCall
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import LoopbackServer, make_call
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry

TABLE = cast("JsonObject", json.loads((Path(__file__).parent / "cases" / "wrong_calls.json").read_bytes()))
LONGEST = 400
ECHO = 80


def long_texts(value: Json) -> list[str]:
    """The texts of a value that are too long to be repeated."""
    if isinstance(value, str):
        return [value] if len(value) > ECHO else []
    inner = value.values() if isinstance(value, dict) else as_array(value)
    return [text for item in inner for text in long_texts(item)]


@pytest.mark.promise("O8")
@pytest.mark.parametrize(
    "case", [as_object(one) for one in as_array(TABLE["cases"])], ids=lambda case: str(as_object(case)["id"])
)
async def test_a_wrong_call_is_told_what_is_wrong_and_what_would_be_right(
    case: JsonObject, server: LoopbackServer
) -> None:
    """Nothing leaves; the place and the right thing are named; nothing long is repeated."""
    registry = ToolRegistry()
    document = as_object(TABLE["document"])
    registry.add_document(document, namespace="n", options=DocumentOptions(base_url=server.url))
    executor = ToolExecutor(registry)
    given = case["arguments"]
    arguments = str(given) if case.get("raw") else json.dumps(given)
    (tool,) = registry.list()
    result = await executor.execute(ToolCall(id="c", name=tool.name, arguments=arguments), make_call())
    await executor.aclose()
    assert server.requests == []
    assert result.is_error
    assert [
        word for word in (*as_array(case["names"]), *as_array(case["says"])) if str(word) not in result.text
    ] == [], result.text
    assert len(result.text) <= LONGEST, result.text
    assert not any(text[: ECHO + 1] in result.text for text in long_texts(given))


TREE: JsonObject = {
    "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Leaf", "Pair", "List", "Word")]
}
NODE: JsonObject = {"$ref": "#/components/schemas/Node"}
NESTED: JsonObject = {
    "Node": TREE,
    "Leaf": {
        "type": "object",
        "required": ["leaf"],
        "properties": {"leaf": {"$ref": "#/components/schemas/Node"}},
    },
    "Pair": {"allOf": [TREE, {"required": ["left", "right"], "properties": {"left": TREE, "right": TREE}}]},
    "List": {"type": "array", "items": NODE},
    "Word": {"enum": ["a", "b"]},
    "Empty": {"type": "object", "additionalProperties": False},
    "Map": {
        "type": "object",
        "additionalProperties": {"oneOf": [{"const": 1}, {"type": ["null", "boolean"]}]},
    },
}
WRONG: list[tuple[JsonObject, str]] = [
    ({"tree": {"leaf": {"leaf": {"leaf": 5}}}}, "tree"),
    ({"tree": [[["c"]]]}, "tree"),
    ({"empty": {"a": 1}}, "Send an empty object"),
    ({"map": {"key": "x"}}, "It may be 1 or null or boolean"),
    ({"many": {"zebra": 1}}, "Known there: field_0"),
]


@pytest.mark.promise("O8")
@pytest.mark.parametrize(("arguments", "said"), WRONG)
async def test_what_is_right_is_found_in_schemas_that_turn_in_circles(
    arguments: JsonObject, said: str
) -> None:
    """Through references, choices, maps and lists, in few steps however often they meet again."""
    many: JsonObject = {
        "type": "object",
        "additionalProperties": False,
        "properties": {f"field_{number}": {} for number in range(60)},
    }
    properties: JsonObject = {
        "tree": NODE,
        "empty": {"$ref": "#/components/schemas/Empty"},
        "map": {"$ref": "#/components/schemas/Map"},
        "many": many,
    }
    body: JsonObject = {"type": "object", "properties": properties}
    operation: JsonObject = {
        "operationId": "x",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
    }
    registry = ToolRegistry()
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": "N", "version": "1"},
        "paths": {"/x": {"post": operation}},
        "components": {"schemas": NESTED},
    }
    registry.add_document(document, namespace="n", options=DocumentOptions(base_url="https://api.example"))
    call = ToolCall(id="c", name="n.x", arguments=json.dumps(arguments))
    result = await ToolExecutor(registry).execute(call, make_call())
    assert result.error_code == "schema_invalid"
    assert said in result.text
    assert len(result.text) <= LONGEST
