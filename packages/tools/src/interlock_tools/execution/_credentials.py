"""Credentials join a request here, at the last step, and are taken out of whatever comes back.

They go only to origins that the operator named: the address written for the API, the origin of a
document's own URL, or one listed for it. What a document says of servers names nothing.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit

from interlock_core.errors import ConfigurationError, InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import Json, dump_json
from interlock_core.protocols import SecretStore
from interlock_core.secret import Secret
from interlock_core.toolspec import HttpRequest
from interlock_tools.execution._styles import encoded
from interlock_tools.openapi._convert import OpenApiTool
from interlock_tools.openapi._ir import Operation, SecurityScheme

Spot: TypeAlias = Literal["header", "query", "cookie"]
"""Where a credential stands in a request."""

_MARK = "[redacted]"
_SHORTEST_SCRUBBED = 4
_SHORTEST_ENCODED = 8
_TRIPLE = re.compile(r"%[0-9A-F]{2}")
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

    Of the document's alternatives for which every scheme has a secret, the one with the fewest scopes counts.
    A document that says nothing of security gets the operator's secret as its first scheme, else as a bearer
    token.

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
        first = next((scheme for scheme in schemes.values() if _unplaceable(scheme, ()) is None), _BEARER)
        own = tuple(Wanted(secret, schemes[key]) for key, secret in named.items() if key in schemes)
        return (*written, *(own or ((Wanted(default, first),) if default is not None else ())))
    refused = ""
    for alternative in _by_scope(tool.plan.operation):
        found = [schemes.get(name) for name in alternative]
        single = default if sum(name not in named for name in alternative) == 1 else None
        secrets = [named.get(name, single) for name in alternative]
        told = (_unplaceable(scheme, named) for scheme in found if scheme is not None)
        why = next((said for said in told if said is not None), None)
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


def _by_scope(operation: Operation) -> Iterator[tuple[str, ...]]:
    """The alternatives: those that need the fewest scopes first, then the fewest schemes."""
    alternatives = operation.security or ()
    scopes = [*operation.scopes, *(() for _ in alternatives)]
    order = sorted(range(len(alternatives)), key=lambda index: (len(scopes[index]), len(alternatives[index])))
    return (alternatives[index] for index in order)


def _unplaceable(scheme: SecurityScheme, named: Collection[str]) -> str | None:
    """Why a scheme cannot be placed; None when it can. A certificate stands for no other secret."""
    match scheme.kind:
        case "apiKey":
            return (
                None
                if scheme.parameter and scheme.location in {"header", "query", "cookie"}
                else (f"the scheme {scheme.name} does not say where the key goes")
            )
        case "http":
            known = scheme.scheme in {"basic", "bearer", "digest"}
            return None if known else f"the HTTP scheme {scheme.scheme or 'without a name'} is not built"
        case "oauth2" | "openIdConnect":
            return None
        case "mutualTLS":
            wanted = f"the client certificate of {scheme.name} (mutualTLS) has no secret of its own"
            return None if scheme.name in named else wanted
        case _:
            return f"the scheme {scheme.name} is of unknown type {scheme.kind[:40]!r}"


def _written_scheme(key: str) -> SecurityScheme:
    spot, _, name = key.partition(":")
    if key == "mutualTLS":
        return SecurityScheme(name=key, kind=key)
    if spot in {"bearer", "basic", "digest"} and not name:
        return SecurityScheme(name=key, kind="http", scheme=spot)
    if spot in {"header", "query", "cookie"} and name:
        return SecurityScheme(name=key, kind="apiKey", location=spot, parameter=name)
    raise ConfigurationError(
        f"The document has no security scheme {key[:60]!r}.",
        field="credentials",
        remedy="Name one of its schemes, bearer, basic, digest, mutualTLS, header:NAME, query:NAME or "
        "cookie:NAME.",
    )


class Scrubber:
    """Takes credentials out of what came back: exact matches, plain, escaped and in the usual codings.

    Those of two requests can be joined.

    Args:
        secrets: The credentials that were sent.
        hide: Hides what else must not be seen, such as credentials of other tools.
    """

    __slots__ = ("_forms", "_hide")

    def __init__(self, secrets: Iterable[str], *, hide: Callable[[Json], Json] | None = None) -> None:
        known = [secret for secret in secrets if len(secret) >= _SHORTEST_SCRUBBED]
        self._forms = _forms(tuple(known)) if known else ()
        self._hide = hide

    def joined(self, *others: "Scrubber") -> "Scrubber":
        """One that takes out what any of them does."""
        made = Scrubber((), hide=self._hide)
        forms = {form for one in (self, *others) for form in one._forms}
        made._forms = tuple(sorted(forms, key=len, reverse=True))
        return made

    def text(self, value: str) -> str:
        """The text without any credential."""
        for form in self._forms:
            if form in value:
                value = value.replace(form, _MARK)
        if self._hide is None:
            return value
        hidden = self._hide(value)
        return hidden if isinstance(hidden, str) else _MARK

    def json(self, value: Json) -> Json:
        """The value without any credential, in keys and values."""
        if not self._forms:
            return self._hide(value) if self._hide is not None else value
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


@lru_cache(maxsize=16)
def _forms(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """What secrets may look like, the longest first."""
    import html
    import json

    forms: set[str] = set()
    for secret in secrets:
        encoded_all, with_plus = quote(secret, safe=""), quote_plus(secret)
        lower = _TRIPLE.sub(lambda match: match[0].lower(), encoded_all)
        forms |= {secret, encoded_all, lower, with_plus, quote(encoded_all, safe="")}
        forms |= {quote(secret), dump_json(secret)[1:-1], json.dumps(secret)[1:-1], html.escape(secret)}
        forms |= {dump_json(dump_json(secret)[1:-1])[1:-1], secret.replace("/", "\\/")}
        forms |= {secret.encode().hex(), secret.encode().hex().upper(), *_base64(secret.encode())}
    return tuple(sorted((form for form in forms if len(form) >= _SHORTEST_SCRUBBED), key=len, reverse=True))


def _base64(secret: bytes) -> Iterator[str]:
    """A secret in base64, wherever in a longer text it stands; the digits that it shares are left out."""
    import base64

    for before in range(3):
        text = base64.b64encode(b"\0" * before + secret).decode().rstrip("=")
        shared_after = (before + len(secret)) % 3 != 0
        inner = text[(0, 2, 3)[before] : len(text) - (1 if shared_after else 0)]
        if len(inner) >= _SHORTEST_ENCODED:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")


async def with_credentials(
    request: HttpRequest,
    wanted: Iterable[Wanted],
    secrets: SecretStore,
    *,
    declared: Collection[str] = (),
    hide: Callable[[Json], Json] | None = None,
) -> tuple[HttpRequest, Scrubber, tuple[tuple[Wanted, Secret], ...]]:
    """The request with its credentials, what takes them out of the answer, and what they are.

    A pair for a challenge is among them and not yet in the request.

    Args:
        request: The request of the arguments.
        wanted: What joins it.
        secrets: Gives the credentials.
        declared: Parameters of the operation: a credential takes the place of one that has its name.
        hide: Hides what else must not be seen in the answer.

    Raises:
        ConfigurationError: There is no such secret, it cannot stand in a request, or may not go there.
        InvalidRequestError: A member of an object would stand beside a credential under its name.
    """
    known: list[str] = []
    used: list[tuple[Wanted, Secret]] = []
    host = urlsplit(request.url).hostname or ""
    for one in wanted:
        held = await secrets.get(one.secret)
        held.require_host(host)
        if one.scheme.kind == "mutualTLS":
            continue
        secret = held.reveal().strip()
        placed = _placed(one, secret)
        used.append((one, held))
        if one.scheme.scheme in {"basic", "digest"}:
            known.append(secret.partition(":")[2])
        if one.scheme.scheme == "digest":
            known.append(secret)
            continue
        known += [secret, placed.value.partition(" ")[2] if placed.spot == "header" else placed.value]
        request = _with(request, placed, declared)
    return request, Scrubber(known, hide=hide), tuple(used)


def _placed(wanted: Wanted, secret: str) -> _Placed:
    if not secret or any(ord(c) < 32 or ord(c) == 127 for c in secret):
        raise ConfigurationError(
            f"The secret {wanted.secret} is empty or holds a line break.",
            field=wanted.secret,
            remedy="Set it again, on one line.",
        )
    if any(0xD800 <= ord(c) < 0xE000 for c in secret):
        raise ConfigurationError(
            f"The secret {wanted.secret} holds half a character: it was not read as UTF-8.",
            field=wanted.secret,
            remedy="Set it again, in UTF-8.",
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


def _with(request: HttpRequest, placed: _Placed, declared: Collection[str]) -> HttpRequest:
    """The request with the credential in its place, instead of anything of that name."""
    match placed.spot:
        case "header":
            others = tuple(pair for pair in request.headers if pair[0].lower() != placed.name.lower())
            return replace(request, headers=(*others, (placed.name, placed.value)))
        case "cookie":
            held = request.header("cookie") or ""
            parts = [part for part in held.split("; ") if part]
            kept = _without(parts, placed.name, declared)
            joined = "; ".join([*kept, f"{placed.name}={encoded(placed.value)}"])
            others = tuple(pair for pair in request.headers if pair[0].lower() != "cookie")
            return replace(request, headers=(*others, ("cookie", joined)))
        case "query":
            address, _, query = request.url.partition("?")
            pieces = _without([piece for piece in query.split("&") if piece], placed.name, declared)
            pieces.append(f"{encoded(placed.name)}={encoded(placed.value)}")
            return replace(request, url=f"{address}?{'&'.join(pieces)}")


def _without(pieces: list[str], name: str, declared: Collection[str]) -> list[str]:
    """The `name=value` pieces but for those of a credential's name.

    Raises:
        InvalidRequestError: One of that name comes of no parameter that the document declares.
    """
    kept = [piece for piece in pieces if unquote_plus(piece.partition("=")[0]) != name]
    if len(kept) < len(pieces) and name not in declared:
        raise InvalidRequestError(
            f"The arguments hold a value under the name {name[:60]}, where the credential goes.",
            field=name[:60],
            remedy="Leave it out.",
        )
    return kept
