"""Secrets by name: from the environment, from files, from a vault, or issued when they are wanted."""

import asyncio
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from interlock_core.errors import ConfigurationError, InvalidRequestError, NotFoundError
from interlock_core.nearest import nearest
from interlock_core.secret import Secret

_MAX_FILE_BYTES = 64 * 1024
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_REFERENCES = ("env:", "file:", "vault:")


class VaultReader(Protocol):
    """Gives secrets out of a vault. `Vault` and `HashicorpSecrets` are such."""

    async def read(self, reference: str, *, setting: str) -> Secret:
        """One secret, for a setting that uses it."""
        ...


class Issuer(Protocol):
    """Gives secrets that are made when they are wanted. `AccessTokens` is one."""

    @property
    def names(self) -> frozenset[str]:
        """The names that it knows."""
        ...

    async def get(self, name: str) -> Secret:
        """One secret."""
        ...


class EnvironmentSecrets:
    """A `SecretStore` over values handed in: it reads no environment of its own.

    A name is looked up among what is issued, in `named`, then among the environment's variables; or it is
    itself a reference, `env:NAME`, `file:PATH` or `vault:NAME`. A value in `named` may be a reference too.
    A secret of the vault is asked for in the name of the setting, which its scope may not name; a reference
    that no setting holds is a setting of its own.

    Args:
        environment: The environment's variables.
        named: Secrets by name, as configuration has them.
        folder: Where relative paths of `file:` begin; usually the configuration file's folder.
        learn: Told every secret that is given out, such as `KnownSecretRedactor.learn`.
        vault: Where `vault:` leads; refused without one.
    """

    __slots__ = ("_environment", "_folder", "_issuer", "_learn", "_named", "_vault")

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        named: Mapping[str, str] | None = None,
        folder: Path | None = None,
        learn: Callable[[Secret], None] | None = None,
        vault: VaultReader | None = None,
    ) -> None:
        self._vault = vault
        self._issuer: Issuer | None = None
        self._environment = environment
        self._named = dict(named or {})
        self._folder = folder
        self._learn = learn

    def issue(self, issuer: Issuer) -> None:
        """Ask an issuer for what it knows; it may ask here for what it needs."""
        self._issuer = issuer

    def name(self, setting: str, reference: str) -> None:
        """Know one more setting that holds a reference."""
        self._named[setting] = reference

    async def get(self, name: str) -> Secret:
        """One secret.

        Raises:
            ConfigurationError: There is none of that name, it is empty, its file cannot be read, or it is
                not meant for the setting; the remedy says what to do.
            InterlockError: It is in a vault that cannot be read, or issued by a server that does not.
        """
        if self._issuer is not None and name in self._issuer.names:
            return await self._issuer.get(name)
        reference = self._named.get(name)
        wanted = name if reference is None else reference
        if wanted.startswith("vault:"):
            return await self._from_vault(wanted.removeprefix("vault:"), name)
        value = await self._resolve(wanted, name, literal=reference)
        if not value:
            shown = self._shown(name)
            raise ConfigurationError(f"The secret {shown} is empty.", field=shown)
        secret = Secret(value, name=self._shown(name).rpartition("/")[2].rpartition(":")[2])
        if self._learn is not None:
            self._learn(secret)
        return secret

    async def _from_vault(self, reference: str, name: str) -> Secret:
        if self._vault is None:
            raise ConfigurationError(
                f"{self._shown(name)} is in the vault, and there is none here.",
                field=self._shown(name),
                remedy="Write env:NAME or file:PATH.",
            )
        try:
            return await self._vault.read(reference, setting=name)
        except (NotFoundError, InvalidRequestError) as exc:
            raise ConfigurationError(exc.message, field=self._shown(name), remedy=exc.remedy) from exc

    def _shown(self, name: str) -> str:
        """A name as far as it may be shown: somebody may pass a secret where its name belongs."""
        if name in self._named or name.startswith(_REFERENCES) or _VARIABLE.fullmatch(name):
            return name
        return f"{name[:4]}…"

    async def _resolve(self, reference: str, name: str, *, literal: str | None) -> str:
        kind, _, rest = reference.partition(":")
        match f"{kind}:" if reference.startswith(_REFERENCES) else "":
            case "env:":
                return self._variable(rest, name)
            case "file:":
                return await self._file(rest, name)
            case _:
                return self._variable(name, name) if literal is None else literal

    def _variable(self, variable: str, name: str) -> str:
        value = self._environment.get(variable)
        if value is None:
            known = [*self._named, *self._environment]
            near = nearest(variable, known)
            meant = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ConfigurationError(
                f"There is no secret {self._shown(variable)}.",
                field=self._shown(name),
                remedy=f"Set the environment variable {self._shown(variable)}.{meant}",
            )
        return value

    async def _file(self, text: str, name: str) -> str:
        path = _place(text, self._folder)
        try:
            return await asyncio.to_thread(_read, path)
        except (OSError, UnicodeDecodeError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is no text"
            raise ConfigurationError(
                f"The secret {self._shown(name)} cannot be read from {path}: {reason}.",
                field=self._shown(name),
                remedy="A secret's file holds its text and at most a line end after it.",
            ) from exc


def _place(text: str, folder: Path | None) -> Path:
    """Where a file is: `~` is the user's home, and other relative paths begin at the folder."""
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # `~somebody` who is not known here is the name of a file
        path = Path(text)
    return path if folder is None else folder / path


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_MAX_FILE_BYTES + 1)
    if len(content) > _MAX_FILE_BYTES:
        raise ValueError("too long")
    return content.decode().removesuffix("\n").removesuffix("\r")
