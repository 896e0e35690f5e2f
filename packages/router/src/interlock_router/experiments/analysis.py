"""What the counts of an experiment say, at any time and as often as anyone looks."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Final, Literal, TypeAlias

import numpy as np

from interlock_core.jsontypes import JsonObject
from interlock_router.experiments._experiment import Arm, Experiment, Guardrail, Metric
from interlock_router.experiments._mismatch import mismatch_p_value
from interlock_router.experiments._sequence import (
    Bounds,
    Estimate,
    Reals,
    estimate,
    half_width,
    p_value,
)
from interlock_router.experiments._tally import Moments, Tally

__all__ = [
    "MISMATCH_ALPHA",
    "ArmVerdict",
    "Bounds",
    "Difference",
    "Estimate",
    "State",
    "Verdict",
    "estimate",
    "half_width",
    "mismatch_p_value",
    "verdict",
]

State: TypeAlias = Literal["running", "win", "lose", "futile", "guardrail", "mismatch", "ended"]
"""What is known: nothing yet, a winner, a loser, that the effect worth finding is not there, that something
got worse than tolerated, that units went astray, or that the time was over first."""

MISMATCH_ALPHA: Final = 0.001
"""Probability that a sound experiment is ever stopped for a sample-ratio mismatch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An arm against the control in one metric.

    Attributes:
        metric: Name of the metric.
        units: Units of the arm with an outcome.
        mean: Mean of the arm over them.
        control_mean: Mean of the control.
        effect: The arm's mean minus the control's; None without outcomes of both.
        low: Least effect that agrees with what was seen; None when there is no bound.
        high: Greatest.
        p_value: The level at which no effect is just ruled out, for the arms together; on a guard-rail
            it speaks of no effect too, not of the tolerated one.
    """

    metric: str
    units: int
    mean: float | None
    control_mean: float | None
    effect: float | None
    low: float | None
    high: float | None
    p_value: float

    def as_json(self) -> JsonObject:
        """As JSON."""
        return {
            "metric": self.metric,
            "units": self.units,
            "mean": self.mean,
            "control_mean": self.control_mean,
            "effect": self.effect,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmVerdict:
    """What is known of an arm.

    Attributes:
        arm: Its name.
        state: What is known; never `mismatch` or `ended`, which are the experiment's.
        units: Units that were exposed to it.
        primary: The metric that decides.
        guardrails: The others, in the experiment's order.
        reason: Why, in one sentence.
    """

    arm: str
    state: State
    units: int
    primary: Difference
    guardrails: tuple[Difference, ...]
    reason: str

    def as_json(self) -> JsonObject:
        """As JSON."""
        return {
            "arm": self.arm,
            "state": self.state,
            "units": self.units,
            "primary": self.primary.as_json(),
            "guardrails": [one.as_json() for one in self.guardrails],
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is known of an experiment.

    Attributes:
        experiment: Its name.
        state: What is known; anything but `running` is a reason to stop.
        winner: The arm to keep: the best of those that won, or the control when every other arm lost,
            gains too little or broke a guard-rail; None as long as an arm is open, or on a mismatch.
        units: Units of each arm, in the experiment's order.
        mean: Mean of each arm in the metric that decides; None without outcomes.
        mismatch: Level of the test of the arms' shares.
        crossed: Units that met more than one arm and were left out.
        arms: Each arm but the control.
        reason: Why, in one sentence.
    """

    experiment: str
    state: State
    winner: str | None
    units: dict[str, int]
    mean: dict[str, float | None]
    mismatch: float
    crossed: int
    arms: tuple[ArmVerdict, ...]
    reason: str

    def as_json(self) -> JsonObject:
        """As JSON."""
        return {
            "experiment": self.experiment,
            "state": self.state,
            "winner": self.winner,
            "units": dict(self.units),
            "mean": dict(self.mean),
            "mismatch": self.mismatch,
            "crossed": self.crossed,
            "arms": [one.as_json() for one in self.arms],
            "reason": self.reason,
        }


def verdict(experiment: Experiment, tally: Tally, at: datetime | None = None) -> Verdict:
    """Judge what was seen so far.

    The rules, in their order: shares that are not the weights stop everything; an arm that surely harms a
    guard-rail by more than is tolerated is out; an arm whose interval lies above no effect wins, below it
    loses, and one that cannot reach the smallest effect worth finding is futile. One winner, or one broken
    guard-rail, ends an experiment of several arms; losers and futile arms end it when no arm is left open.
    Nothing is decided of a metric before each arm has the least number of units with an outcome in it.

    The probability of a wrong winner or loser is at most the experiment's alpha over all looks and arms
    together, and the guard-rails have as much of their own. It is the first verdict other than `running`
    that counts: whoever asks stops there.

    Args:
        experiment: The experiment.
        tally: What was seen.
        at: The time, to know whether the experiment's own is over; None does not ask.
    """
    arms = tuple(_judge(experiment, arm, tally) for arm in experiment.treated)
    units = {arm.name: tally.of(arm.name).units for arm in experiment.arms}
    mismatch = mismatch_p_value(list(units.values()), [arm.weight for arm in experiment.arms])
    over = at is not None and experiment.ended_at(at)
    state, winner, reason = _overall(experiment, arms, mismatch, over=over)
    return Verdict(
        experiment=experiment.name,
        state=state,
        winner=winner,
        units=units,
        mean={arm.name: tally.of(arm.name).of(experiment.metric.name).mean for arm in experiment.arms},
        mismatch=mismatch,
        crossed=tally.crossed,
        arms=arms,
        reason=reason,
    )


