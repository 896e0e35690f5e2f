"""The connection to one mounted server: opened when first wanted, closed cleanly, opened anew after a fault.

The SDK's client lives and ends in one task, so a task holds it; calls come from any other. What a server may
ask of its client is refused: it declares no sampling, no elicitation and no roots, and answers each such
request with an error.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast
from urllib.parse import urlsplit

import httpx2
from mcp import Client, ClientSession, MCPError
from mcp.client import Transport
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.types import (
    CONNECTION_CLOSED,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    InputRequiredResult,
    PaginatedRequestParams,
    ToolListChangedNotification,
)
from pydantic import TypeAdapter, ValidationError

from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import (
    InterlockError,
    ProtocolError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from interlock_core.http import Egress, HttpClient
from interlock_core.jsontypes import JsonObject
from interlock_core.protocols import SecretStore
from interlock_tools._definition import ToolDefinition
from interlock_tools.mcp._guarded import GuardedTransport
from interlock_tools.mcp._options import MountLimits, ServerOptions
from interlock_tools.mcp._pipes import Pipes
from interlock_tools.mcp._words import fit_to_show

T = TypeVar("T")

_logger = logging.getLogger("interlock.mcp")
for _name in ("mcp", "client"):  # the SDK's own words are no business of a person at a terminal
    logging.getLogger(_name).addHandler(logging.NullHandler())
_KEPT = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
_LONGEST_WAIT_S = 60.0
_FIRST_WAIT_S = 0.5
_SHOWN = 500
_ANSWER: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)


class Connection(Protocol):
    """One server, as what mounts it sees it."""

    @property
    def generation(self) -> int:
        """Changes whenever the tools may have changed: at each start, and when the server says so."""
        ...

    async def ready(self) -> None:
        """Open it if it is not open."""
        ...

    async def definitions(self) -> tuple[list[ToolDefinition], int]:
        """What the server says its tools are, and how many were left out."""
        ...

    async def call(self, tool: str, arguments: JsonObject, *, seconds: float) -> CallToolResult:
        """Make one call."""
        ...

    async def aclose(self) -> None:
        """Close it."""
        ...


@dataclass(slots=True)
class _Live:
    """A connection that is open, or on its way there."""

    ready: "asyncio.Future[ClientSession]"
    unwanted: asyncio.Event = field(default_factory=asyncio.Event)
    pipes: Pipes | None = None
    task: "asyncio.Task[None] | None" = None

    @property
    def usable(self) -> bool:
        ended = self.task is not None and self.task.done()
        return not ended and not (self.pipes is not None and self.pipes.over.is_set())


class SdkConnection:
    """A connection through the official SDK.

    Args:
        name: Name of the server in the configuration.
        options: What the operator writes about it.
        secrets: Gives out credentials.
        egress: Where requests may go, besides the server's own address.
        limits: Bounds.
        clock: Tells the time.
        changed: Called when the server says that its tools have changed.
    """

    def __init__(
        self,
        name: str,
        options: ServerOptions,
        *,
        secrets: SecretStore,
        egress: Egress,
        limits: MountLimits | None = None,
        clock: Clock | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self.generation = 0
        self._tell = changed
        self._name = name
        self._options = options
        self._secrets = secrets
        self._egress = egress
        self._limits = limits or MountLimits()
        self._clock = clock or SystemClock()
        self._opening = asyncio.Lock()
        self._live: _Live | None = None
        self._failures = 0
        self._not_before = 0.0
        self._last_fault = ""

    async def ready(self) -> None:
        """Open the connection if it is not open.

        Raises:
            ConfigurationError: The program cannot be started, or a credential is not there.
            UpstreamConnectionError: The server cannot be reached, or failed just now and is left alone.
            UpstreamTimeoutError: It does not answer in time.
        """
        await self._session()

    async def definitions(self) -> tuple[list[ToolDefinition], int]:
        """What the server says its tools are, in its order, and how many were left out.

        Raises:
            UpstreamError: It does not say, or not in a form that can be read.
        """
        session = await self._session()
        found: list[ToolDefinition] = []
        cursor: str | None = None
        seen: set[str | None] = set()
        for _ in range(self._limits.pages):
            seen.add(cursor)
            page = await self._asked(
                session.list_tools(params=None if cursor is None else PaginatedRequestParams(cursor=cursor)),
                self._options.timeout_s,
            )
            for tool in page.tools:
                facts = tool.model_dump(by_alias=True, mode="json", exclude_none=True)
                kept: JsonObject = {key: facts[key] for key in _KEPT if key in facts}
                found.append(ToolDefinition(tool.name, kept))
            cursor = page.next_cursor
            if not cursor or cursor in seen or len(found) > self._limits.tools:
                break
        return found[: self._limits.tools], max(0, len(found) - self._limits.tools)

    async def call(self, tool: str, arguments: JsonObject, *, seconds: float) -> CallToolResult:
        """Make one call. When it is cancelled or takes too long, the server is told.

        Raises:
            UpstreamError: The server refuses it, breaks, or does not answer in time.
        """
        session = await self._session()
        params = CallToolRequestParams(name=tool, arguments=dict(arguments))
        answer = await self._asked(session.send_request(CallToolRequest(params=params), _ANSWER), seconds)
        if isinstance(answer, InputRequiredResult):
            raise UpstreamError(
                f"{self._name} asks for input in the middle of a call, which no mounted server is given.",
                remedy="Use a tool of it that needs none.",
            )
        return answer

    async def aclose(self) -> None:
        """Close the connection; a program ends with all that it started. Closing twice does nothing."""
        async with self._opening:
            live, self._live = self._live, None
            if live is not None:
                await self._let_go(live)

    # ---- opening and closing

    async def _session(self) -> ClientSession:
        """The session, opened when there is none."""
        async with self._opening:
            if self._live is not None and not self._live.usable:
                broken, self._live = self._live, None
                self._failed(_fault_of(broken))
                await self._let_go(broken)
            if self._live is None:
                self._live = await self._open()
            return self._live.ready.result()

    async def _open(self) -> _Live:
        wait = self._not_before - self._clock.monotonic()
        if wait > 0:
            raise UpstreamConnectionError(
                f"The MCP server {self._name} failed just now ({self._last_fault}), so it is left alone.",
                remedy=f"Try again in {wait:.0f} s, or do without it.",
                retry_after=wait,
            )
        live = _Live(ready=asyncio.get_running_loop().create_future())
        live.task = asyncio.create_task(self._hold(live), name=f"mcp {self._name}")
        try:
            async with asyncio.timeout(self._options.timeout_s):
                await asyncio.shield(live.ready)
        except TimeoutError as exc:
            await self._give_up(live)
            raise UpstreamTimeoutError(
                f"The MCP server {self._name} was not ready within {self._options.timeout_s:g} s.",
                field=f"mcp.{self._name}.timeout_s",
                remedy="Check what it waits for, or allow more time.",
            ) from exc
        except BaseException as error:
            await self._give_up(live, error)
            raise
        self.generation += 1
        return live

    async def _give_up(self, live: _Live, error: BaseException | None = None) -> None:
        self._failed(error.message if isinstance(error, InterlockError) else "it did not start in time")
        await self._let_go(live)

    def _failed(self, fault: str) -> None:
        """Note a fault: the next start may come at once after the first, later and later after more."""
        self._failures += 1
        self._last_fault = fault
        wait = 0.0 if self._failures == 1 else min(_FIRST_WAIT_S * 2 ** (self._failures - 2), _LONGEST_WAIT_S)
        self._not_before = self._clock.monotonic() + wait

    async def _let_go(self, live: _Live) -> None:
        """End a connection: with grace when it is open, else at once."""
        assert live.task is not None
        live.unwanted.set()
        if not (live.ready.done() and not live.ready.cancelled() and live.ready.exception() is None):
            live.task.cancel()
        done, _ = await asyncio.wait([live.task], timeout=4 * self._limits.leave_s + 1)
        if not done:  # pragma: no cover - the SDK's own end is bounded; this is the net below it
            live.task.cancel()
            await asyncio.wait([live.task])

    async def _hold(self, live: _Live) -> None:
        """Open the connection, hold it while it is wanted and works, close it: all in one task."""
        try:
            async with AsyncExitStack() as stack:
                client = Client(
                    await self._transport(live, stack),
                    cache=None,
                    client_info=Implementation(name="interlock", version="0.1.0"),
                    message_handler=self._heard,
                )
                await stack.enter_async_context(client)
                live.ready.set_result(client.session)
                listening = asyncio.create_task(self._listen(client))
                try:
                    await _until_over(live)
                finally:
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
        except Exception as error:  # noqa: BLE001 - the border to the SDK: any fault of it ends this connection alone
            _logger.debug("the connection to %s ended: %r", self._name, error)
            if not live.ready.done():
                live.ready.set_exception(self._opening_error(live, error))

    async def _transport(self, live: _Live, stack: AsyncExitStack) -> Transport:
        options = self._options
        if options.url:
            egress = self._egress.allow(options.url)
            guarded = GuardedTransport(
                HttpClient(egress=egress),
                url=options.url,
                place=self._placed,
                most_bytes=self._limits.unasked_bytes,
            )
            http = await stack.enter_async_context(httpx2.AsyncClient(transport=guarded, timeout=None))
            await self._placed()  # a credential that is not there is told before anything is sent
            return streamable_http_client(
                options.url, http_client=http, max_sse_event_size=self._limits.message_bytes
            )
        secrets = {name: await self._secrets.get(held) for name, held in options.secret_env.items()}
        for secret in secrets.values():
            secret.require_host("")
        env = {**options.env, **{name: secret.reveal() for name, secret in secrets.items()}}
        live.pipes = Pipes(self._name, options.command, env=env, cwd=options.cwd, limits=self._limits)
        return live.pipes.opened()

    async def _placed(self) -> tuple[str, str] | None:
        """The header that holds the credential."""
        if self._options.credential is None:
            return None
        secret = await self._secrets.get(self._options.credential)
        secret.require_host(urlsplit(self._options.url).hostname or "")
        if self._options.header:
            return self._options.header, secret.reveal()
        return "authorization", f"Bearer {secret.reveal()}"

    async def _heard(self, message: object) -> None:
        """Note that the tools may have changed; nothing else that a server says unasked is of interest."""
        if isinstance(message, ToolListChangedNotification):
            self._note_change()

    def _note_change(self) -> None:
        self.generation += 1
        if self._tell is not None:
            self._tell()

    async def _listen(self, client: Client) -> None:
        """Hear of changes where the protocol has a stream for them."""
        with suppress(ListenNotSupportedError, SubscriptionLost, MCPError, TimeoutError):
            async with client.listen(tools_list_changed=True) as subscription:
                async for _ in subscription:
                    self._note_change()

    # ---- calls and errors

    async def _asked(self, work: Coroutine[object, object, T], seconds: float) -> T:
        """Wait for an answer of the server; what goes wrong is an error of ours."""
        live = self._live
        try:
            async with asyncio.timeout(seconds):
                answer = await work
        except TimeoutError as exc:
            raise UpstreamTimeoutError(
                f"The MCP server {self._name} did not answer within {seconds:g} s.",
                remedy="Try again, ask for less, or allow it more time.",
            ) from exc
        except MCPError as error:
            raise await self._error_of(live, error) from error
        except (ValidationError, ValueError, RecursionError) as exc:
            raise ProtocolError(
                f"An answer of the MCP server {self._name} breaks the protocol ({type(exc).__name__}).",
                remedy="Report it to whoever makes the server.",
            ) from exc
        self._failures = 0
        return answer

    async def _error_of(self, live: _Live | None, error: MCPError) -> UpstreamError:
        said = fit_to_show(error.message).text[:_SHOWN]
        if live is not None and live.pipes is not None and error.code == CONNECTION_CLOSED:
            with suppress(TimeoutError):
                await asyncio.wait_for(live.pipes.over.wait(), self._limits.leave_s)
            said = live.pipes.ending
        if error.code == CONNECTION_CLOSED:
            return UpstreamConnectionError(
                f"The connection to the MCP server {self._name} broke: {said}.",
                remedy="Whether the call was made is not known. It is connected anew for the next one.",
            )
        return UpstreamError(
            f"The MCP server {self._name} refused the call: {said}",
            vendor=self._name,
            vendor_code=str(error.code),
        )

    def _opening_error(self, live: _Live, error: BaseException) -> InterlockError:
        """The error of a start, from whatever the SDK's groups wrap it in."""
        leaves = list(_leaves(error))
        for leaf in leaves:
            if isinstance(leaf, InterlockError):
                return leaf
        said = next(
            (one for one in leaves if isinstance(one, MCPError) and one.code != CONNECTION_CLOSED), None
        )
        if said is not None:
            why = fit_to_show(said.message).text
        elif live.pipes is not None and live.pipes.over.is_set():
            why = live.pipes.ending
        else:
            why = "the connection ended" if isinstance(leaves[0], MCPError) else type(leaves[0]).__name__
        return UpstreamConnectionError(
            f"The MCP server {self._name} cannot be used: {why[:_SHOWN]}.",
            field=f"mcp.{self._name}",
            remedy="Check its settings, and what it writes with --verbose.",
        )


async def _until_over(live: _Live) -> None:
    """Wait until a connection is unwanted, or its program has ended."""
    waits = [asyncio.ensure_future(live.unwanted.wait())]
    if live.pipes is not None:
        waits.append(asyncio.ensure_future(live.pipes.over.wait()))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def _fault_of(live: _Live) -> str:
    return "the connection ended" if live.pipes is None else live.pipes.ending


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(part)
    else:
        yield error
