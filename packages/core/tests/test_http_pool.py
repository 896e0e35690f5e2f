"""Connections of the HTTP client: kept, shared, lost, replaced."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from interlock_core import HttpRequest
from interlock_core.errors import ProtocolError, UpstreamConnectionError, UpstreamTimeoutError
from interlock_core.http import Egress, HttpClient, HttpLimits
from interlock_core.testing import (
    Answer,
    FakeClock,
    LoopbackServer,
    ReceivedRequest,
    client_for,
    json_answer,
    raw_server,
)


async def test_a_connection_is_used_again() -> None:
    """Requests one after another share a connection, whether sent or streamed."""
    async with LoopbackServer() as server, client_for(server) as client:
        for _ in range(3):
            await client.send(server.request())
        async with client.stream(server.request()) as stream:
            await stream.read(10_000)
        await client.send(server.request())
    assert server.connections == 1


async def test_requests_at_once_have_connections_of_their_own_up_to_the_limit() -> None:
    """The rest wait their turn, and all are answered."""
    together = asyncio.Event()

    async def handler(request: ReceivedRequest) -> Answer:
        if len(server.requests) >= 3:
            together.set()
        await together.wait()
        return json_answer(request.target)

    limits = HttpLimits(per_origin_connections=3)
    async with LoopbackServer(handler) as server, client_for(server, limits=limits) as client:
        answers = await asyncio.gather(*(client.send(server.request(f"/{i}")) for i in range(20)))
    assert [answer.json() for answer in answers] == [f"/{i}" for i in range(20)]
    assert server.connections == 3


async def test_a_waiting_request_that_is_cancelled_loses_nobodys_turn() -> None:
    """The connection it waited for goes to the next one."""
    released = asyncio.Event()

    async def handler(request: ReceivedRequest) -> Answer:
        if request.target == "/first":
            await released.wait()
        return json_answer(request.target)

    limits = HttpLimits(per_origin_connections=1)
    async with LoopbackServer(handler) as server, client_for(server, limits=limits) as client:
        first = asyncio.create_task(client.send(server.request("/first")))
        await server.until(lambda: len(server.requests) == 1)
        waiting = [asyncio.create_task(client.send(server.request(f"/{i}"))) for i in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        released.set()
        await first
        waiting[1].cancel()
        assert (await waiting[2]).json() == "/2"
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert (await client.send(server.request("/after"))).json() == "/after"


async def test_places_of_lost_connections_go_to_those_who_wait() -> None:
    """A connection that breaks makes room for a new one."""

    def handler(request: ReceivedRequest) -> Answer:
        return Answer(raw=True, body=b"") if request.target == "/break" else json_answer(request.target)

    limits = HttpLimits(per_origin_connections=1)
    async with LoopbackServer(handler) as server, client_for(server, limits=limits) as client:
        results = await asyncio.gather(
            *(client.send(server.request(path, method="POST")) for path in ("/break", "/a", "/break", "/b")),
            return_exceptions=True,
        )
    assert [type(result).__name__ for result in results] == [
        "UpstreamConnectionError",
        "HttpResponse",
        "UpstreamConnectionError",
        "HttpResponse",
    ]


async def test_a_kept_connection_that_the_server_closed_is_not_used() -> None:
    """Even a POST goes through after the server dropped idle connections: it gets a fresh one."""
    async with LoopbackServer() as server, client_for(server) as client:
        await client.send(server.request())
        server.drop_connections()
        await asyncio.to_thread(lambda: None)
        answer = await client.send(HttpRequest(method="POST", url=server.url, body=b"x"))
    assert (answer.status, server.connections) == (200, 2)


@asynccontextmanager
async def closing_after(count: int, server_side: list[bytes]) -> AsyncGenerator[tuple[str, HttpClient], None]:
    """A server that answers `count` requests on a connection and closes it on the next, and a client."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(count):
            server_side.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        server_side.append(await reader.readuntil(b"\r\n\r\n"))

    async with raw_server(serve) as url, HttpClient(egress=Egress(allowed_origins=[url])) as client:
        yield url, client


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_repeatable_request_is_sent_once_more_when_a_kept_connection_dies(method: str) -> None:
    """The server closed without a byte: nothing was received, so a fresh connection is tried."""
    seen: list[bytes] = []
    async with closing_after(1, seen) as (url, client):
        for _ in range(2):
            assert (await client.send(HttpRequest(method=method, url=url))).status == 200
    assert len(seen) == 3


async def test_a_post_is_not_repeated_when_nobody_knows_whether_it_arrived() -> None:
    """The caller is told instead."""
    seen: list[bytes] = []
    async with closing_after(1, seen) as (url, client):
        await client.send(HttpRequest(method="POST", url=url))
        with pytest.raises(UpstreamConnectionError, match="before an answer came"):
            await client.send(HttpRequest(method="POST", url=url))
    assert len(seen) == 2


