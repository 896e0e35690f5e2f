"""How soon the tools of large OpenAPI documents are ready: cold, from the cache, beside FastMCP, and by size.

    INTERLOCK_BENCH_FASTMCP=DIR/bin/python python tests/bench/tools_ready.py [NAME…]

Each figure is of a process of its own: processor time from the start of the reading (imports are not in it)
until tools are listed, one is found and one is got, and the memory that this added. FastMCP is given the
document parsed already, and its time counts from there; so does the row of Interlock that stands beside it.
Nothing is installed: without the variable, which names the Python of an environment that holds FastMCP, its
rows are left out.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from conversion import corpus
from figure import Figure, environment

SETTING = "INTERLOCK_BENCH_FASTMCP"
NAMES = {
    "GitHub": ("octokit-openapi-api.github.com", 0.8, 40.0),
    "Stripe": ("stripe.com", 1.0, 100.0),
    "Kubernetes": ("kubernetes.io.json", 1.0, 100.0),
    "EC2": ("amazonaws.com-ec2", 1.0, 100.0),
}
WARM_BOUND_S = 0.1
SIZES = (1_000, 2_000, 4_000)

READY = """
import asyncio, gc, json, sys, time
from pathlib import Path
from interlock_tools import ToolRegistry

async def ready(path, cache):
    registry = ToolRegistry(cache=Path(cache))
    await registry.add(path, namespace="n")
    tools = registry.list()
    found = registry.search("create an issue") or tools
    registry.get(found[0].name)
    return registry, len(tools)

def memory():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

path, cache = sys.argv[1:]
asyncio.run(ready(sys.argv[0] + ".json", cache + "/imports"))
gc.collect()
before, started = memory(), time.process_time()
kept = asyncio.run(ready(path, cache))
spent = time.process_time() - started
print(json.dumps({"s": spent, "mb": memory() - before, "tools": kept[1]}))
"""
"""Reads a document into a registry, after a small one that loads every module."""

PARSED = """
import gc, json, sys, time
from pathlib import Path
from interlock_tools import load_file, openapi_to_tool_specs

def memory():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

openapi_to_tool_specs(load_file(sys.argv[0] + ".json"))
loaded = load_file(sys.argv[1])
gc.collect()
before, started = memory(), time.process_time()
kept = openapi_to_tool_specs(loaded)
spent = time.process_time() - started
print(json.dumps({"s": spent, "mb": memory() - before, "tools": len(kept)}))
"""
"""Converts a document that is parsed already."""

FASTMCP = """
import asyncio, gc, json, sys, time
from pathlib import Path
import httpx2
from fastmcp import FastMCP

def memory():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

async def ready(root):
    server = FastMCP.from_openapi(openapi_spec=root, client=httpx2.AsyncClient(base_url="http://x.example"))
    return server, len(await server.list_tools())

