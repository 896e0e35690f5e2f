"""Roles of users, from configuration and from the store."""

import pytest

from interlock_core.call import Principal
from interlock_core.errors import (
    AuditUnavailableError,
    ConfigurationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)
from interlock_core.jsontypes import Json
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import AuditLog, PermissionChecker, RoleBook, RoleGrants

OWN: dict[str, Json] = {
    "role-admin": {"allow": ["manage:roles", "tool:*", "model:*"]},
    "limited": {"allow": ["tool:*"], "deny": ["tool:x"]},
}


@pytest.fixture
def checker() -> PermissionChecker:
    """Built-in and own roles."""
    return PermissionChecker(RoleBook(OWN))


@pytest.fixture
def grants(store: Store, log: AuditLog, checker: PermissionChecker, clock: FakeClock) -> RoleGrants:
    """Grants beside one that configuration declares."""
    return RoleGrants(store, checker=checker, changes=log, configured={"carol": ["readonly"]}, clock=clock)


@pytest.mark.promise("A5")
async def test_a_granted_role_is_held_listed_and_revoked(
    grants: RoleGrants, admin: Principal, log: AuditLog
) -> None:
    """Each change is recorded; doing it twice changes nothing."""
    await grants.grant("bob", "developer", by=admin)
    await grants.grant("bob", "developer", by=admin)
    assert await grants.roles_of("bob") == {"developer"}
    assert [grant.as_json() for grant in await grants.list()] == [
        {
            "user": "bob",
            "role": "developer",
            "origin": "store",
            "granted_by": "local:root",
            "at": 1_800_000_000.0,
        },
        {"user": "carol", "role": "readonly", "origin": "configuration", "granted_by": "", "at": None},
    ]
    await grants.revoke("bob", "developer", by=admin)
    assert await grants.roles_of("bob") == frozenset()
    assert [grant.user for grant in await grants.list("carol")] == ["carol"]
    names = [record.data.get("name") for record in await log.tail(10) if record.kind == "intent"]
    assert names == ["roles.grant", "roles.grant", "roles.revoke"]


async def test_configured_and_granted_roles_add_up(grants: RoleGrants, admin: Principal) -> None:
    """And what configuration declares is read-only here."""
    await grants.grant("carol", "developer", by=admin)
    assert await grants.roles_of("carol") == {"readonly", "developer"}
    with pytest.raises(ConflictError, match="configuration file"):
        await grants.grant("carol", "readonly", by=admin)
    with pytest.raises(ConflictError):
        await grants.revoke("carol", "readonly", by=admin)


@pytest.mark.promise("A5")
@pytest.mark.parametrize(
    ("roles", "role"),
    [
        (("developer",), "readonly"),
        (("role-admin",), "admin"),
        (("role-admin", "limited"), "role-admin"),
        ((), "agent"),
    ],
)
async def test_nobody_grants_what_they_do_not_have(
    grants: RoleGrants, log: AuditLog, roles: tuple[str, ...], role: str
) -> None:
    """Nor without the right to administer roles, nor around a denial of their own."""
    by = Principal(user="mallory", roles=frozenset(roles))
    with pytest.raises(PermissionDeniedError):
        await grants.grant("mallory", role, by=by)
    with pytest.raises(PermissionDeniedError):
        await grants.revoke("bob", role, by=by)
    assert await grants.roles_of("mallory") == frozenset()
    assert await log.tail(1) == ()


async def test_an_administrator_of_roles_grants_within_their_rights(grants: RoleGrants) -> None:
    """Rights that are covered may be handed on."""
    by = Principal(user="dave", roles=frozenset({"role-admin"}))
    await grants.grant("erin", "limited", by=by)
    assert await grants.roles_of("erin") == {"limited"}


@pytest.mark.parametrize("user", ["", " ", "a\nb", "x" * 201, "\x00"])
async def test_a_user_needs_a_name(grants: RoleGrants, admin: Principal, user: str) -> None:
    """Printable, and not too long."""
    with pytest.raises(InvalidRequestError):
        await grants.grant(user, "developer", by=admin)


async def test_what_is_not_there_is_said(grants: RoleGrants, admin: Principal) -> None:
    """No such role, no such grant."""
    with pytest.raises(ConfigurationError, match="Did you mean developer"):
        await grants.grant("bob", "develper", by=admin)
    with pytest.raises(NotFoundError):
        await grants.revoke("bob", "developer", by=admin)


async def test_a_role_that_configuration_no_longer_has_can_be_revoked(
    store: Store, log: AuditLog, grants: RoleGrants, admin: Principal
) -> None:
    """It gives nothing any more, and it can be cleaned up."""
    await grants.grant("bob", "limited", by=admin)
    later = RoleGrants(store, checker=PermissionChecker(), changes=log)
    assert await later.roles_of("bob") == {"limited"}
    await later.revoke("bob", "limited", by=admin)
    assert await later.roles_of("bob") == frozenset()


@pytest.mark.promise("A3")
async def test_no_record_no_grant(grants: RoleGrants, admin: Principal, log: AuditLog, store: Store) -> None:
    """A change that cannot be recorded is not made."""
    async with store.transaction() as transaction:
        await transaction.execute("DELETE FROM audit_state")
    with pytest.raises(AuditUnavailableError):
        await grants.grant("bob", "developer", by=admin)
    assert await grants.roles_of("bob") == frozenset()


def test_a_configured_role_that_does_not_exist_is_a_start_up_error(
    store: Store, log: AuditLog, checker: PermissionChecker
) -> None:
    """It names the user."""
    with pytest.raises(ConfigurationError) as caught:
        RoleGrants(store, checker=checker, changes=log, configured={"bob": ["develper"]})
    assert caught.value.field == "users.bob.roles"
