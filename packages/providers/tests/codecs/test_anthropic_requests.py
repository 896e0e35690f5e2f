"""Requests of the dialect anthropic-messages as the vendor is sent them: each feature's wire form."""

import json
from dataclasses import replace

import pytest
from anthropic.types import MessageCreateParams
from pydantic import TypeAdapter

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
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_array, as_object
from interlock_core.messages import assistant, system, tool_results, user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("anthropic-messages")
TARGET = Target(provider="vendor", model="claude-nova-9")
ASKED = CompletionRequest(model="x", messages=(user("hi"),), max_tokens=100)
PARAMS: TypeAdapter[MessageCreateParams] = TypeAdapter(MessageCreateParams)
TOOL = ToolSpec(
    name="github.issues_create",
    description="Creates an issue.",
    parameters={"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
)


def render(request: CompletionRequest, *, stream: bool = False, target: Target = TARGET) -> Rendered:
    """What is sent, held against the types of the official SDK."""
    sent = CODEC.render_request(request, target, stream=stream)
    accepted = {
        name: value for name, value in body_of(sent).items() if name not in {"temperature", "top_p", "top_k"}
    }
    PARAMS.validate_python(accepted)
    return sent


def body_of(sent: Rendered) -> JsonObject:
    """The JSON object that was sent."""
    return as_object(json.loads(sent.body))


def turns(*messages: Message) -> Json:
    """The turns of a conversation as the vendor is told them."""
    return body_of(render(replace(ASKED, messages=messages)))["messages"]


def test_a_plain_request_is_told_in_the_dialects_words() -> None:
    """Path, headers and body of the smallest request; nothing had to be done in another way."""
    sent = render(ASKED)
    assert sent.path == "/v1/messages"
    assert sent.headers == (
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("anthropic-version", "2026-10-21"),
    )
    assert body_of(sent) == {
        "model": "claude-nova-9",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert sent.adapted == ()
    assert body_of(render(ASKED, stream=True))["stream"] is True


USER_PARTS: list[tuple[Content, JsonObject]] = [
    (Text("Look:"), {"type": "text", "text": "Look:"}),
    (
        Image(url="https://example.org/a.png"),
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
    ),
    (
        Image(data=b"\x89PNG", media_type="image/png"),
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
    ),
    (Image(file_id="file_1"), {"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
    (
        File(data=b"%PDF-", media_type="application/pdf", name="a.pdf"),
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            "title": "a.pdf",
        },
    ),
    (
        File(data=b"%PDF-"),
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
        },
    ),
    (
        File(data="Zürich".encode(), media_type="text/plain"),
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Zürich"}},
    ),
    (
        File(url="https://example.org/a.pdf"),
        {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}},
    ),
    (File(file_id="file_2"), {"type": "document", "source": {"type": "file", "file_id": "file_2"}}),
    (
        Text("cached", cache=CacheHint(ttl="1h")),
        {"type": "text", "text": "cached", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ),
    (
        Image(file_id="file_3", cache=CacheHint()),
        {
            "type": "image",
            "source": {"type": "file", "file_id": "file_3"},
            "cache_control": {"type": "ephemeral"},
        },
    ),
]


@pytest.mark.promise("P1")
def test_every_kind_of_content_is_told_in_the_dialects_words() -> None:
    """One user message of each part, as the vendor reads it."""
    parts = [part for part, _ in USER_PARTS]
    wires: list[Json] = [wire for _, wire in USER_PARTS]
    assert turns(user(*parts)) == [{"role": "user", "content": wires}]


CONVERSATION = (
    system("Be brief."),
    user("What is the weather?"),
    assistant(
        Reasoning(text="hm", signature="sig", vendor="vendor"),
        Reasoning(encrypted="opaque", vendor="vendor"),
        "Let me see.",
        ToolCall(id="toolu_1", name="github.issues_create", arguments='{"title": "a", "n": 1.50}'),
        ToolCall(id="toolu_2", name="github.issues_create", arguments=""),
    ),
    tool_results(
        [
            ToolResult(call_id="toolu_1", name="t", content=(Text("sunny"),)),
            ToolResult(
                call_id="toolu_2",
                name="t",
                content=(Text("no such place"), Image(file_id="file_1")),
                is_error=True,
            ),
        ]
    ),
    user("And tomorrow?"),
)
TURNS: list[Json] = [
    {"role": "user", "content": "What is the weather?"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "opaque"},
            {"type": "text", "text": "Let me see."},
            {
                "type": "tool_use",
                "id": "toolu_1",
                "name": "github_issues_create",
                "input": {"title": "a", "n": 1.5},
            },
            {"type": "tool_use", "id": "toolu_2", "name": "github_issues_create", "input": {}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"},
            {
                "type": "tool_result",
                "tool_use_id": "toolu_2",
                "content": [
                    {"type": "text", "text": "no such place"},
                    {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                ],
                "is_error": True,
            },
            {"type": "text", "text": "And tomorrow?"},
        ],
    },
]


@pytest.mark.promise("P1")
def test_a_conversation_is_told_in_turns() -> None:
    """System apart, signed reasoning unchanged and in order, results first in the turn behind their calls."""
    sent = render(replace(ASKED, messages=CONVERSATION))
    assert body_of(sent)["system"] == "Be brief."
    assert body_of(sent)["messages"] == TURNS
    assert sent.adapted == ()
    assert sent.names.core("github_issues_create") == "github.issues_create"


def test_turns_of_one_speaker_are_joined_and_results_stand_first() -> None:
    """The API wants results at the head of the turn behind their calls."""
    called = assistant(ToolCall(id="a", name="t"))
    result = tool_results([ToolResult(call_id="a", name="t")])
    assert turns(user("1"), user("2"), called, user("3"), result) == [
        {"role": "user", "content": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "a"}, {"type": "text", "text": "3"}],
        },
    ]


