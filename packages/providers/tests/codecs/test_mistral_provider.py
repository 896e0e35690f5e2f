"""A provider of the kind mistral against the simulated vendor, and the official SDK against this dialect.

Over both carriers: whole answers, streams, vectors, tools over several turns, errors.
"""

import json
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

from interlock_core import (
    Chunk,
    Completion,
    CompletionRequest,
    Embeddings,
    FinishReason,
    Json,
    Provider,
    Reasoning,
    ResponseFormat,
    Secret,
    Text,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    ToolResult,
    ToolSpec,
    Usage,
)
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import (
    BillingError,
    ContentPolicyError,
    ContextLengthError,
    CredentialError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RateLimitedError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.jsontypes import as_array, as_object
from interlock_core.messages import Message, assistant, system, user
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_providers.codecs import codec, embeddings_codec
from interlock_providers.testing import Citation, Failure, MistralServer, Say, Spoken, Thought, ToolUse

CODEC = codec("mistral-chat")
TOOLS = (ToolSpec(name="github.issues_create"), ToolSpec(name="get_time"))
ASKED = CompletionRequest(model="vendor/sim-1", messages=(system("Be brief."), user("hi")), tools=TOOLS)
THOUGHTFUL = Say(
    parts=(
        Thought("Two plus two.", sealed="sig", pieces=("Two ", "plus two.")),
        Spoken("It is 4.", citations=(Citation(index=3),)),
        ToolUse("github_issues_create", '{"a": "ü"}'),
        ToolUse("get_time", "{}", pieces=("{", "}")),
    )
)


class MakeProvider(Protocol):
    """Makes a provider that asks a base URL."""

    def __call__(self, base_url: str, *, kind: str = ..., key: Secret | None = ...) -> Provider:
        """Make it."""
        ...


async def streamed(provider: Provider, request: CompletionRequest) -> Completion:
    """The answer that a stream adds up to."""
    assembler = CompletionAssembler()
    async with aclosing(provider.stream(request)) as chunks:
        async for chunk in chunks:
            assembler.feed(chunk)
    return assembler.completion()


async def told(provider: Provider, request: CompletionRequest, *, stream: bool) -> Completion:
    """The answer, whichever way it comes."""
    return await streamed(provider, request) if stream else await provider.complete(request)


@pytest.mark.promise("P1", "P2", "P3", "P5")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_comes_with_all_its_parts(make: MakeProvider, stream: bool) -> None:
    """Thought, signature, text, citation, calls and usage, whole and streamed alike."""
    async with MistralServer(models=("sim-1",)) as server:
        server.then(THOUGHTFUL)
        answer = await told(make(server.url, kind="mistral"), ASKED, stream=stream)
        sent = server.requests[0]
    assert answer.message.content[:2] == (
        Reasoning(text="Two plus two.", signature="sig", vendor="vendor"),
        Text("It is 4.", citations=({"type": "reference", "reference_ids": [3]},)),
    )
    names = {call.name: call.arguments for call in answer.message.tool_calls}
    assert names == {"github.issues_create": '{"a": "ü"}', "get_time": "{}"}
    assert answer.finish is FinishReason.TOOL_CALLS
    assert answer.usage is not None
    assert answer.usage.input_tokens > 0
    assert answer.model == "vendor/sim-1"
    assert (sent.path, sent.header("accept")) == (
        "/v1/chat/completions",
        "text/event-stream" if stream else "application/json",
    )


@pytest.mark.promise("P3")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_with_foreign_ids_and_names_is_taken(make: MakeProvider, stream: bool) -> None:
    """The vendor refuses ids and names that are not its own kind: none of that is seen here."""
    call = ToolCall(id="toolu_01ABCDEF", name="github.issues_create", arguments='{"a":1}')
    result = ToolResult(call_id="toolu_01ABCDEF", name="github.issues_create", content=(Text("done"),))
    conversation = (
        user("go"),
        assistant(Reasoning(text="foreign", signature="x", vendor="another"), "I do.", call),
        Message("tool", (result,)),
    )
    request = replace(
        ASKED,
        messages=conversation,
        tool_choice=ToolChoice(mode="auto", parallel=False),
        seed=1,
        user="u-1",
        max_tokens=50,
        stream_usage=True,
    )
    async with MistralServer(models=("sim-1",)) as server:
        answer = await told(make(server.url, kind="mistral"), request, stream=stream)
        sent = as_object(server.requests[0].json())
    assert answer.finish is FinishReason.STOP
    assert answer.adapted == (
        "reasoning of earlier answers is left out: vendor did not say it",
        "user is not told: vendor has no place for it",
    )
    assert [as_object(message)["role"] for message in as_array(sent["messages"])] == [
        "user",
        "assistant",
        "tool",
    ]


@pytest.mark.promise("P1")
async def test_a_word_after_a_result_and_a_late_system_message_are_taken(make: MakeProvider) -> None:
    """The vendor refuses both where they stand."""
    call = assistant(ToolCall(id="toolu_1", name="get_time"))
    result = Message("tool", (ToolResult(call_id="toolu_1", name="get_time", is_error=True),))
    conversation = (
        user("go"),
        call,
        result,
        user("and now?"),
        assistant("Wait."),
        system("French"),
        user("?"),
    )
    async with MistralServer(models=("sim-1",)) as server:
        answer = await make(server.url, kind="mistral").complete(replace(ASKED, messages=conversation))
    assert answer.finish is FinishReason.STOP
    assert len(answer.adapted) == 3


@pytest.mark.promise("P3")
async def test_a_form_and_a_named_tool_are_asked_for(make: MakeProvider) -> None:
    """The vendor takes schema and choice as they are written."""
    schema: dict[str, Json] = {"type": "object", "properties": {"a": {"type": "string"}}}
    async with MistralServer(models=("sim-1",)) as server:
        provider = make(server.url, kind="mistral")
        formed = await provider.complete(
            replace(ASKED, tools=(), response_format=ResponseFormat(schema=schema, strict=True))
        )
        choice = ToolChoice(mode="required", name="github.issues_create")
        called = await provider.complete(replace(ASKED, tool_choice=choice))
    assert isinstance(json.loads(formed.text), dict)
    assert [call.name for call in called.message.tool_calls] == ["github.issues_create"]


@pytest.mark.promise("P4")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure.bad_key(), CredentialError),
        (Failure.permission(), CredentialError),
        (Failure.no_money(), BillingError),
        (Failure.too_long(), ContextLengthError),
        (Failure.content_policy(), ContentPolicyError),
        (Failure.model_not_found("x"), NotFoundError),
        (Failure.invalid(), InvalidRequestError),
    ],
)
async def test_what_cannot_pass_is_raised_at_once(
    make: MakeProvider, failure: Failure, kind: type[InterlockError], stream: bool
) -> None:
    """Typed, with the vendor's id of the request, and asked once only."""
    async with MistralServer(models=("sim-1",)) as server:
        server.then(failure)
        with pytest.raises(kind) as caught:
            await told(make(server.url, kind="mistral"), ASKED, stream=stream)
        assert len(server.requests) == 1
    assert type(caught.value) is kind
    assert caught.value.request_id


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure.rate_limit(2.0), UpstreamRateLimitError),
        (Failure.overloaded(), OverloadedError),
        (Failure.server_error(), UpstreamError),
    ],
)
async def test_what_can_pass_is_tried_again_and_then_raised(
    make: MakeProvider, failure: Failure, kind: type[InterlockError]
) -> None:
    """One failure is not seen; many are."""
    async with MistralServer(models=("sim-1",)) as server:
        provider = make(server.url, kind="mistral")
        server.then(failure, Say("ok"))
        answer = await provider.complete(ASKED)
        assert (answer.text, answer.attempts) == ("ok", 2)
        server.then(*[failure] * 9)
        with pytest.raises(kind):
            await provider.complete(ASKED)


