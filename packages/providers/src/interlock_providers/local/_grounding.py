"""Helps a small model to call tools: it may only choose what the conversation can mean.

A model of a hundred million parameters chooses well among few possibilities and invents badly. So its
grammar is narrowed, never widened; what fits the narrowed schema fits the tool's own:

- a tool that needs a number is left out when nobody said a number;
- a number is one that was said; a choice that was said excludes the others;
- a short text is a quoted passage or a telling word of what was said, and several are taken in the order
  in which they were said, names joined by a slash before others; prose (a title, a body) stays free;
- an optional parameter is offered only when it was mentioned, and given when one of its choices was;
- what is asked as a question is answered by tools that only read, where one is related to it;
- only tools are shown that share about as many words with what was said as the one that shares most;
  the most related stand last, where a small model looks first, and there are at most eight.

What does not fit these rules is left as the tool has it.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from math import comb

from interlock_core.jsontypes import (
    Json,
    JsonObject,
    as_array,
    as_int,
    as_number,
    as_object,
    as_text,
)
from interlock_core.toolspec import Effect, ToolSpec
from interlock_providers.local._words import joined, mentioned, numbers, relatedness, spans

_MOST_TOOLS = 8
_NEARLY = 0.85
_MOST_COMBINATIONS = 120
_PROSE = frozenset(
    {
        "title",
        "body",
        "text",
        "message",
        "subject",
        "description",
        "content",
        "comment",
        "summary",
        "note",
        "notes",
        "query",
        "question",
        "prompt",
        "reason",
        "instructions",
        "markdown",
        "html",
        "code",
    }
)
_FREE_WORDS = frozenset({"enum", "const", "format", "anyOf", "oneOf", "allOf", "$ref"})
_ASKS = re.compile(
    r"\s*(?:(?:please|can you|could you|would you)\s+)?"
    r"(?:which|what|who|when|where|how|is|are|does|do|did|has|have|list|show|get|find|search|count|look|tell|read)\b",
    re.IGNORECASE,
)


def grounded(tools: Sequence[ToolSpec], said: str) -> tuple[ToolSpec, ...]:
    """The tools that can be meant, narrowed to what was said, the most related last.

    Args:
        tools: At least one.
        said: The user's words.
    """
    possible = [tool for tool in tools if _possible(tool, said)] or list(tools)
    if _ASKS.match(said):
        reading = [tool for tool in possible if tool.effect is Effect.READ and relatedness(tool, said) > 0]
        possible = reading or possible
    scores = {tool.name: relatedness(tool, said) for tool in possible}
    enough = _NEARLY * max(scores.values())
    meant = sorted(
        (tool for tool in possible if scores[tool.name] >= enough), key=lambda tool: scores[tool.name]
    )
    return tuple(
        replace(tool, parameters=_narrowed(tool, tool.parameters, said)) for tool in meant[-_MOST_TOOLS:]
    )


def related(tools: Sequence[ToolSpec], said: str) -> bool:
    """Whether any of the tools shares a telling word with what was said."""
    return any(relatedness(tool, said) > 0 for tool in tools)


def _possible(tool: ToolSpec, said: str) -> bool:
    properties = as_object(tool.parameters.get("properties"))
    needed = (as_object(properties.get(name)) for name in _required(tool.parameters))
    return bool(numbers(said)) or not any(_is_open_number(schema) for schema in needed)


def _required(schema: JsonObject) -> list[str]:
    return [name for name in map(as_text, as_array(schema.get("required"))) if name]


def _narrowed(tool: ToolSpec, schema: JsonObject, said: str) -> JsonObject:
    properties = as_object(schema.get("properties"))
    if not properties or {"anyOf", "oneOf", "allOf", "$ref", "patternProperties"} & schema.keys():
        return schema
    chosen = [name for name in properties if _told_choices(as_object(properties[name]), said)]
    needed = [name for name in properties if name in {*_required(schema), *chosen}]
    offered = [name for name in properties if name in needed or mentioned(name.replace("_", " "), said)]
    kept: JsonObject = {
        name: _value(tool, as_object(properties[name]), said) for name in offered or properties
    }
    narrowed: JsonObject = {
        **schema,
        "properties": kept,
        "required": list[Json](needed),
        "additionalProperties": False,
    }
    return _assigned(narrowed, _slots(kept, said, spans(said, tool)))


def _told_choices(schema: JsonObject, said: str) -> list[Json]:
    """The choices of a parameter that were said."""
    choices = as_array(schema.get("enum"))
    return [choice for choice in choices if isinstance(choice, str) and mentioned(choice, said)]


def _value(tool: ToolSpec, schema: JsonObject, said: str) -> Json:
    """One parameter, narrowed to what was said."""
    choices = as_array(schema.get("enum"))
    if choices:
        return {**schema, "enum": _told_choices(schema, said) or choices}
    if _is_open_number(schema):
        fitting: list[Json] = [number for number in numbers(said) if _fits(number, schema)]
        return {"enum": fitting} if fitting else schema
    if schema.get("type") == "object":
        return _narrowed(tool, schema, said)
    return schema


def _is_open_number(schema: JsonObject) -> bool:
    return schema.get("type") in ("integer", "number") and not {"enum", "const", "default"} & schema.keys()


def _fits(number: float, schema: JsonObject) -> bool:
    if schema.get("type") == "integer" and not isinstance(number, int):
        return False
    low, high = as_number(schema.get("minimum")), as_number(schema.get("maximum"))
    within = (low is None or number >= low) and (high is None or number <= high)
    return within and not {"exclusiveMinimum", "exclusiveMaximum", "multipleOf"} & schema.keys()


def _slots(properties: JsonObject, said: str, words: list[str]) -> list[tuple[list[str], list[Json]]]:
    """Groups of parameters that share their candidates, with the candidates in the order of the text."""
    texts = [name for name, schema in properties.items() if _is_short_text(name, as_object(schema))]
    groups: list[tuple[list[str], list[Json]]] = []
    if texts:
        names = joined(said)
        words = names if 1 < len(texts) <= len(names) else words
        limits = [as_object(properties[name]) for name in texts]
        fitting: list[Json] = [span for span in words if all(_short_enough(span, limit) for limit in limits)]
        groups.append((texts, fitting))
    alike: dict[str, list[str]] = {}
    for name, schema in properties.items():
        choices = as_array(as_object(schema).get("enum"))
        if choices and all(isinstance(choice, str | int | float) for choice in choices):
            alike.setdefault(repr(choices), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            choices = as_array(as_object(properties[names[0]]).get("enum"))
            groups.append((names, _in_order(choices, said)))
    return groups


def _in_order(choices: list[Json], said: str) -> list[Json]:
    """The choices in the order in which they were said; the others behind."""
    text = said.lower()
    places = [text.find(str(choice).lower()) for choice in choices]
    ranked = sorted(range(len(choices)), key=lambda i: places[i] if places[i] >= 0 else len(text))
    return [choices[i] for i in ranked]


def _is_short_text(name: str, schema: JsonObject) -> bool:
    return (
        schema.get("type") == "string"
        and not _FREE_WORDS & schema.keys()
        and name.lower().rpartition("_")[2] not in _PROSE
    )


def _short_enough(span: str, schema: JsonObject) -> bool:
    least, most = as_int(schema.get("minLength")) or 0, as_int(schema.get("maxLength"))
    if len(span) < least or (most is not None and len(span) > most):
        return False
    if "pattern" not in schema:
        return True
    from interlock_core.schema import validator

    return not validator({"type": "string", "pattern": schema["pattern"]}).problems(span)


def _assigned(schema: JsonObject, groups: list[tuple[list[str], list[Json]]]) -> JsonObject:
    """The schema in which each group takes different candidates, in their order."""
    alternatives: list[JsonObject] = [as_object(schema.get("properties"))]
    for names, candidates in groups:
        if comb(len(candidates), len(names)) * len(alternatives) > _MOST_COMBINATIONS:
            continue
        chosen = list(combinations(candidates, len(names))) or [()]
        alternatives = [
            {**properties, **{name: {"const": value} for name, value in zip(names, values, strict=False)}}
            for properties in alternatives
            for values in chosen
        ]
    if len(alternatives) == 1:
        return {**schema, "properties": alternatives[0]}
    shared = {word: schema[word] for word in ("$defs", "definitions") if word in schema}
    plain = {word: value for word, value in schema.items() if word not in shared}
    branches: list[Json] = [{**plain, "properties": properties} for properties in alternatives]
    return {**shared, "anyOf": branches}
