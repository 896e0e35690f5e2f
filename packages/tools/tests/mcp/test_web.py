"""MCP over streamable HTTP as an ASGI application: sessions, whose they are, and what is kept of them."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TypeAlias

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel import Server
from mcp.types import JSONRPCNotification

from interlock_core import JsonObject, Principal, ToolSpec
from interlock_core.testing import DenyPermit, MemoryCatalog, ScriptedExecutor
from interlock_tools.mcp import PRINCIPAL, Offer, WebServer
from interlock_tools.mcp._web import Receive, Scope, Send, SessionEvents, SessionsApart

pytestmark = pytest.mark.promise("O16")

ALICE, BOB = Principal(user="alice", key_id="key_a"), Principal(user="bob", key_id="key_b")
OPEN: JsonObject = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
LIST: JsonObject = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


class Site:
    """The application as one key after another reaches it."""

    def __init__(self, server: WebServer, executor: ScriptedExecutor) -> None:
        self.server = server
        self.executor = executor

    def http(self, principal: Principal) -> httpx2.AsyncClient:
        """An HTTP client that holds a principal's key."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope[PRINCIPAL] = principal
            await self.server(scope, receive, send)

        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://gate")

    @asynccontextmanager
    async def client(self, principal: Principal, query: str = "") -> AsyncGenerator[Client, None]:
        """The official client with a principal's key."""
        async with self.http(principal) as http:
            transport = streamable_http_client(f"http://gate/mcp{query}", http_client=http)
            async with Client(transport, cache=None) as connected:
                yield connected

    async def post(
        self, principal: Principal, body: JsonObject, *, session: str | None = None
    ) -> httpx2.Response:
        """One request of the older form."""
        headers = HEADERS | ({} if session is None else {"mcp-session-id": session})
        async with self.http(principal) as http:
            return await http.post("/mcp", content=json.dumps(body), headers=headers)

    async def open(self, principal: Principal) -> str:
        """Open a session, and give its id."""
        opened = await self.post(principal, OPEN)
        assert opened.status_code == 200
        session = opened.headers["mcp-session-id"]
        done: JsonObject = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await self.post(principal, done, session=session)).status_code == 202
        return session


MakeSite: TypeAlias = Callable[..., AbstractAsyncContextManager[Site]]
"""Makes sites, with sessions or without."""


@asynccontextmanager
async def site(*, sessions: bool = False, most_bytes: int = 4 * 1024 * 1024) -> AsyncGenerator[Site, None]:
    """A site of two tools."""
    tools = (ToolSpec(name="notes.list"), ToolSpec(name="here.now"))
    executor = ScriptedExecutor({"notes.list": "[]", "here.now": "noon"}, tools=tools)

    async def catalog(patterns: object) -> MemoryCatalog:
        return MemoryCatalog(tools)

    offer = Offer(
        catalog=catalog, executor=executor, permit=DenyPermit("x"), asking=lambda approver: nullcontext()
    )
    server = WebServer(offer, sessions=sessions, most_bytes=most_bytes)
    try:
        yield Site(server, executor)
    finally:
        await server.aclose()


async def test_the_official_client_lists_and_calls_as_the_key_it_holds() -> None:
    """The principal of a call is that of the key."""
    async with site() as made:
        async with made.client(BOB) as asked:
            assert [tool.name for tool in (await asked.list_tools()).tools] == ["here.now", "notes.list"]
            assert not (await asked.call_tool("here.now", {})).is_error
        ((_, call),) = made.executor.executed
        assert (call.principal, call.agent) == (BOB, "mcp")


async def test_the_address_says_what_a_client_wants_to_see() -> None:
    """Patterns, names without dots, the search."""
    async with site() as made:
        async with made.client(ALICE, "?tools=here.*,x&names=plain") as asked:
            assert [tool.name for tool in (await asked.list_tools()).tools] == ["here-now"]
        async with made.client(ALICE, "?search=true") as asked:
            assert [tool.name for tool in (await asked.list_tools()).tools] == ["find_tools", "call_tool"]


