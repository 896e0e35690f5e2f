"""Streams of the dialect openai-chat: read at every cut, written again, mended where servers are odd."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    Chunk,
    CompletionRequest,
    FinishReason,
    Json,
    JsonObject,
    ToolCall,
    ToolCallDelta,
    ToolSpec,
    Usage,
)
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import (
    BillingError,
    InterlockError,
    OverloadedError,
    ProtocolError,
    QuotaExceededError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.messages import user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("openai-chat")
ASKED = CompletionRequest(model="x", messages=(user("hi"),), tools=(ToolSpec(name="github.issues_create"),))
SENT: Rendered = CODEC.render_request(ASKED, Target(provider="vendor", model="m-1"), stream=True)
STREAMS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "streams").glob("*.sse"))}
TEXTS = {
    "bare_cr": "odd",
    "calls_by_id": "",
    "crlf": "line\r\nbreak\n\ntwice",
    "logprobs": "Hello",
    "reasoning": "9.8 is greater.",
    "refusal": "",
    "text": "Hello",
    "tool_calls": "",
    "two_answers": "Heads",
    "usage": "Zürich — 漢字 😀",
}
CALLS = {
    "tool_calls": (
        ToolCall(
            id="call_DdmO9pD3xa9XTPNJ32zg2hcA", name="get_weather", arguments='{"location":"Paris, France"}'
        ),
        ToolCall(id="call_2", name="github.issues_create", arguments="{}"),
    ),
    "calls_by_id": (
        ToolCall(id="aaaa", name="get_weather", arguments='{"location":"Paris, France"}'),
        ToolCall(id="bbbb", name="github.issues_create", arguments="{}"),
    ),
}


def read(pieces: Iterable[bytes]) -> list[Chunk]:
    """All chunks of a stream that comes in these pieces."""
    parser = CODEC.parse_stream(SENT)
    chunks = [chunk for piece in pieces for chunk in parser.feed(piece)]
    return chunks + list(parser.finish())


def bare(chunks: Iterable[Chunk]) -> list[Chunk]:
    """The chunks without the bytes that they came from."""
    return [replace(chunk, raw=None) for chunk in chunks]


def test_there_is_an_expectation_for_every_stream() -> None:
    """No stream is read without its text being checked."""
    assert sorted(TEXTS) == sorted(STREAMS)


@pytest.mark.promise("P3")
@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_cut_at_any_byte_reads_the_same(name: str) -> None:
    """Two pieces cut at every position, and one byte at a time: the same chunks as in one piece."""
    data = STREAMS[name]
    whole = bare(read([data]))
    for cut in range(1, len(data)):
        assert bare(read([data[:cut], data[cut:]])) == whole
    assert bare(read(data[at : at + 1] for at in range(len(data)))) == whole


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_becomes_the_answer_that_it_is(name: str) -> None:
    """Text and calls come out byte for byte."""
    assembler = CompletionAssembler()
    for chunk in read([STREAMS[name]]):
        assembler.feed(chunk)
    answer = assembler.completion()
    assert answer.text == TEXTS[name]
    assert answer.message.tool_calls == CALLS.get(name, ())
    assert answer.model == "vendor/m-1"


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_that_breaks_off_is_never_taken_for_a_whole_one(name: str) -> None:
    """Cut at any byte and closed there: a typed error, unless every answer had said why it ended."""
    data = STREAMS[name]
    complete = [chunk for chunk in bare(read([data])) if chunk.finish is not None]
    for cut in range(len(data)):
        parser = CODEC.parse_stream(SENT)
        chunks = list(parser.feed(data[:cut]))
        try:
            chunks.extend(parser.finish())
        except ProtocolError:
            continue
        assert [chunk for chunk in bare(chunks) if chunk.finish is not None] == complete


def render(chunks: Iterable[Chunk], request: CompletionRequest = ASKED) -> bytes:
    """What a client is sent for these chunks."""
    renderer = CODEC.render_stream(request, created=9)
    return b"".join(renderer.chunk(chunk) for chunk in chunks) + renderer.end()


def comparable(chunks: Iterable[Chunk]) -> list[Chunk]:
    """What of the chunks says something, whoever wrote them."""
    plain = [replace(chunk, raw=None, usage=None, service_tier=None) for chunk in chunks]
    return [chunk for chunk in plain if chunk != Chunk(model=chunk.model, id=chunk.id, choice=chunk.choice)]


@pytest.mark.parametrize("name", sorted(STREAMS))
@pytest.mark.parametrize("forward", [True, False])
def test_a_client_is_told_what_the_vendor_said(name: str, forward: bool) -> None:
    """Vendor's stream → chunks → client's stream → chunks: nothing lost, forwarded or written anew."""
    chunks = read([STREAMS[name]])
    told = render(chunks if forward else bare(chunks))
    assert comparable(read([told])) == comparable(chunks)
    models = {json.loads(line[6:])["model"] for line in told.split(b"\n") if line.startswith(b"data: {")}
    assert models == {"vendor/m-1"}


def test_plain_events_are_forwarded_with_only_the_model_changed() -> None:
    """Fields that nobody here knows reach the client as they came."""
    told = render(read([STREAMS["text"]]))
    after_comment = STREAMS["text"].partition(b"\n\n")[2]
    assert told == after_comment.replace(b'"gpt-4o-mini"', b'"vendor/m-1"')


def test_a_chunk_that_was_changed_is_never_forwarded_as_it_came() -> None:
    """Whoever redacts a chunk need not know of the vendor's bytes."""
    chunks = [
        replace(chunk, text=chunk.text.replace("Hello", "[hidden]")) for chunk in read([STREAMS["text"]])
    ]
    told = render(chunks)
    assert b"Hello" not in told
    assert b"[hidden]" in told


