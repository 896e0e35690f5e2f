"""Where a request goes: what the operator wrote, else what the document says."""

import pytest

from interlock_core import Json, JsonObject, ToolCall
from interlock_core.testing import make_call
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry, load_text

DOCUMENT: JsonObject = {
    "openapi": "3.1.0",
    "info": {"title": "Notes"},
    "paths": {
        "/notes/{id}": {
            "get": {
                "operationId": "get_note",
                "parameters": [{"name": "id", "in": "path", "schema": {"type": "integer"}}],
            }
        }
    },
}


async def test_a_document_that_names_no_address_says_what_to_set() -> None:
    """The operator can mend it."""
    registry = ToolRegistry()
    registry.add_document(DOCUMENT, namespace="n")
    registry.add_document(
        {**DOCUMENT, "servers": [{"url": "https://{region}.example", "variables": {"region": {}}}]},
        namespace="v",
    )
    executor = ToolExecutor(registry)
    for name, said in (("n.get_note", "where its API lives"), ("v.get_note", "variable region")):
        result = await executor.execute(ToolCall(id="c", name=name, arguments='{"id": 1}'), make_call())
        assert result.error_code == "configuration"
        assert said in result.text
        assert "base_url" in result.text


@pytest.mark.parametrize(
    ("servers", "options", "url"),
    [
        ([{"url": "https://api.example/v1/"}], DocumentOptions(), "https://api.example/v1/notes/1"),
        (
            [
                {
                    "url": "https://{r}.example/{v}",
                    "variables": {"r": {"default": "eu"}, "v": {"enum": ["v2"]}},
                }
            ],
            DocumentOptions(),
            "https://eu.example/v2/notes/1",
        ),
        (
            [{"url": "https://{r}.example", "variables": {"r": {"default": "eu"}}}],
            DocumentOptions(variables={"r": "us"}),
            "https://us.example/notes/1",
        ),
        (
            [{"url": "https://a.example"}],
            DocumentOptions(base_url="https://b.example/x"),
            "https://b.example/x/notes/1",
        ),
    ],
)
async def test_the_server_is_the_operators_else_the_documents(
    servers: Json, options: DocumentOptions, url: str
) -> None:
    """Variables are filled with what the operator wrote, else their defaults."""
    registry = ToolRegistry()
    registry.add_document({**DOCUMENT, "servers": servers}, namespace="n", options=options)
    call = ToolCall(id="c", name="n.get_note", arguments='{"id": 1}')
    prepared = await ToolExecutor(registry).prepare(call, make_call())
    assert prepared.request is not None
    assert prepared.request.url == url


async def test_servers_of_an_operation_win_over_those_of_its_path_and_document() -> None:
    """The nearest holds."""
    registry = ToolRegistry()
    item: JsonObject = {
        "servers": [{"url": "https://path.example"}],
        "get": {"operationId": "a", "servers": [{"url": "https://own.example"}]},
        "put": {"operationId": "b"},
    }
    registry.add_document(
        {"openapi": "3.0.0", "paths": {"/x": item}, "servers": [{"url": "https://root.example"}]},
        namespace="n",
    )
    executor = ToolExecutor(registry)
    for name, host in (("n.a", "own"), ("n.b", "path")):
        prepared = await executor.prepare(ToolCall(id="c", name=name), make_call())
        assert prepared.request is not None
        assert prepared.request.url == f"https://{host}.example/x"


async def test_a_relative_server_is_seen_from_where_the_document_came_from() -> None:
    """Also when only its text was kept."""
    text = (
        '{"openapi": "3.0.0", "servers": [{"url": "../v2"}], "paths": {"/x": {"get": {"operationId": "x"}}}}'
    )
    registry = ToolRegistry()
    registry.add_document(load_text(text, address="https://api.example/docs/openapi.json"), namespace="n")
    registry.add_document(
        load_text(
            text.replace('"servers": [{"url": "../v2"}], ', ""), address="https://api.example/docs/a.json"
        ),
        namespace="m",
    )
    for name, url in (("n.x", "https://api.example/v2/x"), ("m.x", "https://api.example/x")):
        prepared = await ToolExecutor(registry).prepare(ToolCall(id="c", name=name), make_call())
        assert prepared.request is not None
        assert prepared.request.url == url
