"""The processes of a case, and what happens to them, to the clocks and to the cache meanwhile."""

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol, TypeAlias, cast
from urllib.parse import urlsplit

from budget_case import (
    ADA,
    AHEAD,
    ANSWERED,
    AWAY,
    EMPTIED,
    KILLED,
    MIDNIGHT,
    MONTH_END,
    OPEN,
    REFUND,
    RESET,
    WAIT_S,
    Case,
    Clock,
    Control,
    Count,
    NoLog,
    Still,
)
from budget_process import process

from interlock_core import Money
from interlock_core.store import Store
from interlock_security import BRANCH
from interlock_security.quotas import Ledger, Period, QuotaBook, Quotas, Scope

COUNTERS = ("limits_counters", "limits_events", "limits_slots")


class Crew:
    """The processes, and the cache in between.

    Args:
        case: What is carried out.
        control: How it is directed.
    """

    def __init__(self, case: Case, control: Control) -> None:
        self._case = case
        self._forks = multiprocessing.get_context("fork")
        self.between: BaseProcess | None = None
        if case.cache and case.scenario == AWAY:
            self.connect()
        self.processes = [self._started(process, (case, control, number)) for number in range(case.processes)]

    def connect(self) -> None:
        """Let the cache be reached."""
        self.between = self._started(_between, (self._case,))

    def kill(self, number: int) -> None:
        """Kill one process as a crash would."""
        self.processes[number].kill()
        self.processes[number].join()

    def end(self) -> None:
        """Kill what still runs."""
        for one in (*self.processes, *filter(None, [self.between])):
            one.kill()
            one.join()

    def _started(self, target: Callable[..., None], arguments: tuple[object, ...]) -> BaseProcess:
        made = self._forks.Process(target=target, args=arguments)
        made.start()
        return made


def _between(case: Case) -> None:
    """Pass bytes on between the gateway and its cache."""
    here, there = urlsplit(case.cache).path, Path(case.folder, "there").read_text("utf-8")

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = urlsplit(there)
        if place.scheme == "unix":
            other_reader, other_writer = await asyncio.open_unix_connection(place.path)
        else:
            other_reader, other_writer = await asyncio.open_connection(place.hostname, place.port or 6379)
        await asyncio.gather(pipe(reader, other_writer), pipe(other_reader, writer))

    Path(here).unlink(missing_ok=True)

    async def run() -> None:
        async with await asyncio.start_unix_server(serve, here) as server:
            await server.serve_forever()

    asyncio.run(run())


def _reached(count: Count, wanted: int) -> None:
    """Wait until something was counted so often."""
    for number in range(wanted):
        if not count.acquire(timeout=WAIT_S):
            raise TimeoutError(f"only {number} of {wanted} came")


def _opened(control: Control, wanted: int) -> None:
    """Wait until so many calls are open, then let the others begin."""
    _reached(control.held, wanted)
    control.rest.open()


async def _on_store(case: Case, ahead: float, *statements: str) -> None:
    async with await Store.open(case.url, branches=[BRANCH], clock=Clock(Still(ahead))) as store:
        for statement in statements:
            await store.execute(statement)


Direct: TypeAlias = Callable[[Case, Control, Crew], None]
"""What happens in a scenario while its calls are open."""


def _killed(case: Case, control: Control, crew: Crew) -> None:
    """The vendor has their requests, and bills them; nobody hears its answers."""
    _opened(control, case.plan.victims * case.callers)
    for number in range(case.plan.victims):
        crew.kill(number)
    control.gate.open()


def _killed_answered(case: Case, control: Control, crew: Crew) -> None:
    """The answers are there, and cannot be booked before the processes end: the ledger is locked."""
    victims = case.plan.victims * case.callers
    _reached(control.held, victims)

    async def locked() -> None:
        async with await Store.open(case.url, branches=[BRANCH]) as store, store.transaction(lock="quotas"):
            control.gate.open()
            _reached(control.answered, victims)
            for number in range(case.plan.victims):
                crew.kill(number)

    asyncio.run(locked())
    control.rest.open()


