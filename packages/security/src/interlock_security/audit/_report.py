"""What verification found."""

from dataclasses import dataclass, field
from enum import StrEnum

from interlock_core.jsontypes import Json, JsonObject
from interlock_security.audit.notes import Checkpoint


class ProblemKind(StrEnum):
    """What is wrong with a log; the words are stable."""

    EDITED = "edited"
    DELETED = "deleted"
    INSERTED = "inserted"
    REORDERED = "reordered"
    BROKEN_CHAIN = "broken_chain"
    ERASED = "erased"
    TRUNCATED = "truncated"
    WIPED = "wiped"
    REWRITTEN = "rewritten"
    ROLLED_BACK = "rolled_back"
    CHECKPOINT = "checkpoint"
    FORGED_SIGNATURE = "forged_signature"
    FOREIGN_KEY = "foreign_key"
    KEY_CHAIN = "key_chain"
    KEY_MISSING = "key_missing"
    WITNESS_MISSING = "witness_missing"
    WITNESS = "witness"


class NoticeKind(StrEnum):
    """What is worth knowing although nothing is wrong with the log."""

    OPEN_INTENT = "open_intent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: What.
        record: Index of the record where it shows; None when it is about the whole log.
        detail: One sentence for a person.
    """

    kind: ProblemKind
    record: int | None
    detail: str

    def as_json(self) -> JsonObject:
        """The problem as a JSON object."""
        return {"kind": self.kind.value, "record": self.record, "detail": self.detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing worth knowing.

    Attributes:
        kind: What.
        record: Index of the record that it is about.
        detail: One sentence for a person.
    """

    kind: NoticeKind
    record: int
    detail: str

    def as_json(self) -> JsonObject:
        """The notice as a JSON object."""
        return {"kind": self.kind.value, "record": self.record, "detail": self.detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What verification found.

    Attributes:
        records: How many records were read.
        checkpoint: The signed checkpoint that they were held against; None when there is no valid one.
        problems: What is wrong; empty means the log is whole.
        notices: What is worth knowing, such as intents without an outcome.
        more: Problems beyond those listed.
    """

    records: int
    checkpoint: Checkpoint | None = None
    problems: tuple[Problem, ...] = ()
    notices: tuple[Notice, ...] = ()
    more: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def as_json(self) -> JsonObject:
        """The report as `interlock audit verify --json` prints it."""
        checkpoint: Json = None
        if self.checkpoint is not None:
            root = self.checkpoint.root.hex()
            checkpoint = {"origin": self.checkpoint.origin, "size": self.checkpoint.size, "root": root}
        return {
            "ok": self.ok,
            "records": self.records,
            "checkpoint": checkpoint,
            "problems": [problem.as_json() for problem in self.problems],
            "notices": [notice.as_json() for notice in self.notices],
            "more_problems": self.more,
        }


@dataclass(slots=True)
class Findings:
    """Problems as they are found; past a bound they are only counted."""

    limit: int = 100
    problems: list[Problem] = field(default_factory=list[Problem])
    more: int = 0

    def add(self, kind: ProblemKind, record: int | None, detail: str) -> None:
        """Note one problem."""
        if len(self.problems) < self.limit:
            self.problems.append(Problem(kind=kind, record=record, detail=detail))
        else:
            self.more += 1
