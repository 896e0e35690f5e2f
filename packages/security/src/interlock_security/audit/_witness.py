"""A witness: whoever keeps the log's checkpoints where the log's own database cannot be rolled back.

What a witness shows: a log that has become shorter, or another, since it was last seen, even when all of
its database is an older genuine state or was signed anew with the log's key. What it does not show:
what happened since it last saw the log, and what happens when the witness itself is rolled back
with it. So the file belongs on another disk, or where it can only be appended to.
"""

import base64
import binascii
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from interlock_core.errors import VerificationError
from interlock_core.jsontypes import as_object, parse_json
from interlock_security._files import create_private, sync_folder
from interlock_security.audit.merkle import CompactRange
from interlock_security.audit.notes import Checkpoint, VerifierKey

_TAIL_BYTES = 64 * 1024
_COMPACT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sighting:
    """A checkpoint, and the tree's perfect subtrees, from which the log can be followed further.

    Attributes:
        note: The signed checkpoint.
        nodes: The compact range's nodes, one after another.
    """

    note: str
    nodes: bytes

    def opened(self, key: VerifierKey) -> tuple[Checkpoint, CompactRange]:
        """The checkpoint and its tree, both checked.

        Raises:
            VerificationError: The note is not the key's, or the nodes are not the tree's.
        """
        checkpoint = Checkpoint.parse(key.open(self.note))
        tree = CompactRange.from_bytes(checkpoint.size, self.nodes)
        if tree.root() != checkpoint.root:
            raise VerificationError("The nodes beside a checkpoint are not those of its tree.")
        return checkpoint, tree


class Witness(Protocol):
    """Keeps sightings. Its methods may block; they are called in a thread."""

    def sightings(self) -> list[Sighting] | None:
        """Everything kept, oldest first; None when there is no witness yet."""
        ...

    def latest(self) -> Sighting | None:
        """What was kept with the largest size; None when there is nothing."""
        ...

    def record(self, sighting: Sighting, *, found: bool = False) -> None:
        """Keep one more sighting; durable when this returns.

        Args:
            sighting: What was seen.
            found: Begin a witness where there is none yet.

        Raises:
            OSError: It could not be kept.
        """
        ...


class FileWitness:
    """A witness in a file of JSON lines, each appended with one write and synced.

    Lines of several processes may stand in any order: the largest size counts. Past 1 MiB the file is
    begun anew with its latest line, which vouches for all before it; where the file system lets nobody
    replace it, it grows on.

    Args:
        path: The file; best on another disk than the database.
    """

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def sightings(self) -> list[Sighting] | None:
        """Everything kept, oldest first; None when there is no file.

        Raises:
            OSError: The file cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        return _parse(content)

    def latest(self) -> Sighting | None:
        """What was kept with the largest size; None when there is nothing.

        Raises:
            OSError: The file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - _TAIL_BYTES))
                content = file.read()
        except FileNotFoundError:
            return None
        if end > _TAIL_BYTES:
            content = content.partition(b"\n")[2]
        return max(_parse(content), key=_size, default=None)

    def record(self, sighting: Sighting, *, found: bool = False) -> None:
        """Append one line and sync it.

        Raises:
            OSError: It could not be written, or there is no file and `found` is false.
        """
        nodes = base64.b64encode(sighting.nodes).decode()
        line = json.dumps({"checkpoint": sighting.note, "nodes": nodes}).encode() + b"\n"
        if found and not self.path.exists():
            try:
                create_private(self.path, line)
            except FileExistsError:
                pass
            else:
                return
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        if size > _COMPACT_BYTES:
            self._compact()

    def _compact(self) -> None:
        latest = max(_parse(self.path.read_bytes()), key=_size, default=None)
        if latest is None:
            return
        fresh = self.path.with_name(f".{self.path.name}.{os.urandom(6).hex()}")
        FileWitness(fresh).record(latest, found=True)
        try:
            fresh.replace(self.path)
        except OSError:
            fresh.unlink(missing_ok=True)
        else:
            sync_folder(self.path.parent)


def _parse(content: bytes) -> list[Sighting]:
    """The lines that can be read; one that cannot, such as a torn last line, vouches for nothing."""
    found: list[Sighting] = []
    for line in content.splitlines():
        try:
            value = as_object(parse_json(line))
            nodes = base64.b64decode(str(value.get("nodes", "")), validate=True)
        except (ValueError, binascii.Error, RecursionError):
            continue
        found.append(Sighting(str(value.get("checkpoint", "")), nodes))
    return found


def _size(sighting: Sighting) -> int:
    """The size that a sighting claims; only for choosing among those of one's own file."""
    lines = sighting.note.split("\n")
    claimed = lines[1] if len(lines) > 1 else ""
    return int(claimed) if claimed.isascii() and claimed.isdigit() and len(claimed) < 20 else -1
