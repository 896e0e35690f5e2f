"""The tool calls of one turn: each is answered, whatever happens to it.

A call that names no offered tool, carries broken arguments, is refused or fails becomes a result that says
so in words the model can act on. Reads run side by side; a turn in which anything changes the world runs in
the order that the model wrote. Every call has an agent, for a model decided on it: guards judge it as such
even where the run names none.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from interlock_core import (
    Call,
    CallKind,
    Clock,
    JsonObject,
    Text,
    ToolCall,
    ToolExecutor,
    ToolResult,
    ToolSpec,
    new_id,
)
from interlock_core.errors import (
    BudgetExceededError,
    CallerError,
    EgressRefusedError,
    InterlockError,
    NotFoundError,
    RefusedError,
    UpstreamTimeoutError,
)
from interlock_core.nearest import suggestion
from interlock_pipeline._approval import ApprovalNews, hearing_approvals

_SIDE_BY_SIDE = 8
_UNNAMED = "agent"


@dataclass(frozen=True, slots=True)
class Began:
    """A call is about to be made."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Asked:
    """A person is asked about a call, or has answered."""

    call: ToolCall
    news: ApprovalNews


@dataclass(frozen=True, slots=True)
class Ended:
    """A call has its result.

    Attributes:
        call: The call.
        result: Its result.
        rejected: It was not made: refused, unknown, or wrong in itself.
        duration_s: Seconds that it took.
    """

    call: ToolCall
    result: ToolResult
    rejected: bool = False
    duration_s: float = 0.0


_News: TypeAlias = Began | Asked | Ended


class Turn:
    """Executes the calls of one turn.

    Args:
        executor: Makes the calls; guards are around it.
        offered: The tools that the model may call, by name.
        clock: Time.
        may: Whether a tool may be called; no other is suggested.
    """

    __slots__ = ("_clock", "_executor", "_may", "_offered", "_spelled")

    def __init__(
        self,
        executor: ToolExecutor,
        offered: Mapping[str, ToolSpec],
        clock: Clock,
        may: Callable[[ToolSpec], bool] = lambda _: True,
    ) -> None:
        self._may = may
        self._executor = executor
        self._offered = offered
        self._clock = clock
        self._spelled: dict[str, list[str]] | None = None

    async def execute(
        self, calls: Sequence[ToolCall], context: Call, *, timeout_s: float | None = None
    ) -> AsyncGenerator[_News, None]:
        """Make every call, telling when each begins and ends; closing this ends what is still on its way.

        When the time is over, every call that has no result by then gets one that says so.
        """
        news: asyncio.Queue[_News | None] = asyncio.Queue()
        began: set[str] = set()
        ended: set[str] = set()
        worker = asyncio.create_task(self._all(calls, context, news))
        worker.add_done_callback(lambda _: news.put_nowait(None))
        until = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
        try:
            while True:
                try:
                    async with asyncio.timeout_at(until):
                        item = await news.get()
                except TimeoutError:
                    until = None
                    worker.cancel()
                    continue
                if item is None:
                    break
                if not isinstance(item, Asked):
                    (began if isinstance(item, Began) else ended).add(item.call.id)
                yield item
            if not worker.cancelled():
                worker.result()
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
        for call in calls:
            if call.id not in ended:
                yield self._out_of_time(call, begun=call.id in began)

    async def _all(self, calls: Sequence[ToolCall], context: Call, news: asyncio.Queue[_News | None]) -> None:
        specs = [self._meant(call.name) for call in calls]
        acts = any(spec is not None and spec.effect.has_side_effects for spec in specs)
        await (self._in_order if acts else self._side_by_side)(calls, context, news)

    async def _in_order(
        self, calls: Sequence[ToolCall], context: Call, news: asyncio.Queue[_News | None]
    ) -> None:
        for call in calls:
            if not _is_cancelled():
                await self._one(call, context, news)

    async def _side_by_side(
        self, calls: Sequence[ToolCall], context: Call, news: asyncio.Queue[_News | None]
    ) -> None:
        gate = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def gated(call: ToolCall) -> None:
            async with gate:
                await self._one(call, context, news)

        tasks = [asyncio.create_task(gated(call)) for call in calls]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, call: ToolCall, context: Call, news: asyncio.Queue[_News | None]) -> None:
        spec = self._meant(call.name)
        if spec is None:
            known = suggestion(call.name, [name for name, tool in self._offered.items() if self._may(tool)])
            error = NotFoundError(f"No tool {call.name!r} is offered in this run.", remedy=known)
            news.put_nowait(Ended(call, failed(call, error), rejected=True))
            return
        news.put_nowait(Began(call))
        started = self._clock.monotonic()
        rejected = False
        try:
            named = call if call.name == spec.name else replace(call, name=spec.name)
            with hearing_approvals(lambda told: news.put_nowait(Asked(call, told))):
                result = await self._executor.execute(named, acting(context, spec, named))
        except InterlockError as error:
            result, rejected = failed(call, error), isinstance(error, RefusedError | CallerError)
            if isinstance(error, EgressRefusedError) and spec.untrusted:
                result = replace(result, untrusted=True)
        news.put_nowait(Ended(call, _addressed(result, call), rejected, self._clock.monotonic() - started))

    def _meant(self, name: str) -> ToolSpec | None:
        """The tool of a name, or the only one whose name differs in capitals and punctuation alone.

        A tool that was not shown in this turn is called as its vendor would have written it.
        """
        exact = self._offered.get(name)
        if exact is not None:
            return exact
        if self._spelled is None:
            self._spelled = {}
            for known in self._offered:
                self._spelled.setdefault(_letters(known), []).append(known)
        meant = self._spelled.get(_letters(name), [])
        return self._offered[meant[0]] if len(meant) == 1 else None

    def _out_of_time(self, call: ToolCall, *, begun: bool) -> Ended:
        if not begun:
            return not_made(call, BudgetExceededError("The run's time was over before this call was made."))
        spec = self._meant(call.name)
        acts = spec is not None and spec.effect.has_side_effects
        unknown = " Whether it has happened is not known." if acts else ""
        error = UpstreamTimeoutError(f"The run's time was over before this call had its answer.{unknown}")
        return Ended(call, failed(call, error))


