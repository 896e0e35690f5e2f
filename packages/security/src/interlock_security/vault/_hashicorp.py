"""HashiCorp Vault: keeps the key of keys, or the secrets themselves. Spoken to over its HTTP interface.

Every request goes through the one guarded client: no redirect is followed, answers are bounded in time and
size, and the token is sent to the address that the operator wrote and nowhere else.
"""

import base64
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import ConfigurationError, InterlockError, NotFoundError, ProtocolError
from interlock_core.jsontypes import JsonObject, as_object, as_text, dump_json
from interlock_core.record import record
from interlock_core.secret import Secret
from interlock_core.toolspec import HttpRequest
from interlock_security.vault._holders import HeldKey, random_key_id, read_key, written
from interlock_security.vault._seal import KEY_BYTES, new_key

if TYPE_CHECKING:
    from interlock_core.http import HttpClient

_TIMEOUT_S = 10.0
_MOST_BYTES = 1024 * 1024
_KEPT_S = 30.0
_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")


@record(frozen=True, slots=True, kw_only=True)
class HashicorpAddress:
    """Where a HashiCorp Vault is.

    Attributes:
        url: Its address, such as `https://vault.example:8200`.
        namespace: Its namespace; empty for the root.
        mount: Where its key-value engine (version 2) is mounted.
        transit: Where its transit engine is mounted.
    """

    url: str
    namespace: str = ""
    mount: str = "secret"
    transit: str = "transit"


class Hashicorp:
    """Speaks to a HashiCorp Vault.

    Args:
        address: Where it is.
        token: Gives the token, for each request.
        client: Speaks HTTP; it must allow the address.
    """

    def __init__(
        self, address: HashicorpAddress, *, token: Callable[[], Awaitable[Secret]], client: "HttpClient"
    ) -> None:
        self.address = address
        self._token = token
        self._client = client

    async def read(self, path: str) -> JsonObject | None:
        """The fields of a secret in the key-value engine; None when there is none.

        Raises:
            InterlockError: It cannot be read.
        """
        told = await self._asked("GET", f"{self.address.mount}/data/{checked_path(path)}", None)
        return None if told is None else as_object(as_object(told.get("data")).get("data"))

    async def write(self, path: str, fields: JsonObject) -> None:
        """Keep fields under a path of the key-value engine, in place of what is there.

        Raises:
            InterlockError: They cannot be written.
        """
        await self._asked("POST", f"{self.address.mount}/data/{checked_path(path)}", {"data": fields})

    async def destroy(self, path: str) -> None:
        """Remove a path of the key-value engine with all its versions.

        Raises:
            InterlockError: It cannot be removed.
        """
        await self._asked("DELETE", f"{self.address.mount}/metadata/{checked_path(path)}", None)

    async def transit(self, action: str, key: str, fields: JsonObject) -> JsonObject:
        """What the transit engine answers.

        Raises:
            InterlockError: It refuses, or there is no such key.
        """
        told = await self._asked("POST", f"{self.address.transit}/{action}/{checked_path(key)}", fields)
        if told is None:
            raise ConfigurationError(
                f"HashiCorp Vault has no transit key {key}.",
                field="vault.key",
                remedy=f"Make it: vault write -f {self.address.transit}/keys/{key}.",
            )
        return as_object(told.get("data"))

    async def _asked(self, method: str, path: str, fields: JsonObject | None) -> JsonObject | None:
        token = await self._token()
        headers = [("x-vault-token", token.reveal().strip()), ("x-vault-request", "true")]
        if self.address.namespace:
            headers.append(("x-vault-namespace", self.address.namespace))
        body = None
        if fields is not None:
            headers.append(("content-type", "application/json"))
            body = dump_json(fields).encode()
        url = f"{self.address.url.rstrip('/')}/v1/{quote(path)}"
        request = HttpRequest(method=method, url=url, headers=tuple(headers), body=body)
        response = await self._client.send(request, timeout_s=_TIMEOUT_S, max_body_bytes=_MOST_BYTES)
        if response.status == 404:
            return None
        if response.status == 204:
            return {}
        if not response.ok:
            raise _refused(response.status, path)
        return as_object(response.json())


def _refused(status: int, path: str) -> InterlockError:
    reasons = {
        403: "Its token may not, or has ended: renew it, or give its policy this path.",
        503: "It is sealed or in maintenance: unseal it.",
    }
    remedy = reasons.get(status, "Look at its own log.")
    if status >= 500:
        return ProtocolError(
            f"HashiCorp Vault answered {status} for {path}.", vendor_status=status, remedy=remedy
        )
    return ConfigurationError(
        f"HashiCorp Vault answered {status} for {path}.",
        field="vault.address",
        remedy=remedy,
        vendor_status=status,
    )


