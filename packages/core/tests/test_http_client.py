"""What goes out and what comes back: requests, answers, compression, limits."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest

from interlock_core import HttpRequest
from interlock_core.errors import InvalidRequestError, ProtocolError
from interlock_core.http import Egress, HttpClient
from interlock_core.jsontypes import as_object
from interlock_core.testing import (
    Answer,
    LoopbackServer,
    ReceivedRequest,
    client_for,
    json_answer,
    raw_server,
)


async def test_a_request_arrives_as_it_was_made() -> None:
    """Method, target, headers in order, body; the client adds only framing and what it is."""
    async with LoopbackServer() as server, client_for(server) as client:
        answer = await client.send(
            HttpRequest(
                method="POST",
                url=f"{server.url}/v1/things?q=a%20b&r#part",
                headers=(("X-One", " 1 "), ("x-two", "zwei… drei"), ("X-One", "again")),
                body=b'{"a":1}',
            )
        )
    request = server.requests[0]
    assert (request.method, request.target, request.body) == ("POST", "/v1/things?q=a%20b&r", b'{"a":1}')
    assert [name for name, _ in request.headers] == [
        "Host",
        "X-One",
        "x-two",
        "X-One",
        "User-Agent",
        "Accept",
        "Accept-Encoding",
        "Content-Length",
    ]
    assert request.header("host") == server.url.removeprefix("http://")
    assert request.header("x-one") == "1"
    assert (answer.ok, answer.status, answer.header("CONTENT-TYPE")) == (True, 200, "application/json")
    assert as_object(answer.json())["method"] == "POST"


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [("GET", None, None), ("GET", b"", "0"), ("POST", None, "0"), ("DELETE", None, None), ("PUT", b"x", "1")],
)
async def test_content_length_is_sent_where_a_body_is_expected(
    method: str, body: bytes | None, length: str | None
) -> None:
    """As RFC 9110 asks."""
    async with LoopbackServer() as server, client_for(server) as client:
        await client.send(HttpRequest(method=method, url=server.url, body=body))
    assert server.requests[0].header("content-length") == length


async def test_own_headers_replace_the_clients_defaults() -> None:
    """User-Agent, Accept and Accept-Encoding are the caller's when given; a repeated framing is dropped."""
    headers = (
        ("user-agent", "me/1"),
        ("ACCEPT", "text/event-stream"),
        ("accept-encoding", "identity"),
        ("Content-Length", "2"),
        ("Connection", "keep-alive"),
    )
    async with LoopbackServer() as server, client_for(server) as client:
        own_host = ("Host", server.url.removeprefix("http://"))
        await client.send(
            HttpRequest(method="POST", url=server.url, headers=(own_host, *headers), body=b"ok")
        )
    names = [name.lower() for name, _ in server.requests[0].headers]
    assert sorted(names) == ["accept", "accept-encoding", "content-length", "host", "user-agent"]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", (("X-A", "b\r\nX-Evil: 1"),)),
        ("GET", (("X-A", "b\nc"),)),
        ("GET", (("X-A", "b\rc"),)),
        ("GET", (("X-A", "b\x00c"),)),
        ("GET", (("X-A", "\ud800"),)),
        ("GET", (("X-A\r\nX-Evil", "1"),)),
        ("GET", (("X A", "1"),)),
        ("GET", (("X-A:", "1"),)),
        ("GET", (("", "1"),)),
        ("GET", (("Ünicode", "1"),)),
        ("GET", (("Host", "evil.example.com"),)),
        ("GET", (("Content-Length", "5"),)),
        ("GET", (("Transfer-Encoding", "chunked"),)),
        ("GET", (("Connection", "close"),)),
        ("GET", (("Upgrade", "websocket"),)),
        ("GET", (("Expect", "100-continue"),)),
        ("GET / HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET", ()),
        ("get", ()),
        ("", ()),
        ("G T", ()),
        ("CONNECT", ()),
    ],
)
async def test_nothing_that_a_caller_gives_can_add_a_line(
    method: str, headers: tuple[tuple[str, str], ...]
) -> None:
    """Line breaks, controls, odd names and framing headers are refused before anything is dialled."""
    async with LoopbackServer() as server, client_for(server) as client:
        with pytest.raises(InvalidRequestError):
            await client.send(HttpRequest(method=method, url=server.url, headers=headers))
    assert server.connections == 0


async def test_head_and_no_content_have_no_body() -> None:
    """And the connection goes on being used."""

    def handler(request: ReceivedRequest) -> Answer:
        return Answer(status=204) if request.method == "DELETE" else Answer(body=b"x" * 1000)

    async with LoopbackServer(handler) as server, client_for(server) as client:
        assert (await client.send(server.request(method="HEAD"))).body == b""
        assert (await client.send(server.request(method="DELETE"))).status == 204
        assert len((await client.send(server.request())).body) == 1000
    assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500, 503])
