"""Turns the values of one configuration table into its dataclass, or says exactly what is wrong.

Types are read from the class itself: text, whole number, number, yes or no, list of texts or of whole
numbers, texts by name, one of some words, each of them optional where the default is None.
"""

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from interlock_core.errors import ConfigurationError
from interlock_core.nearest import suggestion
from interlock_runtime.settings import BOUNDS

T = TypeVar("T")


@cache
def field_types(table: type) -> dict[str, object]:
    """The fields of a table and their types."""
    hints = get_type_hints(table)
    return {entry.name: hints[entry.name] for entry in fields(table)}


def build(table: type[T], values: Mapping[str, object], *, where: Callable[[str], str]) -> T:
    """Make one table from its values.

    Args:
        table: A dataclass of `settings`.
        values: What the file or the environment says.
        where: Says where a key of the table stands (the table itself for an empty one), such as
            `config.toml:3: [server]`.

    Raises:
        ConfigurationError: A key is unknown, missing or of the wrong type.
    """
    known = field_types(table)
    for name in values:
        if name not in known:
            raise ConfigurationError(
                f"{where(name)} has no key {name!r}.", field=name, remedy=suggestion(str(name), known)
            )
    for entry in fields(cast("Any", table)):
        required = entry.default is MISSING and entry.default_factory is MISSING
        if required and entry.name not in values:
            raise ConfigurationError(
                f"{where('')} lacks {entry.name!r}.", field=entry.name, remedy=f"Add {entry.name} = … to it."
            )
    made = {name: _value(value, known[name], f"{where(name)} {name}") for name, value in values.items()}
    for entry in fields(cast("Any", table)):
        if entry.name in made:
            _check_bounds(made[entry.name], entry.metadata, f"{where(entry.name)} {entry.name}")
    return table(**made)


def _check_bounds(value: object, metadata: Mapping[Any, Any], where: str) -> None:
    bounds = cast("tuple[float, float] | None", metadata.get(BOUNDS))
    if bounds is None or not isinstance(value, int | float) or bounds[0] <= value <= bounds[1]:
        return
    least, most = bounds
    range_ = f"{least:g} up" if most == math.inf else f"{least:g} to {most:g}"
    raise ConfigurationError(f"{where} is {value}.", field=where, remedy=f"Write a number from {range_}.")


def _value(value: object, wanted: object, where: str) -> object:
    origin = get_origin(wanted)
    if origin is types.UnionType:
        options = cast("tuple[object, ...]", get_args(wanted))
        wanted = next(option for option in options if option is not types.NoneType)
        origin = get_origin(wanted)
    if origin is Literal:
        return _choice(value, cast("tuple[object, ...]", get_args(wanted)), where)
    if origin is tuple:
        numbers = cast("tuple[object, ...]", get_args(wanted))[0] is int
        return _numbers(value, where) if numbers else _texts(value, where)
    if origin is dict:
        return _named_texts(value, where)
    return _plain(value, wanted, where)


def _choice(value: object, choices: tuple[object, ...], where: str) -> object:
    if value in choices:
        return value
    words = ", ".join(repr(choice) for choice in choices)
    raise ConfigurationError(f"{where} is {value!r}.", field=where, remedy=f"Use one of {words}.")


def _texts(value: object, where: str) -> tuple[str, ...]:
    entries = cast("list[object]", value) if isinstance(value, list) else None
    if entries is None or not all(isinstance(entry, str) for entry in entries):
        kind = _kind(cast("object", value))
        raise ConfigurationError(
            f"{where} is {kind}.", field=where, remedy='Write a list of texts: ["a", "b"].'
        )
    return tuple(cast("list[str]", entries))


def _numbers(value: object, where: str) -> tuple[int, ...]:
    entries = cast("list[object]", value) if isinstance(value, list) else None
    if entries is None or not all(type(entry) is int for entry in entries):
        kind = _kind(cast("object", value))
        raise ConfigurationError(
            f"{where} is {kind}.", field=where, remedy="Write a list of whole numbers: [50, 80]."
        )
    return tuple(cast("list[int]", entries))


def _named_texts(value: object, where: str) -> dict[str, str]:
    entries = cast("dict[str, object]", value) if isinstance(value, dict) else None
    if entries is None or not all(isinstance(entry, str) for entry in entries.values()):
        kind = _kind(cast("object", value)) if entries is None else "a table that does not fit"
        raise ConfigurationError(
            f"{where} is {kind}.", field=where, remedy='Write texts by name: { NAME = "text" }.'
        )
    return cast("dict[str, str]", entries)


_WORDS: dict[object, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _plain(value: object, wanted: object, where: str) -> object:
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(wanted, type) and type(value) is wanted:
        return value
    words = _WORDS.get(wanted, "another type")
    raise ConfigurationError(f"{where} is {_kind(value)}.", field=where, remedy=f"Write {words}.")


def _kind(value: object) -> str:
    """What a value is, without showing it: it may be a secret in the wrong place."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list that does not fit"
    return _WORDS.get(type(value)) or f"a {type(value).__name__}"
