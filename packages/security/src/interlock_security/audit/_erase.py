"""Retention: payloads are erased, headers and hashes stay, and every proof holds.

The order: first the log records which range is erased, by whom and why; then the payloads and their salts
go, in batches. A process that dies in between has said what may be gone, and the next run erases the rest.
Never erased: records about the log itself (`audit.…`), and intents without an outcome. What SQLite frees is
overwritten; copies that were made elsewhere, such as backups, are not reached.
"""

from dataclasses import dataclass

from interlock_core.call import Principal
from interlock_core.jsontypes import JsonObject
from interlock_core.store import Store
from interlock_security.audit._log import AuditLog
from interlock_security.audit._record import RecordKind

_BATCH = 1_000
_STOP = "SELECT MIN(idx) FROM audit_records WHERE at >= ?"
_SIZE = "SELECT size FROM audit_state WHERE log = 1"
_FOUND = (
    "SELECT MIN(idx), MAX(idx), COUNT(*) FROM audit_records WHERE idx < ? AND payload IS NOT NULL"
    " AND kind NOT LIKE 'audit.%' AND idx NOT IN (SELECT idx FROM audit_open)"
)
_ERASE = (
    "UPDATE audit_records SET payload = NULL, salt = NULL WHERE idx >= ? AND idx < ? AND payload IS NOT NULL"
    " AND kind NOT LIKE 'audit.%' AND idx NOT IN (SELECT idx FROM audit_open)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasePlan:
    """What is erased.

    Attributes:
        before: Records that were made before this time, in seconds since 1970.
        count: How many payloads.
        first: Index of the first; None when there is nothing to erase.
        last: Index of the last.
    """

    before: float
    count: int
    first: int | None = None
    last: int | None = None

    def as_json(self) -> JsonObject:
        """The plan as a JSON object."""
        return {"before": self.before, "count": self.count, "first": self.first, "last": self.last}


class AuditRetention:
    """Erases old payloads of one log.

    Args:
        store: Where the records are.
        log: Records what is erased.
    """

    __slots__ = ("_log", "_store")

    def __init__(self, store: Store, log: AuditLog) -> None:
        self._store = store
        self._log = log

    async def plan(self, before: float) -> ErasePlan:
        """What `erase` would erase now.

        Args:
            before: Records that were made before this time, in seconds since 1970.

        Raises:
            StoreError: The records cannot be read.
        """
        stop = await self._store.fetch_one(_STOP, (int(before * 1_000_000),))
        if stop is None or stop[0] is None:
            stop = await self._store.fetch_one(_SIZE)
        found = None if stop is None else await self._store.fetch_one(_FOUND, (stop[0],))
        first, last, count = found or (None, None, 0)
        if not (isinstance(first, int) and isinstance(last, int) and isinstance(count, int)):
            return ErasePlan(before=before, count=0)
        return ErasePlan(before=before, count=count, first=first, last=last)

    async def erase(self, before: float, *, by: Principal, policy: str) -> ErasePlan:
        """Erase the payloads of records that were made before a time; what was erased.

        Args:
            before: The time, in seconds since 1970.
            by: Who wants it.
            policy: Why, for the record: such as `retention.audit_days = 90`.

        Raises:
            AuditUnavailableError: It cannot be recorded, so nothing was erased.
            StoreError: Not all could be erased; the next run erases the rest.
        """
        plan = await self.plan(before)
        if plan.first is None or plan.last is None:
            return plan
        said: JsonObject = {
            "ranges": [[plan.first, plan.last]],
            "count": plan.count,
            "before": before,
            "policy": policy,
        }
        await self._log.note(RecordKind.ERASED, by, said)
        if self._store.dialect == "sqlite":
            await self._store.execute("PRAGMA secure_delete = ON")
        for start in range(plan.first, plan.last + 1, _BATCH):
            await self._store.execute(_ERASE, (start, min(start + _BATCH, plan.last + 1)))
        return plan
