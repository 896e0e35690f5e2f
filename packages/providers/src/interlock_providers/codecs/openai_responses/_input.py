"""The conversation: instructions and input items, both ways."""

from collections.abc import Mapping, Sequence

from interlock_core import File, Image, Json, JsonObject, Message, Text, ToolResult
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_object, as_text
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs.openai_responses._items import Turn
from interlock_providers.codecs.openai_responses._notes import NOTES, refuse_reserved
from interlock_providers.codecs.openai_responses._parts import read_content, result_text, write_given
from interlock_providers.codecs.openai_responses._told import Teller, call_id

_ROLES = ("system", "developer", "user", "assistant")
_RESULTS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}


def read_input(fields: Fields, note: JsonObject) -> tuple[Message, ...]:
    """The conversation of a client's request.

    Raises:
        InvalidRequestError: An item is wrong; `field` names the place.
        UnsupportedError: An item refers to something stored, and nothing is.
    """
    messages: list[Message] = []
    instructions = fields.text("instructions")
    if instructions is not None:
        messages.append(Message("system", (Text(instructions),), None, NOTES.kept({}, {"said": True})))
    value = fields.take("input")
    if isinstance(value, str):
        return (*messages, Message("user", (Text(value),)))
    if not isinstance(value, list) or not value:
        raise wrong("input", "a string or an array with at least one item")
    reader = _Reader(messages)
    for index, item in enumerate(value):
        reader.take(item, f"input[{index}]")
    reader.flush()
    if reader.sealed:
        note["sealed"] = True
    return tuple(messages)


class _Reader:
    """Reads items into messages; what the model said in one turn becomes one message."""

    def __init__(self, messages: list[Message]) -> None:
        self.sealed = False
        self._messages = messages
        self._turn = Turn()
        self._called: dict[str, str] = {}

    def take(self, item: Json, path: str) -> None:
        fields = Fields(item, path)
        refuse_reserved(fields.rest(), f"{path}.")
        role = fields.peek("role")
        kind = fields.text("type") or ("message" if role is not None else "item_reference")
        if kind == "item_reference":
            raise UnsupportedError(
                f"{path} refers to a stored item, and nothing is stored here.",
                field=path,
                remedy="Send the item itself.",
            )
        if kind in _RESULTS:
            self.flush()
            self._messages.append(self._result(fields, kind))
        elif kind == "message" and fields.one_of("role", _ROLES) != "assistant":
            self.flush()
            self._messages.append(_read_message(fields, as_text(role) or ""))
        else:
            self._turn.take(fields, kind, item)

    def flush(self) -> None:
        """End the model's turn."""
        if not self._turn.empty:
            message = self._turn.message()
            self._called.update((call.id, call.name) for call in message.tool_calls)
            self._messages.append(message)
            self.sealed = self.sealed or self._turn.sealed
            self._turn = Turn()

    def _result(self, fields: Fields, kind: str) -> Message:
        number = fields.need_text("call_id")
        value = fields.take("output")
        if value is None:
            raise wrong(fields.at("output"), "a string or an array of parts")
        parts, left = read_content(value, fields.at("output"))
        shown: list[Text | Image | File] = []
        for index, part in enumerate(parts):
            if not isinstance(part, Text | Image | File):
                raise wrong(f"{fields.at('output')}[{index}].type", "input_text, input_image or input_file")
            shown.append(part)
        result = ToolResult(call_id=number, name=self._called.get(number, ""), content=tuple(shown))
        said: JsonObject = {"parts": left, "rest": fields.rest()}
        if kind != "function_call_output":
            said["kind"] = kind
        return Message("tool", (result,), None, NOTES.kept({}, said))


def _read_message(fields: Fields, role: str) -> Message:
    value = fields.take("content")
    if value is None:
        raise wrong(fields.at("content"), "a string or an array of parts")
    parts, left = read_content(value, fields.at("content"))
    note: JsonObject = {"parts": left}
    if role == "developer":
        note["role"] = role
    for name in ("id", "status"):
        if (said := fields.text(name)) is not None:
            note[name] = said
    return Message(
        "user" if role == "user" else "system", tuple(parts), None, NOTES.kept(fields.rest(), note)
    )


def write_input(messages: Sequence[Message], teller: Teller) -> JsonObject:
    """The conversation as the vendor is told it: `input`, and `instructions` where a client used them.

    Raises:
        UnsupportedError: A part cannot be said in this dialect.
    """
    made: JsonObject = {}
    items: list[Json] = []
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        note = NOTES.of(message.extra)
        if message.name is not None:
            teller.adapt("the name of a speaker is not told: the dialect has no place for it")
        if index == 0 and note.get("said") is True and message.role == "system":
            plain = result_text(message.content)
            if plain is not None:
                made["instructions"] = plain
                continue
        if message.role == "assistant":
            items.extend(teller.items(message, path))
        elif message.role == "tool":
            items.extend(_write_results(message, note, path))
        else:
            items.append(_write_message(message, note, path))
    made["input"] = items
    return made


def _write_message(message: Message, note: Mapping[str, Json], path: str) -> JsonObject:
    rest = NOTES.own(message.extra, f"{path}.")
    role = "developer" if note.get("role") == "developer" and message.role == "system" else message.role
    content = write_given(message.content, as_object(note.get("parts")), f"{path}.content")
    status: JsonObject = {"status": note["status"]} if "status" in note else {}
    return {"type": "message", "role": role, "content": content, **status, **rest}


def _write_results(message: Message, note: JsonObject, path: str) -> list[JsonObject]:
    results = message.tool_results
    if len(results) != len(message.content) or not results:
        raise InvalidRequestError(
            f"{path} is a tool message that holds something other than tool results.",
            field=f"{path}.content",
            remedy="Put only tool results into it.",
        )
    rest = {**as_object(note.get("rest")), **NOTES.own(message.extra, f"{path}.")}
    kind = note.get("kind") if note.get("kind") in _RESULTS else "function_call_output"
    written: list[JsonObject] = []
    for result in results:
        plain = result_text(result.content)
        output: Json = plain
        if plain is None:
            output = write_given(result.content, as_object(note.get("parts")), f"{path}.content")
        written.append({"type": kind, "call_id": call_id(result.call_id), "output": output})
    written[0].update({name: value for name, value in rest.items() if name != "id"})
    return written
