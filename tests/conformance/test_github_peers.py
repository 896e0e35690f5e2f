"""GitHub as others know it: recorded requests are made again exactly, a server of others is worked with."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from interlock_core import HttpRequest, Json, ToolCall, ToolResult
from interlock_core.http import Egress, HttpClient, HttpResponse
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.testing import MemorySecrets, make_call
from interlock_tools import DocumentOptions, ExecutorLimits, ToolExecutor, ToolRegistry, builtin_document
from interlock_tools.testing import github_work
from interlock_tools.testing.github import GitHubStandIn
from interlock_tools.wrappers import GitHub, opened_github

from .peer import Peers, free_port, installed
from .recorded_github import FROM_A_LINK, REDIRECTED, Step, rewritten, scenarios

TOKEN = "token 0000000000000000000000000000000000000001"
ACCEPT = "application/vnd.github.v3+json"
WRITTEN = {"accept": ACCEPT, "content-type": "application/json; charset=utf-8"}
LIMITS = ExecutorLimits(cache_bytes=0, max_retry_after_s=0)
SCENARIOS = scenarios(installed().programs)
SEED = """
tokens:
  test_token_admin: {login: acme, scopes: [repo, user, workflow]}
github:
  users: [{login: acme, name: Acme}]
  repos: [{owner: acme, name: notes, auto_init: true}]
"""


class Recorded:
    """The server of recorded requests.

    Args:
        url: Where it is.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    async def load(self, scenario: str) -> str:
        """Begin a scenario; the server's name of it."""
        request = HttpRequest(
            method="POST",
            url=f"{self.url}/fixtures",
            headers=(("content-type", "application/json"),),
            body=dump_json({"scenario": scenario}).encode(),
        )
        answer = await self._send(request)
        assert answer.status == 201, answer.text
        return str(as_object(answer.json())["id"])

    async def left(self, name: str) -> str:
        """What the server says of a scenario after the last request: that it is done."""
        url = f"{self.url}/api.github.com/{name}/"
        return (await self._send(HttpRequest(method="GET", url=url, headers=(("accept", ACCEPT),)))).text

    async def _send(self, request: HttpRequest) -> HttpResponse:
        async with HttpClient(egress=Egress(allowed_origins=[self.url])) as client:
            return await client.send(request)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(peers: Peers) -> AsyncGenerator[Recorded, None]:
    """The server of recorded requests."""
    port = free_port()
    url = f"http://localhost:{port}"
    arguments = ("--port", str(port), "--fixtures-url", url, "--log-level", "error")
    async with peers.running("octokit-fixtures-server", *arguments, ready=r"http://localhost"):
        yield Recorded(url)


async def made_again(step: Step, base: str) -> ToolResult:
    """A recorded request as a tool call."""
    headers = {name: step.headers[name] for name in ("accept", "content-type") if name in step.headers}
    if "accept-encoding" in step.headers:
        headers["accept-encoding"] = step.headers["accept-encoding"]
    registry = ToolRegistry()
    options = DocumentOptions(base_url=base, credentials={"header:authorization": "token"}, headers=headers)
    registry.add_document(step.document, namespace="github", options=options)
    secrets = MemorySecrets({"token": step.headers["authorization"]})
    executor = ToolExecutor(registry, secrets=secrets, limits=LIMITS)
    call = ToolCall(id="c", name="github.recorded", arguments=json.dumps(step.arguments))
    try:
        return await executor.execute(call, replace(make_call(), max_pages=20))
    finally:
        await executor.aclose()


@pytest.mark.promise("O8")
@pytest.mark.promise("O13")
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_recorded_scenario_is_made_again_exactly(recorded: Recorded, scenario: str) -> None:
    """Each request as it was recorded: method, path, query, headers and body; each answer as it came."""
    name = await recorded.load(scenario)
    waiting = list(SCENARIOS[scenario])
    while waiting:
        step = waiting.pop(0)
        result = await made_again(step, f"{recorded.url}/{step.host}/{name}")
        expected: Json = step.answer
        while step.status in REDIRECTED:
            step = waiting.pop(0)
            expected = step.answer
        # GitHub links by the number of a repository. That is another operation, to which no link leads.
        while waiting and step.template == waiting[0].template and step.template in FROM_A_LINK:
            expected = [*as_array(expected), *as_array(waiting.pop(0).answer)]
        assert result.status == step.status, result.text
        assert result.is_error == (step.status >= 400)
        if not step.binary and step.status not in {204, 205}:
            # Shas of the recordings are the same text as the token, which no result may hold.
            shown = rewritten(expected, recorded.url, name, hidden=step.headers["authorization"][6:])
            assert result.structured == (None if shown == "" else shown)
    assert "not found" in await recorded.left(name)


