"""Streams of the dialect anthropic-messages: read at every cut, forwarded, written anew."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy

from interlock_core import Chunk, Json, JsonObject, Reasoning, Refusal, Text, ToolCall, Usage
from interlock_core.errors import InterlockError, OverloadedError, ProtocolError
from interlock_core.jsontypes import as_array, as_object, dump_json

from .anthropic_streams import (
    BODIES,
    CASES,
    CODEC,
    GOOD,
    SENT,
    START,
    STOP,
    assembled,
    bare,
    begin,
    checked,
    done,
    events,
    finish,
    go_on,
    parts,
    read,
    render,
    sse,
)


def either(row: JsonObject, name: str) -> list[Json]:
    """The value that a recorded stream must come to, and others that are right as well."""
    return [row[name], *as_array(row.get(f"{name}_or"))] if name in row else []


@pytest.mark.promise("P3")
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_stream_adds_up_to_the_answer_that_it_is(name: str) -> None:
    """Words, signed reasoning, calls byte for byte, the reason to stop; what came before an error too."""
    row = CASES[name]
    chunks, failed = until_error(BODIES[name])
    answer = assembled(chunks)
    assert type(failed).__name__ in [row.get("error", "NoneType"), *as_array(row.get("error_also"))]
    thoughts = [part for part in answer.message.content if isinstance(part, Reasoning)]
    refused = [part.text for part in answer.message.content if isinstance(part, Refusal)]
    assert {
        "text": answer.text,
        "reasoning": "".join(part.text for part in thoughts),
        "signatures": [part.signature for part in thoughts if part.signature],
        "encrypted": [part.encrypted for part in thoughts if part.encrypted],
        "refusal": "".join(refused),
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in answer.message.tool_calls
        ],
        "citations": sum(len(part.citations) for part in answer.message.content if isinstance(part, Text)),
    } == {
        "text": row.get("text", ""),
        "reasoning": row.get("reasoning", ""),
        "signatures": row.get("signatures", []),
        "encrypted": row.get("encrypted", []),
        "refusal": row.get("refusal", ""),
        "tool_calls": row.get("tool_calls", []),
        "citations": row.get("citations", 0),
    }
    if failed is None:
        assert answer.finish.value in either(row, "finish")
        assert answer.native_finish == row.get("native_finish", answer.native_finish)


@pytest.mark.promise("P5")
@pytest.mark.parametrize("name", sorted(name for name, row in CASES.items() if "usage" in row))
def test_usage_of_a_stream_is_what_the_vendor_bills(name: str) -> None:
    """Every number, those of the cache and of reasoning included."""
    usage = assembled(read([BODIES[name]])).usage or Usage()
    numbers = {"input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"}
    told = {field: getattr(usage, field) for field in (*numbers, "cache_write_1h_tokens")}
    assert {field: count for field, count in told.items() if count} in [
        {field: count for field, count in as_object(row).items() if count}
        for row in either(CASES[name], "usage")
    ]


def until_error(body: bytes) -> tuple[list[Chunk], InterlockError | None]:
    """The chunks of a stream, and the error that ended it, if one did."""
    parser = CODEC.parse_stream(SENT)
    chunks: list[Chunk] = []
    try:
        for at in range(len(body)):
            chunks.extend(parser.feed(body[at : at + 1]))
        chunks.extend(parser.finish())
    except InterlockError as error:
        return chunks, error
    return chunks, None


@pytest.mark.promise("P3")
@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_stream_cut_at_any_byte_reads_the_same(name: str) -> None:
    """Two pieces cut at every position, and one byte at a time: the same chunks as in one piece."""
    data = GOOD[name]
    whole = bare(read([data]))
    for cut in range(1, len(data), 3):
        assert bare(read([data[:cut], data[cut:]])) == whole
    assert bare(read(data[at : at + 1] for at in range(len(data)))) == whole


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_stream_that_breaks_off_is_never_taken_for_a_whole_one(name: str) -> None:
    """Cut at any byte and closed there: a typed error, unless only the last blank line is missing."""
    data = GOOD[name]
    end = len(data.rstrip(b"\r\n"))
    for cut in range(0, end, 2):
        with pytest.raises(ProtocolError):
            read([data[:cut]])
    assert bare(read([data[:end]])) == bare(read([data]))


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("forward", [True, False])
def test_a_client_is_told_what_the_vendor_said(name: str, forward: bool) -> None:
    """Vendor's stream → chunks → client's stream → chunks: nothing lost, forwarded or written anew."""
    chunks = read([GOOD[name]])
    sent = render(chunks if forward else bare(chunks))
    told = checked(sent.replace(b"\r\n", b"\n"))
    again, first = assembled(read([sent])), assembled(chunks)
    kinds = [type(part) for part in parts(first)]
    assert [type(part) for part in parts(again)] == kinds
    assert (again.text, again.message.tool_calls, again.usage, again.finish) == (
        first.text,
        first.message.tool_calls,
        first.usage,
        first.finish,
    )
    assert as_object(told[0]["message"])["model"] == "vendor/claude-nova-9"
    if forward:
        assert parts(again) == parts(first)


@pytest.mark.parametrize("name", ["anthropic-messages-text", "anthropic-messages-web-search"])
def test_events_are_forwarded_as_they_came(name: str) -> None:
    """Pings, blocks that nobody here knows, and fields of newer versions reach the client."""
    data = GOOD[name]
    told = render(read([data]), {"run": "r"})
    vendor = [event for event in events(data) if event["type"] != "ping"]
    client = [event for event in events(told) if event["type"] != "ping"]
    assert as_object(client[-2]).pop("interlock") == {"run": "r"}
    as_object(vendor[0]["message"])["model"] = "vendor/claude-nova-9"
    assert client == vendor


def test_a_chunk_that_was_changed_is_never_forwarded_as_it_came() -> None:
    """Whoever redacts a chunk need not know of the vendor's bytes; what follows is forwarded again."""
    chunks = [
        replace(chunk, text=chunk.text.replace("Hello", "[hidden]"))
        for chunk in read([GOOD["anthropic-messages-text"]])
    ]
    told = render(chunks)
    assert b"Hello" not in told
    assert b"[hidden]" in told
    checked(told)


