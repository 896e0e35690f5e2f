"""Errors, both ways: by status and code first, by words only where those leave it open."""

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
    PermissionDeniedError,
    ProtocolError,
    QuotaExceededError,
    RateLimitedError,
    UnauthenticatedError,
    UnsupportedError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import as_int, as_object, as_text, parse_json
from interlock_providers.codecs import ErrorReply, VendorReply
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._retry_after import retry_after, span

_BY_CODE: Mapping[str, type[InterlockError]] = {
    **dict.fromkeys(
        (
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
            "insufficient_credits",
            "insufficient_balance",
            "payment_required",
        ),
        BillingError,
    ),
    **dict.fromkeys(
        (
            "invalid_api_key",
            "invalid_authentication",
            "authentication_error",
            "missing_api_key",
            "account_deactivated",
            "invalid_organization",
            "ip_not_authorized",
            "unsupported_country_region_territory",
        ),
        CredentialError,
    ),
    **dict.fromkeys(("context_length_exceeded", "exceed_context_size_error"), ContextLengthError),
    **dict.fromkeys(
        (
            "content_policy_violation",
            "content_filter",
            "moderation_blocked",
            "invalid_prompt",
            "bio_policy",
            "misalignment_policy_violation",
            "image_content_policy_violation",
        ),
        ContentPolicyError,
    ),
    **dict.fromkeys(("model_not_found", "deploymentnotfound", "not_found_error"), NotFoundError),
    **dict.fromkeys(
        ("unsupported_parameter", "unsupported_value", "unsupported_model", "model_not_supported"),
        UnsupportedError,
    ),
    **dict.fromkeys(
        ("rate_limit_exceeded", "rate_limit_error", "requests", "tokens", "too_many_requests"),
        UpstreamRateLimitError,
    ),
    **dict.fromkeys(
        ("engine_overloaded", "overloaded", "overloaded_error", "server_overloaded", "unavailable_error"),
        OverloadedError,
    ),
    **dict.fromkeys(("timeout", "timeout_error", "request_timeout"), UpstreamTimeoutError),
}
_BY_STATUS: Mapping[int, type[InterlockError]] = {
    401: CredentialError,
    402: BillingError,
    403: CredentialError,
    404: NotFoundError,
    408: UpstreamTimeoutError,
    409: UpstreamError,
    425: UpstreamError,
    429: UpstreamRateLimitError,
    498: OverloadedError,
    499: UpstreamConnectionError,
    502: UpstreamConnectionError,
    503: OverloadedError,
    504: UpstreamTimeoutError,
    529: OverloadedError,
}
_CONTEXT_WORDS = re.compile(
    r"context (?:length|window|size)|too many (?:input )?tokens|(?:prompt|input) is too long|too many tokens",
    re.IGNORECASE,
)
_POLICY_WORDS = re.compile(r"content (?:management )?polic|safety system|content filter", re.IGNORECASE)
_KEYS = re.compile(r"\b(?:sk|pk|rk|gsk|xai|key|ilk|Bearer)[-_ ][A-Za-z0-9_*.\-]{6,}")
_MOST_WORDS = 500


def parse_error(reply: VendorReply) -> InterlockError:
    """The typed error that a vendor's error is; see `Codec.parse_error`."""
    error = _error_object(reply.body)
    status = reply.status
    code = _word(error.get("code"))
    kind = _word(error.get("type"))
    if status < 400 and code.isdecimal() and 400 <= int(code) < 600:
        status = int(code)
    words = _shown(as_text(error.get("message")) or "")
    found = _class(status, code, kind, words)
    if found is None:
        return ProtocolError(
            f"{reply.provider} answered with status {status}, which is no answer of this dialect.",
            vendor=reply.provider,
            vendor_status=reply.status,
            remedy="Check its base URL: redirects are not followed.",
        )
    message, remedy = _say(found, reply.provider, status, words)
    return found(
        message,
        field=as_text(error.get("param")) or None,
        remedy=remedy,
        retry_after=_retry_after(reply) if issubclass(found, UpstreamError) else None,
        vendor=reply.provider,
        vendor_status=reply.status,
        vendor_code=code or kind or None,
        request_id=reply.header("x-request-id") or reply.header("request-id"),
    )


