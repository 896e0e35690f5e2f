"""Whole answers of the dialect mistral-chat, from the vendor's bytes to the client's, and its other lists."""

import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy

from interlock_core import (
    Audio,
    Completion,
    CompletionRequest,
    Embeddings,
    File,
    FinishReason,
    Image,
    Json,
    JsonObject,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolSpec,
    Usage,
)
from interlock_core.errors import (
    InterlockError,
    InvalidRequestError,
    OverloadedError,
    ProtocolError,
    UnsupportedError,
)
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.messages import assistant, user
from interlock_providers.codecs import Rendered, Target, codec, embeddings_codec

CODEC = codec("mistral-chat")
EMBEDDINGS = embeddings_codec("mistral-chat")
TARGET = Target(provider="vendor", model="m-1")
ASKED = CompletionRequest(model="x", messages=(user("hi"),), tools=(ToolSpec(name="github.issues_create"),))
SENT: Rendered = CODEC.render_request(ASKED, TARGET, stream=False)
USAGE: JsonObject = {"prompt_tokens": 10, "total_tokens": 15, "completion_tokens": 5}


def answer(message: JsonObject, finish: str = "stop", usage: Json = None, **more: Json) -> bytes:
    """A whole answer, as the vendor writes it."""
    body: JsonObject = {
        "id": "cmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "m-1",
        "usage": USAGE if usage is None else usage,
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        **more,
    }
    return dump_json(body).encode()


def read(body: bytes) -> Completion:
    """The answer that was read."""
    return CODEC.parse_response(body, SENT)


def choice_told(completion: Completion) -> JsonObject:
    """The first choice that a client is told, written anew."""
    body = as_object(json.loads(CODEC.render_response(replace(completion, raw=None))))
    return as_object(as_array(body["choices"])[0])


@pytest.mark.promise("P1", "P3")
def test_every_chunk_of_an_answer_is_read() -> None:
    """Text with what it stands on, thoughts, and whatever else an answer may hold."""
    content: list[Json] = [
        {
            "type": "thinking",
            "thinking": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            "signature": "s",
        },
        {"type": "text", "text": "It won"},
        {"type": "reference", "reference_ids": [1]},
        {"type": "reference", "reference_ids": ["x"]},
        {"type": "text", "text": " in 1968."},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "document_url", "document_url": "https://example.org/a.pdf"},
        {"type": "input_audio", "input_audio": "T2dnUw=="},
        {"type": "tool_file", "tool": "t", "file_id": "f"},
        {"type": "of_tomorrow", "x": 1},
    ]
    completion = read(answer({"content": content, "prefix": False}))
    assert completion.message.content == (
        Reasoning(text="ab", signature="s", vendor="vendor"),
        Text("It won", citations=(content[2], content[3])),
        Text(" in 1968."),
        Image(url="https://example.org/a.png"),
        File(url="https://example.org/a.pdf"),
        Audio(data=b"OggS", format="ogg"),
    )
    told = as_object(choice_told(completion)["message"])["content"]
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "ab"}], "signature": "s"}
    assert told == [thought, *content[1:]]


@pytest.mark.promise("P3")
def test_calls_are_read_whatever_form_they_have() -> None:
    """Arguments as an object, no id or the text `null`, a finish that says stop."""
    calls: list[Json] = [
        {"id": "null", "function": {"name": "github_issues_create", "arguments": {"a": 1}}},
        {"function": {"name": "f", "arguments": ""}, "index": 1},
        {"id": "aB3dE5fG7", "function": {"name": "f", "arguments": '{"b": 2}', "x": 1}, "type": "function"},
    ]
    completion = read(answer({"content": "", "tool_calls": calls}))
    first, second, third = completion.message.tool_calls
    assert (first.name, first.arguments, second.arguments) == ("github.issues_create", '{"a":1}', "")
    assert third == ToolCall(id="aB3dE5fG7", name="f", arguments='{"b": 2}')
    assert all(len(call.id) == 9 and call.id.isalnum() for call in (first, second, third))
    assert first.id != second.id
    assert completion.finish is FinishReason.TOOL_CALLS
    assert completion == replace(read(answer({"content": "", "tool_calls": calls})), raw=completion.raw)
    told = as_array(as_object(choice_told(completion)["message"])["tool_calls"])
    assert [as_object(call)["id"] for call in told] == [first.id, second.id, third.id]
    assert as_object(as_object(told[2])["function"])["x"] == 1


