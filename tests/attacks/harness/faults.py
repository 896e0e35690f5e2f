"""A vendor that fails in every way a table names, and says the key in whatever it says.

Each fault has a path of its own, so that one configuration has a provider for each.
"""

import gzip
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from pathlib import Path

from interlock_core import JsonObject
from interlock_core.jsontypes import dump_json
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest, json_answer

CANARY = "q7Zr1Vx9Kd3Tm5Wp8Ls2Hc6NfBy4"
"""The vendor's key. No run of eight of its characters stands anywhere by chance."""

FRAGMENTS = tuple(CANARY[at : at + 8] for at in range(len(CANARY) - 7))
MASKED = f"{CANARY[:11]}{'*' * 12}{CANARY[-9:]}"
"""The key as vendors mask it: the beginning and the end of it still stand there."""

WORDS = f"Incorrect API key provided: {CANARY} ({MASKED}). What ends in {CANARY[-12:]} is not active."
_ERROR: JsonObject = {
    "error": {"message": WORDS, "type": "invalid_request_error", "param": None, "code": CANARY}
}


def _failed(status: int) -> Answer:
    return json_answer(_ERROR, status=status, headers=(("x-request-id", CANARY),))


def _echoed(request: ReceivedRequest) -> Answer:
    told = f"{request.target} {request.headers} {request.body!r} {WORDS}"
    return json_answer({"error": {"message": told, "request": told}}, status=500)


async def _broken(piece: bytes) -> AsyncIterable[bytes]:
    yield piece
    raise ConnectionResetError


def _streamed(_: ReceivedRequest) -> Answer:
    delta: JsonObject = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "one"}}]}
    events = f"data: {dump_json(delta)}\n\ndata: {dump_json(_ERROR)}\n\n".encode()
    return Answer(headers=(("content-type", "text/event-stream"),), body=_broken(events))


def _page(_: ReceivedRequest) -> Answer:
    return Answer(status=502, headers=(("content-type", "text/html"),), body=f"<h1>{WORDS}</h1>".encode())


def _packed(_: ReceivedRequest) -> Answer:
    """Says that it is compressed, and is not: reading the error fails too."""
    body = gzip.compress(WORDS.encode())[:-9] + CANARY.encode()
    headers = (("content-type", "application/json"), ("content-encoding", "gzip"))
    return Answer(status=500, headers=headers, body=body)


def _moved(_: ReceivedRequest) -> Answer:
    return Answer(
        status=307, headers=(("location", f"http://127.0.0.1:9/?api_key={CANARY}"),), body=WORDS.encode()
    )


def _other_shape(_: ReceivedRequest) -> Answer:
    return json_answer({"choices": {CANARY: WORDS}, "usage": CANARY, "id": [WORDS]})


ANSWERS: Mapping[str, Callable[[ReceivedRequest], Answer]] = {
    "wrong key at the vendor (401)": lambda _: _failed(401),
    "vendor answers 403 and repeats the key": lambda _: _failed(403),
    "vendor answers 429": lambda _: _failed(429),
    "vendor answers 500 with the request in the body": _echoed,
    "vendor answers HTML": _page,
    "connection reset": lambda _: Answer(raw=True, body=f"HTTP/1.1 200 OK\r\nx-key: {CANARY}\r\n".encode()),
    # What waits inside ends after ten minutes; a vendor's own gateway says so sooner.
    "timeout": lambda _: _failed(504),
    "answer is no JSON": lambda _: Answer(
        headers=(("content-type", "application/json"),), body=WORDS.encode()
    ),
    "stream breaks": _streamed,
    "redirect refused": _moved,
    "body too large": lambda _: _failed(413),
    "proxy refuses with the address": lambda _: _failed(407),
    "schema of the answer differs": _other_shape,
    "debug log is on": lambda _: _failed(401),
    "exception within an exception": _packed,
    "process ends by a signal": lambda _: _failed(400),
    "store refuses the row": lambda _: _failed(400),
    "trace exporter is on": lambda _: _failed(400),
}
"""What the vendor says, by the name of the fault."""


class Failing(LoopbackServer):
    """The vendor.

    Args:
        faults: Their names; the path of each begins with its place among them.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(self._fail)
        self._faults = faults

    async def _fail(self, request: ReceivedRequest) -> Answer:
        fault = self._faults[int(request.path.split("/")[1])]
        if fault == "process ends by a signal":
            await self.client_left.wait()
        return ANSWERS[fault](request)

    def base_url(self, fault: str) -> str:
        """Where a provider with that fault is."""
        return f"{self.url}/{self._faults.index(fault)}/v1"


def found_in(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """The texts in which a run of eight characters of the key stands, with a little around it."""
    return {
        name: [text[max(0, at - 60) : at + 40] for part in FRAGMENTS if (at := text.find(part)) >= 0][:2]
        for name, text in texts.items()
        if any(part in text for part in FRAGMENTS)
    }


def stored(home: Path) -> str:
    """Every byte below a data folder, but for what the operator wrote."""
    files = [path for path in sorted(home.rglob("*")) if path.is_file() and path.suffix != ".toml"]
    return "\n".join(path.read_bytes().decode("latin-1") for path in files)
