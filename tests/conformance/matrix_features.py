"""The rows of the matrix that are asked in one request: what is asked, and what its wire must hold."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from interlock_core import Completion, CompletionRequest, FinishReason, ToolSpec
from interlock_core.completion import ResponseFormat, ToolChoice
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.messages import (
    Audio,
    Content,
    File,
    Image,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    system,
    tool_results,
    user,
)
from interlock_providers.testing import Say, ToolUse

from .matrix_wire import Check, both, either, holds, lacks, says, unsaid, wires

HELLO = "Hello there"
PNG = b"\x89PNG\r\n\x1a\n0123456789"
PDF = b"%PDF-1.4 0123456789"
WAV = b"RIFF0123456789"
PDF_URL = "https://example.com/report.pdf"
IMAGE_URL = "https://example.com/cat.png"
CITY: JsonObject = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
NUMBER: JsonObject = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}
WEATHER = ToolSpec(name="weather", description="The weather in a city.", parameters=CITY)
CLOCK = ToolSpec(name="clock", description="The time in a city.", parameters=CITY)
PARIS = '{"city":"Paris"}'
ROME = '{"city":"Rome"}'

Heard = Callable[[Completion], bool]
"""Whether an answer came back as it was said."""


def coded(data: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(data).decode()


def data_uri(data: bytes, kind: str) -> str:
    """Bytes as a data URI."""
    return f"data:{kind};base64,{coded(data)}"


def hello(answer: Completion) -> bool:
    """The usual answer."""
    return (answer.text, answer.finish) == (HELLO, FinishReason.STOP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A row of the matrix.

    Attributes:
        request: What is asked; the model is that of the column.
        wire: What the vendor's request must hold where the vendor has it, by column.
        other: What it must hold where it is done in another way, by column.
        said: What the simulated vendor answers.
        heard: Whether that came back.
        marker: What a vendor's answer would hold if it had such a part; None for what a request asks.
        by_column: What differs of the request, by column.
        said_by: What differs of the answer, by column.
    """

    request: CompletionRequest
    wire: Mapping[str, Check] = field(default_factory=dict[str, Check])
    other: Mapping[str, Check] = field(default_factory=dict[str, Check])
    said: Say = field(default_factory=lambda: Say(HELLO))
    heard: Heard = hello
    marker: bytes | None = None
    by_column: Mapping[str, CompletionRequest] = field(default_factory=dict[str, CompletionRequest])
    said_by: Mapping[str, Say] = field(default_factory=dict[str, Say])


ASKED = CompletionRequest(model="", messages=(user("Say hello."),), max_tokens=512)
TURNS = (user("Name a city."), assistant("Paris."), user("Another."))
TOOLED = replace(ASKED, messages=(user("What is the weather in Paris?"),), tools=(WEATHER, CLOCK))
ONE_CALL = Say(calls=(ToolUse("weather", PARIS),))
REQUIRED = holds("tool_choice", "REQUIRED")
CALL = ToolCall(id="call00001", name="weather", arguments=PARIS)


def asking(*parts: str | Content) -> CompletionRequest:
    """A request of one message."""
    return replace(ASKED, messages=(user(*parts),))


def answered(*parts: Text | Image, is_error: bool = False, structured: Json = None) -> CompletionRequest:
    """A conversation in which a tool answered."""
    result = ToolResult(
        call_id=CALL.id, name=CALL.name, content=parts, is_error=is_error, structured=structured
    )
    said = (user("What is the weather in Paris?"), assistant(CALL), tool_results([result]))
    return replace(ASKED, messages=said, tools=(WEATHER,))


def _called(*arguments: str) -> Heard:
    """Whether exactly these calls of the weather tool came back."""
    wanted = [("weather", text) for text in arguments]

    def heard(answer: Completion) -> bool:
        calls = [(call.name, call.arguments) for call in answer.message.tool_calls]
        ids = {call.id for call in answer.message.tool_calls}
        return calls == wanted and len(ids) == len(calls) and answer.finish is FinishReason.TOOL_CALLS

    return heard