@pytest.mark.parametrize(
    ("native", "finish"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("model_length", FinishReason.CONTEXT),
        ("error", FinishReason.ERROR),
        ("tool_calls", FinishReason.TOOL_CALLS),
        ("of_tomorrow", FinishReason.UNKNOWN),
    ],
)
def test_every_reason_to_stop_is_read_and_told(native: str, finish: FinishReason) -> None:
    """A word of tomorrow is kept."""
    completion = read(answer({"content": "x"}, native))
    assert (completion.finish, completion.native_finish) == (finish, native)
    assert choice_told(completion)["finish_reason"] == native


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        (FinishReason.STOP_SEQUENCE, "stop"),
        (FinishReason.FILTERED, "error"),
        (FinishReason.PAUSED, "length"),
        (FinishReason.CONTEXT, "model_length"),
    ],
)
def test_another_vendors_reason_is_told_in_the_dialects_words(finish: FinishReason, word: str) -> None:
    """An answer that is not whole is never told as one that is."""
    completion = Completion(model="o/m", message=assistant("x"), finish=finish, native_finish="end_turn")
    assert choice_told(completion)["finish_reason"] == word


@pytest.mark.promise("P5")
@pytest.mark.parametrize(
    ("wire", "usage"),
    [
        (USAGE, Usage(input_tokens=10, output_tokens=5)),
        (
            {**USAGE, "prompt_tokens_details": {"cached_tokens": 4}, "num_cached_tokens": 4},
            Usage(input_tokens=10, output_tokens=5, cache_read_tokens=4),
        ),
        ({**USAGE, "num_cached_tokens": 40}, Usage(input_tokens=10, output_tokens=5, cache_read_tokens=10)),
        (
            {**USAGE, "num_cached_tokens": None, "prompt_audio_seconds": None},
            Usage(input_tokens=10, output_tokens=5),
        ),
        (
            {**USAGE, "prompt_audio_seconds": 12},
            Usage(input_tokens=10, output_tokens=5, requests={"prompt_audio_seconds": 12}),
        ),
        ({}, None),
        ({"prompt_tokens": -1}, None),
    ],
)
def test_usage_is_what_the_vendor_counted(wire: JsonObject, usage: Usage | None) -> None:
    """Cached input in both of its places, seconds of sound, and nothing where nothing was said."""
    completion = read(answer({"content": "x"}, usage=wire))
    assert completion.usage == usage
    assert read(CODEC.render_response(replace(completion, raw=None))).usage == usage


def test_the_tier_stands_beside_the_tokens() -> None:
    """Both ways."""
    completion = read(answer({"content": "x"}, usage={**USAGE, "service_tier": "priority"}))
    assert completion.service_tier == "priority"
    other = Completion(model="o/m", message=assistant("x"), finish=FinishReason.STOP, service_tier="standard")
    assert json.loads(CODEC.render_response(other))["usage"] == {"service_tier": "standard"}


def test_an_answer_that_needs_no_change_is_forwarded_under_our_name_of_the_model() -> None:
    """Its bytes, with what only the gateway knows put in front."""
    body = json.dumps(json.loads(answer({"content": "hé"})), indent=1).encode()
    ours = body.replace(b'"m-1"', b'"vendor/m-1"')
    assert CODEC.render_response(read(body)) == ours
    assert CODEC.render_response(read(body), {"run": "r"}) == ours.replace(
        b"{", b'{"interlock":{"run":"r"},', 1
    )
    changed = replace(read(body), message=assistant("other"))
    assert as_object(choice_told(changed)["message"])["content"] == "other"


