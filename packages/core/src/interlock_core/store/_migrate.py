"""Whether a database has every branch's newest migration: seen at a glance, mended by alembic.

Alembic keeps one row a branch in `alembic_version`. When those rows are exactly the branches' heads,
nothing else is read and alembic is not even imported. Otherwise the migrations run in one transaction
under an exclusive lock, so that a process that dies leaves nothing half done and others wait their turn.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from interlock_core.store._model import Branch


def is_current(found: Iterable[str], branches: Sequence[Branch]) -> bool:
    """Whether these versions are exactly the branches' heads."""
    return set(found) == {branch.head for branch in branches}


def bring_up_to_date(connection: sqlite3.Connection, branches: Sequence[Branch]) -> None:
    """Apply the migrations that a SQLite database lacks. Without branches nothing is looked at.

    Raises:
        SchemaVersionError: It was written by a newer program.
        StoreError: A migration failed; nothing changed.
    """
    if not branches or is_current(_versions(connection), branches):
        return
    from interlock_core.store import _runner

    # Tables are remade by copying, which references from others must not hinder.
    connection.execute("PRAGMA foreign_keys=OFF")
    try:
        _runner.upgrade_sqlite(connection, branches)
    finally:
        connection.execute("PRAGMA foreign_keys=ON")


def sqlite_drift(connection: sqlite3.Connection, branches: Sequence[Branch]) -> list[str]:
    """What differs between the tables that the branches make and those that are there."""
    if not branches:
        return []
    from interlock_core.store import _runner

    return _runner.drift_sqlite(connection, branches)


def _versions(connection: sqlite3.Connection) -> list[str]:
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    if there is None:
        return []
    return [str(row[0]) for row in connection.execute("SELECT version_num FROM alembic_version").fetchall()]
