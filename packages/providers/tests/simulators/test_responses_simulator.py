"""The simulated Responses API: OpenAI's SDK accepts it, with its own types in strict validation."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Literal

import openai
import pytest
from openai.types.responses import (
    FunctionToolParam,
    Response,
    ResponseCompletedEvent,
    ResponseIncompleteEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseStreamEvent,
    ToolChoiceFunctionParam,
)
from pydantic import TypeAdapter

from interlock_core import JsonObject
from interlock_providers.testing import (
    Citation,
    Declined,
    Failure,
    OpenAIServer,
    RawBlock,
    Say,
    Spoken,
    Thought,
    ToolUse,
)

if TYPE_CHECKING:
    from .conftest import Events, Strictly

TOOL: FunctionToolParam = {
    "type": "function",
    "name": "f",
    "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    "strict": True,
}
RESPONSE = TypeAdapter(Response)
EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
LOGPROB: JsonObject = {
    "token": "One",
    "bytes": [79],
    "logprob": -0.5,
    "top_logprobs": [{"token": "One", "bytes": [79], "logprob": -0.5}],
}
ANSWERS = {
    "text": Say("Hello you"),
    "nothing": Say(parts=()),
    "thought": Say("Yes", reasoning=(Thought("hm hm", pieces=("hm", " hm")), Thought(redacted=True))),
    "raw thought": Say("Yes", reasoning=(Thought("hm hm", raw=True),)),
    "calls": Say("Look", calls=(ToolUse("f", '{"n": 1}'), ToolUse("g", id="call_own", pieces=("{", "}")))),
    "mixed": Say(parts=(Thought("a", sealed="s1"), ToolUse("f"), Thought("b"), Spoken("c"), Declined("d"))),
    "cited": Say("It is", citations=(Citation(end=5, title="T"), Citation(url="https://x.test"))),
    "own citation": Say("It", citations=({"type": "file_path", "file_id": "file_1", "index": 0},)),
    "refusal": Say(refusal="Not that."),
    "length": Say("One", finish="max_output_tokens"),
    "filtered": Say("One", finish="content_filter"),
    "failed": Say("One", finish="failed", fail=Failure.rate_limit()),
    "failed by itself": Say("One", finish="failed"),
    "failed in its words": Say(finish="failed", finish_details={"code": "bio_policy", "message": "No."}),
    "tier": Say("One", service_tier="flex"),
    "own usage": Say(
        "One",
        usage={
            "input_tokens": 3,
            "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 1},
            "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 1},
            "total_tokens": 5,
        },
    ),
    "logprobs": Say("One two", logprobs=[LOGPROB]),
    "logprobs of chat": Say("One two", logprobs={"content": [LOGPROB], "refusal": None}),
    "own tool": Say(
        parts=(
            RawBlock(
                {
                    "type": "web_search_call",
                    "id": "ws_1",
                    "status": "completed",
                    "action": {"type": "search", "query": "q", "queries": ["q"]},
                }
            ),
            Spoken("Found"),
        )
    ),
    "pings": Say("One two", pings=True),
}


@pytest.fixture
async def vendor() -> AsyncGenerator[OpenAIServer, None]:
    """A vendor that wants a key."""
    async with OpenAIServer(key="sk-x") as one:
        yield one


@pytest.fixture
async def sdk(vendor: OpenAIServer) -> AsyncGenerator[openai.AsyncOpenAI, None]:
    """The official client, which validates strictly and does not retry."""
    async with openai.AsyncOpenAI(
        api_key="sk-x", base_url=vendor.url, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_answer_is_a_response(
    vendor: OpenAIServer, sdk: openai.AsyncOpenAI, strictly: "Strictly", name: str
) -> None:
    """Whole, it passes the SDK's types without an unknown field, with all that the request said."""
    vendor.then(ANSWERS[name])
    raw = await sdk.responses.with_raw_response.create(
        model="sim-1",
        input="hello",
        instructions="Be brief",
        tools=[TOOL],
        tool_choice={"type": "function", "name": "f"},
        reasoning={"effort": "low", "summary": "auto"},
        include=["reasoning.encrypted_content"],
        metadata={"a": "b"},
        text={"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}},
    )
    response = strictly(RESPONSE, raw.content)
    assert response.instructions == "Be brief"
    assert response.text is not None
    assert response.text.format is not None
    assert response.text.format.type == "json_schema"


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_event_of_a_stream_is_one(
    vendor: OpenAIServer, sdk: openai.AsyncOpenAI, strictly: "Strictly", events: "Events", name: str
) -> None:
    """Streamed, each event passes the SDK's types, is named after its type and numbered in order."""
    vendor.then(ANSWERS[name])
    async with sdk.responses.with_streaming_response.create(model="sim-1", input="hello", stream=True) as raw:
        seen = await events(raw.iter_bytes())
    kept = [(title, strictly(EVENT, data)) for title, data in seen]
    assert [title for title, _ in kept] == [event.type for _, event in kept]
    assert [event.sequence_number for _, event in kept] == list(range(len(kept)))
    assert [title for title, _ in kept[:2]] == ["response.created", "response.in_progress"]


@pytest.mark.parametrize("name", [name for name in ANSWERS if not name.startswith("failed")])
async def test_a_stream_says_what_the_whole_says(
    vendor: OpenAIServer, sdk: openai.AsyncOpenAI, name: str
) -> None:
    """What the SDK's own accumulator makes of the pieces is what the last event says, and the whole."""
    vendor.then(ANSWERS[name], ANSWERS[name])
    whole = await sdk.responses.create(model="sim-1", input="hello")
    texts: dict[int, str] = {}
    final: Response | None = None
    async with sdk.responses.stream(model="sim-1", input="hello") as stream:
        async for event in stream:
            if event.type == "response.output_text.delta":
                texts[event.output_index] = event.snapshot
            elif isinstance(event, ResponseCompletedEvent | ResponseIncompleteEvent):
                final = event.response
    assert final is not None
    assert final.status == whole.status
    assert final.output_text == whole.output_text == "".join(texts.values())
    assert final.usage == whole.usage
    assert final.incomplete_details == whole.incomplete_details
    assert [item.type for item in final.output] == [item.type for item in whole.output]


async def test_events_come_in_their_order(
    vendor: OpenAIServer, sdk: openai.AsyncOpenAI, events: "Events"
) -> None:
    """An item is added, tells its parts and is done, before the next begins."""
    vendor.then(Say("Hi", reasoning="hm", calls=(ToolUse("f", "{}"),), citations=(Citation(),)))
    async with sdk.responses.with_streaming_response.create(model="sim-1", input="hello", stream=True) as raw:
        seen = await events(raw.iter_bytes())
    assert [title.removeprefix("response.") for title, _ in seen] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]


