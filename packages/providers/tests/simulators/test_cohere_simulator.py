"""The simulated Cohere: the official SDK accepts it, and its own types do in strict validation."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import cast, get_args

import cohere
import httpx
import pytest
from cohere import errors
from cohere.core.api_error import ApiError
from cohere.core.unchecked_base_model import UncheckedBaseModel
from cohere.types import ChatFinishReason, EmbedByTypeResponse, ListModelsResponse
from cohere.v2.types import V2ChatResponse, V2ChatStreamResponse

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text, dump_json, parse_json
from interlock_providers.testing import (
    Citation,
    CohereServer,
    Declined,
    Failure,
    RawBlock,
    RawReply,
    Say,
    Spoken,
    Thought,
    ToolUse,
)

HELLO: list[cohere.ChatMessageV2] = [cohere.UserChatMessageV2(content="hello there")]
ASK: JsonObject = {"model": "sim-1", "messages": [{"role": "user", "content": "hello there"}]}
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "s": {"enum": ["x"]}},
    "required": ["n", "s"],
}
CITED = Spoken(
    "It is so.",
    citations=(
        Citation(start=0, end=2),
        Citation(start=6, end=9, source="doc_1", title="T", url="https://a"),
    ),
)
PLANNED = (
    CohereServer.plan("I will look."),
    ToolUse("f", '{"a": 1}'),
    ToolUse("g", id="g_1", pieces=("{", "}")),
)
LOGPROB: JsonObject = {"text": "p", "token_ids": [7], "logprobs": [-0.5]}
EVENTS: Mapping[str, type[UncheckedBaseModel]] = {
    kind.model_fields["type"].default: kind for kind in get_args(get_args(V2ChatStreamResponse)[0])
}
FINISHES = get_args(get_args(ChatFinishReason)[0])


@pytest.fixture
async def trial() -> AsyncGenerator[CohereServer, None]:
    """A vendor that wants no key."""
    async with CohereServer(models=("sim-1", "sim-embed")) as server:
        yield server


@pytest.fixture
async def client(trial: CohereServer) -> AsyncGenerator[cohere.AsyncClientV2, None]:
    """The official client, which does not retry."""
    async with cohere.AsyncClientV2(api_key="k", base_url=trial.url, max_retries=0) as one:
        yield one


async def ask(server: CohereServer, body: Mapping[str, Json], path: str = "/v2/chat") -> httpx.Response:
    """Send a body as it is."""
    async with httpx.AsyncClient() as plain:
        return await plain.post(f"{server.url}{path}", content=dump_json({**body}))


def strange(read: object) -> Iterator[str]:
    """The fields that are unknown to the SDK's types, which keep them all the same."""
    if isinstance(read, UncheckedBaseModel):
        yield from read.model_extra or {}
        for name in type(read).model_fields:
            yield from strange(getattr(read, name))
    for item in as_array(read):
        yield from strange(item)


def checked(data: bytes, model: type[V2ChatResponse]) -> V2ChatResponse:
    """Read a whole answer strictly; nothing may be unknown to the SDK's type."""
    read = model.model_validate_json(data, strict=True)
    assert list(strange(read)) == []
    assert read.finish_reason in FINISHES
    return read