async def test_without_sessions_every_request_stands_for_itself() -> None:
    """No session is opened, none is wanted, and nothing is remembered: any process answers."""
    async with site() as made:
        opened = await made.post(ALICE, OPEN)
        assert "mcp-session-id" not in opened.headers
        assert '"tools":{"listChanged":false}' in opened.text
        assert "notes.list" in (await made.post(BOB, LIST)).text


@pytest.mark.promise("A9")
async def test_a_session_belongs_to_the_key_that_opened_it() -> None:
    """Another key is told that there is none."""
    async with site(sessions=True) as made:
        session = await made.open(ALICE)
        assert "notes.list" in (await made.post(ALICE, LIST, session=session)).text
        stolen = await made.post(BOB, LIST, session=session)
        assert (stolen.status_code, stolen.json()["error"]["message"]) == (404, "Session not found")
        assert (await made.post(ALICE, LIST, session="0" * 32)).status_code == 404


async def test_a_session_can_be_ended_and_remembers_what_it_heard() -> None:
    """The taint of one visit is not that of another."""
    call: JsonObject = {
        "jsonrpc": "2.0",
        "id": 3,
        "method": "tools/call",
        "params": {"name": "notes.list", "arguments": {}},
    }
    async with site(sessions=True) as made:
        session, other = await made.open(ALICE), await made.open(ALICE)
        for chosen in (session, session, other):
            await made.post(ALICE, call, session=chosen)
        assert [len(context.taint) for _, context in made.executor.executed] == [0, 1, 0]
        async with made.http(ALICE) as http:
            ended = await http.delete("/mcp", headers=HEADERS | {"mcp-session-id": session})
        assert ended.status_code == 200
        assert (await made.post(ALICE, LIST, session=session)).status_code == 404


async def test_a_body_that_is_too_large_is_refused() -> None:
    """Before it is read as anything."""
    async with site(most_bytes=1_000) as made:
        assert (await made.post(ALICE, {**LIST, "params": {"x": "y" * 2_000}})).status_code == 413


async def test_closing_before_anything_came_does_nothing() -> None:
    """And closing twice neither."""
    async with site() as made:
        await made.server.aclose()
        await made.server.tell_change()
        assert made.executor.executed == []


async def test_what_a_session_said_last_can_be_had_again() -> None:
    """On the stream where it was said, in bounded memory, by an id that nobody guesses."""
    events = SessionEvents()
    ids = [await events.store_event("1", _note(number)) for number in range(3)]
    await events.store_event("2", _note(9))
    await events.store_event("1", None)
    again: list[str] = []

    async def send(event: object) -> None:
        again.append(str(event))

    assert await events.replay_events_after(ids[0], send) == "1"
    assert ["method='n1'" in again[0], "method='n2'" in again[1], len(again)] == [True, True, 2]
    assert await events.replay_events_after("0", send) is None
    assert len(set(ids)) == 3
    for number in range(400):
        await events.store_event("1", _note(number))
    assert await events.replay_events_after(ids[0], send) is None
    large = await events.store_event("1", JSONRPCNotification(jsonrpc="2.0", method="x" * 300_000))
    assert await events.replay_events_after(large, send) == "1"


def _note(number: int) -> JSONRPCNotification:
    return JSONRPCNotification(jsonrpc="2.0", method=f"n{number}")


async def test_each_session_has_events_of_its_own() -> None:
    """The SDK numbers the streams of every session alike."""
    apart = SessionsApart(app=Server("x"))
    assert isinstance(apart.event_store, SessionEvents)
    assert apart.event_store is not apart.event_store
    assert SessionsApart(app=Server("x"), stateless=True).event_store is None
    async with site(sessions=True) as made:
        assert len(set(await asyncio.gather(made.open(ALICE), made.open(BOB)))) == 2
