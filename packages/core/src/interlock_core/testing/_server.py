"""A small HTTP/1.1 server on loopback, so that clients are tested over a real socket.

The server shares no code with `interlock_core.http`, so that the two can disagree.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from interlock_core.http import Egress, HttpClient, HttpLimits
from interlock_core.jsontypes import Json, dump_json, parse_json
from interlock_core.toolspec import HttpRequest

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """A request as the server read it.

    Attributes:
        method: As sent.
        target: Path and query as sent.
        headers: As sent, in order.
        body: The whole body.
        connection: Number of the connection, from 1, so that reuse can be seen.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    connection: int = 1

    @property
    def path(self) -> str:
        """The target without its query, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The decoded pairs of the query, empty values kept."""
        return tuple(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """The first value of a header, its name compared without case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Json:
        """The body as JSON.

        Raises:
            ValueError: It is none.
        """
        return parse_json(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server sends.

    Attributes:
        status: HTTP status.
        headers: Headers beside the length or transfer coding, which are added.
        body: The bytes, or pieces of them, sent as chunks as they come.
        raw: The body is everything that goes on the wire, status line included; then the connection closes.
        close: Say `connection: close` and do so.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Iterable[bytes] | AsyncIterable[bytes] = field(default=b"", repr=False)
    raw: bool = False
    close: bool = False


Handler: TypeAlias = Callable[[ReceivedRequest], "Answer | Awaitable[Answer]"]
"""Turns a request into an answer."""


def json_answer(value: Json, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer of JSON."""
    kind = ("content-type", "application/json")
    return Answer(status=status, headers=(kind, *headers), body=dump_json(value).encode())


def sse_answer(
    events: Iterable[str] | AsyncIterable[str], *, headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """An answer of server-sent events: each text becomes one `data:` event, sent as it comes."""
    kind = ("content-type", "text/event-stream")
    return Answer(headers=(kind, *headers), body=_as_events(events))


async def _as_events(events: Iterable[str] | AsyncIterable[str]) -> AsyncIterable[bytes]:
    async for event in _each(events):
        yield b"".join(b"data: %s\n" % line.encode() for line in event.split("\n")) + b"\n"


def echo(request: ReceivedRequest) -> Answer:
    """Answer with what was received: method, target, headers and body (as text), in JSON."""
    return json_answer(
        {
            "method": request.method,
            "target": request.target,
            "headers": [[name, value] for name, value in request.headers],
            "body": request.body.decode("utf-8", "replace"),
            "connection": request.connection,
        }
    )


class _Reader(asyncio.StreamReader):
    """A reader that tells when its client is gone, while nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.gone.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.gone.set()


class LoopbackServer:
    """A server for the length of an `async with`.

    Args:
        handler: Makes the answers, `echo` unless given; a plain or an async function.
        host: `127.0.0.1` or `::1`.
        tls: Context of the server's side, for https.

    Attributes:
        requests: Every request, in order.
        connections: How many connections were accepted.
        port: The port, chosen by the system.
        client_left: Set when a client closed its connection while an answer was being made or sent.
    """

    def __init__(
        self, handler: Handler = echo, *, host: str = "127.0.0.1", tls: "ssl.SSLContext | None" = None
    ) -> None:
        self.handler = handler
        self.requests: list[ReceivedRequest] = []
        self.connections = 0
        self.port = 0
        self.client_left = asyncio.Event()
        self._host = host
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Event()
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """The origin, such as `http://127.0.0.1:41234`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def request(self, path: str = "/", *, method: str = "GET", body: bytes | None = None) -> HttpRequest:
        """A request to this server."""
        return HttpRequest(method=method, url=self.url + path, body=body)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds that requests and connections decide, such as `server.requests`."""
        while not condition():
            await self._changed.wait()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, self._host, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        for task, writer in list(self._open.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    def drop_connections(self) -> None:
        """Cut every open connection at once, as a crash or a middlebox would."""
        for writer in self._open.values():
            writer.transport.abort()

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = _Reader()

        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer)

        return asyncio.StreamReaderProtocol(reader, connected)

    async def _serve(self, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        self._note()
        try:
            while (request := await _read_request(reader, number)) is not None:
                self.requests.append(request)
                self._note()
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            self.client_left.set()
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, TimeoutError, asyncio.CancelledError):
                await writer.wait_closed()
            del self._open[task]
            self._note()

    def _note(self) -> None:
        """Wake everybody who waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _answer(self, request: ReceivedRequest, reader: _Reader, writer: asyncio.StreamWriter) -> bool:
        """Make and send one answer, and stop both when the client leaves; True to keep the connection."""
        answering = asyncio.ensure_future(self._respond(request, writer))
        watching = asyncio.ensure_future(reader.gone.wait())
        try:
            await asyncio.wait((answering, watching), return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                return answering.result()
            self.client_left.set()
            return False
        finally:
            for task in (answering, watching):
                task.cancel()
            await asyncio.gather(answering, watching, return_exceptions=True)

    async def _respond(self, request: ReceivedRequest, writer: asyncio.StreamWriter) -> bool:
        made = self.handler(request)
        answer = await made if inspect.isawaitable(made) else made
        if answer.raw:
            async for piece in _pieces(answer.body):
                writer.write(piece)
                await writer.drain()
            return False
        await _send(answer, writer, head_only=request.method == "HEAD")
        return not answer.close and (request.header("connection") or "").lower() != "close"


def client_for(*servers: LoopbackServer, limits: HttpLimits | None = None) -> HttpClient:
    """A client that may reach these servers."""
    return HttpClient(egress=Egress(allowed_origins=[server.url for server in servers]), limits=limits)


@asynccontextmanager
async def raw_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncGenerator[str, None]:
    """The origin of a server whose connections a function serves byte by byte; then they are closed."""
    finished: list[asyncio.Event] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = asyncio.Event()
        finished.append(mine)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        mine.set()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for event in finished:
            await event.wait()


async def _send(answer: Answer, writer: asyncio.StreamWriter, *, head_only: bool) -> None:
    lines = [f"HTTP/1.1 {answer.status} Answer", *(f"{name}: {value}" for name, value in answer.headers)]
    whole = answer.body if isinstance(answer.body, bytes) else None
    bare = answer.status in {204, 304} or answer.status < 200
    if not bare:
        lines.append("transfer-encoding: chunked" if whole is None else f"content-length: {len(whole)}")
    if answer.close:
        lines.append("connection: close")
    writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
    if head_only or bare:
        await writer.drain()
        return
    if whole is not None:
        writer.write(whole)
    else:
        async for piece in _pieces(answer.body):
            if piece:
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _read_request(reader: asyncio.StreamReader, connection: int) -> ReceivedRequest | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as exc:
        if not exc.partial:
            return None
        raise
    first, *rest = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in rest))
    fields = {name.lower(): value for name, value in headers}
    if fields.get("transfer-encoding") == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(fields.get("content-length", "0")))
    return ReceivedRequest(method=method, target=target, headers=headers, body=body, connection=connection)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body


def _pieces(body: bytes | Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    return _each((body,)) if isinstance(body, bytes) else _each(body)


async def _each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
