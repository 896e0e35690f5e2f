"""What models are told: the facts of a description, in few words, and nothing that only looks like words."""

import os
import tomllib
from pathlib import Path
from typing import cast

import pytest

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_tools import ConvertOptions, load_file, openapi_to_tool_specs
from interlock_tools.openapi import Wording

CASES = tomllib.loads((Path(__file__).parent / "cases" / "descriptions.toml").read_text(encoding="utf-8"))


def cases(kind: str) -> list[JsonObject]:
    """The cases of operations or parameters."""
    return cast("list[JsonObject]", CASES[kind])


def held(case: JsonObject, text: str) -> None:
    """The text has all that it should have, and nothing that it should not."""
    for fact in as_array(case["keep"]):
        assert str(fact).lower() in text.lower(), text
    for word in as_array(case["drop"]):
        assert str(word).lower() not in text.lower(), text


@pytest.mark.promise("O6")
@pytest.mark.parametrize("case", cases("operation"), ids=lambda case: str(case["name"]).replace(" ", "-"))
def test_the_facts_of_an_operation_survive_and_the_rest_does_not(case: JsonObject) -> None:
    """Within the budget of the case."""
    limit = int(str(case.get("limit", 360)))
    operation: JsonObject = {key: case[key] for key in ("summary", "description") if key in case}
    document: JsonObject = {"openapi": "3.1.0", "paths": {"/things/{id}": {"get": operation}}}
    (tool,) = openapi_to_tool_specs(document, options=ConvertOptions(wording=Wording(tool=limit)))
    held(case, tool.description)
    assert 0 < len(tool.description) <= limit
    assert tool.description.isprintable()


@pytest.mark.promise("O6")
@pytest.mark.parametrize("case", cases("parameter"), ids=lambda case: str(case["name"]))
def test_the_facts_of_a_parameter_survive_and_the_rest_does_not(case: JsonObject) -> None:
    """In its description or in the keywords of its schema."""
    parameter: JsonObject = {key: case[key] for key in ("name", "description", "schema")}
    operation: JsonObject = {"summary": "List things", "parameters": [{"in": "query", **parameter}]}
    document: JsonObject = {"openapi": "3.1.0", "paths": {"/things": {"get": operation}}}
    (tool,) = openapi_to_tool_specs(document)
    held(case, dump_json(as_object(tool.parameters["properties"])[str(case["name"])]))


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": [1, 2], "x-enumNames": ["ON", "OFF"]},
        {"enum": [1, 2], "x-enum-descriptions": ["ON", "OFF"]},
        {"enum": [1, 2], "x-enumDescriptions": {"1": "ON", "2": "OFF"}},
        {
            "enum": [1, 2],
            "x-ms-enum": {"values": [{"value": 1, "name": "ON"}, {"value": "2", "name": "OFF"}]},
        },
    ],
)
def test_meanings_of_listed_values_are_told_whoever_writes_them(schema: JsonObject) -> None:
    """Several makers have an extension of their own for it."""
    assert described(schema) == {"enum": [1, 2], "description": "1: ON; 2: OFF"}


def described(schema: JsonObject, **said: Json) -> JsonObject:
    """What becomes of a parameter called `x`."""
    operation: JsonObject = {"parameters": [{"in": "query", "name": "x", "schema": schema, **said}]}
    (tool,) = openapi_to_tool_specs({"openapi": "3.1.0", "paths": {"/a": {"get": operation}}})
    return as_object(as_object(tool.parameters["properties"])["x"])


def test_meanings_that_say_nothing_new_or_too_much_are_left_out() -> None:
    """The values themselves are enough; and a list of meanings has an end."""
    assert described({"enum": ["on"], "x-enumNames": ["ON"]}) == {"enum": ["on"]}
    assert described({"enum": [1, 2], "x-enumNames": ["ON"]}) == {"enum": [1, 2]}
    assert described({"enum": [1], "x-ms-enum": {"values": [{"value": 1}]}}) == {"enum": [1]}
    many: JsonObject = {"enum": [*range(90)], "x-enumNames": [f"NAME{i}" for i in range(90)]}
    said = str(described(many)["description"])
    assert said.endswith("…")
    assert len(said) < 220


def test_when_the_first_sentence_only_repeats_the_name_the_next_one_is_told() -> None:
    """Where there is no room for both."""
    idle = "The x of this a, which is the x that is of the a and for the a by the a."
    said = f"{idle} Counted from the {'very ' * 26}first of them."
    assert str(described({}, description=said)["description"]).startswith("Counted from")
    assert str(described({"description": said})["description"]).startswith("Counted from")
    assert "description" not in described({}, description="The x of this a.")


def test_no_description_of_a_real_document_is_empty_or_over_its_budget() -> None:
    """With each of the three wordings; sentences that only say `deprecated` come on top."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "corpus"
    folder = Path(os.environ.get("INTERLOCK_CORPUS", beside)) / "openapi" / "dev"
    paths = sorted(folder.iterdir())[:: 1 if os.environ.get("FULL") == "1" else 12]
    for path in paths:
        loaded = load_file(path)
        for wording in (
            Wording(),
            Wording(tool=200, argument=100, nested=60),
            Wording(tool=100, argument=50),
        ):
            for tool in openapi_to_tool_specs(loaded, options=ConvertOptions(wording=wording)):
                said = tool.description.removeprefix("Deprecated. ")
                assert 0 < len(said) <= wording.tool, tool.name
                assert tool.description.isprintable()


HIDDEN = "a\U000e0041\u202e\u200b\ufe0f\x1b[31mb"


@pytest.mark.promise("O6")
@pytest.mark.parametrize("tokens", [60, 4_000])
def test_nothing_hidden_reaches_a_model_through_any_keyword(tokens: int) -> None:
    """Words, formats, defaults, examples, meanings and stubs: only values and names stay as they are."""
    schema: JsonObject = {
        "type": "string",
        "description": HIDDEN * 9,
        "format": HIDDEN,
        "default": HIDDEN,
        "example": HIDDEN,
        "contentMediaType": HIDDEN,
        "pattern": f"[{HIDDEN}",
        "title": HIDDEN,
    }
    named: JsonObject = {"enum": [1], "x-enumNames": [HIDDEN]}
    folded: JsonObject = {"type": "object", "properties": {f"x{HIDDEN}{i}": schema for i in range(20)}}
    parameters: Json = [
        {"name": name, "in": "query", "schema": value, "description": HIDDEN, "example": HIDDEN}
        for name, value in (("a", schema), ("b", named), (HIDDEN, schema), *([("c", folded)] * (tokens < 99)))
    ]
    operation: JsonObject = {
        "summary": HIDDEN,
        "description": HIDDEN,
        "tags": ["t"],
        "parameters": parameters,
    }
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": HIDDEN},
        "paths": {f"/{HIDDEN}": {"get": operation}},
    }
    for words in (Wording(), Wording(nested=0)):
        options = ConvertOptions(max_tool_tokens=tokens, wording=words)
        (tool,) = openapi_to_tool_specs(document, options=options)
        shown = tool.name + tool.description + tool.summary + dump_json(tool.parameters)
        assert shown.isprintable()
        assert "\ufe0f" not in shown
        assert "\\u" not in shown


def test_a_format_is_a_name_not_a_story() -> None:
    """What is longer than any name of a format is left out."""
    assert described({"type": "string", "format": "date"}) == {"type": "string", "format": "date"}
    assert described({"type": "string", "format": "tell me " * 20}) == {"type": "string"}
