"""What requests of the dialect openai-responses say, what is adapted, and what is refused."""

import json
from dataclasses import replace

import pytest

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

CODEC = codec("openai-responses")
TARGET = Target(provider="openai", model="m-1", facts=Facts(reasoning=False))
STATELESS: JsonObject = {"store": False, "include": ["reasoning.encrypted_content"]}


def sent(request: CompletionRequest, target: Target = TARGET, *, stream: bool = False) -> JsonObject:
    """What the vendor is sent."""
    return as_object(json.loads(CODEC.render_request(request, target, stream=stream).body))


def items_of(*messages: Message, target: Target = TARGET) -> Json:
    """The input items that the vendor is sent."""
    return sent(CompletionRequest(model="x", messages=messages), target)["input"]


def adapted(**settings: object) -> tuple[str, ...]:
    """What is done in another way than these settings ask."""
    request = replace(CompletionRequest(model="x", messages=(user("hi"),)), **settings)
    return CODEC.render_request(request, TARGET, stream=False).adapted


USER_PARTS: list[tuple[Content, JsonObject]] = [
    (Text("Look:"), {"type": "input_text", "text": "Look:"}),
    (
        Text("cached", cache=CacheHint(ttl="30m")),
        {
            "type": "input_text",
            "text": "cached",
            "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"},
        },
    ),
    (
        Image(url="https://example.org/a.png", detail="low"),
        {"type": "input_image", "detail": "low", "image_url": "https://example.org/a.png"},
    ),
    (
        Image(data=b"\x89PNG", media_type="image/png", cache=CacheHint()),
        {
            "type": "input_image",
            "detail": "auto",
            "image_url": "data:image/png;base64,iVBORw==",
            "prompt_cache_breakpoint": {"mode": "explicit"},
        },
    ),
    (Image(file_id="file-1"), {"type": "input_image", "detail": "auto", "file_id": "file-1"}),
    (
        File(data=b"%PDF-", media_type="application/pdf", name="a.pdf"),
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
    ),
    (
        File(url="https://example.org/a.pdf"),
        {"type": "input_file", "file_url": "https://example.org/a.pdf"},
    ),
    (File(file_id="file-1"), {"type": "input_file", "file_id": "file-1"}),
    (
        Audio(data=b"RIFF", format="wav"),
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    ),
]


@pytest.mark.promise("P1")
def test_every_kind_of_content_is_told_in_the_dialects_words() -> None:
    """One user message of each part, as the vendor reads it."""
    parts = [part for part, _ in USER_PARTS]
    wires: list[Json] = [wire for _, wire in USER_PARTS]
    assert items_of(user(*parts)) == [{"type": "message", "role": "user", "content": wires}]


@pytest.mark.promise("P1")
def test_a_conversation_is_told_as_items() -> None:
    """Reasoning, words, calls, results and refusals, each an item in its place."""
    results = (
        ToolResult(call_id="c1", name="t", content=(Text("r"),)),
        ToolResult(call_id="c2", name="t"),
        ToolResult(call_id="c3", name="t", content=(Text("see"), Image(url="https://example.org/a.png"))),
    )
    thought = Reasoning(text="hm", encrypted="gAAAAA==", id="rs_1", vendor="openai")
    calls = (
        ToolCall(id="c1", name="t", arguments='{"a": 1}'),
        ToolCall(id="c2", name="t"),
        ToolCall(id="c3", name="t"),
    )
    assert items_of(
        system("Be brief."),
        assistant(thought, "ok", *calls),
        Message("tool", results),
        assistant(Refusal("no")),
    ) == [
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "gAAAAA==",
        },
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]},
        {"type": "function_call", "call_id": "c1", "name": "t", "arguments": '{"a": 1}'},
        {"type": "function_call", "call_id": "c2", "name": "t", "arguments": "{}"},
        {"type": "function_call", "call_id": "c3", "name": "t", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "r"},
        {"type": "function_call_output", "call_id": "c2", "output": ""},
        {
            "type": "function_call_output",
            "call_id": "c3",
            "output": [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "detail": "auto", "image_url": "https://example.org/a.png"},
            ],
        },
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    ]


