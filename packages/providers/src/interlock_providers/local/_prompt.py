"""How a conversation is told to the model: in its own chat template, with tools as plain text.

The system prompt is the caller's. What is added is as short as it can be: the tools, one made-up call of
each for a small model (which learns the form from them and would not from a description), and the names
of the fields when the answer must be JSON. Which roles a template knows differs, so that messages of one
role that follow each other are joined, and calls and results are told as text.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from interlock_core.completion import CompletionRequest
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text, dump_json
from interlock_core.messages import (
    Audio,
    Content,
    File,
    Image,
    Message,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from interlock_core.toolspec import ToolSpec

_MOST_DESCRIPTION = 160
_MOST_FIELDS = 12
_FEWEST_CALLS = 3
_TEXTS = ("alpha", "beta", "gamma", "delta")
_NUMBERS = (3, 8, 21)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as the chat template takes it."""

    role: str
    content: str


_PLAIN = (
    (Turn("user", "Hello!"), Turn("assistant", "Hello! How can I help you?")),
    (Turn("user", "What is the capital of Italy?"), Turn("assistant", "The capital of Italy is Rome.")),
)


def turns(messages: Sequence[Message]) -> list[Turn]:
    """The conversation as text.

    Raises:
        InvalidRequestError: It is empty.
    """
    told = [Turn("user" if message.role == "tool" else message.role, _told(message)) for message in messages]
    told = [turn for turn in told if turn.content]
    if not any(turn.role == "user" for turn in told):
        raise InvalidRequestError(
            "There is no user message to answer.", field="messages", remedy="Add a message of role user."
        )
    return told


def question(messages: Sequence[Message]) -> str:
    """The user's last words."""
    return next((message.text for message in reversed(messages) if message.role == "user"), "")


def answers_results(messages: Sequence[Message]) -> bool:
    """Whether the last thing said is the result of a tool."""
    return bool(messages) and bool(messages[-1].tool_results)


def reading(messages: Sequence[Message]) -> list[Turn]:
    """The conversation in which a small model is to answer from the results that came last.

    The calls are not told again: a small model would repeat them.
    """
    asked = max((i for i, message in enumerate(messages) if message.role == "user"), default=0)
    results = [part for message in messages[asked:] for part in message.tool_results]
    told = "\n\n".join(text for text in map(_read, results) if text)
    task = (
        f"Read the text and answer the question.\n\nText:\n{told}\n\nQuestion: {question(messages)}\nAnswer:"
    )
    return [*(turn for turn in turns(messages) if turn.role == "system"), Turn("user", task)]


def _read(result: ToolResult) -> str:
    return f"The tool failed. {result.text}".rstrip() if result.is_error else result.text


def with_system(conversation: Sequence[Turn], added: str) -> list[Turn]:
    """The conversation with a text added to its system prompt."""
    first = conversation[0] if conversation else None
    if first is not None and first.role == "system":
        return [Turn("system", f"{first.content}\n\n{added}"), *conversation[1:]]
    return [Turn("system", added), *conversation]


def with_examples(conversation: Sequence[Turn], tools: Sequence[ToolSpec], *, plain: int) -> list[Turn]:
    """The conversation with a made-up call of each tool before its first question.

    Args:
        conversation: The conversation.
        tools: The tools.
        plain: How many examples of an answer without a tool stand before them.
    """
    shown = [turn for pair in _PLAIN[:plain] for turn in pair]
    # With fewer calls than this before its eyes a small model would rather talk.
    rounds = max(len(tools), _FEWEST_CALLS) if plain else len(tools)
    for place in range(rounds):
        tool = tools[(place - rounds) % len(tools)]
        asked, called = _example(tool, place)
        shown += [Turn("user", asked), Turn("assistant", called)]
    start = next((i for i, turn in enumerate(conversation) if turn.role != "system"), len(conversation))
    return [*conversation[:start], *shown, *conversation[start:]]


def tools_in_short(tools: Sequence[ToolSpec], *, free: bool) -> str:
    """The tools for a small model: one line each."""
    lines = [f"{tool.name}({', '.join(_parameters(tool))}): {_description(tool)}" for tool in tools]
    otherwise = ", or with text when no tool fits" if free else ""
    return "\n".join(("Tools:", *lines, f"Answer with one tool call as JSON{otherwise}."))


