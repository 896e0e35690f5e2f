"""The pages that must follow the code do."""

import re

import pytest
import yaml

from house.declared import Declared
from house.tree import ROOT, members

TABLE = "docs/decisions/0004-dependencies.md"


def listed(text: str) -> dict[str, str]:
    """The dependencies that the page lists, each with what its second column says."""
    rows = re.findall(r"^\| ([a-z0-9-]+) \| ([^|]+) \|", text, re.MULTILINE)
    return {name: owners.strip() for name, owners in rows if name not in {"dependency", "---"}}


def declared() -> dict[str, set[str]]:
    """The third parties that members declare, extras included: name to short names of the members."""
    found: dict[str, set[str]] = {}
    for member in members():
        declaration = Declared.of(member.manifest)
        for name in declaration.always | declaration.extras:
            if not name.startswith("interlock-"):
                found.setdefault(name, set()).add(member.distribution.removeprefix("interlock-"))
    return found


def test_every_dependency_has_a_line_that_says_why() -> None:
    """And no line stands there for one that is gone."""
    assert set(listed((ROOT / TABLE).read_text(encoding="utf-8"))) == set(declared())


@pytest.mark.parametrize(("name", "owners"), sorted(declared().items()))
def test_the_line_of_a_dependency_names_the_members_that_declare_it(name: str, owners: set[str]) -> None:
    """Members in the second column, separated by commas."""
    column = listed((ROOT / TABLE).read_text(encoding="utf-8")).get(name, "")
    assert set(re.findall(r"[a-z-]+", re.sub(r"\(.*?\)", "", column))) == owners


def test_every_decision_is_in_the_index_and_every_member_in_the_reference() -> None:
    """What is not listed is not found."""
    pages = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("0*.md"))
    index = (ROOT / "docs" / "decisions" / "index.md").read_text(encoding="utf-8")
    assert [page for page in pages if f"({page})" not in index] == []
    navigation = str(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert [member.package for member in members() if f"python/{member.package}.md" not in navigation] == []
