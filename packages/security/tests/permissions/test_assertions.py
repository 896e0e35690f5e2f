"""The assertions that users write about their own policies."""

from pathlib import Path

import pytest

from interlock_core.errors import ConfigurationError
from interlock_security.testing import (
    PolicyCase,
    PolicyUnderTest,
    assert_allowed,
    assert_cases,
    assert_denied,
    assert_needs_approval,
)

POLICY = """
[server]
environment = "staging"

[users.alice]
roles = ["triage"]

[roles.triage]
inherits = ["readonly"]
agents = ["sorter"]
allow = [{ tools = ["github.issues_*"], arguments = { owner = { equals = "acme" } }, taint_free = true }]
approve = [{ tools = ["ci.deploy"], environments = ["staging"], four_eyes = 1 }]
deny = ["effect:destructive"]
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A configuration file."""
    file = tmp_path / "config.toml"
    file.write_text(POLICY, "utf-8")
    return file


@pytest.mark.promise("A5")
def test_a_policy_is_asserted_from_its_file(policy: Path) -> None:
    """By the file or read once; with everything that conditions look at."""
    acme = {"owner": "acme"}
    assert_allowed(policy, "alice", "github.issues_create", arguments=acme)
    assert_allowed(policy, "alice", "github.issues_create", arguments=acme, agent="sorter")
    assert_denied(policy, "alice", "github.issues_create", arguments=acme, tainted=["web.fetch"])
    assert_denied(policy, "alice", "github.issues_create", arguments={"owner": "evil"})
    assert_denied(str(policy), "bob", "github.issues_list", effect="read")
    under_test = PolicyUnderTest(policy)
    assert_allowed(under_test, "bob", "github.issues_list", effect="read", roles=["readonly"])
    assert_needs_approval(under_test, "alice", "ci.deploy")
    assert_allowed(under_test, "alice", "ci.deploy", approved_by=["carol"], at="2026-03-11T10:00:00Z")
    assert_denied(under_test, "alice", "ci.deploy", effect="destructive", cost_usd=0.5)


@pytest.mark.promise("A5")
def test_a_failed_assertion_says_why(policy: Path) -> None:
    """The verdict that is there, the rule, and what would have to change; every case of a table at once."""
    with pytest.raises(AssertionError, match="allow was expected, but it is deny") as caught:
        assert_allowed(policy, "alice", "github.issues_delete", effect="destructive")
    assert "role triage forbids" in str(caught.value)
    cases = [
        PolicyCase(user="alice", tool="crm.get", verdict="allow", facts={"effect": "read"}),
        PolicyCase(user="alice", tool="ci.deploy", verdict="deny", because="nobody deploys alone"),
        PolicyCase(user="alice", tool="crm.put", verdict="approval"),
    ]
    with pytest.raises(AssertionError) as caught:
        assert_cases(policy, cases)
    assert "nobody deploys alone" in str(caught.value)
    assert str(caught.value).count("was expected") == 2
    assert_cases(policy, [])


def test_a_policy_that_is_none_is_told(tmp_path: Path) -> None:
    """As the configuration itself would tell it."""
    file = tmp_path / "config.toml"
    file.write_text("[roles", "utf-8")
    with pytest.raises(ConfigurationError, match="not TOML"):
        PolicyUnderTest(file)
    file.write_text('[roles.x]\nallow = ["tool"]\n', "utf-8")
    with pytest.raises(ConfigurationError):
        PolicyUnderTest(file)
