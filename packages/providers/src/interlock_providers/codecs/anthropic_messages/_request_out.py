"""A request, written for a vendor."""

from collections.abc import Mapping, Sequence

from interlock_core import CompletionRequest, Json, JsonObject
from interlock_core.errors import UnsupportedError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_providers.catalogue import known_model
from interlock_providers.codecs import Headers, Rendered, Target
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs._original import ParsedBytes
from interlock_providers.codecs._splice import splice
from interlock_providers.codecs.anthropic_messages._form import write_form
from interlock_providers.codecs.anthropic_messages._messages_out import (
    Writer,
    call_ids,
    short,
    tool_names,
    write_messages,
)
from interlock_providers.codecs.anthropic_messages._notes import (
    DIALECT,
    NOTES,
    SAMPLING_VERSION,
    VERSION,
    Adapted,
)
from interlock_providers.codecs.anthropic_messages._reasoning import (
    abilities,
    bounded,
    own_thinking,
    write_reasoning,
)
from interlock_providers.codecs.anthropic_messages._tools import write_choice, write_tools

_PATH = "/v1/messages"
_PLAIN_HEADERS: Headers = (("accept", "application/json"), ("content-type", "application/json"))
_MAX_TOKENS = 16_384
"""Most output tokens when the request does not say: the vendor wants a number, and this one fits
a long answer and the time that a call without a stream may take."""
_SAMPLING = ("temperature", "top_p", "top_k")
_MOST_CACHED = 4
_BETAS: Mapping[str, str] = {
    "mcp_servers": "mcp-client-2025-11-20",
    "context_management": "context-management-2025-06-27",
    "speed": "fast-mode-2026-02-01",
}
"""The betas that fields of the dialect belong to, for callers who cannot send headers."""
_TIERS: Mapping[str, str] = {
    "auto": "auto",
    "standard_only": "standard_only",
    "default": "standard_only",
    "standard": "standard_only",
}


def render_request(request: CompletionRequest, target: Target, *, stream: bool) -> Rendered:
    """Write a request for a vendor; see `Codec.render_request`."""
    names = tool_names(request)
    adapted = Adapted(target.provider)
    body = _forwarded(request, target, names, stream=stream)
    if body is not None:
        version = _version(request, _sampled(request), adapted)
    else:
        written, version = _written(request, target, names, adapted, stream=stream)
        body = to_bytes(written)
    return Rendered(
        path=_PATH,
        headers=_headers(request, version),
        body=body,
        target=target,
        names=names,
        adapted=adapted.sentences,
    )


def _sampled(request: CompletionRequest) -> list[str]:
    return [name for name in _SAMPLING if getattr(request, name) is not None]


def _own_headers(request: CompletionRequest) -> dict[str, str]:
    """The dialect's headers that the client itself sent."""
    original = request.original
    return dict(original.headers) if original is not None and original.dialect == DIALECT else {}


def _version(request: CompletionRequest, sampled: Sequence[str], adapted: Adapted) -> str:
    """The version of the API: the client's own, else the newest that takes what is asked."""
    own = _own_headers(request).get("anthropic-version")
    if own is not None or not sampled:
        return own or VERSION
    adapted.say(
        f"the version {SAMPLING_VERSION} of the API is spoken: {VERSION} of {adapted.provider} "
        f"refuses {', '.join(sampled)}"
    )
    return SAMPLING_VERSION


def _headers(request: CompletionRequest, version: str) -> Headers:
    own = _own_headers(request)
    betas = [beta for beta in own.get("anthropic-beta", "").replace(" ", "").split(",") if beta]
    for name, beta in _BETAS.items():
        kind = beta[: -len("-2026-01-01")]
        if name in request.extra and not any(known.startswith(kind) for known in betas):
            betas.append(beta)
    more: Headers = (("anthropic-beta", ",".join(betas)),) if betas else ()
    return (*_PLAIN_HEADERS, ("anthropic-version", version), *more)


