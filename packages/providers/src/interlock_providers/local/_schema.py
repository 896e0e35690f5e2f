"""What the decoder can hold of a JSON Schema.

The decoder knows most of JSON Schema and, faced with a word that it does not know, drops the whole
schema without a sound. So each schema is translated first:

- words that only describe are left out;
- words that it cannot hold are left out as well, and the result says so (`exact` is False): then what
  comes is validated against the whole schema, and made again when it does not fit;
- what is open is closed: an object holds the properties that it names. That forbids nothing that is
  needed, and keeps a model from inventing fields for ever;
- with `Bounds`, texts, lists and numbers without limits get some, so that a small model's answer ends.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

from interlock_core.jsontypes import (
    Json,
    JsonObject,
    as_array,
    as_int,
    as_number,
    as_object,
    as_text,
    dump_json,
)
from interlock_core.toolspec import ToolSpec
from interlock_providers.codecs import Strictness

_LIMITS = frozenset(
    {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
    }
)
_KEPT = frozenset({"$ref", "type", "enum", "const", "required"})
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_LISTS = frozenset({"anyOf", "allOf", "prefixItems"})
_SINGLE = frozenset({"items", "additionalProperties"})
_DESCRIBING = frozenset(
    {
        "title",
        "description",
        "default",
        "example",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$schema",
        "$id",
        "$comment",
        "$anchor",
        "nullable",
        "discriminator",
        "xml",
        "externalDocs",
        "contentMediaType",
        "contentEncoding",
        "contentSchema",
    }
)
_FORMATS = frozenset({"date", "time", "date-time", "duration", "uuid", "email", "hostname", "ipv4", "ipv6"})
_NOT_HELD_PATTERN = re.compile(r"\(\?[=!<]|\\[bBAzZ1-9kKcehgGQERX]|\(\?P|\{,|\[\^?\[|--|&&|~~|\|\|")
_ESCAPED_OR_CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_TYPE_OF_WORD = (
    ("object", frozenset({"properties", "patternProperties", "additionalProperties", "minProperties"})),
    ("array", frozenset({"items", "prefixItems", "minItems", "maxItems", "uniqueItems"})),
    ("string", frozenset({"minLength", "maxLength", "pattern", "format"})),
    ("number", frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})),
)
_COMPOSING = frozenset({"anyOf", "oneOf", "allOf", "$ref", "not", "if"})
_MOST_SETS = 64
_MOST_PATTERN = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits for what a schema leaves open.

    Attributes:
        text: Characters of a text.
        scalar_text: Characters of a text whose place allows anything.
        items: Items of a list.
        properties: Properties of an object that names none.
        number: Size of a number.
    """

    text: int = 240
    scalar_text: int = 120
    items: int = 8
    properties: int = 8
    number: int = 999_999_999


@dataclass(frozen=True, slots=True)
class Decodable:
    """A schema that the decoder can hold.

    Attributes:
        schema: The schema.
        exact: What fits it fits the schema that it was made from.
        left: Words that were left out, sorted.
        narrowed: It takes less than the schema: values of any kind are scalars there.
    """

    schema: JsonObject
    exact: bool
    left: tuple[str, ...] = ()
    narrowed: bool = False


def decodable(schema: JsonObject, *, bounds: Bounds | None = None, loose: bool = False) -> Decodable:
    """Translate a schema.

    Args:
        schema: Any JSON Schema of draft 2020-12 that refers to nothing outside itself.
        bounds: Limits for what it leaves open; None leaves it open.
        loose: Leave out limits, patterns and formats too, for a schema that the decoder still refused.
    """
    translator = _Translator(bounds, loose, merging='"allOf"' in dump_json(schema))
    node = translator.node(schema, free=True)
    left = tuple(sorted(translator.left))
    return Decodable(as_object(node), not left, left, translator.narrowed)


def strictness(tools: Sequence[ToolSpec]) -> tuple[Strictness, ...]:
    """What the embedded model's constrained decoding means for each of some tools.

    It is always held to a schema; what the decoder leaves out is validated afterwards, and made again.
    """
    made: list[Strictness] = []
    for tool in tools:
        held = decodable(tool.parameters, bounds=Bounds())
        lost = ("values of any kind are held to scalars",) if held.narrowed else ()
        grade = "strict-approximate" if lost else "strict-lossless"
        made.append(Strictness(name=tool.name, grade=grade, unenforced=held.left, lost=lost))
    return tuple(made)


