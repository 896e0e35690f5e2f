"""Streams of the dialect anthropic-messages as clients are told them, whoever answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Chunk, FinishReason, Json, Reasoning, ToolCallDelta, Usage
from interlock_core.errors import QuotaExceededError
from interlock_core.jsontypes import as_object, dump_json

from .anthropic_streams import ASKED, CODEC, checked, events, render

FOREIGN = [
    Chunk(model="other/x", id="i"),
    Chunk(reasoning="hm"),
    Chunk(text="o"),
    Chunk(text="k", citations=({"type": "url_citation", "url": "https://example.org"},)),
    Chunk(tool_calls=(ToolCallDelta(index=0, id="1"),)),
    Chunk(tool_calls=(ToolCallDelta(index=0, name="a.b", arguments="{"),)),
    Chunk(tool_calls=(ToolCallDelta(index=1, id="2", name="c"),)),
    Chunk(tool_calls=(ToolCallDelta(index=0, arguments="}"), ToolCallDelta(index=1, arguments="{}"))),
    Chunk(text="ignored", choice=1),
    Chunk(finish=FinishReason.TOOL_CALLS, native_finish="tool_calls"),
    Chunk(usage=Usage(input_tokens=9, output_tokens=4, cache_read_tokens=3), service_tier="standard"),
]
DELTAS: list[Json] = [
    {"type": "thinking_delta", "thinking": "hm"},
    {"type": "signature_delta"},
    {"type": "text_delta", "text": "o"},
    {"type": "text_delta", "text": "k"},
    {
        "type": "citations_delta",
        "citation": {
            "type": "web_search_result_location",
            "url": "https://example.org",
            "title": None,
            "cited_text": "",
            "encrypted_index": "",
        },
    },
    {"type": "input_json_delta", "partial_json": "{"},
    {"type": "input_json_delta", "partial_json": "}"},
    {"type": "input_json_delta", "partial_json": "{}"},
]


def test_an_answer_from_elsewhere_streams_in_this_dialect() -> None:
    """Blocks begin and end around what another vendor says, and usage comes with the end."""
    told = checked(render(FOREIGN, {"run": "r"}))
    started = as_object(told[0]["message"])
    assert (started["id"], started["model"]) == ("i", "other/x")
    assert [as_object(event["content_block"])["type"] for event in told if "content_block" in event] == [
        "thinking",
        "text",
        "tool_use",
        "tool_use",
    ]
    deltas = [as_object(event["delta"]) for event in told if event["type"] == "content_block_delta"]
    assert str(deltas[1].pop("signature")).startswith("interlock.")
    assert deltas == DELTAS
    assert told[-2] == {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {
            "input_tokens": 6,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 3,
            "output_tokens": 4,
            "service_tier": "standard",
        },
        "interlock": {"run": "r"},
    }


def test_a_refusal_from_elsewhere_is_told_where_the_dialect_has_it() -> None:
    """The reason is `refusal`, its words beside it."""
    told = checked(
        render([Chunk(refusal="I will ", model="o/m"), Chunk(refusal="not.", finish=FinishReason.STOP)])
    )
    assert told[-2]["delta"] == {
        "stop_reason": "refusal",
        "stop_sequence": None,
        "stop_details": {"type": "refusal", "category": None, "explanation": "I will not."},
    }


@pytest.mark.promise("P1")
def test_sealed_reasoning_of_another_vendor_streams_to_a_client_and_back() -> None:
    """What its vendor needs comes back whole from the blocks that the client was told."""
    chunks = [
        Chunk(reasoning="hm", model="openai/m", id="i"),
        Chunk(encrypted="e", reasoning_id="rs_1"),
        Chunk(text="ok", finish=FinishReason.STOP),
    ]
    told = checked(render(chunks))
    (signature,) = [
        as_object(event["delta"])["signature"]
        for event in told
        if as_object(event.get("delta")).get("type") == "signature_delta"
    ]
    content: Json = [{"type": "thinking", "thinking": "hm", "signature": signature}]
    messages: list[Json] = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": content}]
    body = dump_json({"model": "a", "max_tokens": 9, "messages": messages}).encode()
    (part,) = CODEC.parse_request(body).request.messages[1].content
    assert isinstance(part, Reasoning)
    assert (part.text, part.encrypted, part.id, part.vendor) == ("hm", "e", "rs_1", "openai")


def test_a_stream_of_nothing_is_still_a_message() -> None:
    """An answer without a word has its start and its end."""
    assert [event["type"] for event in checked(render([]))] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]


def test_an_error_ends_a_clients_stream_in_the_dialect() -> None:
    """The error is one event, as the vendor itself sends it."""
    (told,) = events(CODEC.render_stream(ASKED).error(QuotaExceededError("The day's money is spent.")))
    assert told == {
        "type": "error",
        "error": {
            "type": "billing_error",
            "message": "The day's money is spent.",
            "details": {"error_code": "quota_exceeded"},
        },
        "request_id": None,
    }


WORDS = st.text(min_size=1, max_size=12)


def piece(index: int, arguments: str) -> Chunk:
    """A piece of a call that says its id and name each time."""
    delta = ToolCallDelta(index=index, id=f"c{index}", name=f"f{index}", arguments=arguments)
    return Chunk(tool_calls=(delta,))


@given(
    st.lists(
        st.one_of(
            WORDS.map(lambda text: Chunk(text=text)),
            WORDS.map(lambda text: Chunk(reasoning=text)),
            st.builds(piece, st.integers(0, 3), st.sampled_from(["", "{", "}", "{}", " "])),
        ),
        max_size=12,
    )
)
def test_whatever_a_vendor_streams_a_client_gets_blocks_in_order(chunks: list[Chunk]) -> None:
    """One block after the other, ended before the next, and no word lost."""
    first = [Chunk(model="other/m", id="i"), *chunks, Chunk(finish=FinishReason.STOP)]
    told = checked(render(first))
    texts = [as_object(event.get("delta")).get("text", "") for event in told]
    assert "".join(map(str, texts)) == "".join(chunk.text for chunk in chunks)
    called = {delta.index for chunk in chunks for delta in chunk.tool_calls}
    blocks = [as_object(event["content_block"]) for event in told if "content_block" in event]
    assert sorted(str(block["id"]) for block in blocks if block["type"] == "tool_use") == sorted(
        f"c{index}" for index in called
    )
