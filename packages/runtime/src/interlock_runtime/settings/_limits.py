"""The tables of limits, and of where they are counted."""

from dataclasses import dataclass, field
from math import inf
from typing import Literal

from interlock_runtime.settings._field import ANY, BOUNDS, HELP


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """`[[limits]]`: one limit. One with a name stands in place of `*` of the same scope and kind."""

    scope: Literal["global", "team", "user", "key", "tool", "provider", "model"] = field(
        metadata={HELP: "Whose calls are counted together."}
    )
    name: str = field(default="*", metadata={HELP: "The one that is counted; `*` for each by itself."})
    kind: Literal["requests", "tokens", "concurrency"] = field(
        default="requests", metadata={HELP: "What is counted; `concurrency` is calls at a time."}
    )
    limit: int = field(
        metadata={HELP: "Most of it in any window, or most calls at a time.", BOUNDS: (0, 2**53 - 1)}
    )
    window: str = field(
        default="", metadata={HELP: "Length of the window, such as `1s`, `1m` or `24h`; `1m` when empty."}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """`[cache]`: where limits are counted that several processes share."""

    url: str = field(
        default="",
        metadata={
            HELP: (
                "`redis://…`, `rediss://…` or `unix:///…` of Valkey or Redis, also as `env:NAME`; "
                "`memory://` counts in each process alone; empty for the store."
            ),
            "secret": "yes",
        },
    )
    timeout_s: float = field(
        default=2.0, metadata={HELP: "Seconds that it is given for an answer.", BOUNDS: (0.01, inf)}
    )
    local_percent: int = field(
        default=25,
        metadata={
            HELP: "Percent of each limit that a process lets pass alone while it fails; 0 refuses all.",
            BOUNDS: (0, 100),
        },
    )
    retry_s: float = field(
        default=1.0, metadata={HELP: "Seconds until one that failed is tried again.", BOUNDS: ANY}
    )
    accept_versions: tuple[str, ...] = field(
        default=(),
        metadata={HELP: "Versions of Valkey or Redis that are used although their number has known holes."},
    )
