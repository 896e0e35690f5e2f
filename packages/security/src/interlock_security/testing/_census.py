"""A random world of users, tools, roles and overrides, and questions about it: for comparing evaluators."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from interlock_core.call import Call, CallKind, Principal, Taint
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.money import Money
from interlock_core.toolspec import Effect
from interlock_security.permissions import Override, PermissionChecker, RoleBook, Rule, RuleKind
from interlock_security.testing._reference import ReferencePolicy, ReferenceQuestion

_SPACES = ("github", "mail", "files", "pay", "web", "db", "ci", "sam", "crm", "erp")
_VERBS = ("list", "get", "create", "update", "delete", "send", "merge", "run", "search", "refund")
_CATEGORIES = ("code", "mail", "money", "data", "web")
_SOURCES = ("web.fetch", "mail.get_1", "github.list_2")
_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ENVIRONMENT = "staging"
_BEGIN = 1_767_225_600  # 2026-01-01T00:00:00Z


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of the world."""

    name: str
    category: str
    effect: Effect


class Census:
    """A world that chance makes.

    Args:
        random: Where chance comes from: the same makes the same world and the same questions.
        users: How many users there are.
        tools: How many tools there are.
        roles: How many roles there are beside the built-in ones.

    Attributes:
        checker: The world's permissions.
        reference: The same, for the reference evaluator.
    """

    def __init__(self, random: Random, *, users: int = 1_000, tools: int = 500, roles: int = 50) -> None:
        self._random = random
        self._tools = [self._tool(number) for number in range(tools)]
        own = {f"role{number}": self._role(number) for number in range(roles)}
        names = [*own, "readonly", "developer", "admin"]
        self._users = {
            f"user{number}": frozenset(self._random.sample(names, self._random.randint(0, 3)))
            for number in range(users)
        }
        agents = {f"agent{number}": frozenset(self._random.sample(names, 2)) for number in range(20)}
        overrides = [self._override(number) for number in range(users // 5)]
        self.checker = PermissionChecker(RoleBook(own), agents=agents, environment=_ENVIRONMENT)
        self.checker.use_overrides(made for made, _ in overrides)
        self.reference = ReferencePolicy(
            roles=own, overrides=[table for _, table in overrides], agents=agents
        )

    def questions(self, count: int) -> Iterator[tuple[Call, ReferenceQuestion]]:
        """Random questions, each for the checker and for the reference evaluator."""
        names = list(self._users)
        for number in range(count):
            yield self._question(number, self._random.choice(names))

    def differences(self, count: int) -> list[str]:
        """Put random questions to both; those to which the answers differ, a line each."""
        found: list[str] = []
        for call, asked in self.questions(count):
            verdict = self.checker.may_after(call, asked.approvals, at=asked.at)
            word = "deny" if not verdict.allowed else "approval" if verdict.approvals else "allow"
            expected = self.reference.verdict(asked)
            if word != expected or verdict.rule.endswith("disagreement"):
                found.append(f"{asked}: {word} ({verdict.reason}), but {expected}")
        return found

    # ---- inside

    def _tool(self, number: int) -> Tool:
        pick = self._random.choice
        name = f"{pick(_SPACES)}.{pick(_VERBS)}_{number}"
        return Tool(name, pick(_CATEGORIES), pick([*Effect, Effect.READ]))

    def _role(self, number: int) -> JsonObject:
        pick = self._random
        table: JsonObject = {
            "allow": [self._rule() for _ in range(pick.randint(1, 4))],
            "deny": [self._rule(narrow=True) for _ in range(pick.randint(0, 1))],
            "approve": [self._approval() for _ in range(pick.randint(0, 1))],
        }
        parents = [f"role{number // 2}"] if number and pick.random() < 0.5 else []
        if parents:
            table["inherits"] = [*parents]
        return table

    def _rule(self, *, narrow: bool = False) -> JsonObject:
        pick = self._random
        space = pick.choice(_SPACES)
        pattern = pick.choice([f"{space}.{pick.choice(_VERBS)}_*", f"{space}.[a-m]*", f"{space}.*_?"])
        rule: JsonObject = {"tools": [pattern if narrow else pick.choice([pattern, f"{space}.*", "*"])]}
        if pick.random() < 0.3:
            rule["categories"] = [pick.choice([*_CATEGORIES, "m*"])]
        if pick.random() < 0.5:
            rule["effects"] = [effect.value for effect in pick.sample(list(Effect), pick.randint(1, 2))]
        return {**rule, **(self._conditions() if pick.random() < 0.3 else {})}

    def _approval(self) -> JsonObject:
        rule = self._rule(narrow=True)
        if self._random.random() < 0.6:
            rule["four_eyes"] = self._random.randint(1, 2)
        return rule

    def _conditions(self) -> JsonObject:
        pick = self._random
        every: dict[str, Json] = {
            "arguments": self._tests(),
            "hours": self._hours(),
            "environments": [pick.choice(["staging", "production", "Staging"])],
            "cost_at_most": pick.choice([0, 1_000, 50_000]),
            "tainted": pick.choice([True, ["web.*"]]),
            "taint_free": pick.choice([True, ["mail.*", "web.*"]]),
        }
        return {name: every[name] for name in pick.sample(sorted(every), pick.choice([1, 1, 2]))}

    def _tests(self) -> JsonObject:
        pick = self._random
        tests: dict[str, Json] = {
            "repo": pick.choice(
                [
                    {"equals": "acme/a"},
                    {"in": ["acme/a", "acme/b"]},
                    {"matches": "acme/*"},
                    {"not_in": ["acme/c"]},
                    {"present": True},
                ]
            ),
            "order.amount": pick.choice([{"at_most": 100}, {"at_least": 0, "at_most": 50.5}]),
            "force": pick.choice([{"equals": False}, {"present": False}, {"not_equals": True}]),
        }
        name = pick.choice(sorted(tests))
        return {name: tests[name]}

    def _hours(self) -> JsonObject:
        pick = self._random
        begin, end = pick.choice(
            [("09:00", "17:00"), ("22:00", "06:00"), ("00:00", "12:30"), ("14:00", "00:00")]
        )
        hours: JsonObject = {"from": begin, "to": end, "zone": pick.choice(_ZONES)}
        if pick.random() < 0.5:
            days: list[Json] = [*pick.sample(_DAYS, pick.randint(1, 6))]
            hours["days"] = days
        return hours

    def _override(self, number: int) -> tuple[Override, JsonObject]:
        pick = self._random
        kind = pick.choice([RuleKind.ALLOW, RuleKind.DENY])
        table = self._rule(narrow=kind is RuleKind.DENY)
        until = float(_BEGIN + pick.randint(0, 365 * 86_400)) if pick.random() < 0.7 else None
        user = f"user{pick.randrange(len(self._users))}"
        rule = Rule.from_config(table, where="override")
        made = Override(id=str(number), user=user, kind=kind, rule=rule, until=until)
        plain: JsonObject = {**table, "user": user, "kind": kind.value}
        return made, plain if until is None else {**plain, "until": until}

    def _question(self, number: int, user: str) -> tuple[Call, ReferenceQuestion]:
        pick = self._random
        tool = pick.choice(self._tools)
        cost = pick.choice([None, 0, 0, 1_000, 60_000])
        scopes = (f"{pick.choice(_SPACES)}.*",) if pick.random() < 0.05 else ()
        asked = ReferenceQuestion(
            user=user,
            roles=self._users[user],
            agent=f"agent{pick.randrange(24)}" if pick.random() < 0.3 else None,
            tool=tool.name,
            category=tool.category,
            effect=tool.effect.value,
            arguments=self._arguments(),
            at=float(_BEGIN + pick.randint(0, 365 * 86_400)),
            environment=_ENVIRONMENT,
            cost=cost,
            taint=tuple(pick.sample(_SOURCES, pick.choice([0, 0, 0, 1, 2]))),
            approvals=frozenset(pick.sample([user, "user1", "user2"], pick.choice([0, 0, 1, 2]))),
            scopes=scopes,
        )
        call = Call(
            id=str(number),
            kind=CallKind.TOOL,
            name=tool.name,
            principal=Principal(
                user=user, roles=asked.roles, scopes=frozenset(f"tool:{scope}" for scope in scopes)
            ),
            agent=asked.agent,
            effect=tool.effect,
            category=tool.category,
            taint=tuple(Taint(source=source, call_id="c") for source in asked.taint),
            cost_bound=None if cost is None else Money(cost),
            arguments=asked.arguments,
        )
        return call, asked

    def _arguments(self) -> JsonObject:
        pick = self._random
        every: dict[str, Json] = {
            "repo": pick.choice(["acme/a", "acme/b", "acme/c", "evil/acme/a", "", 5]),
            "order": pick.choice([{"amount": 100}, {"amount": 100.5}, {"amount": -1}, {"amount": "5"}, {}]),
            "force": pick.choice([True, False, "false"]),
        }
        return {name: every[name] for name in pick.sample(sorted(every), pick.choice([1, 2, 3, 3]))}
