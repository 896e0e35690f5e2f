"""Guards around providers and executors: every call passes them in one order, and they see how it ended."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import TypeAlias

from interlock_core import (
    Call,
    CallKind,
    Chunk,
    Completion,
    CompletionRequest,
    Embeddings,
    Guard,
    Message,
    ModelInfo,
    Money,
    Outcome,
    Prepared,
    Principal,
    Provider,
    ToolCall,
    ToolExecutor,
    ToolResult,
    Usage,
    new_id,
)
from interlock_core.assembly import CompletionAssembler

PriceOf: TypeAlias = Callable[[str], Awaitable[Money | None]]
"""What one call of a tool costs, by its name; None where nobody stated it."""


class GuardedProvider:
    """Wraps a provider: each request is made inside every guard, the first one outermost.

    Args:
        inner: Answers the requests.
        guards: The rules, outermost first.
        nobody: Who asks when a request comes without a call.
    """

    def __init__(self, inner: Provider, guards: Sequence[Guard], *, nobody: Principal) -> None:
        self._inner = inner
        self._guards = tuple(guards)
        self._nobody = nobody

    @property
    def name(self) -> str:
        """Name of the wrapped provider."""
        return self._inner.name

    def _call(self, model: str, call: Call | None) -> Call:
        if call is None:
            return Call(id=new_id("call"), kind=CallKind.MODEL, name=model, principal=self._nobody)
        return call

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Answer a request whole, inside the guards."""
        guarded = self._call(request.model, call)
        started = time.monotonic()
        async with AsyncExitStack() as stack:
            for guard in self._guards:
                await stack.enter_async_context(guard.around(guarded))
            try:
                completion = await self._inner.complete(request, guarded)
            except BaseException as error:
                _settle(guarded, Outcome.failure(error, duration_s=time.monotonic() - started))
                raise
            _settle(guarded, _outcome(completion, time.monotonic() - started, None))
        return completion

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer a request piece by piece, inside the guards; leaving early ends it at once."""
        guarded = self._call(request.model, call)
        started = time.monotonic()
        assembler = CompletionAssembler()
        first: float | None = None
        async with AsyncExitStack() as stack:
            for guard in self._guards:
                await stack.enter_async_context(guard.around(guarded))
            try:
                async with aclosing(self._inner.stream(request, guarded)) as chunks:
                    async for chunk in chunks:
                        if first is None and (chunk.text or chunk.tool_calls or chunk.reasoning):
                            first = time.monotonic() - started
                        assembler.feed(chunk)
                        yield chunk
            except BaseException as error:
                failure = Outcome.failure(error, duration_s=time.monotonic() - started)
                said = assembler.completion()
                _settle(
                    guarded,
                    replace(
                        failure,
                        usage=said.usage,
                        cost=said.cost,
                        first_token_s=first,
                        model=said.model or None,
                    ),
                )
                _estimate(guarded, request, said)
                raise
            _settle(guarded, _outcome(assembler.completion(), time.monotonic() - started, first))

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """Make one vector a text, inside the guards."""
        guarded = self._call(model, call)
        started = time.monotonic()
        async with AsyncExitStack() as stack:
            for guard in self._guards:
                await stack.enter_async_context(guard.around(guarded))
            try:
                vectors = await self._inner.embed(model, texts, guarded)
            except BaseException as error:
                guarded.ending.outcome = Outcome.failure(error, duration_s=time.monotonic() - started)
                raise
            guarded.ending.outcome = Outcome(
                ok=True,
                model=vectors.model,
                usage=vectors.usage,
                cost=vectors.cost,
                duration_s=time.monotonic() - started,
            )
        return vectors

    async def models(self) -> Sequence[ModelInfo]:
        """Every model that can be asked."""
        return await self._inner.models()

    async def aclose(self) -> None:
        """Close the wrapped provider."""
        await self._inner.aclose()


def _settle(call: Call, outcome: Outcome) -> None:
    """Write what became of a call, unless whoever made it knew better and wrote it already."""
    if call.ending.outcome is None:
        call.ending.outcome = outcome


def _estimate(call: Call, request: CompletionRequest, said: Completion) -> None:
    """Put an estimate where a stream broke off before its usage was told: it cost something all the same."""
    outcome = call.ending.outcome
    if outcome is None or outcome.usage is not None or not said.message.content:
        return
    from interlock_core.tokens import EstimatingCounter

    def size(message: Message) -> int:
        return counter.count(CompletionRequest(model=said.model, messages=(message,))).tokens

    counter = EstimatingCounter()
    heard = max(1, size(said.message) - size(Message("assistant", ())))
    usage = Usage(input_tokens=counter.count(request).tokens, output_tokens=heard, exact=False)
    call.ending.outcome = replace(outcome, usage=usage)


def _outcome(completion: Completion, duration_s: float, first: float | None) -> Outcome:
    decision = completion.decision
    return Outcome(
        ok=True,
        model=completion.model,
        task=decision.task if decision is not None else None,
        usage=completion.usage,
        cost=completion.cost,
        duration_s=duration_s,
        first_token_s=first,
        attempts=completion.attempts,
        tool_calls=len(completion.message.tool_calls),
    )


class PricedExecutor:
    """Wraps an executor: each call says what it can cost, as far as a price of its tool is stated.

    A bound that came with the call is not believed: whoever makes a call does not set its price.

    Args:
        inner: Makes the calls.
        price_of: What one call of a tool costs.
    """

    def __init__(self, inner: ToolExecutor, price_of: PriceOf) -> None:
        self._inner = inner
        self._price_of = price_of

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """Validate a call and build the exact request, without sending it."""
        return await self._inner.prepare(call, context)

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """Make a call that says what it can cost.

        Raises:
            StoreError: The prices cannot be read, so it is not made.
        """
        return await self._inner.execute(call, replace(context, cost_bound=await self._price_of(call.name)))


class GuardedExecutor:
    """Wraps an executor: each call is made inside every guard, the first one outermost.

    Args:
        inner: Makes the calls.
        guards: The rules, outermost first.
    """

    def __init__(self, inner: ToolExecutor, guards: Sequence[Guard]) -> None:
        self._inner = inner
        self._guards = tuple(guards)

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """Validate a call and build the exact request, without sending it."""
        return await self._inner.prepare(call, context)

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """Make a call inside the guards; it is validated before any of them sees it."""
        prepared = await self._inner.prepare(call, context)
        guarded = replace(context, arguments=prepared.arguments)
        started = time.monotonic()
        async with AsyncExitStack() as stack:
            for guard in self._guards:
                await stack.enter_async_context(guard.around(guarded))
            try:
                result = await self._inner.execute(call, guarded)
            except BaseException as error:
                guarded.ending.outcome = Outcome.failure(error, duration_s=time.monotonic() - started)
                raise
            guarded.ending.outcome = Outcome(
                ok=not result.is_error,
                error=result.error_code,
                status=result.status,
                duration_s=time.monotonic() - started,
                summary=result.text,
            )
        return result
