"""The answer worked out rule by rule, with its reasons: what explains a verdict, and what it is held against.

It shares nothing with the Cedar path but the rules themselves and the conditions' answers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from interlock_core.call import Call, CallKind, Verdict
from interlock_core.jsontypes import JsonObject
from interlock_security.permissions._conditions import Moment, Standing
from interlock_security.permissions._overrides import RuleKind
from interlock_security.permissions._policy import Held, Policy, Side

_NAME_CHARS = 80
# A member of an enumeration is looked up by its class each time, and these are asked for every rule.
_HOLDS, _DENY, _APPROVE = Standing.HOLDS, RuleKind.DENY, RuleKind.APPROVE

Answers: TypeAlias = Mapping[str, tuple[Standing, str]]
"""What became of conditions for one call, by id of the rule, each with the condition that decided."""

_NO_ANSWERS: Answers = {}


class Ground(StrEnum):
    """Why a verdict is what it is, as one word."""

    ALLOWED = "allowed"
    OVERRIDE = "override"
    APPROVED = "approved"
    NEEDS_APPROVAL = "needs-approval"
    NOT_ENOUGH = "not-enough-approvals"
    NO_ROLE = "no-role"
    NO_RULE = "no-rule"
    INVALID_ROLE = "invalid-role"
    EXPLICIT_DENY = "explicit-deny"
    CONDITION_FALSE = "condition-false"
    CONDITION_ERROR = "condition-error"
    TAINTED = "tainted"
    EXPIRED = "override-expired"
    SCOPE = "scope"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consideration:
    """One rule that was looked at.

    Attributes:
        who: `user` or `agent`.
        role: The role that holds it, or the override.
        kind: What it does.
        rule: The rule as text.
        matches: It speaks of the call, its conditions left aside.
        standing: What became of its conditions, where it does.
        why: Which condition decided that.
    """

    who: str
    role: str
    kind: RuleKind
    rule: str
    matches: bool
    standing: Standing | None = None
    why: str = ""

    def as_json(self) -> JsonObject:
        """The rule as a JSON object; its conditions only where it has some."""
        shown: JsonObject = {
            "who": self.who,
            "role": self.role,
            "effect": self.kind.value,
            "rule": self.rule,
            "matches": self.matches,
        }
        if self.standing is not None and self.standing is not Standing.HOLDS:
            shown |= {"conditions": self.standing.value, "why": self.why}
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The answer for one side.

    Attributes:
        allowed: It may be made, if need be after approval.
        ground: Why, as one word.
        rule: The rule that decided.
        reason: Why, in a sentence.
        approvals: How many people must still say yes first.
        change: What would have to change for another answer; empty where it is a plain yes.
    """

    allowed: bool
    ground: Ground
    rule: str
    reason: str
    approvals: int = 0
    change: str = ""

    def verdict(self) -> Verdict:
        """The answer as others are told it."""
        return Verdict(allowed=self.allowed, reason=self.reason, rule=self.rule, approvals=self.approvals)


@dataclass(frozen=True, slots=True)
class Weighed:
    """A rule that speaks of a call, and what becomes of its conditions."""

    held: Held
    standing: Standing
    why: str = ""


def weigh(policy: Policy, side: Side, moment: Moment, *, answers: Answers = _NO_ANSWERS) -> list[Weighed]:
    """The rules of a side that speak of a call; no role, no rule.

    Args:
        policy: The policy.
        side: The side.
        moment: The call, and what conditions look at beside it.
        answers: What is known of conditions; the others are looked at here.
    """
    found: list[Weighed] = []
    for held in policy.held(side):
        if not speaks_of(held, moment.call):
            continue
        if held.conditional:
            found.append(Weighed(held, *(answers.get(held.id) or held.rule.conditions.standing(moment))))
        else:
            found.append(Weighed(held, _HOLDS))
    return found


def consider(policy: Policy, side: Side, moment: Moment) -> list[Consideration]:
    """Every rule that a side holds, for people, whether it speaks of the call or not."""
    weighed = {item.held.id: item for item in weigh(policy, side, moment)}
    return [_considered(side, held, weighed.get(held.id)) for held in policy.held(side)]


def _considered(side: Side, held: Held, weighed: Weighed | None) -> Consideration:
    return Consideration(
        who=side.who,
        role=held.holder,
        kind=held.kind,
        rule=str(held.rule),
        matches=weighed is not None,
        standing=None if weighed is None else weighed.standing,
        why="" if weighed is None else weighed.why,
    )


