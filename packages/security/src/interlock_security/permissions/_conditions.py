"""Conditions of a rule: when, where, at what price, with which arguments and after what it holds.

    { tools = ["ci.*"], environments = ["staging"], hours = { from = "09:00", to = "17:00",
      zone = "Europe/Berlin", days = ["mon", "tue"] }, taint_free = true, cost_at_most = 50000 }

All conditions of a rule must hold. One that cannot be computed is an error, and an error denies the call,
whatever else is permitted.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from interlock_core.call import Call, CallKind
from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.nearest import suggestion
from interlock_security.permissions._arguments import ArgumentTest, UncomputableError, argument_tests
from interlock_security.permissions._patterns import any_matches

CONDITIONS = ("arguments", "hours", "environments", "cost_at_most", "tainted", "taint_free")
"""The keys of a rule's table that hold conditions."""

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = ("from", "to", "zone", "days")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class Standing(StrEnum):
    """What became of a rule's conditions for one call."""

    HOLDS = "holds"
    FAILS = "fails"
    TAINTED = "tainted"
    EXPIRED = "expired"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What conditions look at beside the rule.

    Attributes:
        call: The call.
        at: When, in seconds since 1970.
        environment: The tag of this installation; empty for none.
        approvals: Who said yes to this very call.
    """

    call: Call
    at: float
    environment: str = ""
    approvals: frozenset[str] = field(default_factory=frozenset[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A window of local time on some days; one over midnight belongs to the day on which it began.

    Attributes:
        begin: First minute of the day that is inside.
        end: First minute after it.
        zone: Name of the time zone.
        days: Weekdays, Monday being 0.
    """

    begin: int
    end: int
    zone: str
    days: frozenset[int]

    def holds(self, at: float) -> bool:
        """Whether a moment lies inside."""
        local = datetime.fromtimestamp(at, UTC).astimezone(_zone(self.zone))
        minute = local.hour * 60 + local.minute
        if self.begin < self.end:
            return self.begin <= minute < self.end and local.weekday() in self.days
        if minute >= self.begin:
            return local.weekday() in self.days
        return minute < self.end and (local - timedelta(days=1)).weekday() in self.days

    def __str__(self) -> str:
        days = "" if len(self.days) == 7 else f" {', '.join(_DAYS[day] for day in sorted(self.days))}"
        return f"{_clock(self.begin)} to {_clock(self.end)}{days} {self.zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Everything that must hold for a rule to speak.

    Attributes:
        arguments: Tests of the call's arguments.
        hours: The window of time.
        environments: Tags of installations; empty means any.
        cost_at_most: Most micro-USD that the call can cost.
        tainted: Patterns of sources: one of them must have come into the run.
        taint_free: Patterns of sources: none of them may have come into the run.
        until: First moment without the rule, in seconds since 1970.
    """

    arguments: tuple[ArgumentTest, ...] = ()
    hours: Hours | None = None
    environments: tuple[str, ...] = ()
    cost_at_most: int | None = None
    tainted: tuple[str, ...] = ()
    taint_free: tuple[str, ...] = ()
    until: float | None = None

    def __bool__(self) -> bool:
        return self != _NONE

    def standing(self, moment: Moment) -> tuple[Standing, str]:
        """What becomes of them for a call, and which of them decides it.

        What has expired is gone, so nothing else of it is looked at.
        """
        if self.until is not None and moment.at >= self.until:
            return Standing.EXPIRED, f"it ended at {_stamp(self.until)}"
        try:
            wrong = [*self._wrong(moment)]
        except UncomputableError as error:
            return Standing.ERROR, str(error)
        tainted = self._wrong_taint(moment.call)
        if wrong:
            return Standing.FAILS, "; ".join(wrong)
        return (Standing.TAINTED, tainted) if tainted else (Standing.HOLDS, "")

    def _wrong(self, moment: Moment) -> list[str]:
        wrong = [f"not {test}" for test in self.arguments if not test.holds(moment.call.arguments)]
        if self.hours is not None and not self.hours.holds(moment.at):
            wrong.append(f"not within {self.hours}")
        if self.environments and moment.environment not in self.environments:
            wrong.append(f"the environment is {moment.environment or 'not named'}")
        if self.cost_at_most is not None:
            cost = moment.call.cost_bound
            if cost is None or cost.micro_usd < 0:
                raise UncomputableError(_unpriced(moment.call))
            if cost.micro_usd > self.cost_at_most:
                wrong.append(f"it can cost {cost.micro_usd} micro-USD")
        return wrong

    def _wrong_taint(self, call: Call) -> str:
        sources = [taint.source for taint in call.taint]
        if self.tainted and not any(any_matches(self.tainted, source) for source in sources):
            return "nothing untrusted of these sources has come into the run"
        for source in sources:
            if any_matches(self.taint_free, source):
                return f"what {source} said came into the run"
        return ""

    def __str__(self) -> str:
        parts = [str(test) for test in self.arguments]
        parts += [] if self.hours is None else [f"within {self.hours}"]
        parts += [f"environment {', '.join(self.environments)}"] if self.environments else []
        parts += [] if self.cost_at_most is None else [f"cost at most {self.cost_at_most} micro-USD"]
        parts += [f"after taint by {', '.join(self.tainted)}"] if self.tainted else []
        parts += [f"without taint by {', '.join(self.taint_free)}"] if self.taint_free else []
        parts += [] if self.until is None else [f"until {_stamp(self.until)}"]
        return " and ".join(parts)

    @classmethod
    def from_config(cls, value: JsonObject, *, where: str) -> "Conditions":
        """The conditions of a rule's table; its other keys are not looked at.

        Raises:
            ConfigurationError: One is wrong; `field` names it.
        """
        cost = value.get("cost_at_most")
        if cost is not None and (isinstance(cost, bool) or not isinstance(cost, int) or cost < 0):
            raise ConfigurationError("This is a number of micro-USD, from 0.", field=f"{where}.cost_at_most")
        given = value.get("arguments")
        hours = value.get("hours")
        return cls(
            arguments=() if given is None else argument_tests(given, where=f"{where}.arguments"),
            hours=None if hours is None else _hours(hours, f"{where}.hours"),
            environments=_names(value.get("environments"), f"{where}.environments"),
            cost_at_most=cost,
            tainted=_sources(value.get("tainted"), f"{where}.tainted"),
            taint_free=_sources(value.get("taint_free"), f"{where}.taint_free"),
        )


_NONE = Conditions()


def _unpriced(call: Call) -> str:
    """Why nobody knows what a call can cost, and what to configure."""
    if call.kind is CallKind.MODEL:
        return (
            "what the call can cost is not known; give it a bound, such as [pipeline] max_cost_usd or the "
            "header x-interlock-max-cost-usd"
        )
    return (
        "what the call can cost is not known; state its price in dollars, 0 for nothing, as call_usd of "
        f'[[quotas]] with scope = "tool" and name = "{call.name}" or a pattern'
    )


def _hours(value: Json, where: str) -> Hours:
    if not isinstance(value, dict):
        raise ConfigurationError("Hours are a table.", field=where, remedy=_HOURS_REMEDY)
    for name in value:
        if name not in _HOURS:
            raise ConfigurationError(
                f"Hours have no field {name}.", field=f"{where}.{name}", remedy=suggestion(name, _HOURS)
            )
    begin, end = (_minute(value.get(name), f"{where}.{name}") for name in ("from", "to"))
    if begin == end:
        raise ConfigurationError("from and to are the same.", field=f"{where}.to", remedy=_HOURS_REMEDY)
    zone = value.get("zone", "UTC")
    zone = zone if isinstance(zone, str) else ""
    try:
        _zone(zone)
    except (ValueError, OSError, LookupError) as exc:
        raise ConfigurationError(
            f"There is no time zone {zone}.", field=f"{where}.zone", remedy="Such as Europe/Berlin or UTC."
        ) from exc
    days = _names(value.get("days"), f"{where}.days") or _DAYS
    for day in days:
        if day not in _DAYS:
            raise ConfigurationError(
                f"There is no day {day}.", field=f"{where}.days", remedy=f"Only {', '.join(_DAYS)}."
            )
    return Hours(begin=begin, end=end, zone=zone, days=frozenset(map(_DAYS.index, days)))


_HOURS_REMEDY = 'Such as { from = "09:00", to = "17:00", zone = "Europe/Berlin" }.'


def _minute(value: Json, where: str) -> int:
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ConfigurationError("This is a time such as 09:00.", field=where, remedy=_HOURS_REMEDY)
    return int(found[1]) * 60 + int(found[2])


def _names(value: Json, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    names = [name for name in value if isinstance(name, str) and name] if isinstance(value, list) else []
    if not isinstance(value, list) or not names or len(names) != len(value):
        raise ConfigurationError("This is a list of texts, none of them empty.", field=where)
    return tuple(names)


def _sources(value: Json, where: str) -> tuple[str, ...]:
    if isinstance(value, bool):
        if not value:
            raise ConfigurationError("This is true, or a list of sources.", field=where, remedy="Remove it.")
        return ("*",)
    return _names(value, where)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
