"""MCP servers of the settings, mounted beside documents: guarded, pinned in the store, each failing alone."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interlock_core import Effect, JsonObject
from interlock_core.errors import (
    ConflictError,
    InterlockError,
    NotFoundError,
    PermissionDeniedError,
    UpstreamError,
)
from interlock_core.jsontypes import as_array, as_object
from interlock_runtime import Runtime
from interlock_runtime.settings import McpSettings, ToolSettings, UserSettings

from .conftest import MakeSettings

pytestmark = pytest.mark.promise("O16")

ECHO: JsonObject = {"name": "echo", "description": "Says it again.", "inputSchema": {"type": "object"}}


@pytest.fixture
def strange(tmp_path: Path) -> Callable[..., McpSettings]:
    """Settings of a real server in a mode."""

    def made(mode: str = "plain", **options: object) -> McpSettings:
        folder = tmp_path / "strange"
        folder.mkdir(exist_ok=True)
        arguments = ("-m", "interlock_tools.testing.mcp_server", mode, str(folder))
        path = ":".join(entry for entry in sys.path if entry)
        return McpSettings(
            **{"command": sys.executable, "args": arguments, "env": {"PYTHONPATH": path}, **options}  # pyright: ignore[reportArgumentType] - the test names the fields
        )

    return made


def starts(tmp_path: Path) -> int:
    """How often the server was started."""
    file = tmp_path / "strange" / "starts"
    return len(file.read_text().splitlines()) if file.exists() else 0


def says(tmp_path: Path, *tools: JsonObject) -> None:
    """Have the server say these tools from now on."""
    (tmp_path / "strange").mkdir(exist_ok=True)
    (tmp_path / "strange" / "tools.json").write_text(json.dumps(list(tools)))


async def kinds(runtime: Runtime) -> list[tuple[str, str]]:
    """What the audit log holds, and of what."""
    found: list[tuple[str, str]] = []
    for record in await runtime.trail.tail(50):
        data = as_object(record["data"])
        found.append((str(record["kind"]), str(data.get("name") or data.get("change") or "")))
    return found


async def test_a_mounted_tool_is_one_beside_the_others(
    make: MakeSettings, on_github: ToolSettings, strange: Callable[..., McpSettings]
) -> None:
    """In the catalogue, in the search, and called through the same guards, with a record of each call."""
    settings = make(tools={"github": on_github}, mcp={"strange": strange()})
    async with Runtime.open(settings, environment={}) as runtime:
        catalog = await runtime.tools.catalog()
        assert catalog.get("strange.echo").effect is Effect.WRITE
        assert catalog.get("github.issues_create")
        assert "strange.echo" in [tool.name for tool in catalog.search("say it again")]
        assert (await runtime.tools.call("strange.echo", '{"text": "hello"}')).text == "hello"
        assert (await runtime.tools.prepare("strange.echo", '{"text": "x"}'))["arguments"] == {"text": "x"}
        noted = json.dumps(await runtime.trail.tail(50))
    assert noted.count("strange.echo") >= 2


async def test_a_server_whose_tools_nobody_wants_is_not_started(
    tmp_path: Path, make: MakeSettings, on_github: ToolSettings, strange: Callable[..., McpSettings]
) -> None:
    """Tools of documents are listed and called without it."""
    settings = make(tools={"github": on_github}, mcp={"strange": strange()})
    async with Runtime.open(settings, environment={}) as runtime:
        await runtime.tools.catalog_for(["github.issues*"])
        await runtime.tools.prepare("github.issues_list", '{"owner": "acme", "repo": "notes"}')
        assert starts(tmp_path) == 0
        assert runtime.tools.servers.states() == []
        await runtime.tools.catalog_for(["strange.e*"])
        assert starts(tmp_path) == 1
        await runtime.tools.catalog()
        assert starts(tmp_path) == 1


async def test_a_server_that_fails_takes_no_other_down(
    make: MakeSettings,
    on_github: ToolSettings,
    strange: Callable[..., McpSettings],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is told what is wrong with it; secrets in what it says are hidden."""
    broken = McpSettings(command="/nowhere/at-all")
    settings = make(tools={"github": on_github}, mcp={"strange": strange("exit"), "broken": broken})
    async with Runtime.open(settings, environment={}) as runtime:
        catalog = await runtime.tools.catalog()
        assert catalog.get("github.issues_create")
        assert not catalog.list(["strange.*", "broken.*"])
        told = {str(state["name"]): str(state["error"]) for state in runtime.tools.servers.states()}
        assert "no licence found" in told["strange"]
        assert "cannot be started" in told["broken"]
        with pytest.raises(UpstreamError, match="no licence found"):
            await runtime.tools.call("strange.echo", "{}")
        with pytest.raises(UpstreamError, match="cannot be started"):
            await runtime.tools.describe("broken.echo")
    said = [entry.getMessage() for entry in caplog.records if "strange cannot be used" in entry.getMessage()]
    assert len(said) == 1


