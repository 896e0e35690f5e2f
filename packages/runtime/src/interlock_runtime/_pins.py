"""The tools of servers and documents as they were approved: kept in the store, each change recorded first."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from interlock_core import Json, JsonObject, Principal
from interlock_core.errors import AuditUnavailableError
from interlock_core.jsontypes import as_object, as_text, dump_json, parse_json
from interlock_core.store import Store

if TYPE_CHECKING:
    from interlock_runtime._access import Access
    from interlock_security import AuditLog
    from interlock_tools import ToolDefinition

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
_PREFIX = {"mcp": "", "tools": "openapi:"}
"""Stands before the names of documents: a server of the same name is another thing."""

_by: ContextVar[Principal | None] = ContextVar("interlock_approved_by", default=None)


@contextmanager
def approving(by: Principal | None) -> Generator[None, None, None]:
    """The context in which somebody else than the user at this machine approves; None for that user."""
    token = _by.set(by)
    try:
        yield
    finally:
        _by.reset(token)


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved of one document.

    Attributes:
        tools: Its tools, by name.
        settled: Stands for the document of which everything was approved the last time.
    """

    tools: "Mapping[str, ToolDefinition]" = field(default_factory=dict[str, "ToolDefinition"])
    settled: str = ""


class StoredPins:
    """A `PinStore` in the database, so that every process and replica withholds the same.

    Args:
        store: The database.
        audit: Records what is approved before it is.
        access: Knows the user who approves, or in whose name a server is used for the first time.
        kind: `mcp` for servers, `tools` for documents; records of changes begin with it.
    """

    def __init__(
        self, store: Store, *, audit: "AuditLog", access: "Access", kind: Literal["mcp", "tools"] = "mcp"
    ) -> None:
        self._kind = kind
        self._prefix = _PREFIX[kind]
        self._store = store
        self._audit = audit
        self._access = access

    async def pinned(self, server: str) -> "Mapping[str, ToolDefinition]":
        """What was approved of a server, by the server's own names."""
        from interlock_tools import ToolDefinition

        rows = await self._store.fetch_all(
            "SELECT definition FROM runtime_mcp_pins WHERE server = ? AND fingerprint <> ? ORDER BY tool",
            (self._prefix + server, _SEEN),
        )
        found = [ToolDefinition.of(str(definition)) for (definition,) in rows]
        return {entry.name: entry for entry in found}

    async def seen(self, server: str) -> bool:
        """Whether a server was used before, even if nothing of it was approved then."""
        rows = await self._store.fetch_all(
            "SELECT tool FROM runtime_mcp_pins WHERE server = ? LIMIT 1", (self._prefix + server,)
        )
        return bool(rows)

    async def all(self) -> Mapping[str, Approved]:
        """What was approved of everything that was used before, by its name."""
        from interlock_tools import ToolDefinition

        rows = await self._store.fetch_all(
            "SELECT server, tool, definition FROM runtime_mcp_pins ORDER BY server, tool"
        )
        tools: dict[str, dict[str, ToolDefinition]] = {}
        settled: dict[str, str] = {}
        for server, tool, definition in rows:
            name = str(server)
            if not name.startswith(self._prefix):
                continue
            found = tools.setdefault(name.removeprefix(self._prefix), {})
            if tool:
                found[str(tool)] = ToolDefinition.of(str(definition))
            else:
                said = as_object(parse_json(str(definition)))
                settled[name.removeprefix(self._prefix)] = as_text(said.get("settled")) or ""
        return {name: Approved(found, settled.get(name, "")) for name, found in tools.items()}

    async def stamp(self) -> tuple[object, ...]:
        """Changes whenever something is approved."""
        rows = await self._store.fetch_all("SELECT COUNT(*), MAX(approved_at) FROM runtime_mcp_pins")
        return tuple(rows[0])

    async def settle(self, server: str, settled: str) -> None:
        """Note for what everything is approved, so that it need not be compared again."""
        said: JsonObject = {"settled": settled}
        await self._store.execute(
            "UPDATE runtime_mcp_pins SET definition = ? WHERE server = ? AND tool = ''",
            (dump_json(said), self._prefix + server),
        )

    async def forget(self, server: str) -> None:
        """Forget what was approved: the next use is the first. Whoever asks has recorded why."""
        await self._store.execute("DELETE FROM runtime_mcp_pins WHERE server = ?", (self._prefix + server,))

    async def pin(self, server: str, definitions: "Iterable[ToolDefinition]", *, first_use: bool) -> None:
        """Keep definitions as approved. At first use, what another process approved just now stays.

        Raises:
            AuditUnavailableError: It cannot be recorded, so nothing is approved.
            PermissionDeniedError: The user may not approve.
        """
        entries = list(definitions)
        principal = _by.get() or await self._access.local()
        if not first_use:
            self._access.require(principal, "tools")
        named: list[Json] = [{"tool": entry.name, "fingerprint": entry.fingerprint} for entry in entries]
        change = f"{self._kind}.first-use" if first_use else f"{self._kind}.approve"
        place = self._prefix + server
        statement = _NEW if first_use else _APPROVED
        async with self._audit.change(change, principal, {"server": server, "tools": named}):
            at = int(self._store.clock.now() * 1e6)
            await self._store.execute(_NEW, (place, "", _SEEN, "{}", at, principal.user))
            for entry in entries:
                values = (place, entry.name, entry.fingerprint, entry.canonical, at, principal.user)
                await self._store.execute(statement, values)

    async def withheld(self, server: str, tools: "Mapping[str, str]") -> None:
        """Record which tools are withheld. What cannot be recorded is withheld all the same."""
        named: list[Json] = [{"tool": tool, "why": why} for tool, why in sorted(tools.items())]
        with suppress(AuditUnavailableError):
            principal = await self._access.local()
            await self._audit.note(f"{self._kind}.withheld", principal, {"server": server, "tools": named})
