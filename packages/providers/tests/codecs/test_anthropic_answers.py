"""Whole answers of the dialect anthropic-messages, from the vendor's bytes to the client's."""

import json
from dataclasses import replace

import pytest
from anthropic.types import Message as SdkMessage
from anthropic.types import ModelInfo
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy

from interlock_core import (
    Audio,
    Completion,
    CompletionRequest,
    FinishReason,
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
from interlock_core.errors import OverloadedError, ProtocolError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.messages import assistant, user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("anthropic-messages")
TARGET = Target(provider="vendor", model="claude-nova-9")
ASKED = CompletionRequest(
    model="x", messages=(user("hi"),), max_tokens=9, tools=(ToolSpec(name="github.issues_create"),)
)
SENT: Rendered = CODEC.render_request(ASKED, TARGET, stream=False)
USAGE: JsonObject = {"input_tokens": 10, "output_tokens": 5}


def answered(content: list[Json], **more: Json) -> bytes:
    """An answer's bytes."""
    body: JsonObject = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-nova-9-20261001",
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    }
    return dump_json({**body, **more}).encode()


def read(content: list[Json], **more: Json) -> Completion:
    """What an answer says."""
    return CODEC.parse_response(answered(content, **more), SENT)


def told(completion: Completion, interlock: JsonObject | None = None) -> JsonObject:
    """What a client is told, held strictly against the official SDK's type."""
    body = CODEC.render_response(completion, interlock)
    SdkMessage.model_validate_json(body, strict=True)
    return as_object(json.loads(body))


CITED: JsonObject = {
    "type": "char_location",
    "cited_text": "a",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 1,
}
CONTENT: list[Json] = [
    {"type": "thinking", "thinking": "hm", "signature": "sig"},
    {"type": "redacted_thinking", "data": "opaque"},
    {"type": "text", "text": "Let me see.", "citations": [CITED]},
    {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"place": "Zürich"}},
]


@pytest.mark.promise("P1")
def test_every_kind_of_block_is_understood() -> None:
    """Text with citations, signed and hidden reasoning, calls; facts beside."""
    answer = read(CONTENT, stop_reason="tool_use")
    assert answer.message.content == (
        Reasoning(text="hm", signature="sig", vendor="vendor"),
        Reasoning(encrypted="opaque", vendor="vendor"),
        Text("Let me see.", citations=(CITED,)),
        ToolCall(id="toolu_1", name="get_weather", arguments='{"place":"Zürich"}'),
    )
    assert (answer.model, answer.id, answer.finish, answer.native_finish) == (
        "vendor/claude-nova-9",
        "msg_1",
        FinishReason.TOOL_CALLS,
        "tool_use",
    )
    assert answer.usage == Usage(input_tokens=10, output_tokens=5)


@pytest.mark.parametrize(
    ("native", "finish"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP_SEQUENCE),
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.CONTEXT),
        ("tool_use", FinishReason.TOOL_CALLS),
        ("refusal", FinishReason.FILTERED),
        ("pause_turn", FinishReason.PAUSED),
        ("something_new", FinishReason.UNKNOWN),
        (None, FinishReason.UNKNOWN),
    ],
)
def test_every_reason_to_stop_is_understood(native: str | None, finish: FinishReason) -> None:
    """The vendor's own word stays beside ours."""
    answer = read([], stop_reason=native)
    assert (answer.finish, answer.native_finish) == (finish, native)


