"""Files that only their owner may read: made once, whole, by whichever process comes first.

Rules, in order: the folder is 0700 when it is made here; a file appears under its name complete and
0600, or not at all; of several processes that make the same file one wins and all read the winner's; a
file that others may read is refused, because what it holds may be known. Not covered: who may read the
disk itself, and systems without POSIX permissions.
"""

import os
import stat
from pathlib import Path

from interlock_core.errors import ConfigurationError


def read_private(path: Path) -> bytes | None:
    """Contents of a private file; None when it does not exist.

    Raises:
        ConfigurationError: Others may read it, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be read: {exc.strerror}.", field=str(path)) from exc
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError(
            f"{path} may be read by others.",
            field=str(path),
            remedy="If nobody did: chmod 600 it. Otherwise move it away, so that a new one is made.",
        )
    return content


def read_or_create(path: Path, fresh: bytes) -> bytes:
    """Contents of a private file, which is made with `fresh` when it does not exist.

    Raises:
        ConfigurationError: It cannot be made or read, or others may read it.
    """
    existing = read_private(path)
    if existing is not None:
        return existing
    try:
        create_private(path, fresh)
    except FileExistsError:
        pass
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be made: {exc.strerror}.", field=str(path)) from exc
    return read_private(path) or b""


def create_private(path: Path, content: bytes) -> None:
    """Make a private file, complete on disk when this returns.

    Raises:
        FileExistsError: There is one of that name; it is left as it is.
        OSError: It cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's names durable, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
