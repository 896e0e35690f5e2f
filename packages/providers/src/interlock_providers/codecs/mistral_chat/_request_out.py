"""A request, written for a vendor."""

from collections.abc import Mapping

from interlock_core import CompletionRequest, Json, JsonObject, Text
from interlock_core.errors import UnsupportedError
from interlock_core.jsontypes import as_array, as_object, as_text, dump_json
from interlock_providers.codecs import Headers, Rendered, Target
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._functions import (
    tool_names,
    write_choice,
    write_format,
    write_logprobs,
    write_stop,
    write_tools,
)
from interlock_providers.codecs._notes import PREFIX
from interlock_providers.codecs._original import ParsedBytes
from interlock_providers.codecs._splice import splice
from interlock_providers.codecs.mistral_chat._ids import CallIds
from interlock_providers.codecs.mistral_chat._messages import write_messages
from interlock_providers.codecs.mistral_chat._notes import DIALECT, NOTES
from interlock_providers.codecs.mistral_chat._wire import Wire

FORCED = ("any", "required")
"""The dialect's words for a tool call that must be made."""
HOTTEST = 1.5
"""The highest temperature that the vendor takes."""
_TIERS: Mapping[str, str] = {
    "auto": "auto",
    "priority": "auto",
    "standard_only": "standard_only",
    "default": "standard_only",
    "standard": "standard_only",
}
_PLAIN_TIERS = frozenset({"auto", "standard_only", "default", "standard"})


def headers_for(*, stream: bool) -> Headers:
    """The headers of the dialect."""
    accepted = "text/event-stream" if stream else "application/json"
    return (("accept", accepted), ("content-type", "application/json"))


def render_request(request: CompletionRequest, target: Target, *, stream: bool) -> Rendered:
    """Write a request for a vendor; see `Codec.render_request`."""
    wire = Wire(target=target, names=tool_names(request), ids=_call_ids(request))
    body = _forwarded(request, wire, target, stream=stream)
    if body is None:
        body = to_bytes(_written(request, wire, target, stream=stream))
    return Rendered(
        path="/v1/chat/completions",
        headers=headers_for(stream=stream),
        body=body,
        target=target,
        names=wire.names,
        adapted=tuple(wire.adapted),
    )


def _call_ids(request: CompletionRequest) -> CallIds:
    called = [call.id for message in request.messages for call in message.tool_calls]
    answered = [result.call_id for message in request.messages for result in message.tool_results]
    return CallIds([*called, *answered])


def _forwarded(request: CompletionRequest, wire: Wire, target: Target, *, stream: bool) -> bytes | None:
    """The client's own bytes with what must differ spliced in; None when more than that differs."""
    original = request.original
    if not isinstance(original, ParsedBytes) or original.dialect != DIALECT:
        return None
    changed = original.changed(request)
    limit = request.max_tokens
    limited = (
        changed == frozenset({"max_tokens"}) and "max_tokens" not in original.members and limit is not None
    )
    if not (wire.names.identity and wire.ids.identity) or (changed and not limited):
        return None
    if _must_look(request, target):
        return None
    replaced = {"model": dump_json(target.model).encode()}
    added = {"max_tokens": str(limit).encode()} if limited else {}
    (replaced if "stream" in original.members else added)["stream"] = b"true" if stream else b"false"
    return splice(original.body, replace=replaced, add=added)


def _must_look(request: CompletionRequest, target: Target) -> bool:
    """The rendering adds what the client left out, or refuses or leaves out what the server does not take."""
    if any(NOTES.of(message.extra).get("ids") == "made" for message in request.messages):
        return True
    if not target.facts.reasoning:
        return True
    return not target.facts.tool_images and any(
        not isinstance(part, Text)
        for message in request.messages
        for result in message.tool_results
        for part in result.content
    )


