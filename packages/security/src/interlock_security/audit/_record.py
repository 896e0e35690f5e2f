"""Records: a header that is hashed into the tree, and a payload that the header vouches for.

The header is sixteen lines of UTF-8, without a line end after the last: `HEADER_VERSION`, then the fields
named in `HEADER_FIELDS`, in that order; a field that has nothing to say is an empty line. Numbers are
decimal, `prev` and `digest` are lower-case hexadecimal. No field holds a line end, so the lines can be
read in one way only. The leaf of the tree is RFC 6962's hash of these bytes.

`digest` is the SHA-256 of the record's salt (16 random bytes) followed by its payload (canonical JSON,
ASCII, keys sorted, no spaces). Payload and salt can be erased: header, leaf and every proof stay as they
were, and nobody can guess the payload from the digest. `prev` is the first half of the leaf before, which
shows *where* a log was cut or changed; that it was changed is shown by the tree.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import LiteralString, NamedTuple, TypeAlias, cast

from interlock_core.jsontypes import Json, JsonObject, as_object, parse_json
from interlock_core.store import Row

HEADER_VERSION = "interlock-audit/2"
"""First line of every header."""

HEADER_FIELDS = (
    "index",
    "prev",
    "id",
    "at",
    "kind",
    "ref",
    "user",
    "agent",
    "key",
    "name",
    "outcome",
    "run",
    "trace",
    "team",
    "digest",
)
"""The other lines of a header."""

COLUMNS = (
    "idx",
    "prev",
    "id",
    "at",
    "kind",
    "ref",
    "user_name",
    "agent",
    "key_id",
    "name",
    "outcome",
    "run",
    "trace_id",
    "team",
    "digest",
    "salt",
    "payload",
    "leaf",
)
"""Columns of `audit_records`, in the order of `AuditRecord.of`; the first fifteen are the header's fields."""

SALT_BYTES = 16
PREV_BYTES = 16

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_MOST_CHARS = 256
_BREAKS = len(HEADER_FIELDS)

_Shown: TypeAlias = (
    "tuple[int, bytes, str, int, str, str, str, str, str, str, str, str, str, str, bytes, bytes, str, bytes]"
)
"""A row of `COLUMNS` as it should be."""


class RecordKind(StrEnum):
    """What a record is about; changes and refusals carry kinds of their own, such as `roles.granted`.

    Kinds that begin with `audit.` are about the log itself; their payloads are never erased.
    """

    INTENT = "intent"
    OUTCOME = "outcome"
    REFUSED = "refused"
    ERASED = "audit.erased"
    KEY = "audit.key"


class Facts(NamedTuple):
    """What a log is searched by, each empty when there is nothing to say."""

    user: str = ""
    agent: str = ""
    key: str = ""
    name: str = ""
    run: str = ""
    trace: str = ""
    team: str = ""

    @classmethod
    def of(cls, data: Mapping[str, Json]) -> "Facts":
        """Those that redacted data name."""
        principal = as_object(data.get("principal"))
        user, key, team = principal.get("user"), principal.get("key_id"), principal.get("team")
        said = (user, data.get("agent"), key, data.get("name"), data.get("run"), data.get("trace_id"), team)
        texts = [text if isinstance(text, str) else "" for text in said]
        whole = "".join(texts)
        if len(whole) <= _MOST_CHARS and whole.isprintable():
            return cls(*texts)
        return cls(*map(plain, texts))


NO_FACTS = Facts()


class Draft(NamedTuple):
    """A record that has no place in the log yet."""

    id: str
    kind: str
    at: int
    payload: str
    facts: Facts = NO_FACTS
    outcome: str = ""
    ref: str = ""
    call: str = ""


