"""Streams of the dialect cohere-chat, written for a client: forwarded, or made of what others said."""

from dataclasses import replace

import pytest
from cohere.v2.types.v2chat_stream_response import V2ChatStreamResponse
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from interlock_core import (
    Chunk,
    FinishReason,
    Reasoning,
    ToolCallDelta,
    Usage,
)
from interlock_core.errors import QuotaExceededError
from interlock_core.jsontypes import as_object

from .cohere_events import (
    ASKED,
    BEGIN,
    CODEC,
    PLAN,
    STREAMS,
    USAGE,
    assembled,
    bare,
    call,
    cite,
    comparable,
    content,
    end,
    event,
    events_of,
    read,
    render,
)

SDK_EVENT: TypeAdapter[V2ChatStreamResponse] = TypeAdapter(V2ChatStreamResponse)


@pytest.mark.parametrize("name", sorted(STREAMS))
@pytest.mark.parametrize("forward", [True, False])
def test_a_client_is_told_what_the_vendor_said(name: str, forward: bool) -> None:
    """Vendor's stream → chunks → client's stream → chunks: nothing lost, forwarded or written anew."""
    chunks = read([STREAMS[name]])
    told = render(chunks if forward else bare(chunks))
    again = assembled(read([told])).completion()
    wanted = assembled(chunks).completion()
    if not forward and name in {"calls", "unnamed", "thinking"}:
        # Only the vendor's own events say what was a plan; elsewhere it is thinking.
        assert [part for part in again.message.content if not isinstance(part, Reasoning)] == [
            part for part in wanted.message.content if not isinstance(part, Reasoning)
        ]
        again = replace(again, message=wanted.message)
    assert again == wanted


def test_events_are_forwarded_as_they_came() -> None:
    """Fields and kinds that nobody here knows reach the client as they are."""
    for name in ("text", "thinking", "citations", "odd"):
        told = render(read([STREAMS[name]]))
        assert told == STREAMS[name].removeprefix(b": hello\n\n").removesuffix(b"data: [DONE]\n\n")


def test_a_mapped_name_is_written_anew_among_forwarded_events() -> None:
    """The client sees the name of its own tool, and every part begins and ends once."""
    told = events_of(render(read([STREAMS["calls"]])))
    assert told == [
        *events_of(STREAMS["calls"].replace(b"git_hub", b"git.hub")),
    ]


def test_a_chunk_that_was_changed_is_never_forwarded_as_it_came() -> None:
    """Whoever redacts a chunk need not know of the vendor's bytes."""
    for name in ("text", "calls"):
        chunks = [
            replace(
                chunk,
                text=chunk.text.replace("lo", "[hidden]"),
                reasoning=chunk.reasoning.replace("will", "[hidden]"),
            )
            for chunk in read([STREAMS[name]])
        ]
        told = render(chunks)
        assert b'"lo"' not in told
        assert b"will" not in told
        assert b"[hidden]" in told
    assert b"tool-plan-delta" in told


@pytest.mark.promise("P5")
def test_the_end_tells_usage_and_what_else_is_known_only_then() -> None:
    """The vendor's own counts, of which we know a part, and facts about the call beside them."""
    last = events_of(render(read([STREAMS["odd"]]), {"run": "run_1"}))[-1]
    assert last == {
        "type": "message-end",
        "id": "a",
        "delta": {"finish_reason": "STOP_SEQUENCE", "usage": USAGE, "newer": 1},
        "interlock": {"run": "run_1"},
    }
    chunks = [
        replace(chunk, usage=chunk.usage and Usage(input_tokens=9)) for chunk in read([STREAMS["text"]])
    ]
    mended = events_of(render(chunks))[-1]
    assert as_object(as_object(as_object(mended["delta"])["usage"])["billed_units"])["input_tokens"] == 9


ELSEWHERE = [
    Chunk(reasoning="hm", model="other/x", id="i"),
    Chunk(text="ok", logprobs={"content": [{"token": "ok", "logprob": -0.5}]}),
    Chunk(citations=({"url": "u"},)),
    Chunk(tool_calls=(ToolCallDelta(index=0, id="1", name="a.b"),)),
    Chunk(tool_calls=(ToolCallDelta(index=0, arguments="{}"),)),
    Chunk(text="hidden", choice=1),
    Chunk(tool_calls=(ToolCallDelta(index=1, id="2", name="c", arguments="{}"),)),
    Chunk(refusal="no"),
    Chunk(finish=FinishReason.TOOL_CALLS, native_finish="tool_use"),
    Chunk(usage=Usage(input_tokens=3, output_tokens=2)),
]


