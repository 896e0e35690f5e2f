"""The embedded store: SQLite in one file, safe for several processes, or in memory.

One thread writes, up to four read, each on a connection of its own. The file is in WAL mode with
`synchronous=FULL`: what was committed survives a power cut. File and folder are the user's own.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import Self, TypeVar

from interlock_core.errors import StoreError
from interlock_core.store._errors import sqlite_error
from interlock_core.store._files import connect_memory, connect_reader, connect_writer, prepare_file
from interlock_core.store._migrate import bring_up_to_date, sqlite_drift
from interlock_core.store._model import Branch, Dialect, Params, Row, Transaction
from interlock_core.store._turns import Turns
from interlock_core.store._worker import Job, Promise, Worker

T = TypeVar("T")

_MOST_READERS = 4


class SqliteDatabase:
    """A database in one SQLite file, or in memory."""

    def __init__(self, path: Path | None, *, branches: Sequence[Branch]) -> None:
        self.dialect: Dialect = "sqlite"
        self._branches = tuple(branches)
        self._place = str(path) if path else "in memory"
        self._closed = False
        self._writer = Worker(
            (lambda: connect_writer(path)) if path else connect_memory, name="interlock-store-writer"
        )
        self._turns = Turns(self._writer)
        self._readers = _Readers(path) if path else None

    @classmethod
    async def connect(cls, path: str | None, *, branches: Sequence[Branch]) -> Self:
        """Open or make the file and apply missing migrations; None is a database in memory.

        Raises:
            SchemaVersionError: The database was written by a newer program.
            StoreError: It cannot be opened or migrated.
        """
        file = None if path is None else prepare_file(path)
        database = cls(file, branches=branches)
        try:
            await database._writer.start()
            await database._writer.submit(lambda connection: bring_up_to_date(connection, branches)).future
        except BaseException as error:
            await database.aclose()
            if isinstance(error, sqlite3.Error):
                raise sqlite_error(error, database._place) from error
            raise
        return database

    async def execute(self, sql: str, params: Params = ()) -> int:
        """Run one changing statement; neighbours in time share one commit."""
        return await self._settled(self._turns.write(lambda connection: _execute(connection, sql, params)))

    async def fetch_all(self, sql: str, params: Params = ()) -> list[Row]:
        """The rows of a query."""
        return await self._read(lambda connection: _fetch_all(connection, sql, params))

    async def fetch_one(self, sql: str, params: Params = ()) -> Row | None:
        """The first row of a query."""
        return await self._read(lambda connection: _fetch_one(connection, sql, params))

    @asynccontextmanager
    async def transaction(self, *, lock: str = "store") -> AsyncGenerator[Transaction, None]:
        """A transaction that holds the one write lock from its beginning."""
        await self._turns.take()
        transaction = _SqliteTransaction(self._writer, self._place)
        try:
            await transaction.run(lambda connection: connection.execute("BEGIN IMMEDIATE"))
            yield transaction
            transaction.refuse_failed()
        except BaseException:
            with suppress(sqlite3.Error):
                await asyncio.shield(self._end(_rollback).future)
            raise
        await self._settled(asyncio.shield(self._end(_commit).future))

    async def drift(self) -> list[str]:
        """What differs between the tables that the branches make and those that are there."""
        branches = self._branches
        return await self._alone(lambda connection: sqlite_drift(connection, branches))

    async def aclose(self) -> None:
        """Close both sides; an open transaction is rolled back."""
        if self._closed:
            return
        self._closed = True
        self._turns.refuse_all(_closed())
        if self._readers is not None:
            await self._readers.stop()
        await self._writer.stop()

    def _end(self, job: Job[T]) -> Promise[T]:
        """Run the last job of a turn; the next turn comes when it is done, whoever still waits for it."""
        ended = self._writer.submit(job)
        ended.future.add_done_callback(lambda _: self._turns.release())
        return ended

    async def _read(self, job: Job[T]) -> T:
        if self._readers is None:
            return await self._alone(job)
        if self._closed:
            raise _closed()
        try:
            return await self._readers.run(job)
        except (sqlite3.Error, UnicodeError, OverflowError) as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY:
                raise StoreError(
                    "A statement that changes rows was given to a fetch that only reads.",
                    remedy="Use a transaction for RETURNING.",
                ) from error
            raise sqlite_error(error, self._place) from error

    async def _alone(self, job: Job[T]) -> T:
        """Run a job that only reads on the writer's connection; cancelled, its statement is broken off."""
        await self._turns.take()
        ended = self._end(job)
        try:
            return await self._settled(asyncio.shield(ended.future))
        except asyncio.CancelledError:
            ended.broken = True
            raise

    async def _settled(self, future: "asyncio.Future[T]") -> T:
        try:
            return await future
        except (sqlite3.Error, UnicodeError, OverflowError) as error:
            raise sqlite_error(error, self._place) from error


