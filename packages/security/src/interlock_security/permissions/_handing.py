"""Whether rights can be handed on: nobody gives more than they hold."""

from collections.abc import Iterable
from dataclasses import dataclass

from interlock_core.call import Principal
from interlock_security.permissions._overrides import RuleKind
from interlock_security.permissions._policy import Held, Policy
from interlock_security.permissions._rules import Rule
from interlock_security.permissions._scopes import scopes_cover


@dataclass(frozen=True, slots=True)
class Bundle:
    """Rules by what they do, each speaking of one thing.

    Attributes:
        allow: What they permit.
        deny: What they forbid.
        approve: What they permit once approved.
        fragile: Those that deny where their conditions cannot be computed.
    """

    allow: tuple[Rule, ...]
    deny: tuple[Rule, ...]
    approve: tuple[Rule, ...]
    fragile: tuple[Rule, ...]

    @classmethod
    def of(cls, held: Iterable[Held]) -> "Bundle":
        """The bundle of some rules."""
        parts = [(item.kind, part) for item in held for part in item.rule.parts()]

        def of_kind(kind: RuleKind) -> tuple[Rule, ...]:
            return tuple(part for found, part in parts if found is kind)

        fragile = tuple(
            part for _, part in parts if part.conditions.arguments or part.conditions.cost_at_most is not None
        )
        return cls(of_kind(RuleKind.ALLOW), of_kind(RuleKind.DENY), of_kind(RuleKind.APPROVE), fragile)


def bundle_of_roles(policy: Policy, roles: Iterable[str]) -> Bundle:
    """The rules of roles and of all that they inherit."""
    return Bundle.of(item for role in policy.lineages(roles) for item in policy.of_role(role))


def why_not_handed_on(
    policy: Policy, principal: Principal, roles: frozenset[str], scopes: frozenset[str]
) -> str:
    """Why a principal may not give these roles with these scopes; empty when nothing speaks against it.

    What overrides allow a principal is not theirs to give; what they deny them is not either.
    """
    who = principal.user
    held, given = bundle_of_roles(policy, principal.roles), bundle_of_roles(policy, roles)
    own = Bundle.of(policy.of_user(who))
    stays = (*given.deny, *given.approve)
    if unknown := policy.unknown_roles(roles | principal.roles):
        return f"There is no role {unknown[0]}."
    if not _covered(given.allow, held.allow) or not _covered(given.approve, (*held.allow, *held.approve)):
        return f"{who} cannot give rights that {who} does not have."
    if not _covered((*held.deny, *own.deny), given.deny):
        return f"What {who} is denied cannot be given by {who}."
    if not all(any(_asks_as_much(one, rule) for one in stays) for rule in held.approve):
        return f"What {who} may do only after approval cannot be given by {who} without."
    if not set(map(str, held.fragile)) <= set(map(str, given.fragile)):
        return f"Rights of {who} that hang on arguments or costs can be given only as they are."
    if not scopes_cover(principal.scopes, scopes):
        return "The scopes given reach further than those of the key that gives them."
    return ""


def holds_wholly(policy: Policy, principal: Principal, rule: Rule) -> bool:
    """Whether a principal may do all that a rule speaks of, with nothing that bounds any right of theirs."""
    held, own = bundle_of_roles(policy, principal.roles), Bundle.of(policy.of_user(principal.user))
    bounded = held.deny or held.approve or held.fragile or own.deny or policy.unknown_roles(principal.roles)
    return not bounded and not principal.scopes and _covered(rule.parts(), held.allow)


def _asks_as_much(given: Rule, held: Rule) -> bool:
    """Whether a rule that is given keeps the demand for approval of one that is held."""
    return given.covers(held) and given.four_eyes >= held.four_eyes


def _covered(rules: Iterable[Rule], by: Iterable[Rule]) -> bool:
    wide = tuple(by)
    return all(any(one.covers(rule) for one in wide) for rule in rules)
