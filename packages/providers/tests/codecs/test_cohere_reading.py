"""What requests of the dialect cohere-chat are read as, and which are refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    Json,
    JsonObject,
    Reasoning,
    Text,
    ToolCall,
    ToolChoice,
    ToolSpec,
)
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import dump_json
from interlock_providers.codecs import Target, codec

CODEC = codec("cohere-chat")
TARGET = Target(provider="vendor", model="m-1")
HI = '"messages":[{"role":"user","content":"x"}]'


TOOL = '{"type":"function","function":{"name":"f"}}'


@pytest.mark.parametrize(
    ("field", "wire"),
    [
        ("body", "[]"),
        ("body", '{"model":"a","model":"b","messages":[]}'),
        ("model", f"{{{HI}}}"),
        ("messages", '{"model":"a"}'),
        ("messages[0].role", '{"model":"a","messages":[{"role":"developer","content":"x"}]}'),
        ("messages[0].content", '{"model":"a","messages":[{"role":"user"}]}'),
        ("messages[0].content", '{"model":"a","messages":[{"role":"user","content":3}]}'),
        (
            "messages[0].content[0].type",
            '{"model":"a","messages":[{"role":"user","content":[{"type":"thinking","thinking":"x"}]}]}',
        ),
        (
            "messages[0].content[0].text",
            '{"model":"a","messages":[{"role":"user","content":[{"type":"text"}]}]}',
        ),
        (
            "messages[0].content[0].image_url.url",
            '{"model":"a","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}',
        ),
        (
            "messages[0].content[0].document.data",
            '{"model":"a","messages":[{"role":"tool","tool_call_id":"1","content":[{"type":"document"}]}]}',
        ),
        ("messages[0].tool_call_id", '{"model":"a","messages":[{"role":"tool","content":"x"}]}'),
        (
            "messages[0].tool_calls[0].id",
            '{"model":"a","messages":[{"role":"assistant","tool_calls":[{}]}]}',
        ),
        (
            "messages[0].tool_calls[0].type",
            '{"model":"a","messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"x"}]}]}',
        ),
        (
            "messages[0].interlock:cohere-chat",
            '{"model":"a","messages":[{"role":"user","content":"x","interlock:cohere-chat":{}}]}',
        ),
        ("interlock:cohere-chat", '{"model":"a","interlock:cohere-chat":{}}'),
        ("tools[0].type", f'{{"model":"a",{HI},"tools":[{{}}]}}'),
        ("tools[0].function", f'{{"model":"a",{HI},"tools":[{{"type":"function"}}]}}'),
        (
            "tools[0].function.parameters",
            f'{{"model":"a",{HI},"tools":[{{"type":"function","function":{{"name":"f","parameters":1}}}}]}}',
        ),
        (
            "tools[1].function.name",
            f'{{"model":"a",{HI},"tools":[{TOOL},{TOOL}]}}',
        ),
        ("tool_choice", f'{{"model":"a",{HI},"tool_choice":"auto"}}'),
        ("response_format.type", f'{{"model":"a",{HI},"response_format":{{}}}}'),
        (
            "response_format.json_schema",
            f'{{"model":"a",{HI},"response_format":{{"type":"json_object","json_schema":1}}}}',
        ),
        ("thinking", f'{{"model":"a",{HI},"thinking":true}}'),
        (
            "thinking.token_budget",
            f'{{"model":"a",{HI},"thinking":{{"type":"enabled","token_budget":0}}}}',
        ),
        ("max_tokens", f'{{"model":"a",{HI},"max_tokens":0}}'),
        ("temperature", f'{{"model":"a",{HI},"temperature":true}}'),
        ("k", f'{{"model":"a",{HI},"k":-1}}'),
        ("stop_sequences", f'{{"model":"a",{HI},"stop_sequences":"x"}}'),
        ("stop_sequences[0]", f'{{"model":"a",{HI},"stop_sequences":[1]}}'),
        ("logprobs", f'{{"model":"a",{HI},"logprobs":1}}'),
        ("stream", f'{{"model":"a",{HI},"stream":"yes"}}'),
    ],
)
def test_a_wrong_request_is_refused_with_the_name_of_the_field(field: str, wire: str) -> None:
    """Each wrong place is named as the client wrote it, with what to send instead."""
    with pytest.raises(InvalidRequestError) as caught:
        CODEC.parse_request(wire.encode())
    assert caught.value.field == field
    assert caught.value.remedy


def test_a_clients_request_is_read_into_the_vocabulary() -> None:
    """What the dialect names in its own way has the vocabulary's names here."""
    wire: JsonObject = {
        "model": "a",
        "messages": [
            {"role": "user", "content": "x"},
            {
                "role": "assistant",
                "tool_plan": "I will.",
                "content": [{"type": "thinking", "thinking": "hm"}],
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {
                "role": "tool",
                "tool_call_id": "1",
                "content": [{"type": "document", "document": {"data": {"a": 1}}}],
            },
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "strict_tools": True,
        "tool_choice": "REQUIRED",
        "p": 0.5,
        "k": 4,
        "stop_sequences": ["s"],
        "logprobs": True,
        "thinking": {"type": "enabled", "token_budget": 8},
        "stream": True,
    }
    asked = CODEC.parse_request(dump_json(wire).encode())
    request = asked.request
    assert asked.stream
    assert request.messages[1].content == (
        Reasoning(text="I will.", id="tool_plan"),
        Reasoning(text="hm"),
        ToolCall(id="1", name="f", arguments="{}"),
    )
    result = request.messages[2].tool_results[0]
    assert (result.name, result.text) == ("f", '{"a":1}')
    assert request.tools == (ToolSpec(name="f", parameters={"type": "object"}, strict=True),)
    assert request.tool_choice == ToolChoice(mode="required")
    assert (request.top_p, request.top_k, request.stop) == (0.5, 4, ("s",))
    assert (request.logprobs, request.reasoning_budget, request.stream_usage) == (0, 8, True)


def test_a_changed_document_of_a_result_is_not_sent_as_it_came() -> None:
    """Whoever redacts a result need not know of the document that it came in."""
    wire: JsonObject = {
        "model": "a",
        "messages": [
            {
                "role": "tool",
                "tool_call_id": "1",
                "content": [{"type": "document", "document": {"data": {"a": "secret"}, "id": "d"}}],
            }
        ],
    }
    request = CODEC.parse_request(dump_json(wire).encode()).request
    result = replace(request.messages[0].tool_results[0], content=(Text("[hidden]"),))
    redacted = replace(request, messages=(replace(request.messages[0], content=(result,)),))
    assert b"secret" not in CODEC.render_request(redacted, TARGET, stream=False).body


def test_a_null_field_counts_as_absent() -> None:
    """Clients that send every field, most of them null, are understood."""
    nulls = '"temperature":null,"tools":null,"tool_choice":null,"thinking":null,"response_format":null'
    asked = CODEC.parse_request(f'{{"model":"a",{HI},{nulls}}}'.encode()).request
    assert (asked.temperature, asked.tools, asked.tool_choice, asked.extra) == (None, (), None, {})


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_in_another_way(body: bytes) -> None:
    """Whatever comes is a request or a typed refusal."""
    try:
        CODEC.parse_request(body)
    except InvalidRequestError:
        return


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "role",
                        "content",
                        "type",
                        "text",
                        "thinking",
                        "function",
                        "name",
                        "id",
                        "document",
                        "data",
                    ]
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=12,
    ),
    st.sampled_from(["messages", "tools", "tool_choice", "response_format", "thinking", "documents"]),
)
def test_no_json_makes_the_reader_fail_in_another_way(value: Json, field: str) -> None:
    """Whatever stands in a field is understood or refused by name."""
    wire: JsonObject = {"model": "a", "messages": [{"role": "user", "content": "x"}], field: value}
    refused: InvalidRequestError | None = None
    try:
        asked = CODEC.parse_request(dump_json(wire).encode()).request
        CODEC.render_request(replace(asked, original=None), TARGET, stream=False)
    except InvalidRequestError as error:
        refused = error
    assert refused is None or refused.field is not None
