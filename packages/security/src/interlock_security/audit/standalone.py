"""Checks proofs and exports of an Interlock audit log, by itself: Python 3.11 and `cryptography` alone.

    python standalone.py proof proof.json --key NAME+ID+KEY
    python standalone.py export log.jsonl --key NAME+ID+KEY --seen older-checkpoint --seen witness-file

Without `--key` the keys inside the file are believed, which shows only that the file agrees with itself: get
them another way. `--seen` is what you saw of the log before, a checkpoint or a witness file: only that shows
that it was rolled back, or written anew by someone who has its key. Exit code 0: it holds; 5: it does not.

A log is a Merkle tree (RFC 6962) over headers of records: `interlock-audit/2` and the fields below, a line
each, the last the SHA-256 of salt and payload, which may be erased where a later record says so. A checkpoint
is a C2SP signed note: origin, size, root, Ed25519 signature.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import NamedTuple, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PROOF, EXPORT, HEADER = "interlock-audit-proof/1", "interlock-audit-export/1", "interlock-audit/2"
NAMES = "index prev id at kind ref user agent key name outcome run trace team digest"
FIELDS = tuple(NAMES.split(" "))


class NotProvenError(Exception):
    """What was to be shown is not shown; the text says why."""


class Checkpoint(NamedTuple):
    """What a log signed: its name, its number of records, the root of their tree."""

    origin: str
    size: int
    root: bytes


def check_inclusion(leaf: bytes, index: int, tree: Checkpoint, path: Sequence[bytes]) -> None:
    """Check that `leaf` is leaf `index` of the tree (RFC 9162, 2.1.3.2)."""
    _need(0 <= index < tree.size, f"there is no record {index} among {tree.size}")
    for left, sibling in _steps(index, tree.size - 1, path):
        leaf = _node(sibling, leaf) if left else _node(leaf, sibling)
    _need(leaf == tree.root, "the inclusion proof does not lead to the signed root")


def check_consistency(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> None:
    """Check that the tree of `new` begins with the tree of `old` (RFC 9162, 2.1.4.2)."""
    _need(0 < old.size <= new.size, f"no proof leads from {old.size} to {new.size} records")
    place, last, before = old.size - 1, new.size - 1, old.root
    while place & 1 or place == last > 0:
        place, last = place >> 1, last >> 1
    if place:
        before, path = (*path, b"")[0], path[1:]
    after = before
    for left, sibling in _steps(place, last, path):
        before = _node(sibling, before) if left else before
        after = _node(sibling, after) if left else _node(after, sibling)
    _need((before, after) == (old.root, new.root), "the log does not continue the older one")


def open_note(note: object, keys: Sequence[object]) -> Checkpoint:
    """The checkpoint in a note that one of these keys (`name+id+key`) signed."""
    text, _, tail = str(note).rpartition("\n\n")
    *lines, end = tail.split("\n")
    _need(bool(text) and not end and len(tail) <= 4096, "the checkpoint is no signed note")
    signed = [_signed(line, text + "\n", str(key)) for line in lines for key in keys]
    _need(any(signed), "the checkpoint is not signed by this log's key")
    origin, size, root = (*text.split("\n"), "", "")[:3]
    _need(size.isascii() and size.isdigit() and str(int(size[:20])) == size, "the checkpoint has no size")
    return Checkpoint(origin, int(size), _path([root])[0])


def check_record(value: object) -> tuple[dict[str, object], bytes]:
    """The header of a record, and its leaf; a payload must be the one that the header names."""
    record = _object(value, "header", "payload", "salt")
    header, payload, salt = _object(record["header"], *FIELDS), record["payload"], record["salt"]
    text = "\n".join([HEADER, *(str(header[name]) for name in FIELDS)])
    plain = [type(header[name]) is (int if name in {"index", "at"} else str) for name in FIELDS]
    _need(all(plain) and text.count("\n") == len(FIELDS), "a header has fields of another form")
    if payload is not None or salt is not None:
        digest = hashlib.sha256(_bytes(salt) + canonical(payload).encode()).hexdigest()
        _need(digest == header["digest"], "the payload is not the one that was logged")
    return header, hashlib.sha256(b"\x00" + text.encode("utf-8", "surrogatepass")).digest()


def check_proof(content: bytes, keys: Sequence[str] = ()) -> str:
    """What a proof file proves, in a sentence; `NotProvenError` when it proves nothing."""
    proof = _object(_exact(content), "checkpoint", "format", "inclusion", "key", "record", "since")
    now, more = _opened(proof, PROOF, keys), ""
    header, leaf = check_record(proof["record"])
    check_inclusion(leaf, cast("int", header["index"]), now, _path(proof["inclusion"]))
    if proof["since"] is not None:
        since = _object(proof["since"], "checkpoint", "consistency", "format", "key")
        old = _opened(since, PROOF, keys)
        check_consistency(old, now, _path(since["consistency"]))
        more = f", which continues the log of {old.size} records that was seen before"
    return f"Record {header['index']} stands in the log {now.origin} of {now.size} records{more}."


class ExportCheck:
    """A check of a whole export, line by line: against keys, and texts of what was seen before."""

    def __init__(self, keys: Sequence[str] = (), seen: Sequence[str] = ()) -> None:
        self.problems: list[tuple[str, int | None, str]] = []
        self._keys, self._seen, self._older = keys, seen, dict[int, set[bytes]]()
        self._size, self._nodes, self._whole, self._prev = 0, list[bytes](), 0, ""
        self._missing, self._said = list[list[int]](), list[tuple[int, int]]()

    def run(self, lines: Iterable[bytes]) -> bool:
        """Check it; whether it holds."""
        rest = iter(lines)
        try:
            head = _object(_exact(next(rest, b"")), "checkpoint", "format", "key", "records")
            now = _opened(head, EXPORT, self._keys)
            _need(head["records"] == now.size, "the export names another number than its checkpoint")
            for text in self._seen:
                kept = [line for line in text.splitlines() if line[:1] + line[-1:] == "{}"]
                for note in [json.loads(line)["checkpoint"] for line in kept] or [text]:
                    older = open_note(note, self._keys or [head["key"]])
                    self._older.setdefault(older.size, set()).add(older.root)
        except NotProvenError as error:
            self._found("checkpoint", None, str(error))
            return False
        for line in rest:
            self._line(line)
        self._end(now)
        return not self.problems

    def _line(self, line: bytes) -> None:
        self._compare()
        place = self._size
        try:
            record = _object(_exact(line))
            header, leaf = check_record(record)
            if header["index"] != place:
                self._found("moved", place, f"a record that says it is number {header['index']} stands here")
            elif header["prev"] != self._prev:
                self._found("broken_chain", place, "the record before this one is not the one it names")
            self._note(str(header["kind"]), record["payload"], place)
        except NotProvenError as error:
            self._found("edited", place, str(error))
            leaf = hashlib.sha256(line).digest()
        self._prev, node = leaf[:16].hex(), leaf
        while place & 1:
            node, place = _node(self._nodes.pop(), node), place >> 1
        self._nodes.append(node)
        self._size += 1

    def _note(self, kind: str, payload: object, place: int) -> None:
        if payload is None and kind.startswith("audit."):
            self._found("erased", place, "the payload of a record about the log itself is gone")
        elif payload is None and self._missing and self._missing[-1][1] == place:
            self._missing[-1][1] = place + 1
        elif payload is None:
            self._missing.append([place, place + 1])
        elif kind == "audit.erased":
            for pair in cast("list[object]", _object(_object(payload).get("note")).get("ranges", [])):
                match pair:
                    case [int(first), int(last)]:
                        self._said.append((first, min(last + 1, place)))
                    case _:
                        continue

    def _compare(self) -> None:
        roots = self._older.pop(self._size, None)
        if roots == {self._root()}:
            self._whole = self._size
        elif roots is not None:
            self._found("rewritten", self._whole, f"the first {self._size} are not those seen before")

    def _end(self, now: Checkpoint) -> None:
        self._compare()
        if self._size != now.size:
            what = "truncated" if self._size < now.size else "inserted"
            self._found(what, min(self._size, now.size), f"{self._size} here, {now.size} were signed")
        elif self._root() != now.root:
            self._found("rewritten", self._whole, "the records together are not those that were signed")
        if self._older:
            self._found("rolled_back", self._size, f"{max(self._older)} records were seen before")
        for rest, end in self._missing:
            start = rest
            for first, behind in sorted(self._said):
                start = max(start, behind) if first <= start else start
            if start < end:
                self._found("erased", start, "a payload is gone, and no record says that it was erased")

    def _root(self) -> bytes:
        nodes = self._nodes[::-1] or [hashlib.sha256(b"").digest()]
        return reduce(lambda root, node: _node(node, root), nodes)

    def _found(self, kind: str, record: int | None, detail: str) -> None:
        if len(self.problems) < 100:
            self.problems.append((kind, record, detail))


def canonical(value: object) -> str:
    """The one way in which JSON is written here."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _steps(place: int, last: int, path: Sequence[bytes]) -> Iterator[tuple[bool, bytes]]:
    for sibling in path:
        _need(last > 0, "the path is too long")
        left = bool(place & 1) or place == last
        while left and place and not place & 1:
            place, last = place >> 1, last >> 1
        yield left, sibling
        place, last = place >> 1, last >> 1
    _need(last == 0, "the path is too short")


