"""Mistral: what its SDK sends for typed arguments is what we send over both carriers."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import MistralError
from mistralai.client.models import (
    AssistantMessage,
    ChatCompletionRequestMessage,
    Function,
    FunctionCall,
    FunctionName,
    ImageURLChunk,
    JSONSchema,
    ResponseFormat,
    SystemMessage,
    TextChunk,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMessage,
    UserMessage,
)

from interlock_core import Json
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import LoopbackServer

from .conftest import CALL_ID, CITY, KEY, MODEL, REQUESTS, Caught, Wire, first_piece

Ask: TypeAlias = Callable[[Mistral], Awaitable[object]]
"""A call of the SDK."""

ASKED: list[ChatCompletionRequestMessage] = [
    SystemMessage(content="Be brief."),
    UserMessage(content="Hé, 漢?"),
]
TOOL = Tool(
    function=Function(name="get_weather", description="Weather of a city.", parameters=dict(CITY)),
)
CALL = ToolCall(id=CALL_ID, function=FunctionCall(name="get_weather", arguments='{"city":"Oslo"}'))
CHAT: Mapping[str, Ask] = {
    "text": lambda sdk: sdk.chat.complete_async(model=MODEL, messages=ASKED, max_tokens=50, stop=["END"]),
    "sampled": lambda sdk: sdk.chat.complete_async(
        model=MODEL, messages=ASKED, max_tokens=50, stop=["END"], temperature=0.5, top_p=0.9
    ),
    "tools": lambda sdk: sdk.chat.complete_async(
        model=MODEL,
        messages=[
            UserMessage(content="Weather in Oslo?"),
            AssistantMessage(content="", tool_calls=[CALL]),
            ToolMessage(tool_call_id=CALL_ID, name="get_weather", content="rain"),
        ],
        max_tokens=50,
        tools=[TOOL],
        tool_choice="auto",
    ),
    "tool forced": lambda sdk: sdk.chat.complete_async(
        model=MODEL,
        messages=ASKED,
        max_tokens=50,
        tools=[TOOL],
        tool_choice=ToolChoice(type="function", function=FunctionName(name="get_weather")),
    ),
    "tool required": lambda sdk: sdk.chat.complete_async(
        model=MODEL, messages=ASKED, max_tokens=50, tools=[TOOL], tool_choice="any"
    ),
    "one tool at a time": lambda sdk: sdk.chat.complete_async(
        model=MODEL,
        messages=ASKED,
        max_tokens=50,
        tools=[TOOL],
        tool_choice="auto",
        parallel_tool_calls=False,
    ),
    "thought": lambda sdk: sdk.chat.complete_async(
        model=MODEL, messages=ASKED, max_tokens=50, reasoning_effort="low"
    ),
    "image": lambda sdk: sdk.chat.complete_async(
        model=MODEL,
        messages=[
            UserMessage(
                content=[
                    TextChunk(text="What is it?"),
                    ImageURLChunk(image_url="data:image/png;base64,iVBORw=="),
                ]
            )
        ],
        max_tokens=50,
    ),
    "structured": lambda sdk: sdk.chat.complete_async(
        model=MODEL,
        messages=ASKED,
        max_tokens=50,
        response_format=ResponseFormat(
            type="json_schema",
            json_schema=JSONSchema(name="place", schema_definition=dict(CITY), strict=True),
        ),
    ),
}


@pytest.fixture
async def sdk(server: LoopbackServer) -> AsyncGenerator[Mistral, None]:
    """The official client as everybody makes it; it makes no retries of its own."""
    async with Mistral(api_key=KEY, server_url=server.url) as client:
        yield client


@pytest.fixture
def wire(server: LoopbackServer) -> Wire:
    """Catches requests of Mistral's chat."""
    return Wire(server, "mistral", "mistral-chat")


def without_defaults(caught: Caught) -> Caught:
    """A request without what the SDK's models write out though nobody said it."""
    body = as_object(caught.body)
    return replace(caught, body={**body, "messages": [_message(each) for each in as_array(body["messages"])]})


def _message(message: Json) -> Json:
    said = {name: value for name, value in as_object(message).items() if (name, value) != ("prefix", False)}
    if "tool_calls" in said:
        said["tool_calls"] = [_call(call) for call in as_array(said["tool_calls"])]
    return dict(said)


def _call(call: Json) -> Json:
    return {name: value for name, value in as_object(call).items() if (name, value) != ("index", 0)}


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_a_whole_answer_is_asked_for_alike(name: str, wire: Wire, sdk: Mistral) -> None:
    """Method, path, headers and meaning of the body are the SDK's."""
    theirs = await wire.caught(CHAT[name](sdk), MistralError)
    assert await wire.ours(lambda provider: provider.complete(REQUESTS[name])) == without_defaults(theirs)


@pytest.mark.promise("P2")
async def test_a_stream_is_asked_for_alike(wire: Wire, sdk: Mistral) -> None:
    """Both say that they take events."""
    asking = sdk.chat.stream_async(model=MODEL, messages=ASKED, max_tokens=50, stop=["END"])
    theirs = await wire.caught(asking, MistralError)
    assert await wire.ours(lambda provider: first_piece(provider, REQUESTS["text"])) == theirs


@pytest.mark.promise("P2")
async def test_vectors_are_asked_for_alike(wire: Wire, sdk: Mistral) -> None:
    """Several texts are one request."""
    theirs = await wire.caught(sdk.embeddings.create_async(model=MODEL, inputs=["a", "b"]), MistralError)
    assert await wire.ours(lambda provider: provider.embed(f"vendor/{MODEL}", ["a", "b"])) == theirs


@pytest.mark.promise("P2")
async def test_the_models_are_asked_for_alike(wire: Wire, sdk: Mistral) -> None:
    """The list of models is one GET."""
    theirs = await wire.caught(sdk.models.list_async(), MistralError)
    assert await wire.ours(lambda provider: provider.models()) == theirs


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_what_a_client_sends_is_passed_on(name: str, wire: Wire, sdk: Mistral) -> None:
    """Read from the SDK's bytes and sent on, a request is the one that the SDK made, byte for byte."""
    theirs = await wire.caught(CHAT[name](sdk), MistralError)
    ours = await wire.passed_on(theirs)
    assert (ours, ours.raw) == (theirs, theirs.raw)
