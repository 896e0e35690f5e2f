"""One process of the house, whose callers spend, and the stand-in for a vendor that bills them."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from budget_case import (
    ADA,
    AHEAD,
    ALONE,
    CUT,
    DEAR,
    FALLBACK,
    FOREVER_S,
    FROM_TWO,
    HEDGED,
    IN_FULL,
    KILLED,
    PRICE,
    REFUND,
    TWICE,
    UNBOUNDED,
    WAIT_S,
    Case,
    Clock,
    Control,
    NoLog,
)

from interlock_core import CompletionRequest, Money
from interlock_core.errors import QuotaExceededError, UpstreamError
from interlock_core.messages import user
from interlock_core.models import ModelInfo, Price
from interlock_core.store import Store
from interlock_core.tokens import EstimatingCounter
from interlock_security import BRANCH
from interlock_security.limits import (
    FallbackBackend,
    LimitBackend,
    LimitKind,
    LimitRule,
    LimitScope,
    MemoryBackend,
    RateLimiter,
    StoreBackend,
    ValkeyBackend,
    subjects_of,
)
from interlock_security.quotas import Applied, Hold, Posting, QuotaMeter, Quotas, Tariff, Verdict, subject_of

_hold: ContextVar[Hold] = ContextVar("hold")


class Noting(Quotas):
    """The ledger, with what was set aside known to the vendor, and refusals written down."""

    said: int = -1

    async def reserve(self, key: str, applied: Applied, bound: Money | None) -> Posting:
        """Set money aside."""
        posting = await super().reserve(key, applied, bound)
        most = bound or applied.ceiling or Money(0)
        _hold.set(Hold(id=key, limits=applied.limits, bound=most))
        if posting.short:
            words = (
                f"{one.limit.account.id} {one.limit.micro_usd} {one.left} {most.micro_usd}"
                for one in posting.short
            )
            os.write(self.said, f"{' '.join(words)}\n".encode())
        return posting


class Process:
    """One process of the house: its callers ask until they are refused, or have asked often enough."""

    def __init__(self, case: Case, control: Control, number: int, store: Store) -> None:
        self._case, self._control, self._number, self._store = case, control, number, store
        self._plan = case.plan
        self._dice = random.Random(number)
        self._bill = _file(case, "bill")
        self._quotas = Noting(store, configured=[case.quota], changes=NoLog(), life_s=self._plan.life_s)
        self._quotas.said = _file(case, "said")
        price = None if self._plan.unpriced else Price(input=0, output=PRICE * 1_000_000)
        facts = ModelInfo(id="v/m", provider="v", context_tokens=100_000)
        tariff = Tariff(prices=_Book(price), counter=EstimatingCounter(), facts=lambda model: facts)
        self._tariff = tariff
        self._meter = QuotaMeter(self._quotas, subject_of(ADA), tariff)
        rule = LimitRule(scope=LimitScope.USER, name="*", kind=LimitKind.REQUESTS, limit=10**6, window_s=60.0)
        self._limiter = RateLimiter(FallbackBackend(self._backend(), fraction=0.25), [rule])

    async def work(self) -> None:
        """Let every caller ask."""
        await asyncio.gather(*(self._caller(number) for number in range(self._case.callers)))
        if self._case.scenario == FROM_TWO:
            await asyncio.to_thread(self._control.met.wait, WAIT_S)
            await self._settle_all()
        await self._limiter.aclose()
        await self._quotas.aclose()

    @property
    def _victim(self) -> bool:
        return self._number < self._plan.victims

    def _backend(self) -> LimitBackend:
        if self._case.scenario == ALONE:
            return MemoryBackend()
        return ValkeyBackend(self._case.cache) if self._case.cache else StoreBackend(self._store)

    async def _caller(self, number: int) -> None:
        holding = number < self._plan.hold and (self._victim or not self._plan.victims)
        if self._plan.hold and not holding:
            await self._control.rest.passed()
        for turn in range(self._plan.turns):
            held = holding and turn == 0
            share = await self._limiter.take(subjects_of(user=ADA.user))
            try:
                await ACTS.get(self._case.scenario, Process.plain)(self, held)
            except QuotaExceededError:
                return
            finally:
                await share.end()

    async def vendor(self, *, held: bool, most: int | None = None) -> Money:
        """A request at the vendor: what it bills."""
        hold, case = _hold.get(), self._case
        most = case.bound if most is None else most
        cost = self._dice.randrange(0, most + 1, PRICE)
        if case.scenario in IN_FULL:
            cost = most
        self._control.arrived.release()
        if held and case.scenario == KILLED:
            self._billed(hold, cost)
        if held:
            self._control.held.release()
            await self._control.gate.passed()
        if not (held and case.scenario == REFUND):
            self._billed(hold, cost)
        if held:
            self._control.answered.release()
        return Money(cost)

    def _billed(self, hold: Hold, cost: int) -> None:
        accounts = " ".join(limit.account.id for limit in hold.limits)
        os.write(self._bill, f"{hold.id} {cost} {accounts}\n".encode())

    def _request(self, *, bounded: bool = True) -> CompletionRequest:
        most = self._case.bound // PRICE if bounded else None
        return CompletionRequest(model="v/m", messages=(user("hello"),), max_tokens=most)

    # ---- what a call is

    async def plain(self, held: bool) -> None:
        """One request; a price that nobody knows stays unknown."""
        async with self._meter.attempt(self._request()) as bill:
            cost = await self.vendor(held=held)
            bill.cost = None if self._plan.unpriced else cost

    async def unbounded(self, held: bool) -> None:
        """A request that names no limit: the quota's is sent."""
        applied = await self._quotas.applied(subject_of(ADA))
        request = self._tariff.capped(self._request(bounded=False), applied.max_tokens)
        assert request.max_tokens is not None
        async with self._meter.attempt(request) as bill:
            bill.cost = await self.vendor(held=held, most=request.max_tokens * PRICE)

    async def dear(self, held: bool) -> None:
        """The vendor bills up to twice of what was set aside."""
        async with self._meter.attempt(self._request()) as bill:
            bill.cost = await self.vendor(held=held, most=2 * self._case.bound)

    async def hedged(self, held: bool) -> None:
        """Two requests for one call; both are answered and billed."""
        results = await asyncio.gather(self.plain(held), self.plain(held), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def fallen_back(self, held: bool) -> None:
        """A gateway that answers 502 hides an answer that was billed; another model is asked."""
        try:
            async with self._meter.attempt(self._request()):
                await self.vendor(held=held)
                raise UpstreamError("bad gateway", vendor="v", vendor_status=502)
        except UpstreamError:
            async with self._meter.attempt(self._request()) as bill:
                bill.cost = Money(await self._second())

    async def _second(self) -> int:
        cost = self._dice.randrange(0, self._case.bound + 1, PRICE)
        self._billed(_hold.get(), cost)
        return cost

    async def cut(self, held: bool) -> None:
        """The client leaves while the answer comes."""
        begun = asyncio.Event()

        async def stream() -> None:
            async with self._meter.attempt(self._request()):
                await self.vendor(held=held)
                begun.set()
                await asyncio.Event().wait()

        task, first = asyncio.create_task(stream()), asyncio.create_task(begun.wait())
        await asyncio.wait((task, first), return_when=asyncio.FIRST_COMPLETED)
        first.cancel()
        if task.done():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def twice(self, held: bool) -> None:
        """The same is settled three times, by this ledger and by another one, at once and later."""
        applied = await self._quotas.applied(subject_of(ADA))
        hold = await self._quotas.admit(applied, Money(self._case.bound), what="v/m")
        cost = await self.vendor(held=held)
        other = Quotas(self._store, configured=[self._case.quota], changes=NoLog(), life_s=FOREVER_S)
        again = other if self._case.scenario == FROM_TWO else self._quotas
        first, second = await asyncio.gather(self._quotas.settle(hold, cost), again.settle(hold, cost))
        third = await again.settle(hold, cost)
        assert sorted((first.verdict, second.verdict)) == [Verdict.AGAIN, Verdict.OK]
        assert third.verdict is Verdict.AGAIN
        await other.aclose()

    async def _settle_all(self) -> None:
        """Settle once more whatever any process billed."""
        for line in _bills(self._case):
            key, cost = line.split(" ")[:2]
            hold = Hold(id=key, limits=(), bound=Money(int(cost)))
            assert (await self._quotas.settle(hold, Money(int(cost)))).verdict is Verdict.AGAIN

    async def refunded(self, held: bool) -> None:
        """What expired while the vendor held it back is given back, unbilled, or settled late."""
        if not held:
            return await self.plain(held)
        applied = await self._quotas.applied(subject_of(ADA))
        hold = await self._quotas.admit(applied, Money(self._case.bound), what="v/m")
        cost = await self.vendor(held=held)
        if self._dice.random() < 0.5:
            assert (await self._quotas.release(hold)).verdict is Verdict.CONFLICT
            return None
        self._billed(hold, cost.micro_usd)
        assert (await self._quotas.settle(hold, cost)).verdict is Verdict.LATE
        return None


@dataclass(frozen=True, slots=True)
class _Book:
    known: Price | None

    def price(self, model: str) -> Price | None:
        """What the one model costs."""
        del model
        return self.known


def _bills(case: Case) -> list[str]:
    return [
        line for file in Path(case.folder).glob("bill-*") for line in file.read_text("utf-8").splitlines()
    ]


def _file(case: Case, name: str) -> int:
    return os.open(f"{case.folder}/{name}-{os.getpid()}", os.O_CREAT | os.O_APPEND | os.O_WRONLY)


def process(case: Case, control: Control, number: int) -> None:
    """One process, from its beginning to its end."""

    async def run() -> None:
        own = 60.0 if case.scenario == AHEAD and number == 0 else 0.0
        store = await Store.open(case.url, branches=[BRANCH], clock=Clock(control.ahead, own))
        await Process(case, control, number, store).work()
        await store.aclose()

    asyncio.run(run())


Act: TypeAlias = Callable[[Process, bool], Awaitable[None]]
"""What a call is; whether the vendor holds it back."""

ACTS: Mapping[str, Act] = {
    TWICE: Process.twice,
    FROM_TWO: Process.twice,
    CUT: Process.cut,
    UNBOUNDED: Process.unbounded,
    DEAR: Process.dear,
    REFUND: Process.refunded,
    HEDGED: Process.hedged,
    FALLBACK: Process.fallen_back,
}
"""What a call is in the scenarios where it is no plain one."""
