"""Requests of the dialect openai-responses: forwarded as they came, or written anew and meaning the same."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    CompletionRequest,
    Json,
    JsonObject,
    Reasoning,
)
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_providers.codecs import Facts, Target, codec

CODEC = codec("openai-responses")
TARGET = Target(provider="openai", model="gpt-5.4-mini")
SEALED: Json = ["reasoning.encrypted_content"]
TURN: list[Json] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "input_text", "text": "Weather in Paris and Lima?"}]},
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "two"}, {"type": "summary_text", "text": "calls"}],
        "encrypted_content": "gAAAAA==",
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "phase": "commentary",
        "content": [{"type": "output_text", "text": "I look.", "annotations": []}],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": '{"q":"Paris"}'},
    {"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "weather", "arguments": '{"q":"Lima"}'},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
    {"type": "function_call_output", "call_id": "c1", "output": "rain"},
    {
        "type": "function_call_output",
        "call_id": "c2",
        "output": [
            {"type": "input_text", "text": "sun"},
            {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"},
        ],
    },
]


def asked(body: JsonObject) -> CompletionRequest:
    """What a client's request is read as."""
    return CODEC.parse_request(dump_json(body).encode()).request


def forwarded(request: CompletionRequest, target: Target = TARGET, *, stream: bool = False) -> JsonObject:
    """What the vendor is sent, the client's own bytes where they do."""
    return as_object(json.loads(CODEC.render_request(request, target, stream=stream).body))


def written(request: CompletionRequest, target: Target = TARGET) -> JsonObject:
    """What the vendor is sent when nothing can be forwarded."""
    return forwarded(replace(request, original=None), target)


def test_a_request_is_forwarded_byte_for_byte_but_for_what_must_differ() -> None:
    """Odd spacing, numbers and escapes survive; the model, and what keeps the answer stateless, are set."""
    body = b'{ "model" : "openai/gpt-5.4-mini", "input":"caf\\u00e9", "temperature": 1.0e0 }'
    request = CODEC.parse_request(body).request
    assert CODEC.render_request(request, TARGET, stream=False).body == (
        b'{"include":["reasoning.encrypted_content"],"store":false,'
        b' "model" : "gpt-5.4-mini", "input":"caf\\u00e9", "temperature": 1.0e0 }'
    )


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ({}, {"store": False, "include": SEALED}),
        ({"store": None}, {"store": False, "include": SEALED}),
        ({"store": False}, {"store": False}),
        ({"store": True}, {"store": True}),
        ({"store": False, "include": []}, {"store": False}),
        (
            {"include": ["web_search_call.results"]},
            {"store": False, "include": ["web_search_call.results", "reasoning.encrypted_content"]},
        ),
        (
            {"store": True, "include": ["web_search_call.results"]},
            {"store": True, "include": ["web_search_call.results"]},
        ),
    ],
)
def test_nothing_is_stored_and_reasoning_is_sealed_unless_the_client_says_otherwise(
    said: JsonObject, sent: JsonObject
) -> None:
    """The vendor's default is to store; a client's own word stands, whether forwarded or written anew."""
    request = asked({"model": "a", "input": "x", **said})
    for body in (forwarded(request), written(request)):
        assert {name: body.get(name) or False for name in ("store", "include")} == {"include": False, **sent}


def test_models_that_do_not_reason_are_not_asked_for_sealed_reasoning() -> None:
    """They refuse the very question."""
    request = asked({"model": "a", "input": "x"})
    for model in ("gpt-4o-mini", "gpt-4.1-2025-04-14", "chatgpt-4o-latest", "gpt-5-chat-latest"):
        target = replace(TARGET, model=model)
        assert "include" not in forwarded(request, target)
        assert "include" not in written(request, target)


@pytest.mark.promise("P1")
def test_a_conversation_survives_the_way_through_the_vocabulary() -> None:
    """Items, their order, fields and grouping come out again; ids of what nobody stored do not."""
    request = asked({"model": "a", "input": TURN, "instructions": "Rhyme."})
    body = written(request)
    assert body["instructions"] == "Rhyme."
    wanted = [dict(as_object(item)) for item in TURN]
    wanted[0] = {
        "type": "message",
        "role": "developer",
        "content": [{"type": "input_text", "text": "Be brief."}],
    }
    wanted[1]["type"] = "message"
    for item in wanted[3:6]:
        item.pop("id")
    wanted[3]["content"] = [{"type": "output_text", "text": "I look."}]
    assert body["input"] == wanted


