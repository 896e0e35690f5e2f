"""Strict tools in conversations: written in each dialect, heard whole and as a stream, told to clients."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from interlock_core import (
    Chunk,
    Completion,
    CompletionRequest,
    FinishReason,
    Json,
    JsonObject,
    Text,
    ToolCall,
    ToolCallDelta,
    ToolSpec,
)
from interlock_core.assembly import CompletionAssembler
from interlock_core.jsontypes import as_array, as_object, dump_json, parse_json
from interlock_core.messages import assistant, user
from interlock_providers.codecs import Codec, Rendered, Target, codec

TARGET = Target(provider="vendor", model="m-1")
DIALECTS = pytest.mark.parametrize(
    "dialect", ["anthropic-messages", "cohere-chat", "mistral-chat", "openai-chat", "openai-responses"]
)
TOOL = ToolSpec(
    name="github.issues_create",
    strict=True,
    parameters={
        "type": "object",
        "properties": {
            "title": {"type": "string", "maxLength": 9},
            "note": {"type": ["string", "null"]},
            "labels": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        "required": ["title", "labels"],
    },
)
LOOSE = ToolSpec(name="look", parameters={"type": "object", "properties": {"q": {"type": "string"}}})
ARGUMENTS: JsonObject = {"title": "Hi", "labels": {"bug": 1}}
CALL = ToolCall(id="aB3dE5fG7", name=TOOL.name, arguments=dump_json(ARGUMENTS))
OTHER = ToolCall(id="hI9jK1lM3", name="look", arguments='{"q":"x"}')
ASKED = CompletionRequest(
    model="x",
    messages=(user("go"), assistant(CALL), user("again")),
    tools=(TOOL, replace(LOOSE, strict=True)),
    max_tokens=100,
)


def sent_by(made: Codec, request: CompletionRequest = ASKED, *, stream: bool = False) -> Rendered:
    """The request as it goes out."""
    return made.render_request(request, TARGET, stream=stream)


def written(sent: Rendered) -> str:
    """How the tool's arguments are written toward the vendor."""
    assert sent.forms is not None
    return sent.forms.encode(CALL).arguments


def answer(made: Codec, *calls: ToolCall) -> bytes:
    """A vendor's answer that makes these calls, under the names of its wire."""
    told = tuple(replace(call, name=call.name.replace(".", "_")) for call in calls)
    completion = Completion(
        model="m-1", message=assistant(Text("Well."), *told), finish=FinishReason.TOOL_CALLS, id="r1"
    )
    return made.render_response(completion)


