"""Users, teams and organisations."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from interlock_core.call import Principal
from interlock_core.errors import (
    AuditUnavailableError,
    ConfigurationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from interlock_core.jsontypes import Json
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import (
    BRANCH,
    ApiKeys,
    AuditLog,
    DeclaredTeam,
    DeclaredUser,
    KeyRequest,
    People,
    PermissionChecker,
    RoleBook,
    RoleGrants,
    Standing,
)

LOOKER = Principal(user="lou", roles=frozenset({"looker"}))
OWN: dict[str, Json] = {"looker": {"allow": ["manage:users.read", "manage:teams.read"]}}


@dataclass(frozen=True)
class House:
    """What the tests work with."""

    people: People
    keys: ApiKeys
    grants: RoleGrants


def housed(
    store: Store,
    home: Path,
    log: AuditLog,
    clock: FakeClock,
    *,
    users: dict[str, DeclaredUser] | None = None,
    teams: dict[str, DeclaredTeam] | None = None,
) -> House:
    """People, keys and grants over one store."""
    checker = PermissionChecker(RoleBook(OWN))
    grants = RoleGrants(store, checker=checker, changes=log)
    people = People(store, checker=checker, changes=log, users=users, teams=teams, clock=clock)
    keys = ApiKeys(
        store,
        home=home,
        checker=checker,
        changes=log,
        roles_of=grants.roles_of,
        owners=people,
        clock=clock,
    )
    return House(people, keys, grants)


@pytest.fixture
async def house(store: Store, home: Path, log: AuditLog, clock: FakeClock) -> AsyncGenerator[House, None]:
    """Without anything declared."""
    made = housed(store, home, log, clock)
    yield made
    await made.keys.aclose()


async def test_a_user_belongs_to_a_team_and_a_team_to_an_organisation(
    house: House, admin: Principal, clock: FakeClock
) -> None:
    """As whoever presents a key is known to be."""
    people, keys = house.people, house.keys
    team = await people.create_team("blue", organisation="acme", by=admin)
    assert (team.name, team.organisation, team.members, team.origin) == ("blue", "acme", (), "store")
    user = await people.create_user("bob", team="blue", by=admin)
    assert (user.team, user.organisation, user.disabled) == ("blue", "acme", False)
    assert (user.created_at, user.created_by) == (clock.now(), admin.user)
    made = await keys.create(KeyRequest(name="k", user="bob"), by=admin)
    known = await keys.authenticate(made.text.reveal())
    assert (known.user, known.team, known.organisation) == ("bob", "blue", "acme")
    assert (await people.team("blue", by=admin)).members == ("bob",)


async def test_a_user_moves_and_leaves(house: House, admin: Principal, clock: FakeClock) -> None:
    """A user is in one team at most; a key follows within a second."""
    people, keys = house.people, house.keys
    await people.create_team("blue", organisation="acme", by=admin)
    await people.create_team("red", by=admin)
    await people.create_user("bob", team="blue", by=admin)
    made = await keys.create(KeyRequest(name="k", user="bob"), by=admin)
    await people.add("red", "bob", by=admin)
    known = await keys.authenticate(made.text.reveal())
    assert (known.team, known.organisation) == ("red", None)
    assert [(team.name, team.members) for team in await people.teams(by=admin)] == [
        ("blue", ()),
        ("red", ("bob",)),
    ]
    with pytest.raises(NotFoundError, match="bob is not in blue"):
        await people.remove("blue", "bob", by=admin)
    await people.remove("red", "bob", by=admin)
    clock.advance(0.5)
    assert (await keys.authenticate(made.text.reveal())).team is None


async def test_a_users_own_team_goes_before_that_of_a_key(house: House, admin: Principal) -> None:
    """A key cannot be made for another; one that was made before follows its user."""
    people, keys = house.people, house.keys
    await people.create_team("blue", by=admin)
    made = await keys.create(KeyRequest(name="k", user="bob", team="free"), by=admin)
    assert (await people.standing("bob", team="free")) == Standing(team="free")
    await people.create_user("bob", team="blue", by=admin)
    assert (await keys.authenticate(made.text.reveal())).team == "blue"
    with pytest.raises(InvalidRequestError, match="bob is in the team blue"):
        await keys.create(KeyRequest(name="k", user="bob", team="red"), by=admin)


async def test_a_key_for_a_team_stops_when_its_user_is_taken_out(house: House, admin: Principal) -> None:
    """It no longer spends what is the team's; back in a team, it works again."""
    people, keys = house.people, house.keys
    await people.create_team("blue", by=admin)
    await people.create_user("bob", team="blue", by=admin)
    made = await keys.create(KeyRequest(name="k", user="bob", team="blue"), by=admin)
    await people.remove("blue", "bob", by=admin)
    keys.forget()
    with pytest.raises(UnauthenticatedError, match="taken out of the team"):
        await keys.authenticate(made.text.reveal())
    with pytest.raises(InvalidRequestError, match="taken out of a team"):
        await keys.create(KeyRequest(name="k2", user="bob", team="blue"), by=admin)
    await people.add("blue", "bob", by=admin)
    assert (await keys.authenticate(made.text.reveal())).team == "blue"


