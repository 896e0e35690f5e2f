"""Cohere: what its SDK sends for typed arguments is what we send over both carriers."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import cohere
import httpx
import pytest
from cohere.core.api_error import ApiError

from interlock_core.testing import LoopbackServer

from .conftest import CALL_ID, CITY, KEY, MODEL, REQUESTS, Caught, Wire, first_piece

Ask: TypeAlias = Callable[[cohere.AsyncClientV2], Awaitable[object]]
"""A call of the SDK."""

ASKED: list[cohere.ChatMessageV2] = [
    cohere.SystemChatMessageV2(content="Be brief."),
    cohere.UserChatMessageV2(content="Hé, 漢?"),
]
TOOL = cohere.ToolV2(
    type="function",
    function=cohere.ToolV2Function(
        name="get_weather", description="Weather of a city.", parameters=dict(CITY)
    ),
)
CALL = cohere.ToolCallV2(
    id=CALL_ID,
    type="function",
    function=cohere.ToolCallV2Function(name="get_weather", arguments='{"city":"Oslo"}'),
)
CHAT: Mapping[str, Ask] = {
    "text": lambda sdk: sdk.chat(model=MODEL, messages=ASKED, max_tokens=50, stop_sequences=["END"]),
    "sampled": lambda sdk: sdk.chat(
        model=MODEL, messages=ASKED, max_tokens=50, stop_sequences=["END"], temperature=0.5, p=0.9
    ),
    "tools": lambda sdk: sdk.chat(
        model=MODEL,
        messages=[
            cohere.UserChatMessageV2(content="Weather in Oslo?"),
            cohere.AssistantChatMessageV2(tool_calls=[CALL]),
            cohere.ToolChatMessageV2(tool_call_id=CALL_ID, content="rain"),
        ],
        max_tokens=50,
        tools=[TOOL],
    ),
    # No one tool can be named: it is offered alone, and some call is required.
    "tool forced": lambda sdk: sdk.chat(
        model=MODEL, messages=ASKED, max_tokens=50, tools=[TOOL], tool_choice="REQUIRED"
    ),
    "tool required": lambda sdk: sdk.chat(
        model=MODEL, messages=ASKED, max_tokens=50, tools=[TOOL], tool_choice="REQUIRED"
    ),
    # It cannot be held to one call, which our answer says.
    "one tool at a time": lambda sdk: sdk.chat(model=MODEL, messages=ASKED, max_tokens=50, tools=[TOOL]),
    # It knows no words for how much is thought, so a budget stands for one.
    "thought": lambda sdk: sdk.chat(
        model=MODEL,
        messages=ASKED,
        max_tokens=50,
        thinking=cohere.Thinking(type="enabled", token_budget=1024),
    ),
    "image": lambda sdk: sdk.chat(
        model=MODEL,
        messages=[
            cohere.UserChatMessageV2(
                content=[
                    cohere.TextContent(text="What is it?"),
                    cohere.ImageUrlContent(image_url=cohere.ImageUrl(url="data:image/png;base64,iVBORw==")),
                ]
            )
        ],
        max_tokens=50,
    ),
    "structured": lambda sdk: sdk.chat(
        model=MODEL,
        messages=ASKED,
        max_tokens=50,
        response_format=cohere.JsonObjectResponseFormatV2(json_schema=dict(CITY)),
    ),
}


@pytest.fixture
async def sdk(server: LoopbackServer) -> AsyncGenerator[cohere.AsyncClientV2, None]:
    """The official client as everybody makes it, without retries."""
    async with httpx.AsyncClient() as http:
        yield cohere.AsyncClientV2(api_key=KEY, base_url=server.url, max_retries=0, httpx_client=http)


@pytest.fixture
def wire(server: LoopbackServer) -> Wire:
    """Catches requests of Cohere's chat."""
    return Wire(server, "cohere", "cohere-chat")


def taking_json(theirs: Caught) -> Caught:
    """The SDK's request, which leaves it to its HTTP stack to say what it takes: anything."""
    assert theirs.headers["accept"] == "*/*"
    return replace(theirs, headers={**theirs.headers, "accept": "application/json"})


def as_meant(theirs: Caught) -> Caught:
    """The same without the default that it writes out: that no stream is wanted."""
    body = theirs.body
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if (name, value) != ("stream", False)}
    return replace(taking_json(theirs), body=body)


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_a_whole_answer_is_asked_for_alike(name: str, wire: Wire, sdk: cohere.AsyncClientV2) -> None:
    """Method, path, headers and meaning of the body are the SDK's."""
    theirs = as_meant(await wire.caught(CHAT[name](sdk), ApiError))
    assert await wire.ours(lambda provider: provider.complete(REQUESTS[name])) == theirs


@pytest.mark.promise("P2")
async def test_a_stream_is_asked_for_alike(wire: Wire, sdk: cohere.AsyncClientV2) -> None:
    """The one difference to a whole answer is the word for it."""

    async def streaming() -> None:
        events = sdk.chat_stream(model=MODEL, messages=ASKED, max_tokens=50, stop_sequences=["END"])
        async for _ in events:
            return

    theirs = as_meant(await wire.caught(streaming(), ApiError))
    assert await wire.ours(lambda provider: first_piece(provider, REQUESTS["text"])) == theirs


@pytest.mark.promise("P2")
async def test_vectors_are_asked_for_alike(wire: Wire, sdk: cohere.AsyncClientV2) -> None:
    """What the vectors are for must be said: to be searched."""
    asking = sdk.embed(model=MODEL, input_type="search_document", texts=["a", "b"], embedding_types=["float"])
    theirs = as_meant(await wire.caught(asking, ApiError))
    assert await wire.ours(lambda provider: provider.embed(f"vendor/{MODEL}", ["a", "b"])) == theirs


@pytest.mark.promise("P2")
async def test_the_models_are_asked_for_alike(wire: Wire, sdk: cohere.AsyncClientV2) -> None:
    """The list is asked for in one page, as long as the vendor makes them."""
    theirs = as_meant(await wire.caught(sdk.models.list(page_size=1000), ApiError))
    assert await wire.ours(lambda provider: provider.models()) == theirs


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_what_a_client_sends_is_passed_on(name: str, wire: Wire, sdk: cohere.AsyncClientV2) -> None:
    """Read from the SDK's bytes and sent on, a request is the one that the SDK made, byte for byte."""
    theirs = taking_json(await wire.caught(CHAT[name](sdk), ApiError))
    ours = await wire.passed_on(theirs)
    assert (ours, ours.raw) == (theirs, theirs.raw)
