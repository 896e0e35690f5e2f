"""Archives are read in memory, never unpacked to disk: zip, and tar plain or packed by gzip, bzip2 or xz.

What is refused, in the order in which it is looked for:

1. links, devices and other members that are no files or folders;
2. names that lead out of the archive, that two members share, or that no system writes;
3. zip members that are encrypted or packed in a way that needs unbounded memory;
4. more members, more unpacked bytes, or a higher ratio than the limits say, counted while unpacking:
   what an archive says of its own sizes is not believed.

An archive inside an archive is never opened. Members that are neither JSON nor YAML by name are not kept.
"""

import io
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from interlock_core.errors import InvalidRequestError
from interlock_tools.openapi._source import SUFFIXES, LoadLimits, refused

if TYPE_CHECKING:
    import tarfile
    import zipfile

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_ENTRY = b"PK\x01\x02"
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
_TAR_MARK, _TAR_AT = b"ustar", 257
_CHUNK = 1 << 16
_FREE = 1 << 20
_XZ_MEMORY = 100 * 1024 * 1024
_ENCRYPTED = 1
_REPACK = "Pack the JSON and YAML files alone, as a plain zip or tar.gz."


class _Decompressor(Protocol):
    """What `zlib`, `bz2` and `lzma` have in common."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether it has given all that it was fed."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What followed the end of the stream."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """What the bytes stand for, at most so many."""
        ...


class _Gunzip:
    """A gzip stream with the same face as those of bzip2 and xz."""

    def __init__(self) -> None:
        import zlib

        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


def is_archive(data: bytes) -> bool:
    """Whether bytes are an archive, by how they begin."""
    packed = (*_ZIP, _GZIP, _BZIP2, _XZ)
    return data.startswith(packed) or data[_TAR_AT : _TAR_AT + len(_TAR_MARK)] == _TAR_MARK


def archive_members(data: bytes, *, source: str, limits: LoadLimits) -> Mapping[str, bytes]:
    """The JSON and YAML files of an archive, by their paths inside it, sorted.

    Raises:
        InvalidRequestError: It is damaged, breaks a limit, or holds what an archive of documents does not.
    """
    import lzma
    import tarfile
    import zipfile
    import zlib

    budget = _Budget(source, len(data), limits)
    members = _zip_members if data.startswith(_ZIP) else _tar_members
    found: dict[str, bytes] = {}
    try:
        for name, content in members(data, budget):
            found[name] = content
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as exc:
        raise refused(source, f"is a damaged archive: {str(exc)[:100]}.", "Pack it again.") from exc
    except (EOFError, OSError, ValueError, NotImplementedError, OverflowError) as exc:
        raise refused(source, f"is a damaged archive ({type(exc).__name__}).", "Pack it again.") from exc
    return dict(sorted(found.items()))


class _Budget:
    """Counts what comes out of an archive, and refuses too much of it or what has no place in it."""

    def __init__(self, source: str, packed: int, limits: LoadLimits) -> None:
        self.source = source
        self._limits = limits
        self._most = min(limits.max_total_bytes, _FREE + packed * limits.max_ratio)
        self._by_ratio = self._most < limits.max_total_bytes
        self._unpacked = 0
        self._names: set[str] = set()

    def spend(self, count: int) -> None:
        """Count unpacked bytes.

        Raises:
            InvalidRequestError: They are too many.
        """
        self._unpacked += count
        if self._unpacked <= self._most:
            return
        why = (
            f"unpacks to more than {self._limits.max_ratio} times its size"
            if self._by_ratio
            else f"unpacks to more than {self._limits.max_total_bytes} bytes"
        )
        raise refused(self.source, f"{why}.", "Pack fewer and smaller files.")

    @property
    def left(self) -> int:
        """Bytes that may still come."""
        return self._most - self._unpacked

    def path(self, name: str) -> str:
        """The path of a member, checked.

        Raises:
            InvalidRequestError: It leads out of the archive, is taken, or there are too many.
        """
        path = name.removeprefix("./").rstrip("/")
        parts = path.split("/")
        safe = path.isprintable() and not set(path) & set('\\:*?"<>|')
        if not path or not safe or any(part in {"", ".", ".."} for part in parts):
            if path in {"", "."}:
                return ""
            raise refused(self.source, f"holds a member of the unsafe name {name[:80]!r}.", _REPACK)
        if path in self._names:
            raise refused(self.source, f"holds {path[:80]!r} twice.", _REPACK)
        self._names.add(path)
        self.members(len(self._names))
        return path

    def members(self, count: int) -> None:
        """Look at how many members there are.

        Raises:
            InvalidRequestError: They are too many.
        """
        most = self._limits.max_members
        if count > most:
            raise refused(self.source, f"has more than {most} members.", "Pack fewer files.")

    def no_file(self, name: str, kind: str) -> InvalidRequestError:
        """The error for a member that is neither file nor folder."""
        return refused(self.source, f"holds {kind}, {name[:80]!r}.", _REPACK)


def _wanted(path: str) -> bool:
    return any(path.lower().endswith(suffix) for suffix in SUFFIXES)


def _zip_members(data: bytes, budget: _Budget) -> Iterator[tuple[str, bytes]]:
    import zipfile

    # Looked at before the list is read: each entry of it takes far more memory than it has bytes.
    budget.members(data.count(_ZIP_ENTRY))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind and not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
                raise budget.no_file(info.filename, "a link or device")
            path = budget.path(info.filename)
            if path and not info.is_dir() and _wanted(path):
                yield path, _zip_content(archive, info, budget)


def _zip_content(archive: "zipfile.ZipFile", info: "zipfile.ZipInfo", budget: _Budget) -> bytes:
    import zipfile

    if info.flag_bits & _ENCRYPTED:
        raise refused(budget.source, f"holds an encrypted member, {info.filename[:80]!r}.", _REPACK)
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise refused(budget.source, f"packs {info.filename[:80]!r} by another method than deflate.", _REPACK)
    pieces: list[bytes] = []
    with archive.open(info) as member:
        while piece := member.read(_CHUNK):
            budget.spend(len(piece))
            pieces.append(piece)
    return b"".join(pieces)


def _tar_members(data: bytes, budget: _Budget) -> Iterator[tuple[str, bytes]]:
    import tarfile

    stream = _Unpacked(data, budget)
    # A stream of blocks cannot be made to seek backwards, whatever sizes its headers claim.
    with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="replace") as archive:
        for info in archive:
            _refuse_special(info, budget)
            path = budget.path(info.name)
            if not path or info.isdir() or not _wanted(path):
                continue
            member = archive.extractfile(info)
            yield path, member.read() if member is not None else b""


def _refuse_special(info: "tarfile.TarInfo", budget: _Budget) -> None:
    if info.issym() or info.islnk():
        raise budget.no_file(info.name, "a link")
    if info.issparse() or not (info.isfile() or info.isdir()):
        raise budget.no_file(info.name, "a device or sparse file")
    if info.size > budget.left:
        budget.spend(info.size)


class _Unpacked(io.RawIOBase):
    """The plain tar inside a packed one, unpacked piece by piece, every byte of it counted."""

    def __init__(self, data: bytes, budget: _Budget) -> None:
        super().__init__()
        self._data = memoryview(data)
        self._at = 0
        self._budget = budget
        self._make = _decompressor(data)
        self._stream = self._make() if self._make is not None else None
        self._ready = b""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes of the tar."""
        wanted = size if size >= 0 else self._budget.left + 1
        pieces = [self._ready]
        length = len(self._ready)
        while length < wanted and (piece := self._next()):
            self._budget.spend(len(piece))
            pieces.append(piece)
            length += len(piece)
        whole = b"".join(pieces)
        self._ready = whole[wanted:]
        return whole[:wanted]

    def _next(self) -> bytes:
        """One more piece of the plain tar; empty at its end."""
        if self._stream is None:
            return self._take()
        while not self._ended():
            fed = self._take() if self._stream.needs_input else b""
            piece = self._stream.decompress(fed, _CHUNK)
            if piece:
                return piece
            if not fed:
                raise EOFError
        return b""

    def _ended(self) -> bool:
        """Whether the last stream has ended; parallel packers write many, one behind the other."""
        if self._stream is None or not self._stream.eof:
            return self._stream is None
        self._at -= len(self._stream.unused_data)
        if not any(self._data[self._at : self._at + _CHUNK]) or self._make is None:
            return True
        self._stream = self._make()
        return False

    def _take(self) -> bytes:
        piece = bytes(self._data[self._at : self._at + _CHUNK])
        self._at += len(piece)
        return piece


def _decompressor(data: bytes) -> "Callable[[], _Decompressor] | None":
    """What unpacks a tar, by how it begins; None when it is plain."""
    import bz2
    import lzma

    if data.startswith(_GZIP):
        return _Gunzip
    if data.startswith(_BZIP2):
        return bz2.BZ2Decompressor
    if data.startswith(_XZ):
        return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
    return None
