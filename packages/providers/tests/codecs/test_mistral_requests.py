"""Requests of the dialect mistral-chat: what is told, what is told otherwise, and what is refused."""

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

CODEC = codec("mistral-chat")
TARGET = Target(provider="mistral", model="m-1")
PIXEL = "data:image/png;base64,iVBORw=="


def told(request: CompletionRequest, target: Target = TARGET) -> JsonObject:
    """The body that the vendor is sent."""
    return as_object(json.loads(CODEC.render_request(request, target, stream=False).body))


def messages_told(*messages: Message) -> list[Json]:
    """The messages as the vendor is told them."""
    return as_array(told(CompletionRequest(model="x", messages=messages))["messages"])


def adapted(**fields: object) -> tuple[str, ...]:
    """What is said of a request with these fields."""
    request = replace(CompletionRequest(model="x", messages=(user("hi"),)), **fields)
    return CODEC.render_request(request, TARGET, stream=False).adapted


def asked(wire: JsonObject) -> CompletionRequest:
    """A client's request."""
    return CODEC.parse_request(dump_json(wire).encode()).request


@pytest.mark.parametrize(("stream", "accept"), [(False, "application/json"), (True, "text/event-stream")])
def test_a_request_goes_to_the_vendors_path_with_its_headers(stream: bool, accept: str) -> None:
    """As its official SDK sends it."""
    request = CompletionRequest(model="mistral/m-1", messages=(user("hé"),))
    sent = CODEC.render_request(request, TARGET, stream=stream)
    assert (sent.path, sent.headers) == (
        "/v1/chat/completions",
        (("accept", accept), ("content-type", "application/json")),
    )
    assert json.loads(sent.body) == {
        "model": "m-1",
        "messages": [{"role": "user", "content": "hé"}],
        "stream": stream,
    }
    assert sent.adapted == ()


USER_PARTS: list[tuple[Content, JsonObject]] = [
    (Text("Look:"), {"type": "text", "text": "Look:"}),
    (
        Image(url="https://example.org/a.png"),
        {"type": "image_url", "image_url": "https://example.org/a.png"},
    ),
    (
        Image(url="https://example.org/a.png", detail="low"),
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
    ),
    (Image(data=b"\x89PNG", media_type="image/png"), {"type": "image_url", "image_url": PIXEL}),
    (
        File(url="https://example.org/a.pdf", name="a.pdf"),
        {"type": "document_url", "document_url": "https://example.org/a.pdf", "document_name": "a.pdf"},
    ),
    (
        File(data=b"%PDF-", media_type="application/pdf"),
        {"type": "document_url", "document_url": "data:application/pdf;base64,JVBERi0="},
    ),
    (File(file_id="1b2c"), {"type": "file", "file_id": "1b2c"}),
    (Audio(data=b"RIFF", format="wav"), {"type": "input_audio", "input_audio": "UklGRg=="}),
]


@pytest.mark.promise("P1")
def test_every_kind_of_content_is_told_in_the_dialects_words_and_read_back() -> None:
    """One user message of each part, as the vendor reads it, and as a client writes it."""
    parts = tuple(part for part, _ in USER_PARTS)
    wires: list[Json] = [wire for _, wire in USER_PARTS]
    assert messages_told(user(*parts)) == [{"role": "user", "content": wires}]
    read = asked({"model": "x", "messages": [{"role": "user", "content": wires}]})
    assert read.messages[0].content == parts
    assert told(replace(read, original=None))["messages"] == [{"role": "user", "content": wires}]


