"""One running Interlock, as faces and programs use it."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from interlock_core import (
    Approver,
    Budget,
    Call,
    CallKind,
    CompletionRequest,
    Event,
    EventKind,
    JsonObject,
    Money,
    ResponseFormat,
    RouteDecision,
    RunRequest,
    RunResult,
    ToolCatalog,
    Verdict,
    new_id,
)
from interlock_core.errors import AuditUnavailableError, InterlockError
from interlock_core.messages import user
from interlock_pipeline import META_TOOLS, Nobody, ToolCallingPipeline
from interlock_runtime._join import Joined, join
from interlock_runtime._load import load
from interlock_runtime._offering import offered, tool_offering
from interlock_runtime._question import Question, SpecificationJob
from interlock_runtime.settings import PipelineSettings, Settings
from interlock_skills import Problem, SkillLibrary, examine

_logger = logging.getLogger("interlock.runtime")

if TYPE_CHECKING:
    from interlock_pipeline.spec_to_github import JobResult


class Runtime:
    """One running Interlock. Open it with `Runtime.open`.

    Attributes:
        settings: What it was opened with.
        principal: The user at this machine.
        provider: Answers model requests: the router inside its guards.
        models: Providers, models and the router.
        tools: Documents, tools and their calls.
        access: Users, roles and keys.
        approvals: Questions that wait for people.
        limits: Rate limits.
        quotas: Most money a day and a month.
        vault: The secrets that are kept.
        trail: The audit log.
        alerts: What looked suspicious.
        records: Statistics and metrics.
        redactor: Knows every secret; whoever logs or shows anything passes it through here.
    """

    def __init__(self, joined: Joined) -> None:
        self.settings = joined.settings
        self.principal = joined.principal
        self.provider = joined.provider
        self.models = joined.models
        self.tools = joined.tools
        self.access = joined.access
        self.approvals = joined.approvals
        self.limits = joined.limits
        self.quotas = joined.quotas
        self.vault = joined.vault
        self.trail = joined.trail
        self.alerts = joined.alerts
        self.records = joined.records
        self.redactor = joined.redactor
        self._house = joined
        self._audit = joined.audit
        self._store = joined.store

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        approver: Approver | None = None,
        open_paths: bool = True,
    ) -> AsyncGenerator[Self, None]:
        """Open everything that the settings name, and close it again in order.

        Nothing is connected and no model is loaded before it is needed.

        Args:
            settings: The settings; from file and environment when None.
            environment: Where keys and secrets are looked up; the process's own when None.
            approver: Who is asked before chosen calls; nobody when None, which means no.
            open_paths: Whether a request may name any file of weights (`local//folder/file.gguf`); off
                where strangers ask, as in the gateway.

        Raises:
            ConfigurationError: A setting is wrong, or the data folder cannot be written.
            StoreError: The database cannot be opened.
        """
        known = os.environ if environment is None else environment
        chosen = load(known) if settings is None else settings
        async with AsyncExitStack() as stack:
            joined = await join(
                chosen,
                environment=known,
                approver=approver or Nobody(),
                open_paths=open_paths,
                stack=stack,
            )
            yield cls(joined)

    # ---- questions

    async def ask(
        self,
        prompt: str,
        *,
        model: str = "auto",
        tools: Sequence[str] = (),
        schema: JsonObject | None = None,
        max_cost: Money | None = None,
        max_tokens: int | None = None,
    ) -> RunResult:
        """Ask one thing, with tools if there are any, and run to the end.

        Raises:
            InterlockError: The model cannot be asked.
        """
        question = Question(
            prompt=prompt,
            model=model,
            tools=tuple(tools),
            schema=schema,
            max_cost=max_cost,
            max_tokens=max_tokens,
        )
        async with aclosing(self.ask_events(question)) as events:
            async for item in events:
                if isinstance(item, RunResult):
                    return item
        raise InterlockError("The run ended without a result.")  # pragma: no cover - a run always ends in one

    async def ask_events(self, question: Question) -> AsyncGenerator[Event | RunResult, None]:
        """Ask one thing, telling each step; the last item is the result.

        Raises:
            NotFoundError: A tool pattern fits no tool.
            InterlockError: The model cannot be asked.
        """
        await self.access.rules.refresh()
        catalog = await self.tools.catalog_for(question.tools)
        pipeline = ToolCallingPipeline(
            provider=self.provider,
            catalog=catalog,
            executor=self.tools.executor,
            redactor=self.redactor,
            offering=tool_offering(self.settings.pipeline, catalog, self.access.permit),
        )
        request = RunRequest(
            messages=question.messages,
            model=question.model,
            tools=offered(question.tools),
            principal=self.principal,
            agent="ask" if question.tools else None,
            budget=budget_of(self.settings.pipeline, question.max_cost),
            response_format=None if question.schema is None else ResponseFormat(schema=question.schema),
            max_tokens=question.max_tokens,
            temperature=question.temperature,
            tags=question.tags,
            task=question.task,
        )
        async with aclosing(pipeline.events(request)) as events:
            async for item in events:
                await self._note_unoffered(item, catalog, request.tools)
                yield item

    async def _note_unoffered(
        self, item: Event | RunResult, catalog: ToolCatalog, patterns: Sequence[str]
    ) -> None:
        """Record that a model wanted a tool which it was not offered: no guard ever saw that call."""
        if not isinstance(item, Event) or item.kind is not EventKind.TOOL_REJECTED:
            return
        name = str(item.data.get("tool"))
        if name in META_TOOLS or any(tool.name == name for tool in catalog.list(patterns)):
            return
        call = Call(
            id=str(item.data.get("call")),
            kind=CallKind.TOOL,
            name=name,
            principal=self.principal,
            agent="ask",
            run=item.run,
        )
        verdict = Verdict(allowed=False, reason="The model was not offered this tool.", rule="offered")
        self.alerts.unknown(call)
        with suppress(AuditUnavailableError):  # nothing was done, and nothing will be
            await self._audit.refusal(call, verdict)

    async def explain(
        self, prompt: str, *, policy: str = "default", tools: Sequence[str] = (), task: str | None = None
    ) -> RouteDecision:
        """Which model would answer, and why no other; asks no model.

        Raises:
            NotFoundError: There is no such policy, or a tool pattern fits no tool.
        """
        await self.access.rules.refresh()
        catalog = await self.tools.catalog_for(tools)
        offering = tool_offering(self.settings.pipeline, catalog, self.access.permit)
        request = CompletionRequest(
            model="auto",
            messages=(user(prompt),),
            tools=offering.at_first(catalog.list(tools)) if tools else (),
        )
        call = Call(
            id=new_id("call"),
            kind=CallKind.MODEL,
            name="auto",
            principal=self.principal,
            task=task,
            policy=policy,
        )
        return await self.models.router.explain(request, call)

    async def spec_to_github(self, job: SpecificationJob) -> AsyncGenerator["Event | JobResult", None]:
        """Turn a specification into issues, telling each step; the last item is the account.

        Raises:
            InvalidRequestError: The specification holds no requirement, or is no text.
            ConfigurationError: There is no token for GitHub.
            PermissionDeniedError: The user may not create issues.
        """
        from interlock_runtime._job import run_job

        async with aclosing(run_job(self._house, job)) as events:
            async for item in events:
                yield item

    # ---- skills and health

    @property
    def skill_folders(self) -> tuple[Path, ...]:
        """Where skills are looked for, in order."""
        own = tuple(self.settings.path(folder) for folder in self.settings.skills.folders)
        return (*own, self.settings.home / "skills")

    @property
    def skills(self) -> SkillLibrary:
        """The skills that were found."""
        return SkillLibrary(self.skill_folders)

    def examine_skill(self, folder: Path) -> tuple[Problem, ...]:
        """What is wrong with a skill folder; nothing when it is valid.

        Raises:
            NotFoundError: There is no such folder.
        """
        return examine(folder)[1]

    async def tend(self) -> None:
        """Do what a server does from time to time, until cancelled: retention, proofs, looks at figures."""
        try:
            await self.alerts.retell()
        except InterlockError:
            _logger.exception("alerts of a process that ended could not be told")
        async with asyncio.TaskGroup() as group:
            group.create_task(self.trail.tend())
            group.create_task(self.records.tend())

    async def not_ready(self) -> str | None:
        """Why requests cannot be served just now; None when they can."""
        try:
            await self._store.fetch_one("SELECT 1")
            found = await self.models.list()
        except InterlockError as error:
            return error.message
        return None if found else "No model can be asked: no provider answers."


def budget_of(settings: PipelineSettings, max_cost: Money | None = None) -> Budget:
    """The bounds of a run: the settings', with the caller's own bound of money where given."""
    configured = Money.usd(settings.max_cost_usd) if settings.max_cost_usd else None
    return Budget(
        max_turns=settings.max_turns or None,
        max_tool_calls=settings.max_tool_calls or None,
        max_tokens=settings.max_tokens or None,
        max_cost=configured if max_cost is None else max_cost,
        max_seconds=settings.max_seconds or None,
    )
