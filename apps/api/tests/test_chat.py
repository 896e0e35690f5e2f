"""Chat completions through the gateway, asked by the official client, answered by a simulated vendor."""

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from openai import (
    APIError,
    APIStatusError,
    AsyncStream,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
from openai.types.chat import ChatCompletionChunk, ChatCompletionToolParam

from interlock_core.jsontypes import JsonObject, as_array, as_object
from interlock_providers.testing import Failure, OpenAIChatServer, RawReply, Say, ToolUse
from interlock_runtime.settings import ProviderSettings

if TYPE_CHECKING:
    from .conftest import Gate, MakeGate

MODEL = "acme/sim-1"
ASKED = [{"role": "user", "content": "Say three words"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def body_of(vendor: OpenAIChatServer, index: int = -1) -> JsonObject:
    """What the vendor was asked."""
    return as_object(vendor.requests[index].json())


async def events(stream: AsyncStream[ChatCompletionChunk]) -> list[ChatCompletionChunk]:
    """Every event of a stream."""
    return [event async for event in stream]


def payload(**more: object) -> bytes:
    """A request's body."""
    return json.dumps({"model": MODEL, "messages": ASKED, **more}).encode()


def data_of(body: bytes) -> list[bytes]:
    """The data of the events of a stream."""
    return [event.removeprefix(b"data: ") for event in body.split(b"\n\n") if event]


# ---- whole answers


async def test_a_whole_answer_comes_back_with_exact_usage(gate: "Gate", vendor: OpenAIChatServer) -> None:
    """Text, model, usage and reason are those of the vendor, under the name that was asked for."""
    vendor.then(Say("One two three"))
    async with gate.client() as client:
        answer = await client.chat.completions.create(model=MODEL, messages=cast("Any", ASKED))
    assert answer.choices[0].message.content == "One two three"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == MODEL
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 3)


async def test_an_answer_passes_byte_for_byte_but_for_the_name_of_its_model(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """Fields that nobody here knows, order and white space included."""
    own = (
        b'{ "id":"x1", "object":"chat.completion","created":1,  "model":"sim-1","odd":{"a":[1,2.50]},'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":"\\u00e9"},"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2} }'
    )
    vendor.then(RawReply(body=own))
    answer = await gate.ask("POST", "/v1/chat/completions", body=payload())
    assert answer.body == own.replace(b'"sim-1"', b'"acme/sim-1"')


async def test_a_request_passes_with_fields_that_nobody_here_knows(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """Toward the vendor only the name of the model differs, and the key is the vendor's own."""
    sent = payload(temperature=0.25, odd={"deep": [1, 2.50]}, max_tokens=5)
    assert (await gate.ask("POST", "/v1/chat/completions", body=sent)).status == 200
    assert vendor.requests[0].body == sent.replace(b'"acme/sim-1"', b'"sim-1"')
    assert vendor.requests[0].header("authorization") == "Bearer sk-upstream-9c41b7d20e"
    assert gate.key.encode() not in repr(vendor.requests[0]).encode()


async def test_the_headers_of_an_answer_say_what_was_done(gate: "Gate", vendor: OpenAIChatServer) -> None:
    """Run, model, policy and attempts; the cost only where a price is known; nothing of the server."""
    answer = await gate.ask("POST", "/v1/chat/completions", body=payload())
    assert (answer.header("x-interlock-run") or "").startswith("run_")
    assert answer.header("x-interlock-model") == MODEL
    assert answer.header("x-interlock-policy") == "manual"
    assert answer.header("x-interlock-attempts") == "1"
    assert answer.header("x-interlock-cost-usd") is None
    assert answer.header("server") is None
    assert not [name for name, _ in answer.headers if name.startswith("access-control")]


async def test_the_router_chooses_for_auto_under_the_policy_that_a_header_names(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """The policy is told back; the model is one that was asked."""
    body = json.dumps({"model": "auto", "messages": ASKED}).encode()
    answer = await gate.ask("POST", "/v1/chat/completions", body=body, x_interlock_policy="cheap")
    assert answer.status == 200, answer.body
    assert answer.header("x-interlock-policy") == "cheap"
    assert answer.header("x-interlock-model") == f"acme/{body_of(vendor)['model']}"


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("x_interlock_policy", "nonsense", 404),
        ("x_interlock_policy", "x" * 65, 400),
        ("x_interlock_task", "a\tb", 400),
        ("x_interlock_max_cost_usd", "much", 400),
        ("x_interlock_max_cost_usd", "nan", 400),
        ("x_interlock_max_cost_usd", "-1", 400),
        ("x_interlock_tags", "=value", 400),
        ("x_interlock_tags", ",".join(f"t{number}=1" for number in range(17)), 400),
        ("x_interlock_tags", f"a={'x' * 65}", 400),
        ("idempotency_key", "abc", 400),
    ],
)
async def test_a_header_that_cannot_be_honoured_is_refused_by_its_name(
    gate: "Gate", vendor: OpenAIChatServer, header: str, value: str, status: int
) -> None:
    """Nothing is sent to a vendor."""
    body = json.dumps({"model": "auto", "messages": ASKED}).encode()
    answer = await gate.ask("POST", "/v1/chat/completions", body=body, **{header: value})
    assert answer.status == status
    error = as_object(as_object(json.loads(answer.body))["error"])
    assert error["message"]
    assert vendor.requests == []


async def test_task_and_tags_of_a_request_are_recorded(gate: "Gate") -> None:
    """Statistics by task name the caller's own word."""
    answer = await gate.ask(
        "POST",
        "/v1/chat/completions",
        body=payload(),
        x_interlock_task="summary",
        x_interlock_tags="team=a, job = b",
    )
    assert answer.status == 200
    stats = await gate.runtime.records.stats(by="task")
    assert [row.as_json()["task"] for row in stats.rows] == ["summary"]


async def test_a_limit_of_cost_that_cannot_be_kept_is_refused(gate: "Gate", vendor: OpenAIChatServer) -> None:
    """A model without a known price cannot promise one."""
    answer = await gate.ask(
        "POST", "/v1/chat/completions", body=payload(), x_interlock_max_cost_usd="0.000001"
    )
    assert answer.status == 402
    assert vendor.requests == []


# ---- streams


async def test_a_stream_says_the_same_as_a_whole_answer(gate: "Gate", vendor: OpenAIChatServer) -> None:
    """Text, reason and usage are equal; usage is told once, in the last event, for it was asked for."""
    vendor.then(Say("One two three"), Say("One two three"))
    async with gate.client() as client:
        whole = await client.chat.completions.create(model=MODEL, messages=cast("Any", ASKED))
        stream = await client.chat.completions.create(
            model=MODEL, messages=cast("Any", ASKED), stream=True, stream_options={"include_usage": True}
        )
        heard = await events(stream)
    said = "".join(event.choices[0].delta.content or "" for event in heard if event.choices)
    assert said == whole.choices[0].message.content
    assert [event.usage for event in heard if event.usage] == [whole.usage]
    assert heard[-1].usage is not None
    assert [event.choices[0].finish_reason for event in heard if event.choices][-1] == "stop"
    assert {event.model for event in heard} == {MODEL}


async def test_the_last_usage_event_tells_run_cost_and_attempts(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """What a header cannot know stands beside the usage."""
    body = payload(stream=True, stream_options={"include_usage": True})
    answer = await gate.ask("POST", "/v1/chat/completions", body=body)
    *_, last, done = data_of(answer.body)
    assert done == b"[DONE]"
    told = as_object(as_object(json.loads(last))["interlock"])
    assert told == {"run": answer.header("x-interlock-run"), "attempts": 1, "cost_usd": None}
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"


async def test_usage_is_asked_of_the_vendor_and_left_out_toward_a_client_that_did_not_ask(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """The record has it all the same."""
    async with gate.client() as client:
        stream = await client.chat.completions.create(model=MODEL, messages=cast("Any", ASKED), stream=True)
        heard = await events(stream)
    assert body_of(vendor)["stream_options"] == {"include_usage": True}
    assert all(event.usage is None for event in heard)
    assert all(event.choices for event in heard)
    assert (await gate.recorded())["input_tokens"] == 3


async def test_the_events_of_a_stream_pass_byte_for_byte_but_for_the_name_of_the_model(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """The vendor's own events, unknown fields included, are not written anew."""
    vendor.then(Say("One two"), Say("One two"))
    asked = payload(stream=True)
    answer = await gate.ask("POST", "/v1/chat/completions", body=asked)
    sent = [json.loads(event) for event in data_of(answer.body) if event != b"[DONE]"]
    assert all(event["system_fingerprint"] == "fp_simulated" for event in sent)
    assert [event["model"] for event in sent] == [MODEL] * len(sent)


async def test_events_of_every_form_pass_with_nothing_but_the_models_name_changed(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """Other orders, other names of the vendor's, its own word for model elsewhere, and back again."""
    head = b'"id":"c1","object":"chat.completion.chunk","created":1'

    def event(model: bytes, content: bytes, more: bytes = b"") -> bytes:
        choice = b'{"index":0,"delta":{"content":"%s"},"finish_reason":null}' % content
        return b'data: {%s,"model":%s,%s"choices":[%s]}\n\n' % (head, model, more, choice)

    events = [
        event(b'"sim-1"', b"a"),
        event(b'"sim-1"', b"b"),
        event(b'"sim-1"', b'\\"model\\": \\"sim-1\\"'),
        event(b'"sim-1-0613"', b"c"),
        event(b'"sim-1"', b"d", b'"odd":{"model":"sim-1"},'),
        b'data: {"odd":{"model":"sim-1"},%s,"model" : "sim-1" ,"choices":[]}\n\n' % head,
        event(b'"sim-1"', b"e"),
        b'data: {%s,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"model":"sim-1"}\n\n' % head,
        event(b'"sim-1"', b"f"),
    ]
    end = b"data: [DONE]\n\n"
    vendor.then(RawReply(body=b"".join([*events, end]), content_type="text/event-stream"))
    answer = await gate.ask("POST", "/v1/chat/completions", body=payload(stream=True))
    wanted = [
        event.replace(b'"model":"sim-1-0613"', b'"model":"acme/sim-1"')
        .replace(b'1,"model":"sim-1"', b'1,"model":"acme/sim-1"')
        .replace(b'"model" : "sim-1"', b'"model" : "acme/sim-1"')
        .replace(b'],"model":"sim-1"', b'],"model":"acme/sim-1"')
        for event in events
    ]
    assert answer.body == b"".join([*wanted, end])


async def test_each_event_is_sent_as_soon_as_it_is_there(gate: "Gate", vendor: OpenAIChatServer) -> None:
    """The vendor waits with its second word until the client has the first."""
    gates = [asyncio.Event() for _ in range(3)]
    gates[0].set()
    vendor.then(Say("one two three", pieces=("one", "two", "three"), gates=gates))
    heard: list[str] = []
    async with gate.client() as client:
        stream = await client.chat.completions.create(model=MODEL, messages=cast("Any", ASKED), stream=True)
        async for event in stream:
            if event.choices[0].delta.content:
                heard.append(event.choices[0].delta.content)
                gates[min(len(heard), 2)].set()
    assert heard == ["one", "two", "three"]


async def test_sixty_four_streams_at_once_each_get_their_own_answer(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """No event of one reaches another, and all share few connections to the vendor."""

    async def one(number: int) -> str:
        stream = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": f"number {number} and more words"}],
            stream=True,
        )
        return "".join([event.choices[0].delta.content or "" for event in await events(stream)])

    async with gate.client() as client:
        said = await asyncio.gather(*(one(number) for number in range(64)))
    assert said == [f"You said: number {number} and more words" for number in range(64)]


# ---- tools and forms


async def test_a_tool_call_goes_there_and_back(gate: "Gate", vendor: OpenAIChatServer) -> None:
    """The model asks for a call, gets its result, and answers."""
    vendor.then(Say(calls=(ToolUse("weather", '{"city": "Rome"}', id="call_7"),)), Say("It rains"))
    async with gate.client() as client:
        first = await client.chat.completions.create(
            model=MODEL, messages=cast("Any", ASKED), tools=[WEATHER], tool_choice="auto"
        )
        message = first.choices[0].message
        assert message.tool_calls
        call = message.tool_calls[0]
        assert call.type == "function"
        assert (call.id, call.function.name, call.function.arguments) == (
            "call_7",
            "weather",
            '{"city": "Rome"}',
        )
        assert first.choices[0].finish_reason == "tool_calls"
        result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
        history = [*ASKED, message.model_dump(exclude_none=True), result]
        second = await client.chat.completions.create(
            model=MODEL, messages=cast("Any", history), tools=[WEATHER]
        )
    assert second.choices[0].message.content == "It rains"
    assert as_object(as_array(body_of(vendor)["messages"])[-1]) == result


async def test_a_streamed_tool_call_is_the_same_call(gate: "Gate", vendor: OpenAIChatServer) -> None:
    """Its pieces together are its name and its arguments."""
    vendor.then(Say(calls=(ToolUse("weather", '{"city": "Rome"}', id="call_7"),)))
    async with gate.client() as client:
        stream = await client.chat.completions.create(
            model=MODEL, messages=cast("Any", ASKED), tools=[WEATHER], stream=True
        )
        pieces = [
            piece
            for event in await events(stream)
            for choice in event.choices
            for piece in choice.delta.tool_calls or []
        ]
    assert pieces[0].id == "call_7"
    assert "".join(piece.function.arguments or "" for piece in pieces if piece.function) == '{"city": "Rome"}'


async def test_a_schema_for_the_answer_reaches_the_vendor(gate: "Gate", vendor: OpenAIChatServer) -> None:
    """The answer fits it."""
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}
    async with gate.client() as client:
        answer = await client.chat.completions.create(
            model=MODEL, messages=cast("Any", ASKED), response_format=cast("Any", form)
        )
    assert json.loads(answer.choices[0].message.content or "") == {"name": "text"}
    assert body_of(vendor)["response_format"] == form


# ---- errors


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (Failure(status=400, message="Bad temperature.", param="temperature"), BadRequestError),
        (Failure.too_long(), BadRequestError),
        (Failure.bad_key(), InternalServerError),
        (Failure.no_money(), InternalServerError),
        (Failure(status=404, code="model_not_found", message="No such model."), NotFoundError),
        (Failure.rate_limit(retry_after=500), RateLimitError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_of_the_vendor_is_the_typed_error_of_the_official_client(
    gate: "Gate", vendor: OpenAIChatServer, failure: Failure, raised: type[APIStatusError], *, stream: bool
) -> None:
    """Before the first event a stream's error has a status of its own; no key and no vendor's key is told."""
    vendor.then(failure)
    async with gate.client() as client:
        with pytest.raises(raised) as caught:
            await client.chat.completions.create(model=MODEL, messages=cast("Any", ASKED), stream=stream)
    assert "sk-" not in str(caught.value)
    assert caught.value.response.headers["x-interlock-run"].startswith("run_")
    if failure.headers:
        assert caught.value.response.headers["retry-after"] == "500"


async def test_an_error_after_the_first_event_ends_the_stream_as_an_error(
    gate: "Gate", vendor: OpenAIChatServer
) -> None:
    """The official client raises it; what was said before was delivered."""
    vendor.then(Say("One two", fail=Failure.overloaded()))
    heard: list[str] = []

    async def listen(stream: AsyncStream[ChatCompletionChunk]) -> None:
        async for event in stream:
            heard.append(event.choices[0].delta.content or "")

    async with gate.client() as client:
        stream = await client.chat.completions.create(model=MODEL, messages=cast("Any", ASKED), stream=True)
        with pytest.raises(APIError, match="no capacity"):
            await listen(stream)
    assert "".join(heard) == "One two"
    assert (await gate.recorded())["failures"] == {"overloaded": 1}


@pytest.mark.parametrize("clean", [False, True])
async def test_a_stream_that_the_vendor_cuts_is_told_as_broken_and_never_as_complete(
    gate: "Gate", vendor: OpenAIChatServer, *, clean: bool
) -> None:
    """Whether the connection broke or the message just ended early."""
    vendor.then(Say("One two three four five six seven", cut_after=900, clean_cut=clean))
    answer = await gate.ask("POST", "/v1/chat/completions", body=payload(stream=True))
    *_, last = data_of(answer.body)
    assert as_object(as_object(json.loads(last))["error"])["type"] == "server_error"
    assert b"[DONE]" not in answer.body


async def test_a_model_that_is_not_there_is_named_with_the_nearest(gate: "Gate") -> None:
    """As the official client's NotFoundError."""
    async with gate.client() as client:
        with pytest.raises(NotFoundError, match="acme/sim-1") as caught:
            await client.chat.completions.create(model="sim-11", messages=cast("Any", ASKED))
    assert caught.value.code == "model_not_found"


async def test_a_wrong_key_is_the_official_clients_authentication_error(gate: "Gate") -> None:
    """The key is not repeated."""
    key = "ilk_" + "A" * 43
    async with gate.client(key) as client:
        with pytest.raises(AuthenticationError) as caught:
            await client.chat.completions.create(model=MODEL, messages=cast("Any", ASKED))
    assert key not in str(caught.value)
    assert caught.value.response.headers["www-authenticate"] == "Bearer"


async def test_a_setting_that_is_wrong_is_told_in_the_log_and_not_to_a_client(
    make_gate: "MakeGate", vendor: OpenAIChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A provider whose key cannot be had: which variable is wanted is nobody's business."""
    broken = ProviderSettings(
        kind="openai-compatible", base_url=vendor.url, api_key="env:SECRET_NAME", models=("sim-1",)
    )
    async with make_gate(providers={"acme": broken}) as gate:
        answer = await gate.ask("POST", "/v1/chat/completions", body=payload())
    assert answer.status == 500
    assert b"SECRET_NAME" not in answer.body
    assert "SECRET_NAME" in caplog.text
