"""The root of a tool's schema, which vendors take as a plain object in any mode."""

import re
from collections.abc import Mapping

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text, dump_json
from interlock_providers.codecs._strict._rules import Rules

_CHOICES = ("anyOf", "oneOf", "allOf")
_MOST_NAME = 64
_REFUSED = frozenset({*_CHOICES, "enum", "const", "not"})


def has_choices(parameters: JsonObject) -> bool:
    """Whether the root says more than which properties an object has."""
    return not _REFUSED.isdisjoint(parameters)


def as_input(schema: JsonObject) -> tuple[JsonObject, bool]:
    """A tool's parameters as vendors take them: an object, with no alternatives at its root.

    What the alternatives name is named by the object, and what they demand stands in its description.

    Returns:
        The schema, and whether it had to be changed in more than its type.
    """
    if not has_choices(schema):
        return (schema if schema.get("type") == "object" else {**schema, "type": "object"}), False
    made: JsonObject = {name: value for name, value in schema.items() if name not in _REFUSED}
    properties = dict(as_object(schema.get("properties")))
    required = [name for name in as_array(schema.get("required")) if isinstance(name, str)]
    for name in _CHOICES:
        for part in as_array(schema.get(name)):
            branch = _branch(schema, part)
            for key, value in as_object(branch.get("properties")).items():
                properties.setdefault(key, value)
            if name == "allOf":
                required += [key for key in map(as_text, as_array(branch.get("required"))) if key]
    made.update({"type": "object", "properties": properties})
    if required:
        made["required"] = [*dict.fromkeys(required)]
    words = dump_json({name: part for name, part in schema.items() if name in _REFUSED})
    said = schema.get("description")
    made["description"] = f"{said}\n\n{words}" if isinstance(said, str) and said else words
    return made, True


def _branch(schema: JsonObject, part: Json) -> JsonObject:
    """A part, or what it refers to."""
    ref = as_text(as_object(part).get("$ref"))
    if ref is None:
        return as_object(part)
    found: Json = schema
    for step in ref.removeprefix("#/").split("/") if ref.startswith("#/") else ():
        found = as_object(found).get(step.replace("~1", "/").replace("~0", "~"))
    return as_object(found) if ref.startswith("#/") else {}


def is_strange(parameters: JsonObject, rules: Rules) -> bool:
    """Whether a vendor refuses a schema in any mode, for its root or for how an argument is called."""
    return (rules.plain_root and has_choices(parameters)) or has_strange_names(parameters, rules)


def has_strange_names(parameters: Mapping[str, Json], rules: Rules) -> bool:
    """Whether a vendor refuses, in any mode, how an argument is called."""
    if rules.strange_name is None:
        return False
    strange = re.compile(rules.strange_name).search
    names = as_object(parameters.get("properties"))
    return any(not name or len(name) > _MOST_NAME or strange(name) is not None for name in names)
