"""A world for the tables of addresses: names, redirects and servers of one case, on loopback.

It stands where the event loop asks the operating system, so that everything above it is the product's own.
What is dialled is noted; an address that is neither public nor one that the operator wrote leads nowhere.
"""

import asyncio
import datetime as dt
import ipaddress
import os
import socket
import ssl
import tomllib
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest

PUBLIC = "93.184.215.14"
OPERATORS_HOST = "public.example"
TABLES = ("ssrf.toml", "ssrf_names.toml")
_KNOWN = ("public.example", "other.example", "xn--bcher-kva.example")
_MOST_ALIASES = 8

Table = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the tables."""

    id: str
    title: str
    url: str
    dns: Mapping[str, Sequence[Sequence[str]]]
    redirects: tuple[tuple[int, str], ...]
    allow: tuple[str, ...]
    passes: bool
    dials: str | None


def cases() -> list[Case]:
    """Every case."""
    folder = Path(__file__).parent
    read = (tomllib.loads((folder / name).read_text("utf-8"))["case"] for name in TABLES)
    return [_case(entry) for table in read for entry in cast("Sequence[Table]", table)]


def _case(entry: Table) -> Case:
    hops = cast("Sequence[Mapping[str, int | str]]", entry.get("redirect", ()))
    return Case(
        id=str(entry["id"]),
        title=str(entry["title"]),
        url=str(entry["url"]),
        dns=cast("Mapping[str, Sequence[Sequence[str]]]", entry.get("dns", {})),
        redirects=tuple((int(hop["status"]), str(hop["location"])) for hop in hops),
        allow=tuple(cast("Sequence[str]", entry.get("allow", ()))),
        passes=entry["verdict"] == "pass",
        dials=cast("str | None", entry.get("dials")),
    )


@dataclass(slots=True)
class World:
    """What was looked up, dialled and received.

    Attributes:
        case: The case that is played.
        body: What is answered in the end.
        hops: The redirects before that.
        dialled: Every address that was dialled, in order.
        inner: Those that are neither public nor written by the operator.
        requests: Everything that was received.
        elsewhere: What was received for another origin than the operator's.
    """

    case: Case
    body: bytes
    hops: Sequence[tuple[int, str]] = ()
    dialled: list[str] = field(default_factory=list[str])
    inner: list[str] = field(default_factory=list[str])
    requests: list[ReceivedRequest] = field(default_factory=list[ReceivedRequest])
    elsewhere: list[ReceivedRequest] = field(default_factory=list[ReceivedRequest])
    looked_up: dict[str, int] = field(default_factory=dict[str, int])

    def play(self, case: Case, *, led: bool) -> None:
        """Begin a case; when the product is led to its address, the first answer redirects there."""
        self.case = case
        self.hops = [(302, case.url), *case.redirects] if led else case.redirects
        for seen in (self.dialled, self.inner, self.requests, self.elsewhere):
            seen.clear()
        self.looked_up.clear()

    def answer(self, request: ReceivedRequest, *, secure: bool = False) -> Answer:
        """The next answer: the redirects in their order, then the body."""
        hop = len(self.requests)
        self.requests.append(request)
        if secure or request.header("host") != OPERATORS_HOST:
            self.elsewhere.append(request)
        if hop < len(self.hops):
            status, location = self.hops[hop]
            return Answer(status=status, headers=(("location", location), ("connection", "close")))
        kind = ("content-type", "application/json")
        return Answer(status=200, headers=(kind, ("connection", "close")), body=self.body)

    def addresses(self, host: str, depth: int = 0) -> list[str]:
        """The next answer of a name; none in a circle of aliases."""
        with suppress(ValueError):
            return [str(ipaddress.ip_address(host.partition("%")[0]))]
        table = self.case.dns.get(host)
        if table is None:
            if host == "localhost":
                return ["127.0.0.1"]
            return [PUBLIC] if host in _KNOWN else []
        place = self.looked_up.get(host, 0)
        self.looked_up[host] = place + 1
        found: list[str] = []
        for text in table[min(place, len(table) - 1)]:
            kind, colon, name = text.partition("cname:")
            if not kind and colon:
                found += self.addresses(name, depth + 1) if depth < _MOST_ALIASES else []
            else:
                found.append(text)
        return found

    def allowed(self, address: str, port: int) -> bool:
        """Whether the operator wrote an origin that is at this address and port."""
        for origin in self.case.allow:
            parts = urlsplit(origin)
            own = parts.port or (443 if parts.scheme == "https" else 80)
            hosts = [answer for answers in self.case.dns.get(parts.hostname or "", []) for answer in answers]
            if port == own and address in (parts.hostname, *hosts):
                return True
        return False


@asynccontextmanager
async def world(folder: Path, first: Case, *, body: bytes = b"{}") -> AsyncGenerator[World, None]:
    """Put the loop of the caller into a world in which one case after the other is played.

    Args:
        folder: Holds the certificate.
        first: The case to begin with.
        body: What is answered in the end.
    """
    found = World(first, body)
    found.play(first, led=False)
    pem = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    async with (
        LoopbackServer(found.answer) as plain,
        LoopbackServer(lambda request: found.answer(request, secure=True), tls=context) as secure,
    ):
        with _loop_in(found, plain, secure), _trusting(pem):
            yield found


@contextmanager
def _loop_in(found: World, plain: LoopbackServer, secure: LoopbackServer) -> Generator[None, None, None]:
    """The running loop resolves and dials in a world."""
    loop = asyncio.get_running_loop()
    connect, look_up = loop.create_connection, loop.getaddrinfo
    opened = cast("Callable[..., asyncio.Future[object]]", connect)

    async def create_connection(
        factory: Callable[[], asyncio.Protocol],
        host: str | None = None,
        port: int | None = None,
        **options: object,
    ) -> object:
        if host is None or port is None:
            return await opened(factory, host, port, **options)
        address = str(ipaddress.ip_address(host))
        found.dialled.append(address)
        if not (ipaddress.ip_address(address).is_global or found.allowed(address, port)):
            found.inner.append(address)
            raise ConnectionRefusedError(f"no traffic to {address} leaves the machine in a test")
        there = secure if options.get("ssl") is not None or port == 443 else plain
        return await opened(factory, "127.0.0.1", there.port, **options)

    async def getaddrinfo(host: str | bytes, port: object, **_: object) -> list[object]:
        name = (host.decode("ascii") if isinstance(host, bytes) else host).lower()
        addresses = found.addresses(name)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, f"{name} is not known")
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]

    vars(loop).update(create_connection=create_connection, getaddrinfo=getaddrinfo)
    try:
        yield
    finally:
        vars(loop).update(create_connection=connect, getaddrinfo=look_up)


@contextmanager
def _trusting(pem: Path) -> Generator[None, None, None]:
    """Certificates are checked against this one."""
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(pem)
    try:
        yield
    finally:
        os.environ.pop("SSL_CERT_FILE")
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before


def certificate(folder: Path) -> Path:
    """A key and a certificate for every host of the tables that may be reached, made once."""
    path = folder / "world.pem"
    if path.exists():
        return path
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "world")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(list(_vouched())), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def _vouched() -> Iterator[x509.GeneralName]:
    hosts = set(_KNOWN)
    for case in cases():
        if case.passes:
            hosts |= {urlsplit(case.url).hostname or "", *case.dns}
    for host in sorted(host for host in hosts if host.isascii()):
        try:
            yield x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            yield x509.DNSName(host)
