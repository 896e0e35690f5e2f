"""The wrapper of GitHub against the stand-in: the whole path, its limits, and what it costs of them."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from interlock_core.errors import (
    CredentialError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.testing import MemorySecrets
from interlock_tools import ExecutorLimits
from interlock_tools.testing import github_work
from interlock_tools.testing.github import GitHubStandIn
from interlock_tools.wrappers import GitHub, opened_github

LIMITS = ExecutorLimits(max_retry_after_s=0, check_answers="refuse")
"""Nothing is waited for, and an answer that is not as the document says is an error."""


@pytest.fixture
async def standin() -> AsyncIterator[GitHubStandIn]:
    """A repository with nothing but its first files."""
    async with GitHubStandIn(owner="acme", repo="notes") as running:
        yield running


@pytest.fixture
async def github(standin: GitHubStandIn) -> AsyncIterator[GitHub]:
    """The wrapper over it."""
    async with opened(standin) as wrapper:
        yield wrapper


def opened(
    standin: GitHubStandIn, token: str | None = None, limits: ExecutorLimits = LIMITS
) -> AbstractAsyncContextManager[GitHub]:
    """The wrapper with this token."""
    secrets = MemorySecrets({"GITHUB_TOKEN": token or standin.token})
    return opened_github("acme", "notes", secrets=secrets, base_url=standin.url, limits=limits)


@pytest.mark.promise("O13")
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
async def test_the_whole_path_works(github: GitHub, work: github_work.Work) -> None:
    """Every answer fits the shipped document."""
    await work(github)
    assert (await github.repository()).full_name == "acme/notes"


@pytest.mark.promise("O13")
async def test_workflows_are_started_watched_and_started_again(github: GitHub) -> None:
    """And their logs are read."""
    assert [(one.id, one.path) for one in await github.workflows()] == [(161, ".github/workflows/ci.yml")]
    await github.run_workflow("ci.yml", ref="main", inputs={"level": "all"})
    (run,) = await github.workflow_runs(branch="main")
    assert (run.status, run.conclusion, run.name) == ("completed", "success", "CI")
    await github.rerun_workflow(run.id)
    assert len(await github.workflow_runs()) == 2
    assert (await github.workflow_run(run.id)).id == run.id
    (job,) = await github.jobs(run.id)
    assert "12 passed" in await github.log(job)
    with pytest.raises(InvalidRequestError, match="No ref found"):
        await github.run_workflow("ci.yml", ref="nowhere")
    with pytest.raises(NotFoundError):
        await github.workflow_run(1)


async def test_the_repository_and_who_can_be_assigned(standin: GitHubStandIn, github: GitHub) -> None:
    """The rest of what can be read."""
    repository = await github.repository()
    assert (repository.full_name, repository.default_branch, repository.private) == (
        "acme/notes",
        "main",
        False,
    )
    assert await github.assignees() == ("acme",)
    standin.add_issue("Find umlauts", body="folding")
    assert [one.title for one in await github.search_issues("umlauts is:open")] == ["Find umlauts"]


@pytest.mark.promise("O13")
@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (401, CredentialError, "may have expired"),
        (403, PermissionDeniedError, "the permission that this needs"),
        (404, NotFoundError, "what the token may not see"),
        (410, NotFoundError, "Switch issues on"),
        (422, InvalidRequestError, "Mend the fields"),
        (500, UpstreamError, "Scripted answer 500"),
    ],
)
async def test_each_refusal_is_the_error_of_who_must_act(
    standin: GitHubStandIn, github: GitHub, status: int, error: type[Exception], said: str
) -> None:
    """With GitHub's words and what to do."""
    standin.fail_next(status)
    with pytest.raises(error, match=said):
        await github.issue(1)


@pytest.mark.promise("O13")
async def test_wrong_fields_are_named_in_words(standin: GitHubStandIn, github: GitHub) -> None:
    """Which field, and what is wrong with it."""
    with pytest.raises(InvalidRequestError, match=r"Wrong: assignees is not valid \(nobody\)"):
        await github.create_issue("t", assignees=["nobody"])
    assert standin.issues == ()


@pytest.mark.promise("O13")
async def test_a_wrong_token_is_the_operators_affair(standin: GitHubStandIn) -> None:
    """And it is nowhere in the error."""
    async with opened(standin, "ghp_wrong_token_text") as github:
        with pytest.raises(CredentialError) as caught:
            await github.repository()
    assert "ghp_wrong_token_text" not in str(caught.value)


