"""Runs alembic on PostgreSQL, through SQLAlchemy's asynchronous engine."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from importlib.util import find_spec
from typing import TypeAlias, TypeVar
from uuid import uuid4

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from interlock_core.errors import MissingExtraError
from interlock_core.store._compare import Shape, differences, shape_of
from interlock_core.store._model import Branch
from interlock_core.store._runner import MIGRATING, upgrade

T = TypeVar("T")

Connect: TypeAlias = Callable[[], Awaitable[object]]
"""Makes an asyncpg connection."""


async def upgrade_postgres(connect: Connect, branches: Sequence[Branch], key: int) -> None:
    """Migrate in one transaction, under a lock that other processes wait for.

    Raises:
        SchemaVersionError: The database was written by a newer program.
        StoreError: A migration failed; nothing changed.
    """

    async def migrate(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            await connection.run_sync(upgrade, branches)

    await asyncio.to_thread(_alone, connect, migrate)


async def drift_postgres(connect: Connect, branches: Sequence[Branch]) -> list[str]:
    """Compare a database with a schema that is migrated beside it, and rolled back."""

    async def compare(engine: AsyncEngine) -> list[str]:
        async with engine.connect() as connection:
            found = await connection.run_sync(shape_of)
            expected = await connection.run_sync(_expected, branches)
            await connection.rollback()
        return differences(expected, found, [branch.name for branch in branches])

    return await asyncio.to_thread(_alone, connect, compare)


def _alone(connect: Connect, job: Callable[[AsyncEngine], Coroutine[None, None, T]]) -> T:
    """Run a job while no other migration of this process runs: in a thread, so that only it waits."""

    async def run() -> T:
        engine = _engine(connect)
        try:
            return await job(engine)
        finally:
            await engine.dispose()

    with MIGRATING:
        return asyncio.run(run())


def _expected(connection: Connection, branches: Sequence[Branch]) -> Shape:
    schema = f"interlock_drift_{uuid4().hex}"
    connection.execute(text(f"CREATE SCHEMA {schema}"))
    connection.execute(text(f"SET LOCAL search_path TO {schema}"))
    upgrade(connection, branches)
    shape = shape_of(connection)
    shape.objects = {name: text.replace(f"{schema}.", "") for name, text in shape.objects.items()}
    return shape


def _engine(connect: Connect) -> AsyncEngine:
    if find_spec("greenlet") is None:
        raise MissingExtraError(
            "What migrates PostgreSQL is not installed.",
            field="store.url",
            remedy="Install it: pip install 'interlock-core[postgres]'.",
        )
    return create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, poolclass=NullPool, hide_parameters=True
    )
