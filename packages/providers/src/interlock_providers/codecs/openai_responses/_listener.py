"""What the events of a stream say, told once although the dialect says most things thrice."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from interlock_core import FinishReason, Json, JsonObject, ToolCallDelta, Usage, new_id
from interlock_core.errors import ProtocolError
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json
from interlock_providers.codecs import Rendered
from interlock_providers.codecs.openai_responses._items import BETWEEN, CALLS
from interlock_providers.codecs.openai_responses._response import chat_logprobs, refuse_failed
from interlock_providers.codecs.openai_responses._usage import read_finish, read_usage

_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_PARTS = {
    "output_text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
    "reasoning_text": ("reasoning", "text"),
    "summary_text": ("reasoning", "text"),
}
"""Kinds of parts: what their words are here, and the field that holds them."""


@dataclass(slots=True)
class Said:
    """What one chunk is to say."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[ToolCallDelta, ...] = ()
    finish: FinishReason | None = None
    native: str | None = None
    usage: Usage | None = None
    citations: tuple[Json, ...] = ()
    logprobs: Json = None
    encrypted: str | None = None
    reasoning_id: str | None = None

    def facts(self) -> tuple[object, ...]:
        """In the order of `said`, which is what the bytes are held to when they are forwarded."""
        return (
            self.text,
            self.reasoning,
            self.refusal,
            self.calls,
            self.finish,
            self.native,
            0,
            self.citations,
            self.logprobs,
            None,
            self.encrypted,
            self.reasoning_id,
        )


@dataclass(slots=True)
class _Item:
    """What a stream has said of one item so far: lengths, because the words themselves are passed on.

    Attributes:
        kind: Its type.
        call: Which call of the answer it is.
        heard: How many characters came of each part, or of a call's arguments.
        cited: How many citations came of each part.
        closed: Nothing more comes.
    """

    kind: str
    call: int = -1
    heard: dict[str, int] = field(default_factory=dict[str, int])
    cited: dict[str, int] = field(default_factory=dict[str, int])
    closed: bool = False


