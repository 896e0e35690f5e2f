"""How models, providers and tools do: recorded as it happens, kept in few rows, told for any range."""

from interlock_observability.provider_metrics._collector import ProviderMetricsCollector
from interlock_observability.provider_metrics._curve import Curve, CurvePoint
from interlock_observability.provider_metrics._guard import MetricsGuard
from interlock_observability.provider_metrics._intervals import Interval
from interlock_observability.provider_metrics._ledger import CallRecord
from interlock_observability.provider_metrics._live import LabelLimits
from interlock_observability.provider_metrics._options import CollectorOptions
from interlock_observability.provider_metrics._prometheus import CONTENT_TYPE, GaugeSource
from interlock_observability.provider_metrics._sketch import ACCURACY, Sketch
from interlock_observability.provider_metrics._stats import Dimension, Kind, Spread, StatRow, Stats
from interlock_observability.provider_metrics._wins import Better, WinRate, WinRates

__all__ = [
    "ACCURACY",
    "CONTENT_TYPE",
    "Better",
    "CallRecord",
    "CollectorOptions",
    "Curve",
    "CurvePoint",
    "Dimension",
    "GaugeSource",
    "Interval",
    "Kind",
    "LabelLimits",
    "MetricsGuard",
    "ProviderMetricsCollector",
    "Sketch",
    "Spread",
    "StatRow",
    "Stats",
    "WinRate",
    "WinRates",
]