def test_parts_that_say_nothing_are_not_told() -> None:
    """The API refuses empty text; a result that failed without a word says so."""
    failed = ToolResult(call_id="a", name="t", is_error=True, error_code="upstream_timeout")
    assert turns(user("", "hi"), assistant(""), tool_results([failed])) == [
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "a",
                    "content": "upstream_timeout",
                    "is_error": True,
                },
                {"type": "text", "text": "hi"},
            ],
        }
    ]
    with pytest.raises(UnsupportedError, match="needs a turn") as caught:
        CODEC.render_request(replace(ASKED, messages=(system("only"), user(""))), TARGET, stream=False)
    assert caught.value.field == "messages"


def test_call_ids_of_other_vendors_become_legal_and_stay_joined() -> None:
    """An id with characters that this wire has not is mapped in call and result alike."""
    called = assistant(ToolCall(id="functions.f:0", name="f"), ToolCall(id="functions_f_0", name="f"))
    results = tool_results(
        [ToolResult(call_id=name, name="f") for name in ("functions.f:0", "functions_f_0")]
    )
    first, second = [as_array(as_object(turn)["content"]) for turn in as_array(turns(called, results))]
    ids = [as_object(block)["id"] for block in first]
    assert ids == [as_object(block)["tool_use_id"] for block in second]
    assert ids[1] == "functions_f_0"
    assert ids[0] != ids[1]


def test_an_id_that_is_used_again_becomes_another() -> None:
    """Some vendors count their calls anew in every turn; the API wants ids to differ."""
    turn = (
        assistant(ToolCall(id="call_0", name="f")),
        tool_results([ToolResult(call_id="call_0", name="f", content=(Text("r"),))]),
    )
    told = [
        as_object(as_array(as_object(message)["content"])[0]) for message in as_array(turns(*turn, *turn))
    ]
    assert [block["id"] for block in told[::2]] == ["call_0", "call_0_2"]
    assert [block["tool_use_id"] for block in told[1::2]] == ["call_0", "call_0_2"]


def test_instructions_in_the_middle_stay_there_where_the_api_takes_them() -> None:
    """Behind a user's turn and before the assistant's, or at the end."""
    sent = render(replace(ASKED, messages=(user("1"), system("a"), assistant("2"), user("3"), system("b"))))
    assert body_of(sent)["messages"] == [
        {"role": "user", "content": "1"},
        {"role": "system", "content": "a"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "3"},
        {"role": "system", "content": "b"},
    ]
    assert sent.adapted == ()


