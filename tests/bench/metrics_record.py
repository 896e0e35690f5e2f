"""What recording costs in processor time, and how long it takes to answer a range from the store.

A month of counts is kept and rolled up by the code that does so in a server: those of 310,000 calls, or of
10,006,800 with FULL=1, to 20 models at 5 tasks, their times spread as those of real calls are.
"""

import asyncio
import gc
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from figure import Figure
from interlock_core import Call, Money, Outcome, Usage
from interlock_core.store import Store
from interlock_core.testing import FakeClock, make_call
from interlock_observability import BRANCH, ProviderMetricsCollector
from interlock_observability.provider_metrics._ledger import Batch
from interlock_observability.provider_metrics._store_ledger import StoreLedger
from interlock_observability.provider_metrics._tally import Series, Tally

DAY = 86_400.0
DAYS = 31
MODELS = 20
TASKS = ("analysis", "code_generation", "extraction", "summarisation", "writing")
SERIES = MODELS * len(TASKS)
BATCHES_A_DAY = 4
BATCHES = DAYS * BATCHES_A_DAY
WHOLE = 807
FEW = 25


def calls(spread: int = 1) -> list[tuple[Call, Outcome]]:
    """Calls to each model for each task, with tokens, money and times: so many of each, all different."""
    found: list[tuple[Call, Outcome]] = []
    chance = random.Random(7)
    for number in range(MODELS):
        for place, task in enumerate(TASKS):
            call = replace(make_call(f"vendor/model-{number}"), task=task)
            for _ in range(spread):
                usage = Usage(
                    input_tokens=int((100 * number + 7) * chance.lognormvariate(0, 0.8)) + 1,
                    output_tokens=int((10 * place + 30) * chance.lognormvariate(0, 0.8)) + 1,
                )
                outcome = Outcome(
                    ok=True,
                    model=f"vendor/model-{number}",
                    task=task,
                    usage=usage,
                    cost=Money(120 + number),
                    duration_s=(0.3 + number / 7 + place) * chance.lognormvariate(0, 0.7),
                    first_token_s=(0.1 + number / 50) * chance.lognormvariate(0, 0.5),
                )
                found.append((call, outcome))
    return found


def recording(runs: int) -> float:
    """Microseconds of CPU a record: the median of several runs."""
    known = calls()

    def once() -> float:
        collector = ProviderMetricsCollector()
        before = time.process_time_ns()
        for number in range(5_000):
            collector.record(*known[number % len(known)])
        return (time.process_time_ns() - before) / 1000 / 5_000

    return statistics.median(once() for _ in range(runs))


@dataclass(frozen=True, slots=True)
class Month:
    """What was measured of a month.

    Attributes:
        records: Calls in it.
        keeping_ms: CPU of keeping a batch of calls to every series.
        answers_ms: CPU and wall time of an answer, in milliseconds, by its name.
    """

    records: int
    keeping_ms: float
    answers_ms: dict[str, tuple[float, float]]


async def month(each: int, runs: int) -> Month:
    """Keep a month with so many calls to each series in each batch, and ask for it."""
    clock = FakeClock()
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(f"sqlite:///{folder}/m.db", branches=[BRANCH], clock=clock)
        collector = ProviderMetricsCollector(store, clock=clock)
        keeping = await _filled(store, clock, each)
        await collector.roll()
        now = clock.now()
        ranges = {"a month by model": 30 * DAY, "a week by model": 7 * DAY, "a day by model": DAY}
        answers: dict[str, tuple[float, float]] = {}
        for name, length in ranges.items():
            answers[name] = await _asked(collector, now - length, runs)
        (row,) = (await collector.stats(by=(), since=now - 40 * DAY)).rows
        assert row.requests == each * BATCHES * SERIES
        await store.aclose()
    return Month(each * BATCHES * SERIES, statistics.median(keeping), answers)


async def _filled(store: Store, clock: FakeClock, each: int) -> Sequence[float]:
    """Keep so many calls to each series in each batch; CPU of keeping each batch, in milliseconds."""
    ledger, chance = StoreLedger(store), random.Random(3)
    hundreds, ones = _made(100), _made(1)
    keeping: list[float] = []
    for number in range(BATCHES):
        clock.advance(DAY / BATCHES_A_DAY)
        minute = int(clock.now()) // 60 * 60
        batch = Batch(number + 1)
        for series in hundreds:
            tally = batch.tallies[minute, series] = Tally()
            for _ in range(each // 100):
                tally.merge(chance.choice(hundreds[series]))
            for _ in range(each % 100):
                tally.merge(chance.choice(ones[series]))
        before = time.process_time_ns()
        await ledger.write(batch)
        keeping.append((time.process_time_ns() - before) / 1e6)
    return keeping


def _made(each: int) -> dict[Series, list[Tally]]:
    """Counts of so many calls to each series, each call different, several such counts a series."""
    found: dict[Series, list[Tally]] = {}
    different = 32
    for place, (_, outcome) in enumerate(calls(each * different)):
        model = outcome.model or ""
        tallies = found.setdefault(Series("model", "vendor", model, outcome.task or ""), [])
        if place % each == 0:
            tallies.append(Tally())
        tallies[-1].add(outcome, model=True)
    return found


async def _asked(collector: ProviderMetricsCollector, since: float, runs: int) -> tuple[float, float]:
    """CPU and wall time of an answer, in milliseconds: the medians of several."""
    cpu: list[float] = []
    wall: list[float] = []
    for _ in range(runs):
        gc.collect()
        before, began = time.process_time_ns(), time.perf_counter_ns()
        stats = await collector.stats(by="model", since=since)
        cpu.append((time.process_time_ns() - before) / 1e6)
        wall.append((time.perf_counter_ns() - began) / 1e6)
        assert len(stats.rows) == MODELS
    return statistics.median(cpu), statistics.median(wall)


def figures(runs: int, *, full: bool = False) -> Iterator[Figure]:
    """The rows of the report."""
    yield Figure("record one call", recording(runs), "us", 10.0)
    found = asyncio.run(month(WHOLE if full else FEW, runs))
    yield Figure(f"keep a batch of {SERIES} series", found.keeping_ms, "ms")
    for name, (cpu, wall) in found.answers_ms.items():
        told = f"{name}, {found.records:,} calls, {SERIES} series"
        yield Figure(told, cpu, "ms", 50.0)
        yield Figure(f"{name}, wall", wall, "ms", 50.0)


if __name__ == "__main__":
    for row in figures(11, full=os.environ.get("FULL") == "1" or "INTERLOCK_BENCH_FULL" in os.environ):
        print(row, flush=True)