def judge(policy: Policy, side: Side, moment: Moment, *, answers: Answers = _NO_ANSWERS) -> Ruling:
    """The answer for one side: what is broken denies, then what denies, what asks, what allows.

    Args:
        policy: The policy.
        side: The side.
        moment: The call, and what conditions look at beside it.
        answers: What is known of conditions; the others are looked at here.
    """
    wish = wished(moment.call)
    if unknown := policy.unknown_roles(side.roles):
        reason = f"{side.name} holds the role {unknown[0]}, which does not exist."
        return _no(Ground.INVALID_ROLE, "invalid-role", reason, f"Revoke or define the role {unknown[0]}.")
    fitting = weigh(policy, side, moment, answers=answers)
    holding = [item.held for item in fitting if item.standing is _HOLDS]
    for held in holding:
        if held.kind is _DENY:
            reason = f"The {_place(held)} forbids {side.name} to {wish} (rule: {held.rule})."
            return _no(Ground.EXPLICIT_DENY, _rule(held), reason, f"The {_place(held)} would have to go.")
    for item in fitting:
        if item.standing is Standing.ERROR:
            place, rule = _place(item.held), item.held.rule
            reason = f"A rule of the {place} cannot be computed: {item.why} (rule: {rule})."
            change = f"Give what the rule needs: {item.why}."
            return _no(Ground.CONDITION_ERROR, _rule(item.held), reason, change)
    asking = [held for held in holding if held.kind is _APPROVE]
    if asking:
        return _approval(asking, side, moment, wish)
    for held in sorted(holding, key=lambda one: one.override):
        ground = Ground.OVERRIDE if held.override else Ground.ALLOWED
        reason = f"The {_place(held)} permits {side.name} to {wish}."
        return Ruling(allowed=True, ground=ground, rule=_rule(held), reason=reason)
    return _nothing(side, [item for item in fitting if item.held.kind is not _DENY], wish)


def speaks_of(held: Held, call: Call) -> bool:
    """Whether a rule speaks of a call; one that allows any model is enough for the router's `auto`."""
    return held.rule.matches(call) if held.kind is _DENY else held.rule.permits(call)


def settled(held: Held, moment: Moment) -> bool:
    """Whether enough people have said yes for a rule that asks for approval."""
    return missing(held, moment) == 0


def missing(held: Held, moment: Moment) -> int:
    """How many people must still say yes for a rule that asks for approval."""
    if held.rule.four_eyes == 0:
        return 0 if moment.approvals else 1
    others = moment.approvals - {moment.call.principal.user}
    return max(0, held.rule.four_eyes - len(others))


def wished(call: Call) -> str:
    """What is asked for, in words."""
    name = call.name[:_NAME_CHARS]
    return f"ask {name}" if call.kind is CallKind.MODEL else f"call {name} ({call.effect.value})"


def _approval(asking: list[Held], side: Side, moment: Moment, wish: str) -> Ruling:
    held = max(asking, key=lambda item: missing(item, moment))
    count = missing(held, moment)
    if count == 0:
        reason = f"{side.name} may {wish}, and it was approved."
        return Ruling(allowed=True, ground=Ground.APPROVED, rule=_rule(held), reason=_capital(reason))
    others = " other than who asks" if held.rule.four_eyes else ""
    people = "one person" if count == 1 else f"{count} people"
    reason = f"The {_place(held)} permits {side.name} to {wish} once {people}{others} approved it."
    return Ruling(
        allowed=True,
        ground=Ground.NOT_ENOUGH if moment.approvals else Ground.NEEDS_APPROVAL,
        rule=_rule(held),
        reason=reason,
        approvals=count,
        change=f"{_capital(people)}{others} would have to approve it.",
    )


def _nothing(side: Side, fitting: list[Weighed], wish: str) -> Ruling:
    """No rule permits it; the nearest miss says why."""
    for standing, ground in (
        (Standing.EXPIRED, Ground.EXPIRED),
        (Standing.TAINTED, Ground.TAINTED),
        (Standing.FAILS, Ground.CONDITION_FALSE),
    ):
        for item in fitting:
            if item.standing is standing:
                reason = f"The {_place(item.held)} would permit {side.name} to {wish}, but {item.why}."
                change = f"Its condition would have to hold: {item.held.rule.conditions}."
                return _no(ground, "default-deny", reason, change)
    held = ", ".join(sorted(side.roles))
    change = f"A role of {side.name} would have to permit it."
    if not side.roles:
        return _no(Ground.NO_ROLE, "default-deny", _capital(f"{side.name} has no role."), change)
    reason = _capital(f"No role of {side.name} ({held}) permits to {wish}.")
    return _no(Ground.NO_RULE, "default-deny", reason, change)


def _no(ground: Ground, rule: str, reason: str, change: str) -> Ruling:
    return Ruling(allowed=False, ground=ground, rule=rule, reason=_capital(reason), change=change)


def _place(held: Held) -> str:
    return held.holder if held.override else f"role {held.holder}"


def _rule(held: Held) -> str:
    return held.holder.replace(" ", ":", 1) if held.override else f"role:{held.holder}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def stricter(rulings: Iterable[Ruling]) -> Ruling:
    """The one that counts when all must permit: a no before approval, approval before a yes."""
    return min(rulings, key=lambda ruling: (ruling.allowed, -ruling.approvals))