def _signed(line: str, text: str, key: str) -> bool:
    name, key_id, encoded = (*key.split("+", 2), "", "")[:3]
    public, (dash, signer, signature) = _bytes(encoded), (*line.split(" ", 2), "", "")[:3]
    known, blob = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4], _bytes(signature)
    _need(len(public) == 33 and public[0] == 1 and known.hex() == key_id, "the log's key is malformed")
    _need(dash == "\u2014" and len(blob) > 4, "a signature of the checkpoint is malformed")
    try:
        if mine := (signer, blob[:4]) == (name, known):
            Ed25519PublicKey.from_public_bytes(public[1:]).verify(blob[4:], text.encode())
    except InvalidSignature:
        raise NotProvenError("the signature of the checkpoint is forged") from None
    return mine


def _opened(holder: dict[str, object], form: str, keys: Sequence[str]) -> Checkpoint:
    _need(holder["format"] == form, f"this is no {form}")
    _need(not keys or holder["key"] in keys, "it is signed with another key than yours")
    return open_note(holder["checkpoint"], [holder["key"]])


def _need(true: bool, otherwise: str) -> None:
    if not true:
        raise NotProvenError(otherwise)


def _exact(content: bytes) -> object:
    try:
        value = cast("object", json.loads(content.decode("ascii")))
    except (ValueError, RecursionError) as error:
        raise NotProvenError("it is no JSON") from error
    _need(canonical(value).encode() + b"\n" == content, "it is not written canonically")
    return value