def stream_of(made: Codec, calls: Sequence[ToolCall], *, pieces: int) -> bytes:
    """A vendor's stream that makes these calls, their arguments in pieces."""
    renderer = made.render_stream(replace(ASKED, stream_usage=True), created=1)
    parts = [renderer.chunk(Chunk(text="Well.", id="r1", model="m-1"))]
    for index, call in enumerate(calls):
        size = max(1, len(call.arguments) // pieces)
        cut = [call.arguments[at : at + size] for at in range(0, len(call.arguments), size)]
        for number, piece in enumerate(cut):
            first = number == 0
            delta = ToolCallDelta(
                index=index,
                id=call.id if first else None,
                name=call.name.replace(".", "_") if first else None,
                arguments=piece,
            )
            parts.append(renderer.chunk(Chunk(tool_calls=(delta,))))
    parts.append(renderer.chunk(Chunk(finish=FinishReason.TOOL_CALLS, native_finish="tool_calls")))
    return b"".join((*parts, renderer.end()))


def heard(made: Codec, sent: Rendered, stream: bytes) -> list[Chunk]:
    """The chunks of a stream that came in small pieces."""
    parser = made.parse_stream(sent)
    chunks = [chunk for at in range(0, len(stream), 40) for chunk in parser.feed(stream[at : at + 40])]
    chunks += parser.finish()
    assert parser.done
    return chunks


def assembled(chunks: Sequence[Chunk]) -> Completion:
    """The answer that a stream was."""
    made = CompletionAssembler()
    for chunk in chunks:
        made.feed(chunk)
    return made.completion()


def parameters(sent: Rendered) -> JsonObject:
    """The schema of the first tool as the vendor is shown it."""
    tool = as_object(as_array(as_object(json.loads(sent.body))["tools"])[0])
    function = as_object(tool.get("function")) or tool
    return as_object(function.get("parameters") or function.get("input_schema"))


@pytest.mark.promise("O5")
@DIALECTS
def test_a_strict_tool_is_shown_in_the_vendors_form(dialect: str) -> None:
    """Closed, with its map as a list; what is not enforced is said once."""
    sent = sent_by(codec(dialect))
    schema = parameters(sent)
    assert schema["additionalProperties"] is False
    labels = as_object(as_object(schema["properties"])["labels"])
    assert labels["type"] == "array"
    assert sent.adapted == (
        "maxLength of github.issues_create stand in descriptions: vendor does not enforce them",
    )
    assert b'"strict":true' in sent.body or b'"strict_tools":true' in sent.body


@pytest.mark.promise("O5")
@DIALECTS
def test_earlier_calls_are_written_in_the_form_that_the_model_is_shown(dialect: str) -> None:
    """It then sees itself keep to the schema; what cannot be written so goes as it was."""
    made = codec(dialect)
    sent = sent_by(made)
    wire = as_object(parse_json(written(sent)))
    assert wire["labels"] == [{"name": "bug", "value": 1}]
    assert dump_json(wire["labels"]) in sent.body.decode().replace('\\"', '"')
    odd = replace(CALL, arguments='{"unknown": 1}')
    assert sent.forms is not None
    assert sent.forms.encode(odd) == odd
    assert sent.forms.encode(OTHER) == OTHER


@pytest.mark.promise("O5")
@DIALECTS
def test_a_whole_answer_has_the_arguments_of_the_tools_own_schema(dialect: str) -> None:
    """Names and arguments both: nobody behind the codec knows of the form."""
    made = codec(dialect)
    sent = sent_by(made)
    body = answer(made, replace(CALL, arguments=written(sent)), OTHER)
    completion = made.parse_response(body, sent)
    calls = completion.message.tool_calls
    assert [(call.name, call.parsed()) for call in calls] == [(TOOL.name, ARGUMENTS), ("look", {"q": "x"})]
    assert completion.raw is None
    again = made.parse_response(made.render_response(completion), replace(sent, forms=None))
    assert [call.parsed() for call in again.message.tool_calls] == [ARGUMENTS, {"q": "x"}]
    words = made.parse_response(answer(made), sent)
    assert words.raw is not None


@pytest.mark.promise("O5")
@DIALECTS
@pytest.mark.parametrize("pieces", [1, 4])
def test_a_stream_has_the_arguments_of_the_tools_own_schema(dialect: str, pieces: int) -> None:
    """They are held until they are whole; calls of other tools flow on."""
    made = codec(dialect)
    sent = sent_by(made, stream=True)
    stream = stream_of(made, (replace(CALL, arguments=written(sent)), OTHER), pieces=pieces)
    chunks = heard(made, sent, stream)
    completion = assembled(chunks)
    calls = completion.message.tool_calls
    assert [(call.name, call.parsed()) for call in calls] == [(TOOL.name, ARGUMENTS), ("look", {"q": "x"})]
    assert completion.message.text == "Well."
    assert completion.finish is FinishReason.TOOL_CALLS
    assert all(chunk.raw is None for chunk in chunks)
    told = [delta.arguments for chunk in chunks for delta in chunk.tool_calls if delta.index == 0]
    assert [text for text in told if text] == [dump_json(ARGUMENTS)]


@DIALECTS
def test_arguments_that_were_cut_stay_as_the_model_wrote_them(dialect: str) -> None:
    """Half a value means nothing, and is for whoever checks the arguments to refuse."""
    made = codec(dialect)
    sent = sent_by(made, stream=True)
    assert sent.forms is not None
    assert sent.forms.decode(TOOL.name, '{"title": "H') == '{"title": "H'
    fenced = f"```json\n{written(sent)}\n```"
    assert parse_json(sent.forms.decode(TOOL.name, fenced)) == ARGUMENTS
    assert sent.forms.decode("look", "{") == "{"


@DIALECTS
def test_without_strict_tools_nothing_is_rewritten(dialect: str) -> None:
    """Strictness is what asks for it; schemas stand as they are, and bytes are forwarded."""
    made = codec(dialect)
    sent = sent_by(made, replace(ASKED, tools=(replace(TOOL, strict=None), LOOSE)))
    assert sent.forms is None
    assert parameters(sent) == TOOL.parameters
    assert sent.adapted == ()
    completion = made.parse_response(answer(made, OTHER), sent)
    assert completion.raw is not None


@DIALECTS
def test_a_schema_that_needs_no_form_leaves_answers_as_they_are(dialect: str) -> None:
    """Then arguments are what they seem, and the vendor's bytes can go on."""
    closed: JsonObject = {
        "type": "object",
        "properties": {"q": {"type": "string"}},
        "required": ["q"],
        "additionalProperties": False,
    }
    made = codec(dialect)
    sent = sent_by(made, replace(ASKED, tools=(replace(LOOSE, parameters=closed, strict=True),)))
    assert (sent.forms, sent.adapted) == (None, ())
    assert parameters(sent) == closed


@DIALECTS
def test_a_client_of_the_same_dialect_gets_what_it_wrote(dialect: str) -> None:
    """Its own strict schema is the vendor's to judge; a tool that joins on the way is fitted."""
    made = codec(dialect)
    free: Json = {"type": "object", "properties": {"a": {"type": "object"}}}
    body = as_object(json.loads(sent_by(made, replace(ASKED, messages=(user("go"),))).body))
    tool = as_object(as_array(body["tools"])[0])
    function = as_object(tool.get("function")) or tool
    function["parameters" if "parameters" in function else "input_schema"] = free
    asked = made.parse_request(dump_json(body).encode()).request
    sent = sent_by(made, asked)
    assert parameters(sent) == free
    joined = sent_by(made, replace(asked, tools=(*asked.tools, TOOL)))
    assert parameters(joined) == free
    assert joined.forms is not None
    assert joined.forms.changes(TOOL.name)
    assert not joined.forms.changes("github_issues_create")


def test_a_tool_that_cannot_be_strict_is_sent_without() -> None:
    """And that is said, with the reason."""
    never: JsonObject = {"type": "object", "properties": {"a": False}, "required": ["a"]}
    made = codec("openai-chat")
    sent = sent_by(made, replace(ASKED, tools=(replace(TOOL, parameters=never),)))
    assert parameters(sent) == never
    (said,) = sent.adapted
    assert said.endswith("is left out: vendor cannot enforce its schema, as no arguments fit its schema")
    (told,) = (as_object(tool) for tool in made.render_tools((replace(TOOL, parameters=never),)))
    assert "strict" not in as_object(told["function"])


@pytest.mark.promise("O5")
@DIALECTS
def test_alternatives_at_the_root_become_one_object_in_any_mode(dialect: str) -> None:
    """Vendors refuse them there; what is asked stands in the description, and the call is checked."""
    either: JsonObject = {
        "oneOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"$ref": "#/$defs/b~1"},
            {"$ref": "elsewhere"},
        ],
        "$defs": {"b/": {"type": "object", "properties": {"b": {"type": "integer"}}}},
        "description": "Either.",
    }
    made = codec(dialect)
    tool = replace(LOOSE, parameters=either)
    sent = sent_by(made, replace(ASKED, messages=(user("go"),), tools=(tool,)))
    schema = parameters(sent)
    assert (schema["type"], "oneOf" in schema, "required" in schema) == ("object", False, False)
    assert schema["properties"] == {"a": {"type": "string"}, "b": {"type": "integer"}}
    assert str(schema["description"]).startswith("Either.")
    assert "takes one object" in sent.adapted[0]
    assert sent.forms is None
    (listed,) = (as_object(one) for one in made.render_tools((tool,)))
    function = as_object(listed.get("function")) or listed
    assert schema in (function.get("parameters"), function.get("input_schema"))
    whole: JsonObject = {"allOf": [{"properties": {"a": {}}, "required": ["a"]}], "not": {"required": ["z"]}}
    sent = sent_by(made, replace(ASKED, messages=(user("go"),), tools=(replace(LOOSE, parameters=whole),)))
    assert as_array(parameters(sent)["required"]) == ["a"]


