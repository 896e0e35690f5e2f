"""What is recorded is told: at once, by group, by range, with what is unknown said to be so."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import CallKind, Money, Outcome, PerformanceSource, Recorder, Usage
from interlock_core.errors import InvalidRequestError
from interlock_core.store import Store
from interlock_core.testing import FakeClock, make_call
from interlock_observability import BRANCH, CollectorOptions, LabelLimits, ProviderMetricsCollector, StatRow
from interlock_observability.provider_metrics import Dimension
from interlock_observability.testing import note, note_tool

DAY = 86_400.0


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


@pytest.fixture(params=["memory", "store"])
async def collector(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> AsyncGenerator[ProviderMetricsCollector, None]:
    """A collector without and with a store."""
    if request.param == "memory":
        yield ProviderMetricsCollector(clock=clock)
        return
    store = await Store.open(f"sqlite:///{tmp_path}/m.db", branches=[BRANCH], clock=clock)
    try:
        yield ProviderMetricsCollector(store, clock=clock)
    finally:
        await store.aclose()


async def only(collector: ProviderMetricsCollector) -> StatRow:
    """The one row of all calls."""
    (row,) = (await collector.stats(by=())).rows
    return row


def test_it_is_what_the_other_parts_expect() -> None:
    """A recorder and a source of performance figures."""
    collector = ProviderMetricsCollector()
    recorder: Recorder = collector
    source: PerformanceSource = collector
    assert recorder is source


@pytest.mark.promise("M1")
async def test_a_row_tells_all_that_was_counted(collector: ProviderMetricsCollector) -> None:
    """Before and after it was flushed, the same."""
    seconds = [0.5, 1.0, 2.0, 4.0, 8.0]
    for value in seconds:
        note(collector, seconds=value, first_token=value / 10, tokens=(100, 20), usd="0.25", score=0.5)
    note(collector, error="overloaded", seconds=30.0, tokens=None, usd=None)
    before = await only(collector)
    await collector.flush()
    row = await only(collector)
    assert row == before
    assert (row.requests, row.ok, row.attempts) == (6, 5, 6)
    assert row.failures == {"overloaded": 1}
    assert row.success_rate == pytest.approx(5 / 6)
    assert (row.input_tokens, row.output_tokens) == (500, 100)
    assert (row.cost, row.cost_unknown, row.usage_unknown) == (Money.usd("1.25"), 0, 0)
    assert row.latency.mean == pytest.approx(fmean(seconds))
    assert row.latency.median == pytest.approx(median(seconds), rel=0.01)
    assert row.latency.p50 == row.latency.median
    assert row.latency.p99 == pytest.approx(4.0, rel=0.01)
    assert row.latency.most == 8.0
    assert row.first_token.median == pytest.approx(0.2, rel=0.01)
    assert (row.judged, row.quality) == (5, pytest.approx(0.5))
    assert row.name == "all"


@pytest.mark.promise("M1")
async def test_what_is_unknown_is_counted_as_unknown_and_never_as_free(
    collector: ProviderMetricsCollector,
) -> None:
    """A price of zero is another thing."""
    note(collector, usd=None, tokens=None)
    note(collector, usd="0")
    row = await only(collector)
    assert (row.cost, row.cost_unknown, row.usage_unknown) == (Money(0), 1, 1)
    stats = await collector.stats()
    assert stats.table()[1][0][6] == "$0.000000 + 1 unknown"
    note_tool(collector)
    await collector.flush()
    tool = (await collector.stats(by="model", kind="tool")).rows[0]
    assert (tool.cost_unknown, tool.usage_unknown) == (0, 0)


@pytest.mark.promise("M1")
async def test_what_says_nothing_of_a_model_counts_neither_for_nor_against_it(
    collector: ProviderMetricsCollector,
) -> None:
    """A client that left, a refusal, a wrong request; a vendor's failure does count."""
    call = make_call("alpha/small")
    collector.record(call, Outcome(ok=False, error="CancelledError", model="alpha/small", cancelled=True))
    for error in ("rate_limited", "permission_denied", "content_policy", "invalid_request"):
        note(collector, error=error)
    note(collector, error="upstream_timeout")
    note(collector)
    row = await only(collector)
    assert (row.requests, row.cancelled, row.unanswered) == (7, 1, 4)
    assert row.success_rate == 0.5
    assert row.failures["upstream_timeout"] == 1
    found = collector.performance("alpha/small")
    assert found is not None
    assert (found.requests, found.success_rate) == (2, 0.5)


@pytest.mark.promise("M1")
async def test_statistics_are_grouped_by_provider_model_task_and_both(
    collector: ProviderMetricsCollector,
) -> None:
    """Those with most requests first; a tool's provider is its namespace."""
    for model, task, times in (("a/x", "writing", 3), ("a/y", "analysis", 2), ("b/x", "analysis", 2)):
        for _ in range(times):
            note(collector, model, task=task)
    await collector.flush()

    async def counts(*by: Dimension) -> dict[str, int]:
        stats = await collector.stats(by=by)
        return {row.name: row.requests for row in stats.rows}

    assert await counts("provider") == {"a": 5, "b": 2}
    assert await counts("model") == {"a/x": 3, "a/y": 2, "b/x": 2}
    assert await counts("task") == {"analysis": 4, "writing": 3}
    assert await counts("provider", "task") == {"a writing": 3, "a analysis": 2, "b analysis": 2}
    note_tool(collector, "git.issue")
    note_tool(collector, "git.merge", error="upstream_timeout")
    tools = await collector.stats(by="provider", kind="tool")
    assert [(row.name, row.requests, row.ok) for row in tools.rows] == [("git", 2, 1)]


