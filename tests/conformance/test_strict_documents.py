"""Real documents in strict mode: every vendor is sent what it publishes to enforce, each tool is classified.

Judged by the doubles' own reading of the vendors' rules, and by what the vendors' SDKs do to schemas before
they send them. Every fourth document of at most 400 kB is taken, all of them with `FULL=1`;
`tests/bench/strict.py` prints the counts and their causes.
"""

import copy
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import cast

import jsonschema_rs
import pytest
from anthropic import transform_schema
from openai.lib import _pydantic as openai_schemas

from interlock_core import Json, JsonObject, ToolSpec
from interlock_core.jsontypes import as_array, as_object
from interlock_core.schema import validator
from interlock_providers.codecs import Strictness, codec, strictness
from interlock_providers.local import strictness as local_strictness
from interlock_providers.testing import broken_strict_rules
from interlock_tools import load_file, openapi_to_tool_specs

from .test_documents import documents

VENDORS = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "anthropic-messages": "anthropic-messages",
    "mistral-chat": "mistral-chat",
    "cohere-chat": "cohere-chat",
}
LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}")
LEAST_LOSSLESS = {
    "openai-chat": 0.95,
    "openai-responses": 0.95,
    "mistral-chat": 0.95,
    "cohere-chat": 0.95,
    "anthropic-messages": 0.85,
}
"""Part of the tools; Anthropic takes sixteen places of more than one type in a request."""


def tools() -> Iterator[tuple[ToolSpec, ...]]:
    """The tools of each document."""
    for path in documents():
        yield openapi_to_tool_specs(load_file(path)).tools


def sent(dialect: str, listed: tuple[ToolSpec, ...]) -> list[JsonObject]:
    """The tools as they stand in a strict request, each with its name, its schema and its flag."""
    made: list[JsonObject] = []
    for tool in codec(dialect).render_tools(listed, strict=True):
        function = as_object(as_object(tool).get("function")) or as_object(tool)
        schema = function.get("parameters", function.get("input_schema"))
        made.append({"name": function["name"], "schema": schema, "strict": function.get("strict") is True})
    return made


def faults_of(dialect: str, told: JsonObject, judged: Strictness) -> Iterator[str]:
    """What is wrong with one tool."""
    schema = as_object(told["schema"])
    if not LEGAL.fullmatch(str(told["name"])):
        yield "its name is not legal"
    if not jsonschema_rs.meta.is_valid(schema):
        yield "its schema is no JSON Schema"
    validator(schema)
    # Cohere's flag stands in the request, not in the tool.
    if told["strict"] is not (judged.grade != "not-strict" and dialect != "cohere-chat"):
        yield f"its flag is {told['strict']}, and it is {judged.grade}"
    if judged.grade == "not-strict":
        return
    yield from broken_strict_rules(schema, VENDORS[dialect])
    if VENDORS[dialect] == "openai" and not _unmoved_by_openai(schema):
        yield "OpenAI's SDK would send another schema"
    if dialect == "anthropic-messages" and not _unmoved_by_anthropic(schema):
        yield "Anthropic's SDK would move something into a description"


def _unmoved_by_openai(schema: JsonObject) -> bool:
    # Not public: the SDK offers it for pydantic's classes alone.
    ensured = cast("Callable[..., JsonObject]", vars(openai_schemas)["_ensure_strict_json_schema"])
    whole = copy.deepcopy(schema)
    made = ensured(whole, path=(), root=whole)
    return json.dumps(made, sort_keys=True) == json.dumps(schema, sort_keys=True)


def _unmoved_by_anthropic(schema: JsonObject) -> bool:
    """The SDK moves what the vendor does not enforce into descriptions; here nothing is left to move."""
    return sorted(_descriptions(as_object(transform_schema(schema)))) == sorted(_descriptions(schema))


def _descriptions(schema: Json) -> Iterator[str]:
    node = as_object(schema)
    if isinstance(node.get("description"), str):
        yield str(node["description"])
    for part in (
        *as_object(node.get("properties")).values(),
        *as_object(node.get("$defs")).values(),
        *as_array(node.get("anyOf")),
        node.get("items"),
    ):
        if part is not None:
            yield from _descriptions(part)


@pytest.mark.promise("O5")
@pytest.mark.parametrize("dialect", VENDORS)
def test_every_vendor_can_be_sent_strict_tools_of_real_documents(dialect: str) -> None:
    """Valid, compilable, legal, within every published rule, and classified one by one."""
    faults: list[str] = []
    classes: Counter[str] = Counter()
    for listed in tools():
        told, judged = sent(dialect, listed), strictness(dialect, listed)
        assert len({str(one["name"]) for one in told}) == len(listed)
        classes.update(one.grade for one in judged)
        for tool, one in zip(told, judged, strict=True):
            faults += [f"{tool['name']}: {fault}" for fault in faults_of(dialect, tool, one)]
    assert faults == []
    assert classes["strict-lossless"] >= LEAST_LOSSLESS[dialect] * classes.total()


@pytest.mark.promise("O5")
def test_the_local_model_is_held_to_the_tools_of_real_documents() -> None:
    """Every one of them; where values of any kind are wanted, to scalars."""
    classes = Counter(one.grade for listed in tools() for one in local_strictness(listed))
    assert classes["not-strict"] == 0
    assert classes["strict-lossless"] > classes["strict-approximate"]
