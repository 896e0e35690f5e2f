"""Whole answers of the dialect cohere-chat, from the vendor's bytes to the client's."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from cohere.types.list_models_response import ListModelsResponse
from cohere.v2.types.v2chat_response import V2ChatResponse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy
from pydantic import TypeAdapter

from interlock_core import (
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
from interlock_core.errors import InterlockError, ProtocolError, UpstreamError
from interlock_core.jsontypes import dump_json
from interlock_core.messages import assistant, user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("cohere-chat")
ASKED = CompletionRequest(model="x", messages=(user("hi"),), tools=(ToolSpec(name="git.hub"),))
TARGET = Target(provider="vendor", model="m-1")
SENT: Rendered = CODEC.render_request(ASKED, TARGET, stream=False)

words = st.text(min_size=1, max_size=12)
counts = st.one_of(st.integers(0, 10_000), st.integers(0, 10_000).map(float))


def optional(
    required: Mapping[str, Strategy[Json]], more: Mapping[str, Strategy[Json]] | None = None
) -> Strategy[JsonObject]:
    """Objects with some of the optional fields and with unknown ones."""
    known: Strategy[JsonObject] = st.fixed_dictionaries({**required}, optional={**(more or {})})
    unknown = st.dictionaries(words.map(lambda word: f"x_{word}"), st.one_of(st.none(), counts), max_size=2)
    return st.tuples(known, unknown).map(lambda both: {**both[1], **both[0]})


def listed(strategy: Strategy[Json], *, least: int = 0) -> Strategy[Json]:
    """Arrays of a strategy's values."""
    return st.lists(strategy, min_size=least, max_size=3)


texts = optional({"type": st.just("text"), "text": words})
thoughts = optional({"type": st.just("thinking"), "thinking": words})
calls = optional(
    {
        "id": words,
        "type": st.just("function"),
        "function": optional({"name": st.sampled_from(["f", "g_h"]), "arguments": words}),
    }
)
cited: Strategy[Json] = optional(
    {"start": st.integers(0, 3), "end": st.integers(3, 9), "text": words},
    {"content_index": st.integers(0, 2), "sources": st.just([{"type": "document", "id": "d"}])},
)
messages = optional(
    {"role": st.just("assistant")},
    {
        "content": listed(st.one_of(texts, thoughts)),
        "tool_plan": st.one_of(words, st.just("")),
        "tool_calls": listed(calls),
        "citations": listed(cited),
    },
)
tokens = optional({"input_tokens": counts, "output_tokens": counts})
usages = optional({}, {"billed_units": tokens, "tokens": tokens, "cached_tokens": counts})
answers = optional(
    {
        "id": words,
        "finish_reason": st.sampled_from(["COMPLETE", "MAX_TOKENS", "TOOL_CALL", "ERROR", "NEW"]),
        "message": messages,
    },
    {"usage": usages, "logprobs": st.just([{"text": "x", "token_ids": [1], "logprobs": [-0.5]}])},
)


@pytest.mark.promise("P1")
@given(answers)
def test_an_answer_rebuilt_from_the_vocabulary_loses_nothing(answer: JsonObject) -> None:
    """Vendor → vocabulary → client keeps every field, known or not, when the bytes are not forwarded."""
    completion = CODEC.parse_response(dump_json(answer).encode(), SENT)
    assert json.loads(CODEC.render_response(replace(completion, raw=None))) == answer


@given(answers, st.sampled_from([None, 1]))
def test_forwarded_answers_are_the_vendors_bytes(answer: JsonObject, indent: int | None) -> None:
    """What needs no rewriting is not rewritten; facts about the call stand in front."""
    body = json.dumps(answer, indent=indent).encode()
    completion = CODEC.parse_response(body, SENT)
    assert CODEC.render_response(completion) == body
    told = json.loads(CODEC.render_response(completion, {"run": "run_1"}))
    assert told == {**answer, "interlock": {"run": "run_1"}}


def answer_with(message: JsonObject, finish: str = "COMPLETE", **more: Json) -> bytes:
    """A vendor's answer."""
    said: JsonObject = {"role": "assistant", **message}
    return dump_json({"id": "a", "finish_reason": finish, "message": said, **more}).encode()


def text(words: str) -> Json:
    """A text as the vendor says it."""
    return [{"type": "text", "text": words}]


