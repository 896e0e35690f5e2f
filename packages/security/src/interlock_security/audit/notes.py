"""C2SP signed notes and checkpoints: what the log signs, and how anyone checks it.

A note is a text, an empty line and signature lines. A checkpoint is a note whose text has three lines:
the log's origin, its number of records, its root in base64. Both are bytes as in C2SP `signed-note` and
`tlog-checkpoint`, with Ed25519 (signature type 1), so that other tools can read them.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from interlock_core.errors import ConfigurationError, VerificationError
from interlock_security.audit.merkle import HASH_BYTES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_ED25519 = b"\x01"
_DASH = "\u2014 "
_MAX_NOTE_BYTES = 64 * 1024
_MAX_SIGNATURES = 16


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself at one moment.

    Attributes:
        origin: The log's name.
        size: Number of records.
        root: Root of their Merkle tree.
    """

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a checkpoint's text; lines after the third are extensions and are passed over.

        Raises:
            VerificationError: It is no checkpoint.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not lines[0]:
            raise VerificationError("A checkpoint has an origin, a size and a root, a line each.")
        size = lines[1]
        if not (size.isascii() and size.isdigit()) or str(int(size[:20])) != size:
            raise VerificationError("A checkpoint's size is not a number.")
        root = _from_base64(lines[2])
        if len(root) != HASH_BYTES:
            raise VerificationError("A checkpoint's root is not 32 bytes long.")
        return cls(lines[0], int(size), root)


class VerifierKey:
    """The public half of a log's key.

    Args:
        name: The log's origin.
        public: 32 bytes.

    Raises:
        ConfigurationError: The name or the key cannot be one.
    """

    __slots__ = ("_loaded", "id", "name", "public")

    def __init__(self, name: str, public: bytes) -> None:
        if not name or "+" in name or any(char.isspace() for char in name):
            raise ConfigurationError("A key's name is empty, or holds a space or a plus sign.")
        if len(public) != HASH_BYTES:
            raise ConfigurationError("An Ed25519 key is 32 bytes long.")
        self.name = name
        self.public = public
        self.id = hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]
        self._loaded: Ed25519PublicKey | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name+id+key`, the form in which verifier keys are handed out.

        Raises:
            ConfigurationError: It is none.
        """
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        key = cls(name, _key_bytes(encoded))
        if key.id.hex() != key_id:
            raise ConfigurationError("The verifier key's id does not fit its name and key.")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    def open(self, note: str) -> str:
        """The text of a note that this key has signed.

        Raises:
            VerificationError: It is no note, or the signature is missing or wrong.
        """
        text, signatures = _split_note(note)
        for name, key_id, signature in signatures:
            if name == self.name and key_id == self.id:
                self._check(text.encode(), signature)
                return text
        raise VerificationError(f"The note is not signed by {self.name} with key {self.id.hex()}.")

    def _check(self, message: bytes, signature: bytes) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        if self._loaded is None:
            self._loaded = Ed25519PublicKey.from_public_bytes(self.public)
        try:
            self._loaded.verify(signature, message)
        except InvalidSignature:
            raise VerificationError(f"The signature of {self.name} is forged.") from None


class SigningKey:
    """A log's key. Its repr shows the public half alone.

    Args:
        name: The log's origin.
        seed: 32 secret bytes.
    """

    PRIVATE: ClassVar[str] = "PRIVATE+KEY+"
    """How the text of a private key begins."""

    __slots__ = ("_private", "verifier")

    def __init__(self, name: str, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._private: Ed25519PrivateKey = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = VerifierKey(name, self._private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier})"

    @classmethod
    def fresh(cls, name: str) -> Self:
        """A new key of this name, which nobody knows.

        Raises:
            ConfigurationError: The name cannot be one.
        """
        return cls(name, os.urandom(HASH_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the private form of a key, as `private` gives it.

        Raises:
            ConfigurationError: It is none.
        """
        name, _, rest = text.strip().removeprefix(cls.PRIVATE).partition("+")
        key_id, _, encoded = rest.partition("+")
        key = cls(name, _key_bytes(encoded))
        if not text.startswith(cls.PRIVATE) or key.verifier.id.hex() != key_id:
            raise ConfigurationError("A private key's id does not fit its name and key.")
        return key

    def private(self) -> str:
        """The key with its secret half, as one line that `parse` reads. Whoever has it can sign."""
        encoded = base64.b64encode(_ED25519 + self._private.private_bytes_raw()).decode()
        return f"{self.PRIVATE}{self.verifier.name}+{self.verifier.id.hex()}+{encoded}"

    def sign(self, text: str) -> str:
        """A note of this text, signed.

        Raises:
            ConfigurationError: The text cannot be a note's: it is empty or does not end its last line.
        """
        if not text.endswith("\n") or "\n\n" in text or text == "\n":
            raise ConfigurationError("A note's text is whole lines, none of them empty.")
        signature = base64.b64encode(self.verifier.id + self._private.sign(text.encode())).decode()
        return f"{text}\n{_DASH}{self.verifier.name} {signature}\n"


def open_note(note: str, keys: Iterable[VerifierKey]) -> str:
    """The text of a note that one of these keys has signed.

    Raises:
        VerificationError: It is no note, none of them signed it, or a signature of theirs is wrong.
    """
    signatures = _split_note(note)[1]
    signers = {(name, key_id) for name, key_id, _ in signatures}
    for key in keys:
        if (key.name, key.id) in signers:
            return key.open(note)
    raise VerificationError("The note is signed by none of the log's keys.")


def _key_bytes(encoded: str) -> bytes:
    try:
        key = _from_base64(encoded)
    except VerificationError as exc:
        raise ConfigurationError("A key is not base64.") from exc
    if key[:1] != _ED25519 or len(key) != HASH_BYTES + 1:
        raise ConfigurationError("A key is not one of Ed25519.")
    return key[1:]


def _from_base64(text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise VerificationError("A line that should be base64 is not.") from exc
    if base64.b64encode(value).decode() != text:
        raise VerificationError("A line of base64 is not in its canonical form.")
    return value


def _split_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    if len(note) > _MAX_NOTE_BYTES or any(ord(char) < 0x20 and char != "\n" for char in note):
        raise VerificationError("A note is too long or holds control characters.")
    text, separator, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    if not separator or lines.pop() or not 0 < len(lines) <= _MAX_SIGNATURES:
        raise VerificationError("A note is a text, an empty line and signature lines.")
    signatures: list[tuple[str, bytes, bytes]] = []
    for line in lines:
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        blob = _from_base64(encoded)
        if not line.startswith(_DASH) or not name or len(blob) < 5:
            raise VerificationError("A signature line of a note is malformed.")
        signatures.append((name, blob[:4], blob[4:]))
    return text + "\n", signatures