def _is_cancelled() -> bool:
    """Whether this task was told to end, even where an executor took no notice."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def not_made(call: ToolCall, error: InterlockError) -> Ended:
    """The answer to a call that was not made."""
    return Ended(call, failed(call, error), rejected=True)


def acting(context: Call, spec: ToolSpec, call: ToolCall) -> Call:
    """The guarded call of a tool on which a model decided: it has an agent even where the run names none."""
    return replace(tool_context(context, spec, call), agent=context.agent or _UNNAMED)


def _letters(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name.lower())


def tool_context(context: Call, spec: ToolSpec, call: ToolCall) -> Call:
    """The guarded call of a tool, made from the context of its run.

    The calls of one turn see the taint from before it: the model had not read what they bring back.
    """
    return Call(
        id=new_id("call"),
        kind=CallKind.TOOL,
        name=spec.name,
        principal=context.principal,
        agent=context.agent,
        run=context.run,
        effect=spec.effect,
        category=spec.category,
        tags=context.tags,
        taint=context.taint,
        budget=context.budget,
        deadline=context.deadline,
        arguments=_arguments(call),
        trace_id=context.trace_id,
    )


def failed(call: ToolCall, error: InterlockError) -> ToolResult:
    """An error as a result that a model can read.

    What was refused or wrong before anything was sent is told in our own words; any other error may quote
    the other side, and so is as untrusted as its answers are. An address that may not be reached can be one
    that the other side sent on to: whoever knows the tool says whether its words are trusted.
    """
    prefix = "Refused: " if isinstance(error, RefusedError) else ""
    return ToolResult(
        call_id=call.id,
        name=call.name,
        content=(Text(f"{prefix}{error}"),),
        is_error=True,
        error_code=error.code,
        status=error.vendor_status,
        untrusted=not isinstance(error, RefusedError | CallerError),
    )


def _addressed(result: ToolResult, call: ToolCall) -> ToolResult:
    """The result under the call's own id and name: a vendor refuses an answer to nobody."""
    if result.call_id == call.id and result.name == call.name:
        return result
    return replace(result, call_id=call.id, name=call.name)


def _arguments(call: ToolCall) -> JsonObject | None:
    try:
        return call.parsed()
    except InterlockError:
        return None
