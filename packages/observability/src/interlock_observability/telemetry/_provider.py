"""Where spans and measurements go: nowhere, until an address is named."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from interlock_core import Secret, new_id
from interlock_core.errors import ConfigurationError
from interlock_observability.telemetry._guard import TelemetryGuard

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCOPE: Final = "interlock"
_MILLISECONDS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryOptions:
    """What is sent, and where to.

    Attributes:
        endpoint: Address of a collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`.
        headers: Sent with each request, such as the key of a service.
        service: Name of the service.
        traces: Send spans.
        metrics: Send measurements.
        sampled: Part of the runs whose spans are sent, 0 to 1.
        every_s: Seconds between two batches of measurements.
    """

    endpoint: str
    headers: "Mapping[str, Secret] | None" = None
    service: str = "interlock"
    traces: bool = True
    metrics: bool = True
    sampled: float = 1.0
    every_s: float = 60.0


class Telemetry:
    """Makes spans and measurements, and has them sent in threads of its own.

    It is not made the process's own: whoever runs Interlock in a program of theirs keeps their providers.

    Args:
        processor: Takes spans; None makes none.
        reader: Reads measurements; None takes none.
        service: Name of the service.
        sampled: Part of the runs whose spans are sent.

    Attributes:
        guard: Stands around every call.
    """

    def __init__(
        self,
        processor: SpanProcessor | None,
        reader: MetricReader | None,
        *,
        service: str = "interlock",
        sampled: float = 1.0,
    ) -> None:
        resource = Resource(
            {
                SERVICE_NAME: service,
                SERVICE_VERSION: version("interlock-observability"),
                SERVICE_INSTANCE_ID: new_id("instance"),
            }
        )
        # Of one run everything is sent or nothing, whichever process made it.
        share = TraceIdRatioBased(sampled)
        sampler = ParentBased(root=share, remote_parent_sampled=share)
        self._traces = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
        if processor is not None:
            self._traces.add_span_processor(processor)
        readers = [] if reader is None else [reader]
        self._metrics = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
        self.guard = TelemetryGuard(self._traces.get_tracer(_SCOPE), self._metrics.get_meter(_SCOPE))

    def close(self) -> None:
        """Send what waits, and end; this may take as long as a request to the collector."""
        self._traces.shutdown()
        self._metrics.shutdown()


def open_telemetry(options: TelemetryOptions) -> Telemetry:
    """Telemetry that is sent to a collector.

    Redirects are not followed: the operator named this address and no other.

    Raises:
        ConfigurationError: The package that sends is not installed.
    """
    try:
        import requests
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as exc:
        raise ConfigurationError(
            "What sends telemetry is not installed.",
            field="telemetry.otlp_endpoint",
            remedy="pip install 'interlock-runtime[otlp]'",
        ) from exc
    session = requests.Session()
    session.max_redirects = 0
    session.trust_env = False
    base = options.endpoint.rstrip("/")
    headers = {name: value.reveal() for name, value in (options.headers or {}).items()}
    processor = reader = None
    if options.traces:
        spans = OTLPSpanExporter(endpoint=f"{base}/v1/traces", headers=headers, session=session)
        processor = BatchSpanProcessor(spans)
    if options.metrics:
        figures = OTLPMetricExporter(endpoint=f"{base}/v1/metrics", headers=headers, session=session)
        reader = PeriodicExportingMetricReader(
            figures, export_interval_millis=options.every_s * _MILLISECONDS
        )
    return Telemetry(processor, reader, service=options.service, sampled=options.sampled)
