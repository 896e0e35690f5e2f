"""The tools of MCP servers as they were approved: kept in the store, every change in the audit log first."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from interlock_core import Json
from interlock_core.errors import AuditUnavailableError
from interlock_core.store import Store

if TYPE_CHECKING:
    from interlock_runtime._access import Access
    from interlock_security import AuditLog
    from interlock_tools.mcp import ToolDefinition

_NEW = (
    "INSERT INTO runtime_mcp_pins (server, tool, fingerprint, definition, approved_at, approved_by) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (server, tool) DO NOTHING"
)
_APPROVED = (
    "INSERT INTO runtime_mcp_pins (server, tool, fingerprint, definition, approved_at, approved_by) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (server, tool) DO UPDATE SET fingerprint = excluded.fingerprint, "
    "definition = excluded.definition, approved_at = excluded.approved_at, approved_by = excluded.approved_by"
)
_SEEN = "seen"
"""In place of a fingerprint: the row says only that the server was used before."""


class StoredPins:
    """A `PinStore` in the database, so that every process and replica withholds the same.

    Args:
        store: The database.
        audit: Records what is approved before it is.
        access: Knows the user who approves, or in whose name a server is used for the first time.
    """

    def __init__(self, store: Store, *, audit: "AuditLog", access: "Access") -> None:
        self._store = store
        self._audit = audit
        self._access = access

    async def pinned(self, server: str) -> "Mapping[str, ToolDefinition]":
        """What was approved of a server, by the server's own names."""
        from interlock_tools.mcp import ToolDefinition

        rows = await self._store.fetch_all(
            "SELECT definition FROM runtime_mcp_pins WHERE server = ? AND fingerprint <> ? ORDER BY tool",
            (server, _SEEN),
        )
        found = [ToolDefinition.of(str(definition)) for (definition,) in rows]
        return {entry.name: entry for entry in found}

    async def seen(self, server: str) -> bool:
        """Whether a server was used before, even if nothing of it was approved then."""
        rows = await self._store.fetch_all(
            "SELECT tool FROM runtime_mcp_pins WHERE server = ? LIMIT 1", (server,)
        )
        return bool(rows)

    async def pin(self, server: str, definitions: "Iterable[ToolDefinition]", *, first_use: bool) -> None:
        """Keep definitions as approved. At first use, what another process approved just now stays.

        Raises:
            AuditUnavailableError: It cannot be recorded, so nothing is approved.
            PermissionDeniedError: The user may not approve.
        """
        entries = list(definitions)
        principal = await self._access.local()
        if not first_use:
            self._access.require(principal, "tools")
        named: list[Json] = [{"tool": entry.name, "fingerprint": entry.fingerprint} for entry in entries]
        change = "mcp.first-use" if first_use else "mcp.approve"
        statement = _NEW if first_use else _APPROVED
        async with self._audit.change(change, principal, {"server": server, "tools": named}):
            at = int(self._store.clock.now() * 1e6)
            await self._store.execute(_NEW, (server, "", _SEEN, "{}", at, principal.user))
            for entry in entries:
                values = (server, entry.name, entry.fingerprint, entry.canonical, at, principal.user)
                await self._store.execute(statement, values)

    async def withheld(self, server: str, tools: "Mapping[str, str]") -> None:
        """Record which tools are withheld. What cannot be recorded is withheld all the same."""
        named: list[Json] = [{"tool": tool, "why": why} for tool, why in sorted(tools.items())]
        with suppress(AuditUnavailableError):
            principal = await self._access.local()
            await self._audit.note("mcp.withheld", principal, {"server": server, "tools": named})