async def test_encrypted_reasoning_comes_only_when_asked_for(
    vendor: OpenAIServer, sdk: openai.AsyncOpenAI
) -> None:
    """And on a stream it is right only when its item is done."""
    scripted = Say("Yes", reasoning=(Thought("hm", sealed="s1"),))
    vendor.then(scripted, scripted, scripted)
    plain = await sdk.responses.create(model="sim-1", input="hello")
    asked = await sdk.responses.create(model="sim-1", input="hello", include=["reasoning.encrypted_content"])
    payloads = [
        item.encrypted_content for item in (plain.output[0], asked.output[0]) if item.type == "reasoning"
    ]
    assert payloads == [None, "s1"]
    stream = await sdk.responses.create(
        model="sim-1", input="hello", include=["reasoning.encrypted_content"], stream=True
    )
    seen: list[tuple[str, str | None]] = []
    async for event in stream:
        if isinstance(event, ResponseOutputItemAddedEvent | ResponseOutputItemDoneEvent):
            item = event.item
            seen.extend([(event.type, item.encrypted_content)] if item.type == "reasoning" else [])
    assert seen == [("response.output_item.added", "unfinished"), ("response.output_item.done", "s1")]


async def test_how_an_answer_ended_is_told(vendor: OpenAIServer, sdk: openai.AsyncOpenAI) -> None:
    """Cut short with its reason, failed with its error, both whole and streamed."""
    vendor.then(ANSWERS["length"], ANSWERS["failed"], ANSWERS["failed"])
    short = await sdk.responses.create(model="sim-1", input="hello")
    assert short.status == "incomplete"
    assert short.incomplete_details is not None
    assert short.incomplete_details.reason == "max_output_tokens"
    assert short.output[0].type == "message"
    assert short.output[0].status == "incomplete"
    failed = await sdk.responses.create(model="sim-1", input="hello")
    assert failed.error is not None
    assert (failed.status, failed.error.code) == ("failed", "rate_limit_exceeded")
    stream = await sdk.responses.create(model="sim-1", input="hello", stream=True)
    last = [event async for event in stream][-1]
    assert last.type == "response.failed"
    assert last.response.error == failed.error


