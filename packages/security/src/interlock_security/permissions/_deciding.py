"""One decision: which rules speak of a call, what Cedar says to that, and whether the evaluator agrees.

Both work it out from the same rules on ways of their own. Where they differ, something is wrong with one of
them, and the call is denied.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from interlock_core.call import Call
from interlock_core.jsontypes import JsonObject, dump_json
from interlock_security.permissions._conditions import Moment, Standing
from interlock_security.permissions._evaluator import Ground, Ruling, judge, settled, speaks_of
from interlock_security.permissions._overrides import RuleKind
from interlock_security.permissions._policy import Held, Policy, Side

if TYPE_CHECKING:
    from cedarpy import Entities

    from interlock_security.permissions._cedar import CedarEngine

_logger = logging.getLogger("interlock.security")

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_SPEAKING, _SUBJECTS = 16_384, 4_096


class Recent(OrderedDict[K, V]):
    """What was worked out, of which the least lately used is given up first.

    Args:
        most: How many entries are kept.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: K, value: V) -> V:
        """Keep an entry, and give it back."""
        self[key] = value
        if len(self) > self._most:
            self.popitem(last=False)
        return value

    def recall(self, key: K, make: Callable[[], V]) -> V:
        """An entry, made when it is not there."""
        found = self.get(key)
        if found is None:
            return self.keep(key, make())
        self.move_to_end(key)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaking:
    """The rules of a policy that speak of one kind of call.

    Attributes:
        sure: Ids of those without a condition, by the heading under which they stand.
        open: Those whose conditions are looked at anew for each call.
    """

    sure: Mapping[str, Sequence[str]]
    open: tuple[Held, ...]

    def context(self, standings: "Standings", *, scoped: bool) -> str:
        """The rules that speak of a call, as Cedar takes them."""
        context: JsonObject = {"scoped": scoped}
        for heading, ids in self.sure.items():
            context[heading] = [*ids, *(held for held, under in standings if under == heading)]
        return dump_json(context)


Standings: TypeAlias = tuple[tuple[str, str], ...]
"""Ids of rules with conditions that somebody holds, each with the heading under which it stands just now."""

_HEADINGS = ("allow", "approved", "asking", "deny", "uncomputable")


def standings_of(rules: Sequence[Held], moment: Moment) -> Standings:
    """What becomes of rules with conditions for one call; those that do not hold are left out."""
    return tuple((held.id, heading) for held in rules if (heading := _heading(held, moment)))


def _heading(held: Held, moment: Moment) -> str:
    """Under which heading a rule stands for a call; none where its conditions do not hold."""
    conditions = held.rule.conditions
    standing = conditions.standing(moment)[0] if conditions else Standing.HOLDS
    if standing is Standing.ERROR:
        return "uncomputable"
    if standing is not Standing.HOLDS:
        return ""
    if held.kind is RuleKind.APPROVE:
        return "approved" if settled(held, moment) else "asking"
    return held.kind.value


class Decider:
    """Decides by one policy, and remembers.

    Args:
        policy: The policy.
        engine: Cedar.
    """

    def __init__(self, policy: Policy, engine: "Callable[[], CedarEngine]") -> None:
        self.policy = policy
        self._engine_of = engine
        self._speaking: Recent[tuple[object, ...], Speaking] = Recent(_SPEAKING)
        self._subjects: Recent[tuple[object, ...], Entities] = Recent(_SUBJECTS)

    @cached_property
    def _rules(self) -> tuple[Held, ...]:
        return tuple(self.policy.everything())

    @cached_property
    def _engine(self) -> "CedarEngine":
        return self._engine_of()

    def speaking(self, call: Call) -> Speaking:
        """The rules that speak of a call."""
        key = (call.kind, call.name, call.effect, call.category)
        return self._speaking.recall(key, lambda: self._speaks(call))

    def open_rules(self, call: Call, sides: Iterable[Side]) -> tuple[Held, ...]:
        """The rules that speak of a call, that one of the sides holds, and whose conditions decide."""
        speaking = self.speaking(call).open
        if not speaking:
            return ()
        held = {item.id for side in sides for item in self.policy.held(side)}
        return tuple(item for item in speaking if item.id in held)

    def decide(self, side: Side, moment: Moment, standings: Standings, *, scoped: bool = True) -> Ruling:
        """The answer for one side: Cedar's decision with the evaluator's reasons.

        A scope is Cedar's business alone here: its reason is told by whoever looked at the scopes.
        """
        from interlock_security.permissions._cedar import Decided

        context = self.speaking(moment.call).context(standings, scoped=scoped)
        decided = self._engine.decide(self._subject(side), context)
        ruling = judge(self.policy, side, moment)
        told = Decided.DENIED
        if ruling.allowed and scoped:
            told = Decided.ASKING if ruling.approvals else Decided.ALLOWED
        if told is decided:
            return ruling
        _logger.error(
            "two ways to judge %s differ: Cedar says %s, the evaluator %s (%s)",
            moment.call.name[:80],
            decided.value,
            told.value,
            ruling.rule,
        )
        return Ruling(
            allowed=False,
            ground=Ground.CONDITION_ERROR,
            rule="disagreement",
            reason="Two ways to judge this call differ, so it is denied.",
            change="This is a fault of Interlock's own: report it.",
        )

    def _speaks(self, call: Call) -> Speaking:
        sure: dict[str, list[str]] = {heading: [] for heading in _HEADINGS}
        undecided: list[Held] = []
        for held in self._rules:
            if not speaks_of(held, call):
                continue
            if held.rule.conditions or held.kind is RuleKind.APPROVE:
                undecided.append(held)
            else:
                sure[held.kind.value].append(held.id)
        return Speaking(sure=sure, open=tuple(undecided))

    def _subject(self, side: Side) -> "Entities":
        user = side.user if side.user in self.policy.overridden else None
        return self._subjects.recall((user, side.roles), lambda: self._made(side))

    def _made(self, side: Side) -> "Entities":
        held = frozenset(item.id for item in self.policy.held(side))
        return self._engine.subject(held, broken=bool(self.policy.unknown_roles(side.roles)))
