"""Cohere as a provider over both carriers, and its official SDK as a client of the codec."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

import cohere
import pytest
from cohere import errors
from cohere.core.api_error import ApiError
from cohere.v2.types.v2chat_stream_response import MessageEndV2ChatStreamResponse

from interlock_core import (
    CompletionRequest,
    Content,
    File,
    Image,
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
    BillingError,
    ContentPolicyError,
    ContextLengthError,
    CredentialError,
    InterlockError,
    NotFoundError,
    UpstreamError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
)
from interlock_core.messages import system, user
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_providers import build_provider, codec, embeddings_codec
from interlock_providers.testing import Citation, CohereServer, Failure, Say, Spoken, Thought, ToolUse

CODEC = codec("cohere-chat")
KEY = "co-test-0123456789abcdef"
ASKED = CompletionRequest(model="vendor/sim-1", messages=(user("hello there"),))
TOOLS = (ToolSpec(name="git.hub"), ToolSpec(name="f"))
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
}
FACTS: JsonObject = {"run": "run_1"}


class MakeCohere(Protocol):
    """Makes a provider that asks a base URL, over one of the carriers."""

    def __call__(self, base_url: str, *, kind: str, key: Secret | None) -> Provider:
        """Make it; it is closed when the test ends."""
        ...


@pytest.fixture
async def cohere_server() -> AsyncGenerator[CohereServer, None]:
    """A vendor that wants a key and refuses what the real one refuses."""
    async with CohereServer(key=KEY, models=("sim-1", "sim-embed")) as server:
        yield server


@pytest.fixture
def provider(cohere_server: CohereServer, make: MakeCohere) -> Provider:
    """A provider that asks it."""
    return make(cohere_server.url, kind="cohere", key=Secret(KEY, name="key of vendor"))


async def streamed(provider: Provider, request: CompletionRequest) -> CompletionAssembler:
    """The answer, piece by piece."""
    assembler = CompletionAssembler()
    async with aclosing(provider.stream(request)) as chunks:
        async for chunk in chunks:
            assembler.feed(chunk)
    return assembler


def parts_of(message: Message) -> list[Content]:
    """The parts that say something, without the ids of calls, which the vendor makes anew each time."""
    said = [replace(part, id="") if isinstance(part, ToolCall) else part for part in message.content]
    return [part for part in said if part != Text("")]


SAID: list[Say] = [
    Say("Hello there, Zürich"),
    Say(parts=(CohereServer.plan("I will look."), ToolUse("git_hub", '{"a": 1}'), ToolUse("f"))),
    Say(parts=(Thought("hm"), Spoken("It is so.", citations=(Citation(start=0, end=2, text="It"),)))),
    Say(parts=(CohereServer.plan("Plan."), Thought("hm"), ToolUse("f"))),
    Say("x", logprobs=[{"text": "x", "token_ids": [1], "logprobs": [-0.5]}]),
    Say("cut", finish="MAX_TOKENS"),
    Say("odd", finish="NEWER", usage="missing"),
    Say("", finish="COMPLETE"),
]


@pytest.mark.promise("P1", "P2", "P3", "P5")
@pytest.mark.parametrize("say", SAID)
async def test_an_answer_is_the_same_whole_and_streamed(
    cohere_server: CohereServer, provider: Provider, say: Say
) -> None:
    """Parts, calls, citations, reason and usage, over both carriers."""
    cohere_server.then(say, say)
    request = replace(ASKED, tools=TOOLS)
    whole = await provider.complete(request)
    again = (await streamed(provider, request)).completion()
    assert parts_of(again.message) == parts_of(whole.message)
    assert (again.finish, again.native_finish) == (whole.finish, whole.native_finish)
    assert (again.usage, again.logprobs) == (whole.usage, whole.logprobs)


async def test_every_option_is_taken_by_the_vendor(cohere_server: CohereServer, provider: Provider) -> None:
    """What the simulated vendor refuses as the real one does, the codec never sends."""
    everything = replace(
        ASKED,
        messages=(
            system("Be brief."),
            user(
                "Look",
                Image(data=b"\x89PNG", media_type="image/png"),
                File(data=b"a", media_type="text/plain"),
            ),
            system("Be kind."),
        ),
        tools=(ToolSpec(name="2nd-tool.x", strict=True), *TOOLS),
        tool_choice=ToolChoice(mode="none", parallel=False),
        max_tokens=9,
        temperature=1,
        top_p=1,
        top_k=500,
        stop=("a", "b", "c", "d", "e"),
        seed=1,
        presence_penalty=0.5,
        logprobs=2,
        reasoning_effort="low",
        service_tier="flex",
        cache_key="k",
        user="u",
        metadata={"a": "b"},
    )
    answer = await provider.complete(everything)
    assert len(answer.adapted) == 9
    formed = replace(ASKED, response_format=ResponseFormat(schema=SCHEMA, strict=True))
    assert json.loads((await provider.complete(formed)).text).keys() == {"n"}
    chosen = replace(ASKED, tools=TOOLS, tool_choice=ToolChoice(mode="required", name="git.hub"))
    assert [call.name for call in (await provider.complete(chosen)).message.tool_calls] == ["git.hub"]


@pytest.mark.promise("P3")
@pytest.mark.parametrize("stream", [True, False])
async def test_a_conversation_with_tools_goes_on(
    cohere_server: CohereServer, provider: Provider, stream: bool
) -> None:
    """What the model planned and thought goes back as it came, however it came."""
    cohere_server.then(Say(parts=(CohereServer.plan("I look."), Thought("hm"), ToolUse("git_hub", id="c1"))))
    asked = replace(ASKED, tools=TOOLS)
    answer = (await streamed(provider, asked)).completion() if stream else await provider.complete(asked)
    result = ToolResult(call_id="c1", name="git.hub", content=(Text("4"),))
    last = await provider.complete(
        replace(asked, messages=(*asked.messages, answer.message, Message("tool", (result,))))
    )
    assert last.text
    sent = json.loads(cohere_server.requests[-1].body)["messages"]
    assert sent[1:] == [
        {
            "role": "assistant",
            "tool_plan": "I look.",
            "content": [{"type": "thinking", "thinking": "hm"}],
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "git_hub", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "4"},
    ]


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    ("failure", "cls"),
    [
        (Failure.bad_key(), CredentialError),
        (Failure.permission(), CredentialError),
        (Failure.no_money(), BillingError),
        (Failure.rate_limit(600), UpstreamRateLimitError),
        (Failure.too_long(), ContextLengthError),
        (Failure.content_policy(), ContentPolicyError),
        (Failure.model_not_found("m"), NotFoundError),
    ],
)
async def test_the_vendors_errors_are_typed(
    cohere_server: CohereServer, provider: Provider, failure: Failure, cls: type[InterlockError]
) -> None:
    """Whole or streamed, by who must act; no key stands in any of them."""
    cohere_server.then(failure, failure)
    with pytest.raises(cls) as caught:
        await provider.complete(ASKED)
    assert KEY not in str(caught.value)
    with pytest.raises(cls):
        await streamed(provider, ASKED)


@pytest.mark.parametrize(
    ("failure", "cls"),
    [
        (Failure.server_error(), UpstreamError),
        (Failure.overloaded(), UpstreamError),
        (Failure.timeout(), UpstreamTimeoutError),
    ],
)
async def test_a_failure_that_passes_is_tried_again(
    cohere_server: CohereServer, provider: Provider, failure: Failure, cls: type[InterlockError]
) -> None:
    """Unseen before the first word; after it the error comes as it is."""
    cohere_server.then(failure)
    assert (await provider.complete(ASKED)).attempts == 2
    cohere_server.then(Say("one two", fail=failure))
    with pytest.raises(cls) as caught:
        await streamed(provider, ASKED)
    assert type(caught.value) is cls


async def test_models_and_vectors_come_from_the_vendor(provider: Provider) -> None:
    """The list in one page, and one vector a text."""
    assert [model.id for model in await provider.models()] == ["vendor/sim-1", "vendor/sim-embed"]
    made = await provider.embed("vendor/sim-embed", ["a", "b c"])
    assert len(made.vectors) == 2
    assert made.usage is not None
    assert made.usage.input_tokens > 0


@dataclass(frozen=True)
class CohereGateway:
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
        if request.path == "/v2/embed":
            dialect = embeddings_codec("cohere-chat")
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


HELLO: list[cohere.ChatMessageV2] = [cohere.UserChatMessageV2(content="hello there")]
CALLABLE = cohere.ToolV2(function=cohere.ToolV2Function(name="git-hub", parameters=SCHEMA))


@pytest.fixture
async def client(cohere_server: CohereServer) -> AsyncGenerator[cohere.AsyncClientV2, None]:
    """The official client, pointed at the gateway."""
    key = Secret(KEY, name="key of sim")
    behind = build_provider("sim", kind="cohere", base_url=cohere_server.url, api_key=key)
    async with (
        LoopbackServer(CohereGateway(behind).handle) as gateway,
        cohere.AsyncClientV2(api_key="ilk_x", base_url=gateway.url, max_retries=0) as made,
    ):
        yield made
    await behind.aclose()


@pytest.mark.promise("P2")
async def test_the_official_sdk_completes_through_the_codec(
    cohere_server: CohereServer, client: cohere.AsyncClientV2
) -> None:
    """Text, calls under the client's own names, and our facts beside."""
    answer = await client.chat(model="sim/sim-1", messages=HELLO)
    assert answer.message.content is not None
    assert [part.type for part in answer.message.content] == ["text"]
    assert answer.model_extra is not None
    assert answer.model_extra["interlock"] == FACTS
    cohere_server.then(Say(parts=(CohereServer.plan("I look."), ToolUse("git_hub", "{}"))))
    called = await client.chat(model="sim/sim-1", messages=HELLO, tools=[CALLABLE])
    assert (called.finish_reason, called.message.tool_plan) == ("TOOL_CALL", "I look.")
    (call,) = called.message.tool_calls or []
    assert call.function is not None
    assert call.function.name == "git-hub"


