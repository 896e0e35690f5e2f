"""The simulated Anthropic: its official SDK accepts it, with its own types in strict validation."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import anthropic
import pytest
from anthropic.types import Message, MessageParam, ModelInfo, RawMessageStreamEvent, ToolParam
from anthropic.types.shared import EnforcedSpendLimitReachedError, ErrorResponse
from pydantic import TypeAdapter

from interlock_providers.testing import (
    AnthropicServer,
    Citation,
    Failure,
    RawBlock,
    Say,
    Spoken,
    Thought,
    ToolUse,
)

if TYPE_CHECKING:
    from .conftest import Events, Strictly

HELLO: list[MessageParam] = [{"role": "user", "content": "hello there"}]
TOOL: ToolParam = {
    "name": "f",
    "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
}
MESSAGE = TypeAdapter(Message)
EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
ERROR = TypeAdapter(ErrorResponse)
MODEL = TypeAdapter(ModelInfo)

ANSWERS = {
    "text": Say("Hello you"),
    "nothing": Say(parts=()),
    "thought": Say("Yes", reasoning=(Thought("hm hm", pieces=("hm", " hm")), Thought(redacted=True))),
    "calls": Say("Look", calls=(ToolUse("f", '{"n": 1}'), ToolUse("g", id="toolu_own"))),
    "mixed": Say(parts=(Thought("a", sealed="s1"), ToolUse("f"), Thought("", sealed="s2"), Spoken("b"))),
    "cited": Say(
        "It is", citations=(Citation(end=5, text="It is", title="T"), Citation(url="https://x.test"))
    ),
    "own citation": Say(
        "It is",
        citations=(
            {
                "type": "page_location",
                "cited_text": "It",
                "document_index": 0,
                "start_page_number": 1,
                "end_page_number": 2,
            },
        ),
    ),
    "refusal": Say("I", refusal="No."),
    "refusal with category": Say(
        finish="refusal", finish_details={"type": "refusal", "category": "bio", "explanation": None}
    ),
    "stop sequence": Say("One", stop_sequence="."),
    "pause": Say("One", finish="pause_turn"),
    "window": Say("One", finish="model_context_window_exceeded"),
    "tier": Say("One", service_tier="priority"),
    "own usage": Say("One", usage={"input_tokens": 3, "cache_read_input_tokens": 2, "output_tokens": 9}),
    "server tool": Say(
        parts=(
            RawBlock(
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
            ),
            RawBlock({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}),
            Spoken("Found"),
        )
    ),
    "pings": Say("One two", pings=True),
}


@pytest.fixture
async def vendor() -> AsyncGenerator[AnthropicServer, None]:
    """A vendor that wants a key."""
    async with AnthropicServer(key="sk-x", models=("sim-1", "sim-2", "sim-3")) as one:
        yield one


@pytest.fixture
async def sdk(vendor: AnthropicServer) -> AsyncGenerator[anthropic.AsyncAnthropic, None]:
    """The official client, which validates strictly and does not retry."""
    async with anthropic.AsyncAnthropic(
        api_key="sk-x", base_url=vendor.url, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_answer_is_a_message(
    vendor: AnthropicServer, sdk: anthropic.AsyncAnthropic, strictly: "Strictly", name: str
) -> None:
    """Whole, it passes the SDK's types without an unknown field."""
    vendor.then(ANSWERS[name])
    raw = await sdk.messages.with_raw_response.create(model="sim-1", max_tokens=99, messages=HELLO)
    message = strictly(MESSAGE, await raw.read())
    assert message.stop_reason is not None
    assert message == await raw.parse()


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_event_of_a_stream_is_one(
    vendor: AnthropicServer,
    sdk: anthropic.AsyncAnthropic,
    strictly: "Strictly",
    events: "Events",
    name: str,
) -> None:
    """Streamed, each event passes the SDK's types and is named after its own type."""
    vendor.then(ANSWERS[name])
    async with sdk.messages.with_streaming_response.create(
        model="sim-1", max_tokens=99, messages=HELLO, stream=True
    ) as raw:
        seen = await events(raw.iter_bytes())
    kept = [(title, strictly(EVENT, data)) for title, data in seen if title != "ping"]
    assert [title for title, _ in kept] == [event.type for _, event in kept]
    assert (kept[0][0], kept[-2][0], kept[-1][0]) == ("message_start", "message_delta", "message_stop")


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_stream_says_what_the_whole_says(
    vendor: AnthropicServer, sdk: anthropic.AsyncAnthropic, name: str
) -> None:
    """The SDK's own accumulator makes the same message of the pieces."""
    vendor.then(ANSWERS[name], ANSWERS[name])
    whole = await sdk.messages.create(model="sim-1", max_tokens=99, messages=HELLO)
    async with sdk.messages.stream(model="sim-1", max_tokens=99, messages=HELLO) as stream:
        final = await stream.get_final_message()
    assert final.stop_reason == whole.stop_reason
    assert final.stop_details == whole.stop_details
    assert final.stop_sequence == whole.stop_sequence
    assert final.usage.output_tokens == whole.usage.output_tokens
    theirs, ours = (_bare(message) for message in (final, whole))
    assert theirs == ours


