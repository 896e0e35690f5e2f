"""The JSON of the simulated Mistral, written from its API reference and the types of its official SDK.

Sources: `ChatCompletionResponse`, `CompletionChunk`, `DeltaMessage`, `ThinkChunk`, `ReferenceChunk`,
`UsageInfo`, `EmbeddingResponse` and `ModelList` in `mistralai.client.models`; the reasoning page of the
vendor's documentation for streams whose content turns from chunks into text; recorded streams that users of
its API published for tool calls, whole and cut, and for padding.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_int, as_object, as_text
from interlock_providers.testing._script import (
    Block,
    Citation,
    Declined,
    RawBlock,
    Say,
    Spoken,
    Thought,
    ToolUse,
)
from interlock_providers.testing._server import Frame
from interlock_providers.testing._vectors import packed, quantised, vector
from interlock_providers.testing._words import CREATED, count, counted, pieces_of, texts_of

_PADDING = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Habits:
    """What differs between the vendor's models, and from day to day.

    Attributes:
        continued_id: The id that later pieces of a cut tool call bear; none unless given.
        padding: Events bear padding in `p`, of which the SDK's types know nothing.
    """

    continued_id: str | None = None
    padding: bool = False


def prompt_text(request: Mapping[str, Json]) -> str:
    """Everything that a request says, for counting."""
    messages = (as_object(message).get("content") for message in as_array(request.get("messages")))
    return " ".join(text for content in messages for text in texts_of(content))


def last_said(request: Mapping[str, Json]) -> str:
    """The text of the last message."""
    return prompt_text({"messages": as_array(request.get("messages"))[-1:]})


def usage_of(say: Say, request: Mapping[str, Json], choices: int) -> JsonObject | None:
    """What the vendor says that it counted; None for nothing."""
    if say.usage == "missing":
        return None
    if not isinstance(say.usage, str):
        return {**say.usage}
    into = count(prompt_text(request))
    out = sum(counted(say.choice(index).blocks())[0] for index in range(choices))
    usage: JsonObject = {"prompt_tokens": into, "total_tokens": into + out, "completion_tokens": out}
    return usage if say.service_tier is None else {**usage, "service_tier": say.service_tier}


def finish_of(say: Say) -> str:
    """Why a choice ends."""
    called = any(isinstance(block, ToolUse) for block in say.blocks())
    return say.finish or ("tool_calls" if called else "stop")


def call_id(call: ToolUse, answer: int, index: int) -> str:
    """The id of a call: nine letters and digits, as the vendor makes them."""
    return call.id or f"c{answer % 10_000:04d}{index % 10_000:04d}"


def whole(say: Say, request: Mapping[str, Json], number: int, choices: int) -> JsonObject:
    """A whole answer.

    Args:
        say: What is said.
        request: What was asked.
        number: Which request it was.
        choices: How many answers were asked for.
    """
    listed: list[Json] = []
    for index in range(choices):
        one = say.choice(index)
        choice: JsonObject = {
            "index": index,
            "message": _message(one, number),
            "finish_reason": finish_of(one),
        }
        listed.append(choice if one.logprobs is None else {**choice, "logprobs": one.logprobs})
    body: JsonObject = {
        "id": f"{number:032x}",
        "object": "chat.completion",
        "created": CREATED,
        "model": request["model"],
        "choices": listed,
    }
    usage = usage_of(say, request, choices)
    return body if usage is None else {**body, "usage": usage}


def _message(say: Say, number: int) -> JsonObject:
    blocks = say.blocks()
    calls = [block for block in blocks if isinstance(block, ToolUse)]
    chunks = [chunk for block in blocks for chunk in _chunks(block)]
    plain = all(isinstance(block, ToolUse | Declined) or _is_plain(block) for block in blocks)
    listed: list[Json] = [
        {
            "id": call_id(call, number, index),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
            "index": index,
        }
        for index, call in enumerate(calls)
    ]
    return {
        "role": "assistant",
        "content": "".join(as_text(chunk["text"]) or "" for chunk in chunks) if plain else [*chunks],
        "tool_calls": listed or None,
        "prefix": False,
    }


def _is_plain(block: Block) -> bool:
    """Whether a part is text and nothing else, so that content need be no list."""
    return isinstance(block, Spoken) and not block.citations


def _chunks(block: Block) -> Iterator[JsonObject]:
    """The chunks of a part of an answer."""
    match block:
        case Thought():
            text = () if block.redacted else (block.text,)
            yield _thinking(text, block.sealed, closed=True)
        case Spoken():
            yield {"type": "text", "text": block.text}
            if block.citations:
                yield _reference(block)
        case Declined():
            yield {"type": "text", "text": block.text}
        case RawBlock():
            yield {**block.block}
        case ToolUse():
            return


def _thinking(texts: tuple[str, ...], signature: str | None = None, *, closed: bool = False) -> JsonObject:
    listed: list[Json] = [{"type": "text", "text": text} for text in texts]
    chunk: JsonObject = {"type": "thinking", "thinking": listed}
    if signature is not None:
        chunk["signature"] = signature
    return {**chunk, "closed": True} if closed else chunk


def _reference(block: Spoken) -> JsonObject:
    """The chunk that names what the text before it stands on, by the numbers of the documents."""
    for cited in block.citations:
        if not isinstance(cited, Citation):
            return {**cited}
    numbers: list[Json] = [cited.index for cited in block.citations if isinstance(cited, Citation)]
    return {"type": "reference", "reference_ids": numbers}


def frames(
    say: Say, request: Mapping[str, Json], number: int, choices: int, habits: Habits
) -> Iterator[Frame]:
    """The events of a streamed answer: of every choice in turn, usage with the last finish, `[DONE]`."""
    head: JsonObject = {
        "id": f"{number:032x}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": request["model"],
    }
    usage = usage_of(say, request, choices)
    sent = 0
    for index in range(choices):
        one = say.choice(index)
        for part, delta, logprobs in _deltas(one, number, habits):
            finish = finish_of(one) if part == "close" else None
            choice: JsonObject = {"index": index, "delta": delta, "finish_reason": finish}
            body: JsonObject = {**head, "choices": [{**choice, **logprobs}]}
            if part == "close" and index == choices - 1 and usage is not None:
                body["usage"] = usage
            if habits.padding:
                body["p"] = _PADDING[: 1 + sent * 7 % len(_PADDING)]
            sent += 1
            yield Frame(body, part)
    yield Frame(b"data: [DONE]\n\n", "end")


def _deltas(
    say: Say, number: int, habits: Habits
) -> Iterator[tuple[Literal["open", "piece", "close"], JsonObject, JsonObject]]:
    """What the events of one choice say; the last says the finish, and the calls that are not cut."""
    yield "open", {"role": "assistant", "content": ""}, {}
    for at, delta in enumerate(_joined(_pieces(say, number, habits))):
        first = at == 0 and say.logprobs is not None
        yield "piece", delta, {"logprobs": say.logprobs} if first else {}
    calls = [block for block in say.blocks() if isinstance(block, ToolUse)]
    whole_calls: list[Json] = [
        one
        for index, call in enumerate(calls)
        if call.pieces is None
        for one in _call_pieces(call, call_id(call, number, index), index, habits)
    ]
    yield "close", {"content": "", **({"tool_calls": whole_calls} if whole_calls else {})}, {}


def _joined(deltas: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """The same deltas, but what closes a thought comes in one event with the text that follows it."""
    closing: list[Json] = []
    for delta in deltas:
        content = delta.get("content")
        if closing and isinstance(content, str):
            yield {"content": [*closing, {"type": "text", "text": content}]}
            closing = []
            continue
        if closing:
            yield {"content": closing}
        closing = as_array(content)
        if not (closing and "closed" in as_object(closing[0])):
            closing = []
            yield delta
    if closing:
        yield {"content": closing}


def _pieces(say: Say, number: int, habits: Habits) -> Iterator[JsonObject]:
    """The deltas of all parts but the calls that are not cut: text as text, all else as chunks."""
    index = 0
    for block in say.blocks():
        match block:
            case Thought():
                yield from _thought(block)
            case Spoken():
                for piece in pieces_of(block):
                    yield {"content": piece}
                if block.citations:
                    yield {"content": [_reference(block)]}
            case Declined():
                yield {"content": block.text}
            case RawBlock():
                yield {"content": [{**block.block}]}
            case ToolUse():
                name = call_id(block, number, index)
                for piece in () if block.pieces is None else _call_pieces(block, name, index, habits):
                    yield {"tool_calls": [piece]}
                index += 1


def _thought(block: Thought) -> Iterator[JsonObject]:
    for piece in () if block.redacted else pieces_of(block):
        yield {"content": [_thinking((piece,))]}
    yield {"content": [_thinking((), block.sealed, closed=True)]}


def _call_pieces(call: ToolUse, name: str, index: int, habits: Habits) -> Iterator[JsonObject]:
    """A call whole, or its id and name and then its arguments in pieces."""
    arguments = call.arguments if call.pieces is None else ""
    yield {"id": name, "function": {"name": call.name, "arguments": arguments}, "index": index}
    for piece in call.pieces or ():
        later: JsonObject = {"function": {"name": "", "arguments": piece}, "index": index}
        yield later if habits.continued_id is None else {"id": habits.continued_id, **later}


def embeddings(asked: Mapping[str, Json], number: int) -> JsonObject:
    """Vectors that follow from the texts."""
    given = asked.get("input")
    texts = [given] if isinstance(given, str) else [as_text(text) or "" for text in as_array(given)]
    size = as_int(asked.get("output_dimension")) or 8
    kind = as_text(asked.get("output_dtype")) or "float"
    data: list[Json] = []
    for index, text in enumerate(texts):
        numbers = vector(text, size)
        based = asked.get("encoding_format") == "base64"
        value: Json = packed(numbers) if based else quantised(numbers, kind)
        data.append({"object": "embedding", "embedding": value, "index": index})
    used = sum(count(text) for text in texts)
    usage: JsonObject = {"prompt_tokens": used, "total_tokens": used, "completion_tokens": 0}
    return {
        "id": f"{number:032x}",
        "object": "list",
        "data": data,
        "model": asked["model"],
        "usage": usage,
    }


def listed_models(models: tuple[str, ...], cards: Mapping[str, Mapping[str, Json]]) -> JsonObject:
    """The list of models, each with its card; those with `embed` in their name do not chat."""
    data: list[Json] = [{**_card(name), **cards.get(name, {})} for name in models]
    return {"object": "list", "data": data}


def _card(name: str) -> JsonObject:
    chats = "embed" not in name
    capabilities: JsonObject = {
        "completion_chat": chats,
        "function_calling": chats,
        "reasoning": False,
        "completion_fim": False,
        "fine_tuning": False,
        "vision": chats,
        "ocr": False,
        "classification": False,
        "moderation": False,
        "audio": False,
        "audio_transcription": False,
    }
    return {
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": "mistralai",
        "capabilities": capabilities,
        "name": name,
        "description": None,
        "max_context_length": 131_072,
        "aliases": [],
        "deprecation": None,
        "default_model_temperature": 0.3,
        "type": "base",
    }
