"""Usage and finish reasons, both ways."""

from dataclasses import replace

from interlock_core import FinishReason, Json, JsonObject, Usage
from interlock_core.jsontypes import as_int, as_object, as_text
from interlock_providers.codecs.openai_chat._usage import read_usage as read_tokens

SECONDS = "prompt_audio_seconds"
"""The vendor's name for what it counts of sound."""
_FINISHES = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "model_length": FinishReason.CONTEXT,
    "tool_calls": FinishReason.TOOL_CALLS,
    "error": FinishReason.ERROR,
}
_WORDS = {
    FinishReason.STOP: "stop",
    FinishReason.STOP_SEQUENCE: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.CONTEXT: "model_length",
    FinishReason.TOOL_CALLS: "tool_calls",
    # The dialect has no word for an answer that was held back or that waits: none of them is a whole one.
    FinishReason.FILTERED: "error",
    FinishReason.PAUSED: "length",
    FinishReason.ERROR: "error",
    FinishReason.UNKNOWN: "stop",
}


def read_finish(native: str | None, *, calls: bool) -> FinishReason:
    """Why the model stopped.

    Args:
        native: The vendor's word.
        calls: The answer asks for tool calls; some servers call that `stop`.
    """
    finish = _FINISHES.get(native or "", FinishReason.UNKNOWN)
    return FinishReason.TOOL_CALLS if finish is FinishReason.STOP and calls else finish


def write_finish(finish: FinishReason, native: str | None) -> str:
    """The dialect's word: the vendor's own where it is one of the dialect, or where nothing else is known."""
    if native is not None and (native in _FINISHES or finish is FinishReason.UNKNOWN):
        return native
    return _WORDS[finish]


def read_usage(value: Json) -> Usage | None:
    """Tokens as the vendor counted them; None when it did not, or counted what cannot be."""
    usage = read_tokens(value)
    if usage is None:
        return None
    said = as_object(value)
    cached = as_int(said.get("num_cached_tokens")) or 0
    if not usage.cache_read_tokens and cached > 0:
        usage = replace(usage, cache_read_tokens=min(cached, usage.input_tokens))
    seconds = as_int(said.get(SECONDS)) or 0
    return replace(usage, requests={SECONDS: seconds}) if seconds > 0 else usage


def read_tier(value: Json) -> str | None:
    """The tier that served the request, which stands beside the tokens."""
    return as_text(as_object(value).get("service_tier"))


def write_usage(usage: Usage | None, tier: str | None = None) -> JsonObject:
    """Tokens as the dialect says them; nothing is said of what is not known."""
    made: JsonObject = {}
    if usage is not None:
        made = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
        }
        into: JsonObject = {"cached_tokens": usage.cache_read_tokens}
        if usage.cache_write_tokens:
            into["cache_write_tokens"] = usage.cache_write_tokens
        if usage.audio_input_tokens:
            into["audio_tokens"] = usage.audio_input_tokens
        made["prompt_tokens_details"] = into
        if usage.reasoning_tokens or usage.audio_output_tokens:
            made["completion_tokens_details"] = {
                "reasoning_tokens": usage.reasoning_tokens,
                "audio_tokens": usage.audio_output_tokens,
            }
        made.update({name: count for name, count in usage.requests.items() if name == SECONDS})
    return made if tier is None else {**made, "service_tier": tier}