@pytest.mark.promise("O13")
async def test_what_has_not_changed_costs_nothing_of_the_limit(standin: GitHubStandIn) -> None:
    """After its minute an answer is confirmed by its tag: GitHub counts no 304."""
    standin.add_issue("One")
    async with opened(standin) as github:
        await github.issues()
        await github.create_label("new")  # a change: what is kept must be confirmed
        before = standin.requests[-1]
        listed = [await github.issues() for _ in range(3)]
    assert before.method == "POST"
    assert [one.title for one in listed[0]] == ["One"]
    after = standin.requests[2:]
    assert [(request.status, "if-none-match" in request.headers) for request in after] == [(304, True)]


@pytest.mark.promise("O13")
async def test_the_primary_limit_is_told_before_anything_is_sent() -> None:
    """When it is used up, and until when."""
    async with GitHubStandIn(owner="acme", repo="notes", rate_limit=2) as standin, opened(standin) as github:
        standin.add_issue("One")
        standin.add_issue("Two")
        await github.issue(1)
        await github.issue(2)
        with pytest.raises(UpstreamRateLimitError, match="Nothing was sent"):
            await github.issue(3)
        assert len(standin.requests) == 2


@pytest.mark.promise("O13")
async def test_the_secondary_limit_is_waited_out(standin: GitHubStandIn) -> None:
    """The change is made once."""
    standin.limit_next(retry_after=0)
    async with opened(standin, limits=ExecutorLimits()) as github:
        await github.create_issue("Once")
    assert [one.title for one in standin.issues] == ["Once"]
    assert [request.status for request in standin.requests] == [403, 201]


async def test_changes_of_code_are_refused_where_they_cannot_be_made(github: GitHub) -> None:
    """Branches that are not there, proposals without a change, merges of what is closed or has moved on."""
    main = (await github.branch("main")).sha
    with pytest.raises(NotFoundError):
        await github.branch("nowhere")
    with pytest.raises(InvalidRequestError, match="Object does not exist"):
        await github.create_branch("x", "1" * 40)
    with pytest.raises(InvalidRequestError, match="Reference already exists"):
        await github.create_branch("main", main)
    with pytest.raises(InvalidRequestError, match="head is not valid"):
        await github.create_pull_request("t", head="nowhere", base="main")
    await github.create_branch("same", main)
    with pytest.raises(InvalidRequestError, match="No commits between main and same"):
        await github.create_pull_request("t", head="same", base="main")
    await github.write_file("new.md", b"new", "Add", branch="same")
    pull = await github.create_pull_request("t", head="same", base="main", draft=True)
    with pytest.raises(InvalidRequestError, match="Head branch was modified"):
        await github.merge(pull.number, sha="2" * 40)
    await github.merge(pull.number, sha=pull.head_sha)
    with pytest.raises(InvalidRequestError, match="not mergeable"):
        await github.merge(pull.number)
    with pytest.raises(NotFoundError):
        await github.merge(4_711)


async def test_files_are_refused_where_they_would_be_lost(github: GitHub) -> None:
    """A file that exists is replaced by its sha alone; what is not there is not found."""
    readme = await github.file("README.md")
    with pytest.raises(InvalidRequestError, match="sha"):
        await github.write_file("README.md", b"new", "Replace")
    with pytest.raises(InvalidRequestError, match="does not match"):
        await github.write_file("README.md", b"new", "Replace", sha="3" * 40)
    assert await github.write_file("README.md", b"new", "Replace", sha=readme.sha)
    with pytest.raises(NotFoundError):
        await github.file("nowhere.md")
    assert [one.path for one in await github.folder()] == ["README.md", "docs"]
    assert len(await github.commits(path="README.md")) == 2


async def test_a_review_that_asks_for_changes_says_which(github: GitHub) -> None:
    """Without a word it is refused."""
    await github.create_branch("b", (await github.branch("main")).sha)
    await github.write_file("b.md", b"b", "Add", branch="b")
    pull = await github.create_pull_request("t", head="b", base="main")
    with pytest.raises(InvalidRequestError, match="body is missing"):
        await github.review(pull.number, "REQUEST_CHANGES")
