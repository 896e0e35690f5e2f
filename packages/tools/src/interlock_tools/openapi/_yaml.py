"""YAML read as JSON: the core schema of YAML 1.2, no tags that build objects, bounded in every direction.

`on`, `yes` and dates stay texts, keys are taken as they are written, merge keys (`<<`) are honoured.
Aliases share what they name, and are counted as if they were written out, so that a small text cannot
stand for a huge document.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from interlock_core.jsontypes import Json, JsonObject

if TYPE_CHECKING:
    import yaml

_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_STARTS_VALUE = frozenset("+-.0123456789~nNtTfF")
_STANDARD_TAG = "tag:yaml.org,2002:"
_OBJECT_TAG = f"{_STANDARD_TAG}python/"
_LONGEST_NUMBER = 400


class YamlError(ValueError):
    """The text is no YAML that can be read as JSON; the message names line and column."""


def parse_yaml(text: str, *, max_nodes: int, max_depth: int) -> tuple[Json, tuple[str, ...]]:
    """Read the first document of a YAML text.

    Args:
        text: The text.
        max_nodes: Most nodes, with every alias counted as what it stands for.
        max_depth: Most levels of nesting.

    Returns:
        The value, and notes on what was tolerated.

    Raises:
        YamlError: It is no YAML, or breaks a limit.
    """
    import yaml

    reader = _Reader(max_nodes=max_nodes, max_depth=max_depth)
    try:
        return reader.read(_events(yaml.CSafeLoader(text)))
    except yaml.YAMLError as exc:
        raise YamlError(_first_line(str(exc))) from exc


def _events(loader: "yaml.CSafeLoader") -> "Iterator[yaml.Event]":
    try:
        while (event := loader.get_event()) is not None:
            yield event
    finally:
        loader.dispose()


class _Open:
    """A container that is being read."""

    __slots__ = ("anchor", "array", "key", "line", "merged", "object", "weight")

    def __init__(self, *, array: bool, anchor: str | None, line: int) -> None:
        self.array: list[Json] | None = [] if array else None
        self.object: JsonObject = {}
        self.key: str | None = None
        self.merged: list[JsonObject] = []
        self.anchor = anchor
        self.weight = 1
        self.line = line

    @property
    def value(self) -> Json:
        return self.object if self.array is None else self.array


class _Reader:
    __slots__ = ("_anchors", "_max_depth", "_max_nodes", "_nodes", "_notes", "_root", "_stack")

    def __init__(self, *, max_nodes: int, max_depth: int) -> None:
        self._max_nodes = max_nodes
        self._max_depth = max_depth
        self._nodes = 0
        self._anchors: dict[str, tuple[Json, int] | None] = {}
        self._notes: list[str] = []
        self._stack: list[_Open] = []
        self._root: list[Json] = []

    def read(self, events: "Iterator[yaml.Event]") -> tuple[Json, tuple[str, ...]]:
        import yaml

        for event in events:
            _refuse_object(event)
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._open(event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._close()
                case yaml.AliasEvent():
                    self._alias(event)
                case yaml.DocumentStartEvent() if self._root:
                    self._refuse_second(event, events)
                    break
                case _:
                    pass
        return (self._root[0] if self._root else None), tuple(self._notes)

    def _refuse_second(self, start: "yaml.Event", events: "Iterator[yaml.Event]") -> None:
        """A second document is none to choose from; a marker at the end with nothing behind it is noted."""
        import yaml

        first = next(events, None)
        if not isinstance(first, yaml.ScalarEvent) or first.value:
            raise YamlError(f"line {_line(start)}: a second YAML document begins.")
        self._notes.append(f"line {_line(start)}: an empty YAML document follows, which is left out.")

    def _scalar(self, event: "yaml.ScalarEvent") -> None:
        text = event.value
        plain = event.implicit[0]
        top = self._stack[-1] if self._stack else None
        if top is not None and top.array is None and top.key is None:
            self._begin_entry(top, text if plain or text != "<<" else "<<\0", _line(event))
            return
        value: Json = text
        if plain and (not text or text[0] in _STARTS_VALUE):
            value = _resolve(text)
        elif event.tag is not None and event.tag.startswith(_STANDARD_TAG):
            value = _tagged(event.tag.removeprefix(_STANDARD_TAG), text)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        self._add(value, 1)

    def _begin_entry(self, top: _Open, key: str, line: int) -> None:
        self._count(1, line)
        name = key.removesuffix("\0")
        if key in top.object:
            self._notes.append(f"line {line}: the key {name[:80]!r} is written twice; the last one counts.")
        top.key = key

    def _open(self, event: "yaml.MappingStartEvent | yaml.SequenceStartEvent") -> None:
        import yaml

        line = _line(event)
        if len(self._stack) >= self._max_depth:
            raise YamlError(f"line {line}: nested deeper than {self._max_depth} levels.")
        top = self._stack[-1] if self._stack else None
        if top is not None and top.array is None and top.key is None:
            raise YamlError(f"line {line}: a key must be a text, not a list or an object.")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        array = isinstance(event, yaml.SequenceStartEvent)
        self._stack.append(_Open(array=array, anchor=event.anchor, line=line))

    def _close(self) -> None:
        done = self._stack.pop()
        if done.merged:
            own = dict(done.object)
            done.object.clear()
            for mapping in reversed(done.merged):
                done.object.update(mapping)
            done.object.update(own)
        if done.anchor is not None:
            self._anchors[done.anchor] = (done.value, done.weight)
        self._add(done.value, done.weight, counted=True)

    def _alias(self, event: "yaml.AliasEvent") -> None:
        name = event.anchor
        line = _line(event)
        if name not in self._anchors:
            raise YamlError(f"line {line}: the alias *{name[:80]} names nothing.")
        known = self._anchors[name]
        if known is None:
            raise YamlError(f"line {line}: the alias *{name[:80]} stands inside what it names.")
        value, weight = known
        top = self._stack[-1] if self._stack else None
        if top is not None and top.array is None and top.key is None:
            if not isinstance(value, str):
                raise YamlError(f"line {line}: a key must be a text.")
            self._begin_entry(top, value, line)
            return
        self._add(value, weight)

    def _add(self, value: Json, weight: int, *, counted: bool = False) -> None:
        if not counted:
            self._count(weight, self._stack[-1].line if self._stack else 1)
        if not self._stack:
            self._count(1 if counted else 0, 1)
            self._root.append(value)
            return
        top = self._stack[-1]
        top.weight += weight
        if top.array is not None:
            top.array.append(value)
            return
        key = top.key
        top.key = None
        assert key is not None
        if key == "<<" and _merges(value):
            top.merged.extend(_mappings(value))
        else:
            top.object[key.removesuffix("\0")] = value

    def _count(self, weight: int, line: int) -> None:
        self._nodes += weight
        if self._nodes > self._max_nodes:
            raise YamlError(
                f"line {line}: more than {self._max_nodes} values once every alias is written out."
            )


def _refuse_object(event: "yaml.Event") -> None:
    tag: object = getattr(event, "tag", None)
    if not isinstance(tag, str) or tag == "!":
        return
    if tag.startswith(_OBJECT_TAG):
        name = tag.removeprefix(_STANDARD_TAG)[:80]
        raise YamlError(f"line {_line(event)}: the tag !!{name} asks for an object of a program.")
    if not tag.startswith(_STANDARD_TAG):
        raise YamlError(f"line {_line(event)}: the tag {tag[:80]} is none of YAML's own.")


def _merges(value: Json) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, dict) for item in value)
    return isinstance(value, dict)


def _mappings(value: Json) -> list[JsonObject]:
    if isinstance(value, list):
        return [item for item in value if isinstance(item, dict)]
    return [value] if isinstance(value, dict) else []


def _resolve(text: str) -> Json:
    """The value of a plain scalar by the core schema; infinities and NaN stay texts, JSON has none."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if abs(number) != float("inf") else text
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    return int(text[2:], 16) if _HEX.fullmatch(text) else text


def _tagged(tag: str, text: str) -> Json:
    """The value of a scalar with one of YAML's own tags."""
    if tag in {"int", "float", "bool", "null"}:
        return _resolve(text)
    return text


def _line(event: "yaml.Event") -> int:
    mark = event.start_mark
    return int(mark.line) + 1


def _first_line(text: str) -> str:
    return " ".join(text.split())[:300]
