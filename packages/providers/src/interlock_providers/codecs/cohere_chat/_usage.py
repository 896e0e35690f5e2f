"""Usage and finish reasons, both ways.

The vendor tells two counts: `tokens`, which the model saw and made, and `billed_units`, which it wants
paid. The billed ones are the usage here, because cost is made from it; where they are missing, the others
stand in. What the model saw beyond that (the vendor's own instructions) is kept for clients of the dialect.
"""

import math

from interlock_core import FinishReason, Json, JsonObject, Usage
from interlock_core.jsontypes import as_number, as_object

_FINISHES = {
    "COMPLETE": FinishReason.STOP,
    "STOP_SEQUENCE": FinishReason.STOP_SEQUENCE,
    "MAX_TOKENS": FinishReason.LENGTH,
    "TOOL_CALL": FinishReason.TOOL_CALLS,
    "ERROR": FinishReason.ERROR,
    "TIMEOUT": FinishReason.ERROR,
}
_WORDS = {
    FinishReason.STOP: "COMPLETE",
    FinishReason.STOP_SEQUENCE: "STOP_SEQUENCE",
    FinishReason.LENGTH: "MAX_TOKENS",
    FinishReason.CONTEXT: "MAX_TOKENS",
    FinishReason.TOOL_CALLS: "TOOL_CALL",
    FinishReason.FILTERED: "ERROR",
    FinishReason.PAUSED: "COMPLETE",
    FinishReason.ERROR: "ERROR",
    FinishReason.UNKNOWN: "COMPLETE",
}
_UNITS = ("search_units", "classifications", "images", "pages")


def read_finish(native: str | None, *, calls: bool) -> FinishReason:
    """Why the model stopped.

    Args:
        native: The vendor's word.
        calls: The answer asks for tool calls, which some models call `COMPLETE`.
    """
    finish = _FINISHES.get(native or "", FinishReason.UNKNOWN)
    return FinishReason.TOOL_CALLS if finish is FinishReason.STOP and calls else finish


def write_finish(finish: FinishReason, native: str | None) -> str:
    """The dialect's word: the vendor's own where it is one, or where nothing else is known."""
    if native is not None and (native in _FINISHES or finish is FinishReason.UNKNOWN):
        return native
    return _WORDS[finish]


def read_usage(value: Json) -> Usage | None:
    """What is billed, as the vendor counted it; None when it counted nothing, or what cannot be.

    Cached tokens are counted with those that the model saw, so they are cut to the billed input.
    """
    if not isinstance(value, dict):
        return None
    billed, seen = as_object(value.get("billed_units")), as_object(value.get("tokens"))
    given = _first(billed, seen, "input_tokens")
    made = _first(billed, seen, "output_tokens")
    requests = {name: count for name in _UNITS if (count := _count(billed.get(name)))}
    if given is None and made is None and not requests:
        return None
    given = given or 0
    return Usage(
        input_tokens=given,
        output_tokens=made or 0,
        cache_read_tokens=min(_count(value.get("cached_tokens")) or 0, given),
        requests=requests,
    )


def _first(billed: JsonObject, seen: JsonObject, name: str) -> int | None:
    count = _count(billed.get(name))
    return _count(seen.get(name)) if count is None else count


def _count(value: Json) -> int | None:
    """A count, which the vendor writes as a float; a broken unit is billed as a whole one."""
    number = as_number(value)
    if number is None or number < 0 or not math.isfinite(number):
        return None
    return math.ceil(number)


def write_usage(usage: Usage) -> JsonObject:
    """Usage as the dialect says it."""
    tokens: JsonObject = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    made: JsonObject = {"billed_units": {**tokens, **usage.requests}, "tokens": tokens}
    if usage.cache_read_tokens:
        made["cached_tokens"] = usage.cache_read_tokens
    return made