def test_another_vendors_answer_is_told_in_the_dialects_words() -> None:
    """Several texts as one, thoughts as chunks, citations as references that say what they point at."""
    link: JsonObject = {"type": "url_citation", "url_citation": {"url": "https://example.org", "title": "t"}}
    completion = Completion(
        model="o/m",
        message=assistant(
            Reasoning(text="hm", signature="s", vendor="o"),
            Reasoning(encrypted="e", vendor="o"),
            Text("a", citations=(link,)),
            Refusal("no"),
        ),
        alternatives=(assistant("b", "c"),),
        finish=FinishReason.STOP,
    )
    body = as_object(json.loads(CODEC.render_response(completion)))
    first, second = (as_object(as_object(choice)["message"]) for choice in as_array(body["choices"]))
    assert first["content"] == [
        {
            "type": "thinking",
            "thinking": [{"type": "text", "text": "hm"}],
            "signature": "s",
            "closed": True,
        },
        {"type": "text", "text": "a"},
        {"type": "reference", "reference_ids": ["https://example.org"], "source": link},
        {"type": "text", "text": "no"},
    ]
    assert second["content"] == "bc"
    back = read(dump_json(body).encode())
    assert back.message.content[1] == Text("a", citations=(link,))


def test_fields_of_another_dialect_are_not_shown() -> None:
    """What another vendor said beside means nothing to a client of this one."""
    other = codec("openai-chat")
    sent = other.render_request(ASKED, TARGET, stream=False)
    choice: JsonObject = {"index": 0, "message": {"role": "assistant", "content": "x", "audio": {"id": "a"}}}
    heard = other.parse_response(dump_json({"id": "i", "choices": [choice]}).encode(), sent)
    assert choice_told(heard)["message"] == {"role": "assistant", "content": "x"}


def test_the_last_words_of_several_messages_are_the_answer() -> None:
    """Where the vendor ran tools itself, it tells every message; the client sees them all."""
    several: list[Json] = [
        {"role": "assistant", "content": "I look."},
        {"role": "tool", "content": "found"},
        {"role": "assistant", "content": "Here."},
    ]
    choices: list[Json] = [{"index": 0, "messages": several, "finish_reason": "stop"}]
    completion = read(answer({}, choices=choices))
    assert completion.text == "Here."
    assert choice_told(completion)["messages"] == several


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"id":"x"}',
        b'{"choices":[]}',
        b'{"choices":[{"index":0}]}',
        b'{"choices":[{"message":{"content":3}}]}',
        b'{"choices":[{"message":{"content":[{"type":"text"}]}}]}',
        b'{"choices":[{"message":{"tool_calls":[{"function":{"name":""}}]}}]}',
        b'{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":3}}]}}]}',
    ],
)
def test_an_answer_that_breaks_the_format_is_a_typed_error(body: bytes) -> None:
    """Never another exception."""
    with pytest.raises(ProtocolError):
        read(body)


def test_an_error_in_a_successful_answer_is_an_error() -> None:
    """In the vendor's own form, with the status that it tells."""
    body = b'{"object":"error","message":"full","type":"x","code":null,"raw_status_code":503}'
    with pytest.raises(OverloadedError):
        read(body)


words = st.text(st.characters(codec="utf-8"), max_size=8)


def text_chunk(text: str, extra: bool) -> Json:
    """A text, with a field of tomorrow or without."""
    chunk: JsonObject = {"type": "text", "text": text}
    return {**chunk, "x_extra": 1} if extra else chunk


def thought_chunk(text: str) -> Json:
    """A thought that says something."""
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def call(number: str, arguments: str, index: int | None) -> Json:
    """A call, with an index or without."""
    made: JsonObject = {
        "id": number,
        "type": "function",
        "function": {"name": "f", "arguments": arguments},
    }
    return made if index is None else {**made, "index": index}


