"""What requests of the dialect openai-chat say, and which are refused, on either side."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    Audio,
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
    ResponseFormat,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.messages import assistant, system, user
from interlock_providers.codecs import Facts, Target, codec

CODEC = codec("openai-chat")
TARGET = Target(provider="vendor", model="m-1")
PIXEL = "data:image/png;base64,iVBORw=="


def body_of(sent: bytes) -> JsonObject:
    """The JSON object that was sent."""
    return as_object(json.loads(sent))


def test_dotted_tool_names_become_legal_on_the_wire_and_come_back() -> None:
    """A catalogue's names are mapped in tools, choice and history alike."""
    request = CompletionRequest(
        model="x",
        messages=(user("go"), assistant(ToolCall(id="1", name="github.issues_create"))),
        tools=(ToolSpec(name="github.issues_create", strict=True),),
        tool_choice=ToolChoice(mode="required", name="github.issues_create"),
    )
    sent = CODEC.render_request(request, TARGET, stream=False)
    body = body_of(sent.body)
    assert as_object(as_object(as_array(body["tools"])[0])["function"])["name"] == "github_issues_create"
    assert body["tool_choice"] == {"type": "function", "function": {"name": "github_issues_create"}}
    call = as_object(as_array(as_object(as_array(body["messages"])[1])["tool_calls"])[0])
    assert as_object(call["function"])["name"] == "github_issues_create"
    assert sent.names.core("github_issues_create") == "github.issues_create"


USER_PARTS: list[tuple[Content, JsonObject]] = [
    (Text("Look:"), {"type": "text", "text": "Look:"}),
    (
        Image(url="https://example.org/a.png", detail="low"),
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
    ),
    (
        Image(data=b"\x89PNG", media_type="image/png"),
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
    ),
    (
        File(data=b"%PDF-", media_type="application/pdf", name="a.pdf"),
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}},
    ),
    (File(file_id="file-1"), {"type": "file", "file": {"file_id": "file-1"}}),
    (
        Audio(data=b"RIFF", format="wav"),
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    ),
    (
        Text("cached", cache=CacheHint(ttl="30m")),
        {"type": "text", "text": "cached", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
    ),
]


def messages_sent(*messages: Message) -> Json:
    """The messages as the vendor is told them."""
    sent = CODEC.render_request(CompletionRequest(model="x", messages=messages), TARGET, stream=False)
    return body_of(sent.body)["messages"]


@pytest.mark.promise("P1")
def test_every_kind_of_content_is_told_in_the_dialects_words() -> None:
    """One user message of each part, as the vendor reads it."""
    parts = [part for part, _ in USER_PARTS]
    wires: list[Json] = [wire for _, wire in USER_PARTS]
    assert messages_sent(user(*parts)) == [{"role": "user", "content": wires}]


def test_a_conversation_is_told_in_the_dialects_words() -> None:
    """Reasoning, calls and refusals in the assistant's fields; each result in a message of its own."""
    results = (ToolResult(call_id="c1", name="t", content=(Text("r"),)), ToolResult(call_id="c2", name="t"))
    called = ToolCall(id="c1", name="t", arguments='{"a": 1}')
    assert messages_sent(
        system("Be brief."),
        assistant(Reasoning(text="hm", vendor="vendor"), "ok", called),
        Message("tool", results),
        assistant(Refusal("no")),
    ) == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "assistant",
            "content": "ok",
            "reasoning_content": "hm",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "t", "arguments": '{"a": 1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "r"},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    ]


@pytest.mark.promise("P3")
def test_the_form_of_the_answer_is_told_in_the_dialects_words() -> None:
    """Schema, limit, probabilities and stops."""
    request = CompletionRequest(
        model="x",
        messages=(user("hi"),),
        response_format=ResponseFormat(schema={"type": "object"}, strict=True, description="d"),
        max_tokens=5,
        logprobs=0,
        stop=("a",),
    )
    wanted: JsonObject = {"name": "answer", "description": "d", "schema": {"type": "object"}, "strict": True}
    assert body_of(CODEC.render_request(request, TARGET, stream=False).body) == {
        "model": "m-1",
        "messages": [{"role": "user", "content": "hi"}],
        "response_format": {"type": "json_schema", "json_schema": wanted},
        "max_tokens": 5,
        "logprobs": True,
        "stop": ["a"],
    }
    loose = replace(request, response_format=ResponseFormat(kind="json_object"), stop=())
    body = body_of(CODEC.render_request(loose, TARGET, stream=False).body)
    assert body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    "thought",
    [
        Reasoning(text="t", vendor="another"),
        Reasoning(text="t", signature="s"),
        Reasoning(text="t", encrypted="e", vendor="vendor"),
    ],
)
def test_reasoning_goes_back_only_to_the_server_that_said_it(thought: Reasoning) -> None:
    """Another vendor's, signed or encrypted reasoning is not sent to a server that cannot know it."""
    request = CompletionRequest(model="x", messages=(assistant(thought, "ok"),))
    assert b"reasoning" not in CODEC.render_request(request, TARGET, stream=False).body


