"""The vault as faces and other parts of this house use it."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from interlock_core import JsonObject, Principal, Secret, SecretStore
from interlock_core.errors import ConfigurationError, InterlockError, UnsupportedError
from interlock_core.jsontypes import Json
from interlock_core.store import Store
from interlock_runtime._mounting import egress_of
from interlock_security import AuditLog, KnownSecretRedactor
from interlock_security.vault import (
    EnvironmentHolder,
    FileHolder,
    Hashicorp,
    HashicorpAddress,
    HashicorpSecrets,
    KeyHolder,
    KeyringHolder,
    KeyValueHolder,
    SecretScope,
    TransitHolder,
    Vault,
    forbid_core_dumps,
)

if TYPE_CHECKING:
    from interlock_runtime._access import Access
    from interlock_runtime.settings import Settings
    from interlock_security.oauth import TokenKeeper

_logger = logging.getLogger("interlock.runtime")

HASHICORP_SETTING = "vault.token"
"""The setting with the token of a HashiCorp Vault, as the secret store knows it."""

_REFRESHED_EVERY_S = 1.0
_READ, _WRITE = "vault.read", "vault.write"


class VaultFront:
    """The vault. Values go in; nothing here gives one out, but `reader` to the store of secrets.

    Args:
        settings: The settings.
        environment: The environment's variables.
        store: Where envelopes are kept.
        audit: Records every change before it is made.
        access: Says who may change what.
        redactor: Told every value.

    Attributes:
        changed: Called when another process or this one changed a secret.
    """

    def __init__(
        self,
        settings: "Settings",
        environment: Mapping[str, str],
        *,
        store: Store,
        audit: AuditLog,
        access: "Access",
        redactor: KnownSecretRedactor,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._access = access
        self._redactor = redactor
        self._stack = AsyncExitStack()
        self._secrets: SecretStore | None = None
        self._hashicorp: Hashicorp | None = None
        chosen = settings.vault
        former = (self._holder(chosen.former_key),) if chosen.former_key else ()
        self._vault = Vault(
            store,
            holder=self._holder(chosen.key),
            former=former,
            changes=audit,
            learn=redactor.learn,
            opened=forbid_core_dumps,
        )
        self._watching: asyncio.Task[None] | None = None
        self.changed: list[Callable[[], None]] = self._vault.changed
        self.reader: Vault | HashicorpSecrets = self._vault
        self.keeper: TokenKeeper = self._vault
        if chosen.secrets == "hashicorp":
            self.reader = HashicorpSecrets(self._connected(), learn=redactor.learn)

    async def open(self, secrets: SecretStore) -> None:
        """Learn every secret that is kept, and watch for changes that other processes make."""
        self._secrets = secrets
        await self._look()
        self._watching = asyncio.create_task(self._watch(), name="vault")

    async def aclose(self) -> None:
        """Stop watching, and write what is pending."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        await self._vault.aclose()
        await self._stack.aclose()

    # ---- what faces do

    async def set(
        self,
        name: str,
        value: Secret,
        *,
        by: Principal,
        uses: Sequence[str] | None = None,
        hosts: Sequence[str] | None = None,
        new: bool | None = None,
    ) -> JsonObject:
        """Keep a value under a name; what is shown of it after that.

        Args:
            name: Its name.
            value: The value.
            by: Who sets it.
            uses: Settings that may use it, such as `tools.github`; as before, or any, when this and `hosts`
                are None.
            hosts: Hosts that it may be sent to.
            new: Whether the name must be new (true) or known (false); None for either.

        Raises:
            PermissionDeniedError: `by` may not.
            InvalidRequestError: A field is wrong.
            NotFoundError: There is no such secret, where there must be one.
            AuditUnavailableError: It could not be recorded, so it was not kept.
            InterlockError: It could not be kept.
        """
        self._may_change(by)
        scope = None
        if uses is not None or hosts is not None:
            scope = SecretScope(uses=tuple(uses or ()), hosts=tuple(hosts or ()))
        if new is False:
            await self._vault.entry(name)
        return (await self._vault.set(name, value, by=by, scope=scope)).as_json()

    async def list(self, *, by: Principal) -> Sequence[JsonObject]:
        """Every secret: name, version, scope, last use; never a value.

        Raises:
            PermissionDeniedError: `by` may not.
            StoreError: The store failed.
        """
        self._access.require(by, _READ)
        return [entry.as_json() for entry in await self._vault.list()]

    async def remove(self, name: str, *, by: Principal) -> None:
        """Forget a secret with all its versions, or the former one, named as `NAME@VERSION`.

        Raises:
            PermissionDeniedError: `by` may not.
            NotFoundError: There is none.
            InterlockError: It could not be removed.
        """
        self._may_change(by)
        await self._vault.remove(name, by=by)

    async def rotate_key(self, *, by: Principal) -> JsonObject:
        """Change the key that seals the vault, or finish a change that was begun.

        Raises:
            PermissionDeniedError: `by` may not.
            InterlockError: A step cannot be made; the next call goes on from there.
        """
        self._access.require(by, _WRITE)
        rotation = await self._vault.rotate_key(by=by)
        return {"key": rotation.key_id, "rewrapped": rotation.rewrapped, "resumed": rotation.resumed}

    async def keep_refresh(self, name: str, value: Secret) -> None:
        """Keep the refresh token that replaces one, in the name of the house.

        Raises:
            InterlockError: It could not be kept.
        """
        if self._settings.vault.secrets != "store":
            raise _elsewhere()
        await self._vault.set(name, value, by=Principal(user="interlock", roles=frozenset()))

    # ---- inside

    def _may_change(self, by: Principal) -> None:
        self._access.require(by, _WRITE)
        if self._settings.vault.secrets != "store":
            raise _elsewhere()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_REFRESHED_EVERY_S)
            await self._look()

    async def _look(self) -> None:
        try:
            await self._vault.refresh()
        except InterlockError as error:
            _logger.debug("the vault could not be looked at: %s", error.message)

    def _holder(self, key: str) -> KeyHolder:
        kind, _, rest = key.partition(":")
        if kind == "env" and rest:
            return EnvironmentHolder(self._environment, rest)
        if kind == "transit" and rest:
            return TransitHolder(self._connected(), rest)
        if kind == "kv" and rest:
            return KeyValueHolder(self._connected(), rest)
        if key == "keyring":
            return KeyringHolder()
        if key == "file":
            return FileHolder(self._settings.home)
        raise ConfigurationError(
            "[vault] names no place for its key.",
            field="vault.key",
            remedy="Write file, keyring, env:NAME, transit:KEY or kv:PATH.",
        )

    def _connected(self) -> Hashicorp:
        """The HashiCorp Vault of the settings; nothing is sent yet."""
        if self._hashicorp is None:
            from interlock_core.http import HttpClient, origin_of

            chosen = self._settings.vault
            if chosen.token.startswith("vault:"):
                raise ConfigurationError(
                    "[vault] looks for the token of the HashiCorp Vault in that vault.",
                    field=HASHICORP_SETTING,
                    remedy="Write env:NAME or file:PATH.",
                )
            if not chosen.address.startswith(("https://", "http://")):
                raise ConfigurationError(
                    "[vault] lacks the address of the HashiCorp Vault that it names.",
                    field="vault.address",
                    remedy="Write it, such as https://vault.example:8200.",
                )
            client = HttpClient(egress=egress_of(self._settings).allow(origin_of(chosen.address)))
            self._stack.push_async_callback(client.aclose)
            address = HashicorpAddress(
                url=chosen.address, namespace=chosen.namespace, mount=chosen.mount, transit=chosen.transit
            )
            self._hashicorp = Hashicorp(address, token=self._token, client=client)
        return self._hashicorp

    async def _token(self) -> Secret:
        assert self._secrets is not None
        return await self._secrets.get(HASHICORP_SETTING)


def entries_json(entries: Sequence[JsonObject]) -> JsonObject:
    """A list of secrets as commands print it."""
    rows: list[Json] = [*entries]
    return {"secrets": rows}


def _elsewhere() -> UnsupportedError:
    return UnsupportedError(
        "The secrets are in HashiCorp Vault, which changes them by its own tools.",
        field="vault.secrets",
        remedy='Use `vault kv put`, or [vault] secrets = "store".',
    )
