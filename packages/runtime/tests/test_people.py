"""Users and teams of the settings and of the store, as faces see them."""

from typing import TYPE_CHECKING

import pytest

from interlock_core import Principal
from interlock_core.errors import (
    ConfigurationError,
    ConflictError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from interlock_runtime import KeyRequest, Runtime
from interlock_runtime.settings import TeamSettings, UserSettings

if TYPE_CHECKING:
    from .conftest import MakeSettings

NOTHING: dict[str, str] = {}


@pytest.mark.promise("A9")
async def test_a_key_stands_for_its_users_team_and_organisation(make: "MakeSettings") -> None:
    """Declared or created; a disabled user's key stops at once."""
    settings = make(
        users={"ann": UserSettings(team="ops"), "off": UserSettings(disabled=True)},
        teams={"ops": TeamSettings(organisation="acme")},
    )
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        access = runtime.access
        await access.people.create_team("blue")
        await access.people.create_user("bob", team="blue")
        for user, team, organisation in (("ann", "ops", "acme"), ("bob", "blue", None)):
            made = await access.create_key(KeyRequest(name="k", user=user, role="readonly"))
            known = await access.authenticate(str(made["key"]))
            assert (known.user, known.team, known.organisation) == (user, team, organisation)
            assert await access.principal_of(user) == Principal(
                user=user, team=team, organisation=organisation
            )
        await access.people.disable("bob")
        with pytest.raises(UnauthenticatedError, match="disabled"):
            await access.authenticate(str(made["key"]))
        await access.people.enable("bob")
        assert (await access.authenticate(str(made["key"]))).team == "blue"
        await access.people.add("ops", "bob")
        assert (await access.authenticate(str(made["key"]))).organisation == "acme"
        assert (await access.people.remove("ops", "bob"))["members"] == ["ann"]
        assert [team["name"] for team in await access.people.teams()] == ["blue", "ops"]
        assert (await access.people.team("ops"))["origin"] == "configuration"
        assert (await access.people.user("off"))["disabled"] is True
        assert {user["name"]: user["roles"] for user in await access.people.users()}["ann"] == []


async def test_a_name_in_the_settings_and_in_the_store_stops_the_start(make: "MakeSettings") -> None:
    """So does a declared user's team that is nowhere; what is declared is changed in the file alone."""
    async with Runtime.open(make(), environment=NOTHING) as runtime:
        await runtime.access.people.create_user("bob")
    with pytest.raises(ConfigurationError, match="bob is in the store too"):
        async with Runtime.open(make(users={"bob": UserSettings()}), environment=NOTHING):
            pass
    with pytest.raises(ConfigurationError, match="there is no team ops"):
        async with Runtime.open(make(users={"ann": UserSettings(team="ops")}), environment=NOTHING):
            pass
    async with Runtime.open(make(users={"ann": UserSettings()}), environment=NOTHING) as runtime:
        with pytest.raises(ConflictError, match=r"users\.ann"):
            await runtime.access.people.disable("ann")


@pytest.mark.promise("A2")
async def test_who_asks_is_whose_rights_count(make: "MakeSettings") -> None:
    """Not those of the user at this machine."""
    async with Runtime.open(make(), environment=NOTHING) as runtime:
        people = runtime.access.people
        nobody = Principal(user="eve", roles=frozenset({"developer"}))
        for refused in (
            people.users(by=nobody),
            people.user("x", by=nobody),
            people.create_user("x", by=nobody),
            people.disable("x", by=nobody),
            people.enable("x", by=nobody),
            people.teams(by=nobody),
            people.team("x", by=nobody),
            people.create_team("x", by=nobody),
            people.add("x", "y", by=nobody),
            people.remove("x", "y", by=nobody),
        ):
            with pytest.raises(PermissionDeniedError):
                await refused
