"""API keys, and attacks on them."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from interlock_core.call import Principal
from interlock_core.errors import (
    AuditUnavailableError,
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    UnauthenticatedError,
)
from interlock_core.money import Money
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import (
    ApiKeys,
    AuditLog,
    KeyBudgets,
    KeyRequest,
    KeyRules,
    PermissionChecker,
    RoleGrants,
    admin_key_text,
)


@pytest.mark.promise("A9")
async def test_a_key_is_shown_once_and_recognised(keys: ApiKeys, admin: Principal) -> None:
    """Its text is in what making it returns, and nowhere else."""
    made = await keys.create(KeyRequest(name="laptop", user="bob", team="blue", role="readonly"), by=admin)
    text = made.text.reveal()
    assert made.as_json()["key"] == text
    assert text.startswith("ilk_")
    assert len(text) == 47
    assert text not in repr(made)
    principal = await keys.authenticate(text)
    assert principal == Principal(
        user="bob", roles=frozenset({"readonly"}), key_id=made.key.id, team="blue", scopes=frozenset()
    )
    (listed,) = await keys.list(by=admin)
    assert replace(listed, last_used_at=None) == made.key
    assert text not in str(listed.as_json())
    await keys.aclose()


@pytest.mark.promise("A9")
async def test_neither_the_store_nor_the_log_holds_a_key(
    keys: ApiKeys, admin: Principal, store: Store, home: Path, log: AuditLog
) -> None:
    """Only an HMAC under a secret that is not in the database."""
    made = await keys.create(KeyRequest(name="laptop"), by=admin)
    await keys.authenticate(made.text.reveal())
    await keys.aclose()
    await log.aclose()
    files = {path.name: path.read_bytes() for path in folder(home)}
    assert all(made.text.reveal().encode() not in content for content in files.values())
    assert "keys.pepper" in files
    row = await store.fetch_one("SELECT lookup FROM keys_api")
    assert row is not None
    assert isinstance(row[0], bytes)
    assert len(row[0]) == 32


def folder(path: Path) -> list[Path]:
    """The files in a folder."""
    return [item for item in path.iterdir() if item.is_file()]


@pytest.mark.promise("A9")
async def test_what_is_no_key_lets_nobody_in(keys: ApiKeys, admin: Principal) -> None:
    """Absent, empty, parts of a key, SQL, very long, another case, a key's id."""
    made = await keys.create(KeyRequest(name="laptop"), by=admin)
    text = made.text.reveal()
    guesses: list[str | None] = [
        *(
            None,
            "",
            " ",
            "null",
            "ilk_",
            text[:-1],
            text[:20],
            f"{text}x",
            f" {text}",
            f"{text}\n",
            text.swapcase(),
        ),
        *(
            text[:4] + text[5:] + text[4],
            text.removeprefix("ilk_"),
            made.key.id,
            made.key.hint,
            f"Bearer {text}",
        ),
        *(
            "ilk_' OR '1'='1",
            "ilk_" + "%" * 43,
            "ilk_" + "_" * 43,
            "ilk_" + "é" * 43,
            "x" * 1_000_000,
            "ilk_\x00",
        ),
        *(f"ilk_{'A' * number}" for number in range(40, 47)),
    ]
    for guess in guesses:
        with pytest.raises(UnauthenticatedError) as caught:
            await keys.authenticate(guess)
        assert (caught.value.status, caught.value.message) == (401, "There is no such API key.")
        assert text not in str(caught.value)


@pytest.mark.promise("A9")
async def test_keys_that_resemble_each_other_are_different_keys(keys: ApiKeys, admin: Principal) -> None:
    """No part of a key stands for the whole: each is recognised as itself, also from memory."""
    made = [
        await keys.create(KeyRequest(name=f"k{number}", user=f"u{number}"), by=admin) for number in range(20)
    ]
    for _ in range(2):
        for number, key in enumerate(made):
            assert (await keys.authenticate(key.text.reveal())).user == f"u{number}"
    first, second = made[0].text.reveal(), made[1].text.reveal()
    for mixed in (first[:25] + second[25:], second[:40] + first[40:]):
        with pytest.raises(UnauthenticatedError):
            await keys.authenticate(mixed)
    await keys.aclose()


