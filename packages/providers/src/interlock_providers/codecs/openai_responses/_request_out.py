"""A request, written for a vendor."""

import re
from collections.abc import Mapping
from dataclasses import replace

from interlock_core import CompletionRequest, Json, JsonObject, Reasoning
from interlock_core.errors import UnsupportedError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_providers.codecs import Rendered, Target
from interlock_providers.codecs._failed import in_words
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._functions import tool_names
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs._original import ParsedBytes
from interlock_providers.codecs._splice import splice
from interlock_providers.codecs.openai_responses._input import write_input
from interlock_providers.codecs.openai_responses._notes import DIALECT, NOTES
from interlock_providers.codecs.openai_responses._request_in import LOGPROBS
from interlock_providers.codecs.openai_responses._sister import adopted
from interlock_providers.codecs.openai_responses._told import Teller, may_send
from interlock_providers.codecs.openai_responses._tools import (
    take_others,
    write_choice,
    write_format,
    write_tools,
)

HEADERS = (("accept", "application/json"), ("content-type", "application/json"))
_SEALED = "reasoning.encrypted_content"
_PLAIN_MODELS = re.compile(r"(?:ft:)?(?:gpt-3|gpt-4|chatgpt-|gpt-5(?:\.\d)?-chat)", re.ASCII)
"""Models that do not reason, and refuse to be asked for sealed reasoning."""
_BUDGETS = ((0, "none"), (2_048, "low"), (8_192, "medium"))
"""Most tokens of reasoning, and the effort that comes nearest."""


def render_request(request: CompletionRequest, target: Target, *, stream: bool) -> Rendered:
    """Write a request for a vendor; see `Codec.render_request`."""
    request = adopted(request)
    names = tool_names(request)
    adapted: tuple[str, ...] = ()
    if (worded := in_words(request.messages)) is not None:
        request = replace(request, messages=worded)
        adapted = (f"that a tool failed is told in words: {target.provider} has no mark for it",)
    body = _forwarded(request, target, names, stream=stream)
    if body is None:
        _refuse(request)
        teller = Teller(target, names, stored=NOTES.of(request.extra).get("store") is True)
        body = to_bytes(_written(request, target, names, teller, stream=stream))
        adapted += tuple(teller.adapted)
    return Rendered(
        path="/responses", headers=HEADERS, body=body, target=target, names=names, adapted=adapted
    )


def _forwarded(request: CompletionRequest, target: Target, names: ToolNames, *, stream: bool) -> bytes | None:
    """The client's own bytes with what must differ spliced in; None when more than that differs."""
    original = request.original
    if not isinstance(original, ParsedBytes) or original.dialect != DIALECT or not names.identity:
        return None
    note = NOTES.of(request.extra)
    added = _added_limit(request, original)
    if added is None or not _may_forward(request, target, note, stream=stream):
        return None
    replaced = {"model": dump_json(target.model).encode()}
    if "stream" in original.members:
        replaced["stream"] = b"true" if stream else b"false"
    elif stream:
        added["stream"] = b"true"
    if "store" not in note:
        (replaced if "store" in original.members else added)["store"] = b"false"
        if _reasons(target.model):
            if "include" in original.members:
                return None
            added["include"] = to_bytes([_SEALED])
    return splice(original.body, replace=replaced, add=added)


def _may_forward(request: CompletionRequest, target: Target, note: JsonObject, *, stream: bool) -> bool:
    """Whether the vendor may be told the conversation in the client's own bytes."""
    stored = note.get("store") is True
    options = "stream_options" in as_object(note.get("plain")) or "stream_options" in request.extra
    kept = (part for message in request.messages for part in message.content)
    thoughts = (may_send(part, target, stored=stored) for part in kept if isinstance(part, Reasoning))
    return note.get("sealed") is not True and (stream or not options) and all(thoughts)


def _added_limit(request: CompletionRequest, original: ParsedBytes) -> dict[str, bytes] | None:
    """The limit on output tokens that was set since, if that alone was changed; None when more was."""
    changed = original.changed(request)
    if not changed:
        return {}
    limit = request.max_tokens
    if changed != frozenset({"max_tokens"}) or limit is None or "max_output_tokens" in original.members:
        return None
    return {"max_output_tokens": str(limit).encode()}


