"""Certificates for the length of a test: an authority, servers that it vouches for, and their clients."""

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """Signs certificates.

    Attributes:
        folder: Where the files of its certificates are.
        key: Its key.
        certificate: Its own certificate.
    """

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def file(self) -> Path:
        """Its certificate, for those who trust it."""
        return self.folder / "authority.pem"

    def pem(self, name: str, *hosts: str, password: bytes | None = None) -> bytes:
        """A key and its certificate, for a server of these hosts or a client of this name."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(name, key, self.certificate.subject, self.key, hosts=hosts)
        hidden = (
            serialization.BestAvailableEncryption(password)
            if password is not None
            else serialization.NoEncryption()
        )
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
        return private + certificate.public_bytes(serialization.Encoding.PEM)

    def serving(self, *hosts: str, asks_clients: bool = False) -> ssl.SSLContext:
        """The context of a server; it may demand a certificate that this authority signed."""
        path = self.folder / "server.pem"
        path.write_bytes(self.pem("server", *hosts))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.set_alpn_protocols(["http/1.1"])
        if asks_clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.file)
        return context


def authority(folder: Path) -> Authority:
    """A new one, whose files are in a folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed("authority", key, None, key, signs=True)
    one = Authority(folder, key, certificate)
    one.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return one


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name | None,
    signer: ec.EllipticCurvePrivateKey,
    *,
    hosts: tuple[str, ...] = (),
    signs: bool = False,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signs, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_usage(signs=signs), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if hosts:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
        )
    return builder.sign(signer, hashes.SHA256())


def _usage(*, signs: bool) -> x509.KeyUsage:
    """What the key is for; newer Pythons trust no authority that does not say it."""
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    if host.replace(".", "").isdigit():
        return x509.IPAddress(ipaddress.ip_address(host))
    return x509.DNSName(host)
