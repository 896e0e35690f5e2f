"""A vendor that answers at once: a process of its own, as cheap as Python can make it, for `gateway.py`.

It reads just enough of HTTP to find where a request ends, and answers from prepared bytes: whole, or as a
stream whose events are written one by one. `python vendor.py` prints the port that it listens on.
"""

import asyncio
import sys
from typing import cast

import uvloop

EVENTS = 50
WORD = " word"

_HEAD = b'"id":"chatcmpl-bench","created":1790000000,"model":"echo","system_fingerprint":"fp_bench"'
_USAGE = b'"usage":{"prompt_tokens":200,"completion_tokens":50,"total_tokens":250}'
_TEXT = (WORD * 120).encode()
_WHOLE = (
    b'{%s,"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"%s",'
    b'"refusal":null},"logprobs":null,"finish_reason":"stop"}],%s}' % (_HEAD, _TEXT, _USAGE)
)


def _event(choices: bytes, more: bytes = b'"usage":null') -> bytes:
    data = b'data: {%s,"object":"chat.completion.chunk","choices":[%s],%s}\n\n' % (_HEAD, choices, more)
    return b"%x\r\n%s\r\n" % (len(data), data)


def _delta(delta: bytes, finish: bytes = b"null") -> bytes:
    return _event(b'{"index":0,"delta":{%s},"logprobs":null,"finish_reason":%s}' % (delta, finish))


ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(_WHOLE),
    _WHOLE,
)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    + _delta(b'"role":"assistant","content":"","refusal":null')
)
STREAM_EVENTS = [_delta(b'"content":"%s"' % WORD.encode())] * EVENTS
STREAM_END = _delta(b"", b'"stop"') + _event(b"", _USAGE) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Vendor(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            body = self._buffer[end + 4 : end + 4 + length]
            if len(body) < length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(b'"stream":true' in body or b'"stream": true' in body)

    def _answer(self, stream: bool) -> None:
        assert self._transport is not None
        if not stream:
            self._transport.write(ANSWER)
            return
        self._transport.write(STREAM_HEAD)
        for event in STREAM_EVENTS:
            self._transport.write(event)
        self._transport.write(STREAM_END)


async def main() -> None:
    """Serves until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Vendor, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
