"""Tool calls by constrained decoding: the right tool, valid arguments, and every tool choice."""

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from interlock_core import (
    CompletionRequest,
    FinishReason,
    JsonObject,
    ResponseFormat,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from interlock_core.errors import InvalidRequestError
from interlock_core.messages import assistant, tool_results, user
from interlock_core.schema import validator
from interlock_providers.local import EngineSettings, LocalModel, LocalProvider


def tool(name: str, description: str, properties: JsonObject, *needed: str) -> ToolSpec:
    """A tool with these parameters; without names all are needed."""
    required = list(needed or properties)
    parameters: JsonObject = {
        "type": "object",
        "properties": properties,
        "required": [*required],
        "additionalProperties": False,
    }
    return ToolSpec(name=name, description=description, parameters=parameters)


TEXT: JsonObject = {"type": "string"}
PLACE: JsonObject = {"owner": TEXT, "repo": TEXT}
STATE: JsonObject = {"type": "string", "enum": ["open", "closed", "all"]}
ISSUES = (
    tool(
        "github.issues_list",
        "List the issues of a repository.",
        {
            **PLACE,
            "state": {"type": "string", "enum": ["open", "closed", "all"]},
            "page": {"type": "integer"},
        },
        "owner",
        "repo",
    ),
    tool("github.issues_create", "Create an issue in a repository.", {**PLACE, "title": TEXT}),
    tool("github.issues_get", "Get one issue by its number.", {**PLACE, "number": {"type": "integer"}}),
)
MONEY: JsonObject = {"type": "string", "enum": ["USD", "EUR", "GBP"]}
DAILY = (
    tool("get_weather", "Get the current weather of a city.", {"city": TEXT}),
    tool(
        "convert_currency",
        "Convert an amount of money from one currency to another.",
        {"amount": {"type": "number"}, "source": MONEY, "target": MONEY},
    ),
)


def asking(text: str, tools: tuple[ToolSpec, ...], choice: ToolChoice | None = None) -> CompletionRequest:
    """A request of one question with tools."""
    return CompletionRequest(
        model="local/smollm2-135m",
        messages=(user(text),),
        tools=tools,
        tool_choice=choice,
        temperature=0.0,
        seed=1,
        max_tokens=80,
    )


@pytest.mark.parametrize(
    ("question", "tools", "name", "arguments"),
    [
        (
            "Which issues are open in acme/notes?",
            ISSUES,
            "github.issues_list",
            {"owner": "acme", "repo": "notes", "state": "open"},
        ),
        (
            "Get issue number 7 of foo/bar",
            ISSUES,
            "github.issues_get",
            {"owner": "foo", "repo": "bar", "number": 7},
        ),
        ("What is the weather in Paris?", DAILY, "get_weather", {"city": "Paris"}),
        (
            "Convert 20 GBP to USD",
            DAILY,
            "convert_currency",
            {"amount": 20, "source": "GBP", "target": "USD"},
        ),
    ],
)
async def test_a_simple_question_calls_the_right_tool_with_the_right_arguments(
    provider: LocalProvider,
    question: str,
    tools: tuple[ToolSpec, ...],
    name: str,
    arguments: JsonObject,
) -> None:
    """The model is free to answer without one."""
    answer = await provider.complete(asking(question, tools))
    assert answer.finish is FinishReason.TOOL_CALLS
    (call,) = answer.message.tool_calls
    assert (call.name, call.parsed()) == (name, arguments)
    assert call.id
    assert answer.text == ""


async def test_small_talk_is_answered_without_a_tool(provider: LocalProvider) -> None:
    """Streamed as any text."""
    request = replace(asking("Hello, how are you?", ISSUES), max_tokens=8)
    async with aclosing(provider.stream(request)) as chunks:
        seen = [chunk async for chunk in chunks]
    assert not any(chunk.tool_calls for chunk in seen)
    assert sum(bool(chunk.text) for chunk in seen) > 3


async def test_a_streamed_call_comes_whole(provider: LocalProvider) -> None:
    """One piece with id, name and arguments that are known to be valid."""
    async with aclosing(provider.stream(asking("What is the weather in Paris?", DAILY))) as chunks:
        pieces = [piece async for chunk in chunks for piece in chunk.tool_calls]
    assert [(piece.index, piece.name, piece.arguments) for piece in pieces] == [
        (0, "get_weather", '{"city":"Paris"}')
    ]


async def test_required_calls_a_tool_whatever_was_asked(provider: LocalProvider) -> None:
    """And parallel calls may be switched off, which they always are."""
    choice = ToolChoice(mode="required", parallel=False)
    answer = await provider.complete(asking("Hello, how are you?", DAILY, choice))
    (call,) = answer.message.tool_calls
    known = {tool.name: tool.parameters for tool in DAILY}
    assert validator(known[call.name]).problems(call.parsed()) == ()


async def test_a_named_tool_is_the_one_that_is_called(provider: LocalProvider) -> None:
    """Even when another fits better."""
    choice = ToolChoice(mode="required", name="convert_currency")
    answer = await provider.complete(asking("What is the weather in Paris?", DAILY, choice))
    assert [call.name for call in answer.message.tool_calls] == ["convert_currency"]


async def test_none_calls_no_tool(provider: LocalProvider) -> None:
    """The tools are not even told."""
    request = asking("What is the weather in Paris?", DAILY, ToolChoice(mode="none"))
    answer = await provider.complete(replace(request, max_tokens=8))
    assert not answer.message.tool_calls
    assert answer.text
    assert answer.usage is not None
    assert answer.usage.input_tokens < 50


@pytest.mark.parametrize(
    ("tools", "choice"),
    [((), ToolChoice(mode="required")), (DAILY, ToolChoice(mode="required", name="get_wether"))],
)
async def test_a_choice_that_cannot_be_made_is_refused(
    provider: LocalProvider, tools: tuple[ToolSpec, ...], choice: ToolChoice
) -> None:
    """No tools, or none of that name."""
    with pytest.raises(InvalidRequestError) as caught:
        await provider.complete(asking("Hello", tools, choice))
    assert caught.value.field == "tool_choice"


async def test_a_call_that_was_cut_says_so(provider: LocalProvider) -> None:
    """The name is known, the arguments are what there is."""
    request = replace(asking("What is the weather in Paris?", DAILY), max_tokens=14)
    answer = await provider.complete(request)
    assert answer.finish is FinishReason.LENGTH
    assert [call.name for call in answer.message.tool_calls] == ["get_weather"]
    nothing = await provider.complete(replace(request, max_tokens=3))
    assert nothing.finish is FinishReason.LENGTH
    assert not nothing.message.tool_calls


async def test_a_result_is_answered_with_words(provider: LocalProvider) -> None:
    """A small model that may call again would call for ever."""
    asked = asking("What is the weather in Paris?", DAILY)
    call = ToolCall(id="c1", name="get_weather", arguments='{"city":"Paris"}')
    result = ToolResult(call_id="c1", name="get_weather", content=(Text("condition: light rain"),))
    answer = await provider.complete(
        replace(asked, messages=(*asked.messages, assistant(call), tool_results([result])), max_tokens=8)
    )
    assert not answer.message.tool_calls
    assert answer.text
    assert answer.usage is not None
    assert answer.usage.input_tokens < 70


async def test_earlier_calls_and_results_are_part_of_the_conversation(provider: LocalProvider) -> None:
    """A failed call is told as one."""
    call = ToolCall(id="c1", name="get_weather", arguments='{"city":"Rome"}')
    result = ToolResult(call_id="c1", name="get_weather", content=(Text("no such city"),), is_error=True)
    history = (user("Weather in Rome?"), assistant(call), tool_results([result]), assistant("It failed."))
    asked = asking("What is the weather in Paris?", DAILY)
    answer = await provider.complete(replace(asked, messages=(*history, *asked.messages)))
    assert [made.name for made in answer.message.tool_calls] == ["get_weather"]
    assert answer.message.tool_calls[0].parsed() == {"city": "Paris"}


async def test_text_or_call_may_be_bound_to_a_schema_as_well(provider: LocalProvider) -> None:
    """When no tool is called the answer is JSON."""
    schema: JsonObject = {
        "type": "object",
        "properties": {"greeting": {"type": "string", "maxLength": 20}},
        "required": ["greeting"],
    }
    request = replace(asking("Hello, how are you?", ISSUES), response_format=ResponseFormat(schema=schema))
    answer = await provider.complete(request)
    fits = {
        "github.issues_list": ISSUES[0],
        "github.issues_create": ISSUES[1],
        "github.issues_get": ISSUES[2],
    }
    for call in answer.message.tool_calls:
        assert validator(fits[call.name].parameters).problems(call.parsed()) == ()
    if not answer.message.tool_calls:
        assert set(ToolCall(id="", name="", arguments=answer.text).parsed()) == {"greeting"}


async def test_references_nested_objects_and_odd_rules_in_parameters_are_kept(
    provider: LocalProvider,
) -> None:
    """Each tool's references are its own."""
    odd = ToolSpec(
        name="book",
        description="Book a table.",
        parameters={
            "$defs": {"day": {"type": "string", "enum": ["monday", "friday"]}},
            "type": "object",
            "properties": {
                "day": {"$ref": "#/$defs/day"},
                "guests": {"type": "integer", "minimum": 1, "maximum": 8},
                "wishes": {
                    "type": "object",
                    "properties": {"quiet": {"type": "boolean"}, "near": {"type": "string", "maxLength": 12}},
                    "required": ["quiet"],
                },
                "codes": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "maxItems": 1},
            },
            "required": ["day", "guests", "wishes", "codes"],
            "dependentRequired": {"codes": ["day"]},
        },
    )
    answer = await provider.complete(
        asking("Book a table for 3 guests on friday", (odd, *DAILY), ToolChoice(mode="required", name="book"))
    )
    (call,) = answer.message.tool_calls
    assert validator(odd.parameters).problems(call.parsed()) == ()
    assert call.parsed()["guests"] == 3


