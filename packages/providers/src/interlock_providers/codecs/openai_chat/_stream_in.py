"""A vendor's stream, read."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from interlock_core import Chunk, FinishReason, Json, JsonObject, ToolCallDelta, new_id
from interlock_core.errors import ProtocolError
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json, parse_json
from interlock_providers.codecs import Rendered, VendorReply
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._original import EventBytes
from interlock_providers.codecs._sse import SseEvent, SseReader
from interlock_providers.codecs.openai_chat._errors import parse_error
from interlock_providers.codecs.openai_chat._notes import DIALECT
from interlock_providers.codecs.openai_chat._usage import read_finish, read_usage

_DONE = b"[DONE]"


@dataclass(slots=True)
class _Call:
    """One tool call of a choice as the stream builds it."""

    index: int
    id: str
    named: bool


@dataclass(slots=True)
class _Choice:
    """What a stream has said of one answer so far."""

    calls: list[_Call] = field(default_factory=list[_Call])
    by_key: dict[int, _Call] = field(default_factory=dict[int, _Call])
    refused: bool = False
    finished: bool = False


class ChatStreamParser:
    """Reads one stream; see `StreamParser`.

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
        self._choices: dict[int, _Choice] = {}
        self._mended = False

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
            yield self._chunk(body, as_object(choices[0]) if choices else {}, event.raw)
            return
        # Several answers in one event: each goes on alone, in an event of its own.
        for index, choice in enumerate(choices):
            alone: JsonObject = {**body, "choices": [choice]}
            if index < len(choices) - 1 and "usage" in alone:
                alone["usage"] = None
            self._mended = False
            yield self._chunk(alone, as_object(choice), b"data: %s\n\n" % to_bytes(alone))

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
        if body.get("error") is not None or event.event == "error":
            raise parse_error(
                VendorReply(status=200, headers=(), body=event.data, provider=provider, now=self._now)
            )
        return body

    def _chunk(self, body: JsonObject, choice: JsonObject, raw: bytes) -> Chunk:
        number = as_int(choice.get("index")) or 0
        state = self._choices.get(number)
        if state is None:
            state = self._choices[number] = _Choice()
        delta = as_object(choice.get("delta"))
        called = delta.get("tool_calls")
        calls = tuple(self._call(state, as_object(item)) for item in as_array(called)) if called else ()
        refusal = as_text(delta.get("refusal")) or ""
        if refusal:
            state.refused = True
        native = as_text(choice.get("finish_reason"))
        finish = None
        if native is not None:
            finish = read_finish(native, calls=bool(state.calls), refused=state.refused)
            state.finished = True
        text = _text(delta.get("content"))
        reasoning = as_text(delta.get("reasoning_content")) or as_text(delta.get("reasoning")) or ""
        cited = delta.get("annotations")
        citations = tuple(as_array(cited)) if cited else ()
        logprobs = choice.get("logprobs")
        # In the order of `said`, which is what the bytes are held to when they are forwarded.
        heard = (
            text,
            reasoning,
            refusal,
            calls,
            finish,
            native,
            number,
            citations,
            logprobs,
            None,
            None,
            None,
        )
        return Chunk(
            text=text,
            reasoning=reasoning,
            refusal=refusal,
            tool_calls=calls,
            finish=finish,
            native_finish=native,
            usage=read_usage(body.get("usage")),
            model=self._model,
            id=as_text(body.get("id")) or "",
            choice=number,
            citations=citations,
            logprobs=logprobs,
            service_tier=as_text(body.get("service_tier")),
            attempts=self._attempts,
            raw=EventBytes(dialect=DIALECT, body=raw, said=heard, plain=not self._mended),
        )

    def _call(self, state: _Choice, item: JsonObject) -> ToolCallDelta:
        function = as_object(item.get("function"))
        name, call_id = as_text(function.get("name")) or None, as_text(item.get("id")) or None
        key = as_int(item.get("index"))
        call = self._known(state, key, call_id, name)
        first = call is None
        if call is None:
            call = _Call(index=len(state.calls), id=call_id or new_id("call"), named=False)
            state.calls.append(call)
            self._mended = self._mended or call_id is None
        if key is not None:
            state.by_key[key] = call
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments, self._mended = dump_json(arguments), True
        fresh = name if name is not None and not call.named else None
        core = None if fresh is None else self._sent.names.core(fresh)
        repeated = not first and (name is not None or call_id is not None)
        self._mended = self._mended or key != call.index or core != fresh or repeated
        call.named = call.named or fresh is not None
        return ToolCallDelta(
            index=call.index, id=call.id if first else None, name=core, arguments=as_text(arguments) or ""
        )

    def _known(self, state: _Choice, key: int | None, call_id: str | None, name: str | None) -> _Call | None:
        """The call that a piece goes on with, or None when it begins one.

        Some servers give every call the index 0, or none, and tell calls apart by their ids; some change
        the id in the middle of a call. So a new id begins a call only together with a name.
        """
        call = state.by_key.get(key) if key is not None else (state.calls[-1] if state.calls else None)
        if call is None or call_id is None or call_id == call.id:
            return call
        same = next((known for known in state.calls if known.id == call_id), None)
        if same is not None:
            return same
        return None if name is not None else call


def _text(value: Json) -> str:
    """The text of a delta's content, which some servers send as a list of parts."""
    if isinstance(value, str):
        return value
    return "".join(as_text(as_object(part).get("text")) or "" for part in as_array(value))


def _is_whole(data: bytes) -> bool:
    if data == _DONE:
        return True
    try:
        return isinstance(parse_json(data), dict)
    except (ValueError, RecursionError):
        return False
