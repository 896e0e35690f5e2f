"""Tools and forms of answers in requests of the dialect anthropic-messages, as the vendor is sent them."""

import json
from dataclasses import replace

import pytest
from anthropic.types import MessageCreateParams
from pydantic import TypeAdapter

from interlock_core import CompletionRequest, Json, JsonObject, ResponseFormat, ToolChoice, ToolSpec
from interlock_core.jsontypes import as_array, as_object
from interlock_core.messages import system, user
from interlock_providers.codecs import Rendered, Target, codec

CODEC = codec("anthropic-messages")
TARGET = Target(provider="vendor", model="claude-nova-9")
ASKED = CompletionRequest(model="x", messages=(user("hi"),), max_tokens=100)
PARAMS: TypeAdapter[MessageCreateParams] = TypeAdapter(MessageCreateParams)
TOOL = ToolSpec(
    name="github.issues_create",
    description="Creates an issue.",
    parameters={"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
)


def render(request: CompletionRequest, *, stream: bool = False, target: Target = TARGET) -> Rendered:
    """What is sent, held against the types of the official SDK."""
    sent = CODEC.render_request(request, target, stream=stream)
    accepted = {
        name: value for name, value in body_of(sent).items() if name not in {"temperature", "top_p", "top_k"}
    }
    PARAMS.validate_python(accepted)
    return sent


def body_of(sent: Rendered) -> JsonObject:
    """The JSON object that was sent."""
    return as_object(json.loads(sent.body))


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        (ToolChoice(), {"type": "auto"}),
        (ToolChoice(mode="none", parallel=False), {"type": "none"}),
        (ToolChoice(mode="required"), {"type": "any"}),
        (ToolChoice(parallel=False), {"type": "auto", "disable_parallel_tool_use": True}),
        (
            ToolChoice(mode="required", name="github.issues_create", parallel=True),
            {"type": "tool", "name": "github_issues_create", "disable_parallel_tool_use": False},
        ),
    ],
)
def test_tools_and_their_choice_are_told_in_the_dialects_words(choice: ToolChoice, wire: JsonObject) -> None:
    """Names are legal on the wire, the schema stands as it is."""
    body = body_of(render(replace(ASKED, tools=(TOOL,), tool_choice=choice)))
    assert body["tools"] == [
        {
            "name": "github_issues_create",
            "description": "Creates an issue.",
            "input_schema": TOOL.parameters,
        }
    ]
    assert body["tool_choice"] == wire


def test_a_choice_without_tools_is_not_told() -> None:
    """The API refuses the field then, and it would mean nothing."""
    assert "tool_choice" not in body_of(render(replace(ASKED, tool_choice=ToolChoice(mode="none"))))


@pytest.mark.promise("P3")
def test_strict_tools_are_told_in_the_part_of_the_schema_that_is_enforced() -> None:
    """Objects are closed; what is not enforced moves into descriptions, and that is said."""
    tool = replace(
        TOOL,
        strict=True,
        parameters={
            "type": "object",
            "properties": {"n": {"type": "integer", "minimum": 1, "description": "How many."}},
        },
    )
    sent = render(replace(ASKED, tools=(tool,)))
    assert body_of(sent)["tools"] == [
        {
            "name": "github_issues_create",
            "description": "Creates an issue.",
            "strict": True,
            "input_schema": {
                "type": "object",
                "properties": {"n": {"type": "integer", "description": 'How many.\n\n{"minimum":1}'}},
                "additionalProperties": False,
            },
        }
    ]
    assert sent.adapted == (
        "minimum of github.issues_create stand in descriptions: vendor does not enforce them",
    )
    assert CODEC.render_tools((tool,)) == body_of(sent)["tools"]
    assert "strict" not in as_object(CODEC.render_tools((TOOL,))[0])
    assert as_object(CODEC.render_tools((TOOL,), strict=True)[0])["strict"] is True


def test_strict_is_left_out_where_the_vendor_cannot_enforce() -> None:
    """Too many places of more than one type, and more tools than it takes; the schema stands as it was."""
    either: Json = {"type": ["string", "null"]}
    wide: JsonObject = {"type": "object", "properties": {f"p{n}": either for n in range(17)}}
    sent = render(replace(ASKED, tools=(replace(TOOL, strict=True, parameters=wide),)))
    (tool,) = as_array(body_of(sent)["tools"])
    assert "strict" not in as_object(tool)
    assert as_object(tool)["input_schema"] == wide
    assert "as it has more places of more than one type than the vendor takes" in sent.adapted[0]
    many = tuple(replace(TOOL, name=f"t{n}", strict=True) for n in range(22))
    sent = render(replace(ASKED, tools=many))
    assert [bool(as_object(tool).get("strict")) for tool in as_array(body_of(sent)["tools"])] == [
        *[True] * 20,
        *[False] * 2,
    ]
    assert len(sent.adapted) == 2


def test_parameters_become_one_object() -> None:
    """Alternatives at the root are refused by the vendor: their properties join, the rest is described."""
    either: JsonObject = {
        "oneOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"$ref": "#/$defs/b"},
        ],
        "$defs": {"b": {"type": "object", "properties": {"b": {"type": "integer"}}}},
    }
    sent = render(replace(ASKED, tools=(replace(TOOL, parameters=either),)))
    schema = as_object(as_object(as_array(body_of(sent)["tools"])[0])["input_schema"])
    assert schema["type"] == "object"
    assert schema["properties"] == {"a": {"type": "string"}, "b": {"type": "integer"}}
    assert "required" not in schema
    assert '"oneOf"' in str(schema["description"])
    assert "alternatives at the root" in sent.adapted[0]


@pytest.mark.promise("P3")
def test_the_form_of_the_answer_is_told_in_the_dialects_words() -> None:
    """A schema is enforced natively, with its name and description."""
    schema: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    wanted = ResponseFormat(schema=schema, name="city", description="A city.", strict=True)
    sent = render(replace(ASKED, response_format=wanted, stop=("END",), user="u1", service_tier="default"))
    body = body_of(sent)
    assert body["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "title": "city",
                "description": "A city.",
                "properties": {"a": {"type": "string"}},
                "required": ["a"],
                "additionalProperties": False,
            },
        }
    }
    assert (body["stop_sequences"], body["metadata"], body["service_tier"]) == (
        ["END"],
        {"user_id": "u1"},
        "standard_only",
    )
    assert sent.adapted == ()


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    "wanted",
    [
        ResponseFormat(kind="json_object"),
        ResponseFormat(schema={"type": "object", "properties": {"next": {"$ref": "#"}}}),
    ],
)
def test_a_form_that_the_vendor_cannot_enforce_is_asked_for_in_words(wanted: ResponseFormat) -> None:
    """Any object, or a schema that recurs: the system prompt asks for it, and that is said."""
    sent = render(replace(ASKED, messages=(system("s"), user("hi")), response_format=wanted))
    said = as_array(body_of(sent)["system"])
    assert said[0] == {"type": "text", "text": "s"}
    assert "one JSON object and nothing else" in str(as_object(said[1])["text"])
    assert "output_config" not in body_of(sent)
    assert "asked for in words" in sent.adapted[0]
