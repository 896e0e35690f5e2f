"""Whether limits hold: four processes of sixteen workers against one counter, judged by the log of events.

Each process writes down every decision with its moment by the server's clock. Afterwards no window of the
stated length may hold more than the limit, and every refusal must have been for a full window. By itself:
`python tests/bench/limits.py`, with FULL=1 for longer runs and for PostgreSQL too.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from figure import Figure, environment
from interlock_core.store import Store
from interlock_core.testing import postgres_database, valkey_url
from interlock_security import BRANCH
from interlock_security.limits import Claim, LimitBackend, StoreBackend, ValkeyBackend

PROCESSES = 4
WORKERS = 16
WINDOW_US = 500_000
LIMITS = {"all": 150, "user-0": 60, "user-1": 60, "user-2": 60, "user-3": 60}


@dataclass(frozen=True, slots=True)
class Decision:
    """One call that asked for its share: when, of which counters, and which of them had no room."""

    at: int
    keys: tuple[str, ...]
    full: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the log of a run says.

    Attributes:
        checks: Calls that asked.
        passed: Those that passed.
        worst: The largest part of a limit that any window of its length held; 1 is all of it.
        overs: Windows that held more than their limit.
        false_refusals: Calls that were refused while every counter had room.
        cpu_us: Processor time of a check, in the processes that asked.
    """

    checks: int
    passed: int
    worst: float
    overs: int
    false_refusals: int
    cpu_us: float


async def opened(url: str, stack: AsyncExitStack) -> LimitBackend:
    """The backend at an address."""
    if not url.startswith(("sqlite:", "postgresql:")):
        backend: LimitBackend = ValkeyBackend(url)
    else:
        store = await stack.enter_async_context(await Store.open(url, branches=[BRANCH]))
        backend = StoreBackend(store)
    stack.push_async_callback(backend.aclose)
    return backend


async def worked(url: str, run: str, seconds: float, number: int) -> tuple[list[Decision], float]:
    """Sixteen workers that ask as fast as they are answered."""
    found: list[Decision] = []
    async with AsyncExitStack() as stack:
        backend = await opened(url, stack)
        until = time.monotonic() + seconds

        async def work(worker: int) -> None:
            turn = 0
            while time.monotonic() < until:
                turn += 1
                keys = ("all", f"user-{(number + worker + turn) % 4}")
                claims = [Claim(key=run + key, limit=LIMITS[key], span_us=WINDOW_US) for key in keys]
                answer = await backend.take(claims, "bench")
                full = [key for key, seen in zip(keys, answer.readings, strict=True) if seen.wait_us != 0]
                found.append(Decision(answer.at_us, keys, tuple(full)))

        cpu = time.process_time()
        await asyncio.gather(*(work(worker) for worker in range(WORKERS)))
        return found, time.process_time() - cpu


def judged(decisions: Sequence[Decision], cpu_s: float) -> Verdict:
    """The verdict on the log of all processes."""
    entered: dict[str, list[int]] = defaultdict(list)
    for decision in decisions:
        for key in () if decision.full else decision.keys:
            entered[key].append(decision.at)
    worst, overs = 0.0, 0
    for key, moments in entered.items():
        moments.sort()
        for first, moment in enumerate(moments):
            held = bisect_left(moments, moment + WINDOW_US) - first
            worst = max(worst, held / LIMITS[key])
            overs += held > LIMITS[key]
    refused = [decision for decision in decisions if decision.full]
    false = sum(not any(_full(entered[key], key, one.at) for key in one.full) for one in refused)
    return Verdict(
        checks=len(decisions),
        passed=len(decisions) - len(refused),
        worst=worst,
        overs=overs,
        false_refusals=false,
        cpu_us=cpu_s / max(1, len(decisions)) * 1e6,
    )


def _full(moments: Sequence[int], key: str, at: int) -> bool:
    """Whether the window that ends at a moment is full by the log."""
    return bisect_right(moments, at) - bisect_right(moments, at - WINDOW_US) >= LIMITS[key]


async def measured(kind: str, seconds: float) -> Verdict:
    """One run on a kind of backend."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        if kind == "valkey":
            url = await stack.enter_async_context(valkey_url())
        elif kind == "postgresql":
            url = await stack.enter_async_context(postgres_database())
        else:
            url = f"sqlite:///{folder}/limits.db"
        if kind != "valkey":
            await (await Store.open(url, branches=[BRANCH])).aclose()
        run = f"bench-{os.getpid()}-{time.monotonic_ns()}-"
        commands = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, str(Path(__file__)), "work", url, run, str(seconds), str(number)),
                stdout=subprocess.PIPE,
                env=environment(),
                cwd=str(Path(__file__).parent),
            )
            for number in range(PROCESSES)
        ]
        told = [(await command.communicate())[0] for command in commands]
    if any(command.returncode for command in commands):
        raise RuntimeError("a process of this measurement failed")
    decisions: list[Decision] = []
    cpu_s = 0.0
    for text in told:
        read = cast("tuple[list[tuple[int, list[str], list[str]]], float]", json.loads(text))
        decisions += [Decision(at, tuple(keys), tuple(full)) for at, keys, full in read[0]]
        cpu_s += read[1]
    return judged(decisions, cpu_s)


def figures(*, full: bool) -> Iterator[Figure]:
    """Windows that held too much, calls that were refused without need, and the cost of a check."""
    for kind in ("valkey", "sqlite", "postgresql") if full else ("valkey", "sqlite"):
        verdict = asyncio.run(measured(kind, 30.0 if full else 2.0))
        name = f"limits, {kind}, {PROCESSES} x {WORKERS} workers"
        yield Figure(f"{name}: checks", verdict.checks, "tried")
        yield Figure(f"{name}: passed", verdict.passed, "calls")
        yield Figure(f"{name}: fullest window", 100 * verdict.worst, "% of N", 100.0)
        yield Figure(f"{name}: windows above N", verdict.overs, "windows", 0.0)
        yield Figure(f"{name}: false refusals", verdict.false_refusals, "calls", 0.0)
        yield Figure(f"{name}: each check", verdict.cpu_us, "us CPU")


def _work(arguments: Sequence[str]) -> None:
    url, run, seconds, number = arguments
    found, cpu_s = asyncio.run(worked(url, run, float(seconds), int(number)))
    json.dump(([(one.at, one.keys, one.full) for one in found], cpu_s), sys.stdout)


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        _work(sys.argv[2:])
    else:
        for figure in figures(full=os.environ.get("FULL") == "1"):
            print(figure, flush=True)
