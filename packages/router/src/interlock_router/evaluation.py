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
from math import isfinite, sqrt
from typing import Final, TypeAlias, cast

import numpy as np

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, dump_json, parse_json
from interlock_router._policy import Policy
from interlock_router._score import latency_scale, price_scale
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


@dataclass(frozen=True, slots=True)
class Option:
    """A model that could have been chosen.

    Attributes:
        model: `provider/model`.
        probability: How likely it was to be chosen.
        quality: Expected score, 0 to 1.
        cost_usd: Expected price in dollars; None when unknown.
        latency_s: Expected seconds to the whole answer; None when unknown.
    """

    model: str
    probability: float
    quality: float
    cost_usd: float | None = None
    latency_s: float | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """One decision with its outcome.

    Attributes:
        id: Its name.
        chosen: Place of the chosen model among the options.
        score: What the answer was worth, 0 to 1; None when nobody said.
        cost_usd: What it cost, in dollars; None when unknown.
        options: The candidates.
        task: Class of the task.
    """

    id: str
    chosen: int
    score: float | None
    cost_usd: float | None
    options: tuple[Option, ...]
    task: str = ""


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
    price = None if option.cost_usd is None else round(option.cost_usd * _MICRO)
    return (
        policy.quality * option.quality
        - policy.price * price_scale(price)
        - policy.latency * latency_scale(option.latency_s)
        + (0.1 if policy.prefer and policy.prefers(option.model) else 0.0)
    )


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


def log_line(logged: Logged) -> str:
    """A decision as a line of a log."""
    options: list[Json] = [
        {
            "model": option.model,
            "probability": option.probability,
            "quality": option.quality,
            "cost_usd": option.cost_usd,
            "latency_s": option.latency_s,
        }
        for option in logged.options
    ]
    return dump_json(
        {
            "id": logged.id,
            "task": logged.task,
            "chosen": logged.options[logged.chosen].model,
            "score": logged.score,
            "cost_usd": logged.cost_usd,
            "options": options,
        }
    )


def read_log(lines: Iterable[str], *, source: str = "the log") -> list[Logged]:
    """The decisions of a log, one JSON object a line; empty lines are passed over.

    Args:
        lines: The text.
        source: What errors call it.

    Raises:
        InvalidRequestError: A line is wrong, with its number and the field; or there is none.
    """
    found = [
        _logged(line, f"{source}, line {number}") for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not found:
        raise InvalidRequestError(
            f"There is no decision in {source}.",
            field="log",
            remedy="Write one with 'interlock route replay --log F', or name another file.",
        )
    return found


def _logged(line: str, where: str) -> Logged:
    try:
        parsed = parse_json(line)
    except ValueError as error:
        raise _wrong(where, "log", f"is no JSON ({error})", "Write one JSON object a line.") from error
    if not isinstance(parsed, dict):
        raise _wrong(where, "log", "is no object", "Write one JSON object a line.")
    entries = parsed.get("options")
    if not isinstance(entries, list) or not entries:
        raise _wrong(where, "options", "has no options", "Write each candidate with its probability there.")
    options = tuple(_option(entry, where, f"options[{place}]") for place, entry in enumerate(entries))
    total = sum(option.probability for option in options)
    if abs(total - 1.0) > 0.001:
        raise _wrong(
            where, "options", f"has probabilities that add up to {total:g}", "Make them add up to 1."
        )
    places = {option.model: place for place, option in enumerate(options)}
    chosen = parsed.get("chosen")
    if not isinstance(chosen, str) or chosen not in places:
        raise _wrong(where, "chosen", "names no option as chosen", "Name one of the options.")
    if options[places[chosen]].probability <= 0:
        raise _wrong(where, "chosen", "chose what had no probability", "Write the true probabilities.")
    score = _number(parsed, "score", where, "score")
    if score is not None and not 0 <= score <= 1:
        raise _wrong(where, "score", f"has the score {score:g}", "Write a number from 0 to 1.")
    task = parsed.get("task")
    return Logged(
        str(parsed.get("id") or where),
        places[chosen],
        score,
        _number(parsed, "cost_usd", where, "cost_usd"),
        options,
        task if isinstance(task, str) else "",
    )


def _option(entry: Json, where: str, at: str) -> Option:
    if not isinstance(entry, dict) or not isinstance(entry.get("model"), str):
        raise _wrong(where, f"{at}.model", "has an option without a model", "Name the model.")
    probability = _number(entry, "probability", where, f"{at}.probability")
    if probability is None or not 0 <= probability <= 1:
        raise _wrong(where, f"{at}.probability", "has an option without a probability", "Write 0 to 1.")
    quality = _number(entry, "quality", where, f"{at}.quality")
    return Option(
        cast("str", entry["model"]),
        probability,
        0.0 if quality is None else quality,
        _number(entry, "cost_usd", where, f"{at}.cost_usd"),
        _number(entry, "latency_s", where, f"{at}.latency_s"),
    )


def _number(value: JsonObject, name: str, where: str, at: str) -> float | None:
    found = value.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not isfinite(found):
        raise _wrong(where, at, f"has no number as {name}", "Write a number, or leave it out.")
    return float(found)


def _wrong(where: str, at: str, what: str, remedy: str) -> InvalidRequestError:
    return InvalidRequestError(f"{where} {what}.", field=at, remedy=remedy)