@pytest.mark.promise("P5")
@pytest.mark.parametrize(
    ("wire", "usage", "tier"),
    [
        (
            {
                "input_tokens": 10,
                "output_tokens": 500,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 1000,
                "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600},
                "output_tokens_details": {"thinking_tokens": 300},
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
                "service_tier": "priority",
            },
            Usage(
                input_tokens=1110,
                output_tokens=500,
                cache_read_tokens=100,
                cache_write_tokens=1000,
                cache_write_1h_tokens=600,
                reasoning_tokens=300,
                requests={"web_search_requests": 2},
            ),
            "priority",
        ),
        (
            {**USAGE, "speed": "fast", "service_tier": "standard"},
            Usage(input_tokens=10, output_tokens=5),
            "fast",
        ),
        (
            {**USAGE, "inference_geo": "us", "service_tier": "standard"},
            Usage(input_tokens=10, output_tokens=5),
            "standard/us",
        ),
        ({**USAGE, "inference_geo": "global"}, Usage(input_tokens=10, output_tokens=5), None),
        ({"input_tokens": -1, "output_tokens": 5}, None, None),
        ({"output_tokens": 5}, None, None),
        (None, None, None),
    ],
)
def test_usage_is_counted_as_the_vendor_bills_it(wire: Json, usage: Usage | None, tier: str | None) -> None:
    """Input from the cache is part of the input; what makes the price another one is in the tier."""
    answer = read([], usage=wire)
    assert (answer.usage, answer.service_tier) == (usage, tier)


def test_a_refusal_says_why() -> None:
    """The explanation is the model's refusal, and goes to a client where the dialect has it."""
    details: JsonObject = {"type": "refusal", "category": "cyber", "explanation": "I will not."}
    answer = read([], stop_reason="refusal", stop_details=details)
    assert answer.message.content == (Refusal("I will not."),)
    assert told(replace(answer, raw=None))["stop_details"] == details
    foreign = Completion(model="o/m", message=assistant(Refusal("No.")), finish=FinishReason.STOP)
    body = told(foreign)
    assert body["stop_reason"] == "refusal"
    assert body["stop_details"] == {"type": "refusal", "category": None, "explanation": "No."}


def test_plain_answers_are_forwarded_with_only_the_model_changed() -> None:
    """Fields that nobody here knows reach the client as they came."""
    body = answered(CONTENT, stop_reason="tool_use", new={"a": 1})
    answer = CODEC.parse_response(body, SENT)
    expected = body.replace(b'"claude-nova-9-20261001"', b'"vendor/claude-nova-9"')
    assert CODEC.render_response(answer) == expected
    assert CODEC.render_response(answer, {"run": "r"}) == b'{"interlock":{"run":"r"},' + expected[1:]
    hidden = replace(answer, message=assistant("[hidden]"))
    assert b"Let me see" not in CODEC.render_response(hidden)


def test_an_answer_that_was_changed_keeps_its_signatures() -> None:
    """Only what was changed is told otherwise; thoughts stay as the vendor takes them back."""
    answer = read(CONTENT, stop_reason="tool_use")
    thought, opaque, _, call = answer.message.content
    changed = replace(answer, message=replace(answer.message, content=(thought, opaque, Text("[x]"), call)))
    assert told(changed)["content"] == [CONTENT[0], CONTENT[1], {"type": "text", "text": "[x]"}, CONTENT[3]]


def test_citations_of_no_known_form_are_no_reason_to_fail() -> None:
    """They are kept, and left out where they cannot be told."""
    odd: list[Json] = [{"type": ["x"]}, 3, None]
    answer = read([{"type": "text", "text": "a", "citations": odd}])
    assert told(replace(answer, raw=None))["content"] == [{"type": "text", "text": "a"}]
    sent = CODEC.render_request(replace(ASKED, messages=(user("hi"), answer.message)), TARGET, stream=False)
    assert b"citations" not in sent.body


def test_mapped_names_are_told_as_the_client_knows_them() -> None:
    """A catalogue's name was changed for the wire and comes back; the bytes are written anew then."""
    call: Json = {"type": "tool_use", "id": "t", "name": "github_issues_create", "input": {}}
    answer = read([call], stop_reason="tool_use")
    assert answer.message.tool_calls[0].name == "github.issues_create"
    assert as_object(as_array(told(answer)["content"])[0])["name"] == "github.issues_create"


def test_a_call_without_an_id_gets_one() -> None:
    """A compatible server that forgets it still gets its result joined to the call."""
    answer = read([{"type": "tool_use", "name": "f", "input": {}}])
    assert answer.message.tool_calls[0].id.startswith("toolu_")
    assert answer.message.tool_calls[0].id.encode() in CODEC.render_response(answer)


