"""How large a schema is as a vendor counts, and whether it is one that the vendor enforces as it stands."""

from dataclasses import dataclass, field

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text
from interlock_providers.codecs._strict._rules import Limits, Rules

_PREFIX = "#/$defs/"
_SCALARS = frozenset({"string", "number", "integer", "boolean", "null"})
_MOST_PATTERN = 2_000
_SAID = frozenset({"description", "title"})


@dataclass(slots=True)
class Size:
    """The counts of one schema; see `Limits`.

    Attributes:
        properties: Properties of all objects.
        depth: Objects and lists within each other; recursion counts once.
        characters: Characters of names and values.
        values: Enumerated values.
        longest_enum: Characters of the longest enumeration of texts with many values.
        optional: Optional properties.
        unions: Places that take more than one type.
    """

    properties: int = 0
    depth: int = 0
    characters: int = 0
    values: int = 0
    longest_enum: int = 0
    optional: int = 0
    unions: int = 0

    def over(self, limits: Limits) -> str | None:
        """Which limit is not kept, or None."""
        for name, limit in (
            ("depth", limits.depth),
            ("values", limits.values),
            ("properties", limits.properties),
            ("characters", limits.characters),
            ("optional", limits.optional),
            ("unions", limits.unions),
        ):
            if limit is not None and getattr(self, name) > limit:
                return name
        most = limits.long_enum_characters
        return "longest_enum" if most is not None and self.longest_enum > most else None


def measure(schema: JsonObject, limits: Limits) -> Size:
    """The counts of a schema in a vendor's part of the language."""
    counter = _Counter(as_object(schema.get("$defs")), limits)
    size = counter.size
    counter.count(schema)
    for name, part in counter.definitions.items():
        size.characters += len(name)
        counter.count(part)
    size.depth = counter.depth(schema)
    return size


@dataclass(slots=True)
class _Counter:
    definitions: JsonObject
    limits: Limits
    size: Size = field(default_factory=Size)
    known: dict[str, int] = field(default_factory=dict[str, int])

    def count(self, schema: Json) -> None:
        node = as_object(schema)
        size = self.size
        properties = as_object(node.get("properties"))
        size.properties += len(properties)
        size.characters += sum(map(len, properties))
        size.optional += len(properties) - len(as_array(node.get("required")))
        several = isinstance(node.get("type"), list) or len(as_array(node.get("anyOf"))) > 1
        size.unions += several
        self._count_values(node)
        for part in (*properties.values(), *as_array(node.get("anyOf")), node.get("items")):
            if part is not None:
                self.count(part)

    def _count_values(self, node: JsonObject) -> None:
        size = self.size
        values = as_array(node.get("enum"))
        length = sum(len(value) for value in values if isinstance(value, str))
        size.values += len(values)
        size.characters += length + len(as_text(node.get("const")) or "")
        if self.limits.long_enum is not None and len(values) > self.limits.long_enum:
            size.longest_enum = max(size.longest_enum, length)

    def depth(self, schema: Json) -> int:
        node = as_object(schema)
        ref = as_text(node.get("$ref"))
        if ref is not None:
            return self._depth_of(ref.removeprefix(_PREFIX))
        inside = [self.depth(part) for part in as_object(node.get("properties")).values()]
        inside += [self.depth(part) for part in as_array(node.get("anyOf"))]
        inside += [self.depth(node["items"])] if "items" in node else []
        here = 1 if "properties" in node or "items" in node else 0
        return here + max(inside, default=0)

    def _depth_of(self, name: str) -> int:
        if name not in self.known:
            self.known[name] = 0
            self.known[name] = self.depth(self.definitions.get(name))
        return self.known[name]


def conforms(schema: JsonObject, rules: Rules) -> bool:
    """Whether a vendor enforces a schema as it stands."""
    if schema.get("type") != "object" or "properties" not in schema or "anyOf" in schema:
        return False
    definitions = as_object(schema.get("$defs"))
    parts = [{name: part for name, part in schema.items() if name != "$defs"}, *definitions.values()]
    if not rules.recursion and _recurs(definitions):
        return False
    if not all(_conforms(part, definitions, rules, 0) for part in parts):
        return False
    return measure(schema, rules.limits).over(rules.limits) is None


