"""What the table asks in no dialect's words: the tools, the schema, and how conversations compare."""

import json
from typing import Any, TypeAlias

Body: TypeAlias = dict[str, Any]
"""A body in some dialect, or an ask in none; SDKs take it as keywords."""

TOOLS: dict[str, Body] = {
    "get_weather": {
        "description": "Wetter einer Stadt.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Name of the city"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
    "send_mail": {
        "description": "Send a mail.",
        "parameters": {
            "type": "object",
            "properties": {"to": {"type": "string"}, "urgent": {"type": "boolean"}},
            "required": ["to", "urgent"],
            "additionalProperties": False,
        },
    },
}
"""The tools by name."""

SCHEMA: Body = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
"""The form that an answer is asked to have."""

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"
"""The bytes of an image in base64, where the ask does not give its own."""

HELLO: list[Body] = [{"role": "user", "parts": [{"text": "hello"}]}]
"""The conversation of an ask that gives none."""


def comparable(turns: list[Body]) -> list[Body]:
    """A conversation with its ids numbered, its arguments as values, and neighbours of one role joined."""
    numbers: dict[str, int] = {}
    joined: list[Body] = []
    for turn in turns:
        parts = [_comparable_part(part, numbers) for part in turn["parts"]]
        if joined and joined[-1]["role"] == turn["role"]:
            joined[-1]["parts"] += parts
        else:
            joined.append({"role": turn["role"], "parts": parts})
    return joined


def _comparable_part(part: Body, numbers: dict[str, int]) -> Body:
    made = dict(part)
    for key in ("call", "result"):
        if key in made:
            made[key] = numbers.setdefault(made[key], len(numbers))
    if "arguments" in made:
        made["arguments"] = json.loads(made["arguments"])
    return made


def data_url(media_type: str, data: str) -> str:
    """Bytes in base64 as an address."""
    return f"data:{media_type};base64,{data}"


def bare(url: str) -> tuple[str, str]:
    """Media type and base64 of an address that holds its bytes; empty ones of any other."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:"):
        return "", ""
    return head.removeprefix("data:").removesuffix(";base64"), data
