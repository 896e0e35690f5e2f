"""Errors of the dialect openai-chat, both ways. The cases follow OpenAI's guide on error codes."""

import json

import pytest

from interlock_core.errors import (
    ApprovalDeniedError,
    AuditUnavailableError,
    BillingError,
    BudgetExceededError,
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
from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_providers.codecs import Headers, VendorReply, codec

CODEC = codec("openai-chat")
NOW = 1_795_000_000.0


def error(
    message: str = "words", kind: str | None = None, code: Json = None, param: str | None = None
) -> bytes:
    """An error body of the dialect."""
    body: JsonObject = {"message": message, "type": kind, "param": param, "code": code}
    return dump_json({"error": body}).encode()


def read(status: int, body: bytes, headers: Headers = ()) -> InterlockError:
    """The typed error for an answer."""
    return CODEC.parse_error(
        VendorReply(status=status, headers=headers, body=body, provider="vendor", now=NOW)
    )


CASES: list[tuple[int, bytes, type[InterlockError], bool]] = [
    (
        401,
        error("Incorrect API key provided", "invalid_request_error", "invalid_api_key"),
        CredentialError,
        False,
    ),
    (401, error("Be a member of an organization", "invalid_request_error"), CredentialError, False),
    (401, b"", CredentialError, False),
    (
        403,
        error("Country not supported", "request_forbidden", "unsupported_country_region_territory"),
        CredentialError,
        False,
    ),
    (403, error("Project does not have access to model"), CredentialError, False),
    (402, b"{}", BillingError, False),
    (402, error("Insufficient credits", code=402), BillingError, False),
    (
        429,
        error("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
        BillingError,
        False,
    ),
    (429, error("x", "insufficient_quota"), BillingError, False),
    (429, error("x", None, "credit_balance_exhausted"), BillingError, False),
    (429, error("x", None, "organization_spend_limit_exceeded"), BillingError, False),
    (429, error("x", None, "project_spend_limit_exceeded"), BillingError, False),
    (429, error("x", None, "organization_usage_limit_exceeded"), BillingError, False),
    (429, error("x", None, "billing_hard_limit_reached"), BillingError, False),
    (429, error("Rate limit reached", "requests", "rate_limit_exceeded"), UpstreamRateLimitError, True),
    (429, error("Rate limit reached", "tokens", "rate_limit_exceeded"), UpstreamRateLimitError, True),
    (429, b"slow down", UpstreamRateLimitError, True),
    (
        400,
        error(
            "maximum context length is 8192 tokens",
            "invalid_request_error",
            "context_length_exceeded",
            "messages",
        ),
        ContextLengthError,
        False,
    ),
    (400, error("maximum context length is 4096 tokens.", "BadRequestError", 400), ContextLengthError, False),
    (
        400,
        error("the request exceeds the available context size", "exceed_context_size_error", 400),
        ContextLengthError,
        False,
    ),
    (413, error("Prompt is too long"), ContextLengthError, False),
    (
        400,
        error("rejected by our safety system.", "invalid_request_error", "content_policy_violation"),
        ContentPolicyError,
        False,
    ),
    (400, error("filtered by content management policy", None, "content_filter"), ContentPolicyError, False),
    (403, error("Blocked by our content policy."), ContentPolicyError, False),
    (400, error("x", None, "invalid_prompt"), ContentPolicyError, False),
    (
        404,
        error("The model `gpt-9` does not exist", "invalid_request_error", "model_not_found"),
        NotFoundError,
        False,
    ),
    (404, error('model "x" not found, try pulling it first', "api_error"), NotFoundError, False),
    (404, b"<html>nothing here</html>", ConfigurationError, False),
    (
        400,
        error(
            "Unsupported parameter: 'max_tokens'",
            "invalid_request_error",
            "unsupported_parameter",
            "max_tokens",
        ),
        UnsupportedError,
        False,
    ),
    (
        400,
        error(
            "Unsupported value: 'temperature'", "invalid_request_error", "unsupported_value", "temperature"
        ),
        UnsupportedError,
        False,
    ),
    (
        400,
        error("Invalid type for 'messages'", "invalid_request_error", "invalid_type", "messages"),
        InvalidRequestError,
        False,
    ),
    (422, b'{"detail":"wrong"}', InvalidRequestError, False),
    (422, b'{"detail":[{"loc":["body"],"msg":"wrong"}]}', InvalidRequestError, False),
    (405, b"", InvalidRequestError, False),
    (408, b"", UpstreamTimeoutError, True),
    (409, error("conflict"), UpstreamError, True),
    (498, b"", OverloadedError, True),
    (500, error("The server had an error", "server_error"), UpstreamError, True),
    (500, b"oops", UpstreamError, True),
    (502, b"<html>bad gateway</html>", UpstreamConnectionError, True),
    (503, error("overloaded", "server_error", "engine_overloaded"), OverloadedError, True),
    (503, error("x", "server_error"), OverloadedError, True),
    (503, b"", OverloadedError, True),
    (504, error("x", "server_error"), UpstreamTimeoutError, True),
    (529, b"", OverloadedError, True),
    (307, b"", ProtocolError, True),
    (200, error("x", code=429), UpstreamRateLimitError, True),
    (200, error("x", code="503"), OverloadedError, True),
    (200, error("x", code=402), BillingError, False),
    (200, b'[{"error":{"code":401,"message":"x"}}]', CredentialError, False),
    (
        200,
        b'{"object":"error","message":"x","type":"BadRequestError","param":null,"code":400}',
        InvalidRequestError,
        False,
    ),
]


@pytest.mark.promise("P4")
@pytest.mark.parametrize(("status", "body", "cls", "retryable"), CASES)
def test_a_vendors_error_becomes_the_one_that_says_who_must_act(
    status: int, body: bytes, cls: type[InterlockError], retryable: bool
) -> None:
    """Class and retry decision follow status and code before words."""
    found = read(status, body, (("X-Request-Id", "req_1"),))
    assert type(found) is cls
    assert found.retryable is retryable
    assert (found.vendor, found.vendor_status) == ("vendor", status)
    assert found.request_id == (None if cls is ProtocolError else "req_1")
    assert "vendor" in found.message


def test_the_vendors_detail_is_kept() -> None:
    """Its words, code and the name of the field reach whoever asked."""
    body = error("Invalid type for 'messages[0]'.", "invalid_request_error", "invalid_type", "messages[0]")
    found = read(400, body)
    assert found.message == "vendor refused the request: Invalid type for 'messages[0]'."
    assert (found.vendor_code, found.field) == ("invalid_type", "messages[0]")


@pytest.mark.parametrize("status", [400, 401, 402, 404, 429, 500, 503, 504, 200])
def test_a_key_that_a_vendor_repeats_goes_no_further(status: int) -> None:
    """Neither message, code nor field shows what looks like a key; long words are cut."""
    words = "Incorrect API key provided: sk-proj-abcdefghijklmnopqrstuvwxyz0123. " + "x" * 2000
    found = read(status, error(words, "t", "sk-live-abcdefghijkl"))
    shown = f"{found!s} {found!r} {found.as_json()}"
    assert "abcdefgh" not in shown
    assert len(found.message) < 700


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((("retry-after-ms", "1500"), ("retry-after", "9")), 1.5),
        ((("Retry-After", "7"),), 7.0),
        ((("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT"),), 0.0),
        ((("retry-after", "soon"),), None),
        ((("retry-after", "-5"),), None),
        ((("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "1m2.5s")), 62.5),
        (
            (
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "12ms"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "6s"),
            ),
            6.0,
        ),
        ((("x-ratelimit-remaining-tokens", "5"), ("x-ratelimit-reset-tokens", "6s")), None),
        ((("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "later")), None),
        ((), None),
    ],
)
def test_when_to_come_back_is_read_from_every_form(headers: Headers, seconds: float | None) -> None:
    """Milliseconds first, then seconds, then a date, then the vendor's own spans."""
    found = read(429, error("x", "requests", "rate_limit_exceeded"), headers)
    if seconds is None:
        assert found.retry_after is None
    else:
        assert found.retry_after == pytest.approx(seconds)


def test_a_date_is_read_against_the_clock_that_was_handed_in() -> None:
    """Ten seconds after now is ten seconds."""
    from email.utils import formatdate

    found = read(503, b"", (("retry-after", formatdate(NOW + 10, usegmt=True)),))
    assert found.retry_after == 10.0


SHOWN: list[tuple[InterlockError, int, str, str | None]] = [
    (UnauthenticatedError("No key."), 401, "authentication_error", "invalid_api_key"),
    (PermissionDeniedError("No."), 403, "permission_error", "permission_denied"),
    (ApprovalDeniedError("No."), 403, "invalid_request_error", "approval_denied"),
    (BudgetExceededError("No."), 402, "invalid_request_error", "budget_exceeded"),
    (QuotaExceededError("Spent."), 429, "insufficient_quota", "insufficient_quota"),
    (RateLimitedError("Slow."), 429, "rate_limit_error", "rate_limit_exceeded"),
    (AuditUnavailableError("No record."), 503, "server_error", "audit_unavailable"),
    (UpstreamRateLimitError("Slow."), 429, "rate_limit_error", "rate_limit_exceeded"),
    (ContextLengthError("Long."), 400, "invalid_request_error", "context_length_exceeded"),
    (ContentPolicyError("Bad."), 400, "invalid_request_error", "content_policy_violation"),
    (InvalidRequestError("Wrong.", field="n"), 400, "invalid_request_error", "invalid_request"),
    (NotFoundError("No such model.", field="model"), 404, "invalid_request_error", "model_not_found"),
    (NotFoundError("No such run."), 404, "invalid_request_error", "not_found"),
    (CredentialError("Refused."), 502, "server_error", "credential_refused"),
    (OverloadedError("Busy."), 503, "server_error", "overloaded"),
    (UpstreamTimeoutError("Late."), 504, "server_error", "upstream_timeout"),
]


@pytest.mark.parametrize(("shown", "status", "kind", "code"), SHOWN)
def test_our_errors_are_told_in_the_dialect(
    shown: InterlockError, status: int, kind: str, code: str | None
) -> None:
    """Clients that branch on status, type or code find what they know."""
    reply = CODEC.render_error(shown)
    assert reply.status == status
    assert json.loads(reply.body) == {
        "error": {"message": str(shown), "type": kind, "param": shown.field, "code": code}
    }
    assert dict(reply.headers)["content-type"] == "application/json"


def test_clients_are_told_when_to_retry_and_when_not() -> None:
    """The official SDKs retry 429 and 5xx by status alone unless a header says otherwise."""
    wait = CODEC.render_error(RateLimitedError("Slow.", retry_after=1.2))
    assert dict(wait.headers) == {
        "content-type": "application/json",
        "retry-after": "2",
        "retry-after-ms": "1200",
    }
    assert dict(CODEC.render_error(QuotaExceededError("Spent.")).headers)["x-should-retry"] == "false"
    assert "x-should-retry" not in dict(CODEC.render_error(OverloadedError("Busy.")).headers)
