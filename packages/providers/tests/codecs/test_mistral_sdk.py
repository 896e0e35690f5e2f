"""The types of the vendor's official SDK take everything that the dialect mistral-chat writes, strictly."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy
from mistralai.client import models as sdk
from mistralai.client.types import BaseModel

from interlock_core import (
    Audio,
    Chunk,
    Completion,
    CompletionRequest,
    Content,
    Embeddings,
    File,
    FinishReason,
    Image,
    Message,
    Reasoning,
    Refusal,
    ResponseFormat,
    Text,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    ToolResult,
    ToolSpec,
    Usage,
)
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import RateLimitedError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_core.messages import user
from interlock_providers.codecs import Target, codec, embeddings_codec

CODEC = codec("mistral-chat")
TARGET = Target(provider="mistral", model="m-1")
SENT = CODEC.render_request(CompletionRequest(model="x", messages=(user("hi"),)), TARGET, stream=False)

words = st.text(st.characters(codec="utf-8"), max_size=12)
said = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
names = st.sampled_from(["get_weather", "github.issues_create", "ein name"])
ids = st.sampled_from(["aB3dE5fG7", "call_DdmO9pD3xa9XTPNJ32zg2hcA", "toolu_1", "x"])
arguments = st.sampled_from(["{}", '{"city": "Zürich"}', ""])
seen: Strategy[Content] = st.one_of(
    said.map(Text),
    st.just(Image(url="https://example.org/a.png")),
    st.just(Image(data=b"\x89PNG", media_type="image/png", detail="low")),
    st.just(File(url="https://example.org/a.pdf", name="a.pdf")),
    st.just(File(data=b"%PDF-1", media_type="application/pdf")),
    st.just(File(file_id="1b2c")),
    st.just(Audio(data=b"RIFF....WAVE", format="wav")),
)
thought: Strategy[Content] = st.builds(
    Reasoning, text=words, signature=st.none() | said, vendor=st.sampled_from([None, "mistral", "other"])
)
called: Strategy[Content] = st.builds(ToolCall, id=ids, name=names, arguments=arguments)
cited: Strategy[Content] = st.builds(
    Text, said, citations=st.just(({"type": "reference", "reference_ids": [1, "a"]},))
)


def spoken(*kinds: Strategy[Content]) -> Strategy[tuple[Content, ...]]:
    """Some parts of these kinds."""
    return st.lists(st.one_of(*kinds), min_size=1, max_size=4).map(tuple)


messages = st.one_of(
    said.map(lambda text: Message("system", (Text(text),))),
    spoken(seen).map(lambda parts: Message("user", parts)),
    spoken(said.map(Text), thought, called, cited, said.map(Refusal)).map(
        lambda parts: Message("assistant", parts)
    ),
    st.builds(
        ToolResult,
        call_id=ids,
        name=names,
        content=st.lists(
            st.one_of(said.map(Text), st.just(Image(url="https://example.org/a.png"))), max_size=2
        ).map(tuple),
    ).map(lambda result: Message("tool", (result,))),
)
schemas: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}}}
tools = st.lists(
    st.builds(
        ToolSpec,
        name=names,
        description=words,
        strict=st.sampled_from([None, True, False]),
        parameters=st.just(schemas),
    ),
    max_size=3,
    unique_by=lambda tool: tool.name,
).map(tuple)
requests = st.builds(
    CompletionRequest,
    model=st.just("mistral/m-1"),
    messages=st.lists(messages, min_size=1, max_size=4).map(tuple),
    tools=tools,
    tool_choice=st.sampled_from(
        [
            None,
            ToolChoice(),
            ToolChoice(mode="none"),
            ToolChoice(mode="required", parallel=False),
            ToolChoice(mode="required", name="github.issues_create"),
        ]
    ),
    response_format=st.sampled_from(
        [
            None,
            ResponseFormat(kind="json_object"),
            ResponseFormat(schema=schemas, strict=True, description="d"),
            ResponseFormat(),
        ]
    ),
    max_tokens=st.none() | st.integers(1, 100),
    temperature=st.sampled_from([None, 0.0, 0.7, 2.0]),
    top_p=st.sampled_from([None, 0.5]),
    top_k=st.sampled_from([None, 5]),
    stop=st.lists(said, max_size=2).map(tuple),
    seed=st.none() | st.integers(0, 9),
    presence_penalty=st.sampled_from([None, -1.5]),
    frequency_penalty=st.sampled_from([None, 0.5]),
    logprobs=st.sampled_from([None, 0, 3]),
    n=st.sampled_from([None, 2]),
    reasoning_effort=st.sampled_from([None, "none", "high"]),
    reasoning_budget=st.sampled_from([None, 0]),
    service_tier=st.sampled_from([None, "auto", "default", "flex", "priority", "standard_only"]),
    cache_key=st.none() | said,
    user=st.none() | said,
    metadata=st.dictionaries(said, words, max_size=1),
)


def taken(kind: type[BaseModel], body: bytes) -> Json:
    """What the SDK understands of a body that it must take strictly."""
    read = kind.model_validate_json(body, strict=True)
    return as_object(json.loads(read.model_dump_json(by_alias=True, exclude_unset=True)))


@given(requests, st.booleans())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_the_sdk_takes_every_request_and_knows_every_field_of_it(
    request: CompletionRequest, stream: bool
) -> None:
    """The SDK's own type of a request reads the body and holds all of it."""
    sent = CODEC.render_request(request, TARGET, stream=stream)
    assert taken(sdk.ChatCompletionRequest, sent.body) == json.loads(sent.body)


