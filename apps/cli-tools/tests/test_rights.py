"""Rights on the command line: explanations, overrides, approvals."""

from typing import TYPE_CHECKING

import pytest

from interlock_core.jsontypes import as_array, as_object

if TYPE_CHECKING:
    from .conftest import CommandLine

ROLES = """
[server]
environment = "production"

[roles.triage]
inherits = ["readonly"]
allow = [{ tools = ["github.issues_create"], arguments = { owner = { equals = "acme" } }, taint_free = true }]
approve = [{ tools = ["github.issues_update"], environments = ["production"], four_eyes = 1 }]

[users.alice]
roles = ["triage"]
"""


@pytest.fixture
def rights(cli: "CommandLine") -> "CommandLine":
    """A command line with a role of its own."""
    cli.folder.joinpath("config.toml").write_text(ROLES, "utf-8")
    return cli


@pytest.mark.promise("A5")
@pytest.mark.promise("A6")
@pytest.mark.parametrize(
    ("asked", "code", "verdict", "ground"),
    [
        ("alice github.issues_create --arg owner=acme", 0, "allow", "allowed"),
        ("alice github.issues_create --arg owner=evil", 3, "deny", "condition-false"),
        ("alice github.issues_create", 3, "deny", "condition-error"),
        ("alice github.issues_create --arg owner=acme --tainted", 3, "deny", "tainted"),
        ("alice github.issues_update", 3, "approval", "needs-approval"),
        ("alice github.issues_update --approved-by alice", 3, "approval", "not-enough-approvals"),
        ("alice github.issues_update --approved-by bob", 0, "allow", "approved"),
        ("nobody github.issues_list", 3, "deny", "no-role"),
    ],
)
def test_can_says_why_and_what_would_have_to_change(
    rights: "CommandLine", asked: str, code: int, verdict: str, ground: str
) -> None:
    """The verdict, the rule, every rule that was looked at."""
    config = str(rights.folder / "config.toml")
    ran = rights("can", *asked.split(), "--json", "--config", config)
    found = ran.document
    side = as_object(as_object(found["sides"])["user"])
    assert (ran.code, found["verdict"], side["ground"]) == (code, verdict, ground)
    assert bool(found["changes"]) is (verdict != "allow")
    words = rights("can", *asked.split(), "--config", config)
    assert words.out.startswith({"allow": "yes", "approval": "not yet", "deny": "no"}[verdict])
    if ground != "no-role":
        assert len(as_array(found["considered"])) > 2


@pytest.mark.promise("A5")
def test_an_override_is_made_listed_and_taken_away(cli: "CommandLine") -> None:
    """With a reason and an end; without a reason it is not made."""
    assert cli("can", "dora", "github.issues_create").code == 3
    assert cli("roles", "override", "dora", "allow", "github.issues_create").code == 2
    words = ["roles", "override", "dora", "allow", "github.issues_create"]
    made = cli(*words, "--until", "2d", "--reason", "on call", "--json").document
    assert (made["user"], made["verdict"], made["reason"]) == ("dora", "allow", "on call")
    assert cli("can", "dora", "github.issues_create", "--json").document["rule"] == f"override:{made['id']}"
    assert cli("can", "dora", "github.issues_create", "--at", "2099-01-01T00:00").code == 3
    assert str(made["id"]) in cli("roles", "list").out
    assert cli("roles", "override", "--remove", str(made["id"])).code == 0
    assert cli("can", "dora", "github.issues_create").code == 3
    assert cli("roles", "override", "--remove", str(made["id"])).code != 0
    assert cli("roles", "override", "dora", "--remove", "x").code == 2
    assert cli(*words, "--until", "yesterday", "--reason", "x").code == 2


@pytest.mark.promise("T3")
def test_approvals_that_are_not_there_cannot_be_answered(cli: "CommandLine") -> None:
    """And an empty list is one."""
    assert cli("approvals", "list", "--json").document == {"approvals": []}
    assert cli("approvals", "list", "--all").code == 0
    for verb in ("approve", "deny"):
        assert cli("approvals", verb, "apr_absent", "--reason", "x").code == 2
