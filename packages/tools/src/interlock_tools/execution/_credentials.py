"""Credentials join a request here, at the last step, and are taken out of whatever comes back.

They go only to origins that the operator named: the address written for the API, the origin of a
document's own URL, or one listed for it. What a document says of servers names nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias
from urllib.parse import quote, unquote

from interlock_core.errors import ConfigurationError, UnsupportedError
from interlock_core.jsontypes import Json, dump_json
from interlock_core.protocols import SecretStore
from interlock_core.toolspec import HttpRequest
from interlock_tools.execution._styles import encoded
from interlock_tools.openapi._convert import OpenApiTool
from interlock_tools.openapi._ir import SecurityScheme

Spot: TypeAlias = Literal["header", "query", "cookie"]
"""Where a credential stands in a request."""

_MARK = "[redacted]"
_SHORTEST_SCRUBBED = 4
_BEARER = SecurityScheme(name="bearer", kind="http", scheme="bearer")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A credential that an operation needs.

    Attributes:
        secret: Name of the secret.
        scheme: How it is placed.
    """

    secret: str
    scheme: SecurityScheme


@dataclass(frozen=True, slots=True)
class _Placed:
    spot: Spot
    name: str
    value: str


def wanted_credentials(
    tool: OpenApiTool, *, default: str | None, named: Mapping[str, str]
) -> tuple[Wanted, ...]:
    """The credentials that a call of this tool gets; none when the operator gave none that fit.

    Of the document's alternatives the first counts for which every scheme has a secret. A document that
    says nothing of security gets the operator's secret as its first scheme, else as a bearer token.

    Args:
        tool: The tool.
        default: Name of the secret for the one scheme that `named` does not name.
        named: Name of the secret for each scheme (or `bearer`, `basic`, `header:NAME`, `query:NAME`,
            `cookie:NAME` for what the document does not describe).

    Raises:
        UnsupportedError: Every alternative needs a scheme that cannot be placed.
    """
    schemes = {scheme.name: scheme for scheme in tool.document.schemes}
    written = tuple(
        Wanted(secret, _written_scheme(key)) for key, secret in named.items() if key not in schemes
    )
    alternatives = tool.plan.operation.security
    if alternatives is None:
        first = next((scheme for scheme in schemes.values() if _unplaceable(scheme) is None), _BEARER)
        own = tuple(Wanted(secret, schemes[key]) for key, secret in named.items() if key in schemes)
        return (*written, *(own or ((Wanted(default, first),) if default is not None else ())))
    refused = ""
    for alternative in alternatives:
        found = [schemes.get(name) for name in alternative]
        single = default if sum(name not in named for name in alternative) == 1 else None
        secrets = [named.get(name, single) for name in alternative]
        why = next((said for s in found if s is not None and (said := _unplaceable(s)) is not None), None)
        if why is not None:
            refused = why
        elif alternative and None not in secrets:
            pairs = zip(secrets, (scheme or _BEARER for scheme in found), strict=True)
            return (*written, *(Wanted(secret, scheme) for secret, scheme in pairs if secret is not None))
    if refused and (default or named) and not written and () not in alternatives:
        raise UnsupportedError(
            f"{tool.spec.name} cannot be called with a credential: {refused}.",
            field=tool.spec.name,
            remedy="Give a credential for another of its schemes, or its placement as header:NAME.",
        )
    return written


def _unplaceable(scheme: SecurityScheme) -> str | None:
    """Why a scheme cannot be placed; None when it can."""
    match scheme.kind:
        case "apiKey":
            return (
                None
                if scheme.parameter and scheme.location in {"header", "query", "cookie"}
                else (f"the scheme {scheme.name} does not say where the key goes")
            )
        case "http":
            known = scheme.scheme in {"basic", "bearer"}
            return None if known else f"the HTTP scheme {scheme.scheme or 'without a name'} is not built"
        case "oauth2" | "openIdConnect":
            return None
        case "mutualTLS":
            return "client certificates (mutualTLS) are not built"
        case _:
            return f"the scheme {scheme.name} is of unknown type {scheme.kind[:40]!r}"