async def listen(provider: Provider, heard: list[Chunk]) -> None:
    """Hear a stream to its end."""
    async with aclosing(provider.stream(ASKED)) as chunks:
        async for chunk in chunks:
            heard.append(chunk)


async def test_an_error_in_a_stream_comes_after_what_was_said(make: MakeProvider) -> None:
    """What was delivered is not asked for again."""
    heard: list[Chunk] = []
    async with MistralServer(models=("sim-1",)) as server:
        server.then(Say("Hello there", fail=Failure.server_error()))
        with pytest.raises(UpstreamError):
            await listen(make(server.url, kind="mistral"), heard)
        assert len(server.requests) == 1
    assert "".join(chunk.text for chunk in heard) == "Hello there"


@pytest.mark.promise("P1", "P2")
async def test_vectors_and_models_are_asked_for(make: MakeProvider) -> None:
    """Under the vendor's paths, with tokens counted."""
    async with MistralServer(models=("sim-1", "mistral-embed")) as server:
        provider = make(server.url, kind="mistral")
        made = await provider.embed("vendor/mistral-embed", ["one", "two words"])
        names = {model.name for model in await provider.models()}
        paths = [request.path for request in server.requests]
    assert len(made.vectors) == 2
    assert made.vectors[0] != made.vectors[1]
    assert made.usage is not None
    assert made.usage.input_tokens == 3
    assert "sim-1" in names
    assert paths == ["/v1/embeddings", "/v1/models"]


