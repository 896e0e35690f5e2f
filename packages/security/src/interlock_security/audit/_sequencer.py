"""The one place where records get their order: one write transaction reads the tail, appends, signs.

The lock that gives the order ends with the transaction that writes: whoever lost the one cannot commit the
other, so there is no lease that could outlive its holder. Beside it the state row is changed only from what
was read, and a place in the log can be taken once; a second sequencer, however it got there, is refused.

The state row is believed only so far:

1. A row that this process wrote itself is known.
2. Any other must carry a checkpoint that the log's key signed, for exactly its size and root: whoever can
   write the database but has no key cannot have their version of the log continued and signed.
3. It must not be shorter than what this process has seen.
4. Once, when the process begins, it must not contradict the witness.

Whatever fails here refuses the append: no record, no action.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from interlock_core.errors import AuditUnavailableError, InterlockError, VerificationError
from interlock_core.store import Row, Store, Transaction
from interlock_security.audit._keys import KeyRing, KeySource
from interlock_security.audit._record import (
    COLUMNS,
    PREV_BYTES,
    SALT_BYTES,
    AuditEntry,
    Draft,
    RecordKind,
    digest_of,
    header,
    leaf_of,
)
from interlock_security.audit._witness import Prove, Sighting, Witness
from interlock_security.audit.merkle import EMPTY_ROOT, CompactRange
from interlock_security.audit.notes import Checkpoint, SigningKey, VerifierKey

_logger = logging.getLogger("interlock.security.audit")

_READ = "SELECT size, nodes, leaf, checkpoint, verifier FROM audit_state WHERE log = 1"
_WRITE = (
    "UPDATE audit_state SET size = ?, nodes = ?, leaf = ?, checkpoint = ?, verifier = ?"
    " WHERE log = 1 AND size = ? AND checkpoint = ?"
)
_RETIRE = "INSERT INTO audit_keys (size, verifier, checkpoint) VALUES (?, ?, ?)"
_CLOSE = "DELETE FROM audit_open WHERE id = ?"
_LOCK = "audit"
_REMEDY = "Run `interlock audit verify`; nothing with side effects is done until the log is whole again."


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends.

    Attributes:
        tree: All records' tree.
        leaf: Hash of the last record; empty when there is none.
        note: The signed checkpoint; empty when nothing was ever signed.
    """

    tree: CompactRange
    leaf: bytes
    note: str

    @property
    def sighting(self) -> Sighting:
        """What a witness keeps of it."""
        return Sighting(self.note, self.tree.to_bytes())


