"""Objects and lists: closed, with every property told, and with maps and tuples in forms of their own."""

from collections.abc import Sequence

from interlock_core import Json, JsonObject
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import as_array, as_int, as_object, as_text
from interlock_core.schema import validator
from interlock_providers.codecs._strict._forms import (
    WRAPPED,
    Entries,
    Field,
    Form,
    Items,
    Places,
    Plain,
    Presence,
    Record,
)
from interlock_providers.codecs._strict._merge import UnjoinableError, joined
from interlock_providers.codecs._strict._parts import (
    Narrowing,
    Node,
    NothingError,
    Place,
    constraints,
    told,
    with_null,
)
from interlock_providers.codecs._strict._scalars import titled

_FURTHER = "additional_properties"
_CALLED = "called"
_UNDERSTOOD = frozenset({"type", "properties", "required", "additionalProperties"})
_ELSEWHERE = ("if", "then", "else", "not", "dependentSchemas")


def record(narrower: Narrowing, schema: JsonObject, place: Place) -> Node:
    """An object: one of properties, a map from free names, or both."""
    properties = _properties(narrower, schema)
    if properties is None:
        return narrower.folded(schema, place, "properties that only conditions name")
    required = {name for name in as_array(schema.get("required")) if isinstance(name, str)}
    values = _values_beyond(schema, named=bool(properties) or "properties" in schema or not place.path)
    left = constraints(schema) - _UNDERSTOOD
    if properties and values is not None:
        # An entry may bear the name of a property: what it then holds is judged when the call is checked.
        narrower.findings.unheld(["additionalProperties"], place)
    if not properties and values is not None:
        narrower.findings.unheld(left, place)
        return _map(narrower, schema, values, place)
    fields: list[tuple[Field, Json]] = []
    for name, part in properties.items():
        made = _field(narrower, name, part, place, required=name in required)
        if made is not None:
            fields.append(made)
        elif name in required:
            raise NothingError("a property that must be given cannot be")
    narrower.findings.unheld(left, place)
    entries = None
    if values is not None:
        entries = _entries(narrower, values, place, {field.wire for field, _ in fields})
        left -= {"patternProperties"}
    return _closed(narrower, schema, fields, entries, left, place)


def _properties(narrower: Narrowing, schema: JsonObject) -> JsonObject | None:
    """Every named property with its schema; None when a condition names further ones."""
    named = as_object(schema.get("properties"))
    beyond = _values_beyond(schema, named=True)
    made: JsonObject = dict(named)
    for name in as_array(schema.get("required")):
        if isinstance(name, str) and name not in made:
            made[name] = True if beyond is None and "additionalProperties" not in schema else beyond or False
    conditional = [as_object(schema.get(word)) for word in _ELSEWHERE[:-1]]
    conditional += [as_object(part) for part in as_object(schema.get(_ELSEWHERE[-1])).values()]
    if any(as_object(part.get("properties")).keys() - made.keys() for part in conditional):
        return None
    return _under_patterns(narrower, schema, made)


def _under_patterns(narrower: Narrowing, schema: JsonObject, named: JsonObject) -> JsonObject:
    """The named properties, each joined with what its name's patterns ask of it."""
    made = dict(named)
    for pattern, part in as_object(schema.get("patternProperties")).items():
        for name, own in made.items():
            if _fits(name, pattern):
                try:
                    made[name] = joined(own, part, narrower.resolve)
                except UnjoinableError:
                    continue
    return made


def _fits(name: str, pattern: str) -> bool:
    """Whether a pattern takes a name, found within bounds: the pattern is a document's."""
    try:
        return not validator({"pattern": pattern}).problems(name)
    except InvalidRequestError:
        return False


def _values_beyond(schema: JsonObject, *, named: bool) -> Json:
    """The schema of properties that are not named; None when there may be none."""
    patterns = list(as_object(schema.get("patternProperties")).values())
    further = schema.get("additionalProperties")
    if further is None and (named or patterns or schema.get("unevaluatedProperties") is False):
        further = False
    if further is None:
        further = True
    parts = [part for part in (*patterns, further) if part is not False]
    if not parts:
        return None
    if any(part is True or part == {} for part in parts):
        return True
    unique = [part for index, part in enumerate(parts) if part not in parts[:index]]
    return unique[0] if len(unique) == 1 else {"anyOf": [*unique]}


def _map(narrower: Narrowing, schema: JsonObject, values: Json, place: Place) -> Node:
    """A map from free names, as a list of entries."""
    if narrower.deepest is not None and place.level + 1 > narrower.deepest:
        return narrower.folded(schema, place, "what is nested too deeply")
    node = narrower.node(values, place.child("*", 2))
    left = constraints(schema) - _UNDERSTOOD - {"patternProperties"}
    note = told(schema, left, "A list of names and their values; each name once.")
    return Node({**_list_of(node), **titled(schema), **note}, Entries(node.form))


def _list_of(node: Node) -> JsonObject:
    name: Json = {"type": "string"}
    properties: JsonObject = {"name": name, "value": node.wire}
    required: list[Json] = ["name", "value"]
    entry: JsonObject = {"type": "object", "properties": properties, "required": required}
    return {"type": "array", "items": {**entry, "additionalProperties": False}}


def _entries(
    narrower: Narrowing, values: Json, place: Place, taken: set[str]
) -> tuple[str, Entries, JsonObject]:
    """The property that lists what has no name in the schema."""
    name = _FURTHER
    while name in taken:
        name += "_"
    node = narrower.node(values, place.child("*", 3))
    wire = {**_list_of(node), "description": "Further properties: names and their values, or an empty list."}
    return name, Entries(node.form), wire