def _bare(message: Message) -> list[dict[str, object]]:
    """The content without what differs from one answer to the next, or between no list and an empty one."""
    made_up = {"id", "signature", "data", "citations", "parsed_output"}
    blocks = [block.model_dump() for block in message.content]
    return [{key: value for key, value in block.items() if key not in made_up} for block in blocks]


async def test_the_same_script_gives_the_same_bytes() -> None:
    """Ids are counted and times stand still."""

    async def told() -> list[bytes]:
        async with (
            AnthropicServer() as one,
            anthropic.AsyncAnthropic(api_key="sk-x", base_url=one.url) as client,
        ):
            one.then(*ANSWERS.values())
            answers = [
                await client.messages.with_raw_response.create(model="sim-1", max_tokens=99, messages=HELLO)
                for _ in ANSWERS
            ]
            return [await answer.read() for answer in answers]

    assert await told() == await told()


async def test_a_stream_counts_as_it_goes(vendor: AnthropicServer, sdk: anthropic.AsyncAnthropic) -> None:
    """The start tells the input, the end the whole output, thoughts included."""
    vendor.then(Say("one two", reasoning="hm"))
    stream = await sdk.messages.create(model="sim-1", max_tokens=99, messages=HELLO, stream=True)
    seen = [event async for event in stream]
    first, last = seen[0], seen[-2]
    assert first.type == "message_start"
    assert (first.message.usage.input_tokens, first.message.usage.output_tokens) == (2, 1)
    assert last.type == "message_delta"
    assert (last.usage.input_tokens, last.usage.output_tokens) == (2, 3)
    assert last.usage.output_tokens_details is not None
    assert last.usage.output_tokens_details.thinking_tokens == 1


async def test_usage_can_be_missing(vendor: AnthropicServer, sdk: anthropic.AsyncAnthropic) -> None:
    """A careless server leaves it out, whole and streamed."""
    vendor.then(Say("a", usage="missing"), Say("a", usage="missing"))
    raw = await sdk.messages.with_raw_response.create(model="sim-1", max_tokens=9, messages=HELLO)
    assert b'"usage"' not in await raw.read()
    async with sdk.messages.with_streaming_response.create(
        model="sim-1", max_tokens=9, messages=HELLO, stream=True
    ) as streamed:
        assert b'"usage"' not in await streamed.read()


async def test_broken_arguments_go_out_as_they_are(
    vendor: AnthropicServer, sdk: anthropic.AsyncAnthropic
) -> None:
    """Streamed byte for byte; whole as the text that they are, which no type allows."""
    broken = Say(calls=(ToolUse("f", '{"n": ', pieces=('{"n"', ": ")),))
    vendor.then(broken, broken)
    stream = await sdk.messages.create(model="sim-1", max_tokens=9, messages=HELLO, stream=True)
    pieces = [
        event.delta.partial_json
        async for event in stream
        if event.type == "content_block_delta" and event.delta.type == "input_json_delta"
    ]
    assert pieces == ["", '{"n"', ": "]
    raw = await sdk.messages.with_raw_response.create(model="sim-1", max_tokens=9, messages=HELLO)
    assert b'"input":"{\\"n\\": "' in await raw.read()


