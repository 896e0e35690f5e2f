"""`/mcp` over real sockets: the official client, keys, pages of strangers, sessions, and the end."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitRequestParams, ElicitResult

from interlock_api import running, serve
from interlock_api.testing import RawAnswer, talk
from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import JsonObject, as_object, parse_json
from interlock_runtime import KeyRequest, Runtime, Settings
from interlock_runtime.settings import ApprovalSettings, ServerSettings, ToolSettings
from interlock_tools.testing.github import GitHubStandIn

pytestmark = pytest.mark.promise("O16")

LIST: JsonObject = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
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


class Site:
    """A gateway with GitHub's tools.

    Args:
        address: Where it is.
        runtime: What it serves.
        key: The admin key.
    """

    def __init__(self, address: str, runtime: Runtime, key: str) -> None:
        self.address = address
        self.runtime = runtime
        self.key = key

    @property
    def port(self) -> int:
        """The port."""
        return int(self.address.rpartition(":")[2])

    @asynccontextmanager
    async def client(
        self, query: str = "", *, key: str = "", asked: "Person | None" = None, mode: str = "auto"
    ) -> AsyncGenerator[Client, None]:
        """The official client, with a key."""
        headers = {"authorization": f"Bearer {key or self.key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            transport = streamable_http_client(f"{self.address}/mcp{query}", http_client=http)
            chosen = "legacy" if mode == "legacy" else "auto"
            async with Client(transport, cache=None, mode=chosen, elicitation_callback=asked) as connected:
                yield connected

    async def post(self, body: JsonObject | bytes, **headers: str) -> RawAnswer:
        """One request as it is; an underscore in a header's name stands for a hyphen."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {
            "host": f"127.0.0.1:{self.port}",
            "authorization": f"Bearer {self.key}",
            "accept": "application/json, text/event-stream",
            "content_type": "application/json",
            "connection": "close",
            "content_length": str(len(data)),
        } | headers
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in sent.items() if value]
        head = "\r\n".join(["POST /mcp HTTP/1.1", *lines]).encode("latin-1") + b"\r\n\r\n"
        (found,) = await talk(self.port, head + data)
        return found


class Person:
    """The person behind a client, who says yes."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        """Be asked."""
        self.asked.append(params.message)
        return ElicitResult(action="accept", content={"approve": True})


MakeSite: TypeAlias = Callable[..., AbstractAsyncContextManager[Site]]
"""Makes sites: keywords are settings of `[server]`."""


@pytest.fixture
def github() -> Iterator[GitHubStandIn]:
    """A stand-in for GitHub's issues."""
    with GitHubStandIn(owner="acme", repo="notes") as server:
        yield server


@pytest.fixture
def make_site(tmp_path: Path, github: GitHubStandIn) -> MakeSite:
    """Gateways in front of the stand-in."""

    @asynccontextmanager
    async def make(
        *, approvals: Literal["destructive", "write"] = "destructive", **server: object
    ) -> AsyncGenerator[Site, None]:
        tools = {
            "github": ToolSettings(source="builtin:github", base_url=github.url, credential=github.token)
        }
        wanted = ServerSettings(**server)  # pyright: ignore[reportArgumentType] - the test names the fields
        settings = Settings(
            home=tmp_path / "home",
            tools=tools,
            server=wanted,
            approvals=ApprovalSettings(require=approvals),
        )
        async with Runtime.open(settings, environment={}, open_paths=False) as runtime:
            await runtime.access.ensure_admin_key()
            secret = runtime.access.admin_key()
            assert secret is not None
            async with running(runtime) as address:
                yield Site(address, runtime, secret.reveal())

    return make


@pytest.fixture
async def site(make_site: MakeSite) -> AsyncGenerator[Site, None]:
    """A gateway as it is by default."""
    async with make_site() as made:
        yield made


def arguments(**more: str) -> dict[str, str]:
    """Arguments of a call about the stand-in's repository."""
    return {"owner": "acme", "repo": "notes", **more}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_official_client_lists_and_calls(site: Site, github: GitHubStandIn, mode: str) -> None:
    """In both forms of the protocol; what was called is in the audit log, as an agent's call."""
    async with site.client(mode=mode) as asked:
        listed = {tool.name: tool for tool in (await asked.list_tools()).tools}
        made = await asked.call_tool("github.issues_create", arguments(title="From a client"))
    assert listed["github.issues_create"].annotations is not None
    assert listed["github.issues_create"].annotations.read_only_hint is False
    assert not made.is_error
    assert as_object(made.structured_content)["title"] == "From a client"
    assert github.token not in str(made)
    noted = json.dumps(await site.runtime.trail.tail(20))
    assert "github.issues_create" in noted
    assert '"mcp"' in noted


async def test_a_key_that_may_only_read_sees_and_calls_only_that(site: Site) -> None:
    """The principal of a call is that of the key; what it may not use is told like what is not there."""
    made = await site.runtime.access.create_key(KeyRequest(name="reader", role="readonly"))
    async with site.client(key=str(made["key"])) as asked:
        names = {tool.name for tool in (await asked.list_tools()).tools}
        assert "github.issues_list" in names
        assert "github.issues_create" not in names
        with pytest.raises(MCPError, match="is not among those that were asked for"):
            await asked.call_tool("github.issues_create", arguments(title="x"))
    last = (await site.runtime.trail.tail(1))[0]
    assert (last["kind"], last["name"]) == ("refused", "github.issues_create")


