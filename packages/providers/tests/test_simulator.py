"""The simulated vendor: the official SDK accepts it, with its own types in strict validation."""

import asyncio
from collections.abc import AsyncGenerator

import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionUserMessageParam

from interlock_providers.testing import Failure, OpenAIChatServer, RawReply, Say, ToolUse

HELLO: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "hello there"}]


@pytest.fixture
async def server() -> AsyncGenerator[OpenAIChatServer, None]:
    """A vendor that wants no key."""
    async with OpenAIChatServer() as one:
        yield one


@pytest.fixture
async def sdk(server: OpenAIChatServer) -> AsyncGenerator[openai.AsyncOpenAI, None]:
    """The official client, which validates strictly and does not retry."""
    async with openai.AsyncOpenAI(
        api_key="sk-x", base_url=server.url, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


async def test_the_official_sdk_completes(sdk: openai.AsyncOpenAI) -> None:
    """By default the answer repeats what was said, with its tokens counted."""
    answer = await sdk.chat.completions.create(model="sim-1", messages=HELLO, n=2)
    assert [choice.message.content for choice in answer.choices] == ["You said: hello there"] * 2
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 4)


async def test_the_official_sdk_streams(sdk: openai.AsyncOpenAI) -> None:
    """Every event passes the SDK's own types; usage comes last, without choices."""
    chunks: list[ChatCompletionChunk] = []
    async with await sdk.chat.completions.create(
        model="sim-1", messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks.extend([chunk async for chunk in stream])
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "You said: hello there"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[0].usage is None


async def test_the_official_sdk_assembles_streamed_calls(
    server: OpenAIChatServer, sdk: openai.AsyncOpenAI
) -> None:
    """Its own accumulator puts the pieces of two calls together."""
    server.then(Say(calls=(ToolUse("f", '{"a": [1, 2]}'), ToolUse("g", "{}"))))
    async with sdk.chat.completions.stream(model="sim-1", messages=HELLO) as stream:
        final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("f", '{"a": [1, 2]}'),
        ("g", "{}"),
    ]
    assert final.choices[0].finish_reason == "tool_calls"


async def test_refusals_and_reasoning_are_said(server: OpenAIChatServer, sdk: openai.AsyncOpenAI) -> None:
    """A refusal in its own field, reasoning in the servers' usual extra."""
    server.then(Say(refusal="No.", reasoning="hm hm", logprobs={"content": [], "refusal": None}))
    answer = await sdk.chat.completions.create(model="sim-1", messages=HELLO)
    assert answer.choices[0].message.refusal == "No."
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 2


async def test_the_official_sdk_lists_and_embeds(server: OpenAIChatServer, sdk: openai.AsyncOpenAI) -> None:
    """Models, and vectors as floats or as base64, which the SDK asks for by itself."""
    assert [model.id async for model in sdk.models.list()] == ["sim-1"]
    plain = await sdk.embeddings.create(model="sim-1", input="a b", dimensions=4, encoding_format="float")
    async with openai.AsyncOpenAI(api_key="sk-x", base_url=server.url, max_retries=0) as lenient:
        packed = await lenient.embeddings.create(model="sim-1", input=["a b", "c"], dimensions=4)
    assert packed.data[0].embedding == plain.data[0].embedding
    assert packed.usage.prompt_tokens == 3


async def test_it_answers_what_is_asked_of_it(sdk: openai.AsyncOpenAI) -> None:
    """A required call, a schema and a limit are obeyed without a script."""
    schema: dict[str, object] = {
        "type": "object",
        "properties": {
            "n": {"type": "integer"},
            "s": {"enum": ["x"]},
            "b": {"type": "boolean"},
            "l": {"type": "array"},
        },
        "required": ["n", "s", "b", "l"],
    }
    called = await sdk.chat.completions.create(
        model="sim-1",
        messages=HELLO,
        tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}],
        tool_choice="required",
    )
    call = (called.choices[0].message.tool_calls or [])[0]
    assert call.type == "function"
    assert call.function.arguments == '{"n":1,"s":"x","b":true,"l":[]}'
    shaped = await sdk.chat.completions.create(
        model="sim-1",
        messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
    )
    assert shaped.choices[0].message.content == '{"n":1,"s":"x","b":true,"l":[]}'
    short = await sdk.chat.completions.create(model="sim-1", messages=HELLO, max_completion_tokens=2)
    assert (short.choices[0].message.content, short.choices[0].finish_reason) == ("You said:", "length")


