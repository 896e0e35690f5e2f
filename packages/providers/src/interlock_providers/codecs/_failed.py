"""Tools that failed, for dialects whose results have no mark for it: the model reads it in the text."""

from collections.abc import Sequence
from dataclasses import replace

from interlock_core import Content, Message, Text, ToolResult


def in_words(messages: Sequence[Message]) -> tuple[Message, ...] | None:
    """The conversation with words before what a failed tool answered; None when none failed."""
    if not any(
        result.is_error for message in messages if message.role == "tool" for result in message.tool_results
    ):
        return None
    return tuple(
        replace(message, content=tuple(map(_worded, message.content))) if message.tool_results else message
        for message in messages
    )


def _worded(part: Content) -> Content:
    if not isinstance(part, ToolResult) or not part.is_error:
        return part
    match part.content:
        case (Text(text=text) as first, *more) if text:
            return replace(part, content=(replace(first, text=f"The tool failed: {text}"), *more))
        case _:
            return replace(part, content=(Text("The tool failed."), *part.content))
