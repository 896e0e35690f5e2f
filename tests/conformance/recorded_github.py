"""Recorded scenarios of GitHub as tool calls: which operation each request is, and what it is called with.

The recordings come with the peer. What GitHub's paths are is written here, as its reference writes them; the
arguments of a call are read off the recorded request.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl, unquote

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, parse_json

TEMPLATES = (
    "/",
    "/markdown",
    "/markdown/raw",
    "/notifications",
    "/orgs/{org}",
    "/projects/columns/cards/{card_id}",
    "/projects/columns/cards/{card_id}/moves",
    "/projects/columns/{column_id}/cards",
    "/repos/{owner}/{repo}",
    "/repos/{owner}/{repo}/branches/{branch}/protection",
    "/repos/{owner}/{repo}/collaborators",
    "/repos/{owner}/{repo}/collaborators/{username}",
    "/repos/{owner}/{repo}/commits/{ref}/status",
    "/repos/{owner}/{repo}/commits/{ref}/statuses",
    "/repos/{owner}/{repo}/contents/",
    "/repos/{owner}/{repo}/contents/{path}",
    "/repos/{owner}/{repo}/git/refs",
    "/repos/{owner}/{repo}/git/refs/",
    "/repos/{owner}/{repo}/git/refs/heads/{branch}",
    "/repos/{owner}/{repo}/invitations",
    "/repos/{owner}/{repo}/issues",
    "/repos/{owner}/{repo}/issues/{issue_number}/labels",
    "/repos/{owner}/{repo}/issues/{issue_number}/lock",
    "/repos/{owner}/{repo}/labels",
    "/repos/{owner}/{repo}/labels/{name}",
    "/repos/{owner}/{repo}/releases/assets/{asset_id}",
    "/repos/{owner}/{repo}/releases/tags/{tag}",
    "/repos/{owner}/{repo}/releases/{release_id}/assets",
    "/repos/{owner}/{repo}/statuses/{sha}",
    "/repos/{owner}/{repo}/tarball/{ref}",
    "/repositories/{repository_id}",
    "/repositories/{repository_id}/issues",
    "/search/issues",
    "/user/repository_invitations/{invitation_id}",
)
FROM_A_LINK = frozenset({"/repositories/{repository_id}/issues"})
REDIRECTED = frozenset({301, 302, 307})


@dataclass(frozen=True)
class Step:
    """One recorded request and its answer.

    Attributes:
        method: The method, upper case.
        target: Path and query.
        host: Which of GitHub's hosts.
        headers: What the request had to have.
        body: Its body, parsed where it is JSON.
        status: Status of the answer.
        answer: Its body, parsed where it is JSON.
        binary: The answer is neither JSON nor text.
    """

    method: str
    target: str
    host: str
    headers: dict[str, str]
    body: Json
    status: int
    answer: Json
    binary: bool

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def template(self) -> str:
        """GitHub's own path of the operation."""
        return next(one for one in TEMPLATES if _pattern(one).fullmatch(self.path))

    @property
    def arguments(self) -> JsonObject:
        """What the operation is called with."""
        found = _pattern(self.template).fullmatch(self.path)
        assert found is not None
        query = parse_qsl(self.target.partition("?")[2])
        arguments: JsonObject = {name: unquote(value) for name, value in found.groupdict().items()}
        arguments |= dict(query)
        if isinstance(self.body, dict):
            return {**arguments, **self.body}
        return {**arguments, "body": self.body} if self.body else arguments

    @property
    def document(self) -> JsonObject:
        """A document with this operation, and the one that links of its lists lead to."""
        names = _pattern(self.template).groupindex
        parameters: list[Json] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
        text: JsonObject = {"type": "string"}
        for name, _ in parse_qsl(self.target.partition("?")[2]):
            parameters.append({"name": name, "in": "query", "schema": text})
        operation: JsonObject = {"operationId": "recorded", "parameters": parameters, **self._request_body()}
        linked: JsonObject = {
            "operationId": "linked",
            "parameters": [{"name": "repository_id", "in": "path", "schema": {"type": "string"}}],
        }
        return {
            "openapi": "3.1.0",
            "info": {"title": "Recorded"},
            "paths": {
                "/repositories/{repository_id}/issues": {"get": linked},
                self.template: {self.method.lower(): operation},
            },
        }

    def _request_body(self) -> JsonObject:
        if not self.body:
            return {}
        kind = self.headers["content-type"].partition(";")[0]
        schema: JsonObject = {"type": "string"}
        if isinstance(self.body, dict):
            properties: JsonObject = {name: {} for name in self.body}
            schema = {"type": "object", "properties": properties, "additionalProperties": False}
        return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


def scenarios(programs: Path) -> dict[str, tuple[Step, ...]]:
    """Every recorded scenario by its name."""
    folder = programs.parent / "@octokit" / "fixtures" / "scenarios" / "api.github.com"
    return {
        file.parent.name: tuple(_step(as_object(one)) for one in as_array(parse_json(file.read_bytes())))
        for file in sorted(folder.glob("*/normalized-fixture.json"))
    }


def rewritten(value: Json, base: str, scenario: str, *, hidden: str) -> Json:
    """A recorded answer with the addresses that the server gives out, and without the token."""
    text = re.sub(r"https?://([^/\"]+)/", rf"{base}/\1/{scenario}/", json.dumps(value, ensure_ascii=False))
    return cast("Json", json.loads(text.replace(hidden, "[redacted]")))


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))


def _step(value: JsonObject) -> Step:
    headers = as_object(value["reqheaders"])
    return Step(
        method=str(value["method"]).upper(),
        target=str(value["path"]),
        host=str(value["scope"]).removeprefix("https://").partition(":")[0],
        headers={name: str(text) for name, text in headers.items()},
        body=value["body"],
        status=int(str(value["status"])),
        answer=value["response"],
        binary=value.get("responseIsBinary") is True,
    )
