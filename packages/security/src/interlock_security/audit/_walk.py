"""The walk over all records: what each says of itself, and the tree of all their texts."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from interlock_core.store import Row, Store
from interlock_security.audit._record import AuditRecord, RecordKind, frame, prev
from interlock_security.audit._report import Findings, Notice, NoticeKind, ProblemKind
from interlock_security.audit.merkle import CompactRange, leaf_hash

_PAGE = 1024
_INTENT, _OUTCOME = RecordKind.INTENT.value, RecordKind.OUTCOME.value
_MAX_NOTICES = 100
_ROWS = (
    "SELECT idx, id, at, kind, ref, body, leaf FROM audit_records WHERE idx >= ? AND idx < ?"
    " ORDER BY idx LIMIT ?"
)


@dataclass(slots=True)
class Walk:
    """A walk, record by record, in order.

    Attributes:
        findings: Where problems are noted.
        stops: Sizes at which the root is wanted, ascending.
        tree: The tree of all texts walked so far.
        roots: The root at each stop, where no record before it is missing.
        count: Records walked.
    """

    findings: Findings
    stops: list[int]
    tree: CompactRange = field(default_factory=CompactRange)
    roots: dict[int, bytes] = field(default_factory=dict[int, bytes])
    count: int = 0
    _place: int = 0
    _previous: bytes = b""
    _gap: bool = False
    _leaves: list[bytes] = field(default_factory=list[bytes])
    _open: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])

    async def over(self, store: Store, size: int) -> None:
        """Walk over the records before `size`.

        Raises:
            StoreError: They cannot be read.
        """
        async for rows in _pages(store, size):
            for row in rows:
                if self.stops:
                    self._stop()
                self._record(row)
            self._grow()
            self.count += len(rows)
        self._stop()
        if self._place < size:
            self.findings.add(
                ProblemKind.TRUNCATED,
                self._place,
                f"The log ends at index {self._place - 1}, but {size} records were signed.",
            )

    def notices(self) -> tuple[Notice, ...]:
        """The intents for which no outcome came."""
        return tuple(
            Notice(kind=NoticeKind.OPEN_INTENT, record=index, detail=_describe(text))
            for index, text in list(self._open.values())[:_MAX_NOTICES]
        )

    def _stop(self) -> None:
        while self.stops and self.stops[0] <= self._place:
            stop = self.stops.pop(0)
            self._grow()
            if self.tree.size == stop:
                self.roots[stop] = self.tree.root()

    def _grow(self) -> None:
        self.tree.extend(self._leaves)
        self._leaves.clear()

    def _record(self, row: Row) -> None:
        index, record, at, kind, ref, body, leaf = row
        if index != self._place:
            self._jump(index)
        text = body if isinstance(body, str) else ""
        computed = leaf_hash(text.encode("utf-8", "surrogatepass"))
        head, tail = frame(at, record, self._place, kind, self._previous, ref)
        if computed != leaf:
            self.findings.add(
                ProblemKind.EDITED, self._place, "The record's text is not the one that was hashed."
            )
        elif not (text.endswith(tail) and text.startswith(head)):
            self._explain(row, text)
        self._leaves.append(computed)
        self._previous, self._gap = leaf if isinstance(leaf, bytes) else computed, False
        self._place += 1
        if kind == _INTENT:
            self._open[str(record)] = (self._place - 1, text)
        elif kind == _OUTCOME:
            self._open.pop(str(ref), None)

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
        self._gap = True

    def _explain(self, row: Row, text: str) -> None:
        """Say why a record's text is not what its row and its neighbours say."""
        said = AuditRecord.parse(text)
        index, record, at, kind, ref, _, _ = row
        if said.index != index:
            self.findings.add(
                ProblemKind.REORDERED, self._place, f"The record says that its place is {said.index}."
            )
        columns = (
            ("id", record, said.id),
            ("at", at, said.at_us),
            ("kind", kind, said.kind),
            ("ref", ref, said.ref),
        )
        changed = [name for name, column, words in columns if column != words]
        if changed:
            self.findings.add(
                ProblemKind.EDITED,
                self._place,
                f"The record's text has another {', '.join(changed)} than its row.",
            )
        elif said.index == index and not self._gap and prev(self._previous) != said.prev:
            self.findings.add(
                ProblemKind.BROKEN_CHAIN, self._place, "The record before this one is not the one it names."
            )


async def _pages(store: Store, size: int) -> AsyncGenerator[Sequence[Row], None]:
    start = 0
    while start < size:
        rows = await store.fetch_all(_ROWS, (start, size, _PAGE))
        if not rows:
            return
        yield rows
        last = rows[-1][0]
        start = last + 1 if isinstance(last, int) else size


def _describe(text: str) -> str:
    data = AuditRecord.parse(text).data
    run = f", {data['run']}" if "run" in data else ""
    return (
        f"{data.get('name', 'A call')} ({data.get('effect', 'change')}{run}) has no outcome: it is still"
        " under way, or its process died and it may or may not have been made."
    )