async def test_a_server_that_says_nothing_holds_nobody_else_up(
    make: MakeSettings, on_github: ToolSettings, strange: Callable[..., McpSettings]
) -> None:
    """Everything else is there before it; who asks for it by name waits for it."""
    settings = make(tools={"github": on_github}, mcp={"strange": strange("silent", timeout_s=3.0)})
    async with Runtime.open(settings, environment={}) as runtime:
        runtime.tools.servers.patience_s = 0.05
        assert (await runtime.tools.catalog()).get("github.issues_create")
        assert [state["error"] for state in runtime.tools.servers.states()] == ["it has not answered yet"]
        with pytest.raises(UpstreamError, match="not ready within"):
            await runtime.tools.call("strange.echo", "{}")
        assert "not ready within" in str(runtime.tools.servers.states()[0]["error"])


async def test_what_a_server_says_of_its_tools_is_pinned_in_the_store(
    tmp_path: Path, make: MakeSettings, strange: Callable[..., McpSettings]
) -> None:
    """A change is withheld in every later process, until the operator approves exactly what was shown."""
    settings = make(mcp={"strange": strange()})
    says(tmp_path, ECHO)
    async with Runtime.open(settings, environment={}) as runtime:
        assert (await runtime.tools.call("strange.echo", '{"text": "x"}')).text == "x"
        assert "mcp.first-use" in json.dumps(await runtime.trail.tail(10))
    says(tmp_path, {**ECHO, "description": "Says it to somebody else."})
    async with Runtime.open(settings, environment={}) as runtime:
        assert not (await runtime.tools.catalog()).list(["strange.*"])
        (state,) = await runtime.tools.servers.check("strange")
        (waiting,) = as_array(state["withheld"])
        entry = as_object(waiting)
        assert (entry["name"], entry["why"]) == ("strange.echo", "changed")
        with pytest.raises(ConflictError):
            await runtime.tools.servers.approve("strange", [("strange.echo", "0" * 64)])
        await runtime.tools.servers.approve("strange", [("strange.echo", str(entry["fingerprint"]))])
        assert (await runtime.tools.catalog()).get("strange.echo").description == "Says it to somebody else."
        assert "mcp.approve" in json.dumps(await runtime.trail.tail(10))
        with pytest.raises(NotFoundError, match="no MCP server"):
            await runtime.tools.servers.check("stranger")
    async with Runtime.open(settings, environment={}) as runtime:
        assert (await runtime.tools.catalog()).get("strange.echo")


async def test_a_document_and_a_server_of_one_name_do_not_live_together(
    tmp_path: Path, make: MakeSettings, strange: Callable[..., McpSettings]
) -> None:
    """A server may stand in the place of the document that is shipped; an added one is refused."""
    async with Runtime.open(make(mcp={"github": strange()}), environment={}) as runtime:
        names = [tool.name for tool in (await runtime.tools.catalog()).list(["github.*"])]
        assert "github.echo" in names
        assert "github.issues_create" not in names
        document = tmp_path / "notes.json"
        document.write_text('{"openapi": "3.1.0", "info": {"title": "N"}, "paths": {}}')
        with pytest.raises(ConflictError, match=r"mcp\.github"):
            await runtime.tools.add(str(document), namespace="github", base_url="", credential="", allow=())


