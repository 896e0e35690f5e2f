"""One connection of a client: HTTP/1.1 read by llhttp, held to limits in bytes and seconds.

The rules, in this order:

1. A head is refused (400, 414, 431, 505) as soon as it breaks the grammar or a limit, whoever sends it.
2. A request whose end is in doubt (two lengths, a length and a transfer coding, a broken chunk) is refused,
   and nothing after it is read.
3. Answers go out in the order of the requests. One request is worked on at a time.
4. A client that sends or reads too slowly, or leaves, is let go, and what was done for it is cancelled.
5. A connection on which something was refused, or a body is still to come, is closed after the answer.

Not covered here: the size of a body, which is the application's rule, and TLS, which a proxy in front does.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast
from urllib.parse import unquote

import httptools

from interlock_api._asgi import CANCELS, Scope
from interlock_api._exchange import Exchange
from interlock_api._refusals import (
    HeadTooLargeError,
    MalformedError,
    TargetTooLongError,
    TooManyConnectionsError,
    TooSlowError,
    VersionError,
)
from interlock_core.errors import InterlockError

_HIGH_WATER = 64 * 1024
_ASGI = {"version": "3.0", "spec_version": "2.4"}
_FOREVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """What a client may send, and how long it may take.

    Attributes:
        connections: Most clients at a time.
        head_bytes: Most bytes of a request line with its headers.
        headers: Most headers.
        target_bytes: Most bytes of path and query.
        pipelined: Most requests that wait behind the one that is worked on.
        head_s: Seconds for a whole head.
        body_s: Seconds in which at least `body_bytes` of a body, or its end, must come.
        body_bytes: See `body_s`.
        idle_s: Seconds that a connection may be open without a request.
        write_s: Seconds in which a client must read some of what waits for it.
        linger_s: Seconds in which a client that was refused may still send, so that it sees the answer.
    """

    connections: int = 10_000
    head_bytes: int = 64 * 1024
    headers: int = 128
    target_bytes: int = 8 * 1024
    pipelined: int = 16
    head_s: float = 10.0
    body_s: float = 20.0
    body_bytes: int = 16 * 1024
    idle_s: float = 75.0
    write_s: float = 60.0
    linger_s: float = 2.0


class Host(Protocol):
    """The server that a connection belongs to."""

    @property
    def limits(self) -> WireLimits:
        """What a client may do."""
        ...

    @property
    def date(self) -> bytes:
        """The header `date`, with its line end."""
        ...

    def begin(self, exchange: Exchange) -> None:
        """Set the application to work."""
        ...

    def joined(self, connection: "Connection") -> bool:
        """Note a new connection; False when there are too many."""
        ...

    def left(self, connection: "Connection") -> None:
        """Note that a connection is gone."""
        ...

    def refusal(self, error: InterlockError, target: bytes) -> bytes:
        """A whole answer, head included, that refuses a request and closes.

        Args:
            error: Why.
            target: What was read of the path and query; empty where nothing was.
        """
        ...


class _Broken(Exception):  # noqa: N818 - ends the parser's work; the typed error stands beside it
    """A callback refused what the parser gave it."""


class Connection(asyncio.Protocol):
    """One connection.

    Args:
        host: The server.
        clock: Tells the time in seconds, as the event loop does.

    Attributes:
        deadline: The time after which `expire` must be called.
    """

    __slots__ = (
        *("_client", "_clock", "_closing", "_current", "_fault", "_headers", "_host", "_hosts", "_in_head"),
        *("_paused", "_parser", "_queue", "_raw_head", "_reading", "_replaying", "_server", "_size"),
        *("_target", "_transport", "_unsent", "_window", "_writable", "_expects", "_coding", "deadline"),
    )

    def __init__(self, host: Host, clock: Callable[[], float]) -> None:
        self.deadline = _FOREVER
        self._host = host
        self._clock = clock
        self._parser = httptools.HttpRequestParser(self)
        self._current: Exchange | None = None
        self._reading: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._fault: InterlockError | None = None
        self._closing = False
        self._paused = False
        self._replaying = False
        self._writable: asyncio.Future[None] | None = None
        self._in_head = False
        self._raw_head = 0
        self._window = self._unsent = 0
        self._begin_head()

    @property
    def date(self) -> bytes:
        """The header `date`, with its line end."""
        return self._host.date

    # ---- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._client = _address(transport.get_extra_info("peername"))
        self._server = _address(transport.get_extra_info("sockname"))
        self.deadline = self._clock() + self._host.limits.head_s
        if not self._host.joined(self):
            self._refuse(
                TooManyConnectionsError(
                    "As many clients are connected as this server can hold.",
                    remedy="Come back in a moment.",
                    retry_after=1,
                )
            )

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._fault is not None or self._closing:
            return
        inside = self._in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[cast("int", upgrade.args[0]) :])
        except httptools.HttpParserError as error:
            self._refuse(self._fault or _malformed(str(error)))
        else:
            if inside and self._in_head:
                self._raw_head += len(data)
                if self._raw_head > self._host.limits.head_bytes:
                    self._refuse(_too_large_head())

    def eof_received(self) -> bool:
        """The client sends no more: it left, and the transport closes."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: what is done for it ends."""
        del exc
        self._closing = True
        self.deadline = _FOREVER
        if self._current is not None:
            self._current.leave()
        self._queue.clear()
        self._release()
        self._host.left(self)

    def pause_writing(self) -> None:
        """The client reads slower than it is sent to."""
        self._writable = asyncio.get_running_loop().create_future()
        self._rearm()

    def resume_writing(self) -> None:
        """It caught up."""
        self._release()
        self._rearm()

    # ---- the exchange's side

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait while the client reads slower than it is sent to."""
        if self._writable is not None:
            await asyncio.shield(self._writable)

    def consumed(self) -> None:
        """The application took what was read of the body."""
        if self._paused and not self._closing:
            self._paused = False
            self._transport.resume_reading()
            self._rearm()

    def answered(self, exchange: Exchange) -> None:
        """An answer is complete: go on with the next request, or close."""
        self._current = None
        if not exchange.arrived:
            self._reading = None
            self._close(linger=True)
        elif not exchange.keep_alive or self._closing:
            self._close(linger=False)
        elif self._queue:
            self._start(self._queue.popleft())
        elif self._fault is not None:
            self._tell(self._fault)
        else:
            self._rearm()

    # ---- the server's side

    def retire(self) -> None:
        """Take no further request: close now, or after the one that is worked on."""
        self._queue.clear()
        if self._current is not None:
            self._current.keep_alive = False
        elif not self._closing:
            self._close(linger=False)

    def abort(self) -> None:
        """End it at once."""
        self._transport.abort()

    def expire(self) -> None:
        """The deadline is over: let the client go, with a word where it is still listening."""
        limits = self._host.limits
        unsent = self._transport.get_write_buffer_size()
        if 0 < unsent < self._unsent:
            self._rearm()
        elif self._closing or self._writable is not None:
            self._transport.abort()
        elif self._reading is not None and self._window >= limits.body_bytes:
            self._rearm()
        elif self._reading is not None or self._in_head:
            self._refuse(TooSlowError("The request did not arrive in time.", remedy="Send it faster."))
        else:
            self._close(linger=False)

    # ---- the parser's side

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._replaying:
            return
        self._begin_head()
        self._in_head = True
        if self._current is None:
            self._rearm()

    def on_url(self, part: bytes) -> None:
        """More of the target came."""
        if self._replaying:
            return
        self._target += part
        self._size += len(part)
        if len(self._target) > self._host.limits.target_bytes:
            self._break(TargetTooLongError("Path and query are too long.", remedy="Shorten them."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came, or a trailer, which counts and is passed over."""
        if self._replaying:
            return
        limits = self._host.limits
        self._size += len(name) + len(value) + 4
        self._hosts += 1 if name.lower() == b"host" else 0
        if self._size > limits.head_bytes or len(self._headers) >= limits.headers:
            self._break(_too_large_head())
        if not self._in_head:
            return
        name = name.lower()
        self._headers.append((name, value))
        if name == b"expect":
            self._expects = value.lower() == b"100-continue"
        elif name == b"transfer-encoding":
            self._coding = b"several" if self._coding else value

    def on_headers_complete(self) -> None:
        """A head is complete: the application may begin."""
        if self._replaying:
            return
        scope = self._scope()
        self._in_head = False
        exchange = Exchange(
            self,
            scope,
            keep_alive=scope["http_version"] == "1.1" and self._parser.should_keep_alive(),
            expects=self._expects,
        )
        self._reading = exchange
        if self._current is None:
            self._start(exchange)
        elif len(self._queue) < self._host.limits.pipelined:
            self._queue.append(exchange)
        else:
            self._reading = None
            self._break(_malformed("too many requests wait behind one another"))

    def on_body(self, piece: bytes) -> None:
        """More of a body came."""
        exchange = self._reading
        if exchange is None or exchange.over:
            return
        exchange.feed(piece)
        self._window += len(piece)
        if exchange.waiting > _HIGH_WATER and not self._paused:
            self._paused = True
            self._transport.pause_reading()
            self._rearm()

    def on_message_complete(self) -> None:
        """A request is complete."""
        if self._parser.should_upgrade() and not self._replaying:
            return
        self._replaying = False
        exchange, self._reading = self._reading, None
        if exchange is not None:
            exchange.complete()
            self._rearm()

    # ---- inside

    def _begin_head(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._size = self._hosts = self._raw_head = 0
        self._expects = False
        self._coding = b""

    def _scope(self) -> Scope:
        version = self._parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            self._break(VersionError(f"HTTP/{version} is not spoken here.", remedy="Use HTTP/1.1."))
        if self._hosts != 1 and (self._hosts or version == "1.1"):
            self._break(_malformed("a request names its host once"))
        if self._coding and self._coding.lower() != b"chunked":
            self._break(_malformed("the only transfer coding is chunked"))
        method = self._parser.get_method().decode("ascii")
        raw, _, query = _path(self._target).partition(b"?")
        if not raw.startswith(b"/") and not (raw == b"*" and method == "OPTIONS"):
            self._break(_malformed("the target is no path"))
        path = raw.decode("ascii")
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "method": method,
            "scheme": "http",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "client": self._client,
            "server": self._server,
            "extensions": {CANCELS: {}},
        }

    def _start(self, exchange: Exchange) -> None:
        self._current = exchange
        self._rearm()
        self._host.begin(exchange)

    def _stay(self, rest: bytes) -> None:
        """Another protocol was offered: go on with this one, as a server may.

        The parser stops at such a head, so the body is read by a new one that begins with the same framing.
        """
        exchange = self._reading
        if exchange is None:
            return
        framing = [
            b"%s: %s\r\n" % (name, value)
            for name, value in exchange.scope["headers"]
            if name in {b"content-length", b"transfer-encoding"}
        ]
        self._parser = httptools.HttpRequestParser(self)
        self._replaying = True
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n" % b"".join(framing))
        if rest:
            self.data_received(rest)

    def _break(self, error: InterlockError) -> None:
        """Stop the parser; the error is told when it returns."""
        self._fault = error
        raise _Broken

    def _refuse(self, error: InterlockError) -> None:
        """Refuse what is being read, and everything after it."""
        self._fault = error
        exchange, self._reading, self._in_head = self._reading, None, False
        current = self._current
        if current is None:
            self._tell(error)
        elif exchange is not current:
            if exchange is not None:
                self._queue.remove(exchange)
        elif current.begun:
            current.keep_alive = False
        else:
            self._current = None
            current.leave()
            self._tell(error)

    def _tell(self, error: InterlockError) -> None:
        self._transport.write(self._host.refusal(error, self._target))
        self._close(linger=True)

    def _close(self, *, linger: bool) -> None:
        """Close when what was written is sent; a client that still sends must not lose its answer to that."""
        if linger and not self._closing and self._transport.can_write_eof():
            self._transport.write_eof()
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
        else:
            self._transport.close()
        self._closing = True
        self._rearm()

    def _release(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _rearm(self) -> None:
        """Set the deadline that fits what is awaited from the client now."""
        limits = self._host.limits
        self._window = 0
        self._unsent = self._transport.get_write_buffer_size()
        if self._writable is not None or (self._closing and self._unsent):
            wait = limits.write_s
        elif self._closing:
            wait = limits.linger_s
        elif self._reading is not None and not self._paused:
            wait = limits.body_s
        elif self._current is not None:
            wait = _FOREVER
        else:
            wait = limits.head_s if self._in_head else limits.idle_s
        self.deadline = self._clock() + wait


def _malformed(what: str) -> MalformedError:
    return MalformedError(f"This is no HTTP request: {what}.", remedy="Send HTTP/1.1.")


def _too_large_head() -> HeadTooLargeError:
    return HeadTooLargeError("The headers are too large or too many.", remedy="Send fewer.")


def _path(target: bytes) -> bytes:
    """Path and query of a target, which may be a whole address."""
    scheme, separator, rest = target.partition(b"://")
    if separator and scheme.lower() in {b"http", b"https"}:
        cut = min((at for mark in (b"/", b"?") if (at := rest.find(mark)) >= 0), default=len(rest))
        target = rest[cut:] if rest[cut : cut + 1] == b"/" else b"/" + rest[cut:]
    return target.partition(b"#")[0]


def _address(name: object) -> tuple[str, int] | None:
    known = cast("tuple[object, ...]", name) if isinstance(name, tuple) else ()
    match known[:2]:
        case (str(host), int(port)):
            return host, port
        case _:
            return None
