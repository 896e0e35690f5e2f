"""GitHub through the registry's own wrapper: its credential, its limits, its pages, its errors."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from interlock_core.call import Call, Ending
from interlock_core.errors import (
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    UnsupportedError,
    UpstreamError,
)
from interlock_core.ids import new_id
from interlock_core.jsontypes import Json, JsonObject, as_array, as_int, as_object, as_text, dump_json
from interlock_core.messages import ToolCall, ToolResult
from interlock_core.protocols import ToolCatalog, ToolExecutor

_PAGE = 100
_MOST_PAGES = 50
_MOST_SAID = 600


@dataclass(frozen=True, slots=True)
class GitHubTools:
    """Operations on issues and pull requests.

    Attributes:
        catalog: Gives the tools, those of the wrapper among them.
        executor: Makes their calls, inside the same guards as every call.
        namespace: Namespace of the wrapper.
    """

    catalog: Callable[[], ToolCatalog]
    executor: Callable[[], ToolExecutor]
    namespace: str = "github"

    async def create_issues(self, arguments: JsonObject, context: Call) -> JsonObject:
        """Create issues; those that an earlier call of the same plan made are found by a mark in them."""
        place = _place(arguments)
        wanted = [as_object(entry) for entry in as_array(arguments["issues"])]
        key = as_text(arguments.get("idempotencyKey")) or ""
        marks = [mark_of(key, str(one["title"])) for one in wanted]
        if len(set(marks)) != len(marks):
            raise InvalidRequestError(
                "Two of the issues have the same title.", field="issues", remedy="Give each its own title."
            )
        known = await self._marked(place, set(marks), context)
        report: dict[str, list[Json]] = {"created": [], "existing": [], "failed": []}
        for index, (issue, mark) in enumerate(zip(wanted, marks, strict=True)):
            line: JsonObject = {"index": index, "title": issue["title"]}
            if mark in known:
                report["existing"].append({**line, **_numbered(known[mark])})
                continue
            body = f"{issue.get('body', '')}\n\n{mark}".lstrip()
            try:
                made = await self._call("issues/create", place, {**issue, "body": body}, context)
            except InterlockError as error:
                report["failed"].append({**line, "error": str(error)[:_MOST_SAID]})
                continue
            report["created"].append({**line, **_numbered(made)})
        return {**report}

    async def create_pull(self, arguments: JsonObject, context: Call) -> JsonObject:
        """Open a pull request."""
        fields = _only(arguments, "title", "head", "base", "body", "draft")
        return _pull(await self._call("pulls/create", _place(arguments), fields, context))

    async def review_pull(self, arguments: JsonObject, context: Call) -> JsonObject:
        """Review a pull request."""
        if arguments["event"] != "APPROVE" and not arguments.get("body"):
            raise InvalidRequestError(
                "Such a review needs a body.",
                field="body",
                remedy="Say what is to be changed, or what you saw.",
            )
        fields = _only(arguments, "event", "body", "comments")
        place = {**_place(arguments), "pull_number": arguments["number"]}
        made = await self._call("pulls/create-review", place, fields, context)
        return {"id": as_int(made.get("id")) or 0, "state": str(made.get("state")), "url": _url(made)}

    async def update_issue(self, arguments: JsonObject, context: Call) -> JsonObject:
        """Change an issue."""
        fields = _only(arguments, "title", "body", "state", "labels", "assignees", "milestone")
        if "stateReason" in arguments:
            fields["state_reason"] = arguments["stateReason"]
        if not fields:
            raise InvalidRequestError(
                "Nothing is to be changed.", field="title", remedy="Give at least one field that changes."
            )
        place = {**_place(arguments), "issue_number": arguments["number"]}
        made = await self._call("issues/update", place, fields, context)
        return {"title": str(made.get("title")), "state": str(made.get("state")), **_numbered(made)}

    async def merge_pull(self, arguments: JsonObject, context: Call) -> JsonObject:
        """Merge a pull request when its head is the commit that was reviewed."""
        names = {"sha": "sha", "method": "merge_method", "title": "commit_title", "message": "commit_message"}
        fields = {theirs: arguments[ours] for ours, theirs in names.items() if ours in arguments}
        place = {**_place(arguments), "pull_number": arguments["number"]}
        made = await self._call("pulls/merge", place, fields, context)
        return {
            "merged": made.get("merged") is True,
            "sha": str(made.get("sha")),
            "message": str(made.get("message", "")),
        }

    async def comment(self, arguments: JsonObject, context: Call) -> JsonObject:
        """Comment on an issue or a pull request."""
        place = {**_place(arguments), "issue_number": arguments["number"]}
        made = await self._call("issues/create-comment", place, {"body": arguments["body"]}, context)
        return {"id": as_int(made.get("id")) or 0, "url": _url(made)}

    async def _marked(self, place: JsonObject, marks: set[str], context: Call) -> dict[str, JsonObject]:
        """The issues that carry one of the marks; of two with the same one the older."""
        found: dict[str, JsonObject] = {}
        seen: set[int] = set()
        for page in range(1, _MOST_PAGES + 1):
            query: JsonObject = {"state": "all", "per_page": _PAGE, "page": page}
            issues = [as_object(one) for one in await self._list("issues/list", {**place, **query}, context)]
            numbers = {as_int(issue.get("number")) or 0 for issue in issues}
            for issue in issues:
                body = as_text(issue.get("body")) or ""
                found.update({mark: issue for mark in marks if mark in body})
            if len(issues) < _PAGE or numbers <= seen:
                break
            seen |= numbers
        return found

    async def _list(self, operation: str, arguments: JsonObject, context: Call) -> list[Json]:
        return as_array((await self._made(operation, arguments, context)).structured)

    async def _call(self, operation: str, place: JsonObject, fields: JsonObject, context: Call) -> JsonObject:
        """One call of the wrapper, its arguments in the form that its tool has."""
        tool = self._tool(operation)
        known = as_object(as_object(self.catalog().get(tool).parameters)["properties"])
        body = as_object(known.get("body"))
        nested = "$ref" in body or body.get("type") == "object"
        arguments: JsonObject = {**place, "body": fields} if nested else {**place, **fields}
        return as_object((await self._made(operation, arguments, context)).structured)

    async def _made(self, operation: str, arguments: JsonObject, context: Call) -> ToolResult:
        tool = self.catalog().get(self._tool(operation))
        call = ToolCall(id=new_id("call"), name=tool.name, arguments=dump_json(arguments))
        inner = replace(
            context,
            id=call.id,
            name=tool.name,
            effect=tool.effect,
            category=tool.category,
            arguments=None,
            ending=Ending(),
        )
        result = await self.executor().execute(call, inner)
        if result.is_error:
            raise _failed(result)
        return result

    def _tool(self, operation: str) -> str:
        found = self._named(operation)
        if found is None:
            raise UnsupportedError(
                f"The GitHub document has no operation {operation}.",
                field=f"tools.{self.namespace}",
                remedy='Declare it with source = "builtin:github", or allow that operation.',
            )
        return found

    def _named(self, operation: str) -> str | None:
        tools = self.catalog().list([f"{self.namespace}.*"])
        return next((tool.name for tool in tools if tool.operation_id == operation), None)


def mark_of(key: str, title: str) -> str:
    """The comment that says that an issue belongs to a plan; people do not see it."""
    digest = hashlib.sha256(f"{key}\0{title}".encode()).hexdigest()[:24]
    return f"<!-- interlock-issue {digest} -->"


def _failed(result: ToolResult) -> InterlockError:
    said = result.text[:_MOST_SAID]
    if result.status == 404:
        return NotFoundError(f"GitHub: {said}", remedy="Look at owner, repo and number.")
    if result.status in {400, 409, 422}:
        return InvalidRequestError(f"GitHub: {said}", remedy="Change what it names.")
    return UpstreamError(f"GitHub: {said}", vendor="github", vendor_status=result.status)


def _place(arguments: JsonObject) -> JsonObject:
    return {"owner": arguments["owner"], "repo": arguments["repo"]}


def _only(arguments: JsonObject, *names: str) -> JsonObject:
    return {name: arguments[name] for name in names if name in arguments}


def _numbered(issue: JsonObject) -> JsonObject:
    return {"number": as_int(issue.get("number")) or 0, "url": _url(issue)}


def _url(made: JsonObject) -> str:
    return as_text(made.get("html_url")) or as_text(made.get("url")) or ""


def _pull(made: JsonObject) -> JsonObject:
    return {
        **_numbered(made),
        "state": str(made.get("state")),
        "draft": made.get("draft") is True,
        "headSha": str(as_object(made.get("head")).get("sha", "")),
    }
