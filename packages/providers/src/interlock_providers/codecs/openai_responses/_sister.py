"""A request that came in the vendor's other dialect: what both have is said here in this one's words."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from interlock_core import CompletionRequest, Json, JsonObject, Message, Reasoning, ToolCall
from interlock_core.errors import UnsupportedError
from interlock_core.jsontypes import as_array, as_object
from interlock_providers.codecs.openai_responses._notes import NOTES, PREFIX

_CHAT = f"{PREFIX}openai-chat"
_ALIKE = (
    "moderation",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "stream_options",
)


def adopted(request: CompletionRequest) -> CompletionRequest:
    """A request of the chat dialect as if it had come in this one; any other as it is.

    Raises:
        UnsupportedError: It offers a tool that only the chat dialect has.
    """
    extra = request.extra
    if any(_CHAT in message.extra for message in request.messages):
        request = replace(request, messages=_messages(request.messages))
    if _CHAT not in extra or NOTES.key in extra:
        return request
    left: JsonObject = {name: value for name, value in extra.items() if name != _CHAT}
    said: JsonObject = {name: left.pop(name) for name in _ALIKE if name in left}
    note: JsonObject = {}
    if "store" in said:
        note["store"] = said["store"]
    if "safety_identifier" in said:
        # Two fields here too, where both were given.
        note["user"] = "user"
    if "verbosity" in left:
        said["text"] = {"verbosity": left.pop("verbosity")}
    if (choice := _choice(left.get("tool_choice"))) is not None:
        said["tool_choice"] = choice
        del left["tool_choice"]
    said.update(_tools(as_object(extra[_CHAT])))
    # What is left has no place here, and is refused by its name.
    NOTES.own({**left, _CHAT: {}}, "")
    return replace(request, extra={**said, NOTES.key: note})


def _messages(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The conversation, with calls of tools that take free text, and their results, marked as such."""
    custom: set[str] = set()
    made: list[Message] = []
    for message in messages:
        if message.role == "assistant":
            free = _free(message)
            custom |= free
            made.append(_marked(message, free) if free else message)
        elif message.tool_results and all(result.call_id in custom for result in message.tool_results):
            made.append(replace(message, extra={NOTES.key: {"kind": "custom_tool_call_output"}}))
        else:
            made.append(message)
    return tuple(made)


def _free(message: Message) -> set[str]:
    """Ids of the calls of a message that hold free text."""
    if set(message.extra) != {_CHAT}:
        return set()
    calls = as_object(as_object(message.extra[_CHAT]).get("calls"))
    return {
        call.id
        for index, call in enumerate(message.tool_calls)
        if as_object(calls.get(str(index))).get("type") == "custom"
    }


def _marked(message: Message, free: set[str]) -> Message:
    layout: list[Json] = []
    for part in message.content:
        match part:
            case ToolCall(id=number):
                layout.append({"kind": "custom_tool_call" if number in free else "function_call"})
            case Reasoning():
                layout.append({"kind": "reasoning"})
            case _:
                layout.append({"kind": "message", "size": 1})
    return replace(message, extra={NOTES.key: {"items": layout}})


def _choice(choice: Json) -> JsonObject | None:
    """A choice of tools that the vocabulary cannot say."""
    match choice:
        case {"type": "custom", "custom": {"name": str(name)}}:
            return {"type": "custom", "name": name}
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}:
            return {
                "type": "allowed_tools",
                "mode": mode,
                "tools": [_flat(as_object(tool)) for tool in tools],
            }
        case _:
            return None


def _flat(tool: JsonObject) -> JsonObject:
    """A tool whose facts stand one object deeper in the chat dialect."""
    kind = str(tool.get("type"))
    return {"type": kind, **as_object(tool.get(kind))}


def _tools(note: Mapping[str, Json]) -> JsonObject:
    said: JsonObject = {}
    for entry in as_array(note.get("other_tools")):
        match entry:
            case [int(index), {"type": "custom"} as tool]:
                custom = _flat(tool)
                form = as_object(custom.get("format"))
                if form:
                    custom["format"] = _flat(form)
                said[f"tools[{index}].custom"] = custom
            case [int(index), dict(tool)]:
                raise UnsupportedError(
                    f"tools[{index}] is of the type {tool.get('type')}, which only the chat dialect has.",
                    field=f"tools[{index}].type",
                    remedy="Leave it out, or choose a model that is spoken to in that dialect.",
                )
            case _:
                continue
    return said
