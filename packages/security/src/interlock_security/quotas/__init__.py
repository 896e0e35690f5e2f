"""Quotas: most money a day or a month, set aside before a call and booked after it, never overshot."""

from interlock_security.quotas._book import Applied, QuotaBook, Rules, Subject, subject_of
from interlock_security.quotas._books import Held
from interlock_security.quotas._bound import Tariff
from interlock_security.quotas._ledger import Ledger, LimitsOf, OnAlerts
from interlock_security.quotas._meter import QuotaGuard, QuotaMeter
from interlock_security.quotas._model import (
    EVERYBODY,
    Account,
    Alert,
    Limit,
    Override,
    Posting,
    Quota,
    Scope,
    Shortage,
    Usage,
    Verdict,
)
from interlock_security.quotas._periods import Period, next_start, span
from interlock_security.quotas._quotas import Hold, Notes, Quotas

__all__ = [
    "EVERYBODY",
    "Account",
    "Alert",
    "Applied",
    "Held",
    "Hold",
    "Ledger",
    "Limit",
    "LimitsOf",
    "Notes",
    "OnAlerts",
    "Override",
    "Period",
    "Posting",
    "Quota",
    "QuotaBook",
    "QuotaGuard",
    "QuotaMeter",
    "Quotas",
    "Rules",
    "Scope",
    "Shortage",
    "Subject",
    "Tariff",
    "Usage",
    "Verdict",
    "next_start",
    "span",
    "subject_of",
]
