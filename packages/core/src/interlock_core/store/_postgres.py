"""The shared store: PostgreSQL through asyncpg, for any number of processes on any number of machines."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from decimal import Decimal
from hashlib import blake2b
from importlib import import_module
from typing import Protocol, Self, TypeVar, cast
from urllib.parse import urlsplit

from interlock_core.errors import ConfigurationError, MissingExtraError, StoreError
from interlock_core.store._errors import postgres_error
from interlock_core.store._migrate import is_current
from interlock_core.store._model import Branch, Dialect, Params, Row, SqlValue, Transaction
from interlock_core.store._placeholders import numbered

T = TypeVar("T")

_MOST_CONNECTIONS = 10
_SETTINGS = {"application_name": "interlock", "jit": "off", "lock_timeout": "30000"}
_MIGRATING = "migrate"


class Session(Protocol):
    """What is used of an asyncpg connection."""

    async def execute(self, query: str, *args: SqlValue) -> str: ...

    async def executemany(self, command: str, args: Iterable[Params]) -> None: ...

    async def copy_records_to_table(
        self, table_name: str, *, records: Iterable[Row], columns: Sequence[str]
    ) -> str: ...

    async def fetch(self, query: str, *args: SqlValue) -> Sequence[Iterable[object]]: ...

    async def fetchrow(self, query: str, *args: SqlValue) -> Iterable[object] | None: ...

    def transaction(self) -> "Begun": ...


class Begun(Protocol):
    """What is used of an asyncpg transaction."""

    async def start(self) -> None: ...

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...


class _Pool(Protocol):
    def acquire(self) -> AbstractAsyncContextManager[Session]: ...

    async def close(self) -> None: ...

    def terminate(self) -> None: ...


class Driver(Protocol):
    """What is used of the module asyncpg."""

    PostgresError: type[Exception]
    InterfaceError: type[Exception]
    InternalClientError: type[Exception]

    def connect(self, dsn: str) -> Awaitable[object]: ...

    def create_pool(
        self, dsn: str, *, min_size: int, max_size: int, server_settings: dict[str, str]
    ) -> Awaitable[_Pool]: ...


class PostgresDatabase:
    """A PostgreSQL database, through a pool of connections."""

    def __init__(self, url: str, driver: Driver, *, branches: Sequence[Branch]) -> None:
        self.dialect: Dialect = "postgresql"
        self._branches = tuple(branches)
        self._url = url
        self._place = _place_of(url)
        self._driver = driver
        self._pool: _Pool | None = None
        self._foreign = (
            driver.PostgresError,
            driver.InterfaceError,
            driver.InternalClientError,
            OSError,
            UnicodeError,
            OverflowError,
        )

    @classmethod
    async def connect(cls, url: str, *, branches: Sequence[Branch]) -> Self:
        """Connect and apply missing migrations.

        Raises:
            MissingExtraError: asyncpg is not installed.
            SchemaVersionError: The database was written by a newer program.
            StoreError: It cannot be reached or migrated.
        """
        database = cls(url, load_driver(), branches=branches)
        try:
            await database._open()
            if branches and not is_current(await database._versions(), branches):
                from interlock_core.store import _runner_postgres

                await database._translated(
                    _runner_postgres.upgrade_postgres(database._connect, branches, lock_key(_MIGRATING))
                )
        except BaseException:
            await database.aclose()
            raise
        return database

    async def execute(self, sql: str, params: Params = ()) -> int:
        """Run one changing statement, atomic by itself."""
        return await self._with_session(lambda session: _execute(session, sql, params))

    async def fetch_all(self, sql: str, params: Params = ()) -> list[Row]:
        """The rows of a query."""
        return await self._with_session(lambda session: _fetch_all(session, sql, params))

    async def fetch_one(self, sql: str, params: Params = ()) -> Row | None:
        """The first row of a query."""
        return await self._with_session(lambda session: _fetch_one(session, sql, params))

    @asynccontextmanager
    async def transaction(self, *, lock: str = "store") -> AsyncGenerator[Transaction, None]:
        """A transaction that holds an advisory lock of all processes from its beginning to its end."""
        async with self._session() as session:
            begun = session.transaction()
            await self._translated(begun.start())
            transaction = _PostgresTransaction(session, self._place, self._foreign)
            try:
                await transaction.run(
                    lambda: _execute(session, "SELECT pg_advisory_xact_lock(?)", (lock_key(lock),))
                )
                yield transaction
                transaction.refuse_failed()
            except BaseException:
                with suppress(*self._foreign):
                    await begun.rollback()
                raise
            await self._translated(begun.commit())

    async def drift(self) -> list[str]:
        """What differs between the tables that the branches make and those that are there."""
        if not self._branches:
            return []
        from interlock_core.store import _runner_postgres

        return await self._translated(_runner_postgres.drift_postgres(self._connect, self._branches))

    async def aclose(self) -> None:
        """Close every connection; what was not committed is rolled back."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await pool.close()
            except self._foreign:
                pool.terminate()

    async def _open(self) -> None:
        try:
            pool = self._driver.create_pool(
                self._url, min_size=0, max_size=_MOST_CONNECTIONS, server_settings=_SETTINGS
            )
            self._pool = await pool
            await self._connect_once()
        except ValueError as error:
            raise ConfigurationError(
                f"The URL of the database {self._place} cannot be used ({type(error).__name__}).",
                field="store.url",
                remedy="Write postgresql://user:password@host:port/database.",
            ) from None
        except self._foreign as error:
            raise postgres_error(error, self._place) from error

    async def _connect_once(self) -> None:
        """Find out now, not at the first use, when the server cannot be reached."""
        assert self._pool is not None
        async with self._pool.acquire() as session:
            await session.fetchrow("SELECT 1")

    async def _connect(self) -> object:
        """A connection of its own, without the pool's settings, for what may take its time."""
        return await self._driver.connect(self._url)

    async def _versions(self) -> list[str]:
        there = await self.fetch_one("SELECT to_regclass('alembic_version')::text")
        if there is None or there[0] is None:
            return []
        return [str(row[0]) for row in await self.fetch_all("SELECT version_num FROM alembic_version")]

    async def _with_session(self, operation: Callable[[Session], Awaitable[T]]) -> T:
        async with self._session() as session:
            return await self._translated(operation(session))

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[Session, None]:
        if self._pool is None:
            raise StoreError("The store is closed.", remedy="Keep it open as long as it is used.")
        lent = self._pool.acquire()
        session = await self._translated(lent.__aenter__())
        try:
            yield session
        finally:
            with suppress(*self._foreign):
                await lent.__aexit__(None, None, None)

    async def _translated(self, operation: Awaitable[T]) -> T:
        try:
            return await operation
        except self._foreign as error:
            raise postgres_error(error, self._place) from error


