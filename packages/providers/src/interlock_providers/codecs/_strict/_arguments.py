"""The way back: arguments that a model wrote in a vendor's form, as the tool's own schema says them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from interlock_core import Chunk, Completion, Json, Message, ToolCall, ToolCallDelta
from interlock_core.jsontypes import dump_json, parse_json
from interlock_core.repair import repaired
from interlock_providers.codecs._strict._forms import Form, UnfitError

if TYPE_CHECKING:
    from interlock_providers.codecs import StreamParser


class ArgumentForms:
    """How the arguments of the tools of one request are written toward the vendor.

    Args:
        forms: The form of each tool whose arguments are not written as they are, by the tool's own name.
    """

    __slots__ = ("_forms",)

    def __init__(self, forms: Mapping[str, Form]) -> None:
        self._forms = forms

    def changes(self, name: str) -> bool:
        """Whether the arguments of a tool are written in a form of their own."""
        return name in self._forms

    def restored(self, completion: Completion) -> Completion:
        """An answer with the arguments of its calls as the tools' own schemas say them."""
        said = (completion.message, *completion.alternatives)
        message, *others = (self._restored(one) for one in said)
        if message is said[0] and all(one is other for one, other in zip(others, said[1:], strict=True)):
            return completion
        return replace(completion, message=message, alternatives=tuple(others), raw=None)

    def _restored(self, message: Message) -> Message:
        if not any(self.changes(call.name) for call in message.tool_calls):
            return message
        content = tuple(
            replace(part, arguments=self.decode(part.name, part.arguments))
            if isinstance(part, ToolCall)
            else part
            for part in message.content
        )
        return replace(message, content=content)

    def restoring(self, parser: "StreamParser") -> "StreamParser":
        """A reader of a stream that gives the arguments as the tools' own schemas say them."""
        return RestoringParser(parser, self)

    def encode(self, call: ToolCall) -> ToolCall:
        """A call as the vendor's model would have written it; one that has no such form stays as it is."""
        form = self._forms.get(call.name)
        if form is None:
            return call
        try:
            return replace(call, arguments=dump_json(form.encode(parse_json(call.arguments or "{}"))))
        except (UnfitError, ValueError, RecursionError):
            return call

    def decode(self, name: str, arguments: str) -> str:
        """The arguments as JSON text of the tool's own schema.

        What is not JSON, and cannot be read as JSON in one way only, stays as the model wrote it.
        """
        form = self._forms.get(name)
        if form is None:
            return arguments
        try:
            return dump_json(form.decode(_read(arguments)))
        except (ValueError, RecursionError):
            return arguments


def _read(arguments: str) -> Json:
    try:
        return parse_json(arguments or "{}")
    except ValueError:
        found = repaired(arguments)
        if found is None:
            raise
        return found.arguments


@dataclass(slots=True)
class _Call:
    """A call that is being heard."""

    name: str | None = None
    held: list[str] = field(default_factory=list[str])
    told: bool = False


class RestoringParser:
    """Reads a stream in which arguments are written in forms of their own; see `StreamParser`.

    The arguments of such a call are held until they are whole, since a piece of them means nothing yet.

    Args:
        inner: Reads the vendor's bytes.
        forms: How arguments are written.
    """

    def __init__(self, inner: "StreamParser", forms: ArgumentForms) -> None:
        self._inner = inner
        self._forms = forms
        self._calls: dict[int, dict[int, _Call]] = {}

    @property
    def done(self) -> bool:
        """The vendor said that nothing more comes."""
        return self._inner.done

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Take the next bytes and yield the chunks that they complete."""
        for chunk in self._inner.feed(data):
            yield self._chunk(chunk)

    def finish(self) -> Iterator[Chunk]:
        """The vendor closed the stream: yield what is left."""
        for chunk in self._inner.finish():
            yield self._chunk(chunk)
        for choice in self._calls:
            left = tuple(self._flushed(choice, whole=False))
            if left:
                yield Chunk(tool_calls=left, choice=choice)

    def _chunk(self, chunk: Chunk) -> Chunk:
        """The chunk without what must still be held, and with what is whole now; never with its bytes."""
        if not chunk.tool_calls and chunk.finish is None:
            return replace(chunk, raw=None)
        told: list[ToolCallDelta] = []
        for delta in chunk.tool_calls:
            told += self._heard(chunk.choice, delta)
        if chunk.finish is not None:
            told += self._flushed(chunk.choice, whole=False)
        return replace(chunk, tool_calls=tuple(told), raw=None)

    def _heard(self, choice: int, delta: ToolCallDelta) -> Iterator[ToolCallDelta]:
        calls = self._calls.setdefault(choice, {})
        call = calls.get(delta.index)
        if call is None:
            yield from self._flushed(choice, whole=True)
            call = calls[delta.index] = _Call()
        call.name = call.name or delta.name
        call.held.append(delta.arguments)
        if call.name is not None and not self._forms.changes(call.name):
            yield replace(delta, arguments="".join(call.held))
            call.held.clear()
        elif delta.id is not None or delta.name is not None:
            yield replace(delta, arguments="")

    def _flushed(self, choice: int, *, whole: bool) -> Iterator[ToolCallDelta]:
        """The arguments that are held: those that are whole, or all of them."""
        for index, call in self._calls.get(choice, {}).items():
            text = "".join(call.held)
            if call.told or call.name is None or not text or (whole and not _is_whole(text)):
                continue
            call.told = True
            call.held.clear()
            yield ToolCallDelta(index=index, arguments=self._forms.decode(call.name, text))


def _is_whole(text: str) -> bool:
    try:
        return isinstance(parse_json(text), dict)
    except (ValueError, RecursionError):
        return False