class AuditEntry(NamedTuple):
    """Where a record stands in the log; it is durable when one sees this.

    Attributes:
        id: Id of the record.
        index: Its place, from 0.
        kind: What it is about.
        at: Microseconds since 1970.
        leaf: Its hash in the Merkle tree.
        call: Id of the call that it is about.
        facts: What it is found by.
    """

    id: str
    index: int  # pyright: ignore[reportIncompatibleMethodOverride] - a place is not looked for in an entry
    kind: str
    at: int
    leaf: bytes
    call: str = ""
    facts: Facts = NO_FACTS


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """A record as it was read back. Reading is not proving: `AuditLog.verify` is.

    Attributes:
        index: Its place in the log, from 0.
        id: Id of the record.
        at: Seconds since 1970.
        kind: `intent`, `outcome`, or what was noted.
        ref: Id of the intent that an outcome belongs to.
        facts: Who, what, in which run.
        outcome: `ok`, the code of an error, or empty.
        data: What it says, redacted before it was stored; empty when it was erased.
        erased: Its payload is gone.
        header: What was hashed into the tree.
        leaf: That hash.
        salt: What the payload's digest begins with; empty when it was erased.
        payload: What it says, as canonical JSON; empty when it was erased.
    """

    index: int
    id: str
    at: float
    kind: str
    ref: str | None
    data: JsonObject
    facts: Facts = NO_FACTS
    outcome: str = ""
    erased: bool = False
    header: str = ""
    leaf: bytes = b""
    salt: bytes = b""
    payload: str = ""

    def as_json(self) -> JsonObject:
        """The record as a JSON object."""
        return {
            "index": self.index,
            "id": self.id,
            "at": self.at,
            "kind": self.kind,
            "ref": self.ref,
            **self.facts._asdict(),
            "outcome": self.outcome,
            "erased": self.erased,
            "data": self.data,
        }

    @classmethod
    def of(cls, row: Row) -> "AuditRecord":
        """Read a row of `COLUMNS`; what is not there is empty, because a log may be damaged."""
        index, _, record, at, kind, ref = row[:6]
        outcome, digest, salt, payload, leaf = row[10], *row[14:]
        texts = [value if isinstance(value, str) else "" for value in (*row[6:10], *row[11:14])]
        text = payload if isinstance(payload, str) else ""
        return cls(
            index=index if isinstance(index, int) else -1,
            id=str(record),
            at=at / 1_000_000 if isinstance(at, int) else 0.0,
            kind=str(kind),
            ref=str(ref) or None,
            facts=Facts(*texts),
            outcome=str(outcome),
            data=_parsed(text),
            erased=payload is None,
            header=header(row, digest),
            leaf=leaf if isinstance(leaf, bytes) else b"",
            salt=salt if isinstance(salt, bytes) else b"",
            payload=text,
        )


def _parsed(payload: str) -> JsonObject:
    try:
        return as_object(parse_json(payload))
    except (ValueError, RecursionError):
        return {}


def select(rest: LiteralString, *, of: LiteralString = "audit_records") -> str:
    """The query for `COLUMNS`, in the order that `AuditRecord.of` reads.

    Args:
        rest: What follows the table: conditions, order, limit, with `?` for every value.
        of: The table, or what it is joined to, with `audit_records` among it.
    """
    words = ["SELECT", ", ".join(f"audit_records.{column}" for column in COLUMNS), "FROM", of, rest]
    return " ".join(words)


def canonical(value: Json) -> str:
    """JSON with sorted keys, without spaces, ASCII.

    Raises:
        ValueError: It holds NaN or an infinity.
    """
    return _ENCODER.encode(value)


def plain(value: Json) -> str:
    """A text as it may stand in a line of a header: printable, and not too long; nothing if it is no text."""
    if not isinstance(value, str):
        return ""
    text = value if len(value) <= _MOST_CHARS else value[:_MOST_CHARS]
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def said(kind: str, data: Mapping[str, Json]) -> str:
    """What a record's column `outcome` says, from its redacted data."""
    if kind == RecordKind.OUTCOME:
        return "ok" if data.get("ok") is True else plain(data.get("error")) or "failed"
    return "refused" if kind == RecordKind.REFUSED else ""


def digest_of(salt: bytes, payload: str) -> bytes:
    """What a header says of its payload."""
    return sha256(salt + payload.encode()).digest()


def header(fields: Row, digest: object) -> str:
    """A record's header, from its first fourteen columns and its digest."""
    index, prev, record, at, kind, ref, user, agent, key, name, outcome, run, trace, team = fields[:14]
    before = prev.hex() if isinstance(prev, bytes) else prev
    summary = digest.hex() if isinstance(digest, bytes) else digest
    return (
        f"{HEADER_VERSION}\n{index}\n{before}\n{record}\n{at}\n{kind}\n{ref}\n{user}\n{agent}\n{key}\n{name}\n"
        f"{outcome}\n{run}\n{trace}\n{team}\n{summary}"
    )


def leaf_of(text: str) -> bytes:
    """The leaf of a header; none fits a header whose lines are not as many as its fields."""
    if text.count("\n") != _BREAKS:
        return b""
    return sha256(b"\x00" + text.encode()).digest()


def intact(rows: Sequence[Row], start: int, previous: bytes) -> list[bytes]:
    """The leaves of the rows of `COLUMNS` that are what should come next, up to the first that is not.

    Each must stand at its place, name the leaf before it, and be one whole record: its leaf fits its header,
    its payload the digest. A verification spends most of its time here.

    Args:
        rows: The rows.
        start: Where the first should stand.
        previous: The leaf before it; empty for the first record of a log.
    """
    leaves: list[bytes] = []
    begin = HEADER_VERSION
    # What is said here of their types is not believed: a value of another one is an error below.
    for place, row in enumerate(cast("Sequence[_Shown]", rows), start):
        index, prev, record, at = row[:4]
        digest, salt, payload, leaf = row[14:]
        try:
            text = "\n".join((begin, str(index), prev.hex(), record, str(at), *row[4:14], digest.hex()))
            held = sha256(salt + payload.encode()).digest()
        except (TypeError, AttributeError):
            break
        if sha256(b"\x00" + text.encode()).digest() != leaf or text.count("\n") != _BREAKS:
            break
        if held != digest or index != place or prev != previous[:PREV_BYTES]:
            break
        previous = leaf
        leaves.append(leaf)
    return leaves
