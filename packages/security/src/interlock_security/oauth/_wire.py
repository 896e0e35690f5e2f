"""Requests to a token endpoint, and its answers, of which nothing is repeated but the error code."""

import base64
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlencode, urlsplit

from interlock_core.errors import (
    ConfigurationError,
    CredentialError,
    InterlockError,
    OverloadedError,
    ProtocolError,
)
from interlock_core.jsontypes import JsonObject, as_number, as_object, as_text
from interlock_core.record import record
from interlock_core.secret import Secret
from interlock_core.toolspec import HttpRequest
from interlock_security.oauth._assertion import ASSERTION_TYPE, assertion
from interlock_security.oauth._client import OAuthClient

if TYPE_CHECKING:
    from interlock_core.http import HttpResponse

MOST_BYTES = 64 * 1024
"""Longest answer that is read."""

TIMEOUT_S = 10.0
"""Seconds for one request."""

_LONGEST_TOKEN = 16 * 1024
_LIVES_UNSAID_S = 300.0
_LIVES_AT_MOST_S = 86_400.0
_MOST_SKEW_S = 60.0
_TOKEN = re.compile(r"[\x21-\x7e]+")
_CODE = re.compile(r"[a-z_]{1,40}")


@record(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token.

    Attributes:
        access: The token.
        fresh_until: Until when it is used, in seconds since 1970: its end less some margin.
        refresh: The refresh token that came with it; empty when none did.
    """

    access: str
    fresh_until: float
    refresh: str = ""

    def __repr__(self) -> str:
        return "Token(hidden)"


def checked_url(url: str, *, field: str) -> str:
    """An address that secrets may be sent to: https, or this machine.

    Raises:
        ConfigurationError: It is neither, or no address.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in {"https", "http"} or parts.username is not None or parts.fragment:
        raise ConfigurationError(f"{field} is no address.", field=field, remedy="Write https://…")
    if parts.scheme != "https" and host not in {"127.0.0.1", "::1", "localhost"}:
        raise ConfigurationError(
            f"{field} is not https, so no secret is sent there.", field=field, remedy="Write https://…"
        )
    return url


def token_request(
    client: OAuthClient, url: str, *, secret: Secret | None, refresh: Secret | None, now: float
) -> HttpRequest:
    """The request for a token.

    Raises:
        ConfigurationError: The secret is no private key where one is needed.
    """
    fields: dict[str, str] = {"grant_type": "client_credentials" if refresh is None else "refresh_token"}
    if refresh is not None:
        fields["refresh_token"] = refresh.reveal().strip()
    if client.scopes:
        fields["scope"] = " ".join(client.scopes)
    if client.audience:
        fields["audience"] = client.audience
    headers = [("accept", "application/json"), ("content-type", "application/x-www-form-urlencoded")]
    if secret is not None and client.authentication == "basic":
        pair = f"{quote_plus(client.client_id)}:{quote_plus(secret.reveal().strip())}"
        headers.append(("authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
    else:
        fields["client_id"] = client.client_id
    if secret is not None and client.authentication == "post":
        fields["client_secret"] = secret.reveal().strip()
    if secret is not None and client.authentication == "private_key_jwt":
        fields["client_assertion_type"] = ASSERTION_TYPE
        fields["client_assertion"] = assertion(secret, client_id=client.client_id, token_url=url, now=now)
    return HttpRequest(method="POST", url=url, headers=tuple(headers), body=urlencode(fields).encode())


def token_of(response: "HttpResponse", client: OAuthClient, *, now: float) -> Token:
    """The token that an endpoint gave.

    Raises:
        CredentialError: It refuses the client or its grant.
        UpstreamError: It failed, redirects, or what it gave is no bearer token.
    """
    if not response.ok:
        raise _refused(response, client)
    fields = _fields(response, client)
    kind = as_text(fields.get("token_type")) or ""
    if kind.lower() != "bearer":
        raise _wrong(client, "gave a token that is no bearer token")
    access = as_text(fields.get("access_token")) or ""
    if not _TOKEN.fullmatch(access) or len(access) > _LONGEST_TOKEN:
        raise _wrong(client, "gave no token that can stand in a header")
    refresh = as_text(fields.get("refresh_token")) or ""
    if refresh and (not _TOKEN.fullmatch(refresh) or len(refresh) > _LONGEST_TOKEN):
        raise _wrong(client, "gave a refresh token that is none")
    lives = _lifetime(fields)
    return Token(access=access, fresh_until=now + lives - min(_MOST_SKEW_S, lives / 5), refresh=refresh)


def endpoint_of(response: "HttpResponse", client: OAuthClient) -> str:
    """The token endpoint that an issuer names: of its own origin, for a document names no other.

    Raises:
        ConfigurationError: It is of another origin, or the issuer calls itself otherwise.
        UpstreamError: The issuer gave no description of itself.
    """
    from interlock_core.http import origin_of

    if not response.ok:
        raise _wrong(client, f"answered {response.status} where it should describe itself")
    fields = _fields(response, client)
    if (as_text(fields.get("issuer")) or "").rstrip("/") != client.issuer.rstrip("/"):
        raise ConfigurationError(
            f"The issuer of {client.name} calls itself by another name.",
            field=f"{client.name}.issuer",
            remedy="Write the issuer exactly as it calls itself.",
        )
    endpoint = checked_url(as_text(fields.get("token_endpoint")) or "", field=f"{client.name}.issuer")
    if origin_of(endpoint) != origin_of(client.issuer):
        raise ConfigurationError(
            f"The issuer of {client.name} names a token endpoint at {origin_of(endpoint)}, which nobody here "
            "wrote: no secret is sent there.",
            field=f"{client.name}.token_url",
            remedy=f"If it is the right one, write token_url = {endpoint[:200]!r}.",
        )
    return endpoint


def _fields(response: "HttpResponse", client: OAuthClient) -> JsonObject:
    try:
        return as_object(response.json())
    except ProtocolError:
        raise _wrong(client, "answered with no JSON") from None


def _lifetime(fields: Mapping[str, object]) -> float:
    """Seconds that a token lives; some minutes where the server does not say, or says nonsense."""
    said = fields.get("expires_in")
    text = as_text(said)
    if text is not None and text.isascii() and text.isdecimal() and len(text) <= 12:
        said = int(text)
    lives = as_number(said)
    if lives is None or not math.isfinite(lives):
        return _LIVES_UNSAID_S
    return min(max(lives, 0.0), _LIVES_AT_MOST_S)


def _refused(response: "HttpResponse", client: OAuthClient) -> InterlockError:
    if 300 <= response.status < 400:
        return _wrong(client, "redirects, which is not followed with a secret")
    if response.status == 429 or response.status >= 500:
        return OverloadedError(
            f"The token endpoint of {client.name} answered {response.status}.",
            vendor_status=response.status,
            remedy="Try again later.",
        )
    try:
        code = as_text(as_object(response.json()).get("error")) or ""
    except ProtocolError:
        code = ""
    shown = code if _CODE.fullmatch(code) else f"status {response.status}"
    expired = code == "invalid_grant" and bool(client.refresh_token)
    return CredentialError(
        f"The token endpoint of {client.name} refused: {shown}.",
        field=client.name,
        vendor_status=response.status,
        remedy="The refresh token has ended: set a new one."
        if expired
        else "Check client_id and its secret.",
    )


def _wrong(client: OAuthClient, what: str) -> ProtocolError:
    return ProtocolError(
        f"The token endpoint of {client.name} {what}.",
        field=client.name,
        remedy="Check its address; nothing of the answer was used.",
    )
