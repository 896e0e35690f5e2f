"""Where counts are kept: the seam between the collector and memory or a store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from interlock_observability.provider_metrics._sketch import Sketch
from interlock_observability.provider_metrics._spans import BLOCK, DAY, EVER, SPANS, Stretch, start_of
from interlock_observability.provider_metrics._tally import Series, Tally
from interlock_observability.provider_metrics._wins import NOTHING, Pair, Score

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values of the labels of a counter, sorted by name."""

CounterKey: TypeAlias = tuple[str, Labels]
"""Name and labels of a counter."""


class CallRecord(NamedTuple):
    """One call as it is kept: no user, no key, no words.

    Attributes:
        id: Unique id of the record.
        call: Id of the call; attempts of one call share it.
        at: When it ended, in seconds since 1970.
        run: Id of the run.
        kind: `model` or `tool`.
        provider: Who was called.
        model: Model or tool.
        task: Class of the task.
        error: Code of the error; None when it did what it was for.
        duration_s: Seconds from start to end.
        first_token_s: Seconds to the first token.
        input_tokens: Tokens in; None when unknown.
        output_tokens: Tokens out; None when unknown.
        cost_micro_usd: Money in micro-dollars; None when unknown.
        attempts: Calls to the other side.
        score: How good it was, 0 to 1; None when nobody has said.
    """

    id: str
    call: str
    at: float
    run: str | None
    kind: str
    provider: str
    model: str
    task: str
    error: str | None
    duration_s: float
    first_token_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_micro_usd: int | None
    attempts: int
    score: float | None = None


@dataclass(slots=True)
class Batch:
    """What was counted since the last batch.

    Attributes:
        number: Its number, rising for each writer.
        tallies: Counts by minute and series.
        counters: What was added to counters.
        calls: The calls themselves.
        compared: Comparisons of models by day.
    """

    number: int
    tallies: dict[tuple[int, Series], Tally] = field(default_factory=dict[tuple[int, Series], Tally])
    counters: dict[CounterKey, int] = field(default_factory=dict[CounterKey, int])
    calls: list[CallRecord] = field(default_factory=list[CallRecord])
    compared: dict[Pair, Score] = field(default_factory=dict[Pair, Score])

    def __bool__(self) -> bool:
        return bool(self.tallies or self.counters or self.calls or self.compared)

    def by_span(self, rolled: float = 0) -> dict[tuple[int, int, Series], Tally]:
        """The counts by span, start and series, for every length of span; to be read only.

        Args:
            rolled: Until when days are rolled up: what comes later than that is counted there too.
        """
        found: dict[tuple[int, int, Series], Tally] = {}
        for (minute, series), tally in self.tallies.items():
            for span in (*SPANS, BLOCK) if minute < rolled else SPANS:
                key = (span, start_of(minute, span), series)
                before = found.get(key)
                # Most batches lie within one minute: its counts are then those of all spans, and not copied.
                found[key] = tally if before is None else _sum(before, tally)
        return found

    def compared_within(self, stretches: Sequence[Stretch]) -> list[tuple[Pair, Score]]:
        """The comparisons on the days of some stretches."""
        return [
            item for item in self.compared.items() if any(_covers(each, item[0].day) for each in stretches)
        ]

    def within(self, stretch: Stretch, kind: str) -> list[tuple[Series, Tally]]:
        """The counts of a stretch."""
        return [
            (series, tally)
            for (minute, series), tally in self.tallies.items()
            if series.kind == kind and (stretch.span == EVER or stretch.start <= minute < stretch.end)
        ]


class Ledger(Protocol):
    """Keeps counts. All methods but those of memory may raise `StoreError`."""

    async def write(self, batch: Batch) -> None:
        """Add a batch; one that was added before, by its number, is not added again."""
        ...

    async def wrote(self, number: int) -> bool:
        """Whether this writer's batch of that number was added."""
        ...

    async def read(self, stretches: Sequence[Stretch], kind: str) -> list[tuple[Series, Tally]]:
        """The counts of some stretches, unmerged."""
        ...

    async def totals(self, stretches: Sequence[Stretch], kind: str) -> dict[Series, Tally]:
        """The counts of some stretches together, by series, without sizes and scores of single calls."""
        ...

    async def scores(self, stretches: Sequence[Stretch]) -> list[tuple[Series, Sketch]]:
        """The scores of models in some stretches."""
        ...

    async def counters(self) -> Mapping[CounterKey, int]:
        """Every counter."""
        ...

    async def calls(self, *, since: float, limit: int, run: str | None) -> Sequence[CallRecord]:
        """The latest calls, newest first."""
        ...

    async def compared(self, stretches: Sequence[Stretch]) -> list[tuple[Pair, Score]]:
        """The comparisons of models on the days of some stretches."""
        ...

    async def rate(self, run: str, score: float) -> bool:
        """Give the last call of a run to a model its score, unless it has one; whether it took it."""
        ...

    async def rolled(self) -> int:
        """Until when days are rolled up into blocks."""
        ...

    async def roll(self, until: float) -> None:
        """Roll up the days of the blocks that ended before that."""
        ...

    async def prune(self, *, minutes_before: float, hours_before: float, calls_before: float) -> None:
        """Forget what is older than that."""
        ...


