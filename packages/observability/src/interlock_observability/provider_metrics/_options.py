"""How the collector is set up."""

from dataclasses import dataclass, field

from interlock_observability.provider_metrics._live import LabelLimits
from interlock_observability.provider_metrics._spans import DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorOptions:
    """How the collector is set up.

    Attributes:
        flush_every_s: Seconds between two batches; so old may be what other processes see of this one.
        window_s: How far back the figures go that models are judged by; that day (UTC) is in whole.
        renew_every_s: Seconds after which those figures take in what other processes have kept.
        keep_minutes_s: How long counts by the minute are kept.
        keep_hours_s: How long counts by the hour are kept; those by the day are kept for ever.
        keep_calls_s: How long the calls themselves are kept; 0 keeps none.
        most_waiting: Most series and minutes that wait while the store is away; then the oldest are given up.
        limits: How many labels are kept apart.
    """

    flush_every_s: float = 1.0
    window_s: float = DAY
    renew_every_s: float = 30.0
    keep_minutes_s: float = 2 * DAY
    keep_hours_s: float = 400 * DAY
    keep_calls_s: float = 7 * DAY
    most_waiting: int = 20_000
    limits: LabelLimits = field(default_factory=LabelLimits)
