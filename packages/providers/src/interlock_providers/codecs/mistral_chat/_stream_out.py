"""A stream, written toward a client."""

import time
from dataclasses import dataclass

from interlock_core import Chunk, CompletionRequest, Content, Json, JsonObject, Reasoning, Text, Usage
from interlock_core.errors import InterlockError
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._forward import EventForwarder, told_usage
from interlock_providers.codecs._original import said
from interlock_providers.codecs.mistral_chat._errors import error_object
from interlock_providers.codecs.mistral_chat._logprobs import write_probabilities
from interlock_providers.codecs.mistral_chat._notes import DIALECT
from interlock_providers.codecs.mistral_chat._parts import write_content
from interlock_providers.codecs.mistral_chat._usage import read_usage, write_finish, write_usage
from interlock_providers.codecs.mistral_chat._wire import Wire

_DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class _Waiting:
    """A tool call that is not told yet."""

    id: str = ""
    name: str = ""
    arguments: str = ""


class MistralStreamRenderer:
    """Writes one stream toward a client; see `StreamRenderer`.

    The dialect tells usage in the event that says why the answer ended, so that event waits for the end.
    Clients of the dialect take tool calls whole, as the vendor's own models tell them: calls of others are
    told once they are complete.

    Args:
        request: What the client asked.
        created: Seconds since 1970, told in every event that is written anew; now unless given.
    """

    def __init__(self, request: CompletionRequest, *, created: int | None = None) -> None:
        self._created = int(time.time()) if created is None else created
        self._usage: Usage | None = None
        self._told: JsonObject | None = None
        self._tier: str | None = None
        self._id = ""
        self._model = request.model
        self._named = False
        self._forwarder = EventForwarder(DIALECT)
        self._spoke: set[int] = set()
        self._calls: dict[tuple[int, int], _Waiting] = {}
        self._open: set[tuple[int, int]] = set()
        self._last: Chunk | None = None

    def chunk(self, chunk: Chunk) -> bytes:
        """The bytes for a chunk; empty when it only holds what is told at the end."""
        self._note(chunk)
        if chunk.finish is not None:
            before, self._last = self._last, chunk
            return b"" if before is None else self._event(before)
        if said(chunk) == said(Chunk(choice=chunk.choice)) and (chunk.usage is not None or chunk.raw is None):
            return b""
        return self._event(chunk)

    def end(self, interlock: JsonObject | None = None) -> bytes:
        """The bytes that end a stream well."""
        last, self._last = self._last, None
        usage = self._told or write_usage(self._usage, self._tier)
        if last is None and not usage and interlock is None:
            return _DONE
        forwarded = None
        if last is not None and interlock is None and (last.usage == self._usage):
            forwarded = self._forwarded(last)
        if forwarded is not None:
            return forwarded + _DONE
        body = self._body([] if last is None else self._choices(last))
        if usage:
            body["usage"] = usage
        if interlock is not None:
            body["interlock"] = interlock
        return b"data: %s\n\n%s" % (to_bytes(body), _DONE)

    def error(self, error: InterlockError) -> bytes:
        """The bytes that end a stream with an error."""
        return b"data: %s\n\n" % to_bytes(error_object(error))

    def _note(self, chunk: Chunk) -> None:
        self._id = chunk.id or self._id
        self._tier = chunk.service_tier or self._tier
        if not self._named or chunk.model not in ("", self._model):
            self._model = chunk.model or self._model
            self._forwarder.name(self._model)
            self._named = True
        if chunk.usage is not None:
            self._usage = chunk.usage
            self._told = told_usage(chunk, DIALECT, read_usage)

    def _event(self, chunk: Chunk) -> bytes:
        # Usage that is not told with the finish would be told twice.
        forwarded = self._forwarded(chunk) if chunk.usage is None else None
        if forwarded is not None:
            return forwarded
        choices = self._choices(chunk)
        return b"data: %s\n\n" % to_bytes(self._body(choices)) if choices else b""

    def _forwarded(self, chunk: Chunk) -> bytes | None:
        keys = {(chunk.choice, piece.index) for piece in chunk.tool_calls}
        ends = chunk.finish is not None and any(choice == chunk.choice for choice, _ in self._calls)
        if ends or keys & self._calls.keys():
            return None
        sent = self._forwarder.forward(chunk)
        if sent is not None:
            self._spoke.add(chunk.choice)
            self._open |= keys
        return sent

    def _choices(self, chunk: Chunk) -> list[Json]:
        """The choice that an event tells; none where everything in it waits."""
        delta: JsonObject = {}
        if chunk.choice not in self._spoke:
            delta["role"] = "assistant"
        content = _content(chunk)
        calls = self._write_calls(chunk)
        if content or not calls:
            delta["content"] = content
        if calls:
            delta["tool_calls"] = calls
        if not (
            content or calls or chunk.logprobs is not None or chunk.finish is not None or "role" in delta
        ):
            return []
        self._spoke.add(chunk.choice)
        finish = None if chunk.finish is None else write_finish(chunk.finish, chunk.native_finish)
        made: JsonObject = {"index": chunk.choice, "delta": delta, "finish_reason": finish}
        if chunk.logprobs is not None:
            made["logprobs"] = write_probabilities(chunk.logprobs)
        return [made]

    def _write_calls(self, chunk: Chunk) -> list[Json]:
        """The calls to tell now: pieces of those that began as pieces, and all that wait once it ends."""
        made: list[Json] = []
        for piece in chunk.tool_calls:
            key = (chunk.choice, piece.index)
            if key in self._open:
                function: JsonObject = {"name": piece.name or "", "arguments": piece.arguments}
                made.append({"index": piece.index, "function": function})
                continue
            call = self._calls.setdefault(key, _Waiting())
            call.id, call.name = call.id or piece.id or "", call.name or piece.name or ""
            call.arguments += piece.arguments
        if chunk.finish is None:
            return made
        for key in sorted(key for key in self._calls if key[0] == chunk.choice):
            call = self._calls.pop(key)
            function = {"name": call.name, "arguments": call.arguments}
            made.append({"index": key[1], "id": call.id, "type": "function", "function": function})
        return made

    def _body(self, choices: list[Json]) -> JsonObject:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }


def _content(chunk: Chunk) -> Json:
    """What a chunk says: a string for text, else a list of chunks."""
    if not (chunk.reasoning or chunk.signature or chunk.citations):
        return chunk.text + chunk.refusal
    parts: list[Content] = []
    if chunk.reasoning or chunk.signature is not None:
        parts.append(Reasoning(text=chunk.reasoning, signature=chunk.signature))
    if chunk.text or chunk.refusal or chunk.citations:
        parts.append(Text(chunk.text + chunk.refusal, citations=chunk.citations))
    note: JsonObject = {"content": "parts"}
    return write_content(parts, note, {}, Wire())
