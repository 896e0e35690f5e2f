"""Requests of the dialect anthropic-messages survive being read and written anew, whatever they hold."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_object, dump_json
from interlock_providers.codecs import Target, codec

CODEC = codec("anthropic-messages")
TARGET = Target(provider="vendor", model="claude-nova-9")
WORDS = st.text(min_size=1, max_size=12)
NAMES = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789_-", min_size=1, max_size=20)


def exact(
    required: Mapping[str, Strategy[Json]], more: Mapping[str, Strategy[Json]] | None = None
) -> Strategy[JsonObject]:
    """Objects with some of the optional fields."""
    return st.fixed_dictionaries({**required}, optional={**(more or {})})


def one_of(*values: Json) -> Strategy[Json]:
    """One of these values."""
    return st.sampled_from(values)


def kind(
    name: str, required: Mapping[str, Strategy[Json]], more: Mapping[str, Strategy[Json]]
) -> Strategy[Json]:
    """Blocks of a kind, with fields that nobody knows."""
    known = exact({"type": st.just(name), **required}, {**more, "x_new": one_of(1, "a", None)})
    return known.map(lambda block: {key: value for key, value in block.items() if value is not None})


CACHE = {
    "cache_control": one_of(
        {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}, {"type": "odd", "x": 1}
    )
}
TEXTS = kind("text", {"text": WORDS}, CACHE)
SOURCES = st.one_of(
    one_of(
        {"type": "base64", "media_type": "image/png", "data": "iVBORw=="},
        {"type": "url", "url": "https://example.org/a"},
        {"type": "file", "file_id": "f", "x_new": 1},
    )
)
IMAGES = kind(
    "image", {"source": SOURCES}, {**CACHE, "transformations": one_of({"oversized_image": "error"})}
)
DOCUMENTS = kind(
    "document",
    {
        "source": one_of(
            {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            {"type": "text", "media_type": "text/plain", "data": "ü"},
            {"type": "url", "url": "https://example.org/a"},
            {"type": "content", "content": "inline"},
        )
    },
    {**CACHE, "title": WORDS, "context": WORDS, "citations": one_of({"enabled": True})},
)
SHOWN: Strategy[Json] = st.one_of(
    st.lists(TEXTS, min_size=2, max_size=3),
    st.lists(st.one_of(IMAGES, DOCUMENTS), min_size=1, max_size=2),
    WORDS,
)
RESULTS = kind(
    "tool_result", {"tool_use_id": NAMES}, {"content": SHOWN, "is_error": one_of(True), **CACHE}
).filter(lambda block: not as_object(block).get("is_error") or "content" in as_object(block))
CALLS = kind(
    "tool_use",
    {"id": NAMES, "name": NAMES, "input": one_of({}, {"a": [1.5, None, "ü"]})},
    {**CACHE, "caller": one_of({"type": "direct"})},
)
THOUGHTS: Strategy[Json] = st.one_of(
    kind("thinking", {"thinking": st.text(max_size=5), "signature": WORDS}, {}),
    kind("redacted_thinking", {"data": WORDS}, {}),
)
SERVED = kind("server_tool_use", {"id": NAMES, "name": st.just("web_search"), "input": one_of({})}, {})
SAID: Strategy[Json] = st.lists(st.one_of(TEXTS, THOUGHTS, CALLS, SERVED), min_size=1, max_size=4)
ASKED: Strategy[Json] = st.tuples(
    st.lists(RESULTS, max_size=2), st.lists(st.one_of(TEXTS, IMAGES, DOCUMENTS), min_size=1, max_size=3)
).map(lambda both: [*both[0], *both[1]])
TURNS: Strategy[Json] = st.lists(st.tuples(ASKED, SAID), min_size=1, max_size=2).map(
    lambda pairs: [
        {"role": role, "content": content}
        for pair in pairs
        for role, content in zip(("user", "assistant"), pair, strict=True)
    ]
)
SCHEMAS = one_of({"type": "object"}, {"type": "object", "properties": {"a": {"$ref": "#"}}})
TOOLS: Strategy[Json] = st.lists(
    exact(
        {"name": NAMES, "input_schema": SCHEMAS},
        {
            "description": WORDS,
            "strict": one_of(True, False),
            "defer_loading": one_of(True),
            "type": one_of("custom"),
        },
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda tool: str(tool["name"]),
).map(lambda tools: [*tools, {"type": "web_search_20260318", "name": "web_search"}])
STOPS: Strategy[Json] = st.lists(WORDS.filter(lambda text: bool(text.strip())), min_size=1, max_size=2).map(
    lambda texts: [*texts]
)
REQUESTS = exact(
    {"model": st.just("a"), "max_tokens": st.integers(0, 10_000), "messages": TURNS},
    {
        "system": st.lists(TEXTS, min_size=2, max_size=3),
        "tools": TOOLS,
        "thinking": one_of({"type": "adaptive"}, {"type": "disabled"}, {"type": "between_tools"}),
        "output_config": one_of(
            {"effort": "high"},
            {"format": {"type": "json_schema", "schema": {"type": "object"}}, "effort": "low"},
            {"format": {"type": "new"}, "task_budget": 1},
        ),
        "temperature": st.floats(0, 1),
        "top_k": st.integers(1, 100),
        "stop_sequences": STOPS,
        "service_tier": one_of("auto", "standard_only"),
        "metadata": one_of({"user_id": "u"}, {"x": 1}, {"user_id": "u", "x": 1}),
        "container": one_of("c", {"id": "c"}),
        "mcp_servers": one_of([]),
        "cache_control": one_of({"type": "ephemeral"}),
        "stream": st.booleans(),
    },
)


def shortened(value: Json) -> Json:
    """Contents of one plain text in their short form, which means the same."""
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {name: shortened(item) for name, item in value.items()}
    match made.get("content"):
        case [{"type": "text", "text": str(text), **rest}] if not rest:
            made["content"] = text
        case _:
            pass
    return made


@pytest.mark.promise("P1")
@given(REQUESTS)
def test_a_request_survives_being_read_and_written_anew(body: JsonObject) -> None:
    """Everything that a client says reaches the vendor, known or not."""
    asked = CODEC.parse_request(dump_json(body).encode())
    sent = CODEC.render_request(replace(asked.request, original=None), TARGET, stream=asked.stream)
    expected = {**body, "model": "claude-nova-9"}
    if not asked.stream:
        expected.pop("stream", None)
    assert shortened(as_object(json.loads(sent.body))) == shortened(expected)
    assert [said for said in sent.adapted if "version" not in said] == []


@given(REQUESTS)
def test_reading_what_was_written_means_the_same(body: JsonObject) -> None:
    """Parsed, written and parsed again: the same request."""
    first = CODEC.parse_request(dump_json(body).encode()).request
    sent = CODEC.render_request(replace(first, original=None), TARGET, stream=False)
    again = CODEC.parse_request(sent.body).request
    plain = replace(first, original=None, model="", stream_usage=False, messages=())
    assert replace(again, original=None, model="", stream_usage=False, messages=()) == plain
    assert [(m.role, m.content) for m in again.messages] == [(m.role, m.content) for m in first.messages]
