"""The stand-in for GitHub answers as the documented API does, seen by a plain HTTP client."""

import asyncio
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast
from urllib.parse import quote, urlsplit

import pytest

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_tools.testing.github import GitHubStandIn

REPO = "/repos/acme/notes"


@dataclass(frozen=True)
class Reply:
    """One answer as the client saw it."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Json:
        """The body as JSON."""
        return cast("Json", json.loads(self.body))

    @property
    def object(self) -> JsonObject:
        """The body as a JSON object."""
        return as_object(self.json)

    @property
    def rows(self) -> list[JsonObject]:
        """The body as a list of JSON objects."""
        return [as_object(row) for row in as_array(self.json)]

    @property
    def problems(self) -> list[tuple[Json, Json]]:
        """Field and code of each entry of a 422."""
        return [
            (as_object(error).get("field"), as_object(error).get("code"))
            for error in as_array(self.object["errors"])
        ]


def call(
    github: GitHubStandIn,
    method: str,
    target: str,
    value: object = None,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> Reply:
    """Send one request on a connection of its own."""
    sent = {"user-agent": "test", "authorization": f"Bearer {github.token}", **(headers or {})}
    data = json.dumps(value).encode() if value is not None else body
    connection = http.client.HTTPConnection(urlsplit(github.url).netloc, timeout=30)
    try:
        connection.request(method, target, data, {name: text for name, text in sent.items() if text})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


@pytest.fixture
def github() -> Iterator[GitHubStandIn]:
    """A running stand-in for acme/notes."""
    with GitHubStandIn(owner="acme", repo="notes", people=("Ada",)) as running:
        yield running


def test_an_issue_is_created_with_its_labels_people_and_milestone(github: GitHubStandIn) -> None:
    """POST answers 201 with the issue, and labels that did not exist come into being."""
    github.add_milestone("First release")
    sent = {
        "title": "Search",
        "body": "text",
        "labels": ["BUG", {"name": "new"}, "bug"],
        "assignees": ["ada"],
    }
    reply = call(github, "POST", f"{REPO}/issues", {**sent, "milestone": 1})
    issue = reply.object
    assert reply.status == 201
    assert reply.headers["location"] == issue["url"] == f"{github.url}{REPO}/issues/1"
    assert issue["html_url"] == f"{github.page}/issues/1"
    assert [as_object(label)["name"] for label in as_array(issue["labels"])] == ["bug", "new"]
    assert as_object(issue["assignee"])["login"] == "Ada"
    assert as_object(issue["milestone"])["open_issues"] == 1
    assert (issue["number"], issue["state"], issue["comments"]) == (1, "open", 0)
    assert as_object(issue["user"])["login"] == "acme"
    assert isinstance(issue["node_id"], str)
    assert [stored.labels for stored in github.issues] == [("bug", "new")]


@pytest.mark.parametrize(
    ("sent", "problems"),
    [
        ({}, [("title", "missing_field")]),
        ({"title": " "}, [("title", "missing_field")]),
        ({"title": 7}, [("title", "invalid")]),
        ({"title": "t" * 257}, [("title", "custom")]),
        ({"title": "t", "body": "b" * 65_537}, [("body", "custom")]),
        ({"title": "t", "labels": "bug"}, [("labels", "invalid")]),
        ({"title": "t", "labels": [""]}, [("labels", "invalid")]),
        ({"title": "t", "labels": ["l" * 51]}, [("labels", "custom")]),
        ({"title": "t", "assignees": ["stranger"]}, [("assignees", "invalid")]),
        ({"title": "t", "milestone": 9}, [("milestone", "invalid")]),
        ({"title": "t", "milestone": "soon"}, [("milestone", "invalid")]),
        (
            {"body": 7, "milestone": True},
            [("title", "missing_field"), ("body", "invalid"), ("milestone", "invalid")],
        ),
    ],
)
def test_a_wrong_issue_is_answered_with_every_problem_and_not_created(
    github: GitHubStandIn, sent: JsonObject, problems: list[tuple[str, str]]
) -> None:
    """422 lists each field with its code."""
    reply = call(github, "POST", f"{REPO}/issues", sent)
    assert (reply.status, reply.problems) == (422, problems)
    assert reply.object["message"] == "Validation Failed"
    assert github.issues == ()


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b'"x"', b"NaN", b'{"title": "\\ud800"}', b"\xff\xfe", b"[" * 9000]
)
def test_a_body_that_is_no_json_object_is_a_bad_request(github: GitHubStandIn, body: bytes) -> None:
    """400, whatever is wrong with it."""
    assert call(github, "POST", f"{REPO}/issues", body=body).status == 400


def test_an_update_changes_only_the_fields_it_names(github: GitHubStandIn) -> None:
    """PATCH replaces labels as a whole and leaves the rest alone."""
    github.add_milestone("First release")
    github.add_issue("Old", body="text", labels=["bug", "question"])
    changed = call(github, "PATCH", f"{REPO}/issues/1", {"title": "New", "labels": ["docs"], "milestone": 1})
    assert changed.status == 200
    issue = github.issues[0]
    assert (issue.title, issue.body, issue.labels, issue.milestone) == ("New", "text", ("docs",), 1)
    call(github, "PATCH", f"{REPO}/issues/1", {"body": None, "milestone": None, "assignees": ["acme"]})
    issue = github.issues[0]
    assert (issue.body, issue.milestone, issue.assignees) == (None, None, ("acme",))


def test_an_issue_is_closed_and_opened_again(github: GitHubStandIn) -> None:
    """The reason follows the state, and closing sets its time."""
    github.add_issue("One")
    closed = call(
        github, "PATCH", f"{REPO}/issues/1", {"state": "closed", "state_reason": "not_planned"}
    ).object
    assert (closed["state"], closed["state_reason"], closed["closed_at"] is None) == (
        "closed",
        "not_planned",
        False,
    )
    again = call(github, "PATCH", f"{REPO}/issues/1", {"state": "closed"}).object
    assert again["state_reason"] == "not_planned"
    opened = call(github, "PATCH", f"{REPO}/issues/1", {"state": "open"}).object
    assert (opened["state"], opened["state_reason"], opened["closed_at"]) == ("open", "reopened", None)
    assert call(github, "PATCH", f"{REPO}/issues/1", {"state": "gone"}).status == 422
    assert call(github, "PATCH", f"{REPO}/issues/1", {"title": ""}).status == 422


def test_a_list_is_filtered_and_sorted(github: GitHubStandIn) -> None:
    """State, labels, milestone, assignee, sort and direction do what they say."""
    github.add_milestone("First release")
    for title, labels in (("a", ["bug"]), ("b", ["bug", "docs"]), ("c", [])):
        github.add_issue(title, labels=labels)
    call(github, "PATCH", f"{REPO}/issues/1", {"milestone": 1, "assignees": ["Ada"]})
    call(github, "PATCH", f"{REPO}/issues/3", {"state": "closed"})
    call(github, "POST", f"{REPO}/issues/1/comments", {"body": "hello"})

    def titles(query: str) -> list[Json]:
        return [issue["title"] for issue in call(github, "GET", f"{REPO}/issues?{query}").rows]

    assert titles("") == ["b", "a"]
    assert titles("state=all&direction=asc") == ["a", "b", "c"]
    assert titles("state=closed") == ["c"]
    assert titles("labels=BUG,docs") == ["b"]
    assert titles("milestone=1") == titles("milestone=*") == titles("assignee=ada") == ["a"]
    assert titles("milestone=none") == titles("assignee=none") == ["b"]
    assert titles("sort=comments") == ["a", "b"]
    assert titles("sort=updated&state=all&direction=asc")[0] == "b"
    assert call(github, "GET", f"{REPO}/issues?state=odd&sort=x&direction=y").problems == [
        ("state", "invalid"),
        ("sort", "invalid"),
        ("direction", "invalid"),
    ]


def test_pages_are_linked_both_ways(github: GitHubStandIn) -> None:
    """`Link` names the neighbours and both ends, and keeps the other parameters."""
    for number in range(7):
        github.add_issue(f"issue {number}")
    middle = call(github, "GET", f"{REPO}/issues?state=all&per_page=3&page=2")
    assert [issue["number"] for issue in middle.rows] == [4, 3, 2]
    links = [part.split("; ") for part in middle.headers["link"].split(", ")]
    assert {relation for _, relation in links} == {'rel="prev"', 'rel="next"', 'rel="last"', 'rel="first"'}
    assert [f"<{github.url}{REPO}/issues?state=all&per_page=3&page=3>", 'rel="last"'] in links
    first = call(github, "GET", f"{REPO}/issues?per_page=3").headers["link"]
    assert 'rel="prev"' not in first
    assert 'rel="first"' not in first
    assert 'rel="next"' not in call(github, "GET", f"{REPO}/issues?per_page=3&page=3").headers["link"]
    assert call(github, "GET", f"{REPO}/issues?per_page=500&page=x").headers["link"] is None
    beyond = call(github, "GET", f"{REPO}/issues?page=99")
    assert (beyond.status, beyond.rows) == (200, [])


def test_labels_are_listed_created_and_added(github: GitHubStandIn) -> None:
    """A repository starts with the usual labels; names are unique in any case."""
    assert len(call(github, "GET", f"{REPO}/labels").rows) == 9
    made = call(github, "POST", f"{REPO}/labels", {"name": "área/ü", "color": "AABBCC", "description": "d"})
    assert (made.status, made.object["color"], made.object["default"]) == (201, "aabbcc", False)
    address = urlsplit(str(made.object["url"])).path
    assert call(github, "GET", address).object["name"] == "área/ü"
    assert call(github, "GET", f"{REPO}/labels/none").status == 404
    assert call(github, "POST", f"{REPO}/labels", {"name": "Bug"}).problems == [("name", "already_exists")]
    wrong = call(github, "POST", f"{REPO}/labels", {"color": "#fff", "description": "d" * 101})
    assert wrong.problems == [("name", "missing_field"), ("color", "invalid"), ("description", "custom")]
    github.add_issue("One", labels=["bug"])
    added = call(github, "POST", f"{REPO}/issues/1/labels", {"labels": ["Bug", "fresh"]})
    assert [label["name"] for label in added.rows] == ["bug", "fresh"]
    assert [label["color"] for label in call(github, "GET", f"{REPO}/issues/1/labels").rows][1] == "ededed"
    assert call(github, "POST", f"{REPO}/issues/1/labels", ["Bug", "bare"]).rows[-1]["name"] == "bare"
    assert call(github, "POST", f"{REPO}/issues/1/labels", {"labels": [7]}).status == 422
    assert call(github, "POST", f"{REPO}/issues/1/labels", body=b"").status == 200
    assert github.labels[-1].name == "bare"


def test_milestones_are_listed_created_and_counted(github: GitHubStandIn) -> None:
    """A milestone knows how many of its issues are open and closed."""
    made = call(github, "POST", f"{REPO}/milestones", {"title": "v1", "due_on": "2027-01-31T00:00:00Z"})
    assert (made.status, made.object["number"], made.object["due_on"]) == (201, 1, "2027-01-31T00:00:00Z")
    assert call(github, "POST", f"{REPO}/milestones", {"title": "v1"}).problems == [
        ("title", "already_exists")
    ]
    assert call(github, "POST", f"{REPO}/milestones", {"title": "v0", "state": "closed"}).status == 201
    for title in ("a", "b"):
        call(github, "POST", f"{REPO}/issues", {"title": title, "milestone": 1})
    call(github, "PATCH", f"{REPO}/issues/2", {"state": "closed"})
    listed = call(github, "GET", f"{REPO}/milestones").rows
    assert [(row["title"], row["open_issues"], row["closed_issues"]) for row in listed] == [("v1", 1, 1)]
    assert len(call(github, "GET", f"{REPO}/milestones?state=all").rows) == 2
    assert call(github, "GET", f"{REPO}/milestones/2").object["closed_at"] is not None
    assert call(github, "GET", f"{REPO}/milestones/3").status == 404
    assert len(github.milestones) == 2


def test_comments_are_created_and_listed(github: GitHubStandIn) -> None:
    """A comment belongs to its issue and counts there."""
    github.add_issue("One")
    made = call(github, "POST", f"{REPO}/issues/1/comments", {"body": "<b>hello</b>"})
    assert made.status == 201
    assert made.object["issue_url"] == f"{github.url}{REPO}/issues/1"
    assert call(github, "POST", f"{REPO}/issues/1/comments", {"body": ""}).problems == [
        ("body", "missing_field")
    ]
    assert call(github, "POST", f"{REPO}/issues/2/comments", {"body": "x"}).status == 404
    assert [row["body"] for row in call(github, "GET", f"{REPO}/issues/1/comments").rows] == ["<b>hello</b>"]
    assert call(github, "GET", f"{REPO}/issues/1").object["comments"] == 1
    assert [comment.body for comment in github.comments] == ["<b>hello</b>"]


def test_the_repository_tells_its_open_issues(github: GitHubStandIn) -> None:
    """GET of the repository answers in any case of its name."""
    github.add_issue("One")
    repository = call(github, "GET", "/repos/ACME/Notes").object
    assert (repository["full_name"], repository["open_issues_count"]) == ("acme/notes", 1)


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("export", ["Export notes", "Exporter"]),
        ("repo:acme/notes export is:open", ["Export notes"]),
        ('"export notes"', ["Export notes"]),
        ("in:title pdf", []),
        ("in:body pdf", ["Export notes"]),
        ("is:issue label:bug", ["Exporter"]),
        ("-label:bug state:open", ["Export notes"]),
        ("export -pdf", ["Exporter"]),
        ("no:label author:acme", ["Export notes"]),
        ("repo:acme/other export", []),
        ("no:milestone no:assignee is:closed", ["Exporter"]),
        ("unknown:thing", []),
    ],
)
def test_the_search_knows_words_and_qualifiers(github: GitHubStandIn, query: str, titles: list[str]) -> None:
    """`total_count` and the items tell what was found, newest first."""
    github.add_issue("Exporter", labels=["bug"])
    github.add_issue("Export notes", body="as a PDF")
    call(github, "PATCH", f"{REPO}/issues/1", {"state": "closed"})
    found = call(github, "GET", f"/search/issues?q={quote(query)}").object
    assert [as_object(item)["title"] for item in as_array(found["items"])] == titles
    assert (found["total_count"], found["incomplete_results"]) == (len(titles), False)


def test_a_search_for_nothing_is_refused(github: GitHubStandIn) -> None:
    """422 names `q`; another method is not found."""
    assert call(github, "GET", "/search/issues").problems == [("q", "missing")]
    assert call(github, "POST", "/search/issues", {}).status == 404


@pytest.mark.parametrize(
    ("header", "message"),
    [("", "Requires authentication"), ("Bearer wrong", "Bad credentials"), ("Basic eDp5", "Bad credentials")],
)
def test_a_request_without_the_token_is_refused(github: GitHubStandIn, header: str, message: str) -> None:
    """401 says whether a token is missing or wrong."""
    reply = call(github, "POST", f"{REPO}/issues", {"title": "t"}, headers={"authorization": header})
    assert (reply.status, reply.object["message"]) == (401, message)
    assert github.issues == ()


def test_the_older_spelling_of_the_token_is_accepted(github: GitHubStandIn) -> None:
    """`Authorization: token …` is the same as a bearer token."""
    assert call(github, "GET", REPO, headers={"authorization": f"token {github.token}"}).status == 200


def test_a_request_without_a_user_agent_is_refused(github: GitHubStandIn) -> None:
    """403, as the real API answers."""
    assert call(github, "GET", REPO, headers={"user-agent": ""}).status == 403


@pytest.mark.parametrize(
    "target",
    [
        "/repos/acme/other/issues",
        f"{REPO}/issues/1",
        f"{REPO}/issues/{'9' * 5000}",
        f"{REPO}/issues/..%2f1",
        f"{REPO}/issues/../issues",
        f"{REPO}/releases",
        "/",
        "/user",
    ],
)
def test_what_does_not_exist_is_not_found(github: GitHubStandIn, target: str) -> None:
    """404, and dots in a path are only dots."""
    assert call(github, "GET", target).status == 404


def test_a_method_that_an_address_does_not_take_is_refused(github: GitHubStandIn) -> None:
    """405 names the methods that it takes."""
    reply = call(github, "DELETE", f"{REPO}/issues")
    assert (reply.status, "GET, POST" in str(reply.object["message"])) == (405, True)


def test_an_unchanged_resource_is_not_sent_again(github: GitHubStandIn) -> None:
    """304 for the known tag, which costs no request of the limit; a new tag after a change."""
    github.add_issue("One")
    first = call(github, "GET", f"{REPO}/issues/1")
    same = call(github, "GET", f"{REPO}/issues/1", headers={"if-none-match": first.headers["etag"]})
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", first.headers["etag"])
    assert same.headers["x-ratelimit-remaining"] == first.headers["x-ratelimit-remaining"]
    call(github, "PATCH", f"{REPO}/issues/1", {"title": "Two"})
    changed = call(github, "GET", f"{REPO}/issues/1", headers={"if-none-match": first.headers["etag"]})
    assert changed.status == 200


def test_every_answer_reports_the_limit_and_its_request_id(github: GitHubStandIn) -> None:
    """The headers count down, separately for the search."""
    one, two = (call(github, "GET", REPO).headers for _ in range(2))
    assert (one["x-ratelimit-limit"], one["x-ratelimit-remaining"], two["x-ratelimit-used"]) == (
        "5000",
        "4999",
        "2",
    )
    assert one["x-github-request-id"] != two["x-github-request-id"]
    assert call(github, "GET", "/search/issues?q=x").headers["x-ratelimit-resource"] == "search"


def test_the_primary_limit_ends_with_its_window() -> None:
    """403 with nothing remaining, until the time that the header names."""
    moments = [datetime(2027, 1, 1, tzinfo=UTC)]
    with GitHubStandIn(owner="acme", repo="notes", rate_limit=1, now=lambda: moments[-1]) as github:
        assert call(github, "GET", REPO).status == 200
        refused = call(github, "GET", REPO)
        assert (refused.status, refused.headers["x-ratelimit-remaining"]) == (403, "0")
        assert refused.headers["x-ratelimit-reset"] == str(int((moments[0] + timedelta(hours=1)).timestamp()))
        moments.append(moments[0] + timedelta(hours=1))
        assert call(github, "GET", REPO).status == 200


def test_a_scripted_failure_strikes_the_requests_it_names(github: GitHubStandIn) -> None:
    """`fail_next` answers so many matching requests and leaves the others alone."""
    github.fail_next(502, times=2, headers={"retry-after": "3"}, method="POST", path="/issues")
    assert call(github, "GET", f"{REPO}/issues").status == 200
    for _ in range(2):
        failed = call(github, "POST", f"{REPO}/issues", {"title": "t"})
        assert (failed.status, failed.headers["retry-after"]) == (502, "3")
    assert call(github, "POST", f"{REPO}/issues", {"title": "t"}).status == 201
    github.fail_next(599, body=b"<html>", headers={"content-type": "text/html"})
    odd = call(github, "GET", REPO)
    assert (odd.status, odd.body, odd.headers["content-type"]) == (599, b"<html>", "text/html")


def test_a_failure_after_the_work_leaves_the_work_done(github: GitHubStandIn) -> None:
    """The client is told 504 although the issue exists."""
    github.fail_next(504, when="after")
    assert call(github, "POST", f"{REPO}/issues", {"title": "t"}).status == 504
    assert [issue.title for issue in github.issues] == ["t"]


def test_the_secondary_limit_asks_to_wait(github: GitHubStandIn) -> None:
    """403 with `Retry-After` and GitHub's sentence."""
    github.limit_next(retry_after=7)
    reply = call(github, "POST", f"{REPO}/issues", {"title": "t"})
    assert (reply.status, reply.headers["retry-after"]) == (403, "7")
    assert "secondary rate limit" in str(reply.object["message"])
    assert github.issues == ()