async def test_every_status_is_an_answer_and_redirects_are_not_followed(status: int) -> None:
    """What a status means is for the caller."""
    headers = (("location", "http://169.254.169.254/"),)
    async with (
        LoopbackServer(lambda request: Answer(status=status, headers=headers)) as server,
        client_for(server) as client,
    ):
        answer = await client.send(server.request())
    assert (answer.status, answer.ok, len(server.requests)) == (status, False, 1)


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"plain text " * 1000)),
        ("x-gzip", gzip.compress(b"plain text " * 400) + gzip.compress(b"plain text " * 600) + b"\0\0"),
        ("deflate", zlib.compress(b"plain text " * 1000)),
        ("DEFLATE", zlib.compress(b"plain text " * 1000)[2:-4]),
        ("identity", b"plain text " * 1000),
    ],
)
async def test_compressed_bodies_are_unpacked(coding: str, packed: bytes) -> None:
    """Sent and streamed alike, in one member or several, zlib or bare deflate."""
    answer = Answer(headers=(("content-encoding", coding), ("x-kept", "1")), body=packed)
    async with LoopbackServer(lambda request: answer) as server, client_for(server) as client:
        whole = await client.send(server.request())
        async with client.stream(server.request()) as stream:
            streamed = await stream.read(100_000)
    assert whole.body == streamed == b"plain text " * 1000
    assert (whole.header("content-encoding") is None) == (coding != "identity")
    assert whole.header("x-kept") == stream.header("X-Kept") == "1"
    assert server.requests[0].header("accept-encoding") == "gzip, deflate"
    assert server.requests[1].header("accept-encoding") == "identity"


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", b"no gzip at all"),
        ("gzip", gzip.compress(b"x" * 1000)[:-4]),
        ("gzip", gzip.compress(b"x") + b"junk"),
        ("deflate", b"\xff\xff\xff"),
        ("deflate", zlib.compress(b"x") + b"junk"),
        ("br", b"x"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x"))),
    ],
)
async def test_a_body_that_is_not_what_its_coding_says_is_an_error(coding: str, packed: bytes) -> None:
    """Damage, truncation, junk behind the end and codings that were not asked for."""
    answer = Answer(headers=(("content-encoding", coding),), body=packed)
    async with LoopbackServer(lambda request: answer) as server, client_for(server) as client:
        with pytest.raises(ProtocolError):
            await client.send(server.request())
        with pytest.raises(ProtocolError):
            async with client.stream(server.request()) as stream:
                await stream.read(1000)


async def test_a_decompression_bomb_ends_at_the_limit() -> None:
    """A hundred megabytes in a hundred kilobytes are refused, not held."""
    bomb = gzip.compress(b"\0" * 100_000_000)
    answer = Answer(headers=(("content-encoding", "gzip"),), body=bomb)
    async with LoopbackServer(lambda request: answer) as server, client_for(server) as client:
        with pytest.raises(ProtocolError, match="longer than 1000000 bytes"):
            await client.send(server.request(), max_body_bytes=1_000_000)
        with pytest.raises(ProtocolError, match="longer than 1000000 bytes"):
            async with client.stream(server.request()) as stream:
                await stream.read(1_000_000)


async def test_a_body_beyond_the_limit_closes_the_connection() -> None:
    """An endless body is cut off as soon as it is too long."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 10_000

    async with (
        LoopbackServer(lambda request: Answer(body=endless())) as server,
        client_for(server) as client,
    ):
        with pytest.raises(ProtocolError, match="longer than 50000 bytes") as caught:
            await client.send(server.request(), max_body_bytes=50_000)
        await server.client_left.wait()
    assert caught.value.field == "max_body_bytes"


async def test_a_large_body_is_sent_whole() -> None:
    """Beyond every buffer on the way."""
    body = bytes(range(256)) * 40_000
    async with (
        LoopbackServer(lambda request: json_answer(len(request.body))) as server,
        client_for(server) as client,
    ):
        answer = await client.send(HttpRequest(method="POST", url=server.url, body=body))
    assert answer.json() == len(body)
    assert server.requests[0].body == body


async def test_an_answer_before_the_whole_body_was_sent_is_taken() -> None:
    """The rest is not sent, and the connection is not used again."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch")
        await done.wait()

    async with raw_server(serve) as url, HttpClient(egress=Egress(allowed_origins=[url])) as client:
        answer = await client.send(HttpRequest(method="POST", url=url, body=b"x" * 30_000_000))
        done.set()
    assert (answer.status, answer.body) == (413, b"much")


async def test_an_answer_that_is_no_json_is_said_so() -> None:
    """The body is not repeated in the message."""
    async with (
        LoopbackServer(lambda request: Answer(body=b"<html>hush")) as server,
        client_for(server) as client,
    ):
        answer = await client.send(server.request())
    assert answer.text == "<html>hush"
    with pytest.raises(ProtocolError, match="not JSON") as caught:
        answer.json()
    assert "hush" not in str(caught.value)
    assert "hush" not in repr(answer)
