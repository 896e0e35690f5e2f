"""The JSON of the simulated Cohere, written from its API reference and the types of its official SDK.

Sources: `V2ChatResponse`, `V2ChatStreamResponse` and the events it is made of, `AssistantMessageResponse`,
`Citation`, `Usage`, `EmbedByTypeResponse`, `ListModelsResponse` and `GetModelResponse` in `cohere.types` and
`cohere.v2.types`; the streaming pages of the vendor's documentation for the order of events; streams that
users of its API published for what the events look like on the wire.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
from interlock_providers.testing._words import count, counted, pieces_of, texts_of

TEMPLATE_TOKENS = 8
"""Tokens that the vendor's own template adds to every prompt; they are counted, but not billed."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What differs from day to day.

    Attributes:
        done: `[DONE]` follows the last event.
        empty_fields: The first event bears empty fields, of which the SDK's types know nothing.
    """

    done: bool = True
    empty_fields: bool = False


def prompt_text(request: Mapping[str, Json]) -> str:
    """Everything that a request says, for counting."""
    messages = (as_object(message).get("content") for message in as_array(request.get("messages")))
    return " ".join(text for content in messages for text in texts_of(content))


def last_said(request: Mapping[str, Json]) -> str:
    """The text of the last message."""
    return prompt_text({"messages": as_array(request.get("messages"))[-1:]})


def usage_of(say: Say, request: Mapping[str, Json]) -> JsonObject | None:
    """What the vendor says that it counted and what it bills; None for nothing."""
    if say.usage == "missing":
        return None
    if not isinstance(say.usage, str):
        return {**say.usage}
    plans = sum(count(plan) for plan in map(plan_of, say.blocks()) if plan is not None)
    out = counted(say.blocks())[0] + plans
    into = count(prompt_text(request))
    return {
        "billed_units": {"input_tokens": into, "output_tokens": out},
        "tokens": {"input_tokens": into + TEMPLATE_TOKENS, "output_tokens": out},
        "cached_tokens": 0,
    }


def finish_of(say: Say) -> str:
    """Why the answer ends."""
    if say.finish is not None:
        return say.finish
    if say.stop_sequence is not None:
        return "STOP_SEQUENCE"
    return "TOOL_CALL" if any(isinstance(block, ToolUse) for block in say.blocks()) else "COMPLETE"


def answer_id(number: int) -> str:
    """The id of an answer or an error."""
    return f"00000000-0000-4000-8000-{number:012x}"


def plan_of(block: Block) -> str | None:
    """The plan, where a part of an answer is one."""
    if isinstance(block, RawBlock) and set(block.block) == {"tool_plan"}:
        return as_text(block.block["tool_plan"])
    return None


def whole(say: Say, request: Mapping[str, Json], number: int) -> JsonObject:
    """A whole answer.

    Args:
        say: What is said.
        request: What was asked.
        number: Which request it was.
    """
    blocks = say.blocks()
    calls: list[Json] = [_call(one, number, at, one.arguments) for at, one in enumerate(_calls(blocks))]
    plans = [plan for plan in map(plan_of, blocks) if plan is not None]
    content: list[Json] = [_content(block) for block in _contents(blocks)]
    cited: list[Json] = [one for at, block in enumerate(_contents(blocks)) for one in _cited(block, at)]
    message: JsonObject = {"role": "assistant"}
    message |= {"content": content} if content else {}
    message |= {"tool_plan": "".join(plans)} if plans else {}
    message |= {"tool_calls": calls} if calls else {}
    message |= {"citations": cited} if cited else {}
    body: JsonObject = {"id": answer_id(number), "message": message, "finish_reason": finish_of(say)}
    usage = usage_of(say, request)
    body |= {} if usage is None else {"usage": usage}
    return body if say.logprobs is None else {**body, "logprobs": _logprobs(say)}


def _calls(blocks: Sequence[Block]) -> list[ToolUse]:
    return [block for block in blocks if isinstance(block, ToolUse)]


def _contents(blocks: Sequence[Block]) -> list[Block]:
    """The parts that go into the content: all but calls and plans."""
    return [block for block in blocks if not isinstance(block, ToolUse) and plan_of(block) is None]


def _content(block: Block) -> JsonObject:
    match block:
        case Thought():
            return {"type": "thinking", "thinking": "" if block.redacted else block.text}
        case RawBlock():
            return {**block.block}
        case Spoken() | Declined():
            return {"type": "text", "text": block.text}
        case ToolUse():
            return {}


def _call(call: ToolUse, number: int, index: int, arguments: str) -> JsonObject:
    return {
        "id": call.id or f"{call.name}_{number}_{index}",
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _cited(block: Block, index: int) -> list[JsonObject]:
    """The citations of one block of the content."""
    if not isinstance(block, Spoken):
        return []
    return [_citation(one, block, index) for one in block.citations]


def _citation(cited: Citation | Mapping[str, Json], block: Spoken, index: int) -> JsonObject:
    if not isinstance(cited, Citation):
        return {**cited}
    document: JsonObject = {"id": cited.source}
    document |= {} if cited.title is None else {"title": cited.title}
    document |= {} if cited.url is None else {"url": cited.url}
    return {
        "start": cited.start,
        "end": cited.end,
        "text": cited.text or block.text[cited.start : cited.end],
        "sources": [{"type": "document", "id": cited.source, "document": document}],
        "content_index": index,
        "type": "TEXT_CONTENT",
    }


def _logprobs(say: Say) -> list[Json]:
    return as_array(say.logprobs) or [say.logprobs]


def frames(say: Say, request: Mapping[str, Json], number: int, habits: Habits) -> Iterator[Frame]:
    """The events of a streamed answer: its parts in their order, then the finish and the usage."""
    first: JsonObject = {"role": "assistant"}
    if habits.empty_fields:
        first |= {"content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    started: JsonObject = {"id": answer_id(number), "type": "message-start", "delta": {"message": first}}
    yield Frame(started)
    fast = as_object(request.get("citation_options")).get("mode") == "FAST"
    logprobs = iter(() if say.logprobs is None else _logprobs(say))
    contents = calls = citations = 0
    for block in say.blocks():
        if isinstance(block, ToolUse):
            yield from _call_frames(block, number, calls)
            calls += 1
        elif (plan := plan_of(block)) is not None:
            for piece in pieces_of(Spoken(plan)):
                yield Frame({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}, "piece")
        else:
            cited = _cited(block, contents)
            yield from _content_frames(block, contents, _Cites(cited, citations, fast=fast), logprobs)
            contents += 1
            citations += len(cited)
    yield Frame(_ending(say, usage_of(say, request)), "end")
    if habits.done:
        yield Frame(b"data: [DONE]\n\n", "end")


def _ending(say: Say, usage: JsonObject | None) -> JsonObject:
    delta: JsonObject = {"finish_reason": finish_of(say), **(say.finish_details or {})}
    return {"type": "message-end", "delta": delta if usage is None else {**delta, "usage": usage}}


def failed(words: str, finish: str, request: Mapping[str, Json]) -> JsonObject:
    """The event that ends a stream because of an error; what was said until then is not billed."""
    usage = usage_of(Say(parts=()), request)
    return {"type": "message-end", "delta": {"error": words, "finish_reason": finish, "usage": usage}}


@dataclass(frozen=True, slots=True)
class _Cites:
    """The citations of a block.

    Attributes:
        listed: The citations.
        first: Number of the first.
        fast: Each comes as soon as its passage is said, rather than at the end of the block.
    """

    listed: Sequence[JsonObject]
    first: int
    fast: bool

    def due(self, said: int, before: int) -> Iterator[Frame]:
        """Those whose passage ended with what was said just now."""
        for number, cited in enumerate(self.listed, self.first):
            if self.fast and before < (as_int(cited.get("end")) or 0) <= said:
                yield from _cite(cited, number)

    def rest(self) -> Iterator[Frame]:
        """All, where none came before."""
        for number, cited in enumerate(() if self.fast else self.listed, self.first):
            yield from _cite(cited, number)


def _cite(cited: JsonObject, number: int) -> Iterator[Frame]:
    delta: JsonObject = {"message": {"citations": cited}}
    yield Frame({"type": "citation-start", "index": number, "delta": delta}, "same")
    yield Frame({"type": "citation-end", "index": number}, "same")


def _content_frames(block: Block, index: int, cites: _Cites, logprobs: Iterator[Json]) -> Iterator[Frame]:
    content = _content(block)
    field = "thinking" if isinstance(block, Thought) else "text"
    opening = content if isinstance(block, RawBlock) else {"type": content["type"], field: ""}
    yield Frame(
        {"type": "content-start", "index": index, "delta": {"message": {"content": opening}}},
        "piece" if isinstance(block, RawBlock) else "open",
    )
    said = 0
    for piece in _pieces(block):
        body: JsonObject = {
            "type": "content-delta",
            "index": index,
            "delta": {"message": {"content": {field: piece}}},
        }
        item = next(logprobs, None)
        yield Frame(body if item is None else {**body, "logprobs": item}, "piece")
        yield from cites.due(said + len(piece), said)
        said += len(piece)
    yield from cites.rest()
    yield Frame({"type": "content-end", "index": index}, "close")


def _pieces(block: Block) -> Iterator[str]:
    match block:
        case Thought() if not block.redacted:
            yield from pieces_of(block)
        case Spoken():
            yield from pieces_of(block)
        case Declined():
            yield block.text
        case _:
            return


def _call_frames(call: ToolUse, number: int, index: int) -> Iterator[Frame]:
    made = _call(call, number, index, call.arguments if call.pieces == () else "")
    yield Frame({"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": made}}})
    for piece in pieces_of(call):
        later: JsonObject = {"function": {"arguments": piece}}
        yield Frame(
            {"type": "tool-call-delta", "index": index, "delta": {"message": {"tool_calls": later}}}, "piece"
        )
    yield Frame({"type": "tool-call-end", "index": index}, "close")


def embeddings(asked: Mapping[str, Json], number: int) -> JsonObject:
    """Vectors that follow from the texts, images or inputs."""
    texts = [as_text(text) or "" for text in as_array(asked.get("texts"))]
    images = [as_text(image) or "" for image in as_array(asked.get("images"))]
    inputs = [_input_text(one) for one in as_array(asked.get("inputs"))]
    vectors = [vector(text, as_int(asked.get("output_dimension")) or 8) for text in texts or images or inputs]
    kinds = [as_text(kind) or "" for kind in as_array(asked.get("embedding_types"))] or ["float"]
    made: JsonObject = {
        kind: [packed(one) if kind == "base64" else quantised(one, kind) for one in vectors] for kind in kinds
    }
    billed: JsonObject = {"input_tokens": sum(count(text) for text in (*texts, *inputs))}
    body: JsonObject = {"id": answer_id(number), "embeddings": made}
    if images:
        billed = {"images": len(images)}
        body["images"] = [_image(image) for image in images]
    elif texts:
        body["texts"] = [*texts]
    meta: JsonObject = {"api_version": {"version": "2"}, "billed_units": billed}
    return {**body, "meta": meta, "response_type": "embeddings_by_type"}


def _input_text(given: Json) -> str:
    """What an input says, its images by their address."""
    parts = [as_object(part) for part in as_array(as_object(given).get("content"))]
    images = [as_text(as_object(part.get("image_url")).get("url")) for part in parts]
    texts = [as_text(part.get("text")) for part in parts]
    return " ".join(text for text in (*texts, *images) if text)


def _image(url: str) -> JsonObject:
    kind = url.partition(";")[0].rpartition("/")[2]
    return {"width": 1, "height": 1, "format": kind, "bit_depth": 24}


def listed_models(
    models: Sequence[str], cards: Mapping[str, Mapping[str, Json]], query: Mapping[str, str]
) -> JsonObject:
    """A page of the list of models; those with `embed` in their name do not chat."""
    listed = [_card(name) | {**cards.get(name, {})} for name in models]
    wanted = query.get("endpoint")
    found = [card for card in listed if wanted is None or wanted in as_array(card["endpoints"])]
    start, size = int(query.get("page_token") or 0), int(float(query.get("page_size") or 20))
    page: list[Json] = [*found[start : start + size]]
    more = start + size < len(found)
    return {"models": page, **({"next_page_token": str(start + size)} if more else {})}


def _card(name: str) -> JsonObject:
    chats = "embed" not in name
    return {
        "name": name,
        "is_deprecated": False,
        "endpoints": ["generate", "chat", "summarize"] if chats else ["embed", "classify"],
        "finetuned": False,
        "context_length": 128_000,
        "tokenizer_url": f"https://example.com/tokenizers/{name}.json",
        "default_endpoints": [],
        "features": ["json_mode", "json_schema", "tools", "vision"] if chats else [],
    }