async def test_a_key_whose_user_s_record_has_vanished_stands_for_nobody(
    house: House, admin: Principal, store: Store
) -> None:
    """Whether the record was there when the key was made, or when it was used."""
    people, keys = house.people, house.keys
    await people.create_user("bob", by=admin)
    early = await keys.create(KeyRequest(name="e", user="eve"), by=admin)
    made = await keys.create(KeyRequest(name="k", user="bob"), by=admin)
    assert (await keys.authenticate(early.text.reveal())).user == "eve"
    await people.create_user("eve", by=admin)
    keys.forget()
    await keys.authenticate(early.text.reveal())
    await keys.aclose()
    await store.execute("DELETE FROM people_users")
    keys.forget()
    for key in (early, made):
        with pytest.raises(UnauthenticatedError, match="no record"):
            await keys.authenticate(key.text.reveal())


@pytest.mark.promise("A9")
async def test_a_disabled_users_keys_stop(house: House, admin: Principal) -> None:
    """Those that are there; no new one is made; enabled again, they work again."""
    people, keys = house.people, house.keys
    await people.create_user("bob", by=admin)
    made = await keys.create(KeyRequest(name="k", user="bob", role="readonly"), by=admin)
    await keys.authenticate(made.text.reveal())
    assert (await people.disable("bob", by=admin)).disabled
    keys.forget()
    with pytest.raises(UnauthenticatedError, match="disabled"):
        await keys.authenticate(made.text.reveal())
    with pytest.raises(InvalidRequestError, match="bob is disabled"):
        await keys.create(KeyRequest(name="k", user="bob"), by=admin)
    assert not (await people.enable("bob", by=admin)).disabled
    assert (await keys.authenticate(made.text.reveal())).user == "bob"


@pytest.mark.promise("A9")
async def test_a_user_disabled_elsewhere_is_refused_within_a_second(
    house: House, admin: Principal, store: Store, home: Path, log: AuditLog, clock: FakeClock
) -> None:
    """Another process did it."""
    other = housed(store, home, log, clock)
    made = await house.keys.create(KeyRequest(name="k", user="bob"), by=admin)
    await house.keys.authenticate(made.text.reveal())
    await other.people.disable("bob", by=admin)
    clock.advance(0.5)
    with pytest.raises(UnauthenticatedError, match="disabled"):
        await house.keys.authenticate(made.text.reveal())
    await other.keys.aclose()


async def test_who_was_only_seen_is_listed_and_can_be_disabled(house: House, admin: Principal) -> None:
    """A name that a key or a role bears is somebody, created or not."""
    await house.keys.create(KeyRequest(name="k", user="kim"), by=admin)
    await house.grants.grant("gus", "readonly", by=admin)
    await house.people.create_user("ann", by=admin)
    found = {user.name: user.origin for user in await house.people.users(by=admin)}
    assert found == {"ann": "store", "gus": "seen", "kim": "seen"}
    assert (await house.people.user("kim", by=admin)).origin == "seen"
    assert (await house.people.disable("gus", by=admin)).origin == "store"
    with pytest.raises(InvalidRequestError) as caught:
        await house.people.create_user("gus", by=admin)
    assert (caught.value.status, caught.value.code) == (409, "taken")


