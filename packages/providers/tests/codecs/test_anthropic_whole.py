"""The dialect anthropic-messages from end to end: provider and simulated vendor, client and small gateway."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam

from interlock_core import (
    CacheHint,
    Chunk,
    Completion,
    CompletionRequest,
    File,
    FinishReason,
    Image,
    JsonObject,
    Provider,
    Reasoning,
    Refusal,
    ResponseFormat,
    Secret,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import InterlockError, OverloadedError
from interlock_core.messages import assistant, system, tool_results, user
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_providers import ProviderOptions, build_provider, codec
from interlock_providers.testing import AnthropicServer, Failure, OpenAIChatServer, Say, Thought, ToolUse

CODEC = codec("anthropic-messages")
HELLO: list[MessageParam] = [{"role": "user", "content": "hello"}]
TOOL: ToolParam = {"name": "get_weather", "input_schema": {"type": "object"}}
FACTS: JsonObject = {"run": "run_1"}
KEY = Secret("sk-ant-test-0123456789", name="key of vendor")
SPEC = ToolSpec(
    name="github.issues_create",
    parameters={"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
)
ASKED = CompletionRequest(model="vendor/sim-1", messages=(user("hello"),), max_tokens=50)


@pytest.fixture
async def vendor() -> AsyncGenerator[AnthropicServer, None]:
    """A vendor of the dialect that wants a key."""
    async with AnthropicServer(key=KEY.reveal()) as server:
        yield server


@pytest.fixture
async def provider(vendor: AnthropicServer) -> AsyncGenerator[Provider, None]:
    """The provider that asks it."""
    options = ProviderOptions(carrier="fast")
    made = build_provider("vendor", kind="anthropic", base_url=vendor.url, api_key=KEY, options=options)
    yield made
    await made.aclose()


async def streamed(provider: Provider, request: CompletionRequest) -> Completion:
    """The answer that a stream adds up to."""
    assembler = CompletionAssembler()
    async with aclosing(provider.stream(request)) as chunks:
        async for chunk in chunks:
            assembler.feed(chunk)
    return assembler.completion()


async def both(provider: Provider, request: CompletionRequest) -> tuple[Completion, Completion]:
    """The answer whole and streamed."""
    return await provider.complete(request), await streamed(provider, request)


@pytest.mark.promise("P2")
async def test_a_vendor_of_the_dialect_answers_whole_and_streamed(
    vendor: AnthropicServer, provider: Provider
) -> None:
    """The same answer both ways, with its usage; the vendor found nothing to refuse."""
    for answer in await both(provider, ASKED):
        assert (answer.text, answer.finish, answer.model) == (
            "You said: hello",
            FinishReason.STOP,
            "vendor/sim-1",
        )
        assert answer.usage is not None
        assert answer.usage.output_tokens > 0
    assert [model.id for model in await provider.models()] == ["vendor/sim-1"]


@pytest.mark.promise("P1")
async def test_everything_that_can_be_asked_is_taken_by_the_vendor(provider: Provider) -> None:
    """A conversation with all kinds of parts and settings breaks none of the vendor's rules."""
    request = CompletionRequest(
        model="vendor/sim-1",
        messages=(
            system("Be brief."),
            user(
                Text("Look:", cache=CacheHint(ttl="1h")),
                Image(data=b"\x89PNG", media_type="image/png", detail="low"),
                File(data=b"%PDF-", media_type="application/pdf", name="a.pdf"),
                File(data=b"a,b", media_type="text/csv"),
            ),
            assistant(
                Reasoning(text="hm", vendor="another", signature="s"),
                Refusal("Not that."),
                ToolCall(id="functions.f:0", name="github.issues_create", arguments="{oops"),
            ),
            tool_results([ToolResult(call_id="functions.f:0", name="t", is_error=True)]),
            system("Now in French."),
        ),
        tools=(SPEC,),
        tool_choice=ToolChoice(parallel=False),
        temperature=0.5,
        top_p=0.9,
        stop=("END",),
        seed=1,
        presence_penalty=1.0,
        reasoning_effort="low",
        service_tier="flex",
        user="u",
        cache_key="k",
        metadata={"team": "a"},
    )
    for answer in await both(provider, request):
        assert answer.text.startswith("You said:")
        assert len(answer.adapted) > 8


@pytest.mark.promise("P1")
async def test_signed_thoughts_and_calls_go_back_as_they_came(
    vendor: AnthropicServer, provider: Provider
) -> None:
    """The vendor takes its own thoughts back only unchanged; so a second turn proves the first."""
    thinking = Say(
        "Let me see.",
        reasoning=(Thought("hm"), Thought(redacted=True), Thought("")),
        calls=(ToolUse("github_issues_create", '{"title":"ü"}', "toolu_1"), ToolUse("github_issues_create")),
        finish="tool_use",
    )
    request = replace(ASKED, tools=(SPEC,), max_tokens=4000, reasoning_budget=1024)
    vendor.then(thinking, thinking)
    for answer in await both(provider, request):
        assert [call.name for call in answer.message.tool_calls] == [SPEC.name, SPEC.name]
        assert answer.message.tool_calls[0].arguments == '{"title":"ü"}'
        results = [
            ToolResult(call_id=call.id, name=call.name, content=(Text("done"),))
            for call in answer.message.tool_calls
        ]
        followed = (*request.messages, answer.message, tool_results(results))
        after = await provider.complete(replace(request, messages=followed))
        assert after.finish is FinishReason.STOP
        assert after.adapted == ()


