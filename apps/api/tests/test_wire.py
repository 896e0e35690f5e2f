"""HTTP as bytes on a socket: what is answered, what is refused, and who is let go."""

import asyncio
import json
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock_api import running
from interlock_api.testing import RawAnswer, talk
from interlock_core.jsontypes import as_object
from interlock_providers.testing import OpenAIChatServer, Say

if TYPE_CHECKING:
    from .conftest import Gate, MakeGate

HOST = b"host: localhost\r\n"
CLOSE = b"connection: close\r\n"
CHAT = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


def error_of(answer: RawAnswer) -> dict[str, object]:
    """The error that an answer tells, in the dialect."""
    error = as_object(as_object(json.loads(answer.body))["error"])
    assert set(error) == {"message", "type", "param", "code"}
    return dict(error)


def key_of(gate: "Gate") -> bytes:
    """The header with the admin key."""
    return b"authorization: Bearer %s\r\n" % gate.key.encode()


def chat(gate: "Gate", body: bytes, head: bytes = b"") -> bytes:
    """A request for a completion that closes the connection."""
    return CHAT + key_of(gate) + CLOSE + head + b"content-length: %d\r\n\r\n%s" % (len(body), body)


BODY = json.dumps({"model": "acme/sim-1", "messages": [{"role": "user", "content": "Hi"}]}).encode()


# ---- what is answered


async def test_a_body_in_pieces_and_a_body_in_chunks_are_the_same(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """However the bytes are cut, trailers included, which are passed over."""
    whole = chat(gate, BODY)
    for cut in (10, 60, len(whole) - 20, len(whole) - 1):
        (answer,) = await talk(gate.port, whole[:cut], whole[cut:])
        assert answer.status == 200
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(BODY[at : at + 9]), BODY[at : at + 9]) for at in range(0, len(BODY), 9)
    )
    head = CHAT + key_of(gate) + CLOSE + CHUNKED + b"\r\n"
    (answer,) = await talk(gate.port, head + chunks + b"0\r\nauthorization: Bearer x\r\n\r\n")
    assert answer.status == 200
    assert len({request.body for request in vendor.requests}) == 1


async def test_requests_on_one_connection_are_answered_in_their_order(gate: "Gate") -> None:
    """Sent all at once or one after the other."""
    paths = [b"/healthz", b"/nothing", b"/readyz", b"/v1/models"]
    sent = [b"GET %s HTTP/1.1\r\n%s%s\r\n" % (path, HOST, key_of(gate)) for path in paths]
    sent[-1] = sent[-1].replace(b"\r\n\r\n", b"\r\n" + CLOSE + b"\r\n")
    at_once = await talk(gate.port, b"".join(sent))
    assert [answer.status for answer in at_once] == [200, 404, 200, 200]
    in_turn = await talk(gate.port, *sent)
    assert [answer.status for answer in in_turn] == [200, 404, 200, 200]


async def test_head_is_answered_like_get_without_a_body(gate: "Gate") -> None:
    """With the same length and type."""
    raw = b"HEAD /healthz HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    writer.write(raw)
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"\r\n\r\n")
    assert b"content-length: 15\r\n" in received