@pytest.mark.promise("A9")
async def test_a_revoked_key_is_refused_at_once(keys: ApiKeys, admin: Principal, log: AuditLog) -> None:
    """Also when it was recognised a moment ago; and it is recorded."""
    made = await keys.create(KeyRequest(name="laptop"), by=admin)
    await keys.authenticate(made.text.reveal())
    revoked = await keys.revoke(made.key.id, by=admin)
    assert revoked.revoked_at == 1_800_000_000.0
    with pytest.raises(UnauthenticatedError, match="revoked"):
        await keys.authenticate(made.text.reveal())
    await keys.aclose()
    names = [record.data.get("name") for record in await log.tail(10) if record.kind == "intent"]
    assert names == ["keys.create", "keys.revoke"]


@pytest.mark.promise("A9")
async def test_a_key_revoked_elsewhere_is_refused_within_a_second(
    keys: ApiKeys, admin: Principal, store: Store, clock: FakeClock
) -> None:
    """Another process only changed the row."""
    made = await keys.create(KeyRequest(name="laptop"), by=admin)
    await keys.authenticate(made.text.reveal())
    await store.execute("UPDATE keys_api SET revoked_at = 1")
    assert (await keys.authenticate(made.text.reveal())).key_id == made.key.id
    clock.advance(1.0)
    with pytest.raises(UnauthenticatedError):
        await keys.authenticate(made.text.reveal())
    await keys.aclose()


@pytest.mark.promise("A9")
async def test_a_key_looked_up_while_it_is_revoked_is_not_remembered(keys: ApiKeys, admin: Principal) -> None:
    """Whichever of the two comes first, afterwards it is refused."""
    for _ in range(5):
        made = await keys.create(KeyRequest(name="laptop"), by=admin)
        await asyncio.gather(
            *(keys.authenticate(made.text.reveal()) for _ in range(4)),
            keys.revoke(made.key.id, by=admin),
            *(keys.authenticate(made.text.reveal()) for _ in range(4)),
            return_exceptions=True,
        )
        with pytest.raises(UnauthenticatedError):
            await keys.authenticate(made.text.reveal())
    await keys.aclose()


@pytest.mark.promise("A9")
async def test_a_key_expires_to_the_second(keys: ApiKeys, admin: Principal, clock: FakeClock) -> None:
    """Also from memory."""
    made = await keys.create(KeyRequest(name="laptop", expires_in_s=10.5), by=admin)
    await keys.authenticate(made.text.reveal())
    clock.advance(10.0)
    await keys.authenticate(made.text.reveal())
    clock.advance(0.5)
    with pytest.raises(UnauthenticatedError, match="expired"):
        await keys.authenticate(made.text.reveal())
    await keys.aclose()


async def test_the_last_use_is_noted_to_the_minute(keys: ApiKeys, admin: Principal, clock: FakeClock) -> None:
    """Not at every request."""
    made = await keys.create(KeyRequest(name="laptop"), by=admin)
    for seconds, noted in ((0.0, 0.0), (30.0, 0.0), (31.0, 61.0)):
        clock.advance(seconds)
        await keys.authenticate(made.text.reveal())
        await keys.aclose()
        (key,) = await keys.list(by=admin)
        assert key.last_used_at == 1_800_000_000.0 + noted


