"""A small HTTP server on 127.0.0.1 with a thread and an event loop of its own."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable

from interlock_tools.testing._wire import (
    MAX_HEAD_BYTES,
    Request,
    Response,
    WireError,
    read_request,
    render_response,
)


class BackgroundServer:
    """Accepts connections on 127.0.0.1 and hands whole requests to a coroutine.

    Args:
        answer: Makes the response; when it raises `ConnectionError` the connection is closed without one.
        port: The port to listen on; 0 takes a free one.
    """

    def __init__(self, answer: Callable[[Request], Awaitable[Response]], *, port: int = 0) -> None:
        self._answer = answer
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None

    def bind(self) -> str:
        """Take the port and say the server's address; nothing is answered before `start`.

        Raises:
            OSError: The port is taken.
        """
        self._socket = socket.create_server(("127.0.0.1", self._port))
        port: int = self._socket.getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def start(self) -> None:
        """Answer requests; returns when connections are accepted. `bind` comes first."""
        self._thread = threading.Thread(target=self._run, name="background-server", daemon=True)
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Drop every connection and stop listening; a server that does not run is left as it is."""
        if self._loop is None or self._stop is None or self._thread is None or not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connection, sock=self._socket, limit=MAX_HEAD_BYTES)
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await server.wait_closed()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            while await self._exchange(reader, writer):
                pass
            writer.close()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False when the connection is to be closed."""
        try:
            request = await read_request(reader, writer)
        except WireError as error:
            refusal = Response(status=error.status, body=f"{error.reason}\n".encode())
            writer.write(render_response(refusal, close=True))
            await writer.drain()
            return False
        if request is None:
            return False
        response = await self._answer(request)
        close = request.headers.get("connection", "").lower() == "close"
        writer.write(render_response(response, close=close, head_only=request.method == "HEAD"))
        await writer.drain()
        return not close
