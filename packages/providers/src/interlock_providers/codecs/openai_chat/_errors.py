"""Errors, both ways: by status and code first, by words only where those leave it open."""

import re
from collections.abc import Mapping

from interlock_core import Json, JsonObject
from interlock_core.errors import (
    BillingError,
    CallerError,
    ContentPolicyError,
    ContextLengthError,
    CredentialError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    UnauthenticatedError,
    UnsupportedError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import as_object, as_text, parse_json
from interlock_providers.codecs import ErrorReply, VendorReply
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._vendor_errors import Told, error_for, shown, word

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
        (
            "engine_overloaded",
            "overloaded",
            "overloaded_error",
            "server_is_overloaded",
            "server_overloaded",
            "unavailable_error",
        ),
        OverloadedError,
    ),
    **dict.fromkeys(
        ("timeout", "timeout_error", "request_timeout", "vector_store_timeout"), UpstreamTimeoutError
    ),
    **dict.fromkeys(
        (
            "data_residency_mismatch",
            "empty_image_file",
            "failed_to_download_image",
            "image_file_not_found",
            "image_file_too_large",
            "image_parse_error",
            "image_too_large",
            "image_too_small",
            "invalid_base64_image",
            "invalid_encrypted_content",
            "invalid_image",
            "invalid_image_format",
            "invalid_image_mode",
            "invalid_image_url",
            "unsupported_image_media_type",
        ),
        InvalidRequestError,
    ),
}
_SEALED = re.compile(r"\bgAAAA[A-Za-z0-9_\-=.]+")
"""Sealed reasoning, which the vendor repeats when it cannot read it."""
_RESETS = tuple(
    (f"x-ratelimit-remaining-{what}", f"x-ratelimit-reset-{what}") for what in ("requests", "tokens")
)


def parse_error(reply: VendorReply) -> InterlockError:
    """The typed error that a vendor's error is; see `Codec.parse_error`."""
    error = _error_object(reply.body)
    status, code, kind = reply.status, word(error.get("code")), word(error.get("type"))
    if status < 400 and code.isdecimal() and 400 <= int(code) < 600:
        status = int(code)
    elif status < 400 and kind == "invalid_request_error":
        status = 400
    told = Told(
        status=status,
        code=code,
        kind=kind,
        words=shown(_SEALED.sub("[sealed]", as_text(error.get("message")) or "")),
        field=as_text(error.get("param")) or None,
        request_id=reply.header("x-request-id") or reply.header("request-id"),
    )
    return error_for(told, reply, _BY_CODE, _RESETS)


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
