"""MCP with programs of others: the reference server mounted, and a client on the TypeScript SDK served."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock_api import running
from interlock_core import File, Image, JsonObject
from interlock_core.jsontypes import as_array, as_object, parse_json
from interlock_runtime import Runtime, Settings
from interlock_runtime.settings import McpSettings, ToolSettings
from interlock_tools.testing.github import GitHubStandIn

from .peer import FOLDER, NODE, Peers, free_port

pytestmark = pytest.mark.promise("O16")

SERVER = "mcp-server-everything"
ISSUE = {"owner": "acme", "repo": "notes", "title": "From TypeScript"}


@pytest.fixture
def github() -> Iterator[GitHubStandIn]:
    """A stand-in for GitHub's issues."""
    with GitHubStandIn(owner="acme", repo="notes") as server:
        yield server


async def everything(settings: Settings) -> None:
    """What the reference server can do comes through as it should."""
    async with Runtime.open(settings, environment={}) as runtime:
        catalog = await runtime.tools.catalog_for(["everything.*"])
        names = {tool.name for tool in catalog.list(["everything.*"])}
        assert {"everything.echo", "everything.get-sum", "everything.get-tiny-image"} <= names
        (state,) = await runtime.tools.servers.check("everything")
        assert state["error"] == ""

        echoed = await runtime.tools.call("everything.echo", '{"message": "hi"}')
        assert "hi" in echoed.text
        summed = await runtime.tools.call("everything.get-sum", '{"a": 2, "b": 3}')
        assert "5" in summed.text
        weather = await runtime.tools.call("everything.get-structured-content", '{"location": "Chicago"}')
        assert set(as_object(weather.structured)) == {"temperature", "conditions", "humidity"}
        pictured = await runtime.tools.call("everything.get-tiny-image", "{}")
        (image,) = [part for part in pictured.content if isinstance(part, Image | File)]
        assert (image.data or b"").startswith(b"\x89PNG")
        env = await runtime.tools.call("everything.get-env", "{}")
        assert "INTERLOCK" not in env.text


async def test_the_reference_server_is_mounted_over_its_pipes(peers: Peers, tmp_path: Path) -> None:
    """As its users start it."""
    command, *arguments = peers.command(SERVER, "stdio")
    mounted = McpSettings(command=command, args=tuple(arguments), env={"PATH": f"{NODE}:/usr/bin:/bin"})
    await everything(Settings(home=tmp_path, mcp={"everything": mounted}))


async def test_the_reference_server_is_mounted_by_its_address(peers: Peers, tmp_path: Path) -> None:
    """With the sessions that it keeps."""
    port = free_port()
    async with peers.running(
        SERVER, "streamableHttp", ready=f"on port {port}", environment={"PORT": str(port)}
    ):
        mounted = McpSettings(url=f"http://127.0.0.1:{port}/mcp")
        await everything(Settings(home=tmp_path, mcp={"everything": mounted}))


async def typescript(*arguments: str) -> JsonObject:
    """What the client on the TypeScript SDK prints."""
    process = await asyncio.create_subprocess_exec(
        str(NODE / "node"),
        str(FOLDER / "mcp_client.mjs"),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()
    return as_object(parse_json(out))


CALLS = json.dumps(
    [
        {"name": "github.issues_create", "arguments": ISSUE},
        {"name": "github.issues_create", "arguments": {"owner": "acme"}},
        {"name": "github.nothing", "arguments": {}},
    ]
)


def judge(told: JsonObject) -> None:
    """Tools, an answer, a failure that a model reads, an error of the protocol."""
    assert as_object(told["server"])["name"] == "interlock"
    listed = {str(as_object(tool)["name"]): as_object(tool) for tool in as_array(told["tools"])}
    hints = as_object(listed["github.issues_create"]["annotations"])
    assert (hints["readOnlyHint"], hints["destructiveHint"]) == (False, False)
    made, wrong, unknown = [as_object(result) for result in as_array(told["results"])]
    assert as_object(made["structuredContent"])["title"] == ISSUE["title"]
    assert wrong["isError"] is True
    assert as_object(unknown["error"])["code"] == -32602


async def test_a_client_on_the_typescript_sdk_is_served_over_http(
    peers: Peers, tmp_path: Path, github: GitHubStandIn
) -> None:
    """Without sessions, which it does not miss."""
    tools = {"github": ToolSettings(source="builtin:github", base_url=github.url, credential=github.token)}
    settings = Settings(home=tmp_path, tools=tools)
    async with Runtime.open(settings, environment={}, open_paths=False) as runtime:
        await runtime.access.ensure_admin_key()
        secret = runtime.access.admin_key()
        assert secret is not None
        async with running(runtime) as address:
            judge(await typescript("http", f"{address}/mcp", secret.reveal(), CALLS))


async def test_a_client_on_the_typescript_sdk_is_served_over_pipes(
    peers: Peers, tmp_path: Path, github: GitHubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its user is asked before what needs an approval."""
    config = tmp_path / "config.toml"
    config.write_text(
        '[approvals]\nrequire = "write"\n'
        f'[tools.github]\nsource = "builtin:github"\nbase_url = "{github.url}"\n'
        f'credential = "{github.token}"\n'
    )
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("INTERLOCK_CONFIG", str(config))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entry for entry in sys.path if entry))
    told = await typescript("stdio", sys.executable, "-m", "interlock_cli", "mcp", CALLS)
    judge(told)
    (shown,) = as_array(told["asked"])
    assert ISSUE["title"] in str(shown)
