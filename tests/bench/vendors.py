"""Every dialect's vendor in one process that answers at once from prepared bytes, for `providers.py`.

Whole answers have 120 words; streams have an event for each of `EVENTS` words. Below `/paced` each event is a
write of its own with a pause behind it, elsewhere they come as fast as they can be sent. `python vendors.py`
prints the port that it listens on.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import TypeAlias, cast

import uvloop

Body: TypeAlias = Mapping[str, object]
"""A JSON object."""
Event: TypeAlias = tuple[str, object]
"""An event's name, empty for none, and its JSON."""

EVENTS = 200
PAUSE_S = 0.001
WORD = " word"
_TEXT = WORD * 120
_CHAT = {"id": "chatcmpl-bench", "created": 1790000000, "model": "bench-1"}
_CHAT_USAGE = {"prompt_tokens": 40, "completion_tokens": 120, "total_tokens": 160}
_COHERE_USAGE = {"tokens": {"input_tokens": 40, "output_tokens": 120}}
_RESPONSE: Body = {
    "id": "resp_bench",
    "object": "response",
    "created_at": 1790000000,
    "model": "bench-1",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
}
_RESPONSE_USAGE = {
    "input_tokens": 40,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 120,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 160,
}
_MESSAGE: Body = {
    "id": "msg_bench",
    "type": "message",
    "role": "assistant",
    "model": "bench-1",
    "stop_reason": None,
    "stop_sequence": None,
}


def _chat(delta: Body, finish: str | None = None, **more: object) -> Event:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return "", {**_CHAT, "object": "chat.completion.chunk", "choices": [choice], **more}


def _output_text(text: str) -> Body:
    return {"type": "output_text", "text": text, "annotations": []}


def _output_item(text: str, status: str) -> Body:
    content = [_output_text(text)] if text else []
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content}


def _response(status: str, text: str = "") -> Body:
    done = status == "completed"
    output = [_output_item(text, status)] if done else []
    return {**_RESPONSE, "status": status, "output": output, "usage": _RESPONSE_USAGE if done else None}


def _chat_events() -> list[Event]:
    words = [_chat({"content": WORD})] * EVENTS
    usage: Body = {**_CHAT, "object": "chat.completion.chunk", "choices": [], "usage": _CHAT_USAGE}
    return [_chat({"role": "assistant", "content": ""}), *words, _chat({}, "stop"), ("", usage)]


def _mistral_events() -> list[Event]:
    words = [_chat({"content": WORD})] * EVENTS
    end = _chat({"content": ""}, "stop", usage=_CHAT_USAGE)
    return [_chat({"role": "assistant", "content": ""}), *words, end]


def _responses_events() -> list[Event]:
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    text = WORD * EVENTS
    events: list[Body] = [
        {"type": "response.created", "response": _response("in_progress")},
        {"type": "response.in_progress", "response": _response("in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": _output_item("", "in_progress")},
        {"type": "response.content_part.added", **at, "part": _output_text("")},
        *[{"type": "response.output_text.delta", **at, "delta": WORD, "logprobs": []}] * EVENTS,
        {"type": "response.output_text.done", **at, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": _output_text(text)},
        {"type": "response.output_item.done", "output_index": 0, "item": _output_item(text, "completed")},
        {"type": "response.completed", "response": _response("completed", text)},
    ]
    return [
        (cast("str", event["type"]), {**event, "sequence_number": number})
        for number, event in enumerate(events)
    ]


def _anthropic_events() -> list[Event]:
    start: Body = {**_MESSAGE, "content": [], "usage": {"input_tokens": 40, "output_tokens": 1}}
    delta = {"type": "text_delta", "text": WORD}
    events: list[Body] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *[{"type": "content_block_delta", "index": 0, "delta": delta}] * EVENTS,
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 120},
        },
        {"type": "message_stop"},
    ]
    return [(cast("str", event["type"]), event) for event in events]


def _cohere_events() -> list[Event]:
    opened = {"message": {"content": {"type": "text", "text": ""}}}
    begun: Body = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    said = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": WORD}}}}
    events: list[Body] = [
        {"type": "message-start", "id": "bench", "delta": {"message": begun}},
        {"type": "content-start", "index": 0, "delta": opened},
        *[said] * EVENTS,
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": _COHERE_USAGE}},
    ]
    return [(cast("str", event["type"]), event) for event in events]


def _whole(body: object) -> bytes:
    data = json.dumps(body, separators=(",", ":")).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        len(data),
        data,
    )


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _streamed(events: list[Event], *, mark: bool = False) -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    written: list[bytes] = []
    for name, body in events:
        named = f"event: {name}\n" if name else ""
        data = json.dumps(body, separators=(",", ":"))
        written.append(_chunked(f"{named}data: {data}\n\n".encode()))
    if mark:
        written.append(_chunked(b"data: [DONE]\n\n"))
    written[0] = head + written[0]
    written[-1] += b"0\r\n\r\n"
    return written


_SAID = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": _TEXT}}
_CHAT_WHOLE = _whole({**_CHAT, "object": "chat.completion", "choices": [_SAID], "usage": _CHAT_USAGE})
_MESSAGE_WHOLE = {
    **_MESSAGE,
    "stop_reason": "end_turn",
    "content": [{"type": "text", "text": _TEXT}],
    "usage": {"input_tokens": 40, "output_tokens": 120},
}
_COHERE_WHOLE = {
    "id": "bench",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": _TEXT}]},
    "usage": _COHERE_USAGE,
}
ANSWERS: dict[bytes, tuple[bytes, list[bytes]]] = {
    b"/openai/v1/chat/completions": (_CHAT_WHOLE, _streamed(_chat_events(), mark=True)),
    b"/openai/v1/responses": (_whole(_response("completed", _TEXT)), _streamed(_responses_events())),
    b"/anthropic/v1/messages": (_whole(_MESSAGE_WHOLE), _streamed(_anthropic_events())),
    b"/mistral/v1/chat/completions": (_CHAT_WHOLE, _streamed(_mistral_events(), mark=True)),
    b"/cohere/v2/chat": (_whole(_COHERE_WHOLE), _streamed(_cohere_events())),
}
"""By path: a whole answer, and the writes of a streamed one."""


class Vendors(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._pacing: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            body = self._buffer[end + 4 : end + 4 + length]
            if len(body) < length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(head.split(b" ", 2)[1], stream=b'"stream":true' in body or b'"stream": true' in body)

    def _answer(self, path: bytes, *, stream: bool) -> None:
        assert self._transport is not None
        whole, streamed = ANSWERS[path.removeprefix(b"/paced")]
        if not stream:
            self._transport.write(whole)
        elif path.startswith(b"/paced"):
            self._pacing = asyncio.ensure_future(self._pace(streamed))
        else:
            self._transport.writelines(streamed)

    async def _pace(self, streamed: list[bytes]) -> None:
        assert self._transport is not None
        for event in streamed:
            self._transport.write(event)
            await asyncio.sleep(PAUSE_S)


async def main() -> None:
    """Serves until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Vendors, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
