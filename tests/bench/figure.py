"""One measured figure, and how the processor time of a command is measured."""

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INTERLOCK = (str(Path(sys.executable).parent / "interlock"),)


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, and the bound that it should keep; None where there is none."""

    name: str
    value: float
    unit: str
    bound: float | None = None

    @property
    def missed(self) -> bool:
        """Whether it is above its bound."""
        return self.bound is not None and self.value > self.bound

    def __str__(self) -> str:
        bound = "" if self.bound is None else f"   bound {self.bound:g}{'   MISSED' if self.missed else ''}"
        return f"{self.name:52}{self.value:10.1f} {self.unit:8}{bound}"


def environment(**more: str) -> dict[str, str]:
    """The variables of a measured command: no vendor's key, no colours, and what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_TOKEN"))}
    return kept | {"NO_COLOR": "1"} | more


def cpu_ms(command: Sequence[str], *, variables: Mapping[str, str] | None = None) -> float:
    """Processor time of one run of a command and its children, in milliseconds.

    Raises:
        subprocess.CalledProcessError: The command failed; a failure is not a figure.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command, env=variables or environment(), check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def median_cpu_ms(command: Sequence[str], runs: int) -> float:
    """The median over several runs, after one that fills the caches."""
    cpu_ms(command)
    return statistics.median(cpu_ms(command) for _ in range(runs))
