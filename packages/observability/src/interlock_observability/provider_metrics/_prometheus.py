"""Prometheus text exposition, by the names of OpenTelemetry's conventions for generative AI and our own.

Written directly: what is exposed lies in the store and in sketches, not in a registry of live objects.
Labels are bounded, and hold no user and no key.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from interlock_observability.provider_metrics._ledger import CounterKey, Labels
from interlock_observability.provider_metrics._sketch import Sketch
from interlock_observability.provider_metrics._tally import Series, Tally

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Content type of the exposition."""

GaugeSource: TypeAlias = Callable[[], Mapping[Labels, float]]
"""Tells the values of a gauge at this moment, by labels."""

_DURATIONS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST_TOKENS: Final = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
)
_TOKENS: Final = tuple(float(4**power) for power in range(14))

HELP: Final[Mapping[str, str]] = {
    "gen_ai_client_operation_duration_seconds": "Seconds to the end, of calls that did what they were for.",
    "gen_ai_server_time_to_first_token_seconds": "Seconds to the first token of a stream.",
    "gen_ai_client_token_usage": "Tokens of a call.",
    "interlock_requests_total": "Calls to models, by what became of them.",
    "interlock_cost_usd_total": "Dollars, of the calls whose price is known.",
    "interlock_cost_unknown_total": "Calls that did what they were for at an unknown price.",
    "interlock_judged_total": "Calls with a score.",
    "interlock_score_total": "Sum of their scores, each 0 to 1.",
    "interlock_attempts_total": "Calls to vendors, retries included.",
    "interlock_tool_calls_total": "Calls to tools, by namespace and what became of them.",
    "interlock_model_tool_calls_total": "Tool calls that models asked for, by whether they were valid.",
    "interlock_route_decisions_total": "Decisions of the router that were carried out.",
    "interlock_refusals_total": "Calls that a rule refused, by reason.",
    "interlock_audit_appends_total": "Records appended to the audit log.",
    "interlock_quota_used_ratio": "Spent and reserved part of the quota that is used most.",
    "interlock_breaker_state": "0 closed, 1 half-open, 2 open.",
    "interlock_metrics_store_up": "Whether the store of metrics could be read.",
    "interlock_metrics_dropped_total": "Calls whose counts were given up while the store was away.",
}
"""What each metric is."""


@dataclass(slots=True)
class _Family:
    """The samples of one metric.

    Attributes:
        kind: Its type.
        samples: Suffix of the name, labels and value of each.
    """

    kind: Literal["counter", "gauge", "histogram"]
    samples: list[tuple[str, Labels, float]] = field(default_factory=list[tuple[str, Labels, float]])


class _Page:
    """Collects families and renders them."""

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {}

    def add(self, name: str, kind: Literal["counter", "gauge"], labels: Labels, value: float) -> None:
        self._families.setdefault(name, _Family(kind)).samples.append(("", labels, value))

    def histogram(self, name: str, labels: Labels, sketch: Sketch, bounds: tuple[float, ...]) -> None:
        if not sketch.count:
            return
        samples = self._families.setdefault(name, _Family("histogram")).samples
        for bound, count in zip(bounds, sketch.at_most(bounds), strict=True):
            samples.append(("_bucket", (*labels, ("le", _number(bound))), count))
        samples.append(("_bucket", (*labels, ("le", "+Inf")), sketch.count))
        samples.append(("_sum", labels, sketch.total))
        samples.append(("_count", labels, sketch.count))

    def text(self) -> str:
        return "".join(line for name in sorted(self._families) for line in self._lines(name))

    def _lines(self, name: str) -> Iterator[str]:
        family = self._families[name]
        yield f"# HELP {name} {HELP.get(name, name)}\n"
        yield f"# TYPE {name} {family.kind}\n"
        for suffix, labels, value in family.samples:
            yield f"{name}{suffix}{_labels(labels)} {_number(value)}\n"


def render(
    models: Sequence[tuple[Series, Tally]],
    tools: Sequence[tuple[Series, Tally]],
    counters: Mapping[CounterKey, int],
    gauges: Mapping[str, Mapping[Labels, float]],
) -> str:
    """The exposition.

    Args:
        models: Counts of calls to models, by series.
        tools: Counts of calls to tools.
        counters: Plain counters.
        gauges: Values by name and labels.
    """
    page = _Page()
    for series, tally in sorted(models, key=lambda item: item[0]):
        _model(page, series, tally)
    for labels, value in _by_namespace(tools):
        page.add("interlock_tool_calls_total", "counter", labels, value)
    for (name, labels), value in sorted(counters.items()):
        page.add(name, "counter", labels, value)
    for name, values in gauges.items():
        for labels, value in sorted(values.items()):
            page.add(name, "counter" if name.endswith("_total") else "gauge", labels, value)
    return page.text()


def _model(page: _Page, series: Series, tally: Tally) -> None:
    own: Labels = (("model", series.model), ("provider", series.provider), ("task", series.task))
    gen: Labels = (
        ("gen_ai_operation_name", "chat"),
        ("gen_ai_provider_name", series.provider),
        ("gen_ai_request_model", series.model),
        ("interlock_task", series.task),
    )
    for outcome, number in _outcomes(tally):
        page.add("interlock_requests_total", "counter", (*own, ("outcome", outcome)), number)
    page.add("interlock_attempts_total", "counter", own, tally.attempts)
    page.add("interlock_cost_usd_total", "counter", own, tally.cost_micro_usd / 1_000_000)
    page.add("interlock_cost_unknown_total", "counter", own, tally.cost_unknown)
    if tally.judged:
        page.add("interlock_judged_total", "counter", own, tally.judged)
        page.add("interlock_score_total", "counter", own, tally.score)
    if tally.tool_calls:
        for valid, number in (
            ("true", tally.tool_calls_valid),
            ("false", tally.tool_calls - tally.tool_calls_valid),
        ):
            page.add("interlock_model_tool_calls_total", "counter", (*own, ("valid", valid)), number)
    page.histogram("gen_ai_client_operation_duration_seconds", gen, tally.latency, _DURATIONS)
    page.histogram("gen_ai_server_time_to_first_token_seconds", gen, tally.first_token, _FIRST_TOKENS)
    for kind, sketch in (("input", tally.input_sizes), ("output", tally.output_sizes)):
        page.histogram("gen_ai_client_token_usage", (*gen, ("gen_ai_token_type", kind)), sketch, _TOKENS)


def _outcomes(tally: Tally) -> Iterator[tuple[str, int]]:
    if tally.ok:
        yield "ok", tally.ok
    if tally.cancelled:
        yield "cancelled", tally.cancelled
    yield from sorted(tally.failures.items())


def _by_namespace(tools: Iterable[tuple[Series, Tally]]) -> Iterator[tuple[Labels, int]]:
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    for series, tally in tools:
        for outcome, number in _outcomes(tally):
            found[series.provider, outcome] += number
    for (namespace, outcome), number in sorted(found.items()):
        yield (("namespace", namespace), ("outcome", outcome)), number


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inner}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