async def test_the_official_sdk_streams_through_the_codec(
    cohere_server: CohereServer, client: cohere.AsyncClientV2
) -> None:
    """Every event is one that the SDK knows, and the last tells usage and our facts."""
    say = Say(parts=(CohereServer.plan("I look."), Spoken("It is so."), ToolUse("git_hub", '{"n": 1}')))
    cohere_server.then(say)
    told = [one async for one in client.chat_stream(model="sim/sim-1", messages=HELLO, tools=[CALLABLE])]
    kinds = [one.type for one in told]
    for kind in ("message-start", "content-start", "tool-call-start", "message-end"):
        assert kinds.count(kind) == 1
    for part in ("content", "tool-call"):
        assert kinds.count(f"{part}-start") == kinds.count(f"{part}-end")
    last = told[-1]
    assert isinstance(last, MessageEndV2ChatStreamResponse)
    assert last.delta is not None
    assert last.delta.finish_reason == "TOOL_CALL"
    assert last.delta.usage is not None
    assert (last.model_extra or {})["interlock"] == FACTS


@pytest.mark.parametrize(
    ("failure", "cls"),
    [
        (Failure.too_long(), errors.BadRequestError),
        (Failure.rate_limit(600), errors.TooManyRequestsError),
        (Failure.model_not_found("m"), errors.NotFoundError),
    ],
)
async def test_errors_reach_the_sdk_as_its_own(
    cohere_server: CohereServer, client: cohere.AsyncClientV2, failure: Failure, cls: type[ApiError]
) -> None:
    """Who must act is told by status, and the words say what is wrong."""
    cohere_server.then(failure)
    with pytest.raises(cls) as caught:
        await client.chat(model="sim/sim-1", messages=HELLO)
    assert "message" in str(caught.value)