@pytest.mark.parametrize(("when", "count"), [("before", 0), ("after", 1)])
def test_a_dropped_connection_is_dropped_before_or_after_the_work(
    github: GitHubStandIn, when: str, count: int
) -> None:
    """The client gets no answer either way; only one of them did something."""
    github.drop_next(when="after" if when == "after" else "before")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        call(github, "POST", f"{REPO}/issues", {"title": "t"})
    assert len(github.issues) == count
    assert [seen.status for seen in github.requests] == [None]


async def test_a_held_request_waits_until_it_is_released(github: GitHubStandIn) -> None:
    """While it is held nothing has happened yet, and others are answered."""
    hold = github.hold_next(method="POST")
    waiting = asyncio.create_task(asyncio.to_thread(call, github, "POST", f"{REPO}/issues", {"title": "t"}))
    await asyncio.to_thread(hold.wait)
    assert (github.issues, github.requests[0].status) == ((), None)
    assert (await asyncio.to_thread(call, github, "GET", REPO)).status == 200
    hold.release()
    assert (await waiting).status == 201


async def test_a_held_request_can_be_dropped_after_its_work(github: GitHubStandIn) -> None:
    """The issue exists, and the client never learns it."""
    hold = github.hold_next(when="after")
    waiting = asyncio.create_task(asyncio.to_thread(call, github, "POST", f"{REPO}/issues", {"title": "t"}))
    await asyncio.to_thread(hold.wait)
    assert len(github.issues) == 1
    hold.drop()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        await waiting


