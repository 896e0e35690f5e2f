"""Where the tools of servers are kept as the operator approved them."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from interlock_tools._definition import ToolDefinition


class PinStore(Protocol):
    """Keeps definitions of tools, by server and by the server's own name of the tool."""

    async def pinned(self, server: str) -> Mapping[str, ToolDefinition]:
        """What was approved of a server, by the server's own names."""
        ...

    async def seen(self, server: str) -> bool:
        """Whether a server was used before, even if nothing of it was approved then."""
        ...

    async def pin(self, server: str, definitions: Iterable[ToolDefinition], *, first_use: bool) -> None:
        """Keep definitions as approved, and the server as seen; whoever keeps them records the change.

        Args:
            server: The server.
            definitions: What was approved; none where the server was only seen.
            first_use: Nobody was asked: the server was seen for the first time.
        """
        ...

    async def withheld(self, server: str, tools: Mapping[str, str]) -> None:
        """Hear which tools are withheld, by their names here and why; told once for as long as it is so.

        Args:
            server: The server.
            tools: Why each one is withheld.
        """
        ...


class MemoryPins:
    """A `PinStore` in memory: approvals end with the process."""

    def __init__(self) -> None:
        self._pins: dict[str, dict[str, ToolDefinition]] = {}

    async def pinned(self, server: str) -> Mapping[str, ToolDefinition]:
        """What was approved of a server."""
        return dict(self._pins.get(server, {}))

    async def seen(self, server: str) -> bool:
        """Whether a server was used before."""
        return server in self._pins

    async def pin(self, server: str, definitions: Iterable[ToolDefinition], *, first_use: bool) -> None:
        """Keep definitions as approved."""
        self._pins.setdefault(server, {}).update({entry.name: entry for entry in definitions})

    async def withheld(self, server: str, tools: Mapping[str, str]) -> None:
        """Nothing is kept: the log of the mount says it."""