async def test_nobody_disables_themselves(house: House, admin: Principal) -> None:
    """The last administrator would be gone."""
    with pytest.raises(InvalidRequestError, match="themselves"):
        await house.people.disable(admin.user, by=admin)


async def test_what_the_configuration_declares_is_read_only(
    store: Store, home: Path, log: AuditLog, clock: FakeClock, admin: Principal
) -> None:
    """With file and line in the refusal; a declared team may be joined by users of the store."""
    users = {"ann": DeclaredUser(place="c.toml:3", team="ops"), "off": DeclaredUser(place="x", disabled=True)}
    teams = {"ops": DeclaredTeam(place="c.toml:1", organisation="acme")}
    people = housed(store, home, log, clock, users=users, teams=teams).people
    await people.check()
    await people.create_user("bob", team="ops", by=admin)
    assert (await people.team("ops", by=admin)).members == ("ann", "bob")
    assert [(user.name, user.origin, user.disabled) for user in await people.users(by=admin)] == [
        ("ann", "configuration", False),
        ("bob", "store", False),
        ("off", "configuration", True),
    ]
    assert await people.standing("ann") == Standing(kept=True, team="ops", organisation="acme")
    assert (await people.standing("off")).disabled
    for change in (
        people.create_user("ann", by=admin),
        people.disable("ann", by=admin),
        people.enable("ann", by=admin),
        people.add("ops", "ann", by=admin),
        people.remove("ops", "ann", by=admin),
    ):
        with pytest.raises(ConflictError, match=r"c\.toml:3") as caught:
            await change
        assert (caught.value.status, caught.value.exit_code, caught.value.field) == (409, 4, "users.ann")
    with pytest.raises(ConflictError, match=r"c\.toml:1"):
        await people.create_team("ops", by=admin)


async def test_one_name_in_both_is_an_error_at_the_start(
    house: House, store: Store, home: Path, log: AuditLog, clock: FakeClock, admin: Principal
) -> None:
    """So is a declared user's team that is in neither."""
    await house.people.create_user("ann", by=admin)
    await house.people.create_team("ops", by=admin)
    for declared, field in (
        (housed(store, home, log, clock, users={"ann": DeclaredUser(place="c.toml:3")}), "users.ann"),
        (housed(store, home, log, clock, teams={"ops": DeclaredTeam(place="c.toml:3")}), "teams.ops"),
        (
            housed(store, home, log, clock, users={"x": DeclaredUser(place="c.toml:3", team="no")}),
            "users.x.team",
        ),
    ):
        with pytest.raises(ConfigurationError, match=r"c\.toml:3") as caught:
            await declared.people.check()
        assert caught.value.field == field
    fine = housed(store, home, log, clock, users={"x": DeclaredUser(place="c.toml:3", team="ops")})
    await fine.people.check()


@pytest.mark.parametrize("name", ["", " ", " a", "a ", "a\nb", "a\0b", "x" * 201, "a\u202eb", "a/b"])
async def test_a_name_that_cannot_be_read_is_refused(house: House, admin: Principal, name: str) -> None:
    """Of users, teams and organisations alike."""
    people = house.people
    for change in (
        people.create_user(name, by=admin),
        people.create_team(name, by=admin),
        people.create_team("t", organisation=name, by=admin),
    ):
        with pytest.raises(InvalidRequestError):
            await change
    assert await people.users(by=admin) == await people.teams(by=admin) == ()


