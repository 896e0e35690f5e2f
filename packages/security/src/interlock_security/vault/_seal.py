"""Envelopes: a value under a key of its own, that key under the key of keys, each bound to its place.

Rules, in order: every version of a secret has a fresh data key; the value is sealed with AES-256-GCM under
it, bound to tenant, kind, name, version and scope; the data key is sealed under the key of keys, bound to the
same, to the version's state and to that key's id. So an envelope that is moved to another row, column,
version, scope or state does not open. What is sealed is padded, so that its size tells little.

Not covered: a whole row put back as it once was, together with every row after it taken away, while no
process runs that saw the newer one.
"""

import os
from dataclasses import dataclass

from interlock_core.errors import VerificationError
from interlock_core.jsontypes import Json, dump_json

KEY_BYTES = 32
"""Length of every key."""

_NONCE_BYTES = 12
_LENGTH_BYTES = 4
_PADDED_TO = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an envelope belongs.

    Attributes:
        tenant: Whose it is.
        kind: `secret` or `token`.
        name: Its name.
        version: Its version.
        scope: Where it may be used, in canonical JSON.
    """

    tenant: str
    kind: str
    name: str
    version: int
    scope: str

    def of_value(self) -> bytes:
        """What the sealed value is bound to."""
        return _context("value", [self.tenant, self.kind, self.name, self.version, self.scope])

    def of_key(self, state: str, key_id: str) -> bytes:
        """What the sealed data key is bound to."""
        place: list[Json] = [self.tenant, self.kind, self.name, self.version, self.scope]
        return _context("data key", [*place, state, key_id])


def new_key() -> bytes:
    """A fresh key."""
    return os.urandom(KEY_BYTES)


def seal(key: bytes, content: bytes, context: bytes) -> bytes:
    """Content under a key, bound to a context."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """What was sealed.

    Raises:
        VerificationError: It was not sealed under this key in this context, or was changed since.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as exc:
        raise VerificationError(
            "An envelope of the vault does not open: it was changed, moved or cut.",
            field="vault",
            remedy="Look at the audit log, and set the secret again.",
        ) from exc


def padded(text: str) -> bytes:
    """A text in UTF-8 with its length before it and zeros behind it."""
    content = text.encode()
    whole = len(content).to_bytes(_LENGTH_BYTES) + content
    return whole + bytes(-len(whole) % _PADDED_TO)


def unpadded(content: bytes) -> str:
    """The text that was padded."""
    length = int.from_bytes(content[:_LENGTH_BYTES])
    return content[_LENGTH_BYTES : _LENGTH_BYTES + length].decode()


def proof_of(key: bytes, key_id: str) -> bytes:
    """What only the key of that id can have made."""
    return seal(key, b"", _context("key of keys", [key_id]))


def proves(key: bytes, key_id: str, proof: bytes) -> bool:
    """Whether a key made a proof."""
    try:
        unseal(key, proof, _context("key of keys", [key_id]))
    except VerificationError:
        return False
    return True


def _context(part: str, place: list[Json]) -> bytes:
    return dump_json(["interlock vault 1", part, *place]).encode()
