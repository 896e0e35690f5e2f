"""The audit log through its public face, on a real database."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from interlock_core.call import Call, CallKind, Outcome, Principal, Taint, Verdict
from interlock_core.completion import Usage
from interlock_core.errors import AuditUnavailableError, InvalidRequestError, PermissionDeniedError
from interlock_core.jsontypes import Json, JsonObject, as_object
from interlock_core.money import Money
from interlock_core.secret import Secret
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_core.toolspec import Effect
from interlock_security import AuditLimits, AuditLog, KnownSecretRedactor
from interlock_security.audit import NoticeKind
from interlock_security.audit.notes import Checkpoint, VerifierKey


def tool_call(
    number: int = 1, *, arguments: JsonObject | None = None, name: str = "github.createIssue"
) -> Call:
    """A call with side effects."""
    return Call(
        id=f"call_{number}",
        kind=CallKind.TOOL,
        name=name,
        principal=Principal(user="alice", roles=frozenset({"developer"}), key_id="key_7", team="blue"),
        agent="planner",
        run="run_1",
        effect=Effect.WRITE,
        taint=(Taint(source="web.fetch", call_id="call_0"),),
        tags={"ticket": "42"},
        trace_id="trace_1",
        cost_bound=Money(5),
        arguments={"title": "Hello"} if arguments is None else arguments,
    )


@pytest.mark.promise("A1")
async def test_a_call_is_recorded_with_who_what_and_what_became_of_it(log: AuditLog) -> None:
    """Time, principal, agent, key, tool, sanitised inputs, outcome, cost, duration, trace."""
    entry = await log.intent(tool_call())
    usage = Usage(input_tokens=3, output_tokens=4)
    await log.outcome(
        entry,
        Outcome(
            ok=False,
            error="overloaded",
            status=503,
            cost=Money(7),
            duration_s=1.5,
            usage=usage,
            summary="busy",
        ),
    )
    intent, outcome = await log.tail(10)
    assert intent.data == {
        "agent": "planner",
        "arguments": {"title": "Hello"},
        "call": "call_1",
        "call_kind": "tool",
        "cost_bound_micro_usd": 5,
        "effect": "write",
        "name": "github.createIssue",
        "principal": {"key_id": "key_7", "roles": ["developer"], "team": "blue", "user": "alice"},
        "run": "run_1",
        "tags": {"ticket": "42"},
        "taint": [{"call_id": "call_0", "source": "web.fetch"}],
        "trace_id": "trace_1",
    }
    assert outcome.data == {
        "attempts": 1,
        "call": "call_1",
        "cost_micro_usd": 7,
        "duration_us": 1_500_000,
        "error": "overloaded",
        "input_tokens": 3,
        "ok": False,
        "output_tokens": 4,
        "status": 503,
        "summary": "busy",
    }
    assert (intent.index, outcome.index, outcome.ref, intent.at) == (0, 1, intent.id, 1_800_000_000.0)


async def test_a_new_log_verifies_and_makes_no_key(log: AuditLog, home: Path) -> None:
    """Looking changes nothing."""
    report = await log.verify()
    assert report.as_json() == {
        "ok": True,
        "records": 0,
        "checkpoint": None,
        "problems": [],
        "notices": [],
        "more_problems": 0,
    }
    assert not (home / "audit.key").exists()


@pytest.mark.promise("A2")
async def test_a_log_verifies_and_says_what_it_was_held_against(log: AuditLog) -> None:
    """The report carries the signed checkpoint."""
    for number in range(20):
        await log.outcome(await log.intent(tool_call(number)), Outcome(ok=True))
    report = await log.verify()
    note = await log.checkpoint()
    signed = Checkpoint.parse(VerifierKey.parse(await log.verifier_key()).open(note))
    assert (report.ok, report.records, report.checkpoint) == (True, 40, signed)
    assert report.as_json()["checkpoint"] == {"origin": signed.origin, "size": 40, "root": signed.root.hex()}


async def test_an_intent_without_outcome_is_a_notice_and_no_problem(log: AuditLog) -> None:
    """It is said which call, and the log is whole."""
    await log.outcome(await log.intent(tool_call(1)), Outcome(ok=True))
    entry = await log.intent(tool_call(2, name="github.mergePR"))
    report = await log.verify()
    assert report.ok
    assert [(notice.kind, notice.record) for notice in report.notices] == [
        (NoticeKind.OPEN_INTENT, entry.index)
    ]
    assert "github.mergePR (write, run_1) has no outcome" in report.notices[0].detail
    assert [(record.id, record.data["call"]) for record in await log.open_intents()] == [(entry.id, "call_2")]


async def test_the_tail_pages_in_order(log: AuditLog) -> None:
    """The last ones, or those after an index, never more than asked."""
    for number in range(7):
        await log.note("test.step", Principal(user="u"), {"n": number})
    assert [record.data["note"] for record in await log.tail(2)] == [{"n": 5}, {"n": 6}]
    assert [record.index for record in await log.tail(3, after=-1)] == [0, 1, 2]
    assert [record.index for record in await log.tail(30, after=4)] == [5, 6]
    assert await log.tail(0) == await log.tail(-3) == ()
    assert (await log.tail(1))[0].as_json()["kind"] == "test.step"


@pytest.mark.parametrize("kind", ["", "Upper", "a b", "intent", "outcome", "x" * 65, 'a"b'])
async def test_a_note_of_a_wrong_or_reserved_kind_is_refused(log: AuditLog, kind: str) -> None:
    """An intent is made by `intent` alone."""
    with pytest.raises(InvalidRequestError):
        await log.note(kind, Principal(user="u"), {})
    assert (await log.verify()).records == 0


@pytest.mark.promise("A3")
async def test_a_change_is_recorded_before_and_after(log: AuditLog, admin: Principal) -> None:
    """And when it fails, that it failed."""
    async with log.change("roles.grant", admin, {"user": "bob", "role": "admin"}):
        assert [record.data["name"] for record in await log.open_intents()] == ["roles.grant"]
    with pytest.raises(PermissionDeniedError):
        async with log.change("roles.grant", admin, {}):
            raise PermissionDeniedError("no")
    records = await log.tail(10)
    assert [(record.kind, record.data.get("ok")) for record in records] == [
        ("intent", None),
        ("outcome", True),
        ("intent", None),
        ("outcome", False),
    ]
    assert records[3].data["error"] == "permission_denied"
    assert await log.open_intents() == ()


async def test_a_refusal_is_recorded_with_its_reason(log: AuditLog) -> None:
    """Who was refused what by which rule."""
    await log.refusal(tool_call(), Verdict(allowed=False, reason="No role.", rule="default-deny"))
    (record,) = await log.tail(1)
    assert (record.kind, record.data["rule"], record.data["reason"]) == (
        "refused",
        "default-deny",
        "No role.",
    )
    assert record.data["name"] == "github.createIssue"


@pytest.mark.promise("A4")
async def test_no_secret_reaches_the_database_or_the_witness(
    store: Store, home: Path, database: Path
) -> None:
    """A known secret in every field that a caller can fill, and an unknown one under a secret name."""
    canary = "kR9!/+canary-é-secret"
    log = AuditLog(
        store, home=home, witness=None, redactor=KnownSecretRedactor([Secret(canary, name="vendor")])
    )
    call = Call(
        id=f"call {canary}",
        kind=CallKind.TOOL,
        name=f"tool.{canary}",
        principal=Principal(user=canary, key_id=canary, team=canary, roles=frozenset({canary})),
        agent=canary,
        run=canary,
        effect=Effect.WRITE,
        category=canary,
        tags={canary: canary},
        taint=(Taint(source=canary, call_id=canary),),
        arguments={canary: [canary], "deep": {"text": f"a {canary} b"}, "password": "unknown-canary-1"},
        task=canary,
        policy=canary,
        trace_id=canary,
        idempotency_key=canary,
    )
    entry = await log.intent(call)
    await log.outcome(
        entry, Outcome(ok=False, error=canary, summary=f"Authorization: Bearer unknown-canary-2 {canary}")
    )
    await log.note("test.note", Principal(user=canary), {"x": canary})
    async with log.change("keys.create", Principal(user=canary), {"token": "unknown-canary-3"}):
        pass
    await log.aclose()
    stored = contents(home, database.name)
    assert b"[redacted:vendor]" in stored
    for form in (canary, json.dumps(canary)[1:-1], "unknown-canary"):
        assert form.encode() not in stored


def contents(folder: Path, prefix: str) -> bytes:
    """Every byte of the files whose names begin so."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.name.startswith(prefix))


