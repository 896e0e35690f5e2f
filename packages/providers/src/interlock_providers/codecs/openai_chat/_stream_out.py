"""A stream, written toward a client."""

import time

from interlock_core import Chunk, CompletionRequest, Json, JsonObject, ToolCallDelta, Usage
from interlock_core.errors import InterlockError
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._forward import EventForwarder, told_usage
from interlock_providers.codecs._original import said
from interlock_providers.codecs.openai_chat._errors import error_object
from interlock_providers.codecs.openai_chat._notes import DIALECT
from interlock_providers.codecs.openai_chat._usage import read_usage, write_finish, write_usage

_DONE = b"data: [DONE]\n\n"


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
        self._named = False
        self._forwarder = EventForwarder(DIALECT)
        self._spoke: set[int] = set()

    def chunk(self, chunk: Chunk) -> bytes:
        """The bytes for a chunk; empty when it only holds what is told at the end."""
        self._id = chunk.id or self._id
        if not self._named or chunk.model not in ("", self._model):
            self._model = chunk.model or self._model
            self._forwarder.name(self._model)
            self._named = True
        if chunk.usage is not None:
            self._usage = chunk.usage
            self._told = told_usage(chunk, DIALECT, read_usage) if self._wants_usage else None
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
        sent = self._forwarder.forward(chunk)
        if sent is not None:
            self._spoke.add(chunk.choice)
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