@pytest.mark.promise("P3")
def test_tools_are_flat_and_say_that_they_are_not_strict() -> None:
    """The dialect takes silence for strict, which most schemas are not made for; names become legal."""
    request = CompletionRequest(
        model="x",
        messages=(user("go"), assistant(ToolCall(id="1", name="github.issues_create"))),
        tools=(
            ToolSpec(name="github.issues_create", description="d"),
            ToolSpec(name="t", strict=True, parameters={"type": "object"}),
        ),
        tool_choice=ToolChoice(mode="required", name="github.issues_create", parallel=False),
    )
    rendered = CODEC.render_request(request, TARGET, stream=True)
    body = as_object(json.loads(rendered.body))
    assert body["tools"] == [
        {
            "type": "function",
            "name": "github_issues_create",
            "description": "d",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        },
        {
            "type": "function",
            "name": "t",
            "parameters": {
                "type": "object",
                "properties": {},
                "required": [],
                "additionalProperties": False,
            },
            "strict": True,
        },
    ]
    assert body["tool_choice"] == {"type": "function", "name": "github_issues_create"}
    assert body["parallel_tool_calls"] is False
    assert body["stream"] is True
    assert as_object(as_array(body["input"])[1])["name"] == "github_issues_create"
    assert rendered.names.core("github_issues_create") == "github.issues_create"
    assert rendered.path == "/responses"
    closed: JsonObject = {"required": [], "additionalProperties": False}
    assert CODEC.render_tools(request.tools, strict=True)[0] == {
        **as_object(as_array(body["tools"])[0]),
        "parameters": {"type": "object", "properties": {}, **closed},
        "strict": True,
    }


@pytest.mark.promise("P3")
def test_settings_are_told_in_the_dialects_words() -> None:
    """Form of the answer, limit, probabilities, reasoning, cache, tier, user and tags."""
    request = CompletionRequest(
        model="x",
        messages=(user("hi"),),
        response_format=ResponseFormat(schema={"type": "object"}, strict=True, description="d"),
        max_tokens=50,
        temperature=0.5,
        top_p=0.9,
        logprobs=2,
        n=1,
        reasoning_effort="high",
        service_tier="flex",
        cache_key="k",
        user="u",
        metadata={"a": "b"},
    )
    wanted: JsonObject = {
        "type": "json_schema",
        "name": "answer",
        "description": "d",
        "schema": {"type": "object"},
        "strict": True,
    }
    body = sent(request)
    body.pop("input")
    assert body == {
        "model": "m-1",
        "store": False,
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "max_output_tokens": 50,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_logprobs": 2,
        "service_tier": "flex",
        "prompt_cache_key": "k",
        "safety_identifier": "u",
        "reasoning": {"effort": "high"},
        "metadata": {"a": "b"},
        "text": {"format": wanted},
    }
    loose = sent(replace(request, response_format=ResponseFormat(kind="json_object")))
    assert loose["text"] == {"format": {"type": "json_object"}}
    assert CODEC.render_request(request, TARGET, stream=False).adapted == ()


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("seed", 7, "seed is left to chance"),
        ("presence_penalty", 0.5, "presence_penalty is not applied"),
        ("frequency_penalty", 0.5, "frequency_penalty is not applied"),
        ("top_k", 40, "top_k is not applied"),
        ("reasoning_budget", 0, "reasoning_budget is told as reasoning effort none"),
        ("reasoning_budget", 4_096, "reasoning_budget is told as reasoning effort medium"),
        ("reasoning_budget", 100_000, "reasoning_budget is told as reasoning effort high"),
        ("messages", (Message("user", (Text("x"),), "ann"),), "the name of a speaker is not told"),
        ("messages", (assistant(Text("x", cache=CacheHint())),), "the prompt cache is not cut"),
        ("messages", (assistant(Text("x", citations=({"type": "char"},))),), "citations in another vendor's"),
        (
            "messages",
            (assistant(Reasoning(text="t", vendor="b"), "x"),),
            "earlier reasoning that openai cannot",
        ),
    ],
)
def test_what_is_done_in_another_way_is_said(setting: str, value: object, words: str) -> None:
    """One sentence each, and no field that the vendor would refuse."""
    said = adapted(**{setting: value})
    assert len(said) == 1
    assert said[0].startswith(words)


