"""The ledger: exact under any number of processes, because one transaction at a time changes it.

What arrives while a commit is under way goes into the next one, all of it at once. There is no timer: a step
alone is written at once, and under load batches grow by themselves.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TypeAlias, TypeVar

from interlock_core.errors import InterlockError, StoreError
from interlock_core.ids import new_id
from interlock_core.store import Store
from interlock_security.quotas._books import (
    Charge,
    Held,
    Release,
    Reserve,
    Settle,
    Step,
    checked_amount,
)
from interlock_security.quotas._model import Account, Alert, Limit, Posting, Verdict
from interlock_security.quotas._outbox import Outbox, Untold
from interlock_security.quotas._rows import CHARGED, ENDED, FORGET, RENEW, held_of, keep, load, micro

T = TypeVar("T")

LOCK = "quotas"
"""The store's lock under which the ledger changes."""

LimitsOf: TypeAlias = Callable[[Sequence[Account]], Awaitable[Mapping[Account, Limit]]]
"""The limits of accounts as they are now; an account without one is left out."""

OnAlerts: TypeAlias = Callable[[Sequence[Untold]], None]
"""Is told what a commit raised, once it is durable, and what another process did not live to tell; must not
wait."""

_MOST_TOGETHER = 512
_MOST_SWEPT = 500
_KEPT_S = 86_400.0

_logger = logging.getLogger("interlock.security.quotas")


