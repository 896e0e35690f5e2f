"""The client's side of the dialect: the official SDK talks to a small gateway made of the codec alone."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import openai
import pytest
from openai.types.chat import ChatCompletionToolUnionParam, ChatCompletionUserMessageParam

from interlock_core import JsonObject, Provider
from interlock_core.errors import InterlockError
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_providers import build_provider, codec, embeddings_codec
from interlock_providers.testing import Failure, OpenAIChatServer, Say, ToolUse

CODEC = codec("openai-chat")
HELLO: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "hello"}]
TOOL: ChatCompletionToolUnionParam = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {}},
}
FACTS: JsonObject = {"run": "run_1"}


@dataclass(frozen=True)
class Gateway:
    """A gateway of one provider, without guards: what it says is the codec's alone."""

    provider: Provider

    async def handle(self, request: ReceivedRequest) -> Answer:
        """Answer as the dialect wants it."""
        try:
            return await self._answer(request)
        except InterlockError as error:
            reply = CODEC.render_error(error)
            return Answer(status=reply.status, headers=reply.headers, body=reply.body)

    async def _answer(self, request: ReceivedRequest) -> Answer:
        if request.path == "/v1/models":
            models = [(model.id, model.provider) for model in await self.provider.models()]
            return Answer(body=CODEC.render_models(models), headers=(("content-type", "application/json"),))
        if request.path == "/v1/embeddings":
            dialect = embeddings_codec("openai-chat")
            wanted = dialect.parse_request(request.body)
            made = await self.provider.embed(wanted.model, wanted.texts)
            return _json(dialect.render_response(made, base64=wanted.base64))
        asked = CODEC.parse_request(request.body, request.headers)
        if not asked.stream:
            return _json(CODEC.render_response(await self.provider.complete(asked.request), FACTS))
        renderer = CODEC.render_stream(asked.request)

        async def events() -> AsyncIterator[bytes]:
            try:
                async with aclosing(self.provider.stream(asked.request)) as chunks:
                    async for chunk in chunks:
                        yield renderer.chunk(chunk)
                yield renderer.end(FACTS)
            except InterlockError as error:
                yield renderer.error(error)

        return Answer(headers=(("content-type", "text/event-stream"),), body=events())


def _json(body: bytes) -> Answer:
    return Answer(headers=(("content-type", "application/json"),), body=body)


@pytest.fixture
async def vendor() -> AsyncGenerator[OpenAIChatServer, None]:
    """The vendor behind the gateway."""
    async with OpenAIChatServer() as server:
        yield server


@pytest.fixture
async def sdk(vendor: OpenAIChatServer) -> AsyncGenerator[openai.AsyncOpenAI, None]:
    """The official client, pointed at the gateway, validating strictly."""
    provider = build_provider("sim", kind="openai-compatible", base_url=vendor.url)
    async with (
        LoopbackServer(Gateway(provider).handle) as gateway,
        openai.AsyncOpenAI(
            api_key="ilk_x", base_url=f"{gateway.url}/v1", max_retries=0, _strict_response_validation=True
        ) as client,
    ):
        yield client
    await provider.aclose()


@pytest.mark.promise("P2")
async def test_the_official_sdk_completes_through_the_codec(sdk: openai.AsyncOpenAI) -> None:
    """Text, usage, the name of the model that answered, and our own facts beside."""
    answer = await sdk.chat.completions.create(model="sim/sim-1", messages=HELLO)
    assert answer.choices[0].message.content == "You said: hello"
    assert answer.model == "sim/sim-1"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3
    assert (answer.model_extra or {})["interlock"] == {"run": "run_1"}


@pytest.mark.parametrize("asked", [True, False])
async def test_the_official_sdk_streams_through_the_codec(sdk: openai.AsyncOpenAI, asked: bool) -> None:
    """Usage is told to a client that asked for it, and to no other, though the vendor always tells us."""
    async with await sdk.chat.completions.create(
        model="sim/sim-1", messages=HELLO, stream=True, stream_options={"include_usage": asked}
    ) as stream:
        chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "You said: hello"
    assert {chunk.model for chunk in chunks} == {"sim/sim-1"}
    assert bool(chunks[-1].usage) is asked
    assert bool((chunks[-1].model_extra or {}).get("interlock")) is asked


async def test_streamed_calls_reach_the_sdk_byte_for_byte(
    vendor: OpenAIChatServer, sdk: openai.AsyncOpenAI
) -> None:
    """Its own accumulator puts together what the model wrote."""
    vendor.then(
        Say(calls=(ToolUse("get_weather", '{ "city":"Zürich" }', "a"), ToolUse("get_weather", "{}", "b")))
    )
    async with sdk.chat.completions.stream(model="sim/sim-1", messages=HELLO, tools=[TOOL]) as stream:
        final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    assert [(call.id, call.function.arguments) for call in calls] == [
        ("a", '{ "city":"Zürich" }'),
        ("b", "{}"),
    ]


@pytest.mark.parametrize(
    ("failure", "cls", "code"),
    [
        (Failure.too_long(), openai.BadRequestError, "context_length_exceeded"),
        (Failure.no_money(), openai.InternalServerError, "billing"),
        (Failure.bad_key(), openai.InternalServerError, "credential_refused"),
        (Failure.rate_limit(600), openai.RateLimitError, "rate_limit_exceeded"),
        (Failure(status=404, code="model_not_found", param="model"), openai.NotFoundError, "model_not_found"),
    ],
)
async def test_errors_reach_the_sdk_as_its_own(
    vendor: OpenAIChatServer,
    sdk: openai.AsyncOpenAI,
    failure: Failure,
    cls: type[openai.APIStatusError],
    code: str,
) -> None:
    """Who must act is told by status and code; a vendor's refusal of our key is not the client's 401."""
    vendor.then(failure)
    with pytest.raises(cls) as caught:
        await sdk.chat.completions.create(model="sim/sim-1", messages=HELLO)
    assert caught.value.code == code


async def test_a_wrong_request_names_its_field_to_the_sdk(sdk: openai.AsyncOpenAI) -> None:
    """`param` is the place as the client wrote it."""
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.chat.completions.create(model="sim/sim-1", messages=HELLO, n=0)
    assert caught.value.param == "n"


async def test_an_error_within_a_stream_reaches_the_sdk(
    vendor: OpenAIChatServer, sdk: openai.AsyncOpenAI
) -> None:
    """After what was said, the SDK raises the error that was streamed."""
    vendor.then(Say("one two", fail=Failure.no_money()))
    with pytest.raises(openai.APIError, match="wants to be paid"):
        async with await sdk.chat.completions.create(
            model="sim/sim-1", messages=HELLO, stream=True
        ) as stream:
            assert [chunk async for chunk in stream]


async def test_models_and_vectors_reach_the_sdk(sdk: openai.AsyncOpenAI) -> None:
    """The list under our own names, vectors as the SDK asks for them."""
    assert [(model.id, model.owned_by) async for model in sdk.models.list()] == [("sim/sim-1", "sim")]
    made = await sdk.embeddings.create(model="sim/sim-1", input=["a", "b"], encoding_format="float")
    assert [len(item.embedding) for item in made.data] == [8, 8]
    async with openai.AsyncOpenAI(api_key="ilk_x", base_url=sdk.base_url, max_retries=0) as lenient:
        packed = await lenient.embeddings.create(model="sim/sim-1", input=["a", "b"])
    assert [item.embedding for item in packed.data] == [item.embedding for item in made.data]
