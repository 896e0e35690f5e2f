"""Messages, both ways."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from interlock_core import (
    Content,
    File,
    Image,
    Json,
    JsonObject,
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_object, as_text, dump_json
from interlock_providers.codecs import Target
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs._notes import refuse_reserved
from interlock_providers.codecs.mistral_chat._ids import made_id, said_id
from interlock_providers.codecs.mistral_chat._notes import NOTES
from interlock_providers.codecs.mistral_chat._parts import UNSPOKEN, read_chunks, write_content
from interlock_providers.codecs.mistral_chat._wire import Wire

_ROLES = ("system", "user", "assistant", "tool")
_FILLER = "OK."


@dataclass(slots=True)
class Heard:
    """Who says the message that is read, and whether it had to be put right.

    Attributes:
        names: How tools are called on the wire.
        seed: What ids that the message lacks are made of.
        provider: Name of the provider that says it; None when a client repeats it.
        mended: Something was mapped or put right, so the message's bytes are not what was understood.
    """

    names: ToolNames
    seed: str
    provider: str | None = None
    mended: bool = False


@dataclass(slots=True)
class _Open:
    """Tool calls of the conversation so far.

    Attributes:
        names: Names of the tools by the ids of all calls.
        waiting: Ids of the calls that have no result yet, in order.
    """

    names: dict[str, str] = field(default_factory=dict[str, str])
    waiting: list[str] = field(default_factory=list[str])

    def answer(self, call_id: str | None, name: str | None) -> str | None:
        """The call that a result answers: the one that it names, else the first that waits for that tool."""
        waits = (known for known in self.waiting if name is None or self.names[known] == name)
        found = call_id if call_id is not None else next(waits, None)
        if found in self.waiting:
            self.waiting.remove(found)
        return found


def read_messages(items: Sequence[Json] | None, path: str) -> tuple[Message, ...]:
    """The conversation of a client's request.

    Raises:
        InvalidRequestError: A message is wrong; `field` names the place.
    """
    if not items:
        raise wrong(path, "an array with at least one message")
    called = _Open()
    messages: list[Message] = []
    for index, item in enumerate(items):
        fields = Fields(item, f"{path}[{index}]")
        refuse_reserved(fields.rest(), f"{path}[{index}].")
        message = _read_message(fields, called, str(index))
        if message.role != "tool":
            called.waiting = [call.id for call in message.tool_calls]
        called.names.update((call.id, call.name) for call in message.tool_calls)
        messages.append(message)
    return tuple(messages)


def _read_message(fields: Fields, called: _Open, seed: str) -> Message:
    role = fields.one_of("role", _ROLES)
    note: JsonObject = {}
    if role == "assistant":
        name = fields.text("name")
        parts = read_assistant(fields, note, Heard(ToolNames(()), seed))
        return Message("assistant", tuple(parts), name, NOTES.kept(fields.rest(), note))
    nullable = role != "system" and "content" in fields.rest()
    content = read_content(fields, note)
    if content is None and not nullable:
        raise wrong(fields.at("content"), "a string or an array of chunks")
    if content is None:
        note["content"] = "null"
    name = fields.text("name")
    if role == "tool":
        if said_id(as_text(fields.peek("tool_call_id"))) is None:
            note["ids"] = "made"
        result = _read_result(fields, content or [], called, name)
        return Message("tool", (result,), None, NOTES.kept(fields.rest(), note))
    said = tuple(content or ())
    return Message("system" if role == "system" else "user", said, name, NOTES.kept(fields.rest(), note))


def read_content(
    fields: Fields, note: JsonObject, *, strange: Sequence[str] = UNSPOKEN
) -> list[Content] | None:
    """The parts of `content`; None when there is none.

    Args:
        fields: The message; chunks that have no place in the vocabulary become fields of it.
        note: Where to keep how it was written.
        strange: Kinds of such chunks that are taken; empty takes all.
    """
    value = fields.take("content")
    if value is None or isinstance(value, str):
        return None if value is None else [Text(value)]
    parts, left, unspoken = read_chunks(value, fields.at("content"), strange=strange)
    for kind, chunks in unspoken.items():
        if kind in fields.rest():
            raise wrong(fields.at(kind), "absent where content holds chunks of that type")
        fields.rest()[kind] = chunks
    note["content"], note["parts"], note["unspoken"] = "parts", left, [*unspoken]
    return parts


def _read_result(fields: Fields, content: list[Content], called: _Open, name: str | None) -> ToolResult:
    shown: list[Text | Image | File] = []
    for index, part in enumerate(content):
        if not isinstance(part, Text | Image | File):
            raise wrong(f"{fields.at('content')}[{index}].type", "text, an image or a document")
        shown.append(part)
    call_id = called.answer(said_id(fields.text("tool_call_id")), name)
    if call_id is None:
        raise wrong(fields.at("tool_call_id"), "the id of a call that has no result yet")
    return ToolResult(call_id=call_id, name=name or called.names.get(call_id, ""), content=tuple(shown))


def read_assistant(fields: Fields, note: JsonObject, heard: Heard) -> list[Content]:
    """The parts of an assistant's message, whether a client repeats it or a vendor says it.

    Args:
        fields: The message; what has no place in the vocabulary stays in it.
        note: Where to keep how it was written.
        heard: Who says it.
    """
    strange = UNSPOKEN if heard.provider is None else ()
    parts = [
        replace(part, vendor=heard.provider) if isinstance(part, Reasoning) else part
        for part in read_content(fields, note, strange=strange) or ()
    ]
    if fields.peek("prefix") is False:
        # What it is unless said otherwise; the vendor's SDK writes it into every turn.
        fields.take("prefix")
    left: JsonObject = {}
    for index, item in enumerate(fields.items("tool_calls") or ()):
        call = Fields(item, f"{fields.at('tool_calls')}[{index}]")
        if said_id(as_text(call.peek("id"))) is None:
            note["ids"] = "made"
        parts.append(_read_call(call, heard, f"{heard.seed}\0{index}"))
        if call.rest():
            left[str(index)] = call.rest()
    note["calls"] = left
    return parts


def _read_call(fields: Fields, heard: Heard, seed: str) -> ToolCall:
    call_id = said_id(fields.text("id"))
    if (fields.text("type") or "function") != "function":
        raise wrong(fields.at("type"), "function")
    inner = fields.part("function")
    if inner is None:
        raise wrong(fields.at("function"), "a JSON object")
    said = inner.need_text("name")
    name = heard.names.core(said)
    arguments = inner.take("arguments")
    if not isinstance(arguments, str | dict | None):
        raise wrong(inner.at("arguments"), "a string or a JSON object")
    heard.mended = heard.mended or call_id is None or not isinstance(arguments, str) or name != said
    if isinstance(arguments, dict):
        arguments = dump_json(arguments)
    if inner.rest():
        fields.rest()["function"] = inner.rest()
    return ToolCall(id=call_id or made_id(seed), name=name, arguments=arguments or "")


def write_messages(messages: Sequence[Message], target: Target, wire: Wire) -> list[Json]:
    """The conversation as the vendor is told it; each tool result becomes a message of its own.

    Raises:
        UnsupportedError: A part cannot be said in this dialect.
    """
    written: list[JsonObject] = []
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        rest = NOTES.own(message.extra, f"{path}.")
        wire.path = f"{path}.content"
        if message.role == "tool":
            written.extend(_write_results(message, rest, target, wire))
            continue
        if message.name is not None:
            wire.adapt("names of speakers are left out", "tells no two of one role apart")
        if message.role == "assistant":
            made = write_assistant(message, rest, wire)
        else:
            _refuse_strange(message, path)
            made = {"content": write_content(message.content, NOTES.of(message.extra), rest, wire)}
        written.append({"role": message.role, **made, **rest})
    return _in_order(written, wire)


def _in_order(written: Sequence[JsonObject], wire: Wire) -> list[Json]:
    """The messages in an order of roles that the vendor takes.

    It refuses a system message behind an answer or a result, and a user's behind a result.
    """
    made: list[Json] = []
    before: Json = None
    for message in written:
        role = message["role"]
        if role == "system" and before in {"assistant", "tool"}:
            wire.adapt("a late system message is told as a user's", "takes none behind an answer or a result")
            role = "user"
        if role == "user" and before == "tool":
            wire.adapt(f"an answer of {_FILLER!r} is put behind a tool's result", "takes no message there")
            made.append({"role": "assistant", "content": _FILLER})
        made.append({**message, "role": role})
        before = role
    return made


def _refuse_strange(message: Message, path: str) -> None:
    """Only the assistant thinks aloud, and a system message holds words alone.

    A system message may hold a thought, as a pattern of how to think.
    """
    for index, part in enumerate(message.content):
        at = f"{path}.content[{index}]"
        if message.role == "user" and isinstance(part, Reasoning):
            raise InvalidRequestError(
                f"{at} cannot stand in a message of this role.",
                field=at,
                remedy="Put reasoning and tool calls into assistant messages, results into tool messages.",
            )
        if message.role == "system" and isinstance(part, Image | File):
            raise UnsupportedError(
                f"{at} is no text, and this dialect takes only text in system messages.",
                field=at,
                remedy="Put it into a user message.",
            )


def _write_results(message: Message, rest: JsonObject, target: Target, wire: Wire) -> list[JsonObject]:
    results = message.tool_results
    path = wire.path
    if len(results) != len(message.content) or not results:
        raise InvalidRequestError(
            f"{path} belongs to a tool message and holds something other than tool results.",
            field=path,
            remedy="Put only tool results into it.",
        )
    written: list[JsonObject] = []
    for result in results:
        if not target.facts.tool_images and not all(isinstance(part, Text) for part in result.content):
            raise UnsupportedError(
                f"The result of {result.name or result.call_id} holds an image or a file; "
                f"{target.provider} takes only text in tool results.",
                field=path,
                remedy="Send the image in a user message.",
            )
        wire.path = path
        made: JsonObject = {"role": "tool", "tool_call_id": wire.ids.wire(result.call_id)}
        if result.name:
            made["name"] = wire.names.wire(result.name)
        shown = _failed(result.content, wire) if result.is_error else result.content
        made["content"] = write_content(shown, NOTES.of(message.extra), rest, wire)
        written.append(made)
    written[0].update(rest)
    return written


def _failed(content: tuple[Text | Image | File, ...], wire: Wire) -> tuple[Text | Image | File, ...]:
    """What a tool that failed answered, with words that say that it did."""
    wire.adapt("that a tool failed is told in words", "has no mark for it")
    match content:
        case (Text(text=text), *more) if text:
            return (Text(f"The tool failed: {text}"), *more)
        case _:
            return (Text("The tool failed."), *content)


def write_assistant(message: Message, rest: JsonObject, wire: Wire) -> JsonObject:
    """The fields of an assistant's message, without its role and its own extra fields.

    Args:
        message: The message.
        rest: Those extra fields; chunks of content that are kept there are taken out.
        wire: Whom it is written for.
    """
    note = NOTES.of(message.extra)
    left = as_object(note.get("calls"))
    spoken: list[Content] = []
    calls: list[Json] = []
    for part in message.content:
        if isinstance(part, ToolCall):
            calls.append(_write_call(part, wire, as_object(left.get(str(len(calls))))))
        elif not isinstance(part, Reasoning) or _may_send(part, wire):
            spoken.append(part)
    made: JsonObject = {"content": write_content(spoken, _shifted(note, message, spoken), rest, wire)}
    if calls:
        made["tool_calls"] = calls
    return made


def _shifted(note: JsonObject, message: Message, spoken: Sequence[Content]) -> JsonObject:
    """The note, with the fields of the parts where those stand that are told."""
    if note.get("content") != "parts":
        return note
    left = as_object(note.get("parts"))
    before = [part for part in message.content if not isinstance(part, ToolCall)]
    if len(before) == len(spoken):
        return note
    told = {id(part) for part in spoken}
    kept = [str(index) for index, part in enumerate(before) if id(part) in told]
    return {**note, "parts": {str(at): left[old] for at, old in enumerate(kept) if old in left}}


def _may_send(part: Reasoning, wire: Wire) -> bool:
    """Reasoning goes back only to the provider that said it; a client is shown what can be read."""
    target = wire.target
    if target is None:
        return part.encrypted is None or bool(part.text) or part.signature is not None
    if part.encrypted is None and part.vendor in (None, target.provider) and target.facts.reasoning:
        return True
    wire.adapt("reasoning of earlier answers is left out", "did not say it")
    return False


def _write_call(call: ToolCall, wire: Wire, rest: JsonObject) -> JsonObject:
    arguments = call.arguments if call.arguments or wire.target is None else "{}"
    function: JsonObject = {
        "name": wire.names.wire(call.name),
        "arguments": arguments,
        **as_object(rest.get("function")),
    }
    more = {name: value for name, value in rest.items() if name != "function"}
    return {"id": wire.ids.wire(call.id), "type": "function", "function": function, **more}
