"""Measures Interlock on this machine: `make bench`, with FULL=1 for the whole sizes.

Figures are CPU time (user and system) unless a row says otherwise, each the median of several runs, so that a
busy machine changes them little. A missed bound is told; nothing fails for it: another machine may be slower.
"""

import os
import sys
from collections.abc import Iterator

import attacks
import audit_append
import audit_crash
import audit_proofs
import audit_tamper
import cancel
import conversion
import gateway
import hidden_secrets
import hijacked
import limits
import metrics_record
import permissions
import providers
import quotas
import retrieval
import router_decide
import startup
import tool_prompt
import tools_ready
from figure import Figure


def figures(runs: int, *, full: bool) -> Iterator[Figure]:
    """Every measurement, in the order of the report."""
    yield from startup.figures(runs)
    yield from router_decide.figures(runs)
    yield from metrics_record.figures(runs, full=full)
    yield from audit_append.figures(full=full)
    yield from audit_proofs.figures(full=full)
    yield from audit_tamper.figures(full=full)
    yield from audit_crash.figures(full=full)
    yield from quotas.figures(full=full)
    yield from limits.figures(full=full)
    yield from hidden_secrets.figures(full=full)
    yield from permissions.figures(full=full)
    yield from conversion.figures(runs, full=full)
    yield from tools_ready.figures(runs, names=tuple(tools_ready.NAMES) if full else ("GitHub",))
    yield from gateway.figures(full=full)
    yield from cancel.figures(full=full)
    yield from providers.figures(runs)
    yield from tool_prompt.figures()
    if full:
        yield from retrieval.figures()
        yield from attacks.figures(full=True)
        yield from hijacked.figures()


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
