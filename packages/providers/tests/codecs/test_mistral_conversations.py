"""Conversations of the dialect mistral-chat: the order of their messages, ids of calls, failed tools."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    CompletionRequest,
    File,
    Image,
    Json,
    Message,
    Text,
    ToolCall,
    ToolResult,
)
from interlock_core.jsontypes import as_array, as_object
from interlock_core.messages import assistant, system, user
from interlock_providers.codecs import Target, codec

CODEC = codec("mistral-chat")
TARGET = Target(provider="mistral", model="m-1")


def messages_told(*messages: Message) -> list[Json]:
    """The messages as the vendor is told them."""
    sent = CODEC.render_request(CompletionRequest(model="x", messages=messages), TARGET, stream=False)
    return as_array(as_object(json.loads(sent.body))["messages"])


def test_messages_are_told_in_an_order_that_the_vendor_takes() -> None:
    """A late system message as the user's, and a word of the model between a result and what follows it."""
    result = Message("tool", (ToolResult(call_id="aB3dE5fG7", name="f", content=(Text("r"),)),))
    call = assistant(ToolCall(id="aB3dE5fG7", name="f"))
    conversation = (
        system("s"),
        user("a"),
        call,
        result,
        system("now French"),
        user("b"),
        system("t"),
        user("c"),
    )
    request = CompletionRequest(model="x", messages=conversation)
    sent = CODEC.render_request(request, TARGET, stream=False)
    said = [as_object(message) for message in as_array(json.loads(sent.body)["messages"])]
    assert [(message["role"], message["content"]) for message in said] == [
        ("system", "s"),
        ("user", "a"),
        ("assistant", ""),
        ("tool", "r"),
        ("assistant", "OK."),
        ("user", "now French"),
        ("user", "b"),
        ("system", "t"),
        ("user", "c"),
    ]
    assert sent.adapted == (
        "a late system message is told as a user's: mistral takes none behind an answer or a result",
        "an answer of 'OK.' is put behind a tool's result: mistral takes no message there",
    )


def test_what_a_failed_tool_said_is_told_as_a_failure() -> None:
    """In words before its own, or in words of its own where it said nothing."""
    answers: list[tuple[Text | Image | File, ...]] = [
        (Text("no such city"),),
        (),
        (Image(url="https://example.org/a"),),
    ]
    results = tuple(
        ToolResult(call_id=f"00000000{index}", name="f", content=content, is_error=True)
        for index, content in enumerate(answers)
    )
    contents = [as_object(message)["content"] for message in messages_told(Message("tool", results))]
    assert contents == [
        "The tool failed: no such city",
        "The tool failed.",
        [
            {"type": "text", "text": "The tool failed."},
            {"type": "image_url", "image_url": "https://example.org/a"},
        ],
    ]


LEGAL = st.from_regex(r"[a-zA-Z0-9]{9}", fullmatch=True)


@given(st.sets(st.one_of(st.text(max_size=40), LEGAL), min_size=1, max_size=20))
def test_ids_of_calls_become_nine_letters_and_digits(ids: set[str]) -> None:
    """Legal ids stay; others are mapped alike in calls and results; no two become one."""
    calls = tuple(ToolCall(id=name, name="f") for name in sorted(ids))
    results = tuple(ToolResult(call_id=name, name="f") for name in sorted(ids))
    said = [as_object(message) for message in messages_told(assistant(*calls), Message("tool", results))]
    wires = [as_object(call)["id"] for call in as_array(said[0]["tool_calls"])]
    assert [message["tool_call_id"] for message in said[1:]] == wires
    assert len(set(map(str, wires))) == len(ids)
    for name, wire in zip(sorted(ids), wires, strict=True):
        assert re.fullmatch(r"[a-zA-Z0-9]{9}", str(wire))
        assert wire == name or not re.fullmatch(r"[a-zA-Z0-9]{9}", name)


def test_an_id_is_mapped_alike_in_every_turn() -> None:
    """So that the vendor's cache knows the conversation again."""
    first = messages_told(assistant(ToolCall(id="call_1", name="f")))
    later = messages_told(assistant(ToolCall(id="call_1", name="f")), user("x"), assistant("y"))
    assert first[0] == later[0]
