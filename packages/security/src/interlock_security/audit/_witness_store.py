"""A witness in another database, for replicas that share no disk.

It shows what a witness shows as long as whoever can write the log's database cannot write this one too.
One database keeps the sightings of one log.
"""

import asyncio

from interlock_core.errors import VerificationError
from interlock_core.store import Row, Store
from interlock_security.audit._witness import Prove, Sighting

_KEPT = 256
_MAKE = (
    "CREATE TABLE IF NOT EXISTS audit_sightings"
    " (size BIGINT NOT NULL, checkpoint TEXT NOT NULL, nodes {bytes} NOT NULL,"
    " PRIMARY KEY (size, checkpoint))"
)
_BYTES = {"sqlite": "BLOB", "postgresql": "BYTEA"}
_ALL = "SELECT checkpoint, nodes FROM audit_sightings ORDER BY size"
_LATEST = "SELECT checkpoint, nodes FROM audit_sightings ORDER BY size DESC LIMIT 1"
_KEEP = "INSERT INTO audit_sightings (size, checkpoint, nodes) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_FORGET = (
    "DELETE FROM audit_sightings WHERE size <"
    " (SELECT MIN(size) FROM (SELECT size FROM audit_sightings ORDER BY size DESC LIMIT ?) AS newest)"
)


class StoreWitness:
    """A witness in a database of its own, SQLite or PostgreSQL; it is opened when it is first asked.

    The last 256 sightings are kept: the latest vouches for all before it.

    Args:
        url: The database, as for `Store.open`; not the log's own.
    """

    __slots__ = ("_opening", "_store", "_url")

    def __init__(self, url: str) -> None:
        self._url = url
        self._store: Store | None = None
        self._opening = asyncio.Lock()

    async def sightings(self) -> list[Sighting] | None:
        """Everything kept, oldest first; None when nothing ever was.

        Raises:
            StoreError: The database cannot be reached.
        """
        store = await self._opened()
        return [_sighting(row) for row in await store.fetch_all(_ALL)] or None

    async def latest(self) -> Sighting | None:
        """What was kept with the largest size; None when there is nothing.

        Raises:
            StoreError: The database cannot be reached.
        """
        row = await (await self._opened()).fetch_one(_LATEST)
        return None if row is None else _sighting(row)

    async def record(self, sighting: Sighting, *, prove: Prove, found: bool = False) -> None:
        """Keep one more sighting, and forget those far behind it.

        Raises:
            StoreError: It could not be kept.
            VerificationError: There is no witness yet, and `found` is false.
        """
        store = await self._opened()
        async with store.transaction(lock="audit_sightings") as transaction:
            if not found and await transaction.fetch_one(_LATEST) is None:
                raise VerificationError("The audit log's witness is missing.")
            await transaction.execute(_KEEP, (sighting.size, sighting.note, sighting.nodes))
            await transaction.execute(_FORGET, (_KEPT,))

    async def confirm(self, sighting: Sighting, *, prove: Prove) -> None:
        """Nothing: a database does not judge."""

    async def aclose(self) -> None:
        """Close the database, if it was opened."""
        store, self._store = self._store, None
        if store is not None:
            await store.aclose()

    async def _opened(self) -> Store:
        async with self._opening:
            if self._store is None:
                store = await Store.open(self._url)
                await store.execute(_MAKE.format(bytes=_BYTES[store.dialect]))
                self._store = store
            return self._store


def _sighting(row: Row) -> Sighting:
    note, nodes = row
    return Sighting(str(note), nodes if isinstance(nodes, bytes) else b"")