asyncio.run(ready(json.loads(Path(sys.argv[0] + ".json").read_bytes())))
root = json.loads(Path(sys.argv[1]).read_bytes())
gc.collect()
before, started = memory(), time.process_time()
kept = asyncio.run(ready(root))
spent = time.process_time() - started
print(json.dumps({"s": spent, "mb": memory() - before, "tools": kept[1]}))
"""
"""The same by FastMCP."""

SMALL = (
    '{"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": {"/a": {"get": '
    '{"operationId": "a", "responses": {"200": {"description": "ok"}}}}}}'
)
"""What every program reads before it is measured, so that imports are not in the figures."""


class Bench:
    """Runs the programs above.

    Args:
        folder: Where they and the cache lie.
        runs: How often each is run; the median counts.
    """

    def __init__(self, folder: Path, runs: int) -> None:
        self._folder = folder
        self._runs = runs

    def measured(
        self, program: str, *arguments: str, python: str = sys.executable
    ) -> tuple[float, float, int]:
        """Seconds, megabytes and tools of a program.

        Raises:
            subprocess.CalledProcessError: It failed.
        """
        script = self._folder / "program.py"
        script.write_text(program)
        Path(f"{script}.json").write_text(SMALL)
        found = [
            json.loads(
                subprocess.run(
                    [python, str(script), *arguments],
                    env=environment(),
                    capture_output=True,
                    check=True,
                    stdin=subprocess.DEVNULL,
                ).stdout
            )
            for _ in range(self._runs)
        ]
        seconds = statistics.median(each["s"] for each in found)
        return seconds, statistics.median(each["mb"] for each in found), found[0]["tools"]

    def named(self, title: str, path: Path, bounds: tuple[float, float]) -> Iterator[Figure]:
        """The figures of one document."""
        cache = str(self._folder / title)
        cold, cold_mb, tools = Bench(self._folder, 1).measured(READY, str(path), cache)
        warm, warm_mb, _ = self.measured(READY, str(path), cache)
        parsed, parsed_mb, _ = self.measured(PARSED, str(path))
        said = f"{title}, {tools} tools"
        yield Figure(f"{said}: from the file", cold, "s CPU")
        yield Figure(f"{said}: from the file, memory", cold_mb, "MB")
        yield Figure(f"{said}: from the cache", 1000 * warm, "ms CPU", 1000 * WARM_BOUND_S)
        yield Figure(f"{said}: from the cache, memory", warm_mb, "MB")
        yield Figure(f"{said}: converted", 1000 * parsed, "ms CPU", 1000 * bounds[0])
        yield Figure(f"{said}: converted, memory", parsed_mb, "MB", bounds[1])
        yield from self._peer(title, path, parsed)

    def _peer(self, title: str, path: Path, ours: float) -> Iterator[Figure]:
        python = os.environ.get(SETTING)
        if not python:
            return
        try:
            spent, grown, tools = Bench(self._folder, 1).measured(FASTMCP, str(path), python=python)
        except subprocess.CalledProcessError as exc:
            print(f"({title}: FastMCP fails: {str(exc.stderr)[-160:]})")
            return
        yield Figure(f"{title}, {tools} tools by FastMCP: converted", 1000 * spent, "ms CPU")
        yield Figure(f"{title}, {tools} tools by FastMCP: converted, memory", grown, "MB")
        yield Figure(f"{title}: FastMCP takes as long as Interlock", spent / ours, "times")

    def by_size(self) -> Iterator[Figure]:
        """The time of each operation of documents of one, two and four parts: the same, when it is linear."""
        for size in SIZES:
            path = self._folder / f"{size}.json"
            path.write_text(json.dumps(sized(size)))
            spent, grown, _ = self.measured(PARSED, str(path))
            yield Figure(f"{size} operations: each", 1e6 * spent / size, "us CPU")
            yield Figure(f"{size} operations: each, memory", 1e3 * grown / size, "kB")


def sized(operations: int) -> dict[str, object]:
    """A document of so many operations, each with parameters and a body of two schemas of its own."""
    paths = {
        f"/things{number}/{{id}}": {
            "post": {
                "operationId": f"change_thing{number}",
                "summary": f"Change thing {number}",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 1}},
                ],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/T{number}"}}}
                },
                "responses": {"200": {"description": "ok"}},
            }
        }
        for number in range(operations)
    }
    schemas: dict[str, object] = {}
    for number in range(operations):
        schemas[f"T{number}"] = {
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": f"Name of thing {number}."},
                "part": {"$ref": f"#/components/schemas/P{number}"},
            },
        }
        schemas[f"P{number}"] = {
            "type": "object",
            "properties": {"of": {"$ref": f"#/components/schemas/T{number}"}},
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def figures(runs: int, *, names: Sequence[str] = tuple(NAMES)) -> Iterator[Figure]:
    """The figures of the documents of these names, then those by size."""
    if not os.environ.get(SETTING):
        print(f"({SETTING} is not set: nothing stands beside these figures)")
    documents = corpus()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), min(runs, 5))
        for title in names:
            part, seconds, megabytes = NAMES[title]
            path = next((path for path in documents if part in path.name), None)
            if path is not None:
                yield from bench.named(title, path, (seconds, megabytes))
        yield from bench.by_size()


def main() -> int:
    """Prints one row a figure as it comes."""
    for figure in figures(5, names=sys.argv[1:] or tuple(NAMES)):
        print(figure, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
