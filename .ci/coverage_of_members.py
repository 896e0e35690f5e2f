"""Holds every member, not their average, to the branch coverage that pyproject.toml asks for.

Reads the data that the last test run with coverage left behind.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parent.parent
COUNTS = ("covered_lines", "covered_branches", "num_statements", "num_branches")


@dataclass(slots=True)
class Covered:
    """Lines and branches of one member: how many there are, and how many ran."""

    ran: int = 0
    all: int = 0

    @property
    def percent(self) -> float:
        """How much of the member ran; a member without code is covered."""
        return 100 * self.ran / self.all if self.all else 100.0


def by_member(report: str) -> dict[str, Covered]:
    """Sums coverage.py's JSON report up by member folder (`packages/core`)."""
    found: defaultdict[str, Covered] = defaultdict(Covered)
    files = cast("dict[str, dict[str, dict[str, int]]]", json.loads(report)["files"])
    for name, entry in files.items():
        lines, branches, statements, exits = (entry["summary"][count] for count in COUNTS)
        member = found["/".join(Path(name).parts[:2])]
        member.ran += lines + branches
        member.all += statements + exits
    return dict(found)


def main() -> int:
    """Prints each member's coverage; returns 1 when one is too low."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = float(settings["tool"]["coverage"]["report"]["fail_under"])
    with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
        command = [sys.executable, "-m", "coverage", "json", "-q", "--fail-under=0", "-o", file.name]
        subprocess.run(command, cwd=ROOT, check=True)
        members = by_member(file.read())
    for name, covered in sorted(members.items()):
        note = "" if covered.percent >= wanted else f"   below {wanted:g}"
        print(f"{name:26}{covered.percent:6.1f} %{note}")
    return 0 if members and all(covered.percent >= wanted for covered in members.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
