"""A load generator: clients in a closed loop over connections that stay open, each on raw bytes."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from typing import cast

END_OF_STREAM = b"0\r\n\r\n"


@dataclass(slots=True)
class Load:
    """What came of it.

    Attributes:
        seconds: How long it went on.
        latencies: Seconds to the end of each answer.
        firsts: Seconds to the first bytes of each answer's body.
        failures: Answers that were no 200.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list[float])
    firsts: list[float] = field(default_factory=list[float])
    failures: int = 0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def p50_ms(self) -> float:
        """Median milliseconds to the end of an answer."""
        return statistics.median(self.latencies) * 1000

    def first_p50_ms(self) -> float:
        """Median milliseconds to the first bytes of an answer's body."""
        return statistics.median(self.firsts) * 1000


class _Client(asyncio.Protocol):
    """One connection: sends the request again as soon as its answer is complete."""

    def __init__(self, request: bytes, load: Load, until: float, done: asyncio.Future[None]) -> None:
        self._request = request
        self._load = load
        self._until = until
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._sent = 0.0
        self._first = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        self._buffer, self._first = b"", 0.0
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        if not self._first and len(self._buffer) > head + 4:
            self._first = time.perf_counter()
        length = self._buffer[:head].lower().partition(b"content-length:")[2]
        if length:
            complete = len(self._buffer) >= head + 4 + int(length.split(b"\r\n", 1)[0])
        else:
            complete = self._buffer.endswith(END_OF_STREAM)
        if complete:
            self._note()

    def _note(self) -> None:
        assert self._transport is not None
        now = time.perf_counter()
        if not self._buffer.startswith(b"HTTP/1.1 200"):
            self._load.failures += 1
        self._load.latencies.append(now - self._sent)
        self._load.firsts.append(self._first - self._sent)
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


async def drive(port: int, request: bytes, *, clients: int, seconds: float) -> Load:
    """Have that many clients ask for that long."""
    loop = asyncio.get_running_loop()
    load, started = Load(), time.perf_counter()
    done = [loop.create_future() for _ in range(clients)]
    for future in done:
        await loop.create_connection(
            lambda future=future: _Client(request, load, started + seconds, future), "127.0.0.1", port
        )
    await asyncio.gather(*done)
    load.seconds = time.perf_counter() - started
    return load


def post(path: str, body: bytes, key: str = "") -> bytes:
    """A request."""
    return (
        b"POST %s HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer %s\r\nuser-agent: bench\r\n"
        b"accept: application/json\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
        % (path.encode(), key.encode(), len(body), body)
    )
