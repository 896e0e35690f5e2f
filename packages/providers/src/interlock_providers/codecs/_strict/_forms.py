"""How a value is written for a vendor's strict mode, and read back: one form a schema.

A form is made together with the schema that a vendor is shown. `encode` writes a value that the original
schema accepts; `decode` reads what the model wrote, and gives the same value back. `decode` never fails:
what was not written in the form stays as it is, and is judged by whoever checks the arguments.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_object, as_text, dump_json, parse_json

Presence = Literal["required", "null", "wrapped", "absent", "dropped"]
"""How it is told that a property is left out: not at all, by null, by null beside a wrapped value, by
leaving it out, or by nothing, because the property exists for the vendor alone."""

WRAPPED = "value"
_NAME, _VALUE = "name", "value"
_MOST_TEXT = 1_000_000


class UnfitError(ValueError):
    """A value cannot be written in the form."""


class Form(ABC):
    """How the values of one schema are written.

    Attributes:
        same: They are written as they are.
        kinds: The JSON types that the written values have.
    """

    same: bool
    kinds: frozenset[str]

    @abstractmethod
    def encode(self, value: Json) -> Json:
        """The value as it is written.

        Raises:
            UnfitError: The form has no way to write it.
        """

    @abstractmethod
    def decode(self, wire: Json) -> Json:
        """The value that was written."""

    def holds(self, wire: Json) -> bool:
        """Whether something may have been written in this form, as far as its outermost shape tells."""
        return kind_of(wire) in self.kinds

    def shapes(self) -> "Iterator[Form]":
        """The forms that it may take at its outermost place."""
        yield self


@dataclass(frozen=True, slots=True)
class Plain(Form):
    """Values as they are.

    Attributes:
        kinds: Their types.
        values: The only ones, where they are enumerated.
    """

    kinds: frozenset[str]
    values: tuple[Json, ...] | None = None
    same: bool = True

    def encode(self, value: Json) -> Json:
        """The value itself."""
        return value

    def decode(self, wire: Json) -> Json:
        """The value itself."""
        return wire

    def holds(self, wire: Json) -> bool:
        """Whether it is one of the values."""
        kind = kind_of(wire)
        if kind not in self.kinds and not (kind == "integer" and "number" in self.kinds):
            return False
        return self.values is None or any(is_equal(wire, value) for value in self.values)


@dataclass(frozen=True, slots=True)
class JsonText(Form):
    """Values written as JSON text.

    Attributes:
        values: The only ones, where they are enumerated.
    """

    values: tuple[Json, ...] | None = None
    kinds: frozenset[str] = frozenset({"string"})
    same: bool = False

    def encode(self, value: Json) -> Json:
        """Its JSON, as the enumeration writes it."""
        if self.values is None:
            return dump_json(value)
        found = [known for known in self.values if is_equal(known, value)]
        if not found:
            raise UnfitError("it is none of the values")
        return dump_json(found[0])

    def decode(self, wire: Json) -> Json:
        """What the JSON says; text that is none is a text itself."""
        if not isinstance(wire, str) or len(wire) > _MOST_TEXT:
            return wire
        try:
            return parse_json(wire)
        except (ValueError, RecursionError):
            return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One property of an object.

    Attributes:
        name: Its name.
        wire: Its name toward the vendor.
        form: How its value is written.
        presence: How it is told that it is left out.
    """

    name: str
    wire: str
    form: Form
    presence: Presence = "required"

    @property
    def same(self) -> bool:
        """It is written as it is."""
        return self.form.same and self.name == self.wire and self.presence in {"required", "absent"}


