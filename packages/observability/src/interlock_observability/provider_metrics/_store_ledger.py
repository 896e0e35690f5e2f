"""Keeps counts in a store that several processes share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

from interlock_core import new_id
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json, parse_json
from interlock_core.store import Row, SqlValue, Store, Transaction
from interlock_observability.provider_metrics import _sql
from interlock_observability.provider_metrics._ledger import (
    Batch,
    CallRecord,
    CounterKey,
    Labels,
    judged,
    merged,
)
from interlock_observability.provider_metrics._sketch import Sketch
from interlock_observability.provider_metrics._spans import BLOCK, DAY, EVER, HOUR, MINUTE, Stretch, start_of
from interlock_observability.provider_metrics._tally import COUNTS, SKETCHES, Series, Tally
from interlock_observability.provider_metrics._wins import Pair, Score

_LOCK: Final = "metrics"
# The fields of a tally stand in the order of the columns, so that a row needs no look-up by name.
_of_columns: Callable[..., Tally] = Tally
_WRITER_LIFE_S: Final = 7 * DAY
_NO_END: Final = 2**62


class StoreLedger:
    """A `Ledger` in a store.

    A batch is added in one transaction, with its number beside it: a batch whose end was not seen, because
    the connection broke or the task was cancelled, is found to be there or not, and never counted twice.

    Args:
        store: Opened with this part's branch.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writer = new_id("writer")

    async def write(self, batch: Batch) -> None:
        """Add a batch.

        Raises:
            StoreError: It could not be written.
        """
        async with self._store.transaction(lock=_LOCK) as tx:
            if await self._signed(tx, batch.number):
                return
            await _add(tx, batch)
            if batch.counters:
                rows = [
                    (name, _labels_text(labels), value) for (name, labels), value in batch.counters.items()
                ]
                await tx.execute_many(_sql.COUNT, rows)
            if batch.compared:
                pairs = [(*pair, *score) for pair, score in batch.compared.items()]
                await tx.execute_many(_sql.COMPARE, pairs)
            if batch.calls:
                await tx.execute_many(_sql.KEEP, batch.calls)
            await tx.execute(_sql.SIGN, (self._writer, batch.number, int(self._store.clock.now())))

    async def wrote(self, number: int) -> bool:
        """Whether this writer's batch of that number was added.

        Raises:
            StoreError: The store could not be read.
        """
        row = await self._store.fetch_one(_sql.SIGNED, (self._writer,))
        return row is not None and _int(row[0]) >= number

    async def _signed(self, tx: Transaction, number: int) -> bool:
        row = await tx.fetch_one(_sql.SIGNED, (self._writer,))
        return row is not None and _int(row[0]) >= number

    async def read(self, stretches: Sequence[Stretch], kind: str) -> list[tuple[Series, Tally]]:
        """The counts of some stretches.

        Raises:
            StoreError: The store could not be read.
        """
        found: list[tuple[Series, Tally]] = []
        for stretch in stretches:
            found += map(_tally, await self._store.fetch_all(_sql.READ, (*stretch, kind)))
        return found

    async def totals(self, stretches: Sequence[Stretch], kind: str) -> dict[Series, Tally]:
        """The counts of some stretches together, by series, without sizes and scores of single calls.

        Raises:
            StoreError: The store could not be read.
        """
        found: dict[Series, Tally] = {}
        for stretch in stretches:
            where = (*stretch, kind)
            for row in await self._store.fetch_all(_sql.SUMS, where):
                found.setdefault(_series(row), Tally()).merge(_of_columns(*row[4:]))
            for row in await self._store.fetch_all(_sql.TIMES, where):
                tally = found.get(_series(row))
                if tally is not None:
                    _add_times(tally, row)
        return found

    async def scores(self, stretches: Sequence[Stretch]) -> list[tuple[Series, Sketch]]:
        """The scores of models in some stretches.

        Raises:
            StoreError: The store could not be read.
        """
        found: list[tuple[Series, Sketch]] = []
        for stretch in stretches:
            rows = await self._store.fetch_all(_sql.SCORES, (*stretch, "model"))
            found += [(_series(row), _sketch(row[4])) for row in rows]
        return found

    async def counters(self) -> Mapping[CounterKey, int]:
        """Every counter.

        Raises:
            StoreError: The store could not be read.
        """
        rows = await self._store.fetch_all(_sql.COUNTERS)
        return {(str(name), _labels(str(labels))): _int(value) for name, labels, value in rows}

    async def calls(self, *, since: float, limit: int, run: str | None) -> Sequence[CallRecord]:
        """The latest calls, newest first.

        Raises:
            StoreError: The store could not be read.
        """
        rows = await self._store.fetch_all(_sql.CALLS, (since, run or "", run or "", limit))
        return [CallRecord(*cast("CallRecord", row)) for row in rows]

    async def compared(self, stretches: Sequence[Stretch]) -> list[tuple[Pair, Score]]:
        """The comparisons of models on the days of some stretches.

        Raises:
            StoreError: The store could not be read.
        """
        if not stretches:
            return []
        ever = stretches[0].span == EVER
        start, end = (-DAY, _NO_END) if ever else (stretches[0].start - DAY, stretches[-1].end)
        rows = await self._store.fetch_all(_sql.COMPARED, (start, end))
        return [
            (Pair(_int(day), str(task), str(first), str(second)), Score(*map(_int, counts)))
            for day, task, first, second, *counts in rows
        ]

    async def rate(self, run: str, score: float) -> bool:
        """Give the last call of a run to a model its score, if it is kept and has none; whether it took it.

        Raises:
            StoreError: The store could not be used.
        """
        async with self._store.transaction(lock=_LOCK) as tx:
            row = await tx.fetch_one(_sql.RATED, (run,))
            call = None if row is None else CallRecord(*cast("CallRecord", row))
            if call is None or call.score is not None:
                return False
            await tx.execute(_sql.RATE, (score, call.id))
            await _add(tx, Batch(0, dict([judged(call, score)])))
            return True

    async def rolled(self) -> int:
        """Until when days are rolled up into blocks.

        Raises:
            StoreError: The store could not be read.
        """
        row = await self._store.fetch_one(_sql.ROLLED)
        return 0 if row is None else _int(row[0])

    async def roll(self, until: float) -> None:
        """Roll up the days of the blocks that ended before that, a block a transaction.

        Raises:
            StoreError: The store could not be used.
        """
        rolled = await self.rolled()
        if not rolled:
            first = await self._store.fetch_one(_sql.FIRST_DAY)
            rolled = start_of(until if first is None or first[0] is None else _int(first[0]), BLOCK)
        for start in range(rolled, start_of(until, BLOCK), BLOCK):
            async with self._store.transaction(lock=_LOCK) as tx:
                done = await tx.fetch_one(_sql.ROLLED)
                if done is None or _int(done[0]) <= start:
                    await _roll(tx, start)

    async def prune(self, *, minutes_before: float, hours_before: float, calls_before: float) -> None:
        """Forget what is older than that, and writers that have not written for a week.

        Raises:
            StoreError: The store could not be written.
        """
        async with self._store.transaction(lock=_LOCK) as tx:
            for span, before in ((MINUTE, minutes_before), (HOUR, hours_before)):
                await tx.execute(
                    "DELETE FROM metrics_spans WHERE span = ? AND start < ?", (span, int(before))
                )
            await tx.execute("DELETE FROM metrics_calls WHERE at < ?", (calls_before,))
            gone = int(self._store.clock.now()) - _WRITER_LIFE_S
            await tx.execute("DELETE FROM metrics_writers WHERE at < ?", (gone,))


