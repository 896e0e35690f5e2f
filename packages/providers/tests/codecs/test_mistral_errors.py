"""Errors of the dialect mistral-chat, both ways, in the forms that the vendor and its proxy answer."""

import json

import pytest

from interlock_core.errors import (
    BillingError,
    ContentPolicyError,
    ContextLengthError,
    CredentialError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ProtocolError,
    QuotaExceededError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_providers.codecs import Headers, VendorReply, codec

CODEC = codec("mistral-chat")
NOW = 1_795_000_000.0


def error(message: Json = "words", kind: str | None = None, code: Json = None, **more: Json) -> bytes:
    """An error body of the vendor."""
    body: JsonObject = {"object": "error", "message": message, "type": kind, "param": None, "code": code}
    return dump_json({**body, **more}).encode()


def read(status: int, body: bytes, headers: Headers = ()) -> InterlockError:
    """The typed error for an answer."""
    return CODEC.parse_error(
        VendorReply(status=status, headers=headers, body=body, provider="vendor", now=NOW)
    )


EXTRA: JsonObject = {
    "type": "extra_forbidden",
    "loc": ["body", "stream_options"],
    "msg": "Extra inputs are not permitted",
}
DETAIL = dump_json({"detail": [EXTRA]})
LONG = (
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length"
)
ID_WORDS = "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9."
CASES: list[tuple[int, bytes, type[InterlockError], bool]] = [
    (401, b'{"detail":"Unauthorized"}', CredentialError, False),
    (401, b'{"message":"Unauthorized","request_id":"r"}', CredentialError, False),
    (402, error("Payment required."), BillingError, False),
    (403, error("You do not have access to this resource."), CredentialError, False),
    (403, error("Blocked by a guardrail.", "guardrail_violation"), ContentPolicyError, False),
    (404, b'{"message":"no Route matched with those values"}', NotFoundError, False),
    (400, error("Invalid model: x", "invalid_model", "1500"), NotFoundError, False),
    (
        400,
        error("No such model", "invalid_request_error", "unknown_model", param="model"),
        NotFoundError,
        False,
    ),
    (400, error(LONG, "invalid_request_error", "3051"), ContextLengthError, False),
    (400, error("Unexpected role 'user' after role 'tool'", code=3230), InvalidRequestError, False),
    (400, error(ID_WORDS, "invalid_function_call", "3280"), InvalidRequestError, False),
    (408, b"", UpstreamTimeoutError, True),
    (413, error("Request body too large."), InvalidRequestError, False),
    (422, DETAIL.encode(), InvalidRequestError, False),
    (422, error({"detail": [EXTRA]}, "invalid_request_error"), InvalidRequestError, False),
    (422, error(DETAIL, "internal_error_proxy", "1000"), InvalidRequestError, False),
    (429, error("Rate limit exceeded", "rate_limited", "1300"), UpstreamRateLimitError, True),
    (429, b'{"message":"Requests rate limit exceeded"}', UpstreamRateLimitError, True),
    (429, error("Full.", "service_tier_capacity_exceeded", "3505"), OverloadedError, True),
    (
        429,
        error("Service tier capacity exceeded for this model.", "invalid_request_error"),
        OverloadedError,
        True,
    ),
    (429, error("You have reached your monthly limit."), BillingError, False),
    (500, error("Internal server error.", "internal_server_error", "1000"), UpstreamError, True),
    (502, b"<html>Bad gateway</html>", UpstreamConnectionError, True),
    (503, b"Service Unavailable", OverloadedError, True),
    (504, b"", UpstreamTimeoutError, True),
    (302, b"", ProtocolError, True),
]


@pytest.mark.promise("P4")
@pytest.mark.parametrize(("status", "body", "kind", "retryable"), CASES)
def test_an_error_is_typed_by_who_must_act(
    status: int, body: bytes, kind: type[InterlockError], retryable: bool
) -> None:
    """By status and code first, by words where those leave it open."""
    found = read(status, body)
    assert type(found) is kind
    assert found.retryable is retryable
    assert (found.vendor, found.vendor_status) == ("vendor", status)


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (DETAIL.encode(), "stream_options", "stream_options: Extra inputs are not permitted"),
        (error(DETAIL), "stream_options", "stream_options: Extra inputs"),
        (
            dump_json(
                {
                    "detail": [
                        {"loc": ["body", "messages", 0, "user", "content"], "msg": "Field required"},
                        {"loc": ["body", "tools", 1, "function", "list[union[str]]"], "msg": "no"},
                    ]
                }
            ).encode(),
            "messages[0].content",
            "messages[0].content: Field required; tools[1].function: no",
        ),
        (b'{"detail":[{"msg":"odd"}]}', None, "odd"),
        (b'{"detail":[3]}', None, "status 422"),
        (error("no", param="n"), "n", "no"),
    ],
)
def test_a_refusal_names_the_field(body: bytes, field: str | None, words: str) -> None:
    """As the client wrote it, without the names of the vendor's own types."""
    found = read(422, body)
    assert found.field == field
    assert words in found.message


def test_the_vendors_details_are_kept() -> None:
    """Its code, else its class of errors; its id of the request from the header, else from the body."""
    headers = (("Mistral-Correlation-Id", "c-1"), ("x-kong-request-id", "k-1"))
    found = read(429, error("slow", "rate_limited", "1300"), headers)
    assert (found.vendor_code, found.request_id) == ("1300", "c-1")
    other = read(404, b'{"message":"no Route matched with those values","request_id":"b-1"}')
    assert (other.vendor_code, other.request_id) == (None, "b-1")


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ((("retry-after", "7"),), 7.0),
        ((("retry-after-ms", "250"), ("retry-after", "7")), 0.25),
        ((("x-ratelimit-remaining-req-minute", "0"), ("x-ratelimit-reset-req-minute", "12s")), 12.0),
        ((("x-ratelimit-remaining-req-minute", "3"), ("x-ratelimit-reset-req-minute", "12s")), None),
        ((("retry-after", "315360000"),), None),
        ((), None),
    ],
)
def test_a_limit_says_when_to_come_back(headers: Headers, wait: float | None) -> None:
    """By `retry-after`, else by the limit that is used up; no wait beyond a day is believed."""
    assert read(429, b"", headers).retry_after == wait


def test_a_credential_that_was_refused_is_never_repeated() -> None:
    """Nor is anything in other words that looks like a key."""
    secret = "sk-0123456789abcdef"
    assert secret not in str(read(401, error(f"Bad key {secret}")))
    assert secret not in str(read(400, error(f"Bad header {secret}")))


def test_an_error_of_this_house_is_told_in_the_vendors_form() -> None:
    """With its status, and a word to clients that would only try again in vain."""
    reply = CODEC.render_error(QuotaExceededError("Spent.", remedy="Wait.", field="model"))
    assert (reply.status, dict(reply.headers)) == (
        429,
        {"content-type": "application/json", "x-should-retry": "false"},
    )
    assert json.loads(reply.body) == {
        "object": "error",
        "message": "Spent. Wait.",
        "type": "insufficient_quota",
        "param": "model",
        "code": "insufficient_quota",
    }