def _recurs(definitions: JsonObject) -> bool:
    """Whether a definition leads back to itself."""
    left = {name: _references(part) & definitions.keys() for name, part in definitions.items()}
    while left:
        ends = {name for name, leads in left.items() if not leads & left.keys()}
        if not ends:
            return True
        left = {name: leads for name, leads in left.items() if name not in ends}
    return False


def _references(schema: Json) -> set[str]:
    node = as_object(schema)
    found = {(as_text(node.get("$ref")) or "").removeprefix(_PREFIX)}
    parts = (*as_object(node.get("properties")).values(), *as_array(node.get("anyOf")), node.get("items"))
    return found.union(*(_references(part) for part in parts if part is not None))


def _conforms(schema: Json, definitions: JsonObject, rules: Rules, depth: int) -> bool:
    if not isinstance(schema, dict) or depth > 64:
        return False
    said = schema.keys() - _SAID
    if "$ref" in schema:
        ref = as_text(schema["$ref"]) or ""
        return schema.keys() == {"$ref"} and ref.removeprefix(_PREFIX) in definitions
    if "anyOf" in schema:
        branches = as_array(schema["anyOf"])
        return said == {"anyOf"} and all(_conforms(part, definitions, rules, depth + 1) for part in branches)
    kind = schema.get("type")
    if kind == "object":
        return _closed(schema, rules) and all(
            _conforms(part, definitions, rules, depth + 1)
            for part in as_object(schema["properties"]).values()
        )
    if kind == "array":
        allowed = {"type", "items", *rules.keywords.get("array", ())}
        return (
            said <= allowed
            and not (rules.few_items and schema.get("minItems", 0) not in (0, 1))
            and _conforms(schema.get("items"), definitions, rules, depth + 1)
        )
    return _is_scalar(schema, said, rules)


def _closed(schema: JsonObject, rules: Rules) -> bool:
    properties = as_object(schema.get("properties"))
    required = {name for name in as_array(schema.get("required")) if isinstance(name, str)}
    allowed = {"type", "properties", "required", "additionalProperties"} | _SAID
    if not schema.keys() <= allowed or schema.get("additionalProperties") is not False:
        return False
    if not isinstance(schema.get("properties"), dict) or not required <= properties.keys():
        return False
    if rules.one_required and not required:
        return False
    return not rules.all_required or required == properties.keys()


def _is_scalar(schema: JsonObject, said: set[str], rules: Rules) -> bool:
    told = schema.get("type")
    kinds = [told] if isinstance(told, str) else as_array(told)
    if not kinds or not all(kind in _SCALARS for kind in kinds):
        return False
    if isinstance(told, list) and not (rules.type_lists and len(told) == 2 and "null" in told):
        return False
    words = {word for kind in kinds for word in rules.keywords.get(str(kind), ())}
    if not said <= {"type", "enum", "const", *words}:
        return False
    values = as_array(schema.get("enum"))
    if any(isinstance(value, dict | list) for value in (*values, schema.get("const"))):
        return False
    return keeps(schema, rules)


def keeps(schema: JsonObject, rules: Rules) -> bool:
    """Whether the format and the regular expression of a text are ones that the vendor enforces."""
    if "format" in schema and as_text(schema["format"]) not in rules.formats:
        return False
    return "pattern" not in schema or holds_pattern(as_text(schema["pattern"]), rules)


def holds_pattern(pattern: str | None, rules: Rules) -> bool:
    """Whether a vendor enforces a regular expression."""
    import re

    unheld = rules.unheld_pattern
    if unheld is None or pattern is None or len(pattern) > _MOST_PATTERN or not pattern.isprintable():
        return False
    if re.search(unheld, pattern) is not None:
        return False
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True
