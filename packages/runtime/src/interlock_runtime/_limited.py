"""A provider within limits: each request is charged before it is made, and settled by what it used."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from interlock_core import Call, Chunk, Completion, CompletionRequest, Embeddings, ModelInfo, Provider

if TYPE_CHECKING:
    from interlock_security.limits import LimitGuard

ASSUMED_OUTPUT_TOKENS = 1_024
"""What an answer is charged for before it is made where its request names no `max_tokens`."""

_BYTES_AROUND = 16
"""Tokens that a template may add around a text for a vector."""

CountInput = Callable[[CompletionRequest], int]
"""Gives a bound of a request's input tokens."""


class LimitedProvider:
    """Wraps a provider: a call passes when its limits have room.

    A request is charged for the bound of its input and for `max_tokens` of output, and after it for the
    tokens that it used. Nobody's calls, those without a `Call`, are the house's own and pass.

    Args:
        inner: Answers the requests.
        guard: The limits.
        count: Gives the bound of a request's input.
    """

    def __init__(self, inner: Provider, guard: "LimitGuard", count: CountInput) -> None:
        self._inner = inner
        self._guard = guard
        self._count = count

    @property
    def name(self) -> str:
        """Name of the wrapped provider."""
        return self._inner.name

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Answer a request whole."""
        if call is None:
            return await self._inner.complete(request, call)
        async with self._guard.charged(call, tokens=lambda: self._bound(request)) as charge:
            completion = await self._inner.complete(request, call)
            if completion.usage is not None:
                charge.tokens = completion.usage.total_tokens
            return completion

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer a request piece by piece."""
        if call is None:
            async with aclosing(self._inner.stream(request, call)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        async with (
            self._guard.charged(call, tokens=lambda: self._bound(request)) as charge,
            aclosing(self._inner.stream(request, call)) as chunks,
        ):
            async for chunk in chunks:
                if chunk.usage is not None:
                    charge.tokens = chunk.usage.total_tokens
                yield chunk

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """Make one vector a text."""
        if call is None:
            return await self._inner.embed(model, texts, call)
        async with self._guard.charged(call, tokens=lambda: _bytes(texts)) as charge:
            vectors = await self._inner.embed(model, texts, call)
            if vectors.usage is not None:
                charge.tokens = vectors.usage.total_tokens
            return vectors

    async def models(self) -> Sequence[ModelInfo]:
        """Every model that can be asked."""
        return await self._inner.models()

    async def aclose(self) -> None:
        """Close the wrapped provider."""
        await self._inner.aclose()

    def _bound(self, request: CompletionRequest) -> int:
        output = ASSUMED_OUTPUT_TOKENS if request.max_tokens is None else request.max_tokens
        return self._count(request) + output * (request.n or 1)


def _bytes(texts: Sequence[str]) -> int:
    """A byte-level tokeniser makes at most one token of each byte."""
    return sum(len(text.encode("utf-8", "surrogatepass")) + _BYTES_AROUND for text in texts)