async def test_a_grouping_that_does_not_exist_is_refused(collector: ProviderMetricsCollector) -> None:
    """With the nearest that does."""
    with pytest.raises(InvalidRequestError, match="Did you mean model"):
        await collector.stats(by=cast("Dimension", "modell"))


@pytest.mark.promise("M1")
async def test_a_range_takes_in_what_happened_within_it(tmp_path: Path) -> None:
    """Over minutes, hours, days and for ever, across the seams between them."""
    clock = FakeClock()
    store = await Store.open(f"sqlite:///{tmp_path}/m.db", branches=[BRANCH], clock=clock)
    collector = ProviderMetricsCollector(store, clock=clock)
    ages = (40 * DAY, 9 * DAY, 25 * 3600.0, 7 * 3600.0, 1800.0, 90.0, 0.0)
    start = clock.now()
    for age in ages:
        clock.set_now(start - age)
        note(collector)
        await collector.flush()
    clock.set_now(start)

    async def since(seconds: float, until: float | None = None) -> int:
        end = None if until is None else start - until
        rows = (await collector.stats(by=(), since=start - seconds, until=end)).rows
        return sum(row.requests for row in rows)

    assert [await since(seconds) for seconds in (120, 3600, 8 * 3600, 2 * DAY, 10 * DAY, 60 * DAY)] == [
        2,
        3,
        4,
        5,
        6,
        7,
    ]
    assert await since(60 * DAY, until=20 * DAY) == 1
    assert await since(3600, until=600) == 1
    stats = await collector.stats(since=start - 3600)
    assert stats.since is not None
    assert start - 3660 < stats.since <= start - 3600
    assert stats.until is None
    assert (await only(collector)).requests == 7
    await store.aclose()


@pytest.mark.promise("M1")
async def test_old_minutes_and_calls_are_forgotten_and_their_days_kept(
    collector: ProviderMetricsCollector, clock: FakeClock
) -> None:
    """What is asked of long ago needs no minutes."""
    note(collector)
    await collector.flush()
    clock.advance(10 * DAY)
    await collector.prune()
    assert await collector.calls() == []
    assert (await collector.stats(since=clock.now() - 20 * DAY)).rows[0].requests == 1
    assert (
        await collector.stats(since=clock.now() - 10 * DAY - 60, until=clock.now() - 10 * DAY + 60)
    ).rows == ()


async def test_the_calls_themselves_are_kept_for_a_while(collector: ProviderMetricsCollector) -> None:
    """Newest first, by run, without a word of what was said or who said it."""
    note(collector, run="run_1", tokens=None, usd=None, error="overloaded")
    note(collector, "b/y", run="run_2", first_token=0.2)
    newest, oldest = await collector.calls()
    assert (newest.model, newest.run, newest.error, newest.cost_micro_usd) == ("b/y", "run_2", None, 1_000)
    assert (oldest.error, oldest.input_tokens, oldest.cost_micro_usd) == ("overloaded", None, None)
    assert [call.run for call in await collector.calls(run="run_1")] == ["run_1"]
    assert len(await collector.calls(limit=1)) == 1
    assert await collector.calls(since=newest.at + 1) == []


async def test_keeping_no_calls_is_an_option() -> None:
    """The counts are kept all the same."""
    collector = ProviderMetricsCollector(options=CollectorOptions(keep_calls_s=0))
    note(collector)
    assert await collector.calls() == []
    assert (await only(collector)).requests == 1


@pytest.mark.promise("M1")
async def test_performance_is_known_at_once_and_by_task(collector: ProviderMetricsCollector) -> None:
    """From memory, before anything was kept, and the same after."""
    assert collector.performance("alpha/small") is None
    for seconds in (1.0, 2.0, 3.0):
        note(collector, task="writing", seconds=seconds, score=0.9)
    note(collector, task="analysis", seconds=10.0, usd=None, first_token=0.5)
    for _ in range(2):
        overall = collector.performance("alpha/small")
        writing = collector.performance("alpha/small", "writing")
        assert overall is not None
        assert writing is not None
        assert (overall.requests, writing.requests) == (4, 3)
        assert writing.latency_p50_s == pytest.approx(2.0, rel=0.01)
        assert overall.latency_p95_s == pytest.approx(3.0, rel=0.01)
        assert (overall.quality, overall.judged) == (pytest.approx(0.9), 3)
        assert overall.first_token_p50_s == pytest.approx(0.5, rel=0.01)
        assert overall.cost_mean_usd == pytest.approx(0.001)
        await collector.flush()
    assert collector.performance("alpha/small", "mathematics") is None


