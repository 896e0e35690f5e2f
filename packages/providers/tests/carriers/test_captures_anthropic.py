"""Anthropic: what its SDK sends for typed arguments is what we send over both carriers."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TypeAlias

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam

from interlock_core.testing import LoopbackServer

from .conftest import CALL_ID, CITY, KEY, MODEL, REQUESTS, Wire, first_piece

Ask: TypeAlias = Callable[[anthropic.AsyncAnthropic], Awaitable[object]]
"""A call of the SDK."""

ASKED: list[MessageParam] = [{"role": "user", "content": "Hé, 漢?"}]
TOOL: ToolParam = {
    "name": "get_weather",
    "description": "Weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": CITY["properties"],
        "required": ["city"],
        "additionalProperties": False,
    },
}
MESSAGES: Mapping[str, Ask] = {
    "text": lambda sdk: sdk.messages.create(
        model=MODEL, system="Be brief.", messages=ASKED, max_tokens=50, stop_sequences=["END"]
    ),
    # The SDK refuses sampling by name: whoever wants it pins the version that has it.
    "sampled": lambda sdk: sdk.messages.create(
        model=MODEL,
        system="Be brief.",
        messages=ASKED,
        max_tokens=50,
        stop_sequences=["END"],
        extra_headers={"anthropic-version": "2023-06-01"},
        extra_body={"temperature": 0.5, "top_p": 0.9},
    ),
    "tools": lambda sdk: sdk.messages.create(
        model=MODEL,
        messages=[
            {"role": "user", "content": "Weather in Oslo?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": CALL_ID, "name": "get_weather", "input": {"city": "Oslo"}}
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": CALL_ID, "content": "rain"}],
            },
        ],
        max_tokens=50,
        tools=[TOOL],
        tool_choice={"type": "auto"},
    ),
    "tool forced": lambda sdk: sdk.messages.create(
        model=MODEL,
        system="Be brief.",
        messages=ASKED,
        max_tokens=50,
        tools=[TOOL],
        tool_choice={"type": "tool", "name": "get_weather"},
    ),
    "tool required": lambda sdk: sdk.messages.create(
        model=MODEL,
        system="Be brief.",
        messages=ASKED,
        max_tokens=50,
        tools=[TOOL],
        tool_choice={"type": "any"},
    ),
    "one tool at a time": lambda sdk: sdk.messages.create(
        model=MODEL,
        system="Be brief.",
        messages=ASKED,
        max_tokens=50,
        tools=[TOOL],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
    ),
    "thought": lambda sdk: sdk.messages.create(
        model=MODEL,
        system="Be brief.",
        messages=ASKED,
        max_tokens=50,
        thinking={"type": "adaptive"},
        output_config={"effort": "low"},
    ),
    "image": lambda sdk: sdk.messages.create(
        model=MODEL,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="},
                    },
                ],
            }
        ],
        max_tokens=50,
    ),
    "structured": lambda sdk: sdk.messages.create(
        model=MODEL,
        system="Be brief.",
        messages=ASKED,
        max_tokens=50,
        # The schema's name has no place of its own in this dialect.
        output_config={"format": {"type": "json_schema", "schema": {**CITY, "title": "place"}}},
    ),
}


@pytest.fixture
async def sdk(server: LoopbackServer) -> AsyncGenerator[anthropic.AsyncAnthropic, None]:
    """The official client as everybody makes it, without retries."""
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=server.url, max_retries=0) as client:
        yield client


@pytest.fixture
def wire(server: LoopbackServer) -> Wire:
    """Catches requests of Messages."""
    return Wire(server, "anthropic", "anthropic-messages")


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_a_whole_answer_is_asked_for_alike(
    name: str, wire: Wire, sdk: anthropic.AsyncAnthropic
) -> None:
    """Method, path, headers, the version among them, and meaning of the body are the SDK's."""
    theirs = await wire.caught(MESSAGES[name](sdk), anthropic.BadRequestError)
    assert await wire.ours(lambda provider: provider.complete(REQUESTS[name])) == theirs


@pytest.mark.promise("P2")
async def test_a_stream_is_asked_for_alike(wire: Wire, sdk: anthropic.AsyncAnthropic) -> None:
    """The one difference to a whole answer is the word for it."""
    asking = sdk.messages.create(
        model=MODEL, system="Be brief.", messages=ASKED, max_tokens=50, stop_sequences=["END"], stream=True
    )
    theirs = await wire.caught(asking, anthropic.BadRequestError)
    assert await wire.ours(lambda provider: first_piece(provider, REQUESTS["text"])) == theirs


@pytest.mark.promise("P2")
async def test_the_models_are_asked_for_alike(wire: Wire, sdk: anthropic.AsyncAnthropic) -> None:
    """The list is asked for in one page, as long as the vendor makes them."""

    async def listing() -> object:
        return await sdk.models.list(limit=1000)

    theirs = await wire.caught(listing(), anthropic.BadRequestError)
    assert await wire.ours(lambda provider: provider.models()) == theirs


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_what_a_client_sends_is_passed_on(name: str, wire: Wire, sdk: anthropic.AsyncAnthropic) -> None:
    """Read from the SDK's bytes and sent on, a request is the one that the SDK made, byte for byte."""
    theirs = await wire.caught(MESSAGES[name](sdk), anthropic.BadRequestError)
    ours = await wire.passed_on(theirs)
    assert (ours, ours.raw) == (theirs, theirs.raw)


@pytest.mark.promise("P2")
async def test_what_a_client_may_try_early_is_passed_on(wire: Wire, sdk: anthropic.AsyncAnthropic) -> None:
    """The names of beta features stand in a header, which goes on with the body."""
    asking = sdk.messages.create(
        model=MODEL, messages=ASKED, max_tokens=50, extra_headers={"anthropic-beta": "one-2026,two-2026"}
    )
    theirs = await wire.caught(asking, anthropic.BadRequestError)
    assert theirs.headers["anthropic-beta"] == "one-2026,two-2026"
    assert await wire.passed_on(theirs) == theirs
