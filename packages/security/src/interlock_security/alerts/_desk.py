"""The desk: takes observations from all processes, judges them in one order, and tells what is suspicious.

What is remembered lives in the store, so that it survives a restart and is one for all processes: each takes
what it saw there every few seconds, under a lock. An alert is kept in the same transaction as the memory
that it came from, so that no restart raises it again; then it is recorded in the audit log and told.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import Protocol

from interlock_core.call import Principal
from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import InterlockError, NotFoundError
from interlock_core.ids import new_id
from interlock_core.jsontypes import JsonObject, as_object, dump_json, parse_json
from interlock_core.protocols import Notifier
from interlock_core.run import Event, EventKind
from interlock_core.store import Row, Store, Transaction
from interlock_security.alerts._detector import Detector, subjects_of
from interlock_security.alerts._memory import Memory
from interlock_security.alerts._model import Alert, AlertKind, AlertRules, Observation

_logger = logging.getLogger("interlock.security.alerts")

SYSTEM = Principal(user="system:alerts")
"""Under whom alerts stand in the audit log."""

_LOCK = "alerts"
_BATCH = 500
_MOST_WAITING = 10_000
_MOST_NETWORKS = 50_000
_PRUNED_S = 60.0
_DAY_S = 86_400
_KEPT_S = 365 * _DAY_S
_SUBJECTS_S = 90 * _DAY_S
_RETOLD_S = 60.0
_LOAD = "SELECT state FROM alerts_subjects WHERE subject = ?"
_SAVE = (
    "INSERT INTO alerts_subjects (subject, seen_at, state) VALUES (?, ?, ?)"
    " ON CONFLICT (subject) DO UPDATE SET seen_at = excluded.seen_at, state = excluded.state"
)
_KEEP = "INSERT INTO alerts_raised (id, at, kind, subject, message, data, told) VALUES (?, ?, ?, ?, ?, ?, 0)"
_TOLD = "UPDATE alerts_raised SET told = 1 WHERE id = ?"
_UNTOLD = (
    "SELECT id, at, kind, subject, message, data FROM alerts_raised WHERE told = 0 AND at < ? ORDER BY at, id"
)
_LIST = (
    "SELECT id, at, kind, subject, message, data FROM alerts_raised WHERE at < ? OR (at = ? AND id < ?)"
    " ORDER BY at DESC, id DESC LIMIT ?"
)
_END = (9_000_000_000_000_000, "")


class AlertRecord(Protocol):
    """Keeps alerts where nobody can take them back. `AuditLog` is one."""

    def note(self, kind: str, principal: Principal, data: JsonObject) -> Awaitable[object]:
        """Record something."""
        ...


class AlertDesk:
    """Watches for what looks suspicious.

    Args:
        store: Where memories and alerts are kept.
        rules: From when on something is suspicious.
        record: Where alerts are recorded.
        notifiers: Who is told.
        clock: Tells the time.
        interval_s: Seconds between two looks at what was seen.
    """

    __slots__ = (
        *("_clock", "_closing", "_complaint", "_detector", "_dropped", "_interval_s", "_notifiers"),
        *("_pruned", "_record", "_store", "_task", "_telling", "_waiting"),
    )

    def __init__(
        self,
        store: Store,
        *,
        rules: AlertRules | None = None,
        record: AlertRecord | None = None,
        notifiers: Sequence[Notifier] = (),
        clock: Clock | None = None,
        interval_s: float = 2.0,
    ) -> None:
        self._store = store
        self._detector = Detector(rules or AlertRules())
        self._record = record
        self._notifiers = tuple(notifiers)
        self._clock = clock or SystemClock()
        self._interval_s = interval_s
        self._waiting: deque[Observation] = deque()
        self._dropped = 0
        self._pruned = 0.0
        self._complaint = ""
        self._telling: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def now(self) -> float:
        """Seconds since 1970, for observations."""
        return self._clock.now()

    def observe(self, seen: Observation) -> None:
        """Take note of something, at once and without fail; past 10,000 that wait it is only counted."""
        if len(self._waiting) >= _MOST_WAITING:
            self._dropped += 1
            return
        self._waiting.append(seen)
        if self._task is None and not self._closing.is_set():
            self._task = asyncio.create_task(self._work())

    async def flush(self) -> Sequence[Alert]:
        """Judge what was seen until now, and tell what is suspicious about it.

        Raises:
            StoreError: The store fails; what was seen is kept for the next time.
        """
        raised: list[Alert] = []
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            try:
                found = await self._judge(sorted(batch, key=_at))
            except InterlockError:
                self._waiting.extendleft(reversed(batch))
                raise
            for alert in found:
                await self._tell(alert)
            raised += found
        await self._prune()
        return raised

    async def retell(self) -> None:
        """Tell what another process raised a while ago and did not live to tell.

        Raises:
            StoreError: The store fails.
        """
        before = int((self._clock.now() - _RETOLD_S) * 1e6)
        for row in await self._store.fetch_all(_UNTOLD, (before,)):
            await self._tell(_alert(row))

    async def latest(self, limit: int = 50, *, after: tuple[int, str] | None = None) -> Sequence[Alert]:
        """Alerts, the newest first.

        Args:
            limit: Most alerts, up to 500.
            after: Microseconds since 1970 and id of the alert after which to begin.

        Raises:
            StoreError: They cannot be read.
        """
        at, last = after or _END
        rows = await self._store.fetch_all(_LIST, (at, at, last, max(0, min(limit, 500))))
        return [_alert(row) for row in rows]

    async def place(self, alert: str) -> tuple[int, str]:
        """Where an alert stands in the list, for `latest`.

        Raises:
            NotFoundError: There is no such alert.
            StoreError: It cannot be read.
        """
        row = await self._store.fetch_one("SELECT at FROM alerts_raised WHERE id = ?", (alert,))
        if row is None or not isinstance(row[0], int):
            raise NotFoundError(
                f"There is no alert {alert[:80]!r}.", field="cursor", remedy="Begin at the first page."
            )
        return row[0], alert

    async def aclose(self) -> None:
        """Judge what is left, and end; the store stays open."""
        self._closing.set()
        if self._task is not None:
            await asyncio.shield(self._task)
        await self._try()
        if self._telling:
            await asyncio.wait(set(self._telling))

    async def _work(self) -> None:
        try:
            while self._waiting and not self._closing.is_set():
                await self._pause()
                await self._try()
        finally:
            self._task = None

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval_s):
                await self._closing.wait()
        except TimeoutError:
            return

    async def _try(self) -> None:
        try:
            await self.flush()
        except InterlockError as error:
            # Said once, not every few seconds.
            if str(error) != self._complaint:
                _logger.exception("what was seen could not be judged for alerts")
            self._complaint = str(error)
        else:
            self._complaint = ""
        if self._dropped:
            _logger.warning("%d observations were too many to be judged for alerts", self._dropped)
            self._dropped = 0

    async def _judge(self, batch: Sequence[Observation]) -> list[Alert]:
        raised: list[Alert] = []
        memories: dict[str, Memory] = {}
        seen_at: dict[str, float] = {}
        async with self._store.transaction(lock=_LOCK) as transaction:
            for seen in batch:
                for subject in subjects_of(seen):
                    if subject not in memories:
                        row = await transaction.fetch_one(_LOAD, (subject,))
                        memories[subject] = Memory() if row is None else Memory.load(str(row[0]))
                    raised += self._detector.judge(seen, subject, memories[subject])
                    seen_at[subject] = seen.at
            rows = [(name, int(seen_at[name]), memory.dump()) for name, memory in memories.items()]
            if rows:
                await transaction.execute_many(_SAVE, rows)
            return await _kept(transaction, raised)

    async def _tell(self, alert: Alert) -> None:
        _logger.warning("suspicious: %s", alert.message, extra={"alert": alert.kind.value})
        if self._record is not None:
            try:
                await self._record.note("alert", SYSTEM, alert.as_json())
            except InterlockError:
                _logger.exception("alert %s is not in the audit log", alert.id)
        task = asyncio.create_task(self._deliver(alert))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _deliver(self, alert: Alert) -> None:
        """Tell everybody, however long they take; what is judged meanwhile does not wait for it."""
        event = Event(kind=EventKind.WARNING, run="", at=alert.at, data={"alert": alert.as_json()})
        for notifier in self._notifiers:
            await notifier.notify(event)
        try:
            await self._store.execute(_TOLD, (alert.id,))
        except InterlockError:
            _logger.exception("alert %s may be told again", alert.id)

    async def _prune(self) -> None:
        """Forget what is of no use any more, at most once a minute."""
        now = self._clock.now()
        if now - self._pruned < _PRUNED_S:
            return
        self._pruned = now
        store = self._store
        await store.execute("DELETE FROM alerts_subjects WHERE seen_at < ?", (int(now) - _SUBJECTS_S,))
        await store.execute(
            "DELETE FROM alerts_subjects WHERE subject IN (SELECT subject FROM alerts_subjects"
            " WHERE subject >= 'n:' AND subject < 'n;' ORDER BY seen_at DESC LIMIT 1000000 OFFSET ?)",
            (_MOST_NETWORKS,),
        )
        await store.execute("DELETE FROM alerts_raised WHERE at < ?", (int((now - _KEPT_S) * 1e6),))


async def _kept(transaction: Transaction, raised: Sequence[Alert]) -> list[Alert]:
    """The alerts with ids, kept."""
    rows: list[Row] = []
    for alert in raised:
        facts = (alert.kind.value, alert.subject, alert.message, dump_json(alert.data))
        rows.append((new_id("alert"), int(alert.at * 1e6), *facts))
    if rows:
        await transaction.execute_many(_KEEP, rows)
    return [_alert(row) for row in rows]


def _alert(row: Row) -> Alert:
    identity, at, kind, subject, message, data = row
    return Alert(
        id=str(identity),
        kind=AlertKind(str(kind)),
        subject=str(subject),
        at=(at if isinstance(at, int) else 0) / 1e6,
        message=str(message),
        data=as_object(parse_json(str(data))),
    )


def _at(seen: Observation) -> float:
    return seen.at
