"""A stream, written toward a client."""

from interlock_core import Chunk, FinishReason, Json, JsonObject, ToolCallDelta, Usage
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array, as_object, parse_json
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._sse import SseReader
from interlock_providers.codecs.cohere_chat._events import Block, BlockKind, CohereEvent
from interlock_providers.codecs.cohere_chat._response import write_logprobs
from interlock_providers.codecs.cohere_chat._usage import read_usage, write_finish, write_usage


class CohereStreamRenderer:
    """Writes one stream toward a client; see `StreamRenderer`.

    The vendor's own events go on as they are; what another dialect said, or what was changed on the way,
    is written anew, in parts that begin and end where the dialect wants it. Usage is always told: the
    last event holds it. The dialect has one answer, so further choices are not shown.
    """

    def __init__(self) -> None:
        self._id = ""
        self._begun = False
        self._block: Block | None = None
        self._spans = 0
        self._cited = 0
        self._calls: set[int] = set()
        self._usage: Usage | None = None
        self._last: JsonObject | None = None
        self._citing: int | None = None
        self._finish: FinishReason | None = None
        self._native: str | None = None

    def chunk(self, chunk: Chunk) -> bytes:
        """The bytes for a chunk; empty when it only holds what is told at the end."""
        if chunk.choice != 0:
            return b""
        self._id = chunk.id or self._id
        self._keep(chunk)
        if (forwarded := self._forwarded(chunk)) is not None:
            return forwarded
        written: list[bytes] = [self._begin(), self._end_citation()]
        if chunk.reasoning:
            written.append(self._reason(chunk))
        if words := chunk.text + chunk.refusal:
            written.append(self._content("text", words, chunk.logprobs))
        written.extend(self._cite(citation) for citation in chunk.citations)
        written.extend(self._call(piece) for piece in chunk.tool_calls)
        return b"".join(written)

    def end(self, interlock: JsonObject | None = None) -> bytes:
        """The bytes that end a stream well: its last event, which tells finish and usage."""
        body = self._last or self._written_end()
        if interlock is not None:
            body["interlock"] = interlock
        return self._begin() + self._end_citation() + self._close() + _event(body)

    def error(self, error: InterlockError) -> bytes:
        """The bytes that end a stream with an error."""
        delta: JsonObject = {"error": str(error), "finish_reason": "ERROR"}
        body: JsonObject = {"type": "message-end", "id": self._id, "delta": delta, "code": error.code}
        return self._begin() + self._end_citation() + self._close() + _event(body)

    def _keep(self, chunk: Chunk) -> None:
        """Remember what is told at the end."""
        if chunk.finish is not None:
            self._finish, self._native = chunk.finish, chunk.native_finish
        if chunk.usage is not None:
            self._usage = chunk.usage
        if chunk.finish is not None or chunk.usage is not None:
            self._last = _last_event(chunk)

    def _written_end(self) -> JsonObject:
        delta: JsonObject = {
            "finish_reason": write_finish(self._finish or FinishReason.UNKNOWN, self._native)
        }
        if self._usage is not None:
            delta["usage"] = write_usage(self._usage)
        return {"type": "message-end", "id": self._id, "delta": delta}

    def _forwarded(self, chunk: Chunk) -> bytes | None:
        raw = chunk.raw
        if not isinstance(raw, CohereEvent) or not raw.fits(chunk):
            return None
        if not raw.body.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
            return None
        self._begun = True
        self._block, self._spans = raw.block, max(self._spans, raw.spans)
        self._citing = raw.cited - 1 if chunk.citations else None
        self._cited = max(self._cited, raw.cited)
        self._calls.update(piece.index for piece in chunk.tool_calls)
        # What ends the stream is written by `end`, which knows more.
        return raw.body if chunk.finish is None else raw.body[: raw.before]

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message: JsonObject = {
            "role": "assistant",
            "content": [],
            "tool_plan": "",
            "tool_calls": [],
            "citations": [],
        }
        return _event({"type": "message-start", "id": self._id, "delta": {"message": message}})

    def _reason(self, chunk: Chunk) -> bytes:
        if not (isinstance(chunk.raw, CohereEvent) and chunk.raw.plan):
            return self._content("thinking", chunk.reasoning, None)
        plan: JsonObject = {"message": {"tool_plan": chunk.reasoning}}
        return self._close() + _event({"type": "tool-plan-delta", "delta": plan})

    def _content(self, kind: BlockKind, words: str, logprobs: Json) -> bytes:
        begin = b""
        if self._block is None or self._block.kind != kind:
            begin = self._close()
            self._block = Block(kind, self._spans)
            self._spans += 1
            begin += self._part("content-start", {"type": kind, kind: ""})
        probabilities = write_logprobs(logprobs)
        items = as_array(probabilities)
        return begin + self._part("content-delta", {kind: words}, items[0] if len(items) == 1 else None)

    def _part(self, event: str, content: JsonObject, logprobs: Json = None) -> bytes:
        body: JsonObject = {"type": event, "index": 0 if self._block is None else self._block.number}
        body["delta"] = {"message": {"content": content}}
        if logprobs is not None:
            body["logprobs"] = logprobs
        return _event(body)

    def _cite(self, citation: Json) -> bytes:
        index = self._cited
        self._cited += 1
        delta: JsonObject = {"message": {"citations": as_object(citation)}}
        return _event({"type": "citation-start", "index": index, "delta": delta}) + _event(
            {"type": "citation-end", "index": index}
        )

    def _call(self, piece: ToolCallDelta) -> bytes:
        if piece.index in self._calls:
            return self._call_event("tool-call-delta", piece.index, {"arguments": piece.arguments}, {})
        begin = self._close()
        self._calls.add(piece.index)
        self._block = Block("tool", piece.index)
        function: JsonObject = {"name": piece.name or "", "arguments": piece.arguments}
        first: JsonObject = {"id": piece.id or "", "type": "function"}
        return begin + self._call_event("tool-call-start", piece.index, function, first)

    def _call_event(self, event: str, index: int, function: JsonObject, first: JsonObject) -> bytes:
        calls: JsonObject = {**first, "function": function}
        return _event({"type": event, "index": index, "delta": {"message": {"tool_calls": calls}}})

    def _end_citation(self) -> bytes:
        """End a citation whose beginning was the vendor's own event."""
        index, self._citing = self._citing, None
        return b"" if index is None else _event({"type": "citation-end", "index": index})

    def _close(self) -> bytes:
        """End the part that is open."""
        block, self._block = self._block, None
        if block is None:
            return b""
        event = "tool-call-end" if block.kind == "tool" else "content-end"
        return _event({"type": event, "index": block.number})


def _event(body: JsonObject) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (str(body["type"]).encode("ascii"), to_bytes(body))


def _last_event(chunk: Chunk) -> JsonObject | None:
    """The vendor's own last event, which says more than ours; None when it no longer says what is so."""
    raw = chunk.raw
    if not isinstance(raw, CohereEvent) or not raw.fits(chunk):
        return None
    event = next(SseReader().feed(raw.body[raw.before :]), None)
    try:
        body = as_object(parse_json(b"" if event is None else event.data))
    except (ValueError, RecursionError):
        return None
    told = as_object(body.get("delta")).get("usage")
    return body if body.get("type") == "message-end" and read_usage(told) == chunk.usage else None
