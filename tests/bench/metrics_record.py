"""What recording costs in processor time, and how long it takes to answer a range from the store."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace

from figure import Figure
from interlock_core import Call, Money, Outcome, Usage
from interlock_core.store import Store
from interlock_core.testing import FakeClock, make_call
from interlock_observability import BRANCH, ProviderMetricsCollector

DAY = 86_400.0
MODELS = 20
TASKS = ("analysis", "code_generation", "extraction", "summarisation", "writing")


def calls() -> list[tuple[Call, Outcome]]:
    """A call to each model for each task, with tokens, money and times."""
    found: list[tuple[Call, Outcome]] = []
    for number in range(MODELS):
        for place, task in enumerate(TASKS):
            usage = Usage(input_tokens=100 * number + 7, output_tokens=10 * place + 3)
            outcome = Outcome(
                ok=True,
                model=f"vendor/model-{number}",
                task=task,
                usage=usage,
                cost=Money(120 + number),
                duration_s=0.3 + number / 7 + place,
                first_token_s=0.1 + number / 50,
            )
            found.append((replace(make_call(f"vendor/model-{number}"), task=task), outcome))
    return found


def recording(runs: int) -> float:
    """Microseconds of CPU a record."""
    collector = ProviderMetricsCollector()
    known = calls()
    times = runs * 5_000
    before = time.process_time_ns()
    for number in range(times):
        collector.record(*known[number % len(known)])
    return (time.process_time_ns() - before) / 1000 / times


async def month(days: int, hours: int) -> tuple[float, float]:
    """Milliseconds to answer a month, and a day, by model, over so many days with so many busy hours."""
    clock = FakeClock()
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(f"sqlite:///{folder}/m.db", branches=[BRANCH], clock=clock)
        collector = ProviderMetricsCollector(store, clock=clock)
        known = calls()
        for _ in range(days):
            for _ in range(hours):
                for call, outcome in known:
                    collector.record(
                        call, replace(outcome, duration_s=outcome.duration_s * (1 + clock.now() % 7))
                    )
                await collector.flush()
                clock.advance(DAY / 24)
            clock.advance(DAY / 24 * (24 - hours))
        took: list[float] = []
        for length in (31 * DAY, DAY):
            before = time.perf_counter()
            stats = await collector.stats(by="model", since=clock.now() - length)
            took.append(1000 * (time.perf_counter() - before))
            assert stats.rows
        await store.aclose()
    return took[0], took[1]


def figures(runs: int) -> Iterator[Figure]:
    """The rows of the report."""
    yield Figure("record one call", recording(runs), "us", 10.0)
    whole, day = asyncio.run(month(31, min(runs, 24)))
    yield Figure(f"a month by model, {MODELS * len(TASKS)} series", whole, "ms", 50.0)
    yield Figure(f"a day by model, {MODELS * len(TASKS)} series", day, "ms", 50.0)


if __name__ == "__main__":
    for row in figures(10):
        print(row)
