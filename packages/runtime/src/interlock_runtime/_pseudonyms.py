"""Keeps personal data and unknown keys from models that run elsewhere, where the settings say so."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from interlock_core import (
    Call,
    Chunk,
    Completion,
    CompletionRequest,
    Embeddings,
    Message,
    ModelInfo,
    Provider,
    Text,
    ToolCall,
)
from interlock_core.completion import ToolCallDelta
from interlock_core.messages import Content, Reasoning, Refusal
from interlock_core.protocols import StreamRedactor
from interlock_runtime._hidden import rewritten, texts_of
from interlock_security import PseudonymMaker, Pseudonyms


class PseudonymousProvider:
    """Wraps a provider: it sees stand-ins, and its answers speak of the real thing again.

    Where a request holds nothing to hide, it and its answer pass untouched.

    Args:
        inner: Answers the requests.
        maker: Makes the stand-ins.
    """

    def __init__(self, inner: Provider, maker: PseudonymMaker) -> None:
        self._inner = inner
        self._maker = maker

    @property
    def name(self) -> str:
        """What stands before the slash."""
        return self._inner.name

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Answer a request whole."""
        names = self._names(request)
        if names is None:
            return await self._inner.complete(request, call)
        completion = await self._inner.complete(_asked(request, names), call)
        return replace(
            completion,
            message=_restored(completion.message, names),
            alternatives=tuple(_restored(message, names) for message in completion.alternatives),
            raw=None,
        )

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer a request piece by piece."""
        names = self._names(request)
        if names is None:
            async with aclosing(self._inner.stream(request, call)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        back = _Back(names)
        async with aclosing(self._inner.stream(_asked(request, names), call)) as chunks:
            async for chunk in chunks:
                shown = back.chunk(chunk)
                if chunk.finish is not None and (rest := back.rest(chunk.choice)) is not None:
                    yield replace(shown, finish=None, native_finish=None, usage=None, cost=None)
                    yield rest
                    shown = replace(shown, text="", reasoning="", refusal="", tool_calls=())
                yield shown
            for rest in back.rests():
                yield rest

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """Make one vector a text, of the text with stand-ins."""
        names = self._maker.begin("\0".join(texts))
        return await self._inner.embed(model, [names.text(text) for text in texts], call)

    async def models(self) -> Sequence[ModelInfo]:
        """Every model that can be asked."""
        return await self._inner.models()

    async def aclose(self) -> None:
        """Close the wrapped provider."""
        await self._inner.aclose()

    def _names(self, request: CompletionRequest) -> Pseudonyms | None:
        """Stand-ins for a request; None when there is nothing to hide."""
        whole = "\n".join(texts_of(request))
        return self._maker.begin(whole) if self._maker.touches(whole) else None


def _asked(request: CompletionRequest, names: Pseudonyms) -> CompletionRequest:
    return replace(rewritten(request, names), original=None)


def _restored(message: Message, names: Pseudonyms) -> Message:
    return replace(message, content=tuple(_part(part, names) for part in message.content))


def _part(part: Content, names: Pseudonyms) -> Content:
    if isinstance(part, Text | Reasoning | Refusal):
        return replace(part, text=names.restore(part.text))
    if isinstance(part, ToolCall):
        return replace(part, arguments=names.restore_in_json(part.arguments))
    return part


@dataclass(slots=True)
class _Streams:
    """The ways back of one answer."""

    text: StreamRedactor
    reasoning: StreamRedactor
    refusal: StreamRedactor
    calls: dict[int, StreamRedactor] = field(default_factory=dict[int, StreamRedactor])


class _Back:
    """Leads a stream back, each of its texts by itself."""

    def __init__(self, names: Pseudonyms) -> None:
        self._names = names
        self._streams: dict[int, _Streams] = {}

    def chunk(self, chunk: Chunk) -> Chunk:
        """A chunk as the client sees it."""
        streams = self._of(chunk.choice)
        return replace(
            chunk,
            text=streams.text.feed(chunk.text),
            reasoning=streams.reasoning.feed(chunk.reasoning),
            refusal=streams.refusal.feed(chunk.refusal),
            tool_calls=tuple(self._delta(delta, streams) for delta in chunk.tool_calls),
            raw=None,
        )

    def rest(self, choice: int) -> Chunk | None:
        """What was held back of an answer that ends."""
        streams = self._of(choice)
        held = ((index, stream.flush()) for index, stream in streams.calls.items())
        calls = tuple(ToolCallDelta(index=index, arguments=text) for index, text in held if text)
        text, reasoning, refusal = streams.text.flush(), streams.reasoning.flush(), streams.refusal.flush()
        if not (text or reasoning or refusal or calls):
            return None
        return Chunk(text=text, reasoning=reasoning, refusal=refusal, tool_calls=calls, choice=choice)

    def rests(self) -> Sequence[Chunk]:
        """What was held back of answers that broke off."""
        return [rest for choice in list(self._streams) if (rest := self.rest(choice)) is not None]

    def _delta(self, delta: ToolCallDelta, streams: _Streams) -> ToolCallDelta:
        stream = streams.calls.get(delta.index)
        if stream is None:
            stream = streams.calls[delta.index] = self._names.stream_of_json()
        return replace(delta, arguments=stream.feed(delta.arguments))

    def _of(self, choice: int) -> _Streams:
        made = self._streams.get(choice)
        if made is None:
            names = self._names
            made = self._streams[choice] = _Streams(names.stream(), names.stream(), names.stream())
        return made
