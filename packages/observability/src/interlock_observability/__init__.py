"""Records, statistics and metrics of every call. Does nothing until configured."""

from interlock_observability._branch import BRANCH
from interlock_observability._runlog import RunLog
from interlock_observability.provider_metrics import (
    CONTENT_TYPE,
    CallRecord,
    CollectorOptions,
    Curve,
    CurvePoint,
    Interval,
    LabelLimits,
    MetricsGuard,
    ProviderMetricsCollector,
    Sketch,
    Spread,
    StatRow,
    Stats,
    WinRate,
    WinRates,
)

__all__ = [
    "BRANCH",
    "CONTENT_TYPE",
    "CallRecord",
    "CollectorOptions",
    "Curve",
    "CurvePoint",
    "Interval",
    "LabelLimits",
    "MetricsGuard",
    "ProviderMetricsCollector",
    "RunLog",
    "Sketch",
    "Spread",
    "StatRow",
    "Stats",
    "WinRate",
    "WinRates",
]