async def test_what_is_not_there_is_told_with_the_nearest(house: House, admin: Principal) -> None:
    """Users and teams."""
    people = house.people
    await people.create_user("alice", by=admin)
    with pytest.raises(NotFoundError, match="teams create blue"):
        await people.add("blue", "alice", by=admin)
    await people.create_team("blue", by=admin)
    with pytest.raises(NotFoundError, match="Did you mean alice"):
        await people.user("alise", by=admin)
    with pytest.raises(NotFoundError, match="Did you mean blue"):
        await people.team("bleu", by=admin)
    with pytest.raises(NotFoundError, match="no user bob"):
        await people.add("blue", "bob", by=admin)
    with pytest.raises(NotFoundError, match="no team"):
        await people.create_user("bob", team="green", by=admin)
    with pytest.raises(InvalidRequestError, match="a user alice already"):
        await people.create_user("alice", by=admin)
    with pytest.raises(InvalidRequestError, match="a team blue already"):
        await people.create_team("blue", by=admin)


@pytest.mark.promise("A2")
async def test_reading_and_changing_need_their_rights(house: House, admin: Principal) -> None:
    """A role that may look changes nothing; who has no role sees nothing."""
    people = house.people
    await people.create_user("bob", by=admin)
    await people.create_team("blue", by=admin)
    assert [user.name for user in await people.users(by=LOOKER)] == ["bob"]
    assert [team.name for team in await people.teams(by=LOOKER)] == ["blue"]
    for change in (
        people.create_user("eve", by=LOOKER),
        people.disable("bob", by=LOOKER),
        people.enable("bob", by=LOOKER),
        people.create_team("red", by=LOOKER),
        people.add("blue", "bob", by=LOOKER),
        people.remove("blue", "bob", by=LOOKER),
    ):
        with pytest.raises(PermissionDeniedError):
            await change
    nobody = Principal(user="eve", roles=frozenset({"developer"}))
    for look in (people.users, people.teams):
        with pytest.raises(PermissionDeniedError):
            await look(by=nobody)
    for look_at, name in ((people.user, "bob"), (people.team, "blue")):
        with pytest.raises(PermissionDeniedError):
            await look_at(name, by=nobody)


@pytest.mark.promise("A3")
async def test_every_change_is_recorded_before_it_is_made(
    house: House, admin: Principal, log: AuditLog, store: Store
) -> None:
    """Without a record there is no change."""
    people = house.people
    await people.create_team("blue", organisation="acme", by=admin)
    await people.create_user("bob", team="blue", by=admin)
    await people.remove("blue", "bob", by=admin)
    await people.add("blue", "bob", by=admin)
    await people.disable("bob", by=admin)
    await people.enable("bob", by=admin)
    names = [record.data.get("name") for record in await log.tail(20) if record.kind == "intent"]
    wanted = ["teams.create", "users.create", "teams.remove", "teams.add", "users.disable", "users.enable"]
    assert names == wanted
    await store.execute("DELETE FROM audit_state")
    with pytest.raises(AuditUnavailableError):
        await people.disable("bob", by=admin)
    assert not (await people.user("bob", by=admin)).disabled


async def test_both_databases_keep_people_alike(
    url: str, home: Path, clock: FakeClock, admin: Principal
) -> None:
    """The same statements on SQLite and PostgreSQL."""
    store = await Store.open(url, branches=[BRANCH])
    log = AuditLog(store, home=home, witness=None, clock=clock)
    house = housed(store, home, log, clock)
    people = house.people
    await people.create_team("blue", organisation="acme", by=admin)
    await people.create_user("bob", team="blue", by=admin)
    made = await house.keys.create(KeyRequest(name="k", user="bob"), by=admin)
    await house.keys.create(KeyRequest(name="k", user="kim"), by=admin)
    assert (await house.keys.authenticate(made.text.reveal())).organisation == "acme"
    await people.add("blue", "kim", by=admin)
    await people.disable("kim", by=admin)
    await people.disable("kim", by=admin)
    assert [(user.name, user.disabled, user.team) for user in await people.users(by=admin)] == [
        ("bob", False, "blue"),
        ("kim", True, "blue"),
    ]
    assert (await people.team("blue", by=admin)).members == ("bob", "kim")
    await house.keys.aclose()
    await log.aclose()
    await store.aclose()
