"""What of a request the model is given beside the conversation, and what it cannot do."""

from collections.abc import Callable
from dataclasses import dataclass

from interlock_core.completion import CompletionRequest
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import JsonObject

DEFAULT_MAX_TOKENS = 512
_DEFAULT_TEMPERATURE = 0.1
_RETRY_TEMPERATURE = 0.7
_SEED_BITS = 0x7FFF_FFFF
_NO_REASONING = frozenset({None, "none", "minimal"})
_CHANGES_THE_ANSWER = frozenset({"logit_bias", "web_search_options", "audio", "prediction"})


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Something that the embedded model cannot do."""

    field: str
    asked: Callable[[CompletionRequest], bool]
    message: str
    remedy: str


_REFUSALS = (
    _Refusal(
        "logprobs",
        lambda request: request.logprobs is not None,
        "The embedded model gives no log probabilities.",
        "Leave logprobs out, or choose a model that gives them.",
    ),
    _Refusal(
        "n",
        lambda request: request.n not in (None, 1),
        "The embedded model gives one answer a request.",
        "Leave n out and send the request as often as you want answers.",
    ),
    _Refusal(
        "reasoning_effort",
        lambda request: request.reasoning_effort not in _NO_REASONING,
        "The embedded model does not reason before it answers.",
        "Leave reasoning_effort out, or choose a model that reasons.",
    ),
    _Refusal(
        "reasoning_budget",
        lambda request: request.reasoning_budget not in (None, 0),
        "The embedded model does not reason before it answers.",
        "Leave reasoning_budget out, or choose a model that reasons.",
    ),
)


def check(request: CompletionRequest) -> None:
    """Do nothing when the embedded model can do all that the request asks.

    What has no meaning without a vendor (`service_tier`, `cache_key`, `user`, `metadata`) is no hindrance;
    `left_out` tells of it.

    Raises:
        UnsupportedError: It cannot; the remedy names the nearest thing that works.
        InvalidRequestError: A value is out of its range.
    """
    for refusal in _REFUSALS:
        if refusal.asked(request):
            raise UnsupportedError(refusal.message, field=refusal.field, remedy=refusal.remedy)
    for field in sorted(_CHANGES_THE_ANSWER & request.extra.keys()):
        raise UnsupportedError(
            f"The embedded model has no {field}.",
            field=field,
            remedy="Leave it out, or choose another model.",
        )
    _check_range("max_tokens", request.max_tokens, 1, None)
    _check_range("temperature", request.temperature, 0, 2)
    _check_range("top_p", request.top_p, 0, 1)
    _check_range("top_k", request.top_k, 0, None)
    _check_range("presence_penalty", request.presence_penalty, -2, 2)
    _check_range("frequency_penalty", request.frequency_penalty, -2, 2)


def sampling(request: CompletionRequest, *, again: int = 0) -> JsonObject:
    """How tokens are chosen, in llama.cpp's words.

    With a seed the same request gives the same answer, as long as no other run computes at the same time.

    Args:
        request: The request; a missing temperature is 0.1, a missing limit 512 tokens.
        again: How often it was tried before: a further try must not repeat the one before.
    """
    temperature = _DEFAULT_TEMPERATURE if request.temperature is None else request.temperature
    chosen: JsonObject = {
        "max_tokens": request.max_tokens or DEFAULT_MAX_TOKENS,
        "temperature": max(temperature, _RETRY_TEMPERATURE) if again else temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "seed": None if request.seed is None else (request.seed + again) & _SEED_BITS,
        # What is left of earlier prompts saves time and changes the last digits: not for the repeatable.
        "cache_prompt": request.seed is None,
        "stop": list(request.stop) or None,
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _check_range(field: str, value: float | None, least: float, most: float | None) -> None:
    if value is None or (value >= least and (most is None or value <= most)):
        return
    allowed = f"at least {least}" if most is None else f"between {least} and {most}"
    raise InvalidRequestError(f"{field} is {value}.", field=field, remedy=f"Give a value {allowed}.")