def test_instructions_at_another_place_move_and_that_is_said() -> None:
    """Before a user's turn they are told behind it; without one, or on an older model, in the prompt."""
    behind = render(replace(ASKED, messages=(user("1"), assistant("2"), system("a"), user("3"))))
    assert as_array(body_of(behind)["messages"])[2:] == [
        {"role": "user", "content": "3"},
        {"role": "system", "content": "a"},
    ]
    assert behind.adapted == (
        "messages[2] is told behind the user's turn: vendor does not take it at its place",
    )
    last = render(replace(ASKED, messages=(user("1"), assistant("2"), system("a"))))
    assert body_of(last)["system"] == "a"
    assert last.adapted == ("messages[2] is told in the system prompt: vendor does not take it at its place",)
    older = replace(TARGET, model="claude-sonnet-4-5-20250929")
    moved = render(replace(ASKED, messages=(system("s"), user("1"), system("a"))), target=older)
    assert body_of(moved)["system"] == [{"type": "text", "text": "s"}, {"type": "text", "text": "a"}]
    assert moved.adapted == (
        "messages[2] is told in the system prompt: vendor does not take it at its place",
    )


CITED: JsonObject = {
    "type": "char_location",
    "cited_text": "a",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 1,
}


def test_citations_go_back_where_they_can() -> None:
    """The vendor's own, on what the assistant said; others are left out, and that is said."""
    foreign: JsonObject = {"type": "url_citation", "url": "https://example.org"}
    own = render(replace(ASKED, messages=(user("1"), assistant(Text("a", citations=(CITED,))))))
    assert as_array(body_of(own)["messages"])[1] == {
        "role": "assistant",
        "content": [{"type": "text", "text": "a", "citations": [CITED]}],
    }
    assert own.adapted == ()
    for messages in (
        (user("1"), assistant(Text("a", citations=(foreign,)))),
        (user(Text("a", citations=(CITED,))),),
    ):
        sent = render(replace(ASKED, messages=messages))
        assert b"citations" not in sent.body
        assert "citations of messages" in sent.adapted[0]


ADAPTED: list[tuple[CompletionRequest, str, JsonObject]] = [
    (replace(ASKED, max_tokens=None), "max_tokens is 16384", {"max_tokens": 16384}),
    (replace(ASKED, seed=7), "seed is left to chance: vendor has none", {}),
    (replace(ASKED, presence_penalty=0.5), "presence_penalty is left out: vendor has none", {}),
    (replace(ASKED, frequency_penalty=0.5), "frequency_penalty is left out", {}),
    (replace(ASKED, cache_key="k"), "cache_key is left out", {}),
    (replace(ASKED, metadata={"team": "a"}), "metadata is left out", {}),
    (replace(ASKED, service_tier="priority"), "told as auto", {"service_tier": "auto"}),
    (replace(ASKED, service_tier="flex"), "service_tier flex is left out", {}),
    (replace(ASKED, reasoning_effort="minimal"), "told as low", {"output_config": {"effort": "low"}}),
    (
        replace(ASKED, messages=(Message("user", (Text("hi"),), "Ann"),)),
        "the name of a speaker is left out",
        {},
    ),
    (
        replace(ASKED, messages=(user("hi"), assistant(Refusal("I will not.")))),
        "a refusal is told as text",
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "I will not."}]},
    ),
    (
        replace(ASKED, messages=(user("hi"), assistant(ToolCall(id="a", name="f", arguments="{oops")))),
        "the arguments of a call of f are told as text",
        {
            "messages": [
                {"role": "user", "content": "hi"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "tool_use", "id": "a", "name": "f", "input": {"arguments": "{oops"}}
                    ],
                },
            ]
        },
    ),
    (
        replace(ASKED, messages=(user("hi"), assistant("It is \n"))),
        "white space at the end of the last message is left out",
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "It is"}]},
    ),
    (
        replace(ASKED, temperature=0.3, reasoning_effort="high"),
        "temperature is left out: vendor thinks only at its own measure",
        {"thinking": {"type": "adaptive"}},
    ),
    (
        replace(ASKED, messages=(user("hi"), system("a")), temperature=0.3),
        "messages[1] is told in the system prompt",
        {"system": "a"},
    ),
    (
        replace(ASKED, messages=(user(Text("hi", cache=CacheHint(ttl="30m"))),)),
        "is cached for 5m: vendor does not know 30m",
        {},
    ),
    (
        replace(ASKED, messages=(user(Image(file_id="f", detail="high")),)),
        "detail of messages[0].content[0] is left out",
        {},
    ),
    (
        replace(ASKED, messages=(user(File(data=b"# a", media_type="text/markdown")),)),
        "is told as plain text: vendor does not know text/markdown",
        {},
    ),
    (
        replace(ASKED, messages=(user(File(data=b"x", media_type="image/png")),)),
        "is told as an image",
        {},
    ),
    (
        replace(ASKED, messages=(user(*(Text(str(n), cache=CacheHint()) for n in range(6))),)),
        "only the last 4 cache hints are told",
        {},
    ),
    (
        replace(
            ASKED,
            messages=(user("hi"), Message("assistant", (Text("a"),), None, {"x": 1, "interlock:other": {}})),
        ),
        "x of messages[1] is left out",
        {},
    ),
]


