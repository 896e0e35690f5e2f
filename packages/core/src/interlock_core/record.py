"""Frozen, slotted dataclasses whose methods are compiled when they are first used.

`dataclasses.dataclass` writes and compiles five functions for each class while the module is imported;
for the vocabulary alone that is most of its start-up time, and a command line uses a handful of them. Here
fields and slots are made at once, the rest on the first touch, by `dataclasses` itself. Type checkers see
`dataclasses.dataclass`, and so does whoever looks at a class: `fields`, `replace`, `asdict`, `match`,
signatures, equality, hashing, copying and pickling are the same. A record is no base of another record.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

__all__ = ["record"]

_METHODS = ("__init__", "__repr__", "__eq__", "__hash__")
_ORDER = ("__lt__", "__le__", "__gt__", "__ge__")


class _Deferred:
    """Stands for a method until somebody asks for it."""

    __slots__ = ("_name", "_order", "_owner")

    def __init__(self, owner: type, name: str, *, order: bool) -> None:
        self._owner = owner
        self._name = name
        self._order = order

    def __get__(self, instance: object, owner: type) -> object:
        _compile(self._owner, order=self._order)
        return getattr(owner if instance is None else instance, self._name)


def _make(cls: type[object], *, kw_only: bool, order: bool) -> type[object]:
    own = vars(cls)
    made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(cls)
    for name in _METHODS + (_ORDER if order else ()):
        if name not in own:
            setattr(made, name, _Deferred(made, name, order=order))
    for method in (_refuse_set, _refuse_delete, _get_state, _set_state):
        setattr(made, method.__name__, method)
    parameters = vars(made)["__dataclass_params__"]
    for name in ("init", "repr", "eq", "frozen"):
        setattr(parameters, name, True)
    parameters.order = order
    return made


def _compile(made: type, *, order: bool) -> None:
    """Let dataclasses write the methods for a class of the same fields, and take them over."""
    fields = vars(made)["__dataclass_fields__"]
    body: dict[str, object] = {
        "__annotations__": {name: each.type for name, each in fields.items()},
        **fields,
    }
    if hasattr(made, "__post_init__"):
        body["__post_init__"] = None  # what is written calls the record's own
    twin = dataclasses.dataclass(frozen=True, order=order)(type(made.__name__, (), body))
    for name in _METHODS + (_ORDER if order else ()):
        if isinstance(vars(made).get(name), _Deferred):
            method = vars(twin)[name]
            method.__qualname__ = f"{made.__qualname__}.{name}"
            setattr(made, name, method)


def _refuse_set(self: object, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _get_state(self: object) -> list[object]:
    return [getattr(self, name) for name in vars(type(self))["__dataclass_fields__"]]


def _set_state(self: object, state: list[object]) -> None:
    for name, value in zip(vars(type(self))["__dataclass_fields__"], state, strict=True):
        object.__setattr__(self, name, value)


_refuse_set.__name__ = "__setattr__"
_refuse_delete.__name__ = "__delattr__"
_get_state.__name__ = "__getstate__"
_set_state.__name__ = "__setstate__"


def _deferred(
    *, frozen: bool, slots: bool, kw_only: bool = False, order: bool = False
) -> Callable[[type[object]], type[object]]:
    """Make a class a frozen, slotted dataclass, as `dataclasses.dataclass` would.

    Raises:
        TypeError: It is not to be frozen and slotted, which is all that this is for.
    """
    if not (frozen and slots):
        raise TypeError("a record is frozen and slotted")
    return lambda cls: _make(cls, kw_only=kw_only, order=order)


if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    record = _deferred
