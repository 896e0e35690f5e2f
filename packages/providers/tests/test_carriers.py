"""Every carrier keeps the same promises, whatever carries the bytes."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from importlib import import_module

import pytest

from interlock_core import HttpRequest, Secret
from interlock_core.errors import (
    EgressRefusedError,
    InterlockError,
    ProtocolError,
    UpstreamConnectionError,
    UpstreamTimeoutError,
)
from interlock_core.http import Egress, HttpClient
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest, raw_server
from interlock_providers.carriers import Carrier, Credential
from interlock_providers.carriers.fast import FastCarrier
from interlock_providers.rows import VENDORS

KEY = Secret("sk-capture-0123456789", name="key of vendor")
SDKS = ("openai", "anthropic", "mistral", "cohere")
# Neither JSON nor UTF-8, with a null and odd spaces: whoever parsed it could not send it again like this.
ODD = b'{"a" :  1.0,\t"\\u00e9":"\xff\x00"}'


def open_carrier(name: str, origin: str, credential: Credential | None = None) -> Carrier:
    """The carrier of a name, with all limits as usual."""
    if name == "fast":
        client = HttpClient(egress=Egress(allowed_origins=[origin]))
        return FastCarrier(client, credential=credential, owned=True)
    module = VENDORS[name].sdk
    assert module is not None
    opened: Carrier = import_module(module).open_carrier(origin, credential)
    return opened


@pytest.fixture(params=("fast", *SDKS))
def name(request: pytest.FixtureRequest) -> str:
    """Each carrier in turn."""
    chosen: str = request.param
    return chosen


@pytest.fixture
async def server() -> AsyncGenerator[LoopbackServer, None]:
    """A server that says what it got."""
    async with LoopbackServer() as running:
        yield running


@pytest.fixture
async def carrier(name: str, server: LoopbackServer) -> AsyncGenerator[Carrier, None]:
    """A carrier with a key for the server."""
    opened = open_carrier(name, server.url, Credential(secret=KEY, origin=server.url))
    yield opened
    await opened.aclose()


def post(origin: str, *, body: bytes | None = b"{}", path: str = "/v1/x") -> HttpRequest:
    """A request to a server."""
    return HttpRequest(method="POST", url=origin + path, headers=(("accept", "text/plain"),), body=body)


def always(answer: Answer) -> Callable[[ReceivedRequest], Answer]:
    """A handler that has one answer."""

    def handle(request: ReceivedRequest) -> Answer:
        del request
        return answer

    return handle


@pytest.mark.promise("P2")
@pytest.mark.parametrize("streamed", [False, True])
async def test_the_codecs_bytes_go_out_untouched(
    carrier: Carrier, server: LoopbackServer, streamed: bool
) -> None:
    """Body, target and headers arrive as they were rendered, and the key has joined."""
    request = post(server.url, body=ODD, path="/base/v1/x?page=1&of=%2F")
    if streamed:
        async with carrier.stream(request) as reply:
            assert [piece async for piece in reply]
    else:
        assert (await carrier.send(request)).status == 200
    sent = server.requests[0]
    assert (sent.method, sent.target, sent.body) == ("POST", "/base/v1/x?page=1&of=%2F", ODD)
    assert sent.header("accept") == "text/plain"
    assert sent.header("host") == server.url.removeprefix("http://")
    assert [value for key, value in sent.headers if key.lower() == "authorization"] == [
        "Bearer sk-capture-0123456789"
    ]


async def test_what_is_asked_without_a_body_has_none(carrier: Carrier, server: LoopbackServer) -> None:
    """A list of models is asked for with GET, nothing behind it."""
    await carrier.send(HttpRequest(method="GET", url=f"{server.url}/v1/models", headers=(("accept", "a/b"),)))
    sent = server.requests[0]
    assert (sent.method, sent.target, sent.body) == ("GET", "/v1/models", b"")
    assert sent.header("accept") == "a/b"
    assert sent.header("content-type") is None
    assert sent.header("content-length") is None


async def test_a_key_goes_to_its_own_origin_alone(name: str, server: LoopbackServer) -> None:
    """Another origin gets neither the key nor the request."""
    carrier = open_carrier(name, server.url, Credential(secret=KEY, origin="https://api.example.com"))
    with pytest.raises(EgressRefusedError) as refused:
        await carrier.send(post(server.url))
    assert "sk-capture" not in str(refused.value)
    await carrier.aclose()
    assert server.requests == []


async def test_a_key_goes_in_the_header_that_it_is_meant_for(name: str, server: LoopbackServer) -> None:
    """Where the key stands is the credential's to say, and it stands nowhere else."""
    credential = Credential(secret=KEY, origin=server.url, header="x-api-key", scheme="")
    carrier = open_carrier(name, server.url, credential)
    await carrier.send(post(server.url))
    await carrier.aclose()
    assert server.requests[0].header("x-api-key") == "sk-capture-0123456789"
    assert server.requests[0].header("authorization") is None


