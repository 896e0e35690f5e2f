"""Every member is a distribution that stands by itself."""

import pytest

from house.tree import ROOT, Member, members, python_files, relative, strings, table

EXPECTED = {
    "interlock-core",
    "interlock-providers",
    "interlock-router",
    "interlock-tools",
    "interlock-pipeline",
    "interlock-skills",
    "interlock-security",
    "interlock-observability",
    "interlock-runtime",
    "interlock-cli",
    "interlock-api",
}


def test_the_workspace_holds_exactly_the_members_of_the_design() -> None:
    """Core, seven parts, the runtime, two faces."""
    assert {member.distribution for member in members()} == EXPECTED


@pytest.mark.parametrize("member", members(), ids=lambda member: member.distribution)
def test_a_member_is_typed_licensed_and_explained(member: Member) -> None:
    """`py.typed`, a README, the licence, and the oldest Python that the workspace names."""
    project = table(member.manifest, "project")
    assert (member.source / "py.typed").is_file()
    assert (member.folder / "README.md").read_text(encoding="utf-8").startswith("# ")
    assert project["license"] == "Apache-2.0"
    assert project["requires-python"] == ">=3.11"
    assert project["readme"] == "README.md"
    assert "Typing :: Typed" in strings(project.get("classifiers"))


@pytest.mark.parametrize("member", members(), ids=lambda member: member.distribution)
def test_a_member_has_tests_that_run_alone(member: Member) -> None:
    """Its own tests, and a group dev that brings what they need."""
    assert list(member.tests.glob("**/test_*.py"))
    assert "pytest" in " ".join(strings(table(member.manifest, "dependency-groups").get("dev")))


def test_all_members_bear_the_same_version() -> None:
    """They are released together."""
    assert len({str(table(member.manifest, "project")["version"]) for member in members()}) == 1


@pytest.mark.parametrize("member", members(), ids=lambda member: member.distribution)
def test_a_members_dependencies_state_a_lower_bound_or_an_exact_version(member: Member) -> None:
    """The exact pins stand in the root; a member says what it was written against."""
    project = table(member.manifest, "project")
    lines = strings(project.get("dependencies"))
    lines += [line for extra in table(project, "optional-dependencies").values() for line in strings(extra)]
    assert [
        line for line in lines if not line.startswith("interlock-") and ">=" not in line and "==" not in line
    ] == []


def test_nothing_but_what_the_design_names_stands_at_the_root() -> None:
    """Visible files and folders that git tracks."""
    known = {"pyproject.toml", "requirements.lock", "Makefile", "README.md", "LICENSE", "mkdocs.yml"}
    known |= {"CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md"}
    known |= {"packages", "apps", "docs", "tests", "examples"}
    made = {"site", "dist", "build", "htmlcov", "uv.lock", "coverage.json", "coverage.xml", "node_modules"}
    assert {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - made <= known


def test_no_module_is_named_after_nothing() -> None:
    """A room where anything may be put is a warehouse."""
    empty = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    names = [relative(path.with_suffix("")) for path in python_files()]
    assert [name for name in names if {part.strip("_") for part in name.split("/")} & empty] == []
