"""The simulated Mistral: the official SDK accepts it, and its own types do in strict validation."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TypeVar

import httpx2
import pytest
from mistralai.client import Mistral, errors, models
from mistralai.client.types import BaseModel

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text, dump_json, parse_json
from interlock_providers.testing import (
    Citation,
    Declined,
    Failure,
    MistralServer,
    RawBlock,
    RawReply,
    Say,
    Spoken,
    Thought,
    ToolUse,
)

Model = TypeVar("Model", bound=BaseModel)

HELLO: list[models.ChatCompletionRequestMessageTypedDict] = [{"role": "user", "content": "hello there"}]
ASK: JsonObject = {"model": "sim-1", "messages": [{"role": "user", "content": "hello there"}]}
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "s": {"enum": ["x"]}},
    "required": ["n", "s"],
}
LOGPROB: JsonObject = {
    "token": "p",
    "logprob": -0.5,
    "bytes": [112],
    "token_id": 7,
    "top_logprobs": [{"token": "q", "logprob": -2.5, "bytes": [113], "token_id": 8}],
}
PARTS = (
    Thought("hm hm", sealed="sig", pieces=("hm", " hm")),
    Spoken("It is so.", citations=(Citation(index=2), Citation(index=5))),
)


@pytest.fixture
async def mistral() -> AsyncGenerator[MistralServer, None]:
    """A vendor that wants no key."""
    async with MistralServer(models=("sim-1", "sim-embed")) as server:
        yield server


@pytest.fixture
async def sdk(mistral: MistralServer) -> AsyncGenerator[Mistral, None]:
    """The official client, which does not retry by itself."""
    async with Mistral(api_key="k", server_url=mistral.url) as client:
        yield client


async def post(
    server: MistralServer, body: Mapping[str, Json], path: str = "/v1/chat/completions"
) -> httpx2.Response:
    """Send a body as it is."""
    async with httpx2.AsyncClient() as client:
        return await client.post(f"{server.url}{path}", content=dump_json({**body}))


def kept(sent: Json, read: object) -> bool:
    """Whether everything that was sent is in what was read from it."""
    if isinstance(sent, dict):
        inside = as_object(read)
        return all(name in inside and kept(value, inside[name]) for name, value in sent.items())
    if isinstance(sent, list):
        inside_list = as_array(read)
        return len(sent) == len(inside_list) and all(map(kept, sent, inside_list))
    return sent == read


def strict(data: bytes | str, model: type[Model]) -> Model:
    """Read with the SDK's type, strictly; nothing may be unknown to it."""
    read = model.model_validate_json(data, strict=True)
    dumped = read.model_dump(mode="json", by_alias=True)
    assert kept(parse_json(data), dumped), f"{data!r} is not all in {dumped}"
    return read


