"""What the tests of this part share: a real store in a folder of its own, and a log in it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from interlock_core.call import Principal
from interlock_core.store import Store
from interlock_core.testing import FakeClock, postgres_database
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, FileWitness

ROOT = Principal(user="local:root", roles=frozenset({"admin"}))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def database(home: Path) -> Path:
    """Where the store's file is."""
    return home / "interlock.db"


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, database: Path) -> AsyncGenerator[str, None]:
    """The URL of an empty database, once for each kind that several processes can share."""
    if request.param == "sqlite":
        yield f"sqlite:///{database}"
    else:
        async with postgres_database() as made:
            yield made


@pytest.fixture
async def ready(url: str) -> str:
    """The URL of a database with this part's tables: processes that open it need not load what makes them."""
    await (await Store.open(url, branches=[BRANCH])).aclose()
    return url


@pytest.fixture
def admin() -> Principal:
    """Who may do everything."""
    return ROOT


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


@pytest.fixture
async def store(database: Path) -> AsyncGenerator[Store, None]:
    """A store on SQLite with this part's tables."""
    opened = await Store.open(f"sqlite:///{database}", branches=[BRANCH])
    try:
        yield opened
    finally:
        await opened.aclose()


@pytest.fixture
async def log(store: Store, home: Path, clock: FakeClock) -> AsyncGenerator[AuditLog, None]:
    """A log in the store, with its witness beside it."""
    opened = AuditLog(
        store, home=home, witness=FileWitness(home / WITNESS_FILE), clock=clock, witness_interval_s=0.0
    )
    try:
        yield opened
    finally:
        await opened.aclose()
