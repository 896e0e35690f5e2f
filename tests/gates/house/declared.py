"""Real imports against each member's manifest: what is imported is declared, what is declared is imported."""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from house.imports import Import, imports_of
from house.tree import Finding, Member, Table, members, python_files, relative, strings, table

_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")


def normal(name: str) -> str:
    """A distribution's name in its one normal spelling."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements: list[str]) -> set[str]:
    """The distributions that requirement lines name."""
    return {normal(match[1]) for line in requirements if (match := _NAME.match(line))}


@dataclass(frozen=True, slots=True)
class Declared:
    """The distributions that a manifest names, by where it names them."""

    always: frozenset[str]
    extras: frozenset[str]
    development: frozenset[str]

    @classmethod
    def of(cls, manifest: Table) -> "Declared":
        """Reads a member's pyproject.toml."""
        project = table(manifest, "project")
        extras = table(project, "optional-dependencies")
        groups = table(manifest, "dependency-groups")
        return cls(
            frozenset(named(strings(project.get("dependencies")))),
            frozenset(name for lines in extras.values() for name in named(strings(lines))),
            frozenset(
                named(
                    [line for lines in groups.values() for line in strings(lines) if not line.startswith("{")]
                )
            ),
        )


@cache
def distributions() -> Mapping[str, frozenset[str]]:
    """Which distributions bring each top-level package: those installed here, and the members."""
    found = {top: frozenset(map(normal, names)) for top, names in packages_distributions().items()}
    return found | {member.package: frozenset({member.distribution}) for member in members()}


@dataclass(frozen=True, slots=True)
class Sources:
    """The modules of one import package: name to source text."""

    package: str
    modules: Mapping[str, str]
    paths: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, member: Member) -> "Sources":
        """Reads a member's import package."""
        modules: dict[str, str] = {}
        paths: dict[str, str] = {}
        for path in python_files(member.source):
            parts = [member.package, *path.relative_to(member.source).with_suffix("").parts]
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            is_package = path.name == "__init__.py"
            modules[name + (".__init__" if is_package else "")] = path.read_text(encoding="utf-8")
            paths[name + (".__init__" if is_package else "")] = relative(path)
        return cls(member.package, modules, paths)

    def path(self, module: str) -> str:
        """Where a module is, for a finding."""
        return self.paths.get(module, module)

    def imports(self, module: str) -> list[Import]:
        """What a module imports, itself seen from its package."""
        return imports_of(self.modules[module], module.rpartition(".")[0])

    def eager(self) -> set[str]:
        """The modules that run when the package itself is imported."""
        waiting, seen = [f"{self.package}.__init__"], set[str]()
        while waiting:
            module = waiting.pop()
            if module in seen or module not in self.modules:
                continue
            seen.add(module)
            for found in self.imports(module):
                if found.eager and found.top == self.package:
                    waiting += [found.module, f"{found.module}.__init__"]
        return seen


def undeclared(
    sources: Sources, declared: Declared, owners: Mapping[str, frozenset[str]]
) -> Iterator[Finding]:
    """Imports of what is not declared, of an extra that is not lazy, and of a member by name."""
    eager_modules = sources.eager()
    for module in sources.modules:
        for found in sources.imports(module):
            if found.probe or found.top == sources.package or found.top in sys.stdlib_module_names:
                continue
            names = owners.get(found.top, frozenset({normal(found.top)}))
            if found.by_name and found.top.startswith("interlock_"):
                text = (
                    f"{found.top} is imported by its name in a string, where the import graph cannot see it"
                )
                yield Finding(sources.path(module), found.line, text)
            elif names & declared.always:
                continue
            elif not names & declared.extras:
                text = (
                    f"{found.top} ({'/'.join(sorted(names))}) is not declared in the member's pyproject.toml"
                )
                yield Finding(sources.path(module), found.line, text)
            elif found.eager and module in eager_modules:
                text = f"{found.top} is an extra, and {sources.package} needs it at once: import it lazily"
                yield Finding(sources.path(module), found.line, text)


def unimported(
    sources: Sources, declared: Declared, owners: Mapping[str, frozenset[str]], plugins: set[str]
) -> Iterator[Finding]:
    """What is declared, not imported and without a plug-in line; plug-in lines that explain nothing."""
    used = {
        name
        for module in sources.modules
        for found in sources.imports(module)
        for name in owners.get(found.top, frozenset[str]())
    }
    own = sources.package.replace("_", "-")
    for name in sorted((declared.always | declared.extras) - used - plugins - {own}):
        text = f"{name} is declared, not imported: drop it, or reason in [tool.interlock.gates.plugins]"
        yield Finding(sources.package, 0, text)
    for name in sorted(plugins - ((declared.always | declared.extras) - used)):
        yield Finding(sources.package, 0, f"the plug-in line for {name} is not needed: drop it")


def undeclared_in_tests(
    tests: Path, package: str, declared: Declared, owners: Mapping[str, frozenset[str]]
) -> Iterator[Finding]:
    """Imports of a member's tests that its own environment would not have."""
    known = declared.always | declared.extras | declared.development
    for path in python_files(tests):
        for found in imports_of(path.read_text(encoding="utf-8")):
            if found.top in {package, ""} or found.top in sys.stdlib_module_names:
                continue
            names = owners.get(found.top, frozenset({normal(found.top)}))
            if not names & known:
                text = f"{found.top} ({'/'.join(sorted(names))}) is in no dependency, nor in the group dev"
                yield Finding(relative(path), found.line, text)
