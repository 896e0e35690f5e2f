"""Win rates, intervals and the cost-quality curve are those of cases that were counted by hand."""

import random
import tomllib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import JsonObject, as_array, as_int, as_number, as_object, as_text
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_observability import BRANCH, ProviderMetricsCollector, Sketch
from interlock_observability.provider_metrics._intervals import mean_interval, superiority, wilson
from interlock_observability.provider_metrics._wins import Better
from interlock_observability.testing import LossyStore, note

CASES = cast("JsonObject", tomllib.loads((Path(__file__).parent / "cases" / "intervals.toml").read_text()))
DAY = 86_400.0


def cases(name: str) -> list[JsonObject]:
    """The cases of one kind."""
    return [as_object(case) for case in as_array(CASES[name])]


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncGenerator[LossyStore, None]:
    """A store that can be away."""
    real = await Store.open(f"sqlite:///{tmp_path}/m.db", branches=[BRANCH], clock=clock)
    yield LossyStore(real)
    await real.aclose()


@pytest.fixture(params=["memory", "store"])
def collector(
    request: pytest.FixtureRequest, store: LossyStore, clock: FakeClock
) -> ProviderMetricsCollector:
    """A collector without and with a store."""
    return ProviderMetricsCollector(store if request.param == "store" else None, clock=clock)


@pytest.mark.promise("M2")
@pytest.mark.parametrize("case", cases("wilson"), ids=str)
def test_intervals_of_parts_are_the_published_ones(case: JsonObject) -> None:
    """To the four decimals that were printed."""
    number = as_int(case["number"]) or 0
    found = wilson((as_int(case["wins"]) or 0) / number, number)
    assert (round(found.low, 4), round(found.high, 4)) == (case["low"], case["high"])


def test_nothing_was_seen_so_everything_is_possible() -> None:
    """From never to always."""
    assert wilson(0.0, 0) == mean_interval(0, 0.0, 0.0) == (0.0, 1.0)


