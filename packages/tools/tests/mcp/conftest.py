"""What the tests of MCP share: real servers in processes of their own, mounted as the runtime mounts them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from interlock_core import Call, JsonObject, ToolCall, ToolResult
from interlock_core.call import CallKind
from interlock_core.http import Egress
from interlock_core.testing import MemorySecrets, make_call
from interlock_tools import ToolExecutor, ToolRegistry
from interlock_tools.mcp import (
    MemoryPins,
    MountedServer,
    MountLimits,
    SdkConnection,
    ServerOptions,
)

LIMITS = MountLimits(leave_s=1.0)
OTHERS = ("github", "strange")


@dataclass
class Mounting:
    """One server, mounted.

    Attributes:
        server: The mount.
        connection: How it is spoken to.
        folder: Where the server leaves its traces.
        pins: What was approved.
        changed: Set when the server says that its tools have changed.
    """

    server: MountedServer
    connection: SdkConnection
    folder: Path
    pins: MemoryPins
    changed: asyncio.Event

    async def call(self, tool: str, text: str = "", *, context: Call | None = None) -> ToolResult:
        """Call one of its tools through the executor, as every call is made."""
        registry = ToolRegistry()
        for entry in await self.server.tools():
            registry.offer(entry)
        call = ToolCall(id="c", name=f"strange.{tool}", arguments=json.dumps({"text": text}))
        executor = ToolExecutor(registry)
        return await executor.execute(call, context or make_call(kind=CallKind.TOOL))

    def says(self, *tools: JsonObject) -> None:
        """Have the server say other tools from now on."""
        self.folder.joinpath("tools.json").write_text(json.dumps(list(tools)))

    @property
    def starts(self) -> int:
        """How often the program was started."""
        file = self.folder / "starts"
        return len(file.read_text().splitlines()) if file.exists() else 0


Mount: TypeAlias = Callable[..., Mounting]
"""Mounts the strange server in a mode; keywords are options of the mount."""


@pytest.fixture
async def mount(tmp_path: Path) -> AsyncIterator[Mount]:
    """Mounts servers, and closes them at the end."""
    made: list[Mounting] = []

    def mounting(
        mode: str = "plain",
        *,
        limits: MountLimits = LIMITS,
        pins: MemoryPins | None = None,
        secrets: Mapping[str, str] | None = None,
        others: tuple[str, ...] = OTHERS,
        **options: object,
    ) -> Mounting:
        folder = tmp_path / f"server{len(made)}"
        folder.mkdir()
        command = (sys.executable, "-m", "interlock_tools.testing.mcp_server", mode, str(folder))
        chosen = ServerOptions(**{"command": command, "env": python_environment(), **options})  # pyright: ignore[reportArgumentType] - the test names the fields
        changed = asyncio.Event()
        connection = SdkConnection(
            "strange",
            chosen,
            secrets=MemorySecrets(secrets),
            egress=Egress(),
            limits=limits,
            changed=changed.set,
        )
        kept = pins or MemoryPins()
        server = MountedServer(
            "strange", chosen, connection=connection, pins=kept, others=lambda: others, limits=limits
        )
        made.append(Mounting(server, connection, folder, kept, changed))
        return made[-1]

    yield mounting
    for one in made:
        await one.server.aclose()


def python_environment() -> dict[str, str]:
    """What a Python program needs to find this package where it is not installed but on the path."""
    return {"PYTHONPATH": ":".join(path for path in sys.path if path)}
