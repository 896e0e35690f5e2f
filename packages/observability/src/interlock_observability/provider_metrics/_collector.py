"""The collector: notes every call at once, keeps it behind the calls, and tells figures of any range."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self, TypeAlias, TypeVar

from interlock_core import Call, Clock, Outcome, Performance, RouteDecision, SystemClock, new_id
from interlock_core.errors import InvalidRequestError, StoreError
from interlock_core.store import Store
from interlock_observability.provider_metrics._curve import Curve, curve_of
from interlock_observability.provider_metrics._ledger import (
    Batch,
    CallRecord,
    Ledger,
    MemoryLedger,
    merged,
)
from interlock_observability.provider_metrics._live import Live
from interlock_observability.provider_metrics._options import CollectorOptions
from interlock_observability.provider_metrics._prometheus import GaugeSource, render
from interlock_observability.provider_metrics._ranges import (
    WHOLE,
    Found,
    Totals,
    dimensions_of,
    with_waiting,
)
from interlock_observability.provider_metrics._sketch import Sketch
from interlock_observability.provider_metrics._spans import DAY, HOUR, Stretch, start_of, stretches
from interlock_observability.provider_metrics._stats import Dimension, Kind, Stats, grouped
from interlock_observability.provider_metrics._tally import Series, Tally
from interlock_observability.provider_metrics._wins import Better, Pair, Score, WinRates, win_rates

_MOST_REFUSALS: Final = 10

_T = TypeVar("_T")
_Judged: TypeAlias = tuple[Sequence[tuple[Pair, Score]], Sequence[tuple[Series, Sketch]]]

_logger: Final = logging.getLogger("interlock.observability")


class ProviderMetricsCollector:
    """Records calls, and tells how models, providers and tools do. A `Recorder` and a `PerformanceSource`.

    Recording only counts in memory. `open` starts a task that keeps what was counted; without it, `flush`
    does so when called. A store that fails stops nothing: counts wait, failures are counted, and `complete`
    of a `Stats` says when they are missing.

    Args:
        store: Opened with this part's branch; None keeps everything in this process.
        options: How it is set up.
        clock: Its wall time dates calls.
        sleep: Waits that many seconds; the pause between two batches.

    Attributes:
        failed_flushes: How often a batch could not be kept.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        options: CollectorOptions | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._options = options or CollectorOptions()
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._ledger: Ledger = MemoryLedger() if store is None else _kept_in(store)
        self._live = Live(
            self._options.limits,
            writer=new_id("call"),
            most_tallies=self._options.most_waiting,
            most_calls=self._options.most_waiting,
        )
        self._gauges: dict[str, GaugeSource] = {}
        self._flushing = asyncio.Lock()
        self._unsure: Batch | None = None
        self._task: asyncio.Task[None] | None = None
        self._totals = Totals()
        self._refused = 0
        self._away = False
        self.failed_flushes = 0

    def record(self, call: Call, outcome: Outcome) -> None:
        """Note one call that ended; some microseconds, never waits, never fails."""
        self._live.record(call, outcome, self._clock.now(), keep=self._options.keep_calls_s > 0)

    def decided(self, decision: RouteDecision) -> None:
        """Note a decision of the router."""
        model = self._live.labels.model(decision.chosen)
        task = self._live.labels.task(decision.task)
        self.count("interlock_route_decisions_total", model=model, policy=decision.policy, task=task)

    def count(self, name: str, by: int = 1, **labels: str) -> None:
        """Add to a counter that all processes share.

        Args:
            name: Its name, ending in `_total`.
            by: How much to add.
            labels: Its labels; their values must be few.
        """
        self._live.count((name, tuple(sorted(labels.items()))), by)

    def gauge(self, name: str, source: GaugeSource) -> None:
        """Have a value of this process asked for at each exposition.

        Args:
            name: Its name.
            source: Tells the values by labels; called in the event loop, so it must not wait.
        """
        self._gauges[name] = source

    def performance(self, model: str, task: str | None = None) -> Performance | None:
        """How a model does, from memory, at once; a sixteenth of its calls may not be in yet.

        The figures are those of the window, by all processes up to the last renewal and by this one since.
        Calls that were cancelled, refused or wrong count neither for nor against a model.
        """
        return self._live.performance(model, task)

    async def stats(
        self,
        *,
        by: Dimension | Sequence[Dimension] = "model",
        since: float | None = None,
        until: float | None = None,
        kind: Kind = "model",
        only: Mapping[Dimension, str] | None = None,
    ) -> Stats:
        """Statistics of a range, of all processes that share the store.

        Args:
            by: What to group by; several together make a row for each combination, none makes one row.
            since: Start of the range in seconds since 1970; None for the beginning. Ends are rounded outward,
                to minutes in a range of up to 6 hours, to hours up to 8 days, to days (UTC) beyond.
            until: End of the range; None for now.
            kind: Calls to models or to tools.
            only: Only calls of this provider, model or task.

        Raises:
            InvalidRequestError: There is no such grouping.
        """
        dimensions = dimensions_of(by)
        found, rows = await self._totals_of(since, until, kind)
        return Stats(
            by=dimensions,
            since=found.since,
            until=found.until,
            rows=grouped(rows, dimensions, only or {}),
            complete=found.complete,
        )

    async def curve(
        self, *, task: str | None = None, since: float | None = None, until: float | None = None
    ) -> Curve:
        """The cost-quality curve of a range: for each task and model the mean score and the mean cost.

        Args:
            task: Only this class of task; None for each.
            since: Start of the range, as of `stats`.
            until: Its end.
        """
        found, rows = await self._totals_of(since, until, "model")
        points = curve_of(merged(rows).items(), task)
        return Curve(since=found.since, until=found.until, points=points, complete=found.complete)

    async def tally(self, since: float, until: float, *, kind: Kind = "model") -> Tally:
        """All calls of a range together.

        Raises:
            StoreError: The store could not be read.
        """
        found, rows = await self._totals_of(since, until, kind)
        if not found.complete:
            raise StoreError("The figures cannot be read just now.")
        total = Tally()
        for _, each in rows:
            total.merge(each)
        return total

    async def win_rates(
        self, *, task: str | None = None, since: float | None = None, until: float | None = None
    ) -> WinRates:
        """How often each model did better than each other, and than all others, by class of task.

        Comparisons are counted by the day (UTC): those of every day that the range touches are in.

        Args:
            task: Only this class of task; None for each.
            since: Start of the range, as of `stats`.
            until: Its end.
        """

        async def wanted(tiles: Sequence[Stretch]) -> _Judged:
            return await self._ledger.compared(tiles), await self._ledger.scores(tiles)

        nothing: _Judged = ([], [])
        found = await self._read(since, until, wanted, nothing)
        compared, scores = found.kept
        for batch in found.waiting:
            compared = [*compared, *batch.compared_within(found.tiles)]
            for tile in found.tiles:
                scores = [*scores, *((each, tally.scores) for each, tally in batch.within(tile, "model"))]
        rows = win_rates(compared, scores, task)
        return WinRates(since=found.since, until=found.until, rows=rows, complete=found.complete)

    async def rate(self, run: str, score: float) -> bool:
        """Say how good the last answer of a run was; the first to say so is heard.

        Args:
            run: Id of the run.
            score: 0 to 1.

        Returns:
            Whether it was counted: not when the run's calls are not kept any more, or have a score.

        Raises:
            InvalidRequestError: The score is none.
            StoreError: The store could not be used.
        """
        if not 0 <= score <= 1:
            raise InvalidRequestError(
                "A score is from 0 to 1.", field="score", remedy="Send 0, 1 or between."
            )
        await self.flush()
        async with self._flushing:
            return await self._ledger.rate(run, score)

    def compared(self, first: str, second: str, *, task: str, better: Better) -> None:
        """Note which of two models gave the better answer to the same prompt.

        Args:
            first: A model.
            second: Another one.
            task: Class of the task.
            better: Whose answer was better.
        """
        self._live.compare(start_of(self._clock.now(), DAY), task, (first, second), better)

    async def calls(
        self, *, since: float = 0.0, limit: int = 100, run: str | None = None
    ) -> Sequence[CallRecord]:
        """The latest calls that are still kept, newest first.

        Args:
            since: Only those that ended at that time, in seconds since 1970, or later.
            limit: At most so many.
            run: Only those of one run.

        Raises:
            StoreError: The store could not be read.
        """
        await self.flush()
        return await self._ledger.calls(since=since, limit=limit, run=run)

    async def exposition(self) -> str:
        """All metrics of all processes that share the store, in Prometheus' text format.

        While the store is away, what it last held and this process's own calls since are told, so that no
        counter falls.
        """
        async with self._flushing:
            try:
                totals = Totals(
                    await self._ledger.read((WHOLE,), "model"),
                    await self._ledger.read((WHOLE,), "tool"),
                    await self._ledger.counters(),
                )
                waiting, up = await self._waiting(), 1.0
                self._totals = totals
            except StoreError as error:
                waiting, up = self._all_waiting(), 0.0
                self._note_failure(error)
        counters = dict(self._totals.counters)
        for batch in waiting:
            for key, value in batch.counters.items():
                counters[key] = counters.get(key, 0) + value
        gauges = {name: source() for name, source in self._gauges.items()}
        gauges["interlock_metrics_store_up"] = {(): up}
        gauges["interlock_metrics_dropped_total"] = {(): float(self._live.dropped)}
        return render(
            with_waiting(self._totals.models, waiting, "model"),
            with_waiting(self._totals.tools, waiting, "tool"),
            counters,
            gauges,
        )

    async def open(self) -> Self:
        """Take in what was kept before, and start to keep what is counted.

        A store that is away does not hinder it.
        """
        await self._guarded(self._begin)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="interlock-metrics")
        return self

    async def flush(self) -> None:
        """Keep what was counted.

        Raises:
            StoreError: It could not be kept; it waits for the next flush.
        """
        async with self._flushing:
            try:
                await self._flush()
            except StoreError:
                await self._give_up_what_cannot_be_kept()
                raise

    async def renew(self) -> None:
        """Flush, and take what all processes have kept into the figures that models are judged by.

        Raises:
            StoreError: The store could not be used.
        """
        async with self._flushing:
            await self._flush()
            now = self._clock.now()
            # Whole days are few rows: a command that lives for a second opens a collector, too.
            days = Stretch(DAY, start_of(now - self._options.window_s, DAY), start_of(now, DAY) + DAY)
            kept = await self._ledger.read((days,), "model")
            self._live.renew(merged(kept))

    async def roll(self) -> None:
        """Roll up days that are finished into longer spans, so that long ranges are answered from few rows.

        Raises:
            StoreError: The store could not be used.
        """
        await self._ledger.roll(self._clock.now() - HOUR)

    async def prune(self) -> None:
        """Forget what is older than the options say.

        Raises:
            StoreError: The store could not be used.
        """
        now, options = self._clock.now(), self._options
        await self._ledger.prune(
            minutes_before=now - options.keep_minutes_s,
            hours_before=now - options.keep_hours_s,
            calls_before=now - options.keep_calls_s,
        )

    async def aclose(self) -> None:
        """Stop, and keep what is left. What cannot be kept is lost with the process. Twice does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await self._guarded(self.flush)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _totals_of(
        self, since: float | None, until: float | None, kind: Kind
    ) -> tuple[Found[dict[Series, Tally]], list[tuple[Series, Tally]]]:
        """The counts of a range, those that wait included."""
        found = await self._read(since, until, lambda tiles: self._ledger.totals(tiles, kind), {})
        rows = list(found.kept.items())
        for batch in found.waiting:
            for tile in found.tiles:
                rows += batch.within(tile, kind)
        return found, rows

    async def _read(
        self,
        since: float | None,
        until: float | None,
        wanted: Callable[[Sequence[Stretch]], Awaitable[_T]],
        nothing: _T,
    ) -> Found[_T]:
        """What the ledger holds of a range, and what waits for it; nothing while the store is away."""
        now = self._clock.now()
        async with self._flushing:
            try:
                bounded = since is not None or until is not None
                rolled = await self._ledger.rolled() if bounded else 0
                tiles = stretches(since, until, now, rolled=rolled)
                kept, waiting, complete = await wanted(tiles), await self._waiting(), True
            except StoreError as error:
                tiles = stretches(since, until, now)
                kept, waiting, complete = nothing, self._all_waiting(), False
                self._note_failure(error)
        return Found(
            kept=kept,
            waiting=waiting,
            complete=complete,
            tiles=tiles,
            since=tiles[0].start if tiles and since is not None else None,
            until=tiles[-1].end if tiles and until is not None else None,
        )

    async def _begin(self) -> None:
        await self.renew()
        await self.roll()

    async def _run(self) -> None:
        renewed = pruned = self._clock.monotonic()
        while True:
            await self._sleep(self._options.flush_every_s)
            now = self._clock.monotonic()
            await self._guarded(self.flush)
            if now - renewed >= self._options.renew_every_s:
                renewed = now
                await self._guarded(self.renew)
            if now - pruned >= HOUR:
                pruned = now
                await self._guarded(self.roll)
                await self._guarded(self.prune)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Metrics down: go on, counted."""
        try:
            await work()
        except StoreError as error:
            self.failed_flushes += 1
            self._note_failure(error)

    def _note_failure(self, error: StoreError) -> None:
        if not self._away:
            self._away = True
            _logger.warning("metrics are not kept just now: %s", error)

    def _note_success(self) -> None:
        if self._away:
            self._away = False
            _logger.warning("metrics are kept again")

    async def _flush(self) -> None:
        while True:
            batch = self._unsure
            if batch is None:
                if not self._live.pending:
                    return
                # Held until its end was seen: a commit whose answer was lost is asked for, not repeated.
                batch = self._unsure = self._live.cut()
            await self._ledger.write(batch)
            self._unsure, self._refused = None, 0
            self._note_success()

    async def _give_up_what_cannot_be_kept(self) -> None:
        """Drop a batch that fails again and again while an empty one in its place does not.

        Something in it must be beyond the database; it must not stop everything after it.
        """
        batch = self._unsure
        self._refused = self._refused + 1 if batch is not None else 0
        if batch is None or self._refused < _MOST_REFUSALS:
            return
        if not await self._ledger.wrote(batch.number):
            await self._ledger.write(Batch(batch.number))
            self._live.dropped += sum(tally.requests for tally in batch.tallies.values())
            _logger.error("a batch of metrics was given up: the database refuses it")
        self._unsure, self._refused = None, 0

    async def _waiting(self) -> list[Batch]:
        """The batches that the ledger does not hold."""
        if self._unsure is not None and await self._ledger.wrote(self._unsure.number):
            self._unsure = None
        return self._all_waiting()

    def _all_waiting(self) -> list[Batch]:
        return [batch for batch in (self._unsure, self._live.pending) if batch is not None]


def _kept_in(store: Store) -> Ledger:
    from interlock_observability.provider_metrics._store_ledger import StoreLedger

    return StoreLedger(store)
