"""Attacks: no value moves a request, adds to it or splits it; no document reaches what it should not."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock_core import Json, JsonObject, ToolCall
from interlock_core.errors import EgressRefusedError, InvalidRequestError
from interlock_core.http import Egress
from interlock_core.testing import LoopbackServer, ReceivedRequest, make_call
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry, load_file, openapi_to_tool_specs

PLAIN = {"accept", "user-agent", "accept-encoding", "content-length", "host"}


@pytest.fixture
async def server() -> AsyncIterator[LoopbackServer]:
    """The server that requests may reach."""
    async with LoopbackServer() as running:
        yield running


async def tried(
    server: LoopbackServer, where: str, value: Json, *, name: str = "", method: str = "post", style: str = ""
) -> ReceivedRequest | None:
    """What arrived when a value was tried as a parameter; None when it was refused and nothing arrived."""
    key = name or ("id" if where == "path" else "x")
    parameter: JsonObject = {
        "name": key,
        "in": where,
        "required": True,
        "schema": {"type": ["string", "object"]},
    }
    if style:
        parameter["style"] = style
    path = "/items/{id}/end" if where == "path" else "/items/7/end"
    document: JsonObject = {
        "openapi": "3.1.0",
        "paths": {path: {method: {"operationId": "x", "parameters": [parameter]}}},
    }
    registry = ToolRegistry()
    registry.add_document(document, namespace="n", options=DocumentOptions(base_url=server.url))
    executor = ToolExecutor(registry)
    before = len(server.requests)
    result = await executor.execute(
        ToolCall(id="c", name="n.x", arguments=json.dumps({key: value})), make_call()
    )
    await executor.aclose()
    if result.is_error:
        assert server.requests[before:] == []
        assert result.error_code == "invalid_request"
        return None
    assert len(server.requests) == before + 1
    return server.requests[-1]


PATH_VALUES = [
    "..",
    ".",
    "../../user",
    "a/../../b",
    "..\\..\\user",
    "%2e%2e%2f%2e%2e%2fuser",
    "%252e%252e%252fuser",
    "%25252525252e%25252525252e",
    "..%2f",
    "a/b",
    "//evil.example/x",
    "https://evil.example/",
    "1?admin=true#x",
    "1;admin=true",
    "@evil.example",
    "1 HTTP/1.1\r\nX-Evil: 1\r\n\r\n",
    "1\u0000/../admin",
    "%00",
    "%0d%0aX-Evil:1",
    "\uff0e\uff0e\uff0fuser",
    "",
    "\\\\evil.example\\x",
]


@pytest.mark.parametrize("value", PATH_VALUES)
@pytest.mark.parametrize("style", ["", "label", "matrix"])
@pytest.mark.parametrize("method", ["post", "delete"])
async def test_a_path_value_stays_inside_its_segment(
    server: LoopbackServer, value: str, style: str, method: str
) -> None:
    """The fixed segments are where they were, there is no more of them, and the host is the same."""
    received = await tried(server, "path", value, style=style, method=method)
    if received is None:
        return
    segments = received.target.split("/")
    assert len(segments) == 4
    assert (segments[1], segments[3]) == ("items", "end")
    assert segments[2].strip(".") != ""
    assert "?" not in received.target
    assert "#" not in received.target
    assert {name.lower() for name, _ in received.headers} <= PLAIN
    assert received.header("host") == server.url.removeprefix("http://")


@pytest.mark.parametrize("value", [{"a/../b": "x"}, {"k": ".."}, {"k": "%2e%2e/x"}, {"..": ""}])
async def test_a_step_up_inside_an_object_is_found_too(server: LoopbackServer, value: Json) -> None:
    """In keys and in members, at any depth."""
    assert await tried(server, "path", value) is None


@pytest.mark.parametrize("value", ["a", "v1.2", "a..b", "..a", "größe", "100%", "%41"])
async def test_harmless_values_with_dots_and_percent_signs_pass(server: LoopbackServer, value: str) -> None:
    """The rule refuses steps, not dots."""
    received = await tried(server, "path", value)
    assert received is not None
    from urllib.parse import unquote

    assert unquote(received.target.split("/")[2]) == value


@pytest.mark.parametrize(
    "value",
    [
        "open&admin=true",
        "open#&state=all",
        "a\r\nHost: evil.example\r\n\r\nGET /admin HTTP/1.1",
        "a+b;c=d",
        "\u0000",
    ],
)
async def test_a_query_value_adds_nothing(server: LoopbackServer, value: str) -> None:
    """There is one pair, and it holds the value."""
    received = await tried(server, "query", value)
    assert received is not None
    assert received.query == (("x", value),)
    assert {name.lower() for name, _ in received.headers} <= PLAIN


async def test_a_property_name_adds_no_parameter(server: LoopbackServer) -> None:
    """Names are encoded as values are."""
    received = await tried(server, "query", {"a]=1&admin": "true"}, style="deepObject")
    assert received is not None
    assert received.query == (("x[a]=1&admin]", "true"),)


@pytest.mark.parametrize(
    "value", ["1\r\nX-Evil: 1", "1\nTransfer-Encoding: chunked", "\r", "a\u0000b", "\u007f"]
)
async def test_a_header_value_with_a_line_end_is_refused(server: LoopbackServer, value: str) -> None:
    """Nothing is sent."""
    assert await tried(server, "header", value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer stolen"),
        ("Proxy-Authorization", "Basic x"),
        ("Host", "evil.example"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
    ],
)
async def test_a_header_of_the_connection_or_the_operator_is_not_an_arguments(
    server: LoopbackServer, name: str, value: str
) -> None:
    """The request is what it is without the argument."""
    received = await tried(server, "header", value, name=name)
    assert received is not None
    assert received.header("host") == server.url.removeprefix("http://")
    assert received.header("authorization") is None
    assert {header.lower() for header, _ in received.headers} <= PLAIN


@pytest.mark.parametrize("value", ["a; session=stolen", "a\r\nX-Evil: 1", "a, b", "ä"])
@pytest.mark.parametrize("style", ["form", "cookie"])
async def test_a_cookie_value_adds_no_cookie(server: LoopbackServer, value: str, style: str) -> None:
    """Encoded where the style encodes, else refused."""
    received = await tried(server, "cookie", value, style=style)
    if received is not None:
        cookie = received.header("cookie") or ""
        assert cookie.startswith("x=")
        assert ";" not in cookie
        assert {name.lower() for name, _ in received.headers} <= PLAIN | {"cookie"}


async def test_arguments_that_the_schema_does_not_know_are_refused(server: LoopbackServer) -> None:
    """No argument names another address or header."""
    schema: Json = {"type": "object", "properties": {"title": {"type": "string"}}}
    body: Json = {"required": True, "content": {"application/json": {"schema": schema}}}
    document: JsonObject = {
        "openapi": "3.1.0",
        "paths": {"/items": {"post": {"operationId": "x", "requestBody": body}}},
    }
    registry = ToolRegistry()
    registry.add_document(document, namespace="n", options=DocumentOptions(base_url=server.url))
    executor = ToolExecutor(registry)
    for name in ("base_url", "headers", "servers", "url"):
        arguments = json.dumps({"title": "t", name: "http://evil.example"})
        result = await executor.execute(ToolCall(id="c", name="n.x", arguments=arguments), make_call())
        assert result.error_code == "schema_invalid"
    assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://127.1:{port}/",
        "http://10.0.0.1/",
        "http://api.github.com@127.0.0.1:{port}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
    ],
)
async def test_a_server_that_only_the_document_names_is_guarded(server: LoopbackServer, url: str) -> None:
    """Whatever way it is written; the operator's own address of another document does not help it."""
    paths: JsonObject = {"/x": {"get": {"operationId": "x"}}}
    registry = ToolRegistry()
    evil: Json = [{"url": url.format(port=server.port)}]
    registry.add_document({"openapi": "3.0.0", "paths": paths, "servers": evil}, namespace="evil")
    registry.add_document(
        {"openapi": "3.0.0", "paths": paths}, namespace="good", options=DocumentOptions(base_url=server.url)
    )
    executor = ToolExecutor(registry)
    assert not (await executor.execute(ToolCall(id="c", name="good.x"), make_call())).is_error
    with pytest.raises(EgressRefusedError):
        await executor.execute(ToolCall(id="c", name="evil.x"), make_call())
    await executor.aclose()
    assert len(server.requests) == 1


