"""OpenTelemetry: spans and metrics by its conventions for generative AI, sent only where somebody says so."""

from interlock_observability.telemetry._guard import TelemetryGuard
from interlock_observability.telemetry._provider import Telemetry, TelemetryOptions, open_telemetry

__all__ = [
    "Telemetry",
    "TelemetryGuard",
    "TelemetryOptions",
    "open_telemetry",
]
