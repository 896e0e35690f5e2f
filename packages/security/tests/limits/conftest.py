"""Every kind of backend, each with a clock of the test's own."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from interlock_core.store import Store
from interlock_core.testing import FakeClock, postgres_database, valkey_url
from interlock_security import BRANCH
from interlock_security.limits import LimitBackend, MemoryBackend, StoreBackend, ValkeyBackend

KINDS = ("memory", "sqlite", "postgresql", "valkey")


@asynccontextmanager
async def opened_backend(kind: str, folder: Path, clock: FakeClock) -> AsyncGenerator[LimitBackend, None]:
    """A backend of a kind, closed at the end."""
    if kind == "memory":
        yield MemoryBackend(clock)
    elif kind == "valkey":
        async with valkey_url() as url:
            valkey = ValkeyBackend(url, clock=clock)
            yield valkey
            await valkey.aclose()
    elif kind == "postgresql":
        async with postgres_database() as url, await Store.open(url, branches=[BRANCH]) as store:
            backend = StoreBackend(store, clock=clock)
            yield backend
            await backend.aclose()
    else:
        async with await Store.open(f"sqlite:///{folder / 'limits.db'}", branches=[BRANCH]) as store:
            backend = StoreBackend(store, clock=clock)
            yield backend
            await backend.aclose()


@pytest.fixture
def open_backend() -> Callable[[str, Path, FakeClock], AbstractAsyncContextManager[LimitBackend]]:
    """Opens a backend of a kind."""
    return opened_backend


@pytest.fixture(params=KINDS)
async def backend(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> AsyncGenerator[LimitBackend, None]:
    """A backend of every kind."""
    async with opened_backend(str(request.param), tmp_path, clock) as opened:
        yield opened
