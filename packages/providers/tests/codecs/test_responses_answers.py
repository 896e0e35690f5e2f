"""Whole answers of the dialect openai-responses: read, forwarded, and written from any vendor's answer."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from interlock_core import (
    Completion,
    CompletionRequest,
    FinishReason,
    Image,
    Json,
    JsonObject,
    Message,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolSpec,
    Usage,
)
from interlock_core.errors import (
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    ProtocolError,
    RateLimitedError,
    UnsupportedError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.messages import assistant, user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("openai-responses")
TARGET = Target(provider="openai", model="m-1")
ASKED = CompletionRequest(model="x", messages=(user("hi"),), tools=(ToolSpec(name="github.issues_create"),))
SENT: Rendered = CODEC.render_request(ASKED, TARGET, stream=False)
PLAIN: Rendered = CODEC.render_request(replace(ASKED, tools=()), TARGET, stream=False)
URL: JsonObject = {
    "type": "url_citation",
    "url": "https://example.org",
    "title": "t",
    "start_index": 0,
    "end_index": 5,
}
THOUGHT: JsonObject = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "first"}, {"type": "summary_text", "text": "then"}],
    "encrypted_content": "gAAAAA==",
}
SPOKEN: JsonObject = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "It rains.", "annotations": [URL], "logprobs": []}],
}
CALLED: JsonObject = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"q": "Paris"}',
    "status": "completed",
}
SEARCHED: JsonObject = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "rain", "queries": ["rain"]},
}


def answer(*output: Json, **more: Json) -> bytes:
    """A vendor's answer."""
    body: JsonObject = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_760_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": "m-1-2026-01-01",
        "output": [*output],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "service_tier": "default",
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {
                "cached_tokens": 40,
                "cache_write_tokens": 20,
                "cache_write_tokens_details": {"ttl_30m_tokens": 15, "ttl_12h_tokens": 5},
            },
            "output_tokens": 30,
            "output_tokens_details": {"reasoning_tokens": 10},
            "total_tokens": 130,
        },
        "metadata": {},
    }
    return dump_json({**body, **more}).encode()


def told(completion: Completion, interlock: JsonObject | None = None) -> JsonObject:
    """What a client is told, which the official SDK's own types accept in every field."""
    body = CODEC.render_response(completion, interlock)
    Response.model_validate_json(body, strict=True)
    return as_object(json.loads(body))


@pytest.mark.promise("P1")
def test_every_item_becomes_a_part_in_its_order() -> None:
    """Reasoning with what its vendor needs to get it back, cited text, and calls by their call_id."""
    completion = CODEC.parse_response(answer(THOUGHT, SPOKEN, SEARCHED, CALLED), SENT)
    assert completion.message.content == (
        Reasoning(text="first\n\nthen", encrypted="gAAAAA==", id="rs_1", vendor="openai"),
        Text("It rains.", citations=(URL,)),
        ToolCall(id="call_1", name="weather", arguments='{"q": "Paris"}'),
    )
    assert completion.finish is FinishReason.TOOL_CALLS
    assert completion.native_finish == "completed"
    assert (completion.id, completion.created, completion.model) == ("resp_1", 1_760_000_000, "openai/m-1")
    assert completion.service_tier == "default"


@pytest.mark.promise("P5")
def test_usage_is_counted_in_every_part() -> None:
    """Cached, written (and for how long), reasoning, and searches that are billed apart."""
    searches: JsonObject = {"web_search": {"num_requests": 2}}
    assert CODEC.parse_response(answer(SPOKEN, tool_usage=searches), SENT).usage == Usage(
        input_tokens=100,
        output_tokens=30,
        cache_read_tokens=40,
        cache_write_tokens=20,
        cache_write_1h_tokens=5,
        reasoning_tokens=10,
        requests={"web_search_requests": 2},
    )
    assert CODEC.parse_response(answer(SPOKEN, usage=None), SENT).usage is None
    assert CODEC.parse_response(answer(SPOKEN, usage={"input_tokens": -1}), SENT).usage is None


