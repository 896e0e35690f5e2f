"""The loop: ask the model, make the calls it wants, show it the results, until it answers.

One turn: budget → model (streamed) → calls validated and executed → results back. A run ends with an
answer, at a budget, when it goes in circles, when the model refuses, or with an error. What it has by then
is kept, and its messages can be continued.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from interlock_core import (
    Call,
    Chunk,
    Clock,
    CompletionRequest,
    Event,
    EventKind,
    FinishReason,
    Json,
    JsonObject,
    Provider,
    Redactor,
    RunRequest,
    RunResult,
    StopReason,
    SystemClock,
    TokenCounter,
    ToolCall,
    ToolCatalog,
    ToolExecutor,
    ToolSpec,
    new_id,
)
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import (
    AnswerFormatError,
    InterlockError,
    NotFoundError,
    UpstreamError,
    UpstreamTimeoutError,
)
from interlock_core.messages import user
from interlock_core.nearest import suggestion
from interlock_core.tokens import EstimatingCounter
from interlock_pipeline._answer import (
    BROKEN,
    CUT,
    End,
    end_at_bound,
    end_of_answer,
    end_of_failure,
    format_problem,
    is_sendable,
    why_not_made,
    with_readable_arguments,
)
from interlock_pipeline._budget import BudgetMeter
from interlock_pipeline._events import Teller
from interlock_pipeline._finding import FindingExecutor
from interlock_pipeline._offer import Allowed, Offer, ToolOffering
from interlock_pipeline._run import Run, tainted
from interlock_pipeline._turn import Ended, Turn, acting, not_made

_FORMAT_RETRIES = 2


class ToolCallingPipeline:
    """Runs agents: the [`Runner`][interlock_core.protocols.Runner] of the house.

    Args:
        provider: Answers the model requests; usually the router.
        catalog: The tools that exist.
        executor: Makes tool calls; its guards are its own.
        redactor: Hides secrets in events; without one, events carry no arguments or results.
        clock: Time.
        counter: Estimates the tokens that no vendor counted, where a run has a bound of them.
        offering: How many tools a model is shown at a time; above it, the model finds them itself.
    """

    def __init__(
        self,
        *,
        provider: Provider,
        catalog: ToolCatalog,
        executor: ToolExecutor,
        redactor: Redactor | None = None,
        clock: Clock | None = None,
        counter: TokenCounter | None = None,
        offering: ToolOffering | None = None,
    ) -> None:
        self._provider = provider
        self._catalog = catalog
        self._executor = executor
        self._redactor = redactor
        self._clock = clock or SystemClock()
        self._counter = counter or EstimatingCounter()
        self._offering = offering or ToolOffering()

    async def run(self, request: RunRequest) -> RunResult:
        """Run to the end.

        Raises:
            NotFoundError: A pattern of `tools` fits no tool.
            InterlockError: The model could not be asked, and nothing was reached. What a tool does wrong is
                no error of the run, and what fails later is a result with what was reached.
        """
        async with aclosing(self.events(request)) as events:
            async for item in events:
                if isinstance(item, RunResult):
                    return item
        raise UpstreamError("The run ended without a result.")  # pragma: no cover - events ends in one

    async def events(self, request: RunRequest) -> AsyncGenerator[Event | RunResult, None]:
        """Run to the end, telling each step; the last item is the result.

        Raises:
            NotFoundError: A pattern of `tools` fits no tool.
            InterlockError: The model could not be asked, and nothing was reached; a `run.failed` event comes
                first.
        """
        run = self._start(request)
        offered: list[Json] = [*sorted(tool.name for tool in run.offer.tools)]
        facts: JsonObject = {"model": request.model, "tools": offered, "agent": request.agent}
        if run.offer.searching:
            facts["tools_to_find"] = len(run.offer.usable) - len(run.offer.asleep)
        yield run.tell.event(EventKind.RUN_STARTED, facts)
        while run.end is None:
            async with aclosing(self._turn(run)) as turn:
                async for event in turn:
                    yield event
        for event in run.tell.ended(run.end):
            yield event
        if run.end.error is not None and not run.reached_something:
            raise run.end.error
        yield run.result(run.end)

    def _start(self, request: RunRequest) -> Run:
        wanted = request.response_format
        if wanted is not None and wanted.schema is not None:
            from interlock_core.schema import validator

            validator(wanted.schema)
        name = request.run or new_id("run")
        heard = [result for message in request.messages for result in message.tool_results]
        usable = {tool.name: tool for tool in self._offered(request.tools)}
        run = Run(
            request=request,
            id=name,
            meter=BudgetMeter(request.budget, self._clock, self._counter),
            tell=Teller(name, self._clock, self._redactor),
            messages=list(request.messages),
            offer=Offer(usable, self._offering, self._catalog),
            taint=tainted(heard),
        )
        run.offer.hear(heard)
        if run.offer.searching:
            prompts = [message.text for message in request.messages if message.role == "user"]
            may = self._allowed(run.context())
            run.offer.pin(may)
            run.offer.seed(prompts[-1] if prompts else "", may)
        return run

    def _allowed(self, context: Call) -> Allowed:
        """Which tools the one that makes a call may call too."""
        permit = self._offering.permit
        if permit is None:
            return lambda _: True

        def may(tool: ToolSpec) -> bool:
            asked = ToolCall(id=context.id, name=tool.name, arguments="{}")
            return permit.may(acting(context, tool, asked)).allowed

        return may

    def _offered(self, patterns: Sequence[str]) -> Sequence[ToolSpec]:
        for pattern in patterns:
            if not self._catalog.list((pattern,)):
                names = [tool.name for tool in self._catalog.list()]
                raise NotFoundError(
                    f"No tool fits {pattern!r}.",
                    field="tools",
                    remedy=f"{suggestion(pattern, names)} `interlock tools list` shows them.",
                )
        return self._catalog.list(patterns) if patterns else ()

    async def _turn(self, run: Run) -> AsyncGenerator[Event, None]:
        """One answer and what follows from it."""
        asked = run.meter.fit(run.next_request())
        bound = run.meter.before_turn(asked)
        if bound is not None:
            run.end = end_at_bound(bound)
            return
        async with aclosing(self._ask(run, asked)) as events:
            async for event in events:
                yield event
        run.end = _broken_off(run)
        after = self._after_calls if run.answer.message.tool_calls else self._after_words
        async with aclosing(after(run)) as events:
            async for event in events:
                yield event

    async def _ask(self, run: Run, asked: CompletionRequest) -> AsyncGenerator[Event, None]:
        """Stream one answer into the run; what breaks it off is left there too."""
        tell = run.tell
        yield tell.event(EventKind.MODEL_STARTED, {"turn": run.meter.turns + 1})
        assembler = CompletionAssembler()
        words = {kind: tell.words() for kind in (EventKind.REASONING_DELTA, EventKind.TEXT_DELTA)}
        async with aclosing(self._provider.stream(asked, run.context())) as chunks:
            while (chunk := await _next_chunk(run, chunks)) is not None:
                assembler.feed(chunk)
                if chunk.decision is not None:
                    yield tell.event(EventKind.ROUTE_DECIDED, chunk.decision.as_json())
                for kind, piece in zip(words, (chunk.reasoning, chunk.text), strict=True):
                    if shown := words[kind].feed(piece):
                        yield tell.event(kind, {"text": shown})
        for kind, held in words.items():
            if shown := held.flush():
                yield tell.event(kind, {"text": shown})
        answer = assembler.completion(created=int(self._clock.now()))
        mended: tuple[str, ...] = ()
        if answer.finish not in CUT:
            message, mended = with_readable_arguments(answer.message)
            answer = replace(answer, message=message) if mended else answer
        run.heard(asked, answer)
        for sentence in (*mended, *(said for said in answer.adapted if said not in run.told)):
            yield tell.warning(sentence)
        run.told.update(answer.adapted)
        yield tell.answered(run.answer)

    async def _after_calls(self, run: Run) -> AsyncGenerator[Event, None]:
        """Make the calls of the answer, or answer each with why it was not made."""
        calls = run.answer.message.tool_calls
        for call in calls:
            yield run.tell.proposed(call)
        ended: dict[str, Ended] = {}
        why_not = why_not_made(run.end, run.answer)
        if why_not is None:
            run.meter.tool_calls += len(calls)
            may = self._allowed(run.context())
            turn = Turn(self._executing(run), run.offer.callable, self._clock, may)
            left = run.meter.remaining_s
            async with aclosing(turn.execute(calls, run.context(), timeout_s=left)) as news:
                async for item in news:
                    if isinstance(item, Ended):
                        ended[item.call.id] = item
                    yield run.tell.called(item)
        else:
            for call in calls:
                ended[call.id] = not_made(call, why_not)
                yield run.tell.called(ended[call.id])
        results = [ended[call.id].result for call in calls]
        run.answered(results)
        run.offer.hear(results)
        circle = run.circles.note(calls, results)
        if circle is not None and run.end is None:
            run.end = End(stop=StopReason.LOOP, detail=circle)

    def _executing(self, run: Run) -> ToolExecutor:
        """What makes the calls of a run."""
        if not run.offer.searching:
            return self._executor
        return FindingExecutor(self._executor, run.offer, self._allowed)

    async def _after_words(self, run: Run) -> AsyncGenerator[Event, None]:
        """End with the answer, ask for another form of it, or go on where its vendor only paused."""
        if run.end is not None:
            return
        if run.answer.finish is FinishReason.PAUSED and is_sendable(run.answer.message):
            return
        run.end = end_of_answer(run.answer)
        wanted = run.request.response_format
        if wanted is None or run.end.stop is not StopReason.ANSWERED:
            return
        problem = format_problem(wanted, run.answer)
        if problem is None:
            return
        wrong = f"That answer does not have the form asked for. {problem}"
        if run.format_retries == _FORMAT_RETRIES:
            run.end = End(stop=StopReason.FAILED, detail=wrong)
            return
        run.end = None
        run.format_retries += 1
        run.messages.append(user(f"{wrong} Answer again."))
        yield run.tell.warning(wrong)


async def _next_chunk(run: Run, chunks: AsyncGenerator[Chunk, None]) -> Chunk | None:
    """The next chunk; None at the end, whether it is a good one, an error's or the time's."""
    remaining = run.meter.remaining_s
    if remaining is not None and remaining <= 0:
        run.timed_out = True
        return None
    timeout = asyncio.timeout(remaining)
    try:
        async with timeout:
            return await anext(chunks, None)
    except TimeoutError as error:
        run.timed_out = timeout.expired()
        if not run.timed_out:
            run.failure = UpstreamTimeoutError("The model did not answer in time.")
            run.failure.__cause__ = error
    except AnswerFormatError:
        # The words are all here; this loop asks for another form of them itself, and shows what was wrong.
        return Chunk(finish=FinishReason.STOP)
    except InterlockError as error:
        run.failure = error
    return None


def _broken_off(run: Run) -> End | None:
    """What ends the run before the calls of an answer may be made; None when nothing does."""
    answer = run.answer
    if answer.finish is FinishReason.ERROR and run.failure is not None:
        return end_of_failure(run.failure)
    if answer.finish is FinishReason.ERROR and run.timed_out:
        return end_at_bound(run.meter.time_bound)
    if answer.finish in BROKEN:
        return end_of_answer(answer)
    calls = answer.message.tool_calls
    bound = None
    if calls:
        bound = run.meter.before_calls(len(calls))
    elif answer.finish in CUT:
        bound = run.meter.spent()
    return None if bound is None else end_at_bound(bound)
