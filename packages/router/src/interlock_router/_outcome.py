"""What became of a call to a model, in the words that guards and records read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from interlock_core import Chunk, Completion, Money, Outcome, ToolCall, ToolSpec, Usage
from interlock_core.errors import InvalidRequestError


@dataclass(slots=True)
class StreamNotes:
    """What is noted of a stream on its way through.

    Attributes:
        usage: Tokens, as last told.
        cost: Money, as last told.
        attempts: Calls to the vendor, as last told.
        first_token_s: Seconds to the first token; set by whoever passes it on.
    """

    usage: Usage | None = None
    cost: Money | None = None
    attempts: int = 1
    first_token_s: float | None = None
    _held: list[Chunk] = field(default_factory=list[Chunk])
    _names: dict[tuple[int, int], str] = field(default_factory=dict[tuple[int, int], str])
    _texts: dict[tuple[int, int], list[str]] = field(default_factory=dict[tuple[int, int], list[str]])

    def take(self, chunk: Chunk) -> Sequence[Chunk]:
        """Note the next chunk, and say what can be passed on: nothing until there is a first token."""
        if chunk.usage is not None:
            self.usage = chunk.usage
        if chunk.cost is not None:
            self.cost = chunk.cost
        self.attempts = max(self.attempts, chunk.attempts)
        for delta in chunk.tool_calls:
            key = (chunk.choice, delta.index)
            if delta.name:
                self._names[key] = delta.name
            self._texts.setdefault(key, []).append(delta.arguments)
        if self.first_token_s is not None:
            return (chunk,)
        self._held.append(chunk)
        if not has_token(chunk):
            return ()
        ready, self._held = self._held, []
        return ready

    def calls(self) -> list[ToolCall]:
        """The tool calls that came."""
        return [
            ToolCall(id="", name=self._names.get(key, ""), arguments="".join(pieces))
            for key, pieces in self._texts.items()
        ]

    def onto(self, outcome: Outcome) -> Outcome:
        """An outcome with what was noted."""
        return replace(outcome, usage=self.usage, cost=self.cost, first_token_s=self.first_token_s)


def has_token(chunk: Chunk) -> bool:
    """Whether an answer has begun with this chunk: something was said, called or ended."""
    return bool(
        chunk.text or chunk.reasoning or chunk.refusal or chunk.tool_calls or chunk.finish or chunk.encrypted
    )


def succeeded(completion: Completion, *, task: str, tools: Sequence[ToolSpec], duration_s: float) -> Outcome:
    """The outcome of a whole answer."""
    calls = completion.message.tool_calls
    return Outcome(
        ok=True,
        model=completion.model,
        task=task,
        usage=completion.usage,
        cost=completion.cost,
        duration_s=duration_s,
        attempts=completion.attempts,
        tool_calls=len(calls),
        tool_calls_valid=valid_calls(calls, tools),
    )


def streamed(
    notes: StreamNotes, *, model: str, task: str, tools: Sequence[ToolSpec], duration_s: float
) -> Outcome:
    """The outcome of a stream that ended well."""
    calls = notes.calls()
    plain = Outcome(
        ok=True,
        model=model,
        task=task,
        duration_s=duration_s,
        attempts=notes.attempts,
        tool_calls=len(calls),
        tool_calls_valid=valid_calls(calls, tools),
    )
    return notes.onto(plain)


def failed(error: BaseException, *, model: str, task: str, duration_s: float, attempts: int) -> Outcome:
    """The outcome of a call that ended in an error or was cancelled."""
    return replace(
        Outcome.failure(error, duration_s=duration_s), model=model or None, task=task, attempts=attempts
    )


def valid_calls(calls: Iterable[ToolCall], tools: Sequence[ToolSpec]) -> int:
    """How many calls name a known tool with arguments that fit its schema."""
    known = {tool.name: tool for tool in tools}
    return sum(_valid(call, known.get(call.name)) for call in calls)


def _valid(call: ToolCall, tool: ToolSpec | None) -> bool:
    if tool is None:
        return False
    from interlock_core.schema import validator

    try:
        return not validator(tool.parameters).problems(call.parsed())
    except InvalidRequestError:
        return False
