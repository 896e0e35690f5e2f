"""Streams of the dialect cohere-chat, read: at every cut, and where servers are odd."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    FinishReason,
    Json,
    Reasoning,
    Text,
    ToolCall,
    Usage,
)
from interlock_core.errors import (
    ContextLengthError,
    InterlockError,
    ProtocolError,
    UpstreamError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import as_object

from .cohere_events import (
    BEGIN,
    CODEC,
    SENT,
    STREAMS,
    assembled,
    bare,
    call,
    content,
    end,
    event,
    events_of,
    read,
    render,
)


@pytest.mark.promise("P3")
@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_cut_at_any_byte_reads_the_same(name: str) -> None:
    """Two pieces cut at every position, and one byte at a time: the same chunks as in one piece."""
    data = STREAMS[name]
    whole = bare(read([data]))
    for cut in range(1, len(data)):
        assert bare(read([data[:cut], data[cut:]])) == whole
    pieces = read(data[at : at + 1] for at in range(len(data)))
    assert bare(pieces) == whole
    untouched = b"".join(chunk.raw.body for chunk in pieces if chunk.raw is not None)
    said = data.removeprefix(b": hello\n\n").removesuffix(b"data: [DONE]\n\n")
    assert untouched.rstrip() == said.rstrip()


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_that_breaks_off_is_never_taken_for_a_whole_one(name: str) -> None:
    """Cut at any byte and closed there: a typed error, unless the last event had been said."""
    data = STREAMS[name]
    complete = bare(read([data]))
    for at in range(len(data)):
        parser = CODEC.parse_stream(SENT)
        chunks = list(parser.feed(data[:at]))
        try:
            chunks.extend(parser.finish())
        except ProtocolError:
            continue
        assert bare(chunks) == complete


def test_text_is_read_with_its_reason_and_what_it_costs() -> None:
    """The last event holds reason and usage."""
    answer = assembled(read([STREAMS["text"]])).completion()
    assert (answer.text, answer.finish, answer.native_finish) == ("Hello", FinishReason.STOP, "COMPLETE")
    assert answer.usage == Usage(input_tokens=5, output_tokens=7, cache_read_tokens=4)
    assert (answer.id, answer.model) == ("a", "vendor/m-1")


def test_calls_are_put_together_and_the_plan_stays_a_plan() -> None:
    """Keyed by index, names mapped back; what was planned can go back as a plan."""
    for name in ("calls", "unnamed"):
        message = assembled(read([STREAMS[name]])).completion().message
        assert message.content == (
            Reasoning(text="I will.", id="tool_plan", vendor="vendor"),
            ToolCall(id="c", name="git.hub", arguments='{"a":1}'),
            ToolCall(id="d", name="f", arguments="{}"),
        )


def test_a_plan_and_the_thinking_behind_it_are_told_apart() -> None:
    """They are two parts of the reasoning, as in an answer that comes whole."""
    assert assembled(read([STREAMS["thinking"]])).completion().message.content == (
        Reasoning(text="I will.", id="tool_plan", vendor="vendor"),
        Reasoning(text="Zürich 😀", vendor="vendor"),
        Text("Hello"),
    )


def test_citations_belong_to_the_text() -> None:
    """Each once, as the vendor sent it."""
    for name in ("citations", "crlf"):
        (part,) = assembled(read([STREAMS[name]])).completion().message.content
        assert isinstance(part, Text)
        assert [as_object(citation)["text"] for citation in part.citations] == ["Hel", "lo"]


def test_log_probabilities_add_up_to_those_of_a_whole_answer() -> None:
    """One of them comes with each piece, a list of them with the whole."""
    answer = assembled(read([STREAMS["odd"]])).completion()
    assert answer.logprobs == [{"token_ids": [1], "logprobs": [-1]}]
    assert (answer.text, answer.finish) == ("Hello", FinishReason.STOP_SEQUENCE)


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(
            call(1, "f", "{", "}", call_id="a") + call(2, "g", "1", call_id="b"),
            [("a", "f", "{}"), ("b", "g", "1")],
            id="index from 1",
        ),
        pytest.param(
            call(0, "f", "{}", call_id="a") + call(0, "g", "1", call_id="b"),
            [("a", "f", "{}"), ("b", "g", "1")],
            id="calls that share index 0",
        ),
        pytest.param(
            event(
                "tool-call-start",
                0,
                {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]},
            ),
            [("a", "f", '{"x":1}')],
            id="a list, and arguments as an object",
        ),
        pytest.param(
            event("tool-call-start", message={"tool_calls": {"id": "a", "function": {"name": "f"}}})
            + event("tool-call-delta", message={"tool_calls": {"function": {"arguments": "{}"}}}),
            [("a", "f", "{}")],
            id="no index",
        ),
    ],
)
def test_tool_calls_of_odd_servers_are_put_together_right(
    data: bytes, expected: list[tuple[str, str, str]]
) -> None:
    """The calls come out whole, here and at the client."""
    chunks = read([BEGIN + data + end("TOOL_CALL")])
    for told in (chunks, read([render(chunks)])):
        made = assembled(told).completion().message.tool_calls
        assert [(one.id, one.name, one.arguments) for one in made] == expected


def test_a_call_without_an_id_gets_one() -> None:
    """The result must be able to name its call."""
    bare_call = event("tool-call-start", 0, {"tool_calls": {"function": {"name": "f", "arguments": "{}"}}})
    chunks = read([BEGIN + bare_call + end("COMPLETE")])
    made = str(chunks[1].tool_calls[0].id)
    assert made.startswith("call_")
    assert chunks[2].finish is FinishReason.TOOL_CALLS
    assert made.encode() in render(chunks)


def test_text_without_a_beginning_is_read() -> None:
    """Servers that leave out where a part begins are understood."""
    data = BEGIN + event("content-delta", 0, {"content": {"text": "a"}}) + end("COMPLETE")
    chunks = read([data])
    assert [chunk.text for chunk in chunks] == ["", "a", ""]
    assert [one["type"] for one in events_of(render(chunks))][-2:] == ["content-end", "message-end"]


FAILED = b'{"type":"message-end","delta":{"error":"%s","finish_reason":"%s"}}'


@pytest.mark.parametrize(
    ("data", "cls"),
    [
        (FAILED % (b"internal server error", b"ERROR"), UpstreamError),
        (FAILED % (b"generation timed out", b"ERROR"), UpstreamTimeoutError),
        (FAILED % (b"", b"TIMEOUT"), UpstreamTimeoutError),
        (FAILED % (b"", b"ERROR"), UpstreamError),
        (FAILED % (b"too many tokens: size limit exceeded", b"ERROR"), ContextLengthError),
        (b'{"id":"e","message":"it broke"}', UpstreamError),
        (b'{"type":"error","message":"it broke"}', UpstreamError),
        (b"{", ProtocolError),
        (b"[]", ProtocolError),
        (b'{"type":"tool-call-start","index":0}', ProtocolError),
        (b'{"type":"tool-call-delta","index":0}', ProtocolError),
    ],
)
def test_an_error_within_a_stream_comes_after_what_was_said_before(
    data: bytes, cls: type[InterlockError]
) -> None:
    """Even in the same bytes, the chunks before the error are delivered first."""
    parser = CODEC.parse_stream(SENT)
    seen: list[str] = []
    with pytest.raises(cls) as caught:
        seen.extend(chunk.text for chunk in parser.feed(content("text", 0, "first") + b"data: %s\n\n" % data))
    assert seen == ["first"]
    assert caught.value.vendor == "vendor"


def test_nothing_after_the_end_is_read() -> None:
    """What a server sends after its last event is no part of the answer."""
    parser = CODEC.parse_stream(SENT, attempts=2)
    chunks = [*parser.feed(STREAMS["text"] + content("text", 1, "late")), *parser.finish()]
    assert "".join(chunk.text for chunk in chunks) == "Hello"
    assert parser.done
    assert {chunk.attempts for chunk in chunks} == {2}


def test_an_end_mark_without_a_reason_is_an_unknown_reason() -> None:
    """A stream that says it is done is believed, and the missing reason is not made up."""
    chunks = read([BEGIN + content("text", 0, "a") + b"data: [DONE]\n\n"])
    assert chunks[-1].finish is FinishReason.UNKNOWN


@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_bytes_make_the_reader_of_streams_fail_in_another_way(data: bytes, cut: int) -> None:
    """Whatever a server streams is chunks or a typed error."""
    try:
        read([data[:cut], data[cut:]])
    except InterlockError:
        return


@given(
    st.sampled_from(
        [
            "message-start",
            "tool-plan-delta",
            "content-start",
            "content-delta",
            "tool-call-start",
            "message-end",
        ]
    ),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "message",
                        "content",
                        "text",
                        "tool_calls",
                        "function",
                        "name",
                        "arguments",
                        "usage",
                        "error",
                    ]
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=10,
    ),
)
def test_no_event_makes_the_reader_of_streams_fail_in_another_way(kind: str, delta: Json) -> None:
    """Whatever stands in an event is understood or a typed error, and can be told on."""
    told: bytes | None = None
    try:
        told = render(read([BEGIN, event(kind, 0, None, delta=delta), end("COMPLETE")]))
    except InterlockError:
        return
    assert events_of(told)[-1]["type"] == "message-end"
