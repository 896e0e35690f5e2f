"""The dialect openai-responses with a vendor behind it and a client before it, both over real connections."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace

import openai
import pytest
from openai.types.responses import FunctionToolParam

from interlock_core import (
    Completion,
    CompletionRequest,
    Content,
    FinishReason,
    JsonObject,
    Message,
    Provider,
    Reasoning,
    ResponseFormat,
    Secret,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import (
    CredentialError,
    InterlockError,
    NotFoundError,
    OverloadedError,
    ProtocolError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.messages import assistant, system, user
from interlock_core.resilience import RetryPolicy
from interlock_core.testing import Answer, FakeClock, LoopbackServer, ReceivedRequest
from interlock_providers import ProviderOptions, build_provider, codec, known_model, known_models
from interlock_providers.rows import CarrierName
from interlock_providers.testing import (
    Citation,
    Failure,
    OpenAIChatServer,
    OpenAIServer,
    Say,
    Thought,
    ToolUse,
)

CODEC = codec("openai-responses")
MODEL = "o3-pro"
"""A model that only this dialect reaches."""
SEALED = "gAAAAABthoughts"
TOOL = ToolSpec(name="weather.get", parameters={"type": "object", "properties": {"city": {"type": "string"}}})
SDK_TOOL: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object"},
    "strict": False,
}
FACTS: JsonObject = {"run": "run_1"}


@pytest.fixture
async def openai_server() -> AsyncGenerator[OpenAIServer, None]:
    """OpenAI, as it refuses what it refuses."""
    async with OpenAIServer(key="sk-0123456789abcdef", models=(MODEL, "gpt-5.4-mini")) as server:
        yield server


@pytest.fixture
async def provider(
    openai_server: OpenAIServer, clock: FakeClock, carrier: CarrierName
) -> AsyncGenerator[Provider, None]:
    """A provider that asks it, over one of the carriers."""
    options = ProviderOptions(carrier=carrier, retries=RetryPolicy(jitter=0), clock=clock, sleep=clock.sleep)
    key = Secret("sk-0123456789abcdef", name="key")
    made = build_provider("openai", kind="openai", base_url=openai_server.url, api_key=key, options=options)
    yield made
    await made.aclose()


def asking(*messages: Message, **settings: object) -> CompletionRequest:
    """A request to the model that only this dialect reaches."""
    return replace(CompletionRequest(model=f"openai/{MODEL}", messages=messages), **settings)


async def streamed(provider: Provider, request: CompletionRequest) -> Completion:
    """The answer of a stream."""
    whole = CompletionAssembler()
    async with aclosing(provider.stream(request)) as chunks:
        async for chunk in chunks:
            whole.feed(chunk)
    return whole.completion()


def paths(server: OpenAIChatServer) -> list[str]:
    """Where the vendor was asked."""
    return [request.path for request in server.requests]


def without_ids(answer: Completion) -> list[Content]:
    """The parts of an answer; each answer numbers its reasoning anew."""
    parts = answer.message.content
    return [replace(part, id=part.id and "rs") if isinstance(part, Reasoning) else part for part in parts]


ANSWERS = {
    "text": Say("The weather is fine."),
    "reasoning": Say("4", reasoning=(Thought("Two and two.", sealed=SEALED),)),
    "calls": Say(
        "I look.",
        calls=(ToolUse("weather_get", '{ "city":"Zürich" }', "a"), ToolUse("weather_get", "{}", "b")),
    ),
    "refusal": Say(refusal="I will not."),
    "citations": Say(
        "It rained.", citations=(Citation(url="https://example.org", title="t", text="It", end=2),)
    ),
    "length": Say("Once upon", finish="max_output_tokens"),
}


@pytest.mark.promise("P1")
@pytest.mark.parametrize("name", sorted(ANSWERS))
async def test_an_answer_is_the_same_whole_and_streamed(
    openai_server: OpenAIServer, provider: Provider, name: str
) -> None:
    """Parts, ending and usage."""
    openai_server.then(ANSWERS[name], ANSWERS[name])
    request = asking(user("hi"), tools=(TOOL,))
    whole = await provider.complete(request)
    piecewise = await streamed(provider, request)
    assert without_ids(piecewise) == without_ids(whole)
    assert (piecewise.finish, piecewise.native_finish) == (whole.finish, whole.native_finish)
    assert piecewise.usage == whole.usage
    assert whole.usage is not None
    assert paths(openai_server) == ["/v1/responses"] * 2


@pytest.mark.promise("P2")
async def test_every_option_is_taken_by_the_vendor(openai_server: OpenAIServer, provider: Provider) -> None:
    """Nothing is sent that it refuses."""
    request = asking(
        system("Be brief."),
        user("hi"),
        tools=(TOOL, ToolSpec(name="t", strict=True)),
        tool_choice=ToolChoice(mode="auto", parallel=False),
        response_format=ResponseFormat(schema={"type": "object"}, strict=True),
        max_tokens=64,
        temperature=0.5,
        top_p=0.9,
        logprobs=2,
        reasoning_effort="low",
        service_tier="flex",
        cache_key="k",
        user="u",
        metadata={"a": "b"},
    )
    assert (await provider.complete(request)).adapted == ()
    adapted = await provider.complete(replace(request, seed=1, presence_penalty=0.5))
    assert len(adapted.adapted) == 2
    assert len((await streamed(provider, replace(request, seed=1))).adapted) == 1


@pytest.mark.promise("P1")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_with_sealed_reasoning_and_tools_goes_on(
    openai_server: OpenAIServer, provider: Provider, stream: bool
) -> None:
    """The vendor recognises its reasoning, its calls and their results, and stores nothing."""
    ask = streamed if stream else _whole
    openai_server.then(
        Say(
            reasoning=(Thought("Which city?", sealed=SEALED),),
            calls=(ToolUse("weather_get", '{"city":"Paris"}', "call_1"),),
        ),
        Say("It rains in Paris."),
    )
    question = asking(user("Weather?"), tools=(TOOL,))
    first = await ask(provider, question)
    assert first.finish is FinishReason.TOOL_CALLS
    assert first.message.tool_calls == (
        ToolCall(id="call_1", name="weather.get", arguments='{"city":"Paris"}'),
    )
    thought = first.message.content[0]
    assert isinstance(thought, Reasoning)
    assert (thought.encrypted, thought.vendor) == (SEALED, "openai")
    result = ToolResult(call_id="call_1", name="weather.get", content=(Text("rain"),))
    more = replace(question, messages=(*question.messages, first.message, Message("tool", (result,))))
    second = await ask(provider, more)
    assert second.text == "It rains in Paris."
    assert SEALED.encode() in openai_server.requests[1].body
    assert not openai_server.memory.stored


async def _whole(provider: Provider, request: CompletionRequest) -> Completion:
    return await provider.complete(request)


async def test_reasoning_of_another_vendor_is_not_told(
    openai_server: OpenAIServer, provider: Provider
) -> None:
    """The vendor would refuse what it cannot read."""
    foreign = Reasoning(text="hm", signature="SIG", vendor="anthropic")
    request = asking(user("hi"), assistant(foreign, "Hello."), user("more"))
    answer = await provider.complete(request)
    assert answer.adapted == ("earlier reasoning that openai cannot take back is left out",)
    assert b"SIG" not in openai_server.requests[0].body


async def test_a_model_that_both_dialects_reach_is_asked_in_this_one_where_it_must(
    openai_server: OpenAIServer, provider: Provider
) -> None:
    """Sealed reasoning and clients of this dialect need it; other requests go the usual way."""
    plain = CompletionRequest(model="openai/gpt-5.4-mini", messages=(user("hi"),))
    openai_server.then(Say("a"), Say("b", reasoning=(Thought("hm", sealed=SEALED),)), Say("c"))
    await provider.complete(plain)
    asked = CODEC.parse_request(b'{"model":"openai/gpt-5.4-mini","input":"hi"}').request
    answer = await provider.complete(asked)
    await provider.complete(replace(plain, messages=(user("hi"), answer.message, user("more"))))
    assert paths(openai_server) == ["/v1/chat/completions", "/v1/responses", "/v1/responses"]


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (Failure.bad_key(), CredentialError),
        (Failure.rate_limit(600), UpstreamRateLimitError),
        (Failure.overloaded(), OverloadedError),
        (Failure(status=404, code="model_not_found", param="model"), NotFoundError),
    ],
)
async def test_the_vendors_errors_are_typed(
    openai_server: OpenAIServer, provider: Provider, failure: Failure, error: type[InterlockError]
) -> None:
    """Whole and streamed."""
    openai_server.then(*[failure] * 12)
    with pytest.raises(error):
        await provider.complete(asking(user("hi")))
    with pytest.raises(error):
        await streamed(provider, asking(user("hi")))


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    ("say", "error"),
    [
        (Say("one two three", fail=Failure.overloaded()), UpstreamError),
        (Say("one two three", cut_after=900, clean_cut=True), ProtocolError),
    ],
)
async def test_a_stream_that_fails_in_the_middle_is_typed(
    openai_server: OpenAIServer, provider: Provider, say: Say, error: type[InterlockError]
) -> None:
    """What was said stays said, and is not asked for again."""
    openai_server.then(*[say] * 12)
    with pytest.raises(error):
        await streamed(provider, asking(user("hi")))


def test_models_that_only_this_dialect_reaches_are_known() -> None:
    """Those of the vendor's own list, and their dated snapshots."""
    names = {name for name, model in known_models("openai").items() if model.dialect == CODEC.dialect}
    assert {"o1-pro", "o3-pro", "gpt-5-pro", "gpt-5-codex", "o3-deep-research", "gpt-6-cyber"} <= names
    found = known_model("openai", "o3-pro-2025-06-10")
    assert found is not None
    assert found.dialect == CODEC.dialect
    usual = known_model("openai", "gpt-5.4-mini")
    assert usual is not None
    assert usual.dialect is None


