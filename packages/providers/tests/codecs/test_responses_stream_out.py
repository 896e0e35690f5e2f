"""Streams of the dialect openai-responses, told to a client: forwarded, or written from any vendor's."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    Chunk,
    CompletionRequest,
    FinishReason,
    JsonObject,
    Reasoning,
    ToolCallDelta,
    ToolChoice,
    ToolSpec,
    Usage,
)
from interlock_core.errors import QuotaExceededError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.messages import user

from .responses_events import ASKED, CITED, CODEC, STREAM, USAGE, assembled, checked, read, told


@pytest.mark.promise("G1")
def test_a_stream_is_forwarded_as_it_came_but_for_the_name_of_the_model() -> None:
    """Odd spacing and unknown events survive; facts of the gateway stand beside the usage."""
    novel = b'event: response.novel\ndata: { "type":"response.novel", "sequence_number": 99 }\n\n'
    stream = STREAM.replace(
        b"event: response.output_item.done", novel + b"event: response.output_item.done", 1
    )
    assert told(read([stream])) == stream.replace(b'"m-1-2026-01-01"', b'"openai/m-1"')
    last = as_object(json.loads(told(read([STREAM]), run="run_1").decode().split("data: ")[-1]))
    response = as_object(last["response"])
    assert (response["interlock"], response["usage"]) == ({"run": "run_1"}, USAGE)


@pytest.mark.parametrize("place", range(2, 36, 3))
def test_what_was_taken_out_of_a_stream_is_not_repeated_at_its_end(place: int) -> None:
    """From the first changed or missing event on, all is written anew, where the client stands."""
    chunks = read([STREAM])
    changed = [replace(c, text="~" * len(c.text)) if n >= place else c for n, c in enumerate(chunks)]
    stream = told(changed, run="r")
    events = checked(stream)
    answer = assembled(read([stream]))
    text = "".join(chunk.text for chunk in changed)
    assert answer.text == text
    assert answer.message.tool_calls == assembled(chunks).message.tool_calls
    assert as_object(events[-1]["response"])["usage"] == USAGE
    if text != "Zürich 😀":
        assert "Zürich 😀" not in stream.decode()
    assert "web_search_call" in stream.decode()


@pytest.mark.parametrize("place", [5, 9, 12, 18, 26])
def test_a_chunk_that_was_held_back_ends_the_forwarding(place: int) -> None:
    """Its words are in what the vendor repeats."""
    chunks = read([STREAM])
    assert chunks[place].text or chunks[place].reasoning or chunks[place].refusal or not chunks[place].finish
    kept = [chunk for number, chunk in enumerate(chunks) if number != place]
    stream = told(kept)
    checked(stream)
    assert assembled(read([stream])).text == "".join(chunk.text for chunk in kept)


FOREIGN: list[Chunk] = [
    Chunk(model="anthropic/claude-x", id="msg_01", reasoning="h"),
    Chunk(reasoning="m"),
    Chunk(signature="SIG"),
    Chunk(text="It "),
    Chunk(text="rains.", citations=(CITED, {"type": "char_location", "cited_text": "r"})),
    Chunk(tool_calls=(ToolCallDelta(index=0, id="toolu_1", name="github.issues_create"),)),
    Chunk(tool_calls=(ToolCallDelta(index=1, id="toolu_2", name="t", arguments="{"),)),
    Chunk(tool_calls=(ToolCallDelta(index=0, arguments='{"a":1}'),)),
    Chunk(tool_calls=(ToolCallDelta(index=1, arguments="}"),)),
    Chunk(text="More."),
    Chunk(refusal="No."),
    Chunk(
        finish=FinishReason.TOOL_CALLS,
        native_finish="tool_use",
        usage=Usage(input_tokens=3, output_tokens=4),
        service_tier="standard",
    ),
]


@pytest.mark.promise("G1")
def test_a_stream_of_any_vendor_is_told_as_the_dialect_tells_it() -> None:
    """Each item begins, goes on and ends; each part within it; usage and facts come with the end."""
    events = checked(told(FOREIGN, run="run_1"))
    names = [str(event["type"]).removeprefix("response.") for event in events]
    assert names == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "function_call_arguments.done",
        "output_item.done",
        "function_call_arguments.done",
        "output_item.done",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    response = as_object(events[-1]["response"])
    assert as_object(response["usage"])["total_tokens"] == 7
    assert response["interlock"] == {"run": "run_1"}
    assert (response["model"], response["id"], response["created_at"]) == ("anthropic/claude-x", "msg_01", 1)
    done = [event["item"] for event in events if str(event["type"]).endswith("output_item.done")]
    assert sorted(map(dump_json, done)) == sorted(map(dump_json, as_array(response["output"])))


@pytest.mark.promise("G1")
def test_a_streamed_answer_tells_the_same_items_as_the_whole_one() -> None:
    """A client may ask either way, and repeat what it got."""
    events = checked(told(FOREIGN))
    streamed = as_array(as_object(events[-1]["response"])["output"])
    completion = assembled(FOREIGN)
    whole = as_array(as_object(json.loads(CODEC.render_response(completion)))["output"])
    assert [as_object(item)["type"] for item in streamed] == [as_object(item)["type"] for item in whole]
    assert streamed == whole
    asked = CODEC.parse_request(dump_json({"model": "a", "input": streamed}).encode()).request
    assert asked.messages[0].content == completion.message.content


def test_the_answer_repeats_what_was_asked() -> None:
    """Clients of the dialect read tools and settings from the answer."""
    request = CompletionRequest(
        model="x",
        messages=(user("hi"),),
        tools=(ToolSpec(name="t"),),
        tool_choice=ToolChoice(mode="required", name="t", parallel=False),
        temperature=0.5,
        max_tokens=64,
        reasoning_effort="low",
        metadata={"a": "b"},
    )
    response = as_object(checked(told(FOREIGN, request))[0]["response"])
    assert as_object(as_array(response["tools"])[0])["name"] == "t"
    assert response["tool_choice"] == {"type": "function", "name": "t"}
    assert response["parallel_tool_calls"] is False
    assert (response["temperature"], response["max_output_tokens"]) == (0.5, 64)
    assert response["reasoning"] == {"effort": "low", "summary": None}
    assert response["metadata"] == {"a": "b"}


def test_calls_of_free_text_are_told_as_such() -> None:
    """The request says which tools take it."""
    body: JsonObject = {"model": "a", "input": "x", "tools": [{"type": "custom", "name": "sh"}]}
    request = CODEC.parse_request(dump_json(body).encode()).request
    chunks = [
        Chunk(model="b/m", tool_calls=(ToolCallDelta(index=0, id="c", name="sh", arguments="ls"),)),
        Chunk(finish=FinishReason.TOOL_CALLS),
    ]
    names = [event["type"] for event in checked(told(chunks, request))]
    assert "response.custom_tool_call_input.delta" in names
    assert "response.custom_tool_call_input.done" in names


def test_a_call_without_a_name_waits_for_it() -> None:
    """An item cannot begin without."""
    chunks = [
        Chunk(model="b/m", tool_calls=(ToolCallDelta(index=0, id="c", arguments="{"),)),
        Chunk(tool_calls=(ToolCallDelta(index=0, name="t", arguments="}"),)),
        Chunk(tool_calls=(ToolCallDelta(index=1, arguments="{}"),)),
        Chunk(finish=FinishReason.TOOL_CALLS),
    ]
    items = as_array(as_object(checked(told(chunks))[-1]["response"])["output"])
    calls = [as_object(item) for item in items]
    assert (calls[0]["call_id"], calls[0]["name"], calls[0]["arguments"]) == ("c", "t", "{}")
    assert (calls[1]["name"], calls[1]["arguments"]) == ("", "{}")


@pytest.mark.parametrize(
    ("finish", "last"),
    [
        (FinishReason.STOP, "response.completed"),
        (FinishReason.LENGTH, "response.incomplete"),
        (FinishReason.ERROR, "response.failed"),
        (None, "response.completed"),
    ],
)
def test_the_last_event_says_how_the_answer_ended(finish: FinishReason | None, last: str) -> None:
    """With the usage, whatever the ending."""
    chunks = [
        Chunk(model="b/m", text="x"),
        Chunk(finish=finish, usage=Usage(input_tokens=1, output_tokens=2)),
    ]
    event = checked(told(chunks))[-1]
    assert event["type"] == last
    assert as_object(as_object(event["response"])["usage"])["total_tokens"] == 3


def test_an_error_ends_a_stream_in_a_form_that_clients_act_on() -> None:
    """The dialect's event, with the object that the official SDK raises."""
    renderer = CODEC.render_stream(ASKED, created=1)
    before = renderer.chunk(Chunk(model="b/m", text="x"))
    after = renderer.error(QuotaExceededError("The month's money is spent.", remedy="Ask for more."))
    event = checked(before + after)[-1]
    assert event["type"] == "error"
    assert event["code"] == "insufficient_quota"
    assert as_object(event["error"])["message"] == "The month's money is spent. Ask for more."


