"""The audit log's upkeep and suspicion alerts as `[retention]` and `[alerts]` want them."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from interlock_core import Call, CallKind, Outcome, Principal, new_id
from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import as_object
from interlock_core.store import Store
from interlock_core.testing import FakeClock, MemorySecrets
from interlock_runtime import Runtime, Settings, load_settings
from interlock_runtime._access import Access, permission_checker
from interlock_runtime._alerts import Alerts, rules_of
from interlock_runtime._trail import RETENTION, Trail
from interlock_runtime.audit import AuditQuery
from interlock_runtime.settings import AlertSettings, RetentionSettings
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, FileWitness

from .conftest import MakeSettings

ADA = Principal(user="ada", roles=frozenset({"developer"}))
DAY_S = 86_400.0
WAIT_S = 20.0


@dataclass
class Kept:
    """A log in the hands of a test, and what tends it."""

    trail: Trail
    log: AuditLog
    store: Store
    clock: FakeClock

    async def note(self, days: int) -> None:
        """A record a day, for so many days."""
        for number in range(days):
            await self.log.note("test.note", ADA, {"number": number})
            self.clock.advance(DAY_S)

    async def erased(self) -> list[int]:
        """The places of records whose payloads are gone."""
        rows = await self.trail.tail(1_000, after=-1)
        return [int(str(row["record"])) for row in rows if row["erased"]]


def made_private(home: Path) -> None:
    """The data folder, as the runtime makes it."""
    home.mkdir(mode=0o700)


@asynccontextmanager
async def kept(home: Path, *, keep_days: int) -> AsyncGenerator[Kept, None]:
    """A log whose payloads are kept for so many days."""
    made_private(home)
    clock, settings = FakeClock(), Settings(home=home)
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.store_url, branches=[BRANCH], clock=clock)
        stack.push_async_callback(store.aclose)
        log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE), clock=clock)
        stack.push_async_callback(log.aclose)
        access = Access(settings, store=store, audit=log, checker=permission_checker(settings))
        stack.push_async_callback(access.aclose)
        yield Kept(Trail(log, store=store, access=access, keep_days=keep_days), log, store, clock)


@pytest.mark.promise("A4")
async def test_upkeep_erases_what_is_older_than_the_setting_says(home: Path) -> None:
    """No more and no less, under retention's name and in the setting's words; a second time adds nothing."""
    async with kept(home, keep_days=3) as it:
        await it.note(6)
        await it.trail.keep()
        assert await it.erased() == [0, 1, 2]
        await it.trail.keep()
        rows, _ = await it.trail.search(AuditQuery(kind="audit.erased"))
        assert [row["user"] for row in rows] == [RETENTION.user]
        note = as_object(as_object(rows[0]["data"])["note"])
        assert (note["policy"], note["count"]) == ("retention.audit_days = 3", 3)
        assert (await it.trail.verify())["ok"] is True


async def test_what_is_kept_for_ever_is_only_prepared_for_proofs(home: Path) -> None:
    """0 days erase nothing; what proofs are made of is there before anybody asks for one."""
    async with kept(home, keep_days=0) as it:
        await asyncio.gather(*(it.log.note("test.note", ADA, {"number": number}) for number in range(300)))
        it.clock.advance(1_000 * DAY_S)
        await it.trail.keep()
        assert await it.erased() == []
        assert await it.store.fetch_one("SELECT count(*) FROM audit_tiles") == (1,)


@pytest.mark.promise("A4")
async def test_upkeep_goes_on_after_it_failed(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A store that fails is told in the log, and the next time everything is done."""
    caplog.set_level(logging.ERROR, logger="interlock.runtime.audit")
    async with kept(home, keep_days=1) as it:
        await it.note(3)
        await it.store.execute("ALTER TABLE audit_tiles RENAME TO away")
        # Tiles are of 256 records each: only then is the table asked for.
        await asyncio.gather(*(it.log.note("test.note", ADA, {"number": number}) for number in range(300)))
        tending = asyncio.create_task(it.trail.tend(every_s=0.0))
        async with asyncio.timeout(WAIT_S):
            while True:
                await asyncio.sleep(0)
                if "the audit log could not be tended" in caplog.text:
                    break
            assert await it.erased() == []
            await it.store.execute("ALTER TABLE away RENAME TO audit_tiles")
            while True:
                await asyncio.sleep(0)
                if await it.erased() == [0, 1]:
                    break
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)
        assert (await it.trail.verify())["ok"] is True


@pytest.mark.promise("A4")
async def test_a_running_house_keeps_to_the_setting(make: MakeSettings, home: Path) -> None:
    """What an older process wrote long ago is erased, and what this one writes is not."""
    async with kept(home, keep_days=0) as it:
        it.clock.set_now(1_600_000_000.0)
        await it.note(2)
    async with Runtime.open(make(retention=RetentionSettings(audit_days=30))) as runtime:
        await runtime.limits.set("tool", "requests", 5, name="t")
        await runtime.trail.keep()
        rows = await runtime.trail.tail(20)
        assert [row["erased"] for row in rows[:2]] == [True, True]
        assert not any(row["erased"] for row in rows[2:])
        assert (await runtime.trail.verify())["ok"] is True


