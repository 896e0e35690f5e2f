"""Keeps counts in a store that several processes share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

from interlock_core import new_id
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json, parse_json
from interlock_core.store import Row, SqlValue, Store, Transaction
from interlock_observability.provider_metrics import _sql
from interlock_observability.provider_metrics._ledger import Batch, CallRecord, CounterKey, Labels
from interlock_observability.provider_metrics._sketch import Sketch
from interlock_observability.provider_metrics._spans import DAY, HOUR, MINUTE, Stretch, start_of
from interlock_observability.provider_metrics._tally import COUNTS, SKETCHES, Series, Tally

_LOCK: Final = "metrics"
# The fields of a tally stand in the order of the columns, so that a row needs no look-up by name.
_of_columns: Callable[..., Tally] = Tally
_WRITER_LIFE_S: Final = 7 * DAY


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
    tallies = batch.by_span()
    merged: set[tuple[int, int, Series]] = set()
    for minute, model in sorted({(minute, series.model) for minute, series in batch.tallies}):
        starts = (start_of(minute, span) for span in (MINUTE, HOUR, DAY))
        for span, start, *rest in await tx.fetch_all(_sql.READ_SPANS, (model, *starts)):
            series, kept = _tally(tuple(rest))
            key = (_int(span), _int(start), series)
            # A row of an hour may come once for each of its minutes: what was merged is not merged again.
            if key in tallies and key not in merged:
                tallies[key].merge(kept)
                merged.add(key)
    await tx.execute_many(_sql.PUT, [_row(*key, tally) for key, tally in tallies.items()])


def _row(span: int, start: int, series: Series, tally: Tally) -> tuple[SqlValue, ...]:
    counts: Iterable[int | float] = (getattr(tally, name) for name in COUNTS)
    sketches: Iterable[bytes] = (getattr(tally, name).to_bytes() for name in SKETCHES)
    failures = dump_json(dict(tally.failures), sort_keys=True)
    return (span, start, *series, *counts, *sketches, failures)


def _tally(row: Row) -> tuple[Series, Tally]:
    kind, provider, model, task, *values = row
    sketches = (Sketch.from_bytes(bytes(cast("bytes", blob))) for blob in values[len(COUNTS) : -1])
    tally = _of_columns(*values[: len(COUNTS)], _failures(str(values[-1])), *sketches)
    return Series(str(kind), str(provider), str(model), str(task)), tally


def _failures(text: str) -> dict[str, int]:
    if text == "{}":
        return {}
    return {code: as_int(number) or 0 for code, number in as_object(parse_json(text)).items()}


def _labels_text(labels: Labels) -> str:
    return dump_json([[name, value] for name, value in labels])


def _labels(text: str) -> Labels:
    pairs = (as_array(pair) for pair in as_array(parse_json(text)))
    return tuple((as_text(name) or "", as_text(value) or "") for name, value in pairs)


def _int(value: SqlValue) -> int:
    return value if isinstance(value, int) else 0
