"""The narrowest change of a schema that a vendor enforces, and the form in which values are then written.

Every value that the schema accepts can be written in the form. What the vendor enforces may accept more:
the constraints that it does not know are listed, stand in descriptions, and are checked before a call is
made. Where a shape itself is more than the vendor takes (depth, recursion, schemas that cannot be joined),
the value is written as JSON text, and that is listed as lost. An object that names properties, or is the
arguments themselves, and does not say whether it may have others is held to those that it names.
"""

from collections.abc import Sequence
from urllib.parse import unquote

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text, dump_json
from interlock_providers.codecs._strict import _objects, _scalars
from interlock_providers.codecs._strict._choices import Branch, OneOf, may_meet
from interlock_providers.codecs._strict._forms import Form, JsonText, Named, Plain, Record, Wrapped
from interlock_providers.codecs._strict._merge import UnjoinableError, is_mere, joined
from interlock_providers.codecs._strict._parts import (
    ANNOTATIONS,
    SCALARS,
    TYPES,
    Findings,
    Node,
    NothingError,
    Place,
    UnfitSchemaError,
    clipped,
    constraints,
    kinds_of,
    of_kind,
    told,
    with_null,
)
from interlock_providers.codecs._strict._rules import Rules

_ROOT_KEY = "arguments"
_MOST_NODES = 20_000
_MOST_NESTED = 100