class Sequencer:
    """Appends records in one order, from any number of processes.

    Args:
        store: Where records are kept.
        keys: The log's keys, made when there are none.
        witness: Compared with before the first record is written; None to go without.
        prove: Makes consistency proofs for the witness.
    """

    __slots__ = ("_head", "_key", "_keys", "_met", "_prove", "_ready", "_ring", "_row", "_store", "_witness")

    def __init__(self, store: Store, *, keys: KeySource, witness: Witness | None, prove: Prove) -> None:
        self._store = store
        self._keys = keys
        self._witness = witness
        self._prove = prove
        self._ring: KeyRing | None = None
        self._key: SigningKey | None = None
        self._head = Head(CompactRange(), b"", "")
        self._row: Row | None = None
        self._ready = asyncio.Lock()
        self._met = witness is None

    @property
    def head(self) -> Head:
        """Where the log ended when this process last wrote to it."""
        return self._head

    async def key(self) -> SigningKey:
        """The key that signs the log now.

        Raises:
            ConfigurationError: The keys cannot be used, or made.
        """
        return self._key or (await self._loaded()).signing[0]

    async def opened(self, sighting: Sighting) -> tuple[Checkpoint, CompactRange]:
        """What a witness kept, checked with the log's keys, those of before included.

        Raises:
            VerificationError: None of them signed it.
            ConfigurationError: The keys cannot be used.
        """
        try:
            return sighting.opened((await self._loaded()).verifiers)
        except VerificationError:
            return sighting.opened((await self._loaded(again=True)).verifiers)

    async def append(self, drafts: Sequence[Draft]) -> list[AuditEntry]:
        """Append records; they are durable when this returns.

        Raises:
            AuditUnavailableError: They could not be appended; none of them was.
        """
        with _unavailable():
            await self._meet()
            async with self._store.transaction(lock=_LOCK) as transaction:
                entries, head, row = await self._append(transaction, drafts)
        self._head, self._row = head, row
        return entries

    async def current(self) -> Head:
        """Where the log ends now, checked; the database is read.

        Raises:
            AuditUnavailableError: It cannot be read, or is not what it should be.
        """
        with _unavailable():
            await self._meet()
            return await self._read()

    async def _read(self) -> Head:
        async with self._store.transaction(lock=_LOCK) as transaction:
            return await self._current(transaction)

    async def rotate(self, draft: Callable[[VerifierKey, VerifierKey], Draft]) -> AuditEntry:
        """Let a new key sign from here on.

        Args:
            draft: Makes the record that names the old key and the new one.

        Raises:
            AuditUnavailableError: It could not be recorded, or the new key not be kept; the old one signs on.
        """
        with _unavailable():
            await self._meet()
            async with self._store.transaction(lock=_LOCK) as transaction:
                await self._current(transaction)
                old, ring = await self.key(), await self._loaded(again=True)
                fresh = SigningKey.fresh(old.verifier.name)
                await asyncio.to_thread(self._keys.rotate, KeyRing((old, fresh), ring.retired))
                record = draft(old.verifier, fresh.verifier)
                (entry,), head, row = await self._append(transaction, [record], successor=fresh)
            self._head, self._row, self._key = head, row, None
            async with self._store.transaction(lock=_LOCK) as transaction:
                state = await transaction.fetch_one(_READ)
                await self._choose("" if state is None else state[4])
        return entry

    async def _append(
        self, transaction: Transaction, drafts: Sequence[Draft], *, successor: SigningKey | None = None
    ) -> tuple[list[AuditEntry], Head, Row]:
        head = await self._current(transaction)
        key = await self.key()
        tree = head.tree.copy()
        entries, rows = _placed(drafts, tree, head.leaf)
        text = Checkpoint(key.verifier.name, tree.size, tree.root()).text()
        if successor is not None:
            await transaction.execute(_RETIRE, (tree.size, str(key.verifier), key.sign(text)))
            key = successor
        note = key.sign(text)
        row: Row = (tree.size, tree.to_bytes(), entries[-1].leaf, note, str(key.verifier))
        await transaction.copy_rows("audit_records", COLUMNS, rows)
        opened = [(entry.id, entry.index) for entry in entries if entry.kind == RecordKind.INTENT]
        closed = [(draft.ref,) for draft in drafts if draft.kind == RecordKind.OUTCOME]
        if opened:
            await transaction.copy_rows("audit_open", ("id", "idx"), opened)
        if closed:
            await transaction.execute_many(_CLOSE, closed)
        if await transaction.execute(_WRITE, (*row, head.tree.size, head.note)) != 1:
            raise AuditUnavailableError("The audit log was written by another process meanwhile.")
        return entries, Head(tree, entries[-1].leaf, note), row

    async def _current(self, transaction: Transaction) -> Head:
        row = await transaction.fetch_one(_READ)
        if row is None:
            raise AuditUnavailableError("The audit log's state is gone from the database.", remedy=_REMEDY)
        if row == self._row:
            return self._head
        head = _checked(row, await self._choose(row[4]))
        if head.tree.size < self._head.tree.size:
            raise AuditUnavailableError("The audit log has become shorter.", remedy=_REMEDY)
        return head

    async def _loaded(self, *, again: bool = False) -> KeyRing:
        async with self._ready:
            if self._ring is None or again:
                self._ring = await asyncio.to_thread(self._keys.create)
            return self._ring

    async def _choose(self, verifier: object) -> SigningKey:
        """The key that signed the log's state, which signs on; called with the lock held.

        Of two keys that a rotation left behind, the one that does not sign the log is put away.
        """
        ring = await self._loaded()
        if verifier and (len(ring.signing) > 1 or ring.named(verifier) is None):
            ring = await self._loaded(again=True)
        own = next(iter(ring.signing))
        key = ring.named(verifier) if verifier else own
        if key is None:
            raise AuditUnavailableError(
                f"The audit log is signed with another key than {own.verifier.name}.",
                remedy="Bring its key file: all processes of one log share one.",
            )
        if verifier and len(ring.signing) > 1:
            before = ring.signing[: ring.signing.index(key)]
            self._ring = KeyRing((key,), (*ring.retired, *(other.verifier for other in before)))
            await asyncio.to_thread(self._keys.rotate, self._ring)
        self._key = key
        return key

    async def _meet(self) -> None:
        """Hold a log that this process sees for the first time against its witness; begin one for a new log.

        The witness is read before the state: whatever it saw, the log has reached. One that cannot be reached
        does not stop the log; `verify` says so.
        """
        if self._met or self._witness is None:
            return
        latest = await self._witness.latest()
        head = await self._read()
        if latest is not None:
            await self._compare(head, latest)
        elif head.tree.size == 0:
            key = await self.key()
            note = key.sign(Checkpoint(key.verifier.name, 0, EMPTY_ROOT).text())
            await self._witness.record(Sighting(note, b""), prove=self._prove, found=True)
        if head.tree.size:
            await self._confirm(head, self._witness)
        self._head, self._met = head, True

    async def _compare(self, head: Head, latest: Sighting) -> None:
        seen, _ = await self.opened(latest)
        if seen.size > head.tree.size or (seen.size == head.tree.size and seen.root != head.tree.root()):
            raise AuditUnavailableError(
                f"The audit log ends at {head.tree.size} records, but its witness saw {seen.size}:"
                " it was rolled back or replaced.",
                remedy="Run `interlock audit verify`. If a backup was restored on purpose, move the witness"
                " away and begin a new one: `interlock audit checkpoint --begin`.",
            )

    async def _confirm(self, head: Head, witness: Witness) -> None:
        try:
            await witness.confirm(head.sighting, prove=self._prove)
        except VerificationError:
            raise
        except (InterlockError, OSError) as exc:
            _logger.warning("the audit log's witness cannot be asked: %s", exc)


