"""A vendor's stream, read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from interlock_core import Chunk, FinishReason, Json, JsonObject, ToolCallDelta, new_id
from interlock_core.errors import ProtocolError
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json, parse_json
from interlock_providers.codecs import Rendered, VendorReply
from interlock_providers.codecs._original import said
from interlock_providers.codecs._sse import SseEvent, SseReader
from interlock_providers.codecs.cohere_chat._errors import parse_error, stream_error
from interlock_providers.codecs.cohere_chat._events import Block, BlockKind, CohereEvent
from interlock_providers.codecs.cohere_chat._notes import DIALECT, PLAN
from interlock_providers.codecs.cohere_chat._usage import read_finish, read_usage

_DONE = b"[DONE]"
_FAILED = frozenset({"ERROR", "TIMEOUT"})
_MOST_HELD = 64 * 1024
"""Most bytes of events that say nothing; beyond that they are let go, and a client is told the rest anew."""


@dataclass(slots=True)
class _Call:
    """One tool call as the stream builds it."""

    index: int
    key: int | None
    id: str


class CohereStreamParser:
    """Reads one stream; see `StreamParser`.

    Events that say nothing of the answer (where a part begins or ends, debugging, kinds that nobody knows)
    make no chunk: their bytes stand in front of the next event that says something, up to 64 KiB.

    Args:
        sent: The request that it answers.
        attempts: Calls to vendors so far, told in every chunk.
        now: Seconds since 1970, to read dates in errors against.
    """

    def __init__(self, sent: Rendered, *, attempts: int = 1, now: float = 0.0) -> None:
        self.done = False
        self._sent = sent
        self._provider = sent.target.provider
        self._model = sent.target.id
        self._attempts = attempts
        self._now = now
        self._reader = SseReader()
        self._id = ""
        self._before = b""
        self._raw = b""
        self._calls: list[_Call] = []
        self._block: Block | None = None
        self._spans = 0
        self._cited = 0
        self._planning = False
        self._finished = False
        self._mended = False
        self._torn = False
        self._readers: Mapping[str, Callable[[JsonObject], Chunk | None]] = {
            "message-start": self._begin,
            "tool-plan-delta": self._plan,
            "content-start": self._content_start,
            "content-delta": self._content,
            "content-end": self._end,
            "tool-call-start": self._call_start,
            "tool-call-delta": self._call,
            "tool-call-end": self._end,
            "citation-start": self._cite,
            "message-end": self._finish,
        }

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Take the next bytes and yield the chunks that they complete."""
        for event in self._reader.feed(data):
            yield from self._event(event)

    def finish(self) -> Iterator[Chunk]:
        """The vendor closed the stream: yield what is left, and judge whether it was complete."""
        last = self._reader.rest()
        if last is not None and not self.done and _is_whole(last.data):
            yield from self._event(last)
        if not self.done:
            raise ProtocolError(
                f"The stream of {self._provider} ended before the answer did.", vendor=self._provider
            )
        if not self._finished:
            yield Chunk(finish=FinishReason.UNKNOWN, model=self._model, id=self._id, attempts=self._attempts)

    def _event(self, event: SseEvent) -> Iterator[Chunk]:
        if self.done or not event.data.strip():
            return
        if event.data.startswith(_DONE):
            self.done = True
            return
        body = self._read(event)
        kind = as_text(body.get("type")) or event.event
        read = self._readers.get(kind)
        if read is None:
            self._refuse_error(kind, body, event)
            self._hold(event.raw)
            return
        if self._planning and kind != "tool-plan-delta":
            # The mark tells a plan from the thinking that may follow; it is no event of its own.
            self._planning = False
            yield Chunk(reasoning_id=PLAN, model=self._model, id=self._id, attempts=self._attempts)
        self._mended, self._raw = False, event.raw
        chunk = read(body)
        if chunk is None:
            self._hold(event.raw)
            return
        self._before, self._torn = b"", False
        yield chunk

    def _hold(self, raw: bytes) -> None:
        """Keep an event that says nothing for the next that does, within bounds."""
        self._before += raw
        if len(self._before) > _MOST_HELD:
            self._before, self._torn = b"", True

    def _read(self, event: SseEvent) -> JsonObject:
        try:
            body = parse_json(event.data)
        except (ValueError, RecursionError) as exc:
            raise ProtocolError(
                f"An event of the stream of {self._provider} is not JSON.", vendor=self._provider
            ) from exc
        if not isinstance(body, dict):
            raise ProtocolError(
                f"An event of the stream of {self._provider} is no JSON object.", vendor=self._provider
            )
        return body

    def _refuse_error(self, kind: str, body: JsonObject, event: SseEvent) -> None:
        """Raise what the vendor reports in place of an event."""
        if kind == "error" or (not kind and ("message" in body or "error" in body)):
            raise parse_error(
                VendorReply(status=200, headers=(), body=event.data, provider=self._provider, now=self._now)
            )

    def _said(
        self,
        *,
        text: str = "",
        reasoning: str = "",
        calls: tuple[ToolCallDelta, ...] = (),
        citations: tuple[Json, ...] = (),
        logprobs: Json = None,
    ) -> Chunk:
        """What the event at hand says; the parser must know by then what it opened and put right."""
        listed: Json = None if logprobs is None else [logprobs]
        # In the order of `said`, which is what the bytes are held to when they are forwarded.
        heard = (text, reasoning, "", calls, None, None, 0, citations, listed, None, None, None)
        return Chunk(
            text=text,
            reasoning=reasoning,
            tool_calls=calls,
            citations=citations,
            logprobs=listed,
            model=self._model,
            id=self._id,
            attempts=self._attempts,
            raw=self._bytes(heard),
        )

    def _bytes(self, heard: tuple[object, ...]) -> CohereEvent:
        """The bytes of the event at hand, with those before it that say nothing."""
        return CohereEvent(
            dialect=DIALECT,
            body=self._before + self._raw,
            said=heard,
            plain=not (self._mended or self._torn),
            block=self._block,
            spans=self._spans,
            before=len(self._before),
            cited=self._cited,
            plan=self._planning,
        )

    def _begin(self, body: JsonObject) -> Chunk:
        self._id = as_text(body.get("id")) or ""
        return self._said()

    def _plan(self, body: JsonObject) -> Chunk | None:
        words = as_text(_message(body).get("tool_plan"))
        if not words:
            return None
        self._planning, self._block = True, None
        return self._said(reasoning=words)

    def _content_start(self, body: JsonObject) -> Chunk | None:
        content = _one(_message(body).get("content"))
        kind = "thinking" if content.get("type") == "thinking" or content.get("thinking") else "text"
        self._open(kind, body)
        chunk = self._content(body)
        return chunk if chunk is not None and (chunk.text or chunk.reasoning) else None

    def _content(self, body: JsonObject) -> Chunk | None:
        content = _one(_message(body).get("content"))
        text, thought = as_text(content.get("text")) or "", as_text(content.get("thinking")) or ""
        logprobs = body.get("logprobs")
        if not (text or thought) and logprobs is None:
            return None
        if self._block is None or self._block.kind == "tool":
            self._open("thinking" if thought else "text", body)
        return self._said(text=text, reasoning=thought, logprobs=logprobs)

    def _end(self, body: JsonObject) -> None:
        del body
        self._block = None

    def _open(self, kind: BlockKind, body: JsonObject) -> None:
        told = as_int(body.get("index"))
        number = self._spans if told is None else told
        self._block, self._spans = Block(kind, number), number + 1

    def _call_start(self, body: JsonObject) -> Chunk:
        item = _one(_message(body).get("tool_calls"))
        function = as_object(item.get("function"))
        told, key, name = as_text(item.get("id")), as_int(body.get("index")), as_text(function.get("name"))
        if not name:
            raise ProtocolError(
                f"A tool call on the stream of {self._provider} has no name.", vendor=self._provider
            )
        call = _Call(index=len(self._calls), key=key, id=told or new_id("call"))
        self._calls.append(call)
        self._block = Block("tool", call.index)
        core = self._sent.names.core(name)
        arguments = self._arguments(function)
        self._mended = self._mended or not told or core != name or key != call.index
        piece = ToolCallDelta(index=call.index, id=call.id, name=core, arguments=arguments)
        return self._said(calls=(piece,))

    def _call(self, body: JsonObject) -> Chunk | None:
        key = as_int(body.get("index"))
        same = (call for call in reversed(self._calls) if key is None or call.key == key)
        call = next(same, None)
        if call is None:
            raise ProtocolError(
                f"The stream of {self._provider} goes on with a tool call that never began.",
                vendor=self._provider,
            )
        function = as_object(_one(_message(body).get("tool_calls")).get("function"))
        arguments = self._arguments(function)
        if not arguments:
            return None
        self._mended = self._mended or key != call.index
        return self._said(calls=(ToolCallDelta(index=call.index, arguments=arguments),))

    def _arguments(self, function: JsonObject) -> str:
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            self._mended = True
            return dump_json(arguments)
        return as_text(arguments) or ""

    def _cite(self, body: JsonObject) -> Chunk | None:
        told = _message(body).get("citations")
        citations = tuple(as_array(told)) if isinstance(told, list) else (told,)
        citations = tuple(item for item in citations if isinstance(item, dict) and item)
        if not citations:
            return None
        self._cited += len(citations)
        return self._said(citations=citations)

    def _finish(self, body: JsonObject) -> Chunk:
        delta = as_object(body.get("delta"))
        native = as_text(delta.get("finish_reason"))
        words = as_text(delta.get("error")) or ""
        if words or native in _FAILED:
            raise stream_error(words, native, self._provider)
        self._id = as_text(body.get("id")) or self._id
        self._finished = self.done = True
        chunk = Chunk(
            finish=read_finish(native, calls=bool(self._calls)),
            native_finish=native,
            usage=read_usage(delta.get("usage")),
            model=self._model,
            id=self._id,
            attempts=self._attempts,
        )
        return replace(chunk, raw=self._bytes(said(chunk)))


def _message(body: JsonObject) -> JsonObject:
    return as_object(as_object(body.get("delta")).get("message"))


def _one(value: Json) -> JsonObject:
    """The one object that stands there, which some servers put into a list."""
    return as_object(value[0]) if isinstance(value, list) and value else as_object(value)


def _is_whole(data: bytes) -> bool:
    if data.startswith(_DONE):
        return True
    try:
        return isinstance(parse_json(data), dict)
    except (ValueError, RecursionError):
        return False
