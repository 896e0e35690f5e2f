"""Requests of clients that speak the dialect mistral-chat: forwarded, written anew, or refused."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    CompletionRequest,
    Json,
    JsonObject,
)
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_providers.codecs import Target, codec

CODEC = codec("mistral-chat")
TARGET = Target(provider="mistral", model="m-1")


def told(request: CompletionRequest) -> JsonObject:
    """The body that the vendor is sent."""
    return as_object(json.loads(CODEC.render_request(request, TARGET, stream=False).body))


def asked(wire: JsonObject) -> CompletionRequest:
    """A client's request."""
    return CODEC.parse_request(dump_json(wire).encode()).request


OWN: JsonObject = {
    "model": "mistral/m-1",
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "s"}]},
        {"role": "user", "content": None},
        {
            "role": "user",
            "content": [
                {"type": "resource", "uri": "file:///a", "content": {"type": "text", "text": "a"}},
                {"type": "text", "text": "look"},
                {"type": "resource_link", "uri": "file:///b"},
                {"type": "input_audio", "input_audio": "https://example.org/a.mp3"},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {
                    "type": "thinking",
                    "thinking": [
                        {"type": "text", "text": "a"},
                        {"type": "reference", "reference_ids": [1]},
                        {"type": "text", "text": "b"},
                    ],
                    "closed": False,
                },
                {"type": "reference", "reference_ids": [2]},
                {"type": "text", "text": "It"},
                {"type": "reference", "reference_ids": ["x", 3]},
            ],
            "prefix": True,
        },
    ],
    "stream": True,
    "tools": [
        {"type": "connector", "name": "c"},
        {"type": "function", "function": {"name": "f", "parameters": {}}},
    ],
    "metadata": {"a": 1},
    "guardrails": [{"block_on_error": True}],
    "prompt_mode": "reasoning",
    "stop": "END",
    "random_seed": 3,
}


def test_a_clients_own_words_pass_untouched_and_are_written_again_the_same() -> None:
    """The bytes with another model in them; and, when they must be written anew, the same meaning."""
    body = json.dumps(OWN, indent=1).encode()
    read = CODEC.parse_request(body)
    assert read.stream
    assert (read.request.seed, read.request.stop) == (3, ("END",))
    sent = CODEC.render_request(read.request, TARGET, stream=True)
    assert sent.body == body.replace(b"mistral/m-1", b"m-1")
    anew = CODEC.render_request(replace(read.request, original=None), TARGET, stream=True)
    expected = json.loads(sent.body)
    assert json.loads(anew.body) == expected
    assert CODEC.render_request(read.request, TARGET, stream=False).body == sent.body.replace(
        b'"stream": true', b'"stream": false'
    )


def test_a_limit_that_was_set_since_is_spliced_into_the_clients_bytes() -> None:
    """Anything else that changed is written anew."""
    body = b'{"model": "a", "messages": [{"role": "user", "content": "x"}]}'
    request = CODEC.parse_request(body).request
    sent = CODEC.render_request(replace(request, max_tokens=9), TARGET, stream=False)
    assert sent.body == (
        b'{"max_tokens":9,"stream":false,"model": "m-1", "messages": [{"role": "user", "content": "x"}]}'
    )
    changed = CODEC.render_request(replace(request, temperature=0.5), TARGET, stream=False)
    assert json.loads(changed.body)["temperature"] == 0.5


def test_chunks_that_only_this_dialect_has_are_refused_by_another_by_name() -> None:
    """A resource is not lost on the way to a vendor that knows none."""
    read = asked({**OWN, "tools": [], "metadata": {}, "guardrails": None, "prompt_mode": None})
    other = codec("openai-chat")
    with pytest.raises(
        UnsupportedError, match=r"messages\[2\]\.resource is a field of the dialect mistral-chat"
    ):
        other.render_request(read, Target(provider="openai", model="g"), stream=False)


