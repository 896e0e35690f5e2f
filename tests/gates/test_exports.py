"""`__all__` of each member says what is there."""

from importlib import import_module

import pytest

from house.exports import declared_names, wrong_exports
from house.tree import Member, assert_none, members, relative


@pytest.mark.parametrize("member", members(), ids=lambda member: member.distribution)
def test_a_package_exports_exactly_what_it_says(member: Member) -> None:
    """The list is complete, and each name on it is really there."""
    path = member.source / "__init__.py"
    source = path.read_text(encoding="utf-8")
    assert_none(wrong_exports(relative(path), source))
    module = import_module(member.package)
    assert [name for name in declared_names(source) or [] if not hasattr(module, name)] == []


def test_a_name_that_is_public_and_unlisted_is_caught() -> None:
    """Definitions, assignments and imports from the workspace count; imports from elsewhere do not."""
    source = (
        "import os\nfrom typing import Any\nfrom ._a import B\nC = 1\ndef d(): ...\n_e = 2\n__all__ = []\n"
    )
    found = [finding.text.split()[0] for finding in wrong_exports("x.py", source)]
    assert found == ["B", "C", "d"]


def test_a_listed_name_that_is_not_there_is_caught() -> None:
    """Listed, and nowhere bound."""
    found = [finding.text for finding in wrong_exports("x.py", '__all__ = ["a", "b"]\na = 1\n')]
    assert found == ["`__all__` names b, which the module does not bind"]


def test_a_package_without_an_all_is_caught() -> None:
    """Silence exports everything."""
    assert list(wrong_exports("x.py", "a = 1\n"))


def test_a_name_that_is_loaded_lazily_counts() -> None:
    """A module's `__getattr__` may bring what the list names."""
    assert not list(wrong_exports("x.py", '__all__ = ["a"]\ndef __getattr__(name: str): ...\n'))