@dataclass(frozen=True)
class ResponsesGateway:
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
        asked = CODEC.parse_request(request.body, request.headers)
        if not asked.stream:
            body = CODEC.render_response(await self.provider.complete(asked.request), FACTS)
            return Answer(headers=(("content-type", "application/json"),), body=body)
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


@pytest.fixture(params=["openai", "openai-compatible"])
async def client(
    request: pytest.FixtureRequest, openai_server: OpenAIServer, clock: FakeClock
) -> AsyncGenerator[openai.AsyncOpenAI, None]:
    """The official client, validating strictly, before a vendor of this dialect and one of another."""
    options = ProviderOptions(retries=RetryPolicy(jitter=0), clock=clock, sleep=clock.sleep)
    key = Secret("sk-0123456789abcdef", name="key")
    kind: str = request.param
    made = build_provider("sim", kind=kind, base_url=openai_server.url, api_key=key, options=options)
    async with (
        LoopbackServer(ResponsesGateway(made).handle) as gateway,
        openai.AsyncOpenAI(
            api_key="ilk_x", base_url=f"{gateway.url}/v1", max_retries=0, _strict_response_validation=True
        ) as sdk,
    ):
        yield sdk
    await made.aclose()


@pytest.mark.promise("G1")
async def test_the_official_sdk_completes_through_the_codec(client: openai.AsyncOpenAI) -> None:
    """Text, usage, the name of the model that answered, and our own facts beside."""
    answer = await client.responses.create(model="sim/gpt-5.4-mini", input="hello", instructions="Be brief.")
    assert answer.output_text == "You said: hello"
    assert answer.model == "sim/gpt-5.4-mini"
    assert answer.status == "completed"
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3
    assert (answer.model_extra or {})["interlock"] == FACTS


