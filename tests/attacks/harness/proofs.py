"""Proofs and checkpoints of the audit log that were changed: none is accepted by either of our verifiers."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from interlock_core.errors import VerificationError
from interlock_core.jsontypes import as_array, as_object, parse_json
from interlock_runtime import Runtime, Settings
from interlock_security.audit import standalone
from interlock_security.audit.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from interlock_security.audit.notes import Checkpoint, SigningKey, open_note

from .cases import Case
from .seen import Seen

_MOST = 100_000 if os.environ.get("INTERLOCK_FULL") == "1" else 240
"""Most changes of one object; of more, as many evenly spread over it."""

_TYPED = (VerificationError, standalone.NotProvenError)
_KEY = SigningKey.fresh("log.example")


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a leaf stands in a tree."""

    entry: bytes
    index: int
    size: int
    proof: tuple[bytes, ...]
    root: bytes

    def verify(self) -> None:
        """Check it by both verifiers; either one may refuse."""
        leaf = leaf_hash(self.entry)
        _both(
            lambda: verify_inclusion(
                leaf=leaf, index=self.index, size=self.size, proof=self.proof, root=self.root
            ),
            lambda: standalone.check_inclusion(
                leaf, self.index, standalone.Checkpoint("log", self.size, self.root), self.proof
            ),
        )


@dataclass(frozen=True, slots=True)
class Consistency:
    """That a tree begins with an older one."""

    index: int
    size: int
    proof: tuple[bytes, ...]
    old: bytes
    root: bytes

    def verify(self) -> None:
        """Check it by both verifiers."""
        _both(
            lambda: verify_consistency(
                old_size=self.index,
                old_root=self.old,
                size=self.size,
                root=self.root,
                proof=self.proof,
            ),
            lambda: standalone.check_consistency(
                standalone.Checkpoint("log", self.index, self.old),
                standalone.Checkpoint("log", self.size, self.root),
                self.proof,
            ),
        )


@dataclass(frozen=True, slots=True)
class Signed:
    """That a log signed a checkpoint."""

    note: bytes

    def verify(self) -> None:
        """Open it by both verifiers."""
        text = self.note.decode("utf-8", "surrogateescape")
        _both(
            lambda: Checkpoint.parse(open_note(text, [_KEY.verifier])),
            lambda: standalone.open_note(text, [str(_KEY.verifier)]),
        )


@dataclass(frozen=True, slots=True)
class Export:
    """That an export is the whole log."""

    content: bytes
    key: str

    def verify(self) -> None:
        """Check it line by line.

        Raises:
            VerificationError: It does not hold.
        """
        if not standalone.ExportCheck([self.key]).run(self.content.splitlines(keepends=True)):
            raise VerificationError("The export does not hold.")


