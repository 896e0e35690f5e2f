"""Small wrappers around providers: made on first use, described by the configuration."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from interlock_core import (
    Call,
    Chunk,
    Completion,
    CompletionRequest,
    Embeddings,
    ModelInfo,
    Provider,
    Secret,
)
from interlock_runtime.settings import ModelSettings


class LazyProvider:
    """A provider that is made when it is first used, so that a missing key costs only its own requests.

    Args:
        name: What stands before the slash.
        make: Makes it.
        key: Its key. When it is another than before, the provider is made anew; what is under way on the
            one before goes on.
        changes: A number that grows whenever the key may be another.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Awaitable[Provider]],
        *,
        key: Callable[[], Awaitable[Secret | None]] | None = None,
        changes: Callable[[], int] = int,
    ) -> None:
        self._name = name
        self._make = make
        self._key = key
        self._changes = changes
        self._seen = 0
        self._held: Secret | None = None
        self._made: Provider | None = None
        self._former: list[Provider] = []
        self._making = asyncio.Lock()

    @property
    def name(self) -> str:
        """What stands before the slash."""
        return self._name

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Answer a request whole."""
        return await (await self._provider()).complete(request, call)

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer a request piece by piece."""
        async with aclosing((await self._provider()).stream(request, call)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """Make one vector a text."""
        return await (await self._provider()).embed(model, texts, call)

    async def models(self) -> Sequence[ModelInfo]:
        """Every model that can be asked."""
        return await (await self._provider()).models()

    async def aclose(self) -> None:
        """Close it, when it was made."""
        for provider in (*self._former, self._made):
            if provider is not None:
                await provider.aclose()

    async def _provider(self) -> Provider:
        if self._made is None or self._seen != self._changes():
            async with self._making:
                return await self._current()
        return self._made

    async def _current(self) -> Provider:
        """The provider of the key of today."""
        changes = self._changes()
        if self._made is None or self._seen != changes:
            key = None if self._key is None else await self._key()
            if self._made is None or key != self._held:
                made = await self._make()
                if self._made is not None:
                    self._former.append(self._made)
                self._made, self._held = made, key
            self._seen = changes
        return self._made


class DescribedProvider:
    """Wraps a provider: facts of its models that the configuration states replace what it says itself.

    Args:
        inner: Answers the requests.
        facts: What the configuration states, by `provider/model`.
    """

    def __init__(self, inner: Provider, facts: Mapping[str, ModelSettings]) -> None:
        self._inner = inner
        self._facts = facts

    @property
    def name(self) -> str:
        """What stands before the slash."""
        return self._inner.name

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Answer a request whole."""
        return await self._inner.complete(request, call)

    def stream(self, request: CompletionRequest, call: Call | None = None) -> AsyncGenerator[Chunk, None]:
        """Answer a request piece by piece."""
        return self._inner.stream(request, call)

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """Make one vector a text."""
        return await self._inner.embed(model, texts, call)

    async def models(self) -> Sequence[ModelInfo]:
        """Every model that can be asked, as the configuration describes it."""
        return [self._described(model) for model in await self._inner.models()]

    async def aclose(self) -> None:
        """Close the wrapped provider."""
        await self._inner.aclose()

    def _described(self, model: ModelInfo) -> ModelInfo:
        facts = self._facts.get(model.id)
        if facts is None:
            return model
        return replace(
            model,
            context_tokens=facts.context_tokens or model.context_tokens,
            max_output_tokens=facts.max_output_tokens or model.max_output_tokens,
        )