def _object(value: object, *names: str) -> dict[str, object]:
    found = cast("dict[str, object]", value)
    _need(isinstance(value, dict) and (not names or set(found) == set(names)), "it has not the form it needs")
    return found


def _bytes(value: object) -> bytes:
    try:
        found = base64.b64decode(str(value), validate=True)
    except ValueError:
        found = b""
    _need(base64.b64encode(found).decode() == value, "what should be base64 is not")
    return found


def _path(value: object) -> list[bytes]:
    path = [_bytes(item) for item in cast("list[object]", value)] if isinstance(value, list) else [b""]
    _need(all(len(item) == 32 for item in path), "a hash is not 32 bytes long")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: 0 when the file holds, 5 when it does not."""
    parser = argparse.ArgumentParser(description="Check a proof or an export of an Interlock audit log.")
    parser.add_argument("what", choices=["proof", "export"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--seen", action="append", default=[])
    given = parser.parse_args(arguments)
    check, said = ExportCheck(given.key, [Path(name).read_text() for name in given.seen]), "It holds."
    try:
        with given.file.open("rb") as lines:
            check.run(lines) if given.what == "export" else (said := check_proof(lines.read(), given.key))
    except NotProvenError as error:
        check.problems.append(("proof", None, str(error)))
    for kind, record, detail in check.problems:
        sys.stderr.write(f"{kind}: {'' if record is None else f'record {record}: '}{detail}\n")
    sys.stdout.write("It does not hold.\n" if check.problems else f"{said}\n")
    return 5 if check.problems else 0


if __name__ == "__main__":
    sys.exit(main())