def test_blocks_without_a_word_here_go_back_in_their_places() -> None:
    """What the vendor's own tools said is in the next turn's request again."""
    served: Json = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    found: Json = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    text: Json = {"type": "text", "text": "so"}
    answer = read([served, found, text], stop_details=None, container=None)
    assert told(replace(answer, raw=None))["content"] == [served, found, text]
    request = replace(ASKED, messages=(user("hi"), answer.message))
    sent = as_object(json.loads(CODEC.render_request(request, TARGET, stream=False).body))
    assert as_array(sent["messages"])[1] == {"role": "assistant", "content": [served, found, text]}


@pytest.mark.promise("P1")
def test_foreign_reasoning_travels_sealed_through_a_client_and_back() -> None:
    """What its vendor needs comes back whole, and is never sent to a vendor of this dialect."""
    thought = Reasoning(text="hm", encrypted="e", id="rs_1", vendor="openai")
    foreign = Completion(
        model="openai/m", message=assistant(thought, Text("ok")), finish=FinishReason.STOP, id="x"
    )
    content = told(foreign)["content"]
    messages: list[Json] = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": content}]
    body = dump_json({"model": "a", "max_tokens": 9, "messages": messages}).encode()
    asked = CODEC.parse_request(body).request
    assert asked.messages[1].content == (thought, Text("ok"))
    sent = CODEC.render_request(asked, TARGET, stream=False)
    assert b"interlock." not in sent.body
    assert sent.adapted == ("reasoning of openai is left out: vendor takes back only its own, signed",)


def test_an_answer_from_elsewhere_is_told_in_this_dialect() -> None:
    """Citations of web pages become web results; what is no object, or no block, stands as text."""
    cited: JsonObject = {
        "type": "url_citation",
        "url_citation": {"url": "https://example.org", "title": "t", "start_index": 0, "end_index": 2},
    }
    message = assistant(
        Text("so it is", citations=(cited, {"type": "unknown"})),
        ToolCall(id="1", name="f", arguments="[oops"),
        Audio(data=b"x", format="wav"),
    )
    body = told(Completion(model="o/m", message=message, finish=FinishReason.ERROR, native_finish="error"))
    assert body["content"] == [
        {
            "type": "text",
            "text": "so it is",
            "citations": [
                {
                    "type": "web_search_result_location",
                    "url": "https://example.org",
                    "title": "t",
                    "cited_text": "so",
                    "encrypted_index": "",
                }
            ],
        },
        {"type": "tool_use", "id": "1", "name": "f", "input": {"arguments": "[oops"}},
        {"type": "text", "text": "[audio: this dialect cannot carry it]"},
    ]
    assert (body["stop_reason"], body["usage"]) == ("end_turn", {"input_tokens": 0, "output_tokens": 0})


def test_usage_of_another_vendor_is_told_in_this_dialect() -> None:
    """Input without what came from the cache, the writes by how long they are kept."""
    usage = Usage(
        input_tokens=1110,
        output_tokens=500,
        cache_read_tokens=100,
        cache_write_tokens=1000,
        cache_write_1h_tokens=600,
        reasoning_tokens=300,
        requests={"web_search_requests": 2},
    )
    plain = Completion(model="o/m", message=assistant("x"), finish=FinishReason.STOP, usage=usage)
    body = told(replace(plain, service_tier="priority"), {"run": "r"})
    assert body["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 1000,
        "cache_read_input_tokens": 100,
        "output_tokens": 500,
        "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600},
        "output_tokens_details": {"thinking_tokens": 300},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
        "service_tier": "priority",
    }
    assert body["interlock"] == {"run": "r"}
    assert CODEC.parse_response(dump_json(body).encode(), SENT).usage == usage


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"type":"message","content":null}',
        answered(["x"]),
        answered([{"type": "text"}]),
        answered([{"type": "tool_use", "id": "1", "input": {}}]),
        answered([{"type": "tool_use", "id": "1", "name": "f", "input": "{}"}]),
        answered([{"type": "tool_result", "tool_use_id": "1"}]),
        answered([{"type": "redacted_thinking"}]),
    ],
)
def test_an_answer_that_breaks_the_format_is_a_typed_error(body: bytes) -> None:
    """Bad bytes never become another exception."""
    with pytest.raises(ProtocolError) as caught:
        CODEC.parse_response(body, SENT)
    assert caught.value.vendor == "vendor"


