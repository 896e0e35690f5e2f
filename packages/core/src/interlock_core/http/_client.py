"""The one client with which Interlock speaks HTTP to the outside.

HTTP/1.1 over pooled connections, with TLS verified. It follows no redirects, keeps no cookies, speaks to
no proxy and reads no environment: what is dialled is what its `Egress` allows and nothing else. Proxies
are not supported; a network that demands one needs an origin that forwards, allowed by the operator.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Self

from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import ProtocolError, UpstreamConnectionError, UpstreamTimeoutError
from interlock_core.http._connection import Connection, Exchange
from interlock_core.http._content import Decoder, coding_of
from interlock_core.http._egress import Egress
from interlock_core.http._pool import Pool
from interlock_core.http._request import is_idempotent, render_head
from interlock_core.http._types import Headers, HttpLimits, HttpResponse, find_header
from interlock_core.http._url import Url, split_url
from interlock_core.toolspec import HttpRequest

if TYPE_CHECKING:
    import ssl

_UNPACKED = frozenset({"content-encoding", "content-length"})


class HttpStream:
    """An answer whose body is read as it comes. It is made by `HttpClient.stream` alone.

    Iterating yields decompressed bytes as they arrive, at most once. Reading slowly slows the other
    side down. There is no bound on the whole length, only on what is held at a time.

    Attributes:
        status: HTTP status, 200 to 599.
        headers: As they came; without content-encoding and content-length when the body is decompressed.
    """

    def __init__(self, exchange: Exchange, place: str) -> None:
        coding = _placed_coding(exchange, place)
        self.status = exchange.status
        self.headers = _without_packing(exchange.headers) if coding else exchange.headers
        self._exchange = exchange
        self._decoder = Decoder(coding) if coding else None

    @property
    def ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status < 300

    @property
    def trailers(self) -> Headers:
        """Headers that came after the body; empty before its end."""
        return self._exchange.trailers

    def header(self, name: str) -> str | None:
        """The first value of a header, its name compared without case."""
        return find_header(self.headers, name)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self._exchange.next_piece():
            if self._decoder is None:
                yield data
                continue
            for piece in self._decoder.feed(data):
                yield piece
        if self._decoder is not None:
            self._decoder.finish()

    async def read(self, limit: int) -> bytes:
        """The rest of the body.

        Args:
            limit: Most bytes, after decompression.

        Raises:
            ProtocolError: It is longer; nothing is given back.
            UpstreamError: The rest does not come.
        """
        pieces: list[bytes] = []
        size = 0
        async for piece in self:
            size += len(piece)
            if size > limit:
                raise _too_long(limit)
            pieces.append(piece)
        return b"".join(pieces)


class HttpClient:
    """Sends requests. One client serves one event loop for as long as the process runs.

    Args:
        egress: Where requests may go; public addresses only unless given.
        limits: Bounds of every request.
        user_agent: Sent when a request names none.
        clock: Tells how long connections have been idle.
        tls: Context for https; the system's certificates, verified, unless given.
    """

    def __init__(
        self,
        *,
        egress: Egress | None = None,
        limits: HttpLimits | None = None,
        user_agent: str = "interlock/0.1",
        clock: Clock | None = None,
        tls: "ssl.SSLContext | None" = None,
    ) -> None:
        self._limits = limits or HttpLimits()
        self._user_agent = user_agent
        self._tls = tls
        self._pool = Pool(
            egress=egress or Egress(), limits=self._limits, clock=clock or SystemClock(), tls=self._context
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def send(
        self,
        request: HttpRequest,
        *,
        timeout_s: float | None = None,
        max_body_bytes: int | None = None,
    ) -> HttpResponse:
        """Send a request and read the whole answer, whatever its status.

        Args:
            request: What to send; framing headers are added.
            timeout_s: Seconds for everything; the limits' total unless given.
            max_body_bytes: Longest body, before and after decompression; the limits' unless given.

        Raises:
            EgressRefusedError: The address is not allowed; nothing was sent.
            InvalidRequestError: The request cannot go on the wire; nothing was sent.
            UpstreamConnectionError: No connection, or it broke.
            UpstreamTimeoutError: Too slow.
            ProtocolError: The answer breaks HTTP, or a limit.
        """
        url = split_url(request.url)
        limit = self._limits.max_body_bytes if max_body_bytes is None else max_body_bytes
        head = render_head(request, url, user_agent=self._user_agent, accept_encoding="gzip, deflate")
        deadline = self._deadline(timeout_s)
        connection, exchange, timer = await self._start(request, url, head, limit, deadline)
        if timer is not None:
            timer.cancel()
        self._pool.give(connection, url)
        return _whole(exchange, limit, url.place)

    def stream(
        self, request: HttpRequest, *, timeout_s: float | None = None
    ) -> AbstractAsyncContextManager[HttpStream]:
        """Send a request and read the answer as it comes.

        Leaving the context before the end of the body closes the connection at once. Compression is not
        asked for, because it would hold events back; an answer that is compressed all the same is unpacked.

        Args:
            request: What to send; framing headers are added.
            timeout_s: Seconds for everything, the body included; the limits' total unless given.

        Raises:
            EgressRefusedError: The address is not allowed; nothing was sent.
            InvalidRequestError: The request cannot go on the wire; nothing was sent.
            UpstreamConnectionError: No connection, or it broke.
            UpstreamTimeoutError: Too slow.
            ProtocolError: The answer breaks HTTP, or a limit.
        """
        return self._stream(request, timeout_s)

    async def aclose(self) -> None:
        """Close every connection; requests under way fail. Closing twice does nothing."""
        await self._pool.aclose()

    @asynccontextmanager
    async def _stream(
        self, request: HttpRequest, timeout_s: float | None
    ) -> AsyncGenerator[HttpStream, None]:
        url = split_url(request.url)
        head = render_head(request, url, user_agent=self._user_agent, accept_encoding="identity")
        deadline = self._deadline(timeout_s)
        connection, exchange, timer = await self._start(request, url, head, None, deadline)
        try:
            yield HttpStream(exchange, url.place)
        finally:
            if timer is not None:
                timer.cancel()
            if exchange.ended:
                self._pool.give(connection, url)
            else:
                connection.abort()

    async def _start(
        self, request: HttpRequest, url: Url, head: bytes, most_bytes: int | None, deadline: float | None
    ) -> tuple[Connection, Exchange, asyncio.TimerHandle | None]:
        """Send, and wait for the whole answer, or for the head of a stream (no `most_bytes`).

        A kept connection may have been closed by the other side just now. Then the request goes once more,
        on a fresh connection, when nothing was sent, or when nothing came back and it may be repeated.
        """
        fresh = False
        while True:
            connection, reused = await self._take(url, deadline, fresh=fresh)
            timer = self._set_timer(connection, url, deadline)
            exchange = connection.begin(method=request.method, most_bytes=most_bytes)
            try:
                if await connection.send(head, request.body):
                    await (exchange.until_head() if most_bytes is None else exchange.until_end())
                    return connection, exchange, timer
                repeat = reused
            except UpstreamConnectionError:
                _give_up(connection, timer)
                repeat = reused and not connection.heard and is_idempotent(request.method)
                if not repeat:
                    raise
            except BaseException:
                _give_up(connection, timer)
                raise
            else:
                _give_up(connection, timer)
            if not repeat:
                raise UpstreamConnectionError(
                    f"The connection to {url.place} closed as it was made.", remedy="Try again."
                )
            fresh = True

    async def _take(self, url: Url, deadline: float | None, *, fresh: bool) -> tuple[Connection, bool]:
        if deadline is None:
            return await self._pool.take(url, fresh=fresh)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._pool.take(url, fresh=fresh)
        except TimeoutError as exc:
            raise _too_slow(url) from exc

    def _deadline(self, timeout_s: float | None) -> float | None:
        seconds = self._limits.total_timeout_s if timeout_s is None else timeout_s
        return None if seconds is None else asyncio.get_running_loop().time() + seconds

    def _set_timer(
        self, connection: Connection, url: Url, deadline: float | None
    ) -> asyncio.TimerHandle | None:
        if deadline is None:
            return None
        return asyncio.get_running_loop().call_at(deadline, lambda: connection.fail(_too_slow(url)))

    def _context(self) -> "ssl.SSLContext":
        if self._tls is None:
            import ssl

            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _give_up(connection: Connection, timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
    connection.abort()


def _whole(exchange: Exchange, limit: int, place: str) -> HttpResponse:
    coding = _placed_coding(exchange, place)
    body = exchange.pieces[0] if len(exchange.pieces) == 1 else b"".join(exchange.pieces)
    if coding is None or not body:
        return HttpResponse(exchange.status, exchange.headers, body)
    decoder = Decoder(coding)
    pieces: list[bytes] = []
    size = 0
    for piece in decoder.feed(body):
        size += len(piece)
        if size > limit:
            raise _too_long(limit)
        pieces.append(piece)
    decoder.finish()
    return HttpResponse(exchange.status, _without_packing(exchange.headers), b"".join(pieces))


def _placed_coding(exchange: Exchange, place: str) -> str | None:
    try:
        return coding_of(find_header(exchange.headers, "content-encoding"))
    except ProtocolError as error:
        raise ProtocolError(f"{place}: {error.message}", field=error.field, remedy=error.remedy) from error


def _without_packing(headers: Headers) -> Headers:
    return tuple((name, value) for name, value in headers if name.lower() not in _UNPACKED)


def _too_long(limit: int) -> ProtocolError:
    return ProtocolError(
        f"The answer is longer than {limit} bytes.",
        field="max_body_bytes",
        remedy="Ask for less, or raise the limit.",
    )


def _too_slow(url: Url) -> UpstreamTimeoutError:
    return UpstreamTimeoutError(
        f"{url.place} did not answer in the time allowed.", remedy="Try again, or allow more time."
    )
