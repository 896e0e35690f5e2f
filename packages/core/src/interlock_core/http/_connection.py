"""One HTTP/1.1 connection: a socket, and the one exchange that it carries at a time."""

import asyncio
import select
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from interlock_core.errors import InterlockError, ProtocolError, UpstreamConnectionError, UpstreamTimeoutError
from interlock_core.http._parser import ResponseParser
from interlock_core.http._types import Headers, HttpLimits

if TYPE_CHECKING:
    import ssl

_HIGH_WATER = 512 * 1024
_WRITE_SLICE = 256 * 1024
_SMALL = 4 * 1024


class Exchange:
    """One request's answer, as far as it has come.

    Args:
        connection: Carries it.
        most_bytes: Longest body on the wire that is kept when the answer is wanted whole; None for a
            stream, whose reader takes the pieces away.
    """

    __slots__ = (
        "_connection",
        "_most_bytes",
        "_small",
        "_waiter",
        "buffered",
        "ended",
        "error",
        "headers",
        "pieces",
        "status",
        "trailers",
    )

    def __init__(self, connection: "Connection", *, most_bytes: int | None) -> None:
        self._connection = connection
        self._most_bytes = most_bytes
        self._small = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self.status = 0
        self.headers: Headers = ()
        self.trailers: Headers = ()
        self.pieces: deque[bytes] = deque()
        self.buffered = 0
        self.ended = False
        self.error: InterlockError | None = None

    def head(self, status: int, headers: Headers) -> None:
        """Take the head."""
        self.status = status
        self.headers = headers
        if self._most_bytes is None:
            self.wake()

    def piece(self, data: bytes) -> None:
        """Take the next bytes of the body, and slow the other side down when nobody takes them away."""
        self.buffered += len(data)
        if self._most_bytes is None:
            self.pieces.append(data)
            self.wake()
            if self.buffered > _HIGH_WATER:
                self._connection.pause()
        elif self.buffered <= self._most_bytes:
            self._keep(data)
        else:
            raise ProtocolError(
                f"The answer is longer than {self._most_bytes} bytes.",
                field="max_body_bytes",
                remedy="Ask for less, or raise the limit.",
            )

    def end(self, trailers: Headers) -> None:
        """Take the end."""
        self._keep(b"")
        self.trailers = trailers
        self.ended = True
        self.wake()

    def _keep(self, data: bytes) -> None:
        """Keep bytes of a whole answer; small pieces together, or each would cost many times its length."""
        if 0 < len(data) < _SMALL:
            self._small += data
            return
        if self._small:
            self.pieces.append(bytes(self._small))
            self._small.clear()
        if data:
            self.pieces.append(data)

    def fail(self, error: InterlockError) -> None:
        """End with an error, unless it has ended."""
        if not self.ended and self.error is None:
            self.error = error
            self.wake()

    def wake(self) -> None:
        """Let whoever waits look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def until_head(self) -> None:
        """Wait for the head.

        Raises:
            InterlockError: It will not come.
        """
        while not self.status:
            await self._wait()

    async def until_end(self) -> None:
        """Wait for the whole answer.

        Raises:
            InterlockError: It will not come.
        """
        while not self.ended:
            await self._wait()

    async def next_piece(self) -> bytes:
        """The bytes of the body that have come since the last time; empty at its end.

        Raises:
            InterlockError: The rest will not come.
        """
        while not self.pieces:
            if self.ended:
                return b""
            await self._wait()
        data = self.pieces.popleft() if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self.buffered = 0
        self._connection.resume()
        return data

    async def _wait(self) -> None:
        if self.error is not None:
            raise self.error
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            self._waiter = None


class Connection(asyncio.Protocol):
    """A socket that carries one exchange after another.

    Args:
        place: Host and port, for messages.
        limits: Bounds of every exchange.
        on_lost: Called once when it can carry nothing any more.

    Attributes:
        closed: Set when the socket is closed.
        idle_since: When it became idle, for its pool.
    """

    def __init__(self, *, place: str, limits: HttpLimits, on_lost: "Callable[[Connection], None]") -> None:
        self._loop = asyncio.get_running_loop()
        self._place = place
        self._limits = limits
        self._on_lost: Callable[[Connection], None] | None = on_lost
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._parser: ResponseParser | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._read_paused = False
        self._write_paused = False
        self._writable: asyncio.Future[None] | None = None
        self.closed = asyncio.Event()
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether it is open and carries nothing."""
        return self._exchange is None and self._transport is not None and not self._transport.is_closing()

    @property
    def reusable(self) -> bool:
        """Whether it may carry another exchange after the one that just ended."""
        parser, transport = self._parser, self._transport
        if parser is None or transport is None:
            return False
        return parser.done and parser.reusable and not transport.is_closing()

    @property
    def heard(self) -> bool:
        """Whether at least one byte of the present answer came."""
        return self._parser is not None and self._parser.started

    def stale(self) -> bool:
        """Whether an idle connection has something to read: it was closed, or is out of step.

        The event loop may not have seen it yet; asking the kernel spares a request that cannot be repeated.
        """
        if self._transport is None:
            return True
        raw = cast("socket.socket | None", self._transport.get_extra_info("socket"))
        if raw is None or not hasattr(select, "poll"):
            return False
        poll = select.poll()
        poll.register(raw.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def begin(self, *, method: str, most_bytes: int | None) -> Exchange:
        """Make ready for an answer; `send` comes next."""
        exchange = Exchange(self, most_bytes=most_bytes)
        self._parser = ResponseParser(exchange, method=method, max_header_bytes=self._limits.max_header_bytes)
        self._exchange = exchange
        self._heard_at = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._limits.read_timeout_s, self._look_at_clock)
        return exchange

    async def send(self, head: bytes, body: bytes | None) -> bool:
        """Write a request; False when the connection had closed before its first byte.

        An answer that comes before the whole body was sent ends the sending, and the connection with it.
        """
        transport, exchange = self._transport, self._exchange
        if transport is None or exchange is None or transport.is_closing():
            return False
        if body is None or len(body) <= _WRITE_SLICE:
            transport.write(head + body if body else head)
            return True
        transport.write(head)
        view = memoryview(body)
        for start in range(0, len(view), _WRITE_SLICE):
            if self._write_paused:
                await self._until_writable()
            if exchange.status or exchange.error is not None or transport.is_closing():
                self._spoil()
                break
            transport.write(view[start : start + _WRITE_SLICE])
            self._heard_at = self._loop.time()
        return True

    def finish(self) -> None:
        """Forget the exchange that ended; the connection is idle now."""
        self._exchange = None
        self.resume()

    def fail(self, error: InterlockError) -> None:
        """End the present exchange with an error and close the socket at once."""
        if self._exchange is not None:
            self._exchange.fail(error)
        self.abort()

    def abort(self) -> None:
        """Close the socket at once, without waiting for anything to be sent."""
        if self._transport is not None:
            self._transport.abort()
        self._lost()

    def pause(self) -> None:
        """Stop reading, so that the other side must wait."""
        if not self._read_paused and self._transport is not None and not self._transport.is_closing():
            self._read_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on; the time of the pause is not held against the other side."""
        if self._read_paused and self._transport is not None:
            self._read_paused = False
            self._heard_at = self._loop.time()
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket; streams may be silent for minutes, so the kernel is asked to probe it."""
        self._transport = cast("asyncio.Transport", transport)
        raw = cast("socket.socket | None", transport.get_extra_info("socket"))
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the parser; bytes that nobody asked for close the socket."""
        parser, exchange = self._parser, self._exchange
        if parser is None or exchange is None:
            self.abort()
            return
        self._heard_at = self._loop.time()
        try:
            parser.feed(data)
        except ProtocolError as error:
            self.fail(self._placed(error))
            return
        if parser.done and self._writable is not None:
            self._wake_writer()

    def eof_received(self) -> bool:
        """The other side sends no more: an answer without a length ends here. The socket is closed."""
        self._at_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        exchange, parser = self._exchange, self._parser
        if exchange is not None and not exchange.ended and parser is not None:
            if exc is None:
                self._at_eof()
            elif parser.started:
                exchange.fail(_connection_error(self._place, "broke in the middle of the answer"))
            else:
                exchange.fail(_connection_error(self._place, "broke before an answer came"))
        if parser is not None:
            parser.reusable = False
        self._wake_writer()
        self._lost()
        self.closed.set()

    def pause_writing(self) -> None:
        """The socket's buffer is full."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """The socket's buffer has room."""
        self._write_paused = False
        self._wake_writer()

    def _at_eof(self) -> None:
        exchange, parser = self._exchange, self._parser
        if exchange is None or parser is None or exchange.ended:
            return
        if not parser.started:
            exchange.fail(_connection_error(self._place, "was closed before an answer came"))
            return
        try:
            parser.feed_eof()
        except ProtocolError as error:
            exchange.fail(self._placed(error))

    def _placed(self, error: ProtocolError) -> ProtocolError:
        placed = ProtocolError(f"{self._place}: {error.message}", field=error.field, remedy=error.remedy)
        placed.__cause__ = error
        return placed

    def _spoil(self) -> None:
        """The request was not sent to its end, so no other may follow on this connection."""
        if self._parser is not None:
            self._parser.reusable = False
        if self._exchange is not None and not self._exchange.status:
            self._exchange.fail(_connection_error(self._place, "was closed while the request was sent"))

    async def _until_writable(self) -> None:
        self._writable = self._loop.create_future()
        try:
            await self._writable
        finally:
            self._writable = None

    def _wake_writer(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _look_at_clock(self) -> None:
        """One lazy timer a connection: it looks, and sets itself anew when there is time left."""
        self._timer = None
        if self._exchange is None:
            return
        now = self._loop.time()
        due = self._heard_at + self._limits.read_timeout_s
        if self._read_paused:
            due = now + self._limits.read_timeout_s
        if now < due:
            self._timer = self._loop.call_at(due, self._look_at_clock)
            return
        self.fail(
            UpstreamTimeoutError(
                f"{self._place} said nothing for {self._limits.read_timeout_s:g} seconds.",
                remedy="Try again, or allow more time.",
            )
        )

    def _lost(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost(self)


async def dial(
    connection: Connection,
    address: str,
    port: int,
    *,
    tls: "ssl.SSLContext | None",
    server_name: str,
) -> None:
    """Connect to one checked address.

    Raises:
        OSError: No connection could be made, or the TLS handshake failed.
    """
    loop = asyncio.get_running_loop()
    if tls is None:
        await loop.create_connection(lambda: connection, address, port)
    else:
        await loop.create_connection(lambda: connection, address, port, ssl=tls, server_hostname=server_name)


def _connection_error(place: str, how: str) -> UpstreamConnectionError:
    return UpstreamConnectionError(f"The connection to {place} {how}.", remedy="Try again.")
