"""A client's bytes together with what they were read as, so that nobody forwards stale ones."""

from dataclasses import dataclass, field, fields, replace

from interlock_core import Chunk, Completion, CompletionRequest, WireBytes

_FREE = frozenset({"model", "original", "stream_usage"})
_COMPARED = tuple(item.name for item in fields(CompletionRequest) if item.name not in _FREE)
_ANSWER = tuple(
    item.name
    for item in fields(Completion)
    if item.name not in {"model", "cost", "attempts", "adapted", "decision", "raw"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedBytes(WireBytes):
    """The untouched bytes of a request, and the request that was read from them.

    Attributes:
        parsed: The request as it was read.
        members: Names of the members of the JSON object.
    """

    parsed: CompletionRequest = field(repr=False, compare=False)
    members: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    def attach(self) -> CompletionRequest:
        """The request that was read, with these bytes as its original."""
        return replace(self.parsed, original=self)

    def changed(self, request: CompletionRequest) -> frozenset[str]:
        """Which fields of a request are no longer what was read, apart from model and usage on streams."""
        parsed = self.parsed
        return frozenset(
            name for name in _COMPARED if not _same(getattr(request, name), getattr(parsed, name))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerBytes(WireBytes):
    """The untouched bytes of an answer, and what was read from them.

    Attributes:
        parsed: The answer as it was read.
        plain: The bytes may be forwarded: no name in them had to be mapped.
    """

    parsed: Completion = field(repr=False, compare=False)
    plain: bool = True

    def fits(self, completion: Completion) -> bool:
        """Whether a completion still says what the bytes say."""
        parsed = self.parsed
        return self.plain and all(_same(getattr(completion, name), getattr(parsed, name)) for name in _ANSWER)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBytes(WireBytes):
    """The untouched bytes of one event of a stream, and what was read from them.

    Attributes:
        said: The fields that a reader of the stream acts on, as they were read.
        plain: The bytes may be forwarded: nothing in them had to be mapped or put right.
    """

    said: tuple[object, ...] = field(default=(), repr=False, compare=False)
    plain: bool = True

    def fits(self, chunk: Chunk) -> bool:
        """Whether a chunk still says what the bytes say."""
        return self.plain and self.said == said(chunk)


def said(chunk: Chunk) -> tuple[object, ...]:
    """The fields of a chunk that a reader of the stream acts on."""
    return (
        chunk.text,
        chunk.reasoning,
        chunk.refusal,
        chunk.tool_calls,
        chunk.finish,
        chunk.native_finish,
        chunk.choice,
        chunk.citations,
        chunk.logprobs,
        chunk.signature,
        chunk.encrypted,
        chunk.reasoning_id,
    )


def _same(one: object, other: object) -> bool:
    return one is other or one == other