@pytest.mark.parametrize(("request_", "sentence", "wire"), ADAPTED)
def test_what_is_done_in_another_way_is_said(
    request_: CompletionRequest, sentence: str, wire: JsonObject
) -> None:
    """One sentence each, and the form that it takes on the wire."""
    sent = render(request_)
    assert [said for said in sent.adapted if sentence in said], sent.adapted
    body = body_of(sent)
    assert {name: body[name] for name in wire} == wire


def test_what_only_hints_and_says_nothing_is_not_spoken_of() -> None:
    """A penalty of zero asks for nothing."""
    assert render(replace(ASKED, presence_penalty=0.0, frequency_penalty=0.0, n=1)).adapted == ()


REFUSED: list[tuple[CompletionRequest, str]] = [
    (replace(ASKED, n=2), "n"),
    (replace(ASKED, logprobs=0), "logprobs"),
    (replace(ASKED, temperature=1.5), "temperature"),
    (replace(ASKED, stop=("ok", "\n")), "stop[1]"),
    (replace(ASKED, reasoning_effort="heroic"), "reasoning_effort"),
    (replace(ASKED, tool_choice=ToolChoice(mode="required")), "tool_choice"),
    (replace(ASKED, messages=(user(Audio(data=b"x", format="wav")),)), "messages[0].content[0]"),
    (replace(ASKED, messages=(user(Image(data=b"x", media_type="image/bmp")),)), "messages[0].content[0]"),
    (replace(ASKED, messages=(user(Image(data=b"x")),)), "messages[0].content[0]"),
    (replace(ASKED, messages=(user(Image(url="data:image/png;base64,AA==")),)), "messages[0].content[0]"),
    (replace(ASKED, messages=(user(File(data=b"\xff", media_type="text/plain")),)), "messages[0].content[0]"),
    (replace(ASKED, messages=(user(File(data=b"x")),)), "messages[0].content[0]"),
    (
        replace(ASKED, messages=(user(File(data=b"x", media_type="application/zip")),)),
        "messages[0].content[0]",
    ),
    (replace(ASKED, messages=(user("x"), assistant(Image(file_id="f")))), "messages[1].content[0]"),
    (replace(ASKED, messages=(user(ToolCall(id="a", name="f")),)), "messages[0].content[0]"),
    (replace(ASKED, extra={"logit_bias": {"1": 2}, "interlock:openai-chat": {}}), "logit_bias"),
]


@pytest.mark.parametrize(("request_", "field"), REFUSED)
def test_what_cannot_be_said_is_refused_with_field_and_remedy(
    request_: CompletionRequest, field: str
) -> None:
    """What would change the meaning of the answer is never dropped."""
    with pytest.raises(InvalidRequestError) as caught:
        CODEC.render_request(request_, TARGET, stream=False)
    assert caught.value.field == field
    assert caught.value.remedy


def test_sampling_is_asked_for_in_the_older_version_of_the_api() -> None:
    """The newer version refuses it; the header changes, and that is said."""
    sent = render(replace(ASKED, temperature=0.3, top_p=0.9, top_k=40))
    body = body_of(sent)
    assert (body["temperature"], body["top_p"], body["top_k"]) == (0.3, 0.9, 40)
    assert dict(sent.headers)["anthropic-version"] == "2023-06-01"
    (sentence,) = sent.adapted
    assert sentence == (
        "the version 2023-06-01 of the API is spoken: 2026-10-21 of vendor refuses temperature, top_p, top_k"
    )


def test_own_fields_are_sent_with_the_beta_that_they_belong_to() -> None:
    """A caller who cannot send headers gets the one that the field needs."""
    servers: Json = [{"type": "url", "url": "https://example.org/mcp", "name": "a"}]
    sent = CODEC.render_request(
        replace(ASKED, extra={"mcp_servers": servers, "model": "dear"}), TARGET, stream=False
    )
    assert body_of(sent)["mcp_servers"] == servers
    assert body_of(sent)["model"] == "claude-nova-9"
    assert dict(sent.headers)["anthropic-beta"] == "mcp-client-2025-11-20"
