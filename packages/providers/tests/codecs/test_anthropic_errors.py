"""Errors of the dialect anthropic-messages, both ways."""

import json

import httpx2
import pytest
from anthropic import APIStatusError
from anthropic import OverloadedError as SdkOverloadedError

from interlock_core.errors import (
    ApprovalDeniedError,
    BillingError,
    BudgetExceededError,
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
    StoreError,
    UnauthenticatedError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import JsonObject, as_object, dump_json
from interlock_providers.codecs import Headers, VendorReply, codec

CODEC = codec("anthropic-messages")
NOW = 1_795_000_000.0


def error(kind: str, message: str = "words", code: str | None = None) -> bytes:
    """An error body of the dialect."""
    inner: JsonObject = {"type": kind, "message": message}
    if code is not None:
        inner["details"] = {"error_code": code}
    return dump_json({"type": "error", "error": inner, "request_id": "req_body"}).encode()


def read(status: int, body: bytes, headers: Headers = ()) -> InterlockError:
    """The typed error for an answer."""
    return CODEC.parse_error(
        VendorReply(status=status, headers=headers, body=body, provider="vendor", now=NOW)
    )


CASES: list[tuple[int, bytes, type[InterlockError]]] = [
    (401, error("authentication_error"), CredentialError),
    (403, error("permission_error"), CredentialError),
    (400, error("invalid_request_error", code="organization_on_hold"), CredentialError),
    (402, error("billing_error"), BillingError),
    (402, b"", BillingError),
    (429, error("rate_limit_error", code="enforced_spend_limit_reached"), BillingError),
    (429, error("rate_limit_error", code="contract_spend_limit_reached"), BillingError),
    (400, error("invalid_request_error", "Your credit balance is too low to access."), BillingError),
    (400, error("invalid_request_error", "You have reached your specified API usage limits."), BillingError),
    (429, error("rate_limit_error"), UpstreamRateLimitError),
    (429, b"slow down", UpstreamRateLimitError),
    (429, error("rate_limit_error", code="ramp_limit_exceeded"), UpstreamRateLimitError),
    (404, error("not_found_error", "model: x"), NotFoundError),
    (400, error("invalid_request_error", "prompt is too long: 2 tokens > 1 maximum"), ContextLengthError),
    (
        400,
        error("invalid_request_error", "input length and `max_tokens` exceed context limit: 2 + 1 > 2"),
        ContextLengthError,
    ),
    (
        400,
        error("invalid_request_error", "Output blocked by content filtering policy"),
        ContentPolicyError,
    ),
    (400, error("invalid_request_error", "max_tokens: Field required"), InvalidRequestError),
    (413, error("request_too_large"), InvalidRequestError),
    (409, error("conflict_error"), UpstreamError),
    (500, error("api_error"), UpstreamError),
    (500, error("overloaded_error"), OverloadedError),
    (529, b"", OverloadedError),
    (503, b"<html>", OverloadedError),
    (504, error("timeout_error"), UpstreamTimeoutError),
    (524, b"error code: 524", UpstreamTimeoutError),
    (499, b"", UpstreamConnectionError),
    (302, b"", ProtocolError),
    (200, error("overloaded_error"), OverloadedError),
    (200, error("invalid_request_error", "Output blocked by content filtering policy"), ContentPolicyError),
    (200, error("request_too_large"), InvalidRequestError),
    (200, error("api_error"), UpstreamError),
]


@pytest.mark.promise("P4")
@pytest.mark.parametrize(("status", "body", "expected"), CASES)
def test_an_error_is_typed_by_status_type_and_code_before_words(
    status: int, body: bytes, expected: type[InterlockError]
) -> None:
    """The class says who must act."""
    found = read(status, body)
    assert type(found) is expected
    assert (found.vendor, found.vendor_status) == ("vendor", status)


def test_an_error_keeps_the_vendors_detail() -> None:
    """Code, field and id of the request; the header's id goes before the body's."""
    found = read(400, error("invalid_request_error", "tools.0.custom.name: too long", "tool_name_conflict"))
    assert (found.vendor_code, found.field, found.request_id) == (
        "tool_name_conflict",
        "tools.0.custom.name",
        "req_body",
    )
    headed = read(500, error("api_error"), (("Request-Id", "req_head"),))
    assert (headed.vendor_code, headed.request_id) == ("api_error", "req_head")


@pytest.mark.promise("P4")
def test_no_key_and_no_data_of_the_prompt_is_repeated() -> None:
    """A vendor's words may hold both."""
    key, data = "sk-ant-api03-0123456789abcdef", "UEFTU1BPUlQtTlItQzAxWDAwVDQ3"
    words = f"messages.0.content.0.source.data: invalid base64 data: {data} for {key}"
    found = read(400, error("invalid_request_error", words))
    assert key not in str(found)
    assert data not in str(found)
    assert found.field == "messages.0.content.0.source.data"


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ((("retry-after", "42"),), 42.0),
        ((("retry-after-ms", "1250"), ("retry-after", "2")), 1.25),
        ((), None),
        (
            (
                ("anthropic-ratelimit-requests-remaining", "0"),
                ("anthropic-ratelimit-requests-reset", "2026-11-18T11:06:42Z"),
                ("anthropic-ratelimit-tokens-remaining", "0"),
                ("anthropic-ratelimit-tokens-reset", "2026-11-18T11:07:00+00:00"),
                ("anthropic-ratelimit-output-tokens-remaining", "5"),
                ("anthropic-ratelimit-output-tokens-reset", "2026-11-18T12:00:00Z"),
            ),
            20.0,
        ),
        (
            (
                ("anthropic-ratelimit-requests-remaining", "0"),
                ("anthropic-ratelimit-requests-reset", "2026-11-18T11:00:00Z"),
            ),
            0.0,
        ),
        (
            (
                ("anthropic-ratelimit-requests-remaining", "0"),
                ("anthropic-ratelimit-requests-reset", "soon"),
                ("anthropic-ratelimit-tokens-remaining", "0"),
                ("anthropic-ratelimit-tokens-reset", "2026-11-18T11:07:00"),
            ),
            None,
        ),
    ],
)
def test_the_time_to_come_back_is_read_from_the_headers(headers: Headers, wait: float | None) -> None:
    """What was said outright, else when the limit that is used up is full again."""
    assert read(429, error("rate_limit_error"), headers).retry_after == wait