async def test_both_kinds_of_key_are_taken(vendor: AnthropicServer) -> None:
    """A bearer token or `x-api-key`, and nothing else."""
    for headers in ({"authorization": "Bearer sk-x"}, {"x-api-key": "sk-x"}):
        async with anthropic.AsyncAnthropic(
            api_key="wrong", base_url=vendor.url, default_headers=headers
        ) as client:
            answer = await client.messages.create(model="sim-1", max_tokens=9, messages=HELLO)
        assert answer.stop_reason == "end_turn"
    async with anthropic.AsyncAnthropic(api_key="wrong", base_url=vendor.url) as client:
        with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
            await client.messages.create(model="sim-1", max_tokens=9, messages=HELLO)


async def test_it_answers_what_is_asked_of_it(sdk: anthropic.AsyncAnthropic) -> None:
    """A required call, a schema, a limit and a stop sequence are obeyed without a script."""
    called = await sdk.messages.create(
        model="sim-1", max_tokens=99, messages=HELLO, tools=[TOOL], tool_choice={"type": "any"}
    )
    assert called.content[0].type == "tool_use"
    assert (called.content[0].name, called.content[0].input) == ("f", {"n": 1})
    shaped = await sdk.messages.create(
        model="sim-1",
        max_tokens=99,
        messages=HELLO,
        output_config={"format": {"type": "json_schema", "schema": dict(TOOL["input_schema"])}},
    )
    assert shaped.content[0].type == "text"
    assert shaped.content[0].text == '{"n":1}'
    short = await sdk.messages.create(model="sim-1", max_tokens=2, messages=HELLO)
    assert short.stop_reason == "max_tokens"
    nothing = await sdk.messages.create(model="sim-1", max_tokens=0, messages=HELLO)
    assert (nothing.stop_reason, nothing.content) == ("max_tokens", [])
    stopped = await sdk.messages.create(
        model="sim-1", max_tokens=99, messages=HELLO, stop_sequences=["there"]
    )
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "there")


async def test_it_counts_and_lists(sdk: anthropic.AsyncAnthropic, strictly: "Strictly") -> None:
    """Tokens of everything that is said, and the models in pages."""
    counted = await sdk.messages.count_tokens(model="sim-1", messages=HELLO, system="Be brief")
    assert counted.input_tokens == 4
    listed = [model async for model in sdk.models.list(limit=1)]
    assert [model.id for model in listed] == ["sim-1", "sim-2", "sim-3"]
    assert [model.id async for model in sdk.models.list(before_id="sim-3", limit=1)] == ["sim-2", "sim-1"]
    raw = await sdk.models.with_raw_response.retrieve("sim-2")
    assert strictly(MODEL, await raw.read()).capabilities == listed[1].capabilities
    with pytest.raises(anthropic.NotFoundError, match="model: sim-9"):
        await sdk.models.retrieve("sim-9")


async def test_a_thought_can_stay_untold(vendor: AnthropicServer, sdk: anthropic.AsyncAnthropic) -> None:
    """Where the request omits thoughts, their signature alone goes out, and may come back."""
    vendor.then(Say("Yes", reasoning=(Thought("secret", sealed="s1"),)))
    answer = await sdk.messages.create(
        model="sim-1",
        max_tokens=99,
        messages=HELLO,
        thinking={"type": "adaptive", "display": "omitted"},
    )
    assert answer.content[0].type == "thinking"
    assert (answer.content[0].thinking, answer.content[0].signature) == ("", "s1")
    again = await sdk.messages.create(
        model="sim-1", max_tokens=99, messages=[*HELLO, answer.to_param(), *HELLO]
    )
    assert again.stop_reason == "end_turn"


