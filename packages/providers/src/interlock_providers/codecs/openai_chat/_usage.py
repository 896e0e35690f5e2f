"""Usage and finish reasons, both ways."""

from interlock_core import FinishReason, Json, JsonObject, Usage
from interlock_core.jsontypes import as_int, as_object

_FINISHES = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.FILTERED,
    "error": FinishReason.ERROR,
}
_WORDS = {
    FinishReason.STOP: "stop",
    FinishReason.STOP_SEQUENCE: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.CONTEXT: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.FILTERED: "content_filter",
    FinishReason.PAUSED: "stop",
    FinishReason.ERROR: "error",
    FinishReason.UNKNOWN: "stop",
}


def read_finish(native: str | None, *, calls: bool, refused: bool) -> FinishReason:
    """Why the model stopped.

    Args:
        native: The vendor's word.
        calls: The answer asks for tool calls; some servers call that `stop`.
        refused: The answer holds a refusal, which the vendor calls `stop`.
    """
    finish = _FINISHES.get(native or "", FinishReason.UNKNOWN)
    if finish is FinishReason.STOP and calls:
        return FinishReason.TOOL_CALLS
    if finish is FinishReason.STOP and refused:
        return FinishReason.FILTERED
    return finish


def write_finish(finish: FinishReason, native: str | None) -> str:
    """The dialect's word: the vendor's own where it is one of the dialect, or where nothing else is known."""
    if native is not None and (native in _FINISHES or finish is FinishReason.UNKNOWN):
        return native
    return _WORDS[finish]


def read_usage(value: Json) -> Usage | None:
    """Tokens as the vendor counted them; None when it did not, or counted what cannot be.

    A part that is larger than its total is cut to it.
    """
    if not isinstance(value, dict):
        return None
    given, made = as_int(value.get("prompt_tokens")), as_int(value.get("completion_tokens", 0))
    if given is None or made is None or given < 0 or made < 0:
        return None
    into, out = (
        as_object(value.get("prompt_tokens_details")),
        as_object(value.get("completion_tokens_details")),
    )
    read = _part(into, "cached_tokens", given)
    return Usage(
        input_tokens=given,
        output_tokens=made,
        cache_read_tokens=read,
        cache_write_tokens=_part(into, "cache_write_tokens", given - read),
        reasoning_tokens=_part(out, "reasoning_tokens", made),
        audio_input_tokens=_part(into, "audio_tokens", given),
        audio_output_tokens=_part(out, "audio_tokens", made),
    )


def _part(details: JsonObject, name: str, most: int) -> int:
    told = details.get(name)
    return min(max(as_int(told) or 0, 0), most) if told else 0


def write_usage(usage: Usage) -> JsonObject:
    """Tokens as the dialect says them."""
    into: JsonObject = {"cached_tokens": usage.cache_read_tokens, "audio_tokens": usage.audio_input_tokens}
    if usage.cache_write_tokens:
        into["cache_write_tokens"] = usage.cache_write_tokens
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": into,
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.audio_output_tokens,
        },
    }
