"""What the repository holds: its members, its files, and how a finding is told."""

import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parents[3]
CODE_FOLDERS = ("packages", "apps", "tests", "docs", ".ci")

Table = dict[str, object]
"""A table of a TOML file."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule: where, and what to do about it."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Member:
    """One distribution of the workspace."""

    distribution: str
    package: str
    folder: Path

    @property
    def source(self) -> Path:
        """The folder of the import package."""
        return self.folder / "src" / self.package

    @property
    def tests(self) -> Path:
        """The folder of its own tests."""
        return self.folder / "tests"

    @property
    def manifest(self) -> Table:
        """Its pyproject.toml."""
        return tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))


def report(findings: Iterable[Finding]) -> str:
    """The findings, one a line; empty when there are none."""
    return "\n".join(str(finding) for finding in findings)


def assert_none(findings: Iterable[Finding]) -> None:
    """Fails a test with every finding, one a line.

    Raises:
        AssertionError: There are findings.
    """
    if text := report(findings):
        raise AssertionError(text)


def table(value: object, *keys: str) -> Table:
    """The nested table under `keys`; empty where one is missing."""
    for key in keys:
        value = cast("Table", value).get(key, {})
    return cast("Table", value)


def tables(value: object) -> list[Table]:
    """The value as a list of tables; empty for None."""
    return [table(item) for item in cast("list[object]", value or [])]


def strings(value: object) -> list[str]:
    """The value as a list of strings; empty for None."""
    return [str(item) for item in cast("list[object]", value or [])]


@cache
def root_manifest() -> Table:
    """The root pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def members() -> tuple[Member, ...]:
    """Every member of the workspace, as the root manifest lists them."""
    found: list[Member] = []
    for pattern in strings(table(root_manifest(), "tool", "uv", "workspace").get("members")):
        for folder in sorted(ROOT.glob(pattern)):
            if (folder / "pyproject.toml").is_file():
                project = table(
                    tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")), "project"
                )
                distribution = str(project["name"])
                found.append(Member(distribution, distribution.replace("-", "_"), folder))
    return tuple(found)


def relative(path: Path) -> str:
    """The path as seen from the root, where it lies under it."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()


def python_files(*folders: Path) -> Iterator[Path]:
    """Every Python file under the folders (all folders with code when none is given), sorted."""
    for folder in folders or tuple(ROOT / name for name in CODE_FOLDERS):
        for path in sorted(folder.rglob("*.py")):
            if not {"__pycache__", "node_modules"} & set(path.parts):
                yield path


@cache
def repository_files() -> tuple[Path, ...]:
    """Every file that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in sorted(set(listed.split("\0"))) if name)
    return tuple(path for path in paths if path.is_file())
