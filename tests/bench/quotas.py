"""Whether quotas hold under load, kills and the turn of a month, and what a reservation costs.

By itself: `python tests/bench/quotas.py`, with FULL=1 for the whole sizes: 8 processes of 16 workers, 200 of
them killed, on SQLite and on PostgreSQL. It prints what was tried and what held, and fails when one does not.

The bill is kept by the stand-in for a vendor, in files that a kill does not touch; every state of an account
that was committed is kept by triggers in the database. What the ledger says is held against both: a refusal
is false when what it says is left was enough, or when the account never stood where it says, but for the
steps of one commit.
"""

import asyncio
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from zoneinfo import ZoneInfo

from figure import Figure
from interlock_core import JsonObject, Money, Principal
from interlock_core.store import Store
from interlock_core.testing import postgres_database
from interlock_security import BRANCH
from interlock_security.quotas import Applied, Hold, Ledger, Quota, QuotaBook, Quotas, Scope, subject_of

ZONE = "Europe/Berlin"
MIDNIGHT = datetime(2027, 3, 1, tzinfo=ZoneInfo(ZONE)).timestamp()
LIFE_S = 6.0
MOST = 2_000
BOUND_CPU_US = 400.0
_NOTE = "INSERT INTO bench_journal VALUES (new.id, new.spent + new.held)"
_MADE = (
    f"CREATE FUNCTION bench_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_NOTE}; RETURN new; END $$"
)
_CHANGED = (
    "CREATE TRIGGER bench_changed AFTER INSERT OR UPDATE ON quotas_accounts FOR EACH ROW "
    "EXECUTE FUNCTION bench_note()"
)
_JOURNAL = {
    "sqlite": (
        "CREATE TABLE bench_journal (account TEXT, used INTEGER)",
        f"CREATE TRIGGER bench_made AFTER INSERT ON quotas_accounts BEGIN {_NOTE}; END",
        f"CREATE TRIGGER bench_changed AFTER UPDATE ON quotas_accounts BEGIN {_NOTE}; END",
    ),
    "postgresql": (
        "CREATE TABLE bench_journal (account TEXT, used BIGINT)",
        _MADE,
        _CHANGED,
    ),
}


@dataclass(frozen=True, slots=True)
class Size:
    """How much is tried."""

    processes: int
    workers: int
    kills: int
    seconds: float


SMALL, WHOLE = Size(4, 8, 10, 4.0), Size(8, 16, 200, 60.0)


@dataclass(frozen=True, slots=True)
class MovedClock:
    """The machine's clock, moved so that a month ends in the middle of the run."""

    by: float

    def now(self) -> float:
        """Wall time in seconds since 1970."""
        return time.time() + self.by

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()


class NoLog:
    """Takes changes and notes, and keeps none."""

    @asynccontextmanager
    async def change(self, name: str, by: Principal, data: JsonObject) -> AsyncGenerator[None, None]:
        """Let a change be made."""
        yield

    async def note(self, kind: str, principal: Principal, data: JsonObject) -> None:
        """Take a note."""


