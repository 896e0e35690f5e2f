"""Messages, read.

A turn of the user that carries tool results becomes a message of role `tool` beside those of role `user`.
Blocks that the vocabulary has no word for are kept with their places: those of the assistant in its
notes, those of the user as fields of their kind, so that another dialect refuses them by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from interlock_core import Content, Json, JsonObject, Message, Reasoning, Role, Text, ToolCall, ToolResult
from interlock_core.jsontypes import as_array
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs.anthropic_messages._blocks_in import Reader, read_block, read_text
from interlock_providers.codecs.anthropic_messages._notes import NOTES, refuse_reserved

_ROLES = ("user", "assistant", "system")
_NEVER: Mapping[Role, tuple[type[Content], ...]] = {
    "assistant": (ToolResult,),
    "user": (ToolCall, Reasoning),
    "tool": (ToolCall, Reasoning),
    "system": (),
}
"""What a speaker cannot say."""


@dataclass(slots=True)
class Gathered:
    """The parts of one message as they are read.

    Attributes:
        role: Who speaks.
        parts: What the vocabulary has words for.
        left: By position of the part, fields of its block that have no place in it.
        others: Blocks that it has no word for, each after its position.
    """

    role: Role
    parts: list[Content] = field(default_factory=list[Content])
    left: JsonObject = field(default_factory=dict[str, Json])
    others: list[Json] = field(default_factory=list[Json])

    def take(self, value: Json, path: str, reader: Reader) -> None:
        """Read one block."""
        read = read_block(value, path, reader)
        if read is None:
            self.others.append([len(self.parts) + len(self.others), value])
            return
        part, rest = read
        if isinstance(part, _NEVER[self.role]):
            raise wrong(f"{path}.type", f"a block that a message of the role {self.role} can hold")
        if rest:
            self.left[str(len(self.parts))] = rest
        self.parts.append(part)

    def message(self, rest: JsonObject, note: JsonObject) -> Message:
        """The message, with the fields that were kept."""
        note = {**note, "parts": self.left}
        if self.role == "assistant":
            note["blocks"] = self.others
        else:
            note["placed"] = _place(self.others, rest)
        return Message(self.role, tuple(self.parts), None, NOTES.kept(rest, note))


def _place(others: list[Json], rest: JsonObject) -> list[Json]:
    """Set each kind of block as a field; the kinds that were set."""
    kinds: dict[str, list[Json]] = {}
    for item in others:
        match item:
            case [int(), {"type": str(kind)}]:
                kinds.setdefault(kind, []).append(item)
            case _:
                continue
    rest.update(kinds)
    return [*kinds]


def read_system(value: Json, path: str) -> Message | None:
    """The system prompt, a string or text blocks."""
    if value is None:
        return None
    return _system(value, path, {})


def _system(value: Json, path: str, rest: JsonObject) -> Message:
    if isinstance(value, str):
        return Message("system", (Text(value),), None, NOTES.kept(rest, {}))
    if not isinstance(value, list):
        raise wrong(path, "a string or an array of text blocks")
    gathered = Gathered("system")
    for index, item in enumerate(value):
        fields = Fields(item, f"{path}[{index}]")
        fields.one_of("type", ("text",))
        gathered.parts.append(read_text(fields))
        if fields.rest():
            gathered.left[str(index)] = fields.rest()
    return gathered.message(rest, {"content": "blocks"})


def read_messages(items: Sequence[Json] | None, path: str, reader: Reader) -> tuple[Message, ...]:
    """The conversation of a client's request.

    Raises:
        InvalidRequestError: A message is wrong; `field` names the place.
    """
    if not items:
        raise wrong(path, "an array with at least one message")
    messages: list[Message] = []
    for index, item in enumerate(items):
        fields = Fields(item, f"{path}[{index}]")
        refuse_reserved(fields.rest(), f"{path}[{index}].")
        messages.extend(_read_message(fields, reader))
    return tuple(messages)


def _read_message(fields: Fields, reader: Reader) -> list[Message]:
    role = cast("Role", fields.one_of("role", _ROLES))
    path = fields.at("content")
    value = fields.take("content")
    if role == "system":
        if value is None:
            raise wrong(path, "a string or an array of text blocks")
        return [_system(value, path, fields.rest())]
    if isinstance(value, str):
        return [Message(role, (Text(value),), None, NOTES.kept(fields.rest(), {}))]
    if not isinstance(value, list):
        raise wrong(path, "a string or an array of content blocks")
    turns = _gather(value, path, role, reader)
    note: JsonObject = {"content": "blocks"}
    return [turn.message(fields.rest() if index == 0 else {}, note) for index, turn in enumerate(turns)]


def _gather(value: list[Json], path: str, role: Role, reader: Reader) -> list[Gathered]:
    """The messages that a turn becomes: tool results stand in messages of their own."""
    turns = [Gathered(role)]
    for index, item in enumerate(value):
        kind = item.get("type") if isinstance(item, dict) else None
        spoken: Role = "tool" if kind == "tool_result" and role == "user" else role
        if turns[-1].role != spoken:
            turns.append(Gathered(spoken))
        turns[-1].take(item, f"{path}[{index}]", reader)
    said = [turn for turn in turns if turn.parts or turn.others]
    return said or turns[:1]


def read_answer(blocks: Sequence[Json], path: str, reader: Reader, note: JsonObject) -> Message:
    """The assistant's message that a vendor's content blocks are.

    Raises:
        InvalidRequestError: A block breaks the format.
    """
    gathered = Gathered("assistant")
    for index, item in enumerate(as_array(list(blocks))):
        gathered.take(item, f"{path}[{index}]", reader)
    return gathered.message({}, note)
