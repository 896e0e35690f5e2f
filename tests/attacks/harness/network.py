"""A network that stands in for the whole world: names from a table, public addresses served by a recorder.

It stands where the event loop asks the operating system, so that everything above it is the product's own.
Whatever else is dialled is noted and refused; nothing leaves the machine.
"""

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, cast

from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest, json_answer

PUBLIC = "93.184.215.14"
"""Where `public.example` and `other.example` are."""

Names: TypeAlias = Mapping[str, Sequence[Sequence[str]]]
"""The answers of a name in the order of lookups, the last one for ever."""


@dataclass(slots=True)
class Network:
    """What was looked up and dialled.

    Attributes:
        names: What names answer.
        plain: Serves http of public addresses.
        secure: Serves https of them.
        own: Ports of servers on loopback that the operator named.
        dialled: Every address that was dialled, but for the operator's own.
        judged: Every address that a name gave.
        inner: How often something was dialled that is neither public nor the operator's own.
        looked_up: How often each name was looked up.
    """

    names: Names
    plain: LoopbackServer
    secure: LoopbackServer
    own: set[int] = field(default_factory=set[int])
    dialled: list[str] = field(default_factory=list[str])
    judged: list[str] = field(default_factory=list[str])
    inner: int = 0
    looked_up: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Everything that public addresses received."""
        return [*self.plain.requests, *self.secure.requests]

    def sent(self) -> str:
        """Every byte that public addresses received, as text."""
        return "\n".join(f"{entry.target} {entry.headers} {entry.body!r}" for entry in self.requests)

    def answers(self, host: str) -> list[str]:
        """The next answer of a name.

        Raises:
            socket.gaierror: It has none.
        """
        try:
            found = [str(ipaddress.ip_address(host.partition("%")[0]))]
        except ValueError:
            table = self.names.get(host, [[PUBLIC]] if host in {"public.example", "other.example"} else [[]])
            place = self.looked_up.get(host, 0)
            self.looked_up[host] = place + 1
            found = [
                "127.0.0.1" if address == "cname:localhost" else address
                for address in table[min(place, len(table) - 1)]
            ]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is not known")
        self.judged += found
        return found

    def way(self, address: str, port: int) -> int | None:
        """The port on loopback that stands for an address; None where nothing does."""
        if port in self.own and address == "127.0.0.1":
            return port
        self.dialled.append(address)
        if ipaddress.ip_address(address).is_global:
            return self.secure.port if port == 443 else self.plain.port
        self.inner += 1
        return None


@asynccontextmanager
async def network(
    folder: Path,
    *,
    names: Names | None = None,
    answer: Callable[[ReceivedRequest], Answer] = lambda _: json_answer({}),
    trusted: Path | None = None,
) -> AsyncGenerator[Network, None]:
    """Put the loop of the caller on a network of its own.

    Args:
        folder: Holds the certificate of every public address.
        names: What names answer.
        answer: Answers for every public address.
        trusted: The certificate that this machine trusts; that of the public addresses when None.
    """
    loop = asyncio.get_running_loop()
    context, own = _certified(folder)
    before = os.environ.get("SSL_CERT_FILE")
    async with LoopbackServer(answer) as plain, LoopbackServer(answer, tls=context) as secure:
        found = Network(names or {}, plain, secure)
        connect, look_up = loop.create_connection, loop.getaddrinfo

        async def create_connection(
            factory: Callable[[], asyncio.Protocol], host: str, port: int, **options: object
        ) -> object:
            place = found.way(host, port)
            if place is None:
                raise ConnectionRefusedError(f"no traffic to {host} leaves the machine in a test")
            opened = cast("Callable[..., asyncio.Future[object]]", connect)
            return await opened(factory, "127.0.0.1", place, **options)

        async def getaddrinfo(host: str, port: int, **_: object) -> list[object]:
            return [_looked_up(address, port) for address in found.answers(host)]

        vars(loop).update(create_connection=create_connection, getaddrinfo=getaddrinfo)
        os.environ["SSL_CERT_FILE"] = str(trusted or own)
        try:
            yield found
        finally:
            vars(loop).update(create_connection=connect, getaddrinfo=look_up)
            if before is None:
                del os.environ["SSL_CERT_FILE"]
            else:
                os.environ["SSL_CERT_FILE"] = before


def _looked_up(address: str, port: int) -> object:
    """One answer, in the form of `socket.getaddrinfo`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, 6, "", (address, port))


def _certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for every name of the cases, and the file of who vouches for it."""
    from .certificate import self_signed

    folder.mkdir(parents=True, exist_ok=True)
    pem = folder / "world.pem"
    if not pem.exists():
        pem.write_bytes(self_signed("public.example", "other.example", "evil.example"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, pem
