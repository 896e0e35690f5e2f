"""The JSON of OpenAI's Responses API, written from its API reference and the types of its SDK."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text
from interlock_providers.testing._script import (
    Block,
    Citation,
    Declined,
    Failure,
    RawBlock,
    Say,
    Spoken,
    Thought,
    ToolUse,
)
from interlock_providers.testing._words import CREATED, count, counted, said, texts_of

ENCRYPTED = "reasoning.encrypted_content"
"""What a request includes to get reasoning that it can give back by itself."""

_REASONS = frozenset({"max_output_tokens", "max_messages", "content_filter", "steered"})
_CODES = frozenset({"server_error", "rate_limit_exceeded", "invalid_prompt", "bio_policy"})


@dataclass(frozen=True, slots=True)
class Item:
    """An output item and the parts of the script that it tells.

    Attributes:
        body: The item as it ends.
        blocks: What it tells; several parts for a message, else one.
    """

    body: JsonObject
    blocks: tuple[Block, ...]


def prompt_text(asked: Mapping[str, Json]) -> str:
    """Everything that a request says, for counting."""
    given = asked.get("input")
    texts = [*texts_of(asked.get("instructions")), *([given] if isinstance(given, str) else [])]
    for item in as_array(given):
        texts.extend(_item_texts(as_object(item)))
    return " ".join(text for text in texts if text)


def last_said(asked: Mapping[str, Json]) -> str:
    """The text of the last item."""
    given = asked.get("input")
    return given if isinstance(given, str) else prompt_text({"input": as_array(given)[-1:]})


def _item_texts(item: JsonObject) -> Iterator[str]:
    yield from texts_of(item.get("content"))
    yield from texts_of(item.get("output"))
    yield as_text(item.get("arguments")) or ""


def status_of(say: Say) -> str:
    """How the answer ends, in the vendor's word."""
    if say.finish in _REASONS:
        return "incomplete"
    return say.finish or "completed"


def answer_of(say: Say, asked: Mapping[str, Json], number: int) -> JsonObject:
    """The response, whole.

    Args:
        say: What is said.
        asked: What was asked.
        number: Which answer it is.
    """
    status = status_of(say)
    output: list[Json] = [item.body for item in items_of(say, asked, number)]
    response = started(say, asked, number)
    response.update({"status": status, "output": output})
    if status == "completed":
        response["completed_at"] = CREATED
    if status == "incomplete":
        reason: JsonObject = {"reason": say.finish if say.finish in _REASONS else "max_output_tokens"}
        response["incomplete_details"] = reason if say.finish_details is None else {**say.finish_details}
    if status == "failed":
        response["error"] = _error(say)
    usage = usage_of(say, asked)
    if usage is not None:
        response["usage"] = usage
    else:
        del response["usage"]
    return response


def _error(say: Say) -> JsonObject:
    if say.finish_details is not None:
        return {**say.finish_details}
    failure = say.fail or Failure.server_error()
    code = failure.code if failure.code in _CODES else "server_error"
    return {
        "code": "invalid_prompt" if failure.means == "content_policy" else code,
        "message": failure.message,
    }


def usage_of(say: Say, asked: Mapping[str, Json]) -> Json:
    """What the vendor says that it counted; None for nothing."""
    if say.usage == "missing":
        return None
    if not isinstance(say.usage, str):
        return {**say.usage}
    into = count(prompt_text(asked))
    out, thought = counted(say.blocks())
    return {
        "input_tokens": into,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": out,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": into + out,
    }


def started(say: Say, asked: Mapping[str, Json], number: int) -> JsonObject:
    """The response as it begins: what was asked, repeated, and nothing said yet."""
    text = as_object(asked.get("text"))
    reasoning = as_object(asked.get("reasoning"))
    choice = asked.get("tool_choice")
    return {
        "id": f"resp_{number:024d}",
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "max_tool_calls": asked.get("max_tool_calls"),
        "metadata": as_object(asked.get("metadata")),
        "model": asked.get("model"),
        "output": [],
        "parallel_tool_calls": asked.get("parallel_tool_calls") is not False,
        "previous_response_id": asked.get("previous_response_id"),
        "prompt_cache_key": asked.get("prompt_cache_key"),
        "prompt_cache_retention": asked.get("prompt_cache_retention"),
        "reasoning": {"effort": None, "summary": None, **reasoning},
        "safety_identifier": asked.get("safety_identifier"),
        "service_tier": say.service_tier or "default",
        "temperature": _or(asked.get("temperature"), 1.0),
        "text": {"format": {"type": "text"}, "verbosity": "medium", **text},
        "tool_choice": "auto" if choice is None else choice,
        "tools": [_tool(as_object(tool)) for tool in as_array(asked.get("tools"))],
        "top_logprobs": _or(asked.get("top_logprobs"), 0),
        "top_p": _or(asked.get("top_p"), 1.0),
        "truncation": _or(asked.get("truncation"), "disabled"),
        "usage": None,
        "user": asked.get("user"),
    }


