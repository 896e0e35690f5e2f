"""Consistency proofs for a witness that judges for itself."""

from interlock_core.store import Store
from interlock_security.audit._paths import consistency_parts
from interlock_security.audit._tiles import Tiles


class Prover:
    """Proves that a log goes on from where it was.

    Args:
        store: Where the records are.
    """

    __slots__ = ("_tiles",)

    def __init__(self, store: Store) -> None:
        self._tiles = Tiles(store)

    async def prove(self, old: int, size: int) -> list[bytes]:
        """The proof that the log of `size` records begins with that of `old`; empty when that says nothing.

        Raises:
            VerificationError: The log was never that long, or records are missing.
            StoreError: They cannot be read.
        """
        if old in {0, size}:
            return []
        await self._tiles.extend(size)
        return [await self._tiles.root(start, end) for start, end in consistency_parts(old, size)]