async def test_stopping_drops_what_is_held() -> None:
    """A stand-in with a held request stops at once."""
    async with GitHubStandIn(owner="acme", repo="notes") as github:
        hold = github.hold_next()
        waiting = asyncio.create_task(asyncio.to_thread(call, github, "GET", REPO))
        await asyncio.to_thread(hold.wait)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        await waiting


def test_a_hold_that_nobody_reaches_times_out(github: GitHubStandIn) -> None:
    """`wait` is bounded."""
    with pytest.raises(TimeoutError):
        github.hold_next().wait(timeout=0)


def test_requests_are_kept_as_they_came(github: GitHubStandIn) -> None:
    """Method, target, headers and exact bytes, as a copy; the token is in no repr."""
    body = b'{"title":  "t"}'
    call(github, "POST", f"{REPO}/issues?x=1", body=body, headers={"X-Trace": "7"})
    (seen,) = github.requests
    assert (seen.method, seen.target, seen.path) == ("POST", f"{REPO}/issues?x=1", f"{REPO}/issues")
    assert (seen.body, seen.headers["x-trace"], seen.status) == (body, "7", 201)
    assert github.token not in repr(seen)
    seen.status = 0
    assert github.requests[0].status == 201


def test_the_pages_show_an_issue_and_run_none_of_it(github: GitHubStandIn) -> None:
    """Links answer with HTML in which everything that was sent is only text."""
    github.add_issue("<script>alert(1)</script>", body="<img src=x>", labels=["<b>"])
    call(github, "POST", f"{REPO}/issues/1/comments", {"body": "<i>"})
    for path in ("/acme/notes", "/acme/notes/issues", "/acme/notes/issues/1"):
        page = call(github, "GET", path, headers={"authorization": ""})
        assert page.status == 200
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert b"&lt;script&gt;alert(1)" in page.body
        assert not any(tag in page.body for tag in (b"<script", b"<img", b"<b>", b"<i>"))
    assert call(github, "GET", "/acme/notes/issues/2").status == 404
    assert call(github, "GET", "/acme/notes/wiki").status == 404
    empty = call(github, "HEAD", "/acme/notes/issues/1")
    assert (empty.status, empty.body) == (200, b"")
