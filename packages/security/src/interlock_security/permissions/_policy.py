"""The policy as it stands: every rule with the one who holds it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from interlock_security.permissions._overrides import Override, RuleKind
from interlock_security.permissions._roles import AGENT_ROLE, Role, RoleBook
from interlock_security.permissions._rules import Rule

_MOST_KEPT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One rule and where it stands.

    Attributes:
        id: Unique within a policy.
        holder: Name of the role, or `override` and the override's id.
        kind: What it does.
        rule: The rule.
        override: It is an override.
        conditional: The rule has conditions.
        open: Its conditions, or the people who said yes, decide about each call anew.
    """

    id: str
    holder: str
    kind: RuleKind
    rule: Rule
    override: bool = False
    conditional: bool = field(init=False)
    open: bool = field(init=False)

    def __post_init__(self) -> None:
        conditional = bool(self.rule.conditions)
        object.__setattr__(self, "conditional", conditional)
        object.__setattr__(self, "open", conditional or self.kind is RuleKind.APPROVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two that must be permitted: the user, or the agent that acts for the user.

    Attributes:
        who: `user` or `agent`.
        name: The user's name, or what the agent is called in a sentence.
        user: Whose overrides count; None for an agent.
        roles: The roles held.
    """

    who: str
    name: str
    user: str | None
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Policy:
    """Roles, agents and overrides at one time; immutable.

    Attributes:
        roles: All roles.
        agents: Roles of the agents that are named.
        overrides: Every override that is kept, expired ones too.
        version: Told apart from any other policy of this process.
        overridden: Users who have an override.
    """

    roles: RoleBook
    agents: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    overrides: tuple[Override, ...] = ()
    version: int = 0
    overridden: frozenset[str] = field(init=False, default=frozenset())
    _held: dict[tuple[str | None, frozenset[str]], tuple[Held, ...]] = field(
        default_factory=dict[tuple[str | None, frozenset[str]], tuple[Held, ...]],
        init=False,
        repr=False,
        compare=False,
    )

    def __post_init__(self) -> None:
        users = frozenset(override.user for override in self.overrides)
        object.__setattr__(self, "overridden", users)

    def agent_roles(self, agent: str) -> frozenset[str]:
        """The roles of an agent; the role `agent` where none is named."""
        return self.agents.get(agent, frozenset({AGENT_ROLE}))

    def unknown_roles(self, roles: Iterable[str]) -> list[str]:
        """Those of the roles that do not exist, sorted."""
        return sorted(name for name in roles if self.roles.get(name) is None)

    def lineages(self, roles: Iterable[str]) -> tuple[Role, ...]:
        """The roles with all that they inherit, each once."""
        found = {role.name: role for name in sorted(roles) for role in self.roles.lineage(name)}
        return tuple(found.values())

    def held(self, side: Side) -> tuple[Held, ...]:
        """Every rule that a side holds: those of its roles, then its own overrides."""
        key = (side.user if side.user in self.overridden else None, side.roles)
        found = self._held.get(key)
        if found is None:
            if len(self._held) >= _MOST_KEPT:
                self._held.clear()
            of_roles = [item for role in self.lineages(side.roles) for item in self.of_role(role)]
            found = self._held[key] = (*of_roles, *self.of_user(key[0]))
        return found

    def of_role(self, role: Role) -> Iterator[Held]:
        """The rules of one role, denials first."""
        for kind, rules in (
            (RuleKind.DENY, role.deny),
            (RuleKind.APPROVE, role.approve),
            (RuleKind.ALLOW, role.allow),
        ):
            for number, rule in enumerate(rules):
                yield Held(id=f"{role.name}/{kind}/{number}", holder=role.name, kind=kind, rule=rule)

    def of_user(self, user: str | None) -> Iterator[Held]:
        """The overrides of one user, as rules."""
        for override in self.overrides:
            if override.user == user:
                yield Held(
                    id=f"override/{override.id}",
                    holder=f"override {override.id}",
                    kind=override.kind,
                    rule=override.timed_rule,
                    override=True,
                )

    def everything(self) -> Iterator[Held]:
        """Every rule of every role, and every override."""
        for name in self.roles.names():
            yield from self.of_role(self.roles.need(name))
        for user in dict.fromkeys(override.user for override in self.overrides):
            yield from self.of_user(user)