@given(requests, st.booleans())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_request_comes_back_as_it_was_written(request: CompletionRequest, stream: bool) -> None:
    """Written, read as a client's and written again, by its bytes or anew: the same bytes."""
    sent = CODEC.render_request(request, TARGET, stream=stream)
    asked = CODEC.parse_request(sent.body)
    assert asked.stream is stream
    assert CODEC.render_request(asked.request, TARGET, stream=stream).body == sent.body
    anew = CODEC.render_request(replace(asked.request, original=None), TARGET, stream=stream)
    assert json.loads(anew.body) == json.loads(sent.body)
    assert anew.adapted == ()


answered = spoken(
    said.map(Text),
    thought,
    called,
    cited,
    said.map(Refusal),
    st.builds(
        Text,
        said,
        citations=st.just(({"type": "url_citation", "url_citation": {"url": "https://example.org"}},)),
    ),
)


def counted(given: int, made: int) -> Usage:
    """Usage whose parts fit into their totals."""
    return Usage(
        input_tokens=given, output_tokens=made, cache_read_tokens=given // 2, reasoning_tokens=made // 2
    )


usages = st.none() | st.builds(counted, st.integers(0, 99), st.integers(0, 99))
finishes = st.sampled_from([finish for finish in FinishReason if finish is not FinishReason.UNKNOWN])
completions = st.builds(
    Completion,
    model=st.just("other/m"),
    message=answered.map(lambda parts: Message("assistant", parts)),
    alternatives=st.lists(answered.map(lambda parts: Message("assistant", parts)), max_size=1).map(tuple),
    finish=finishes,
    native_finish=st.sampled_from([None, "end_turn", "stop"]),
    usage=usages,
    id=words,
    created=st.integers(0, 9),
    logprobs=st.sampled_from(
        [
            None,
            {"content": [{"token": "Oui", "logprob": -0.1, "bytes": None, "top_logprobs": []}]},
        ]
    ),
    service_tier=st.sampled_from([None, "standard"]),
)


@given(completions, st.sampled_from([None, {"run": "r"}]))
def test_the_sdk_takes_every_answer(completion: Completion, interlock: JsonObject | None) -> None:
    """Answers of any vendor are told in words that the SDK's own types take."""
    body = CODEC.render_response(completion, interlock)
    taken(sdk.ChatCompletionResponse, body)
    assert as_object(json.loads(body)).get("interlock") == interlock


def plain(message: Message) -> list[tuple[str, object]]:
    """What a message says: words of one kind joined, calls as they are, in the order of the dialect."""
    joined: list[tuple[str, object]] = []
    calls: list[tuple[str, object]] = []
    for part in message.content:
        match part:
            case ToolCall():
                calls.append(("call", (part.id, part.name, part.arguments)))
            case Reasoning() if part.text or part.signature:
                joined.append(("thought", (part.text, part.signature)))
            case Text() | Refusal():
                joined.append(("text", part.text))
            case _:
                continue
    return joined + calls


def speech(message: Message) -> str:
    """All words, whoever joined them."""
    return "".join(str(what) for kind, what in plain(message) if kind == "text")


def thoughts(message: Message) -> tuple[str, list[str | None]]:
    """All that was thought, and the signatures."""
    parts = [part for part in message.content if isinstance(part, Reasoning)]
    return "".join(part.text for part in parts), [part.signature for part in parts if part.signature]


@given(completions)
def test_an_answer_comes_back_as_it_was_written(completion: Completion) -> None:
    """What a client is told of any vendor's answer reads as that answer."""
    back = CODEC.parse_response(CODEC.render_response(completion), SENT)
    assert speech(back.message) == speech(completion.message)
    kinds = [item for item in plain(completion.message) if item[0] != "text"]
    assert [item for item in plain(back.message) if item[0] != "text"] == kinds
    assert (back.usage, back.id, back.service_tier) == (
        completion.usage,
        completion.id,
        completion.service_tier,
    )
    assert len(back.alternatives) == len(completion.alternatives)


