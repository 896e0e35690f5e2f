"""Anomaly alerts: cost, latency, failures and refusals, each judged against what is usual at that hour."""

from interlock_observability.anomalies._desk import AnomalyDesk
from interlock_observability.anomalies._detector import AnomalyDetector
from interlock_observability.anomalies._model import Anomaly, AnomalyRules, Measure, Memory, Window

__all__ = [
    "Anomaly",
    "AnomalyDesk",
    "AnomalyDetector",
    "AnomalyRules",
    "Measure",
    "Memory",
    "Window",
]