def _both(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Have both verifiers look: what one accepts is accepted, as a program has one of them.

    Raises:
        VerificationError: Neither accepts it.
    """
    refusals = 0
    for verifier in (first, second):
        try:
            verifier()
        except _TYPED:
            refusals += 1
    if refusals == 2:
        raise VerificationError("It proves nothing.")


Claim = Inclusion | Consistency | Signed | Export


# ---- the true ones


def _leaves(size: int) -> list[bytes]:
    return [f"record {number}".encode() for number in range(size)]


def _inclusions(size: int) -> Iterator[Inclusion]:
    entries = _leaves(size)
    leaves = [leaf_hash(entry) for entry in entries]
    for index in sorted({0, size // 2, size - 1}):
        proof = tuple(inclusion_proof(leaves, index))
        yield Inclusion(entries[index], index, size, proof, tree_root(leaves))


def _consistencies(size: int) -> Iterator[Consistency]:
    leaves = [leaf_hash(entry) for entry in _leaves(size)]
    for old in sorted({max(1, size // 3), max(1, size // 2), max(1, size - 1)} - {size}):
        proof = tuple(consistency_proof(leaves, old))
        yield Consistency(old, size, proof, tree_root(leaves[:old]), tree_root(leaves))


def _checkpoints(size: int) -> Iterator[Signed]:
    root = tree_root([leaf_hash(entry) for entry in _leaves(size)])
    yield Signed(_KEY.sign(Checkpoint("log.example", size, root).text()).encode())


# ---- changes of bytes


def _places(count: int, most: int) -> Iterable[int]:
    return range(0, count, max(1, -(-count // most)))


def _changed_bytes(change: str, content: bytes) -> Iterator[bytes]:
    """The bytes with a change at every place, or at as many places as are tried."""
    if "bit" in change:
        for place in _places(len(content) * 8, _MOST):
            flipped = content[place // 8] ^ (1 << place % 8)
            yield content[: place // 8] + bytes([flipped]) + content[place // 8 + 1 :]
        return
    made: dict[str, tuple[bytes, int]] = {
        "every byte set to 0": (b"\0", 1),
        "every byte left out": (b"", 1),
        "one byte more at every place": (b"x", 0),
    }
    new, gone = made[change]
    for place in _places(len(content), _MOST):
        yield content[:place] + new + content[place + gone :]


def _hashes(content: bytes) -> tuple[bytes, ...]:
    return tuple(content[start : start + 32] for start in range(0, len(content), 32))


def _with_bytes(change: str, claim: Claim, what: str) -> Iterator[Claim]:
    match claim:
        case Signed():
            yield from (Signed(content) for content in _changed_bytes(change, claim.note))
        case Export():
            yield from (replace(claim, content=content) for content in _changed_bytes(change, claim.content))
        case Inclusion() if what == "leaf":
            yield from (replace(claim, entry=entry) for entry in _changed_bytes(change, claim.entry))
        case Inclusion() | Consistency():
            for content in _changed_bytes(change, b"".join(claim.proof)):
                yield replace(claim, proof=_hashes(content))


# ---- changes of form


def _with_form(change: str, claim: Claim, others: Sequence[Claim]) -> Iterator[Claim]:
    if isinstance(claim, Signed):
        yield from _altered_note(change, claim)
    elif isinstance(claim, Inclusion | Consistency):
        yield from _altered_proof(change, claim, others)


def _altered_proof(
    change: str, claim: Inclusion | Consistency, others: Sequence[Claim]
) -> Iterator[Inclusion | Consistency]:
    proof, filler = claim.proof, sha256(b"filler").digest()
    proofs: dict[str, tuple[bytes, ...]] = {
        "hashes in reverse order": proof[::-1],
        "first hash left out": proof[1:],
        "last hash twice": proof + proof[-1:],
        "an empty proof": (),
        "64 hashes": (*proof, *[filler] * (64 - len(proof))),
        "hash of 31 bytes": (*proof[:-1], *[entry[:31] for entry in proof[-1:]]),
    }
    places: dict[str, tuple[int, int]] = {
        "size 0 on the old side": (0, claim.size) if isinstance(claim, Consistency) else (claim.index, 0),
        "index equal to the size": (claim.size, claim.size),
        "index beyond the size": (claim.size + 1, claim.size),
        "sizes exchanged": (claim.size, claim.index),
    }
    if change in proofs:
        yield replace(claim, proof=proofs[change])
    elif change in places:
        yield replace(claim, index=places[change][0], size=places[change][1])
    else:
        for other in others:
            if isinstance(other, Inclusion | Consistency):
                yield replace(claim, proof=other.proof)


def _altered_note(change: str, claim: Signed) -> Iterator[Signed]:
    """The checkpoint with another text under the signature that it has."""
    lines = claim.note.decode().split("\n")
    other = _KEY.sign(Checkpoint("log.example", 4_711, bytes(32)).text()).split("\n")
    texts: dict[str, list[str]] = {
        "first hash left out": [*lines[:2], *lines[3:]],
        "the proof of another record": [*other[:3], *lines[3:]],
        "an empty proof": [""],
        "index equal to the size": [lines[0], str(int(lines[1]) + 1), *lines[2:]],
        "sizes exchanged": [lines[0], other[1], *lines[2:]],
        "hash of 31 bytes": [*lines[:2], lines[2][4:], *lines[3:]],
    }
    yield Signed("\n".join(texts[change]).encode())


# ---- the run


async def falsified(case: Case, folder: Path) -> Seen:
    """Check the true object first, then every change of it."""
    what, change = str(case.send["object"]), str(case.send["change"])
    seen = Seen(figures={"accepted": 0}, facts={"true one accepted": True})
    seen.facts["no exception but the typed one"] = True
    by_bytes = ("byte" in change and change != "hash of 31 bytes") or "bit" in change
    for size in as_array(case.send["sizes"]):
        assert isinstance(size, int)
        claims = await _claims(what, size, folder)
        seen.facts["true one accepted"] &= all(_accepted(claim) for claim in claims)
        further = [*claims, *itertools.chain(_inclusions(size + 1), _consistencies(size + 1))]
        for claim in claims:
            made = _with_bytes(change, claim, what) if by_bytes else _with_form(change, claim, further)
            seen.figures["accepted"] += sum(_accepted(other) for other in made if other != claim)
    return seen


async def _claims(what: str, size: int, folder: Path) -> Sequence[Claim]:
    if what == "export":
        return [await _exported(size, folder)]
    made: dict[str, Callable[[int], Iterator[Claim]]] = {
        "inclusion proof": _inclusions,
        "leaf": _inclusions,
        "consistency proof": _consistencies,
        "checkpoint": _checkpoints,
    }
    return [*made[what](size)]


async def _exported(size: int, folder: Path) -> Export:
    """An export of a log of about as many records: an intent and an outcome a change."""
    async with Runtime.open(Settings(home=folder / "home"), environment={}) as runtime:
        for number in range(size // 2):
            await runtime.access.grant(f"user{number}", "readonly")
        await runtime.trail.checkpoint()
        content = "".join([piece async for piece in runtime.trail.export("jsonl")]).encode()
    key = str(as_object(parse_json(content.splitlines()[0]))["key"])
    return Export(content, key)


def _accepted(claim: Claim) -> bool:
    """Whether a claim is accepted; any error but the typed one goes on, and fails the case."""
    try:
        claim.verify()
    except _TYPED:
        return False
    return True
