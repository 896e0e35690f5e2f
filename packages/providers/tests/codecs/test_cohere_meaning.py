"""What requests of the dialect cohere-chat say, what is said in another way, and which are refused."""

import json
from dataclasses import replace

import pytest

from interlock_core import (
    CacheHint,
    CompletionRequest,
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
from interlock_core.jsontypes import as_object, dump_json
from interlock_core.messages import assistant, system, user
from interlock_providers.codecs import Facts, Rendered, Target, codec

CODEC = codec("cohere-chat")
TARGET = Target(provider="vendor", model="m-1")
ASKED = CompletionRequest(model="x", messages=(user("hi"),))
TOOLS = (ToolSpec(name="a"), ToolSpec(name="b"))


def sent(request: CompletionRequest) -> Rendered:
    """The request as it goes to the vendor."""
    return CODEC.render_request(request, TARGET, stream=False)


def said(request: CompletionRequest) -> JsonObject:
    """The JSON object that goes to the vendor, without model and messages."""
    body = as_object(json.loads(sent(request).body))
    return {name: value for name, value in body.items() if name not in {"model", "messages"}}


def messages_sent(*messages: Message) -> Json:
    """The messages as the vendor is told them."""
    return as_object(json.loads(sent(replace(ASKED, messages=messages)).body))["messages"]


def test_a_request_goes_to_the_second_version_of_the_api() -> None:
    """The base URL has no version, so the paths have."""
    rendered = sent(ASKED)
    assert rendered.path == "/v2/chat"
    assert CODEC.models_path == "/v1/models?page_size=1000"
    assert json.loads(rendered.body) == {"model": "m-1", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.promise("P1")
def test_every_kind_of_content_is_told_in_the_dialects_words() -> None:
    """Text and images of a user, by address and by bytes, with their detail."""
    assert messages_sent(
        system("Be brief."),
        user(
            "Look:",
            Image(url="https://example.org/a.png", detail="low"),
            Image(data=b"\x89PNG", media_type="image/png"),
        ),
    ) == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
            ],
        },
    ]


@pytest.mark.promise("P3")
def test_a_conversation_with_calls_is_told_in_the_dialects_words() -> None:
    """Plan, thinking, text, calls and citations in their fields; each result in a message of its own."""
    results = (
        ToolResult(call_id="c1", name="t", content=(Text("r"),)),
        ToolResult(call_id="c2", name="t", content=(Text("x"), Text("y"))),
        ToolResult(call_id="c3", name="t"),
        ToolResult(call_id="c4", name="t", content=(File(data=b"n", media_type="text/plain", name="n.txt"),)),
    )
    citation: JsonObject = {"start": 0, "end": 2, "text": "ok", "sources": [{"type": "tool", "id": "t:0"}]}
    assert messages_sent(
        assistant(
            Reasoning(text="I will look.", id="tool_plan", vendor="vendor"),
            Reasoning(text="hm", vendor="vendor"),
            Text("ok", citations=(citation,)),
            ToolCall(id="c1", name="t", arguments='{"a": 1}'),
        ),
        Message("tool", results),
    ) == [
        {
            "role": "assistant",
            "tool_plan": "I will look.",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "ok"}],
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "t", "arguments": '{"a": 1}'}}
            ],
            "citations": [citation],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "r"},
        {
            "role": "tool",
            "tool_call_id": "c2",
            "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}],
        },
        {"role": "tool", "tool_call_id": "c3", "content": ""},
        {
            "role": "tool",
            "tool_call_id": "c4",
            "content": [{"type": "document", "document": {"data": {"title": "n.txt", "text": "n"}}}],
        },
    ]