def test_shapes_that_are_lost_are_said() -> None:
    """By their place."""
    schema: JsonObject = {"type": "object", "properties": {"a": {"$ref": "#"}}}
    sent = sent_by(codec("anthropic-messages"), replace(ASKED, tools=(replace(TOOL, parameters=schema),)))
    assert sent.adapted == (
        "/a/a of github.issues_create is asked for as JSON text: vendor cannot enforce its shape",
    )


def test_cohere_is_strict_with_all_tools_or_none() -> None:
    """Two hundred fields in all; a tool that nobody asked to be strict is held as well."""
    wide: JsonObject = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(120)}}
    one, other = replace(TOOL, name="a", parameters=wide), replace(TOOL, name="b", parameters=wide)
    sent = sent_by(codec("cohere-chat"), replace(ASKED, tools=(one, replace(other, strict=None))))
    assert b"strict_tools" not in sent.body
    assert [line.split(":")[0] for line in sent.adapted] == [
        "strict of a is left out",
        "strict of b is left out",
    ]
    assert "of 200 properties in all" in sent.adapted[0]
    sent = sent_by(codec("cohere-chat"), replace(ASKED, tools=(TOOL, replace(LOOSE, strict=False))))
    assert sent.adapted[0].startswith("all tools are held strictly")
    assert sent.forms is not None
    assert sent.forms.changes("look")