class MemoryLedger:
    """Keeps counts in this process only.

    Args:
        most_calls: How many calls are kept; the oldest go first.
    """

    def __init__(self, *, most_calls: int = 10_000) -> None:
        self._most_calls = most_calls
        self._tallies: dict[tuple[int, int, Series], Tally] = {}
        self._counters: dict[CounterKey, int] = {}
        self._calls: list[CallRecord] = []
        self._compared: dict[Pair, Score] = {}
        self._number = 0

    async def write(self, batch: Batch) -> None:
        """Add a batch."""
        self._number = batch.number
        for key, tally in batch.by_span().items():
            self._tallies.setdefault(key, Tally()).merge(tally)
        for key, value in batch.counters.items():
            self._counters[key] = self._counters.get(key, 0) + value
        for pair, score in batch.compared.items():
            self._compared[pair] = self._compared.get(pair, NOTHING).plus(score)
        self._calls = [*self._calls, *batch.calls][-self._most_calls :]

    async def wrote(self, number: int) -> bool:
        """Whether a batch was added."""
        return number <= self._number

    async def read(self, stretches: Sequence[Stretch], kind: str) -> list[tuple[Series, Tally]]:
        """The counts of some stretches."""
        return [
            (series, tally)
            for stretch in stretches
            for (span, start, series), tally in self._tallies.items()
            if span == stretch.span and stretch.start <= start < stretch.end and series.kind == kind
        ]

    async def totals(self, stretches: Sequence[Stretch], kind: str) -> dict[Series, Tally]:
        """The counts of some stretches together, by series."""
        return merged(await self.read(stretches, kind))

    async def scores(self, stretches: Sequence[Stretch]) -> list[tuple[Series, Sketch]]:
        """The scores of models in some stretches."""
        return [(series, tally.scores) for series, tally in await self.read(stretches, "model")]

    async def counters(self) -> Mapping[CounterKey, int]:
        """Every counter."""
        return dict(self._counters)

    async def calls(self, *, since: float, limit: int, run: str | None) -> Sequence[CallRecord]:
        """The latest calls, newest first."""
        fitting = (call for call in reversed(self._calls) if call.at >= since and run in {None, call.run})
        return [call for _, call in zip(range(limit), fitting, strict=False)]

    async def compared(self, stretches: Sequence[Stretch]) -> list[tuple[Pair, Score]]:
        """The comparisons of models on the days of some stretches."""
        return Batch(0, compared=self._compared).compared_within(stretches)

    async def rate(self, run: str, score: float) -> bool:
        """Give the last call of a run its score."""
        for place in range(len(self._calls) - 1, -1, -1):
            call = self._calls[place]
            if call.run == run and call.kind == "model":
                if call.score is None:
                    self._calls[place] = call._replace(score=score)
                    await self.write(Batch(self._number, dict([judged(call, score)])))
                return call.score is None
        return False

    async def rolled(self) -> int:
        """Days are not rolled up here: they are few, and in memory."""
        return 0

    async def roll(self, until: float) -> None:
        """Nothing to do."""

    async def prune(self, *, minutes_before: float, hours_before: float, calls_before: float) -> None:
        """Forget what is older than that."""
        oldest = {SPANS[0]: minutes_before, SPANS[1]: hours_before}
        self._tallies = {
            key: tally
            for key, tally in self._tallies.items()
            if key[1] >= oldest.get(key[0], 0.0) or key[0] == EVER
        }
        self._calls = [call for call in self._calls if call.at >= calls_before]


def judged(call: CallRecord, score: float) -> tuple[tuple[int, Series], Tally]:
    """What is counted when a call that was counted before is given a score."""
    tally = Tally()
    tally.judge(score)
    return (start_of(call.at, SPANS[0]), Series(call.kind, call.provider, call.model, call.task)), tally


def _covers(stretch: Stretch, day: int) -> bool:
    """Whether a stretch holds any moment of a day."""
    return stretch.span == EVER or (stretch.start < day + DAY and day < stretch.end)


def _sum(first: Tally, second: Tally) -> Tally:
    """The counts of two tallies, which stay as they are."""
    total = Tally()
    total.merge(first)
    total.merge(second)
    return total


def merged(rows: Iterable[tuple[Series, Tally]]) -> dict[Series, Tally]:
    """Counts by series; what was given is left as it was."""
    found: dict[Series, Tally] = {}
    for series, tally in rows:
        found.setdefault(series, Tally()).merge(tally)
    return found
