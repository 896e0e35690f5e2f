"""What a case of the family of budgets is: its scenario, its plan, and what its processes share."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from interlock_core import JsonObject, Money, Principal
from interlock_security.quotas import Quota, Scope

ADA = Principal(user="ada")
PRICE = 20
"""Micro-dollars that one token of output costs; input costs nothing."""

OPEN = 64
"""Calls that are open while something happens."""

WAIT_S = 120.0
FOREVER_S = 1e7

KILLED = "workers killed between reserving and settling"
ANSWERED = "workers killed before the answer is recorded"
TWICE = "the same settlement sent twice"
FROM_TWO = "the same settlement from two processes"
MIDNIGHT = "midnight while 64 calls are open"
MONTH_END = "month end while 64 calls are open"
RESET = "manual reset while calls are open"
EMPTIED = "cache emptied in the middle"
AWAY = "cache away, then back"
CUT = "a stream cut by its client"
UNBOUNDED = "max_tokens missing"
DEAR = "the vendor bills more than reserved"
UNPRICED = "price unknown"
REFUND = "a refund of an expired reservation"
AHEAD = "clock of one process one minute ahead"
ALONE = "four replicas with their own memory"
HEDGED = "a hedged request, both answers come"
FALLBACK = "a fallback after a billed failure"
IN_FULL = frozenset({CUT, UNPRICED, FALLBACK})
"""Where the vendor bills all that was set aside: what it bills of these in truth nobody tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is special about a scenario.

    Attributes:
        room: Calls for which there is room at the beginning; None for the whole budget.
        turns: Calls of each caller, unless it is refused.
        hold: Callers in each process whose first call the vendor holds back.
        victims: Processes, the first ones, that alone have calls held back, and are killed.
        month: The budget is one of a month.
        unpriced: Nobody knows the price of the model.
        life_s: Seconds that a reservation of a dead process lives.
    """

    room: int | None = 40
    turns: int = 3
    hold: int = 0
    victims: int = 0
    month: bool = False
    unpriced: bool = False
    life_s: float = FOREVER_S


PLANS: Mapping[str, Plan] = {
    "128 callers at once against a nearly empty budget": Plan(),
    "first requests of an unknown user, all at once": Plan(room=None, turns=1),
    KILLED: Plan(room=100, hold=16, victims=4),
    ANSWERED: Plan(room=100, hold=16, victims=4),
    TWICE: Plan(),
    FROM_TWO: Plan(),
    MIDNIGHT: Plan(room=100, hold=8),
    MONTH_END: Plan(room=100, hold=8, month=True),
    RESET: Plan(room=100, hold=8),
    EMPTIED: Plan(room=100, hold=8),
    AWAY: Plan(room=100, hold=8),
    CUT: Plan(),
    UNBOUNDED: Plan(),
    DEAR: Plan(),
    UNPRICED: Plan(unpriced=True),
    REFUND: Plan(room=100, hold=8, life_s=3_600.0),
    AHEAD: Plan(room=100, hold=8, life_s=30.0),
    ALONE: Plan(),
    HEDGED: Plan(),
    FALLBACK: Plan(),
}
"""What is special about each scenario."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is carried out.

    Attributes:
        scenario: Its words.
        url: The store.
        cache: The address of the cache; empty where limits are counted in the store.
        folder: Where bills are written.
        processes: How many.
        callers: How many in each.
        limit: The budget of the day, or of the month, in micro-dollars.
        bound: The most that a call can cost.
    """

    scenario: str
    url: str
    cache: str
    folder: str
    processes: int
    callers: int
    limit: int
    bound: int

    @property
    def plan(self) -> Plan:
        """What is special about it."""
        return PLANS[self.scenario]

    @property
    def quota(self) -> Quota:
        """The budget."""
        amount = Money(self.limit)
        day, month = (None, amount) if self.plan.month else (amount, None)
        most = self.bound // PRICE
        ceiling = Money(self.bound) if self.plan.unpriced else None
        return Quota(scope=Scope.USER, name="*", day=day, month=month, max_tokens=most, ceiling=ceiling)


class Gate:
    """Opened once, for all forked processes; who waits at it may be killed without harm to others."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def open(self) -> None:
        """Open it."""
        os.write(self._write, b"x")

    async def passed(self) -> None:
        """Wait until it is open."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        # Nobody reads the byte, so the pipe stays readable for everybody.
        reading = os.dup(self._read)
        loop.add_reader(reading, event.set)
        try:
            await event.wait()
        finally:
            loop.remove_reader(reading)
            os.close(reading)


class Count(Protocol):
    """What is used of a semaphore of several processes."""

    def release(self) -> None:
        """Count one more."""
        ...

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take one away, as soon as there is one."""
        ...


class Meeting(Protocol):
    """Where all processes wait for each other."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until all are there."""
        ...


class Number(Protocol):
    """A number that several processes see."""

    value: float


@dataclass(frozen=True, slots=True)
class Control:
    """How the processes and whoever directs them hear of each other.

    Attributes:
        arrived: Counts requests at the vendor.
        held: Counts those that it holds back.
        answered: Counts those that it answered after that.
        gate: Lets it answer those that it holds back.
        rest: Lets those begin whose calls are not held back.
        ahead: Seconds by which every clock is ahead.
        met: Where all processes meet when their callers are done.
    """

    arrived: Count
    held: Count
    answered: Count
    gate: Gate
    rest: Gate
    ahead: Number
    met: Meeting


@dataclass(slots=True)
class Clock:
    """The machine's clock, as far ahead as it is wanted."""

    ahead: Number
    own: float = 0.0

    def now(self) -> float:
        """Wall time in seconds since 1970."""
        return time.time() + self.ahead.value + self.own

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()


@dataclass(slots=True)
class Still:
    """A number that nobody changes."""

    value: float = 0.0


class NoLog:
    """Takes changes, and keeps none."""

    @asynccontextmanager
    async def change(self, name: str, by: Principal, data: JsonObject) -> AsyncGenerator[None, None]:
        """Let a change be made."""
        yield
