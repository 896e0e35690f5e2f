"""`interlock spec-to-github` against the stand-in, and the demonstration."""

import json
from typing import TYPE_CHECKING

import pytest

from interlock_core.jsontypes import as_array, as_object
from interlock_tools.testing.github import GitHubStandIn

if TYPE_CHECKING:
    from .conftest import CommandLine

SPEC = "# Notes\n\n## Search\n\n- A search must find every note.\n- A search must answer within a second.\n"
JOB = ("spec-to-github", "--spec", "spec.md", "--owner", "acme", "--repo", "notes", "-m", "acme/small")


@pytest.fixture
def desk(acme: "CommandLine") -> "CommandLine":
    """A command line with a specification in its folder."""
    acme.folder.joinpath("spec.md").write_text(SPEC, "utf-8")
    return acme


def test_a_dry_run_prints_what_would_be_sent(desk: "CommandLine", github: GitHubStandIn) -> None:
    """Requirements, issues and requests are told; nothing is sent."""
    told = desk(*JOB, "--dry-run", "--label", "spec", "--json").document
    assert [as_object(entry)["id"] for entry in as_array(told["requirements"])] == ["R1", "R2"]
    sent = [as_object(entry) for entry in as_array(told["requests"])]
    assert [entry["method"] for entry in sent] == ["POST", "POST"]
    assert len(sent) == len(as_array(told["issues"])) == 2
    shown = desk(*JOB, "--dry-run")
    assert shown.out.count("POST ") == 2
    assert "nothing was sent" in shown.err
    assert github.issues == ()


def test_every_requirement_becomes_an_issue_once(desk: "CommandLine", github: GitHubStandIn) -> None:
    """A second run finds what the first one made."""
    first = desk(*JOB)
    assert first.code == 0
    assert first.out.count(" -> #") == len(github.issues) == 2
    again = desk(*JOB)
    assert again.out.count("there already") == 2
    assert len(github.issues) == 2


def test_an_issue_that_cannot_be_created_fails_the_run(desk: "CommandLine", github: GitHubStandIn) -> None:
    """The reason stands beside the requirement, and the exit code is 1."""
    github.fail_next(422, method="POST")
    ended = desk(*JOB)
    assert ended.code == 1
    assert "failed" in ended.err


@pytest.mark.parametrize("url", ["http://[::1", "ftp://x", "nowhere", "http://me:secret@127.0.0.1"])
def test_an_address_that_is_none_is_refused(desk: "CommandLine", url: str) -> None:
    """Without repeating a password."""
    ended = desk(*JOB, "--api-url", url)
    assert ended.code == 2
    assert "secret" not in ended.err


def test_the_demonstration_prints_one_document_and_reuses_its_data(cli: "CommandLine") -> None:
    """It needs no key, tells each step, proves its log, and says at its second run what it found."""
    cli.folder.joinpath("spec.md").write_text("# Notes\n\n- A search must find every note.\n", "utf-8")
    first = cli("demo", "--spec", "spec.md", "--json")
    assert first.code == 0
    assert first.document["audit_ok"] is True
    assert as_array(as_object(first.document["job"])["issues"])
    second = cli("demo", "--spec", "spec.md")
    assert "Reusing" in second.err
    assert "1 issues" in second.out
    assert json.dumps(first.document)