@pytest.mark.parametrize("headers", [{"authorization": ""}, {"authorization": "Bearer ilk_nobody"}], ids=str)
async def test_without_a_key_there_is_nothing(site: Site, headers: Mapping[str, str]) -> None:
    """Told as the protocol tells errors."""
    answer = await site.post(LIST, **headers)
    assert answer.status == 401
    assert answer.header("www-authenticate") == "Bearer"
    told = as_object(parse_json(answer.body))
    assert (told["jsonrpc"], told["id"]) == ("2.0", None)
    assert as_object(told["error"])["code"] == -32600


@pytest.mark.promise("A10")
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8420", "127.0.0.1.evil.example:1", "[::2]:1"])
async def test_a_name_that_was_made_to_lead_here_is_refused(site: Site, host: str) -> None:
    """DNS rebinding: the page's own name is no name of this server."""
    answer = await site.post(LIST, host=host)
    assert answer.status == 421
    assert "error" in as_object(parse_json(answer.body))


@pytest.mark.promise("A10")
async def test_pages_of_strangers_may_not_ask(make_site: MakeSite) -> None:
    """Only those that this very server sent, and those that the operator names."""
    async with make_site(mcp_origins=("https://desk.example",)) as site:
        assert (await site.post(LIST, origin="https://evil.example")).status == 403
        assert (await site.post(LIST, origin="https://desk.example.evil.example")).status == 403
        assert (await site.post(LIST, origin="null")).status == 403
        for origin in ("http://localhost:3000", "http://127.0.0.1", f"https://127.0.0.1:{site.port}"):
            assert (await site.post(LIST, origin=origin)).status == 403
        for origin in ("https://desk.example", f"http://127.0.0.1:{site.port}"):
            assert (await site.post(LIST, origin=origin)).status == 200
    async with make_site(host="192.0.2.1") as site:
        assert (await site.post(LIST, host="gate.example")).status == 200
        assert (await site.post(LIST, origin="http://localhost:3000")).status == 403


async def test_any_process_answers_any_request(make_site: MakeSite) -> None:
    """Nothing is kept between two requests: no session is opened, and none is needed."""
    async with make_site() as one:
        opened = await one.post(OPEN)
        assert opened.status == 200
        assert opened.header("mcp-session-id") is None
    async with make_site() as other:
        answer = await other.post(LIST)
        assert answer.status == 200
        assert b"github.issues_create" in answer.body


async def test_what_breaks_the_protocol_is_told_by_it(site: Site) -> None:
    """Bytes that are no JSON, a batch, an unknown method, an unknown tool."""
    assert as_object(as_object(parse_json((await site.post(b"{")).body))["error"])["code"] == -32700
    assert (await site.post(b"[]")).status == 400
    unknown = await site.post({"jsonrpc": "2.0", "id": 5, "method": "no/such"})
    assert b"-32601" in unknown.body
    call: JsonObject = {
        "jsonrpc": "2.0",
        "id": 6,
        "method": "tools/call",
        "params": {"name": "github.nothing", "arguments": {}},
    }
    assert b"-32602" in (await site.post(call)).body


async def test_the_search_gives_two_tools_in_place_of_all(site: Site) -> None:
    """By a parameter of the address."""
    async with site.client("?search=true") as asked:
        assert [tool.name for tool in (await asked.list_tools()).tools] == ["find_tools", "call_tool"]
        found = await asked.call_tool("find_tools", {"query": "create an issue", "limit": 2})
        names = [entry["name"] for entry in found.structured_content["tools"]]
        assert "github.issues_create" in names


@pytest.mark.promise("T3")
async def test_a_client_without_a_session_is_asked_for_an_approval_all_the_same(make_site: MakeSite) -> None:
    """The question is the answer to the call, and the call comes again with the answer; both are recorded."""
    async with make_site(approvals="write") as site:
        person = Person()
        async with site.client(asked=person) as asked:
            made = await asked.call_tool("github.issues_create", arguments(title="Approved"))
        async with site.client() as silent:
            refused = await silent.call_tool("github.issues_create", arguments(title="Silent"))
        noted = json.dumps(await site.runtime.trail.tail(20))
    assert not made.is_error
    (shown,) = person.asked
    assert "POST " in shown
    assert '"title":"Approved"' in shown
    assert refused.is_error
    assert "the client cannot ask its user" in str(refused.content)
    assert '"approved"' in noted


@pytest.mark.promise("A9")
async def test_sessions_belong_to_their_key_and_end_with_the_server(make_site: MakeSite) -> None:
    """A stream that waits for news holds no stop up."""
    async with make_site(mcp_sessions=True, grace_s=20.0) as site:
        opened = await site.post(OPEN)
        session = opened.header("mcp-session-id")
        assert session is not None
        assert (await site.post(LIST, mcp_session_id=session)).status == 200
        other = await site.runtime.access.create_key(KeyRequest(name="other", role="admin"))
        stolen = await site.post(LIST, mcp_session_id=session, authorization=f"Bearer {other['key']}")
        assert stolen.status == 404
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        head = f"GET /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {site.key}\r\n"
        writer.write(f"{head}accept: text/event-stream\r\nmcp-session-id: {session}\r\n\r\n".encode())
        assert b"200 OK" in await reader.readline()
    rest = await reader.read()
    assert rest.endswith(b"0\r\n\r\n")
    writer.close()
    await writer.wait_closed()


async def test_sessions_and_several_workers_do_not_go_together(tmp_path: Path) -> None:
    """The operator is told before anything listens."""
    settings = Settings(home=tmp_path, server=ServerSettings(mcp_sessions=True, workers=2))
    with pytest.raises(ConfigurationError, match="several"):
        serve(settings, environment={})
