"""One strict reading of URLs: what is checked is what is dialled.

There is one way to write a host here, so that no two readers can disagree about it: lower or upper case
letters, digits, hyphens, underscores and dots; dotted decimal for IPv4; brackets for IPv6. A name in another
script is taken where every reader encodes it alike. Everything else that some resolver or browser would still
accept (decimal, octal or hexadecimal addresses, short forms, zone ids, percent-encoding, full-width digits,
backslashes) is refused, not translated.
"""

import re
import socket
from functools import lru_cache

from interlock_core.errors import EgressRefusedError, InvalidRequestError
from interlock_core.record import record

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SHAPE = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://(?P<authority>[^/?#]*))?(?P<rest>[^#]*)(?:#.*)?"
)
_FORBIDDEN = re.compile(r"[^\x21-\x7e]|\\")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_MOST_URL = 65_536


@record(frozen=True, slots=True)
class Url:
    """An absolute http or https URL, taken apart.

    Attributes:
        scheme: `http` or `https`.
        host: Lower case, without brackets and without a trailing dot.
        port: The port, the scheme's own when none is written.
        target: Path and query as they go on the request line; never empty.
        literal: The host is an IP address.
    """

    scheme: str
    host: str
    port: int
    target: str
    literal: bool

    @property
    def key(self) -> tuple[str, str, int]:
        """Scheme, host and port: the origin, for comparison."""
        return (self.scheme, self.host, self.port)

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"{self._bracketed}:{self.port}"

    @property
    def origin(self) -> str:
        """The origin as text; the port is left out when it is the scheme's own."""
        return f"{self.scheme}://{self.host_header}"

    @property
    def host_header(self) -> str:
        """Value of the Host header."""
        return self._bracketed if self.port == _DEFAULT_PORTS[self.scheme] else self.place

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def split_url(text: str) -> Url:
    """Take a URL apart.

    Raises:
        EgressRefusedError: The scheme is not http or https, there is a user name, or the host is written
            in a way that readers could disagree about. The text itself is not repeated.
        InvalidRequestError: It is too long, or holds spaces, controls or characters beyond ASCII.
    """
    if len(text) > _MOST_URL:
        raise InvalidRequestError(
            f"The URL is longer than {_MOST_URL} characters.", field="url", remedy="Send data in the body."
        )
    shape = _SHAPE.fullmatch(text)
    authority = shape["authority"] if shape else None
    if shape is None or authority is None:
        raise EgressRefusedError(
            "The URL is not absolute.", field="url", remedy="Write it as https://host/path."
        )
    scheme = shape["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        raise EgressRefusedError(
            f"The scheme {scheme[:20]} is not allowed.", field="url", remedy="Use https or http."
        )
    if "@" in authority:
        raise EgressRefusedError(
            "The URL holds a user name or password.",
            field="url",
            remedy="Send credentials in a header.",
        )
    host, port, literal = _split_authority(authority)
    rest = shape["rest"]
    if _FORBIDDEN.search(rest):
        raise InvalidRequestError(
            "The URL's path or query holds a space, a control, a backslash or a character beyond ASCII.",
            field="url",
            remedy="Percent-encode it.",
        )
    target = rest if rest.startswith("/") else f"/{rest}"
    return Url(scheme, host, _DEFAULT_PORTS[scheme] if port is None else port, target, literal)


def origin_of(url: str) -> str:
    """The origin of a URL in one normal form, such as `https://api.example.com` or `http://[::1]:8080`.

    Raises:
        EgressRefusedError: As for every URL that is not plain http or https.
        InvalidRequestError: It holds characters that no URL may hold.
    """
    return split_url(url).origin


@lru_cache(maxsize=1024)
def _split_authority(authority: str) -> tuple[str, int | None, bool]:
    if authority.startswith("["):
        inside, closed, after = authority[1:].partition("]")
        if not closed or (after and not after.startswith(":")):
            raise _bad_host("an IPv6 address needs its brackets")
        return _ipv6(inside), _port(after[1:] if after else None), True
    name, colon, digits = authority.partition(":")
    host = (name if name.isascii() else _encoded(name)).lower().removesuffix(".")
    port = _port(digits if colon else None)
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise _bad_host("it holds characters that no host name has")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return _ipv4(host), port, True
    return host, port, False


def _encoded(name: str) -> str:
    """An international name in its `xn--` form.

    Letters alone, of one script in each label, each of which means itself in every edition of the rules: what
    is folded, mapped, joined or left out by one of them (full-width digits, enclosed letters, soft hyphens,
    sharp s), or looks like a letter of another script, is refused.
    """
    import unicodedata

    plain = unicodedata.normalize("NFKC", name) == name
    name = name.lower()
    for label in name.split("."):
        letters = [sign for sign in label if not sign.isascii() or sign.isalpha()]
        plain = plain and all(unicodedata.category(sign) in {"Ll", "Lo"} for sign in letters)
        plain = plain and len({unicodedata.name(sign, "?").partition(" ")[0] for sign in letters}) <= 1
    try:
        found = name.encode("idna").decode("ascii") if plain else ""
        back = found.encode("ascii").decode("idna")
    except UnicodeError:
        found, back = "", ""
    if not found or back != name:
        raise _bad_host("it holds characters that readers can take for others; write its xn-- form")
    return found


def _ipv4(host: str) -> str:
    parts = host.split(".")
    plain = len(parts) == 4 and all(p.isdigit() and (p == "0" or p[0] != "0") for p in parts)
    if not plain or any(int(part) > 255 for part in parts):
        raise _bad_host("an IPv4 address is written as four decimal numbers")
    return host


def _ipv6(text: str) -> str:
    try:
        return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))
    except (OSError, ValueError) as exc:
        raise _bad_host("it is no IPv6 address, or has a zone") from exc


def _port(digits: str | None) -> int | None:
    if digits is None or digits == "":
        return None
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and 0 < int(digits) < 65_536):
        raise _bad_host("a port is a number from 1 to 65535")
    return int(digits)


def _bad_host(reason: str) -> EgressRefusedError:
    return EgressRefusedError(
        f"The URL's host is not written plainly: {reason}.",
        field="url",
        remedy="Write a DNS name, an IPv4 address in dotted decimal or an IPv6 address in brackets.",
    )
