"""Spans and measurements have the names of OpenTelemetry's conventions, and hold nothing that was said."""

import asyncio
import importlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from interlock_core import Call, CallKind, Guard, Money, Outcome, Secret, Usage
from interlock_core.errors import OverloadedError
from interlock_core.testing import make_call
from interlock_observability.telemetry import Telemetry, TelemetryOptions, _names, open_telemetry

OUTCOME = Outcome(
    ok=True,
    model="alpha/small",
    task="writing",
    usage=Usage(input_tokens=100, output_tokens=20, cache_read_tokens=40, reasoning_tokens=5),
    cost=Money.usd("0.25"),
    duration_s=1.5,
    first_token_s=0.25,
    attempts=2,
    summary="words that were said",
)


class Seen:
    """Telemetry that stays in memory."""

    def __init__(self, *, sampled: float = 1.0) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.telemetry = Telemetry(SimpleSpanProcessor(self._spans), self._reader, sampled=sampled)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that ended."""
        return list(self._spans.get_finished_spans())

    def measured(self) -> dict[str, list[tuple[dict[str, object], float]]]:
        """The sum of each measurement, with its attributes, by name."""
        data = self._reader.get_metrics_data()
        found: dict[str, list[tuple[dict[str, object], float]]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        total = float(getattr(point, "sum", getattr(point, "value", 0)))
                        found.setdefault(metric.name, []).append((dict(point.attributes or {}), total))
        return found


async def made(guard: Guard, call: Call, outcome: Outcome | None = OUTCOME) -> None:
    """A call that ends with an outcome."""
    async with guard.around(call):
        call.ending.outcome = outcome


def trace_of(span: ReadableSpan) -> int:
    """The trace that a span belongs to."""
    assert span.context is not None
    return span.context.trace_id


@pytest.mark.promise("M3")
def test_the_names_are_those_of_opentelemetrys_own_package() -> None:
    """As its installed version has them."""
    theirs = {
        **vars(importlib.import_module("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")),
        **vars(importlib.import_module("opentelemetry.semconv._incubating.metrics.gen_ai_metrics")),
        **vars(importlib.import_module("opentelemetry.semconv.attributes.error_attributes")),
    }
    ours = {value for name, value in vars(_names).items() if name.isupper()}
    assert len(ours) > 15
    assert ours <= {value for value in theirs.values() if isinstance(value, str)}


@pytest.mark.promise("M3")
async def test_a_call_to_a_model_is_a_span_of_the_conventions() -> None:
    """Asked and answered model, tokens, time; no more than that."""
    seen = Seen()
    await made(seen.telemetry.guard, replace(make_call("auto/cheap"), run="run_1"))
    (span,) = seen.spans
    assert (span.name, span.kind) == ("chat auto/cheap", SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "alpha",
        "gen_ai.request.model": "auto/cheap",
        "gen_ai.response.model": "alpha/small",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "gen_ai.response.time_to_first_chunk": 0.25,
        "interlock.task": "writing",
        "interlock.run": "run_1",
        "interlock.attempts": 2,
        "interlock.cost_usd": 0.25,
    }
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.promise("M3")
async def test_a_call_to_a_tool_is_a_span_without_its_arguments() -> None:
    """Its name and id; nothing that was sent or came back."""
    seen = Seen()
    call = make_call("git.issue", kind=CallKind.TOOL, user="somebody")
    await made(seen.telemetry.guard, replace(call, arguments={"title": "hunter2"}, agent="ask"))
    (span,) = seen.spans
    assert (span.name, span.kind) == ("execute_tool git.issue", SpanKind.INTERNAL)
    attributes = dict(span.attributes or {})
    assert attributes["gen_ai.tool.name"] == "git.issue"
    assert attributes["gen_ai.agent.name"] == "ask"
    assert not [word for word in ("hunter2", "somebody", "words") if word in str(span.to_json())]
    assert seen.measured() == {}


@pytest.mark.promise("M3")
async def test_what_fails_is_told_by_its_code() -> None:
    """An error of the other side, one without an outcome, a client that left."""
    seen, guard = Seen(), Seen().telemetry.guard
    guard = seen.telemetry.guard
    for error, written in (
        (OverloadedError("Secret words."), None),
        (OverloadedError("Full."), OUTCOME),
        (asyncio.CancelledError(), None),
    ):
        with pytest.raises(type(error)):
            await _failing(guard, error, written)
    codes = [(dict(span.attributes or {})["error.type"], span.status.status_code) for span in seen.spans]
    assert codes == [
        ("overloaded", StatusCode.ERROR),
        ("overloaded", StatusCode.ERROR),
        ("CancelledError", StatusCode.UNSET),
    ]
    assert not [span for span in seen.spans if "Secret" in str(span.to_json()) or span.events]


async def _failing(guard: Guard, error: BaseException, written: Outcome | None) -> None:
    call = make_call("alpha/small")
    async with guard.around(call):
        call.ending.outcome = written
        raise error


@pytest.mark.promise("M3")
async def test_measurements_have_the_names_and_units_of_the_conventions() -> None:
    """Duration, tokens, time to the first token; and cost, which they have no name for."""
    seen = Seen()
    await made(seen.telemetry.guard, make_call("alpha/small"))
    failed = Outcome(ok=False, error="overloaded", model="alpha/small", task="writing", duration_s=3.0)
    await made(seen.telemetry.guard, make_call("alpha/small"), failed)
    measured = seen.measured()
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "alpha",
        "gen_ai.request.model": "alpha/small",
        "interlock.task": "writing",
    }
    assert measured["gen_ai.client.operation.duration"] == [
        (common, 1.5),
        ({**common, "error.type": "overloaded"}, 3.0),
    ]
    assert measured["gen_ai.client.token.usage"] == [
        ({**common, "gen_ai.token.type": "input"}, 100.0),
        ({**common, "gen_ai.token.type": "output"}, 20.0),
    ]
    assert measured["gen_ai.server.time_to_first_token"] == [(common, 0.25)]
    assert measured["interlock.cost"] == [(common, 0.25)]


@pytest.mark.promise("M3")
async def test_names_that_clients_make_up_are_no_labels() -> None:
    """A measurement for each would fill whatever keeps them."""
    seen = Seen()
    for number in range(30):
        wrong = Outcome(ok=False, error="not_found", model=f"made/up{number}", duration_s=0.1)
        await made(seen.telemetry.guard, make_call(f"made/up{number}"), wrong)
    (point,) = seen.measured()["gen_ai.client.operation.duration"]
    assert point[0]["gen_ai.request.model"] == "none"


@pytest.mark.promise("M3")
async def test_calls_of_a_run_are_one_trace_in_whatever_process() -> None:
    """Unless a span is current, which is then above them."""
    one, two = Seen(), Seen()
    for seen in (one, two):
        await made(seen.telemetry.guard, replace(make_call("alpha/small"), run="run_1", trace_id="run_1"))
    await made(one.telemetry.guard, replace(make_call("alpha/small"), run="run_2"))
    first, other = map(trace_of, one.spans)
    assert first == trace_of(two.spans[0]) != other
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    above = trace.SpanContext(trace_id=7, span_id=9, is_remote=False, trace_flags=flags)
    with trace.use_span(trace.NonRecordingSpan(above)):
        await made(one.telemetry.guard, replace(make_call("alpha/small"), run="run_1"))
    assert trace_of(one.spans[-1]) == 7


@pytest.mark.promise("M3")
async def test_of_a_run_everything_is_sent_or_nothing() -> None:
    """About as many runs as were asked for."""
    seen = Seen(sampled=0.25)
    for number in range(200):
        for _ in range(2):
            await made(seen.telemetry.guard, replace(make_call("alpha/small"), run=f"run_{number}"))
    runs = [dict(span.attributes or {})["interlock.run"] for span in seen.spans]
    assert all(runs.count(run) == 2 for run in runs)
    assert 20 <= len(set(runs)) <= 85


@pytest.fixture
def collector() -> Iterator[tuple[str, dict[str, tuple[str, bytes]]]]:
    """A collector on this machine: its address, and what it was sent by path."""
    sent: dict[str, tuple[str, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            sent[self.path] = (self.headers.get("x-key", ""), body)
            self.send_response(200)
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            del code, size

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", sent
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.promise("M3")
async def test_a_collector_is_sent_spans_and_measurements(
    collector: tuple[str, dict[str, tuple[str, bytes]]],
) -> None:
    """As OTLP over HTTP, with the headers that were named, at the end at the latest."""
    address, sent = collector
    options = TelemetryOptions(
        endpoint=address, headers={"x-key": Secret("hunter2", name="telemetry")}, service="gate"
    )
    assert "hunter2" not in repr(options)
    telemetry = open_telemetry(options)
    await made(telemetry.guard, make_call("alpha/small"))
    await asyncio.to_thread(telemetry.close)
    key, body = sent["/v1/traces"]
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert key == "hunter2"
    assert {item.key: item.value.string_value for item in resource.resource.attributes}[
        "service.name"
    ] == "gate"
    assert resource.scope_spans[0].spans[0].name == "chat alpha/small"
    metrics = ExportMetricsServiceRequest.FromString(sent["/v1/metrics"][1])
    found = {metric.name for each in metrics.resource_metrics[0].scope_metrics for metric in each.metrics}
    assert "gen_ai.client.operation.duration" in found
