"""What each endpoint does: requests in, records changed, JSON out; no sockets, tokens or limits here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias
from urllib.parse import urlencode

from interlock_core.jsontypes import Json, JsonObject
from interlock_tools.testing._github_answer import Answer
from interlock_tools.testing._github_code import code_answer
from interlock_tools.testing._github_code_store import CodeStore
from interlock_tools.testing._github_fields import ApiError, Fields, parse_object, whole_number
from interlock_tools.testing._github_json import Renderer
from interlock_tools.testing._github_search import search
from interlock_tools.testing._github_store import Issue, Label, RepositoryStore
from interlock_tools.testing._wire import Request

_MAX_TITLE = 256
_MAX_BODY = 65_536
_ANSWERED_STATES = {"open", "closed", "all"}
_REASONS = {"completed", "not_planned", "duplicate", "reopened"}


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository and everything its endpoints need.

    Args:
        store: Its records.
        render: How they look.
        people: The logins that issues can be assigned to, in lower case, with their spelling.
        created_at: When it began.
        code: Its branches, files, pull requests and workflows.
    """

    store: RepositoryStore
    render: Renderer
    people: Mapping[str, str]
    created_at: datetime
    code: CodeStore

    def answer(self, request: Request) -> Answer:
        """Answer one request below `/repos/{owner}/{repo}` or at `/search/issues`.

        Raises:
            ApiError: 400, 404, 405 or 422.
        """
        if request.segments == ("search", "issues"):
            return self._search(request)
        rest = request.segments[3:]
        allowed: list[str] = []
        code = code_answer(self.code, request, rest, self.render, self.store)
        if code is not None:
            return self.page(request, *code.rows) if code.rows is not None else code.answer
        for method, pattern, handler in _ROUTES:
            values = _match(pattern, rest)
            if values is None:
                continue
            if method == request.method:
                return handler(self, request, values)
            allowed.append(method)
        if allowed:
            raise ApiError(405, f"Method not allowed; this address takes {', '.join(allowed)}")
        raise ApiError(404, "Not Found")

    def issue(self, number: str) -> Issue:
        """The issue of this number.

        Raises:
            ApiError: 404.
        """
        issue = self.store.issues.get(whole_number(number) or 0)
        if issue is None:
            raise ApiError(404, "Not Found")
        return issue

    def page(
        self, request: Request, rows: Sequence[JsonObject], *, total: JsonObject | None = None
    ) -> Answer:
        """One page of a list, with a `Link` header when there are others.

        Args:
            request: Where `page` and `per_page` stand.
            rows: The whole list.
            total: An object that wraps the page as its `items`, for the search.
        """
        size = min(_positive(request.query.get("per_page"), 30), 100)
        number = _positive(request.query.get("page"), 1)
        last = max(1, -(-len(rows) // size))
        shown: list[Json] = [*rows[(number - 1) * size : number * size]]
        targets = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
        wanted = [name for name, page in targets.items() if 1 <= page <= last and page != number]
        links = [
            f"<{self.render.base}{request.path}?{urlencode({**request.query, 'page': targets[name]})}>; "
            f'rel="{name}"'
            for name in wanted
            if (name in {"next", "last"} and number < last) or (name in {"prev", "first"} and number > 1)
        ]
        headers = {"link": ", ".join(links)} if links else {}
        return Answer(value=shown if total is None else {**total, "items": shown}, headers=headers)

    def _search(self, request: Request) -> Answer:
        if request.method != "GET":
            raise ApiError(404, "Not Found")
        query = request.query.get("q", "")
        if not query.strip():
            fields = Fields("Search", {})
            fields.problem("q", "missing")
            fields.check()
        name = f"{self.render.owner}/{self.render.repo}"
        found = search(query, self.store, repository=name, author=self.render.login)
        rows: list[JsonObject] = [{**self.render.issue(self.store, issue), "score": 1.0} for issue in found]
        return self.page(
            request,
            rows,
            total={"total_count": len(rows), "incomplete_results": False, "search_type": "lexical"},
        )

    def read_labels(self, labels: Iterable[Label]) -> list[JsonObject]:
        """Labels as JSON."""
        return [self.render.label(label) for label in labels]

    def read_assignees(self, fields: Fields) -> tuple[str, ...]:
        """The people a request names, as they spell themselves; a stranger is a problem."""
        names = fields.names("assignees", most=100)
        for name in names:
            if name.casefold() not in self.people:
                fields.problem("assignees", "invalid", value=name)
        return tuple(dict.fromkeys(self.people.get(name.casefold(), name) for name in names))


_Handler: TypeAlias = Callable[[Repository, Request, tuple[str, ...]], Answer]


def _repository(repository: Repository, _request: Request, _values: tuple[str, ...]) -> Answer:
    return Answer(value=repository.render.repository(repository.store, repository.created_at))


def _list_issues(repository: Repository, request: Request, _values: tuple[str, ...]) -> Answer:
    query = request.query
    filters = Fields("Issue", {**query})
    state = filters.choice("state", _ANSWERED_STATES) or "open"
    order = filters.choice("sort", {"created", "updated", "comments"}) or "created"
    direction = filters.choice("direction", {"asc", "desc"}) or "desc"
    filters.check()
    wanted = {name.strip().casefold() for name in query.get("labels", "").split(",") if name.strip()}
    rows = [
        issue
        for issue in repository.store.issues.values()
        if state in {"all", issue.state}
        and wanted <= {name.casefold() for name in issue.labels}
        and _matches(query.get("milestone"), None if issue.milestone is None else str(issue.milestone))
        and _matches(query.get("assignee"), *issue.assignees)
    ]
    keys: dict[str, Callable[[Issue], tuple[float, int]]] = {
        "created": lambda issue: (issue.created_at.timestamp(), issue.number),
        "updated": lambda issue: (issue.updated_at.timestamp(), issue.number),
        "comments": lambda issue: (len(repository.store.comments_of(issue.number)), issue.number),
    }
    rows.sort(key=keys[order], reverse=direction == "desc")
    return repository.page(request, [repository.render.issue(repository.store, issue) for issue in rows])


def _create_issue(repository: Repository, request: Request, _values: tuple[str, ...]) -> Answer:
    fields = Fields("Issue", parse_object(request.body))
    title = fields.text("title", most=_MAX_TITLE, required=True)
    body = fields.text("body", most=_MAX_BODY)
    labels = fields.names("labels")
    assignees = repository.read_assignees(fields)
    milestone = fields.number("milestone", repository.store.milestones)
    fields.check()
    issue = repository.store.add_issue(
        title or "", body=body, labels=labels, assignees=assignees, milestone=milestone
    )
    value = repository.render.issue(repository.store, issue)
    return Answer(value=value, status=201, headers={"location": str(value["url"])})


def _get_issue(repository: Repository, _request: Request, values: tuple[str, ...]) -> Answer:
    return Answer(value=repository.render.issue(repository.store, repository.issue(values[0])))


def _update_issue(repository: Repository, request: Request, values: tuple[str, ...]) -> Answer:
    issue = repository.issue(values[0])
    store = repository.store
    fields = Fields("Issue", parse_object(request.body))
    title = fields.text("title", most=_MAX_TITLE, required=fields.values.get("title") is not None)
    body = fields.text("body", most=_MAX_BODY)
    state = fields.choice("state", {"open", "closed"})
    reason = fields.choice("state_reason", _REASONS)
    labels = fields.names("labels")
    assignees = repository.read_assignees(fields)
    milestone = fields.number("milestone", store.milestones)
    fields.check()
    changed = replace(
        issue,
        title=issue.title if title is None else title,
        body=body if "body" in fields else issue.body,
        labels=store.spelled(labels) if "labels" in fields else issue.labels,
        assignees=assignees if "assignees" in fields else issue.assignees,
        milestone=milestone if "milestone" in fields else issue.milestone,
    )
    if state is not None:
        changed = store.set_state(changed, state, reason)
    return Answer(value=repository.render.issue(store, store.save(changed)))


def _issue_labels(repository: Repository, request: Request, values: tuple[str, ...]) -> Answer:
    issue = repository.issue(values[0])
    labels = [label for name in issue.labels if (label := repository.store.label(name)) is not None]
    return repository.page(request, repository.read_labels(labels))


def _add_issue_labels(repository: Repository, request: Request, values: tuple[str, ...]) -> Answer:
    issue = repository.issue(values[0])
    fields = Fields("Label", parse_object(request.body, list_field="labels"))
    names = fields.names("labels")
    fields.check()
    both = repository.store.spelled([*issue.labels, *names])
    saved = repository.store.save(replace(issue, labels=both))
    return _issue_labels(repository, request, (str(saved.number),))


def _list_comments(repository: Repository, request: Request, values: tuple[str, ...]) -> Answer:
    comments = repository.store.comments_of(repository.issue(values[0]).number)
    return repository.page(request, [repository.render.comment(comment) for comment in comments])


def _create_comment(repository: Repository, request: Request, values: tuple[str, ...]) -> Answer:
    issue = repository.issue(values[0])
    fields = Fields("IssueComment", parse_object(request.body))
    body = fields.text("body", most=_MAX_BODY, required=True)
    fields.check()
    value = repository.render.comment(repository.store.add_comment(issue, body or ""))
    return Answer(value=value, status=201, headers={"location": str(value["url"])})


def _list_labels(repository: Repository, request: Request, _values: tuple[str, ...]) -> Answer:
    labels = sorted(repository.store.labels.values(), key=lambda label: label.name.casefold())
    return repository.page(request, repository.read_labels(labels))


def _create_label(repository: Repository, request: Request, _values: tuple[str, ...]) -> Answer:
    fields = Fields("Label", parse_object(request.body))
    name = fields.text("name", most=50, required=True)
    color = fields.color("color")
    description = fields.text("description", most=100)
    if name is not None and repository.store.label(name) is not None:
        fields.problem("name", "already_exists")
    fields.check()
    label = repository.store.add_label(name or "", color=(color or "ededed").lower(), description=description)
    value = repository.render.label(label)
    return Answer(value=value, status=201, headers={"location": str(value["url"])})


def _get_label(repository: Repository, _request: Request, values: tuple[str, ...]) -> Answer:
    label = repository.store.label(values[0])
    if label is None:
        raise ApiError(404, "Not Found")
    return Answer(value=repository.render.label(label))


def _update_label(repository: Repository, request: Request, values: tuple[str, ...]) -> Answer:
    label = repository.store.label(values[0])
    if label is None:
        raise ApiError(404, "Not Found")
    fields = Fields("Label", parse_object(request.body))
    name = fields.text("new_name", most=50)
    color = fields.color("color")
    description = fields.text("description", most=100)
    if name is not None and repository.store.label(name) not in {None, label}:
        fields.problem("name", "already_exists")
    fields.check()
    changed = replace(
        label,
        name=name or label.name,
        color=(color or label.color).lower(),
        description=description if "description" in fields else label.description,
    )
    repository.store.put_label(label.name, changed)
    return Answer(value=repository.render.label(changed))


def _delete_label(repository: Repository, _request: Request, values: tuple[str, ...]) -> Answer:
    label = repository.store.label(values[0])
    if label is None:
        raise ApiError(404, "Not Found")
    repository.store.put_label(label.name, None)
    return Answer(value=None, status=204)


def _list_milestones(repository: Repository, request: Request, _values: tuple[str, ...]) -> Answer:
    filters = Fields("Milestone", {**request.query})
    state = filters.choice("state", _ANSWERED_STATES) or "open"
    filters.check()
    store = repository.store
    rows = [
        repository.render.milestone(store, milestone)
        for milestone in store.milestones.values()
        if state in {"all", milestone.state}
    ]
    return repository.page(request, rows)


def _create_milestone(repository: Repository, request: Request, _values: tuple[str, ...]) -> Answer:
    fields = Fields("Milestone", parse_object(request.body))
    title = fields.text("title", most=_MAX_TITLE, required=True)
    description = fields.text("description", most=_MAX_BODY)
    state = fields.choice("state", {"open", "closed"}) or "open"
    due_on = fields.text("due_on", most=40)
    if title in {milestone.title for milestone in repository.store.milestones.values()}:
        fields.problem("title", "already_exists")
    fields.check()
    milestone = repository.store.add_milestone(
        title or "", description=description, state=state, due_on=due_on
    )
    value = repository.render.milestone(repository.store, milestone)
    return Answer(value=value, status=201, headers={"location": str(value["url"])})


def _get_milestone(repository: Repository, _request: Request, values: tuple[str, ...]) -> Answer:
    milestone = repository.store.milestones.get(whole_number(values[0]) or 0)
    if milestone is None:
        raise ApiError(404, "Not Found")
    return Answer(value=repository.render.milestone(repository.store, milestone))


_ROUTES: tuple[tuple[str, str, _Handler], ...] = (
    ("GET", "", _repository),
    ("GET", "issues", _list_issues),
    ("POST", "issues", _create_issue),
    ("GET", "issues/*", _get_issue),
    ("PATCH", "issues/*", _update_issue),
    ("GET", "issues/*/labels", _issue_labels),
    ("POST", "issues/*/labels", _add_issue_labels),
    ("GET", "issues/*/comments", _list_comments),
    ("POST", "issues/*/comments", _create_comment),
    ("GET", "labels", _list_labels),
    ("POST", "labels", _create_label),
    ("GET", "labels/*", _get_label),
    ("PATCH", "labels/*", _update_label),
    ("DELETE", "labels/*", _delete_label),
    ("GET", "milestones", _list_milestones),
    ("POST", "milestones", _create_milestone),
    ("GET", "milestones/*", _get_milestone),
)


def _match(pattern: str, rest: Sequence[str]) -> tuple[str, ...] | None:
    """The segments that stand for `*`, or None when the path is another."""
    parts = pattern.split("/") if pattern else []
    if len(parts) != len(rest) or any(
        part not in {"*", given} for part, given in zip(parts, rest, strict=True)
    ):
        return None
    return tuple(given for part, given in zip(parts, rest, strict=True) if part == "*")


def _matches(wanted: str | None, *values: str | None) -> bool:
    """Whether a filter that knows `*` and `none` accepts these values."""
    present = [value.casefold() for value in values if value is not None]
    if wanted is None:
        return True
    if wanted == "none":
        return not present
    return bool(present) if wanted == "*" else wanted.casefold() in present


def _positive(text: str | None, default: int) -> int:
    """A positive number from a query; the default for anything else, as GitHub does."""
    return (whole_number(text) if text is not None else None) or default