class Record(Form):
    """Objects with known properties.

    Args:
        fields: The properties.
        entries: The property that lists those of other names, as its name toward the vendor and its form.
    """

    __slots__ = ("_by_name", "_by_wire", "_entries", "_fields", "kinds", "needed", "possible", "same")

    def __init__(self, fields: Sequence[Field], entries: "tuple[str, Entries] | None" = None) -> None:
        self.kinds = frozenset({"object"})
        self._fields = tuple(fields)
        self._entries = entries
        self._by_name = {item.name: item for item in fields if item.presence != "dropped"}
        self._by_wire = {item.wire: item for item in fields}
        self.same = entries is None and all(item.same for item in fields)
        self.possible = frozenset(self._by_wire) | ({entries[0]} if entries else frozenset[str]())
        natural = frozenset(item.wire for item in fields if item.presence == "absent")
        self.needed = self.possible - natural

    def form_of(self, wire: str) -> Form | None:
        """The form of the property of that name toward the vendor, when its value stands there plainly."""
        item = self._by_wire.get(wire)
        return item.form if item is not None and item.presence == "required" else None

    def encode(self, value: Json) -> Json:
        """The object with its properties in their forms."""
        if self.same or not isinstance(value, dict):
            return value
        others = [name for name in value if name not in self._by_name]
        if others and self._entries is None:
            raise UnfitError(f"nothing is known of {others[0]}")
        made: JsonObject = {}
        for item in self._fields:
            if item.presence == "dropped":
                made[item.wire] = True
            elif item.name in value:
                told = item.form.encode(value[item.name])
                made[item.wire] = {WRAPPED: told} if item.presence == "wrapped" else told
            elif item.presence in {"null", "wrapped"}:
                made[item.wire] = None
        if self._entries is not None:
            made[self._entries[0]] = self._entries[1].encode({name: value[name] for name in others})
        return made

    def decode(self, wire: Json) -> Json:
        """The object with its properties as they were."""
        if self.same or not isinstance(wire, dict):
            return wire
        made: JsonObject = {}
        for key, told in wire.items():
            item = self._by_wire.get(key)
            if item is None:
                if self._entries is None or key != self._entries[0]:
                    made[key] = told
            elif item.presence == "dropped" or (told is None and item.presence in {"null", "wrapped"}):
                continue
            elif item.presence == "wrapped" and isinstance(told, dict) and told.keys() == {WRAPPED}:
                made[item.name] = item.form.decode(told[WRAPPED])
            else:
                made[item.name] = item.form.decode(told)
        return self._with_entries(wire, made)

    def _with_entries(self, wire: JsonObject, made: JsonObject) -> JsonObject:
        if self._entries is None or self._entries[0] not in wire:
            return made
        key, entries = self._entries
        listed = entries.decode(wire[key])
        if not isinstance(listed, dict):
            made[key] = listed
            return made
        # A name that is told twice has two values: what was written stays, for the check to refuse.
        return wire if listed.keys() & made.keys() else {**made, **listed}

    def holds(self, wire: Json) -> bool:
        """Whether it has the properties that it must have, and none that it cannot have."""
        if not isinstance(wire, dict) or not self.needed <= wire.keys() <= self.possible:
            return False
        plain = ((told, self.form_of(key)) for key, told in wire.items())
        return all(form.holds(told) for told, form in plain if isinstance(form, Plain) and form.values)


class Entries(Form):
    """Objects with properties of any name, written as a list of `{"name", "value"}`.

    Args:
        value: How their values are written.
    """

    __slots__ = ("_value", "kinds", "same")

    def __init__(self, value: Form) -> None:
        self.kinds = frozenset({"array"})
        self.same = False
        self._value = value

    def encode(self, value: Json) -> Json:
        """The list."""
        if not isinstance(value, dict):
            raise UnfitError("it is no object")
        return [{_NAME: name, _VALUE: self._value.encode(inner)} for name, inner in value.items()]

    def decode(self, wire: Json) -> Json:
        """The object; of entries of one name the last counts."""
        if not isinstance(wire, list):
            return wire
        made: JsonObject = {}
        for entry in wire:
            name = as_text(as_object(entry).get(_NAME))
            if name is None or not isinstance(entry, dict):
                return wire
            made[name] = self._value.decode(entry.get(_VALUE))
        return made


