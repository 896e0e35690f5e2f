"""Overrides: rules for one user that stand beside the roles held, with a reason and, if given, an end."""

from dataclasses import dataclass, replace
from enum import StrEnum

from interlock_core.jsontypes import JsonObject
from interlock_security.permissions._rules import Rule


class RuleKind(StrEnum):
    """What a rule does for the calls that it speaks of."""

    ALLOW = "allow"
    DENY = "deny"
    APPROVE = "approve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A rule for one user alone. A denial of a role wins over it, as over any rule that allows.

    Attributes:
        id: Its id.
        user: Who.
        kind: `allow` or `deny`.
        rule: Of which calls it speaks.
        until: First moment without it, in seconds since 1970; None for no end.
        reason: Why, in the words of whoever made it.
        created_by: Who made it.
        created_at: When, in seconds since 1970.
    """

    id: str
    user: str
    kind: RuleKind
    rule: Rule
    until: float | None = None
    reason: str = ""
    created_by: str = ""
    created_at: float = 0.0

    @property
    def timed_rule(self) -> Rule:
        """The rule with its end among its conditions."""
        if self.until is None:
            return self.rule
        return replace(self.rule, conditions=replace(self.rule.conditions, until=self.until))

    def as_json(self) -> JsonObject:
        """The override as a JSON object."""
        return {
            "id": self.id,
            "user": self.user,
            "verdict": self.kind.value,
            "rule": str(self.rule),
            "until": self.until,
            "reason": self.reason,
            "created_by": self.created_by,
            "created_at": self.created_at,
        }