@pytest.mark.promise("G1")
async def test_the_official_sdk_streams_through_the_codec(client: openai.AsyncOpenAI) -> None:
    """Its own accumulator follows every event to the whole answer."""
    async with client.responses.stream(model="sim/gpt-5.4-mini", input="hello") as stream:
        events = [event async for event in stream]
        final = await stream.get_final_response()
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == "You said: hello"
    assert final.output_text == "You said: hello"
    assert final.usage is not None
    assert final.usage.output_tokens == 3
    assert final.model == "sim/gpt-5.4-mini"
    assert (final.model_extra or {})["interlock"] == FACTS
    assert events[-1].type == "response.completed"


@pytest.mark.promise("G1")
async def test_a_conversation_of_the_sdk_goes_on_with_its_own_items(
    openai_server: OpenAIServer, client: openai.AsyncOpenAI
) -> None:
    """A client repeats the output as it got it, and adds the results of its tools."""
    openai_server.then(
        Say(calls=(ToolUse("get_weather", '{ "city":"Zürich" }', "a"), ToolUse("get_weather", "{}", "b"))),
        Say("It rains."),
    )
    async with client.responses.stream(
        model="sim/gpt-5.4-mini", input="Weather?", tools=[SDK_TOOL]
    ) as stream:
        first = await stream.get_final_response()
    calls = [item for item in first.output if item.type == "function_call"]
    assert [(call.call_id, call.arguments) for call in calls] == [("a", '{ "city":"Zürich" }'), ("b", "{}")]
    second = await client.responses.create(
        model="sim/gpt-5.4-mini",
        tools=[SDK_TOOL],
        input=[
            {"role": "user", "content": "Weather?"},
            *[
                {"type": "function_call", "call_id": c.call_id, "name": c.name, "arguments": c.arguments}
                for c in calls
            ],
            *[{"type": "function_call_output", "call_id": c.call_id, "output": "rain"} for c in calls],
        ],
    )
    assert second.output_text == "It rains."


