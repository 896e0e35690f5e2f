"""GitHub for programs: one repository, the common path typed, over the tools of the shipped document."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from interlock_core.call import Call
from interlock_core.jsontypes import Json, JsonObject, as_object
from interlock_core.protocols import ToolExecutor
from interlock_tools.wrappers._api import Api, rows_of
from interlock_tools.wrappers._github_code import GitHubCode
from interlock_tools.wrappers._github_records import Comment, Issue, Label, Milestone, Repository

State = Literal["open", "closed", "all"]
"""Which issues, milestones or pull requests."""

_PER_PAGE = 100
_REMEDIES = {
    401: "Give a token that GitHub accepts: the old one may have expired or been revoked.",
    403: "Give the token the permission that this needs, or wait when a limit is reached.",
    404: "Check owner, name and number; GitHub also says so of what the token may not see.",
    410: "Switch issues on in the repository's settings, or use another repository.",
    422: "Mend the fields that are named.",
}


class GitHub(GitHubCode):
    """One repository of GitHub.

    Lists are gathered page by page up to `max_pages` pages of 100 each; answers are kept and confirmed by
    their tags, which costs nothing of GitHub's limit; limits are waited for as far as the executor may.
    Every method raises `CredentialError` (401), `PermissionDeniedError` (403), `NotFoundError` (404, 410),
    `InvalidRequestError` (422, with the wrong fields in words), `UpstreamRateLimitError` (a limit that is too
    long to be waited for, with `retry_after` in words) or `UpstreamError`.

    Args:
        executor: Makes the calls; its registry holds the shipped document.
        owner: Who owns the repository.
        repo: Its name.
        context: Makes the context of each call: who asks, within which bounds.
        namespace: Namespace of the document.
        max_pages: Most pages of a list.
    """

    def __init__(
        self,
        executor: ToolExecutor,
        owner: str,
        repo: str,
        *,
        context: Callable[[], Call],
        namespace: str = "github",
        max_pages: int = 10,
    ) -> None:
        api = Api(executor, namespace=namespace, context=context, remedies=_REMEDIES)
        super().__init__(api, owner, repo, max_pages)

    # ---- the repository and its people

    async def repository(self) -> Repository:
        """The repository itself."""
        return Repository.of(as_object(await self._call("repos_get")))

    async def assignees(self) -> tuple[str, ...]:
        """Logins of those whom issues can be assigned to."""
        rows = await self._list("issues_list_assignees")
        return tuple(str(row.get("login", "")) for row in rows)

    # ---- issues

    async def issues(
        self,
        *,
        state: State = "open",
        labels: Sequence[str] = (),
        assignee: str | None = None,
        milestone: int | None = None,
    ) -> tuple[Issue, ...]:
        """The issues of the repository, newest first, without pull requests.

        Args:
            state: Which.
            labels: Only those with all of these labels.
            assignee: Only those of this user; `*` for anyone, `none` for nobody.
            milestone: Only those of the milestone with this number.
        """
        rows = await self._list(
            "issues_list",
            state=state,
            labels=",".join(labels) or None,
            assignee=assignee,
            milestone=str(milestone) if milestone is not None else None,
        )
        return tuple(one for row in rows if not (one := Issue.of(row)).is_pull_request)

    async def issue(self, number: int) -> Issue:
        """One issue."""
        return Issue.of(as_object(await self._call("issues_get", issue_number=number)))

    async def create_issue(
        self,
        title: str,
        *,
        body: str | None = None,
        labels: Sequence[str] = (),
        assignees: Sequence[str] = (),
        milestone: int | None = None,
    ) -> Issue:
        """Open an issue.

        Args:
            title: What is to be done.
            body: The whole text, in Markdown.
            labels: Names of labels; those that do not exist are created.
            assignees: Logins of who does it.
            milestone: Number of its milestone.
        """
        value = await self._call(
            "issues_create",
            title=title,
            body=body,
            labels=list(labels) or None,
            assignees=list(assignees) or None,
            milestone=milestone,
        )
        return Issue.of(as_object(value))

    async def update_issue(self, number: int, changes: Mapping[str, Json]) -> Issue:
        """Change fields of an issue.

        Args:
            number: Its number.
            changes: New values of `title`, `body`, `state`, `state_reason`, `labels`, `assignees` or
                `milestone`; None removes a body or a milestone.
        """
        value = await self._call_exactly("issues_update", {"issue_number": number, "body": dict(changes)})
        return Issue.of(as_object(value))

    async def close_issue(
        self, number: int, *, reason: Literal["completed", "not_planned"] = "completed"
    ) -> Issue:
        """Close an issue, with the reason."""
        return await self.update_issue(number, {"state": "closed", "state_reason": reason})

    async def comments(self, number: int) -> tuple[Comment, ...]:
        """The comments of an issue or pull request, oldest first."""
        return tuple(Comment.of(row) for row in await self._list("issues_list_comments", issue_number=number))

    async def comment(self, number: int, body: str) -> Comment:
        """Comment on an issue or pull request."""
        value = await self._call("issues_create_comment", issue_number=number, body=body)
        return Comment.of(as_object(value))

    async def search_issues(self, query: str) -> tuple[Issue, ...]:
        """Issues and pull requests of this repository that fit a query."""
        asked: JsonObject = {"q": f"repo:{self.owner}/{self.repo} {query}", "per_page": _PER_PAGE}
        value = await self._api.call("search_issues", asked, pages=self._max_pages)
        return tuple(Issue.of(row) for row in rows_of(value, "items"))

    # ---- labels and milestones

    async def labels(self) -> tuple[Label, ...]:
        """The labels of the repository."""
        return tuple(Label.of(row) for row in await self._list("issues_list_labels"))

    async def create_label(
        self, name: str, *, color: str | None = None, description: str | None = None
    ) -> Label:
        """Create a label; its color is six hexadecimal digits."""
        value = await self._call("issues_create_label", name=name, color=color, description=description)
        return Label.of(as_object(value))

    async def update_label(
        self,
        name: str,
        *,
        new_name: str | None = None,
        color: str | None = None,
        description: str | None = None,
    ) -> Label:
        """Rename a label, or change its color or description."""
        value = await self._call(
            "issues_update_label", name=name, new_name=new_name, color=color, description=description
        )
        return Label.of(as_object(value))

    async def delete_label(self, name: str) -> None:
        """Delete a label, from every issue too."""
        await self._call("issues_delete_label", name=name)

    async def add_labels(self, number: int, labels: Sequence[str]) -> tuple[str, ...]:
        """Add labels to an issue; all of its labels."""
        value = await self._call("issues_add_labels", issue_number=number, labels=list(labels))
        return tuple(str(row.get("name", "")) for row in rows_of(value))

    async def milestones(self, *, state: State = "open") -> tuple[Milestone, ...]:
        """The milestones of the repository."""
        return tuple(Milestone.of(row) for row in await self._list("issues_list_milestones", state=state))

    async def create_milestone(
        self, title: str, *, description: str | None = None, due_on: str | None = None
    ) -> Milestone:
        """Create a milestone.

        Args:
            title: Its title.
            description: What it is about, in Markdown.
            due_on: When it is due, as a date and time in UTC.
        """
        value = await self._call(
            "issues_create_milestone", title=title, description=description, due_on=due_on
        )
        return Milestone.of(as_object(value))