def test_an_answer_is_read_into_the_vocabulary() -> None:
    """Plan, thinking, text with what it stands on, calls, usage and reason."""
    citation: JsonObject = {
        "start": 0,
        "end": 2,
        "text": "It",
        "sources": [{"type": "tool", "id": "t:0"}],
        "content_index": 1,
        "type": "TEXT_CONTENT",
    }
    body = answer_with(
        {
            "tool_plan": "I will look.",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "It is."}],
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "git_hub", "arguments": '{"a":1}'}}
            ],
            "citations": [citation],
        },
        "TOOL_CALL",
        usage={
            "billed_units": {"input_tokens": 5.0, "output_tokens": 7.0, "search_units": 2.0},
            "tokens": {"input_tokens": 71.0, "output_tokens": 9.0},
            "cached_tokens": 4.0,
        },
        logprobs=[{"text": "It", "token_ids": [1], "logprobs": [-0.5]}],
    )
    completion = CODEC.parse_response(body, SENT)
    content = (
        Reasoning(text="I will look.", id="tool_plan", vendor="vendor"),
        Reasoning(text="hm", vendor="vendor"),
        Text("It is.", citations=(citation,)),
        ToolCall(id="c", name="git.hub", arguments='{"a":1}'),
    )
    assert replace(completion, raw=None) == Completion(
        model="vendor/m-1",
        message=Message("assistant", content, extra=completion.message.extra),
        finish=FinishReason.TOOL_CALLS,
        native_finish="TOOL_CALL",
        usage=Usage(input_tokens=5, output_tokens=7, cache_read_tokens=4, requests={"search_units": 2}),
        id="a",
        logprobs=[{"text": "It", "token_ids": [1], "logprobs": [-0.5]}],
    )
    assert b'"git.hub"' in CODEC.render_response(completion)


def test_what_the_model_thought_goes_back_as_it_came() -> None:
    """A plan as a plan and thinking as thinking, whichever came."""
    message: JsonObject = {
        "tool_plan": "I will look.",
        "content": [{"type": "thinking", "thinking": "hm"}],
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "git_hub", "arguments": "{}"}}],
    }
    completion = CODEC.parse_response(answer_with(message, "TOOL_CALL"), SENT)
    bare = replace(completion.message, extra={})
    for said in (completion.message, bare):
        again = CODEC.render_request(replace(ASKED, messages=(said,)), TARGET, stream=False)
        assert json.loads(again.body)["messages"] == [{"role": "assistant", **message}]
        other = replace(TARGET, provider="other")
        elsewhere = CODEC.render_request(replace(ASKED, messages=(said,)), other, stream=False)
        assert b"hm" not in elsewhere.body
        assert b"look" not in elsewhere.body