class Ledger:
    """Sets money aside, books what was spent, and charges what nobody settled.

    A reservation lives as long as its process renews it. One whose process died is charged in full after
    `life_s`, by whichever process looks next: it may have been billed.

    Args:
        store: Where the accounts are; its clock tells the time.
        limits_of: The limits of accounts, for the alerts of what is charged.
        on_alerts: Is told what was raised.
        life_s: Seconds that a reservation lives unless it is renewed.
    """

    __slots__ = (
        *("_beat", "_closing", "_lease", "_life_s", "_limits_of", "_on_alerts", "_open", "_owed"),
        *("_outbox", "_running", "_store", "_waiting", "_work"),
    )

    def __init__(
        self, store: Store, *, limits_of: LimitsOf, on_alerts: OnAlerts | None = None, life_s: float = 60.0
    ) -> None:
        self._store = store
        self._outbox = Outbox(store)
        self._limits_of = limits_of
        self._on_alerts = on_alerts
        self._life_s = life_s
        self._lease = new_id("lease")
        self._waiting: list[tuple[Step, asyncio.Future[Posting]]] = []
        self._work: asyncio.Task[None] | None = None
        self._beat: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._running: set[asyncio.Task[Posting]] = set()
        self._open = 0
        self._owed: dict[str, Settle | Release] = {}

    async def reserve(self, key: str, limits: Sequence[Limit], bound: int) -> Posting:
        """Set money aside on every limit, or on none.

        Cancelled while it waits, what was set aside is given back.

        Raises:
            InvalidRequestError: The bound is below zero.
            StoreError: The ledger cannot be reached; nothing is set aside.
        """
        now = self._store.clock.now()
        step = Reserve(
            id=key,
            limits=tuple(limits),
            bound=checked_amount(bound, "bound"),
            at=now,
            ends_at=now + self._life_s,
            lease=self._lease,
        )
        waiting = self._background(self._post(step))
        try:
            posting = await asyncio.shield(waiting)
        except asyncio.CancelledError:
            self._background(self._undo(waiting, key))
            raise
        if posting.verdict is Verdict.OK:
            self._open += 1
            self._keep_alive()
        return posting

    async def settle(self, key: str, cost: int, limits: Sequence[Limit] = ()) -> Posting:
        """Book what a reservation cost, also when the caller stops waiting.

        Args:
            key: Id of the reservation.
            cost: The truth, in micro-dollars.
            limits: The limits of its accounts as they are now, for the alerts.

        Raises:
            InvalidRequestError: The cost is below zero.
            StoreError: The ledger cannot be reached: it is booked when that can be done, or charged in full.
        """
        step = Settle(id=key, cost=checked_amount(cost, "cost"), limits=tuple(limits))
        return await asyncio.shield(self._background(self._finish(step)))

    async def release(self, key: str) -> Posting:
        """Give a reservation back: nothing was sent. Done also when the caller stops waiting.

        Raises:
            StoreError: The ledger cannot be reached: it is done when it can be, or charged in full.
        """
        return await asyncio.shield(self._background(self._finish(Release(id=key))))

    async def sweep(self) -> tuple[tuple[str, ...], tuple[Alert, ...]]:
        """Charge the reservations that ended without being settled.

        Returns:
            The ids of those that were charged, and what that raised.

        Raises:
            StoreError: The ledger cannot be reached.
        """
        now = self._store.clock.now()
        rows = await self._store.fetch_all(ENDED, (micro(now), _MOST_SWEPT))
        ended = [held_of(row) for row in rows]
        if not ended:
            return (), ()
        limits = await self._limits_of([account for held in ended for account in held.accounts])
        steps = [Charge(id=held.id, at=now, limits=_of(held, limits)) for held in ended]
        postings = await asyncio.gather(*(self._post(step) for step in steps))
        done = [pair for pair in zip(steps, postings, strict=True) if pair[1].verdict is Verdict.OK]
        return tuple(step.id for step, _ in done), tuple(one for _, posting in done for one in posting.alerts)

    async def charged(self, limit: int = 100) -> Sequence[Held]:
        """The reservations that were charged because nobody settled them in time, oldest first.

        All that the ledger may have above the bills is in them.

        Raises:
            StoreError: They cannot be read.
        """
        rows = await self._store.fetch_all(CHARGED, (limit,))
        return [held_of(row) for row in rows]

    async def aclose(self) -> None:
        """Write what waits; the store stays open."""
        self._closing.set()
        while self._running:
            await asyncio.wait(set(self._running))
        if self._beat is not None:
            await asyncio.gather(self._beat, return_exceptions=True)

    # ---- one step

    async def _post(self, step: Step) -> Posting:
        future: asyncio.Future[Posting] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, future))
        if self._work is None:
            self._work = asyncio.create_task(self._write_all())
        return await future

    async def _finish(self, step: Settle | Release) -> Posting:
        self._open = max(self._open - 1, 0)
        try:
            return await self._post(step)
        except StoreError:
            self._owed[step.id] = step
            raise

    async def _undo(self, waiting: "asyncio.Task[Posting]", key: str) -> Posting:
        posting = await waiting
        return await self._post(Release(id=key)) if posting.verdict is Verdict.OK else posting

    def _background(self, work: "Coroutine[object, object, Posting]") -> "asyncio.Task[Posting]":
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Posting]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits gets it; when nobody does, the reservation is charged

    # ---- all steps that wait

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
                await self._write(batch)
        finally:
            self._work = None
            left, self._waiting = self._waiting, []
            _fail(left, StoreError("The ledger was closed."))

    async def _write(self, batch: "list[tuple[Step, asyncio.Future[Posting]]]") -> None:
        steps = [step for step, _ in batch]
        try:
            async with self._store.transaction(lock=LOCK) as transaction:
                books = await load(transaction, self._store.dialect, steps)
                postings = [books.post(step) for step in steps]
                await keep(transaction, books)
                alerts = [alert for posting in postings for alert in posting.alerts]
                untold = await self._outbox.keep(transaction, alerts)
        except InterlockError as error:
            _fail(batch, error)
        except BaseException as error:
            _fail(batch, StoreError("The ledger could not be written."))
            if not isinstance(error, Exception):
                raise
            _logger.exception("the ledger could not be written")
        else:
            if untold and self._on_alerts is not None:
                self._on_alerts(untold)
            for (_, future), posting in zip(batch, postings, strict=True):
                if not future.done():
                    future.set_result(posting)

    # ---- as long as the process lives

    def begin(self) -> None:
        """Tend the ledger from now on, also before anything is reserved here."""
        self._keep_alive()

    def _keep_alive(self) -> None:
        if self._beat is None:
            self._beat = asyncio.create_task(self._live())

    async def _live(self) -> None:
        """Renew the reservations of this process in time, and charge those of dead ones."""
        while True:
            try:
                async with asyncio.timeout(self._life_s / 3):
                    await self._closing.wait()
            except TimeoutError:
                await self.tend()
            else:
                return

    async def tend(self) -> None:
        """Book what is owed, renew what is held, charge and tell for the dead, forget what is long done."""
        try:
            for step in list(self._owed.values()):
                await self._post(step)
                self._owed.pop(step.id, None)
            if self._open:
                await self.renew()
            await self.sweep()
            await self.retell()
            await self._store.execute(FORGET, (micro(self._store.clock.now() - _KEPT_S),))
            await self._outbox.forget()
        except InterlockError as error:
            _logger.warning("the ledger could not be tended: %s", error)

    async def retell(self) -> None:
        """Tell what another process raised, and did not tell in time.

        Raises:
            StoreError: It cannot be read.
        """
        if self._on_alerts is not None and (untold := await self._outbox.claim()):
            self._on_alerts(untold)

    async def told(self, key: str) -> None:
        """Note that an alert was told.

        Raises:
            StoreError: It cannot be noted, so the alert will be told again.
        """
        await self._outbox.told(key)

    async def renew(self) -> int:
        """Prolong the reservations of this process; how many there are.

        Raises:
            StoreError: The ledger cannot be reached.
        """
        ends = micro(self._store.clock.now() + self._life_s)
        async with self._store.transaction(lock=LOCK) as transaction:
            return await transaction.execute(RENEW, (ends, self._lease))


def _of(held: Held, limits: Mapping[Account, Limit]) -> tuple[Limit, ...]:
    return tuple(limits[account] for account in held.accounts if account in limits)


def _fail(batch: "Sequence[tuple[Step, asyncio.Future[Posting]]]", error: InterlockError) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