@pytest.mark.promise("P3")
def test_calls_that_take_turns_are_put_in_order_for_a_client() -> None:
    """Each call's pieces stay together, and a call without arguments has empty ones."""
    data = sse(
        START,
        begin(0, type="tool_use", id="a", name="github_issues_create", input={}),
        begin(1, type="tool_use", id="b", name="g", input={}),
        go_on(0, type="input_json_delta", partial_json=""),
        go_on(0, type="input_json_delta", partial_json='{"x":'),
        go_on(1, type="input_json_delta", partial_json='{"y": '),
        go_on(0, type="input_json_delta", partial_json="1}"),
        go_on(1, type="input_json_delta", partial_json="2}"),
        done(0),
        done(1),
        begin(2, type="tool_use", id="c", name="h", input={}),
        done(2),
        begin(3, type="tool_use", id="d", name="i", input={"z": 3}),
        done(3),
        finish("tool_use"),
        STOP,
    )
    calls = (
        ToolCall(id="a", name="github.issues_create", arguments='{"x":1}'),
        ToolCall(id="b", name="g", arguments='{"y": 2}'),
        ToolCall(id="c", name="h", arguments="{}"),
        ToolCall(id="d", name="i", arguments='{"z":3}'),
    )
    chunks = read([data])
    assert assembled(chunks).message.tool_calls == calls
    for form in (chunks, bare(chunks)):
        told = render(form)
        checked(told)
        again = assembled(CODEC.parse_stream(replace(SENT, names=type(SENT.names)(()))).feed(told))
        assert again.message.tool_calls == calls


def test_usage_is_cumulative() -> None:
    """What the end says replaces what the start said; what it leaves out stays."""
    answer = assembled(read([sse(START, finish(cache_read_input_tokens=7, input_tokens=None), STOP)]))
    assert answer.usage == Usage(input_tokens=17, output_tokens=5, cache_read_tokens=7)


def test_events_without_names_or_of_newer_kinds_are_understood() -> None:
    """A compatible server may leave names out; a client is told them all the same."""
    newer: JsonObject = {"type": "something_new", "x": 1}
    bodies = (
        *(START, newer),
        begin(0, type="text", text="He"),
        go_on(0, type="text_delta", text="llo"),
        go_on(0, type="brand_new_delta", x=1),
        *(done(0), finish(), STOP),
    )
    nameless = b"".join(b"data: %s\n\n" % dump_json(body).encode() for body in bodies)
    chunks = read([nameless])
    assert assembled(chunks).text == "Hello"
    checked(render(chunks))


