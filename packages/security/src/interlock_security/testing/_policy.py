"""Assertions about the roles of a configuration file: which calls they allow, deny, or want approved.

A tool's effect and category are what decides, beside its name; they come from its document, so a test states
them, by default for a tool that writes.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeAlias, TypedDict, Unpack, cast

from interlock_core.call import Call, CallKind, Principal, Taint
from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_core.money import Money
from interlock_core.toolspec import Effect
from interlock_security.permissions import Explanation, PermissionChecker, RoleBook

PolicySource: TypeAlias = "str | os.PathLike[str] | PolicyUnderTest"
"""A configuration file, or one that was read already."""


class CallFacts(TypedDict, total=False):
    """What a call looks like to the rules, beside who makes it and which tool it calls.

    Attributes:
        effect: `read`, `write` (the default) or `destructive`.
        category: Category of the tool.
        agent: The agent that makes it.
        arguments: Its arguments.
        at: When, such as `2026-03-11T10:00:00Z`; now when it is left out.
        cost_usd: Most dollars that it can cost; unknown when it is left out.
        tainted: Sources of untrusted text in the run.
        approved_by: Who said yes to it.
        roles: The user's roles, in place of those that the file gives.
    """

    effect: str
    category: str
    agent: str
    arguments: Mapping[str, Json]
    at: str
    cost_usd: float
    tainted: Iterable[str]
    approved_by: Iterable[str]
    roles: Iterable[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCase:
    """One row of a table of cases.

    Attributes:
        user: Who.
        tool: The tool.
        verdict: `allow`, `deny` or `approval`.
        facts: What else the rules look at.
        because: Why; it is shown when the case fails.
    """

    user: str
    tool: str
    verdict: str
    facts: CallFacts = field(default_factory=CallFacts)
    because: str = ""


class PolicyUnderTest:
    """The roles and users of a configuration file, without a store and without a running Interlock.

    Args:
        source: The file.

    Raises:
        ConfigurationError: A role in it is wrong, or it is no TOML.
        OSError: It cannot be read.
    """

    def __init__(self, source: str | os.PathLike[str]) -> None:
        try:
            whole = cast("JsonObject", tomllib.loads(Path(source).read_text("utf-8-sig")))
        except tomllib.TOMLDecodeError as exc:
            raise ConfigurationError(f"{source} is not TOML: {exc}.", field=str(source)) from exc
        environment = as_object(whole.get("server")).get("environment", "")
        self._users = {
            name: frozenset(map(str, as_array(as_object(table).get("roles"))))
            for name, table in as_object(whole.get("users")).items()
        }
        self._checker = PermissionChecker(
            RoleBook(as_object(whole.get("roles"))), environment=str(environment)
        )

    def explain(self, user: str, tool: str, **facts: Unpack[CallFacts]) -> Explanation:
        """Why a user may or may not call a tool."""
        held = facts.get("roles")
        at, cost = facts.get("at"), facts.get("cost_usd")
        call = Call(
            id="call_test",
            kind=CallKind.TOOL,
            name=tool,
            principal=Principal(
                user=user, roles=self._users.get(user, frozenset()) if held is None else frozenset(held)
            ),
            agent=facts.get("agent"),
            effect=Effect(facts.get("effect", "write")),
            category=facts.get("category", ""),
            arguments=dict(facts.get("arguments", {})),
            taint=tuple(Taint(source=source, call_id="") for source in facts.get("tainted", ())),
            cost_bound=None if cost is None else Money.usd(cost),
        )
        return self._checker.explain_call(
            call,
            approvals=frozenset(facts.get("approved_by", ())),
            at=None if at is None else datetime.fromisoformat(at).timestamp(),
        )


def assert_allowed(policy: PolicySource, user: str, tool: str, **facts: Unpack[CallFacts]) -> None:
    """Assert that a user may call a tool, with nobody asked first.

    Raises:
        AssertionError: The user may not; it says why, with every rule that fits.
    """
    _assert(policy, PolicyCase(user=user, tool=tool, verdict="allow", facts=facts))


def assert_denied(policy: PolicySource, user: str, tool: str, **facts: Unpack[CallFacts]) -> None:
    """Assert that a user may not call a tool, whoever approves it.

    Raises:
        AssertionError: The user may; it says why, with every rule that fits.
    """
    _assert(policy, PolicyCase(user=user, tool=tool, verdict="deny", facts=facts))


def assert_needs_approval(policy: PolicySource, user: str, tool: str, **facts: Unpack[CallFacts]) -> None:
    """Assert that a user may call a tool only once people have approved it.

    Raises:
        AssertionError: It is another way; it says why, with every rule that fits.
    """
    _assert(policy, PolicyCase(user=user, tool=tool, verdict="approval", facts=facts))


def assert_cases(policy: PolicySource, cases: Iterable[PolicyCase]) -> None:
    """Assert every case of a table, and tell all that fail.

    Raises:
        AssertionError: Some do; a paragraph each.
    """
    under_test = _opened(policy)
    problems = [problem for case in cases if (problem := _problem(under_test, case))]
    if problems:
        raise AssertionError("\n\n".join(problems))


def _assert(policy: PolicySource, case: PolicyCase) -> None:
    problem = _problem(_opened(policy), case)
    if problem:
        raise AssertionError(problem)


def _opened(policy: PolicySource) -> PolicyUnderTest:
    return policy if isinstance(policy, PolicyUnderTest) else PolicyUnderTest(policy)


def _problem(policy: PolicyUnderTest, case: PolicyCase) -> str:
    """What is wrong with a case; nothing when it is as stated."""
    found = policy.explain(case.user, case.tool, **case.facts)
    if found.word == case.verdict:
        return ""
    because = f" ({case.because})" if case.because else ""
    lines = [
        f"{case.user} and {case.tool}: {case.verdict} was expected{because}, but it is {found.word}.",
        found.verdict.reason,
        *found.changes,
    ]
    lines += [
        f"  {item.who}, {item.role}: {item.kind.value} {item.rule}{f' [{item.why}]' if item.why else ''}"
        for item in found.considered
        if item.matches
    ]
    return "\n".join(lines)
