"""Connections kept for the next request, by origin, never more than allowed."""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from interlock_core.clock import Clock
from interlock_core.errors import UpstreamConnectionError, UpstreamTimeoutError
from interlock_core.http._connection import Connection, dial
from interlock_core.http._egress import Egress
from interlock_core.http._types import HttpLimits
from interlock_core.http._url import Url

if TYPE_CHECKING:
    import ssl

_Key = tuple[str, str, int]


class _Slots:
    """The connections of one origin: the newest idle one is used first, whoever waits longest gets it."""

    __slots__ = ("idle", "key", "open", "waiters")

    def __init__(self, key: _Key) -> None:
        self.key = key
        self.idle: list[Connection] = []
        self.open = 0
        self.waiters: deque[asyncio.Future[Connection | None]] = deque()


class Pool:
    """Connections by origin.

    Args:
        egress: Decides which address is dialled.
        limits: How many, how long.
        clock: Tells how long a connection has been idle.
        tls: Makes the context for https, once, when the first such connection is dialled.
    """

    def __init__(
        self, *, egress: Egress, limits: HttpLimits, clock: Clock, tls: "Callable[[], ssl.SSLContext]"
    ) -> None:
        self._egress = egress
        self._limits = limits
        self._clock = clock
        self._tls = tls
        self._slots: dict[_Key, _Slots] = {}
        self._connections: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(self, url: Url, *, fresh: bool = False) -> tuple[Connection, bool]:
        """A connection to an origin, and whether it was used before.

        Args:
            url: Where to.
            fresh: Only a new one will do.

        Raises:
            EgressRefusedError: The address is not allowed.
            UpstreamConnectionError: No connection could be made.
            UpstreamTimeoutError: Not in time.
        """
        if self._closed:
            raise _closed()
        while True:
            slots = self._slots.get(url.key)
            if slots is None:
                slots = self._slots[url.key] = _Slots(url.key)
            connection = self._take_idle(slots, fresh=fresh)
            if connection is not None:
                return connection, True
            if slots.open < self._limits.per_origin_connections:
                slots.open += 1
                break
            connection = await self._wait_for_turn(slots)
            if connection is None:
                break
            if connection.usable and not fresh:
                return connection, True
            connection.abort()
        try:
            connection = await self._dial(url, slots)
        except BaseException:
            self._free(slots)
            raise
        if self._closed:
            connection.abort()
            raise _closed()
        return connection, False

    def give(self, connection: Connection, url: Url) -> None:
        """Take a connection back after its exchange: for whoever waits, or to be kept a while."""
        reusable = connection.reusable
        connection.finish()
        slots = self._slots.get(url.key)
        if not reusable or slots is None:
            connection.abort()
            return
        connection.idle_since = self._clock.monotonic()
        if not _hand_on(slots, connection):
            slots.idle.append(connection)
            self._sweep_later()

    async def aclose(self) -> None:
        """Close every connection, busy ones too."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        connections = list(self._connections)
        for connection in connections:
            connection.fail(_closed())
        for connection in connections:
            await connection.closed.wait()
        # One more turn of the loop lets sockets that were given up a moment ago be closed as well.
        await asyncio.sleep(0)

    def _take_idle(self, slots: _Slots, *, fresh: bool) -> Connection | None:
        if fresh:
            if slots.idle and slots.open >= self._limits.per_origin_connections:
                slots.idle.pop(0).abort()
            return None
        while slots.idle:
            connection = slots.idle.pop()
            expired = self._clock.monotonic() - connection.idle_since > self._limits.keepalive_s
            if connection.usable and not expired and not connection.stale():
                return connection
            connection.abort()
        return None

    async def _wait_for_turn(self, slots: _Slots) -> Connection | None:
        """Wait for a connection that is given back; None for the place of one that was lost."""
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        slots.waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):
                slots.waiters.remove(waiter)
            if waiter.done() and not waiter.cancelled():
                self._pass_on(slots, waiter.result())
            raise

    def _pass_on(self, slots: _Slots, connection: Connection | None) -> None:
        """Give what a cancelled waiter had got to the next one."""
        if connection is None:
            self._free(slots)
        elif not _hand_on(slots, connection):
            slots.idle.append(connection)
            self._sweep_later()

    async def _dial(self, url: Url, slots: _Slots) -> Connection:
        limits = self._limits
        try:
            async with asyncio.timeout(limits.connect_timeout_s):
                addresses = await self._egress.resolve(url)
                tls = self._tls() if url.scheme == "https" else None
                return await self._dial_each(url, addresses, tls, slots)
        except TimeoutError as exc:
            raise UpstreamTimeoutError(
                f"No connection to {url.place} within {limits.connect_timeout_s:g} seconds.",
                remedy="Check that the server runs and the network leads there.",
            ) from exc

    async def _dial_each(
        self, url: Url, addresses: tuple[str, ...], tls: "ssl.SSLContext | None", slots: _Slots
    ) -> Connection:
        """Try the addresses in turn, giving each its share of the time."""
        reason: OSError | None = None
        share = max(self._limits.connect_timeout_s / len(addresses), 0.25)
        for address in addresses:
            connection = Connection(
                place=url.place, limits=self._limits, on_lost=lambda lost: self._lost(lost, slots)
            )
            try:
                async with asyncio.timeout(share if address != addresses[-1] else None):
                    await dial(connection, address, url.port, tls=tls, server_name=url.host)
            except OSError as exc:  # a TimeoutError is one too
                connection.abort()
                reason = exc
            else:
                self._connections.add(connection)
                return connection
        raise UpstreamConnectionError(
            f"No connection to {url.place}: {_why(reason)}.",
            remedy="Check that the server runs and the address is right.",
        ) from reason

    def _lost(self, connection: Connection, slots: _Slots) -> None:
        if connection not in self._connections:
            return  # it was never given to anybody; whoever dialled it gives the place back
        self._connections.discard(connection)
        with contextlib.suppress(ValueError):
            slots.idle.remove(connection)
        self._free(slots)

    def _free(self, slots: _Slots) -> None:
        """One connection fewer: its place goes to whoever waits."""
        if _hand_on(slots, None):
            return
        slots.open -= 1
        if slots.open == 0 and self._slots.get(slots.key) is slots:
            del self._slots[slots.key]

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(self._limits.keepalive_s, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        now = self._clock.monotonic()
        kept = False
        for slots in list(self._slots.values()):
            for connection in list(slots.idle):
                if now - connection.idle_since >= self._limits.keepalive_s:
                    connection.abort()
                else:
                    kept = True
        if kept:
            self._sweep_later()


def _hand_on(slots: _Slots, connection: Connection | None) -> bool:
    while slots.waiters:
        waiter = slots.waiters.popleft()
        if not waiter.done():
            waiter.set_result(connection)
            return True
    return False


def _closed() -> UpstreamConnectionError:
    return UpstreamConnectionError("The client was closed.", remedy="Keep it open as long as requests run.")


def _why(reason: OSError | None) -> str:
    """What an error of the system says, without anything that the other side could have put there."""
    verify = getattr(reason, "verify_message", None)
    if isinstance(verify, str):
        return f"its certificate is not trusted ({verify})"
    handshake = getattr(reason, "reason", None)
    if isinstance(handshake, str):
        return f"the TLS handshake failed ({handshake})"
    if isinstance(reason, TimeoutError):
        return "it does not answer"
    if reason is not None and reason.errno:
        return os.strerror(reason.errno).lower()
    return "it closed at once"
