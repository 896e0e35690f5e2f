"""Proofs of single records, as files that anyone checks without this log: `standalone.py`."""

import base64

from interlock_core.errors import ConfigurationError, NotFoundError, VerificationError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.store import Row, Store
from interlock_security.audit._export import record_json, state
from interlock_security.audit._paths import Part, consistency_parts, inclusion_parts
from interlock_security.audit._record import canonical, select
from interlock_security.audit._tiles import Tiles
from interlock_security.audit.notes import Checkpoint, VerifierKey
from interlock_security.audit.standalone import PROOF, NotProvenError, check_proof

_BY_ID = select("WHERE id = ? ORDER BY idx LIMIT 1")
_BY_INDEX = select("WHERE idx = ?")
_RETIRED = "SELECT verifier FROM audit_keys ORDER BY size"


class AuditProofs:
    """Proves that records stand in the log, and that the log goes on from where it was.

    Args:
        store: Where the records are.
    """

    __slots__ = ("_store", "_tiles")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tiles = Tiles(store)

    async def prove(self, record: str, *, since: str | None = None) -> str:
        """The proof of one record, as the text of a file.

        Args:
            record: The record's id, or its place.
            since: An older checkpoint of the log; then it is also proved that the log continues it.

        Raises:
            NotFoundError: There is no such record.
            VerificationError: The log does not hold, or does not continue the older checkpoint.
            AuditUnavailableError: Nothing was ever signed.
            StoreError: It cannot be read.
        """
        row = await self._row(record)
        proof = await self._proof(row, since)
        try:
            check_proof(proof.encode())
        except NotProvenError:
            await self._tiles.rebuild((await state(self._store))[0])
            proof = await self._proof(row, since)
        try:
            check_proof(proof.encode())
        except NotProvenError as exc:
            raise VerificationError(
                f"The record cannot be proved: {exc}.", remedy="Run `interlock audit verify`."
            ) from exc
        return proof

    async def prepare(self) -> int:
        """Keep what proofs are quickly made of, up to where the log ends now; how much was added.

        Raises:
            VerificationError: Records are missing.
            StoreError: It cannot be read or written.
        """
        row = await self._store.fetch_one("SELECT size FROM audit_state WHERE log = 1")
        size = row[0] if row is not None else 0
        return await self._tiles.extend(size if isinstance(size, int) else 0)

    async def _row(self, record: str) -> Row:
        place = record.isascii() and record.isdigit() and len(record) < 19
        row = await self._store.fetch_one(_BY_INDEX if place else _BY_ID, (int(record) if place else record,))
        if row is None:
            raise NotFoundError(
                f"There is no record {record[:80]!r} in the audit log.",
                field="record",
                remedy="Take the id or the number of a record from `interlock audit search`.",
            )
        return row

    async def _proof(self, row: Row, since: str | None) -> str:
        size, note, key = await state(self._store)
        index = row[0] if isinstance(row[0], int) else -1
        await self._tiles.extend(size)
        proof: JsonObject = {
            "checkpoint": note,
            "format": PROOF,
            "inclusion": await self._path(inclusion_parts(index, size)),
            "key": key,
            "record": record_json(row),
            "since": None if since is None else await self._since(since, size, key),
        }
        return f"{canonical(proof)}\n"

    async def _since(self, note: str, size: int, key: str) -> JsonObject:
        """The proof that the log continues an older checkpoint, which an older key may have signed."""
        rows = await self._store.fetch_all(_RETIRED)
        for verifier in (key, *(str(row[0]) for row in rows)):
            try:
                old = Checkpoint.parse(VerifierKey.parse(verifier).open(note))
            except (VerificationError, ConfigurationError):
                continue
            path = await self._path(consistency_parts(old.size, size))
            return {"checkpoint": note, "consistency": path, "format": PROOF, "key": verifier}
        raise VerificationError(
            "The older checkpoint is not signed by this log's key.",
            field="since",
            remedy="Give the file of a checkpoint that this log signed.",
        )

    async def _path(self, parts: list[Part]) -> list[Json]:
        return [base64.b64encode(await self._tiles.root(start, end)).decode() for start, end in parts]
