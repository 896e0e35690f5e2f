"""The commands of the yard exist, and the pipelines trust nothing that can change under them."""

import json
import re
from pathlib import Path

import pytest
import yaml

from coverage_of_members import Covered, by_member
from house.tree import ROOT, Table, members, table, tables

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = {"demo", "test", "e2e", "check", "bench", "lock", "docs", "serve", "clean", "help"}


def steps(workflow: Table) -> list[Table]:
    """Every step of every job of a workflow."""
    return [step for job in table(workflow, "jobs").values() for step in tables(table(job).get("steps"))]


def unpinned(text: str) -> list[str]:
    """Actions that are not named by a whole commit hash with their version behind it."""
    used = re.findall(r"uses:\s*(.+)", text)
    return [
        action
        for action in used
        if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action.strip())
    ]


def test_every_promised_make_target_exists_and_explains_itself() -> None:
    """`make help` lists each."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {name for name in TARGETS if re.search(rf"^{name}:.*## \w", text, re.MULTILINE)} == TARGETS


def test_there_are_workflows() -> None:
    """The tests below would pass on nothing."""
    assert WORKFLOWS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_pins_its_actions_and_starts_with_no_permission(path: Path) -> None:
    """A tag can be moved, a commit cannot; a job asks for what it needs by itself."""
    text = path.read_text(encoding="utf-8")
    assert unpinned(text) == []
    workflow: Table = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    checkouts = [
        step for step in steps(workflow) if str(step.get("uses", "")).startswith("actions/checkout@")
    ]
    assert all(table(step, "with").get("persist-credentials") is False for step in checkouts)


def test_the_pipeline_runs_every_member_alone_on_every_supported_python() -> None:
    """The matrix follows the workspace."""
    workflow: Table = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    matrix = table(workflow, "jobs", "alone", "strategy", "matrix")
    assert matrix["package"] == [member.distribution for member in members()]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]


@pytest.mark.parametrize(
    "action",
    [
        "actions/checkout@v7",
        "actions/checkout@3d3c42e",
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
    ],
)
def test_an_action_named_by_a_tag_a_short_hash_or_without_its_version_is_caught(action: str) -> None:
    """Each can be changed, or says nothing to a reader."""
    assert unpinned(f"      - uses: {action}\n") == [action]


def test_coverage_is_summed_up_by_member() -> None:
    """Lines and branches together; a well tested member does not hide a poor one."""
    counts = {"covered_lines": 8, "covered_branches": 1, "num_statements": 10, "num_branches": 2}
    files = {
        "packages/core/src/a.py": {"summary": counts},
        "packages/core/src/b.py": {"summary": counts},
        "apps/api/src/c.py": {"summary": counts},
    }
    found = by_member(json.dumps({"files": files}))
    assert found == {"packages/core": Covered(18, 24), "apps/api": Covered(9, 12)}
    assert found["apps/api"].percent == 75.0
    assert Covered().percent == 100.0