@pytest.mark.promise("O5")
@pytest.mark.parametrize("strict", [True, None])
def test_arguments_get_names_that_anthropic_takes(strict: bool | None) -> None:
    """It refuses the whole request for one odd name, strict or not; the way back has the own names."""
    odd: JsonObject = {
        "type": "object",
        "properties": {
            "$top": {"type": "integer"},
            "filter[name]": {"type": "string"},
            "x" * 70: {},
            "ok": {},
        },
        "required": ["$top"],
    }
    made = codec("anthropic-messages")
    tool = replace(TOOL, parameters=odd, strict=strict)
    sent = sent_by(made, replace(ASKED, messages=(user("go"),), tools=(tool,)))
    names = [*as_object(parameters(sent)["properties"])]
    assert names[:2] == ["_top", "filter_name_"]
    assert (len(names[2]), names[3]) == (64, "ok")
    assert as_array(parameters(sent)["required"]) == ["_top"]
    assert sent.forms is not None
    value: JsonObject = {"$top": 3, "filter[name]": "x", "x" * 70: "t"}
    told = sent.forms.encode(replace(CALL, arguments=dump_json(value)))
    assert as_object(parse_json(told.arguments)).keys() == {"_top", "filter_name_", names[2]}
    assert parse_json(sent.forms.decode(TOOL.name, told.arguments)) == value
    assert sent.forms.decode(TOOL.name, "[1]") == "[1]"
    listed = replace(CALL, arguments="[1]")
    assert sent.forms.encode(listed) == listed


def test_a_stream_that_names_a_call_late_is_read_all_the_same() -> None:
    """Some servers send the first characters of arguments before the name."""
    made = codec("openai-chat")
    sent = sent_by(made, stream=True)
    wire = written(sent)
    events: list[Json] = [
        {"tool_calls": [{"index": 0, "id": "c1", "function": {"arguments": wire[:5]}}]},
        {"tool_calls": [{"index": 0, "function": {"name": "github_issues_create", "arguments": wire[5:]}}]},
        {
            "tool_calls": [
                {"index": 1, "id": "c2", "function": {"name": "github_issues_create", "arguments": "{"}}
            ]
        },
    ]
    lines = [b"data: " + dump_json({"choices": [{"index": 0, "delta": delta}]}).encode() for delta in events]
    end = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}'
    chunks = heard(made, sent, b"\n\n".join((*lines, end, b"data: [DONE]", b"")))
    first, second = assembled(chunks).message.tool_calls
    assert (first.name, first.parsed()) == (TOOL.name, ARGUMENTS)
    assert second.arguments == "{"
