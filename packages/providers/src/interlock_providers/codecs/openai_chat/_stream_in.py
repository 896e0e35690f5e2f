"""A vendor's stream, read."""

from collections.abc import Iterable

from interlock_core import Chunk, Json, JsonObject, ToolCallDelta, new_id
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json
from interlock_providers.codecs import VendorReply
from interlock_providers.codecs._chat_stream import ChoiceStreamParser, StreamedCall, StreamedChoice
from interlock_providers.codecs._original import EventBytes
from interlock_providers.codecs.openai_chat._errors import parse_error
from interlock_providers.codecs.openai_chat._notes import DIALECT
from interlock_providers.codecs.openai_chat._usage import read_finish, read_usage


class ChatStreamParser(ChoiceStreamParser):
    """Reads one stream; see `StreamParser`.

    Args:
        sent: The request that it answers.
        attempts: Calls to vendors so far, told in every chunk.
        now: Seconds since 1970, to read dates in errors against.
    """

    def _is_error(self, body: JsonObject) -> bool:
        return body.get("error") is not None

    def _error(self, reply: VendorReply) -> InterlockError:
        return parse_error(reply)

    def _said(self, body: JsonObject, choice: JsonObject, raw: bytes) -> Iterable[Chunk]:
        return (self._chunk(body, choice, raw),)

    def _chunk(self, body: JsonObject, choice: JsonObject, raw: bytes) -> Chunk:
        number, state = self._choice(choice)
        delta = as_object(choice.get("delta"))
        called = delta.get("tool_calls")
        calls = tuple(self._call(state, as_object(item)) for item in as_array(called)) if called else ()
        refusal = as_text(delta.get("refusal")) or ""
        if refusal:
            state.refused = True
        native = as_text(choice.get("finish_reason"))
        finish = None
        if native is not None:
            finish = read_finish(native, calls=bool(state.calls), refused=state.refused)
            state.finished = True
        text = _text(delta.get("content"))
        reasoning = as_text(delta.get("reasoning_content")) or as_text(delta.get("reasoning")) or ""
        cited = delta.get("annotations")
        citations = tuple(as_array(cited)) if cited else ()
        logprobs = choice.get("logprobs")
        # In the order of `said`, which is what the bytes are held to when they are forwarded.
        heard = (
            text,
            reasoning,
            refusal,
            calls,
            finish,
            native,
            number,
            citations,
            logprobs,
            None,
            None,
            None,
        )
        return Chunk(
            text=text,
            reasoning=reasoning,
            refusal=refusal,
            tool_calls=calls,
            finish=finish,
            native_finish=native,
            usage=read_usage(body.get("usage")),
            model=self._model,
            id=as_text(body.get("id")) or "",
            choice=number,
            citations=citations,
            logprobs=logprobs,
            service_tier=as_text(body.get("service_tier")),
            attempts=self._attempts,
            raw=EventBytes(dialect=DIALECT, body=raw, said=heard, plain=not self._mended),
        )

    def _call(self, state: StreamedChoice, item: JsonObject) -> ToolCallDelta:
        function = as_object(item.get("function"))
        name, call_id = as_text(function.get("name")) or None, as_text(item.get("id")) or None
        key = as_int(item.get("index"))
        call = self._known(state, key, call_id, name)
        first = call is None
        if call is None:
            call = StreamedCall(index=len(state.calls), id=call_id or new_id("call"), named=False)
            state.calls.append(call)
            self._mended = self._mended or call_id is None
        if key is not None:
            state.by_key[key] = call
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments, self._mended = dump_json(arguments), True
        fresh = name if name is not None and not call.named else None
        core = None if fresh is None else self._sent.names.core(fresh)
        repeated = not first and (name is not None or call_id is not None)
        self._mended = self._mended or key != call.index or core != fresh or repeated
        call.named = call.named or fresh is not None
        return ToolCallDelta(
            index=call.index, id=call.id if first else None, name=core, arguments=as_text(arguments) or ""
        )

    def _known(
        self, state: StreamedChoice, key: int | None, call_id: str | None, name: str | None
    ) -> StreamedCall | None:
        """The call that a piece goes on with, or None when it begins one.

        Some servers give every call the index 0, or none, and tell calls apart by their ids; some change
        the id in the middle of a call. So a new id begins a call only together with a name.
        """
        call = state.by_key.get(key) if key is not None else (state.calls[-1] if state.calls else None)
        if call is None or call_id is None or call_id == call.id:
            return call
        same = next((known for known in state.calls if known.id == call_id), None)
        if same is not None:
            return same
        return None if name is not None else call


def _text(value: Json) -> str:
    """The text of a delta's content, which some servers send as a list of parts."""
    if isinstance(value, str):
        return value
    return "".join(as_text(as_object(part).get("text")) or "" for part in as_array(value))