async def streamed(server: MistralServer, **fields: Json) -> list[models.CompletionChunk]:
    """The events of a stream, each read strictly; `[DONE]` ends it."""
    answer = await post(server, {**ASK, **fields, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, done, rest = answer.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [strict(event.removeprefix("data: "), models.CompletionChunk) for event in events]


def contents(chunks: Sequence[models.CompletionChunk]) -> list[Json]:
    """What the deltas of the first choice say, without what says nothing."""
    dumped = [as_object(as_array(as_object(one.model_dump(mode="json"))["choices"])[0]) for one in chunks]
    said = [as_object(choice["delta"]).get("content") for choice in dumped]
    return [one for one in said if one]


async def test_the_official_sdk_completes(mistral: MistralServer, sdk: Mistral) -> None:
    """By default the answer repeats what was said, with its tokens counted and the request named."""
    answer = await sdk.chat.complete_async(model="sim-1", messages=HELLO, n=2)
    said = [choice.message.content for choice in answer.choices if choice.message]
    assert said == ["You said: hello there"] * 2
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        2,
        8,
        10,
    )
    raw = await post(mistral, ASK)
    assert raw.headers["mistral-correlation-id"] == "00000000-0000-7000-8000-000000000002"
    assert raw.headers["x-ratelimit-remaining-req-minute"] == "718"


@pytest.mark.parametrize(
    "say",
    [
        Say("plain"),
        Say(""),
        Say(calls=(ToolUse("f", '{"a": 1}'), ToolUse("g", id="abcDEF123"))),
        Say("I look.", calls=(ToolUse("f"),)),
        Say("why", reasoning="because"),
        Say(reasoning=(Thought("a", sealed="s"), Thought(redacted=True, sealed="t")), calls=(ToolUse("f"),)),
        Say(parts=PARTS),
        Say("cited", citations=({"type": "reference", "reference_ids": ["doc"]},)),
        Say(refusal="No."),
        Say(parts=(RawBlock({"type": "text", "text": "chunked"}), Declined("no"))),
        Say("cut", finish="length", service_tier="priority"),
        Say("p", logprobs={"content": [LOGPROB]}),
        Say("one", others=(Say("two", reasoning="x"),)),
    ],
    ids=lambda say: repr(say.text or say.finish),
)
async def test_its_own_types_take_every_answer_strictly(mistral: MistralServer, say: Say) -> None:
    """Whole, with a second choice, and each event of it streamed, cut calls included."""
    mistral.then(say, say, say, say)
    for choices in (1, 2):
        whole = await post(mistral, {**ASK, "n": choices})
        assert len(strict(whole.content, models.ChatCompletionResponse).choices) == choices
        chunks = await streamed(mistral, n=choices)
        finished = [choice for one in chunks for choice in one.choices if choice.finish_reason]
        assert len(finished) == choices
        assert [one.usage is not None for one in chunks] == [False] * (len(chunks) - 1) + [True]


async def test_the_official_sdk_streams(mistral: MistralServer, sdk: Mistral) -> None:
    """It reads the text, and usage in the event of the finish."""
    mistral.then(Say("one two", pieces=("one", " two")))
    async with await sdk.chat.stream_async(model="sim-1", messages=HELLO) as stream:
        events = [event.data async for event in stream]
    assert [event.choices[0].delta.content for event in events] == ["", "one", " two", ""]
    assert events[-1].choices[0].finish_reason == "stop"
    assert events[-1].usage is not None
    assert events[-1].usage.total_tokens == 4


async def test_a_whole_answer_may_end_for_more_reasons(mistral: MistralServer) -> None:
    """The SDK's type of whole answers knows one more than that of events."""
    mistral.then(Say("a", finish="model_length"))
    read = strict((await post(mistral, ASK)).content, models.ChatCompletionResponse)
    assert read.choices[0].finish_reason == "model_length"


async def test_thoughts_close_in_the_event_that_opens_the_text(mistral: MistralServer) -> None:
    """Thoughts and references are chunks, text is text, and the turn between them is both."""
    mistral.then(Say(parts=PARTS))
    said = contents(await streamed(mistral))
    assert kept([[{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]], said[:1])
    turn: list[Json] = [
        {"type": "thinking", "thinking": [], "signature": "sig", "closed": True},
        {"type": "text", "text": "It"},
    ]
    assert kept(turn, said[2])
    assert said[3:5] == [" is", " so."]
    assert kept([{"type": "reference", "reference_ids": [2, 5]}], said[5])


async def test_a_thought_that_no_text_follows_is_closed_too(mistral: MistralServer) -> None:
    """Before the calls, and where there is another chunk."""
    raw = RawBlock({"type": "text", "text": "chunk"})
    mistral.then(Say(reasoning="a", calls=(ToolUse("f"),)), Say(parts=(Thought("a"), raw)))
    for expected in (1, 2):
        said = contents(await streamed(mistral))
        assert kept([{"type": "thinking", "thinking": [], "closed": True}], said[1])
        assert len(said) == 1 + expected


async def test_whole_calls_come_with_the_finish_and_the_usage(mistral: MistralServer) -> None:
    """All in one event, as the vendor's own models do; ids are nine letters and digits."""
    mistral.then(Say("Now.", calls=(ToolUse("f", '{"a": 1}'), ToolUse("g"))))
    chunks = await streamed(mistral)
    last = chunks[-1].choices[0]
    calls = last.delta.tool_calls or []
    assert isinstance(calls, list)
    assert [(call.id, call.index, call.function.arguments) for call in calls] == [
        ("c00010000", 0, '{"a": 1}'),
        ("c00010001", 1, "{}"),
    ]
    assert last.finish_reason == "tool_calls"
    assert chunks[-1].usage is not None


@pytest.mark.parametrize("later", [None, "null", "toolcall0"])
async def test_cut_calls_bear_their_id_once(later: str | None) -> None:
    """Later pieces have no id, or whatever it is told."""
    call = ToolUse("f", '{"a": 1}', id="abcdefghi", pieces=('{"a"', ": 1}"))
    async with MistralServer(continued_id=later) as server:
        server.then(Say(calls=(ToolUse("g"), call)))
        answer = await post(server, {**ASK, "stream": True})
    events = [parse_json(event.removeprefix("data: ")) for event in answer.text.split("\n\n")[:-2]]
    deltas = [as_object(as_object(as_array(as_object(event)["choices"])[0])["delta"]) for event in events]
    pieces = [as_object(as_array(delta["tool_calls"])[0]) for delta in deltas if "tool_calls" in delta]
    assert [piece.get("id") for piece in pieces] == ["abcdefghi", later, later, "c00010000"]
    assert ["id" in piece for piece in pieces][1] == (later is not None)
    functions = [as_object(piece["function"]) for piece in pieces[:3]]
    assert "".join(as_text(one["arguments"]) or "" for one in functions) == '{"a": 1}'
    assert [one["name"] for one in functions] == ["f", "", ""]
    assert [piece["index"] for piece in pieces] == [1, 1, 1, 0]


async def test_padding_is_all_that_the_types_do_not_know() -> None:
    """Where it is asked for, each event has some."""
    async with MistralServer(padding=True) as server:
        answer = await post(server, {**ASK, "stream": True})
    for event in answer.text.split("\n\n")[:-2]:
        body = as_object(parse_json(event.removeprefix("data: ")))
        with pytest.raises(AssertionError, match="is not all in"):
            strict(dump_json(body), models.CompletionChunk)
        assert body.pop("p")
        strict(dump_json(body), models.CompletionChunk)


async def test_the_same_script_gives_the_same_bytes() -> None:
    """Bodies and headers, whole, streamed and failed."""
    script = (Say(parts=PARTS), Say("a", calls=(ToolUse("f"),)), Failure.rate_limit(2))
    seen: list[list[tuple[bytes, list[tuple[str, str]]]]] = []
    for _ in range(2):
        async with MistralServer() as server:
            server.then(*script)
            answers = [await post(server, {**ASK, "stream": stream}) for stream in (True, False, True)]
            seen.append([(one.content, one.headers.multi_items()) for one in answers])
    assert seen[0] == seen[1]


async def test_the_official_sdk_lists_models() -> None:
    """Cards that say what a model can do, and what a test makes them say."""
    cards: dict[str, JsonObject] = {"sim-1": {"max_context_length": 7, "aliases": ["sim-latest"]}}
    async with MistralServer(models=("sim-1", "sim-embed"), cards=cards) as server:
        async with Mistral(api_key="k", server_url=server.url) as client:
            listed = (await client.models.list_async()).data or []
        async with httpx2.AsyncClient() as client:
            raw = await client.get(f"{server.url}/v1/models")
    strict(raw.content, models.ModelList)
    assert [(card.id, card.capabilities.completion_chat) for card in listed if card.type == "base"] == [
        ("sim-1", True),
        ("sim-embed", False),
    ]
    assert [card.max_context_length for card in listed if card.type == "base"] == [7, 131_072]


async def test_the_official_sdk_embeds(mistral: MistralServer, sdk: Mistral) -> None:
    """The same text gives the same vector, in every form."""
    made = await sdk.embeddings.create_async(model="sim-embed", inputs=["a b", "a b"], output_dimension=16)
    first, second = made.data
    assert first.embedding == second.embedding
    assert len(first.embedding or []) == 16
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (4, 0)
    sizes = {"float": 16, "int8": 16, "uint8": 16, "binary": 2, "ubinary": 2}
    for kind, size in sizes.items():
        body: JsonObject = {
            "model": "sim-embed",
            "input": "a b",
            "output_dimension": 16,
            "output_dtype": kind,
        }
        read = strict((await post(mistral, body, "/v1/embeddings")).content, models.EmbeddingResponse)
        assert len(read.data[0].embedding or []) == size
    based: JsonObject = {"model": "sim-embed", "input": "a", "encoding_format": "base64"}
    raw = as_object(parse_json((await post(mistral, based, "/v1/embeddings")).content))
    assert isinstance(as_object(as_array(raw["data"])[0])["embedding"], str)


async def test_it_answers_what_is_asked_of_it(sdk: Mistral) -> None:
    """A required call, a schema and a limit are obeyed without a script."""
    tool: models.ToolTypedDict = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
    other: models.ToolTypedDict = {"type": "function", "function": {"name": "g", "parameters": {}}}
    named: models.ToolChoiceTypedDict = {"type": "function", "function": {"name": "f"}}
    choices: tuple[models.ChatCompletionRequestToolChoiceTypedDict, ...] = ("any", "required", named)
    for choice in choices:
        answer = await sdk.chat.complete_async(
            model="sim-1", messages=HELLO, tools=[tool, other], tool_choice=choice
        )
        message = answer.choices[0].message
        assert message is not None
        calls = message.tool_calls or []
        assert isinstance(calls, list)
        assert [(call.function.name, call.function.arguments) for call in calls] == [("f", '{"n":1,"s":"x"}')]
        assert answer.choices[0].finish_reason == "tool_calls"
    shaped = await sdk.chat.complete_async(
        model="sim-1",
        messages=HELLO,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "a", "schema_definition": SCHEMA, "strict": True},
        },
    )
    short = await sdk.chat.complete_async(model="sim-1", messages=HELLO, max_tokens=2)
    assert [one.choices[0].message and one.choices[0].message.content for one in (shaped, short)] == [
        '{"n":1,"s":"x"}',
        "You said:",
    ]
    assert short.choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Failure.permission(), 403, "forbidden"),
        (Failure.no_money(), 402, None),
        (Failure.rate_limit(1), 429, "1300"),
        (Failure.overloaded(), 429, "3505"),
        (Failure.server_error(), 500, None),
        (Failure.model_not_found("sim-9"), 400, "1500"),
        (Failure.too_long(32_768), 400, "3051"),
        (Failure.too_large(), 413, None),
        (Failure.content_policy(), 403, "content_moderation"),
        (Failure.invalid("Wrong.", "stop"), 400, None),
        (Failure(status=503, code="1100", kind="x", message="Gone."), 503, "1100"),
    ],
    ids=lambda value: value.means if isinstance(value, Failure) else "",
)
async def test_the_official_sdk_raises_for_errors(
    mistral: MistralServer, sdk: Mistral, failure: Failure, status: int, code: str | None
) -> None:
    """They are objects with the vendor's code and words."""
    mistral.then(failure)
    with pytest.raises(errors.SDKError) as caught:
        await sdk.chat.complete_async(model="sim-1", messages=HELLO)
    body = as_object(parse_json(caught.value.body))
    assert caught.value.status_code == status
    assert (body["object"], body["code"], body["raw_status_code"]) == ("error", code, status)
    assert body["message"]
    assert body["type"]
    assert body["param"] == (failure.param if failure.means == "invalid" else None)
    assert caught.value.headers.get("retry-after") == ("1" if failure.means == "rate_limit" else None)
    assert caught.value.headers["mistral-correlation-id"]


