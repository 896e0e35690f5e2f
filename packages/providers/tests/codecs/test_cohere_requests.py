"""Requests of the dialect cohere-chat: rebuilt without loss, forwarded untouched, and valid for the SDK."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from cohere.types.chat_messages import ChatMessages
from cohere.types.document import Document
from cohere.types.response_format_v2 import ResponseFormatV2
from cohere.types.thinking import Thinking
from cohere.types.tool_v2 import ToolV2
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy
from pydantic import BaseModel, TypeAdapter

from interlock_core import (
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
    ToolResult,
    ToolSpec,
)
from interlock_core.jsontypes import as_object, dump_json
from interlock_core.messages import assistant, system, user
from interlock_providers.codecs import Target, codec

CODEC = codec("cohere-chat")
TARGET = Target(provider="vendor", model="m-1")

words = st.text(min_size=1, max_size=12)
names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,12}", fullmatch=True)
unknown = st.dictionaries(
    names.map(lambda name: f"x_{name}"), st.one_of(st.integers(), words, st.none()), max_size=2
)


def exact(
    required: Mapping[str, Strategy[Json]], more: Mapping[str, Strategy[Json]] | None = None
) -> Strategy[JsonObject]:
    """Objects with some of the optional fields."""
    return st.fixed_dictionaries({**required}, optional={**(more or {})})


def optional(
    required: Mapping[str, Strategy[Json]], more: Mapping[str, Strategy[Json]] | None = None
) -> Strategy[JsonObject]:
    """Objects with some of the optional fields and with unknown ones."""
    return st.tuples(exact(required, more), unknown).map(lambda both: {**both[1], **both[0]})


def one_of(*values: Json) -> Strategy[Json]:
    """One of these values."""
    return st.sampled_from(values)


def listed(strategy: Strategy[Json], *, least: int = 0, most: int = 3) -> Strategy[Json]:
    """Arrays of a strategy's values."""
    return st.lists(strategy, min_size=least, max_size=most)


text_parts = optional({"type": st.just("text"), "text": words})
image_urls = one_of(
    "https://example.org/a.png", "data:image/png;base64,iVBORw==", "data:image/png;base64,AA==\n"
)
image_parts = optional(
    {
        "type": st.just("image_url"),
        "image_url": optional({"url": image_urls}, {"detail": one_of("low", "high", "auto")}),
    }
)
thoughts = optional({"type": st.just("thinking"), "thinking": words})
documents = optional(
    {
        "type": st.just("document"),
        "document": optional({"data": one_of({"a": "b"}, {"n": 1, "t": [2]}, '{"a": 1}')}, {"id": words}),
    }
)
citations = listed(
    exact(
        {"start": st.integers(0, 9), "end": st.integers(9, 20), "text": words},
        {
            "sources": one_of([{"type": "tool", "id": "f:0", "tool_output": {"a": 1}}]),
            "content_index": st.integers(0, 1),
            "type": one_of("TEXT_CONTENT", "PLAN"),
        },
    )
)
calls = optional(
    {
        "id": names,
        "type": st.just("function"),
        "function": optional({"name": names, "arguments": words}),
    }
)
spoken = st.one_of(words, st.just(""), listed(st.one_of(text_parts, thoughts)))
messages = st.tuples(
    listed(optional({"role": st.just("system"), "content": st.one_of(words, listed(text_parts, least=1))})),
    listed(
        st.one_of(
            optional(
                {
                    "role": st.just("user"),
                    "content": st.one_of(words, listed(st.one_of(text_parts, image_parts))),
                }
            ),
            optional(
                {"role": st.just("assistant")},
                {
                    "content": spoken,
                    "tool_plan": st.one_of(words, st.just("")),
                    "tool_calls": listed(calls, most=2),
                    "citations": citations,
                },
            ),
            optional(
                {
                    "role": st.just("tool"),
                    "tool_call_id": names,
                    "content": st.one_of(words, listed(st.one_of(text_parts, documents), least=1)),
                }
            ),
        ),
        least=1,
        most=4,
    ),
).map(
    lambda both: [
        *(both[0] if isinstance(both[0], list) else []),
        *(both[1] if isinstance(both[1], list) else []),
    ]
)
schemas = exact(
    {"type": st.just("object"), "properties": st.dictionaries(names, one_of({"type": "string"}), max_size=2)}
)
functions = optional({"name": names, "parameters": schemas}, {"description": words})
tools: Strategy[Json] = st.lists(
    optional({"type": st.just("function"), "function": functions}),
    max_size=3,
    unique_by=lambda tool: str(as_object(tool.get("function")).get("name")),
).map(lambda found: [*found])
shares = st.floats(0, 1, allow_nan=False)
requests = optional(
    {"model": words, "messages": messages},
    {
        "stream": st.booleans(),
        "max_tokens": st.integers(1, 9999),
        "stop_sequences": listed(words, most=5),
        "temperature": st.one_of(shares, one_of(0, 1)),
        "seed": st.integers(),
        "frequency_penalty": shares,
        "presence_penalty": shares,
        "k": st.integers(0, 500),
        "p": st.floats(0.01, 0.99),
        "logprobs": st.just(True),
        "thinking": one_of(
            {"type": "enabled"}, {"type": "disabled"}, {"type": "enabled", "token_budget": 9}, {"type": "new"}
        ),
        "documents": one_of(["a"], [{"data": {"t": "x"}, "id": "1"}]),
        "citation_options": one_of({"mode": "ACCURATE"}),
        "safety_mode": one_of("STRICT", "OFF"),
        "priority": st.integers(0, 9),
    },
)
offers: Strategy[JsonObject] = st.one_of(
    exact({}, {"tools": tools}),
    exact(
        {"tools": tools.filter(bool)},
        {"strict_tools": st.booleans(), "tool_choice": one_of("REQUIRED", "NONE")},
    ),
    exact(
        {
            "response_format": one_of(
                {"type": "text"},
                {"type": "json_object"},
                {"type": "json_object", "json_schema": {"type": "object", "properties": {}}},
                {"type": "json_object", "schema": {}},
            )
        }
    ),
)
asked_for = st.tuples(requests, offers).map(lambda both: {**both[0], **both[1]})


