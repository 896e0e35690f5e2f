"""Events of the dialect cohere-chat for the tests beside it, and what reads and writes them."""

import json
from collections.abc import Iterable
from dataclasses import replace

from interlock_core import Chunk, CompletionRequest, Json, JsonObject, ToolSpec
from interlock_core.assembly import CompletionAssembler
from interlock_core.jsontypes import as_object, dump_json
from interlock_core.messages import user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("cohere-chat")
ASKED = CompletionRequest(model="x", messages=(user("hi"),), tools=(ToolSpec(name="git.hub"),))
SENT: Rendered = CODEC.render_request(ASKED, Target(provider="vendor", model="m-1"), stream=True)
USAGE: JsonObject = {
    "billed_units": {"input_tokens": 5, "output_tokens": 7},
    "tokens": {"input_tokens": 71, "output_tokens": 9},
    "cached_tokens": 4,
}


def event(kind: str, index: int | None = None, message: JsonObject | None = None, **more: Json) -> bytes:
    """One event of a stream, as the vendor writes it."""
    body: JsonObject = {"type": kind, **more}
    if index is not None:
        body["index"] = index
    if message is not None:
        body["delta"] = {"message": message}
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), dump_json(body).encode())


def content(kind: str, index: int, *pieces: str) -> bytes:
    """A part of the content from its beginning to its end."""
    begin = event("content-start", index, {"content": {"type": kind, kind: ""}})
    told = [event("content-delta", index, {"content": {kind: piece}}) for piece in pieces]
    return begin + b"".join(told) + event("content-end", index)


def call(index: int, name: str, *pieces: str, call_id: str = "c") -> bytes:
    """A tool call from its beginning to its end."""
    first: JsonObject = {"id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    begin = event("tool-call-start", index, {"tool_calls": first})
    told = [
        event("tool-call-delta", index, {"tool_calls": {"function": {"arguments": piece}}})
        for piece in pieces
    ]
    return begin + b"".join(told) + event("tool-call-end", index)


def cite(index: int, words: str) -> bytes:
    """A citation."""
    citation: JsonObject = {
        "start": 0,
        "end": len(words),
        "text": words,
        "sources": [],
        "type": "TEXT_CONTENT",
    }
    return event("citation-start", index, {"citations": citation}) + event("citation-end", index)


def end(finish: str, **more: Json) -> bytes:
    """The last event."""
    return event("message-end", id="a", delta={"finish_reason": finish, "usage": USAGE, **more})


BEGIN = event("message-start", message={"role": "assistant", "content": []}, id="a")
PLAN = b"".join(event("tool-plan-delta", message={"tool_plan": piece}) for piece in ("I ", "will."))
STREAMS: dict[str, bytes] = {
    "text": BEGIN + content("text", 0, "Hel", "lo") + end("COMPLETE"),
    "calls": BEGIN
    + PLAN
    + call(0, "git_hub", '{"a"', ":1}")
    + call(1, "f", "{}", call_id="d")
    + end("TOOL_CALL"),
    "thinking": BEGIN
    + PLAN
    + content("thinking", 0, "Zü", "rich 😀")
    + content("text", 1, "Hello")
    + end("MAX_TOKENS"),
    "citations": BEGIN
    + event("content-start", 0, {"content": {"type": "text", "text": ""}})
    + event("content-delta", 0, {"content": {"text": "Hello"}})
    + cite(0, "Hel")
    + cite(1, "lo")
    + event("content-end", 0)
    + end("COMPLETE"),
    "odd": b": hello\n\n"
    + BEGIN
    + event("debug", prompt="<|START|>")
    + event("content-start", 3, {"content": {"type": "text", "text": "Hel"}})
    + event("content-delta", 3, {"content": {"text": "lo"}}, logprobs={"token_ids": [1], "logprobs": [-1]})
    + event("newer-kind", 3)
    + event("content-delta", 3, {"content": {"text": ""}})
    + event("content-end", 3)
    + event("debug", prompt="<|END|>")
    + end("STOP_SEQUENCE", newer=1)
    + b"data: [DONE]\n\n",
}
STREAMS["unnamed"] = b"".join(
    line + b"\n" for line in STREAMS["calls"].split(b"\n") if not line.startswith(b"event:")
)
STREAMS["crlf"] = STREAMS["citations"].replace(b"\n", b"\r\n")


def read(pieces: Iterable[bytes]) -> list[Chunk]:
    """All chunks of a stream that comes in these pieces."""
    parser = CODEC.parse_stream(SENT)
    chunks = [chunk for piece in pieces for chunk in parser.feed(piece)]
    return chunks + list(parser.finish())


def bare(chunks: Iterable[Chunk]) -> list[Chunk]:
    """The chunks without the bytes that they came from."""
    return [replace(chunk, raw=None) for chunk in chunks]


def assembled(chunks: Iterable[Chunk]) -> CompletionAssembler:
    """The answer that the chunks are."""
    assembler = CompletionAssembler()
    for chunk in chunks:
        assembler.feed(chunk)
    return assembler


def render(chunks: Iterable[Chunk], interlock: JsonObject | None = None) -> bytes:
    """What a client is sent for these chunks."""
    renderer = CODEC.render_stream(ASKED)
    return b"".join(renderer.chunk(chunk) for chunk in chunks) + renderer.end(interlock)


def events_of(told: bytes) -> list[JsonObject]:
    """The events of a stream that a client is sent."""
    lines = [line for line in told.replace(b"\r", b"").split(b"\n") if line.startswith(b"data: {")]
    return [as_object(json.loads(line[6:])) for line in lines]


def comparable(chunks: Iterable[Chunk]) -> list[Chunk]:
    """What of the chunks says something, whoever wrote them."""
    return [chunk for chunk in bare(chunks) if chunk != Chunk(model=chunk.model, id=chunk.id)]
