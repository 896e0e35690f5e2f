"""Creates issues one by one through a tool, and says exactly what became of each."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from interlock_core import Call, JsonObject, ToolCall, ToolExecutor, ToolResult, ToolSpec, new_id
from interlock_core.errors import (
    ApprovalDeniedError,
    CallerError,
    ProtocolError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import as_int, as_object, as_text, dump_json
from interlock_pipeline.spec_to_github._draft import IssueDraft
from interlock_pipeline.spec_to_github._harmless import address, visible
from interlock_pipeline.spec_to_github._result import IssueRecord, IssueState

_UNDECIDED = (UpstreamTimeoutError, UpstreamConnectionError, ProtocolError)
_UNDECIDED_CODES = frozenset(kind.code for kind in _UNDECIDED)
_UNDECIDED_STATUSES = frozenset({502, 504})
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Placer:
    """Creates issues.

    Args:
        executor: Makes the calls.
        tool: The tool that creates an issue.
        owner: Owner of the repository.
        repo: Name of the repository.
        context: Makes the guarded call of one tool call.
    """

    executor: ToolExecutor
    tool: ToolSpec
    owner: str
    repo: str
    context: Callable[[ToolSpec, ToolCall], Call]

    async def plan(self, issue: IssueDraft) -> IssueRecord:
        """What would be sent; a record of a failure when the tool does not take the issue.

        Raises:
            InterlockError: No issue can be prepared, whatever it says.
        """
        call = self._call(issue)
        try:
            prepared = await self.executor.prepare(call, self.context(self.tool, call))
        except CallerError as error:
            return IssueRecord(draft=issue, state=IssueState.FAILED, reason=str(error))
        return IssueRecord(draft=issue, state=IssueState.PLANNED, request=prepared.request)

    async def create(self, planned: IssueRecord) -> IssueRecord:
        """Send it once. Where its fate is not known, that is said: it may be there.

        Raises:
            InterlockError: It was not sent, and no other issue would be: refused, or wrongly configured.
        """
        call = self._call(planned.draft)
        try:
            result = await self.executor.execute(call, self.context(self.tool, call))
        except _UNDECIDED as error:
            return _undecided(planned, str(error))
        except (CallerError, UpstreamError, ApprovalDeniedError) as error:
            return _failed(planned, str(error))
        return _read(planned, result)

    def _call(self, issue: IssueDraft) -> ToolCall:
        arguments: JsonObject = {
            "owner": self.owner,
            "repo": self.repo,
            "title": issue.title,
            "body": issue.body,
        }
        if issue.labels:
            arguments["labels"] = list(issue.labels)
        return ToolCall(id=new_id("call"), name=self.tool.name, arguments=dump_json(arguments))


def _read(planned: IssueRecord, result: ToolResult) -> IssueRecord:
    if result.is_error:
        status = "" if result.status is None else f"HTTP {result.status}: "
        said = f"{status}{result.text or 'no reason given'}"
        undecided = result.error_code in _UNDECIDED_CODES or result.status in _UNDECIDED_STATUSES
        return _undecided(planned, said) if undecided else _failed(planned, said)
    answer = as_object(result.structured)
    number = as_int(answer.get("number"))
    if number is None:
        return _undecided(planned, "the answer names no issue number")
    return replace(
        planned, state=IssueState.CREATED, number=number, url=address(as_text(answer.get("html_url")))
    )


def _failed(planned: IssueRecord, why: str) -> IssueRecord:
    return replace(planned, state=IssueState.FAILED, reason=visible(why[:_LONGEST_REASON]))


def _undecided(planned: IssueRecord, why: str) -> IssueRecord:
    said = visible(why[:_LONGEST_REASON])
    reason = f"whether it was created is not known: {said} A second run finds it if it was."
    return replace(planned, state=IssueState.UNKNOWN, reason=reason)
