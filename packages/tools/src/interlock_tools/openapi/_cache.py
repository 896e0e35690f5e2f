"""What was made of documents before, kept in a folder by the hash of everything that it was made of.

A cache may be wrong in every way and nothing breaks: a file that is damaged, cut short, somebody else's, a
link, or under a name that is not its own is not used, and is written anew. Files are readable by their owner
alone, appear whole or not at all, and the least recently used go when there are too many.
"""

import contextlib
import hashlib
import logging
import os
import stat
import tempfile
from pathlib import Path

_MARK = b"interlock-cache 1"
_SUFFIX = ".entry"
_PART = ".part"
_MOST_BYTES = 512 * 1024 * 1024
_ABANDONED_S = 3_600

_log = logging.getLogger(__name__)


class DocumentCache:
    """Keeps bytes by key in a folder.

    Args:
        folder: Where; it is made when something is kept.
        max_bytes: Most bytes of all files together.
    """

    def __init__(self, folder: Path, *, max_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._bytes: int | None = None

    def get(self, key: str) -> memoryview | None:
        """What is kept under a key; None when there is nothing that can be believed."""
        path = self._folder / f"{key}{_SUFFIX}"
        try:
            data = _own_file(path)
        except OSError:
            return None
        end = data.find(b"\n")
        body = memoryview(data)[end + 1 :]
        if data[: end + 1] != _head(key, body):
            _log.warning("%s is damaged; it is not used", path)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return body

    def put(self, key: str, body: bytes) -> None:
        """Keep bytes under a key. What cannot be written, or is too large, is not kept, and that is all."""
        if len(body) > self._max_bytes:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(suffix=_PART, dir=self._folder)
            part = Path(name)
            try:
                head = _head(key, body)
                with os.fdopen(handle, "wb") as file:
                    file.write(head)
                    file.write(body)
                part.replace(self._folder / f"{key}{_SUFFIX}")
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            # The folder is counted once, and again when what was added since may be too much.
            added = len(head) + len(body)
            room = self._bytes is not None and self._bytes + added <= self._max_bytes
            self._bytes = (self._bytes or 0) + added if room else self._shrink()
        except OSError as exc:
            _log.warning("The cache %s cannot be written: %s", self._folder, exc.strerror)

    def _shrink(self) -> int:
        """Forget what was used least recently until the rest fits, and what a dead process left behind.

        Returns:
            Bytes that are left.
        """
        found: list[tuple[float, int, Path]] = []
        for path in self._folder.iterdir():
            with contextlib.suppress(OSError):
                known = path.lstat()
                if path.suffix in {_SUFFIX, _PART} and stat.S_ISREG(known.st_mode):
                    found.append((known.st_mtime, known.st_size, path))
        newest = max((used for used, _, _ in found), default=0.0)
        kept = 0
        for used, size, path in sorted(found, reverse=True):
            abandoned = path.suffix == _PART and used < newest - _ABANDONED_S
            kept += size
            if abandoned or (kept > self._max_bytes and path.suffix == _SUFFIX):
                with contextlib.suppress(OSError):
                    path.unlink()
        return min(kept, self._max_bytes)


def _own_file(path: Path) -> bytes:
    """The bytes of a file that is this user's alone, and no link.

    Raises:
        OSError: It is not, or cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        known = os.fstat(file.fileno())
        if not stat.S_ISREG(known.st_mode) or _is_foreign(known):
            raise PermissionError
        return file.read()


def _is_foreign(known: os.stat_result) -> bool:
    if not hasattr(os, "geteuid"):
        return False
    return known.st_uid != os.geteuid() or bool(known.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _head(key: str, body: bytes | memoryview) -> bytes:
    return b" ".join((_MARK, key.encode(), hashlib.sha256(body).hexdigest().encode())) + b"\n"
