"""The error for a request that no model can take: who must act depends on what the last models failed at."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from interlock_core import Money
from interlock_core.errors import (
    BudgetExceededError,
    ContextLengthError,
    InterlockError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    UnsupportedError,
)
from interlock_router._decide import Plan
from interlock_router._demand import Demand
from interlock_router._filter import Step
from interlock_router._health import Health

_WORDS: Final = {
    Step.KIND: "answer no prompts or are no longer served",
    Step.POLICY: "the policy excludes",
    Step.CAPABILITY: "lack an ability that it needs",
    Step.CONTEXT: "are too small for it",
    Step.PRICE: "cost too much for its limit",
    Step.LATENCY: "are too slow for the policy",
    Step.PERMISSION: "the caller may not use",
    Step.HEALTH: "do not answer just now",
}


def nothing_fits(plan: Plan, health: Health, problems: Mapping[str, str]) -> InterlockError:
    """The error for a plan without attempts.

    Args:
        plan: The plan.
        health: Which models answer just now.
        problems: For each provider whose models could not be listed, why.

    The check that the most suitable models failed at decides its class; a model that is only ill just now
    counts as the most suitable, because waiting helps.
    """
    if not plan.excluded and problems:
        told = " ".join(f"{provider}: {trouble}" for provider, trouble in sorted(problems.items()))
        return OverloadedError(
            "No models are known, because none could be listed.",
            remedy=f"Put this right, or name a model. {told}",
        )
    if not plan.excluded:
        return NotFoundError(
            "There are no models.",
            field="model",
            remedy="Configure a provider, set a vendor's key, or install the local model.",
        )
    counts = Counter(step for step, _ in plan.excluded)
    last = max(counts)
    told = ", ".join(f"{number} {_WORDS[step]}" for step, number in sorted(counts.items()))
    message = f"No model can take this request: of {len(plan.excluded)}, {told}."
    sample = next(candidate for step, candidate in plan.excluded if step is last)
    nearest = f"Nearest was {sample.model}: {sample.excluded}."
    match last:
        case Step.HEALTH:
            waits = [health.retry_after(c.model) for step, c in plan.excluded if step is Step.HEALTH]
            return OverloadedError(message, remedy=f"Wait, or add a model. {nearest}", retry_after=min(waits))
        case Step.PERMISSION:
            return PermissionDeniedError(message, field="model", remedy=f"Ask for the permission. {nearest}")
        case Step.PRICE:
            return BudgetExceededError(
                message, field="max_cost", remedy=f"Raise the limit or shorten the request. {nearest}"
            )
        case Step.CONTEXT:
            return ContextLengthError(message, field="messages", remedy=f"Shorten the request. {nearest}")
        case _:
            return UnsupportedError(
                message, field="model", remedy=f"Name a model or another policy. {nearest}"
            )


def over_limit(model: str, reason: str, demand: Demand) -> BudgetExceededError:
    """The error for a model that the caller named and that its own price limit does not allow."""
    return BudgetExceededError(
        f"{model} is out: {reason}.",
        field="max_cost",
        remedy=f"Raise the limit of {demand.limit or Money()}, lower max_tokens, or let auto choose.",
    )


def not_permitted(model: str, reason: str) -> PermissionDeniedError:
    """The error for a model that the caller named and may not use."""
    return PermissionDeniedError(
        f"{model} may not be used: {reason}", field="model", remedy="Ask for the permission, or name another."
    )
