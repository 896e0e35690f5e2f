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
    Text,
    ToolCall,
    ToolResult,
    new_id,
)
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.messages import Role
from interlock_providers.codecs._conversation import Heard, read_conversation
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs.cohere_chat._notes import NOTES, PLAN, is_plan, keep_empty, with_empty
from interlock_providers.codecs.cohere_chat._outgoing import Outgoing
from interlock_providers.codecs.cohere_chat._parts import read_parts, write_parts

_ROLES = ("system", "user", "assistant", "tool")
_CITATION_FIELDS = frozenset({"start", "end", "text", "sources", "content_index", "type"})


def read_messages(items: Sequence[Json] | None, path: str) -> tuple[Message, ...]:
    """The conversation of a client's request.

    Raises:
        InvalidRequestError: A message is wrong; `field` names the place.
    """
    return read_conversation(items, path, _read_message)


def _read_message(fields: Fields, called: Mapping[str, str]) -> Message:
    said = fields.one_of("role", _ROLES)
    role = cast("Role", said)
    note: JsonObject = {}
    if role == "assistant":
        parts = read_assistant(fields, note)
    else:
        content = _read_content(fields, note, role, None)
        if content is None:
            raise wrong(fields.at("content"), "a string or an array of parts")
        parts = [_read_result(fields, content, called)] if role == "tool" else content
    return Message(role, tuple(parts), None, NOTES.kept(fields.rest(), note))


def _read_content(fields: Fields, note: JsonObject, role: str, heard: Heard | None) -> list[Content] | None:
    value = fields.take("content")
    if value is None or isinstance(value, str):
        return None if value is None else [Text(value)]
    vendor = None if heard is None else heard.provider
    parts, left = read_parts(value, fields.at("content"), role, vendor)
    note["content"], note["parts"] = "parts", left
    return parts


def _read_result(fields: Fields, content: list[Content], called: Mapping[str, str]) -> ToolResult:
    shown = tuple(part for part in content if isinstance(part, Text))
    call_id = fields.need_text("tool_call_id")
    return ToolResult(call_id=call_id, name=called.get(call_id, ""), content=shown)


def read_assistant(fields: Fields, note: JsonObject, heard: Heard | None = None) -> list[Content]:
    """The parts of an assistant's message, whether a client repeats it or a vendor says it.

    Args:
        fields: The message; what has no place in the vocabulary stays in it.
        note: Where to keep how it was written.
        heard: The vendor that said it; None when a client did.
    """
    keep_empty(fields, note, "content", "tool_plan", "tool_calls", "citations")
    parts: list[Content] = []
    plan = fields.text("tool_plan")
    if plan:
        parts.append(Reasoning(text=plan, id=PLAN, vendor=None if heard is None else heard.provider))
    spoken = _read_content(fields, note, "assistant", heard) or []
    _cite(fields, spoken)
    parts.extend(spoken)
    left: JsonObject = {}
    for index, item in enumerate(fields.items("tool_calls") or ()):
        call = Fields(item, f"{fields.at('tool_calls')}[{index}]")
        parts.append(_read_call(call, heard))
        if call.rest():
            left[str(index)] = call.rest()
    note["calls"] = left
    return parts


def _cite(fields: Fields, spoken: list[Content]) -> None:
    """Give the citations to the last text, as they come on a stream; without a text they stay a field."""
    place = next((at for at in reversed(range(len(spoken))) if isinstance(spoken[at], Text)), None)
    if place is None or not fields.peek("citations"):
        return
    citations = fields.items("citations") or []
    part = spoken[place]
    if isinstance(part, Text):
        spoken[place] = replace(part, citations=tuple(citations))


def _read_call(fields: Fields, heard: Heard | None) -> ToolCall:
    call_id = fields.need_text("id") if heard is None else fields.text("id")
    kind = fields.text("type") or "function"
    inner = fields.part("function")
    if kind != "function" or inner is None:
        raise InvalidRequestError(
            f"{fields.at('type')} must be function, with an object of that name.",
            field=fields.at("type"),
            remedy="Repeat the call as the model made it.",
        )
    name = inner.need_text("name")
    arguments = inner.peek("arguments")
    if heard is None:
        text = inner.text("arguments") or ""
    else:
        core = heard.names.core(name)
        heard.mended = heard.mended or not call_id or isinstance(arguments, dict) or core != name
        call_id, name = call_id or new_id("call"), core
        text = dump_json(inner.take("arguments")) if isinstance(arguments, dict) else inner.text("arguments")
    if inner.rest():
        fields.rest()["function"] = inner.rest()
    return ToolCall(id=call_id or "", name=name, arguments=text or "")


def write_messages(messages: Sequence[Message], out: Outgoing) -> list[Json]:
    """The conversation as the vendor is told it; each tool result becomes a message of its own.

    Raises:
        UnsupportedError: A part cannot be said in this dialect.
    """
    written: list[Json] = []
    for index, message in _instructions_first(messages, out):
        path = f"messages[{index}]"
        note = NOTES.of(message.extra)
        rest = NOTES.own(message.extra, f"{path}.")
        if message.name is not None:
            out.say("names of speakers are left out", "knows only their roles")
        if message.role == "tool":
            written.extend(_write_results(message, note, rest, path, out))
        elif message.role == "assistant":
            made = _write_assistant(message, note, path, out)
            written.append({"role": "assistant", **made, **rest})
        else:
            content = write_parts(message.content, note, f"{path}.content", message.role, out)
            if content == [] and message.content:
                # All that was said went into documents, and no message may be without words.
                content = "See the documents."
            written.append({"role": message.role, "content": content, **rest})
    return written


