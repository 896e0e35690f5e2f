"""Bodies of operations become arguments, and the media type that is sent is chosen."""

import pytest

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_object
from interlock_tools import Conversion, openapi_to_tool_specs


def operation(value: JsonObject, **more: Json) -> Conversion:
    """What becomes of one operation."""
    return openapi_to_tool_specs({"openapi": "3.1.0", "paths": {"/notes": {"post": value}}, **more})


def with_body(schema: Json, *, required: bool = True) -> JsonObject:
    """An operation with a JSON body."""
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def properties(conversion: Conversion) -> JsonObject:
    """Schemas of the arguments of the first tool."""
    return as_object(conversion.tools[0].parameters["properties"])


def test_a_body_is_spread_into_arguments_only_where_that_loses_nothing() -> None:
    """A plain closed-by-silence object is; everything else is one argument."""
    spread: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert set(properties(operation(with_body(spread)))) == {"a"}
    others: list[Json] = [
        {**spread, "additionalProperties": True},
        {**spread, "additionalProperties": {"type": "string"}},
        {**spread, "oneOf": [{"required": ["a"]}, {}]},
        {**spread, "nullable": True},
        {**spread, "type": ["object", "null"]},
        {"type": "object"},
        {"type": "array", "items": {}},
        {},
        True,
    ]
    for whole in others:
        assert set(properties(operation(with_body(whole)))) == {"body"}, whole


def test_an_optional_body_with_required_properties_stays_whole() -> None:
    """Spread out, it could not be left out any more."""
    schema: JsonObject = {"type": "object", "properties": {"a": {}}, "required": ["a"]}
    conversion = operation(with_body(schema, required=False))
    assert set(properties(conversion)) == {"body"}
    assert "required" not in conversion.tools[0].parameters
    loose = operation(with_body({"type": "object", "properties": {"a": {}}}, required=False))
    assert set(properties(loose)) == {"a"}


def test_a_required_property_that_nothing_describes_is_an_argument() -> None:
    """Without it the arguments could never be valid."""
    schema: JsonObject = {"type": "object", "properties": {"a": {}}, "required": ["a", "b", "b"]}
    conversion = operation(with_body(schema))
    assert properties(conversion) == {"a": {}, "b": {}}
    assert conversion.tools[0].parameters["required"] == ["a", "b"]


def test_read_only_properties_are_no_input() -> None:
    """Neither as arguments nor deeper, and what is not shown is not required."""
    inner: Json = {"type": "object", "properties": {"x": {}, "id": {"readOnly": True}}, "required": ["id"]}
    schema: Json = {
        "type": "object",
        "properties": {
            "id": {"readOnly": True},
            "seen": {"$ref": "#/components/schemas/Seen"},
            "inner": inner,
        },
        "required": ["id", "inner"],
    }
    conversion = operation(
        with_body(schema), components={"schemas": {"Seen": {"type": "string", "readOnly": True}}}
    )
    assert properties(conversion) == {"inner": {"type": "object", "properties": {"x": {}}}}
    assert conversion.tools[0].parameters["required"] == ["inner"]


@pytest.mark.parametrize(
    ("content", "form", "media_type"),
    [
        (("application/xml", "application/json"), "json", "application/json"),
        (
            ("application/json-patch+json", "application/merge-patch+json"),
            "json",
            "application/merge-patch+json",
        ),
        (
            ("multipart/form-data", "application/x-www-form-urlencoded"),
            "form",
            "application/x-www-form-urlencoded",
        ),
        (("text/plain", "application/x-www-form-urlencoded"), "form", "application/x-www-form-urlencoded"),
        (("application/*+json",), "json", "application/json"),
        (("*/*",), "json", "application/json"),
        (("text/csv",), "text", "text/csv"),
        (("application/jwt",), "text", "application/jwt"),
        (("image/*",), "json", "application/json"),
        (("application/octet-stream",), "binary", "application/octet-stream"),
        (("application/vnd.api+json; version=2",), "json", "application/vnd.api+json; version=2"),
        (("text/xml",), "xml", "text/xml"),
        (("multipart/*",), "multipart", "multipart/form-data"),
    ],
)
def test_the_media_type_that_serves_best_is_sent(
    content: tuple[str, ...], form: str, media_type: str
) -> None:
    """JSON first; never a range."""
    schema: Json = {"type": "object", "properties": {"a": {"type": "string"}}}
    body: JsonObject = {"requestBody": {"content": {name: {"schema": schema} for name in content}}}
    plan = operation(body).entries[0].plan.body
    assert plan is not None
    assert (plan.form, plan.media_type) == (form, media_type)


@pytest.mark.parametrize(
    ("media", "schema", "form"),
    [
        ("*/*", {"type": "string", "format": "binary"}, "binary"),
        ("*/*", {"type": "string"}, "binary"),
        ("application/pdf", {"type": "string", "format": "binary"}, "binary"),
        ("application/x-own", {"type": "string"}, "text"),
        ("application/octet-stream", {"type": "object"}, "binary"),
        ("application/x-own", None, "binary"),
    ],
)
def test_media_types_that_say_nothing_go_by_the_schema(media: str, schema: Json, form: str) -> None:
    """Bytes, text or JSON."""
    entry: JsonObject = {} if schema is None else {"schema": schema}
    plan = operation({"requestBody": {"content": {media: entry}}}).entries[0].plan.body
    assert plan is not None
    assert plan.form == form


def test_files_win_over_a_form_where_both_are_offered() -> None:
    """A form cannot carry them."""
    schema: Json = {"type": "object", "properties": {"f": {"type": "string", "format": "binary"}}}
    content: Json = {
        "application/x-www-form-urlencoded": {"schema": schema},
        "multipart/form-data": {"schema": schema},
    }
    plan = operation({"requestBody": {"content": content}}).entries[0].plan.body
    assert plan is not None
    assert plan.form == "multipart"
    assert plan.files == {"f"}


def test_a_body_without_media_types_is_no_body() -> None:
    """It is noted."""
    conversion = operation({"requestBody": {"content": {}}})
    assert conversion.entries[0].plan.body is None
    assert "no media type" in conversion.problems[0].message
