"""How the records look on the wire: GitHub's JSON, and one plain HTML page for each thing that has a link."""

import base64
import html
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from interlock_core.jsontypes import Json, JsonObject
from interlock_tools.testing._github_store import Comment, Issue, Label, Milestone, RepositoryStore

REPOSITORY_ID = 4_000_001
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}"
    "pre{white-space:pre-wrap}"
)


def timestamp(moment: datetime) -> str:
    """A moment as the API writes it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _node(kind: str, number: int) -> str:
    return base64.b64encode(f"{len(kind):03}:{kind}{number}".encode()).decode()


def _reactions(url: str) -> JsonObject:
    kinds = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
    return {"url": f"{url}/reactions", "total_count": 0, **dict.fromkeys(kinds, 0)}


@dataclass(frozen=True, slots=True)
class Renderer:
    """Turns one repository's records into JSON and HTML.

    Args:
        base: The server's own address, without a slash at its end.
        owner: The repository's owner.
        repo: Its name.
        login: The user that every token stands for.
    """

    base: str
    owner: str
    repo: str
    login: str

    @property
    def api(self) -> str:
        """The repository's address in the API."""
        return f"{self.base}/repos/{self.owner}/{self.repo}"

    @property
    def page(self) -> str:
        """The repository's address for people."""
        return f"{self.base}/{self.owner}/{self.repo}"

    def user(self, login: str) -> JsonObject:
        """A user or organisation."""
        api = f"{self.base}/users/{login}"
        number = 5_000_000 + sum(login.encode())
        return {
            "login": login,
            "id": number,
            "node_id": _node("User", number),
            "avatar_url": f"{self.base}/avatars/{login}",
            "gravatar_id": "",
            "url": api,
            "html_url": f"{self.base}/{login}",
            "followers_url": f"{api}/followers",
            "following_url": f"{api}/following{{/other_user}}",
            "gists_url": f"{api}/gists{{/gist_id}}",
            "starred_url": f"{api}/starred{{/owner}}{{/repo}}",
            "subscriptions_url": f"{api}/subscriptions",
            "organizations_url": f"{api}/orgs",
            "repos_url": f"{api}/repos",
            "events_url": f"{api}/events{{/privacy}}",
            "received_events_url": f"{api}/received_events",
            "type": "User",
            "site_admin": False,
        }

    def label(self, label: Label) -> JsonObject:
        """A label."""
        return {
            "id": label.id,
            "node_id": _node("Label", label.id),
            "url": f"{self.api}/labels/{quote(label.name, safe='')}",
            "name": label.name,
            "color": label.color,
            "default": label.default,
            "description": label.description,
        }

    def milestone(self, store: RepositoryStore, milestone: Milestone) -> JsonObject:
        """A milestone with its counts."""
        states = [issue.state for issue in store.issues.values() if issue.milestone == milestone.number]
        url = f"{self.api}/milestones/{milestone.number}"
        moment = timestamp(milestone.created_at)
        return {
            "url": url,
            "html_url": f"{self.page}/milestone/{milestone.number}",
            "labels_url": f"{url}/labels",
            "id": 6_000_000 + milestone.number,
            "node_id": _node("Milestone", milestone.number),
            "number": milestone.number,
            "title": milestone.title,
            "description": milestone.description,
            "creator": self.user(self.login),
            "open_issues": states.count("open"),
            "closed_issues": states.count("closed"),
            "state": milestone.state,
            "created_at": moment,
            "updated_at": moment,
            "due_on": milestone.due_on,
            "closed_at": moment if milestone.state == "closed" else None,
        }

    def comment(self, comment: Comment) -> JsonObject:
        """A comment."""
        url = f"{self.api}/issues/comments/{comment.id}"
        moment = timestamp(comment.created_at)
        return {
            "url": url,
            "html_url": f"{self.page}/issues/{comment.issue}#issuecomment-{comment.id}",
            "issue_url": f"{self.api}/issues/{comment.issue}",
            "id": comment.id,
            "node_id": _node("IssueComment", comment.id),
            "user": self.user(self.login),
            "created_at": moment,
            "updated_at": moment,
            "body": comment.body,
            "author_association": "OWNER",
            "reactions": _reactions(url),
            "performed_via_github_app": None,
        }

    def issue(self, store: RepositoryStore, issue: Issue) -> JsonObject:
        """An issue with its labels, people and milestone."""
        url = f"{self.api}/issues/{issue.number}"
        labels = [label for name in issue.labels if (label := store.label(name)) is not None]
        people: list[Json] = [self.user(login) for login in issue.assignees]
        milestone = store.milestones.get(issue.milestone) if issue.milestone is not None else None
        return {
            "url": url,
            "repository_url": self.api,
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "html_url": f"{self.page}/issues/{issue.number}",
            "id": 1_000_000 + issue.number,
            "node_id": _node("Issue", issue.number),
            "number": issue.number,
            "title": issue.title,
            "user": self.user(self.login),
            "labels": [self.label(label) for label in labels],
            "state": issue.state,
            "state_reason": issue.state_reason,
            "locked": False,
            "active_lock_reason": None,
            "assignee": people[0] if people else None,
            "assignees": people,
            "milestone": None if milestone is None else self.milestone(store, milestone),
            "comments": len(store.comments_of(issue.number)),
            "created_at": timestamp(issue.created_at),
            "updated_at": timestamp(issue.updated_at),
            "closed_at": None if issue.closed_at is None else timestamp(issue.closed_at),
            "author_association": "OWNER",
            "body": issue.body,
            "reactions": _reactions(url),
            "timeline_url": f"{url}/timeline",
            "performed_via_github_app": None,
        }

    def repository(self, store: RepositoryStore, created_at: datetime) -> JsonObject:
        """The repository: what a client of its issues reads, and no address that is not served."""
        opened = sum(issue.state == "open" for issue in store.issues.values())
        moment = timestamp(created_at)
        return {
            "id": REPOSITORY_ID,
            "node_id": _node("Repository", REPOSITORY_ID),
            "name": self.repo,
            "full_name": f"{self.owner}/{self.repo}",
            "private": False,
            "owner": self.user(self.owner),
            "html_url": self.page,
            "description": "A stand-in: it lives in the memory of one process and is gone with it.",
            "fork": False,
            "url": self.api,
            "issues_url": f"{self.api}/issues{{/number}}",
            "issue_comment_url": f"{self.api}/issues/comments{{/number}}",
            "labels_url": f"{self.api}/labels{{/name}}",
            "milestones_url": f"{self.api}/milestones{{/number}}",
            "default_branch": "main",
            "visibility": "public",
            "archived": False,
            "disabled": False,
            "has_issues": True,
            "open_issues_count": opened,
            "open_issues": opened,
            "created_at": moment,
            "updated_at": moment,
            "pushed_at": moment,
            "permissions": {"admin": True, "maintain": True, "push": True, "triage": True, "pull": True},
        }

    def issue_page(self, store: RepositoryStore, issue: Issue) -> bytes:
        """The page behind an issue's link."""
        labels = " · ".join(html.escape(name) for name in issue.labels) or "no labels"
        comments = "".join(
            f'<hr><pre id="issuecomment-{comment.id}">{html.escape(comment.body)}</pre>'
            for comment in store.comments_of(issue.number)
        )
        return self._document(
            f"{issue.title} · #{issue.number}",
            f"<h1>{html.escape(issue.title)} <small>#{issue.number}</small></h1>"
            f"<p>{html.escape(issue.state)} · {labels}</p>"
            f"<pre>{html.escape(issue.body or '')}</pre>{comments}"
            f'<p><a href="{html.escape(self.page)}/issues">all issues</a></p>',
        )

    def list_page(self, issues: Iterable[Issue]) -> bytes:
        """The page behind the repository's link: its issues, newest first."""
        rows = "".join(
            f'<li><a href="{html.escape(self.page)}/issues/{issue.number}">#{issue.number} '
            f"{html.escape(issue.title)}</a></li>"
            for issue in sorted(issues, key=lambda issue: -issue.number)
        )
        name = html.escape(f"{self.owner}/{self.repo}")
        return self._document(
            f"{self.owner}/{self.repo}", f"<h1>{name}</h1><ul>{rows or '<li>no issues yet</li>'}</ul>"
        )

    @staticmethod
    def _document(title: str, body: str) -> bytes:
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
            f"<style>{_STYLE}</style><p><em>A stand-in for GitHub on this machine.</em></p>{body}</html>"
        ).encode()
