"""A vendor's stream, read."""

from collections.abc import Iterator

from interlock_core import Chunk, JsonObject
from interlock_core.errors import ProtocolError
from interlock_core.jsontypes import as_text, parse_json
from interlock_providers.codecs import Rendered, VendorReply
from interlock_providers.codecs._sse import SseEvent, SseReader
from interlock_providers.codecs.openai_chat._errors import parse_error
from interlock_providers.codecs.openai_responses._event import ResponsesEvent, event_bytes
from interlock_providers.codecs.openai_responses._listener import Listener, Said
from interlock_providers.codecs.openai_responses._notes import DIALECT

_DONE = b"[DONE]"


class ResponsesStreamParser:
    """Reads one stream; see `StreamParser`.

    Args:
        sent: The request that it answers.
        attempts: Calls to vendors so far, told in every chunk.
        now: Seconds since 1970, to read dates in errors against.
    """

    def __init__(self, sent: Rendered, *, attempts: int = 1, now: float = 0.0) -> None:
        self._model = sent.target.id
        self._provider = sent.target.provider
        self._attempts = attempts
        self._now = now
        self._reader = SseReader()
        self._listener = Listener(sent, now=now)
        self._place = 0

    @property
    def done(self) -> bool:
        """The vendor said that nothing more comes."""
        return self._listener.done

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Take the next bytes and yield the chunks that they complete."""
        for event in self._reader.feed(data):
            yield from self._event(event)

    def finish(self) -> Iterator[Chunk]:
        """The vendor closed the stream: yield what is left, and judge whether it was complete."""
        last = self._reader.rest()
        if last is not None and not self.done and _is_whole(last.data):
            yield from self._event(last)
        if not self.done:
            raise ProtocolError(
                f"The stream of {self._provider} ended before the answer did.", vendor=self._provider
            )

    def _event(self, event: SseEvent) -> Iterator[Chunk]:
        """Each thing that an event says; its bytes go with the last."""
        if self.done or event.data.startswith(_DONE):
            return
        body = self._read(event)
        kind = as_text(body.get("type")) or event.event
        said = self._listener.hear(kind, body) or [Said()]
        for one in said[:-1]:
            yield self._chunk(one, None)
        last = said[-1]
        raw = event.raw
        if event.event != kind or not raw.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
            raw = event_bytes({**body, "type": kind})
        yield self._chunk(
            last,
            ResponsesEvent(
                dialect=DIALECT,
                body=raw,
                said=last.facts(),
                plain=not self._listener.mended and len(said) == 1,
                event=body,
                place=self._place,
                foreign=self._listener.foreign,
            ),
        )
        self._place += 1

    def _chunk(self, said: Said, raw: ResponsesEvent | None) -> Chunk:
        return Chunk(
            text=said.text,
            reasoning=said.reasoning,
            refusal=said.refusal,
            tool_calls=said.calls,
            finish=said.finish,
            native_finish=said.native,
            usage=said.usage,
            citations=said.citations,
            logprobs=said.logprobs,
            encrypted=said.encrypted,
            reasoning_id=said.reasoning_id,
            model=self._model,
            id=self._listener.id,
            service_tier=self._listener.tier if said.finish is not None else None,
            attempts=self._attempts,
            raw=raw,
        )

    def _read(self, event: SseEvent) -> JsonObject:
        try:
            body = parse_json(event.data)
        except (ValueError, RecursionError) as exc:
            raise self._listener.broken("is not JSON") from exc
        if not isinstance(body, dict):
            raise self._listener.broken("is no JSON object")
        if body.get("error") is not None or "error" in (event.event, body.get("type")):
            raise parse_error(
                VendorReply(status=200, headers=(), body=event.data, provider=self._provider, now=self._now)
            )
        return body


def _is_whole(data: bytes) -> bool:
    try:
        return isinstance(parse_json(data), dict)
    except (ValueError, RecursionError):
        return False
