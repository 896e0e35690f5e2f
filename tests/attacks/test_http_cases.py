"""Attacks on the gateway's HTTP: the rows of cases.toml for keys and for bytes, against a real server."""

import asyncio
import gzip
import json
import re
import shutil
import socket
import tomllib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from interlock_api.testing import GatewayProcess, RawAnswer, answers, talk
from interlock_core.testing import LoopbackServer
from interlock_providers.testing import OpenAIChatServer, Say
from interlock_runtime import KeyRequest, Runtime, Settings

FILE = Path(__file__).parent / "cases.toml"
PROVIDER_KEY = "sk-attacked-51c0b7e2"
CHAT = {"model": "acme/small", "messages": [{"role": "user", "content": "hi"}]}
CONFIG = """
[server]
head_timeout_s = 1.0
write_timeout_s = 1.0
max_body_bytes = 1_000_000

[providers.acme]
kind = "openai-compatible"
base_url = "{url}"
api_key = "{key}"
models = ["small"]

[providers.local]
kind = "local"
enabled = false
"""

Case = dict[str, object]


def rows(surface: str) -> list[Case]:
    """The cases of a surface."""
    listed = cast("list[Case]", tomllib.loads(FILE.read_text(encoding="utf-8"))["case"])
    return [case for case in listed if case["surface"] == surface]