def test_an_error_on_a_status_of_success_is_an_error() -> None:
    """Its type says which."""
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    with pytest.raises(OverloadedError):
        CODEC.parse_response(body, SENT)


def test_models_are_listed_on_one_page() -> None:
    """As the official SDK reads them; retired ones are not taken from a vendor's list."""
    listed = as_object(json.loads(CODEC.render_models([("v/a", "v"), ("v/b", "v")], created=86_400)))
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == ("v/a", "v/b", False)
    first = ModelInfo.model_validate(as_array(listed["data"])[0])
    assert (first.id, first.display_name, first.created_at.isoformat()) == (
        "v/a",
        "a (v)",
        "1970-01-02T00:00:00+00:00",
    )
    assert as_object(json.loads(CODEC.render_model("v/a", "v")))["id"] == "v/a"
    assert as_object(json.loads(CODEC.render_models([])))["first_id"] is None
    body = b'{"data":[{"id":"a","lifecycle":"active"},{"id":"b","lifecycle":"retired"},{"id":"a"},{"x":1}]}'
    assert CODEC.parse_models(body, "vendor") == ("a",)
    assert CODEC.models_path == "/v1/models?limit=1000"
    assert dict(CODEC.models_headers)["anthropic-version"] == "2026-10-21"
    for broken in (b"{", b'{"data":3}'):
        with pytest.raises(ProtocolError):
            CODEC.parse_models(broken, "vendor")


WORDS = st.text(min_size=1, max_size=12)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)
JSONS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(WORDS, inner, max_size=2)),
    max_leaves=4,
)
INPUTS: Strategy[JsonObject] = st.dictionaries(WORDS, JSONS, max_size=2)


def said(kind: str, **fields: Strategy[Json]) -> Strategy[Json]:
    """Blocks of a kind."""
    return st.fixed_dictionaries({"type": st.just(kind), **fields}).map(lambda block: {**block})


BLOCKS: Strategy[Json] = st.one_of(
    said("text", text=st.text(max_size=12)),
    said("text", text=WORDS, citations=st.just([CITED]), x_new=st.just(1)),
    said("thinking", thinking=st.text(max_size=12), signature=WORDS),
    said("redacted_thinking", data=WORDS),
    said("tool_use", id=NAMES, name=NAMES, input=INPUTS),
    st.just({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
)


@pytest.mark.promise("P1")
@given(
    st.lists(BLOCKS, max_size=5),
    st.sampled_from(["end_turn", "stop_sequence", "max_tokens", "tool_use", "pause_turn"]),
    st.integers(0, 1000),
)
def test_an_answer_survives_being_read_and_written_anew(
    content: list[Json], reason: str, cached: int
) -> None:
    """Vendor's answer → ours → client's answer → ours: nothing lost, forwarded or not."""
    usage: JsonObject = {**USAGE, "cache_read_input_tokens": cached, "x_new": 1}
    body = answered(content, stop_reason=reason, usage=usage, x_new={"a": 1})
    first = CODEC.parse_response(body, SENT)
    for form in (first, replace(first, message=replace(first.message))):
        written = CODEC.render_response(form)
        assert as_object(json.loads(written)) == {**as_object(json.loads(body)), "model": first.model}
    bare = replace(first, raw=None)
    again = CODEC.parse_response(CODEC.render_response(bare), SENT)
    assert [type(part) for part in again.message.content] == [type(part) for part in first.message.content]
    assert (again.text, again.message.tool_calls, again.usage, again.finish) == (
        first.text,
        first.message.tool_calls,
        first.usage,
        first.finish,
    )


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_of_answers_fail_in_another_way(body: bytes) -> None:
    """Whatever comes is an answer or a typed error."""
    with pytest.raises(ProtocolError):
        CODEC.parse_response(body, SENT)


def test_a_message_that_another_program_built_is_told() -> None:
    """No notes, no bytes: only what the vocabulary says."""
    answer = Completion(model="m", message=Message("assistant", ()), finish=FinishReason.LENGTH)
    assert told(answer)["stop_reason"] == "max_tokens"
