"""Says an answer to a client as events: items begin, go on and end, each part within its item."""

from collections.abc import Sequence
from typing import Protocol

from interlock_core import Json, JsonObject, Reasoning, ToolCallDelta, new_id
from interlock_providers.codecs.openai_responses._draft import WORDS, Draft, Item, Part
from interlock_providers.codecs.openai_responses._items import CALLS
from interlock_providers.codecs.openai_responses._seal import seal
from interlock_providers.codecs.openai_responses._told import item_id, reasoning_item

_FRAMES = {
    "output_text": ("response.content_part", "response.output_text"),
    "refusal": ("response.content_part", "response.refusal"),
    "reasoning_text": ("response.content_part", "response.reasoning_text"),
    "summary_text": ("response.reasoning_summary_part", "response.reasoning_summary_text"),
}
_ARGUMENTS = {
    "function_call": ("response.function_call_arguments", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input", "input"),
}


class WriteEvent(Protocol):
    """Writes one event with the next sequence number."""

    def __call__(self, kind: str, **fields: Json) -> bytes:
        """Write it."""
        ...


class Speaker:
    """Says what chunks say.

    Args:
        draft: What the client was told so far.
        write: Writes an event.
        custom: Names of the tools that take free text.
    """

    def __init__(self, draft: Draft, write: WriteEvent, custom: frozenset[str]) -> None:
        self.answer = ""
        """Id of the answer, of which ids of items are made."""
        self.vendor: str | None = None
        """Who reasons, where that is no vendor of this dialect."""
        self._draft = draft
        self._write = write
        self._custom = custom
        self._calls: dict[int, Item] = {}
        self._early: dict[int, ToolCallDelta] = {}

    def adopt(self) -> None:
        """Go on with the calls that the client was told in their vendor's own events."""
        calls = (item for _, item in sorted(self._draft.items.items()) if item.kind in CALLS)
        self._calls = dict(enumerate(calls))

    def think(self, text: str) -> bytes:
        """The next words of the reasoning."""
        item = self._draft.current
        told = b""
        if item is None or item.kind != "reasoning":
            told = self._close_words()
            item, begun = self._begin({"type": "reasoning", "summary": []})
            told += begun
        return told + self._words(item, "summary_text", text)

    def say(self, kind: str, text: str, logprobs: Sequence[Json] = ()) -> bytes:
        """The next words of the answer, or of a refusal."""
        item = self._draft.current
        told = b""
        if item is None or item.kind != "message":
            told = self._close_words()
            base: JsonObject = {"type": "message", "status": "in_progress", "role": "assistant"}
            item, begun = self._begin({**base, "content": []})
            told += begun
        return told + self._words(item, kind, text, logprobs)

    def sign(self, part: Reasoning, *, native: bool) -> bytes:
        """End the reasoning with what its vendor needs to get it back."""
        item = self._draft.current
        told = b""
        if item is None or item.kind != "reasoning":
            told = self._close_words()
            item, begun = self._begin({"type": "reasoning", "summary": []})
            told += begun
        signed = reasoning_item(part, item.id, {}, native=native)
        more = {name: value for name, value in signed.items() if name == "encrypted_content"}
        # The id under which the item began is the one that the client knows, unless the vendor needs its own.
        return told + self._close(item, {**more, "id": signed["id"]})

    def cite(self, annotations: Sequence[Json], others: Sequence[Json]) -> bytes:
        """What the text cites."""
        told = b""
        item = self._draft.current
        last = None if item is None else item.last
        if item is None or last is None or last[1].kind != "output_text" or last[1].closed:
            told += self.say("output_text", "")
            item = self._draft.current
            last = None if item is None else item.last
        if item is None or last is None:
            return told
        key, part = last
        part.citations += [citation for citation in others if citation not in part.citations]
        for annotation in annotations:
            if annotation not in part.annotations:
                place = len(part.annotations)
                part.annotations.append(annotation)
                told += self._write(
                    "response.output_text.annotation.added",
                    **self._at(item, key),
                    annotation_index=place,
                    annotation=annotation,
                )
        return told

    def call(self, piece: ToolCallDelta) -> bytes:
        """The next piece of a call. Calls stay open until the answer ends: they may be told in turns."""
        item = self._calls.get(piece.index)
        told = b""
        if item is None:
            early = self._early.pop(piece.index, None)
            number = piece.id or (early.id if early else None)
            arguments = (early.arguments if early else "") + piece.arguments
            if piece.name is None:
                # A call cannot begin before it has a name.
                self._early[piece.index] = ToolCallDelta(index=piece.index, id=number, arguments=arguments)
                return told
            told += self._close_words()
            item, begun = self._begin_call(piece.name, number or new_id("call"))
            self._calls[piece.index] = item
            told += begun
            piece = ToolCallDelta(index=piece.index, arguments=arguments)
        if piece.arguments and item.open:
            item.pieces.append(piece.arguments)
            told += self._write(
                f"{_ARGUMENTS[item.kind][0]}.delta",
                item_id=item.id,
                output_index=item.index,
                delta=piece.arguments,
            )
        return told

    def close(self) -> bytes:
        """End every item that is open."""
        told = b""
        for index in sorted(self._early):
            told += self.call(ToolCallDelta(index=index, name=""))
        for _, item in sorted(self._draft.items.items()):
            if item.open:
                told += self._close(item)
        return told

    def _begin_call(self, name: str, number: str) -> tuple[Item, bytes]:
        kind = "custom_tool_call" if name in self._custom else "function_call"
        status: JsonObject = {"status": "in_progress"} if kind == "function_call" else {}
        return self._begin({"type": kind, **status, "call_id": number, "name": name, CALLS[kind]: ""})

    def _begin(self, base: JsonObject) -> tuple[Item, bytes]:
        item = self._draft.begin(base)
        number = item_id(item.kind, self.answer, item.index)
        item.base = {"id": number, **base}
        return item, self._write("response.output_item.added", output_index=item.index, item=item.base)

    def _close_words(self) -> bytes:
        """End the item of words that is open, because another one begins."""
        item = self._draft.current
        return b"" if item is None or item.kind not in ("message", "reasoning") else self._close(item)

    def _close(self, item: Item, more: JsonObject | None = None) -> bytes:
        told = b"".join(self._close_part(item, key, part) for key, part in item.parts.items())
        if item.kind in CALLS:
            event, name = _ARGUMENTS[item.kind]
            told += self._write(
                f"{event}.done",
                item_id=item.id,
                output_index=item.index,
                **{name: "".join(item.pieces)},
            )
        elif item.kind == "reasoning" and more is None and self.vendor is not None:
            # Whose it is must be known when the client repeats it, though nobody signed it.
            more = {"encrypted_content": seal(Reasoning(vendor=self.vendor))}
        whole = item.whole(more)
        item.final = whole
        return told + self._write("response.output_item.done", output_index=item.index, item=whole)

    def _words(self, item: Item, kind: str, text: str, logprobs: Sequence[Json] = ()) -> bytes:
        told = b""
        last = item.last
        if last is None or last[1].kind != kind or last[1].closed:
            if last is not None:
                told += self._close_part(item, *last)
            key = -1 - len(item.parts) if kind == "summary_text" else len(item.parts)
            last = key, Part(kind)
            item.parts[key] = last[1]
            begun = Part(kind).whole()
            told += self._write(f"{_FRAMES[kind][0]}.added", **self._at(item, key), part=begun)
        key, part = last
        if text:
            part.pieces.append(text)
            part.logprobs += logprobs
            more: JsonObject = {"logprobs": [*logprobs]} if kind == "output_text" else {}
            told += self._write(f"{_FRAMES[kind][1]}.delta", **self._at(item, key), delta=text, **more)
        return told

    def _close_part(self, item: Item, key: int, part: Part) -> bytes:
        if part.closed:
            return b""
        part.closed = True
        frame, words = _FRAMES[part.kind]
        whole = part.whole()
        said: JsonObject = {WORDS[part.kind]: part.text}
        if part.kind == "output_text":
            said["logprobs"] = [*part.logprobs]
        at = self._at(item, key)
        return self._write(f"{words}.done", **at, **said) + self._write(f"{frame}.done", **at, part=whole)

    def _at(self, item: Item, key: int) -> JsonObject:
        place: JsonObject = {"content_index": key} if key >= 0 else {"summary_index": -1 - key}
        return {"item_id": item.id, "output_index": item.index, **place}
