"""What a request asks of a model, worked out once for all models."""

from dataclasses import dataclass
from typing import Final

from interlock_core import (
    Audio,
    Call,
    Capability,
    CompletionRequest,
    File,
    Image,
    Money,
    TokenCount,
    ToolResult,
)
from interlock_router._policy import Policy

_TYPICAL_OUTPUT: Final = {
    "code_generation": 700,
    "code_review": 600,
    "debugging": 600,
    "planning": 700,
    "analysis": 700,
    "extraction": 250,
    "summarisation": 250,
    "translation": 300,
    "question_answering": 300,
    "mathematics": 500,
    "writing": 500,
    "conversation": 120,
}
_OTHER_OUTPUT: Final = 400
_PARTS: Final[dict[type[object], Capability]] = {
    Image: Capability.IMAGES,
    File: Capability.FILES,
    Audio: Capability.AUDIO,
}


@dataclass(frozen=True, slots=True)
class Demand:
    """The size and kind of one request.

    Attributes:
        task: Class of its task.
        capabilities: What the model must be able to do.
        tokens_in: Input tokens, estimated.
        most_tokens_in: Input tokens, at most.
        tokens_out: Output tokens that such a task usually takes, within `max_tokens`, for all answers.
        max_tokens: The request's own limit an answer.
        answers: How many answers are asked for.
        limit_micro_usd: Most that it may cost, in micro-dollars; None for no limit.
    """

    task: str
    capabilities: frozenset[Capability]
    tokens_in: int
    most_tokens_in: int
    tokens_out: int
    max_tokens: int | None
    answers: int
    limit_micro_usd: int | None

    @classmethod
    def of(
        cls,
        request: CompletionRequest,
        call: Call | None,
        *,
        policy: Policy | None,
        task: str,
        tokens: TokenCount,
        stream: bool,
    ) -> "Demand":
        """What a request asks."""
        answers = max(1, request.n or 1)
        usual = _TYPICAL_OUTPUT.get(task, _OTHER_OUTPUT)
        expected = usual if request.max_tokens is None else min(usual, request.max_tokens)
        limits = [call.cost_bound if call else None, policy.max_cost if policy else None]
        return cls(
            task,
            capabilities(request, stream=stream),
            tokens.tokens,
            tokens.tokens if tokens.exact else max(tokens.tokens, tokens.upper_bound),
            expected * answers,
            request.max_tokens,
            answers,
            min((limit.micro_usd for limit in limits if limit is not None), default=None),
        )

    @property
    def limit(self) -> Money | None:
        """The most that it may cost."""
        return None if self.limit_micro_usd is None else Money(self.limit_micro_usd)


def capabilities(request: CompletionRequest, *, stream: bool) -> frozenset[Capability]:
    """What a model must be able to do to answer a request."""
    needed: set[Capability] = set()
    if stream:
        needed.add(Capability.STREAMING)
    if request.tools:
        needed.add(Capability.TOOLS)
    if request.response_format is not None:
        kind = request.response_format.kind
        needed.add(Capability.JSON_SCHEMA if kind == "json_schema" else Capability.JSON_OBJECT)
    if request.logprobs is not None:
        needed.add(Capability.LOGPROBS)
    if request.seed is not None:
        needed.add(Capability.SEED)
    if request.reasoning_effort not in {None, "none"}:
        needed.add(Capability.REASONING)
    for message in request.messages:
        for part in message.content:
            _add_media(needed, part)
    return frozenset(needed)


def _add_media(needed: set[Capability], part: object) -> None:
    found = _PARTS.get(type(part))
    if found is not None:
        needed.add(found)
    elif isinstance(part, ToolResult):
        for inner in part.content:
            _add_media(needed, inner)
