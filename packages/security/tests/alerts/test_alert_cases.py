"""Every scripted day: attacks alert exactly once and in time, quiet days stay quiet."""

import asyncio
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from interlock_core.jsontypes import JsonObject, as_array, as_int, as_number, as_object
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import BRANCH
from interlock_security.alerts import Alert, AlertDesk, AlertKind, AlertRules, Observation, Sight
from interlock_security.alerts._detector import Detector, subjects_of
from interlock_security.alerts._memory import Memory

CASES = cast(
    "list[JsonObject]",
    tomllib.loads(Path(__file__).parents[1].joinpath("cases", "alerts.toml").read_text("utf-8"))["case"],
)
NEW_KEYS = {"k7", "k8", "k9"}
DEFAULTS: JsonObject = {
    "kind": "call",
    "principal": "user:ada",
    "key": "k1",
    "tool": "github.list_issues",
    "outcome": "ok",
    "network": "203.0.113.10",
    "cost": 1000,
    "output_bytes": 2000,
}


@dataclass(frozen=True)
class Row:
    """One record of a script."""

    at: float
    facts: JsonObject

    def __getitem__(self, name: str) -> str:
        return str(self.facts.get(name, ""))


@dataclass
class Runs:
    """What the pipeline knows of runs, and hands to every call: which read something untrusted."""

    tainted: set[str] = field(default_factory=set[str])

    def observations(self, row: Row) -> Iterator[Observation]:
        """What guards and gateway show the desk of a record."""
        match row["kind"]:
            case "taint":
                self.tainted.add(row["run"])
            case "start-run":
                self.tainted |= {row["run"]} if row["parent"] in self.tainted else set()
            case "key" if row["outcome"] == "refused":
                yield Observation(sight=Sight.KEY_REFUSED, at=row.at, key=row["key"], address=row["network"])
            case "key" | "admin":
                yield signed_in(row)
            case "call":
                yield signed_in(row)
                if row["outcome"] != "limited":
                    yield self.call(row)
            case _:
                assert row["kind"] in {"list", "start", "stop"}

    def call(self, row: Row) -> Observation:
        """A call as its guard shows it."""
        kind, _, name = row["principal"].partition(":")
        refused = Sight.UNKNOWN if row["reason"] == "unknown tool" else Sight.REFUSED
        return Observation(
            sight=refused if row["outcome"] == "refused" else Sight.CALL,
            at=row.at,
            user=name if kind == "user" else "",
            agent=name if kind == "agent" else "",
            key=row["key"],
            name=row["tool"],
            run=row["run"],
            tainted=row["run"] in self.tainted,
            output_bytes=as_int(row.facts["output_bytes"]) or 0,
            cost_micro_usd=as_int(row.facts["cost"]) or 0,
        )


def signed_in(row: Row) -> Observation:
    """The key was good."""
    return Observation(sight=Sight.SIGNED_IN, at=row.at, key=row["key"], address=row["network"])


def script(case: JsonObject) -> list[Row]:
    """The records of a case, in order."""
    rows: list[Row] = []
    for series in map(as_object, as_array(case["events"])):
        start = datetime.fromisoformat(str(series["at"])).timestamp()
        count, every = as_int(series.get("count", 1)) or 0, as_number(series.get("every_s", 0)) or 0.0
        for number in range(count):
            facts = {
                name: value.replace("{n}", str(number)) if isinstance(value, str) else value
                for name, value in (DEFAULTS | series).items()
            }
            rows.append(Row(start + number * every, facts))
    return sorted(rows, key=lambda row: row.at)


def past(case: JsonObject, first: float, principal: str, keys: Sequence[str]) -> Iterator[Row]:
    """The records of the days before for a principal with keys that are not new."""
    history = as_object(case["history"])
    zone = ZoneInfo(str(history["zone"]))
    start, end = (as_int(hour) or 0 for hour in as_array(history["hours"]))
    tools, networks = as_array(history["tools"]), as_array(history["networks"])
    midnight = datetime.combine(datetime.fromtimestamp(first, zone).date(), time(), zone)
    for back in range(as_int(history["days"]) or 0, 0, -1):
        day = midnight - timedelta(days=back)
        if day.weekday() > 4 and not history["weekend"]:
            continue
        per_hour = (as_int(history["per_hour"]) or 0) * factor(history, day)
        total = (end - start) * per_hour
        for number in range(total):
            at = (day + timedelta(hours=start)).astimezone(UTC) + timedelta(seconds=number * 3600 / per_hour)
            # The last network of several was seen three weeks ago at the latest.
            network = networks[number % len(networks)] if back >= 21 else networks[0]
            refused = number % 100 < (as_int(history["refused_percent"]) or 0)
            for key in keys:
                more: JsonObject = {"principal": principal, "key": key, "network": network}
                more |= {"tool": tools[number % len(tools)], "outcome": "refused" if refused else "ok"}
                yield Row(at.timestamp(), DEFAULTS | more)


