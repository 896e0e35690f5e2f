"""The small machines under the codecs: tool names, splices, server-sent events, embeddings."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Embeddings, Json, Usage
from interlock_core.errors import ConfigurationError, InvalidRequestError, ProtocolError, UnsupportedError
from interlock_providers.codecs import Target, codec, dialects
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs._splice import splice
from interlock_providers.codecs._sse import MAX_EVENT_BYTES, SseReader
from interlock_providers.codecs.openai_chat import EMBEDDINGS

TARGET = Target(provider="vendor", model="embed-1")


@pytest.mark.promise("P3")
@given(st.sets(st.text("ab._-é", max_size=70), max_size=12))
def test_tool_names_go_there_and_back_without_loss_or_collision(names: set[str]) -> None:
    """Every mapping is legal, unlike every other, and comes back."""
    mapping = ToolNames(names)
    wires = [mapping.wire(name) for name in names]
    assert len(set(wires)) == len(names)
    assert all(1 <= len(wire) <= 64 and set(wire) <= set("ab_-0123456789cdef") for wire in wires)
    assert {mapping.core(mapping.wire(name)) for name in names} == names


@given(st.lists(st.text("ab._", min_size=1, max_size=5), max_size=8))
def test_tool_names_do_not_depend_on_their_order(names: list[str]) -> None:
    """The same set of tools is called the same on every wire and in every process."""
    one, other = ToolNames(names), ToolNames(reversed(names))
    assert [one.wire(name) for name in names] == [other.wire(name) for name in names]


def test_legal_tool_names_are_left_alone() -> None:
    """A legal name is what it is, and an illegal one steps aside for it."""
    mapping = ToolNames(["a_b", "a.b", "c.d"])
    assert mapping.wire("a_b") == "a_b"
    assert mapping.wire("c.d") == "c_d"
    assert mapping.wire("a.b").startswith("a_b_")
    assert mapping.core("made_up") == "made_up"
    assert not mapping.identity
    assert ToolNames(["a_b"]).identity


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text('ab"\\ {}[]:,model', max_size=12)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["model", "a", 'b"', "model\\"]), inner, max_size=3),
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c d", 'q"']), json_values, max_size=3),
    st.text('ab"\\{}', max_size=6),
    st.integers(0, 3),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_a_splice_changes_one_top_level_value_and_nothing_else(
    others: dict[str, Json], model: str, place: int, indent: int | None, ascii_only: bool
) -> None:
    """Wherever the member stands, and whatever looks like it elsewhere."""
    items = list(others.items())
    items.insert(place, ("model", model))
    body = json.dumps(dict(items), indent=indent, ensure_ascii=ascii_only).encode()
    made = splice(body, replace={"model": b'"new"'}, add={"stream": b"true"})
    assert made is not None
    assert json.loads(made) == {"stream": True, **dict(items), "model": "new"}
    assert list(json.loads(made)) == ["stream", *dict(items)]


@pytest.mark.parametrize("body", [b'{"a":{"model":"x"}}', b'{"model":{"a":1}}', b'{"model":"a","model":"b"}'])
def test_a_splice_that_is_not_sure_declines(body: bytes) -> None:
    """Not there, not a plain value, or there twice: the caller renders anew."""
    assert splice(body, replace={"model": b'"new"'}, add={}) is None


def test_an_endless_event_is_refused() -> None:
    """A server cannot fill the memory with one event."""
    reader = SseReader()
    with pytest.raises(ProtocolError, match="longer than"):
        list(reader.feed(b"data: " + b"x" * MAX_EVENT_BYTES))


@given(
    st.lists(st.tuples(st.text("a:é", max_size=4), st.text("ab\n:é", max_size=6)), max_size=4),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", " "]),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_an_event_has_its_name_its_data_and_its_bytes(
    told: list[tuple[str, str]], end: str, space: str, cuts: list[int]
) -> None:
    """However its lines end and its fields are written, and wherever the pieces are cut."""
    blocks = [
        "".join(
            [f"event:{space}{name}{end}", *(f"data:{space}{line}{end}" for line in text.split("\n")), end]
        )
        for name, text in told
    ]
    data = "".join(blocks).encode()
    reader = SseReader()
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    found = [event for at, to in pairwise(places) for event in reader.feed(data[at:to])]
    if (rest := reader.rest()) is not None:
        found.append(rest)
    assert [(event.event, event.data.decode()) for event in found] == told
    # A reader that has seen the first half of the last line's end does not wait for the other.
    assert data.removeprefix(b"".join(event.raw for event in found)) in {b"", b"\n"}
    assert not any(event.plain for event in found)


@given(
    st.lists(st.text("ab\n: é", max_size=6), max_size=4),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_events_are_cut_by_the_rules_of_the_standard(
    texts: list[str], end: str, bom: bool, cuts: list[int]
) -> None:
    """Any line end, a byte order mark, and pieces cut anywhere."""
    blocks = ["".join(f"data: {line}{end}" for line in text.split("\n")) + end for text in texts]
    data = ("\ufeff" * bom + f": comment{end}{end}" + "".join(blocks)).encode()
    reader = SseReader()
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    found = [event.data.decode() for at, to in pairwise(places) for event in reader.feed(data[at:to])]
    if (rest := reader.rest()) is not None:
        found.append(rest.data.decode())
    assert found == texts


def test_dialects_are_found_by_name() -> None:
    """An unknown one is refused with those that there are."""
    assert dialects() == (
        "anthropic-messages",
        "cohere-chat",
        "mistral-chat",
        "openai-chat",
        "openai-responses",
    )
    assert codec("openai-chat").dialect == "openai-chat"
    with pytest.raises(ConfigurationError, match="openai-chat"):
        codec("openai-chats")


def test_embeddings_go_to_the_vendor_and_come_back_in_order() -> None:
    """Vectors are sorted by their index, as floats or as base64."""
    sent = EMBEDDINGS.render_request(["a", "b"], TARGET)
    assert (sent.path, json.loads(sent.body)) == ("/embeddings", {"model": "embed-1", "input": ["a", "b"]})
    data = b'[{"index":1,"embedding":[0.5,1]},{"index":0,"embedding":"AACAPwAAAMA="}]'
    answer = b'{"data":%s,"usage":{"prompt_tokens":3}}' % data
    assert EMBEDDINGS.parse_response(answer, sent, 2) == Embeddings(
        model="vendor/embed-1", vectors=((1.0, -2.0), (0.5, 1.0)), usage=Usage(input_tokens=3)
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"x",
        b"{}",
        b'{"data":[{"index":0,"embedding":[1]}]}',
        b'{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}',
        b'{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[1]}]}',
        b'{"data":[{"index":0,"embedding":["x"]},{"index":1,"embedding":[1]}]}',
        b'{"data":[{"index":0,"embedding":"AAA="},{"index":1,"embedding":[1]}]}',
        b'{"data":[{"index":0,"embedding":"?"},{"index":1,"embedding":[1]}]}',
    ],
)
def test_vectors_that_cannot_be_right_are_a_protocol_error(answer: bytes) -> None:
    """Too few, twice the same, empty or unreadable."""
    sent = EMBEDDINGS.render_request(["a", "b"], TARGET)
    with pytest.raises(ProtocolError, match="vendor"):
        EMBEDDINGS.parse_response(answer, sent, 2)


def test_a_client_asks_for_embeddings_and_is_answered() -> None:
    """One text or several, floats or base64."""
    assert EMBEDDINGS.parse_request(b'{"model":"m","input":"a"}').texts == ("a",)
    asked = EMBEDDINGS.parse_request(b'{"model":"m","input":["a","b"],"encoding_format":"base64"}')
    assert (asked.texts, asked.base64) == (("a", "b"), True)
    made = Embeddings(model="v/m", vectors=((1.0, -2.0),), usage=Usage(input_tokens=3))
    told = json.loads(EMBEDDINGS.render_response(made))
    assert told == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [1.0, -2.0]}],
        "model": "v/m",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    packed = json.loads(
        EMBEDDINGS.render_response(Embeddings(model="v/m", vectors=((1.0, -2.0),)), base64=True)
    )
    assert packed["data"][0]["embedding"] == "AACAPwAAAMA="


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("model", '{"input":"a"}'),
        ("input", '{"model":"m"}'),
        ("input", '{"model":"m","input":[]}'),
        ("input[1]", '{"model":"m","input":["a",""]}'),
        ("input[0]", '{"model":"m","input":[null]}'),
    ],
)
def test_a_wrong_request_for_embeddings_names_the_field(field: str, body: str) -> None:
    """The place is named as the client wrote it."""
    with pytest.raises(InvalidRequestError) as caught:
        EMBEDDINGS.parse_request(body.encode())
    assert caught.value.field == field


@pytest.mark.parametrize("more", ['"input":[1,2]', '"input":[[1],[2]]', '"input":"a","dimensions":3'])
def test_embeddings_that_are_not_built_are_refused(more: str) -> None:
    """Token numbers and shortened vectors are refused by name, never ignored."""
    with pytest.raises(UnsupportedError):
        EMBEDDINGS.parse_request(f'{{"model":"m",{more}}}'.encode())


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"data":{}}', b"[" * 100_000])
def test_what_is_no_list_of_models_is_a_protocol_error(body: bytes) -> None:
    """Another server than expected is told apart from an empty list."""
    with pytest.raises(ProtocolError, match="vendor"):
        codec("openai-chat").parse_models(body, "vendor")


def test_models_are_listed_once_each() -> None:
    """Entries without a name are passed over."""
    body = b'{"data":[{"id":"a"},{"id":"b"},{"id":"a"},{"id":7},{}]}'
    assert codec("openai-chat").parse_models(body, "vendor") == ("a", "b")
