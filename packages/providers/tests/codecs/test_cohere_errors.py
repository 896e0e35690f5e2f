"""Errors of the dialect cohere-chat, both ways. The cases follow the vendor's page on errors."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.errors import (
    BillingError,
    ConfigurationError,
    ContentPolicyError,
    ContextLengthError,
    CredentialError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ProtocolError,
    QuotaExceededError,
    UnauthenticatedError,
    UnsupportedError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import dump_json
from interlock_providers.codecs import Headers, VendorReply, codec

CODEC = codec("cohere-chat")
NOW = 1_795_000_000.0
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"


def error(message: str) -> bytes:
    """An error body of the dialect."""
    return dump_json({"id": "e-1", "message": message}).encode()


def read(status: int, body: bytes, headers: Headers = ()) -> InterlockError:
    """The typed error for an answer."""
    reply = VendorReply(status=status, headers=headers, body=body, provider="vendor", now=NOW)
    return CODEC.parse_error(reply)


CASES: list[tuple[int, bytes, type[InterlockError]]] = [
    (400, error("invalid request: temperature must be between 0 and 1.0 inclusive."), InvalidRequestError),
    (400, error("too many tokens: size limit exceeded by 11326 tokens."), ContextLengthError),
    (400, error("invalid request: safety_mode is not supported with tools"), InvalidRequestError),
    (400, error("blocked output: please adjust your prompt and try again"), ContentPolicyError),
    (400, b'{"message":"\xe9"}', InvalidRequestError),
    (400, HTML, InvalidRequestError),
    (401, error("invalid api token"), CredentialError),
    (401, b"", CredentialError),
    (402, error("Please add or update your payment method"), BillingError),
    (403, HTML, CredentialError),
    (404, error("model 'xlarge' not found, make sure the correct model ID was used"), NotFoundError),
    (404, HTML, ConfigurationError),
    (405, b"", InvalidRequestError),
    (408, b"", UpstreamTimeoutError),
    (409, error("conflict"), UpstreamError),
    (413, error("request is too large"), InvalidRequestError),
    (422, error("unknown field: parameter 'x' is not a valid field"), InvalidRequestError),
    (422, b'{"data":{"id":"e-1","message":"invalid type"}}', InvalidRequestError),
    (
        429,
        error("You are using a Trial key, which is limited to 20 API calls / minute."),
        UpstreamRateLimitError,
    ),
    (429, error("trial token rate limit exceeded, too many tokens"), UpstreamRateLimitError),
    (429, b"slow down", UpstreamRateLimitError),
    (498, error("invalid token"), CredentialError),
    (498, error("blocked input: see the usage guidelines"), ContentPolicyError),
    (499, error("request cancelled by user"), UpstreamConnectionError),
    (500, error("internal server error"), UpstreamError),
    (501, error("not implemented"), UpstreamError),
    (502, HTML, UpstreamConnectionError),
    (503, error("the service is temporarily unavailable"), OverloadedError),
    (504, b"stream timeout", UpstreamTimeoutError),
    (529, b"", OverloadedError),
    (200, error("it broke"), UpstreamError),
    (200, error("too many tokens: shorten the prompt"), ContextLengthError),
    (307, b"", ProtocolError),
]


@pytest.mark.promise("P4")
@pytest.mark.parametrize(("status", "body", "cls"), CASES)
def test_an_error_is_typed_by_who_must_act(status: int, body: bytes, cls: type[InterlockError]) -> None:
    """By status first; words decide only where it leaves that open."""
    found = read(status, body)
    assert type(found) is cls
    assert (found.vendor, found.vendor_status) == ("vendor", status)
    assert b"<" not in str(found).encode()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ((("retry-after", "12"),), 12.0),
        ((("Retry-After-Ms", "2500"), ("retry-after", "12")), 2.5),
        ((("retry-after", "3"), ("x-ratelimit-reset", f"{int(NOW) + 25}")), 3.0),
        ((("x-ratelimit-reset", f"{int(NOW) + 25}"),), 25.0),
        ((("x-ratelimit-reset", f"{int(NOW) - 25}"),), None),
        ((("x-ratelimit-reset", "soon"),), None),
        ((("x-ratelimit-reset", "9" * 40),), None),
        ((("retry-after", "-1"),), None),
        ((), None),
    ],
)
def test_the_vendor_says_when_to_come_back(headers: Headers, wait: float | None) -> None:
    """The wait in seconds or as a date; else the moment at which the limit ends."""
    assert read(429, error("rate limited"), headers).retry_after == wait
    assert read(400, error("wrong"), headers).retry_after is None


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ((), "e-1"),
        ((("X-Debug-Trace-Id", "t-1"),), "t-1"),
        ((("x-request-id", "r-1"), ("x-debug-trace-id", "t-1")), "t-1"),
    ],
)
def test_the_vendors_id_of_the_request_is_kept(headers: Headers, request_id: str) -> None:
    """That of the headers, else that of the body."""
    assert read(500, error("it broke"), headers).request_id == request_id
    assert read(500, b"", ()).request_id is None


@pytest.mark.parametrize(
    ("status", "words", "field"),
    [
        (404, "model 'x' not found", "model"),
        (400, "too many tokens: max tokens must be less than or equal to 4096", "max_tokens"),
        (400, "invalid request: temperature must be between 0 and 1.0 inclusive.", None),
    ],
)
def test_the_field_that_the_vendor_means_is_named(status: int, words: str, field: str | None) -> None:
    """Where its words leave no doubt."""
    assert read(status, error(words)).field == field


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "invalid api token: cO7yTn3WqRs9LvXk2ZbMp5HdJf8GaEu1"),
        (400, "wrong token: cO7yTn3WqRs9LvXk2ZbMp5HdJf8GaEu1"),
        (422, "parameter documents[0] is of type string: 'my IBAN is cO7yTn3WqRs9LvXk2ZbMp5HdJf8GaEu1'"),
    ],
)
def test_no_key_and_no_part_of_the_request_stands_in_an_error(status: int, words: str) -> None:
    """Vendors repeat what they were sent; we do not."""
    found = read(status, error(words))
    assert "cO7y" not in str(found) + repr(found) + dump_json(found.as_json())


def test_the_name_of_a_model_stays_in_an_error() -> None:
    """Short names in quotes tell what to change."""
    words = "invalid request: model 'command-r-plus-08-2024' is not supported by the generate API"
    assert "command-r-plus-08-2024" in str(read(400, error(words)))


def test_a_long_answer_is_cut() -> None:
    """An error is read by a person."""
    assert len(str(read(500, error("x" * 100_000)))) < 1000


@given(st.integers(100, 599), st.binary(max_size=200))
def test_no_bytes_make_the_reader_of_errors_fail(status: int, body: bytes) -> None:
    """Whatever a server answers is one typed error."""
    assert read(status, body).vendor == "vendor"


@pytest.mark.parametrize(
    ("error_", "status", "body"),
    [
        (
            UnsupportedError("It cannot.", field="n", remedy="Ask again."),
            400,
            {"message": "It cannot. Ask again.", "code": "unsupported"},
        ),
        (UnauthenticatedError("No key."), 401, {"message": "No key.", "code": "unauthenticated"}),
        (QuotaExceededError("Spent."), 429, {"message": "Spent.", "code": "quota_exceeded"}),
        (
            OverloadedError("Busy.", request_id="r-1"),
            503,
            {"id": "r-1", "message": "Busy.", "code": "overloaded"},
        ),
    ],
)
def test_a_client_is_told_errors_as_the_vendor_tells_them(
    error_: InterlockError, status: int, body: dict[str, str]
) -> None:
    """Status and words of the dialect, with our stable code beside them."""
    reply = CODEC.render_error(error_)
    assert (reply.status, json.loads(reply.body)) == (status, body)
    assert ("content-type", "application/json") in reply.headers


def test_a_client_is_told_when_to_come_back() -> None:
    """In whole seconds, rounded up, and in milliseconds, which the SDK reads first."""
    headers = dict(CODEC.render_error(UpstreamRateLimitError("Slow.", retry_after=1.2)).headers)
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("2", "1200")


def test_an_error_told_to_a_client_reads_as_the_same_kind() -> None:
    """A gateway behind a gateway says who must act."""
    for found in (OverloadedError("x"), UpstreamRateLimitError("x"), InvalidRequestError("x")):
        reply = CODEC.render_error(found)
        assert type(read(reply.status, reply.body, reply.headers)) is type(found)