async def test_a_stream_can_fail_in_the_middle(
    vendor: OpenAIServer, sdk: openai.AsyncOpenAI, strictly: "Strictly", events: "Events"
) -> None:
    """An error event after as many pieces as the script says, numbered as the next."""
    vendor.then(Say("one two three", fail=Failure.server_error(), fail_after=2))
    async with sdk.responses.with_streaming_response.create(model="sim-1", input="hello", stream=True) as raw:
        seen = await events(raw.iter_bytes())
    last = strictly(EVENT, seen[-1][1])
    assert last.type == "error"
    assert last.sequence_number == len(seen) - 1
    assert "had an error" in last.message
    assert [title for title, _ in seen].count("response.output_text.delta") == 2


async def test_a_stream_can_lose_its_end(
    vendor: OpenAIServer, sdk: openai.AsyncOpenAI, events: "Events"
) -> None:
    """Nothing is missing but the event that completes it."""
    vendor.then(Say("one", end_mark=False))
    async with sdk.responses.with_streaming_response.create(model="sim-1", input="hello", stream=True) as raw:
        seen = await events(raw.iter_bytes())
    assert seen[-1][0] == "response.output_item.done"


async def test_usage_can_be_missing(vendor: OpenAIServer, sdk: openai.AsyncOpenAI) -> None:
    """A careless server leaves it out."""
    vendor.then(Say("a", usage="missing"))
    assert (await sdk.responses.create(model="sim-1", input="hello")).usage is None


async def test_it_answers_what_is_asked_of_it(sdk: openai.AsyncOpenAI) -> None:
    """A required call, a schema and a limit are obeyed without a script."""
    choices: list[Literal["required"] | ToolChoiceFunctionParam] = [
        "required",
        {"type": "function", "name": "f"},
    ]
    for choice in choices:
        called = await sdk.responses.create(model="sim-1", input="hello", tools=[TOOL], tool_choice=choice)
        assert called.output[0].type == "function_call"
        assert (called.output[0].name, called.output[0].arguments) == ("f", '{"n":1}')
    allowed = await sdk.responses.create(
        model="sim-1",
        input="hello",
        tools=[TOOL],
        tool_choice={
            "type": "allowed_tools",
            "mode": "required",
            "tools": [{"type": "function", "name": "f"}],
        },
    )
    assert allowed.output[0].type == "function_call"
    shaped = await sdk.responses.create(
        model="sim-1",
        input="hello",
        text={"format": {"type": "json_schema", "name": "a", "schema": dict(TOOL["parameters"] or {})}},
    )
    assert shaped.output_text == '{"n":1}'
    short = await sdk.responses.create(model="sim-1", input="word " * 20, max_output_tokens=16)
    assert short.status == "incomplete"
    assert short.usage is not None
    assert short.usage.output_tokens == 16


async def test_it_counts_and_speaks_chat_too(sdk: openai.AsyncOpenAI) -> None:
    """One base URL serves both APIs."""
    counted = await sdk.responses.input_tokens.count(model="sim-1", input="one two", instructions="three")
    assert counted.input_tokens == 3
    chat = await sdk.chat.completions.create(model="sim-1", messages=[{"role": "user", "content": "hi"}])
    assert chat.choices[0].message.content == "You said: hi"
    assert [model.id async for model in sdk.models.list()] == ["sim-1"]


async def test_the_same_script_gives_the_same_bytes() -> None:
    """Ids are counted and times stand still."""

    async def told() -> list[bytes]:
        async with (
            OpenAIServer() as one,
            openai.AsyncOpenAI(api_key="sk-x", base_url=one.url) as client,
        ):
            one.then(*ANSWERS.values())
            create = client.responses.with_raw_response.create
            return [(await create(model="sim-1", input="hello")).content for _ in ANSWERS]

    assert await told() == await told()


async def test_errors_are_those_of_the_vendor(vendor: OpenAIServer, sdk: openai.AsyncOpenAI) -> None:
    """As for chat: the same bodies, and a key that is checked."""
    vendor.then(Failure.overloaded())
    with pytest.raises(openai.InternalServerError) as caught:
        await sdk.responses.create(model="sim-1", input="hello")
    assert caught.value.code == "engine_overloaded"
    vendor.change_key("sk-other")
    with pytest.raises(openai.AuthenticationError):
        await sdk.responses.create(model="sim-1", input="hello")