def gateway(request: ReceivedRequest) -> Answer:
    """A server that speaks the dialect with this codec: it says again what it was told, and calls a tool."""
    if request.path == "/v1/models":
        return Answer(
            headers=(("content-type", "application/json"),), body=CODEC.render_models([("a/m", "a")])
        )
    if request.path == "/v1/embeddings":
        asked = embeddings_codec("mistral-chat").parse_request(request.body)
        made = Embeddings(model=asked.model, vectors=((0.5, 1.0),) * len(asked.texts))
        body = embeddings_codec("mistral-chat").render_response(made, base64=asked.base64)
        return Answer(headers=(("content-type", "application/json"),), body=body)
    client = CODEC.parse_request(request.body)
    said = client.request.messages[-1].text
    if said == "fail":
        reply = CODEC.render_error(RateLimitedError("Too many.", retry_after=3.0))
        return Answer(status=reply.status, headers=reply.headers, body=reply.body)
    call = ToolCall(id="call_1", name="f", arguments='{"a": 1}')
    completion = Completion(
        model="o/m",
        message=assistant(Reasoning(text="hm", signature="s"), said, call),
        finish=FinishReason.TOOL_CALLS,
        usage=Usage(input_tokens=3, output_tokens=2),
        id="i",
    )
    if not client.stream:
        return Answer(headers=(("content-type", "application/json"),), body=CODEC.render_response(completion))
    renderer = CODEC.render_stream(client.request, created=1)
    chunks = (
        Chunk(model="o/m", id="i", reasoning="hm"),
        Chunk(signature="s"),
        Chunk(text=said),
        Chunk(tool_calls=(ToolCallDelta(index=0, id=call.id, name=call.name, arguments='{"a"'),)),
        Chunk(tool_calls=(ToolCallDelta(index=0, arguments=": 1}"),)),
        Chunk(finish=FinishReason.TOOL_CALLS),
        Chunk(usage=completion.usage),
    )
    told_ = b"".join(map(renderer.chunk, chunks)) + renderer.end({"run": "r"})
    return Answer(headers=(("content-type", "text/event-stream"),), body=told_)


@pytest.mark.promise("P2")
async def test_the_official_sdk_understands_whole_answers() -> None:
    """By changing the base URL alone."""
    async with LoopbackServer(gateway) as server, Mistral(api_key="k", server_url=server.url) as sdk:
        answer = await sdk.chat.complete_async(
            model="o/m", messages=[{"role": "user", "content": "hé"}], random_seed=3, safe_prompt=True
        )
        vectors = await sdk.embeddings.create_async(model="o/e", inputs=["a", "b"])
        listed = await sdk.models.list_async()
    message = answer.choices[0].message
    assert message is not None
    assert isinstance(message.content, list)
    assert [chunk.type for chunk in message.content] == ["thinking", "text"]
    assert isinstance(message.tool_calls, list)
    assert (message.tool_calls[0].id, message.tool_calls[0].function.arguments) == ("call_1", '{"a": 1}')
    assert (answer.choices[0].finish_reason, answer.usage.total_tokens) == ("tool_calls", 5)
    assert [item.embedding for item in vectors.data] == [[0.5, 1.0], [0.5, 1.0]]
    assert [card.type for card in listed.data or ()] == ["base"]


@pytest.mark.promise("P2")
async def test_the_official_sdk_understands_streams_and_errors() -> None:
    """Calls whole, usage with the finish, and an error with its status."""
    async with LoopbackServer(gateway) as server, Mistral(api_key="k", server_url=server.url) as sdk:
        stream = await sdk.chat.stream_async(model="o/m", messages=[{"role": "user", "content": "hé"}])
        async with stream:
            events = [event.data async for event in stream]
        with pytest.raises(SDKError) as caught:
            await sdk.chat.complete_async(model="o/m", messages=[{"role": "user", "content": "fail"}])
    assert [event.choices[0].delta.content for event in events[2:3]] == ["hé"]
    last = events[-1]
    assert last.usage is not None
    assert (last.usage.total_tokens, last.choices[0].finish_reason) == (5, "tool_calls")
    calls = last.choices[0].delta.tool_calls
    assert isinstance(calls, list)
    assert [(call.id, call.function.arguments) for call in calls] == [("call_1", '{"a": 1}')]
    assert caught.value.status_code == 429
    assert as_object(json.loads(caught.value.body))["type"] == "rate_limit_error"
