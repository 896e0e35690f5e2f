"""Roles: named rules, built-in and own, with inheritance.

An own role is configuration data:

    [roles.triage]
    inherits = ["readonly"]
    allow = ["tool:github.issues*", { categories = ["ci"], effects = ["read", "write"] }]
    deny = ["effect:destructive"]
    approve = [{ tools = ["ci.deploy"], environments = ["production"], four_eyes = 1 }]
    agents = ["triager"]

Of the built-in roles, `agent` may be declared anew: it is what agents hold that no role names.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.nearest import suggestion
from interlock_core.toolspec import Effect
from interlock_security.permissions._rules import Rule, texts_from_config

_FIELDS = ("inherits", "allow", "deny", "approve", "agents", "description")

AGENT_ROLE = "agent"
"""The role of agents that no role names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A named set of rules.

    Attributes:
        name: Its name.
        allow: What it permits.
        deny: What it forbids, whatever another rule permits.
        approve: What it permits once people have said yes, whatever another rule permits without.
        inherits: Roles whose rules it has too, their denials included.
        agents: Names of the agents that hold it.
        description: One line for people.
        builtin: It comes with Interlock.
    """

    name: str
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    approve: tuple[Rule, ...] = ()
    inherits: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    description: str = ""
    builtin: bool = False

    @classmethod
    def from_config(cls, name: str, value: Json) -> "Role":
        """A role from a `[roles.NAME]` table.

        Raises:
            ConfigurationError: Something in it is wrong; `field` names it.
        """
        where = f"roles.{name}"
        if not isinstance(value, dict):
            raise ConfigurationError("A role is a table.", field=where)
        for unknown in value:
            if unknown not in _FIELDS:
                raise ConfigurationError(
                    f"A role has no field {unknown}.",
                    field=f"{where}.{unknown}",
                    remedy=suggestion(unknown, _FIELDS),
                )
        description = value.get("description", "")
        if not isinstance(description, str):
            raise ConfigurationError("A description is a text.", field=f"{where}.description")
        return cls(
            name=name,
            allow=_rules(value, "allow", where),
            deny=_rules(value, "deny", where),
            approve=_approvals(value, where),
            agents=texts_from_config(value.get("agents"), where=f"{where}.agents"),
            inherits=texts_from_config(value.get("inherits"), where=f"{where}.inherits"),
            description=description,
        )


_ANYTHING = Rule(tools=("*",), models=("*",), manage=("*",))
_CHANGES = frozenset({Effect.READ, Effect.WRITE})
_LOSSES = frozenset({Effect.DESTRUCTIVE})
# What names no other user: the catalogues, and one's own runs and figures.
_OPEN_AREAS = (
    *("tools.read", "models.read", "providers.read", "skills.read", "experiments.read"),
    *("runs.own", "stats.own", "feedback.own"),
)

BUILTIN_ROLES = {
    role.name: role
    for role in (
        Role(name="admin", allow=(_ANYTHING,), description="May do everything.", builtin=True),
        Role(
            name="developer",
            allow=(
                Rule(tools=("*",), effects=_CHANGES),
                Rule(models=("*",)),
                Rule(manage=(*_OPEN_AREAS, "keys.own", "approvals.own")),
            ),
            description="Asks models and uses tools that read or write.",
            builtin=True,
        ),
        Role(
            name="agent",
            allow=(Rule(tools=("*",), effects=_CHANGES), Rule(models=("*",))),
            approve=(Rule(tools=("*",), effects=_LOSSES),),
            description="What an agent may do beside its user: read, write, and destroy after a yes.",
            builtin=True,
        ),
        Role(
            name="readonly",
            allow=(
                Rule(tools=("*",), effects=frozenset({Effect.READ})),
                Rule(models=("*",)),
                Rule(manage=_OPEN_AREAS),
            ),
            description="Asks models and uses tools that only read.",
            builtin=True,
        ),
    )
}
"""The roles that come with Interlock."""


class RoleBook:
    """All roles, checked.

    Args:
        own: Own roles, as the tables of configuration have them, by name.

    Raises:
        ConfigurationError: A role is wrong, carries a built-in name, inherits one that is not there, or
            inherits itself.
    """

    __slots__ = ("_roles",)

    def __init__(self, own: Mapping[str, Json] | None = None) -> None:
        self._roles = dict(BUILTIN_ROLES)
        for name, value in (own or {}).items():
            if name in BUILTIN_ROLES and name != AGENT_ROLE:
                raise ConfigurationError(
                    f"{name} is a built-in role.", field=f"roles.{name}", remedy="Give yours another name."
                )
            self._roles[name] = Role.from_config(name, value)
        for name in own or {}:
            self._check(name, ())

    def names(self) -> tuple[str, ...]:
        """Names of all roles, sorted."""
        return tuple(sorted(self._roles))

    def get(self, name: str) -> Role | None:
        """A role; None when there is none of that name."""
        return self._roles.get(name)

    def need(self, name: str, *, field: str = "role") -> Role:
        """A role that must exist.

        Raises:
            ConfigurationError: There is none; the remedy names the nearest.
        """
        role = self._roles.get(name)
        if role is None:
            raise ConfigurationError(
                f"There is no role {name}.", field=field, remedy=suggestion(name, self._roles)
            )
        return role

    def lineage(self, name: str) -> tuple[Role, ...]:
        """A role and all that it inherits, itself first; empty when there is none of that name."""
        found: dict[str, Role] = {}
        waiting = [name]
        while waiting:
            role = self._roles.get(waiting.pop(0))
            if role is not None and role.name not in found:
                found[role.name] = role
                waiting += role.inherits
        return tuple(found.values())

    def agents(self) -> dict[str, frozenset[str]]:
        """The roles of every agent that a role names."""
        held: dict[str, set[str]] = {}
        for role in self._roles.values():
            for agent in role.agents:
                held.setdefault(agent, set()).add(role.name)
        return {agent: frozenset(names) for agent, names in held.items()}

    def describe(self, name: str) -> JsonObject:
        """A role for people and faces: its own rules as texts.

        Raises:
            ConfigurationError: There is none of that name.
        """
        role = self.need(name)
        return {
            "name": role.name,
            "description": role.description,
            "builtin": role.builtin,
            "inherits": list(role.inherits),
            "allow": [str(rule) for rule in role.allow],
            "deny": [str(rule) for rule in role.deny],
            "approve": [str(rule) for rule in role.approve],
            "agents": list(role.agents),
        }

    def _check(self, name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ConfigurationError(
                f"The role {name} inherits itself: {' > '.join([*path, name])}.",
                field=f"roles.{name}.inherits",
            )
        for parent in self._roles[name].inherits:
            self.need(parent, field=f"roles.{name}.inherits")
            self._check(parent, (*path, name))


def _rules(value: JsonObject, field: str, where: str) -> tuple[Rule, ...]:
    items = value.get(field, [])
    if not isinstance(items, list):
        raise ConfigurationError("This is a list of rules.", field=f"{where}.{field}")
    return tuple(
        Rule.from_config(item, where=f"{where}.{field}[{number}]") for number, item in enumerate(items)
    )


def _approvals(value: JsonObject, where: str) -> tuple[Rule, ...]:
    """The rules that ask for approval: they speak of tools, for nobody approves an answer of a model."""
    items = value.get("approve", [])
    if not isinstance(items, list):
        raise ConfigurationError("This is a list of rules.", field=f"{where}.approve")
    rules: list[Rule] = []
    for number, item in enumerate(items):
        place = f"{where}.approve[{number}]"
        rule = Rule.from_config(item, where=place, asks=True)
        if rule.models or rule.manage:
            raise ConfigurationError(
                "Approval is asked for calls of tools alone.",
                field=place,
                remedy="Name tools, categories or effects.",
            )
        rules.append(rule)
    return tuple(rules)
