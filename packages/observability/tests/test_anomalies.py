"""Anomalies of a scripted month are told once each, by whichever process, and quiet weeks stay quiet."""

import logging
import math
import random
import tomllib
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from interlock_core import Event
from interlock_core.errors import StoreError
from interlock_core.jsontypes import JsonObject, as_array, as_int, as_number, as_object
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_observability import BRANCH, ProviderMetricsCollector
from interlock_observability.anomalies import (
    Anomaly,
    AnomalyDesk,
    AnomalyDetector,
    AnomalyRules,
    Measure,
    Memory,
    Window,
)
from interlock_observability.testing import LossyStore, note, note_tool

SCRIPT = cast("JsonObject", tomllib.loads((Path(__file__).parent / "cases" / "month.toml").read_text()))
START = 1_780_272_000
"""Monday, 2026-06-01, in seconds since 1970."""

HOUR = 3_600
STEP = 900


@dataclass(frozen=True)
class Planted:
    """What is planted."""

    id: str
    measure: Measure
    start: int
    end: int
    told_by: int
    factor: float
    ramp: float
    share: float
    refused: float

    def grown(self, at: int) -> float:
        """What cost or latency is multiplied by at a moment."""
        if not self.start <= at < self.end:
            return 1.0
        part = min((at - self.start) / (self.ramp * HOUR), 1.0) if self.ramp else 1.0
        return 1 + (self.factor - 1) * part


def planted() -> list[Planted]:
    """Everything that is planted."""
    found: list[Planted] = []
    for case in map(as_object, as_array(SCRIPT["planted"])):
        start = START + int(as_number(case["from"]) or 0) * HOUR
        found.append(
            Planted(
                id=str(case["id"]),
                measure=Measure(str(case["measure"])),
                start=start,
                end=start + int(as_number(case["hours"]) or 0) * HOUR,
                told_by=start + int((as_number(case["within"]) or 0) * HOUR),
                factor=as_number(case.get("factor", 1)) or 1.0,
                ramp=as_number(case.get("ramp", 0)) or 0.0,
                share=as_number(case.get("share", 0)) or 0.0,
                refused=as_number(case.get("refused", 0)) or 0.0,
            )
        )
    return found


@dataclass
class Quarter:
    """A quarter of an hour."""

    requests: int
    failed: int
    refused: int
    cost: float
    seconds: list[float]


