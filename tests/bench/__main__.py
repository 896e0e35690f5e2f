"""Measures Interlock on this machine: `make bench`, with FULL=1 for the whole sizes.

Figures are CPU time (user and system) unless a row says otherwise, each the median of several runs, so that a
busy machine changes them little. A missed bound is told; nothing fails for it: another machine may be slower.
"""

import os
import sys
from collections.abc import Iterator

import audit_append
import cancel
import conversion
import gateway
import providers
import router_decide
import startup
from figure import Figure


def figures(runs: int, *, full: bool) -> Iterator[Figure]:
    """Every measurement, in the order of the report."""
    yield from startup.figures(runs)
    yield from router_decide.figures(runs)
    yield from audit_append.figures(full=full)
    yield from conversion.figures(runs, full=full)
    yield from gateway.figures(full=full)
    yield from cancel.figures(full=full)
    yield from providers.figures(runs)


def main() -> int:
    """Prints one row a figure as it comes."""
    full = os.environ.get("INTERLOCK_BENCH_FULL") == "1"
    runs = 21 if full else 7
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, median of {runs} runs\n")
    missed = 0
    for figure in figures(runs, full=full):
        print(figure, flush=True)
        missed += figure.missed
    print(f"\n{missed} bounds missed." if missed else "\nEvery bound is kept.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
