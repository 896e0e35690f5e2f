"""`serve` as a process: its start, its end, its workers."""

import asyncio
import json
import os
import select
import shutil
import signal
import socket
import sqlite3
import stat
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interlock_api import serve
from interlock_api.testing import GatewayProcess, talk
from interlock_core.errors import ConfigurationError, InterlockError, UnsupportedError
from interlock_providers.testing import OpenAIChatServer, Say
from interlock_runtime import Settings
from interlock_runtime.settings import ServerSettings

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

HEALTH = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"
BODY = json.dumps(
    {"model": "acme/sim-1", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
).encode()


@pytest.fixture
def home(made_home: Path, tmp_path: Path) -> Path:
    """A data folder of the test's own, made beforehand."""
    home = tmp_path / "home"
    shutil.copytree(made_home, home)
    return home


def config_for(vendor: OpenAIChatServer) -> str:
    """A configuration with the simulated vendor and nothing else."""
    return f"""
[providers.acme]
kind = "openai-compatible"
base_url = "{vendor.url}"
api_key = "sk-upstream-9c41b7d20e"
models = ["sim-1"]

[providers.local]
kind = "local"
enabled = false
"""


def post(key: str, body: bytes = BODY) -> bytes:
    """A request for a completion."""
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
        b"x-api-key: %s\r\ncontent-length: %d\r\n\r\n%s" % (key.encode(), len(body), body)
    )


async def opened(port: int, request: bytes, until: bytes) -> tuple["StreamReader", "StreamWriter"]:
    """A connection on which something was asked and its answer has begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await reader.readuntil(until)
    return reader, writer


async def closed(writer: "StreamWriter") -> None:
    """Close a connection."""
    writer.close()
    await writer.wait_closed()


# ---- start


def test_the_first_start_writes_an_admin_key_that_only_its_owner_may_read(tmp_path: Path) -> None:
    """Its path is told, and not the key, for nobody sits at a terminal."""
    with GatewayProcess(tmp_path / "home") as gateway:
        key = gateway.key
        gateway.wait_for("admin.key")
        assert gateway.stop() == 0
    assert key.startswith("ilk_")
    assert key not in "\n".join(gateway.log)
    assert stat.S_IMODE((tmp_path / "home" / "admin.key").stat().st_mode) == 0o600
    with GatewayProcess(tmp_path / "home") as again:
        assert again.key == key
        assert again.stop() == 0
    assert not any("admin.key" in line for line in again.log)


def test_a_start_loads_no_model_and_costs_little(home: Path) -> None:
    """Processor time and memory until it is ready, of a start that migrates nothing."""
    with GatewayProcess(home) as gateway:
        assert (
            asyncio.run(
                talk(gateway.port, b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            )[0].status
            == 200
        )
        mapped = Path("/proc", str(gateway.pid), "maps").read_text()
        assert gateway.stop() == 0
    assert "xllamacpp" not in mapped
    assert ".gguf" not in mapped


def test_a_port_in_use_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    """Not even the data folder is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = Settings(home=tmp_path / "home", server=ServerSettings(port=port))
        with pytest.raises(InterlockError, match=f"Port {port} .* in use") as caught:
            serve(settings, environment={})
    assert caught.value.field == "--port"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("host", ["192.0.2.7", "nowhere.invalid"])
def test_an_address_of_another_machine_is_refused(tmp_path: Path, host: str) -> None:
    """By its option."""
    settings = Settings(home=tmp_path / "home", server=ServerSettings(host=host, port=0))
    with pytest.raises(ConfigurationError, match=host) as caught:
        serve(settings, environment={})
    assert caught.value.field == "--host"


def test_an_address_beyond_this_machine_is_refused_while_there_is_no_key(tmp_path: Path) -> None:
    """And no key is made by trying."""
    settings = Settings(home=tmp_path / "home", server=ServerSettings(host="0.0.0.0", port=0))
    with pytest.raises(ConfigurationError, match="keys create"):
        serve(settings, environment={})
    assert not (tmp_path / "home" / "admin.key").exists()