async def test_an_error_within_a_stream_reaches_the_sdk(
    cohere_server: CohereServer, client: cohere.AsyncClientV2
) -> None:
    """After what was said, the last event tells the error."""
    cohere_server.then(Say("one two", fail=Failure.server_error()))
    told = [one async for one in client.chat_stream(model="sim/sim-1", messages=HELLO)]
    last = told[-1]
    assert isinstance(last, MessageEndV2ChatStreamResponse)
    assert last.delta is not None
    assert last.delta.error
    assert last.delta.finish_reason == "ERROR"


async def test_models_and_vectors_reach_the_sdk(client: cohere.AsyncClientV2) -> None:
    """The list under our own names, vectors as the SDK asks for them."""
    listed = await client.models.list()
    assert [model.name for model in listed.models] == ["sim/sim-1", "sim/sim-embed"]
    made = await client.embed(
        model="sim/sim-embed", input_type="search_document", texts=["a", "b"], embedding_types=["float"]
    )
    assert made.embeddings.float_ is not None
    assert len(made.embeddings.float_) == 2


async def test_a_conversation_of_the_sdk_goes_on_with_its_own_messages(
    cohere_server: CohereServer, client: cohere.AsyncClientV2
) -> None:
    """What the SDK's types hold of an answer is understood when it comes back."""
    cohere_server.then(Say(parts=(CohereServer.plan("I look."), ToolUse("git_hub", "{}", id="c1"))))
    called = await client.chat(model="sim/sim-1", messages=HELLO, tools=[CALLABLE])
    said = called.message
    back: list[cohere.ChatMessageV2] = [
        *HELLO,
        cohere.AssistantChatMessageV2(tool_plan=said.tool_plan, tool_calls=said.tool_calls),
        cohere.ToolChatMessageV2(tool_call_id="c1", content="4"),
    ]
    answer = await client.chat(model="sim/sim-1", messages=back, tools=[CALLABLE])
    assert answer.finish_reason == "COMPLETE"
    sent = CODEC.parse_request(cohere_server.requests[-1].body).request.messages
    assert sent[1].content == (Reasoning(text="I look.", id="tool_plan"), ToolCall(id="c1", name="git_hub"))
    assert sent[2].tool_results[0].text == "4"