def test_a_result_without_an_id_answers_the_call_that_waits_for_it() -> None:
    """The dialect lets a client leave ids out, and its SDK writes `null` for none."""
    call: JsonObject = {"id": "null", "type": "function", "index": 0}
    wire: JsonObject = {
        "model": "x",
        "messages": [
            {
                "role": "assistant",
                "content": "",
                "prefix": False,
                "tool_calls": [
                    {**call, "function": {"name": "f", "arguments": {"a": 1}}},
                    {**call, "function": {"name": "g", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "name": "g", "content": "G"},
            {"role": "tool", "tool_call_id": "null", "content": "F"},
        ],
    }
    read = asked(wire)
    first, second = read.messages[0].tool_calls
    assert (first.name, first.arguments, second.name) == ("f", '{"a":1}', "g")
    assert first.id != second.id
    results = [message.tool_results[0] for message in read.messages[1:]]
    assert [(result.call_id, result.name) for result in results] == [(second.id, "g"), (first.id, "f")]
    sent = CODEC.render_request(read, TARGET, stream=False)
    assert b'"null"' not in sent.body
    assert [as_object(item).get("tool_call_id") for item in as_array(told(read)["messages"])[1:]] == [
        second.id,
        first.id,
    ]


def test_what_goes_without_saying_is_no_field_of_the_dialect() -> None:
    """Defaults that the SDK writes out do not keep a request from another vendor."""
    wire: JsonObject = {
        "model": "x",
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": "y", "prefix": False},
            {"role": "user", "content": "z"},
        ],
        "response_format": {"type": "text"},
        "safe_prompt": False,
        "stream": False,
    }
    sent = codec("openai-chat").render_request(asked(wire), Target(provider="o", model="g"), stream=False)
    assert as_object(json.loads(sent.body)).keys() == {"model", "messages"}


USER = '{"model":"a","messages":[{"role":"user","content":"x"}]'


@pytest.mark.parametrize(
    ("field", "wire"),
    [
        ("body", "[]"),
        ("model", '{"messages":[{"role":"user","content":"x"}]}'),
        ("messages", '{"model":"a","messages":[]}'),
        ("messages[0].role", '{"model":"a","messages":[{"role":"developer","content":"x"}]}'),
        ("messages[0].content", '{"model":"a","messages":[{"role":"user"}]}'),
        ("messages[0].content", '{"model":"a","messages":[{"role":"system","content":null}]}'),
        ("messages[0].content", '{"model":"a","messages":[{"role":"user","content":3}]}'),
        (
            "messages[0].content[0].type",
            '{"model":"a","messages":[{"role":"user","content":[{"type":"video"}]}]}',
        ),
        ("messages[0].content[0]", '{"model":"a","messages":[{"role":"user","content":["x"]}]}'),
        (
            "messages[0].content[0].text",
            '{"model":"a","messages":[{"role":"user","content":[{"type":"text"}]}]}',
        ),
        (
            "messages[0].content[0].image_url",
            '{"model":"a","messages":[{"role":"user","content":[{"type":"image_url"}]}]}',
        ),
        (
            "messages[0].content[0].image_url.url",
            '{"model":"a","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}',
        ),
        (
            "messages[0].content[0].input_audio",
            '{"model":"a","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":"?"}]}]}',
        ),
        (
            "messages[0].content[0].thinking",
            '{"model":"a","messages":[{"role":"assistant","content":[{"type":"thinking"}]}]}',
        ),
        (
            "messages[0].resource",
            '{"model":"a","messages":[{"role":"user","resource":1,"content":[{"type":"resource"}]}]}',
        ),
        ("messages[0].tool_call_id", '{"model":"a","messages":[{"role":"tool","content":"x"}]}'),
        (
            "messages[0].content[0].type",
            '{"model":"a","messages":[{"role":"tool","tool_call_id":"1","content":[{"type":"thinking","thinking":[]}]}]}',
        ),
        (
            "messages[0].tool_calls[0].type",
            '{"model":"a","messages":[{"role":"assistant","tool_calls":[{"type":"x"}]}]}',
        ),
        (
            "messages[0].tool_calls[0].function",
            '{"model":"a","messages":[{"role":"assistant","tool_calls":[{}]}]}',
        ),
        (
            "messages[0].tool_calls[0].function.arguments",
            '{"model":"a","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":1}}]}]}',
        ),
        ("tools[0].type", USER + ',"tools":[{"type":"mcp"}]}'),
        ("tool_choice", USER + ',"tool_choice":"some"}'),
        ("random_seed", USER + ',"random_seed":1.5}'),
        ("metadata", USER + ',"metadata":[]}'),
        ("stream", USER + ',"stream":"yes"}'),
        ("interlock:mistral-chat", USER + ',"interlock:mistral-chat":{}}'),
    ],
)
def test_a_wrong_request_is_refused_with_the_name_of_the_field(field: str, wire: str) -> None:
    """Each wrong place is named as the client wrote it, with what to send instead."""
    with pytest.raises(InvalidRequestError) as caught:
        CODEC.parse_request(wire.encode())
    assert caught.value.field == field
    assert caught.value.remedy


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(["role", "content", "type", "text", "thinking", "image_url"]),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=12,
    ),
    st.sampled_from(["messages", "content", "tools", "tool_choice", "response_format", "stop", "metadata"]),
)
def test_no_json_makes_the_reader_fail_in_another_way(value: Json, field: str) -> None:
    """Whatever stands in a field is understood or refused by name."""
    wire: JsonObject = {"model": "a", "messages": [{"role": "user", "content": "x"}], field: value}
    if field == "content":
        wire["messages"] = [{"role": "assistant", "content": value}]
    refused: InvalidRequestError | None = None
    try:
        CODEC.render_request(replace(asked(wire), original=None), TARGET, stream=True)
    except InvalidRequestError as error:
        refused = error
    assert refused is None or refused.field is not None
