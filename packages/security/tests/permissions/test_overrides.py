"""Overrides of single users: made, expired, removed, seen by other processes, and never more than is held."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from interlock_core.call import Call, CallKind, Principal
from interlock_core.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, StoreError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.store import Store
from interlock_core.testing import FakeClock, postgres_database
from interlock_core.toolspec import Effect
from interlock_security import (
    BRANCH,
    AuditLog,
    OverrideRequest,
    Overrides,
    PermissionChecker,
    PermissionGuard,
    RoleBook,
)

OWN: dict[str, Json] = {
    "keeper": {"allow": ["manage:roles", "tool:github.*"]},
    "bounded": {"inherits": ["keeper"], "deny": ["effect:destructive"]},
}
ALICE = Principal(user="alice", roles=frozenset({"readonly"}))


@pytest.fixture
def checker(clock: FakeClock) -> PermissionChecker:
    """Built-in and own roles."""
    return PermissionChecker(RoleBook(OWN), clock=clock)


@pytest.fixture
def overrides(store: Store, log: AuditLog, checker: PermissionChecker, clock: FakeClock) -> Overrides:
    """The overrides of the store."""
    return Overrides(store, checker=checker, changes=log, clock=clock)


def write(name: str = "github.put", user: Principal = ALICE) -> Call:
    """A call that changes something."""
    return Call(id="c", kind=CallKind.TOOL, name=name, principal=user, effect=Effect.WRITE)


@pytest.mark.promise("A5")
async def test_an_override_opens_one_tool_for_one_user_until_its_end(
    overrides: Overrides, checker: PermissionChecker, clock: FakeClock, admin: Principal, log: AuditLog
) -> None:
    """At once here, also where a verdict was remembered; it is recorded with its reason."""
    assert not checker.may(write()).allowed
    request = OverrideRequest(
        user="alice", kind="allow", rule="github.put", reason="on call", until=clock.now() + 60
    )
    made = await overrides.add(request, by=admin)
    verdict = checker.may(write())
    assert (verdict.allowed, verdict.rule) == (True, f"override:{made.id}")
    assert not checker.may(write("github.other")).allowed
    assert not checker.may(write(user=Principal(user="bob", roles=frozenset({"readonly"})))).allowed
    clock.advance(60)
    assert not checker.may(write()).allowed
    (listed,) = await overrides.list("alice")
    assert (listed.reason, listed.created_by, listed.until) == ("on call", admin.user, request.until)
    records = [record for record in await log.tail(5) if record.kind == "intent"]
    assert [record.data.get("name") for record in records] == ["roles.override"]


@pytest.mark.promise("A5")
async def test_a_denial_for_one_user_wins_over_admin_until_it_is_removed(
    overrides: Overrides, checker: PermissionChecker, admin: Principal
) -> None:
    """With conditions, as a table; whoever was denied cannot hand the right on."""
    eve = Principal(user="eve", roles=frozenset({"admin"}))
    rule: Json = {"effects": ["write"], "taint_free": True}
    made = await overrides.add(OverrideRequest(user="eve", kind="deny", rule=rule, reason="leaves"), by=admin)
    assert not checker.may(write(user=eve)).allowed
    assert not checker.may_hand_on(eve, ["admin"]).allowed
    assert checker.may_hand_on(admin, ["admin"]).allowed
    with pytest.raises(PermissionDeniedError):
        await overrides.remove(made.id, by=eve)
    await overrides.remove(made.id, by=admin)
    assert checker.may(write(user=eve)).allowed
    with pytest.raises(NotFoundError):
        await overrides.remove(made.id, by=admin)


async def test_another_process_sees_a_change_when_its_guard_looks(
    store: Store, overrides: Overrides, log: AuditLog, clock: FakeClock, admin: Principal
) -> None:
    """Within the age that is stated; before it, what was read is good enough."""
    other = PermissionChecker(RoleBook(OWN), clock=clock)
    elsewhere = Overrides(store, checker=other, changes=log, clock=clock)
    guard = PermissionGuard(other, refresh=elsewhere.refresh)
    call = write(user=Principal(user="carol", roles=frozenset({"developer"})))
    async with guard.around(call):
        pass
    request = OverrideRequest(user="carol", kind="deny", rule="tool:*", reason="gone")
    await overrides.add(request, by=admin)
    clock.advance(1)
    with pytest.raises(PermissionDeniedError, match="override"):
        async with guard.around(call):
            raise AssertionError("it was made")


@pytest.mark.promise("A5")
async def test_nobody_gives_more_by_an_override_than_they_hold(overrides: Overrides) -> None:
    """Who may administer roles gives rights held without bounds, and may deny anybody."""
    keeper = Principal(user="kim", roles=frozenset({"keeper"}))
    bounded = Principal(user="bo", roles=frozenset({"bounded"}))
    for by, kind, rule, fine in (
        (keeper, "allow", "github.put", True),
        (keeper, "allow", "mail.send", False),
        (keeper, "allow", "effect:write", False),
        (keeper, "deny", "mail.send", True),
        (bounded, "allow", "github.put", False),
        (ALICE, "deny", "github.put", False),
    ):
        request = OverrideRequest(user="x", kind=kind, rule=rule, reason="r")
        if fine:
            await overrides.add(request, by=by)
        else:
            with pytest.raises(PermissionDeniedError):
                await overrides.add(request, by=by)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"user": " "}, "user"),
        ({"kind": "maybe"}, "verdict"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"rule": "manage:keys"}, "rule"),
        ({"rule": "speed:fast"}, "rule"),
        ({"rule": {"tools": ["*"], "colour": "red"}}, "rule.colour"),
        ({"until": 5.0}, "until"),
        ({"until": 1.7e16}, "until"),
        ({"until": float("nan")}, "until"),
    ],
)
async def test_a_wrong_override_is_refused_by_its_field(
    overrides: Overrides, admin: Principal, given: dict[str, Json], field: str
) -> None:
    """Before anything is kept."""
    whole: dict[str, Json] = {"user": "x", "kind": "deny", "rule": "tool:*", "reason": "r", **given}
    until = whole.get("until")
    request = OverrideRequest(
        user=str(whole["user"]),
        kind=str(whole["kind"]),
        rule=whole["rule"],
        reason=str(whole["reason"]),
        until=until if isinstance(until, float) else None,
    )
    with pytest.raises(InvalidRequestError) as caught:
        await overrides.add(request, by=admin)
    assert caught.value.field == field
    assert await overrides.list() == ()


async def test_an_override_that_cannot_be_understood_stops_every_call(
    overrides: Overrides, store: Store, admin: Principal, clock: FakeClock
) -> None:
    """It may be a denial."""
    await overrides.add(OverrideRequest(user="x", kind="deny", rule="tool:*", reason="r"), by=admin)
    await store.execute("UPDATE roles_overrides SET rule = '\"nonsense\"'")
    clock.advance(1)
    with pytest.raises(StoreError, match="cannot be understood"):
        await overrides.refresh()


@pytest.mark.promise("A5")
async def test_overrides_are_kept_on_postgresql_too(admin: Principal, clock: FakeClock) -> None:
    """The same statements."""
    async with postgres_database() as url, await Store.open(url, branches=[BRANCH]) as store:
        checker = PermissionChecker(clock=clock)
        overrides = Overrides(store, checker=checker, changes=Unkept(), clock=clock)
        request = OverrideRequest(
            user="alice", kind="allow", rule="github.put", reason="r", until=clock.now() + 60.5
        )
        made = await overrides.add(request, by=admin)
        assert await overrides.list() == (made,)
        assert checker.may(write()).allowed
        await overrides.remove(made.id, by=admin)
        assert await overrides.list() == ()


class Unkept:
    """A log that keeps nothing."""

    @asynccontextmanager
    async def change(self, name: str, by: Principal, data: JsonObject) -> AsyncGenerator[None, None]:
        """Let it be changed."""
        assert name
        assert by.user
        assert data
        yield
