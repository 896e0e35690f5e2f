"""`interlock users` and `interlock teams`."""

from typing import TYPE_CHECKING

import pytest

from interlock_core.jsontypes import as_array, as_object

if TYPE_CHECKING:
    from .conftest import CommandLine


@pytest.mark.promise("C1")
def test_users_and_teams_are_created_listed_and_shown(cli: "CommandLine") -> None:
    """For a person in columns, for a program as one object."""
    assert cli("teams", "list").out == ""
    team = cli("teams", "create", "blue", "--organisation", "acme", "--json").document
    assert (team["name"], team["organisation"], team["members"]) == ("blue", "acme", [])
    user = cli("users", "create", "bob", "--team", "blue", "--role", "readonly", "--json").document
    assert (user["team"], user["organisation"], user["roles"]) == ("blue", "acme", ["readonly"])
    assert cli("users", "create", "eve").code == 0
    assert cli("teams", "add", "blue", "eve").out.splitlines()[2] == "members       bob, eve"
    assert cli("teams", "remove", "blue", "eve", "--json").document["members"] == ["bob"]
    lines = cli("users", "list").out.splitlines()
    assert lines[0].split() == ["NAME", "TEAM", "ORGANISATION", "ROLES", "ORIGIN", "DISABLED"]
    assert lines[1].split() == ["bob", "blue", "acme", "readonly", "store", "no"]
    (one,) = as_array(cli("teams", "list", "--json").document["teams"])
    assert as_object(one)["members"] == ["bob"]
    assert "blue" in cli("teams", "list").out
    assert as_array(cli("users", "list", "--json").document["users"])
    assert cli("users", "show", "bob", "--json").document["roles"] == ["readonly"]


@pytest.mark.promise("A9")
def test_a_disabled_users_key_is_not_made_until_enabled(cli: "CommandLine") -> None:
    """Each step says what is now."""
    assert cli("users", "create", "bob").code == 0
    assert cli("users", "disable", "bob", "--json").document == {"name": "bob", "disabled": True}
    refused = cli("keys", "create", "--name", "k", "--user", "bob")
    assert refused.code == 1
    assert "users enable" in refused.err
    assert "bob: enabled" in cli("users", "enable", "bob").out
    assert cli("keys", "create", "--name", "k", "--user", "bob").code == 0
    assert cli("users", "enable", "bob", "--json").document["disabled"] is False
    assert "no key of theirs works" in cli("users", "disable", "bob").out


def test_what_is_wrong_is_told_with_what_to_do(cli: "CommandLine") -> None:
    """Names that are not there, taken, or of the configuration."""
    assert "users create" in cli("users", "list").err
    assert "teams create" in cli("teams", "list").err
    assert cli("users", "show", "nobody").code != 0
    assert cli("users", "create", "bob", "--role", "nothing").code != 0
    assert as_array(cli("users", "list", "--json").document["users"]) == []
    assert cli("users", "create", "bob").code == 0
    assert "already" in cli("users", "create", "bob").err
    assert "teams create green" in cli("teams", "add", "green", "bob").err


def test_what_the_file_declares_is_read_only(cli: "CommandLine") -> None:
    """Exit 4 with file and line; one name in both stops every command."""
    cli.configure('[users.ann]\nteam = "ops"\nroles = ["readonly"]\n\n[teams.ops]\norganisation = "acme"\n')
    told = cli("--config", "config.toml", "users", "show", "ann", "--json").document
    assert (told["origin"], told["team"], told["organisation"]) == ("configuration", "ops", "acme")
    for command in ("users disable ann", "teams add ops ann", "teams create ops", "users create ann"):
        refused = cli("--config", "config.toml", *command.split())
        assert refused.code == 4
        assert ".toml:" in refused.err
    assert cli("users", "create", "bob").code == 0
    cli.configure("[users.bob]\n")
    clash = cli("--config", "config.toml", "users", "list")
    assert clash.code == 4
    assert "bob is in the store too" in clash.err
