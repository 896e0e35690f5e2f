"""What is public says what it promises."""

import pytest

from house.docstrings import PERCENT, public_things
from house.tree import Member, members, python_files, relative


@pytest.mark.parametrize("member", members(), ids=lambda member: member.distribution)
def test_public_things_of_a_member_have_docstrings(member: Member) -> None:
    """At least 95 in a hundred, modules that start with an underscore included."""
    things = [
        (relative(path), *thing)
        for path in python_files(member.source)
        for thing in public_things(path.read_text(encoding="utf-8"))
    ]
    silent = [f"{path}:{line}: {name}" for path, line, name, documented in things if not documented]
    assert len(things) - len(silent) >= len(things) * PERCENT / 100, "\n".join(silent)


def test_a_public_method_without_a_docstring_is_seen() -> None:
    """Modules, classes, methods and functions count; private ones, overrides and nested functions do not."""
    source = '''"""Module."""
class A:
    """A."""
    def said(self): "says"
    def silent(self): ...
    def _private(self): ...
    @override
    def inherited(self): ...
async def also_silent():
    def nested(): ...
'''
    assert [name for _, name, documented in public_things(source) if not documented] == [
        "silent",
        "also_silent",
    ]


def test_an_empty_module_needs_no_docstring() -> None:
    """A package marker with nothing in it says nothing."""
    assert public_things("") == [(1, "module", True)]
