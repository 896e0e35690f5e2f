"""SQLite's file and connections: whose they are and how they are set."""

import os
import sqlite3
import time
from pathlib import Path

from interlock_core.errors import StoreError

_BUSY_MS = 30_000
_WAL_TRIES = 600
_WAL_PAUSE_S = 0.05


def prepare_file(name: str) -> Path:
    """Make the folder (0700) and the file (0600), or take rights on an own file from everybody else.

    Returns:
        Its absolute path.

    Raises:
        StoreError: They cannot be made or read.
    """
    path = Path(name).absolute()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            status = os.fstat(handle)
            own = getattr(os, "geteuid", lambda: status.st_uid)() == status.st_uid
            if own and status.st_mode & 0o077 and hasattr(os, "fchmod"):
                os.fchmod(handle, 0o600)
        finally:
            os.close(handle)
    except OSError as exc:
        raise StoreError(
            f"The database {path} cannot be opened: {(exc.strerror or type(exc).__name__).lower()}.",
            field="store.url",
            remedy="Check the path, its permissions and the space on the disk.",
        ) from exc
    return path


def connect_writer(path: Path) -> sqlite3.Connection:
    """The connection that writes, in WAL mode.

    Raises:
        sqlite3.Error: The file is none of SQLite's, is damaged or cannot be written.
    """
    connection = _connect(str(path))
    try:
        _enable_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    connection = _connect(str(path))
    connection.execute("PRAGMA query_only=ON")
    return connection


def connect_memory() -> sqlite3.Connection:
    """The one connection of a database in memory."""
    return _connect(":memory:")


def _connect(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(name, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA trusted_schema=OFF")
    return connection


def _enable_wal(connection: sqlite3.Connection) -> None:
    """Switch a file to WAL once. SQLite does not wait here when another process does the same just now."""
    for attempt in range(_WAL_TRIES):
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
            if not busy or attempt == _WAL_TRIES - 1:
                raise
            time.sleep(_WAL_PAUSE_S)
        else:
            if mode != ("wal",):
                raise StoreError(
                    "The database's file system cannot hold a write-ahead log.",
                    field="store.url",
                    remedy="Put the file on a local disk, or use PostgreSQL.",
                )
            return
