"""One decision: which rules speak of a call, what Cedar says to that, and whether the evaluator agrees.

Both work it out from the same rules on ways of their own. Where they differ, something is wrong with one of
them, and the call is denied.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from interlock_core.call import Call
from interlock_core.jsontypes import dump_json
from interlock_security.permissions._conditions import Moment, Standing
from interlock_security.permissions._evaluator import Answers, Ground, Ruling, judge, settled, speaks_of
from interlock_security.permissions._overrides import RuleKind
from interlock_security.permissions._policy import Held, Policy, Side

if TYPE_CHECKING:
    from cedarpy import Entities

    from interlock_security.permissions._cedar import CedarEngine, Decided

_logger = logging.getLogger("interlock.security")

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_SPEAKING, _SUBJECTS, _CONTEXTS = 16_384, 4_096, 256


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


class Speaking:
    """Which rules speak of calls of one kind, name, effect and category; each is asked once, when it matters.

    The call itself is not kept, for its arguments may be secret.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}

    def of(self, held: Held, call: Call) -> bool:
        """Whether a rule speaks of such a call."""
        known = self._known.get(held.id)
        if known is None:
            known = self._known[held.id] = speaks_of(held, call)
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One side as Cedar takes it.

    Attributes:
        entities: The side, with the ids of all rules that it holds.
        sure: The rules that it holds whose answer is the same for every call that they speak of.
        open: Those whose conditions, or the people who said yes, decide about each call anew.
        texts: The ids of all of them as JSON.
        decided: What Cedar said to contexts; it looks at nothing else but the subject and the policies.
    """

    entities: "Entities"
    sure: tuple[Held, ...]
    open: tuple[Held, ...]
    texts: Mapping[str, str]
    decided: "Recent[str, Decided]"

    def context(self, speaking: Speaking, moment: Moment, answers: Answers, *, scoped: bool) -> str:
        """The rules that this side holds and that speak of a call, as Cedar takes them.

        What it does not hold is left out: Cedar looks at nothing but what subject and context have in common,
        and reads every id of a context anew for each question.

        Args:
            speaking: Which rules speak of the call.
            moment: The call, and who approved it.
            answers: What became of the open rules that speak of it.
            scoped: Whether the key's scopes leave the call possible.
        """
        listed: dict[str, list[str]] = {"asking": [], "deny": [], "uncomputable": []}
        for held in self.sure:
            if speaking.of(held, moment.call):
                listed.setdefault(held.kind, []).append(self.texts[held.id])
        for held in self.open:
            answer = answers.get(held.id)
            if answer is not None and (heading := _heading(held, answer[0], moment)):
                listed.setdefault(heading, []).append(self.texts[held.id])
        lists = ",".join([f'"{heading}":[{",".join(ids)}]' for heading, ids in listed.items()])
        return f'{{"scoped":{"true" if scoped else "false"},{lists}}}'


_HOLDS, _ERROR, _APPROVE = Standing.HOLDS, Standing.ERROR, RuleKind.APPROVE


def answers_of(rules: Iterable[Held], moment: Moment) -> Answers:
    """What becomes of rules for one call."""
    return {
        held.id: held.rule.conditions.standing(moment) if held.conditional else (_HOLDS, "") for held in rules
    }


def _heading(held: Held, standing: Standing, moment: Moment) -> str:
    """Under which heading a rule stands for a call; none where its conditions do not hold."""
    if standing is _ERROR:
        return "uncomputable"
    if standing is not _HOLDS:
        return ""
    if held.kind is _APPROVE:
        return "approved" if settled(held, moment) else "asking"
    return held.kind


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
        self._subjects: Recent[tuple[object, ...], Subject] = Recent(_SUBJECTS)

    @cached_property
    def _engine(self) -> "CedarEngine":
        return self._engine_of()

    def open_rules(self, call: Call, sides: Iterable[Side]) -> tuple[Held, ...]:
        """The rules that speak of a call, that one of the sides holds, and whose conditions decide."""
        speaking = self._speaks(call)
        held = {one.id: one for side in sides for one in self._subject(side).open if speaking.of(one, call)}
        return tuple(held.values())

    def decide(self, side: Side, moment: Moment, answers: Answers, *, scoped: bool = True) -> Ruling:
        """The answer for one side: Cedar's decision with the evaluator's reasons.

        A scope is Cedar's business alone here: its reason is told by whoever looked at the scopes.

        Args:
            side: The side.
            moment: The call, and who approved it.
            answers: What became of the open rules that speak of it.
            scoped: Whether the key's scopes leave the call possible.
        """
        from interlock_security.permissions._cedar import Decided

        subject = self._subject(side)
        context = subject.context(self._speaks(moment.call), moment, answers, scoped=scoped)
        decided = subject.decided.get(context)
        if decided is None:
            decided = subject.decided.keep(context, self._engine.decide(subject.entities, context))
        ruling = judge(self.policy, side, moment, answers=answers)
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
        key = (call.kind, call.name, call.effect, call.category)
        return self._speaking.recall(key, Speaking)

    def _subject(self, side: Side) -> Subject:
        user = side.user if side.user in self.policy.overridden else None
        return self._subjects.recall((user, side.roles), lambda: self._made(side))

    def _made(self, side: Side) -> Subject:
        rules = self.policy.held(side)
        ids = frozenset(held.id for held in rules)
        broken = bool(self.policy.unknown_roles(side.roles))
        return Subject(
            entities=self._engine.subject(ids, broken=broken),
            sure=tuple(held for held in rules if not held.open),
            open=tuple(held for held in rules if held.open),
            texts={held: dump_json(held) for held in ids},
            decided=Recent(_CONTEXTS),
        )