@pytest.mark.promise("P5")
@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (
            {"billed_units": {"input_tokens": 5, "output_tokens": 2}, "tokens": {"input_tokens": 71}},
            Usage(input_tokens=5, output_tokens=2),
        ),
        ({"tokens": {"input_tokens": 71, "output_tokens": 3.0}}, Usage(input_tokens=71, output_tokens=3)),
        (
            {"billed_units": {"output_tokens": 2}, "tokens": {"input_tokens": 71, "output_tokens": 9}},
            Usage(input_tokens=71, output_tokens=2),
        ),
        ({"billed_units": {"input_tokens": 1.2}}, Usage(input_tokens=2)),
        (
            {"billed_units": {"input_tokens": 3}, "cached_tokens": 70},
            Usage(input_tokens=3, cache_read_tokens=3),
        ),
        (
            {"billed_units": {"search_units": 1, "classifications": 0}},
            Usage(requests={"search_units": 1}),
        ),
        ({"billed_units": {"input_tokens": -1}}, None),
        ({"billed_units": {"input_tokens": True}, "tokens": []}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_tokens_that_are_billed_are_the_usage(told: Json, usage: Usage | None) -> None:
    """Cost follows what the vendor wants paid; what it only counted stands in where that is missing."""
    completion = CODEC.parse_response(answer_with({"content": text("x")}, usage=told), SENT)
    assert completion.usage == usage


def test_a_number_too_large_for_any_counter_is_no_usage() -> None:
    """What JSON can hold and no vendor can count is not believed."""
    told: Json = {"billed_units": {"input_tokens": 10**400}}
    assert CODEC.parse_response(answer_with({"content": text("x")}, usage=told), SENT).usage is None


@pytest.mark.parametrize(
    ("native", "finish"),
    [
        ("COMPLETE", FinishReason.STOP),
        ("STOP_SEQUENCE", FinishReason.STOP_SEQUENCE),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("TOOL_CALL", FinishReason.TOOL_CALLS),
        ("ERROR", FinishReason.ERROR),
        ("TIMEOUT", FinishReason.ERROR),
        ("NEWER", FinishReason.UNKNOWN),
    ],
)
def test_every_finish_reason_is_kept_in_both_forms(native: str, finish: FinishReason) -> None:
    """The enum says what to do, the vendor's own word stays beside it."""
    completion = CODEC.parse_response(answer_with({"content": text("x")}, native), SENT)
    assert (completion.finish, completion.native_finish) == (finish, native)
    assert json.loads(CODEC.render_response(replace(completion, raw=None)))["finish_reason"] == native


def test_a_complete_answer_with_calls_waits_for_their_results() -> None:
    """Some models call that complete."""
    call: JsonObject = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    completion = CODEC.parse_response(answer_with({"tool_calls": [call]}), SENT)
    assert completion.finish is FinishReason.TOOL_CALLS


@pytest.mark.parametrize(
    ("finish", "native", "word"),
    [
        (FinishReason.STOP, "end_turn", "COMPLETE"),
        (FinishReason.STOP_SEQUENCE, "stop_sequence", "STOP_SEQUENCE"),
        (FinishReason.LENGTH, "length", "MAX_TOKENS"),
        (FinishReason.CONTEXT, None, "MAX_TOKENS"),
        (FinishReason.TOOL_CALLS, "tool_use", "TOOL_CALL"),
        (FinishReason.FILTERED, "refusal", "ERROR"),
        (FinishReason.PAUSED, "pause_turn", "COMPLETE"),
        (FinishReason.ERROR, None, "ERROR"),
        (FinishReason.UNKNOWN, None, "COMPLETE"),
    ],
)
def test_other_vendors_reasons_are_told_in_the_dialects_words(
    finish: FinishReason, native: str | None, word: str
) -> None:
    """A client of this dialect never sees another dialect's word."""
    completion = Completion(model="other/x", message=assistant("t"), finish=finish, native_finish=native)
    assert json.loads(CODEC.render_response(completion))["finish_reason"] == word


@pytest.mark.promise("P2")
def test_an_answer_of_another_dialect_is_told_in_full() -> None:
    """What came from elsewhere is written whole, and the SDK's type reads it strictly."""
    parts = (Reasoning(text="hm", signature="s"), Text("ok"), Refusal("but"), ToolCall(id="1", name="a.b"))
    completion = Completion(
        model="other/x",
        message=Message("assistant", parts, extra={"stop_details": {}, "interlock:other": {}}),
        finish=FinishReason.TOOL_CALLS,
        usage=Usage(input_tokens=3, output_tokens=2, cache_read_tokens=1),
        id="i",
        logprobs={"content": [{"token": "ok", "logprob": -0.5, "top_logprobs": []}, {"token": "?"}]},
        alternatives=(assistant("second"),),
    )
    told = json.loads(CODEC.render_response(completion))
    assert told == {
        "id": "i",
        "finish_reason": "TOOL_CALL",
        "message": {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "text", "text": "ok"},
                {"type": "text", "text": "but"},
            ],
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "a.b", "arguments": "{}"}}],
        },
        "logprobs": [{"text": "ok", "token_ids": [], "logprobs": [-0.5]}],
        "usage": {
            "billed_units": {"input_tokens": 3, "output_tokens": 2},
            "tokens": {"input_tokens": 3, "output_tokens": 2},
            "cached_tokens": 1,
        },
    }
    read = TypeAdapter(V2ChatResponse).validate_python(told, strict=True)
    assert not read.model_extra
    assert not read.message.model_extra
    assert json.loads(CODEC.render_response(completion, {"run": "r"}))["interlock"] == {"run": "r"}


foreign_parts = st.one_of(
    words.map(Text),
    words.map(Refusal),
    st.builds(Reasoning, text=words, signature=st.one_of(st.none(), words), vendor=words),
    st.builds(ToolCall, id=words, name=words, arguments=st.one_of(words, st.just(""))),
)
finishes = st.sampled_from(FinishReason)
foreign_usage = st.builds(
    Usage,
    input_tokens=st.integers(0, 9),
    output_tokens=st.integers(0, 9),
    requests=st.just({"web_search": 1}),
)


@given(
    st.lists(foreign_parts, max_size=4), st.sampled_from(FinishReason), st.one_of(st.none(), foreign_usage)
)
def test_the_sdk_reads_whatever_is_told_strictly(
    parts: list[Text | Refusal | Reasoning | ToolCall], finish: FinishReason, usage: Usage | None
) -> None:
    """Any answer of any model, in the types of the SDK, and the same calls and words come back."""
    message = Message("assistant", tuple(parts))
    completion = Completion(model="other/x", message=message, finish=finish, usage=usage, id="i")
    told = CODEC.render_response(completion)
    read = TypeAdapter(V2ChatResponse).validate_json(told, strict=True)
    assert not read.model_extra
    assert not read.message.model_extra
    again = CODEC.parse_response(told, SENT)
    assert [(one.id, one.name) for one in again.message.tool_calls] == [
        (one.id, one.name) for one in message.tool_calls
    ]
    assert again.text == "".join(part.text for part in parts if isinstance(part, Text | Refusal))
    assert (again.usage is None) == (usage is None)


