"""How much the model may think, both ways."""

import re
from dataclasses import dataclass

from interlock_core import CompletionRequest, Json, JsonObject
from interlock_core.errors import UnsupportedError
from interlock_core.jsontypes import as_int, as_object
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs.anthropic_messages._notes import Adapted

EFFORTS = ("low", "medium", "high", "xhigh", "max")
LEAST_BUDGET = 1024
_BUDGETS = {"low": 2048, "medium": 8192, "high": 16_384, "xhigh": 32_768, "max": 32_768}
# `claude-3-…`, `claude-<line>-4`, `claude-<line>-4-5` and snapshots of them.
_GENERATION = re.compile(r"claude-(?:[a-z]+-)?(\d)(?:-(\d{1,2})(?!\d))?")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a model of the vendor takes, by its generation; a name that says none is taken for a new one.

    Attributes:
        effort: It takes an effort and decides on its own how long to think.
        instructs: It takes instructions in the middle of a conversation.
    """

    effort: bool = True
    instructs: bool = True


def abilities(model: str) -> Abilities:
    """What a model takes."""
    found = _GENERATION.search(model)
    if found is None:
        return Abilities()
    generation = (int(found[1]), int(found[2] or 0))
    return Abilities(effort=generation >= (4, 6), instructs=generation >= (4, 8))


def write_reasoning(
    request: CompletionRequest, model: str, adapted: Adapted
) -> tuple[JsonObject, str | None]:
    """The member `thinking` as a request needs it, and the effort that goes with it.

    Raises:
        UnsupportedError: The effort is a word that the vendor does not know.
    """
    forced = request.tool_choice is not None and request.tool_choice.mode == "required"
    effort = _effort(request.reasoning_effort, adapted)
    budget = request.reasoning_budget
    if budget == 0 or (budget is None and effort == "none"):
        return {"type": "disabled"}, None
    if effort == "none":
        effort = None
    if effort is not None and not abilities(model).effort:
        if budget is None:
            budget = _BUDGETS[effort]
            adapted.say(
                f"reasoning_effort {effort} is told as {budget} tokens of thinking: {model} has no effort"
            )
        effort = None
    if budget is None and effort is None:
        return {}, None
    if forced:
        adapted.say(f"thinking is left out: {adapted.provider} does not think where a tool call is demanded")
        return {}, effort
    if budget is None:
        return {"type": "adaptive"}, effort
    if budget < LEAST_BUDGET:
        adapted.say(f"reasoning_budget is {LEAST_BUDGET}: {adapted.provider} takes no less")
    return {"type": "enabled", "budget_tokens": max(budget, LEAST_BUDGET)}, effort


def _effort(word: str | None, adapted: Adapted) -> str | None:
    if word is None or word in EFFORTS or word == "none":
        return word
    if word == "minimal":
        adapted.say(f"reasoning_effort minimal is told as low: {adapted.provider} has none below it")
        return "low"
    raise UnsupportedError(
        f"reasoning_effort {word!r} is not known to {adapted.provider}.",
        field="reasoning_effort",
        remedy=f"Use one of none, {', '.join(EFFORTS)}.",
    )


def bounded(thinking: JsonObject, limit: int, adapted: Adapted) -> JsonObject:
    """The same, with a budget below the limit on output, which the vendor counts it into."""
    budget = as_int(thinking.get("budget_tokens"))
    if budget is None or budget < limit:
        return thinking
    if limit <= LEAST_BUDGET:
        adapted.say(
            f"thinking is left out: max_tokens is {limit}, and {adapted.provider} thinks with "
            f"{LEAST_BUDGET} tokens at least within it"
        )
        return {}
    adapted.say(f"reasoning_budget is {limit - 1}: {adapted.provider} counts it into max_tokens")
    return {**thinking, "budget_tokens": limit - 1}


def read_thinking(fields: Fields, note: JsonObject) -> int | None:
    """The budget that a client allows; other forms of `thinking` are kept as they are."""
    value = fields.take("thinking")
    if value is None:
        return None
    told = as_object(value)
    if not isinstance(told.get("type"), str):
        raise wrong(
            "thinking.type" if isinstance(value, dict) else "thinking", "enabled, adaptive or disabled"
        )
    note["thinking"] = value
    if told["type"] == "disabled":
        return 0
    if told["type"] != "enabled":
        return None
    budget = as_int(told.get("budget_tokens"))
    if budget is None or budget < LEAST_BUDGET:
        raise wrong("thinking.budget_tokens", f"a whole number from {LEAST_BUDGET} on")
    return budget


def own_thinking(request: CompletionRequest, told: Json) -> JsonObject | None:
    """The client's own word on thinking, while the request still means it; None when it was changed."""
    kept = as_object(told)
    budget = as_int(kept.get("budget_tokens"))
    meant = 0 if kept.get("type") == "disabled" else budget
    return kept if meant == request.reasoning_budget else None
