"""A vendor that says what cannot be, or says nothing without an end."""

import json
from contextlib import aclosing
from typing import Protocol

import pytest

from interlock_core import Chunk, CompletionRequest, Json, JsonObject, Provider
from interlock_core.errors import ProtocolError
from interlock_core.messages import user
from interlock_providers.testing import OpenAIChatServer, RawReply

ASKED = CompletionRequest(model="vendor/sim-1", messages=(user("Say hello"),))
EVENTS = "text/event-stream"


class MakeProvider(Protocol):
    """Makes a provider that asks a base URL."""

    def __call__(self, base_url: str) -> Provider:
        """Make it."""
        ...


def event(delta: JsonObject, *, finish: str | None = None, usage: Json = None) -> bytes:
    """One event of a stream."""
    choice: JsonObject = {"index": 0, "delta": delta, "finish_reason": finish}
    told: JsonObject = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "sim-1"}
    return b"data: " + json.dumps({**told, "choices": [choice], "usage": usage}).encode() + b"\n\n"


async def collect(provider: Provider) -> list[Chunk]:
    """All chunks of a stream."""
    async with aclosing(provider.stream(ASKED)) as chunks:
        return [chunk async for chunk in chunks]


@pytest.mark.parametrize("count", [10**13, 2**63, 10**400])
async def test_more_tokens_than_can_be_are_no_usage(
    make: MakeProvider, vendor: OpenAIChatServer, count: int
) -> None:
    """What no ledger could hold is not charged to anybody; the answer itself comes through."""
    usage: JsonObject = {"prompt_tokens": count, "completion_tokens": 1, "total_tokens": count}
    message: JsonObject = {"role": "assistant", "content": "hello"}
    whole: JsonObject = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "sim-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }
    pieces = event({"content": "hello"}) + event({}, finish="stop", usage=usage) + b"data: [DONE]\n\n"
    vendor.then(RawReply(body=json.dumps(whole).encode()), RawReply(body=pieces, content_type=EVENTS))
    provider = make(vendor.url)
    answer = await provider.complete(ASKED)
    assert (answer.text, answer.usage, answer.cost) == ("hello", None, None)
    chunks = await collect(provider)
    assert "".join(chunk.text for chunk in chunks) == "hello"
    assert not [chunk for chunk in chunks if chunk.usage is not None or chunk.cost is not None]


async def test_a_stream_that_goes_on_saying_nothing_is_given_up(
    make: MakeProvider, vendor: OpenAIChatServer
) -> None:
    """Events without words are not kept without a bound while the first word is waited for."""
    vendor.then(*[RawReply(body=event({"role": "assistant"}) * 2_000, content_type=EVENTS)] * 3)
    with pytest.raises(ProtocolError, match="say nothing"):
        await collect(make(vendor.url))
