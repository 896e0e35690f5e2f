"""Where a request goes: what the operator wrote, else what the document says, never what a model says.

A value of a server variable stays in the place of its variable. Rules, in the order of their application:

1. A value is one of the document's list, where it has one.
2. In the scheme it is http or https; behind the host's colon a port; in the host letters, digits, hyphens
   and dots. Where the document's own default goes on into the path, or is a whole address, it may too.
3. In the path it has no empty and no dotted segment, however it is percent-encoded, and does not end it.
4. What comes out is an absolute address without user name and fragment.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote, urljoin, urlsplit

from interlock_core.errors import ConfigurationError
from interlock_tools.openapi._ir import Document, Operation, Server

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?")
_PORT = re.compile(r"[0-9]{1,5}")
_ADDRESS = re.compile(r"(?P<authority>[^/]*)(?P<path>(?:/.*)?)", re.DOTALL)
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_DECODINGS = 4


def base_url(
    document: Document, operation: Operation, *, written: str, variables: Mapping[str, str], namespace: str
) -> str:
    """The URL before an operation's path, without a slash at its end.

    Args:
        document: Its servers hold where the operation names none.
        operation: The operation.
        written: What the operator wrote; it replaces every server of the document. Empty when nothing was.
        variables: Values of server variables that the operator wrote.
        namespace: Name of the document, for messages.

    Raises:
        ConfigurationError: There is no absolute URL, or a variable has no value or one that leaves its place.
    """
    if written:
        return _trimmed(written)
    servers = operation.servers or document.servers
    if not servers:
        return _joined(document, "", namespace)
    server = servers[0]
    url = _VARIABLE.sub(lambda match: _value(server, match, variables, namespace), server.url)
    return _joined(document, url, namespace)


def _value(server: Server, match: re.Match[str], variables: Mapping[str, str], namespace: str) -> str:
    name = match[1]
    default = dict(server.variables).get(name)
    value = variables.get(name, default)
    if value is None:
        raise ConfigurationError(
            f"The server of {namespace} has no value for its variable {name}.",
            field=f"tools.{namespace}.base_url",
            remedy="Set base_url to the whole address.",
        )
    if name not in variables:
        return value
    choices = dict(server.choices).get(name, ())
    if choices:
        if value not in choices:
            raise _misplaced(namespace, name, f"The document knows {', '.join(choices)[:200]}.")
    elif not _fits(value, default or "", server.url[: match.start()], server.url[match.end() :]):
        remedy = "Write what stands there alone, or set base_url to the whole address."
        raise _misplaced(namespace, name, remedy)
    return value


def _fits(value: str, default: str, before: str, after: str) -> bool:
    """Whether a value stays where its variable stands."""
    scheme, slashes, rest = before.partition("://")
    if not slashes:
        if after.startswith("://"):
            return f"{scheme}{value}".lower() in {"http", "https"}
        if not scheme and "://" in default:
            kind, _, address = value.partition("://")
            return kind.lower() in {"http", "https"} and _is_address(address)
        return _is_path(value, before)
    if "/" in rest:
        return _is_path(value, before)
    if rest.endswith(":"):
        return bool(_PORT.fullmatch(value)) and 0 < int(value) < 65_536
    if "/" not in default:
        return _is_host(value, ported=not rest and not after.startswith((":", ".", "{")))
    if default.startswith("/"):
        return not value or (value.startswith("/") and _is_path(value, ""))
    return _is_address(value)


def _is_host(text: str, *, ported: bool) -> bool:
    host, colon, port = text.partition(":")
    if colon and not (ported and _PORT.fullmatch(port) and 0 < int(port) < 65_536):
        return False
    return bool(_HOST.fullmatch(host))


def _is_address(text: str) -> bool:
    found = _ADDRESS.fullmatch(text)
    return found is not None and _is_host(found["authority"], ported=True) and _is_path(found["path"], "")


def _is_path(text: str, before: str) -> bool:
    """Whether a text is a piece of a path that leads nowhere but down."""
    if not _PATH.fullmatch(text) or (text.startswith("/") and before.endswith("/")):
        return False
    for _ in range(_DECODINGS):
        steps = re.split(r"[/\\]", text)
        if "//" in text or "." in steps or ".." in steps or any(ord(c) < 33 or ord(c) == 127 for c in text):
            return False
        decoded = unquote(text)
        if decoded == text:
            return True
        text = decoded
    return False


def _misplaced(namespace: str, name: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(
        f"The value of the server variable {name[:60]} of {namespace} cannot stand in its place.",
        field=f"tools.{namespace}.variables",
        remedy=remedy,
    )


def _joined(document: Document, url: str, namespace: str) -> str:
    """A server's URL, a relative one seen from the document's own address."""
    try:
        if not urlsplit(url).scheme and document.uri.startswith(("http://", "https://")):
            url = urljoin(document.uri, url or "/")
        plain = not urlsplit(url).fragment
    except ValueError:
        plain = False
    if not plain:
        raise ConfigurationError(
            f"The server of {namespace} is no address that everybody reads the same way.",
            field=f"tools.{namespace}.base_url",
            remedy="Set base_url to its address.",
        )
    if not url.startswith(("http://", "https://")) and "://" not in url:
        raise ConfigurationError(
            f"The document {namespace} does not say where its API lives.",
            field=f"tools.{namespace}.base_url",
            remedy="Set base_url to its address.",
        )
    return _trimmed(url)


def _trimmed(url: str) -> str:
    return url.partition("#")[0].partition("?")[0].rstrip("/")
