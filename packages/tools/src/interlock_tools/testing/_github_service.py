"""What stands before the endpoints: who asks, how often, whether it changed; and the pages for people."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime

from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_tools.testing._github_fields import ApiError
from interlock_tools.testing._github_limits import RateLimits
from interlock_tools.testing._github_routes import Repository
from interlock_tools.testing._wire import Request, Response

_JSON_HEADERS = {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "private, max-age=60, s-maxage=60",
    "x-content-type-options": "nosniff",
    "x-github-media-type": "github.v3; format=json",
    "x-github-api-version-selected": "2022-11-28",
}
_PAGE_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


def json_response(status: int, value: Json, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer with the headers that every one has."""
    return Response(
        status=status, headers={**_JSON_HEADERS, **(headers or {})}, body=dump_json(value).encode()
    )


class GitHubService:
    """Answers requests for one repository.

    A request passes, in this order: the page for people, when it asks for one; `User-Agent`; the token; the
    rate limit; the repository's name; the endpoint; `If-None-Match`.

    Args:
        repository: The endpoints.
        token: The only token that is accepted.
        rate_limit: Requests an hour.
        now: The clock.
    """

    def __init__(
        self, *, repository: Repository, token: str, rate_limit: int, now: Callable[[], datetime]
    ) -> None:
        self._repository = repository
        self._token = token
        self._now = now
        self._limits = RateLimits(now, core=rate_limit)
        self._count = 0

    def answer(self, request: Request) -> Response:
        """The response to one request; never raises."""
        self._count += 1
        return self._stamp(self._page(request) or self._api(request))

    def scripted(self, status: int, headers: Mapping[str, str], body: bytes) -> Response:
        """A response that a script dictates, with the headers that every one has."""
        self._count += 1
        return self._stamp(Response(status=status, headers={**_JSON_HEADERS, **headers}, body=body))

    def _stamp(self, response: Response) -> Response:
        stamps = {
            "date": format_datetime(self._now(), usegmt=True),
            "server": "interlock-github-stand-in",
            "x-github-request-id": f"5741:{self._count:05X}:1EAF:CAFE:{self._count:08X}",
        }
        return Response(status=response.status, headers={**stamps, **response.headers}, body=response.body)

    def _page(self, request: Request) -> Response | None:
        render = self._repository.render
        store = self._repository.store
        segments = request.segments
        if request.method not in {"GET", "HEAD"} or segments[:2] != (render.owner, render.repo):
            return None
        if segments[2:] in {(), ("issues",)}:
            return Response(status=200, headers=_PAGE_HEADERS, body=render.list_page(store.issues.values()))
        if len(segments) == 4 and segments[2] == "issues":
            try:
                page = render.issue_page(store, self._repository.issue(segments[3]))
            except ApiError:
                return Response(
                    status=404, headers=_PAGE_HEADERS, body=b"<!doctype html><p>No such issue.</p>"
                )
            return Response(status=200, headers=_PAGE_HEADERS, body=page)
        return None

    def _api(self, request: Request) -> Response:
        resource = "search" if request.segments[0] == "search" else "core"
        extra: dict[str, str] = {}
        try:
            self._admit(request)
            try:
                self._limits.take(resource)
            finally:
                extra = self._limits.headers(resource)
            self._find(request)
            answer = self._repository.answer(request)
        except ApiError as error:
            return json_response(error.status, error.as_json(), extra)
        response = json_response(answer.status, answer.value, {**extra, **answer.headers})
        if answer.text is not None:
            return Response(status=200, headers=response.headers, body=answer.text.encode())
        if request.method != "GET" or answer.status != 200:
            return response
        return self._conditional(request, response, resource)

    def _admit(self, request: Request) -> None:
        if not request.headers.get("user-agent", "").strip():
            raise ApiError(403, "Request forbidden by administrative rules. Send a User-Agent header.")
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if not given:
            raise ApiError(401, "Requires authentication")
        if scheme.lower() not in {"bearer", "token"} or given.strip() != self._token:
            raise ApiError(401, "Bad credentials")

    def _find(self, request: Request) -> None:
        """Refuse what is neither the search nor the one repository there is; names are read in any case."""
        render = self._repository.render
        segments = request.segments
        wanted = ("repos", render.owner.casefold(), render.repo.casefold())
        if segments == ("search", "issues"):
            return
        if (segments[0], *(part.casefold() for part in segments[1:3])) != wanted:
            raise ApiError(404, "Not Found")

    def _conditional(self, request: Request, response: Response, resource: str) -> Response:
        tag = f'W/"{hashlib.sha256(response.body).hexdigest()}"'
        known = [part.strip() for part in request.headers.get("if-none-match", "").split(",")]
        if tag in known or "*" in known:
            self._limits.give_back(resource)
            headers = {**response.headers, **self._limits.headers(resource), "etag": tag}
            return Response(status=304, headers=headers)
        return Response(status=response.status, headers={**response.headers, "etag": tag}, body=response.body)


def message_body(message: str) -> bytes:
    """A JSON body that holds a sentence and the place of the documentation, as GitHub's own errors do."""
    body: JsonObject = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    return dump_json(body).encode()
