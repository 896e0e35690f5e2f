"""Who holds the key of keys: a private file, the environment, or the system's own key store."""

import base64
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from interlock_core.errors import ConfigurationError, InterlockError, MissingExtraError
from interlock_core.record import record
from interlock_security._files import read_or_create, read_private, sync_folder
from interlock_security.vault._seal import KEY_BYTES, new_key

_SERVICE = "interlock-vault"


@record(frozen=True, slots=True)
class HeldKey:
    """A key of keys that was made.

    Attributes:
        key: The key.
        wrapped: What the store keeps of it, for holders that keep nothing themselves.
    """

    key: bytes
    wrapped: bytes = b""

    def __repr__(self) -> str:
        return "HeldKey(hidden)"


class KeyHolder(Protocol):
    """Keeps keys of keys outside the store.

    `make` is called by one process at a time, and again with the same id when a process died over it.

    Attributes:
        place: Where keys are, in words for people.
    """

    place: str

    async def propose(self) -> str:
        """Id of the key that would be made next.

        Raises:
            ConfigurationError: None can be had here.
        """
        ...

    async def make(self, key_id: str) -> HeldKey:
        """The key of that id, made when there is none; durable when this returns.

        Raises:
            InterlockError: It cannot be made.
        """
        ...

    async def load(self, key_id: str, wrapped: bytes) -> bytes | None:
        """The key of that id; None when it is not here.

        Raises:
            InterlockError: It cannot be read, or others can read it.
        """
        ...

    async def forget(self, key_id: str) -> None:
        """Destroy the key of that id, where this holder can; nothing happens when there is none.

        Raises:
            InterlockError: It cannot be destroyed.
        """
        ...


def random_key_id() -> str:
    """A fresh id for a key."""
    return f"kek_{os.urandom(8).hex()}"


def read_key(text: str, place: str) -> bytes:
    """A key in base64 or hexadecimal.

    Raises:
        ConfigurationError: It is none of 32 bytes; nothing of it is repeated.
    """
    plain = text.strip()
    try:
        key = bytes.fromhex(plain) if len(plain) == 2 * KEY_BYTES else base64.b64decode(plain, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"The key of the vault in {place} is no key.",
            field="vault.key",
            remedy="It is 32 random bytes in base64 or hexadecimal: openssl rand -base64 32.",
        )
    return key


def written(key: bytes) -> str:
    """A key as it is kept."""
    return base64.b64encode(key).decode()


class FileHolder:
    """Keeps each key in a file of its own, 0600, beside the data. One that others may read is refused.

    Args:
        home: The data folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self.place = f"the folder {home}"

    async def propose(self) -> str:
        """A fresh id."""
        return random_key_id()

    async def make(self, key_id: str) -> HeldKey:
        """The key in its file, which is complete on disk when this returns."""
        path = self._path(key_id)
        content = read_or_create(path, f"{written(new_key())}\n".encode())
        return HeldKey(read_key(content.decode("ascii", "replace"), str(path)))

    async def load(self, key_id: str, wrapped: bytes) -> bytes | None:
        """The key in its file."""
        path = self._path(key_id)
        content = read_private(path)
        return None if content is None else read_key(content.decode("ascii", "replace"), str(path))

    async def forget(self, key_id: str) -> None:
        """Remove the file."""
        try:
            self._path(key_id).unlink(missing_ok=True)
            sync_folder(self._home)
        except OSError as exc:
            path = self._path(key_id)
            raise ConfigurationError(f"{path} cannot be removed: {exc.strerror}.", field=str(path)) from exc

    def _path(self, key_id: str) -> Path:
        return self._home / f"vault.{key_id}.key"


class EnvironmentHolder:
    """Reads the key from a variable. Its id follows from the key, so a changed one is noticed.

    Args:
        environment: The environment's variables.
        variable: The one that holds the key.
    """

    def __init__(self, environment: Mapping[str, str], variable: str) -> None:
        self._environment = environment
        self._variable = variable
        self.place = f"the environment variable {variable}"

    async def propose(self) -> str:
        """The id of the key that the variable holds."""
        return _fingerprint(self._key())

    async def make(self, key_id: str) -> HeldKey:
        """The key that the variable holds."""
        key = self._key()
        if _fingerprint(key) != key_id:
            raise ConfigurationError(
                f"{self._variable} changed while the vault began to use it.",
                field="vault.key",
                remedy="Run the command again with the value that it had before.",
            )
        return HeldKey(key)

    async def load(self, key_id: str, wrapped: bytes) -> bytes | None:
        """The key that the variable holds, when it is that of the id."""
        key = self._key()
        return key if _fingerprint(key) == key_id else None

    async def forget(self, key_id: str) -> None:
        """Nothing: whoever set the variable takes it away."""

    def _key(self) -> bytes:
        value = self._environment.get(self._variable, "")
        if not value:
            raise ConfigurationError(
                f"The environment variable {self._variable}, which holds the key of the vault, is not set.",
                field="vault.key",
                remedy=f"Set {self._variable}, or choose another place in [vault] key.",
            )
        return read_key(value, self.place)


def _fingerprint(key: bytes) -> str:
    return f"kek_{hashlib.sha256(b'interlock vault key id' + key).hexdigest()[:16]}"


class KeyringHolder:
    """Keeps keys in the system's own key store, through the library `keyring`."""

    place = "the system's key store"

    async def propose(self) -> str:
        """A fresh id."""
        return random_key_id()

    async def make(self, key_id: str) -> HeldKey:
        """The key in the key store."""
        kept = await self.load(key_id, b"")
        if kept is not None:
            return HeldKey(kept)
        key = new_key()
        await self._with("set_password", _SERVICE, key_id, written(key))
        if await self.load(key_id, b"") != key:
            raise ConfigurationError(
                "The system's key store did not keep the key of the vault.",
                field="vault.key",
                remedy='Use [vault] key = "file", or look at the key store.',
            )
        return HeldKey(key)

    async def load(self, key_id: str, wrapped: bytes) -> bytes | None:
        """The key in the key store."""
        kept = await self._with("get_password", _SERVICE, key_id)
        return None if kept is None else read_key(kept, self.place)

    async def forget(self, key_id: str) -> None:
        """Remove it from the key store."""
        if await self.load(key_id, b"") is not None:
            await self._with("delete_password", _SERVICE, key_id)

    async def _with(self, function: str, *arguments: str) -> str | None:
        import asyncio

        try:
            import keyring
            from keyring.errors import KeyringError
        except ImportError as exc:
            raise MissingExtraError(
                "The system's key store needs a library.",
                field="vault.key",
                remedy="Install it: pip install 'interlock-security[keyring]'.",
            ) from exc
        call: Callable[..., str | None] = vars(keyring)[function]
        try:
            return await asyncio.to_thread(call, *arguments)
        except KeyringError as exc:
            raise _unusable(exc) from exc


def _unusable(error: Exception) -> InterlockError:
    return ConfigurationError(
        f"The system's key store cannot be used ({type(error).__name__}).",
        field="vault.key",
        remedy='Unlock it, or use [vault] key = "file".',
    )
