"""Pages of records as a verification reads them: a page is one row, which the database puts together.

To fetch a value costs as much as to hash it, so what belongs together comes in one piece, and the next page
is put together by another thread, or by the server, while this one is hashed. Nothing may be taken for what
it is not because it is put together: values of other types or lengths than they should have are not counted,
and no text may hold what separates it from the next. On SQLite, where a column may hold any type, texts come
as JSON, which puts quotes around nothing else and refuses bytes.

A page that is not whole in this form is read column by column instead, by whoever asks: only that says what
the matter is.
"""

from binascii import hexlify
from hashlib import sha256
from struct import Struct
from typing import NamedTuple, TypeAlias

from interlock_core.errors import StoreError
from interlock_core.store import Row, Store
from interlock_security.audit._record import COLUMNS, HEADER_VERSION, PREV_BYTES, select

ROWS = select("WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?")
"""Query for records column by column: from a place, up to another, and how many at most."""

PAGE = 512
"""Records of a page: few enough to stay near the processor between being read and hashed."""

_TEXTS = COLUMNS[2:14]
_LENGTHS = "length(prev) = 16 AND length(digest) = 32 AND length(salt) = 16 AND length(leaf) = 32"
_TYPES = (
    *(f"typeof({name}) = 'blob'" for name in ("prev", "digest", "salt", "leaf")),
    *("typeof(at) = 'integer'", "typeof(payload) = 'text'"),
)
_SQLITE = (
    *("SELECT sum(", " AND ".join((_LENGTHS, *_TYPES)), "),"),
    "CAST(replace(json_group_array(json_array(",
    ", ".join("CAST(at AS TEXT)" if name == "at" else name for name in _TEXTS),
    *(")), '\",\"', char(10)) AS BLOB),",),
    "CAST(group_concat(prev || digest || salt || leaf, '') AS BLOB),",
    "CAST(group_concat(payload, char(1)) AS BLOB)",
    "FROM audit_records NOT INDEXED WHERE idx >= ? AND idx < ?",
)
_POSTGRES = (
    *("SELECT count(*) FILTER (WHERE", _LENGTHS, "AND num_nulls(payload,", ", ".join(_TEXTS), ") = 0),"),
    *("convert_to(string_agg(concat_ws(chr(10),", ", ".join(_TEXTS), "), chr(1)), 'UTF8'),"),
    "string_agg(prev || digest || salt || leaf, ''::bytea),",
    "convert_to(string_agg(payload, chr(1)), 'UTF8')",
    "FROM (SELECT * FROM audit_records WHERE idx >= ? AND idx < ? ORDER BY idx) AS page",
)
_QUERIES = {"sqlite": " ".join(_SQLITE), "postgresql": " ".join(_POSTGRES)}
_BEGIN = f"\x00{HEADER_VERSION}".encode()
_RECORD = b"\x01"
_HASHES = Struct("16s32s16s32s")
_DIGITS = Struct("32s64s96x")

Said: TypeAlias = "tuple[object, object, object, object]"
"""What a walk follows of a record: its id, its kind, the id of its intent, its payload."""


class Page(NamedTuple):
    """A page whose values are of the right types and lengths.

    Attributes:
        start: Index of the first record.
        texts: For each record the lines of its header from `id` to `team`.
        hashes: For each record `prev`, `digest`, `salt` and `leaf`, one behind the other.
        payloads: The payload of each record.
    """

    start: int
    texts: list[bytes]
    hashes: bytes
    payloads: list[bytes]

    async def rows(self, store: Store) -> list[Row]:
        """The same records column by column.

        Raises:
            StoreError: They cannot be read.
        """
        count = len(self.texts)
        return await store.fetch_all(ROWS, (self.start, self.start + count, count))


async def read(store: Store, start: int, size: int) -> Page | None:
    """The page that begins at a place; None where it cannot be read in this form.

    Args:
        store: Where the records are.
        start: Index of the first record.
        size: Index behind the last record of the log.
    """
    end = min(start + PAGE, size)
    try:
        row = await store.fetch_one(_QUERIES[store.dialect], (start, end))
    except StoreError:
        return None
    if row is None or row[0] != end - start:
        return None
    _, texts, hashes, payloads = row
    if not (isinstance(texts, bytes) and isinstance(hashes, bytes) and isinstance(payloads, bytes)):
        return None
    count = end - start
    lines = _from_json(texts, count) if store.dialect == "sqlite" else texts.split(_RECORD)
    page = Page(start, lines, hashes, payloads.split(_RECORD))
    fits = len(page.texts) == len(page.payloads) == count and len(hashes) == _HASHES.size * count
    # None has fewer ends of lines than lie between its columns: if all have as many, none has more.
    return page if fits and texts.count(b"\n") == count * (len(_TEXTS) - 1) else None


def whole(page: Page, previous: bytes) -> tuple[list[bytes], list[Said]] | None:
    """A page's leaves and what it says, if each record is what should come next; else None.

    Each must name the leaf before it, and be one whole record: its leaf fits its header, its payload the
    digest. A verification spends most of its time here.

    Args:
        page: The page.
        previous: The leaf before it.
    """
    leaves: list[bytes] = []
    said: list[Said] = []
    values = zip(_HASHES.iter_unpack(page.hashes), _DIGITS.iter_unpack(hexlify(page.hashes)), strict=True)
    records = zip(page.texts, page.payloads, values, strict=True)
    for place, (own, payload, (hashes, digits)) in enumerate(records, page.start):
        prev, digest, salt, leaf = hashes
        header = b"\n".join((_BEGIN, b"%d" % place, digits[0], own, digits[1]))
        if sha256(header).digest() != leaf or sha256(salt + payload).digest() != digest:
            return None
        if prev != previous[:PREV_BYTES]:
            return None
        previous = leaf
        leaves.append(leaf)
        record, _, kind, ref, _ = own.split(b"\n", 4)
        said.append((record, kind, ref, payload))
    return leaves, said


def _from_json(texts: bytes, count: int) -> list[bytes]:
    """The lines of an array of arrays of texts, in which what lies between two texts has become a new line.

    Where nothing is escaped, quotes stand only around texts: of a record two are left, or it holds another
    type.
    """
    if b"\\" in texts or texts.count(b'"') != 2 * count:
        return []
    return texts[3:-3].split(b'"],["')