def _written_scheme(key: str) -> SecurityScheme:
    spot, _, name = key.partition(":")
    if spot in {"bearer", "basic"} and not name:
        return SecurityScheme(name=key, kind="http", scheme=spot)
    if spot in {"header", "query", "cookie"} and name:
        return SecurityScheme(name=key, kind="apiKey", location=spot, parameter=name)
    raise ConfigurationError(
        f"The document has no security scheme {key[:60]!r}.",
        field="credentials",
        remedy="Name one of its schemes, or bearer, basic, header:NAME, query:NAME or cookie:NAME.",
    )


class Scrubber:
    """Takes credentials out of what came back: exact matches, plain, percent-encoded and escaped."""

    __slots__ = ("_forms",)

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) >= _SHORTEST_SCRUBBED:
                forms |= {secret, quote(secret, safe=""), dump_json(secret)[1:-1]}
        self._forms = sorted(forms, key=len, reverse=True)

    def text(self, value: str) -> str:
        """The text without any credential."""
        for form in self._forms:
            if form in value:
                value = value.replace(form, _MARK)
        return value

    def json(self, value: Json) -> Json:
        """The value without any credential, in keys and values."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.json(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.json(item) for key, item in value.items()}
        return value

    def holds(self, data: bytes) -> bool:
        """Whether a credential stands in these bytes."""
        return any(form.encode() in data for form in self._forms)


async def with_credentials(
    request: HttpRequest, wanted: Iterable[Wanted], secrets: SecretStore
) -> tuple[HttpRequest, Scrubber]:
    """The request with its credentials, and what takes them out of the answer.

    Raises:
        ConfigurationError: There is no such secret, or it cannot stand in a request.
    """
    known: list[str] = []
    for one in wanted:
        secret = (await secrets.get(one.secret)).reveal().strip()
        placed = _placed(one, secret)
        known += [secret, placed.value.partition(" ")[2] if placed.spot == "header" else placed.value]
        request = _with(request, placed)
    return request, Scrubber(known)


def _placed(wanted: Wanted, secret: str) -> _Placed:
    if not secret or any(ord(c) < 32 or ord(c) == 127 for c in secret):
        raise ConfigurationError(
            f"The secret {wanted.secret} is empty or holds a line break.",
            field=wanted.secret,
            remedy="Set it again, on one line.",
        )
    scheme = wanted.scheme
    if scheme.kind == "apiKey":
        spots: dict[str, Spot] = {"header": "header", "query": "query", "cookie": "cookie"}
        return _Placed(spots[scheme.location], scheme.parameter, secret)
    if scheme.kind == "http" and scheme.scheme == "basic":
        import base64

        pair = secret if ":" in secret else f"{secret}:"
        return _Placed("header", "authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    return _Placed("header", "authorization", f"Bearer {secret}")


def _with(request: HttpRequest, placed: _Placed) -> HttpRequest:
    """The request with the credential in its place, instead of anything of that name."""
    match placed.spot:
        case "header":
            others = tuple(pair for pair in request.headers if pair[0].lower() != placed.name.lower())
            return replace(request, headers=(*others, (placed.name, placed.value)))
        case "cookie":
            held = request.header("cookie") or ""
            kept = [part for part in held.split("; ") if part and part.partition("=")[0] != placed.name]
            joined = "; ".join([*kept, f"{placed.name}={encoded(placed.value)}"])
            others = tuple(pair for pair in request.headers if pair[0].lower() != "cookie")
            return replace(request, headers=(*others, ("cookie", joined)))
        case "query":
            address, _, query = request.url.partition("?")
            pieces = [p for p in query.split("&") if p and unquote(p.partition("=")[0]) != placed.name]
            pieces.append(f"{encoded(placed.name)}={encoded(placed.value)}")
            return replace(request, url=f"{address}?{'&'.join(pieces)}")
