"""Requests that come from elsewhere, told in the dialect openai-responses: programs, and the chat dialect."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    CacheHint,
    CompletionRequest,
    Content,
    File,
    Image,
    Json,
    JsonObject,
    Message,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from interlock_core.errors import UnsupportedError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_providers.codecs import Target, codec, dialects

CODEC = codec("openai-responses")
TARGET = Target(provider="openai", model="gpt-5.4-mini")
WORDS = st.text(max_size=12)
NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)


def forwarded(request: CompletionRequest) -> Json:
    """What the vendor is sent."""
    return as_object(json.loads(CODEC.render_request(request, TARGET, stream=False).body))


CHAT: JsonObject = {
    "model": "a",
    "messages": [{"role": "user", "content": "x"}],
    "tools": [
        {
            "type": "custom",
            "custom": {
                "name": "sh",
                "format": {"type": "grammar", "grammar": {"definition": "a", "syntax": "regex"}},
            },
        },
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
    ],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "required",
            "tools": [
                {"type": "function", "function": {"name": "f"}},
                {"type": "custom", "custom": {"name": "sh"}},
            ],
        },
    },
    "verbosity": "low",
    "safety_identifier": "s",
    "user": "u",
    "store": True,
    "prompt_cache_retention": "24h",
    "max_completion_tokens": 64,
}


def test_a_client_of_the_chat_dialect_reaches_models_of_this_one_with_all_that_both_can_say() -> None:
    """Fields that the vocabulary has no word for are said in the words of the vendor's other dialect."""
    asked_in_chat = codec("openai-chat").parse_request(dump_json(CHAT).encode()).request
    assert forwarded(asked_in_chat) == {
        "model": "gpt-5.4-mini",
        "store": True,
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}],
        "tools": [
            {
                "type": "custom",
                "name": "sh",
                "format": {"type": "grammar", "definition": "a", "syntax": "regex"},
            },
            {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False},
        ],
        "tool_choice": {
            "type": "allowed_tools",
            "mode": "required",
            "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "sh"}],
        },
        "max_output_tokens": 64,
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_retention": "24h",
        "text": {"verbosity": "low"},
    }


def test_calls_of_free_text_and_their_results_stay_such() -> None:
    """A conversation that began in the chat dialect goes on."""
    calls: list[Json] = [
        {"id": "c1", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}},
        {"id": "c2", "type": "function", "function": {"name": "f", "arguments": "{}"}},
    ]
    messages: list[Json] = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "I look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "a.txt"},
        {"role": "tool", "tool_call_id": "c2", "content": "ok"},
    ]
    body = dump_json({**CHAT, "messages": messages}).encode()
    sent = as_object(forwarded(codec("openai-chat").parse_request(body).request))
    assert as_array(sent["input"])[1:] == [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "custom_tool_call", "call_id": "c1", "name": "sh", "input": "ls -l"},
        {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "a.txt"},
        {"type": "function_call_output", "call_id": "c2", "output": "ok"},
    ]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"logit_bias": {"1": 2}}, "logit_bias is a field of the dialect openai-chat"),
        ({"modalities": ["audio"]}, "modalities is a field of the dialect openai-chat"),
        ({"tools": [{"type": "novel"}]}, r"tools\[0\] is of the type novel"),
        ({"tool_choice": {"type": "novel"}}, "tool_choice is a field of the dialect openai-chat"),
    ],
)
def test_what_only_the_chat_dialect_has_is_refused_by_name(more: JsonObject, words: str) -> None:
    """With the field that the client wrote."""
    asked_in_chat = codec("openai-chat").parse_request(dump_json({**CHAT, **more}).encode()).request
    with pytest.raises(UnsupportedError, match=words):
        CODEC.render_request(asked_in_chat, TARGET, stream=False)


SPEECH = st.lists(
    st.one_of(
        st.builds(Text, WORDS),
        st.builds(Refusal, WORDS),
        st.builds(Reasoning, text=WORDS, encrypted=st.just("gAAAA=="), id=st.just("rs_1")),
        st.builds(ToolCall, id=NAMES, name=NAMES, arguments=WORDS),
    ),
    min_size=1,
    max_size=4,
)
SEEN = st.lists(
    st.one_of(
        st.builds(Text, WORDS, cache=st.sampled_from([None, CacheHint(), CacheHint(ttl="12h")])),
        st.sampled_from(
            [
                Image(url="https://example.org/a.png", detail="low"),
                Image(data=b"x", media_type="image/png", cache=CacheHint()),
                Image(file_id="f"),
                File(data=b"x", media_type="application/pdf", name="a.pdf"),
                File(url="https://example.org/a.pdf"),
                File(file_id="f", name="a"),
            ]
        ),
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """Turns of user, model and tools, as a program writes them."""
    messages: list[Message] = []
    for _ in range(draw(st.integers(1, 3))):
        messages.append(Message(draw(st.sampled_from(["user", "system"])), tuple(draw(SEEN))))
        messages.append(Message("assistant", tuple(draw(SPEECH))))
        result = ToolResult(call_id=draw(NAMES), name="", content=tuple(draw(SEEN)))
        messages.append(Message("tool", (result,)))
    return messages


@pytest.mark.promise("P1")
@given(conversations())
def test_what_a_program_writes_is_read_as_it_was_meant(messages: list[Message]) -> None:
    """There and back without loss; whose reasoning it is, is known by the dialect alone."""
    body = CODEC.render_request(
        CompletionRequest(model="x", messages=tuple(messages)), TARGET, stream=True
    ).body
    read = CODEC.parse_request(body)
    assert read.stream
    found: list[tuple[str, list[Content]]] = []
    for message in read.request.messages:
        parts = [replace(p, vendor=None) if isinstance(p, Reasoning) else p for p in message.content]
        results = [replace(p, name="") if isinstance(p, ToolResult) else p for p in parts]
        found.append((message.role, results))
    assert found == [(message.role, [*message.content]) for message in messages]


@pytest.mark.promise("P1")
@pytest.mark.parametrize("dialect", [name for name in dialects() if name != "openai-chat"])
def test_an_answer_of_the_chat_dialect_goes_on_in_any_other(dialect: str) -> None:
    """Its vendor fills every field of an answer; those that are empty say nothing that could be lost."""
    chat = codec("openai-chat")
    asked = CompletionRequest(model="x", messages=(Message("user", (Text("hi"),)),))
    said: JsonObject = {
        "role": "assistant",
        "content": "Hello.",
        "refusal": None,
        "annotations": [],
        "audio": None,
    }
    body = dump_json(
        {"id": "c", "choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}
    ).encode()
    answer = chat.parse_response(body, chat.render_request(asked, TARGET, stream=False))
    more = replace(asked, messages=(*asked.messages, answer.message, *asked.messages))
    sent = codec(dialect).render_request(more, TARGET, stream=False).body
    assert b"Hello." in sent
    assert b"annotations" not in sent