def _or(given: Json, usual: Json) -> Json:
    return usual if given is None else given


def _tool(tool: JsonObject) -> JsonObject:
    """A tool as the vendor repeats it: functions are strict unless they say otherwise."""
    if tool.get("type") != "function":
        return tool
    strict = tool.get("strict") is not False
    return {"description": None, "parameters": None, **tool, "strict": strict}


def items_of(say: Say, asked: Mapping[str, Json], number: int) -> list[Item]:
    """The output items: texts and refusals side by side are one message."""
    encrypted = ENCRYPTED in as_array(asked.get("include"))
    items: list[Item] = []
    calls = 0
    for group in _groups(say.blocks()):
        name = f"{number:020d}{len(items):04d}"
        match group[0]:
            case Thought():
                items.append(Item(_reasoning(group[0], name, encrypted=encrypted), group))
            case ToolUse():
                items.append(Item(_call(group[0], name, calls), group))
                calls += 1
            case RawBlock():
                items.append(Item({**group[0].block}, group))
            case _:
                items.append(Item(_message(group, name, say.logprobs), group))
    if items and status_of(say) == "incomplete" and "status" in items[-1].body:
        items[-1].body["status"] = "incomplete"
    return items


def _groups(blocks: Sequence[Block]) -> Iterator[tuple[Block, ...]]:
    group: tuple[Block, ...] = ()
    for block in blocks:
        if isinstance(block, Spoken | Declined):
            group = (*group, block)
            continue
        if group:
            yield group
            group = ()
        yield (block,)
    if group:
        yield group


def sealed(thought: Thought, name: str) -> str:
    """The payload of a thought: the given one, or one that follows from its item."""
    if thought.sealed is not None:
        return thought.sealed
    return base64.b64encode(f"encrypted thought {name}".encode()).decode()


def _reasoning(thought: Thought, name: str, *, encrypted: bool) -> JsonObject:
    text = said(thought)
    told = bool(text) and not thought.redacted
    item: JsonObject = {"id": f"rs_{name}", "type": "reasoning", "summary": []}
    if told and thought.raw:
        item["content"] = [{"type": "reasoning_text", "text": text}]
    elif told:
        item["summary"] = [{"type": "summary_text", "text": text}]
    if encrypted:
        item["encrypted_content"] = sealed(thought, name)
    return item


def _call(call: ToolUse, name: str, index: int) -> JsonObject:
    return {
        "id": f"fc_{name}",
        "type": "function_call",
        "status": "completed",
        "arguments": call.arguments,
        "call_id": call.id or f"call_{index}",
        "name": call.name,
    }


def _message(blocks: Sequence[Block], name: str, logprobs: Json) -> JsonObject:
    return {
        "id": f"msg_{name}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part_of(block, logprobs if index == 0 else None) for index, block in enumerate(blocks)],
    }


def part_of(block: Block, logprobs: Json = None) -> JsonObject:
    """A part of a message, whole."""
    if isinstance(block, Declined):
        return {"type": "refusal", "refusal": block.text}
    assert isinstance(block, Spoken)
    text = said(block)
    return {
        "type": "output_text",
        "text": text,
        "annotations": annotations_of(block),
        "logprobs": logprobs_of(logprobs),
    }


def logprobs_of(logprobs: Json) -> list[Json]:
    """Log probabilities as a list, also where the script has them as Chat Completions does."""
    return as_array(as_object(logprobs).get("content")) if isinstance(logprobs, dict) else as_array(logprobs)


def annotations_of(spoken: Spoken) -> list[Json]:
    """What a text stands on."""
    return [_annotation(one) if isinstance(one, Citation) else {**one} for one in spoken.citations]


def _annotation(citation: Citation) -> JsonObject:
    if citation.url is None:
        named: JsonObject = {"file_id": citation.source, "filename": citation.title or citation.source}
        return {"type": "file_citation", **named, "index": citation.index}
    return {
        "type": "url_citation",
        "start_index": citation.start,
        "end_index": citation.end,
        "url": citation.url,
        "title": citation.title or citation.url,
    }
