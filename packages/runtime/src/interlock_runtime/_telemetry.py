"""OpenTelemetry, joined: what is sent where, once the settings say so."""

from typing import TYPE_CHECKING, Final

from interlock_core import SecretStore
from interlock_core.errors import ConfigurationError
from interlock_core.http import origin_of
from interlock_runtime.settings import TelemetrySettings

if TYPE_CHECKING:
    from interlock_observability.telemetry import Telemetry

KEPT_AS: Final = "telemetry.otlp_secret"
"""The setting that holds what is sent to the collector as a key."""


async def opened_telemetry(settings: TelemetrySettings, secrets: SecretStore) -> "Telemetry | None":
    """Telemetry as the settings want it; None where they name no collector.

    Raises:
        ConfigurationError: The address is none, the secret cannot be had, or what sends is not installed.
    """
    if not settings.otlp_endpoint:
        return None
    if not settings.otlp_endpoint.startswith(("https://", "http://")):
        raise ConfigurationError(
            "The address of the collector is none.",
            field="telemetry.otlp_endpoint",
            remedy="Write it like http://127.0.0.1:4318.",
        )
    origin_of(settings.otlp_endpoint)
    # Imported here: a command that sends nothing must not pay for it.
    from interlock_observability.telemetry import TelemetryOptions, open_telemetry

    secret = await secrets.get(KEPT_AS) if settings.otlp_secret else None
    return open_telemetry(
        TelemetryOptions(
            endpoint=settings.otlp_endpoint,
            headers={} if secret is None else {settings.otlp_header: secret},
            service=settings.service,
            traces=settings.traces,
            metrics=settings.measurements,
            sampled=1 / settings.one_run_in,
        )
    )