def test_what_the_model_said_in_one_turn_becomes_one_message() -> None:
    """So that vendors which want reasoning, words and calls together get them so."""
    request = asked({"model": "a", "input": TURN, "instructions": "Rhyme."})
    assert [message.role for message in request.messages] == [
        "system",
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
    ]
    turn = request.messages[3]
    assert [type(part).__name__ for part in turn.content] == ["Reasoning", "Text", "ToolCall", "ToolCall"]
    assert turn.content[0] == Reasoning(
        text="two\n\ncalls", encrypted="gAAAAA==", id="rs_1", vendor="any:openai-responses"
    )
    assert request.messages[5].tool_results[0].name == "weather"


def test_item_ids_are_told_to_a_vendor_that_stores_them() -> None:
    """There they name what it knows."""
    body = written(asked({"model": "a", "input": TURN, "store": True}))
    assert [as_object(item).get("id") for item in as_array(body["input"])][2:6] == [
        "rs_1",
        "msg_1",
        "fc_1",
        "fc_2",
    ]


def test_bare_reasoning_is_left_out_where_nothing_is_stored() -> None:
    """A client's own bytes do not slip past: the vendor would look for it and fail."""
    items: list[Json] = [
        {"role": "user", "content": "x"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"role": "assistant", "content": "y"},
        {"role": "user", "content": "z"},
    ]
    request = asked({"model": "a", "input": items})
    target = replace(TARGET, facts=Facts(reasoning=False))
    sent = CODEC.render_request(request, target, stream=False)
    assert b"rs_1" not in sent.body
    assert sent.adapted == ("earlier reasoning that openai cannot take back is left out",)
    kept = CODEC.render_request(asked({"model": "a", "input": items, "store": True}), target, stream=False)
    assert b"rs_1" in kept.body
    assert kept.adapted == ()


def test_a_limit_set_since_is_spliced_in_and_any_other_change_is_written() -> None:
    """A policy that sets the most tokens costs no rewriting."""
    request = asked({"model": "a", "input": "x"})
    body = CODEC.render_request(replace(request, max_tokens=64), TARGET, stream=True).body
    assert as_object(json.loads(body)) == {
        "max_output_tokens": 64,
        "stream": True,
        "store": False,
        "include": SEALED,
        "model": "gpt-5.4-mini",
        "input": "x",
    }
    changed = forwarded(replace(request, temperature=0.5))
    assert changed["input"] == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
    ]
    assert changed["temperature"] == 0.5


def test_options_of_streams_are_sent_only_with_a_stream() -> None:
    """The vendor refuses them without."""
    request = asked(
        {"model": "a", "input": "x", "stream": True, "stream_options": {"include_obfuscation": False}}
    )
    assert forwarded(request, stream=True)["stream_options"] == {"include_obfuscation": False}
    assert "stream_options" not in forwarded(request, stream=False)
    again = CODEC.render_request(replace(request, original=None), TARGET, stream=True)
    assert as_object(json.loads(again.body))["stream_options"] == {"include_obfuscation": False}


WORDS = st.text(max_size=12)
NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
PARTS: list[JsonObject] = [
    {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "high"},
    {"type": "input_image", "image_url": "data:image/png;base64,iVBORw==", "detail": "auto"},
    {"type": "input_image", "file_id": "file-1", "detail": "auto"},
    {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
    {"type": "input_file", "file_url": "https://example.org/a.pdf", "detail": "high"},
    {"type": "input_file", "file_id": "file-1"},
    {"type": "input_file", "file_data": "JVBERi0="},
    {"type": "input_file", "file_data": "data:text/plain,hi"},
    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    {"type": "input_text", "text": "Look:", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
    {"type": "input_text", "text": "Look:", "prompt_cache_breakpoint": {"mode": "novel"}},
]
OTHERS: list[JsonObject] = [
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
    {"type": "computer_call_output", "call_id": "x", "output": {"type": "computer_screenshot"}},
    {"type": "compaction", "encrypted_content": "gAAAAAC="},
]
MORE: list[JsonObject] = [{}, {"phase": "final_answer"}, {"status": "completed"}]


@st.composite
def givens(draw: st.DrawFn) -> JsonObject:
    """A message that the model is given."""
    content: list[Json] = [*draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3))]
    content.insert(0, {"type": "input_text", "text": draw(WORDS)})
    return {
        "type": "message",
        "role": draw(st.sampled_from(["user", "system", "developer"])),
        "content": content,
    }


@st.composite
def spoken(draw: st.DrawFn) -> JsonObject:
    """A message that the model said."""
    text = draw(WORDS)
    content: list[Json] = [{"type": "output_text", "text": text}, {"type": "refusal", "refusal": text}]
    return {"type": "message", "role": "assistant", "content": content, **draw(st.sampled_from(MORE))}


