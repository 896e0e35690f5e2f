"""What the tests of the vault share."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from interlock_core.clock import Clock
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import AuditLog, KnownSecretRedactor
from interlock_security.vault import FileHolder, KeyHolder, Vault

OpenVault = Callable[..., Vault]


@pytest.fixture
def redactor() -> KnownSecretRedactor:
    """Hides what the vault tells it."""
    return KnownSecretRedactor()


@pytest.fixture
def new_vault(store: Store, log: AuditLog, home: Path, redactor: KnownSecretRedactor) -> OpenVault:
    """Makes a vault of the store as a fresh process would: nothing is known to it."""

    def make(
        *, holder: KeyHolder | None = None, clock: Clock | None = None, tenant: str = "default"
    ) -> Vault:
        return Vault(
            store,
            holder=holder or FileHolder(home),
            changes=log,
            learn=redactor.learn,
            clock=clock,
            tenant=tenant,
        )

    return make


@pytest.fixture
async def vault(new_vault: OpenVault, clock: FakeClock) -> AsyncGenerator[Vault, None]:
    """A vault."""
    made = new_vault(clock=clock)
    yield made
    await made.aclose()
