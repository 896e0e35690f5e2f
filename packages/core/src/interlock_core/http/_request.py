"""A request as bytes: nothing that a caller gives can add a line or move the end of the body."""

import re

from interlock_core.errors import InvalidRequestError
from interlock_core.http._url import Url
from interlock_core.toolspec import HttpRequest

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_BLANKS = " \t"
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
# Framing and the connection are the client's own affair.
_OURS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "te",
        "trailer",
        "expect",
    }
)
_BODY_EXPECTED = frozenset({"POST", "PUT", "PATCH"})


def is_idempotent(method: str) -> bool:
    """Whether a request of this method may be sent twice when nobody knows if it arrived."""
    return method in _IDEMPOTENT


def render_head(request: HttpRequest, url: Url, *, user_agent: str, accept_encoding: str) -> bytes:
    """The request line and headers, up to and including the empty line.

    Raises:
        InvalidRequestError: The method or a header cannot go on the wire, or belongs to the client. The
            value is not repeated.
    """
    method = request.method
    if not _TOKEN.fullmatch(method) or method != method.upper() or method == "CONNECT":
        raise InvalidRequestError(
            "The method is not one that can be sent.", field="method", remedy="Use GET, POST or the like."
        )
    lines = [f"{method} {url.target} HTTP/1.1", f"Host: {url.host_header}"]
    seen: set[str] = set()
    for name, value in request.headers:
        lower = name.lower()
        seen.add(lower)
        if lower in _OURS:
            _check_ours(lower, value, request, url)
            continue
        if not _TOKEN.fullmatch(name):
            raise InvalidRequestError(
                "The name of a header holds characters that no header has.",
                field="headers",
                remedy="Use letters, digits and hyphens.",
            )
        if _CONTROL.search(value):
            raise InvalidRequestError(
                f"The header {name} holds a line break or another control character.",
                field=name,
                remedy="Remove it.",
            )
        lines.append(f"{name}: {value.strip(_BLANKS)}")
    if "user-agent" not in seen:
        lines.append(f"User-Agent: {user_agent}")
    if "accept" not in seen:
        lines.append("Accept: */*")
    if "accept-encoding" not in seen:
        lines.append(f"Accept-Encoding: {accept_encoding}")
    if request.body is not None or method in _BODY_EXPECTED:
        lines.append(f"Content-Length: {len(request.body or b'')}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode()


def _check_ours(name: str, value: str, request: HttpRequest, url: Url) -> None:
    """Let pass, unsent, what says the same as the client will say; refuse the rest."""
    said = value.strip().lower()
    same = {
        "host": url.host_header,
        "content-length": str(len(request.body or b"")),
        "connection": "keep-alive",
    }
    if same.get(name) != said:
        raise InvalidRequestError(
            f"The header {name} is set by the client itself.", field=name, remedy="Leave it out."
        )
