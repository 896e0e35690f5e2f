"""Servers over streamable HTTP: the official one, mounted over a real socket, and hostile ones."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeAlias

import httpx2
import pytest
from mcp.server.lowlevel import Server

from interlock_core import Effect, JsonObject
from interlock_core.errors import ConfigurationError, InterlockError, UpstreamError, UpstreamTimeoutError
from interlock_core.http import Egress
from interlock_core.jsontypes import as_object
from interlock_core.testing import (
    Answer,
    LoopbackServer,
    MemorySecrets,
    ReceivedRequest,
    json_answer,
    sse_answer,
)
from interlock_tools.mcp import MemoryPins, MountedServer, MountLimits, SdkConnection, ServerOptions
from interlock_tools.testing.mcp_server import made

pytestmark = pytest.mark.promise("O16")

Handler: TypeAlias = Callable[[ReceivedRequest], "Answer | Awaitable[Answer]"]
"""Answers a request."""

LIMITS = MountLimits(leave_s=1.0)
TOOL: JsonObject = {"name": "add", "description": "Adds.", "inputSchema": {"type": "object"}}


def mounted(
    url: str,
    *,
    limits: MountLimits = LIMITS,
    secrets: Mapping[str, str] | None = None,
    credential: str | None = None,
    header: str = "",
    timeout_s: float = 20.0,
) -> tuple[MountedServer, SdkConnection]:
    """A server at an address, mounted."""
    options = ServerOptions(url=url, credential=credential, header=header, timeout_s=timeout_s)
    connection = SdkConnection("far", options, secrets=MemorySecrets(secrets), egress=Egress(), limits=limits)
    return MountedServer("far", options, connection=connection, pins=MemoryPins(), limits=limits), connection


@asynccontextmanager
async def official(*, old: bool = False) -> AsyncGenerator[LoopbackServer, None]:
    """The SDK's own server and transport behind a real socket; an old one knows no newer form."""
    server: Server[dict[str, object]] = made()
    app = server.streamable_http_app(json_response=False)
    async with (
        server.session_manager.run(),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1:1") as inner,
    ):

        async def handle(request: ReceivedRequest) -> Answer:
            if request.method == "GET":
                return Answer(status=405)
            if old and as_object(request.json() if request.body else None).get("method") == "server/discover":
                return Answer(status=400)
            headers = [(name, value) for name, value in request.headers if name.lower() != "host"]
            answer = await inner.request(
                request.method, request.target, content=request.body, headers=headers
            )
            kept = tuple(
                (name, value)
                for name, value in answer.headers.items()
                if name not in {"content-length", "transfer-encoding"}
            )
            return Answer(status=answer.status_code, headers=kept, body=answer.content)

        async with LoopbackServer(handle) as site:
            yield site


@pytest.mark.parametrize("old", [False, True])
async def test_the_official_server_is_mounted_by_its_address(old: bool) -> None:
    """In both forms of the protocol; the operator's address is allowed as written, loopback or not."""
    async with official(old=old) as site:
        server, connection = mounted(f"{site.url}/mcp")
        tools = {tool.spec.name: tool.spec for tool in await server.tools()}
        assert tools["far.look"].effect is Effect.WRITE
        answer = await connection.call("echo", {"text": "over there"}, seconds=20)
        assert answer.structured_content == {"text": "over there"}
        with pytest.raises(UpstreamError, match="bad argument"):
            await connection.call("refuse", {"text": ""}, seconds=20)
        await server.aclose()
        if old:
            assert [request.method for request in site.requests][-1] == "DELETE"
            assert any(request.header("mcp-session-id") for request in site.requests)


@pytest.mark.promise("O11")
@pytest.mark.parametrize("header", ["", "x-key"])
async def test_the_credential_joins_each_request_at_the_last_step(header: str) -> None:
    """As a bearer token, or in the header that the operator names."""
    async with official() as site:
        server, _ = mounted(
            f"{site.url}/mcp", secrets={"far": "tok-canary-7"}, credential="far", header=header
        )
        await server.tools()
        await server.aclose()
        name, value = (header, "tok-canary-7") if header else ("authorization", "Bearer tok-canary-7")
        assert {request.header(name) for request in site.requests} == {value}


async def test_a_credential_that_is_not_there_is_told_before_anything_is_sent() -> None:
    """With its name."""
    async with official() as site:
        server, _ = mounted(f"{site.url}/mcp", credential="far")
        with pytest.raises(ConfigurationError, match="far"):
            await server.tools()
        assert site.requests == []


@pytest.mark.promise("A10")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_origin_is_not_followed(status: int) -> None:
    """Neither the credential nor anything else goes there."""
    async with LoopbackServer() as elsewhere:
        away = Answer(status=status, headers=(("location", f"{elsewhere.url}/mcp"),))
        async with LoopbackServer(lambda request: away) as site:
            server, _ = mounted(f"{site.url}/mcp", secrets={"far": "tok-canary-8"}, credential="far")
            with pytest.raises(InterlockError) as raised:
                await server.tools()
            await server.aclose()
        assert elsewhere.requests == []
        assert "canary" not in str(raised.value)


@asynccontextmanager
async def hostile(answer: Handler) -> AsyncGenerator[LoopbackServer, None]:
    """A server of the older form that opens and lists as it should, and answers calls so."""

    async def handle(request: ReceivedRequest) -> Answer:
        if request.method != "POST":
            return Answer(status=405)
        asked = as_object(request.json())
        method, number = asked.get("method"), asked.get("id")
        if method == "initialize":
            told: JsonObject = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "hostile", "version": "1"},
            }
            return json_answer({"jsonrpc": "2.0", "id": number, "result": told})
        if method == "tools/list":
            return json_answer({"jsonrpc": "2.0", "id": number, "result": {"tools": [TOOL]}})
        if method == "tools/call":
            made_answer = answer(request)
            return made_answer if isinstance(made_answer, Answer) else await made_answer
        return Answer(status=202 if number is None else 404)

    async with LoopbackServer(handle) as site:
        yield site


