"""Approvals that wait: who may answer, for what an answer counts, how often and how long."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from interlock_core.call import Call, CallKind, Principal, Taint
from interlock_core.errors import (
    AuditUnavailableError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.protocols import Prepared
from interlock_core.secret import Secret
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_core.toolspec import Effect, HttpRequest, ToolSpec
from interlock_security import (
    BRANCH,
    ApprovalDesk,
    ApprovalState,
    AuditLog,
    KnownSecretRedactor,
    PermissionChecker,
    RoleBook,
)

OWN: dict[str, Json] = {"approver": {"allow": ["manage:approvals.*"]}, "nothing": {}}
ADA = Principal(user="ada", roles=frozenset({"developer"}))
BOB = Principal(user="bob", roles=frozenset({"approver"}))
EVE = Principal(user="eve", roles=frozenset({"approver"}))
TOOL = ToolSpec(name="pay.transfer", effect=Effect.WRITE)


@pytest.fixture
async def store(url: str) -> AsyncGenerator[Store, None]:
    """A store of either kind."""
    opened = await Store.open(url, branches=[BRANCH])
    try:
        yield opened
    finally:
        await opened.aclose()


@pytest.fixture
def desk(store: Store, log: AuditLog, clock: FakeClock) -> ApprovalDesk:
    """A desk whose questions last a minute."""
    redactor = KnownSecretRedactor()
    redactor.learn(Secret("hunter2-canary"))
    checker = PermissionChecker(RoleBook(OWN))
    return ApprovalDesk(
        store,
        checker=checker,
        changes=log,
        redactor=redactor,
        clock=clock,
        valid_s=60,
        most_pending=3,
    )


def call(user: Principal = ADA, agent: str | None = "bot") -> Call:
    """A call of an agent for a user."""
    return Call(
        id="call_1",
        kind=CallKind.TOOL,
        name=TOOL.name,
        principal=user,
        agent=agent,
        run="run_1",
        effect=TOOL.effect,
        taint=(Taint(source="web.fetch", call_id="call_0"),),
    )


def prepared(amount: int = 5, body: bytes = b'{"note":"hunter2-canary"}') -> Prepared:
    """What would be sent."""
    arguments: JsonObject = {"amount": amount}
    request = HttpRequest(method="POST", url="https://pay.example/t", headers=(("x", "1"),), body=body)
    return Prepared(tool=TOOL, arguments=arguments, request=request)


@pytest.mark.promise("T3")
async def test_a_yes_of_somebody_else_is_used_once_for_exactly_that_call(
    desk: ApprovalDesk, log: AuditLog
) -> None:
    """What is shown hides secrets; the answer is recorded with what it was given for."""
    asked = await desk.ask(call(), prepared(), people=1, others=True)
    assert (asked.state, asked.user, asked.agent, asked.taint) == (
        *(ApprovalState.PENDING, "ada", "bot"),
        ("web.fetch",),
    )
    assert "POST https://pay.example/t" in asked.shown
    assert "hunter2" not in asked.shown
    assert not await desk.use(asked, call(), prepared())
    answered = await desk.answer(asked.id, by=BOB, granted=True, reason="fine")
    assert (answered.state, answered.granted_by) == (ApprovalState.GRANTED, {"bob"})
    for other in (prepared(6), prepared(body=b"{}")):
        assert not await desk.use(answered, call(), other)
    assert not await desk.use(answered, call(agent="other"), prepared())
    assert not await desk.use(answered, call(replace(ADA, user="mallory")), prepared())
    assert await desk.use(answered, call(), prepared())
    assert not await desk.use(answered, call(), prepared())
    assert (await desk.get(asked.id)).state is ApprovalState.USED
    intents = [record.data for record in await log.tail(9) if record.kind == "intent"]
    assert [data.get("name") for data in intents] == ["approvals.approve"]
    assert asked.digest in str(intents)


@pytest.mark.promise("T3")
async def test_who_asked_counts_for_nobody_where_others_must_answer(desk: ApprovalDesk) -> None:
    """Not with the right to answer either; saying no to oneself is fine."""
    self_made = Principal(user="bob", roles=frozenset({"admin"}))
    asked = await desk.ask(call(self_made), prepared(), people=1, others=True)
    with pytest.raises(PermissionDeniedError, match="Somebody else"):
        await desk.answer(asked.id, by=self_made, granted=True)
    with pytest.raises(PermissionDeniedError, match="Somebody else"):
        await desk.answer(asked.id, by=replace(BOB, key_id="key_2"), granted=True)
    assert (await desk.answer(asked.id, by=self_made, granted=False)).state is ApprovalState.DENIED


@pytest.mark.promise("T3")
async def test_as_many_different_people_as_are_asked_for_must_say_yes(desk: ApprovalDesk) -> None:
    """One person counts once; one no ends it."""
    asked = await desk.ask(call(), prepared(), people=2, others=True)
    assert (await desk.answer(asked.id, by=BOB, granted=True)).state is ApprovalState.PENDING
    with pytest.raises(ConflictError, match="bob has answered"):
        await desk.answer(asked.id, by=BOB, granted=True)
    assert (await desk.answer(asked.id, by=EVE, granted=True)).state is ApprovalState.GRANTED
    with pytest.raises(ConflictError, match="granted already"):
        await desk.answer(asked.id, by=BOB, granted=False)
    other = await desk.ask(call(), prepared(7), people=2, others=True)
    assert (await desk.answer(other.id, by=EVE, granted=False)).state is ApprovalState.DENIED
    again = await desk.ask(call(), prepared(7), people=2, others=True)
    assert (again.id, again.state) == (other.id, ApprovalState.DENIED)


@pytest.mark.promise("T3")
async def test_who_may_answer_and_see(desk: ApprovalDesk) -> None:
    """One's own where that is enough, others' with the right, nobody's without."""
    asked = await desk.ask(call(), prepared(), people=1, others=False)
    outsider = Principal(user="mallory", roles=frozenset({"developer"}))
    for who in (outsider, Principal(user="bob", roles=frozenset({"nothing"}))):
        with pytest.raises(PermissionDeniedError):
            await desk.answer(asked.id, by=who, granted=True)
    assert [one.id for one in await desk.list(by=ADA)] == [asked.id]
    assert await desk.list(by=outsider) == ()
    assert [one.id for one in await desk.list(by=BOB)] == [asked.id]
    with pytest.raises(PermissionDeniedError):
        await desk.list(by=Principal(user="ada", roles=frozenset({"nothing"})))
    assert (await desk.answer(asked.id, by=ADA, granted=True)).state is ApprovalState.GRANTED
    assert await desk.list(by=BOB) == ()
    assert len(await desk.list(by=BOB, every=True)) == 1
    with pytest.raises(NotFoundError):
        await desk.answer("apr_absent", by=BOB, granted=True)
    with pytest.raises(InvalidRequestError):
        await desk.answer(asked.id, by=BOB, granted=True, reason="x" * 501)


