"""What calls, outcomes, refusals and changes say in the log, as data before redaction."""

from collections.abc import Mapping
from functools import lru_cache

from interlock_core.call import Call, Outcome, Principal, Verdict
from interlock_core.jsontypes import Json, JsonObject

CHANGE = "change"
"""Kind of a change of permissions, keys or the like."""


@lru_cache(maxsize=512)
def principal_data(principal: Principal) -> JsonObject:
    """Who stands behind something; not to be changed, because the same is given again."""
    facts: Mapping[str, Json] = {
        "user": principal.user,
        "key_id": principal.key_id,
        "team": principal.team,
        "organisation": principal.organisation,
        "roles": [*sorted(principal.roles)],
        "scopes": [*sorted(principal.scopes)] or None,
    }
    return _present(facts)


def call_data(call: Call) -> JsonObject:
    """What is about to be done, and for whom."""
    facts: Mapping[str, Json] = {
        "call": call.id,
        "call_kind": call.kind.value,
        "name": call.name,
        "effect": call.effect.value,
        "category": call.category or None,
        "principal": principal_data(call.principal),
        "agent": call.agent,
        "run": call.run,
        "trace_id": call.trace_id or None,
        "task": call.task,
        "policy": call.policy,
        "idempotency_key": call.idempotency_key,
        "tags": dict(call.tags) or None,
        "taint": [{"source": taint.source, "call_id": taint.call_id} for taint in call.taint] or None,
        "cost_bound_micro_usd": None if call.cost_bound is None else call.cost_bound.micro_usd,
        "arguments": call.arguments,
    }
    return _present(facts)


def change_data(name: str, by: Principal, data: JsonObject, *, call: str) -> JsonObject:
    """A change of permissions, keys or the like."""
    return {
        "call": call,
        "call_kind": CHANGE,
        "name": name,
        "principal": principal_data(by),
        "arguments": data,
    }


def outcome_data(call: str, outcome: Outcome) -> JsonObject:
    """What became of it."""
    usage = outcome.usage
    facts: Mapping[str, Json] = {
        "call": call,
        "ok": outcome.ok,
        "error": outcome.error,
        "status": outcome.status,
        "model": outcome.model,
        "task": outcome.task,
        "input_tokens": None if usage is None else usage.input_tokens,
        "output_tokens": None if usage is None else usage.output_tokens,
        "cost_micro_usd": None if outcome.cost is None else outcome.cost.micro_usd,
        "duration_us": round(outcome.duration_s * 1e6),
        "attempts": outcome.attempts,
        "cancelled": outcome.cancelled or None,
        "summary": outcome.summary or None,
    }
    return _present(facts)


def refusal_data(call: Call, verdict: Verdict) -> JsonObject:
    """A call that was refused."""
    return call_data(call) | {"rule": verdict.rule, "reason": verdict.reason}


def _present(facts: Mapping[str, Json]) -> JsonObject:
    return {name: value for name, value in facts.items() if value is not None}