pieces = st.one_of(
    said.map(lambda text: Chunk(text=text)),
    said.map(lambda text: Chunk(reasoning=text)),
    said.map(lambda text: Chunk(signature=text)),
    st.builds(Chunk, reasoning=said, signature=st.just("s"), text=said),
    said.map(lambda text: Chunk(refusal=text)),
    st.just(Chunk(text="it", citations=({"type": "reference", "reference_ids": [1]},))),
    st.just(None),
)


def flow(said_: list[Chunk | None], usage: Usage | None, *, beside: bool) -> list[Chunk]:
    """The chunks of a stream: None stands for a tool call in two pieces."""
    made: list[Chunk] = []
    calls = 0
    for piece in said_:
        if piece is not None:
            made.append(piece)
            continue
        begun = ToolCallDelta(index=calls, id=f"call_{calls}", name="f", arguments='{"a"')
        made += [
            Chunk(tool_calls=(begun,)),
            Chunk(tool_calls=(ToolCallDelta(index=calls, arguments=":1}"),)),
        ]
        calls += 1
    made.append(Chunk(finish=FinishReason.STOP, native_finish="stop", usage=usage if beside else None))
    if not beside and usage is not None:
        made.append(Chunk(usage=usage))
    return [replace(chunk, model="other/m", id="i") for chunk in made]


def assembled(chunks: Iterable[Chunk]) -> Completion:
    """The answer that the chunks add up to."""
    assembler = CompletionAssembler()
    for chunk in chunks:
        assembler.feed(chunk)
    return assembler.completion()


@given(st.lists(pieces, max_size=6), usages, st.booleans())
def test_the_sdk_takes_every_event_of_a_stream_and_loses_nothing(
    said_: list[Chunk | None], usage: Usage | None, beside: bool
) -> None:
    """Usage comes with the finish or after it; the events add up to what the chunks add up to."""
    all_chunks = flow(said_, usage, beside=beside)
    renderer = CODEC.render_stream(CompletionRequest(model="x", messages=(user("hi"),)), created=1)
    told = b"".join(renderer.chunk(chunk) for chunk in all_chunks) + renderer.end()
    events = [line.removeprefix(b"data: ") for line in told.split(b"\n\n") if line]
    assert events.pop() == b"[DONE]"
    for event in events:
        taken(sdk.CompletionChunk, event)
    parser = CODEC.parse_stream(SENT)
    wanted, heard = assembled(all_chunks), assembled([*parser.feed(told), *parser.finish()])
    assert speech(heard.message) == speech(wanted.message)
    # The dialect tells calls beside the content, so that only their own order is told.
    assert thoughts(heard.message) == thoughts(wanted.message)
    assert heard.message.tool_calls == wanted.message.tool_calls
    assert heard.usage == usage


def test_the_sdk_takes_the_lists_of_models_and_the_vectors() -> None:
    """Cards need abilities, and answers an id."""
    listed = CODEC.render_models([("a/m", "a"), ("b/m", "b")], created=7)
    data = as_array(as_object(taken(sdk.ModelList, listed))["data"])
    assert [as_object(card)["id"] for card in data] == ["a/m", "b/m"]
    taken(sdk.BaseModelCard, CODEC.render_model("a/m", "a"))
    made = Embeddings(model="a/m", vectors=((0.5, 1.0), (0.0, -1.0)), usage=Usage(input_tokens=3))
    told = as_object(taken(sdk.EmbeddingResponse, embeddings_codec("mistral-chat").render_response(made)))
    assert [as_object(item)["embedding"] for item in as_array(told["data"])] == [[0.5, 1.0], [0.0, -1.0]]
    assert as_object(told["usage"])["prompt_tokens"] == 3


def test_an_error_is_told_in_the_vendors_form() -> None:
    """Object, message, type, parameter and code, with when to come back."""
    reply = CODEC.render_error(RateLimitedError("Too many.", retry_after=1.5))
    assert (reply.status, dict(reply.headers)["retry-after"]) == (429, "2")
    body: Mapping[str, Json] = as_object(json.loads(reply.body))
    assert body == {
        "object": "error",
        "message": "Too many.",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    renderer = CODEC.render_stream(CompletionRequest(model="x", messages=(user("hi"),)))
    assert renderer.error(RateLimitedError("Too many.", retry_after=1.5)) == b"data: %s\n\n" % reply.body
