"""What the gateway costs beside asking its upstream directly: `python tests/bench/gateway.py`.

The upstream (`vendor.py`) and the gateway are processes of their own, the clients (`load.py`) live here. With
two cores the gateway has one for itself. Every request is authenticated, permitted, routed, redacted,
translated both ways, recorded and counted; every event of a stream is read and written. Processor time is the
gateway's own, so what else the machine does changes it least.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from figure import Figure
from interlock_api.testing import GatewayProcess, talk
from load import Load, drive, post

CLIENTS = (1, 16, 64)
ASKED = [{"role": "user", "content": "Compare these two designs for an event log, and recommend one. " * 12}]
PATH = "/v1/chat/completions"
CONFIG = """
[providers.bench]
kind = "openai-compatible"
base_url = "http://127.0.0.1:{port}/v1"
models = ["echo"]
"""


@dataclass(slots=True)
class Pair:
    """The same load on the upstream and on the gateway, several times in turn.

    Attributes:
        direct: On the upstream.
        through: On the gateway.
        cpu_us: Processor time of the gateway for each answer, in microseconds.
    """

    direct: list[Load] = field(default_factory=list[Load])
    through: list[Load] = field(default_factory=list[Load])
    cpu_us: list[float] = field(default_factory=list[float])

    @property
    def rates(self) -> tuple[float, float]:
        """Answers a second, directly and through the gateway."""
        return _median(load.rate for load in self.direct), _median(load.rate for load in self.through)

    @property
    def added_p50_ms(self) -> float:
        """Milliseconds that the gateway adds to the median answer."""
        through = _median(load.p50_ms() for load in self.through)
        return through - _median(load.p50_ms() for load in self.direct)

    @property
    def added_first_ms(self) -> float:
        """Milliseconds that the gateway adds to the median first byte of an answer's body."""
        through = _median(load.first_p50_ms() for load in self.through)
        return through - _median(load.first_p50_ms() for load in self.direct)

    @property
    def of_a_core(self) -> float:
        """Answers a second that one core has the processor time for."""
        return 1e6 / _median(self.cpu_us)


def _median(values: Iterator[float] | list[float]) -> float:
    return statistics.median(values)


@contextmanager
def upstream() -> Generator[tuple[int, int], None, None]:
    """A vendor in a process of its own: its port and its process id."""
    command = [sys.executable, str(Path(__file__).with_name("vendor.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.terminate()


@contextmanager
def gateway(port: int) -> Generator[GatewayProcess, None, None]:
    """A gateway in front of it, whose data folder was made by an earlier start."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        config = CONFIG.format(port=port)
        with GatewayProcess(home, config=config) as first:
            first.stop()
        with GatewayProcess(home, config=config) as process:
            ready(process)
            yield process
            process.stop()


def ready(process: GatewayProcess) -> None:
    """Ask whether it is ready, which loads what the first request would."""
    asyncio.run(talk(process.port, b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, in seconds."""
    threads = Path("/proc", str(pid), "task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def memory_mb(pid: int) -> float:
    """Memory that a process holds now, in megabytes."""
    return int(Path("/proc", str(pid), "status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def apart(gateway_pid: int, vendor_pid: int) -> Generator[None, None, None]:
    """Give the gateway a core of its own meanwhile, where there is more than one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(gateway_pid, cores[:1])
        os.sched_setaffinity(vendor_pid, cores[1:])
        os.sched_setaffinity(0, cores[1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def measure(rounds: int, seconds: float) -> Iterator[tuple[str, float | Pair]]:
    """Start, memory, and each load by name."""
    with upstream() as (port, vendor), gateway(port) as process:
        yield "start", cpu_s(process.pid) * 1000
        yield "idle", memory_mb(process.pid)
        with apart(process.pid, vendor):
            for stream in (False, True):
                for clients in CLIENTS:
                    name = f"{'stream' if stream else 'whole'} {clients}"
                    yield name, _pair((port, process), clients, rounds, seconds, stream=stream)
        yield "loaded", memory_mb(process.pid)


def _pair(
    sides: tuple[int, GatewayProcess], clients: int, rounds: int, seconds: float, *, stream: bool
) -> Pair:
    """One load on the upstream's port and on the gateway, in turn."""
    port, process = sides
    body = {"model": "echo", "messages": ASKED, "stream": stream}
    direct = post(PATH, json.dumps(body).encode())
    through = post(PATH, json.dumps({**body, "model": "bench/echo"}).encode(), process.key)
    uvloop.run(drive(process.port, through, clients=clients, seconds=0.3))
    pair = Pair()
    for _ in range(rounds):
        pair.direct.append(uvloop.run(drive(port, direct, clients=clients, seconds=seconds / 2)))
        before = cpu_s(process.pid)
        load = uvloop.run(drive(process.port, through, clients=clients, seconds=seconds))
        pair.cpu_us.append((cpu_s(process.pid) - before) / len(load.latencies) * 1e6)
        pair.through.append(load)
    return pair


def figures(*, full: bool) -> Iterator[Figure]:
    """The figures of the report; the whole table is this file's own."""
    for name, value in measure(3 if full else 1, 4.0 if full else 1.5):
        if not isinstance(value, Pair):
            if name == "start":
                yield Figure("gateway, from nothing to ready", value, "ms CPU", 1000)
            elif name == "idle":
                yield Figure("gateway, memory when idle", value, "MB", 120)
        elif name == "whole 1":
            yield Figure("gateway, added to the median answer, 1 client", value.added_p50_ms, "ms", 0.8)
        elif name == "whole 64":
            yield Figure("gateway, an answer, 64 clients", _median(value.cpu_us), "us CPU", 1e6 / 3000)
        elif name == "stream 64":
            yield Figure("gateway, a stream of 53 events, 64 clients", _median(value.cpu_us), "us CPU")


def _row(name: str, pair: Pair) -> str:
    direct, through = pair.rates
    failed = sum(load.failures for load in (*pair.direct, *pair.through))
    return (
        f"{name:10} {through:8.0f}/s, 1/{direct / through:.0f} of {direct:.0f}/s directly; "
        f"{_median(pair.cpu_us):6.0f} us CPU each, {pair.of_a_core:6.0f}/s a core; "
        f"adds {pair.added_p50_ms:8.2f} ms to p50, {pair.added_first_ms:8.2f} ms to the first byte"
        f"{f'; {failed} FAILED' if failed else ''}"
    )


def main() -> int:
    """Prints the whole table."""
    full = os.environ.get("INTERLOCK_BENCH_FULL") == "1"
    for name, value in measure(3 if full else 1, 4.0 if full else 2.0):
        if isinstance(value, Pair):
            print(_row(name, value), flush=True)
        else:
            print(f"{name:10} {value:8.1f} {'ms CPU' if name == 'start' else 'MB'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