@dataclass
class Stage:
    """Where one attack happens, and what came of it.

    Attributes:
        gateway: The server.
        vendor: Its upstream, which counts.
        elsewhere: A listener that nobody may connect to.
        key: A valid key.
        found: The answers, in the order of what was sent.
        spent_s: Processor time of the server.
        grown_mb: By how much its memory grew at the most.
        seen: What else was seen, by its word.
    """

    gateway: GatewayProcess
    vendor: OpenAIChatServer
    elsewhere: LoopbackServer
    key: str
    found: list[RawAnswer] = field(default_factory=list[RawAnswer])
    spent_s: float = 0.0
    grown_mb: float = 0.0
    seen: set[str] = field(default_factory=set[str])

    def filled(self, text: str) -> str:
        """A text with its placeholders filled in."""
        return text.replace("{key}", self.key).replace("{port}", str(self.elsewhere.port))

    async def send(self, *pieces: bytes) -> list[RawAnswer]:
        """Send bytes, and keep what is answered."""
        got = await talk(self.gateway.port, *pieces)
        self.found += got
        return got

    async def request(
        self, target: str, headers: Sequence[tuple[str, str]], body: bytes | None = None
    ) -> list[RawAnswer]:
        """Send one request."""
        names = {name.lower() for name, _ in headers}
        lines = [f"{'GET' if body is None else 'POST'} {target} HTTP/1.1", "connection: close"]
        lines += [] if "host" in names else ["host: localhost"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines += [] if body is None else [f"content-length: {len(body)}"]
        return await self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    def post(self, body: bytes, *headers: str) -> bytes:
        """A request with the valid key, as bytes."""
        lines = [
            "POST /v1/chat/completions HTTP/1.1",
            "host: localhost",
            f"x-api-key: {self.key}",
            "connection: close",
            *headers,
        ]
        lines += (
            [] if any("transfer-encoding" in line for line in headers) else [f"content-length: {len(body)}"]
        )
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# ---- the stage


@pytest.fixture(scope="module")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose database is made."""
    home = tmp_path_factory.mktemp("made") / "home"

    async def make() -> None:
        async with Runtime.open(Settings(home=home), environment={}) as runtime:
            await runtime.access.ensure_admin_key()

    asyncio.run(make())
    return home


@pytest.fixture
async def stage(made_home: Path, tmp_path: Path) -> AsyncGenerator[Stage, None]:
    """A server process of the test's own, its upstream, and a listener elsewhere."""
    home = tmp_path / "home"
    shutil.copytree(made_home, home)
    async with OpenAIChatServer(models=("small",), key=PROVIDER_KEY) as vendor, LoopbackServer() as elsewhere:
        config = CONFIG.format(url=vendor.url, key=PROVIDER_KEY)
        with GatewayProcess(home, config=config) as gateway:
            yield Stage(gateway, vendor, elsewhere, gateway.key)


async def key_of(stage: Stage, kind: str) -> str:
    """A key of that kind."""
    if kind == "valid-with-last-character-changed":
        return stage.key[:-1] + ("A" if stage.key[-1] != "A" else "B")
    if kind in {"expired", "revoked-on-open-connection"}:
        settings = Settings(home=stage.gateway.home)
        async with Runtime.open(settings, environment={}) as runtime:
            wish = KeyRequest(name=kind, expires_in_s=0.001 if kind == "expired" else None)
            return str((await runtime.access.create_key(wish))["key"])
    return stage.key


@asynccontextmanager
async def connected(stage: Stage) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
    """A connection to the server, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.gateway.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


# ---- keys


@pytest.mark.parametrize("case", rows("key"), ids=lambda case: str(case["id"]))
async def test_a_key_that_is_none_opens_nothing(stage: Stage, case: Case) -> None:
    """Whatever carries it, and whatever the path looks like."""
    kind = str(case.get("key", ""))
    stage.key = await key_of(stage, kind)
    before = _spent(stage)
    if kind == "revoked-on-open-connection":
        await _revoked(stage)
    else:
        for target, headers, body in _requests(stage, case):
            await stage.request(target, headers, body)
    stage.spent_s = _spent(stage) - before
    _judge(stage, case)


def _requests(stage: Stage, case: Case) -> list[tuple[str, list[tuple[str, str]], bytes | None]]:
    """What a case sends: targets, headers, bodies."""
    given = cast("dict[str, str]", case.get("headers", {}))
    headers = [(name, stage.filled(value)) for name, value in given.items()]
    if "values" in case:
        values = cast("list[str]", case["values"])
        return [("/v1/models", [("Authorization", stage.filled(value))], None) for value in values]
    if "repeat" in case:
        return [("/v1/models", [("Authorization", "Bearer ilk_" + "a" * cast("int", case["repeat"]))], None)]
    if "targets" in case:
        return [(target, headers, None) for target in cast("list[str]", case["targets"])]
    if "target" in case:
        return [(stage.filled(str(case["target"])), headers, None)]
    body = json.loads(stage.filled(json.dumps(case.get("body", CHAT))))
    if case.get("key") not in {None, "none"} and not headers:
        headers = [("Authorization", f"Bearer {stage.key}")]
    return [("/v1/chat/completions", headers, json.dumps(body).encode())]


async def _revoked(stage: Stage) -> None:
    """Use a key, have another process revoke it, and use it again on the same connection."""
    request = f"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-api-key: {stage.key}\r\n\r\n".encode()

    async with connected(stage) as (reader, writer):

        async def ask() -> RawAnswer:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            assert length is not None
            return answers(head + await reader.readexactly(int(length[1])))[0]

        assert (await ask()).status == 200
        async with Runtime.open(Settings(home=stage.gateway.home), environment={}) as runtime:
            keys = await runtime.access.keys()
            (row,) = [row for row in keys if row["name"] == "revoked-on-open-connection"]
            await runtime.access.revoke_key(str(row["id"]))
        # Another process may know a key for a second more.
        async with asyncio.timeout(30):
            while (answer := await ask()).status == 200:
                pass
        stage.found.append(answer)


# ---- bytes


@pytest.mark.parametrize("case", rows("wire"), ids=lambda case: str(case["id"]))
async def test_bytes_that_are_no_clean_request_harm_nobody(stage: Stage, case: Case) -> None:
    """Refused where they break a rule; within memory; the others are served meanwhile."""
    assert (await stage.request("/healthz", []))[0].status == 200
    stage.found.clear()
    before, memory = _spent(stage), _memory(stage)
    if "make" in case:
        await MAKERS[str(case["make"])](stage, case)
    elif "bodies" in case:
        for body in cast("list[str]", case["bodies"]):
            await stage.send(stage.post(body.encode("utf-8", "surrogatepass")))
    else:
        text = str(case["bytes"])
        for value in cast("list[str]", case.get("values", [""])):
            await stage.send(text.replace("{value}", value).encode("latin-1"))
    stage.spent_s = _spent(stage) - before
    stage.grown_mb = _memory(stage, most=True) - memory
    assert (
        await talk(
            stage.gateway.port, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        )
    )[0].status == 200
    _judge(stage, case)


async def _endless_chunks(stage: Stage, case: Case) -> None:
    """Chunks until the server has enough; what it says stands before the end of the connection."""
    del case
    piece = b"10000\r\n%s\r\n" % (b" " * 0x10000)
    received = bytearray()
    async with connected(stage) as (reader, writer):
        writer.write(stage.post(b"", "transfer-encoding: chunked"))
        with suppress(ConnectionError):
            while True:
                writer.write(piece)
                await writer.drain()
                with suppress(TimeoutError):
                    data = await asyncio.wait_for(reader.read(65_536), 0.001)
                    received += data
                    if not data:
                        break
    stage.found += answers(bytes(received))


async def _large_head(stage: Stage, case: Case) -> None:
    size = cast("int", case["size"])
    await stage.send(b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-large: ", b"a" * size, b"\r\n\r\n")


async def _many_headers(stage: Stage, case: Case) -> None:
    lines = b"".join(b"x-%d: 1\r\n" % number for number in range(cast("int", case["size"])))
    await stage.send(b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n", lines, b"\r\n")


async def _slow_clients(stage: Stage, case: Case) -> None:
    """Each sends a byte whenever it has heard nothing for a moment."""

    async def slow() -> bool:
        """Whether the server ended it."""
        async with connected(stage) as (reader, writer):
            try:
                for byte in b"GET /healthz HTTP/1.1\r\nhost: " + b"x" * 2_000:
                    writer.write(bytes([byte]))
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(), 0.05)
                        return True
            except ConnectionError:
                return True
        return False

    clients = [asyncio.create_task(slow()) for _ in range(cast("int", case["size"]))]
    (answer,) = await talk(stage.gateway.port, stage.post(json.dumps(CHAT).encode()))
    if answer.status == 200 and not all(client.done() for client in clients):
        stage.seen.add("others-answered")
    if all(await asyncio.gather(*clients)):
        stage.seen.add("slow-ones-closed")


async def _does_not_read(stage: Stage, case: Case) -> None:
    del case
    stage.vendor.then(Say("word " * 2_000, endless=True))
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", stage.gateway.port))
        await loop.sock_sendall(client, stage.post(json.dumps({**CHAT, "stream": True}).encode()))
        await stage.vendor.client_left.wait()
    stage.seen.add("upstream-paused-or-closed")
    if _memory(stage, most=True) < 150:
        stage.seen.add("memory-bounded")


async def _leaves(stage: Stage, case: Case) -> None:
    del case
    stage.vendor.then(Say("one two three", hold=True))
    async with connected(stage) as (reader, writer):
        writer.write(stage.post(json.dumps({**CHAT, "stream": True}).encode()))
        await reader.readuntil(b"three")
    await stage.vendor.client_left.wait()
    stage.seen.add("upstream-closed")
    head = f"GET /metrics HTTP/1.1\r\nhost: localhost\r\nx-api-key: {stage.key}\r\nconnection: close\r\n\r\n"
    (metrics,) = await talk(stage.gateway.port, head.encode())
    used = re.findall(rb"^gen_ai_client_token_usage_sum\{[^}]*\} ([0-9.e+]+)$", metrics.body, re.MULTILINE)
    if used and all(float(count) > 0 for count in used):
        stage.seen.add("usage-recorded")


async def _gzip_bomb(stage: Stage, case: Case) -> None:
    packed = gzip.compress(b" " * cast("int", case["size"]))
    await stage.send(stage.post(packed, "content-encoding: gzip"))


MAKERS = {
    "endless-chunks": _endless_chunks,
    "large-head": _large_head,
    "many-headers": _many_headers,
    "slow-clients": _slow_clients,
    "client-that-does-not-read": _does_not_read,
    "client-that-leaves": _leaves,
    "gzip-bomb": _gzip_bomb,
}


# ---- what must hold


def _judge(stage: Stage, case: Case) -> None:
    for word in cast("list[str]", case["holds"]):
        assert _holds(stage, word), f"{word} does not hold: {stage.found} {stage.gateway.log}"


def _holds(stage: Stage, word: str) -> bool:
    if match := re.fullmatch(r"status-(\d+(?:-or-\d+)*)", word):
        allowed = {int(status) for status in match[1].split("-or-")}
        return bool(stage.found) and {answer.status for answer in stage.found} <= allowed
    if match := re.fullmatch(r"(seconds|megabytes)<(\d+)", word):
        return (stage.spent_s if match[1] == "seconds" else stage.grown_mb) < int(match[2])
    return word in stage.seen or (word in WORDS and WORDS[word](stage))


WORDS: dict[str, Callable[[Stage], bool]] = {
    "nothing-sent-upstream": lambda stage: not stage.vendor.requests,
    "nothing-listed": lambda stage: all(b"acme/" not in answer.body for answer in stage.found),
    "no-500": lambda stage: all(answer.status < 500 for answer in stage.found),
    "key-not-in-logs": lambda stage: stage.key not in "\n".join(stage.gateway.log),
    "no-cors-headers": lambda stage: (
        not any(name.startswith("access-control") for answer in stage.found for name, _ in answer.headers)
    ),
    "no-connection": lambda stage: stage.elsewhere.connections == 0,
    "provider-key-not-sent-elsewhere": lambda stage: stage.elsewhere.requests == [],
    # `talk` returns when the server has closed, and not before.
    "connection-closed": lambda stage: all(answer.header("connection") == "close" for answer in stage.found),
    "body-not-awaited": lambda stage: bool(stage.found),
    "one-answer": lambda stage: len(stage.found) in {1, 6},
}
"""What must hold, by word; those that only one attack can see stand in `Stage.seen`."""


def _spent(stage: Stage) -> float:
    """Processor time of the server so far, in seconds."""
    threads = Path("/proc", str(stage.gateway.pid), "task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _memory(stage: Stage, *, most: bool = False) -> float:
    """Memory of the server in megabytes, now or at the most."""
    status = Path("/proc", str(stage.gateway.pid), "status").read_text()
    found = re.search(rf"^{'VmHWM' if most else 'VmRSS'}:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024