async def test_a_wrong_key_and_a_wrong_path_have_bodies_of_their_own(mistral: MistralServer) -> None:
    """They come from what stands before the vendor's API."""
    mistral.change_key("right")
    async with Mistral(api_key="wrong", server_url=mistral.url) as client:
        with pytest.raises(errors.SDKError) as caught:
            await client.models.list_async()
    assert (caught.value.status_code, parse_json(caught.value.body)) == (401, {"detail": "Unauthorized"})
    async with Mistral(api_key="right", server_url=mistral.url) as client:
        assert (await client.models.list_async()).data
        with pytest.raises(errors.SDKError) as caught:
            await client.files.list_async()
    assert caught.value.status_code == 404
    assert as_object(parse_json(caught.value.body))["message"] == "no Route matched with those values"


async def test_a_timeout_is_told_by_the_proxy(mistral: MistralServer, sdk: Mistral) -> None:
    """It has a message and nothing else that the API would say."""
    mistral.then(Failure.timeout())
    with pytest.raises(errors.SDKError) as caught:
        await sdk.chat.complete_async(model="sim-1", messages=HELLO)
    body = as_object(parse_json(caught.value.body))
    assert (caught.value.status_code, body["message"]) == (504, "The upstream server is timing out")
    assert "object" not in body


