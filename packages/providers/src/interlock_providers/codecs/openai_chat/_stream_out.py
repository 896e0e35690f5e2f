"""A stream, written toward a client."""

import time

from interlock_core import Chunk, CompletionRequest, Json, JsonObject, ToolCallDelta, Usage
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_object, dump_json, parse_json
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._original import EventBytes, said
from interlock_providers.codecs._splice import splice
from interlock_providers.codecs.openai_chat._errors import error_object
from interlock_providers.codecs.openai_chat._notes import DIALECT
from interlock_providers.codecs.openai_chat._usage import read_usage, write_finish, write_usage

_DONE = b"data: [DONE]\n\n"
_MODEL = b'"model"'


class ChatStreamRenderer:
    """Writes one stream toward a client; see `StreamRenderer`.

    Args:
        request: What the client asked: it says whether usage is to be told.
        created: Seconds since 1970, told in every event that is written anew; now unless given.
    """

    def __init__(self, request: CompletionRequest, *, created: int | None = None) -> None:
        self._created = int(time.time()) if created is None else created
        self._wants_usage = request.stream_usage
        self._usage: Usage | None = None
        self._told: JsonObject | None = None
        self._id = ""
        self._model = request.model
        self._model_json = b""
        self._begins = b""
        self._begun = b""
        self._spoke: set[int] = set()

    def chunk(self, chunk: Chunk) -> bytes:
        """The bytes for a chunk; empty when it only holds what is told at the end."""
        self._id = chunk.id or self._id
        if not self._model_json or chunk.model not in ("", self._model):
            self._model = chunk.model or self._model
            self._model_json = dump_json(self._model).encode("utf-8", "replace")
            self._begins = b""
        if chunk.usage is not None:
            self._usage = chunk.usage
            self._told = _told_usage(chunk) if self._wants_usage else None
            if _is_empty(chunk):
                return b""
        elif (forwarded := self._forwarded(chunk)) is not None:
            return forwarded
        return self._event(self._choices(chunk))

    def end(self, interlock: JsonObject | None = None) -> bytes:
        """The bytes that end a stream well."""
        if not self._wants_usage:
            return _DONE
        body = self._body([])
        body["usage"] = self._told or (None if self._usage is None else write_usage(self._usage))
        if interlock is not None:
            body["interlock"] = interlock
        return b"data: %s\n\n%s" % (to_bytes(body), _DONE)

    def error(self, error: InterlockError) -> bytes:
        """The bytes that end a stream with an error."""
        return b"data: %s\n\n" % to_bytes({"error": error_object(error)})

    def _forwarded(self, chunk: Chunk) -> bytes | None:
        raw = chunk.raw
        if not isinstance(raw, EventBytes) or raw.dialect != DIALECT or not raw.fits(chunk):
            return None
        sent = self._renamed(raw.body)
        if sent is None or not sent.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
            return None
        self._spoke.add(chunk.choice)
        return sent

    def _renamed(self, body: bytes) -> bytes | None:
        """An event with our name of the model; most begin with the same bytes as the one before."""
        if self._begins and body.startswith(self._begins) and body.count(_MODEL) == 1:
            return self._begun + body[len(self._begins) :]
        sent = splice(body, replace={"model": self._model_json}, add={})
        if sent is not None and body.count(_MODEL) == 1:
            # What follows the value is the same in both, so its length tells where the value ended.
            at = body.find(_MODEL) + len(_MODEL)
            end = sent.find(self._model_json, at) + len(self._model_json)
            self._begins, self._begun = body[: len(body) - len(sent) + end], sent[:end]
        return sent

    def _choices(self, chunk: Chunk) -> list[Json]:
        delta: JsonObject = {}
        if chunk.choice not in self._spoke:
            self._spoke.add(chunk.choice)
            delta["role"] = "assistant"
            if not chunk.tool_calls:
                delta["content"] = chunk.text
        if chunk.text:
            delta["content"] = chunk.text
        if chunk.reasoning:
            delta["reasoning_content"] = chunk.reasoning
        if chunk.refusal:
            delta["refusal"] = chunk.refusal
        if chunk.citations:
            delta["annotations"] = [*chunk.citations]
        if chunk.tool_calls:
            delta["tool_calls"] = [_write_piece(piece) for piece in chunk.tool_calls]
        finish = None if chunk.finish is None else write_finish(chunk.finish, chunk.native_finish)
        return [{"index": chunk.choice, "delta": delta, "logprobs": chunk.logprobs, "finish_reason": finish}]

    def _body(self, choices: list[Json]) -> JsonObject:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }

    def _event(self, choices: list[Json]) -> bytes:
        body = self._body(choices)
        if self._wants_usage:
            body["usage"] = None
        return b"data: %s\n\n" % to_bytes(body)


def _is_empty(chunk: Chunk) -> bool:
    """Whether a chunk tells usage and what belongs to it, and nothing of the answer."""
    return said(chunk) == said(Chunk(choice=chunk.choice))


def _told_usage(chunk: Chunk) -> JsonObject | None:
    """The vendor's own words for the usage, which may say more than ours; None when they are not those."""
    raw = chunk.raw
    if raw is None or raw.dialect != DIALECT:
        return None
    try:
        told = as_object(parse_json(raw.body[raw.body.find(b"{") : raw.body.rfind(b"}") + 1])).get("usage")
    except (ValueError, RecursionError):
        return None
    return as_object(told) if read_usage(told) == chunk.usage else None


def _write_piece(piece: ToolCallDelta) -> JsonObject:
    function: JsonObject = {}
    if piece.name is not None:
        function["name"] = piece.name
    function["arguments"] = piece.arguments
    made: JsonObject = {"index": piece.index}
    if piece.id is not None:
        made["id"] = piece.id
        made["type"] = "function"
    made["function"] = function
    return made