def test_every_recorded_scenario_is_there() -> None:
    """None is left out in silence."""
    assert len(SCENARIOS) == 22
    assert sum(map(len, SCENARIOS.values())) >= 60


async def test_a_request_that_differs_is_no_match(recorded: Recorded) -> None:
    """The server judges: the same scenario with another body is refused."""
    name = await recorded.load("add-labels-to-issue")
    step = SCENARIOS["add-labels-to-issue"][0]
    other = replace(step, body={"title": "Another title"})
    result = await made_again(other, f"{recorded.url}/{step.host}/{name}")
    assert (result.is_error, result.status) == (True, 404)


@asynccontextmanager
async def wrapper_over(recorded: Recorded, scenario: str, repo: str) -> AsyncGenerator[GitHub, None]:
    """The wrapper and the shipped document over a recorded scenario; at the end all of it was asked for."""
    name = await recorded.load(scenario)
    registry = ToolRegistry()
    # The recordings are of the older scheme `token`, which the operator places by hand.
    options = DocumentOptions(
        base_url=f"{recorded.url}/api.github.com/{name}",
        credentials={"header:authorization": "token"},
        headers=WRITTEN,
    )
    await registry.add(builtin_document("github")[0], namespace="github", options=options)
    executor = ToolExecutor(registry, secrets=MemorySecrets({"token": TOKEN}), limits=LIMITS)
    try:
        yield GitHub(executor, "octokit-fixture-org", repo, context=make_call)
    finally:
        await executor.aclose()
    assert "not found" in await recorded.left(name)


@pytest.mark.promise("O13")
async def test_the_wrapper_makes_recorded_requests(recorded: Recorded) -> None:
    """With the shipped document: to open and label an issue, to write a file, to read a repository."""
    async with wrapper_over(recorded, "add-labels-to-issue", "add-labels-to-issue") as github:
        issue = await github.create_issue("Issue without a label")
        assert await github.add_labels(issue.number, ["Foo", "bAr", "baZ"]) == ("Foo", "bAr", "baZ")
    async with wrapper_over(recorded, "create-file", "create-file") as github:
        assert await github.write_file("test.txt", b"Test content", "create test.txt")
    async with wrapper_over(recorded, "get-repository", "hello-world") as github:
        assert (await github.repository()).full_name == "octokit-fixture-org/hello-world"


@asynccontextmanager
async def emulated(peers: Peers, folder: Path) -> AsyncGenerator[GitHub, None]:
    """The wrapper over somebody else's server."""
    seed = folder / "seed.yaml"
    seed.write_text(SEED)
    port = free_port()
    arguments = ("--service", "github", "--port", str(port), "--seed", str(seed))
    async with (
        peers.running("emulate", *arguments, ready=r"http://localhost:\d+"),
        opened_github(
            "acme",
            "notes",
            secrets=MemorySecrets({"GITHUB_TOKEN": "test_token_admin"}),
            base_url=f"http://localhost:{port}",
        ) as github,
    ):
        yield github


@asynccontextmanager
async def stood_in() -> AsyncGenerator[GitHub, None]:
    """The wrapper over the stand-in."""
    async with (
        GitHubStandIn(owner="acme", repo="notes") as standin,
        opened_github(
            "acme", "notes", secrets=MemorySecrets({"GITHUB_TOKEN": standin.token}), base_url=standin.url
        ) as github,
    ):
        yield github


@pytest.mark.promise("O13")
@pytest.mark.parametrize("server", ["emulate", "stand-in"])
@pytest.mark.parametrize(
    "work",
    [
        github_work.issues_from_start_to_end,
        github_work.many_issues_in_one_list,
        github_work.errors_say_what_to_do,
        github_work.a_change_from_branch_to_merge,
        github_work.code_can_be_read,
    ],
    ids=lambda work: str(getattr(work, "__name__", work)),
)
async def test_the_wrapper_works_with_any_server_that_speaks_as_github_does(
    peers: Peers, tmp_path: Path, server: str, work: github_work.Work
) -> None:
    """The same steps against a server that nobody here wrote and against the stand-in."""
    async with emulated(peers, tmp_path) if server == "emulate" else stood_in() as github:
        await work(github)
        assert (await github.repository()).full_name == "acme/notes"