@pytest.mark.promise("P1", "P3")
def test_a_conversation_is_told_in_the_dialects_words() -> None:
    """Thoughts are chunks with their signature, results name their tool, ids have nine characters."""
    thought = Reasoning(text="hm", signature="sig", vendor="mistral")
    called = ToolCall(id="aB3dE5fG7", name="github.issues_create", arguments='{"a": 1}')
    results = (
        ToolResult(call_id="aB3dE5fG7", name="github.issues_create", content=(Text("r"),)),
        ToolResult(call_id="hI9jK1lM3", name="t", content=(Image(url="https://example.org/a.png"),)),
        ToolResult(call_id="000000000", name=""),
    )
    assert messages_told(
        system("Be brief."),
        user("go"),
        assistant(thought, "ok", called),
        Message("tool", results),
    ) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": [
                {
                    "type": "thinking",
                    "thinking": [{"type": "text", "text": "hm"}],
                    "signature": "sig",
                    "closed": True,
                },
                {"type": "text", "text": "ok"},
            ],
            "tool_calls": [
                {
                    "id": "aB3dE5fG7",
                    "type": "function",
                    "function": {"name": "github_issues_create", "arguments": '{"a": 1}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "aB3dE5fG7", "name": "github_issues_create", "content": "r"},
        {
            "role": "tool",
            "tool_call_id": "hI9jK1lM3",
            "name": "t",
            "content": [{"type": "image_url", "image_url": "https://example.org/a.png"}],
        },
        {"role": "tool", "tool_call_id": "000000000", "content": ""},
    ]


SCHEMA: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED: JsonObject = {**SCHEMA, "required": ["a"], "additionalProperties": False}
FUNCTION: JsonObject = {
    "name": "github_issues_create",
    "description": "d",
    "parameters": CLOSED,
    "strict": True,
}
FORM: JsonObject = {"name": "answer", "description": "what", "schema": SCHEMA, "strict": True}
EVERYTHING: JsonObject = {
    "model": "m-1",
    "messages": [{"role": "user", "content": "go"}],
    "stream": False,
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": "any",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": FORM},
    "max_tokens": 5,
    "temperature": 0.3,
    "top_p": 0.9,
    "top_k": 4,
    "stop": ["a", "b"],
    "random_seed": 7,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "logprobs": True,
    "top_logprobs": 2,
    "n": 2,
    "reasoning_effort": "high",
    "service_tier": "standard_only",
    "prompt_cache_key": "k",
    "metadata": {"team": "a"},
    "safe_prompt": True,
}


@pytest.mark.promise("P3")
def test_tools_their_choice_and_the_form_of_the_answer_are_told_in_the_dialects_words() -> None:
    """Names mapped, strict kept, a forced call is `any`."""
    request = CompletionRequest(
        model="x",
        messages=(user("go"),),
        tools=(ToolSpec(name="github.issues_create", description="d", parameters=CLOSED, strict=True),),
        tool_choice=ToolChoice(mode="required", parallel=False),
        response_format=ResponseFormat(schema=SCHEMA, strict=True, description="what"),
        max_tokens=5,
        temperature=0.3,
        top_p=0.9,
        top_k=4,
        stop=("a", "b"),
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logprobs=2,
        n=2,
        reasoning_effort="high",
        service_tier="standard_only",
        cache_key="k",
        metadata={"team": "a"},
        extra={"safe_prompt": True},
    )
    assert told(request) == EVERYTHING
    assert CODEC.render_tools(request.tools) == [{"type": "function", "function": FUNCTION}]


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        (ToolChoice(), "auto"),
        (ToolChoice(mode="none"), "none"),
        (ToolChoice(mode="required"), "any"),
        (ToolChoice(mode="required", name="f"), {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_every_choice_of_tools_is_told_and_read_back(choice: ToolChoice, wire: Json) -> None:
    """In both directions."""
    request = CompletionRequest(
        model="x", messages=(user("go"),), tools=(ToolSpec(name="f"),), tool_choice=choice
    )
    body = told(request)
    assert body["tool_choice"] == wire
    assert asked(body).tool_choice == choice


@pytest.mark.parametrize("word", ["any", "required"])
def test_a_client_may_use_either_word_for_a_forced_call(word: str) -> None:
    """The word is kept, and a named tool needs no type."""
    body: JsonObject = {"model": "x", "messages": [{"role": "user", "content": "x"}], "tool_choice": word}
    read = asked(body)
    assert read.tool_choice == ToolChoice(mode="required")
    assert told(replace(read, original=None))["tool_choice"] == word
    named = asked({**body, "tool_choice": {"function": {"name": "f"}}})
    assert named.tool_choice == ToolChoice(mode="required", name="f")


SENTENCES: list[tuple[str, object, str]] = [
    ("user", "u-1", "user is not told: mistral has no place for it"),
    ("temperature", 1.8, "temperature is 1.5: mistral takes no more than that, and 1.8 was asked"),
    ("service_tier", "flex", "service_tier is standard_only: mistral has none that is called flex"),
    ("service_tier", "priority", "service_tier is auto: mistral has none that is called priority"),
    (
        "reasoning_budget",
        0,
        "reasoning_effort none stands for a reasoning_budget of 0: mistral has only words for it",
    ),
    (
        "response_format",
        ResponseFormat(),
        "any JSON object is asked for: mistral takes no form without a schema",
    ),
    (
        "messages",
        (replace(user("hi"), name="Ada"),),
        "names of speakers are left out: mistral tells no two of one role apart",
    ),
    (
        "messages",
        (user(Text("hi", cache=CacheHint())),),
        "marks for the prompt cache are left out: mistral caches by itself, or by a key",
    ),
    (
        "messages",
        (user(Image(url="https://example.org/a", detail="original")),),
        "images of the detail original are sent as high: mistral knows auto, low and high",
    ),
    (
        "messages",
        (user(File(file_id="1", name="a.pdf")),),
        "the name of an uploaded file is left out: mistral knows the file by its id",
    ),
    (
        "messages",
        (Message("tool", (ToolResult(call_id="aB3dE5fG7", name="f", is_error=True),)),),
        "that a tool failed is told in words: mistral has no mark for it",
    ),
    (
        "messages",
        (user(File(data=b"hi", media_type="text/markdown; charset=utf-8")),),
        "files of text are told as text: mistral takes documents alone",
    ),
    (
        "messages",
        (assistant(Refusal("no")),),
        "a refusal is told as text: mistral has no place for it",
    ),
    (
        "messages",
        (assistant(Text("a", citations=({"type": "url_citation"},))),),
        "citations in earlier answers are left out: mistral knows only its own",
    ),
    (
        "messages",
        (assistant(Reasoning(text="t", vendor="another"), Reasoning(encrypted="e"), "ok"),),
        "reasoning of earlier answers is left out: mistral did not say it",
    ),
]


@pytest.mark.promise("P1")
@pytest.mark.parametrize(("field", "value", "sentence"), SENTENCES)
def test_what_is_told_otherwise_than_it_was_asked_is_said(field: str, value: object, sentence: str) -> None:
    """One sentence for each, and once."""
    assert adapted(**{field: value}) == (sentence,)


def test_a_budget_of_thought_is_refused_unless_a_word_says_how_much() -> None:
    """A bound that cannot be kept is not dropped; the nearest is a word."""
    request = CompletionRequest(model="x", messages=(user("hi"),), reasoning_budget=500)
    with pytest.raises(UnsupportedError, match="only words") as caught:
        told(request)
    assert (caught.value.field, "reasoning_effort" in str(caught.value.remedy)) == ("reasoning_budget", True)
    assert adapted(reasoning_budget=500, reasoning_effort="low") == (
        "reasoning_budget is left to the model: mistral has only words for how much is thought",
    )


def test_a_file_of_text_is_told_as_text_unless_a_client_sent_it_as_a_document() -> None:
    """With its name; what is no UTF-8 stays a document."""
    files = (
        File(data="hé".encode(), media_type="text/plain", name="a.txt"),
        File(data=b"{}", media_type="application/json"),
        File(data=b"\xff", media_type="text/plain"),
    )
    assert messages_told(user(*files)) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a.txt:\nhé"},
                {"type": "text", "text": "{}"},
                {"type": "document_url", "document_url": "data:text/plain;base64,/w=="},
            ],
        }
    ]
    own: JsonObject = {"type": "document_url", "document_url": "data:text/plain;base64,aGk="}
    read = asked({"model": "x", "messages": [{"role": "user", "content": [own]}]})
    assert told(replace(read, original=None))["messages"] == [{"role": "user", "content": [own]}]


