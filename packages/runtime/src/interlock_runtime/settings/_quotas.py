"""The table of quotas."""

from dataclasses import dataclass, field
from math import inf
from typing import Literal

from interlock_runtime.settings._field import ANY, BOUNDS, HELP


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSettings:
    """`[[quotas]]`: most money for somebody, or for a tool. One with a name stands in place of `*`."""

    scope: Literal["key", "user", "team", "organisation", "tool"] = field(
        metadata={HELP: "Whose calls are counted."}
    )
    name: str = field(
        default="*",
        metadata={HELP: "The one that is counted; `*` for each by itself. For tools a pattern, as one."},
    )
    day_usd: float | None = field(default=None, metadata={HELP: "Most dollars a day.", BOUNDS: ANY})
    month_usd: float | None = field(default=None, metadata={HELP: "Most dollars a month.", BOUNDS: ANY})
    time_zone: str = field(
        default="UTC", metadata={HELP: "Where days and months begin, such as `Europe/Berlin`."}
    )
    thresholds: tuple[int, ...] = field(
        default=(50, 80, 100), metadata={HELP: "Percents at which an alert is raised, once a period."}
    )
    max_tokens: int = field(
        default=4_096,
        metadata={HELP: "Most output tokens of a request that names no limit.", BOUNDS: (1, inf)},
    )
    ceiling_usd: float | None = field(
        default=None,
        metadata={HELP: "Set aside for a request of unknown price, which is refused without.", BOUNDS: ANY},
    )
    call_usd: float | None = field(
        default=None, metadata={HELP: "For tools: what one call costs.", BOUNDS: ANY}
    )
