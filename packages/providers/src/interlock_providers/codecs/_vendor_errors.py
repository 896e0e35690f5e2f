"""What a vendor's error is: by status and code first, by words only where those leave it open."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from interlock_core import Json
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
from interlock_core.jsontypes import as_int, as_text
from interlock_providers.codecs import VendorReply
from interlock_providers.codecs._retry_after import retry_after, span

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
    524: UpstreamTimeoutError,
    529: OverloadedError,
}
_OPEN_STATUSES = frozenset({400, 403, 413, 422, 500})
"""Statuses that leave open whether the input was too long: some servers fail where they should refuse."""
_CONTEXT_WORDS = re.compile(
    r"context (?:length|window|size)|too many (?:input )?tokens|(?:prompt|input) is too long|too many tokens",
    re.IGNORECASE,
)
_POLICY_WORDS = re.compile(r"content (?:management )?polic|safety system|content filter", re.IGNORECASE)
_KEYS = re.compile(r"\b(?:sk|pk|rk|gsk|xai|key|ilk|Bearer)[-_ ][A-Za-z0-9_*.\-]{6,}")
_MOST_WORDS = 500
LONGEST_WAIT_S = 86_400.0
"""A vendor that names a longer wait than a day is not believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an error says of itself.

    Attributes:
        status: HTTP status, or the one that an error within a stream names.
        code: The vendor's code, empty for none.
        kind: The vendor's class of errors, empty for none.
        words: Its words, without anything that looks like a key.
        field: The parameter that it names.
        request_id: Its id of the request.
    """

    status: int
    code: str = ""
    kind: str = ""
    words: str = field(default="", repr=False)
    field: str | None = None
    request_id: str | None = None


def word(value: Json) -> str:
    """A code or a class of errors as a word, cut to a length."""
    number = as_int(value)
    return str(number) if number is not None else shown(as_text(value) or "")[:80]


def shown(text: str) -> str:
    """A vendor's words, without anything that looks like a key, cut to a length."""
    return _KEYS.sub("[key]", text)[:_MOST_WORDS]


def error_for(
    told: Told,
    reply: VendorReply,
    by_code: Mapping[str, type[InterlockError]],
    resets: Sequence[tuple[str, str]],
) -> InterlockError:
    """The typed error.

    Args:
        told: What the error says.
        reply: The whole answer.
        by_code: What the vendor's codes and classes of errors are, lower case; they go before the status.
        resets: Headers that count what is left of a limit, each with the one that says when it is full again.
    """
    found = _class(told, by_code)
    if found is None:
        return ProtocolError(
            f"{reply.provider} answered with status {told.status}, which is no answer of this dialect.",
            vendor=reply.provider,
            vendor_status=reply.status,
            remedy="Check its base URL: redirects are not followed.",
        )
    message, remedy = _say(found, reply.provider, told.status, told.words)
    return found(
        message,
        field=told.field,
        remedy=remedy,
        retry_after=_retry_after(reply, resets) if issubclass(found, UpstreamError) else None,
        vendor=reply.provider,
        vendor_status=reply.status,
        vendor_code=told.code or told.kind or None,
        request_id=told.request_id,
    )


def _class(told: Told, by_code: Mapping[str, type[InterlockError]]) -> type[InterlockError] | None:
    named = by_code.get(told.code.lower()) or by_code.get(told.kind.lower())
    if named is not None:
        return named
    status = told.status
    if status == 404 and not (told.code or told.kind or told.words):
        return ConfigurationError
    if status in _OPEN_STATUSES and _CONTEXT_WORDS.search(told.words):
        return ContextLengthError
    if 200 <= status < 300 or status >= 500:
        return _BY_STATUS.get(status, UpstreamError)
    if status < 400:
        return None
    if status in {400, 403, 413, 422} and _POLICY_WORDS.search(told.words):
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


def _retry_after(reply: VendorReply, resets: Sequence[tuple[str, str]]) -> float | None:
    wait = retry_after(reply.header("retry-after-ms"), reply.header("retry-after"), now=reply.now)
    if wait is not None:
        return wait if wait <= LONGEST_WAIT_S else None
    spans = (span(reply.header(full)) for left, full in resets if reply.header(left) == "0")
    wait = max((wait for wait in spans if wait is not None), default=None)
    return wait if wait is not None and wait <= LONGEST_WAIT_S else None
