"""The models of one provider: named by the operator, or asked of the vendor and remembered for a while."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from interlock_core import Clock, ModelInfo, PriceBook
from interlock_core.errors import InterlockError
from interlock_providers.catalogue import known_model
from interlock_providers.rows import Vendor

if TYPE_CHECKING:
    import asyncio

_KEPT_S = 300.0


class ModelList:
    """Knows the models of one provider.

    A list that was asked of the vendor is kept for five minutes, and longer while the vendor fails.

    Args:
        provider: Name of the provider.
        vendor: The facts of its kind.
        configured: Names of models that the operator wrote; empty asks the vendor.
        prices: What models cost.
        clock: Tells how old the list is.
    """

    def __init__(
        self,
        provider: str,
        vendor: Vendor,
        configured: tuple[str, ...],
        prices: PriceBook | None,
        clock: Clock,
    ) -> None:
        self._provider = provider
        self._vendor = vendor
        self._prices = prices
        self._clock = clock
        self._until = float("inf") if configured else 0.0
        self._found: tuple[ModelInfo, ...] | None = self._described(configured) if configured else None
        self._lock: asyncio.Lock | None = None

    async def get(self, discover: Callable[[], Awaitable[tuple[str, ...]]]) -> Sequence[ModelInfo]:
        """The models, asked of the vendor when that is due; callers at the same time share one request.

        Raises:
            InterlockError: The vendor does not answer, and never did.
        """
        if self._found is not None and self._clock.monotonic() < self._until:
            return self._found
        if self._lock is None:
            import asyncio

            self._lock = asyncio.Lock()
        async with self._lock:
            if self._found is None or self._clock.monotonic() >= self._until:
                await self._refresh(discover)
        assert self._found is not None
        return self._found

    async def _refresh(self, discover: Callable[[], Awaitable[tuple[str, ...]]]) -> None:
        try:
            names = await discover()
        except InterlockError:
            if self._found is None:
                raise
        else:
            hidden = self._vendor.unlisted
            shown = (name for name in names if hidden is None or not re.search(hidden, name))
            self._found = self._described(tuple(shown))
        self._until = self._clock.monotonic() + _KEPT_S

    def _described(self, names: Sequence[str]) -> tuple[ModelInfo, ...]:
        return tuple(self._describe(name.removeprefix(f"{self._provider}/")) for name in names)

    def _describe(self, name: str) -> ModelInfo:
        known = known_model(self._vendor.kind, name)
        model = f"{self._provider}/{name}"
        price = None if self._prices is None else self._prices.price(model)
        if known is None:
            return ModelInfo(
                id=model,
                provider=self._provider,
                price=price,
                capabilities=self._vendor.capabilities,
                embedding="embed" in name,
            )
        return ModelInfo(
            id=model,
            provider=self._provider,
            context_tokens=known.context_tokens,
            max_output_tokens=known.max_output_tokens,
            price=price,
            capabilities=known.capabilities,
            embedding=known.embedding,
            deprecated=known.deprecated,
        )
