"""The audit log's witness as the settings name it."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from interlock_core import Principal
from interlock_core.errors import ConfigurationError
from interlock_core.store import Store
from interlock_runtime import Settings
from interlock_runtime._audit_log import open_audit_log
from interlock_runtime.settings import AuditSettings, StoreSettings
from interlock_security import BRANCH, KnownSecretRedactor

USER = Principal(user="u")


async def noted(settings: Settings) -> None:
    """One record in a log with that witness, and a look at it."""
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.store_url, branches=[BRANCH])
        stack.push_async_callback(store.aclose)
        log = open_audit_log(settings, store, KnownSecretRedactor(), stack)
        await log.note("test.note", USER, {})
        await log.checkpoint()
        assert (await log.verify()).ok


@pytest.mark.parametrize(
    ("witness", "made"),
    [("", "audit.witness"), ("elsewhere", "elsewhere"), ("sqlite:///{home}/other.db", "other.db")],
)
async def test_a_witness_is_a_file_or_another_database(tmp_path: Path, witness: str, made: str) -> None:
    """Each is shown the log, and is where the setting says."""
    audit = AuditSettings(witness=witness.format(home=tmp_path))
    await noted(Settings(home=tmp_path, audit=audit))
    assert (tmp_path / made).stat().st_size > 0


async def test_a_store_in_memory_has_no_witness(tmp_path: Path) -> None:
    """It would call the next start a rollback."""
    async with AsyncExitStack() as stack:
        store = await Store.open("sqlite://", branches=[BRANCH])
        stack.push_async_callback(store.aclose)
        settings = Settings(home=tmp_path, store=StoreSettings(url="sqlite://"))
        log = open_audit_log(settings, store, KnownSecretRedactor(), stack)
        await log.note("test.note", USER, {})
        assert (await log.verify()).ok
    assert not (tmp_path / "audit.witness").exists()


@pytest.mark.parametrize(
    ("witness", "said"),
    [("sqlite:///{home}/interlock.db", "own database"), ("http://witness.example/log", "https")],
)
async def test_a_witness_that_could_not_vouch_for_anything_is_refused(
    tmp_path: Path, witness: str, said: str
) -> None:
    """The log's own database, and one that anyone on the way could answer for."""
    settings = Settings(home=tmp_path, audit=AuditSettings(witness=witness.format(home=tmp_path)))
    with pytest.raises(ConfigurationError, match=said):
        await noted(settings)