def checked_path(path: str) -> str:
    """A path that leads nowhere else.

    Raises:
        ConfigurationError: It is none.
    """
    if not _PATH.fullmatch(path) or len(path) > 512:
        raise ConfigurationError(
            f"{path[:80]!r} is no path of a secret.",
            field="vault",
            remedy="Write names of letters, digits, `.`, `-` and `_`, joined by `/`.",
        )
    return path


class TransitHolder:
    """Keys that the transit engine wraps: the store keeps them wrapped, only the engine can open them.

    Args:
        vault: The HashiCorp Vault.
        key: Name of the transit key; one that derives no keys.
    """

    def __init__(self, vault: Hashicorp, key: str) -> None:
        self._vault = vault
        self._key = checked_path(key)
        self.place = f"HashiCorp Vault's transit key {key}"

    async def propose(self) -> str:
        """A fresh id."""
        return random_key_id()

    async def make(self, key_id: str) -> HeldKey:
        """A fresh key, wrapped by the engine."""
        key = new_key()
        fields: JsonObject = {"plaintext": written(key), "associated_data": _bound(key_id)}
        told = await self._vault.transit("encrypt", self._key, fields)
        wrapped = as_text(told.get("ciphertext")) or ""
        if await self.load(key_id, wrapped.encode()) != key:
            raise ProtocolError("HashiCorp Vault does not give back what it wrapped.", field="vault.key")
        return HeldKey(key, wrapped.encode())

    async def load(self, key_id: str, wrapped: bytes) -> bytes | None:
        """The key, opened by the engine."""
        if not wrapped.startswith(b"vault:"):
            return None
        fields: JsonObject = {"ciphertext": wrapped.decode(), "associated_data": _bound(key_id)}
        told = await self._vault.transit("decrypt", self._key, fields)
        key = base64.b64decode(as_text(told.get("plaintext")) or "")
        return key if len(key) == KEY_BYTES else None

    async def forget(self, key_id: str) -> None:
        """Nothing: what the store kept of it is gone already."""


def _bound(key_id: str) -> str:
    return base64.b64encode(f"interlock vault {key_id}".encode()).decode()


class KeyValueHolder:
    """Keys that are secrets of the key-value engine, one path each.

    Args:
        vault: The HashiCorp Vault.
        path: The path below which they are.
    """

    def __init__(self, vault: Hashicorp, path: str) -> None:
        self._vault = vault
        self._path = checked_path(path)
        self.place = f"HashiCorp Vault below {path}"

    async def propose(self) -> str:
        """A fresh id."""
        return random_key_id()

    async def make(self, key_id: str) -> HeldKey:
        """The key under its path."""
        key = await self.load(key_id, b"")
        if key is None:
            await self._vault.write(f"{self._path}/{key_id}", {"key": written(new_key())})
            key = await self.load(key_id, b"")
        if key is None:
            raise ProtocolError("HashiCorp Vault did not keep the key.", field="vault.key")
        return HeldKey(key)

    async def load(self, key_id: str, wrapped: bytes) -> bytes | None:
        """The key under its path."""
        fields = await self._vault.read(f"{self._path}/{key_id}")
        kept = as_text((fields or {}).get("key"))
        return None if kept is None else read_key(kept, self.place)

    async def forget(self, key_id: str) -> None:
        """Remove the path."""
        await self._vault.destroy(f"{self._path}/{key_id}")


class HashicorpSecrets:
    """Secrets of the key-value engine, by `PATH` or `PATH#FIELD`; the field is `value` unless named.

    What was read is kept for half a minute.

    Args:
        vault: The HashiCorp Vault.
        learn: Told every secret that is read.
        clock: Tells the time.
    """

    def __init__(
        self, vault: Hashicorp, *, learn: Callable[[Secret], None], clock: Clock | None = None
    ) -> None:
        self._vault = vault
        self._learn = learn
        self._clock = clock or SystemClock()
        self._kept: dict[str, tuple[float, JsonObject]] = {}

    async def read(self, reference: str, *, setting: str) -> Secret:
        """One secret.

        Raises:
            NotFoundError: There is none.
            InterlockError: It cannot be read.
        """
        path, _, field = reference.partition("#")
        now = self._clock.monotonic()
        until, fields = self._kept.get(path, (now, None))
        if fields is None or until <= now:
            fields = await self._vault.read(path)
            if fields is None:
                raise NotFoundError(
                    f"HashiCorp Vault has no secret {path}.",
                    field=setting,
                    remedy=f"Set it: vault kv put {self._vault.address.mount}/{path} value=-.",
                )
            self._kept[path] = (now + _KEPT_S, fields)
        value = as_text(fields.get(field or "value"))
        if not value:
            raise NotFoundError(
                f"The secret {path} of HashiCorp Vault has no text in its field {field or 'value'}.",
                field=setting,
                remedy="Name the field behind the path: vault:PATH#FIELD.",
            )
        secret = Secret(value, name=reference)
        self._learn(secret)
        return secret
