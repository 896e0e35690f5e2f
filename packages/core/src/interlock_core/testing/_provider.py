"""A provider that answers from a script."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from interlock_core.call import Call
from interlock_core.completion import (
    Chunk,
    Completion,
    CompletionRequest,
    Embeddings,
    FinishReason,
    ToolCallDelta,
    Usage,
)
from interlock_core.errors import InterlockError, UnsupportedError
from interlock_core.messages import Reasoning, Refusal, Text, ToolCall, assistant
from interlock_core.models import ModelInfo

Scripted: TypeAlias = "str | Completion | InterlockError | Sequence[Chunk | InterlockError]"
"""One answer: its text, a whole completion, an error to raise, or the chunks of a stream (an error among
them is raised at its place)."""


def completion(text: str = "", *calls: ToolCall, model: str = "scripted/model") -> Completion:
    """A completion of a text and tool calls, with a made-up usage of 7 tokens in and 3 out."""
    parts = ([text] if text else []) + list[str | ToolCall](calls)
    return Completion(
        model=model,
        message=assistant(*parts),
        finish=FinishReason.TOOL_CALLS if calls else FinishReason.STOP,
        usage=Usage(input_tokens=7, output_tokens=3),
        id="scripted",
    )


def as_chunks(whole: Completion) -> tuple[Chunk, ...]:
    """The stream that a vendor would have sent for a completion: a chunk a word, then finish and usage."""
    chunks = [Chunk(model=whole.model, id=whole.id, adapted=whole.adapted)]
    index = 0
    for part in whole.message.content:
        match part:
            case Text():
                chunks += [Chunk(text=word) for word in _words(part.text)]
            case Reasoning():
                chunks += [Chunk(reasoning=word) for word in _words(part.text)]
                chunks.append(Chunk(signature=part.signature, encrypted=part.encrypted, reasoning_id=part.id))
            case Refusal():
                chunks.append(Chunk(refusal=part.text))
            case ToolCall():
                chunks.append(Chunk(tool_calls=(ToolCallDelta(index=index, id=part.id, name=part.name),)))
                chunks += [
                    Chunk(tool_calls=(ToolCallDelta(index=index, arguments=part.arguments[i : i + 8]),))
                    for i in range(0, len(part.arguments), 8)
                ]
                index += 1
            case _:
                raise TypeError(f"a {type(part).__name__} part does not come on a stream")
    chunks.append(
        Chunk(finish=whole.finish, native_finish=whole.native_finish, usage=whole.usage, cost=whole.cost)
    )
    return tuple(chunks)


class ScriptedProvider:
    """A `Provider` whose answers stand in a script, taken in order; it remembers what it was asked.

    Args:
        script: The answers. When they are used up the last one is given again if `repeat`, else the test
            fails with an `AssertionError`.
        name: Its name.
        models: What `models` tells.
        repeat: Give the last answer for ever.

    Attributes:
        requests: Every request, in order.
        calls: The `Call` that came with each.
        closed_early: How many streams were closed before their last chunk.
        closed: `aclose` was called.
    """

    def __init__(
        self,
        script: Iterable[Scripted] = (),
        *,
        name: str = "scripted",
        models: Sequence[ModelInfo] = (),
        repeat: bool = False,
    ) -> None:
        self._script = list(script)
        self._name = name
        self._models = tuple(models) or (ModelInfo(id=f"{name}/model", provider=name),)
        self._repeat = repeat
        self.requests: list[CompletionRequest] = []
        self.calls: list[Call | None] = []
        self.closed_early = 0
        self.closed = False

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """The next answer, whole.

        Raises:
            InterlockError: The script has one here.
        """
        answer = self._next(request, call)
        if isinstance(answer, InterlockError):
            raise answer
        if isinstance(answer, str):
            return completion(answer, model=self._model(request))
        if isinstance(answer, Completion):
            return answer
        return _joined(answer, self._model(request))

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """The next answer, chunk by chunk.

        Raises:
            InterlockError: The script has one here.
        """
        answer = self._next(request, call)
        if isinstance(answer, InterlockError):
            raise answer
        if isinstance(answer, str):
            answer = completion(answer, model=self._model(request))
        chunks = as_chunks(answer) if isinstance(answer, Completion) else answer
        sent = 0
        try:
            for chunk in chunks:
                sent += 1
                if isinstance(chunk, InterlockError):
                    raise chunk
                yield chunk
        except GeneratorExit:
            self.closed_early += sent < len(chunks)
            raise

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """No vectors.

        Raises:
            UnsupportedError: Always.
        """
        raise UnsupportedError(
            f"{self._name} makes no vectors.", field="model", remedy="Choose an embedding model."
        )

    async def models(self) -> Sequence[ModelInfo]:
        """The models it was given, or one made-up `<name>/model`."""
        return self._models

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.closed = True

    def _next(self, request: CompletionRequest, call: Call | None) -> Scripted:
        self.requests.append(request)
        self.calls.append(call)
        if not self._script:
            raise AssertionError(f"the script of {self._name} has no answer number {len(self.requests)}")
        return self._script[0] if self._repeat and len(self._script) == 1 else self._script.pop(0)

    def _model(self, request: CompletionRequest) -> str:
        return request.model if "/" in request.model else f"{self._name}/{request.model}"


def _joined(chunks: Sequence[Chunk | InterlockError], model: str) -> Completion:
    text = ""
    last = Chunk()
    for chunk in chunks:
        if isinstance(chunk, InterlockError):
            raise chunk
        if chunk.tool_calls:
            raise TypeError("script a Completion, not chunks, for tool calls that are asked for whole")
        text += chunk.text
        last = chunk if chunk.finish else last
    whole = completion(text, model=model)
    return replace(whole, finish=last.finish or FinishReason.STOP, usage=last.usage, cost=last.cost)


def _words(text: str) -> list[str]:
    pieces = text.split(" ")
    return [piece if i == 0 else f" {piece}" for i, piece in enumerate(pieces)]