@pytest.mark.promise("P5")
def test_usage_is_told_at_the_end_to_whom_asked_for_it() -> None:
    """The last event holds usage and what else is known only then; the others say null."""
    request = replace(ASKED, stream_usage=True)
    renderer = CODEC.render_stream(request, created=9)
    chunks = read([STREAMS["usage"]])
    told = [renderer.chunk(chunk) for chunk in chunks]
    end = renderer.end({"run": "run_1", "cost_usd": 0.001})
    assert told[-1] == b""
    last = json.loads(end.split(b"\n")[0][6:])
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens_details"]["cached_tokens"] == 1024
    assert last["interlock"] == {"run": "run_1", "cost_usd": 0.001}
    assert end.endswith(b"data: [DONE]\n\n")
    assert chunks[-1].usage == Usage(
        input_tokens=1117, output_tokens=46, cache_read_tokens=1024, reasoning_tokens=30
    )


def test_usage_that_was_not_asked_for_is_left_out() -> None:
    """A client that did not ask sees no usage event, nor usage beside the finish."""
    told = render(read([STREAMS["usage"]])) + render(read([STREAMS["reasoning"]]))
    assert b"prompt_tokens" not in told


def test_usage_that_never_came_is_told_as_null() -> None:
    """The last event is there for whom asked, and admits that nothing is known."""
    told = render(read([STREAMS["text"]]), replace(ASKED, stream_usage=True))
    assert json.loads(told.split(b"\n\n")[-3][6:])["usage"] is None