@pytest.mark.parametrize(("setting", "value"), [("stop", ("END",)), ("n", 2)])
def test_what_nothing_comes_near_to_is_refused(setting: str, value: object) -> None:
    """With the field, and what to do instead."""
    with pytest.raises(UnsupportedError, match="not supported by the Responses API") as caught:
        adapted(**{setting: value})
    assert caught.value.field == setting
    assert caught.value.remedy


@pytest.mark.parametrize(
    "thought",
    [
        Reasoning(text="t", vendor="another", encrypted="e"),
        Reasoning(text="t", vendor="openai", signature="s"),
        Reasoning(text="t", vendor="openai"),
        Reasoning(text="t", vendor="openai", id="rs_1"),
        Reasoning(encrypted="of nobody knows whom"),
    ],
)
def test_reasoning_goes_back_only_to_the_provider_that_made_it(thought: Reasoning) -> None:
    """Another's, signed or bare reasoning would be refused, or read by whom it was not meant for."""
    written = items_of(assistant(thought, "ok"))
    assert [as_object(item)["type"] for item in as_array(written)] == ["message"]


def test_a_server_that_takes_bare_reasoning_gets_its_own_back() -> None:
    """Open models say their reasoning in the clear."""
    target = replace(TARGET, facts=Facts())
    written = items_of(assistant(Reasoning(text="t", vendor="openai"), "ok"), target=target)
    assert as_array(written)[0] == {"type": "reasoning", "summary": [{"type": "summary_text", "text": "t"}]}


def test_a_long_id_of_a_call_is_shortened_alike_for_call_and_result() -> None:
    """The dialect allows 64 characters; other vendors do not keep to that."""
    number = "x" * 200
    items = as_array(
        items_of(
            assistant(ToolCall(id=number, name="t")),
            Message("tool", (ToolResult(call_id=number, name="t", content=(Text("r"),)),)),
        )
    )
    ids = [as_object(item)["call_id"] for item in items]
    assert ids[0] == ids[1] != number
    assert len(str(ids[0])) <= 64


def test_citations_of_the_chat_dialect_are_told_as_annotations() -> None:
    """The same fact, one object less deep."""
    nested: JsonObject = {"url": "https://example.org", "title": "t", "start_index": 0, "end_index": 1}
    cited = Text("x", citations=({"type": "url_citation", "url_citation": nested},))
    message = as_object(as_array(items_of(assistant(cited)))[0])
    assert message["content"] == [
        {"type": "output_text", "text": "x", "annotations": [{"type": "url_citation", **nested}]}
    ]


def test_a_changed_message_is_told_in_the_plainest_form() -> None:
    """A note that no longer fits its message is not followed; what it kept beside the message is not lost."""
    items: list[Json] = [
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "function_call", "call_id": "c", "name": "t", "arguments": "{}"},
    ]
    asked = CODEC.parse_request(dump_json({"model": "a", "input": items}).encode()).request
    message = replace(asked.messages[0], content=(Text("b"), Text("c")))
    written = sent(replace(asked, original=None, messages=(message,)))["input"]
    assert written == [
        items[0],
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "b"}, {"type": "output_text", "text": "c"}],
        },
    ]


