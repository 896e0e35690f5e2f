"""Carries out a plan: calls models in its order until one answers.

Rules, in this order: a refusal, or a request that is itself wrong, ends it at once; what the chosen model
cannot hold or cannot do moves on to one that can hold more, or can; a limit of this house on that model or
its provider, a fault of the vendor, its credential or the connection moves on; a stream may move on until its
first token was passed on, and never after. Every attempt that another model made good is told to the
recorder; the last outcome, good or bad, is written to the call's ending.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from interlock_core import (
    Call,
    Chunk,
    Clock,
    Completion,
    CompletionRequest,
    Ending,
    ModelInfo,
    Money,
    Outcome,
    Recorder,
    RouteDecision,
    Usage,
)
from interlock_core.errors import (
    ContextLengthError,
    InterlockError,
    OverloadedError,
    ProtocolError,
    RateLimitedError,
    UnsupportedError,
    UpstreamTimeoutError,
)
from interlock_router._decide import Attempt, Plan
from interlock_router._health import Health, worth_another
from interlock_router._outcome import StreamNotes, failed, streamed, succeeded

OnDecision: TypeAlias = Callable[[RouteDecision], None]
"""Is told each decision that is carried out."""

OnAnswer: TypeAlias = Callable[[Plan, str, Call | None], None]
"""Is told which model answered a plan, and on whose call."""


@dataclass(slots=True)
class _Run:
    """One plan under way.

    Attributes:
        plan: The plan.
        request: What is asked.
        call: By whom and within which bounds.
        started: When, on the monotonic clock.
        began: When the present attempt began.
        spent: Calls to vendors of the attempts that failed.
        left: The models that failed, with the codes of their errors.
        queue: The attempts that remain.
    """

    plan: Plan
    request: CompletionRequest
    call: Call | None
    started: float
    began: float
    queue: list[Attempt]
    spent: int = 0
    left: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def task(self) -> str:
        """Class of the task."""
        return self.plan.decision.task

    @property
    def decision(self) -> RouteDecision:
        """The decision, with what failed since."""
        if not self.left:
            return self.plan.decision
        told = ", ".join(f"{model} ({code.replace('_', ' ')})" for model, code in self.left)
        return replace(self.plan.decision, reason=f"{self.plan.decision.reason} Fell back from {told}.")

    def inner(self, attempt: Attempt) -> Call | None:
        """The call as the provider of an attempt sees it, with an ending of its own."""
        if self.call is None:
            return None
        return replace(self.call, name=attempt.entry.id, task=self.task, ending=Ending())

    def end(self, outcome: Outcome) -> None:
        """Write what became of the call."""
        if self.call is not None:
            self.call.ending.outcome = outcome


class Runner:
    """Carries out plans.

    Args:
        health: Told how each call went, and asked before each call.
        clock: Its monotonic time measures calls and is compared with deadlines.
        recorder: Told of failed attempts that another model made good.
        on_decision: Told each decision.
        on_answer: Told who answered which plan.
    """

    __slots__ = ("_clock", "_health", "_on_answer", "_on_decision", "_recorder")

    def __init__(
        self,
        health: Health,
        clock: Clock,
        *,
        recorder: Recorder | None,
        on_decision: OnDecision | None,
        on_answer: OnAnswer,
    ) -> None:
        self._health = health
        self._clock = clock
        self._recorder = recorder
        self._on_decision = on_decision
        self._on_answer = on_answer

    async def complete(self, plan: Plan, request: CompletionRequest, call: Call | None) -> Completion:
        """The first whole answer.

        Raises:
            InterlockError: The request's own fault at once, else the last model's error.
        """
        run = self._begin(plan, request, call)
        attempt = self._first(run)
        while True:
            provider = attempt.entry.provider
            try:
                answer = await provider.complete(attempt.fit(request), run.inner(attempt))
            except InterlockError as error:
                attempt = self._following(run, attempt, error)
            except BaseException as error:
                self._broken_off(run, attempt, error)
                raise
            else:
                return self._answered(run, attempt, answer)

    async def stream(
        self, plan: Plan, request: CompletionRequest, call: Call | None
    ) -> AsyncGenerator[Chunk, None]:
        """The first answer that begins, piece by piece; what a model sent before its first token is held.

        Raises:
            InterlockError: The request's own fault at once, else the last model's error; after the first
                token the error of the model that was answering.
        """
        run = self._begin(plan, request, call)
        attempt = self._first(run)
        while True:
            notes = StreamNotes()
            source = attempt.entry.provider.stream(attempt.fit(request), run.inner(attempt))
            try:
                async with aclosing(source) as chunks:
                    async for chunk in chunks:
                        for ready in notes.take(chunk):
                            yield self._dressed(run, attempt, notes, ready)
                _must_have_begun(attempt, notes)
            except InterlockError as error:
                attempt = self._following(run, attempt, error, notes)
            except BaseException as error:
                self._broken_off(run, attempt, error, notes)
                raise
            else:
                self._streamed(run, attempt, notes)
                return

    def _begin(self, plan: Plan, request: CompletionRequest, call: Call | None) -> _Run:
        if self._on_decision is not None:
            self._on_decision(plan.decision)
        now = self._clock.monotonic()
        return _Run(plan, request, call, now, now, list(plan.attempts))

    def _first(self, run: _Run) -> Attempt:
        model = run.plan.decision.chosen
        error: InterlockError | None = None
        if self._late(run):
            error = UpstreamTimeoutError(
                "The time for this request was over before a model was asked.", remedy="Allow it more time."
            )
        attempt = None if error else self._next(run)
        if attempt is not None:
            return attempt
        error = error or OverloadedError(
            "Every model that can take this request is being tried after a failure.",
            remedy="Wait a moment, or add a model.",
            retry_after=self._health.retry_after(model) or 1.0,
        )
        run.end(failed(error, model=model, task=run.task, duration_s=0.0, attempts=0))
        raise error

    def _next(self, run: _Run, *, above: int | None = None) -> Attempt | None:
        """The next attempt that may be made, or None.

        Args:
            run: The plan under way.
            above: Only a model with a larger context, or an unknown one, will do.
        """
        while run.queue:
            attempt = run.queue.pop(0)
            context = attempt.entry.info.context_tokens
            if above is not None and context is not None and context <= above:
                continue
            # A model that the caller named is asked however ill it is; the breaker still learns.
            if self._health.allow(attempt.entry.id) or run.plan.manual:
                run.began = self._clock.monotonic()
                return attempt
        return None

    def _following(
        self, run: _Run, attempt: Attempt, error: InterlockError, notes: StreamNotes | None = None
    ) -> Attempt:
        """The attempt that takes the place of a failed one.

        Raises:
            InterlockError: The error that was given, when there is none; the ending is written then.
        """
        entry = attempt.entry
        self._health.failure(entry.id, error)
        run.spent += notes.attempts if notes else 1
        begun = notes is not None and notes.first_token_s is not None
        following = None
        if not begun and not run.plan.manual and not self._late(run) and _may_move_on(error):
            above = entry.info.context_tokens if isinstance(error, ContextLengthError) else None
            following = self._next(run, above=above)
        now = self._clock.monotonic()
        if following is None:
            outcome = failed(
                error, model=entry.id, task=run.task, duration_s=now - run.started, attempts=run.spent
            )
            run.end(notes.onto(outcome) if notes else outcome)
            raise error
        run.left.append((entry.id, error.code))
        inner = run.inner(attempt)
        if self._recorder is not None and inner is not None:
            duration = now - run.began
            self._recorder.record(
                inner, failed(error, model=entry.id, task=run.task, duration_s=duration, attempts=1)
            )
        return following

    def _broken_off(
        self, run: _Run, attempt: Attempt, error: BaseException, notes: StreamNotes | None = None
    ) -> None:
        self._health.abandon(attempt.entry.id)
        duration = self._clock.monotonic() - run.started
        attempts = run.spent + (notes.attempts if notes else 1)
        outcome = failed(error, model=attempt.entry.id, task=run.task, duration_s=duration, attempts=attempts)
        run.end(notes.onto(outcome) if notes else outcome)

    def _answered(self, run: _Run, attempt: Attempt, answer: Completion) -> Completion:
        self._health.success(attempt.entry.id)
        self._on_answer(run.plan, attempt.entry.id, run.call)
        answer = replace(
            answer,
            attempts=run.spent + answer.attempts,
            decision=run.decision,
            cost=_cost(answer.cost, answer.usage, attempt.entry.info),
        )
        duration = self._clock.monotonic() - run.started
        run.end(succeeded(answer, task=run.task, tools=run.request.tools, duration_s=duration))
        return answer

    def _streamed(self, run: _Run, attempt: Attempt, notes: StreamNotes) -> None:
        self._health.success(attempt.entry.id)
        self._on_answer(run.plan, attempt.entry.id, run.call)
        cost = _cost(notes.cost, notes.usage, attempt.entry.info)
        outcome = streamed(
            replace(notes, cost=cost, attempts=run.spent + notes.attempts),
            model=attempt.entry.id,
            task=run.task,
            tools=run.request.tools,
            duration_s=self._clock.monotonic() - run.started,
        )
        run.end(outcome)

    def _dressed(self, run: _Run, attempt: Attempt, notes: StreamNotes, chunk: Chunk) -> Chunk:
        """A chunk as it is passed on; most go through untouched."""
        if notes.first_token_s is None:
            notes.first_token_s = self._clock.monotonic() - run.started
            chunk = replace(chunk, decision=run.decision, model=chunk.model or attempt.entry.id)
        if run.spent:
            chunk = replace(chunk, attempts=run.spent + chunk.attempts)
        if chunk.usage is not None and chunk.cost is None:
            chunk = replace(chunk, cost=_cost(None, chunk.usage, attempt.entry.info))
        return chunk

    def _late(self, run: _Run) -> bool:
        deadline = run.call.deadline if run.call else None
        return deadline is not None and self._clock.monotonic() >= deadline


def _may_move_on(error: InterlockError) -> bool:
    return worth_another(error) or isinstance(error, ContextLengthError | UnsupportedError | RateLimitedError)


def _must_have_begun(attempt: Attempt, notes: StreamNotes) -> None:
    if notes.first_token_s is None:
        raise ProtocolError(
            f"{attempt.entry.id} ended its answer before it began.",
            remedy="Try again.",
            vendor=attempt.entry.info.provider,
        )


def _cost(told: Money | None, usage: Usage | None, info: ModelInfo) -> Money | None:
    """The price that the provider told, else the one that usage and price list give, else None."""
    if told is not None or usage is None or info.price is None:
        return told
    return info.price.cost(usage)
