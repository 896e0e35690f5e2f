"""The events of OpenAI's Responses API, written from its API reference and the types of its SDK."""

from collections.abc import Iterator, Mapping

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object
from interlock_providers.testing import _responses_wire as wire
from interlock_providers.testing._script import Declined, Say, Spoken, Thought, ToolUse
from interlock_providers.testing._server import Frame
from interlock_providers.testing._words import pieces_of, said

_ENDS = {"completed": "response.completed", "incomplete": "response.incomplete", "failed": "response.failed"}


def frames(say: Say, asked: Mapping[str, Json], number: int) -> Iterator[Frame]:
    """The events of a streamed response, as `answer_of` says it; their numbers are not yet in them."""
    begun = wire.started(say, asked, number)
    yield Frame({"type": "response.created", "response": begun})
    yield Frame({"type": "response.in_progress", "response": begun})
    for index, item in enumerate(wire.items_of(say, asked, number)):
        yield from _item(item, index, say)
    ended = wire.answer_of(say, asked, number)
    yield Frame({"type": _ENDS.get(wire.status_of(say), "response.completed"), "response": ended}, "end")


def _item(item: wire.Item, index: int, say: Say) -> Iterator[Frame]:
    body = item.body
    yield Frame({"type": "response.output_item.added", "output_index": index, "item": _begun(item)})
    place: JsonObject = {"item_id": body.get("id"), "output_index": index}
    match item.blocks[0]:
        case Thought() as thought if not thought.redacted and said(thought):
            yield from _content(thought, place) if thought.raw else _summary(thought, place)
        case ToolUse() as call:
            yield from _arguments(call, place)
        case Spoken() | Declined():
            yield from _parts(item, place, say)
        case _:
            pass
    yield Frame({"type": "response.output_item.done", "output_index": index, "item": body}, "close")


def _begun(item: wire.Item) -> JsonObject:
    """The item as it is added: in progress and empty; what is encrypted comes right only when it is done."""
    match item.blocks[0]:
        case Thought():
            kept = {name: value for name, value in item.body.items() if name != "content"}
            early: JsonObject = {"encrypted_content": "unfinished"} if "encrypted_content" in kept else {}
            return {**kept, "summary": [], **early}
        case ToolUse():
            return {**item.body, "arguments": "", "status": "in_progress"}
        case Spoken() | Declined():
            return {**item.body, "content": [], "status": "in_progress"}
        case _:
            return item.body


def _summary(thought: Thought, place: JsonObject) -> Iterator[Frame]:
    at: JsonObject = {**place, "summary_index": 0}
    text = said(thought)
    part, whole = _summary_part(""), _summary_part(text)
    yield Frame({"type": "response.reasoning_summary_part.added", **at, "part": part})
    for piece in pieces_of(thought):
        yield Frame({"type": "response.reasoning_summary_text.delta", **at, "delta": piece}, "piece")
    yield Frame({"type": "response.reasoning_summary_text.done", **at, "text": text}, "close")
    yield Frame({"type": "response.reasoning_summary_part.done", **at, "part": whole}, "close")


def _summary_part(text: str) -> JsonObject:
    return {"type": "summary_text", "text": text}


def _content(thought: Thought, place: JsonObject) -> Iterator[Frame]:
    at: JsonObject = {**place, "content_index": 0}
    text = said(thought)
    part: JsonObject = {"type": "reasoning_text", "text": ""}
    yield Frame({"type": "response.content_part.added", **at, "part": part})
    for piece in pieces_of(thought):
        yield Frame({"type": "response.reasoning_text.delta", **at, "delta": piece}, "piece")
    yield Frame({"type": "response.reasoning_text.done", **at, "text": text}, "close")
    yield Frame({"type": "response.content_part.done", **at, "part": {**part, "text": text}}, "close")


def _arguments(call: ToolUse, place: JsonObject) -> Iterator[Frame]:
    kind = "response.function_call_arguments"
    for piece in pieces_of(call):
        yield Frame({"type": f"{kind}.delta", **place, "delta": piece}, "piece")
    yield Frame({"type": f"{kind}.done", **place, "arguments": call.arguments}, "close")


def _parts(item: wire.Item, place: JsonObject, say: Say) -> Iterator[Frame]:
    for index, (block, part) in enumerate(zip(item.blocks, as_array(item.body["content"]), strict=True)):
        at: JsonObject = {**place, "content_index": index}
        if isinstance(block, Declined):
            yield from _refusal(block, at)
        elif isinstance(block, Spoken):
            yield from _text(block, as_object(part), at, say.logprobs if index == 0 else None)


def _refusal(declined: Declined, at: JsonObject) -> Iterator[Frame]:
    part: JsonObject = {"type": "refusal", "refusal": ""}
    yield Frame({"type": "response.content_part.added", **at, "part": part})
    for piece in pieces_of(Spoken(declined.text)):
        yield Frame({"type": "response.refusal.delta", **at, "delta": piece}, "piece")
    yield Frame({"type": "response.refusal.done", **at, "refusal": declined.text}, "close")
    part = {"type": "refusal", "refusal": declined.text}
    yield Frame({"type": "response.content_part.done", **at, "part": part}, "close")


def _text(spoken: Spoken, part: JsonObject, at: JsonObject, logprobs: Json) -> Iterator[Frame]:
    told = [_logprob(as_object(one)) for one in wire.logprobs_of(logprobs)]
    empty: JsonObject = {**part, "text": "", "annotations": [], "logprobs": []}
    yield Frame({"type": "response.content_part.added", **at, "part": empty})
    for number, piece in enumerate(pieces_of(spoken)):
        event: JsonObject = {"delta": piece, "logprobs": [*told] if number == 0 else []}
        yield Frame({"type": "response.output_text.delta", **at, **event}, "piece")
    for number, annotation in enumerate(wire.annotations_of(spoken)):
        added: JsonObject = {"annotation_index": number, "annotation": annotation}
        yield Frame({"type": "response.output_text.annotation.added", **at, **added}, "same")
    done: JsonObject = {"text": part["text"], "logprobs": [*told]}
    yield Frame({"type": "response.output_text.done", **at, **done}, "close")
    yield Frame({"type": "response.content_part.done", **at, "part": part}, "close")


def _logprob(one: JsonObject) -> JsonObject:
    """A token's log probability as events have it: without its bytes."""
    listed = [as_object(other) for other in as_array(one.get("top_logprobs"))]
    top: list[Json] = [{"token": other.get("token"), "logprob": other.get("logprob")} for other in listed]
    return {"token": one.get("token"), "logprob": one.get("logprob"), "top_logprobs": top}
