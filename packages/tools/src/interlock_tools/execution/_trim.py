"""What a model is shown of an answer that is too long: little of every element before much of a few.

What costs much and says little goes first, by what the schema and the names say; then long texts are cut,
then lesser fields of inner objects, then the elements that do not fit any more. What is left out is said.
"""

from dataclasses import dataclass, field

from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_tools.execution._items import items_of, with_items
from interlock_tools.execution._knowledge import Knowledge, Worth
from interlock_tools.execution._shorten import shown_json, shown_text

_MOST_FIELDS = 120
_MOST_NAMED = 8
_LOOKED_AT = 40


@dataclass(frozen=True, slots=True)
class _Step:
    """How much is kept.

    Attributes:
        outer: Least worth of a field of an element.
        inner: Least worth of a field further in.
        text: Most characters of a text.
        listed: Most elements of an inner list.
    """

    outer: Worth
    inner: Worth
    text: int
    listed: int


_STEPS = (
    _Step(Worth.PLAIN, Worth.PLAIN, 4_000, 50),
    _Step(Worth.PLAIN, Worth.DESCRIBED, 1_000, 20),
    _Step(Worth.DESCRIBED, Worth.ESSENTIAL, 500, 10),
    _Step(Worth.DESCRIBED, Worth.IDENTITY, 200, 6),
    _Step(Worth.DESCRIBED, Worth.IDENTITY, 80, 4),
)
_LAST = _Step(Worth.ESSENTIAL, Worth.IDENTITY, 80, 4)
_FEWEST = 5


_STEPS_OF_ONE = tuple(
    _Step(Worth.PLAIN, Worth.PLAIN, text, listed) for text, listed in ((4_000, 50), (1_000, 20), (300, 10))
)


@dataclass(slots=True, kw_only=True)
class Shown:
    """What is shown of a value.

    Attributes:
        text: It.
        whole: The whole as JSON text, when something was cut; else empty.
        shown: Elements of its list that are shown.
        items: Elements that its list has.
        left_out: Fields that were left out, the most frequent first.
        path: Keys that lead to the list.
    """

    text: str
    whole: str = ""
    shown: int = 0
    items: int = 0
    left_out: tuple[str, ...] = ()
    path: tuple[str, ...] = ()


@dataclass(slots=True)
class _Cutter:
    """Cuts values by one step, and counts what it leaves out."""

    knowledge: Knowledge
    step: _Step
    left_out: dict[str, int] = field(default_factory=dict[str, int])

    def cut(self, value: Json, schema: JsonObject, depth: int, name: str) -> Json:
        """What is kept of a value."""
        if isinstance(value, str):
            return shown_text(value, limit=self.step.text)[0] if len(value) > self.step.text else value
        if isinstance(value, list):
            return self._list(value, schema, depth, name)
        return self._object(value, schema, depth, name) if isinstance(value, dict) else value

    def _list(self, value: list[Json], schema: JsonObject, depth: int, name: str) -> Json:
        inner = self.knowledge.items(schema)
        most = self.step.listed
        kept = [self.cut(one, inner, depth, name) for one in value[:most]]
        return [*kept, f"… {len(value) - most} more of {len(value)}"] if len(value) > most else kept

    def _object(self, value: JsonObject, schema: JsonObject, depth: int, name: str) -> JsonObject:
        least = self.step.outer if depth == 0 else self.step.inner
        worths = {key: self.knowledge.worth(schema, key, item) for key, item in value.items()}
        if depth and least > max(worths.values(), default=least):
            least = max(worths.values())
        kept: JsonObject = {}
        for key, item in value.items():
            if len(kept) >= _MOST_FIELDS:
                kept["…"] = f"{len(value) - _MOST_FIELDS} more fields"
                break
            inner = f"{name}.{key}" if name else key
            if worths[key] < least and not (depth == 0 and len(value) == 1):
                if item is not None:
                    self.left_out[inner] = self.left_out.get(inner, 0) + 1
                continue
            kept[key] = self.cut(item, self.knowledge.field(schema, key), depth + 1, inner)
        return kept