def _instructions_first(messages: Sequence[Message], out: Outgoing) -> list[tuple[int, Message]]:
    """The messages and where they stood, those of the system before all others."""
    numbered = list(enumerate(messages))
    ordered = sorted(numbered, key=lambda item: item[1].role != "system")
    if ordered != numbered:
        out.say("later system messages stand before all others", "takes instructions only there")
    return ordered


def _write_results(
    message: Message, note: JsonObject, rest: JsonObject, path: str, out: Outgoing
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
        image = next((part for part in result.content if isinstance(part, Image)), None)
        if image is not None:
            raise out.cannot(
                f"{path}.content",
                f"takes no images in tool results, and that of {result.name or result.call_id} holds one",
                "Send the image in a user message.",
            )
        shown = result.content or (Text("The tool failed." if result.is_error else ""),)
        if result.is_error:
            out.say("that a tool failed is told by its words alone", "has no mark for it")
        content = write_parts(shown, note, f"{path}.content", "tool", out)
        written.append({"role": "tool", "tool_call_id": result.call_id, "content": content})
    written[0].update(rest)
    return written


def _write_assistant(message: Message, note: JsonObject, path: str, out: Outgoing) -> JsonObject:
    plan, spoken = _spoken(message, note, out)
    made: JsonObject = {"tool_plan": plan} if plan else {}
    if spoken:
        made["content"] = write_parts(spoken, note, f"{path}.content", "assistant", out)
    if message.tool_calls:
        made["tool_calls"] = _write_calls(message.tool_calls, note, out.names)
    cited = [item for part in message.content if isinstance(part, Text) for item in part.citations]
    citations = [item for item in cited if _is_citation(item)]
    if len(citations) < len(cited):
        out.say("citations of another vendor are left out", "understands only its own")
    if citations:
        made["citations"] = citations
    return with_empty(made, note)


def _spoken(message: Message, note: JsonObject, out: Outgoing) -> tuple[str, list[Content]]:
    """The plan for tool calls, and what is said beside it."""
    plans: list[str] = []
    spoken: list[Content] = []
    foreign = bool(message.tool_calls) and "content" not in note
    for part in message.content:
        match part:
            case ToolCall() | Text(text="", citations=(_, *_)):
                continue
            case Reasoning() if not _may_send(part, out):
                out.say("reasoning of another model is left out", "understands only its own")
            case Reasoning() if is_plan(part) or (foreign and part.vendor is None):
                # A client of another dialect does not tell the two apart; every model takes a plan.
                plans.append(part.text)
            case _:
                spoken.append(part)
    return "".join(plans), spoken


def _may_send(part: Reasoning, out: Outgoing) -> bool:
    """Reasoning goes back only to the provider that said it, and never where its seal would be lost."""
    own = part.vendor is None or part.vendor == out.target.provider
    return own and out.target.facts.reasoning and part.signature is None and part.encrypted is None


def _is_citation(item: Json) -> bool:
    """Whether a citation has this vendor's shape."""
    return isinstance(item, dict) and item.keys() <= _CITATION_FIELDS


def _write_calls(calls: Sequence[ToolCall], note: JsonObject, names: ToolNames | None) -> list[Json]:
    left = as_object(note.get("calls"))
    return [_write_call(call, names, as_object(left.get(str(index)))) for index, call in enumerate(calls)]


def _write_call(call: ToolCall, names: ToolNames | None, rest: JsonObject) -> JsonObject:
    # A call without arguments is one with an empty object, which the vendor wants to see.
    arguments = call.arguments or "{}"
    inner: JsonObject = {"name": names.wire(call.name) if names else call.name, "arguments": arguments}
    inner.update(as_object(rest.get("function")))
    more = {name: value for name, value in rest.items() if name != "function"}
    return {"id": call.id, "type": "function", "function": inner, **more}


def write_answer(message: Message) -> JsonObject:
    """The assistant's message of an answer, as a client is told it; content is always a list of parts."""
    note = NOTES.of(message.extra)
    left = as_object(note.get("parts"))
    plan = "".join(part.text for part in message.content if isinstance(part, Reasoning) and is_plan(part))
    made: JsonObject = {"role": "assistant"}
    if plan:
        made["tool_plan"] = plan
    content: list[Json] = []
    for part in message.content:
        rest = as_object(left.get(str(len(content))))
        match part:
            case Reasoning() if not is_plan(part) and (part.text or note):
                content.append({"type": "thinking", "thinking": part.text, **rest})
            case Text() | Refusal():
                content.append({"type": "text", "text": part.text, **rest})
            case _:
                continue
    if content:
        made["content"] = content
    if message.tool_calls:
        made["tool_calls"] = _write_calls(message.tool_calls, note, None)
    citations = [item for part in message.content if isinstance(part, Text) for item in part.citations]
    if citations:
        made["citations"] = [item for item in as_array(citations) if isinstance(item, dict)]
    return {**with_empty(made, note), **NOTES.shown(message.extra)}