class Listener:
    """Listens to the events of one stream.

    Deltas are passed on as they come. What repeats them (the `done` events and the whole answer at the
    end) is read too, for servers that leave the deltas out; only what was not heard yet is said then.

    Args:
        sent: The request that the stream answers.
        now: Seconds since 1970, to read dates in errors against.
    """

    def __init__(self, sent: Rendered, *, now: float) -> None:
        self.done = False
        """The answer is complete."""
        self.id = ""
        """Its id."""
        self.tier: str | None = None
        """The vendor's word for the tier that serves it."""
        self.mended = False
        """The last event was put right, so its bytes are not what was understood."""
        self.foreign = False
        """The last event tells of something that the vocabulary has no word for."""
        self._names = sent.names
        self._provider = sent.target.provider
        self._now = now
        self._items: dict[int, _Item] = {}
        self._calls = 0
        self._refused = False

    def hear(self, kind: str, body: JsonObject) -> list[Said]:
        """What an event says that was not said before.

        Raises:
            InterlockError: The answer failed, or the event breaks the dialect's format.
        """
        self.mended = not self._names.identity
        self.foreign = False
        if kind in _ENDS:
            return self.end(body, kind)
        reader = _READERS.get(kind)
        self.foreign = reader is None
        return [] if reader is None else reader(self, body)

    def broken(self, what: str) -> ProtocolError:
        """The error for an event that breaks the dialect's format."""
        return ProtocolError(f"An event of the stream of {self._provider} {what}.", vendor=self._provider)

    # What each event says. Those that only frame others say nothing; their bytes are kept all the same.

    def answer(self, body: JsonObject) -> list[Said]:
        """It tells of the answer as a whole."""
        response = as_object(body.get("response"))
        self.id = as_text(response.get("id")) or self.id
        self.tier = as_text(response.get("service_tier")) or self.tier
        return []

    def end(self, body: JsonObject, kind: str) -> list[Said]:
        """The answer ended."""
        self.answer(body)
        response = dict(as_object(body.get("response")))
        response.setdefault("status", kind.removeprefix("response."))
        refuse_failed(response, self._provider, now=self._now)
        said: list[Said] = []
        for index, item in enumerate(as_array(response.get("output"))):
            said.extend(self._whole_item(index, as_object(item)))
        finish, native = read_finish(response, calls=self._calls > 0, refused=self._refused)
        said.append(Said(finish=finish, native=native, usage=read_usage(response)))
        self.done = True
        return said

    def added(self, body: JsonObject) -> list[Said]:
        """An item begins."""
        item = as_object(body.get("item"))
        state = self._begin(self._index(body), item)
        if state.call < 0:
            self.foreign = state.kind not in ("message", "reasoning")
            return []
        return [Said(calls=(self._first(state, item),))]

    def _begin(self, index: int, item: JsonObject) -> _Item:
        kind = as_text(item.get("type")) or ""
        if not kind:
            raise self.broken("begins an item without a type")
        state = self._items[index] = _Item(kind)
        if kind in CALLS:
            state.call = self._calls
            self._calls += 1
        return state

    def _first(self, state: _Item, item: JsonObject) -> ToolCallDelta:
        number, name = as_text(item.get("call_id")), as_text(item.get("name"))
        if not name:
            raise self.broken("begins a call without a name")
        core = self._names.core(name)
        self.mended = self.mended or not number or core != name
        said = item.get(CALLS[state.kind])
        arguments = dump_json(said) if isinstance(said, dict) else as_text(said) or ""
        self.mended = self.mended or isinstance(said, dict)
        state.heard[""] = len(arguments)
        return ToolCallDelta(index=state.call, id=number or new_id("call"), name=core, arguments=arguments)

    def _index(self, body: JsonObject) -> int:
        index = as_int(body.get("output_index"))
        if index is None:
            raise self.broken("does not say which item it belongs to")
        return index

    def _state(self, body: JsonObject) -> _Item:
        state = self._items.get(self._index(body))
        if state is None:
            raise self.broken("goes on with an item that never began")
        return state

    def finished(self, body: JsonObject) -> list[Said]:
        """An item ended."""
        item = as_object(body.get("item"))
        said = self._whole_item(self._index(body), item)
        self.foreign = as_text(item.get("type")) not in ("message", "reasoning", *CALLS)
        return said

    def _whole_item(self, index: int, item: JsonObject) -> list[Said]:
        """What an item says that was not heard yet."""
        state = self._items.get(index)
        said: list[Said] = []
        if state is None:
            state = self._begin(index, item)
            if state.call >= 0:
                state.closed = True
                return [Said(calls=(self._first(state, item),))]
        if state.closed or state.kind != item.get("type"):
            return said
        state.closed = True
        if state.call >= 0:
            return self._rest_of_call(state, as_text(item.get(CALLS[state.kind])))
        for name in ("summary", "content"):
            for place, part in enumerate(as_array(item.get(name))):
                said.extend(self._whole_part(state, f"{name}{place}", as_object(part)))
        if state.kind == "reasoning":
            sealed, number = as_text(item.get("encrypted_content")), as_text(item.get("id"))
            if sealed is not None or number is not None:
                said.append(Said(encrypted=sealed, reasoning_id=number))
        return said

    def _whole_part(self, state: _Item, key: str, part: JsonObject) -> list[Said]:
        kind = as_text(part.get("type")) or ""
        if kind not in _PARTS:
            return []
        word, name = _PARTS[kind]
        whole = as_text(part.get(name)) or ""
        rest = whole[state.heard.get(key, 0) :]
        said = [self._words(state, key, word, rest)] if rest else []
        if rest and (logprobs := as_array(part.get("logprobs"))) and rest == whole:
            said[0].logprobs = chat_logprobs(logprobs)
        cited = as_array(part.get("annotations"))[state.cited.get(key, 0) :]
        if cited:
            state.cited[key] = state.cited.get(key, 0) + len(cited)
            said.append(Said(citations=tuple(cited)))
        return said

    def _words(self, state: _Item, key: str, word: str, text: str) -> Said:
        """The next words of a part; parts of reasoning are told apart by an empty line."""
        before = state.heard.get(key, 0)
        state.heard[key] = before + len(text)
        if word == "text":
            return Said(text=text)
        if word == "refusal":
            self._refused = True
            return Said(refusal=text)
        apart = text and not before and any(size for name, size in state.heard.items() if name != key)
        return Said(reasoning=BETWEEN + text if apart else text)

    def _delta(self, body: JsonObject, key: str, word: str) -> list[Said]:
        text = as_text(body.get("delta")) or ""
        said = self._words(self._state(body), key, word, text)
        logprobs = as_array(body.get("logprobs"))
        if logprobs:
            said.logprobs = chat_logprobs(logprobs)
        return [said]

    def text_delta(self, body: JsonObject) -> list[Said]:
        """The next words of the answer."""
        return self._delta(body, _content(body), "text")

    def refusal_delta(self, body: JsonObject) -> list[Said]:
        """The next words of a refusal."""
        return self._delta(body, _content(body), "refusal")

    def reasoning_delta(self, body: JsonObject) -> list[Said]:
        """The next words of the reasoning."""
        return self._delta(body, _content(body), "reasoning")

    def summary_delta(self, body: JsonObject) -> list[Said]:
        """The next words of a summary of the reasoning."""
        return self._delta(body, _summary(body), "reasoning")

    def text_done(self, body: JsonObject) -> list[Said]:
        """A text ended."""
        return self._whole_part(self._state(body), _content(body), {**body, "type": "output_text"})

    def refusal_done(self, body: JsonObject) -> list[Said]:
        """A refusal ended."""
        return self._whole_part(self._state(body), _content(body), {**body, "type": "refusal"})

    def reasoning_done(self, body: JsonObject) -> list[Said]:
        """A text of the reasoning ended."""
        return self._whole_part(self._state(body), _content(body), {**body, "type": "reasoning_text"})

    def summary_done(self, body: JsonObject) -> list[Said]:
        """A summary of the reasoning ended."""
        return self._whole_part(self._state(body), _summary(body), {**body, "type": "summary_text"})

    def part(self, body: JsonObject) -> list[Said]:
        """A part of an item begins or ended."""
        return self._whole_part(self._state(body), _content(body), as_object(body.get("part")))

    def summary_part(self, body: JsonObject) -> list[Said]:
        """A part of a summary begins or ended."""
        return self._whole_part(self._state(body), _summary(body), as_object(body.get("part")))

    def annotation(self, body: JsonObject) -> list[Said]:
        """The text cites something."""
        state, key = self._state(body), _content(body)
        citation = body.get("annotation")
        state.cited[key] = state.cited.get(key, 0) + 1
        return [] if citation is None else [Said(citations=(citation,))]

    def call_delta(self, body: JsonObject) -> list[Said]:
        """The next characters of what a call wants."""
        state = self._call_state(body)
        text = as_text(body.get("delta")) or ""
        state.heard[""] = state.heard.get("", 0) + len(text)
        return [Said(calls=(ToolCallDelta(index=state.call, arguments=text),))]

    def arguments_done(self, body: JsonObject) -> list[Said]:
        """What a call wants is complete."""
        return self._rest_of_call(self._call_state(body), as_text(body.get("arguments")))

    def input_done(self, body: JsonObject) -> list[Said]:
        """What a call of free text wants is complete."""
        return self._rest_of_call(self._call_state(body), as_text(body.get("input")))

    def _call_state(self, body: JsonObject) -> _Item:
        state = self._state(body)
        if state.call < 0:
            raise self.broken("tells arguments of what is no call")
        return state

    def _rest_of_call(self, state: _Item, whole: str | None) -> list[Said]:
        rest = (whole or "")[state.heard.get("", 0) :]
        if not rest:
            return []
        state.heard[""] = state.heard.get("", 0) + len(rest)
        return [Said(calls=(ToolCallDelta(index=state.call, arguments=rest),))]


