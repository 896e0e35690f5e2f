"""What SQLite asks of the disk, written down, so that a power cut at any moment can be played.

SQLite's own way to the disk stays in place; only its writes, truncations and syncs are noted on the way. What
a disk keeps when the power goes: everything that was synced, and of what was written since, any part, in
pieces of 512 bytes. Not played: a disk that lies about a sync, and names of files that were not synced.
"""

import _sqlite3
import ctypes
import random
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
_INT, _LONG, _POINTER = ctypes.c_int, ctypes.c_longlong, ctypes.c_void_p
_OPEN = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _POINTER, _INT, _POINTER)
_WRITE = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT, _LONG)
_TRUNCATE = ctypes.CFUNCTYPE(_INT, _POINTER, _LONG)
_SYNC = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)
_FULL = 13
# Places in `sqlite3_io_methods`, and how many functions it has.
_AT_WRITE, _AT_TRUNCATE, _AT_SYNC, _METHODS = 2, 3, 4, 18


class _Vfs(ctypes.Structure):
    """The beginning of `sqlite3_vfs`, as far as files are opened."""

    _fields_ = (
        ("version", _INT),
        ("file_size", _INT),
        ("most_path", _INT),
        ("next", _POINTER),
        ("name", _POINTER),
        ("data", _POINTER),
        ("open", _POINTER),
    )


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`: a version, then the functions in their order."""

    _fields_ = (("version", _INT), ("functions", _POINTER * _METHODS))


class _File(ctypes.Structure):
    """The beginning of every `sqlite3_file`."""

    _fields_ = (("methods", _POINTER),)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing asked of the disk.

    Attributes:
        path: Of which file.
        place: Where bytes were written, or the new length of the file.
        data: The bytes; None when the file was cut to a length.
        sync: Everything before was asked to be durable.
    """

    path: str
    place: int = 0
    data: bytes | None = None
    sync: bool = False


@dataclass(slots=True)
class Disk:
    """Everything that was asked of the disk for the files of one folder, in order.

    Attributes:
        folder: The folder; what is in it at first is taken for durable.
        events: What was asked.
        full: Let every write fail for want of space.
    """

    folder: Path
    full: bool = False
    events: list[Event] = field(default_factory=list[Event])
    _first: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _kept: list[object] = field(default_factory=list[object])

    def __post_init__(self) -> None:
        self._first = {str(path): path.read_bytes() for path in self.folder.iterdir() if path.is_file()}

    @contextmanager
    def watched(self) -> Generator[None, None, None]:
        """Note what is asked for files that are opened from here on."""
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = _POINTER
        library.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
        vfs = _Vfs.from_address(int(library.sqlite3_vfs_find(None)))
        original = int(vfs.open)
        call = _OPEN(original)

        def opened(vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
            code = int(call(vfs, name, file, flags, out))
            path = ctypes.string_at(name).decode() if name else ""
            if code == 0 and path.startswith(str(self.folder)):
                self._watch(file, path)
            return code

        callback = _OPEN(opened)
        # What SQLite may call must live as long as it may.
        self._kept.append(callback)
        vfs.open = ctypes.cast(callback, _POINTER).value
        try:
            yield
        finally:
            vfs.open = original

    def after_a_cut(self, count: int, rng: random.Random, into: Path) -> None:
        """Make the files as they may be found when the power went after so many events."""
        images = {path: bytearray(content) for path, content in self._first.items()}
        waiting: dict[str, list[Event]] = {}
        for event in self.events[:count]:
            pending = waiting.setdefault(event.path, [])
            if event.sync:
                for done in pending:
                    _apply(images, done)
                pending.clear()
            else:
                pending.append(event)
        for pending in waiting.values():
            for event in _survivors(pending, rng):
                _apply(images, event)
        for path, image in images.items():
            copy = into / Path(path).name
            copy.write_bytes(image)
            copy.chmod(0o600)

    def _watch(self, file: int, path: str) -> None:
        opened = _File.from_address(file)
        methods = _Methods.from_buffer_copy(ctypes.string_at(int(opened.methods), ctypes.sizeof(_Methods)))
        write = _WRITE(int(methods.functions[_AT_WRITE]))
        truncate = _TRUNCATE(int(methods.functions[_AT_TRUNCATE]))
        sync = _SYNC(int(methods.functions[_AT_SYNC]))

        def written(file: int, data: int, size: int, place: int) -> int:
            if self.full:
                return _FULL
            self.events.append(Event(path, place, ctypes.string_at(data, size)))
            return int(write(file, data, size, place))

        def truncated(file: int, size: int) -> int:
            self.events.append(Event(path, size))
            return int(truncate(file, size))

        def synced(file: int, flags: int) -> int:
            code = int(sync(file, flags))
            self.events.append(Event(path, sync=True))
            return code

        callbacks = (
            (_AT_WRITE, _WRITE(written)),
            (_AT_TRUNCATE, _TRUNCATE(truncated)),
            (_AT_SYNC, _SYNC(synced)),
        )
        for place, callback in callbacks:
            methods.functions[place] = ctypes.cast(callback, _POINTER).value
        opened.methods = ctypes.addressof(methods)
        self._kept += [methods, callbacks]


def _apply(images: dict[str, bytearray], event: Event) -> None:
    image = images.setdefault(event.path, bytearray())
    if event.data is None:
        image[:] = image[: event.place].ljust(event.place, b"\0")
        return
    end = event.place + len(event.data)
    if len(image) < end:
        image.extend(bytes(end - len(image)))
    image[event.place : end] = event.data


def _survivors(pending: list[Event], rng: random.Random) -> Iterable[Event]:
    """What the disk happened to have done of what it was not yet asked to be sure of."""
    for event in pending:
        if event.data is None:
            if rng.random() < 0.5:
                yield event
            continue
        luck = rng.random()
        for start in range(0, len(event.data), SECTOR):
            if rng.random() < luck:
                yield Event(event.path, event.place + start, event.data[start : start + SECTOR])