def test_what_is_told_as_it_was_asked_needs_no_sentence() -> None:
    """Tiers that mean the same, and a temperature at the limit."""
    assert adapted(temperature=1.5, service_tier="default") == ()


@pytest.mark.parametrize("thought", [Reasoning(text="t", vendor="mistral"), Reasoning(text="t")])
def test_reasoning_is_left_out_where_the_server_takes_none(thought: Reasoning) -> None:
    """A row's fact keeps it from a server that would refuse it, even within a client's own bytes."""
    request = CompletionRequest(model="x", messages=(assistant(thought, "ok"),))
    assert b"thinking" in CODEC.render_request(request, TARGET, stream=False).body
    target = replace(TARGET, facts=Facts(reasoning=False))
    sent = CODEC.render_request(request, target, stream=False)
    assert b"thinking" not in sent.body
    assert sent.adapted
    own = CODEC.parse_request(CODEC.render_request(request, TARGET, stream=False).body).request
    assert b"thinking" not in CODEC.render_request(own, target, stream=False).body


@pytest.mark.parametrize(
    ("message", "words_"),
    [
        (user(Image(file_id="f")), "an image by a vendor's file id"),
        (user(File(name="a.pdf")), "a file without bytes, URL and id"),
        (Message("system", (Image(url="https://example.org/a"),)), "only text in system"),
    ],
)
def test_what_the_dialect_cannot_say_is_refused_before_the_call(message: Message, words_: str) -> None:
    """The error names the place and the nearest alternative."""
    with pytest.raises(UnsupportedError, match=words_) as caught:
        messages_told(message)
    assert caught.value.field == "messages[0].content[0]"
    assert caught.value.remedy


