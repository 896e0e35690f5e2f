"""Permissions worked out once more, on the plain tables of configuration and on nothing else of this part.

Slow, and meant to be read: what the checker answers is held against it over many random questions.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object

_BUILTIN: Mapping[str, Sequence[str]] = {
    "admin": ("read", "write", "destructive"),
    "developer": ("read", "write"),
    "agent": ("read", "write"),
    "readonly": ("read",),
}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class _CannotTellError(Exception):
    """A condition cannot be computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceQuestion:
    """One question, in plain values.

    Attributes:
        user: Who.
        roles: The user's roles.
        agent: The agent, if one makes the call.
        tool: The tool's name.
        category: Its category.
        effect: Its effect.
        arguments: Its arguments.
        at: When, in seconds since 1970.
        environment: The installation's tag.
        cost: Most micro-USD; None when unknown.
        taint: Sources of untrusted text.
        approvals: Who said yes.
        scopes: Patterns of tools that the key is for; empty means no restriction.
    """

    user: str
    roles: frozenset[str]
    agent: str | None = None
    tool: str
    category: str = ""
    effect: str = "read"
    arguments: JsonObject = field(default_factory=dict[str, Json])
    at: float = 0.0
    environment: str = ""
    cost: int | None = None
    taint: tuple[str, ...] = ()
    approvals: frozenset[str] = frozenset()
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePolicy:
    """Roles and overrides, as their tables say them.

    Attributes:
        roles: `[roles.NAME]` by name; the built-in ones are known.
        overrides: Tables of rules with `user`, `kind` and, if given, `until` in seconds since 1970.
        agents: Roles of agents by name; an agent that is not named has the role `agent`.
    """

    roles: Mapping[str, JsonObject]
    overrides: Sequence[JsonObject] = ()
    agents: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    def verdict(self, asked: ReferenceQuestion) -> str:
        """`allow`, `approval` or `deny`."""
        own = [entry for entry in self.overrides if entry["user"] == asked.user]
        answers = [self._side(asked.roles, own, asked)]
        if asked.scopes and not any(fnmatchcase(asked.tool, pattern) for pattern in asked.scopes):
            answers.append("deny")
        if asked.agent is not None:
            held = self.agents.get(asked.agent, frozenset({"agent"}))
            answers.append(self._side(held, [], asked))
        return max(answers, key=("allow", "approval", "deny").index)

    def _side(self, roles: frozenset[str], own: Sequence[JsonObject], asked: ReferenceQuestion) -> str:
        verdicts: set[str] = set()
        try:
            for kind, rule in [*self._rules(roles), *((str(entry["kind"]), entry) for entry in own)]:
                if _fits(rule, asked) and _holds(rule, asked):
                    verdicts.add(_settled(rule, asked) if kind == "approve" else kind)
        except (_CannotTellError, KeyError):
            return "deny"
        for verdict in ("deny", "approval", "allow"):
            if verdict in verdicts:
                return verdict
        return "deny"

    def _rules(self, roles: frozenset[str]) -> Iterator[tuple[str, JsonObject]]:
        """The rules of roles and of what they inherit; an unknown role is a `KeyError`."""
        seen: set[str] = set()
        todo = list(roles)
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in _BUILTIN and name not in self.roles:
                yield "allow", {"tools": ["*"], "effects": list(_BUILTIN[name])}
                if name == "agent":
                    yield "approve", {"tools": ["*"], "effects": ["destructive"]}
                continue
            table = self.roles[name]
            todo += [str(parent) for parent in as_array(table.get("inherits"))]
            for kind in ("allow", "deny", "approve"):
                for rule in as_array(table.get(kind)):
                    yield kind, as_object(rule)


def _fits(rule: JsonObject, asked: ReferenceQuestion) -> bool:
    given = [
        (rule.get(key), value)
        for key, value in (
            ("tools", asked.tool),
            ("categories", asked.category),
            ("effects", asked.effect),
        )
        if rule.get(key)
    ]
    return bool(given) and all(
        any(fnmatchcase(value, str(pattern)) for pattern in as_array(patterns)) for patterns, value in given
    )


def _holds(rule: JsonObject, asked: ReferenceQuestion) -> bool:
    until = rule.get("until")
    if isinstance(until, int | float) and asked.at >= until:
        return False
    answers = [
        _argument(asked.arguments, path, test, wanted)
        for path, tests in as_object(rule.get("arguments")).items()
        for test, wanted in as_object(tests).items()
    ]
    if "hours" in rule:
        answers.append(_hours(as_object(rule["hours"]), asked.at))
    if "environments" in rule:
        answers.append(asked.environment in as_array(rule["environments"]))
    if "cost_at_most" in rule:
        bound = rule["cost_at_most"]
        if asked.cost is None or not isinstance(bound, int):
            raise _CannotTellError
        answers.append(asked.cost <= bound)
    for key, good in (("tainted", True), ("taint_free", False)):
        if key in rule:
            value = rule[key]
            patterns = ["*"] if value is True else [str(item) for item in as_array(value)]
            hit = any(fnmatchcase(source, pattern) for source in asked.taint for pattern in patterns)
            answers.append(hit is good)
    return all(answers)


def _argument(arguments: JsonObject, path: str, test: str, wanted: Json) -> bool:
    value: Json = arguments
    there = True
    for part in path.split("."):
        inner = as_object(value)
        there = there and part in inner
        value = inner.get(part)
    if test == "present":
        return there is wanted
    if not there:
        raise _CannotTellError
    if test in {"at_most", "at_least"}:
        return _bounded(value, wanted, most=test == "at_most")
    if test == "matches":
        if not isinstance(value, str):
            raise _CannotTellError
        return fnmatchcase(value, str(wanted))
    options = wanted if isinstance(wanted, list) else [wanted]
    if isinstance(value, dict | list) or value is None:
        raise _CannotTellError
    alike = [option for option in options if _sort(option) == _sort(value)]
    if options and not alike:
        raise _CannotTellError
    return (value in alike) is not test.startswith("not_")


def _bounded(value: Json, bound: Json, *, most: bool) -> bool:
    if type(value) not in {int, float} or not isinstance(bound, int | float):
        raise _CannotTellError
    number = float(str(value))
    if not math.isfinite(number):
        raise _CannotTellError
    return number <= bound if most else number >= bound


def _sort(value: Json) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else type(value).__name__


def _hours(hours: JsonObject, at: float) -> bool:
    local = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(str(hours.get("zone", "UTC"))))
    days = as_array(hours.get("days")) or _DAYS
    now, begin, end = local.strftime("%H:%M"), str(hours["from"]), str(hours["to"])
    today = _DAYS[local.weekday()] in days
    yesterday = _DAYS[(local - timedelta(days=1)).weekday()] in days
    if begin < end:
        return today and begin <= now < end
    return (today and now >= begin) or (yesterday and now < end)


def _settled(rule: JsonObject, asked: ReferenceQuestion) -> str:
    wanted = rule.get("four_eyes", 0)
    if not isinstance(wanted, int) or wanted == 0:
        return "allow" if asked.approvals else "approval"
    return "allow" if len(asked.approvals - {asked.user}) >= wanted else "approval"
