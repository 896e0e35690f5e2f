"""How fast OpenAPI documents become tools."""

import json
import os
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from figure import INTERLOCK, ROOT, Figure, cpu_ms, environment

SUFFIXES = {".json", ".yaml", ".yml"}


def corpus() -> list[Path]:
    """The documents of the corpus: `$INTERLOCK_CORPUS`, else `../shared/corpus` beside the checkout."""
    folder = Path(os.environ.get("INTERLOCK_CORPUS", ROOT.parent / "shared" / "corpus")) / "openapi" / "dev"
    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)


def figures(runs: int, *, full: bool) -> Iterator[Figure]:
    """One document that ships with the project, then the corpus: forty of its documents, or all of them."""
    documents = corpus()
    if not documents:
        print("(no corpus here: set INTERLOCK_CORPUS to measure the conversion of real documents)")
        return
    chosen = documents if full else documents[:: max(1, len(documents) // 40)]
    command = [*INTERLOCK, "tools", "convert", *map(str, chosen), "--for", "openai", "--json"]
    converted = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    report = cast("list[dict[str, int]]", json.loads(converted.stdout)["documents"])
    operations = sum(entry["operations"] for entry in report)
    tools = sum(entry["converted"] for entry in report)
    name = f"tools convert, {len(chosen)} documents, {operations} operations"
    yield Figure(f"{name}: converted", 100 * tools / max(1, operations), "%")
    if all(entry["ok"] for entry in report):
        spent = statistics.median(cpu_ms(command) for _ in range(3 if full else min(runs, 3)))
        yield Figure(f"{name}: each operation", 1000 * spent / max(1, operations), "us CPU")
