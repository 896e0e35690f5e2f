"""Schemas of a document become self-contained JSON Schema 2020-12.

Each definition is converted once for the whole document; a tool gets the definitions that it reaches,
by the same objects. What is handed out is therefore shared: read it, never change it.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_text, dump_json
from interlock_tools.openapi._cycles import without_circles
from interlock_tools.openapi._ir import SchemaAt
from interlock_tools.openapi._keywords import HANDLERS, finish, with_null
from interlock_tools.openapi._merge import merged_all_of, single_link
from interlock_tools.openapi._names import DefinitionNames
from interlock_tools.openapi._problem import escape
from interlock_tools.openapi._prose import Prose
from interlock_tools.openapi._references import References, Target

_DEEPEST = 100
_LONGEST_ALIAS = 1_000
_LARGEST = 50_000
_DEEPEST_MERGE = 2
_AROUND_NAME = 4
_SCALARS = frozenset({"string", "integer", "number", "boolean"})
_LARGEST_INLINE_ENUM = 12
_LARGEST_INLINE = 400
_SIBLINGS = frozenset({"description", "default", "deprecated", "nullable", "x-nullable"})


@dataclass(frozen=True, slots=True)
class Built:
    """A converted schema.

    Attributes:
        schema: The schema; it may refer to `#/$defs/…`.
        refs: Names of the definitions that it refers to.
    """

    schema: Json
    refs: frozenset[str]


@dataclass(slots=True)
class _Definition:
    """A definition on its way: asked for, then converted, or found to be faulty."""

    target: Target
    schema: Json = None
    refs: frozenset[str] = frozenset()
    touching: frozenset[str] = frozenset()
    fault: InvalidRequestError | None = None
    size: int = -1


class SchemaBuilder:
    """Converts the schemas of one document for one direction.

    Args:
        references: Resolves references.
        siblings: Keywords beside `$ref` count (3.1 and later).
        output: Schemas of answers: `writeOnly` is left out instead of `readOnly`.
        words: Most characters of a description inside a schema.
        prose: Shortens descriptions.
    """

    def __init__(
        self, references: References, *, siblings: bool, output: bool = False, words: int, prose: Prose
    ) -> None:
        self.references = references
        self.siblings = siblings
        self.words = words
        self.prose = prose
        self._hidden_by = "writeOnly" if output else "readOnly"
        self._names = DefinitionNames()
        self._definitions: dict[str, _Definition] = {}
        self._waiting: deque[str] = deque()
        self._inlined: dict[int, Json] = {}
        self._faults: dict[str, InvalidRequestError] | None = {}

    def build(self, at: SchemaAt) -> Built:
        """Convert one schema.

        Raises:
            InvalidRequestError: It is no schema, too deep, or refers to nothing.
        """
        walk = _Walk(self, at.base)
        schema = walk.convert(at.value)
        return Built(schema, frozenset(walk.refs))

    def definitions(self, refs: Iterable[str]) -> dict[str, Json]:
        """Every definition that the named ones reach, nearest first.

        Raises:
            InvalidRequestError: One of them cannot be converted.
        """
        found = self.definitions_within(refs, None)
        assert found is not None
        return found

    def definitions_within(self, refs: Iterable[str], room: int | None) -> dict[str, Json] | None:
        """As `definitions`, or None when they have more than `room` characters in all.

        Raises:
            InvalidRequestError: One of those that are reached, near or far, cannot be converted.
        """
        self._convert_waiting()
        names = sorted(refs)
        self._raise_faults(names)
        reached: dict[str, Json] = {}
        queue = deque(names)
        while queue:
            name = queue.popleft()
            if name in reached:
                continue
            definition = self._definitions[name]
            reached[name] = definition.schema
            if room is not None:
                room -= self.size_of(name) + len(name) + _AROUND_NAME
                if room < 0:
                    return None
            queue.extend(sorted(definition.refs - reached.keys()))
        return reached

    def schema_of(self, name: str) -> Json:
        """A converted definition."""
        return self._definitions[name].schema

    def refs_of(self, name: str) -> frozenset[str]:
        """Names of the definitions that a converted definition refers to."""
        return self._definitions[name].refs

    def size_of(self, name: str) -> int:
        """Characters of a converted definition as JSON."""
        definition = self._definitions[name]
        if definition.size < 0:
            definition.size = len(dump_json(definition.schema))
        return definition.size

    def hides(self, raw: Json, base: str) -> bool:
        """Whether a property takes no part in this direction (`readOnly` in a request).

        Raises:
            InvalidRequestError: It is a reference to nothing.
        """
        if not isinstance(raw, dict):
            return False
        if raw.get(self._hidden_by) is True:
            return True
        if not isinstance(raw.get("$ref"), str):
            return False
        value = self.references.target(raw, base).value
        return isinstance(value, dict) and value.get(self._hidden_by) is True

    def name(self, target: Target) -> str:
        """The name under which a definition is known, asked for now if it was not before."""
        name = self._names.name(target)
        if name not in self._definitions:
            self._definitions[name] = _Definition(target)
            self._waiting.append(name)
        return name

    def inlined(self, target: Target) -> Json:
        """A small definition itself, or None when it is better referred to."""
        key = id(target.value)
        if key not in self._inlined:
            self._inlined[key] = self._inline(target)
        return self._inlined[key]

    def _inline(self, target: Target) -> Json:
        value = target.value
        if isinstance(value, bool):
            return value
        if not isinstance(value, dict) or value.keys() & {"allOf", "anyOf", "oneOf", "not", "if", "$ref"}:
            return None
        if as_text(value.get("type")) in _SCALARS:
            if len(as_array(value.get("enum"))) > _LARGEST_INLINE_ENUM:
                return None
        else:
            written = repr(value)
            if len(written) > _LARGEST_INLINE or "Ref'" in written or "$ref" in written:
                return None
        return _Walk(self, target.base).convert(value)

    def _raise_faults(self, names: list[str]) -> None:
        """Raise the fault of a definition that one of the named ones reaches."""
        if self._faults is None:
            self._faults = _spread_faults(self._definitions)
        for name in names:
            fault = self._faults.get(name)
            if fault is not None:
                raise fault

    def _convert_waiting(self) -> None:
        if not self._waiting:
            return
        fresh: set[str] = set()
        while self._waiting:
            name = self._waiting.popleft()
            definition = self._definitions[name]
            walk = _Walk(self, definition.target.base)
            try:
                definition.schema = walk.convert(definition.target.value)
            except InvalidRequestError as exc:
                definition.fault = exc
            definition.refs = frozenset(walk.refs)
            definition.touching = frozenset(walk.touching)
            fresh.add(name)
        if self._faults or any(self._definitions[name].fault is not None for name in fresh):
            self._faults = None
        self._open_circles(fresh)

    def _open_circles(self, fresh: set[str]) -> None:
        """A circle closes among definitions of one turn: those of earlier turns reach no newer ones."""
        touching = {
            name: self._definitions[name].touching for name in fresh if self._definitions[name].touching
        }
        if not touching:
            return
        schemas = {name: self._definitions[name].schema for name in fresh}
        for name, schema in without_circles(schemas, touching).items():
            self._definitions[name].schema = schema


class _Walk:
    """One schema on its way through the keywords."""

    __slots__ = (
        "_at",
        "_base",
        "_builder",
        "_depth",
        "_inside",
        "_root",
        "_size",
        "_written_out",
        "prose",
        "refs",
        "touching",
        "words",
    )

    def __init__(self, builder: SchemaBuilder, base: str) -> None:
        self._builder = builder
        self._base = base
        self._depth = 0
        self._size = 0
        self._inside = 0
        self._root: Json = None
        self._at: Json = None
        self._written_out: list[frozenset[int]] = []
        self.prose = builder.prose
        self.words = builder.words
        self.refs: set[str] = set()
        self.touching: set[str] = set()

    def convert(self, raw: Json) -> Json:
        """Convert the schema at the walk's start; errors name the place of the fault."""
        self._root = raw
        self._written_out = [frozenset({id(raw)})]
        try:
            return self.schema(raw)
        except InvalidRequestError as exc:
            if exc.field is not None:
                raise
            references = self._builder.references
            place = references.located(self._at, self._base) or references.located(raw, self._base)
            if place is None:
                raise
            raise place.fault(exc.message, remedy=exc.remedy or "") from exc

    def schema(self, raw: Json) -> Json:
        if isinstance(raw, bool):
            return raw
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            raise InvalidRequestError(
                "A schema is neither an object nor a boolean.", remedy="Write a schema."
            )
        if "$ref" in raw and not isinstance(raw["$ref"], str):
            raise InvalidRequestError("A `$ref` is no text.", remedy="Write a reference, or remove it.")
        self._depth += 1
        self._size += 1
        if self._depth > _DEEPEST or self._size > _LARGEST:
            raise InvalidRequestError(
                f"A schema is nested deeper than {_DEEPEST} levels or has more than {_LARGEST} parts.",
                remedy="Use references.",
            )
        try:
            return self._object(raw)
        finally:
            self._depth -= 1

    def within(self, raw: Json) -> Json:
        self._inside += 1
        try:
            return self.schema(raw)
        finally:
            self._inside -= 1

    def hidden(self, raw: Json) -> bool:
        return self._builder.hides(raw, self._base)

    def _object(self, raw: JsonObject) -> Json:
        self._at = raw
        if isinstance(raw.get("$ref", raw.get("$dynamicRef")), str):
            return self._reference(raw)
        if "allOf" not in raw:
            return self._keywords(raw)
        link = single_link(raw)
        if link is not None:
            return self._reference(link)
        if len(self._written_out) > _DEEPEST_MERGE:
            return self._keywords(raw)
        avoid = frozenset[int]().union(*self._written_out)
        merged = merged_all_of(raw, self._base, self._builder.references, avoid=avoid)
        if merged is None:
            return self._keywords(raw)
        self._written_out.append(merged.used)
        try:
            return self._keywords(merged.schema)
        finally:
            self._written_out.pop()

    def _keywords(self, raw: JsonObject) -> Json:
        out: JsonObject = {}
        for key, value in raw.items():
            handler = HANDLERS.get(key)
            if handler is not None:
                handler(self, key, value, out)
        self._forget_hidden(raw, out)
        return _collapsed(finish(raw, out))

    def _forget_hidden(self, raw: JsonObject, out: JsonObject) -> None:
        """Names of properties that are left out are no longer required."""
        required = out.get("required")
        declared = raw.get("properties")
        if isinstance(required, list) and isinstance(declared, dict):
            shown = out.get("properties")
            gone = declared.keys() - (shown.keys() if isinstance(shown, dict) else set[str]())
            if gone:
                left = [name for name in required if name not in gone]
                out["required"] = left
                if not left:
                    del out["required"]

    def _reference(self, raw: JsonObject) -> Json:
        target = self._aliased(self._resolve(raw))
        inline = self._builder.inlined(target)
        if inline is None:
            name = self._builder.name(target)
            self.refs.add(name)
            if not self._inside:
                self.touching.add(name)
            inline = _link(name)
        if len(raw) == 1 or not isinstance(inline, dict):
            return inline
        return self._beside(raw, inline)

    def _beside(self, raw: JsonObject, target: JsonObject) -> Json:
        """A reference with what stands beside it: all of it since 3.1, before that what only annotates."""
        keep = {key: v for key, v in raw.items() if key not in {"$ref", "$dynamicRef"}}
        if not self._builder.siblings:
            keep = {key: v for key, v in keep.items() if key in _SIBLINGS}
        out: JsonObject = {}
        for key, value in keep.items():
            handler = HANDLERS.get(key)
            if handler is not None:
                handler(self, key, value, out)
        if not out.keys() - {"description", "default", "deprecated"}:
            joined: JsonObject = {**target, **out}
        elif out.keys() & target.keys():
            joined = {"allOf": [target, finish(keep, out)]}
        else:
            joined = {**target, **finish({k: v for k, v in keep.items() if k != "nullable"}, out)}
        nullable = raw.get("nullable") is True or raw.get("x-nullable") is True
        return with_null(joined) if nullable else joined

    def _resolve(self, holder: JsonObject) -> Target:
        reference = str(holder.get("$ref", holder.get("$dynamicRef")))
        try:
            return self._builder.references.target(holder, self._base)
        except InvalidRequestError:
            near = _own_definition(self._root, reference)
            if near is not None:
                return Target(near, self._base, f"/{escape(reference)}")
            raise

    def _aliased(self, target: Target) -> Target:
        """The definition behind definitions that only refer on."""
        for _ in range(_LONGEST_ALIAS):
            value = target.value
            if not isinstance(value, dict) or len(value) != 1 or not isinstance(value.get("$ref"), str):
                return target
            target = self._builder.references.target(value, target.base)
        raise InvalidRequestError("The reference leads in a circle.", remedy="Let it point to a schema.")


