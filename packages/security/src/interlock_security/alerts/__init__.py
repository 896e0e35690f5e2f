"""Suspicion alerts: what guards and the gateway see, judged against each principal's own history."""

from interlock_security.alerts._desk import AlertDesk, AlertRecord
from interlock_security.alerts._model import Alert, AlertKind, AlertRules, Observation, Sight, network_of
from interlock_security.alerts._notifiers import StreamNotifier, WebhookNotifier
from interlock_security.alerts._watch import AlertGuard, KeyWatch, seen_call

__all__ = [
    "Alert",
    "AlertDesk",
    "AlertGuard",
    "AlertKind",
    "AlertRecord",
    "AlertRules",
    "KeyWatch",
    "Observation",
    "Sight",
    "StreamNotifier",
    "WebhookNotifier",
    "network_of",
    "seen_call",
]