@pytest.mark.promise("A4")
@pytest.mark.parametrize(("zone", "kinds"), [("UTC", ["unusual-hour"]), ("Pacific/Kiritimati", [])])
async def test_hours_are_usual_or_not_in_the_zone_of_the_setting(
    home: Path, zone: str, kinds: list[str]
) -> None:
    """Work at noon UTC on weekdays; the same on a Sunday is odd in UTC, but Monday at two in Kiritimati."""
    made_private(home)
    clock = FakeClock()
    monday = datetime(2026, 3, 2, 12, tzinfo=UTC)
    settings = Settings(home=home, alerts=AlertSettings(zone=zone))
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.store_url, branches=[BRANCH], clock=clock)
        stack.push_async_callback(store.aclose)
        log = AuditLog(store, home=home, witness=None, clock=clock)
        stack.push_async_callback(log.aclose)
        alerts = Alerts(settings, store=store, audit=log, secrets=MemorySecrets({}))
        stack.push_async_callback(alerts.aclose)
        await alerts.open()
        workdays = [monday + timedelta(days=day) for day in range(20) if day % 7 < 5]
        for at in [*workdays, monday + timedelta(days=20)]:
            clock.set_now(at.timestamp())
            for _ in range(12):
                call = Call(id=new_id("call"), kind=CallKind.TOOL, name="shop.list", principal=ADA)
                async with alerts.guards[0].around(call):
                    call.ending.outcome = Outcome(ok=True)
            await alerts.flush()
        assert [alert["kind"] for alert in (await alerts.page()).items] == kinds


def test_a_zone_that_is_none_is_refused_by_its_name() -> None:
    """Nothing is guessed, and no file is opened that a name with dots would lead to."""
    for zone in ("Mars/Olympus", "../../etc/passwd", "", "\0"):
        with pytest.raises(ConfigurationError, match="There is no time zone") as refused:
            rules_of(AlertSettings(zone=zone))
        assert refused.value.field == "alerts.zone"
    assert str(rules_of(AlertSettings(zone="Europe/Berlin", refusals=7)).zone) == "Europe/Berlin"
    assert rules_of(AlertSettings(refusals=7)).refusals == 7


async def test_a_webhook_that_is_no_address_stops_the_start(make: MakeSettings) -> None:
    """Alerts that go nowhere are missed only when they are needed; the address itself is not repeated."""
    with pytest.raises(ConfigurationError, match="no address") as refused:
        async with Runtime.open(make(alerts=AlertSettings(webhook="chat.example/hook-4f9d2c"))):
            pytest.fail("it was opened")
    assert refused.value.field == "alerts.webhook"
    assert "4f9d2c" not in str(refused.value)


@pytest.mark.parametrize(
    ("table", "line", "said"),
    [
        ("retention", "audit_days = -1", "audit_days"),
        ("retention", "audit_days = 1.5", "audit_days"),
        ("retention", "adit_days = 1", "Did you mean audit_days?"),
        ("alerts", "bad_keys = 1", "bad_keys"),
        ("alerts", "refused_names = 501", "refused_names"),
        ("alerts", "volume_factor = 1.0", "volume_factor"),
        ("alerts", "enabled = 'yes'", "enabled is a text. Write true or false."),
        ("alerts", "zon = 'UTC'", "Did you mean zone?"),
    ],
)
def test_a_wrong_setting_of_upkeep_or_alerts_is_refused(
    tmp_path: Path, table: str, line: str, said: str
) -> None:
    """With file, line and name, before anything is opened."""
    file = tmp_path / "config.toml"
    file.write_text(f"[{table}]\n{line}\n", "utf-8")
    environment = {"INTERLOCK_HOME": str(tmp_path / "home"), "INTERLOCK_CONFIG": str(file)}
    with pytest.raises(ConfigurationError) as refused:
        load_settings(environment)
    assert f"{file}:2: [{table}] " in str(refused.value)
    assert said in str(refused.value)


def test_the_settings_of_upkeep_and_alerts_are_read(tmp_path: Path) -> None:
    """From the file, and over it from the environment."""
    file = tmp_path / "config.toml"
    file.write_text(
        "[retention]\naudit_days = 90\n[alerts]\nzone = 'Europe/Berlin'\nconsole = true\n", "utf-8"
    )
    environment = {
        "INTERLOCK_HOME": str(tmp_path / "home"),
        "INTERLOCK_CONFIG": str(file),
        "INTERLOCK_ALERTS__ZONE": "Asia/Tokyo",
    }
    settings = load_settings(environment)
    assert settings.retention == RetentionSettings(audit_days=90)
    assert settings.alerts == AlertSettings(zone="Asia/Tokyo", console=True)
