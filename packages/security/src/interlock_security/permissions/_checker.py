"""Who may do what.

The rules, in this order:

1. Without a role there is no right. A role that does not exist gives none.
2. A rule that denies, in any role held or inherited, wins over every rule that allows.
3. What no rule allows is denied.
4. A key's scopes narrow what its roles allow; they never widen it.
5. When an agent makes the call, 2 and 3 hold for the agent's roles too: both must be permitted.

Not covered here: conditions on arguments, time and cost, and taint.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from interlock_core.call import Call, CallKind, Principal, Verdict
from interlock_core.errors import InvalidRequestError
from interlock_core.ids import new_id
from interlock_core.jsontypes import JsonObject
from interlock_core.toolspec import Effect
from interlock_security.permissions._roles import Role, RoleBook
from interlock_security.permissions._rules import Rule
from interlock_security.permissions._scopes import in_scope, manages_in_scope, scopes_cover

_DEFAULT_AGENT_ROLES = ("agent",)
_CACHE_ENTRIES = 8192
_NAME_CHARS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Consideration:
    """One rule that was looked at.

    Attributes:
        who: `user` or `agent`.
        role: The role that holds it.
        allows: True for a rule that allows, False for one that denies.
        rule: The rule as text.
        matches: It speaks of the call.
    """

    who: str
    role: str
    allows: bool
    rule: str
    matches: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a call is allowed or not.

    Attributes:
        verdict: The answer.
        considered: Every rule that was looked at.
    """

    verdict: Verdict
    considered: tuple[Consideration, ...]

    def as_json(self) -> JsonObject:
        """The explanation as a JSON object."""
        return {
            "allowed": self.verdict.allowed,
            "reason": self.verdict.reason,
            "rule": self.verdict.rule,
            "considered": [
                {
                    "who": item.who,
                    "role": item.role,
                    "effect": "allow" if item.allows else "deny",
                    "rule": item.rule,
                    "matches": item.matches,
                }
                for item in self.considered
            ],
        }


