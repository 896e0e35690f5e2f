"""The documents of the settings and those that were added: put in place, each failing for itself alone."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from interlock_core import JsonObject
from interlock_core.errors import ConfigurationError, ConflictError, InterlockError
from interlock_runtime._documents import StoredDocument
from interlock_runtime._mounting import SHIPPED, mount_declared, mount_stored
from interlock_runtime.settings import DEV_TOOLS, Settings, ToolSettings

if TYPE_CHECKING:
    from interlock_tools import ToolRegistry

_logger = logging.getLogger("interlock.runtime")


@dataclass(frozen=True, slots=True)
class Unusable:
    """A document that gives no tools.

    Attributes:
        name: Its namespace.
        place: Where it is named, such as `[tools.x] of config.toml:7`.
        error: Why.
    """

    name: str
    place: str
    error: InterlockError

    def told(self) -> ConfigurationError:
        """The error of whoever wants one of its tools."""
        own = f"tools.{self.name}"
        named = self.error.field if (self.error.field or "").startswith(f"{own}.") else own
        return ConfigurationError(
            f"{self.place} cannot be used: {self.error.message}",
            field=named,
            remedy=self.error.remedy,
        )

    def as_json(self) -> JsonObject:
        """For people and faces: `name`, `place`, `error` and `remedy`."""
        return {
            "name": self.name,
            "place": self.place,
            "error": self.error.message,
            "remedy": self.error.remedy or "",
        }


class Documents:
    """What the settings declare, what is shipped, and what was added.

    Args:
        settings: The settings.
        named: The settings that hold a credential.

    Attributes:
        redirected: Addresses that a command named in place of others, by namespace.
        unusable: What could not be put in place the last time, by namespace.
    """

    def __init__(self, settings: Settings, named: frozenset[str]) -> None:
        self._settings = settings
        self._named = named
        self.redirected: dict[str, str] = {}
        self.unusable: dict[str, Unusable] = {}

    async def mount(self, registry: "ToolRegistry", stored: Mapping[str, StoredDocument]) -> frozenset[str]:
        """Put every document into a registry; what fails is left out, and remembered.

        Returns:
            The namespaces whose calls carry a credential.

        Raises:
            ConflictError: A document was added under a name that the settings declare too.
        """
        declared = self.declared(stored)
        self.unusable = {}
        for name, entry in declared.items():
            await self._mount(registry, name, entry)
        for name, document in stored.items():
            try:
                address = self.redirected.get(name, document.base_url)
                mount_stored(registry, replace(document, base_url=address))
            except InterlockError as error:
                self._remember(name, f"The document {name}, added from {document.source},", error)
        held = {
            name
            for name, entry in declared.items()
            if self._credential(name) or entry.credentials or entry.oauth
        }
        return frozenset(held | {name for name, document in stored.items() if document.credential})

    async def retry(self, registry: "ToolRegistry", declared: Mapping[str, ToolSettings]) -> None:
        """Try again what the settings declare and could not be put in place."""
        for name in [name for name in self.unusable if name in declared]:
            del self.unusable[name]
            await self._mount(registry, name, declared[name])

    async def _mount(self, registry: "ToolRegistry", name: str, entry: ToolSettings) -> None:
        try:
            credential = self._credential(name)
            await mount_declared(registry, name, entry, credential=credential, settings=self._settings)
        except InterlockError as error:
            self._remember(name, f"[{self._table(name)}] of {self._place(name)}", error)

    def _credential(self, name: str) -> str | None:
        setting = f"tools.{name}.credential"
        return setting if setting in self._named else None

    def _remember(self, name: str, place: str, error: InterlockError) -> None:
        self.unusable[name] = Unusable(name, place, error)
        _logger.debug("%s cannot be used: %s", place, error.message)

    def declared(self, stored: Collection[str]) -> Mapping[str, ToolSettings]:
        """The documents of the settings and those that are shipped, redirected where a command says so.

        Raises:
            ConflictError: A document was added under a name that the settings declare too.
        """
        for name in stored:
            if name in self._settings.tools or name in self._settings.mcp:
                table = self._table(name)
                raise ConflictError(
                    f"{self._place(name)} declares [{table}], and a document was added under that name.",
                    field=table,
                    remedy=f"Rename one of them, or forget the added one: interlock tools remove {name}.",
                )
        taken = {*stored, *self._settings.mcp}
        found = {name: ToolSettings(source=source) for name, source in SHIPPED.items() if name not in taken}
        found |= {name: entry for name, entry in self._settings.tools.items() if entry.source != DEV_TOOLS}
        return {
            name: replace(entry, base_url=self.redirected.get(name, entry.base_url))
            for name, entry in found.items()
        }

    def refuse_declared(self, namespace: str) -> None:
        """Refuse a change of what the configuration declares.

        Raises:
            ConflictError: It declares that namespace.
        """
        if namespace not in self._settings.tools and namespace not in self._settings.mcp:
            return
        raise ConflictError(
            f"{self._place(namespace)} declares [{self._table(namespace)}], so it is read-only here.",
            field=self._table(namespace),
            remedy="Change it there.",
        )

    def _table(self, namespace: str) -> str:
        return f"mcp.{namespace}" if namespace in self._settings.mcp else f"tools.{namespace}"

    def _place(self, namespace: str) -> str:
        from interlock_runtime._lines import line_of

        file = self._settings.file
        return "the environment" if file is None else f"{file}:{line_of(file, self._table(namespace))}"
