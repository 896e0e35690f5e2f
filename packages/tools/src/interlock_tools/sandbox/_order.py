"""What the two sides of the sandbox say to each other. Stands alone: the inner side finds no package."""

import json
import mmap
import os
from typing import TypedDict, cast

USER = 1000
"""Number of the user inside."""


TEMPORARY = "/tmp"  # noqa: S108 - that of the sandbox: nobody else writes there
"""Where a command inside may write beside its folder."""

HOME = f"{TEMPORARY}/home"
"""Its empty home."""


class Order(TypedDict):
    """What to run, on what, within which limits.

    Attributes:
        command: Program and arguments.
        folder: Absolute path of the working folder, the same inside as outside.
        environment: The whole environment.
        files: Path under the folder, mode and length of each file; their bytes follow in this order.
        folders: Paths of folders, parents first.
        links: Path and target of symlinks.
        shared: Folders under the folder that are shown as they are, read-only.
        readable: Further paths of the system that are shown read-only.
        uid: Who the user inside is outside, when root runs the sandbox.
        timeout_s: Seconds of wall time.
        memory_bytes: Memory of all processes together, and of each.
        address_bytes: Address space of each process.
        cpu_s: Seconds of processor time of each process.
        processes: Processes and threads at once.
        file_bytes: Bytes of one file.
        open_files: Files that each process holds open.
        disk_bytes: Bytes of the folder's copy with all that is written into it.
        temporary_bytes: Bytes of `/tmp` and of shared memory, each.
        inodes: Files and folders in each of them.
        returned_bytes: Bytes of changed files that are handed back.
    """

    command: list[str]
    folder: str
    environment: dict[str, str]
    files: list[tuple[str, int, int]]
    folders: list[str]
    links: list[tuple[str, str]]
    shared: list[str]
    readable: list[str]
    uid: int
    timeout_s: float
    memory_bytes: int
    address_bytes: int
    cpu_s: int
    processes: int
    file_bytes: int
    open_files: int
    disk_bytes: int
    temporary_bytes: int
    inodes: int
    returned_bytes: int


class Report(TypedDict):
    """What became of an order; where the walls could not be built there is only `refused`, with the reason.

    Attributes:
        exit_code: Of the command; negative when a signal ended it.
        timed_out: It took too long.
        memory_exceeded: It took too much memory.
        changed: Path and length of files that are new or different; their bytes follow in this order.
        removed: Files that are gone.
        cut: Whether some changed files were too much to be handed back.
    """

    exit_code: int
    timed_out: bool
    memory_exceeded: bool
    changed: list[tuple[str, int]]
    removed: list[str]
    cut: bool


def pack(handle: int, head: bytes, *contents: bytes | memoryview) -> None:
    """Write one line of JSON and the bytes that belong to it, from the beginning."""
    os.lseek(handle, 0, os.SEEK_SET)
    os.ftruncate(handle, 0)
    for part in (head + b"\n", *contents):
        view = memoryview(part)
        while view:
            view = view[os.write(handle, view) :]


def split(handle: int) -> tuple[bytes, memoryview]:
    """The line of JSON, and the bytes that follow it; both empty when nothing was written."""
    length = os.fstat(handle).st_size
    if length == 0:
        return b"", memoryview(b"")
    whole = memoryview(mmap.mmap(handle, length, access=mmap.ACCESS_READ))
    end = bytes(whole[: 1 << 16]).find(b"\n")
    size = 1 << 16
    while end < 0 and size < length:
        size *= 4
        end = bytes(whole[:size]).find(b"\n")
    return (b"", memoryview(b"")) if end < 0 else (bytes(whole[:end]), whole[end + 1 :])


def unpack(handle: int) -> tuple[Order, memoryview]:
    """An order, and the bytes of its files.

    Raises:
        ValueError: It is none.
    """
    head, contents = split(handle)
    return cast("Order", json.loads(head)), contents
