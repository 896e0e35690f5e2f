"""Agents of AgentDojo under the default policy: what hijacked ones got done, and what honest ones did not.

`python tests/bench/hijacked.py` runs each injection task with every user task (949 pairs), and every user
task with an honest agent whose user says yes to what the task takes and to nothing else; the name of a suite
as an argument runs that one alone.
"""

import asyncio
import logging
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from figure import ROOT, Figure

if TYPE_CHECKING:
    from tests.attacks.agentdojo.report import Report


def figures(names: Sequence[str] = ()) -> Iterator[Figure]:
    """What passed through and what was not done, suite by suite, then in all."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    from tests.attacks.agentdojo import package, report

    logging.getLogger("interlock").setLevel(logging.ERROR)
    found: list[Report] = []
    for name in names or package.SUITES:
        with tempfile.TemporaryDirectory() as folder:
            found.append(asyncio.run(report.report(name, Path(folder))))
        yield from _rows(name, found[-1:])
    if len(found) > 1:
        yield from _rows("all", found)


def _rows(name: str, found: Sequence["Report"]) -> Iterator[Figure]:
    for one in found if name != "all" else ():
        for wrong in (*one.passed, *one.unfair, *one.undone):
            print(f"{one.suite}: {wrong}", file=sys.stderr)
    tried = sum(len(one.tried) for one in found)
    said = sum(len(one.said) for one in found)
    doable = sum(len(one.doable) for one in found)
    asked = [served.asked for one in found for served in one.served]
    yield Figure(f"agentdojo {name}: of {tried} hijacked", sum(len(one.passed) for one in found), "passed", 0)
    yield Figure(f"agentdojo {name}: no fair try", sum(len(one.unfair) for one in found), "pairs", 0)
    if said:
        spoken = sum(attack.passed for one in found for attack in one.said)
        yield Figure(f"agentdojo {name}: of {said} that only want words", spoken, "said")
    undone = sum(len(one.undone) for one in found)
    yield Figure(f"agentdojo {name}: of {doable} user tasks", undone, "undone", 0)
    yield Figure(f"agentdojo {name}: approvals a user task, median", statistics.median(asked), "asked")
    yield Figure(f"agentdojo {name}: approvals a user task, mean", statistics.fmean(asked), "asked")
    yield Figure(f"agentdojo {name}: approvals a user task, most", max(asked), "asked")
    if name == "all":
        passed = sum(len(one.passed) for one in found)
        print(f"tried {tried}, passed through {passed}, usability {doable - undone}/{doable}")


if __name__ == "__main__":
    for figure in figures(sys.argv[1:]):
        print(figure, flush=True)
