"""Verification of a whole log.

What is checked, in this order:

1. There is a state row, a key, and a checkpoint that this key signed for exactly the state's size.
2. No record stands beyond that size.
3. Record by record: none is missing; its header hashes to its leaf and names the record before it; its
   payload is the one that its header vouches for, or a later record says that it was erased.
4. The tree of all headers has the root that was signed.
5. Every change of the key holds.
6. The log is not shorter than its witness saw, and at every size that the witness saw it had that root.

Not covered: what someone who has the log's key changed before the witness first saw it.
"""

import asyncio

from interlock_core.errors import ConfigurationError, InterlockError, VerificationError
from interlock_core.store import Row, Store
from interlock_security.audit._chain import RETIRED, check_chain
from interlock_security.audit._keys import KeyRing, KeySource
from interlock_security.audit._report import Findings, ProblemKind, VerifyReport
from interlock_security.audit._walk import Walk
from interlock_security.audit._witness import Prove, Sighting, Witness
from interlock_security.audit.notes import Checkpoint, open_note

_STATE = "SELECT size, checkpoint, verifier FROM audit_state WHERE log = 1"
_END = "SELECT MAX(idx), COUNT(*) FROM audit_records"


class Verifier:
    """Verifies one log, once.

    Args:
        store: Where the records are.
        keys: The log's keys.
        witness: Who saw the log; None when there is none.
        prove: Makes consistency proofs for the witness.
    """

    __slots__ = ("_findings", "_keys", "_prove", "_store", "_witness")

    def __init__(self, store: Store, *, keys: KeySource, witness: Witness | None, prove: Prove) -> None:
        self._store = store
        self._keys = keys
        self._witness = witness
        self._prove = prove
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
        ring = await self._ring(used=size > 0)
        checkpoint = None if state is None or not ring.signing else self._checkpoint(state, ring)
        seen = await self._sightings(ring, used=size > 0)
        kept = [
            row for row in await self._store.fetch_all(RETIRED) if isinstance(row[0], int) and row[0] <= size
        ]
        stops = {*seen, *(stop for stop, _, _ in kept if isinstance(stop, int))}
        walk = Walk(self._findings, sorted(stop for stop in stops if stop <= size), size)
        await walk.over(self._store)
        signer = "" if state is None else str(state[2])
        check_chain(self._findings, said=walk.rotations, kept=kept, roots=walk.roots, signer=signer)
        self._compare(walk, checkpoint, seen, size)
        await self._ask(state, walk)
        return VerifyReport(
            records=walk.count,
            checkpoint=checkpoint,
            problems=tuple(self._findings.problems),
            notices=await walk.notices(self._store),
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

    async def _ring(self, *, used: bool) -> KeyRing:
        try:
            ring = await asyncio.to_thread(self._keys.load)
        except ConfigurationError as exc:
            self._findings.add(ProblemKind.KEY_MISSING, None, f"The log's key cannot be used: {exc}")
            return KeyRing()
        if not ring.signing and used:
            self._findings.add(ProblemKind.KEY_MISSING, None, "The log's key is missing.")
        return ring

    def _checkpoint(self, state: Row, ring: KeyRing) -> Checkpoint | None:
        size, note, verifier = state[:3]
        if size == 0 and not note:
            return None
        key = ring.named(verifier)
        if key is None:
            self._findings.add(
                ProblemKind.FOREIGN_KEY, None, "The log says that it is signed with another key than its own."
            )
            key = ring.signing[0]
        try:
            checkpoint = Checkpoint.parse(key.verifier.open(str(note)))
        except VerificationError as exc:
            self._findings.add(
                ProblemKind.FORGED_SIGNATURE, None, f"The log's checkpoint is not valid: {exc}"
            )
            return None
        if checkpoint.size != size:
            detail = f"The log's checkpoint is for {checkpoint.size} records, its state for {size}."
            self._findings.add(ProblemKind.CHECKPOINT, None, detail)
        return checkpoint

    async def _sightings(self, ring: KeyRing, *, used: bool) -> dict[int, set[bytes]]:
        """The roots that the witness saw, by size."""
        seen: dict[int, set[bytes]] = {}
        if self._witness is None:
            return seen
        try:
            kept = await self._witness.sightings()
        except (OSError, InterlockError) as exc:
            self._findings.add(ProblemKind.WITNESS, None, f"The witness cannot be read: {_said(exc)}")
            return seen
        if not kept and used:
            self._findings.add(ProblemKind.WITNESS_MISSING, None, "The log's witness is missing.")
        for sighting in kept or ():
            self._sighting(sighting, ring, seen)
        return seen

    def _sighting(self, sighting: Sighting, ring: KeyRing, seen: dict[int, set[bytes]]) -> None:
        try:
            checkpoint = Checkpoint.parse(open_note(sighting.note, ring.verifiers))
        except VerificationError as exc:
            self._findings.add(ProblemKind.WITNESS, None, f"The witness keeps what is not this log's: {exc}")
        else:
            seen.setdefault(checkpoint.size, set()).add(checkpoint.root)

    async def _ask(self, state: Row | None, walk: Walk) -> None:
        """Let a witness that judges for itself judge."""
        if self._witness is None or state is None or not state[1]:
            return
        try:
            await self._witness.confirm(Sighting(str(state[1]), walk.tree.to_bytes()), prove=self._prove)
        except VerificationError as exc:
            self._findings.add(ProblemKind.ROLLED_BACK, walk.count, f"The witness does not agree: {exc}")
        except (OSError, InterlockError) as exc:
            self._findings.add(ProblemKind.WITNESS, None, f"The witness cannot be asked: {_said(exc)}")

    def _compare(
        self, walk: Walk, checkpoint: Checkpoint | None, seen: dict[int, set[bytes]], size: int
    ) -> None:
        """Hold the tree of all headers against what was signed, and against what the witness saw."""
        tree = walk.tree
        if checkpoint is not None and checkpoint.size == tree.size and checkpoint.root != tree.root():
            self._findings.add(
                ProblemKind.REWRITTEN, None, "The records together are not those that were signed."
            )
        furthest = max(seen, default=0)
        if furthest > size:
            kind = ProblemKind.ROLLED_BACK if size else ProblemKind.WIPED
            self._findings.add(kind, size, f"The log has {size} records, but its witness saw {furthest}.")
        other = sorted(stop for stop, root in walk.roots.items() if stop in seen and seen[stop] != {root})
        if other:
            whole = max((stop for stop in walk.roots if stop in seen and stop < other[0]), default=0)
            detail = f"Between the records {whole} and {other[0] - 1} the log is not the one its witness saw."
            self._findings.add(ProblemKind.REWRITTEN, whole, detail)


def _said(error: Exception) -> str:
    return f"{error.strerror}." if isinstance(error, OSError) else str(error)
