"""A stand-in for GitHub's issue endpoints: a real HTTP server on loopback, for tests and the demonstration.

```python
async with GitHubStandIn(owner="acme", repo="notes") as github:
    ...  # POST {github.url}/repos/acme/notes/issues with `Authorization: Bearer {github.token}`
    assert [issue.title for issue in github.issues] == ["First"]
```

It behaves as the documented API does for one repository: issues, labels, milestones, comments, search,
branches, files, commits, pull requests, workflow runs, the repository itself; 401, 403, 404, 422 with
`errors`, `Link` pages, `ETag` and 304, rate limit headers. It keeps what it was sent (`requests`) and can be
told what goes wrong next (`fail_next`, `limit_next`, `drop_next`, `hold_next`). It runs in a thread of its
own, so it answers while the caller's thread or event loop is busy.

What it does not do: no persistence, no TLS, one repository, one user; organisations, reactions, locks and
timelines are 404.
"""

import argparse
import asyncio
import json
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import FrameType, TracebackType
from typing import Self

from interlock_tools.testing._background import BackgroundServer
from interlock_tools.testing._github_code_store import CodeStore
from interlock_tools.testing._github_json import Renderer
from interlock_tools.testing._github_routes import Repository
from interlock_tools.testing._github_script import Fault, Hold, Script, SeenRequest, When
from interlock_tools.testing._github_service import GitHubService, message_body
from interlock_tools.testing._github_store import Comment, Issue, Label, Milestone, RepositoryStore
from interlock_tools.testing._wire import Request, Response

__all__ = ["Comment", "GitHubStandIn", "Hold", "Issue", "Label", "Milestone", "SeenRequest", "main"]

_SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


def _utc_now() -> datetime:
    return datetime.now(UTC)


