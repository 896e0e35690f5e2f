"""Figures from memory, at once: what is counted and not yet kept, and how each model does."""

from dataclasses import dataclass, field, replace
from typing import Final

from interlock_core import Call, CallKind, Outcome, Performance
from interlock_observability.provider_metrics._ledger import Batch, CallRecord, CounterKey
from interlock_observability.provider_metrics._spans import MINUTE
from interlock_observability.provider_metrics._tally import (
    NONE,
    REFUSALS,
    UNANSWERED,
    UNKNOWN_NAME,
    Series,
    Tally,
)
from interlock_observability.provider_metrics._wins import NOTHING, Better, pair_of

OTHER: Final = "other"
"""The label of everything beyond the most labels that are kept apart."""

_STALE: Final = 1 / 16
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelLimits:
    """How many values of each label are kept apart; the rest is counted as `other`.

    Attributes:
        models: Models.
        tools: Tools.
        tasks: Classes of tasks.
        errors: Codes of errors.
    """

    models: int = 512
    tools: int = 1_024
    tasks: int = 64
    errors: int = 128


class Labels:
    """Names series, so that no client can make them grow without end.

    Args:
        limits: How many are kept apart.
    """

    __slots__ = ("_known", "_limits", "_models", "_tasks", "_tools")

    def __init__(self, limits: LabelLimits) -> None:
        self._limits = limits
        self._models: set[str] = set()
        self._tools: set[str] = set()
        self._tasks: set[str] = set()
        self._known: dict[tuple[str | None, str | None], Series] = {}

    def of(self, call: Call, outcome: Outcome) -> Series:
        """The series that a call belongs to."""
        if outcome.ok and outcome.model is not None and call.kind is CallKind.MODEL:
            known = self._known.get((outcome.model, outcome.task))
            if known is not None:
                return known
            known = self._of(call, outcome)
            if known.model == outcome.model and known.task == outcome.task:
                self._known[outcome.model, outcome.task] = known
            return known
        return self._of(call, outcome)

    def _of(self, call: Call, outcome: Outcome) -> Series:
        if call.kind is CallKind.TOOL:
            name = _kept(call.name, self._tools, self._limits.tools)
            return Series("tool", name.partition(".")[0], name, "")
        model = self.model(_model(call, outcome))
        return Series("model", model.partition("/")[0], model, self.task(outcome.task or call.task or NONE))

    def model(self, name: str) -> str:
        """The label of a model."""
        return _kept(name, self._models, self._limits.models)

    def task(self, name: str) -> str:
        """The label of a class of task."""
        return _kept(name, self._tasks, self._limits.tasks)


def _kept(value: str, known: set[str], most: int) -> str:
    if value in known:
        return value
    value = _clean(value)
    if value not in known and len(known) >= most:
        return OTHER
    known.add(value)
    return value


def _clean(value: str) -> str:
    """A name as a database and a page of metrics can hold it: printable, and not endless."""
    if len(value) <= _LONGEST and value.isprintable():
        return value
    return "".join(char if char.isprintable() else "?" for char in value[:_LONGEST])


def _model(call: Call, outcome: Outcome) -> str:
    """The model's name, unless it is one that a client may have made up."""
    if not outcome.ok and (
        outcome.error == UNKNOWN_NAME or (outcome.model is None and outcome.error in UNANSWERED)
    ):
        return NONE
    name = outcome.model or call.name
    return name if "/" in name and not name.startswith("auto/") else NONE


@dataclass(slots=True)
class _View:
    """How one model does, or one model at one class of task.

    Attributes:
        base: What was kept when last looked, by all processes, within the window.
        fresh: What this process has counted since, up to the last batch that was cut.
        count: How many calls there were in all.
        seen: How many there were when `told` was worked out.
        told: The figures, worked out anew when a sixteenth more calls have come.
    """

    base: Tally = field(default_factory=Tally)
    fresh: Tally = field(default_factory=Tally)
    count: int = 0
    seen: int = 0
    told: Performance | None = None

    @property
    def stale(self) -> bool:
        """Whether the figures must be worked out anew."""
        return self.told is None or self.count - self.seen > self.seen * _STALE


