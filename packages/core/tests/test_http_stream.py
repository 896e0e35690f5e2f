"""Streams, cancellation and time: what is open is closed at once when nobody wants it any more."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from interlock_core import HttpRequest
from interlock_core.errors import ProtocolError, UpstreamTimeoutError
from interlock_core.http import HttpLimits
from interlock_core.jsontypes import JsonObject
from interlock_core.testing import (
    Answer,
    LoopbackServer,
    ReceivedRequest,
    client_for,
    json_answer,
    sse_answer,
)


async def test_a_stream_yields_each_event_as_it_comes() -> None:
    """The second event is made only after the first was read."""
    read = asyncio.Event()

    async def events() -> AsyncIterator[str]:
        yield "one"
        await read.wait()
        yield "two\nlines"

    async with (
        LoopbackServer(lambda request: sse_answer(events())) as server,
        client_for(server) as client,
        client.stream(server.request()) as stream,
    ):
        assert (stream.ok, stream.status, stream.trailers) == (True, 200, ())
        pieces = aiter(stream)
        assert await anext(pieces) == b"data: one\n\n"
        read.set()
        assert await anext(pieces) == b"data: two\ndata: lines\n\n"
        with pytest.raises(StopAsyncIteration):
            await anext(pieces)


async def test_what_came_while_nobody_read_is_handed_on_at_once() -> None:
    """A reader that was busy is not woken for each chunk of the wire."""
    first_read, all_sent = asyncio.Event(), asyncio.Event()

    async def events() -> AsyncIterator[str]:
        yield "one"
        await first_read.wait()
        for text in ("two", "three", "four"):
            yield text
        all_sent.set()

    def handle(request: ReceivedRequest) -> Answer:
        return sse_answer(events()) if request.path == "/stream" else Answer()

    async with (
        LoopbackServer(handle) as server,
        client_for(server) as client,
        client.stream(server.request("/stream")) as stream,
    ):
        pieces = aiter(stream)
        assert await anext(pieces) == b"data: one\n\n"
        first_read.set()
        await all_sent.wait()
        # While this goes there and back, what was sent before arrives.
        await client.send(server.request("/other"))
        assert await anext(pieces) == b"data: two\n\ndata: three\n\ndata: four\n\n"
        with pytest.raises(StopAsyncIteration):
            await anext(pieces)


async def test_leaving_a_stream_early_closes_its_connection_at_once() -> None:
    """The server notices while it is still making the answer."""

    async def events() -> AsyncIterator[str]:
        yield "one"
        await asyncio.Event().wait()

    async with LoopbackServer(lambda request: sse_answer(events())) as server, client_for(server) as client:
        async with client.stream(server.request()) as stream:
            async for _ in stream:
                break
        await server.client_left.wait()
        assert (await client.send(server.request(method="HEAD"))).status == 200
    assert server.connections == 2


async def test_cancelling_a_request_closes_its_connection_at_once() -> None:
    """Nobody goes on computing an answer that nobody waits for."""
    asked = asyncio.Event()

    async def handler(request: ReceivedRequest) -> Answer:
        asked.set()
        await asyncio.Event().wait()
        return Answer()

    async with LoopbackServer(handler) as server, client_for(server) as client:
        task = asyncio.create_task(client.send(HttpRequest(method="POST", url=server.url, body=b"x")))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.client_left.wait()


async def test_a_slow_reader_slows_the_server_down() -> None:
    """What nobody reads is not taken from the wire without bound."""
    sent = 0
    total = 400

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(total):
            yield b"x" * 65_536
            sent += 1

    async with (
        LoopbackServer(lambda request: Answer(body=body())) as server,
        client_for(server) as client,
        client.stream(server.request()) as stream,
    ):
        before = -1
        while before != sent:
            before = sent
            for _ in range(200):
                await asyncio.sleep(0)
        assert sent < total
        size = 0
        async for piece in stream:
            size += len(piece)
    assert (size, sent) == (total * 65_536, total)


async def test_a_server_that_says_nothing_times_out() -> None:
    """The idle limit ends the wait; the error names the place."""

    async def handler(request: ReceivedRequest) -> Answer:
        await asyncio.Event().wait()
        return Answer()

    limits = HttpLimits(read_timeout_s=0.05)
    async with LoopbackServer(handler) as server, client_for(server, limits=limits) as client:
        with pytest.raises(UpstreamTimeoutError, match=r"127\.0\.0\.1:\d+ said nothing for 0.05 seconds"):
            await client.send(server.request())
        await server.client_left.wait()


async def test_a_stream_that_falls_silent_times_out() -> None:
    """What came before is read, then the error comes."""

    async def events() -> AsyncIterator[str]:
        yield "one"
        await asyncio.Event().wait()

    limits = HttpLimits(read_timeout_s=0.05)
    async with (
        LoopbackServer(lambda request: sse_answer(events())) as server,
        client_for(server, limits=limits) as client,
        client.stream(server.request()) as stream,
    ):
        with pytest.raises(UpstreamTimeoutError, match="said nothing"):
            await stream.read(1000)


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_total_time_is_bounded(streamed: bool) -> None:
    """However busy the other side is, the whole request ends in time."""

    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0)

    async with LoopbackServer(lambda request: Answer(body=drip())) as server, client_for(server) as client:

        async def ask() -> None:
            if not streamed:
                await client.send(server.request(), timeout_s=0.1)
            async with client.stream(server.request(), timeout_s=0.1) as stream:
                await stream.read(10_000_000)

        with pytest.raises(UpstreamTimeoutError, match="in the time allowed"):
            await ask()


async def test_waiting_for_a_connection_counts_for_the_total_time() -> None:
    """A full pool does not hold a request beyond its time."""

    async def handler(request: ReceivedRequest) -> Answer:
        await asyncio.Event().wait()
        return Answer()

    limits = HttpLimits(per_origin_connections=1)
    async with LoopbackServer(handler) as server, client_for(server, limits=limits) as client:
        holding = asyncio.create_task(client.send(server.request()))
        await server.until(lambda: len(server.requests) == 1)
        with pytest.raises(UpstreamTimeoutError, match="in the time allowed"):
            await client.send(server.request(), timeout_s=0.05)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
    assert len(server.requests) == 1


async def test_the_limits_bound_every_request_in_time() -> None:
    """A request that names no time has that of its client."""

    async def handler(request: ReceivedRequest) -> Answer:
        await asyncio.Event().wait()
        return Answer()

    limits = HttpLimits(total_timeout_s=0.05)
    async with LoopbackServer(handler) as server, client_for(server, limits=limits) as client:
        with pytest.raises(UpstreamTimeoutError, match="in the time allowed"):
            await client.send(server.request())


async def test_a_stream_that_is_too_long_to_read_is_refused() -> None:
    """`read` has its own limit."""
    body: JsonObject = {"a": "x" * 1000}
    async with (
        LoopbackServer(lambda request: json_answer(body)) as server,
        client_for(server) as client,
        client.stream(server.request()) as stream,
    ):
        with pytest.raises(ProtocolError, match="longer than 100 bytes"):
            await stream.read(100)