def test_an_answer_from_elsewhere_streams_in_this_dialect() -> None:
    """The first event of a choice names the role; calls, reasoning and refusals take their fields."""
    chunks = [
        Chunk(reasoning="hm", model="other/x", id="i"),
        Chunk(text="ok"),
        Chunk(tool_calls=(ToolCallDelta(index=0, id="1", name="a.b"),)),
        Chunk(tool_calls=(ToolCallDelta(index=0, arguments="{}"),)),
        Chunk(refusal="no", citations=({"type": "url_citation"},)),
        Chunk(tool_calls=(ToolCallDelta(index=0, id="2", name="c"),), choice=1),
        Chunk(finish=FinishReason.TOOL_CALLS, native_finish="tool_use"),
    ]
    events = [json.loads(block[6:]) for block in render(chunks).split(b"\n\n")[:-2]]
    assert [event["choices"][0]["delta"] for event in events] == [
        {"role": "assistant", "content": "", "reasoning_content": "hm"},
        {"content": "ok"},
        {
            "tool_calls": [
                {"index": 0, "id": "1", "type": "function", "function": {"name": "a.b", "arguments": ""}}
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        {"refusal": "no", "annotations": [{"type": "url_citation"}]},
        {
            "role": "assistant",
            "tool_calls": [
                {"index": 0, "id": "2", "type": "function", "function": {"name": "c", "arguments": ""}}
            ],
        },
        {},
    ]
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert {(event["model"], event["id"], event["created"]) for event in events} == {("other/x", "i", 9)}


def test_an_error_ends_a_clients_stream_in_the_dialect() -> None:
    """The error is one event, as the vendor itself sends it."""
    told = CODEC.render_stream(ASKED).error(QuotaExceededError("The day's money is spent.", retry_after=5.0))
    assert json.loads(told[6:]) == {
        "error": {
            "message": "The day's money is spent.",
            "type": "insufficient_quota",
            "param": None,
            "code": "insufficient_quota",
        }
    }


def event(delta: JsonObject, finish: str | None = None) -> bytes:
    """One event of a stream."""
    choice: JsonObject = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: %s\n\n" % dump_json({"id": "a", "model": "m", "choices": [choice]}).encode()


def piece(index: Json, arguments: Json = "", **more: Json) -> JsonObject:
    """One piece of a tool call; a name goes into its function."""
    function: JsonObject = {"arguments": arguments}
    if "name" in more:
        function["name"] = more.pop("name")
    made: JsonObject = {"function": function, **more}
    return made if index is None else {"index": index, **made}


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param(
            [piece(0, id="a", name="f"), piece(0, '{"x":'), piece(0, "1}", id="changed")],
            [("a", "f", '{"x":1}')],
            id="an id that changes within a call",
        ),
        pytest.param(
            [piece(0, "{}", id="a", name="f"), piece(0, "[]", id="b", name="f")],
            [("a", "f", "{}"), ("b", "f", "[]")],
            id="calls that share index 0",
        ),
        pytest.param(
            [piece(None, "{", id="a", name="f"), piece(None, "}"), piece(None, "1", id="b", name="g")],
            [("a", "f", "{}"), ("b", "g", "1")],
            id="calls without index",
        ),
        pytest.param(
            [piece(0, "1", id="a", name="f"), piece(1, "2", id="b", name="g"), piece(0, "1"), piece(1, "2")],
            [("a", "f", "11"), ("b", "g", "22")],
            id="calls that take turns",
        ),
        pytest.param(
            [
                piece(0, "1", id="a", name="f"),
                piece(0, "2", id="b", name="g"),
                piece(0, "1", id="a"),
                piece(0, "2", id="b"),
            ],
            [("a", "f", "11"), ("b", "g", "22")],
            id="calls that take turns at index 0",
        ),
        pytest.param(
            [piece(0, "1", id="a", name="f"), piece(0, "2", id="a", name="f")],
            [("a", "f", "12")],
            id="id and name in every piece",
        ),
        pytest.param(
            [piece(7, {"x": 1}, id="a", name="f")],
            [("a", "f", '{"x":1}')],
            id="arguments as an object, index from 7",
        ),
        pytest.param(
            [piece(0, id="a"), piece(0, "{}", name="f")], [("a", "f", "{}")], id="a name that comes later"
        ),
    ],
)
def test_tool_calls_of_odd_servers_are_put_together_right(
    pieces: list[JsonObject], expected: list[tuple[str, str, str]]
) -> None:
    """Index, id and name follow the documented rules of some servers only; the calls come out whole."""
    data = (
        b"".join(event({"tool_calls": [one]}) for one in pieces)
        + event({}, "tool_calls")
        + b"data: [DONE]\n\n"
    )
    chunks = read([data])
    for told in (chunks, read([render(chunks)])):
        assembler = CompletionAssembler()
        for chunk in told:
            assembler.feed(chunk)
        made = [(call.id, call.name, call.arguments) for call in assembler.completion().message.tool_calls]
        assert made == expected


def test_a_call_without_an_id_gets_one() -> None:
    """The result must be able to name its call."""
    chunks = read(
        [event({"tool_calls": [piece(0, "{}", name="f")]}) + event({}, "stop") + b"data: [DONE]\n\n"]
    )
    assert str(chunks[0].tool_calls[0].id).startswith("call_")
    assert chunks[1].finish is FinishReason.TOOL_CALLS
    assert str(chunks[0].tool_calls[0].id).encode() in render(chunks)


