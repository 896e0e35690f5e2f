"""Errors, both ways: by status first, by words only where that leaves it open."""

import re
from collections.abc import Mapping

from interlock_core import Json, JsonObject
from interlock_core.errors import (
    ContentPolicyError,
    ContextLengthError,
    CredentialError,
    InterlockError,
    UpstreamError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import as_object, as_text, parse_json
from interlock_providers.codecs import ErrorReply, VendorReply
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._vendor_errors import Told, error_for, shown

_BY_KIND: Mapping[str, type[InterlockError]] = {
    "context": ContextLengthError,
    "policy": ContentPolicyError,
    "timeout": UpstreamTimeoutError,
    "token": CredentialError,
}
"""What we call an error where its status does not tell; the vendor has no codes of its own."""
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
_TOKENS = re.compile(r"\btoken[-_ :]+[A-Za-z0-9_*.\-]{12,}")
_QUOTED = re.compile(r"(?<![A-Za-z0-9=])['\"](?!https?:)(?=[^'\"]*\s|[^'\"]{40})[^'\"]{16,}['\"]")
"""What may be a part of the request; names of models and fields have no spaces and are shorter."""
_MOST_READ = 5000


def parse_error(reply: VendorReply) -> InterlockError:
    """The typed error that a vendor's error is; see `Codec.parse_error`."""
    error = _error_object(reply.body)
    words = _shown(as_text(error.get("message")) or "")
    named = reply.header("x-debug-trace-id") or reply.header("x-request-id") or as_text(error.get("id"))
    return _made(reply, _kind(reply.status, words), words, named[:200] if named else None)


def stream_error(words: str, finish: str | None, provider: str) -> InterlockError:
    """The typed error for an answer that the vendor broke off.

    Args:
        words: The vendor's words.
        finish: Its word for the finish.
        provider: Name of the configured provider.
    """
    said = _shown(words)
    kind = "timeout" if finish == "TIMEOUT" or _TIME_WORDS.search(said) else _kind(200, said)
    made = _made(VendorReply(status=200, headers=(), body=b"", provider=provider, now=0.0), kind, said, None)
    made.vendor_code = finish
    return made


def _made(reply: VendorReply, kind: str, words: str, request_id: str | None) -> InterlockError:
    told = Told(
        status=reply.status,
        kind=kind,
        words=words,
        field=_field(reply.status, kind, words),
        request_id=request_id,
    )
    error = error_for(told, reply, _BY_KIND, ())
    error.vendor_code = None
    if isinstance(error, UpstreamError) and error.retry_after is None:
        error.retry_after = _until_reset(reply)
    return error


def _error_object(body: bytes) -> JsonObject:
    """The error's fields, in any of the shapes that this vendor and those before it use."""
    try:
        whole = as_object(parse_json(body))
    except (ValueError, RecursionError):
        return {}
    if "message" in whole:
        return whole
    inner: Json = whole.get("data", whole.get("error", whole.get("detail")))
    return {**whole, "message": inner} if isinstance(inner, str) else {**whole, **as_object(inner)}


def _shown(text: str) -> str:
    """A vendor's words, without anything that looks like a key or repeats the request, cut to a length."""
    return shown(_QUOTED.sub("[…]", _TOKENS.sub("[key]", text[:_MOST_READ])))


def _kind(status: int, words: str) -> str:
    """Our word for what the status leaves open; empty where it leaves nothing open."""
    if status in _SPOKEN_STATUSES or 200 <= status < 300:
        if _CONTEXT_WORDS.search(words):
            return "context"
        if _POLICY_WORDS.search(words):
            return "policy"
    return "token" if status == 498 else ""


def _field(status: int, kind: str, words: str) -> str | None:
    if status == 404 and words.startswith("model"):
        return "model"
    return "max_tokens" if kind == "context" and _OUTPUT_WORDS.search(words) else None


def _until_reset(reply: VendorReply) -> float | None:
    """Seconds until the vendor's limit ends, which it tells as a moment in seconds since 1970."""
    reset = reply.header("x-ratelimit-reset") or ""
    if not (reset.isascii() and reset.isdecimal() and len(reset) <= 12):
        return None
    left = int(reset) - reply.now
    return left if 0 < left <= 86_400 else None


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