ENDINGS: list[tuple[JsonObject, FinishReason, str]] = [
    ({"status": "completed"}, FinishReason.STOP, "completed"),
    (
        {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        FinishReason.LENGTH,
        "incomplete:max_output_tokens",
    ),
    (
        {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
        FinishReason.FILTERED,
        "incomplete:content_filter",
    ),
    (
        {"status": "incomplete", "incomplete_details": {"reason": "steered"}},
        FinishReason.PAUSED,
        "incomplete:steered",
    ),
    ({"status": "incomplete"}, FinishReason.UNKNOWN, "incomplete"),
    ({"status": "queued"}, FinishReason.PAUSED, "queued"),
    ({"status": "new"}, FinishReason.UNKNOWN, "new"),
]


@pytest.mark.parametrize(("facts", "finish", "native"), ENDINGS)
def test_how_an_answer_ended_is_understood(facts: JsonObject, finish: FinishReason, native: str) -> None:
    """The vendor's own words are kept beside."""
    completion = CODEC.parse_response(answer(SPOKEN, **facts), SENT)
    assert (completion.finish, completion.native_finish) == (finish, native)


def test_a_refusal_is_a_part_and_an_ending() -> None:
    """The vendor calls it completed."""
    refused: JsonObject = {**SPOKEN, "content": [{"type": "refusal", "refusal": "No."}]}
    completion = CODEC.parse_response(answer(refused), SENT)
    assert completion.message.content == (Refusal("No."),)
    assert completion.finish is FinishReason.FILTERED
    assert told(replace(completion, raw=None))["status"] == "completed"


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        (
            {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}},
            UpstreamRateLimitError,
        ),
        ({"status": "failed", "error": {"code": "server_error", "message": "oops"}}, UpstreamError),
        ({"status": "failed", "error": {"code": "invalid_image", "message": "bad"}}, InvalidRequestError),
        ({"status": "failed"}, UpstreamError),
        ({"status": "cancelled"}, UpstreamError),
    ],
)
def test_an_answer_that_failed_is_a_typed_error(facts: JsonObject, error: type[InterlockError]) -> None:
    """Its status on the wire is 200 all the same."""
    with pytest.raises(error) as caught:
        CODEC.parse_response(answer(**facts), SENT)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"id":"x"}',
        b'{"output":{}}',
        answer("x"),
        answer({"id": "no type"}),
        answer({"type": "message", "content": [{"type": "output_text"}]}),
        answer({"type": "message", "content": [{"type": "video"}]}),
        answer({"type": "function_call", "call_id": "c"}),
        answer({"type": "function_call", "call_id": "c", "name": "t", "arguments": 7}),
        answer({"type": "reasoning", "summary": "x"}),
    ],
)
def test_bytes_that_are_no_answer_are_a_protocol_error(body: bytes) -> None:
    """Never a KeyError, never a half answer."""
    with pytest.raises(ProtocolError) as caught:
        CODEC.parse_response(body, SENT)
    assert caught.value.vendor == "openai"


@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: answer(text, {"type": text})))
def test_any_bytes_give_an_answer_or_a_typed_error(body: bytes) -> None:
    """Whatever a broken server sends."""
    found: str | None = "openai"
    try:
        CODEC.parse_response(body, SENT)
    except InterlockError as error:
        found = error.vendor
    assert found == "openai"


@pytest.mark.promise("P1")
def test_an_answer_is_forwarded_as_it_came_but_for_the_name_of_the_model() -> None:
    """Unknown items and fields, order and spacing survive; facts of the gateway stand beside the usage."""
    body = answer(THOUGHT, SPOKEN, SEARCHED, CALLED, novel={"a": [1.0]}).replace(b'"output"', b'\n "output"')
    completion = CODEC.parse_response(body, PLAIN)
    assert CODEC.render_response(completion) == body.replace(b'"m-1-2026-01-01"', b'"openai/m-1"')
    with_facts = CODEC.render_response(completion, {"run": "run_1"})
    assert as_object(json.loads(with_facts))["interlock"] == {"run": "run_1"}
    assert b'\n "output"' in with_facts


