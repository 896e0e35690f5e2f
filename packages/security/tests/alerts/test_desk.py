"""The desk: one memory for all processes, alerts that are told once, and a watch that never fails."""

import asyncio
import io
import json
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from interlock_core.call import CallKind, Outcome, Principal, Taint
from interlock_core.errors import NotFoundError, PermissionDeniedError, RateLimitedError, StoreError
from interlock_core.money import Money
from interlock_core.resilience import RetryPolicy
from interlock_core.store import Store
from interlock_core.testing import Answer, FakeClock, LoopbackServer, client_for, make_call
from interlock_security import BRANCH, AuditLog
from interlock_security.alerts import (
    AlertDesk,
    AlertGuard,
    AlertRules,
    KeyWatch,
    Observation,
    Sight,
    StreamNotifier,
    WebhookNotifier,
    network_of,
)
from interlock_security.alerts._memory import Memory

ADA = Principal(user="ada", key_id="key_1")


@pytest.fixture
async def shared(url: str) -> AsyncGenerator[Store, None]:
    """A store on each database."""
    opened = await Store.open(url, branches=[BRANCH])
    try:
        yield opened
    finally:
        await opened.aclose()


def refused(clock: FakeClock, number: int, *, user: str = "ada") -> Observation:
    """One refusal of always the same name."""
    return Observation(sight=Sight.REFUSED, at=clock.now() + number, user=user, name="x.write")


@pytest.mark.promise("A4")
async def test_what_several_processes_see_is_one_story(shared: Store, clock: FakeClock) -> None:
    """Each sees too little to alert; together they alert once for each user, whoever looks first."""
    desks = [AlertDesk(shared, clock=clock, interval_s=0.0) for _ in range(4)]
    for number in range(30):
        desks[number % 4].observe(refused(clock, number))
        desks[number % 4].observe(refused(clock, number, user="bob"))
    raised = [alert for found in await asyncio.gather(*(desk.flush() for desk in desks)) for alert in found]
    assert sorted((alert.kind, alert.subject) for alert in raised) == [
        ("refusals", "user:ada"),
        ("refusals", "user:bob"),
    ]
    await asyncio.gather(*(desk.aclose() for desk in desks))
    later = AlertDesk(shared, clock=clock, interval_s=0.0)
    later.observe(refused(clock, 31))
    assert await later.flush() == []
    newest, oldest = await later.latest()
    assert list(await later.latest(1, after=await later.place(newest.id))) == [oldest]
    with pytest.raises(NotFoundError):
        await later.place("alert_none")
    await later.aclose()


@pytest.mark.promise("A4")
async def test_an_alert_is_recorded_and_told(store: Store, log: AuditLog, clock: FakeClock) -> None:
    """In the audit log, on the console in one line, and to a webhook that fails at first."""
    answers = iter([500, 200])
    stream = io.StringIO()

    def answer(_: object) -> Answer:
        return Answer(status=next(answers))

    async with LoopbackServer(answer) as server, client_for(server) as client:
        hook = WebhookNotifier(client, f"{server.url}/hook/s3cret", policy=RetryPolicy(base_delay_s=0.0))
        notifiers = (StreamNotifier(stream), hook)
        desk = AlertDesk(store, record=log, notifiers=notifiers, clock=clock, interval_s=0.0)
        for number in range(25):
            desk.observe(refused(clock, number, user="a\x1b[31m"))
        await desk.aclose()
        bodies = [json.loads(request.body) for request in server.requests]
    assert [body["kind"] for body in bodies] == ["refusals", "refusals"]
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    (record,) = await log.tail()
    assert (record.kind, record.facts.user) == ("alert", "system:alerts")
    assert await store.fetch_all("SELECT told FROM alerts_raised") == [(1,)]


@pytest.mark.promise("A4")
async def test_what_was_raised_and_not_told_is_told_by_the_next(store: Store, clock: FakeClock) -> None:
    """Once, and not while the one who raised it may still be telling."""
    first = AlertDesk(store, clock=clock, interval_s=0.0)
    for number in range(21):
        first.observe(refused(clock, number))
    await first.aclose()
    await store.execute("UPDATE alerts_raised SET told = 0")
    stream = io.StringIO()
    second = AlertDesk(store, notifiers=[StreamNotifier(stream)], clock=clock, interval_s=0.0)
    await second.retell()
    assert stream.getvalue() == ""
    clock.advance(120)
    await second.retell()
    await second.aclose()
    assert stream.getvalue().count("user:ada") == 1


