"""How fast large OpenAPI documents become tools, and how many tokens all of their tools take.

Runs alone too: `python tests/bench/tools_convert.py [NAME…]` prints each document whose file name holds one
of the names, the large ones of the corpus unless any are given. CPU time counts from the parsed document;
memory is truest for the first document of a run.
"""

import gc
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from conversion import corpus
from figure import Figure
from interlock_core import ToolSpec
from interlock_core.jsontypes import dump_json
from interlock_tools import load_file, openapi_to_tool_specs

LARGE = (
    "octokit-openapi-api.github.com",
    "stripe.com",
    "kubernetes.io.json",
    "amazonaws.com-ec2",
    "compute.json",
)
CHARACTERS_PER_TOKEN = 4
BOUNDS = {
    "octokit-openapi-api.github.com": (0.8, 40.0, 200_000.0),
    "stripe.com": (1.0, 100.0, None),
    "kubernetes.io.json": (1.0, 100.0, None),
    "amazonaws.com-ec2": (1.0, 100.0, None),
}


def tokens(tools: Sequence[ToolSpec]) -> tuple[float, float]:
    """Tokens of all tools and of the largest, four characters each."""
    sizes = [
        len(dump_json({"name": tool.name, "description": tool.description, "parameters": tool.parameters}))
        for tool in tools
    ]
    return sum(sizes) / CHARACTERS_PER_TOKEN, max(sizes, default=0) / CHARACTERS_PER_TOKEN


def resident_mb() -> float:
    """Memory of this process; 0 where the system does not tell."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4_096 / 1e6 if status.exists() else 0.0


def measured(path: Path, name: str) -> Iterator[Figure]:
    """The figures of one document."""
    bounds = BOUNDS.get(name, (None, None, None))
    loaded = load_file(path)
    gc.collect()
    before, started = resident_mb(), time.process_time()
    conversion = openapi_to_tool_specs(loaded)
    spent = time.process_time() - started
    grown = resident_mb() - before
    whole, largest = tokens(conversion.tools)
    title = f"{path.stem[:28]}, {len(conversion)} of {conversion.operations}"
    yield Figure(f"{title}: ready", spent, "s CPU", bounds[0])
    yield Figure(f"{title}: memory", grown, "MB", bounds[1])
    yield Figure(f"{title}: all tools", whole, "tokens", bounds[2])
    yield Figure(f"{title}: largest tool", largest, "tokens")
    yield Figure(f"{title}: folded", conversion.folded, "tools")


def figures(names: Sequence[str] = LARGE) -> Iterator[Figure]:
    """The figures of the documents whose file names hold one of the names."""
    for path in corpus():
        name = next((name for name in names if name in path.name), None)
        if name is not None:
            yield from measured(path, name)


def main() -> int:
    """Prints one row a figure as it comes."""
    for figure in figures(sys.argv[1:] or LARGE):
        print(figure, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
