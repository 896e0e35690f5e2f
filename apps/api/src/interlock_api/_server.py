"""The HTTP server: accepts connections, lets go of slow ones, and stops without dropping a request."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from types import FrameType
from typing import Protocol

from interlock_api._asgi import Application
from interlock_api._connection import Connection, WireLimits
from interlock_api._exchange import Exchange, head
from interlock_core.errors import InterlockError

_logger = logging.getLogger("interlock.api")

_SWEEP_S = 0.5


class Reply(Protocol):
    """An error as it is told."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Headers, in lower case, without the length."""
        ...

    @property
    def body(self) -> bytes:
        """The body."""
        ...


class Stop:
    """Asks a server to stop: once with grace, twice at once."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.asked = asyncio.Event()
        self.forced = asyncio.Event()

    def __call__(self) -> None:
        """Ask."""
        (self.forced if self.asked.is_set() else self.asked).set()

    def at_once(self) -> None:
        """Ask for an end at once."""
        self.asked.set()
        self.forced.set()

    def on_signals(self, *numbers: signal.Signals) -> None:
        """Have signals ask."""
        for number in numbers:
            try:
                self._loop.add_signal_handler(number, self)
            except NotImplementedError:  # pragma: no cover - where the loop knows no signals
                signal.signal(number, self._from_a_signal)

    def _from_a_signal(self, number: int, frame: FrameType | None) -> None:  # pragma: no cover - as above
        self._loop.call_soon_threadsafe(self)


class HttpServer:
    """Serves one ASGI application on a listening socket.

    An application's task is cancelled when its client leaves.

    Args:
        app: The application.
        render: Says an error in the dialect of a path, which may be empty or cut off.
        limits: What clients may do.
        grace_s: Seconds that running requests are given when it stops.

    Attributes:
        limits: What clients may do.
        date: The header `date`, with its line end.
    """

    def __init__(
        self,
        app: Application,
        *,
        render: Callable[[InterlockError, str], Reply],
        limits: WireLimits | None = None,
        grace_s: float = 30.0,
    ) -> None:
        self.limits = limits or WireLimits()
        self.date = b""
        self._app = app
        self._render = render
        self._grace_s = grace_s
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._deserted = asyncio.Event()
        self._deserted.set()

    async def serve(self, listener: socket.socket, stop: Stop) -> bool:
        """Serve until asked to stop; then finish what runs, within the time of grace.

        Args:
            listener: Bound, and listening; closed at the end.
            stop: Says when.

        Returns:
            Whether it was not made to stop at once.
        """
        loop = asyncio.get_running_loop()
        self._tell_date()
        server = await loop.create_server(lambda: Connection(self, loop.time), sock=listener)
        sweeping = loop.create_task(self._sweep(loop))
        try:
            await stop.asked.wait()
        finally:
            server.close()
            await self._finish(stop)
            sweeping.cancel()
            await asyncio.wait([sweeping])
        return not stop.forced.is_set()

    # ---- the connections' side

    def begin(self, exchange: Exchange) -> None:
        """Set the application to work on a request."""
        task = asyncio.get_running_loop().create_task(self._work(exchange))
        exchange.task = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def joined(self, connection: Connection) -> bool:
        """Note a new connection; False when there are too many."""
        self._connections.add(connection)
        self._deserted.clear()
        return len(self._connections) <= self.limits.connections

    def left(self, connection: Connection) -> None:
        """Note that a connection is gone."""
        self._connections.discard(connection)
        if not self._connections:
            self._deserted.set()

    def refusal(self, error: InterlockError, target: bytes) -> bytes:
        """A whole answer, head included, that refuses a request and closes.

        Args:
            error: Why.
            target: What was read of the path and query; empty where nothing was.
        """
        reply = self._render(error, target.partition(b"?")[0].decode("latin-1"))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
        headers += [(b"content-length", b"%d" % len(reply.body)), (b"connection", b"close")]
        return head(reply.status, self.date, headers) + b"\r\n" + reply.body

    # ---- inside

    async def _work(self, exchange: Exchange) -> None:
        try:
            await self._app(exchange.scope, exchange.receive, exchange.send)
        except Exception:
            _logger.exception("the application failed")
        finally:
            exchange.ended()

    async def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Keep the time, and let go of the connections whose time is over."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            self._tell_date()
            now = loop.time()
            for connection in [known for known in self._connections if known.deadline <= now]:
                connection.expire()

    def _tell_date(self) -> None:
        self.date = b"date: %s\r\n" % formatdate(time.time(), usegmt=True).encode("ascii")

    async def _finish(self, stop: Stop) -> None:
        """Let running requests end, then end those that did not."""
        for connection in list(self._connections):
            connection.retire()
        await self._until_deserted(stop)
        cut = [task for task in self._tasks if not task.done()]
        for task in cut:
            task.cancel()
        if cut:
            _logger.warning("%d requests were cut off by the end of the server", len(cut))
            await asyncio.wait(cut)
        for connection in list(self._connections):
            connection.abort()

    async def _until_deserted(self, stop: Stop) -> None:
        waiting = [
            asyncio.ensure_future(self._all_gone()),
            asyncio.ensure_future(stop.forced.wait()),
        ]
        try:
            await asyncio.wait(waiting, timeout=self._grace_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)

    async def _all_gone(self) -> None:
        await self._deserted.wait()
        while self._tasks:
            await asyncio.wait(set(self._tasks))
