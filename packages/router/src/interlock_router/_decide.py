"""The four steps in a row: a request in, a plan out, nothing called and nothing waited for."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import zip_longest
from time import thread_time_ns
from typing import TYPE_CHECKING, Final, TypeAlias

from interlock_core import (
    Call,
    Candidate,
    Clock,
    CompletionRequest,
    Ending,
    Money,
    PerformanceSource,
    Permit,
    RouteDecision,
    TokenCounter,
)
from interlock_core.tokens import EstimatingCounter
from interlock_router._catalogue import Snapshot
from interlock_router._choose import BestFirst, Choice, Chooser, Scored
from interlock_router._classify import Classified, Classifier
from interlock_router._demand import Demand
from interlock_router._entry import Entry
from interlock_router._filter import Step, output_cap, shortlist, unfit
from interlock_router._health import Health
from interlock_router._policy import Policy
from interlock_router._score import estimate, parts

if TYPE_CHECKING:
    from interlock_router.learning import Experience, Prompt

Learned: TypeAlias = tuple[float, float, float]
"""Of a model's quality: what is expected, how unsure that is, and on how many outcomes it rests."""

_NOBODY: Final = "nobody is named as the caller, so nothing is permitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """What the router asks of others while it decides; all of it may be left out.

    Attributes:
        performance: How models have done.
        permit: Who may use which model; with it, a call without a `Call` is refused.
        counter: Counts input tokens.
        classifier: Names tasks.
        chooser: Orders models by their scores.
        experience: What was learned from outcomes; without it, quality is what `performance` tells.
    """

    performance: PerformanceSource | None = None
    permit: Permit | None = None
    counter: TokenCounter = field(default_factory=EstimatingCounter)
    classifier: Classifier = field(default_factory=Classifier)
    chooser: Chooser = field(default_factory=BestFirst)
    experience: "Experience | None" = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that the plan provides for.

    Attributes:
        entry: The model.
        max_tokens: A limit on output that keeps the call within its price limit; None where none is needed.
    """

    entry: Entry
    max_tokens: int | None = None

    def fit(self, request: CompletionRequest) -> CompletionRequest:
        """The request as it is sent to this model."""
        if self.max_tokens is None:
            return replace(request, model=self.entry.id)
        # The client's own bytes name no such limit, so they cannot be forwarded as they are.
        return replace(request, model=self.entry.id, max_tokens=self.max_tokens, original=None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a request.

    Attributes:
        attempts: The calls to make until one succeeds; empty when no model can take the request.
        decision: Why.
        excluded: At which check each model that is out fell out.
        manual: The caller named the model.
        asked: What is learned of the prompt once the answer's worth is known; None when nothing is.
    """

    attempts: tuple[Attempt, ...]
    decision: RouteDecision
    excluded: tuple[tuple[Step, Candidate], ...] = ()
    manual: bool = False
    asked: "Prompt | None" = None


class Decider:
    """Decides.

    Args:
        seams: What it asks of others.
        health: Which models answer just now.
        clock: Its wall time tells which models are no longer served.
    """

    __slots__ = ("_clock", "_health", "_seams")

    def __init__(self, seams: Seams, health: Health, clock: Clock) -> None:
        self._seams = seams
        self._health = health
        self._clock = clock

    def classify(self, request: CompletionRequest, call: Call | None) -> Classified:
        """The class of a request's task; the caller's own word wins."""
        return self._seams.classifier.classify(request.messages, task=call.task if call else None)

    def demand(
        self, request: CompletionRequest, call: Call | None, *, policy: Policy | None, task: str, stream: bool
    ) -> Demand:
        """What a request asks of a model."""
        tokens = self._seams.counter.count(request)
        return Demand.of(request, call, policy=policy, task=task, tokens=tokens, stream=stream)

    def refusal(self, model: str, call: Call | None) -> str | None:
        """Why the caller may not use a model, or None."""
        if self._seams.permit is None:
            return None
        if call is None:
            return _NOBODY
        verdict = self._seams.permit.may(replace(call, name=model, ending=Ending()))
        return None if verdict.allowed else verdict.reason

    def plan(
        self,
        snapshot: Snapshot,
        request: CompletionRequest,
        call: Call | None,
        *,
        policy: Policy,
        stream: bool,
        thorough: bool = False,
    ) -> Plan:
        """Choose among the models of a list.

        Args:
            snapshot: The models.
            request: What is asked.
            call: By whom and within which bounds.
            policy: By these weights and limits.
            stream: The answer is wanted piece by piece.
            thorough: Ask the permit about every model, not only about those that may be called.
        """
        began = thread_time_ns()
        task = self.classify(request, call)
        demand = self.demand(request, call, policy=policy, task=task.task, stream=stream)
        today = datetime.fromtimestamp(self._clock.now(), UTC).date()
        short = shortlist(snapshot, policy, demand.capabilities, today)
        asked = self.asked(request, task.task)
        scored, out = self._score(short.entries, demand, policy, self._learned(short.entries, asked))
        ranked = self._seams.chooser.order(scored, policy=policy, task=task.task)
        chosen, order, refused = self._permitted(ranked, call, policy, thorough=thorough)
        out += [*short.excluded, *refused]
        decision = RouteDecision(
            policy=policy.name,
            task=task.task,
            task_confidence=task.confidence,
            chosen=chosen[0].entry.id if chosen else "",
            runner_up=chosen[1].entry.id if len(chosen) > 1 else None,
            reason=_reason(chosen, policy, task.task, len(out)),
            candidates=(*order, *(candidate for _, candidate in out)),
            fallbacks=tuple(one.entry.id for one in chosen[1:]),
            decision_us=(thread_time_ns() - began) / 1000,
        )
        attempts = tuple(Attempt(one.entry, output_cap(one.entry, demand)) for one in chosen)
        return Plan(attempts, decision, tuple(out), asked=asked)

    def asked(self, request: CompletionRequest, task: str) -> "Prompt | None":
        """What is learned of a request; None when nothing is."""
        if self._seams.experience is None:
            return None
        said = next((message.text for message in reversed(request.messages) if message.role == "user"), "")
        return self._seams.experience.prompt(said, task)

    def answered(self, plan: Plan, model: str, call: Call | None) -> None:
        """Remember who answered, until somebody says what the answer was worth."""
        experience = self._seams.experience
        if experience is not None and plan.asked is not None and call is not None and call.run:
            experience.decided(call.run, model, plan.asked)

    def _learned(self, entries: Sequence[Entry], asked: "Prompt | None") -> Sequence[Learned]:
        """What was learned of each model's quality; nothing where nothing is learned."""
        experience = self._seams.experience
        if experience is None or asked is None or not entries:
            return ()
        models = [entry.id for entry in entries]
        priors = [entry.priors.get(asked.task, entry.prior) for entry in entries]
        belief = experience.believe(models, priors, asked)
        scores = (belief.mean + experience.hardness(asked)).clip(0.0, 1.0)
        return list(zip(scores.tolist(), belief.deviation.tolist(), belief.seen.tolist(), strict=True))

    def _score(
        self, entries: Sequence[Entry], demand: Demand, policy: Policy, learned: Sequence[Learned]
    ) -> tuple[list[Scored], list[tuple[Step, Candidate]]]:
        scored: list[Scored] = []
        out: list[tuple[Step, Candidate]] = []
        slowest = policy.max_latency_s
        for entry, believed in zip_longest(entries, learned):
            reason = unfit(entry, demand, self._health)
            if reason is not None:
                out.append((reason[0], Candidate(model=entry.id, excluded=reason[1])))
                continue
            expected = estimate(entry, demand, self._seams.performance)
            if believed is not None:
                quality, deviation, seen = believed
                expected = expected._replace(quality=quality, deviation=deviation, seen=seen)
            if slowest is not None and expected.latency_s is not None and expected.latency_s > slowest:
                why = f"its median answer takes {expected.latency_s:.1f} s, over the limit of {slowest:g} s"
                out.append((Step.LATENCY, Candidate(model=entry.id, excluded=why)))
                continue
            found = parts(entry, expected, policy)
            scored.append(Scored(entry, expected, found, sum(found.values())))
        return scored, out

    def _permitted(
        self, ranked: Sequence[Choice], call: Call | None, policy: Policy, *, thorough: bool
    ) -> tuple[list[Scored], list[Candidate], list[tuple[Step, Candidate]]]:
        """The models to call, all that were scored in their order, and those that the caller may not use."""
        wanted = 1 + policy.fallbacks
        allowed: list[Choice] = []
        refused: list[tuple[Step, Candidate]] = []
        for choice in ranked:
            model = choice.scored.entry.id
            why = self.refusal(model, call) if thorough or len(allowed) < wanted else None
            if why is None:
                allowed.append(choice)
            else:
                refused.append((Step.PERMISSION, Candidate(model=model, excluded=f"not permitted: {why}")))
        order = [_candidate(choice) for choice in (_rescaled(allowed) if refused else allowed)]
        return [choice.scored for choice in allowed[:wanted]], order, refused


def _rescaled(allowed: Sequence[Choice]) -> Sequence[Choice]:
    """The same choices with probabilities that add up to 1 again, after others were refused."""
    mass = sum(choice.probability for choice in allowed)
    if mass > 0:
        return [Choice(choice.scored, choice.probability / mass) for choice in allowed]
    return [Choice(choice.scored, 0.0 if place else 1.0) for place, choice in enumerate(allowed)]


def _candidate(choice: Choice) -> Candidate:
    one = choice.scored
    micro_usd = one.estimate.micro_usd
    return Candidate(
        model=one.entry.id,
        parts=one.parts,
        score=one.score,
        probability=choice.probability,
        expected_cost=None if micro_usd is None else Money(micro_usd),
        expected_latency_s=one.estimate.latency_s,
    )


def _reason(chosen: Sequence[Scored], policy: Policy, task: str, out: int) -> str:
    if not chosen:
        return f"None of {out} models can take this request under the policy {policy.name}."
    best = chosen[0]
    excluded = f"; {out} ruled out" if out else ""
    if len(chosen) == 1:
        return f"{best.entry.id} is the only model that can take this {task} request{excluded}."
    second = chosen[1]
    gap = best.score - second.score
    names = sorted(best.parts.keys() | second.parts.keys())
    lead = max(names, key=lambda name: best.parts.get(name, 0.0) - second.parts.get(name, 0.0))
    return (
        f"{best.entry.id} scores highest for {task} under {policy.name}, {gap:.3f} above {second.entry.id}, "
        f"mostly by {lead}{excluded}."
    )
