"""By which names this server may be called, and which programs' origins it answers.

The rules, in this order, for every request, before its key is looked at:

1. The host is a name or an address with an optional port, and nothing else: what could be taken for a path,
   a query or a user is refused.
2. On a loopback address the host is one of this machine's own names, or one of `[server] hosts`: a page that
   had its own name lead here is refused. Elsewhere it is one of `[server] hosts`, where there are any.
3. A request with an origin comes from a page: from one that this very server sent (the origin is the host, by
   plain HTTP), or from an origin that the operator wrote down, letter for letter. Every other is refused.

Nothing is ever said that lets a page of another origin read an answer (CORS is closed). A program that sends
no host, as HTTP/1.0 allows, is no browser and passes the second rule.
"""

import ipaddress
import re
from collections.abc import Collection

from interlock_api._asgi import Request
from interlock_api._refusals import MalformedError, MisdirectedError
from interlock_core.errors import PermissionDeniedError
from interlock_runtime.settings import ServerSettings

_SHOWN = 200
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST = re.compile(r"([a-z0-9._-]{1,255}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)


class Doorway:
    """Checks host and origin.

    Args:
        server: The settings.
    """

    def __init__(self, server: ServerSettings) -> None:
        names = frozenset(name.lower() for name in server.hosts)
        self._names = names | _LOCAL if is_loopback(server.host) else names
        self._origins = frozenset(origin.rstrip("/").lower() for origin in server.origins)

    def check(self, request: Request, *, origins: Collection[str] = ()) -> None:
        """Refuse a request that breaks a rule.

        Args:
            request: The request.
            origins: Further origins that the operator wrote down for its path.

        Raises:
            MalformedError: Its host is none.
            MisdirectedError: Its host is another.
            PermissionDeniedError: It comes from a page that may not ask.
        """
        host = request.header("host")
        if host is not None:
            self._check_host(host.lower())
        origin = request.header("origin")
        if origin is not None and not self._may_ask(request, origin, origins):
            raise PermissionDeniedError(
                f"Pages of {origin[:_SHOWN]} may not use this server.",
                field="origin",
                remedy="The operator can name that origin in [server].",
            )

    def _check_host(self, host: str) -> None:
        found = _HOST.fullmatch(host)
        if found is None:
            raise MalformedError(
                "The host is none.", field="host", remedy="Use the address that this server listens on."
            )
        if self._names and found[1] not in self._names:
            raise MisdirectedError(
                f"This server is not {host[:_SHOWN]}.",
                field="host",
                remedy="Use the address that it listens on, or have the name put into hosts of [server].",
            )

    def _may_ask(self, request: Request, origin: str, further: Collection[str]) -> bool:
        if len(request.all("origin")) > 1:
            return False
        plain = origin.lower()
        host = (request.header("host") or "").lower()
        return plain in self._origins or plain in further or bool(host and plain == f"http://{host}")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