def test_an_address_beyond_this_machine_is_served_once_there_is_a_key(home: Path) -> None:
    """Calls from this machine need one as well."""
    with GatewayProcess(home, environment={"INTERLOCK_SERVER__HOST": "0.0.0.0"}) as gateway:
        found = asyncio.run(
            talk(gateway.port, b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        )
        assert gateway.stop() == 0
    assert found[0].status == 401


def test_a_start_that_fails_is_told_in_one_sentence(tmp_path: Path) -> None:
    """A configuration that is wrong, on the way of a process supervisor."""
    with pytest.raises(RuntimeError, match="did not start") as caught:
        GatewayProcess(tmp_path / "home", config="[server]\nprot = 1\n").start()
    assert "prot" in str(caught.value)


# ---- end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_running_stream_is_finished_before_the_end(
    home: Path, vendor: OpenAIChatServer, number: signal.Signals
) -> None:
    """Idle connections are closed at once, nobody new is let in, and the exit status is 0."""
    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    vendor.then(Say("one two", gates=gates))
    with GatewayProcess(home, config=config_for(vendor)) as gateway:
        idle, idle_writer = await opened(gateway.port, HEALTH + b"\r\n", b'"ok"}')
        reader, writer = await opened(gateway.port, post(gateway.key), b"one")
        gateway.send(number)
        assert await idle.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", gateway.port)
        gates[1].set()
        rest = await reader.read()
        assert rest.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        assert await asyncio.to_thread(gateway.wait) == 0
        await closed(writer)
        await closed(idle_writer)


async def test_a_second_signal_ends_it_at_once(home: Path, vendor: OpenAIChatServer) -> None:
    """A running stream ends with an error that says why; the exit status is not 0."""
    vendor.then(Say("one two", hold=True))
    with GatewayProcess(home, config=config_for(vendor)) as gateway:
        idle, idle_writer = await opened(gateway.port, HEALTH + b"\r\n", b'"ok"}')
        reader, writer = await opened(gateway.port, post(gateway.key), b"two")
        gateway.send(signal.SIGTERM)
        assert await idle.read() == b""
        gateway.send(signal.SIGTERM)
        rest = await reader.read()
        assert b'"code":"stopping"' in rest
        assert b"[DONE]" not in rest
        await vendor.client_left.wait()
        assert await asyncio.to_thread(gateway.wait) == 1
        await closed(writer)
        await closed(idle_writer)


async def test_a_stream_that_outlasts_the_grace_is_cut_with_an_error(
    home: Path, vendor: OpenAIChatServer
) -> None:
    """The log counts them; the exit status is 0, for nothing else was to be done."""
    vendor.then(Say("one two", hold=True))
    variables = {"INTERLOCK_SERVER__GRACE_S": "0.2"}
    with GatewayProcess(home, config=config_for(vendor), environment=variables) as gateway:
        reader, writer = await opened(gateway.port, post(gateway.key), b"two")
        gateway.send(signal.SIGTERM)
        assert b'"code":"stopping"' in await reader.read()
        assert await asyncio.to_thread(gateway.wait) == 0
        await closed(writer)
    assert any("1 requests were cut off" in line for line in gateway.log)


async def test_a_client_that_never_reads_does_not_hold_up_the_end(
    home: Path, vendor: OpenAIChatServer
) -> None:
    """After the grace its connection is aborted."""
    vendor.then(Say("word " * 2000, endless=True))
    variables = {"INTERLOCK_SERVER__GRACE_S": "0.2"}
    with GatewayProcess(home, config=config_for(vendor), environment=variables) as gateway:
        loop = asyncio.get_running_loop()
        raw = socket.socket()
        raw.setblocking(False)
        await loop.sock_connect(raw, ("127.0.0.1", gateway.port))
        await loop.sock_sendall(raw, post(gateway.key))
        await vendor.asked.wait()
        gateway.send(signal.SIGTERM)
        assert await asyncio.to_thread(gateway.wait) == 0
        raw.close()


