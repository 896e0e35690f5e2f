"""Items written: toward the vendor that is asked, and toward the client that is answered."""

import hashlib
from collections.abc import Sequence

from interlock_core import Content, Image, Json, JsonObject, Message, Reasoning, Refusal, Text, ToolCall
from interlock_core.errors import UnsupportedError
from interlock_core.jsontypes import as_object
from interlock_providers.codecs import Target
from interlock_providers.codecs._media import write_base64
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs.openai_responses._items import CALLS, Unit, reasoning_pieces, units
from interlock_providers.codecs.openai_responses._notes import NOTES
from interlock_providers.codecs.openai_responses._parts import foreign_citations, write_spoken
from interlock_providers.codecs.openai_responses._seal import SOME_SPEAKER, seal

_LONGEST_ID = 64
_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}


class Teller:
    """Writes what the model said for a vendor that is to go on with it.

    Args:
        target: The vendor.
        names: How tools are called there.
        stored: The vendor keeps what it is told and knows its items by their ids.
    """

    def __init__(self, target: Target, names: ToolNames, *, stored: bool) -> None:
        self.adapted: list[str] = []
        self._target = target
        self._names = names
        self._stored = stored

    def adapt(self, sentence: str) -> None:
        """Note what is done in another way, once."""
        if sentence not in self.adapted:
            self.adapted.append(sentence)

    def items(self, message: Message, path: str) -> list[Json]:
        """A message of the model as items.

        Raises:
            UnsupportedError: The dialect cannot say it.
        """
        others = NOTES.own(message.extra, f"{path}.")
        written: list[Json] = []
        for unit in units(message, others):
            item = self._item(unit, path)
            if item is not None:
                written.append(item)
        return written

    def _item(self, unit: Unit, path: str) -> Json:
        if unit.kind == "other":
            return unit.other
        # A vendor that stores nothing finds nothing by its id, and may refuse an item that has one.
        rest = unit.rest if self._stored else {k: v for k, v in unit.rest.items() if k != "id"}
        match unit.parts:
            case (Reasoning() as part,):
                return self._reasoning(part, unit, rest)
            case (ToolCall() as call,):
                kind = unit.kind if unit.kind in CALLS else "function_call"
                return {
                    "type": kind,
                    "call_id": call_id(call.id),
                    "name": self._names.wire(call.name),
                    CALLS[kind]: call.arguments,
                    **rest,
                }
            case _ if unit.kind == "message":
                return self._message(unit, rest)
            case _:
                raise UnsupportedError(
                    f"{path}.content holds an image, a file or a sound that the model is to have said, "
                    "which this dialect has not.",
                    field=f"{path}.content",
                    remedy="Put it into a user message.",
                )

    def _message(self, unit: Unit, rest: JsonObject) -> JsonObject:
        if foreign_citations(unit.parts):
            self.adapt("citations in another vendor's form are not repeated to the model")
        if any(isinstance(part, Text) and part.cache is not None for part in unit.parts):
            self.adapt("the prompt cache is not cut within what the model said: the dialect cannot say so")
        content: list[Json] = [
            write_spoken(part, as_object(unit.left.get(str(index))), told=False)
            for index, part in enumerate(unit.parts)
            if isinstance(part, Text | Refusal)
        ]
        return {"type": "message", "role": "assistant", "content": content, **rest}

    def _reasoning(self, part: Reasoning, unit: Unit, rest: JsonObject) -> JsonObject | None:
        if not may_send(part, self._target, stored=self._stored):
            self.adapt(f"earlier reasoning that {self._target.provider} cannot take back is left out")
            return None
        summary, content = reasoning_pieces(part, unit.note)
        made: JsonObject = {"type": "reasoning"}
        if part.id is not None:
            made["id"] = part.id
        made["summary"] = [{"type": "summary_text", "text": text} for text in summary]
        if content:
            made["content"] = [{"type": "reasoning_text", "text": text} for text in content]
        if part.encrypted is not None:
            made["encrypted_content"] = part.encrypted
        return {**made, **rest}


def may_send(part: Reasoning, target: Target, *, stored: bool) -> bool:
    """Reasoning goes back only to the provider that made it, in the form in which it can read it."""
    if part.signature is not None or part.vendor not in (None, SOME_SPEAKER, target.provider):
        return False
    if part.vendor is None and part.encrypted is not None and part.id is None:
        # Every item of this dialect has an id; this was sealed by somebody else.
        return False
    return part.encrypted is not None or target.facts.reasoning or (stored and part.id is not None)


def call_id(number: str) -> str:
    """An id of a call, shortened to what the dialect allows; the same for call and result."""
    if len(number) <= _LONGEST_ID:
        return number
    return f"call_{hashlib.sha256(number.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def item_id(kind: str, answer: str, index: int) -> str:
    """The id of an item that a client is told, the same whenever the same answer is told."""
    digest = hashlib.sha256(f"{answer}\0{index}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_PREFIXES.get(kind, 'item')}_{digest[:32]}"


def client_items(message: Message, answer: str) -> list[Json]:
    """An answer as the items that a client is told, with every field that the dialect demands.

    Args:
        message: The answer.
        answer: Its id, of which ids of items are made where the vendor gave none.
    """
    others = NOTES.shown(message.extra)
    native = NOTES.key in message.extra
    return [
        unit.other if unit.kind == "other" else _client_item(unit, item_id(unit.kind, answer, index), native)
        for index, unit in enumerate(units(message, others))
    ]


def _client_item(unit: Unit, number: str, native: bool) -> JsonObject:
    match unit.parts:
        case (Reasoning() as part,):
            return {**reasoning_item(part, number, unit.note, native=native), **unit.rest}
        case (ToolCall() as call,):
            kind = unit.kind if unit.kind in CALLS else "function_call"
            status: JsonObject = {"status": "completed"} if kind == "function_call" else {}
            made: JsonObject = {"id": number, "type": kind, **status, "call_id": call.id, "name": call.name}
            return {**made, CALLS[kind]: call.arguments, **unit.rest}
        case _ if unit.kind == "message":
            made = {"id": number, "type": "message", "status": "completed", "role": "assistant"}
            made["content"] = _spoken(unit.parts, unit.left)
            return {**made, **unit.rest}
        case (Image(data=bytes() as data),):
            made = {"id": number, "type": "image_generation_call", "status": "completed"}
            return {**made, "result": write_base64(data)}
        case _:
            raise UnsupportedError(
                "The answer holds a part that clients of this dialect cannot be told.",
                field="output",
                remedy="Ask in the dialect of the model's vendor, or for text.",
            )


def _spoken(parts: Sequence[Content], left: JsonObject) -> list[Json]:
    return [
        write_spoken(part, as_object(left.get(str(index))), told=True)
        for index, part in enumerate(parts)
        if isinstance(part, Text | Refusal)
    ]


def reasoning_item(part: Reasoning, number: str, note: JsonObject, *, native: bool) -> JsonObject:
    """Reasoning as a client is told it.

    Args:
        part: The reasoning.
        number: Its id where the vendor gave none.
        note: How its words were cut.
        native: Its vendor speaks this dialect, so that what it sealed stays as it is.
    """
    summary, content = reasoning_pieces(part, note)
    made: JsonObject = {"id": part.id if native and part.id else number, "type": "reasoning"}
    made["summary"] = [{"type": "summary_text", "text": text} for text in summary]
    if content:
        made["content"] = [{"type": "reasoning_text", "text": text} for text in content]
    sealed = part.encrypted if native else seal(part)
    if sealed is not None:
        made["encrypted_content"] = sealed
    return made
