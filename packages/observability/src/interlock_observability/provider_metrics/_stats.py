"""Statistics as people and programs read them: rows, JSON, a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from interlock_core import Money
from interlock_core.jsontypes import JsonObject
from interlock_observability.provider_metrics._sketch import Sketch
from interlock_observability.provider_metrics._tally import Series, Tally

Dimension: TypeAlias = Literal["provider", "model", "task"]
"""What statistics are grouped by."""

Kind: TypeAlias = Literal["model", "tool"]
"""What was called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How long something took, in seconds; None where there were no values.

    Attributes:
        mean: Exact.
        median: Within 1 %, as are the others.
        p95: 95 of 100 took at most this.
        p99: 99 of 100 took at most this.
        most: The longest, exact.
    """

    mean: float | None = None
    median: float | None = None
    p95: float | None = None
    p99: float | None = None
    most: float | None = None

    @property
    def p50(self) -> float | None:
        """The median, by its other name."""
        return self.median

    @classmethod
    def of(cls, sketch: Sketch) -> "Spread":
        """The spread of a sketch."""
        median, p95, p99 = sketch.quantiles(0.5, 0.95, 0.99)
        most = sketch.high if sketch.count else None
        return cls(mean=sketch.mean, median=median, p95=p95, p99=p99, most=most)

    def as_json(self) -> JsonObject:
        """As JSON, in seconds."""
        return {"mean": self.mean, "median": self.median, "p95": self.p95, "p99": self.p99, "max": self.most}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatRow:
    """What one group of calls came to.

    Attributes:
        group: The group, by dimension, such as `{"provider": "openai"}`.
        requests: All calls.
        ok: Those that did what they were for.
        cancelled: Those that the client left.
        unanswered: Those that were refused, or wrong before anybody was to blame.
        failures: Those that failed, by error code, refused and wrong ones included.
        success_rate: `ok` of those neither cancelled nor unanswered; None when there were none.
        attempts: Calls to the other side.
        input_tokens: All input.
        output_tokens: All output.
        cache_read_tokens: The input read from the vendor's cache.
        reasoning_tokens: The output that was reasoning.
        usage_unknown: Calls that told no tokens.
        cost: Money, of the calls whose price is known.
        cost_unknown: Calls at an unknown price: the true cost is higher by theirs.
        latency: Seconds to the end, of calls that did what they were for.
        first_token: Seconds to the first token.
        tool_calls: Calls that models asked for.
        tool_call_success: The part of them that named a known tool with valid arguments; None without any.
        judged: Calls with a score.
        quality: Their mean score; None without any.
    """

    group: Mapping[str, str]
    requests: int = 0
    ok: int = 0
    cancelled: int = 0
    unanswered: int = 0
    failures: Mapping[str, int] = field(default_factory=dict[str, int])
    success_rate: float | None = None
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    reasoning_tokens: int = 0
    usage_unknown: int = 0
    cost: Money = field(default_factory=Money)
    cost_unknown: int = 0
    latency: Spread = field(default_factory=Spread)
    first_token: Spread = field(default_factory=Spread)
    tool_calls: int = 0
    tool_call_success: float | None = None
    judged: int = 0
    quality: float | None = None

    @property
    def name(self) -> str:
        """The group in one word or a few."""
        return " ".join(self.group.values()) or "all"

    @classmethod
    def of(cls, group: Mapping[str, str], tally: Tally) -> "StatRow":
        """The row of a tally."""
        return cls(
            group=group,
            requests=tally.requests,
            ok=tally.ok,
            cancelled=tally.cancelled,
            unanswered=tally.unanswered,
            failures=dict(sorted(tally.failures.items())),
            success_rate=tally.success_rate,
            attempts=tally.attempts,
            input_tokens=tally.input_tokens,
            output_tokens=tally.output_tokens,
            cache_read_tokens=tally.cache_read_tokens,
            reasoning_tokens=tally.reasoning_tokens,
            usage_unknown=tally.usage_unknown,
            cost=Money(tally.cost_micro_usd),
            cost_unknown=tally.cost_unknown,
            latency=Spread.of(tally.latency),
            first_token=Spread.of(tally.first_token),
            tool_calls=tally.tool_calls,
            tool_call_success=tally.tool_calls_valid / tally.tool_calls if tally.tool_calls else None,
            judged=tally.judged,
            quality=tally.score / tally.judged if tally.judged else None,
        )

    def as_json(self) -> JsonObject:
        """As JSON: money in dollars, times in seconds."""
        return {
            **self.group,
            "requests": self.requests,
            "ok": self.ok,
            "cancelled": self.cancelled,
            "unanswered": self.unanswered,
            "failures": dict(self.failures),
            "success_rate": self.success_rate,
            "attempts": self.attempts,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "usage_unknown": self.usage_unknown,
            "cost_usd": self.cost.as_usd,
            "cost_unknown": self.cost_unknown,
            "latency_s": self.latency.as_json(),
            "first_token_s": self.first_token.as_json(),
            "tool_calls": self.tool_calls,
            "tool_call_success": self.tool_call_success,
            "judged": self.judged,
            "quality": self.quality,
        }


HEADERS: Final = (
    "requests",
    "success",
    "failed",
    "tokens in",
    "tokens out",
    "cost",
    "mean s",
    "p50 s",
    "p95 s",
    "p99 s",
    "first token s",
    "tool calls ok",
)
"""Headers of the table after those of the group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Statistics of a range.

    Attributes:
        by: What the rows are grouped by.
        since: Start of the range after rounding, in seconds since 1970; None for the beginning.
        until: Its end after rounding; None for now.
        rows: The groups, those with most requests first.
        complete: The store could be read; else only this process's own calls since its start are in.
    """

    by: tuple[Dimension, ...]
    since: float | None
    until: float | None
    rows: tuple[StatRow, ...]
    complete: bool = True

    def as_json(self) -> JsonObject:
        """As JSON."""
        return {
            "by": list(self.by),
            "since": self.since,
            "until": self.until,
            "complete": self.complete,
            "rows": [row.as_json() for row in self.rows],
        }

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Headers and cells for a table of text."""
        return (*self.by, *HEADERS), [self._cells(row) for row in self.rows]

    def _cells(self, row: StatRow) -> tuple[str, ...]:
        failed = sum(row.failures.values())
        cost = f"{row.cost}{f' + {row.cost_unknown} unknown' if row.cost_unknown else ''}"
        return (
            *(row.group[name] for name in self.by),
            f"{row.requests:,}",
            _percent(row.success_rate),
            f"{failed:,}",
            f"{row.input_tokens:,}",
            f"{row.output_tokens:,}",
            cost,
            _seconds(row.latency.mean),
            _seconds(row.latency.median),
            _seconds(row.latency.p95),
            _seconds(row.latency.p99),
            _seconds(row.first_token.median),
            _percent(row.tool_call_success),
        )


def grouped(
    rows: Iterable[tuple[Series, Tally]], by: Sequence[Dimension], only: Mapping[Dimension, str]
) -> tuple[StatRow, ...]:
    """One row a group, those with most requests first, of the series that are wanted."""
    found: dict[tuple[str, ...], Tally] = {}
    for series, tally in rows:
        if any(getattr(series, name) != value for name, value in only.items()):
            continue
        found.setdefault(tuple(getattr(series, name) for name in by), Tally()).merge(tally)
    ordered = sorted(found.items(), key=lambda item: (-item[1].requests, item[0]))
    return tuple(StatRow.of(dict(zip(by, key, strict=True)), tally) for key, tally in ordered)


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{part:.1%}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