class GitHubStandIn:
    """One repository behind GitHub's REST API on 127.0.0.1; a context manager, plain or async.

    Args:
        owner: The repository's owner, who is also the user that the token stands for.
        repo: Its name.
        token: The only token that is accepted; by default one is made up.
        people: Further logins that issues can be assigned to.
        port: The port to listen on; 0 takes a free one.
        rate_limit: Requests an hour before 403.
        now: The clock that dates records and limits.
    """

    def __init__(
        self,
        *,
        owner: str = "interlock-demo",
        repo: str = "team-notes",
        token: str | None = None,
        people: Iterable[str] = (),
        port: int = 0,
        rate_limit: int = 5000,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.owner = owner
        self.repo = repo
        self.token = token or f"standin_{secrets.token_hex(16)}"
        self._people = {name.casefold(): name for name in (owner, *people)}
        self._rate_limit = rate_limit
        self._now = now
        self._store = RepositoryStore(now)
        self._script = Script()
        self._seen: list[SeenRequest] = []
        self._lock = threading.Lock()
        self._server = BackgroundServer(self._answer, port=port)
        self._service: GitHubService | None = None
        self.url = ""

    # What it holds

    @property
    def page(self) -> str:
        """The repository's page for people."""
        return f"{self.url}/{self.owner}/{self.repo}"

    @property
    def issues(self) -> tuple[Issue, ...]:
        """All issues, in the order of their numbers."""
        with self._lock:
            return tuple(self._store.issues.values())

    @property
    def labels(self) -> tuple[Label, ...]:
        """All labels of the repository, in the order they were made."""
        with self._lock:
            return tuple(self._store.labels.values())

    @property
    def milestones(self) -> tuple[Milestone, ...]:
        """All milestones, in the order of their numbers."""
        with self._lock:
            return tuple(self._store.milestones.values())

    @property
    def comments(self) -> tuple[Comment, ...]:
        """All comments of all issues, oldest first."""
        with self._lock:
            return tuple(self._store.comments)

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """Every request that arrived whole, scripted faults included."""
        with self._lock:
            return tuple(replace(seen) for seen in self._seen)

    def add_issue(self, title: str, *, body: str | None = None, labels: Iterable[str] = ()) -> Issue:
        """Put an issue there without a request."""
        with self._lock:
            return self._store.add_issue(title, body=body, labels=labels)

    def add_milestone(self, title: str) -> Milestone:
        """Put a milestone there without a request."""
        with self._lock:
            return self._store.add_milestone(title)

    # What goes wrong next

    def fail_next(
        self,
        status: int,
        *,
        when: When = "before",
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        """Answer the next requests with this status.

        Args:
            status: The HTTP status.
            when: Instead of carrying the request out (`before`), or although it was carried out (`after`).
            times: How many requests.
            headers: Further headers, such as `retry-after`.
            body: The body; by default a JSON object with a `message`.
            method: Only requests of this method.
            path: Only requests whose path contains this.
        """
        shown = message_body(f"Scripted answer {status}") if body is None else body
        fault = Fault(
            when=when,
            left=times,
            method=method,
            path=path,
            status=status,
            headers=headers or {},
            body=shown,
        )
        self._script.add(fault)

    def limit_next(
        self, *, times: int = 1, retry_after: int = 60, method: str | None = None, path: str | None = None
    ) -> None:
        """Answer the next requests with the secondary rate limit: 403 and `Retry-After`.

        Args:
            times: How many requests.
            retry_after: Seconds to wait that the answer asks for.
            method: Only requests of this method.
            path: Only requests whose path contains this.
        """
        headers = {"retry-after": str(retry_after)}
        body = message_body(_SECONDARY)
        self._script.add(Fault(left=times, method=method, path=path, status=403, headers=headers, body=body))

    def drop_next(
        self, *, when: When = "before", times: int = 1, method: str | None = None, path: str | None = None
    ) -> None:
        """Close the connection of the next requests without an answer.

        Args:
            when: `before` the request is carried out, or `after`, so that the client cannot know that it was.
            times: How many requests.
            method: Only requests of this method.
            path: Only requests whose path contains this.
        """
        self._script.add(Fault(when=when, left=times, method=method, path=path))

    def hold_next(self, *, when: When = "before", method: str | None = None, path: str | None = None) -> Hold:
        """Keep the next request waiting until the returned hold is released, dropped, or the stand-in stops.

        Args:
            when: `before` the request is carried out, or `after`.
            method: Only requests of this method.
            path: Only requests whose path contains this.
        """
        hold = Hold()
        self._script.add(Fault(when=when, method=method, path=path, hold=hold))
        return hold

    # Its life

    def start(self) -> None:
        """Listen; returns when connections are accepted.

        Raises:
            OSError: The port is taken.
        """
        self.url = self._server.bind()
        render = Renderer(self.url, self.owner, self.repo, self.owner)
        repository = Repository(self._store, render, self._people, self._now(), CodeStore(self._now))
        self._service = GitHubService(
            repository=repository, token=self.token, rate_limit=self._rate_limit, now=self._now
        )
        self._server.start()

    def stop(self) -> None:
        """Drop every connection and stop listening; what it holds can still be read."""
        self._script.release_all()
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    async def _answer(self, request: Request) -> Response:
        """Note the request, let the script strike before or after, and carry it out."""
        seen = SeenRequest(
            method=request.method, target=request.target, headers=request.headers, body=request.body
        )
        with self._lock:
            self._seen.append(seen)
        fault = self._script.take(request)
        before = fault if fault is not None and fault.when == "before" else None
        response = await self._strike(before)
        if response is None:
            response = self._carry_out(request)
            if before is None:
                response = await self._strike(fault) or response
        with self._lock:
            seen.status = response.status
        return response

    async def _strike(self, fault: Fault | None) -> Response | None:
        """The scripted response, or None to go on as if nothing had happened.

        Raises:
            ConnectionAbortedError: The script wants the connection closed.
        """
        if fault is None:
            return None
        if fault.hold is not None:
            await asyncio.to_thread(fault.hold.stay)
            if not fault.hold.dropped:
                return None
        if fault.status is None:
            raise ConnectionAbortedError("the script closes this connection")
        return self._running().scripted(fault.status, fault.headers, fault.body)

    def _carry_out(self, request: Request) -> Response:
        with self._lock:
            return self._running().answer(request)

    def _running(self) -> GitHubService:
        if self._service is None:
            raise ConnectionAbortedError("not started")
        return self._service


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM.

    The first line on stdout is a JSON object with `url`, `owner`, `repo` and `token`.

    Returns:
        0 when it was told to stop, 1 when the port is taken.
    """
    parser = argparse.ArgumentParser(prog="python -m interlock_tools.testing.github", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--owner", default="interlock-demo", help="owner of the repository")
    parser.add_argument("--repo", default="team-notes", help="name of the repository")
    parser.add_argument("--token", default=None, help="the token that is accepted; one is made up by default")
    options = parser.parse_args(arguments)
    github = GitHubStandIn(owner=options.owner, repo=options.repo, token=options.token, port=options.port)
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        github.start()
    except OSError as error:
        sys.stderr.write(f"port {options.port} is taken ({error.strerror}); give another with --port\n")
        return 1
    facts = {"url": github.url, "owner": github.owner, "repo": github.repo, "token": github.token}
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    stopped.wait()
    github.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
