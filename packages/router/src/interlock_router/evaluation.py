"""What a policy would have brought, judged by the log of another that was run.

The log tells, of each request, which models were candidates, how likely each was to be chosen, what was
expected of each, which one was chosen and what came of it. With that,

- IPS weighs each outcome by how much likelier the judged policy is to choose it;
- SNIPS divides by the sum of the weights, which costs a little bias and saves much variance
  (Swaminathan and Joachims, The Self-Normalized Estimator for Counterfactual Learning, NIPS 2015);
- DR, doubly robust, takes what was expected of the policy's choices and corrects it by the weighted
  surprises (Dudik, Langford and Li, Doubly Robust Policy Evaluation and Learning, ICML 2011). What was
  expected was written before the outcome was known, so nothing is fitted twice.

An estimate stands only where the log has support: where a policy chooses what the log never could have,
nothing is known, and that is said in place of a number.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Final, TypeAlias

import numpy as np

from interlock_core.jsontypes import JsonObject
from interlock_router._log_file import Logged, Option, log_line, read_log
from interlock_router._policy import Policy
from interlock_router._score import Estimate as Expected
from interlock_router._score import weighed
from interlock_router.learning import Reals

__all__ = [
    "Estimate",
    "Evaluation",
    "Logged",
    "Option",
    "Target",
    "by_policy",
    "evaluate",
    "log_line",
    "read_log",
]

MOST_UNSUPPORTED: Final = 0.02
"""Part of a policy's choices that the log may have no support for."""

LEAST_EFFECTIVE: Final = 50.0
"""Effective sample size below which there is no estimate."""

_NORMAL: Final = 1.959964
_MICRO: Final = 1_000_000


