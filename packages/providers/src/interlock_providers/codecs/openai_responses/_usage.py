"""Usage and the way an answer ended, both ways."""

from dataclasses import dataclass

from interlock_core import FinishReason, Json, JsonObject, Usage
from interlock_core.jsontypes import as_int, as_object, as_text

_INCOMPLETE = {
    "max_output_tokens": FinishReason.LENGTH,
    "max_messages": FinishReason.LENGTH,
    "content_filter": FinishReason.FILTERED,
    "steered": FinishReason.PAUSED,
}
_STATUSES = {
    "failed": FinishReason.ERROR,
    "cancelled": FinishReason.ERROR,
    "queued": FinishReason.PAUSED,
    "in_progress": FinishReason.PAUSED,
}
_REASONS = {
    FinishReason.LENGTH: "max_output_tokens",
    FinishReason.CONTEXT: "max_output_tokens",
    FinishReason.FILTERED: "content_filter",
    FinishReason.PAUSED: None,
}


def read_finish(response: JsonObject, *, calls: bool, refused: bool) -> tuple[FinishReason, str | None]:
    """Why the model stopped, and the vendor's own words for it.

    Args:
        response: The whole answer.
        calls: It asks for tool calls.
        refused: It holds a refusal.
    """
    status = as_text(response.get("status"))
    reason = as_text(as_object(response.get("incomplete_details")).get("reason"))
    if status == "incomplete":
        return _INCOMPLETE.get(reason or "", FinishReason.UNKNOWN), f"{status}:{reason}" if reason else status
    if status not in (None, "completed"):
        return _STATUSES.get(status, FinishReason.UNKNOWN), status
    if calls:
        return FinishReason.TOOL_CALLS, status
    return FinishReason.FILTERED if refused else FinishReason.STOP, status


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended, in the dialect's words.

    Attributes:
        status: Of the answer.
        details: Why it is incomplete.
        error: Why it failed.
    """

    status: str
    details: JsonObject | None = None
    error: JsonObject | None = None

    @property
    def event(self) -> str:
        """The event that ends a stream so."""
        return f"response.{self.status if self.status in ('incomplete', 'failed') else 'completed'}"


def write_finish(finish: FinishReason | None, native: str | None, *, refused: bool) -> Ending:
    """How an answer ended, in the dialect's words.

    Args:
        finish: Why the model stopped.
        native: Its vendor's own words.
        refused: The answer holds a refusal, which says for itself why there is no more.
    """
    head, _, reason = (native or "").partition(":")
    if head == "incomplete" and (reason in _INCOMPLETE or not reason):
        return Ending("incomplete", {"reason": reason or None})
    if finish is FinishReason.ERROR:
        words = "The model's vendor broke the answer off."
        return Ending("failed", error={"code": "server_error", "message": words})
    if finish is None or finish not in _REASONS or (finish is FinishReason.FILTERED and refused):
        return Ending("completed")
    return Ending("incomplete", {"reason": _REASONS[finish]})


def read_usage(response: JsonObject) -> Usage | None:
    """Tokens as the vendor counted them; None when it did not, or counted what cannot be.

    A part that is larger than its total is cut to it.
    """
    told = as_object(response.get("usage"))
    given, made = as_int(told.get("input_tokens")), as_int(told.get("output_tokens", 0))
    if given is None or made is None or given < 0 or made < 0:
        return None
    into, out = as_object(told.get("input_tokens_details")), as_object(told.get("output_tokens_details"))
    read = _part(into, "cached_tokens", given)
    written = _part(into, "cache_write_tokens", given - read)
    searches = as_int(as_object(as_object(response.get("tool_usage")).get("web_search")).get("num_requests"))
    return Usage(
        input_tokens=given,
        output_tokens=made,
        cache_read_tokens=read,
        cache_write_tokens=written,
        # The dialect's long life is twelve hours; the vocabulary knows one long life.
        cache_write_1h_tokens=_part(
            as_object(into.get("cache_write_tokens_details")), "ttl_12h_tokens", written
        ),
        reasoning_tokens=_part(out, "reasoning_tokens", made),
        requests={"web_search_requests": searches} if searches is not None and searches > 0 else {},
    )


def _part(details: JsonObject, name: str, most: int) -> int:
    return min(max(as_int(details.get(name)) or 0, 0), most)


def write_usage(usage: Usage | None) -> Json:
    """Tokens as the dialect says them."""
    if usage is None:
        return None
    into: JsonObject = {
        "cached_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
    }
    if usage.cache_write_1h_tokens:
        long = usage.cache_write_1h_tokens
        into["cache_write_tokens_details"] = {
            "ttl_12h_tokens": long,
            "ttl_30m_tokens": usage.cache_write_tokens - long,
        }
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": into,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
