"""How fast the audit log takes records and is verified, and how soon a gateway with a long log is ready.

Records are written as the runtime writes them: an intent and an outcome for each call of a tool, through the
redactor with all that it looks for by default, and durable before each is acknowledged. A restart is a
gateway that is killed and started again on the log, up to `GET /readyz`. The loop is uvloop's, as it is in
the gateway. CPU time is this process's own: what a database server spends is not in it. By itself:
`python tests/bench/audit_append.py`, with FULL=1 for 1,000,000 records. PostgreSQL is measured where
INTERLOCK_TEST_POSTGRES_URL names a server.
"""

import asyncio
import os
import random
import signal
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from figure import Figure
from interlock_api.testing import GatewayProcess, talk
from interlock_core import Call, CallKind, Effect, Outcome, Principal, Secret
from interlock_core.ids import new_id
from interlock_core.store import Store
from interlock_core.testing import postgres_database
from interlock_security import (
    BRANCH,
    WITNESS_FILE,
    AuditLog,
    Detection,
    FileWitness,
    KnownSecretRedactor,
)

SERVER = "INTERLOCK_TEST_POSTGRES_URL"
WRITERS = (64, 256)
RUNS = 5
RESTARTS = 3
BOUND_CPU_US = 60.0
BOUND_VERIFY_US = 1e6 / 150_000
BOUND_RESTART_MS = 2_000.0
WORDS = (
    *(
        "the",
        "system",
        "shall",
        "keep",
        "a",
        "record",
        "of",
        "each",
        "request",
        "and",
        "tell",
        "whoever",
        "asks",
        "for",
        "it",
        "later",
        "which",
        "part",
    ),
    *(
        "of",
        "plan",
        "belongs",
        "to",
        "who",
        "wanted",
        "done",
        "what",
        "came",
        "in",
        "end",
        "before",
        "anything",
        "else",
        "is",
        "tried",
    ),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: records a second by the clock, and microseconds of CPU a record."""

    rate: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Made:
    """A call of a tool as an agent makes it, and what comes of it."""

    call: Call
    outcome: Outcome


def made(count: int) -> list[Made]:
    """Calls by a handful of people, each with half a kilobyte of arguments, and a short answer to each."""
    draw = random.Random(20261123)
    people = [
        Principal(
            user=f"local:user{number}",
            roles=frozenset({"developer"}),
            key_id=new_id("key"),
            team=f"team-{number % 3}",
        )
        for number in range(8)
    ]
    # The calls of a run follow each other.
    runs = [(new_id("run"), f"{draw.getrandbits(128):032x}") for _ in range(count // 8 + 1)]
    return [_made(number, draw, people, runs) for number in range(count)]


def _made(
    number: int, draw: random.Random, people: Sequence[Principal], runs: Sequence[tuple[str, str]]
) -> Made:
    run, trace = runs[number // 8]
    text = " ".join(draw.choices(WORDS, k=80))
    call = Call(
        id=new_id("call"),
        kind=CallKind.TOOL,
        name=draw.choice(("github.createIssue", "github.updateIssue", "jira.addComment")),
        principal=draw.choice(people),
        agent="planner",
        run=run,
        effect=Effect.WRITE,
        category="issues",
        trace_id=trace,
        arguments={
            "owner": "octo",
            "repo": "demo",
            "title": f"Requirement {number}: {text[:40]}",
            "body": f"{text}.",
            "labels": ["requirement", "agent"],
            "assignees": [f"user{number % 50}"],
            "draft": False,
        },
    )
    answer = (
        f'{{"number":{number},"state":"open","title":"Requirement {number}","comments":0,"locked":false}}'
    )
    return Made(call, Outcome(ok=True, status=201, duration_s=draw.random(), summary=answer))


async def appended(log: AuditLog, writers: int, records: int) -> Measured:
    """Append records from so many tasks at once, two for each call."""
    calls = made(records // 2)
    waiting = iter(calls)

    async def write() -> None:
        for item in waiting:
            await log.outcome(await log.intent(item.call), item.outcome)

    clock, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(write() for _ in range(writers)))
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    return Measured(2 * len(calls) / clock, cpu / (2 * len(calls)) * 1e6)


@asynccontextmanager
async def opened(url: str, home: Path) -> AsyncGenerator[AuditLog, None]:
    """A log as the runtime opens it, with a few secrets known."""
    redactor = KnownSecretRedactor(
        [
            Secret(f"{number}-{random.Random(number).getrandbits(160):040x}", name=f"s{number}")
            for number in range(20)
        ],
        detection=Detection(),
    )
    async with await Store.open(url, branches=[BRANCH]) as store:
        log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE), redactor=redactor)
        yield log
        await log.aclose()


def restarted(url: str, home: Path) -> float:
    """Milliseconds from starting a gateway on the log to its word that it is ready."""
    config = f'[store]\nurl = "{url}"\n'
    clock = time.perf_counter()
    with GatewayProcess(home, config=config) as gateway:
        asked = f"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1:{gateway.port}\r\nconnection: close\r\n\r\n"
        (answer,) = asyncio.run(talk(gateway.port, asked.encode()))
        clock = time.perf_counter() - clock
        if answer.status != 200:
            raise RuntimeError(f"The gateway is not ready: {answer}")
        gateway.send(signal.SIGKILL)
    return clock * 1e3


async def measure(url: str, home: Path, records: int) -> tuple[dict[int, list[Measured]], Measured, int]:
    """Appends of so many writers, several times each in turn, up to so many records; then a verification."""
    async with opened(url, home) as log:
        await appended(log, 64, 1_000)
        size = min(records // (2 * RUNS * len(WRITERS)), 20_000)
        runs: dict[int, list[Measured]] = {writers: [] for writers in WRITERS}
        for _ in range(RUNS):
            for writers in WRITERS:
                runs[writers].append(await appended(log, writers, size))
        left = records - 1_000 - RUNS * len(WRITERS) * size
        while left > 0:
            await appended(log, max(WRITERS), min(left, 50_000))
            left -= 50_000
        clock, cpu = time.perf_counter(), time.process_time()
        report = await log.verify()
        cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
        if not report.ok:
            raise RuntimeError(f"the log of this measurement does not verify: {report.problems}")
        return runs, Measured(report.records / clock, cpu / report.records * 1e6), report.records


async def _measured(kind: str, records: int) -> list[Figure]:
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "home"
        home.mkdir(mode=0o700)
        url = f"sqlite:///{home}/interlock.db"
        if kind == "postgresql":
            url = await stack.enter_async_context(postgres_database())
        runs, verified, count = await measure(url, home, records)
        found: list[Figure] = []
        for writers, each in runs.items():
            rate, cpu_us = (
                statistics.median(run.rate for run in each),
                statistics.median(run.cpu_us for run in each),
            )
            found.append(Figure(f"audit, {kind}, {writers} writers: appends", rate, "1/s"))
            bound = BOUND_CPU_US if writers == max(WRITERS) else None
            found.append(Figure(f"audit, {kind}, {writers} writers: each append", cpu_us, "us CPU", bound))
        found.append(Figure(f"audit, {kind}: verified", verified.rate, "1/s"))
        found.append(
            Figure(f"audit, {kind}: each record verified", verified.cpu_us, "us CPU", BOUND_VERIFY_US)
        )
        ready = statistics.median([await asyncio.to_thread(restarted, url, home) for _ in range(RESTARTS)])
        found.append(Figure(f"audit, {kind}: ready on {count:,} records", ready, "ms", BOUND_RESTART_MS))
        return found


def figures(*, full: bool) -> Iterator[Figure]:
    """Appends from 64 and 256 writers, verification, and a restart on the log."""
    for kind in ("sqlite", "postgresql"):
        if kind == "postgresql" and SERVER not in os.environ:
            yield Figure(f"audit, {kind}: not measured, {SERVER} is not set", 0, "")
        else:
            yield from uvloop.run(_measured(kind, 1_000_000 if full else 50_000))


if __name__ == "__main__":
    for figure in figures(full=os.environ.get("FULL") == "1"):
        print(figure, flush=True)
