"""Records and their canonical bytes.

A record is one JSON object, ASCII, keys sorted, no spaces: `at` (microseconds since 1970), `data`, `id`,
`index` (its place in the log), `kind`, `prev` (first half of the hash of the record before it, which
shows *where* a log was cut or changed; that it was changed is shown by the tree), `ref` (the intent that
an outcome belongs to) and `v`, the version of this form. The leaf of the tree is the hash of these bytes.
"""

import json
from dataclasses import dataclass
from enum import StrEnum

from interlock_core.jsontypes import Json, JsonObject, as_object, parse_json

VERSION = 1
_PREV_BYTES = 16


class RecordKind(StrEnum):
    """What a record is about; changes and refusals carry kinds of their own, such as `roles.granted`."""

    INTENT = "intent"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A record that has no place in the log yet."""

    id: str
    kind: str
    at: int
    data: str
    ref: str | None = None
    call: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Where a record stands in the log; it is durable when one sees this.

    Attributes:
        id: Id of the record.
        index: Its place, from 0.
        kind: What it is about.
        at: Microseconds since 1970.
        leaf: Its hash in the Merkle tree.
        call: Id of the call that it is about.
    """

    id: str
    index: int
    kind: str
    at: int
    leaf: bytes
    call: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """A record as it was read back. Reading is not proving: `AuditLog.verify` is.

    Attributes:
        index: Its place in the log, from 0.
        id: Id of the record.
        at: Seconds since 1970.
        kind: `intent`, `outcome`, or what was noted.
        ref: Id of the intent that an outcome belongs to.
        data: What it says, redacted before it was stored.
        at_us: The time in microseconds, as it was written.
        prev: What it says of the record before it.
    """

    index: int
    id: str
    at: float
    kind: str
    ref: str | None
    data: JsonObject
    at_us: int = 0
    prev: str = ""

    def as_json(self) -> JsonObject:
        """The record as a JSON object."""
        return {
            "index": self.index,
            "id": self.id,
            "at": self.at,
            "kind": self.kind,
            "ref": self.ref,
            "data": self.data,
        }

    @classmethod
    def parse(cls, body: str) -> "AuditRecord":
        """Read a record's canonical text; what is not there is empty, because a log may be damaged."""
        try:
            value = as_object(parse_json(body))
        except (ValueError, RecursionError):
            value = {}
        at, index, ref = value.get("at"), value.get("index"), value.get("ref")
        return cls(
            index=index if isinstance(index, int) else -1,
            id=str(value.get("id", "")),
            at=at / 1_000_000 if isinstance(at, int) else 0.0,
            at_us=at if isinstance(at, int) else 0,
            prev=str(value.get("prev", "")),
            kind=str(value.get("kind", "")),
            ref=ref if isinstance(ref, str) else None,
            data=as_object(value.get("data")),
        )


def canonical(value: Json) -> str:
    """JSON with sorted keys, without spaces, ASCII.

    Raises:
        ValueError: It holds NaN or an infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def prev(leaf: bytes) -> str:
    """What a record says of the one before it: the first half of its hash; nothing when it is the first."""
    return leaf[:_PREV_BYTES].hex()


def render(draft: Draft, *, index: int, previous: bytes) -> str:
    """The canonical text of a record at its place."""
    head, tail = frame(draft.at, draft.id, index, draft.kind, previous, draft.ref)
    return head + draft.data + tail


def frame(
    at: object, record: object, index: int, kind: object, previous: bytes, ref: object
) -> tuple[str, str]:
    """How the text of such a record begins and ends, its data between them."""
    reference = "null" if ref is None else f'"{ref}"'
    return f'{{"at":{at},"data":', (
        f',"id":"{record}","index":{index},"kind":"{kind}","prev":"{previous[:_PREV_BYTES].hex()}"'
        f',"ref":{reference},"v":{VERSION}}}'
    )
