"""Reads what a run writes: what may be shown, when, and whether it is what was asked for.

Nothing is shown that could turn out wrong: a JSON answer is shown while it is written only when the
grammar holds the whole schema; otherwise, and for every tool call, it is read to its end, validated, and
then shown at once. An answer that was cut (by `max_tokens`, the context or a stop text) is shown as far as
it came; its finish reason says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from interlock_core.ids import new_id
from interlock_core.jsontypes import Json, as_object, as_text, dump_json, parse_json
from interlock_core.messages import ToolCall
from interlock_core.schema import Validator
from interlock_providers.local._grammar import CALL_ARGUMENTS, CALL_NAME, CALL_START, SENTINEL


class MisreadError(Exception):
    """The run wrote something else than was asked for; it never leaves the provider."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What is shown at the end of a run.

    Attributes:
        text: The characters that were held back.
        call: The tool call.
    """

    text: str = ""
    call: ToolCall | None = None


class Reader(Protocol):
    """Reads one run."""

    def feed(self, text: str) -> str:
        """Take the next characters and give those that may be shown now.

        Raises:
            MisreadError: This is not what was asked for.
        """
        ...

    def end(self, *, cut: bool) -> Ending:
        """The run is over.

        Args:
            cut: It was ended before it was finished.

        Raises:
            MisreadError: This is not what was asked for.
        """
        ...


class TextReader:
    """Plain text is shown as it comes."""

    def feed(self, text: str) -> str:
        """Show all."""
        return text

    def end(self, *, cut: bool) -> Ending:
        """Nothing was held back."""
        return Ending()


class AnswerReader:
    """JSON after the sentinel.

    Args:
        validator: Of the schema that was asked for.
        hold: Show nothing before the end.
    """

    def __init__(self, validator: Validator, *, hold: bool) -> None:
        self._validator = validator
        self._hold = hold
        self._written = ""

    def feed(self, text: str) -> str:
        """Show JSON unless it must be held back; never the sentinel."""
        first = not self._written
        self._written += text
        if first and not text.startswith(SENTINEL):
            raise MisreadError("the decoder did not hold the grammar")
        return "" if self._hold else text.removeprefix(SENTINEL) if first else text

    def end(self, *, cut: bool) -> Ending:
        """Validate what is whole."""
        answer = self._written.removeprefix(SENTINEL)
        if not cut:
            problems = self._validator.problems(_parsed(answer))
            if problems:
                raise MisreadError(problems[0])
        return Ending(answer if self._hold else "")


class CallReader:
    """One tool call, perhaps after the sentinel.

    Args:
        validators: The tools' names with validators of their arguments.
        sentinel: Whether it must begin with the sentinel.
    """

    def __init__(self, validators: Mapping[str, Validator], *, sentinel: bool) -> None:
        self._validators = validators
        self._sentinel = sentinel
        self._written = ""

    def feed(self, text: str) -> str:
        """Show nothing yet."""
        if self._sentinel and not self._written and not text.startswith(SENTINEL):
            raise MisreadError("the decoder did not hold the grammar")
        self._written += text
        return ""

    def end(self, *, cut: bool) -> Ending:
        """Validate the call, or give what there is of it."""
        written = self._written.removeprefix(SENTINEL)
        return Ending(call=self._partial(written) if cut else self._whole(written))

    def _whole(self, written: str) -> ToolCall:
        call = as_object(_parsed(written))
        name, arguments = as_text(call.get("name")) or "", call.get("arguments")
        validator = self._validators.get(name)
        if validator is None:
            raise MisreadError("it called no tool that there is")
        problems = validator.problems(arguments)
        if problems:
            raise MisreadError(problems[0])
        return ToolCall(id=new_id("call"), name=name, arguments=dump_json(arguments))

    def _partial(self, written: str) -> ToolCall | None:
        for name in self._validators:
            opening = f"{CALL_NAME}{dump_json(name)}{CALL_ARGUMENTS}"
            if written.startswith(opening):
                return ToolCall(id=new_id("call"), name=name, arguments=written.removeprefix(opening))
        return None


class FreeReader:
    """A call when it begins with a brace, else what the other reader reads.

    Args:
        call: Reads a call.
        other: Reads anything else.
    """

    def __init__(self, call: CallReader, other: Reader) -> None:
        self._call = call
        self._other = other
        self._chosen: Reader | None = None

    def feed(self, text: str) -> str:
        """Decide by the first character, then leave it to the chosen reader."""
        if self._chosen is None and text:
            self._chosen = self._call if text.startswith(CALL_START) else self._other
        return "" if self._chosen is None else self._chosen.feed(text)

    def end(self, *, cut: bool) -> Ending:
        """As the chosen reader says; a run that wrote nothing wrote an empty text."""
        return Ending() if self._chosen is None else self._chosen.end(cut=cut)


def _parsed(text: str) -> Json:
    try:
        return parse_json(text)
    except (ValueError, RecursionError) as exc:
        raise MisreadError("it is not JSON") from exc
