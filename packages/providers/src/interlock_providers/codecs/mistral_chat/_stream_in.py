"""A vendor's stream, read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from interlock_core import Chunk, Json, JsonObject, ToolCallDelta
from interlock_core.errors import InterlockError, ProtocolError
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json, parse_json
from interlock_providers.codecs import Rendered, VendorReply
from interlock_providers.codecs._chat_stream import ChoiceStreamParser, StreamedCall, StreamedChoice
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._original import EventBytes
from interlock_providers.codecs.mistral_chat._errors import is_error, parse_error
from interlock_providers.codecs.mistral_chat._ids import made_id, said_id
from interlock_providers.codecs.mistral_chat._notes import DIALECT
from interlock_providers.codecs.mistral_chat._parts import thought
from interlock_providers.codecs.mistral_chat._usage import read_finish, read_tier, read_usage


@dataclass(slots=True)
class _Spoken:
    """What one event can say in the order in which a chunk is read: thought, signature, text, citations."""

    chunks: list[Json] = field(default_factory=list[Json])
    reasoning: str = ""
    signature: str | None = None
    text: str = ""
    citations: list[Json] = field(default_factory=list[Json])

    def add(self, chunk: JsonObject) -> bool:
        """Take a chunk of content; False when it comes after something that is read later."""
        kind = chunk.get("type")
        if kind == "thinking":
            words, signature = thought(chunk.get("thinking")), as_text(chunk.get("signature")) or None
            said = words or signature is not None
            if said and (self.signature is not None or self.text or self.citations):
                return False
            self.reasoning += words
            self.signature = signature or self.signature
        elif kind == "reference":
            self.citations.append(chunk)
        elif text := as_text(chunk.get("text")):
            if self.citations:
                return False
            self.text += text
        self.chunks.append(chunk)
        return True


@dataclass(slots=True)
class _Told:
    """What a stream has told of one call so far."""

    name: str | None
    arguments: list[str] = field(default_factory=list[str])

    @property
    def complete(self) -> bool:
        """The arguments are a whole JSON object."""
        try:
            return isinstance(parse_json("".join(self.arguments)), dict)
        except (ValueError, RecursionError):
            return False


class MistralStreamParser(ChoiceStreamParser):
    """Reads one stream; see `StreamParser`.

    Args:
        sent: The request that it answers.
        attempts: Calls to vendors so far, told in every chunk.
        now: Seconds since 1970, to read dates in errors against.
    """

    def __init__(self, sent: Rendered, *, attempts: int = 1, now: float = 0.0) -> None:
        super().__init__(sent, attempts=attempts, now=now)
        self._told: dict[tuple[int, int], _Told] = {}

    def finish(self) -> Iterator[Chunk]:
        """The vendor closed the stream: yield what is left, and judge whether it was complete."""
        yield from super().finish()
        provider = self._sent.target.provider
        if any(not call.named for choice in self._choices.values() for call in choice.calls):
            raise ProtocolError(f"A tool call in the stream of {provider} has no name.", vendor=provider)

    def _is_error(self, body: JsonObject) -> bool:
        return is_error(body)

    def _error(self, reply: VendorReply) -> InterlockError:
        return parse_error(reply)

    def _said(self, body: JsonObject, choice: JsonObject, raw: bytes) -> Iterable[Chunk]:
        delta = as_object(choice.get("delta"))
        content = delta.get("content")
        if not isinstance(content, list):
            yield self._chunk(body, choice, _Spoken(text=as_text(content) or ""), raw)
            return
        groups = _grouped(content)
        if len(groups) == 1:
            yield self._chunk(body, choice, groups[0], raw)
            return
        # More than one chunk can say in order: each group goes on alone, in an event of its own.
        for index, group in enumerate(groups):
            ends = index == len(groups) - 1
            alone: JsonObject = {
                **choice,
                "delta": {**(delta if ends else {}), "content": group.chunks},
                "finish_reason": choice.get("finish_reason") if ends else None,
            }
            whole: JsonObject = {**body, "choices": [alone]}
            if not ends:
                whole.pop("usage", None)
                alone.pop("logprobs", None)
            self._mended = False
            yield self._chunk(whole, alone, group, b"data: %s\n\n" % to_bytes(whole))

    def _chunk(self, body: JsonObject, choice: JsonObject, spoken: _Spoken, raw: bytes) -> Chunk:
        number, state = self._choice(choice)
        delta = as_object(choice.get("delta"))
        answer = as_text(body.get("id")) or ""
        items = as_array(delta.get("tool_calls"))
        calls = tuple(self._call(state, as_object(item), number, answer) for item in items)
        native = as_text(choice.get("finish_reason"))
        finish = None
        if native is not None:
            finish = read_finish(native, calls=bool(state.calls))
            state.finished = True
        citations = tuple(spoken.citations)
        logprobs = choice.get("logprobs")
        # In the order of `said`, which is what the bytes are held to when they are forwarded.
        heard = (
            spoken.text,
            spoken.reasoning,
            "",
            calls,
            finish,
            native,
            number,
            citations,
            logprobs,
            spoken.signature,
            None,
            None,
        )
        return Chunk(
            text=spoken.text,
            reasoning=spoken.reasoning,
            signature=spoken.signature,
            tool_calls=calls,
            finish=finish,
            native_finish=native,
            usage=read_usage(body.get("usage")),
            model=self._model,
            id=answer,
            choice=number,
            citations=citations,
            logprobs=logprobs,
            service_tier=read_tier(body.get("usage")),
            attempts=self._attempts,
            raw=EventBytes(dialect=DIALECT, body=raw, said=heard, plain=not self._mended),
        )

    def _call(self, state: StreamedChoice, item: JsonObject, number: int, answer: str) -> ToolCallDelta:
        function = as_object(item.get("function"))
        name = as_text(function.get("name")) or None
        call_id = said_id(as_text(item.get("id")))
        key = as_int(item.get("index"))
        call = self._known(state, key, call_id, name, number)
        first = call is None
        if call is None:
            index = len(state.calls)
            call = StreamedCall(
                index=index, id=call_id or made_id(f"{answer}\0{number}\0{index}"), named=False
            )
            state.calls.append(call)
            self._mended = self._mended or call_id is None
        if key is not None:
            state.by_key[key] = call
        said = function.get("arguments")
        arguments = dump_json(said) if isinstance(said, dict) else as_text(said) or ""
        told = self._told.setdefault((number, call.index), _Told(None))
        told.arguments.append(arguments)
        fresh = name if name is not None and not call.named else None
        told.name = told.name or fresh
        core = None if fresh is None else self._sent.names.core(fresh)
        repeated = not first and (name is not None or call_id is not None)
        changed = key != call.index or core != fresh or isinstance(said, dict)
        self._mended = self._mended or repeated or changed
        call.named = call.named or fresh is not None
        return ToolCallDelta(index=call.index, id=call.id if first else None, name=core, arguments=arguments)

    def _known(
        self, state: StreamedChoice, key: int | None, call_id: str | None, name: str | None, number: int
    ) -> StreamedCall | None:
        """The call that a piece goes on with, or None when it begins one.

        The vendor gives every call the index 0 unless it says more, so an id counts before an index. Models
        of others that it hosts change the id in the middle of a call, so a new id begins a call only
        together with a name; and a name alone begins one unless the same call is not yet complete.
        """
        same = next((known for known in state.calls if call_id is not None and known.id == call_id), None)
        if same is not None:
            return same
        call = state.by_key.get(key) if key is not None else None
        if call is None and (key is None or name is None) and state.calls:
            call = state.calls[-1]
        if call is None or name is None:
            return call
        told = self._told.get((number, call.index))
        goes_on = call_id is None and told is not None and told.name in (None, name) and not told.complete
        return call if goes_on or not call.named else None


def _grouped(content: list[Json]) -> list[_Spoken]:
    """The chunks of a delta, in as few groups as keep their order."""
    groups = [_Spoken()]
    for item in content:
        chunk: JsonObject = {"type": "text", "text": item} if isinstance(item, str) else as_object(item)
        if not groups[-1].add(chunk):
            groups.append(_Spoken())
            groups[-1].add(chunk)
    return groups
