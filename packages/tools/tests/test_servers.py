"""Where a request goes: what the operator wrote, else what the document says."""

import pytest

from interlock_core import Json, JsonObject, ToolCall
from interlock_core.errors import ConfigurationError
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


STANDS: list[tuple[str, str, str, str | None]] = [
    ("{scheme}://api.example", "https", "http", "http://api.example/x"),
    ("http{s}://api.example", "s", "", "http://api.example/x"),
    ("http{s}://api.example", "s", "s:/evil.example", None),
    ("{address}", "https://api.example/v1", "http://other.example:8080/v2", "http://other.example:8080/v2/x"),
    ("{address}", "https://api.example/v1", "https://u@other.example", None),
    ("{address}", "https://api.example/v1", "file:///etc", None),
    ("https://{host}/v1", "api.example", "other.example:8443", "https://other.example:8443/v1/x"),
    ("https://{host}/v1", "api.example", "other.example:99999", None),
    ("https://{host}/v1", "api.example", "other.example/v2", None),
    ("https://{host}", "api.example/v1", "other.example/v2", "https://other.example/v2/x"),
    ("https://{host}", "api.example/v1", "other.example/../v2", None),
    ("https://{a}.example", "api", "other", "https://other.example/x"),
    ("https://{a}.example", "api", "other:80", None),
    ("https://api.example{rest}", "/v1", "/v2", "https://api.example/v2/x"),
    ("https://api.example{rest}", "/v1", "", "https://api.example/x"),
    ("https://api.example{rest}", "/v1", ".evil.example", None),
    ("https://api.example:{port}", "443", "8443", "https://api.example:8443/x"),
    ("https://api.example/{base}", "v1", "v1/eu", "https://api.example/v1/eu/x"),
    ("https://api.example/{base}", "v1", "%252e%252e", None),
    ("https://api.example/{base}", "v1", "%25252525252e", None),
    ("https://api.example/{base}", "v1", "a%0a", None),
]


@pytest.mark.promise("O8")
@pytest.mark.parametrize(("url", "default", "value", "expected"), STANDS)
async def test_a_value_of_a_server_variable_stays_in_its_place(
    url: str, default: str, value: str, expected: str | None
) -> None:
    """What fits is taken as it is; what would lead elsewhere is the operator's error."""
    name = url[url.index("{") + 1 : url.index("}")]
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": "V"},
        "servers": [{"url": url, "variables": {name: {"default": default}}}],
        "paths": {"/x": {"get": {"operationId": "x"}}},
    }
    registry = ToolRegistry()
    registry.add_document(document, namespace="n", options=DocumentOptions(variables={name: value}))
    call = ToolCall(id="c", name="n.x")
    if expected is None:
        with pytest.raises(ConfigurationError, match="cannot stand in its place"):
            await ToolExecutor(registry).prepare(call, make_call())
        return
    prepared = await ToolExecutor(registry).prepare(call, make_call())
    assert prepared.request is not None
    assert prepared.request.url == expected


@pytest.mark.promise("O8")
@pytest.mark.parametrize(
    "url", ["https://api.example#@evil.example", "https://[::1", "https://a\uff0fb.example"]
)
async def test_a_server_that_readers_could_read_differently_is_refused(url: str) -> None:
    """As an error that names what to set, never as a crash."""
    registry = ToolRegistry()
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": "V"},
        "servers": [{"url": url}],
        "paths": {"/x": {"get": {"operationId": "x"}}},
    }
    registry.add_document(document, namespace="n")
    with pytest.raises(ConfigurationError, match="reads the same way"):
        await ToolExecutor(registry).prepare(ToolCall(id="c", name="n.x"), make_call())
