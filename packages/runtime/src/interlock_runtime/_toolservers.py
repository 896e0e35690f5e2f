"""The MCP servers of the settings: started when a tool of theirs is wanted, each failing for itself alone."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from interlock_core import Json, JsonObject, Redactor, SecretStore, ToolSpec
from interlock_core.errors import InterlockError, MissingExtraError, NotFoundError
from interlock_core.nearest import suggestion
from interlock_runtime._mounting import SHIPPED
from interlock_runtime._pins import StoredPins
from interlock_runtime.settings import McpSettings, Settings

if TYPE_CHECKING:
    from interlock_core.http import Egress
    from interlock_tools import ToolRegistry
    from interlock_tools.mcp import MountedServer, MountState, ServerOptions

_logger = logging.getLogger("interlock.runtime")
_REFERENCES = ("env:", "file:", "vault:")
_WILD = frozenset("*?[")


class ToolServers:
    """The servers. Nothing of them is imported or started before a tool is wanted.

    Args:
        settings: The settings.
        environment: Holds what a program is handed of ours.
        secrets: Gives credentials by the setting that holds them.
        named: The settings that hold one.
        pins: What was approved.
        redactor: Hides secrets in what servers are said to have done.
        patience_s: Seconds that everything else waits for a server that was not asked for by its name; it
            goes on starting, and its tools are there the next time.

    Attributes:
        changed: Called when the tools have changed.
        patience_s: As given.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        environment: Mapping[str, str],
        secrets: SecretStore,
        named: frozenset[str],
        pins: StoredPins,
        redactor: Redactor,
        patience_s: float = 10.0,
    ) -> None:
        self.changed: list[Callable[[], None]] = []
        self._settings = settings
        self._environment = environment
        self._secrets = secrets
        self._named = named
        self._pins = pins
        self._redactor = redactor
        self._servers: dict[str, MountedServer] = {}
        self._failing: dict[str, str] = {}
        self._placed: dict[str, tuple[ToolRegistry, tuple[ToolSpec, ...]]] = {}
        self._namespaces: frozenset[str] = frozenset({*settings.mcp, *settings.tools, *SHIPPED})
        self._mounting: dict[tuple[str, int], asyncio.Task[None]] = {}
        self.patience_s = patience_s

    @property
    def names(self) -> tuple[str, ...]:
        """The servers that the settings declare."""
        return tuple(sorted(self._settings.mcp))

    async def mount(self, registry: "ToolRegistry", patterns: Sequence[str]) -> None:
        """Put the tools of every server that a pattern may fit into a registry; what fails is left out."""
        wanted = [name for name in self.names if any(_may_fit(name, pattern) for pattern in patterns)]
        if not wanted:
            return
        self._namespaces |= {info.namespace for info in registry.documents()}
        named = {pattern.partition(".")[0] for pattern in patterns}
        tasks = {name: self._mounted(registry, name) for name in wanted}
        if needed := [task for name, task in tasks.items() if name in named]:
            await asyncio.wait(needed)
        await asyncio.wait(tasks.values(), timeout=self.patience_s)
        for task in tasks.values():
            if task.done():
                task.result()
            else:
                task.add_done_callback(lambda _: self._tell())

    async def check(self, name: str | None = None) -> list[JsonObject]:
        """What became of one server, or of all, started where they were not.

        Raises:
            NotFoundError: There is no such server.
        """
        names = self.names if name is None else (self._need(name),)
        await asyncio.gather(*(self._try(one) for one in names))
        return [self._described(self._server(one).state) for one in names]

    def states(self) -> list[JsonObject]:
        """What is known of every server that was started so far."""
        return [self._described(server.state) for _, server in sorted(self._servers.items())]

    async def approve(self, name: str, shown: Sequence[tuple[str, str]]) -> None:
        """Approve tools of a server, each by its name here and the fingerprint that was shown.

        Raises:
            NotFoundError: There is no such server.
            ConflictError: A tool says something else by now; nothing is approved.
            UpstreamError: The server does not answer.
        """
        from interlock_tools.mcp import Withheld

        server = self._server(self._need(name))
        entries = [
            Withheld(name=tool, tool="", why="", difference=(), fingerprint=fingerprint)
            for tool, fingerprint in shown
        ]
        await server.approve(entries)
        self._tell()

    async def aclose(self) -> None:
        """End every server."""
        for task in self._mounting.values():
            task.cancel()
        await asyncio.gather(*self._mounting.values(), return_exceptions=True)
        await asyncio.gather(*(server.aclose() for server in self._servers.values()))

    # ---- inside

    def _mounted(self, registry: "ToolRegistry", name: str) -> "asyncio.Task[None]":
        """The task that puts a server's tools into a registry; one at a time."""
        key = (name, id(registry))
        if key not in self._mounting:
            task = asyncio.create_task(self._mount(registry, name), name=f"mount {name}")
            task.add_done_callback(lambda _: self._mounting.pop(key, None))
            self._mounting[key] = task
        return self._mounting[key]

    async def _mount(self, registry: "ToolRegistry", name: str) -> None:
        server = self._server(name)
        try:
            tools = list(await server.tools())
        except InterlockError as error:
            self._warn(name, self._redactor.text(str(error)))
            tools = []
        else:
            self._failing.pop(name, None)
        specs = tuple(tool.spec for tool in tools)
        known, before = self._placed.get(name, (None, ()))
        if known is registry and before == specs:
            return
        if known is registry and before:
            registry.remove(name)
        for tool in tools:
            registry.offer(tool)
        self._placed[name] = (registry, specs)

    def _warn(self, name: str, why: str) -> None:
        """Log that a server cannot be used, once for as long as it fails alike."""
        if self._failing.get(name) != why:
            self._failing[name] = why
            _logger.warning("the MCP server %s cannot be used: %s", name, why)

    async def _try(self, name: str) -> None:
        try:
            await self._server(name).check()
        except InterlockError as error:
            _logger.debug("the MCP server %s cannot be used: %s", name, self._redactor.text(str(error)))

    def _server(self, name: str) -> "MountedServer":
        if name not in self._servers:
            self._servers[name] = self._made(name)
        return self._servers[name]

    def _made(self, name: str) -> "MountedServer":
        try:
            from interlock_tools.mcp import MountedServer, MountLimits, SdkConnection
        except ImportError as exc:  # pragma: no cover - the runtime brings the extra
            raise MissingExtraError(
                "MCP servers need the SDK of the protocol.",
                field=f"mcp.{name}",
                remedy="Install it: pip install 'interlock-tools[mcp]'.",
            ) from exc
        options = self._options(name, self._settings.mcp[name])
        limits = MountLimits(shown_chars=self._settings.pipeline.max_result_chars)
        connection = SdkConnection(
            name, options, secrets=self._secrets, egress=self._egress(), limits=limits, changed=self._tell
        )
        return MountedServer(
            name,
            options,
            connection=connection,
            pins=self._pins,
            others=lambda: self._namespaces,
            limits=limits,
        )

    def _options(self, name: str, entry: McpSettings) -> "ServerOptions":
        from interlock_tools.mcp import INHERITED, ServerOptions

        ours = {key: self._environment[key] for key in INHERITED if key in self._environment}
        plain = {key: value for key, value in entry.env.items() if not value.startswith(_REFERENCES)}
        held = {key: f"mcp.{name}.env.{key}" for key in entry.env if key not in plain}
        credential = f"mcp.{name}.credential"
        folder = self._settings.path(entry.cwd or ".") if self._settings.file or entry.cwd else None
        return ServerOptions(
            command=(entry.command, *entry.args) if entry.command else (),
            cwd=folder,
            env={**ours, **plain},
            secret_env=held,
            url=entry.url,
            credential=credential if credential in self._named else None,
            header=entry.header,
            allow=entry.allow or ("*",),
            trusted=entry.trusted,
            timeout_s=entry.timeout_s,
        )

    def _egress(self) -> "Egress":
        from interlock_core.http import Egress

        egress = self._settings.egress
        return Egress(allowed_origins=egress.allowed_origins, allow_private=egress.allow_private)

    def _tell(self) -> None:
        for call in self.changed:
            call()

    def _need(self, name: str) -> str:
        if name not in self._settings.mcp:
            raise NotFoundError(
                f"There is no MCP server {name}.", field="name", remedy=suggestion(name, self.names)
            )
        return name

    def _waiting(self, state: "MountState") -> str:
        waiting = not state.started and any(name == state.name for name, _ in self._mounting)
        return "it has not answered yet" if waiting else ""

    def _described(self, state: "MountState") -> JsonObject:
        withheld: list[Json] = [
            {
                "name": entry.name,
                "why": entry.why,
                "fingerprint": entry.fingerprint,
                "difference": [*entry.difference],
            }
            for entry in state.withheld
        ]
        refused: list[Json] = [{"name": name, "reason": reason} for name, reason in state.refused]
        return {
            "name": state.name,
            "error": self._redactor.text(state.error) or self._waiting(state),
            "offered": [*state.offered],
            "withheld": withheld,
            "refused": refused,
            "notes": [*state.notes],
        }


def _may_fit(server: str, pattern: str) -> bool:
    """Whether a pattern of names may fit a tool of a server."""
    head, dot, _ = pattern.partition(".")
    return fnmatchcase(server, head) if dot else not _WILD.isdisjoint(pattern)
