"""Alerts of quotas outlive the process that raised them, and are told until somebody heard them."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from interlock_core.call import Principal
from interlock_core.errors import AuditUnavailableError
from interlock_core.jsontypes import JsonObject, as_object
from interlock_core.money import Money
from interlock_core.run import Event
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import BRANCH
from interlock_security.quotas import Quota, Quotas, Scope, subject_of

ADA = Principal(user="ada")
DAY = Quota(scope=Scope.USER, name="*", day=Money(1_000), thresholds=(50,))
TITLES = ["overrun", "user:ada/day@50"]
WORKER = """
import asyncio, sys
from contextlib import asynccontextmanager
from interlock_core.call import Principal
from interlock_core.money import Money
from interlock_core.store import Store
from interlock_security import BRANCH
from interlock_security.quotas import Quota, Quotas, Scope, subject_of

class Deaf:
    @asynccontextmanager
    async def change(self, name, by, data):
        yield

    async def note(self, kind, principal, data):
        print(data["alert"], flush=True)
        await asyncio.Event().wait()

async def main(url):
    store = await Store.open(url, branches=[BRANCH])
    quota = Quota(scope=Scope.USER, name="*", day=Money(1_000), thresholds=(50,))
    quotas = Quotas(store, configured=[quota], changes=Deaf(), notes=Deaf())
    hold = await quotas.admit(await quotas.applied(subject_of(Principal(user="ada"))), Money(10), what="it")
    await quotas.settle(hold, Money(600))
    await asyncio.Event().wait()

asyncio.run(main(sys.argv[1]))
"""


class Ears:
    """Lets every change be made, and hears what is told; notes fail as often as wanted."""

    def __init__(self, failing: int = 0) -> None:
        self.noted: list[str] = []
        self.told: list[str] = []
        self._failing = failing

    @asynccontextmanager
    async def change(self, name: str, by: Principal, data: JsonObject) -> AsyncGenerator[None, None]:
        """Let a change be made."""
        yield

    async def note(self, kind: str, principal: Principal, data: JsonObject) -> None:
        """Take a note."""
        if self._failing:
            self._failing -= 1
            raise AuditUnavailableError("The log is full.")
        self.noted.append(title(data["alert"]))

    async def notify(self, event: Event) -> None:
        """Hear of an event."""
        self.told.append(title(as_object(event.data["alert"])["id"]))


def title(alert: object) -> str:
    """The title of an alert without the reservation and the day, which differ from run to run."""
    text = str(alert)
    return "overrun" if text.startswith("overrun:") else text.rpartition("/2")[0] or text


def over(store: Store, ears: Ears) -> Quotas:
    """Quotas over a store that tell these ears."""
    return Quotas(store, configured=[DAY], changes=ears, notes=ears, notifier=ears)


async def opened(store: Store, ears: Ears) -> Quotas:
    """The same, as a process that starts."""
    quotas = over(store, ears)
    await quotas.open()
    await quotas.settled()
    return quotas


@pytest.mark.promise("A8")
async def test_what_a_killed_process_did_not_tell_another_one_tells(url: str) -> None:
    """After a minute, at its start or on its next round; of several that look at once, one tells each."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, url), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    raised = [title((await process.stdout.readline()).decode().strip()) for _ in TITLES]
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    assert sorted(raised) == TITLES
    clock, here, there = FakeClock(), Ears(), Ears()
    clock.set_now(time.time())
    async with (
        await Store.open(url, branches=[BRANCH], clock=clock) as one,
        await Store.open(url, branches=[BRANCH], clock=clock) as two,
    ):
        early = await opened(one, here)
        assert (here.noted, here.told) == ([], [])
        clock.advance(61.0)
        late, _ = await asyncio.gather(opened(two, there), early.tend())
        await early.settled()
        assert sorted(here.noted + there.noted) == sorted(here.told + there.told) == TITLES
        clock.advance(10_000.0)
        await late.tend()
        await late.settled()
        assert len(here.told + there.told) == len(TITLES)
        await early.aclose()
        await late.aclose()


@pytest.mark.promise("A8")
async def test_an_alert_that_could_not_be_noted_is_told_again(store: Store) -> None:
    """People hear of it at once; the log, when it can be written."""
    ears = Ears(failing=1)
    quotas = over(store, ears)
    hold = await quotas.admit(await quotas.applied(subject_of(ADA)), Money(600), what="it")
    await quotas.settle(hold, Money(600))
    await quotas.settled()
    assert (ears.noted, ears.told) == ([], TITLES[1:])
    await store.execute("UPDATE quotas_alerts SET due = 0")
    await quotas.tend()
    await quotas.settled()
    assert (ears.noted, ears.told) == (TITLES[1:], TITLES[1:] * 2)
    assert await store.fetch_all("SELECT told, tries FROM quotas_alerts") == [(1, 2)]
    await quotas.aclose()