def _spread_faults(definitions: Mapping[str, _Definition]) -> dict[str, InvalidRequestError]:
    """For each definition that is faulty or reaches a faulty one, the fault."""
    used_by: dict[str, list[str]] = {}
    for name, definition in definitions.items():
        for reference in definition.refs:
            used_by.setdefault(reference, []).append(name)
    faults = {name: d.fault for name, d in definitions.items() if d.fault is not None}
    queue = deque(faults)
    while queue:
        name = queue.popleft()
        for user in used_by.get(name, ()):
            if user not in faults:
                faults[user] = faults[name]
                queue.append(user)
    return faults


def _link(name: str) -> JsonObject:
    return {"$ref": f"#/$defs/{name}"}


def _own_definition(root: Json, reference: str) -> Json:
    """A definition inside the schema itself, which authors refer to as if the schema were the document."""
    head, _, name = reference.rpartition("/")
    if head not in {"#/$defs", "#/definitions"} or not isinstance(root, dict):
        return None
    own = root.get(head.removeprefix("#/"))
    return own.get(name) if isinstance(own, dict) else None


def _collapsed(schema: JsonObject) -> Json:
    """A combination of one schema is that schema, where nothing beside it says otherwise."""
    for key in ("allOf", "anyOf", "oneOf"):
        options = schema.get(key)
        if not isinstance(options, list) or len(options) != 1:
            continue
        only = options[0]
        rest = {name: value for name, value in schema.items() if name != key}
        if isinstance(only, dict) and not (only.keys() & rest.keys()) - {"description"}:
            if "$ref" in only and rest.keys() - {"description", "default", "deprecated"}:
                continue
            schema = {**only, **rest}
    return schema
