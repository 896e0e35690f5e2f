"""Reads streams of OpenAI's chat dialect and its siblings: one JSON object an event, `[DONE]` at the end."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from interlock_core import Chunk, FinishReason, JsonObject
from interlock_core.errors import InterlockError, ProtocolError
from interlock_core.jsontypes import as_array, as_int, as_object, parse_json
from interlock_providers.codecs import Rendered, VendorReply
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._sse import SseEvent, SseReader

_DONE = b"[DONE]"


@dataclass(slots=True)
class StreamedCall:
    """One tool call of a choice as the stream builds it.

    Attributes:
        index: Which call of the choice, from 0.
        id: Its id.
        named: Its tool's name was said.
    """

    index: int
    id: str
    named: bool


@dataclass(slots=True)
class StreamedChoice:
    """What a stream has said of one answer so far.

    Attributes:
        calls: Its tool calls in the order in which they began.
        by_key: The calls by the index that the vendor gives them.
        refused: It holds a refusal.
        finished: It said why it ended.
    """

    calls: list[StreamedCall] = field(default_factory=list[StreamedCall])
    by_key: dict[int, StreamedCall] = field(default_factory=dict[int, StreamedCall])
    refused: bool = False
    finished: bool = False


class ChoiceStreamParser(ABC):
    """Reads one stream; see `StreamParser`. A dialect says what the events mean.

    Args:
        sent: The request that it answers.
        attempts: Calls to vendors so far, told in every chunk.
        now: Seconds since 1970, to read dates in errors against.
    """

    def __init__(self, sent: Rendered, *, attempts: int = 1, now: float = 0.0) -> None:
        self.done = False
        self._sent = sent
        self._model = sent.target.id
        self._attempts = attempts
        self._now = now
        self._reader = SseReader()
        self._choices: dict[int, StreamedChoice] = {}
        self._mended = False

    @abstractmethod
    def _said(self, body: JsonObject, choice: JsonObject, raw: bytes) -> Iterable[Chunk]:
        """The chunks of an event that holds one choice, or none."""

    @abstractmethod
    def _is_error(self, body: JsonObject) -> bool:
        """Whether an event says that the vendor failed."""

    @abstractmethod
    def _error(self, reply: VendorReply) -> InterlockError:
        """The typed error of such an event."""

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Take the next bytes and yield the chunks that they complete."""
        for event in self._reader.feed(data):
            yield from self._event(event)

    def finish(self) -> Iterator[Chunk]:
        """The vendor closed the stream: yield what is left, and judge whether it was complete."""
        last = self._reader.rest()
        if last is not None and not self.done and _is_whole(last.data):
            yield from self._event(last)
        finished = [choice.finished for choice in self._choices.values()]
        if not self.done and not (finished and all(finished)):
            raise ProtocolError(
                f"The stream of {self._sent.target.provider} ended before the answer did.",
                vendor=self._sent.target.provider,
            )
        if not any(finished):
            yield Chunk(finish=FinishReason.UNKNOWN, model=self._sent.target.id, attempts=self._attempts)

    def _event(self, event: SseEvent) -> Iterator[Chunk]:
        if self.done:
            return
        if event.data == _DONE or event.data.startswith(_DONE):
            self.done = True
            return
        body = self._read(event)
        choices = as_array(body.get("choices"))
        if len(choices) <= 1:
            self._mended = not event.plain
            yield from self._said(body, as_object(choices[0]) if choices else {}, event.raw)
            return
        # Several answers in one event: each goes on alone, in an event of its own.
        for index, choice in enumerate(choices):
            alone: JsonObject = {**body, "choices": [choice]}
            if index < len(choices) - 1 and "usage" in alone:
                alone["usage"] = None
            self._mended = False
            yield from self._said(alone, as_object(choice), b"data: %s\n\n" % to_bytes(alone))

    def _read(self, event: SseEvent) -> JsonObject:
        provider = self._sent.target.provider
        try:
            body = parse_json(event.data)
        except (ValueError, RecursionError) as exc:
            raise ProtocolError(
                f"An event of the stream of {provider} is not JSON.", vendor=provider
            ) from exc
        if not isinstance(body, dict):
            raise ProtocolError(f"An event of the stream of {provider} is no JSON object.", vendor=provider)
        if event.event == "error" or self._is_error(body):
            raise self._error(
                VendorReply(status=200, headers=(), body=event.data, provider=provider, now=self._now)
            )
        return body

    def _choice(self, choice: JsonObject) -> tuple[int, StreamedChoice]:
        """Which choice it is, and what is known of it."""
        number = as_int(choice.get("index")) or 0
        state = self._choices.get(number)
        if state is None:
            state = self._choices[number] = StreamedChoice()
        return number, state


def _is_whole(data: bytes) -> bool:
    if data == _DONE:
        return True
    try:
        return isinstance(parse_json(data), dict)
    except (ValueError, RecursionError):
        return False
