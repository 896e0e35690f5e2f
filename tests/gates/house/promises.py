"""The manifest of promises: what is built, what is open, and which tests prove it."""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from house.tree import Finding, Table, strings, table

MANIFEST = "tests/promises.toml"


def _ids(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(1, count + 1)]


MISSION = frozenset(
    [
        *_ids("O", 16),
        *_ids("P", 5),
        *_ids("R", 6),
        *_ids("M", 4),
        *_ids("T", 7),
        "S1",
        *_ids("W", 5),
        *_ids("A", 10),
        *_ids("D", 3),
        *_ids("G", 5),
        "C1",
    ]
)
"""Every id that the project promises; a promise is never dropped from here."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One entry of the manifest."""

    says: str
    built: bool
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest, with the number of open entries that it admits to."""

    open_at_most: int
    promises: Mapping[str, Promise]

    @classmethod
    def parse(cls, text: str) -> "Manifest":
        """Reads the text of promises.toml."""
        document: Table = tomllib.loads(text)
        entries = {name: table(document, name) for name in document if isinstance(document[name], dict)}
        promises = {
            name: Promise(
                str(entry.get("says", "")), entry.get("status") == "built", tuple(strings(entry.get("tests")))
            )
            for name, entry in entries.items()
        }
        return cls(int(str(document.get("open-at-most", 0))), promises)


def _marks(decorators: list[ast.expr]) -> Iterator[str]:
    for node in decorators:
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.promise"):
            yield from (str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))


def _module_marks(module: ast.Module) -> list[str]:
    """Ids in a `pytestmark` at the top of a file, which hold for each of its tests."""
    found: list[str] = []
    for node in module.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            values = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
            found += _marks(values)
    return found


def claims(path: str, source: str) -> dict[str, set[str]]:
    """Which ids the tests of a file claim: node id (`path::test`, `path::Class::test`) to promise ids."""
    module = ast.parse(source)
    found: dict[str, set[str]] = {}

    def collect(body: list[ast.stmt], prefix: str, inherited: list[str]) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                collect(node.body, f"{prefix}::{node.name}", [*inherited, *_marks(node.decorator_list)])
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                found[f"{prefix}::{node.name}"] = {*inherited, *_marks(node.decorator_list)}

    collect(module.body, path, _module_marks(module))
    return {test: ids for test, ids in found.items() if ids}


def broken(manifest: Manifest, claimed: Mapping[str, set[str]]) -> Iterator[Finding]:
    """Every way in which the manifest and the tests disagree."""
    yield from _broken_list(manifest)
    for test, ids in sorted(claimed.items()):
        for name in sorted(ids - manifest.promises.keys()):
            yield Finding(MANIFEST, 0, f"{test} names {name}, which is no promise")
    for name, promise in manifest.promises.items():
        if promise.built and not promise.tests:
            yield Finding(MANIFEST, 0, f"{name} is built, and no test proves it")
        for test in promise.tests:
            if name not in claimed.get(test, set[str]()):
                text = f'{name} lists {test}, which does not exist or lacks @pytest.mark.promise("{name}")'
                yield Finding(MANIFEST, 0, text)
        if promise.built:
            for test in sorted(
                test for test, ids in claimed.items() if name in ids and test not in promise.tests
            ):
                yield Finding(MANIFEST, 0, f"{test} claims {name}, which is built and does not list it")


def _broken_list(manifest: Manifest) -> Iterator[Finding]:
    for name in sorted(MISSION - manifest.promises.keys()):
        yield Finding(MANIFEST, 0, f"{name} is promised and not listed")
    for name in sorted(manifest.promises.keys() - MISSION):
        yield Finding(MANIFEST, 0, f"{name} is listed and not promised")
    still_open = sum(not promise.built for promise in manifest.promises.values())
    if still_open != manifest.open_at_most:
        text = f"{still_open} promises are open and open-at-most is {manifest.open_at_most}"
        yield Finding(MANIFEST, 0, text)
