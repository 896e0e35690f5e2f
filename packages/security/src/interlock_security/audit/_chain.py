"""The chain of a log's keys: each named by a record of the log, which the one before it signed.

What is checked, for each record of kind `audit.key`, in order: it names the key that signed until then and
the next one; a checkpoint that ends with this record is kept, signed by the key until then, and its root is
that of the log; the last one named signs the log now. So whoever trusts the first key can go on to the last.
"""

from collections.abc import Mapping, Sequence

from interlock_core.errors import ConfigurationError, VerificationError
from interlock_core.jsontypes import as_object, parse_json
from interlock_core.store import Row
from interlock_security.audit._report import Findings, ProblemKind
from interlock_security.audit.notes import Checkpoint, VerifierKey

RETIRED = "SELECT size, verifier, checkpoint FROM audit_keys ORDER BY size"
"""Query for what keys signed last."""


def check_chain(
    findings: Findings,
    *,
    said: Sequence[tuple[int, str]],
    kept: Sequence[Row],
    roots: Mapping[int, bytes],
    signer: str,
) -> None:
    """Check the whole chain.

    Args:
        findings: Where problems are noted.
        said: Index and payload of each record of kind `audit.key`.
        kept: Rows of `RETIRED`.
        roots: The log's root by its size, for each size that was kept.
        signer: The key that signs the log now.
    """
    if len(said) != len(kept):
        at = said[min(len(kept), len(said) - 1)][0] if said else None
        detail = f"The log records {len(said)} changes of its key, but of {len(kept)} there is a checkpoint."
        findings.add(ProblemKind.KEY_CHAIN, at, detail)
    due: str | None = None
    for (index, payload), row in zip(said, kept, strict=False):
        old, new = _named(payload)
        try:
            if due is not None and old != due:
                raise VerificationError("it does not name the key that signed until then")
            _check(row, index=index, old=old, root=roots.get(index + 1))
        except (VerificationError, ConfigurationError) as exc:
            findings.add(ProblemKind.KEY_CHAIN, index, f"A change of the log's key does not hold: {exc}")
        due = new
    if due is not None and due != signer:
        findings.add(
            ProblemKind.KEY_CHAIN, said[-1][0], "The key that signs the log is not the one it names."
        )


def _named(payload: str) -> tuple[str, str]:
    try:
        note = as_object(as_object(parse_json(payload)).get("note"))
    except (ValueError, RecursionError):
        note = {}
    return str(note.get("old", "")), str(note.get("new", ""))


def _check(row: Row, *, index: int, old: str, root: bytes | None) -> None:
    size, verifier, note = row
    if size != index + 1 or verifier != old:
        raise VerificationError("what is kept beside it is of another key or place")
    checkpoint = Checkpoint.parse(VerifierKey.parse(old).open(str(note)))
    if checkpoint.size != size:
        raise VerificationError("the checkpoint kept beside it is for another size")
    if root is not None and checkpoint.root != root:
        raise VerificationError("the checkpoint kept beside it is of another log")
