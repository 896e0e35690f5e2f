"""The root that a command in the sandbox sees, and the copy of the folder in it. Stands alone.

Of the system there are the programs and libraries, read-only, and a handful of harmless files of `/etc`.
There is no home, no `/var`, no `/run`, no `/sys`, no terminal, and no device but the four that make nothing.
Everything that can be written lies in memory of a fixed size.
"""

import os
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from interlock_tools.sandbox._kernel import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    change_root,
    mount,
    raise_loopback,
    seal,
)
from interlock_tools.sandbox._order import HOME, USER, Order

_STAGE = Path("/tmp")  # noqa: S108 - a mount of our own covers it before anything is written
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = (
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types"),
    *("/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs"),
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_WRITTEN = {
    "etc/passwd": f"root:x:0:0::/:/bin/false\nsandbox:x:{USER}:{USER}::{HOME}:/bin/sh\n",
    "etc/group": f"root:x:0:\nsandbox:x:{USER}:\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
_LINKS = {"dev/fd": "/proc/self/fd", "dev/stdin": "/proc/self/fd/0", "dev/stdout": "/proc/self/fd/1"}
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Sources:
    """What is shown of the system, opened before the stage covers a part of it.

    Attributes:
        opened: Handle and kind of file by path.
        links: Target by path, for places that are symlinks.
    """

    opened: dict[str, tuple[int, int]]
    links: dict[str, str]

    @classmethod
    def open(cls, order: Order) -> "Sources":
        """Open what the order and the system name, where it is there."""
        opened: dict[str, tuple[int, int]] = {}
        links: dict[str, str] = {}
        shared = [f"{order['folder']}/{path}" for path in order["shared"]]
        for path in (*_SYSTEM, *_SETTINGS, *_DEVICES, *order["readable"], *shared):
            if path in _SYSTEM and Path(path).is_symlink():
                links[path] = str(Path(path).readlink())
                continue
            follow = os.O_NOFOLLOW if path in shared else 0
            try:
                handle = os.open(path, os.O_PATH | os.O_CLOEXEC | follow)
            except FileNotFoundError:
                continue
            opened[path] = handle, os.fstat(handle).st_mode
        return cls(opened, links)


def build_root(order: Order, fill: Callable[[Path], None]) -> None:
    """Build the root and move into it; the old one cannot be reached any more.

    Args:
        order: Says what is to be seen.
        fill: Writes the copy into the folder that it is given.

    Raises:
        OSError: The system does not allow a step, which is named.
    """
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    sources = Sources.open(order)
    _memory(_STAGE, 1 << 20, 4096, mode="755")
    for path, target in sources.links.items():
        _staged(path).symlink_to(target)
    for path in _SYSTEM:
        _show(path, sources)
    _make_own(order)
    for path in (*_SETTINGS, *_DEVICES):
        _show(path, sources)
    shared = [f"{order['folder']}/{path}" for path in order["shared"]]
    for path in sorted({*order["readable"], order["folder"], *shared}, key=lambda path: path.count("/")):
        if path == order["folder"]:
            _staged(path).mkdir(parents=True, exist_ok=True)
            _memory(_staged(path), order["disk_bytes"], order["inodes"], mode="755", user=True)
            fill(_staged(path))  # before anything is shown inside, whose parents would not be the user's
        else:
            _show(path, sources)
    for handle, _ in sources.opened.values():
        os.close(handle)
    seal(str(_STAGE), recursive=False)
    socket.sethostname("sandbox")
    raise_loopback()
    change_root(str(_STAGE))


def _staged(path: str) -> Path:
    """Where a path of the new root is while that is built."""
    return _STAGE / path.lstrip("/")


def _make_own(order: Order) -> None:
    """The parts of the root that are nobody else's."""
    for name in ("etc", "dev", "proc", "tmp", "dev/shm"):
        (_STAGE / name).mkdir(exist_ok=True)
    for name, text in _WRITTEN.items():
        (_STAGE / name).write_text(text)
    for name, target in _LINKS.items():
        (_STAGE / name).symlink_to(target)
    mount("proc", str(_STAGE / "proc"), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for name in ("tmp", "dev/shm"):
        _memory(_STAGE / name, order["temporary_bytes"], order["inodes"], mode="1777", user=True)
    home = _staged(HOME)
    home.mkdir()
    if os.geteuid() == 0:
        os.chown(home, USER, USER)


def _memory(target: Path, size: int, inodes: int, *, mode: str, user: bool = False) -> None:
    owner = f",uid={USER},gid={USER}" if user else ""
    options = f"size={size},nr_inodes={inodes},mode={mode}{owner}"
    mount("tmpfs", str(target), "tmpfs", MS_NOSUID | MS_NODEV, options)


def _show(path: str, sources: Sources) -> None:
    """Put what stands at a path of the system at the same path of the new root."""
    known = sources.opened.get(path)
    if known is None:
        return
    handle, mode = known
    target = _staged(path)
    if stat.S_ISDIR(mode):
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount(f"/proc/self/fd/{handle}", str(target), None, MS_BIND | (MS_REC if stat.S_ISDIR(mode) else 0))
    if not stat.S_ISCHR(mode):
        seal(str(target))


def write_copy(order: Order, contents: memoryview, folder: Path) -> None:
    """Write the folder's copy.

    Raises:
        OSError: There is not room enough.
    """
    for path in order["folders"]:
        (folder / path).mkdir(exist_ok=True)
    start = 0
    for path, mode, length in order["files"]:
        handle = os.open(
            folder / path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode & 0o755 | 0o600
        )
        try:
            view = contents[start : start + length]
            while view:
                view = view[os.write(handle, view) :]
        finally:
            os.close(handle)
        start += length
    for path, target in order["links"]:
        (folder / path).symlink_to(target)


def changes_in(order: Order, contents: memoryview) -> tuple[list[tuple[str, bytes]], list[str], bool]:
    """Files that are new or different, those that are gone, and whether some were too much to be given.

    Only plain files are looked at; nothing is followed.
    """
    before: dict[str, memoryview] = {}
    start = 0
    for path, _, length in order["files"]:
        before[path] = contents[start : start + length]
        start += length
    left, cut = order["returned_bytes"], False
    changed: list[tuple[str, bytes]] = []
    seen: set[str] = set()
    shown: list[str] = []
    for path, place in _plain_files(order["folder"], shown):
        seen.add(path)
        known = before.get(path)
        size = os.lstat(place).st_size
        if known is not None and len(known) == size and bytes(known) == _content(place, size):
            continue
        if size > left:
            cut = True
            continue
        left -= size
        changed.append((path, _content(place, size)))
    removed = [path for path in before.keys() - seen if not path.startswith(tuple(shown))]
    return changed, sorted(removed), cut


def _plain_files(folder: str, shown: list[str]) -> Iterator[tuple[str, str]]:
    """Path and place of each file of the copy; folders of the system that are shown in it are only named."""
    device = os.lstat(folder).st_dev
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        with os.scandir(f"{folder}/{inner}") as entries:
            for entry in entries:
                path = f"{inner}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    own = entry.stat(follow_symlinks=False).st_dev == device
                    (waiting if own else shown).append(f"{path}/")
                elif entry.is_file(follow_symlinks=False):
                    yield path, entry.path


def _content(place: str, size: int) -> bytes:
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        read = bytearray()
        while len(read) < size and (more := os.read(handle, min(_CHUNK, size - len(read)))):
            read += more
        return bytes(read)
    finally:
        os.close(handle)