async def _add(tx: Transaction, batch: Batch) -> None:
    """Merge a batch into the rows of its spans; nobody else writes metrics meanwhile."""
    done = await tx.fetch_one(_sql.ROLLED)
    tallies = batch.by_span(0 if done is None else _int(done[0]))
    kept: dict[tuple[int, int, Series], Tally] = {}
    for minute, model in sorted({(minute, series.model) for minute, series in batch.tallies}):
        starts = (start_of(minute, span) for span in (MINUTE, HOUR, DAY, BLOCK))
        for span, start, *rest in await tx.fetch_all(_sql.READ_SPANS, (model, *starts)):
            key = (_int(span), _int(start), _series(rest))
            # A row of an hour may come once for each of its minutes: what was merged is not merged again.
            if key in tallies and key not in kept:
                kept[key] = _tally(rest)[1]
                kept[key].merge(tallies[key])
    await tx.execute_many(_sql.PUT, [_row(*key, kept.get(key, tally)) for key, tally in tallies.items()])


async def _roll(tx: Transaction, start: int) -> None:
    """Sum the days of a block; whoever writes to them from now on writes to the block, too."""
    rows = merged(map(_tally, await tx.fetch_all(_sql.DAYS, (start, start + BLOCK))))
    if rows:
        await tx.execute_many(_sql.PUT, [_row(BLOCK, start, series, tally) for series, tally in rows.items()])
    await tx.execute(_sql.ROLL, (start + BLOCK,))


def _row(span: int, start: int, series: Series, tally: Tally) -> tuple[SqlValue, ...]:
    counts: Iterable[int | float] = (getattr(tally, name) for name in COUNTS)
    sketches: Iterable[bytes] = (getattr(tally, name).to_bytes() for name in SKETCHES)
    failures = dump_json(dict(tally.failures), sort_keys=True) if tally.failures else "{}"
    return (span, start, *series, *counts, *sketches, failures)


def _tally(row: Sequence[SqlValue]) -> tuple[Series, Tally]:
    numbers, rest = row[4 : 4 + len(COUNTS)], row[4 + len(COUNTS) :]
    return _series(row), _of_columns(*numbers, _failures(rest[-1]), *map(_sketch, rest[:-1]))


def _series(row: Sequence[SqlValue]) -> Series:
    kind, provider, model, task = row[:4]
    return Series(str(kind), str(provider), str(model), str(task))


def _add_times(tally: Tally, row: Row) -> None:
    tally.latency.merge(_sketch(row[4]))
    tally.first_token.merge(_sketch(row[5]))
    if row[6] != "{}":
        for code, number in _failures(row[6]).items():
            tally.failures[code] = tally.failures.get(code, 0) + number


def _sketch(blob: SqlValue) -> Sketch:
    """A sketch; one that an older version has not kept is empty."""
    return Sketch() if blob is None else Sketch.from_bytes(cast("bytes", blob))


def _failures(text: SqlValue) -> dict[str, int]:
    if text == "{}":
        return {}
    return {code: as_int(number) or 0 for code, number in as_object(parse_json(str(text))).items()}


def _labels_text(labels: Labels) -> str:
    return dump_json([[name, value] for name, value in labels])


def _labels(text: str) -> Labels:
    pairs = (as_array(pair) for pair in as_array(parse_json(text)))
    return tuple((as_text(name) or "", as_text(value) or "") for name, value in pairs)


def _int(value: SqlValue) -> int:
    return value if isinstance(value, int) else 0