OTHERS: list[Json] = [
    {"type": "thinking", "thinking": [], "signature": "s", "closed": False},
    {"type": "thinking", "thinking": [{"type": "tool_reference", "tool": "t", "title": "u"}]},
    {"type": "reference", "reference_ids": [1, "b"]},
    {"type": "image_url", "image_url": "data:image/png;base64,iVBORw=="},
    {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
    {"type": "document_url", "document_url": "https://example.org/a", "document_name": "a"},
    {"type": "file", "file_id": "f"},
    {"type": "resource", "uri": "file:///a", "content": {"type": "text", "text": "a"}},
    {"type": "of_tomorrow"},
]
chunks: Strategy[Json] = st.one_of(
    st.builds(text_chunk, words, st.booleans()),
    st.text(min_size=1, max_size=5).map(thought_chunk),
    st.sampled_from(OTHERS),
)
contents: Strategy[Json] = st.one_of(words, st.lists(chunks, max_size=5))
numbers = st.from_regex(r"[a-zA-Z0-9]{9}", fullmatch=True)
calls: Strategy[Json] = st.builds(call, numbers, words, st.none() | st.integers(0, 2))


@given(contents, st.lists(calls, min_size=1, max_size=2), st.booleans(), st.booleans())
@example([{"type": "text", "text": ""}, OTHERS[2]], [call("aB3dE5fG7", "{}", 0)], True, False)
@example([OTHERS[2], {"type": "text", "text": "a"}], [call("aB3dE5fG7", "{}", 0)], False, True)
def test_an_answer_is_told_as_it_was_said(
    content: Json, made: list[Json], with_calls: bool, beside: bool
) -> None:
    """Read and written anew: not a field is lost, known to the vocabulary or not."""
    message: JsonObject = {"content": content, **({"tool_calls": made} if with_calls else {})}
    more: JsonObject = {"x_new": [1], "p": "abc"} if beside else {}
    body = answer(message, "tool_calls" if with_calls else "stop", **more)
    completion = read(body)
    assert json.loads(CODEC.render_response(completion)) == {**json.loads(body), "model": "vendor/m-1"}
    anew = json.loads(CODEC.render_response(replace(completion, raw=None)))
    assert anew == {**json.loads(body), "model": "vendor/m-1"}


@given(st.binary(max_size=100))
def test_no_bytes_make_the_reader_fail_in_another_way(body: bytes) -> None:
    """Whatever comes is an answer or a typed error."""
    try:
        read(body)
    except InterlockError:
        return


def test_the_models_that_the_vendor_lists_are_named_once() -> None:
    """A list that is none is a typed error."""
    assert (CODEC.models_path, CODEC.models_headers) == ("/v1/models", (("accept", "application/json"),))
    listed = b'{"object":"list","data":[{"id":"a","capabilities":{}},{"id":"b"},{"id":"a"}]}'
    assert CODEC.parse_models(listed, "vendor") == ("a", "b")
    with pytest.raises(ProtocolError):
        CODEC.parse_models(b'{"data":3}', "vendor")


def test_vectors_are_asked_for_and_read() -> None:
    """One a text, as numbers or packed."""
    sent = EMBEDDINGS.render_request(["a", "b"], TARGET)
    assert (sent.path, sent.headers[0]) == ("/v1/embeddings", ("accept", "application/json"))
    assert json.loads(sent.body) == {"model": "m-1", "input": ["a", "b"]}
    data: list[Json] = [
        {"object": "embedding", "index": 1, "embedding": "AAAAPwAAgD8="},
        {"object": "embedding", "index": 0, "embedding": [0.25, 1]},
    ]
    body = dump_json({"id": "e", "object": "list", "data": data, "usage": USAGE}).encode()
    assert EMBEDDINGS.parse_response(body, sent, 2) == Embeddings(
        model="vendor/m-1", vectors=((0.25, 1.0), (0.5, 1.0)), usage=Usage(input_tokens=10)
    )
    with pytest.raises(ProtocolError):
        EMBEDDINGS.parse_response(body, sent, 3)


def test_a_client_asks_for_vectors() -> None:
    """Told back in the form that it wants."""
    asked = EMBEDDINGS.parse_request(
        b'{"model":"a","input":"x","encoding_format":"base64","output_dtype":"float"}'
    )
    assert (asked.model, asked.texts, asked.base64) == ("a", ("x",), True)
    made = Embeddings(model="a/m", vectors=((0.5, 1.0),))
    told = as_object(json.loads(EMBEDDINGS.render_response(made, base64=True)))
    assert as_object(as_array(told["data"])[0])["embedding"] == "AAAAPwAAgD8="
    assert str(told["id"]).startswith("emb_")


@pytest.mark.parametrize(
    ("field", "more"),
    [("output_dimension", '"output_dimension":64'), ("output_dtype", '"output_dtype":"int8"')],
)
def test_vectors_of_another_form_are_refused_by_name(field: str, more: str) -> None:
    """They come as the model makes them."""
    with pytest.raises(UnsupportedError) as caught:
        EMBEDDINGS.parse_request(b'{"model":"a","input":["x"],%s}' % more.encode())
    assert caught.value.field == field
    assert caught.value.remedy
    with pytest.raises(InvalidRequestError):
        EMBEDDINGS.parse_request(b'{"model":"a","input":[]}')
