"""What GitHub's answers say, as records: the common fields typed, all of them in `raw`."""

from dataclasses import dataclass, field
from typing import Self

from interlock_core.jsontypes import JsonObject, as_object
from interlock_tools.wrappers._api import names_of, number_of, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository.

    Attributes:
        full_name: Owner and name.
        default_branch: Its default branch.
        private: Whether only some may see it.
        open_issues: How many issues and pull requests are open.
        raw: The whole answer.
    """

    full_name: str
    default_branch: str
    private: bool
    open_issues: int
    raw: JsonObject = field(repr=False)

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            full_name=text_of(value, "full_name"),
            default_branch=text_of(value, "default_branch"),
            private=value.get("private") is True,
            open_issues=number_of(value, "open_issues_count"),
            raw=value,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An issue.

    Attributes:
        number: The number that people use.
        title: What is to be done.
        body: The whole text; empty when there is none.
        state: `open` or `closed`.
        labels: Names of its labels.
        assignees: Logins of who does it.
        milestone: Number of its milestone.
        author: Login of who opened it.
        comments: How many comments it has.
        url: Its page for people.
        is_pull_request: GitHub lists pull requests among issues; this is one.
        raw: The whole answer.
    """

    number: int
    title: str
    body: str
    state: str
    labels: tuple[str, ...]
    assignees: tuple[str, ...]
    milestone: int | None
    author: str
    comments: int
    url: str
    is_pull_request: bool
    raw: JsonObject = field(repr=False)

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            number=number_of(value, "number"),
            title=text_of(value, "title"),
            body=text_of(value, "body"),
            state=text_of(value, "state"),
            labels=names_of(value.get("labels"), "name"),
            assignees=names_of(value.get("assignees"), "login"),
            milestone=number_of(as_object(value.get("milestone")), "number") or None,
            author=text_of(value, "user", "login"),
            comments=number_of(value, "comments"),
            url=text_of(value, "html_url"),
            is_pull_request="pull_request" in value,
            raw=value,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment.

    Attributes:
        id: GitHub's id of it.
        body: What it says.
        author: Login of who wrote it.
        url: Its page for people.
        raw: The whole answer.
    """

    id: int
    body: str
    author: str
    url: str
    raw: JsonObject = field(repr=False)

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            id=number_of(value, "id"),
            body=text_of(value, "body"),
            author=text_of(value, "user", "login"),
            url=text_of(value, "html_url"),
            raw=value,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of a repository.

    Attributes:
        name: Its name.
        color: Six hexadecimal digits.
        description: What it is for; empty when nobody said.
    """

    name: str
    color: str
    description: str

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            name=text_of(value, "name"),
            color=text_of(value, "color"),
            description=text_of(value, "description"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """A milestone.

    Attributes:
        number: The number that issues name it by.
        title: Its title.
        state: `open` or `closed`.
        due_on: When it is due; empty when nobody said.
        raw: The whole answer.
    """

    number: int
    title: str
    state: str
    due_on: str
    raw: JsonObject = field(repr=False)

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            number=number_of(value, "number"),
            title=text_of(value, "title"),
            state=text_of(value, "state"),
            due_on=text_of(value, "due_on"),
            raw=value,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A pull request.

    Attributes:
        number: The number that people use.
        title: What it changes.
        body: Why and how; empty when nobody said.
        state: `open` or `closed`.
        draft: Not ready for review.
        merged: It is merged.
        mergeable: Whether it can be; None while GitHub works that out, and in lists.
        head: The branch with the changes.
        head_sha: Its latest commit.
        base: The branch to merge into.
        url: Its page for people.
        raw: The whole answer.
    """

    number: int
    title: str
    body: str
    state: str
    draft: bool
    merged: bool
    mergeable: bool | None
    head: str
    head_sha: str
    base: str
    url: str
    raw: JsonObject = field(repr=False)

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        mergeable = value.get("mergeable")
        return cls(
            number=number_of(value, "number"),
            title=text_of(value, "title"),
            body=text_of(value, "body"),
            state=text_of(value, "state"),
            draft=value.get("draft") is True,
            merged=value.get("merged") is True or bool(text_of(value, "merged_at")),
            mergeable=mergeable if isinstance(mergeable, bool) else None,
            head=text_of(value, "head", "ref"),
            head_sha=text_of(value, "head", "sha"),
            base=text_of(value, "base", "ref"),
            url=text_of(value, "html_url"),
            raw=value,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """A file that a pull request changes.

    Attributes:
        path: Its path.
        status: What became of it, such as `added`.
        additions: Lines that were added.
        deletions: Lines that were removed.
        patch: The change as a unified diff; empty when it is too large or binary.
    """

    path: str
    status: str
    additions: int
    deletions: int
    patch: str = field(repr=False)

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            path=text_of(value, "filename"),
            status=text_of(value, "status"),
            additions=number_of(value, "additions"),
            deletions=number_of(value, "deletions"),
            patch=text_of(value, "patch"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A review of a pull request.

    Attributes:
        id: GitHub's id of it.
        state: The verdict, such as `APPROVED`.
        body: What it says.
        author: Login of who wrote it.
    """

    id: int
    state: str
    body: str
    author: str

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            id=number_of(value, "id"),
            state=text_of(value, "state"),
            body=text_of(value, "body"),
            author=text_of(value, "user", "login"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch.

    Attributes:
        name: Its name.
        sha: Its latest commit.
        protected: Whether rules protect it.
    """

    name: str
    sha: str
    protected: bool

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            name=text_of(value, "name"),
            sha=text_of(value, "commit", "sha"),
            protected=value.get("protected") is True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit.

    Attributes:
        sha: Its name.
        message: What it says.
        author: Name of who wrote it.
        date: When it was written, as GitHub writes it.
    """

    sha: str
    message: str
    author: str
    date: str

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            sha=text_of(value, "sha"),
            message=text_of(value, "commit", "message"),
            author=text_of(value, "commit", "author", "name"),
            date=text_of(value, "commit", "author", "date"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubFile:
    """A file or an entry of a folder.

    Attributes:
        path: Its path.
        kind: `file` or `dir`, or another of GitHub's kinds.
        sha: Needed to replace it.
        content: Its bytes; empty for an entry of a folder.
    """

    path: str
    kind: str
    sha: str
    content: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        import base64

        content = text_of(value, "content")
        return cls(
            path=text_of(value, "path"),
            kind=text_of(value, "type"),
            sha=text_of(value, "sha"),
            content=base64.b64decode(content) if content else b"",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A workflow.

    Attributes:
        id: GitHub's id of it.
        name: Its name.
        path: Its file.
        state: Whether it is switched on, such as `active`.
    """

    id: int
    name: str
    path: str
    state: str

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            id=number_of(value, "id"),
            name=text_of(value, "name"),
            path=text_of(value, "path"),
            state=text_of(value, "state"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """A run of a workflow.

    Attributes:
        id: GitHub's id of it.
        name: The workflow's name.
        status: Whether it runs, such as `completed`.
        conclusion: How it ended, such as `success`; empty while it runs.
        branch: The branch that it ran on.
        sha: The commit that it ran on.
        url: Its page for people.
    """

    id: int
    name: str
    status: str
    conclusion: str
    branch: str
    sha: str
    url: str

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            id=number_of(value, "id"),
            name=text_of(value, "name"),
            status=text_of(value, "status"),
            conclusion=text_of(value, "conclusion"),
            branch=text_of(value, "head_branch"),
            sha=text_of(value, "head_sha"),
            url=text_of(value, "html_url"),
        )
