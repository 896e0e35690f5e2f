"""Client certificates (mutualTLS): a secret in PEM becomes the TLS of the connections of one document."""

import contextlib
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from interlock_core.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl


def certified(pem: str, secret: str) -> "ssl.SSLContext":
    """TLS that verifies servers as always, and shows them a certificate.

    Args:
        pem: A private key without a password, and behind it the certificate with its chain.
        secret: Name of the secret that it is, for messages.

    Raises:
        ConfigurationError: It is no such thing. Nothing of it is repeated.
    """
    import ssl

    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    try:
        with _as_file(pem) as path:
            context.load_cert_chain(path, password=_none)
    except (ssl.SSLError, ValueError, UnicodeEncodeError):
        # The error of the library may quote what it read, so it is not passed on.
        raise ConfigurationError(
            f"The secret {secret} is no private key with its certificate in PEM, or its key has a password.",
            field=secret,
            remedy="Set it to the key without a password, the certificate behind it.",
        ) from None
    return context


def _none() -> str:
    return ""


@contextlib.contextmanager
def _as_file(text: str) -> Generator[str, None, None]:
    """A name under which the library reads a text; where the system can, it is never on a disk."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("certificate", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{number}"
        unlink = False
    else:
        number, path = tempfile.mkstemp()
        unlink = True
    try:
        with os.fdopen(number, "wb") as file:
            file.write(text.encode())
            file.flush()
            yield path
    finally:
        if unlink:
            Path(path).unlink()
