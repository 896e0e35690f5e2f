"""The audit log as faces show it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from interlock_core import JsonObject
from interlock_core.jsontypes import as_object
from interlock_security import AuditLog, AuditRecord


class Trail:
    """Reads and verifies the audit log.

    Args:
        log: The log.
    """

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def tail(self, limit: int = 20) -> Sequence[JsonObject]:
        """The newest records, oldest of them first: place, time, kind, who, what, outcome, all it says."""
        return [_row(record) for record in await self._log.tail(limit)]

    async def verify(self) -> JsonObject:
        """What verification found, as `audit verify --json` prints it."""
        return (await self._log.verify()).as_json()

    async def open_intents(self) -> Sequence[str]:
        """Calls that were about to be made and of which nobody knows what became, one sentence each."""
        return [_sentence(record) for record in await self._log.open_intents()]


def _row(record: AuditRecord) -> JsonObject:
    data = record.data
    principal = as_object(data.get("principal") or data.get("by"))
    outcome = data.get("ok")
    return {
        "record": record.index,
        "time": record.at,
        "kind": record.kind,
        "user": principal.get("user"),
        "name": data.get("name"),
        "outcome": None if outcome is None else "ok" if outcome else str(data.get("error") or "failed"),
        "id": record.id,
        "ref": record.ref,
        "data": data,
    }


def _sentence(record: AuditRecord) -> str:
    at = datetime.fromtimestamp(record.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    arguments = as_object(record.data.get("arguments"))
    title = f" {arguments['title']!r}" if isinstance(arguments.get("title"), str) else ""
    return (
        f"record {record.index} of the audit log, {at}: {record.data.get('name')}{title} was about to be "
        "called and its outcome is not known. It may have happened: look before you repeat it."
    )
