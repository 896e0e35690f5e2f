"""The walk over all records: what each says of itself, and the tree of all their headers."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from interlock_core.jsontypes import as_object, parse_json
from interlock_core.store import Row, Store
from interlock_security.audit._erasure import EXEMPT, Erasures
from interlock_security.audit._record import (
    PREV_BYTES,
    RecordKind,
    digest_of,
    header,
    intact,
    leaf_of,
    select,
)
from interlock_security.audit._report import Findings, Notice, NoticeKind, ProblemKind
from interlock_security.audit.merkle import CompactRange

_PAGE = 2048
_INTENT, _OUTCOME, _ERASED = RecordKind.INTENT.value, RecordKind.OUTCOME.value, RecordKind.ERASED.value
_KEY = RecordKind.KEY.value
_MAX_NOTICES = 100
# So many intents without an outcome are followed; what comes when they are that many is not noticed.
_MOST_OPEN = 100_000
_ROWS = select("WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?")
# How far around its place a record's own place is looked for, before all places are tried.
_NEAR = 64
_SEARCHED = 1 << 16
_SEARCHES = 4


@dataclass(slots=True)
class Walk:
    """A walk, record by record, in order.

    Attributes:
        findings: Where problems are noted.
        stops: Sizes at which the root is wanted, ascending.
        size: How many records there should be.
        tree: The tree of all headers walked so far.
        roots: The root at each stop, where no record before it is missing.
        count: Records walked.
        rotations: Index and payload of each record that names a new key.
    """

    findings: Findings
    stops: list[int]
    size: int
    tree: CompactRange = field(default_factory=CompactRange)
    roots: dict[int, bytes] = field(default_factory=dict[int, bytes])
    count: int = 0
    rotations: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    _place: int = 0
    _previous: bytes = b""
    _searches: int = 0
    _leaves: list[bytes] = field(default_factory=list[bytes])
    _open: dict[object, int] = field(default_factory=dict[object, int])
    _erasures: Erasures = field(default_factory=Erasures)

    async def over(self, store: Store) -> None:
        """Walk over the records.

        Raises:
            StoreError: They cannot be read.
        """
        async for rows in _pages(store, self.size):
            self._page(rows)
            self._grow()
            self.count += len(rows)
        self._stop()
        if self._place < self.size:
            self.findings.add(
                ProblemKind.TRUNCATED,
                self._place,
                f"The log ends at index {self._place - 1}, but {self.size} records were signed.",
            )
        for start, end in self._erasures.unexplained():
            what = (
                f"Of the records {start} to {end - 1} the payloads are" if end - start > 1 else "A payload is"
            )
            self.findings.add(
                ProblemKind.ERASED, start, f"{what} gone, and no record says that they were erased."
            )

    async def notices(self, store: Store) -> tuple[Notice, ...]:
        """The intents for which no outcome came.

        Raises:
            StoreError: They cannot be read.
        """
        found: list[Notice] = []
        for index in list(self._open.values())[:_MAX_NOTICES]:
            row = await store.fetch_one(
                "SELECT name, run, payload FROM audit_records WHERE idx = ?", (index,)
            )
            if row is not None:
                found.append(Notice(kind=NoticeKind.OPEN_INTENT, record=index, detail=_describe(row)))
        return tuple(found)

    def _stop(self) -> None:
        while self.stops and self.stops[0] <= self._place:
            stop = self.stops.pop(0)
            self._grow()
            if self.tree.size == stop:
                self.roots[stop] = self.tree.root()

    def _grow(self) -> None:
        self.tree.extend(self._leaves)
        self._leaves.clear()

    def _page(self, rows: Sequence[Row]) -> None:
        at = 0
        while at < len(rows):
            self._stop()
            end = at + self.stops[0] - self._place if self.stops else len(rows)
            leaves = intact(rows[at:end], self._place, self._previous)
            if leaves:
                self._leaves += leaves
                self._previous = leaves[-1]
                self._follow(rows[at : at + len(leaves)])
                at += len(leaves)
            if at < min(end, len(rows)):
                self._record(rows[at])
                self._follow(rows[at : at + 1])
                at += 1

    def _follow(self, rows: Sequence[Row]) -> None:
        """Go on over records: which of them open, close, erase or change a key."""
        for row in rows:
            kind = row[4]
            if kind == _INTENT:
                if len(self._open) < _MOST_OPEN:
                    self._open[row[2]] = self._place
            elif kind == _OUTCOME:
                self._open.pop(row[5], None)
            elif isinstance(kind, str) and kind.startswith(EXEMPT):
                self._about(kind, str(row[16]))
            self._place += 1

    def _about(self, kind: str, payload: str) -> None:
        if kind == _ERASED:
            self._erasures.attest(self._place, payload)
        elif kind == _KEY:
            self.rotations.append((self._place, payload))

    def _record(self, row: Row) -> None:
        """A record that is not simply the next one, whole: say what is the matter with it."""
        index, previous, kind = row[0], row[1], row[4]
        digest, salt, payload, leaf = row[14:]
        gap = index != self._place
        if gap:
            self._jump(index)
        computed = leaf_of(header(row, digest))
        if computed != leaf:
            self._explain(row)
        elif previous != self._previous[:PREV_BYTES] and not gap:
            self.findings.add(
                ProblemKind.BROKEN_CHAIN, self._place, "The record before this one is not the one it names."
            )
        if payload is None:
            self._gone(kind)
        elif not (
            isinstance(payload, str) and isinstance(salt, bytes) and digest_of(salt, payload) == digest
        ):
            self.findings.add(
                ProblemKind.EDITED, self._place, "The record's payload is not the one that was hashed."
            )
        self._leaves.append(computed)
        self._previous = leaf if isinstance(leaf, bytes) else computed

    def _gone(self, kind: object) -> None:
        if str(kind).startswith(EXEMPT):
            self.findings.add(
                ProblemKind.ERASED, self._place, "The payload of a record about the log itself is gone."
            )
        else:
            self._erasures.gone(self._place)

    def _jump(self, index: object) -> None:
        """A record does not stand where the next one is due."""
        if isinstance(index, int) and index > self._place:
            missing = (
                f"Records {self._place} to {index - 1} are" if index - self._place > 1 else "A record is"
            )
            self.findings.add(ProblemKind.DELETED, self._place, f"{missing} missing.")
            self._place = index
        else:
            self.findings.add(ProblemKind.INSERTED, self._place, "A record stands beside another.")

    def _explain(self, row: Row) -> None:
        """Say why a record's header is not the one that was hashed: it was moved, or edited."""
        place = self._own_place(row)
        if place is None:
            self.findings.add(
                ProblemKind.EDITED, self._place, "The record's header is not the one that was hashed."
            )
        else:
            self.findings.add(
                ProblemKind.REORDERED, self._place, f"The record was hashed at the place {place}."
            )

    def _own_place(self, row: Row) -> int | None:
        """Where the record stood when it was hashed; None when it is not the same record any more."""
        near = range(max(0, self._place - _NEAR), self._place + _NEAR)
        if (place := _fitting(row, near)) is not None:
            return place
        if self._searches >= _SEARCHES:
            return None
        self._searches += 1
        return _fitting(row, range(min(self.size, _SEARCHED)))


def _fitting(row: Row, places: range) -> int | None:
    rest, digest, leaf = row[1:], row[14], row[-1]
    return next((place for place in places if leaf_of(header((place, *rest), digest)) == leaf), None)


async def _pages(store: Store, size: int) -> AsyncGenerator[Sequence[Row], None]:
    start = 0
    while start < size:
        rows = await store.fetch_all(_ROWS, (start, size, _PAGE))
        if not rows:
            return
        yield rows
        last = rows[-1][0]
        start = last + 1 if isinstance(last, int) else size


def _describe(row: Row) -> str:
    name, run, payload = row
    try:
        effect = as_object(parse_json(str(payload))).get("effect", "change")
    except (ValueError, RecursionError):
        effect = "change"
    among = f", {run}" if run else ""
    return (
        f"{name or 'A call'} ({effect}{among}) has no outcome: it is still"
        " under way, or its process died and it may or may not have been made."
    )
