"""A guard that makes a span and takes measurements of each call.

Names and attributes are those of OpenTelemetry's semantic conventions for generative AI, as its package of
version 0.66b2 has them; what they have no name for begins with `interlock.`. No prompt, answer, argument,
result, user or key is in a span or a measurement: of a call only names, numbers and codes are taken.
"""

import hashlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, TypeAlias

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Meter
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, Tracer

from interlock_core import Call, CallKind, Clock, Outcome, SystemClock
from interlock_observability.provider_metrics import LabelLimits
from interlock_observability.provider_metrics._live import Labels
from interlock_observability.provider_metrics._tally import Series
from interlock_observability.telemetry import _names as names

Attributes: TypeAlias = dict[str, str | int | float | bool]
"""What a span or a measurement says."""

DURATIONS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_TOKENS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0),
)
TOKENS: Final = tuple(float(4**power) for power in range(14))
_SHOWN: Final = 200


class TelemetryGuard:
    """Tells of each call as a span, and of calls to models as measurements.

    A call stands below the span that is current where it is made, if there is one; else all calls of a run
    make one trace, in whatever process they are made.

    Args:
        tracer: Makes spans.
        meter: Takes measurements.
        limits: How many values of labels are kept apart in measurements.
        clock: Its monotonic time measures where an outcome says no time.
    """

    def __init__(
        self, tracer: Tracer, meter: Meter, *, limits: LabelLimits | None = None, clock: Clock | None = None
    ) -> None:
        self._tracer = tracer
        self._clock = clock or SystemClock()
        self._labels = Labels(limits or LabelLimits())
        self._durations = meter.create_histogram(
            names.GEN_AI_CLIENT_OPERATION_DURATION,
            unit="s",
            description="Seconds of an operation.",
            explicit_bucket_boundaries_advisory=DURATIONS,
        )
        self._tokens = meter.create_histogram(
            names.GEN_AI_CLIENT_USAGE,
            unit="{token}",
            description="Tokens of an operation.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )
        self._first_tokens = meter.create_histogram(
            names.GEN_AI_SERVER_TIME_TO_FIRST,
            unit="s",
            description="Seconds to the first token.",
            explicit_bucket_boundaries_advisory=FIRST_TOKENS,
        )
        self._cost = meter.create_counter("interlock.cost", unit="USD", description="Known cost, in dollars.")

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncGenerator[None, None]:
        """The context in which a call is made."""
        tool = call.kind is CallKind.TOOL
        operation = "execute_tool" if tool else "chat"
        # It is not made the current span: a stream is left in another context than it was entered in.
        span = self._tracer.start_span(
            f"{operation} {_short(call.name)}",
            context=_above(call),
            kind=SpanKind.INTERNAL if tool else SpanKind.CLIENT,
            attributes=_asked(call),
        )
        began = self._clock.monotonic()
        try:
            yield
        except BaseException as error:
            self._end(span, call, _outcome(call, error), began)
            raise
        else:
            self._end(span, call, _outcome(call, None), began)

    def _end(self, span: Span, call: Call, outcome: Outcome, began: float) -> None:
        if not outcome.duration_s:
            outcome = replace(outcome, duration_s=self._clock.monotonic() - began)
        span.set_attributes(_answered(call, outcome))
        if not outcome.ok and not outcome.cancelled:
            span.set_status(Status(StatusCode.ERROR))
        span.end()
        if call.kind is CallKind.MODEL:
            self._measure(self._labels.of(call, outcome), outcome)

    def _measure(self, series: Series, outcome: Outcome) -> None:
        common: Attributes = {
            names.GEN_AI_OPERATION_NAME: "chat",
            names.GEN_AI_PROVIDER_NAME: series.provider,
            names.GEN_AI_REQUEST_MODEL: series.model,
            "interlock.task": series.task,
        }
        failed: Mapping[str, str] = {} if outcome.ok else {names.ERROR_TYPE: outcome.error or "_OTHER"}
        self._durations.record(outcome.duration_s, {**common, **failed})
        if outcome.first_token_s is not None:
            self._first_tokens.record(outcome.first_token_s, common)
        if outcome.usage is not None:
            for kind, number in (
                ("input", outcome.usage.input_tokens),
                ("output", outcome.usage.output_tokens),
            ):
                self._tokens.record(number, {**common, names.GEN_AI_USAGE_KIND: kind})
        if outcome.cost is not None:
            self._cost.add(outcome.cost.micro_usd / 1_000_000, common)


def _outcome(call: Call, error: BaseException | None) -> Outcome:
    outcome = call.ending.outcome
    if outcome is None or (error is not None and outcome.ok):
        return Outcome(ok=True) if error is None else Outcome.failure(error)
    return outcome


def _above(call: Call) -> Context | None:
    """The context that a call's span is made in; None for the current one."""
    if trace.get_current_span().get_span_context().is_valid or not (call.trace_id or call.run):
        return None
    digest = hashlib.sha256((call.trace_id or call.run or "").encode()).digest()
    run = SpanContext(
        trace_id=int.from_bytes(digest[:16], "big"),
        span_id=int.from_bytes(digest[16:24], "big"),
        is_remote=True,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
    )
    return trace.set_span_in_context(NonRecordingSpan(run))


def _asked(call: Call) -> Attributes:
    found: Attributes = {}
    if call.kind is CallKind.TOOL:
        found[names.GEN_AI_OPERATION_NAME] = "execute_tool"
        found[names.GEN_AI_TOOL_NAME] = _short(call.name)
        found[names.GEN_AI_TOOL_CALL_ID] = _short(call.id)
        found[names.GEN_AI_TOOL_TYPE] = "function"
    else:
        found[names.GEN_AI_OPERATION_NAME] = "chat"
        found[names.GEN_AI_REQUEST_MODEL] = _short(call.name)
    if call.run is not None:
        found["interlock.run"] = _short(call.run)
    if call.agent is not None:
        found[names.GEN_AI_AGENT_NAME] = _short(call.agent)
    return found


def _answered(call: Call, outcome: Outcome) -> Attributes:
    found: Attributes = {"interlock.attempts": outcome.attempts}
    if not outcome.ok:
        found[names.ERROR_TYPE] = _short(outcome.error or "_OTHER")
    if call.kind is CallKind.TOOL:
        return found
    model = outcome.model or call.name
    found[names.GEN_AI_PROVIDER_NAME] = _short(model.partition("/")[0])
    if outcome.model is not None:
        found[names.GEN_AI_RESPONSE_MODEL] = _short(outcome.model)
    if outcome.task is not None:
        found["interlock.task"] = _short(outcome.task)
    usage = outcome.usage
    if usage is not None:
        found[names.GEN_AI_USAGE_INPUT_TOKENS] = usage.input_tokens
        found[names.GEN_AI_USAGE_OUTPUT_TOKENS] = usage.output_tokens
        found[names.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS] = usage.cache_read_tokens
        found[names.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS] = usage.cache_write_tokens
        found[names.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS] = usage.reasoning_tokens
    if outcome.first_token_s is not None:
        found[names.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] = outcome.first_token_s
    if outcome.cost is not None:
        found["interlock.cost_usd"] = outcome.cost.as_usd
    return found


def _short(text: str) -> str:
    return text[:_SHOWN]
