"""OpenAI's Responses: what its SDK sends for typed arguments is what we send over both carriers."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import openai
import pytest
from openai.types.responses import FunctionToolParam, ResponseIncludable, ResponseInputItemParam

from interlock_core.testing import LoopbackServer

from .conftest import CALL_ID, CITY, KEY, MODEL, REQUESTS, Wire, first_piece

Ask: TypeAlias = Callable[[openai.AsyncOpenAI], Awaitable[object]]
"""A call of the SDK."""

# We keep no state at the vendor, and ask for reasoning sealed, so that it can be given back.
SEALED: list[ResponseIncludable] = ["reasoning.encrypted_content"]
SYSTEM: ResponseInputItemParam = {
    "type": "message",
    "role": "system",
    "content": [{"type": "input_text", "text": "Be brief."}],
}
USER: ResponseInputItemParam = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Hé, 漢?"}],
}
TOOL: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather of a city.",
    "parameters": dict(CITY),
    "strict": False,
}
RESPONSES: Mapping[str, Ask] = {
    "text": lambda sdk: sdk.responses.create(
        model=MODEL, input=[SYSTEM, USER], max_output_tokens=50, store=False, include=SEALED
    ),
    "sampled": lambda sdk: sdk.responses.create(
        model=MODEL,
        input=[SYSTEM, USER],
        max_output_tokens=50,
        temperature=0.5,
        top_p=0.9,
        store=False,
        include=SEALED,
    ),
    "tools": lambda sdk: sdk.responses.create(
        model=MODEL,
        input=[
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Weather in Oslo?"}],
            },
            {
                "type": "function_call",
                "call_id": CALL_ID,
                "name": "get_weather",
                "arguments": '{"city":"Oslo"}',
            },
            {"type": "function_call_output", "call_id": CALL_ID, "output": "rain"},
        ],
        max_output_tokens=50,
        tools=[TOOL],
        tool_choice="auto",
        store=False,
        include=SEALED,
    ),
    "tool forced": lambda sdk: sdk.responses.create(
        model=MODEL,
        input=[SYSTEM, USER],
        max_output_tokens=50,
        tools=[TOOL],
        tool_choice={"type": "function", "name": "get_weather"},
        store=False,
        include=SEALED,
    ),
    "tool required": lambda sdk: sdk.responses.create(
        model=MODEL,
        input=[SYSTEM, USER],
        max_output_tokens=50,
        tools=[TOOL],
        tool_choice="required",
        store=False,
        include=SEALED,
    ),
    "one tool at a time": lambda sdk: sdk.responses.create(
        model=MODEL,
        input=[SYSTEM, USER],
        max_output_tokens=50,
        tools=[TOOL],
        tool_choice="auto",
        parallel_tool_calls=False,
        store=False,
        include=SEALED,
    ),
    "thought": lambda sdk: sdk.responses.create(
        model=MODEL,
        input=[SYSTEM, USER],
        max_output_tokens=50,
        reasoning={"effort": "low"},
        store=False,
        include=SEALED,
    ),
    "image": lambda sdk: sdk.responses.create(
        model=MODEL,
        input=[
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is it?"},
                    {
                        "type": "input_image",
                        "detail": "auto",
                        "image_url": "data:image/png;base64,iVBORw==",
                    },
                ],
            }
        ],
        max_output_tokens=50,
        store=False,
        include=SEALED,
    ),
    "structured": lambda sdk: sdk.responses.create(
        model=MODEL,
        input=[SYSTEM, USER],
        max_output_tokens=50,
        text={"format": {"type": "json_schema", "name": "place", "schema": dict(CITY), "strict": True}},
        store=False,
        include=SEALED,
    ),
}


@pytest.fixture
async def sdk(server: LoopbackServer) -> AsyncGenerator[openai.AsyncOpenAI, None]:
    """The official client as everybody makes it, without retries."""
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def wire(server: LoopbackServer) -> Wire:
    """Catches requests of Responses."""
    return Wire(server, "openai", "openai-responses")


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_a_whole_answer_is_asked_for_alike(name: str, wire: Wire, sdk: openai.AsyncOpenAI) -> None:
    """Method, path, headers and meaning of the body are the SDK's."""
    theirs = await wire.caught(RESPONSES[name](sdk), openai.BadRequestError)
    # Nothing can end an answer by its text in this dialect.
    asked = replace(REQUESTS[name], stop=())
    assert await wire.ours(lambda provider: provider.complete(asked)) == theirs


@pytest.mark.promise("P2")
async def test_a_stream_is_asked_for_alike(wire: Wire, sdk: openai.AsyncOpenAI) -> None:
    """The one difference to a whole answer is the word for it."""
    asking = sdk.responses.create(
        model=MODEL, input=[SYSTEM, USER], max_output_tokens=50, store=False, include=SEALED, stream=True
    )
    theirs = await wire.caught(asking, openai.BadRequestError)
    asked = replace(REQUESTS["text"], stop=())
    assert await wire.ours(lambda provider: first_piece(provider, asked)) == theirs


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_what_a_client_sends_is_passed_on(name: str, wire: Wire, sdk: openai.AsyncOpenAI) -> None:
    """Read from the SDK's bytes and sent on, a request is the one that the SDK made, byte for byte."""
    theirs = await wire.caught(RESPONSES[name](sdk), openai.BadRequestError)
    ours = await wire.passed_on(theirs)
    assert (ours, ours.raw) == (theirs, theirs.raw)
