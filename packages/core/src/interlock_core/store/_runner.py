"""Runs alembic. Importing this is dear, so it is imported only where something is to be done.

Alembic keeps the migration that runs in global names (`op`, `context`), so a process runs one at a time.
"""

import sqlite3
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from interlock_core.errors import SchemaVersionError, StoreError
from interlock_core.store._compare import Shape, differences, shape_of
from interlock_core.store._model import Branch

MIGRATING = threading.Lock()
"""Held while migrations run."""


def upgrade_sqlite(raw: sqlite3.Connection, branches: Sequence[Branch]) -> None:
    """Migrate a SQLite database in one exclusive transaction, on its own connection.

    Raises:
        SchemaVersionError: It was written by a newer program.
        StoreError: A migration failed; nothing changed.
    """
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool, hide_parameters=True)
    with MIGRATING, engine.connect() as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        upgrade(connection, branches)
        connection.commit()


def drift_sqlite(raw: sqlite3.Connection, branches: Sequence[Branch]) -> list[str]:
    """Compare a SQLite database with an empty one that was just migrated."""
    empty = sqlite3.connect(":memory:", isolation_level=None)
    try:
        upgrade_sqlite(empty, branches)
        expected = _shape_sqlite(empty)
    finally:
        empty.close()
    return differences(expected, _shape_sqlite(raw), [branch.name for branch in branches])


def upgrade(connection: Connection, branches: Sequence[Branch]) -> None:
    """Apply missing migrations within the transaction that is open on the connection.

    Raises:
        SchemaVersionError: There is a version that no branch knows.
        StoreError: A migration failed, or a branch does not hold what it says.
    """
    try:
        config = _config(branches)
        script = ScriptDirectory.from_config(config)
        known = {revision.revision for revision in script.walk_revisions()}
        _check_heads(script, branches)
        found = set(MigrationContext.configure(connection).get_current_heads())
        if found - known:
            raise SchemaVersionError(
                f"The database is newer than this program: it holds the version {sorted(found - known)[0]}.",
                field="store.url",
                remedy="Upgrade the program, or open a database of this version.",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")
    except (CommandError, SQLAlchemyError, ImportError) as exc:
        raise StoreError(
            f"The database could not be migrated ({type(exc).__name__}); nothing was changed.",
            field="store.url",
            remedy="Look at the cause in the log; restore a backup if the database was changed by hand.",
        ) from exc


def _config(branches: Sequence[Branch]) -> Config:
    config = Config()
    config.set_main_option("script_location", _escaped(str(Path(__file__).with_name("_environment"))))
    config.set_main_option("path_separator", "newline")
    folders = dict.fromkeys(_folder(branch.package) for branch in branches)
    config.set_main_option("version_locations", _escaped("\n".join(folders)))
    return config


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _folder(package: str) -> str:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"there is no package {package}")
    return next(iter(spec.submodule_search_locations))


def _check_heads(script: ScriptDirectory, branches: Sequence[Branch]) -> None:
    heads, expected = set(script.get_heads()), {branch.head for branch in branches}
    if heads != expected:
        raise StoreError(
            f"The migrations end at {', '.join(sorted(heads))}, but the branches name "
            f"{', '.join(sorted(expected))}.",
            field="store",
            remedy="Set each Branch.head to the id of its newest migration.",
        )


def _shape_sqlite(raw: sqlite3.Connection) -> Shape:
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool, hide_parameters=True)
    with engine.connect() as connection:
        return shape_of(connection)
