"""What an experiment is: arms, who is assigned, what is measured, and when it ends."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from math import fsum, isfinite
from typing import Final, Literal, TypeAlias, get_args

from interlock_core.errors import ConfigurationError
from interlock_core.nearest import suggestion
from interlock_router._names import AUTO

Unit: TypeAlias = Literal["user", "key", "conversation", "request"]
"""What keeps its arm: everything of one user, key or conversation, or each request on its own."""

Better: TypeAlias = Literal["higher", "lower"]
"""Which way a metric is better."""

UNITS: Final[tuple[Unit, ...]] = get_args(Unit)
"""What can be assigned."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One of the ways that are compared.

    Attributes:
        name: Its name.
        weight: Its part of the units, above 0; the weights of an experiment sum to 1.
        policy: The policy that chooses the model; either this or a model.
        model: The model, as `provider/model`.
    """

    name: str
    weight: float
    policy: str | None = None
    model: str | None = None

    @property
    def asks_for(self) -> str:
        """The name of the model that a request of this arm is sent to: `auto/<policy>`, or the model's."""
        return self.model if self.model is not None else f"{AUTO}/{self.policy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What decides.

    Attributes:
        name: Name of the number that outcomes carry (`score`, `ok`, `cost_usd`, `duration_s`).
        better: Which way it is better.
        effect: The smallest change worth finding, in the metric's own unit. Intervals are narrowest when
            there is just enough seen to find it, and an arm that cannot reach it is given up as futile.
        low: Least value that it can have, where there is one.
        high: Most. With both known, intervals hold from fewer samples.
    """

    name: str
    better: Better = "higher"
    effect: float = 0.05
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """What must not get much worse meanwhile.

    Attributes:
        name: Name of the metric.
        better: Which way it is better.
        tolerated: The worst change that is tolerated, in the metric's own unit, above 0.
        low: Least value that it can have, where there is one.
        high: Most.
    """

    name: str
    better: Better = "lower"
    tolerated: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A comparison of arms on the same traffic.

    An experiment that is changed while it runs is another experiment: give it another salt, or start its
    counts anew.

    Attributes:
        name: Its name.
        arms: What is compared, at least two; the first is the control unless another is named.
        metric: What decides.
        guardrails: What must not get much worse.
        unit: What keeps its arm.
        control: Name of the arm that the others are compared with.
        alpha: Probability that it ends with a wrong winner or loser, however often it is looked at; below
            0.5. The arms share it.
        minimum: Least units of each arm before anything is decided.
        traffic: Part of all units that take part; the others are not assigned.
        salt: Changing it assigns every unit anew.
        start: From when units are assigned, with a time zone; None: at once.
        stop: Until when.
    """

    name: str
    arms: tuple[Arm, ...]
    metric: Metric
    guardrails: tuple[Guardrail, ...] = ()
    unit: Unit = "user"
    control: str | None = None
    alpha: float = 0.05
    minimum: int = 100
    traffic: float = 1.0
    salt: str = ""
    start: datetime | None = None
    stop: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse an experiment that could not be judged.

        Raises:
            ConfigurationError: A value is wrong; the field and the remedy are named.
        """
        wrong = _Complaint(self.name)
        if not _NAME.fullmatch(self.name):
            raise wrong("name", _NAME_REMEDY)
        _check_arms(self, wrong)
        _check_metrics(self, wrong)
        if self.unit not in UNITS:
            raise wrong("unit", f"Write one of {', '.join(UNITS)}.")
        if not 0 < self.alpha < 0.5:
            raise wrong("alpha", "Write a probability above 0 and below 0.5; 0.05 is usual.")
        if self.minimum < 2:
            raise wrong("minimum", "Write a whole number of at least 2; 100 is the default.")
        if not 0 < self.traffic <= 1:
            raise wrong("traffic", "Write a part of the traffic above 0 and at most 1.")
        for field, moment in (("start", self.start), ("stop", self.stop)):
            if moment is not None and moment.utcoffset() is None:
                raise wrong(field, "Write the time with its time zone, as in 2026-12-01T09:00:00Z.")
        if self.start is not None and self.stop is not None and self.stop <= self.start:
            raise wrong("stop", "Write a time after start.")

    @property
    def baseline(self) -> Arm:
        """The control."""
        return self.arms[0] if self.control is None else self.arm(self.control)

    @property
    def treated(self) -> tuple[Arm, ...]:
        """The other arms, in their order."""
        return tuple(arm for arm in self.arms if arm != self.baseline)

    def arm(self, name: str) -> Arm:
        """The arm of that name.

        Raises:
            ConfigurationError: There is none.
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise ConfigurationError(
            f"The experiment {self.name} has no arm {name}.",
            field=f"experiments.{self.name}.arms",
            remedy=suggestion(name, [arm.name for arm in self.arms]),
        )

    def runs_at(self, moment: datetime) -> bool:
        """Whether units are assigned then: from `start` on and before `stop`."""
        return (self.start is None or self.start <= moment) and not self.ended_at(moment)

    def ended_at(self, moment: datetime) -> bool:
        """Whether its time is over."""
        return self.stop is not None and moment >= self.stop


