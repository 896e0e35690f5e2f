"""Everything of ours that asks a server of somebody else's, and servers on loopback that mean no good.

Each surface is the product's own way out, handed the address of a server that the operator wrote. Addresses
of this machine are allowed, so that no rule about addresses hides what is tried. A surface gives back
what was told of the failure, or raises `AssertionError` when there was none.
"""

import asyncio
import datetime as dt
import io
import ipaddress
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from interlock_core import HttpRequest, JsonObject, ToolCall
from interlock_core.errors import InterlockError
from interlock_core.http import Egress, HttpClient, HttpLimits
from interlock_core.resilience import RetryPolicy
from interlock_core.run import Event, EventKind
from interlock_core.testing import MemorySecrets, make_call
from interlock_providers.carriers.fast import FastCarrier
from interlock_providers.carriers.sdk_openai import OpenAISdkCarrier
from interlock_security.alerts import WebhookNotifier
from interlock_tools import ExecutorLimits, LoadLimits, ToolExecutor, ToolRegistry, gather_document
from interlock_tools.mcp import SdkConnection, ServerOptions

MOST_BYTES = 1024 * 1024
"""Longest answer where a surface lets the operator say."""

Surface = Callable[[str, float], Awaitable[str]]
"""Asks a server at an origin, with so many seconds for it; gives back what was told of the failure."""


def _limits(seconds: float) -> HttpLimits:
    return HttpLimits(max_body_bytes=MOST_BYTES, total_timeout_s=seconds)


def _post(origin: str) -> HttpRequest:
    return HttpRequest(method="POST", url=f"{origin}/v1/chat", body=b"{}")


async def _failure(asking: Awaitable[object]) -> str:
    """What is told of a failure."""
    try:
        await asking
    except InterlockError as error:
        return f"{error.message} {error.remedy}"
    raise AssertionError("an answer was taken")


async def fast(origin: str, seconds: float) -> str:
    """The fast carrier to a vendor."""
    client = HttpClient(egress=Egress(allowed_origins=[origin], allow_private=True), limits=_limits(seconds))
    async with aclosing(FastCarrier(client, owned=True)) as carrier:
        return await _failure(carrier.send(_post(origin), timeout_s=seconds))


async def sdk(origin: str, seconds: float) -> str:
    """The carrier over an official SDK."""
    async with aclosing(OpenAISdkCarrier(origin)) as carrier:
        return await _failure(carrier.send(_post(origin), timeout_s=seconds))


async def executor(origin: str, seconds: float) -> str:
    """A tool of a document."""
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": "Shop"},
        "servers": [{"url": origin}],
        "paths": {"/orders": {"post": {"operationId": "create"}}},
    }
    registry = ToolRegistry()
    registry.add_document(document, namespace="shop")
    limits = ExecutorLimits(timeout_s=seconds, max_answer_bytes=MOST_BYTES)
    calls = ToolExecutor(registry, egress=Egress(allowed_origins=[origin], allow_private=True), limits=limits)
    try:
        call = ToolCall(id="c", name="shop.create", arguments="{}")
        result = await calls.execute(call, make_call("shop.create"))
    except InterlockError as error:
        return f"{error.message} {error.remedy}"
    finally:
        await calls.aclose()
    if not result.is_error:
        raise AssertionError("an answer was taken")
    return result.text


async def loader(origin: str, seconds: float) -> str:
    """A document from an address."""
    limits = LoadLimits(max_bytes=MOST_BYTES, timeout_s=seconds)
    async with HttpClient(egress=Egress(allowed_origins=[origin], allow_private=True)) as client:
        return await _failure(gather_document(f"{origin}/api.json", client=client, limits=limits))


async def mcp(origin: str, seconds: float) -> str:
    """An MCP server at an address."""
    options = ServerOptions(url=f"{origin}/mcp", timeout_s=seconds)
    connection = SdkConnection("far", options, secrets=MemorySecrets(), egress=Egress(allow_private=True))
    async with aclosing(connection):
        return await _failure(connection.ready())


async def webhook(origin: str, seconds: float) -> str:
    """An alert to a webhook: what goes wrong is logged."""
    told = io.StringIO()
    handler = logging.StreamHandler(told)
    logger = logging.getLogger("interlock.security.alerts")
    logger.addHandler(handler)
    alert: JsonObject = {"alert": {"kind": "test", "message": "m"}}
    try:
        async with HttpClient(
            egress=Egress(allowed_origins=[origin], allow_private=True), limits=_limits(seconds)
        ) as client:
            notifier = WebhookNotifier(client, f"{origin}/hook", policy=RetryPolicy(attempts=1))
            await notifier.notify(Event(kind=EventKind.WARNING, run="", at=0.0, data=alert))
    finally:
        logger.removeHandler(handler)
    assert told.getvalue(), "the alert was taken"
    return told.getvalue()


SURFACES: dict[str, Surface] = {each.__name__: each for each in (fast, sdk, executor, loader, mcp, webhook)}
"""Every way out, by its name."""


# ---- certificates


class Authority:
    """Signs certificates for loopback.

    Args:
        folder: Where the files are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        self.file = folder / "authority.pem"
        made = self._made(self._name, self._key, days=(-10, 10), authority=True)
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def context(self, kind: str) -> ssl.SSLContext:
        """The context of a server whose certificate is `good`, `expired`, `early`, `wrong` or `own`.

        `wrong` is for another host, and `own` is signed by itself alone.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        days = {"expired": (-5, -1), "early": (1, 5)}.get(kind, (-5, 5))
        host: x509.GeneralName = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        if kind == "wrong":
            host = x509.DNSName("other.example")
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        made = self._made(name, key, days=days, host=host, own=kind == "own")
        file = self._folder / f"{kind}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    @contextmanager
    def trusted(self, patch: pytest.MonkeyPatch) -> Generator[None, None, None]:
        """This machine trusts the authority: in the environment, and where OpenSSL was built to look."""
        paths = ssl.get_default_verify_paths()._replace(openssl_cafile=str(self.file))
        with patch.context() as here:
            here.setenv("SSL_CERT_FILE", str(self.file))
            here.setattr(ssl, "get_default_verify_paths", lambda: paths)
            yield

    def _made(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        days: tuple[int, int],
        host: x509.GeneralName | None = None,
        authority: bool = False,
        own: bool = False,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name if own else self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + dt.timedelta(days=days[0]))
            .not_valid_after(now + dt.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([host]), critical=False)
        return builder.sign(key if own else self._key, hashes.SHA256())


# ---- servers


@asynccontextmanager
async def byte_server(
    serve: Callable[[asyncio.StreamWriter], Awaitable[None]], *, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[str, None]:
    """The origin of a server that reads one request on each connection and then writes what it likes.

    Whoever leaves ends its own connection; the others end with the context.
    """
    serving: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await serve(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            serving.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        server.close()
        for task in set(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def ticks(seconds: float) -> AsyncIterator[None]:
    """Now and again, for as long as anybody listens."""
    loop = asyncio.get_running_loop()
    while True:
        yield
        rung = asyncio.Event()
        loop.call_later(seconds, rung.set)
        await rung.wait()