@contextmanager
def _unavailable() -> Generator[None, None, None]:
    """Whatever fails here, the log is not to be had."""
    try:
        yield
    except AuditUnavailableError:
        raise
    except InterlockError as exc:
        raise AuditUnavailableError(f"The audit log cannot be used: {exc}") from exc
    except OSError as exc:
        raise AuditUnavailableError(f"The audit log cannot be used: {exc.strerror}.") from exc


def _placed(
    drafts: Sequence[Draft], tree: CompactRange, previous: bytes
) -> tuple[list[AuditEntry], list[Row]]:
    """Give drafts their places at the end of a tree, which grows by them."""
    start = tree.size
    entries: list[AuditEntry] = []
    rows: list[Row] = []
    leaves: list[bytes] = []
    salts = os.urandom(SALT_BYTES * len(drafts))
    for index, (id_, kind, at, payload, facts, outcome, ref, call) in enumerate(drafts, start):
        salt = salts[SALT_BYTES * (index - start) : SALT_BYTES * (index - start + 1)]
        digest = digest_of(salt, payload)
        user, agent, key, name, run, trace, team = facts
        before = previous[:PREV_BYTES]
        fields = (index, before, id_, at, kind, ref, user, agent, key, name, outcome, run, trace, team)
        previous = leaf_of(header(fields, digest))
        leaves.append(previous)
        rows.append((*fields, digest, salt, payload, previous))
        entries.append(AuditEntry(id_, index, kind, at, previous, call, facts))
    tree.extend(leaves)
    return entries, rows


def _checked(row: Row, key: SigningKey) -> Head:
    size, nodes, leaf, note, _ = row
    try:
        if not isinstance(size, int) or not isinstance(nodes, bytes) or not isinstance(leaf, bytes):
            raise VerificationError("its columns are not what they were")
        if size == 0 and not note:
            return Head(CompactRange(), b"", "")
        tree = CompactRange.from_bytes(size, nodes)
        checkpoint = Checkpoint.parse(key.verifier.open(str(note)))
        if (checkpoint.size, checkpoint.root) != (size, tree.root()):
            raise VerificationError("it is not what was signed")
    except VerificationError as exc:
        raise AuditUnavailableError(
            f"The audit log's state was changed by others: {exc}", remedy=_REMEDY
        ) from exc
    return Head(tree, leaf, str(note))
