"""The ledger under kills of its process, cancelled callers, a store that fails, and several processes."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from interlock_core.call import Call, CallKind, Outcome, Principal
from interlock_core.completion import CompletionRequest
from interlock_core.errors import (
    InvalidRequestError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    StoreError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import JsonObject, as_object
from interlock_core.messages import Audio, File, Image, Message, user
from interlock_core.models import ModelInfo, Price
from interlock_core.money import Money
from interlock_core.run import Event
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_core.tokens import EstimatingCounter
from interlock_security import BRANCH
from interlock_security.quotas import (
    Applied,
    Period,
    Quota,
    QuotaGuard,
    QuotaMeter,
    Quotas,
    Scope,
    Tariff,
    Verdict,
    next_start,
    span,
    subject_of,
)
from interlock_security.quotas._meter import nothing_billed

ADA = Principal(user="ada", team="core", organisation="acme", key_id="key_1")
DAY = Quota(scope=Scope.USER, name="*", day=Money(1_000), thresholds=(50,))
PRICE = Price(input=1_000_000, output=2_000_000, cache_read=100_000, cache_write=1_250_000)
WORKER = """
import asyncio, sys
from contextlib import asynccontextmanager
from interlock_core.call import Principal
from interlock_core.money import Money
from interlock_core.store import Store
from interlock_security import BRANCH
from interlock_security.quotas import Quota, Quotas, Scope, Verdict, subject_of

class NoLog:
    @asynccontextmanager
    async def change(self, name, by, data):
        yield

async def main(url, die):
    store = await Store.open(url, branches=[BRANCH])
    quota = Quota(scope=Scope.USER, name="*", day=Money(1_000), month=Money(10_000))
    quotas = Quotas(store, configured=[quota], changes=NoLog(), life_s=30.0)
    applied = await quotas.applied(subject_of(Principal(user="ada")))
    spent = refused = 0
    while refused < 3:
        postings = [quotas.admit(applied, Money(10), what="it") for _ in range(8)]
        for hold in await asyncio.gather(*postings, return_exceptions=True):
            if isinstance(hold, Exception):
                refused += 1
                continue
            if die:
                print(hold.id, flush=True)
                await asyncio.Event().wait()
            await quotas.settle(hold, Money(7))
            spent += 7
    print(spent)
    await quotas.aclose()
    await store.aclose()

