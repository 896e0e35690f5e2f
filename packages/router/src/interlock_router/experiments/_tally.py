"""What is counted of an experiment, in sums that merge by adding.

Two levels. A `UnitTally` holds a row a unit, with a count and a sum a metric, so that a user who asks a
thousand times is one sample and not a thousand. A `Tally` is what is judged: of each arm and metric the
number of units, the sum of their means, and the sum of the squares of those means. A store that keeps the
rows itself moves an arm's moments on with each outcome by `Moments.of(after) - Moments.of(before)`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Final, Self

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_int, as_number, as_object

_MOST: Final = 1e100
"""Largest outcome: the squares of many such still have a sum."""


@dataclass(frozen=True, slots=True)
class Sum:
    """The outcomes of one unit in one metric.

    Attributes:
        count: How many.
        total: Their sum.
    """

    count: int = 0
    total: float = 0.0

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.count + other.count, self.total + other.total)


@dataclass(frozen=True, slots=True)
class Moments:
    """Number, sum and sum of squares of the means of units.

    Attributes:
        count: How many units have an outcome.
        total: Sum of their means.
        squares: Sum of the squares of their means.
    """

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, one: Sum) -> Self:
        """The moments of a single unit; none while it has no outcome."""
        if one.count == 0:
            return cls()
        mean = one.total / one.count
        return cls(1, mean, mean * mean)

    @property
    def mean(self) -> float | None:
        """The mean over units; None without any."""
        return self.total / self.count if self.count else None

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    def __sub__(self, other: "Moments") -> "Moments":
        return Moments(self.count - other.count, self.total - other.total, self.squares - other.squares)


@dataclass(frozen=True, slots=True)
class ArmTally:
    """What was seen of one arm.

    Attributes:
        units: How many units were exposed to it.
        metrics: Of each metric, the moments over its units.
    """

    units: int = 0
    metrics: Mapping[str, Moments] = field(default_factory=dict[str, Moments])

    def of(self, metric: str) -> Moments:
        """The moments of a metric; empty ones where nothing was seen."""
        return self.metrics.get(metric, Moments())

    def __add__(self, other: "ArmTally") -> "ArmTally":
        names = dict.fromkeys((*self.metrics, *other.metrics))
        return ArmTally(self.units + other.units, {name: self.of(name) + other.of(name) for name in names})


@dataclass(frozen=True, slots=True)
class Tally:
    """What was seen of an experiment.

    Two tallies may be added when no unit is in both; otherwise the rows are to be added first.

    Attributes:
        arms: Of each arm.
        crossed: Units that met more than one arm, which are counted in none.
    """

    arms: Mapping[str, ArmTally] = field(default_factory=dict[str, ArmTally])
    crossed: int = 0

    def of(self, arm: str) -> ArmTally:
        """What was seen of an arm; nothing, where it is not known."""
        return self.arms.get(arm, ArmTally())

    def __add__(self, other: "Tally") -> "Tally":
        names = dict.fromkeys((*self.arms, *other.arms))
        return Tally({name: self.of(name) + other.of(name) for name in names}, self.crossed + other.crossed)

    def as_json(self) -> JsonObject:
        """As JSON: names and numbers."""
        return {
            "arms": {
                name: {
                    "units": arm.units,
                    "metrics": {
                        metric: {"count": one.count, "total": one.total, "squares": one.squares}
                        for metric, one in arm.metrics.items()
                    },
                }
                for name, arm in self.arms.items()
            },
            "crossed": self.crossed,
        }

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """The tally that `as_json` wrote.

        Raises:
            InvalidRequestError: It is not one.
        """
        found = as_object(value)
        arms = {
            name: _arm(as_object(arm), f"arms.{name}") for name, arm in as_object(found.get("arms")).items()
        }
        return cls(arms, _whole(found, "crossed", "crossed"))


@dataclass(slots=True)
class _Row:
    arm: str | None
    metrics: dict[str, Sum] = field(default_factory=dict[str, Sum])


class UnitTally:
    """A row a unit, in memory; rows of two replicas are added with `+`.

    A unit that met two arms (weights were changed, or a salt) stays known and is counted in none: what it
    does in one arm may come from the other.
    """

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}

    def expose(self, unit: str, arm: str) -> bool:
        """Note that a unit met an arm; says whether that is new."""
        row = self._rows.get(unit)
        if row is None:
            self._rows[unit] = _Row(arm)
            return True
        if row.arm in {arm, None}:
            return False
        row.arm = None
        return True

    def observe(self, unit: str, metric: str, value: float) -> None:
        """Add an outcome of a unit that was exposed.

        Raises:
            InvalidRequestError: The unit was not exposed, or the value is no number or too large for sums.
        """
        row = self._rows.get(unit)
        if row is None:
            raise _wrong("unit", "The unit met no arm of the experiment", "Note the exposure first.")
        if not abs(value) <= _MOST:
            raise _wrong(
                metric,
                f"An outcome of {metric} is no number, or too large",
                "Leave out what was not measured.",
            )
        row.metrics[metric] = row.metrics.get(metric, Sum()) + Sum(1, value)

    def __add__(self, other: "UnitTally") -> "UnitTally":
        both = UnitTally()
        for one in (self, other):
            for unit, row in one._rows.items():
                kept = both._rows.setdefault(unit, _Row(row.arm))
                kept.arm = kept.arm if kept.arm == row.arm else None
                for metric, found in row.metrics.items():
                    kept.metrics[metric] = kept.metrics.get(metric, Sum()) + found
        return both

    def tally(self) -> Tally:
        """What is to be judged."""
        arms: dict[str, tuple[int, dict[str, Moments]]] = {}
        crossed = 0
        for row in self._rows.values():
            if row.arm is None:
                crossed += 1
                continue
            units, metrics = arms.get(row.arm, (0, {}))
            for metric, found in row.metrics.items():
                metrics[metric] = metrics.get(metric, Moments()) + Moments.of(found)
            arms[row.arm] = units + 1, metrics
        return Tally({name: ArmTally(*arms[name]) for name in sorted(arms)}, crossed)


def _arm(value: JsonObject, at: str) -> ArmTally:
    metrics: dict[str, Moments] = {}
    for name, one in as_object(value.get("metrics")).items():
        found, where = as_object(one), f"{at}.metrics.{name}"
        metrics[name] = Moments(
            _whole(found, "count", f"{where}.count"),
            _number(found, "total", f"{where}.total"),
            _number(found, "squares", f"{where}.squares"),
        )
    return ArmTally(_whole(value, "units", f"{at}.units"), metrics)


def _whole(value: JsonObject, name: str, at: str) -> int:
    found = as_int(value.get(name))
    if found is None or found < 0:
        raise _wrong(at, f"The tally has no count at {at}", "Write a whole number of at least 0.")
    return found


def _number(value: JsonObject, name: str, at: str) -> float:
    found = as_number(value.get(name))
    if found is None or not isfinite(found):
        raise _wrong(at, f"The tally has no sum at {at}", "Write a finite number.")
    return found


def _wrong(field: str, what: str, remedy: str) -> InvalidRequestError:
    return InvalidRequestError(f"{what}.", field=field, remedy=remedy)