def test_illegal_tool_names_become_legal_on_the_wire_and_come_back() -> None:
    """Letters, digits and `_`, and no digit in front: in tools and history alike."""
    request = replace(
        ASKED,
        messages=(user("go"), assistant(ToolCall(id="1", name="git.hub-x"))),
        tools=(ToolSpec(name="git.hub-x"), ToolSpec(name="2nd")),
    )
    rendered = sent(request)
    told = json.loads(rendered.body)
    assert [tool["function"]["name"] for tool in told["tools"]] == ["git_hub_x", "_nd"]
    assert told["messages"][1]["tool_calls"][0]["function"]["name"] == "git_hub_x"
    assert (rendered.names.core("git_hub_x"), rendered.names.core("_nd")) == ("git.hub-x", "2nd")
    function = as_object(as_object(CODEC.render_tools(request.tools, strict=False)[0])["function"])
    assert function == {"name": "git_hub_x", "parameters": {"type": "object", "properties": {}}}


OPTIONS: list[tuple[CompletionRequest, JsonObject]] = [
    (
        replace(ASKED, max_tokens=5, temperature=0.5, top_p=0.9, top_k=3, seed=7, stop=("a", "b")),
        {"max_tokens": 5, "temperature": 0.5, "p": 0.9, "k": 3, "seed": 7, "stop_sequences": ["a", "b"]},
    ),
    (
        replace(ASKED, presence_penalty=0.5, frequency_penalty=1, logprobs=0),
        {"presence_penalty": 0.5, "frequency_penalty": 1, "logprobs": True},
    ),
    (replace(ASKED, reasoning_budget=0), {"thinking": {"type": "disabled"}}),
    (replace(ASKED, reasoning_budget=64), {"thinking": {"type": "enabled", "token_budget": 64}}),
    (replace(ASKED, reasoning_effort="none"), {"thinking": {"type": "disabled"}}),
    (replace(ASKED, n=1, service_tier="auto", tool_choice=ToolChoice(mode="none")), {}),
    (
        replace(ASKED, extra={"priority": 3, "safety_mode": "STRICT"}),
        {"priority": 3, "safety_mode": "STRICT"},
    ),
    (
        replace(ASKED, response_format=ResponseFormat(schema={"type": "object"}, strict=True)),
        {"response_format": {"type": "json_object", "json_schema": {"type": "object"}}},
    ),
    (
        replace(ASKED, response_format=ResponseFormat(kind="json_object")),
        {"response_format": {"type": "json_object"}},
    ),
]


@pytest.mark.parametrize(("request_", "options"), OPTIONS)
def test_options_are_told_in_the_dialects_words(request_: CompletionRequest, options: JsonObject) -> None:
    """Each option in the vendor's field, and nothing is said about it."""
    assert said(request_) == options
    assert sent(request_).adapted == ()


@pytest.mark.parametrize(
    ("choice", "word", "offered"),
    [
        (None, None, ["a", "b"]),
        (ToolChoice(parallel=True), None, ["a", "b"]),
        (ToolChoice(mode="none"), "NONE", ["a", "b"]),
        (ToolChoice(mode="required"), "REQUIRED", ["a", "b"]),
        (ToolChoice(mode="required", name="b"), "REQUIRED", ["b"]),
    ],
)
def test_a_choice_of_tools_is_told_in_the_dialects_words(
    choice: ToolChoice | None, word: str | None, offered: list[str]
) -> None:
    """A tool that must be called is the only one offered, because the vendor cannot be told its name."""
    told = said(replace(ASKED, tools=TOOLS, tool_choice=choice))
    assert told.get("tool_choice") == word
    names = [tool["function"]["name"] for tool in json.loads(dump_json(told["tools"]))]
    assert names == offered


@pytest.mark.parametrize(
    ("flags", "strict"),
    [((None, None), None), ((True, None), True), ((True, False), True), ((False, None), False)],
)
def test_strictness_is_asked_for_all_tools_at_once(
    flags: tuple[bool | None, bool | None], strict: bool | None
) -> None:
    """The vendor knows it for the whole request; whoever wanted a loose tool is told."""
    tools = tuple(replace(tool, strict=flag) for tool, flag in zip(TOOLS, flags, strict=True))
    request = replace(ASKED, tools=tools)
    assert said(request).get("strict_tools") is strict
    assert bool(sent(request).adapted) == (flags == (True, False))


