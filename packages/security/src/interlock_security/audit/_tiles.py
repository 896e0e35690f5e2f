"""Roots of parts of the log's tree, without reading every leaf.

The roots of all whole runs of 256 leaves are kept beside the log. They are a cache and nothing is believed
for their sake: whoever builds a proof from them checks it against the signed root, and rebuilds them when
it does not fit.
"""

from interlock_core.errors import VerificationError
from interlock_core.store import Store
from interlock_security.audit.merkle import HASH_BYTES, CompactRange, node_hash, tree_root

TILE = 256
"""Leaves under one kept root."""

_PAGE_TILES = 32
_LEAVES = "SELECT idx, leaf FROM audit_records WHERE idx >= ? AND idx < ? ORDER BY idx"
_KEPT = "SELECT COUNT(*), MAX(tile) FROM audit_tiles"
_ROOTS = "SELECT tile, root FROM audit_tiles WHERE tile >= ? AND tile < ? ORDER BY tile"
_KEEP = "INSERT INTO audit_tiles (tile, root) VALUES (?, ?) ON CONFLICT (tile) DO NOTHING"
_FORGET = "DELETE FROM audit_tiles"
_LOCK = "audit.tiles"


class Tiles:
    """The kept roots of one log.

    Args:
        store: Where the records are.
    """

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    async def extend(self, size: int) -> int:
        """Keep the roots of every whole run among the first `size` leaves; how many were added.

        Raises:
            VerificationError: Records are missing.
            StoreError: They cannot be read or written.
        """
        whole, added = size // TILE, 0
        start = await self._kept()
        while start < whole:
            end = min(start + _PAGE_TILES, whole)
            leaves = await self._leaves(start * TILE, end * TILE)
            rows = [
                (tile, tree_root(leaves[at : at + TILE]))
                for tile, at in zip(range(start, end), range(0, len(leaves), TILE), strict=True)
            ]
            async with self._store.transaction(lock=_LOCK) as transaction:
                await transaction.execute_many(_KEEP, rows)
            added += len(rows)
            start = end
        return added

    async def rebuild(self, size: int) -> None:
        """Forget what is kept and build it anew from the leaves.

        Raises:
            VerificationError: Records are missing.
            StoreError: They cannot be read or written.
        """
        await self._store.execute(_FORGET)
        await self.extend(size)

    async def root(self, start: int, end: int) -> bytes:
        """Root of the leaves `[start, end)`, a node of the tree; `extend` was called for `end` before.

        Raises:
            VerificationError: Records are missing.
            StoreError: They cannot be read.
        """
        first, last = -(-start // TILE), end // TILE
        if first >= last or start % TILE:
            return tree_root(await self._leaves(start, end))
        rows = await self._store.fetch_all(_ROOTS, (first, last))
        if [row[0] for row in rows] != list(range(first, last)):
            raise VerificationError("Kept roots of the audit log's tree are missing.")
        tree = CompactRange()
        tree.extend([root if isinstance(root, bytes) else b"" for _, root in rows])
        rest = await self._leaves(last * TILE, end)
        if not rest:
            return tree.root()
        # A tree is its perfect subtrees, joined from the right; what is no whole run is the last of them.
        root, nodes = tree_root(rest), tree.to_bytes()
        for at in range(len(nodes) - HASH_BYTES, -1, -HASH_BYTES):
            root = node_hash(nodes[at : at + HASH_BYTES], root)
        return root

    async def _kept(self) -> int:
        row = await self._store.fetch_one(_KEPT)
        count, last = row if row is not None else (0, None)
        if isinstance(last, int) and count == last + 1:
            return last + 1
        if count:
            await self._store.execute(_FORGET)
        return 0

    async def _leaves(self, start: int, end: int) -> list[bytes]:
        if start == end:
            return []
        rows = await self._store.fetch_all(_LEAVES, (start, end))
        if [row[0] for row in rows] != list(range(start, end)):
            raise VerificationError(
                f"Records between {start} and {end - 1} are missing from the audit log.",
                remedy="Run `interlock audit verify`.",
            )
        return [leaf if isinstance(leaf, bytes) else b"" for _, leaf in rows]
