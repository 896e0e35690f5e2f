"""The one place where records get their order: one write transaction reads the tail, appends, signs.

The state row is believed only so far:

1. A row that this process wrote itself is known.
2. Any other must carry a checkpoint that the log's key signed, for exactly its size and root: whoever can
   write the database but has no key cannot have their version of the log continued and signed.
3. It must not be shorter than what this process has seen.
4. Once, when the process begins, it must not contradict the witness.

Whatever fails here refuses the append: no record, no action.
"""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interlock_core.errors import AuditUnavailableError, InterlockError, VerificationError
from interlock_core.store import Row, Store, Transaction
from interlock_security.audit._record import AuditEntry, Draft, RecordKind, render
from interlock_security.audit._witness import Sighting, Witness
from interlock_security.audit.merkle import EMPTY_ROOT, CompactRange, leaf_hash
from interlock_security.audit.notes import Checkpoint, SigningKey

_READ = "SELECT size, nodes, leaf, checkpoint, verifier FROM audit_state WHERE log = 1"
_WRITE = "UPDATE audit_state SET size = ?, nodes = ?, leaf = ?, checkpoint = ?, verifier = ? WHERE log = 1"
_INSERT = "INSERT INTO audit_records (idx, id, at, kind, ref, body, leaf) VALUES (?, ?, ?, ?, ?, ?, ?)"
_OPEN = "INSERT INTO audit_open (id, idx) VALUES (?, ?)"
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
        key_file: The log's key, made when there is none.
        witness: Compared with when the first record is written; None to go without.
    """

    __slots__ = ("_head", "_key", "_key_file", "_ready", "_row", "_store", "_witness")

    def __init__(self, store: Store, *, key_file: Path, witness: Witness | None) -> None:
        self._store = store
        self._key_file = key_file
        self._witness = witness
        self._key: SigningKey | None = None
        self._head = Head(CompactRange(), b"", "")
        self._row: Row | None = None
        self._ready = asyncio.Lock()

    @property
    def head(self) -> Head:
        """Where the log ended when this process last wrote to it."""
        return self._head

    async def key(self) -> SigningKey:
        """The log's key.

        Raises:
            ConfigurationError: The key file is wrong, or cannot be made.
        """
        if self._key is None:
            async with self._ready:
                if self._key is None:
                    self._key = await asyncio.to_thread(SigningKey.load_or_create, self._key_file)
        return self._key

    async def append(self, drafts: Sequence[Draft]) -> list[AuditEntry]:
        """Append records; they are durable when this returns.

        Raises:
            AuditUnavailableError: They could not be appended; none of them was.
        """
        with _unavailable():
            key = await self.key()
            async with self._store.transaction(lock=_LOCK) as transaction:
                entries, head, row = await self._append(transaction, key, drafts)
        self._head, self._row = head, row
        return entries

    async def current(self) -> Head:
        """Where the log ends now, checked; the database is read.

        Raises:
            AuditUnavailableError: It cannot be read, or is not what it should be.
        """
        with _unavailable():
            key = await self.key()
            async with self._store.transaction(lock=_LOCK) as transaction:
                return await self._current(transaction, key)

    async def _append(
        self, transaction: Transaction, key: SigningKey, drafts: Sequence[Draft]
    ) -> tuple[list[AuditEntry], Head, Row]:
        head = await self._current(transaction, key)
        tree, previous = head.tree.copy(), head.leaf
        entries: list[AuditEntry] = []
        rows: list[Row] = []
        for draft in drafts:
            index = tree.size
            body = render(draft, index=index, previous=previous)
            previous = leaf_hash(body.encode())
            tree.append(previous)
            rows.append((index, draft.id, draft.at, draft.kind, draft.ref, body, previous))
            entries.append(
                AuditEntry(
                    id=draft.id, index=index, kind=draft.kind, at=draft.at, leaf=previous, call=draft.call
                )
            )
        note = key.sign(Checkpoint(key.verifier.name, tree.size, tree.root()).text())
        row: Row = (tree.size, tree.to_bytes(), previous, note, str(key.verifier))
        await transaction.execute_many(_INSERT, rows)
        opened = [(entry.id, entry.index) for entry in entries if entry.kind == RecordKind.INTENT]
        closed = [(draft.ref,) for draft in drafts if draft.kind == RecordKind.OUTCOME]
        if opened:
            await transaction.execute_many(_OPEN, opened)
        if closed:
            await transaction.execute_many(_CLOSE, closed)
        await transaction.execute(_WRITE, row)
        return entries, Head(tree, previous, note), row

    async def _current(self, transaction: Transaction, key: SigningKey) -> Head:
        row = await transaction.fetch_one(_READ)
        if row is None:
            raise AuditUnavailableError("The audit log's state is gone from the database.", remedy=_REMEDY)
        if row == self._row:
            return self._head
        head = _checked(row, key)
        if head.tree.size < self._head.tree.size:
            raise AuditUnavailableError("The audit log has become shorter.", remedy=_REMEDY)
        if self._row is None:
            await asyncio.to_thread(self._compare, head, key)
        return head

    def _compare(self, head: Head, key: SigningKey) -> None:
        """Hold a log that is seen for the first time against its witness; begin one for a new log."""
        if self._witness is None:
            return
        latest = self._witness.latest()
        if latest is None:
            if head.tree.size == 0:
                note = key.sign(Checkpoint(key.verifier.name, 0, EMPTY_ROOT).text())
                self._witness.record(Sighting(note, b""), found=True)
            return
        seen, _ = latest.opened(key.verifier)
        if seen.size > head.tree.size or (seen.size == head.tree.size and seen.root != head.tree.root()):
            raise AuditUnavailableError(
                f"The audit log ends at {head.tree.size} records, but its witness saw {seen.size}:"
                " it was rolled back or replaced.",
                remedy="Run `interlock audit verify`. If a backup was restored on purpose, move the witness"
                " away and begin a new one: `interlock audit checkpoint --begin`.",
            )


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


def _checked(row: Row, key: SigningKey) -> Head:
    size, nodes, leaf, note, verifier = row
    try:
        if not isinstance(size, int) or not isinstance(nodes, bytes) or not isinstance(leaf, bytes):
            raise VerificationError("its columns are not what they were")
        if size == 0 and not note:
            return Head(CompactRange(), b"", "")
        if verifier != str(key.verifier):
            raise AuditUnavailableError(
                f"The audit log is signed with another key than {key.verifier.name}.",
                remedy="Bring its key file: all processes of one log share one.",
            )
        tree = CompactRange.from_bytes(size, nodes)
        checkpoint = Checkpoint.parse(key.verifier.open(str(note)))
        if (checkpoint.size, checkpoint.root) != (size, tree.root()):
            raise VerificationError("it is not what was signed")
    except VerificationError as exc:
        raise AuditUnavailableError(
            f"The audit log's state was changed by others: {exc}", remedy=_REMEDY
        ) from exc
    return Head(tree, leaf, str(note))
