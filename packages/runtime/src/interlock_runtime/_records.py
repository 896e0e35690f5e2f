"""Statistics and metrics as faces show them."""

from typing import Literal, TypeAlias

from interlock_core import Guard
from interlock_core.store import Store
from interlock_observability import MetricsGuard, ProviderMetricsCollector, Stats
from interlock_runtime.settings import Settings

Dimension: TypeAlias = Literal["provider", "model", "task"]
"""What a row of statistics stands for."""


class Records:
    """Collects and tells what calls did.

    Args:
        settings: The settings.
        store: Where figures are kept.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._clock = store.clock
        self.collector = ProviderMetricsCollector(store)
        self.guards: tuple[Guard, ...] = (MetricsGuard(self.collector),) if settings.telemetry.metrics else ()

    async def open(self) -> None:
        """Take in what was kept before, and start to keep what is counted."""
        await self.collector.open()

    async def stats(self, *, by: Dimension = "model", since_s: float | None = None) -> Stats:
        """One row for each provider, model or task that was used, over the last seconds or ever."""
        since = None if since_s is None else self._clock.now() - since_s
        return await self.collector.stats(by=by, since=since)

    async def prometheus(self) -> str:
        """Prometheus text of the whole host."""
        return await self.collector.exposition()

    async def aclose(self) -> None:
        """Write what is pending."""
        await self.collector.aclose()
