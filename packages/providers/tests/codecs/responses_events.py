"""Streams of the dialect openai-responses as its vendor writes them, and what is made of them."""

import json
from collections.abc import Iterable, Sequence

from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from interlock_core import Chunk, Completion, CompletionRequest, Json, JsonObject
from interlock_core.assembly import CompletionAssembler
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.messages import user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("openai-responses")
EVENT: TypeAdapter[object] = TypeAdapter(ResponseStreamEvent)
ASKED = CompletionRequest(model="x", messages=(user("hi"),))
TARGET = Target(provider="openai", model="m-1")
SENT: Rendered = CODEC.render_request(ASKED, TARGET, stream=True)
USAGE: JsonObject = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 17,
}
CITED: JsonObject = {
    "type": "url_citation",
    "url": "https://example.org",
    "title": "t",
    "start_index": 0,
    "end_index": 2,
}
ITEMS: list[JsonObject] = [
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "first"}, {"type": "summary_text", "text": "then"}],
        "encrypted_content": "gAAAAA==",
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [
            {"type": "output_text", "text": "Zürich 😀", "annotations": [CITED], "logprobs": []},
            {"type": "refusal", "refusal": "No more."},
        ],
    },
    {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    },
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "weather",
        "arguments": '{"q":"Paris"}',
        "status": "completed",
    },
    {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "sh", "input": "ls -l"},
]


def response_of(items: Sequence[Json], **more: Json) -> JsonObject:
    """A whole answer."""
    body: JsonObject = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "m-1-2026-01-01",
        "output": [*items],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": USAGE,
        "service_tier": "default",
    }
    return {**body, **more}


def events_of(items: Sequence[JsonObject], *, size: int = 3) -> list[JsonObject]:
    """The events by which the vendor tells these items, cut into pieces of that size."""
    began = response_of([], status="in_progress", usage=None)
    events: list[JsonObject] = [
        {"type": "response.created", "response": began},
        {"type": "response.in_progress", "response": began},
    ]
    for index, item in enumerate(items):
        events.extend(item_events(index, item, size))
    events.append({"type": "response.completed", "response": response_of(items)})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def item_events(index: int, item: JsonObject, size: int) -> list[JsonObject]:
    """The events of one item."""
    at: JsonObject = {"output_index": index, "item_id": item["id"]}
    begun = {**item, **{name: [] for name in ("summary", "content") if name in item}}
    begun.update({name: "" for name in ("arguments", "input") if name in item})
    begun.pop("encrypted_content", None)
    events: list[JsonObject] = [{"type": "response.output_item.added", "output_index": index, "item": begun}]
    for place, part in enumerate(as_array(item.get("summary"))):
        where: JsonObject = {**at, "summary_index": place}
        events.extend(part_events(where, as_object(part), "reasoning_summary_part", size))
    for place, part in enumerate(as_array(item.get("content"))):
        events.extend(part_events({**at, "content_index": place}, as_object(part), "content_part", size))
    for name, event in (("arguments", "function_call_arguments"), ("input", "custom_tool_call_input")):
        if name in item:
            events.extend(words(f"response.{event}", at, name, str(item[name]), size))
    if item["type"] == "web_search_call":
        events.append({"type": "response.web_search_call.searching", **at})
    return [*events, {"type": "response.output_item.done", "output_index": index, "item": item}]


def part_events(at: JsonObject, part: JsonObject, frame: str, size: int) -> list[JsonObject]:
    """The events of one part."""
    kind = str(part["type"])
    name = "refusal" if kind == "refusal" else "text"
    spoken = {"summary_text": "reasoning_summary_text"}.get(kind, kind)
    events: list[JsonObject] = [
        {"type": f"response.{frame}.added", **at, "part": {**part, name: "", **as_empty(part)}}
    ]
    more: JsonObject = {"logprobs": []} if kind == "output_text" else {}
    events.extend(words(f"response.{spoken}", {**at, **more}, name, str(part[name]), size))
    events.extend(
        {
            "type": "response.output_text.annotation.added",
            **at,
            "annotation_index": place,
            "annotation": cited,
        }
        for place, cited in enumerate(as_array(part.get("annotations")))
    )
    return [*events, {"type": f"response.{frame}.done", **at, "part": part}]


def as_empty(part: JsonObject) -> JsonObject:
    """The lists of a part that just began."""
    return {"annotations": []} if "annotations" in part else {}


def words(event: str, at: JsonObject, name: str, text: str, size: int) -> list[JsonObject]:
    """Deltas, and what repeats them."""
    events: list[JsonObject] = [
        {"type": f"{event}.delta", **at, "delta": text[start : start + size]}
        for start in range(0, len(text), size)
    ]
    return [*events, {"type": f"{event}.done", **at, name: text}]


def wire(events: Iterable[JsonObject]) -> bytes:
    """The events as bytes."""
    return b"".join(
        f"event: {event['type']}\ndata: {dump_json(event)}\n\n".encode("utf-8", "surrogatepass")
        for event in events
    )


def read(pieces: Iterable[bytes], sent: Rendered = SENT) -> list[Chunk]:
    """All chunks of a stream that comes in these pieces."""
    parser = CODEC.parse_stream(sent)
    chunks = [chunk for piece in pieces for chunk in parser.feed(piece)]
    return chunks + list(parser.finish())


def assembled(chunks: Iterable[Chunk]) -> Completion:
    """The answer that the chunks are."""
    whole = CompletionAssembler()
    for chunk in chunks:
        whole.feed(chunk)
    return whole.completion(created=1)


def told(chunks: Iterable[Chunk], request: CompletionRequest = ASKED, **facts: Json) -> bytes:
    """What a client is told of the chunks."""
    renderer = CODEC.render_stream(request, created=1)
    said = b"".join(renderer.chunk(chunk) for chunk in chunks)
    return said + renderer.end(facts or None)


def checked(stream: bytes) -> list[JsonObject]:
    """The events of a stream: named by their types, numbered, and accepted by the SDK's own types."""
    events: list[JsonObject] = []
    for block in stream.decode("utf-8", "surrogatepass").removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        event = as_object(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {event['type']}"
        EVENT.validate_python(event, strict=True)
        events.append(event)
    numbers = [event["sequence_number"] for event in events]
    assert numbers == list(range(len(events)))
    return events


STREAM = wire(events_of(ITEMS))
