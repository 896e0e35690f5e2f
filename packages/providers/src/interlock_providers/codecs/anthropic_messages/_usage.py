"""Usage and finish reasons, both ways."""

from collections.abc import Mapping

from interlock_core import FinishReason, Json, JsonObject, Usage
from interlock_core.jsontypes import as_int, as_object, as_text

_FINISHES = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.CONTEXT,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.FILTERED,
    "pause_turn": FinishReason.PAUSED,
}
_WORDS = {
    **{finish: word for word, finish in _FINISHES.items()},
    FinishReason.ERROR: "end_turn",
    FinishReason.UNKNOWN: "end_turn",
}
_TIERS = frozenset({"standard", "priority", "batch"})
_SERVED = ("web_search_requests", "web_fetch_requests")
_EVERYWHERE = frozenset({None, "", "global", "not_available"})

NO_USAGE: Mapping[str, Json] = {"input_tokens": 0, "output_tokens": 0}
"""What a client is told where nothing is known: the dialect has no way to say so."""


def read_finish(native: str | None) -> FinishReason:
    """Why the model stopped."""
    return _FINISHES.get(native or "", FinishReason.UNKNOWN)


def write_finish(finish: FinishReason, native: str | None) -> str:
    """The dialect's word: the vendor's own where it is one of the dialect."""
    return native if native in _FINISHES else _WORDS[finish]


def read_usage(value: Json) -> Usage | None:
    """Tokens as the vendor counted them; None when it did not, or counted what cannot be.

    The vendor counts input from the cache beside the rest; here the total holds it.
    """
    if not isinstance(value, dict):
        return None
    plain, made = as_int(value.get("input_tokens")), as_int(value.get("output_tokens"))
    if plain is None or made is None or plain < 0 or made < 0:
        return None
    read, write = _count(value, "cache_read_input_tokens"), _count(value, "cache_creation_input_tokens")
    split = as_object(value.get("cache_creation"))
    hour = _count(split, "ephemeral_1h_input_tokens")
    write = max(write, hour + _count(split, "ephemeral_5m_input_tokens"))
    thought = _count(as_object(value.get("output_tokens_details")), "thinking_tokens")
    served = as_object(value.get("server_tool_use"))
    requests = {name: _count(served, name) for name in served}
    return Usage(
        input_tokens=plain + read + write,
        output_tokens=made,
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=min(hour, write),
        reasoning_tokens=min(thought, made),
        requests={name: count for name, count in requests.items() if count},
    )


def _count(value: Mapping[str, Json], name: str) -> int:
    return max(as_int(value.get(name)) or 0, 0)


def read_tier(value: Json) -> str | None:
    """What the price depends on beside tokens: the tier, the faster mode, or a region that costs more."""
    usage = as_object(value)
    if usage.get("speed") == "fast":
        return "fast"
    tier, place = as_text(usage.get("service_tier")), as_text(usage.get("inference_geo"))
    return tier if place in _EVERYWHERE else f"{tier or 'standard'}/{place}"


def write_usage(usage: Usage, tier: str | None = None) -> JsonObject:
    """Tokens as the dialect says them."""
    written = usage.cache_write_tokens
    made: JsonObject = {
        "input_tokens": max(usage.input_tokens - usage.cache_read_tokens - written, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    }
    if written:
        made["cache_creation"] = {
            "ephemeral_5m_input_tokens": written - usage.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        }
    if usage.reasoning_tokens:
        made["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if usage.requests.keys() & {*_SERVED}:
        made["server_tool_use"] = {name: usage.requests.get(name, 0) for name in _SERVED}
    if tier in _TIERS:
        made["service_tier"] = tier
    return made