_NAME_REMEDY: Final = "Write 1 to 64 letters, digits, dots, hyphens or underscores, a letter or digit first."


@dataclass(frozen=True, slots=True)
class _Complaint:
    experiment: str

    def __call__(self, field: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(
            f"The experiment {self.experiment} has a wrong value for {field}.",
            field=f"experiments.{self.experiment}.{field}",
            remedy=remedy,
        )


_Wrong: TypeAlias = Callable[[str, str], ConfigurationError]


def _check_arms(experiment: Experiment, wrong: _Wrong) -> None:
    arms = experiment.arms
    if len(arms) < 2:
        raise wrong("arms", "Name at least two arms.")
    for arm in arms:
        at = f"arms.{arm.name}"
        if not _NAME.fullmatch(arm.name):
            raise wrong(f"{at}.name", _NAME_REMEDY)
        if not (isfinite(arm.weight) and arm.weight > 0):
            raise wrong(f"{at}.weight", "Write a number above 0, or leave the arm out.")
        if bool(arm.policy) == bool(arm.model):
            raise wrong(at, "Write either a policy or a model, and not both.")
    twice = _twice(arm.name for arm in arms)
    if twice is not None:
        raise wrong("arms", f"Give the second arm {twice} another name.")
    total = fsum(arm.weight for arm in arms)
    if abs(total - 1) > 1e-9:
        raise wrong("arms", f"The weights sum to {total:.6g}: write weights that sum to 1.")
    if experiment.control is not None and experiment.control not in {arm.name for arm in arms}:
        raise wrong("control", suggestion(experiment.control, [arm.name for arm in arms]))


def _check_metrics(experiment: Experiment, wrong: _Wrong) -> None:
    metric = experiment.metric
    _check_metric("metric", metric, wrong)
    if not (isfinite(metric.effect) and metric.effect > 0):
        raise wrong("metric.effect", "Write the smallest change worth finding, above 0.")
    twice = _twice((metric.name, *(rail.name for rail in experiment.guardrails)))
    if twice is not None:
        raise wrong("guardrails", f"Name {twice} once: a metric decides or guards, and guards once.")
    for rail in experiment.guardrails:
        at = f"guardrails.{rail.name}"
        _check_metric(at, rail, wrong)
        if not (isfinite(rail.tolerated) and rail.tolerated > 0):
            raise wrong(f"{at}.tolerated", "Write the worst change that is tolerated, above 0.")


def _check_metric(at: str, metric: Metric | Guardrail, wrong: _Wrong) -> None:
    if not _NAME.fullmatch(metric.name):
        raise wrong(f"{at}.name", _NAME_REMEDY)
    if metric.better not in get_args(Better):
        raise wrong(f"{at}.better", "Write higher or lower.")
    for field, bound in (("low", metric.low), ("high", metric.high)):
        if bound is not None and not isfinite(bound):
            raise wrong(f"{at}.{field}", "Write a finite number, or leave it out.")
    if metric.low is not None and metric.high is not None and metric.low >= metric.high:
        raise wrong(f"{at}.high", "Write a number above low.")


def _twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
