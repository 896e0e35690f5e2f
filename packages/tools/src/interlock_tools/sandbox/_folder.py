"""A copy of a working folder in memory: what a sandboxed command is given, and what it gives back."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from interlock_core.errors import InvalidRequestError, NotFoundError

LEFT_OUT = frozenset(
    (
        *(".git", ".hg", ".svn", ".jj", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"),
        *(".hypothesis", ".tox", ".nox", ".cache", ".aws", ".ssh", ".gnupg", ".docker", ".kube", "target"),
    )
)
"""Folders that are not copied: history with its credentials, caches, keys."""

SHARED = frozenset({".venv", "venv", "node_modules"})
"""Folders of dependencies: not copied but shown read-only, because they are large."""

SECRET_FILES = (
    *(".env", ".env.*", ".envrc", ".netrc", "_netrc", ".npmrc", ".yarnrc*", ".pypirc", ".git-credentials"),
    *(".htpasswd", ".pgpass", ".my.cnf", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.pem", "*.key"),
    *("*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.tfstate", "*.tfvars", "admin.key"),
)
"""Names of files that are not copied: a command's output goes to models, so it never sees a secret."""

_HARMLESS = frozenset({".env.example", ".env.sample", ".env.template", ".env.dist", ".env.test.example"})
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderLimits:
    """How much a working folder may hold.

    Attributes:
        files: Most files.
        bytes: Most bytes in all.
        depth: Most folders below each other.
    """

    files: int = 20_000
    bytes: int = 128 << 20
    depth: int = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedFile:
    """One file.

    Attributes:
        content: Its bytes.
        mode: Its permission bits.
    """

    content: bytes = field(repr=False)
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCopy:
    """The files of a folder as they were at one moment.

    Attributes:
        folder: The folder, absolute and without symlinks.
        files: Each file by its path under the folder, with `/`.
        folders: Every folder under it, parents first.
        links: Target of each symlink that stays under the folder.
        shared: Folders of dependencies that are shown instead of copied.
        left_out: What was not copied: secrets, special files, symlinks that lead elsewhere.
    """

    folder: Path
    files: Mapping[str, CopiedFile]
    folders: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    shared: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def text(self, path: str) -> str | None:
        """A file's text; None when there is none or it is no UTF-8."""
        found = self.files.get(path)
        if found is None:
            return None
        try:
            return found.content.decode()
        except UnicodeDecodeError:
            return None

    def changed(self, changes: Mapping[str, bytes | None]) -> "FolderCopy":
        """This copy with some files new, different or (None) gone. Nothing on disk changes."""
        files = dict(self.files)
        folders = dict.fromkeys(self.folders)
        for path, content in changes.items():
            if content is None:
                files.pop(path, None)
                continue
            known = files.get(path)
            files[path] = CopiedFile(content=content, mode=known.mode if known is not None else 0o644)
            parts = path.split("/")[:-1]
            folders.update(dict.fromkeys("/".join(parts[: count + 1]) for count in range(len(parts))))
        return replace(self, files=files, folders=tuple(folders))


def copy_folder(
    folder: Path, *, limits: FolderLimits | None = None, hidden: tuple[Path, ...] = ()
) -> FolderCopy:
    """Read a folder. Symlinks are not followed, special files not opened, secrets not read.

    Args:
        folder: The folder.
        limits: How much it may hold.
        hidden: Paths that are left out, such as the data folder.

    Raises:
        NotFoundError: There is no such folder.
        InvalidRequestError: It holds too much, or is a folder of the system.
    """
    try:
        root = folder.resolve(strict=True)
        handle = os.open(root, _READ | os.O_DIRECTORY)
    except OSError as exc:
        raise NotFoundError(
            f"There is no folder {folder}: {exc.strerror}.",
            field="folder",
            remedy="Name a folder that exists and that you may read.",
        ) from exc
    try:
        _refuse_system(root)
        reading = _Reading(limits or FolderLimits(), {path.resolve() for path in hidden}, root)
        reading.read(handle, "", 0)
    finally:
        os.close(handle)
    return FolderCopy(
        folder=root,
        files=reading.files,
        folders=tuple(reading.folders),
        links=reading.links,
        shared=tuple(reading.shared),
        left_out=tuple(reading.left_out),
    )


