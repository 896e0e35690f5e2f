"""Search by columns and text, pages that stand still, retention that reaches the disk; on both databases."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from interlock_core.call import CallKind, Outcome, Principal, Verdict
from interlock_core.errors import InvalidRequestError
from interlock_core.store import Store
from interlock_core.testing import FakeClock, make_call
from interlock_core.toolspec import Effect
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, FileWitness
from interlock_security.audit.trail import AuditProofs, AuditQuery, AuditRetention, AuditSearch

ADA, BOB = Principal(user="ada", key_id="key_a", team="red"), Principal(user="bob", key_id="key_b")


@pytest.fixture
async def store(url: str) -> AsyncGenerator[Store, None]:
    """A store on each database."""
    opened = await Store.open(url, branches=[BRANCH])
    try:
        yield opened
    finally:
        await opened.aclose()


@pytest.fixture
async def log(store: Store, home: Path, clock: FakeClock) -> AsyncGenerator[AuditLog, None]:
    """A log in it."""
    opened = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE), clock=clock)
    try:
        yield opened
    finally:
        await opened.aclose()


async def story(log: AuditLog, clock: FakeClock) -> None:
    """Eight records: two calls with outcomes, a refusal, three notes."""
    call = make_call("github.issues_create", kind=CallKind.TOOL, effect=Effect.WRITE, call_id="call_1")
    await log.outcome(await log.intent(call), Outcome(ok=True, summary="made 100%_sure"))
    clock.advance(60)
    other = make_call("sam.search", kind=CallKind.TOOL, call_id="call_2")
    await log.outcome(await log.intent(other), Outcome(ok=False, error="upstream"))
    clock.advance(60)
    await log.refusal(other, Verdict(allowed=False, reason="No.", rule="default-deny"))
    for who, text in ((ADA, "Stra\u00dfe \\ x"), (BOB, "plain"), (ADA, "100 percent")):
        await log.note("test.note", who, {"said": text})


@pytest.mark.promise("A4")
async def test_records_are_found_by_what_they_say(log: AuditLog, store: Store, clock: FakeClock) -> None:
    """Each filter, alone and together, the newest first."""
    start = clock.now()
    await story(log, clock)
    search = AuditSearch(store)
    expected: list[tuple[AuditQuery, list[int]]] = [
        (AuditQuery(), [7, 6, 5, 4, 3, 2, 1, 0]),
        (AuditQuery(user="ada"), [7, 5]),
        (AuditQuery(user="bob", kind="test.note"), [6]),
        (AuditQuery(key="key_b"), [6]),
        (AuditQuery(team="red"), [7, 5]),
        (AuditQuery(name="sam.search"), [4, 3, 2]),
        (AuditQuery(name="github.*"), [1, 0]),
        (AuditQuery(name="githu_.*"), []),
        (AuditQuery(kind="outcome", outcome="upstream"), [3]),
        (AuditQuery(outcome="refused"), [4]),
        (AuditQuery(text="100%_SURE"), [1]),
        (AuditQuery(text="stra\u00dfe \\"), [5]),
        (AuditQuery(text="100"), [7, 1]),
        (AuditQuery(since=start + 30, until=start + 90), [3, 2]),
        (AuditQuery(run="run_none"), []),
    ]
    for query, found in expected:
        page = await search.page(query)
        assert [record.index for record in page.records] == found, query
        assert page.next is None
    for text in ("\x00", "\ud800"):
        with pytest.raises(InvalidRequestError):
            await search.page(AuditQuery(user=text))


@pytest.mark.promise("A4")
async def test_pages_stand_still_while_records_are_appended(
    log: AuditLog, store: Store, clock: FakeClock
) -> None:
    """Every record once, whatever is appended between two pages; a cursor is of one search."""
    await story(log, clock)
    search, query = AuditSearch(store), AuditQuery(user="ada")
    for number in range(9):
        await log.note("test.note", ADA, {"number": number})
    found: list[int] = []
    cursor: str | None = None
    while True:
        page = await search.page(query, limit=3, cursor=cursor)
        found += [record.index for record in page.records]
        await log.note("test.note", ADA, {"later": len(found)})
        if page.next is None:
            break
        cursor = page.next
    assert found == [*range(16, 7, -1), 7, 5]
    assert cursor is not None
    other = ("B" if cursor[0] == "A" else "A") + cursor[1:]
    for wrong in (other, cursor[1:], "", "\u00e9", "AAAA", cursor.swapcase()):
        with pytest.raises(InvalidRequestError, match="no cursor"):
            await search.page(query, cursor=wrong)
    with pytest.raises(InvalidRequestError, match="no cursor"):
        await search.page(AuditQuery(user="bob"), cursor=cursor)


@pytest.mark.promise("A4")
async def test_what_is_erased_is_gone_and_the_log_holds(
    log: AuditLog, store: Store, clock: FakeClock, database: Path
) -> None:
    """Payloads go, headers stay; what is open or about the log stays whole; proofs and verification hold."""
    await story(log, clock)
    open_call = make_call("x.open", kind=CallKind.TOOL, effect=Effect.WRITE, call_id="call_open")
    await log.intent(open_call)
    retention = AuditRetention(store, log)
    clock.advance(1)
    assert (await retention.plan(clock.now())).as_json() == {
        "before": clock.now(),
        "count": 8,
        "first": 0,
        "last": 7,
    }
    done = await retention.erase(clock.now(), by=ADA, policy="retention.audit_days = 90")
    assert (done.count, (await retention.plan(clock.now())).count) == (8, 0)
    page = await AuditSearch(store).page(AuditQuery())
    kinds = {record.index: (record.kind, record.erased, bool(record.data)) for record in page.records}
    assert kinds[9] == ("audit.erased", False, True)
    assert (kinds[8], kinds[7]) == (("intent", False, True), ("test.note", True, False))
    said = page.records[0].data["note"]
    assert said == {
        "ranges": [[0, 7]],
        "count": 8,
        "before": clock.now(),
        "policy": "retention.audit_days = 90",
    }
    assert (await log.verify()).ok
    assert json.loads(await AuditProofs(store).prove("7"))["record"]["payload"] is None
    assert (await AuditSearch(store).page(AuditQuery(text="plain"))).records == []
    if store.dialect == "sqlite":
        await log.aclose()
        await store.aclose()
        # What was freed was overwritten: the words are nowhere in the file.
        assert b"100 percent" not in await asyncio.to_thread(database.read_bytes)


async def test_nothing_old_is_nothing_to_erase(log: AuditLog, store: Store, clock: FakeClock) -> None:
    """No record is made of it."""
    await log.note("test.note", ADA, {})
    plan = await AuditRetention(store, log).erase(clock.now() - 5, by=ADA, policy="test")
    assert plan.as_json() == {"before": clock.now() - 5, "count": 0, "first": None, "last": None}
    assert len((await AuditSearch(store).page(AuditQuery())).records) == 1
