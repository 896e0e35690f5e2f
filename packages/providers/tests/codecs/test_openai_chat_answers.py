"""Whole answers of the dialect openai-chat, from the vendor's bytes to the client's."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy

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
from interlock_core.errors import (
    InterlockError,
    OverloadedError,
    ProtocolError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.messages import assistant, user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("openai-chat")
ASKED = CompletionRequest(model="x", messages=(user("hi"),), tools=(ToolSpec(name="github.issues_create"),))
SENT: Rendered = CODEC.render_request(ASKED, Target(provider="vendor", model="m-1"), stream=False)

words = st.text(min_size=1, max_size=12)
counts = st.integers(0, 10_000)


def optional(
    required: Mapping[str, Strategy[Json]], more: Mapping[str, Strategy[Json]] | None = None
) -> Strategy[JsonObject]:
    """Objects with some of the optional fields and with unknown ones."""
    known: Strategy[JsonObject] = st.fixed_dictionaries({**required}, optional={**(more or {})})
    unknown = st.dictionaries(words.map(lambda word: f"x_{word}"), st.one_of(st.none(), counts), max_size=2)
    return st.tuples(known, unknown).map(lambda both: {**both[1], **both[0]})


def listed(strategy: Strategy[Json], *, least: int = 0, most: int = 3) -> Strategy[Json]:
    """Arrays of a strategy's values."""
    return st.lists(strategy, min_size=least, max_size=most)


def one_of(*values: Json) -> Strategy[Json]:
    """One of these values."""
    return st.sampled_from(values)


function: Strategy[JsonObject] = st.fixed_dictionaries({"name": one_of("f", "g-h"), "arguments": words})
calls = optional({"id": words, "type": st.just("function"), "function": function})
messages = optional(
    {
        "role": st.just("assistant"),
        "content": st.one_of(st.none(), words),
        "refusal": st.one_of(st.none(), words),
    },
    {
        "tool_calls": listed(calls, least=1, most=2),
        "reasoning_content": words,
        "audio": one_of({"id": "audio_1", "data": "UklGRg==", "expires_at": 1, "transcript": "hi"}),
        "annotations": one_of([]),
    },
)
cited = one_of(
    {
        "role": "assistant",
        "content": "See there.",
        "refusal": None,
        "annotations": [
            {
                "type": "url_citation",
                "url_citation": {"start_index": 0, "end_index": 3, "title": "t", "url": "u"},
            }
        ],
    }
)
finishes = one_of("stop", "length", "tool_calls", "content_filter", "function_call", "abort", "error")
choices = optional(
    {
        "message": st.one_of(messages, cited),
        "finish_reason": finishes,
        "logprobs": one_of(None, {"content": [], "refusal": None}),
    },
    {"content_filter_results": one_of({"hate": {"filtered": False}})},
)
usages = optional(
    {"prompt_tokens": counts, "completion_tokens": counts, "total_tokens": counts},
    {
        "prompt_tokens_details": optional({"cached_tokens": counts}),
        "completion_tokens_details": optional({"reasoning_tokens": counts}),
    },
)
answers = optional(
    {
        "id": words,
        "object": st.just("chat.completion"),
        "created": counts,
        "model": words,
        "choices": listed(choices, least=1),
    },
    {"usage": usages, "service_tier": words, "system_fingerprint": words, "moderation": st.none()},
)


def numbered(answer: JsonObject) -> JsonObject:
    """The answer with its choices numbered as a vendor does."""
    listed: list[Json] = [
        {"index": index, **as_object(choice)} for index, choice in enumerate(as_array(answer["choices"]))
    ]
    return {**answer, "choices": listed}


@pytest.mark.promise("P1")
@given(answers.map(numbered))
def test_an_answer_rebuilt_from_the_vocabulary_loses_nothing(answer: JsonObject) -> None:
    """Vendor → vocabulary → client keeps every field, known or not, when the bytes are not forwarded."""
    completion = CODEC.parse_response(dump_json(answer).encode(), SENT)
    told = json.loads(CODEC.render_response(replace(completion, raw=None)))
    assert told == {**answer, "model": "vendor/m-1"}


