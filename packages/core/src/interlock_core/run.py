"""One agent run: what is asked, what happens step by step, and what comes out."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from interlock_core.call import Budget, Principal
from interlock_core.completion import Completion, ResponseFormat, Usage
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.messages import Message, ToolCall, ToolResult
from interlock_core.money import Money
from interlock_core.record import record


class EventKind(StrEnum):
    """What happened in a run; the words are stable, faces show them and stores keep them."""

    RUN_STARTED = "run.started"
    ROUTE_DECIDED = "route.decided"
    MODEL_STARTED = "model.started"
    TEXT_DELTA = "text.delta"
    REASONING_DELTA = "reasoning.delta"
    MODEL_FINISHED = "model.finished"
    TOOL_PROPOSED = "tool.proposed"
    TOOL_REJECTED = "tool.rejected"
    APPROVAL_ASKED = "approval.asked"
    APPROVAL_GIVEN = "approval.given"
    TOOL_STARTED = "tool.started"
    TOOL_FINISHED = "tool.finished"
    PROGRESS = "progress"
    WARNING = "warning"
    BUDGET_REACHED = "budget.reached"
    RUN_FINISHED = "run.finished"
    RUN_FAILED = "run.failed"


@record(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: What.
        run: Id of the run.
        at: When, in seconds since 1970.
        data: Details, redacted, JSON.
    """

    kind: EventKind
    run: str
    at: float
    data: JsonObject = field(default_factory=dict[str, Json])


class StopReason(StrEnum):
    """Why a run ended."""

    ANSWERED = "answered"
    BUDGET = "budget"
    LOOP = "loop"
    REFUSED = "refused"
    FAILED = "failed"


@record(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What one run is asked to do.

    Attributes:
        messages: The conversation so far.
        model: As in `CompletionRequest`.
        tools: Name patterns (`github.*`) of the tools that may be used; empty means none.
        principal: The user behind it.
        agent: Name of the agent that acts.
        budget: Bounds.
        response_format: The form that the last answer must have.
        max_tokens: Most output tokens an answer.
        temperature: Randomness.
        tags: The caller's own labels.
        task: Class of the task, given by the caller.
        policy: Routing policy, given by the caller.
        run: Id to use; made when None.
    """

    messages: tuple[Message, ...]
    model: str = "auto"
    tools: tuple[str, ...] = ()
    principal: Principal
    agent: str | None = None
    budget: Budget = field(default_factory=Budget)
    response_format: ResponseFormat | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    task: str | None = None
    policy: str | None = None
    run: str | None = None


@record(frozen=True, slots=True, kw_only=True)
class Step:
    """One turn of a run.

    Attributes:
        completion: What the model answered.
        calls: What it wanted called.
        results: What came back, in the order of the calls.
    """

    completion: Completion
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()


@record(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came out of a run; partial when a budget ended it.

    Attributes:
        run: Id of the run.
        text: The last answer's text.
        stop: Why it ended.
        steps: Every turn.
        messages: The whole conversation, the run's own messages included.
        usage: Tokens in all; None when no vendor said anything.
        cost: Money in all; None when a price was unknown.
        duration_s: Wall seconds.
        detail: One sentence when it did not end with an answer.
    """

    run: str
    text: str
    stop: StopReason
    steps: tuple[Step, ...] = ()
    messages: tuple[Message, ...] = ()
    usage: Usage | None = None
    cost: Money | None = None
    duration_s: float = 0.0
    detail: str = ""