@pytest.mark.parametrize(
    "message",
    [
        Message("tool", (Text("loose"),)),
        Message("tool", ()),
        user(ToolResult(call_id="1", name="t")),
        user(Image(data=b"x")),
        user(File()),
        assistant(Image(url="https://example.org/a.png")),
    ],
)
def test_parts_in_the_wrong_message_are_refused(message: Message) -> None:
    """Hand-built conversations that the dialect could not say fail here, not at the vendor."""
    with pytest.raises(InvalidRequestError) as caught:
        items_of(message)
    assert str(caught.value.field).startswith("messages[0]")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"tools": [{"type": "web_search"}]}, r"tools\[0\].web_search is a field of the dialect"),
        ({"tools": [{"type": "custom", "name": "sh"}]}, r"tools\[0\].custom is a field of the dialect"),
        ({"text": {"verbosity": "low"}}, "text is a field of the dialect"),
        ({"store": True}, "store is a field of the dialect"),
        ({"truncation": "auto"}, "truncation is a field of the dialect"),
        (
            {"input": [{"type": "web_search_call", "id": "ws_1"}, {"role": "user", "content": "x"}]},
            r"messages\[0\].web_search_call is a field of the dialect",
        ),
    ],
)
def test_what_only_this_dialect_has_is_refused_by_name_elsewhere(body: JsonObject, words: str) -> None:
    """Nothing that the vendor would have run or kept is dropped in silence."""
    asked = CODEC.parse_request(dump_json({"model": "a", "input": "x", **body}).encode()).request
    with pytest.raises(UnsupportedError, match=words):
        codec("openai-chat").render_request(asked, TARGET, stream=False)


def test_what_every_vendor_does_anyway_is_no_hindrance_elsewhere() -> None:
    """The usual fields of a stateless client of this dialect reach every vendor."""
    body: JsonObject = {
        "model": "a",
        "input": "x",
        "instructions": "Be brief.",
        "store": False,
        "background": False,
        "truncation": "disabled",
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "text"}},
        "stream_options": {"include_obfuscation": False},
        "prompt_cache_key": "k",
        "safety_identifier": "u",
    }
    asked = CODEC.parse_request(dump_json(body).encode()).request
    rendered = codec("openai-chat").render_request(asked, TARGET, stream=False)
    assert as_object(json.loads(rendered.body)) == {
        "model": "m-1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x"}],
        "reasoning_effort": "low",
        "prompt_cache_key": "k",
        "user": "u",
    }


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("previous_response_id", {"previous_response_id": "resp_1"}),
        ("conversation", {"conversation": "conv_1"}),
        ("background", {"background": True}),
        ("input[0]", {"input": [{"type": "item_reference", "id": "msg_1"}]}),
        ("input[0]", {"input": [{"id": "msg_1"}]}),
        ("tools[0].type", {"tools": [{"type": "mcp", "server_label": "github"}]}),
    ],
)
def test_what_would_have_to_be_stored_or_run_here_is_refused(field: str, body: JsonObject) -> None:
    """With the way to do without it."""
    with pytest.raises(UnsupportedError) as caught:
        CODEC.parse_request(dump_json({"model": "a", "input": "x", **body}).encode())
    assert caught.value.field == field
    assert caught.value.remedy


def test_the_remedy_for_stored_conversations_is_to_send_them() -> None:
    """It names the field."""
    with pytest.raises(UnsupportedError, match="Send the whole conversation in input"):
        CODEC.parse_request(b'{"model":"a","input":"x","previous_response_id":"resp_1"}')


def test_extra_fields_never_override_what_the_vocabulary_says() -> None:
    """An extra field of a known name cannot smuggle in another model, store or conversation."""
    extra: JsonObject = {"model": "dear", "input": [], "store": True, "max_tool_calls": 2}
    body = sent(CompletionRequest(model="x", messages=(user("hi"),), extra=extra))
    assert body == {
        "model": "m-1",
        **STATELESS,
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "max_tool_calls": 2,
    }