def _field(
    narrower: Narrowing, name: str, schema: Json, place: Place, *, required: bool
) -> tuple[Field, Json] | None:
    """A property; None when no value fits it, so that it can only be left out."""
    try:
        node = narrower.node(schema, place.child(name))
    except NothingError:
        return None
    if required:
        return Field(name=name, wire=name, form=node.form), node.wire
    if not narrower.rules.all_required and narrower.optional != 0:
        if narrower.optional is not None:
            narrower.optional -= 1
        return Field(name=name, wire=name, form=node.form, presence="absent"), node.wire
    return _or_null(narrower, name, schema, node)


def _or_null(narrower: Narrowing, name: str, schema: Json, node: Node) -> tuple[Field, Json]:
    """A property that null leaves out; where null is a value too, values are wrapped."""
    narrower.findings.nulls = True
    presence: Presence = "wrapped" if narrower.may_be_null(schema) else "null"
    if presence == "wrapped":
        text = as_text(node.wire.get("description"))
        inner: JsonObject = {
            WRAPPED: {word: part for word, part in node.wire.items() if word != "description"}
        }
        closed: JsonObject = {"type": "object", "properties": inner, "required": [WRAPPED]}
        closed["additionalProperties"] = False
        shown = with_null(Node(closed, node.form), lists=False).described(text or "")
    else:
        shown = with_null(node, lists=narrower.rules.type_lists)
    return Field(name=name, wire=name, form=node.form, presence=presence), shown.wire


def _closed(
    narrower: Narrowing,
    schema: JsonObject,
    fields: list[tuple[Field, Json]],
    entries: tuple[str, Entries, JsonObject] | None,
    left: set[str],
    place: Place,
) -> Node:
    if narrower.rules.one_required and entries is None:
        fields = _with_one_required(narrower, schema, fields, place)
    properties: JsonObject = {field.wire: wire for field, wire in fields}
    required: list[Json] = [field.wire for field, _ in fields if field.presence != "absent"]
    beyond: tuple[str, Entries] | None = None
    if entries is not None:
        name, form, wire = entries
        properties[name] = wire
        required.append(name)
        beyond = (name, form)
    made: JsonObject = {"type": "object", **titled(schema), **told(schema, left), "properties": properties}
    if required:
        made["required"] = required
    made["additionalProperties"] = False
    if narrower.rules.all_required:
        made["required"] = required
    return Node(made, Record([field for field, _ in fields], beyond))


def _with_one_required(
    narrower: Narrowing, schema: JsonObject, fields: list[tuple[Field, Json]], place: Place
) -> list[tuple[Field, Json]]:
    """The properties, one of them required: the first, which null then leaves out, or one of no meaning."""
    if any(field.presence != "absent" for field, _ in fields):
        return fields
    if not fields:
        yes: Json = {"type": "boolean", "const": True}
        return [
            (Field(name=_CALLED, wire=_CALLED, form=Plain(frozenset({"boolean"})), presence="dropped"), yes)
        ]
    (first, wire), *others = fields
    part = as_object(schema.get("properties")).get(first.name, True)
    return [_or_null(narrower, first.name, part, Node(as_object(wire), first.form)), *others]


def array(narrower: Narrowing, schema: JsonObject, place: Place) -> Node:
    """A list of items alike, or one whose first items differ."""
    places = as_array(schema.get("prefixItems"))
    if places:
        return _tuple(narrower, schema, places, place)
    try:
        item = narrower.node(schema.get("items", True), place.child("*"))
    except NothingError:
        item = narrower.text({}, place.child("*"))
        narrower.findings.unheld(["items"], place)
    known = narrower.rules.keywords.get("array", frozenset[str]())
    wire: JsonObject = {"type": "array", **titled(schema), "items": item.wire}
    for word in sorted(known & schema.keys()):
        if as_int(schema[word]) is not None and not (narrower.rules.few_items and schema[word] not in (0, 1)):
            wire[word] = schema[word]
    left = constraints(schema) - wire.keys()
    narrower.findings.unheld(left, place)
    return Node({**wire, **told(schema, left)}, Items(item.form))


def _tuple(narrower: Narrowing, schema: JsonObject, places: Sequence[Json], place: Place) -> Node:
    """A list whose first items differ, as an object with a property for each place."""
    least = as_int(schema.get("minItems")) or 0
    fields: list[tuple[Field, Json]] = []
    for index, part in enumerate(places):
        made = _field(narrower, f"item_{index + 1}", part, place, required=index < least)
        if made is None:
            break
        fields.append(made)
    rest: Form | None = None
    open_end = len(fields) == len(places) and schema.get("items", True) is not False
    left = constraints(schema) - {"type", "prefixItems", "items"}
    narrower.findings.unheld(left, place)
    properties: JsonObject = {field.wire: wire for field, wire in fields}
    required: list[Json] = [field.wire for field, _ in fields if field.presence != "absent"]
    if open_end:
        node = narrower.node(schema.get("items", True), place.child("*", 2))
        rest = node.form
        properties[Places.REST] = {"type": "array", "items": node.wire}
        required.append(Places.REST)
    if narrower.rules.one_required and not required:
        fields = _with_one_required(narrower, {"properties": {"item_1": places[0]}}, fields, place)
        properties = {field.wire: wire for field, wire in fields}
        required = [field.wire for field, _ in fields if field.presence != "absent"]
    wire: JsonObject = {"type": "object", **titled(schema), **told(schema, left), "properties": properties}
    optional = [field for field, _ in fields[: None if open_end else -1] if field.presence != "required"]
    if optional:
        narrower.findings.unheld(["prefixItems"], place)
    return Node(
        {**wire, "required": required, "additionalProperties": False},
        Places([field for field, _ in fields], rest),
    )
