"""The gateway as an application of any ASGI server, and the server with any application."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

import pytest

from interlock_api import Gateway
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_providers.testing import OpenAIChatServer, Say
from interlock_runtime.settings import ProviderSettings

if TYPE_CHECKING:
    from .conftest import Gate, MakeGate

Event = MutableMapping[str, Any]
BODY = json.dumps({"model": "acme/sim-1", "messages": [{"role": "user", "content": "Hi"}]}).encode()


class Call:
    """One request to an application, as a plain ASGI server makes it.

    Args:
        app: The application.
        path: The path.
        body: Pieces of the body; a POST where there are any.
        key: The key.
        whole: The last piece is the end of the body.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        path: str,
        *body: bytes,
        key: str = "",
        whole: bool = True,
    ) -> None:
        self.sent: list[Event] = []
        self.begun = asyncio.Event()
        self.gone = asyncio.Event()
        self._pieces = list(body)
        self._whole = whole
        scope: Event = {
            "type": "http",
            "method": "POST" if body else "GET",
            "path": path,
            "headers": [(b"x-api-key", key.encode())] if key else [],
        }
        self.done = asyncio.ensure_future(self._run(app, scope))

    async def _run(self, app: Callable[..., Awaitable[None]], scope: Event) -> None:
        await app(scope, self._receive, self._send)

    async def _receive(self) -> Event:
        if self._pieces:
            piece = self._pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(self._pieces) or not self._whole}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, event: Event) -> None:
        self.sent.append(event)
        self.begun.set()

    @property
    def status(self) -> int:
        """The status that was sent."""
        return self.sent[0]["status"]

    @property
    def body(self) -> bytes:
        """The body that was sent."""
        return b"".join(event["body"] for event in self.sent[1:])


async def test_the_gateway_serves_on_any_asgi_server(gate: "Gate") -> None:
    """A body in pieces, an answer whole."""
    call = Call(Gateway(gate.runtime), "/v1/chat/completions", BODY[:9], BODY[9:], key=gate.key)
    await call.done
    assert call.status == 200
    assert json.loads(call.body)["choices"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_server_that_only_tells_of_a_client_that_left_has_its_work_cancelled(
    make_gate: "MakeGate", *, stream: bool
) -> None:
    """As ASGI knows it: by an event."""
    came = asyncio.Event()

    async def never(request: ReceivedRequest) -> Answer:
        came.set()
        await asyncio.Event().wait()
        raise AssertionError(request)

    async with LoopbackServer(never) as slow:
        provider = ProviderSettings(kind="openai-compatible", base_url=f"{slow.url}/v1", models=("sim-1",))
        async with make_gate(providers={"acme": provider}) as gate:
            body = BODY.replace(b'"model"', b'"stream": true, "model"') if stream else BODY
            call = Call(Gateway(gate.runtime), "/v1/chat/completions", body, key=gate.key)
            await came.wait()
            call.gone.set()
            await call.done
            await slow.client_left.wait()
    assert call.sent == []


async def test_a_client_that_leaves_while_it_sends_is_not_answered(gate: "Gate") -> None:
    """Nobody is asked for half a body."""
    call = Call(Gateway(gate.runtime), "/v1/chat/completions", b"{", key=gate.key, whole=False)
    call.gone.set()
    await call.done
    assert call.sent == []


async def test_the_start_and_the_end_of_a_server_are_acknowledged(gate: "Gate") -> None:
    """Nothing is opened or closed with them: the runtime is whoever's opened it."""
    events: list[Event] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Event:
        return events.pop(0)

    async def send(event: Event) -> None:
        sent.append(event["type"])

    await Gateway(gate.runtime)({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_scope_that_is_no_request_is_left_alone(gate: "Gate") -> None:
    """Such as a WebSocket: the server closes it."""
    sent: list[Event] = []

    async def send(event: Event) -> None:
        sent.append(event)

    async def receive() -> Event:
        return {"type": "websocket.connect"}

    await Gateway(gate.runtime)({"type": "websocket"}, receive, send)
    assert sent == []


async def test_a_fault_of_our_own_is_told_without_details(
    gate: "Gate", caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the traceback; the client learns that it is not to blame."""
    runtime = gate.runtime
    broken: Any = object()
    runtime.records = broken
    answer = await gate.ask("GET", "/metrics")
    assert answer.status == 500
    assert json.loads(answer.body)["error"]["message"] == "Interlock itself failed; its log says why."
    assert "prometheus" in caplog.text


async def test_a_fault_of_our_own_on_a_stream_ends_it_with_an_error(
    gate: "Gate", vendor: OpenAIChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    """What was said before was delivered."""
    vendor.then(Say("one two three"))
    inner = gate.runtime.provider

    class Faulty:
        """Fails after the first word."""

        async def stream(self, *args: Any) -> Any:
            async for chunk in inner.stream(*args):
                yield chunk
                if chunk.text:
                    raise ZeroDivisionError("secret detail")

    faulty: Any = Faulty()
    gate.runtime.provider = faulty
    body = BODY.replace(b'"model"', b'"stream": true, "model"')
    answer = await gate.ask("POST", "/v1/chat/completions", body=body)
    assert b"one" in answer.body
    assert answer.body.endswith(b'"param":null,"code":"error"}}\n\n')
    assert b"secret detail" not in answer.body
    assert "secret detail" in caplog.text


def test_an_entry_of_the_log_is_one_line_without_control_characters_and_secrets() -> None:
    """Nobody writes a line of their own into it, whatever they send."""
    from interlock_api._log import LogFormatter

    formatter = LogFormatter()
    formatter.hide = lambda text: text.replace("sk-1", "[key]")
    record = logging.LogRecord(
        "interlock.api",
        logging.ERROR,
        __file__,
        1,
        "of %s",
        ("a\x1b[2J\r\n2027-01-01 INFO forged sk-1",),
        None,
    )
    lines = formatter.format(record).split("\n")
    assert lines[0].endswith("ERROR interlock.api of a\\x1b[2J\\x0d")
    assert lines[1] == "    2027-01-01 INFO forged [key]"
