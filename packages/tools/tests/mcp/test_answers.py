"""What a server answered, as a result within bounds; definitions that are hard to read."""

import math
from dataclasses import replace

import pytest
from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent

from interlock_core import Text, ToolResult, ToolSpec
from interlock_core.jsontypes import Json, JsonObject
from interlock_tools.mcp import MountLimits, ToolDefinition, judged, local_name
from interlock_tools.mcp._answers import result_of
from interlock_tools.mcp._listing import answer_schema

pytestmark = pytest.mark.promise("O16")

LIMITS = MountLimits()
SPEC = ToolSpec(name="s.t")


def result(
    *content: ContentBlock, structured: Json = None, failed: bool = False, limits: MountLimits = LIMITS
) -> ToolResult:
    """The result of an answer."""
    answer = CallToolResult(content=[*content], structured_content=structured, is_error=failed)
    return result_of(answer, SPEC, call_id="c", limits=limits)


def test_a_structure_without_words_is_shown_as_json() -> None:
    """A model reads something."""
    assert result(structured={"a": 1}).text == '{"a":1}'


def test_an_answer_without_anything_is_told() -> None:
    """Whether it worked stands in it."""
    assert result().text == "Done; the tool says no more."
    assert result(failed=True).text == "The tool failed and says no more."


def test_a_structure_that_is_no_json_is_left_out() -> None:
    """It could not be written down again."""
    odd = result(structured={"a": math.nan})
    assert odd.structured is None
    assert "no JSON" in odd.text


def test_words_beyond_the_bound_are_left_out() -> None:
    """Also those of further parts."""
    small = replace(LIMITS, shown_chars=4)
    cut = result(TextContent(text="abcdef"), TextContent(text="more"), TextContent(text=""), limits=small)
    assert cut.content == (Text("abcd\n… 2 characters more were left out."),)


def test_files_beyond_the_bound_are_told_once() -> None:
    """However many there are."""
    one = ImageContent(data="AAEC", mime_type="image/png")
    many = result(*[one for _ in range(LIMITS.parts + 5)])
    assert many.text.count("the rest was left out") == 1


def definition(**facts: Json) -> ToolDefinition:
    """A definition of a tool `t`."""
    return ToolDefinition("t", {"name": "t", **facts})


def test_a_definition_that_cannot_be_written_down_is_refused() -> None:
    """It could not be pinned."""
    odd = judged(definition(inputSchema={"type": "object", "minimum": math.inf}), server="s")
    assert "longer than" in odd.refused
    assert odd.spec is None


def test_values_of_a_schema_that_nobody_sees_are_not_offered() -> None:
    """What a reader sees stays as it was said; a value with letters that nobody sees is left out and told."""
    hidden = "a\u200bb"
    schema: JsonObject = {
        "type": "object",
        "properties": {"x": {"enum": [hidden, "plain"], "description": f"d{hidden}"}},
        "required": ["x"],
    }
    seen = judged(definition(inputSchema=schema), server="s")
    assert seen.spec is not None
    assert seen.problems == ("hidden",)
    assert seen.spec.parameters["properties"] == {"x": {"enum": ["plain"], "description": "dab"}}
    named = judged(definition(inputSchema={"type": "object", "properties": {hidden: {}}}), server="s")
    assert named.refused


def test_a_tool_none_of_whose_values_a_reader_sees_is_refused() -> None:
    """It could only be called with what nobody sees."""
    schema: JsonObject = {"type": "object", "properties": {"x": {"enum": ["a\u200bb", "c\u200dd"]}}}
    seen = judged(definition(inputSchema=schema), server="s")
    assert seen.spec is None
    assert seen.refused


def test_names_are_legal_and_stable_whatever_a_server_calls_its_tools() -> None:
    """A name that is legal stays."""
    assert local_name("s", "get-sum") == "s.get-sum"
    assert local_name("s", "...") == local_name("s", "...")
    assert local_name("s", "...").startswith("s.tool_")
    assert len(local_name("s" * 24, "x" * 200)) == 64


def test_the_form_of_a_deep_answer_is_told_down_to_a_bound() -> None:
    """What lies deeper is anything."""
    deep: Json = {"type": "object", "description": "leaf"}
    for _ in range(60):
        deep = {"type": "object", "properties": {"a": deep}}
    assert isinstance(deep, dict)
    told = answer_schema(ToolSpec(name="s.t", responses=deep))
    assert told is not None
    assert "leaf" not in str(told)
