"""`interlock mcp` as a client starts it, and what the commands say of servers that are mounted."""

import json
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.client.stdio import stdio_client
from mcp.types import ElicitRequestParams, ElicitResult

from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_object
from interlock_tools.testing.github import GitHubStandIn

from .conftest import CommandLine

pytestmark = pytest.mark.promise("O16")

ECHO: JsonObject = {"name": "echo", "description": "Says it again.", "inputSchema": {"type": "object"}}
WORDS = {**ECHO, "description": "Says it to somebody else."}


@pytest.fixture
def configured(cli: CommandLine, github: GitHubStandIn, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line with GitHub's stand-in and a real MCP server."""
    folder = cli.folder / "server"
    folder.mkdir()
    path = ":".join(entry for entry in sys.path if entry)
    cli.configure(f"""
[tools.github]
source = "builtin:github"
base_url = "{github.url}"
credential = "{github.token}"

[mcp.strange]
command = {json.dumps(sys.executable)}
args = ["-m", "interlock_tools.testing.mcp_server", "plain", {json.dumps(str(folder))}]
env = {{ PYTHONPATH = {json.dumps(path)} }}
""")
    monkeypatch.setenv("INTERLOCK_CONFIG", str(cli.folder / "config.toml"))
    return cli


@pytest.fixture
def says(configured: CommandLine) -> Callable[..., None]:
    """Have the server say other tools from its next start on."""

    def say(*tools: JsonObject) -> None:
        (configured.folder / "server" / "tools.json").write_text(json.dumps(list(tools)))

    return say


class Person:
    """The person behind a client, who says yes."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        """Be asked."""
        self.asked.append(params.message)
        return ElicitResult(action="accept", content={"approve": True})


@asynccontextmanager
async def client(
    cli: CommandLine, *arguments: str, asked: Person | None = None, legacy: bool = False
) -> AsyncGenerator[Client, None]:
    """The official client, which starts `interlock mcp`."""
    path = ":".join(entry for entry in sys.path if entry)
    environment = {
        "INTERLOCK_HOME": str(cli.home),
        "INTERLOCK_CONFIG": str(cli.folder / "config.toml"),
        "PYTHONPATH": path,
    }
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "interlock_cli", "mcp", *arguments],
        env=environment,
        cwd=str(cli.folder),
    )
    with (cli.folder / "words").open("w") as words:
        transport = stdio_client(parameters, errlog=words)
        mode = "legacy" if legacy else "auto"
        async with Client(transport, cache=None, mode=mode, elicitation_callback=asked) as connected:
            yield connected


@pytest.mark.parametrize("legacy", [False, True])
async def test_a_client_is_served_over_its_pipes(configured: CommandLine, legacy: bool) -> None:
    """Documents and mounted servers side by side; calls are recorded; nothing strays into the pipe."""
    async with client(configured, "--verbose", legacy=legacy, asked=Person()) as asked:
        names = {tool.name for tool in (await asked.list_tools()).tools}
        assert {"github.issues_create", "strange.echo"} <= names
        made = await asked.call_tool(
            "github.issues_create", {"owner": "acme", "repo": "notes", "title": "From a client"}
        )
        assert not made.is_error, made
        echoed = await asked.call_tool("strange.echo", {"text": "hello"})
        assert "untrusted" in str(echoed.meta)
    tail = configured.apart("audit", "tail", "--json").out
    assert "github.issues_create" in tail
    assert '"mcp"' in tail


@pytest.mark.promise("T3", "A6")
async def test_what_follows_words_of_strangers_is_asked_about(configured: CommandLine) -> None:
    """The first change goes through; after an untrusted answer the person behind the client is asked."""
    issue = {"owner": "acme", "repo": "notes", "title": "x"}
    person = Person()
    async with client(configured, "--tools", "github.*", asked=person) as asked:
        assert not (await asked.call_tool("github.issues_list", {"owner": "acme", "repo": "notes"})).is_error
        assert not (await asked.call_tool("github.issues_create", issue)).is_error
    assert len(person.asked) == 1
    async with client(configured, "--tools", "github.*") as silent:
        await silent.call_tool("github.issues_list", {"owner": "acme", "repo": "notes"})
        refused = await silent.call_tool("github.issues_create", issue)
    assert refused.is_error
    assert not (configured.folder / "server" / "starts").exists()


async def test_the_search_and_plain_names_are_options(configured: CommandLine) -> None:
    """For clients with little room, and for those whose models know no dots."""
    async with client(configured, "--search", "--tools", "github.*") as asked:
        assert [tool.name for tool in (await asked.list_tools()).tools] == ["find_tools", "call_tool"]
    async with client(configured, "--plain-names", "--tools", "github.*") as asked:
        assert "github-issues_create" in {tool.name for tool in (await asked.list_tools()).tools}


def test_a_server_serves_mcp_itself(cli: CommandLine) -> None:
    """Its address is what a client needs."""
    ran = cli("--server", "http://127.0.0.1:1", "mcp")
    assert ran.code == 1
    assert "/mcp" in ran.err


def test_a_change_is_told_shown_and_approved(configured: CommandLine, says: Callable[..., None]) -> None:
    """The list tells of it, show says what changed, approve offers it; the record says who approved what."""
    says(ECHO)
    assert "strange.echo" in configured("tools", "list", "strange.*").out
    says(WORDS)
    listed = configured("tools", "list", "strange.*")
    assert "strange.echo" not in listed.out
    withheld = configured("tools", "call", "strange.echo", "--args", '{"text": "x"}')
    assert withheld.code == 3
    assert "interlock tools approve strange.echo" in withheld.err
    assert "1 tools are withheld" in listed.err
    shown = configured("tools", "show", "strange")
    assert "withheld  strange.echo (changed)" in shown.out
    assert '+  "description": "Says it to somebody else."' in shown.out
    state = configured("tools", "show", "strange", "--json").document
    assert [as_object(entry)["name"] for entry in as_array(state["withheld"])] == ["strange.echo"]

    refused = configured("tools", "approve", "strange")
    assert refused.code == 3
    assert "--yes" in refused.err
    approved = configured("tools", "approve", "strange.echo", "--yes", "--json")
    assert approved.document == {"approved": ["strange.echo"]}
    assert "strange.echo" in configured("tools", "list", "strange.*").out
    assert "mcp.approve" in configured("audit", "tail", "--json").out
    again = configured("tools", "approve", "strange", "--yes")
    assert (again.code, "Nothing of strange waits" in again.err) == (2, True)


def test_the_doctor_looks_at_every_server(configured: CommandLine, says: Callable[..., None]) -> None:
    """One that works, one whose tools changed."""
    says(ECHO)
    assert "MCP server strange: 1 tools" in _all(configured("doctor"))
    says(WORDS)
    assert "1 withheld" in _all(configured("doctor"))


def test_a_server_that_fails_is_told_everywhere(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the list, when it is shown, when it is approved, by the doctor; the rest works."""
    cli.configure('[mcp.broken]\ncommand = "/nowhere/at-all"\n')
    monkeypatch.setenv("INTERLOCK_CONFIG", str(cli.folder / "config.toml"))
    listed = cli("tools", "list")
    assert listed.code == 0
    assert "broken: The program of the MCP server broken cannot be started" in listed.err
    assert "cannot be used" in cli("tools", "show", "broken").out
    called = cli("tools", "call", "broken.anything")
    assert called.code == 1
    assert "The program of the MCP server broken cannot be started" in called.err
    assert cli("tools", "approve", "broken", "--yes").code == 1
    assert "MCP server broken" in _all(cli("doctor"))


def test_what_a_server_writes_is_seen_with_verbose(configured: CommandLine) -> None:
    """Without what steers a terminal."""
    quiet = configured.apart("tools", "call", "strange.die", "--args", '{"text": ""}')
    assert "DEBUG" not in quiet.err
    loud = configured.apart("tools", "call", "strange.die", "--args", '{"text": ""}', "--verbose")
    assert "out of cheese" in loud.err
    assert "\x1b" not in loud.err


def test_asking_without_tools_imports_no_sdk(tmp_path: Path, configured: CommandLine) -> None:
    """It is heavy, and a question does not need it."""
    import subprocess

    code = "import sys; from interlock_cli._app import run; run(sys.argv[1:]); print('mcp' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, "tools", "list", "github.*", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "False"


def _all(ran: object) -> str:
    return f"{getattr(ran, 'out', '')}{getattr(ran, 'err', '')}"


@pytest.fixture(autouse=True)
def _silent_log() -> Iterator[None]:
    """What one run says to the log is not said by the next."""
    import logging

    yield
    logger = logging.getLogger("interlock")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
