"""What a repository holds: issues, labels, milestones, comments. Plain records, no HTTP and no JSON."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

DEFAULT_LABELS = (
    ("bug", "d73a4a", "Something isn't working"),
    ("documentation", "0075ca", "Improvements or additions to documentation"),
    ("duplicate", "cfd3d7", "This issue or pull request already exists"),
    ("enhancement", "a2eeef", "New feature or request"),
    ("good first issue", "7057ff", "Good for newcomers"),
    ("help wanted", "008672", "Extra attention is needed"),
    ("invalid", "e4e669", "This doesn't seem right"),
    ("question", "d876e3", "Further information is requested"),
    ("wontfix", "ffffff", "This will not be worked on"),
)
"""What a new repository starts with: name, colour, description."""

PLAIN_COLOR = "ededed"
"""The colour of a label that an issue brought into being."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One label of the repository."""

    id: int
    name: str
    color: str = PLAIN_COLOR
    description: str | None = None
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """One milestone of the repository."""

    number: int
    title: str
    created_at: datetime
    description: str | None = None
    state: str = "open"
    due_on: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment of an issue; ids run through the whole repository."""

    id: int
    issue: int
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One issue as it stands; an update makes a new record.

    Attributes:
        labels: Names as the repository spells them.
        milestone: A milestone's number.
    """

    number: int
    title: str
    created_at: datetime
    updated_at: datetime
    body: str | None = None
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    milestone: int | None = None
    state: str = "open"
    state_reason: str | None = None
    closed_at: datetime | None = None


@dataclass(slots=True)
class RepositoryStore:
    """One repository's records, in memory, in the order they were made.

    Args:
        now: The clock.
        pull_requests: How many there are.
    """

    now: Callable[[], datetime]
    issues: dict[int, Issue] = field(default_factory=dict[int, Issue])
    labels: dict[str, Label] = field(default_factory=dict[str, Label])
    milestones: dict[int, Milestone] = field(default_factory=dict[int, Milestone])
    comments: list[Comment] = field(default_factory=list[Comment])
    pull_requests: int = 0

    def __post_init__(self) -> None:
        for name, color, description in DEFAULT_LABELS:
            self.add_label(name, color=color, description=description, default=True)

    def label(self, name: str) -> Label | None:
        """The label of this name, in whatever case it is written."""
        return self.labels.get(name.casefold())

    def add_label(
        self, name: str, *, color: str = PLAIN_COLOR, description: str | None = None, default: bool = False
    ) -> Label:
        """Create a label; the caller has checked that there is none of this name."""
        label = Label(
            id=2_000_001 + len(self.labels), name=name, color=color, description=description, default=default
        )
        self.labels[name.casefold()] = label
        return label

    def put_label(self, name: str, label: Label | None) -> None:
        """Put another label in the place of one, on every issue too; None takes it away."""
        del self.labels[name.casefold()]
        if label is not None:
            self.labels[label.name.casefold()] = label
        new = () if label is None else (label.name,)
        for issue in list(self.issues.values()):
            if name in issue.labels:
                kept = tuple(one for held in issue.labels for one in (new if held == name else (held,)))
                self.issues[issue.number] = replace(issue, labels=kept)

    def spelled(self, names: Iterable[str]) -> tuple[str, ...]:
        """The labels of these names, made where there are none, each once, as the repository spells them."""
        found = [self.label(name) or self.add_label(name) for name in names]
        return tuple(dict.fromkeys(label.name for label in found))

    def add_issue(
        self,
        title: str,
        *,
        body: str | None = None,
        labels: Iterable[str] = (),
        assignees: tuple[str, ...] = (),
        milestone: int | None = None,
    ) -> Issue:
        """Open an issue under the next number."""
        moment = self.now()
        issue = Issue(
            number=self.next_number(),
            title=title,
            body=body,
            labels=self.spelled(labels),
            assignees=assignees,
            milestone=milestone,
            created_at=moment,
            updated_at=moment,
        )
        self.issues[issue.number] = issue
        return issue

    def next_number(self) -> int:
        """The number that comes next; issues and pull requests share them."""
        return len(self.issues) + self.pull_requests + 1

    def save(self, issue: Issue) -> Issue:
        """Put a changed issue in the place of the old one, and date the change."""
        saved = replace(issue, updated_at=self.now())
        self.issues[saved.number] = saved
        return saved

    def set_state(self, issue: Issue, state: str, reason: str | None) -> Issue:
        """The issue opened or closed; not yet saved."""
        if state == issue.state:
            return issue
        if state == "closed":
            return replace(issue, state=state, state_reason=reason or "completed", closed_at=self.now())
        return replace(issue, state=state, state_reason=reason or "reopened", closed_at=None)

    def add_milestone(
        self, title: str, *, description: str | None = None, state: str = "open", due_on: str | None = None
    ) -> Milestone:
        """Create a milestone under the next number."""
        milestone = Milestone(
            number=len(self.milestones) + 1,
            title=title,
            description=description,
            state=state,
            due_on=due_on,
            created_at=self.now(),
        )
        self.milestones[milestone.number] = milestone
        return milestone

    def add_comment(self, issue: Issue, body: str) -> Comment:
        """Add a comment to an issue, which dates the issue too."""
        comment = Comment(
            id=3_000_001 + len(self.comments), issue=issue.number, body=body, created_at=self.now()
        )
        self.comments.append(comment)
        self.save(issue)
        return comment

    def comments_of(self, number: int) -> list[Comment]:
        """An issue's comments, oldest first."""
        return [comment for comment in self.comments if comment.issue == number]
