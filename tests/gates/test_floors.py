"""Four floors, no back arrow, no circle."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import grimp
import pytest

from house.cycles import circles
from house.tree import ROOT, members, root_manifest, strings, table, tables


def lint_imports(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs import-linter on the contracts that a folder's pyproject.toml holds."""
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
        "--no-cache",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@cache
def graph() -> dict[str, frozenset[str]]:
    """Which module of the workspace imports which, lazy and type-only imports included."""
    built = grimp.build_graph(*(member.package for member in members()), cache_dir=None)
    return {module: frozenset(built.find_modules_directly_imported_by(module)) for module in built.modules}


def test_every_contract_of_the_floors_holds() -> None:
    """The layers, and the independence of what shares a floor."""
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


def test_every_member_stands_on_a_floor() -> None:
    """A new member that no contract names would be free of them."""
    settings = table(root_manifest(), "tool", "importlinter")
    packages = {member.package for member in members()}
    assert set(strings(settings["root_packages"])) == packages
    floors = next(contract for contract in tables(settings["contracts"]) if contract["type"] == "layers")
    assert {name for layer in strings(floors["layers"]) for name in layer.split(" | ")} == packages


def test_no_module_stands_in_a_circle_of_imports() -> None:
    """Counted over every import, wherever it stands."""
    assert circles(graph()) == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("interlock_core", "interlock_router"),
        ("interlock_router", "interlock_tools"),
        ("interlock_tools", "interlock_runtime"),
        ("interlock_runtime", "interlock_cli"),
        ("interlock_cli", "interlock_api"),
        ("interlock_cli", "interlock_tools"),
    ],
)
def test_an_arrow_against_the_floors_is_caught(tmp_path: Path, importer: str, imported: str) -> None:
    """The contracts of this repository, run on packages of the same names with one arrow too many."""
    for member in members():
        (tmp_path / member.package).mkdir()
        (tmp_path / member.package / "__init__.py").write_text("")
    manifest = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(manifest)
    assert lint_imports(tmp_path).returncode == 0
    (tmp_path / importer / "lazy.py").write_text(f"def f() -> None:\n    import {imported}\n")
    assert lint_imports(tmp_path).returncode == 1


def test_a_circle_is_found_and_a_chain_is_not() -> None:
    """Through any number of modules; each circle once."""
    chain = {"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset[str]()}
    assert circles(chain) == []
    assert circles(chain | {"c": frozenset({"a"}), "d": frozenset({"a"})}) == [["a", "b", "c"]]