def windows(seed: int, causes: list[Planted]) -> Iterator[Window]:
    """The month's windows, a quarter of an hour apart."""
    chance = random.Random(seed)
    last: deque[Quarter] = deque(maxlen=4)
    days = as_int(SCRIPT["days"]) or 0
    levels = [chance.lognormvariate(0, 0.1) for _ in range(days)]
    for step in range(days * 96):
        at = START + step * STEP
        last.append(_quarter(chance, at, levels[step // 96], causes))
        seconds = sorted(value for quarter in last for value in quarter.seconds)
        yield Window(
            end=at + STEP,
            requests=sum(each.requests for each in last),
            answerable=sum(each.requests - each.refused for each in last),
            failed=sum(each.failed for each in last),
            refused=sum(each.refused for each in last),
            cost_usd=sum(each.cost for each in last),
            latency_p95_s=seconds[int(0.95 * (len(seconds) - 1))] if seconds else None,
        )


def _quarter(chance: random.Random, at: int, level: float, causes: list[Planted]) -> Quarter:
    here = {cause.measure: cause for cause in causes if cause.start <= at < cause.end}
    grown = {measure: cause.grown(at) for measure, cause in here.items()}
    calls = poisson(chance, rate(at) * level / 4)
    share = here[Measure.FAILURES].share if Measure.FAILURES in here else 0.01
    refusals = here[Measure.REFUSALS].refused if Measure.REFUSALS in here else 2.0
    failed = sum(chance.random() < share for _ in range(calls))
    cost = sum(0.02 * chance.lognormvariate(0, 1) for _ in range(calls)) * grown.get(Measure.COST, 1.0)
    slow = grown.get(Measure.LATENCY, 1.0)
    seconds = [2 * slow * chance.lognormvariate(0, 0.6) for _ in range(calls - failed)]
    refused = poisson(chance, refusals / 4)
    return Quarter(calls + refused, failed, refused, cost, seconds)


def rate(at: int) -> float:
    """Calls an hour that are usual at a moment."""
    busy = as_number(SCRIPT["busy"]) or 0.0
    hour, weekday = at // HOUR % 24, (at - START) // 86_400 % 7
    work = math.exp(-(((hour - 13.5) / 4) ** 2))
    return busy * (0.08 + 0.92 * work) * (0.25 if weekday >= 5 else 1.0)


def poisson(chance: random.Random, mean: float) -> int:
    """A number by Poisson's chance."""
    if mean > 30:
        return max(round(chance.gauss(mean, math.sqrt(mean))), 0)
    bound, product, number = math.exp(-mean), chance.random(), 0
    while product > bound:
        product *= chance.random()
        number += 1
    return number


SEEDS = [as_int(seed) or 0 for seed in as_array(SCRIPT["seeds"])]
WEEKS = (as_int(SCRIPT["days"]) or 0) / 7


def lived(seed: int, causes: list[Planted]) -> list[Anomaly]:
    """What is told of a month; what is remembered goes through its text at every midnight."""
    detector, told = AnomalyDetector(), list[Anomaly]()
    memories = {measure: Memory() for measure in Measure}
    for window in windows(seed, causes):
        for measure, memory in memories.items():
            anomaly = detector.judge(window, measure, memory)
            told += [] if anomaly is None else [anomaly]
        if window.end % 86_400 == 0:
            memories = {measure: Memory.load(memory.dump()) for measure, memory in memories.items()}
    return told


@pytest.mark.promise("M4")
@pytest.mark.parametrize("seed", SEEDS)
def test_everything_that_was_planted_is_told_once_and_in_time(seed: int) -> None:
    """A spike at noon and at night, a jump, a step, bursts, a slow drift; little else is told."""
    causes = planted()
    told = lived(seed, causes)
    began = [anomaly for anomaly in told if not anomaly.ended]
    for cause in causes:
        hits = [
            each for each in began if each.measure is cause.measure and cause.start < each.at <= cause.end
        ]
        assert len(hits) == 1, (cause.id, hits)
        assert hits[0].at <= cause.told_by, (cause.id, (hits[0].at - cause.start) / HOUR)
        began.remove(hits[0])
    assert len(began) <= (as_number(SCRIPT["false_a_week"]) or 0.0) * WEEKS, began


@pytest.mark.promise("M4")
@pytest.mark.parametrize("seed", [seed + 100 for seed in SEEDS])
def test_a_quiet_month_is_quiet(seed: int) -> None:
    """Its first week too, when nothing is known of what is usual."""
    began = [anomaly for anomaly in lived(seed, []) if not anomaly.ended]
    assert len(began) <= (as_number(SCRIPT["false_a_week"]) or 0.0) * WEEKS, began


@pytest.mark.promise("M4")
def test_a_measure_is_told_to_begin_and_to_end_in_turn() -> None:
    """Never twice the same: a value at the threshold does not flap."""
    told = lived(SEEDS[0], planted())
    for measure in Measure:
        states = [anomaly.ended for anomaly in told if anomaly.measure is measure]
        assert states == [bool(place % 2) for place in range(len(states))]


def steady(days: int, **more: float) -> list[Window]:
    """Windows of days that are all the same."""
    plain = Window(end=0, requests=100, answerable=100, failed=1, cost_usd=1.0, latency_p95_s=2.0, refused=2)
    count = days * 86_400 // STEP
    return [replace(plain, end=START + (step + 1) * STEP, **more) for step in range(count)]


@pytest.mark.promise("M4")
def test_what_still_holds_after_a_week_is_usual_from_then_on() -> None:
    """A price that was raised is no alarm for ever; the next rise is one again."""
    detector, memory = AnomalyDetector(), Memory()
    told: list[Anomaly] = []
    windows_of_steps = [*steady(15), *steady(15, cost_usd=4.0), *steady(3, cost_usd=16.0)]
    for step, window in enumerate(windows_of_steps):
        anomaly = detector.judge(replace(window, end=START + (step + 1) * STEP), Measure.COST, memory)
        told += [] if anomaly is None else [anomaly]
    days = [(anomaly.ended, (anomaly.at - START) // 86_400) for anomaly in told]
    assert days == [(False, 15), (True, 21), (False, 30)]


def test_little_is_no_evidence() -> None:
    """A share of three calls, a first day, a rise of a cent."""
    detector = AnomalyDetector()
    quiet = [
        (Measure.FAILURES, {"answerable": 3, "failed": 3}),
        (Measure.LATENCY, {"answerable": 3, "failed": 0, "latency_p95_s": 60.0}),
        (Measure.COST, {"cost_usd": 1.4}),
        (Measure.REFUSALS, {"refused": 12}),
    ]
    for measure, odd in quiet:
        memory = Memory()
        for window in steady(8):
            assert detector.judge(window, measure, memory) is None
        for number in range(4):
            window = replace(steady(1)[0], end=START + 8 * 86_400 + number * STEP, **odd)
            assert detector.judge(window, measure, memory) is None
    first = Memory()
    for window in steady(1):
        assert detector.judge(replace(window, cost_usd=window.end % 7_919 / 10), Measure.COST, first) is None


class Told:
    """Somebody who is told."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, object]] = []

    async def notify(self, event: Event) -> None:
        """Take an alert."""
        self.alerts.append({**as_object(event.data["alert"])})


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands at the beginning of an hour."""
    return FakeClock(now=float(START))


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncGenerator[LossyStore, None]:
    """A store that can be away."""
    real = await Store.open(f"sqlite:///{tmp_path}/m.db", branches=[BRANCH], clock=clock)
    yield LossyStore(real)
    await real.aclose()


async def month_of_failures(
    collector: ProviderMetricsCollector, desks: list[AnomalyDesk], clock: FakeClock
) -> list[Anomaly]:
    """Two days of good calls, then two hours of bad ones, then a quiet half day; what was told."""
    found: list[Anomaly] = []
    for step in range(2 * 96 + 8 + 48):
        bad = 192 <= step < 200
        for number in range(10):
            note(collector, error="overloaded" if bad and number % 2 else None)
        note_tool(collector, error="permission_denied")
        await collector.flush()
        clock.advance(STEP)
        clock.set_now(START + (step + 1) * STEP + 40)
        for desk in desks:
            found += await desk.look()
        clock.set_now(START + (step + 1) * STEP)
    return found


@pytest.mark.promise("M4")
async def test_one_of_several_processes_tells_everybody_once(
    store: LossyStore, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The log and whoever is notified; it is kept, and listed."""
    collector, told = ProviderMetricsCollector(store, clock=clock), Told()
    desks = [AnomalyDesk(store, collector, notifiers=[told], clock=clock) for _ in range(2)]
    with caplog.at_level(logging.WARNING, logger="interlock.observability.anomalies"):
        found = await month_of_failures(collector, desks, clock)
    assert [(each.measure, each.ended) for each in found] == [
        (Measure.FAILURES, False),
        (Measure.FAILURES, True),
    ]
    began, ended = told.alerts
    assert (began["kind"], began["subject"]) == ("anomaly-failures", "failures")
    assert as_object(began["data"])["state"] == "began"
    assert str(began["message"]).startswith("The share of failures is unusually high")
    assert as_object(ended["data"])["state"] == "ended"
    assert [record.getMessage() for record in caplog.records] == [
        f"anomaly: {alert['message']}" for alert in told.alerts
    ]
    assert list(await desks[0].latest()) == [ended, began]
    await desks[1].retell()
    assert len(told.alerts) == 2


@pytest.mark.promise("M4")
async def test_what_a_process_did_not_live_to_tell_is_told_by_the_next(
    store: LossyStore, clock: FakeClock
) -> None:
    """It was kept before anybody was told; a store that is away is made up for."""

    class Dying:
        async def notify(self, event: Event) -> None:
            raise StoreError(f"killed before {event.kind} was told")

    collector, told = ProviderMetricsCollector(store, clock=clock), Told()
    with pytest.raises(StoreError, match="killed"):
        await month_of_failures(
            collector, [AnomalyDesk(store, collector, notifiers=[Dying()], clock=clock)], clock
        )
    desk = AnomalyDesk(store, collector, notifiers=[told], clock=clock)
    clock.advance(120)
    store.away = True
    with pytest.raises(StoreError):
        await desk.look()
    store.away = False
    await desk.retell()
    await desk.retell()
    assert [alert["kind"] for alert in told.alerts] == ["anomaly-failures"]


async def test_a_look_at_nothing_new_says_nothing(store: LossyStore, clock: FakeClock) -> None:
    """And a gateway that slept for a week looks at the last day only."""
    collector = ProviderMetricsCollector(store, clock=clock)
    desk = AnomalyDesk(store, collector, rules=AnomalyRules(lasts=1), clock=clock)
    assert await desk.look() == await desk.look() == []
    clock.advance(7 * 86_400)
    assert await desk.look() == []
    hours = Memory.load(
        str((await store.fetch_one("SELECT state FROM metrics_watched WHERE name = 'cost'") or ("",))[0])
    ).hours
    assert len(hours) <= 25