@pytest.mark.parametrize(
    "message",
    [
        Message("tool", (Text("loose"),)),
        Message("tool", ()),
        user(ToolResult(call_id="1", name="t")),
        user(Reasoning(text="t")),
        user(Image(data=b"x")),
        user(File(data=b"x")),
    ],
)
def test_parts_in_the_wrong_message_are_refused(message: Message) -> None:
    """Hand-built conversations that no dialect could say fail here, not at the vendor."""
    with pytest.raises(InvalidRequestError) as caught:
        messages_told(message)
    assert str(caught.value.field).startswith("messages[0]")


def test_images_in_tool_results_are_refused_where_the_server_takes_only_text() -> None:
    """A client's own bytes do not slip past the refusal either."""
    result = ToolResult(call_id="aB3dE5fG7", name="t", content=(Image(url="https://example.org/a"),))
    request = CompletionRequest(model="x", messages=(Message("tool", (result,)),))
    own = CODEC.parse_request(CODEC.render_request(request, TARGET, stream=False).body).request
    for one in (request, own):
        with pytest.raises(UnsupportedError, match="takes only text in tool results"):
            CODEC.render_request(one, replace(TARGET, facts=Facts(tool_images=False)), stream=False)


def test_fields_of_another_dialect_are_refused_by_name() -> None:
    """What only another dialect has, a vendor's own tools among it, is not dropped in silence."""
    extra: JsonObject = {"logit_bias": {"1": 2}, "interlock:openai-chat": {}}
    request = CompletionRequest(model="x", messages=(user("hi"),), extra=extra)
    with pytest.raises(UnsupportedError, match="logit_bias is a field of the dialect openai-chat"):
        told(request)
    wire: JsonObject = {
        "model": "x",
        "messages": [{"role": "user", "content": "x"}],
        "tools": [{"type": "custom", "custom": {"name": "c"}}],
    }
    foreign = codec("openai-chat").parse_request(dump_json(wire).encode()).request
    with pytest.raises(UnsupportedError, match="a tool of the type custom") as caught:
        told(foreign)
    assert caught.value.field == "tools[0]"