def tools_in_full(tools: Sequence[ToolSpec], *, free: bool) -> str:
    """The tools for a model that can read schemas."""
    lines = [
        dump_json({"name": tool.name, "description": _description(tool), "parameters": tool.parameters})
        for tool in tools
    ]
    otherwise = " When no tool is needed, answer with text." if free else ""
    form = 'To call a tool, answer with nothing but {"name": "<tool>", "arguments": {…}}.'
    return "\n".join(("You can call these tools:", *lines, form + otherwise))


def fields_wanted(schema: JsonObject) -> str:
    """One sentence that names the fields of a JSON answer."""
    names = list(as_object(schema.get("properties")))[:_MOST_FIELDS]
    return f"Answer as JSON with {', '.join(names)}." if names else "Answer as JSON."


def chat(conversation: Sequence[Turn]) -> list[Json]:
    """The conversation in llama.cpp's words; neighbours of one role are joined."""
    joined: list[Turn] = []
    for turn in conversation:
        if joined and joined[-1].role == turn.role:
            joined[-1] = Turn(turn.role, f"{joined[-1].content}\n\n{turn.content}")
        else:
            joined.append(turn)
    return [{"role": turn.role, "content": turn.content} for turn in joined]


def _told(message: Message) -> str:
    return "\n\n".join(text for text in map(_part, message.content) if text)


def _part(part: Content) -> str:
    match part:
        case Text() | Refusal():
            return part.text
        case ToolCall():
            return f'{{"name": {dump_json(part.name)}, "arguments": {part.arguments or "{}"}}}'
        case ToolResult():
            failed = " (it failed)" if part.is_error else ""
            return f"Result of {part.name}{failed}:\n{part.text}"
        case Reasoning() | Image() | File() | Audio():
            # What another model thought is that vendor's; media were refused before.
            return ""


def refuse_media(request: CompletionRequest) -> None:
    """Refuse a request that holds something other than text.

    Raises:
        UnsupportedError: It does.
    """
    for part in (part for message in request.messages for part in message.content):
        inner = part.content if isinstance(part, ToolResult) else (part,)
        for item in inner:
            if isinstance(item, Image | File | Audio):
                raise UnsupportedError(
                    f"{request.model} reads text only, and the messages hold {_kind(item)}.",
                    field="messages",
                    remedy="Choose a model that can; `interlock models list` shows which.",
                )


def _kind(part: Image | File | Audio) -> str:
    return {"Image": "an image", "File": "a file", "Audio": "sound"}[type(part).__name__]


def _description(tool: ToolSpec) -> str:
    text = " ".join((tool.description or tool.summary).split())
    return text if len(text) <= _MOST_DESCRIPTION else text[: _MOST_DESCRIPTION - 1] + "…"


def _parameters(tool: ToolSpec) -> list[str]:
    return [name for name, _ in _given(tool)]


def _given(tool: ToolSpec) -> list[tuple[str, JsonObject]]:
    """The parameters that an example gives: the needed ones, or all when none is needed."""
    properties = as_object(tool.parameters.get("properties"))
    needed = [as_text(name) for name in as_array(tool.parameters.get("required"))]
    names = [name for name in properties if name in needed] or list(properties)
    return [(name, as_object(properties[name])) for name in names]


def _example(tool: ToolSpec, place: int) -> tuple[str, str]:
    """A made-up question and the call that answers it."""
    arguments: JsonObject = {}
    for i, (name, schema) in enumerate(_given(tool)):
        arguments[name] = _made_up(schema, place, place + i)
    asked = _description(tool).rstrip(".") or tool.name
    values = " ".join(str(value) for value in arguments.values() if not isinstance(value, dict | list))
    called = json.dumps({"name": tool.name, "arguments": arguments}, ensure_ascii=False)
    return (f"{asked}: {values}" if values else asked), called


def _made_up(schema: JsonObject, place: int, step: int) -> Json:
    choices = as_array(schema.get("enum"))
    if choices:
        return choices[place % len(choices)]
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "integer" | "number":
            return _NUMBERS[step % len(_NUMBERS)]
        case "boolean":
            return True
        case "array":
            return [_TEXTS[step % len(_TEXTS)]]
        case "object":
            return {}
        case _:
            return _TEXTS[step % len(_TEXTS)]