def _forwarded(request: CompletionRequest, target: Target, names: ToolNames, *, stream: bool) -> bytes | None:
    """The client's own bytes with what must differ spliced in; None when more than that differs."""
    original = request.original
    if not isinstance(original, ParsedBytes) or original.dialect != DIALECT or not names.identity:
        return None
    if NOTES.of(request.extra).get("sealed"):
        return None
    replaced = {"model": dump_json(target.model).encode()}
    added: dict[str, bytes] = {}
    changed = original.changed(request)
    if changed == frozenset({"max_tokens"}) and request.max_tokens is not None:
        replaced["max_tokens"] = str(request.max_tokens).encode()
    elif changed:
        return None
    if "stream" in original.members:
        replaced["stream"] = b"true" if stream else b"false"
    elif stream:
        added["stream"] = b"true"
    return splice(original.body, replace=replaced, add=added)


def _written(
    request: CompletionRequest, target: Target, names: ToolNames, adapted: Adapted, *, stream: bool
) -> tuple[JsonObject, str]:
    """The body, and the version of the API that takes it."""
    _refuse(request, target)
    note = NOTES.of(request.extra)
    own = NOTES.key in request.extra
    extra = NOTES.own(request.extra, "")
    kept_config = as_object(extra.pop("output_config", None))
    kept_metadata = as_object(extra.pop("metadata", None))
    thinking, effort = _thinking(request, note, target, adapted)
    limit = _max_tokens(request, target, thinking, adapted, own=own)
    thinking = bounded(thinking, limit, adapted)
    sampling = _sampling(request, thinking, adapted, own=own)
    version = _version(request, [*sampling], adapted)
    body: JsonObject = {"model": target.model, "max_tokens": limit}
    if stream:
        body["stream"] = True
    writer = Writer(
        target=target,
        names=names,
        ids=call_ids(request.messages),
        adapted=adapted,
        instructs=version == VERSION and (own or abilities(target.model).instructs),
        own=own,
    )
    said, form = _said(request, writer)
    body.update(said)
    tools = write_tools(request, note, names, adapted, own=own)
    if tools:
        body["tools"] = tools
    body.update(write_choice(request.tool_choice, names, tools=bool(tools)))
    config: JsonObject = {**kept_config, **({"effort": effort} if effort else {}), **form}
    cache = note.get("cache_control")
    for name, value in (("thinking", thinking), ("output_config", config), ("cache_control", cache)):
        if value:
            body[name] = value
    body.update(sampling)
    body.update(_settings(request, kept_metadata, adapted, own=own))
    kinds = as_array(note.get("tool_kinds"))
    for name, value in extra.items():
        if name not in kinds:
            body.setdefault(name, value)
    if not own:
        _bound_cache(body, adapted)
    return body, version


def _said(request: CompletionRequest, writer: Writer) -> tuple[JsonObject, JsonObject]:
    """System prompt and conversation, and the member that asks for the form of the answer."""
    system, turns = write_messages(request.messages, writer)
    form, words = write_form(request.response_format, writer.adapted, own=writer.own)
    if words is not None:
        system.append({"type": "text", "text": words})
    prompt: JsonObject = {"system": short(system)} if system else {}
    return {**prompt, "messages": turns}, form


def _sampling(request: CompletionRequest, thinking: JsonObject, adapted: Adapted, *, own: bool) -> JsonObject:
    """How the answer is sampled; a model that thinks is not told."""
    made: JsonObject = {name: getattr(request, name) for name in _sampled(request)}
    if own or not made or thinking.get("type") not in {"enabled", "adaptive"}:
        return made
    adapted.say(f"{', '.join(made)} is left out: {adapted.provider} thinks only at its own measure")
    return {}


def _bound_cache(body: JsonObject, adapted: Adapted) -> None:
    """Keep the last cuts of the prompt cache that the vendor takes in one request; they hold the others."""
    blocks = _blocks([body.get("tools"), body.get("system"), body.get("messages")])
    cut = [block for block in blocks if "cache_control" in block]
    for block in cut[:-_MOST_CACHED]:
        del block["cache_control"]
    if len(cut) > _MOST_CACHED:
        adapted.say(f"only the last {_MOST_CACHED} cache hints are told: {adapted.provider} takes no more")


