"""The conversation, written for a vendor.

The API wants the system prompt apart, the speakers in turns, and tool results first in the turn of the
user that follows their calls. Instructions in the middle of a conversation may stand only behind a
turn of the user and before one of the assistant; where that cannot be, they join the system prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from interlock_core import (
    CompletionRequest,
    Content,
    File,
    Image,
    Json,
    JsonObject,
    Message,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from interlock_core.errors import UnsupportedError
from interlock_core.jsontypes import as_array, as_object, parse_json
from interlock_providers.codecs import Target
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs.anthropic_messages._blocks_in import placed
from interlock_providers.codecs.anthropic_messages._blocks_out import (
    call_block,
    merged,
    misplaced,
    write_media,
    write_result,
    write_text,
)
from interlock_providers.codecs.anthropic_messages._notes import NOTES, Adapted
from interlock_providers.codecs.anthropic_messages._seal import SOME_SPEAKER

_NAME_LIMIT = 128


@dataclass(frozen=True, slots=True)
class Writer:
    """What the messages of one request are written with.

    Attributes:
        target: Whom they are for.
        names: How tools are called on the wire.
        ids: How calls are called on the wire.
        adapted: Collects what is done in another way.
        instructs: The model takes instructions in the middle of a conversation.
        own: The client wrote in this dialect, so what it wrote is not put right.
        newest: The wire's id of the newest call of each id: some vendors use their ids again.
        taken: The wire's ids of all calls so far, which the API wants to differ.
        told: The last number that was put behind each id, so that the next is not looked for from 1.
    """

    target: Target
    names: ToolNames
    ids: ToolNames
    adapted: Adapted
    instructs: bool = True
    own: bool = False
    newest: dict[str, str] = field(default_factory=dict[str, str])
    taken: set[str] = field(default_factory=set[str])
    told: dict[str, int] = field(default_factory=dict[str, int])

    def call(self, call_id: str) -> str:
        """The wire's id of a call that is told for the first time."""
        plain = self.ids.wire(call_id)
        wire, count = plain, self.told.get(plain, 1)
        while wire in self.taken and not self.own:
            count += 1
            wire = f"{plain}_{count}"
        self.told[plain] = count
        self.taken.add(wire)
        self.newest[call_id] = wire
        return wire

    def answered(self, call_id: str) -> str:
        """The wire's id of the call that a result answers."""
        return self.newest.get(call_id) or self.ids.wire(call_id)


@dataclass(slots=True)
class _Turn:
    role: str
    blocks: list[Json] = field(default_factory=list[Json])
    rest: JsonObject = field(default_factory=dict[str, Json])

    def written(self) -> JsonObject:
        results = [block for block in self.blocks if as_object(block).get("type") == "tool_result"]
        others = [block for block in self.blocks if as_object(block).get("type") != "tool_result"]
        return {"role": self.role, "content": short([*results, *others]), **self.rest}


def short(blocks: list[Json]) -> Json:
    """One plain text as a string, anything else as the blocks that it is."""
    only = as_object(blocks[0]) if len(blocks) == 1 else {}
    return only["text"] if only.keys() == {"type", "text"} and only["type"] == "text" else blocks


def tool_names(request: CompletionRequest) -> ToolNames:
    """How the tools of a request are called on this wire."""
    names = {tool.name for tool in request.tools}
    names.update(call.name for message in request.messages for call in message.tool_calls)
    if request.tool_choice is not None and request.tool_choice.name is not None:
        names.add(request.tool_choice.name)
    return ToolNames(names, limit=_NAME_LIMIT)


def call_ids(messages: Sequence[Message]) -> ToolNames:
    """How the calls of a conversation are called on this wire, which takes few characters."""
    ids = {call.id for message in messages for call in message.tool_calls}
    ids.update(result.call_id for message in messages for result in message.tool_results)
    return ToolNames(ids)


class _Conversation:
    """Puts turns together in the order that the API wants."""

    def __init__(self, writer: Writer) -> None:
        self.system: list[Json] = []
        self.turns: list[_Turn] = []
        self._writer = writer
        self._waiting: list[tuple[str, list[Json]]] = []
        self._moved = False

    def add(self, role: str, blocks: list[Json], rest: JsonObject) -> None:
        """What a user, a tool or the assistant says."""
        speaker = "assistant" if role == "assistant" else "user"
        if not blocks:
            return
        if speaker == "assistant":
            self.settle()
        elif self._waiting:
            self._moved = True
        last = self.turns[-1] if self.turns else None
        if last is None or last.role != speaker:
            last = _Turn(speaker)
            self.turns.append(last)
        last.blocks.extend(blocks)
        last.rest.update(rest)

    def instruct(self, path: str, blocks: list[Json]) -> None:
        """What the system says in the middle."""
        if blocks:
            self._moved = self._moved or not self.turns or self.turns[-1].role != "user"
            self._waiting.append((path, blocks))

    def settle(self) -> None:
        """Place the instructions that wait, now that the turn before them is over."""
        waiting, self._waiting = self._waiting, []
        moved, self._moved = self._moved, False
        if not waiting:
            return
        fits = self._writer.instructs and bool(self.turns) and self.turns[-1].role == "user"
        where = "behind the user's turn" if fits else "in the system prompt"
        if moved or not fits:
            for path, _ in waiting:
                provider = self._writer.adapted.provider
                self._writer.adapted.say(f"{path} is told {where}: {provider} does not take it at its place")
        blocks = [block for _, held in waiting for block in held]
        if fits:
            self.turns.append(_Turn("system", blocks))
        else:
            self.system.extend(blocks)