@st.composite
def pieces(draw: st.DrawFn) -> Chunk:
    """A piece of one of three calls."""
    index = draw(st.integers(0, 2))
    piece = ToolCallDelta(index=index, id=f"c{index}", name="t", arguments=draw(st.text(max_size=5)))
    return Chunk(tool_calls=(piece,))


CHUNKS = st.lists(
    st.one_of(
        st.builds(Chunk, text=st.text(min_size=1, max_size=5)),
        st.builds(Chunk, reasoning=st.text(min_size=1, max_size=5)),
        st.builds(Chunk, refusal=st.text(min_size=1, max_size=5)),
        st.builds(Chunk, reasoning=st.text(min_size=1, max_size=5), signature=st.text(max_size=3)),
        pieces(),
    ),
    max_size=10,
)


@pytest.mark.promise("G1")
@given(CHUNKS)
def test_any_stream_is_told_so_that_it_adds_up_to_the_same(chunks: list[Chunk]) -> None:
    """Read again as a vendor's stream, it says what the chunks said."""
    said = [Chunk(model="b/m", id="1"), *chunks, Chunk(finish=FinishReason.STOP)]
    stream = told(said)
    checked(stream)
    before, after = assembled(said), assembled(read([stream]))
    assert after.text == before.text
    assert [part.text for part in after.message.content if isinstance(part, Reasoning)] == [
        part.text for part in before.message.content if isinstance(part, Reasoning)
    ]
    assert sorted(call.arguments for call in after.message.tool_calls) == sorted(
        call.arguments for call in before.message.tool_calls
    )