async def test_a_name_that_resolves_to_this_machine_is_guarded(server: LoopbackServer) -> None:
    """The address counts, not the name."""

    async def resolver(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    registry = ToolRegistry()
    document: JsonObject = {
        "openapi": "3.0.0",
        "paths": {"/x": {"get": {"operationId": "x"}}},
        "servers": [{"url": f"http://public.example:{server.port}"}],
    }
    registry.add_document(document, namespace="n")
    executor = ToolExecutor(registry, egress=Egress(resolver=resolver))
    with pytest.raises(EgressRefusedError, match=r"public\.example"):
        await executor.execute(ToolCall(id="c", name="n.x"), make_call())
    assert server.connections == 0


async def test_a_template_that_names_a_host_stays_on_its_server(server: LoopbackServer) -> None:
    """Two slashes at its beginning are two slashes."""
    document: JsonObject = {
        "openapi": "3.0.0",
        "paths": {"//evil.example/{id}": {"get": {"operationId": "x"}}},
    }
    registry = ToolRegistry()
    registry.add_document(document, namespace="n", options=DocumentOptions(base_url=server.url))
    executor = ToolExecutor(registry)
    await executor.execute(ToolCall(id="c", name="n.x", arguments='{"id": "1"}'), make_call())
    await executor.aclose()
    assert server.requests[0].target == "//evil.example/1"
    assert server.requests[0].header("host") == server.url.removeprefix("http://")


@pytest.mark.parametrize("value", ["a//b", "../b", "a/./b", "/a", "a/"])
async def test_reserved_expansion_takes_no_steps(value: str) -> None:
    """Where slashes are meant to pass, dots and empty parts are not."""
    document: JsonObject = {
        "openapi": "3.0.0",
        "paths": {"/v1/{+name}": {"get": {"operationId": "x"}}},
        "servers": [{"url": "https://api.example"}],
    }
    registry = ToolRegistry()
    registry.add_document(document, namespace="n")
    call = ToolCall(id="c", name="n.x", arguments=json.dumps({"name": value}))
    with pytest.raises(InvalidRequestError, match="name"):
        await ToolExecutor(registry).prepare(call, make_call())


async def test_a_pattern_that_backtracks_does_not_hang() -> None:
    """Refused or answered, in bounded time."""
    schema: Json = {"type": "string", "pattern": r"^(?=(a+)+$)(a|aa)+$"}
    parameter: Json = {"name": "q", "in": "query", "schema": schema}
    document: JsonObject = {
        "openapi": "3.1.0",
        "paths": {"/x": {"get": {"operationId": "x", "parameters": [parameter]}}},
        "servers": [{"url": "https://api.example"}],
    }
    registry = ToolRegistry()
    registry.add_document(document, namespace="n")
    call = ToolCall(id="c", name="n.x", arguments=json.dumps({"q": "a" * 60 + "!"}))
    with pytest.raises(InvalidRequestError):
        await ToolExecutor(registry).prepare(call, make_call())


def test_a_reload_cannot_move_a_credential() -> None:
    """Trusted addresses are those of the day on which the operator added the document."""
    registry = ToolRegistry()
    document: JsonObject = {"openapi": "3.0.0", "paths": {"/x": {"get": {"operationId": "x"}}}}
    registry.add_document(document, namespace="n", options=DocumentOptions(base_url="https://api.example"))
    found = registry.tool("n.x")
    assert isinstance(found, tuple)
    assert found[0].trusted_origins == {"https://api.example"}


def test_many_wide_and_large_documents_are_bounded(tmp_path: Path) -> None:
    """A hundred operations over one huge definition share it."""
    huge: JsonObject = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(20_000)}}
    body: Json = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Huge"}}}}
    paths: JsonObject = {f"/x{i}": {"post": {"requestBody": body}} for i in range(100)}
    path = tmp_path / "huge.json"
    path.write_text(
        json.dumps({"openapi": "3.0.0", "paths": paths, "components": {"schemas": {"Huge": huge}}}),
        encoding="utf-8",
    )
    conversion = openapi_to_tool_specs(load_file(path))
    assert conversion.operations == 100
