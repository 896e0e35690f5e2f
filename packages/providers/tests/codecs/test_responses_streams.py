"""Streams of the dialect openai-responses, read: at every cut, whatever a server leaves out or repeats."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import FinishReason, JsonObject, Reasoning, Refusal, Text, ToolCall, Usage
from interlock_core.errors import (
    InterlockError,
    InvalidRequestError,
    OverloadedError,
    ProtocolError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.jsontypes import dump_json

from .responses_events import (
    CITED,
    CODEC,
    ITEMS,
    SENT,
    STREAM,
    assembled,
    events_of,
    read,
    response_of,
    told,
    wire,
)


@pytest.mark.promise("P3")
def test_a_stream_adds_up_to_the_whole_answer() -> None:
    """Every part in its order, said once though the events say it thrice."""
    answer = assembled(read([STREAM]))
    whole = CODEC.parse_response(dump_json(response_of([*ITEMS])).encode(), SENT)
    assert answer.message.content == whole.message.content
    assert answer.message.content == (
        Reasoning(text="first\n\nthen", encrypted="gAAAAA==", id="rs_1", vendor="openai"),
        Text("Zürich 😀", citations=(CITED,)),
        Refusal("No more."),
        ToolCall(id="call_1", name="weather", arguments='{"q":"Paris"}'),
        ToolCall(id="call_2", name="sh", arguments="ls -l"),
    )
    for name in ("model", "finish", "native_finish", "usage", "id", "created", "service_tier"):
        assert getattr(answer, name) == getattr(whole, name), name
    assert answer.usage == Usage(input_tokens=10, output_tokens=7, cache_read_tokens=4, reasoning_tokens=2)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_means_the_same_whatever_pieces_it_comes_in(cuts: list[int]) -> None:
    """Cut within characters, lines and numbers."""
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(places)]
    assert read(pieces) == read([STREAM])


@given(st.integers(0, len(STREAM) - 3))
def test_a_stream_that_breaks_off_anywhere_is_a_typed_error(size: int) -> None:
    """Half an answer never passes for a whole one."""
    with pytest.raises(ProtocolError, match="ended before the answer did"):
        read([STREAM[:size]])


LEFT_OUT = ("delta", ".done", ".added", "content_part", "summary_part", "annotation", "created", "completed")


@pytest.mark.parametrize("what", [("delta",), ("delta", "arguments.done", "text.done"), LEFT_OUT[:-1]])
def test_a_server_that_leaves_events_out_is_understood_by_what_repeats_them(what: tuple[str, ...]) -> None:
    """Some send no deltas, some only the whole answer at the end."""
    events = [e for e in events_of(ITEMS) if not any(part in str(e["type"]) for part in what)]
    assert assembled(read([wire(events)])).message == assembled(read([STREAM])).message


def test_a_server_that_sends_deltas_alone_is_understood() -> None:
    """Without frames, repeats, or items in the last event."""
    events = [
        event
        for event in events_of(ITEMS[1:2])
        if not any(part in str(event["type"]) for part in ("content_part", ".done"))
    ]
    events[-1] = {"type": "response.completed", "response": response_of([])}
    assert assembled(read([wire(events)])).message.content == (
        Text("Zürich 😀", citations=(CITED,)),
        Refusal("No more."),
    )


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_text.delta", "delta": "x"},
        {"type": "response.output_text.delta", "output_index": 3, "delta": "x"},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "x"},
        {"type": "response.output_item.added", "output_index": 0, "item": {}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "function_call"}},
        {"type": "response.output_item.added", "item": {"type": "message"}},
    ],
)
def test_an_event_that_breaks_the_format_is_a_protocol_error(event: JsonObject) -> None:
    """Words of nothing, pieces of what never began."""
    began: JsonObject = {"type": "response.output_item.added", "output_index": 0, "item": ITEMS[1]}
    with pytest.raises(ProtocolError):
        read([wire([began, event])])


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: []\n\n", b"data: \xff\n\n"])
def test_an_event_that_is_no_json_object_is_a_protocol_error(data: bytes) -> None:
    """The vendor is named."""
    with pytest.raises(ProtocolError) as caught:
        read([data])
    assert caught.value.vendor == "openai"


FAILED = response_of([], status="failed", error={"code": "rate_limit_exceeded", "message": "slow"})


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"type": "error", "code": "server_error", "message": "oops", "param": None}, UpstreamError),
        ({"type": "error", "code": "server_is_overloaded", "message": "busy"}, OverloadedError),
        ({"type": "error", "error": {"type": "invalid_request_error", "message": "x"}}, InvalidRequestError),
        ({"error": {"code": "rate_limit_exceeded", "message": "slow"}}, UpstreamRateLimitError),
        ({"type": "response.failed", "response": FAILED}, UpstreamRateLimitError),
        ({"type": "response.failed", "response": {}}, UpstreamError),
        ({"type": "response.cancelled", "response": {}}, UpstreamError),
    ],
)
def test_an_error_within_a_stream_is_typed(event: JsonObject, error: type[InterlockError]) -> None:
    """What came before it still comes out."""
    parser = CODEC.parse_stream(SENT)
    before = wire(events_of(ITEMS[1:2])[:6])
    assert "".join(chunk.text for chunk in parser.feed(before)) == "Zürich"
    with pytest.raises(error) as caught:
        list(parser.feed(wire([{"type": event.get("type", "error"), **event}])))
    assert type(caught.value) is error


def test_nothing_is_read_after_the_end() -> None:
    """Some servers add the chat dialect's end mark."""
    parser = CODEC.parse_stream(SENT)
    chunks = list(parser.feed(STREAM + b"data: [DONE]\n\n" + STREAM))
    assert parser.done
    assert chunks == read([STREAM])
    assert list(parser.finish()) == []


def test_an_answer_that_ran_out_of_tokens_says_so() -> None:
    """The last event has a name of its own."""
    ended = response_of(ITEMS[1:2], status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    last: JsonObject = {"type": "response.incomplete", "response": ended}
    events = [*events_of(ITEMS[1:2])[:-1], last]
    answer = assembled(read([wire(events)]))
    assert (answer.finish, answer.native_finish) == (FinishReason.LENGTH, "incomplete:max_output_tokens")
    said = json.loads(told(read([wire(events)])).decode().split("data: ")[-1])
    assert said["type"] == "response.incomplete"
