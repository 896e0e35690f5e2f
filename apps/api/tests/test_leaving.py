"""Clients that leave before their answer is complete."""

import asyncio
import json
from typing import TYPE_CHECKING, cast

from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_providers.testing import OpenAIChatServer, Say
from interlock_runtime.settings import ProviderSettings

if TYPE_CHECKING:
    from .conftest import Gate, MakeGate


def payload(**more: object) -> bytes:
    """A request's body."""
    asked = [{"role": "user", "content": "Say three words"}]
    return json.dumps({"model": "acme/sim-1", "messages": asked, **more}).encode()


async def leave(gate: "Gate", body: bytes, after: bytes | asyncio.Event, more: bytes = b"") -> None:
    """Ask, and close the connection when something was heard or has happened; `more` is sent behind it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n"
        b"content-length: %d\r\n\r\n%s" % (gate.key.encode(), len(body), body)
    )
    writer.write(more)
    if isinstance(after, bytes):
        await reader.readuntil(after)
    else:
        await after.wait()
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_leaves_in_the_middle_of_a_stream_closes_the_upstream(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """The record says that it left, and what was used so far."""
    vendor.then(Say("One two three four", hold=True))
    await leave(gate, payload(stream=True), b"four")
    await vendor.client_left.wait()
    row = await gate.recorded()
    assert (row["cancelled"], row["ok"], row["failures"]) == (1, 0, {})
    assert cast("int", row["input_tokens"]) >= 3
    assert cast("int", row["output_tokens"]) >= 4


async def test_a_client_that_leaves_before_its_answer_closes_the_upstream(make_gate: "MakeGate") -> None:
    """A whole answer that nobody waits for is not waited for."""
    came = asyncio.Event()

    async def never(request: ReceivedRequest) -> Answer:
        came.set()
        await asyncio.Event().wait()
        raise AssertionError(request)

    async with LoopbackServer(never) as slow:
        provider = ProviderSettings(kind="openai-compatible", base_url=f"{slow.url}/v1", models=("sim-1",))
        async with make_gate(providers={"acme": provider}) as gate:
            await leave(gate, payload(), came)
            await slow.client_left.wait()
            assert (await gate.recorded())["cancelled"] == 1


async def test_the_requests_behind_one_that_is_left_are_not_begun(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """A second request on the connection of a client that left asks nobody."""
    vendor.then(Say("One two three four", hold=True))
    again = (
        b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n\r\n" % gate.key.encode()
    )
    await leave(gate, payload(stream=True), b"four", again * 3)
    await vendor.client_left.wait()
    assert len(vendor.requests) == 1
