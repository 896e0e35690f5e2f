"""Sees when a run goes in circles: the same calls with the same answers, again and again.

What counts is the tail of the run, turn by turn: calls with their arguments (as JSON, whatever their layout)
and what came back. A call that is repeated and answers something new, such as polling, is no circle.
"""

from collections.abc import Sequence
from typing import TypeAlias

from interlock_core import ToolCall, ToolResult
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import dump_json

_LONGEST = 3
_TIMES = 3
_TIMES_ALONE = 4

_Turn: TypeAlias = list[tuple[object, ...]]


class Circles:
    """The last turns of one run.

    A turn that only fails is a circle at its third time, another single turn at its fourth, and a sequence of
    two or three turns at its third.
    """

    __slots__ = ("_turns",)

    def __init__(self) -> None:
        self._turns: list[_Turn] = []

    def note(self, calls: Sequence[ToolCall], results: Sequence[ToolResult]) -> str | None:
        """Add one turn; what goes in circles, in one sentence, or None."""
        self._turns.append([_said(call, result) for call, result in zip(calls, results, strict=True)])
        del self._turns[: -_LONGEST * _TIMES]
        failing = all(result.is_error for result in results)
        for period in range(1, _LONGEST + 1):
            times = _TIMES_ALONE if period == 1 and not failing else _TIMES
            tail = self._turns[-period * times :]
            if len(tail) == period * times and tail[period:] == tail[:-period]:
                names = ", ".join(dict.fromkeys(str(said[0]) for turn in tail[:period] for said in turn))
                return f"The same calls ({names}) were made {times} times with the same answers."
        return None


def _said(call: ToolCall, result: ToolResult) -> tuple[object, ...]:
    try:
        arguments = dump_json(call.parsed(), sort_keys=True)
    except (InvalidRequestError, ValueError, RecursionError):
        arguments = call.arguments
    return (call.name, arguments, result.is_error, result.content)
