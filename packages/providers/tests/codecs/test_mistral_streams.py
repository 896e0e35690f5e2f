"""Streams of the dialect mistral-chat: read at every cut, put together like the whole answer, told again."""

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy

from interlock_core import (
    Chunk,
    Completion,
    CompletionRequest,
    Content,
    FinishReason,
    Json,
    JsonObject,
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolCallDelta,
    ToolSpec,
    Usage,
)
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import (
    InterlockError,
    InvalidRequestError,
    OverloadedError,
    ProtocolError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.messages import user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("mistral-chat")
ASKED = CompletionRequest(model="x", messages=(user("hi"),), tools=(ToolSpec(name="github.issues_create"),))
SENT: Rendered = CODEC.render_request(ASKED, Target(provider="vendor", model="m-1"), stream=True)
USAGE: JsonObject = {
    "prompt_tokens": 10,
    "total_tokens": 15,
    "completion_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 4},
    "service_tier": "standard",
}


def event(
    delta: JsonObject, finish: str | None = None, usage: JsonObject | None = None, **more: Json
) -> bytes:
    """One event of a stream, as the vendor writes it."""
    choice: JsonObject = {"index": 0, "delta": delta, "finish_reason": finish}
    body: JsonObject = {
        "id": "cmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m-1",
        "choices": [choice],
        **more,
    }
    return b"data: %s\n\n" % dump_json(body if usage is None else {**body, "usage": usage}).encode()


def thinking(text: str | None, **more: Json) -> JsonObject:
    """A thinking chunk."""
    said: list[Json] = [] if text is None else [{"type": "text", "text": text}]
    return {"type": "thinking", "thinking": said, **more}


def call(name: str, arguments: Json, number: str | None = None, index: int | None = 0) -> JsonObject:
    """A tool call, or a piece of one."""
    made: JsonObject = {"function": {"name": name, "arguments": arguments}}
    if number is not None:
        made["id"] = number
    return made if index is None else {**made, "index": index}


def called(*calls: JsonObject) -> JsonObject:
    """A delta of tool calls."""
    return {"tool_calls": [*calls]}


OPEN = event({"role": "assistant", "content": ""})
DONE = b"data: [DONE]\n\n"
END = event({"content": ""}, "stop", USAGE) + DONE
CUT_CALL = event(called(call("get", "", "aB3dE5fG7")))
STREAMS: dict[str, bytes] = {
    "text": OPEN + event({"content": "Zürich — 漢"}, p="ab") + event({"content": "字 😀"}, p="abcd") + END,
    "thinking": OPEN
    + event({"content": [thinking("Hm")]})
    + event({"content": [thinking(".")]})
    + event({"content": [thinking(None, closed=True), {"type": "text", "text": "4"}]})
    + event({"content": "."})
    + END,
    "signed": OPEN
    + event({"content": [thinking("a")]})
    + event({"content": [thinking(None, signature="s1", closed=True)]})
    + event({"content": [thinking("b", signature="s2"), {"type": "text", "text": "c"}]})
    + END,
    "mixed": OPEN
    + event(
        {
            "content": [
                {"type": "text", "text": "It won"},
                {"type": "reference", "reference_ids": [1, "a"]},
                {"type": "text", "text": "."},
                thinking("Hm"),
            ]
        },
    )
    + END,
    "calls_at_the_end": OPEN
    + event(
        called(call("get", '{"a": 1}', "aB3dE5fG7"), call("github_issues_create", "{}", "hI9jK1lM3")),
        "tool_calls",
        USAGE,
    )
    + DONE,
    "calls_without_ids": OPEN
    + event(called(call("get", '{"a":1}', "null")))
    + event(called(call("get", '{"a":2}', "null")))
    + event(called(call("put", {"b": 3}, index=None)), "tool_calls", USAGE)
    + DONE,
    "cut_call": OPEN
    + CUT_CALL
    + event(called(call("", '{"a"')))
    + event(called(call("", ": 1}", "null")))
    + event(called(call("put", "{}", "hI9jK1lM3")))
    + event({"content": ""}, "stop", USAGE)
    + DONE,
    "changing_id": OPEN
    + CUT_CALL
    + event(called(call("", '{"a"', "zzzzzzzzz")))
    + event(called(call("", ": 1}", "yyyyyyyyy")))
    + event({"content": ""}, "tool_calls", USAGE)
    + DONE,
    "repeated_name": OPEN
    + event(called(call("get", "")))
    + event(called(call("get", '{"a"')))
    + event(called(call("get", ": 1}")))
    + event(called(call("get", '{"a": 2}')))
    + event({"content": ""}, "tool_calls", USAGE)
    + DONE,
    "crlf": (b": hello\n\n" + OPEN + event({"content": "a"}) + END).replace(b"\n", b"\r\n"),
    "no_done": OPEN + event({"content": "a"}) + event({"content": ""}, "model_length", USAGE),
    "strings_in_lists": OPEN + event({"content": ["a", "b", {"type": "image_url", "image_url": "u"}]}) + END,
}
GET, GET_2 = '{"a": 1}', '{"a": 2}'
WANTED: dict[str, list[object]] = {
    "text": ["Zürich — 漢字 😀"],
    "thinking": [Reasoning(text="Hm.", vendor="vendor"), "4."],
    "signed": [
        Reasoning(text="a", signature="s1", vendor="vendor"),
        Reasoning(text="b", signature="s2", vendor="vendor"),
        "c",
    ],
    "mixed": ["It won.", Reasoning(text="Hm", vendor="vendor")],
    "calls_at_the_end": [("aB3dE5fG7", "get", GET), ("hI9jK1lM3", "github.issues_create", "{}")],
    "calls_without_ids": [(None, "get", '{"a":1}'), (None, "get", '{"a":2}'), (None, "put", '{"b":3}')],
    "cut_call": [("aB3dE5fG7", "get", GET), ("hI9jK1lM3", "put", "{}")],
    "changing_id": [("aB3dE5fG7", "get", GET)],
    "repeated_name": [(None, "get", GET), (None, "get", GET_2)],
    "crlf": ["a"],
    "no_done": ["a"],
    "strings_in_lists": ["ab"],
}


def read(pieces: Iterable[bytes]) -> list[Chunk]:
    """All chunks of a stream that comes in these pieces."""
    parser = CODEC.parse_stream(SENT)
    chunks = [chunk for piece in pieces for chunk in parser.feed(piece)]
    return chunks + list(parser.finish())


def bare(chunks: Iterable[Chunk]) -> list[Chunk]:
    """The chunks without the bytes that they came from."""
    return [replace(chunk, raw=None) for chunk in chunks]


def assembled(chunks: Iterable[Chunk]) -> Completion:
    """The answer that the chunks add up to."""
    assembler = CompletionAssembler()
    for chunk in chunks:
        assembler.feed(chunk)
    return assembler.completion()


def test_there_is_an_expectation_for_every_stream() -> None:
    """No stream is read without its parts being checked."""
    assert sorted(WANTED) == sorted(STREAMS)


@pytest.mark.promise("P3")
@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_cut_at_any_byte_reads_the_same(name: str) -> None:
    """Two pieces cut at every position, and one byte at a time: the same chunks as in one piece."""
    data = STREAMS[name]
    whole = bare(read([data]))
    for cut in range(1, len(data)):
        assert bare(read([data[:cut], data[cut:]])) == whole
    assert bare(read(data[at : at + 1] for at in range(len(data)))) == whole


def shape(part: Content, wanted: object) -> object:
    """A part in the form in which it is expected; an id that the vendor did not say may be any legal one."""
    if isinstance(part, Text):
        return part.text
    if isinstance(part, ToolCall):
        known = isinstance(wanted, tuple) and wanted[0] is not None
        assert known or (len(part.id) == 9 and part.id.isalnum())
        return (part.id if known else None, part.name, part.arguments)
    return part


@pytest.mark.promise("P1", "P3")
@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_becomes_the_answer_that_it_is(name: str) -> None:
    """Parts in the order in which they were said, calls told apart, usage and tier."""
    answer = assembled(read([STREAMS[name]]))
    parts = answer.message.content
    assert len(parts) == len(WANTED[name])
    assert [shape(part, want) for part, want in zip(parts, WANTED[name], strict=True)] == WANTED[name]
    calls = answer.message.tool_calls
    assert len({one.id for one in calls}) == len(calls)
    assert answer.usage == Usage(input_tokens=10, output_tokens=5, cache_read_tokens=4)
    assert (answer.model, answer.id, answer.service_tier) == ("vendor/m-1", "cmpl-1", "standard")
    ended = FinishReason.TOOL_CALLS if calls else FinishReason.STOP
    assert answer.finish is (FinishReason.CONTEXT if name == "no_done" else ended)


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_that_breaks_off_is_never_taken_for_a_whole_one(name: str) -> None:
    """Cut at any byte and closed there: a typed error, unless the answer had said why it ended."""
    data = STREAMS[name]
    complete = assembled(read([data])).finish
    for cut in range(len(data)):
        parser = CODEC.parse_stream(SENT)
        chunks = list(parser.feed(data[:cut]))
        try:
            chunks.extend(parser.finish())
        except ProtocolError:
            continue
        assert assembled(chunks).finish is complete


@pytest.mark.parametrize("name", sorted(STREAMS))
@pytest.mark.parametrize("forward", [True, False])
def test_a_client_is_told_what_the_vendor_said(name: str, forward: bool) -> None:
    """Vendor's stream → chunks → client's stream → chunks: nothing lost, forwarded or written anew."""
    chunks = read([STREAMS[name]])
    renderer = CODEC.render_stream(ASKED, created=9)
    told = b"".join(renderer.chunk(one) for one in (chunks if forward else bare(chunks))) + renderer.end()
    assert told.endswith(DONE)
    heard = assembled(read([told]))
    assert heard == replace(assembled(chunks), raw=None)


def test_events_that_need_no_change_are_forwarded_under_our_name_of_the_model() -> None:
    """What the types do not know, such as padding, reaches the client."""
    renderer = CODEC.render_stream(ASKED)
    told = b"".join(renderer.chunk(one) for one in read([STREAMS["text"]])) + renderer.end()
    assert told == STREAMS["text"].replace(b'"m-1"', b'"vendor/m-1"')


def test_a_call_that_began_as_pieces_goes_on_in_pieces() -> None:
    """A client that was forwarded the beginning is told the rest the same way, even where it is mended."""
    renderer = CODEC.render_stream(ASKED)
    chunks = read([STREAMS["changing_id"]])
    events = [json.loads(told[6:]) for one in chunks if (told := renderer.chunk(one))]
    deltas = [as_object(as_array(body["choices"])[0])["delta"] for body in events]
    pieces = [as_object(as_array(as_object(delta).get("tool_calls"))[0]) for delta in deltas[1:4]]
    assert [as_object(piece["function"])["arguments"] for piece in pieces] == ["", '{"a"', ": 1}"]
    assert [piece.get("id") for piece in pieces] == ["aB3dE5fG7", None, None]


def test_usage_that_comes_after_the_finish_is_told_with_it() -> None:
    """The dialect has one event for both; what only the gateway knows stands beside."""
    renderer = CODEC.render_stream(ASKED, created=9)
    delta = ToolCallDelta(index=0, id="call_1", name="f", arguments="{}")
    assert renderer.chunk(Chunk(model="o/m", id="i", tool_calls=(delta,)))
    assert renderer.chunk(Chunk(finish=FinishReason.TOOL_CALLS, native_finish="tool_use")) == b""
    assert renderer.chunk(Chunk(usage=Usage(input_tokens=2, output_tokens=1))) == b""
    told = renderer.end({"run": "r"})
    body = as_object(json.loads(told.removesuffix(DONE)[6:]))
    assert as_object(body["usage"])["total_tokens"] == 3
    assert body["interlock"] == {"run": "r"}
    choice = as_object(as_array(body["choices"])[0])
    assert choice["finish_reason"] == "tool_calls"
    assert as_object(choice["delta"])["tool_calls"] == [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


def test_several_answers_are_told_apart() -> None:
    """Two choices in one event, each with an end of its own."""
    both: list[Json] = [
        {"index": 1, "delta": {"content": "Non"}, "finish_reason": "stop"},
        {"index": 0, "delta": {"content": "Oui"}, "finish_reason": "length"},
    ]
    body: JsonObject = {"id": "i", "model": "m-1", "choices": both, "usage": USAGE}
    chunks = read([b"data: %s\n\n" % dump_json(body).encode(), DONE])
    answer = assembled(chunks)
    assert [message.text for message in (answer.message, *answer.alternatives)] == ["Oui", "Non"]
    assert answer.finish is FinishReason.LENGTH
    for forward in (True, False):
        renderer = CODEC.render_stream(ASKED)
        told = b"".join(renderer.chunk(one) for one in (chunks if forward else bare(chunks)))
        assert assembled(read([told + renderer.end()])) == answer


def test_a_stream_without_an_end_of_its_own_is_ended() -> None:
    """Nothing said and nothing known: the end mark alone."""
    assert CODEC.render_stream(ASKED).end() == DONE
    renderer = CODEC.render_stream(ASKED, created=1)
    body = json.loads(renderer.end({"run": "r"}).removesuffix(DONE)[6:])
    assert (body["choices"], body["interlock"]) == ([], {"run": "r"})


def failure(message: str, kind: str | None, code: str | None = None, **more: Json) -> JsonObject:
    """An error object of the vendor."""
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code, **more}


FAILURES: list[tuple[JsonObject, type[InterlockError]]] = [
    (failure("Rate limit exceeded", "rate_limited", "1300"), UpstreamRateLimitError),
    (failure("Service unavailable.", "internal_server_error", "1000"), UpstreamError),
    (failure("full", None, raw_status_code=503), OverloadedError),
    (failure("no", "invalid_request_error"), InvalidRequestError),
    ({"error": {"message": "slow down", "code": 429}}, UpstreamRateLimitError),
    ({"detail": [{"loc": ["body", "n"], "msg": "no"}]}, UpstreamError),
]


@pytest.mark.promise("P4")
@pytest.mark.parametrize(("body", "kind"), FAILURES)
def test_an_error_within_a_stream_is_raised_after_what_was_said(
    body: JsonObject, kind: type[InterlockError]
) -> None:
    """By its code, by the status that it tells, or as a failure of the vendor."""
    parser = CODEC.parse_stream(SENT)
    assert [chunk.text for chunk in parser.feed(OPEN + event({"content": "Bon"}))] == ["", "Bon"]
    with pytest.raises(kind) as caught:
        list(parser.feed(b"data: %s\n\n" % dump_json(body).encode()))
    assert type(caught.value) is kind
    assert caught.value.vendor == "vendor"


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        b"data: 3\n\n",
        OPEN + event(called(call("", "{}"))) + END,
        OPEN,
    ],
)
def test_a_stream_that_breaks_the_format_is_a_typed_error(data: bytes) -> None:
    """No JSON, no object, a call without a name, no end."""
    with pytest.raises(ProtocolError):
        read([data])


words = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=8)
texts: Strategy[JsonObject] = words.map(lambda text: {"type": "text", "text": text})
thoughts: Strategy[JsonObject] = words.map(thinking)
signed: Strategy[JsonObject] = st.tuples(words, words).map(lambda both: thinking(both[0], signature=both[1]))
references: Strategy[JsonObject] = st.integers(0, 9).map(
    lambda number: {"type": "reference", "reference_ids": [number]}
)
contents = st.lists(st.one_of(texts, thoughts, signed, references), min_size=1, max_size=6)
whole_calls = st.lists(
    st.tuples(st.from_regex(r"[a-zA-Z0-9]{9}", fullmatch=True), st.sampled_from(["{}", '{"a":1}'])),
    max_size=3,
    unique_by=lambda one: one[0],
)


def joined(message: Message) -> list[object]:
    """What a message says, with words of one kind joined as a stream joins them."""
    made: list[object] = []
    citations: list[Json] = []
    for part in message.content:
        last = made[-1] if made else None
        if isinstance(part, Text):
            citations.extend(one for one in part.citations if one not in citations)
            if isinstance(last, str):
                made[-1] = last + part.text
            elif part.text:
                made.append(part.text)
        elif isinstance(part, Reasoning) and isinstance(last, Reasoning) and last.signature is None:
            made[-1] = replace(part, text=last.text + part.text)
        else:
            made.append(part)
    return [*made, sorted(map(str, citations))]


