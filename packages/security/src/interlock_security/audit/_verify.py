"""Verification of a whole log.

What is checked, in this order:

1. There is a state row, a key, and a checkpoint that this key signed for exactly the state's size.
2. No record stands beyond that size.
3. Record by record: none is missing; its text hashes to its leaf; the text says its own place, id, time,
   kind and reference as the row does; it names the record before it.
4. The tree of all texts has the root that was signed.
5. The log is not shorter than its witness saw, and at every size that the witness saw it had that root.

Not covered: what someone who has the log's key changed before the witness first saw it.
"""

import asyncio
from pathlib import Path

from interlock_core.errors import ConfigurationError, VerificationError
from interlock_core.store import Row, Store
from interlock_security.audit._report import Findings, ProblemKind, VerifyReport
from interlock_security.audit._walk import Walk
from interlock_security.audit._witness import Sighting, Witness
from interlock_security.audit.notes import Checkpoint, SigningKey, VerifierKey

_STATE = "SELECT size, checkpoint, verifier FROM audit_state WHERE log = 1"
_END = "SELECT MAX(idx), COUNT(*) FROM audit_records"


class Verifier:
    """Verifies one log, once.

    Args:
        store: Where the records are.
        key_file: The log's key.
        witness: Who saw the log; None when there is none.
    """

    __slots__ = ("_findings", "_key_file", "_store", "_witness")

    def __init__(self, store: Store, *, key_file: Path, witness: Witness | None) -> None:
        self._store = store
        self._key_file = key_file
        self._witness = witness
        self._findings = Findings()

    async def run(self) -> VerifyReport:
        """Verify everything; records that are appended meanwhile are left for the next time.

        Raises:
            StoreError: The records cannot be read.
        """
        # The end is read before the state: what is appended in between is then never taken for foreign.
        end, count = await self._end()
        state = await self._store.fetch_one(_STATE)
        size = self._size(state, end, count)
        key = await self._key(used=size > 0)
        checkpoint = None if state is None or key is None else self._checkpoint(state, key)
        seen = await self._sightings(key, used=size > 0)
        walk = Walk(self._findings, sorted(stop for stop in seen if stop <= size))
        await walk.over(self._store, size)
        self._compare(walk, checkpoint, seen, size)
        return VerifyReport(
            records=walk.count,
            checkpoint=checkpoint,
            problems=tuple(self._findings.problems),
            notices=walk.notices(),
            more=self._findings.more,
        )

    async def _end(self) -> tuple[int, int]:
        row = await self._store.fetch_one(_END)
        last, count = row if row is not None else (None, 0)
        return (last + 1 if isinstance(last, int) else 0), (count if isinstance(count, int) else 0)

    def _size(self, state: Row | None, end: int, count: int) -> int:
        if state is None:
            self._findings.add(ProblemKind.WIPED, None, f"The log's state is gone; {count} records are left.")
            return end
        size = state[0] if isinstance(state[0], int) else 0
        if end > size or count > size:
            detail = f"The log has {size} records, but {count} are there, up to index {end - 1}."
            self._findings.add(ProblemKind.INSERTED, size, detail)
        return size

    async def _key(self, *, used: bool) -> VerifierKey | None:
        try:
            key = await asyncio.to_thread(SigningKey.load, self._key_file)
        except ConfigurationError as exc:
            self._findings.add(ProblemKind.KEY_MISSING, None, f"The log's key cannot be used: {exc}")
            return None
        if key is None and used:
            self._findings.add(ProblemKind.KEY_MISSING, None, f"The log's key is missing: {self._key_file}.")
        return None if key is None else key.verifier

    def _checkpoint(self, state: Row, key: VerifierKey) -> Checkpoint | None:
        size, note, verifier = state
        if size == 0 and not note:
            return None
        if verifier != str(key):
            self._findings.add(
                ProblemKind.FOREIGN_KEY, None, "The log says that it is signed with another key than its own."
            )
        try:
            checkpoint = Checkpoint.parse(key.open(str(note)))
        except VerificationError as exc:
            self._findings.add(
                ProblemKind.FORGED_SIGNATURE, None, f"The log's checkpoint is not valid: {exc}"
            )
            return None
        if checkpoint.size != size:
            detail = f"The log's checkpoint is for {checkpoint.size} records, its state for {size}."
            self._findings.add(ProblemKind.CHECKPOINT, None, detail)
        return checkpoint

    async def _sightings(self, key: VerifierKey | None, *, used: bool) -> dict[int, set[bytes]]:
        """The roots that the witness saw, by size."""
        seen: dict[int, set[bytes]] = {}
        if self._witness is None or key is None:
            return seen
        try:
            kept = await asyncio.to_thread(self._witness.sightings)
        except OSError as exc:
            self._findings.add(ProblemKind.WITNESS, None, f"The witness cannot be read: {exc.strerror}.")
            return seen
        if not kept and used:
            self._findings.add(ProblemKind.WITNESS_MISSING, None, "The log's witness is missing.")
        for sighting in kept or ():
            self._sighting(sighting, key, seen)
        return seen

    def _sighting(self, sighting: Sighting, key: VerifierKey, seen: dict[int, set[bytes]]) -> None:
        try:
            checkpoint = Checkpoint.parse(key.open(sighting.note))
        except VerificationError as exc:
            self._findings.add(ProblemKind.WITNESS, None, f"The witness keeps what is not this log's: {exc}")
        else:
            seen.setdefault(checkpoint.size, set()).add(checkpoint.root)

    def _compare(
        self, walk: Walk, checkpoint: Checkpoint | None, seen: dict[int, set[bytes]], size: int
    ) -> None:
        """Hold the tree of all texts against what was signed, and against what the witness saw."""
        tree = walk.tree
        if checkpoint is not None and checkpoint.size == tree.size and checkpoint.root != tree.root():
            self._findings.add(
                ProblemKind.REWRITTEN, None, "The records together are not those that were signed."
            )
        furthest = max(seen, default=0)
        if furthest > size:
            kind = ProblemKind.ROLLED_BACK if size else ProblemKind.WIPED
            self._findings.add(kind, size, f"The log has {size} records, but its witness saw {furthest}.")
        other = sorted(stop for stop, root in walk.roots.items() if seen[stop] != {root})
        if other:
            whole = max((stop for stop in walk.roots if stop < other[0]), default=0)
            detail = f"Between the records {whole} and {other[0] - 1} the log is not the one its witness saw."
            self._findings.add(ProblemKind.REWRITTEN, whole, detail)