class Narrower:
    """One narrowing of one schema.

    Args:
        root: The schema, which its references lead into.
        rules: What the vendor takes.
        deepest: Level beyond which values are written as JSON text; None for no bound.
        most_values: Most values of one enumeration.
        optional: How many properties may be left out by leaving them out.
    """

    def __init__(
        self,
        root: JsonObject,
        rules: Rules,
        *,
        deepest: int | None = None,
        most_values: int | None = None,
        optional: int | None = None,
    ) -> None:
        self.rules = rules
        self.deepest = deepest
        self.most_values = most_values
        self.optional = optional
        self.findings = Findings()
        self._root = root
        self._beside: JsonObject = {word: root[word] for word in ("$defs", "definitions") if word in root}
        self._named: dict[tuple[str, int], tuple[str, Named]] = {}
        self._definitions: JsonObject = {}
        self._path: list[tuple[str, tuple[str, ...]]] = []
        self._nodes = 0

    def whole(self) -> Node:
        """The schema of the arguments, and their form.

        Raises:
            NothingError: It accepts nothing.
            UnfitSchemaError: It cannot be narrowed.
        """
        node = self.node(self._root, Place())
        wire: JsonObject = node.wire
        form = node.form
        ref = as_text(wire.get("$ref"))
        if ref is not None:
            wire = as_object(self._definitions[ref.removeprefix("#/$defs/")])
        if wire.get("type") != "object":
            inner: JsonObject = {_ROOT_KEY: node.wire}
            wire = {
                "type": "object",
                "properties": inner,
                "required": [_ROOT_KEY],
                "additionalProperties": False,
            }
            form = Wrapped(_ROOT_KEY, form)
        if self.findings.nulls:
            said = as_text(wire.get("description"))
            note = "null leaves an optional value out."
            wire = {**wire, "description": f"{said}\n\n{note}" if said else note}
        if self._definitions:
            wire = {**wire, "$defs": self._definitions}
        return Node(wire, form)

    def node(self, schema: Json, place: Place) -> Node:
        """What becomes of a schema at a place.

        Raises:
            NothingError: No value fits it.
            UnfitSchemaError: It cannot be narrowed.
        """
        self._count()
        if len(place.path) > _MOST_NESTED:
            raise UnfitSchemaError("its schema is nested too deeply")
        if schema is False:
            raise NothingError("no value fits")
        if not isinstance(schema, dict):
            return self.text({}, place)
        if "$ref" in schema:
            return self._referred(schema, place)
        if any(word in schema for word in ("allOf", "anyOf", "oneOf")):
            return self._composed(schema, place)
        if "enum" in schema or "const" in schema:
            return _scalars.enumerated(self, schema, place)
        kinds = kinds_of(schema)
        if not kinds:
            return self.text(schema, place)
        if len(kinds) > 1:
            return self._union([of_kind(schema, kind) for kind in kinds], schema, place)
        return self._typed(schema, next(iter(kinds)), place)

    def _count(self) -> None:
        """Bound the work: schemas that refer to each other can multiply beyond their size."""
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise UnfitSchemaError("its schema is too large")

    def _typed(self, schema: JsonObject, kind: str, place: Place) -> Node:
        left = constraints(schema) - constraints(of_kind(schema, kind))
        if left:
            schema = {word: part for word, part in schema.items() if word not in left}
        if kind in SCALARS:
            return _scalars.scalar(self, schema, kind, place)
        if self.deepest is not None and place.level > self.deepest:
            return self.folded(schema, place, "what is nested too deeply")
        return (_objects.record if kind == "object" else _objects.array)(self, schema, place)

    def text(self, schema: JsonObject, place: Place) -> Node:
        """Any value, written as JSON text; its constraints are checked later."""
        left = constraints(schema)
        self.findings.unheld(left, place)
        wire: JsonObject = {"type": "string", **told(schema, left, "Any value, written as JSON text.")}
        return Node(wire, JsonText())

    def folded(self, schema: JsonObject, place: Place, what: str) -> Node:
        """A value whose shape the vendor does not take, written as JSON text."""
        self.findings.gone(what, place)
        shown: JsonObject = {word: part for word, part in schema.items() if word not in ANNOTATIONS}
        note = f"Written as JSON text that fits: {clipped(dump_json(shown))}"
        return Node({"type": "string", **told(schema, (), note)}, JsonText())

    def resolve(self, ref: str) -> Json:
        """What a reference leads to.

        Raises:
            UnfitSchemaError: It leads nowhere in the schema.
        """
        self._count()
        if ref != "#" and not ref.startswith("#/"):
            raise UnfitSchemaError("it refers to something outside itself")
        found: Json = self._root
        for step in ref[2:].split("/") if ref != "#" else ():
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            match found:
                case dict() if key in found:
                    found = found[key]
                case list() if key.isdecimal() and int(key) < len(found):
                    found = found[int(key)]
                case _:
                    raise UnfitSchemaError("it refers to something that is not there")
        return found

    def may_be_null(self, schema: Json, depth: int = 0) -> bool:
        """Whether a schema may accept null, so that null cannot also say that a value is left out."""
        if depth > _MOST_NESTED or not isinstance(schema, dict):
            return depth > _MOST_NESTED
        ref = as_text(schema.get("$ref"))
        if ref is not None:
            return self.may_be_null(self.resolve(ref), depth + 1)
        if "enum" in schema or "const" in schema:
            return None in as_array(schema.get("enum")) or schema.get("const", 0) is None
        inside = [part for word in ("anyOf", "oneOf", "allOf") for part in as_array(schema.get(word))]
        return "null" in kinds_of(schema) or any(self.may_be_null(part, depth + 1) for part in inside)

    # ---- references

    def _referred(self, schema: JsonObject, place: Place) -> Node:
        ref = as_text(schema.get("$ref")) or ""
        beside: JsonObject = {word: part for word, part in schema.items() if word != "$ref"}
        if constraints(beside):
            return self._joined([beside, {"$ref": ref}], schema, place)
        ref = self._end_of(ref)
        text = as_text(schema.get("description")) or ""
        key = (ref, place.level if self.deepest is not None else 0)
        if (ref, place.path) in self._path:
            raise NothingError("it is defined by itself")
        if not self.rules.recursion and any(ref == known for known, _ in self._path):
            return self.folded(as_object(self.resolve(ref)), place, "recursion").described(text)
        if key not in self._named:
            self._name(key, place)
        name, named = self._named[key]
        return Node({"$ref": f"#/$defs/{name}"}, named).described(text)

    def _end_of(self, ref: str) -> str:
        """Where a chain of references that say nothing else ends."""
        seen: set[str] = set()
        while ref not in seen:
            seen.add(ref)
            target = self.resolve(ref)
            further = as_text(as_object(target).get("$ref"))
            if further is None or as_object(target).keys() != {"$ref"}:
                return ref
            ref = further
        raise UnfitSchemaError("it refers to itself and nothing else")

    def _name(self, key: tuple[str, int], place: Place) -> None:
        ref, level = key
        name = self._free_name(ref, level)
        named = Named(frozenset(TYPES))
        self._named[key] = (name, named)
        self._definitions[name] = {}
        self._path.append((ref, place.path))
        try:
            node = self.node(self.resolve(ref), place)
        except NothingError:
            del self._named[key], self._definitions[name]
            raise
        finally:
            self._path.pop()
        self._definitions[name] = node.wire
        named.settle(node.form)

    def _free_name(self, ref: str, level: int) -> str:
        last = "root" if ref == "#" else ref.rsplit("/", 1)[-1]
        plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "_-") else "_" for sign in last)
        name = f"{plain or 'root'}_{level}" if level else plain or "root"
        while name in self._definitions:
            name += "_"
        return name

    # ---- alternatives and what must all hold

    def _composed(self, schema: JsonObject, place: Place) -> Node:
        if "allOf" in schema:
            rest: JsonObject = {word: part for word, part in schema.items() if word != "allOf"}
            return self._joined([rest, *as_array(schema["allOf"])], schema, place)
        mere = [
            word
            for word in ("anyOf", "oneOf")
            if word in schema and all(is_mere(part) for part in as_array(schema[word]))
        ]
        if mere:
            self.findings.unheld(mere, place)
            base: JsonObject = {word: part for word, part in schema.items() if word not in mere}
            return self.node(base, place)
        if "anyOf" in schema and "oneOf" in schema:
            return self.folded(schema, place, "anyOf beside oneOf")
        word = "anyOf" if "anyOf" in schema else "oneOf"
        base = {name: part for name, part in schema.items() if name != word and name not in ANNOTATIONS}
        options = as_array(schema[word])
        if constraints(base):
            try:
                options = [joined(base, option, self.resolve) for option in options]
            except UnjoinableError as exc:
                return self.folded(schema, place, str(exc))
        if word == "oneOf" and len(options) > 1:
            self.findings.unheld(["oneOf"], place)
        return self._union(options, schema, place)

    def _joined(self, parts: Sequence[Json], schema: JsonObject, place: Place) -> Node:
        made: Json = {}
        try:
            for part in parts:
                made = joined(made, part, self.resolve)
        except UnjoinableError as exc:
            return self.folded(schema, place, str(exc))
        text = as_text(schema.get("description"))
        return self.node({**made, "description": text} if text and isinstance(made, dict) else made, place)

    def _union(self, options: Sequence[Json], schema: JsonObject, place: Place) -> Node:
        """One of several schemas; `schema` gives the description."""
        found: list[tuple[Json, Node]] = []
        for option in options:
            try:
                node = self.node(option, place)
            except NothingError:
                continue
            if not any(node.form.same and known.form.same and node.wire == known.wire for _, known in found):
                found.append((option, node))
        if not found:
            raise NothingError("no alternative can be met")
        text = told(schema, ()).get("description")
        said = text if isinstance(text, str) else ""
        if len(found) == 1:
            return found[0][1].described(said)
        simple = self._nullable(found)
        if simple is not None:
            return simple.described(said)
        branches = [self._branch(option, node, tag) for (option, node), tag in self._tagged(found)]
        wire: JsonObject = {
            "anyOf": [wire for wire, _ in branches],
            **({"description": said} if said else {}),
        }
        return Node(wire, OneOf([branch for _, branch in branches], self._definitions))

    def _nullable(self, found: Sequence[tuple[Json, Node]]) -> Node | None:
        """A scalar or null, which needs no alternatives."""
        nulls = [node for _, node in found if node.wire == {"type": "null"}]
        others = [node for _, node in found if node.wire != {"type": "null"}]
        if len(nulls) != 1 or len(others) != 1 or not isinstance(others[0].form, Plain):
            return None
        made = with_null(others[0], lists=self.rules.type_lists)
        return made if isinstance(made.wire.get("type"), list) else None

    def _tagged(self, found: Sequence[tuple[Json, Node]]) -> list[tuple[tuple[Json, Node], str | None]]:
        """Each alternative, with a tag where its shape would not tell which it is."""
        forms = [node.form for _, node in found]
        unclear = {
            index
            for index, form in enumerate(forms)
            for other_index, other in enumerate(forms)
            if index != other_index and not (form.same and other.same) and may_meet(form, other)
        }
        taken = _single_names(forms)
        made: list[tuple[tuple[Json, Node], str | None]] = []
        for index, pair in enumerate(found):
            tag = _tag(pair[0], index, taken) if index in unclear else None
            if tag is not None:
                taken.add(tag)
            made.append((pair, tag))
        return made

    def _branch(self, option: Json, node: Node, tag: str | None) -> tuple[JsonObject, Branch]:
        whole: JsonObject = {**self._beside, **as_object(option)}
        wire: JsonObject = node.wire
        if tag is not None:
            inner: JsonObject = {tag: wire}
            wire = {"type": "object", "properties": inner, "required": [tag], "additionalProperties": False}
        return wire, Branch(form=node.form, schema=whole, wire=wire, tag=tag)


def _single_names(forms: Sequence[Form]) -> set[str]:
    """Names that stand alone in an object already, and so cannot be tags."""
    records = [shape for form in forms for shape in form.shapes() if isinstance(shape, Record)]
    return {name for record in records for name in record.possible}


def _tag(option: Json, index: int, taken: set[str]) -> str:
    schema = as_object(option)
    said = as_text(schema.get("title")) or (as_text(schema.get("$ref")) or "").rsplit("/", 1)[-1]
    plain = "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in said).strip("_")
    tag = plain[:40] or f"option_{index + 1}"
    while tag in taken:
        tag += "_"
    return tag
