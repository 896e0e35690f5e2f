"""A stream, written toward a client."""

import time
from collections.abc import Sequence

from interlock_core import Chunk, CompletionRequest, FinishReason, Json, JsonObject, Reasoning, Usage, new_id
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_int, as_object
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs.openai_chat._errors import error_object
from interlock_providers.codecs.openai_responses._citations import sort_citations
from interlock_providers.codecs.openai_responses._draft import Draft
from interlock_providers.codecs.openai_responses._event import ResponsesEvent, event_bytes
from interlock_providers.codecs.openai_responses._notes import NOTES
from interlock_providers.codecs.openai_responses._request_out import settings
from interlock_providers.codecs.openai_responses._response import own_logprobs, response_object
from interlock_providers.codecs.openai_responses._speaker import Speaker
from interlock_providers.codecs.openai_responses._tools import (
    custom_names,
    write_choice,
    write_format,
    write_tools,
)
from interlock_providers.codecs.openai_responses._usage import Ending, read_usage, write_finish, write_usage

_BEGUN = Ending("in_progress")


class ResponsesStreamRenderer:
    """Writes one stream toward a client; see `StreamRenderer`.

    Events of a vendor of this dialect are passed on as they are while each of them still says what it
    said, and none is missing. From the first that does not, every event is written anew, in the place
    that the client knows: what a vendor repeats at the end could otherwise tell what was taken out.

    Args:
        request: What the client asked.
        created: Seconds since 1970; now unless given.
    """

    def __init__(self, request: CompletionRequest, *, created: int | None = None) -> None:
        self._request = request
        self._created = int(time.time()) if created is None else created
        self._id = ""
        self._model = request.model
        self._tier: str | None = None
        self._usage: Usage | None = None
        self._finish: FinishReason | None = None
        self._native: str | None = None
        self._draft = Draft()
        self._sequence = 0
        self._begun = False
        self._verbatim = True
        self._next = 0
        self._held: JsonObject | None = None
        self._places: dict[int, int] = {}
        self._speaker = Speaker(self._draft, self._event, custom_names(request.extra))

    def chunk(self, chunk: Chunk) -> bytes:
        """The bytes for a chunk; empty when it only holds what is told at the end."""
        self._note(chunk)
        if chunk.choice:
            return b""
        raw = chunk.raw if isinstance(chunk.raw, ResponsesEvent) else None
        if self._verbatim and raw is not None and raw.place == self._next and raw.fits(chunk):
            self._next += 1
            return self._forwarded(raw)
        if self._verbatim:
            self._verbatim = False
            self._speaker.adopt()
        told = self._begin() + self._speak(chunk, native=raw is not None)
        if raw is not None and raw.foreign and raw.said == _NOTHING:
            told += self._foreign(raw.event)
        return told

    def end(self, interlock: JsonObject | None = None) -> bytes:
        """The bytes that end a stream well."""
        if self._held is not None and self._verbatim:
            return self._ended(self._held, interlock)
        told = self._begin() + self._speaker.close()
        items = self._draft.output()
        refused = any(
            as_object(part).get("type") == "refusal"
            for item in items
            for part in _content(as_object(item).get("content"))
        )
        ending = write_finish(self._finish, self._native, refused=refused)
        body = self._response(ending, items)
        body["usage"] = write_usage(self._usage)
        if interlock is not None:
            body["interlock"] = interlock
        return told + self._event(ending.event, response=body)

    def error(self, error: InterlockError) -> bytes:
        """The bytes that end a stream with an error."""
        said = error_object(error)
        # Clients act on the inner object; the fields beside it are those of the dialect's event.
        return self._event(
            "error", code=said["code"], message=said["message"], param=said["param"], error=said
        )

    def _note(self, chunk: Chunk) -> None:
        self._id = chunk.id or self._id
        self._model = chunk.model or self._model
        self._tier = chunk.service_tier or self._tier
        self._usage = chunk.usage or self._usage
        if chunk.finish is not None and not chunk.choice:
            self._finish, self._native = chunk.finish, chunk.native_finish

    def _forwarded(self, raw: ResponsesEvent) -> bytes:
        """A vendor's event as it came, with our name of the model where it names one."""
        event = raw.event
        number = as_int(event.get("sequence_number"))
        self._sequence = self._sequence + 1 if number is None else number + 1
        self._begun = True
        index = as_int(event.get("output_index"))
        if index is not None:
            self._places[index] = index
        self._draft.watch(event)
        if self._finish is not None:
            self._held = event
            return b""
        response = event.get("response")
        if not isinstance(response, dict) or "model" not in response:
            return raw.body
        return event_bytes({**event, "response": {**response, "model": self._model}})

    def _ended(self, event: JsonObject, interlock: JsonObject | None) -> bytes:
        response = {**as_object(event.get("response")), "model": self._model}
        if self._usage != read_usage(response):
            response["usage"] = write_usage(self._usage)
        if interlock is not None:
            response["interlock"] = interlock
        return event_bytes({**event, "response": response})

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        self._id = self._id or new_id("resp")
        self._speaker.answer = self._id
        body = self._response(_BEGUN, [])
        return self._event("response.created", response=body) + self._event(
            "response.in_progress", response=body
        )

    def _speak(self, chunk: Chunk, *, native: bool) -> bytes:
        """What a chunk says, in the order in which an answer is put together from its chunks."""
        speaker = self._speaker
        speaker.answer = self._id or speaker.answer
        vendor = self._model.partition("/")[0] if "/" in self._model else None
        speaker.vendor = None if native else vendor
        told: list[bytes] = []
        if chunk.reasoning:
            told.append(speaker.think(chunk.reasoning))
        if chunk.signature is not None or chunk.encrypted is not None or chunk.reasoning_id is not None:
            part = Reasoning(
                signature=chunk.signature, encrypted=chunk.encrypted, id=chunk.reasoning_id, vendor=vendor
            )
            told.append(speaker.sign(part, native=native))
        if chunk.refusal:
            told.append(speaker.say("refusal", chunk.refusal))
        if chunk.text:
            told.append(speaker.say("output_text", chunk.text, own_logprobs(chunk.logprobs)))
        if chunk.citations:
            told.append(speaker.cite(*sort_citations(chunk.citations)))
        told.extend(speaker.call(piece) for piece in chunk.tool_calls)
        return b"".join(told)

    def _foreign(self, event: JsonObject) -> bytes:
        """An event of an item that only the dialect knows, in the place that it has here."""
        index = as_int(event.get("output_index"))
        kind = str(event.get("type"))
        fields = {name: value for name, value in event.items() if name not in ("type", "sequence_number")}
        if index is not None:
            if index not in self._places:
                self._places[index] = self._draft.begin(as_object(event.get("item"))).index
            fields["output_index"] = self._places[index]
            self._draft.watch({**fields, "type": "" if kind.endswith("added") else kind})
        return self._event(kind, **fields)

    def _event(self, kind: str, **fields: Json) -> bytes:
        number = self._sequence
        self._sequence += 1
        return event_bytes({"type": kind, "sequence_number": number, **fields})

    def _response(self, ending: Ending, output: list[Json]) -> JsonObject:
        body = response_object(
            number=self._id,
            created=self._created,
            model=self._model,
            output=output,
            ending=ending,
            tier=self._tier,
        )
        body.update(echo(self._request))
        return body


def _content(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()


def echo(request: CompletionRequest) -> JsonObject:
    """What an answer repeats of the request that it answers."""
    note = NOTES.of(request.extra)
    names = ToolNames(())
    made = settings(request, note)
    made.pop("service_tier", None)
    made["tools"] = write_tools(request.tools, note, names)
    made.update(write_choice(request.tool_choice, note, names, own=True))
    if request.response_format is not None:
        made["text"] = {"format": write_format(request.response_format)}
    reasoning: JsonObject = {"effort": None, "summary": None, **as_object(made.get("reasoning"))}
    return {**made, "reasoning": reasoning}


_NOTHING = ("", "", "", (), None, None, 0, (), None, None, None, None)
