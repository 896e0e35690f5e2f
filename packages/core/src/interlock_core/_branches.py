"""How often a validator may have to look at one place of a value: what makes a small schema a bomb.

A validator tries every branch of `anyOf` and its like at the same place. Branches that refer to further
branches multiply: thirty definitions, each a choice between the next one and itself, are a billion tries for
one wrong word. The number is computed without trying: for each place below a schema, the tries of all the
branches that reach it are added up, each schema once. Recursion counts as one try, because how deep it goes
is the value's to say.
"""

from collections.abc import Iterator

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text

_HERE_LISTS = ("anyOf", "oneOf", "allOf")
_HERE_SINGLE = ("not", "if", "then", "else")
_HERE_MAPS = ("dependentSchemas",)
_BELOW_MAPS = ("properties", "patternProperties")
_BELOW_SINGLE = (
    *("items", "additionalProperties", "unevaluatedProperties", "unevaluatedItems"),
    *("contains", "propertyNames"),
)


def most_tries(schema: JsonObject) -> int:
    """The largest number of schemas that may be tried at one place of a value."""
    return _Branches(schema).tries(schema)


class _Branches:
    """One schema, each of its parts weighed once.

    Args:
        root: What references point into.
    """

    def __init__(self, root: JsonObject) -> None:
        self._root = root
        self._here: dict[int, int | None] = {}
        self._below: dict[int, dict[str, int] | None] = {}

    def tries(self, schema: Json) -> int:
        """Tries at this place or at the worst place below it."""
        return max(self.here(schema), *self.below(schema).values(), 1)

    def here(self, schema: Json) -> int:
        """Schemas that are tried at the very place of this one, itself included."""
        if not isinstance(schema, dict):
            return 1
        known = self._here.get(id(schema), 0)
        if known is None:
            return 1
        if not known:
            self._here[id(schema)] = None
            known = 1 + sum(self.here(branch) for branch in self._branches(schema))
            self._here[id(schema)] = known
        return known

    def below(self, schema: Json) -> dict[str, int]:
        """Tries by the name of each place right below, those of all branches added up."""
        if not isinstance(schema, dict):
            return {}
        if id(schema) in self._below:
            return self._below[id(schema)] or {}
        self._below[id(schema)] = None
        found: dict[str, int] = {}
        for place, child in _children(schema):
            found[place] = found.get(place, 0) + self.tries(child)
        for branch in self._branches(schema):
            for place, tries in self.below(branch).items():
                found[place] = found.get(place, 0) + tries
        self._below[id(schema)] = found
        return found

    def _branches(self, schema: JsonObject) -> Iterator[Json]:
        for word in _HERE_LISTS:
            yield from as_array(schema.get(word))
        for word in _HERE_SINGLE:
            if word in schema:
                yield schema[word]
        for word in _HERE_MAPS:
            yield from as_object(schema.get(word)).values()
        target = as_text(schema.get("$ref"))
        if target is not None and target.startswith("#"):
            yield self._at(target)

    def _at(self, reference: str) -> Json:
        """What a reference into the schema itself points at; nothing that weighs where it points nowhere."""
        value: Json = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            value = _item(value, name) if isinstance(value, list) else as_object(value).get(name)
        return value


def _item(values: list[Json], name: str) -> Json:
    index = int(name) if name.isdecimal() and len(name) < 10 else len(values)
    return values[index] if index < len(values) else None


def _children(schema: JsonObject) -> Iterator[tuple[str, Json]]:
    for word in _BELOW_MAPS:
        for name, child in as_object(schema.get(word)).items():
            yield f"{word}/{name}", child
    for index, child in enumerate(as_array(schema.get("prefixItems"))):
        yield f"prefixItems/{index}", child
    for word in _BELOW_SINGLE:
        if word in schema:
            yield word, schema[word]
