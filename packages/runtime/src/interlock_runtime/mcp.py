"""The tools of a running Interlock as an MCP server: over standard input and output, and over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from interlock_core import Principal, ToolCatalog
from interlock_runtime._approvals import asking
from interlock_runtime._runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Generator

    from interlock_tools.mcp import Offer, WebServer

__all__ = ["McpEndpoint", "serve_stdio"]

Scope: TypeAlias = MutableMapping[str, Any]
"""An ASGI connection scope."""

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""Gives the next event from the client."""

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
"""Sends an event to the client."""


async def serve_stdio(
    runtime: Runtime, *, patterns: Sequence[str] = (), search: bool = False, plain: bool = False
) -> None:
    """Serve one client over standard input and output until it leaves.

    It is the user at this machine whose model decides: both must be permitted.

    Args:
        runtime: What is served.
        patterns: Tools to offer; all when empty.
        search: Offer `find_tools` and `call_tool` in place of every tool.
        plain: Write names without dots.
    """
    from interlock_tools.mcp import ToolServer, Visit

    visit = Visit(
        principal=runtime.principal,
        patterns=tuple(patterns) or ("*",),
        search=search,
        plain=plain,
        key="stdio",
    )
    server = ToolServer(_offer(runtime), visit=lambda context: visit)
    with _telling(runtime, server.tell_change):
        await server.serve_stdio()


class McpEndpoint:
    """MCP over HTTP. Nothing of the SDK is imported before the first request.

    Args:
        runtime: What is served.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._server: WebServer | None = None
        self._pending: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send, principal: Principal) -> None:
        """Answer one request of an authenticated client."""
        from interlock_tools.mcp import PRINCIPAL, WebServer

        if self._server is None:
            wanted = self._runtime.settings.server
            self._server = WebServer(
                _offer(self._runtime), sessions=wanted.mcp_sessions, most_bytes=wanted.max_body_bytes
            )
            self._runtime.tools.changed.append(self._changed)
        scope[PRINCIPAL] = principal
        await self._server(scope, receive, send)

    def retire(self) -> None:
        """End the streams that would never end by themselves; calls under way go on."""
        if self._server is not None:
            self._server.retire()

    async def aclose(self) -> None:
        """End every session and every stream."""
        if self._server is None:
            return
        if self._changed in self._runtime.tools.changed:
            self._runtime.tools.changed.remove(self._changed)
        server, self._server = self._server, None
        await asyncio.gather(*self._pending, return_exceptions=True)
        await server.aclose()

    def _changed(self) -> None:
        if self._server is not None:
            _soon(self._server.tell_change, self._pending)


def _offer(runtime: Runtime) -> "Offer":
    from interlock_tools.mcp import Offer

    tools, access = runtime.tools, runtime.access

    async def catalog(patterns: Sequence[str]) -> ToolCatalog:
        # A visitor stays for hours: what it is shown follows what others change meanwhile.
        await access.rules.refresh()
        return await tools.catalog_of(patterns)

    return Offer(catalog=catalog, executor=tools.executor, permit=access.permit, asking=asking)


@contextmanager
def _telling(runtime: Runtime, tell: Callable[[], Awaitable[None]]) -> "Generator[None, None, None]":
    """The context in which changes of the tools are told."""
    pending: set[asyncio.Task[None]] = set()

    def changed() -> None:
        _soon(tell, pending)

    runtime.tools.changed.append(changed)
    try:
        yield
    finally:
        runtime.tools.changed.remove(changed)
        for task in pending:
            task.cancel()


def _soon(tell: Callable[[], Awaitable[None]], pending: set[asyncio.Task[None]]) -> None:
    task = asyncio.ensure_future(tell())
    pending.add(task)
    task.add_done_callback(pending.discard)
