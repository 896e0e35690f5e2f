"""Errors, both ways: by status, type and code first, by words only where those leave it open."""

import re
from collections.abc import Mapping
from datetime import datetime

from interlock_core import JsonObject
from interlock_core.errors import (
    BillingError,
    BudgetExceededError,
    CallerError,
    ContextLengthError,
    CredentialError,
    InterlockError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitedError,
    RefusedError,
    UnauthenticatedError,
    UpstreamError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import as_object, as_text, parse_json
from interlock_providers.codecs import ErrorReply, VendorReply
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._vendor_errors import LONGEST_WAIT_S, Told, error_for, shown, word

_BY_CODE: Mapping[str, type[InterlockError]] = {
    "authentication_error": CredentialError,
    "permission_error": CredentialError,
    "organization_on_hold": CredentialError,
    "billing_error": BillingError,
    "enforced_spend_limit_reached": BillingError,
    "contract_spend_limit_reached": BillingError,
    "linked_organization_spend_limit_reached": BillingError,
    "linked_organization_billing_unavailable": BillingError,
    "user_profile_not_billable": BillingError,
    "not_found_error": NotFoundError,
    "rate_limit_error": UpstreamRateLimitError,
    "ramp_limit_exceeded": UpstreamRateLimitError,
    "timeout_error": UpstreamTimeoutError,
    "overloaded_error": OverloadedError,
    "compaction_unavailable": OverloadedError,
}
_STATUS_OF: Mapping[str, int] = {
    "invalid_request_error": 400,
    "request_too_large": 413,
    "conflict_error": 409,
}
_BY_WORDS: tuple[tuple[re.Pattern[str], type[InterlockError]], ...] = (
    (re.compile(r"credit balance is too low|API usage limits|usage threshold", re.IGNORECASE), BillingError),
    (re.compile(r"exceeds? (?:the )?context (?:limit|window|length)", re.IGNORECASE), ContextLengthError),
)
_FIELD = re.compile(r"([a-z_]+(?:\.[a-z0-9_]+)*): ")
_DATA = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_LIMITS = tuple(
    f"anthropic-ratelimit-{what}" for what in ("requests", "tokens", "input-tokens", "output-tokens")
)


def parse_error(reply: VendorReply) -> InterlockError:
    """The typed error that a vendor's error is; see `Codec.parse_error`."""
    body = _body(reply.body)
    error = as_object(body.get("error"))
    kind, code = word(error.get("type")), word(as_object(error.get("details")).get("error_code"))
    status = _STATUS_OF.get(kind, reply.status) if reply.status < 400 else reply.status
    words = as_text(error.get("message")) or ""
    named = _FIELD.match(words)
    told = Told(
        status=status,
        code=code,
        kind=kind,
        # What follows the name of a field may be the value that stood there.
        words=_DATA.sub("[data]", shown(words)),
        field=None if named is None else named[1],
        request_id=reply.header("request-id") or as_text(body.get("request_id")) or None,
    )
    found = error_for(told, reply, _classes(told), ())
    if found.retry_after is None and isinstance(found, UpstreamError):
        found.retry_after = _reset(reply)
    return found


def _body(body: bytes) -> JsonObject:
    try:
        return as_object(parse_json(body))
    except (ValueError, RecursionError):
        return {}


def _classes(told: Told) -> Mapping[str, type[InterlockError]]:
    """The classes by code and type; words add to them where the vendor's type is the one for everything."""
    if told.status == 524:
        # The network in front of the vendor gave up waiting for it.
        return {**_BY_CODE, told.kind: UpstreamTimeoutError}
    if told.code.lower() in _BY_CODE or told.kind != "invalid_request_error":
        return _BY_CODE
    spoken = next((cls for pattern, cls in _BY_WORDS if pattern.search(told.words)), None)
    return _BY_CODE if spoken is None else {**_BY_CODE, told.kind: spoken}


def _reset(reply: VendorReply) -> float | None:
    """Seconds until every limit of which nothing is left is full again."""
    waits: list[float] = []
    for limit in _LIMITS:
        if reply.header(f"{limit}-remaining") != "0":
            continue
        try:
            when = datetime.fromisoformat(reply.header(f"{limit}-reset") or "")
        except ValueError:
            continue
        if when.tzinfo is not None:
            waits.append(max(0.0, when.timestamp() - reply.now))
    wait = max(waits, default=None)
    return wait if wait is not None and wait <= LONGEST_WAIT_S else None


_KINDS: tuple[tuple[type[InterlockError], str], ...] = (
    (UnauthenticatedError, "authentication_error"),
    (BudgetExceededError, "billing_error"),
    (QuotaExceededError, "billing_error"),
    (RateLimitedError, "rate_limit_error"),
    (UpstreamRateLimitError, "rate_limit_error"),
    (OverloadedError, "overloaded_error"),
    (UpstreamTimeoutError, "timeout_error"),
    (NotFoundError, "not_found_error"),
    (CallerError, "invalid_request_error"),
)
_OVERLOADED = 529
"""The status by which clients of the dialect know an overload."""


def error_body(error: InterlockError) -> JsonObject:
    """The dialect's error object."""
    kind = next((kind for cls, kind in _KINDS if isinstance(error, cls)), None)
    if error.status == _STATUS_OF["request_too_large"]:
        kind = "request_too_large"
    if kind is None:
        refused = isinstance(error, RefusedError) and error.status < 500
        kind = "permission_error" if refused else "api_error"
    details: JsonObject = {"error_code": error.code}
    if error.field is not None:
        details["field"] = error.field
    body: JsonObject = {
        "type": "error",
        "error": {"type": kind, "message": str(error), "details": details},
        "request_id": error.request_id,
    }
    return body


def render_error(error: InterlockError) -> ErrorReply:
    """An error as clients of this dialect expect it; see `Codec.render_error`."""
    headers = [("content-type", "application/json")]
    if error.request_id is not None and error.request_id.isascii() and error.request_id.isprintable():
        headers.append(("request-id", error.request_id))
    if error.retry_after is not None:
        headers.append(("retry-after", str(max(0, -int(-error.retry_after // 1)))))
        headers.append(("retry-after-ms", str(max(0, round(error.retry_after * 1000)))))
    elif not error.retryable:
        # Clients retry 409, 429 and 5xx by the status alone unless they are told not to.
        headers.append(("x-should-retry", "false"))
    status = _OVERLOADED if isinstance(error, OverloadedError) else error.status
    return ErrorReply(status=status, headers=tuple(headers), body=to_bytes(error_body(error)))
