"""Answers that must have a form: asked for natively where the vendor can, else by a forced tool or in words.

Whatever way it was asked for, the answer is validated. One that does not fit is asked for again with its
problems named, and what every attempt used is counted. On a stream that has begun there is no second
attempt: then the end mark is held back, and an error tells that the answer does not fit.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import reduce
from typing import Literal, TypeAlias

from interlock_core import (
    Call,
    Chunk,
    Completion,
    CompletionRequest,
    Content,
    FinishReason,
    Json,
    JsonObject,
    Message,
    Reasoning,
    Refusal,
    ResponseFormat,
    Text,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    ToolSpec,
)
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import AnswerFormatError, InvalidRequestError
from interlock_core.jsontypes import as_object, dump_json, parse_json
from interlock_core.messages import system, user
from interlock_core.money import Money
from interlock_core.schema import Validator, validator

Way: TypeAlias = Literal["native", "tool", "words"]
"""How a form is asked for."""

Ask: TypeAlias = Callable[[CompletionRequest, Call | None], Awaitable[Completion]]
AskStream: TypeAlias = Callable[[CompletionRequest, Call | None], AsyncGenerator[Chunk, None]]

_TRIES = 3
_WHOLE = frozenset({FinishReason.STOP, FinishReason.STOP_SEQUENCE, FinishReason.UNKNOWN})
_WRAPPED = "answer"
_FENCE = "```"


class Form:
    """One form of an answer, and how one vendor is asked for it.

    Args:
        request: The request that wants it.
        way: How to ask.
        vendor: Name of the provider, for messages.

    Raises:
        InvalidRequestError: The schema itself is wrong.
    """

    def __init__(self, request: CompletionRequest, way: Way, vendor: str) -> None:
        wanted = request.response_format
        assert wanted is not None
        self._wanted = wanted
        self._vendor = vendor
        self._validator = _validator(wanted)
        self._wraps = wanted.schema is not None and wanted.schema.get("type") != "object"
        self._tool = _free_name(wanted.name, {tool.name for tool in request.tools})
        choice = request.tool_choice
        # A turn that must call one of the client's own tools has no answer in words, so none has a form.
        self._called_for = choice is not None and choice.mode == "required"
        self.way: Way = "words" if way == "tool" and wanted.schema is None else way

    def asked(self, request: CompletionRequest) -> CompletionRequest:
        """The request as the vendor is asked it."""
        if self.way == "native":
            return request
        plain = replace(request, response_format=None)
        if self._called_for:
            return plain
        if self.way == "words":
            return replace(plain, messages=(*request.messages, system(self._instruction())))
        others = (
            () if request.tool_choice is not None and request.tool_choice.mode == "none" else request.tools
        )
        choice = ToolChoice(mode="required", name=None if others else self._tool, parallel=False)
        return replace(plain, tools=(*others, self._answer_tool()), tool_choice=choice)

    @property
    def adapted(self) -> tuple[str, ...]:
        """What is done in another way."""
        if self.way == "native" or self._called_for:
            return ()
        how = "by a tool that must be called" if self.way == "tool" else "in words"
        return (f"The answer's form is asked for {how} and validated: the model has no form of its own.",)

    def read(self, answer: Completion) -> Completion:
        """The answer as the client asked for it."""
        if self.way == "native" or self._called_for:
            return answer
        message = self._read(answer.message)
        alternatives = tuple(self._read(other) for other in answer.alternatives)
        ended = answer.finish is FinishReason.TOOL_CALLS and not message.tool_calls
        read = replace(answer, message=message, alternatives=alternatives, raw=None)
        # The vendor's own word speaks of the call that nobody is shown.
        return replace(read, finish=FinishReason.STOP, native_finish=None) if ended else read

    def problem(self, answer: Completion) -> str | None:
        """What is wrong with an answer, in words for the model; None when nothing is."""
        if answer.finish not in _WHOLE or self._called_for:
            return None
        judged = (self.problem_of(said) for said in (answer.message, *answer.alternatives))
        return next((problem for problem in judged if problem), None)

    def problem_of(self, message: Message) -> str | None:
        """What is wrong with one answer; a refusal and a call have no form."""
        if message.tool_calls or any(isinstance(part, Refusal) for part in message.content):
            return None
        try:
            value = parse_json(message.text)
        except (ValueError, RecursionError) as error:
            return f"It is not JSON: {error}."
        if self._validator is None:
            return None if isinstance(value, dict) else "It is not a JSON object."
        problems = self._validator.problems(value)
        return "; ".join(problems[:5]) + "." if problems else None

    def again(self, asked: CompletionRequest, answer: Completion, problem: str) -> CompletionRequest:
        """The request for another attempt."""
        said = Message("assistant", (Text(answer.text),))
        return replace(asked, messages=(*asked.messages, said, user(f"{problem} Answer again, whole.")))

    def is_blamed(self, error: InvalidRequestError) -> bool:
        """Whether a vendor refused a request for the way in which the form is asked for."""
        blamed = {"native": "response_format", "tool": "tool", "words": None}[self.way]
        return blamed is not None and blamed in f"{error.field or ''} {error.message}"

    def error(self, problem: str, tries: int) -> AnswerFormatError:
        """What is raised when no attempt fits."""
        count = "" if tries == 1 else f" in {tries} attempts"
        return AnswerFormatError(
            f"The answer of {self._vendor} has not the form asked for{count}: {problem}",
            field="response_format",
            remedy="Try again, make the schema simpler, or choose another model.",
            vendor=self._vendor,
        )

    # ---- the forced tool

    def is_answer(self, name: str | None) -> bool:
        """Whether a call of that name is the answer."""
        return name == self._tool

    @property
    def in_pieces(self) -> bool:
        """The arguments of the call are the answer, character for character."""
        return not self._wraps

    def unwrapped(self, arguments: str) -> str:
        """The answer that the arguments of the call hold; what cannot be read is left for the validation."""
        if not self._wraps:
            return arguments
        try:
            value = as_object(parse_json(arguments))
        except (ValueError, RecursionError):
            return arguments
        return dump_json(value[_WRAPPED]) if _WRAPPED in value else arguments

    def _answer_tool(self) -> ToolSpec:
        schema: JsonObject = self._wanted.schema or {"type": "object"}
        if self._wraps:
            definitions = {key: value for key, value in schema.items() if key in {"$defs", "definitions"}}
            inner: JsonObject = {key: value for key, value in schema.items() if key not in definitions}
            properties: Json = {_WRAPPED: inner}
            schema = {
                "type": "object",
                "properties": properties,
                "required": [_WRAPPED],
                "additionalProperties": False,
                **definitions,
            }
        words = self._wanted.description or "Gives the answer. Call it once, when the answer is complete."
        return ToolSpec(name=self._tool, description=words, parameters=schema, strict=self._wanted.strict)

    def _read(self, message: Message) -> Message:
        if self.way == "words":
            return _unfenced(message)
        calls = message.tool_calls
        answer = next((call for call in calls if call.name == self._tool), None)
        if answer is None:
            return message
        if any(call.name != self._tool for call in calls):
            # It wants something of the client's tools first: what it answered before that is no answer.
            left = (
                part for part in message.content if not isinstance(part, ToolCall) or part.name != self._tool
            )
            return replace(message, content=tuple(left))
        # What was said beside the call is no part of the form.
        kept = (part for part in message.content if not isinstance(part, Text | ToolCall))
        return replace(message, content=(*kept, Text(self.unwrapped(answer.arguments))))

    def _instruction(self) -> str:
        if self._wanted.schema is None:
            return "Answer with one JSON object and nothing else: no words around it, no code fence."
        return (
            "Answer with JSON that fits this JSON Schema and nothing else: no words around it, "
            "no code fence.\n"
            f"{dump_json(self._wanted.schema)}"
        )


async def complete(ask: Ask, form: Form, request: CompletionRequest, call: Call | None) -> Completion:
    """Ask until the answer has its form.

    Raises:
        AnswerFormatError: No attempt brought it.
        InterlockError: As asking does.
    """
    asked = form.asked(request)
    spent: list[Completion] = []
    problem = ""
    while len(spent) < _TRIES:
        answer = form.read(await ask(asked, call))
        found = form.problem(answer)
        spent.append(answer)
        if found is None:
            return _summed(spent, form.adapted)
        problem = f"That answer does not have the form asked for. {found}"
        asked = form.again(asked, answer, problem)
    raise form.error(problem, len(spent))


async def stream(
    ask: AskStream, form: Form, request: CompletionRequest, call: Call | None
) -> AsyncGenerator[Chunk, None]:
    """Pass an answer on piece by piece, judged at its end.

    What is asked for in words comes as one piece: a code fence around it must not be passed on.

    Raises:
        AnswerFormatError: The answer has not the form; its end mark was not passed on.
        InterlockError: As asking does.
    """
    if form.way == "words" and form.adapted:

        async def whole(asked: CompletionRequest, call: Call | None) -> Completion:
            assembler = CompletionAssembler()
            async with aclosing(ask(asked, call)) as chunks:
                async for chunk in chunks:
                    assembler.feed(chunk)
            return assembler.completion()

        for chunk in _in_chunks(await complete(whole, form, request, call)):
            yield chunk
        return
    judged = _Judged(form)
    async with aclosing(ask(form.asked(request), call)) as chunks:
        async for chunk in chunks:
            yield judged.passed(chunk)
    if judged.problem is not None:
        raise form.error(judged.problem, 1)


class _Judged:
    """A stream on its way, with what was said so far."""

    def __init__(self, form: Form) -> None:
        self.problem: str | None = None
        self._form = form
        self._texts: dict[int, list[str]] = {}
        self._answering: dict[int, int] = {}
        self._beside: dict[int, list[str]] = {}
        self._calling: set[int] = set()
        self._held: dict[int, list[str]] = {}
        self._adapted = form.adapted

    def passed(self, chunk: Chunk) -> Chunk:
        """The chunk as the client is shown it."""
        if self._adapted:
            chunk, self._adapted = replace(chunk, adapted=(*self._adapted, *chunk.adapted)), ()
        if self._form.way == "tool" and self._form.adapted:
            chunk = self._translated(chunk)
        if chunk.text:
            self._texts.setdefault(chunk.choice, []).append(chunk.text)
        if chunk.tool_calls:
            self._calling.add(chunk.choice)
        if chunk.finish is not None and chunk.finish in _WHOLE and chunk.choice not in self._calling:
            said = Message("assistant", (Text("".join(self._texts.get(chunk.choice, ()))),))
            found = self._form.problem(Completion(model=chunk.model, message=said, finish=chunk.finish))
            if found is not None:
                self.problem = found
                return replace(chunk, finish=None, native_finish=None, raw=None)
        return chunk

    def _translated(self, chunk: Chunk) -> Chunk:
        """Pieces of the forced call as text; other calls stay calls."""
        choice, left, text = chunk.choice, list[ToolCallDelta](), ""
        for delta in chunk.tool_calls:
            if self._form.is_answer(delta.name):
                self._answering.setdefault(choice, delta.index)
            if delta.index != self._answering.get(choice):
                left.append(delta)
            elif self._form.in_pieces:
                text += delta.arguments
            else:
                self._held.setdefault(choice, []).append(delta.arguments)
        if chunk.text:
            self._beside.setdefault(choice, []).append(chunk.text)
        finish = chunk.finish
        if finish is not None and choice in self._held:
            text += self._form.unwrapped("".join(self._held.pop(choice)))
        if finish is not None and choice not in self._answering:
            # It did not call, so its words must be the answer; beside a call they are no part of it.
            text += "".join(self._beside.pop(choice, ()))
        if finish is FinishReason.TOOL_CALLS and choice not in self._calling and not left:
            finish, chunk = FinishReason.STOP, replace(chunk, native_finish=None)
        return replace(chunk, text=text, tool_calls=tuple(left), finish=finish, raw=None)


def _validator(wanted: ResponseFormat) -> Validator | None:
    if wanted.schema is None:
        return None
    try:
        return validator(wanted.schema)
    except InvalidRequestError as exc:
        raise InvalidRequestError(
            f"The schema of the answer is wrong: {exc.message}",
            field="response_format.json_schema.schema",
            remedy=exc.remedy,
        ) from exc


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_answer"
    return name


def _unfenced(message: Message) -> Message:
    """Without the code fence that models like to put around JSON."""
    text = message.text.strip()
    if text.startswith(_FENCE) and text.endswith(_FENCE) and "\n" in text:
        text = text[text.index("\n") + 1 : -len(_FENCE)].strip()
    if text == message.text or not text:
        return message
    kept = tuple(part for part in message.content if not isinstance(part, Text))
    return replace(message, content=(*kept, Text(text)))


def _summed(spent: Sequence[Completion], adapted: tuple[str, ...]) -> Completion:
    """The last answer, with what all attempts used."""
    last = spent[-1]
    if len(spent) == 1:
        return replace(last, adapted=(*adapted, *last.adapted)) if adapted else last
    usages = [answer.usage for answer in spent if answer.usage is not None]
    costs = [answer.cost for answer in spent if answer.cost is not None]
    known = len(costs) == len(spent)
    return replace(
        last,
        usage=reduce(lambda one, other: one + other, usages) if usages else None,
        cost=Money(sum(cost.micro_usd for cost in costs)) if known else None,
        attempts=sum(answer.attempts for answer in spent),
        adapted=(*adapted, f"The answer fitted its form at attempt {len(spent)}.", *last.adapted),
        raw=None,
    )


def _in_chunks(answer: Completion) -> Iterator[Chunk]:
    """A whole answer as the chunks of a stream."""
    facts = Chunk(
        model=answer.model, id=answer.id, attempts=answer.attempts, service_tier=answer.service_tier
    )
    yield replace(facts, adapted=answer.adapted)
    for choice, message in enumerate((answer.message, *answer.alternatives)):
        calls = 0
        for part in message.content:
            yield replace(_said(facts, part, calls), choice=choice)
            calls += isinstance(part, ToolCall)
        yield replace(facts, finish=answer.finish, native_finish=answer.native_finish, choice=choice)
    yield replace(facts, usage=answer.usage, cost=answer.cost)


def _said(facts: Chunk, part: Content, calls: int) -> Chunk:
    match part:
        case Text():
            return replace(facts, text=part.text, citations=part.citations)
        case Refusal():
            return replace(facts, refusal=part.text)
        case Reasoning():
            return replace(
                facts,
                reasoning=part.text,
                signature=part.signature,
                encrypted=part.encrypted,
                reasoning_id=part.id,
            )
        case ToolCall():
            delta = ToolCallDelta(index=calls, id=part.id, name=part.name, arguments=part.arguments)
            return replace(facts, tool_calls=(delta,))
        case _:
            return facts