RESULT: JsonObject = {"content": [{"type": "text", "text": "yours"}]}


async def _endless() -> AsyncIterator[str]:
    while True:
        yield '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"xxxxxxxx"}}'


async def _endless_event() -> AsyncIterator[bytes]:
    yield b"data: "
    while True:
        yield b"x" * 65_536


def _broken() -> Answer:
    return Answer(
        raw=True, body=b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"
    )


HOSTILE: list[tuple[Handler, str]] = [
    (lambda request: Answer(status=500, body=b"<h1>oops</h1>"), "HTTP 500"),
    (lambda request: Answer(status=401), "wants a credential"),
    (lambda request: Answer(status=403), "refuses the credential"),
    (lambda request: Answer(status=429), "asked too often"),
    (
        lambda request: Answer(headers=(("content-type", "text/html"),), body=b"<h1>hi</h1>"),
        "content type",
    ),
    (lambda request: Answer(headers=(("content-type", "application/json"),), body=b"\xff\xfe{"), "parse"),
    (lambda request: json_answer({"jsonrpc": "2.0"}), "parse"),
    (lambda request: json_answer({"x": "y" * 400_000}), "longer than 300,000"),
    (lambda request: sse_answer(_endless()), "broke"),
    (
        lambda request: Answer(headers=(("content-type", "text/event-stream"),), body=_endless_event()),
        "broke",
    ),
    (lambda request: _broken(), "refused the call"),
    (lambda request: Answer(status=202), "202"),
]


@pytest.mark.parametrize(
    ("answer", "why"),
    HOSTILE,
    ids=[
        *("500", "401", "403", "429", "html", "no utf-8", "no json-rpc", "large", "endless stream"),
        *("endless event", "cut off", "accepted"),
    ],
)
async def test_an_answer_that_is_none_is_an_error_in_bounded_memory(answer: Handler, why: str) -> None:
    """The error names what is wrong, and the connection works for the next call or is opened anew."""
    small = replace(LIMITS, unasked_bytes=300_000, message_bytes=100_000)
    async with hostile(answer) as site:
        server, connection = mounted(f"{site.url}/mcp", limits=small)
        await server.tools()
        with pytest.raises(UpstreamError, match=why):
            await connection.call("add", {}, seconds=20)
        assert [tool.spec.name for tool in await server.tools()] == ["far.add"]
        await server.aclose()


async def test_an_answer_for_another_call_is_nobody_s() -> None:
    """It is dropped, and the call that was made waits for its own until its time is over."""

    def other(request: ReceivedRequest) -> Answer:
        return json_answer({"jsonrpc": "2.0", "id": 4_711, "result": RESULT})

    async with hostile(other) as site:
        server, connection = mounted(f"{site.url}/mcp")
        await server.tools()
        with pytest.raises(UpstreamTimeoutError):
            await connection.call("add", {}, seconds=0.5)
        await server.aclose()


async def test_two_calls_at_once_each_get_their_own_answer() -> None:
    """Whatever order the answers come in."""
    first = asyncio.Event()

    async def slow_then_fast(request: ReceivedRequest) -> Answer:
        asked = as_object(request.json())
        who = str(as_object(as_object(asked["params"])["arguments"])["who"])
        if who == "one":
            await first.wait()
        else:
            first.set()
        result: JsonObject = {"content": [{"type": "text", "text": who}]}
        return json_answer({"jsonrpc": "2.0", "id": asked["id"], "result": result})

    async with hostile(slow_then_fast) as site:
        server, connection = mounted(f"{site.url}/mcp")
        await server.tools()
        answers = await asyncio.gather(
            connection.call("add", {"who": "one"}, seconds=20),
            connection.call("add", {"who": "two"}, seconds=20),
        )
        assert ["one" in str(answers[0].content), "two" in str(answers[1].content)] == [True, True]
        await server.aclose()


async def test_a_server_that_wants_input_in_the_middle_of_a_call_gets_none() -> None:
    """No sampling and no elicitation for mounted servers, in either form of the protocol."""
    from mcp import types
    from mcp.server.lowlevel import Server as SdkServer

    async def list_tools(context: object, params: object) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name="add", input_schema={"type": "object"})])

    async def call_tool(context: object, params: object) -> types.InputRequiredResult:
        return types.InputRequiredResult(request_state="x")

    server = SdkServer("asking", on_list_tools=list_tools, on_call_tool=call_tool)
    app = server.streamable_http_app()
    async with (
        server.session_manager.run(),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1:1") as inner,
    ):

        async def handle(request: ReceivedRequest) -> Answer:
            headers = [(name, value) for name, value in request.headers if name.lower() != "host"]
            got = await inner.request(request.method, request.target, content=request.body, headers=headers)
            return Answer(
                status=got.status_code,
                headers=(("content-type", got.headers["content-type"]),),
                body=got.content,
            )

        async with LoopbackServer(handle) as site:
            mount, connection = mounted(f"{site.url}/mcp")
            await mount.tools()
            with pytest.raises(UpstreamError, match="asks for input"):
                await connection.call("add", {}, seconds=20)
            await mount.aclose()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/mcp", "ftp://x/mcp", "http://user:pw@x/mcp"])
async def test_an_address_where_nobody_is_or_that_is_none_is_told(url: str) -> None:
    """Without anything secret in it."""
    server, _ = mounted(url)
    with pytest.raises(InterlockError) as raised:
        await server.tools()
    assert "pw@" not in str(raised.value)
    await server.aclose()