async def test_a_client_of_http_1_0_gets_its_stream_without_chunks(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """Its end is that of the connection."""
    vendor.then(Say("One two"))
    body = BODY.replace(b'"model"', b'"stream": true, "model"')
    request = chat(gate, body).replace(b"HTTP/1.1", b"HTTP/1.0").replace(CLOSE, b"")
    (answer,) = await talk(gate.port, request)
    assert answer.header("transfer-encoding") is None
    assert answer.header("connection") == "close"
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_a_client_that_waits_for_a_word_before_its_body_gets_it(gate: "Gate") -> None:
    """After its key was looked at, and not when it is wrong."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    head = CHAT + key_of(gate) + CLOSE + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(BODY)
    writer.write(head)
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(BODY)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    await writer.wait_closed()
    (refused,) = await talk(gate.port, head.replace(key_of(gate), b""))
    assert refused.status == 401


@pytest.mark.parametrize("framing", [b"content-length: %d\r\n", CHUNKED])
async def test_the_offer_of_another_protocol_is_passed_over(
    gate: "Gate", vendor: OpenAIChatServer, framing: bytes
) -> None:
    """Some clients offer HTTP/2 with their first request; its body counts as always."""
    offer = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQ\r\n"
    body = BODY
    if framing is CHUNKED:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    else:
        framing %= len(BODY)
    head = CHAT + key_of(gate) + offer + framing + b"\r\n"
    last = HEALTH + CLOSE + b"\r\n"
    found = await talk(gate.port, head + body[:5], body[5:], last)
    assert [answer.status for answer in found] == [200, 200]
    assert as_object(vendor.requests[0].json())["model"] == "sim-1"
    (plain, after) = await talk(gate.port, HEALTH + offer + b"\r\n", last)
    assert plain.status == after.status == 200


async def test_a_whole_address_as_target_is_its_path(gate: "Gate") -> None:
    """As a server must take it; the host in it decides nothing."""
    for target, status in ((b"http://x/healthz", 200), (b"http://x", 200), (b"https://y/v1/models?a=b", 401)):
        (answer,) = await talk(gate.port, b"GET %s HTTP/1.1\r\n%s%s\r\n" % (target, HOST, CLOSE))
        assert answer.status == status


async def test_a_runtime_is_served_on_a_socket_of_the_callers_choice(gate: "Gate") -> None:
    """For the length of a block, beside whatever else serves it."""
    listener = socket.create_server(("127.0.0.1", 0))
    async with running(gate.runtime, listener=listener) as address:
        found = await talk(int(address.rpartition(":")[2]), HEALTH + CLOSE + b"\r\n")
    assert found[0].status == 200


# ---- what is refused


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET /healthz HTTP/2.0\r\nhost: localhost\r\n\r\n", 505),
        (b"GET /healthz\r\n\r\n", 505),
        (b"NONSENSE /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", 400),
        (b"CONNECT example.com:443 HTTP/1.1\r\nhost: localhost\r\n\r\n", 400),
        (b"GET healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\nhost: x\n\n", 400),
        (b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nA: b\x00c\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nA: 1\r\n folded\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (HEALTH + b"x: %s\r\n\r\n" % (b"a" * 70_000), 431),
        (HEALTH + b"x: %s" % (b"a" * 400_000), 431),
        (HEALTH + b"".join(b"x%d: 1\r\n" % number for number in range(200)) + b"\r\n", 431),
        (b"GET /%s HTTP/1.1\r\nhost: localhost\r\n\r\n" % (b"a" * 9_000), 414),
        (CHAT + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (CHAT + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}", 400),
        (CHAT + b"content-length: -1\r\n\r\n", 400),
        (CHAT + b"content-length: 1e3\r\n\r\n", 400),
        (CHAT + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        (CHAT + CHUNKED + b"\r\n3\r\nabcdef\r\n0\r\n\r\n", 400),
        (CHAT + CHUNKED + b"\r\nzz\r\n", 400),
    ],
)
async def test_what_is_no_clean_request_is_refused_and_the_connection_closed(
    gate: "Gate", sent: bytes, status: int
) -> None:
    """With one answer in the dialect, and nothing behind it is read."""
    (answer,) = await talk(gate.port, sent + HEALTH + b"\r\n")
    assert answer.status == status
    assert answer.header("connection") == "close"
    assert error_of(answer)["message"]


async def test_a_broken_request_behind_a_good_one_does_not_spoil_its_answer(gate: "Gate") -> None:
    """The good one is answered whole, then the other is refused."""
    good = chat(gate, BODY).replace(CLOSE, b"")
    for broken in (b"NONSENSE\r\n\r\n", b"GET /a HTTP/1.1\r\n\r\n", CHAT + CHUNKED + b"\r\nzz\r\n"):
        first, second = await talk(gate.port, good + broken + HEALTH + b"\r\n")
        assert (first.status, second.status) == (200, 400)
        assert as_object(json.loads(first.body))["object"] == "chat.completion"


async def test_too_many_requests_behind_one_another_are_not_kept(gate: "Gate") -> None:
    """Those within the limit are answered."""
    found = await talk(gate.port, (HEALTH + b"\r\n") * 40)
    assert [answer.status for answer in found] == [200] * 17 + [400]


async def test_a_broken_body_cancels_what_waits_for_it(gate: "Gate", vendor: OpenAIChatServer) -> None:
    """The request is refused, not the half of it understood."""
    head = CHAT + key_of(gate) + CHUNKED + b"\r\n5\r\n{"
    (answer,) = await talk(gate.port, head, b'"a":\r\nzz\r\n')
    assert answer.status == 400
    assert vendor.requests == []


@pytest.mark.parametrize("by", ["length", "chunks"])
async def test_a_body_above_the_limit_is_refused_before_it_is_read(make_gate: "MakeGate", by: str) -> None:
    """Told beforehand or found while reading; the client that still sends gets to see the answer."""
    async with make_gate(max_body_bytes=50_000) as gate:
        head = CHAT + key_of(gate)
        if by == "length":
            sent = [head + b"content-length: 99999999999\r\n\r\n", b"a" * 60_000]
        else:
            piece = b"1000\r\n%s\r\n" % (b"a" * 0x1000)
            sent = [head + CHUNKED + b"\r\n", piece * 8, piece * 8, piece * 8]
        (answer,) = await talk(gate.port, *sent)
    assert answer.status == 413
    assert error_of(answer)["code"] == "too_large"
    assert answer.header("connection") == "close"


async def test_a_compressed_body_is_not_taken(gate: "Gate") -> None:
    """So that none can grow a thousandfold."""
    (answer,) = await talk(gate.port, chat(gate, b"\x1f\x8b\x08", b"content-encoding: gzip\r\n"))
    assert answer.status == 415


async def test_more_clients_than_allowed_are_told_to_come_back(make_gate: "MakeGate") -> None:
    """Those that are connected are served all the same."""
    async with make_gate(max_connections=1) as gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        writer.write(HEALTH + b"\r\n")
        await reader.readuntil(b'"ok"}')
        (refused,) = await talk(gate.port)
        assert (refused.status, refused.header("retry-after")) == (503, "1")
        writer.write(HEALTH + CLOSE + b"\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()
        await writer.wait_closed()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=200))
def test_no_bytes_bring_a_500_or_no_answer(local_port: int, data: bytes) -> None:
    """Whatever is sent, and an end: refusals in the dialect, or nothing where nothing was asked."""

    async def ask() -> list[RawAnswer]:
        return await talk(local_port, data + b"\r\n\r\n\r\n", HEALTH + CLOSE + b"\r\n")

    found = asyncio.run(ask())
    assert found
    assert all(answer.status < 500 or answer.status == 505 for answer in found)


# ---- who is let go


async def test_a_client_that_is_slow_with_its_head_is_let_go(make_gate: "MakeGate") -> None:
    """However often it sends a byte; others are answered meanwhile."""
    async with make_gate(head_timeout_s=0.2) as gate:
        slow = [asyncio.create_task(talk(gate.port, b"GET /healthz HTT")) for _ in range(20)]
        assert (await gate.ask("GET", "/healthz")).status == 200
        found = await asyncio.gather(*slow)
    assert {answer.status for answers in found for answer in answers} == {408}
    assert all(len(answers) == 1 for answers in found)


async def test_a_client_that_sends_nothing_is_let_go_without_a_word(make_gate: "MakeGate") -> None:
    """At the beginning, and between two requests."""
    async with make_gate(head_timeout_s=0.2, idle_timeout_s=0.2) as gate:
        assert await talk(gate.port) == []
        (answer,) = await talk(gate.port, HEALTH + b"\r\n")
        assert answer.status == 200


async def test_a_client_that_is_slow_with_its_body_is_let_go(
    make_gate: "MakeGate", vendor: OpenAIChatServer
) -> None:
    """Its request is answered with 408, and nobody is asked for it."""
    async with make_gate(body_timeout_s=0.2) as gate:
        (answer,) = await talk(gate.port, CHAT + key_of(gate) + b"content-length: 100\r\n\r\n{")
    assert answer.status == 408
    assert vendor.requests == []


async def test_a_large_body_may_take_longer_while_it_comes(make_gate: "MakeGate") -> None:
    """Each stretch of time is judged by itself; what is left is too slow."""
    async with make_gate(body_timeout_s=0.3) as gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        writer.write(CHAT + key_of(gate) + b"content-length: 40000\r\n\r\n" + b" " * 20_000)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 408")


async def test_a_client_that_does_not_read_holds_up_its_vendor_and_is_let_go(
    make_gate: "MakeGate", vendor: OpenAIChatServer
) -> None:
    """Its vendor is not read either, so memory stays; after the time for reading both are closed."""
    vendor.then(Say("word " * 500, endless=True))
    body = BODY.replace(b'"model"', b'"stream": true, "model"')
    async with make_gate(write_timeout_s=0.3) as gate:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, ("127.0.0.1", gate.port))
        await loop.sock_sendall(raw, chat(gate, body))
        await vendor.client_left.wait()
        raw.close()
    assert len(vendor.requests) == 1
