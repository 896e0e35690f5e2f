"""The router: one `Provider` over many, which chooses a model for each request and can say why."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from interlock_core import (
    Call,
    Candidate,
    Chunk,
    Clock,
    Completion,
    CompletionRequest,
    Embeddings,
    ModelInfo,
    Provider,
    Recorder,
    RouteDecision,
    SystemClock,
)
from interlock_core.errors import InterlockError, NotFoundError, UnsupportedError
from interlock_core.nearest import suggestion
from interlock_core.resilience import BreakerState
from interlock_router._attempts import OnDecision, Runner
from interlock_router._catalogue import Catalogue
from interlock_router._decide import Attempt, Decider, Plan, Seams
from interlock_router._entry import Entry
from interlock_router._filter import output_cap, price_reason
from interlock_router._health import Health
from interlock_router._names import AUTO, Auto, Named, Names
from interlock_router._policy import Policy, policies
from interlock_router._refuse import not_permitted, nothing_fits, over_limit

if TYPE_CHECKING:
    from interlock_router.learning import Lesson

MANUAL: Final = "manual"
"""The policy that a decision names when the caller named the model."""

_logger: Final = logging.getLogger("interlock.router")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterOptions:
    """How the router is set up.

    Attributes:
        policies: Own policies; one named as a built-in takes its place.
        default_policy: Name of the policy of plain `auto`.
        aliases: Own names, each for a model, another alias, `auto` or `auto/<policy>`.
        absent: What to do about providers that are known and not set up, by the name that stands before the
            slash; told to who names a model of one.
        failure_threshold: Failures in a row after which a model is left alone.
        cooldown_s: For how long, in seconds.
        models_ttl_s: Age in seconds after which the providers are asked for their models again.
        models_timeout_s: Most seconds that a provider may take to list its models.
    """

    policies: tuple[Policy, ...] = ()
    default_policy: str = "default"
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    absent: Mapping[str, str] = field(default_factory=dict[str, str])
    failure_threshold: int = 5
    cooldown_s: float = 30.0
    models_ttl_s: float = 300.0
    models_timeout_s: float = 5.0


class MoERouter:
    """A `Provider` over providers.

    `auto` and `auto/<policy>` let it choose: it classifies the request, filters the models that cannot or
    may not take it, scores the rest under the policy, and calls them in order until one answers. A model
    named by the caller is called and no other.

    It raises what the providers raise, and of its own `NotFoundError` (no such name), `UnsupportedError`,
    `ContextLengthError`, `BudgetExceededError`, `PermissionDeniedError` and `OverloadedError` (no model
    fits, with the counts and the nearest).

    When a request comes with a `Call`, its ending holds the outcome when the router is done.

    Args:
        providers: Who answers; their names must differ. Closed with the router.
        options: How it is set up.
        seams: What it asks of others while it decides.
        recorder: Told of failed attempts that another model made good.
        on_decision: Told each decision that is carried out, at once and in the same task.
        clock: Time.

    Raises:
        ConfigurationError: A policy, an alias or a provider's name is wrong.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        options: RouterOptions | None = None,
        seams: Seams | None = None,
        recorder: Recorder | None = None,
        on_decision: OnDecision | None = None,
        clock: Clock | None = None,
    ) -> None:
        options = options or RouterOptions()
        clock = clock or SystemClock()
        self._catalogue = Catalogue(
            providers, ttl_s=options.models_ttl_s, timeout_s=options.models_timeout_s, clock=clock
        )
        self._health = Health(
            failure_threshold=options.failure_threshold, cooldown_s=options.cooldown_s, clock=clock
        )
        self._policies = policies(options.policies)
        self._names = Names(
            self._catalogue,
            self._policies,
            default=options.default_policy,
            aliases=options.aliases,
            absent=options.absent,
        )
        seams = seams or Seams()
        self._experience = seams.experience
        self._decider = Decider(seams, self._health, clock)
        self._runner = Runner(
            self._health,
            clock,
            recorder=recorder,
            on_decision=on_decision,
            on_answer=self._decider.answered,
        )
        self._closed = False

    @property
    def name(self) -> str:
        """The reserved name `auto`."""
        return AUTO

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The policies by name."""
        return self._policies

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Answer a request whole; the completion carries the decision."""
        plan = await self._plan(request, call, stream=False)
        try:
            return await self._runner.complete(plan, request, call)
        except NotFoundError as error:
            raise await self._better(plan, error) from error

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer a request piece by piece; the first chunk carries the decision."""
        plan = await self._plan(request, call, stream=True)
        try:
            async with aclosing(self._runner.stream(plan, request, call)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except NotFoundError as error:
            raise await self._better(plan, error) from error

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """Make one vector a text with the model that is named.

        Raises:
            UnsupportedError: The name is `auto`: vectors of different models cannot be compared.
        """
        target = await self._names.resolve(model)
        if isinstance(target, Auto):
            snapshot = await self._catalogue.get()
            makers = [entry.id for entry in snapshot.entries if entry.info.embedding]
            raise UnsupportedError(
                "Vectors of different models cannot be compared, so auto does not choose one.",
                field="model",
                remedy=f"Name one. {suggestion('', makers)}",
            )
        refusal = self._decider.refusal(target.model, call)
        if refusal is not None:
            raise not_permitted(target.model, refusal)
        return await self._provider(target.model).embed(target.model, texts, call)

    async def models(self) -> Sequence[ModelInfo]:
        """Every model of every provider that could be listed."""
        return [entry.info for entry in (await self._catalogue.get()).entries]

    async def refresh(self) -> Mapping[str, str]:
        """Ask the providers for their models now.

        Returns:
            For each provider that could not be listed, why.
        """
        return (await self._catalogue.refresh()).problems

    async def explain(
        self, request: CompletionRequest, call: Call | None = None, *, stream: bool = False
    ) -> RouteDecision:
        """Decide without calling anybody, and look at every model.

        When no model fits, the decision says so: `chosen` is empty and each candidate has its reason.

        Raises:
            NotFoundError: There is no such model or policy.
        """
        target = await self._names.resolve(request.model, policy=call.policy if call else None)
        if isinstance(target, Named):
            return (await self._manual(target.model, request, call, stream=stream)).decision
        snapshot = await self._catalogue.get()
        plan = self._decider.plan(snapshot, request, call, policy=target.policy, stream=stream, thorough=True)
        return plan.decision

    def judge(self, run: str, score: float, *, weight: float = 1.0) -> "Lesson | None":
        """Learn what the answer of a run was worth.

        Args:
            run: The run, as its `Call` named it.
            score: 0 to 1.
            weight: How much it counts, above 0 and at most 1.

        Returns:
            What was learned, for other processes to `learn`; None when the run is not known here, or was
            judged already, or nothing is learned at all.

        Raises:
            InvalidRequestError: The score or the weight is out of its bounds.
        """
        if self._experience is None:
            return None
        lesson = self._experience.judged(run, score, weight)
        if lesson is not None:
            self._experience.learn(lesson)
        return lesson

    def learn(self, lesson: "Lesson") -> None:
        """Learn what another process was told."""
        if self._experience is not None:
            self._experience.learn(lesson)

    def health(self) -> Mapping[str, BreakerState]:
        """How the breakers stand; a model that never failed is not listed."""
        return self._health.states()

    async def aclose(self) -> None:
        """Close the providers. Closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        await self._catalogue.aclose()
        closing = (provider.aclose() for provider in self._catalogue.providers.values())
        for failure in await asyncio.gather(*closing, return_exceptions=True):
            if failure is not None:
                _logger.warning("a provider did not close: %s", type(failure).__name__)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _plan(self, request: CompletionRequest, call: Call | None, *, stream: bool) -> Plan:
        target = await self._names.resolve(request.model, policy=call.policy if call else None)
        if isinstance(target, Named):
            return await self._manual(target.model, request, call, stream=stream)
        snapshot = await self._catalogue.get()
        plan = self._decider.plan(snapshot, request, call, policy=target.policy, stream=stream)
        if not plan.attempts:
            raise nothing_fits(plan, self._health, snapshot.problems)
        return plan

    async def _manual(
        self, model: str, request: CompletionRequest, call: Call | None, *, stream: bool
    ) -> Plan:
        """The plan for a model that the caller named: no choice, but permission and price limit hold."""
        refusal = self._decider.refusal(model, call)
        if refusal is not None:
            raise not_permitted(model, refusal)
        task = self._decider.classify(request, call)
        limited = call is not None and call.cost_bound is not None
        entry = await self._entry(model, known=limited)
        cap: int | None = None
        if limited:
            demand = self._decider.demand(request, call, policy=None, task=task.task, stream=stream)
            reason = price_reason(entry, demand)
            if reason is not None:
                raise over_limit(model, reason, demand)
            cap = output_cap(entry, demand)
        decision = RouteDecision(
            policy=MANUAL,
            task=task.task,
            task_confidence=task.confidence,
            chosen=model,
            reason=f"{model} was named by the caller.",
            candidates=(Candidate(model=model, probability=1.0),),
        )
        asked = self._decider.asked(request, task.task)
        return Plan((Attempt(entry, cap),), decision, manual=True, asked=asked)

    async def _entry(self, model: str, *, known: bool) -> Entry:
        """The model's facts; when they are not needed, only such as are at hand."""
        snapshot = await self._catalogue.get() if known else self._catalogue.at_hand
        found = snapshot.entry(model) if snapshot else None
        provider = self._provider(model)
        return found or Entry.of(ModelInfo(id=model, provider=provider.name), provider)

    def _provider(self, model: str) -> Provider:
        return self._catalogue.providers[model.partition("/")[0]]

    async def _better(self, plan: Plan, error: NotFoundError) -> InterlockError:
        """A provider's “no such model” with the nearest names, when it lists its models and not this one."""
        model = plan.decision.chosen
        snapshot = await self._catalogue.get()
        provider = model.partition("/")[0]
        listed = any(entry.info.provider == provider for entry in snapshot.entries)
        if not plan.manual or not listed or snapshot.entry(model) is not None:
            return error
        return await self._names.unknown(model)