def _conversation() -> dict[str, Feature]:
    first = "messages.0.content"
    return {
        "system_prompt": Feature(
            request=replace(ASKED, messages=(system("Be brief."), user("Say hello."))),
            wire=wires(
                chat=both(
                    either(holds("messages.0.role", "system"), holds("messages.0.role", "developer")),
                    holds(first, "Be brief."),
                ),
                responses=either(
                    holds("instructions", "Be brief."), holds("input.0", {"content": "Be brief."})
                ),
                anthropic=holds("system", "Be brief."),
            ),
        ),
        "several_turns": Feature(
            request=replace(ASKED, messages=TURNS),
            wire=wires(
                same=both(holds("messages.*.role", "assistant"), holds("messages.2.content", "Another.")),
                responses=both(
                    holds("input.*.role", "assistant"), holds("input.*.content", "Another."), says("Paris.")
                ),
            ),
        ),
        "text": Feature(
            request=ASKED,
            wire=wires(
                same=holds(first, "Say hello."),
                responses=either(holds("input", "Say hello."), holds("input.0.content", "Say hello.")),
            ),
        ),
        "no_limit": Feature(request=replace(ASKED, max_tokens=None), wire=wires(same=lacks("max_tokens"))),
        "speaker": Feature(
            request=replace(ASKED, messages=(replace(user("Say hello."), name="ada"),)),
            wire=wires(chat=holds("messages.0.name", "ada")),
            other=wires(same=says("Say hello.")),
        ),
        "max_tokens": Feature(
            request=replace(ASKED, max_tokens=64),
            wire={
                **wires(
                    same=holds("max_tokens", 64),
                    responses=holds("max_output_tokens", 64),
                ),
                "chat": holds("max_completion_tokens", 64),
            },
        ),
    }


def _images() -> dict[str, Feature]:
    png = data_uri(PNG, "image/png")
    part = "messages.0.content.*"
    return {
        "image_url": Feature(
            request=asking("What is this?", Image(url=IMAGE_URL)),
            wire=wires(
                chat=either(
                    holds(part, {"type": "image_url", "image_url": {"url": IMAGE_URL}}),
                    holds(part, {"type": "image_url", "image_url": IMAGE_URL}),
                ),
                responses=holds("input.0.content.*", {"type": "input_image", "image_url": IMAGE_URL}),
                anthropic=holds(part, {"type": "image", "source": {"type": "url", "url": IMAGE_URL}}),
            ),
        ),
        "image_detail": Feature(
            request=asking("What is this?", Image(url=IMAGE_URL, detail="low")),
            wire=wires(
                chat=holds(part, {"image_url": {"url": IMAGE_URL, "detail": "low"}}),
                responses=holds("input.0.content.*", {"image_url": IMAGE_URL, "detail": "low"}),
            ),
            other=wires(same=says(IMAGE_URL)),
        ),
        "image_file_id": Feature(
            request=asking("What is this?", Image(file_id="file-7")),
            wire=wires(
                responses=holds("input.0.content.*", {"type": "input_image", "file_id": "file-7"}),
                anthropic=holds(part, {"type": "image", "source": {"type": "file", "file_id": "file-7"}}),
            ),
        ),
        "image_bytes": Feature(
            request=asking("What is this?", Image(data=PNG, media_type="image/png")),
            wire=wires(
                chat=either(
                    holds(part, {"type": "image_url", "image_url": {"url": png}}),
                    holds(part, {"type": "image_url", "image_url": png}),
                ),
                responses=holds("input.0.content.*", {"type": "input_image", "image_url": png}),
                anthropic=holds(
                    part, {"type": "image", "source": {"media_type": "image/png", "data": coded(PNG)}}
                ),
            ),
        ),
    }


def _files() -> dict[str, Feature]:
    pdf = data_uri(PDF, "application/pdf")
    plain = "These are plain words."
    notes = data_uri(plain.encode(), "text/plain")
    part = "messages.0.content.*"
    return {
        "pdf_file": Feature(
            request=asking("Sum up.", File(data=PDF, media_type="application/pdf", name="report.pdf")),
            wire=wires(
                chat=holds(part, {"type": "file", "file": {"file_data": pdf, "filename": "report.pdf"}}),
                responses=holds("input.0.content.*", {"type": "input_file", "file_data": pdf}),
                anthropic=holds(part, {"type": "document", "source": {"type": "base64", "data": coded(PDF)}}),
                mistral=holds(part, {"type": "document_url", "document_url": pdf}),
            ),
        ),
        "pdf_url": Feature(
            request=asking("Sum up.", File(url=PDF_URL, media_type="application/pdf", name="report.pdf")),
            wire=wires(
                responses=holds("input.0.content.*", {"type": "input_file", "file_url": PDF_URL}),
                anthropic=holds(part, {"type": "document", "source": {"type": "url", "url": PDF_URL}}),
                mistral=holds(part, {"type": "document_url", "document_url": PDF_URL}),
            ),
        ),
        "text_file": Feature(
            request=asking("Sum up.", File(data=plain.encode(), media_type="text/plain", name="notes.txt")),
            wire=wires(
                chat=holds(part, {"type": "file", "file": {"file_data": notes, "filename": "notes.txt"}}),
                responses=holds("input.0.content.*", {"type": "input_file", "file_data": notes}),
                anthropic=holds(part, {"type": "document", "source": {"type": "text", "data": plain}}),
                mistral=holds(part, {"type": "document_url", "document_url": notes}),
                cohere=either(holds("documents.*", plain), says("documents", plain)),
            ),
            other=wires(same=says(plain)),
        ),
    }


