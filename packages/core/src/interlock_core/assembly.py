"""Puts a streamed answer together again, byte for byte and part by part."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from interlock_core.completion import Chunk, Completion, FinishReason, ToolCallDelta, Usage
from interlock_core.decision import RouteDecision
from interlock_core.jsontypes import Json, as_array, as_object
from interlock_core.messages import Content, Message, Reasoning, Refusal, Text, ToolCall
from interlock_core.money import Money

_Kind: TypeAlias = Literal["text", "reasoning", "refusal"]


@dataclass(slots=True)
class _Spoken:
    """A part that is made of words; a reasoning part with a signature takes no more of them."""

    kind: _Kind
    pieces: list[str] = field(default_factory=list[str])
    citations: list[Json] = field(default_factory=list[Json])
    cited: set[str] = field(default_factory=set[str])
    signature: str | None = None
    encrypted: str | None = None
    id: str | None = None

    @property
    def signed(self) -> bool:
        return self.signature is not None or self.encrypted is not None or self.id is not None

    def content(self, vendor: str | None) -> Content:
        text = "".join(self.pieces)
        if self.kind == "reasoning":
            return Reasoning(
                text=text, signature=self.signature, encrypted=self.encrypted, id=self.id, vendor=vendor
            )
        return Refusal(text) if self.kind == "refusal" else Text(text, citations=tuple(self.citations))


@dataclass(slots=True)
class _Called:
    """A tool call in pieces."""

    pieces: list[ToolCallDelta] = field(default_factory=list[ToolCallDelta])

    def content(self, _vendor: str | None) -> Content:
        return ToolCall(
            id=next((piece.id for piece in self.pieces if piece.id), ""),
            name=next((piece.name for piece in self.pieces if piece.name), ""),
            arguments="".join(piece.arguments for piece in self.pieces),
        )


@dataclass(slots=True)
class _Answer:
    """One of the answers on a stream: its parts in the order in which they began."""

    parts: list[_Spoken | _Called] = field(default_factory=list["_Spoken | _Called"])
    calls: dict[int, _Called] = field(default_factory=dict[int, _Called])

    def speak(self, kind: _Kind, piece: str) -> None:
        last = self.parts[-1] if self.parts else None
        if not isinstance(last, _Spoken) or last.kind != kind or last.signed:
            last = _Spoken(kind)
            self.parts.append(last)
        last.pieces.append(piece)

    def sign(self, signature: str | None, encrypted: str | None, number: str | None) -> None:
        """End the reasoning that has no signature yet; hidden reasoning is a part without words."""
        spoken = (part for part in reversed(self.parts) if isinstance(part, _Spoken))
        last = next((part for part in spoken if part.kind == "reasoning"), None)
        if last is None or last.signed:
            last = _Spoken("reasoning")
            self.parts.append(last)
        last.signature, last.encrypted, last.id = signature, encrypted, number

    def cite(self, citations: tuple[Json, ...]) -> None:
        """Add what is cited to the last text, each once: some dialects repeat what they said before."""
        spoken = (part for part in reversed(self.parts) if isinstance(part, _Spoken))
        last = next((part for part in spoken if part.kind == "text"), None)
        if last is None:
            last = _Spoken("text")
            self.parts.append(last)
        for citation in citations:
            written = repr(citation)
            if written not in last.cited:
                last.cited.add(written)
                last.citations.append(citation)

    def call(self, delta: ToolCallDelta) -> None:
        called = self.calls.get(delta.index)
        if called is None:
            called = self.calls[delta.index] = _Called()
            self.parts.append(called)
        called.pieces.append(delta)

    def message(self, vendor: str | None) -> Message:
        return Message("assistant", tuple(part.content(vendor) for part in self.parts))


class CompletionAssembler:
    """Collects the chunks of one stream into the completion that they are.

    Parts stand in the order in which they began: words of one kind are joined until another kind begins,
    a signature ends the reasoning before it, and the pieces of a tool call are joined by its index.
    """

    __slots__ = (
        "_answers",
        "_facts",
        "_logprobs",
        "adapted",
        "attempts",
        "cost",
        "decision",
        "finish",
        "native_finish",
        "usage",
    )

    def __init__(self) -> None:
        self._answers: dict[int, _Answer] = {}
        self._facts: dict[str, str] = {}
        self._logprobs: list[Json] = []
        self.finish: FinishReason | None = None
        self.native_finish: str | None = None
        self.usage: Usage | None = None
        self.cost: Money | None = None
        self.decision: RouteDecision | None = None
        self.attempts = 1
        self.adapted: tuple[str, ...] = ()

    def feed(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        answer = self._answers.get(chunk.choice)
        if answer is None:
            answer = self._answers[chunk.choice] = _Answer()
        if chunk.reasoning:
            answer.speak("reasoning", chunk.reasoning)
        if chunk.signature is not None or chunk.encrypted is not None or chunk.reasoning_id is not None:
            answer.sign(chunk.signature, chunk.encrypted, chunk.reasoning_id)
        if chunk.refusal:
            answer.speak("refusal", chunk.refusal)
        if chunk.text:
            answer.speak("text", chunk.text)
        if chunk.citations:
            answer.cite(chunk.citations)
        for delta in chunk.tool_calls:
            answer.call(delta)
        self._note(chunk)

    def _note(self, chunk: Chunk) -> None:
        for name, value in (("model", chunk.model), ("id", chunk.id), ("tier", chunk.service_tier)):
            if value:
                self._facts[name] = value
        if chunk.choice == 0:
            if chunk.finish is not None:
                self.finish, self.native_finish = chunk.finish, chunk.native_finish
            if chunk.logprobs is not None:
                self._logprobs.append(chunk.logprobs)
        self.usage = chunk.usage or self.usage
        self.cost = self.cost if chunk.cost is None else chunk.cost
        self.decision = chunk.decision or self.decision
        self.attempts = max(self.attempts, chunk.attempts)
        self.adapted = self.adapted or chunk.adapted

    @property
    def text(self) -> str:
        """The first answer's text so far."""
        answer = self._answers.get(0)
        parts = () if answer is None else answer.parts
        return "".join(
            "".join(part.pieces) for part in parts if isinstance(part, _Spoken) and part.kind == "text"
        )

    def completion(self, *, created: int = 0) -> Completion:
        """The whole answer so far; `finish` is `error` when the stream did not end well.

        Args:
            created: When, in seconds since 1970.
        """
        model = self._facts.get("model", "")
        vendor = model.partition("/")[0] if "/" in model else None
        messages = {choice: answer.message(vendor) for choice, answer in sorted(self._answers.items())}
        message = messages.pop(0, Message("assistant", ()))
        return Completion(
            model=model,
            message=message,
            finish=self.finish or FinishReason.ERROR,
            native_finish=self.native_finish,
            usage=self.usage,
            cost=self.cost,
            id=self._facts.get("id", ""),
            created=created,
            alternatives=tuple(messages.values()),
            logprobs=_joined(self._logprobs),
            service_tier=self._facts.get("tier"),
            attempts=self.attempts,
            adapted=self.adapted,
            decision=self.decision,
        )


def _joined(pieces: Sequence[Json]) -> Json:
    """Log probabilities of all chunks as one: lists one behind the other, of anything else the newest."""
    said = [piece for piece in pieces if piece is not None]
    if not said:
        return None
    if all(isinstance(piece, list) for piece in said):
        return [item for piece in said for item in as_array(piece)]
    if all(isinstance(piece, dict) for piece in said):
        objects = [as_object(piece) for piece in said]
        names = dict.fromkeys(name for piece in objects for name in piece)
        return {name: _joined([piece.get(name) for piece in objects]) for name in names}
    return said[-1]
