"""OpenAI: what its SDK sends for typed arguments is what we send over both carriers."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import openai
import pytest
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam

from interlock_core.jsontypes import as_object
from interlock_core.testing import LoopbackServer

from .conftest import CALL_ID, CITY, KEY, MODEL, REQUESTS, Wire, first_piece

Ask: TypeAlias = Callable[[openai.AsyncOpenAI], Awaitable[object]]
"""A call of the SDK."""

ASKED: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hé, 漢?"},
]
IMAGE = "data:image/png;base64,iVBORw=="
TOOL: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city.", "parameters": dict(CITY)},
}
CHAT: Mapping[str, Ask] = {
    "text": lambda sdk: sdk.chat.completions.create(
        model=MODEL, messages=ASKED, max_completion_tokens=50, stop=["END"]
    ),
    "sampled": lambda sdk: sdk.chat.completions.create(
        model=MODEL, messages=ASKED, max_completion_tokens=50, stop=["END"], temperature=0.5, top_p=0.9
    ),
    "tools": lambda sdk: sdk.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "user", "content": "Weather in Oslo?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": CALL_ID,
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": CALL_ID, "content": "rain"},
        ],
        max_completion_tokens=50,
        tools=[TOOL],
        tool_choice="auto",
    ),
    "tool forced": lambda sdk: sdk.chat.completions.create(
        model=MODEL,
        messages=ASKED,
        max_completion_tokens=50,
        tools=[TOOL],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
    ),
    "tool required": lambda sdk: sdk.chat.completions.create(
        model=MODEL, messages=ASKED, max_completion_tokens=50, tools=[TOOL], tool_choice="required"
    ),
    "one tool at a time": lambda sdk: sdk.chat.completions.create(
        model=MODEL,
        messages=ASKED,
        max_completion_tokens=50,
        tools=[TOOL],
        tool_choice="auto",
        parallel_tool_calls=False,
    ),
    "thought": lambda sdk: sdk.chat.completions.create(
        model=MODEL, messages=ASKED, max_completion_tokens=50, reasoning_effort="low"
    ),
    "image": lambda sdk: sdk.chat.completions.create(
        model=MODEL,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": IMAGE}},
                ],
            }
        ],
        max_completion_tokens=50,
    ),
    "structured": lambda sdk: sdk.chat.completions.create(
        model=MODEL,
        messages=ASKED,
        max_completion_tokens=50,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "place", "schema": dict(CITY), "strict": True},
        },
    ),
}


@pytest.fixture
async def sdk(server: LoopbackServer) -> AsyncGenerator[openai.AsyncOpenAI, None]:
    """The official client as everybody makes it, without retries."""
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def wire(server: LoopbackServer) -> Wire:
    """Catches requests of Chat Completions."""
    return Wire(server, "openai", "openai-chat")


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_a_whole_answer_is_asked_for_alike(name: str, wire: Wire, sdk: openai.AsyncOpenAI) -> None:
    """Method, path, headers and meaning of the body are the SDK's."""
    theirs = await wire.caught(CHAT[name](sdk), openai.BadRequestError)
    assert theirs.headers == {
        "accept": "application/json",
        "content-type": "application/json",
        "authorization": f"Bearer {KEY}",
    }
    assert await wire.ours(lambda provider: provider.complete(REQUESTS[name])) == theirs


@pytest.mark.promise("P2")
async def test_a_stream_is_asked_for_alike(wire: Wire, sdk: openai.AsyncOpenAI) -> None:
    """We always ask for usage, as an SDK's user has to."""
    asking = sdk.chat.completions.create(
        model=MODEL,
        messages=ASKED,
        max_completion_tokens=50,
        stop=["END"],
        stream=True,
        stream_options={"include_usage": True},
    )
    theirs = await wire.caught(asking, openai.BadRequestError)
    ours = await wire.ours(lambda provider: first_piece(provider, REQUESTS["text"]))
    assert ours == theirs


@pytest.mark.promise("P2")
async def test_vectors_are_asked_for_alike(wire: Wire, sdk: openai.AsyncOpenAI) -> None:
    """The SDK asks for base64 unless told; we leave unsaid that numbers are to be numbers, the default."""
    asking = sdk.embeddings.create(model=MODEL, input=["a", "b"], encoding_format="float")
    theirs = await wire.caught(asking, openai.BadRequestError)
    ours = await wire.ours(lambda provider: provider.embed(f"vendor/{MODEL}", ["a", "b"]))
    said = {**as_object(ours.body), "encoding_format": "float"}
    assert replace(ours, body=said) == theirs


@pytest.mark.promise("P2")
async def test_the_models_are_asked_for_alike(wire: Wire, sdk: openai.AsyncOpenAI) -> None:
    """The list of models is one GET."""

    async def listing() -> object:
        return await sdk.models.list()

    theirs = await wire.caught(listing(), openai.BadRequestError)
    ours = await wire.ours(lambda provider: provider.models())
    assert ours == theirs


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_what_a_client_sends_is_passed_on(name: str, wire: Wire, sdk: openai.AsyncOpenAI) -> None:
    """Read from the SDK's bytes and sent on, a request is the one that the SDK made, byte for byte."""
    theirs = await wire.caught(CHAT[name](sdk), openai.BadRequestError)
    ours = await wire.passed_on(theirs)
    assert (ours, ours.raw) == (theirs, theirs.raw)
