"""Statistics and metrics as faces show them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from interlock_core import Guard, JsonObject, Notifier, SecretStore
from interlock_core.errors import InterlockError, InvalidRequestError
from interlock_core.store import Store
from interlock_observability import Curve, MetricsGuard, ProviderMetricsCollector, Stats, WinRates
from interlock_observability.anomalies import AnomalyDesk, AnomalyRules
from interlock_runtime._telemetry import opened_telemetry
from interlock_runtime.settings import Settings

if TYPE_CHECKING:
    from interlock_observability.telemetry import Telemetry

Dimension: TypeAlias = Literal["provider", "model", "task"]
"""What a row of statistics stands for."""

Measure: TypeAlias = Callable[[], Awaitable[Mapping[tuple[tuple[str, str], ...], float]]]
"""Tells the values of a gauge by labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which calls statistics are asked of.

    Attributes:
        since_s: Those of the last so many seconds; None for all.
        until_s: Not those of the last so many seconds; None for up to now.
        kind: Calls to models or to tools.
        only: Those of this provider, model or task.
    """

    since_s: float | None = None
    until_s: float | None = None
    kind: Literal["model", "tool"] = "model"
    only: Mapping[Dimension, str] = field(default_factory=dict[Dimension, str])


_logger = logging.getLogger("interlock.runtime.records")


class Records:
    """Collects and tells what calls did.

    Args:
        settings: The settings.
        store: Where figures are kept.
        secrets: Resolves what is sent to a collector as a key.
        notifier: Is told of anomalies.

    Attributes:
        collector: Counts calls.
        guards: Stand around every call; none where the settings want no records.
    """

    def __init__(self, settings: Settings, store: Store, *, secrets: SecretStore, notifier: Notifier) -> None:
        self._settings = settings
        self._clock = store.clock
        self._secrets = secrets
        self._measured: dict[str, Measure] = {}
        self._telemetry: Telemetry | None = None
        self.collector = ProviderMetricsCollector(store)
        self._anomalies = AnomalyDesk(
            store,
            self.collector,
            rules=AnomalyRules(enter=settings.alerts.anomaly_score, least_usd=settings.alerts.anomaly_usd),
            notifiers=(notifier,),
            clock=store.clock,
        )
        self.guards: tuple[Guard, ...] = (MetricsGuard(self.collector),) if settings.telemetry.metrics else ()

    async def open(self) -> None:
        """Take in what was kept before, and start to keep what is counted, and to send it where it is wanted.

        Raises:
            ConfigurationError: The settings of telemetry are wrong.
        """
        if self._settings.telemetry.metrics:
            await self.collector.open()
        self._telemetry = await opened_telemetry(self._settings.telemetry, self._secrets)
        if self._telemetry is not None:
            self.guards = (*self.guards, self._telemetry.guard)

    async def stats(
        self, asked: "Asked | None" = None, *, by: Dimension | Sequence[Dimension] = "model"
    ) -> Stats:
        """One row for each provider, model or task, or combination of them, that was used.

        Args:
            asked: Of which calls; None for all.
            by: What a row stands for.
        """
        asked = asked or Asked()
        since, until = self._range(asked)
        return await self.collector.stats(by=by, since=since, until=until, kind=asked.kind, only=asked.only)

    async def win_rates(self, asked: "Asked") -> WinRates:
        """How often each model did better than others, by task; of the task that is asked for, if any."""
        since, until = self._range(asked)
        return await self.collector.win_rates(task=asked.only.get("task"), since=since, until=until)

    async def curve(self, asked: "Asked") -> Curve:
        """What answers are worth and cost, by task and model; of the task that is asked for, if any."""
        since, until = self._range(asked)
        return await self.collector.curve(task=asked.only.get("task"), since=since, until=until)

    async def anomalies(self, limit: int = 50) -> Sequence[JsonObject]:
        """Anomalies that were told, the newest first."""
        return await self._anomalies.latest(limit)

    async def tend(self, *, every_s: float = 60.0) -> None:
        """Look for anomalies from time to time, until cancelled."""
        if not (self._settings.alerts.anomalies and self._settings.telemetry.metrics):
            return
        while True:
            try:
                await self._anomalies.retell()
                await self._anomalies.look()
            except InterlockError:
                _logger.exception("figures could not be looked at for anomalies")
            await asyncio.sleep(every_s)

    def _range(self, asked: "Asked") -> tuple[float | None, float | None]:
        now = self._clock.now()
        since, until = asked.since_s, asked.until_s
        if since is not None and until is not None and until >= since:
            raise InvalidRequestError(
                "The range ends before it begins.", field="until", remedy="Let it end later than it begins."
            )
        return None if since is None else now - since, None if until is None else now - until

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
        if self._telemetry is not None:
            await asyncio.to_thread(self._telemetry.close)
