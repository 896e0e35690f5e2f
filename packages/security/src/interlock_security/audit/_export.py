"""Records as they leave the log: whole and checkable, as JSON, or as a table for spreadsheets.

A whole export as JSON Lines begins with a line that holds the signed checkpoint, and the last one of each key
that signed before, so that `standalone.py` checks it without anything else, from whichever key on. What is
chosen by a query is no whole log, and has no such line: single records of it are proved by `prove`. Nothing
is redacted here: that was done before it was stored.
"""

import base64
import csv
import io
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from interlock_core.errors import AuditUnavailableError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.store import Row, Store
from interlock_security.audit._chain import RETIRED
from interlock_security.audit._record import HEADER_FIELDS, AuditRecord, canonical, digest_of, select
from interlock_security.audit._search import AuditQuery, AuditSearch
from interlock_security.audit.standalone import EXPORT

ExportFormat: TypeAlias = Literal["json", "jsonl", "csv"]
"""How records are written."""

_PAGE = 1_000
_STATE = "SELECT size, checkpoint, verifier FROM audit_state WHERE log = 1"
_ROWS = select("WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?")
_COLUMNS = (
    *("record", "time", "kind", "user", "agent", "key", "team", "name", "outcome", "run", "trace"),
    *("id", "ref", "data"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class AuditExport:
    """Writes records of one log, in pages, whatever their number.

    Args:
        store: Where the records are.
    """

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    async def lines(self, form: ExportFormat, query: AuditQuery | None = None) -> AsyncGenerator[str, None]:
        """Records in the order of the log, as pieces of text.

        Args:
            form: How they are written.
            query: Which; all of them when None.

        Raises:
            AuditUnavailableError: The log's state is gone.
            StoreError: They cannot be read.
        """
        chosen = query or AuditQuery()
        # One look at the state for the head and the records: what is appended meanwhile is in neither.
        signed = await state(self._store) if chosen == AuditQuery() else None
        pages = self._chosen(chosen) if signed is None else self._whole(signed[0])
        if form == "jsonl":
            if signed is not None:
                yield await self._head(*signed)
            async for rows in pages:
                yield "".join(f"{_line(row)}\n" for row in rows)
        elif form == "json":
            yield "["
            between = "\n"
            async for rows in pages:
                for row in rows:
                    yield f"{between}{canonical(AuditRecord.of(row).as_json())}"
                    between = ",\n"
            yield "\n]\n"
        else:
            yield _table([_COLUMNS])
            async for rows in pages:
                yield _table([_cells(AuditRecord.of(row)) for row in rows])

    async def _head(self, size: int, note: str, verifier: str) -> str:
        rows = await self._store.fetch_all(RETIRED)
        rotations: list[Json] = [
            {"checkpoint": str(last), "key": str(old)}
            for place, old, last in rows
            if isinstance(place, int) and place <= size
        ]
        facts: JsonObject = {
            "checkpoint": note,
            "format": EXPORT,
            "key": verifier,
            "records": size,
            "rotations": rotations,
        }
        return f"{canonical(facts)}\n"

    async def _whole(self, size: int) -> AsyncGenerator[list[Row], None]:
        start = 0
        while start < size:
            rows = await self._store.fetch_all(_ROWS, (start, size, _PAGE))
            if not rows:
                return
            yield rows
            last = rows[-1][0]
            start = last + 1 if isinstance(last, int) else size

    async def _chosen(self, query: AuditQuery) -> AsyncGenerator[list[Row], None]:
        search, after = AuditSearch(self._store), -1
        while rows := await search.rows(query, _PAGE, after=after):
            yield rows
            last = rows[-1][0]
            after = last if isinstance(last, int) else after


async def state(store: Store) -> tuple[int, str, str]:
    """The log's size, its signed checkpoint and the key that signed it.

    Raises:
        AuditUnavailableError: The log's state is gone, or nothing was ever signed.
        StoreError: It cannot be read.
    """
    row = await store.fetch_one(_STATE)
    size, note, verifier = row or (None, None, None)
    if not isinstance(size, int) or not note:
        raise AuditUnavailableError(
            "The audit log has no signed checkpoint yet.",
            remedy="Run `interlock audit verify`; a log without a record has nothing to show.",
        )
    return size, str(note), str(verifier)


def record_json(row: Row) -> JsonObject:
    """A row of the log as a proof shows it: header, payload and salt, as they were hashed."""
    digest, salt, payload = row[14], row[15], row[16]
    values = [value.hex() if isinstance(value, bytes) else value for value in row[:15]]
    header: JsonObject = dict(zip(HEADER_FIELDS, values, strict=True))
    text, start = payload if isinstance(payload, str) else None, salt if isinstance(salt, bytes) else b""
    if text is not None and digest_of(start, text) == digest:
        shown = AuditRecord.of(row).data
        return {"header": header, "payload": shown, "salt": base64.b64encode(start).decode()}
    # What does not fit its digest any more is shown as the text that it is.
    return {
        "header": header,
        "payload": text,
        "salt": None if salt is None else base64.b64encode(start).decode(),
    }


def _line(row: Row) -> str:
    """A row as canonical JSON; what fits its digest is written as it was stored."""
    digest, salt, payload = row[14], row[15], row[16]
    if isinstance(payload, str) and isinstance(salt, bytes) and digest_of(salt, payload) == digest:
        values = [value.hex() if isinstance(value, bytes) else value for value in row[:15]]
        header = canonical(dict(zip(HEADER_FIELDS, values, strict=True)))
        encoded = base64.b64encode(salt).decode()
        return f'{{"header":{header},"payload":{payload},"salt":"{encoded}"}}'
    return canonical(record_json(row))


def _table(rows: "list[tuple[str, ...]]") -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def _cells(record: AuditRecord) -> tuple[str, ...]:
    facts = record.facts
    at = datetime.fromtimestamp(record.at, UTC).isoformat(timespec="microseconds")
    texts = (
        *(record.kind, facts.user, facts.agent, facts.key, facts.team, facts.name, record.outcome),
        *(facts.run, facts.trace, record.id, record.ref or "", record.payload),
    )
    return (str(record.index), at, *map(plain_cell, texts))


def plain_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
