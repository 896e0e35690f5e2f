"""What a member imports is what its manifest declares, and the other way round."""

import pytest

from house.declared import (
    Declared,
    Sources,
    distributions,
    undeclared,
    undeclared_in_tests,
    unimported,
)
from house.imports import imports_of
from house.tree import Member, assert_none, members, root_manifest, table

OWNERS = {
    "yaml": frozenset({"pyyaml"}),
    "openai": frozenset({"openai"}),
    "interlock_core": frozenset({"interlock-core"}),
}


def plugins(member: Member) -> set[str]:
    """The plug-in dependencies that the root manifest names for a member."""
    return set(table(root_manifest(), "tool", "interlock", "gates", "plugins", member.distribution))


def declared(*always: str, extras: tuple[str, ...] = ()) -> Declared:
    """A manifest that declares these."""
    return Declared(frozenset(always), frozenset(extras), frozenset())


def sources(**modules: str) -> Sources:
    """A package `interlock_x` with these modules; `init` is its `__init__`."""
    named = {
        "interlock_x." + ("__init__" if name == "init" else name): text for name, text in modules.items()
    }
    return Sources("interlock_x", named)


@pytest.mark.parametrize("member", members(), ids=lambda member: member.distribution)
def test_all_that_a_member_imports_is_declared(member: Member) -> None:
    """Third parties and members alike; extras only where importing the package does not need them."""
    assert_none(undeclared(Sources.of(member), Declared.of(member.manifest), distributions()))


@pytest.mark.parametrize("member", members(), ids=lambda member: member.distribution)
def test_all_that_a_member_declares_is_imported(member: Member) -> None:
    """Or stands in the table of plug-ins with a reason."""
    assert_none(
        unimported(Sources.of(member), Declared.of(member.manifest), distributions(), plugins(member))
    )


@pytest.mark.parametrize("member", members(), ids=lambda member: member.distribution)
def test_the_tests_of_a_member_need_only_what_it_declares(member: Member) -> None:
    """Its dependencies, its extras, and its group dev."""
    declaration = Declared.of(member.manifest)
    assert_none(undeclared_in_tests(member.tests, member.package, declaration, distributions()))


def test_each_plug_in_line_has_a_reason_and_a_member() -> None:
    """A name alone explains nothing."""
    listed = table(root_manifest(), "tool", "interlock", "gates", "plugins")
    assert set(listed) <= {member.distribution for member in members()}
    assert all(len(str(reason)) > 20 for name in listed for reason in table(listed, name).values())


def test_an_undeclared_import_is_caught_wherever_it_stands() -> None:
    """At the top, in a function, for types only, and of a member."""
    source = "import yaml\ndef f():\n    import openai\nif TYPE_CHECKING:\n    import interlock_core\n"
    found = list(undeclared(sources(init=source), declared(), OWNERS))
    assert [finding.line for finding in found] == [1, 3, 5]


def test_an_unknown_module_is_caught() -> None:
    """What no installed distribution brings cannot be declared."""
    assert list(undeclared(sources(init="import nowhere\n"), declared("pyyaml"), OWNERS))


def test_an_extra_that_importing_the_package_needs_is_caught() -> None:
    """Also when it is reached through another module, and not when only a function reaches it."""
    extra = declared(extras=("openai",))
    reached = sources(init="from ._a import b\n", _a="import openai\n")
    assert [finding.path for finding in undeclared(reached, extra, OWNERS)] == ["interlock_x._a"]
    lazy = sources(init="def f():\n    from interlock_x._a import b\n", _a="import openai\n")
    assert not list(undeclared(lazy, extra, OWNERS))


def test_a_member_imported_by_its_name_in_a_string_is_caught() -> None:
    """The import graph would not see that arrow."""
    source = 'from importlib import import_module\nimport_module("interlock_core.store")\n'
    assert list(undeclared(sources(init=source), declared("interlock-core"), OWNERS))
    own = 'from importlib import import_module\nimport_module("interlock_x._a")\n'
    assert not list(undeclared(sources(init=own), declared(), OWNERS))


def test_a_module_that_is_only_looked_for_needs_no_declaration_and_uses_one() -> None:
    """`find_spec` asks whether something is there; what it asks for counts as used where it is declared."""
    source = 'from importlib.util import find_spec\nfind_spec("yaml")\n'
    assert not list(undeclared(sources(init=source), declared(), OWNERS))
    assert not list(unimported(sources(init=source), declared("pyyaml"), OWNERS, set()))


def test_a_declaration_that_nothing_imports_is_caught_unless_a_plug_in_line_explains_it() -> None:
    """A plug-in line that explains nothing is caught as well."""
    empty = sources(init="")
    assert list(unimported(empty, declared("pyyaml"), OWNERS, set()))
    assert not list(unimported(empty, declared("pyyaml"), OWNERS, {"pyyaml"}))
    assert list(unimported(sources(init="import yaml\n"), declared("pyyaml"), OWNERS, {"pyyaml"}))


def test_relative_imports_are_read_from_the_package_of_the_module() -> None:
    """One dot is the package itself, two its parent."""
    found = imports_of("from . import a\nfrom ..b import c\n", "interlock_x.sub")
    assert [item.module for item in found] == [
        "interlock_x.sub",
        "interlock_x.sub.a",
        "interlock_x.b",
        "interlock_x.b.c",
    ]
