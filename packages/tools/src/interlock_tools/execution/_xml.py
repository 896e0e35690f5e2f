"""Objects written as XML by the hints that a schema gives: names, attributes, wrapped lists, namespaces."""

from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_object, as_text
from interlock_tools.execution._styles import plain_text
from interlock_tools.openapi._ir import SchemaAt
from interlock_tools.openapi._merge import merged_all_of
from interlock_tools.openapi._references import References

_DEEPEST = 64
_LONGEST_CHAIN = 16


@dataclass(frozen=True, slots=True)
class _Hints:
    """What a schema says of its element."""

    schema: JsonObject
    base: str
    name: str | None

    @property
    def xml(self) -> JsonObject:
        return as_object(self.schema.get("xml"))


def as_xml(value: Json, at: SchemaAt | None, references: References) -> str:
    """The document for a body. Its outermost element has the schema's name, else `root`.

    Raises:
        InvalidRequestError: It is nested too deeply.
    """
    hints = _hints(at, references)
    writer = _Writer(references)
    name = _element_name(hints, hints.name or "root")
    return f'<?xml version="1.0" encoding="UTF-8"?>{writer.element(name, value, hints, 0)}'


class _Writer:
    def __init__(self, references: References) -> None:
        self._references = references

    def element(self, name: str, value: Json, hints: _Hints, depth: int) -> str:
        if depth > _DEEPEST:
            raise InvalidRequestError(
                "The XML body is nested too deeply.", field="body", remedy="Send a flatter object."
            )
        opening = name + _namespace(hints)
        if isinstance(value, dict):
            attributes, inner = self._members(value, hints, depth)
            return f"<{opening}{attributes}>{inner}</{name}>"
        if isinstance(value, list):
            inner = self._items(name, value, hints, depth)
            return f"<{opening}>{inner}</{name}>"
        return f"<{opening}>{escape(plain_text(value))}</{name}>"

    def _members(self, value: JsonObject, hints: _Hints, depth: int) -> tuple[str, str]:
        attributes = ""
        inner = ""
        properties = as_object(hints.schema.get("properties"))
        for key, item in value.items():
            own = _hints(SchemaAt(properties.get(key, {}), hints.base), self._references)
            name = _element_name(own, key)
            if own.xml.get("attribute") is True:
                attributes += f" {name}={quoteattr(plain_text(item))}"
            elif isinstance(item, list) and own.xml.get("wrapped") is not True:
                inner += self._items(name, item, own, depth + 1)
            else:
                inner += self.element(name, item, own, depth + 1)
        return attributes, inner

    def _items(self, name: str, items: list[Json], hints: _Hints, depth: int) -> str:
        own = _hints(SchemaAt(hints.schema.get("items", {}), hints.base), self._references)
        item_name = _element_name(own, name)
        return "".join(self.element(item_name, item, own, depth + 1) for item in items)


def _hints(at: SchemaAt | None, references: References) -> _Hints:
    value, base = (at.value, at.base) if at is not None else ({}, "")
    name: str | None = None
    for _ in range(_LONGEST_CHAIN):
        if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
            break
        target = references.target(value, base)
        value, base = target.value, target.base
        name = target.pointer.rpartition("/")[2]
    schema = as_object(value)
    merged = merged_all_of(schema, base, references)
    return _Hints(merged.schema if merged is not None else schema, base, name)


def _element_name(hints: _Hints, fallback: str) -> str:
    name = as_text(hints.xml.get("name")) or fallback
    prefix = as_text(hints.xml.get("prefix"))
    name = "".join(c if c.isalnum() or c in "_.-" else "_" for c in name) or "item"
    if not (name[0].isalpha() or name[0] == "_"):
        name = f"_{name}"
    return f"{prefix}:{name}" if prefix and prefix.isalnum() else name


def _namespace(hints: _Hints) -> str:
    namespace = as_text(hints.xml.get("namespace"))
    if not namespace:
        return ""
    prefix = as_text(hints.xml.get("prefix"))
    attribute = f"xmlns:{prefix}" if prefix and prefix.isalnum() else "xmlns"
    return f" {attribute}={quoteattr(namespace)}"