async def test_a_fresh_connection_that_dies_is_not_tried_again() -> None:
    """Only a kept connection can have been stale."""
    seen: list[bytes] = []
    async with closing_after(0, seen) as (url, client):
        with pytest.raises(UpstreamConnectionError, match="before an answer came"):
            await client.send(HttpRequest(method="GET", url=url))
    assert len(seen) == 1


async def test_a_connection_that_breaks_in_the_middle_is_an_error() -> None:
    """Half an answer is none, even for a request that could be repeated."""
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    async with (
        LoopbackServer(lambda request: Answer(raw=True, body=half)) as server,
        client_for(server) as client,
    ):
        with pytest.raises(ProtocolError, match=r"127\.0\.0\.1:\d+: The connection was closed in the middle"):
            await client.send(server.request())
    assert len(server.requests) == 1


async def test_an_answer_without_length_ends_with_the_connection() -> None:
    """HTTP/1.0 style bodies are read to the close."""
    wire = b"HTTP/1.0 200 OK\r\n\r\nall of it"
    async with (
        LoopbackServer(lambda request: Answer(raw=True, body=wire)) as server,
        client_for(server) as client,
    ):
        assert (await client.send(server.request())).body == b"all of it"
        async with client.stream(server.request()) as stream:
            assert await stream.read(100) == b"all of it"
    assert server.connections == 2


async def test_a_server_that_says_close_is_not_asked_again_on_that_connection() -> None:
    """`connection: close` is honoured."""
    async with (
        LoopbackServer(lambda request: Answer(body=b"x", close=True)) as server,
        client_for(server) as client,
    ):
        for _ in range(2):
            assert (await client.send(server.request())).body == b"x"
    assert server.connections == 2


async def test_an_answer_that_nobody_asked_for_is_never_the_next_one() -> None:
    """Response splitting: the second answer on the wire goes to nobody."""
    two = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

    async def answer(request: ReceivedRequest) -> Answer:
        return Answer(raw=True, body=two)

    async with LoopbackServer(answer) as server, client_for(server) as client:
        for _ in range(2):
            assert (await client.send(server.request())).body == b"ok"
    assert server.connections == 2


async def test_a_request_in_time_leaves_a_connection_that_lives_on() -> None:
    """The timer of one request does not end the next."""
    async with LoopbackServer() as server, client_for(server) as client:
        await client.send(server.request(), timeout_s=5)
        async with client.stream(server.request(), timeout_s=5) as stream:
            await stream.read(10_000)
        await client.send(server.request())
    assert server.connections == 1


async def test_an_unreachable_server_is_a_connection_error() -> None:
    """The text names host and port and the system's reason, nothing of the request."""
    async with LoopbackServer() as server:
        url = server.url
    async with HttpClient(egress=Egress(allowed_origins=[url])) as client:
        with pytest.raises(UpstreamConnectionError) as caught:
            await client.send(
                HttpRequest(
                    method="GET", url=f"{url}/path?key=hush", headers=(("authorization", "Bearer hush"),)
                )
            )
    assert "127.0.0.1" in str(caught.value)
    assert "refused" in str(caught.value)
    assert "hush" not in str(caught.value)


