"""From a request to the runs that may answer it: conversation, grammar and reader of each try."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from interlock_core.completion import CompletionRequest, ToolChoice
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import JsonObject
from interlock_core.nearest import suggestion
from interlock_core.schema import Validator, validator
from interlock_core.toolspec import ToolSpec
from interlock_providers.local._grammar import CallableTool, answer_grammar, call_grammar, free_grammar
from interlock_providers.local._grounding import grounded, related
from interlock_providers.local._prompt import (
    Turn,
    answers_results,
    chat,
    fields_wanted,
    question,
    reading,
    refuse_media,
    tools_in_full,
    tools_in_short,
    turns,
    with_examples,
    with_system,
)
from interlock_providers.local._reader import AnswerReader, CallReader, FreeReader, Reader, TextReader
from interlock_providers.local._sampling import DEFAULT_MAX_TOKENS, check, sampling
from interlock_providers.local._schema import Bounds, Decodable, decodable

_TRIES = 3
_LEAST_TEXT = 16
_ANY_OBJECT: JsonObject = {"type": "object"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run to make.

    Attributes:
        body: The request in llama.cpp's words.
        reader: Reads what it writes.
    """

    body: JsonObject
    reader: Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the request asks for, beside words.

    Attributes:
        tools: What may be called now; empty when nothing may.
        free: The model may answer without a call.
        schema: What an answer in JSON must fit.
        small: The model is small and needs help.
        bounds: Limits for what a schema leaves open, or None.
    """

    tools: tuple[ToolSpec, ...]
    free: bool
    schema: JsonObject | None
    small: bool
    bounds: Bounds | None


def attempts(request: CompletionRequest, *, small: bool) -> Iterator[Attempt]:
    """The runs that may answer a request, in order; the next is made only when one was misread.

    Args:
        request: The request.
        small: The model is small: its prompt is short, shows examples, and what it may say is narrowed.

    Raises:
        UnsupportedError: The embedded model cannot do what is asked.
        InvalidRequestError: The request is wrong.
    """
    check(request)
    refuse_media(request)
    wanted = _Wanted(
        tools=_callable_now(request, small=small),
        free=request.tool_choice is None or request.tool_choice.mode != "required",
        schema=_schema(request),
        small=small,
        bounds=_bounds(request) if small else None,
    )
    checks = {tool.name: validator(tool.parameters) for tool in wanted.tools}
    check_answer = None if wanted.schema is None else validator(wanted.schema)
    for again in range(1 if not wanted.tools and wanted.schema is None else _TRIES):
        tools = (
            grounded(wanted.tools, question(request.messages)) if _grounds(wanted, again) else wanted.tools
        )
        yield Attempt(
            _body(request, wanted, tools, again=again),
            _reader(wanted, checks, check_answer, again=again),
        )


def _callable_now(request: CompletionRequest, *, small: bool) -> tuple[ToolSpec, ...]:
    choice = request.tool_choice or ToolChoice()
    if choice.mode == "required" and not request.tools:
        raise InvalidRequestError(
            "A tool call is required and there are no tools.",
            field="tool_choice",
            remedy="Give tools, or choose auto.",
        )
    if choice.name is not None:
        named = tuple(tool for tool in request.tools if tool.name == choice.name)
        if not named:
            raise InvalidRequestError(
                f"There is no tool named {choice.name}.",
                field="tool_choice",
                remedy=suggestion(choice.name, [tool.name for tool in request.tools]),
            )
        return named
    # A small model that may call again after a result calls the same tool for ever.
    enough = small and choice.mode == "auto" and answers_results(request.messages)
    return () if choice.mode == "none" or enough else request.tools


def _schema(request: CompletionRequest) -> JsonObject | None:
    if request.response_format is None:
        return None
    return request.response_format.schema or _ANY_OBJECT


def _bounds(request: CompletionRequest) -> Bounds:
    """One text may take half of the tokens, at the worst of one character a token."""
    room = (request.max_tokens or DEFAULT_MAX_TOKENS) // 2
    usual = Bounds()
    return Bounds(text=max(min(usual.text, room), _LEAST_TEXT), scalar_text=usual.scalar_text)


def _grounds(wanted: _Wanted, again: int) -> bool:
    return bool(wanted.small and wanted.tools and again == 0)


def _body(
    request: CompletionRequest, wanted: _Wanted, tools: Sequence[ToolSpec], *, again: int
) -> JsonObject:
    body: JsonObject = {
        **sampling(request, again=again),
        "messages": chat(_conversation(request, wanted, tools)),
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
        "verbose": True,
    }
    grammar = _grammar(wanted, tools, loose=again == _TRIES - 1)
    return body if grammar is None else {**body, "grammar": grammar}


def _conversation(request: CompletionRequest, wanted: _Wanted, tools: Sequence[ToolSpec]) -> list[Turn]:
    answering = wanted.small and not wanted.tools and answers_results(request.messages)
    conversation = reading(request.messages) if answering else turns(request.messages)
    if wanted.tools:
        own = {tool.name: tool for tool in wanted.tools}
        shown = [own[tool.name] for tool in tools]
        described = tools_in_short if wanted.small else tools_in_full
        conversation = with_system(conversation, described(shown, free=wanted.free))
        if wanted.small:
            conversation = with_examples(conversation, shown, plain=_plain_examples(request, wanted))
    if wanted.schema is not None and (wanted.free or not wanted.tools):
        conversation = with_system(conversation, fields_wanted(wanted.schema))
    return conversation


def _plain_examples(request: CompletionRequest, wanted: _Wanted) -> int:
    """Two incline a small model to text, for when no tool seems to fit; one leaves it the choice."""
    if not wanted.free:
        return 0
    return 1 if related(wanted.tools, question(request.messages)) else 2


def _grammar(wanted: _Wanted, tools: Sequence[ToolSpec], *, loose: bool) -> str | None:
    answer = None if wanted.schema is None else _held(wanted.schema, wanted, loose=loose).schema
    if not tools:
        return None if answer is None else answer_grammar(answer)
    known = [CallableTool(tool.name, _held(tool.parameters, wanted, loose=loose).schema) for tool in tools]
    return free_grammar(known, answer) if wanted.free else call_grammar(known)


def _held(schema: JsonObject, wanted: _Wanted, *, loose: bool) -> Decodable:
    return decodable(schema, bounds=wanted.bounds, loose=loose)


def _reader(
    wanted: _Wanted, checks: dict[str, Validator], check_answer: Validator | None, *, again: int
) -> Reader:
    other: Reader = TextReader()
    if wanted.schema is not None and check_answer is not None:
        loose = again == _TRIES - 1
        other = AnswerReader(check_answer, hold=loose or not _held(wanted.schema, wanted, loose=loose).exact)
    if not checks:
        return other
    call = CallReader(checks, sentinel=not wanted.free)
    return FreeReader(call, other) if wanted.free else call
