"""What requests the dialect cohere-chat cannot say: refused by name, with what comes nearest."""

import json
from dataclasses import replace

import pytest

from interlock_core import (
    Audio,
    CompletionRequest,
    Content,
    File,
    Image,
    JsonObject,
    Message,
    Reasoning,
    ResponseFormat,
    Text,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_object
from interlock_core.messages import assistant, user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("cohere-chat")
TARGET = Target(provider="vendor", model="m-1")
ASKED = CompletionRequest(model="x", messages=(user("hi"),))
TOOLS = (ToolSpec(name="a"), ToolSpec(name="b"))
PAGE = File(data=b"a,b", media_type="text/csv", name="t.csv")


def sent(request: CompletionRequest) -> Rendered:
    """The request as it goes to the vendor."""
    return CODEC.render_request(request, TARGET, stream=False)


def said(request: CompletionRequest) -> JsonObject:
    """The JSON object that goes to the vendor, without model and messages."""
    body = as_object(json.loads(sent(request).body))
    return {name: value for name, value in body.items() if name not in {"model", "messages"}}


REFUSED: list[tuple[CompletionRequest, str]] = [
    (replace(ASKED, n=2), "n"),
    (replace(ASKED, stop=tuple("abcdef")), "stop"),
    (replace(ASKED, temperature=1.5), "temperature"),
    (replace(ASKED, temperature=-0.1), "temperature"),
    (replace(ASKED, top_p=1.1), "top_p"),
    (replace(ASKED, top_k=501), "top_k"),
    (replace(ASKED, presence_penalty=-0.5), "presence_penalty"),
    (replace(ASKED, frequency_penalty=1.5), "frequency_penalty"),
    (replace(ASKED, reasoning_budget=-1), "reasoning_budget"),
    (replace(ASKED, reasoning_effort="much"), "reasoning_effort"),
    (replace(ASKED, tools=TOOLS, response_format=ResponseFormat(kind="json_object")), "response_format"),
    (replace(ASKED, response_format=ResponseFormat(schema={"type": "array"})), "response_format"),
    (replace(ASKED, extra={"store": True, "interlock:other": {}}), "store"),
]


@pytest.mark.parametrize(("request_", "field"), REFUSED)
def test_what_the_vendor_cannot_do_is_refused_before_the_call(
    request_: CompletionRequest, field: str
) -> None:
    """The error names the field and what to send instead."""
    with pytest.raises(UnsupportedError) as caught:
        sent(request_)
    assert caught.value.field == field
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("part", "words", "remedy"),
    [
        (File(data=b"%PDF-", media_type="application/pdf", name="a.pdf"), "application/pdf", "as images"),
        (File(data=b"\xff\xfe", media_type="text/plain"), "takes no files but plain text", "Send its text"),
        (File(data=b"x", name="a.bin"), "of unknown type", "Send its text"),
        (File(file_id="f"), "named by its address or id", "Send its text"),
        (File(url="https://example.org/a.txt"), "named by its address or id", "Send its text"),
        (Image(file_id="f"), "keeps no images by id", "its URL"),
        (Audio(data=b"RIFF", format="wav"), "takes no sound", "as text"),
    ],
)
def test_content_that_the_vendor_cannot_read_is_refused_by_name(
    part: Content, words: str, remedy: str
) -> None:
    """The error says what it is, where it stands, and what comes nearest."""
    with pytest.raises(UnsupportedError, match=words) as caught:
        sent(replace(ASKED, messages=(user("x", part),)))
    assert caught.value.field == "messages[0].content[1]"
    assert remedy in str(caught.value.remedy)


def test_files_whose_name_says_that_they_are_text_are_text() -> None:
    """Many clients send no media type."""
    request = replace(ASKED, messages=(user("x", File(data=b"# T", name="a.md")),))
    assert said(request) == {"documents": [{"id": "file_1", "data": {"title": "a.md", "text": "# T"}}]}


def test_files_join_the_documents_of_the_client() -> None:
    """What a client of the dialect sends beside its messages is kept."""
    request = replace(ASKED, messages=(user("x", PAGE),), extra={"documents": ["own"]})
    assert said(request)["documents"] == [
        "own",
        {"id": "file_1", "data": {"title": "t.csv", "text": "a,b"}},
    ]


def test_images_in_tool_results_are_refused_with_the_way_round() -> None:
    """The error names the tool and where the image can go."""
    result = ToolResult(call_id="1", name="shot", content=(Image(url="https://example.org/a.png"),))
    with pytest.raises(UnsupportedError, match="that of shot holds one") as caught:
        sent(replace(ASKED, messages=(Message("tool", (result,)),)))
    assert caught.value.remedy == "Send the image in a user message."


@pytest.mark.parametrize(
    "message",
    [
        Message("tool", (Text("loose"),)),
        Message("tool", ()),
        user(ToolResult(call_id="1", name="t")),
        user("x", Image(data=b"x")),
        user("x", Reasoning(text="hm")),
        Message("system", (Text("x"), Image(url="https://example.org/a"))),
        assistant("x", Audio(data=b"x", format="wav")),
    ],
)
def test_parts_in_the_wrong_message_are_refused(message: Message) -> None:
    """Hand-built conversations that the dialect could not say fail here, not at the vendor."""
    with pytest.raises(InvalidRequestError) as caught:
        sent(replace(ASKED, messages=(message,)))
    assert str(caught.value.field).startswith("messages[0]")


def test_a_choice_of_a_tool_that_is_not_offered_is_refused() -> None:
    """Nothing could be offered in its place."""
    with pytest.raises(InvalidRequestError, match="there are no tools"):
        sent(replace(ASKED, tool_choice=ToolChoice(mode="required")))
    with pytest.raises(InvalidRequestError, match="not among the tools"):
        sent(replace(ASKED, tools=TOOLS, tool_choice=ToolChoice(mode="required", name="c")))


def test_extra_fields_never_override_what_the_vocabulary_says() -> None:
    """An extra field of a known name cannot smuggle in another model or conversation."""
    extra: JsonObject = {"model": "dear", "messages": [], "priority": 1}
    assert as_object(json.loads(sent(replace(ASKED, extra=extra)).body)) == {
        "model": "m-1",
        "messages": [{"role": "user", "content": "hi"}],
        "priority": 1,
    }
