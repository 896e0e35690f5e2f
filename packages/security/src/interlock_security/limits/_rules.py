"""What is limited: rules, what they apply to, and which of them a call falls under."""

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import JsonObject
from interlock_core.record import record

EVERY = "*"
"""The name of a rule for each of its kind, every one counted by itself."""

MOST = 2**53 - 1
"""The largest limit: Lua counts in doubles, which are exact up to here."""

LONGEST_S = 31 * 86_400
"""The longest window, in seconds."""


class LimitScope(StrEnum):
    """Whose calls are counted together."""

    GLOBAL = "global"
    TEAM = "team"
    USER = "user"
    KEY = "key"
    TOOL = "tool"
    PROVIDER = "provider"
    MODEL = "model"


class LimitKind(StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"


Subjects: TypeAlias = Mapping[LimitScope, str]
"""Whom a call is counted for: the user's name, the tool's name and so on, by scope."""


@record(frozen=True, slots=True, kw_only=True)
class LimitRule:
    """One limit.

    A rule with a name stands in place of the rules for `*` of the same scope and kind, so that one of them
    can be given more than the others.

    Attributes:
        scope: Whose calls are counted together.
        name: The one whose calls are counted, or `*` for each by itself; `*` where the scope is `global`.
        kind: What is counted.
        limit: Most units in the window, or most calls at a time.
        window_s: Length of the window in seconds; 0 for `concurrency`, which has none.
        origin: What declared it: a file with its line, or `store`.

    Raises:
        InvalidRequestError: A field is out of its bounds.
    """

    scope: LimitScope
    name: str
    kind: LimitKind
    limit: int
    window_s: float = 0.0
    origin: str = "store"

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > 256 or not self.name.isprintable():
            raise _wrong("name", "has no name that can be shown", f"Name one, or {EVERY} for each.")
        if self.scope is LimitScope.GLOBAL and self.name != EVERY:
            raise _wrong("name", "counts everything and has a name", f"Write {EVERY}.")
        if not 0 <= self.limit <= MOST:
            raise _wrong("limit", "is negative or too large", f"Write a whole number from 0 to {MOST}.")
        if (self.kind is LimitKind.CONCURRENCY) is (self.window_s != 0):
            fits = self.kind is LimitKind.CONCURRENCY
            raise _wrong(
                "window",
                "counts calls at a time, which have no window" if fits else "has no window",
                "Leave the window out." if fits else "Write a window such as 60s.",
            )
        if not math.isfinite(self.window_s) or (self.window_s and not 0.001 <= self.window_s <= LONGEST_S):
            raise _wrong("window", "has a window out of bounds", "Write one from 1ms to 31d.")

    @property
    def id(self) -> str:
        """What tells it from every other limit, such as `user:*:requests:60s`."""
        window = f":{self.window_s:g}s" if self.window_s else ""
        return f"{self.scope}:{self.name}:{self.kind}{window}"

    def as_json(self) -> JsonObject:
        """The rule as a JSON object."""
        return {
            "id": self.id,
            "scope": self.scope.value,
            "name": self.name,
            "kind": self.kind.value,
            "limit": self.limit,
            "window_s": self.window_s or None,
            "origin": self.origin,
        }


def applicable(rules: Iterable[LimitRule], subjects: Subjects) -> Sequence[tuple[LimitRule, str]]:
    """The rules that a call falls under, each with the name that it is counted for, in their order."""
    found = [
        (rule, subjects[rule.scope])
        for rule in rules
        if rule.scope in subjects and rule.name in (EVERY, subjects[rule.scope])
    ]
    named = {(rule.scope, rule.kind) for rule, _ in found if rule.name != EVERY}
    return [
        (rule, name) for rule, name in found if rule.name != EVERY or (rule.scope, rule.kind) not in named
    ]


def _wrong(field: str, problem: str, remedy: str) -> InvalidRequestError:
    return InvalidRequestError(f"The limit {problem}.", field=field, remedy=remedy)