asyncio.run(main(sys.argv[1], len(sys.argv) > 2))
"""


class Log:
    """Lets every change be made, and takes notes."""

    def __init__(self) -> None:
        self.alerts: list[JsonObject] = []
        self.told: list[JsonObject] = []

    @asynccontextmanager
    async def change(self, name: str, by: Principal, data: JsonObject) -> AsyncGenerator[None, None]:
        """Let a change be made."""
        yield

    async def note(self, kind: str, principal: Principal, data: JsonObject) -> None:
        """Take a note."""
        self.alerts.append(data)

    async def notify(self, event: Event) -> None:
        """Take a note of an event."""
        self.told.append(event.data)


def made(store: Store, *quotas: Quota, log: Log | None = None) -> Quotas:
    """Quotas over a store."""
    notes = log or Log()
    return Quotas(store, configured=quotas, changes=notes, notes=notes, notifier=notes)


async def account(store: Store) -> tuple[int, int]:
    """Spent and set aside, of all accounts together."""
    row = await store.fetch_one("SELECT sum(spent), sum(held) FROM quotas_accounts")
    return (0, 0) if row is None or row[0] is None else (int(str(row[0])), int(str(row[1])))


async def start(url: str, *more: str) -> asyncio.subprocess.Process:
    """A process that spends."""
    command = (sys.executable, "-c", WORKER, url, *more)
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


@pytest.mark.promise("A8")
async def test_four_processes_spend_to_the_last_and_never_above(ready: str) -> None:
    """What they booked is what they spent; the next call is refused because it does not fit."""
    processes = [await start(ready) for _ in range(4)]
    outputs = [(await process.communicate())[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    async with await Store.open(ready, branches=[BRANCH]) as store:
        row = await store.fetch_one("SELECT spent, held FROM quotas_accounts WHERE length(span) = 10")
    spent = sum(int(output) for output in outputs)
    assert row == (spent, 0)
    assert 0 < spent <= 1_000


@pytest.mark.promise("A8")
async def test_what_a_killed_process_held_is_charged_and_listed(ready: str) -> None:
    """Nobody knows what it was billed, so all of it counts."""
    process = await start(ready, "die")
    assert process.stdout is not None
    key = (await process.stdout.readline()).decode().strip()
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    async with await Store.open(ready, branches=[BRANCH]) as store:
        quotas = made(store, DAY)
        assert await quotas.sweep() == ()
        await store.execute("UPDATE quotas_reservations SET ends_at = 0")
        assert key in await quotas.sweep()
        listed = await quotas.charged()
        assert all(row["charged_usd"] == 0.00001 for row in listed)
        assert await account(store) == (len(listed) * 2 * 10, 0)
        await quotas.aclose()


@pytest.mark.promise("A8")
async def test_a_caller_that_leaves_while_it_waits_leaves_nothing_set_aside(store: Store) -> None:
    """Cancelled before or after the commit, it is given back."""
    quotas = made(store, DAY)
    applied = await quotas.applied(subject_of(ADA))
    tasks = [asyncio.create_task(quotas.admit(applied, Money(10), what="it")) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await quotas.aclose()
    assert await account(store) == (0, 0)


@pytest.mark.promise("A8")
async def test_what_cannot_be_booked_just_now_is_booked_later(store: Store) -> None:
    """A ledger that fails after the answer takes nothing away, and forgets nothing."""
    quotas = made(store, DAY)
    applied = await quotas.applied(subject_of(ADA))
    hold = await quotas.admit(applied, Money(100), what="it")
    await store.execute("ALTER TABLE quotas_reservations RENAME TO away")
    with pytest.raises(StoreError):
        await quotas.settle(hold, Money(40))
    with pytest.raises(StoreError):
        await quotas.admit(applied, Money(100), what="it")
    await store.execute("ALTER TABLE away RENAME TO quotas_reservations")
    await quotas.tend()
    assert await account(store) == (40, 0)
    await quotas.aclose()


@pytest.mark.promise("A8")
async def test_thresholds_and_overruns_are_told_to_log_and_people(store: Store) -> None:
    """Each once, with the figures."""
    log = Log()
    quotas = made(store, DAY, log=log)
    applied = await quotas.applied(subject_of(ADA))
    hold = await quotas.admit(applied, Money(100), what="it")
    assert (await quotas.settle(hold, Money(600))).verdict is Verdict.ABOVE
    await quotas.settled()
    kinds = sorted((str(alert["kind"]), str(alert["alert"])) for alert in log.alerts)
    assert kinds == [("overrun", f"overrun:{hold.id}"), ("threshold", "user:ada/day@50")]
    told = sorted((as_object(event["alert"]) for event in log.told), key=lambda alert: str(alert["kind"]))
    assert [(alert["kind"], alert["subject"]) for alert in told] == [
        ("quota-overrun", None),
        ("quota-threshold", "user:ada"),
    ]
    assert as_object(told[1]["data"])["percent"] == 50
    assert str(told[1]["id"]).startswith("user:ada/day@50/")
    (usage,) = await quotas.usage(scope=Scope.USER, name="ada")
    assert (usage.spent, usage.excess) == (600, 500)
    assert await quotas.used() == {(Scope.USER, Period.DAY): 0.6}
    await quotas.aclose()


@pytest.mark.promise("A8")
async def test_own_quotas_stand_in_place_of_everybodys(store: Store) -> None:
    """Tools are counted by their pattern, and each quota of a call is named in a refusal."""
    quotas = made(
        store,
        DAY,
        Quota(scope=Scope.USER, name="bob", day=Money(5)),
        Quota(scope=Scope.TOOL, name="sam.*", day=Money(5), call_price=Money(2)),
    )
    assert (await quotas.applied(subject_of(ADA))).limits[0].micro_usd == 1_000
    assert (await quotas.applied(((Scope.USER, "bob"),))).limits[0].micro_usd == 5
    guard = QuotaGuard(quotas)
    call = Call(id="call_1", kind=CallKind.TOOL, name="sam.search", principal=Principal(user="bob"))
    async with guard.around(call):
        call.ending.outcome = Outcome(ok=True)
    with pytest.raises(QuotaExceededError, match=r"the day quota of tool sam\.\*"):
        async with guard.around(replace(call, name="sam.other")), guard.around(call):
            pytest.fail("it was let in")
    other = Call(id="call_2", kind=CallKind.TOOL, name="github.x", principal=Principal(user="bob"))
    async with guard.around(other):
        pass
    with pytest.raises(PermissionDeniedError):
        async with guard.around(replace(call, principal=Principal(user="eve"))):
            raise PermissionDeniedError("no")
    titles = {usage.limit.account.id.partition("@")[0]: usage.spent for usage in await quotas.usage()}
    assert titles == {"user:bob": 2, "tool:sam.*": 2, "user:eve": 0}
    await quotas.aclose()


async def test_quotas_that_make_no_sense_are_refused() -> None:
    """Each by its field."""

    def field(**wrong: object) -> str | None:
        with pytest.raises(InvalidRequestError) as refused:
            replace(DAY, **wrong)
        return refused.value.field

    assert field(name=" ") == "name"
    assert field(day=None) == "day_usd"
    assert field(day=Money(-1)) == "day_usd"
    assert field(call_price=Money(1)) == "call_usd"
    assert field(thresholds=(0,)) == "thresholds"
    assert field(max_tokens=0) == "max_tokens"
    assert field(time_zone="Mars/Phobos") == "time_zone"
    assert field(time_zone="../etc/passwd") == "time_zone"


def tariff(*, price: Price | None = PRICE, context: int | None = 1_000_000) -> Tariff:
    """What one model costs."""

    class Book:
        def price(self, model: str) -> Price | None:
            return price

    facts = ModelInfo(id="v/m", provider="v", context_tokens=context, max_output_tokens=500)
    return Tariff(prices=Book(), counter=EstimatingCounter(), facts=lambda model: facts)


def request(*parts: Image | Audio | File, **more: object) -> CompletionRequest:
    """A request of one message."""
    message = Message("user", parts) if parts else user("hello")
    return replace(CompletionRequest(model="v/m", messages=(message,)), **more)


@pytest.mark.promise("A8")
def test_the_bound_holds_for_everything_that_a_vendor_may_bill() -> None:
    """Input at its dearest, output at its limit, for every answer; media by their rules."""
    plain = tariff().most(request(max_tokens=100))
    tokens = EstimatingCounter().count(request()).upper_bound
    assert plain is not None
    assert plain.micro_usd == -(-(tokens * 1_250_000 + 100 * 2_000_000) // 1_000_000)
    three = tariff().most(request(max_tokens=100, n=3))
    assert three == plain + Money(400)
    extra = tariff().most(request(max_tokens=100, extra={"documents": ["x" * 4_000]}))
    assert extra is not None
    assert extra.micro_usd > plain.micro_usd + 4_000
    picture = tariff().most(request(Image(url="https://a.example/b.png"), max_tokens=1))
    assert picture is not None
    assert picture.micro_usd >= 50_000
    sound = tariff().most(request(Audio(data=b"x" * 9_000, format="wav"), max_tokens=1))
    assert sound is not None
    assert sound.micro_usd >= 9_000
    paper = tariff(context=2_000).most(request(File(data=b"%PDF"), max_tokens=1))
    assert paper == Money(2_502)
    assert tariff(context=None).most(request(File(data=b"%PDF"), max_tokens=1)) is None
    assert tariff(price=None).most(request(max_tokens=1)) is None
    assert tariff().most(request(max_tokens=1, service_tier="priority")) is None
    assert tariff().most(request()) is None


def test_the_step_of_a_price_counts_where_the_input_may_reach_it() -> None:
    """Beyond it every token costs more."""
    steep = Price(input=1_000_000, output=0, over_tokens=10, over=Price(input=3_000_000, output=5_000_000))
    most = tariff(price=steep).most(request(max_tokens=10))
    tokens = EstimatingCounter().count(request()).upper_bound
    assert most == Money(tokens * 3 + 50)


def test_a_request_without_a_limit_gets_one() -> None:
    """No more than the model can say; reasoning comes on top; one that has a limit stays as it is."""
    limited = request(max_tokens=7)
    assert tariff().capped(limited, 4_096) is limited
    assert tariff().capped(request(), 4_096).max_tokens == 500
    assert tariff().capped(request(reasoning_budget=50), 100).max_tokens == 150


@pytest.mark.promise("A8")
def test_only_what_proves_that_nothing_is_billed_gives_the_money_back() -> None:
    """The vendor's own refusals, and connections that never were; a gateway's silence proves nothing."""
    refused = UpstreamConnectionError("no")
    refused.__cause__ = ConnectionRefusedError()
    free = [
        refused,
        OverloadedError("busy", vendor="v", vendor_status=529),
        UpstreamError("broken", vendor="v", vendor_status=500),
        InvalidRequestError("wrong", vendor="v", vendor_status=400),
        PermissionDeniedError("no"),
    ]
    billed = [
        UpstreamConnectionError("it broke"),
        UpstreamTimeoutError("late"),
        UpstreamError("bad gateway", vendor="v", vendor_status=502),
        UpstreamError("odd", vendor="v", vendor_status=200),
        InvalidRequestError("unreadable"),
        asyncio.CancelledError(),
    ]
    assert all(nothing_billed(error) for error in free)
    assert not any(nothing_billed(error) for error in billed)


async def test_a_free_model_needs_no_ledger(store: Store) -> None:
    """Nothing can be spent, so nothing is set aside."""
    quotas = made(store, DAY)
    meter = QuotaMeter(quotas, subject_of(ADA), tariff(price=Price(input=0, output=0)))
    async with meter.attempt(request(max_tokens=1)):
        pass
    assert await store.fetch_all("SELECT id FROM quotas_reservations") == []
    assert isinstance(await quotas.applied(()), Applied)
    await quotas.aclose()


def test_days_and_months_begin_where_the_clock_of_the_zone_says(clock: FakeClock) -> None:
    """Also where midnight does not exist."""
    at = 1_788_667_199.0  # 2026-09-06T03:59:59Z, the last second of the day before in Santiago
    assert span(Period.DAY, "America/Santiago", at) == "2026-09-05"
    assert next_start(Period.DAY, "America/Santiago", at) == at + 1
    assert span(Period.DAY, "America/Santiago", at + 1) == "2026-09-06"
    assert next_start(Period.MONTH, "UTC", 1_798_675_200.0) == 1_798_761_600.0