@pytest.mark.parametrize(
    "data",
    [
        b"event: x\ndata: {oops\n\n",
        b"event: x\ndata: []\n\n",
        sse(START, go_on(0, type="text_delta", text="x")),
        sse(START, go_on(None, type="text_delta", text="x")),
        sse(START, begin(None, type="text", text="")),
        sse(START, begin(0, type="text", text=""), begin(0, type="text", text="")),
        sse(START, done(0)),
        sse(START, begin(0, type="tool_use", id="a", input={})),
        sse(START, finish()),
        b"",
    ],
)
def test_a_stream_that_breaks_the_format_is_a_typed_error(data: bytes) -> None:
    """Bad events never become another exception, and no end mark means no whole answer."""
    with pytest.raises(ProtocolError) as caught:
        read([data])
    assert caught.value.vendor == "vendor"


def test_an_error_within_a_stream_is_typed_by_its_type() -> None:
    """What came before it was already told."""
    parser = CODEC.parse_stream(SENT, attempts=2)
    failure: JsonObject = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    chunks = list(parser.feed(sse(START, begin(0, type="text", text="Hi"))))
    assert [(chunk.text, chunk.attempts) for chunk in chunks] == [("", 2), ("Hi", 2)]
    with pytest.raises(OverloadedError):
        list(parser.feed(sse(failure)))


WORDS = st.text(min_size=1, max_size=12)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)
INPUTS: Strategy[JsonObject] = st.dictionaries(WORDS, WORDS, max_size=2).map(lambda given: {**given})


def said(kind: str, **fields: Strategy[Json]) -> Strategy[JsonObject]:
    """Blocks of a kind."""
    return st.fixed_dictionaries({"type": st.just(kind), **fields}).map(lambda block: {**block})


SAID: Strategy[JsonObject] = st.one_of(
    said("text", text=WORDS),
    said("thinking", thinking=st.text(max_size=9), signature=WORDS),
    said("redacted_thinking", data=WORDS),
    said("tool_use", id=NAMES, name=NAMES, input=INPUTS),
)


def streamed(content: list[JsonObject], size: int) -> bytes:
    """An answer as the vendor streams it, its words in pieces of that size."""
    told: list[JsonObject] = [START]
    for index, block in enumerate(content):
        match block["type"]:
            case "text":
                told.append(begin(index, type="text", text=""))
                kind, name, words = "text_delta", "text", str(block["text"])
            case "thinking":
                told.append(begin(index, type="thinking", thinking="", signature=""))
                kind, name, words = "thinking_delta", "thinking", str(block["thinking"])
            case "tool_use":
                told.append(begin(index, **{**block, "input": {}}))
                kind, name = "input_json_delta", "partial_json"
                words = dump_json(block["input"]) if block["input"] else ""
            case _:
                told.append(begin(index, **block))
                kind, name, words = "", "", ""
        told += [
            go_on(index, **{"type": kind, name: words[at : at + size]}) for at in range(0, len(words), size)
        ]
        if block["type"] == "thinking":
            told.append(go_on(index, type="signature_delta", signature=block["signature"]))
        told.append(done(index))
    return sse(*told, finish("tool_use", cache_read_input_tokens=3), STOP)


@pytest.mark.promise("P3")
@given(st.lists(SAID, max_size=5), st.integers(1, 5), st.integers(1, 40))
def test_a_streamed_answer_is_the_same_as_a_whole_one(content: list[JsonObject], size: int, cut: int) -> None:
    """However the vendor cuts its words and the network its bytes; and so for our client."""
    data = streamed(content, size)
    whole: JsonObject = {
        "id": "msg_1",
        "type": "message",
        "content": [*content],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 3},
    }
    expected = CODEC.parse_response(dump_json(whole).encode(), SENT)
    chunks = read(data[at : at + cut] for at in range(0, len(data), cut))
    answer = assembled(chunks)
    assert parts(answer) == parts(expected)
    assert (answer.usage, answer.finish, answer.id, answer.model) == (
        expected.usage,
        expected.finish,
        expected.id,
        expected.model,
    )
    forwarded = render(chunks)
    checked(forwarded)
    assert parts(assembled(read([forwarded]))) == parts(expected)
    rewritten = render(bare(chunks))
    checked(rewritten)
    assert [type(part) for part in parts(assembled(read([rewritten])))] == [
        type(part) for part in parts(expected)
    ]


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_of_streams_fail_in_another_way(data: bytes) -> None:
    """Whatever comes is a typed error: no such bytes hold a whole answer."""
    with pytest.raises(InterlockError):
        read([data])
