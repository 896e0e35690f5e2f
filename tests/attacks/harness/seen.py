"""What came of an attack, and whether the words of its case hold."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from interlock_core.errors import (
    ApprovalDeniedError,
    EgressRefusedError,
    InterlockError,
    PermissionDeniedError,
)
from interlock_core.testing import ReceivedRequest

from .cases import Case, forms

_MEASURED = re.compile(r"(?P<name>[a-z_][a-z0-9_ .-]*?) (?P<sign>==|<=|<|in) (?P<bound>.+)")
_SIGNS: dict[str, Callable[[float, float], bool]] = {"==": operator.eq, "<=": operator.le, "<": operator.lt}


@dataclass(slots=True, kw_only=True)
class Seen:
    """What came of one attack, as far as its surface can show it.

    Attributes:
        canary: What nothing may hold.
        error: The refusal, where there was one.
        refused: Nothing was done, and the answer says why.
        figures: What was counted, by its name in the words of a case.
        texts: What was told, by its name: response, log, store, network …
        facts: What else holds, by its words.
        requests: What the allowed server received.
        dialled: The addresses that were dialled, in order.
        judged: The addresses that the names gave.
    """

    canary: str = ""
    error: InterlockError | None = None
    refused: bool = False
    figures: dict[str, float] = field(default_factory=dict[str, float])
    texts: dict[str, str] = field(default_factory=dict[str, str])
    facts: dict[str, bool] = field(default_factory=dict[str, bool])
    requests: list[ReceivedRequest] = field(default_factory=list[ReceivedRequest])
    dialled: list[str] = field(default_factory=list[str])
    judged: list[str] = field(default_factory=list[str])

    def holds(self, word: str) -> bool:
        """Whether one alternative of a case holds.

        Raises:
            KeyError: Nothing was measured that says so.
        """
        if word in self.facts:
            return self.facts[word]
        own = _OWN.get(word)
        if own is not None:
            return own(self)
        if lacks := re.fullmatch(r"(\w+) lacks canary", word):
            return not [form for form in forms(self.canary) if form in self.texts[lacks[1]]]
        measured = _MEASURED.fullmatch(word)
        if measured is None:
            raise KeyError(word)
        figure, bound = self.figures[measured["name"]], measured["bound"]
        if measured["sign"] == "in":
            return figure in {float(part) for part in bound.strip("[]").split(",")}
        return _SIGNS[measured["sign"]](figure, float(bound.removesuffix(" MB")))


def _refused(seen: Seen) -> bool:
    return seen.refused and (seen.error is None or bool(seen.error.message))


def _approval(seen: Seen) -> bool:
    return isinstance(seen.error, ApprovalDeniedError)


_OWN: dict[str, Callable[[Seen], bool]] = {
    "refused": _refused,
    "refused as egress": lambda seen: isinstance(seen.error, EgressRefusedError),
    "refused as taint": lambda seen: isinstance(seen.error, PermissionDeniedError),
    "needs-approval": _approval,
    "dialled == judged": lambda seen: seen.dialled == seen.judged[: len(seen.dialled)],
    "dialled in judged": lambda seen: set(seen.dialled) <= set(seen.judged),
}


def problems(case: Case, seen: Seen) -> Sequence[str]:
    """The words of a case that do not hold; a word that nothing measured is one of them."""
    wrong: list[str] = []
    for word in case.must:
        whole = word in seen.facts
        for alternative in (word,) if whole else word.split(" or "):
            try:
                if seen.holds(alternative):
                    break
            except KeyError:
                wrong.append(f"{alternative} (not measured)")
        else:
            wrong.append(word)
    return wrong