def _content(body: JsonObject) -> str:
    return f"content{as_int(body.get('content_index')) or 0}"


def _summary(body: JsonObject) -> str:
    return f"summary{as_int(body.get('summary_index')) or 0}"


_READERS: Mapping[str, Callable[[Listener, JsonObject], list[Said]]] = {
    "response.created": Listener.answer,
    "response.in_progress": Listener.answer,
    "response.queued": Listener.answer,
    "response.output_item.added": Listener.added,
    "response.output_item.done": Listener.finished,
    "response.content_part.added": Listener.part,
    "response.content_part.done": Listener.part,
    "response.output_text.delta": Listener.text_delta,
    "response.output_text.done": Listener.text_done,
    "response.output_text.annotation.added": Listener.annotation,
    "response.refusal.delta": Listener.refusal_delta,
    "response.refusal.done": Listener.refusal_done,
    "response.reasoning_text.delta": Listener.reasoning_delta,
    "response.reasoning_text.done": Listener.reasoning_done,
    "response.reasoning_summary_part.added": Listener.summary_part,
    "response.reasoning_summary_part.done": Listener.summary_part,
    "response.reasoning_summary_text.delta": Listener.summary_delta,
    "response.reasoning_summary_text.done": Listener.summary_done,
    "response.function_call_arguments.delta": Listener.call_delta,
    "response.function_call_arguments.done": Listener.arguments_done,
    "response.custom_tool_call_input.delta": Listener.call_delta,
    "response.custom_tool_call_input.done": Listener.input_done,
}
"""What is done with an event; any other is passed on as it is."""
