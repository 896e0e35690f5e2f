"""Items that a model says (messages, reasoning, calls and what is not known), read into one message.

The vocabulary knows messages with parts, the dialect a row of items. What belongs to one turn becomes one
message; a note remembers which item each part came from, and holds a place for every item that the
vocabulary has no word for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from interlock_core import Content, Json, JsonObject, Message, Reasoning, Refusal, Text, ToolCall, new_id
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json
from interlock_providers.codecs._conversation import Heard
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs.openai_responses._notes import NOTES, PREFIX
from interlock_providers.codecs.openai_responses._parts import read_content
from interlock_providers.codecs.openai_responses._seal import SOME_SPEAKER, unseal

CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""The calls that are ours to make, and where each says what it wants."""
BETWEEN = "\n\n"
"""What stands between the parts of reasoning when they are read as one text."""


@dataclass(slots=True)
class Turn:
    """One turn of the model, as its items are read.

    Attributes:
        heard: The vendor that says them; None when a client repeats them.
        sealed: Reasoning of a vendor of another dialect was among them.
    """

    heard: Heard | None = None
    sealed: bool = False
    _parts: list[Content] = field(default_factory=list[Content])
    _layout: list[Json] = field(default_factory=list[Json])
    _others: JsonObject = field(default_factory=dict[str, Json])

    @property
    def empty(self) -> bool:
        """Nothing was said yet."""
        return not self._layout

    @property
    def parts(self) -> Sequence[Content]:
        """What was said so far."""
        return self._parts

    def take(self, fields: Fields, kind: str, item: Json) -> None:
        """Read the next item.

        Args:
            fields: The item, its type taken.
            kind: Its type.
            item: The item as it stands there.

        Raises:
            InvalidRequestError: It is wrong.
        """
        if kind == "message":
            self._message(fields)
        elif kind == "reasoning":
            self._reasoning(fields)
        elif kind in CALLS:
            self._call(fields, kind)
        else:
            self._other(kind, item)

    def message(self, note: JsonObject | None = None) -> Message:
        """The turn as a message.

        Args:
            note: What else is to be remembered of it.
        """
        kept: JsonObject = {**(note or {}), "items": self._layout}
        return Message("assistant", tuple(self._parts), None, NOTES.kept(self._others, kept))

    def _message(self, fields: Fields) -> None:
        fields.take("role")
        value = fields.take("content")
        if value is None:
            raise wrong(fields.at("content"), "a string or an array of parts")
        parts, left = read_content(value, fields.at("content"), spoken=True)
        self._parts.extend(parts)
        self._place({"kind": "message", "size": len(parts), "parts": left}, fields)

    def _reasoning(self, fields: Fields) -> None:
        summary = _texts(fields, "summary")
        content = _texts(fields, "content")
        words = BETWEEN.join(text for text in (*summary, *content) if text)
        encrypted, number = fields.text("encrypted_content"), fields.text("id")
        vendor = self.heard.provider if self.heard is not None else SOME_SPEAKER
        part = unseal(encrypted, words) if encrypted is not None and self.heard is None else None
        self.sealed = self.sealed or part is not None
        self._parts.append(part or Reasoning(text=words, encrypted=encrypted, id=number, vendor=vendor))
        self._place(
            {
                "kind": "reasoning",
                "summary": [len(text) for text in summary],
                "content": [len(text) for text in content],
            },
            fields,
        )

    def _call(self, fields: Fields, kind: str) -> None:
        call_id, name = fields.text("call_id"), fields.need_text("name")
        said = fields.take(CALLS[kind])
        if self.heard is not None:
            core = self.heard.names.core(name)
            self.heard.mended = (
                self.heard.mended or not call_id or core != name or not isinstance(said, str | None)
            )
            call_id, name = call_id or new_id("call"), core
            said = dump_json(said) if isinstance(said, dict) else said
        if not call_id:
            raise wrong(fields.at("call_id"), "a string that is not empty")
        if said is not None and not isinstance(said, str):
            raise wrong(fields.at(CALLS[kind]), "a string")
        self._parts.append(ToolCall(id=call_id, name=name, arguments=said or ""))
        self._place({"kind": kind}, fields)

    def _other(self, kind: str, item: Json) -> None:
        kind = "item" if kind.startswith(PREFIX) else kind
        name, count = kind, 1
        while name in self._others:
            count += 1
            name = f"{kind}#{count}"
        self._others[name] = item
        self._layout.append({"kind": "other", "name": name})

    def _place(self, entry: JsonObject, fields: Fields) -> None:
        if fields.rest():
            entry["rest"] = fields.rest()
        self._layout.append({name: value for name, value in entry.items() if value != {}})


