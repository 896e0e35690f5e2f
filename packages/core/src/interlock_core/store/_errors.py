"""What went wrong in a database, said in one way: one table for SQLite, one for PostgreSQL.

No text names a value that was read or written. PostgreSQL puts values into its errors, so those are
emptied before they become the cause of ours.
"""

import sqlite3

from interlock_core.errors import StoreError

_Reason = tuple[str, str]

_FULL: _Reason = ("the disk is full", "Free some space; what was written before is safe.")
_READ_ONLY: _Reason = ("it cannot be written", "Check the permissions of the file and its folder.")
_BUSY: _Reason = ("another process has held it for too long", "Try again; stop what holds it if it stays so.")
_DAMAGED: _Reason = (
    "its file is damaged or is no SQLite database",
    "Restore it from a backup; keep the damaged file.",
)
_DISK: _Reason = ("the disk failed", "Check the disk and the messages of the system.")
_CANNOT_OPEN: _Reason = ("its file cannot be opened", "Check that the folder exists and may be written.")
_RULE: _Reason = ("a rule of the table forbids it", "This is a mistake in the program; please report it.")
_BUG: _Reason = ("the statement cannot be run", "This is a mistake in the program; please report it.")
_TOO_BIG: _Reason = ("a value is too large", "Send less at a time.")
_BROKEN_OFF: _Reason = ("it was broken off", "Try again.")
_GONE: _Reason = ("the connection broke", "Check that the database runs, and try again.")
_LOGIN: _Reason = ("it does not let us in", "Check the user, the password and the name of the database.")
_TOO_MANY: _Reason = ("it has no room for another connection", "Raise its max_connections, or try again.")

SQLITE_REASONS: dict[int, _Reason] = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_AUTH: _READ_ONLY,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_PROTOCOL: _BUSY,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_FORMAT: _DAMAGED,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_NOLFS: _DISK,
    sqlite3.SQLITE_CANTOPEN: _CANNOT_OPEN,
    sqlite3.SQLITE_CONSTRAINT: _RULE,
    sqlite3.SQLITE_MISMATCH: _RULE,
    sqlite3.SQLITE_TOOBIG: _TOO_BIG,
    sqlite3.SQLITE_NOMEM: _TOO_BIG,
    sqlite3.SQLITE_RANGE: _BUG,
    sqlite3.SQLITE_ERROR: _BUG,
    sqlite3.SQLITE_SCHEMA: _BUG,
    sqlite3.SQLITE_MISUSE: _BUG,
    sqlite3.SQLITE_INTERNAL: _BUG,
    sqlite3.SQLITE_NOTFOUND: _BUG,
    sqlite3.SQLITE_EMPTY: _BUG,
    sqlite3.SQLITE_ABORT: _BROKEN_OFF,
    sqlite3.SQLITE_INTERRUPT: _BROKEN_OFF,
}
"""Primary result code of SQLite to what it means and what to do. Every error code has its line."""

POSTGRES_REASONS: dict[str, _Reason] = {
    "08": _GONE,
    "22": ("a value does not fit its column", "This is a mistake in the program; please report it."),
    "23": _RULE,
    "25": _READ_ONLY,
    "28": _LOGIN,
    "3D": _LOGIN,
    "40": ("another transaction was in the way", "Try again."),
    "42": _BUG,
    "42501": ("the user may not do this", "Grant the user rights on the database and its schema."),
    "53": ("the server has run out of something", "Look at the server's log; free what it lacks."),
    "53100": _FULL,
    "53300": _TOO_MANY,
    "55": _BUSY,
    "57": ("the server was stopped or broke off the statement", "Try again."),
    "58": _DISK,
    "XX": _DAMAGED,
}
"""Class (two characters) or code (five) of PostgreSQL's SQLSTATE to what it means and what to do."""

_UNKNOWN: _Reason = ("it failed", "Look at the log for the cause.")


def sqlite_error(error: Exception, place: str) -> StoreError:
    """The error of a SQLite database as ours; raise it `from` the one given.

    Args:
        error: What sqlite3 raised.
        place: Which database it is.
    """
    code: object = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        reason, remedy = SQLITE_REASONS.get(code & 0xFF, _UNKNOWN)
        name = str(getattr(error, "sqlite_errorname", code))
        # SQLite's own words name tables and columns, never values.
        said = f" ({error})" if (reason, remedy) in (_BUG, _RULE) else ""
        return StoreError(f"The database {place}: {reason}{said}.", remedy=remedy, vendor_code=name)
    if isinstance(error, OverflowError | UnicodeError | sqlite3.InterfaceError):
        _empty(error)
        return StoreError(f"The database {place}: a value cannot be stored.", remedy=_BUG[1])
    if isinstance(error, sqlite3.ProgrammingError):
        return StoreError(f"The database {place}: {_BUG[0]} ({error}).", remedy=_BUG[1])
    return StoreError(f"The database {place}: {_UNKNOWN[0]} ({type(error).__name__}).", remedy=_UNKNOWN[1])


def postgres_error(error: Exception, place: str) -> StoreError:
    """The error of a PostgreSQL database as ours; raise it `from` the one given, which is emptied of values.

    Args:
        error: What asyncpg raised, or the operating system.
        place: Which database it is.
    """
    state = getattr(error, "sqlstate", None)
    names = [getattr(error, name, None) for name in ("table_name", "column_name", "constraint_name")]
    _empty(error)
    if not isinstance(state, str):
        reason, remedy = _GONE if isinstance(error, OSError) else _BUG
        detail = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        return StoreError(f"The database {place}: {reason} ({detail}).", remedy=remedy)
    reason, remedy = POSTGRES_REASONS.get(state) or POSTGRES_REASONS.get(state[:2]) or _UNKNOWN
    said = ", ".join(name for name in names if isinstance(name, str)) or type(error).__name__
    return StoreError(f"The database {place}: {reason} ({said}).", remedy=remedy, vendor_code=state)


def _empty(error: Exception) -> None:
    """Take away what may hold a value that was read or written, from an error and from its causes."""
    link: BaseException | None = error
    while link is not None:
        if not isinstance(link, OSError):
            link.args = (type(link).__name__,)
        for name in ("message", "detail", "hint", "context", "internal_query", "query"):
            if getattr(link, name, None) is not None:
                setattr(link, name, None)
        link = link.__cause__ or link.__context__