def test_an_answer_that_was_changed_is_written_anew_with_all_that_it_held() -> None:
    """What a guard took out is nowhere; what it left alone is there."""
    body = answer(THOUGHT, SPOKEN, SEARCHED, CALLED, instructions="Be brief.", temperature=0.5)
    completion = CODEC.parse_response(body, PLAIN)
    parts = [replace(p, text="It [gone].") if isinstance(p, Text) else p for p in completion.message.content]
    changed = replace(completion, message=replace(completion.message, content=tuple(parts)))
    said = told(changed, {"run": "r"})
    spoken = {
        **SPOKEN,
        "content": [{"type": "output_text", "text": "It [gone].", "annotations": [URL], "logprobs": []}],
    }
    assert said["output"] == [THOUGHT, spoken, SEARCHED, CALLED]
    assert (said["instructions"], said["temperature"]) == ("Be brief.", 0.5)
    assert said["usage"] == as_object(json.loads(body))["usage"]
    assert said["interlock"] == {"run": "r"}
    assert "rains" not in dump_json(said)


def test_mapped_names_of_tools_are_told_as_the_client_knows_them() -> None:
    """Such bytes cannot be forwarded."""
    body = answer({**CALLED, "name": "github_issues_create"})
    completion = CODEC.parse_response(body, SENT)
    assert completion.message.tool_calls[0].name == "github.issues_create"
    assert as_object(as_array(told(completion)["output"])[0])["name"] == "github.issues_create"


@pytest.mark.promise("P1")
def test_what_was_answered_goes_back_to_its_vendor_as_it_came() -> None:
    """The next turn repeats reasoning, words, unknown items and calls, without ids that name nothing."""
    completion = CODEC.parse_response(answer(THOUGHT, SPOKEN, SEARCHED, CALLED), PLAIN)
    request = CompletionRequest(model="x", messages=(user("hi"), completion.message))
    rendered = CODEC.render_request(request, TARGET, stream=False)
    items = as_array(as_object(json.loads(rendered.body))["input"])
    spoken = {name: value for name, value in SPOKEN.items() if name != "id"}
    spoken["content"] = [{"type": "output_text", "text": "It rains.", "annotations": [URL]}]
    called = {name: value for name, value in CALLED.items() if name != "id"}
    assert items[1:] == [THOUGHT, spoken, SEARCHED, called]
    assert rendered.adapted == ()
    other = CODEC.render_request(request, replace(TARGET, provider="azure"), stream=False)
    assert b"gAAAAA" not in other.body
    assert other.adapted == ("earlier reasoning that azure cannot take back is left out",)