_OF_THE_SYSTEM = ("usr", "bin", "sbin", "lib", "lib64", "etc", "dev", "proc", "sys", "boot", "run")


def _refuse_system(root: Path) -> None:
    parts = root.parts[1:]
    if not parts or parts[0] in _OF_THE_SYSTEM or root in {Path.home(), Path("/var")} or parts == ("tmp",):
        raise InvalidRequestError(
            f"{root} is no working folder.",
            field="folder",
            remedy="Name the folder of one project, not a home or a folder of the system.",
        )


class _Reading:
    """One walk through a folder, by handles, so that nobody can exchange a folder for a symlink meanwhile."""

    def __init__(self, limits: FolderLimits, hidden: set[Path], root: Path) -> None:
        self._limits = limits
        self._hidden = hidden
        self._root = root
        self._left = limits.bytes
        self.files: dict[str, CopiedFile] = {}
        self.folders: list[str] = []
        self.links: dict[str, str] = {}
        self.shared: list[str] = []
        self.left_out: list[str] = []

    def read(self, handle: int, inner: str, depth: int) -> None:
        """Read one folder and what is below it."""
        if depth > self._limits.depth:
            raise self._too_much(f"more than {self._limits.depth} folders below each other")
        for name, mode in sorted(_entries(handle)):
            path = f"{inner}{name}"
            if stat.S_ISDIR(mode):
                self._folder(handle, name, path, depth)
            elif stat.S_ISLNK(mode):
                self._link(handle, name, path)
            elif not stat.S_ISREG(mode) or _is_secret(name) or self._root / path in self._hidden:
                self.left_out.append(path)
            else:
                self._file(handle, name, path)

    def _folder(self, handle: int, name: str, path: str, depth: int) -> None:
        if name in LEFT_OUT or self._root / path in self._hidden:
            self.left_out.append(path)
            return
        self.folders.append(path)
        if name in SHARED:
            self.shared.append(path)
            return
        below = os.open(name, _READ | os.O_DIRECTORY, dir_fd=handle)
        try:
            self.read(below, f"{path}/", depth + 1)
        finally:
            os.close(below)

    def _link(self, handle: int, name: str, path: str) -> None:
        target = os.readlink(name, dir_fd=handle)
        meant = os.path.normpath(f"{path.rpartition('/')[0] or '.'}/{target}")
        if target.startswith("/") or meant == ".." or meant.startswith("../"):
            self.left_out.append(path)
        else:
            self.links[path] = target

    def _file(self, handle: int, name: str, path: str) -> None:
        if len(self.files) >= self._limits.files:
            raise self._too_much(f"more than {self._limits.files} files")
        try:
            opened = os.open(name, _READ, dir_fd=handle)
        except PermissionError:
            self.left_out.append(path)
            return
        with os.fdopen(opened, "rb") as file:
            facts = os.fstat(opened)
            if not stat.S_ISREG(facts.st_mode):
                self.left_out.append(path)
                return
            content = file.read(self._left + 1)
        self._left -= len(content)
        if self._left < 0:
            raise self._too_much(f"more than {self._limits.bytes >> 20} MiB")
        self.files[path] = CopiedFile(content=content, mode=stat.S_IMODE(facts.st_mode) & 0o755)

    def _too_much(self, what: str) -> InvalidRequestError:
        return InvalidRequestError(
            f"{self._root} holds {what}, which is too much for a sandboxed copy.",
            field="folder",
            remedy="Name the folder of one project, without data and build output.",
        )


def _entries(handle: int) -> Iterator[tuple[str, int]]:
    with os.scandir(handle) as entries:
        for entry in entries:
            yield entry.name, entry.stat(follow_symlinks=False).st_mode


def _is_secret(name: str) -> bool:
    lower = name.lower()
    return lower not in _HARMLESS and any(fnmatchcase(lower, pattern) for pattern in SECRET_FILES)
