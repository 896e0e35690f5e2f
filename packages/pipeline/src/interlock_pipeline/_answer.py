"""What an answer means for the run: an end, another try, or a reason to go on."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from interlock_core import (
    Completion,
    Content,
    FinishReason,
    Message,
    Refusal,
    ResponseFormat,
    StopReason,
    Text,
    ToolCall,
    new_id,
)
from interlock_core.errors import (
    BudgetExceededError,
    InterlockError,
    InvalidRequestError,
    QuotaExceededError,
    RefusedError,
)
from interlock_core.jsontypes import dump_json
from interlock_core.repair import Repaired, repaired

CUT = frozenset({FinishReason.LENGTH, FinishReason.CONTEXT})
"""Ends at which an answer is not whole, though its vendor ended it in good order."""

BROKEN = frozenset({FinishReason.ERROR, FinishReason.FILTERED})
"""Ends after which nothing that the answer asks for may be done."""

_QUOTE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Why a run ends.

    Attributes:
        stop: The reason.
        detail: One sentence when it is no plain answer.
        bound: The bound of the budget that was reached, if it is that.
        error: What made it fail, if it is that.
    """

    stop: StopReason
    detail: str = ""
    bound: str | None = None
    error: InterlockError | None = None


def end_at_bound(bound: str) -> End:
    """The end at a bound of the budget."""
    return End(stop=StopReason.BUDGET, detail=f"The run reached its budget of {bound}.", bound=bound)


def end_of_failure(error: InterlockError) -> End:
    """The end of a run whose model cannot be asked any more."""
    if isinstance(error, BudgetExceededError | QuotaExceededError):
        stop = StopReason.BUDGET
    else:
        stop = StopReason.REFUSED if isinstance(error, RefusedError) else StopReason.FAILED
    return End(stop=stop, detail=str(error), error=error)


def end_of_answer(completion: Completion) -> End:
    """The end with an answer that asks for nothing more."""
    refusal = "".join(part.text for part in completion.message.content if isinstance(part, Refusal)).strip()
    match completion.finish:
        case FinishReason.ERROR:
            return End(stop=StopReason.FAILED, detail="The answer broke off before its end.")
        case FinishReason.FILTERED:
            return End(stop=StopReason.REFUSED, detail="The model's vendor filtered the answer.")
        case _ if refusal:
            return End(stop=StopReason.REFUSED, detail=f"The model refused: {refusal[:_QUOTE]}")
        case FinishReason.LENGTH:
            return End(stop=StopReason.ANSWERED, detail="The answer was cut at its token limit.")
        case FinishReason.CONTEXT:
            return End(stop=StopReason.ANSWERED, detail="The answer was cut where the context was full.")
        case _:
            return End(stop=StopReason.ANSWERED)


def why_not_made(end: End | None, completion: Completion) -> InterlockError | None:
    """What the calls of an answer are told that are not made; None when they may be made."""
    if end is not None and end.bound is not None:
        return BudgetExceededError(f"{end.detail} This call was not made.")
    if end is not None or completion.finish in CUT:
        return InvalidRequestError(
            "The answer ended before it was whole, so this call was not made.", remedy="Write less at a time."
        )
    return None


def format_problem(wanted: ResponseFormat, completion: Completion) -> str | None:
    """What is wrong with an answer's form, in words for the model; None when nothing is."""
    problem = _format_problem(wanted, completion.text)
    if problem is None or completion.finish not in CUT:
        return problem
    return f"It was cut at its end, so write less. {problem}"


def _format_problem(wanted: ResponseFormat, text: str) -> str | None:
    from interlock_core.jsontypes import parse_json
    from interlock_core.schema import validator

    try:
        value = parse_json(text)
    except (ValueError, RecursionError) as error:
        return f"It is not JSON: {error}."
    if wanted.schema is None:
        return None if isinstance(value, dict) else "It is not a JSON object."
    problems = validator(wanted.schema).problems(value)
    return "; ".join(problems[:3]) + "." if problems else None


def with_own_ids(message: Message, taken: Iterable[str]) -> Message:
    """The message with an id for each tool call that no other call of the conversation has.

    Results are matched to calls by id, and vendors refuse ids that come twice; models and small servers
    leave them out or begin anew with each answer.
    """
    seen = set(taken)
    content: list[Content] = []
    for part in message.content:
        if isinstance(part, ToolCall):
            new = not part.id.strip() or part.id in seen
            own = replace(part, id=new_id("call")) if new else part
            seen.add(own.id)
            content.append(own)
        else:
            content.append(part)
    return replace(message, content=tuple(content))


def with_readable_arguments(message: Message) -> tuple[Message, tuple[str, ...]]:
    """The message with the arguments of its calls as JSON, where they can be read in one way only.

    Returns:
        The message, and a sentence for each call whose arguments were not written so.
    """
    content: list[Content] = []
    told: list[str] = []
    for part in message.content:
        mended = _mended(part) if isinstance(part, ToolCall) else None
        if isinstance(part, ToolCall) and mended is not None:
            told.append(
                f"The arguments of {part.name} were no JSON and were read in the one way that they can be: "
                f"{mended.how}. The model wrote: {part.arguments}"
            )
            content.append(replace(part, arguments=dump_json(mended.arguments)))
        else:
            content.append(part)
    return (replace(message, content=tuple(content)) if told else message), tuple(told)


def _mended(call: ToolCall) -> Repaired | None:
    try:
        call.parsed()
    except InvalidRequestError:
        return repaired(call.arguments)
    return None


def is_sendable(message: Message) -> bool:
    """Whether a vendor takes this message of a model back: it says or asks something.

    Reasoning alone is refused, and so is an answer without words.
    """
    return any(
        isinstance(part, ToolCall) or (isinstance(part, Text | Refusal) and bool(part.text.strip()))
        for part in message.content
    )