def test_log_probabilities_are_told_in_the_one_form_for_all() -> None:
    """Clients of the chat dialect read the same entries."""
    entry: JsonObject = {"token": "It", "bytes": [73, 116], "logprob": -0.5, "top_logprobs": []}
    part: JsonObject = {"type": "output_text", "text": "It", "annotations": [], "logprobs": [entry]}
    completion = CODEC.parse_response(answer({**SPOKEN, "content": [part]}), SENT)
    assert completion.logprobs == {"content": [entry]}
    again = as_object(as_array(told(replace(completion, raw=None))["output"])[0])
    assert as_object(as_array(again["content"])[0])["logprobs"] == [entry]
    chat: JsonObject = {"content": [{"token": "é", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}
    other = Completion(model="b/m", message=assistant("é"), finish=FinishReason.STOP, logprobs=chat)
    said = as_object(as_array(told(replace(other, id="1"))["output"])[0])
    assert as_object(as_array(as_object(as_array(said["content"])[0])["logprobs"])[0])["bytes"] == [195, 169]


FOREIGN = Completion(
    model="anthropic/claude-x",
    message=assistant(
        Reasoning(text="hm", signature="SIG", vendor="anthropic"),
        Text("It rains.", citations=({"type": "char_location", "cited_text": "rain"},)),
        ToolCall(id="toolu_1", name="github.issues_create", arguments="{}"),
        Reasoning(encrypted="REDACTED", vendor="anthropic"),
        "More.",
        Refusal("No."),
    ),
    finish=FinishReason.TOOL_CALLS,
    native_finish="tool_use",
    usage=Usage(input_tokens=10, output_tokens=5, cache_write_tokens=4, cache_write_1h_tokens=1),
    id="msg_01",
    created=5,
    service_tier="standard",
)


@pytest.mark.promise("G1")
def test_an_answer_of_any_vendor_is_told_in_full() -> None:
    """Every field that the official SDK demands, ids of the dialect's form, and nothing lost."""
    said = told(FOREIGN, {"cost_usd": 1})
    assert said["status"] == "completed"
    assert said["service_tier"] == "default"
    assert said["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {
            "cached_tokens": 0,
            "cache_write_tokens": 4,
            "cache_write_tokens_details": {"ttl_12h_tokens": 1, "ttl_30m_tokens": 3},
        },
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 15,
    }
    items = [as_object(item) for item in as_array(said["output"])]
    assert [item["type"] for item in items] == [
        "reasoning",
        "message",
        "function_call",
        "reasoning",
        "message",
    ]
    assert [str(item["id"]).partition("_")[0] for item in items] == ["rs", "msg", "fc", "rs", "msg"]
    assert as_array(items[1]["content"])[0] == {
        "type": "output_text",
        "text": "It rains.",
        "annotations": [],
        "logprobs": [],
        "citations": [{"type": "char_location", "cited_text": "rain"}],
    }
    assert (items[2]["call_id"], items[2]["name"]) == ("toolu_1", "github.issues_create")
    assert told(FOREIGN)["output"] == said["output"]


@pytest.mark.promise("G1")
def test_reasoning_of_any_vendor_comes_back_from_a_client_as_it_was() -> None:
    """Signature, sealed payload and owner pass through a client that knows only this dialect."""
    items = as_array(told(FOREIGN)["output"])
    asked = CODEC.parse_request(dump_json({"model": "a", "input": items}).encode()).request
    before = [part for part in FOREIGN.message.content if isinstance(part, Reasoning)]
    assert [part for part in asked.messages[0].content if isinstance(part, Reasoning)] == before
    assert asked.messages[0].content[1] == FOREIGN.message.content[1]
    rendered = CODEC.render_request(asked, TARGET, stream=False)
    assert b"interlock:" not in rendered.body
    assert rendered.adapted == (
        "earlier reasoning that openai cannot take back is left out",
        "citations in another vendor's form are not repeated to the model",
    )


@pytest.mark.parametrize("payload", ["interlock:", "interlock:?", "interlock:W10=", "interlock:e30="])
def test_a_seal_that_was_tampered_with_harms_nobody(payload: str) -> None:
    """It is no reasoning of any vendor that has a name, so only its own kind could be sent it."""
    item: JsonObject = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": payload}
    asked = CODEC.parse_request(dump_json({"model": "a", "input": [item]}).encode()).request
    part = asked.messages[0].content[0]
    assert isinstance(part, Reasoning)
    assert part.vendor in (None, "any:openai-responses")
    assert part.signature is None


@pytest.mark.parametrize(
    ("finish", "native", "status", "details"),
    [
        (FinishReason.STOP, "end_turn", "completed", None),
        (FinishReason.STOP_SEQUENCE, "stop_sequence", "completed", None),
        (FinishReason.LENGTH, "max_tokens", "incomplete", {"reason": "max_output_tokens"}),
        (FinishReason.CONTEXT, "model_length", "incomplete", {"reason": "max_output_tokens"}),
        (FinishReason.FILTERED, "content_filter", "incomplete", {"reason": "content_filter"}),
        (FinishReason.PAUSED, "pause_turn", "incomplete", {"reason": None}),
        (FinishReason.PAUSED, "incomplete:steered", "incomplete", {"reason": "steered"}),
        (FinishReason.ERROR, "error", "failed", None),
        (FinishReason.UNKNOWN, "novel", "completed", None),
    ],
)
def test_how_any_vendors_answer_ended_is_told(
    finish: FinishReason, native: str, status: str, details: JsonObject | None
) -> None:
    """In words that the dialect has."""
    completion = Completion(
        model="b/m", message=assistant("x"), finish=finish, native_finish=native, id="1", created=1
    )
    said = told(completion)
    assert (said["status"], said["incomplete_details"]) == (status, details)
    assert (said["error"] is not None) is (status == "failed")


def test_an_image_that_a_model_made_is_told_as_one_and_other_parts_are_refused() -> None:
    """The dialect has an item for it."""
    made = Completion(
        model="b/m", message=assistant(Image(data=b"\x89PNG")), finish=FinishReason.STOP, id="1"
    )
    item = as_object(as_array(told(made)["output"])[0])
    assert (item["type"], item["result"]) == ("image_generation_call", "iVBORw==")
    other = replace(made, message=assistant(Image(url="https://example.org/a.png")))
    with pytest.raises(UnsupportedError):
        CODEC.render_response(other)


PARTS = st.one_of(
    st.builds(Text, st.text(max_size=8)),
    st.builds(Refusal, st.text(min_size=1, max_size=8)),
    st.builds(
        ToolCall,
        id=st.from_regex(r"[a-z]{1,8}", fullmatch=True),
        name=st.from_regex(r"[a-z.]{1,8}", fullmatch=True),
        arguments=st.text(max_size=8),
    ),
    st.builds(
        Reasoning,
        text=st.text(max_size=8),
        signature=st.none() | st.text(max_size=8),
        encrypted=st.none() | st.text(max_size=8),
        id=st.none() | st.text(max_size=8),
        vendor=st.sampled_from(["anthropic", "b"]),
    ),
)


@pytest.mark.promise("G1")
@given(st.lists(PARTS, max_size=6))
def test_any_answer_is_told_and_comes_back_in_the_next_request(parts: list[Text | ToolCall]) -> None:
    """What a client repeats of an answer means what the answer meant, part by part."""
    completion = Completion(
        model="b/m", message=Message("assistant", tuple(parts)), finish=FinishReason.STOP, id="1"
    )
    items = as_array(told(completion)["output"])
    body: JsonObject = {"model": "a", "input": [*items, {"role": "user", "content": "x"}]}
    asked = CODEC.parse_request(dump_json(body).encode()).request
    assert tuple(part for message in asked.messages[:-1] for part in message.content) == tuple(parts)


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (InvalidRequestError("no", field="input"), 400, "invalid_request_error", "invalid_request"),
        (NotFoundError("no", field="model"), 404, "invalid_request_error", "model_not_found"),
        (RateLimitedError("no", retry_after=1.5), 429, "rate_limit_error", "rate_limit_exceeded"),
    ],
)
def test_errors_are_told_as_the_vendor_tells_them(
    error: InterlockError, status: int, kind: str, code: str
) -> None:
    """The same shape on every endpoint of the vendor."""
    reply = CODEC.render_error(error)
    assert reply.status == status
    inner = as_object(as_object(json.loads(reply.body))["error"])
    assert (inner["type"], inner["code"], inner["param"]) == (kind, code, error.field)


def test_models_and_embeddings_are_those_of_the_vendor() -> None:
    """The two dialects of one vendor share them."""
    listed = CODEC.render_models([("openai/m-1", "openai")])
    assert CODEC.parse_models(listed, "openai") == ("openai/m-1",)
    assert as_object(json.loads(CODEC.render_model("openai/m-1", "openai")))["id"] == "openai/m-1"
    assert CODEC.models_path == "/models"
