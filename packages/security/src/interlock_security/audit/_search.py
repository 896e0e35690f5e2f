"""Search in the log, page by page, by what its columns say.

A page is found again by the place of its last record, so that records which are appended meanwhile change
nothing. A cursor carries that place, and a digest of the record there and of the query: one that was made up,
or is used with another query, is refused. What it may show is decided anew for each page, not by the cursor.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import LiteralString

from interlock_core.errors import InvalidRequestError
from interlock_core.store import Row, SqlValue, Store
from interlock_security.audit._record import AuditRecord, select

MOST_RECORDS = 1_000
"""Most records of a page."""

_EQUAL: dict[str, LiteralString] = {
    "user": "user_name = ?",
    "agent": "agent = ?",
    "key": "key_id = ?",
    "kind": "kind = ?",
    "outcome": "outcome = ?",
    "run": "run = ?",
    "trace": "trace_id = ?",
    "team": "team = ?",
}
_LEAF = "SELECT leaf FROM audit_records WHERE idx = ?"
_DIGEST_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which records; an empty field asks for nothing.

    Attributes:
        user: Name of the user.
        agent: Name of the agent.
        key: Id of the key.
        name: Name of the tool, model or change; with `*` at its end, all that begin so.
        kind: Kind of record, such as `intent`, `outcome`, `refused`, `alert`.
        outcome: `ok`, `refused`, or the code of an error.
        run: Id of the run.
        trace: Id of the trace.
        team: Name of the team.
        text: What stands somewhere in the record's data; upper and lower case of ASCII are one.
        since: First time, in seconds since 1970.
        until: Time before which, in seconds since 1970.
    """

    user: str = ""
    agent: str = ""
    key: str = ""
    name: str = ""
    kind: str = ""
    outcome: str = ""
    run: str = ""
    trace: str = ""
    team: str = ""
    text: str = ""
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page of what was found, the newest record first.

    Attributes:
        records: The records.
        next: Cursor of the next page; None on the last.
    """

    records: Sequence[AuditRecord]
    next: str | None


class AuditSearch:
    """Searches one log. Reading is not proving: `AuditLog.verify` is.

    Args:
        store: Where the records are.
    """

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, query: AuditQuery, *, limit: int = 50, cursor: str | None = None) -> AuditPage:
        """One page, the newest first.

        Args:
            query: Which records.
            limit: Most records, up to 1,000.
            cursor: `next` of the page before, of the same query.

        Raises:
            InvalidRequestError: The cursor is none of this query, or a text cannot be searched for.
            StoreError: They cannot be read.
        """
        most = max(1, min(limit, MOST_RECORDS))
        before = None if cursor is None else await self._place(query, cursor)
        conditions, values = _conditions(query)
        if before is not None:
            conditions.append("idx < ?")
            values.append(before)
        rows = await self._store.fetch_all(
            select(_where(conditions) + "ORDER BY idx DESC LIMIT ?"), (*values, most + 1)
        )
        records = [AuditRecord.of(row) for row in rows[:most]]
        following = _cursor(query, records[-1].index, records[-1].leaf) if len(rows) > most else None
        return AuditPage(records, following)

    async def rows(self, query: AuditQuery, limit: int, *, after: int) -> list[Row]:
        """Rows in the order of the log, after a place.

        Raises:
            InvalidRequestError: A text cannot be searched for.
            StoreError: They cannot be read.
        """
        conditions, values = _conditions(query)
        conditions.append("idx > ?")
        return await self._store.fetch_all(
            select(_where(conditions) + "ORDER BY idx LIMIT ?"), (*values, after, limit)
        )

    async def _place(self, query: AuditQuery, cursor: str) -> int:
        refused = InvalidRequestError(
            "This is no cursor of this search.",
            field="cursor",
            remedy="Use `next` of the page before, with the same filters, or leave it away.",
        )
        try:
            held = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        except (ValueError, binascii.Error) as exc:
            raise refused from exc
        if len(held) != 8 + _DIGEST_BYTES:
            raise refused
        place = int.from_bytes(held[:8], "big", signed=True)
        row = await self._store.fetch_one(_LEAF, (place,))
        leaf = row[0] if row is not None else None
        if not isinstance(leaf, bytes) or _cursor(query, place, leaf) != cursor:
            raise refused
        return place


def _cursor(query: AuditQuery, place: int, leaf: bytes) -> str:
    asked = json.dumps(asdict(query), sort_keys=True).encode()
    digest = hashlib.sha256(leaf + hashlib.sha256(asked).digest()).digest()[:_DIGEST_BYTES]
    return base64.urlsafe_b64encode(place.to_bytes(8, "big", signed=True) + digest).decode().rstrip("=")


def _where(conditions: Sequence[LiteralString]) -> LiteralString:
    return "WHERE " + " AND ".join(conditions) + " " if conditions else ""


def _conditions(query: AuditQuery) -> tuple[list[LiteralString], list[SqlValue]]:
    conditions: list[LiteralString] = []
    values: list[SqlValue] = []
    given = asdict(query)
    for name, condition in _EQUAL.items():
        if given[name]:
            conditions.append(condition)
            values.append(_readable(name, str(given[name])))
    if query.name.endswith("*"):
        conditions.append("name LIKE ? ESCAPE '!'")
        values.append(_pattern(_readable("name", query.name[:-1])) + "%")
    elif query.name:
        conditions.append("name = ?")
        values.append(_readable("name", query.name))
    if query.text:
        conditions.append("LOWER(payload) LIKE LOWER(?) ESCAPE '!'")
        values.append(f"%{_pattern(json.dumps(_readable('text', query.text))[1:-1])}%")
    if query.since is not None:
        conditions.append("at >= ?")
        values.append(int(query.since * 1_000_000))
    if query.until is not None:
        conditions.append("at < ?")
        values.append(int(query.until * 1_000_000))
    return conditions, values


def _readable(field: str, text: str) -> str:
    if "\x00" in text or any(0xD800 <= ord(char) < 0xE000 for char in text):
        raise InvalidRequestError(
            "The text holds what no record can hold.", field=field, remedy="Leave the odd characters away."
        )
    return text


def _pattern(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
