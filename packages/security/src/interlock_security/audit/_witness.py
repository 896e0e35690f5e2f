"""A witness: whoever keeps the log's checkpoints where the log's own database cannot be rolled back.

What a witness shows: a log that has become shorter, or another, since it was last seen, even when all of
its database is an older genuine state or was signed anew with the log's key. What it does not show:
what happened since it last saw the log, and what happens when the witness itself is rolled back
with it. So the file belongs on another disk, or where it can only be appended to.
"""

import asyncio
import base64
import binascii
import json
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from interlock_core.errors import VerificationError
from interlock_core.jsontypes import as_object, parse_json
from interlock_security._files import create_private, sync_folder
from interlock_security.audit.merkle import CompactRange
from interlock_security.audit.notes import Checkpoint, VerifierKey, open_note

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

    @property
    def size(self) -> int:
        """The size that the note claims, -1 when it claims none; it is signed only if `opened` says so."""
        lines = self.note.split("\n")
        claimed = lines[1] if len(lines) > 1 else ""
        return int(claimed) if claimed.isascii() and claimed.isdigit() and len(claimed) < 20 else -1

    def opened(self, keys: Iterable[VerifierKey]) -> tuple[Checkpoint, CompactRange]:
        """The checkpoint and its tree, both checked.

        Args:
            keys: The log's keys; one of them must have signed it.

        Raises:
            VerificationError: The note is none of the keys', or the nodes are not the tree's.
        """
        checkpoint = Checkpoint.parse(open_note(self.note, keys))
        tree = CompactRange.from_bytes(checkpoint.size, self.nodes)
        if tree.root() != checkpoint.root:
            raise VerificationError("The nodes beside a checkpoint are not those of its tree.")
        return checkpoint, tree


Prove: TypeAlias = Callable[[int, int], Awaitable[list[bytes]]]
"""Makes the proof that the log of the second size begins with that of the first."""


class Witness(Protocol):
    """Keeps sightings.

    All methods raise `OSError` or an `InterlockError` when the witness cannot be had.
    """

    async def sightings(self) -> list[Sighting] | None:
        """Everything kept, oldest first; None when there is no witness yet."""
        ...

    async def latest(self) -> Sighting | None:
        """What was kept with the largest size; None when there is nothing."""
        ...

    async def record(self, sighting: Sighting, *, prove: Prove, found: bool = False) -> None:
        """Keep one more sighting; durable when this returns.

        Args:
            sighting: What was seen.
            prove: For a witness that wants to see that it continues what it saw.
            found: Begin a witness where there is none yet.

        Raises:
            VerificationError: The witness says that it does not continue what it saw.
        """
        ...

    async def confirm(self, sighting: Sighting, *, prove: Prove) -> None:
        """Ask a witness that judges for itself; one that only keeps what it is given has nothing to say.

        Raises:
            VerificationError: The witness saw another log, or more of it.
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

    async def sightings(self) -> list[Sighting] | None:
        """Everything kept, oldest first; None when there is no file.

        Raises:
            OSError: The file cannot be read.
        """
        return await asyncio.to_thread(self._sightings)

    async def latest(self) -> Sighting | None:
        """What was kept with the largest size; None when there is nothing.

        Raises:
            OSError: The file cannot be read.
        """
        return await asyncio.to_thread(self._latest)

    async def record(self, sighting: Sighting, *, prove: Prove, found: bool = False) -> None:
        """Append one line and sync it.

        Raises:
            OSError: It could not be written, or there is no file and `found` is false.
        """
        await asyncio.to_thread(self._record, sighting, found=found)

    async def confirm(self, sighting: Sighting, *, prove: Prove) -> None:
        """Nothing: a file does not judge."""

    def _sightings(self) -> list[Sighting] | None:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        return _parse(content)

    def _latest(self) -> Sighting | None:
        try:
            with self.path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - _TAIL_BYTES))
                content = file.read()
        except FileNotFoundError:
            return None
        if end > _TAIL_BYTES:
            content = content.partition(b"\n")[2]
        return furthest(_parse(content))

    def _record(self, sighting: Sighting, *, found: bool) -> None:
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
        latest = furthest(_parse(self.path.read_bytes()))
        if latest is None:
            return
        fresh = self.path.with_name(f".{self.path.name}.{os.urandom(6).hex()}")
        FileWitness(fresh)._record(latest, found=True)
        try:
            fresh.replace(self.path)
        except OSError:
            fresh.unlink(missing_ok=True)
        else:
            sync_folder(self.path.parent)


def furthest(sightings: Iterable[Sighting]) -> Sighting | None:
    """The one with the largest size; None of none."""
    return max(sightings, key=lambda sighting: sighting.size, default=None)


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
