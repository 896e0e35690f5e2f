"""Errors, both ways: by status and code first, by words only where those leave it open."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

from interlock_core import Json, JsonObject
from interlock_core.errors import (
    BillingError,
    ContentPolicyError,
    ContextLengthError,
    CredentialError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, parse_json
from interlock_providers.codecs import ErrorReply, VendorReply
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._vendor_errors import Told, error_for, shown, word
from interlock_providers.codecs.openai_chat import _errors as sibling

_BY_CODE: Mapping[str, type[InterlockError]] = {
    **dict.fromkeys(
        ("1300", "rate_limited", "rate_limit_error", "rate_limit_exceeded"), UpstreamRateLimitError
    ),
    **dict.fromkeys(
        ("3505", "service_tier_capacity_exceeded", "capacity_exceeded", "overloaded"), OverloadedError
    ),
    **dict.fromkeys(("1500", "invalid_model", "unknown_model", "model_not_found"), NotFoundError),
    **dict.fromkeys(("3230", "invalid_request_message_order"), InvalidRequestError),
    **dict.fromkeys(("3280", "invalid_function_call"), InvalidRequestError),
    **dict.fromkeys(("context_length_exceeded", "prompt_too_long"), ContextLengthError),
    **dict.fromkeys(
        ("guardrail_violation", "content_policy_violation", "content_filter", "moderation_blocked"),
        ContentPolicyError,
    ),
    **dict.fromkeys(
        ("payment_required", "insufficient_balance", "insufficient_credits", "insufficient_quota"),
        BillingError,
    ),
    **dict.fromkeys(("authentication_error", "invalid_api_key", "unauthorized"), CredentialError),
    **dict.fromkeys(("timeout", "timeout_error", "request_timeout"), UpstreamTimeoutError),
}
_RESETS = tuple(
    (f"x-ratelimit-remaining-{what}", f"x-ratelimit-reset-{what}")
    for what in ("requests", "tokens", "req-minute", "tokens-minute")
)
_MONEY_WORDS = re.compile(
    r"(?:monthly|usage|spend(?:ing)?|billing) limit|insufficient (?:credit|fund|bal)", re.I
)
_FULL_WORDS = re.compile(r"capacity exceeded|overloaded", re.I)
_ROLES = frozenset({"system", "user", "assistant", "tool"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_error(body: JsonObject) -> bool:
    """Whether a JSON object that came with a successful status says that the vendor failed."""
    if body.get("choices"):
        return False
    return body.get("object") == "error" or any(
        body.get(name) is not None for name in ("error", "detail", "message")
    )


def parse_error(reply: VendorReply) -> InterlockError:
    """The typed error that a vendor's error is; see `Codec.parse_error`."""
    error = _error_object(reply.body)
    details = _details(error)
    code = word(error.get("code"))
    field, words = _first(details) if details else (as_text(error.get("param")), _words(error))
    told = Told(
        status=_status(reply.status, error, code),
        code=code,
        kind=word(error.get("type")),
        words=shown(words),
        field=field or None,
        request_id=_request_id(reply, error),
    )
    return error_for(told, reply, {**_BY_CODE, **_refined(told)}, _RESETS)


def _error_object(body: bytes) -> JsonObject:
    """The error's fields, in any of the shapes that the vendor and what stands before it use."""
    try:
        value: Json = parse_json(body)
    except (ValueError, RecursionError):
        return {}
    whole = as_object(value)
    inner = whole.get("error", whole)
    error: JsonObject = {"message": inner} if isinstance(inner, str) else as_object(inner)
    message = error.get("message")
    if isinstance(message, str) and message.startswith("{"):
        # What an inner server answered, told as a text.
        with suppress(ValueError, RecursionError):
            return {**error, "message": parse_json(message)}
    return error


def _details(error: JsonObject) -> list[Json]:
    """What is wrong with which field, told beside the message or within it."""
    found = error.get("detail", as_object(error.get("message")).get("detail"))
    return found if isinstance(found, list) else []


def _words(error: JsonObject) -> str:
    inner = as_object(error.get("message"))
    said = (error.get("message"), error.get("detail"), inner.get("detail"), inner.get("message"))
    return next((text for text in map(as_text, said) if text), "")


def _first(details: Sequence[Json]) -> tuple[str, str]:
    """The place that the first detail names, and what all of them say."""
    places = [_path(as_array(as_object(item).get("loc"))) for item in details]
    words = [as_text(as_object(item).get("msg")) or "" for item in details]
    said = [f"{place}: {text}" if place else text for place, text in zip(places, words, strict=True)]
    return places[0], "; ".join(text for text in said if text)


def _path(loc: Sequence[Json]) -> str:
    """A place as the client would write it: without the body, and without the names of the vendor's types."""
    path = ""
    for index, step in enumerate(loc):
        number = as_int(step)
        if number is not None:
            path += f"[{number}]"
            continue
        name = as_text(step) or ""
        if (index == 0 and name == "body") or (name in _ROLES and path.endswith("]")):
            continue
        if not _NAME.fullmatch(name):
            break
        path += f".{name}" if path else name
    return path


def _status(status: int, error: JsonObject, code: str) -> int:
    """The status, or the one that an error within a stream tells of itself."""
    if status >= 400:
        return status
    told = as_int(error.get("raw_status_code")) or as_int(error.get("status"))
    if told is None and code.isdecimal() and len(code) == 3:
        told = int(code)
    if told is not None and 400 <= told < 600:
        return told
    refused = (as_text(error.get("type")) or "").startswith("invalid_request")
    return 400 if refused and status < 300 else status


def _refined(told: Told) -> Mapping[str, type[InterlockError]]:
    """What a status that means two things means here, by the words; only where no code says it."""
    code = told.code.lower()
    if told.status != 429 or {code, told.kind.lower()} & _BY_CODE.keys():
        return {}
    if _MONEY_WORDS.search(told.words):
        return {code: BillingError}
    return {code: OverloadedError} if _FULL_WORDS.search(told.words) else {}


def _request_id(reply: VendorReply, error: JsonObject) -> str | None:
    names = ("mistral-correlation-id", "x-request-id", "x-kong-request-id")
    found = next((value for value in map(reply.header, names) if value), None)
    return found or as_text(error.get("request_id"))


def error_object(error: InterlockError) -> JsonObject:
    """The dialect's error object."""
    return {"object": "error", **sibling.error_object(error)}


def render_error(error: InterlockError) -> ErrorReply:
    """An error as clients of this dialect expect it; see `Codec.render_error`."""
    reply = sibling.render_error(error)
    return ErrorReply(status=reply.status, headers=reply.headers, body=to_bytes(error_object(error)))