async def test_many_tools_are_cut_to_those_that_are_meant(provider: LocalProvider) -> None:
    """A hundred tools do not fit the prompt of a small model; the one that is meant does."""
    crowd = tuple(
        tool(f"store.thing_{i}", f"Do thing {i}.", {"size": {"type": "integer"}}) for i in range(100)
    )
    answer = await provider.complete(asking("What is the weather in Paris?", (*crowd, *DAILY)))
    assert [call.name for call in answer.message.tool_calls] == ["get_weather"]
    assert answer.usage is not None
    assert answer.usage.input_tokens < 700


async def test_a_model_that_is_not_small_sees_schemas_and_is_not_narrowed(weights: Path) -> None:
    """The same file, said to be large: the prompt holds the schemas, and the call is still valid."""
    settings = EngineSettings(context_tokens=2048)
    large = LocalProvider(models={"large": LocalModel(path=weights, small=False)}, settings=settings)
    request = replace(asking("What is the weather in Paris?", DAILY), model="local/large")
    forced = replace(request, tool_choice=ToolChoice(mode="required", name="get_weather"))
    answer = await large.complete(forced)
    spoken = await large.complete(replace(request, max_tokens=8))
    small = await large.complete(replace(forced, model="local/smollm2-135m"))
    await large.aclose()
    assert [call.name for call in answer.message.tool_calls] == ["get_weather"]
    assert answer.usage is not None
    assert small.usage is not None
    assert answer.usage.input_tokens > small.usage.input_tokens
    assert spoken.finish in (FinishReason.LENGTH, FinishReason.STOP)
