"""A request, written for a vendor."""

from collections.abc import Mapping
from dataclasses import replace

from interlock_core import CompletionRequest, Json, JsonObject, Reasoning, Text
from interlock_core.jsontypes import as_object, dump_json
from interlock_providers.codecs import Rendered, Target
from interlock_providers.codecs._failed import in_words
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._functions import (
    tool_names,
    write_choice,
    write_format,
    write_logprobs,
    write_stop,
    write_tools,
)
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs._original import ParsedBytes
from interlock_providers.codecs._splice import splice
from interlock_providers.codecs.openai_chat._messages import may_send, write_messages
from interlock_providers.codecs.openai_chat._notes import DIALECT, note_of, own_fields

HEADERS = (("accept", "application/json"), ("content-type", "application/json"))


def render_request(request: CompletionRequest, target: Target, *, stream: bool) -> Rendered:
    """Write a request for a vendor; see `Codec.render_request`."""
    request, adapted = _adapted(request, target)
    names = tool_names(request)
    body = _forwarded(request, target, names, stream=stream)
    if body is None:
        request, left = _bearable(request, target)
        adapted += left
        body = to_bytes(_written(request, target, names, stream=stream))
    return Rendered(
        path="/chat/completions", headers=HEADERS, body=body, target=target, names=names, adapted=adapted
    )


def _adapted(request: CompletionRequest, target: Target) -> tuple[CompletionRequest, tuple[str, ...]]:
    """The request as this dialect can say it, and what is said in another way than it was asked."""
    adapted: list[str] = []
    if (worded := in_words(request.messages)) is not None:
        request = replace(request, messages=worded)
        adapted.append(f"that a tool failed is told in words: {target.provider} has no mark for it")
    if request.reasoning_budget is not None:
        adapted.append(
            f"reasoning_budget is left to the model: {target.provider} has only words for how much is thought"
        )
    return request, tuple(adapted)


def _bearable(request: CompletionRequest, target: Target) -> tuple[CompletionRequest, tuple[str, ...]]:
    """The request without what this server would refuse, and a sentence for each such thing."""
    left: list[str] = []
    if request.top_k is not None and not target.facts.top_k:
        request = replace(request, top_k=None)
        left.append(f"top_k is not applied: {target.provider} has none")
    thoughts = (part for message in request.messages for part in message.content)
    if any(isinstance(part, Reasoning) and not may_send(part, target) for part in thoughts):
        left.append(f"earlier reasoning that {target.provider} cannot take back is left out")
    return request, tuple(left)


def _forwarded(request: CompletionRequest, target: Target, names: ToolNames, *, stream: bool) -> bytes | None:
    """The client's own bytes with what must differ spliced in; None when more than that differs."""
    original = request.original
    if not isinstance(original, ParsedBytes) or original.dialect != DIALECT or not names.identity:
        return None
    added = _added_limit(request, original, target)
    if added is None or _holds_tool_images(request, target):
        return None
    replaced = {"model": dump_json(target.model).encode()}
    if "stream" in original.members:
        replaced["stream"] = b"true" if stream else b"false"
    elif stream:
        added["stream"] = b"true"
    wants_usage = stream and target.facts.stream_usage
    if "stream_options" in original.members:
        # Only an own wish for usage, sent on unchanged, may stay as it is.
        if not wants_usage or not original.parsed.stream_usage:
            return None
    elif wants_usage:
        added["stream_options"] = b'{"include_usage":true}'
    return splice(original.body, replace=replaced, add=added)


def _added_limit(
    request: CompletionRequest, original: ParsedBytes, target: Target
) -> dict[str, bytes] | None:
    """The limit on output tokens that was set since, if that alone was changed; None when more was."""
    changed = original.changed(request)
    if not changed:
        return {}
    name = _max_tokens_field(request, target)
    limit = request.max_tokens
    if changed != frozenset({"max_tokens"}) or limit is None or original.parsed.max_tokens is not None:
        return None
    return None if name in original.members else {name: str(limit).encode()}


def _holds_tool_images(request: CompletionRequest, target: Target) -> bool:
    """The rendering refuses these by name, so it must see them."""
    return not target.facts.tool_images and any(
        not isinstance(part, Text)
        for message in request.messages
        if message.role == "tool"
        for result in message.tool_results
        for part in result.content
    )


def _written(request: CompletionRequest, target: Target, names: ToolNames, *, stream: bool) -> JsonObject:
    note = note_of(request.extra)
    body: JsonObject = {"model": target.model}
    if stream:
        body["stream"] = True
    body["messages"] = [*write_messages(request.messages, target, names)]
    tools = write_tools(request, note, names)
    if tools:
        body["tools"] = tools
    extra = own_fields(request.extra, "")
    body.update(write_choice(request.tool_choice, note, names, own="tool_choice" not in extra))
    if request.response_format is not None:
        body["response_format"] = write_format(request.response_format)
    if request.max_tokens is not None:
        body[_max_tokens_field(request, target)] = request.max_tokens
    body.update(_sampling(request, note))
    options = as_object(extra.pop("stream_options", None))
    if stream and target.facts.stream_usage:
        options = {"include_usage": True, **options}
    if stream and options:
        body["stream_options"] = options
    for name, value in extra.items():
        body.setdefault(name, value)
    return body


def _max_tokens_field(request: CompletionRequest, target: Target) -> str:
    """The field that the client used, else the one that the server prefers."""
    used = note_of(request.extra).get("max_tokens")
    return used if used in ("max_tokens", "max_completion_tokens") else target.facts.max_tokens


def _sampling(request: CompletionRequest, note: Mapping[str, Json]) -> JsonObject:
    plain: JsonObject = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "seed": request.seed,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "n": request.n,
        "reasoning_effort": request.reasoning_effort,
        "service_tier": request.service_tier,
        "prompt_cache_key": request.cache_key,
        "user": request.user,
    }
    made: JsonObject = {name: value for name, value in plain.items() if value is not None}
    made.update(write_logprobs(request.logprobs))
    if request.stop:
        made["stop"] = write_stop(request.stop, note)
    if request.metadata:
        made["metadata"] = {**request.metadata}
    return made