def body_of(sent: bytes) -> JsonObject:
    """The JSON object that was sent."""
    return as_object(json.loads(sent))


def expected(wire: JsonObject, *, stream: bool) -> JsonObject:
    """What the vendor must be told: the same, but for the model and how the answer comes."""
    made: JsonObject = {**wire, "model": "m-1"}
    made.pop("stream", None)
    return {**made, "stream": True} if stream else made


@pytest.mark.promise("P1")
@given(asked_for, st.booleans())
def test_a_request_rebuilt_from_the_vocabulary_loses_nothing(wire: JsonObject, stream: bool) -> None:
    """Client → vocabulary → vendor keeps every field, known or not, when the bytes are not forwarded."""
    asked = CODEC.parse_request(dump_json(wire).encode()).request
    sent = CODEC.render_request(replace(asked, original=None), TARGET, stream=stream)
    assert body_of(sent.body) == expected(wire, stream=stream)
    assert sent.adapted == ()


@given(asked_for)
def test_a_rendered_request_reads_as_the_same_request(wire: JsonObject) -> None:
    """Vocabulary → vendor → vocabulary gives the same request."""
    asked = CODEC.parse_request(dump_json(wire).encode()).request
    again = CODEC.parse_request(CODEC.render_request(replace(asked, original=None), TARGET, stream=True).body)
    assert again.stream
    assert again.request.stream_usage
    bare = {"original": None, "model": "", "stream_usage": False}
    assert replace(again.request, **bare) == replace(asked, **bare)