def test_an_error_that_waiting_does_not_help_has_no_time() -> None:
    """Money is not a matter of seconds."""
    headers = (("retry-after", "30"),)
    found = read(429, error("rate_limit_error", code="enforced_spend_limit_reached"), headers)
    assert (found.retryable, found.retry_after) == (False, None)


RENDERED: list[tuple[InterlockError, int, str]] = [
    (UnauthenticatedError("x"), 401, "authentication_error"),
    (PermissionDeniedError("x"), 403, "permission_error"),
    (ApprovalDeniedError("x"), 403, "permission_error"),
    (BudgetExceededError("x"), 402, "billing_error"),
    (QuotaExceededError("x"), 429, "billing_error"),
    (RateLimitedError("x"), 429, "rate_limit_error"),
    (UpstreamRateLimitError("x"), 429, "rate_limit_error"),
    (InvalidRequestError("x"), 400, "invalid_request_error"),
    (NotFoundError("x"), 404, "not_found_error"),
    (OverloadedError("x"), 529, "overloaded_error"),
    (UpstreamTimeoutError("x"), 504, "timeout_error"),
    (UpstreamError("x"), 502, "api_error"),
    (StoreError("x"), 503, "api_error"),
]


@pytest.mark.parametrize(("failure", "status", "kind"), RENDERED)
def test_an_error_is_told_as_clients_of_the_dialect_expect_it(
    failure: InterlockError, status: int, kind: str
) -> None:
    """Status and type of the vendor's own errors, our code among the details."""
    reply = CODEC.render_error(failure)
    body = as_object(json.loads(reply.body))
    assert reply.status == status
    assert body == {
        "type": "error",
        "error": {"type": kind, "message": "x", "details": {"error_code": failure.code}},
        "request_id": None,
    }
    assert dict(reply.headers).get("x-should-retry") == (None if failure.retryable else "false")


def test_an_error_tells_field_wait_and_the_vendors_id() -> None:
    """What a client needs to act; an id that is no header's value stays in the body."""
    failure = OverloadedError("x", remedy="Wait.", field="model", retry_after=1.2, request_id="req_1")
    reply = CODEC.render_error(failure)
    headers = dict(reply.headers)
    assert (headers["retry-after"], headers["retry-after-ms"], headers["request-id"]) == (
        "2",
        "1200",
        "req_1",
    )
    told = as_object(as_object(json.loads(reply.body))["error"])
    assert told["message"] == "x Wait."
    assert told["details"] == {"error_code": "overloaded", "field": "model"}
    assert "request-id" not in dict(CODEC.render_error(UpstreamError("x", request_id="a\r\nb")).headers)


async def test_the_official_sdk_understands_our_errors() -> None:
    """It picks its class by our status, and reads type, code and message."""
    import anthropic

    reply = CODEC.render_error(OverloadedError("Full.", request_id="req_1"))

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(reply.status, headers=list(reply.headers), content=reply.body, request=request)

    async with anthropic.AsyncAnthropic(
        api_key="k",
        max_retries=0,
        http_client=anthropic.DefaultAsyncHttpxClient(transport=httpx2.MockTransport(answer)),
    ) as client:
        with pytest.raises(APIStatusError) as caught:
            await client.messages.create(
                model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}]
            )
    assert isinstance(caught.value, SdkOverloadedError)
    assert (
        caught.value.type,
        caught.value.error_code,
        caught.value.api_message,
        caught.value.request_id,
    ) == (
        "overloaded_error",
        "overloaded",
        "Full.",
        "req_1",
    )