async def test_large_records_are_cut_and_what_is_left_says_so(store: Store, home: Path) -> None:
    """Long texts, long lists, deep nesting, and then the whole of the arguments."""
    limits = AuditLimits(text_chars=20, items=3, depth=4, data_bytes=2_000)
    log = AuditLog(store, home=home, witness=None, limits=limits)
    deep: JsonObject = {"a": {"b": {"c": {"d": 1}}}}
    await log.intent(tool_call(1, arguments={"text": "x" * 50, "items": [1, 2, 3, 4, 5], "deep": deep}))
    await log.intent(tool_call(2, arguments={f"field{number}": "y" * 19 for number in range(200)}))
    await log.note("test.note", Principal(user="u"), {f"field{number}": "z" * 19 for number in range(200)})
    first, second, third = await log.tail(3)
    assert first.data["arguments"] == {
        "deep": {"a": {"b": "[deeper]"}},
        "items": [1, 2, 3, "[2 more]"],
        "text": "x" * 20 + "[30 more characters]",
    }
    assert set(as_object(second.data["arguments"])) == {"omitted"}
    assert second.data["name"] == "github.createIssue"
    assert set(third.data) == {"omitted"}
    assert (await log.verify()).ok
    await log.aclose()


async def test_a_huge_argument_is_cut_before_it_is_searched_and_hides_its_secrets(
    store: Store, home: Path
) -> None:
    """Megabytes of text and thousands of items; what is shown holds no part of a secret."""
    redactor = KnownSecretRedactor([Secret("canary-secret-value", name="vendor")])
    log = AuditLog(store, home=home, witness=None, redactor=redactor)
    text = "x" * 1_990 + "canary-secret-value" + "y" * 3_000_000
    deep: Json = "bottom"
    for _ in range(3_000):
        deep = [deep]
    items: list[Json] = ["canary-secret-value"] * 100_000
    await log.intent(tool_call(arguments={"text": text, "items": items, "deep": deep}))
    (record,) = await log.tail(1)
    arguments = as_object(record.data["arguments"])
    assert arguments["text"] == "x" * 1_990 + "[redacted:[at least 32768 more characters]"
    assert arguments["items"] == ["[redacted:vendor]"] * 200 + ["[99800 more]"]
    assert "canary" not in json.dumps(record.data)
    await log.aclose()


