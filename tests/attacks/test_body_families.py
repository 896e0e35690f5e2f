"""Bodies that are none, sent by many at once, while another caller is served.

Times are those of the server's processor, so that a busy machine changes nothing: what another caller feels
is how long the server computed while it waited.
"""

import asyncio
import gzip
import json
import os
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from interlock_api.testing import GatewayProcess, answers, talk
from interlock_core.jsontypes import as_object

from .harness.cases import Case, family
from .harness.seen import Seen, problems

FAMILIES = (14,)
FULL = os.environ.get("INTERLOCK_FULL") == "1"
SENDERS = 50
SMALLER = 10
"""By how much the largest bodies are smaller without FULL, and where a key makes the server read them.

What a caller with a key may have parsed at a time is bounded by `max_body_bytes`, not by this table.
"""
HEALTH = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
CONFIG = """
[server]
body_timeout_s = 1.0

[providers.local]
kind = "local"
enabled = false
"""
_TIMES = re.compile(r'\{"((?:[^"\\]|\\.)*)"\*(\d+)\}')


@dataclass(slots=True)
class Sent:
    """What one sender sends.

    Attributes:
        head: The lines of the request that frame its body, and any more.
        pieces: The body, piece by piece.
        slow: Whether each piece waits until nothing was heard for a moment.
    """

    head: list[str] = field(default_factory=list[str])
    pieces: list[bytes] = field(default_factory=list[bytes])
    slow: bool = False


def _plain(body: bytes) -> Sent:
    return Sent([f"content-length: {len(body)}"], [body])


def _chunked(*pieces: bytes, slow: bool = False) -> Sent:
    return Sent(["transfer-encoding: chunked"], [*pieces], slow)


def _object(keys: int) -> bytes:
    return b"{" + b",".join(b'"%d":1' % number for number in range(keys)) + b"}"


_LARGE: Mapping[str, Callable[[int], Sent]] = {
    "{object of 1000000 keys}": lambda smaller: _plain(_object(1_000_000 // smaller)),
    "{gzip of 1000000000 zeros}": lambda smaller: _plain(gzip.compress(bytes(1_000_000_000 // smaller), 1)),
    '{"\\"" + "a"*100000000}': lambda smaller: _plain(b'"' + b"a" * (100_000_000 // smaller)),
}
_MADE: Mapping[str, Callable[[], Sent]] = {
    "{length 1000000, 10 bytes}": lambda: Sent(["content-length: 1000000"], [b"0123456789"]),
    "{length -1}": lambda: Sent(["content-length: -1"], [b"{}"]),
    "{lengths 5 and 6}": lambda: Sent(["content-length: 5", "content-length: 6"], [b"123456"]),
    "{slow}": lambda: _chunked(*[b"1\r\n \r\n"] * 40, slow=True),
    "{chunk ffffffffffffffff}": lambda: _chunked(b"ffffffffffffffff\r\nx"),
    "{header 1000000}": lambda: Sent(["x-large: " + "a" * 1_000_000, "content-length: 0"]),
}
"""Bodies that a case describes; the large ones with the factor by which they are smaller."""


def made(body: str, smaller: int) -> Sent:
    """What a case's text of a body stands for."""
    if body in _LARGE:
        return _LARGE[body](smaller)
    if body in _MADE:
        return _MADE[body]()
    return _plain(_repeated(body).encode())


def _repeated(text: str) -> str:
    return _TIMES.sub(lambda found: json.loads(f'"{found[1]}"') * int(found[2]), text)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[GatewayProcess, None]:
    """A gateway process for the module."""
    with GatewayProcess(tmp_path_factory.mktemp("bodies") / "home", config=CONFIG) as process:
        await talk(process.port, HEALTH)
        yield process


@pytest.mark.promise("A9")
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("keyed", [False, True], ids=["without a key", "with a key"])
async def test_no_body_is_felt_by_anybody_but_its_sender(gateway: GatewayProcess, keyed: bool) -> None:
    """Every body of the table by many at once; with a key, which the table's senders have not, by one."""
    wrong: list[object] = []
    for case in family(14).cases:
        seen = await attacked(
            gateway, case, key=gateway.key if keyed else "", senders=1 if keyed else SENDERS
        )
        if found := problems(case, seen):
            wrong.append((case.id, case.given, found, seen.figures))
    assert wrong == []


async def attacked(gateway: GatewayProcess, case: Case, *, key: str, senders: int) -> Seen:
    """Carry out one case."""
    sent = made(str(case.send["body"]), 1 if FULL and not key else SMALLER)
    headers = {name: _repeated(str(value)) for name, value in as_object(case.send["headers"]).items()}
    if "encoding=gzip" in headers["Content-Type"]:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    lines = [f"{case.send['method']} {case.send['path']} HTTP/1.1", "host: localhost", "connection: close"]
    lines += sent.head
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"authorization: Bearer {key}"] if key else []
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    before, memory = _spent(gateway), _memory(gateway, "VmRSS")
    _forget_peak(gateway)
    tasks = [asyncio.create_task(_send(gateway.port, head, sent)) for _ in range(senders)]
    felt: list[float] = []
    while not felt or not all(task.done() for task in tasks):
        began = _spent(gateway)
        (answer,) = await talk(gateway.port, HEALTH)
        assert answer.status == 200
        felt.append(_spent(gateway) - began)
        await asyncio.wait(tasks, timeout=0.1)
    statuses = {task.result() for task in tasks}
    felt.sort()
    seen = Seen(
        figures={
            "seconds": _spent(gateway) - before,
            "p99_of_others": felt[min(len(felt) - 1, len(felt) * 99 // 100)],
            "memory_growth": _memory(gateway, "VmHWM") - memory,
        }
    )
    allowed = next(word for word in case.must if word.startswith("status"))
    known = {int(status) for status in re.findall(r"\d+", allowed)} | {0}
    seen.facts[allowed] = statuses <= known
    seen.figures |= {f"answered {status}": 1.0 for status in statuses}
    return seen


async def _send(port: int, head: bytes, sent: Sent) -> int:
    """Send it, and say what was answered; 0 when the connection was closed without a word."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = bytearray()

    async def hear() -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                received.extend(data)

    hearing = asyncio.create_task(hear())
    with suppress(ConnectionError):
        writer.write(head)
        for piece in sent.pieces:
            if sent.slow:
                await asyncio.wait([hearing], timeout=1.0)
            if hearing.done():
                break
            writer.write(piece)
            await writer.drain()
    async with asyncio.timeout(60):
        await hearing
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    found = answers(bytes(received))
    return found[0].status if found else 0


def _spent(gateway: GatewayProcess) -> float:
    """Processor time of the server so far, in seconds."""
    threads = Path("/proc", str(gateway.pid), "task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _forget_peak(gateway: GatewayProcess) -> None:
    """Have the system measure the peak of the server's memory from now on."""
    Path("/proc", str(gateway.pid), "clear_refs").write_text("5", "ascii")


def _memory(gateway: GatewayProcess, name: str) -> float:
    """A figure of the server's memory, in megabytes."""
    status = Path("/proc", str(gateway.pid), "status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024