async def test_without_a_key_none_is_sent(name: str, server: LoopbackServer) -> None:
    """A server that wants no key is told none, not even a made-up one."""
    carrier = open_carrier(name, server.url)
    await carrier.send(post(server.url))
    await carrier.aclose()
    assert server.requests[0].header("authorization") is None
    assert "placed-by" not in str(server.requests[0].headers)


@pytest.mark.parametrize("status", [400, 401, 404, 408, 409, 429, 500, 503, 529])
async def test_an_error_is_an_answer_and_comes_once(
    carrier: Carrier, server: LoopbackServer, status: int
) -> None:
    """No SDK tries again, reads or raises: the provider judges."""
    headers = (("retry-after", "0"), ("x-own", "1"))
    server.handler = always(Answer(status=status, headers=headers, body=b"not json"))
    reply = await carrier.send(post(server.url))
    assert (reply.status, reply.body) == (status, b"not json")
    assert ("x-own", "1") in reply.headers
    assert len(server.requests) == 1


async def test_a_redirect_is_not_followed(carrier: Carrier, server: LoopbackServer) -> None:
    """Neither request nor key goes where an answer points."""
    async with LoopbackServer() as other:
        server.handler = always(Answer(status=307, headers=(("location", f"{other.url}/v1/x"),)))
        assert (await carrier.send(post(server.url))).status == 307
        assert other.connections == 0
    assert len(server.requests) == 1


async def test_cookies_are_not_kept(carrier: Carrier, server: LoopbackServer) -> None:
    """What one answer sets, the next request does not say."""
    server.handler = always(Answer(headers=(("set-cookie", "who=me; path=/"),)))
    for _ in range(2):
        await carrier.send(post(server.url))
    assert all(request.header("cookie") is None for request in server.requests)


async def test_a_connection_is_kept_for_the_next_request(carrier: Carrier, server: LoopbackServer) -> None:
    """Whole answers and streams that were read to their end share one connection."""
    await carrier.send(post(server.url))
    async with carrier.stream(post(server.url)) as reply:
        assert [piece async for piece in reply]
    await carrier.send(post(server.url))
    assert server.connections == 1