def _overall(
    experiment: Experiment, arms: tuple[ArmVerdict, ...], mismatch: float, *, over: bool
) -> tuple[State, str | None, str]:
    control = experiment.baseline.name
    if mismatch <= MISMATCH_ALPHA:
        reason = (
            f"The arms have units in other shares than their weights (p = {mismatch:.2g}, at any look), so "
            "no comparison holds: find where units are lost."
        )
        return "mismatch", None, reason
    sign = _sign(experiment.metric)
    won = [one for one in arms if one.state == "win"]
    if won:
        best = max(won, key=lambda one: sign * (one.primary.effect or 0.0))
        return "win", best.arm, best.reason
    open_ones = [one for one in arms if one.state == "running"]
    kept = None if open_ones else control
    broken = [one for one in arms if one.state == "guardrail"]
    if broken:
        return "guardrail", kept, broken[0].reason
    if open_ones and over:
        return "ended", None, "The experiment's time was over before anything was known for sure."
    if open_ones:
        return "running", None, open_ones[0].reason
    told = next((one for one in arms if one.state == "lose"), arms[0])
    return told.state, kept, told.reason


def _judge(experiment: Experiment, arm: Arm, tally: Tally) -> ArmVerdict:
    alpha = experiment.alpha / len(experiment.treated)
    rails = alpha / max(len(experiment.guardrails), 1)
    metric = experiment.metric
    primary = _difference(experiment, arm, tally, metric, alpha)
    guardrails = tuple(_difference(experiment, arm, tally, rail, rails) for rail in experiment.guardrails)
    state, reason = _state(experiment, arm, primary, guardrails, tally)
    return ArmVerdict(
        arm=arm.name,
        state=state,
        units=tally.of(arm.name).units,
        primary=primary,
        guardrails=guardrails,
        reason=reason,
    )


def _state(
    experiment: Experiment,
    arm: Arm,
    primary: Difference,
    guardrails: tuple[Difference, ...],
    tally: Tally,
) -> tuple[State, str]:
    control = experiment.baseline.name
    for rail, found in zip(experiment.guardrails, guardrails, strict=True):
        most = _gain(found, _sign(rail))[1]
        if _enough(experiment, arm, tally, rail) and most is not None and most < -rail.tolerated:
            return "guardrail", (
                f"Arm {arm.name} breaks a guard-rail: against {control}, {rail.name} changes by "
                f"{_told(found)}, and {rail.tolerated:g} for the worse is tolerated."
            )
    if not _enough(experiment, arm, tally, experiment.metric):
        return (
            "running",
            f"Arm {arm.name} or {control} has fewer than {experiment.minimum} units with outcomes.",
        )
    low, high = _gain(primary, _sign(experiment.metric))
    name, seen = experiment.metric.name, _told(primary)
    if low is not None and low > 0:
        return "win", f"Arm {arm.name} is better than {control}: {name} changes by {seen}."
    if high is not None and high < 0:
        return "lose", f"Arm {arm.name} is worse than {control}: {name} changes by {seen}."
    if high is not None and high < experiment.metric.effect:
        return "futile", (
            f"Arm {arm.name} does not gain the {experiment.metric.effect:g} of {name} worth finding: "
            f"it changes by {seen}."
        )
    return "running", f"Arm {arm.name} is not told apart from {control} yet: {name} changes by {seen}."


def _told(found: Difference) -> str:
    if found.effect is None or found.low is None or found.high is None:
        return "an amount that cannot be told yet"
    return f"{found.effect:+.4g} (between {found.low:+.4g} and {found.high:+.4g} at any look)"


def _difference(
    experiment: Experiment, arm: Arm, tally: Tally, metric: Metric | Guardrail, alpha: float
) -> Difference:
    control, treated = _both(experiment, arm, tally, metric)
    found = estimate(_array(control), _array(treated), _bounds(metric))
    scale = metric.effect if isinstance(metric, Metric) else metric.tolerated
    variance, effect = float(found.variance), float(found.effect)
    width = float(half_width(found.variance, alpha=alpha, effect=scale))
    comparisons = experiment.alpha / alpha
    means = treated.mean, control.mean
    return Difference(
        metric=metric.name,
        units=treated.count,
        mean=means[0],
        control_mean=means[1],
        effect=None if means[0] is None or means[1] is None else means[0] - means[1],
        low=effect - width if isfinite(width) else None,
        high=effect + width if isfinite(width) else None,
        p_value=min(1.0, comparisons * p_value(effect, variance, alpha=alpha, scale=scale)),
    )


def _enough(experiment: Experiment, arm: Arm, tally: Tally, metric: Metric | Guardrail) -> bool:
    return all(one.count >= experiment.minimum for one in _both(experiment, arm, tally, metric))


def _both(
    experiment: Experiment, arm: Arm, tally: Tally, metric: Metric | Guardrail
) -> tuple[Moments, Moments]:
    return tally.of(experiment.baseline.name).of(metric.name), tally.of(arm.name).of(metric.name)


def _gain(found: Difference, sign: int) -> tuple[float | None, float | None]:
    """The interval of the gain: least and greatest, whichever way the metric is better."""
    if sign > 0:
        return found.low, found.high
    return _minus(found.high), _minus(found.low)


def _minus(end: float | None) -> float | None:
    return None if end is None else -end


def _sign(metric: Metric | Guardrail) -> int:
    return 1 if metric.better == "higher" else -1


def _bounds(metric: Metric | Guardrail) -> Bounds | None:
    return None if metric.low is None or metric.high is None else (metric.low, metric.high)


def _array(moments: Moments) -> Reals:
    return np.array([moments.count, moments.total, moments.squares], dtype=np.float64)