async def test_a_field_that_a_script_names_is_a_validation_error(
    mistral: MistralServer, sdk: Mistral
) -> None:
    """The SDK has a class for 422."""
    mistral.then(Failure(status=422, kind="value_error", message="Too hot.", param="temperature"))
    with pytest.raises(errors.HTTPValidationError) as caught:
        await sdk.chat.complete_async(model="sim-1", messages=HELLO)
    detail = (caught.value.data.detail or [])[0]
    assert (detail.loc, detail.msg, detail.type) == (["body", "temperature"], "Too hot.", "value_error")


async def test_a_stream_can_fail_in_the_middle(mistral: MistralServer, sdk: Mistral) -> None:
    """The SDK does not take the error object for a chunk."""
    mistral.then(Say("one two", fail=Failure.overloaded()))
    seen: list[object] = []

    async def read() -> None:
        async with await sdk.chat.stream_async(model="sim-1", messages=HELLO) as stream:
            async for event in stream:
                seen.append(event.data.choices[0].delta.content)

    with pytest.raises(errors.ResponseValidationError, match="object': 'error'"):
        await read()
    assert seen == ["", "one", " two"]


async def test_usage_is_what_a_script_says(mistral: MistralServer) -> None:
    """Nothing at all, or any object."""
    mistral.then(Say("a", usage="missing"), Say("a", usage={"prompt_tokens": 9, "num_cached_tokens": 4}))
    missing = as_object(parse_json((await post(mistral, ASK)).content))
    given = as_object(parse_json((await post(mistral, ASK)).content))
    assert "usage" not in missing
    assert given["usage"] == {"prompt_tokens": 9, "num_cached_tokens": 4}


async def test_anything_at_all_can_be_sent(mistral: MistralServer, sdk: Mistral) -> None:
    """For embeddings too."""
    mistral.then(RawReply(body=b"teapot", status=418, content_type="text/plain"))
    with pytest.raises(errors.SDKError) as caught:
        await sdk.embeddings.create_async(model="sim-embed", inputs="a")
    assert (caught.value.status_code, caught.value.body) == (418, "teapot")