def test_hidden_reasoning_is_told_as_an_item_of_its_own() -> None:
    """Redacted, or signed only after other words began: nobody's payload is lost, whole or streamed."""
    chunks = [
        Chunk(model="anthropic/claude-x", id="1", encrypted="REDACTED"),
        Chunk(text="a"),
        Chunk(encrypted="MORE"),
        Chunk(refusal="b"),
        Chunk(signature="LATE"),
        Chunk(finish=FinishReason.STOP),
    ]
    items = as_array(as_object(checked(told(chunks))[-1]["response"])["output"])
    asked = CODEC.parse_request(dump_json({"model": "a", "input": items}).encode()).request
    parts = [part for part in asked.messages[0].content if isinstance(part, Reasoning)]
    assert [(part.encrypted, part.signature, part.vendor) for part in parts] == [
        ("REDACTED", None, "anthropic"),
        ("MORE", None, "anthropic"),
        (None, "LATE", "anthropic"),
    ]


def test_citations_before_any_text_begin_one() -> None:
    """An annotation needs a part to stand in; each is told once."""
    chunks = [
        Chunk(model="b/m", citations=(CITED,)),
        Chunk(text="a", citations=(CITED,)),
        Chunk(finish=FinishReason.STOP),
    ]
    names = [event["type"] for event in checked(told(chunks))]
    assert names.count("response.output_text.annotation.added") == 1
    assert assembled(read([told(chunks)])).message.content == assembled(chunks).message.content


def test_only_the_first_of_several_answers_is_told() -> None:
    """The dialect has one, and cannot ask for more."""
    chunks = [
        Chunk(model="b/m", text="a"),
        Chunk(text="other", choice=1),
        Chunk(finish=FinishReason.LENGTH, choice=1),
        Chunk(finish=FinishReason.STOP),
    ]
    response = as_object(checked(told(chunks))[-1]["response"])
    assert "other" not in dump_json(response)
    assert response["status"] == "completed"


def test_usage_that_was_put_right_is_told_as_it_is_known_here() -> None:
    """The vendor's own number in the last event is not the last word."""
    chunks = read([STREAM])
    counted = Usage(input_tokens=1, output_tokens=1)
    chunks[-1] = replace(chunks[-1], usage=counted)
    last = as_object(json.loads(told(chunks).decode().split("data: ")[-1]))
    assert as_object(as_object(last["response"])["usage"])["total_tokens"] == 2


def test_a_name_of_an_event_cannot_smuggle_in_another() -> None:
    """A vendor's own word stands on a line of its own, so it must not end one."""
    novel: JsonObject = {"type": "response.novel\n\nevent: error\ndata: {}", "sequence_number": 1}
    last: JsonObject = {"type": "response.completed", "response": {"output": []}}
    stream = b"".join(b"data: %s\n\n" % dump_json(event).encode() for event in (novel, last))
    lines = told(read([stream])).split(b"\n")
    assert [line for line in lines if line.startswith(b"event: ")] == [
        b"event: response.noveleventerrordata",
        b"event: response.completed",
    ]
