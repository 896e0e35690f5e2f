"""Why a model was chosen, in full: what `route explain` shows and what a completion carries."""

from collections.abc import Mapping
from dataclasses import field

from interlock_core.jsontypes import Json, JsonObject
from interlock_core.money import Money
from interlock_core.record import record


@record(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model that was looked at.

    Attributes:
        model: `provider/model`.
        excluded: Why it was ruled out; None when it was scored.
        parts: The weighted score parts by name, such as `quality` or `price`.
        score: Their sum; higher is better.
        probability: How likely this choice was.
        expected_cost: Predicted price of the request; None when the price is unknown.
        expected_latency_s: Predicted seconds to the whole answer; None when nothing is known.
    """

    model: str
    excluded: str | None = None
    parts: Mapping[str, float] = field(default_factory=dict[str, float])
    score: float | None = None
    probability: float = 0.0
    expected_cost: Money | None = None
    expected_latency_s: float | None = None


@record(frozen=True, slots=True, kw_only=True)
class RouteDecision:
    """One decision of the router.

    Attributes:
        policy: Name of the policy that weighed it.
        task: Class of the request's task.
        task_confidence: How sure the classifier is, 0 to 1.
        chosen: `provider/model`.
        runner_up: The next best, if any.
        reason: One sentence for a person.
        candidates: Every model looked at, best first, the excluded ones last.
        fallbacks: Models to try next, in order.
        decision_us: What deciding took, in microseconds of CPU.
    """

    policy: str
    task: str
    chosen: str
    task_confidence: float = 1.0
    runner_up: str | None = None
    reason: str = ""
    candidates: tuple[Candidate, ...] = ()
    fallbacks: tuple[str, ...] = ()
    decision_us: float = 0.0

    def as_json(self) -> JsonObject:
        """The decision as JSON, money in dollars."""
        return {
            "policy": self.policy,
            "task": self.task,
            "task_confidence": self.task_confidence,
            "chosen": self.chosen,
            "runner_up": self.runner_up,
            "reason": self.reason,
            "fallbacks": list(self.fallbacks),
            "decision_us": self.decision_us,
            "candidates": [_candidate_json(candidate) for candidate in self.candidates],
        }


def _candidate_json(candidate: Candidate) -> Json:
    return {
        "model": candidate.model,
        "excluded": candidate.excluded,
        "score": candidate.score,
        "parts": dict(candidate.parts),
        "probability": candidate.probability,
        "expected_cost_usd": None if candidate.expected_cost is None else candidate.expected_cost.as_usd,
        "expected_latency_s": candidate.expected_latency_s,
    }