# ---- workers


def children(pid: int) -> set[int]:
    """The child processes of a process."""
    text = Path("/proc", str(pid), "task", str(pid), "children").read_text()
    return {int(child) for child in text.split()}


def two_workers(home: Path, vendor: OpenAIChatServer, **variables: str) -> GatewayProcess:
    """A gateway of two workers."""
    return GatewayProcess(
        home, config=config_for(vendor), environment={"INTERLOCK_SERVER__WORKERS": "2", **variables}
    )


async def test_workers_share_a_socket_and_tell_the_metrics_of_all(
    home: Path, vendor: OpenAIChatServer
) -> None:
    """What any of them counted is told by whoever is asked, also after a restart."""
    body = BODY.replace(b"true", b"false")
    with two_workers(home, vendor) as gateway:
        request = post(gateway.key, body).replace(
            b"host: localhost\r\n", b"host: localhost\r\nconnection: close\r\n"
        )
        found = await asyncio.gather(*(talk(gateway.port, request) for _ in range(30)))
        assert [answer.status for answers in found for answer in answers] == [200] * 30
        assert len(children(gateway.pid)) == 2
        assert await asyncio.to_thread(gateway.stop) == 0
    with two_workers(home, vendor) as again:
        head = (
            f"GET /metrics HTTP/1.1\r\nhost: localhost\r\nx-api-key: {again.key}\r\nconnection: close\r\n\r\n"
        )
        (metrics,) = await talk(again.port, head.encode())
        assert await asyncio.to_thread(again.stop) == 0
    counted = [
        line for line in metrics.body.decode().splitlines() if line.startswith("interlock_requests_total{")
    ]
    assert sum(float(line.rpartition(" ")[2]) for line in counted) == 30


@pytest.mark.promise("M3")
async def test_either_worker_tells_the_same_counters(home: Path, vendor: OpenAIChatServer) -> None:
    """Both served requests; each is asked while the other is stopped, and tells of all of them."""
    body = BODY.replace(b"true", b"false")
    with two_workers(home, vendor) as gateway:
        async with asyncio.timeout(60):
            while len(workers := sorted(children(gateway.pid))) < 2:
                await talk(gateway.port, HEALTH + b"connection: close\r\n\r\n")
        request = post(gateway.key, body).replace(b"host:", b"connection: close\r\nhost:")
        for stopped in workers:
            stop_between_writes(home, stopped)
            answers = await asyncio.gather(*(talk(gateway.port, request) for _ in range(5)))
            assert [answer.status for found in answers for answer in found] == [200] * 5
            os.kill(stopped, signal.SIGCONT)
        async with asyncio.timeout(60):
            one, other = [await all_told(gateway, home, stopped=worker) for worker in workers]
        assert one == other
        assert requests_in(one) == 10
        assert await asyncio.to_thread(gateway.stop) == 0


REQUESTS = "interlock_requests_total{"


def requests_in(lines: list[str]) -> float:
    """How many requests the counters tell of."""
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(REQUESTS))


async def all_told(gateway: GatewayProcess, home: Path, *, stopped: int) -> list[str]:
    """What the other worker tells once it tells of ten requests: each writes what it counted now and then."""
    while True:
        while requests_in(await counters(gateway)) < 10:
            continue
        stop_between_writes(home, stopped)
        found = await counters(gateway)
        os.kill(stopped, signal.SIGCONT)
        if requests_in(found) >= 10:
            return found


def stop_between_writes(home: Path, worker: int) -> None:
    """Stop a process at a moment when it holds nobody up: one stopped in a write would keep the database."""
    while True:
        os.kill(worker, signal.SIGSTOP)
        try:
            with closing(sqlite3.connect(home / "interlock.db", timeout=1)) as database:
                database.execute("BEGIN IMMEDIATE")
                return
        except sqlite3.OperationalError:
            os.kill(worker, signal.SIGCONT)