def test_reasoning_is_left_out_where_the_server_takes_none() -> None:
    """A row's fact keeps reasoning from a server that would refuse the field."""
    request = CompletionRequest(model="x", messages=(assistant(Reasoning(text="t"), "ok"),))
    target = replace(TARGET, facts=Facts(reasoning=False))
    assert b"reasoning" not in CODEC.render_request(request, target, stream=False).body


FILES: list[tuple[JsonObject, File]] = [
    ({"file_id": "f", "filename": "a.pdf"}, File(file_id="f", name="a.pdf")),
    (
        {"file_data": "data:application/pdf;base64,JVBERi0="},
        File(data=b"%PDF-", media_type="application/pdf"),
    ),
    ({"file_data": "JVBERi0=", "filename": "a"}, File(data=b"%PDF-", name="a")),
    ({"file_data": "data:text/plain,hi"}, File(url="data:text/plain,hi")),
    ({"file_data": "JVBERi0=", "file_id": "f"}, File(file_id="f")),
]


@pytest.mark.parametrize(("wire", "part"), FILES)
def test_every_form_of_a_file_is_read_and_written_back(wire: JsonObject, part: File) -> None:
    """By id, as a data URL, as plain base64, or as something that only the vendor understands."""
    message: JsonObject = {"role": "user", "content": [{"type": "file", "file": wire}]}
    asked = CODEC.parse_request(dump_json({"model": "a", "messages": [message]}).encode()).request
    assert asked.messages[0].content == (part,)
    sent = CODEC.render_request(replace(asked, original=None), TARGET, stream=False)
    assert body_of(sent.body)["messages"] == [message]


def test_a_breakpoint_of_an_unknown_form_is_kept_as_it_is() -> None:
    """Only the documented form becomes a cache hint; the rest goes to the same dialect untouched."""
    hints: list[Json] = [
        {"mode": "explicit", "ttl": "30m"},
        {"mode": "implicit"},
        {"mode": "explicit", "ttl": 5},
    ]
    parts: list[Json] = [{"type": "text", "text": "x", "prompt_cache_breakpoint": hint} for hint in hints]
    message: JsonObject = {"role": "user", "content": parts}
    asked = CODEC.parse_request(dump_json({"model": "a", "messages": [message]}).encode()).request
    read = [part.cache for part in asked.messages[0].content if isinstance(part, Text)]
    assert read == [CacheHint(ttl="30m"), None, None]
    sent = CODEC.render_request(replace(asked, original=None), TARGET, stream=False)
    assert body_of(sent.body)["messages"] == [message]


def test_a_number_that_json_has_not_is_refused_before_the_call() -> None:
    """A schema or an extra field cannot carry NaN to the vendor."""
    request = CompletionRequest(model="x", messages=(user("hi"),), extra={"x": float("nan")})
    with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
        CODEC.render_request(request, TARGET, stream=False)


@pytest.mark.parametrize(
    ("part", "words_"),
    [
        (File(url="https://example.org/a.pdf"), "a file by URL"),
        (Image(file_id="file-1"), "an image by a vendor's file id"),
    ],
)
def test_what_the_dialect_cannot_say_is_refused_before_the_call(part: File | Image, words_: str) -> None:
    """The error names the place and the nearest alternative."""
    request = CompletionRequest(model="x", messages=(user(part),))
    with pytest.raises(UnsupportedError, match=words_) as caught:
        CODEC.render_request(request, TARGET, stream=False)
    assert caught.value.field == "messages[0].content[0]"
    assert caught.value.remedy


def test_images_in_tool_results_are_refused_where_the_server_takes_only_text() -> None:
    """A client's own bytes do not slip past the refusal either."""
    wire: JsonObject = {
        "model": "a",
        "messages": [
            {"role": "user", "content": "x"},
            {
                "role": "tool",
                "tool_call_id": "1",
                "content": [{"type": "image_url", "image_url": {"url": PIXEL}}],
            },
        ],
    }
    asked = CODEC.parse_request(dump_json(wire).encode()).request
    assert PIXEL.encode() in CODEC.render_request(asked, TARGET, stream=False).body
    with pytest.raises(UnsupportedError, match="takes only text in tool results"):
        CODEC.render_request(asked, replace(TARGET, facts=Facts(tool_images=False)), stream=False)


