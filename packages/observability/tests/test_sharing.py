"""Several processes on one store, a store that fails, answers that get lost: nothing is counted wrongly."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from interlock_core import RouteDecision
from interlock_core.errors import StoreError
from interlock_core.store import Params, Row, Store
from interlock_core.testing import FakeClock, postgres_database
from interlock_observability import BRANCH, CollectorOptions, ProviderMetricsCollector
from interlock_observability.testing import LossyStore, lines_of, note, note_tool

KINDS = ["sqlite", *(["postgresql"] if "INTERLOCK_TEST_POSTGRES_URL" in os.environ else [])]
QUICK = CollectorOptions(flush_every_s=1, renew_every_s=10)


@pytest.fixture(params=KINDS)
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str, None]:
    """The URL of an empty database."""
    if request.param == "postgresql":
        async with postgres_database() as made:
            yield made
    else:
        yield f"sqlite:///{tmp_path}/m.db"


@pytest.fixture
async def store(url: str) -> AsyncGenerator[LossyStore, None]:
    """A store that can be away."""
    real = await Store.open(url, branches=[BRANCH], clock=FakeClock())
    yield LossyStore(real)
    await real.aclose()


async def requests(collector: ProviderMetricsCollector) -> int:
    """All calls to models that it tells of."""
    return sum(row.requests for row in (await collector.stats(by=())).rows)


async def test_the_tables_are_as_the_branch_makes_them(store: LossyStore) -> None:
    """What `doctor` would say: nothing."""
    assert await store.drift() == []


@pytest.mark.promise("M1", "M3")
async def test_any_worker_tells_of_the_whole_host(url: str) -> None:
    """Two on one store: equal statistics and equal counters, scraped through either."""
    stores = [await Store.open(url, branches=[BRANCH], clock=FakeClock()) for _ in range(2)]
    one, two = (ProviderMetricsCollector(store) for store in stores)
    for number in range(10):
        note(one, seconds=number + 1.0)
        note(two, seconds=number + 11.0, error="overloaded" if number == 0 else None)
        note_tool(two)
        one.count("interlock_audit_appends_total")
    await one.flush()
    await two.flush()
    first, second = await one.exposition(), await two.exposition()
    assert first == second
    assert "interlock_audit_appends_total 10" in first
    assert 'interlock_tool_calls_total{namespace="git",outcome="ok"} 10' in first
    (row,) = (await one.stats(by=())).rows
    assert (row.requests, row.ok) == (20, 19)
    assert row.latency.most == 20.0
    for store in stores:
        await store.aclose()


async def test_workers_that_write_at_once_lose_nothing(url: str) -> None:
    """Each merges into rows that the other has just changed."""
    stores = [await Store.open(url, branches=[BRANCH], clock=FakeClock()) for _ in range(3)]
    workers = [ProviderMetricsCollector(store) for store in stores]

    async def work(worker: ProviderMetricsCollector) -> None:
        for _ in range(10):
            for _ in range(5):
                note(worker)
            await worker.flush()

    await asyncio.gather(*(work(worker) for worker in workers))
    assert await requests(workers[0]) == 150
    for store in stores:
        await store.aclose()


async def test_figures_of_models_take_in_what_other_workers_kept(url: str) -> None:
    """And what was kept before this process began."""
    stores = [await Store.open(url, branches=[BRANCH], clock=FakeClock()) for _ in range(2)]
    one = ProviderMetricsCollector(stores[0], clock=stores[0].clock)
    for _ in range(4):
        note(one, score=1.0)
    await one.flush()
    two = ProviderMetricsCollector(stores[1], clock=stores[1].clock)
    assert two.performance("alpha/small") is None
    await two.renew()
    note(two, score=0.0)
    found = two.performance("alpha/small", "writing")
    assert found is not None
    assert (found.requests, found.quality) == (5, pytest.approx(0.8))
    for store in stores:
        await store.aclose()


async def test_a_call_that_comes_while_figures_are_renewed_is_counted_once(store: LossyStore) -> None:
    """It is in no row yet, and in no batch that was kept."""

    class BusyStore(LossyStore):
        async def fetch_all(self, sql: str, params: Params = ()) -> list[Row]:
            note(collector)
            return await super().fetch_all(sql, params)

    collector = ProviderMetricsCollector(BusyStore(store), clock=FakeClock())
    note(collector)
    await collector.renew()
    for _ in range(2):
        found = collector.performance("alpha/small")
        assert found is not None
        assert found.requests == 2
        await collector.flush()


@pytest.mark.promise("M1")
async def test_with_the_store_away_everything_goes_on_and_nothing_is_lost(store: LossyStore) -> None:
    """Recording, figures of models, statistics and exposition; it is said that they are not whole."""
    collector = ProviderMetricsCollector(store)
    note(collector)
    await collector.flush()
    kept = await collector.exposition()
    store.away = True
    for _ in range(2):
        note(collector)
    with pytest.raises(StoreError):
        await collector.flush()
    note(collector)
    stats = await collector.stats(by=())
    assert (stats.complete, stats.rows[0].requests) == (False, 3)
    told = await collector.exposition()
    assert "interlock_metrics_store_up 0" in told
    assert lines_of(told, "interlock_requests_total")[0].endswith(" 4")
    assert lines_of(kept, "interlock_requests_total")[0].endswith(" 1")
    found = collector.performance("alpha/small")
    assert found is not None
    assert found.requests == 4
    store.away = False
    assert await requests(collector) == 4
    await collector.flush()
    assert await requests(collector) == 4
    assert "interlock_metrics_store_up 1" in await collector.exposition()


async def test_a_batch_whose_answer_was_lost_is_not_counted_twice(store: LossyStore) -> None:
    """Whether it is told of before or after the next flush."""
    collector = ProviderMetricsCollector(store)
    for _ in range(3):
        note(collector)
        store.lose_answers = 1
        with pytest.raises(StoreError):
            await collector.flush()
        note(collector)
        assert await requests(collector) % 2 == 0
        note(collector)
        store.lose_answers = 1
        with pytest.raises(StoreError):
            await collector.flush()
        note(collector)
        await collector.flush()
    assert await requests(collector) == 12
    assert len(await collector.calls()) == 12


async def test_a_flush_that_is_cancelled_is_neither_lost_nor_doubled(store: LossyStore) -> None:
    """Wherever it is cut off."""
    collector = ProviderMetricsCollector(store)
    for steps in range(12):
        note(collector)
        task = asyncio.ensure_future(collector.flush())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert await requests(collector) == 12
    await collector.flush()
    assert await requests(collector) == 12


@pytest.mark.promise("M1")
async def test_a_record_that_the_database_cannot_hold_stops_only_its_own_batch(store: LossyStore) -> None:
    """A vendor that tells a number beyond all numbers must not end all metrics."""
    collector = ProviderMetricsCollector(store)
    note(collector, tokens=(2**80, 1))
    for _ in range(10):
        with pytest.raises(StoreError):
            await collector.flush()
    note(collector)
    await collector.flush()
    assert await requests(collector) == 1
    assert "interlock_metrics_dropped_total 1" in await collector.exposition()


async def test_a_store_that_is_away_for_long_makes_nobody_give_up(store: LossyStore) -> None:
    """Only a batch that fails where an empty one does not is given up."""
    collector = ProviderMetricsCollector(store)
    note(collector)
    store.away = True
    for _ in range(25):
        with pytest.raises(StoreError):
            await collector.flush()
    store.away = False
    store.lose_answers = 12
    for _ in range(12):
        with pytest.raises(StoreError):
            await collector.flush()
        note(collector)
    await collector.flush()
    assert await requests(collector) == 13


async def test_what_waits_is_bounded_and_what_is_given_up_is_counted() -> None:
    """A store that is away for days must not fill the memory."""
    clock = FakeClock()
    collector = ProviderMetricsCollector(options=CollectorOptions(most_waiting=10), clock=clock)
    for _ in range(25):
        note(collector)
        clock.advance(60)
    assert await requests(collector) == 10
    assert "interlock_metrics_dropped_total 15" in await collector.exposition()


@pytest.mark.promise("M1")
async def test_an_open_collector_keeps_what_is_counted_by_itself(store: LossyStore) -> None:
    """Its task flushes; closing it keeps the rest; the next process finds it all."""
    clock = FakeClock()
    paused, go = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        paused.set()
        await go.wait()
        go.clear()
        clock.advance(seconds)

    async def turn() -> None:
        paused.clear()
        go.set()
        await paused.wait()

    async with ProviderMetricsCollector(store, options=QUICK, clock=clock, sleep=sleep) as collector:
        await paused.wait()
        note(collector)
        await turn()
        other = ProviderMetricsCollector(store)
        assert await requests(other) == 1
        clock.advance(4_000)
        await turn()
        note(collector)
        assert await requests(other) == 1
    assert await requests(other) == 2
    await collector.aclose()


async def test_a_store_that_is_away_hinders_neither_opening_nor_closing(
    store: LossyStore, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, and told in the log."""
    store.away = True
    with caplog.at_level(logging.WARNING, logger="interlock.observability"):
        async with ProviderMetricsCollector(store) as collector:
            note(collector)
    assert collector.failed_flushes == 2
    assert "metrics are not kept just now: The database is away. Bring it back." in caplog.text


@pytest.mark.promise("M3")
async def test_decisions_and_gauges_are_exposed(store: LossyStore) -> None:
    """Decisions of all processes; the value of a gauge at that moment."""
    collector = ProviderMetricsCollector(store)
    decision = RouteDecision(policy="cheap", task="writing", chosen="alpha/small")
    collector.decided(decision)
    await collector.flush()
    collector.decided(decision)
    state = {(("model", "alpha/small"),): 2.0}
    collector.gauge("interlock_breaker_state", lambda: state)
    told = await collector.exposition()
    assert 'interlock_route_decisions_total{model="alpha/small",policy="cheap",task="writing"} 2' in told
    assert 'interlock_breaker_state{model="alpha/small"} 2' in told
