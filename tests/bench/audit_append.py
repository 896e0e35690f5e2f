"""How fast the audit log takes records, durable before each is acknowledged, and how fast it is verified.

By itself: `python tests/bench/audit_append.py`, with FULL=1 for the whole sizes and for PostgreSQL too.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from figure import Figure
from interlock_core import Call, CallKind, Effect, Principal
from interlock_core.store import Store
from interlock_core.testing import postgres_database
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, FileWitness

WRITERS = (1, 64, 256)
RECORDS = 1_000_000
BOUND_CPU_US = 60.0
BOUND_VERIFY_US = 1e6 / 150_000
BOUND_RESTART_MS = 2_000.0
RUNS = 3
PRINCIPAL = Principal(user="local:bench", roles=frozenset({"developer"}), key_id="key_bench")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: records a second by the clock, and microseconds of CPU a record."""

    rate: float
    cpu_us: float


def call(number: int) -> Call:
    """A call as an agent makes it, with about half a kilobyte of arguments."""
    return Call(
        id=f"call_{number}",
        kind=CallKind.TOOL,
        name="github.createIssue",
        principal=PRINCIPAL,
        agent="planner",
        run="run_bench",
        effect=Effect.WRITE,
        trace_id="trace_bench",
        arguments={
            "owner": "octo",
            "repo": "demo",
            "title": f"Requirement {number}",
            "body": "The system shall keep a record of it. " * 10,
            "labels": ["requirement", "agent"],
        },
    )


async def appended(log: AuditLog, writers: int, records: int) -> Measured:
    """Append records from so many tasks at once."""
    numbers = iter(range(records))

    async def write() -> None:
        for number in numbers:
            await log.intent(call(number))

    clock, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(write() for _ in range(writers)))
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    return Measured(records / clock, cpu / records * 1e6)


async def restarted(url: str, home: Path) -> float:
    """Seconds from opening the store to the first acknowledged record, as a process that starts again."""
    clock = time.perf_counter()
    async with await Store.open(url, branches=[BRANCH]) as store:
        log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
        await log.note("bench.restarted", PRINCIPAL, {})
        clock = time.perf_counter() - clock
        await log.aclose()
    return clock


async def measure(
    kind: str, sizes: dict[int, int], whole: int
) -> tuple[dict[int, Measured], Measured, float]:
    """Appends for each number of writers, the median of three runs; one verification; a restart."""
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{home}/interlock.db"
        if kind == "postgresql":
            url = await stack.enter_async_context(postgres_database())
        store = await Store.open(url, branches=[BRANCH])
        stack.push_async_callback(store.aclose)
        log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
        stack.push_async_callback(log.aclose)
        await appended(log, 64, 500)
        rates: dict[int, Measured] = {}
        for writers, records in sizes.items():
            runs = [await appended(log, writers, records // RUNS) for _ in range(RUNS)]
            rates[writers] = Measured(
                statistics.median(run.rate for run in runs), statistics.median(run.cpu_us for run in runs)
            )
        if whole > sum(sizes.values()):
            await appended(log, max(WRITERS), whole - sum(sizes.values()))
        clock, cpu = time.perf_counter(), time.process_time()
        report = await log.verify()
        cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
        if not report.ok:
            raise RuntimeError(f"the log of this measurement does not verify: {report.problems}")
        await log.aclose()
        restart = statistics.median([await restarted(url, home) for _ in range(RUNS)])
        return rates, Measured(report.records / clock, cpu / report.records * 1e6), restart


def figures(*, full: bool) -> Iterator[Figure]:
    """Appends from 1, 64 and 256 writers, verification, and a restart."""
    sizes = {1: 2_000, 64: 30_000, 256: 60_000} if full else {1: 300, 64: 5_000, 256: 10_000}
    for kind in ("sqlite", "postgresql") if full else ("sqlite",):
        rates, verified, restart = asyncio.run(
            measure(kind, sizes, RECORDS if full and kind == "sqlite" else 0)
        )
        for writers, measured in rates.items():
            yield Figure(f"audit, {kind}, {writers} writers: appends", measured.rate, "1/s")
            bound = BOUND_CPU_US if writers == max(WRITERS) else None
            yield Figure(f"audit, {kind}, {writers} writers: each append", measured.cpu_us, "us CPU", bound)
        yield Figure(f"audit, {kind}: verified", verified.rate, "1/s")
        yield Figure(f"audit, {kind}: each record verified", verified.cpu_us, "us CPU", BOUND_VERIFY_US)
        yield Figure(f"audit, {kind}: restart to the first record", restart * 1e3, "ms", BOUND_RESTART_MS)


if __name__ == "__main__":
    for figure in figures(full=os.environ.get("FULL") == "1"):
        print(figure, flush=True)