class Items(Form):
    """Lists of items of one form.

    Args:
        item: How each is written.
    """

    __slots__ = ("_item", "kinds", "same")

    def __init__(self, item: Form) -> None:
        self.kinds = frozenset({"array"})
        self._item = item
        self.same = item.same

    def encode(self, value: Json) -> Json:
        """The items in their form."""
        if self.same or not isinstance(value, list):
            return value
        return [self._item.encode(item) for item in value]

    def decode(self, wire: Json) -> Json:
        """The items as they were."""
        if self.same or not isinstance(wire, list):
            return wire
        return [self._item.decode(item) for item in wire]


class Places(Form):
    """Lists whose first items have forms of their own, written as an object with a property for each place.

    Args:
        places: The first items; `presence` says how a shorter list is told.
        rest: The form of the further items, or None when there are none.
    """

    __slots__ = ("_places", "_record", "_rest", "kinds", "same")

    REST = "further_items"

    def __init__(self, places: Sequence[Field], rest: Form | None) -> None:
        self.kinds = frozenset({"object"})
        self.same = False
        self._places = tuple(places)
        self._rest = None if rest is None else Items(rest)
        more = () if rest is None else (Field(name=self.REST, wire=self.REST, form=Items(rest)),)
        self._record = Record((*places, *more))

    def encode(self, value: Json) -> Json:
        """The object."""
        if not isinstance(value, list):
            raise UnfitError("it is no list")
        told: JsonObject = {place.name: item for place, item in zip(self._places, value, strict=False)}
        further = value[len(self._places) :]
        if self._rest is not None:
            told[self.REST] = [*further]
        elif further:
            raise UnfitError("it has more items than places")
        return self._record.encode(told)

    def decode(self, wire: Json) -> Json:
        """The list; it ends at the first place that is left out. With more behind that it is none."""
        if not isinstance(wire, dict):
            return wire
        told = as_object(self._record.decode(wire))
        rest = told.get(self.REST, [])
        given = [place.name in told for place in self._places]
        count = given.index(False) if False in given else len(given)
        if not isinstance(rest, list) or any(given[count:]) or (rest and count < len(given)):
            return wire
        return [*(told[place.name] for place in self._places[:count]), *rest]


class Wrapped(Form):
    """Arguments whose schema is no object of properties: the one property of an object.

    Args:
        key: Its name.
        form: How the arguments are written there.
    """

    __slots__ = ("_form", "_key", "kinds", "same")

    def __init__(self, key: str, form: Form) -> None:
        self.kinds = frozenset({"object"})
        self.same = False
        self._key = key
        self._form = form

    def encode(self, value: Json) -> Json:
        """The object around them."""
        return {self._key: self._form.encode(value)}

    def decode(self, wire: Json) -> Json:
        """What stands in the object."""
        if isinstance(wire, dict) and wire.keys() == {self._key}:
            return self._form.decode(wire[self._key])
        return wire


@dataclass(slots=True)
class Named(Form):
    """The form of a definition, which may still be in the making.

    Attributes:
        kinds: Types that its values may have, or more.
        form: The form, once it is made.
    """

    kinds: frozenset[str]
    form: Form | None = field(default=None, repr=False)
    same: bool = False

    def settle(self, form: Form) -> None:
        """Say what the form is."""
        self.form, self.kinds, self.same = form, form.kinds, form.same

    def encode(self, value: Json) -> Json:
        """As the definition's form does it."""
        return value if self.form is None or self.same else self.form.encode(value)

    def decode(self, wire: Json) -> Json:
        """As the definition's form does it."""
        return wire if self.form is None or self.same else self.form.decode(wire)

    def holds(self, wire: Json) -> bool:
        """As the definition's form does it."""
        return kind_of(wire) in self.kinds if self.form is None else self.form.holds(wire)

    def shapes(self) -> Iterator[Form]:
        """Those of the definition, or itself while that is in the making."""
        if self.form is None:
            yield self
        else:
            yield from self.form.shapes()


def kind_of(value: Json) -> str:
    """The JSON type of a value; a whole number is an integer however it is written."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"


def is_equal(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON: true is not 1, and 1.0 is 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_equal(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_equal, one, other))
    return one == other