def spoken(kind: str, text: str, *, first: bool) -> Chunk:
    """A chunk of one kind."""
    call = ToolCallDelta(index=0, id="c" if first else None, name="f" if first else None, arguments=text)
    return Chunk(
        text=text if kind == "text" else "",
        reasoning=text if kind == "reasoning" else "",
        refusal=text if kind == "refusal" else "",
        tool_calls=(call,) if kind == "call" else (),
        model="vendor/m-1",
        id="i",
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(["text", "reasoning", "refusal", "call"]), st.text(max_size=6)), max_size=8
    )
)
def test_what_is_written_for_a_client_reads_the_same(said: list[tuple[str, str]]) -> None:
    """Chunks → client's bytes → chunks, for any mixture of pieces."""
    chunks = [Chunk(model="vendor/m-1", id="i")]
    for kind, text in said:
        chunks.append(spoken(kind, text, first=not any(chunk.tool_calls for chunk in chunks)))
    chunks.append(Chunk(finish=FinishReason.LENGTH, native_finish="length", model="vendor/m-1", id="i"))
    assert comparable(read([render(chunks)])) == comparable(chunks)


@pytest.mark.parametrize(
    ("data", "cls"),
    [
        (
            b'data: {"error":{"message":"slow","type":"requests","code":"rate_limit_exceeded"}}\n\n',
            UpstreamRateLimitError,
        ),
        (b'data: {"error":{"message":"pay","code":"insufficient_quota"}}\n\n', BillingError),
        (b'event: error\ndata: {"message":"busy","code":503}\n\n', OverloadedError),
        (b'data: {"error":"it broke"}\n\n', UpstreamError),
        (b"data: {\n\n", ProtocolError),
        (b"data: []\n\n", ProtocolError),
    ],
)
def test_an_error_within_a_stream_comes_after_what_was_said_before(
    data: bytes, cls: type[InterlockError]
) -> None:
    """Even in the same bytes, the chunks before the error are delivered first."""
    parser = CODEC.parse_stream(SENT)
    seen: list[str] = []
    with pytest.raises(cls):
        seen.extend(chunk.text for chunk in parser.feed(event({"content": "first"}) + data))
    assert seen == ["first"]


def test_nothing_after_the_end_mark_is_read() -> None:
    """What a server sends after its end mark is no part of the answer."""
    parser = CODEC.parse_stream(SENT, attempts=2)
    data = event({"content": "a"}) + event({}, "stop") + b"data: [DONE]\n\n" + event({"content": "late"})
    chunks = [*parser.feed(data), *parser.finish()]
    assert [chunk.text for chunk in chunks] == ["a", ""]
    assert parser.done
    assert {chunk.attempts for chunk in chunks} == {2}


def test_an_end_mark_without_a_reason_is_an_unknown_reason() -> None:
    """A stream that says it is done is believed, and the missing reason is not made up."""
    chunks = read([event({"content": "a"}) + b"data: [DONE]\n\n"])
    assert chunks[-1].finish is FinishReason.UNKNOWN


def test_a_reason_without_an_end_mark_is_enough() -> None:
    """Servers that just close after the last chunk are understood."""
    chunks = read([event({"content": "a"}) + event({}, "stop")[:-2]])
    assert chunks[-1].finish is FinishReason.STOP


def test_content_in_parts_streams_as_text() -> None:
    """Servers that send deltas as arrays of parts are understood."""
    chunks = read(
        [event({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "stop")]
    )
    assert chunks[0].text == "ab"


def test_each_answer_of_one_event_is_forwarded_in_its_own() -> None:
    """Unknown fields of a shared event are not lost when its answers part."""
    shared: JsonObject = {
        "id": "a",
        "model": "m",
        "x_field": 1,
        "choices": [
            {"index": 0, "delta": {"content": "a", "x": 1}, "finish_reason": None},
            {"index": 1, "delta": {"content": "b", "x": 2}, "finish_reason": None},
        ],
    }
    parser = CODEC.parse_stream(SENT)
    told = b"".join(
        map(CODEC.render_stream(ASKED).chunk, parser.feed(b"data: %s\n\n" % dump_json(shared).encode()))
    )
    events = [json.loads(block[6:]) for block in told.split(b"\n\n")[:-1]]
    assert [as_object(as_object(as_array(one["choices"])[0])["delta"]) for one in events] == [
        {"content": "a", "x": 1},
        {"content": "b", "x": 2},
    ]
    assert {one["x_field"] for one in events} == {1}


@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_bytes_make_the_reader_of_streams_fail_in_another_way(data: bytes, cut: int) -> None:
    """Whatever a server streams is chunks or a typed error."""
    try:
        read([data[:cut], data[cut:]])
    except InterlockError:
        return
