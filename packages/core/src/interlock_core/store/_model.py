"""What a store is: rows by portable SQL, transactions that hold, migrations by branch."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol, TypeAlias

from interlock_core.record import record

Dialect: TypeAlias = Literal["sqlite", "postgresql"]
"""Which SQL is understood beside the portable."""

SqlValue: TypeAlias = str | int | float | bytes | None
"""A value that both databases keep unchanged. Truth values are kept as 0 and 1."""

Row: TypeAlias = tuple[SqlValue, ...]
"""One row of a result, in the order of its columns."""

Params: TypeAlias = Sequence[SqlValue]
"""Values for the placeholders, in order."""


@record(frozen=True, slots=True)
class Branch:
    """A part's own line of migrations.

    Attributes:
        name: Label of the alembic branch, and the prefix of its tables (`audit` owns `audit_…`).
        head: Revision id of its newest migration.
        package: Importable package that holds the version files.
    """

    name: str
    head: str
    package: str


class Transaction(Protocol):
    """Statements that take effect together or not at all.

    Placeholders are `?`. A statement that fails dooms the transaction, on every database: what follows is
    refused and leaving it rolls it back. Write `ON CONFLICT` where a conflict is expected.

    All methods raise `StoreError`; its text names no value.
    """

    async def execute(self, sql: str, params: Params = ()) -> int:
        """Run one statement; the number of rows that it changed."""
        ...

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        """Run one statement once for each row of values."""
        ...

    async def copy_rows(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert many rows in the quickest way that the database has.

        Args:
            table: Name of the table.
            columns: Names of the columns, in the order of each row.
            rows: The rows.
        """
        ...

    async def fetch_all(self, sql: str, params: Params = ()) -> list[Row]:
        """Run one statement (a query, or a change with `RETURNING`) and give its rows."""
        ...

    async def fetch_one(self, sql: str, params: Params = ()) -> Row | None:
        """The first row of a statement; None when there is none."""
        ...


class Database(Protocol):
    """What a store stands on: one kind of database. Its methods keep the promises of `Store`'s."""

    dialect: Dialect

    async def execute(self, sql: str, params: Params = ()) -> int:
        """Run one changing statement, durable when it returns; the number of rows that it changed."""
        ...

    async def fetch_all(self, sql: str, params: Params = ()) -> list[Row]:
        """The rows of a query."""
        ...

    async def fetch_one(self, sql: str, params: Params = ()) -> Row | None:
        """The first row of a query; None when there is none."""
        ...

    def transaction(self, *, lock: str = "store") -> AbstractAsyncContextManager[Transaction]:
        """A transaction under a lock."""
        ...

    async def drift(self) -> list[str]:
        """What differs between the tables that the branches make and those that are there."""
        ...

    async def aclose(self) -> None:
        """Close it. Closing twice does nothing."""
        ...
