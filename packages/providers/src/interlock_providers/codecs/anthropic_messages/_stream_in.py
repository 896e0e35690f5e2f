"""A vendor's stream, read."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from interlock_core import Chunk, JsonObject, ToolCallDelta, new_id
from interlock_core.errors import ProtocolError
from interlock_core.jsontypes import as_int, as_object, as_text, dump_json, parse_json
from interlock_providers.codecs import Rendered, VendorReply
from interlock_providers.codecs._original import said
from interlock_providers.codecs._sse import SseEvent, SseReader
from interlock_providers.codecs.anthropic_messages._errors import parse_error
from interlock_providers.codecs.anthropic_messages._notes import DIALECT
from interlock_providers.codecs.anthropic_messages._place import BlockBytes, Place
from interlock_providers.codecs.anthropic_messages._usage import read_finish, read_tier, read_usage

_BLANK = (b"\n\n", b"\r\n\r\n", b"\r\r")
_NOTHING_ELSE = said(Chunk())[1:]


@dataclass(slots=True)
class _Block:
    """One block as the stream builds it."""

    kind: str
    call: int | None = None
    said: bool = False


class MessagesStreamParser:
    """Reads one stream; see `StreamParser`.

    Events that say nothing on their own (a block begins or ends, a ping) are kept with the next one that
    does, so that a client of the dialect is forwarded every byte.

    Args:
        sent: The request that it answers.
        attempts: Calls to vendors so far, told in every chunk.
        now: Seconds since 1970, to read dates in errors against.
    """

    def __init__(self, sent: Rendered, *, attempts: int = 1, now: float = 0.0) -> None:
        self.done = False
        self._sent = sent
        self._attempts = attempts
        self._now = now
        self._reader = SseReader()
        self._blocks: dict[int, _Block] = {}
        self._open: list[int] = []
        self._calls = 0
        self._usage: JsonObject = {}
        self._id = ""
        self._pending: list[bytes] = []
        self._place = Place()
        self._before = Place()
        self._plain = True
        self._odd = False

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
            provider = self._sent.target.provider
            raise ProtocolError(f"The stream of {provider} ended before the answer did.", vendor=provider)

    def _event(self, event: SseEvent) -> Iterator[Chunk]:
        if self.done:
            return
        body = self._read(event)
        kind = as_text(body.get("type")) or event.event
        self._pending.append(event.raw)
        self._plain = self._plain and event.event == kind and event.raw.endswith(_BLANK)
        match kind:
            case "message_start":
                yield self._start(body)
            case "content_block_start":
                yield from self._begin(body)
            case "content_block_delta":
                yield from self._delta(body)
            case "content_block_stop":
                yield from self._stop(body)
            case "message_delta":
                yield self._end(body)
            case "message_stop":
                self.done = True
            case _:
                # A ping, or an event of a newer version of the API.
                return

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
        if body.get("type") == "error" or event.event == "error":
            raise parse_error(
                VendorReply(status=200, headers=(), body=event.data, provider=provider, now=self._now)
            )
        return body

    def _start(self, body: JsonObject) -> Chunk:
        message = as_object(body.get("message"))
        self._id = as_text(message.get("id")) or ""
        self._usage = dict(as_object(message.get("usage")))
        return self._chunk(Chunk(service_tier=read_tier(self._usage)), told=body)

    def _begin(self, body: JsonObject) -> Iterator[Chunk]:
        index, content = as_int(body.get("index")), as_object(body.get("content_block"))
        if index is None or index in self._blocks:
            raise self._broken("begins a block without an index of its own")
        kind = as_text(content.get("type")) or ""
        block = self._blocks[index] = _Block(kind)
        self._odd = self._odd or bool(self._open) or index != self._place.following
        self._open.append(index)
        said_at_once = self._said_at_once(block, content)
        self._place = Place(index + 1, kind, block.call)
        if said_at_once is not None:
            yield self._chunk(said_at_once)

    def _said_at_once(self, block: _Block, content: JsonObject) -> Chunk | None:
        """What a block says as it begins; None for nothing."""
        match block.kind:
            case "tool_use":
                return Chunk(tool_calls=(self._begin_call(block, content),))
            case "redacted_thinking":
                return Chunk(encrypted=as_text(content.get("data")) or "")
            case "text":
                citations = content.get("citations")
                chunk = Chunk(
                    text=as_text(content.get("text")) or "",
                    citations=tuple(citations) if isinstance(citations, list) else (),
                )
            case "thinking":
                chunk = Chunk(
                    reasoning=as_text(content.get("thinking")) or "",
                    signature=as_text(content.get("signature")) or None,
                )
            case _:
                return None
        return None if chunk == Chunk() else chunk

    def _begin_call(self, block: _Block, content: JsonObject) -> ToolCallDelta:
        name, call_id = as_text(content.get("name")), as_text(content.get("id"))
        if not name:
            raise self._broken("calls a tool without its name")
        core = self._sent.names.core(name)
        self._plain = self._plain and bool(call_id) and core == name
        block.call = self._calls
        self._calls += 1
        given = as_object(content.get("input"))
        block.said = bool(given)
        return ToolCallDelta(
            index=block.call,
            id=call_id or new_id("toolu"),
            name=core,
            arguments=dump_json(given) if given else "",
        )

    def _delta(self, body: JsonObject) -> Iterator[Chunk]:
        index = as_int(body.get("index"))
        block = None if index is None else self._blocks.get(index)
        if block is None:
            raise self._broken("goes on with a block that never began")
        delta = as_object(body.get("delta"))
        text = delta.get("text")
        if delta.get("type") == "text_delta" and isinstance(text, str) and text:
            yield self._text(text)
            return
        chunk = self._said(block, delta)
        if chunk is not None:
            yield self._chunk(chunk)

    def _said(self, block: _Block, delta: JsonObject) -> Chunk | None:
        """What a delta says; None for nothing."""
        match delta.get("type"):
            case "text_delta":
                chunk = Chunk(text=as_text(delta.get("text")) or "")
            case "thinking_delta":
                chunk = Chunk(reasoning=as_text(delta.get("thinking")) or "")
            case "signature_delta":
                chunk = Chunk(signature=as_text(delta.get("signature")) or None)
            case "citations_delta" if delta.get("citation") is not None:
                chunk = Chunk(citations=(delta["citation"],))
            case "input_json_delta" if block.call is not None:
                piece = as_text(delta.get("partial_json")) or ""
                if not piece:
                    return None
                block.said = True
                return Chunk(tool_calls=(ToolCallDelta(index=block.call, arguments=piece),))
            case _:
                return None
        return None if chunk == Chunk() else chunk

    def _stop(self, body: JsonObject) -> Iterator[Chunk]:
        index = as_int(body.get("index"))
        if index is None or index not in self._open:
            raise self._broken("ends a block that is not open")
        self._open.remove(index)
        self._place = Place(self._place.following)
        block = self._blocks[index]
        if block.call is not None and not block.said:
            # A call without arguments may end without a single piece of them.
            yield self._chunk(Chunk(tool_calls=(ToolCallDelta(index=block.call, arguments="{}"),)))

    def _end(self, body: JsonObject) -> Chunk:
        delta = as_object(body.get("delta"))
        for name, value in as_object(body.get("usage")).items():
            if value is not None:
                self._usage[name] = value
        native = as_text(delta.get("stop_reason"))
        refusal = as_text(as_object(delta.get("stop_details")).get("explanation")) or ""
        usage = read_usage(self._usage)
        chunk = Chunk(refusal=refusal, usage=usage, service_tier=read_tier(self._usage))
        if native is not None:
            chunk = replace(chunk, finish=read_finish(native), native_finish=native)
        return self._chunk(chunk, told=body)

    def _text(self, text: str) -> Chunk:
        """As `_chunk`, for the piece of text that most chunks are."""
        return Chunk(
            text=text,
            model=self._sent.target.id,
            id=self._id,
            attempts=self._attempts,
            raw=self._bytes((text, *_NOTHING_ELSE)),
        )

    def _chunk(self, heard: Chunk, *, told: JsonObject | None = None) -> Chunk:
        """The chunk with the bytes that it came from."""
        raw = self._bytes(said(heard), told)
        return replace(heard, model=self._sent.target.id, id=self._id, attempts=self._attempts, raw=raw)

    def _bytes(self, heard: tuple[object, ...], told: JsonObject | None = None) -> BlockBytes:
        """The bytes since the last chunk, which say what was heard; the next ones begin anew."""
        pending = self._pending
        raw = BlockBytes(
            dialect=DIALECT,
            body=pending[0] if len(pending) == 1 else b"".join(pending),
            said=heard,
            plain=self._plain and not self._odd,
            before=self._before,
            after=self._place,
            told=told,
            # An event that is written anew: what came before it is forwarded all the same.
            lead=0 if told is None else sum(map(len, pending[:-1])),
        )
        pending.clear()
        self._before, self._plain = self._place, True
        return raw

    def _broken(self, what: str) -> ProtocolError:
        provider = self._sent.target.provider
        return ProtocolError(f"The stream of {provider} {what}.", vendor=provider)


def _is_whole(data: bytes) -> bool:
    try:
        return isinstance(parse_json(data), dict)
    except (ValueError, RecursionError):
        return False