async def test_a_server_that_never_accepts_times_out() -> None:
    """Resolving and connecting have their own limit."""

    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    egress = Egress(resolver=never)
    async with HttpClient(egress=egress, limits=HttpLimits(connect_timeout_s=0.05)) as client:
        with pytest.raises(
            UpstreamTimeoutError, match=r"No connection to slow\.example\.com:443 within 0.05"
        ):
            await client.send(HttpRequest(method="GET", url="https://slow.example.com/"))


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    """A name with a dead address first still works; the pool's place is not lost."""

    async def both(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async with LoopbackServer() as server:
        origin = f"http://two.example.com:{server.port}"
        egress = Egress(allowed_origins=[origin], resolver=both)
        async with HttpClient(egress=egress, limits=HttpLimits(per_origin_connections=1)) as client:
            assert (await client.send(HttpRequest(method="GET", url=origin))).ok
    assert server.requests[0].header("host") == f"two.example.com:{server.port}"


async def test_ipv6_literals_work() -> None:
    """Brackets in the URL and the Host header, none in the dialled address."""
    async with LoopbackServer(host="::1") as server, client_for(server) as client:
        assert (await client.send(server.request())).ok
    assert server.requests[0].header("host") == f"[::1]:{server.port}"


async def test_idle_connections_are_closed_after_a_while() -> None:
    """A kept connection older than the limit is not used, and goes by itself."""
    clock = FakeClock()
    async with LoopbackServer() as server:
        egress = Egress(allowed_origins=[server.url])
        async with HttpClient(egress=egress, clock=clock) as client:
            await client.send(server.request())
            clock.advance(61)
            await client.send(server.request())
        limits = HttpLimits(keepalive_s=0.02)
        async with HttpClient(egress=egress, limits=limits) as client:
            await client.send(server.request())
            async with client.stream(server.request()) as stream:
                await stream.read(10_000)
            await server.until(lambda: server.open_connections == 0)
    assert server.connections == 3


async def test_bytes_on_an_idle_connection_close_it() -> None:
    """Nothing that comes unasked is kept for the next request."""
    connections: list[asyncio.StreamWriter] = []
    closed = asyncio.Event()
    unasked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await unasked.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        assert await reader.read() == b""
        closed.set()

    async with raw_server(serve) as url, HttpClient(egress=Egress(allowed_origins=[url])) as client:
        assert (await client.send(HttpRequest(method="GET", url=url))).body == b"ok"
        unasked.set()
        await closed.wait()
        assert (await client.send(HttpRequest(method="GET", url=url))).body == b"ok"
    assert len(connections) == 2


async def test_closing_the_client_ends_requests_under_way() -> None:
    """They fail with a typed error, and later ones are refused."""
    asked = asyncio.Event()

    async def handler(request: ReceivedRequest) -> Answer:
        asked.set()
        await asyncio.Event().wait()
        return Answer()

    async with LoopbackServer(handler) as server:
        client = client_for(server)
        task = asyncio.create_task(client.send(server.request()))
        await asked.wait()
        await client.aclose()
        with pytest.raises(UpstreamConnectionError, match="client was closed"):
            await task
        with pytest.raises(UpstreamConnectionError, match="client was closed"):
            await client.send(server.request())
        await client.aclose()


async def test_closing_the_client_while_it_connects_leaves_no_connection() -> None:
    """A connection that is made too late is closed at once."""
    resolving = asyncio.Event()
    go_on = asyncio.Event()

    async def slow(host: str, port: int) -> list[str]:
        resolving.set()
        await go_on.wait()
        return ["127.0.0.1"]

    async with LoopbackServer() as server:
        origin = f"http://slow.example.com:{server.port}"
        client = HttpClient(egress=Egress(allowed_origins=[origin], resolver=slow))
        task = asyncio.create_task(client.send(HttpRequest(method="GET", url=origin)))
        await resolving.wait()
        await client.aclose()
        go_on.set()
        with pytest.raises(UpstreamConnectionError, match="client was closed"):
            await task
        await server.until(lambda: server.open_connections == 0)
    assert server.requests == []


async def test_a_turn_that_comes_in_the_moment_of_cancelling_is_passed_on() -> None:
    """Given back and cancelled in the same turn of the loop: the next one still gets the connection."""
    go_on = asyncio.Event()

    async def handler(request: ReceivedRequest) -> Answer:
        if request.target == "/held":
            await go_on.wait()
        return json_answer(request.target)

    limits = HttpLimits(per_origin_connections=1)
    async with LoopbackServer(handler) as server, client_for(server, limits=limits) as client:
        for turns in range(8):
            held = asyncio.create_task(client.send(server.request("/held")))
            count = len(server.requests) + 1
            await server.until(lambda count=count: len(server.requests) == count)
            waiting = [asyncio.create_task(client.send(server.request(f"/{i}"))) for i in range(3)]
            await asyncio.sleep(0)
            go_on.set()
            await held
            for _ in range(turns):
                await asyncio.sleep(0)
            waiting[0].cancel()
            waiting[1].cancel()
            assert (await waiting[2]).json() == "/2"
            await asyncio.gather(*waiting, return_exceptions=True)
            go_on.clear()
    assert server.connections <= 20


async def test_a_dead_kept_connection_is_replaced_when_the_pool_is_full() -> None:
    """The retry on a fresh connection makes room for itself among the idle ones."""
    seen: list[bytes] = []
    together = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        if len(seen) == 2:
            together.set()
        await together.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        seen.append(await reader.readuntil(b"\r\n\r\n"))

    async with raw_server(serve) as url:
        egress = Egress(allowed_origins=[url])
        async with HttpClient(egress=egress, limits=HttpLimits(per_origin_connections=2)) as client:
            request = HttpRequest(method="GET", url=url)
            await asyncio.gather(client.send(request), client.send(request))
            assert (await client.send(request)).body == b"ok"
    assert len(seen) == 4


async def test_an_address_that_refuses_gives_its_place_back() -> None:
    """A hundred failures later the pool is as free as before."""
    async with LoopbackServer() as server:
        url = server.url
    async with HttpClient(
        egress=Egress(allowed_origins=[url]), limits=HttpLimits(per_origin_connections=1)
    ) as client:
        for _ in range(3):
            with pytest.raises(UpstreamConnectionError, match="refused"):
                await client.send(HttpRequest(method="GET", url=url))
