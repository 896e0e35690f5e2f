"""An answer as a client was told it so far, item by item, so that it can be gone on with and ended."""

from dataclasses import dataclass, field

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_int, as_object, as_text
from interlock_providers.codecs.openai_responses._items import CALLS

WORDS = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text", "summary_text": "text"}
"""Kinds of parts, and the field that holds their words."""


@dataclass(slots=True)
class Part:
    """A part that is made of words.

    Attributes:
        kind: Its type.
        pieces: Its words so far.
        annotations: What is cited, in the dialect's form.
        citations: What is cited in other forms.
        closed: Nothing more comes, and the client knows.
    """

    kind: str
    pieces: list[str] = field(default_factory=list[str])
    annotations: list[Json] = field(default_factory=list[Json])
    citations: list[Json] = field(default_factory=list[Json])
    logprobs: list[Json] = field(default_factory=list[Json])
    closed: bool = False

    @property
    def text(self) -> str:
        """Its words."""
        return "".join(self.pieces)

    def whole(self) -> JsonObject:
        """The part as it stands in an item."""
        made: JsonObject = {"type": self.kind, WORDS[self.kind]: self.text}
        if self.kind == "output_text":
            made["annotations"] = [*self.annotations]
            made["logprobs"] = [*self.logprobs]
            if self.citations:
                made["citations"] = [*self.citations]
        return made


@dataclass(slots=True)
class Item:
    """One item of the answer.

    Attributes:
        index: Its place.
        base: Its fields beside its words.
        parts: Its parts; those of a summary by negative numbers, -1 the first.
        pieces: What a call wants, so far.
        final: The whole item, once the client was told it.
    """

    index: int
    base: JsonObject
    parts: dict[int, Part] = field(default_factory=dict[int, Part])
    pieces: list[str] = field(default_factory=list[str])
    final: Json = None

    @property
    def kind(self) -> str:
        """Its type."""
        return as_text(self.base.get("type")) or ""

    @property
    def id(self) -> str:
        """Its id."""
        return as_text(self.base.get("id")) or ""

    @property
    def open(self) -> bool:
        """More may come."""
        return self.final is None

    @property
    def last(self) -> tuple[int, Part] | None:
        """The part that was begun last."""
        return next(reversed(self.parts.items()), None)

    def whole(self, more: JsonObject | None = None) -> JsonObject:
        """The item with all that was said.

        Args:
            more: Fields that are known only at its end.
        """
        made = {**self.base, **(more or {})}
        if "status" in made:
            made["status"] = "completed"
        if self.kind == "message":
            made["content"] = [part.whole() for key, part in sorted(self.parts.items()) if key >= 0]
        elif self.kind == "reasoning":
            made["summary"] = [
                part.whole() for key, part in sorted(self.parts.items(), reverse=True) if key < 0
            ]
            content: list[Json] = [part.whole() for key, part in sorted(self.parts.items()) if key >= 0]
            if content:
                made["content"] = content
        elif self.kind in CALLS:
            made[CALLS[self.kind]] = "".join(self.pieces)
        return made


class Draft:
    """The items that a client was told, in their places."""

    def __init__(self) -> None:
        self.items: dict[int, Item] = {}

    @property
    def current(self) -> Item | None:
        """The item that was begun last, while it is open."""
        last = next(reversed(self.items.values()), None)
        return last if last is not None and last.open else None

    def begin(self, base: JsonObject) -> Item:
        """Put an item behind the others."""
        item = Item(max(self.items, default=-1) + 1, base)
        self.items[item.index] = item
        return item

    def output(self) -> list[Json]:
        """All items."""
        return [item.whole() if item.final is None else item.final for _, item in sorted(self.items.items())]

    def watch(self, event: JsonObject) -> None:
        """Take note of an event that a client is told as its vendor wrote it."""
        index = as_int(event.get("output_index"))
        kind = (as_text(event.get("type")) or "").removeprefix("response.")
        if index is None:
            return
        if kind == "output_item.added":
            item = as_object(event.get("item"))
            self.items[index] = Item(index, item)
            name = CALLS.get(as_text(item.get("type")) or "", "")
            self.items[index].pieces.append(as_text(item.get(name)) or "")
            return
        item = self.items.get(index)
        if item is None:
            return
        if kind == "output_item.done":
            item.final = event.get("item")
        else:
            _watch_part(item, kind, event)


_STEPS = {
    "content_part": "",
    "output_text": "output_text",
    "refusal": "refusal",
    "reasoning_text": "reasoning_text",
    "reasoning_summary_part": "summary_text",
    "reasoning_summary_text": "summary_text",
}


def _watch_part(item: Item, kind: str, event: JsonObject) -> None:
    what, _, step = kind.partition(".")
    if what in ("function_call_arguments", "custom_tool_call_input") and step == "delta":
        item.pieces.append(as_text(event.get("delta")) or "")
    if what not in _STEPS:
        return
    told = as_object(event.get("part"))
    summary = as_int(event.get("summary_index"))
    key = (as_int(event.get("content_index")) or 0) if summary is None else -1 - summary
    word = _STEPS[what] or as_text(told.get("type")) or ""
    part = item.parts.get(key)
    if part is None:
        if word not in WORDS:
            return
        part = item.parts[key] = Part(word)
        part.pieces.append(as_text(told.get(WORDS[word])) or "")
    if step == "delta":
        part.pieces.append(as_text(event.get("delta")) or "")
        part.logprobs += as_array(event.get("logprobs"))
    elif step == "annotation.added" and event.get("annotation") is not None:
        part.annotations.append(event.get("annotation"))
    elif step == "done" and what in ("content_part", "reasoning_summary_part"):
        part.closed = True
