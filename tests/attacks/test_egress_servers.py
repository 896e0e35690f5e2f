"""Servers that mean no good, against everything that asks one: TLS, redirects, sizes and time.

Each attack is tried on every way out of the house (`egress_world.SURFACES`). Servers write until whoever asks
has left; nothing waits by the clock but the deadline that is under test.
"""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Generator
from pathlib import Path

import pytest

from interlock_core.testing import Answer, LoopbackServer

from .egress_world import MOST_BYTES, SURFACES, Authority, byte_server, ticks

pytestmark = pytest.mark.promise("A10")

PATIENCE_S = 30.0
"""Seconds where time is not what is tried."""
SDK_MOST = 64 * MOST_BYTES
"""The longest answer of a carrier over an SDK, which has a bound of its own."""

JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
UNTRUSTED = {
    "expired": "certificate has expired",
    "early": "certificate is not yet valid",
    "wrong": "not valid for '127.0.0.1'",
    "own": "self-signed certificate",
}
BOUNDED = [name for name in SURFACES if name != "sdk"]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Authority, None, None]:
    """An authority that this machine trusts."""
    found = Authority(tmp_path)
    with found.trusted(monkeypatch):
        yield found


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("kind", UNTRUSTED)
async def test_a_certificate_that_proves_nothing_is_refused(
    authority: Authority, surface: str, kind: str
) -> None:
    """Of a server whose other certificate would do; it is said why, and no request is sent."""
    async with LoopbackServer(tls=authority.context(kind)) as server:
        told = await SURFACES[surface](server.url, PATIENCE_S)
        assert UNTRUSTED[kind].lower().rstrip("'") in told.lower().replace("ip address mismatch, ", "")
        assert server.requests == []


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_certificate_that_is_right_lets_the_request_through(
    authority: Authority, surface: str
) -> None:
    """So the refusals above are about the certificates: here the answer, a 404, is what is told."""
    async with LoopbackServer(lambda _: Answer(status=404), tls=authority.context("good")) as server:
        try:
            await SURFACES[surface](server.url, PATIENCE_S)
        except AssertionError as error:
            assert str(error) == "an answer was taken"  # noqa: PT017 - a carrier hands a 404 on
        assert server.requests


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("status", [301, 307])
async def test_a_redirect_away_from_https_is_not_followed(
    authority: Authority, surface: str, status: int
) -> None:
    """Nothing reaches the plain server, whatever method asked."""
    async with LoopbackServer() as plain:
        led = Answer(status=status, headers=(("location", f"{plain.url}/taken"),))
        async with LoopbackServer(lambda _: led, tls=authority.context("good")) as server:
            try:
                await SURFACES[surface](server.url, PATIENCE_S)
            except AssertionError as error:
                assert str(error) == "an answer was taken"  # noqa: PT017 - a carrier hands the redirect on
            assert server.requests
        assert plain.requests == []


async def written(surface: str, head: bytes, piece: bytes, *, said: str) -> int:
    """How many bytes a server got rid of that writes without an end, and what was told of it."""
    count = 0

    async def serve(writer: asyncio.StreamWriter) -> None:
        nonlocal count
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            count += len(piece)

    async with byte_server(serve) as origin:
        told = await SURFACES[surface](origin, PATIENCE_S)
    assert said in told, told
    return count


@pytest.mark.parametrize("surface", BOUNDED)
async def test_a_body_without_an_end_is_left(surface: str) -> None:
    """In chunks and until the connection closes; the bound is named, and little more than it is read."""
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    for head, piece in ((b"transfer-encoding: chunked\r\n\r\n", chunk), (b"\r\n", b"x" * 65_536)):
        # The SDK of MCP asks in two ways, and an answer may be 64 MiB long.
        bound = 160 * MOST_BYTES if surface == "mcp" else 16 * MOST_BYTES
        assert await written(surface, JSON + head, piece, said="longer than") < bound


@pytest.mark.parametrize("surface", BOUNDED)
async def test_a_head_without_an_end_is_left(surface: str) -> None:
    """One header as long as one likes, and as many headers as one likes."""
    for piece in (b"x" * 65_536, b"x-header: 1\r\n" * 4_096):
        head = JSON + (b"x-long: " if piece[:2] == b"xx" else b"")
        assert await written(surface, head, piece, said="head of more than 65536 bytes") < 16 * MOST_BYTES


async def test_a_carrier_over_an_sdk_is_bounded_as_well() -> None:
    """Its own bound for bodies, and its stack's for heads."""
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    head = JSON + b"transfer-encoding: chunked\r\n\r\n"
    assert await written("sdk", head, chunk, said="longer than") < SDK_MOST + 16 * MOST_BYTES
    for piece in (b"x" * 65_536, b"x-header: 1\r\n" * 4_096):
        head = JSON + (b"x-long: " if piece[:2] == b"xx" else b"")
        assert await written("sdk", head, piece, said="failed: ") < 16 * MOST_BYTES


async def peak(surface: str, wire: bytes, *, said: str) -> int:
    """The most memory that an answer costs, which is there before anybody asks."""

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(wire)
        await writer.drain()
        await asyncio.Event().wait()

    async with byte_server(serve) as origin:
        tracemalloc.start()
        try:
            told = await SURFACES[surface](origin, PATIENCE_S)
        except AssertionError as error:
            told = str(error)
        finally:
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    assert said in told, told
    return most


@pytest.mark.parametrize("surface", BOUNDED)
async def test_a_compression_bomb_is_not_unpacked(surface: str) -> None:
    """256 MiB in a quarter of a MiB: unpacked to the bound and no further."""
    bomb = gzip.compress(bytes(256 * MOST_BYTES), 9)
    head = JSON + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    bound = 96 if surface == "mcp" else 24
    assert await peak(surface, head + bomb, said="longer than") < bound * MOST_BYTES


async def test_an_answer_in_chunks_of_two_bytes_costs_little_more_than_its_bytes() -> None:
    """Each piece kept by itself would take twenty times its length."""
    small = JSON + b"content-length: 2\r\n\r\n{}"
    many = JSON + b"transfer-encoding: chunked\r\n\r\n" + b"2\r\nxx\r\n" * 32_768 + b"0\r\n\r\n"
    for wire in (small, many):  # the first one brings in what is imported when it is wanted
        most = await peak("fast", wire, said="an answer was taken")
    assert most < MOST_BYTES


@pytest.mark.parametrize("surface", [name for name in SURFACES if name != "webhook"])
async def test_a_body_that_drips_ends_with_the_time_allowed(surface: str) -> None:
    """However often a byte comes; the deadline is for the whole, not for the next byte."""
    dripped = 0

    async def serve(writer: asyncio.StreamWriter) -> None:
        nonlocal dripped
        writer.write(JSON + b"content-length: 1000000\r\n\r\n")
        async for _ in ticks(0.01):
            writer.write(b" ")
            await writer.drain()
            dripped += 1

    async with byte_server(serve) as origin:
        told = await SURFACES[surface](origin, 0.5)
    assert any(word in told for word in ("in the time allowed", "not ready within", "time")), json.dumps(told)
    assert 0 < dripped < 1000
