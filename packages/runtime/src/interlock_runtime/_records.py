"""Statistics and metrics as faces show them."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeAlias

from interlock_core import Guard
from interlock_core.errors import InterlockError
from interlock_core.store import Store
from interlock_observability import MetricsGuard, ProviderMetricsCollector, Stats
from interlock_runtime.settings import Settings

Dimension: TypeAlias = Literal["provider", "model", "task"]
"""What a row of statistics stands for."""

Measure: TypeAlias = Callable[[], Awaitable[Mapping[tuple[tuple[str, str], ...], float]]]
"""Tells the values of a gauge by labels."""

_logger = logging.getLogger("interlock.runtime.records")


class Records:
    """Collects and tells what calls did.

    Args:
        settings: The settings.
        store: Where figures are kept.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._clock = store.clock
        self._measured: dict[str, Measure] = {}
        self.collector = ProviderMetricsCollector(store)
        self.guards: tuple[Guard, ...] = (MetricsGuard(self.collector),) if settings.telemetry.metrics else ()

    async def open(self) -> None:
        """Take in what was kept before, and start to keep what is counted."""
        await self.collector.open()

    async def stats(self, *, by: Dimension = "model", since_s: float | None = None) -> Stats:
        """One row for each provider, model or task that was used, over the last seconds or ever."""
        since = None if since_s is None else self._clock.now() - since_s
        return await self.collector.stats(by=by, since=since)

    def measure(self, name: str, measure: "Measure") -> None:
        """Have a gauge measured at each exposition; one that cannot be is left out of it.

        Args:
            name: Its name.
            measure: Tells its values by labels; there are few of them.
        """
        self._measured[name] = measure

    async def prometheus(self) -> str:
        """Prometheus text of the whole host."""
        for name, measure in self._measured.items():
            values: Mapping[tuple[tuple[str, str], ...], float] = {}
            try:
                values = await measure()
            except InterlockError:
                _logger.exception("%s cannot be measured", name)
            self.collector.gauge(name, lambda found=values: found)
        return await self.collector.exposition()

    async def aclose(self) -> None:
        """Write what is pending."""
        await self.collector.aclose()
