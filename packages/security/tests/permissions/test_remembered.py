"""What is remembered of decisions: every input that a condition reads makes it another question."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import TypeAlias

import pytest

from interlock_core.call import Call, CallKind, Principal, Taint
from interlock_core.jsontypes import Json
from interlock_core.money import Money
from interlock_core.toolspec import Effect
from interlock_security import PermissionChecker, RoleBook
from interlock_security.testing import Census

NOON = 1_773_230_400.0  # 2026-03-11T12:00:00Z
ALICE = Principal(user="alice", roles=frozenset({"clerk"}))
CALL = Call(
    id="c",
    kind=CallKind.TOOL,
    name="pay.send",
    principal=ALICE,
    effect=Effect.WRITE,
    arguments={"amount": 5},
    cost_bound=Money(10),
)
Asked: TypeAlias = tuple[Call, frozenset[str], float]

YES: Asked = (CALL, frozenset(), NOON)
WEB = (Taint(source="web.fetch", call_id="1"),)


def checker(**conditions: Json) -> PermissionChecker:
    """One role that allows one tool under these conditions."""
    rule: dict[str, Json] = {"tools": ["pay.*"], **conditions}
    return PermissionChecker(RoleBook({"clerk": {"allow": [rule]}}))


@pytest.mark.promise("A5")
@pytest.mark.parametrize(
    ("conditions", "other"),
    [
        ({"arguments": {"amount": {"at_most": 9}}}, (replace(CALL, arguments={"amount": 50}), *YES[1:])),
        ({"arguments": {"amount": {"at_most": 9}}}, (replace(CALL, arguments={}), *YES[1:])),
        ({"cost_at_most": 20}, (replace(CALL, cost_bound=Money(21)), *YES[1:])),
        ({"cost_at_most": 20}, (replace(CALL, cost_bound=None), *YES[1:])),
        ({"taint_free": True}, (replace(CALL, taint=WEB), *YES[1:])),
        ({"hours": {"from": "09:00", "to": "17:00"}}, (CALL, frozenset[str](), NOON + 6 * 3600)),
    ],
)
def test_a_remembered_yes_is_not_given_to_another_input(conditions: Mapping[str, Json], other: Asked) -> None:
    """Neither is a remembered no: yes, no, yes, no, each with the reason that a new checker gives."""
    asked = checker(**conditions)
    for call, approvals, at in (YES, other, YES, other):
        verdict = asked.may_after(call, approvals, at=at)
        assert verdict == checker(**conditions).may_after(call, approvals, at=at)
        assert verdict.allowed is (call is CALL and at == NOON)


@pytest.mark.promise("A5")
def test_a_remembered_denial_tells_what_this_call_failed_on() -> None:
    """Two sources and two prices, asked in turn: each is told its own."""
    tainted, dear = checker(taint_free=True), checker(cost_at_most=20)
    for source in ("web.fetch", "mail.get", "web.fetch"):
        taint = (Taint(source=source, call_id="1"),)
        assert source in tainted.may_after(replace(CALL, taint=taint), frozenset(), at=NOON).reason
    for price in (21, 22, 21):
        cost = Money(price)
        assert f"{price} micro" in dear.may_after(replace(CALL, cost_bound=cost), frozenset(), at=NOON).reason


@pytest.mark.promise("A5")
def test_an_approval_of_one_call_is_not_remembered_for_the_next() -> None:
    """Nobody, one, two and nobody again: the number of people who are missing follows."""
    rule: dict[str, Json] = {"tools": ["pay.*"], "four_eyes": 2}
    asked = PermissionChecker(RoleBook({"clerk": {"approve": [rule]}}))
    for people, missing in ((), 2), (("bob",), 1), (("bob", "eve"), 0), (("bob", "alice"), 1), ((), 2):
        assert asked.may_after(CALL, frozenset(people), at=NOON).approvals == missing


@pytest.mark.promise("A5")
def test_whoever_is_asked_again_answers_as_one_who_never_was() -> None:
    """Random questions over few tools and users, so that most were asked before with other inputs."""
    old, new = (Census(Random(11), users=6, tools=4, roles=6) for _ in range(2))
    for _ in range(3):
        for call, question in old.questions(60):
            fresh = PermissionChecker(
                new.checker.roles, agents=new.reference.agents, environment=question.environment
            )
            fresh.use_overrides(new.checker.overrides)
            expected = fresh.may_after(call, question.approvals, at=question.at)
            assert old.checker.may_after(call, question.approvals, at=question.at) == expected
            assert old.checker.may_after(call, question.approvals, at=question.at) == expected