class Live:
    """What this process has counted.

    Args:
        limits: How many labels are kept apart.
        writer: Prefix of the ids of records.
        most_tallies: Most minutes and series that wait to be kept; the oldest minutes go first.
        most_calls: Most calls that wait to be kept; further ones are counted only.

    Attributes:
        labels: Names series.
        pending: What waits to be kept.
        dropped: Calls whose counts were given up because nobody would keep them.
    """

    def __init__(self, limits: LabelLimits, *, writer: str, most_tallies: int, most_calls: int) -> None:
        self.dropped = 0
        self.labels = Labels(limits)
        self._errors: set[str] = set()
        self._most_errors = limits.errors
        self._writer = writer
        self._most_tallies = most_tallies
        self._most_calls = most_calls
        self._batches = 0
        self._records = 0
        self._views: dict[tuple[str, str | None], _View] = {}
        self.pending = Batch(1)

    def record(self, call: Call, outcome: Outcome, at: float, *, keep: bool) -> None:
        """Count one call.

        Args:
            call: The call.
            outcome: What became of it.
            at: When it ended, in seconds since 1970.
            keep: Keep the call itself too.
        """
        series = self.labels.of(call, outcome)
        if outcome.error is not None and outcome.error not in self._errors:
            outcome = self._bounded(outcome)
        model = series.kind == "model"
        key = (int(at // MINUTE) * MINUTE, series)
        tally = self.pending.tallies.get(key)
        if tally is None:
            tally = self._begin(key)
        tally.add(outcome, model=model)
        if model:
            self._view(series.model, series.task).count += 1
            self._view(series.model, None).count += 1
        if outcome.error in REFUSALS:
            self.count(("interlock_refusals_total", (("reason", outcome.error or ""),)), 1)
        if keep and len(self.pending.calls) < self._most_calls:
            self.pending.calls.append(self._kept(call, outcome, series, at))

    def count(self, key: CounterKey, by: int) -> None:
        """Add to a counter."""
        self.pending.counters[key] = self.pending.counters.get(key, 0) + by

    def compare(self, day: int, task: str, models: tuple[str, str], better: Better) -> None:
        """Count a comparison of two models."""
        first, second = map(self.labels.model, models)
        if first != second:
            pair, score = pair_of(day, self.labels.task(task), first, second, better)
            self.pending.compared[pair] = self.pending.compared.get(pair, NOTHING).plus(score)

    def performance(self, model: str, task: str | None) -> Performance | None:
        """How a model does; None when it was never called."""
        view = self._views.get((model, task))
        if view is None:
            return None
        if view.stale:
            tally = Tally()
            tally.merge(view.base)
            tally.merge(view.fresh)
            for (_, series), waiting in self.pending.tallies.items():
                if series.model == model and task in {None, series.task}:
                    tally.merge(waiting)
            view.seen, view.told = view.count, _performance(model, task, tally)
        return view.told

    def cut(self) -> Batch:
        """What waits to be kept; from now on the next batch is filled."""
        batch, self.pending = self.pending, Batch(self.pending.number + 1)
        for (_, series), tally in batch.tallies.items():
            if series.kind == "model":
                self._view(series.model, series.task).fresh.merge(tally)
                self._view(series.model, None).fresh.merge(tally)
        return batch

    def renew(self, kept: dict[Series, Tally]) -> None:
        """Take what is kept by all processes as the base of performance figures.

        Args:
            kept: Counts within the window, by series; they hold everything but what waits now.
        """
        views: dict[tuple[str, str | None], _View] = {}
        for series, tally in kept.items():
            for key in ((series.model, series.task), (series.model, None)):
                view = views.setdefault(key, _View())
                view.base.merge(tally)
                view.count += tally.requests
        self._views = views
        for (_, series), tally in self.pending.tallies.items():
            if series.kind == "model":
                self._view(series.model, series.task).count += tally.requests
                self._view(series.model, None).count += tally.requests

    def _view(self, model: str, task: str | None) -> _View:
        view = self._views.get((model, task))
        if view is None:
            view = self._views[model, task] = _View()
        return view

    def _begin(self, key: tuple[int, Series]) -> Tally:
        tallies = self.pending.tallies
        if len(tallies) >= self._most_tallies:
            oldest = next(iter(tallies))
            self.dropped += tallies.pop(oldest).requests
        tally = tallies[key] = Tally()
        return tally

    def _bounded(self, outcome: Outcome) -> Outcome:
        code = _kept(outcome.error or OTHER, self._errors, self._most_errors)
        return replace(outcome, error=code)

    def _kept(self, call: Call, outcome: Outcome, series: Series, at: float) -> CallRecord:
        self._records += 1
        usage, cost = outcome.usage, outcome.cost
        return CallRecord(
            f"{self._writer}-{self._records}",
            _clean(call.id),
            at,
            None if call.run is None else _clean(call.run),
            *series,
            None if outcome.ok else outcome.error or "unknown",
            outcome.duration_s,
            outcome.first_token_s,
            None if usage is None else usage.input_tokens,
            None if usage is None else usage.output_tokens,
            None if cost is None else cost.micro_usd,
            outcome.attempts,
            outcome.score,
        )


def _performance(model: str, task: str | None, tally: Tally) -> Performance:
    rate = tally.success_rate
    known = tally.ok - tally.cost_unknown
    return Performance(
        model=model,
        task=task,
        requests=tally.answerable,
        success_rate=1.0 if rate is None else rate,
        latency_p50_s=tally.latency.quantile(0.5) or 0.0,
        latency_p95_s=tally.latency.quantile(0.95) or 0.0,
        first_token_p50_s=tally.first_token.quantile(0.5),
        quality=tally.score / tally.judged if tally.judged else None,
        judged=tally.judged,
        cost_mean_usd=tally.cost_micro_usd / known / 1_000_000 if known > 0 else None,
    )
