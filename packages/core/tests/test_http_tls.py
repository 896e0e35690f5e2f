"""HTTPS: verified by default, and said plainly when it cannot be."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from interlock_core import HttpRequest
from interlock_core.errors import UpstreamConnectionError
from interlock_core.http import Egress, HttpClient
from interlock_core.testing import LoopbackServer, client_for, raw_server


def certify(folder: Path, *names: x509.GeneralName) -> Path:
    """A self-signed certificate with its key, for these names, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "loopback.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def serving(path: Path) -> ssl.SSLContext:
    """The server's context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def trusting(path: Path) -> ssl.SSLContext:
    """A client's context that trusts this certificate alone."""
    context = ssl.create_default_context(cafile=str(path))
    context.set_alpn_protocols(["http/1.1"])
    return context


async def test_a_trusted_server_is_spoken_to_over_tls(tmp_path: Path) -> None:
    """One handshake for many requests; large bodies both ways; streams end early as without TLS."""
    path = certify(tmp_path, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    async with LoopbackServer(tls=serving(path)) as server:
        egress = Egress(allowed_origins=[server.url])
        async with HttpClient(egress=egress, tls=trusting(path)) as client:
            body = b"x" * 2_000_000
            answer = await client.send(server.request("/a", method="POST", body=body))
            async with client.stream(server.request("/b")) as stream:
                await stream.read(10_000)
            async with client.stream(server.request("/c", method="POST", body=body)) as stream:
                async for _ in stream:
                    break
            await client.send(server.request("/d"))
    assert len(answer.body) > len(body)
    assert server.requests[0].body == body
    assert server.connections == 2


async def test_a_server_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """By default; nothing of the request is sent."""
    path = certify(tmp_path, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    async with LoopbackServer(tls=serving(path)) as server, client_for(server) as client:
        with pytest.raises(UpstreamConnectionError, match="certificate is not trusted") as caught:
            await client.send(server.request())
    assert "127.0.0.1" in str(caught.value)
    assert server.requests == []


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    """Trust in the signer is not enough."""
    path = certify(tmp_path, x509.DNSName("other.example.com"))
    async with LoopbackServer(tls=serving(path)) as server:
        egress = Egress(allowed_origins=[server.url])
        async with HttpClient(egress=egress, tls=trusting(path)) as client:
            with pytest.raises(UpstreamConnectionError, match="certificate is not trusted"):
                await client.send(server.request())


async def test_the_name_in_the_url_is_the_one_that_is_verified(tmp_path: Path) -> None:
    """Although the checked address is what is dialled."""

    async def loopback(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    path = certify(tmp_path, x509.DNSName("api.example.com"))
    async with LoopbackServer(tls=serving(path)) as server:
        origin = f"https://api.example.com:{server.port}"
        egress = Egress(allowed_origins=[origin], resolver=loopback)
        async with HttpClient(egress=egress, tls=trusting(path)) as client:
            assert (await client.send(HttpRequest(method="GET", url=f"{origin}/"))).ok


async def test_a_server_without_tls_is_said_plainly() -> None:
    """An https URL that leads to plain HTTP."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with raw_server(serve) as plain:
        url = plain.replace("http://", "https://")
        async with HttpClient(egress=Egress(allowed_origins=[url])) as client:
            with pytest.raises(UpstreamConnectionError, match="TLS handshake failed"):
                await client.send(HttpRequest(method="GET", url=url))