async def test_a_last_use_that_cannot_be_noted_lets_the_request_pass(
    keys: ApiKeys, admin: Principal, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a convenience."""
    made = await keys.create(KeyRequest(name="laptop"), by=admin)
    await store.execute(
        "CREATE TRIGGER no_use BEFORE UPDATE ON keys_api BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    assert (await keys.authenticate(made.text.reveal())).key_id == made.key.id
    await keys.aclose()
    assert "was not noted" in caplog.text


async def test_a_key_without_a_role_has_those_of_its_user(
    keys: ApiKeys, grants: RoleGrants, admin: Principal
) -> None:
    """As they are today; while the user holds none, the fallback."""
    made = await keys.create(KeyRequest(name="laptop", user="bob"), by=admin)
    assert (await keys.authenticate(made.text.reveal())).roles == {"developer"}
    await grants.grant("bob", "readonly", by=admin)
    keys.forget()
    assert (await keys.authenticate(made.text.reveal())).roles == {"readonly"}
    await keys.aclose()


async def test_without_a_fallback_a_key_without_a_role_has_no_right(
    store: Store, home: Path, checker: PermissionChecker, log: AuditLog, grants: RoleGrants, admin: Principal
) -> None:
    """For who wants default deny to the letter."""
    strict = ApiKeys(
        store,
        home=home,
        checker=checker,
        changes=log,
        roles_of=grants.roles_of,
        rules=KeyRules(fallback_role=None),
    )
    made = await strict.create(KeyRequest(name="laptop"), by=admin)
    assert (await strict.authenticate(made.text.reveal())).roles == frozenset()
    await strict.aclose()


@pytest.mark.promise("A9")
@pytest.mark.parametrize(
    ("maker", "request_", "error"),
    [
        (Principal(user="bob", roles=frozenset({"developer"})), KeyRequest(name="k", role="admin"), "rights"),
        (
            Principal(user="bob", roles=frozenset({"developer"})),
            KeyRequest(name="k", user="admin"),
            "administer keys",
        ),
        (
            Principal(user="bob", roles=frozenset({"developer"})),
            KeyRequest(name="k", team="red"),
            "administer keys",
        ),
        (
            Principal(user="bob", roles=frozenset({"readonly"})),
            KeyRequest(name="k", role="readonly"),
            "keys.own",
        ),
        (
            Principal(user="bob", roles=frozenset({"no-delete"})),
            KeyRequest(name="k", role="developer"),
            "denied",
        ),
        (Principal(user="bob"), KeyRequest(name="k"), "no role"),
        (
            Principal(
                user="bob", roles=frozenset({"developer"}), scopes=frozenset({"manage:keys.own", "tool:a.*"})
            ),
            KeyRequest(name="k", role="developer"),
            "scopes",
        ),
        (
            Principal(
                user="bob", roles=frozenset({"developer"}), scopes=frozenset({"manage:keys.own", "tool:a.*"})
            ),
            KeyRequest(name="k", role="developer", scopes=("tool:*",)),
            "scopes",
        ),
        (
            Principal(user="bob", roles=frozenset({"developer"}), scopes=frozenset({"tool:*"})),
            KeyRequest(name="k", role="developer", scopes=("tool:a",)),
            "scopes",
        ),
    ],
)
async def test_nobody_makes_a_key_with_more_rights_than_their_own(
    keys: ApiKeys, admin: Principal, maker: Principal, request_: KeyRequest, error: str
) -> None:
    """A higher role, another user, another team, around a denial, wider scopes."""
    with pytest.raises(PermissionDeniedError, match=error):
        await keys.create(request_, by=maker)
    assert await keys.list(by=admin) == ()


@pytest.mark.promise("A9")
async def test_a_key_made_with_a_key_does_not_outlive_it(
    keys: ApiKeys, admin: Principal, clock: FakeClock
) -> None:
    """Else an expiring key could be made to last."""
    made = await keys.create(
        KeyRequest(name="short", user="bob", role="developer", expires_in_s=60), by=admin
    )
    bob = await keys.authenticate(made.text.reveal())
    clock.advance(30)
    for seconds in (None, 31.0):
        with pytest.raises(PermissionDeniedError, match="outlive"):
            await keys.create(KeyRequest(name="long", role="developer", expires_in_s=seconds), by=bob)
    child = await keys.create(KeyRequest(name="child", role="readonly", expires_in_s=30), by=bob)
    assert (child.key.user, child.key.created_by, child.key.expires_at) == ("bob", "bob", 1_800_000_060.0)
    await keys.aclose()


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (KeyRequest(name=""), "name"),
        (KeyRequest(name="x" * 201), "name"),
        (KeyRequest(name="a\nb"), "name"),
        (KeyRequest(name="k", user=" "), "user"),
        (KeyRequest(name="k", team=""), "team"),
        (KeyRequest(name="k", scopes=("all",)), "scopes"),
        (KeyRequest(name="k", expires_in_s=0), "expires"),
        (KeyRequest(name="k", expires_in_s=-1), "expires"),
        (KeyRequest(name="k", expires_in_s=float("nan")), "expires"),
        (KeyRequest(name="k", expires_in_s=float("inf")), "expires"),
        (KeyRequest(name="k", budget_day=Money(-1)), "budget_usd_day"),
        (KeyRequest(name="k", budget_month=Money(0)), "budget_usd_month"),
    ],
)
async def test_a_request_that_cannot_be_kept_is_refused(
    keys: ApiKeys, admin: Principal, request_: KeyRequest, field: str
) -> None:
    """A budget of nothing too: who wants no spending revokes the key."""
    with pytest.raises(InvalidRequestError) as caught:
        await keys.create(request_, by=admin)
    assert caught.value.field == field
    assert await keys.list(by=admin) == ()


@pytest.mark.promise("A9")
async def test_a_key_keeps_its_budgets(keys: ApiKeys, admin: Principal) -> None:
    """Exactly, with the key, for the ledger to hold."""
    asked = KeyRequest(name="k", role="developer", budget_day=Money(1_234_567), budget_month=Money(9_000_001))
    made = await keys.create(asked, by=admin)
    assert made.key.budgets == KeyBudgets(day=Money(1_234_567), month=Money(9_000_001))
    assert (made.as_json()["budget_usd_day"], made.as_json()["budget_usd_month"]) == (1.234567, 9.000001)
    bare = await keys.create(KeyRequest(name="bare"), by=admin)
    assert await keys.list(by=admin) == (made.key, bare.key)
    assert bare.key.budgets == KeyBudgets()


@pytest.mark.promise("A9")
async def test_a_key_with_a_budget_makes_no_keys(keys: ApiKeys, admin: Principal) -> None:
    """Each of them could spend as much again, or without end."""
    made = await keys.create(KeyRequest(name="k", role="admin", budget_day=Money(1_000_000)), by=admin)
    holder = await keys.authenticate(made.text.reveal())
    for asked in (KeyRequest(name="free"), KeyRequest(name="same", budget_day=Money(1_000_000))):
        with pytest.raises(PermissionDeniedError, match="with a budget"):
            await keys.create(asked, by=holder)
    await keys.aclose()


async def test_an_unknown_role_is_named(keys: ApiKeys, admin: Principal) -> None:
    """With the nearest one."""
    with pytest.raises(ConfigurationError, match="Did you mean readonly"):
        await keys.create(KeyRequest(name="k", role="readonli"), by=admin)


@pytest.mark.promise("A9")
async def test_users_see_and_revoke_their_own_keys_only(keys: ApiKeys, admin: Principal) -> None:
    """What is not theirs does not exist for them."""
    bob = Principal(user="bob", roles=frozenset({"developer"}))
    theirs = await keys.create(KeyRequest(name="theirs", user="bob", role="readonly"), by=admin)
    other = await keys.create(KeyRequest(name="other", user="eve"), by=admin)
    assert [key.name for key in await keys.list(by=bob)] == ["theirs"]
    for key_id in (other.key.id, "key_nothing"):
        with pytest.raises(NotFoundError) as caught:
            await keys.revoke(key_id, by=bob)
        assert caught.value.message == f"There is no key with the id {key_id!r} that you may revoke."
    with pytest.raises(NotFoundError) as caught:
        await keys.revoke(theirs.text.reveal(), by=bob)
    assert caught.value.message == "There is no key of that id that you may revoke."
    with pytest.raises(NotFoundError):
        await keys.revoke(theirs.key.id, by=Principal(user="bob", roles=frozenset({"readonly"})))
    assert (await keys.revoke(theirs.key.id, by=bob)).revoked_at is not None


@pytest.mark.promise("A3")
async def test_no_record_no_key(keys: ApiKeys, admin: Principal, store: Store) -> None:
    """A key that cannot be recorded is not made, and one that is there is not revoked."""
    made = await keys.create(KeyRequest(name="before"), by=admin)
    await store.execute("DELETE FROM audit_state")
    with pytest.raises(AuditUnavailableError):
        await keys.create(KeyRequest(name="k"), by=admin)
    with pytest.raises(AuditUnavailableError):
        await keys.revoke(made.key.id, by=admin)
    assert [(key.name, key.revoked_at) for key in await keys.list(by=admin)] == [("before", None)]


@pytest.mark.promise("A9")
async def test_a_store_that_fails_lets_nobody_in(keys: ApiKeys, admin: Principal, store: Store) -> None:
    """There is no identity to fall back to."""
    made = await keys.create(KeyRequest(name="k"), by=admin)
    await store.execute("ALTER TABLE keys_api RENAME TO keys_gone")
    with pytest.raises(StoreError):
        await keys.authenticate(made.text.reveal())


@pytest.mark.promise("A9")
async def test_the_first_start_makes_one_admin_key(keys: ApiKeys, admin: Principal, home: Path) -> None:
    """In a file for its owner alone; later starts leave it, also when it was taken away or revoked."""
    first = await keys.ensure_admin_key()
    text = admin_key_text(home)
    assert text is not None
    assert (first.path, first.created) == (home / "admin.key", True)
    assert (home / "admin.key").stat().st_mode & 0o777 == 0o600
    principal = await keys.authenticate(text.reveal())
    assert (principal.user, principal.roles) == ("admin", {"admin"})
    (home / "admin.key").unlink()
    assert (await keys.ensure_admin_key()).created is False
    assert admin_key_text(home) is None
    await keys.revoke("key_admin", by=admin)
    assert (await keys.ensure_admin_key()).created is False
    with pytest.raises(UnauthenticatedError):
        await keys.authenticate(text.reveal())
    await keys.aclose()


async def test_several_first_starts_at_once_share_one_admin_key(
    store: Store, home: Path, checker: PermissionChecker, log: AuditLog, grants: RoleGrants
) -> None:
    """Workers start together."""
    several = [
        ApiKeys(store, home=home, checker=checker, changes=log, roles_of=grants.roles_of) for _ in range(4)
    ]
    await asyncio.gather(*(keys.ensure_admin_key() for keys in several))
    text = admin_key_text(home)
    assert text is not None
    for keys in several:
        assert (await keys.authenticate(text.reveal())).key_id == "key_admin"
        await keys.aclose()


async def test_an_admin_key_survives_a_fresh_database(keys: ApiKeys, home: Path) -> None:
    """The file is there already: it goes on working."""
    text = "ilk_" + "Ab0-_" * 8 + "xyz"
    (home / "admin.key").write_text(f"{text}\n")
    (home / "admin.key").chmod(0o600)
    assert (await keys.ensure_admin_key()).created
    assert (await keys.authenticate(text)).roles == {"admin"}
    await keys.aclose()


@pytest.mark.parametrize("name", ["admin.key", "keys.pepper"])
async def test_a_file_that_holds_something_else_is_a_clear_error(
    keys: ApiKeys, home: Path, name: str
) -> None:
    """It is not overwritten."""
    (home / name).write_text("something else")
    (home / name).chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        await keys.ensure_admin_key()
    assert caught.value.field == str(home / name)
    assert (home / name).read_text() == "something else"


async def test_without_the_pepper_no_key_is_known(
    store: Store, home: Path, checker: PermissionChecker, log: AuditLog, grants: RoleGrants, admin: Principal
) -> None:
    """A copy of the database alone opens nothing."""

    def keys() -> ApiKeys:
        return ApiKeys(store, home=home, checker=checker, changes=log, roles_of=grants.roles_of)

    made = await keys().create(KeyRequest(name="k"), by=admin)
    (home / "keys.pepper").unlink()
    with pytest.raises(UnauthenticatedError):
        await keys().authenticate(made.text.reveal())