@pytest.mark.promise("M2")
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of means and of win rates, over spreads from zeros and ones to nearly equal scores."""
    chance = random.Random(11)
    for shape in ((0.3, 0.2), (2.0, 2.0), (8.0, 2.0), (40.0, 12.0)):
        mean = shape[0] / sum(shape)
        held = beaten = 0
        for _ in range(600):
            first = [chance.betavariate(*shape) for _ in range(40)]
            second = [chance.betavariate(*shape) for _ in range(60)]
            low, high = mean_interval(40, sum(first), sum(value * value for value in first))
            held += low <= mean <= high
            _, (low, high) = superiority(*(sorted((value, 1) for value in some) for some in (first, second)))
            beaten += low <= 0.5 <= high
        assert held >= 0.925 * 600, shape
        assert beaten >= 0.925 * 600, shape


@pytest.mark.promise("M1")
def test_few_equal_scores_are_no_certainty() -> None:
    """And many of them nearly are."""
    few, many = mean_interval(2, 2.0, 2.0), mean_interval(2_000, 1_600.0, 1_280.0)
    assert few.low < 0.5
    assert many.high - many.low < 0.01


@pytest.mark.promise("M2")
async def test_win_rates_are_counted_by_task_and_pair(collector: ProviderMetricsCollector) -> None:
    """Before and after they were kept, the same; whoever was named first."""
    for case in cases("comparisons"):
        for better in as_array(case["better"]):
            collector.compared(
                str(case["first"]), str(case["second"]), task=str(case["task"]), better=cast("Better", better)
            )
    before = await collector.win_rates()
    await collector.flush()
    found = await collector.win_rates()
    assert found == before
    rows = {(row.task, row.model, row.against): row for row in found.rows}
    for case in cases("rates"):
        row = rows[str(case["task"]), str(case["model"]), str(case["against"])]
        assert [row.wins, row.ties, row.losses] == case["counts"]
        assert row.rate == pytest.approx(case["rate"])
        assert row.interval == wilson(row.rate, row.number)
        assert row.basis == "compared"
    assert {row.task for row in (await collector.win_rates(task="debugging")).rows} == {"debugging"}


@pytest.mark.promise("M2")
async def test_win_rates_of_scores_tell_who_scores_higher(collector: ProviderMetricsCollector) -> None:
    """Equal scores are ties, in whatever company they come; a model alone beats nobody."""
    for score in (0.9, 0.9, 1.0, 0.0):
        note(collector, "a/x", score=score)
    for score in (0.9, 0.5):
        note(collector, "b/y", score=score)
    note(collector, "c/z", task="analysis", score=1.0)
    await collector.flush()
    rows = (await collector.win_rates()).rows
    assert {(row.task, row.model, row.against, row.basis) for row in rows} == {
        ("writing", model, against, "scores")
        for model, other in (("a/x", "b/y"), ("b/y", "a/x"))
        for against in (other, "*")
    }
    (ours,) = (row for row in rows if (row.model, row.against) == ("a/x", "b/y"))
    # Of eight pairs 0.9 meets 0.9 twice; 0.9 and 1.0 are above 0.5 three times, 1.0 above 0.9 once.
    assert ours.rate == pytest.approx((4 + 2 / 2) / 8)
    assert (ours.number, ours.wins) == (2, None)
    assert ours.interval.low < ours.rate < ours.interval.high


@pytest.mark.promise("M2")
async def test_win_rates_are_those_of_the_range(
    collector: ProviderMetricsCollector, clock: FakeClock
) -> None:
    """Of its days."""
    collector.compared("a/x", "b/y", task="writing", better="first")
    await collector.flush()
    clock.advance(20 * DAY)
    collector.compared("a/x", "b/y", task="writing", better="second")
    collector.compared("a/x", "a/x", task="writing", better="first")
    assert [row.number for row in (await collector.win_rates()).rows] == [2] * 4
    recent = await collector.win_rates(since=clock.now() - DAY)
    assert {(row.model, row.rate) for row in recent.rows} == {("a/x", 0.0), ("b/y", 1.0)}
    early = await collector.win_rates(until=clock.now() - 10 * DAY)
    assert {(row.model, row.rate) for row in early.rows} == {("a/x", 1.0), ("b/y", 0.0)}


@pytest.mark.promise("M2")
async def test_comparisons_wait_while_the_store_is_away(store: LossyStore) -> None:
    """They are told as not whole, and lost to nobody."""
    collector = ProviderMetricsCollector(store)
    store.away = True
    collector.compared("a/x", "b/y", task="writing", better="first")
    away = await collector.win_rates(since=0)
    assert (away.complete, len(away.rows)) == (False, 4)
    store.away = False
    await collector.flush()
    other = ProviderMetricsCollector(store)
    assert len((await other.win_rates()).rows) == 4


@pytest.mark.promise("M2")
async def test_win_rates_are_told_as_json_and_as_a_table() -> None:
    """With their intervals."""
    collector = ProviderMetricsCollector()
    collector.compared("b/y", "a/x", task="writing", better="tie")
    found = await collector.win_rates()
    rows = as_array(found.as_json()["rows"])
    assert as_object(rows[0]) == {
        "task": "writing",
        "model": "a/x",
        "against": "*",
        "basis": "compared",
        "number": 1,
        "rate": 0.5,
        "low": wilson(0.5, 1).low,
        "high": wilson(0.5, 1).high,
        "wins": 0,
        "ties": 1,
        "losses": 0,
    }
    headers, cells = found.table()
    assert headers[-2:] == ("win rate", "95 %")
    assert cells[0] == ("writing", "a/x", "*", "compared", "1", "50.0%", "5.5% to 94.5%")


@pytest.mark.promise("M1")
async def test_the_curve_says_what_an_answer_is_worth_and_what_it_costs(
    collector: ProviderMetricsCollector,
) -> None:
    """From cheap to dear; who is beaten in both is not efficient, and who has no score is not on it."""
    for case in cases("curve"):
        for score in as_array(case["scores"]):
            note(collector, str(case["model"]), score=as_number(score), usd=as_text(case["usd"]))
    note(collector, "c/unjudged", usd="0.0001")
    note(collector, "c/unpriced", usd=None, score=1.0)
    note(collector, "a/good", task="analysis", score=0.1)
    await collector.flush()
    curve = await collector.curve(task="writing")
    points = {point.model: point for point in curve.points}
    assert [point.model for point in curve.points] == [
        "c/unjudged",
        *(str(case["model"]) for case in cases("curve")),
        "c/unpriced",
    ]
    for case in cases("curve"):
        point = points[str(case["model"])]
        assert point.quality == pytest.approx(case["quality"])
        assert point.cost_mean_usd == pytest.approx(float(str(case["usd"])))
        assert point.efficient is case["efficient"]
        assert point.interval is not None
        assert point.interval.low < (point.quality or 0) < point.interval.high
    unjudged = points["c/unjudged"]
    assert (unjudged.quality, unjudged.interval, unjudged.efficient) == (None, None, False)
    assert (points["c/unpriced"].cost_mean_usd, points["c/unpriced"].efficient) == (None, False)
    assert {point.task for point in (await collector.curve()).points} == {"writing", "analysis"}


@pytest.mark.promise("M1")
async def test_the_curve_is_told_as_json_and_as_a_table() -> None:
    """A dash where nothing is known."""
    collector = ProviderMetricsCollector()
    note(collector, score=0.5, usd="0.25")
    note(collector, "b/y", usd=None)
    curve = await collector.curve()
    (first, second) = (as_object(point) for point in as_array(curve.as_json()["points"]))
    assert (first["quality"], first["cost_mean_usd"], first["efficient"]) == (0.5, 0.25, True)
    assert (second["quality"], second["low"], second["cost_mean_usd"]) == (None, None, None)
    _, cells = curve.table()
    assert cells[0][-2:] == ("$0.250000", "yes")
    assert cells[1][-4:] == ("-", "-", "-", "")


@pytest.mark.promise("M1")
async def test_an_answer_is_rated_once_and_late(
    collector: ProviderMetricsCollector, clock: FakeClock
) -> None:
    """The last answer of the run, at the time at which it was given; who comes second is not heard."""
    note(collector, "a/x", run="run_1")
    clock.advance(60)
    note(collector, "b/y", run="run_1", task="analysis")
    clock.advance(3 * 3600)
    assert await collector.rate("run_1", 0.25)
    assert not await collector.rate("run_1", 1.0)
    assert not await collector.rate("run_2", 1.0)
    rows = {row.name: row for row in (await collector.stats()).rows}
    assert (rows["b/y"].requests, rows["b/y"].judged, rows["b/y"].quality) == (1, 1, 0.25)
    assert rows["a/x"].judged == 0
    (early,) = (await collector.stats(by=(), since=0, until=clock.now() - 2 * 3600)).rows
    assert early.judged == 1
    assert [call.score for call in await collector.calls(run="run_1")] == [0.25, None]


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
async def test_a_score_that_is_none_is_refused(collector: ProviderMetricsCollector, score: float) -> None:
    """Whoever gives it is told the bounds."""
    with pytest.raises(InvalidRequestError, match="from 0 to 1"):
        await collector.rate("run_1", score)


@pytest.mark.promise("M1")
async def test_statistics_of_one_model_task_or_provider_alone(collector: ProviderMetricsCollector) -> None:
    """Grouped by another thing."""
    for model, task in (("a/x", "writing"), ("a/x", "analysis"), ("b/y", "writing")):
        note(collector, model, task=task)
    found = await collector.stats(by="task", only={"provider": "a"})
    assert {row.name: row.requests for row in found.rows} == {"writing": 1, "analysis": 1}
    assert [row.name for row in (await collector.stats(by="model", only={"task": "analysis"})).rows] == [
        "a/x"
    ]


@pytest.mark.promise("M1")
async def test_long_ranges_are_answered_from_rolled_up_days(store: LossyStore, clock: FakeClock) -> None:
    """The same figures as before, from fewer rows; late calls, of another process too, are in."""
    collector, other = (ProviderMetricsCollector(store, clock=clock) for _ in range(2))
    truth = Sketch()
    for number in range(70):
        note(collector, seconds=1.0 + number, score=0.5, error=None if number % 7 else "overloaded")
        if number % 7:
            truth.add(1.0 + number)
        await collector.flush()
        clock.advance(DAY / 2)
    since = clock.now() - 34 * DAY
    before = await collector.stats(by=(), since=since)
    await collector.roll()
    await other.roll()
    assert await collector.stats(by=(), since=since) == before
    rows = await store.fetch_all("SELECT start FROM metrics_spans WHERE span = 691200 ORDER BY start")
    assert len(rows) == 4
    now = clock.now()
    clock.set_now(now - 30 * DAY)
    note(other, seconds=3.0)
    await other.flush()
    clock.set_now(now)
    (row,) = (await other.stats(by=(), since=since)).rows
    (kept,) = before.rows
    assert row.requests == kept.requests + 1
    (whole,) = (await collector.stats(by=(), until=now)).rows
    assert (whole.requests, whole.failures) == (71, {"overloaded": 10})
    assert whole.latency.p99 == pytest.approx(truth.quantile(0.99), rel=0.05)
