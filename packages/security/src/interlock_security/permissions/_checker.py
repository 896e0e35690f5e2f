"""Who may do what.

The rules, in this order:

1. Without a role there is no right. A role that does not exist denies, for nobody knows what it would forbid.
2. A rule that denies, in any role held or inherited or in an override of the user, wins over all that allow.
3. A rule whose conditions cannot be computed denies, whatever it would say.
4. A rule that asks for approval wins over rules that allow, until enough people have said yes.
5. What no rule allows is denied.
6. A key's scopes narrow what its roles allow; they never widen it.
7. When an agent makes the call, 1 to 5 hold for the agent's roles too: both must be permitted.

Cedar decides; an evaluator of our own works it out a second time and gives the reasons. Not covered here: who
somebody is, whether an account is in use, and what a tool does with what it is given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from interlock_core.call import Call, CallKind, Principal, Verdict
from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import InvalidRequestError
from interlock_core.ids import new_id
from interlock_core.toolspec import Effect
from interlock_security.permissions._conditions import Moment, Standing
from interlock_security.permissions._deciding import Decider, Recent, answers_of
from interlock_security.permissions._evaluator import (
    Answers,
    Ruling,
    consider,
    missing,
    stricter,
    weigh,
    wished,
)
from interlock_security.permissions._explanation import Explanation
from interlock_security.permissions._handing import holds_wholly, why_not_handed_on
from interlock_security.permissions._overrides import Override, RuleKind
from interlock_security.permissions._policy import Held, Policy, Side
from interlock_security.permissions._roles import RoleBook
from interlock_security.permissions._rules import Rule
from interlock_security.permissions._scopes import in_scope, manages_in_scope

if TYPE_CHECKING:
    from interlock_security.permissions._cedar import CedarEngine

_CACHE_ENTRIES = 8192
_NAME_CHARS = 80
_NOBODY = frozenset[str]()


class PermissionChecker:
    """Answers from roles and overrides; a `Permit`.

    Args:
        roles: All roles.
        agents: Roles of agents by name, beside those that the roles name themselves; an agent that nobody
            names has the role `agent`.
        environment: The tag of this installation, such as `production`; empty for none.
        clock: Tells the time.

    Raises:
        ConfigurationError: An agent's role does not exist.
    """

    __slots__ = ("_cache", "_clock", "_decider", "_environment")

    def __init__(
        self,
        roles: RoleBook | None = None,
        *,
        agents: Mapping[str, Iterable[str]] | None = None,
        environment: str = "",
        clock: Clock | None = None,
    ) -> None:
        book = roles or RoleBook()
        held = book.agents() | {name: frozenset(names) for name, names in (agents or {}).items()}
        for name, names in held.items():
            for role in names:
                book.need(role, field=f"agents.{name}")
        self._clock = clock or SystemClock()
        self._environment = environment
        self._decider = Decider(Policy(book, held), _engine)
        self._cache: Recent[tuple[object, ...], Verdict | tuple[Held, ...]] = Recent(_CACHE_ENTRIES)

    @property
    def roles(self) -> RoleBook:
        """All roles."""
        return self._decider.policy.roles

    @property
    def version(self) -> int:
        """Number of the policy in force; it grows with every change."""
        return self._decider.policy.version

    @property
    def overrides(self) -> tuple[Override, ...]:
        """The overrides in force, and those that have ended."""
        return self._decider.policy.overrides

    def use_overrides(self, overrides: Iterable[Override]) -> None:
        """Put other overrides in force, at once; what was decided by the old ones is forgotten."""
        kept = tuple(overrides)
        policy = self._decider.policy
        if kept != policy.overrides:
            self._decider = Decider(replace(policy, overrides=kept, version=policy.version + 1), _engine)
            self._cache.clear()

    def may(self, call: Call) -> Verdict:
        """Whether the call's user, and its agent when one makes it, may make it.

        Where people must approve it first, it is allowed and `approvals` says how many must.
        """
        return self.may_after(call, _NOBODY)

    def may_after(self, call: Call, approvals: frozenset[str], *, at: float | None = None) -> Verdict:
        """As `may`, once these people have said yes to this very call.

        Args:
            call: The call.
            approvals: Names of the users who said yes.
            at: The moment that is asked about, in seconds since 1970; now when None.
        """
        who = call.principal
        key: tuple[object, ...] = (
            call.kind,
            call.name,
            call.effect,
            call.category,
            call.agent,
            who.user,
            who.roles,
            who.scopes,
        )
        known = self._cache.get(key)
        if isinstance(known, Verdict):
            return known
        sides = self._sides(call)
        rules = self._decider.open_rules(call, sides) if known is None else known
        moment = self._moment(call, approvals, at)
        if not rules:
            return self._keep(key, self._decide(moment, {}, sides))
        if known is None:
            self._cache.keep(key, rules)
        answers = answers_of(rules, moment)
        # With these a verdict's reason is the same too: it names a condition, and what decided it.
        whole = (*key, *answers.items(), approvals)
        verdict = self._cache.get(whole)
        if isinstance(verdict, Verdict):
            return verdict
        return self._keep(whole, self._decide(moment, answers, sides))

    def demand(self, call: Call) -> tuple[int, bool]:
        """How many people must approve a call by the rules, and whether who asks counts for nobody."""
        moment = self._moment(call, _NOBODY, None)
        policy = self._decider.policy
        asking = [
            item.held
            for side in self._sides(call)
            for item in weigh(policy, side, moment)
            if item.held.kind is RuleKind.APPROVE and item.standing is Standing.HOLDS
        ]
        people = max((missing(held, moment) for held in asking), default=0)
        return people, any(held.rule.four_eyes for held in asking)

    def may_manage(self, principal: Principal, area: str) -> Verdict:
        """Whether a principal may administer an area, such as `keys` or `audit.read`."""
        wish = f"administer {area}"
        policy = self._decider.policy
        if unknown := policy.unknown_roles(principal.roles):
            reason = f"{principal.user} holds the role {unknown[0]}, which does not exist."
            return Verdict(allowed=False, reason=_capital(reason), rule="invalid-role")
        lineages = policy.lineages(principal.roles)
        for role in lineages:
            for rule in role.deny:
                if rule.manages(area):
                    reason = f"The role {role.name} forbids {principal.user} to {wish} (rule: {rule})."
                    return Verdict(allowed=False, reason=reason, rule=f"role:{role.name}")
        for role in lineages:
            if any(rule.manages(area) for rule in role.allow):
                if not manages_in_scope(principal.scopes, area):
                    return _out_of_scope(wish)
                reason = f"The role {role.name} permits {principal.user} to {wish}."
                return Verdict(allowed=True, reason=reason, rule=f"role:{role.name}")
        held = ", ".join(sorted(principal.roles))
        reason = f"No role of {principal.user} ({held}) permits to {wish}."
        return Verdict(
            allowed=False,
            reason=reason if held else _capital(f"{principal.user} has no role."),
            rule="default-deny",
        )

    def may_hand_on(
        self, principal: Principal, roles: Iterable[str], *, scopes: frozenset[str] = frozenset()
    ) -> Verdict:
        """Whether a principal may give these roles, narrowed by these scopes, to a key or a user.

        Only rights that the principal has can be given: each rule given must be covered by one held, each
        denial and each demand for approval held must stay, and so must the scopes. Where that is hard to
        tell, the answer is no.
        """
        reason = why_not_handed_on(self._decider.policy, principal, frozenset(roles), scopes)
        if reason:
            return Verdict(allowed=False, reason=reason, rule="hand-on")
        return Verdict(allowed=True, reason="No more is given than is held.", rule="hand-on")

    def may_rule(self, principal: Principal, rule: Rule) -> Verdict:
        """Whether a principal may give the right that a rule speaks of: only one held without bounds."""
        if holds_wholly(self._decider.policy, principal, rule):
            return Verdict(allowed=True, reason="No more is given than is held.", rule="hand-on")
        reason = f"{principal.user} cannot give a right that {principal.user} does not have, or not wholly."
        return Verdict(allowed=False, reason=_capital(reason), rule="hand-on")

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
        return self.explain_call(call)

    def explain_call(
        self, call: Call, *, approvals: frozenset[str] = frozenset(), at: float | None = None
    ) -> Explanation:
        """Why one call may or may not be made, with all that its conditions look at.

        Args:
            call: The call.
            approvals: Names of the users who said yes to it.
            at: The moment that is asked about, in seconds since 1970; now when None.
        """
        moment = self._moment(call, approvals, at)
        policy = self._decider.policy
        sides = self._sides(call)
        open_rules = self._decider.open_rules(call, sides)
        answers = answers_of(open_rules, moment)
        rulings = [self._ruling(side, moment, answers) for side in sides]
        verdict = _verdict(call, rulings)
        changes = [ruling.change for ruling in rulings if ruling.change]
        if verdict.rule == "scope":
            changes.append("The key's scopes would have to include it.")
        return Explanation(
            verdict=verdict,
            considered=tuple(seen for side in sides for seen in consider(policy, side, moment)),
            user=rulings[0],
            agent=rulings[1] if len(rulings) > 1 else None,
            changes=tuple(changes),
        )

    # ---- inside

    def _keep(self, key: tuple[object, ...], verdict: Verdict) -> Verdict:
        self._cache.keep(key, verdict)
        return verdict

    def _moment(self, call: Call, approvals: frozenset[str], at: float | None) -> Moment:
        return Moment(
            call=call,
            at=self._clock.now() if at is None else at,
            environment=self._environment,
            approvals=approvals,
        )

    def _sides(self, call: Call) -> list[Side]:
        who = call.principal
        sides = [Side(who="user", name=who.user, user=who.user, roles=who.roles)]
        if call.agent is not None:
            roles = self._decider.policy.agent_roles(call.agent)
            name = f"the agent {call.agent[:_NAME_CHARS]}"
            sides.append(Side(who="agent", name=name, user=None, roles=roles))
        return sides

    def _decide(self, moment: Moment, answers: Answers, sides: list[Side]) -> Verdict:
        """The verdict alone: once the user may not, the agent is not asked about."""
        user, *agent = sides
        rulings = [self._ruling(user, moment, answers)]
        if rulings[0].allowed:
            rulings += [self._ruling(side, moment, answers) for side in agent]
        return _verdict(moment.call, rulings)

    def _ruling(self, side: Side, moment: Moment, answers: Answers) -> Ruling:
        """The answer for one side; a key's scopes narrow what its user may, and nothing else."""
        scoped = side.user is None or in_scope(moment.call.principal.scopes, moment.call)
        return self._decider.decide(side, moment, answers, scoped=scoped)


@cache
def _engine() -> "CedarEngine":
    """Cedar with the policies of this house, once for the process; it is loaded when first asked."""
    from interlock_security.permissions._cedar import CedarEngine

    return CedarEngine()


def _verdict(call: Call, rulings: list[Ruling]) -> Verdict:
    """The verdict that follows from the answers for the sides, of which the user's is the first."""
    if rulings[0].allowed and not in_scope(call.principal.scopes, call):
        return _out_of_scope(wished(call))
    decisive = stricter(rulings)
    verdict = decisive.verdict()
    return verdict if decisive is rulings[0] else replace(verdict, rule=f"agent:{verdict.rule}")


def _out_of_scope(wish: str) -> Verdict:
    return Verdict(allowed=False, reason=f"The key's scopes do not include to {wish}.", rule="scope")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
