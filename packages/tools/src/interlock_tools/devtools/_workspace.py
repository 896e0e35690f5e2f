"""The working folder: paths inside it, copies of it, and changes to it that are made whole or not at all."""

import contextlib
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from interlock_core.errors import ConflictError, InvalidRequestError, NotFoundError
from interlock_core.nearest import suggestion
from interlock_tools.sandbox import FolderCopy, NamespaceSandbox, SandboxRun
from interlock_tools.sandbox._folder import LEFT_OUT, SHARED

_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_DIRECTORY", 0)
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to be run in the sandbox.

    Attributes:
        command: The program with its first arguments.
        readable: Paths of the system that it needs.
        environment: Variables that it needs.
    """

    command: tuple[str, ...]
    readable: tuple[Path, ...] = ()
    environment: Mapping[str, str] | None = None


class Workspace:
    """One working folder and the sandbox for its programs.

    Args:
        folder: The folder.
        sandbox: Runs programs on copies of it.
    """

    def __init__(self, folder: Path, sandbox: NamespaceSandbox) -> None:
        self._folder = folder
        self._sandbox = sandbox

    async def copy(self) -> FolderCopy:
        """The folder as it is now.

        Raises:
            NotFoundError: It is gone.
            InvalidRequestError: It holds too much.
        """
        return await self._sandbox.copy(self._folder)

    async def run(
        self, copy: FolderCopy, program: Program, arguments: Sequence[str] = (), *, timeout_s: float
    ) -> SandboxRun:
        """Run a program on a copy.

        Raises:
            UnsupportedError: The system has no sandbox.
        """
        return await self._sandbox.run_on(
            copy,
            (*program.command, *arguments),
            timeout_s=timeout_s,
            environment=program.environment or {},
            readable=program.readable,
        )

    def apply(self, copy: FolderCopy, changes: Mapping[str, bytes | None]) -> None:
        """Make changes in the folder itself: all of them, or none when one cannot be made.

        Each file is replaced in one step. Nothing is written through a symlink.

        Raises:
            ConflictError: A file is other than in the copy, or a new one is there already.
            InvalidRequestError: A path is not one that may be changed.
        """
        for path in changes:
            _refuse_protected(path)
        before = {path: _unchanged(copy, path) for path in changes}
        made: list[str] = []
        done: list[str] = []
        try:
            for path, content in changes.items():
                known = before[path]
                new = None if content is None else _File(content, None if known is None else known.mode)
                _replace(copy.folder, path, new, known=known, made=made)
                done.append(path)
        except (OSError, ConflictError) as exc:
            left = _taken_back(copy.folder, {path: (before[path], changes[path]) for path in done}, made)
            if isinstance(exc, ConflictError) and not left:
                raise
            why = exc.message if isinstance(exc, ConflictError) else exc.strerror
            still = f" These could not be taken back: {', '.join(left)[:500]}." if left else ""
            raise ConflictError(
                f"The working folder cannot be written: {why}.{still}",
                field="apply",
                remedy="Look at those files first, and at the room and the rights of the folder."
                if left
                else "Nothing was changed. Look at the room and the rights of the folder.",
            ) from exc


@dataclass(frozen=True, slots=True)
class _File:
    """What stands in the folder: bytes and permission bits; None for those that a new file gets."""

    content: bytes
    mode: int | None = None


def inside(path: str) -> str:
    """A path of a caller as it stands under the working folder; `.` for the whole of it.

    Raises:
        InvalidRequestError: It leads out of the folder.
    """
    pure = PurePosixPath(path)
    parts = [part for part in pure.parts if part != "."]
    if pure.is_absolute() or ".." in parts or "\0" in path or "\\" in path:
        raise InvalidRequestError(
            f"{path[:200]!r} leads out of the working folder.",
            field="path",
            remedy="Name a file or folder from the working folder, such as src or . for all of it.",
        )
    return "/".join(parts) or "."


def as_argument(path: str) -> str:
    """A path under the folder as a program is given it: never an option, a pattern or a file of arguments."""
    return path if path == "." else f"./{path}"


def files_at(copy: FolderCopy, path: str) -> list[str]:
    """The files that a caller's path means, sorted.

    Raises:
        InvalidRequestError: It leads out of the folder.
        NotFoundError: There is no such file or folder, or nothing in it.
    """
    wanted = inside(path)
    if wanted == ".":
        found = sorted(copy.files)
    elif wanted in copy.files:
        return [wanted]
    else:
        found = sorted(name for name in copy.files if name.startswith(f"{wanted}/"))
    if not found:
        raise NotFoundError(
            f"There is no file at {wanted} in the working folder.",
            field="path",
            remedy=suggestion(wanted, [*copy.files, *copy.folders]),
        )
    return found


def _refuse_protected(path: str) -> None:
    parts = inside(path).split("/")
    if path != "/".join(parts) or any(part in LEFT_OUT or part in SHARED for part in parts):
        raise InvalidRequestError(
            f"{path[:200]!r} is not changed: it holds history, dependencies or caches.",
            field="path",
            remedy="Change it by hand.",
        )


def _changed_meanwhile(path: str) -> ConflictError:
    return ConflictError(
        f"{path} is other than when it was read; nothing was written.",
        field="path",
        remedy="Call again: the change is made anew from what is there now.",
    )


def _unchanged(copy: FolderCopy, path: str) -> _File | None:
    """What stands at a path, which is what the copy holds."""
    known = copy.files.get(path)
    now = _now(copy.folder, path)
    if (now.content if now is not None else None) != (known.content if known is not None else None):
        raise _changed_meanwhile(path)
    return now


def _taken_back(
    root: Path, done: Mapping[str, tuple[_File | None, bytes | None]], made: Sequence[str]
) -> list[str]:
    """Undo changes, the last first, with the folders that were made for them; what could not be undone."""
    left: list[str] = []
    for path, (old, new) in reversed([*done.items()]):
        try:
            written = None if new is None else _File(new)
            _replace(root, path, old, known=written, made=[])
        except (OSError, ConflictError):
            left.append(path)
    for path in reversed(made):
        *above, name = path.split("/")
        with contextlib.suppress(OSError):  # somebody else may have put something there
            handle = _opened_folder(root, above)
            try:
                os.rmdir(name, dir_fd=handle)
            finally:
                os.close(handle)
    return left


def _opened_folder(root: Path, parts: Sequence[str], *, made: list[str] | None = None) -> int:
    """A handle of a folder under the root, reached without following a symlink.

    With `made` it is made where it is not there, and what was made is added to it.
    """
    handle = os.open(root, _FOLDER)
    for depth, part in enumerate(parts, 1):
        try:
            if made is not None:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=handle)
                    made.append("/".join(parts[:depth]))
            below = os.open(part, _FOLDER, dir_fd=handle)
        finally:
            os.close(handle)
        handle = below
    return handle


def _now(root: Path, path: str) -> _File | None:
    """What a file holds now; None when it is not there.

    Raises:
        ConflictError: Something else stands there: a symlink, a folder, a special file.
    """
    *folders, name = path.split("/")
    try:
        folder = _opened_folder(root, folders)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _changed_meanwhile(path) from exc
    try:
        return _held(folder, name, path)
    finally:
        os.close(folder)


def _held(folder: int, name: str, path: str) -> _File | None:
    try:
        with os.fdopen(os.open(name, _FILE, dir_fd=folder), "rb") as file:
            return _File(file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o777)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _changed_meanwhile(path) from exc


def _replace(root: Path, path: str, new: _File | None, *, known: _File | None, made: list[str]) -> None:
    """Put a file into its place, or remove it, when what is known still stands there at the last moment."""
    *folders, name = path.split("/")
    folder = _opened_folder(root, folders, made=made if new is not None else None)
    temporary = f".{name[:100]}.{secrets.token_hex(6)}"
    try:
        if new is not None:
            _write(folder, temporary, new)
        now = _held(folder, name, path)
        if (now.content if now is not None else None) != (known.content if known is not None else None):
            raise _changed_meanwhile(path)
        if new is None:
            os.unlink(name, dir_fd=folder)
        else:
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        os.close(folder)


def _write(folder: int, name: str, new: _File) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o644 if new.mode is None else 0o600, dir_fd=folder), "wb") as file:
        file.write(new.content)
        file.flush()
        if new.mode is not None:
            os.fchmod(file.fileno(), new.mode)
        os.fsync(file.fileno())