async def test_permission_is_needed_as_for_any_tool(
    make: MakeSettings, strange: Callable[..., McpSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who may only read cannot call what may write."""
    monkeypatch.setattr("interlock_runtime._access.local_user", lambda: "local:reader")
    settings = make(mcp={"strange": strange()}, users={"local:reader": UserSettings(roles=("readonly",))})
    async with Runtime.open(settings, environment={}) as runtime:
        with pytest.raises(PermissionDeniedError):
            await runtime.tools.call("strange.echo", '{"text": "x"}')


async def test_a_program_gets_its_secrets_and_none_of_ours(
    tmp_path: Path, make: MakeSettings, strange: Callable[..., McpSettings]
) -> None:
    """What it answers with them in it is hidden."""
    path = ":".join(entry for entry in sys.path if entry)
    env = {"PYTHONPATH": path, "TOKEN": "env:SERVER_TOKEN", "MODE": "quiet"}
    settings = make(mcp={"strange": strange(env=env, cwd=str(tmp_path))})
    secret = {"SERVER_TOKEN": "tok-canary-81231", "OPENAI_API_KEY": "sk-canary-5", "HOME": str(tmp_path)}
    async with Runtime.open(settings, environment=secret) as runtime:
        result = await runtime.tools.call("strange.environment", '{"text": ""}')
        given = json.loads(result.text)
    assert given["MODE"] == "quiet"
    assert given["HOME"] == str(tmp_path)
    assert "OPENAI_API_KEY" not in given
    assert "TOKEN" in given
    assert "canary" not in result.text


async def test_a_working_folder_that_is_not_there_is_told(
    make: MakeSettings, strange: Callable[..., McpSettings]
) -> None:
    """With the key that names it; the others work."""
    settings = make(mcp={"strange": strange(cwd="/nowhere/at-all")})
    async with Runtime.open(settings, environment={}) as runtime:
        await runtime.tools.catalog()
        (state,) = runtime.tools.servers.states()
        assert "cannot be started: No such file" in str(state["error"])


async def test_changes_are_told(
    tmp_path: Path, make: MakeSettings, strange: Callable[..., McpSettings]
) -> None:
    """Whoever serves the tools to others hears of them."""
    heard: list[str] = []
    settings = make(mcp={"strange": strange()})
    says(tmp_path, ECHO)
    async with Runtime.open(settings, environment={}) as runtime:
        runtime.tools.changed.append(lambda: heard.append("changed"))
        await runtime.tools.catalog()
        document = tmp_path / "notes.json"
        document.write_text('{"openapi": "3.1.0", "info": {"title": "N"}, "paths": {"/": {"get": {}}}}')
        await runtime.tools.add(str(document), namespace="notes", base_url="", credential="", allow=())
        assert heard == ["changed"]
        assert (await runtime.tools.catalog()).get("strange.echo")


async def test_what_goes_wrong_with_a_server_is_an_error_of_ours(
    make: MakeSettings, strange: Callable[..., McpSettings]
) -> None:
    """Approving what a server does not answer for is one."""
    async with Runtime.open(make(mcp={"strange": strange("exit")}), environment={}) as runtime:
        with pytest.raises(InterlockError):
            await runtime.tools.servers.approve("strange", [("strange.echo", "0")])


async def test_a_server_that_had_no_tools_at_first_is_known_in_every_later_process(
    tmp_path: Path, make: MakeSettings, strange: Callable[..., McpSettings]
) -> None:
    """What it shows later waits for the operator."""
    settings = make(mcp={"strange": strange()})
    says(tmp_path)
    async with Runtime.open(settings, environment={}) as runtime:
        assert not (await runtime.tools.catalog()).list(["strange.*"])
    says(tmp_path, ECHO)
    async with Runtime.open(settings, environment={}) as runtime:
        assert not (await runtime.tools.catalog()).list(["strange.*"])
        (state,) = runtime.tools.servers.states()
        (waiting,) = as_array(state["withheld"])
        assert as_object(waiting)["why"] == "new"