@pytest.mark.parametrize("logprobs", [[{"token": "x"}], [], "x", {"content": []}, {"tokens": [1]}])
def test_log_probabilities_in_no_known_form_are_not_told_wrongly(logprobs: Json) -> None:
    """A client of the dialect would not understand them."""
    completion = Completion(model="o/x", message=assistant("a"), finish=FinishReason.STOP, logprobs=logprobs)
    assert "logprobs" not in json.loads(CODEC.render_response(completion))


def test_a_changed_answer_is_never_forwarded_as_it_came() -> None:
    """Whoever redacts a message need not know of the vendor's bytes."""
    completion = CODEC.parse_response(answer_with({"content": text("my secret")}), SENT)
    assert b"secret" not in CODEC.render_response(replace(completion, message=assistant("my [hidden]")))


def test_an_estimated_usage_replaces_what_the_vendor_said() -> None:
    """Usage that somebody put right is what the client is told."""
    usage: JsonObject = {"billed_units": {"input_tokens": 1}}
    completion = CODEC.parse_response(answer_with({"content": text("x")}, usage=usage), SENT)
    told = CODEC.render_response(replace(completion, usage=Usage(input_tokens=9)))
    assert json.loads(told)["usage"]["billed_units"]["input_tokens"] == 9


def test_calls_that_a_server_writes_oddly_are_put_right() -> None:
    """A missing id is made up, arguments sent as an object become the JSON text that they are."""
    odd: JsonObject = {"function": {"name": "f", "arguments": {"a": 1}}}
    completion = CODEC.parse_response(answer_with({"tool_calls": [odd]}), SENT)
    call = completion.message.tool_calls[0]
    assert (call.name, call.arguments) == ("f", '{"a":1}')
    assert call.id.startswith("call_")
    assert json.loads(CODEC.render_response(completion))["message"]["tool_calls"][0]["id"] == call.id


def test_text_that_comes_as_a_string_is_read() -> None:
    """Older servers of the dialect do not send a list."""
    assert CODEC.parse_response(answer_with({"content": "a"}), SENT).text == "a"


@pytest.mark.parametrize(
    ("body", "cls"),
    [
        (b"", ProtocolError),
        (b"<html>", ProtocolError),
        (b"[]", ProtocolError),
        (b"{}", ProtocolError),
        (b'{"message":[]}', ProtocolError),
        (b'{"message":{"content":3}}', ProtocolError),
        (b'{"message":{"content":[{"type":"video"}]}}', ProtocolError),
        (b'{"message":{"tool_calls":[{"id":"1"}]}}', ProtocolError),
        (b'{"message":{"tool_calls":[{"id":"1","function":{"arguments":"{}"}}]}}', ProtocolError),
        (b'{"message":{"tool_plan":1}}', ProtocolError),
        (b'{"id":"e","message":"it broke"}', UpstreamError),
    ],
)
def test_an_answer_that_breaks_the_format_is_a_typed_error(body: bytes, cls: type[InterlockError]) -> None:
    """Never a crash, and never taken for an answer."""
    with pytest.raises(cls) as caught:
        CODEC.parse_response(body, SENT)
    assert caught.value.vendor == "vendor"


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_of_answers_fail_in_another_way(body: bytes) -> None:
    """Whatever a server answers is an answer or a typed error."""
    try:
        CODEC.parse_response(body, SENT)
    except InterlockError:
        return


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "role",
                        "content",
                        "type",
                        "text",
                        "tool_calls",
                        "function",
                        "name",
                        "tokens",
                        "citations",
                    ]
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=12,
    ),
    st.sampled_from(["message", "usage", "logprobs", "finish_reason", "id"]),
)
def test_no_json_makes_the_reader_of_answers_fail_in_another_way(value: Json, field: str) -> None:
    """Whatever stands in a field is understood or refused; what was understood can be told on."""
    body: JsonObject = {"id": "a", "finish_reason": "COMPLETE", "message": {"content": []}, field: value}
    told: bytes | None = None
    try:
        completion = CODEC.parse_response(json.dumps(body).encode(), SENT)
        told = CODEC.render_response(replace(completion, raw=None))
    except InterlockError:
        return
    assert json.loads(told)["message"]["role"] == "assistant"


def test_models_are_listed_both_ways() -> None:
    """The vendor's own shape, which the SDK reads."""
    body = CODEC.render_models([("vendor/m-1", "vendor"), ("vendor/m-2", "vendor")])
    assert CODEC.parse_models(body, "vendor") == ("vendor/m-1", "vendor/m-2")
    listed = TypeAdapter(ListModelsResponse).validate_json(body, strict=True)
    assert [model.model_extra for model in listed.models] == [{}, {}]
    assert json.loads(CODEC.render_model("m", "vendor"))["name"] == "m"
    for wrong in (b"", b"[]", b'{"models":{}}'):
        with pytest.raises(ProtocolError):
            CODEC.parse_models(wrong, "vendor")
