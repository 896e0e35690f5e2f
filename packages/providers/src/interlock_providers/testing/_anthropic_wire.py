"""The JSON of Anthropic's Messages API, written from its API reference and the types of its SDK."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text, dump_json, parse_json
from interlock_providers.testing._script import (
    Citation,
    Declined,
    Failure,
    RawBlock,
    Say,
    Spoken,
    Thought,
    ToolUse,
)
from interlock_providers.testing._server import Frame, Headers
from interlock_providers.testing._words import count, counted, pieces_of, said, texts_of

_Shown: TypeAlias = Thought | Spoken | ToolUse | RawBlock

_KINDS: Mapping[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_LATER = "2026-09-21T22:13:20Z"
_DELTA_USAGE = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
)


def error_body(failure: Failure, request_id: str) -> JsonObject:
    """The error object as the vendor writes it."""
    kind = "invalid_request_error" if failure.status < 500 else "api_error"
    error: JsonObject = {"type": failure.kind or _KINDS.get(failure.status, kind), "message": failure.message}
    if failure.code is not None:
        error["details"] = {"error_code": failure.code}
    return {"type": "error", "error": error, "request_id": request_id}


def headers_of(number: int) -> Headers:
    """What every answer carries."""
    limits = [("requests", 4000), ("tokens", 500_000), ("input-tokens", 400_000), ("output-tokens", 80_000)]
    return (
        ("request-id", request_id(number)),
        ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
        *(
            (f"anthropic-ratelimit-{name}-{key}", value)
            for name, most in limits
            for key, value in (("limit", str(most)), ("remaining", str(most - 1)), ("reset", _LATER))
        ),
    )


def request_id(number: int) -> str:
    """Id of a request."""
    return f"req_{number:024d}"


def prompt_text(asked: Mapping[str, Json]) -> str:
    """Everything that a request says, for counting."""
    texts = [*texts_of(asked.get("system"))]
    for message in as_array(asked.get("messages")):
        texts.extend(_message_texts(as_object(message)))
    return " ".join(texts)


def last_said(asked: Mapping[str, Json]) -> str:
    """The text of the last message."""
    return " ".join(_message_texts(as_object((as_array(asked.get("messages")) or [None])[-1])))


def _message_texts(message: JsonObject) -> Iterator[str]:
    yield from (text for text in texts_of(message.get("content")) if text)
    for part in as_array(message.get("content")):
        yield from texts_of(as_object(part).get("content"))


def sealed(thought: Thought, number: int, index: int) -> str:
    """The payload of a thought: the given one, or one that follows from its place."""
    if thought.sealed is not None:
        return thought.sealed
    return base64.b64encode(f"sealed thought {index} of answer {number}".encode()).decode()


def shown(say: Say, asked: Mapping[str, Json]) -> tuple[_Shown, ...]:
    """The parts that become content; what was thought stays untold where the request wants it so."""
    omitted = as_object(asked.get("thinking")).get("display") == "omitted"
    blocks = (block for block in say.blocks() if not isinstance(block, Declined))
    return tuple(
        Thought(sealed=block.sealed, redacted=block.redacted)
        if omitted and isinstance(block, Thought)
        else block
        for block in blocks
    )


def usage_of(say: Say, asked: Mapping[str, Json]) -> JsonObject | None:
    """What the vendor says that it counted; None for nothing."""
    if say.usage == "missing":
        return None
    if not isinstance(say.usage, str):
        return {**say.usage}
    out, thought = counted(say.blocks())
    return {
        "input_tokens": count(prompt_text(asked)),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": out,
        "output_tokens_details": {"thinking_tokens": thought},
        "service_tier": say.service_tier or "standard",
        "inference_geo": "global",
        "speed": "standard",
    }


def _stop(say: Say) -> JsonObject:
    blocks = say.blocks()
    declined = next((block for block in blocks if isinstance(block, Declined)), None)
    details: Json = None if say.finish_details is None else {**say.finish_details}
    if declined is not None and details is None:
        details = {"type": "refusal", "category": None, "explanation": declined.text}
    if say.finish is not None:
        reason = say.finish
    elif declined is not None:
        reason = "refusal"
    elif any(isinstance(block, ToolUse) for block in blocks):
        reason = "tool_use"
    else:
        reason = "end_turn" if say.stop_sequence is None else "stop_sequence"
    return {"stop_reason": reason, "stop_sequence": say.stop_sequence, "stop_details": details}


def whole(say: Say, asked: Mapping[str, Json], number: int) -> JsonObject:
    """A whole message.

    Args:
        say: What is said.
        asked: What was asked.
        number: Which answer it is.
    """
    content: list[Json] = [_whole_block(block, number, at) for at, block in enumerate(shown(say, asked))]
    usage = usage_of(say, asked)
    message: JsonObject = {**_message(asked, number), "content": content, **_stop(say)}
    if usage is not None:
        message["usage"] = usage
    return message


def _message(asked: Mapping[str, Json], number: int) -> JsonObject:
    return {
        "id": f"msg_{number:024d}",
        "type": "message",
        "role": "assistant",
        "model": asked.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }


def _whole_block(block: _Shown, number: int, index: int) -> JsonObject:
    match block:
        case Spoken():
            text: JsonObject = {"type": "text", "text": said(block)}
            return {**text, "citations": _citations(block)} if block.citations else text
        case Thought() if block.redacted:
            return {"type": "redacted_thinking", "data": sealed(block, number, index)}
        case Thought():
            signature = sealed(block, number, index)
            return {"type": "thinking", "thinking": said(block), "signature": signature}
        case ToolUse():
            return {**_call(block, number, index), "input": _parsed(block.arguments)}
        case RawBlock():
            return {**block.block}


def _call(call: ToolUse, number: int, index: int) -> JsonObject:
    name = call.id or f"toolu_{number:020d}{index:04d}"
    return {"type": "tool_use", "id": name, "name": call.name, "input": {}}


def _parsed(arguments: str) -> Json:
    """The arguments as a value; the text itself where it is no JSON."""
    try:
        return parse_json(arguments)
    except ValueError:
        return arguments


def _citations(spoken: Spoken) -> list[Json]:
    return [_citation(one) if isinstance(one, Citation) else {**one} for one in spoken.citations]


def _citation(citation: Citation) -> JsonObject:
    if citation.url is not None:
        return {
            "type": "web_search_result_location",
            "cited_text": citation.text,
            "url": citation.url,
            "title": citation.title,
            "encrypted_index": base64.b64encode(citation.url.encode()).decode(),
        }
    return {
        "type": "char_location",
        "cited_text": citation.text,
        "document_index": citation.index,
        "document_title": citation.title,
        "start_char_index": citation.start,
        "end_char_index": citation.end,
        "file_id": None,
    }


def frames(say: Say, asked: Mapping[str, Json], number: int) -> Iterator[Frame]:
    """The events of a streamed message, as `whole` says it."""
    usage = usage_of(say, asked)
    message = _message(asked, number)
    if usage is not None:
        message["usage"] = {**usage, "output_tokens": 1, "output_tokens_details": None}
    yield Frame({"type": "message_start", "message": message})
    for index, block in enumerate(shown(say, asked)):
        started, deltas = _streamed_block(block, number, index)
        yield Frame({"type": "content_block_start", "index": index, "content_block": started})
        if index == 0:
            yield Frame({"type": "ping"})
        for delta in deltas:
            sealing = delta["type"] in ("signature_delta", "citations_delta")
            event: JsonObject = {"type": "content_block_delta", "index": index, "delta": delta}
            yield Frame(event, "same" if sealing else "piece")
        yield Frame({"type": "content_block_stop", "index": index}, "close")
    ending: JsonObject = {"type": "message_delta", "delta": _stop(say)}
    if usage is not None:
        ending["usage"] = {key: usage[key] for key in _DELTA_USAGE if key in usage}
    yield Frame(ending, "close")
    yield Frame({"type": "message_stop"}, "end")


def _streamed_block(block: _Shown, number: int, index: int) -> tuple[JsonObject, Sequence[JsonObject]]:
    """A block as it begins, and what comes after."""
    match block:
        case Spoken():
            begun: JsonObject = {"type": "text", "text": ""}
            cited: list[JsonObject] = [
                {"type": "citations_delta", "citation": one} for one in _citations(block)
            ]
            texts: list[JsonObject] = [{"type": "text_delta", "text": piece} for piece in pieces_of(block)]
            return ({**begun, "citations": []} if cited else begun), [*texts, *cited]
        case Thought() if not block.redacted:
            thought: list[JsonObject] = [
                {"type": "thinking_delta", "thinking": piece} for piece in pieces_of(block)
            ]
            signed: JsonObject = {"type": "signature_delta", "signature": sealed(block, number, index)}
            return {"type": "thinking", "thinking": "", "signature": ""}, [*thought, signed]
        case ToolUse():
            pieces = () if block.arguments == "{}" and block.pieces is None else pieces_of(block)
            return _call(block, number, index), [_json_delta(piece) for piece in ("", *pieces)]
        case RawBlock() if "input" in block.block:
            return {**block.block, "input": {}}, [_json_delta(dump_json(block.block["input"]))]
        case _:
            return _whole_block(block, number, index), ()


def _json_delta(piece: str) -> JsonObject:
    return {"type": "input_json_delta", "partial_json": piece}


def models_page(models: Sequence[str], query: Mapping[str, str]) -> JsonObject:
    """A page of the models.

    Args:
        models: All of them.
        query: `limit`, and `after_id` or `before_id`.
    """
    most = int(query.get("limit", "20"))
    after, before = as_text(query.get("after_id")), as_text(query.get("before_id"))
    start = models.index(after) + 1 if after in models else 0
    end = models.index(before) if before in models else len(models)
    if before is not None:
        start = max(start, end - most)
    page = models[start : min(end, start + most)]
    more = start > 0 if before is not None else start + len(page) < len(models)
    return {
        "data": [model_info(name) for name in page],
        "has_more": more,
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }


def model_info(name: str) -> JsonObject:
    """A model that can do everything."""
    yes: JsonObject = {"supported": True}
    levels: JsonObject = dict.fromkeys(("low", "medium", "high", "xhigh", "max"), yes)
    kinds: JsonObject = dict.fromkeys(("adaptive", "between_tools", "disabled", "enabled"), yes)
    able: JsonObject = {
        "batch": yes,
        "citations": yes,
        "code_execution": yes,
        "context_management": {**yes, "compact_20260112": yes},
        "effort": {**yes, **levels},
        "image_input": yes,
        "pdf_input": yes,
        "server_tools": {**yes, "code_execution": yes, "web_search": yes},
        "structured_outputs": yes,
        "thinking": {**yes, "types": kinds},
    }
    return {
        "type": "model",
        "id": name,
        "display_name": f"Simulated {name}",
        "created_at": "2026-09-21T00:00:00Z",
        "lifecycle": "active",
        "line": None,
        "deprecated_at": None,
        "retires_at": None,
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
        "capabilities": able,
    }