@given(answers.map(numbered), st.sampled_from([None, 1]))
def test_forwarded_answers_say_what_rebuilt_ones_say(answer: JsonObject, indent: int | None) -> None:
    """Splicing into the vendor's bytes and writing anew tell the client the same."""
    body = json.dumps(answer, indent=indent).encode()
    completion = CODEC.parse_response(body, SENT)
    assert json.loads(CODEC.render_response(completion)) == {**answer, "model": "vendor/m-1"}
    told = json.loads(CODEC.render_response(completion, {"run": "run_1"}))
    assert told == {**answer, "model": "vendor/m-1", "interlock": {"run": "run_1"}}


def answer_with(message: JsonObject, finish: str = "stop", **more: Json) -> bytes:
    """A vendor's answer of one message."""
    choice: JsonObject = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return dump_json({"id": "a", "created": 5, "model": "m", "choices": [choice], **more}).encode()


def test_an_answer_is_read_into_the_vocabulary() -> None:
    """Text, usage, reason and identity of the documented example."""
    usage: JsonObject = {
        "prompt_tokens": 19,
        "completion_tokens": 10,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 2},
    }
    completion = CODEC.parse_response(
        answer_with({"content": "Hello!"}, usage=usage, service_tier="flex"), SENT
    )
    assert replace(completion, raw=None) == Completion(
        model="vendor/m-1",
        message=replace(assistant("Hello!"), extra=completion.message.extra),
        finish=FinishReason.STOP,
        native_finish="stop",
        usage=Usage(
            input_tokens=19,
            output_tokens=10,
            cache_read_tokens=4,
            cache_write_tokens=2,
            reasoning_tokens=3,
            audio_input_tokens=1,
            audio_output_tokens=2,
        ),
        id="a",
        created=5,
        service_tier="flex",
    )


def test_mapped_tool_names_come_back_and_their_bytes_are_not_forwarded() -> None:
    """The client sees the name of its own tool, not the wire's."""
    call: JsonObject = {
        "id": "1",
        "type": "function",
        "function": {"name": "github_issues_create", "arguments": "{}"},
    }
    completion = CODEC.parse_response(
        answer_with({"content": None, "tool_calls": [call]}, "tool_calls"), SENT
    )
    assert completion.message.tool_calls == (ToolCall(id="1", name="github.issues_create", arguments="{}"),)
    assert b'"github.issues_create"' in CODEC.render_response(completion)


def test_calls_that_a_server_writes_oddly_are_put_right() -> None:
    """A missing id is made up, arguments sent as an object become the JSON text that they are."""
    odd: JsonObject = {"function": {"name": "f", "arguments": {"a": 1}}}
    completion = CODEC.parse_response(answer_with({"content": None, "tool_calls": [odd]}), SENT)
    call = completion.message.tool_calls[0]
    assert (call.name, call.arguments, completion.finish) == ("f", '{"a":1}', FinishReason.TOOL_CALLS)
    assert call.id.startswith("call_")
    told = json.loads(CODEC.render_response(completion))
    assert told["choices"][0]["message"]["tool_calls"][0]["id"] == call.id
    assert told["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("native", "finish"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("tool_calls", FinishReason.TOOL_CALLS),
        ("function_call", FinishReason.TOOL_CALLS),
        ("content_filter", FinishReason.FILTERED),
        ("error", FinishReason.ERROR),
        ("abort", FinishReason.UNKNOWN),
    ],
)
def test_every_finish_reason_is_kept_in_both_forms(native: str, finish: FinishReason) -> None:
    """The enum says what to do, the vendor's own word stays beside it."""
    completion = CODEC.parse_response(answer_with({"content": "x"}, native), SENT)
    assert (completion.finish, completion.native_finish) == (finish, native)
    told = json.loads(CODEC.render_response(replace(completion, raw=None)))
    assert told["choices"][0]["finish_reason"] == native