@pytest.mark.promise("T3")
async def test_no_answer_in_time_is_a_no(desk: ApprovalDesk, clock: FakeClock) -> None:
    """Neither a question nor a yes outlives its time; the next call is a new question."""
    asked = await desk.ask(call(), prepared(), people=1, others=True)
    other = await desk.ask(call(), prepared(9), people=1, others=True)
    granted = await desk.answer(other.id, by=BOB, granted=True)
    clock.advance(60)
    with pytest.raises(ConflictError, match="expired"):
        await desk.answer(asked.id, by=BOB, granted=True)
    assert not await desk.use(granted, call(), prepared(9))
    assert (await desk.get(other.id)).state is ApprovalState.EXPIRED
    assert (await desk.ask(call(), prepared(), people=1, others=True)).id != asked.id


async def test_a_yes_is_used_once_by_many_at_a_time(desk: ApprovalDesk) -> None:
    """And a question is asked once by many."""
    questions = await asyncio.gather(*(desk.ask(call(), prepared(), people=1, others=True) for _ in range(8)))
    assert len({asked.id for asked in questions}) == 1
    granted = await desk.answer(questions[0].id, by=BOB, granted=True)
    used = await asyncio.gather(*(desk.use(granted, call(), prepared()) for _ in range(8)))
    assert sum(used) == 1


async def test_a_question_that_cannot_be_shown_whole_is_not_asked(desk: ApprovalDesk) -> None:
    """Nor are more than a person could look through."""
    with pytest.raises(InvalidRequestError, match="too long"):
        await desk.ask(call(), prepared(body=b"x" * 70_000), people=1, others=True)
    for amount in range(3):
        await desk.ask(call(), prepared(amount), people=1, others=True)
    with pytest.raises(ConflictError, match="3 questions"):
        await desk.ask(call(), prepared(3), people=1, others=True)


class Unwritable:
    """A log that cannot be written."""

    @asynccontextmanager
    async def change(self, name: str, by: Principal, data: JsonObject) -> AsyncGenerator[None, None]:
        """Fail.

        Raises:
            AuditUnavailableError: Always.
        """
        raise AuditUnavailableError(f"{name} of {by.user} with {len(data)} facts is not recorded.")
        yield


async def test_an_answer_that_cannot_be_recorded_does_not_count(
    desk: ApprovalDesk, store: Store, clock: FakeClock
) -> None:
    """No record, no yes."""
    asked = await desk.ask(call(), prepared(), people=1, others=True)
    checker, redactor = PermissionChecker(RoleBook(OWN)), KnownSecretRedactor()
    blind = ApprovalDesk(store, checker=checker, changes=Unwritable(), redactor=redactor, clock=clock)
    with pytest.raises(AuditUnavailableError):
        await blind.answer(asked.id, by=BOB, granted=True)
    assert (await desk.get(asked.id)).state is ApprovalState.PENDING