@pytest.mark.parametrize(
    ("raw", "classes"),
    [
        (b"", (UpstreamConnectionError, ProtocolError)),
        (b"nonsense\r\n\r\n", (UpstreamConnectionError, ProtocolError)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", (UpstreamConnectionError, ProtocolError)),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nxyz", (ProtocolError,)),
        (b"HTTP/1.1 500 No\r\ncontent-length: 9\r\n\r\nshort", (UpstreamConnectionError, ProtocolError)),
        (b"HTTP/1.1 500 No\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nxyz", (ProtocolError,)),
    ],
)
async def test_a_broken_answer_is_a_typed_error(
    name: str, raw: bytes, classes: tuple[type[InterlockError], ...]
) -> None:
    """Whatever breaks below the dialect comes out as one of our errors."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(raw)

    async with raw_server(serve) as origin:
        carrier = open_carrier(name, origin)
        with pytest.raises(classes):
            await carrier.send(post(origin))
        with pytest.raises(classes):
            async with carrier.stream(post(origin)) as reply:
                await reply.read(1000)
        await carrier.aclose()


async def test_a_server_that_is_not_there_is_a_connection_error(name: str) -> None:
    """Nothing listens: the error says where, and can pass."""
    async with LoopbackServer() as gone:
        pass
    carrier = open_carrier(name, gone.url)
    with pytest.raises(UpstreamConnectionError, match=str(gone.port)) as failed:
        await carrier.send(post(gone.url))
    assert failed.value.retryable
    await carrier.aclose()


async def until_cancelled(request: ReceivedRequest) -> Answer:
    """Never answers."""
    del request
    await asyncio.Event().wait()
    return Answer()


async def one_piece_and_no_more(request: ReceivedRequest) -> Answer:
    """Answers with a first piece, and nothing after it."""
    del request

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    return Answer(body=pieces())


async def test_a_slow_answer_is_a_timeout(carrier: Carrier, server: LoopbackServer) -> None:
    """The time for a request holds until its answer begins, and the connection is closed."""
    server.handler = until_cancelled
    with pytest.raises(UpstreamTimeoutError):
        await carrier.send(post(server.url), timeout_s=0.05)
    await server.until(lambda: server.open_connections == 0)


async def test_a_slow_body_is_a_timeout(carrier: Carrier, server: LoopbackServer) -> None:
    """The time for a request holds for its whole answer, and the connection is closed."""
    server.handler = one_piece_and_no_more
    with pytest.raises(UpstreamTimeoutError):
        await carrier.send(post(server.url), timeout_s=0.2)
    await server.until(lambda: server.open_connections == 0)


@pytest.mark.promise("P4")
async def test_leaving_a_stream_closes_the_connection(carrier: Carrier, server: LoopbackServer) -> None:
    """The server sees its client go as soon as the context is left; the carrier itself stays open."""
    server.handler = one_piece_and_no_more
    async with carrier.stream(post(server.url)) as reply:
        assert await anext(aiter(reply)) == b"first"
    await server.client_left.wait()


@pytest.mark.promise("P4")
async def test_an_error_within_a_stream_closes_the_connection(
    carrier: Carrier, server: LoopbackServer
) -> None:
    """So does whatever goes wrong while the stream is read, and it is not hidden."""
    server.handler = one_piece_and_no_more

    async def read() -> None:
        async with carrier.stream(post(server.url)) as reply:
            async for piece in reply:
                raise KeyError(piece)

    with pytest.raises(KeyError):
        await read()
    await server.client_left.wait()


@pytest.mark.promise("P4")
@pytest.mark.parametrize("streamed", [False, True])
async def test_cancelling_before_the_answer_closes_the_connection(
    carrier: Carrier, server: LoopbackServer, streamed: bool
) -> None:
    """A caller that is cancelled while it waits leaves nothing open."""
    server.handler = until_cancelled

    async def ask() -> None:
        if streamed:
            async with carrier.stream(post(server.url)):
                raise AssertionError
        await carrier.send(post(server.url))

    asking = asyncio.create_task(ask())
    await server.until(lambda: len(server.requests) == 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await server.client_left.wait()


@pytest.mark.promise("P4")
async def test_cancelling_while_a_stream_is_read_closes_the_connection(
    carrier: Carrier, server: LoopbackServer
) -> None:
    """A caller that is cancelled between two pieces leaves nothing open."""
    server.handler = one_piece_and_no_more
    begun = asyncio.Event()

    async def read() -> None:
        async with carrier.stream(post(server.url)) as reply:
            async for _ in reply:
                begun.set()

    reading = asyncio.create_task(read())
    await begun.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await server.client_left.wait()


async def test_a_body_beyond_the_limit_is_refused(carrier: Carrier, server: LoopbackServer) -> None:
    """A reader says how much it takes."""
    server.handler = always(Answer(body=b"x" * 100))
    async with carrier.stream(post(server.url)) as reply:
        with pytest.raises(ProtocolError, match="longer than 10 bytes"):
            await reply.read(10)


@pytest.mark.parametrize("packed", [False, True])
async def test_an_error_without_an_end_is_left(name: str, server: LoopbackServer, packed: bool) -> None:
    """An SDK that reads errors on its own gets the beginning, as every reader does; nobody is kept."""

    async def endless(request: ReceivedRequest) -> Answer:
        del request

        async def pieces() -> AsyncIterator[bytes]:
            deflate = zlib.compressobj(level=0)
            while True:
                yield deflate.compress(b"x" * 65_536) if packed else b"x" * 65_536

        headers = (("content-encoding", "deflate"),) if packed else ()
        return Answer(status=500, headers=headers, body=pieces())

    server.handler = endless
    carrier = open_carrier(name, server.url)

    async def read() -> None:
        async with carrier.stream(post(server.url)) as reply:
            assert reply.status == 500
            await reply.read(50_000)

    with pytest.raises(ProtocolError, match="longer than 50000 bytes"):
        await read()
    await server.client_left.wait()
    await carrier.aclose()


async def test_a_carrier_may_be_closed_before_its_first_request(name: str, server: LoopbackServer) -> None:
    """Closing twice does nothing, also before it was ever used."""
    carrier = open_carrier(name, server.url)
    await carrier.aclose()
    await carrier.aclose()
    assert server.connections == 0


@pytest.mark.parametrize("sdk", SDKS)
async def test_an_sdk_that_was_closed_opens_again(sdk: str, server: LoopbackServer) -> None:
    """The next request opens a new client."""
    carrier = open_carrier(sdk, server.url)
    for _ in range(2):
        assert (await carrier.send(post(server.url))).status == 200
        await carrier.aclose()
        await carrier.aclose()
    assert server.connections == 2
