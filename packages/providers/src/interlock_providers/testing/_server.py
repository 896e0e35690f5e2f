"""What every simulated vendor stands on: a server, a script, and streams that break as told."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self, TypeAlias

from interlock_core import JsonObject
from interlock_core.jsontypes import Json, as_object, dump_json
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_providers.testing._script import Failure, Meaning, RawReply, Say, Scripted

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Headers in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request as a vendor sees it.

    Attributes:
        request: The request.
        body: Its JSON; empty when it has none.
        number: Which request it is, from 1.
        headers: What every answer to it carries.
    """

    request: ReceivedRequest
    body: JsonObject
    number: int
    headers: Headers


@dataclass(frozen=True, slots=True)
class Frame:
    """An event of a stream.

    Attributes:
        body: Its JSON, or bytes that go out as they are.
        part: Whether it opens something, is a piece of the answer, belongs to the piece before it, closes
            something, or is what ends the stream. The script's pace and breaks go by it.
    """

    body: JsonObject | bytes
    part: Literal["open", "piece", "same", "close", "end"] = "open"


class Endpoint(ABC):
    """One way of a vendor to be asked for an answer."""

    ping: bytes = b": ping\n\n"
    """What says nothing on a stream."""

    @abstractmethod
    def refused(self, ask: Ask) -> Failure | None:
        """What the vendor would refuse, with its own words; None for nothing."""

    @abstractmethod
    def own_answer(self, ask: Ask) -> Say:
        """What the simulated model says for itself."""

    @abstractmethod
    def whole(self, say: Say, ask: Ask) -> JsonObject:
        """A whole answer."""

    @abstractmethod
    def frames(self, say: Say, ask: Ask) -> Sequence[Frame]:
        """The events of a streamed answer."""

    @abstractmethod
    def failed(self, failure: Failure, ask: Ask) -> JsonObject:
        """The event that tells of a failure on a stream."""

    def broken(self, say: Say) -> bool:
        """Whether a streamed answer ends with an event that tells of a failure, in place of its own end."""
        return say.fail is not None

    def encode(self, body: JsonObject, number: int) -> bytes:
        """The bytes of an event, the `number`th of its stream; without a name unless overridden."""
        del number
        return b"data: %s\n\n" % dump_json(body).encode()


class SimulatedVendor(ABC):
    """A vendor on loopback for the length of an `async with`.

    What is scripted with `then` is answered first, in order; after that it answers for itself: a tool call
    where one is required, JSON where a schema is given, else what it was told, said again. It refuses what
    the vendor would refuse. Ids are counted and times stand still: the same script gives the same bytes.

    Args:
        models: The models that it lists and serves.
        key: The key that it wants; None wants none.
        default: What it says once its script is empty; None answers for itself.

    Attributes:
        models: The models that it lists and serves.
        asked: Set whenever a request has come.
    """

    failures: ClassVar[Mapping[Meaning, Failure]] = {}
    """The vendor's status, code, type and words for each meaning; `{detail}` stands for a failure's own."""

    prefix: ClassVar[str] = "/v1"
    """Path of the base URL."""

    def __init__(
        self, *, models: Sequence[str] = ("sim-1",), key: str | None = None, default: Scripted | None = None
    ) -> None:
        self.models = tuple(models)
        self.asked = asyncio.Event()
        self._key = key
        self._default = default
        self._script: deque[Scripted] = deque()
        self._answers = 0
        self._server = LoopbackServer(self._handle)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._server.__aexit__(*exc_info)

    @property
    def url(self) -> str:
        """The base URL, such as `http://127.0.0.1:41234/v1`."""
        return f"{self._server.url}{self.prefix}"

    @property
    def origin(self) -> str:
        """The origin of the base URL."""
        return self._server.url

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Every request so far, in order."""
        return self._server.requests

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._server.connections

    @property
    def client_left(self) -> asyncio.Event:
        """Set when a client closed its connection before its answer was complete."""
        return self._server.client_left

    def then(self, *answers: Scripted) -> Self:
        """Answer the next requests like this."""
        self._script.extend(answers)
        return self

    def forget(self) -> None:
        """Drop what is left of the script."""
        self._script.clear()

    def change_key(self, key: str | None) -> None:
        """Want another key from now on."""
        self._key = key

    @abstractmethod
    def route(self, ask: Ask) -> Answer | None:
        """The answer to a request of a client with the right key; None where the vendor has no such path."""

    @abstractmethod
    def headers_of(self, number: int) -> Headers:
        """What every answer carries: the request's id, limits and the like."""

    @abstractmethod
    def failure_body(self, failure: Failure, ask: Ask) -> JsonObject:
        """An error in the vendor's shape; its words are already the vendor's."""

    def shown_keys(self, request: ReceivedRequest) -> Sequence[str | None]:
        """Every place where the vendor takes a key, as it is in this request."""
        scheme, _, key = (request.header("authorization") or "").partition(" ")
        return (key if scheme.lower() == "bearer" else None,)

    def worded(self, failure: Failure) -> Failure:
        """A failure in the vendor's words."""
        ours = None if failure.means is None else self.failures.get(failure.means)
        if ours is None:
            return failure
        message = ours.message.replace("{detail}", failure.detail)
        param = ours.param or (failure.param if failure.means == "invalid" else None)
        return replace(ours, message=message, param=param, headers=(*ours.headers, *failure.headers))

    def json(self, body: Json, ask: Ask, *, status: int = 200, headers: Headers = ()) -> Answer:
        """A whole answer of JSON."""
        kind = ("content-type", "application/json")
        data = dump_json(body).encode()
        return Answer(status=status, headers=(kind, *headers, *ask.headers), body=data)

    def fail(self, failure: Failure, ask: Ask) -> Answer:
        """An error as an answer."""
        ours = self.worded(failure)
        return self.json(self.failure_body(ours, ask), ask, status=ours.status, headers=ours.headers)

    def unsaid(self, ask: Ask) -> Answer | None:
        """The next answer of the script where it is not something to say, for what is no conversation."""
        if not self._script or isinstance(step := self._script[0], Say):
            return None
        self._script.popleft()
        return self._unsaid(step, ask)

    def converse(self, endpoint: Endpoint, ask: Ask) -> Answer:
        """The answer of one endpoint: the script's, the default, or its own."""
        if (wrong := endpoint.refused(ask)) is not None:
            return self.fail(wrong, ask)
        step = self._script.popleft() if self._script else self._default
        if step is None:
            step = endpoint.own_answer(ask)
        if not isinstance(step, Say):
            return self._unsaid(step, ask)
        if step.fail is not None:
            step = replace(step, fail=self.worded(step.fail))
        if not ask.body.get("stream"):
            return self.json(endpoint.whole(step, ask), ask, headers=step.headers)
        kind = ("content-type", "text/event-stream; charset=utf-8")
        head = (kind, *step.headers, *ask.headers)
        events = _events(endpoint, step, ask)
        if step.cut_after is None:
            return Answer(headers=head, body=events)
        cut = _cut(events, step.cut_after)
        return Answer(headers=head, body=cut) if step.clean_cut else Answer(body=_torn(cut, head), raw=True)

    def _unsaid(self, step: Failure | RawReply, ask: Ask) -> Answer:
        if isinstance(step, Failure):
            return self.fail(step, ask)
        kind = ("content-type", step.content_type)
        return Answer(status=step.status, headers=(kind, *step.headers, *ask.headers), body=step.body)

    def _handle(self, request: ReceivedRequest) -> Answer:
        self._answers += 1
        self.asked.set()
        headers = self.headers_of(self._answers)
        ask = Ask(request=request, body={}, number=self._answers, headers=headers)
        if self._key is not None and self._key not in self.shown_keys(request):
            return self.fail(Failure.bad_key(), ask)
        if request.body:
            try:
                ask = replace(ask, body=as_object(request.json()))
            except ValueError:
                return self.fail(Failure.invalid("We could not parse the JSON body of your request."), ask)
        return self.route(ask) or self.fail(Failure.not_found(f"{request.method} {request.path}"), ask)


