"""The walk of the job over a specification.

Order: look for issues of an earlier run → draft, several side by side → create in the order of the
specification. Whatever fails costs its own requirement and is stated. What would fail for every issue stops
the job: as an error when nothing was sent yet, else as a result that accounts for the rest.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from interlock_core import (
    Call,
    CallKind,
    Event,
    EventKind,
    JsonObject,
    Provider,
    ToolCall,
    ToolExecutor,
    ToolResult,
    ToolSpec,
    new_id,
)
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import dump_json
from interlock_pipeline._turn import tool_context
from interlock_pipeline.spec_to_github._account import Account
from interlock_pipeline.spec_to_github._draft import Assignment, IssueDraft
from interlock_pipeline.spec_to_github._drafting import Drafter
from interlock_pipeline.spec_to_github._existing import PAGE, Found, find_issues
from interlock_pipeline.spec_to_github._marker import markers_of
from interlock_pipeline.spec_to_github._placing import Placer
from interlock_pipeline.spec_to_github._purse import Allowance
from interlock_pipeline.spec_to_github._result import IssueRecord, IssueState
from interlock_pipeline.spec_to_github._title import Titles
from interlock_pipeline.specification import Requirement


class Walk:
    """One walk.

    Args:
        account: Keeps what comes out.
        provider: Answers the model requests.
        executor: Makes the calls.
        create: The tool that creates an issue.
        listing: The tool that lists issues; None asks nothing of the repository and creates nothing.
    """

    def __init__(
        self,
        account: Account,
        *,
        provider: Provider,
        executor: ToolExecutor,
        create: ToolSpec,
        listing: ToolSpec | None,
    ) -> None:
        request = account.request
        self._account = account
        self._request = request
        self._executor = executor
        self._listing = listing
        self._titles = Titles()
        self._entries = {entry.id: entry for entry in request.specification.requirements}
        self._drafter = Drafter(
            provider=provider, model=request.model, purse=account.purse, context=self._model_call
        )
        self._placer = Placer(
            executor=executor,
            tool=create,
            owner=request.owner,
            repo=request.repo,
            context=lambda tool, call: tool_context(self._model_call(Allowance()), tool, call),
        )

    async def events(self) -> AsyncGenerator[Event, None]:
        """Each step; the account holds what came out.

        Raises:
            InterlockError: Nothing was sent, and nothing could be.
        """
        specification = self._request.specification
        facts: JsonObject = {
            "specification": specification.name,
            "requirements": len(specification.requirements),
            "dry_run": self._request.dry_run,
        }
        yield self._account.event(EventKind.RUN_STARTED, facts)
        try:
            async with aclosing(self._steps()) as steps:
                async for event in steps:
                    yield event
        except InterlockError as error:
            if not self._account.sent_something:
                yield self._account.event(EventKind.RUN_FAILED, error.as_json())
                raise
            self._account.stopped = error
        if self._account.stopped is not None:
            yield self._account.event(EventKind.WARNING, {"message": str(self._account.stopped)})
        result = self._account.result()
        facts = {"ok": result.ok, "issues": len(result.issues), "unassigned": len(result.unassigned)}
        yield self._account.event(EventKind.RUN_FINISHED, facts)

    async def _steps(self) -> AsyncGenerator[Event, None]:
        specification, markers = self._request.specification, markers_of(self._request.specification)
        wanted = [entry for entry in specification.requirements if not entry.done]
        found = await self._found() if wanted else {}
        for entry in wanted:
            if markers[entry.id] in found:
                yield self._there(entry, markers[entry.id], found[markers[entry.id]])
        fresh = [
            Assignment(
                requirement=entry,
                specification=specification.name,
                marker=markers[entry.id],
                labels=self._request.labels,
            )
            for entry in wanted
            if markers[entry.id] not in found
        ]
        async with aclosing(self._drafter.in_order(fresh)) as drafts:
            async for issue in drafts:
                async with aclosing(self._place(issue)) as steps:
                    async for event in steps:
                        yield event
                if self._account.stopped is not None:
                    return

    async def _found(self) -> dict[str, Found]:
        """Issues of earlier runs, by their marker."""
        tool = self._listing
        if tool is None:
            return {}

        async def page(number: int) -> ToolResult:
            arguments: JsonObject = {
                "owner": self._request.owner,
                "repo": self._request.repo,
                "state": "all",
                "per_page": PAGE,
                "page": number,
            }
            call = ToolCall(id=new_id("call"), name=tool.name, arguments=dump_json(arguments))
            return await self._executor.execute(call, tool_context(self._model_call(Allowance()), tool, call))

        return await find_issues(page, where=f"{self._request.owner}/{self._request.repo}")

    def _there(self, entry: Requirement, marker: str, found: Found) -> Event:
        """An issue that is there already is kept as it is, and not worded again."""
        self._titles.claim(found.title, entry)
        issue = IssueDraft(
            title=found.title,
            body=found.body,
            labels=found.labels,
            requirements=(entry.id,),
            marker=marker,
            drafted_by="structure",
        )
        state = IssueState.EXISTING
        self._account.keep(IssueRecord(draft=issue, state=state, number=found.number, url=found.url))
        facts: JsonObject = {
            "requirement": entry.id,
            "state": state,
            "number": found.number,
            "url": found.url,
        }
        return self._account.event(EventKind.PROGRESS, facts)

    async def _place(self, issue: IssueDraft) -> AsyncGenerator[Event, None]:
        """Create one issue, or say what would be sent."""
        account, entry = self._account, self._entries[issue.requirements[0]]
        decision = account.decided(issue.completion)
        if decision is not None:
            yield account.event(EventKind.ROUTE_DECIDED, decision.as_json())
        issue = replace(issue, title=self._titles.claim(issue.title, entry))
        facts: JsonObject = {
            "requirement": entry.id,
            "state": "drafted",
            "title": issue.title,
            "drafted_by": issue.drafted_by,
            "note": issue.note or None,
        }
        yield account.event(EventKind.PROGRESS, facts)
        record = await self._placer.plan(issue)
        if self._listing is None or record.state is IssueState.FAILED:
            account.keep(record)
            yield account.event(EventKind.PROGRESS, _outcome(record))
            return
        yield account.event(EventKind.TOOL_STARTED, {"tool": self._placer.tool.name, "requirement": entry.id})
        started = account.now()
        record = await self._placer.create(record)
        account.keep(record)
        facts = {"tool": self._placer.tool.name, "ok": record.state is IssueState.CREATED}
        facts |= _outcome(record)
        facts["duration_s"] = account.now() - started
        yield account.event(EventKind.TOOL_FINISHED, facts)

    def _model_call(self, allowance: Allowance) -> Call:
        request = self._request
        return Call(
            id=new_id("call"),
            kind=CallKind.MODEL,
            name=request.model,
            principal=request.principal,
            run=self._account.run,
            budget=request.budget,
            deadline=allowance.deadline,
            cost_bound=allowance.cost,
            task="writing",
            policy=request.policy,
            trace_id=self._account.run,
        )


def _outcome(record: IssueRecord) -> JsonObject:
    return {
        "requirement": record.draft.requirements[0],
        "state": record.state,
        "title": record.draft.title,
        "number": record.number,
        "url": record.url,
        "reason": record.reason or None,
    }
