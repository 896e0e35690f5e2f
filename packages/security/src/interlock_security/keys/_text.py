"""The text of an API key, and what the store knows of it instead.

A key is `ilk_` and 43 characters of base64url: 256 random bits. The store keeps its HMAC-SHA256 under a
secret that is not in the store (`keys.pepper`, 0600), so that neither a stolen database nor a guess made
against it gives a key that works. A slow password hash would add nothing to 256 random bits.
"""

import base64
import hashlib
import hmac
import os
import re
from pathlib import Path

from interlock_core.errors import ConfigurationError
from interlock_security._files import read_or_create

_PREFIX = "ilk_"
_FORM = re.compile(r"ilk_[A-Za-z0-9_-]{43}")
_PEPPER_BYTES = 32


def new_key() -> str:
    """A key that nobody has."""
    return _PREFIX + base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")


def is_key(text: object) -> bool:
    """Whether something has the form of a key."""
    return isinstance(text, str) and _FORM.fullmatch(text) is not None


def load_pepper(path: Path) -> bytes:
    """The secret under which keys are looked up; made when it does not exist.

    Raises:
        ConfigurationError: The file holds something else, cannot be made, or others may read it.
    """
    content = read_or_create(path, os.urandom(_PEPPER_BYTES).hex().encode() + b"\n").strip()
    try:
        pepper = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        pepper = b""
    if len(pepper) != _PEPPER_BYTES:
        raise ConfigurationError(
            f"{path} does not hold 32 bytes in hexadecimal.",
            field=str(path),
            remedy="Restore it from a backup: without it no API key is known any more.",
        )
    return pepper


def lookup(pepper: bytes, text: str) -> bytes:
    """What the store knows a key by."""
    return hmac.digest(pepper, text.encode(), hashlib.sha256)