class _Translator:
    """One translation; `left` gathers what was left out."""

    def __init__(self, bounds: Bounds | None, loose: bool, *, merging: bool) -> None:
        self.left: set[str] = set()
        self.narrowed = False
        self._bounds = bounds
        self._loose = loose
        self._merging = merging

    def node(self, value: Json, *, free: bool) -> Json:
        """Translate one schema.

        Args:
            value: The schema.
            free: No other schema applies at the same place, so that it may be narrowed.
        """
        free = free and not self._merging
        if not isinstance(value, dict):
            return self._anything() if value is True and free else value
        sets = None if self._loose else _unordered_sets(value)
        if sets is not None:
            return {"enum": sets}
        made: JsonObject = {}
        for word, given in value.items():
            self._word(made, word, given, alone=free and self._only_composes(value))
        self._leave_counts(made, alone=free)
        if not made:
            return self._anything() if free else {}
        if "type" not in made and not _COMPOSING & made.keys() and not {"enum", "const"} & made.keys():
            self._guess_type(made)
        if free and not _COMPOSING & made.keys():
            self._narrow(made)
        return made

    def _leave_counts(self, made: JsonObject, *, alone: bool) -> None:
        """Leave out how many properties an object has, unless no property that it names is optional."""
        named = as_object(made.get("properties")).keys()
        if alone and named <= {as_text(name) for name in as_array(made.get("required"))}:
            return
        counts = made.keys() & {"minProperties", "maxProperties"}
        self.left |= counts
        for word in counts:
            del made[word]

    @staticmethod
    def _only_composes(value: JsonObject) -> bool:
        others = value.keys() - _DESCRIBING - {"$defs", "definitions"}
        return bool(others) and others <= {"anyOf", "oneOf"}

    def _word(self, made: JsonObject, word: str, given: Json, *, alone: bool) -> None:
        if word in _KEPT or (word in _LIMITS and not self._loose):
            made[word] = given
        elif word in _MAPS:
            inner = as_object(given)
            made[word] = {name: self.node(inner[name], free=not self._merging) for name in inner}
        elif word in _LISTS:
            inside = alone or word == "prefixItems"
            made[word] = [self.node(item, free=inside) for item in as_array(given)]
        elif word == "oneOf":
            made["anyOf"] = [self.node(item, free=alone) for item in as_array(given)]
            self.left.add(word)
        elif word in _SINGLE:
            made[word] = self.node(given, free=True)
        elif word in {"pattern", "format"} and self._held(word, as_text(given) or ""):
            made[word] = given
            # A format's form is held, and not all of its meaning.
            self.left |= {word} - {"pattern"}
        elif (
            word not in _DESCRIBING and not word.startswith("x-") and (word, given) != ("uniqueItems", False)
        ):
            self.left.add(word)

    def _held(self, word: str, given: str) -> bool:
        if self._loose:
            return False
        return given in _FORMATS if word == "format" else _holds_pattern(given)

    @staticmethod
    def _guess_type(made: JsonObject) -> None:
        for name, words in _TYPE_OF_WORD:
            if words & made.keys():
                made["type"] = name
                return

    def _narrow(self, made: JsonObject) -> None:
        if "enum" in made or "const" in made:
            return
        kinds = made.get("type")
        names = kinds if isinstance(kinds, list) else [kinds]
        narrowing: dict[str, Callable[[JsonObject], None]] = {
            "object": self._narrow_object,
            "array": self._narrow_array,
            "string": self._narrow_text,
            "integer": self._narrow_number,
            "number": self._narrow_number,
        }
        for name in names:
            narrow = narrowing.get(as_text(name) or "")
            if narrow is not None:
                narrow(made)

    def _narrow_object(self, made: JsonObject) -> None:
        named = as_object(made.get("properties")).keys()
        needed = {as_text(name) for name in as_array(made.get("required"))}
        closes = not self._loose and bool(named or "patternProperties" in made) and needed <= named
        if closes:
            made.setdefault("additionalProperties", False)
        if self._bounds is None or named:
            return
        made.setdefault("additionalProperties", self._anything())
        most = max(self._bounds.properties, len(needed), as_int(made.get("minProperties")) or 0)
        made.setdefault("maxProperties", most)

    def _narrow_array(self, made: JsonObject) -> None:
        if self._bounds is None:
            return
        made.setdefault("items", self._anything())
        least = max(as_int(made.get("minItems")) or 0, len(as_array(made.get("prefixItems"))))
        made.setdefault("maxItems", max(least, self._bounds.items))

    def _narrow_text(self, made: JsonObject) -> None:
        if self._bounds is not None:
            made.setdefault("maxLength", max(as_int(made.get("minLength")) or 0, self._bounds.text))

    def _narrow_number(self, made: JsonObject) -> None:
        if self._bounds is None:
            return
        size = self._bounds.number
        low = as_number(made.get("minimum", made.get("exclusiveMinimum")))
        high = as_number(made.get("maximum", made.get("exclusiveMaximum")))
        if high is None:
            made["maximum"] = size if low is None else int(max(low, 0)) + size
        if low is None:
            made["minimum"] = -size if high is None else int(min(high, 0)) - size
        if made.get("type") == "number":
            made.setdefault("multipleOf", 0.001)

    def _anything(self) -> Json:
        if self._bounds is None:
            return {}
        self.narrowed = True
        text: Json = {"type": "string", "maxLength": self._bounds.scalar_text}
        number: Json = {"type": "integer", "minimum": -self._bounds.number, "maximum": self._bounds.number}
        return {"anyOf": [text, number, {"type": "boolean"}, {"type": "null"}]}


def _holds_pattern(pattern: str) -> bool:
    """Whether the decoder has every part of a regular expression: it knows `^` and `$` at the ends alone."""
    if len(pattern) > _MOST_PATTERN or _NOT_HELD_PATTERN.search(pattern):
        return False
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    inside = _ESCAPED_OR_CLASS.sub("", pattern)
    inside = inside.removeprefix("^").removesuffix("$")
    return "^" not in inside and "$" not in inside


def _unordered_sets(schema: JsonObject) -> list[Json] | None:
    """Every list of distinct values, each in the order of the enum, when that is what the schema asks for.

    None when it asks for something else, or there are too many of them.
    """
    choices = as_array(as_object(schema.get("items")).get("enum"))
    known = {"type", "items", "uniqueItems", "minItems", "maxItems"} | _DESCRIBING
    if schema.get("uniqueItems") is not True or not choices or not schema.keys() <= known:
        return None
    least = as_int(schema.get("minItems")) or 0
    most = as_int(schema.get("maxItems"))
    sizes = range(least, min(len(choices), len(choices) if most is None else most) + 1)
    if sum(comb(len(choices), size) for size in sizes) > _MOST_SETS:
        return None
    return [list(chosen) for size in sizes for chosen in combinations(choices, size)] or None
