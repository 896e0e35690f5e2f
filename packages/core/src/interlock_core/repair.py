"""Arguments of tool calls that are almost JSON: read where they can be read in one way only.

Models now and then put a code fence around their JSON, write it as Python writes it, leave a comma at an
end, say it twice, or wrap it into a string. Each of these has one meaning. Text that was cut has many, and
is never completed: a half value is not the value.
"""

import ast
import json
import re
from typing import cast

from interlock_core.jsontypes import Json, JsonObject, parse_json
from interlock_core.record import record

_FENCE = "```"
_LANGUAGE = re.compile(r"[a-zA-Z]*\s*", re.ASCII)
_TEXT_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|,(?=\s*+[}\]])', re.DOTALL)
"""A text that nobody closes goes to the end: looked for again from each quote, it would cost its square."""
_MOST = 1_000_000
_MOST_PYTHON = 100_000
"""Most characters that are read as Python, whose reader takes five hundred bytes of memory for each."""
_LENIENT = json.JSONDecoder(strict=False)


@record(frozen=True, slots=True, kw_only=True)
class Repaired:
    """Arguments that were read in spite of how they were written.

    Attributes:
        arguments: The arguments.
        how: What was wrong with the text, in a few words.
    """

    arguments: JsonObject
    how: str


def repaired(text: str) -> Repaired | None:
    """Read arguments that are not JSON where they can mean one thing only.

    Args:
        text: What the model wrote; text that is JSON already is read as it is.

    Returns:
        None when it cannot be read, or in more than one way.
    """
    if len(text) > _MOST:
        return None
    stripped = text.strip()
    fenced = _unfenced(stripped)
    inside = stripped if fenced is None else fenced
    for read, how in (
        (_json, "nothing" if fenced is None else "it stood in a code fence"),
        (_spoken_twice, "it was said twice"),
        (_wrapped, "it was wrapped into a string"),
        (_with_line_breaks, "a text held line breaks as they are"),
        (_with_commas, "a comma stood before an end"),
        (_python, "it was written as Python writes it"),
    ):
        found = read(inside)
        if found is not None:
            return Repaired(arguments=found, how=how)
    return None


def _unfenced(text: str) -> str | None:
    """What stands in a code fence; None when there is none around the whole text."""
    first, line_end, rest = text.partition("\n")
    language = first.removeprefix(_FENCE)
    if not line_end or language == first or not rest.endswith(_FENCE) or not _LANGUAGE.fullmatch(language):
        return None
    return rest.removesuffix(_FENCE).strip()


def _json(text: str) -> JsonObject | None:
    try:
        value = parse_json(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _spoken_twice(text: str) -> JsonObject | None:
    try:
        first, end = json.JSONDecoder().raw_decode(text)
        second, after = json.JSONDecoder().raw_decode(text[end:].lstrip())
    except (ValueError, RecursionError):
        return None
    whole = not text[end:].lstrip()[after:].strip()
    return _json(text[:end]) if whole and first == second else None


def _wrapped(text: str) -> JsonObject | None:
    try:
        value = parse_json(text)
    except (ValueError, RecursionError):
        return None
    return _json(value) if isinstance(value, str) else None


def _with_line_breaks(text: str) -> JsonObject | None:
    try:
        value = cast("Json", _LENIENT.decode(text))
    except (ValueError, RecursionError):
        return None
    # What only this decoder takes (`NaN`) is no JSON value either way.
    try:
        return _json(json.dumps(value, allow_nan=False)) if isinstance(value, dict) else None
    except ValueError:
        return None


def _with_commas(text: str) -> JsonObject | None:
    without = _outside_texts(text)
    return None if without is None else _json(without)


def _outside_texts(text: str) -> str | None:
    """The text without commas that stand before a closing bracket; texts stay as they are."""
    pieces: list[str] = []
    end = 0
    for match in _TEXT_OR_COMMA.finditer(text):
        if match[0] == ",":
            pieces.append(text[end : match.start()])
            end = match.end()
    return "".join([*pieces, text[end:]]) if pieces else None


def _python(text: str) -> JsonObject | None:
    if len(text) > _MOST_PYTHON:
        return None
    try:
        value = cast("object", ast.literal_eval(text))
        rendered = json.dumps(value, allow_nan=False) if _is_plain(value) else ""
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return _json(rendered)


def _is_plain(value: object) -> bool:
    """Whether a Python value is one that JSON has, with texts as names and no name twice."""
    if isinstance(value, dict):
        entries = cast("dict[object, object]", value)
        return all(isinstance(name, str) and _is_plain(inner) for name, inner in entries.items())
    if isinstance(value, list):
        return all(_is_plain(inner) for inner in cast("list[object]", value))
    return value is None or isinstance(value, str | int | float | bool)