@given(contents, whole_calls, st.data())
def test_a_stream_cut_into_any_pieces_adds_up_to_the_whole_answer(
    content: list[JsonObject], calls: list[tuple[str, str]], data: st.DataObject
) -> None:
    """The same content and calls, told whole, and in events and bytes that are cut anywhere."""
    tool_calls: list[Json] = [call("f", arguments, number) for number, arguments in calls]
    finish = "tool_calls" if calls else "stop"
    message: JsonObject = {"role": "assistant", "content": [*content], "tool_calls": tool_calls}
    body: JsonObject = {
        "id": "cmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": USAGE,
    }
    whole = CODEC.parse_response(dump_json(body).encode(), SENT)
    cut = data.draw(st.integers(0, len(content)))
    stream = OPEN
    for some in (content[:cut], content[cut:]):
        stream += event({"content": [*some]}) if some else b""
    stream += event(called(*map(as_object, tool_calls)), finish, USAGE) + DONE
    at = data.draw(st.integers(0, len(stream)))
    streamed = assembled(read([stream[:at], stream[at:]]))
    assert joined(streamed.message) == joined(whole.message)
    assert (streamed.usage, streamed.finish, streamed.native_finish, streamed.service_tier) == (
        whole.usage,
        whole.finish,
        whole.native_finish,
        whole.service_tier,
    )


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_in_another_way(data: bytes) -> None:
    """Whatever comes is read or a typed error."""
    try:
        read([OPEN + b"data: " + data + b"\n\n", END])
    except InterlockError:
        return
