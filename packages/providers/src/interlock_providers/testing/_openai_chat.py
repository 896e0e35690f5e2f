"""A simulated vendor of the dialect that OpenAI's Chat Completions began."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Self

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_providers.testing import _openai_wire as wire
from interlock_providers.testing._script import Failure, RawReply, Say, Scripted, ToolUse

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class OpenAIChatServer:
    """A vendor on loopback for the length of an `async with`.

    It answers `/v1/chat/completions`, `/v1/embeddings` and `/v1/models`. What is scripted with `then` is
    answered first, in order; after that it answers for itself: a tool call where one is required, JSON
    where a schema is given, else what it was told, said again. It refuses what the vendor would refuse.

    Args:
        models: The models that it lists and serves.
        key: The key that it wants; None wants none.
        default: What it says once its script is empty; None answers for itself.

    Attributes:
        models: The models that it lists and serves.
        asked: Set whenever a request has come.
    """

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
        return f"{self._server.url}/v1"

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

    async def _handle(self, request: ReceivedRequest) -> Answer:
        self._answers += 1
        self.asked.set()
        headers = (
            ("x-request-id", f"req_{self._answers}"),
            ("openai-processing-ms", "1"),
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-remaining-requests", "9999"),
            ("x-ratelimit-reset-requests", "6ms"),
        )
        if self._key is not None and request.header("authorization") != f"Bearer {self._key}":
            return _failed(Failure.bad_key(), headers)
        match (request.method, request.path):
            case ("GET", "/v1/models"):
                listed: list[Json] = [
                    {"id": name, "object": "model", "created": wire.CREATED, "owned_by": "simulated"}
                    for name in self.models
                ]
                return _json({"object": "list", "data": listed}, headers)
            case ("POST", "/v1/embeddings"):
                return self._scripted(headers) or _embeddings(as_object(request.json()), headers)
            case ("POST", "/v1/chat/completions"):
                return self._complete(as_object(request.json()), headers)
            case _:
                words = f"Invalid URL ({request.method} {request.path})"
                return _failed(Failure(status=404, message=words), headers)

    def _scripted(self, headers: tuple[tuple[str, str], ...]) -> Answer | None:
        """The next answer of the script where it is not something to say."""
        if self._script and not isinstance(self._script[0], Say):
            return _unsaid(self._script.popleft(), headers)
        return None

    def _complete(self, asked: JsonObject, headers: tuple[tuple[str, str], ...]) -> Answer:
        if (wrong := _refusal(asked, self.models)) is not None:
            return _failed(wrong, headers)
        step = self._script.popleft() if self._script else self._default
        if step is None:
            step = _own_answer(asked)
        if not isinstance(step, Say):
            return _unsaid(step, headers)
        answer = f"chatcmpl-{self._answers}"
        choices = as_int(asked.get("n")) or 1
        if not asked.get("stream"):
            return _json(wire.whole(step, asked, answer, choices), (*step.headers, *headers))
        kind = ("content-type", "text/event-stream; charset=utf-8")
        head = (kind, *step.headers, *headers)
        events = _events(step, asked, answer, choices)
        if step.cut_after is None:
            return Answer(headers=head, body=events)
        cut = _cut(events, step.cut_after)
        return Answer(headers=head, body=cut) if step.clean_cut else Answer(body=_torn(cut, head), raw=True)


def _json(body: JsonObject, headers: tuple[tuple[str, str], ...], status: int = 200) -> Answer:
    kind = ("content-type", "application/json")
    return Answer(status=status, headers=(kind, *headers), body=dump_json(body).encode())


def _failed(failure: Failure, headers: tuple[tuple[str, str], ...]) -> Answer:
    return _json(failure.body(), (*failure.headers, *headers), failure.status)


def _unsaid(step: Failure | RawReply | Say, headers: tuple[tuple[str, str], ...]) -> Answer:
    if isinstance(step, Failure):
        return _failed(step, headers)
    assert isinstance(step, RawReply)
    kind = ("content-type", step.content_type)
    return Answer(status=step.status, headers=(kind, *step.headers, *headers), body=step.body)


def _refusal(asked: JsonObject, models: Sequence[str]) -> Failure | None:
    """What the vendor would refuse, with its code."""
    model = as_text(asked.get("model"))
    if not as_array(asked.get("messages")):
        return Failure(status=400, message="Missing required parameter: 'messages'.", param="messages")
    if model not in models:
        words = f"The model `{model}` does not exist or you do not have access to it."
        return Failure(status=404, code="model_not_found", message=words, param="model")
    if asked.get("stream_options") is not None and not asked.get("stream"):
        words = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return Failure(status=400, message=words, param="stream_options")
    for index, tool in enumerate(as_array(asked.get("tools"))):
        name = as_text(as_object(as_object(tool).get("function")).get("name"))
        if as_object(tool).get("type") == "function" and not _TOOL_NAME.fullmatch(name or ""):
            path = f"tools[{index}].function.name"
            words = f"Invalid '{path}': string does not match pattern '^[a-zA-Z0-9_-]+$'."
            return Failure(status=400, code="invalid_value", message=words, param=path)
    return None


def _own_answer(asked: JsonObject) -> Say:
    """What the simulated model says for itself."""
    choice = asked.get("tool_choice")
    tools = [as_object(as_object(tool).get("function")) for tool in as_array(asked.get("tools"))]
    named = as_text(as_object(as_object(choice).get("function")).get("name"))
    wanted = [tool for tool in tools if named in (None, tool.get("name"))]
    if wanted and (choice == "required" or named is not None):
        arguments = dump_json(wire.example(as_object(wanted[0].get("parameters"))))
        return Say(calls=(ToolUse(as_text(wanted[0].get("name")) or "", arguments),))
    form = as_object(asked.get("response_format"))
    if form.get("type") in ("json_schema", "json_object"):
        schema = as_object(as_object(form.get("json_schema")).get("schema"))
        return Say(dump_json(wire.example(schema or {"type": "object"})))
    words = f"You said: {wire.last_said(asked)}".split(" ")
    most = as_int(asked.get("max_completion_tokens")) or as_int(asked.get("max_tokens")) or len(words)
    return Say(" ".join(words[:most]), finish="length" if most < len(words) else None)


async def _events(say: Say, asked: JsonObject, answer: str, choices: int) -> AsyncGenerator[bytes, None]:
    usage_asked = bool(as_object(asked.get("stream_options")).get("include_usage"))

    def event(listed: list[Json], usage: Json = None) -> bytes:
        return wire.event(asked, answer, listed, usage=usage, asked=usage_asked)

    gates = iter(say.gates)
    delta: JsonObject = {}
    for number, delta in enumerate(wire.deltas(say)):
        if number and (gate := next(gates, None)) is not None:
            await gate.wait()
        for index in range(choices):
            yield event([wire.choice(index, delta, logprobs=say.logprobs if number == 1 else None)])
    while say.endless:
        await asyncio.sleep(0)
        yield event([wire.choice(0, delta)])
    if say.hold:
        await asyncio.Event().wait()
    if say.fail is not None:
        yield b"data: %s\n\n" % dump_json(say.fail.body()).encode()
        return
    for ending in _ending(say, asked, choices):
        yield event(*ending)
    if say.end_mark:
        yield b"data: [DONE]\n\n"


def _ending(say: Say, asked: JsonObject, choices: int) -> Iterator[tuple[list[Json], Json]]:
    """Choices and usage of the events that end a stream."""
    for index in range(choices):
        yield [wire.choice(index, {}, wire.finish_of(say))], None
    usage = wire.usage_of(say, asked)
    if usage is not None and as_object(asked.get("stream_options")).get("include_usage"):
        yield [], usage


async def _cut(events: AsyncGenerator[bytes, None], most: int) -> AsyncGenerator[bytes, None]:
    async for data in events:
        yield data[:most]
        most -= len(data)
        if most <= 0:
            return


async def _torn(
    events: AsyncGenerator[bytes, None], headers: tuple[tuple[str, str], ...]
) -> AsyncGenerator[bytes, None]:
    """An HTTP message whose end never comes."""
    lines = [f"{name}: {value}\r\n" for name, value in (*headers, ("transfer-encoding", "chunked"))]
    yield f"HTTP/1.1 200 OK\r\n{''.join(lines)}\r\n".encode()
    async for data in events:
        if data:
            yield b"%x\r\n%s\r\n" % (len(data), data)


def _embeddings(asked: Mapping[str, Json], headers: tuple[tuple[str, str], ...]) -> Answer:
    import base64
    import hashlib
    import struct

    given = asked.get("input")
    texts = [given] if isinstance(given, str) else [as_text(text) or "" for text in as_array(given)]
    size = as_int(asked.get("dimensions")) or 8
    data: list[Json] = []
    for index, text in enumerate(texts):
        digest = hashlib.shake_128(text.encode()).digest(size)
        vector = [(byte - 128) / 128 for byte in digest]
        packed = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        value: Json = packed if asked.get("encoding_format") == "base64" else [*vector]
        data.append({"object": "embedding", "index": index, "embedding": value})
    used = sum(wire.count(text) for text in texts)
    body: JsonObject = {
        "object": "list",
        "data": data,
        "model": asked.get("model"),
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }
    return _json(body, headers)