def quotas_of(size: Size) -> list[Quota]:
    """Bounds that are reached on both sides of midnight, at several levels."""
    whole = round(size.seconds * 25_000)

    def quota(scope: Scope, name: str, micro_usd: int) -> Quota:
        day, month = Money(micro_usd), Money(micro_usd * 3 // 2)
        return Quota(scope=scope, name=name, day=day, month=month, time_zone=ZONE)

    return [
        quota(Scope.ORGANISATION, "acme", whole),
        quota(Scope.TEAM, "*", whole // 2),
        quota(Scope.USER, "*", whole // 3),
        quota(Scope.KEY, "*", whole // 4),
    ]


def whom(worker: int) -> Principal:
    """Whose worker it is: three teams of eight users with two keys each."""
    user = worker % 8
    return Principal(
        user=f"u{user}", key_id=f"k{user}-{worker % 2}", team=f"t{user % 3}", organisation="acme"
    )


# ---- one process


def process(url: str, folder: str, size: Size, moved: float, seed: int) -> None:
    """One process of the house: its workers ask until it is stopped."""
    asyncio.run(_house(url, Path(folder), size, moved, seed))


async def _house(url: str, folder: Path, size: Size, moved: float, seed: int) -> None:
    store = await Store.open(url, branches=[BRANCH], clock=MovedClock(moved))
    log = NoLog()
    quotas = Quotas(store, configured=quotas_of(size), changes=log, life_s=LIFE_S)
    bill = os.open(folder / f"bill-{os.getpid()}", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    said = os.open(folder / f"said-{os.getpid()}", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    stop = folder / "stop"

    async def work(number: int) -> None:
        dice = random.Random(seed * 1_000 + number)
        subject = subject_of(whom(number))
        while not stop.exists():
            bound = dice.randrange(1, MOST)
            applied = await quotas.applied(subject)
            posting = await quotas.reserve(
                key := f"{os.getpid()}-{number}-{dice.random()}", applied, Money(bound)
            )
            if posting.short:
                words = (
                    f"{one.limit.account.id} {one.limit.micro_usd} {one.left} {bound}"
                    for one in posting.short
                )
                os.write(said, f"refused {' '.join(words)}\n".encode())
                await asyncio.sleep(dice.uniform(0.01, 0.05))
                continue
            await asyncio.sleep(dice.uniform(0.001, 0.02))
            cost = dice.randrange(bound + 1)
            accounts = " ".join(limit.account.id for limit in applied.limits)
            os.write(bill, f"{key} {cost} {accounts}\n".encode())
            await quotas.settle(Hold(id=key, limits=applied.limits, bound=Money(bound)), Money(cost))

    await asyncio.gather(*(work(number) for number in range(size.workers)))
    await quotas.aclose()
    await store.aclose()


# ---- the drill


@dataclass(slots=True)
class Found:
    """What a drill found."""

    kind: str
    kills: int = 0
    calls: int = 0
    refused: int = 0
    charged: int = 0
    spans: int = 0
    overshoot: int = 0
    false_refusals: int = 0
    below_bill: int = 0
    drift: int = 0
    held: int = 0
    unended: int = 0

    @property
    def bad(self) -> int:
        """How much of it must not be."""
        return (
            self.overshoot
            + self.false_refusals
            + self.below_bill
            + abs(self.drift)
            + self.held
            + self.unended
        )

    def __str__(self) -> str:
        return (
            f"quotas, {self.kind}: tried {self.calls:,} paid calls and {self.refused:,} refusals over "
            f"{self.spans} periods with {self.kills} kills; charged for the dead {self.charged}; "
            f"overshoot {self.overshoot}, false refusals {self.false_refusals}, "
            f"below the bill {self.below_bill}, drift beside the listed {self.drift}, "
            f"left held {self.held}, ended badly {self.unended}: {'NOT HELD' if self.bad else 'held'}"
        )


def drill(kind: str, size: Size) -> Found:
    """Run the processes, kill some of them, and compare."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder}/interlock.db"
        try:
            if kind == "postgresql":
                url = runner.run(stack.enter_async_context(postgres_database()))
            runner.run(_prepare(url))
            moved = MIDNIGHT - size.seconds / 2 - time.time()
            found = Found(kind)
            _run(url, folder, size, moved, found)
            runner.run(_compare(url, folder, size, moved, found))
        finally:
            runner.run(stack.aclose())
        return found


async def _prepare(url: str) -> None:
    async with await Store.open(url, branches=[BRANCH]) as store:
        for statement in _JOURNAL[store.dialect]:
            await store.execute(statement)


def _run(url: str, folder: Path, size: Size, moved: float, found: Found) -> None:
    """Keep so many processes alive to the end, and kill them by chance."""
    forks = multiprocessing.get_context("fork")
    dice, seeds = random.Random(size.kills), iter(range(1_000_000))

    def start() -> BaseProcess:
        made = forks.Process(target=process, args=(url, str(folder), size, moved, next(seeds)))
        made.start()
        return made

    alive = [start() for _ in range(size.processes)]
    began, pause = time.monotonic(), size.seconds * 0.9 / max(size.kills, 1)
    for _ in range(size.kills):
        time.sleep(dice.uniform(0.5, 1.5) * pause)
        victim = dice.randrange(len(alive))
        alive[victim].kill()
        alive[victim].join()
        found.kills += alive[victim].exitcode == -signal.SIGKILL
        alive[victim] = start()
    time.sleep(max(0.0, began + size.seconds - time.monotonic()))
    (folder / "stop").touch()
    for one in alive:
        one.join()
        found.unended += one.exitcode != 0


async def _compare(url: str, folder: Path, size: Size, moved: float, found: Found) -> None:
    """Charge the dead, then hold the ledger against the vendor's bill and the database's own journal."""
    clock = MovedClock(moved + 2 * LIFE_S)
    async with await Store.open(url, branches=[BRANCH], clock=clock) as store:
        book = QuotaBook(store, quotas_of(size))
        ledger = Ledger(store, limits_of=book.limits_of, life_s=LIFE_S)
        while (await ledger.sweep())[0]:
            continue
        listed = await ledger.charged(1_000_000)
        await ledger.aclose()
        accounts = await store.fetch_all("SELECT id, spent, held FROM quotas_accounts")
        journal = await store.fetch_all("SELECT DISTINCT account, used FROM bench_journal")
    states: dict[str, set[int]] = {}
    for account, used in journal:
        states.setdefault(str(account), set()).add(_whole(used))
    bills, billed = _bills(folder)
    limits = _refusals(folder, states, found, slack=size.workers * MOST)
    above: Counter[str] = Counter()
    for one in listed:
        for account in one.accounts:
            above[account.id] += max(one.bound, one.cost or 0) - bills.get(one.id, 0)
    found.calls, found.charged = len(bills), len(listed)
    found.spans = len({str(row[0]).rpartition("@")[2] for row in accounts})
    for name, spent, held in accounts:
        key = str(name)
        difference = _whole(spent) - billed[key]
        found.below_bill += difference < 0
        found.drift += difference - above[key]
        found.held += _whole(held)
        found.overshoot += max(0, max(states[key]) - limits.get(key, max(states[key])))


def _bills(folder: Path) -> tuple[Mapping[str, int], Counter[str]]:
    """What the vendor billed: by reservation, and by account."""
    bills: dict[str, int] = {}
    billed: Counter[str] = Counter()
    for file in folder.glob("bill-*"):
        for line in file.read_text().splitlines():
            key, cost, *accounts = line.split(" ")
            bills[key] = int(cost)
            billed.update(dict.fromkeys(accounts, int(cost)))
    return bills, billed


def _refusals(folder: Path, states: Mapping[str, set[int]], found: Found, *, slack: int) -> Mapping[str, int]:
    """Count refusals, and those without a reason: the account never was so full, or there was room.

    Args:
        folder: Where the processes wrote what they were told.
        states: Every state of an account that was committed.
        found: Where it is counted.
        slack: As much as the steps of one commit can move an account.

    Returns:
        The limit of each account that refused.
    """
    limits: dict[str, int] = {}
    seen = {account: sorted({0, *used}) for account, used in states.items()}
    for file in folder.glob("said-*"):
        for line in file.read_text().splitlines():
            found.refused += 1
            words = line.split(" ")[1:]
            for place in range(0, len(words), 4):
                account, limit, left, bound = words[place], *map(int, words[place + 1 : place + 4])
                limits[account] = limit
                near = bisect_left(seen[account], limit - left - slack)
                known = near < len(seen[account]) and seen[account][near] <= limit - left + slack
                found.false_refusals += bound <= left or not known
    return limits


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


# ---- what it costs


@dataclass(slots=True)
class Measured:
    """Pairs of reserve and settle: how many a second, and microseconds of CPU each."""

    rate: float
    cpu_us: float


async def measure(kind: str, callers: int, pairs: int) -> Measured:
    """Reserve and settle from so many tasks of one process, on four scopes with day and month each."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = f"sqlite:///{folder}/interlock.db"
        if kind == "postgresql":
            url = await stack.enter_async_context(postgres_database())
        store = await stack.enter_async_context(await Store.open(url, branches=[BRANCH]))
        bounds = [
            Quota(scope=scope, name="*", day=Money(2**40), month=Money(2**40))
            for scope in (Scope.KEY, Scope.USER, Scope.TEAM, Scope.ORGANISATION)
        ]
        quotas = Quotas(store, configured=bounds, changes=NoLog())
        await _pairs(quotas, callers, callers * 4)
        clock, cpu = time.perf_counter(), time.process_time()
        await _pairs(quotas, callers, pairs)
        cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
        await quotas.aclose()
        return Measured(pairs / clock, cpu / pairs * 1e6)


async def _pairs(quotas: Quotas, callers: int, pairs: int) -> None:
    numbers = iter(range(pairs))

    async def call(caller: int) -> None:
        subject = subject_of(whom(caller))
        for _ in numbers:
            applied: Applied = await quotas.applied(subject)
            hold = await quotas.admit(applied, Money(1_000), what="a model")
            await quotas.settle(hold, Money(500))

    await asyncio.gather(*(call(caller) for caller in range(callers)))


def figures(*, full: bool) -> Iterator[Figure]:
    """What did not hold in the drill, which must be nothing, and what a pair of reserve and settle costs."""
    for kind in ("sqlite", "postgresql"):
        found = drill(kind, WHOLE if full else SMALL)
        name = f"quotas, {kind}: {found.calls} calls, {found.kills} kills, not held"
        yield Figure(name, found.bad, "cases", 0.0)
    yield from costs(full=full)


def costs(*, full: bool) -> Iterator[Figure]:
    """What a pair of reserve and settle costs."""
    for kind in ("sqlite", "postgresql"):
        for callers, pairs in ((1, 300), (64, 4_000)) if full else ((1, 100), (64, 1_000)):
            measured = asyncio.run(measure(kind, callers, pairs))
            yield Figure(f"quotas, {kind}, {callers} callers: reserve and settle", measured.rate, "1/s")
            bound = BOUND_CPU_US if callers > 1 else None
            yield Figure(f"quotas, {kind}, {callers} callers: each", measured.cpu_us, "us CPU", bound)


def main(kinds: Sequence[str] = ("sqlite", "postgresql")) -> int:
    """Print what was tried and what held; 1 when something did not."""
    full = os.environ.get("FULL") == "1"
    bad = 0
    for kind in kinds:
        found = drill(kind, WHOLE if full else SMALL)
        print(found, flush=True)
        bad += found.bad
    for figure in costs(full=full):
        print(figure, flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ("sqlite", "postgresql")))
