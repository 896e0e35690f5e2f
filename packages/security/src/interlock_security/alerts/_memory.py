"""What is remembered of a subject: small, bounded, and the same after it was written down and read back."""

import json
from dataclasses import dataclass, field

from interlock_core.jsontypes import Json, as_array, as_int, as_number, as_object, parse_json

MOST_NAMES = 512
"""Names of tools that are remembered of a subject, the latest."""

MOST_NETWORKS = 64
"""Networks that are remembered of a key, the latest."""

MOST_RUNS = 64
"""Runs that were alerted about, the latest."""

MOST_HOURS = 240
"""Hours with calls that are remembered, the latest."""


@dataclass(slots=True)
class Memory:
    """What is remembered of one subject: a principal, a key or a network. Times are seconds since 1970.

    Attributes:
        since: When it was first seen.
        calls: Calls that were made.
        active: Kinds of alert that were raised and whose cause goes on.
        refusals: When it was refused, the latest.
        odd: When it called at unusual hours, the latest.
        names: Names that were refused, and when last.
        fresh: Names that were called for the first time, and when.
        known: Names that were called, and when last.
        sources: Bad keys with their addresses, and when last.
        networks: Networks it came from, and when last.
        runs: Tainted runs that were alerted about, and when.
        slots: On how many days it was seen, and on which one last, by weekday or weekend and hour.
        slices: Volumes of the last hour in parts of it: the part, calls, bytes, micro-USD.
        hour: Volumes of the hour by the clock: the hour, calls, bytes, micro-USD.
        usual: Volumes of hours before: calls, bytes, micro-USD.
        bounds: From which volumes on an hour is suspicious; empty until enough hours are known.
    """

    since: float = 0.0
    calls: int = 0
    active: list[str] = field(default_factory=list[str])
    refusals: list[float] = field(default_factory=list[float])
    odd: list[float] = field(default_factory=list[float])
    names: dict[str, float] = field(default_factory=dict[str, float])
    fresh: dict[str, float] = field(default_factory=dict[str, float])
    known: dict[str, float] = field(default_factory=dict[str, float])
    sources: dict[str, float] = field(default_factory=dict[str, float])
    networks: dict[str, float] = field(default_factory=dict[str, float])
    runs: dict[str, float] = field(default_factory=dict[str, float])
    slots: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    slices: list[list[int]] = field(default_factory=list[list[int]])
    hour: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    usual: list[list[int]] = field(default_factory=list[list[int]])
    bounds: list[float] = field(default_factory=list[float])

    def dump(self) -> str:
        """As text, for `load`."""
        held = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps({name: value for name, value in held.items() if value}, separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> "Memory":
        """From text; what cannot be read is forgotten: a damaged memory is no reason to see nothing more."""
        try:
            held = as_object(parse_json(text))
        except (ValueError, RecursionError):
            return cls()
        hour = _whole(held.get("hour"))
        return cls(
            since=as_number(held.get("since")) or 0.0,
            calls=as_int(held.get("calls")) or 0,
            active=[str(kind) for kind in as_array(held.get("active"))],
            refusals=_times(held.get("refusals")),
            odd=_times(held.get("odd")),
            names=_seen(held.get("names")),
            fresh=_seen(held.get("fresh")),
            known=_seen(held.get("known")),
            sources=_seen(held.get("sources")),
            networks=_seen(held.get("networks")),
            runs=_seen(held.get("runs")),
            slots={name: _whole(pair) for name, pair in as_object(held.get("slots")).items()},
            slices=_rows(held.get("slices"), 4),
            hour=hour if len(hour) == 4 else [0, 0, 0, 0],
            usual=_rows(held.get("usual"), 3),
            bounds=_times(held.get("bounds")),
        )


def note(seen: dict[str, float], name: str, at: float, most: int) -> None:
    """Note when something was seen last; beyond `most` the one that was not seen for longest is forgotten."""
    seen.pop(name, None)
    seen[name] = at
    while len(seen) > most:
        del seen[next(iter(seen))]


def forget(seen: dict[str, float], before: float) -> None:
    """Forget what was seen last before a time; the oldest stand first."""
    while seen and seen[first := next(iter(seen))] < before:
        del seen[first]


def _times(value: Json) -> list[float]:
    return [at for item in as_array(value) if (at := as_number(item)) is not None]


def _seen(value: Json) -> dict[str, float]:
    return {name: at for name, item in as_object(value).items() if (at := as_number(item)) is not None}


def _whole(value: Json) -> list[int]:
    return [number for item in as_array(value) if (number := as_int(item)) is not None]


def _rows(value: Json, width: int) -> list[list[int]]:
    return [row for item in as_array(value) if len(row := _whole(item)) == width]