@pytest.mark.promise("P3")
async def test_a_form_and_a_demanded_call_are_had_from_the_vendor(provider: Provider) -> None:
    """The answer fits its schema; the call that was demanded comes, under the name that we know."""
    form = ResponseFormat(schema=SPEC.parameters)
    asked = CompletionRequest(
        model="vendor/sim-1", messages=ASKED.messages, response_format=form, max_tokens=90
    )
    for answer in await both(provider, asked):
        assert '"title"' in answer.text
    choice = ToolChoice(mode="required", name=SPEC.name)
    demanded = replace(ASKED, tools=(SPEC,), tool_choice=choice)
    for answer in await both(provider, demanded):
        assert [call.name for call in answer.message.tool_calls] == [SPEC.name]


async def test_an_error_in_a_stream_is_typed(vendor: AnthropicServer, provider: Provider) -> None:
    """What was said before it was told."""
    vendor.then(Say("one two", fail=Failure.overloaded()))
    chunks: list[Chunk] = []
    failure = await failed(provider.stream(ASKED), chunks)
    assert isinstance(failure, OverloadedError)
    assert "".join(chunk.text for chunk in chunks) == "one two"


async def failed(stream: AsyncGenerator[Chunk, None], told: list[Chunk]) -> InterlockError | None:
    """The error that ends a stream, and the chunks before it."""
    try:
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                told.append(chunk)
    except InterlockError as error:
        return error
    return None


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
            return _json(CODEC.render_models(models))
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


@pytest.fixture(params=["anthropic", "openai-compatible"])
async def served(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[str, Gateway], None]:
    """A gateway's address, and the gateway: before a vendor of the dialect, and before another."""
    kind: str = request.param
    server = AnthropicServer() if kind == "anthropic" else OpenAIChatServer()
    async with server as behind:
        provider = build_provider("sim", kind=kind, base_url=behind.url, api_key=KEY)
        answer = Say(
            calls=(ToolUse("get_weather", '{"city":"Zürich"}', "a"), ToolUse("get_weather", "{}", "b"))
        )
        behind.then(answer)
        gateway = Gateway(provider)
        async with LoopbackServer(gateway.handle) as front:
            yield front.url, gateway
        await provider.aclose()


@pytest.fixture
async def sdk(served: tuple[str, Gateway]) -> AsyncGenerator[anthropic.AsyncAnthropic, None]:
    """The official client, pointed at the gateway, validating strictly."""
    async with anthropic.AsyncAnthropic(
        api_key="ilk_x", base_url=served[0], max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


def calls_of(content: Sequence[anthropic.types.ContentBlock]) -> list[tuple[str, str, dict[str, object]]]:
    """The calls of an answer."""
    return [(block.id, block.name, block.input) for block in content if block.type == "tool_use"]


EXPECTED: list[tuple[str, str, dict[str, object]]] = [
    ("a", "get_weather", {"city": "Zürich"}),
    ("b", "get_weather", {}),
]


@pytest.mark.promise("P2")
async def test_the_official_sdk_completes_through_the_codec(sdk: anthropic.AsyncAnthropic) -> None:
    """Calls, reason, model and our own facts beside, whichever vendor answers."""
    answer = await sdk.messages.create(model="sim/sim-1", max_tokens=50, messages=HELLO, tools=[TOOL])
    assert calls_of(answer.content) == EXPECTED
    assert (answer.stop_reason, answer.model) == ("tool_use", "sim/sim-1")
    assert (answer.model_extra or {})["interlock"] == {"run": "run_1"}
    text = await sdk.messages.create(model="sim/sim-1", max_tokens=50, messages=HELLO)
    assert [block.text for block in text.content if block.type == "text"] == ["You said: hello"]
    assert text.usage.output_tokens > 0


@pytest.mark.promise("P3")
async def test_the_official_sdk_streams_through_the_codec(sdk: anthropic.AsyncAnthropic) -> None:
    """Its own accumulator puts together what the model wrote, usage and all."""
    async with sdk.messages.stream(model="sim/sim-1", max_tokens=50, messages=HELLO, tools=[TOOL]) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_message()
    assert calls_of(final.content) == EXPECTED
    assert (final.stop_reason, final.model) == ("tool_use", "sim/sim-1")
    assert kinds[-1] == "message_stop"
    async with sdk.messages.stream(model="sim/sim-1", max_tokens=50, messages=HELLO) as stream:
        assert "".join([piece async for piece in stream.text_stream]) == "You said: hello"
        assert (await stream.get_final_message()).usage.output_tokens > 0


async def test_models_and_errors_reach_the_official_sdk(sdk: anthropic.AsyncAnthropic) -> None:
    """The list under our own names; a wrong field by its name."""
    assert [model.id async for model in sdk.models.list()] == ["sim/sim-1"]
    with pytest.raises(anthropic.BadRequestError, match="messages must be") as caught:
        await sdk.messages.create(model="sim/sim-1", max_tokens=50, messages=[])
    assert caught.value.type == "invalid_request_error"
