"""The one face of both databases."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Self

from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import ConfigurationError
from interlock_core.store._model import Branch, Database, Dialect, Params, Row, Transaction


class Store:
    """A database, SQLite or PostgreSQL, with every branch's tables in place. `Store.open` makes it.

    A store belongs to the event loop in which it was opened.

    Args:
        database: What it stands on; another store will do, for those who wrap one.
        clock: Handed on.

    Attributes:
        dialect: Which database it is.
        clock: The clock that was handed in, for whoever stamps rows.
    """

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.dialect: Dialect = database.dialect
        self.clock = clock
        self._database = database

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    @staticmethod
    async def open(url: str, *, branches: Sequence[Branch] = (), clock: Clock | None = None) -> "Store":
        """Open a database and apply the migrations that it lacks.

        Several processes may do so at once on an empty database: one migrates, the others wait.

        Args:
            url: `sqlite:///relative/path`, `sqlite:////absolute/path`, `sqlite://` (in memory, gone when
                closed) or `postgresql://user:password@host:port/database`.
            branches: Every part's branch; a database with tables of a branch that is not listed here is
                taken for a newer program's.
            clock: Handed on as `clock`.

        Raises:
            ConfigurationError: The URL is none of these.
            SchemaVersionError: The database was written by a newer program.
            MissingExtraError: The PostgreSQL driver is not installed.
            StoreError: It cannot be opened or migrated.
        """
        clock = clock or SystemClock()
        scheme, _, rest = url.partition("://")
        if scheme == "sqlite":
            from interlock_core.store._sqlite import SqliteDatabase

            return Store(await SqliteDatabase.connect(_sqlite_path(rest), branches=branches), clock=clock)
        if scheme in {"postgresql", "postgres"}:
            from interlock_core.store._postgres import PostgresDatabase

            url = f"postgresql://{rest}"
            return Store(await PostgresDatabase.connect(url, branches=branches), clock=clock)
        raise ConfigurationError(
            f"There is no store of kind {scheme[:20]!r}.",
            field="store.url",
            remedy="Use sqlite:///path or postgresql://user:password@host/database.",
        )

    async def execute(self, sql: str, params: Params = ()) -> int:
        """Run one changing statement, durable when it returns; the number of rows that it changed.

        Raises:
            StoreError: It failed; nothing changed.
        """
        return await self._database.execute(sql, params)

    async def fetch_all(self, sql: str, params: Params = ()) -> list[Row]:
        """The rows of a query. It only reads: use a transaction for `RETURNING`.

        Raises:
            StoreError: It failed.
        """
        return await self._database.fetch_all(sql, params)

    async def fetch_one(self, sql: str, params: Params = ()) -> Row | None:
        """The first row of a query; None when there is none. It only reads.

        Raises:
            StoreError: It failed.
        """
        return await self._database.fetch_one(sql, params)

    def transaction(self, *, lock: str = "store") -> AbstractAsyncContextManager[Transaction]:
        """A transaction: committed and durable when left in peace, rolled back when left by an error.

        Transactions with the same lock run one after another, in all processes and in the order in which
        they asked, so what one reads stays true until it ends. On SQLite there is one lock for all.

        Args:
            lock: What is serialised; parts that share no tables can use locks of their own.

        Raises:
            StoreError: It could not be begun or committed; nothing changed.
        """
        return self._database.transaction(lock=lock)

    async def drift(self) -> list[str]:
        """What differs between the tables that the branches make and those that are there, a line each."""
        return await self._database.drift()

    async def aclose(self) -> None:
        """Close the database; what was not committed is rolled back. Closing twice does nothing."""
        await self._database.aclose()


def _sqlite_path(rest: str) -> str | None:
    """The path of a SQLite URL; None for a database in memory."""
    path = rest.removeprefix("/")
    if path in {"", ":memory:"}:
        return None
    if not rest.startswith("/") or "?" in path or "\x00" in path:
        raise ConfigurationError(
            "The SQLite URL is not sqlite:///path.",
            field="store.url",
            remedy="Write sqlite:///relative/path or sqlite:////absolute/path, without options.",
        )
    return path
