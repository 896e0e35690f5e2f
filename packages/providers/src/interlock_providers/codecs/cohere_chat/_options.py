"""Sampling, limits and the other options of a request, written for a vendor."""

from interlock_core import CompletionRequest, Json, JsonObject
from interlock_providers.codecs.cohere_chat._outgoing import Outgoing

_MOST_STOPS = 5
_LEAST_P, _MOST_P = 0.01, 0.99
_STANDARD_TIERS = frozenset({None, "auto", "default", "standard", "standard_only"})
_BUDGETS = {"minimal": 512, "low": 1024, "medium": 4096}
_UNBOUND = frozenset({"high", "xhigh", "max"})


def write_options(request: CompletionRequest, out: Outgoing) -> JsonObject:
    """The options as the vendor knows them.

    Raises:
        UnsupportedError: One of them is beyond what the vendor does; the remedy names what it does.
    """
    if request.n is not None and request.n > 1:
        raise out.cannot("n", "gives one answer a request", "Ask several times.")
    if len(request.stop) > _MOST_STOPS:
        raise out.cannot(
            "stop",
            f"takes at most {_MOST_STOPS} texts that end the answer, and these are {len(request.stop)}",
            f"Send at most {_MOST_STOPS}.",
        )
    plain: JsonObject = {
        "max_tokens": request.max_tokens,
        "temperature": _within(request.temperature, "temperature", 1, out),
        "p": _p(request.top_p, out),
        "k": _within(request.top_k, "top_k", 500, out),
        "seed": request.seed,
        "presence_penalty": _within(request.presence_penalty, "presence_penalty", 1, out),
        "frequency_penalty": _within(request.frequency_penalty, "frequency_penalty", 1, out),
        "stop_sequences": [*request.stop] or None,
        "logprobs": None if request.logprobs is None else True,
        "thinking": _thinking(request, out),
    }
    if request.logprobs:
        out.say("log probabilities come for the chosen tokens alone", "tells no others")
    _say_what_it_has_not(request, out)
    return {name: value for name, value in plain.items() if value is not None}


def _within(value: float | None, name: str, most: int, out: Outgoing) -> float | None:
    if value is None or 0 <= value <= most:
        return value
    raise out.cannot(
        name, f"takes a number from 0 to {most}, and this is {value:g}", f"Send a number from 0 to {most}."
    )


def _p(value: float | None, out: Outgoing) -> float | None:
    """The vendor's range leaves out the ends, which nearly every other dialect has."""
    value = _within(value, "top_p", 1, out)
    if value is None or _LEAST_P <= value <= _MOST_P:
        return value
    nearest = _LEAST_P if value < _LEAST_P else _MOST_P
    out.say(f"top_p is {nearest} instead of {value:g}", f"takes {_LEAST_P} to {_MOST_P}")
    return nearest


def _thinking(request: CompletionRequest, out: Outgoing) -> Json:
    """Reasoning by its budget; a word for the effort becomes one."""
    budget, effort = request.reasoning_budget, request.reasoning_effort
    if budget is not None:
        if effort is not None:
            out.say("reasoning_effort is left out", "is told the budget instead")
        if budget < 0:
            raise out.cannot("reasoning_budget", "takes whole numbers from 0 on", "Send 0 for no reasoning.")
        return {"type": "enabled", "token_budget": budget} if budget else {"type": "disabled"}
    if effort is None:
        return None
    if effort == "none":
        return {"type": "disabled"}
    if effort in _UNBOUND:
        out.say(f"reasoning_effort {effort} is reasoning without a bound", "knows a budget alone")
        return {"type": "enabled"}
    tokens = _BUDGETS.get(effort)
    if tokens is None:
        known = ", ".join(("none", *_BUDGETS, *sorted(_UNBOUND)))
        raise out.cannot(
            "reasoning_effort", f"has nothing for {effort!r}", f"Send one of {known}, or reasoning_budget."
        )
    out.say(f"reasoning_effort {effort} is a budget of {tokens} tokens", "knows a budget alone")
    return {"type": "enabled", "token_budget": tokens}


def _say_what_it_has_not(request: CompletionRequest, out: Outgoing) -> None:
    """What is asked for besides the answer, and goes no further."""
    if request.service_tier not in _STANDARD_TIERS:
        out.say(f"service_tier {request.service_tier} is left out", "serves all in one tier")
    if request.cache_key is not None:
        out.say("the cache key is left out", "caches prompts by itself")
    if request.user is not None:
        out.say("user is left out", "takes no id of the end user")
    if request.metadata:
        out.say("metadata is left out", "stores no tags")