def _reasons(model: str) -> bool:
    return _PLAIN_MODELS.match(model.rpartition("/")[2]) is None


def _refuse(request: CompletionRequest) -> None:
    """What the dialect cannot do, and nothing comes near to.

    Raises:
        UnsupportedError: It is asked for.
    """
    if request.stop:
        raise UnsupportedError(
            "stop is not supported by the Responses API.",
            field="stop",
            remedy="Leave it out and cut the answer there, or choose a model that is spoken to otherwise.",
        )
    if request.n is not None and request.n > 1:
        raise UnsupportedError(
            "n is not supported by the Responses API, which gives one answer a request.",
            field="n",
            remedy="Ask as often as answers are wanted, or choose a model that is spoken to otherwise.",
        )


def _written(
    request: CompletionRequest, target: Target, names: ToolNames, teller: Teller, *, stream: bool
) -> JsonObject:
    note = NOTES.of(request.extra)
    extra = NOTES.own(request.extra, "")
    others = take_others(extra)
    body: JsonObject = {"model": target.model}
    if stream:
        body["stream"] = True
    body["store"] = note.get("store") is True
    if include := _include(request, note, target):
        body["include"] = include
    body.update(write_input(request.messages, teller))
    tools = write_tools(request.tools, note, names)
    for index, tool in others:
        tools.insert(index, tool)
    if tools:
        body["tools"] = tools
    body.update(write_choice(request.tool_choice, note, names, own="tool_choice" not in extra))
    body.update(settings(request, note))
    if request.response_format is not None:
        body["text"] = {"format": write_format(request.response_format)}
    _nest(body, extra, "text")
    _nest(body, extra, "reasoning")
    for name, value in {**as_object(note.get("plain")), **extra}.items():
        if name != "stream_options" or stream:
            body[name] = _joined(body.get(name), value) if name == "stream_options" else body.get(name, value)
    _adapt(request, teller, body)
    return body


def _nest(body: JsonObject, extra: JsonObject, name: str) -> None:
    """Put further fields of an object beside those that the vocabulary knows, which win."""
    more = as_object(extra.pop(name, None))
    if more:
        body[name] = {**more, **as_object(body.get(name))}


def _joined(one: Json, other: Json) -> Json:
    return {**as_object(one), **as_object(other)}


def _include(request: CompletionRequest, note: Mapping[str, Json], target: Target) -> list[Json]:
    said = note.get("include")
    wanted = [item for item in as_array(said) if item != LOGPROBS]
    if note.get("store") is None and _reasons(target.model) and _SEALED not in wanted:
        wanted.append(_SEALED)
    if request.logprobs is not None:
        wanted.append(LOGPROBS)
    return wanted


def settings(request: CompletionRequest, note: Mapping[str, Json]) -> JsonObject:
    """The fields that the vocabulary has a plain word for."""
    plain: JsonObject = {
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_logprobs": request.logprobs or None,
        "service_tier": request.service_tier,
        "prompt_cache_key": request.cache_key,
        "user" if note.get("user") == "user" else "safety_identifier": request.user,
    }
    made: JsonObject = {name: value for name, value in plain.items() if value is not None}
    reasoning = dict(as_object(note.get("reasoning")))
    effort = request.reasoning_effort or _effort(request.reasoning_budget)
    if effort is not None:
        reasoning = {"effort": effort, **reasoning}
    if reasoning:
        made["reasoning"] = reasoning
    if request.metadata:
        made["metadata"] = {**request.metadata}
    return made


def _effort(budget: int | None) -> str | None:
    if budget is None:
        return None
    return next((word for most, word in _BUDGETS if budget <= most), "high")


def _adapt(request: CompletionRequest, teller: Teller, body: JsonObject) -> None:
    """Say what is done in another way."""
    if request.seed is not None:
        teller.adapt("seed is left to chance: the Responses API has none")
    if request.presence_penalty:
        teller.adapt("presence_penalty is not applied: the Responses API has none")
    if request.frequency_penalty:
        teller.adapt("frequency_penalty is not applied: the Responses API has none")
    if request.top_k is not None:
        teller.adapt("top_k is not applied: the Responses API has none")
    if request.reasoning_budget is not None:
        effort = as_object(body.get("reasoning")).get("effort")
        teller.adapt(
            f"reasoning_budget is told as reasoning effort {effort}: the Responses API has no budget"
        )
