"""`allOf` of plain objects becomes one object, where that changes nothing."""

from collections.abc import Collection
from dataclasses import dataclass, field

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_tools.openapi._references import References

_DEEPEST = 16
_SAID_ONLY = frozenset(
    {
        "title",
        "description",
        "example",
        "examples",
        "xml",
        "externalDocs",
        "deprecated",
        "discriminator",
        "default",
    }
)


@dataclass(frozen=True, slots=True)
class Merged:
    """A schema with its `allOf` merged into it.

    Attributes:
        schema: The schema.
        used: Identities of the definitions that were written out for it.
    """

    schema: JsonObject
    used: frozenset[int]


@dataclass(slots=True)
class _Flat:
    """What several plain objects say together."""

    references: References
    base: str
    avoid: Collection[int]
    used: set[int] = field(default_factory=set[int])
    properties: dict[str, Json] = field(default_factory=dict[str, Json])
    required: list[Json] = field(default_factory=list[Json])

    def add(self, name: str, schema: Json) -> None:
        known = self.properties.get(name)
        if known is None or schema == known:
            self.properties[name] = schema
        else:
            self.properties[name] = {"allOf": [known, schema]}

    def gather(self, raw: JsonObject, depth: int) -> bool:
        """Take in a schema and the parts of its `allOf`; False when one is no plain object."""
        if depth > _DEEPEST or not all(_is_plain(key, value, top=depth == 0) for key, value in raw.items()):
            return False
        for part in as_array(raw.get("allOf")):
            value = self._behind(part)
            if value is None or not self.gather(value, depth + 1):
                return False
        for name, schema in as_object(raw.get("properties")).items():
            self.add(name, schema)
        self.required.extend(as_array(raw.get("required")))
        return True

    def _behind(self, part: Json) -> JsonObject | None:
        """A part behind its references; None when it is no object, elsewhere, or not to be written out."""
        value = part
        for _ in range(_DEEPEST):
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                break
            if not all(key == "$ref" or says_only(key) for key in value):
                return None
            target = self.references.target(value, self.base)
            if target.base != self.base or id(target.value) in self.avoid:
                return None
            self.used.add(id(target.value))
            value = target.value
        return value if isinstance(value, dict) and "$ref" not in value else None


def merged_all_of(
    raw: JsonObject, base: str, references: References, *, avoid: Collection[int] = ()
) -> Merged | None:
    """A schema with its `allOf` merged into it, or None when its parts are not all plain objects.

    A plain object has properties, required names and annotations, and nothing else: so the merged
    schema accepts exactly what the parts accept together. Parts in other files are left apart.

    Args:
        raw: The schema.
        base: Address of its file.
        references: Resolves references.
        avoid: Identities of definitions that are not to be written out, because they are already.

    Raises:
        InvalidRequestError: A part is a reference to nothing.
    """
    if not as_array(raw.get("allOf")):
        return None
    flat = _Flat(references, base, avoid)
    if not flat.gather(raw, 0):
        return None
    kept = {key: value for key, value in raw.items() if key not in {"allOf", "properties", "required"}}
    kept["type"] = "object"
    kept["properties"] = flat.properties
    if flat.required:
        kept["required"] = flat.required
    return Merged(kept, frozenset(flat.used))


def single_link(raw: JsonObject) -> JsonObject | None:
    """The reference that an `allOf` is, when all else in it only annotates; None when it is more."""
    parts = as_array(raw.get("allOf"))
    links = [part for part in parts if isinstance(part, dict) and "$ref" in part]
    if len(links) != 1 or not all(key == "allOf" or says_only(key) or key == "nullable" for key in raw):
        return None
    said: JsonObject = {}
    for part in parts:
        if not isinstance(part, dict) or not all(key == "$ref" or says_only(key) for key in part):
            return None
        said.update(part)
    return {**said, **{key: value for key, value in raw.items() if key != "allOf"}}


def says_only(key: str) -> bool:
    """Whether a keyword only annotates."""
    return key in _SAID_ONLY or (key.startswith("x-") and key != "x-nullable")


def _is_plain(key: str, value: Json, *, top: bool) -> bool:
    match key:
        case "type":
            return value == "object"
        case "properties":
            return isinstance(value, dict)
        case "required" | "allOf":
            return isinstance(value, list)
        case "additionalProperties":
            return value is True or value == {}
        case "nullable" | "readOnly" | "writeOnly":
            return top or value is False
        case "discriminator":
            return True
        case _:
            return says_only(key)
