"""Minimal answers of each dialect around a usage object, and prices as core holds them."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from interlock_core import Json, JsonObject, Price, Usage
from interlock_core.jsontypes import dump_json

from .provider_cases import CostCase, PriceRow

_MILLION = 1_000_000
# What stands in an answer beside its usage, where a vendor tells the tier there.
_TIERED = frozenset({"openai-chat", "openai-responses"})
_TEXT: JsonObject = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}
_ITEM: JsonObject = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [_TEXT],
}


def _tier(case: CostCase) -> JsonObject:
    return {"service_tier": case.tier} if case.dialect in _TIERED else {}


def _chat(case: CostCase) -> JsonObject:
    choice: JsonObject = {
        "index": 0,
        "message": {"role": "assistant", "content": "Hi"},
        "finish_reason": "stop",
    }
    head: JsonObject = {"id": "c-1", "object": "chat.completion", "created": 1_790_000_000, "model": "m-1"}
    return {**head, "choices": [choice], "usage": case.usage, **_tier(case)}


def _response(case: CostCase) -> JsonObject:
    head: JsonObject = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "model": "m-1",
        "error": None,
        "incomplete_details": None,
    }
    return {**head, "output": [_ITEM], "usage": case.usage, **_tier(case)}


def _message(case: CostCase) -> JsonObject:
    head: JsonObject = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1"}
    stop: JsonObject = {"stop_reason": "end_turn", "stop_sequence": None}
    return {**head, "content": [{"type": "text", "text": "Hi"}], **stop, "usage": case.usage}


def _cohere(case: CostCase) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}
    return {"id": "c-1", "finish_reason": "COMPLETE", "message": message, "usage": case.usage}


_WHOLE: Mapping[str, Callable[[CostCase], JsonObject]] = {
    "openai-chat": _chat,
    "openai-responses": _response,
    "anthropic-messages": _message,
    "mistral": _chat,
    "cohere-v2": _cohere,
    # The usage of a search is that of an answer which searched.
    "cohere-rerank": _cohere,
}


def whole_answer(case: CostCase) -> bytes:
    """A whole answer with this usage."""
    return dump_json(_WHOLE[case.dialect](case)).encode()


def vectors_answer(case: CostCase) -> bytes:
    """One vector with this usage."""
    body: JsonObject
    if case.dialect == "cohere-embeddings":
        body = {"id": "e-1", "embeddings": {"float": [[0.5]]}, "texts": ["x"], "meta": case.usage}
    else:
        item: JsonObject = {"object": "embedding", "index": 0, "embedding": [0.5]}
        body = {"object": "list", "model": "m-1", "data": [item], "usage": case.usage}
    return dump_json(body).encode()


def _events(*events: JsonObject) -> bytes:
    """Each event under the name of its type, where it has one."""
    names = (event.get("type") for event in events)
    return b"".join(
        (f"event: {name}\n" if name else "").encode() + f"data: {dump_json(event)}\n\n".encode()
        for name, event in zip(names, events, strict=True)
    )


def _chat_stream(case: CostCase) -> bytes:
    head: JsonObject = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1"}
    head |= _tier(case)
    said: JsonObject = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}
    ended: JsonObject = {"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}
    if case.dialect == "mistral":
        events = _events({**head, "choices": [said]}, {**head, "choices": [ended], "usage": case.usage})
    else:
        last: JsonObject = {**head, "choices": [], "usage": case.usage}
        events = _events({**head, "choices": [said]}, {**head, "choices": [ended]}, last)
    return events + b"data: [DONE]\n\n"


def _response_stream(case: CostCase) -> bytes:
    begun: JsonObject = {**_response(case), "status": "in_progress", "output": [], "usage": None}
    delta: JsonObject = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "Hi"}
    return _events(
        {"type": "response.created", "response": begun, "sequence_number": 0},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**_ITEM, "status": "in_progress", "content": []},
            "sequence_number": 1,
        },
        {"type": "response.output_text.delta", **delta, "logprobs": [], "sequence_number": 2},
        {"type": "response.completed", "response": _response(case), "sequence_number": 3},
    )


def _message_stream(case: CostCase) -> bytes:
    usage = case.usage if isinstance(case.usage, dict) else None
    first: Json = None if usage is None else {**usage, "output_tokens": 1}
    begun: JsonObject = {**_message(case), "content": [], "stop_reason": None, "usage": first}
    return _events(
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    )


def _cohere_stream(case: CostCase) -> bytes:
    text: JsonObject = {"type": "text", "text": ""}
    return _events(
        {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant", "content": []}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": text}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi"}}}},
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": case.usage}},
    )


_STREAMS: Mapping[str, Callable[[CostCase], bytes]] = {
    "openai-chat": _chat_stream,
    "openai-responses": _response_stream,
    "anthropic-messages": _message_stream,
    "mistral": _chat_stream,
    "cohere-v2": _cohere_stream,
    "cohere-rerank": _cohere_stream,
}


def streamed_answer(case: CostCase) -> bytes:
    """A stream with this usage where the dialect tells it."""
    return _STREAMS[case.dialect](case)


def _micro(dollars: Decimal, scale: int) -> int:
    """Dollars as whole micro-dollars.

    Raises:
        ValueError: They are none.
    """
    amount = dollars * scale
    if amount != int(amount):
        raise ValueError(f"{dollars} is no whole number of micro-dollars")
    return int(amount)


def price_for(case: CostCase, usage: Usage) -> Price | None:
    """The price of a case.

    Core's price always has input and output. A row that lacks one of them is no price where the usage has
    such tokens; where it has none, nothing is added by them.
    """
    used = {"input": usage.input_tokens, "output": usage.output_tokens}
    rows = [case.price, *case.tiers.values()]
    rows += [row.over for row in rows if row.over is not None]
    if any(count and name not in row.tokens for row in rows for name, count in used.items()):
        return None
    return _price(case.price, case.tiers)


def _price(row: PriceRow, tiers: Mapping[str, PriceRow] | None = None) -> Price:
    tokens = {name: _micro(dollars, _MILLION) for name, dollars in row.tokens.items()}
    return Price(
        input=tokens.get("input", 0),
        output=tokens.get("output", 0),
        cache_read=tokens.get("cache_read"),
        cache_write=tokens.get("cache_write"),
        cache_write_1h=tokens.get("cache_write_1h"),
        audio_input=tokens.get("audio_input"),
        audio_output=tokens.get("audio_output"),
        over_tokens=row.over_tokens,
        over=None if row.over is None else _price(row.over),
        requests={name: _micro(dollars, 1000) for name, dollars in row.requests.items()},
        tiers={name: _price(tier) for name, tier in (tiers or {}).items()},
    )
