"""The same log, grants and keys on PostgreSQL."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from interlock_core.call import CallKind, Outcome, Principal
from interlock_core.errors import AuditUnavailableError, UnauthenticatedError
from interlock_core.store import Store
from interlock_core.testing import make_call, postgres_database
from interlock_core.toolspec import Effect
from interlock_security import (
    BRANCH,
    WITNESS_FILE,
    ApiKeys,
    AuditLog,
    FileWitness,
    KeyRequest,
    PermissionChecker,
    RoleGrants,
)


@pytest.fixture
async def store() -> AsyncGenerator[Store, None]:
    """A store on PostgreSQL with this part's tables."""
    async with postgres_database() as url:
        opened = await Store.open(url, branches=[BRANCH])
        try:
            yield opened
        finally:
            await opened.aclose()


async def test_the_tables_are_those_that_the_migrations_make(store: Store) -> None:
    """Nothing drifted between what is declared and what is there."""
    assert await store.drift() == []


@pytest.mark.promise("A2")
async def test_a_log_on_postgresql_verifies_and_shows_what_was_changed(log: AuditLog, store: Store) -> None:
    """An edit, a deletion and a forged state are found, and the forged state is not continued."""
    for number in range(12):
        call = make_call(
            "x.write", kind=CallKind.TOOL, effect=Effect.WRITE, call_id=f"call_{number}\x00\ud800\U0001f600"
        )
        entry = await log.intent(call)
        if number:
            await log.outcome(entry, Outcome(ok=True))
    report = await log.verify()
    assert (report.ok, report.records, len(report.notices)) == (True, 23, 1)
    assert [record.index for record in await log.tail(3, after=4)] == [5, 6, 7]
    assert len(await log.open_intents()) == 1
    await store.execute("UPDATE audit_records SET payload = replace(payload, 'write', 'read') WHERE idx = 3")
    await store.execute("DELETE FROM audit_records WHERE idx = 7")
    found = [(problem.kind.value, problem.record) for problem in (await log.verify()).problems]
    assert found[:2] == [("edited", 3), ("deleted", 7)]
    await store.execute("UPDATE audit_state SET size = 5")
    with pytest.raises(AuditUnavailableError):
        await log.note("test.note", Principal(user="u"), {})


async def test_keys_and_grants_work_on_postgresql(
    store: Store, log: AuditLog, home: Path, admin: Principal
) -> None:
    """Made, recognised, narrowed by grants, revoked."""
    checker = PermissionChecker()
    grants = RoleGrants(store, checker=checker, changes=log)
    keys = ApiKeys(store, home=home, checker=checker, changes=log, roles_of=grants.roles_of)
    await grants.grant("bob", "readonly", by=admin)
    made = await keys.create(KeyRequest(name="k", user="bob", expires_in_s=60, scopes=("tool:*",)), by=admin)
    assert (await keys.authenticate(made.text.reveal())).roles == {"readonly"}
    await keys.aclose()
    (listed,) = await keys.list(by=admin)
    assert listed.last_used_at is not None
    assert (await keys.ensure_admin_key()).created
    await keys.revoke(made.key.id, by=admin)
    await grants.revoke("bob", "readonly", by=admin)
    with pytest.raises(UnauthenticatedError):
        await keys.authenticate(made.text.reveal())
    assert (await log.verify()).ok
    await keys.aclose()


async def test_a_replica_with_another_key_cannot_write(log: AuditLog, store: Store, tmp_path: Path) -> None:
    """All processes of one log share its key; one that does not is told."""
    await log.note("test.note", Principal(user="u"), {})
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    replica = AuditLog(store, home=other, witness=FileWitness(other / WITNESS_FILE))
    with pytest.raises(AuditUnavailableError, match="another key"):
        await replica.note("test.note", Principal(user="u"), {})
    await replica.aclose()
    assert (await log.verify()).ok
