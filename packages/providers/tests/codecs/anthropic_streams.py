"""What the tests of the dialect anthropic-messages share about streams: recorded ones, reading, judging."""

import json
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from interlock_core import Chunk, Completion, CompletionRequest, Content, Json, JsonObject, Text, ToolSpec
from interlock_core.assembly import CompletionAssembler
from interlock_core.jsontypes import as_int, as_object, dump_json
from interlock_core.messages import user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("anthropic-messages")
ASKED = CompletionRequest(
    model="x", messages=(user("hi"),), max_tokens=9, tools=(ToolSpec(name="github.issues_create"),)
)
SENT: Rendered = CODEC.render_request(ASKED, Target(provider="vendor", model="claude-nova-9"), stream=True)
RECORDED = Path(__file__).parents[1] / "cases" / "streams"
CASES: dict[str, JsonObject] = {
    row["id"]: row for row in tomllib.loads((RECORDED / f"{CODEC.dialect}.toml").read_text("utf-8"))["stream"]
}
BODIES = {name: (RECORDED / CODEC.dialect / str(row["file"])).read_bytes() for name, row in CASES.items()}
GOOD = {name: BODIES[name] for name, row in CASES.items() if "error" not in row}
EVENTS: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def read(pieces: Iterable[bytes]) -> list[Chunk]:
    """All chunks of a stream that comes in these pieces."""
    parser = CODEC.parse_stream(SENT)
    chunks = [chunk for piece in pieces for chunk in parser.feed(piece)]
    return chunks + list(parser.finish())


def bare(chunks: Iterable[Chunk]) -> list[Chunk]:
    """The chunks without the bytes that they came from."""
    return [replace(chunk, raw=None) for chunk in chunks]


def assembled(chunks: Iterable[Chunk]) -> Completion:
    """The answer that the chunks are."""
    assembler = CompletionAssembler()
    for chunk in chunks:
        assembler.feed(chunk)
    return assembler.completion()


def events(data: bytes) -> list[JsonObject]:
    """The events of a stream, each named by its type; the stream is whole."""
    found: list[JsonObject] = []
    for block in data.split(b"\n\n")[:-1]:
        head, _, line = block.partition(b"\n")
        body = as_object(json.loads(line.removeprefix(b"data: ")))
        assert head == b"event: " + str(body["type"]).encode()
        found.append(body)
    return found


def render(chunks: Iterable[Chunk], interlock: JsonObject | None = None) -> bytes:
    """What a client is sent for these chunks."""
    renderer = CODEC.render_stream(ASKED)
    return b"".join(renderer.chunk(chunk) for chunk in chunks) + renderer.end(interlock)


def checked(data: bytes) -> list[JsonObject]:
    """The events of a stream, held to the official SDK's types and to the order that clients rely on."""
    found = [event for event in events(data) if event["type"] not in {"ping", "future_event"}]
    opened: int | None = None
    following = 0
    for event in found:
        EVENTS.validate_python(event)
        index = as_int(event.get("index"))
        match event["type"]:
            case "content_block_start":
                assert (opened, index) == (None, following)
                opened, following = index, following + 1
            case "content_block_delta":
                assert index == opened
            case "content_block_stop":
                assert index == opened
                opened = None
            case _:
                assert opened is None
    kinds = [event["type"] for event in found]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    return found


def parts(answer: Completion) -> tuple[Content, ...]:
    """The parts of an answer, words of one kind joined: a stream does not say where a text was cut."""
    joined: list[Content] = []
    for part in answer.message.content:
        last = joined[-1] if joined else None
        if isinstance(part, Text) and isinstance(last, Text):
            joined[-1] = Text(last.text + part.text, citations=(*last.citations, *part.citations))
        elif not (isinstance(part, Text) and not part.text and not part.citations):
            joined.append(part)
    return tuple(joined)


def sse(*bodies: JsonObject) -> bytes:
    """Events on the wire."""
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (str(body["type"]).encode(), dump_json(body).encode()) for body in bodies
    )


START: JsonObject = {
    "type": "message_start",
    "message": {"id": "msg_1", "type": "message", "usage": {"input_tokens": 10, "output_tokens": 1}},
}
STOP: JsonObject = {"type": "message_stop"}


def begin(index: Json, **block: Json) -> JsonObject:
    """A block begins."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def go_on(index: Json, **delta: Json) -> JsonObject:
    """A block goes on."""
    return {"type": "content_block_delta", "index": index, "delta": delta}


def done(index: Json) -> JsonObject:
    """A block ends."""
    return {"type": "content_block_stop", "index": index}


def finish(reason: Json = "end_turn", **usage: Json) -> JsonObject:
    """The message ends."""
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5, **usage}}