def _texts(fields: Fields, name: str) -> list[str]:
    texts: list[str] = []
    for index, item in enumerate(fields.items(name) or ()):
        part = Fields(item, f"{fields.at(name)}[{index}]")
        text = part.text("text")
        if text is None:
            raise wrong(part.at("text"), "a string")
        texts.append(text)
    return texts


@dataclass(frozen=True, slots=True)
class Unit:
    """What becomes one item.

    Attributes:
        kind: Type of the item; `other` for one that is written as it was read.
        parts: The parts of the message that it is made of.
        note: How it was written, as far as that is known.
        other: The item itself, for `other`.
    """

    kind: str
    parts: tuple[Content, ...] = ()
    note: JsonObject = field(default_factory=dict[str, Json])
    other: Json = None

    @property
    def rest(self) -> JsonObject:
        """Fields of the item that the vocabulary has no place for."""
        return as_object(self.note.get("rest"))

    @property
    def left(self) -> JsonObject:
        """By position, fields of its parts that the vocabulary has no place for."""
        return as_object(self.note.get("parts"))


def units(message: Message, others: JsonObject) -> list[Unit]:
    """A message of the model as the items that it is.

    Args:
        message: The message.
        others: Its items that the vocabulary has no word for, by the names that the note gave them.
    """
    found = _noted(message, others)
    if found is not None:
        return found
    # Somebody changed the message since it was read: its parts are told in the plainest form.
    made = [Unit("other", other=item) for item in others.values()]
    for part in message.content:
        kind = _kind(part)
        last = made[-1] if made else None
        if kind == "message" and last is not None and last.kind == kind:
            made[-1] = replace(last, parts=(*last.parts, part))
        else:
            made.append(Unit(kind, (part,)))
    return made


def _kind(part: Content) -> str:
    match part:
        case Text() | Refusal():
            return "message"
        case Reasoning():
            return "reasoning"
        case ToolCall():
            return "function_call"
        case _:
            return "unsaid"


def _noted(message: Message, others: JsonObject) -> list[Unit] | None:
    """The items as the note has them; None when it does not fit the parts."""
    layout = as_array(NOTES.of(message.extra).get("items"))
    made: list[Unit] = []
    at = 0
    for entry in (as_object(item) for item in layout):
        kind = as_text(entry.get("kind")) or ""
        if kind == "other":
            name = as_text(entry.get("name")) or ""
            if name not in others:
                return None
            made.append(Unit(kind, other=others[name]))
            continue
        size = as_int(entry.get("size")) if kind == "message" else 1
        parts = message.content[at : at + (size or 0)]
        wanted = "function_call" if kind in CALLS else kind
        if size is None or len(parts) != size or any(_kind(part) != wanted for part in parts):
            return None
        made.append(Unit(kind, parts, entry))
        at += size
    return made if layout and at == len(message.content) else None


def reasoning_pieces(part: Reasoning, note: JsonObject) -> tuple[list[str], list[str]]:
    """Summary and content of a reasoning item, cut as the vendor had cut them where that still fits."""
    sizes = [as_int(size) or 0 for size in as_array(note.get("summary"))]
    split = len(sizes)
    sizes += [as_int(size) or 0 for size in as_array(note.get("content"))]
    texts: list[str] = []
    at = 0
    for size in sizes:
        if size and at:
            if not part.text.startswith(BETWEEN, at):
                break
            at += len(BETWEEN)
        texts.append(part.text[at : at + size])
        at += size
    if len(texts) == len(sizes) and at == len(part.text) and sizes:
        return texts[:split], texts[split:]
    return ([part.text] if part.text else []), []
