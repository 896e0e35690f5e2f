"""Where counts are kept: the seam between the collector and memory or a store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from interlock_observability.provider_metrics._spans import EVER, SPANS, Stretch, start_of
from interlock_observability.provider_metrics._tally import Series, Tally

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


@dataclass(slots=True)
class Batch:
    """What was counted since the last batch.

    Attributes:
        number: Its number, rising for each writer.
        tallies: Counts by minute and series.
        counters: What was added to counters.
        calls: The calls themselves.
    """

    number: int
    tallies: dict[tuple[int, Series], Tally] = field(default_factory=dict[tuple[int, Series], Tally])
    counters: dict[CounterKey, int] = field(default_factory=dict[CounterKey, int])
    calls: list[CallRecord] = field(default_factory=list[CallRecord])

    def __bool__(self) -> bool:
        return bool(self.tallies or self.counters or self.calls)

    def by_span(self) -> dict[tuple[int, int, Series], Tally]:
        """The counts by span, start and series, for every length of span."""
        found: dict[tuple[int, int, Series], Tally] = {}
        for (minute, series), tally in self.tallies.items():
            for span in SPANS:
                found.setdefault((span, start_of(minute, span), series), Tally()).merge(tally)
        return found

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

    async def counters(self) -> Mapping[CounterKey, int]:
        """Every counter."""
        ...

    async def calls(self, *, since: float, limit: int, run: str | None) -> Sequence[CallRecord]:
        """The latest calls, newest first."""
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
        self._number = 0

    async def write(self, batch: Batch) -> None:
        """Add a batch."""
        self._number = batch.number
        for key, tally in batch.by_span().items():
            self._tallies.setdefault(key, Tally()).merge(tally)
        for key, value in batch.counters.items():
            self._counters[key] = self._counters.get(key, 0) + value
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

    async def counters(self) -> Mapping[CounterKey, int]:
        """Every counter."""
        return dict(self._counters)

    async def calls(self, *, since: float, limit: int, run: str | None) -> Sequence[CallRecord]:
        """The latest calls, newest first."""
        fitting = (call for call in reversed(self._calls) if call.at >= since and run in {None, call.run})
        return [call for _, call in zip(range(limit), fitting, strict=False)]

    async def prune(self, *, minutes_before: float, hours_before: float, calls_before: float) -> None:
        """Forget what is older than that."""
        oldest = {SPANS[0]: minutes_before, SPANS[1]: hours_before}
        self._tallies = {
            key: tally
            for key, tally in self._tallies.items()
            if key[1] >= oldest.get(key[0], 0.0) or key[0] == EVER
        }
        self._calls = [call for call in self._calls if call.at >= calls_before]


def merged(rows: Iterable[tuple[Series, Tally]]) -> dict[Series, Tally]:
    """Counts by series; what was given is left as it was."""
    found: dict[Series, Tally] = {}
    for series, tally in rows:
        found.setdefault(series, Tally()).merge(tally)
    return found
