"""Grammars for constrained decoding, in the Lark dialect of the decoder.

An answer in JSON must begin with a space, which no model begins with by itself: when the space is
missing, the decoder could not hold the grammar and dropped it, and the run is stopped before anything of
it is shown. A tool call is written as `{"name": "…", "arguments": {…}}`. Where text and calls are both
allowed, a call begins with a brace and text with anything else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from interlock_core.jsontypes import JsonObject, dump_json

_HEADER = "%llguidance {}"
_STYLE: JsonObject = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_TEXT = r"/[^{ \n](.|\n)*/"
SENTINEL = " "
CALL_START = "{"
CALL_NAME = '{"name": '
CALL_ARGUMENTS = ', "arguments": '
CALL_END = "}"


@dataclass(frozen=True, slots=True)
class CallableTool:
    """A tool as the grammar knows it.

    Attributes:
        name: The tool's name.
        schema: A decodable schema of its arguments.
    """

    name: str
    schema: JsonObject


def answer_grammar(schema: JsonObject) -> str:
    """The answer is JSON of this decodable schema, after the sentinel."""
    return "\n".join((_HEADER, f"start: {_quoted(SENTINEL)} answer", _json_rule("answer", schema)))


def call_grammar(tools: Sequence[CallableTool]) -> str:
    """The answer is one call of one of these tools, after the sentinel."""
    return "\n".join((_HEADER, f"start: {_quoted(SENTINEL)} call", *_call_rules(tools)))


def free_grammar(tools: Sequence[CallableTool], answer: JsonObject | None = None) -> str:
    """The answer is one call, or else text, or else JSON of a decodable schema after the sentinel."""
    if answer is None:
        other = ("start: call | text", f"text: {_TEXT}")
    else:
        other = (f"start: call | {_quoted(SENTINEL)} answer", _json_rule("answer", answer))
    return "\n".join((_HEADER, *other, *_call_rules(tools)))


def _call_rules(tools: Sequence[CallableTool]) -> list[str]:
    rules = [f"call: {' | '.join(f'call{i}' for i in range(len(tools)))}"]
    for i, tool in enumerate(tools):
        opening = f"{CALL_NAME}{dump_json(tool.name)}{CALL_ARGUMENTS}"
        rules.append(f"call{i}: {_quoted(opening)} arguments{i} {_quoted(CALL_END)}")
        rules.append(_json_rule(f"arguments{i}", tool.schema))
    return rules


def _json_rule(name: str, schema: JsonObject) -> str:
    return f"{name}: %json {dump_json({**schema, 'x-guidance': _STYLE})}"


def _quoted(text: str) -> str:
    return dump_json(text)