async def test_a_webhook_that_cannot_be_reached_stops_nothing(
    store: Store, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, without the address's secret part."""
    async with LoopbackServer(lambda _: Answer(status=403)) as server, client_for(server) as client:
        hook = WebhookNotifier(client, f"{server.url}/hook/s3cret", policy=RetryPolicy(base_delay_s=0.0))
        desk = AlertDesk(store, notifiers=[hook], clock=clock, interval_s=0.0)
        for number in range(21):
            desk.observe(refused(clock, number))
        await desk.aclose()
        assert len(server.requests) == 1
    assert "could not be sent" in caplog.text
    assert "s3cret" not in caplog.text


async def test_a_store_that_fails_costs_no_observation(store: Store, clock: FakeClock) -> None:
    """What was seen is judged when it is back; the caller never notices."""
    desk = AlertDesk(store, clock=clock, interval_s=3600.0)
    await store.execute("ALTER TABLE alerts_subjects RENAME TO away")
    for number in range(21):
        desk.observe(refused(clock, number))
    with pytest.raises(StoreError):
        await desk.flush()
    await store.execute("ALTER TABLE away RENAME TO alerts_subjects")
    assert [alert.subject for alert in await desk.flush()] == ["user:ada"]
    await desk.aclose()


async def test_memory_is_bounded(store: Store, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """Past a number that wait observations are counted, and old subjects are forgotten."""
    desk = AlertDesk(store, clock=clock, interval_s=3600.0)
    for number in range(10_050):
        desk.observe(refused(clock, 0, user=f"u{number % 3}"))
    await desk.aclose()
    assert "50 observations were too many" in caplog.text
    clock.advance(91 * 86_400)
    later = AlertDesk(store, clock=clock, interval_s=0.0)
    await later.flush()
    assert await store.fetch_all("SELECT subject FROM alerts_subjects") == []
    await later.aclose()


async def test_the_guard_shows_how_calls_end(store: Store, clock: FakeClock) -> None:
    """Refusals and unknown names as such, failures as calls, and who must wait not at all."""
    shown: list[Observation] = []

    class Listening(AlertDesk):
        """A desk that keeps what it is shown."""

        __slots__ = ()

        def observe(self, seen: Observation) -> None:
            """Keep it."""
            shown.append(seen)

    guard = AlertGuard(Listening(store, clock=clock))
    made = make_call("x.write", kind=CallKind.TOOL)
    call = replace(made, principal=ADA, taint=(Taint(source="web", call_id="c"),))
    errors = (PermissionDeniedError("no"), NotFoundError("no"), RateLimitedError("wait"), ValueError("x"))
    for error in errors:
        with pytest.raises(type(error)):
            async with guard.around(call):
                raise error
    async with guard.around(call):
        call.ending.outcome = Outcome(ok=True, summary="four", cost=Money.usd("0.5"))
    assert [entry.sight for entry in shown] == [Sight.REFUSED, Sight.UNKNOWN, Sight.CALL, Sight.CALL]
    last = shown[-1]
    assert (last.user, last.key, last.tainted, last.output_bytes, last.cost_micro_usd) == (
        *("ada", "key_1", True),
        *(4, 500_000),
    )


async def test_keys_are_seen_once_an_hour_and_never_kept(store: Store, clock: FakeClock) -> None:
    """A good key from the same network is shown once; of a bad one a digest is kept."""
    desk = AlertDesk(store, rules=AlertRules(bad_keys=2), clock=clock, interval_s=3600.0)
    watch = KeyWatch(desk)
    for address in ("203.0.113.1", "203.0.113.2", "198.51.100.1", "::ffff:198.51.100.9", "nowhere"):
        watch.signed_in(ADA, address)
    watch.signed_in(Principal(user="local:root"), "203.0.113.1")
    watch.refused("ilk_first", "203.0.113.1")
    watch.refused("ilk_second", "203.0.113.1")
    kinds = [(alert.kind.value, alert.subject) for alert in await desk.flush()]
    assert kinds == [("new-network", "key_1"), ("key-enumeration", "203.0.113.1")]
    kept = str(await store.fetch_all("SELECT state FROM alerts_subjects"))
    assert "ilk_" not in kept
    await desk.aclose()


def test_networks_and_damaged_memories() -> None:
    """What is no address has no network; what cannot be read is forgotten."""
    assert [network_of(text) for text in ("10.1.2.3", "2001:db8:1:2::3", "fe80::1%eth0", "x", "")] == [
        *("10.1.2.0/24", "2001:db8:1::/48", "fe80::/48", "", ""),
    ]
    for text in ("", "{", "[1]", '{"usual": 3, "hour": [1], "names": {"a": "b"}, "slots": {"wd1": [1, 2]}}'):
        memory = Memory.load(text)
        assert Memory.load(memory.dump()) == memory
        assert (memory.usual, memory.hour, memory.names) == ([], [0, 0, 0, 0], {})