async def streamed(server: CohereServer, **fields: Json) -> list[V2ChatStreamResponse]:
    """The events of a stream, each under its name and read strictly; `[DONE]` ends it."""
    answer = await ask(server, {**ASK, **fields, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *texts, done, rest = answer.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [event_of(text) for text in texts]


def read_event(text: str) -> V2ChatStreamResponse:
    """One event, read strictly as what its name says."""
    name, data = text.split("\n")
    kind = EVENTS[name.removeprefix("event: ")]
    read = kind.model_validate_json(data.removeprefix("data: "), strict=True)
    return cast("V2ChatStreamResponse", read)


def event_of(text: str) -> V2ChatStreamResponse:
    """One event of which the SDK's types know every field."""
    read = read_event(text)
    assert list(strange(read)) == []
    return read


def types_of(events: Sequence[V2ChatStreamResponse]) -> list[str]:
    """The types of events, each as often as it comes in a row."""
    return [event.type for event in events]


def said(events: Sequence[V2ChatStreamResponse]) -> list[tuple[JsonObject, JsonObject]]:
    """Events as JSON, each with the message of its delta."""
    listed = [as_object(event.model_dump(mode="json", exclude_none=True)) for event in events]
    return [(event, as_object(as_object(event.get("delta")).get("message"))) for event in listed]


async def test_the_official_sdk_completes(trial: CohereServer, client: cohere.AsyncClientV2) -> None:
    """By default the answer repeats what was said; the vendor's template is counted, not billed."""
    answer = await client.chat(model="sim-1", messages=HELLO)
    assert answer.message.content is not None
    block = answer.message.content[0]
    assert block.type == "text"
    assert (block.text, answer.finish_reason) == ("You said: hello there", "COMPLETE")
    assert answer.usage is not None
    assert answer.usage.billed_units is not None
    assert answer.usage.tokens is not None
    assert (answer.usage.billed_units.input_tokens, answer.usage.billed_units.output_tokens) == (2, 4)
    assert (answer.usage.tokens.input_tokens, answer.usage.tokens.output_tokens) == (10, 4)
    raw = await ask(trial, ASK)
    assert raw.headers["x-debug-trace-id"] == f"{2:032x}"
    assert raw.headers["x-trial-endpoint-call-remaining"] == "18"


@pytest.mark.parametrize(
    "say",
    [
        Say("plain"),
        Say(""),
        Say(parts=PLANNED),
        Say("I look.", calls=(ToolUse("f"),)),
        Say("why", reasoning=(Thought("because", pieces=("be", "cause")),)),
        Say(reasoning=(Thought("a", sealed="s"), Thought(redacted=True, sealed="t")), calls=(ToolUse("f"),)),
        Say(parts=(Thought("hm"), CITED)),
        Say("cited", citations=({"start": 0, "end": 5, "type": "PLAN", "sources": [{"type": "tool"}]},)),
        Say(refusal="No."),
        Say(parts=(RawBlock({"type": "text", "text": "block"}), Declined("no"))),
        Say("cut", finish="MAX_TOKENS"),
        Say("stopped", stop_sequence="!"),
        Say("broke", finish="ERROR"),
        Say("late", finish="TIMEOUT"),
        Say("p", logprobs=LOGPROB),
        Say("p q", logprobs=[LOGPROB, LOGPROB]),
        Say("a", usage={"tokens": {"input_tokens": 9}, "cached_tokens": 4}),
        Say("a", usage="missing"),
    ],
    ids=lambda say: repr(say.text or say.finish),
)
async def test_its_own_types_take_every_answer_strictly(trial: CohereServer, say: Say) -> None:
    """Whole, and each event of it streamed, with the same finish and usage."""
    trial.then(say, say)
    whole = checked((await ask(trial, ASK)).content, V2ChatResponse)
    events = await streamed(trial)
    first, last = events[0], events[-1]
    assert first.type == "message-start"
    assert last.type == "message-end"
    assert last.delta is not None
    assert (last.delta.finish_reason, last.delta.usage) == (whole.finish_reason, whole.usage)


async def test_the_official_sdk_streams(trial: CohereServer, client: cohere.AsyncClientV2) -> None:
    """It reads the text, and usage in the last event."""
    trial.then(Say("one two"))
    events = [event async for event in client.chat_stream(model="sim-1", messages=HELLO)]
    assert types_of(events) == [
        "message-start",
        "content-start",
        "content-delta",
        "content-delta",
        "content-end",
        "message-end",
    ]
    texts: list[object] = []
    for event in events:
        if event.type == "content-delta" and event.delta and event.delta.message:
            texts.append(event.delta.message.content and event.delta.message.content.text)
    assert texts == ["one", " two"]


async def test_thoughts_and_texts_are_blocks_of_their_own(trial: CohereServer) -> None:
    """Numbered in their order; a redacted thought has no words."""
    trial.then(Say(parts=(Thought("hm"), Spoken("a"), Thought(redacted=True))))
    blocks = [
        (event["type"], event["index"], message.get("content"))
        for event, message in said(await streamed(trial))
        if "content" in (as_text(event["type"]) or "")
    ]
    assert blocks == [
        ("content-start", 0, {"type": "thinking", "thinking": ""}),
        ("content-delta", 0, {"thinking": "hm"}),
        ("content-end", 0, None),
        ("content-start", 1, {"type": "text", "text": ""}),
        ("content-delta", 1, {"text": "a"}),
        ("content-end", 1, None),
        ("content-start", 2, {"type": "thinking", "thinking": ""}),
        ("content-end", 2, None),
    ]


async def test_plans_and_calls_come_in_pieces(trial: CohereServer) -> None:
    """The plan first, then each call under its own number."""
    trial.then(Say(parts=PLANNED))
    events = said(await streamed(trial))
    plan = [as_text(message["tool_plan"]) or "" for _, message in events if "tool_plan" in message]
    assert "".join(plan) == "I will look."
    calls = [
        (event, as_object(message["tool_calls"])) for event, message in events if "tool_calls" in message
    ]
    starts = [(event["index"], call) for event, call in calls if event["type"] == "tool-call-start"]
    assert starts == [
        (0, {"id": "f_1_0", "type": "function", "function": {"name": "f", "arguments": ""}}),
        (1, {"id": "g_1", "type": "function", "function": {"name": "g", "arguments": ""}}),
    ]
    pieces = [
        (event["index"], as_text(as_object(call["function"])["arguments"]) or "") for event, call in calls
    ]
    assert "".join(piece for index, piece in pieces if index == 0) == '{"a": 1}'
    assert [piece for index, piece in pieces if index == 1] == ["", "{", "}"]
    assert [event["index"] for event, _ in events if event["type"] == "tool-call-end"] == [0, 1]


async def test_a_call_may_come_whole(trial: CohereServer) -> None:
    """Without pieces its start says all of it."""
    trial.then(Say(calls=(ToolUse("f", '{"a": 1}', pieces=()),)))
    events = said(await streamed(trial))
    assert [event["type"] for event, _ in events[1:-1]] == ["tool-call-start", "tool-call-end"]
    assert as_object(as_object(events[1][1]["tool_calls"])["function"])["arguments"] == '{"a": 1}'


async def test_citations_come_at_the_end_of_the_block_or_at_once(trial: CohereServer) -> None:
    """As the mode that was asked for says; they name the block they are in."""
    trial.then(*[Say(parts=(Thought("hm"), CITED))] * 3)
    whole = checked((await ask(trial, ASK)).content, V2ChatResponse)
    cited = whole.message.citations or []
    assert [(one.start, one.end, one.text, one.content_index) for one in cited] == [
        (0, 2, "It", 1),
        (6, 9, "so.", 1),
    ]
    assert cited[1].sources is not None
    source = cited[1].sources[0]
    assert source.type == "document"
    assert source.document == {"id": "doc_1", "title": "T", "url": "https://a"}
    after = await streamed(trial)
    pair = ["citation-start", "citation-end"]
    assert types_of(after)[4:] == [
        "content-start",
        *["content-delta"] * 3,
        *pair,
        *pair,
        "content-end",
        "message-end",
    ]
    fast = await streamed(trial, citation_options={"mode": "FAST"})
    assert types_of(fast)[4:] == [
        "content-start",
        "content-delta",
        *pair,
        *["content-delta"] * 2,
        *pair,
        "content-end",
        "message-end",
    ]
    for events in (after, fast):
        numbers = [event.index for event in events if event.type == "citation-start"]
        assert numbers == [0, 1]


async def test_empty_fields_are_all_that_the_types_do_not_know() -> None:
    """Where they are asked for, the first event has them."""
    async with CohereServer(empty_fields=True, done=False) as server:
        answer = await ask(server, {**ASK, "stream": True})
    first, *rest = answer.text.split("\n\n")[:-1]
    assert list(strange(read_event(first))) == ["content", "tool_plan", "tool_calls", "citations"]
    assert [event_of(text).type for text in rest][-1] == "message-end"


async def test_a_stream_may_lack_its_end(trial: CohereServer) -> None:
    """Neither `message-end` nor `[DONE]`."""
    trial.then(Say("a", end_mark=False))
    answer = await ask(trial, {**ASK, "stream": True})
    assert "content-end" in answer.text
    assert "message-end" not in answer.text
    assert "[DONE]" not in answer.text


@pytest.mark.parametrize(
    ("failure", "finish", "words"),
    [
        (Failure.server_error(), "ERROR", "internal server error"),
        (Failure.timeout(), "TIMEOUT", "upstream request timeout"),
    ],
    ids=["error", "timeout"],
)
async def test_a_stream_can_fail_in_the_middle(
    trial: CohereServer, client: cohere.AsyncClientV2, failure: Failure, finish: str, words: str
) -> None:
    """The last event says so, in the SDK's own types."""
    say = Say("one two", fail=failure, fail_after=1)
    trial.then(say, say)
    raw = await ask(trial, {**ASK, "stream": True})
    last = event_of(raw.text.split("\n\n")[-2])
    events = [event async for event in client.chat_stream(model="sim-1", messages=HELLO)]
    assert types_of(events) == ["message-start", "content-start", "content-delta", "message-end"]
    for event in (last, events[-1]):
        assert event.type == "message-end"
        assert event.delta is not None
        assert event.delta.finish_reason == finish
        assert words in (event.delta.error or "")


async def test_a_finish_may_bear_words(trial: CohereServer) -> None:
    """Without any failure that a script gives."""
    trial.then(Say("a", finish="ERROR", finish_details={"error": "odd"}))
    last = (await streamed(trial))[-1]
    assert last.type == "message-end"
    assert last.delta is not None
    assert (last.delta.finish_reason, last.delta.error) == ("ERROR", "odd")


async def test_the_same_script_gives_the_same_bytes() -> None:
    """Bodies and headers, whole, streamed and failed."""
    script = (Say(parts=PLANNED), Say(parts=(Thought("hm"), CITED)), Failure.rate_limit(2))
    seen: list[list[tuple[bytes, list[tuple[str, str]]]]] = []
    for _ in range(2):
        async with CohereServer() as server:
            server.then(*script)
            answers = [await ask(server, {**ASK, "stream": stream}) for stream in (True, False, True)]
            seen.append([(one.content, one.headers.multi_items()) for one in answers])
    assert seen[0] == seen[1]


async def test_the_official_sdk_lists_models_in_pages() -> None:
    """By endpoint, and with cards that a test may change."""
    names = ("a", "b", "embed-c", "d")
    async with (
        CohereServer(models=names, cards={"b": {"context_length": 7}}) as server,
        cohere.AsyncClientV2(api_key="k", base_url=server.url) as client,
        httpx.AsyncClient() as plain,
    ):
        first = await client.models.list(page_size=2)
        second = await client.models.list(page_size=2, page_token=first.next_page_token)
        embeds = await client.models.list(endpoint="embed")
        raw = await plain.get(f"{server.url}/v1/models")
    assert [model.name for page in (first, second) for model in page.models] == list(names)
    assert (first.next_page_token, second.next_page_token) == ("2", None)
    assert [model.name for model in embeds.models] == ["embed-c"]
    assert [model.context_length for model in first.models] == [128_000, 7]
    assert list(strange(ListModelsResponse.model_validate_json(raw.content, strict=True))) == []


async def test_the_official_sdk_embeds(trial: CohereServer, client: cohere.AsyncClientV2) -> None:
    """The same text gives the same vector, in every form."""
    made = await client.embed(
        model="sim-embed",
        input_type="search_document",
        texts=["a b", "a b"],
        output_dimension=16,
        embedding_types=["float", "int8", "uint8", "binary", "ubinary", "base64"],
    )
    vectors = made.embeddings
    assert vectors.float_ is not None
    assert vectors.float_[0] == vectors.float_[1]
    packed = [vectors.int8, vectors.uint8, vectors.binary, vectors.ubinary]
    assert [len((one or [[]])[0]) for one in packed] == [16, 16, 2, 2]
    assert made.meta is not None
    assert made.meta.billed_units is not None
    assert made.meta.billed_units.input_tokens == 4
    image = "data:image/png;base64,AAAA"
    part: JsonObject = {"type": "image_url", "image_url": {"url": image}}
    bodies: list[JsonObject] = [
        {"texts": ["a"]},
        {"images": [image], "embedding_types": ["base64"]},
        {"inputs": [{"content": [{"type": "text", "text": "a"}, part]}], "embedding_types": ["int8"]},
    ]
    for given in bodies:
        body: JsonObject = {"model": "sim-embed", "input_type": "image", **given}
        answer = await ask(trial, body, "/v2/embed")
        read = EmbedByTypeResponse.model_validate_json(answer.content, strict=True)
        assert list(strange(read)) == []
        assert read.response_type == "embeddings_by_type"
        assert (read.images is not None) == ("images" in given)


async def test_it_answers_what_is_asked_of_it(client: cohere.AsyncClientV2) -> None:
    """A required call, a schema and a limit are obeyed without a script."""
    tool = cohere.ToolV2(function=cohere.ToolV2Function(name="f", parameters=SCHEMA))
    called = await client.chat(model="sim-1", messages=HELLO, tools=[tool], tool_choice="REQUIRED")
    call = (called.message.tool_calls or [])[0]
    assert call.function is not None
    assert (call.function.arguments, called.finish_reason) == ('{"n":1,"s":"x"}', "TOOL_CALL")
    shaped = await client.chat(
        model="sim-1",
        messages=HELLO,
        response_format=cohere.JsonObjectResponseFormatV2(json_schema=SCHEMA),
    )
    short = await client.chat(model="sim-1", messages=HELLO, max_tokens=2)
    texts: list[str] = []
    for answer in (shaped, short):
        block = (answer.message.content or [])[0]
        assert block.type == "text"
        texts.append(block.text)
    assert texts == ['{"n":1,"s":"x"}', "You said:"]
    assert short.finish_reason == "MAX_TOKENS"


@pytest.mark.parametrize(
    ("failure", "kind", "status"),
    [
        (Failure.invalid("Wrong."), errors.BadRequestError, 400),
        (Failure.too_long(4081), errors.BadRequestError, 400),
        (Failure.bad_key(), errors.UnauthorizedError, 401),
        (Failure.no_money(), ApiError, 402),
        (Failure.permission(), errors.ForbiddenError, 403),
        (Failure.model_not_found("x"), errors.NotFoundError, 404),
        (Failure.too_large(), ApiError, 413),
        (Failure(status=422), errors.UnprocessableEntityError, 422),
        (Failure.rate_limit(1), errors.TooManyRequestsError, 429),
        (Failure.content_policy(), errors.InvalidTokenError, 498),
        (Failure(status=499, message="request cancelled"), errors.ClientClosedRequestError, 499),
        (Failure.server_error(), errors.InternalServerError, 500),
        (Failure(status=501), errors.NotImplementedError, 501),
        (Failure.overloaded(), errors.ServiceUnavailableError, 503),
        (Failure.timeout(), errors.GatewayTimeoutError, 504),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
async def test_the_official_sdk_raises_its_own_errors(
    trial: CohereServer, client: cohere.AsyncClientV2, failure: Failure, kind: type[ApiError], status: int
) -> None:
    """Each class of error is the one that the vendor's own SDK expects, whole and streamed."""
    trial.then(failure, failure)
    with pytest.raises(kind) as caught:
        await client.chat(model="sim-1", messages=HELLO)
    with pytest.raises(kind):
        [event async for event in client.chat_stream(model="sim-1", messages=HELLO)]
    assert caught.value.status_code == status
    body = as_object(caught.value.body)
    assert body.keys() == {"id", "message"}
    assert body["id"] == "00000000-0000-4000-8000-000000000001"
    assert body["message"]


async def test_a_wrong_key_and_a_wrong_path_are_refused(trial: CohereServer) -> None:
    """In the same shape as all errors."""
    trial.change_key("right")
    async with cohere.AsyncClientV2(api_key="wrong", base_url=trial.url) as wrong:
        with pytest.raises(errors.UnauthorizedError) as caught:
            await wrong.models.list()
    assert as_object(caught.value.body)["message"] == "invalid api token"
    async with cohere.AsyncClientV2(api_key="right", base_url=trial.url) as right:
        assert (await right.models.list()).models
        with pytest.raises(errors.NotFoundError, match="POST /v2/rerank"):
            await right.rerank(model="sim-1", query="a", documents=["b"])


async def test_anything_at_all_can_be_sent(trial: CohereServer, client: cohere.AsyncClientV2) -> None:
    """For embeddings too."""
    trial.then(RawReply(body=b"teapot", status=418, content_type="text/plain"))
    with pytest.raises(ApiError) as caught:
        await client.embed(model="sim-embed", input_type="search_query", texts=["a"])
    assert (caught.value.status_code, caught.value.body) == (418, "teapot")


async def test_plans_are_counted(trial: CohereServer) -> None:
    """With the arguments of the calls."""
    trial.then(Say(parts=PLANNED))
    usage = as_object(as_object(parse_json((await ask(trial, ASK)).content))["usage"])
    assert usage["billed_units"] == {"input_tokens": 2, "output_tokens": 6}
    assert usage["cached_tokens"] == 0