@pytest.mark.parametrize(
    ("finish", "native", "word"),
    [
        (FinishReason.STOP_SEQUENCE, "stop_sequence", "stop"),
        (FinishReason.LENGTH, "max_tokens", "length"),
        (FinishReason.CONTEXT, None, "length"),
        (FinishReason.TOOL_CALLS, "tool_use", "tool_calls"),
        (FinishReason.FILTERED, "refusal", "content_filter"),
        (FinishReason.PAUSED, "pause_turn", "stop"),
        (FinishReason.ERROR, None, "error"),
        (FinishReason.UNKNOWN, None, "stop"),
    ],
)
def test_other_vendors_reasons_are_told_in_the_dialects_words(
    finish: FinishReason, native: str | None, word: str
) -> None:
    """A client of this dialect never sees another dialect's word."""
    completion = Completion(model="other/x", message=assistant("t"), finish=finish, native_finish=native)
    assert json.loads(CODEC.render_response(completion))["choices"][0]["finish_reason"] == word


def test_a_refusal_is_filtered_and_keeps_its_words() -> None:
    """A refusal comes in a field of its own and ends with stop."""
    completion = CODEC.parse_response(answer_with({"content": None, "refusal": "I cannot."}), SENT)
    assert completion.message.content == (Refusal("I cannot."),)
    assert completion.finish is FinishReason.FILTERED


def test_reasoning_is_marked_as_the_vendors_own() -> None:
    """Whoever carries the conversation on knows whose reasoning it is."""
    completion = CODEC.parse_response(answer_with({"content": "4", "reasoning": "2+2"}), SENT)
    assert completion.message.content == (Reasoning(text="2+2", vendor="vendor"), Text("4"))
    again = CODEC.render_request(
        replace(ASKED, messages=(completion.message,)), Target(provider="vendor", model="m-1"), stream=False
    )
    assert json.loads(again.body)["messages"] == [{"role": "assistant", "content": "4", "reasoning": "2+2"}]


def test_content_in_parts_is_read() -> None:
    """Servers that answer with an array of parts are understood."""
    completion = CODEC.parse_response(answer_with({"content": [{"type": "text", "text": "a"}]}), SENT)
    assert completion.text == "a"


def test_an_answer_of_another_dialect_is_told_in_full() -> None:
    """What came from elsewhere is written whole; another dialect's own fields mean nothing here."""
    parts = (Reasoning(text="hm", signature="s"), Text("ok"), Refusal("but"), ToolCall(id="1", name="a.b"))
    completion = Completion(
        model="other/x",
        message=Message("assistant", parts, extra={"stop_details": {}, "interlock:other": {}}),
        finish=FinishReason.TOOL_CALLS,
        id="i",
        created=7,
        service_tier="standard",
        alternatives=(assistant("second"),),
    )
    call: JsonObject = {"id": "1", "type": "function", "function": {"name": "a.b", "arguments": "{}"}}
    first: JsonObject = {"role": "assistant", "content": "ok", "reasoning_content": "hm", "refusal": "but"}
    second: JsonObject = {"role": "assistant", "content": "second", "refusal": None}
    assert json.loads(CODEC.render_response(completion, {"run": "r"})) == {
        "id": "i",
        "object": "chat.completion",
        "created": 7,
        "model": "other/x",
        "choices": [
            {
                "index": 0,
                "message": {**first, "tool_calls": [call]},
                "logprobs": None,
                "finish_reason": "tool_calls",
            },
            {"index": 1, "message": second, "logprobs": None, "finish_reason": "stop"},
        ],
        "service_tier": "standard",
        "interlock": {"run": "r"},
    }


