"""Every case of `cases/permissions*.toml`, through the permission checker."""

import tomllib
from datetime import datetime
from pathlib import Path
from typing import cast

import pytest

from interlock_core.call import Call, CallKind, Principal, Taint
from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_core.money import Money
from interlock_core.toolspec import Effect
from interlock_security import Explanation, Override, PermissionChecker, RoleBook, Rule, RuleKind

FOLDER = Path(__file__).parents[1] / "cases"


def table(name: str) -> JsonObject:
    """One of the tables."""
    return cast("JsonObject", tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8")))


TABLE = table("permissions")
CASES = [
    as_object(case)
    for name in ("permissions", "permissions_conditions")
    for case in as_array(table(name)["case"])
]
TOOLS = as_object(TABLE["tools"])
PEOPLE = as_object(TABLE["people"])
USERS = {str(name) for name in as_array(PEOPLE["users"])}
AGENTS = {str(name) for name in as_array(PEOPLE["agents"])}
DISABLED = {str(name) for name in as_array(PEOPLE["disabled"])}
LISTS = {"allow": "allow", "deny": "deny", "approval": "approve"}


def table_of(role: JsonObject) -> JsonObject:
    """A role of a case as configuration writes it."""
    lists: dict[str, list[Json]] = {name: [] for name in LISTS.values()}
    for rule in map(as_object, as_array(role.get("rules"))):
        entry = {key: value for key, value in rule.items() if key != "verdict"}
        lists[LISTS[str(rule["verdict"])]].append(entry)
    made: JsonObject = {name: rules for name, rules in lists.items() if rules}
    if role.get("inherits"):
        made["inherits"] = role["inherits"]
    return made


def seconds(text: object) -> float:
    """A moment of a case."""
    return datetime.fromisoformat(str(text)).timestamp()


def override_of(number: int, entry: JsonObject) -> Override:
    """An override of a case."""
    rule = {key: value for key, value in entry.items() if key not in {"user", "until", "verdict"}}
    return Override(
        id=f"o{number}",
        user=str(entry["user"]),
        kind=RuleKind(str(entry["verdict"])),
        rule=Rule.from_config(rule, where=f"overrides[{number}]"),
        until=seconds(entry["until"]) if "until" in entry else None,
    )


def checker_of(case: JsonObject) -> PermissionChecker:
    """A checker with the roles, agents and overrides of a case; its role `agent` is the table's.

    Raises:
        ConfigurationError: A role of it is wrong, with which nothing starts.
    """
    own = {name: table_of(as_object(role)) for name, role in as_object(case.get("roles")).items()}
    book = RoleBook({"agent": {"allow": [as_object(TABLE["builtin"])["agent"]]}, **own})
    agents = {agent: [] for agent in AGENTS} | {
        name.removeprefix("agent:"): [str(role) for role in as_array(roles)]
        for name, roles in as_object(case["grants"]).items()
        if name.startswith("agent:")
    }
    checker = PermissionChecker(
        book, agents=agents, environment=str(as_object(case["ask"]).get("environment", "development"))
    )
    overrides = map(as_object, as_array(case.get("overrides")))
    checker.use_overrides(override_of(number, entry) for number, entry in enumerate(overrides))
    return checker


def call_of(case: JsonObject) -> Call:
    """The call that a case asks about."""
    ask = as_object(case["ask"])
    tool = as_object(TOOLS[str(ask["tool"])])
    cost = ask.get("cost", 0)
    roles = as_array(as_object(case["grants"]).get(f"user:{ask['user']}"))
    return Call(
        id="call",
        kind=CallKind.TOOL,
        name=str(ask["tool"]),
        principal=Principal(user=str(ask["user"]), roles=frozenset(map(str, roles))),
        agent=None if "agent" not in ask else str(ask["agent"]),
        effect=Effect(str(tool["effect"])),
        category=str(tool["category"]),
        taint=tuple(Taint(source=str(mark), call_id="c") for mark in as_array(ask.get("taint"))),
        cost_bound=Money(cost) if isinstance(cost, int) else None,
        arguments=as_object(ask.get("arguments", {})),
    )


def before_the_checker(ask: JsonObject) -> str:
    """What is known before rules are looked at: who is there, and which tools; empty when all is well."""
    named = [("user", str(ask["user"]), USERS)]
    named += [("agent", str(ask["agent"]), AGENTS)] if "agent" in ask else []
    for kind, name, known in named:
        if f"{kind}:{name}" in DISABLED:
            return "disabled"
        if name not in known:
            return "unknown-principal"
    return "" if ask["tool"] in TOOLS else "unknown-tool"


def reason_of(found: Explanation) -> str:
    """The reason in the table's words."""
    if found.agent is not None and not found.agent.allowed:
        return "agent-not-permitted"
    if found.agent is not None and not found.user.allowed:
        return "user-not-permitted"
    sides = [found.user, *([] if found.agent is None else [found.agent])]
    asking = [side for side in sides if side.approvals]
    ground = (asking or sides)[0].ground.value
    return "no-rule" if ground == "no-role" else ground


# What configuration refuses at start permits nothing, whatever else stands in it.
REFUSED = {
    *("P027", "P047"),  # a rule without a target
    *("P055", "C054"),  # an effect and a time zone that nobody knows
    *("P072", "P073", "P074"),  # circles and missing parents
}


@pytest.mark.promise("A5")
@pytest.mark.promise("A6")
@pytest.mark.parametrize("case", CASES, ids=[str(case["id"]) for case in CASES])
def test_the_case_is_answered_as_it_was_worked_out_by_hand(case: JsonObject) -> None:
    """Verdict and reason; Cedar, the evaluator and the table agree."""
    ask = as_object(case["ask"])
    if early := before_the_checker(ask):
        assert ("deny", early) == (case["verdict"], case["reason"])
        return
    try:
        checker = checker_of(case)
    except ConfigurationError:
        assert (case["verdict"], case["id"] in REFUSED) == ("deny", True)
        return
    approvals = frozenset(map(str, as_array(ask.get("approvals")))) & USERS
    at = seconds(ask.get("time", "2026-03-11T10:00:00Z"))
    found = checker.explain_call(call_of(case), approvals=approvals, at=at)
    assert found.verdict == checker.may_after(call_of(case), approvals, at=at)
    assert (found.word, reason_of(found)) == (case["verdict"], case["reason"]), found.verdict.reason
