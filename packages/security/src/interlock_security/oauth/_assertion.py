"""Client assertions: a short-lived token that a client signs with its private key (RFC 7523)."""

import base64
import os
from typing import TYPE_CHECKING

from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import JsonObject, dump_json
from interlock_core.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""What the assertion is, in the words of the request."""

_LIVES_S = 60


def assertion(key: Secret, *, client_id: str, token_url: str, now: float) -> str:
    """A token for one request: RS256, ES256 or EdDSA, by the kind of key.

    Raises:
        ConfigurationError: The secret is no private key of these kinds; nothing of it is repeated.
    """
    private = _loaded(key)
    algorithm = _algorithm(private)
    if not algorithm:
        raise _no_key(key)
    claims: JsonObject = {
        "iss": client_id,
        "sub": client_id,
        "aud": token_url,
        "jti": os.urandom(16).hex(),
        "iat": int(now),
        "exp": int(now) + _LIVES_S,
    }
    signed = f"{_part({'alg': algorithm, 'typ': 'JWT'})}.{_part(claims)}"
    return f"{signed}.{_encoded(_signature(private, signed.encode()))}"


def _loaded(key: Secret) -> "PrivateKeyTypes":
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(key.reveal().encode(), password=None)
    except (ValueError, TypeError):
        raise _no_key(key) from None


def _algorithm(private: "PrivateKeyTypes") -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(private, rsa.RSAPrivateKey):
        return "RS256" if private.key_size >= 2048 else ""
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return "ES256" if isinstance(private.curve, ec.SECP256R1) else ""
    return "EdDSA" if isinstance(private, ed25519.Ed25519PrivateKey) else ""


def _signature(private: "PrivateKeyTypes", content: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(content, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(private, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(private.sign(content, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)
    assert isinstance(private, ed25519.Ed25519PrivateKey)
    return private.sign(content)


def _part(value: JsonObject) -> str:
    return _encoded(dump_json(value).encode())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _no_key(key: Secret) -> ConfigurationError:
    return ConfigurationError(
        f"The secret {key.name} is no private key for an assertion, or has a password.",
        field=key.name,
        remedy="Set it to a key in PEM: RSA of 2048 bits or more, P-256 or Ed25519.",
    )