class _PostgresTransaction:
    """The statements of one transaction."""

    def __init__(self, session: Session, place: str, foreign: tuple[type[Exception], ...]) -> None:
        self._session = session
        self._place = place
        self._foreign = foreign
        self._failed = False

    async def execute(self, sql: str, params: Params = ()) -> int:
        """Run one statement."""
        return await self.run(lambda: _execute(self._session, sql, params))

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        """Run one statement for each row."""
        await self.run(lambda: self._session.executemany(numbered(sql), rows))

    async def copy_rows(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert many rows by COPY."""
        await self.run(
            lambda: self._session.copy_records_to_table(table, records=rows, columns=list(columns))
        )

    async def fetch_all(self, sql: str, params: Params = ()) -> list[Row]:
        """Run one statement and give its rows."""
        return await self.run(lambda: _fetch_all(self._session, sql, params))

    async def fetch_one(self, sql: str, params: Params = ()) -> Row | None:
        """The first row of a statement."""
        return await self.run(lambda: _fetch_one(self._session, sql, params))

    async def hold(self, lock: str) -> None:
        """Wait for a lock of all processes, and hold it to the end."""
        await self.fetch_one("SELECT pg_advisory_xact_lock(?)::text", (lock_key(lock),))

    async def run(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Await an operation; after one that failed or was cancelled, none."""
        self.refuse_failed()
        try:
            return await operation()
        except self._foreign as error:
            self._failed = True
            raise postgres_error(error, self._place) from error
        except BaseException:
            self._failed = True
            raise

    def refuse_failed(self) -> None:
        """Raise when a statement has failed: what is left must be rolled back."""
        if self._failed:
            raise StoreError(
                f"The database {self._place}: a statement of this transaction failed before.",
                remedy="Leave the transaction when a statement fails.",
            )


def load_driver() -> Driver:
    """The module asyncpg.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return cast("Driver", import_module("asyncpg"))
    except ImportError as exc:
        raise MissingExtraError(
            "The driver for PostgreSQL is not installed.",
            field="store.url",
            remedy="Install it: pip install 'interlock-core[postgres]'.",
        ) from exc


def lock_key(name: str) -> int:
    """The number under which PostgreSQL knows a lock of ours."""
    digest = blake2b(f"interlock:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


async def _execute(session: Session, sql: str, params: Params) -> int:
    done = await session.execute(numbered(sql), *params)
    count = done.rpartition(" ")[2]
    return int(count) if count.isdigit() and not done.startswith("SELECT") else 0


async def _fetch_all(session: Session, sql: str, params: Params) -> list[Row]:
    return [_row(record) for record in await session.fetch(numbered(sql), *params)]


async def _fetch_one(session: Session, sql: str, params: Params) -> Row | None:
    record = await session.fetchrow(numbered(sql), *params)
    return None if record is None else _row(record)


_FOREIGN = frozenset({bool, Decimal})


def _row(record: Iterable[object]) -> Row:
    """A row as SQLite would give it: sums of whole numbers come as Decimal here, truth values as bool."""
    row = tuple(record)
    if _FOREIGN.isdisjoint(map(type, row)):
        return cast("Row", row)
    return tuple(map(_plain, row))


def _plain(value: object) -> SqlValue:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return cast("SqlValue", value)


def _place_of(url: str) -> str:
    """Host and database of a URL, without user and password."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "of an unreadable URL"
    return f"{parts.hostname or 'local'}{port}{parts.path}"