def write_messages(messages: Sequence[Message], writer: Writer) -> tuple[list[Json], list[Json]]:
    """The blocks of the system prompt, and the conversation in turns.

    Raises:
        UnsupportedError: A part cannot be said in this dialect.
    """
    told = _Conversation(writer)
    leading = True
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        leading = leading and message.role == "system"
        blocks, rest = _write_message(message, path, writer)
        if leading:
            told.system.extend(blocks)
        elif message.role == "system":
            told.instruct(path, blocks)
        else:
            told.add(message.role, blocks, rest)
    told.settle()
    if not told.turns:
        raise UnsupportedError(
            "The conversation holds nothing that a user or an assistant says; this dialect needs a turn.",
            field="messages",
            remedy="Add a message of the user that is not empty.",
        )
    if not writer.own:
        _trim(told.turns[-1], writer.adapted)
    return told.system, [turn.written() for turn in told.turns]


def _trim(last: _Turn, adapted: Adapted) -> None:
    """The API refuses white space at the end of what the model is to go on with."""
    block = as_object(last.blocks[-1])
    text = block.get("text")
    if last.role == "assistant" and isinstance(text, str) and text.strip() and text != text.rstrip():
        last.blocks[-1] = {**block, "text": text.rstrip()}
        adapted.say(f"white space at the end of the last message is left out: {adapted.provider} refuses it")


def _write_message(message: Message, path: str, writer: Writer) -> tuple[list[Json], JsonObject]:
    note = NOTES.of(message.extra)
    rest = _own_fields(message, path, writer.adapted)
    if message.name is not None:
        writer.adapted.without("the name of a speaker")
    left = as_object(note.get("parts"))
    blocks: list[Json] = []
    for index, part in enumerate(message.content):
        place = f"{path}.content[{index}]"
        block = _write_part(part, message.role, as_object(left.get(str(index))), place, writer)
        if block is not None:
            blocks.append(block)
    kinds = note.get("placed")
    others = placed({**rest, "blocks": note.get("blocks")}, [*as_array(kinds), "blocks"])
    for position, block in others:
        blocks.insert(position, block)
    kept = {name: value for name, value in rest.items() if name not in as_array(kinds)}
    return blocks, kept


def _own_fields(message: Message, path: str, adapted: Adapted) -> JsonObject:
    """The fields to send as they are.

    What another vendor said beside the words of its answer is left out, as it would be by any client;
    a field that a user wrote in another dialect is refused by name.
    """
    extra = message.extra
    if message.role != "assistant" or not extra or NOTES.key in extra:
        return NOTES.own(extra, f"{path}.")
    shown = NOTES.shown(extra)
    foreign = {name for name, value in extra.items() if name not in shown and value}
    for name in sorted(name for name in foreign if ":" not in name):
        adapted.without(f"{name} of {path}")
    return shown


def _write_part(part: Content, role: str, rest: JsonObject, path: str, writer: Writer) -> JsonObject | None:
    """The block of a part; None for one that is not told."""
    match part:
        case Text():
            if not part.text:
                return None
            return merged(write_text(part, path, writer.adapted, cited=role == "assistant"), rest)
        case Image() | File() if role == "user":
            return merged(write_media(part, path, writer.adapted), rest)
        case ToolResult() if role in {"user", "tool"}:
            return write_result(part, writer.answered(part.call_id), rest, path, writer.adapted)
        case ToolCall() if role == "assistant":
            return merged(_write_call(part, writer), rest)
        case Reasoning() if role == "assistant":
            return _write_reasoning(part, rest, writer)
        case Refusal() if role == "assistant":
            writer.adapted.say(f"a refusal is told as text: {writer.adapted.provider} has no word for it")
            return {"type": "text", "text": part.text} if part.text else None
        case _:
            raise misplaced(part, path, role)


def _write_call(call: ToolCall, writer: Writer) -> JsonObject:
    try:
        given = parse_json(call.arguments or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        writer.adapted.say(
            f"the arguments of a call of {call.name} are told as text: they are no JSON object"
        )
    block = call_block(writer.call(call.id), writer.names.wire(call.name))
    block["input"] = given if isinstance(given, dict) else {"arguments": call.arguments}
    return block


def _write_reasoning(part: Reasoning, rest: JsonObject, writer: Writer) -> JsonObject | None:
    """Reasoning goes back only to the vendor that said it, signed or encrypted as it came."""
    provider = writer.target.provider
    if part.vendor in {None, SOME_SPEAKER, provider} and writer.target.facts.reasoning:
        if part.signature:
            return {**rest, "type": "thinking", "thinking": part.text, "signature": part.signature}
        if part.encrypted:
            return {**rest, "type": "redacted_thinking", "data": part.encrypted}
    said = "the client" if part.vendor in {None, SOME_SPEAKER} else part.vendor
    writer.adapted.say(f"reasoning of {said} is left out: {provider} takes back only its own, signed")
    return None
