"""How much processor time a command costs before it does anything."""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL

from figure import INTERLOCK, Figure, environment, median_cpu_ms
from upstream import Upstream

PACKAGES = (
    "core",
    "providers",
    "router",
    "tools",
    "pipeline",
    "skills",
    "security",
    "observability",
    "runtime",
)

CONFIGURATION = """
[providers.bench]
kind = "openai-compatible"
base_url = "{address}/v1"
models = ["echo"]
"""


def figures(runs: int) -> Iterator[Figure]:
    """The command line, from nothing to a request that leaves, and the import of each package."""
    bare = median_cpu_ms([sys.executable, "-c", "pass"], runs)
    yield Figure("python -c pass", bare, "ms CPU")
    yield Figure("interlock --version", median_cpu_ms([*INTERLOCK, "--version"], runs), "ms CPU", 50)
    yield Figure("interlock --help", median_cpu_ms([*INTERLOCK, "--help"], runs), "ms CPU", 150)
    yield Figure("interlock ask, until its request leaves", ask_ms(runs), "ms CPU", 350)
    for name in PACKAGES:
        command = [sys.executable, "-c", f"import interlock_{name}"]
        yield Figure(f"import interlock_{name}", median_cpu_ms(command, runs) - bare, "ms CPU")


def ask_ms(runs: int) -> float:
    """Processor time of `interlock ask` at the moment when its request reaches the model's server."""
    with tempfile.TemporaryDirectory() as folder, Upstream() as upstream:
        file = Path(folder) / "config.toml"
        file.write_text(CONFIGURATION.format(address=upstream.address))
        command = [*INTERLOCK, "--config", str(file), "ask", "Say hello.", "-m", "bench/echo"]
        variables = environment(INTERLOCK_HOME=str(Path(folder) / "home"))
        spent: list[float] = []
        # The first run makes the data folder; it is not counted.
        for _ in range(runs + 1):
            with subprocess.Popen(command, env=variables, stdin=DEVNULL, stdout=DEVNULL) as process:
                spent.append(upstream.cpu_ms_on_request(process.pid))
                process.wait(60)
            if process.returncode:
                raise subprocess.CalledProcessError(process.returncode, command)
        return statistics.median(spent[1:])