def _sound() -> dict[str, Feature]:
    part = "messages.0.content.*"
    return {
        "audio_in": Feature(
            request=asking("Write it down.", Audio(data=WAV, format="wav")),
            wire=wires(
                chat=holds(
                    part, {"type": "input_audio", "input_audio": {"data": coded(WAV), "format": "wav"}}
                ),
                responses=holds(
                    "input.0.content.*",
                    {"type": "input_audio", "input_audio": {"data": coded(WAV), "format": "wav"}},
                ),
                mistral=either(
                    holds(part, {"type": "input_audio", "input_audio": coded(WAV)}),
                    holds(part, {"type": "input_audio", "input_audio": data_uri(WAV, "audio/wav")}),
                ),
            ),
        ),
    }


def _tools() -> dict[str, Feature]:
    listed = wires(
        chat=holds("tools.0", {"type": "function", "function": {"name": "weather", "parameters": CITY}}),
        responses=holds("tools.0", {"type": "function", "name": "weather", "parameters": CITY}),
        anthropic=holds("tools.0", {"name": "weather", "input_schema": CITY}),
    )
    strict = replace(TOOLED, tools=(replace(WEATHER, strict=True),))
    return {
        "tool_call": Feature(request=TOOLED, wire=listed, said=ONE_CALL, heard=_called(PARIS)),
        "parallel_tool_calls": Feature(
            request=TOOLED,
            wire=listed,
            said=Say(calls=(ToolUse("weather", PARIS), ToolUse("weather", ROME))),
            heard=_called(PARIS, ROME),
        ),
        "strict_tools": Feature(
            request=strict,
            wire=wires(
                chat=holds("tools.0.function.strict", wanted=True),
                responses=holds("tools.0.strict", wanted=True),
                anthropic=holds("tools.0.strict", wanted=True),
                cohere=holds("strict_tools", wanted=True),
            ),
            said=ONE_CALL,
            heard=_called(PARIS),
        ),
    }


def _chosen(mode: ToolChoice, *, answer: Say | None = None, **on_wire: Check) -> Feature:
    return Feature(
        request=replace(TOOLED, tool_choice=mode),
        wire=wires(**on_wire),
        said=answer or ONE_CALL,
        heard=hello if answer else _called(PARIS),
        other={"cohere": both(holds("tools", [{"function": {"name": "weather"}}]), REQUIRED)}
        if mode.name
        else {},
    )


def _choices() -> dict[str, Feature]:
    named: JsonObject = {"type": "function", "function": {"name": "weather"}}
    return {
        "tool_choice_none": _chosen(
            ToolChoice(mode="none"),
            answer=Say(HELLO),
            same=holds("tool_choice", "none"),
            anthropic=holds("tool_choice", {"type": "none"}),
            cohere=holds("tool_choice", "NONE"),
        ),
        "tool_choice_required": _chosen(
            ToolChoice(mode="required"),
            same=holds("tool_choice", "required"),
            anthropic=holds("tool_choice", {"type": "any"}),
            mistral=either(holds("tool_choice", "any"), holds("tool_choice", "required")),
            cohere=REQUIRED,
        ),
        "tool_choice_named": _chosen(
            ToolChoice(mode="required", name="weather"),
            chat=holds("tool_choice", named),
            responses=holds("tool_choice", {"type": "function", "name": "weather"}),
            anthropic=holds("tool_choice", {"type": "tool", "name": "weather"}),
            cohere=holds("tool_choice", named),
        ),
        "parallel_off": _chosen(
            ToolChoice(parallel=False),
            same=holds("parallel_tool_calls", wanted=False),
            anthropic=holds("tool_choice", {"type": "auto", "disable_parallel_tool_use": True}),
        ),
    }