@pytest.mark.promise("P2")
def test_an_answer_from_elsewhere_streams_in_this_dialect() -> None:
    """Parts begin and end where the dialect wants it, and the SDK's types read each event strictly."""
    told = events_of(render(ELSEWHERE))
    assert [one["type"] for one in told] == [
        "message-start",
        "content-start",
        "content-delta",
        "content-end",
        "content-start",
        "content-delta",
        "citation-start",
        "citation-end",
        "content-end",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "tool-call-start",
        "tool-call-end",
        "content-start",
        "content-delta",
        "content-end",
        "message-end",
    ]
    assert told[5] == {
        "type": "content-delta",
        "index": 1,
        "delta": {"message": {"content": {"text": "ok"}}},
        "logprobs": {"text": "ok", "token_ids": [], "logprobs": [-0.5]},
    }
    assert told[9]["delta"] == {
        "message": {
            "tool_calls": {"id": "1", "type": "function", "function": {"name": "a.b", "arguments": ""}}
        }
    }
    assert told[-1]["delta"] == {
        "finish_reason": "TOOL_CALL",
        "usage": {
            "billed_units": {"input_tokens": 3, "output_tokens": 2},
            "tokens": {"input_tokens": 3, "output_tokens": 2},
        },
    }
    for one in told:
        assert not SDK_EVENT.validate_python(one, strict=True).model_extra


def test_an_error_ends_a_clients_stream_in_the_dialect() -> None:
    """The error stands in the last event, and what was open is closed before it."""
    renderer = CODEC.render_stream(ASKED)
    renderer.chunk(Chunk(text="a", id="i"))
    told = events_of(renderer.error(QuotaExceededError("The day's money is spent.")))
    assert told == [
        {"type": "content-end", "index": 0},
        {
            "type": "message-end",
            "id": "i",
            "delta": {"error": "The day's money is spent.", "finish_reason": "ERROR"},
            "code": "quota_exceeded",
        },
    ]


def test_a_stream_that_says_nothing_is_still_an_answer() -> None:
    """The client is told a beginning and an end."""
    told = events_of(render([Chunk(finish=FinishReason.STOP)]))
    assert [one["type"] for one in told] == ["message-start", "message-end"]


def spoken(kind: str, text: str, *, first: bool) -> Chunk:
    """A chunk of one kind."""
    piece = ToolCallDelta(index=0, id="c" if first else None, name="f" if first else None, arguments=text)
    return Chunk(
        text=text if kind == "text" else "",
        reasoning=text if kind == "reasoning" else "",
        tool_calls=(piece,) if kind == "call" else (),
        model="vendor/m-1",
        id="i",
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(["text", "reasoning", "call"]), st.text(min_size=1, max_size=6)), max_size=8
    )
)
def test_what_is_written_for_a_client_reads_the_same(said: list[tuple[str, str]]) -> None:
    """Chunks → client's bytes → chunks, for any mixture of pieces."""
    chunks = [Chunk(model="vendor/m-1", id="i")]
    for kind, text in said:
        chunks.append(spoken(kind, text, first=not any(chunk.tool_calls for chunk in chunks)))
    chunks.append(Chunk(finish=FinishReason.LENGTH, native_finish="MAX_TOKENS", model="vendor/m-1", id="i"))
    told = render(chunks)
    assert comparable(read([told])) == comparable(chunks)
    for one in events_of(told):
        assert not SDK_EVENT.validate_python(one, strict=True).model_extra


@given(
    st.lists(
        st.sampled_from(
            [
                PLAN,
                content("text", 0, "a", "b"),
                content("thinking", 1, "c"),
                call(0, "git_hub", "{", "}"),
                call(1, "f", "{}", call_id="d"),
                cite(0, "x"),
                event("debug"),
            ]
        ),
        max_size=6,
    )
)
def test_any_order_of_events_is_understood_and_told_on(said: list[bytes]) -> None:
    """Whatever a vendor says first, a client that reads it on understands the same."""
    chunks = read([BEGIN, *said, end("COMPLETE")])
    again = read([render(chunks)])
    assert assembled(again).completion() == assembled(chunks).completion()


def test_events_that_say_nothing_are_not_gathered_without_bound() -> None:
    """A vendor that goes on debugging costs no memory; what it says then is told anew, and once."""
    begin = event("content-start", 0, {"content": {"type": "text", "text": ""}})
    noise = event("debug", prompt="x" * 1000) * 200
    said = event("content-delta", 0, {"content": {"text": "a"}})
    chunks = read([BEGIN + begin + noise + said + event("content-end", 0) + end("COMPLETE")])
    assert max(len(chunk.raw.body) for chunk in chunks if chunk.raw is not None) < 65 * 1024
    told = events_of(render(chunks))
    assert [one["type"] for one in told if one["type"] != "debug"] == [
        "message-start",
        "content-start",
        "content-delta",
        "content-end",
        "message-end",
    ]
