"""The audit log as its users see it."""

import asyncio
import re
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from interlock_core.call import Call, Outcome, Principal, Verdict
from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import AuditUnavailableError, InvalidRequestError, StoreError, UpstreamError
from interlock_core.ids import new_id
from interlock_core.jsontypes import JsonObject
from interlock_core.protocols import Redactor
from interlock_core.store import Store
from interlock_security.audit._fields import (
    call_data,
    change_data,
    outcome_data,
    principal_data,
    refusal_data,
)
from interlock_security.audit._group import GroupCommit
from interlock_security.audit._keys import FileKeys, KeySource
from interlock_security.audit._prover import Prover
from interlock_security.audit._record import (
    AuditEntry,
    AuditRecord,
    Draft,
    Facts,
    RecordKind,
    canonical,
    plain,
    said,
    select,
)
from interlock_security.audit._report import VerifyReport
from interlock_security.audit._sanitise import AuditLimits, Sanitiser
from interlock_security.audit._sequencer import Head, Sequencer
from interlock_security.audit._verify import Verifier
from interlock_security.audit._watch import Watch
from interlock_security.audit._witness import Witness
from interlock_security.audit.notes import Checkpoint, VerifierKey
from interlock_security.redaction import KnownSecretRedactor

KEY_FILE = "audit.key"
"""Name of the signing key's file in the data folder."""

WITNESS_FILE = "audit.witness"
"""Usual name of the witness's file."""

_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_RESERVED = frozenset({RecordKind.INTENT, RecordKind.OUTCOME, RecordKind.REFUSED, RecordKind.KEY})
_MAX_PAGE = 1_000
_TAIL = select("ORDER BY idx DESC LIMIT ?")
_AFTER = select("WHERE idx > ? ORDER BY idx LIMIT ?")
_OPEN = select("ORDER BY idx LIMIT ?", of="audit_open JOIN audit_records USING (idx)")


_TAKING = frozenset({"clear", "disable", "remove", "revoke"})
"""Changes that take something away, which can be done whatever it is called."""