def trimmed(value: Json, *, limit: int, schema: JsonObject | None = None, whole: str | None = None) -> Shown:
    """JSON text of a value in about `limit` characters.

    Args:
        value: The value.
        limit: Most characters.
        schema: Its schema, when one is known.
        whole: Its JSON text, when it was made already.
    """
    whole = dump_json(value) if whole is None else whole
    if len(whole) <= limit:
        return Shown(text=whole)
    path, rows = items_of(value)
    if len(rows) < 2:
        return _one(value, whole, limit, schema)
    knowledge = Knowledge(schema)
    inside = knowledge.start
    for key in path:
        inside = knowledge.field(inside, key)
    element = knowledge.items(inside)
    # Far more than can be shown is not even looked at.
    looked = rows[: max(2, len(rows) * limit * _LOOKED_AT // len(whole) + 1)]
    around = _around(value, path, knowledge)
    room = limit - len(dump_json(around)) - 40
    texts: list[str] = []
    cutter = _Cutter(knowledge, _STEPS[0])
    for step in _STEPS:
        cutter = _Cutter(knowledge, step)
        texts = [dump_json(cutter.cut(one, element, 0, "")) for one in looked]
        if len(looked) == len(rows) and sum(map(len, texts)) + len(texts) <= room:
            break
    kept = _fitting(texts, room)
    if len(kept) < min(_FEWEST, len(rows)):
        cutter = _Cutter(knowledge, _LAST)
        kept = _fitting([dump_json(cutter.cut(one, element, 0, "")) for one in looked], room)
    if not kept:
        return _one(value, whole, limit, schema)
    missing = len(rows) - len(kept)
    more = [dump_json(f"… {missing} more of {len(rows)}")] if missing else []
    listed = f"[{','.join([*kept, *more])}]"
    return Shown(
        text=_put(around, path, listed),
        whole=whole,
        shown=len(kept),
        items=len(rows),
        left_out=_most_frequent(cutter.left_out),
        path=path,
    )


def _one(value: Json, whole: str, limit: int, schema: JsonObject | None) -> Shown:
    """A value that is no list: without what says little, with shorter texts, in the end by position alone."""
    knowledge = Knowledge(schema)
    for step in _STEPS_OF_ONE:
        cutter = _Cutter(knowledge, step)
        text = dump_json(cutter.cut(value, knowledge.start, 0, ""))
        if len(text) <= limit:
            return Shown(text=text, whole=whole, left_out=_most_frequent(cutter.left_out))
    return Shown(text=shown_json(value, limit=limit)[0], whole=whole)


_MARK = "\ue000"


def _around(value: Json, path: tuple[str, ...], knowledge: Knowledge) -> Json:
    """What stands around the list, cut, with a mark in the list's place."""
    if not path:
        return _MARK
    marked = with_items(value, path, [_MARK])
    step = _Step(Worth.PLAIN, Worth.PLAIN, 200, 5)
    return _Cutter(knowledge, step).cut(marked, knowledge.start, 0, "")


def _put(around: Json, path: tuple[str, ...], listed: str) -> str:
    return dump_json(around).replace(dump_json([_MARK]) if path else dump_json(_MARK), listed, 1)


def _fitting(texts: list[str], room: int) -> list[str]:
    kept: list[str] = []
    for text in texts:
        room -= len(text) + 1
        if room < 0:
            break
        kept.append(text)
    return kept


def _most_frequent(left_out: dict[str, int]) -> tuple[str, ...]:
    return tuple(sorted(left_out, key=lambda name: -left_out[name]))


def said_of(shown: Shown, *, read: str = "") -> str:
    """One line that says what was cut and how to get it; empty when nothing was.

    Args:
        shown: What is shown.
        read: How the rest is got, such as the name of a tool and the id of the result.
    """
    if not shown.whole:
        return ""
    parts: list[str] = []
    if shown.items:
        parts.append(f"{shown.shown} of {shown.items} elements")
    if shown.left_out:
        named = ", ".join(shown.left_out[:_MOST_NAMED])
        rest = len(shown.left_out) - _MOST_NAMED
        parts.append(f"without {named}{f' and {rest} more fields' if rest > 0 else ''}")
    how = read or "Ask for less, or page by page."
    said = "; ".join(parts)
    return f"[Shortened from {len(shown.whole)} characters{f': {said}' if said else ''}. {how}]"
