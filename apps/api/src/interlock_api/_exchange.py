"""One request and its answer on a connection, as an ASGI application sees them."""

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Protocol, cast

from interlock_api._asgi import Message, Scope
from interlock_core.errors import ProtocolError

_REASONS = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus
}
_BODILESS = frozenset({204, 304})


class Line(Protocol):
    """The connection below an exchange."""

    @property
    def date(self) -> bytes:
        """The header `date`, with its line end."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        ...

    async def drain(self) -> None:
        """Wait while the client reads slower than it is sent to."""
        ...

    def consumed(self) -> None:
        """The application took what was read of the body."""
        ...

    def answered(self, exchange: "Exchange") -> None:
        """The answer is complete."""
        ...

    def abort(self) -> None:
        """End the connection at once."""
        ...


def head(status: int, date: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Status line and headers of an answer, without the blank line."""
    lines = [_REASONS.get(status) or b"HTTP/1.1 %d \r\n" % status, date]
    for name, value in headers:
        lines += (name, b": ", value, b"\r\n")
    return b"".join(lines)


class Exchange:
    """One request and its answer.

    Args:
        line: The connection.
        scope: The request's ASGI scope.
        keep_alive: The client wants to go on using the connection.
        expects: The client waits for a word before it sends the body.

    Attributes:
        scope: The request's ASGI scope.
        keep_alive: The connection stays open after the answer.
        arrived: The whole request is here.
        waiting: Bytes of the body that the application did not take yet.
        begun: Something of the answer was sent.
        over: The answer is complete, or nobody waits for it any more.
        task: The application at work.
    """

    __slots__ = (
        *("_chunked", "_expects", "_head", "_left", "_line", "_pieces", "_told", "_wake"),
        *("arrived", "begun", "keep_alive", "over", "scope", "task", "waiting"),
    )

    def __init__(self, line: Line, scope: Scope, *, keep_alive: bool, expects: bool) -> None:
        self.scope = scope
        self.keep_alive = keep_alive
        self.arrived = False
        self.waiting = 0
        self.begun = False
        self.over = False
        self.task: asyncio.Task[None] | None = None
        self._line = line
        self._expects = expects
        self._pieces: list[bytes] = []
        self._told = False
        self._wake: asyncio.Future[None] | None = None
        self._head: bytes | None = None
        self._chunked = False
        self._left: int | None = None

    # ---- the connection's side

    def feed(self, piece: bytes) -> None:
        """More of the body came."""
        self._pieces.append(piece)
        self.waiting += len(piece)
        self._rouse()

    def complete(self) -> None:
        """The body is complete."""
        self.arrived = True
        self._rouse()

    def leave(self) -> None:
        """Nobody waits for the answer any more: the application is told, and cancelled."""
        if self.over:
            return
        self.over = True
        self._rouse()
        if self.task is not None:
            self.task.cancel()

    def ended(self) -> None:
        """The application is done: an answer that it did not finish ends with its connection."""
        if not self.over:
            self.over = True
            self._line.abort()

    # ---- the application's side

    async def receive(self) -> Message:
        """The next event from the client: a piece of the body, at last that it left."""
        while not self.over:
            if self._pieces or (self.arrived and not self._told):
                return self._piece()
            if self._expects and not self.arrived and not self.begun:
                self._expects = False
                self._line.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send an event to the client; nothing when it left.

        Raises:
            ProtocolError: The application breaks the order of events.
        """
        if self.over:
            return
        kind = message["type"]
        if kind == "http.response.start" and self._head is None and not self.begun:
            self._start(
                cast("int", message["status"]),
                cast("Iterable[tuple[bytes, bytes]]", message.get("headers", ())),
            )
        elif kind == "http.response.body" and (self._head is not None or self.begun):
            more = bool(message.get("more_body"))
            self._body(cast("bytes", message.get("body", b"")), more=more)
            if more:
                await self._line.drain()
        else:
            raise ProtocolError(f"The application sent {kind} out of order.")

    def _piece(self) -> Message:
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self.waiting = 0
        self._told = self.arrived
        self._line.consumed()
        return {"type": "http.request", "body": body, "more_body": not self.arrived}

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Make the head; it goes out together with what of the body comes at once."""
        known = list(headers)
        if status in _BODILESS or self.scope["method"] == "HEAD":
            self._left = 0
        else:
            told = next((value for name, value in known if name == b"content-length"), None)
            self._left = None if told is None else int(told)
            # A client of HTTP/1.0 knows no chunks: for it the body ends with the connection.
            self._chunked = told is None and self.scope["http_version"] == "1.1"
            self.keep_alive = self.keep_alive and (self._chunked or told is not None)
        if self._chunked:
            known.append((b"transfer-encoding", b"chunked"))
        if not (self.keep_alive and self.arrived):
            self.keep_alive = False
            known.append((b"connection", b"close"))
        self._head = head(status, self._line.date, known) + b"\r\n"
        if self._left is None:
            # A stream may have nothing to say for long: its client must not wait for that to know it is open.
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        """Send the head by itself, where nothing of the body went with it."""
        if self._head is not None and not self.over:
            self._line.write(self._head)
            self._head, self.begun = None, True

    def _body(self, body: bytes, *, more: bool) -> None:
        pieces: list[bytes] = []
        if self._head is not None:
            pieces.append(self._head)
            self._head, self.begun = None, True
        if self._chunked:
            if body:
                pieces += (b"%x\r\n" % len(body), body, b"\r\n")
            if not more:
                pieces.append(b"0\r\n\r\n")
        elif self.scope["method"] != "HEAD":
            self._count(len(body), more=more)
            pieces.append(body)
        if pieces:
            self._line.write(b"".join(pieces))
        if not more:
            self.over = True
            self._rouse()
            self._line.answered(self)

    def _count(self, size: int, *, more: bool) -> None:
        if self._left is None:
            return
        self._left -= size
        if self._left < 0 or (self._left and not more):
            raise ProtocolError("The application sent another number of bytes than it said.")
