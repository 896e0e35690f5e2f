"""Requests of the dialect anthropic-messages as clients send them: read, sent on, and written again."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    CacheHint,
    CompletionRequest,
    File,
    Image,
    Json,
    JsonObject,
    Message,
    Reasoning,
    ResponseFormat,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_object, dump_json
from interlock_core.messages import user
from interlock_providers.codecs import Target, codec

CODEC = codec("anthropic-messages")
TARGET = Target(provider="vendor", model="claude-nova-9")
WORDS = st.text(min_size=1, max_size=12)
NAMES = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789_-", min_size=1, max_size=20)


def wire(value: JsonObject) -> bytes:
    """A request as bytes, with what every one must have."""
    message: Json = {"role": "user", "content": "hi"}
    return dump_json({"model": "a", "max_tokens": 9, "messages": [message], **value}).encode()


def read(value: JsonObject) -> CompletionRequest:
    """What a client asked."""
    return CODEC.parse_request(wire(value)).request


def rewritten(request: CompletionRequest) -> JsonObject:
    """The request written anew, its own bytes forgotten."""
    sent = CODEC.render_request(replace(request, original=None), TARGET, stream=False)
    return as_object(json.loads(sent.body))


def test_the_whole_vocabulary_of_a_request_is_read() -> None:
    """Each field in its place; what has none is kept."""
    schema: JsonObject = {"type": "object", "properties": {}}
    asked = CODEC.parse_request(
        wire(
            {
                "stream": True,
                "system": "Be brief.",
                "tools": [{"name": "f", "description": "d", "input_schema": schema, "strict": True}],
                "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
                "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": schema}},
                "thinking": {"type": "enabled", "budget_tokens": 2048},
                "temperature": 0.5,
                "top_p": 0.9,
                "top_k": 5,
                "stop_sequences": ["END"],
                "service_tier": "auto",
                "metadata": {"user_id": "u", "more": 1},
                "container": {"id": "c"},
            }
        ),
        (("Anthropic-Version", "2023-06-01"), ("x-api-key", "secret"), ("anthropic-beta", "b-1")),
    )
    assert asked.stream is True
    request = asked.request
    assert request.original is not None
    assert request.original.headers == (("anthropic-version", "2023-06-01"), ("anthropic-beta", "b-1"))
    assert request.messages[0] == Message("system", (Text("Be brief."),))
    assert request.tools == (ToolSpec(name="f", description="d", parameters=schema, strict=True),)
    assert request.tool_choice == ToolChoice(mode="required", name="f", parallel=False)
    assert request.response_format == ResponseFormat(schema=schema)
    assert (request.reasoning_effort, request.reasoning_budget) == ("high", 2048)
    assert (request.temperature, request.top_p, request.top_k, request.stop) == (0.5, 0.9, 5, ("END",))
    assert (request.max_tokens, request.service_tier, request.user) == (9, "auto", "u")
    assert request.extra["container"] == {"id": "c"}
    assert request.extra["metadata"] == {"more": 1}


CONVERSATION: list[Json] = [
    {"role": "user", "content": "hi"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}},
        ],
    },
    {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "1",
                "is_error": True,
                "content": [
                    {"type": "text", "text": "no"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "AA=="},
                    },
                ],
            },
            {
                "type": "text",
                "text": "go on",
                "cache_control": {"type": "ephemeral", "ttl": "1h"},
            },
        ],
    },
]


def test_a_conversation_is_read_with_results_in_messages_of_their_own() -> None:
    """A turn of the user that carries results is a tool message, then what the user says."""
    request = read({"messages": CONVERSATION})
    content = [message.content for message in request.messages]
    assert [message.role for message in request.messages] == ["user", "assistant", "tool", "user"]
    assert content == [
        (Text("hi"),),
        (
            Reasoning(text="hm", signature="s", vendor="any:anthropic-messages"),
            Reasoning(encrypted="x", vendor="any:anthropic-messages"),
            ToolCall(id="1", name="f", arguments='{"a":1}'),
        ),
        (
            ToolResult(
                call_id="1",
                name="f",
                content=(Text("no"), Image(data=b"\0", media_type="image/png")),
                is_error=True,
            ),
        ),
        (Text("go on", cache=CacheHint(ttl="1h")),),
    ]


def test_plain_requests_are_forwarded_with_only_the_model_changed() -> None:
    """Fields that nobody here knows, the order and the spelling reach the vendor as they came."""
    body = (
        b'{ "model" : "vendor/m", "max_tokens": 1e1, "new": {"model":1},'
        b' "messages":[{"role":"user","content":"h\\u0069"}] }'
    )
    asked = CODEC.parse_request(body, (("anthropic-version", "2023-06-01"), ("anthropic-beta", "b"))).request
    sent = CODEC.render_request(asked, TARGET, stream=False)
    assert sent.body == body.replace(b'"vendor/m"', b'"claude-nova-9"')
    assert sent.headers[2:] == (("anthropic-version", "2023-06-01"), ("anthropic-beta", "b"))
    streamed = CODEC.render_request(asked, TARGET, stream=True).body
    assert as_object(json.loads(streamed))["stream"] is True
    assert b'"h\\u0069"' in streamed


def test_a_limit_set_since_is_spliced_in_and_anything_else_is_written_anew() -> None:
    """Nobody forwards stale bytes."""
    body = wire({"unknown": "a  b", "stream": False})
    asked = CODEC.parse_request(body).request
    sent = CODEC.render_request(replace(asked, max_tokens=5), TARGET, stream=True).body
    assert sent == body.replace(b'"a"', b'"claude-nova-9"').replace(b":9", b":5").replace(b"false", b"true")
    changed = replace(asked, messages=(user("[hidden]"),))
    told = as_object(json.loads(CODEC.render_request(changed, TARGET, stream=False).body))
    assert told["messages"] == [{"role": "user", "content": "[hidden]"}]
    assert told["unknown"] == "a  b"


def test_blocks_without_a_word_here_keep_their_places_in_the_dialect() -> None:
    """Server tools, their results and search results go back where they stood."""
    used: Json = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}}
    found: Json = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    searched: Json = {
        "type": "search_result",
        "source": "s",
        "title": "t",
        "content": [{"type": "text", "text": "x"}],
    }
    inline: Json = {
        "type": "document",
        "source": {"type": "content", "content": [{"type": "text", "text": "x"}]},
        "title": "t",
    }
    messages: list[Json] = [
        {"role": "user", "content": [searched, {"type": "text", "text": "hi"}, inline]},
        {"role": "assistant", "content": [used, found, {"type": "text", "text": "so"}]},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "1",
                    "content": [{"type": "tool_reference", "tool_name": "f"}, {"type": "text", "text": "x"}],
                    "cache_control": {"type": "ephemeral"},
                }
            ],
        },
    ]
    tools: list[Json] = [
        {"type": "web_search_20260318", "name": "web_search", "max_uses": 2},
        {"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
    ]
    asked = read({"messages": messages, "tools": tools})
    body = rewritten(asked)
    assert body["messages"] == messages
    assert body["tools"] == tools


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (
            {"messages": [{"role": "user", "content": [{"type": "search_result", "source": "s"}]}]},
            "messages[0].search_result",
        ),
        ({"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, "web_search_20260318"),
        ({"mcp_servers": [{"type": "url", "name": "a"}]}, "mcp_servers"),
    ],
)
def test_what_another_dialect_has_not_is_refused_there_by_name(value: JsonObject, field: str) -> None:
    """Nothing that a user put into a request is dropped on the way to another vendor."""
    asked = read(value)
    with pytest.raises(UnsupportedError, match="anthropic-messages") as caught:
        codec("openai-chat").render_request(asked, TARGET, stream=False)
    assert caught.value.field == field


def test_a_hint_is_no_reason_to_refuse_a_request_elsewhere() -> None:
    """Where to cut the cache goes back in the dialect, and another vendor does without."""
    asked = read({"cache_control": {"type": "ephemeral"}})
    assert rewritten(asked)["cache_control"] == {"type": "ephemeral"}
    assert codec("openai-chat").render_request(asked, TARGET, stream=False).body


def test_thinking_that_is_not_a_budget_is_kept_until_it_is_changed() -> None:
    """The model's own measure, and how it is shown, go back as they came."""
    thinking: JsonObject = {"type": "adaptive", "display": "omitted"}
    asked = read({"thinking": thinking})
    assert asked.reasoning_budget is None
    assert rewritten(asked)["thinking"] == thinking
    changed = replace(asked, reasoning_budget=2000, max_tokens=9000)
    assert rewritten(changed)["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert rewritten(read({"thinking": {"type": "disabled"}}))["thinking"] == {"type": "disabled"}


FILES: list[tuple[JsonObject, File]] = [
    (
        {"source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}, "title": "a"},
        File(data=b"%PDF-", media_type="application/pdf", name="a"),
    ),
    (
        {"source": {"type": "text", "media_type": "text/plain", "data": "ü"}, "context": "c"},
        File(data="ü".encode(), media_type="text/plain"),
    ),
    ({"source": {"type": "url", "url": "https://example.org/a"}}, File(url="https://example.org/a")),
    ({"source": {"type": "file", "file_id": "f"}, "citations": {"enabled": True}}, File(file_id="f")),
]


@pytest.mark.parametrize(("fields", "part"), FILES)
def test_every_form_of_a_document_is_read_and_written_back(fields: JsonObject, part: File) -> None:
    """What a document says beside its bytes is kept for the same dialect."""
    block: JsonObject = {"type": "document", **fields}
    asked = read({"messages": [{"role": "user", "content": [block]}]})
    assert asked.messages[0].content == (part,)
    assert rewritten(asked)["messages"] == [{"role": "user", "content": [block]}]


def message(content: Json, role: str = "user") -> JsonObject:
    """A request of one message."""
    return {"messages": [{"role": role, "content": content}]}


WRONG: list[tuple[str, JsonObject]] = [
    ("model", {"model": ""}),
    ("max_tokens", {"max_tokens": None}),
    ("max_tokens", {"max_tokens": -1}),
    ("messages", {"messages": []}),
    ("messages[0]", {"messages": ["x"]}),
    ("messages[0].role", {"messages": [{"role": "tool", "content": "x"}]}),
    ("messages[0].content", message(3)),
    ("messages[0].content", message(None)),
    ("messages[0].content", message(None, "system")),
    ("messages[0].content[0]", message(["x"])),
    ("messages[0].content[0].type", message([{}])),
    ("messages[0].content[0].text", message([{"type": "text"}])),
    ("messages[0].content[0].citations", message([{"type": "text", "text": "x", "citations": 1}])),
    ("messages[0].content[0].source", message([{"type": "image"}])),
    ("messages[0].content[0].source.type", message([{"type": "image", "source": {"type": "x"}}])),
    ("messages[0].content[0].source.url", message([{"type": "image", "source": {"type": "url"}}])),
    (
        "messages[0].content[0].source.data",
        message([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?"}}]),
    ),
    (
        "messages[0].content[0].source.media_type",
        message([{"type": "document", "source": {"type": "base64", "data": "AA=="}}]),
    ),
    ("messages[0].content[0].source.data", message([{"type": "document", "source": {"type": "text"}}])),
    ("messages[0].content[0].type", message([{"type": "tool_use", "id": "1", "name": "f", "input": {}}])),
    ("messages[0].content[0].type", message([{"type": "thinking", "thinking": "", "signature": "s"}])),
    ("messages[0].content[0].type", message([{"type": "tool_result", "tool_use_id": "1"}], "assistant")),
    ("messages[0].content[0].id", message([{"type": "tool_use", "name": "f", "input": {}}], "assistant")),
    (
        "messages[0].content[0].input",
        message([{"type": "tool_use", "id": "1", "name": "f", "input": []}], "assistant"),
    ),
    ("messages[0].content[0].data", message([{"type": "redacted_thinking"}], "assistant")),
    ("messages[0].content[0].tool_use_id", message([{"type": "tool_result"}])),
    (
        "messages[0].content[0].content[0].type",
        message(
            [
                {
                    "type": "tool_result",
                    "tool_use_id": "1",
                    "content": [{"type": "tool_use", "id": "1", "name": "f"}],
                }
            ]
        ),
    ),
    ("messages[0].content[0].content", message([{"type": "tool_result", "tool_use_id": "1", "content": 3}])),
    (
        "messages[0].content[0].type",
        message([{"type": "image", "source": {"type": "file", "file_id": "f"}}], "system"),
    ),
    ("messages[0].interlock:x", {"messages": [{"role": "user", "content": "x", "interlock:x": 1}]}),
    ("interlock:x", {"interlock:x": 1}),
    ("system", {"system": 3}),
    ("system[0].type", {"system": [{"type": "image"}]}),
    ("tools", {"tools": {}}),
    ("tools[0].type", {"tools": [{"type": "mcp", "server_label": "a"}]}),
    ("tools[0].name", {"tools": [{"input_schema": {}}]}),
    ("tools[0].input_schema", {"tools": [{"name": "f"}]}),
    ("tools[1].name", {"tools": [{"name": "f", "input_schema": {}}, {"name": "f", "input_schema": {}}]}),
    ("tool_choice.type", {"tool_choice": {"type": "required"}}),
    ("tool_choice.name", {"tool_choice": {"type": "tool"}}),
    ("thinking", {"thinking": "yes"}),
    ("thinking.type", {"thinking": {}}),
    ("thinking.budget_tokens", {"thinking": {"type": "enabled", "budget_tokens": 10}}),
    ("output_config.effort", {"output_config": {"effort": "heroic"}}),
    ("stop_sequences[0]", {"stop_sequences": [1]}),
    ("metadata.user_id", {"metadata": {"user_id": 1}}),
    ("temperature", {"temperature": "hot"}),
    ("stream", {"stream": "yes"}),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_request_is_refused_with_the_name_of_the_field(field: str, value: JsonObject) -> None:
    """Each wrong place is named as the client wrote it, with what to send instead."""
    with pytest.raises(InvalidRequestError) as caught:
        CODEC.parse_request(wire(value))
    assert caught.value.field == field
    assert caught.value.remedy


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_in_another_way(body: bytes) -> None:
    """Whatever comes is a request or a typed refusal."""
    try:
        CODEC.parse_request(body)
    except InvalidRequestError:
        return


KEYS = ["role", "content", "type", "text", "source", "name", "id", "input", "tool_use_id", "data", "format"]


@given(
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.sampled_from(["user", "assistant", "text", "image", "tool_result", "thinking", "x"]),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
        ),
        max_leaves=12,
    ),
    st.sampled_from(
        [
            "messages",
            "system",
            "tools",
            "tool_choice",
            "output_config",
            "thinking",
            "metadata",
            "stop_sequences",
        ]
    ),
)
def test_no_json_makes_the_reader_fail_in_another_way(value: Json, field: str) -> None:
    """Whatever stands in a field is understood or refused by name."""
    refused: InvalidRequestError | None = None
    try:
        asked = CODEC.parse_request(wire({field: value})).request
        CODEC.render_request(replace(asked, original=None), TARGET, stream=True)
    except InvalidRequestError as error:
        refused = error
    assert refused is None or refused.field is not None