@pytest.mark.parametrize(
    "message",
    [
        Message("tool", (Text("loose"),)),
        Message("tool", ()),
        user(ToolResult(call_id="1", name="t")),
        user(Image(data=b"x")),
    ],
)
def test_parts_in_the_wrong_message_are_refused(message: Message) -> None:
    """Hand-built conversations that no dialect could say fail here, not at the vendor."""
    request = CompletionRequest(model="x", messages=(message,))
    with pytest.raises(InvalidRequestError) as caught:
        CODEC.render_request(request, TARGET, stream=False)
    assert str(caught.value.field).startswith("messages[0]")


def test_fields_of_another_dialect_are_refused_by_name() -> None:
    """What only another dialect has is not dropped in silence."""
    extra: JsonObject = {"thinking": {"type": "enabled"}, "interlock:other-dialect": {}}
    request = CompletionRequest(model="x", messages=(user("hi"),), extra=extra)
    with pytest.raises(UnsupportedError, match="thinking is a field of the dialect other-dialect"):
        CODEC.render_request(request, TARGET, stream=False)


def test_extra_fields_never_override_what_the_vocabulary_says() -> None:
    """An extra field of a known name cannot smuggle in another model or conversation."""
    extra: JsonObject = {"model": "dear", "messages": [], "logit_bias": {"1": 2}}
    sent = body_of(
        CODEC.render_request(
            CompletionRequest(model="x", messages=(user("hi"),), extra=extra), TARGET, stream=False
        ).body
    )
    assert sent == {"model": "m-1", "messages": [{"role": "user", "content": "hi"}], "logit_bias": {"1": 2}}


@pytest.mark.parametrize(
    ("field", "wire"),
    [
        ("body", b"[]"),
        ("body", b"{"),
        ("body", b"\xff"),
        ("body", b'{"model":"a","model":"b","messages":[]}'),
        ("body", b'{"model":"a","temperature":1e999}'),
        ("body", b'{"model":"a","temperature":NaN}'),
        ("body", b"[" * 100_000),
        ("model", b'{"messages":[{"role":"user","content":"x"}]}'),
        ("model", b'{"model":7,"messages":[{"role":"user","content":"x"}]}'),
        ("messages", b'{"model":"a"}'),
        ("messages", b'{"model":"a","messages":[]}'),
        ("messages", b'{"model":"a","messages":{}}'),
        ("messages[0]", b'{"model":"a","messages":["x"]}'),
        ("messages[0].role", b'{"model":"a","messages":[{"role":"function","content":"x"}]}'),
        ("messages[0].content", b'{"model":"a","messages":[{"role":"user"}]}'),
        ("messages[0].content", b'{"model":"a","messages":[{"role":"user","content":3}]}'),
        (
            "messages[0].content[1].type",
            b'{"model":"a","messages":[{"role":"user","content":[{"type":"text","text":""},{"type":"video_url"}]}]}',
        ),
        (
            "messages[0].content[0].text",
            b'{"model":"a","messages":[{"role":"user","content":[{"type":"text"}]}]}',
        ),
        (
            "messages[0].content[0].image_url",
            b'{"model":"a","messages":[{"role":"user","content":[{"type":"image_url"}]}]}',
        ),
        (
            "messages[0].content[0].image_url.url",
            b'{"model":"a","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}',
        ),
        (
            "messages[0].content[0].input_audio.data",
            b'{"model":"a","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"?","format":"wav"}}]}]}',
        ),
        (
            "messages[0].content[0].file.file_data",
            b'{"model":"a","messages":[{"role":"user","content":[{"type":"file","file":{}}]}]}',
        ),
        ("messages[0].tool_call_id", b'{"model":"a","messages":[{"role":"tool","content":"x"}]}'),
        (
            "messages[0].content[0].type",
            b'{"model":"a","messages":[{"role":"tool","tool_call_id":"1","content":[{"type":"refusal","refusal":"x"}]}]}',
        ),
        (
            "messages[0].tool_calls[0].id",
            b'{"model":"a","messages":[{"role":"assistant","tool_calls":[{}]}]}',
        ),
        (
            "messages[0].tool_calls[0].type",
            b'{"model":"a","messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"x"}]}]}',
        ),
        (
            "messages[0].tool_calls[0].function.arguments",
            b'{"model":"a","messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":{}}}]}]}',
        ),
        (
            "messages[0].interlock:openai-chat",
            b'{"model":"a","messages":[{"role":"user","content":"x","interlock:openai-chat":{}}]}',
        ),
        ("interlock:openai-chat", b'{"model":"a","interlock:openai-chat":{}}'),
        ("tools", b'{"model":"a","messages":[{"role":"user","content":"x"}],"tools":{}}'),
        ("tools[0].type", b'{"model":"a","messages":[{"role":"user","content":"x"}],"tools":[{}]}'),
        (
            "tools[0].function",
            b'{"model":"a","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function"}]}',
        ),
        (
            "tools[0].function.parameters",
            b'{"model":"a","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":[]}}]}',
        ),
        (
            "tools[1].function.name",
            b'{"model":"a","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"f"}}]}',
        ),
        ("tool_choice", b'{"model":"a","messages":[{"role":"user","content":"x"}],"tool_choice":"any"}'),
        (
            "parallel_tool_calls",
            b'{"model":"a","messages":[{"role":"user","content":"x"}],"parallel_tool_calls":1}',
        ),
        (
            "response_format.type",
            b'{"model":"a","messages":[{"role":"user","content":"x"}],"response_format":{}}',
        ),
        (
            "response_format.json_schema.schema",
            b'{"model":"a","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":1}}}',
        ),
        ("max_tokens", b'{"model":"a","messages":[{"role":"user","content":"x"}],"max_tokens":0}'),
        (
            "max_tokens",
            b'{"model":"a","messages":[{"role":"user","content":"x"}],"max_tokens":1,"max_completion_tokens":9}',
        ),
        ("temperature", b'{"model":"a","messages":[{"role":"user","content":"x"}],"temperature":true}'),
        ("n", b'{"model":"a","messages":[{"role":"user","content":"x"}],"n":0}'),
        ("seed", b'{"model":"a","messages":[{"role":"user","content":"x"}],"seed":1.5}'),
        ("stop", b'{"model":"a","messages":[{"role":"user","content":"x"}],"stop":1}'),
        ("stop[0]", b'{"model":"a","messages":[{"role":"user","content":"x"}],"stop":[1]}'),
        ("logprobs", b'{"model":"a","messages":[{"role":"user","content":"x"}],"logprobs":3}'),
        ("metadata.a", b'{"model":"a","messages":[{"role":"user","content":"x"}],"metadata":{"a":1}}'),
        ("stream", b'{"model":"a","messages":[{"role":"user","content":"x"}],"stream":"yes"}'),
        ("stream_options", b'{"model":"a","messages":[{"role":"user","content":"x"}],"stream_options":[]}'),
    ],
)
def test_a_wrong_request_is_refused_with_the_name_of_the_field(field: str, wire: bytes) -> None:
    """Each wrong place is named as the client wrote it, with what to send instead."""
    with pytest.raises(InvalidRequestError) as caught:
        CODEC.parse_request(wire)
    assert caught.value.field == field
    assert caught.value.remedy