class PermissionChecker:
    """Answers from roles; a `Permit`.

    Args:
        roles: All roles.
        agents: Roles of agents by name; an agent that is not named has the role `agent`.

    Raises:
        ConfigurationError: An agent's role does not exist.
    """

    __slots__ = ("_agents", "_cache", "_roles")

    def __init__(
        self, roles: RoleBook | None = None, *, agents: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        self._roles = roles or RoleBook()
        self._agents = {name: frozenset(held) for name, held in (agents or {}).items()}
        self._cache: dict[tuple[object, ...], Verdict] = {}
        for name, held in self._agents.items():
            for role in held:
                self._roles.need(role, field=f"agents.{name}")

    @property
    def roles(self) -> RoleBook:
        """All roles."""
        return self._roles

    def may(self, call: Call) -> Verdict:
        """Whether the call's user, and its agent when one makes it, may make it."""
        who = call.principal
        key = (
            *(call.kind, call.name, call.effect, call.category, call.agent),
            *(who.user, who.roles, who.scopes),
        )
        verdict = self._cache.get(key)
        if verdict is None:
            if len(self._cache) >= _CACHE_ENTRIES:
                self._cache.clear()
            verdict = self._cache[key] = self._decide(call)
        return verdict

    def may_manage(self, principal: Principal, area: str) -> Verdict:
        """Whether a principal may administer an area, such as `keys` or `audit.read`."""
        wish = f"administer {area}"
        verdict = self._by_roles(principal.user, principal.roles, _Question.about_area(area), wish)
        if verdict.allowed and not manages_in_scope(principal.scopes, area):
            return Verdict(allowed=False, reason=f"The key's scopes do not include {wish}.", rule="scope")
        return verdict

    def may_hand_on(
        self, principal: Principal, roles: Iterable[str], *, scopes: frozenset[str] = frozenset()
    ) -> Verdict:
        """Whether a principal may give these roles, narrowed by these scopes, to a key or a user.

        Only rights that the principal has can be given: each rule given must be covered by one held, each
        denial held must stay, and so must the scopes. Where that is hard to tell, the answer is no.
        """
        given = frozenset(roles)
        held_allow, held_deny = self._rules(principal.roles)
        allow, deny = self._rules(given)
        unknown = sorted(name for name in given if self._roles.get(name) is None)
        if unknown:
            reason = f"There is no role {unknown[0]}."
        elif not _all_covered(allow, held_allow):
            reason = f"{principal.user} cannot give rights that {principal.user} does not have."
        elif not _all_covered(held_deny, deny):
            reason = f"What {principal.user} is denied cannot be given by {principal.user}."
        elif not scopes_cover(principal.scopes, scopes):
            reason = "The scopes given reach further than those of the key that gives them."
        else:
            return Verdict(allowed=True, reason="No more is given than is held.", rule="hand-on")
        return Verdict(allowed=False, reason=reason, rule="hand-on")

    def explain(
        self,
        principal: Principal,
        *,
        tool: str | None = None,
        model: str | None = None,
        effect: Effect = Effect.WRITE,
        category: str = "",
        agent: str | None = None,
    ) -> Explanation:
        """Why a principal may or may not call a tool or a model, with every rule that was looked at.

        Raises:
            InvalidRequestError: Neither a tool nor a model is named, or both are.
        """
        if (tool is None) == (model is None):
            raise InvalidRequestError("Ask about one tool or one model.", field="tool")
        call = Call(
            id=new_id("call"),
            kind=CallKind.TOOL if model is None else CallKind.MODEL,
            name=tool or model or "",
            principal=principal,
            agent=agent,
            effect=effect if model is None else Effect.READ,
            category=category,
        )
        considered = [*self._consider("user", principal.roles, call)]
        if agent is not None:
            considered += self._consider("agent", self._agent_roles(agent), call)
        return Explanation(verdict=self.may(call), considered=tuple(considered))

    def _decide(self, call: Call) -> Verdict:
        who = call.principal
        wish = _wish(call)
        question = _Question.about_call(call)
        verdict = self._by_roles(who.user, who.roles, question, wish)
        if verdict.allowed and not in_scope(who.scopes, call):
            return Verdict(allowed=False, reason=f"The key's scopes do not include to {wish}.", rule="scope")
        if verdict.allowed and call.agent is not None:
            held = self._agent_roles(call.agent)
            name = f"the agent {call.agent[:_NAME_CHARS]}"
            agents = self._by_roles(name, held, question, wish)
            if not agents.allowed:
                return Verdict(allowed=False, reason=agents.reason, rule=f"agent:{agents.rule}")
        return verdict

    def _by_roles(self, who: str, roles: frozenset[str], question: "_Question", wish: str) -> Verdict:
        lineages = self._lineages(roles)
        for role in lineages:
            for rule in role.deny:
                if question.denied_by(rule):
                    reason = f"The role {role.name} forbids {who} to {wish} (rule: {rule})."
                    return Verdict(allowed=False, reason=reason, rule=f"role:{role.name}")
        for role in lineages:
            if any(map(question.allowed_by, role.allow)):
                reason = f"The role {role.name} permits {who} to {wish}."
                return Verdict(allowed=True, reason=reason, rule=f"role:{role.name}")
        held = ", ".join(sorted(roles))
        reason = f"No role of {who} ({held}) permits to {wish}." if held else f"{who} has no role."
        return Verdict(allowed=False, reason=reason[:1].upper() + reason[1:], rule="default-deny")

    def _consider(self, who: str, roles: frozenset[str], call: Call) -> Iterable[Consideration]:
        for role in self._lineages(roles):
            for allows, rules in ((False, role.deny), (True, role.allow)):
                for rule in rules:
                    matches = rule.permits(call) if allows else rule.matches(call)
                    yield Consideration(
                        who=who, role=role.name, allows=allows, rule=str(rule), matches=matches
                    )

    def _agent_roles(self, agent: str) -> frozenset[str]:
        return self._agents.get(agent, frozenset(_DEFAULT_AGENT_ROLES))

    def _lineages(self, roles: Iterable[str]) -> tuple[Role, ...]:
        found = {role.name: role for name in sorted(roles) for role in self._roles.lineage(name)}
        return tuple(found.values())

    def _rules(self, roles: Iterable[str]) -> tuple[list[Rule], list[Rule]]:
        lineages = self._lineages(roles)
        allow = [part for role in lineages for rule in role.allow for part in rule.parts()]
        deny = [part for role in lineages for rule in role.deny for part in rule.parts()]
        return allow, deny


@dataclass(frozen=True, slots=True)
class _Question:
    """What a rule is asked: whether it denies, whether it allows."""

    denied_by: Callable[[Rule], bool]
    allowed_by: Callable[[Rule], bool]

    @classmethod
    def about_call(cls, call: Call) -> "_Question":
        return cls(lambda rule: rule.matches(call), lambda rule: rule.permits(call))

    @classmethod
    def about_area(cls, area: str) -> "_Question":
        return cls(lambda rule: rule.manages(area), lambda rule: rule.manages(area))


def _all_covered(rules: list[Rule], by: list[Rule]) -> bool:
    return all(any(wide.covers(rule) for wide in by) for rule in rules)


def _wish(call: Call) -> str:
    name = call.name[:_NAME_CHARS]
    if call.kind is CallKind.MODEL:
        return f"ask {name}"
    return f"call {name} ({call.effect.value})"
