"""Requests of the dialect openai-chat, from the client's bytes to the vendor's."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy

from interlock_core import (
    CompletionRequest,
    Json,
    JsonObject,
    Reasoning,
    ToolSpec,
)
from interlock_core.jsontypes import as_object, dump_json
from interlock_core.messages import assistant, user
from interlock_providers.codecs import Facts, Target, codec

CODEC = codec("openai-chat")
TARGET = Target(provider="vendor", model="m-1")
ASKED = CompletionRequest(model="vendor/m-1", messages=(user("hi"),))
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

words = st.text(min_size=1, max_size=12)
names = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789_-", min_size=1, max_size=20)
unknown = st.dictionaries(
    names.map(lambda name: f"x_{name}"), st.one_of(st.integers(), words, st.none()), max_size=2
)


def merged(strategy: Strategy[JsonObject]) -> Strategy[JsonObject]:
    """The objects of a strategy, with fields that the dialect does not know."""
    return st.tuples(strategy, unknown).map(lambda both: {**both[1], **both[0]})


def exact(
    required: Mapping[str, Strategy[Json]], more: Mapping[str, Strategy[Json]] | None = None
) -> Strategy[JsonObject]:
    """Objects with some of the optional fields."""
    return st.fixed_dictionaries({**required}, optional={**(more or {})})


def optional(
    required: Mapping[str, Strategy[Json]], more: Mapping[str, Strategy[Json]]
) -> Strategy[JsonObject]:
    """Objects with some of the optional fields and with unknown ones."""
    return merged(exact(required, more))


def one_of(*values: Json) -> Strategy[Json]:
    """One of these values."""
    return st.sampled_from(values)


def listed(strategy: Strategy[Json], *, least: int = 0, most: int = 3) -> Strategy[Json]:
    """Arrays of a strategy's values."""
    return st.lists(strategy, min_size=least, max_size=most)


