"""Objects written as XML by the hints that a schema gives: names, kinds of nodes, wrapped lists, namespaces.

Source: the XML Object of OpenAPI 3.2, whose `nodeType` says what `attribute` and `wrapped` said before.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args
from xml.sax.saxutils import escape

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text
from interlock_tools.execution._styles import plain_text
from interlock_tools.openapi._ir import SchemaAt
from interlock_tools.openapi._merge import merged_all_of
from interlock_tools.openapi._references import References

_DEEPEST = 64
_LONGEST_CHAIN = 16
_NAME = re.compile(r"[^\W\d][\w.-]*")
_RESERVED = frozenset({"xml", "xmlns", "xsi"})
_UNSPEAKABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NIL = "http://www.w3.org/2001/XMLSchema-instance"
_WHITE = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;", '"': "&quot;"}

_Node: TypeAlias = Literal["element", "attribute", "text", "cdata", "none"]
"""What a schema's value becomes: `none` leaves its parts to the element around it."""


@dataclass(frozen=True, slots=True)
class _Hints:
    """What a schema says of its node."""

    schema: JsonObject
    base: str
    name: str | None
    xml: JsonObject

    def node(self, value: Json) -> _Node:
        for kind in get_args(_Node):
            if kind == self.xml.get("nodeType"):
                return kind
        if self.xml.get("attribute") is True:
            return "attribute"
        return "none" if isinstance(value, list) and self.xml.get("wrapped") is not True else "element"


@dataclass(slots=True)
class _Content:
    """What stands in an element.

    Attributes:
        attributes: By name, with their values.
        inner: The nodes between its tags.
    """

    attributes: dict[str, str] = field(default_factory=dict[str, str])
    inner: list[str] = field(default_factory=list[str])

    def element(self, name: str) -> str:
        """The element of that name."""
        written = "".join(f' {key}="{escape(value, _WHITE)}"' for key, value in self.attributes.items())
        return f"<{name}{written}>{''.join(self.inner)}</{name}>"


def as_xml(value: Json, at: SchemaAt | None, references: References) -> str:
    """The document for a body. Its outermost element has the schema's name, else `root`.

    Raises:
        InvalidRequestError: It is nested too deeply, or holds a character that XML does not have.
    """
    writer = _Writer(references)
    hints = writer.hints(at)
    name = _element_name(hints, hints.name or "root")
    content = writer.content(name, value, hints, 0)
    if writer.has_null:
        content.attributes = {"xmlns:xsi": _NIL, **content.attributes}
    return f'<?xml version="1.0" encoding="UTF-8"?>{content.element(name)}'


class _Writer:
    def __init__(self, references: References) -> None:
        self._references = references
        self.has_null = False
        self._scope: list[str] = []

    def content(self, name: str, value: Json, hints: _Hints, depth: int) -> _Content:
        """What stands in the element of a value."""
        content = _Content(_namespace(hints))
        if value is None:
            self.has_null = True
            content.attributes["xsi:nil"] = "true"
        else:
            self._scope += (prefixes := [_prefix(hints)] if as_text(hints.xml.get("namespace")) else [])
            self._fill(content, name, value, hints, depth)
            del self._scope[len(self._scope) - len(prefixes) :]
        return content

    def _fill(self, content: _Content, name: str, value: Json, hints: _Hints, depth: int) -> None:
        if depth > _DEEPEST:
            raise InvalidRequestError(
                "The XML body is nested too deeply.", field="body", remedy="Send a flatter object."
            )
        if isinstance(value, dict):
            properties = as_object(hints.schema.get("properties"))
            for key, item in value.items():
                if key not in properties and not _NAME.fullmatch(key):
                    raise InvalidRequestError(
                        f"{key[:60]!r} cannot be the name of an XML element.",
                        field="body",
                        remedy="Use letters, digits and `-_.`, a letter first.",
                    )
                own = self.hints(SchemaAt(properties.get(key, {}), hints.base))
                self._add(content, key, item, own, depth + 1)
        elif isinstance(value, list):
            ordered = as_array(hints.schema.get("prefixItems"))
            for number, item in enumerate(value):
                schema = ordered[number] if number < len(ordered) else hints.schema.get("items", {})
                own = self.hints(SchemaAt(schema, hints.base))
                if isinstance(item, list) and "nodeType" not in own.xml:
                    # A list in a list keeps an element of its own, so that both can be told apart.
                    own = replace(own, xml={**own.xml, "nodeType": "element"})
                self._add(content, name, item, own, depth + 1)
        else:
            content.inner.append(escape(_text(value)))

    def _add(self, content: _Content, fallback: str, value: Json, hints: _Hints, depth: int) -> None:
        """Put the node of a value into the element around it."""
        name = _element_name(hints, fallback, self._scope)
        match hints.node(value):
            case "element":
                content.inner.append(self.content(name, value, hints, depth).element(name))
            case "attribute" if value is not None:
                content.attributes |= {**_namespace(hints, of="attribute"), name: _text(value)}
            case "text":
                content.inner.append(escape(_text(value)))
            case "cdata":
                content.inner.append(f"<![CDATA[{_text(value).replace(']]>', ']]]]><![CDATA[>')}]]>")
            case "none" if value is not None:
                self._fill(content, name, value, hints, depth)
            case _:
                pass

    def hints(self, at: SchemaAt | None) -> _Hints:
        """What a schema behind its references says of its node; what stands beside one comes first."""
        value, base = (at.value, at.base) if at is not None else ({}, "")
        name: str | None = None
        beside: JsonObject = {}
        for _ in range(_LONGEST_CHAIN):
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                break
            beside = {**as_object(value.get("xml")), **beside}
            target = self._references.target(value, base)
            value, base = target.value, target.base
            name = target.pointer.rpartition("/")[2]
        merged = merged_all_of(as_object(value), base, self._references)
        schema = merged.schema if merged is not None else as_object(value)
        return _Hints(schema, base, name, {**as_object(schema.get("xml")), **beside})


def _text(value: Json) -> str:
    """A value as text that XML 1.0 can hold.

    Raises:
        InvalidRequestError: It holds a character that no document can.
    """
    text = plain_text(value)
    if _UNSPEAKABLE.search(text):
        raise InvalidRequestError(
            "A text holds a character that XML does not have.",
            field="body",
            remedy="Leave out control characters.",
        )
    return text


def _element_name(hints: _Hints, fallback: str, scope: Collection[str] = ()) -> str:
    """The name of a node; its prefix is left out where nothing says what it stands for."""
    name = as_text(hints.xml.get("name")) or fallback
    name = "".join(c if c.isalnum() or c in "_.-" else "_" for c in name) or "item"
    if not (name[0].isalpha() or name[0] == "_"):
        name = f"_{name}"
    prefix = _prefix(hints)
    declared = bool(as_text(hints.xml.get("namespace"))) or prefix in scope
    return f"{prefix}:{name}" if prefix and declared else name


def _prefix(hints: _Hints) -> str:
    """The prefix of a node; empty where it has none, or one that XML keeps for itself."""
    prefix = as_text(hints.xml.get("prefix")) or ""
    return prefix if _NAME.fullmatch(prefix) and prefix.lower() not in _RESERVED else ""


def _namespace(hints: _Hints, *, of: Literal["element", "attribute"] = "element") -> dict[str, str]:
    """The declaration of a node's namespace; an attribute has one only by its prefix."""
    namespace = as_text(hints.xml.get("namespace"))
    prefix = _prefix(hints)
    if namespace and prefix:
        return {f"xmlns:{prefix}": namespace}
    return {"xmlns": namespace} if namespace and of == "element" else {}
