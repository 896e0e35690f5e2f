"""Failures put into every step that tells whom a key stands for, at a gateway in this process.

Its own parts do the work, over a store, a clock, a secret, rows and memory that fail as they are told.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
)
from operator import attrgetter
from pathlib import Path
from typing import cast

from interlock_core.clock import SystemClock
from interlock_core.errors import StoreError
from interlock_core.store import Params, Row, Store, Transaction
from interlock_core.store._model import Dialect
from interlock_runtime import Access, KeyRequest
from interlock_runtime._access import permission_checker
from interlock_runtime._audit_log import open_audit_log
from interlock_runtime._join import BRANCHES

from .surfaces import Ways

USER = "uma-0f31"
"""Whom the keys stand for; the users of single failures begin with it too."""
KEYS = "FROM keys_api WHERE lookup"
OVERRIDES = "FROM roles_overrides"
Reading = Callable[[str, list[Row]], list[Row]]
"""What a query gives, by its text and what it would give; or raises."""


def _as_is(sql: str, rows: list[Row]) -> list[Row]:
    del sql
    return rows


def failing(error: BaseException, part: str = "") -> Reading:
    """Reading that fails, of a part of all queries."""

    def read(sql: str, rows: list[Row]) -> list[Row]:
        if part in sql:
            raise error
        return rows

    return read


def _nobodys(sql: str, rows: list[Row]) -> list[Row]:
    """The user of a key is NULL."""
    return [(*row[:4], None, *row[5:]) for row in rows] if KEYS in sql else rows


def _rubbish(sql: str, rows: list[Row]) -> list[Row]:
    """A rule of the store is cut off."""
    return [("x", "someone", "allow", '{"tool', None, "", "", 0)] if OVERRIDES in sql else rows


class Failing:
    """A database over another, whose queries give what it is told.

    Args:
        inner: What it stands on.

    Attributes:
        reading: What queries give.
    """

    def __init__(self, inner: Store) -> None:
        self.dialect: Dialect = inner.dialect
        self.reading: Reading = _as_is
        self._inner = inner

    async def execute(self, sql: str, params: Params = ()) -> int:
        """Run one changing statement."""
        return await self._inner.execute(sql, params)

    async def fetch_all(self, sql: str, params: Params = ()) -> list[Row]:
        """The rows of a query, as they are told."""
        return self.reading(sql, list(await self._inner.fetch_all(sql, params)))

    async def fetch_one(self, sql: str, params: Params = ()) -> Row | None:
        """The first row of a query, as it is told."""
        found = await self._inner.fetch_one(sql, params)
        rows = self.reading(sql, [] if found is None else [found])
        return rows[0] if rows else None

    def transaction(self, *, lock: str = "store") -> AbstractAsyncContextManager[Transaction]:
        """A transaction."""
        return self._inner.transaction(lock=lock)

    async def drift(self) -> list[str]:
        """Nothing of its own."""
        return []

    async def aclose(self) -> None:
        """The inner one is closed by who opened it."""


class Stopped(SystemClock):
    """A clock that cannot be read, once it is told so."""

    broken = False

    def now(self) -> float:
        """The time, or an error."""
        if self.broken:
            raise OSError("no clock")
        return super().now()

    def monotonic(self) -> float:
        """The time, or an error."""
        if self.broken:
            raise OSError("no clock")
        return super().monotonic()


class Away:
    """A remembered key in a memory that cannot be reached."""

    def __getattr__(self, name: str) -> object:
        raise ConnectionError(name)


READ: Mapping[str, Reading] = {
    "store down": failing(StoreError("The store is closed.")),
    "store times out": failing(TimeoutError()),
    "store raises an unknown error": failing(LookupError("what is this")),
    "policy set does not parse": _rubbish,
    "policy raises": failing(ZeroDivisionError(), OVERRIDES),
    "connection pool empty": failing(StoreError("No connection is free.")),
    "record of the key has a NULL user": _nobodys,
    "answer cancelled half way": failing(asyncio.CancelledError()),
    "memory error": failing(MemoryError()),
}
"""Failures of what is read."""

WRITTEN: Mapping[str, str] = {
    "role is missing": "UPDATE keys_api SET role = 'no-such-role' WHERE user_name = ?",
    "user record missing": "DELETE FROM people_users WHERE name = ?",
}
"""Failures of rows: what has been done to them."""

REMEMBERED = ("cache down", "cache returns rubbish", "cache returns another identity")
HELD = ("clock raises", "hash raises")
FAULTS = (*READ, *WRITTEN, *REMEMBERED, *HELD)


class Broken:
    """The one who tells, at a gateway, with failures put in.

    Args:
        place: The gateway.
        store: Over the same database as its own.
    """

    def __init__(self, place: Ways, store: Store) -> None:
        self._place = place
        self._store = store
        self._home = place.folder / "home"

    async def key(self, user: str = USER) -> str:
        """A good key of a user whose record is kept."""
        access = self._place.runtime.access
        if user not in {str(row["name"]) for row in await access.people.users() if row["origin"] == "store"}:
            await access.people.create_user(user)
        made = await access.create_key(KeyRequest(name=user, user=user, role="admin"))
        return str(made["key"])

    @asynccontextmanager
    async def failing(self, fault: str) -> AsyncGenerator[str, None]:
        """The context in which one step fails; gives the key that is good but for that."""
        runtime, before = self._place.runtime, self._place.runtime.access
        key = await self.key(_user_of(fault) if fault in WRITTEN else USER)
        database, clock = Failing(self._store), Stopped()
        store = Store(database, clock=clock)
        async with AsyncExitStack() as stack:
            log = open_audit_log(runtime.settings, store, runtime.redactor, stack)
            checker = permission_checker(runtime.settings)
            runtime.access = Access(runtime.settings, store=store, audit=log, checker=checker)
            stack.push_async_callback(runtime.access.aclose)
            try:
                with self._pepper(spoilt=fault == "hash raises"):
                    if fault in REMEMBERED:
                        await self._remembered(runtime.access, fault, key)
                    if fault in WRITTEN:
                        _change(self._home / "interlock.db", WRITTEN[fault], _user_of(fault))
                    database.reading = READ.get(fault, _as_is)
                    clock.broken = fault == "clock raises"
                    yield key
            finally:
                database.reading, clock.broken = _as_is, False
                runtime.access = before

    async def spoil(self, access: Access, fault: str) -> None:
        """Spoil what is remembered of keys, which a refusal has it forget."""
        kept = cast("dict[bytes, object]", attrgetter("_keys._cache")(access))
        entries = [*kept.values()]
        spoilt: dict[str, list[object]] = {
            "cache down": [Away() for _ in entries],
            "cache returns rubbish": ["rubbish" for _ in entries],
            "cache returns another identity": entries[1:] + entries[:1],
        }
        kept.update(zip([*kept], spoilt[fault], strict=True))

    async def _remembered(self, access: Access, fault: str, key: str) -> None:
        """Have two keys remembered, and spoil that."""
        for one in (key, self._place.key):
            await access.authenticate(one)
        await self.spoil(access, fault)

    @contextmanager
    def _pepper(self, *, spoilt: bool) -> Generator[None, None, None]:
        """The secret under which keys are looked up, as it is or with half of it gone."""
        path = self._home / "keys.pepper"
        before = path.read_bytes()
        if spoilt:
            path.write_bytes(before[: len(before) // 2])
        try:
            yield
        finally:
            path.write_bytes(before)


def _user_of(fault: str) -> str:
    return f"{USER}-{fault.replace(' ', '-')}"


def _change(database: Path, sql: str, user: str) -> None:
    with closing(sqlite3.connect(database, timeout=30)) as raw:
        assert raw.execute(sql, (user,)).rowcount >= 1
        raw.commit()


@asynccontextmanager
async def broken(place: Ways) -> AsyncGenerator[Broken, None]:
    """Open a second store over a gateway's database."""
    async with await Store.open(place.runtime.settings.store_url, branches=BRANCHES) as store:
        yield Broken(place, store)
