"""Errors, both ways: by status first, by words only where that leaves it open."""

import re
from collections.abc import Mapping

from interlock_core import Json, JsonObject
from interlock_core.errors import (
    BillingError,
    CallerError,
    ConfigurationError,
    ContentPolicyError,
    ContextLengthError,
    CredentialError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ProtocolError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import as_object, as_text, parse_json
from interlock_providers.codecs import ErrorReply, VendorReply
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._retry_after import retry_after

_BY_STATUS: Mapping[int, type[InterlockError]] = {
    401: CredentialError,
    402: BillingError,
    403: CredentialError,
    404: NotFoundError,
    408: UpstreamTimeoutError,
    409: UpstreamError,
    425: UpstreamError,
    429: UpstreamRateLimitError,
    498: CredentialError,
    499: UpstreamConnectionError,
    502: UpstreamConnectionError,
    503: OverloadedError,
    504: UpstreamTimeoutError,
    529: OverloadedError,
}
_SPOKEN_STATUSES = frozenset({400, 413, 422, 498})
"""Statuses that leave open what is wrong; 498 stands for a bad token and for a blocked prompt."""
_CONTEXT_WORDS = re.compile(
    r"too many tokens|context (?:length|window|size)|(?:prompt|input) is too long", re.IGNORECASE
)
_OUTPUT_WORDS = re.compile(r"max[ _]tokens must be", re.IGNORECASE)
_POLICY_WORDS = re.compile(
    r"blocked (?:input|output|prompt)|usage[- ]guidelines|content (?:management )?polic|content filter|"
    r"safety (?:system|polic|filter|guideline)|unsafe (?:request|prompt|content)",
    re.IGNORECASE,
)
_TIME_WORDS = re.compile(r"timed?[ -]?out", re.IGNORECASE)
_KEYS = re.compile(r"\b(?:sk|pk|rk|gsk|xai|key|ilk|Bearer|token)[-_ :]+[A-Za-z0-9_*.\-]{12,}")
_QUOTED = re.compile(r"(?<![A-Za-z0-9=])['\"](?!https?:)[^'\"]{16,}['\"]")
_MOST_WORDS = 500


def parse_error(reply: VendorReply) -> InterlockError:
    """The typed error that a vendor's error is; see `Codec.parse_error`."""
    error = _error_object(reply.body)
    words = _shown(as_text(error.get("message")) or "")
    found = _class(reply.status, words)
    if found is None:
        return ProtocolError(
            f"{reply.provider} answered with status {reply.status}, which is no answer of this dialect.",
            vendor=reply.provider,
            vendor_status=reply.status,
            remedy="Check its base URL: redirects are not followed.",
        )
    message, remedy = _say(found, reply.provider, reply.status, words)
    return found(
        message,
        field=_field(found, words),
        remedy=remedy,
        retry_after=_retry_after(reply) if issubclass(found, UpstreamError) else None,
        vendor=reply.provider,
        vendor_status=reply.status,
        request_id=_request_id(reply, error),
    )


def stream_error(words: str, finish: str | None, provider: str) -> InterlockError:
    """The typed error for an answer that the vendor broke off.

    Args:
        words: The vendor's words.
        finish: Its word for the finish.
        provider: Name of the configured provider.
    """
    shown = _shown(words)
    found = UpstreamTimeoutError if finish == "TIMEOUT" or _TIME_WORDS.search(shown) else _class(200, shown)
    found = found or UpstreamError
    message, remedy = _say(found, provider, 200, shown)
    return found(message, remedy=remedy, vendor=provider, vendor_status=200, vendor_code=finish)


def _error_object(body: bytes) -> JsonObject:
    """The error's fields, in any of the shapes that this vendor and those before it use."""
    try:
        whole = as_object(parse_json(body))
    except (ValueError, RecursionError):
        return {}
    inner: Json = whole.get("data") if "message" not in whole else None
    if "message" not in whole and inner is None:
        inner = whole.get("error", whole.get("detail"))
    if isinstance(inner, str):
        return {**whole, "message": inner}
    return {**whole, **as_object(inner)}


def _shown(text: str) -> str:
    """A vendor's words, without anything that looks like a key or repeats the request, cut to a length."""
    return _QUOTED.sub("[…]", _KEYS.sub("[key]", text[:5000]))[:_MOST_WORDS]


def _class(status: int, words: str) -> type[InterlockError] | None:
    if status == 404 and not words:
        return ConfigurationError
    if status in _SPOKEN_STATUSES or 200 <= status < 300:
        if _CONTEXT_WORDS.search(words):
            return ContextLengthError
        if _POLICY_WORDS.search(words):
            return ContentPolicyError
    if 200 <= status < 300 or status >= 500:
        return _BY_STATUS.get(status, UpstreamError)
    return None if status < 400 else _BY_STATUS.get(status, InvalidRequestError)


def _field(found: type[InterlockError], words: str) -> str | None:
    if found is NotFoundError and words.startswith("model"):
        return "model"
    return "max_tokens" if found is ContextLengthError and _OUTPUT_WORDS.search(words) else None


def _say(found: type[InterlockError], provider: str, status: int, words: str) -> tuple[str, str | None]:
    """Message and remedy."""
    said = f": {words.rstrip('.')}." if words else f" (status {status})."
    if found is CredentialError:
        # The vendor's words may repeat the key.
        return f"{provider} refused the credential.", f"Check the API key of {provider} and what it may do."
    if found is ConfigurationError:
        return f"{provider} has nothing at that address.", f"Check the base URL of {provider}."
    if found is BillingError:
        return f"{provider} wants to be paid{said}", f"Check the plan and the balance at {provider}."
    if issubclass(found, CallerError):
        return f"{provider} refused the request{said}", None
    if found is UpstreamRateLimitError:
        return f"{provider} limits our requests{said}", None
    if found is OverloadedError:
        return f"{provider} has no capacity just now{said}", None
    if found is UpstreamTimeoutError:
        return f"{provider} took too long{said}", None
    return f"{provider} failed{said}", None


def _retry_after(reply: VendorReply) -> float | None:
    """Seconds to wait; the vendor's reset is a moment in seconds since 1970."""
    wait = retry_after(reply.header("retry-after-ms"), reply.header("retry-after"), now=reply.now)
    if wait is not None:
        return wait
    reset = reply.header("x-ratelimit-reset") or ""
    if not (reset.isascii() and reset.isdecimal() and len(reset) <= 12):
        return None
    left = int(reset) - reply.now
    return left if left > 0 else None


def _request_id(reply: VendorReply, error: JsonObject) -> str | None:
    named = reply.header("x-debug-trace-id") or reply.header("x-request-id") or as_text(error.get("id"))
    return named[:200] if named else None


def error_object(error: InterlockError) -> JsonObject:
    """The dialect's error object, with our stable code beside the words."""
    body: JsonObject = {} if error.request_id is None else {"id": error.request_id}
    return {**body, "message": str(error), "code": error.code}


def render_error(error: InterlockError) -> ErrorReply:
    """An error as clients of this dialect expect it; see `Codec.render_error`."""
    headers = [("content-type", "application/json")]
    if error.retry_after is not None:
        headers.append(("retry-after", str(max(0, -int(-error.retry_after // 1)))))
        headers.append(("retry-after-ms", str(max(0, round(error.retry_after * 1000)))))
    return ErrorReply(status=error.status, headers=tuple(headers), body=to_bytes(error_object(error)))
