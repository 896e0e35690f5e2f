"""The part of GitHub's wrapper about code: pull requests, branches, commits, files, workflows."""

import base64
from collections.abc import Mapping
from typing import Literal

from interlock_core.jsontypes import Json, JsonObject, as_object
from interlock_tools.wrappers._api import Api, number_of, rows_of, text_of
from interlock_tools.wrappers._github_records import (
    Branch,
    ChangedFile,
    Commit,
    GitHubFile,
    PullRequest,
    Review,
    Workflow,
    WorkflowRun,
)

_PER_PAGE = 100


class GitHubCode:
    """Pull requests, branches, commits, files and workflows of one repository.

    Args:
        api: Makes the calls.
        owner: Who owns the repository.
        repo: Its name.
        max_pages: Most pages of a list.
    """

    def __init__(self, api: Api, owner: str, repo: str, max_pages: int) -> None:
        self._api = api
        self.owner = owner
        self.repo = repo
        self._max_pages = max_pages

    # ---- pull requests

    async def pull_requests(
        self, *, state: Literal["open", "closed", "all"] = "open", base: str | None = None
    ) -> tuple[PullRequest, ...]:
        """The pull requests of the repository, newest first."""
        return tuple(PullRequest.of(row) for row in await self._list("pulls_list", state=state, base=base))

    async def pull_request(self, number: int) -> PullRequest:
        """One pull request."""
        return PullRequest.of(as_object(await self._call("pulls_get", pull_number=number)))

    async def create_pull_request(
        self, title: str, *, head: str, base: str, body: str | None = None, draft: bool | None = None
    ) -> PullRequest:
        """Propose to merge the branch `head` into `base`."""
        value = await self._call("pulls_create", title=title, head=head, base=base, body=body, draft=draft)
        return PullRequest.of(as_object(value))

    async def update_pull_request(self, number: int, changes: Mapping[str, Json]) -> PullRequest:
        """Change `title`, `body`, `state` or `base` of a pull request."""
        value = await self._call_exactly("pulls_update", {"pull_number": number, **changes})
        return PullRequest.of(as_object(value))

    async def files(self, number: int) -> tuple[ChangedFile, ...]:
        """The files that a pull request changes."""
        return tuple(ChangedFile.of(row) for row in await self._list("pulls_list_files", pull_number=number))

    async def reviews(self, number: int) -> tuple[Review, ...]:
        """The reviews of a pull request, oldest first."""
        return tuple(Review.of(row) for row in await self._list("pulls_list_reviews", pull_number=number))

    async def review(
        self,
        number: int,
        event: Literal["APPROVE", "REQUEST_CHANGES", "COMMENT"],
        *,
        body: str | None = None,
    ) -> Review:
        """Approve a pull request, ask for changes, or comment on it; `body` is needed but to approve."""
        value = await self._call("pulls_create_review", pull_number=number, event=event, body=body)
        return Review.of(as_object(value))

    async def merge(
        self,
        number: int,
        *,
        method: Literal["merge", "squash", "rebase"] = "merge",
        sha: str | None = None,
    ) -> str:
        """Merge a pull request; the name of the merge commit.

        Args:
            number: Its number.
            method: How.
            sha: Merge only if this is its latest commit.
        """
        value = await self._call("pulls_merge", pull_number=number, merge_method=method, sha=sha)
        return text_of(as_object(value), "sha")

    # ---- code

    async def branches(self) -> tuple[Branch, ...]:
        """The branches of the repository."""
        return tuple(Branch.of(row) for row in await self._list("repos_list_branches"))

    async def branch(self, name: str) -> Branch:
        """One branch."""
        return Branch.of(as_object(await self._call("repos_get_branch", branch=name)))

    async def create_branch(self, name: str, sha: str) -> None:
        """Create a branch at a commit."""
        await self._call("git_create_ref", ref=f"refs/heads/{name}", sha=sha)

    async def commits(self, *, branch: str | None = None, path: str | None = None) -> tuple[Commit, ...]:
        """Commits, newest first, of a branch, or those that touch one path."""
        return tuple(Commit.of(row) for row in await self._list("repos_list_commits", sha=branch, path=path))

    async def file(self, path: str, *, ref: str | None = None) -> GitHubFile:
        """A file with its content."""
        return GitHubFile.of(as_object(await self._call("repos_get_content", path=path, ref=ref)))

    async def folder(self, path: str = "", *, ref: str | None = None) -> tuple[GitHubFile, ...]:
        """The entries of a folder."""
        return tuple(
            GitHubFile.of(row) for row in rows_of(await self._call("repos_get_content", path=path, ref=ref))
        )

    async def write_file(
        self, path: str, content: bytes, message: str, *, branch: str | None = None, sha: str | None = None
    ) -> str:
        """Write a file in a commit of its own; the commit's name.

        Args:
            path: Its path.
            content: Its bytes.
            message: What the commit says.
            branch: The branch; the default one unless given.
            sha: The `sha` of the file that is replaced; a file that exists is not replaced without it.
        """
        value = await self._call(
            "repos_create_or_update_file_contents",
            path=path,
            content=base64.b64encode(content).decode(),
            message=message,
            branch=branch,
            sha=sha,
        )
        return text_of(as_object(value), "commit", "sha")

    # ---- workflows

    async def workflows(self) -> tuple[Workflow, ...]:
        """The workflows of the repository."""
        value = await self._whole("actions_list_repo_workflows")
        return tuple(Workflow.of(row) for row in rows_of(value, "workflows"))

    async def workflow_runs(
        self, *, branch: str | None = None, status: str | None = None
    ) -> tuple[WorkflowRun, ...]:
        """Runs of all workflows, newest first."""
        value = await self._whole("actions_list_workflow_runs_for_repo", branch=branch, status=status)
        return tuple(WorkflowRun.of(row) for row in rows_of(value, "workflow_runs"))

    async def workflow_run(self, run: int) -> WorkflowRun:
        """One run."""
        return WorkflowRun.of(as_object(await self._call("actions_get_workflow_run", run_id=run)))

    async def run_workflow(
        self, workflow: str | int, *, ref: str, inputs: Mapping[str, str] | None = None
    ) -> None:
        """Start a workflow, by the name of its file or its id, on a branch or tag."""
        await self._call(
            "actions_create_workflow_dispatch",
            workflow_id=workflow,
            ref=ref,
            inputs=dict(inputs) if inputs else None,
        )

    async def rerun_workflow(self, run: int) -> None:
        """Start a finished run again."""
        await self._call("actions_re_run_workflow", run_id=run)

    async def jobs(self, run: int) -> tuple[int, ...]:
        """Ids of the jobs of a run."""
        value = await self._whole("actions_list_jobs_for_workflow_run", run_id=run)
        return tuple(number_of(row, "id") for row in rows_of(value, "jobs"))

    async def log(self, job: int) -> str:
        """The log of a job."""
        result = await self._api.result(
            "actions_download_job_logs_for_workflow_run",
            {"owner": self.owner, "repo": self.repo, "job_id": job},
        )
        return result.structured if isinstance(result.structured, str) else result.text

    # ---- inside

    async def _call(self, tool: str, **arguments: Json) -> Json:
        return await self._api.call(tool, {"owner": self.owner, "repo": self.repo, **arguments})

    async def _call_exactly(self, tool: str, arguments: JsonObject) -> Json:
        """A call whose nulls mean something."""
        result = await self._api.result(tool, {"owner": self.owner, "repo": self.repo, **arguments})
        return result.structured

    async def _whole(self, tool: str, **arguments: Json) -> Json:
        """Every page of an answer."""
        asked: JsonObject = {"owner": self.owner, "repo": self.repo, "per_page": _PER_PAGE, **arguments}
        return await self._api.call(tool, asked, pages=self._max_pages)

    async def _list(self, tool: str, **arguments: Json) -> list[JsonObject]:
        return rows_of(await self._whole(tool, **arguments))
