"""What one run holds while it goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from interlock_core import (
    Call,
    CallKind,
    Completion,
    CompletionRequest,
    FinishReason,
    Message,
    Reasoning,
    RunRequest,
    RunResult,
    Step,
    Taint,
    ToolResult,
    new_id,
)
from interlock_core.errors import InterlockError
from interlock_core.messages import tool_results
from interlock_pipeline._answer import End, is_sendable, with_own_ids
from interlock_pipeline._budget import BudgetMeter
from interlock_pipeline._circles import Circles
from interlock_pipeline._events import Teller
from interlock_pipeline._offer import Offer

_NOTHING = Completion(model="", message=Message("assistant", ()), finish=FinishReason.ERROR)
"""The answer before the first one."""


@dataclass(slots=True, kw_only=True)
class Run:
    """The state of one run.

    Whatever happens, `messages` can be sent to a vendor again: every tool call in them has its result, and
    none of them is empty.

    Attributes:
        request: What was asked.
        id: Id of the run.
        meter: What was used.
        tell: Makes its events.
        messages: The conversation so far.
        offer: The tools that the model is shown, and those that it may call.
        taint: What untrusted came into the conversation.
        steps: The turns so far.
        circles: Sees repetitions.
        format_retries: How often the model was asked for another form of its answer.
        answer: The last answer.
        end: Why the run ends, once it does.
        failure: What broke the last answer off, if anything did.
        timed_out: The run's time ended while an answer was on its way.
        told: What vendors did in another way than asked, and was told already.
    """

    request: RunRequest
    id: str
    meter: BudgetMeter
    tell: Teller
    messages: list[Message]
    offer: Offer
    taint: tuple[Taint, ...]
    steps: list[Step] = field(default_factory=list[Step])
    circles: Circles = field(default_factory=Circles)
    format_retries: int = 0
    answer: Completion = _NOTHING
    end: End | None = None
    failure: InterlockError | None = None
    timed_out: bool = False
    told: set[str] = field(default_factory=set[str])

    def next_request(self) -> CompletionRequest:
        """The request for the next answer."""
        return CompletionRequest(
            model=self.request.model,
            messages=tuple(self.messages),
            tools=self.offer.tools,
            response_format=self.request.response_format,
            max_tokens=self.request.max_tokens,
            temperature=self.request.temperature,
        )

    def context(self) -> Call:
        """The guarded call of the next answer."""
        request = self.request
        return Call(
            id=new_id("call"),
            kind=CallKind.MODEL,
            name=request.model,
            principal=request.principal,
            agent=request.agent,
            run=self.id,
            tags=request.tags,
            taint=self.taint,
            budget=request.budget,
            deadline=self.meter.deadline,
            cost_bound=self.meter.remaining_cost,
            task=request.task,
            policy=request.policy,
            trace_id=self.id,
        )

    @property
    def reached_something(self) -> bool:
        """Whether a model said anything so far."""
        return any(step.completion.message.content for step in self.steps)

    def heard(self, asked: CompletionRequest, completion: Completion) -> None:
        """Keep an answer, with an own id for each of its calls.

        A request that failed before anything was said is no turn: nothing of it is counted or kept. Of an
        answer that broke off, reasoning is not sent back: its signature may be missing.
        """
        taken = [call.id for message in self.messages for call in message.tool_calls]
        message = with_own_ids(completion.message, taken)
        self.answer = replace(completion, message=message)
        if message.content or completion.usage is not None or self.failure is None:
            self.meter.count(asked, self.answer)
            self.steps.append(Step(completion=self.answer, calls=message.tool_calls))
        if completion.finish is FinishReason.ERROR:
            said = tuple(part for part in message.content if not isinstance(part, Reasoning))
            message = replace(message, content=said)
        if is_sendable(message):
            self.messages.append(message)

    def answered(self, results: Sequence[ToolResult]) -> None:
        """Keep the results of the last answer's calls, in their order."""
        self.taint += tainted(results)
        self.messages.append(tool_results(results))
        self.steps[-1] = replace(self.steps[-1], results=tuple(results))

    def result(self, end: End) -> RunResult:
        """What came out, for whatever reason it ends."""
        texts = [step.completion.text for step in self.steps if step.completion.text]
        return RunResult(
            run=self.id,
            text=texts[-1] if texts else "",
            stop=end.stop,
            steps=tuple(self.steps),
            messages=tuple(self.messages),
            usage=self.meter.usage,
            cost=None if self.meter.unpriced else self.meter.cost,
            duration_s=self.meter.elapsed_s,
            detail=end.detail,
        )


def tainted(results: Sequence[ToolResult]) -> tuple[Taint, ...]:
    """The taint that results bring into a conversation."""
    return tuple(Taint(source=result.name, call_id=result.call_id) for result in results if result.untrusted)