Target: TypeAlias = Callable[[Logged], Sequence[float]]
"""How likely a policy is to choose each option of a logged request; adds up to 1."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a policy would have brought on average, three ways.

    Attributes:
        ips: By inverse probability.
        snips: The same, self-normalised.
        dr: Doubly robust; the one to go by.
        low: Lower end of the 95 % interval of `dr`.
        high: Its upper end.
    """

    ips: float
    snips: float
    dr: float
    low: float
    high: float

    def as_json(self) -> JsonObject:
        """As JSON."""
        return {"ips": self.ips, "snips": self.snips, "dr": self.dr, "interval": [self.low, self.high]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What is known of a policy by a log.

    Attributes:
        n: Logged decisions with a score.
        unscored: Those without; they are left out, as if who scores did not depend on the choice.
        effective: Effective sample size: how many outcomes of its own the log is worth to this policy.
        supported: Part of the policy's choices that the log could have made.
        refused: Why there is no estimate; empty when there is.
        score: Mean score; None when refused.
        cost_usd: Mean cost in dollars; None when refused or when the log has none.
        logged_score: Mean score of what was run.
        logged_cost_usd: Its mean cost.
        share: Part of the requests that the policy gives to each model.
    """

    n: int
    unscored: int
    effective: float
    supported: float
    refused: str
    score: Estimate | None
    cost_usd: Estimate | None
    logged_score: float | None
    logged_cost_usd: float | None
    share: Mapping[str, float] = field(default_factory=dict[str, float])

    def as_json(self) -> JsonObject:
        """As JSON."""
        return {
            "n": self.n,
            "unscored": self.unscored,
            "effective_sample_size": self.effective,
            "supported": self.supported,
            "refused": self.refused or None,
            "score": None if self.score is None else self.score.as_json(),
            "cost_usd": None if self.cost_usd is None else self.cost_usd.as_json(),
            "logged": {"score": self.logged_score, "cost_usd": self.logged_cost_usd},
            "share": dict(self.share),
        }


def by_policy(policy: Policy) -> Target:
    """The choices of a policy that always takes the option of the highest score by its weights."""

    def target(logged: Logged) -> Sequence[float]:
        scores = [_score(option, policy) for option in logged.options]
        best = max(range(len(scores)), key=scores.__getitem__)
        return [float(place == best) for place in range(len(scores))]

    return target


def _score(option: Option, policy: Policy) -> float:
    if policy.excludes(option.model):
        return -np.inf
    micro_usd = None if option.cost_usd is None else round(option.cost_usd * _MICRO)
    expected = Expected(option.quality, 1.0, micro_usd, option.latency_s)
    return sum(weighed(option.model, expected, policy).values())


def evaluate(log: Iterable[Logged], target: Target) -> Evaluation:
    """Judge a policy by a log.

    Args:
        log: Decisions that were made, with their outcomes.
        target: The policy.
    """
    notes = _Notes()
    for logged in log:
        notes.take(logged, target(logged))
    return notes.evaluation()


class _Notes:
    """What is noted of a log, a decision at a time."""

    def __init__(self) -> None:
        self._weights: list[float] = []
        self._scores: list[tuple[float, float, float]] = []
        self._costs: list[tuple[float, float, float]] = []
        self._costed = True
        self._supported = 0.0
        self._unscored = 0
        self._share: dict[str, float] = {}

    def take(self, logged: Logged, likely: Sequence[float]) -> None:
        """Note one decision, and how likely the policy is to choose each option."""
        if logged.score is None:
            self._unscored += 1
            return
        options, chosen = logged.options, logged.options[logged.chosen]
        weight = likely[logged.chosen] / chosen.probability
        self._weights.append(weight)
        for option, part in zip(options, likely, strict=True):
            if part > 0:
                self._share[option.model] = self._share.get(option.model, 0.0) + part
                self._supported += part if option.probability > 0 else 0.0
        expected = sum(part * option.quality for option, part in zip(options, likely, strict=True))
        self._scores.append((logged.score, expected, chosen.quality))
        self._take_cost(logged, likely)

    def _take_cost(self, logged: Logged, likely: Sequence[float]) -> None:
        known = [option.cost_usd for option, part in zip(logged.options, likely, strict=True) if part > 0]
        chosen = logged.options[logged.chosen].cost_usd
        if logged.cost_usd is None or chosen is None or None in known:
            self._costed = False
            return
        expected = sum(
            part * (option.cost_usd or 0.0) for option, part in zip(logged.options, likely, strict=True)
        )
        self._costs.append((logged.cost_usd, expected, chosen))

    def evaluation(self) -> Evaluation:
        """What follows."""
        n = len(self._weights)
        weights = np.array(self._weights)
        squares = float((weights**2).sum())
        effective = float(weights.sum()) ** 2 / squares if squares else 0.0
        supported = self._supported / n if n else 0.0
        refused = _refusal(n, effective, supported)
        costed = self._costed and n > 0
        return Evaluation(
            n=n,
            unscored=self._unscored,
            effective=effective,
            supported=supported,
            refused=refused,
            score=None if refused else _estimate(weights, self._scores),
            cost_usd=_estimate(weights, self._costs) if costed and not refused else None,
            logged_score=sum(one[0] for one in self._scores) / n if n else None,
            logged_cost_usd=sum(one[0] for one in self._costs) / n if costed else None,
            share={model: part / n for model, part in sorted(self._share.items())},
        )


def _refusal(n: int, effective: float, supported: float) -> str:
    if n == 0:
        return "No decision in the log has a score."
    if supported < 1 - MOST_UNSUPPORTED:
        return (
            f"The log could not have made {1 - supported:.1%} of this policy's choices, so nothing is known "
            "of them. Log with a policy that explores these models."
        )
    if effective < LEAST_EFFECTIVE:
        return (
            f"The log is worth {effective:.0f} outcomes to this policy, and {LEAST_EFFECTIVE:.0f} are "
            "needed. Log more, or judge a policy that differs less."
        )
    return ""


def _estimate(weights: Reals, noted: Sequence[tuple[float, float, float]]) -> Estimate:
    got, expected, foreseen = np.array(noted).T
    terms = expected + weights * (got - foreseen)
    dr = float(terms.mean())
    error = _NORMAL * float(terms.std(ddof=1)) / sqrt(terms.size) if terms.size > 1 else np.inf
    return Estimate(
        ips=float((weights * got).mean()),
        snips=float((weights * got).sum() / weights.sum()),
        dr=dr,
        low=dr - error,
        high=dr + error,
    )
