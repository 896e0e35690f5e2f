"""The audit log as faces show it."""

import asyncio
import inspect
import logging
import random
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime

from interlock_core import JsonObject, Principal
from interlock_core.errors import InterlockError, VerificationError
from interlock_core.jsontypes import as_object
from interlock_core.store import Store
from interlock_runtime._access import Access
from interlock_security import AuditLog, AuditRecord
from interlock_security.audit.trail import (
    AuditExport,
    AuditProofs,
    AuditQuery,
    AuditRetention,
    AuditSearch,
    ExportFormat,
)

_logger = logging.getLogger("interlock.runtime.audit")

RETENTION = Principal(user="system:retention")
"""Under whom a running server erases what is old enough."""

_TEND_S = 600.0
_DAY_S = 86_400.0


class Trail:
    """Reads, proves, verifies and erases in the audit log.

    Args:
        log: The log.
        store: Where it is.
        access: Says who may erase.
        keep_days: Days after which payloads are erased by `tend`; 0 keeps them.
    """

    def __init__(self, log: AuditLog, *, store: Store, access: Access, keep_days: int = 0) -> None:
        self._log = log
        self._clock = store.clock
        self._access = access
        self._keep_days = keep_days
        self._search = AuditSearch(store)
        self._export = AuditExport(store)
        self._proofs = AuditProofs(store)
        self._retention = AuditRetention(store, log)

    async def tail(self, limit: int = 20, *, after: int | None = None) -> Sequence[JsonObject]:
        """The newest records, or those after a place; oldest of them first: place, time, kind, who, what."""
        return [_row(record) for record in await self._log.tail(limit, after=after)]

    async def search(
        self, query: AuditQuery, *, limit: int = 50, cursor: str | None = None
    ) -> tuple[Sequence[JsonObject], str | None]:
        """One page of what a query finds, the newest first, and the cursor of the next page.

        Raises:
            InvalidRequestError: The cursor is none of this search.
        """
        page = await self._search.page(query, limit=limit, cursor=cursor)
        return [_row(record) for record in page.records], page.next

    def export(self, form: ExportFormat, query: AuditQuery | None = None) -> AsyncGenerator[str, None]:
        """Records in the order of the log, as pieces of text; all of them when there is no query.

        Raises:
            AuditUnavailableError: Nothing was ever signed.
        """
        return self._export.lines(form, query)

    async def verify(self) -> JsonObject:
        """What verification found, as `audit verify --json` prints it."""
        return (await self._log.verify()).as_json()

    async def checkpoint(self, *, begin: bool = False) -> str:
        """The log's signed checkpoint as it is now, after showing it to the witness.

        Args:
            begin: Begin a new witness where there is none.

        Raises:
            VerificationError: The log does not continue what the witness saw, or there is no witness.
            PermissionDeniedError: A new witness is wanted, and the local user may not.
        """
        if begin:
            self._access.require(await self._access.local(), "audit.write")
        return await self._log.checkpoint(begin=begin)

    async def key(self) -> str:
        """The public key with which anyone checks this log's checkpoints."""
        return await self._log.verifier_key()

    async def rotate_key(self, *, by: Principal | None = None) -> JsonObject:
        """Let a new key sign the log from here on: the `old` key, the `new` one, the `record` that says so.

        Args:
            by: Who wants it; the local user when None.

        Raises:
            PermissionDeniedError: Who wants it may not.
            AuditUnavailableError: It cannot be recorded, or the new key not be kept; the old one signs on.
        """
        who = by or await self._access.local()
        self._access.require(who, "audit.write")
        entry = await self._log.rotate_key(who)
        # Read back from the record: of two who do it at once, each is told of the own change.
        (record,) = await self._log.tail(1, after=entry.index - 1)
        note = as_object(record.data.get("note"))
        return {"old": note.get("old"), "new": note.get("new"), "record": entry.index}

    async def prove(self, record: str, *, since: str | None = None) -> str:
        """The proof of one record, as the text of a file.

        Raises:
            NotFoundError: There is no such record.
            VerificationError: The log does not hold, or does not continue the older checkpoint.
        """
        return await self._proofs.prove(record, since=since)

    async def plan_erasure(self, before: float) -> JsonObject:
        """What `erase` would erase: how many payloads of records from before a time, and which range."""
        return (await self._retention.plan(before)).as_json()

    async def erase(self, before: float, *, by: Principal | None = None, policy: str) -> JsonObject:
        """Erase the payloads of records from before a time; headers, hashes and proofs stay.

        Args:
            before: The time, in seconds since 1970.
            by: Who wants it; the local user when None.
            policy: Why, for the record.

        Raises:
            PermissionDeniedError: Who wants it may not.
            AuditUnavailableError: It cannot be recorded, so nothing was erased.
        """
        who = by or await self._access.local()
        self._access.require(who, "audit.write")
        return (await self._retention.erase(before, by=who, policy=policy)).as_json()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock.now()

    async def keep(self) -> None:
        """Do once what a running server does: make proofs quick, and erase what is old enough.

        Raises:
            InterlockError: It cannot be done now.
        """
        await self._proofs.prepare()
        if self._keep_days:
            before = self._clock.now() - self._keep_days * _DAY_S
            policy = f"retention.audit_days = {self._keep_days}"
            await self._retention.erase(before, by=RETENTION, policy=policy)

    async def tend(self, *, every_s: float = _TEND_S) -> None:
        """Do it from time to time, until cancelled. Several workers begin at different moments."""
        while True:
            await asyncio.sleep(every_s * random.SystemRandom().uniform(0.5, 1.5))
            try:
                await self.keep()
            except InterlockError:
                _logger.exception("the audit log could not be tended")

    async def open_intents(self) -> Sequence[str]:
        """Calls that were about to be made and of which nobody knows what became, one sentence each."""
        return [_sentence(record) for record in await self._log.open_intents()]


def check_proof(content: bytes, keys: Sequence[str] = ()) -> str:
    """What a proof file proves, in a sentence; nothing but the file is needed.

    Args:
        content: The file.
        keys: Keys of the log, got from elsewhere; the one in the file is believed when there are none.

    Raises:
        VerificationError: It proves nothing.
    """
    from interlock_security.audit.standalone import NotProvenError
    from interlock_security.audit.standalone import check_proof as check

    try:
        return check(content, keys)
    except NotProvenError as exc:
        raise VerificationError(
            f"The proof does not hold: {exc}.", remedy="Get the file again from where it was made."
        ) from exc


def verifier_source() -> str:
    """The stand-alone verifier: one file that checks proofs and exports with Python and `cryptography`."""
    from interlock_security.audit import standalone

    return inspect.getsource(standalone)


def _row(record: AuditRecord) -> JsonObject:
    facts = record.facts
    return {
        "record": record.index,
        "time": record.at,
        "kind": record.kind,
        "user": facts.user or None,
        "agent": facts.agent or None,
        "key": facts.key or None,
        "team": facts.team or None,
        "name": facts.name or None,
        "outcome": record.outcome or None,
        "run": facts.run or None,
        "trace": facts.trace or None,
        "id": record.id,
        "ref": record.ref,
        "erased": record.erased,
        "data": record.data,
    }


def _sentence(record: AuditRecord) -> str:
    at = datetime.fromtimestamp(record.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    arguments = as_object(record.data.get("arguments"))
    title = f" {arguments['title']!r}" if isinstance(arguments.get("title"), str) else ""
    return (
        f"record {record.index} of the audit log, {at}: {record.facts.name}{title} was about to be "
        "called and its outcome is not known. It may have happened: look before you repeat it."
    )
