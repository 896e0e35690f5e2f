"""The tables of retention and of suspicion alerts."""

from dataclasses import dataclass, field
from math import inf

from interlock_runtime.settings._field import ANY, BOUNDS, HELP


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """`[retention]`: how long what was recorded stays readable."""

    audit_days: int = field(
        default=0,
        metadata={
            HELP: (
                "Days after which a running server erases the payloads of audit records; headers, hashes and "
                "proofs stay. 0 keeps them."
            ),
            BOUNDS: (0, 36_500),
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """`[alerts]`: suspicion alerts. Each is in the log and in the audit log, and told once.

    Thresholds of quotas, and anomalies of cost, latency, failures and refusals, go to the same webhook and
    console, also where nothing is watched for.
    """

    enabled: bool = field(default=True, metadata={HELP: "Watch for what looks suspicious."})
    webhook: str = field(
        default="",
        metadata={
            HELP: "Address that alerts are sent to as JSON, also as `env:NAME`; nobody when empty.",
            "secret": "yes",
        },
    )
    console: bool = field(default=False, metadata={HELP: "Also write alerts to standard error."})
    zone: str = field(
        default="UTC", metadata={HELP: "Time zone in which hours are usual or not, such as `Europe/Berlin`."}
    )
    refusals: int = field(
        default=20,
        metadata={HELP: "Refusals of the same names within ten minutes that alert.", BOUNDS: (2, inf)},
    )
    refused_names: int = field(
        default=20,
        metadata={HELP: "Different names refused or unknown within six hours that alert.", BOUNDS: (2, 500)},
    )
    bad_keys: int = field(
        default=10,
        metadata={
            HELP: "Different bad keys from one network within six hours that alert.",
            BOUNDS: (2, 500),
        },
    )
    odd_calls: int = field(
        default=10,
        metadata={
            HELP: "Calls within two hours, at an hour that is not usual, that alert.",
            BOUNDS: (1, inf),
        },
    )
    volume_factor: float = field(
        default=10.0,
        metadata={HELP: "How many times its usual hour a principal's hour may be.", BOUNDS: (1.5, inf)},
    )
    anomalies: bool = field(
        default=True,
        metadata={
            HELP: "Have a running server watch cost, latency, failures and refusals for what is not usual."
        },
    )
    anomaly_score: float = field(
        default=6.0,
        metadata={
            HELP: "How many usual deviations above what is usual at that hour are an anomaly.",
            BOUNDS: (3, inf),
        },
    )
    anomaly_usd: float = field(
        default=0.5,
        metadata={HELP: "Dollars an hour above what is usual that are worth an alert.", BOUNDS: ANY},
    )