class AuditLog:
    """An append-only log that shows whether anyone changed it.

    A record is durable before it is acknowledged; what waits for one commit goes into the next, together.
    Every commit ends in a checkpoint signed with the log's key; the witness, outside the database, is shown
    the latest. Everything is redacted, then bounded, before it is stored. Any number of processes may write
    to one log when they share its key.

    Args:
        store: Where records are kept.
        home: The data folder.
        witness: Keeps checkpoints outside the database, usually `FileWitness(home / WITNESS_FILE)`; None for
            a store that does not outlive the process.
        redactor: Hides secrets; by default what stands under secret names.
        limits: How much one record may hold.
        clock: Tells the time.
        witness_interval_s: Least seconds between two writes to the witness; closing writes at once.
        keys: Keeps the log's keys; the file `audit.key` in the data folder (0600) unless given.
    """

    __slots__ = (
        "_background",
        "_clock",
        "_group",
        "_keys",
        "_prove",
        "_sanitise",
        "_sequencer",
        "_store",
        "_watch",
        "_witness",
    )

    def __init__(
        self,
        store: Store,
        *,
        home: Path,
        witness: Witness | None,
        redactor: Redactor | None = None,
        limits: AuditLimits | None = None,
        clock: Clock | None = None,
        witness_interval_s: float = 0.25,
        keys: KeySource | None = None,
    ) -> None:
        self._store = store
        self._keys = keys or FileKeys(home / KEY_FILE)
        self._prove = Prover(store).prove
        self._witness = witness
        self._clock = clock or SystemClock()
        self._sanitise = Sanitiser(redactor or KnownSecretRedactor(), limits or AuditLimits())
        self._sequencer = Sequencer(store, keys=self._keys, witness=witness, prove=self._prove)
        self._group = GroupCommit(self._sequencer.append)
        self._watch = (
            None
            if witness is None
            else Watch(
                store,
                witness,
                opened=self._sequencer.opened,
                prove=self._prove,
                interval_s=witness_interval_s,
            )
        )
        self._background: set[asyncio.Task[AuditEntry]] = set()

    async def intent(self, call: Call, *, arguments: JsonObject | None = None) -> AuditEntry:
        """Record that a call is about to be made; only then make it.

        Args:
            call: The call.
            arguments: What to record as its arguments instead of the call's own, such as what they became.

        Raises:
            AuditUnavailableError: It cannot be recorded: a call with side effects must not be made.
        """
        data = call_data(call if arguments is None else replace(call, arguments=arguments))
        return await self._append(RecordKind.INTENT, data, call=call.id)

    async def outcome(self, entry: AuditEntry, outcome: Outcome) -> AuditEntry:
        """Record what became of a call.

        Raises:
            AuditUnavailableError: It cannot be recorded; the intent stays open.
        """
        return await self._append(
            RecordKind.OUTCOME, outcome_data(entry.call, outcome), call=entry.call, of=entry
        )

    async def note(self, kind: str, principal: Principal, data: JsonObject) -> AuditEntry:
        """Record something that is neither a call nor a change, such as a start.

        Args:
            kind: What it is: lower case letters, digits, dots, dashes.
            principal: Who stands behind it.
            data: What there is to say.

        Raises:
            InvalidRequestError: The kind is not one, or is reserved.
            AuditUnavailableError: It cannot be recorded.
        """
        if not _KIND.fullmatch(kind) or kind in _RESERVED:
            raise InvalidRequestError(f"{kind[:64]!r} is no kind of note.", field="kind")
        return await self._append(kind, {"principal": principal_data(principal), "note": data})

    async def refusal(self, call: Call, verdict: Verdict) -> AuditEntry:
        """Record that a call was refused.

        Raises:
            AuditUnavailableError: It cannot be recorded.
        """
        return await self._append(RecordKind.REFUSED, refusal_data(call, verdict), call=call.id)

    @asynccontextmanager
    async def change(self, name: str, by: Principal, data: JsonObject) -> AsyncGenerator[None, None]:
        """The context in which permissions, keys or the like are changed: intent before, outcome after.

        Args:
            name: What is changed, such as `roles.grant`.
            by: Who changes it.
            data: What it is changed to; no secret of it is stored.

        Raises:
            InvalidRequestError: A secret that is kept here would be kept in a name or a reason as well.
            AuditUnavailableError: It cannot be recorded, so it is not made.
        """
        if name.rpartition(".")[2] not in _TAKING:
            self._sanitise.refuse_secrets(data)
        call = new_id("change")
        entry = await self._append(RecordKind.INTENT, change_data(name, by, data, call=call), call=call)
        try:
            yield
        except BaseException as error:
            await self.finish(entry, Outcome.failure(error))
            raise
        await self.finish(entry, Outcome(ok=True))

    async def finish(self, entry: AuditEntry, outcome: Outcome) -> None:
        """Record an outcome to the end, even when the caller is cancelled while it waits.

        Raises:
            AuditUnavailableError: It cannot be recorded; the intent stays open.
        """
        await asyncio.shield(self.background(self.outcome(entry, outcome)))

    def background(self, work: "Coroutine[object, object, AuditEntry]") -> "asyncio.Task[AuditEntry]":
        """Record something in a task of its own, which closing the log waits for."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[AuditEntry]") -> None:
        self._background.discard(task)
        if not task.cancelled():
            # Whoever waits for the task gets its error; when nobody does, the open intent tells it.
            task.exception()

    async def tail(self, limit: int = 20, *, after: int | None = None) -> tuple[AuditRecord, ...]:
        """Records in order: the last ones, or those after an index.

        Args:
            limit: Most records, up to 1,000.
            after: Index after which to begin; -1 begins at the first record.

        Raises:
            StoreError: They cannot be read.
        """
        count = max(0, min(limit, _MAX_PAGE))
        if after is None:
            rows = (await self._store.fetch_all(_TAIL, (count,)))[::-1]
        else:
            rows = await self._store.fetch_all(_AFTER, (after, count))
        return tuple(map(AuditRecord.of, rows))

    async def open_intents(self, limit: int = 100) -> tuple[AuditRecord, ...]:
        """Intents without an outcome, oldest first: under way in some process, or cut off.

        Reading is not proving: `verify` finds them from the records themselves.

        Raises:
            StoreError: They cannot be read.
        """
        rows = await self._store.fetch_all(_OPEN, (max(0, min(limit, _MAX_PAGE)),))
        return tuple(map(AuditRecord.of, rows))

    async def verify(self) -> VerifyReport:
        """Verify the whole log.

        Raises:
            StoreError: The records cannot be read.
        """
        verifier = Verifier(self._store, keys=self._keys, witness=self._witness, prove=self._prove)
        return await verifier.run()

    async def checkpoint(self, *, begin: bool = False) -> str:
        """The log's signed checkpoint as it is now, after showing it to the witness.

        Args:
            begin: Begin a new witness where there is none: whoever restored a backup on purpose says so here.

        Raises:
            AuditUnavailableError: The log cannot be read, or is not what it should be.
            VerificationError: The log does not continue what the witness saw, or there is no witness.
        """
        head = await self._sequencer.current()
        if not head.note:
            key = await self._sequencer.key()
            note = key.sign(Checkpoint(key.verifier.name, head.tree.size, head.tree.root()).text())
            head = Head(head.tree, head.leaf, note)
        if self._watch is not None:
            try:
                await self._watch.show(head, begin=begin)
            except (OSError, StoreError, UpstreamError) as exc:
                why = f"{exc.strerror}." if isinstance(exc, OSError) else str(exc)
                raise AuditUnavailableError(f"The witness cannot be shown the log: {why}") from exc
        return head.note

    async def rotate_key(self, by: Principal) -> AuditEntry:
        """Let a new key sign the log from here on; a record under the old one's signature names it.

        Every process of the log takes the new key by itself. Whoever holds the old one's public half can
        follow the log to the new one.

        Args:
            by: Who wants it.

        Raises:
            AuditUnavailableError: It cannot be recorded, or the new key not be kept; the old one signs on.
        """
        _, told = self._sanitise.data({"principal": principal_data(by)})

        def draft(old: VerifierKey, new: VerifierKey) -> Draft:
            # Public keys look like secrets to a redactor, and must stay as they are.
            data: JsonObject = {**told, "note": {"old": str(old), "new": str(new)}}
            return self._draft(RecordKind.KEY, canonical(data), told)

        entry = await self._sequencer.rotate(draft)
        if self._watch is not None:
            self._watch.moved(self._sequencer.head)
        return entry

    async def verifier_key(self) -> str:
        """The public key with which anyone checks this log's checkpoints, as `name+id+key`.

        Raises:
            ConfigurationError: The key file is wrong, or cannot be made.
        """
        return str((await self._sequencer.key()).verifier)

    async def aclose(self) -> None:
        """Write what waits, show the witness the end, and close; the store stays open."""
        while self._background:
            await asyncio.wait(set(self._background))
        await self._group.drain()
        if self._watch is not None:
            await self._watch.aclose()

    async def _append(
        self, kind: str, data: JsonObject, *, call: str = "", of: AuditEntry | None = None
    ) -> AuditEntry:
        payload, redacted = self._sanitise.data(data)
        draft = self._draft(kind, payload, redacted, call=call, of=of)
        entry = await self._group.submit(draft)
        if self._watch is not None:
            self._watch.moved(self._sequencer.head)
        return entry

    def _draft(
        self, kind: str, payload: str, redacted: JsonObject, *, call: str = "", of: AuditEntry | None = None
    ) -> Draft:
        return Draft(
            new_id("rec"),
            kind,
            int(self._clock.now() * 1_000_000),
            payload,
            Facts.of(redacted) if of is None else of.facts,
            said(kind, redacted),
            "" if of is None else plain(of.id),
            call,
        )