@pytest.mark.parametrize(
    ("failure", "cls"),
    [
        (Failure.bad_key(), openai.AuthenticationError),
        (Failure.rate_limit(1), openai.RateLimitError),
        (Failure.no_money(), openai.RateLimitError),
        (Failure.too_long(), openai.BadRequestError),
        (Failure.overloaded(), openai.InternalServerError),
        (Failure.content_policy(), openai.BadRequestError),
        (Failure.invalid("Wrong."), openai.BadRequestError),
        (Failure.model_not_found("gpt-9"), openai.NotFoundError),
        (Failure.not_found(), openai.NotFoundError),
        (Failure.permission(), openai.PermissionDeniedError),
        (Failure.server_error(), openai.InternalServerError),
        (Failure.timeout(), openai.InternalServerError),
        (Failure.too_large(), openai.APIStatusError),
        (Failure(status=404), openai.NotFoundError),
        (Failure(status=422), openai.UnprocessableEntityError),
    ],
)
async def test_the_official_sdk_raises_its_own_errors(
    server: OpenAIChatServer, sdk: openai.AsyncOpenAI, failure: Failure, cls: type[openai.APIStatusError]
) -> None:
    """Each class of error is the one that the vendor's own SDK expects."""
    server.then(failure)
    with pytest.raises(cls) as caught:
        await sdk.chat.completions.create(model="sim-1", messages=HELLO)
    assert (caught.value.status_code, caught.value.code) == (failure.status, failure.code)
    assert caught.value.type == (failure.kind or "invalid_request_error")
    assert caught.value.request_id == "req_1"


async def test_a_stream_can_fail_in_the_middle(server: OpenAIChatServer, sdk: openai.AsyncOpenAI) -> None:
    """The SDK sees the error event after what was said."""
    server.then(Say("one two", fail=Failure.overloaded()))
    seen: list[str] = []

    async def read() -> None:
        async with await sdk.chat.completions.create(model="sim-1", messages=HELLO, stream=True) as stream:
            async for chunk in stream:
                seen.append(chunk.choices[0].delta.content or "")

    with pytest.raises(openai.APIError, match="overloaded"):
        await read()
    assert "".join(seen) == "one two"


async def test_it_refuses_what_the_vendor_would_refuse(
    server: OpenAIChatServer, sdk: openai.AsyncOpenAI
) -> None:
    """Unknown models, illegal tool names, missing messages and lost options."""
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        await sdk.chat.completions.create(model="gpt-9", messages=HELLO)
    with pytest.raises(openai.BadRequestError, match="messages"):
        await sdk.chat.completions.create(model="sim-1", messages=[])
    with pytest.raises(openai.BadRequestError, match="does not match pattern"):
        await sdk.chat.completions.create(
            model="sim-1", messages=HELLO, tools=[{"type": "function", "function": {"name": "a.b"}}]
        )
    with pytest.raises(openai.BadRequestError, match="stream_options"):
        await sdk.post(
            "/chat/completions",
            cast_to=object,
            body={"model": "sim-1", "messages": HELLO, "stream_options": {"include_usage": True}},
        )
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        await sdk.files.list()
    server.change_key("sk-other")
    with pytest.raises(openai.AuthenticationError):
        await sdk.models.list()


async def test_anything_at_all_can_be_sent(server: OpenAIChatServer, sdk: openai.AsyncOpenAI) -> None:
    """Also what no vendor would, and for embeddings too."""
    server.then(RawReply(body=b"teapot", status=418, content_type="text/plain", headers=(("x-pot", "1"),)))
    with pytest.raises(openai.APIStatusError) as caught:
        await sdk.embeddings.create(model="sim-1", input="a")
    assert (caught.value.status_code, caught.value.response.headers["x-pot"]) == (418, "1")


async def test_its_default_can_be_set(sdk: openai.AsyncOpenAI) -> None:
    """A benchmark wants one answer for ever."""
    del sdk
    async with (
        OpenAIChatServer(default=Say("fixed", finish="length")) as vendor,
        openai.AsyncOpenAI(api_key="sk-x", base_url=vendor.url, max_retries=0) as client,
    ):
        answers = await asyncio.gather(
            *(client.chat.completions.create(model="sim-1", messages=HELLO) for _ in range(3))
        )
        assert {answer.choices[0].message.content for answer in answers} == {"fixed"}
        assert len(vendor.requests) == 3
        assert vendor.origin in vendor.url
        assert not vendor.client_left.is_set()