PAGE = File(data=b"a,b", media_type="text/csv; charset=utf-8", name="t.csv")
ADAPTED: list[tuple[CompletionRequest, str, JsonObject]] = [
    (replace(ASKED, top_p=1), "top_p is 0.99 instead of 1: vendor takes 0.01 to 0.99", {"p": 0.99}),
    (replace(ASKED, top_p=0.0), "top_p is 0.01 instead of 0: vendor takes 0.01 to 0.99", {"p": 0.01}),
    (
        replace(ASKED, logprobs=3),
        "log probabilities come for the chosen tokens alone: vendor tells no others",
        {"logprobs": True},
    ),
    (
        replace(ASKED, reasoning_effort="low"),
        "reasoning_effort low is a budget of 1024 tokens: vendor knows a budget alone",
        {"thinking": {"type": "enabled", "token_budget": 1024}},
    ),
    (
        replace(ASKED, reasoning_effort="high"),
        "reasoning_effort high is reasoning without a bound: vendor knows a budget alone",
        {"thinking": {"type": "enabled"}},
    ),
    (
        replace(ASKED, reasoning_effort="high", reasoning_budget=9),
        "reasoning_effort is left out: vendor is told the budget instead",
        {"thinking": {"type": "enabled", "token_budget": 9}},
    ),
    (replace(ASKED, service_tier="flex"), "service_tier flex is left out: vendor serves all in one tier", {}),
    (replace(ASKED, cache_key="k"), "the cache key is left out: vendor caches prompts by itself", {}),
    (replace(ASKED, user="u"), "user is left out: vendor takes no id of the end user", {}),
    (replace(ASKED, metadata={"a": "b"}), "metadata is left out: vendor stores no tags", {}),
    (
        replace(ASKED, response_format=ResponseFormat(schema={"properties": {}})),
        "the answer is an object: vendor takes only the schema of one",
        {"response_format": {"type": "json_object", "json_schema": {"type": "object", "properties": {}}}},
    ),
    (
        replace(ASKED, response_format=ResponseFormat(schema={"type": "object"}, description="d")),
        "the description of the form is left out: vendor is shown its schema alone",
        {"response_format": {"type": "json_object", "json_schema": {"type": "object"}}},
    ),
    (
        replace(ASKED, response_format=ResponseFormat(schema={"type": "object"}, strict=False)),
        "the schema of the answer is enforced: vendor knows no loose one",
        {"response_format": {"type": "json_object", "json_schema": {"type": "object"}}},
    ),
    (
        replace(
            ASKED,
            tools=TOOLS,
            tool_choice=ToolChoice(mode="none"),
            response_format=ResponseFormat(kind="json_object"),
        ),
        "the tools that may not be called are left out: vendor takes no form of the answer beside them",
        {"response_format": {"type": "json_object"}},
    ),
    (
        replace(ASKED, messages=(user("Sum it up.", PAGE),)),
        "files of text are sent as documents: vendor takes no files in messages",
        {"documents": [{"id": "file_1", "data": {"title": "t.csv", "text": "a,b"}}]},
    ),
    (
        replace(ASKED, messages=(user(PAGE),), response_format=ResponseFormat(kind="json_object")),
        "files stand as text in their messages: vendor takes no documents where a form is asked",
        {"response_format": {"type": "json_object"}},
    ),
]


@pytest.mark.parametrize(("request_", "sentence", "options"), ADAPTED)
def test_what_is_done_in_another_way_is_said(
    request_: CompletionRequest, sentence: str, options: JsonObject
) -> None:
    """One sentence for each thing that the vendor cannot do as it was asked."""
    assert sent(request_).adapted == (sentence,)
    assert said(request_) == options


