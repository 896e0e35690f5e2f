"""What the tests of keys share: roles, grants, and all keys over a real store."""

from pathlib import Path

import pytest

from interlock_core.jsontypes import Json
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import ApiKeys, AuditLog, PermissionChecker, RoleBook, RoleGrants

OWN: dict[str, Json] = {"no-delete": {"inherits": ["developer"], "deny": ["tool:*.delete"]}}


@pytest.fixture
def checker() -> PermissionChecker:
    """Built-in roles and one with a denial."""
    return PermissionChecker(RoleBook(OWN))


@pytest.fixture
def grants(store: Store, log: AuditLog, checker: PermissionChecker) -> RoleGrants:
    """Roles of users."""
    return RoleGrants(store, checker=checker, changes=log)


@pytest.fixture
def keys(
    store: Store, home: Path, log: AuditLog, checker: PermissionChecker, grants: RoleGrants, clock: FakeClock
) -> ApiKeys:
    """All keys."""
    return ApiKeys(store, home=home, checker=checker, changes=log, roles_of=grants.roles_of, clock=clock)
