"""Values that are written in one of several forms, and how it is told which."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from interlock_core import Json, JsonObject
from interlock_core.errors import InvalidRequestError
from interlock_core.schema import Validator, validator
from interlock_providers.codecs._strict._forms import Field, Form, Plain, Record, UnfitError, is_equal


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One of several forms.

    Attributes:
        form: The form.
        schema: The original schema that tells whether a value is meant, self-contained.
        wire: What the vendor is shown of it, without the definitions.
        tag: The one property of an object around the value, where its shape does not tell the form.
    """

    form: Form
    schema: JsonObject
    wire: JsonObject
    tag: str | None = None


class OneOf(Form):
    """Values that are written in one of several forms.

    Args:
        branches: The forms, tried in this order.
        definitions: What the vendor is shown of definitions; filled while the schema is narrowed.
    """

    __slots__ = ("_branches", "_checks", "_definitions", "kinds", "same")

    def __init__(self, branches: Sequence[Branch], definitions: JsonObject) -> None:
        self._branches = tuple(branches)
        self._definitions = definitions
        self._checks: list[tuple[Validator, Validator]] = []
        self.same = all(branch.form.same and branch.tag is None for branch in branches)
        self.kinds = frozenset[str]().union(
            *({"object"} if branch.tag else branch.form.kinds for branch in branches)
        )

    def encode(self, value: Json) -> Json:
        """The value in the first form whose schema it fits, if it can be told which that was."""
        if self.same:
            return value
        for branch, (meant, shown) in zip(self._branches, self._validators(), strict=True):
            if meant.problems(value):
                continue
            try:
                told = branch.form.encode(value)
            except UnfitError:
                continue
            wire: Json = told if branch.tag is None else {branch.tag: told}
            if not shown.problems(wire) and is_equal(self.decode(wire), value):
                return wire
        raise UnfitError("it fits no alternative")

    def _validators(self) -> Sequence[tuple[Validator, Validator]]:
        """For each branch what judges a value, and what judges how it is written."""
        if not self._checks:
            try:
                self._checks = [
                    (validator(branch.schema), validator({**branch.wire, "$defs": self._definitions}))
                    for branch in self._branches
                ]
            except InvalidRequestError as exc:
                raise UnfitError("its schema cannot be checked") from exc
        return self._checks

    def decode(self, wire: Json) -> Json:
        """The value, by the tag or by the shape of what was written."""
        if self.same:
            return wire
        for branch in self._branches:
            if branch.tag is not None and isinstance(wire, dict) and wire.keys() == {branch.tag}:
                return branch.form.decode(wire[branch.tag])
        for branch in self._branches:
            if branch.tag is None and branch.form.holds(wire):
                return branch.form.decode(wire)
        return wire

    def holds(self, wire: Json) -> bool:
        """Whether one of the forms holds it."""
        return any(branch.form.holds(wire) for branch in self._branches if branch.tag is None) or (
            isinstance(wire, dict) and any(wire.keys() == {branch.tag} for branch in self._branches)
        )

    def shapes(self) -> Iterator[Form]:
        """The forms of all branches."""
        for branch in self._branches:
            if branch.tag is None:
                yield from branch.form.shapes()
            else:
                yield Record((Field(name=branch.tag, wire=branch.tag, form=branch.form),))


def may_meet(one: Form, other: Form) -> bool:
    """Whether something could have been written in either form, so that its shape does not tell which."""
    return any(_meet(mine, yours) for mine in one.shapes() for yours in other.shapes())


def _meet(one: Form, other: Form) -> bool:
    common = one.kinds & other.kinds
    if not common:
        return False
    if isinstance(one, Plain) and isinstance(other, Plain):
        return False
    if not (isinstance(one, Record) and isinstance(other, Record)):
        return True
    if not (one.needed <= other.possible and other.needed <= one.possible):
        return False
    return not any(_apart(one.form_of(key), other.form_of(key)) for key in one.needed & other.needed)


def _apart(one: Form | None, other: Form | None) -> bool:
    """Whether two enumerations have no value in common."""
    if not (isinstance(one, Plain) and isinstance(other, Plain)) or not one.values or not other.values:
        return False
    return not any(is_equal(mine, yours) for mine in one.values for yours in other.values)