def _blocks(value: Json) -> list[JsonObject]:
    """Every object of nested arrays and contents, in order."""
    if isinstance(value, list):
        return [block for item in value for block in _blocks(item)]
    return [value, *_blocks(value.get("content"))] if isinstance(value, dict) else []


def _refuse(request: CompletionRequest, target: Target) -> None:
    """What would change the meaning of the answer and cannot be said.

    Raises:
        UnsupportedError: The request asks for such a thing.
    """
    if request.n is not None and request.n > 1:
        raise _cannot(
            "n", f"{target.provider} gives one answer a request", "Ask as often as you want answers."
        )
    if request.logprobs is not None:
        raise _cannot(
            "logprobs",
            f"{target.provider} tells no log probabilities",
            "Leave logprobs out, or choose a model that has them.",
        )
    if request.temperature is not None and not 0 <= request.temperature <= 1:
        raise _cannot(
            "temperature",
            f"{target.provider} takes a temperature from 0 to 1, not {request.temperature}",
            "Send a temperature of at most 1, which is the most random that it has.",
        )
    for index, text in enumerate(request.stop):
        if not text.strip():
            raise _cannot(
                f"stop[{index}]",
                f"{target.provider} stops at no text that is only white space",
                "Stop at a text with a visible character, or cut the answer yourself.",
            )


def _cannot(field: str, why: str, remedy: str) -> UnsupportedError:
    return UnsupportedError(f"{field} cannot be had: {why}.", field=field, remedy=remedy)


def _thinking(
    request: CompletionRequest, note: Mapping[str, Json], target: Target, adapted: Adapted
) -> tuple[JsonObject, str | None]:
    """The member `thinking` and the effort; the client's own words as they were."""
    told = note.get("thinking")
    if told is None and NOTES.key in request.extra and request.reasoning_budget is None:
        return {}, request.reasoning_effort
    if told is not None and (kept := own_thinking(request, told)) is not None:
        return kept, request.reasoning_effort
    return write_reasoning(request, target.model, adapted)


def _max_tokens(
    request: CompletionRequest, target: Target, thinking: JsonObject, adapted: Adapted, *, own: bool
) -> int:
    """The limit on output, which the vendor demands, within what the model is known to give."""
    known = known_model(_KIND, target.model)
    most = None if known is None else known.max_output_tokens
    wanted = request.max_tokens
    if wanted is None:
        budget = thinking.get("budget_tokens")
        wanted = _MAX_TOKENS + (budget if isinstance(budget, int) else 0)
        wanted = wanted if most is None else min(wanted, most)
        adapted.say(f"max_tokens is {wanted}: {target.provider} demands a limit, and the request has none")
    elif most is not None and wanted > most and not own:
        wanted = most
        adapted.say(f"max_tokens is {most}: {target.model} gives no more")
    return wanted


_KIND = "anthropic"
"""The kind of provider whose catalogue knows the models of this dialect."""


def _settings(request: CompletionRequest, metadata: JsonObject, adapted: Adapted, *, own: bool) -> JsonObject:
    """The members that are one value each."""
    made: JsonObject = {}
    if request.stop:
        made["stop_sequences"] = [*request.stop]
    if request.user is not None or metadata:
        made["metadata"] = metadata if request.user is None else {"user_id": request.user, **metadata}
    if request.service_tier is not None:
        tier = request.service_tier if own else _tier(request.service_tier, adapted)
        if tier is not None:
            made["service_tier"] = tier
    if request.seed is not None:
        adapted.say(f"seed is left to chance: {adapted.provider} has none")
    for name in ("presence_penalty", "frequency_penalty", "cache_key", "metadata"):
        if getattr(request, name):
            adapted.without(name)
    return made


def _tier(asked: str, adapted: Adapted) -> str | None:
    known = _TIERS.get(asked)
    if known is not None:
        return known
    if asked == "priority":
        adapted.say(
            f"service_tier priority is told as auto: {adapted.provider} takes priority where it is bought"
        )
        return "auto"
    adapted.without(f"service_tier {asked}")
    return None