@st.composite
def thoughts(draw: st.DrawFn) -> JsonObject:
    """Reasoning in several parts."""
    summary: list[Json] = [
        {"type": "summary_text", "text": text} for text in draw(st.lists(WORDS, max_size=3))
    ]
    content: list[Json] = [
        {"type": "reasoning_text", "text": text} for text in draw(st.lists(WORDS, max_size=2))
    ]
    said: JsonObject = {"content": content} if content else {}
    return {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAAA==", **said}


@st.composite
def calls(draw: st.DrawFn) -> JsonObject:
    """A call, of either kind."""
    kind, name = draw(st.sampled_from([("function_call", "arguments"), ("custom_tool_call", "input")]))
    return {"type": kind, "call_id": draw(NAMES), "name": draw(NAMES), name: draw(WORDS)}


@st.composite
def results(draw: st.DrawFn) -> JsonObject:
    """What a tool answered, in words or in parts."""
    kind = draw(st.sampled_from(["function_call_output", "custom_tool_call_output"]))
    parts: list[Json] = [*draw(st.lists(st.sampled_from(PARTS[:8]), max_size=2))]
    return {"type": kind, "call_id": draw(NAMES), "output": parts or draw(WORDS)}


ITEMS = st.lists(
    st.one_of(givens(), spoken(), thoughts(), calls(), results(), st.sampled_from(OTHERS)),
    min_size=1,
    max_size=8,
)


@pytest.mark.promise("P1")
@given(ITEMS)
def test_any_conversation_comes_back_as_it_was(items: list[Json]) -> None:
    """Read into the vocabulary and written again, every item in its place."""
    assert written(asked({"model": "a", "input": items}))["input"] == items


TOOLS: list[Json] = [
    {"type": "web_search", "search_context_size": "low"},
    {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": True},
    {"type": "custom", "name": "sh", "format": {"type": "text"}},
    {"type": "function", "name": "g", "description": "d", "parameters": {"type": "object"}, "strict": False},
    {"type": "function", "name": "h", "parameters": {"type": "object"}, "defer_loading": True},
    {"type": "mcp", "server_label": "docs", "server_url": "https://example.org/mcp"},
]
SETTINGS: dict[str, list[Json]] = {
    "instructions": ["Rhyme."],
    "tools": [TOOLS],
    "tool_choice": ["auto", "none", "required", {"type": "function", "name": "f"}, {"type": "web_search"}],
    "parallel_tool_calls": [False, True],
    "max_output_tokens": [64],
    "max_tool_calls": [3],
    "temperature": [0.5, 0],
    "top_p": [0.5],
    "reasoning": [
        {"effort": "low"},
        {"effort": "high", "summary": "auto"},
        {"summary": "detailed"},
        {"mode": "pro", "context": "all_turns"},
        {"effort": "low", "mode": "pro"},
    ],
    "text": [
        {"format": {"type": "json_object"}},
        {"verbosity": "low"},
        {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}},
        {
            "format": {"type": "json_schema", "name": "n", "description": "d", "schema": {}},
            "verbosity": "high",
        },
        {"format": {"type": "grammar", "syntax": "lark"}},
    ],
    "service_tier": ["flex"],
    "prompt_cache_key": ["k"],
    "prompt_cache_retention": ["24h"],
    "prompt_cache_options": [{"mode": "explicit", "ttl": "12h"}],
    "metadata": [{"a": "b"}],
    "user": ["u"],
    "safety_identifier": ["s"],
    "truncation": ["auto", "disabled"],
    "store": [True, False],
    "prompt": [{"id": "pmpt_1"}],
    "top_logprobs": [3],
}


@st.composite
def settings_of(draw: st.DrawFn) -> JsonObject:
    """Fields of a request, each with one of its forms."""
    names = draw(st.sets(st.sampled_from(sorted(SETTINGS))))
    return {name: draw(st.sampled_from(SETTINGS[name])) for name in sorted(names)}


@pytest.mark.promise("P1")
@given(settings_of())
def test_any_setting_comes_back_as_it_was(settings: JsonObject) -> None:
    """Fields that the vocabulary knows, and those that only the dialect has."""
    body = written(asked({"model": "a", "input": "x", **settings}))
    for name in ("model", "input", "include"):
        body.pop(name, None)
    assert body == {"store": False, **settings}


@pytest.mark.parametrize(
    "include", [["message.output_text.logprobs"], ["message.output_text.logprobs", "x.y"]]
)
def test_log_probabilities_are_asked_for_in_two_places(include: list[Json]) -> None:
    """Both are kept in step, whether forwarded or written."""
    request = asked({"model": "a", "input": "x", "include": include, "top_logprobs": 2, "store": False})
    assert request.logprobs == 2
    body = written(request)
    assert sorted(map(str, as_array(body["include"]))) == sorted(map(str, include))
    assert body["top_logprobs"] == 2
    bare = written(replace(request, logprobs=0))
    assert "top_logprobs" not in bare
