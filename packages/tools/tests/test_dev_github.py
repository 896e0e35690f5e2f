"""Operations on GitHub: through the wrapper, with its credential; nothing twice and nothing lost."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from interlock_core import ToolCall
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, dump_json
from interlock_core.testing import MemorySecrets, make_call
from interlock_tools import DocumentOptions, ToolExecutor, builtin_document
from interlock_tools.devtools._github import mark_of
from interlock_tools.testing.github import GitHubStandIn

from .dev_ground import Ground

pytestmark = pytest.mark.promise("O12")

PLACE: JsonObject = {"owner": "acme", "repo": "notes"}


@pytest.fixture
def github() -> Iterator[GitHubStandIn]:
    """A stand-in for GitHub with one issue."""
    with GitHubStandIn(owner="acme", repo="notes") as running:
        running.add_issue("Export as a file", body="text", labels=["bug"])
        yield running


@pytest.fixture
async def ground(tmp_path: Path, github: GitHubStandIn) -> AsyncIterator[Ground]:
    """The tools, with the wrapper that calls the stand-in."""
    ground = Ground(tmp_path)
    options = DocumentOptions(base_url=github.url, credential="token")
    await ground.registry.add(builtin_document("github")[0], namespace="github", options=options)
    ground.executor = ToolExecutor(ground.registry, secrets=MemorySecrets({"token": github.token}))
    yield ground
    await ground.aclose()


def plan(*titles: str) -> list[Json]:
    """Issues with these titles."""
    return [{"title": title, "body": f"About {title}."} for title in titles]


async def create(ground: Ground, *titles: str, **given: Json) -> dict[str, list[JsonObject]]:
    """Create issues, and the report by its lists."""
    answer = await ground.call("createIssues", **PLACE, issues=plan(*titles), **given)
    return {name: [as_object(line) for line in as_array(lines)] for name, lines in answer.items()}


async def test_many_issues_are_created_in_one_call(ground: Ground, github: GitHubStandIn) -> None:
    """In their order, each with its number and address; the mark in the body is not seen by people."""
    report = await create(ground, "One", "Two")
    assert [(line["index"], line["number"], line["title"]) for line in report["created"]] == [
        (0, 2, "One"),
        (1, 3, "Two"),
    ]
    assert (report["existing"], report["failed"]) == ([], [])
    made = github.issues[-1]
    assert made.body is not None
    assert made.body.startswith("About Two.\n\n<!-- interlock-issue ")


async def test_a_second_call_creates_nothing_twice(ground: Ground, github: GitHubStandIn) -> None:
    """Also when more than a page of other issues has come since; only what is new is created."""
    await create(ground, "One", "Two")
    for number in range(120):
        github.add_issue(f"Noise {number}")
    report = await create(ground, "Two", "Three", "One")
    assert [line["title"] for line in report["created"]] == ["Three"]
    assert [(line["title"], line["number"]) for line in report["existing"]] == [("Two", 3), ("One", 2)]
    assert len(github.issues) == 1 + 2 + 120 + 1


async def test_an_issue_that_fails_is_told_and_tried_again(ground: Ground, github: GitHubStandIn) -> None:
    """The others are created all the same; the same call again makes up for it."""
    github.fail_next(422, method="POST", path="/repos/acme/notes/issues")
    first = await create(ground, "One", "Two")
    assert [line["title"] for line in first["failed"]] == ["One"]
    assert str(first["failed"][0]["error"]).startswith("GitHub: ")
    assert [line["title"] for line in first["created"]] == ["Two"]
    again = await create(ground, "One", "Two")
    assert [line["title"] for line in again["created"]] == ["One"]
    assert [line["title"] for line in again["existing"]] == ["Two"]


async def test_plans_are_kept_apart_by_their_key(ground: Ground) -> None:
    """The same title in another plan is another issue."""
    assert mark_of("a", "One") != mark_of("b", "One") != mark_of("", "One")
    await create(ground, "One", idempotencyKey="a")
    report = await create(ground, "One", idempotencyKey="b")
    assert len(report["created"]) == 1


async def test_two_issues_of_one_title_are_refused(ground: Ground, github: GitHubStandIn) -> None:
    """Nobody could tell them apart afterwards; nothing is sent."""
    said = await ground.refused("createIssues", **PLACE, issues=plan("One", "One"))
    assert "same title" in said
    assert len(github.issues) == 1


async def test_an_issue_is_changed_where_fields_are_given(ground: Ground, github: GitHubStandIn) -> None:
    """Only those; null takes a milestone away; nothing to be changed is an error."""
    milestone = github.add_milestone("Soon")
    changed = await ground.call(
        "updateIssue", **PLACE, number=1, title="Export", labels=["ux"], milestone=milestone.number
    )
    assert (changed["title"], changed["state"]) == ("Export", "open")
    assert [github.issues[0].title, github.issues[0].body] == ["Export", "text"]
    closed = await ground.call(
        "updateIssue", **PLACE, number=1, state="closed", stateReason="not_planned", milestone=None
    )
    assert closed["state"] == "closed"
    assert github.issues[0].milestone is None
    assert "at least one field" in await ground.refused("updateIssue", **PLACE, number=1)


async def test_a_comment_is_written(ground: Ground, github: GitHubStandIn) -> None:
    """Its address comes back."""
    answer = await ground.call("commentOnIssue", **PLACE, number=1, body="Seen.")
    assert [comment.body for comment in github.comments] == ["Seen."]
    assert str(answer["url"]).startswith("http")


async def pull_request(ground: Ground) -> JsonObject:
    """A branch with a change, and a pull request of it."""
    tools = {str(tool.operation_id): tool.name for tool in ground.registry.list(["github.*"])}
    assert {"pulls/create", "pulls/create-review", "pulls/merge"} <= tools.keys()

    async def made(operation: str, **arguments: Json) -> JsonObject:
        call = ToolCall(id="x", name=tools[operation], arguments=dump_json({**PLACE, **arguments}))
        result = await ground.executor.execute(call, make_call())
        assert not result.is_error, result.text
        return as_object(result.structured)

    base = await made("repos/get-branch", branch="main")
    sha = as_object(base["commit"])["sha"]
    await made("git/create-ref", ref="refs/heads/umlauts", sha=sha)
    await made(
        "repos/create-or-update-file-contents",
        path="search.py",
        message="Find umlauts",
        content="cHJpbnQoMSkK",
        branch="umlauts",
    )
    return await ground.call(
        "createPR", **PLACE, title="Find umlauts", head="umlauts", base="main", body="Closes #1."
    )


async def test_a_pull_request_is_opened_reviewed_and_merged(ground: Ground) -> None:
    """With the head that was reviewed; another head is refused and nothing is merged."""
    pull = await pull_request(ground)
    number = pull["number"]
    assert (pull["state"], pull["draft"]) == ("open", False)
    review = await ground.call("reviewPR", **PLACE, number=number, event="APPROVE")
    assert review["state"] == "APPROVED"
    said = await ground.refused("mergePR", **PLACE, number=number, sha="0" * 40)
    assert "GitHub" in said
    merged = await ground.call(
        "mergePR", **PLACE, number=number, sha=pull["headSha"], method="squash", title="Find umlauts (#2)"
    )
    assert merged["merged"] is True


async def test_a_review_that_asks_for_changes_needs_a_body(ground: Ground) -> None:
    """Before GitHub is asked."""
    said = await ground.refused("reviewPR", **PLACE, number=2, event="REQUEST_CHANGES")
    assert "needs a body" in said


@pytest.mark.parametrize("status", [404, 422, 500])
async def test_what_github_refuses_comes_back_in_its_words(
    ground: Ground, github: GitHubStandIn, status: int
) -> None:
    """As an error of the kind that says who must act."""
    github.fail_next(status, method="POST", times=10)
    result = await ground.result("commentOnIssue", {**PLACE, "number": 1, "body": "x"})
    assert result.is_error
    assert result.text.startswith("GitHub: ")
    assert {404: "not_found", 422: "invalid_request", 500: "upstream"}[status] == result.error_code


async def test_without_the_wrapper_the_remedy_says_how_to_get_it(tmp_path: Path) -> None:
    """Nothing is guessed."""
    ground = Ground(tmp_path)
    assert "builtin:github" in await ground.refused("commentOnIssue", **PLACE, number=1, body="x")