def _written(request: CompletionRequest, wire: Wire, target: Target, *, stream: bool) -> JsonObject:
    note = NOTES.of(request.extra)
    extra = NOTES.own(request.extra, "")
    _refuse_foreign_tools(request.extra)
    body: JsonObject = {"model": target.model}
    body["messages"] = [*write_messages(request.messages, target, wire)]
    body["stream"] = stream
    tools = write_tools(request, note, wire.names)
    if tools:
        body["tools"] = tools
    own = "tool_choice" not in extra
    body.update(write_choice(request.tool_choice, note, wire.names, own=own, forced=FORCED[0]))
    body.update(_format(request, wire))
    body.update(_sampling(request, wire))
    body.update(_options(request, wire, own=NOTES.key in request.extra))
    if request.stop:
        body["stop"] = write_stop(request.stop, note)
    for name, value in extra.items():
        body.setdefault(name, value)
    return body


def _refuse_foreign_tools(extra: Mapping[str, Json]) -> None:
    """Tools that only the vendor of another dialect runs cannot be offered here.

    Raises:
        UnsupportedError: There is one; `field` names it.
    """
    for name, value in extra.items():
        others = as_array(as_object(value).get("other_tools")) if name.startswith(PREFIX) else []
        if not others or name == NOTES.key:
            continue
        place, tool = (*as_array(others[0]), None, None)[:2]
        kind = as_text(as_object(tool).get("type")) or "another"
        raise UnsupportedError(
            f"tools[{place}] is a tool of the type {kind}, which the dialect {DIALECT} has not.",
            field=f"tools[{place}]",
            remedy="Offer it as a function, or choose a model that is spoken to in the request's dialect.",
        )


def _format(request: CompletionRequest, wire: Wire) -> JsonObject:
    wanted = request.response_format
    if wanted is None:
        return {}
    if wanted.kind == "json_schema" and wanted.schema is None:
        wire.adapt("any JSON object is asked for", "takes no form without a schema")
        return {"response_format": {"type": "json_object"}}
    return {"response_format": write_format(wanted)}


def _sampling(request: CompletionRequest, wire: Wire) -> JsonObject:
    temperature = request.temperature
    if temperature is not None and temperature > HOTTEST and NOTES.key not in request.extra:
        wire.adapt(f"temperature is {HOTTEST}", f"takes no more than that, and {temperature:g} was asked")
        temperature = HOTTEST
    plain: JsonObject = {
        "max_tokens": request.max_tokens,
        "temperature": temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "random_seed": request.seed,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "n": request.n,
    }
    made: JsonObject = {name: value for name, value in plain.items() if value is not None}
    return {**made, **write_logprobs(request.logprobs)}


def _options(request: CompletionRequest, wire: Wire, *, own: bool) -> JsonObject:
    plain: JsonObject = {
        "reasoning_effort": _effort(request, wire),
        "service_tier": request.service_tier if own else _tier(request.service_tier, wire),
        "prompt_cache_key": request.cache_key,
        "metadata": {**request.metadata} or None,
    }
    if request.user is not None:
        wire.adapt("user is not told", "has no place for it")
    return {name: value for name, value in plain.items() if value is not None}


def _effort(request: CompletionRequest, wire: Wire) -> str | None:
    """How much is to be thought: the vendor knows only words for it.

    Raises:
        UnsupportedError: It is bounded by a number, and no word says how much is wanted.
    """
    budget, effort = request.reasoning_budget, request.reasoning_effort
    if budget is None:
        return effort
    if effort is not None:
        wire.adapt("reasoning_budget is left to the model", "has only words for how much is thought")
        return effort
    if budget > 0:
        raise UnsupportedError(
            f"reasoning_budget cannot be told: the dialect {DIALECT} has only words for how much is thought.",
            field="reasoning_budget",
            remedy="Say it as reasoning_effort, such as low or high, or leave it out.",
        )
    wire.adapt("reasoning_effort none stands for a reasoning_budget of 0", "has only words for it")
    return "none"


def _tier(tier: str | None, wire: Wire) -> str | None:
    if tier is None:
        return None
    said = _TIERS.get(tier, "standard_only")
    if tier not in _PLAIN_TIERS:
        wire.adapt(f"service_tier is {said}", f"has none that is called {tier}")
    return said
