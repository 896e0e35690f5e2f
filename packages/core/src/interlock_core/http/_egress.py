"""Where requests may go: decided below HTTP, when a name is resolved and before an address is dialled.

Rules, in the order in which they are applied:

1. The URL is http or https, has no user name, and its host is written plainly (`_url`).
2. An origin that the operator wrote is allowed: this scheme, this host, this port, no other. Where its name
   led to public addresses alone, it may not lead to others later, for as long as this policy is in use: an
   operator who meant a service of the own network wrote a name that leads there from the first.
3. A name that can only mean this machine or this network (`localhost`, `.local`, `.internal`) is refused.
4. The name is resolved once. Every address it has must be public, not only the one that is used.
5. The address that was checked is the one that is dialled, so a second answer of the DNS changes nothing.

What a request carries, and where a redirect points, is for whoever follows it: each hop is a new request.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias

from interlock_core.errors import EgressRefusedError, UpstreamConnectionError
from interlock_core.http._address import PRIVATE_KINDS, special_kind
from interlock_core.http._url import Url, split_url

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Turns a host name and a port into IP addresses, best first; raises `OSError` when it cannot."""

_LOCAL_NAMES = ("localhost", "localdomain", "local", "internal", "home.arpa")
_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata.goog", "metadata", "instance-data"})


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses that the operating system gives for a name.

    Raises:
        OSError: There are none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Egress:
    """The policy of outbound connections.

    Args:
        allowed_origins: Origins that the operator wrote, such as `http://127.0.0.1:9999`; a path behind
            one is ignored. Each is allowed exactly: scheme, host and port.
        allow_private: Also allow private, carrier-private and loopback addresses everywhere. Metadata,
            link-local, multicast and reserved addresses stay refused.
        resolver: Finds the addresses of a name; the operating system unless given.

    Raises:
        EgressRefusedError: An allowed origin is not a plain http or https origin.
    """

    __slots__ = ("_allow_private", "_allowed", "_public", "_resolver")

    def __init__(
        self,
        *,
        allowed_origins: Iterable[str] = (),
        allow_private: bool = False,
        resolver: Resolver | None = None,
    ) -> None:
        self._allowed = frozenset(split_url(origin).key for origin in allowed_origins)
        self._allow_private = allow_private
        self._public: set[tuple[str, str, int]] = set()
        self._resolver = resolver or system_resolver

    def allow(self, origin: str) -> "Egress":
        """A new policy with that origin added; this one stays as it is.

        Raises:
            EgressRefusedError: It is not a plain http or https origin.
        """
        wider = Egress(allow_private=self._allow_private, resolver=self._resolver)
        wider._allowed = self._allowed | {split_url(origin).key}
        wider._public = self._public
        return wider

    def allows_origin(self, url: str) -> bool:
        """Whether the operator wrote the origin of this URL."""
        return split_url(url).key in self._allowed

    def check(self, url: str) -> None:
        """Refuse what can be refused without the DNS: spelling, scheme, names and literal addresses.

        Raises:
            EgressRefusedError: The request may not be made.
        """
        self.check_url(split_url(url))

    async def addresses(self, url: str) -> tuple[str, ...]:
        """The checked addresses of a URL's host, to be dialled as they are, for adapters of HTTP stacks.

        Raises:
            EgressRefusedError: The request may not be made.
            UpstreamConnectionError: The name has no address.
        """
        return await self.resolve(split_url(url))

    def check_url(self, url: Url) -> None:
        """As `check`, for a URL that was taken apart already."""
        if url.key in self._allowed:
            return
        if url.literal:
            self._check_address(url, url.host)
            return
        if url.host in _METADATA_NAMES:
            raise _refused(url, "names a cloud's metadata service")
        local = any(url.host == name or url.host.endswith(f".{name}") for name in _LOCAL_NAMES)
        if local and not self._allow_private:
            raise _refused(url, "names something on this machine or network")

    async def resolve(self, url: Url) -> tuple[str, ...]:
        """As `addresses`, for a URL that was taken apart already."""
        self.check_url(url)
        if url.literal:
            return (url.host,)
        try:
            found = tuple(await self._resolver(url.host, url.port))
        except OSError as exc:
            raise UpstreamConnectionError(
                f"The name of {url.place} cannot be resolved.", remedy="Check the host name and the DNS."
            ) from exc
        if not found:
            raise UpstreamConnectionError(
                f"The name of {url.place} has no address.", remedy="Check the host name and the DNS."
            )
        if url.key not in self._allowed:
            for address in found:
                self._check_address(url, address)
        else:
            self._check_change(url, found)
        return found

    def _check_change(self, url: Url, found: Sequence[str]) -> None:
        """Refuse an allowed origin whose name was public and is not any more."""
        kinds = [kind for kind in map(special_kind, found) if kind is not None]
        if not kinds:
            self._public.add(url.key)
        elif url.key in self._public and not (self._allow_private and PRIVATE_KINDS.issuperset(kinds)):
            raise EgressRefusedError(
                f"{url.place} led to public addresses before and leads to a {kinds[0]} address now, "
                "so the request was not made.",
                field="url",
                remedy="If that change is meant, start Interlock again, or set allow_private in [egress].",
            )

    def _check_address(self, url: Url, address: str) -> None:
        kind = special_kind(address)
        if kind is None or (self._allow_private and kind in PRIVATE_KINDS):
            return
        raise _refused(url, f"leads to a {kind} address")


def _refused(url: Url, reason: str) -> EgressRefusedError:
    return EgressRefusedError(
        f"{url.place} {reason}, so the request was not made.",
        field="url",
        remedy="If it is meant, the operator can allow exactly this origin: set base_url, or name it in "
        "[egress] allowed_origins.",
    )