async def test_numbers_that_json_has_not_are_written_as_words(log: AuditLog) -> None:
    """NaN, infinities, and integers that no reader takes."""
    await log.intent(tool_call(arguments={"nan": float("nan"), "inf": float("-inf"), "big": 1 << 5_000}))
    (record,) = await log.tail(1)
    assert record.data["arguments"] == {"big": "[a number of 5001 bits]", "inf": "[-inf]", "nan": "[nan]"}


async def test_what_arrives_together_is_committed_together(log: AuditLog, database: Path) -> None:
    """Two hundred writers need far fewer commits than two hundred, and each gets its own place."""
    before = frames(database)
    entries = await asyncio.gather(*(log.intent(tool_call(number)) for number in range(200)))
    assert sorted(entry.index for entry in entries) == list(range(200))
    assert [entry.call for entry in entries] == [f"call_{number}" for number in range(200)]
    assert frames(database) - before < 200
    assert (await log.verify()).ok


def frames(database: Path) -> int:
    """Pages in the write-ahead log, which grows with every commit."""
    wal = database.with_name(f"{database.name}-wal")
    return wal.stat().st_size // 4096 if wal.exists() else 0


async def test_an_append_goes_on_when_its_caller_leaves(log: AuditLog) -> None:
    """Whoever is cancelled leaves a whole log behind."""
    task = asyncio.create_task(log.intent(tool_call()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await log.aclose()
    report = await log.verify()
    assert (report.ok, report.records) == (True, 1)


@pytest.mark.promise("A3")
async def test_a_store_that_fails_refuses_every_record_and_no_half_of_one(
    log: AuditLog, database: Path, admin: Principal
) -> None:
    """The table is gone: intents, notes and changes are refused, and the change is not made."""
    await log.intent(tool_call(0))
    made: list[str] = []
    with sqlite3.connect(database) as raw:
        raw.execute("ALTER TABLE audit_records RENAME TO audit_elsewhere")
    raw.close()
    results = await asyncio.gather(
        *(log.intent(tool_call(number)) for number in range(1, 5)), return_exceptions=True
    )
    assert [type(result) for result in results] == [AuditUnavailableError] * 4
    with pytest.raises(AuditUnavailableError):
        async with log.change("roles.grant", admin, {}):
            made.append("granted")
    assert made == []
    with sqlite3.connect(database) as raw:
        raw.execute("ALTER TABLE audit_elsewhere RENAME TO audit_records")
    raw.close()
    await log.intent(tool_call(9))
    report = await log.verify()
    assert (report.ok, report.records) == (True, 2)


@pytest.mark.promise("A3")
async def test_a_key_that_cannot_be_used_refuses_every_record(log: AuditLog, home: Path) -> None:
    """An unsigned log would prove nothing."""
    (home / "audit.key").write_bytes(b"nonsense")
    (home / "audit.key").chmod(0o600)
    with pytest.raises(AuditUnavailableError, match="no signing key"):
        await log.intent(tool_call())


async def test_a_log_goes_on_after_a_restart(
    store: Store, log: AuditLog, home: Path, clock: FakeClock
) -> None:
    """Another process, the same key: one log."""
    await log.intent(tool_call(1))
    await log.aclose()
    again = AuditLog(store, home=home, witness=None, clock=clock)
    entry = await again.intent(tool_call(2))
    await again.aclose()
    assert entry.index == 1
    assert (await log.verify()).ok


async def test_a_checkpoint_of_an_empty_log_is_signed_too(log: AuditLog) -> None:
    """A witness can be begun before the first record."""
    note = await log.checkpoint(begin=True)
    opened = Checkpoint.parse(VerifierKey.parse(await log.verifier_key()).open(note))
    assert opened.size == 0
    await log.intent(tool_call())
    await log.aclose()
    assert (await log.verify()).ok