def factor(history: JsonObject, day: datetime) -> int:
    """How many times as many calls as usual a day had."""
    for peak in map(as_object, as_array(history.get("peaks"))):
        if day.day in as_array(peak["day_of_month"]):
            return as_int(peak["factor"]) or 1
    return 1


Held = list[tuple[str, int, str]]
_REMEMBERED: dict[str, Held] = {}


def remembered(case: JsonObject) -> Held:
    """What is remembered at the midnight before a case; nothing of the past may have alerted."""
    rows, held = script(case), Held()
    day = datetime.fromtimestamp(rows[0].at, ZoneInfo(str(as_object(case["history"])["zone"]))).date()
    for principal in sorted({row["principal"] for row in rows if row["kind"] in {"call", "admin"}}):
        keys = sorted({row["key"] for row in rows if row["principal"] == principal} - NEW_KEYS)
        past_of = f"{case['history']} {principal} {keys} {day}"
        if past_of not in _REMEMBERED:
            _REMEMBERED[past_of] = lived(past(case, rows[0].at, principal, keys))
        held += _REMEMBERED[past_of]
    return held


def lived(rows: Iterator[Row]) -> Held:
    """The memories of all subjects after such days."""
    detector, memories = Detector(AlertRules()), dict[str, Memory]()
    runs, seen_at = Runs(), dict[str, int]()
    for row in rows:
        for seen in runs.observations(row):
            for subject in subjects_of(seen):
                memory = memories.setdefault(subject, Memory())
                told = {alert.kind for alert in detector.judge(seen, subject, memory)}
                # A second network was new once.
                assert told <= {AlertKind.NEW_NETWORK}, row
                seen_at[subject] = int(seen.at)
    return [(subject, seen_at[subject], memory.dump()) for subject, memory in memories.items()]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with its tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "interlock.db"

    async def make() -> None:
        await (await Store.open(f"sqlite:///{path}", branches=[BRANCH])).aclose()

    asyncio.run(make())
    return path


class Gateway:
    """Desks on one database, one after the other as the gateway is restarted."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self._store, self._clock = store, clock
        self._runs = Runs()
        self._desk = self._open()

    def _open(self) -> AlertDesk:
        return AlertDesk(self._store, clock=self._clock, interval_s=0.0)

    async def play(self, rows: Sequence[Row]) -> Sequence[Alert]:
        """Play a script; what is in the store in the end."""
        for row in rows:
            self._clock.set_now(row.at)
            if row["kind"] == "stop":
                await self._desk.aclose()
                self._desk = self._open()
                await self._desk.retell()
            for seen in self._runs.observations(row):
                self._desk.observe(seen)
        await self._desk.flush()
        found = await self._desk.latest(500)
        await self._desk.aclose()
        return found


@pytest.mark.promise("A4")
@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case["id"]) for case in CASES])
async def test_a_day_alerts_exactly_as_it_should(number: int, template: Path, tmp_path: Path) -> None:
    """Exactly the expected alerts, about whom they should be, and not too late."""
    case = CASES[number]
    rows = script(case)
    shutil.copy(template, tmp_path / "interlock.db")
    store = await Store.open(f"sqlite:///{tmp_path / 'interlock.db'}", branches=[BRANCH])
    try:
        async with store.transaction() as transaction:
            await transaction.execute_many(
                "INSERT INTO alerts_subjects (subject, seen_at, state) VALUES (?, ?, ?)",
                list({subject: held for held in remembered(case) for subject in held[:1]}.values()),
            )
        found = await Gateway(store, FakeClock(rows[0].at)).play(rows)
    finally:
        await store.aclose()
    wanted = [as_object(alert) for alert in as_array(case["alerts"])]
    told = [(alert.kind.value, alert.subject) for alert in found]
    assert sorted(told) == sorted((str(one["kind"]), str(one["subject"])) for one in wanted), found
    latest = {
        (str(one["kind"]), str(one["subject"])): datetime.fromisoformat(str(one["by"])) for one in wanted
    }
    late = [alert for alert in found if alert.at > latest[alert.kind.value, alert.subject].timestamp()]
    assert late == []
