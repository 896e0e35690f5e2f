"""Messages, both ways."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from interlock_core import (
    Content,
    Image,
    Json,
    JsonObject,
    Message,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
    new_id,
)
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_providers.codecs import Target
from interlock_providers.codecs._conversation import Heard, read_conversation
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs.openai_chat._notes import note_of, own_fields, with_note
from interlock_providers.codecs.openai_chat._parts import read_parts, write_content

_ROLES = ("system", "developer", "user", "assistant", "tool")
_REASONING_FIELDS = ("reasoning_content", "reasoning")


def read_messages(items: Sequence[Json] | None, path: str) -> tuple[Message, ...]:
    """The conversation of a client's request.

    Raises:
        InvalidRequestError: A message is wrong; `field` names the place.
    """
    return read_conversation(items, path, _read_message)


def _read_message(fields: Fields, called: Mapping[str, str]) -> Message:
    said = fields.one_of("role", _ROLES)
    note: JsonObject = {"role": said} if said == "developer" else {}
    name = fields.text("name")
    if said == "assistant":
        parts = read_assistant(fields, note)
    else:
        content = _read_content(fields, note)
        if content is None:
            raise wrong(fields.at("content"), "a string or an array of parts")
        parts = [_read_result(fields, content, called)] if said == "tool" else content
    role = cast("Role", "system" if said == "developer" else said)
    return Message(role, tuple(parts), name, with_note(fields.rest(), note))


def _read_content(fields: Fields, note: JsonObject) -> list[Content] | None:
    value = fields.take("content")
    if value is None or isinstance(value, str):
        return None if value is None else [Text(value)]
    parts, left = read_parts(value, fields.at("content"))
    note["content"], note["parts"] = "parts", left
    return parts


def _read_result(fields: Fields, content: list[Content], called: Mapping[str, str]) -> ToolResult:
    shown: list[Text | Image] = []
    for index, part in enumerate(content):
        if not isinstance(part, Text | Image):
            raise wrong(f"{fields.at('content')}[{index}].type", "text or image_url in a tool message")
        shown.append(part)
    call_id = fields.need_text("tool_call_id")
    return ToolResult(call_id=call_id, name=called.get(call_id, ""), content=tuple(shown))


def read_assistant(fields: Fields, note: JsonObject, heard: Heard | None = None) -> list[Content]:
    """The parts of an assistant's message, whether a client repeats it or a vendor says it.

    Args:
        fields: The message; what has no place in the vocabulary stays in it.
        note: Where to keep how it was written.
        heard: The vendor that said it; None when a client did.
    """
    parts: list[Content] = []
    field = next((name for name in _REASONING_FIELDS if _is_said(fields.peek(name))), None)
    if field is not None:
        parts.append(Reasoning(text=fields.text(field) or "", vendor=heard.provider if heard else None))
        note["reasoning"] = field
    spoken = _read_content(fields, note) or []
    citations = fields.peek("annotations")
    if isinstance(citations, list) and citations and spoken and isinstance(spoken[0], Text):
        spoken[0] = replace(spoken[0], citations=tuple(as_array(fields.take("annotations"))))
    parts.extend(spoken)
    if _is_said(fields.peek("refusal")) and not any(isinstance(part, Refusal) for part in spoken):
        parts.append(Refusal(fields.text("refusal") or ""))
        note["refusal"] = "field"
    left: JsonObject = {}
    for index, item in enumerate(fields.items("tool_calls") or ()):
        call = Fields(item, f"{fields.at('tool_calls')}[{index}]")
        parts.append(_read_call(call, heard))
        if call.rest():
            left[str(index)] = call.rest()
    note["calls"] = left
    return parts


def _is_said(value: Json) -> bool:
    return isinstance(value, str) and value != ""


def _read_call(fields: Fields, heard: Heard | None) -> ToolCall:
    call_id = fields.need_text("id") if heard is None else fields.text("id")
    kind = fields.text("type") or "function"
    inner = fields.part(kind) if kind in {"function", "custom"} else None
    if inner is None:
        raise InvalidRequestError(
            f"{fields.at('type')} must be function or custom, with an object of that name.",
            field=fields.at("type"),
            remedy="Repeat the call as the model made it.",
        )
    name = inner.need_text("name")
    said = "arguments" if kind == "function" else "input"
    arguments = inner.peek(said)
    if heard is not None:
        heard.mended = (
            heard.mended or not call_id or isinstance(arguments, dict) or heard.names.core(name) != name
        )
        call_id, name = call_id or new_id("call"), heard.names.core(name)
    if heard is not None and isinstance(arguments, dict):
        arguments = dump_json(inner.take(said))
    else:
        arguments = inner.text(said) or ""
    if kind == "custom":
        fields.rest()["type"] = kind
    if inner.rest():
        fields.rest()[kind] = inner.rest()
    return ToolCall(id=call_id or "", name=name, arguments=arguments)


def write_messages(messages: Sequence[Message], target: Target, names: ToolNames) -> list[Json]:
    """The conversation as the vendor is told it; each tool result becomes a message of its own.

    Raises:
        UnsupportedError: A part cannot be said in this dialect.
    """
    written: list[Json] = []
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        note = note_of(message.extra)
        rest = own_fields(message.extra, f"{path}.")
        if message.role == "tool":
            written.extend(_write_results(message, note, rest, target, path))
            continue
        role = "developer" if note.get("role") == "developer" and message.role == "system" else message.role
        made: JsonObject = {"role": role}
        if message.role == "assistant":
            made.update(write_assistant(message, target, names, path))
        else:
            made["content"] = write_content(message.content, note, f"{path}.content")
        if message.name is not None:
            made["name"] = message.name
        written.append({**made, **rest})
    return written


def _write_results(
    message: Message, note: JsonObject, rest: JsonObject, target: Target, path: str
) -> list[JsonObject]:
    results = message.tool_results
    if len(results) != len(message.content) or not results:
        raise InvalidRequestError(
            f"{path} is a tool message that holds something other than tool results.",
            field=f"{path}.content",
            remedy="Put only tool results into it.",
        )
    written: list[JsonObject] = []
    for result in results:
        if not target.facts.tool_images and not all(isinstance(part, Text) for part in result.content):
            raise UnsupportedError(
                f"The result of {result.name or result.call_id} holds an image or a file; "
                f"{target.provider} takes only text in tool results.",
                field=f"{path}.content",
                remedy="Send the image in a user message.",
            )
        content = write_content(result.content or (Text(""),), note, f"{path}.content")
        written.append({"role": "tool", "tool_call_id": result.call_id, "content": content})
    if message.name is not None:
        written[0]["name"] = message.name
    written[0].update(rest)
    return written


def write_assistant(
    message: Message, target: Target | None, names: ToolNames | None, path: str
) -> JsonObject:
    """The fields of an assistant's message, without its role and its own extra fields.

    Args:
        message: The message.
        target: The vendor it is told to; None for a client, who is shown all reasoning.
        names: How tools are called there.
        path: Where the message stands, for errors.
    """
    note = note_of(message.extra)
    spoken: list[Content] = []
    calls: list[Json] = []
    refusals: list[Refusal] = []
    thoughts: list[Reasoning] = []
    left = as_object(note.get("calls"))
    for part in message.content:
        match part:
            case ToolCall():
                calls.append(_write_call(part, names, as_object(left.get(str(len(calls))))))
            case Reasoning():
                thoughts.append(part)
            case Refusal() if note.get("refusal") == "field" or target is None:
                refusals.append(part)
            case _:
                spoken.append(part)
    made: JsonObject = {"content": write_content(spoken, note, f"{path}.content") if spoken else None}
    thought = "".join(part.text for part in thoughts if target is None or may_send(part, target))
    if thought:
        made["reasoning" if note.get("reasoning") == "reasoning" else "reasoning_content"] = thought
    if citations := [item for part in spoken if isinstance(part, Text) for item in part.citations]:
        made["annotations"] = citations
    if refusals or target is None:
        made["refusal"] = "".join(part.text for part in refusals) if refusals else None
    if calls:
        made["tool_calls"] = calls
    return made


def may_send(part: Reasoning, target: Target) -> bool:
    """Reasoning goes back only to the server that said it, and never where its signature would be lost."""
    own = part.vendor is None or part.vendor == target.provider
    return own and target.facts.reasoning and part.signature is None and part.encrypted is None


def _write_call(call: ToolCall, names: ToolNames | None, rest: JsonObject) -> JsonObject:
    kind = "custom" if rest.get("type") == "custom" else "function"
    inner: JsonObject = {"name": names.wire(call.name) if names else call.name}
    inner["arguments" if kind == "function" else "input"] = call.arguments
    inner.update(as_object(rest.get(kind)))
    more = {name: value for name, value in rest.items() if name not in {"type", kind}}
    return {"id": call.id, "type": kind, kind: inner, **more}
