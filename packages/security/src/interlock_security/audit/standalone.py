"""Checks proofs and exports of an Interlock audit log, by itself: Python 3.11 and `cryptography` alone.

    python standalone.py proof proof.json --key NAME+ID+KEY
    python standalone.py export log.jsonl --key NAME+ID+KEY --seen older-checkpoint --seen witness-file

Without `--key`, got another way, the keys in the file are believed: it then agrees with itself, no more. An
export leads from an older key to the newest. `--seen` is what you saw of the log before, a checkpoint or a
witness file: only that shows a log rolled back, or written anew with its key. Exit code 5: it does not hold.

A log is a Merkle tree (RFC 6962) over headers of records: `interlock-audit/2` and the fields below, a line
each, the last the SHA-256 of salt and payload, which may be erased where a later record says so. A checkpoint
is a C2SP signed note: origin, size, root, signature; the last of a key ends in a record that names the next.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import NamedTuple, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PROOF, EXPORT, HEADER = "interlock-audit-proof/1", "interlock-audit-export/1", "interlock-audit/2"
NAMES = "index prev id at kind ref user agent key name outcome run trace team digest"
FIELDS = tuple(NAMES.split(" "))
canonical = partial(json.dumps, sort_keys=True, separators=(",", ":"), allow_nan=False)
"""The one way in which JSON is written here."""


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
        self.problems, self.signer = list[tuple[str, int | None, str]](), ""
        self._keys, self._seen, self._older = keys, seen, dict[int, set[bytes]]()
        self._changes, self._missing = dict[int, dict[str, object]](), list[tuple[int, int]]()
        self._size, self._nodes, self._whole, self._prev = 0, list[bytes](), 0, ""

    def run(self, lines: Iterable[bytes]) -> bool:
        """Check it; whether it holds."""
        try:
            now = self._head(_exact(next(rest := iter(lines), b"")))
            for line in rest:
                self._line(line)
            self._end(now)
        except (NotProvenError, TypeError, ValueError, KeyError) as error:
            self._found("checkpoint", None, str(error))
        return not self.problems

    def _head(self, value: object) -> Checkpoint:
        head = _object(value, "checkpoint", "format", "key", "records", "rotations")
        handed = [_object(item, "checkpoint", "key") for item in cast("list[object]", head["rotations"])]
        signers = [*(item["key"] for item in handed), head["key"]]
        now, self.signer = _opened(head, EXPORT, self._keys, signers), str(head["key"])
        _need(head["records"] == now.size, "the export names another number than its checkpoint")
        notes = [(item["checkpoint"], [item["key"]]) for item in handed]
        for text in self._seen:
            kept = [json.loads(line)["checkpoint"] for line in text.splitlines() if line[:1] == "{"]
            notes += [(note, [*self._keys, *signers]) for note in kept or [text]]
        for older in (seen := [open_note(note, keys) for note, keys in notes]):
            self._older.setdefault(older.size, set()).add(older.root)
        for last, old, new in zip(seen, signers, signers[1:], strict=False):
            _need(last.size - 1 > max(self._changes, default=-1), "the changes of the key are out of order")
            self._changes[last.size - 1] = {"old": old, "new": new}
        return now

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
        except (NotProvenError, TypeError, ValueError, KeyError) as error:
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
        elif self._changes.get(place) != (_object(payload).get("note") if kind == "audit.key" else None):
            self._found("key_chain", place, "a change of the key is not the one that the old key signed")
        elif payload is None:
            start = self._missing.pop()[0] if self._missing[-1:] and self._missing[-1][1] == place else place
            self._missing.append((start, place + 1))
        elif kind == "audit.erased":
            for first, last in cast("list[list[int]]", _object(_object(payload).get("note"))["ranges"]):
                before = [(start, min(end, int(first))) for start, end in self._missing]
                behind = [(max(start, int(last) + 1), end) for start, end in self._missing]
                self._missing = sorted((start, end) for start, end in before + behind if start < end)

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
        for start, _ in self._missing:
            self._found("erased", start, "a payload is gone, and no record says that it was erased")

    def _root(self) -> bytes:
        return reduce(lambda root, node: _node(node, root), self._nodes[::-1] or [hashlib.sha256().digest()])

    def _found(self, kind: str, record: int | None, detail: str) -> None:
        self.problems = [*self.problems, (kind, record, detail)][:100]


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


def _opened(it: dict[str, object], form: str, keys: Sequence[str], led: Sequence[object] = ()) -> Checkpoint:
    _need(it["format"] == form, f"this is no {form}")
    mine = not keys or any(key in keys for key in led or [it["key"]])
    _need(mine, f"it is signed with another key than yours, to which yours does not lead: {it['key']!r}")
    return open_note(it["checkpoint"], [it["key"]])


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
    led = f" Its key is {check.signer} now." if given.key and check.signer not in ["", *given.key] else ""
    sys.stdout.write("It does not hold.\n" if check.problems else f"{said}{led}\n")
    return 5 if check.problems else 0


if __name__ == "__main__":
    sys.exit(main())