FAILED = ToolResult(call_id="1", name="t", is_error=True)
MENDED: list[tuple[Message, str, JsonObject]] = [
    (
        Message("tool", (replace(FAILED, content=(Text("No such city."),)),)),
        "that a tool failed is told by its words alone: vendor has no mark for it",
        {"role": "tool", "tool_call_id": "1", "content": "No such city."},
    ),
    (
        Message("tool", (FAILED,)),
        "that a tool failed is told by its words alone: vendor has no mark for it",
        {"role": "tool", "tool_call_id": "1", "content": "The tool failed."},
    ),
    (
        Message("user", (Text("x"),), "Ann"),
        "names of speakers are left out: vendor knows only their roles",
        {"role": "user", "content": "x"},
    ),
    (
        user(Text("x", cache=CacheHint())),
        "cache hints are left out: vendor caches prompts by itself",
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
    ),
    (
        user("x", Image(url="https://example.org/a", detail="original")),
        "images of the detail original are sent as high: vendor knows auto, low and high",
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "x"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a", "detail": "high"}},
            ],
        },
    ),
    (
        assistant(Refusal("No.")),
        "a refusal is told as text: vendor has no words of its own for one",
        {"role": "assistant", "content": [{"type": "text", "text": "No."}]},
    ),
    (
        assistant(Reasoning(text="hm", vendor="another"), "ok"),
        "reasoning of another model is left out: vendor understands only its own",
        {"role": "assistant", "content": "ok"},
    ),
    (
        assistant(Reasoning(text="hm", signature="s"), "ok"),
        "reasoning of another model is left out: vendor understands only its own",
        {"role": "assistant", "content": "ok"},
    ),
    (
        assistant(Text("ok", citations=({"type": "url_citation", "url_citation": {}},))),
        "citations of another vendor are left out: vendor understands only its own",
        {"role": "assistant", "content": "ok"},
    ),
    (
        user(PAGE),
        "files of text are sent as documents: vendor takes no files in messages",
        {"role": "user", "content": "See the documents."},
    ),
]


@pytest.mark.parametrize(("message", "sentence", "wire"), MENDED)
def test_a_message_that_is_told_in_another_way_says_so(
    message: Message, sentence: str, wire: JsonObject
) -> None:
    """The nearest that the vendor knows, and one sentence about it."""
    assert sent(replace(ASKED, messages=(message,))).adapted == (sentence,)
    assert messages_sent(message) == [wire]


def test_later_instructions_stand_before_the_conversation() -> None:
    """The vendor takes system messages only at the beginning."""
    request = replace(ASKED, messages=(system("a"), user("hi"), system("b"), user("go")))
    told = json.loads(sent(request).body)["messages"]
    assert [message["content"] for message in told] == ["a", "b", "hi", "go"]
    assert sent(request).adapted == (
        "later system messages stand before all others: vendor takes instructions only there",
    )


def test_one_call_at_a_time_cannot_be_promised() -> None:
    """A vendor that cannot be held to one call is not said to be."""
    one = replace(ASKED, tools=TOOLS, tool_choice=ToolChoice(parallel=False))
    assert sent(one).adapted == ("several tools may be called at once: vendor cannot be held to one call",)
    named = replace(ASKED, tools=TOOLS, tool_choice=ToolChoice(mode="required", name="a"))
    assert sent(named).adapted == ("a is the only tool offered: vendor cannot be told which one to call",)


def test_reasoning_from_a_client_of_another_dialect_is_a_plan_where_tools_are_called() -> None:
    """Such a client does not tell the two apart, and models without thinking know plans alone."""
    call = ToolCall(id="1", name="t")
    assert messages_sent(assistant(Reasoning(text="hm"), call), assistant(Reasoning(text="hm"), "ok")) == [
        {
            "role": "assistant",
            "tool_plan": "hm",
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "t", "arguments": "{}"}}],
        },
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "ok"}],
        },
    ]


def test_reasoning_is_left_out_where_the_server_takes_none() -> None:
    """A row's fact keeps reasoning from a server that would refuse it."""
    request = replace(ASKED, messages=(assistant(Reasoning(text="hm"), "ok"),))
    target = replace(TARGET, facts=Facts(reasoning=False))
    assert b"hm" not in CODEC.render_request(request, target, stream=False).body
