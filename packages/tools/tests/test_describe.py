"""A model that was shown a folded tool asks for the part that it needs, and is told all of it."""

import pytest

from interlock_core import Json, JsonObject
from interlock_core.errors import NotFoundError
from interlock_core.jsontypes import as_object, dump_json
from interlock_tools import DocumentOptions, ToolRegistry

LONG = "Which of the many zones of the region to look in, by the short name that the console shows."


def link(name: str) -> Json:
    """A reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def registry(*, tokens: int = 300) -> ToolRegistry:
    """One operation with a body that is too large to be shown."""
    wide: JsonObject = {f"field{i}": {"type": "string", "description": LONG} for i in range(80)}
    schemas: JsonObject = {
        "Order": {
            "type": "object",
            "required": ["lines"],
            "properties": {
                "lines": {"type": "array", "items": link("Line")},
                "options": link("Options"),
                "payment": {
                    "description": "How it is paid.",
                    "oneOf": [
                        {"type": "object", "properties": {"card": {"type": "string"}}},
                        {"type": "object", "properties": {"iban": {"type": "string"}}},
                    ],
                },
                "never": False,
                "any": True,
            },
        },
        "Line": {
            "type": "object",
            "required": ["sku"],
            "properties": {"sku": {"type": "string", "description": LONG}, "with": link("Line")},
        },
        "Options": {"type": "object", "properties": wide, "required": ["field79"]},
    }
    operation: JsonObject = {
        "operationId": "order",
        "requestBody": {"required": True, "content": {"application/json": {"schema": link("Order")}}},
    }
    catalog = ToolRegistry()
    catalog.add_document(
        {"openapi": "3.1.0", "paths": {"/orders": {"post": operation}}, "components": {"schemas": schemas}},
        namespace="shop",
        options=DocumentOptions(max_tool_tokens=tokens),
    )
    return catalog


@pytest.mark.parametrize(
    "pointer", ["/properties/lines/items", "/lines/items", "#/properties/lines/items", "/$defs/Line"]
)
def test_a_part_comes_by_itself_with_the_definitions_that_it_needs(pointer: str) -> None:
    """References on the way are followed, and names of properties are steps too."""
    part = registry().describe("shop.order", pointer)
    assert part["required"] == ["sku"]
    assert as_object(part["properties"])["sku"] == {"type": "string", "description": LONG}
    assert as_object(part["properties"])["with"] == {"$ref": "#/$defs/Line"}
    assert as_object(part["$defs"]).keys() == {"Line"}


def test_without_a_pointer_the_whole_is_described() -> None:
    """As far as there is room; what was folded first may be shown now."""
    catalog = registry()
    whole = catalog.describe("shop.order", max_tokens=10_000)
    assert whole == catalog.parameters("shop.order")
    assert catalog.get("shop.order").parameters != whole


@pytest.mark.parametrize("tokens", [100, 150, 300, 600, 1_500])
def test_an_answer_keeps_to_its_limit(tokens: int) -> None:
    """However large the part is; what is required comes first, and what is left out is named."""
    catalog = registry()
    for pointer in ("", "/options", "/payment", "/lines"):
        assert len(dump_json(catalog.describe("shop.order", pointer, max_tokens=tokens))) <= tokens * 4
    part = catalog.describe("shop.order", "/options", max_tokens=600)
    shown = as_object(part["properties"])
    assert "field79" in shown
    assert "field20" not in shown
    assert "field20" in str(as_object(part["additionalProperties"])["description"])


def test_alternatives_and_booleans_are_described() -> None:
    """A form is one step further; `true` says nothing and `false` refuses all."""
    catalog = registry()
    assert len(str(catalog.describe("shop.order", "/payment")["oneOf"])) > 20
    assert catalog.describe("shop.order", "/payment/oneOf/1/iban") == {"type": "string"}
    assert catalog.describe("shop.order", "/any") == {}
    assert catalog.describe("shop.order", "/never") == {"not": {}}


@pytest.mark.parametrize(
    ("pointer", "remedy"),
    [("/lins", "lines"), ("/payment/oneOf/9", "There are none"), ("/lines/items/skv", "sku")],
)
def test_a_pointer_that_leads_nowhere_is_answered_with_what_is_there(pointer: str, remedy: str) -> None:
    """So that the next question is a better one."""
    with pytest.raises(NotFoundError) as caught:
        registry().describe("shop.order", pointer)
    assert remedy in str(caught.value)


@pytest.mark.parametrize("name", ["properties", "items", "required"])
def test_a_property_that_is_called_like_a_keyword_is_described(name: str) -> None:
    """Not what the keyword holds; the others are still reached with every step of the pointer."""
    inner: JsonObject = {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}
    body: JsonObject = {"type": "object", "properties": {name: inner, "other": {"type": "integer"}}}
    operation: JsonObject = {"requestBody": {"content": {"application/json": {"schema": body}}}}
    catalog = ToolRegistry()
    catalog.add_document({"openapi": "3.1.0", "paths": {"/o": {"post": operation}}}, namespace="k")
    assert as_object(catalog.describe("k.post_o", f"/{name}")["properties"]) == {"zone": {"type": "string"}}
    assert catalog.describe("k.post_o", f"/{name}/zone") == {"type": "string"}
    assert catalog.describe("k.post_o", f"/properties/{name}/properties/zone") == {"type": "string"}
    assert catalog.describe("k.post_o", "/properties/other") == {"type": "integer"}


def test_a_pointer_longer_than_any_schema_is_refused() -> None:
    """Nobody walks in circles for long."""
    with pytest.raises(NotFoundError, match="too long"):
        registry().describe("shop.order", "/with" * 200)


def test_more_is_told_of_a_part_than_a_prompt_has_room_for() -> None:
    """In a large document nested descriptions are left out of prompts; on demand they are there."""
    operation: JsonObject = {
        "parameters": [
            {
                "name": "filter",
                "in": "query",
                "schema": {"type": "object", "properties": {"zone": {"type": "string", "description": LONG}}},
            }
        ]
    }
    catalog = ToolRegistry()
    paths: JsonObject = {f"/p{i}": {"get": operation} for i in range(900)}
    catalog.add_document({"openapi": "3.1.0", "paths": paths}, namespace="w")
    shown = as_object(catalog.get("w.get_p7").parameters["properties"])
    assert shown["filter"] == {"type": "object", "properties": {"zone": {"type": "string"}}}
    assert catalog.describe("w.get_p7", "/filter/zone") == {"type": "string", "description": LONG}


def test_tools_of_this_process_are_described_alike() -> None:
    """They have a schema as well."""

    async def pay(amount: int) -> int:
        """Pay."""
        return amount

    catalog = ToolRegistry()
    catalog.register(pay, name="own.pay")
    assert catalog.describe("own.pay", "/amount") == {"type": "integer"}