@pytest.mark.promise("G1")
@pytest.mark.parametrize(
    ("failure", "cls", "code"),
    [
        (Failure.too_long(), openai.BadRequestError, "context_length_exceeded"),
        (Failure.no_money(), openai.InternalServerError, "billing"),
        (Failure.bad_key(), openai.InternalServerError, "credential_refused"),
    ],
)
async def test_errors_reach_the_sdk_as_its_own(
    openai_server: OpenAIServer,
    client: openai.AsyncOpenAI,
    failure: Failure,
    cls: type[openai.APIStatusError],
    code: str,
) -> None:
    """Who must act is told by status and code."""
    openai_server.then(failure)
    with pytest.raises(cls) as caught:
        await client.responses.create(model="sim/gpt-5.4-mini", input="hello")
    assert caught.value.code == code


@pytest.mark.promise("G1")
async def test_an_error_within_a_stream_reaches_the_sdk(
    openai_server: OpenAIServer, client: openai.AsyncOpenAI
) -> None:
    """After what was said, the SDK raises the error that was streamed."""
    openai_server.then(Say("one two", fail=Failure.no_money()))
    with pytest.raises(openai.APIError, match="wants to be paid"):
        async with await client.responses.create(
            model="sim/gpt-5.4-mini", input="hello", stream=True
        ) as stream:
            assert [event async for event in stream]


async def test_what_needs_storage_is_told_to_the_sdk(client: openai.AsyncOpenAI) -> None:
    """`param` is the field, and the message the way to do without."""
    with pytest.raises(openai.BadRequestError, match="Send the whole conversation in input") as caught:
        await client.responses.create(model="sim/gpt-5.4-mini", input="hello", previous_response_id="resp_1")
    assert caught.value.param == "previous_response_id"