@given(asked_for, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_forwarded_bytes_say_what_a_rebuilt_request_says(
    wire: JsonObject, stream: bool, indent: str | int | None
) -> None:
    """Splicing into the client's bytes and rendering anew tell the vendor the same."""
    asked = CODEC.parse_request(json.dumps(wire, indent=indent).encode()).request
    said = body_of(CODEC.render_request(asked, TARGET, stream=stream).body)
    again = body_of(CODEC.render_request(replace(asked, original=None), TARGET, stream=stream).body)
    assert (said.pop("stream", False), again.pop("stream", False)) == (stream, stream)
    assert said == again


def test_untouched_bytes_are_forwarded_with_only_the_model_changed() -> None:
    """Odd spacing, key order and escapes of the client reach the vendor as they are."""
    said = b'"caf\\u00e9 \\"model\\": \\"x\\""'
    body = b'{ "messages":[{"role":"user","content":%s}],\n  "model" : "a/b" , "k":1 }' % said
    asked = CODEC.parse_request(body).request
    assert CODEC.render_request(asked, TARGET, stream=False).body == body.replace(b'"a/b"', b'"m-1"')


def test_a_limit_set_by_policy_is_added_to_the_clients_bytes() -> None:
    """A limit on output that the client did not name joins the untouched bytes."""
    asked = CODEC.parse_request(b'{"model":"a","messages":[{"role":"user","content":"hi"}]}').request
    sent = CODEC.render_request(replace(asked, max_tokens=64), TARGET, stream=True).body
    rest = b'"model":"m-1","messages":[{"role":"user","content":"hi"}]}'
    assert sent == b'{"max_tokens":64,"stream":true,' + rest


def test_bytes_that_no_longer_say_the_request_are_never_forwarded() -> None:
    """Whoever changes a request need not know of its bytes: they are held to what was read from them."""
    body = b'{"model":"a","messages":[{"role":"user","content":"secret"}],"max_tokens":9}'
    asked = CODEC.parse_request(body).request
    redacted = replace(asked, messages=(user("hidden"),))
    assert b"secret" not in CODEC.render_request(redacted, TARGET, stream=False).body
    limited = replace(asked, max_tokens=5)
    assert body_of(CODEC.render_request(limited, TARGET, stream=False).body)["max_tokens"] == 5


def unknown_fields(value: object, path: str = "") -> list[str]:
    """Places where a model of the SDK holds a field that it does not know."""
    if isinstance(value, BaseModel):
        found = [f"{path}.{name}" for name in value.model_extra or {}]
        for name in type(value).model_fields:
            found += unknown_fields(getattr(value, name), f"{path}.{name}")
        return found
    if isinstance(value, list):
        items: list[object] = [*value]
        return [place for item in items for place in unknown_fields(item, f"{path}[]")]
    return []


def is_strictly(adapter: TypeAdapter[Any], value: Json) -> bool:
    """Whether a type of the SDK reads a value strictly and knows each of its fields."""
    found: object = adapter.validate_python(value, strict=True)
    return unknown_fields(found) == []


@pytest.mark.promise("P2")
def test_the_sdk_knows_every_field_of_a_full_request() -> None:
    """The SDK's own types read what is sent, strictly, and meet no field that they do not know."""
    pixel = Image(data=b"\x89PNG", media_type="image/png", detail="low")
    document = File(data=b"x,y", media_type="text/csv", name="a.csv")
    request = CompletionRequest(
        model="x",
        messages=(
            system("Be brief."),
            user("Look:", pixel, document),
            assistant(
                Reasoning(text="plan", id="tool_plan", vendor="vendor"),
                Reasoning(text="hm", vendor="vendor"),
                Text("ok", citations=({"start": 0, "end": 2, "text": "ok", "sources": []},)),
                ToolCall(id="c1", name="git.hub", arguments='{"a": 1}'),
            ),
            Message("tool", (ToolResult(call_id="c1", name="git.hub", content=(Text("r"), document)),)),
        ),
        tools=(ToolSpec(name="git.hub", description="d", strict=True),),
        reasoning_budget=64,
    )
    body = body_of(CODEC.render_request(request, TARGET, stream=False).body)
    assert is_strictly(TypeAdapter(ChatMessages), body["messages"])
    assert is_strictly(TypeAdapter(list[ToolV2]), body["tools"])
    assert is_strictly(TypeAdapter(list[Document]), body["documents"])
    assert is_strictly(TypeAdapter(Thinking), body["thinking"])
    formed = replace(request, tools=(), response_format=ResponseFormat(schema={"type": "object"}))
    form = body_of(CODEC.render_request(formed, TARGET, stream=False).body)["response_format"]
    assert is_strictly(TypeAdapter(ResponseFormatV2), form)