def _results() -> dict[str, Feature]:
    def told(text: str, **more: bool) -> Mapping[str, Check]:
        item = "messages.2.content.0"
        return wires(
            same=holds("messages.2", {"role": "tool", "tool_call_id": CALL.id, "content": text}),
            cohere=both(holds("messages.2.tool_call_id", CALL.id), says(text)),
            responses=holds("input.*", {"type": "function_call_output", "call_id": CALL.id, "output": text}),
            anthropic=holds(item, {"type": "tool_result", "tool_use_id": CALL.id, "content": text, **more}),
        )

    chart = Image(data=PNG, media_type="image/png")
    thought = Reasoning(text="Foreign thoughts.", signature="c2ln", vendor="another")
    foreign = assistant(thought, "Paris.")
    fine, data, wrong = "21 degrees", '{"degrees": 21}', "There is no such city."
    return {
        "tool_result_text": Feature(request=answered(Text(fine)), wire=told(fine)),
        "tool_result_json": Feature(
            request=answered(Text(data), structured={"degrees": 21}), wire=told(data)
        ),
        "tool_result_image": Feature(
            request=answered(Text("A chart."), chart),
            wire=wires(
                chat=both(holds("messages.2.role", "tool"), holds("messages.2.content.*.type", "image_url")),
                responses=holds("input.*.output.*.type", "input_image"),
                anthropic=holds("messages.2.content.0.content.*.type", "image"),
            ),
            other=wires(same=says(coded(PNG))),
        ),
        "reasoning_foreign": Feature(
            request=replace(ASKED, messages=(user("Name a city."), foreign, user("Another."))),
            other=wires(same=both(says("Paris."), unsaid("Foreign thoughts."))),
        ),
        "tool_result_error": Feature(
            request=answered(Text(wrong), is_error=True),
            wire={"anthropic": told(wrong, is_error=True)["anthropic"]},
            other=wires(same=says(wrong)),
        ),
    }


def _schema_on_wire() -> Mapping[str, Check]:
    return wires(
        chat=holds(
            "response_format",
            {
                "type": "json_schema",
                "json_schema": {"name": "sum", "schema": NUMBER, "strict": True},
            },
        ),
        responses=holds(
            "text.format", {"type": "json_schema", "name": "sum", "schema": NUMBER, "strict": True}
        ),
        anthropic=holds("output_config.format", {"type": "json_schema", "schema": NUMBER}),
        cohere=either(
            holds("response_format", {"type": "json_object", "json_schema": NUMBER}),
            holds("response_format", {"type": "json_object", "schema": NUMBER}),
        ),
    )


def _forms() -> dict[str, Feature]:
    answer = '{"answer": 4}'

    def formed(reply: Completion) -> bool:
        return reply.text.replace(" ", "") == answer.replace(" ", "") and reply.finish is FinishReason.STOP

    schema = ResponseFormat(schema=NUMBER, name="sum", strict=True)
    return {
        "json_object": Feature(
            request=replace(ASKED, response_format=ResponseFormat(kind="json_object")),
            wire=wires(
                same=holds("response_format.type", "json_object"),
                responses=holds("text.format.type", "json_object"),
                anthropic=holds("output_config.format.type", "json_object"),
            ),
            said=Say(answer),
            heard=formed,
        ),
        "json_schema": Feature(
            request=replace(ASKED, response_format=schema),
            wire=_schema_on_wire(),
            said=Say(answer),
            heard=formed,
        ),
        "schema_description": Feature(
            request=replace(ASKED, response_format=replace(schema, description="A sum.")),
            wire=wires(
                chat=holds("response_format.json_schema.description", "A sum."),
                responses=holds("text.format.description", "A sum."),
                anthropic=holds("output_config.format.schema.description", "A sum."),
            ),
            said=Say(answer),
            heard=formed,
        ),
        "json_schema_tools": Feature(
            request=replace(TOOLED, response_format=schema),
            wire=_schema_on_wire(),
            other={"cohere": both(holds("tools.2.function.name", "sum"), REQUIRED)},
            said=Say(answer),
            said_by={"cohere": Say(calls=(ToolUse("sum", answer),))},
            heard=formed,
        ),
    }


FEATURES: Mapping[str, Feature] = {
    **_conversation(),
    **_images(),
    **_files(),
    **_sound(),
    **_tools(),
    **_choices(),
    **_results(),
    **_forms(),
}
"""The rows by name, but for options, answers and what takes more than one request."""
