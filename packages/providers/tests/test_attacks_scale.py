"""What a client may send much of is read and written by a number of steps that grows with its size.

Steps are counted, not seconds: the lines of ours that run, or the bytes that are looked at. Twice as much
of anything may cost a little more than twice as many of them, and never four times as many.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import cast

import pytest

from interlock_core import Chunk, CompletionRequest, Json, JsonObject, ToolCallDelta
from interlock_core.assembly import CompletionAssembler
from interlock_core.messages import Text, user
from interlock_providers.codecs import Target, codec

DIALECTS = ("openai-chat", "openai-responses", "anthropic-messages", "mistral-chat", "cohere-chat")
TARGET = Target(provider="acme", model="m")
QUESTION = CompletionRequest(model="acme/m", messages=(user("x"),), max_tokens=10)
FEW, MANY = 100, 400


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python a piece of work runs."""
    count = 0

    def counted(_frame: FrameType, event: str, _value: object) -> object:
        nonlocal count
        count += event == "line"
        return counted

    before = sys.gettrace()
    sys.settrace(cast("Callable[[FrameType, str, object], None]", counted))
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def grows_straight(work: Callable[[int], Callable[[], object]]) -> bool:
    """Whether four times as much takes at most six times as many steps."""
    work(1)()
    return steps(work(MANY)) <= 6 * steps(work(FEW))


def tools(dialect: str, count: int) -> list[Json]:
    """That many functions, as a client of the dialect offers them."""
    schema: JsonObject = {"type": "object", "properties": {}}
    match dialect:
        case "anthropic-messages":
            return [{"name": f"t{number}", "input_schema": schema} for number in range(count)]
        case "openai-responses":
            return [
                {"type": "function", "name": f"t{number}", "parameters": schema, "strict": False}
                for number in range(count)
            ]
        case _:
            return [
                {"type": "function", "function": {"name": f"t{number}", "parameters": schema}}
                for number in range(count)
            ]


def asked(dialect: str, **more: Json) -> bytes:
    """A short request of a client, with more fields."""
    question: JsonObject = {"messages": [{"role": "user", "content": "x"}]}
    if dialect == "openai-responses":
        question = {"input": "x"}
    if dialect == "anthropic-messages":
        question["max_tokens"] = 10
    return json.dumps({"model": "acme/m", **question, **more}).encode()


@pytest.mark.promise("P4")
@pytest.mark.parametrize("dialect", DIALECTS)
def test_many_tools_are_read_in_one_pass(dialect: str) -> None:
    """A client that offers a hundred thousand tools does not hold up everybody else."""

    def reading(count: int) -> Callable[[], object]:
        body = asked(dialect, tools=tools(dialect, count))
        return lambda: codec(dialect).parse_request(body)

    assert grows_straight(reading)


@pytest.mark.promise("P4")
def test_many_calls_of_one_id_are_written_in_one_pass() -> None:
    """A vendor that wants every id once is told so without counting from the start for each call."""
    calls: list[Json] = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]

    def writing(count: int) -> Callable[[], object]:
        messages: list[Json] = [
            {"role": "user", "content": "x"},
            {"role": "assistant", "tool_calls": calls * count},
        ]
        asked_by = codec("openai-chat").parse_request(
            json.dumps({"model": "acme/m", "messages": messages}).encode()
        )
        return lambda: codec("anthropic-messages").render_request(asked_by.request, TARGET, stream=False)

    assert grows_straight(writing)


@pytest.mark.promise("P4")
@pytest.mark.parametrize("dialect", ["anthropic-messages", "mistral-chat", "cohere-chat"])
def test_a_member_that_stands_everywhere_is_found_in_one_pass(dialect: str) -> None:
    """Many further members called `model` take a moment; looked at from each anew, they take an hour."""
    inner: list[Json] = [{"model": "x"}] * 200_000
    parsed = codec(dialect).parse_request(asked(dialect, metadata={"a": inner}))
    sent = codec(dialect).render_request(parsed.request, replace(TARGET, model="other"), stream=False)
    told = json.loads(sent.body)
    assert (told["model"], told["metadata"]["a"][-1]["model"]) == ("other", "x")


@pytest.mark.promise("P4")
@pytest.mark.parametrize("place", ["first", "last"])
def test_the_model_is_found_wherever_it_stands(place: str) -> None:
    """Members of the same name deeper down stay as they are, before it and behind it."""
    deep = '"metadata":{"a":[{"model":"x"}],"model":"y"}'
    question = '"messages":[{"role":"user","content":"{\\"model\\": 1}"}]'
    members = (
        ['"model":"acme/m"', deep, question] if place == "first" else [deep, question, '"model":"acme/m"']
    )
    body = ("{" + ",".join([*members, '"max_tokens":5']) + "}").encode()
    parsed = codec("anthropic-messages").parse_request(body)
    sent = codec("anthropic-messages").render_request(
        parsed.request, replace(TARGET, model="other"), stream=False
    )
    assert sent.body == body.replace(b'"acme/m"', b'"other"')


@pytest.mark.promise("P4")
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_long_event_in_small_pieces_is_read_in_one_pass(dialect: str) -> None:
    """An event of megabytes that drips in is put together once, not at each drop anew."""
    sent = codec(dialect).render_request(QUESTION, TARGET, stream=True)
    parser = codec(dialect).parse_stream(sent)
    pieces = 0
    for _ in range(400_000):
        pieces += len(list(parser.feed(b"data: 7890123456789012345678901234567890")))
    assert pieces == 0


def test_calls_that_never_begin_their_arguments_wait_in_one_pass() -> None:
    """A vendor that opens thousands of calls at once does not have each looked at again for every other."""

    def writing(count: int) -> Callable[[], object]:
        calls = [ToolCallDelta(index=number, id=f"c{number}", name="f") for number in range(count)]
        chunks = [Chunk(model="acme/m", id="m", tool_calls=(call,)) for call in calls]
        renderer = codec("anthropic-messages").render_stream(QUESTION)
        return lambda: [*map(renderer.chunk, chunks), renderer.end()]

    assert grows_straight(writing)


def test_many_citations_are_kept_once_each_in_one_pass() -> None:
    """A hundred thousand citations are compared with each other by what they are, not one by one."""
    whole = CompletionAssembler()
    for number in range(100_000):
        cited: Json = {"url": f"https://a.example/{number % 50_000}"}
        whole.feed(Chunk(model="acme/m", text="a" if number == 0 else "", citations=(cited,)))
    (text,) = whole.completion().message.content
    assert isinstance(text, Text)
    assert len(text.citations) == 50_000