def test_usage_from_elsewhere_is_told_in_the_dialects_words() -> None:
    """Totals, and the parts that are contained in them."""
    usage = Usage(input_tokens=3, output_tokens=2, cache_write_tokens=1)
    completion = Completion(model="o/x", message=assistant("a"), finish=FinishReason.STOP, usage=usage)
    assert json.loads(CODEC.render_response(completion))["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0, "cache_write_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def test_a_changed_answer_is_never_forwarded_as_it_came() -> None:
    """Whoever redacts a message need not know of the vendor's bytes."""
    completion = CODEC.parse_response(answer_with({"content": "my secret"}), SENT)
    redacted = replace(completion, message=assistant("my [hidden]"))
    assert b"secret" not in CODEC.render_response(redacted)


def test_an_estimated_usage_replaces_what_the_vendor_said() -> None:
    """Usage that somebody put right is what the client is told."""
    completion = CODEC.parse_response(answer_with({"content": "x"}, usage={"prompt_tokens": -1}), SENT)
    assert completion.usage is None
    told = json.loads(CODEC.render_response(replace(completion, usage=Usage(input_tokens=4, exact=False))))
    assert told["usage"]["prompt_tokens"] == 4


@pytest.mark.parametrize(
    "usage",
    [None, [], {"prompt_tokens": "9"}, {"prompt_tokens": -1}, {"prompt_tokens": 1, "completion_tokens": 1.5}],
)
def test_usage_that_cannot_be_is_unknown(usage: Json) -> None:
    """A wrong count is not passed on as a right one."""
    assert CODEC.parse_response(answer_with({"content": "x"}, usage=usage), SENT).usage is None


def test_parts_of_usage_never_exceed_their_totals() -> None:
    """More cached tokens than input would make a price wrong."""
    usage: JsonObject = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 99, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 7, "audio_tokens": -1},
    }
    read = CODEC.parse_response(answer_with({"content": "x"}, usage=usage), SENT).usage
    assert read == Usage(input_tokens=10, output_tokens=5, cache_read_tokens=10, reasoning_tokens=5)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{}]}',
        b'{"choices":[{"message":{"tool_calls":[{"id":"1","function":{}}]}}]}',
        b'{"choices":[{"message":{"tool_calls":[{"id":"1","type":"x"}]}}]}',
        b"[" * 100_000,
    ],
)
def test_an_answer_that_breaks_its_format_is_a_protocol_error(body: bytes) -> None:
    """The other side is at fault, and the error says whose answer it was."""
    with pytest.raises(ProtocolError, match="vendor"):
        CODEC.parse_response(body, SENT)


@pytest.mark.parametrize(
    ("body", "cls"),
    [
        (b'{"error":{"code":429,"message":"slow down"}}', UpstreamRateLimitError),
        (b'{"error":{"code":"503","message":"busy"}}', OverloadedError),
        (b'{"error":{"message":"odd"},"choices":[]}', UpstreamError),
    ],
)
def test_an_error_in_a_successful_answer_is_an_error(body: bytes, cls: type[InterlockError]) -> None:
    """Some servers answer 200 with an error in the body."""
    with pytest.raises(cls):
        CODEC.parse_response(body, SENT)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_of_answers_fail_in_another_way(body: bytes) -> None:
    """Whatever a server sends is an answer or a typed error."""
    try:
        CODEC.parse_response(body, SENT)
    except InterlockError:
        return


def test_a_note_in_a_vendors_message_is_not_taken_for_ours() -> None:
    """A hostile server cannot write notes that steer the rendering."""
    message: JsonObject = {"content": "x", "interlock:openai-chat": {"reasoning": "reasoning"}}
    completion = CODEC.parse_response(answer_with(message), SENT)
    assert completion.message.extra.get("interlock:openai-chat") != {"reasoning": "reasoning"}


def test_an_answer_that_speaks_of_interlock_already_is_written_anew() -> None:
    """A gateway behind a gateway: our own facts replace the inner ones."""
    completion = CODEC.parse_response(answer_with({"content": "x"}, interlock={"run": "inner"}), SENT)
    told = json.loads(CODEC.render_response(completion, {"run": "outer"}))
    assert told["interlock"] == {"run": "outer"}