def _error_object(body: bytes) -> JsonObject:
    """The error's fields, in any of the shapes that servers of this dialect use."""
    try:
        value: Json = parse_json(body)
    except (ValueError, RecursionError):
        return {}
    if isinstance(value, list) and value:
        value = value[0]
    whole = as_object(value)
    inner = whole.get("error", whole)
    if isinstance(inner, str):
        return {"message": inner}
    found = as_object(inner)
    if "message" not in found and isinstance(whole.get("detail"), str):
        return {**found, "message": whole["detail"]}
    return found


def _word(value: Json) -> str:
    number = as_int(value)
    return str(number) if number is not None else _shown(as_text(value) or "")[:80]


def _shown(text: str) -> str:
    """A vendor's words, without anything that looks like a key, cut to a length."""
    return _KEYS.sub("[key]", text)[:_MOST_WORDS]


def _class(status: int, code: str, kind: str, words: str) -> type[InterlockError] | None:
    named = _BY_CODE.get(code.lower()) or _BY_CODE.get(kind.lower())
    if named is not None:
        return named
    if status == 404 and not (code or kind or words):
        return ConfigurationError
    if 200 <= status < 300 or status >= 500:
        return _BY_STATUS.get(status, UpstreamError)
    if status < 400:
        return None
    if status in {400, 403, 413, 422}:
        if _CONTEXT_WORDS.search(words):
            return ContextLengthError
        if _POLICY_WORDS.search(words):
            return ContentPolicyError
    return _BY_STATUS.get(status, InvalidRequestError)


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
    wait = retry_after(reply.header("retry-after-ms"), reply.header("retry-after"), now=reply.now)
    if wait is not None:
        return wait
    spans = (
        span(reply.header(f"x-ratelimit-reset-{what}"))
        for what in ("requests", "tokens")
        if reply.header(f"x-ratelimit-remaining-{what}") == "0"
    )
    return max((wait for wait in spans if wait is not None), default=None)


_KINDS: tuple[tuple[type[InterlockError], str, str | None], ...] = (
    (UnauthenticatedError, "authentication_error", "invalid_api_key"),
    (PermissionDeniedError, "permission_error", None),
    (QuotaExceededError, "insufficient_quota", "insufficient_quota"),
    (RateLimitedError, "rate_limit_error", "rate_limit_exceeded"),
    (UpstreamRateLimitError, "rate_limit_error", "rate_limit_exceeded"),
    (ContextLengthError, "invalid_request_error", "context_length_exceeded"),
    (ContentPolicyError, "invalid_request_error", "content_policy_violation"),
    (CallerError, "invalid_request_error", None),
)


def error_object(error: InterlockError) -> JsonObject:
    """The dialect's error object."""
    kind, code = next(
        ((kind, code) for cls, kind, code in _KINDS if isinstance(error, cls)),
        ("server_error" if error.status >= 500 else "invalid_request_error", None),
    )
    if isinstance(error, NotFoundError) and error.field == "model":
        code = "model_not_found"
    return {"message": str(error), "type": kind, "param": error.field, "code": code or error.code}


def render_error(error: InterlockError) -> ErrorReply:
    """An error as clients of this dialect expect it; see `Codec.render_error`."""
    headers = [("content-type", "application/json")]
    if error.retry_after is not None:
        headers.append(("retry-after", str(max(0, -int(-error.retry_after // 1)))))
        headers.append(("retry-after-ms", str(max(0, round(error.retry_after * 1000)))))
    elif not error.retryable:
        # Clients retry 409, 429 and 5xx by the status alone unless they are told not to.
        headers.append(("x-should-retry", "false"))
    return ErrorReply(
        status=error.status, headers=tuple(headers), body=to_bytes({"error": error_object(error)})
    )