FAILURES: list[tuple[Failure, type[anthropic.APIStatusError], str]] = [
    (Failure.bad_key(), anthropic.AuthenticationError, "authentication_error"),
    (Failure.content_policy(), anthropic.BadRequestError, "invalid_request_error"),
    (Failure.invalid("so"), anthropic.BadRequestError, "invalid_request_error"),
    (Failure.model_not_found("m"), anthropic.NotFoundError, "not_found_error"),
    (Failure.no_money(), anthropic.PaymentRequiredError, "billing_error"),
    (Failure.not_found(), anthropic.NotFoundError, "not_found_error"),
    (Failure.overloaded(), anthropic.OverloadedError, "overloaded_error"),
    (Failure.permission(), anthropic.PermissionDeniedError, "permission_error"),
    (Failure.rate_limit(7), anthropic.RateLimitError, "rate_limit_error"),
    (Failure.server_error(), anthropic.InternalServerError, "api_error"),
    (Failure.timeout(), anthropic.GatewayTimeoutError, "timeout_error"),
    (Failure.too_large(), anthropic.ContentTooLargeError, "invalid_request_error"),
    (Failure.too_long(200_000), anthropic.BadRequestError, "invalid_request_error"),
]


@pytest.mark.parametrize(("failure", "cls", "kind"), FAILURES)
async def test_the_official_sdk_raises_its_own_errors(
    vendor: AnthropicServer,
    sdk: anthropic.AsyncAnthropic,
    strictly: "Strictly",
    failure: Failure,
    cls: type[anthropic.APIStatusError],
    kind: str,
) -> None:
    """Each class of error is the one that the vendor's own SDK expects, and its body passes its types."""
    vendor.then(failure)
    with pytest.raises(cls) as caught:
        await sdk.messages.create(model="sim-1", max_tokens=9, messages=HELLO)
    assert caught.value.type == kind
    answered = strictly(ERROR, caught.value.response.content)
    assert answered.request_id == caught.value.request_id
    assert caught.value.response.headers.get("retry-after") == dict(failure.headers).get("retry-after")


async def test_an_error_can_carry_a_code(vendor: AnthropicServer, sdk: anthropic.AsyncAnthropic) -> None:
    """It is among the details, and the SDK picks its class by it."""
    vendor.then(Failure(status=429, code="enforced_spend_limit_reached"))
    with pytest.raises(EnforcedSpendLimitReachedError):
        await sdk.messages.create(model="sim-1", max_tokens=9, messages=HELLO)


async def test_a_limit_tells_its_state(vendor: AnthropicServer, sdk: anthropic.AsyncAnthropic) -> None:
    """Every answer carries the vendor's rate limits."""
    del vendor
    raw = await sdk.messages.with_raw_response.create(model="sim-1", max_tokens=9, messages=HELLO)
    assert raw.headers["anthropic-ratelimit-requests-remaining"] == "3999"
    assert raw.headers["anthropic-ratelimit-output-tokens-reset"].endswith("Z")


async def test_a_stream_can_fail_in_the_middle(
    vendor: AnthropicServer, sdk: anthropic.AsyncAnthropic
) -> None:
    """The SDK sees the error event after as many pieces as the script says."""
    vendor.then(Say("one two three", fail=Failure.overloaded(), fail_after=2))
    seen: list[str] = []

    async def read() -> None:
        async with sdk.messages.stream(model="sim-1", max_tokens=9, messages=HELLO) as stream:
            seen.extend([text async for text in stream.text_stream])

    async def listen() -> None:
        stream = await sdk.messages.create(model="sim-1", max_tokens=9, messages=HELLO, stream=True)
        async for event in stream:
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                seen.append(event.delta.text)

    with pytest.raises(anthropic.APIStatusError) as caught:
        await listen()
    assert caught.value.type == "overloaded_error"
    assert seen == ["one", " two"]
    vendor.then(Say("one two three", fail=Failure.overloaded()))
    with pytest.raises(anthropic.APIStatusError):
        await read()


async def test_a_stream_can_lose_its_end_mark(
    vendor: AnthropicServer, sdk: anthropic.AsyncAnthropic, events: "Events"
) -> None:
    """Nothing is missing but `message_stop`."""
    vendor.then(Say("one", end_mark=False))
    async with sdk.messages.with_streaming_response.create(
        model="sim-1", max_tokens=99, messages=HELLO, stream=True
    ) as raw:
        seen = await events(raw.iter_bytes())
    assert seen[-1][0] == "message_delta"