async def _events(endpoint: Endpoint, say: Say, ask: Ask) -> AsyncGenerator[bytes, None]:
    broken = endpoint.broken(say)
    frames = _until_break(endpoint.frames(say, ask), say, broken=broken)
    gates = iter(say.gates)
    number = 0
    for number, frame in enumerate(frames):
        if frame.part == "piece":
            if (gate := next(gates, None)) is not None:
                await gate.wait()
            if say.pings:
                yield endpoint.ping
        yield frame.body if isinstance(frame.body, bytes) else endpoint.encode(frame.body, number)
    while say.endless:
        await asyncio.sleep(0)
        number += 1
        again = frames[-1].body
        yield again if isinstance(again, bytes) else endpoint.encode(again, number)
    if say.hold:
        await asyncio.Event().wait()
    if broken and say.fail is not None:
        yield endpoint.encode(endpoint.failed(say.fail, ask), number + 1)


def _until_break(frames: Sequence[Frame], say: Say, *, broken: bool) -> Sequence[Frame]:
    """The events that come, up to where the script breaks the answer off."""
    if not (say.endless or say.hold or broken):
        return frames if say.end_mark else [frame for frame in frames if frame.part != "end"]
    starts = [at for at, frame in enumerate(frames) if frame.part == "piece"]
    if say.fail_after is not None and say.fail_after < len(starts):
        return frames[: starts[say.fail_after]]
    if not starts:
        return frames[: next((at for at, frame in enumerate(frames) if frame.part in {"close", "end"}), None)]
    end = starts[-1] + 1
    while end < len(frames) and frames[end].part == "same":
        end += 1
    return frames[:end]


async def _cut(events: AsyncGenerator[bytes, None], most: int) -> AsyncGenerator[bytes, None]:
    async for data in events:
        yield data[:most]
        most -= len(data)
        if most <= 0:
            return


async def _torn(events: AsyncGenerator[bytes, None], headers: Headers) -> AsyncGenerator[bytes, None]:
    """An HTTP message whose end never comes."""
    lines = [f"{name}: {value}\r\n" for name, value in (*headers, ("transfer-encoding", "chunked"))]
    yield f"HTTP/1.1 200 OK\r\n{''.join(lines)}\r\n".encode()
    async for data in events:
        if data:
            yield b"%x\r\n%s\r\n" % (len(data), data)