async def counters(gateway: GatewayProcess) -> list[str]:
    """The counters and histograms of `/metrics`, told by whichever worker answers."""
    head = (
        f"GET /metrics HTTP/1.1\r\nhost: localhost\r\nx-api-key: {gateway.key}\r\nconnection: close\r\n\r\n"
    )
    (metrics,) = await talk(gateway.port, head.encode())
    lines = metrics.body.decode().splitlines()
    return [line for line in lines if line.startswith(("interlock_", "gen_ai_")) and "_store_up" not in line]


async def test_a_worker_that_dies_is_replaced(home: Path, vendor: OpenAIChatServer) -> None:
    """The others go on meanwhile."""
    with two_workers(home, vendor) as gateway:
        await talk(gateway.port, HEALTH + b"connection: close\r\n\r\n")
        victim = min(children(gateway.pid))
        os.kill(victim, signal.SIGKILL)
        await asyncio.to_thread(gateway.wait_for, f"the worker {victim} ended with -9")
        assert (await talk(gateway.port, HEALTH + b"connection: close\r\n\r\n"))[0].status == 200
        assert await asyncio.to_thread(gateway.stop) == 0


async def test_workers_finish_their_streams_and_a_second_signal_ends_them(
    home: Path, vendor: OpenAIChatServer
) -> None:
    """The parent passes both signals on; the exit status says which it was."""
    for signals, status in ((1, 0), (2, 1)):
        gates = [asyncio.Event(), asyncio.Event()]
        gates[0].set()
        vendor.then(Say("one two", gates=gates))
        with two_workers(home, vendor) as gateway:
            idle, idle_writer = await opened(gateway.port, HEALTH + b"\r\n", b'"ok"}')
            reader, writer = await opened(gateway.port, post(gateway.key), b"one")
            gateway.send(signal.SIGINT)
            assert await idle.read() == b""
            if signals == 2:
                gateway.send(signal.SIGTERM)
            else:
                gates[1].set()
            assert (b"[DONE]" in await reader.read()) == (signals == 1)
            assert await asyncio.to_thread(gateway.wait) == status
            await closed(writer)
            await closed(idle_writer)


async def test_no_worker_outlives_its_parent(home: Path, vendor: OpenAIChatServer) -> None:
    """The parent is killed; the port is free again."""
    with two_workers(home, vendor) as gateway:
        idle, writer = await opened(gateway.port, HEALTH + b"\r\n", b'"ok"}')
        port, workers = gateway.port, [os.pidfd_open(pid) for pid in children(gateway.pid)]
        gateway.send(signal.SIGKILL)
        assert await idle.read() == b""
        assert await asyncio.to_thread(gateway.wait) == -9
        for worker in workers:
            # Such a descriptor can be read when its process has ended.
            ended, _, _ = await asyncio.to_thread(select.select, [worker], [], [], 60)
            assert ended
            os.close(worker)
        await closed(writer)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


def test_workers_that_cannot_begin_end_the_whole(
    home: Path, vendor: OpenAIChatServer, tmp_path: Path
) -> None:
    """Not restarted for ever: the log says why, the exit status is 1."""
    breaking = tmp_path / "breaking.py"
    breaking.write_text(
        "import os\n"
        "from interlock_api import _serve\n"
        "def fail(*a): raise RuntimeError('no worker today')\n"
        "_serve._work = fail\n"
        "_serve.main()\n"
    )
    gateway = GatewayProcess(
        home,
        config=config_for(vendor),
        environment={"INTERLOCK_SERVER__WORKERS": "2"},
        command=(sys.executable, str(breaking)),
    )
    with gateway:
        assert gateway.wait() == 1
    assert any("no more are started" in line for line in gateway.log)
    assert any("no worker today" in line for line in gateway.log)


def test_several_workers_are_refused_in_a_process_with_threads(home: Path) -> None:
    """A fork would copy one thread and the locks of all."""
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    thread.start()
    try:
        with pytest.raises(UnsupportedError, match="threads"):
            serve(Settings(home=home, server=ServerSettings(port=0, workers=2)), environment={}, quiet=True)
    finally:
        go_on.set()
        thread.join()
