"""What narrowing works with: a place in a schema, what became of it, and what was found on the way."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_text, dump_json
from interlock_providers.codecs._strict._forms import Form, Plain
from interlock_providers.codecs._strict._rules import Rules

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
SCALARS = frozenset(TYPES) - {"object", "array"}
ANNOTATIONS = frozenset(
    {
        *("description", "title", "default", "examples", "example", "deprecated", "readOnly", "writeOnly"),
        *("$schema", "$id", "$comment", "$anchor", "$defs", "definitions", "nullable", "discriminator"),
        *("xml", "externalDocs", "contentMediaType", "contentEncoding", "contentSchema"),
    }
)
"""Words that tell of values without limiting them."""
_TOLD = ("default",)
"""Annotations that a model is told in words, because the vendor takes no such word."""
ASSERTED = frozenset(
    {
        *("date", "time", "date-time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4"),
        *("ipv6", "uri", "uri-reference", "iri", "iri-reference", "uuid", "uri-template", "json-pointer"),
        *("relative-json-pointer", "regex"),
    }
)
"""Formats that are checked before a call is made; others are remarks."""
_OF_TYPE = {
    "object": frozenset(
        {
            *("properties", "required", "additionalProperties", "patternProperties", "propertyNames"),
            *("minProperties", "maxProperties", "dependentRequired", "dependentSchemas"),
            *("unevaluatedProperties", "dependencies"),
        }
    ),
    "array": frozenset(
        {
            *("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "minContains"),
            *("maxContains", "unevaluatedItems"),
        }
    ),
    "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
    "number": frozenset(
        {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"}
    ),
}
_ALIKE = {"integer": "number"}
_EVERY = frozenset[str]().union(*_OF_TYPE.values())
_MOST_SAID = 1_200


class NothingError(ValueError):
    """No value fits the schema."""


class UnfitSchemaError(ValueError):
    """The schema cannot be narrowed; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the arguments a schema stands.

    Attributes:
        path: Names from the root, `*` for any item or name.
        level: How many objects and lists lie around it toward the vendor, itself counted.
    """

    path: tuple[str, ...] = ()
    level: int = 1

    def child(self, name: str, levels: int = 1) -> "Place":
        """A place inside."""
        return Place((*self.path, name), self.level + levels)

    def __str__(self) -> str:
        return "/" + "/".join(self.path)


@dataclass(frozen=True, slots=True)
class Node:
    """What became of a schema.

    Attributes:
        wire: What the vendor is shown.
        form: How values are written.
    """

    wire: JsonObject
    form: Form

    def described(self, text: str) -> "Node":
        """The same with a description, unless it has one."""
        if not text or "description" in self.wire:
            return self
        wire = {"anyOf": [self.wire], "description": text} if "$ref" in self.wire else None
        return replace(self, wire=wire or {**self.wire, "description": text})


@dataclass(slots=True)
class Findings:
    """What a vendor does not hold a model to.

    Attributes:
        unenforced: Constraints, as `word at place`.
        lost: Shapes, as `what at place`.
        nulls: A property is told to be left out by null.
    """

    unenforced: dict[str, None] = field(default_factory=dict[str, None])
    lost: dict[str, None] = field(default_factory=dict[str, None])
    nulls: bool = False

    def unheld(self, words: Iterable[str], place: Place) -> None:
        """Constraints that are not enforced there."""
        self.unenforced.update({f"{word} at {place}": None for word in sorted(words)})

    def gone(self, what: str, place: Place) -> None:
        """A shape that is not enforced there."""
        self.lost[f"{what} at {place}"] = None


class Narrowing(Protocol):
    """What the narrowing of one kind of schema needs of the whole.

    Attributes:
        optional: How many properties may still be left out by leaving them out; None for any number.
    """

    optional: int | None

    @property
    def rules(self) -> Rules:
        """What the vendor takes."""
        ...

    @property
    def deepest(self) -> int | None:
        """Level beyond which values are written as JSON text."""
        ...

    @property
    def most_values(self) -> int | None:
        """Most values of one enumeration."""
        ...

    @property
    def findings(self) -> Findings:
        """What is not enforced."""
        ...

    def node(self, schema: Json, place: Place) -> Node:
        """What becomes of a schema at a place."""
        ...

    def text(self, schema: JsonObject, place: Place) -> Node:
        """Any value, written as JSON text."""
        ...

    def folded(self, schema: JsonObject, place: Place, what: str) -> Node:
        """A value whose shape the vendor does not take, written as JSON text."""
        ...

    def resolve(self, ref: str) -> Json:
        """What a reference leads to."""
        ...

    def may_be_null(self, schema: Json, depth: int = 0) -> bool:
        """Whether a schema may accept null."""
        ...


def kinds_of(schema: JsonObject) -> tuple[str, ...]:
    """The types that a schema names or implies; none when it leaves them open.

    A schema that speaks of properties, or of items, means an object, or a list.
    """
    told = schema.get("type")
    if isinstance(told, str):
        return (told,) if told in TYPES else ()
    if isinstance(told, list):
        named = [kind for kind in TYPES if kind in told]
        return tuple(kind for kind in named if not (kind == "integer" and "number" in named))
    if schema.keys() & {"properties", "required", "patternProperties", "additionalProperties"}:
        return ("object",)
    return ("array",) if schema.keys() & {"items", "prefixItems"} else ()


def of_kind(schema: JsonObject, kind: str) -> JsonObject:
    """The part of a schema that speaks of values of one type, without its annotations."""
    own = _OF_TYPE.get(_ALIKE.get(kind, kind), frozenset())
    made: JsonObject = {
        word: part
        for word, part in schema.items()
        if word not in ANNOTATIONS and (word not in _EVERY or word in own)
    }
    made["type"] = kind
    return made


def constraints(schema: JsonObject) -> set[str]:
    """The words of a schema that limit values."""
    return {
        word
        for word, part in schema.items()
        if word not in ANNOTATIONS
        and not word.startswith("x-")
        and (word, part) != ("uniqueItems", False)
        and (word != "format" or as_text(part) in ASSERTED)
    }


def told(schema: JsonObject, left: Iterable[str], *notes: str) -> JsonObject:
    """The description of a schema, with what the vendor is not told in its own words beside it."""
    said = as_text(schema.get("description")) or ""
    words = {*left, *(word for word in _TOLD if schema.get(word) is not None)}
    beside: JsonObject = {word: part for word, part in schema.items() if word in words}
    texts = [said, *notes]
    if beside:
        texts.append(clipped(dump_json(beside)))
    text = "\n\n".join(text for text in texts if text)
    return {"description": text} if text else {}


def clipped(text: str) -> str:
    """Text of a length that a prompt can bear."""
    return text if len(text) <= _MOST_SAID else text[: _MOST_SAID - 1] + "…"


def with_null(node: Node, *, lists: bool) -> Node:
    """The same, or null. Scalar values take a list of types where the vendor knows one."""
    wire = node.wire
    told_type = as_text(wire.get("type"))
    form: Form = node.form
    if lists and told_type in SCALARS - {"null"} and isinstance(form, Plain):
        values = None if form.values is None else (*form.values, None)
        made: JsonObject = {**wire, "type": [told_type, "null"]}
        if "const" in made:
            made["enum"] = [made.pop("const")]
        if "enum" in made:
            made["enum"] = [*as_array(made["enum"]), None]
        return Node(made, Plain(form.kinds | {"null"}, values))
    null: Json = {"type": "null"}
    text = as_text(wire.get("description"))
    inner: JsonObject = {name: part for name, part in wire.items() if name != "description"}
    several = as_array(inner.get("anyOf")) if inner.keys() == {"anyOf"} else [inner]
    outer: JsonObject = {"anyOf": [*several, null]}
    return Node({**outer, "description": text} if text else outer, form)