schemas = exact(
    {"type": st.just("object"), "properties": st.dictionaries(names, one_of({"type": "string"}), max_size=2)}
)
breakpoints = one_of({"mode": "explicit"}, {"mode": "explicit", "ttl": "30m"}, {"mode": "new", "x": 1})
text_parts = optional({"type": st.just("text"), "text": words}, {"prompt_cache_breakpoint": breakpoints})
image_urls = one_of(PIXEL, "https://example.org/a.png", "data:image/png;base64,AA==\n", "data:,x")
image_parts = optional(
    {
        "type": st.just("image_url"),
        "image_url": optional({"url": image_urls}, {"detail": one_of("low", "original")}),
    },
    {"prompt_cache_breakpoint": breakpoints},
)
file_data = one_of("data:application/pdf;base64,JVBERi0=", "JVBERi0=", "data:text/plain,hi")
files = st.one_of(
    optional({"file_id": words}, {"filename": words}), optional({"file_data": file_data}, {"filename": words})
)
sound = optional({"data": st.just("UklGRg=="), "format": st.just("wav")}, {})
other_parts = st.one_of(
    optional({"type": st.just("file"), "file": files}, {"prompt_cache_breakpoint": breakpoints}),
    optional({"type": st.just("input_audio"), "input_audio": sound}, {}),
)
contents = st.one_of(words, st.just(""), listed(st.one_of(text_parts, image_parts, other_parts)))
text_contents = st.one_of(words, listed(text_parts, least=1, most=2))
calls = st.one_of(
    optional(
        {
            "id": names,
            "type": st.just("function"),
            "function": optional({"name": names, "arguments": words}, {}),
        },
        {},
    ),
    exact({"id": names, "type": st.just("custom"), "custom": exact({"name": names, "input": words})}),
)
messages = listed(
    st.one_of(
        optional({"role": one_of("system", "developer"), "content": text_contents}, {"name": names}),
        optional({"role": st.just("user"), "content": contents}, {"name": names}),
        optional(
            {"role": st.just("assistant"), "content": st.one_of(st.none(), text_contents)},
            {
                "refusal": words,
                "reasoning_content": words,
                "tool_calls": listed(calls, least=1, most=2),
                "audio": one_of({"id": "audio_1"}),
            },
        ),
        optional(
            {"role": st.just("assistant"), "content": words, "reasoning": words},
            {"function_call": one_of({"name": "f", "arguments": "{}"})},
        ),
        optional({"role": st.just("tool"), "content": text_contents, "tool_call_id": names}, {}),
    ),
    least=1,
    most=4,
)
functions = optional({"name": names, "parameters": schemas}, {"description": words, "strict": st.booleans()})
custom: JsonObject = {"type": "custom", "custom": {"name": "grammar", "format": {"type": "text"}}}
tools: Strategy[Json] = st.lists(
    st.one_of(optional({"type": st.just("function"), "function": functions}, {}), st.just(custom)),
    min_size=1,
    max_size=3,
    unique_by=lambda tool: str(as_object(tool.get("function")).get("name")),
).map(lambda found: [*found])
formats = st.one_of(
    one_of({"type": "text"}, {"type": "json_object"}, {"type": "json_object", "schema": {}}),
    exact(
        {
            "type": st.just("json_schema"),
            "json_schema": optional(
                {"name": names, "schema": schemas}, {"strict": st.booleans(), "description": words}
            ),
        }
    ),
)
choices = one_of(
    "auto",
    "none",
    "required",
    {"type": "function", "function": {"name": "f"}},
    {"type": "custom", "custom": {"name": "grammar"}},
    {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
)
numbers = st.one_of(st.integers(-2, 2), st.floats(-2, 2, allow_nan=False))
requests = optional(
    {"model": words, "messages": messages},
    {
        "stream": st.booleans(),
        "stream_options": one_of({"include_usage": True}, {"include_obfuscation": False}),
        "tools": tools,
        "tool_choice": choices,
        "parallel_tool_calls": st.booleans(),
        "response_format": formats,
        "temperature": numbers,
        "top_p": numbers,
        "top_k": st.integers(1, 50),
        "stop": st.one_of(words, listed(words, least=1, most=4)),
        "seed": st.integers(),
        "presence_penalty": numbers,
        "frequency_penalty": numbers,
        "n": st.integers(1, 4),
        "reasoning_effort": words,
        "service_tier": words,
        "prompt_cache_key": words,
        "user": words,
        "metadata": st.dictionaries(names, words, min_size=1, max_size=2).map(lambda tags: {**tags}),
        "logit_bias": one_of({"50256": -100}),
        "modalities": one_of(["text", "audio"]),
        "audio": one_of({"voice": "alloy", "format": "wav"}),
        "verbosity": one_of("low"),
        "store": st.booleans(),
    },
)
limits: Strategy[JsonObject] = st.sampled_from([{}, {"max_tokens": 7}, {"max_completion_tokens": 9}])
probabilities: Strategy[JsonObject] = st.sampled_from(
    [{}, {"logprobs": True}, {"logprobs": True, "top_logprobs": 3}]
)


def body_of(sent: bytes) -> JsonObject:
    """The JSON object that was sent."""
    return as_object(json.loads(sent))


def expected(wire: JsonObject, *, stream: bool) -> JsonObject:
    """What the vendor must be told: the same, but for the model and how the answer comes."""
    made: JsonObject = {**wire, "model": "m-1"}
    options = as_object(made.pop("stream_options", None))
    made.pop("stream", None)
    if stream:
        made["stream"] = True
        made["stream_options"] = {**options, "include_usage": True}
    return made


@pytest.mark.promise("P1")
@given(requests, limits, probabilities, st.booleans())
def test_a_request_rebuilt_from_the_vocabulary_loses_nothing(
    wire: JsonObject, limit: JsonObject, probability: JsonObject, stream: bool
) -> None:
    """Client → vocabulary → vendor keeps every field, known or not, when the bytes are not forwarded."""
    wire = {**wire, **limit, **probability}
    asked = CODEC.parse_request(dump_json(wire).encode()).request
    sent = CODEC.render_request(replace(asked, original=None), TARGET, stream=stream)
    assert body_of(sent.body) == expected(wire, stream=stream)


@given(requests, limits)
def test_a_rendered_request_reads_as_the_same_request(wire: JsonObject, limit: JsonObject) -> None:
    """Vocabulary → vendor → vocabulary gives the same request."""
    asked = CODEC.parse_request(dump_json({**wire, **limit}).encode()).request
    sent = CODEC.render_request(replace(asked, original=None), TARGET, stream=True)
    again = CODEC.parse_request(sent.body)
    assert again.stream
    assert replace(again.request, original=None, model="", stream_usage=False) == (
        replace(asked, original=None, model="", stream_usage=False)
    )


@given(requests, limits, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_forwarded_bytes_say_what_a_rebuilt_request_says(
    wire: JsonObject, limit: JsonObject, stream: bool, indent: str | int | None
) -> None:
    """Splicing into the client's bytes and rendering anew tell the vendor the same."""
    body = json.dumps({**limit, **wire}, indent=indent).encode()
    asked = CODEC.parse_request(body).request
    forwarded = CODEC.render_request(asked, TARGET, stream=stream)
    rebuilt = CODEC.render_request(replace(asked, original=None), TARGET, stream=stream)
    said = body_of(forwarded.body)
    said.pop("stream", None)
    again = body_of(rebuilt.body)
    again.pop("stream", None)
    assert said == again


def test_untouched_bytes_are_forwarded_with_only_the_model_changed() -> None:
    """Odd spacing, key order and escapes of the client reach the vendor as they are."""
    said = b'"caf\\u00e9 \\"model\\": \\"x\\""'
    body = b'{ "messages":[{"role":"user","content":%s}],\n  "model" : "a/b" , "n":1 }' % said
    asked = CODEC.parse_request(body).request
    sent = CODEC.render_request(asked, TARGET, stream=False).body
    assert sent == body.replace(b'"a/b"', b'"m-1"')


def test_what_a_stream_needs_is_added_to_the_clients_bytes() -> None:
    """Streaming and usage are put in front of a body that has neither."""
    body = b'{"model":"a","messages":[{"role":"user","content":"hi"}]}'
    asked = CODEC.parse_request(body).request
    sent = CODEC.render_request(asked, TARGET, stream=True).body
    assert sent == (
        b'{"stream":true,"stream_options":{"include_usage":true},'
        b'"model":"m-1","messages":[{"role":"user","content":"hi"}]}'
    )


def test_a_limit_set_by_policy_is_added_to_the_clients_bytes() -> None:
    """A limit on output that the client did not name joins the untouched bytes."""
    asked = CODEC.parse_request(b'{"model":"a","messages":[{"role":"user","content":"hi"}]}').request
    facts = Facts(max_tokens="max_completion_tokens")
    target = Target(provider="vendor", model="m-1", facts=facts)
    sent = CODEC.render_request(replace(asked, max_tokens=64), target, stream=False).body
    assert sent == b'{"max_completion_tokens":64,"model":"m-1","messages":[{"role":"user","content":"hi"}]}'


CHANGES: list[Callable[[CompletionRequest], CompletionRequest]] = [
    lambda asked: replace(asked, messages=(user("redacted"),)),
    lambda asked: replace(asked, temperature=0.5),
    lambda asked: replace(asked, max_tokens=8, temperature=0.1),
    lambda asked: replace(asked, extra={}),
    lambda asked: replace(asked, tools=(ToolSpec(name="t"),)),
]


@pytest.mark.parametrize("change", CHANGES)
def test_bytes_that_no_longer_say_the_request_are_never_forwarded(
    change: Callable[[CompletionRequest], CompletionRequest],
) -> None:
    """Whoever changes a request need not know of its bytes: they are held to what was read from them."""
    wire: JsonObject = {"model": "a", "messages": [{"role": "user", "content": "secret"}], "x_1": 2}
    changed = change(CODEC.parse_request(dump_json(wire).encode()).request)
    sent = CODEC.render_request(changed, TARGET, stream=False)
    assert sent.body == CODEC.render_request(replace(changed, original=None), TARGET, stream=False).body


def test_a_limit_that_was_lowered_is_what_the_vendor_is_told() -> None:
    """The client's own limit does not come back with its bytes."""
    body = b'{"model":"a","messages":[{"role":"user","content":"hi"}],"max_tokens":9000}'
    asked = CODEC.parse_request(body).request
    sent = body_of(CODEC.render_request(replace(asked, max_tokens=10), TARGET, stream=False).body)
    assert sent["max_tokens"] == 10


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        (
            b'{"model":"a","stream_options":{"include_obfuscation":false},"messages":[{"role":"user","content":"x"}]}',
            {},
        ),
        (
            b'{"model":"a","stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]}',
            {"u": 1},
        ),
        (b'{"mod\\u0065l":"a","metadata":{"model":"b"},"messages":[{"role":"user","content":"x"}]}', {}),
    ],
)
def test_bytes_that_cannot_be_spliced_without_doubt_are_rendered_anew(
    body: bytes, facts: dict[str, int]
) -> None:
    """Correctness first: an escaped key or an option to rewrite falls back to a whole rendering."""
    target = replace(TARGET, facts=Facts(stream_usage=not facts))
    asked = CODEC.parse_request(body).request
    sent = body_of(CODEC.render_request(asked, target, stream=True).body)
    assert sent["model"] == "m-1"
    assert ("include_usage" in as_object(sent.get("stream_options"))) is not bool(facts)
    assert as_object(sent.get("metadata")) in ({}, {"model": "b"})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (replace(ASKED, top_k=5), "top_k is not applied: vendor has none"),
        (
            replace(ASKED, messages=(user("hi"), assistant(Reasoning(text="hm"), "yes"), user("why?"))),
            "earlier reasoning that vendor cannot take back is left out",
        ),
    ],
)
def test_what_this_vendor_would_refuse_is_left_out_and_said(asked: CompletionRequest, said: str) -> None:
    """A server that takes it is told it, without a word."""
    facts = Facts(reasoning=False, top_k=False)
    own = Target(provider="vendor", model="m", facts=facts)
    sent = CODEC.render_request(asked, own, stream=False)
    assert sent.adapted == (said,)
    assert b"top_k" not in sent.body
    assert b"hm" not in sent.body
    other = CODEC.render_request(asked, Target(provider="vendor", model="m"), stream=False)
    assert other.adapted == ()
    assert b'"top_k":5' in other.body or b'"hm"' in other.body
