"""Judges what came of a stream: whole against its index, and broken off against what the whole would be."""

from collections.abc import Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, fields, replace

from interlock_core import (
    Chunk,
    Completion,
    CompletionRequest,
    Json,
    Message,
    Provider,
    Reasoning,
    Refusal,
    Text,
    Usage,
)
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array, as_object

from .provider_cases import StreamCase
from .table_vendors import sent_in

_COUNTS = tuple(field.name for field in fields(Usage) if field.name not in {"requests", "exact"})


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reader made of a stream: the answer as far as it came, and the error that ended it, if any."""

    answer: Completion
    error: InterlockError | None = None

    @property
    def messages(self) -> tuple[Message, ...]:
        """Each answer's message, in order of its index."""
        return (self.answer.message, *self.answer.alternatives)


async def heard_over(provider: Provider, request: CompletionRequest) -> Heard:
    """Read a stream that a provider asks for."""
    whole = CompletionAssembler()
    try:
        async with aclosing(provider.stream(request)) as chunks:
            async for chunk in chunks:
                whole.feed(chunk)
    except InterlockError as error:
        return Heard(whole.completion(), error)
    return Heard(whole.completion())


def heard(case: StreamCase, pieces: Iterable[bytes]) -> Heard:
    """Read a stream that comes in these pieces and then ends; only typed errors are errors of the stream."""
    spoken, sent = sent_in(case.dialect, stream=True)
    parser, whole = spoken.parse_stream(sent), CompletionAssembler()

    def chunks() -> Iterator[Chunk]:
        for piece in pieces:
            yield from parser.feed(piece)
        yield from parser.finish()

    try:
        for chunk in chunks():
            whole.feed(chunk)
    except InterlockError as error:
        return Heard(whole.completion(), error)
    return Heard(whole.completion())


def joined(message: Message, kind: type[Text | Reasoning | Refusal]) -> str:
    """All words of one kind."""
    return "".join(part.text for part in message.content if isinstance(part, kind))


def _logged(value: Json) -> int:
    """How many tokens have log probabilities, in the form of any dialect."""
    content = as_object(value).get("content") if isinstance(value, dict) else value
    return sum(len(as_array(as_object(item).get("token_ids"))) or 1 for item in as_array(content))


def check_words(case: StreamCase, found: Heard) -> None:
    """Words, calls and what must go back unchanged are those of the index."""
    first = found.answer.message
    texts = tuple(joined(message, Text) for message in found.messages)
    if case.plan:
        assert (texts, joined(first, Reasoning)) in {
            ((case.plan, *case.texts[1:]), case.reasoning),
            (case.texts, case.reasoning + case.plan),
        }
    else:
        assert texts == case.texts
        assert joined(first, Reasoning) == case.reasoning
    assert joined(first, Refusal) == case.refusal
    thoughts = [part for part in first.content if isinstance(part, Reasoning)]
    assert tuple(part.signature for part in thoughts if part.signature) == case.signatures
    assert tuple(part.encrypted for part in thoughts if part.encrypted) == case.encrypted
    calls = [(call.id, call.name, call.arguments) for call in first.tool_calls]
    assert all(called for called, _, _ in calls)
    expected = [(call.id, call.name, call.arguments) for call in case.tool_calls]
    assert len(calls) == len(expected)
    for call, wanted in zip(calls, expected, strict=True):
        assert call == (call[0] if wanted[0] == "any" else wanted[0], *wanted[1:])


def check_whole(case: StreamCase, found: Heard) -> None:
    """The answer is the one of the index, or its error with all that came before it."""
    check_words(case, found)
    if case.errors:
        assert type(found.error).__name__ in case.errors
        return
    assert found.error is None
    answer = found.answer
    assert str(answer.finish) in case.finishes
    assert case.native_finish in {None, answer.native_finish}
    assert case.service_tier in {None, answer.service_tier}
    cited = sum(len(part.citations) for part in answer.message.content if isinstance(part, Text))
    assert cited == case.citations
    assert _logged(answer.logprobs) == case.logprobs
    usage = answer.usage
    if not case.usages:
        assert usage is None
        return
    assert usage is not None
    assert {name: getattr(usage, name) for name in _COUNTS} in [
        {name: expected.get(name, 0) for name in _COUNTS} for expected in case.usages
    ]


def check_cut(whole: Heard, found: Heard) -> None:
    """What came of a stream that was broken off: nothing that the whole does not begin with.

    Without an error the answer is complete. Only usage may be missing, where a dialect tells it after the
    answer's end: then it is unknown, and so is the cost.
    """
    for message, full in zip(found.messages, whole.messages, strict=False):
        for kind in (Text, Reasoning, Refusal):
            assert joined(full, kind).startswith(joined(message, kind))
        assert len(message.tool_calls) <= len(full.tool_calls)
        for call, wanted in zip(message.tool_calls, full.tool_calls, strict=False):
            assert call.name in {"", wanted.name}
            assert wanted.arguments.startswith(call.arguments)
    if found.error is None:
        assert whole.error is None
        assert found.answer.usage in (whole.answer.usage, None)
        assert _comparable(found.answer) == _comparable(whole.answer)


def _comparable(answer: Completion) -> Completion:
    """An answer without its usage, and without ids that the reader makes up anew."""

    def plain(message: Message) -> Message:
        parts = (replace(part, id="") if part in message.tool_calls else part for part in message.content)
        return replace(message, content=tuple(parts))

    return replace(
        answer,
        usage=None,
        adapted=(),
        message=plain(answer.message),
        alternatives=tuple(map(plain, answer.alternatives)),
    )
