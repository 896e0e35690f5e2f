"""Streams of the simulated Mistral and Cohere that a script breaks, read by the official SDKs."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import cohere
import httpx
import httpx2
import pytest
from cohere.v2.types import V2ChatStreamResponse
from mistralai.client import Mistral

from interlock_providers.testing import CohereServer, MistralServer, Say


async def heard_from_mistral(server: MistralServer, most: int = 1000) -> list[object]:
    """What the first deltas say."""
    said: list[object] = []
    async with (
        Mistral(api_key="k", server_url=server.url) as client,
        await client.chat.stream_async(model="sim-1", messages=[{"role": "user", "content": "hi"}]) as stream,
    ):
        async for event in stream:
            said.append(event.data.choices[0].delta.content)
            if len(said) == most:
                break
    return said


async def heard_from_cohere(server: CohereServer, most: int = 1000) -> list[object]:
    """The types of the first events."""
    seen: list[object] = []
    async with cohere.AsyncClientV2(api_key="k", base_url=server.url, max_retries=0) as client:
        events = client.chat_stream(model="sim-1", messages=[cohere.UserChatMessageV2(content="hi")])
        async with aclosing(cast("AsyncGenerator[V2ChatStreamResponse, None]", events)) as stream:
            async for event in stream:
                seen.append(event.type)
                if len(seen) == most:
                    break
    return seen


async def test_the_sdks_pass_over_what_means_nothing() -> None:
    """Comments between the events."""
    async with MistralServer() as mistral, CohereServer() as trial:
        mistral.then(Say("one two", pings=True))
        trial.then(Say("one two", pings=True))
        assert await heard_from_mistral(mistral) == ["", "one", " two", ""]
        assert (await heard_from_cohere(trial)).count("content-delta") == 2


async def test_a_torn_stream_raises() -> None:
    """The connection closes in the middle of an event."""
    async with MistralServer() as mistral, CohereServer() as trial:
        mistral.then(Say("one two", cut_after=300))
        trial.then(Say("one two", cut_after=300))
        with pytest.raises(httpx2.RemoteProtocolError):
            await heard_from_mistral(mistral)
        with pytest.raises(httpx.RemoteProtocolError):
            await heard_from_cohere(trial)


async def test_the_servers_see_that_a_client_left() -> None:
    """While they say nothing more, and while they say the same for ever."""
    for say in (Say("one", hold=True), Say("one", endless=True)):
        async with MistralServer() as mistral, CohereServer() as trial:
            mistral.then(say)
            trial.then(say)
            assert await heard_from_mistral(mistral, 2) == ["", "one"]
            assert await heard_from_cohere(trial, 3) == ["message-start", "content-start", "content-delta"]
            await mistral.client_left.wait()
            await trial.client_left.wait()
            assert (mistral.connections, trial.connections) == (1, 1)