class _SqliteTransaction:
    """The statements of one transaction, on the writer's connection."""

    def __init__(self, worker: Worker, place: str) -> None:
        self._worker = worker
        self._place = place
        self._failed = False

    async def execute(self, sql: str, params: Params = ()) -> int:
        """Run one statement."""
        return await self.run(lambda connection: _execute(connection, sql, params))

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        """Run one statement for each row."""
        await self.run(lambda connection: _execute_many(connection, sql, rows))

    async def copy_rows(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert many rows by one prepared statement."""
        await self.execute_many(insertion(table, tuple(columns)), rows)

    async def fetch_all(self, sql: str, params: Params = ()) -> list[Row]:
        """Run one statement and give its rows."""
        return await self.run(lambda connection: _fetch_all(connection, sql, params))

    async def fetch_one(self, sql: str, params: Params = ()) -> Row | None:
        """The first row of a statement."""
        return await self.run(lambda connection: _fetch_one(connection, sql, params))

    async def run(self, job: Job[T]) -> T:
        """Run a job; after one that failed or was cancelled, none."""
        self.refuse_failed()
        promise = self._worker.submit(job)
        try:
            return await promise.future
        except asyncio.CancelledError:
            self._failed = True
            promise.broken = True
            raise
        except (sqlite3.Error, UnicodeError, OverflowError) as error:
            self._failed = True
            raise sqlite_error(error, self._place) from error

    def refuse_failed(self) -> None:
        """Raise when a statement has failed: what is left must be rolled back."""
        if self._failed:
            raise StoreError(
                f"The database {self._place}: a statement of this transaction failed before.",
                remedy="Leave the transaction when a statement fails.",
            )


class _Readers:
    """Threads that read, made when they are needed; whoever waits longest is served first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free: list[Worker] = []
        self._all: list[Worker] = []
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def run(self, job: Job[T]) -> T:
        """Run a job that reads; cancelled, its statement is broken off."""
        worker = await self._take()
        promise = worker.submit(job)
        try:
            return await promise.future
        except asyncio.CancelledError:
            promise.broken = True
            raise
        finally:
            # The thread takes jobs in order, so one that is still being broken off delays only the next.
            self._give(worker)

    async def stop(self) -> None:
        """Close every reader."""
        for worker in self._all:
            await worker.stop()

    async def _take(self) -> Worker:
        while True:
            if self._free:
                return self._free.pop()
            if len(self._all) < _MOST_READERS:
                return await self._make()
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self._wake()
                raise

    async def _make(self) -> Worker:
        worker = Worker(lambda: connect_reader(self._path), name="interlock-store-reader")
        self._all.append(worker)
        try:
            await worker.start()
        except BaseException:
            self._all.remove(worker)
            self._wake()
            await asyncio.shield(worker.stop())
            raise
        return worker

    def _give(self, worker: Worker) -> None:
        self._free.append(worker)
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return


@lru_cache(maxsize=256)
def insertion(table: str, columns: tuple[str, ...]) -> str:
    """The statement that inserts one row.

    Raises:
        StoreError: What should be names are none.
    """
    if not all(name.isidentifier() for name in (table, *columns)):
        raise StoreError("A table or column has no plain name.")
    words = ["INSERT INTO", table, "(", ", ".join(columns), ") VALUES (", ", ".join("?" * len(columns)), ")"]
    return " ".join(words)


def _execute(connection: sqlite3.Connection, sql: str, params: Params) -> int:
    with closing(connection.execute(sql, params)) as cursor:
        return max(cursor.rowcount, 0)


def _execute_many(connection: sqlite3.Connection, sql: str, rows: Sequence[Params]) -> None:
    connection.executemany(sql, rows).close()


def _fetch_all(connection: sqlite3.Connection, sql: str, params: Params) -> list[Row]:
    with closing(connection.execute(sql, params)) as cursor:
        return cursor.fetchall()


def _fetch_one(connection: sqlite3.Connection, sql: str, params: Params) -> Row | None:
    with closing(connection.execute(sql, params)) as cursor:
        row: Row | None = cursor.fetchone()
        return row


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.Error:
        _rollback(connection)
        raise


def _rollback(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _closed() -> StoreError:
    return StoreError("The store is closed.", remedy="Keep it open as long as it is used.")