def _later(jump: float) -> Direct:
    """While calls are open, another period begins."""

    def direct(case: Case, control: Control, crew: Crew) -> None:
        _opened(control, OPEN)
        control.ahead.value += jump
        control.gate.open()

    return direct


def _reset(case: Case, control: Control, crew: Crew) -> None:
    """While calls are open, an administrator lowers the bound, and sets it back."""

    async def override() -> None:
        async with await Store.open(case.url, branches=[BRANCH]) as store:
            quotas = Quotas(store, configured=[case.quota], changes=NoLog())
            for bound in (case.limit // 2, case.limit):
                account = (Scope.USER, ADA.user, Period.DAY)
                until = time.time() + 3_600
                await quotas.override(account, Money(bound), reason="reset", until=until, by=ADA)
            await quotas.aclose()

    _opened(control, OPEN)
    asyncio.run(override())
    control.gate.open()


def _emptied(case: Case, control: Control, crew: Crew) -> None:
    """While calls are open, everything is forgotten that limits count."""
    _opened(control, OPEN)
    if case.cache:
        asyncio.run(_forget(case.cache))
    else:
        asyncio.run(_on_store(case, 0.0, *(f"DELETE FROM {table}" for table in COUNTERS)))
    control.gate.open()


class _Client(Protocol):
    def execute_command(self, *words: str | bytes) -> Awaitable[object]: ...

    def aclose(self) -> Awaitable[None]: ...


async def _forget(url: str) -> None:
    client = cast("_Client", import_module("redis.asyncio").Redis.from_url(url))
    keys = cast("list[bytes]", await client.execute_command("KEYS", "interlock:{limits}:*"))
    if keys:
        await client.execute_command("DEL", *keys)
    await client.aclose()


def _away(case: Case, control: Control, crew: Crew) -> None:
    """While calls are open, what counts limits cannot be reached; later it can."""
    _opened(control, OPEN)
    if crew.between is not None:
        crew.between.kill()
        crew.between.join()
    else:
        asyncio.run(_on_store(case, 0.0, *(f"ALTER TABLE {table} RENAME TO {table}_x" for table in COUNTERS)))
    while control.arrived.acquire(block=False):
        continue
    control.gate.open()
    _reached(control.arrived, 10)
    if crew.between is not None:
        crew.connect()
    else:
        asyncio.run(_on_store(case, 0.0, *(f"ALTER TABLE {table}_x RENAME TO {table}" for table in COUNTERS)))


def _expired(jump: float) -> Direct:
    """While calls are open, a clock says that their reservations have ended, and they are charged."""

    def direct(case: Case, control: Control, crew: Crew) -> None:
        _opened(control, OPEN)
        if case.scenario == REFUND:
            control.ahead.value += jump
        asyncio.run(swept(case, jump))
        control.gate.open()

    return direct


async def swept(case: Case, ahead: float) -> Sequence[tuple[str, int]]:
    """Charge what has ended by a moment; every reservation that was ever charged, with what for."""
    async with await Store.open(case.url, branches=[BRANCH], clock=Clock(Still(ahead))) as store:
        book = QuotaBook(store, [case.quota])
        ledger = Ledger(store, limits_of=book.limits_of, life_s=case.plan.life_s)
        while (await ledger.sweep())[0]:
            continue
        listed = await ledger.charged(1_000_000)
        await ledger.aclose()
    return [(one.id, max(one.bound, one.cost or 0)) for one in listed]


DIRECTED: Mapping[str, Direct] = {
    KILLED: _killed,
    ANSWERED: _killed_answered,
    MIDNIGHT: _later(86_400.0),
    MONTH_END: _later(32 * 86_400.0),
    RESET: _reset,
    EMPTIED: _emptied,
    AWAY: _away,
    REFUND: _expired(7_200.0),
    AHEAD: _expired(60.0),
}
"""What happens meanwhile, by the scenario."""
