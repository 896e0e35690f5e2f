"""Where a request goes: what the operator wrote, else what the document says, never what a model says."""

import re
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from interlock_core.errors import ConfigurationError
from interlock_tools.openapi._ir import Document, Operation

_VARIABLE = re.compile(r"\{([^{}]*)\}")


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
        ConfigurationError: There is no absolute URL, or a variable has no value.
    """
    if written:
        return _trimmed(written)
    servers = operation.servers or document.servers
    if not servers:
        return _joined(document, "", namespace)
    server = servers[0]
    defaults = dict(server.variables)

    def value(match: re.Match[str]) -> str:
        name = match[1]
        found = variables.get(name, defaults.get(name))
        if found is None:
            raise ConfigurationError(
                f"The server of {namespace} has no value for its variable {name}.",
                field=f"tools.{namespace}.base_url",
                remedy="Set base_url to the whole address.",
            )
        return found

    return _joined(document, _VARIABLE.sub(value, server.url), namespace)


def _joined(document: Document, url: str, namespace: str) -> str:
    """A server's URL, a relative one seen from the document's own address."""
    if not urlsplit(url).scheme and document.uri.startswith(("http://", "https://")):
        url = urljoin(document.uri, url or "/")
    if not url.startswith(("http://", "https://")) and "://" not in url:
        raise ConfigurationError(
            f"The document {namespace} does not say where its API lives.",
            field=f"tools.{namespace}.base_url",
            remedy="Set base_url to its address.",
        )
    return _trimmed(url)


def _trimmed(url: str) -> str:
    return url.partition("#")[0].partition("?")[0].rstrip("/")
