"""HTTP Digest access authentication (RFC 7616): the secret itself never goes out, only hashes made with it.

The strongest algorithm of those that are offered counts: SHA-512-256, then SHA-256, then MD5, each with its
`-sess` form. What a server says of itself in return is not checked.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from interlock_core.errors import ProtocolError
from interlock_core.toolspec import HttpRequest

_LONGEST = 8 * 1024
_ALGORITHMS = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
_ITEM = re.compile(
    r"""\s*,?\s*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)"""
    r"""(?:\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^\s",]+)))?"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a server asks for.

    Attributes:
        realm: What the user and password are for.
        nonce: The server's own value, which the answer is made with.
        algorithm: Name of the algorithm, without `-sess`.
        session: It is the `-sess` form.
        quality: `auth`, `auth-int`, or empty for the form of RFC 2069.
        opaque: To be sent back as it is.
        hashed_user: The user's name is sent as a hash.
        stale: The nonce before has ended; user and password are right.
    """

    realm: str
    nonce: str
    algorithm: str
    session: bool
    quality: str
    opaque: str | None
    hashed_user: bool
    stale: bool


def challenge_of(values: Iterable[str]) -> Challenge | None:
    """The strongest Digest challenge in the `WWW-Authenticate` headers of an answer; None without one."""
    found = [made for value in values for fields in _digests(value) if (made := _challenge(fields))]
    order = list(_ALGORITHMS)
    return min(found, key=lambda one: order.index(one.algorithm), default=None)


def _digests(value: str) -> Iterable[Mapping[str, str]]:
    """The parameters of each Digest challenge of one header, which may hold several of any kind."""
    challenges: list[tuple[str, dict[str, str]]] = []
    position = 0
    text = value[:_LONGEST]
    while (match := _ITEM.match(text, position)) is not None:
        position = match.end()
        if match["quoted"] is None and match["token"] is None:
            challenges.append((match["name"].lower(), {}))
        elif challenges:
            plain = match["token"] if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"])
            challenges[-1][1].setdefault(match["name"].lower(), plain)
    return [fields for scheme, fields in challenges if scheme == "digest"]


def _challenge(fields: Mapping[str, str]) -> Challenge | None:
    """The challenge of its parameters; None when it asks for what is not known here."""
    algorithm = fields.get("algorithm", "MD5").upper()
    session = algorithm.endswith("-SESS")
    algorithm = algorithm.removesuffix("-SESS")
    offered = [part.strip().lower() for part in fields.get("qop", "").split(",") if part.strip()]
    quality = next((one for one in ("auth", "auth-int") if one in offered), "")
    texts = (fields.get("realm", ""), fields.get("nonce", ""), fields.get("opaque", ""))
    if algorithm not in _ALGORITHMS or (offered and not quality) or not fields.get("nonce"):
        return None
    if any(not text.isprintable() or not text.isascii() for text in texts[1:]):
        return None
    return Challenge(
        realm=texts[0],
        nonce=texts[1],
        algorithm=algorithm,
        session=session,
        quality=quality,
        opaque=fields.get("opaque"),
        hashed_user=fields.get("userhash", "").lower() == "true",
        stale=fields.get("stale", "").lower() == "true",
    )


def authorization(request: HttpRequest, challenge: Challenge, *, pair: str, count: int, own: str = "") -> str:
    """The `Authorization` header that answers a challenge.

    Args:
        request: The request that it is for, whole.
        challenge: The challenge.
        pair: `user:password`.
        count: How often the nonce was used, this time included.
        own: The client's value; random unless given.

    Raises:
        ProtocolError: The realm cannot be written in a header.
    """
    user, _, password = pair.partition(":")
    own = own or os.urandom(16).hex()
    times = f"{count:08x}"
    address = urlsplit(request.url)
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    first = _hash(challenge, f"{user}:{challenge.realm}:{password}")
    if challenge.session:
        first = _hash(challenge, f"{first}:{challenge.nonce}:{own}")
    second = f"{request.method}:{target}"
    if challenge.quality == "auth-int":
        second += f":{_hash(challenge, request.body or b'')}"
    counted = f":{times}:{own}:{challenge.quality}" if challenge.quality else ""
    response = _hash(challenge, f"{first}:{challenge.nonce}{counted}:{_hash(challenge, second)}")
    parts = [_user(user, challenge), _quoted("realm", challenge.realm), _quoted("nonce", challenge.nonce)]
    parts += [_quoted("uri", target), _quoted("response", response)]
    parts.append(f"algorithm={challenge.algorithm}{'-sess' if challenge.session else ''}")
    if challenge.opaque is not None:
        parts.append(_quoted("opaque", challenge.opaque))
    if challenge.quality:
        parts += [f"qop={challenge.quality}", f"nc={times}", _quoted("cnonce", own)]
    elif challenge.session:
        parts.append(_quoted("cnonce", own))
    if challenge.hashed_user:
        parts.append("userhash=true")
    return f"Digest {', '.join(parts)}"


def _user(user: str, challenge: Challenge) -> str:
    if challenge.hashed_user:
        return _quoted("username", _hash(challenge, f"{user}:{challenge.realm}"))
    if user.isascii():
        return _quoted("username", user)
    return f"username*=UTF-8''{quote(user, safe='')}"


def _quoted(name: str, value: str) -> str:
    if not value.isprintable() or not value.isascii():
        raise ProtocolError(
            f"The API asks for a {name} that cannot be written in a header.",
            field="www-authenticate",
            remedy="Ask who runs it.",
        )
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'


def _hash(challenge: Challenge, content: str | bytes) -> str:
    data = content if isinstance(content, bytes) else content.encode()
    made = hashlib.new(_ALGORITHMS[challenge.algorithm], usedforsecurity=False)
    made.update(data)
    return made.hexdigest()