@given(st.integers(1, 400))
async def test_performance_lags_by_a_sixteenth_at_most(calls: int) -> None:
    """It is worked out anew only now and then, because it is asked for at every decision."""
    collector = ProviderMetricsCollector()
    for number in range(calls):
        note(collector)
        found = collector.performance("alpha/small")
        assert found is not None
        assert found.requests >= (number + 1) / (1 + 1 / 16) - 1


async def test_performance_forgets_what_is_older_than_its_window(
    collector: ProviderMetricsCollector, clock: FakeClock
) -> None:
    """Yesterday's outage is no reason today."""
    note(collector, error="overloaded")
    clock.advance(3 * DAY)
    note(collector)
    await collector.renew()
    found = collector.performance("alpha/small")
    assert found is not None
    assert (found.requests, found.success_rate) == (1, 1.0)


async def test_calls_that_come_while_the_figures_are_renewed_are_not_lost(
    collector: ProviderMetricsCollector,
) -> None:
    """Nor counted twice."""
    for _ in range(5):
        note(collector)
    await collector.renew()
    for _ in range(3):
        note(collector)
    assert (await only(collector)).requests == 8
    found = collector.performance("alpha/small")
    assert found is not None
    assert found.requests == 8


@pytest.mark.promise("M1")
async def test_names_that_clients_make_up_do_not_become_series(collector: ProviderMetricsCollector) -> None:
    """A thousand wrong names are one row."""
    for number in range(50):
        call = make_call(f"made/up{number}")
        collector.record(call, Outcome(ok=False, error="not_found", model=f"made/up{number}"))
        collector.record(make_call(f"bare{number}"), Outcome(ok=False, error="rate_limited"))
    collector.record(make_call("auto/cheap"), Outcome(ok=False, error="overloaded"))
    stats = await collector.stats(by="model")
    assert {row.name: row.requests for row in stats.rows} == {"none": 101}


async def test_labels_beyond_their_limit_are_counted_as_other() -> None:
    """Nothing is lost but its name."""
    limits = LabelLimits(models=2, tools=1, tasks=2, errors=1)
    collector = ProviderMetricsCollector(options=CollectorOptions(limits=limits))
    for number in range(5):
        note(collector, f"a/m{number}", task=f"t{number}")
        note(collector, "a/m0", task="t0", error=f"e{number}")
        note_tool(collector, f"git.t{number}")
    models = await collector.stats(by="model")
    assert {row.name: row.requests for row in models.rows} == {"a/m0": 6, "other": 3, "a/m1": 1}
    assert {row.name for row in (await collector.stats(by="task")).rows} == {"t0", "t1", "other"}
    assert {row.name for row in (await collector.stats(by="model", kind="tool")).rows} == {"git.t0", "other"}
    assert (await only(collector)).failures == {"e0": 1, "other": 4}


async def test_statistics_are_told_as_json_and_as_a_table(collector: ProviderMetricsCollector) -> None:
    """Money in dollars, times in seconds, a dash where nothing is known."""
    note(collector, seconds=2.0)
    call = make_call("alpha/small")
    outcome = Outcome(
        ok=True,
        model="alpha/small",
        task="writing",
        tool_calls=4,
        tool_calls_valid=3,
        duration_s=2.0,
        usage=Usage(input_tokens=1, cache_read_tokens=1, reasoning_tokens=0),
    )
    collector.record(call, outcome)
    stats = await collector.stats(by=("provider", "model"))
    told = stats.as_json()
    assert told["by"] == ["provider", "model"]
    assert told["complete"] is True
    rows = told["rows"]
    assert isinstance(rows, list)
    assert isinstance(rows[0], dict)
    assert rows[0]["model"] == "alpha/small"
    assert rows[0]["cost_usd"] == 0.001
    assert rows[0]["tool_call_success"] == 0.75
    assert rows[0]["latency_s"] == {
        "mean": 2.0,
        "median": pytest.approx(2.0, rel=0.01),
        "p95": pytest.approx(2.0, rel=0.01),
        "p99": pytest.approx(2.0, rel=0.01),
        "max": 2.0,
    }
    headers, cells = stats.table()
    assert headers[:4] == ("provider", "model", "requests", "success")
    assert cells[0][:4] == ("alpha", "alpha/small", "2", "100.0%")
    assert cells[0][-2:] == ("-", "75.0%")


async def test_a_tool_is_a_tool_whatever_its_outcome_names() -> None:
    """Some tools call models themselves."""
    collector = ProviderMetricsCollector()
    for _ in range(2):
        call = make_call("ai.write", kind=CallKind.TOOL)
        collector.record(call, Outcome(ok=True, model="alpha/small", task="writing"))
    note(collector)
    call = replace(make_call("ai.write", kind=CallKind.TOOL), id="again")
    collector.record(call, Outcome(ok=True, model="alpha/small", task="writing"))
    assert [row.requests for row in (await collector.stats(kind="tool")).rows] == [3]
    assert [row.requests for row in (await collector.stats()).rows] == [1]
