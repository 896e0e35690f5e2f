"""The desk: looks at every quarter of an hour once, in whatever process, and tells what is odd."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import StoreError
from interlock_core.ids import new_id
from interlock_core.jsontypes import JsonObject, as_object, dump_json, parse_json
from interlock_core.protocols import Notifier
from interlock_core.run import Event, EventKind
from interlock_core.store import Row, Store, Transaction
from interlock_observability.anomalies._detector import AnomalyDetector
from interlock_observability.anomalies._model import (
    HOUR_S,
    STEP_S,
    Anomaly,
    AnomalyRules,
    Measure,
    Memory,
    Window,
)
from interlock_observability.provider_metrics import ProviderMetricsCollector

_logger = logging.getLogger("interlock.observability.anomalies")

_LOCK: Final = "anomalies"
_LOOKED: Final = "looked"
_GRACE_S: Final = 30
_MOST_LOOKS: Final = 96
_KEPT_S: Final = 365 * 86_400
_RETOLD_S: Final = 60
_STATE: Final = "SELECT state FROM metrics_watched WHERE name = ?"
_SAVE: Final = (
    "INSERT INTO metrics_watched (name, state) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET state = excluded.state"
)
_KEEP: Final = "INSERT INTO metrics_anomalies (id, at, measure, data, told) VALUES (?, ?, ?, ?, 0)"
_TOLD: Final = "UPDATE metrics_anomalies SET told = 1 WHERE id = ?"
_UNTOLD: Final = "SELECT id, data FROM metrics_anomalies WHERE told = 0 AND at < ? ORDER BY at, id"
_LIST: Final = "SELECT id, data FROM metrics_anomalies ORDER BY at DESC, id DESC LIMIT ?"
_FORGET: Final = "DELETE FROM metrics_anomalies WHERE at < ?"


class AnomalyDesk:
    """Watches figures for anomalies, and tells each once that it began and once that it ended.

    What is remembered lives in the store: a restart forgets nothing, and of several processes one looks. An
    anomaly is kept together with the memory that it came from, before anybody is told.

    Args:
        store: Opened with this part's branch.
        collector: Whose figures are watched.
        rules: From when on something is an anomaly.
        notifiers: Who is told, beside the log.
        clock: Tells the time.
    """

    def __init__(
        self,
        store: Store,
        collector: ProviderMetricsCollector,
        *,
        rules: AnomalyRules | None = None,
        notifiers: Sequence[Notifier] = (),
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._collector = collector
        self._detector = AnomalyDetector(rules)
        self._notifiers = tuple(notifiers)
        self._clock = clock or SystemClock()

    async def look(self) -> Sequence[Anomaly]:
        """Look at every quarter of an hour that ended since the last look, a day back at most.

        Raises:
            StoreError: The store fails; the next look makes up for it.
        """
        last = int(self._clock.now() - _GRACE_S) // STEP_S * STEP_S
        looked = _number(await self._store.fetch_one(_STATE, (_LOOKED,)), last - STEP_S)
        first = max(looked, last - _MOST_LOOKS * STEP_S) + STEP_S
        windows = [await self._window(end) for end in range(first, last + 1, STEP_S)]
        if not windows:
            return []
        found: list[Anomaly] = []
        async with self._store.transaction(lock=_LOCK) as transaction:
            if _number(await transaction.fetch_one(_STATE, (_LOOKED,)), looked) != looked:
                return []  # another process looked meanwhile
            for window in windows:
                found += await self._judged(transaction, window)
            await transaction.execute(_SAVE, (_LOOKED, str(last)))
            found = await _kept(transaction, found)
            await transaction.execute(_FORGET, (last - _KEPT_S,))
        for anomaly in found:
            await self._tell(anomaly.id, anomaly.as_json())
        return found

    async def retell(self) -> None:
        """Tell what another process found and did not live to tell.

        Raises:
            StoreError: The store fails.
        """
        before = int(self._clock.now()) - _RETOLD_S
        for identity, data in await self._store.fetch_all(_UNTOLD, (before,)):
            await self._tell(str(identity), as_object(parse_json(str(data))))

    async def latest(self, limit: int = 50) -> Sequence[JsonObject]:
        """What was told, the newest first.

        Raises:
            StoreError: The store could not be read.
        """
        rows = await self._store.fetch_all(_LIST, (max(0, min(limit, 500)),))
        return [as_object(parse_json(str(data))) for _, data in rows]

    async def _window(self, end: int) -> Window:
        calls = await self._collector.tally(end - HOUR_S, end)
        tools = await self._collector.tally(end - HOUR_S, end, kind="tool")
        return Window(
            end=end,
            requests=calls.requests,
            answerable=calls.answerable,
            failed=calls.answerable - calls.ok,
            refused=calls.refused + tools.refused,
            cost_usd=calls.cost_micro_usd / 1_000_000,
            latency_p95_s=calls.latency.quantile(0.95),
        )

    async def _judged(self, transaction: Transaction, window: Window) -> list[Anomaly]:
        found: list[Anomaly] = []
        for measure in Measure:
            row = await transaction.fetch_one(_STATE, (measure.value,))
            memory = Memory() if row is None else Memory.load(str(row[0]))
            anomaly = self._detector.judge(window, measure, memory)
            await transaction.execute(_SAVE, (measure.value, memory.dump()))
            if anomaly is not None:
                found.append(anomaly)
        return found

    async def _tell(self, identity: str, alert: JsonObject) -> None:
        _logger.warning("anomaly: %s", alert["message"], extra={"alert": alert["kind"]})
        event = Event(kind=EventKind.WARNING, run="", at=self._clock.now(), data={"alert": alert})
        for notifier in self._notifiers:
            await notifier.notify(event)
        try:
            await self._store.execute(_TOLD, (identity,))
        except StoreError:
            _logger.exception("anomaly %s may be told again", identity)


def _number(row: Row | None, otherwise: int) -> int:
    return otherwise if row is None else int(str(row[0]))


async def _kept(transaction: Transaction, found: Sequence[Anomaly]) -> list[Anomaly]:
    """The anomalies with ids, kept."""
    named = [replace(anomaly, id=new_id("anomaly")) for anomaly in found]
    rows: list[Row] = [(each.id, each.at, each.measure.value, dump_json(each.as_json())) for each in named]
    if rows:
        await transaction.execute_many(_KEEP, rows)
    return named
