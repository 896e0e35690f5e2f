"""The last answers that a model was shown a part of, and the tool that reads the rest of them.

An answer is kept for the principal and the run that asked for it: nobody else can read it, whatever id they
name. Kept is the JSON text, without credentials, in memory, the oldest given up first.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from interlock_core.call import Call
from interlock_core.errors import InvalidRequestError, NotFoundError
from interlock_core.jsontypes import Json, JsonObject, as_text, dump_json, parse_json
from interlock_core.messages import Text, ToolResult

READER = "interlock.read_result"
"""Name of the tool that reads what was not shown."""

READER_DESCRIPTION = (
    "Read more of an earlier result that was shortened: the part at `pointer`, from element (of a list), "
    "field (of an object) or character (of a text) number `offset`."
)

READER_PARAMETERS: JsonObject = {
    "type": "object",
    "properties": {
        "result": {"type": "string", "description": "Id of the result, as the shortened one names it."},
        "pointer": {
            "type": "string",
            "description": "JSON pointer into it, such as /0/body; the whole unless given.",
        },
        "offset": {"type": "integer", "minimum": 0, "description": "Where to begin; 0 unless given."},
        "limit": {"type": "integer", "minimum": 1, "description": "How many; as many as fit unless given."},
    },
    "required": ["result"],
    "additionalProperties": False,
}

Owner: TypeAlias = tuple[str, str, str]
"""Who may read an answer: user, key and run."""


@dataclass(frozen=True, slots=True)
class _Answer:
    owner: Owner
    text: str


class KeptAnswers:
    """The last answers, bounded by the length of their text.

    Args:
        max_bytes: About the most memory.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._size = 0
        self._number = 0

    def keep(self, text: str, context: Call) -> str:
        """Keep the JSON text of an answer; its id, or an empty text when it is too long to be kept."""
        if len(text) > self._max_bytes:
            return ""
        self._number += 1
        name = f"r{self._number}"
        self._answers[name] = _Answer(owner_of(context), text)
        self._size += len(text)
        while self._size > self._max_bytes:
            _, oldest = self._answers.popitem(last=False)
            self._size -= len(oldest.text)
        return name

    def value(self, name: str, context: Call) -> Json:
        """A kept answer.

        Raises:
            NotFoundError: There is none of that id for whoever asks, or none any more.
        """
        found = self._answers.get(name)
        if found is None or found.owner != owner_of(context):
            raise NotFoundError(
                f"No result {name[:40]!r} is kept.",
                field="result",
                remedy="Call the tool that gave it again; only the last results of a run are kept.",
            )
        return parse_json(found.text)


def owner_of(context: Call) -> Owner:
    """Who may read what a call was answered."""
    return context.principal.user, context.principal.key_id or "", context.run or ""


def reader(kept: Callable[[], KeptAnswers], *, limit: int) -> "Callable[[JsonObject, Call], ToolResult]":
    """The handler of the tool that reads kept answers.

    Args:
        kept: Gives the store.
        limit: Most characters that are shown at once.
    """

    def read(arguments: JsonObject, context: Call) -> ToolResult:
        name = as_text(arguments.get("result")) or ""
        value = _at(kept().value(name, context), as_text(arguments.get("pointer")) or "")
        offset, most = arguments.get("offset", 0), arguments.get("limit")
        start = offset if isinstance(offset, int) else 0
        count = most if isinstance(most, int) else None
        text, part, after, length = _part(value, start, count, limit)
        if after < length:
            text += f"\n[{start} to {after - 1} of {length}. Next: offset {after}.]"
        return ToolResult(call_id="", name=READER, content=(Text(text),), structured=part)

    return read


def _part(value: Json, start: int, most: int | None, limit: int) -> tuple[str, Json, int, int]:
    """What is shown of a value from a place on: its text, itself, where it ends, and the whole length."""
    if isinstance(value, str):
        end = min(len(value), start + min(most or limit, limit))
        return value[start:end], value[start:end], end, len(value)
    if isinstance(value, list):
        kept, end = _fitting([dump_json(one) for one in value[start:]], most, limit)
        return f"[{','.join(kept)}]", value[start : start + end], start + end, len(value)
    if isinstance(value, dict):
        names = list(value)[start:]
        texts = [f"{dump_json(name)}:{dump_json(value[name])}" for name in names]
        kept, end = _fitting(texts, most, limit)
        part: JsonObject = {name: value[name] for name in names[:end]}
        return f"{{{','.join(kept)}}}", part, start + end, len(value)
    return dump_json(value), value, 1, 1


def _fitting(texts: list[str], most: int | None, limit: int) -> tuple[list[str], int]:
    """As many as fit, at least one: a single one that is too long is cut, and says how long it is."""
    kept: list[str] = []
    for text in texts[:most]:
        limit -= len(text) + 1
        if limit < 0 and kept:
            break
        kept.append(text if limit >= 0 else f"{text[: limit + len(text)]}… (+{-limit} characters)")
    return kept, len(kept)


def _at(value: Json, pointer: str) -> Json:
    """What a JSON pointer leads to.

    Raises:
        InvalidRequestError: It leads nowhere; the remedy says what is there.
    """
    for part in pointer.split("/")[1:] if pointer.startswith("/") else [pointer] if pointer else []:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isascii() and key.isdecimal() and int(key[:9]) < len(value):
            value = value[int(key[:9])]
        else:
            there = (
                f"fields {', '.join(list(value)[:20])}"
                if isinstance(value, dict)
                else f"{len(value)} elements"
                if isinstance(value, list)
                else "no parts"
            )
            raise InvalidRequestError(
                f"The pointer {pointer[:80]!r} leads nowhere: there is no {key[:40]!r}.",
                field="pointer",
                remedy=f"What stands there has {there}.",
            )
    return value
