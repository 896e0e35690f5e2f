"""The few words of ASGI that the gateway speaks, typed."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from typing import Any, TypeAlias, cast

from interlock_api._refusals import CodingError, TooLargeError
from interlock_core.errors import InvalidRequestError, ProtocolError

Scope: TypeAlias = MutableMapping[str, Any]
"""An ASGI connection scope."""

Message: TypeAlias = MutableMapping[str, Any]
"""An ASGI event."""

Receive: TypeAlias = Callable[[], Awaitable[Message]]
"""Gives the next event from the client."""

Send: TypeAlias = Callable[[Message], Awaitable[None]]
"""Sends an event to the client."""

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application."""

CANCELS = "interlock.cancels"
"""Extension of the scope: the server cancels the application's task when its client leaves."""

_UNSAFE = re.compile(r"[^\x20-\x7e]")


class Disconnected(Exception):  # noqa: N818 - not an error: the client left
    """The client left before it was answered."""


class Request:
    """One request of a client.

    Args:
        scope: Its ASGI scope.
        receive: Gives its events.
        largest: Largest body in bytes.

    Attributes:
        address: The client's network address; empty where it is not known.
        method: Such as `POST`.
        path: Decoded.
        receive: Gives its events.
    """

    __slots__ = ("_cancels", "_largest", "_scope", "_values", "address", "method", "path", "receive")

    def __init__(self, scope: Scope, receive: Receive, *, largest: int) -> None:
        self.method = cast("str", scope["method"])
        self.path = cast("str", scope["path"])
        client = cast("tuple[str, int] | None", scope.get("client"))
        self.address = "" if client is None else client[0]
        self._values: dict[bytes, list[bytes]] = {}
        for name, value in cast("list[tuple[bytes, bytes]]", scope["headers"]):
            self._values.setdefault(name, []).append(value)
        self._cancels = CANCELS in cast("dict[str, object]", scope.get("extensions") or {})
        self._scope = scope
        self.receive = receive
        self._largest = largest

    def header(self, name: str) -> str | None:
        """The first value of a header; its name is given in lower case."""
        found = self._values.get(name.encode())
        return found[0].decode("latin-1") if found else None

    def all(self, name: str) -> list[str]:
        """Every value of a header; its name is given in lower case."""
        return [value.decode("latin-1") for value in self._values.get(name.encode(), ())]

    async def body(self, *, most: int | None = None) -> bytes:
        """The whole body.

        Args:
            most: Most bytes that are taken, where that is less than the server takes.

        Raises:
            CodingError: It is compressed.
            TooLargeError: It is larger than allowed.
            Disconnected: The client left while sending it.
        """
        coding = self.header("content-encoding")
        if coding is not None and coding.strip().lower() not in {"", "identity"}:
            raise CodingError(
                "A compressed body is not taken.", field="content-encoding", remedy="Send it as it is."
            )
        largest = self._largest if most is None else min(most, self._largest)
        declared = self.header("content-length")
        if declared is not None and declared.isdecimal() and int(declared) > largest:
            raise _too_large(largest)
        pieces: list[bytes] = []
        size = 0
        while True:
            event = await self.receive()
            if event["type"] == "http.disconnect":
                raise Disconnected
            piece = cast("bytes", event.get("body", b""))
            size += len(piece)
            if size > largest:
                raise _too_large(largest)
            pieces.append(piece)
            if not event.get("more_body"):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def hand_to(self, work: Callable[[Scope], Awaitable[None]]) -> None:
        """Let another application answer, which reads the body and notices when the client leaves."""
        await work(self._scope)

    async def while_connected(self, work: Coroutine[None, None, None]) -> None:
        """Work for this client, whose body was read, for as long as it stays; then the work is cancelled.

        Raises:
            Disconnected: The client left first; the work was cancelled and has ended.
        """
        if self._cancels:
            await work
            return
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._left())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Disconnected
            working.result()
        finally:
            for task in (working, leaving):
                task.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def _left(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass


class Response:
    """Sends one answer, whole or piece by piece.

    Args:
        send: Sends events.

    Attributes:
        started: Status and headers are sent.
    """

    __slots__ = ("_noted", "_send", "started")

    def __init__(self, send: Send) -> None:
        self._noted: list[tuple[str, str]] = []
        self._send = send
        self.started = False

    def note(self, name: str, value: str) -> None:
        """Have a header stand in the answer, whatever it will be."""
        self._noted.append((name, value))

    async def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Send status and headers, once."""
        if self.started:
            raise ProtocolError("An answer was begun twice.")
        self.started = True
        encoded = [(name.encode("ascii"), _safe(value)) for name, value in (*self._noted, *headers)]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def piece(self, body: bytes) -> None:
        """Send the next bytes."""
        if body:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes = b"") -> None:
        """Send the last bytes."""
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def pass_on(self, message: Message) -> None:
        """Send an event of another application."""
        self.started = self.started or message["type"] == "http.response.start"
        await self._send(message)

    async def whole(
        self, status: int, body: bytes, *, content_type: str, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Send a whole answer."""
        await self.start(
            status, [("content-type", content_type), ("content-length", str(len(body))), *headers]
        )
        await self.end(body)


def _too_large(largest: int) -> InvalidRequestError:
    return TooLargeError(
        f"The body is larger than {largest:,} bytes.",
        field="body",
        remedy="Send less; max_body_bytes in [server] bounds what models are sent.",
    )


def _safe(value: str) -> bytes:
    """A header's value; what none may hold becomes a question mark."""
    plain = value.isascii() and value.isprintable()
    return (value if plain else _UNSAFE.sub("?", value)).encode("ascii")