def test_a_tool_that_is_addressed_to_the_gateway_is_never_passed_on() -> None:
    """Server-side tools are not built: they are refused by name."""
    wire: JsonObject = {
        "model": "a",
        "messages": [{"role": "user", "content": "x"}],
        "tools": [{"type": "mcp", "server_label": "github"}],
    }
    with pytest.raises(UnsupportedError, match="not served here yet") as caught:
        CODEC.parse_request(dump_json(wire).encode())
    assert caught.value.field == "tools[0].type"


def test_a_null_field_counts_as_absent() -> None:
    """Clients that send every field, most of them null, are understood."""
    body = b'{"model":"a","messages":[{"role":"user","content":"x"}],"temperature":null,"tools":null}'
    asked = CODEC.parse_request(body).request
    assert (asked.temperature, asked.tools, asked.extra) == (None, (), {})


def test_the_result_of_a_call_knows_its_tools_name() -> None:
    """A tool message names only the call; the name comes from the call itself."""
    wire: JsonObject = {
        "model": "a",
        "messages": [
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "ok"},
        ],
    }
    asked = CODEC.parse_request(dump_json(wire).encode()).request
    assert asked.messages[1].tool_results[0].name == "f"


def test_a_lone_surrogate_passes_through() -> None:
    """A text that UTF-8 cannot hold stays escaped instead of failing."""
    body = b'{"model":"a","messages":[{"role":"user","content":"\\ud83d"}]}'
    asked = CODEC.parse_request(body).request
    sent = CODEC.render_request(replace(asked, original=None), TARGET, stream=False).body
    assert b"\\ud83d" in sent


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
                    ["role", "content", "type", "text", "function", "name", "id", "image_url", "url"]
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=12,
    ),
    st.sampled_from(
        ["messages", "tools", "tool_choice", "response_format", "stop", "metadata", "stream_options"]
    ),
)
def test_no_json_makes_the_reader_fail_in_another_way(value: Json, field: str) -> None:
    """Whatever stands in a field is understood or refused by name."""
    wire: JsonObject = {"model": "a", "messages": [{"role": "user", "content": "x"}], field: value}
    refused: InvalidRequestError | None = None
    try:
        asked = CODEC.parse_request(dump_json(wire).encode()).request
        CODEC.render_request(replace(asked, original=None), TARGET, stream=True)
    except InvalidRequestError as error:
        refused = error
    assert refused is None or refused.field is not None
