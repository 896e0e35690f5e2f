"""Budgets under many processes: what they spend, what a vendor bills, and what the ledger says, compared.

Each case is a program of its own, `budgets/budget_run.py`, that forks its processes. The ledger is always in
the store; where a case says Redis, limits are counted there beside it, and the store is SQLite. By default
some cases are run, spread evenly, and all of them with INTERLOCK_FULL=1.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from interlock_core import JsonObject
from interlock_core.jsontypes import as_object, parse_json
from interlock_core.testing import postgres_database, valkey_url

from .harness.cases import Case, family
from .harness.seen import Seen, problems

FAMILIES = (41,)
PROGRAM = Path(__file__).parent / "budgets" / "budget_run.py"
FULL = os.environ.get("INTERLOCK_FULL") == "1"
MOST = 6
AWAY = "cache away, then back"
CASES = {case.id: case for case in family(41).cases}
SAMPLE = [*CASES] if FULL else [*CASES][:: len(CASES) // MOST]


@asynccontextmanager
async def places(case: Case, folder: Path) -> AsyncGenerator[dict[str, str], None]:
    """The store and the cache of a case."""
    sqlite = {"url": f"sqlite:///{folder / 'interlock.db'}", "cache": ""}
    if case.send["store"] == "PostgreSQL":
        async with postgres_database() as url:
            yield {"url": url, "cache": ""}
    elif case.send["store"] == "Redis":
        async with valkey_url() as cache:
            if case.send["scenario"] == AWAY:
                # One stands in between that can be taken away.
                (folder / "there").write_text(cache, "utf-8")
                yield {**sqlite, "cache": f"unix://{folder / 'between.sock'}"}
                return
            yield {**sqlite, "cache": cache}
    else:
        yield sqlite


async def carried_out(case: Case) -> tuple[JsonObject, str]:
    """What a case found, and what its processes complained of."""
    with tempfile.TemporaryDirectory() as folder:
        async with places(case, Path(folder)) as where:
            send = case.send
            wanted = {
                **where,
                "scenario": send["scenario"],
                "folder": folder,
                "processes": send["processes"],
                "callers": send["callers"],
                "limit": send["limit_micro_usd"],
                "bound": send["bound_micro_usd"],
            }
            program = await asyncio.create_subprocess_exec(
                *(sys.executable, str(PROGRAM), json.dumps(wanted)),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            told, complaints = await program.communicate()
    assert program.returncode == 0, complaints.decode()
    return as_object(parse_json(told)), complaints.decode()


@pytest.mark.promise("A8")
@pytest.mark.parametrize("key", SAMPLE)
async def test_no_budget_is_overshot_and_nobody_is_refused_who_had_room(key: str) -> None:
    """Whatever happens to processes, clocks, caches and answers meanwhile."""
    case = CASES[key]
    found, complaints = await carried_out(case)
    figures = {name: float(str(value)) for name, value in found.items()}
    facts = {
        "ledger >= bill": figures["below"] == 0,
        "drift == listed expired reservations": figures["drift"] == 0 and figures["held"] == 0,
        "overshoot <= bill above bound": figures["overshoot"] <= figures["excess"],
    }
    seen = Seen(figures={name: figures[name] for name in ("overshoot", "false_refusals")}, facts=facts)
    assert problems(case, seen) == [], (found, complaints)
    assert figures["ended_badly"] == 0, complaints
    assert figures["calls"] > 0
    killed = "killed" in str(case.send["scenario"])
    assert (figures["killed"] > 0, figures["listed"] > 0) == (killed, killed or _expiring(case))


def _expiring(case: Case) -> bool:
    """Whether reservations expire in a case though nobody is killed."""
    return str(case.send["scenario"]).startswith(("a refund of an expired", "clock of one process"))


def test_every_scenario_of_the_table_is_known() -> None:
    """And every kind of store is used."""
    known = (PROGRAM.parent / "budget_case.py").read_text("utf-8")
    assert {str(case.send["store"]) for case in CASES.values()} == {"SQLite", "PostgreSQL", "Redis"}
    assert [case.id for case in CASES.values() if f'"{case.send["scenario"]}"' not in known] == []
